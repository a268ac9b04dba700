/*
 * What providers posted, turned into what it means: statuses move messages forward, incoming messages are
 * stored, each body in one transaction, exactly once. One thread per gateway. What this gateway has stored it
 * is handed, and reads without asking for it again; what nobody has read in time, or has to be tried again,
 * the gateways share by claims.
 */
#ifndef PROGRAM_GATEWAY_INTERPRETER_H
#define PROGRAM_GATEWAY_INTERPRETER_H
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
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
/*
 * Whether it will take so many more bodies: ask before they are stored, since who has them in hand is stored
 * with them (provider_events_store). Only one thread may hand over.
 */
bool interpreter_takes(struct interpreter *interpreter, size_t count, size_t bytes);
/* A body that was stored with its lease in hand; all is borrowed for the call. */
struct interpreter_body {
    struct id tenant, batch, event, channel;
    struct slice number; /* the phone number id of its channel; empty: not known */
    struct slice bytes;
};
/*
 * Of one commit, whole batches together, in the order in which they came. After the commit; without memory
 * they are read from the table, when their lease is over.
 */
void interpreter_hand(struct interpreter *interpreter, const struct interpreter_body *bodies, size_t count);
/* Reads what it was handed, then ends. Nobody hands over any more. Accepts NULL. */
void interpreter_free(struct interpreter *interpreter);

#endif
