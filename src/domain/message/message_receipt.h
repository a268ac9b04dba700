/*
 * Receipts that are owed over SMPP: whoever submitted a message there and asked for one. A row is written
 * before the message is accepted and goes when it was told, so that a crash at any step owes it still.
 */
#ifndef DOMAIN_MESSAGE_MESSAGE_RECEIPT_H
#define DOMAIN_MESSAGE_MESSAGE_RECEIPT_H
#include "domain/message/message.h"

#define MESSAGE_RECEIPTS_MAX     64u /* of one look */
#define MESSAGE_RECEIPT_DAYS     7   /* then nothing final is expected any more */
#define MESSAGE_SENDER_BYTES_MAX 64u

struct message_receipt {
    struct id message, key; /* key: in, whose */
    struct slice sender;    /* where the receipt goes, as it was written */
    uint8_t sender_ton, sender_npi;
    bool failures_only;
    /* Out, of one that is due. */
    enum message_status status;
    struct slice error_code; /* empty: none */
    struct wall_time ended_at;
};

/* Of one tenant. Once more it changes nothing. */
MUST_CHECK enum err message_receipts_want(struct db_tx *tx, const struct message_receipt *receipts,
                                          size_t count, struct arena *arena);
/*
 * Those of the key whose message has come to an end, the oldest first. `out` has room for
 * MESSAGE_RECEIPTS_MAX; slices live in the arena.
 */
MUST_CHECK enum err message_receipt_due(struct db_tx *tx, struct id key, struct arena *arena,
                                        struct message_receipt out[static MESSAGE_RECEIPTS_MAX],
                                        size_t *count_out);
/* They were told, or nobody will ask. */
MUST_CHECK enum err message_receipt_done(struct db_tx *tx, const struct id *messages, size_t count);
/* Of all keys of the tenant, those that are older than MESSAGE_RECEIPT_DAYS. */
MUST_CHECK enum err message_receipt_forget(struct db_tx *tx);
/*
 * Tenants to which receipts, or what somebody wrote (message_inbound.h), are owed for too long; across
 * tenants ("smpp.sweep").
 */
#define MESSAGE_RECEIPT_TENANTS_MAX 100u
MUST_CHECK enum err message_receipt_stale(struct db *db, struct id out[static MESSAGE_RECEIPT_TENANTS_MAX],
                                          size_t *count_out);

#endif
