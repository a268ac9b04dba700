/*
 * Deliveries that were claimed and wait for their turn to be posted. More is claimed than may be under way,
 * so that many are prepared and recorded together; what is posted at once stays within the shares: so many of
 * an endpoint, of a tenant, and in all, the endpoints in turn. An endpoint that fails gets nothing more of
 * what waits: it goes back, and comes again when the endpoint's hold is over. The loop's own; no lock.
 */
#ifndef PROGRAM_WEBHOOKS_DELIVERY_LANES_H
#define PROGRAM_WEBHOOKS_DELIVERY_LANES_H
#include "program/webhooks/delivery_job.h"

struct delivery_lanes;

struct delivery_lanes_config {
    size_t in_flight_max, per_tenant_max, per_endpoint_max; /* at once */
    int64_t
        wait_ms_max; /* what has waited longer does not leave any more: its lease must outlast the attempt */
};

/* NULL: no memory. */
struct delivery_lanes *delivery_lanes_new(const struct delivery_lanes_config *config);
/* When nothing waits any more. Accepts NULL. */
void delivery_lanes_free(struct delivery_lanes *lanes);

/* Taken: it waits, behind those to the same endpoint. ERR_NO_MEMORY: not taken. */
MUST_CHECK enum err delivery_lanes_put(struct delivery_lanes *lanes, struct delivery_job *job,
                                       struct mono_time now);
/* The next that may leave now: it is the caller's and counts as under way. NULL: none. */
struct delivery_job *delivery_lanes_next(struct delivery_lanes *lanes);
/* It is not under way any more; before the job is handed on. */
void delivery_lanes_end(struct delivery_lanes *lanes, const struct delivery_job *job);

/* Takes out what waits, as a list through delivery_job_next: for this endpoint, ... */
struct delivery_job *delivery_lanes_take_endpoint(struct delivery_lanes *lanes, struct id endpoint);
/* ... what has waited too long, ... */
struct delivery_job *delivery_lanes_take_stale(struct delivery_lanes *lanes, struct mono_time now);
/* ... or all. */
struct delivery_job *delivery_lanes_take_all(struct delivery_lanes *lanes);
size_t delivery_lanes_waiting(const struct delivery_lanes *lanes);

#endif
