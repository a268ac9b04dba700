/* A message as the API shows it. */
#ifndef PROGRAM_GATEWAY_MESSAGE_SHOW_H
#define PROGRAM_GATEWAY_MESSAGE_SHOW_H
#include "domain/message/message.h"
#include <jansson.h>

/* Without content and timeline, as in lists and answers to POST. `peer` and `metadata` (empty: none) are
 * opened. Owned; NULL: no memory. */
json_t *message_show(const struct message *message, struct slice peer, struct slice metadata);
/* One step of the timeline, from the event's data. Owned; NULL: no memory. */
json_t *message_step_show(const struct event *event);

#endif
