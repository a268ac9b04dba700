/* A message that uses a template, held against what this workspace knows of the template. */
#ifndef PROGRAM_GATEWAY_TEMPLATE_CHECK_H
#define PROGRAM_GATEWAY_TEMPLATE_CHECK_H
#include "domain/message/message.h"
#include "program/gateway/gateway.h"

struct template_send {
    struct id channel;
    const json_t *content;        /* borrowed: the message's */
    struct slice at, category_at; /* JSON Pointers: "/content", "/category" */
    struct slice idempotency_key; /* NULL ptr: none. A repeated request is answered as the first one was */
    bool has_category;            /* else the message takes the template's */
    struct arena *arena;
    struct problem *problem;
    enum policy_template *state; /* out: what is known of it */
};

/*
 * ERR_OK as well when the content is no template, or nothing is known of it: then WhatsApp decides.
 * ERR_TEMPLATE_MISMATCH, ERR_TEMPLATE_NOT_READY, with the faults in `problem`.
 */
MUST_CHECK enum err gateway_template_check(struct http_request *request, const struct template_send *send,
                                           enum message_category *category);

#endif
