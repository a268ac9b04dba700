#include "domain/limit/limit_rule.h"

#define REMAINDER_BITS 20u
#define REMAINDER_MASK ((UINT64_C(1) << REMAINDER_BITS) - 1)
#define DAY_US         (INT64_C(86400) * 1000000)

_Static_assert(LIMIT_RATE_MAX <= REMAINDER_MASK, "a remainder is below the rate");
_Static_assert(LIMIT_TICKS_PER_SECOND *LIMIT_TICK_US == 1000000, "ticks fill a second");

/* Months since 1970 of the day that is `day` days after 1970-01-01: civil_from_days of Howard Hinnant's
 * "chrono-Compatible Low-Level Date Algorithms", with years that begin in March. */
static uint32_t
month_of_day(uint32_t day)
{
    uint32_t z = day + 719468, era = z / 146097, of_era = z - era * 146097;
    uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint32_t march = (5 * of_year + 2) / 153; /* 0: March */

    return (year + era * 400) * 12 + march + 2 - 1970 * 12;
}

/* The first day of a month: days_from_civil of the same. */
static uint32_t
day_of_month(uint32_t month)
{
    uint32_t since_march = month + 1970 * 12 - 2, year = since_march / 12, march = since_march % 12;
    uint32_t era = year / 400, of_era = year - era * 400;
    uint32_t of_year = (153 * march + 2) / 5;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct limit_now
limit_now_at(struct wall_time wall, struct mono_time mono)
{
    int64_t days = wall.us <= 0 ? 0 : wall.us / DAY_US;
    uint32_t day =
        days > 1000000 ? 1000000u : (uint32_t)days; /* a clock beyond the year 4700 is wrong anyway */

    return (struct limit_now){
        .tick = mono.us / LIMIT_TICK_US + 1, .at = wall, .day = day, .month = month_of_day(day)
    };
}

struct limit_now
limit_now(const struct clock *clock)
{
    return limit_now_at(clock_wall(clock), clock_mono(clock));
}

uint32_t
limit_rule_window(enum limit_kind kind, const struct limit_now *now)
{
    switch (kind) {
    case LIMIT_RATE:
        break;
    case LIMIT_DAY:
        return now->day;
    case LIMIT_MONTH:
        return now->month;
    }
    return 0;
}

struct wall_time
limit_rule_window_start(enum limit_kind kind, uint32_t window)
{
    return (struct wall_time){ (int64_t)(kind == LIMIT_MONTH ? day_of_month(window) : window) * DAY_US };
}

uint64_t
limit_rule_word(uint32_t window, uint64_t used)
{
    return (uint64_t)window << 32 | (used > UINT32_MAX ? UINT32_MAX : used);
}

/* Rates. The debt is what is missing from the burst, in ticks times the rate: each request weighs a second's
 * ticks. */

static uint64_t
debt_of(uint64_t limit, uint64_t word, const struct limit_now *now)
{
    int64_t tick = (int64_t)(word >> REMAINDER_BITS);
    uint64_t remainder = word & REMAINDER_MASK, full = LIMIT_TICKS_PER_SECOND * limit;

    if (tick < now->tick)
        return 0;
    if (remainder >= limit) { /* the rate was lowered since */
        remainder = 0;
        tick++;
    }
    uint64_t ahead = (uint64_t)(tick - now->tick);
    if (ahead > LIMIT_TICKS_PER_SECOND) /* the clock is another one than before */
        return full;
    uint64_t debt = ahead * limit + remainder;
    return debt > full ? full : debt;
}

static uint64_t
word_of(uint64_t limit, uint64_t debt, const struct limit_now *now)
{
    return ((uint64_t)now->tick + debt / limit) << REMAINDER_BITS | debt % limit;
}

static int64_t
debt_us(uint64_t debt, uint64_t limit)
{
    return (int64_t)((debt + limit - 1) / limit) * LIMIT_TICK_US;
}

static struct limit_verdict
rate_judge(uint64_t limit, uint64_t word, const struct limit_now *now, uint64_t cost)
{
    uint64_t full = LIMIT_TICKS_PER_SECOND * limit, debt = debt_of(limit, word, now);
    struct limit_verdict verdict = { .is_admitted = true, .next = word };

    if (cost > limit) {
        verdict.is_admitted = false;
        verdict.wait_us = -1;
    } else if (cost > 0 && debt > full - cost * LIMIT_TICKS_PER_SECOND) {
        verdict.is_admitted = false;
        verdict.wait_us = debt_us(debt + cost * LIMIT_TICKS_PER_SECOND - full, limit);
    } else if (cost > 0) {
        debt += cost * LIMIT_TICKS_PER_SECOND;
        verdict.next = word_of(limit, debt, now);
    }
    verdict.remaining = (full - debt) / LIMIT_TICKS_PER_SECOND;
    verdict.used = limit - verdict.remaining;
    verdict.reset_us = debt_us(debt, limit);
    return verdict;
}

/* Quotas. */

/*
 * What was used in the present window, and which that is. A word of the next window was written by a clock a
 * little ahead of ours, and stays; one further ahead by a clock that was wrong: it counts for the present.
 */
static uint64_t
used_of(enum limit_kind kind, uint64_t word, const struct limit_now *now, uint32_t *window_out)
{
    uint32_t window = (uint32_t)(word >> 32), present = limit_rule_window(kind, now);

    *window_out = window == present + 1 ? window : present;
    return window < present ? 0 : word & UINT32_MAX;
}

static struct limit_verdict
quota_judge(enum limit_kind kind, uint64_t limit, uint64_t word, const struct limit_now *now, uint64_t cost)
{
    struct limit_verdict verdict = { .is_admitted = true, .next = word };
    uint64_t used = used_of(kind, word, now, &verdict.window);

    verdict.reset_us = limit_rule_window_start(kind, verdict.window + 1).us - now->at.us;
    if (cost > 0 && (used >= limit || cost > limit - used)) {
        verdict.is_admitted = false;
        verdict.wait_us = cost > limit ? -1 : verdict.reset_us;
    } else if (cost > 0) {
        used += cost;
        verdict.next = limit_rule_word(verdict.window, used);
    }
    verdict.used = used;
    verdict.remaining = used >= limit ? 0 : limit - used;
    return verdict;
}

struct limit_verdict
limit_rule_judge(enum limit_kind kind, uint64_t limit, uint64_t word, const struct limit_now *now,
                 uint64_t cost)
{
    return kind == LIMIT_RATE ? rate_judge(limit, word, now, cost)
                              : quota_judge(kind, limit, word, now, cost);
}

uint64_t
limit_rule_return(enum limit_kind kind, uint64_t limit, uint64_t word, const struct limit_now *now,
                  uint64_t cost, uint32_t window)
{
    if (kind == LIMIT_RATE) {
        uint64_t debt = debt_of(limit, word, now), weight = cost * LIMIT_TICKS_PER_SECOND;
        return debt == 0 ? word : word_of(limit, weight >= debt ? 0 : debt - weight, now);
    }
    uint64_t used = word & UINT32_MAX;
    if ((uint32_t)(word >> 32) != window)
        return word;
    return limit_rule_word(window, cost >= used ? 0 : used - cost);
}

bool
limit_rule_is_over(enum limit_kind kind, uint64_t word, const struct limit_now *now)
{
    if (kind == LIMIT_RATE)
        return (int64_t)(word >> REMAINDER_BITS) < now->tick;
    return (uint32_t)(word >> 32) < limit_rule_window(kind, now);
}
