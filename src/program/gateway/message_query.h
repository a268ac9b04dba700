/* What lists and exports of messages share: the filters of a query, and a message with what is sealed of it.
 */
#ifndef PROGRAM_GATEWAY_MESSAGE_QUERY_H
#define PROGRAM_GATEWAY_MESSAGE_QUERY_H
#include "domain/message/message.h"
#include "platform/net/router.h"

/* The request's filters, which the contract has checked; not the cursor. ERR_QUERY, or the vault's error. */
MUST_CHECK enum err message_query_read(struct http_request *request, struct message_filter *filter);
/*
 * What is sealed of these, opened into the arena in few exchanges with the vault: addresses, metadata, and
 * content if that is wanted. *out has one for each and lies in the arena. The first that does not open is the
 * error. What names the person is masked in both, addresses and messages, for whoever may not see it; the
 * content is as it is (reach_content).
 */
MUST_CHECK enum err messages_open(struct http_request *request, struct message *messages, size_t count,
                                  bool wants_content, struct arena *arena, struct message_opening **out);
/* One as in a list. *out is owned, NULL on an error or without memory. */
MUST_CHECK enum err message_opened_show(struct http_request *request, struct message *message,
                                        struct arena *arena, json_t **out);

#endif
