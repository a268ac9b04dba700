/*
 * A send as the Cloud API takes it: POST /{version}/{phone number id}/messages. There is no idempotency key,
 * so our message id rides along as biz_opaque_callback_data and comes back with every status.
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_SEND_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_SEND_H
#include "core/buf.h"
#include "core/err.h"
#include "core/slice.h"
#include <jansson.h>

#define WHATSAPP_SEND_BYTES_MAX (1u << 20)

struct whatsapp_send {
    struct slice to;        /* "+14155550123", a business-scoped user id such as "US.13491208655302741918", or
                               "group:" and a group's id */
    struct slice refers_to; /* provider id of the message that is quoted or reacted to; empty: none */
    struct slice callback_data; /* our message id as text */
    const json_t *content;      /* borrowed; has passed the contract and whatsapp_content_check */
};

/*
 * Appends the request body. ERR_RECIPIENT_INVALID; ERR_MESSAGE_INVALID: no type, no object under its name, or
 * a reaction without refers_to; ERR_LIMIT and ERR_NO_MEMORY from the buffer.
 */
MUST_CHECK enum err whatsapp_send_print(const struct whatsapp_send *send, struct buf *out);
/* Appends "/v25.0/106540352242922/messages". ERR_URL_INVALID unless "v" number "." number, and digits. */
MUST_CHECK enum err whatsapp_send_path(struct slice version, struct slice phone_number_id, struct buf *out);

#endif
