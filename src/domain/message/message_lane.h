/* What is kept of a sender's lane besides its queue: the pace that was learned, and holds that others share.
 */
#ifndef DOMAIN_MESSAGE_MESSAGE_LANE_H
#define DOMAIN_MESSAGE_MESSAGE_LANE_H
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"

struct message_lane {
    bool is_high; /* the provider gives this number its high throughput */
    bool was_slowed;
    int64_t slowed_to; /* messages per second, when the provider last refused for throughput */
    struct wall_time slowed_at;
};
/* ERR_NOT_FOUND: no such channel. */
MUST_CHECK enum err message_lane_read(struct db_tx *tx, struct id channel, struct message_lane *out);
MUST_CHECK enum err message_lane_slow(struct db_tx *tx, struct id channel, int64_t per_second,
                                      struct wall_time at);
/* As message_lane_hold, for every channel of this channel's WhatsApp account. */
MUST_CHECK enum err message_account_hold(struct db_tx *tx, struct id channel, struct wall_time until);

#endif
