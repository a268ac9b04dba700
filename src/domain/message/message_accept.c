/*
 * The group commit of the accept path. One statement per tenant of the batch judges every row against its
 * channel, claims idempotency keys, and stores message, queue entry and event for the rows that are fresh; a
 * second one, only when needed, reads what earlier requests with the same keys became.
 */
#include "core/metric.h"
#include "domain/message/message.h"
#include <stdlib.h>

/* The same columns of many messages, as unnest() takes them. */
struct columns {
    struct id *ids, *channels, *events, *targets;
    struct slice *kinds, *categories, *references, *keys, *fingerprints, *indexes, *tags, *api_keys;
    struct slice *peer_ct, *peer_iv, *peer_tag, *content_ct, *content_iv, *content_tag;
    struct slice *metadata_ct, *metadata_iv, *metadata_tag;
    int64_t *priorities, *key_versions, *fallbacks;
    struct wall_time *send_at, *expires_at;
};

static bool
columns_alloc(struct columns *columns, size_t count, struct arena *arena)
{
    struct id **ids[] = { &columns->ids, &columns->channels, &columns->events, &columns->targets };
    struct slice **slices[] = { &columns->kinds,       &columns->categories,   &columns->references,
                                &columns->keys,        &columns->fingerprints, &columns->indexes,
                                &columns->peer_ct,     &columns->peer_iv,      &columns->peer_tag,
                                &columns->content_ct,  &columns->content_iv,   &columns->content_tag,
                                &columns->metadata_ct, &columns->metadata_iv,  &columns->metadata_tag,
                                &columns->tags,        &columns->api_keys };
    int64_t **numbers[] = { &columns->priorities, &columns->key_versions, &columns->fallbacks };
    struct wall_time **times[] = { &columns->send_at, &columns->expires_at };

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if ((*ids[i] = arena_array(arena, count, sizeof(struct id))) == NULL)
            return false;
    for (size_t i = 0; i < COUNT_OF(slices); i++)
        if ((*slices[i] = arena_array(arena, count, sizeof(struct slice))) == NULL)
            return false;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if ((*numbers[i] = arena_array(arena, count, sizeof(int64_t))) == NULL)
            return false;
    for (size_t i = 0; i < COUNT_OF(times); i++)
        if ((*times[i] = arena_array(arena, count, sizeof(struct wall_time))) == NULL)
            return false;
    return true;
}

/* unnest() takes no arrays of arrays: tags go as one text, a line each, which no tag can hold. */
static bool
tags_join(const struct message_new *message, struct arena *arena, struct slice *out)
{
    size_t len = 0;

    *out = SLICE_EMPTY;
    if (message->tag_count == 0)
        return true;
    for (size_t i = 0; i < message->tag_count; i++)
        len += message->tags[i].len + 1;
    char *text = arena_alloc(arena, len), *at = text;
    if (text == NULL)
        return false;
    for (size_t i = 0; i < message->tag_count; i++) {
        memcpy(at, message->tags[i].ptr, message->tags[i].len);
        at += message->tags[i].len;
        *at++ = '\n';
    }
    *out = slice_of(text, len - 1);
    return true;
}

static struct wall_time
time_or_never(struct wall_time t)
{
    return t.us == 0 ? (struct wall_time){ INT64_MAX } : t; /* nullif in the statement */
}

