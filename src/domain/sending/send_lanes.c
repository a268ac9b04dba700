#include "domain/sending/send_lanes.h"
#include "domain/sending/fair.h"
#include <stdlib.h>
#include <string.h>

#define CATEGORIES   4u
#define BUSY_FOUND   8  /* found by one look: the lane is busy, and looks by itself from then on */
#define QUIET_LOOKS  10 /* looks that found less, one after the other: it is quiet again */
#define RECHECKS     3  /* after the flag was raised: who writes may have looked at it just before */
#define URGENT_PART  8  /* of the requests in flight, one part in so many is kept for the urgent */
#define HOLD_TOLD_MS 1000
#define NEVER        ((struct mono_time){ INT64_MAX })
/* Between looks from the first entry of a category on. Others begin so long before what was last found: what
 * is due earlier has gone, but for what was committed late or was put off with an older time. */
#define LOOK_WHOLE_MS 1000
#define LOOK_BACK_MS  2000

static const int64_t category_weights[CATEGORIES] = {
    [MESSAGE_OTP] = 64, [MESSAGE_TRANSACTIONAL] = 16, [MESSAGE_SERVICE] = 4, [MESSAGE_PROMOTIONAL] = 1
};
static const int64_t recheck_ms[RECHECKS] = { 5, 50, 400 };

/* What is known to wait in a lane of one category: found, and picked from `at` on. */
struct waiting {
    struct fair fair; /* first: a leaf leads to it */
    struct send_lane *lane;
    struct message_claim *claims; /* owned; NULL: none */
    size_t at, count;
    struct mono_time due_at;        /* of the first that is not due yet */
    struct wall_time found_to;      /* the last one's time, by the database's clock; 0: none yet */
    struct mono_time whole_look_at; /* the last one from the first entry on */
    bool must_look;
};

struct send_tenant {
    struct fair fair;
    struct id id;
    size_t lane_count;
    struct send_tenant *next;
};

struct send_lane {
    struct fair fair;
    struct send_tenant *tenant;
    struct id channel;
    int64_t fence;
    struct waiting waiting[CATEGORIES];
    size_t out, bulk_out;
    struct mono_time held_until, hold_told_at, turn_at, used_at, looked_at, recheck_at;
    unsigned quiet_looks, rechecks;
    bool is_open, is_resting, wants_rest, is_given_up, is_lost, was_seen;
};

struct send_lanes {
    struct send_lanes_config config;
    struct fair root;
    struct send_tenant *tenants;
    struct send_lane **lanes; /* owned, with those that are lost and have something out */
    size_t count, room, out, bulk_out;
    size_t look_from; /* not always the same ones, when there are too many for one look */
    bool is_draining;
};

static bool
is_bulk(enum message_category category)
{
    return category == MESSAGE_SERVICE || category == MESSAGE_PROMOTIONAL;
}

static size_t
bulk_max(size_t in_flight_max)
{
    size_t kept = in_flight_max < 2 ? 0 : in_flight_max < URGENT_PART ? 1 : in_flight_max / URGENT_PART;

    return in_flight_max - kept;
}

static size_t
waiting_count(const struct waiting *waiting)
{
    return waiting->count - waiting->at;
}

enum err
send_lanes_new(const struct send_lanes_config *config, struct send_lanes **out)
{
    struct send_lanes *lanes = calloc(1, sizeof(*lanes));

    if (lanes == NULL)
        return ERR_NO_MEMORY;
    lanes->config = *config;
    fair_init(&lanes->root);
    *out = lanes;
    return ERR_OK;
}

static void
waiting_clear(struct waiting *waiting)
{
    free(waiting->claims);
    waiting->claims = NULL;
    waiting->at = waiting->count = 0;
    waiting->due_at = NEVER;
    fair_wait(&waiting->fair, 0);
}

static void
lane_leave_tenant(struct send_lanes *lanes, struct send_lane *lane)
{
    struct send_tenant *tenant = lane->tenant, **at = &lanes->tenants;

    if (tenant == NULL)
        return;
    fair_leave(&lane->fair);
    lane->tenant = NULL;
    if (--tenant->lane_count > 0)
        return;
    while (*at != tenant)
        at = &(*at)->next;
    *at = tenant->next;
    fair_leave(&tenant->fair);
    free(tenant);
}

/* Nothing more of it is picked; it is freed when nothing of it is out. */
static void
lane_lose(struct send_lanes *lanes, struct send_lane *lane)
{
    for (size_t i = 0; i < CATEGORIES; i++)
        waiting_clear(&lane->waiting[i]);
    if (!lane->is_lost)
        pace_forget(lanes->config.pace, lane->channel);
    lane_leave_tenant(lanes, lane);
    lane->is_lost = true;
}

