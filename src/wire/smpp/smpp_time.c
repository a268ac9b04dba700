#include "wire/smpp/smpp_time.h"
#include "core/num.h"
#include <stdio.h>

#define YEAR_2000_US INT64_C(946684800000000)
#define YEAR_2100_US INT64_C(4102444800000000)
#define QUARTERS_MAX 48
#define DAY_S        86400

/* "2026-11-22T07:48:48.123Z" without what is between the digits, from the year's last two on. */
static void
digits_of(struct wall_time at, char out[13])
{
    static const unsigned char places[13] = { 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20 };
    char text[WALL_TEXT_BYTES];

    if (at.us < YEAR_2000_US)
        at.us = YEAR_2000_US;
    if (at.us >= YEAR_2100_US)
        at.us = YEAR_2100_US - 1;
    struct slice printed = wall_print(at, text);
    for (size_t i = 0; i < sizeof(places); i++)
        out[i] = printed.ptr[places[i]];
}

struct slice
smpp_time_print(struct wall_time at, char out[static SMPP_TIME_TEXT_BYTES])
{
    digits_of(at, out);
    memcpy(out + 13, "00+", 3);
    return slice_of(out, SMPP_TIME_TEXT_BYTES);
}

struct slice
smpp_receipt_time_print(struct wall_time at, char out[static SMPP_RECEIPT_TIME_DIGITS])
{
    char digits[13];

    digits_of(at, digits);
    memcpy(out, digits, SMPP_RECEIPT_TIME_DIGITS);
    return slice_of(out, SMPP_RECEIPT_TIME_DIGITS);
}

struct slice
smpp_relative_print(int64_t seconds, char out[static SMPP_TIME_TEXT_BYTES])
{
    char text[SMPP_TIME_TEXT_BYTES + 1];
    int64_t s = seconds < 1 ? 1 : seconds > SMPP_RELATIVE_S_MAX ? SMPP_RELATIVE_S_MAX : seconds;

    snprintf(text, sizeof(text), "0000%02u%02u%02u%02u000R", (unsigned)(s / DAY_S) % 100,
             (unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60), (unsigned)(s % 60));
    memcpy(out, text, SMPP_TIME_TEXT_BYTES);
    return slice_of(out, SMPP_TIME_TEXT_BYTES);
}

/* Two digits, which were checked to be digits. */
static int
pair(struct slice text, size_t at)
{
    return 10 * (text.ptr[at] - '0') + (text.ptr[at + 1] - '0');
}

static bool
are_digits(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

/* The calendar is core/clock's: what does not exist there is refused. */
static enum err
civil(int year, struct slice rest, int second, int tenths, int zone_minutes, struct wall_time *out)
{
    char text[64];
    int zone = zone_minutes < 0 ? -zone_minutes : zone_minutes;
    int len = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%d%c%02d:%02d", year, pair(rest, 0),
                       pair(rest, 2), pair(rest, 4), pair(rest, 6), second, tenths,
                       zone_minutes < 0 ? '-' : '+', zone / 60, zone % 60);

    return wall_parse(slice_of(text, (size_t)len), out);
}

enum err
smpp_time_parse(struct slice text, struct wall_time now, struct wall_time *out)
{
    if (text.len == 0)
        return ERR_NOTHING;
    if (text.len != SMPP_TIME_TEXT_BYTES || !are_digits(slice_first(text, 15)))
        return ERR_TIME_SYNTAX;
    char sign = text.ptr[15];
    if (sign == 'R') {
        int64_t days = 365 * (int64_t)pair(text, 0) + 30 * (int64_t)pair(text, 2) + pair(text, 4);
        int64_t seconds = days * DAY_S + 3600 * pair(text, 6) + 60 * pair(text, 8) + pair(text, 10);
        *out = wall_after_ms(now, 1000 * seconds);
        return ERR_OK;
    }
    int quarters = pair(text, 13);
    if ((sign != '+' && sign != '-') || quarters > QUARTERS_MAX)
        return ERR_TIME_SYNTAX;
    return civil(2000 + pair(text, 0), slice_drop(text, 2), pair(text, 10), text.ptr[12] - '0',
                 (sign == '-' ? -15 : 15) * quarters, out);
}

enum err
smpp_receipt_time_parse(struct slice text, int zone_minutes, struct wall_time *out)
{
    size_t zeros = 0;

    if (!are_digits(text))
        return ERR_TIME_SYNTAX;
    while (zeros < text.len && text.ptr[zeros] == '0')
        zeros++;
    if (zeros == text.len)
        return ERR_NOTHING;
    if (text.len != 10 && text.len != 12 && text.len != 14)
        return ERR_TIME_SYNTAX;
    /* Of twelve digits "20" may be a year's first two: then what follows is no month, as 2013 has passed. */
    bool has_century = text.len == 14 || (text.len == 12 && pair(text, 0) == 20 && pair(text, 2) > 12);
    int year = has_century ? 100 * pair(text, 0) + pair(text, 2) : 2000 + pair(text, 0);
    struct slice rest = slice_drop(text, has_century ? 4 : 2);
    return civil(year, rest, rest.len >= 10 ? pair(rest, 8) : 0, 0, zone_minutes, out);
}