static bool
columns_fill(struct columns *columns, const struct clock *clock, const struct message_new *messages,
             size_t count, struct arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        const struct message_new *message = &messages[i];
        const struct message_sealed *sealed = &message->sealed;
        char key[ID_TEXT_BYTES];
        if (!tags_join(message, arena, &columns->tags[i]))
            return false;
        if (!id_is_zero(message->api_key)) {
            columns->api_keys[i] = arena_copy(arena, id_print(ID_KEY, message->api_key, key));
            if (columns->api_keys[i].ptr == NULL)
                return false;
        }
        if (sealed->has_metadata) {
            columns->metadata_ct[i] = sealed->metadata.cipher;
            columns->metadata_iv[i] = slice_of(sealed->metadata.iv, VAULT_IV_BYTES);
            columns->metadata_tag[i] = slice_of(sealed->metadata.tag, VAULT_TAG_BYTES);
        }
        columns->send_at[i] = time_or_never(message->send_at);
        columns->expires_at[i] = time_or_never(message->expires_at);
        columns->ids[i] = message->id;
        columns->channels[i] = message->channel;
        columns->events[i] = id_new(clock);
        columns->targets[i] = message->target; /* zero: NULLIF in the statement */
        columns->kinds[i] = message->kind;
        columns->categories[i] = slice_text(message_category_word(message->category));
        columns->references[i] = message->reference;
        columns->keys[i] = message->idempotency_key;
        columns->fingerprints[i] = slice_of(message->fingerprint, sizeof(message->fingerprint));
        columns->indexes[i] = slice_of(sealed->peer_index, sizeof(sealed->peer_index));
        columns->peer_ct[i] = sealed->peer.cipher;
        columns->peer_iv[i] = slice_of(sealed->peer.iv, VAULT_IV_BYTES);
        columns->peer_tag[i] = slice_of(sealed->peer.tag, VAULT_TAG_BYTES);
        columns->content_ct[i] = sealed->content.cipher;
        columns->content_iv[i] = slice_of(sealed->content.iv, VAULT_IV_BYTES);
        columns->content_tag[i] = slice_of(sealed->content.tag, VAULT_TAG_BYTES);
        columns->priorities[i] = message->category;
        columns->key_versions[i] = sealed->content.key_version;
        columns->fallbacks[i] = (int64_t)message->fallback_count;
    }
    return true;
}

static const struct db_stmt message_accept_stmt = {
    "message_accept",
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], "
    "$7::text[],"
    " $8::text[], $9::bytea[], $10::bytea[], $11::bigint[], $12::bytea[], $13::bytea[], $14::bytea[], "
    "$15::bytea[],"
    " $16::bytea[], $17::bytea[], $18::uuid[], $19::uuid[], $20::bytea[], $21::bytea[], $22::bytea[],"
    " $23::timestamptz[], $24::timestamptz[], $25::text[], $26::text[], $27::bigint[])"
    " AS i (id, channel_id, kind, category, priority, reference, key, fingerprint, peer_index, key_version, "
    "peer_ct,"
    " peer_iv, peer_tag, content_ct, content_iv, content_tag, event_id, target_id, metadata_ct, metadata_iv,"
    " metadata_tag, send_at, expires_at, tags, api_key, fallbacks)),"
    " judged AS (SELECT i.*, CASE WHEN c.state = 'active' AND i.kind <> 'template' AND NOT isfinite(i.send_at)"
    " AND i.fallbacks = 0 AND window_is_over($1, i.channel_id, i.peer_index) THEN 'window' ELSE c.state END AS state"
    " FROM input i LEFT JOIN channel c ON c.tenant_id = $1 AND c.id = "
    "i.channel_id),"
    " claimed AS (INSERT INTO idempotency_key (tenant_id, key, fingerprint, message_id)"
    " SELECT $1, key, fingerprint, id FROM judged WHERE state = 'active' AND key IS NOT NULL ORDER BY key"
    " ON CONFLICT (tenant_id, key) DO NOTHING RETURNING message_id),"
    " fresh AS (SELECT j.*, CASE WHEN isfinite(send_at) THEN 'held' ELSE 'accepted' END AS status,"
    " coalesce(string_to_array(tags, E'\\n'), '{}') AS tag_list FROM judged j WHERE state = 'active'"
    " AND (key IS NULL OR EXISTS (SELECT FROM claimed c WHERE c.message_id = j.id))),"
    " stored AS (INSERT INTO message (tenant_id, id, channel_id, direction, kind, category, status, "
    "peer_index,"
    " key_version, peer_ct, peer_iv, peer_tag, content_ct, content_iv, content_tag, metadata_ct, metadata_iv,"
    " metadata_tag, reference, target_id, send_at, expires_at, tags, fallbacks)"
    " SELECT $1, id, channel_id, 'out', kind, category, status, peer_index, key_version::int, peer_ct, "
    "peer_iv,"
    " peer_tag, content_ct, content_iv, content_tag, metadata_ct, metadata_iv, metadata_tag, reference,"
    " nullif(target_id, '00000000-0000-0000-0000-000000000000'), nullif(send_at, 'infinity'),"
    " nullif(expires_at, 'infinity'), tag_list, fallbacks FROM fresh ORDER BY id),"
    " tagged AS (INSERT INTO message_tag (tenant_id, tag, message_id)"
    " SELECT $1, t, id FROM fresh, unnest(tag_list) AS t ON CONFLICT DO NOTHING),"
    " queued AS (INSERT INTO dispatch_queue (tenant_id, message_id, channel_id, priority, state, due_at, expires_at,"
    " has_fallback)"
    " SELECT $1, id, channel_id, priority::smallint, CASE status WHEN 'held' THEN 'held' ELSE 'ready' END,"
    " coalesce(nullif(send_at, 'infinity'), now()), nullif(expires_at, 'infinity'), fallbacks > 0"
    " FROM fresh ORDER BY id),"
    " told AS (INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
    " SELECT $1, event_id, 'message.' || status, id, channel_id, now(),"
    " jsonb_strip_nulls(jsonb_build_object('actor', 'api-key', 'key_id', api_key, 'send_at',"
    " to_char(nullif(send_at, 'infinity') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')))"
    " || jsonb_build_object('direction', 'outbound', 'category', category, 'status', status, 'reference', reference,"
    " 'tags', tag_list, 'provider_id', NULL, 'attempt', 0, 'error', NULL) FROM fresh ORDER BY event_id)"
    " SELECT j.id, j.state, f.id IS NOT NULL FROM judged j LEFT JOIN fresh f ON f.id = j.id LIMIT 5000"
};

