#include "wire/tzif/tzif.h"
#include "core/num.h"

#define HEADER_BYTES 44u
#define RECORD_BYTES 6u
#define OFFSET_S_MAX 93599 /* RFC 9636, 3.2: less than 26 hours */
#define DAY_S        86400

struct counts {
    size_t ut, standard, leap, time, type, text;
};

static bool
take(struct slice *rest, size_t n, struct slice *out)
{
    if (rest->len < n)
        return false;
    *out = slice_first(*rest, n);
    *rest = slice_drop(*rest, n);
    return true;
}

static bool
header_take(struct slice *rest, struct counts *counts_out, char *version_out)
{
    struct slice header;

    if (!take(rest, HEADER_BYTES, &header) || !slice_starts_with(header, SLICE("TZif")))
        return false;
    *version_out = header.ptr[4];
    *counts_out = (struct counts){
        .ut = num_u32be_get(header.ptr + 20),
        .standard = num_u32be_get(header.ptr + 24),
        .leap = num_u32be_get(header.ptr + 28),
        .time = num_u32be_get(header.ptr + 32),
        .type = num_u32be_get(header.ptr + 36),
        .text = num_u32be_get(header.ptr + 40),
    };
    return counts_out->time <= TZIF_TRANSITIONS_MAX && counts_out->type >= 1 && counts_out->type <= 256 &&
           counts_out->text <= 4096 && counts_out->leap <= 4096 && counts_out->ut <= 256 &&
           counts_out->standard <= 256;
}

static int64_t
time_get(const struct tzif *zone, size_t i)
{
    const char *at = zone->times.ptr + i * zone->time_bytes;

    return zone->time_bytes == 8 ? (int64_t)num_u64be_get(at) : (int64_t)(int32_t)num_u32be_get(at);
}

static int32_t
record_offset(const struct tzif *zone, size_t record)
{
    return (int32_t)num_u32be_get(zone->records.ptr + record * RECORD_BYTES);
}

static bool
record_is_daylight(const struct tzif *zone, size_t record)
{
    return zone->records.ptr[record * RECORD_BYTES + 4] != 0;
}

/* One data block; the fields of *zone are set from it. */
static bool
block_take(struct slice *rest, const struct counts *counts, size_t time_bytes, struct tzif *zone)
{
    struct slice ignored;
    size_t first = 0;

    zone->time_bytes = time_bytes;
    zone->transition_count = counts->time;
    if (!take(rest, counts->time * time_bytes, &zone->times) || !take(rest, counts->time, &zone->types) ||
        !take(rest, counts->type * RECORD_BYTES, &zone->records) || !take(rest, counts->text, &ignored) ||
        !take(rest, counts->leap * (time_bytes + 4), &ignored) || !take(rest, counts->standard, &ignored) ||
        !take(rest, counts->ut, &ignored))
        return false;
    for (size_t i = 1; i < counts->time; i++)
        if (time_get(zone, i) <= time_get(zone, i - 1))
            return false;
    for (size_t i = 0; i < counts->time; i++)
        if ((unsigned char)zone->types.ptr[i] >= counts->type)
            return false;
    for (size_t i = 0; i < counts->type; i++)
        if (record_offset(zone, i) < -OFFSET_S_MAX || record_offset(zone, i) > OFFSET_S_MAX)
            return false;
    /* RFC 9636, 3.2: local time before the first transition is that of type 0. Version 1 has the first that
     * is standard. */
    if (time_bytes == 4)
        while (first + 1 < counts->type && record_is_daylight(zone, first))
            first++;
    zone->offset_before = record_offset(zone, time_bytes == 4 && record_is_daylight(zone, first) ? 0 : first);
    return true;
}

/* ---- The footer: a TZ string of POSIX, with the extensions of RFC 9636, section 3.3.1 ---- */

static bool
byte_take(struct slice *rest, char byte)
{
    if (rest->len == 0 || rest->ptr[0] != byte)
        return false;
    *rest = slice_drop(*rest, 1);
    return true;
}

