#include "domain/audit/audit_entry.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "domain/tenant/sealed_column.h"
#include "platform/ipc/vault_many.h"
#include "wire/json/json.h"

/* In the order of AUDIT_ENTRY_COLUMNS. */
enum {
    ID,
    AT,
    ACTOR_KIND,
    ACTOR_NAME,
    ACTOR,
    SESSION,
    ACTION,
    OBJECT_KIND,
    OBJECT,
    OUTCOME,
    DETAIL,
    COMMITMENTS,
    SUBJECTS,
    PLACE,
};

static struct id
id_or_zero(const struct db_rows *rows, size_t row, int column)
{
    return db_is_null(rows, row, column) ? (struct id){ { 0 } } : db_id(rows, row, column);
}

enum err
audit_entry_read(const struct db_rows *rows, size_t row, int column, struct arena *arena,
                 struct audit_entry *out)
{
    static const struct {
        int column;
        size_t at;
    } texts[] = {
        { ACTOR_KIND, offsetof(struct audit_entry, actor_kind) },
        { ACTOR_NAME, offsetof(struct audit_entry, actor_name) },
        { ACTION, offsetof(struct audit_entry, action) },
        { OBJECT_KIND, offsetof(struct audit_entry, object_prefix) },
        { OUTCOME, offsetof(struct audit_entry, outcome) },
        { DETAIL, offsetof(struct audit_entry, detail) },
    };
    size_t subjects = 0;

    *out = (struct audit_entry){ .id = db_id(rows, row, column + ID),
                                 .at = db_time(rows, row, column + AT),
                                 .actor = id_or_zero(rows, row, column + ACTOR),
                                 .session = id_or_zero(rows, row, column + SESSION),
                                 .object = id_or_zero(rows, row, column + OBJECT),
                                 .is_sealed = !db_is_null(rows, row, column + PLACE),
                                 .commitments = arena_array(arena, AUDIT_PRIVATE_MAX, sizeof(struct slice)),
                                 .subjects = arena_array(arena, AUDIT_PRIVATE_MAX, sizeof(struct slice)) };
    if (out->commitments == NULL || out->subjects == NULL)
        return ERR_NO_MEMORY;
    if (out->is_sealed)
        out->place = (uint64_t)db_i64(rows, row, column + PLACE);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct slice text = db_text(rows, row, column + texts[i].column);
        struct slice copied = text.len == 0 ? SLICE_EMPTY : arena_copy(arena, text);
        if (text.len > 0 && copied.ptr == NULL)
            return ERR_NO_MEMORY;
        memcpy((char *)out + texts[i].at, &copied, sizeof(copied));
    }
    enum err err = db_text_array(rows, row, column + COMMITMENTS, arena, out->commitments, AUDIT_PRIVATE_MAX,
                                 &out->part_count);
    if (err == ERR_OK)
        err = db_text_array(rows, row, column + SUBJECTS, arena, out->subjects, AUDIT_PRIVATE_MAX, &subjects);
    return err == ERR_OK && subjects != out->part_count ? ERR_DB_DATA : err;
}

/* An id behind a prefix that may be of a newer build. */
static struct slice
prefixed(struct slice prefix, struct id id, char out[static ID_TEXT_BYTES])
{
    struct slice text = id_print(ID_AUDIT, id, out);

    if (prefix.len == id_prefix(ID_AUDIT).len)
        memcpy(out, prefix.ptr, prefix.len);
    return text;
}

struct slice
audit_object_print(const struct audit_entry *entry, char out[static ID_TEXT_BYTES])
{
    return prefixed(entry->object_prefix, entry->object, out);
}

struct slice
audit_actor_prefix(struct slice kind)
{
    if (slice_eq(kind, slice_text(audit_actor_kind_word(AUDIT_ACTOR_KEY))))
        return id_prefix(ID_KEY);
    return slice_eq(kind, slice_text(audit_actor_kind_word(AUDIT_ACTOR_PERSON))) ? id_prefix(ID_PERSON)
                                                                                 : SLICE_EMPTY;
}

