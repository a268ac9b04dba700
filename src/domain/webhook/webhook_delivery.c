#include "domain/webhook/webhook_delivery.h"
#include "domain/tenant/sealed_column.h"

/* Out: under a lease that runs, and that is none which a clock ahead has given. */
#define LEASE_RUNS "BETWEEN now() AND now() + make_interval(secs => $1 / 500.0)"

/*
 * Each endpoint offers what it may have more of; each tenant is given of that what it may have more of, an
 * endpoint's first before another's second, so that one that hangs does not hold its tenant's share. What is
 * out is counted by its lease.
 */
static const struct db_stmt webhook_claim_stmt = {
    "webhook_claim",
    "UPDATE webhook_delivery d SET lease_until = now() + make_interval(secs => $1 / 1000.0), fence = d.fence + 1,"
    " attempt = d.attempt + 1 FROM (SELECT p.tenant_id, p.id FROM (SELECT t.*, row_number() OVER (PARTITION BY t.tenant_id"
    " ORDER BY t.turn, t.due_at) AS place FROM (SELECT w.tenant_id, w.id, w.due_at,"
    " b.busy + row_number() OVER (PARTITION BY e.id ORDER BY w.due_at) AS turn"
    " FROM webhook_endpoint e CROSS JOIN LATERAL (SELECT count(*) AS busy FROM webhook_delivery l"
    " WHERE l.tenant_id = e.tenant_id AND l.endpoint_id = e.id AND l.state = 'pending' AND l.lease_until IS NOT NULL"
    " AND l.lease_until " LEASE_RUNS ") b"
    " CROSS JOIN LATERAL (SELECT q.tenant_id, q.id, q.due_at FROM webhook_delivery q"
    " WHERE q.endpoint_id = e.id AND q.state = 'pending' AND q.due_at <= now()"
    " AND (q.lease_until IS NULL OR q.lease_until NOT " LEASE_RUNS ") ORDER BY q.due_at"
    " LIMIT greatest(0, CASE WHEN e.failures >= $6 THEN 1 ELSE $2 END - b.busy) FOR UPDATE SKIP LOCKED) w"
    " WHERE e.state = 'enabled' AND e.not_before <= now() AND (e.failures > 0) = $5) t) p"
    " WHERE p.place <= $4 - (SELECT count(*) FROM webhook_delivery l WHERE l.tenant_id = p.tenant_id"
    " AND l.state = 'pending' AND l.lease_until IS NOT NULL AND l.lease_until " LEASE_RUNS ")"
    " ORDER BY p.turn, p.due_at LIMIT $3) due"
    " WHERE d.tenant_id = due.tenant_id AND d.id = due.id"
    " RETURNING d.tenant_id, d.id, d.endpoint_id, d.event_id, d.fence, d.attempt, d.key_version, d.body_ct, d.body_iv,"
    " d.body_tag"
};
static const struct db_stmt targets_stmt = {
    "webhook_targets",
    "SELECT tenant_id, id, url, signature, headers_generation, headers_key_version, headers_ct, headers_iv, headers_tag,"
    " failures > 0, client_generation, client_certificate, client_not_after, client_key_key_version, client_key_ct,"
    " client_key_iv, client_key_tag FROM webhook_endpoint WHERE id = ANY ($1) ORDER BY id LIMIT 256" /* WEBHOOK_CLAIM_MAX
                                                                                                      */
};

