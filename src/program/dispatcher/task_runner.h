/*
 * The dispatcher's threads for provider tasks: each with its own database connection and HTTP client, and one
 * task at a time, so that a slow one delays only its thread. The loop that sends messages knows nothing of
 * them.
 */
#ifndef PROGRAM_DISPATCHER_TASK_RUNNER_H
#define PROGRAM_DISPATCHER_TASK_RUNNER_H
#include "core/clock.h"
#include "core/config.h"
#include "platform/ipc/vault_client.h"
#include "platform/net/address_guard.h"
#include "program/dispatcher/task.h"
#include "program/dispatcher/usage.h"

struct task_pool;

struct task_pool_config { /* all borrowed while it runs */
    const char *database;
    const struct config *config;
    const struct clock *clock;
    struct vault_client *vault_client;
    const struct address_guard *guard;
    const struct task_handler *table; /* by kind: task_table, or a test's */
    struct usage *usage;
};

/* After the lock-in. ERR_DB_UNAVAILABLE, ERR_SYSTEM, ERR_NO_MEMORY. */
MUST_CHECK enum err task_pool_new(const struct task_pool_config *config, struct task_pool **out);
/* No more claims. */
void task_pool_drain(struct task_pool *pool);
/* Tasks under way. */
size_t task_pool_busy(const struct task_pool *pool);
/* What is still under way goes back to the queue, as unsure when its request may have left. Accepts NULL. */
void task_pool_free(struct task_pool *pool);

#endif
