#include "domain/policy/quiet_hours.h"
#include "core/attribute.h"

#define DAY_S  INT64_C(86400)
#define WEEK_S (7 * DAY_S)

const struct quiet_settings quiet_settings_default = {
    .india_from_minute = 540, .until_minute = QUIET_DAY_MINUTES, .days = QUIET_EVERY_DAY, .spread_minutes = 30
};

static const struct hours {
    char country[3];
    uint16_t weekday[2], saturday[2], sunday[2]; /* hhmm */
} table[] = {
#define HOURS(country, a, b, c, d, e, f) { country, { a, b }, { c, d }, { e, f } },
#include "domain/policy/quiet_hours.def"
#undef HOURS
};
/* Of every country that has no row. */
static const struct hours elsewhere = { "", { 900, 2000 }, { 900, 2000 }, { 900, 2000 } };

static uint16_t
minute_of(uint16_t hhmm)
{
    return (uint16_t)(hhmm / 100 * 60 + hhmm % 100);
}

struct quiet_window
quiet_window_of(const struct quiet_settings *settings, const char *country, unsigned weekday)
{
    const struct hours *row = &elsewhere;

    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (slice_eq(slice_text(table[i].country), slice_text(country)))
            row = &table[i];
    const uint16_t *hours = weekday < 5 ? row->weekday : weekday == 5 ? row->saturday : row->sunday;
    struct quiet_window window = { minute_of(hours[0]), minute_of(hours[1]) };
    if (slice_eq(slice_text(country), SLICE("IN")) && settings->india_from_minute != 540)
        window.from_minute = 600;
    if (window.from_minute < settings->from_minute)
        window.from_minute = settings->from_minute;
    if (window.until_minute > settings->until_minute)
        window.until_minute = settings->until_minute;
    if ((settings->days >> weekday & 1u) == 0 || window.until_minute <= window.from_minute)
        return (struct quiet_window){ 0, 0 };
    return window;
}

bool
quiet_settings_are_valid(const struct quiet_settings *settings)
{
    return (settings->india_from_minute == 540 || settings->india_from_minute == 600) &&
           settings->from_minute < settings->until_minute && settings->until_minute <= QUIET_DAY_MINUTES &&
           (settings->days & QUIET_EVERY_DAY) != 0 && settings->days <= QUIET_EVERY_DAY &&
           settings->spread_minutes <= QUIET_SPREAD_MINUTES_MAX;
}

/* ---- One zone ---- */

struct week {
    struct quiet_window of[7]; /* by the day of the week, 0 a Monday */
};

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* 1970-01-01 was a Thursday. */
static unsigned
weekday_of(int64_t day)
{
    return (unsigned)(((day + 3) % 7 + 7) % 7);
}

static int64_t
local_s(const struct tzif *zone, int64_t unix_s)
{
    return unix_s + tzif_offset(zone, unix_s);
}

static bool
is_open(const struct week *week, const struct tzif *zone, int64_t unix_s)
{
    int64_t local = local_s(zone, unix_s), day = floor_div(local, DAY_S), of_day = local - day * DAY_S;
    struct quiet_window window = week->of[weekday_of(day)];

    return of_day >= window.from_minute * 60 && of_day < window.until_minute * 60;
}

/*
 * The first moment after `after` at which the clock of that zone shows `local`, or, where it leaps over it,
 * the moment of the leap. Where it shows it twice, the first one that is after `after`.
 */
static int64_t
moment_of(const struct tzif *zone, int64_t local, int64_t after)
{
    int64_t early = local - tzif_offset(zone, local - DAY_S), late = local - tzif_offset(zone, local + DAY_S);
    int64_t first = early < late ? early : late, second = early < late ? late : early;

    if (first > after && local_s(zone, first) == local)
        return first;
    if (second > after && local_s(zone, second) == local)
        return second;
    while (first < second) { /* it is leapt over: before the leap it is earlier, after it later */
        int64_t mid = first + (second - first) / 2;

        if (local_s(zone, mid) >= local)
            second = mid;
        else
            first = mid + 1;
    }
    return first;
}

