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

/* Where a claim's deliveries go, and how: read when it is claimed, shared by those to one endpoint. */
struct webhook_target {
    struct id tenant, endpoint;
    struct slice url;
    enum webhook_signing signing;
    struct webhook_keys *keys; /* the present generation first */
    size_t key_count;
    bool has_headers, has_client, is_failing; /* the last attempt failed */
    uint32_t headers_generation, client_generation;
    struct vault_sealed headers, client_key;
    struct slice client_certificate; /* PEM */
    struct wall_time client_not_after;
};

struct webhook_claim {
    struct id tenant, delivery, endpoint, event;
    int64_t fence;
    unsigned attempt; /* 1 for the first */
    const struct webhook_target *target;
    struct vault_sealed body;
    struct slice plain; /* the body, when it was made just now; ptr NULL: it is to be opened */
};

/*
 * Places in the process that fans out, for deliveries that leave as soon as they are made: they are inserted
 * as leased, with an attempt begun and the fence 0, and handed over with the body that was rendered. One for
 * which there is no place, and any of an endpoint that fails or is held, waits in the table for a claim.
 */
struct webhook_places {
    void *ctx;
    bool (*take)(void *ctx, struct id tenant, struct id endpoint);      /* false: there is none */
    void (*give_back)(void *ctx, struct id tenant, struct id endpoint); /* it was not used after all */
    int64_t lease_ms;
};
struct webhook_fanned {
    size_t
        taken; /* events that were passed, by us or meanwhile by another process; 0: nothing is ready yet */
    size_t queued;                /* deliveries that were made */
    struct webhook_claim *claims; /* of these those that are handed over: each has its place */
    size_t claim_count;
};
/*
 * Takes the next events off the log and makes a delivery for each endpoint that wants them; the cursor moves
 * in the same transaction. An event that cannot be read any more is told on the log and passed. `places`
 * NULL: nothing is handed over. Claims live in the arena. As harkara_webhooks.
 */
MUST_CHECK enum err webhook_fan_out(struct db *db, const struct vault *vault, const struct clock *clock,
                                    struct arena *arena, const struct webhook_places *places,
                                    struct webhook_fanned *out);

struct webhook_claim_limits {
    size_t count_max;        /* now; at most WEBHOOK_CLAIM_MAX */
    size_t per_endpoint_max; /* of these and those that are out */
    size_t per_tenant_max;   /* likewise */
    bool is_failing; /* for endpoints whose last attempt failed, else for the others: so that the ones cannot
                        take all places from the others */
    int64_t lease_ms;
};
/*
 * Claims what is due at enabled endpoints, the longest due first; of one that has failed
 * WEBHOOK_BREAKER_FAILURES times in a row one at a time, as a probe. Across tenants ("webhook.claim").
 */
MUST_CHECK enum err webhook_claim_due(struct db *db, const struct webhook_claim_limits *limits,
                                      struct arena *arena, struct webhook_claim **out, size_t *count_out);
/*
 * Requests for vault_ask_many: the body's octets; the endpoint's own fields, as webhook_headers_lines takes
 * them, when it has any; and the private key of its client certificate, in PEM, when it has one. The
 * signature is asked for with webhook_sign_asks. What is given must live as long as the request.
 */
struct vault_ask webhook_body_ask(const struct webhook_claim *claim);
struct vault_ask webhook_headers_ask(const struct webhook_target *target);
struct vault_ask webhook_client_key_ask(const struct webhook_target *target);

struct webhook_outcome {
    struct id tenant, delivery, endpoint;
    int64_t fence;
    unsigned attempt;
    struct webhook_attempt result;
    struct webhook_plan plan;
    struct wall_time began_at;
    int32_t latency_ms;
    struct id attempt_row; /* whose row the answer is sealed for: of fence 0 the delivery, else a new one */
    struct slice address;  /* spoken to; empty: none */
    bool has_answer;       /* sealed for webhook_answer_place */
    struct vault_sealed answer; /* at most WEBHOOK_ANSWER_BYTES_MAX of it */
};
#define WEBHOOK_ANSWER_BYTES_MAX 1024u
struct vault_place webhook_answer_place(struct id tenant, struct id attempt_row);

/*
 * Writes the attempts, the deliveries' new states, and what it means for the endpoints: failures, failing
 * since, hold, probes, disabled (then what waits is canceled). After 24 and 72 hours of failure
 * webhook_endpoint.failing is told to the tenant's other endpoints, and webhook_endpoint.disabled when it is.
 * Outcomes of the transaction's tenant, in the order in which they came, each of another delivery. A stale
 * fence writes the attempt only; of a delivery that was removed nothing is written.
 */
MUST_CHECK enum err webhook_record(struct db_tx *tx, const struct clock *clock,
                                   const struct webhook_outcome *const *outcomes, size_t count,
                                   struct arena *arena);

/* It never left: due again after the delay, and the attempt does not count. */
struct webhook_given_back {
    struct id delivery;
    int64_t fence, delay_ms;
};
MUST_CHECK enum err webhook_release(struct db_tx *tx, const struct webhook_given_back *given, size_t count,
                                    struct arena *arena);

#endif