void
send_lanes_free(struct send_lanes *lanes)
{
    if (lanes == NULL)
        return;
    for (size_t i = 0; i < lanes->count; i++) {
        lane_lose(lanes, lanes->lanes[i]);
        free(lanes->lanes[i]);
    }
    free(lanes->lanes);
    free(lanes);
}

static void
lanes_sweep(struct send_lanes *lanes)
{
    size_t kept = 0;

    for (size_t i = 0; i < lanes->count; i++)
        if (lanes->lanes[i]->is_lost && lanes->lanes[i]->out == 0)
            free(lanes->lanes[i]);
        else
            lanes->lanes[kept++] = lanes->lanes[i];
    lanes->count = kept;
}

static struct send_lane *
lane_find(const struct send_lanes *lanes, struct id channel)
{
    for (size_t i = 0; i < lanes->count; i++)
        if (!lanes->lanes[i]->is_lost && id_eq(lanes->lanes[i]->channel, channel))
            return lanes->lanes[i];
    return NULL;
}

static struct send_tenant *
tenant_of(struct send_lanes *lanes, struct id id)
{
    struct send_tenant *tenant = lanes->tenants;

    while (tenant != NULL && !id_eq(tenant->id, id))
        tenant = tenant->next;
    if (tenant != NULL || (tenant = calloc(1, sizeof(*tenant))) == NULL)
        return tenant;
    tenant->id = id;
    tenant->next = lanes->tenants;
    lanes->tenants = tenant;
    fair_init(&tenant->fair);
    fair_join(&tenant->fair, &lanes->root, 1);
    return tenant;
}

static struct send_lane *
lane_new(struct send_lanes *lanes, const struct message_lane *from, struct mono_time now)
{
    struct send_lane *lane = calloc(1, sizeof(*lane));
    struct send_tenant *tenant = tenant_of(lanes, from->tenant);

    if (lane == NULL || tenant == NULL) {
        free(lane);
        return NULL; /* a tenant without lanes stays for the next try */
    }
    if (lanes->count == lanes->room) {
        size_t room = lanes->room == 0 ? 16 : 2 * lanes->room;
        struct send_lane **more = realloc(lanes->lanes, room * sizeof(struct send_lane *));
        if (more == NULL) {
            free(lane);
            return NULL;
        }
        lanes->lanes = more;
        lanes->room = room;
    }
    lane->channel = from->channel;
    lane->fence = from->fence;
    lane->tenant = tenant;
    lane->used_at = now;
    lane->is_open = true;
    lane->hold_told_at.us = now.us - HOLD_TOLD_MS * 1000;
    lane->recheck_at = mono_after_ms(now, recheck_ms[0]); /* who writes may have seen its flag before */
    lane->wants_rest = true;
    tenant->lane_count++;
    fair_init(&lane->fair);
    fair_join(&lane->fair, &tenant->fair, 1);
    for (size_t i = CATEGORIES; i-- > 0;) { /* the most urgent last: of equals it is first */
        struct waiting *waiting = &lane->waiting[i];
        waiting->lane = lane;
        waiting->due_at = NEVER;
        waiting->must_look = true;
        waiting->whole_look_at.us = now.us - LOOK_WHOLE_MS * 1000;
        fair_init(&waiting->fair);
        fair_join(&waiting->fair, &lane->fair, category_weights[i]);
    }
    pace_begin(lanes->config.pace, lane->channel, from->is_high ? lanes->config.ceiling_high : 0,
               from->was_slowed ? from->slowed_to : 0, from->slowed_ms_ago, now);
    lanes->lanes[lanes->count++] = lane;
    return lane;
}

static bool
lane_is_idle(const struct send_lane *lane)
{
    size_t waits = lane->out;

    for (size_t i = 0; i < CATEGORIES; i++)
        waits += waiting_count(&lane->waiting[i]) + (lane->waiting[i].due_at.us != INT64_MAX);
    return waits == 0;
}

/* The idle ones first. */
static void
give_up_more_than(struct send_lanes *lanes, size_t share)
{
    size_t ours = 0;

    for (size_t i = 0; i < lanes->count; i++)
        ours += !lanes->lanes[i]->is_lost && !lanes->lanes[i]->is_given_up;
    for (int round = 0; round < 2; round++)
        for (size_t i = lanes->count; i-- > 0 && ours > share;) {
            struct send_lane *lane = lanes->lanes[i];
            if (lane->is_lost || lane->is_given_up || (round == 0 && !lane_is_idle(lane)))
                continue;
            lane->is_given_up = true;
            ours--;
        }
}

