/*
 * The group commit of the accept path. One statement for all tenants of the batch judges every row against
 * its channel, claims idempotency keys, stores message, queue entry and event for the rows that are fresh,
 * and wakes the dispatchers; from begin to commit it is one round trip. Only when keys were there before, a
 * second transaction reads what the earlier requests became.
 */
#include "core/metric.h"
#include "domain/message/message_accept_internal.h"
#include <stdlib.h>

#define ACCEPT_ROLE "harkara_accept"

/* What the statement says of a row, a character each. */
enum {
    VERDICT_FRESH = 'f',
    VERDICT_KEY_THERE = 'k',
    VERDICT_CHANNEL_UNKNOWN = 'u',
    VERDICT_CHANNEL_PAUSED = 'p',
    VERDICT_WINDOW_CLOSED = 'w',
};

/*
 * The rows come sorted by tenant and key, and every part keeps their order: so transactions that want the
 * same keys wait for each other, and do not cross. `fixed` is cut by the places that accept_columns_fill gave
 * its parts: fingerprint, peer index, and IV and tag of peer and content. Of a channel: 1 takes all, 2 minds
 * the window, 3 takes nothing now.
 */
/*
 * Under row-level security an index is used with plain columns of the other side only, not with what is
 * worked out of them: so that is done in a subquery first, and OFFSET 0 keeps it one. Else each row reads all
 * windows of its tenant.
 */
static const struct db_stmt message_accept_stmt = {
    "message_accept_many",
    "WITH standing AS MATERIALIZED (SELECT array_agg((SELECT CASE c.state WHEN 'active' THEN"
    " CASE (SELECT w.window_check FROM whatsapp_channel w WHERE w.tenant_id = c.tenant_id AND w.channel_id = c.id)"
    " WHEN 'enforce' THEN 2 ELSE 1 END WHEN 'deleted' THEN 0 ELSE 3 END"
    " FROM channel c WHERE c.tenant_id = a.tenant_id AND c.id = a.id) ORDER BY a.n) AS of"
    " FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY AS a (tenant_id, id, n)),"
    " judged AS MATERIALIZED (SELECT i.*, CASE (SELECT of FROM standing)[i.channel] WHEN 1 THEN 'a' WHEN 2 THEN"
    " CASE WHEN i.kind <> 'template' AND coalesce(i.send_at, 'infinity') = 'infinity' AND coalesce(i.fallbacks, 0) = 0"
    " AND (SELECT window_is_past(w.window_until, w.free_until) FROM channel_window w"
    " WHERE w.tenant_id = i.tenant_id AND w.channel_id = i.channel_id AND w.peer_index = i.peer_index)"
    " THEN 'w' ELSE 'a' END WHEN 3 THEN 'p' ELSE 'u' END AS verdict"
    " FROM (SELECT i.*, ($2::uuid[])[i.channel] AS tenant_id, ($3::uuid[])[i.channel] AS channel_id,"
    " substr(i.fixed, 33, 32) AS peer_index FROM unnest($4::uuid[], $5::uuid[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[],"
    " $11::text[], $12::bytea[], $13::bytea[], $14::bytea[], $15::uuid[], $16::text[], $17::bytea[], $18::bytea[],"
    " $19::text[], $20::timestamptz[], $21::timestamptz[], $22::bigint[]) WITH ORDINALITY"
    " AS i (id, event_id, channel, data, category, key_version, kind, key, fixed, peer_ct, content_ct, target_id,"
    " reference, metadata_ct, metadata_seal, tags, send_at, expires_at, fallbacks, n) OFFSET 0) i),"
    " claimed AS (INSERT INTO idempotency_key (tenant_id, key, fingerprint, message_id)"
    " SELECT tenant_id, key, substr(fixed, 1, 32), id FROM judged WHERE verdict = 'a' AND key IS NOT NULL"
    " ON CONFLICT (tenant_id, key) DO NOTHING RETURNING message_id),"
    " settled AS MATERIALIZED (SELECT *, verdict = 'a' AND (key IS NULL OR id IN (SELECT message_id FROM claimed))"
    " AS is_fresh, nullif(send_at, 'infinity') AS starts_at FROM judged),"
    " stored AS (INSERT INTO message (tenant_id, id, channel_id, direction, kind, category, status, peer_index,"
    " key_version, peer_ct, peer_iv, peer_tag, content_ct, content_iv, content_tag, metadata_ct, metadata_iv,"
    " metadata_tag, reference, target_id, send_at, expires_at, tags, fallbacks)"
    " SELECT tenant_id, id, channel_id, 'out', kind,"
    " ('{otp,transactional,service,promotional}'::text[])[category + 1],"
    " CASE WHEN starts_at IS NULL THEN 'accepted' ELSE 'held' END, peer_index, key_version::int, peer_ct,"
    " substr(fixed, 65, 12), substr(fixed, 77, 16), content_ct, substr(fixed, 93, 12), substr(fixed, 105, 16),"
    " metadata_ct, substr(metadata_seal, 1, 12), substr(metadata_seal, 13, 16), reference,"
    " nullif(target_id, '00000000-0000-0000-0000-000000000000'), starts_at, nullif(expires_at, 'infinity'),"
    " CASE WHEN tags IS NULL THEN '{}' ELSE string_to_array(tags, E'\n') END, coalesce(fallbacks, 0)"
    " FROM settled WHERE is_fresh),"
    " queued AS (INSERT INTO dispatch_queue (tenant_id, message_id, channel_id, priority, state, due_at, expires_at,"
    " has_fallback) SELECT tenant_id, id, channel_id, category::smallint,"
    " CASE WHEN starts_at IS NULL THEN 'ready' ELSE 'held' END, coalesce(starts_at, now()),"
    " nullif(expires_at, 'infinity'), coalesce(fallbacks > 0, false) FROM settled WHERE is_fresh),"
    " told AS (INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
    " SELECT tenant_id, event_id, CASE WHEN starts_at IS NULL THEN 'message.accepted' ELSE 'message.held' END, id,"
    " channel_id, now(), CASE WHEN reference IS NULL AND tags IS NULL THEN ($23::jsonb[])[data]"
    " ELSE ($23::jsonb[])[data] || jsonb_build_object('reference', reference, 'tags',"
    " coalesce(string_to_array(tags, E'\n'), '{}')) END FROM settled WHERE is_fresh)"
    " SELECT string_agg(CASE WHEN is_fresh THEN 'f' WHEN verdict = 'a' THEN 'k' ELSE verdict END, '' ORDER BY n),"
    /* With the commit whoever sends through these lanes is told, unless he looks anyway (message_lane.h);
       also of what is held, when he may not look before its time. */
    " (SELECT count(pg_notify('harkara_dispatch', l.channel_id || coalesce(' ' || l.dispatcher, '')))"
    " FROM unnest($2::uuid[], $3::uuid[]) AS a (tenant_id, id) JOIN dispatch_lane l ON l.tenant_id = a.tenant_id"
    " AND l.channel_id = a.id WHERE l.is_resting AND l.is_open AND l.channel_id IN (SELECT channel_id FROM settled"
    " WHERE is_fresh AND coalesce(starts_at, now()) < now() + interval '10 seconds'))::text FROM settled"
};

