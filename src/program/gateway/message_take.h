/* A message that was read is taken in: its quotas, the group commit, and the answer 202. */
#ifndef PROGRAM_GATEWAY_MESSAGE_TAKE_H
#define PROGRAM_GATEWAY_MESSAGE_TAKE_H
#include "program/gateway/message_ask.h"

/*
 * ERR_DEFERRED: the request is answered later, by the committer; `ask` and all it points to lie in the
 * request's arena or its body, and ask->body is that body or NULL. ERR_BUSY, ERR_STOPPING, or a limit's
 * error.
 */
MUST_CHECK enum err message_take(struct http_request *request, struct message_ask *ask);

#endif
