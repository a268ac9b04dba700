/*
 * What the interpreter makes of an account's notices, of faults, of preferences, and of what it does not
 * know: an event for each channel that is meant, what is kept of it, and what it means for sending.
 */
#ifndef PROGRAM_GATEWAY_INTERPRET_NOTICE_H
#define PROGRAM_GATEWAY_INTERPRET_NOTICE_H
#include "domain/channel/whatsapp/whatsapp_event.h"
#include "domain/message/provider_event.h"

#define NOTICE_RAW_MAX                                                                                       \
    65536u /* of a value that is kept as it came; a longer one is left out of its event                      \
            */
#define NOTICE_FRESH_MS     INT64_C(86400000) /* an older one is told, and changes nothing about sending */
#define NOTICE_CHANNELS_MAX 500u

struct notice; /* one for one channel; in the arena */

struct notice_reader {
    const struct clock *clock;
    const struct vault *vault;
    struct db *db; /* outside of any transaction: finds the channels of an account */
    const struct provider_event *body;
    struct arena *arena;
};

/*
 * Prepared outside of the transaction: what is personal or raw is sealed. A list by notice_next, in order;
 * NULL when no channel of this workspace is meant, or when it is read elsewhere (*is_ours_out is false then).
 */
MUST_CHECK enum err notice_prepare(const struct notice_reader *reader, const struct whatsapp_event *event,
                                   struct notice **first_out, bool *is_ours_out);
struct notice *notice_next(const struct notice *notice);
/* In the transaction that marks the body as interpreted. */
MUST_CHECK enum err notice_apply(struct db_tx *tx, const struct clock *clock, const struct notice *notice,
                                 struct arena *arena);

#endif