/* The first moment from unix_s on at which that zone's window is open; INT64_MAX: not within nine days. */
static int64_t
next_open(const struct week *week, const struct tzif *zone, int64_t unix_s)
{
    int64_t best = INT64_MAX;

    if (is_open(week, zone, unix_s))
        return unix_s;
    /* A clock that is set back may open a window a second time, so the day before is looked at, too. */
    int64_t today = floor_div(local_s(zone, unix_s), DAY_S);
    for (int64_t day = today - 1; day <= today + 9; day++) {
        struct quiet_window window = week->of[weekday_of(day)];

        if (window.from_minute == window.until_minute)
            continue;
        int64_t at = moment_of(zone, day * DAY_S + window.from_minute * 60, unix_s);
        if (at > unix_s && at < best && is_open(week, zone, at))
            best = at;
        if (best != INT64_MAX && day > today)
            break;
    }
    return best;
}

/* ---- All zones ---- */

static bool
is_open_in_all(const struct week *week, const struct phone_place *place, int64_t unix_s)
{
    for (size_t z = 0; z < place->zone_count; z++)
        if (!is_open(week, place->zones[z], unix_s))
            return false;
    return true;
}

/* How long, from a moment at which it is open everywhere, until it closes somewhere; by today's offsets. */
static int64_t
open_for_s(const struct week *week, const struct phone_place *place, int64_t unix_s)
{
    int64_t least = DAY_S;

    for (size_t z = 0; z < place->zone_count; z++) {
        int64_t local = local_s(place->zones[z], unix_s), day = floor_div(local, DAY_S);
        int64_t left = week->of[weekday_of(day)].until_minute * 60 - (local - day * DAY_S);

        least = left < least ? left : least;
    }
    return least;
}

/* SplitMix64: near keys, such as ids made one after the other, get moments that are far apart. */
static uint64_t
mixed(uint64_t key)
{
    key += 0x9e3779b97f4a7c15u;
    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9u;
    key = (key ^ key >> 27) * 0x94d049bb133111ebu;
    return key ^ key >> 31;
}

enum quiet_verdict
quiet_hours_judge(const struct quiet_settings *settings, const struct phone_place *place,
                  struct wall_time now, uint64_t spread_key, struct wall_time *until_out)
{
    int64_t start = floor_div(now.us, 1000000), at = start;
    struct week week;

    *until_out = now;
    if (settings->is_off)
        return QUIET_OPEN;
    for (unsigned day = 0; day < 7; day++)
        week.of[day] = quiet_window_of(settings, place->country, day);
    if (place->zone_count > 0 && is_open_in_all(&week, place, at))
        return QUIET_OPEN;
    while (place->zone_count > 0 &&
           at - start < WEEK_S + 2 * DAY_S) { /* each turn moves on, to some zone's next opening */
        for (size_t z = 0; z < place->zone_count; z++) {
            at = next_open(&week, place->zones[z], at);
            if (at == INT64_MAX)
                goto never;
        }
        if (!is_open_in_all(&week, place, at))
            continue;
        int64_t spread_ms = open_for_s(&week, place, at) * 1000 / 2,
                asked_ms = settings->spread_minutes * 60000;
        if (spread_ms > asked_ms)
            spread_ms = asked_ms;
        int64_t offset_ms = (int64_t)((mixed(spread_key) >> 32) * (uint64_t)spread_ms >> 32);
        until_out->us = (at * 1000 + offset_ms) * 1000;
        if (!is_open_in_all(&week, place,
                            floor_div(until_out->us, 1000000))) /* a clock was changed in between */
            until_out->us = at * 1000000;
        return QUIET_HELD;
    }
never:
    until_out->us = now.us + QUIET_NEVER_US;
    return QUIET_NEVER;
}
