/*
 * How near the accounts are to the limits of the Graph API, as its answers tell (whatsapp_usage.h), and when
 * a management call of an account may be made: below USAGE_SLOW_PERCENT at once, above it one at a time with
 * growing gaps, near 100 one in five minutes, and not before the time at which the API says that it takes
 * calls again. Messages are not held by this: they have limits of their own (pace.h). What nobody has said
 * for an hour is forgotten, as the API's own windows are. Each dispatcher knows what its own answers told.
 *
 * Fed with times, without a clock or a network; shared by threads.
 */
#ifndef PROGRAM_DISPATCHER_USAGE_H
#define PROGRAM_DISPATCHER_USAGE_H
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "domain/channel/whatsapp/whatsapp_usage.h"

#define USAGE_ACCOUNTS_MAX 1024u /* beyond, the one that was silent the longest is forgotten */
#define USAGE_SLOW_PERCENT 75
#define USAGE_HOLD_PERCENT 95
#define USAGE_GAP_STEP_S   2   /* for each percent from USAGE_SLOW_PERCENT on */
#define USAGE_HOLD_S       300 /* between calls from USAGE_HOLD_PERCENT on */
#define USAGE_FORGET_S     3600

struct usage;

MUST_CHECK enum err usage_new(struct usage **out); /* ERR_NO_MEMORY, ERR_SYSTEM */
void usage_free(struct usage *usage);              /* accepts NULL */

enum usage_band { USAGE_FREE, USAGE_SLOW, USAGE_HELD };
const char *usage_band_word(enum usage_band band); /* "free", "slow", "held" */

struct usage_change {
    bool is_given; /* an account has come into another band */
    enum usage_band band;
    int percent;
    uint32_t regain_s;
};
/*
 * What an answer said. `account` is the one that was called for; empty: not known, and the app's figure
 * counts for the accounts that are named beside it.
 */
void usage_note(struct usage *usage, struct slice account, const struct whatsapp_usage *said,
                struct mono_time now, struct usage_change *change_out);
/* usage.changed, when there is something to tell; `channel` is whose call brought it. */
void usage_log(const struct usage_change *change, struct id channel);
/* 0: the account's next management call may be made, and counts as made; else how long to wait. */
int64_t usage_turn_ms(struct usage *usage, struct slice account, struct mono_time now);
/* Of all accounts, what is not forgotten. */
int usage_highest(struct usage *usage, struct mono_time now);

#endif
