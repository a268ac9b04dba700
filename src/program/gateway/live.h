/*
 * What changes, as it happens. One thread of each gateway counts what became of messages for the overview
 * (domain/overview/overview_count.h; whichever comes first, the others find it done).
 */
#ifndef PROGRAM_GATEWAY_LIVE_H
#define PROGRAM_GATEWAY_LIVE_H
#include "core/clock.h"
#include "core/err.h"

#define LIVE_COUNT_MS 1000 /* how often the event log is looked at; at once while a page was full */

struct live; /* one per process; thread-safe */

struct live_config {
    const char *database; /* its own connection; borrowed while it runs */
    const struct clock *clock;
};

MUST_CHECK enum err live_new(const struct live_config *config, struct live **out);
/* Ends the thread. Accepts NULL. */
void live_stop(struct live *live);
/* Stops it first. Accepts NULL. */
void live_free(struct live *live);

#endif