static const struct db_stmt message_replay_stmt = {
    "message_replay", "SELECT key, fingerprint, message_id FROM idempotency_key"
                      " WHERE tenant_id = $1 AND key = ANY ($2::text[]) LIMIT 5000"
};

/* Wakes the dispatchers when the transaction commits; PostgreSQL folds equal notices of a transaction into
 * one. */
static const struct db_stmt message_notify_stmt = {
    "message_notify", "SELECT pg_notify('harkara_dispatch', '') WHERE $1::uuid IS NOT NULL"
};

/* messages[] of one tenant, in one transaction with the others of the batch. */
static enum err
accept_for_tenant(struct db_tx *tx, const struct clock *clock, const struct message_new *messages,
                  struct message_accepted *accepted, size_t count, size_t *fresh_out, struct arena *arena)
{
    struct columns c;
    struct db_rows *rows = NULL;

    if (!columns_alloc(&c, count, arena) || !columns_fill(&c, clock, messages, count, arena))
        return ERR_NO_MEMORY;
    enum err err =
        db_query(tx, &message_accept_stmt,
                 DB_ARGS(DB_ID_ARRAY(c.ids, count), DB_ID_ARRAY(c.channels, count),
                         DB_TEXT_ARRAY(c.kinds, count), DB_TEXT_ARRAY(c.categories, count),
                         DB_I64_ARRAY(c.priorities, count), DB_TEXT_ARRAY(c.references, count),
                         DB_TEXT_ARRAY(c.keys, count), DB_BYTES_ARRAY(c.fingerprints, count),
                         DB_BYTES_ARRAY(c.indexes, count), DB_I64_ARRAY(c.key_versions, count),
                         DB_BYTES_ARRAY(c.peer_ct, count), DB_BYTES_ARRAY(c.peer_iv, count),
                         DB_BYTES_ARRAY(c.peer_tag, count), DB_BYTES_ARRAY(c.content_ct, count),
                         DB_BYTES_ARRAY(c.content_iv, count), DB_BYTES_ARRAY(c.content_tag, count),
                         DB_ID_ARRAY(c.events, count), DB_ID_ARRAY(c.targets, count),
                         DB_BYTES_ARRAY(c.metadata_ct, count), DB_BYTES_ARRAY(c.metadata_iv, count),
                         DB_BYTES_ARRAY(c.metadata_tag, count), DB_TIME_ARRAY(c.send_at, count),
                         DB_TIME_ARRAY(c.expires_at, count), DB_TEXT_ARRAY(c.tags, count),
                         DB_TEXT_ARRAY(c.api_keys, count), DB_I64_ARRAY(c.fallbacks, count)),
                 &rows);
    if (err == ERR_OK && db_rows_count(rows) != count)
        err = ERR_DB_STATEMENT;
    /* The rows come back in the database's order; ids are unique and both sides few, so each is looked up. */
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct id id = db_id(rows, i, 0);
        for (size_t k = 0; k < count; k++) {
            size_t at = (i + k) % count; /* mostly the same order: found at once */
            if (!id_eq(messages[at].id, id))
                continue;
            bool is_fresh = db_bool(rows, i, 2);
            accepted[at] = (struct message_accepted){ .id = id, .err = ERR_OK };
            if (db_is_null(rows, i, 1) || slice_eq(db_text(rows, i, 1), SLICE("deleted")))
                accepted[at].err = ERR_CHANNEL_UNKNOWN;
            else if (slice_eq(db_text(rows, i, 1), SLICE("window")))
                accepted[at].err = ERR_WINDOW_CLOSED;
            else if (!slice_eq(db_text(rows, i, 1), SLICE("active")))
                accepted[at].err = ERR_CHANNEL_NOT_READY;
            else if (!is_fresh)
                accepted[at].err = ERR_EXISTS; /* its key was there: settled by accept_replays */
            *fresh_out += is_fresh;
            break;
        }
    }
    db_rows_free(rows);
    return err;
}

