/*
 * The thread that asks dispatchers for what signing in by an OpenID provider needs (oidc_task): a request
 * hands over what it wants to know and waits suspended, so that no worker is held by somebody else's server.
 * When the answer has come, or the time is over, the thread goes on with the request itself, with a
 * connection and a way to the vault of its own.
 */
#ifndef PROGRAM_GATEWAY_FEDERATOR_H
#define PROGRAM_GATEWAY_FEDERATOR_H
#include "domain/identity/oidc_task.h"
#include "program/gateway/gateway.h"

struct federator;

/* Lies in its request's arena. */
struct federator_ask {
    struct http_request *request;
    struct id issuer;
    enum oidc_task_kind kind;
    struct id ceremony;            /* used up when it is asked; zero: none */
    struct oidc_task_request with; /* of an exchange */
    /*
     * On the federator's thread, once: request->worker is its own from then on. `err` ERR_OK: `answer` is
     * there, of an exchange. ERR_IDENTITY_TOKEN, ERR_IDENTITY_PROVIDER, ERR_CEREMONY: it was used before;
     * ERR_BUSY, ERR_RATE_LIMITED, ERR_STOPPING ... What it returns becomes the answer, as a handler's.
     */
    enum err (*done)(struct http_request *request, struct http_response *response, enum err err,
                     const struct oidc_task_answer *answer, void *ctx);
    void *ctx;
    /* The federator's own. */
    struct federator_ask *next;
    struct id task;
    struct mono_time until;
};

MUST_CHECK enum err federator_new(struct gateway *gateway, struct federator **out);
/* Whoever waits is answered ERR_STOPPING, and nothing more is taken. Accepts NULL. */
void federator_stop(struct federator *federator);
/* When nobody submits any more. Stops it first. Accepts NULL. */
void federator_free(struct federator *federator);
/* ERR_DEFERRED: taken. ERR_BUSY: as many wait as may. ERR_STOPPING. From any thread; waits for nothing. */
MUST_CHECK enum err federator_submit(struct federator *federator, struct federator_ask *ask);

#endif