enum err
send_lanes_update(struct send_lanes *lanes, const struct message_lanes *now_ours, struct mono_time now)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < lanes->count; i++)
        lanes->lanes[i]->was_seen = false;
    for (size_t i = 0; i < now_ours->count; i++) {
        const struct message_lane *from = &now_ours->lanes[i];
        struct send_lane *lane = lane_find(lanes, from->channel);
        if (lane != NULL && lane->fence != from->fence) { /* it was another's meanwhile */
            lane_lose(lanes, lane);
            lane = NULL;
        }
        if (lane == NULL)
            lane = lane_new(lanes, from, now);
        if (lane == NULL) {
            err = ERR_NO_MEMORY;
            continue;
        }
        lane->was_seen = true;
        lane->is_open =
            from->is_open && (lane->is_open || now.us - lane->hold_told_at.us >= HOLD_TOLD_MS * 1000);
        lane->is_resting = from->is_resting;
        /* What was held here a moment ago may not be recorded yet. */
        if (now.us - lane->hold_told_at.us >= HOLD_TOLD_MS * 1000 ||
            now.us + from->held_us > lane->held_until.us)
            lane->held_until.us = now.us + from->held_us;
        fair_weigh(&lane->tenant->fair, from->weight);
        pace_ceiling(lanes->config.pace, lane->channel, from->is_high ? lanes->config.ceiling_high : 0, now);
        for (size_t k = 0; from->has_waiting && k < CATEGORIES; k++)
            lane->waiting[k].must_look = true;
        if (lanes->is_draining || (!from->has_waiting && lane_is_idle(lane) &&
                                   now.us - lane->used_at.us > SEND_LANE_IDLE_MS * 1000))
            lane->is_given_up = true;
    }
    for (size_t i = 0; i < lanes->count; i++)
        if (!lanes->lanes[i]->was_seen)
            lane_lose(lanes, lanes->lanes[i]);
    lanes_sweep(lanes);
    give_up_more_than(lanes, now_ours->share);
    return err;
}

size_t
send_lanes_count(const struct send_lanes *lanes)
{
    return lanes->count;
}

void
send_lanes_drain(struct send_lanes *lanes)
{
    lanes->is_draining = true;
    for (size_t i = 0; i < lanes->count; i++)
        lanes->lanes[i]->is_given_up = true;
}

size_t
send_lanes_left(const struct send_lanes *lanes, struct id *channels, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < lanes->count && count < max; i++)
        if (lanes->lanes[i]->is_given_up && !lanes->lanes[i]->is_lost && lanes->lanes[i]->out == 0)
            channels[count++] = lanes->lanes[i]->channel;
    return count;
}

void
send_lanes_forget(struct send_lanes *lanes, const struct id *channels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct send_lane *lane = lane_find(lanes, channels[i]);
        if (lane != NULL)
            lane_lose(lanes, lane);
    }
    lanes_sweep(lanes);
}

static void
lane_told(struct send_lane *lane)
{
    for (size_t i = 0; i < CATEGORIES; i++)
        lane->waiting[i].must_look = true;
}

bool
send_lanes_told(struct send_lanes *lanes, struct id channel)
{
    struct send_lane *lane = lane_find(lanes, channel);

    if (lane != NULL)
        lane_told(lane);
    return lane != NULL;
}

void
send_lanes_told_all(struct send_lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        lane_told(lanes->lanes[i]);
}

void
send_lane_hold(struct send_lane *lane, struct mono_time now, int64_t hold_ms)
{
    struct mono_time until = mono_after_ms(now, hold_ms);

    if (hold_ms == 0)
        lane->is_open = false;
    else if (until.us > lane->held_until.us)
        lane->held_until = until;
    lane->hold_told_at = now;
}

static bool
lane_may_send(const struct send_lane *lane, struct mono_time now)
{
    return lane->is_open && !lane->is_given_up && !lane->is_lost && lane->held_until.us <= now.us;
}

/* Whether it is time for its owner to look into a lane. */
static bool
lane_is_due(const struct send_lane *lane, struct mono_time now)
{
    return lane->recheck_at.us <= now.us ||
           (!lane->is_resting && now.us - lane->looked_at.us >= SEND_LOOK_MS * 1000);
}

/* From when on it is looked for what is due. */
static struct wall_time
look_since(struct waiting *waiting, struct mono_time now)
{
    bool is_whole = waiting->found_to.us == 0 || now.us - waiting->whole_look_at.us >= LOOK_WHOLE_MS * 1000;

    if (!is_whole)
        return wall_after_ms(waiting->found_to, -LOOK_BACK_MS);
    waiting->whole_look_at = now;
    return (struct wall_time){ 0 };
}

