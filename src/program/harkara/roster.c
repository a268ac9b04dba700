#include "program/harkara/roster.h"
#include <stddef.h>

/* clang-format off */
const struct roster_row roster[] = {
    /* A gateway stops before what its requests need; the vault stops last, the database after it. */
    { .name = "vault", .settings = CONFIG_VAULT, .stage = 2 },
    { .name = "gateway", .settings = CONFIG_GATEWAY, .login = "harkara_gateway", .vault_role = VAULT_ROLE_GATEWAY,
      .stage = 0, .has_listener = true, .has_admin = true, .has_limits = true, .follows = ROSTER_FOLLOWS_WITH_DATABASE },
    { .name = "dispatcher", .settings = CONFIG_DISPATCHER, .login = "harkara_dispatcher",
      .vault_role = VAULT_ROLE_DISPATCHER, .stage = 1, .has_mail = true, .follows = ROSTER_FOLLOWS_ALWAYS },
    { .name = "webhooks", .settings = CONFIG_WEBHOOKS, .login = "harkara_webhooks", .vault_role = VAULT_ROLE_WEBHOOKS,
      .stage = 1, .follows = ROSTER_FOLLOWS_ALWAYS },
    { .name = "smsc", .settings = CONFIG_SMSC, .login = "harkara_smsc", .vault_role = VAULT_ROLE_SMSC, .stage = 1,
      .follows = ROSTER_FOLLOWS_ALWAYS },
    { .name = "scheduler", .settings = CONFIG_SCHEDULER, .login = "harkara_scheduler",
      .vault_role = VAULT_ROLE_SCHEDULER, .stage = 1,
      .follows = ROSTER_FOLLOWS_WITH_DATABASE },
    /* Only with a token. The vault waits for it, and stops after whom it may still have to serve. */
    { .name = "hsm", .settings = CONFIG_HSM, .stage = 2 },
    { .name = NULL },
};
/* clang-format on */

/* Beside the workers: committer, callbacks, the interpreter, sign-in by others, the admin socket's worker,
 * the account of quotas, the SMPP server's two, and one being replaced. */
#define GATEWAY_CONNECTIONS    11
#define DISPATCHER_CONNECTIONS 6
#define OTHER_CONNECTIONS      28 /* webhooks, scheduler, smsc, commands, an operator's psql */

unsigned
roster_count(const struct roster_row *row, const struct config *config)
{
    switch (row->settings) {
    case CONFIG_GATEWAY:
        return (unsigned)config->gateways;
    case CONFIG_DISPATCHER:
        return (unsigned)config->dispatchers;
    case CONFIG_HSM:
        return config->hsm_module[0] == '\0' ? 0 : 1;
    case CONFIG_SUPERVISOR:
    case CONFIG_VAULT:
    case CONFIG_WEBHOOKS:
    case CONFIG_SCHEDULER:
    case CONFIG_SMSC:
        break;
    }
    return 1;
}

int
roster_connections(const struct config *config)
{
    return (int)(config->gateways * (config->gateway_workers + GATEWAY_CONNECTIONS) +
                 config->dispatchers * (config->task_threads + DISPATCHER_CONNECTIONS) + OTHER_CONNECTIONS);
}
