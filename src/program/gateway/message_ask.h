/*
 * What a client asks to be sent: from its JSON, which the contract has checked already, to a message that
 * lacks only its seal. What a schema cannot say is checked here, with the JSON Pointer of what is wrong.
 */
#ifndef PROGRAM_GATEWAY_MESSAGE_ASK_H
#define PROGRAM_GATEWAY_MESSAGE_ASK_H
#include "domain/message/message.h"
#include "platform/net/router.h"

#define MESSAGE_BODY_BYTES_MAX (64u * 1024u) /* of one message */

struct message_ask {
    const json_t *body;         /* borrowed: the object that describes one message */
    struct slice at;            /* the JSON Pointer of it in the request: "", or "/messages/3" */
    struct arena *arena;        /* for all that is read */
    struct problem *problem;    /* what is wrong is noted here */
    struct message_new message; /* out: everything but `sealed` and `fingerprint` */
    struct message_plain plain; /* out: what is to be sealed; lies in the arena, which is wiped */
    int64_t ttl_s;              /* out, with has_ttl: as it was asked for */
    bool has_ttl;
    unsigned char
        request_hash[MESSAGE_FINGERPRINT_BYTES]; /* out, with an idempotency key: gateway_request_hash */
};

/*
 * ERR_CHANNEL_UNKNOWN, ERR_MESSAGE_INVALID, ERR_TEMPLATE_MISMATCH, ERR_TEMPLATE_NOT_READY, ERR_TIME_ORDER,
 * ERR_CONTRACT. With an idempotency key the request's hash is made too: the same for one message,
 * whether it comes by itself or within a batch.
 */
MUST_CHECK enum err message_ask_read(struct http_request *request, struct slice idempotency_key,
                                     struct message_ask *ask);
/* The message that it became, as it is shown before it was read back (message_print) and as whoever asks may
 * see it. */
void message_ask_print(const struct http_request *request, const struct message_ask *ask,
                       const struct message_accepted *accepted, struct buf *out);

#endif
