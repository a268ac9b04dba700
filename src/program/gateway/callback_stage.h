/*
 * Group commit for what providers post: requests hand over their bodies and wait suspended; one thread takes
 * all that has queued, looks the channels up in one query, has the vault verify and then seal all bodies in
 * one exchange each, stores them in one transaction, hands them over to the interpreter after the commit and
 * answers each request with its own result.
 */
#ifndef PROGRAM_GATEWAY_CALLBACK_STAGE_H
#define PROGRAM_GATEWAY_CALLBACK_STAGE_H
#include "platform/ipc/vault_client.h"
#include "platform/net/http_server.h"

struct callback_stage;
struct channel_callback;
struct interpreter;
struct limiter;

/* One body on its way in. Lies in its request's arena. */
struct callback {
    struct http_request *request; /* its body is what was posted */
    struct id channel;
    bool has_mac; /* false: its signature is none, but only who knows a channel is told so */
    unsigned char mac[VAULT_MAC_BYTES]; /* that the body is said to have */
    struct callback *next;              /* the stage's own, as all below */
    size_t nth;                         /* of its batch */
    const struct channel_callback *of;
    enum err err;
};

struct callback_stage_config {
    const char *database; /* its own connection; borrowed while it runs */
    const struct clock *clock;
    struct vault_client *vault_client;
    struct interpreter
        *interpreter;        /* reads what was stored; NULL: whoever claims it. Freed after the stage */
    struct limiter *limiter; /* of those whose signature is good; may be NULL */
    size_t queue_max, batch_max;
};

MUST_CHECK enum err callback_stage_new(const struct callback_stage_config *config,
                                       struct callback_stage **out);
/* Stores and answers what is queued, and takes nothing more: ERR_STOPPING. Accepts NULL. */
void callback_stage_stop(struct callback_stage *stage);
/* When nobody submits any more. Stops it first. Accepts NULL. */
void callback_stage_free(struct callback_stage *stage);
/*
 * ERR_DEFERRED: taken; its request is answered later: 200, or with ERR_NOT_FOUND (no such channel),
 * ERR_SIGNATURE, or what kept it from being stored. ERR_BUSY: the queue is full. ERR_STOPPING. From any
 * thread; it waits for nothing.
 */
MUST_CHECK enum err callback_stage_submit(struct callback_stage *stage, struct callback *callback);

#endif
