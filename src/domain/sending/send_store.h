/*
 * A sending process's thread for the database and the vault: owns lanes, looks what is due in them, records
 * that it is about to be sent, opens content and credential, hands the ready request to the loop; and writes
 * back what became of it, in batches.
 */
#ifndef DOMAIN_SENDING_SEND_STORE_H
#define DOMAIN_SENDING_SEND_STORE_H
#include "core/clock.h"
#include "core/config.h"
#include "domain/dnd/dnd_watch.h"
#include "domain/sending/send_kind.h"
#include "platform/ipc/vault_client.h"

struct send_store;

struct send_store_config {
    const char *database; /* borrowed while it runs */
    const struct config *config;
    const struct clock *clock;
    struct vault_client *vault_client;
    struct id instance;
    const struct send_kind *kind; /* borrowed */
    void *kind_ctx;
    const struct phone_zones *zones; /* borrowed; NULL: none could be read */
    struct dnd_watch *dnd;           /* borrowed; NULL: its kind of channel is not in the registry */
    struct mailbox *ready;           /* store -> loop: requests to be made */
    struct mailbox *settled;         /* loop -> store: outcomes to be recorded */
};

/* The zones for the configuration, from the system's files: before the process locks itself in. */
MUST_CHECK enum err send_zones_load(struct phone_zones **out);

MUST_CHECK enum err send_store_new(const struct send_store_config *config, struct send_store **out);
/* Nothing more is sent; what is out is still recorded, and lanes are given back as they empty. */
void send_store_drain(struct send_store *store);
/* Picked and not yet recorded, or being picked just now: what the loop waits for while draining. */
size_t send_store_out(const struct send_store *store);
/*
 * Ends the thread after a last record; what the loop has not taken goes back to the queue. The loop must be
 * at its end: both mailboxes are the store's then. Accepts NULL.
 */
void send_store_free(struct send_store *store);

#endif
