/* The ledger. Rows are written in the order of the index, so that two that want the same wait for each other
 * and do not cross. */
#include "domain/consent/consent.h"
#include "domain/tenant/sealed_column.h"
#include <stdlib.h>

#define ZERO_ID "00000000-0000-0000-0000-000000000000"

static const char *const state_words[] = { "granted", "withdrawn", "unknown" };
static const char *const source_words[] = { "manual", "import", "inbound", "api", "provider" };
static const char *const actor_words[] = { "person", "key", "contact" };

const char *
consent_state_word(enum consent_state state)
{
    return state_words[state];
}

static enum err
word_find(const char *const *words, unsigned count, struct slice word, unsigned *out)
{
    for (unsigned i = 0; i < count; i++)
        if (slice_eq(word, slice_text(words[i]))) {
            *out = i;
            return ERR_OK;
        }
    return ERR_DB_DATA;
}

enum err
consent_state_parse(struct slice word, enum consent_state *out)
{
    unsigned at = 0;
    enum err err = word_find(state_words, COUNT_OF(state_words), word, &at);

    *out = (enum consent_state)at;
    return err;
}

const char *
consent_source_word(enum consent_source source)
{
    return source_words[source];
}

enum err
consent_source_parse(struct slice word, enum consent_source *out)
{
    unsigned at = 0;
    enum err err = word_find(source_words, COUNT_OF(source_words), word, &at);

    *out = (enum consent_source)at;
    return err;
}

const char *
consent_actor_word(enum consent_actor actor)
{
    return actor_words[actor];
}

struct vault_place
consent_peer_place(struct id tenant, struct id entry)
{
    return (struct vault_place){ .tenant = tenant, .table = "consent_peer", .column = "peer", .row = entry };
}

struct vault_place
consent_evidence_place(struct id tenant, struct id entry)
{
    return (struct vault_place){
        .tenant = tenant, .table = "consent_evidence", .column = "evidence", .row = entry
    };
}

/* Which of these a grant is refused for: purposes that are named as a category that is no advertisement are
 * held against what stops everything alone. */
