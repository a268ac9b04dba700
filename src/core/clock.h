/*
 * Two kinds of time that the compiler keeps apart: wall_time is stored and
 * shown, mono_time is for timeouts. Code takes a clock; tests turn its hands.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H
#include "core/err.h"
#include "core/slice.h"

struct wall_time {
    int64_t us; /* microseconds since 1970-01-01T00:00:00Z, UTC */
};
struct mono_time {
    int64_t us; /* microseconds since an arbitrary start; never goes back */
};

struct clock {
    struct wall_time (*wall)(const struct clock *clock);
    struct mono_time (*mono)(const struct clock *clock);
};

/* The machine's own clock; a static object. */
const struct clock *clock_system(void);

/* A clock that tests move by hand. */
struct clock_manual {
    struct clock clock; /* first member */
    struct wall_time wall_now;
    struct mono_time mono_now;
};
void clock_manual_init(struct clock_manual *manual, struct wall_time wall);
void clock_manual_advance(struct clock_manual *manual, int64_t us);

static inline struct wall_time
clock_wall(const struct clock *clock)
{
    return clock->wall(clock);
}

static inline struct mono_time
clock_mono(const struct clock *clock)
{
    return clock->mono(clock);
}

static inline struct mono_time
mono_after_ms(struct mono_time t, int64_t ms)
{
    return (struct mono_time){ t.us + ms * 1000 };
}

static inline struct wall_time
wall_after_ms(struct wall_time t, int64_t ms)
{
    return (struct wall_time){ t.us + ms * 1000 };
}

#define WALL_TEXT_BYTES sizeof("2026-01-01T00:00:00.000000Z")
/* RFC 3339 in UTC with milliseconds: "2026-11-22T07:48:48.123Z". Years 0001-9999; outside: clamped. */
struct slice wall_print(struct wall_time t, char out[static WALL_TEXT_BYTES]);
/*
 * RFC 3339 with any offset, fraction of up to 9 digits (cut to microseconds).
 * ERR_TIME_SYNTAX for anything else, including second 60 and days that do not exist.
 */
MUST_CHECK enum err wall_parse(struct slice text, struct wall_time *out);
/* The first instant of the UTC month that holds t, moved by `months` (may be negative). */
struct wall_time wall_month_start(struct wall_time t, int months);

#endif
