/*
 * The dispatcher's threads for sign-in by OpenID providers: they take what gateways ask (oidc_task), call the
 * provider, and answer. Each has its own connection and exchanger and does one task at a time; a task is
 * tried once, since a code is good once and a person waits.
 */
#ifndef PROGRAM_DISPATCHER_OIDC_RUNNER_H
#define PROGRAM_DISPATCHER_OIDC_RUNNER_H
#include "core/clock.h"
#include "core/err.h"
#include "platform/ipc/vault_client.h"

#define OIDC_RUNNER_THREADS 2u /* one provider that does not answer holds up one */

struct oidc_runner;

struct oidc_runner_config { /* all borrowed while it runs */
    const char *database, *ca_file;
    const struct clock *clock;
    struct vault_client *vault_client;
    bool allows_loopback;
};

/* After the lock-in. ERR_DB_UNAVAILABLE, ERR_SYSTEM, ERR_NO_MEMORY. */
MUST_CHECK enum err oidc_runner_new(const struct oidc_runner_config *config, struct oidc_runner **out);
/* No more claims. */
void oidc_runner_drain(struct oidc_runner *runner);
/* Waits for the call that is under way. Accepts NULL. */
void oidc_runner_free(struct oidc_runner *runner);

#endif