/* The senders of those that were stored and have a chain: the first as well, so that all stand in one place.
 */
static const struct db_stmt message_senders_accept_stmt = {
    "message_senders_accept",
    "INSERT INTO message_fallback (tenant_id, message_id, position, channel_id, kind, after_s, due_at, key_version,"
    " content_ct, content_iv, content_tag)"
    " SELECT $1, s.message_id, s.position, s.channel_id, s.kind, nullif(s.after_s, 0),"
    " CASE s.position WHEN 1 THEN coalesce(m.send_at, now()) + make_interval(secs => nullif(s.after_s, 0)) END,"
    " nullif(s.key_version, 0), s.content_ct, s.content_iv, s.content_tag"
    " FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bytea[],"
    " $10::bytea[]) AS s (message_id, position, channel_id, kind, after_s, key_version, content_ct, content_iv,"
    " content_tag) JOIN message m ON m.tenant_id = $1 AND m.id = s.message_id ORDER BY s.message_id, s.position"
};

struct sender_columns {
    struct id *messages, *channels;
    int64_t *positions, *afters, *key_versions;
    struct slice *kinds, *cts, *ivs, *tags;
};

static bool
sender_columns_alloc(struct sender_columns *columns, size_t count, struct arena *arena)
{
    struct slice **slices[] = { &columns->kinds, &columns->cts, &columns->ivs, &columns->tags };
    int64_t **numbers[] = { &columns->positions, &columns->afters, &columns->key_versions };

    columns->messages = arena_array(arena, count, sizeof(struct id));
    columns->channels = arena_array(arena, count, sizeof(struct id));
    for (size_t i = 0; i < COUNT_OF(slices); i++)
        if ((*slices[i] = arena_array(arena, count, sizeof(struct slice))) == NULL)
            return false;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if ((*numbers[i] = arena_array(arena, count, sizeof(int64_t))) == NULL)
            return false;
    return columns->messages != NULL && columns->channels != NULL;
}

