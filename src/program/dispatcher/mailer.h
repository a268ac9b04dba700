/*
 * The dispatcher's thread for mails to the people who work with Harkara (domain/notice): one at a time, with
 * its own database connection, to the operator's relay. The loop that sends messages knows nothing of it.
 */
#ifndef PROGRAM_DISPATCHER_MAILER_H
#define PROGRAM_DISPATCHER_MAILER_H
#include "core/clock.h"
#include "core/config.h"
#include "platform/ipc/vault_client.h"

struct mailer;

struct mailer_config { /* all borrowed while it runs */
    const char *database;
    const struct config *config;
    const char *password; /* NULL: none */
    const struct clock *clock;
    struct vault_client *vault_client;
};

/* After the lock-in. Without a relay *out is NULL, which all others take. ERR_CONFIG (logged),
 * ERR_DB_UNAVAILABLE, ERR_SYSTEM, ERR_NO_MEMORY. */
MUST_CHECK enum err mailer_new(const struct mailer_config *config, struct mailer **out);
/* No more mails are begun. */
void mailer_drain(struct mailer *mailer);
/* Mails under way: 0 or 1. */
size_t mailer_busy(const struct mailer *mailer);
/* What is still under way is given up, and comes again. */
void mailer_free(struct mailer *mailer);

#endif
