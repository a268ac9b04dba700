/* A message as the API shows it. */
#ifndef PROGRAM_GATEWAY_MESSAGE_SHOW_H
#define PROGRAM_GATEWAY_MESSAGE_SHOW_H
#include "core/buf.h"
#include "domain/message/message_fallback.h"
#include "platform/net/router.h"
#include <jansson.h>

/* Without content and timeline, as in lists and answers to POST. `peer` and `metadata` (empty: none) are
 * opened. buf_done says whether all of it is there. */
void message_print(const struct message *message, struct slice peer, struct slice metadata, struct buf *out);
/* The same as a tree. Owned; NULL: no memory. */
json_t *message_show(const struct message *message, struct slice peer, struct slice metadata);
/* A receipt of the policy gate. */
void policy_receipt_print(const struct policy_receipt *receipt, struct buf *out);
/* The same as a tree. Owned; NULL: no memory. */
json_t *policy_receipt_show(const struct policy_receipt *receipt);
/* One of its senders, with its own content (taken; NULL: it sends the message's). Owned; NULL: no memory. */
json_t *message_sender_show(const struct message *message, const struct message_sender *sender,
                            json_t *content);
/* One step of the timeline, from the event's data, as whoever asks may see it. Owned; NULL: no memory. */
json_t *message_step_show(const struct http_request *request, const struct event *event);

#endif
