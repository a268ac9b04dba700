#include "program/webhooks/delivery_lanes.h"
#include <stdlib.h>

/* An endpoint with something that waits or is under way; in a ring. */
struct lane {
    struct id tenant, endpoint;
    size_t in_flight;
    struct mailbox_item *first, **last; /* who wait: jobs */
    struct lane *next, *before;
};

/* At most as many lanes as jobs are out, some hundreds: they are searched one by one. */
struct delivery_lanes {
    struct delivery_lanes_config config;
    struct lane *turn; /* whose turn it is; NULL: there is none */
    size_t in_flight, waiting;
};

struct delivery_lanes *
delivery_lanes_new(const struct delivery_lanes_config *config)
{
    struct delivery_lanes *lanes = calloc(1, sizeof(*lanes));

    if (lanes != NULL)
        lanes->config = *config;
    return lanes;
}

static struct lane *
lane_find(const struct delivery_lanes *lanes, struct id endpoint)
{
    struct lane *lane = lanes->turn;

    if (lane != NULL) {
        do {
            if (id_eq(lane->endpoint, endpoint))
                return lane;
            lane = lane->next;
        } while (lane != lanes->turn);
    }
    return NULL;
}

/* The newest is the last in turn. */
static struct lane *
lane_add(struct delivery_lanes *lanes, const struct delivery_job *job)
{
    struct lane *lane = calloc(1, sizeof(*lane));

    if (lane == NULL)
        return NULL;
    lane->tenant = job->outcome.tenant;
    lane->endpoint = job->outcome.endpoint;
    lane->last = &lane->first;
    if (lanes->turn == NULL) {
        lane->next = lane->before = lane;
        lanes->turn = lane;
        return lane;
    }
    lane->next = lanes->turn;
    lane->before = lanes->turn->before;
    lane->before->next = lane->next->before = lane;
    return lane;
}

static void
lane_drop_if_empty(struct delivery_lanes *lanes, struct lane *lane)
{
    if (lane->first != NULL || lane->in_flight > 0)
        return;
    if (lanes->turn == lane)
        lanes->turn = lane->next == lane ? NULL : lane->next;
    lane->before->next = lane->next;
    lane->next->before = lane->before;
    free(lane);
}

void
delivery_lanes_free(struct delivery_lanes *lanes)
{
    if (lanes == NULL)
        return;
    for (struct lane *lane; (lane = lanes->turn) != NULL;) {
        lane->in_flight = 0;
        lane->first = NULL; /* the jobs are somebody else's */
        lane_drop_if_empty(lanes, lane);
    }
    free(lanes);
}

enum err
delivery_lanes_put(struct delivery_lanes *lanes, struct delivery_job *job, struct mono_time now)
{
    struct lane *lane = lane_find(lanes, job->outcome.endpoint);

    if (lane == NULL)
        lane = lane_add(lanes, job);
    if (lane == NULL)
        return ERR_NO_MEMORY;
    job->waits_since = now;
    job->item.next = NULL;
    *lane->last = &job->item;
    lane->last = &job->item.next;
    lanes->waiting++;
    return ERR_OK;
}

static size_t
tenant_in_flight(const struct delivery_lanes *lanes, struct id tenant)
{
    const struct lane *lane = lanes->turn;
    size_t count = 0;

    do {
        if (id_eq(lane->tenant, tenant))
            count += lane->in_flight;
        lane = lane->next;
    } while (lane != lanes->turn);
    return count;
}

struct delivery_job *
delivery_lanes_next(struct delivery_lanes *lanes)
{
    struct lane *lane = lanes->turn;

    if (lanes->waiting == 0 || lanes->in_flight >= lanes->config.in_flight_max)
        return NULL;
    do {
        if (lane->first != NULL && lane->in_flight < lanes->config.per_endpoint_max &&
            tenant_in_flight(lanes, lane->tenant) < lanes->config.per_tenant_max) {
            struct mailbox_item *item = lane->first;
            lane->first = item->next;
            if (lane->first == NULL)
                lane->last = &lane->first;
            item->next = NULL;
            lane->in_flight++;
            lanes->in_flight++;
            lanes->waiting--;
            lanes->turn = lane->next;
            return (struct delivery_job *)item;
        }
        lane = lane->next;
    } while (lane != lanes->turn);
    return NULL;
}

void
delivery_lanes_end(struct delivery_lanes *lanes, const struct delivery_job *job)
{
    struct lane *lane = lane_find(lanes, job->outcome.endpoint);

    if (lane == NULL || lane->in_flight == 0)
        bug("a delivery has ended that was not under way");
    lane->in_flight--;
    lanes->in_flight--;
    lane_drop_if_empty(lanes, lane);
}

static void
lane_take(struct delivery_lanes *lanes, struct lane *lane, struct mailbox_item ***end)
{
    **end = lane->first;
    for (struct mailbox_item *item = lane->first; item != NULL; item = item->next) {
        lanes->waiting--;
        *end = &item->next;
    }
    lane->first = NULL;
    lane->last = &lane->first;
    lane_drop_if_empty(lanes, lane);
}

struct delivery_job *
delivery_lanes_take_endpoint(struct delivery_lanes *lanes, struct id endpoint)
{
    struct lane *lane = lane_find(lanes, endpoint);
    struct mailbox_item *taken = NULL, **end = &taken;

    if (lane != NULL)
        lane_take(lanes, lane, &end);
    return (struct delivery_job *)taken;
}

/* The first of a lane has waited the longest; behind one that is too late all others of its endpoint go back.
 */
struct delivery_job *
delivery_lanes_take_stale(struct delivery_lanes *lanes, struct mono_time now)
{
    struct mailbox_item *taken = NULL, **end = &taken;
    struct lane *lane = lanes->turn, *after;
    size_t count = 0;

    for (struct lane *at = lane; lanes->waiting > 0 && at != NULL; at = at->next == lane ? NULL : at->next)
        count++;
    for (; count > 0; count--, lane = after) {
        after = lane->next;
        const struct delivery_job *job = (const struct delivery_job *)lane->first;
        if (job != NULL && now.us - job->waits_since.us > lanes->config.wait_ms_max * 1000)
            lane_take(lanes, lane, &end);
    }
    return (struct delivery_job *)taken;
}

struct delivery_job *
delivery_lanes_take_all(struct delivery_lanes *lanes)
{
    struct mailbox_item *taken = NULL, **end = &taken;

    for (struct lane *lane = lanes->turn; lanes->waiting > 0; lane = lanes->turn) {
        lanes->turn = lane->next; /* those that stay have nothing that waits */
        lane_take(lanes, lane, &end);
    }
    return (struct delivery_job *)taken;
}

size_t
delivery_lanes_waiting(const struct delivery_lanes *lanes)
{
    return lanes->waiting;
}
