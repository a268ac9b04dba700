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
