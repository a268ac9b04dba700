/*
 * What somebody in India has said about commercial messages (TCCCPR 2018, the registers behind 1909): which
 * categories may not come, by which modes, in which hours, on which days. What any of them blocks is blocked.
 */
#ifndef DOMAIN_DND_DND_PREFERENCE_H
#define DOMAIN_DND_DND_PREFERENCE_H
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"

#define DND_CATEGORY_COUNT                                                                                   \
    9u /* 0 to 8: of a preference, 0 is all of them; of a message, 0 is one of no category */
#define DND_MODE_COUNT 5u
#define DND_BAND_COUNT 9u
#define DND_DAY_COUNT  8u

enum dnd_mode { DND_MODE_VOICE, DND_MODE_SMS, DND_MODE_PRERECORDED, DND_MODE_AUTO_DIALLED, DND_MODE_ROBOT };
const char *dnd_mode_word(enum dnd_mode mode);

/* A bit is set for what is blocked. */
struct dnd_preference {
    uint16_t categories; /* bit 0: all; else bits 1 to 8 */
    uint16_t bands;      /* of the day: 0-6, 6-8, 8-10, 10-12, 12-14, 14-16, 16-18, 18-21, 21-24 */
    uint8_t modes;       /* by enum dnd_mode */
    uint8_t days;        /* bits 0 to 6: Monday to Sunday; bit 7: national holidays */
};
/* The hour at which a band begins; band DND_BAND_COUNT is 24. */
unsigned dnd_band_hour(unsigned band);
bool dnd_preference_is_empty(const struct dnd_preference *preference);
/* Whether no bit stands that has no meaning. */
bool dnd_preference_is_valid(const struct dnd_preference *preference);

/*
 * From how lists write it. `receives` are categories, as "1#2#5": only those may come; "0", or nothing: none.
 * The other lists are of what may come, too, and nothing means all: modes 1 to 5, bands 1 to 9, days 1 to 8.
 * Numbers are divided by any of "#,;|" or spaces. ERR_NUMBER_SYNTAX, ERR_OVERFLOW.
 */
MUST_CHECK enum err dnd_preference_parse(struct slice receives, struct slice modes, struct slice bands,
                                         struct slice days, struct dnd_preference *out);

enum dnd_verdict {
    DND_CLEAR,
    DND_BLOCKED, /* for this category, or by this mode: at no time */
    DND_NOT_NOW, /* in this band or on this day: at *until_out it may come */
};
/* `category` of the message, 0 to 8. `until_out` may be NULL. */
enum dnd_verdict dnd_judge(const struct dnd_preference *preference, unsigned category, enum dnd_mode mode,
                           struct wall_time now, struct wall_time *until_out);

#endif
