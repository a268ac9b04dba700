/*
 * The parts of messages at an operator, by the id that it gave each. smsc records them with the outcome; what
 * became of them receipts tell (sms_receipt.h).
 */
#ifndef DOMAIN_CHANNEL_SMS_SMS_PART_H
#define DOMAIN_CHANNEL_SMS_SMS_PART_H
#include "core/arena.h"
#include "core/id.h"
#include "domain/message/message.h"
#include "platform/db/db.h"

struct sms_part {
    struct id message, connector;
    unsigned sender, part, part_count; /* part 1 is the first */
    struct slice provider_id; /* smpp_id_canonical as it is; empty: it may have been taken, we do not know */
    struct wall_time taken_at;
};
/*
 * In the transaction that records the outcome, of one tenant. A part that is sent anew replaces what was
 * known of it; what a receipt had told under an id, for whichever part, moves to the part whose id it is.
 * Interpreters are told with the commit when receipts wait for any of these.
 */
MUST_CHECK enum err sms_parts_record(struct db_tx *tx, const struct sms_part *parts, size_t count,
                                     struct arena *arena);

/*
 * One whose answer came when its message had been given up as uncertain. Locks the message's row of the queue
 * first. *has_report_out: all parts are known to have been taken now, and the message is sent:
 * message_report_apply.
 */
MUST_CHECK enum err sms_part_record_late(struct db_tx *tx, const struct sms_part *part, struct arena *arena,
                                         struct message_report *report_out, bool *has_report_out);

struct sms_part_taken {
    unsigned part;
    bool is_known; /* with an id: it need not be sent again */
};
/* Of one sender of a message: those that an operator took or may have taken, in their order. */
MUST_CHECK enum err sms_parts_taken(struct db_tx *tx, struct id message, unsigned sender, struct arena *arena,
                                    struct sms_part_taken **out, size_t *count_out);

#endif
