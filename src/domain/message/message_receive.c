/* Incoming messages, many at once: each provider id once, whoever posts it again. */
#include "domain/message/message.h"
#include "wire/json/json.h"
#include <stdlib.h>

/* Who claims a provider id stores its message. Claimed in the order of the index, so that two that want the
 * same wait for each other and do not cross. */
static const struct db_stmt messages_claim_stmt = {
    "messages_receive_claim",
    "INSERT INTO provider_ref (tenant_id, channel_id, provider_id, message_id)"
    " SELECT $1, r.channel_id, r.provider_id, r.message_id"
    " FROM unnest($2::uuid[], $3::text[], $4::uuid[]) AS r (channel_id, provider_id, message_id)"
    " ON CONFLICT DO NOTHING RETURNING message_id"
};
/* After the claims: what is answered may have come with the answer. */
static const struct db_stmt messages_quoted_stmt = {
    "messages_receive_quoted",
    "SELECT q.n, (SELECT p.message_id FROM provider_ref p WHERE p.tenant_id = $1 AND p.channel_id = q.channel_id"
    " AND p.provider_id = q.provider_id) FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY"
    " AS q (channel_id, provider_id, n) LIMIT 10000"
};
/* `fixed` is the peer's index, then IV and tag of peer, content and the event's content. */
static const struct db_stmt messages_receive_stmt = {
    "messages_receive",
    "WITH given AS MATERIALIZED (SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[],"
    " $7::text[], $8::uuid[], $9::timestamptz[], $10::bytea[], $11::bigint[], $12::bytea[], $13::bytea[], $14::bigint[],"
    " $15::bytea[], $16::jsonb[]) AS g (id, event_id, channel_id, is_echo, kind, provider_id, target_id, at, fixed,"
    " key_version, peer_ct, content_ct, event_key_version, event_ct, data)),"
    " stored AS (INSERT INTO message (tenant_id, id, channel_id, direction, kind, category, status, peer_index, key_version,"
    " peer_ct, peer_iv, peer_tag, content_ct, content_iv, content_tag, provider_id, target_id)"
    " SELECT $1, id, channel_id, CASE is_echo WHEN 1 THEN 'out' ELSE 'in' END, kind, 'service',"
    " CASE is_echo WHEN 1 THEN 'sent' ELSE 'received' END, substr(fixed, 1, 32), key_version::int, peer_ct,"
    " substr(fixed, 33, 12), substr(fixed, 45, 16), content_ct, substr(fixed, 61, 12), substr(fixed, 73, 16), provider_id,"
    " nullif(target_id, '00000000-0000-0000-0000-000000000000') FROM given)"
    " INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data, key_version, content_ct,"
    " content_iv, content_tag) SELECT $1, event_id, CASE is_echo WHEN 1 THEN 'message.echoed' ELSE 'message.received' END,"
    " id, channel_id, at, data, event_key_version::int, event_ct, substr(fixed, 89, 12), substr(fixed, 101, 16) FROM given"
};
#define SEAL_BYTES  (VAULT_IV_BYTES + VAULT_TAG_BYTES)
#define FIXED_BYTES (VAULT_INDEX_BYTES + 3u * SEAL_BYTES)

/* What was claimed, side by side as the statement takes it. */
struct columns {
    size_t count;
    struct id *ids, *events, *channels, *targets;
    int64_t *echoes, *versions, *event_versions;
    struct wall_time *times;
    struct slice *kinds, *provider_ids, *fixed, *peers, *contents, *event_contents, *datas;
};

static enum err
columns_make(struct columns *c, size_t count, struct arena *arena)
{
    struct id **ids[] = { &c->ids, &c->events, &c->channels, &c->targets };
    int64_t **numbers[] = { &c->echoes, &c->versions, &c->event_versions };
    struct slice **slices[] = { &c->kinds,    &c->provider_ids,   &c->fixed, &c->peers,
                                &c->contents, &c->event_contents, &c->datas };
    bool is_whole = (c->times = arena_array(arena, count, sizeof(*c->times))) != NULL;

    c->count = 0;
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        is_whole &= (*ids[i] = arena_array(arena, count, sizeof(struct id))) != NULL;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        is_whole &= (*numbers[i] = arena_array(arena, count, sizeof(int64_t))) != NULL;
    for (size_t i = 0; i < COUNT_OF(slices); i++)
        is_whole &= (*slices[i] = arena_array(arena, count, sizeof(struct slice))) != NULL;
    return is_whole ? ERR_OK : ERR_NO_MEMORY;
}

