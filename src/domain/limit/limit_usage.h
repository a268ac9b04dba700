/*
 * What was used of quotas, in the database: accepted messages by channel and UTC day, added up at most a
 * second after they were committed. Counters that nobody has asked for since a start begin with it. And who
 * was told that one runs short.
 */
#ifndef DOMAIN_LIMIT_LIMIT_USAGE_H
#define DOMAIN_LIMIT_LIMIT_USAGE_H
#include "domain/event/event.h"
#include "domain/limit/limit.h"
#include "platform/db/db.h"

/* Fills in `base` and `base_window` of the quotas among the counters that are unknown; all of the
 * transaction's tenant. */
MUST_CHECK enum err limit_usage_load(struct db_tx *tx, const struct limit_now *now, struct arena *arena,
                                     struct limit_counter *counters, size_t count);

/* Accepted messages that the database has not been told of: of one process, added up until they are written.
 */
struct limit_usage {
    struct id tenant, channel;
    uint32_t day;
    uint64_t accepted;
};
/* Writes those of one tenant, in the order of day and channel, each of them once. */
MUST_CHECK enum err limit_usage_add(struct db_tx *tx, const struct limit_usage *usages, size_t count,
                                    struct arena *arena);
#define LIMIT_USAGE_BATCH_MAX 1000u

/* A quota that has come to 80 or 100 percent. */
struct limit_notice {
    struct id tenant, channel; /* zero: of the workspace */
    enum limit_name name;
    uint32_t window;
    int percent;
    uint64_t limit, used;
};
/* Tells it with an event, the first time in its window; else nothing happens. */
MUST_CHECK enum err limit_notice_tell(struct db_tx *tx, const struct clock *clock,
                                      const struct limit_notice *notice);

#endif
