#include "domain/message/message_lane.h"

/* The lease of a dispatcher `d` that is not over. One that ends more than twice as far from now was given by
 * a clock that has been set back since. $2: how long the caller's lasts, in milliseconds. */
#define LIVES "d.lease_until >= now() AND d.lease_until <= now() + make_interval(secs => 2 * $2 / 1000.0)"

/* Lanes in which something waits, due or not: from one to the next in the index, so the many that wait in one
 * of them are passed over. */
#define WAITING                                                                                                        \
    "waiting AS ((SELECT tenant_id, channel_id FROM dispatch_queue WHERE state = 'ready' ORDER BY channel_id LIMIT 1)" \
    " UNION ALL SELECT n.tenant_id, n.channel_id FROM waiting w CROSS JOIN LATERAL (SELECT q.tenant_id, q.channel_id"  \
    " FROM dispatch_queue q WHERE q.state = 'ready' AND q.channel_id > w.channel_id ORDER BY q.channel_id LIMIT 1) n)"

static const struct db_stmt dispatcher_lease_stmt = {
    "dispatcher_lease",
    "WITH gone AS (DELETE FROM dispatcher_lease WHERE dispatcher <> $1 AND lease_until < now() - interval '1 hour')"
    " INSERT INTO dispatcher_lease (dispatcher, lease_until, carrier)"
    " VALUES ($1, now() + make_interval(secs => $2 / 1000.0), $3)"
    " ON CONFLICT (dispatcher) DO UPDATE SET lease_until = excluded.lease_until"
};
/* A lane that somebody else has just locked is looked at again the next time. Each begins elsewhere in the
 * order, so that two do not always want the same one.
 * Lock order: it is chance, which no index has; what it sorts are the lanes that wait and are nobody's. */
static const struct db_stmt message_lanes_take_stmt = {
    "message_lanes_take",
    "WITH RECURSIVE " WAITING
    ", alive AS (SELECT d.dispatcher FROM dispatcher_lease d WHERE d.carrier = $4 AND " LIVES "),"
    " free AS (SELECT l.tenant_id, l.channel_id FROM waiting w JOIN dispatch_lane l ON l.tenant_id = w.tenant_id"
    " AND l.channel_id = w.channel_id WHERE l.carrier = $4 AND l.is_open AND (l.dispatcher IS NULL OR l.dispatcher NOT IN (SELECT dispatcher"
    " FROM alive))),"
    " used AS (SELECT count(*) AS count, count(*) FILTER (WHERE dispatcher = $1) AS mine FROM dispatch_lane"
    " WHERE dispatcher IN (SELECT dispatcher FROM alive)),"
    " part AS (SELECT least($3, ceil((u.count + (SELECT count(*) FROM free))::numeric"
    " / greatest(1, (SELECT count(*) FROM alive)))::bigint) AS share, u.mine FROM used u),"
    " wanted AS MATERIALIZED (SELECT i.tenant_id, i.channel_id FROM dispatch_lane i JOIN free f ON f.tenant_id = i.tenant_id"
    " AND f.channel_id = i.channel_id WHERE i.is_open AND (i.dispatcher IS NULL OR i.dispatcher NOT IN (SELECT dispatcher"
    " FROM alive)) ORDER BY md5(i.channel_id::text || $1::text)"
    " LIMIT (SELECT greatest(0, share - mine) FROM part) FOR UPDATE OF i SKIP LOCKED),"
    " taken AS (UPDATE dispatch_lane l SET dispatcher = $1, fence = l.fence + 1, is_resting = true FROM wanted f"
    " WHERE l.tenant_id = f.tenant_id AND l.channel_id = f.channel_id RETURNING l.channel_id),"
    " abandoned AS MATERIALIZED (SELECT i.tenant_id, i.channel_id"
    " FROM dispatch_lane i WHERE i.carrier = $4 AND i.dispatcher IS NOT NULL AND i.dispatcher NOT IN (SELECT dispatcher FROM alive)"
    " AND i.channel_id NOT IN (SELECT channel_id FROM free) LIMIT 1000 FOR UPDATE OF i SKIP LOCKED),"
    " left_behind AS (UPDATE dispatch_lane l SET dispatcher = NULL, is_resting = true FROM abandoned f"
    " WHERE l.tenant_id = f.tenant_id AND l.channel_id = f.channel_id)"
    " SELECT share, (SELECT count(*) FROM taken) FROM part"
};
static const struct db_stmt message_lanes_read_stmt = {
    "message_lanes_read",
    "SELECT l.tenant_id, l.channel_id, l.fence, t.send_weight, l.is_open,"
    " (extract(epoch FROM greatest(l.not_before, now()) - now()) * 1000000)::bigint,"
    " l.is_resting, coalesce(upper(n.throughput) = 'HIGH', false), l.slowed_to,"
    " (extract(epoch FROM now() - l.slowed_at) * 1000)::bigint,"
    " EXISTS (SELECT FROM dispatch_queue q WHERE q.channel_id = l.channel_id AND q.state = 'ready')"
    " FROM dispatch_lane l JOIN tenant t ON t.tenant_id = l.tenant_id LEFT JOIN whatsapp_number n"
    " ON n.tenant_id = l.tenant_id AND n.channel_id = l.channel_id WHERE l.dispatcher = $1 LIMIT $2"
};