static const struct db_stmt consent_suppressed_stmt = {
    "consent_suppressed",
    "SELECT q.n FROM unnest($2::bytea[], $3::text[], $4::text[]) WITH ORDINALITY AS q (peer, kind, purpose, n)"
    " WHERE EXISTS (SELECT FROM suppression s WHERE s.tenant_id = $1 AND s.peer_index = q.peer"
    " AND s.channel_kind IN ('any', q.kind) AND (s.scope = 'all'"
    " OR q.purpose <> ALL ('{otp,transactional,service}'))) LIMIT 10000"
};
static const struct db_stmt consent_append_stmt = {
    "consent_append",
    "INSERT INTO consent_event (tenant_id, id, peer_index, channel_kind, purpose, state, source, method, language,"
    " notice_id, has_evidence, message_id, channel_id, actor_kind, actor_id, at)"
    " SELECT $1, id, peer, kind, purpose, state, source, method, language, nullif(notice, '" ZERO_ID "'),"
    " has_evidence = 1, nullif(message, '" ZERO_ID "'), nullif(channel, '" ZERO_ID "'), actor,"
    " nullif(actor_id, '" ZERO_ID "'), at"
    " FROM unnest($2::uuid[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],"
    " $10::uuid[], $11::bigint[], $12::uuid[], $13::uuid[], $14::text[], $15::uuid[], $16::timestamptz[])"
    " AS g (id, peer, kind, purpose, state, source, method, language, notice, has_evidence, message, channel, actor,"
    " actor_id, at) ORDER BY peer, kind, purpose, at, state, source ON CONFLICT DO NOTHING RETURNING id"
};
/* What was said before, of what was not appended. */
static const struct db_stmt consent_same_stmt = {
    "consent_same",
    "SELECT g.n, e.id FROM unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])"
    " WITH ORDINALITY AS g (peer, kind, purpose, state, source, at, n)"
    " JOIN consent_event e ON e.tenant_id = $1 AND e.peer_index = g.peer AND e.channel_kind = g.kind"
    " AND e.purpose = g.purpose AND e.at = g.at AND e.state = g.state AND e.source = g.source LIMIT 10000"
};
static const struct db_stmt consent_peer_stmt = {
    "consent_peer_keep",
    "INSERT INTO consent_peer (tenant_id, id, peer_index, key_version, peer_ct, peer_iv, peer_tag)"
    " SELECT $1, id, peer, version::int, ct, iv, tag FROM unnest($2::uuid[], $3::bytea[], $4::bigint[], $5::bytea[],"
    " $6::bytea[], $7::bytea[]) AS g (id, peer, version, ct, iv, tag) ORDER BY peer ON CONFLICT DO NOTHING"
};
static const struct db_stmt consent_evidence_stmt = {
    "consent_evidence_keep",
    "INSERT INTO consent_evidence (tenant_id, event_id, key_version, evidence_ct, evidence_iv, evidence_tag)"
    " SELECT $1, id, version::int, ct, iv, tag FROM unnest($2::uuid[], $3::bigint[], $4::bytea[], $5::bytea[],"
    " $6::bytea[]) AS g (id, version, ct, iv, tag)"
};
/* The best of the fresh entries of each, held against what holds; what is told of is what holds now. */
static const struct db_stmt consent_derive_stmt = {
    "consent_derive",
    "INSERT INTO consent_state AS s (tenant_id, peer_index, channel_kind, purpose, state, at, event_id)"
    " SELECT DISTINCT ON (peer, kind, purpose) $1, peer, kind, purpose, state, at, id"
    " FROM unnest($2::uuid[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])"
    " AS g (id, peer, kind, purpose, state, at)"
    " ORDER BY peer, kind, purpose, state = 'unknown', at DESC, state = 'withdrawn' DESC, id"
    " ON CONFLICT (tenant_id, peer_index, channel_kind, purpose) DO UPDATE SET state = excluded.state, at = excluded.at,"
    " event_id = excluded.event_id WHERE excluded.state <> 'unknown' AND (s.state = 'unknown' OR excluded.at > s.at"
    " OR (excluded.at = s.at AND excluded.state = 'withdrawn' AND s.state = 'granted')) RETURNING event_id"
};
static const struct db_stmt consent_tell_stmt = {
    "consent_tell",
    "INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
    " SELECT $1, id, 'consent.' || state, entry, nullif(channel, '" ZERO_ID "'), now(), data"
    " FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::jsonb[]) AS g (id, state, entry, channel, data)"
};

/* Side by side, as the statements take them. `of` leads back to the entry. */
struct columns {
    size_t count, *of;
    struct id *ids, *notices, *messages, *channels, *actor_ids;
    struct slice *peers, *kinds, *purposes, *states, *sources, *methods, *languages, *actors;
    int64_t *evidences;
    struct wall_time *times;
};

static enum err
columns_make(struct columns *c, size_t count, struct arena *arena)
{
    struct id **ids[] = { &c->ids, &c->notices, &c->messages, &c->channels, &c->actor_ids };
    struct slice **slices[] = { &c->peers,   &c->kinds,   &c->purposes,  &c->states,
                                &c->sources, &c->methods, &c->languages, &c->actors };
    bool is_whole = (c->times = arena_array(arena, count, sizeof(*c->times))) != NULL;

    c->count = 0;
    is_whole &= (c->of = arena_array(arena, count, sizeof(*c->of))) != NULL;
    is_whole &= (c->evidences = arena_array(arena, count, sizeof(*c->evidences))) != NULL;
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        is_whole &= (*ids[i] = arena_array(arena, count, sizeof(struct id))) != NULL;
    for (size_t i = 0; i < COUNT_OF(slices); i++)
        is_whole &= (*slices[i] = arena_array(arena, count, sizeof(struct slice))) != NULL;
    return is_whole ? ERR_OK : ERR_NO_MEMORY;
}

