/*
 * What providers posted, turned into what it means: statuses move messages forward, incoming messages are
 * stored, each body in one transaction, exactly once. One thread per gateway; several gateways share the work
 * by claims.
 */
#ifndef PROGRAM_GATEWAY_INTERPRETER_H
#define PROGRAM_GATEWAY_INTERPRETER_H
#include "core/clock.h"
#include "core/err.h"
#include "platform/ipc/vault_client.h"

struct interpreter;

struct interpreter_config {
    const char *database; /* its own connection; borrowed while it runs */
    const struct clock *clock;
    struct vault_client *vault_client;
    bool fetch_media;   /* what comes with a message is fetched from the provider, unless its channel says
                           otherwise */
    int64_t media_days; /* it is kept */
};

MUST_CHECK enum err interpreter_new(const struct interpreter_config *config, struct interpreter **out);
/* Finishes the body in hand, then ends. Accepts NULL. */
void interpreter_free(struct interpreter *interpreter);

#endif