size_t
send_lanes_wanted(struct send_lanes *lanes, struct mono_time now, struct message_wanted *out)
{
    size_t count = 0;

    for (size_t n = 0, from = lanes->look_from; n < lanes->count; n++) {
        size_t i = (from + n) % lanes->count;
        struct send_lane *lane = lanes->lanes[i];
        if (count + CATEGORIES > SEND_WANTED_MAX) {
            lanes->look_from = i;
            break;
        }
        if (!lane_may_send(lane, now))
            continue;
        bool is_due = lane_is_due(lane, now);
        for (size_t k = 0; k < CATEGORIES; k++) {
            struct waiting *waiting = &lane->waiting[k];
            if (waiting_count(waiting) == 0 && (is_due || waiting->must_look || waiting->due_at.us <= now.us))
                out[count++] = (struct message_wanted){ lane->channel, (enum message_category)k,
                                                        look_since(waiting, now) };
        }
        if (!is_due)
            continue;
        lane->looked_at = now;
        if (lane->recheck_at.us <= now.us)
            lane->recheck_at =
                ++lane->rechecks < RECHECKS ? mono_after_ms(now, recheck_ms[lane->rechecks]) : NEVER;
    }
    return count;
}

/* Whether its owner looks by itself, or is told. */
static void
lane_judge_rest(struct send_lane *lane, size_t found)
{
    if (found >= BUSY_FOUND) {
        lane->quiet_looks = 0;
        lane->wants_rest = false;
    } else if (++lane->quiet_looks >= QUIET_LOOKS) {
        lane->wants_rest = true;
    }
}

enum err
send_lanes_found(struct send_lanes *lanes, const struct message_wanted *wanted, size_t wanted_count,
                 const struct message_found *found, size_t found_count, size_t asked_max,
                 struct mono_time now)
{
    enum err err = ERR_OK;

    for (size_t i = 0, at = 0, of_lane = 0; i < wanted_count; i++) {
        struct send_lane *lane = lane_find(lanes, wanted[i].channel);
        size_t first = at, due = 0;
        if (i > 0 && !id_eq(wanted[i - 1].channel, wanted[i].channel))
            of_lane = 0;
        for (; at < found_count && found[at].wanted == i; at++)
            due += found[at].due_in_us <= 0;
        of_lane += due;
        if (lane == NULL)
            continue;
        struct waiting *waiting = &lane->waiting[wanted[i].category];
        waiting_clear(waiting);
        waiting->claims = due == 0 ? NULL : calloc(due, sizeof(*waiting->claims));
        if (due > 0 && waiting->claims == NULL) {
            err = ERR_NO_MEMORY;
            continue;
        }
        waiting->must_look = due >= asked_max; /* once these are picked */
        for (size_t k = first; k < at; k++)
            if (found[k].due_in_us <= 0) {
                waiting->claims[waiting->count++] = found[k].claim;
                waiting->found_to = found[k].due_at;
            } else if (now.us + found[k].due_in_us < waiting->due_at.us) {
                waiting->due_at.us = now.us + found[k].due_in_us;
            }
        fair_wait(&waiting->fair, waiting->count);
        if (due > 0)
            lane->used_at = now;
        if (i + 1 == wanted_count || !id_eq(wanted[i + 1].channel, wanted[i].channel))
            lane_judge_rest(lane, of_lane);
    }
    return err;
}

/* What may be picked of a lane now. */
static void
lane_judge(struct send_lanes *lanes, struct send_lane *lane, struct mono_time now, struct mono_time until,
           bool is_urgent_alone)
{
    const struct send_lanes_config *config = &lanes->config;
    bool may_send = lane_may_send(lane, now) && lane->out < config->per_lane_max;
    bool may_bulk = !is_urgent_alone && lane->bulk_out < bulk_max(config->per_lane_max) &&
                    lanes->bulk_out < bulk_max(config->in_flight_max);

    lane->turn_at = NEVER;
    fair_close(&lane->waiting[MESSAGE_SERVICE].fair, !may_bulk);
    fair_close(&lane->waiting[MESSAGE_PROMOTIONAL].fair, !may_bulk);
    if (may_send && lane->fair.open_children > 0) {
        struct mono_time turn_at;
        may_send = pace_has_turn(config->pace, lane->channel, now, until, &turn_at);
        lane->turn_at = may_send ? NEVER : turn_at;
    }
    fair_close(&lane->fair, !may_send);
}

