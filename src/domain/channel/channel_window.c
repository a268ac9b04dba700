#include "domain/channel/channel_window.h"

#define HOUR_MS INT64_C(3600000)

static const struct db_stmt channel_window_read_stmt = {
    "channel_window_read", "SELECT window_until, free_until FROM channel_window"
                           " WHERE tenant_id = $1 AND channel_id = $2 AND peer_index = $3"
};

enum err
channel_window_read(struct db_tx *tx, struct id channel, struct slice peer_index, struct channel_window *out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &channel_window_read_stmt, DB_ARGS(DB_ID(channel), DB_BYTES(peer_index)), &rows);

    *out = (struct channel_window){ .is_known = false };
    if (err == ERR_OK && db_rows_count(rows) > 0) {
        out->is_known = true;
        out->window_until = db_time(rows, 0, 0);
        out->has_free_entry = !db_is_null(rows, 0, 1);
        if (out->has_free_entry)
            out->free_until = db_time(rows, 0, 1);
    }
    db_rows_free(rows);
    return err;
}

/*
 * Each window once, in the order of their index: so transactions that open the same wait for each other, and
 * do not cross. What says nothing new is not written.
 */
static const struct db_stmt channel_windows_open_stmt = {
    "channel_windows_open",
    "INSERT INTO channel_window AS w (tenant_id, channel_id, peer_index, window_until, answer_until)"
    " SELECT $1, o.channel_id, o.peer_index, max(o.until), max(CASE o.is_referred WHEN 1 THEN o.until END)"
    " FROM unnest($2::uuid[], $3::bytea[], $4::timestamptz[], $5::bigint[]) AS o (channel_id, peer_index, until, is_referred)"
    " GROUP BY o.channel_id, o.peer_index ORDER BY o.channel_id, o.peer_index"
    " ON CONFLICT (tenant_id, channel_id, peer_index)"
    " DO UPDATE SET window_until = greatest(w.window_until, excluded.window_until),"
    " answer_until = greatest(w.answer_until, excluded.answer_until)" /* of NULL and a time: the time */
    " WHERE excluded.window_until > w.window_until OR excluded.answer_until > coalesce(w.answer_until, '-infinity')"
};

enum err
channel_windows_open(struct db_tx *tx, const struct channel_window_opening *openings, size_t count,
                     struct arena *arena)
{
    struct id *channels = arena_array(arena, count, sizeof(*channels));
    struct slice *peers = arena_array(arena, count, sizeof(*peers));
    struct wall_time *ends = arena_array(arena, count, sizeof(*ends));
    int64_t *referred = arena_array(arena, count, sizeof(*referred));

    if (count == 0)
        return ERR_OK;
    if (channels == NULL || peers == NULL || ends == NULL || referred == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        channels[i] = openings[i].channel;
        peers[i] = openings[i].peer_index;
        ends[i] = wall_after_ms(openings[i].at, CHANNEL_WINDOW_HOURS * HOUR_MS);
        referred[i] = openings[i].is_referred;
    }
    return db_later(tx, &channel_windows_open_stmt,
                    DB_ARGS(DB_ID_ARRAY(channels, count), DB_BYTES_ARRAY(peers, count),
                            DB_TIME_ARRAY(ends, count), DB_I64_ARRAY(referred, count)),
                    NULL);
}

static const struct db_stmt channel_window_answered_stmt = {
    "channel_window_answered",
    "UPDATE channel_window w SET free_until = greatest(w.free_until, a.free_until), answer_until = NULL"
    " FROM (SELECT channel_id, peer_index, min(at) AS at, min(free_until) AS free_until"
    " FROM unnest($2::uuid[], $3::bytea[], $4::timestamptz[], $5::timestamptz[])"
    " AS a (channel_id, peer_index, at, free_until) GROUP BY channel_id, peer_index) a"
    " WHERE w.tenant_id = $1 AND w.channel_id = a.channel_id AND w.peer_index = a.peer_index"
    " AND w.answer_until > a.at"
};

enum err
channel_window_answered(struct db_tx *tx, const struct channel_window_answer *answers, size_t count,
                        struct arena *arena)
{
    struct id *channels = arena_array(arena, count, sizeof(*channels));
    struct slice *peers = arena_array(arena, count, sizeof(*peers));
    struct wall_time *times = arena_array(arena, count, sizeof(*times));
    struct wall_time *ends = arena_array(arena, count, sizeof(*ends));

    if (count == 0)
        return ERR_OK;
    if (channels == NULL || peers == NULL || times == NULL || ends == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        channels[i] = answers[i].channel;
        peers[i] = answers[i].peer_index;
        times[i] = answers[i].at;
        ends[i] = wall_after_ms(answers[i].at, CHANNEL_FREE_ENTRY_HOURS * HOUR_MS);
    }
    return db_exec(tx, &channel_window_answered_stmt,
                   DB_ARGS(DB_ID_ARRAY(channels, count), DB_BYTES_ARRAY(peers, count),
                           DB_TIME_ARRAY(times, count), DB_TIME_ARRAY(ends, count)),
                   NULL);
}
