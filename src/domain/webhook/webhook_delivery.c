#include "domain/webhook/webhook_delivery.h"
#include "domain/tenant/sealed_column.h"

static const struct db_stmt webhook_claim_stmt = {
    "webhook_claim",
    "UPDATE webhook_delivery d SET lease_until = now() + make_interval(secs => $1 / 1000.0), fence = d.fence + 1,"
    " attempt = d.attempt + 1"
    " FROM (SELECT w.tenant_id, w.id FROM webhook_endpoint e CROSS JOIN LATERAL (SELECT p.tenant_id, p.id, p.due_at"
    " FROM webhook_delivery p WHERE p.endpoint_id = e.id AND p.state = 'pending' AND p.due_at <= now()"
    " AND (p.lease_until IS NULL OR p.lease_until < now()) ORDER BY p.due_at"
    " LIMIT greatest(0, $2 - (SELECT count(*) FROM webhook_delivery l WHERE l.endpoint_id = e.id AND l.state = 'pending'"
    " AND l.lease_until >= now())) FOR UPDATE SKIP LOCKED) w"
    " WHERE e.state = 'enabled' AND e.not_before <= now() ORDER BY w.due_at LIMIT $3) due"
    " WHERE d.tenant_id = due.tenant_id AND d.id = due.id"
    " RETURNING d.tenant_id, d.id, d.endpoint_id, d.event_id, d.fence, d.attempt, d.key_version, d.body_ct, d.body_iv,"
    " d.body_tag"
};
static const struct db_stmt targets_stmt = {
    "webhook_targets",
    "SELECT tenant_id, id, url, signature, headers_generation, headers_key_version, headers_ct, headers_iv, headers_tag"
    " FROM webhook_endpoint WHERE id = ANY ($1) ORDER BY id LIMIT 256" /* WEBHOOK_CLAIM_MAX */
};

static enum err
target_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct webhook_target *out)
{
    *out = (struct webhook_target){ .tenant = db_id(rows, row, 0),
                                    .endpoint = db_id(rows, row, 1),
                                    .url = arena_copy(arena, db_text(rows, row, 2)),
                                    .signing = webhook_signing_from(db_text(rows, row, 3)),
                                    .headers_generation = (uint32_t)db_i64(rows, row, 4),
                                    .has_headers = !db_is_null(rows, row, 5) };
    if (out->url.ptr == NULL)
        return ERR_NO_MEMORY;
    return out->has_headers
               ? sealed_column_read(rows, row, 6, (uint32_t)db_i64(rows, row, 5), arena, &out->headers)
               : ERR_OK;
}

/* The endpoints of what was claimed, with their keys, in the same transaction; then each claim is given its
 * own. */
static enum err
targets_read(struct db_tx *tx, struct arena *arena, struct webhook_claim *claims, size_t count)
{
    struct id *endpoints = arena_array(arena, count, sizeof(*endpoints)), *key_endpoints = NULL;
    struct webhook_keys *keys = NULL;
    struct db_rows *rows = NULL;
    size_t key_count = 0;
    enum err err = endpoints == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        endpoints[i] = claims[i].endpoint;
    if (err == ERR_OK)
        err = db_query(tx, &targets_stmt, DB_ARGS(DB_ID_ARRAY(endpoints, count)), &rows);
    if (err == ERR_OK)
        err = webhook_keys_live(tx, endpoints, count, arena, &key_endpoints, &keys, &key_count);
    size_t target_count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct webhook_target *targets = arena_array(arena, target_count, sizeof(*targets));
    if (err == ERR_OK && targets == NULL)
        err = ERR_NO_MEMORY;
    for (size_t t = 0; err == ERR_OK && t < target_count; t++) {
        err = target_from_row(rows, t, arena, &targets[t]);
        for (size_t k = 0; k < key_count; k++) { /* they come by endpoint: one run of them is this one's */
            if (!id_eq(key_endpoints[k], targets[t].endpoint))
                continue;
            if (targets[t].key_count++ == 0)
                targets[t].keys = &keys[k];
        }
        for (size_t i = 0; i < count; i++)
            if (id_eq(claims[i].endpoint, targets[t].endpoint))
                claims[i].target = &targets[t];
    }
    db_rows_free(rows);
    return err;
}

