/*
 * Operators' receipts: what became of the parts of a message (sms_part.h), and so of the message. The
 * gateway's interpreter applies them.
 */
#ifndef DOMAIN_CHANNEL_SMS_SMS_RECEIPT_H
#define DOMAIN_CHANNEL_SMS_SMS_RECEIPT_H
#include "core/arena.h"
#include "core/id.h"
#include "domain/message/message.h"
#include "platform/db/db.h"
#include "wire/smpp/smpp_receipt.h"

#define SMS_PARK_SWEEP_MAX 200u

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
/* SMS_RECEIPT_PARKED: it waits, also if it did before. */
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

/* Workspaces with parked receipts that are to be looked at; across tenants ("provider.interpret"). */
MUST_CHECK enum err sms_receipts_due(struct db *db, struct arena *arena, struct id **tenants_out,
                                     size_t *count_out);
/*
 * Of one of them, at most SMS_PARK_SWEEP_MAX, which are locked, and due again later unless they are applied
 * in this transaction (sms_receipts_apply) and then taken out: sms_receipts_done.
 */
MUST_CHECK enum err sms_receipts_take(struct db_tx *tx, struct arena *arena, struct sms_receipt **out,
                                      size_t *count_out);
/* Takes out what did not have to be parked again. */
MUST_CHECK enum err sms_receipts_done(struct db_tx *tx, const struct sms_receipt_item *items, size_t count,
                                      struct arena *arena);

#endif
