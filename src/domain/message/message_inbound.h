/*
 * What somebody wrote to an SMS channel, owed to each account that hears it over SMPP: those of keys that may
 * read messages. A row is written in the transaction that stores the message and goes when all its parts
 * were taken, so that none is lost while no link is bound.
 */
#ifndef DOMAIN_MESSAGE_MESSAGE_INBOUND_H
#define DOMAIN_MESSAGE_MESSAGE_INBOUND_H
#include "domain/message/message.h"

#define MESSAGE_INBOUND_MAX       16u    /* of one look */
#define MESSAGE_INBOUND_DAYS      7      /* then it is not told any more; the API has it */
#define MESSAGE_INBOUND_OWED_MAX  10000u /* of one account; what comes beyond is not told over SMPP */
#define MESSAGE_INBOUND_PARTS_MAX 255u

/* Nothing for a workspace without such an account. */
MUST_CHECK enum err message_inbound_owe(struct db_tx *tx, struct id message);

struct message_inbound {
    struct id message;
    bool is_taken[MESSAGE_INBOUND_PARTS_MAX]; /* [0] is the first part */
    struct slice sender;                      /* of the channel: a header or digits */
    struct wall_time at;
};
/* The oldest first. Slices live in the arena. */
MUST_CHECK enum err message_inbound_due(struct db_tx *tx, struct id key, struct arena *arena,
                                        struct message_inbound out[static MESSAGE_INBOUND_MAX],
                                        size_t *count_out);
/* Parts that were taken now; `is_whole`: no other is missing. */
MUST_CHECK enum err message_inbound_taken(struct db_tx *tx, struct id key, struct id message,
                                          const int64_t *parts, size_t count, bool is_whole);
/* Of all keys of the tenant, what is older than MESSAGE_INBOUND_DAYS. */
MUST_CHECK enum err message_inbound_forget(struct db_tx *tx);

#endif
