/*
 * What an account is told, as bodies of deliver_sm: what became of a message (SMPP v3.4, appendix B, and the
 * parameters that say the same), and what somebody wrote. Pure; bodies lie in the arena.
 */
#ifndef PROGRAM_GATEWAY_ESME_REPORT_H
#define PROGRAM_GATEWAY_ESME_REPORT_H
#include "core/arena.h"
#include "core/id.h"
#include "domain/message/message_status.h"
#include "wire/smpp/smpp_receipt.h"

#define ESME_ERROR_OF_OTHERS 255u /* a failure whose code has more than the three digits of a receipt */

/* A message_id on the wire: the message's id without its prefix, since an underscore is another letter in the
 * alphabet of short messages. */
struct slice esme_message_id(struct id message, char out[static ID_TEXT_BYTES]);

/* false: it is not at its end. */
bool esme_state_of(enum message_status status, enum smpp_state *out);
/* The err of a receipt: 0 of what was delivered; the code where it has up to three digits. */
unsigned esme_error_of(struct slice code, enum smpp_state state);

struct esme_receipt {
    struct id message;
    enum smpp_state state;
    unsigned error;
    struct wall_time ended_at;
    struct slice person;         /* whom it went to, with or without "+" */
    struct smpp_address account; /* what it was sent as: the receipt goes there */
};
MUST_CHECK enum err esme_receipt_print(const struct esme_receipt *receipt, struct arena *arena,
                                       struct slice *body_out);

struct esme_written {
    struct id message;
    struct slice person; /* who wrote it, with or without "+" */
    struct slice sender; /* to which header or number */
    struct slice text;   /* UTF-8 */
};
/*
 * In the 7-bit alphabet where that has all its characters, else UCS-2; a long one in parts, with the header
 * of 8 bits and one reference, the same whenever it is told again. ERR_LIMIT: it has more than `bodies_max`
 * parts; ERR_UTF8.
 */
MUST_CHECK enum err esme_written_print(const struct esme_written *written, struct arena *arena,
                                       struct slice *bodies, size_t bodies_max, size_t *count_out);

#endif
