#include "core/clock.h"
#include <time.h>

#define US_PER_DAY    INT64_C(86400000000)
#define US_PER_SECOND INT64_C(1000000)
#define WALL_MIN      INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define WALL_MAX      INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */

struct date {
    int64_t year;
    int month, day; /* from 1 */
};

static int64_t
system_read(clockid_t which)
{
    struct timespec now;

    if (clock_gettime(which, &now) != 0)
        bug("the system has no clock");
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

static struct wall_time
system_wall(const struct clock *clock UNUSED)
{
    return (struct wall_time){ system_read(CLOCK_REALTIME) };
}

static struct mono_time
system_mono(const struct clock *clock UNUSED)
{
    return (struct mono_time){ system_read(CLOCK_MONOTONIC) };
}

const struct clock *
clock_system(void)
{
    static const struct clock clock = { system_wall, system_mono };

    return &clock;
}

static struct wall_time
manual_wall(const struct clock *clock)
{
    return ((const struct clock_manual *)clock)->wall_now;
}

static struct mono_time
manual_mono(const struct clock *clock)
{
    return ((const struct clock_manual *)clock)->mono_now;
}

void
clock_manual_init(struct clock_manual *manual, struct wall_time wall)
{
    *manual = (struct clock_manual){ .clock = { manual_wall, manual_mono }, .wall_now = wall };
}

void
clock_manual_advance(struct clock_manual *manual, int64_t us)
{
    manual->wall_now.us += us;
    if (us > 0)
        manual->mono_now.us += us; /* a wall clock may be set back; a monotonic one may not */
}

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/*
 * Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that the leap
 * day is the last of its year and a month's first day is (153 * month + 2) / 5.
 */
static int64_t
date_days(struct date d)
{
    int64_t year = d.month <= 2 ? d.year - 1 : d.year;
    int64_t month = d.month <= 2 ? d.month + 9 : d.month - 3;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * month + 2) / 5 + d.day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct date
date_of_days(int64_t days)
{
    int64_t from_march = days + 719468; /* since 0000-03-01 */
    int64_t era = floor_div(from_march, 146097), of_era = from_march - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (year * 365 + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    int day = (int)(of_year - (153 * month + 2) / 5 + 1);

    if (month < 10)
        return (struct date){ year + era * 400, (int)month + 3, day };
    return (struct date){ year + era * 400 + 1, (int)month - 9, day };
}

static int64_t
wall_clamped(struct wall_time t)
{
    return t.us < WALL_MIN ? WALL_MIN : t.us > WALL_MAX ? WALL_MAX : t.us;
}

/* The last `digits` digits of the number. */
static char *
put_number(char *to, unsigned number, int digits)
{
    for (int i = digits; i-- > 0; number /= 10)
        to[i] = (char)('0' + number % 10);
    return to + digits;
}

struct slice
wall_print(struct wall_time t, char out[static WALL_TEXT_BYTES])
{
    int64_t us = wall_clamped(t), day = floor_div(us, US_PER_DAY);
    struct date d = date_of_days(day);
    unsigned ms = (unsigned)((us - day * US_PER_DAY) / 1000);
    char *to = put_number(out, (unsigned)d.year, 4);

    *to++ = '-';
    to = put_number(to, (unsigned)d.month, 2);
    *to++ = '-';
    to = put_number(to, (unsigned)d.day, 2);
    *to++ = 'T';
    to = put_number(to, ms / 3600000, 2);
    *to++ = ':';
    to = put_number(to, ms / 60000 % 60, 2);
    *to++ = ':';
    to = put_number(to, ms / 1000 % 60, 2);
    *to++ = '.';
    to = put_number(to, ms % 1000, 3);
    *to++ = 'Z';
    *to = '\0';
    return slice_of(out, (size_t)(to - out));
}

/* Takes exactly `digits` digits off the front. */
static bool
take_number(struct slice *rest, size_t digits, int max, int *out)
{
    int value = 0;

    if (rest->len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (rest->ptr[i] < '0' || rest->ptr[i] > '9')
            return false;
        value = value * 10 + (rest->ptr[i] - '0');
    }
    *rest = slice_drop(*rest, digits);
    *out = value;
    return value <= max;
}

/* Takes one byte off the front: `byte`, or its lower-case form (RFC 3339, 5.6 allows "t" and "z"). */
static bool
take_byte(struct slice *rest, char byte)
{
    if (rest->len == 0 || (rest->ptr[0] != byte && (byte < 'A' || rest->ptr[0] != byte + ('a' - 'A'))))
        return false;
    *rest = slice_drop(*rest, 1);
    return true;
}

/* "." and one to nine digits; nothing is a fraction of zero. */
static bool
take_fraction(struct slice *rest, int64_t *us_out)
{
    int64_t us = 0;
    size_t digits = 0;

    *us_out = 0;
    if (!take_byte(rest, '.'))
        return true;
    for (; rest->len > 0 && rest->ptr[0] >= '0' && rest->ptr[0] <= '9'; digits++) {
        if (digits < 6)
            us = us * 10 + (rest->ptr[0] - '0');
        *rest = slice_drop(*rest, 1);
    }
    if (digits == 0 || digits > 9)
        return false;
    for (; digits < 6; digits++)
        us *= 10;
    *us_out = us;
    return true;
}

static bool
take_offset(struct slice *rest, int64_t *seconds_out)
{
    int hours, minutes;

    *seconds_out = 0;
    if (take_byte(rest, 'Z'))
        return true;
    bool west = take_byte(rest, '-');
    if (!west && !take_byte(rest, '+'))
        return false;
    if (!take_number(rest, 2, 23, &hours) || !take_byte(rest, ':') || !take_number(rest, 2, 59, &minutes))
        return false;
    *seconds_out = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

static int
month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

enum err
wall_parse(struct slice text, struct wall_time *out)
{
    int year, month, day, hour, minute, second;
    int64_t us, offset;

    if (!take_number(&text, 4, 9999, &year) || !take_byte(&text, '-') || !take_number(&text, 2, 12, &month) ||
        !take_byte(&text, '-') || !take_number(&text, 2, 31, &day) || !take_byte(&text, 'T') ||
        !take_number(&text, 2, 23, &hour) || !take_byte(&text, ':') || !take_number(&text, 2, 59, &minute) ||
        !take_byte(&text, ':') || !take_number(&text, 2, 59, &second) || !take_fraction(&text, &us) ||
        !take_offset(&text, &offset) || text.len != 0)
        return ERR_TIME_SYNTAX;
    if (month < 1 || day < 1 || day > month_days(year, month))
        return ERR_TIME_SYNTAX;
    int64_t seconds = hour * 3600 + minute * 60 + second - offset;
    us += date_days((struct date){ year, month, day }) * US_PER_DAY + seconds * US_PER_SECOND;
    if (us < WALL_MIN || us > WALL_MAX)
        return ERR_TIME_SYNTAX; /* a year that wall_print cannot write */
    out->us = us;
    return ERR_OK;
}

struct wall_time
wall_month_start(struct wall_time t, int months)
{
    struct date d = date_of_days(floor_div(wall_clamped(t), US_PER_DAY));
    int64_t month = d.year * 12 + d.month - 1 + months; /* months since the year 0 */
    int64_t year = floor_div(month, 12);

    if (year < 1)
        return (struct wall_time){ WALL_MIN };
    if (year > 9999)
        return (struct wall_time){ WALL_MAX };
    return (struct wall_time){ date_days((struct date){ year, (int)(month - year * 12) + 1, 1 }) *
                               US_PER_DAY };
}
