#include "domain/webhook/webhook_log.h"
#include "domain/tenant/sealed_column.h"
#include "domain/webhook/webhook_rest.h"

/* One row per attempt, the delivery's columns repeated; deliveries without one have NULLs there. */
#define DELIVERY_COLUMNS                                                                                             \
    "d.id, d.event_id, d.event_type, d.state, d.created_at, d.finished_at, d.due_at, d.endpoint_id, a.number, a.at," \
    " a.outcome, a.status_code, a.latency_ms, a.address, a.id"

/* The attempt that is kept with the delivery. Its answer is sealed for the delivery's row. */
#define FIRST                                                                                                \
    "1::smallint AS number, d.tried_at AS at, d.outcome, d.status_code, d.latency_ms, d.address, d.id"

static const struct db_stmt delivery_list_stmt = {
    "webhook_delivery_list",
    "SELECT " DELIVERY_COLUMNS
    " FROM (SELECT * FROM (SELECT id, tenant_id, endpoint_id, event_id, event_type, state,"
    " created_at, finished_at, due_at, tried_at, outcome, status_code, latency_ms, address FROM webhook_delivery WHERE tenant_id = $1 AND endpoint_id = $2"
    " AND ($3::text IS NULL OR state = ANY (string_to_array($3, ',')))"
    " AND ($6::text IS NULL OR event_type = ANY (string_to_array($6, ',')))"
    " AND ($7::uuid IS NULL OR event_id = $7) AND ($8::timestamptz IS NULL OR created_at >= $8)"
    " AND ($9::timestamptz IS NULL OR created_at < $9)"
    " AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5) page) d"
    " LEFT JOIN LATERAL (SELECT " FIRST
    " WHERE d.tried_at IS NOT NULL UNION ALL (SELECT t.number, t.at, t.outcome,"
    " t.status_code, t.latency_ms, t.address, t.id FROM webhook_attempt t WHERE t.tenant_id = $1 AND t.delivery_id = d.id"
    " ORDER BY t.number DESC LIMIT 8) ORDER BY number DESC LIMIT 8) a ON true"
    " ORDER BY d.id DESC, a.number LIMIT 2000" /* 101 deliveries of WEBHOOK_LOG_ATTEMPTS_LIST */
};
static const struct db_stmt delivery_get_stmt = {
    "webhook_delivery_get",
    "SELECT " DELIVERY_COLUMNS ", a.answer_key_version, a.answer_ct, a.answer_iv, a.answer_tag"
    " FROM (SELECT id, endpoint_id, event_id, event_type, state, created_at, finished_at, due_at, tried_at, outcome,"
    " status_code, latency_ms, address, answer_key_version, answer_ct, answer_iv, answer_tag"
    " FROM webhook_delivery WHERE tenant_id = $1 AND id = $2) d"
    " LEFT JOIN LATERAL (SELECT " FIRST ", d.answer_key_version, d.answer_ct, d.answer_iv, d.answer_tag"
    " WHERE d.tried_at IS NOT NULL UNION ALL (SELECT t.number, t.at, t.outcome, t.status_code, t.latency_ms, t.address, t.id,"
    " t.answer_key_version, t.answer_ct, t.answer_iv, t.answer_tag FROM webhook_attempt t WHERE t.tenant_id = $1"
    " AND t.delivery_id = d.id ORDER BY t.number DESC LIMIT 50) ORDER BY number DESC LIMIT 50) a ON true"
    " ORDER BY a.number LIMIT 50" /* WEBHOOK_LOG_ATTEMPTS_ONE */
};

static enum err
delivery_from_row(const struct db_rows *rows, size_t row, size_t attempts_max, struct arena *arena,
                  struct webhook_delivery *out)
{
    *out = (struct webhook_delivery){ .id = db_id(rows, row, 0),
                                      .event = db_id(rows, row, 1),
                                      .event_type = arena_copy(arena, db_text(rows, row, 2)),
                                      .state = arena_copy(arena, db_text(rows, row, 3)),
                                      .created_at = db_time(rows, row, 4),
                                      .is_finished = !db_is_null(rows, row, 5),
                                      .due_at = db_time(rows, row, 6),
                                      .endpoint = db_id(rows, row, 7),
                                      .attempts = arena_array(arena, attempts_max, sizeof(*out->attempts)) };
    out->is_pending = slice_eq(out->state, SLICE("pending"));
    if (out->is_finished)
        out->finished_at = db_time(rows, row, 5);
    return out->event_type.ptr == NULL || out->state.ptr == NULL || out->attempts == NULL ? ERR_NO_MEMORY
                                                                                          : ERR_OK;
}

