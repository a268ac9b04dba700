/*
 * What WhatsApp says of a channel's phone number: quality, limits, names, the business profile. Facts come
 * from a sync (a provider task) and from account webhooks; whoever stores them tells what has changed.
 */
#ifndef DOMAIN_CHANNEL_CHANNEL_NUMBER_H
#define DOMAIN_CHANNEL_CHANNEL_NUMBER_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "domain/event/event.h"
#include "platform/db/db.h"

#define CHANNEL_NUMBER_NAME_MAX 255u /* characters */
#define CHANNEL_NUMBER_WORD_MAX 64u  /* bytes of a word such as "tier_2k" */

enum channel_number_fact {
    CHANNEL_NUMBER_VERIFIED_NAME,
    CHANNEL_NUMBER_NAME_STATUS,
    CHANNEL_NUMBER_REQUESTED_NAME,
    CHANNEL_NUMBER_REQUESTED_STATUS,
    CHANNEL_NUMBER_QUALITY_RATING,
    CHANNEL_NUMBER_MESSAGING_LIMIT,
    CHANNEL_NUMBER_THROUGHPUT,
    CHANNEL_NUMBER_STATUS,
    CHANNEL_NUMBER_CODE_VERIFICATION,
    CHANNEL_NUMBER_ACCOUNT_MODE,
    CHANNEL_NUMBER_FACTS
};
/* "quality_rating": the member's name in the API and in events. */
const char *channel_number_fact_word(enum channel_number_fact fact);

struct channel_number {
    struct slice facts[CHANNEL_NUMBER_FACTS]; /* WhatsApp's words in lower case; NULL ptr: not known */
    struct slice profile;                     /* JSON object; NULL ptr: not known */
    bool is_synced;                           /* the provider was asked */
    struct wall_time synced_at;
};

/* ERR_NOT_FOUND: nothing is known yet. */
MUST_CHECK enum err channel_number_get(struct db_tx *tx, struct id channel, struct arena *arena,
                                       struct channel_number *out);

struct channel_number_news {
    struct channel_number number; /* what is NULL stays as it was */
    const char *source;           /* a word of ours: "sync", "quality_update", ... */
    /* Told even when no fact has changed, since the provider said something: COUNT: only what has changed. */
    enum event_type tells;
    struct slice extra; /* more members of that event's data: ",\"a\":1"; empty: none */
};
/*
 * Stores the facts. What has changed against facts known before is told: channel.quality for quality, limit,
 * throughput and status; channel.name for names. Words longer than their columns are cut.
 */
MUST_CHECK enum err channel_number_store(struct db_tx *tx, const struct clock *clock, struct id channel,
                                         const struct channel_number_news *news, struct arena *arena);

#endif
