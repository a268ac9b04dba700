/*
 * The back end for several hosts: counters in one Redis, all of a decision in one run of one script, by the
 * server's clock. While the server is away either nothing is admitted, or each process counts by itself and
 * gives its share of what the database says is left; never more than that.
 */
#ifndef DOMAIN_LIMIT_LIMIT_REDIS_H
#define DOMAIN_LIMIT_LIMIT_REDIS_H
#include "domain/limit/limit.h"

struct limit_redis; /* one per process; thread-safe */

struct limit_redis_config {
    const char *url, *user, *password; /* platform/redis/redis.h; borrowed while it runs */
    int timeout_ms;
    /* How many processes share a limit while the server is away; 0: nothing is admitted then. */
    unsigned shares;
    const struct clock *clock;
};

MUST_CHECK enum err limit_redis_new(const struct limit_redis_config *config, struct limit_redis **out);
void limit_redis_free(struct limit_redis *redis); /* accepts NULL */
struct limit_backend limit_redis_backend(struct limit_redis *redis);
/* Whether the last decision was made without the server. */
bool limit_redis_is_away(const struct limit_redis *redis);

#endif
