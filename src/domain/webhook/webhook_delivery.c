#include "domain/tenant/sealed_column.h"
#include "domain/webhook/webhook_target_internal.h"
#include "domain/webhook/webhook_waits_internal.h"

/*
 * Whose lease is over waits again: that of a process that died, and one that a clock ahead has given. Another
 * process that does the same is passed by.
 */
static const struct db_stmt leases_end_stmt = {
    "webhook_leases_end",
    "WITH l AS MATERIALIZED (SELECT q.tenant_id, q.id FROM webhook_delivery q"
    " WHERE q.state = 'pending' AND q.lease_until IS NOT NULL"
    " AND q.lease_until NOT BETWEEN now() AND now() + make_interval(secs => $1 / 500.0) LIMIT 1000"
    " FOR UPDATE SKIP LOCKED)"
    " UPDATE webhook_delivery d SET lease_until = NULL FROM l WHERE d.tenant_id = l.tenant_id AND d.id = l.id"
};
/*
 * Each endpoint for which something waits offers what it may have more of; each tenant is given of that what
 * it may have more of, an endpoint's first before another's second, so that one that hangs does not hold its
 * tenant's share. What is out is counted by its lease; not what was handed over, which had no claim.
 */
static const struct db_stmt webhook_claim_stmt = {
    "webhook_claim",
    "WITH RECURSIVE " WEBHOOK_WAITS ","
    " due AS MATERIALIZED (SELECT p.tenant_id, p.id FROM (SELECT t.*, row_number() OVER (PARTITION BY t.tenant_id"
    " ORDER BY t.turn, t.due_at) AS place FROM (SELECT w.tenant_id, w.id, w.due_at,"
    " b.busy + row_number() OVER (PARTITION BY e.id ORDER BY w.due_at) AS turn"
    " FROM waits x JOIN webhook_endpoint e ON e.tenant_id = x.tenant_id AND e.id = x.endpoint_id"
    " CROSS JOIN LATERAL (SELECT count(*) AS busy FROM webhook_delivery l WHERE l.tenant_id = e.tenant_id"
    " AND l.endpoint_id = e.id AND l.state = 'pending' AND l.lease_until IS NOT NULL AND l.fence > 0) b"
    " CROSS JOIN LATERAL (SELECT q.tenant_id, q.id, q.due_at FROM webhook_delivery q"
    " WHERE q.endpoint_id = e.id AND q.state = 'pending' AND q.lease_until IS NULL AND q.due_at <= now()"
    " ORDER BY q.due_at LIMIT greatest(0, CASE WHEN e.failures >= $6 THEN 1 ELSE $2 END - b.busy)"
    " FOR UPDATE SKIP LOCKED) w"
    " WHERE e.state = 'enabled' AND e.not_before <= now() AND (e.failures > 0) = $5) t) p"
    " WHERE p.place <= $4 - (SELECT count(*) FROM webhook_delivery l WHERE l.tenant_id = p.tenant_id"
    " AND l.state = 'pending' AND l.lease_until IS NOT NULL AND l.fence > 0)"
    " ORDER BY p.turn, p.due_at LIMIT $3)"
    " UPDATE webhook_delivery d SET lease_until = now() + make_interval(secs => $1 / 1000.0), fence = d.fence + 1,"
    " attempt = d.attempt + 1 FROM due WHERE d.tenant_id = due.tenant_id AND d.id = due.id"
    " RETURNING d.tenant_id, d.id, d.endpoint_id, d.event_id, d.fence, d.attempt, d.key_version, d.body_ct, d.body_iv,"
    " d.body_tag"
};

/* The endpoints of what was claimed, with their keys, in the same transaction; then each claim is given its
 * own. */
static enum err
targets_give(struct db_tx *tx, struct arena *arena, struct webhook_claim *claims, size_t count)
{
    struct id *endpoints = arena_array(arena, count, sizeof(*endpoints));
    struct webhook_target *targets = NULL;
    size_t endpoint_count = 0, target_count = 0;
    enum err err = endpoints == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) /* most come one behind the other */
        if (endpoint_count == 0 || !id_eq(endpoints[endpoint_count - 1], claims[i].endpoint))
            endpoints[endpoint_count++] = claims[i].endpoint;
    if (err == ERR_OK)
        err = webhook_targets_read(tx, arena, endpoints, endpoint_count, &targets, &target_count);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        claims[i].target = webhook_target_find(targets, target_count, claims[i].endpoint);
        if (claims[i].target == NULL)
            err = ERR_DB_STATEMENT; /* their rows are never removed */
    }
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
        err = db_later(&tx, &leases_end_stmt, DB_ARGS(DB_I64(limits->lease_ms)), NULL);
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
        err = targets_give(&tx, arena, claims, count);
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

struct vault_ask
webhook_body_ask(const struct webhook_claim *claim)
{
    struct vault_place place = {
        .tenant = claim->tenant, .table = "webhook_delivery", .column = "body", .row = claim->delivery
    };

    return vault_ask_open(VAULT_CONTENT, &place, &claim->body);
}

struct vault_ask
webhook_headers_ask(const struct webhook_target *target)
{
    struct vault_place place =
        webhook_headers_place(target->tenant, target->endpoint, target->headers_generation);

    return vault_ask_open(VAULT_CREDENTIAL, &place, &target->headers);
}

struct vault_ask
webhook_client_key_ask(const struct webhook_target *target)
{
    struct vault_place place =
        webhook_client_key_place(target->tenant, target->endpoint, target->client_generation);

    return vault_ask_open(VAULT_CREDENTIAL, &place, &target->client_key);
}

struct vault_place
webhook_answer_place(struct id tenant, struct id attempt_row)
{
    return (struct vault_place){
        .tenant = tenant, .table = "webhook_attempt", .column = "answer", .row = attempt_row
    };
}