static enum err
attempt_from_row(const struct db_rows *rows, size_t row, bool with_answer, size_t attempts_max,
                 struct arena *arena, struct webhook_delivery *delivery)
{
    if (db_is_null(rows, row, 8) || delivery->attempt_count == attempts_max)
        return ERR_OK;
    struct webhook_log_attempt *attempt = &delivery->attempts[delivery->attempt_count++];
    *attempt = (struct webhook_log_attempt){ .number = (unsigned)db_i64(rows, row, 8),
                                             .at = db_time(rows, row, 9),
                                             .outcome = arena_copy(arena, db_text(rows, row, 10)),
                                             .status_code =
                                                 db_is_null(rows, row, 11) ? 0 : (int)db_i64(rows, row, 11),
                                             .latency_ms = (int32_t)db_i64(rows, row, 12),
                                             .address = arena_copy(arena, db_text(rows, row, 13)),
                                             .id = db_id(rows, row, 14) };
    if (attempt->outcome.ptr == NULL || attempt->address.ptr == NULL)
        return ERR_NO_MEMORY;
    attempt->has_answer = with_answer && !db_is_null(rows, row, 15);
    return attempt->has_answer
               ? sealed_column_read(rows, row, 16, (uint32_t)db_i64(rows, row, 15), arena, &attempt->answer)
               : ERR_OK;
}

enum err
webhook_delivery_list(struct db_tx *tx, struct id endpoint, const struct webhook_delivery_filter *filter,
                      struct id before, size_t limit, struct arena *arena, struct webhook_delivery **out,
                      size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct webhook_delivery *deliveries = arena_array(arena, limit + 1, sizeof(*deliveries));
    size_t count = 0;
    enum err err = deliveries == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK)
        err = db_query(tx, &delivery_list_stmt,
                       DB_ARGS(DB_ID(endpoint), DB_TEXT(filter->states),
                               id_is_zero(before) ? DB_NULL : DB_ID(before), DB_I64((int64_t)limit + 1),
                               DB_TEXT(filter->types),
                               id_is_zero(filter->event) ? DB_NULL : DB_ID(filter->event),
                               filter->has_after ? DB_TIME(filter->after) : DB_NULL,
                               filter->has_before ? DB_TIME(filter->before) : DB_NULL),
                       &rows);
    size_t rows_count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < rows_count; i++) {
        if (count == 0 || !id_eq(deliveries[count - 1].id, db_id(rows, i, 0))) {
            if (count == limit + 1)
                break;
            err = delivery_from_row(rows, i, WEBHOOK_LOG_ATTEMPTS_LIST, arena, &deliveries[count]);
            count++;
        }
        if (err == ERR_OK)
            err = attempt_from_row(rows, i, false, WEBHOOK_LOG_ATTEMPTS_LIST, arena, &deliveries[count - 1]);
    }
    db_rows_free(rows);
    if (err == ERR_OK) {
        *out = deliveries;
        *count_out = count;
    }
    return err;
}

enum err
webhook_delivery_get(struct db_tx *tx, struct id delivery, struct arena *arena, struct webhook_delivery *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &delivery_get_stmt, DB_ARGS(DB_ID(delivery)), &rows);
    size_t rows_count = err == ERR_OK ? db_rows_count(rows) : 0;

    if (err == ERR_OK)
        err = rows_count == 0 ? ERR_NOT_FOUND
                              : delivery_from_row(rows, 0, WEBHOOK_LOG_ATTEMPTS_ONE, arena, out);
    for (size_t i = 0; err == ERR_OK && i < rows_count; i++)
        err = attempt_from_row(rows, i, true, WEBHOOK_LOG_ATTEMPTS_ONE, arena, out);
    db_rows_free(rows);
    return err;
}

/* The endpoint's row is held, so that one that is being disabled just now cancels this too. */
static const struct db_stmt delivery_endpoint_stmt = {
    "webhook_delivery_endpoint",
    "SELECT w.state FROM webhook_endpoint w WHERE w.tenant_id = $1 AND w.id = (SELECT d.endpoint_id"
    " FROM webhook_delivery d WHERE d.tenant_id = $1 AND d.id = $2) FOR SHARE"
};
static const struct db_stmt delivery_again_stmt = {
    "webhook_delivery_again",
    "UPDATE webhook_delivery SET state = 'pending', attempt = 0, due_at = now(), finished_at = NULL, lease_until = NULL"
    " WHERE tenant_id = $1 AND id = $2 AND (state <> 'pending' OR lease_until IS NULL OR lease_until < now())"
};

enum err
webhook_delivery_again(struct db_tx *tx, struct id delivery, struct arena *arena,
                       struct webhook_delivery *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &delivery_endpoint_stmt, DB_ARGS(DB_ID(delivery)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK && !slice_eq(db_text(rows, 0, 0), SLICE("enabled")))
        err = slice_eq(db_text(rows, 0, 0), SLICE("deleted")) ? ERR_NOT_FOUND : ERR_STATE_CONFLICT;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = db_exec(tx, &delivery_again_stmt, DB_ARGS(DB_ID(delivery)), NULL);
    if (err == ERR_OK)
        err = webhook_wake(tx);
    return err == ERR_OK ? webhook_delivery_get(tx, delivery, arena, out) : err;
}
