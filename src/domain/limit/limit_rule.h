/*
 * The arithmetic of limits: no clock, no memory, no I/O. A counter is one word of 64 bits.
 *
 * A rate of N a second is the generic cell rate algorithm (ITU-T I.371, annex A) with a burst of one second's
 * worth: N at once from rest, then evenly; in any span of T seconds at most N * (T + 1), give or take one
 * tick of the clock. The word is the theoretical arrival time in ticks of 64 us, and its remainder in Nths of
 * a tick, so that nothing is rounded. A quota counts whole things in a UTC day or month; the word is the
 * window's number and what was used of it. Zero is a counter that nobody has used, of either kind.
 */
#ifndef DOMAIN_LIMIT_LIMIT_RULE_H
#define DOMAIN_LIMIT_LIMIT_RULE_H
#include "core/clock.h"
#include <stdbool.h>

enum limit_kind { LIMIT_RATE, LIMIT_DAY, LIMIT_MONTH };

#define LIMIT_RATE_MAX         1000000u             /* a second */
#define LIMIT_QUOTA_MAX        UINT32_C(4000000000) /* a day or a month */
#define LIMIT_TICK_US          64
#define LIMIT_TICKS_PER_SECOND 15625

/* An instant, as the rules see it. */
struct limit_now {
    int64_t tick;        /* of a clock that is the same for all who share the counter; above zero */
    struct wall_time at; /* UTC */
    uint32_t day, month; /* since 1970 */
};
struct limit_now limit_now(const struct clock *clock);
struct limit_now limit_now_at(struct wall_time wall, struct mono_time mono);

struct limit_verdict {
    bool is_admitted;
    uint64_t next;      /* the word afterwards; when refused, as it stands */
    uint64_t used;      /* afterwards: of a quota; of a rate what is missing from its burst, rounded up */
    uint64_t remaining; /* afterwards: how much would be admitted at once */
    int64_t reset_us;   /* until it is as if never used */
    int64_t wait_us;    /* when refused: until the same would be admitted if nobody else came; -1: never */
    uint32_t window;    /* the day or month it was counted in; of a rate 0 */
};

/* Whether `cost` more are within `limit`; cost 0 asks how it stands, and is always admitted. */
struct limit_verdict limit_rule_judge(enum limit_kind kind, uint64_t limit, uint64_t word,
                                      const struct limit_now *now, uint64_t cost);
/*
 * The word after `cost` that were admitted in `window` are given back. Of a quota nothing when its window is
 * over; of a rate as much as time has not given back already.
 */
uint64_t limit_rule_return(enum limit_kind kind, uint64_t limit, uint64_t word, const struct limit_now *now,
                           uint64_t cost, uint32_t window);
/* Whether the word says no more than zero does: its place may be used for another counter. */
bool limit_rule_is_over(enum limit_kind kind, uint64_t word, const struct limit_now *now);
/* A quota's word. */
uint64_t limit_rule_word(uint32_t window, uint64_t used);
/* The number of the day or month of an instant. A rate has none: 0. */
uint32_t limit_rule_window(enum limit_kind kind, const struct limit_now *now);
/* When the window of that number begins. */
struct wall_time limit_rule_window_start(enum limit_kind kind, uint32_t window);

#endif
