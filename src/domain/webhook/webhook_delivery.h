/*
 * From the event log to the endpoints: fan-out by a cursor, then one chain of attempts per (event, endpoint),
 * leased and fenced like everything that leaves the house. Each attempt is kept.
 */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_DELIVERY_H
#define DOMAIN_WEBHOOK_WEBHOOK_DELIVERY_H
#include "domain/event/event.h"
#include "domain/webhook/webhook_endpoint.h"
#include "domain/webhook/webhook_schedule.h"

#define WEBHOOK_FANOUT_MAX 200u
#define WEBHOOK_CLAIM_MAX  256u

/*
 * Takes the next events off the log and makes a delivery for each endpoint that wants them; the cursor moves
 * in the same transaction. *taken_out events were passed, by us or meanwhile by another process (0: nothing
 * is ready yet). An event that cannot be read any more is told on the log and passed. As harkara_webhooks.
 */
MUST_CHECK enum err webhook_fan_out(struct db *db, const struct vault *vault, const struct clock *clock,
                                    struct arena *arena, size_t *taken_out, size_t *queued_out);

/* Where a claim's deliveries go, and how: read when it is claimed, shared by those to one endpoint. */
struct webhook_target {
    struct id tenant, endpoint;
    struct slice url;
    enum webhook_signing signing;
    struct webhook_keys *keys; /* the present generation first */
    size_t key_count;
    bool has_headers;
    uint32_t headers_generation;
    struct vault_sealed headers;
};

struct webhook_claim {
    struct id tenant, delivery, endpoint, event;
    int64_t fence;
    unsigned attempt; /* 1 for the first */
    const struct webhook_target *target;
    struct vault_sealed body;
};
/* Claims what is due, for each enabled endpoint at most per_endpoint_max at a time. Across tenants
 * ("webhook.claim"). */
MUST_CHECK enum err webhook_claim_due(struct db *db, size_t count_max, size_t per_endpoint_max,
                                      int64_t lease_ms, struct arena *arena, struct webhook_claim **out,
                                      size_t *count_out);
/* The body's octets, in an arena that is wiped. */
MUST_CHECK enum err webhook_body_open(const struct vault *vault, const struct webhook_claim *claim,
                                      struct arena *arena, struct slice *out);
/* The endpoint's own fields, as webhook_headers_lines takes them; NULL when it has none. *out is owned. */
MUST_CHECK enum err webhook_headers_open(const struct vault *vault, const struct webhook_target *target,
                                         struct secret **out);
/* Appends the value of webhook-signature, made in the vault. */
MUST_CHECK enum err webhook_sign(const struct vault *vault, const struct webhook_target *target,
                                 struct slice content, struct buf *out);

struct webhook_outcome {
    struct id tenant, delivery, endpoint;
    int64_t fence;
    unsigned attempt;
    struct webhook_attempt result;
    struct webhook_plan plan;
    struct wall_time began_at;
    int32_t latency_ms;
};
/*
 * Writes the attempt, the delivery's new state, and what it means for the endpoint: failing since, hold,
 * disabled (then what waits is canceled and webhook.disabled is told). A stale fence writes the attempt only.
 */
MUST_CHECK enum err webhook_record(struct db_tx *tx, const struct clock *clock,
                                   const struct webhook_outcome *outcome);
/* Never left: due again at once, the attempt does not count. */
MUST_CHECK enum err webhook_release(struct db_tx *tx, struct id delivery, int64_t fence, int64_t delay_ms);

struct webhook_delivery {
    struct id id, event;
    struct slice event_type, state;
    bool is_finished, is_pending;
    struct wall_time created_at, finished_at, due_at;
    struct webhook_delivery_attempt {
        unsigned number;
        struct wall_time at;
        struct slice outcome;
        int status_code; /* 0: none */
        int32_t latency_ms;
    } attempts[WEBHOOK_ATTEMPTS_MAX];
    size_t attempt_count;
};
/* An endpoint's log, newest first, limit + 1 rows. `state` is a comma-separated list of states, or has a NULL
 * ptr: any. */
MUST_CHECK enum err webhook_delivery_list(struct db_tx *tx, struct id endpoint, struct slice state,
                                          struct id before, size_t limit, struct arena *arena,
                                          struct webhook_delivery **out, size_t *count_out);

#endif
