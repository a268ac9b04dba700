#include "program/scheduler/housekeeping.h"

/* Held to the end of the transaction: a second scheduler passes by. */
static const struct db_stmt leader_stmt = {
    "housekeeping_leader", "SELECT pg_try_advisory_xact_lock(hashtext('harkara.scheduler'))"
};
static const struct db_stmt partition_stmt = { "housekeeping_partition",
                                               "SELECT ensure_month_partition($1, $2)" };
static const struct db_stmt keys_stmt = {
    "housekeeping_keys",
    "DELETE FROM idempotency_key WHERE (tenant_id, key) IN (SELECT tenant_id, key FROM idempotency_key"
    " WHERE created_at < now() - make_interval(hours => $1::int) ORDER BY created_at LIMIT $2)"
};
/* What was not interpreted is never removed: it is not ours to lose. */
static const struct db_stmt events_stmt = {
    "housekeeping_events",
    "DELETE FROM provider_event WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM provider_event"
    " WHERE received_at < now() - make_interval(days => $1::int)"
    " AND (tenant_id, id) NOT IN (SELECT tenant_id, unnest(events) FROM provider_batch) ORDER BY received_at LIMIT $2)"
};
static const struct db_stmt deliveries_stmt = {
    "housekeeping_deliveries", /* attempts go with their delivery; endpoint by endpoint, by the time in the id
                                */
    "WITH RECURSIVE e AS ((SELECT f.endpoint_id FROM webhook_delivery f ORDER BY f.endpoint_id LIMIT 1) UNION ALL"
    " SELECT n.endpoint_id FROM e CROSS JOIN LATERAL (SELECT f.endpoint_id FROM webhook_delivery f"
    " WHERE f.endpoint_id > e.endpoint_id ORDER BY f.endpoint_id LIMIT 1) n)"
    " DELETE FROM webhook_delivery WHERE (tenant_id, id) IN (SELECT o.tenant_id, o.id FROM e CROSS JOIN LATERAL"
    " (SELECT f.tenant_id, f.id FROM webhook_delivery f WHERE f.endpoint_id = e.endpoint_id"
    " AND f.id < id_at(now() - make_interval(days => $1::int)) ORDER BY f.id LIMIT $2) o LIMIT $2)"
};
static const struct db_stmt replays_stmt = {
    "housekeeping_replays",
    "DELETE FROM webhook_replay WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM webhook_replay"
    " WHERE created_at < now() - make_interval(days => $1::int) ORDER BY created_at LIMIT $2)"
};
/* Keys of endpoints that were replaced: nothing is signed with them any more. */
static const struct db_stmt secrets_stmt = {
    "housekeeping_secrets",
    "DELETE FROM webhook_secret WHERE (tenant_id, endpoint_id, generation) IN (SELECT tenant_id, endpoint_id, generation"
    " FROM webhook_secret WHERE expires_at < now() - make_interval(hours => $1::int) ORDER BY expires_at LIMIT $2)"
};

static const struct db_stmt tasks_stmt = {
    "housekeeping_tasks",
    "DELETE FROM provider_task WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM provider_task"
    " WHERE finished_at < now() - make_interval(days => $1::int) ORDER BY finished_at LIMIT $2)"
};

/* A free entry point ends three days after its window at the latest. One that is opened again meanwhile
 * stays. By their end alone: whose they were is not ours to read. */
static const struct db_stmt windows_stmt = {
    "housekeeping_windows",
    "DELETE FROM channel_window WHERE window_until <= (SELECT max(window_until) FROM (SELECT window_until"
    " FROM channel_window WHERE window_until < now() - make_interval(days => $1::int) ORDER BY window_until LIMIT $2)"
    " oldest)"
};

/* Chunks go with it, and what the provider called it. */
static const struct db_stmt media_stmt = {
    "housekeeping_media",
    "DELETE FROM media WHERE (tenant_id, id) IN"
    " ((SELECT tenant_id, id FROM media WHERE expires_at < now() ORDER BY expires_at LIMIT $2) UNION ALL"
    " (SELECT tenant_id, id FROM media WHERE state = 'storing'"
    " AND updated_at < now() - make_interval(hours => $1::int) LIMIT $2))"
};

