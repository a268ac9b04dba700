#include "domain/overview/overview_count.h"
#include "crypto/encode.h"

#define FIGURES 5 /* of a message_figure: sent, delivered, failed, blocked, received */

/* Pages are read in the order of their index, however long the planner thinks that is: sorted, each page
 * would cost as much as all that is still to be read. */
static const struct db_stmt in_order_stmt = {
    "overview_in_order",
    "SELECT set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true),"
    " set_config('enable_bitmapscan', 'off', true)"
};

/*
 * Only rows below the oldest transaction that still runs: whatever commits later has a larger number. All
 * that is told and written hangs on the cursor's move, which waits for another gateway's and then finds that
 * it stands elsewhere. The commit need not reach the disk at once: what a crash takes back is counted again.
 * Events of long ago, such as those of before the count began, are passed.
 */
static const struct db_stmt page_stmt = {
    "overview_page",
    "WITH c AS MATERIALIZED (SELECT xid, id FROM overview_cursor),"
    " page AS MATERIALIZED (SELECT p.* FROM c CROSS JOIN LATERAL (SELECT e.tenant_id, e.xid, e.id, e.type, e.subject_id,"
    " e.channel_id FROM event_log e WHERE (e.xid, e.id) > (c.xid, c.id) AND e.xid IS NOT NULL AND e.xid < (SELECT"
    " ((pg_snapshot_xmin(pg_current_snapshot())::text::bigint + k.base)::text)::xid8 FROM event_clock k)"
    " ORDER BY e.xid, e.id LIMIT 5000) p)," /* OVERVIEW_PAGE_MAX */
    " page_end AS MATERIALIZED (SELECT xid, id FROM page ORDER BY xid DESC, id DESC LIMIT 1),"
    " moved AS (UPDATE overview_cursor u SET xid = n.xid, id = n.id FROM page_end n, c WHERE u.xid = c.xid AND u.id = c.id"
    " RETURNING set_config('synchronous_commit', 'off', true)),"
    " changed AS (SELECT p.tenant_id, split_part(p.type, '.', 1) AS word, p.channel_id,"
    " (array_agg(DISTINCT p.subject_id))[1:9] AS ids FROM page p CROSS JOIN moved" /* one more than are told
                                                                                    */
    " WHERE p.id >= (SELECT id_at(now() - interval '5 minutes')) GROUP BY 1, 2, 3),"
    " line AS (SELECT concat_ws(' ', replace(tenant_id::text, '-', ''), word, coalesce(replace(channel_id::text, '-', ''), '-'),"
    " CASE WHEN cardinality(ids) > 8 THEN '*' ELSE replace(array_to_string(ids, ','), '-', '') END) AS text,"
    " row_number() OVER () AS n FROM changed),"
    " told AS MATERIALIZED (SELECT pg_notify('" OVERVIEW_CHANNEL
    "', string_agg(text, E'\\n')) FROM line GROUP BY n / 20),"
    " figure AS (SELECT p.tenant_id, date_bin('15 minutes', id_time(p.id), '2000-01-01Z') AS at, p.channel_id,"
    " count(*) FILTER (WHERE p.type = 'message.sent') AS sent, count(*) FILTER (WHERE p.type = 'message.delivered') AS delivered,"
    " count(*) FILTER (WHERE p.type IN ('message.failed', 'message.expired')) AS failed,"
    " count(*) FILTER (WHERE p.type = 'message.blocked') AS blocked,"
    " count(*) FILTER (WHERE p.type = 'message.received') AS received FROM page p CROSS JOIN moved"
    " WHERE p.type IN ('message.sent', 'message.delivered', 'message.failed', 'message.expired', 'message.blocked', 'message.received')"
    " AND p.channel_id IS NOT NULL AND p.id >= (SELECT id_at(now() - interval '32 days')) GROUP BY 1, 2, 3)"
    " SELECT s.read, s.is_moved, s.told, f.tenant_id, f.at, f.channel_id, f.sent, f.delivered, f.failed, f.blocked, f.received"
    " FROM (SELECT (SELECT count(*) FROM page) AS read, EXISTS (SELECT FROM moved) AS is_moved,"
    " (SELECT count(*) FROM told) AS told) s LEFT JOIN figure f ON true ORDER BY 4, 5, 6"
};

