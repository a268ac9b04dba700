/*
 * The senders that a message goes to one after the other, when the one before it failed or delivered nothing
 * in time. A message without such a chain has one sender, at position 0, and no rows here. The sender in use
 * is in the message's row (position, channel); those that were left keep what is known of them, because their
 * providers may still report: what one of them delivered after all ends the message.
 */
#ifndef DOMAIN_MESSAGE_MESSAGE_FALLBACK_H
#define DOMAIN_MESSAGE_MESSAGE_FALLBACK_H
#include "domain/message/message_events.h"
#include "domain/message/message_queue.h"

/* Why a sender was left. */
enum message_leaving {
    MESSAGE_LEFT_FAILED,          /* its provider refused the message, or reported that it failed */
    MESSAGE_LEFT_EXPIRED,         /* its provider reported that it gave up */
    MESSAGE_LEFT_NOT_DELIVERED,   /* nothing was delivered within the next one's after_s */
    MESSAGE_LEFT_OUTCOME_UNKNOWN, /* given up by the workspace's policy: it may have been delivered */
    MESSAGE_LEFT_CHANNEL_BROKEN,  /* it waited for a channel that is broken */
    MESSAGE_LEFT_CHANNEL_DELETED,
};

/* Messages of one tenant, in the transaction that brought it about. */
struct message_leave {
    const struct id *messages;
    size_t count;
    enum message_leaving why;
    enum message_actor actor; /* who brought it about */
    struct message_by by;     /* with MESSAGE_BY_ASKER */
};
/*
 * Those that stand as `why` expects (failed, expired, uncertain, waiting) and have a further sender whose
 * channel is active go over to it: into the queue at once, with message.fell-back told. Senders before it
 * that are not active are skipped. A message past its deadline stays as it is. moved_out[i]: messages[i] did.
 */
MUST_CHECK enum err message_fall_back(struct db_tx *tx, const struct clock *clock,
                                      const struct message_leave *leave, struct arena *arena,
                                      bool *moved_out);

/* What time and channels decide, of one tenant: senders whose after_s has passed, and such as wait for a
 * broken channel. For message_keep_times. */
MUST_CHECK enum err message_fall_back_late(struct db_tx *tx, const struct clock *clock,
                                           const struct id *messages, size_t count, struct arena *arena);
MUST_CHECK enum err message_fall_back_broken(struct db_tx *tx, const struct clock *clock,
                                             const struct id *messages, size_t count, struct arena *arena);

/* A sender of a message, as it is shown. */
struct message_sender {
    unsigned position;
    struct id channel;
    struct slice kind;
    int64_t after_s;                                   /* 0: only when the one before it failed */
    struct slice left_for;                             /* NULL ptr: not left */
    struct wall_time left_at;                          /* us 0: likewise */
    struct slice provider_id;                          /* of one that was left; NULL ptr: none */
    struct slice error_code, error_title, error_class; /* likewise */
    struct slice
        policy;       /* the gate's receipt when the message was accepted, packed; NULL ptr: the message's */
    bool has_content; /* else it sends the message's */
    struct vault_sealed content;
};
/* In order; none when the message has no chain. `out` has room for MESSAGE_SENDERS_MAX. */
MUST_CHECK enum err message_senders(struct db_tx *tx, struct id message, struct arena *arena,
                                    struct message_sender *out, size_t *count_out);
/* The opened content of one that has its own. */
MUST_CHECK enum err message_sender_open(const struct vault *vault, struct id tenant, struct id message,
                                        const struct message_sender *sender, struct arena *arena,
                                        struct slice *content_out);

#endif