/* By their day alone: whose they were is not ours to read. */
static const struct db_stmt usage_stmt = {
    "housekeeping_usage",
    "DELETE FROM usage_day WHERE day <= (SELECT max(day) FROM (SELECT day FROM usage_day"
    " WHERE day < current_date - $1::int ORDER BY day LIMIT $2) oldest)"
};
static const struct db_stmt figures_stmt = {
    "housekeeping_figures",
    "DELETE FROM message_figure WHERE at <= (SELECT max(at) FROM (SELECT at FROM message_figure"
    " WHERE at < now() - make_interval(days => $1::int) ORDER BY at LIMIT $2) oldest)"
};
static const struct db_stmt told_stmt = {
    "housekeeping_told",
    "DELETE FROM quota_told WHERE begins_on <= (SELECT max(begins_on) FROM (SELECT begins_on FROM quota_told"
    " WHERE begins_on < current_date - $1::int ORDER BY begins_on LIMIT $2) oldest)"
};

/* By their age alone: whose they were is not ours to read. */
static const struct db_stmt sms_parts_stmt = {
    "housekeeping_sms_parts",
    "DELETE FROM sms_part WHERE taken_at <= (SELECT max(taken_at) FROM (SELECT taken_at FROM sms_part"
    " WHERE taken_at < now() - make_interval(days => $1::int) ORDER BY taken_at LIMIT $2) oldest)"
};
static const struct db_stmt sms_parked_stmt = {
    "housekeeping_sms_parked",
    "DELETE FROM sms_receipt_parked WHERE received_at <= (SELECT max(received_at) FROM (SELECT received_at"
    " FROM sms_receipt_parked WHERE received_at < now() - make_interval(hours => $1::int) ORDER BY received_at LIMIT $2)"
    " oldest)"
};

static enum err
partitions_make(struct db_tx *tx, const struct clock *clock, size_t *made_out)
{
    static const char *const tables[] = { "message", "message_tag", "message_fallback", "event" };
    enum err err = ERR_OK;

    for (size_t t = 0; t < COUNT_OF(tables); t++)
        for (int month = 0; err == ERR_OK && month <= PARTITION_MONTHS_AHEAD; month++) {
            struct db_rows *rows = NULL;
            struct wall_time at = wall_month_start(clock_wall(clock), month);
            err = db_query(tx, &partition_stmt, DB_ARGS(DB_TEXT_Z(tables[t]), DB_TIME(at)), &rows);
            if (err == ERR_OK)
                *made_out += db_bool(rows, 0, 0);
            db_rows_free(rows);
        }
    return err;
}

static enum err
remove_old(struct db_tx *tx, const struct db_stmt *stmt, int64_t age, size_t *removed_out, bool *has_more)
{
    enum err err = db_exec(tx, stmt, DB_ARGS(DB_I64(age), DB_I64(HOUSEKEEPING_BATCH_MAX)), removed_out);

    *has_more |= err == ERR_OK && *removed_out == HOUSEKEEPING_BATCH_MAX;
    return err;
}

/* What is left of signing in. */
static const struct db_stmt sessions_stmt = {
    "housekeeping_sessions",
    "DELETE FROM person_session WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM person_session"
    " WHERE expires_at < now() - make_interval(days => $1::int) ORDER BY expires_at LIMIT $2)"
};
static const struct db_stmt ceremonies_stmt = {
    "housekeeping_ceremonies",
    "DELETE FROM ceremony WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM ceremony"
    " WHERE used_at < now() - make_interval(hours => $1::int) ORDER BY used_at LIMIT $2)"
};
static const struct db_stmt throttles_stmt = {
    "housekeeping_throttles",
    "DELETE FROM throttle WHERE (tenant_id, subject) IN (SELECT tenant_id, subject FROM throttle"
    " WHERE failed_at < now() - make_interval(hours => $1::int) ORDER BY failed_at LIMIT $2)"
};
static const struct db_stmt email_changes_stmt = {
    "housekeeping_email_changes",
    "DELETE FROM email_change WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM email_change"
    " WHERE expires_at < now() - make_interval(hours => $1::int) ORDER BY expires_at LIMIT $2)"
};
static const struct db_stmt notices_stmt = {
    "housekeeping_notices",
    "DELETE FROM mail_notice WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM mail_notice"
    " WHERE expires_at < now() - make_interval(hours => $1::int) ORDER BY expires_at LIMIT $2)"
};

