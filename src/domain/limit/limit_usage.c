#include "domain/limit/limit_usage.h"

#define NOTICE_BYTES_MAX 512u

/* One row a channel, and one without for all of them. */
static const struct db_stmt limit_usage_load_stmt = {
    "limit_usage_load",
    "SELECT channel_id, coalesce(sum(accepted) FILTER (WHERE day = date '1970-01-01' + $2::bigint::integer), 0)::bigint,"
    " sum(accepted)::bigint FROM usage_day WHERE tenant_id = $1 AND day >= date '1970-01-01' + $3::bigint::integer"
    " AND day <= date '1970-01-01' + $2::bigint::integer GROUP BY GROUPING SETS ((channel_id), ())"
    " HAVING channel_id IS NULL OR channel_id = ANY ($4::uuid[]) LIMIT 10000"
};

/* Which tenant and channel a counter's key names, as limit_counter_of made it. */
static struct id
channel_of(const struct limit_counter *counter)
{
    struct id channel = { { 0 } };

    if (counter->key_len == LIMIT_KEY_BYTES)
        memcpy(channel.bytes, counter->key + 1 + ID_BYTES, ID_BYTES);
    return channel;
}

static void
base_set(struct limit_counter *counter, const struct limit_now *now, const struct db_rows *rows)
{
    struct id channel = channel_of(counter);
    enum limit_kind kind = limit_kind(counter->name);

    counter->base = 0;
    counter->base_window = limit_rule_window(kind, now);
    for (size_t row = 0; row < db_rows_count(rows); row++) {
        struct id of = db_is_null(rows, row, 0) ? (struct id){ { 0 } } : db_id(rows, row, 0);
        if (id_eq(of, channel) && !db_is_null(rows, row, 2))
            counter->base = db_i64(rows, row, kind == LIMIT_DAY ? 1 : 2);
    }
}

enum err
limit_usage_load(struct db_tx *tx, const struct limit_now *now, struct arena *arena,
                 struct limit_counter *counters, size_t count)
{
    struct id *channels = arena_array(arena, count, sizeof(*channels));
    int64_t first = limit_rule_window_start(LIMIT_MONTH, now->month).us / (INT64_C(86400) * 1000000);
    struct db_rows *rows = NULL;
    size_t channel_count = 0;

    if (channels == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (counters[i].is_unknown)
            channels[channel_count++] = channel_of(&counters[i]);
    enum err err =
        db_query(tx, &limit_usage_load_stmt,
                 DB_ARGS(DB_I64(now->day), DB_I64(first), DB_ID_ARRAY(channels, channel_count)), &rows);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (counters[i].is_unknown)
            base_set(&counters[i], now, rows);
    db_rows_free(rows);
    return err;
}

/* In the order in which they come: two processes that write the same rows wait for one another, and never in
 * a circle. */
static const struct db_stmt limit_usage_add_stmt = {
    "limit_usage_add",
    "INSERT INTO usage_day AS u (tenant_id, day, channel_id, accepted)"
    " SELECT $1, date '1970-01-01' + n.day::integer, n.channel_id, n.accepted"
    " FROM unnest($2::bigint[], $3::uuid[], $4::bigint[]) AS n (day, channel_id, accepted) ORDER BY n.day, n.channel_id"
    " ON CONFLICT (tenant_id, day, channel_id) DO UPDATE SET accepted = u.accepted + excluded.accepted"
};

enum err
limit_usage_add(struct db_tx *tx, const struct limit_usage *usages, size_t count, struct arena *arena)
{
    int64_t *days = arena_array(arena, count, sizeof(*days));
    int64_t *accepted = arena_array(arena, count, sizeof(*accepted));
    struct id *channels = arena_array(arena, count, sizeof(*channels));

    if (days == NULL || accepted == NULL || channels == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        days[i] = usages[i].day;
        accepted[i] = (int64_t)usages[i].accepted;
        channels[i] = usages[i].channel;
    }
    return db_exec(
        tx, &limit_usage_add_stmt,
        DB_ARGS(DB_I64_ARRAY(days, count), DB_ID_ARRAY(channels, count), DB_I64_ARRAY(accepted, count)),
        NULL);
}

static const struct db_stmt limit_notice_stmt = {
    "limit_notice", "INSERT INTO quota_told (tenant_id, subject_id, quota, begins_on, percent)"
                    " VALUES ($1, $2, $3, date '1970-01-01' + $4::bigint::integer, $5::bigint::smallint)"
                    " ON CONFLICT DO NOTHING"
};

enum err
limit_notice_tell(struct db_tx *tx, const struct clock *clock, const struct limit_notice *notice)
{
    enum limit_kind kind = limit_kind(notice->name);
    struct wall_time begins = limit_rule_window_start(kind, notice->window);
    struct wall_time ends = limit_rule_window_start(kind, notice->window + 1);
    struct id subject = id_is_zero(notice->channel) ? notice->tenant : notice->channel;
    char ends_text[WALL_TEXT_BYTES];
    struct buf data;
    size_t told = 0;
    enum err err = db_exec(tx, &limit_notice_stmt,
                           DB_ARGS(DB_ID(subject), DB_TEXT_Z(limit_word(notice->name)),
                                   DB_I64(begins.us / (INT64_C(86400) * 1000000)), DB_I64(notice->percent)),
                           &told);

    if (err != ERR_OK || told == 0)
        return err;
    buf_init(&data, NOTICE_BYTES_MAX);
    buf_add_format(&data,
                   "{\"quota\":\"%s\",\"percent\":%d,\"limit\":%llu,\"used\":%llu,\"resets_at\":\"%.*s\"}",
                   limit_word(notice->name), notice->percent, (unsigned long long)notice->limit,
                   (unsigned long long)notice->used, SLICE_FMT(wall_print(ends, ends_text)));
    return event_tell(tx, clock, EVENT_QUOTA_THRESHOLD, subject, notice->channel, &data);
}