enum err
webhook_claim_due(struct db *db, size_t count_max, size_t per_endpoint_max, int64_t lease_ms,
                  struct arena *arena, struct webhook_claim **out, size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;

    if (count_max > WEBHOOK_CLAIM_MAX)
        return ERR_LIMIT;
    enum err err = db_begin_across(db, "webhook.claim", &tx);
    if (err == ERR_OK)
        err = db_query(
            &tx, &webhook_claim_stmt,
            DB_ARGS(DB_I64(lease_ms), DB_I64((int64_t)per_endpoint_max), DB_I64((int64_t)count_max)), &rows);
    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct webhook_claim *claims = arena_array(arena, count, sizeof(*claims));
    if (claims == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        claims[i] = (struct webhook_claim){ .tenant = db_id(rows, i, 0),
                                            .delivery = db_id(rows, i, 1),
                                            .endpoint = db_id(rows, i, 2),
                                            .event = db_id(rows, i, 3),
                                            .fence = db_i64(rows, i, 4),
                                            .attempt = (unsigned)db_i64(rows, i, 5) };
        err = sealed_column_read(rows, i, 7, (uint32_t)db_i64(rows, i, 6), arena, &claims[i].body);
    }
    if (err == ERR_OK && count > 0)
        err = targets_read(&tx, arena, claims, count);
    if (err == ERR_OK)
        err = db_commit(&tx);
    if (err == ERR_OK) {
        *out = claims;
        *count_out = count;
    }
done:
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

enum err
webhook_body_open(const struct vault *vault, const struct webhook_claim *claim, struct arena *arena,
                  struct slice *out)
{
    struct vault_place place = {
        .tenant = claim->tenant, .table = "webhook_delivery", .column = "body", .row = claim->delivery
    };

    return vault_open_content(vault, &place, &claim->body, arena, out);
}

enum err
webhook_headers_open(const struct vault *vault, const struct webhook_target *target, struct secret **out)
{
    struct vault_place place =
        webhook_headers_place(target->tenant, target->endpoint, target->headers_generation);

    *out = NULL;
    return target->has_headers ? vault_open(vault, VAULT_CREDENTIAL, &place, &target->headers, out) : ERR_OK;
}

enum err
webhook_sign(const struct vault *vault, const struct webhook_target *target, struct slice content,
             struct buf *out)
{
    return webhook_keys_sign(vault, target->tenant, target->endpoint, target->keys, target->key_count,
                             target->signing, content, out);
}

static const struct db_stmt attempt_insert_stmt = {
    "webhook_attempt_insert",
    "INSERT INTO webhook_attempt (tenant_id, id, delivery_id, number, at, outcome, status_code, latency_ms)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
};
static const struct db_stmt delivery_settle_stmt = {
    "webhook_delivery_settle",
    "UPDATE webhook_delivery SET state = $4, due_at = now() + make_interval(secs => $5 / 1000.0), lease_until = NULL,"
    " finished_at = CASE WHEN $4 = 'pending' THEN NULL ELSE now() END"
    " WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'pending'"
};
/* Failing since the first failure after the last success; five days of nothing else, and it is left alone. */
static const struct db_stmt endpoint_note_stmt = {
    "webhook_endpoint_note",
    "UPDATE webhook_endpoint SET failing_since = CASE WHEN $3 THEN NULL ELSE coalesce(failing_since, now()) END,"
    " not_before = CASE WHEN $3 THEN not_before ELSE greatest(not_before, now() + make_interval(secs => $4 / 1000.0)) END,"
    " state = CASE WHEN $5::text IS NOT NULL OR (NOT $3 AND failing_since < now() - make_interval(secs => $6))"
    " THEN 'disabled' ELSE state END,"
    " disabled_reason = CASE WHEN $5::text IS NOT NULL THEN $5"
    " WHEN NOT $3 AND failing_since < now() - make_interval(secs => $6) THEN 'failing' ELSE disabled_reason END,"
    " updated_at = CASE WHEN $5::text IS NOT NULL OR (NOT $3 AND failing_since < now() - make_interval(secs => $6))"
    " THEN now() ELSE updated_at END,"
    " revision = revision + CASE WHEN $5::text IS NOT NULL OR (NOT $3 AND failing_since < now() - make_interval(secs => $6))"
    " THEN 1 ELSE 0 END"
    " WHERE tenant_id = $1 AND id = $2 AND state = 'enabled'"
    " AND ($5::text IS NOT NULL OR $4 > 0 OR $3 = (failing_since IS NOT NULL)"
    " OR failing_since < now() - make_interval(secs => $6)) RETURNING state, disabled_reason"
};
static const struct db_stmt endpoint_cancel_stmt = {
    "webhook_endpoint_cancel",
    "UPDATE webhook_delivery SET state = 'canceled', finished_at = now(), lease_until = NULL"
    " WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'pending'"
};

static enum err
endpoint_note(struct db_tx *tx, const struct clock *clock, const struct webhook_outcome *outcome)
{
    const struct webhook_plan *plan = &outcome->plan;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &endpoint_note_stmt,
                            DB_ARGS(DB_ID(outcome->endpoint), DB_BOOL(plan->verdict == WEBHOOK_DELIVERED),
                                    DB_I64(plan->endpoint_hold_ms), DB_TEXT_Z(plan->disables),
                                    DB_I64(WEBHOOK_DISABLE_AFTER_S)),
                            &rows);
    bool is_disabled =
        err == ERR_OK && db_rows_count(rows) == 1 && slice_eq(db_text(rows, 0, 0), SLICE("disabled"));

    db_rows_free(rows);
    if (!is_disabled)
        return err;
    struct event event = { .id = id_new(clock),
                           .type = EVENT_WEBHOOK_DISABLED,
                           .subject = outcome->endpoint,
                           .occurred_at = clock_wall(clock) };
    err = db_exec(tx, &endpoint_cancel_stmt, DB_ARGS(DB_ID(outcome->endpoint)), NULL);
    return err == ERR_OK ? event_append(tx, &event) : err;
}