static enum err
send_accept(struct db_tx *tx, const struct accept_columns *c, struct db_rows **rows_out)
{
    return db_later(
        tx, &message_accept_stmt,
        DB_ARGS(DB_ID_ARRAY(c->channel_tenants, c->channel_count),
                DB_ID_ARRAY(c->channel_ids, c->channel_count), DB_ID_ARRAY(c->ids, c->count),
                DB_ID_ARRAY(c->events, c->count), DB_I64_ARRAY(c->channels, c->count),
                DB_I64_ARRAY(c->data, c->count), DB_I64_ARRAY(c->categories, c->count),
                DB_I64_ARRAY(c->key_versions, c->count), DB_TEXT_ARRAY(c->kinds, c->count),
                DB_TEXT_ARRAY(c->keys, c->count), DB_BYTES_ARRAY(c->fixed, c->count),
                DB_BYTES_ARRAY(c->peer_ct, c->count), DB_BYTES_ARRAY(c->content_ct, c->count),
                DB_ID_ARRAY(c->targets, c->target_count), DB_TEXT_ARRAY(c->references, c->reference_count),
                DB_BYTES_ARRAY(c->metadata_ct, c->metadata_count),
                DB_BYTES_ARRAY(c->metadata_seals, c->metadata_count), DB_TEXT_ARRAY(c->tags, c->tag_count),
                DB_TIME_ARRAY(c->send_at, c->send_at_count),
                DB_TIME_ARRAY(c->expires_at, c->expires_at_count),
                DB_I64_ARRAY(c->fallbacks, c->fallback_count), DB_JSON_ARRAY(c->datas, c->data_count)),
        rows_out);
}