static char *
seal_put(char *at, const struct vault_sealed *sealed)
{
    memcpy(at, sealed->iv, VAULT_IV_BYTES);
    memcpy(at + VAULT_IV_BYTES, sealed->tag, VAULT_TAG_BYTES);
    return at + SEAL_BYTES;
}

static struct slice
fixed_of(const struct message_received *with, struct arena *arena)
{
    char *fixed = arena_alloc(arena, FIXED_BYTES), *at = fixed;

    if (fixed == NULL)
        return SLICE_EMPTY;
    memcpy(at, with->sealed.peer_index, VAULT_INDEX_BYTES);
    at = seal_put(at + VAULT_INDEX_BYTES, &with->sealed.peer);
    at = seal_put(at, &with->sealed.content);
    (void)seal_put(at, &with->event_content);
    return slice_of(fixed, FIXED_BYTES);
}

/* The kind is a word of ours; what the provider says is escaped. */
static enum err
data_print(const struct message_received *with, struct id target, struct arena *arena, struct slice *out)
{
    char id[ID_TEXT_BYTES];
    struct buf data;

    buf_init(&data, 4096);
    buf_add_format(
        &data,
        "{\"actor\": \"provider\", \"direction\": \"%s\", \"status\": \"%s\", \"type\": \"%.*s\", \"provider_id\": ",
        with->is_echo ? "outbound" : "inbound", with->is_echo ? "sent" : "received", SLICE_FMT(with->kind));
    json_add_string(&data, with->provider_id);
    buf_add_text(&data, ", \"reply_to\": ");
    if (id_is_zero(target))
        buf_add_text(&data, "null}");
    else
        buf_add_format(&data, "\"%.*s\"}", SLICE_FMT(id_print(ID_MESSAGE, target, id)));
    enum err err = buf_done(&data);
    *out = err == ERR_OK ? arena_copy(arena, buf_slice(&data)) : SLICE_EMPTY;
    buf_release(&data);
    return err == ERR_OK && out->ptr == NULL ? ERR_NO_MEMORY : err;
}

static enum err
column_add(struct columns *c, const struct message_received *with, struct id target, struct arena *arena)
{
    size_t i = c->count++;

    c->ids[i] = with->id;
    c->events[i] = with->event_id;
    c->channels[i] = with->channel;
    c->targets[i] = target;
    c->echoes[i] = with->is_echo;
    c->versions[i] = with->sealed.content.key_version;
    c->event_versions[i] = with->event_content.key_version;
    c->times[i] = with->at;
    c->kinds[i] = with->kind;
    c->provider_ids[i] = with->provider_id;
    c->fixed[i] = fixed_of(with, arena);
    c->peers[i] = with->sealed.peer.cipher;
    c->contents[i] = with->sealed.content.cipher;
    c->event_contents[i] = with->event_content.cipher;
    return c->fixed[i].ptr == NULL ? ERR_NO_MEMORY : data_print(with, target, arena, &c->datas[i]);
}

/* By the index in which they are claimed; of two with the same id the one that came first. */
static int
claim_compare(const void *a, const void *b)
{
    const struct message_received *left = *(struct message_received *const *)a,
                                  *right = *(struct message_received *const *)b;
    int order = memcmp(left->channel.bytes, right->channel.bytes, ID_BYTES);

    if (order == 0)
        order = slice_compare(left->provider_id, right->provider_id);
    return order != 0 ? order : memcmp(left->id.bytes, right->id.bytes, ID_BYTES);
}

