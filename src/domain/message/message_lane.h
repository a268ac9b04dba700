/*
 * Lanes: one per sender. Below, a dispatcher is a process that sends for one carrier, as dispatcher and smsc
 * do. A lane belongs to one dispatcher of its carrier at a time, which alone sends through it and so
 * keeps its pace. A dispatcher holds all of its lanes by one lease; when that is over, others take them. A
 * new owner raises the lane's fence.
 *
 * Besides its queue, a lane has the pace that was learned, and holds that others share.
 */
#ifndef DOMAIN_MESSAGE_MESSAGE_LANE_H
#define DOMAIN_MESSAGE_MESSAGE_LANE_H
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"

#define MESSAGE_LANES_MAX 1024u /* of one dispatcher */

struct message_lane {
    struct id tenant, channel;
    int64_t fence;
    int64_t weight; /* the workspace's, among others */
    bool is_open;
    int64_t held_us;  /* nothing leaves for so long; 0: it may */
    bool is_resting;  /* its owner is told what comes in */
    bool has_waiting; /* due or not */
    bool is_high;     /* the provider gives this number its high throughput */
    bool was_slowed;
    int64_t slowed_to; /* messages per second, when the provider last refused for throughput */
    int64_t slowed_ms_ago;
};

struct message_lanes {
    struct message_lane *lanes; /* all that the dispatcher has, at most MESSAGE_LANES_MAX */
    size_t count;
    size_t share; /* so many would be its part of all that are in use */
};
/*
 * Says that this dispatcher lives for `lease_ms` more, takes lanes that have something to send and no living
 * owner, up to its share, and reads all that it has; all of one carrier ("whatsapp", "sms"). What else the
 * dead had is nobody's, and rests: so that who puts something into it tells everybody. Across tenants
 * ("dispatch.claim").
 */
MUST_CHECK enum err message_lanes_keep(struct db *db, const char *carrier, struct id dispatcher,
                                       int64_t lease_ms, struct arena *arena, struct message_lanes *out);
/* Nothing of these is under way any more: they are anybody's. */
MUST_CHECK enum err message_lanes_release(struct db *db, struct id dispatcher, const struct id *channels,
                                          size_t count);
/* The owner wants to be told of what comes into these lanes, or looks by itself. */
MUST_CHECK enum err message_lanes_rest(struct db *db, struct id dispatcher, const struct id *channels,
                                       size_t count, bool is_resting);
/* The dispatcher ends, and leaves no lane behind. */
MUST_CHECK enum err message_dispatcher_leave(struct db *db, struct id dispatcher);

/* What there is to do for a dispatcher besides its own lanes' messages. */
struct message_around {
    bool has_lanes;  /* something waits in a lane without a living owner, or a dead one still has lanes */
    bool is_shared;  /* lanes are in use: who wants a part says that he lives */
    bool is_quiet;   /* nothing waits, due or not, and nobody has a lane */
    bool has_lapsed; /* for message_take_over */
    bool has_times;  /* for message_keep_times */
};
/* One statement. `send_lease_ms` as for message_take_over. Across tenants. */
MUST_CHECK enum err message_look_around(struct db *db, const char *carrier, int64_t dispatcher_lease_ms,
                                        int64_t send_lease_ms, struct message_around *out);

MUST_CHECK enum err message_lane_slow(struct db_tx *tx, struct id channel, int64_t per_second,
                                      struct wall_time at);
/* As message_lane_hold, for every channel of this channel's WhatsApp account. */
MUST_CHECK enum err message_account_hold(struct db_tx *tx, struct id channel, struct wall_time until);

#endif