static const struct db_stmt add_stmt = {
    "overview_add",
    "INSERT INTO message_figure AS f (tenant_id, at, channel_id, sent, delivered, failed, blocked, received) SELECT $1, * FROM"
    " unnest($2::timestamptz[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])"
    " ON CONFLICT (tenant_id, at, channel_id) DO UPDATE SET sent = f.sent + excluded.sent,"
    " delivered = f.delivered + excluded.delivered, failed = f.failed + excluded.failed, blocked = f.blocked + excluded.blocked,"
    " received = f.received + excluded.received"
};

/* Rows of one tenant, of the page that was read. */
static enum err
rows_add(struct db_tx *tx, const struct db_rows *rows, size_t from, size_t count, struct arena *arena)
{
    struct wall_time *at = arena_array(arena, count, sizeof(*at));
    struct id *channels = arena_array(arena, count, sizeof(*channels));
    int64_t *figures = arena_array(arena, FIGURES * count, sizeof(*figures));
    enum err err = at == NULL || channels == NULL || figures == NULL
                       ? ERR_NO_MEMORY
                       : db_tx_turn_to(tx, db_id(rows, from, 3));

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        at[i] = db_time(rows, from + i, 4);
        channels[i] = db_id(rows, from + i, 5);
        for (int column = 0; column < FIGURES; column++)
            figures[(size_t)column * count + i] = db_i64(rows, from + i, 6 + column);
    }
    return err == ERR_OK
               ? db_later(tx, &add_stmt,
                          DB_ARGS(DB_TIME_ARRAY(at, count), DB_ID_ARRAY(channels, count),
                                  DB_I64_ARRAY(figures, count), DB_I64_ARRAY(figures + count, count),
                                  DB_I64_ARRAY(figures + 2 * count, count),
                                  DB_I64_ARRAY(figures + 3 * count, count),
                                  DB_I64_ARRAY(figures + 4 * count, count)),
                          NULL)
               : err;
}

static enum err
page_add(struct db_tx *tx, const struct db_rows *rows, struct arena *arena)
{
    size_t count = db_is_null(rows, 0, 3) ? 0 : db_rows_count(rows); /* nothing became of any message */
    enum err err = ERR_OK;

    for (size_t from = 0, to; err == ERR_OK && from < count; from = to) {
        for (to = from + 1; to < count && id_eq(db_id(rows, to, 3), db_id(rows, from, 3));)
            to++;
        err = rows_add(tx, rows, from, to - from, arena);
    }
    return err == ERR_OK ? db_commit(tx) : err;
}

enum err
overview_count(struct db *db, struct arena *arena, size_t *read_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "overview.count", &tx);

    *read_out = 0;
    if (err == ERR_OK)
        err = db_later(&tx, &in_order_stmt, DB_NO_ARGS, NULL);
    if (err == ERR_OK)
        err = db_query(&tx, &page_stmt, DB_NO_ARGS, &rows);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_DB_STATEMENT;
    bool is_moved = err == ERR_OK && db_bool(rows, 0, 1);
    if (is_moved)
        err = page_add(&tx, rows, arena);
    if (err == ERR_OK && is_moved)
        *read_out = (size_t)db_i64(rows, 0, 0);
    db_rows_free(rows);
    db_rollback(&tx);
    arena_reset(arena);
    return err;
}

static enum err
hex_id(struct slice text, struct id *out)
{
    return decode_hex(text, out->bytes, ID_BYTES) == ERR_OK ? ERR_OK : ERR_DB_DATA;
}

/* tenant "act" action object|-, or tenant word channel|- id,id...|* */
enum err
overview_notice_take(struct slice *text, struct overview_notice *out)
{
    struct slice line = slice_take_until(text, '\n');

    memset(out, 0, sizeof(*out));
    if (line.len == 0)
        return ERR_NOTHING;
    enum err err = hex_id(slice_take_until(&line, ' '), &out->tenant);
    out->word = slice_take_until(&line, ' ');
    out->is_act = slice_eq(out->word, SLICE("act"));
    struct slice second = slice_take_until(&line, ' ');
    if (out->is_act)
        out->word = second;
    else if (err == ERR_OK && !slice_eq(second, SLICE("-")))
        err = hex_id(second, &out->channel);
    if (out->word.len == 0)
        err = ERR_DB_DATA;
    if (slice_eq(line, SLICE("*")) || slice_eq(line, SLICE("-")))
        return err;
    do {
        if (err == ERR_OK && out->id_count == OVERVIEW_TOLD_MAX)
            err = ERR_DB_DATA;
        if (err == ERR_OK)
            err = hex_id(slice_take_until(&line, ','), &out->ids[out->id_count++]);
    } while (err == ERR_OK && line.len != 0);
    return err;
}