static void
column_add(struct columns *c, struct consent_new *entry, size_t of)
{
    size_t i = c->count++;

    c->of[i] = of;
    c->ids[i] = entry->id;
    c->notices[i] = entry->notice;
    c->messages[i] = entry->message;
    c->channels[i] = entry->channel;
    c->actor_ids[i] = entry->actor_id;
    c->peers[i] = slice_of(entry->peer_index, VAULT_INDEX_BYTES);
    c->kinds[i] = entry->channel_kind;
    c->purposes[i] = entry->purpose;
    c->states[i] = slice_text(state_words[entry->state]);
    c->sources[i] = slice_text(source_words[entry->source]);
    c->methods[i] = entry->method;
    c->languages[i] = entry->language;
    c->actors[i] = slice_text(actor_words[entry->actor]);
    c->evidences[i] =
        entry->evidence != NULL || !id_is_zero(entry->message) || entry->source == CONSENT_PROVIDER;
    c->times[i] = entry->at;
}

/* Whom a grant is entered for by somebody else. */
static enum err
suppressed_refuse(struct db_tx *tx, struct consent_new *entries, size_t count, struct arena *arena)
{
    struct columns c;
    struct db_rows *rows = NULL;
    enum err err = columns_make(&c, count, arena);

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        bool is_own = entries[i].source == CONSENT_INBOUND || entries[i].source == CONSENT_PROVIDER;
        entries[i].err = ERR_OK;
        if (entries[i].state == CONSENT_GRANTED && !is_own)
            column_add(&c, &entries[i], i);
    }
    if (err != ERR_OK || c.count == 0)
        return err;
    err = db_query(tx, &consent_suppressed_stmt,
                   DB_ARGS(DB_BYTES_ARRAY(c.peers, c.count), DB_TEXT_ARRAY(c.kinds, c.count),
                           DB_TEXT_ARRAY(c.purposes, c.count)),
                   &rows);
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        entries[c.of[db_i64(rows, i, 0) - 1]].err = ERR_CONSENT_SUPPRESSED;
    db_rows_free(rows);
    return err;
}

static int
id_compare(const void *a, const void *b)
{
    return memcmp(((const struct id *)a)->bytes, ((const struct id *)b)->bytes, ID_BYTES);
}

/* The ids that a statement returned, sorted. */
static enum err
ids_take(const struct db_rows *rows, struct arena *arena, struct id **out, size_t *count_out)
{
    *count_out = db_rows_count(rows);
    *out = arena_array(arena, *count_out, sizeof(struct id));
    if (*out == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < *count_out; i++)
        (*out)[i] = db_id(rows, i, 0);
    qsort(*out, *count_out, sizeof(struct id), id_compare);
    return ERR_OK;
}

static bool
ids_have(const struct id *ids, size_t count, struct id id)
{
    return bsearch(&id, ids, count, sizeof(id), id_compare) != NULL;
}

static enum err
append(struct db_tx *tx, struct consent_new *entries, const struct columns *c, struct arena *arena,
       size_t *fresh_out)
{
    struct db_rows *rows = NULL;
    struct id *ids = NULL;
    size_t count = 0;
    enum err err = db_query(tx, &consent_append_stmt,
                            DB_ARGS(DB_ID_ARRAY(c->ids, c->count), DB_BYTES_ARRAY(c->peers, c->count),
                                    DB_TEXT_ARRAY(c->kinds, c->count), DB_TEXT_ARRAY(c->purposes, c->count),
                                    DB_TEXT_ARRAY(c->states, c->count), DB_TEXT_ARRAY(c->sources, c->count),
                                    DB_TEXT_ARRAY(c->methods, c->count),
                                    DB_TEXT_ARRAY(c->languages, c->count), DB_ID_ARRAY(c->notices, c->count),
                                    DB_I64_ARRAY(c->evidences, c->count), DB_ID_ARRAY(c->messages, c->count),
                                    DB_ID_ARRAY(c->channels, c->count), DB_TEXT_ARRAY(c->actors, c->count),
                                    DB_ID_ARRAY(c->actor_ids, c->count), DB_TIME_ARRAY(c->times, c->count)),
                            &rows);

    if (err == ERR_OK)
        err = ids_take(rows, arena, &ids, &count);
    for (size_t i = 0; err == ERR_OK && i < c->count; i++)
        entries[c->of[i]].is_fresh = ids_have(ids, count, c->ids[i]);
    *fresh_out = count;
    db_rows_free(rows);
    return err;
}