static enum err
target_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct webhook_target *out)
{
    *out = (struct webhook_target){ .tenant = db_id(rows, row, 0),
                                    .endpoint = db_id(rows, row, 1),
                                    .url = arena_copy(arena, db_text(rows, row, 2)),
                                    .signing = webhook_signing_from(db_text(rows, row, 3)),
                                    .headers_generation = (uint32_t)db_i64(rows, row, 4),
                                    .has_headers = !db_is_null(rows, row, 5),
                                    .is_failing = db_bool(rows, row, 9),
                                    .client_generation = (uint32_t)db_i64(rows, row, 10),
                                    .has_client = !db_is_null(rows, row, 11) };
    enum err err = out->url.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK && out->has_headers)
        err = sealed_column_read(rows, row, 6, (uint32_t)db_i64(rows, row, 5), arena, &out->headers);
    if (err != ERR_OK || !out->has_client)
        return err;
    out->client_certificate = arena_copy(arena, db_text(rows, row, 11));
    out->client_not_after = db_time(rows, row, 12);
    return out->client_certificate.ptr == NULL
               ? ERR_NO_MEMORY
               : sealed_column_read(rows, row, 14, (uint32_t)db_i64(rows, row, 13), arena, &out->client_key);
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
webhook_claim_due(struct db *db, const struct webhook_claim_limits *limits, struct arena *arena,
                  struct webhook_claim **out, size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;

    *count_out = 0;
    if (limits->count_max > WEBHOOK_CLAIM_MAX)
        return ERR_LIMIT;
    enum err err = db_begin_across(db, "webhook.claim", &tx);
    if (err == ERR_OK)
        err = db_query(&tx, &webhook_claim_stmt,
                       DB_ARGS(DB_I64(limits->lease_ms), DB_I64((int64_t)limits->per_endpoint_max),
                               DB_I64((int64_t)limits->count_max), DB_I64((int64_t)limits->per_tenant_max),
                               DB_BOOL(limits->is_failing), DB_I64(WEBHOOK_BREAKER_FAILURES)),
                       &rows);
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
webhook_client_key_open(const struct vault *vault, const struct webhook_target *target, struct secret **out)
{
    struct vault_place place =
        webhook_client_key_place(target->tenant, target->endpoint, target->client_generation);

    *out = NULL;
    return target->has_client ? vault_open(vault, VAULT_CREDENTIAL, &place, &target->client_key, out)
                              : ERR_OK;
}

enum err
webhook_sign(const struct vault *vault, const struct webhook_target *target, struct slice content,
             struct buf *out)
{
    return webhook_keys_sign(vault, target->tenant, target->endpoint, target->keys, target->key_count,
                             target->signing, content, out);
}

struct vault_place
webhook_answer_place(struct id tenant, struct id attempt_row)
{
    return (struct vault_place){
        .tenant = tenant, .table = "webhook_attempt", .column = "answer", .row = attempt_row
    };
}

/* Attempts are numbered through, also those of a delivery that is made again. */
static const struct db_stmt attempt_insert_stmt = {
    "webhook_attempt_insert",
    "INSERT INTO webhook_attempt (tenant_id, id, delivery_id, number, at, outcome, status_code, latency_ms, address,"
    " answer_key_version, answer_ct, answer_iv, answer_tag) SELECT $1, $2, $3, coalesce((SELECT max(a.number)"
    " FROM webhook_attempt a WHERE a.tenant_id = $1 AND a.delivery_id = $3), 0) + 1, $4, $5, $6::smallint, $7, $8,"
    " $9::integer, $10::bytea, $11::bytea, $12::bytea"
};
static const struct db_stmt delivery_settle_stmt = {
    "webhook_delivery_settle",
    "UPDATE webhook_delivery SET state = $4, due_at = now() + make_interval(secs => $5 / 1000.0), lease_until = NULL,"
    " finished_at = CASE WHEN $4 = 'pending' THEN NULL ELSE now() END"
    " WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'pending'"
};
/*
 * Failing since the first failure after the last success; five days of nothing else, and it is left alone. A
 * success that changes nothing finds no row.
 */
static const struct db_stmt endpoint_note_stmt = {
    "webhook_endpoint_note",
    "UPDATE webhook_endpoint e SET failures = CASE WHEN $3 THEN 0 ELSE o.failures + 1 END,"
    " failing_since = CASE WHEN $3 THEN NULL ELSE coalesce(o.failing_since, now()) END,"
    " notices = CASE WHEN $3 THEN 0 ELSE greatest(o.notices, o.notices_due) END,"
    " not_before = CASE WHEN $3 AND o.failures >= $8 THEN '-infinity' WHEN $3 THEN e.not_before"
    " ELSE greatest(e.not_before, now() + make_interval(secs => greatest($4, CASE WHEN o.failures + 1 >= $8"
    " THEN $7 * (1 << least(o.failures + 1 - $8, $9)::integer) ELSE 0 END) / 1000.0)) END,"
    " state = CASE WHEN o.ends THEN 'disabled' ELSE e.state END,"
    " disabled_reason = CASE WHEN o.ends THEN coalesce($5, 'failing') ELSE e.disabled_reason END,"
    " updated_at = CASE WHEN o.ends THEN now() ELSE e.updated_at END,"
    " revision = e.revision + CASE WHEN o.ends THEN 1 ELSE 0 END"
    " FROM (SELECT w.tenant_id, w.id, w.failures, w.failing_since, w.notices,"
    " $5::text IS NOT NULL OR (NOT $3 AND coalesce(w.failing_since < now() - make_interval(secs => $6), false)) AS ends,"
    " CASE WHEN $3 THEN 0 WHEN w.failing_since < now() - interval '72 hours' THEN 2"
    " WHEN w.failing_since < now() - interval '24 hours' THEN 1 ELSE 0 END AS notices_due"
    " FROM webhook_endpoint w WHERE w.tenant_id = $1 AND w.id = $2 AND w.state = 'enabled'"
    " AND NOT ($3 AND w.failures = 0 AND w.failing_since IS NULL) FOR UPDATE) o"
    " WHERE e.tenant_id = $1 AND e.id = o.id"
    " RETURNING e.state, e.notices > o.notices, e.notices, e.failures, e.failing_since, e.disabled_reason"
};
static const struct db_stmt endpoint_cancel_stmt = {
    "webhook_endpoint_cancel",
    "UPDATE webhook_delivery SET state = 'canceled', finished_at = now(), lease_until = NULL"
    " WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'pending'"
};

/* To the tenant's other endpoints; the fan-out passes by the one it is about. */
static enum err
endpoint_tell(struct db_tx *tx, const struct clock *clock, struct id endpoint, enum event_type type,
              const struct db_rows *row)
{
    char since[WALL_TEXT_BYTES];
    struct slice reason = db_text(row, 0, 5);
    struct buf data;

    buf_init(&data, 512);
    if (db_is_null(row, 0, 4))
        buf_add_text(&data, "{\"failing_since\":null");
    else
        buf_add_format(&data, "{\"failing_since\":\"%.*s\"",
                       SLICE_FMT(wall_print(db_time(row, 0, 4), since)));
    buf_add_format(&data, ",\"failures\":%lld", (long long)db_i64(row, 0, 3));
    if (type == EVENT_WEBHOOK_ENDPOINT_DISABLED)
        buf_add_format(&data, ",\"reason\":\"%.*s\"", SLICE_FMT(reason)); /* a word of ours */
    buf_add_byte(&data, '}');
    enum err err = buf_done(&data);
    if (err == ERR_OK)
        err = event_append(tx, &(struct event){ .id = id_new(clock),
                                                .type = type,
                                                .subject = endpoint,
                                                .occurred_at = clock_wall(clock),
                                                .data = buf_slice(&data) });
    buf_release(&data);
    return err;
}

static enum err
endpoint_note(struct db_tx *tx, const struct clock *clock, const struct webhook_outcome *outcome)
{
    const struct webhook_plan *plan = &outcome->plan;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &endpoint_note_stmt,
                            DB_ARGS(DB_ID(outcome->endpoint), DB_BOOL(plan->verdict == WEBHOOK_DELIVERED),
                                    DB_I64(plan->endpoint_hold_ms), DB_TEXT_Z(plan->disables),
                                    DB_I64(WEBHOOK_DISABLE_AFTER_S), DB_I64(plan->probe_ms),
                                    DB_I64(WEBHOOK_BREAKER_FAILURES), DB_I64(WEBHOOK_PROBE_DOUBLINGS)),
                            &rows);

    if (err != ERR_OK || db_rows_count(rows) == 0)
        goto done;
    if (slice_eq(db_text(rows, 0, 0), SLICE("disabled"))) {
        err = db_exec(tx, &endpoint_cancel_stmt, DB_ARGS(DB_ID(outcome->endpoint)), NULL);
        if (err == ERR_OK)
            err = endpoint_tell(tx, clock, outcome->endpoint, EVENT_WEBHOOK_ENDPOINT_DISABLED, rows);
    } else if (db_bool(rows, 0, 1)) {
        err = endpoint_tell(tx, clock, outcome->endpoint, EVENT_WEBHOOK_ENDPOINT_FAILING, rows);
    }
done:
    db_rows_free(rows);
    return err;
}

