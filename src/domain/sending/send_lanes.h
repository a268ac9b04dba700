/*
 * The lanes that this dispatcher owns: what is known to wait in each, and which of it leaves next. Pure: fed
 * with times and with what was found, knows no database. Belongs to the store's thread.
 *
 * Turns are shared (fair.h) between workspaces by their weight, then between the lanes of one, then between
 * the categories of a lane: of 85 turns, 64 are an otp's, 16 a transactional's, 4 a service's and 1 a
 * promotional's, as far as each waits; so an otp hardly ever waits for another message, and no category
 * starves. Of the requests in flight, of the whole and of each lane, an eighth is kept for otp and
 * transactional messages.
 */
#ifndef DOMAIN_SENDING_SEND_LANES_H
#define DOMAIN_SENDING_SEND_LANES_H
#include "domain/message/message_lane.h"
#include "domain/message/message_queue.h"
#include "domain/sending/pace.h"

#define SEND_LOOK_MS      10    /* between looks into a lane that is busy */
#define SEND_AHEAD_MS     50    /* turns that come so soon are prepared: the loop only waits for the moment */
#define SEND_LANE_IDLE_MS 30000 /* then a lane is anybody's again */
#define SEND_WANTED_MAX   256u  /* of one look */

struct send_lane;
struct send_lanes;

/* One that may leave. */
struct claimed {
    struct message_claim claim;
    struct send_lane *lane; /* borrowed, until send_lanes_done */
    struct mono_time claimed_at, leave_at;
};

struct send_lanes_config {
    struct pace *pace; /* borrowed */
    size_t in_flight_max, per_lane_max;
    int64_t ceiling_high; /* of a number with high throughput; 0: the pace's own */
};
/* ERR_NO_MEMORY. */
MUST_CHECK enum err send_lanes_new(const struct send_lanes_config *config, struct send_lanes **out);
void send_lanes_free(struct send_lanes *lanes); /* accepts NULL */

/*
 * All lanes that this dispatcher has, as the database knows them. Those that it had are lost: nothing more of
 * them is picked. More than its share, and what is idle, is given up: see send_lanes_left. ERR_NO_MEMORY.
 */
MUST_CHECK enum err send_lanes_update(struct send_lanes *lanes, const struct message_lanes *now_ours,
                                      struct mono_time now);
size_t send_lanes_count(const struct send_lanes *lanes);
/* From now on all of them are given up, as soon as nothing of them is out. */
void send_lanes_drain(struct send_lanes *lanes);
/* Given up, with nothing out; at most `max`. They are forgotten with send_lanes_forget. */
size_t send_lanes_left(const struct send_lanes *lanes, struct id *channels, size_t max);
void send_lanes_forget(struct send_lanes *lanes, const struct id *channels, size_t count);

/* Something came into a lane: false: it is none of ours. */
bool send_lanes_told(struct send_lanes *lanes, struct id channel);
void send_lanes_told_all(struct send_lanes *lanes);
/* Nothing leaves through it for so long; 0: until it is known to be open again. */
void send_lane_hold(struct send_lane *lane, struct mono_time now, int64_t hold_ms);

/* What should be looked for now, at most SEND_WANTED_MAX; then tell what was found. */
size_t send_lanes_wanted(struct send_lanes *lanes, struct mono_time now, struct message_wanted *out);
/* `asked_max`: of each wanted; as many mean that there may be more. ERR_NO_MEMORY. */
MUST_CHECK enum err send_lanes_found(struct send_lanes *lanes, const struct message_wanted *wanted,
                                     size_t wanted_count, const struct message_found *found,
                                     size_t found_count, size_t asked_max, struct mono_time now);

/* Those that may leave until `until`, at most `max`, in the order of their turns. */
size_t send_lanes_pick(struct send_lanes *lanes, struct mono_time now, struct wall_time wall,
                       struct mono_time until, size_t max, struct claimed *out);
/*
 * The same of otp and transactional messages alone, while others are out: these leave before the next many of
 * the others are made ready. Their turns are charged to them as any; call send_lanes_pick after it.
 */
size_t send_lanes_pick_urgent(struct send_lanes *lanes, struct mono_time now, struct wall_time wall,
                              struct mono_time until, size_t max, struct claimed *out);
/* It is settled, or was not ours. */
void send_lanes_done(struct send_lanes *lanes, struct send_lane *lane, enum message_category category,
                     struct mono_time now);
/* When there will be something to look for or to pick. */
struct mono_time send_lanes_next(const struct send_lanes *lanes, struct mono_time now);

/* Lanes whose owner wants to be told of what comes in (or, with false, does not any more), and whose flag in
 * the database says otherwise; at most `max`. Once it is written, send_lanes_rested. */
size_t send_lanes_to_rest(const struct send_lanes *lanes, bool is_resting, struct id *channels, size_t max);
void send_lanes_rested(struct send_lanes *lanes, const struct id *channels, size_t count, bool is_resting,
                       struct mono_time now);

#endif
