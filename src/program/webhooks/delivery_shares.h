/*
 * Who has how much of what is out: counts by endpoint and tenant, and from them whether one more may be
 * handed over as soon as it is made. What is handed over waits in the process for its turn to be posted, so
 * an endpoint gets as much as it will have answered within a moment, by the time that its last answer took.
 * The store thread's own; no lock.
 */
#ifndef PROGRAM_WEBHOOKS_DELIVERY_SHARES_H
#define PROGRAM_WEBHOOKS_DELIVERY_SHARES_H
#include "core/err.h"
#include "core/id.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DELIVERY_PLACES_MAX 1024u /* out at once, for what is handed over ... */
#define DELIVERY_TENANT_MAX 768u  /* ... and of one tenant */
#define DELIVERY_AHEAD      8u    /* of what may be posted at once to one endpoint */
#define DELIVERY_AHEAD_MAX  64u   /* the same, when it answers fast */
#define DELIVERY_AHEAD_MS   1000  /* so long the last of them may wait for its turn */

struct delivery_shares;

struct delivery_shares_config {
    size_t per_endpoint_max; /* posted at once */
};

/* NULL: no memory. */
struct delivery_shares *delivery_shares_new(const struct delivery_shares_config *config);
void delivery_shares_free(struct delivery_shares *shares); /* accepts NULL */

/* Whether one may be handed over; it counts as out then. */
bool delivery_shares_take(struct delivery_shares *shares, struct id tenant, struct id endpoint);
/* One is out, or is not any more, however it came to be: a claim has limits of its own. */
void delivery_shares_add(struct delivery_shares *shares, struct id tenant, struct id endpoint);
void delivery_shares_end(struct delivery_shares *shares, struct id tenant, struct id endpoint);
/* How long the endpoint's last answer took; an attempt that failed: so that it gets no more than others. */
void delivery_shares_answered(struct delivery_shares *shares, struct id endpoint, bool is_well,
                              int32_t latency_ms);

#endif
