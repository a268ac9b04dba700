#include "domain/audit/audit.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "domain/tenant/sealed_column.h"
#include <string.h>

static const char *const action_words[AUDIT_ACTION_COUNT] = {
#define AUDIT_ACTION(name, word) [AUDIT_##name] = word,
#include "domain/audit/action.def"
#undef AUDIT_ACTION
};
static const char *const actor_words[] = { [AUDIT_ACTOR_KEY] = "key",
                                           [AUDIT_ACTOR_PERSON] = "person",
                                           [AUDIT_ACTOR_OPERATOR] = "operator",
                                           [AUDIT_ACTOR_SYSTEM] = "system",
                                           [AUDIT_ACTOR_NOBODY] = "nobody" };
static const char *const outcome_words[] = {
    [AUDIT_DONE] = "done", [AUDIT_REFUSED] = "refused", [AUDIT_FAILED] = "failed"
};

static const char *
word_of(const char *const *words, size_t count, unsigned value)
{
    if (value >= count)
        bug("a value without a word");
    return words[value];
}

static enum err
word_parse(const char *const *words, size_t count, struct slice word, unsigned *out)
{
    for (unsigned i = 0; i < count; i++)
        if (slice_eq(word, slice_text(words[i]))) {
            *out = i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

const char *
audit_action_word(enum audit_action action)
{
    return word_of(action_words, COUNT_OF(action_words), (unsigned)action);
}

enum err
audit_action_parse(struct slice word, enum audit_action *out)
{
    unsigned value;
    enum err err = word_parse(action_words, COUNT_OF(action_words), word, &value);

    if (err == ERR_OK)
        *out = (enum audit_action)value;
    return err;
}

const char *
audit_actor_kind_word(enum audit_actor_kind kind)
{
    return word_of(actor_words, COUNT_OF(actor_words), (unsigned)kind);
}

enum err
audit_actor_kind_parse(struct slice word, enum audit_actor_kind *out)
{
    unsigned value;
    enum err err = word_parse(actor_words, COUNT_OF(actor_words), word, &value);

    if (err == ERR_OK)
        *out = (enum audit_actor_kind)value;
    return err;
}

const char *
audit_outcome_word(enum audit_outcome outcome)
{
    return word_of(outcome_words, COUNT_OF(outcome_words), (unsigned)outcome);
}

enum err
audit_outcome_parse(struct slice word, enum audit_outcome *out)
{
    unsigned value;
    enum err err = word_parse(outcome_words, COUNT_OF(outcome_words), word, &value);

    if (err == ERR_OK)
        *out = (enum audit_outcome)value;
    return err;
}

struct vault_place
audit_private_place(struct id tenant, struct id part)
{
    return (struct vault_place){ .tenant = tenant, .table = "audit_private", .column = "part", .row = part };
}

enum err
audit_private_add(struct audit_act *act, struct id subject, struct slice text)
{
    if (act->private_count == AUDIT_PRIVATE_MAX || text.len > AUDIT_PRIVATE_BYTES_MAX)
        return ERR_LIMIT;
    act->privates[act->private_count++] = (struct audit_private){ .subject = subject, .text = text };
    return ERR_OK;
}

enum err
audit_address_add(struct audit_act *act, struct id subject, struct slice address, struct arena *arena)
{
    if (address.len == 0)
        return ERR_OK;
    struct slice text = arena_format(arena, "{\"address\":\"%.*s\"}", SLICE_FMT(address));
    return text.ptr == NULL ? ERR_NO_MEMORY : audit_private_add(act, subject, text);
}

/* The salt and the text behind it, as they are sealed together. */
static enum err
salted(struct arena *arena, struct audit_private *part, struct slice *out)
{
    char *bytes = arena_alloc(arena, AUDIT_SALT_BYTES + part->text.len);
    enum err err = bytes == NULL ? ERR_NO_MEMORY : random_fill(bytes, AUDIT_SALT_BYTES);

    if (err != ERR_OK)
        return err;
    memcpy(bytes + AUDIT_SALT_BYTES, part->text.ptr, part->text.len);
    *out = slice_of(bytes, AUDIT_SALT_BYTES + part->text.len);
    return hash_sha256(*out, part->commitment);
}

enum err
audit_prepare(const struct vault *vault, const struct clock *clock, struct id tenant, struct audit_act *act,
              struct arena *arena)
{
    struct vault_seal_item items[AUDIT_PRIVATE_MAX];
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < act->private_count; i++) {
        struct audit_private *part = &act->privates[i];
        part->id = id_new(clock);
        items[i] = (struct vault_seal_item){ .place = audit_private_place(tenant, part->id) };
        err = salted(arena, part, &items[i].plain);
    }
    if (err == ERR_OK && act->private_count > 0)
        err = vault_seal_many(vault, VAULT_CONTENT, items, act->private_count, arena);
    for (size_t i = 0; err == ERR_OK && i < act->private_count; i++)
        act->privates[i].sealed = items[i].sealed;
    return err;
}

/* Its time is the transaction's, in whole milliseconds, as the line prints it. */
static const struct db_stmt audit_append_stmt = {
    "audit_append",
    "WITH written AS (INSERT INTO audit_entry (tenant_id, id, actor_kind, actor_id, session_id, actor_name, action,"
    " object_kind, object_id, outcome, detail, commitments, subjects) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
    " $11, $12::bytea[], $13::uuid[]) RETURNING id)"
    " INSERT INTO audit_unsealed (tenant_id, entry_id) SELECT $1, id FROM written"
};
static const struct db_stmt audit_private_stmt = {
    "audit_private_insert",
    "INSERT INTO audit_private (tenant_id, id, entry_id, subject_id, key_version, part_ct, part_iv, part_tag)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
};

static struct db_arg
id_or_null(struct id id)
{
    return id_is_zero(id) ? DB_NULL : DB_ID(id);
}

enum err
audit_append(struct db_tx *tx, const struct clock *clock, const struct audit_act *act)
{
    struct id entry = id_new(clock), subjects[AUDIT_PRIVATE_MAX];
    struct slice commitments[AUDIT_PRIVATE_MAX];
    bool has_object = !id_is_zero(act->object);
    enum err err =
        act->actor.name.len > AUDIT_NAME_MAX || act->detail.len > AUDIT_DETAIL_BYTES_MAX ? ERR_LIMIT : ERR_OK;

    if (memchr(act->detail.len == 0 ? "" : act->detail.ptr, '\n', act->detail.len) != NULL)
        bug("an act's detail is not one line");
    for (size_t i = 0; i < act->private_count; i++) {
        if (act->privates[i].sealed.cipher.ptr == NULL)
            bug("an act's private parts are not sealed");
        subjects[i] = act->privates[i].subject;
        commitments[i] = slice_of(act->privates[i].commitment, AUDIT_COMMITMENT_BYTES);
    }
    if (err == ERR_OK)
        err = db_later(tx, &audit_append_stmt,
                       DB_ARGS(DB_ID(entry), DB_TEXT_Z(audit_actor_kind_word(act->actor.kind)),
                               id_or_null(act->actor.id), id_or_null(act->actor.session),
                               act->actor.name.len == 0 ? DB_NULL : DB_TEXT(act->actor.name),
                               DB_TEXT_Z(audit_action_word(act->action)),
                               has_object ? DB_TEXT(id_prefix(act->object_kind)) : DB_NULL,
                               id_or_null(act->object), DB_TEXT_Z(audit_outcome_word(act->outcome)),
                               DB_TEXT(act->detail.len == 0 ? SLICE("{}") : act->detail),
                               DB_BYTES_ARRAY(commitments, act->private_count),
                               DB_ID_ARRAY(subjects, act->private_count)),
                       NULL);
    for (size_t i = 0; err == ERR_OK && i < act->private_count; i++) {
        const struct audit_private *part = &act->privates[i];
        err = db_later(tx, &audit_private_stmt,
                       DB_ARGS(DB_ID(part->id), DB_ID(entry), DB_ID(part->subject),
                               DB_I64(part->sealed.key_version), SEALED_ARGS(&part->sealed)),
                       NULL);
    }
    return err;
}