/* Of a batch that has any. Those whose message was not stored find none to join, here and below. */
static const struct db_stmt message_tags_accept_stmt = {
    "message_tags_accept",
    "INSERT INTO message_tag (tenant_id, tag, message_id) SELECT m.tenant_id, t, m.id"
    " FROM (SELECT i.*, ($2::uuid[])[i.channel] AS tenant_id"
    " FROM unnest($3::uuid[], $4::bigint[], $5::text[]) AS i (id, channel, tags) OFFSET 0) i"
    " JOIN message m ON m.tenant_id = i.tenant_id AND m.id = i.id"
    " CROSS JOIN unnest(string_to_array(i.tags, E'\n')) AS t ON CONFLICT DO NOTHING"
};

static enum err
send_tags(struct db_tx *tx, const struct accept_columns *c)
{
    return c->tag_count == 0
               ? ERR_OK
               : db_later(tx, &message_tags_accept_stmt,
                          DB_ARGS(DB_ID_ARRAY(c->channel_tenants, c->channel_count),
                                  DB_ID_ARRAY(c->ids, c->count), DB_I64_ARRAY(c->channels, c->count),
                                  DB_TEXT_ARRAY(c->tags, c->tag_count)),
                          NULL);
}

static const struct db_stmt message_senders_accept_stmt = {
    "message_senders_accept",
    "INSERT INTO message_fallback (tenant_id, message_id, position, channel_id, kind, after_s, due_at, key_version,"
    " content_ct, content_iv, content_tag)"
    " SELECT s.tenant_id, s.message_id, s.position, s.channel_id, s.kind, nullif(s.after_s, 0),"
    " CASE s.position WHEN 1 THEN coalesce(m.send_at, now()) + make_interval(secs => nullif(s.after_s, 0)) END,"
    " nullif(s.key_version, 0), s.content_ct, substr(s.seal, 1, 12), substr(s.seal, 13, 16)"
    " FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::bigint[], $8::bigint[], $9::bytea[],"
    " $10::bytea[]) AS s (tenant_id, message_id, position, channel_id, kind, after_s, key_version, content_ct, seal)"
    " JOIN message m ON m.tenant_id = s.tenant_id AND m.id = s.message_id"
};

static enum err
send_senders(struct db_tx *tx, const struct message_new *messages, size_t count, struct arena *arena)
{
    struct accept_senders s;
    enum err err = accept_senders_fill(&s, messages, count, arena);

    if (err != ERR_OK || s.count == 0)
        return err;
    return db_later(tx, &message_senders_accept_stmt,
                    DB_ARGS(DB_ID_ARRAY(s.tenants, s.count), DB_ID_ARRAY(s.messages, s.count),
                            DB_I64_ARRAY(s.positions, s.count), DB_ID_ARRAY(s.channels, s.count),
                            DB_TEXT_ARRAY(s.kinds, s.count), DB_I64_ARRAY(s.afters, s.count),
                            DB_I64_ARRAY(s.key_versions, s.count), DB_BYTES_ARRAY(s.cts, s.count),
                            DB_BYTES_ARRAY(s.seals, s.count)),
                    NULL);
}

static enum err
err_of_verdict(char verdict)
{
    switch (verdict) {
    case VERDICT_FRESH:
        return ERR_OK;
    case VERDICT_KEY_THERE:
        return ERR_EXISTS; /* settled by read_replays */
    case VERDICT_CHANNEL_UNKNOWN:
        return ERR_CHANNEL_UNKNOWN;
    case VERDICT_CHANNEL_PAUSED:
        return ERR_CHANNEL_NOT_READY;
    case VERDICT_WINDOW_CLOSED:
        return ERR_WINDOW_CLOSED;
    default:
        return ERR_DB_STATEMENT;
    }
}

/* From begin to commit in one round trip. */
static enum err
accept_once(struct db *db, const struct clock *clock, const struct message_new *messages,
            struct message_accepted *accepted, size_t count, struct arena *arena)
{
    struct accept_columns columns;
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = accept_columns_fill(&columns, clock, messages, count, arena);

    if (err != ERR_OK)
        return err;
    err = db_begin_many(db, ACCEPT_ROLE, columns.tenants, columns.tenant_count, &tx);
    if (err == ERR_DB_UNAVAILABLE) { /* nothing was done yet: a server that was started again may be back */
        err = db_reopen(db, 0);
        if (err == ERR_OK)
            err = db_begin_many(db, ACCEPT_ROLE, columns.tenants, columns.tenant_count, &tx);
    }
    if (err == ERR_OK)
        err = send_accept(&tx, &columns, &rows);
    if (err == ERR_OK)
        err = send_tags(&tx, &columns);
    if (err == ERR_OK)
        err = send_senders(&tx, messages, count, arena);
    bool is_at_commit = err == ERR_OK;
    if (err == ERR_OK)
        err = db_commit(&tx);
    for (size_t i = 0; i < count; i++)
        accepted[i].is_doubtful = is_at_commit && err == ERR_DB_UNAVAILABLE;
    db_rollback(&tx);
    if (err == ERR_OK && (db_rows_count(rows) != 1 || db_text(rows, 0, 0).len != count))
        bug("a batch was accepted with another number of verdicts");
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        accepted[i] = (struct message_accepted){ .id = messages[i].id,
                                                 .err = err_of_verdict(db_text(rows, 0, 0).ptr[i]) };
    db_rows_free(rows);
    return err;
}

