/*
 * Limits: counters by name, and decisions over several of them at once. All are admitted or none is. Two back
 * ends keep the counters (limit_table.h for one host, limit_redis.h for several); whoever asks sees no
 * difference.
 */
#ifndef DOMAIN_LIMIT_LIMIT_H
#define DOMAIN_LIMIT_LIMIT_H
#include "core/err.h"
#include "core/id.h"
#include "domain/limit/limit_rule.h"

enum limit_name {
#define LIMIT(name, word, kind, help) LIMIT_##name,
#include "domain/limit/limit.def"
#undef LIMIT
    LIMIT_NAME_COUNT
};
/* "sender-day". */
const char *limit_word(enum limit_name name);
enum limit_kind limit_kind(enum limit_name name);
/* Of an address that has not shown a key: anybody can make as many of these counters as he has addresses. */
bool limit_is_of_strangers(enum limit_name name);
/* What a refusal by it is called. */
enum err limit_refusal(enum limit_name name);

#define LIMIT_KEY_BYTES    33u
#define LIMIT_BASE_UNKNOWN (-1)

struct limit_counter {
    /* Asked. */
    enum limit_name name;
    uint64_t limit; /* at least 1; at most LIMIT_RATE_MAX or LIMIT_QUOTA_MAX */
    uint64_t cost;  /* 0: how does it stand? */
    unsigned char key[LIMIT_KEY_BYTES];
    uint8_t key_len;
    /* Of a quota: what the database knows of its window, for a counter that nobody has asked for since a
     * start. */
    int64_t base;
    uint32_t base_window;
    /* Told. */
    uint64_t used, remaining;
    int64_t reset_us, wait_us; /* struct limit_verdict */
    uint32_t window;
    bool is_refused; /* it would not have admitted this */
    bool is_unknown; /* a quota that neither the back end nor the caller knows */
};

/* A counter of a tenant, and of one of its channels or keys (zero: none). */
struct limit_counter limit_counter_of(enum limit_name name, struct id tenant, struct id subject,
                                      uint64_t limit, uint64_t cost);
/* A counter of an address: IPv4 whole, IPv6 by its /64; another text has one counter for all. */
struct limit_counter limit_counter_of_address(enum limit_name name, struct slice address, uint64_t limit,
                                              uint64_t cost);

struct limit_backend {
    void *ctx;
    /*
     * ERR_OK: all admitted. ERR_RATE_LIMITED, ERR_QUOTA_EXCEEDED: at least one refuses, and none was taken;
     * told of each. ERR_INCOMPLETE: some quotas are unknown (is_unknown); none was taken: give their base and
     * ask again. ERR_LIMITS_UNAVAILABLE: nothing can be counted now; none was taken.
     */
    enum err (*decide)(void *ctx, struct limit_counter *counters, size_t count);
    /* Gives back what a decision admitted: `cost` of each, with the `window` that was told. */
    void (*give_back)(void *ctx, const struct limit_counter *counters, size_t count);
};

#endif
