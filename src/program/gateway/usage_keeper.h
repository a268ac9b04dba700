/*
 * Keeps the database's account of what was accepted: adds up in memory, and writes on a thread of its own at
 * most half a second later, and all of it before the end. Tells events of quotas that run short.
 */
#ifndef PROGRAM_GATEWAY_USAGE_KEEPER_H
#define PROGRAM_GATEWAY_USAGE_KEEPER_H
#include "domain/limit/limit_usage.h"

#define USAGE_KEEPER_MS 500

struct usage_keeper; /* one per process; thread-safe */

struct usage_keeper_config {
    const char *database; /* its own connection; borrowed while it runs */
    const struct clock *clock;
};

MUST_CHECK enum err usage_keeper_new(const struct usage_keeper_config *config, struct usage_keeper **out);
/* Writes what there is, while the database answers, and ends the thread. Accepts NULL. */
void usage_keeper_stop(struct usage_keeper *keeper);
/* When nobody adds any more. Stops it first. Accepts NULL. */
void usage_keeper_free(struct usage_keeper *keeper);

void usage_keeper_add(struct usage_keeper *keeper, const struct limit_usage *usage);
/* Passed over when it was told in this process already. */
void usage_keeper_notice(struct usage_keeper *keeper, const struct limit_notice *notice);

#endif