static void
add_id_or_null(struct buf *out, const char *member, struct slice prefix, struct id id)
{
    char text[ID_TEXT_BYTES];

    if (id_is_zero(id) || prefix.len == 0)
        buf_add_format(out, "\"%s\":null", member);
    else
        buf_add_format(out, "\"%s\":\"%.*s\"", member, SLICE_FMT(prefixed(prefix, id, text)));
}

void
audit_line(struct id tenant, const struct audit_entry *entry, uint64_t place, struct buf *out)
{
    char id[ID_TEXT_BYTES], of[ID_TEXT_BYTES], at[WALL_TEXT_BYTES];

    buf_add_format(out,
                   "{\"n\":%llu,\"id\":\"%.*s\",\"tenant\":\"%.*s\",\"at\":\"%.*s\",\"actor\":{\"kind\":",
                   (unsigned long long)place, SLICE_FMT(id_print(ID_AUDIT, entry->id, id)),
                   SLICE_FMT(id_print(ID_TENANT, tenant, of)), SLICE_FMT(wall_print(entry->at, at)));
    json_add_string(out, entry->actor_kind);
    buf_add_byte(out, ',');
    add_id_or_null(out, "id", audit_actor_prefix(entry->actor_kind), entry->actor);
    buf_add_byte(out, ',');
    add_id_or_null(out, "session", id_prefix(ID_SESSION), entry->session);
    buf_add_text(out, ",\"name\":");
    if (entry->actor_name.len == 0)
        buf_add_text(out, "null");
    else
        json_add_string(out, entry->actor_name);
    buf_add_text(out, "},\"action\":");
    json_add_string(out, entry->action);
    buf_add_byte(out, ',');
    add_id_or_null(out, "object", entry->object_prefix, entry->object);
    buf_add_text(out, ",\"outcome\":");
    json_add_string(out, entry->outcome);
    buf_add_text(out, ",\"detail\":");
    buf_add(out, entry->detail);
    buf_add_text(out, ",\"private\":[");
    for (size_t i = 0; i < entry->part_count; i++)
        buf_add_format(out, "%s{\"subject\":\"%.*s\",\"commitment\":\"%.*s\"}", i == 0 ? "" : ",",
                       SLICE_FMT(entry->subjects[i]), SLICE_FMT(entry->commitments[i]));
    buf_add_text(out, "]}");
}

#define FROM_ENTRY                                                                                           \
    " FROM audit_entry e LEFT JOIN audit_node n ON n.tenant_id = e.tenant_id AND n.entry_id = e.id"

/* An id holds its time, so bounds of time are bounds of ids; the order is theirs. */
static const struct db_stmt audit_list_stmt = {
    "audit_list",
    "SELECT " AUDIT_ENTRY_COLUMNS FROM_ENTRY
    " WHERE e.tenant_id = $1 AND ($2::uuid IS NULL OR e.actor_id = $2) AND ($3::uuid IS NULL OR e.object_id = $3)"
    " AND ($4::text IS NULL OR e.action = $4 OR (right($4, 2) = '.*' AND starts_with(e.action, left($4, -1))))"
    " AND ($5::text IS NULL OR e.outcome = $5) AND ($6::uuid IS NULL OR e.id < $6)"
    " AND ($7::timestamptz IS NULL OR e.at >= $7) AND ($8::timestamptz IS NULL OR e.at < $8)"
    " ORDER BY e.id DESC LIMIT $9"
};
static const struct db_stmt audit_get_stmt = { "audit_get", "SELECT " AUDIT_ENTRY_COLUMNS FROM_ENTRY
                                                            " WHERE e.tenant_id = $1 AND e.id = $2" };

static struct db_arg
id_arg(struct id id)
{
    return id_is_zero(id) ? DB_NULL : DB_ID(id);
}

static struct db_arg
text_arg(struct slice text)
{
    return text.len == 0 ? DB_NULL : DB_TEXT(text);
}

enum err
audit_list(struct db_tx *tx, const struct audit_filter *filter, size_t limit, struct arena *arena,
           struct audit_entry **out, size_t *count_out)
{
    struct db_rows *rows = NULL;