enum err
webhook_record(struct db_tx *tx, const struct clock *clock, const struct webhook_outcome *outcome)
{
    static const char *const states[] = {
        [WEBHOOK_DELIVERED] = "delivered", [WEBHOOK_RETRY] = "pending", [WEBHOOK_GIVEN_UP] = "failed"
    };
    const struct vault_sealed *answer = &outcome->answer;
    bool has_answer = outcome->has_answer;
    size_t settled = 0;
    enum err err = db_exec_one(
        tx, &attempt_insert_stmt,
        DB_ARGS(DB_ID(outcome->attempt_row), DB_ID(outcome->delivery), DB_TIME(outcome->began_at),
                DB_TEXT_Z(webhook_result_word(outcome->result.result)),
                outcome->result.status == 0 ? DB_NULL : DB_I64(outcome->result.status),
                DB_I64(outcome->latency_ms), outcome->address.len == 0 ? DB_NULL : DB_TEXT(outcome->address),
                has_answer ? DB_I64(answer->key_version) : DB_NULL,
                has_answer ? DB_BYTES(answer->cipher) : DB_NULL,
                has_answer ? DB_BYTES(slice_of(answer->iv, VAULT_IV_BYTES)) : DB_NULL,
                has_answer ? DB_BYTES(slice_of(answer->tag, VAULT_TAG_BYTES)) : DB_NULL));

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