static enum err
same_find(struct db_tx *tx, struct consent_new *entries, const struct columns *c)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &consent_same_stmt,
                            DB_ARGS(DB_BYTES_ARRAY(c->peers, c->count), DB_TEXT_ARRAY(c->kinds, c->count),
                                    DB_TEXT_ARRAY(c->purposes, c->count), DB_TEXT_ARRAY(c->states, c->count),
                                    DB_TEXT_ARRAY(c->sources, c->count), DB_TIME_ARRAY(c->times, c->count)),
                            &rows);

    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        entries[c->of[db_i64(rows, i, 0) - 1]].id = db_id(rows, i, 1);
    db_rows_free(rows);
    return err;
}

/* Sealed values of fresh entries: those of `evidence`, else the addresses. */
static enum err
sealed_keep(struct db_tx *tx, const struct consent_new *entries, size_t count, bool is_evidence,
            struct arena *arena)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    int64_t *versions = arena_array(arena, count, sizeof(*versions));
    struct slice *peers = arena_array(arena, count, sizeof(*peers)),
                 *cts = arena_array(arena, count, sizeof(*cts)),
                 *ivs = arena_array(arena, count, sizeof(*ivs)),
                 *tags = arena_array(arena, count, sizeof(*tags));
    size_t n = 0;

    if (ids == NULL || versions == NULL || peers == NULL || cts == NULL || ivs == NULL || tags == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct vault_sealed *sealed = is_evidence ? entries[i].evidence : entries[i].peer;
        if (!entries[i].is_fresh || sealed == NULL)
            continue;
        ids[n] = entries[i].id;
        versions[n] = sealed->key_version;
        peers[n] = slice_of(entries[i].peer_index, VAULT_INDEX_BYTES);
        cts[n] = sealed->cipher;
        ivs[n] = slice_of(sealed->iv, VAULT_IV_BYTES);
        tags[n++] = slice_of(sealed->tag, VAULT_TAG_BYTES);
    }
    if (n == 0)
        return ERR_OK;
    if (is_evidence)
        return db_exec(tx, &consent_evidence_stmt,
                       DB_ARGS(DB_ID_ARRAY(ids, n), DB_I64_ARRAY(versions, n), DB_BYTES_ARRAY(cts, n),
                               DB_BYTES_ARRAY(ivs, n), DB_BYTES_ARRAY(tags, n)),
                       NULL);
    return db_exec(tx, &consent_peer_stmt,
                   DB_ARGS(DB_ID_ARRAY(ids, n), DB_BYTES_ARRAY(peers, n), DB_I64_ARRAY(versions, n),
                           DB_BYTES_ARRAY(cts, n), DB_BYTES_ARRAY(ivs, n), DB_BYTES_ARRAY(tags, n)),
                   NULL);
}

static enum err
derive(struct db_tx *tx, struct consent_new *entries, size_t count, struct columns *c, struct arena *arena)
{
    struct db_rows *rows = NULL;
    struct id *ids = NULL;
    size_t id_count = 0;

    c->count = 0;
    for (size_t i = 0; i < count; i++)
        if (entries[i].is_fresh)
            column_add(c, &entries[i], i);
    enum err err = db_query(tx, &consent_derive_stmt,
                            DB_ARGS(DB_ID_ARRAY(c->ids, c->count), DB_BYTES_ARRAY(c->peers, c->count),
                                    DB_TEXT_ARRAY(c->kinds, c->count), DB_TEXT_ARRAY(c->purposes, c->count),
                                    DB_TEXT_ARRAY(c->states, c->count), DB_TIME_ARRAY(c->times, c->count)),
                            &rows);
    if (err == ERR_OK)
        err = ids_take(rows, arena, &ids, &id_count);
    for (size_t i = 0; err == ERR_OK && i < c->count; i++)
        entries[c->of[i]].is_effective = ids_have(ids, id_count, c->ids[i]);
    db_rows_free(rows);
    return err;
}