static enum err
lanes_read(struct db_tx *tx, struct id dispatcher, struct arena *arena, struct message_lanes *out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &message_lanes_read_stmt, DB_ARGS(DB_ID(dispatcher), DB_I64(MESSAGE_LANES_MAX)), &rows);

    if (err != ERR_OK)
        return err;
    out->count = db_rows_count(rows);
    out->lanes = arena_array(arena, out->count, sizeof(*out->lanes));
    if (out->lanes == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < out->count; i++) {
        bool was_slowed = !db_is_null(rows, i, 8);
        out->lanes[i] = (struct message_lane){ .tenant = db_id(rows, i, 0),
                                               .channel = db_id(rows, i, 1),
                                               .fence = db_i64(rows, i, 2),
                                               .weight = db_i64(rows, i, 3),
                                               .is_open = db_bool(rows, i, 4),
                                               .held_us = db_i64(rows, i, 5),
                                               .is_resting = db_bool(rows, i, 6),
                                               .has_waiting = db_bool(rows, i, 10),
                                               .is_high = db_bool(rows, i, 7),
                                               .was_slowed = was_slowed,
                                               .slowed_to = was_slowed ? db_i64(rows, i, 8) : 0,
                                               .slowed_ms_ago = was_slowed ? db_i64(rows, i, 9) : 0 };
    }
    db_rows_free(rows);
    return err;
}

/*
 * Statements are planned for any values, and the plan is kept. What waits may grow from nothing to a million
 * in a minute; a plan that was made for nothing reads all of a tenant's rows for each one that it wants. So
 * plans are made anew once a second while there is something to do: with the tables' sizes of that moment.
 */
static const struct db_stmt plans_discard_stmt = { "plans_discard", "DISCARD PLANS" };

enum err
message_lanes_keep(struct db *db, const char *carrier, struct id dispatcher, int64_t lease_ms,
                   struct arena *arena, struct message_lanes *out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "dispatch.claim", &tx);

    *out = (struct message_lanes){ .count = 0 };
    if (err == ERR_OK)
        err = db_exec(&tx, &dispatcher_lease_stmt,
                      DB_ARGS(DB_ID(dispatcher), DB_I64(lease_ms), DB_TEXT(slice_text(carrier))), NULL);
    if (err == ERR_OK)
        err = db_query(&tx, &message_lanes_take_stmt,
                       DB_ARGS(DB_ID(dispatcher), DB_I64(lease_ms), DB_I64(MESSAGE_LANES_MAX),
                               DB_TEXT(slice_text(carrier))),
                       &rows);
    if (err == ERR_OK)
        out->share = (size_t)db_i64(rows, 0, 0);
    if (err == ERR_OK)
        err = lanes_read(&tx, dispatcher, arena, out);
    if (err == ERR_OK)
        err = db_exec(&tx, &plans_discard_stmt, DB_NO_ARGS, NULL);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static enum err
