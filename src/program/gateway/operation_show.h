/* Provider tasks as the API's operations: how routes begin one, and how it is shown. */
#ifndef PROGRAM_GATEWAY_OPERATION_SHOW_H
#define PROGRAM_GATEWAY_OPERATION_SHOW_H
#include "domain/channel/provider_task.h"
#include "program/gateway/gateway.h"

/* NULL without memory. Owned. */
json_t *operation_show(const struct provider_task *task);

struct operation_new {
    enum provider_task_kind kind;
    struct id channel, subject; /* the subject may be zero: none */
    bool moves_media;           /* it uploads before it asks */
};
/*
 * Begins a task for a channel of the asking tenant. `content` is what the provider is to be told (JSON,
 * sealed at once; taken; NULL: none). ERR_NOT_FOUND: no such channel. ERR_TOO_MANY: as many wait as may.
 */
MUST_CHECK enum err operation_begin(struct http_request *request, const struct operation_new *with,
                                    json_t *content, struct provider_task *out);
/* 202, the operation and its Location. */
MUST_CHECK enum err operation_reply(struct http_request *request, struct http_response *response,
                                    const struct provider_task *task);

#endif