/* The rows of one message, the first sender's among them; returns how many. */
static size_t
sender_columns_add(struct sender_columns *columns, size_t at, const struct message_new *message)
{
    for (size_t position = 0; position <= message->fallback_count; position++, at++) {
        const struct message_fallback *fallback = position == 0 ? NULL : &message->fallbacks[position - 1];
        columns->messages[at] = message->id;
        columns->channels[at] = fallback == NULL ? message->channel : fallback->channel;
        columns->positions[at] = (int64_t)position;
        columns->kinds[at] = fallback == NULL ? message->kind : fallback->kind;
        if (fallback == NULL)
            continue;
        columns->afters[at] = fallback->after_s;
        if (!fallback->has_content)
            continue;
        const struct vault_sealed *sealed = &message->sealed.fallback[position - 1];
        columns->key_versions[at] = sealed->key_version;
        columns->cts[at] = sealed->cipher;
        columns->ivs[at] = slice_of(sealed->iv, VAULT_IV_BYTES);
        columns->tags[at] = slice_of(sealed->tag, VAULT_TAG_BYTES);
    }
    return message->fallback_count + 1;
}

static enum err
accept_senders(struct db_tx *tx, const struct message_new *messages, const struct message_accepted *accepted,
               size_t count, struct arena *arena)
{
    struct sender_columns columns = { .messages = NULL };
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        used += messages[i].fallback_count == 0 ? 0 : messages[i].fallback_count + 1;
    if (used == 0)
        return ERR_OK;
    if (!sender_columns_alloc(&columns, used, arena))
        return ERR_NO_MEMORY;
    used = 0;
    for (size_t i = 0; i < count;
         i++) /* those whose key was there have no row of this id, and find none to join */
        if (accepted[i].err == ERR_OK && messages[i].fallback_count > 0)
            used += sender_columns_add(&columns, used, &messages[i]);
    return used == 0
               ? ERR_OK
               : db_exec(tx, &message_senders_accept_stmt,
                         DB_ARGS(DB_ID_ARRAY(columns.messages, used), DB_I64_ARRAY(columns.positions, used),
                                 DB_ID_ARRAY(columns.channels, used), DB_TEXT_ARRAY(columns.kinds, used),
                                 DB_I64_ARRAY(columns.afters, used), DB_I64_ARRAY(columns.key_versions, used),
                                 DB_BYTES_ARRAY(columns.cts, used), DB_BYTES_ARRAY(columns.ivs, used),
                                 DB_BYTES_ARRAY(columns.tags, used)),
                         NULL);
}

/* A row that was not stored and has a key may repeat an earlier request: then that one's answer is given
 * again. */
static enum err
accept_replays(struct db_tx *tx, const struct message_new *messages, struct message_accepted *accepted,
               size_t count, struct arena *arena)
{
    struct slice *keys = arena_array(arena, count, sizeof(*keys));
    struct db_rows *rows = NULL;
    size_t key_count = 0;

    if (keys == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (accepted[i].err != ERR_OK && messages[i].idempotency_key.ptr != NULL)
            keys[key_count++] = messages[i].idempotency_key;
    if (key_count == 0)
        return ERR_OK;
    enum err err = db_query(tx, &message_replay_stmt, DB_ARGS(DB_TEXT_ARRAY(keys, key_count)), &rows);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        if (accepted[i].err == ERR_OK || messages[i].idempotency_key.ptr == NULL)
            continue;
        for (size_t r = 0; r < db_rows_count(rows); r++) {
            if (!slice_eq(db_text(rows, r, 0), messages[i].idempotency_key))
                continue;
            bool is_same =
                slice_eq(db_bytes(rows, r, 1), slice_of(messages[i].fingerprint, MESSAGE_FINGERPRINT_BYTES));
            accepted[i] = (struct message_accepted){ .err = is_same ? ERR_OK : ERR_IDEMPOTENCY_MISMATCH,
                                                     .is_replay = is_same,
                                                     .id = is_same ? db_id(rows, r, 2) : messages[i].id };
        }
        if (accepted[i].err == ERR_EXISTS)
            err = ERR_DB_CONFLICT; /* the key went between the two statements (retention): run the batch again
                                    */
    }
    db_rows_free(rows);
    return err;
}