    if (limit > AUDIT_LIST_MAX)
        return ERR_LIMIT;
    enum err err =
        db_query(tx, &audit_list_stmt,
                 DB_ARGS(id_arg(filter->actor), id_arg(filter->object), text_arg(filter->action),
                         text_arg(filter->outcome), id_arg(filter->cursor),
                         filter->has_since ? DB_TIME(filter->since) : DB_NULL,
                         filter->has_until ? DB_TIME(filter->until) : DB_NULL, DB_I64((int64_t)limit + 1)),
                 &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct audit_entry *entries = arena_array(arena, count, sizeof(*entries));
    if (err == ERR_OK && entries == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = audit_entry_read(rows, i, 0, arena, &entries[i]);
    db_rows_free(rows);
    if (err == ERR_OK) {
        *out = entries;
        *count_out = count;
    }
    return err;
}

enum err
audit_get(struct db_tx *tx, struct id entry, struct arena *arena, struct audit_entry *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &audit_get_stmt, DB_ARGS(DB_ID(entry)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : audit_entry_read(rows, 0, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt audit_parts_stmt = {
    "audit_parts",
    "SELECT id, entry_id, subject_id, key_version, part_ct, part_iv, part_tag FROM audit_private"
    " WHERE tenant_id = $1 AND entry_id = ANY ($2::uuid[]) ORDER BY entry_id, id LIMIT 10000"
};

enum err
audit_parts(struct db_tx *tx, const struct id *entries, size_t count, struct arena *arena,
            struct audit_part **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &audit_parts_stmt, DB_ARGS(DB_ID_ARRAY(entries, count)), &rows);
    size_t found = err == ERR_OK ? db_rows_count(rows) : 0;
    struct audit_part *parts = arena_array(arena, found, sizeof(*parts));

    if (err == ERR_OK && parts == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < found; i++) {
        parts[i] = (struct audit_part){ .id = db_id(rows, i, 0),
                                        .entry = db_id(rows, i, 1),
                                        .subject = db_id(rows, i, 2) };
        err = sealed_column_read(rows, i, 4, (uint32_t)db_i64(rows, i, 3), arena, &parts[i].sealed);
    }
    db_rows_free(rows);
    if (err == ERR_OK) {
        *out = parts;
        *count_out = found;
    }
    return err;
}

enum err
audit_parts_open(const struct vault *vault, struct id tenant, struct audit_part *parts, size_t count,
                 struct arena *arena)
{
    struct vault_place *places = arena_array(arena, count, sizeof(*places));
    struct vault_ask *asks = arena_array(arena, count, sizeof(*asks));

    if (places == NULL || asks == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        places[i] = audit_private_place(tenant, parts[i].id);
        asks[i] = vault_ask_open(VAULT_CONTENT, &places[i], &parts[i].sealed);
    }
    vault_ask_many(vault, asks, count, arena);
    for (size_t i = 0; i < count; i++) {
        if (asks[i].err != ERR_OK)
            return asks[i].err;
        if (asks[i].plain.len < AUDIT_SALT_BYTES)
            return ERR_SEAL_CORRUPT;
        memcpy(parts[i].salt, asks[i].plain.ptr, AUDIT_SALT_BYTES);
        parts[i].text = slice_drop(asks[i].plain, AUDIT_SALT_BYTES);
    }
    return ERR_OK;
}

enum err
audit_part_place(const struct audit_entry *entry, const struct audit_part *part, size_t *out)
{
    const struct slice pieces[] = { slice_of(part->salt, AUDIT_SALT_BYTES), part->text };
    unsigned char hash[HASH_BYTES];
    struct buf hex;
    enum err err = hash_sha256_pieces(pieces, COUNT_OF(pieces), hash);

    buf_init(&hex, 2 * HASH_BYTES + 1);
    encode_hex(&hex, slice_of(hash, sizeof(hash)));
    if (err == ERR_OK)
        err = buf_done(&hex);
    for (size_t i = 0; err == ERR_OK && i < entry->part_count; i++)
        if (slice_eq(entry->commitments[i], buf_slice(&hex))) {
            *out = i;
            goto done;
        }
    err = err == ERR_OK ? ERR_SEAL_CORRUPT : err;
done:
    buf_release(&hex);
    return err;
}