enum err
webhook_record(struct db_tx *tx, const struct clock *clock, const struct webhook_outcome *outcome)
{
    static const char *const states[] = {
        [WEBHOOK_DELIVERED] = "delivered", [WEBHOOK_RETRY] = "pending", [WEBHOOK_GIVEN_UP] = "failed"
    };
    size_t settled = 0;
    enum err err = db_exec_one(tx, &attempt_insert_stmt,
                               DB_ARGS(DB_ID(id_new(clock)), DB_ID(outcome->delivery),
                                       DB_I64(outcome->attempt), DB_TIME(outcome->began_at),
                                       DB_TEXT_Z(webhook_result_word(outcome->result.result)),
                                       outcome->result.status == 0 ? DB_NULL : DB_I64(outcome->result.status),
                                       DB_I64(outcome->latency_ms)));

    if (err == ERR_OK)
        err = db_exec(tx, &delivery_settle_stmt,
                      DB_ARGS(DB_ID(outcome->delivery), DB_I64(outcome->fence),
                              DB_TEXT_Z(states[outcome->plan.verdict]), DB_I64(outcome->plan.delay_ms)),
                      &settled);
    return err == ERR_OK && settled > 0 ? endpoint_note(tx, clock, outcome) : err;
}

static const struct db_stmt delivery_release_stmt = {
    "webhook_delivery_release", "UPDATE webhook_delivery SET lease_until = NULL, attempt = attempt - 1,"
                                " due_at = now() + make_interval(secs => $4 / 1000.0)"
                                " WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'pending'"
};

