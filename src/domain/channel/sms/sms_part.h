/*
 * The parts of messages at an operator, by the id that it gave each, and the receipts that tell what became
 * of them. smsc records the parts with the outcome; the gateway's interpreter applies the receipts.
 */
#ifndef DOMAIN_CHANNEL_SMS_SMS_PART_H
#define DOMAIN_CHANNEL_SMS_SMS_PART_H
#include "core/arena.h"
#include "core/id.h"
#include "domain/message/message.h"
#include "platform/db/db.h"
#include "wire/smpp/smpp_receipt.h"

#define SMS_PARK_SWEEP_MAX 200u

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

/* A receipt as the connector's rules read it. */
struct sms_receipt {
    struct id connector;
    struct slice provider_id; /* canonical, in the base of the answers; empty: it has none */
    enum smpp_state state;
    struct slice done;       /* as it is written; tells a repetition from another receipt */
    struct slice error_code; /* "600"; empty: none */
    struct wall_time at;
    /* Of whom it is about, for one whose id nobody knows: message_peer_index of its number; has_peer false:
     * not known. */
    bool has_peer;
    unsigned char peer_index[VAULT_INDEX_BYTES];
};
enum sms_receipt_fate { SMS_RECEIPT_APPLIED, SMS_RECEIPT_PARKED, SMS_RECEIPT_NOTHING_NEW };
struct sms_receipt_item {
    struct sms_receipt receipt;
    bool has_india_codes; /* of its connector */
    enum sms_receipt_fate fate_out;
    bool has_report; /* out: the next is for message_report_apply */
    struct message_report report;
};
/*
 * In the transaction that interprets them, of one tenant; locks its messages' rows of the queue first. Writes
 * the parts' states, and what that makes of their messages: delivered when all parts are, failed when one is;
 * sent, where answers were lost, when all are known to have been taken.
 * What no part is found for is parked. A part that was delivered stays so; one that failed and was delivered
 * after all is delivered: so the order in which receipts come, and how often, changes nothing in the end.
 * SMPP_STATE_UNKNOWN begins a wait (SMS_DOUBT_HOURS), after which the part has failed.
 */
MUST_CHECK enum err sms_receipts_apply(struct db_tx *tx, struct sms_receipt_item *items, size_t count,
                                       struct arena *arena);

#define SMS_DOUBT_HOURS 24
/* Workspaces with parts whose wait is over; across tenants ("provider.interpret"). */
MUST_CHECK enum err sms_doubts_due(struct db *db, struct arena *arena, struct id **tenants_out,
                                   size_t *count_out);
/* Gives some of them up; what that makes of their messages. */
MUST_CHECK enum err sms_doubts_end(struct db_tx *tx, struct wall_time now, struct arena *arena,
                                   struct message_report **reports_out, size_t *count_out);

/* Parked receipts whose part has been recorded meanwhile, or that one without an id can be, taken out: apply
 * each, in this transaction. */
MUST_CHECK enum err sms_receipts_due(struct db *db, struct arena *arena, struct id **tenants_out,
                                     size_t *count_out);
MUST_CHECK enum err sms_receipts_take(struct db_tx *tx, struct arena *arena, struct sms_receipt **out,
                                      size_t *count_out);

#endif