exec_across(struct db *db, const struct db_stmt *stmt, struct db_args args)
{
    struct db_tx tx = { .is_open = false };
    enum err err = db_begin_across(db, "dispatch.claim", &tx);

    if (err == ERR_OK)
        err = db_exec(&tx, stmt, args, NULL);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt message_lanes_release_stmt = {
    "message_lanes_release", "UPDATE dispatch_lane SET dispatcher = NULL, is_resting = true"
                             " WHERE dispatcher = $1 AND channel_id = ANY ($2::uuid[])"
};

enum err
message_lanes_release(struct db *db, struct id dispatcher, const struct id *channels, size_t count)
{
    return exec_across(db, &message_lanes_release_stmt,
                       DB_ARGS(DB_ID(dispatcher), DB_ID_ARRAY(channels, count)));
}

static const struct db_stmt message_lanes_rest_stmt = {
    "message_lanes_rest", "UPDATE dispatch_lane SET is_resting = $3"
                          " WHERE dispatcher = $1 AND channel_id = ANY ($2::uuid[]) AND is_resting <> $3"
};

enum err
message_lanes_rest(struct db *db, struct id dispatcher, const struct id *channels, size_t count,
                   bool is_resting)
{
    return exec_across(db, &message_lanes_rest_stmt,
                       DB_ARGS(DB_ID(dispatcher), DB_ID_ARRAY(channels, count), DB_BOOL(is_resting)));
}

static const struct db_stmt message_dispatcher_leave_stmt = {
    "message_dispatcher_leave",
    "WITH freed AS (UPDATE dispatch_lane SET dispatcher = NULL, is_resting = true WHERE dispatcher = $1)"
    " DELETE FROM dispatcher_lease WHERE dispatcher = $1"
};

enum err
message_dispatcher_leave(struct db *db, struct id dispatcher)
{
    return exec_across(db, &message_dispatcher_leave_stmt, DB_ARGS(DB_ID(dispatcher)));
}

/* As message_take_over.c and message_times.c find them; here only whether there are any. */
static const struct db_stmt message_look_around_stmt = {
    "message_look_around",
    "WITH RECURSIVE " WAITING
    " SELECT EXISTS (SELECT FROM waiting w JOIN dispatch_lane l ON l.tenant_id = w.tenant_id AND l.channel_id = w.channel_id"
    " WHERE l.carrier = $3 AND l.is_open AND NOT EXISTS (SELECT FROM dispatcher_lease d WHERE d.dispatcher = l.dispatcher"
    " AND " LIVES
    ")) OR EXISTS (SELECT FROM dispatch_lane l WHERE l.carrier = $3 AND l.dispatcher IS NOT NULL AND NOT EXISTS (SELECT FROM"
    " dispatcher_lease d WHERE d.dispatcher = l.dispatcher AND " LIVES ")),"
    " EXISTS (SELECT FROM dispatch_queue WHERE state IN ('leased', 'sending') AND (lease_until < now()"
    " OR lease_until > now() + make_interval(secs => 2 * greatest(60, $1 / 1000.0))))"
    " OR EXISTS (SELECT FROM dispatch_queue WHERE state = 'uncertain' AND due_at <= now()),"
    " EXISTS (SELECT FROM dispatch_queue WHERE expires_at <= now() AND state IN ('held', 'ready', 'leased'))"
    " OR EXISTS (SELECT FROM dispatch_queue WHERE state = 'held' AND due_at <= now())"
    " OR EXISTS (SELECT FROM message_fallback WHERE due_at <= now())"
    " OR EXISTS (SELECT FROM dispatch_lane l JOIN dispatch_queue q ON q.channel_id = l.channel_id"
    " WHERE l.is_broken AND q.has_fallback AND q.state = 'ready'),"
    " EXISTS (SELECT FROM dispatch_lane l JOIN dispatcher_lease d ON d.dispatcher = l.dispatcher WHERE l.carrier = $3"
    " AND l.dispatcher IS NOT NULL AND " LIVES "),"
    " CASE WHEN EXISTS (SELECT FROM dispatch_lane WHERE dispatcher IS NOT NULL) THEN false"
    " ELSE NOT EXISTS (SELECT FROM dispatch_queue) AND NOT EXISTS (SELECT FROM message_fallback"
    " WHERE due_at <= now() + interval '10 seconds') END"
};

enum err
message_look_around(struct db *db, const char *carrier, int64_t dispatcher_lease_ms, int64_t send_lease_ms,
                    struct message_around *out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "dispatch.claim", &tx);

    if (err == ERR_OK)
        err = db_query(
            &tx, &message_look_around_stmt,
            DB_ARGS(DB_I64(send_lease_ms), DB_I64(dispatcher_lease_ms), DB_TEXT(slice_text(carrier))), &rows);
    if (err == ERR_OK)
        *out = (struct message_around){ .has_lanes = db_bool(rows, 0, 0),
                                        .has_lapsed = db_bool(rows, 0, 1),
                                        .has_times = db_bool(rows, 0, 2),
                                        .is_shared = db_bool(rows, 0, 3),
                                        .is_quiet = db_bool(rows, 0, 4) };
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt message_lane_slow_stmt = {
    "message_lane_slow", "UPDATE dispatch_lane SET slowed_to = $3, slowed_at = $4"
                         " WHERE tenant_id = $1 AND channel_id = $2"
};

enum err
message_lane_slow(struct db_tx *tx, struct id channel, int64_t per_second, struct wall_time at)
{
    return db_exec_one(tx, &message_lane_slow_stmt, DB_ARGS(DB_ID(channel), DB_I64(per_second), DB_TIME(at)));
}

/* In the channels' order, so that two holds of one account wait for each other and do not cross. */
static const struct db_stmt message_account_hold_stmt = {
    "message_account_hold",
    "WITH account AS MATERIALIZED (SELECT l.channel_id FROM (SELECT channel_id FROM whatsapp_channel WHERE tenant_id = $1"
    " AND waba_id = (SELECT waba_id FROM whatsapp_channel WHERE tenant_id = $1 AND channel_id = $2) ORDER BY channel_id) c"
    " CROSS JOIN LATERAL (SELECT channel_id FROM dispatch_lane WHERE tenant_id = $1 AND channel_id = c.channel_id"
    " FOR UPDATE) l)"
    " UPDATE dispatch_lane l SET not_before = greatest(l.not_before, $3) FROM account"
    " WHERE l.tenant_id = $1 AND l.channel_id = account.channel_id"
};

enum err
message_account_hold(struct db_tx *tx, struct id channel, struct wall_time until)
{
    return db_exec(tx, &message_account_hold_stmt, DB_ARGS(DB_ID(channel), DB_TIME(until)), NULL);
}
