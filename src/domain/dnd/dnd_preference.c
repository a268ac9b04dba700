#include "domain/dnd/dnd_preference.h"
#include "core/attribute.h"

#define IST_S    19800 /* India has one time, without daylight saving */
#define DAY_S    INT64_C(86400)
#define BITS(n)  ((1u << (n)) - 1u)
#define HOLIDAYS COUNT_OF(holidays)

/* The national holidays, which every year has on the same day. */
static const struct {
    unsigned month, day;
} holidays[] = { { 1, 26 }, { 8, 15 }, { 10, 2 } };

static const uint8_t band_hours[DND_BAND_COUNT + 1] = { 0, 6, 8, 10, 12, 14, 16, 18, 21, 24 };

const char *
dnd_mode_word(enum dnd_mode mode)
{
    switch (mode) {
    case DND_MODE_VOICE:
        return "voice";
    case DND_MODE_SMS:
        return "sms";
    case DND_MODE_PRERECORDED:
        return "prerecorded";
    case DND_MODE_AUTO_DIALLED:
        return "auto-dialled";
    case DND_MODE_ROBOT:
        return "robot";
    }
    bug("no such mode");
}

unsigned
dnd_band_hour(unsigned band)
{
    return band_hours[band < DND_BAND_COUNT ? band : DND_BAND_COUNT];
}

bool
dnd_preference_is_empty(const struct dnd_preference *preference)
{
    return preference->categories == 0 && preference->bands == 0 && preference->modes == 0 &&
           preference->days == 0;
}

bool
dnd_preference_is_valid(const struct dnd_preference *preference)
{
    return preference->categories <= BITS(DND_CATEGORY_COUNT) && preference->bands <= BITS(DND_BAND_COUNT) &&
           preference->modes <= BITS(DND_MODE_COUNT);
}

static bool
is_divider(char c)
{
    return c == '#' || c == ',' || c == ';' || c == '|' || c == ' ';
}

/* The numbers of a list as bits; min to max. */
static enum err
list_parse(struct slice text, unsigned min, unsigned max, unsigned *bits_out)
{
    *bits_out = 0;
    while (text.len > 0) {
        unsigned number = 0, digits = 0;

        if (is_divider(text.ptr[0])) {
            text = slice_drop(text, 1);
            continue;
        }
        for (; text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9' && digits < 3; digits++) {
            number = number * 10 + (unsigned)(text.ptr[0] - '0');
            text = slice_drop(text, 1);
        }
        if (digits == 0 || (text.len > 0 && !is_divider(text.ptr[0])))
            return ERR_NUMBER_SYNTAX;
        if (number < min || number > max)
            return ERR_OVERFLOW;
        *bits_out |= 1u << number;
    }
    return ERR_OK;
}

/* What is not in the list is blocked; an empty list blocks nothing. */
static enum err
blocked_parse(struct slice text, unsigned count, unsigned *out)
{
    unsigned listed;
    enum err err = list_parse(text, 1, count, &listed);

    *out = listed == 0 ? 0 : BITS(count) & ~(listed >> 1);
    return err;
}

enum err
dnd_preference_parse(struct slice receives, struct slice modes, struct slice bands, struct slice days,
                     struct dnd_preference *out)
{
    unsigned listed, blocked;
    enum err err = list_parse(receives, 0, DND_CATEGORY_COUNT - 1, &listed);

    *out = (struct dnd_preference){ 0 };
    if (err != ERR_OK)
        return err;
    if (listed == 0 || (listed & 1) != 0)
        out->categories = 1;
    else
        out->categories = (uint16_t)(BITS(DND_CATEGORY_COUNT) & ~listed & ~1u);
    err = blocked_parse(modes, DND_MODE_COUNT, &blocked);
    out->modes = (uint8_t)blocked;
    if (err == ERR_OK)
        err = blocked_parse(bands, DND_BAND_COUNT, &blocked);
    out->bands = (uint16_t)blocked;
    if (err == ERR_OK)
        err = blocked_parse(days, DND_DAY_COUNT, &blocked);
    out->days = (uint8_t)blocked;
    return err;
}

static bool
is_holiday(int64_t day)
{
    char text[WALL_TEXT_BYTES];
    struct slice date = wall_print((struct wall_time){ day * DAY_S * 1000000 }, text);
    unsigned month = (unsigned)(date.ptr[5] - '0') * 10 + (unsigned)(date.ptr[6] - '0');
    unsigned of_month = (unsigned)(date.ptr[8] - '0') * 10 + (unsigned)(date.ptr[9] - '0');

    for (size_t i = 0; i < HOLIDAYS; i++)
        if (holidays[i].month == month && holidays[i].day == of_month)
            return true;
    return false;
}

static bool
may_come_in(const struct dnd_preference *preference, int64_t day, unsigned band)
{
    unsigned weekday = (unsigned)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */

    return (preference->bands >> band & 1) == 0 && (preference->days >> weekday & 1) == 0 &&
           ((preference->days & 0x80) == 0 || !is_holiday(day));
}

enum dnd_verdict
dnd_judge(const struct dnd_preference *preference, unsigned category, enum dnd_mode mode,
          struct wall_time now, struct wall_time *until_out)
{
    int64_t local = now.us / 1000000 + IST_S, today = local / DAY_S; /* nobody sends before 1970 */
    unsigned band = 0;

    if (until_out != NULL)
        *until_out = now;
    /* Who receives some categories only, receives none that is not among them. */
    if ((preference->categories & 1) != 0 || (preference->categories >> category & 1) != 0 ||
        (category == 0 && preference->categories != 0) || (preference->modes >> mode & 1) != 0)
        return DND_BLOCKED;
    while (band + 1 < DND_BAND_COUNT && local - today * DAY_S >= band_hours[band + 1] * 3600)
        band++;
    if (may_come_in(preference, today, band))
        return DND_CLEAR;
    for (int64_t day = today; day <= today + 8; day++, band = 0)
        for (unsigned next = day == today ? band + 1 : 0; next < DND_BAND_COUNT; next++)
            if (may_come_in(preference, day, next)) {
                if (until_out != NULL)
                    until_out->us = (day * DAY_S + band_hours[next] * 3600 - IST_S) * 1000000;
                return DND_NOT_NOW;
            }
    return DND_BLOCKED; /* no band or no day is left */
}