/* Which entry it is, the event's subject says. */
static struct slice
told_print(const struct consent_new *entry, struct arena *arena)
{
    char id[ID_TEXT_BYTES];
    struct slice message =
        id_is_zero(entry->message) ? SLICE("null") : id_print(ID_MESSAGE, entry->message, id);
    const char *quote = id_is_zero(entry->message) ? "" : "\"";

    return arena_format(arena,
                        "{\"channel\":\"%.*s\",\"purpose\":\"%.*s\",\"state\":\"%s\",\"source\":\"%s\","
                        "\"message_id\":%s%.*s%s}",
                        SLICE_FMT(entry->channel_kind), SLICE_FMT(entry->purpose), state_words[entry->state],
                        source_words[entry->source], quote, SLICE_FMT(message), quote);
}

static enum err
tell(struct db_tx *tx, const struct clock *clock, const struct consent_new *entries, size_t count,
     struct arena *arena)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids)),
              *subjects = arena_array(arena, count, sizeof(*ids)),
              *channels = arena_array(arena, count, sizeof(*ids));
    struct slice *states = arena_array(arena, count, sizeof(*states)),
                 *datas = arena_array(arena, count, sizeof(*datas));
    size_t n = 0;

    if (ids == NULL || subjects == NULL || channels == NULL || states == NULL || datas == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (!entries[i].is_effective || entries[i].state == CONSENT_UNKNOWN)
            continue;
        ids[n] = id_new(clock);
        subjects[n] = entries[i].id;
        channels[n] = entries[i].channel;
        states[n] = slice_text(state_words[entries[i].state]);
        if ((datas[n++] = told_print(&entries[i], arena)).ptr == NULL)
            return ERR_NO_MEMORY;
    }
    return n == 0 ? ERR_OK
                  : db_exec(tx, &consent_tell_stmt,
                            DB_ARGS(DB_ID_ARRAY(ids, n), DB_TEXT_ARRAY(states, n), DB_ID_ARRAY(subjects, n),
                                    DB_ID_ARRAY(channels, n), DB_JSON_ARRAY(datas, n)),
                            NULL);
}

enum err
consent_record(struct db_tx *tx, const struct clock *clock, struct consent_new *entries, size_t count,
               struct arena *arena)
{
    struct columns c;
    size_t fresh = 0;
    enum err err = columns_make(&c, count, arena);

    if (count == 0)
        return ERR_OK;
    if (err == ERR_OK)
        err = suppressed_refuse(tx, entries, count, arena);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        entries[i].is_fresh = entries[i].is_effective = false;
        if (entries[i].err != ERR_OK)
            continue;
        column_add(&c, &entries[i], i);
        if (entries[i].state == CONSENT_GRANTED && c.evidences[c.count - 1] == 0)
            err = ERR_CONSENT_EVIDENCE;
    }
    if (err != ERR_OK || c.count == 0)
        return err;
    err = append(tx, entries, &c, arena, &fresh);
    if (err == ERR_OK && fresh < c.count)
        err = same_find(tx, entries, &c);
    if (err != ERR_OK || fresh == 0)
        return err;
    err = sealed_keep(tx, entries, count, false, arena);
    if (err == ERR_OK)
        err = sealed_keep(tx, entries, count, true, arena);
    if (err == ERR_OK)
        err = derive(tx, entries, count, &c, arena);
    return err == ERR_OK ? tell(tx, clock, entries, count, arena) : err;
}