static size_t
pick(struct send_lanes *lanes, struct mono_time now, struct wall_time wall, struct mono_time until,
     bool is_urgent_alone, size_t max, struct claimed *out)
{
    bool was_bulk_open = true;
    size_t count = 0;

    for (size_t i = 0; i < lanes->count; i++)
        lane_judge(lanes, lanes->lanes[i], now, until, is_urgent_alone);
    while (count < max && lanes->out < lanes->config.in_flight_max) {
        struct waiting *waiting = (struct waiting *)fair_pick(&lanes->root);
        if (waiting == NULL)
            break;
        struct send_lane *lane = waiting->lane;
        const struct message_claim *claim = &waiting->claims[waiting->at++];
        struct claimed *claimed = &out[count];
        bool has_turn = claim->expires_at.us > wall.us && /* else message_keep_times ends it */
                        pace_turn(lanes->config.pace, lane->channel, now, until, &claimed->leave_at);
        if (has_turn) {
            claimed->claim = *claim;
            claimed->lane = lane;
            claimed->claimed_at = now;
            count++;
            lane->out++;
            lanes->out++;
            lane->used_at = now;
            lane->bulk_out += is_bulk(claim->category);
            lanes->bulk_out += is_bulk(claim->category);
        }
        lane_judge(lanes, lane, now, until, is_urgent_alone);
        bool is_bulk_open = lanes->bulk_out < bulk_max(lanes->config.in_flight_max);
        for (size_t i = 0; was_bulk_open && !is_bulk_open && i < lanes->count; i++)
            lane_judge(lanes, lanes->lanes[i], now, until, is_urgent_alone);
        was_bulk_open = is_bulk_open;
    }
    return count;
}

size_t
send_lanes_pick(struct send_lanes *lanes, struct mono_time now, struct wall_time wall, struct mono_time until,
                size_t max, struct claimed *out)
{
    return pick(lanes, now, wall, until, false, max, out);
}

size_t
send_lanes_pick_urgent(struct send_lanes *lanes, struct mono_time now, struct wall_time wall,
                       struct mono_time until, size_t max, struct claimed *out)
{
    return lanes->bulk_out == 0 ? 0 : pick(lanes, now, wall, until, true, max, out);
}

void
send_lanes_done(struct send_lanes *lanes, struct send_lane *lane, enum message_category category,
                struct mono_time now)
{
    lane->out--;
    lanes->out--;
    lane->bulk_out -= is_bulk(category);
    lanes->bulk_out -= is_bulk(category);
    lane->used_at = now;
    if (lane->is_lost && lane->out == 0)
        lanes_sweep(lanes);
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct mono_time
send_lanes_next(const struct send_lanes *lanes, struct mono_time now)
{
    struct mono_time next = NEVER;

    for (size_t i = 0; i < lanes->count; i++) {
        const struct send_lane *lane = lanes->lanes[i];
        if (!lane->is_open || lane->is_given_up || lane->is_lost)
            continue;
        if (lane->held_until.us > now.us) {
            next.us = least(next.us, lane->held_until.us);
            continue;
        }
        next.us = least(next.us, lane->recheck_at.us);
        if (!lane->is_resting)
            next.us = least(next.us, lane->looked_at.us + SEND_LOOK_MS * 1000);
        if (lane->turn_at.us != INT64_MAX) /* several at once, half of what is prepared ahead */
            next.us = least(next.us, lane->turn_at.us - SEND_AHEAD_MS * 1000 / 2);
        for (size_t k = 0; k < CATEGORIES; k++)
            if (waiting_count(&lane->waiting[k]) == 0) {
                next.us = least(next.us, lane->waiting[k].due_at.us);
                if (lane->waiting[k].must_look)
                    next = now;
            }
    }
    return next;
}

size_t
send_lanes_to_rest(const struct send_lanes *lanes, bool is_resting, struct id *channels, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < lanes->count && count < max; i++) {
        const struct send_lane *lane = lanes->lanes[i];
        if (!lane->is_lost && lane->wants_rest == is_resting && lane->is_resting != is_resting)
            channels[count++] = lane->channel;
    }
    return count;
}

void
send_lanes_rested(struct send_lanes *lanes, const struct id *channels, size_t count, bool is_resting,
                  struct mono_time now)
{
    for (size_t i = 0; i < count; i++) {
        struct send_lane *lane = lane_find(lanes, channels[i]);
        if (lane == NULL)
            continue;
        lane->is_resting = is_resting;
        lane->rechecks = 0;
        lane->recheck_at = is_resting ? mono_after_ms(now, recheck_ms[0]) : NEVER;
        if (is_resting)
            lane_told(lane);
    }
}