enum err
webhook_release(struct db_tx *tx, struct id delivery, int64_t fence, int64_t delay_ms)
{
    return db_exec(tx, &delivery_release_stmt, DB_ARGS(DB_ID(delivery), DB_I64(fence), DB_I64(delay_ms)),
                   NULL);
}

/* One row per attempt, the delivery's columns repeated; deliveries without one have NULLs there. */
static const struct db_stmt delivery_list_stmt = {
    "webhook_delivery_list",
    "SELECT d.id, d.event_id, d.event_type, d.state, d.created_at, d.finished_at, d.due_at, a.number, a.at, a.outcome,"
    " a.status_code, a.latency_ms FROM (SELECT * FROM (SELECT id, tenant_id, event_id, event_type, state, created_at,"
    " finished_at, due_at FROM webhook_delivery WHERE tenant_id = $1 AND endpoint_id = $2"
    " AND ($3::text IS NULL OR state = ANY (string_to_array($3, ','))) AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5) page) d"
    " LEFT JOIN webhook_attempt a ON a.tenant_id = $1 AND a.delivery_id = d.id ORDER BY d.id DESC, a.number LIMIT 2000"
};

static enum err
attempt_from_row(const struct db_rows *rows, size_t row, struct arena *arena,
                 struct webhook_delivery *delivery)
{
    if (db_is_null(rows, row, 7) || delivery->attempt_count == WEBHOOK_ATTEMPTS_MAX)
        return ERR_OK;
    struct webhook_delivery_attempt *attempt = &delivery->attempts[delivery->attempt_count++];
    *attempt =
        (struct webhook_delivery_attempt){ .number = (unsigned)db_i64(rows, row, 7),
                                           .at = db_time(rows, row, 8),
                                           .outcome = arena_copy(arena, db_text(rows, row, 9)),
                                           .status_code =
                                               db_is_null(rows, row, 10) ? 0 : (int)db_i64(rows, row, 10),
                                           .latency_ms = (int32_t)db_i64(rows, row, 11) };
    return attempt->outcome.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err
webhook_delivery_list(struct db_tx *tx, struct id endpoint, struct slice state, struct id before,
                      size_t limit, struct arena *arena, struct webhook_delivery **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct webhook_delivery *deliveries = arena_array(arena, limit + 1, sizeof(*deliveries));
    size_t count = 0;
    enum err err = deliveries == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK)
        err = db_query(tx, &delivery_list_stmt,
                       DB_ARGS(DB_ID(endpoint), DB_TEXT(state), id_is_zero(before) ? DB_NULL : DB_ID(before),
                               DB_I64((int64_t)limit + 1)),
                       &rows);
    size_t rows_count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < rows_count; i++) {
        struct id id = db_id(rows, i, 0);
        if (count == 0 || !id_eq(deliveries[count - 1].id, id)) {
            if (count == limit + 1)
                break;
            deliveries[count] =
                (struct webhook_delivery){ .id = id,
                                           .event = db_id(rows, i, 1),
                                           .event_type = arena_copy(arena, db_text(rows, i, 2)),
                                           .state = arena_copy(arena, db_text(rows, i, 3)),
                                           .created_at = db_time(rows, i, 4),
                                           .is_finished = !db_is_null(rows, i, 5),
                                           .due_at = db_time(rows, i, 6) };
            deliveries[count].is_pending = slice_eq(deliveries[count].state, SLICE("pending"));
            if (deliveries[count].is_finished)
                deliveries[count].finished_at = db_time(rows, i, 5);
            if (deliveries[count].event_type.ptr == NULL || deliveries[count].state.ptr == NULL)
                err = ERR_NO_MEMORY;
            count++;
        }
        if (err == ERR_OK)
            err = attempt_from_row(rows, i, arena, &deliveries[count - 1]);
    }
    db_rows_free(rows);
    if (err == ERR_OK) {
        *out = deliveries;
        *count_out = count;
    }
    return err;
}
