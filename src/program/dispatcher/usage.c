#include "program/dispatcher/usage.h"
#include "core/attribute.h"
#include "core/log.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

struct figure {
    int percent;
    struct mono_time said_at;
};

struct account {
    char id[WHATSAPP_USAGE_ID_MAX + 1];
    struct figure app, own;
    struct mono_time regain_at; /* not before */
    struct mono_time turn_at;   /* of the last management call; at first, when something was said */
    struct mono_time heard_at;
    enum usage_band band; /* that was told last */
};

struct usage {
    pthread_mutex_t lock; /* of all below */
    size_t count;
    struct account accounts[USAGE_ACCOUNTS_MAX];
};

enum err
usage_new(struct usage **out)
{
    struct usage *usage = calloc(1, sizeof(*usage));

    if (usage == NULL)
        return ERR_NO_MEMORY;
    if (pthread_mutex_init(&usage->lock, NULL) != 0) {
        free(usage);
        return ERR_SYSTEM;
    }
    *out = usage;
    return ERR_OK;
}

void
usage_free(struct usage *usage)
{
    if (usage == NULL)
        return;
    pthread_mutex_destroy(&usage->lock);
    free(usage);
}

const char *
usage_band_word(enum usage_band band)
{
    switch (band) {
    case USAGE_FREE:
        return "free";
    case USAGE_SLOW:
        return "slow";
    case USAGE_HELD:
        return "held";
    }
    return "";
}

static int64_t
most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct account *
account_find(struct usage *usage, struct slice id)
{
    for (size_t i = 0; i < usage->count; i++)
        if (slice_eq(id, slice_text(usage->accounts[i].id)))
            return &usage->accounts[i];
    return NULL;
}

static struct account *
account_of(struct usage *usage, struct slice id, struct mono_time now)
{
    struct account *found = account_find(usage, id), *silent = &usage->accounts[0];

    if (found != NULL)
        return found;
    if (usage->count < USAGE_ACCOUNTS_MAX)
        silent = &usage->accounts[usage->count++];
    else
        for (size_t i = 1; i < usage->count; i++)
            if (usage->accounts[i].heard_at.us < silent->heard_at.us)
                silent = &usage->accounts[i];
    *silent = (struct account){ .turn_at = now };
    memcpy(silent->id, id.ptr, id.len);
    return silent;
}

static int
fresh(const struct figure *figure, struct mono_time now)
{
    return now.us - figure->said_at.us < USAGE_FORGET_S * SECOND_US ? figure->percent : 0;
}

static int
percent_of(const struct account *account, struct mono_time now)
{
    int app = fresh(&account->app, now), own = fresh(&account->own, now);

    return app > own ? app : own;
}

static int64_t
gap_s(int percent)
{
    if (percent < USAGE_SLOW_PERCENT)
        return 0;
    return percent < USAGE_HOLD_PERCENT ? (int64_t)(percent - USAGE_SLOW_PERCENT + 1) * USAGE_GAP_STEP_S
                                        : USAGE_HOLD_S;
}

static enum usage_band
band_of(const struct account *account, struct mono_time now)
{
    int percent = percent_of(account, now);

    if (percent >= USAGE_HOLD_PERCENT || account->regain_at.us > now.us)
        return USAGE_HELD;
    return percent >= USAGE_SLOW_PERCENT ? USAGE_SLOW : USAGE_FREE;
}

static void
band_tell(struct account *account, struct mono_time now, struct usage_change *change)
{
    enum usage_band band = band_of(account, now);

    account->heard_at = now;
    if (band == account->band)
        return;
    account->band = band;
    if (change->is_given && change->band > band)
        return; /* the worst is told */
    *change =
        (struct usage_change){ .is_given = true,
                               .band = band,
                               .percent = percent_of(account, now),
                               .regain_s = (uint32_t)(most(account->regain_at.us - now.us, 0) / SECOND_US) };
}

static bool
is_kept(struct slice id)
{
    return id.len > 0 && id.len <= WHATSAPP_USAGE_ID_MAX;
}

void
usage_note(struct usage *usage, struct slice account, const struct whatsapp_usage *said, struct mono_time now,
           struct usage_change *change_out)
{
    *change_out = (struct usage_change){ .is_given = false };
    if (!said->has_app && said->account_count == 0)
        return;
    pthread_mutex_lock(&usage->lock);
    for (size_t i = 0; i < said->account_count; i++) {
        const struct whatsapp_account_usage *row = &said->accounts[i];
        struct account *of = account_of(usage, slice_text(row->id), now);
        of->own = (struct figure){ row->percent, now };
        of->regain_at.us = row->regain_s == 0 ? 0 : now.us + (int64_t)row->regain_s * SECOND_US;
        if (said->has_app && !is_kept(account))
            of->app = (struct figure){ said->app_percent, now };
        band_tell(of, now, change_out);
    }
    if (said->has_app && is_kept(account)) {
        struct account *of = account_of(usage, account, now);
        of->app = (struct figure){ said->app_percent, now };
        band_tell(of, now, change_out);
    }
    pthread_mutex_unlock(&usage->lock);
}

void
usage_log(const struct usage_change *change, struct id channel)
{
    if (!change->is_given)
        return;
    log_event(change->band == USAGE_HELD ? LOG_WARN : LOG_INFO, "usage.changed",
              LOG_ID("channel", ID_CHANNEL, channel), LOG_WORD("band", usage_band_word(change->band)),
              LOG_NUM("percent", change->percent), LOG_NUM("regain_s", change->regain_s));
}

int64_t
usage_turn_ms(struct usage *usage, struct slice account, struct mono_time now)
{
    int64_t wait_us = 0;

    pthread_mutex_lock(&usage->lock);
    struct account *of = account_find(usage, account);
    if (of != NULL) {
        int64_t gap_us = gap_s(percent_of(of, now)) * SECOND_US;
        wait_us = most(of->regain_at.us, gap_us == 0 ? 0 : of->turn_at.us + gap_us) - now.us;
        if (wait_us <= 0)
            of->turn_at = now;
    }
    pthread_mutex_unlock(&usage->lock);
    return wait_us <= 0 ? 0 : (wait_us + 999) / 1000;
}

int
usage_highest(struct usage *usage, struct mono_time now)
{
    int highest = 0;

    pthread_mutex_lock(&usage->lock);
    for (size_t i = 0; i < usage->count; i++) {
        int percent = percent_of(&usage->accounts[i], now);
        highest = percent > highest ? percent : highest;
    }
    pthread_mutex_unlock(&usage->lock);
    return highest;
}