/* That a gateway which died waited for. */
static const struct db_stmt oidc_tasks_stmt = {
    "housekeeping_oidc_tasks",
    "DELETE FROM oidc_task WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM oidc_task"
    " WHERE created_at < now() - make_interval(secs => $1::int) ORDER BY created_at LIMIT $2)"
};

static enum err
remove_sign_ins(struct db_tx *tx, struct housekeeping_result *result)
{
    size_t sessions = 0, ceremonies = 0, throttles = 0, changes = 0, tasks = 0, notices = 0;
    enum err err = remove_old(tx, &sessions_stmt, SESSION_DAYS, &sessions, &result->has_more);

    if (err == ERR_OK)
        err = remove_old(tx, &ceremonies_stmt, CEREMONY_HOURS, &ceremonies, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &throttles_stmt, CEREMONY_HOURS, &throttles, &result->has_more);
    if (err == ERR_OK) /* at once */
        err = remove_old(tx, &email_changes_stmt, 0, &changes, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &oidc_tasks_stmt, OIDC_TASK_SECONDS, &tasks, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &notices_stmt, 0, &notices, &result->has_more);
    result->sign_ins_removed = notices + sessions + ceremonies + throttles + changes + tasks;
    return err;
}

struct run {
    const struct clock *clock;
    struct housekeeping_result result;
};

static enum err
run_in(struct db_tx *tx, void *ctx)
{
    struct run *run = ctx;
    struct housekeeping_result *result = &run->result;
    struct db_rows *rows = NULL;
    size_t told = 0, figures = 0, parts = 0, parked = 0;
    enum err err = db_query(tx, &leader_stmt, DB_NO_ARGS, &rows);

    *result = (struct housekeeping_result){ .was_leader = err == ERR_OK && db_bool(rows, 0, 0) };
    db_rows_free(rows);
    if (err != ERR_OK || !result->was_leader)
        return err;
    err = partitions_make(tx, run->clock, &result->partitions_made);
    if (err == ERR_OK)
        err = remove_old(tx, &keys_stmt, IDEMPOTENCY_KEY_HOURS, &result->keys_removed, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &events_stmt, PROVIDER_EVENT_DAYS, &result->events_removed, &result->has_more);
    if (err == ERR_OK)
        err = db_exec(tx, &media_stmt, DB_ARGS(DB_I64(MEDIA_LEFT_HOURS), DB_I64(MEDIA_BATCH_MAX)),
                      &result->media_removed);
    result->has_more |= err == ERR_OK && result->media_removed >= MEDIA_BATCH_MAX;
    if (err == ERR_OK)
        err = remove_old(tx, &deliveries_stmt, WEBHOOK_DELIVERY_DAYS, &result->deliveries_removed,
                         &result->has_more);
    if (err == ERR_OK)
        err =
            remove_old(tx, &replays_stmt, WEBHOOK_DELIVERY_DAYS, &result->replays_removed, &result->has_more);
    if (err == ERR_OK) /* at once */
        err = remove_old(tx, &secrets_stmt, 0, &result->secrets_removed, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &tasks_stmt, PROVIDER_TASK_DAYS, &result->tasks_removed, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &windows_stmt, WINDOW_DAYS, &result->windows_removed, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &usage_stmt, USAGE_DAYS, &result->usage_removed, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &told_stmt, USAGE_DAYS, &told, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &figures_stmt, FIGURE_DAYS, &figures, &result->has_more);
    result->usage_removed += told + figures;
    if (err == ERR_OK)
        err = remove_old(tx, &sms_parts_stmt, SMS_PART_DAYS, &parts, &result->has_more);
    if (err == ERR_OK)
        err = remove_old(tx, &sms_parked_stmt, SMS_PARKED_HOURS, &parked, &result->has_more);
    result->sms_removed = parts + parked;
    if (err == ERR_OK)
        err = remove_sign_ins(tx, result);
    return err;
}

enum err
housekeeping_run(struct db *db, const struct clock *clock, struct housekeeping_result *out)
{
    struct run run = { .clock = clock };
    enum err err = db_run_across(db, "retention", run_in, &run);

    *out = run.result;
    return err;
}