static enum err
claim(struct db_tx *tx, struct message_received *const *messages, size_t count, struct arena *arena)
{
    struct message_received **sorted = arena_array(arena, count, sizeof(struct message_received *));
    struct id *channels = arena_array(arena, count, sizeof(*channels)),
              *ids = arena_array(arena, count, sizeof(*ids));
    struct slice *provider_ids = arena_array(arena, count, sizeof(*provider_ids));
    struct db_rows *rows = NULL;
    size_t row = 0;

    if (sorted == NULL || channels == NULL || ids == NULL || provider_ids == NULL)
        return ERR_NO_MEMORY;
    memcpy(sorted, messages, count * sizeof(struct message_received *));
    qsort(sorted, count, sizeof(struct message_received *), claim_compare);
    for (size_t i = 0; i < count; i++) {
        sorted[i]->is_fresh = false;
        channels[i] = sorted[i]->channel;
        ids[i] = sorted[i]->id;
        provider_ids[i] = sorted[i]->provider_id;
    }
    enum err err = db_query(
        tx, &messages_claim_stmt,
        DB_ARGS(DB_ID_ARRAY(channels, count), DB_TEXT_ARRAY(provider_ids, count), DB_ID_ARRAY(ids, count)),
        &rows);
    /* What is returned has the order of what was inserted. */
    for (size_t i = 0; err == ERR_OK && i < count && row < db_rows_count(rows); i++)
        if (id_eq(ids[i], db_id(rows, row, 0))) {
            sorted[i]->is_fresh = true;
            row++;
        }
    if (err == ERR_OK && row < db_rows_count(rows))
        bug("provider ids were claimed in another order than they were given");
    db_rows_free(rows);
    return err;
}

/* The messages of ours that the fresh ones answer; zero: none, or it is not known. */
static enum err
targets_find(struct db_tx *tx, struct message_received *const *messages, size_t count, struct arena *arena,
             struct id *targets)
{
    struct id *channels = arena_array(arena, count, sizeof(*channels));
    struct slice *quoted = arena_array(arena, count, sizeof(*quoted));
    size_t *of = arena_array(arena, count, sizeof(*of)), asked = 0;
    struct db_rows *rows = NULL;

    if (channels == NULL || quoted == NULL || of == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (!messages[i]->is_fresh || messages[i]->quoted_id.len == 0)
            continue;
        of[asked] = i;
        channels[asked] = messages[i]->channel;
        quoted[asked++] = messages[i]->quoted_id;
    }
    if (asked == 0)
        return ERR_OK;
    enum err err = db_query(tx, &messages_quoted_stmt,
                            DB_ARGS(DB_ID_ARRAY(channels, asked), DB_TEXT_ARRAY(quoted, asked)), &rows);
    for (size_t row = 0; err == ERR_OK && row < db_rows_count(rows); row++)
        if (!db_is_null(rows, row, 1))
            targets[of[db_i64(rows, row, 0) - 1]] = db_id(rows, row, 1);
    db_rows_free(rows);
    return err;
}

enum err
message_receive_many(struct db_tx *tx, struct message_received *const *messages, size_t count,
                     struct arena *arena)
{
    struct id *targets = arena_array(arena, count, sizeof(*targets));
    struct columns c;
    enum err err = targets == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (count == 0)
        return ERR_OK;
    if (err == ERR_OK)
        err = columns_make(&c, count, arena);
    if (err == ERR_OK)
        err = claim(tx, messages, count, arena);
    if (err == ERR_OK)
        err = targets_find(tx, messages, count, arena, targets);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (messages[i]->is_fresh)
            err = column_add(&c, messages[i], targets[i], arena);
    if (err != ERR_OK || c.count == 0)
        return err;
    return db_later(tx, &messages_receive_stmt,
                    DB_ARGS(DB_ID_ARRAY(c.ids, c.count), DB_ID_ARRAY(c.events, c.count),
                            DB_ID_ARRAY(c.channels, c.count), DB_I64_ARRAY(c.echoes, c.count),
                            DB_TEXT_ARRAY(c.kinds, c.count), DB_TEXT_ARRAY(c.provider_ids, c.count),
                            DB_ID_ARRAY(c.targets, c.count), DB_TIME_ARRAY(c.times, c.count),
                            DB_BYTES_ARRAY(c.fixed, c.count), DB_I64_ARRAY(c.versions, c.count),
                            DB_BYTES_ARRAY(c.peers, c.count), DB_BYTES_ARRAY(c.contents, c.count),
                            DB_I64_ARRAY(c.event_versions, c.count),
                            DB_BYTES_ARRAY(c.event_contents, c.count), DB_JSON_ARRAY(c.datas, c.count)),
                    NULL);
}
