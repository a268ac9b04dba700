/*
 * The webhooks role's thread for the database and the vault: fans events out, claims what is due, has the
 * vault sign it, hands it to the loop, and records each attempt.
 */
#ifndef PROGRAM_WEBHOOKS_DELIVERY_STORE_H
#define PROGRAM_WEBHOOKS_DELIVERY_STORE_H
#include "core/clock.h"
#include "core/config.h"
#include "platform/ipc/vault_client.h"
#include "program/webhooks/delivery_job.h"

struct delivery_store;

struct delivery_store_config {
    const char *database; /* borrowed while it runs */
    const struct config *config;
    const struct clock *clock;
    struct vault_client *vault_client;
    struct mailbox *ready;   /* store -> loop */
    struct mailbox *settled; /* loop -> store */
    int64_t idle_ms_max;     /* looks at the latest then: finds what a lost notice or another process left */
};

MUST_CHECK enum err delivery_store_new(const struct delivery_store_config *config,
                                       struct delivery_store **out);
/* No more claims; what is out is still recorded. */
void delivery_store_drain(struct delivery_store *store);
/* Claimed and not yet recorded, or being claimed just now. */
size_t delivery_store_out(const struct delivery_store *store);
/*
 * Ends the thread after a last record; what the loop has not taken goes back to the queue. The loop must be
 * at its end: both mailboxes are the store's then. Accepts NULL.
 */
void delivery_store_free(struct delivery_store *store);

#endif