static bool
number_take(struct slice *rest, int max, int *out)
{
    size_t digits = 0;
    int value = 0;

    for (; digits < rest->len && digits < 3 && rest->ptr[digits] >= '0' && rest->ptr[digits] <= '9'; digits++)
        value = value * 10 + (rest->ptr[digits] - '0');
    *rest = slice_drop(*rest, digits);
    *out = value;
    return digits > 0 && value <= max;
}

static bool
is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "EST", or "<+0530>". */
static bool
name_take(struct slice *rest)
{
    size_t n = 0;

    if (byte_take(rest, '<')) {
        n = slice_find(*rest, '>');
        if (n < 3 || n == rest->len)
            return false;
        *rest = slice_drop(*rest, n + 1);
        return true;
    }
    while (n < rest->len && is_letter(rest->ptr[n]))
        n++;
    *rest = slice_drop(*rest, n);
    return n >= 3;
}

/* [+-]h[hh][:mm[:ss]] */
static bool
seconds_take(struct slice *rest, int hours_max, int32_t *out)
{
    int hours, minutes = 0, seconds = 0;
    bool is_negative = byte_take(rest, '-');

    if (!is_negative)
        (void)byte_take(rest, '+');
    if (!number_take(rest, hours_max, &hours) ||
        (byte_take(rest, ':') &&
         (!number_take(rest, 59, &minutes) || (byte_take(rest, ':') && !number_take(rest, 59, &seconds)))))
        return false;
    *out = (is_negative ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

/* Mm.w.d, Jn or n, each with "/time". */
static bool
day_take(struct slice *rest, struct tzif_day *out)
{
    int a, b, c;

    *out = (struct tzif_day){ .at_s = 2 * 3600 };
    if (byte_take(rest, 'M')) {
        if (!number_take(rest, 12, &a) || !byte_take(rest, '.') || !number_take(rest, 5, &b) ||
            !byte_take(rest, '.') || !number_take(rest, 6, &c) || a < 1 || b < 1)
            return false;
        out->kind = TZIF_DAY_MONTH;
        out->month = (int16_t)a, out->week = (int16_t)b, out->weekday = (int16_t)c;
    } else {
        out->kind = byte_take(rest, 'J') ? TZIF_DAY_JULIAN : TZIF_DAY_COUNT;
        if (!number_take(rest, 365, &a) || (out->kind == TZIF_DAY_JULIAN && a < 1))
            return false;
        out->day = (int16_t)a;
    }
    return !byte_take(rest, '/') || seconds_take(rest, 167, &out->at_s);
}

static bool
footer_read(struct slice text, struct tzif *zone)
{
    int32_t west;

    if (text.len == 0)
        return true; /* nothing is said of later times: as after the last transition */
    if (!name_take(&text) || !seconds_take(&text, 24, &west))
        return false;
    zone->has_footer = true;
    zone->standard_s = -west; /* POSIX counts west of Greenwich */
    if (text.len == 0)
        return true;
    zone->has_daylight = true;
    zone->daylight_s = zone->standard_s + 3600;
    if (!name_take(&text))
        return false;
    if (text.len > 0 && text.ptr[0] != ',') {
        if (!seconds_take(&text, 24, &west))
            return false;
        zone->daylight_s = -west;
    }
    return byte_take(&text, ',') && day_take(&text, &zone->daylight_from) && byte_take(&text, ',') &&
           day_take(&text, &zone->daylight_until) && text.len == 0;
}

enum err
tzif_read(struct slice bytes, struct tzif *zone_out)
{
    struct counts counts;
    char version, again;

    *zone_out = tzif_fixed(0);
    if (bytes.len > TZIF_BYTES_MAX || !header_take(&bytes, &counts, &version) || counts.leap != 0 ||
        (version != 0 && (version < '2' || version > '9')) || !block_take(&bytes, &counts, 4, zone_out))
        goto damaged;
    if (version == 0)
        return ERR_OK;
    *zone_out = tzif_fixed(0); /* of version 2 and later only the second block counts */
    if (!header_take(&bytes, &counts, &again) || again != version || counts.leap != 0 ||
        !block_take(&bytes, &counts, 8, zone_out) || !byte_take(&bytes, '\n'))
        goto damaged;
    size_t end = slice_find(bytes, '\n');
    if (end == bytes.len || !footer_read(slice_first(bytes, end), zone_out))
        goto damaged;
    return ERR_OK;
damaged:
    *zone_out = tzif_fixed(0);
    return ERR_FILE_DAMAGED;
}

/* ---- Which offset holds ---- */

static bool
is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to the first of January. */
static int64_t
year_start(int64_t year)
{
    int64_t before = year - 1;

    return before * 365 + before / 4 - before / 100 + before / 400 - 719162;
}

/* The year, from 1 on, of a day that is counted from 1970-01-01. */
static int64_t
year_of(int64_t day)
{
    int64_t year = 1970 + day * 400 / 146097;

    while (year_start(year) > day)
        year--;
    while (year_start(year + 1) <= day)
        year++;
    return year;
}

/* Seconds since 1970, by the local clock, at which the rule's day and time come in that year. */
static int64_t
rule_local_s(const struct tzif_day *rule, int64_t year)
{
    static const int16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };
    int64_t day = year_start(year);
    bool leap = is_leap(year);

    switch (rule->kind) {
    case TZIF_DAY_JULIAN:
        day += rule->day - 1 + (leap && rule->day >= 60 ? 1 : 0);
        break;
    case TZIF_DAY_COUNT:
        day += rule->day;
        break;
    case TZIF_DAY_MONTH: {
        int64_t first = day + before[rule->month - 1] + (leap && rule->month > 2 ? 1 : 0);
        int64_t next = day + before[rule->month] + (leap && rule->month >= 2 ? 1 : 0);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */

        day = first + (rule->weekday - weekday + 7) % 7 + (rule->week - 1) * 7;
        while (day >= next)
            day -= 7; /* week 5 is the last one */
        break;
    }
    }
    return day * DAY_S + rule->at_s;
}

static int32_t
footer_offset(const struct tzif *zone, int64_t unix_s)
{
    int64_t latest = INT64_MIN;
    bool is_daylight = false;

    if (!zone->has_daylight)
        return zone->standard_s;
    /* Rules repeat every 400 years, and far years would overflow what is counted here. */
    int64_t span = (int64_t)146097 * DAY_S, in_span = unix_s % span;
    int64_t local = (in_span < 0 ? in_span + span : in_span) + zone->standard_s + span;
    int64_t now = local - zone->standard_s, year = year_of(local / DAY_S);

    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t until = rule_local_s(&zone->daylight_until, y) - zone->daylight_s;
        int64_t from = rule_local_s(&zone->daylight_from, y) - zone->standard_s;

        if (until <= now && until > latest) {
            latest = until;
            is_daylight = false;
        }
        if (from <= now &&
            from >= latest) { /* where one begins as the other ends, it is daylight saving all year */
            latest = from;
            is_daylight = true;
        }
    }
    return is_daylight ? zone->daylight_s : zone->standard_s;
}

int32_t
tzif_offset(const struct tzif *zone, int64_t unix_s)
{
    size_t low = 0, high = zone->transition_count; /* the first transition that is later than unix_s */

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (time_get(zone, mid) <= unix_s)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == zone->transition_count && zone->has_footer)
        return footer_offset(zone, unix_s);
    if (low == 0)
        return zone->offset_before;
    return record_offset(zone, (unsigned char)zone->types.ptr[low - 1]);
}

struct tzif
tzif_fixed(int32_t offset_s)
{
    return (struct tzif){
        .time_bytes = 8, .offset_before = offset_s, .has_footer = true, .standard_s = offset_s
    };
}