/* In the order of the keys that were asked for. */
static const struct db_stmt message_replay_stmt = {
    "message_replay_many",
    "SELECT i.n, k.fingerprint, k.message_id FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS i (tenant_id, key, n)"
    " JOIN idempotency_key k ON k.tenant_id = i.tenant_id AND k.key = i.key ORDER BY i.n LIMIT 5000"
};

/* What messages[at[0 .. count)] repeat. */
static enum err
read_replays(struct db *db, const struct message_new *messages, struct message_accepted *accepted,
             const size_t *at, size_t count, struct arena *arena)
{
    struct id *tenants = arena_array(arena, count, sizeof(*tenants)),
              *distinct = arena_array(arena, count, sizeof(*distinct));
    struct slice *keys = arena_array(arena, count, sizeof(*keys));
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    size_t tenant_count = 0;

    if (tenants == NULL || distinct == NULL || keys == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        tenants[i] = messages[at[i]].tenant;
        keys[i] = messages[at[i]].idempotency_key;
        if (tenant_count == 0 || !id_eq(distinct[tenant_count - 1], tenants[i]))
            distinct[tenant_count++] = tenants[i];
    }
    enum err err = db_begin_many(db, ACCEPT_ROLE, distinct, tenant_count, &tx);
    if (err == ERR_OK)
        err = db_later(&tx, &message_replay_stmt,
                       DB_ARGS(DB_ID_ARRAY(tenants, count), DB_TEXT_ARRAY(keys, count)), &rows);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    for (size_t row = 0; err == ERR_OK && row < db_rows_count(rows); row++) {
        const struct message_new *message = &messages[at[db_i64(rows, row, 0) - 1]];
        bool is_same =
            slice_eq(db_bytes(rows, row, 1), slice_of(message->fingerprint, MESSAGE_FINGERPRINT_BYTES));
        accepted[message - messages] =
            (struct message_accepted){ .err = is_same ? ERR_OK : ERR_IDEMPOTENCY_MISMATCH,
                                       .is_replay = is_same,
                                       .id = is_same ? db_id(rows, row, 2) : message->id };
    }
    db_rows_free(rows);
    return err;
}

static enum err
accept_again(struct db *db, const struct clock *clock, const struct message_new *message,
             struct message_accepted *accepted, struct arena *arena)
{
    enum err err = accept_once(db, clock, message, accepted, 1, arena);

    if (err != ERR_OK)
        return err;
    return accepted->err == ERR_EXISTS ? ERR_BUSY : accepted->err; /* there once more */
}

/*
 * What was there before is answered as it was then: also where the channel or the window would refuse it now.
 * What was stored stays stored, so an error of this part is only that of the rows it was for.
 */
static void
settle_replays(struct db *db, const struct clock *clock, const struct message_new *messages,
               struct message_accepted *accepted, size_t count, struct arena *arena)
{
    size_t *at = arena_array(arena, count, sizeof(*at)), found = 0;
    enum err err = at == NULL ? ERR_NO_MEMORY : ERR_DB_CONFLICT;

    for (size_t i = 0; at != NULL && i < count; i++)
        if (accepted[i].err != ERR_OK && messages[i].idempotency_key.ptr != NULL)
            at[found++] = i;
    if (at != NULL && found == 0)
        return;
    for (int tries = 0; err == ERR_DB_CONFLICT && tries < DB_TRIES; tries++)
        err = read_replays(db, messages, accepted, at, found, arena);
    for (size_t i = 0; i < count; i++) {
        if (accepted[i].err == ERR_OK || messages[i].idempotency_key.ptr == NULL)
            continue;
        if (err != ERR_OK)
            accepted[i].err = err;
        else if (accepted[i].err == ERR_EXISTS) /* the key is gone meanwhile (retention): accepted anew */
            accepted[i].err = accept_again(db, clock, &messages[i], &accepted[i], arena);
    }
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
    if (err == ERR_OK)
        settle_replays(db, clock, messages, accepted, count, arena);
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
