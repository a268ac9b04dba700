/* What a sender may still change of a message that has not left. */
#include "domain/message/message.h"
#include "domain/message/message_events.h"

/* Whoever sends it has locked the row before it says `sending`, so no more than one of both gets it. */
static const struct db_stmt message_cancel_stmt = {
    "message_cancel",
    "WITH gone AS (DELETE FROM dispatch_queue WHERE tenant_id = $1 AND message_id = $2"
    " AND state IN ('held', 'ready', 'leased') AND NOT is_doubtful RETURNING message_id)"
    " UPDATE message m SET status = 'canceled', updated_at = now() FROM gone"
    " WHERE m.tenant_id = $1 AND m.id = gone.message_id AND m.status IN ('accepted', 'queued', 'held')"
};
static const struct db_stmt message_status_of_stmt = {
    "message_status_of", "SELECT status FROM message WHERE tenant_id = $1 AND id = $2 AND direction = 'out'"
};

static enum err
status_of(struct db_tx *tx, struct id message, enum message_status *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &message_status_of_stmt, DB_ARGS(DB_ID(message)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : message_status_parse(db_text(rows, 0, 0), out);
    db_rows_free(rows);
    return err;
}

enum err
message_cancel(struct db_tx *tx, const struct clock *clock, struct id message, struct message_by by,
               struct arena *arena, enum message_status *status_out)
{
    size_t canceled = 0;
    enum err err = db_exec(tx, &message_cancel_stmt, DB_ARGS(DB_ID(message)), &canceled);

    if (err == ERR_OK)
        err = status_of(tx, message, status_out);
    if (err != ERR_OK)
        return err;
    if (canceled == 0)
        return *status_out == MESSAGE_CANCELED ? ERR_OK : ERR_STATE_CONFLICT;
    struct message_step step = { .message = message,
                                 .status = MESSAGE_CANCELED,
                                 .at = clock_wall(clock),
                                 .actor = MESSAGE_BY_ASKER,
                                 .by = by };
    return message_tell(tx, clock, &step, 1, arena);
}

static const struct db_stmt message_held_lock_stmt = {
    "message_held_lock", "SELECT coalesce(expires_at, 'infinity') FROM dispatch_queue"
                         " WHERE tenant_id = $1 AND message_id = $2 AND state = 'held' FOR UPDATE"
};
static const struct db_stmt message_reschedule_stmt = {
    "message_reschedule",
    "WITH q AS (UPDATE dispatch_queue SET due_at = $3, expires_at = nullif($4::timestamptz, 'infinity')"
    " WHERE tenant_id = $1 AND message_id = $2),"
    " t AS (UPDATE message_fallback SET due_at = $3::timestamptz + make_interval(secs => after_s)"
    " WHERE tenant_id = $1 AND message_id = $2 AND position = 1)"
    " UPDATE message SET send_at = $3, expires_at = nullif($4::timestamptz, 'infinity'), updated_at = now()"
    " WHERE tenant_id = $1 AND id = $2"
};

enum err
message_reschedule(struct db_tx *tx, const struct clock *clock, const struct message_reschedule *change,
                   struct arena *arena, enum message_status *status_out)
{
    struct wall_time at = change->send_at.us == 0 ? clock_wall(clock) : change->send_at;
    struct wall_time expires = { INT64_MAX };
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &message_held_lock_stmt, DB_ARGS(DB_ID(change->message)), &rows);
    bool is_held = err == ERR_OK && db_rows_count(rows) > 0;

    if (is_held && !change->sets_expiry)
        expires = db_time(rows, 0, 0);
    else if (change->sets_expiry && change->expires_at.us != 0)
        expires = change->expires_at;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = status_of(tx, change->message, status_out);
    if (err != ERR_OK || !is_held)
        return err == ERR_OK ? ERR_STATE_CONFLICT : err;
    if (expires.us <= at.us)
        return ERR_TIME_ORDER;
    err = db_exec_one(tx, &message_reschedule_stmt,
                      DB_ARGS(DB_ID(change->message), DB_TIME(at), DB_TIME(expires)));
    struct message_step step = { .message = change->message,
                                 .status = MESSAGE_HELD,
                                 .at = clock_wall(clock),
                                 .actor = MESSAGE_BY_ASKER,
                                 .by = change->by,
                                 .cause = "rescheduled" };
    return err == ERR_OK ? message_tell(tx, clock, &step, 1, arena) : err;
}
