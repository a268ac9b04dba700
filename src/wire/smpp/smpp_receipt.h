/*
 * Delivery receipts: SMPP v3.4, appendix B, and how message centres write them. The text form is "vendor
 * specific" by the standard itself: labels come in any order and spelling, and parameters tell the same
 * more surely, so they win.
 */
#ifndef WIRE_SMPP_SMPP_RECEIPT_H
#define WIRE_SMPP_SMPP_RECEIPT_H
#include "core/clock.h"
#include "wire/smpp/smpp_message.h"

/* message_state, 5.2.28; the value on the wire. */
enum smpp_state {
    SMPP_STATE_NONE, /* nothing that we know; v5.0's SCHEDULED */
    SMPP_STATE_ENROUTE,
    SMPP_STATE_DELIVERED,
    SMPP_STATE_EXPIRED,
    SMPP_STATE_DELETED,
    SMPP_STATE_UNDELIVERABLE,
    SMPP_STATE_ACCEPTED,
    SMPP_STATE_UNKNOWN,
    SMPP_STATE_REJECTED,
};
/* Nothing more comes after it. */
bool smpp_state_is_final(enum smpp_state state);
/* "DELIVRD", as it stands in the text; "UNKNOWN" for none. */
const char *smpp_state_word(enum smpp_state state);

struct smpp_receipt {
    bool is_intermediate;
    struct slice id; /* as the message centre writes it: smpp_id_canonical; empty: it says none */
    enum smpp_state state;
    struct slice stat;  /* the word of the text, for what we do not know */
    struct slice error; /* err: of the text */
    bool has_network_error;
    uint8_t network;              /* 1 ANSI-136, 2 IS-95, 3 GSM */
    uint16_t network_error;       /* in that network's numbers */
    struct slice submitted, done; /* smpp_receipt_time_parse */
    struct slice text;
};

/*
 * What a deliver_sm or data_sm tells of a message. All slices are borrowed from it.
 * ERR_NOTHING: it is no receipt but somebody's message: neither its esm_class nor a parameter says so, and
 * its text alone is no proof.
 */
MUST_CHECK enum err smpp_receipt_read(const struct smpp_message *message, struct smpp_receipt *out);

struct smpp_receipt_new {
    struct slice id;
    enum smpp_state state;
    unsigned error; /* 0 to 999 */
    struct wall_time submitted_at, done_at;
    struct slice text; /* its first 20 octets are shown; it should be ASCII */
};
/* The text of appendix B, which short_message holds. */
void smpp_receipt_add(struct buf *out, const struct smpp_receipt_new *receipt);

/* Answers and receipts may write one number to different bases. */
enum smpp_id_change {
    SMPP_ID_AS_IT_IS,
    SMPP_ID_DECIMAL_TO_HEX, /* what comes is decimal: as hexadecimal */
    SMPP_ID_HEX_TO_DECIMAL,
};
#define SMPP_ID_CANONICAL_BYTES 80u /* 64 hexadecimal digits are 78 decimal ones */
/*
 * One spelling of an id: small letters, no zeros before it, and changed where it is a number of that base.
 * Empty for one of more than 64 octets.
 */
struct slice smpp_id_canonical(struct slice id, enum smpp_id_change change,
                               char out[static SMPP_ID_CANONICAL_BYTES]);

#endif