static int
message_order(const void *a, const void *b)
{
    const struct message_new *left = a, *right = b;
    int order = memcmp(left->tenant.bytes, right->tenant.bytes, ID_BYTES);

    if (order == 0)
        order = slice_compare(left->idempotency_key, right->idempotency_key);
    return order != 0 ? order : memcmp(left->id.bytes, right->id.bytes, ID_BYTES);
}

static enum err
accept_once(struct db *db, const struct clock *clock, struct message_new *messages,
            struct message_accepted *accepted, size_t count, struct arena *arena)
{
    struct db_tx tx = { .is_open = false };
    size_t fresh = 0;
    enum err err = db_begin(db, messages[0].tenant, &tx);

    if (err == ERR_DB_UNAVAILABLE) { /* nothing was done yet: a server that was started again may be back */
        err = db_reopen(db, 0);
        if (err == ERR_OK)
            err = db_begin(db, messages[0].tenant, &tx);
    }
    for (size_t from = 0, to; err == ERR_OK && from < count; from = to) {
        for (to = from + 1; to < count && id_eq(messages[to].tenant, messages[from].tenant);)
            to++;
        if (from > 0)
            err = db_tx_turn_to(&tx, messages[from].tenant);
        if (err == ERR_OK)
            err = accept_for_tenant(&tx, clock, messages + from, accepted + from, to - from, &fresh, arena);
        if (err == ERR_OK)
            err = accept_senders(&tx, messages + from, accepted + from, to - from, arena);
        if (err == ERR_OK)
            err = accept_replays(&tx, messages + from, accepted + from, to - from, arena);
    }
    if (err == ERR_OK && fresh > 0)
        err = db_exec(&tx, &message_notify_stmt, DB_NO_ARGS, NULL);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

enum err
message_accept_batch(struct db *db, const struct clock *clock, struct message_new *messages,
                     struct message_accepted *accepted, size_t count, struct arena *arena)
{
    enum err err = ERR_DB_CONFLICT;

    if (count == 0)
        return ERR_OK;
    if (count > MESSAGE_BATCH_MAX)
        return ERR_LIMIT;
    qsort(messages, count, sizeof(*messages), message_order);
    for (int tries = 0; err == ERR_DB_CONFLICT && tries < DB_TRIES; tries++)
        err = accept_once(db, clock, messages, accepted, count, arena);
    return err;
}

static const struct db_stmt message_batch_claim_stmt = {
    "message_batch_claim", "INSERT INTO idempotency_key (tenant_id, key, fingerprint, message_id)"
                           " VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, key) DO NOTHING"
};
static const struct db_stmt message_batch_same_stmt = {
    "message_batch_same", "SELECT FROM idempotency_key WHERE tenant_id = $1 AND key = $2 AND fingerprint = $3"
};

enum err
message_batch_claim(struct db_tx *tx, struct slice key,
                    const unsigned char fingerprint[MESSAGE_FINGERPRINT_BYTES], struct id batch)
{
    struct slice print = slice_of(fingerprint, MESSAGE_FINGERPRINT_BYTES);
    size_t claimed = 0;
    enum err err = db_exec(tx, &message_batch_claim_stmt,
                           DB_ARGS(DB_TEXT(key), DB_BYTES(print), DB_ID(batch)), &claimed);

    if (err != ERR_OK || claimed > 0)
        return err;
    err = db_exec_one(tx, &message_batch_same_stmt, DB_ARGS(DB_TEXT(key), DB_BYTES(print)));
    return err == ERR_NOT_FOUND ? ERR_IDEMPOTENCY_MISMATCH : err;
}
