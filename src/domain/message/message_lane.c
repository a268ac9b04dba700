#include "domain/message/message_lane.h"

static const struct db_stmt message_lane_read_stmt = {
    "message_lane_read",
    "SELECT coalesce(upper(n.throughput) = 'HIGH', false), l.slowed_to, l.slowed_at FROM dispatch_lane l"
    " LEFT JOIN whatsapp_number n ON n.tenant_id = l.tenant_id AND n.channel_id = l.channel_id"
    " WHERE l.tenant_id = $1 AND l.channel_id = $2"
};

enum err
message_lane_read(struct db_tx *tx, struct id channel, struct message_lane *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &message_lane_read_stmt, DB_ARGS(DB_ID(channel)), &rows);

    *out = (struct message_lane){ .is_high = false };
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK) {
        out->is_high = db_bool(rows, 0, 0);
        out->was_slowed = !db_is_null(rows, 0, 1);
    }
    if (err == ERR_OK && out->was_slowed) {
        out->slowed_to = db_i64(rows, 0, 1);
        out->slowed_at = db_time(rows, 0, 2);
    }
    db_rows_free(rows);
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
    "WITH account AS (SELECT l.channel_id FROM dispatch_lane l JOIN whatsapp_channel c ON c.tenant_id = $1 AND"
    " c.channel_id = l.channel_id WHERE l.tenant_id = $1 AND c.waba_id = (SELECT waba_id FROM whatsapp_channel"
    " WHERE tenant_id = $1 AND channel_id = $2) ORDER BY l.channel_id FOR UPDATE OF l)"
    " UPDATE dispatch_lane l SET not_before = greatest(l.not_before, $3) FROM account"
    " WHERE l.tenant_id = $1 AND l.channel_id = account.channel_id"
};

enum err
message_account_hold(struct db_tx *tx, struct id channel, struct wall_time until)
{
    return db_exec(tx, &message_account_hold_stmt, DB_ARGS(DB_ID(channel), DB_TIME(until)), NULL);
}
