/*
 * What a workspace's day is like: what became of its messages, how its channels are, and what somebody should
 * look at. Of messages only counts are read (overview_count.h), so it costs the same however many there are.
 * Whoever asks says what he may see; what he may not see is not read.
 */
#ifndef DOMAIN_OVERVIEW_OVERVIEW_H
#define DOMAIN_OVERVIEW_OVERVIEW_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"

#define OVERVIEW_CHANNELS_MAX  100u
#define OVERVIEW_ATTENTION_MAX 20u   /* of each kind */
#define OVERVIEW_COUNT_MAX     1000u /* messages that wait for somebody are counted so far */
#define OVERVIEW_HOURS_MAX     50u   /* two days, of which one may have 25 hours */
#define OVERVIEW_KEY_DAYS      14    /* a key that expires within so many days is told */
#define OVERVIEW_TEMPLATE_DAYS 30    /* a template that was turned down longer ago is no news */

enum overview_attention_kind {
#define ATTENTION(name, word, severity) OVERVIEW_##name,
#include "domain/overview/overview_attention.def"
#undef ATTENTION
    OVERVIEW_ATTENTION_COUNT
};
/* "channel-broken"; "critical", "warning" or "notice". */
const char *overview_attention_word(enum overview_attention_kind kind);
const char *overview_attention_severity(enum overview_attention_kind kind);

/* How the platform's DND registry stands. */
enum overview_dnd {
    OVERVIEW_DND_FRESH, /* or it is not to be seen */
    OVERVIEW_DND_NONE,
    OVERVIEW_DND_AGED,
};

/* What whoever asks may see. */
struct overview_sight {
    bool figures, messages, channels, templates, webhooks, keys, people, usage;
    enum overview_dnd dnd;
    struct wall_time dnd_imported_at; /* AGED */
    const struct id *channels_of;     /* of these alone, also when they are none; NULL: any. Borrowed */
    size_t channel_count;
};

struct overview_figures {
    int64_t sent, delivered, failed, blocked, received;
};

struct overview_hour {
    struct wall_time at;
    struct overview_figures figures;
};

struct overview_channel {
    struct id id;
    struct slice kind, name, state, state_reason, display_phone_number, quality, messaging_limit;
    struct overview_figures today; /* zero without `figures` */
};

struct overview_attention {
    enum overview_attention_kind kind;
    bool has_object;
    struct id object;          /* of the kind that belongs to it */
    struct slice name, detail; /* may be empty */
    struct wall_time at;       /* since when; of a key, until when; of a DND registry, when it was imported */
    int64_t count;             /* of messages; else 1 */
};

/* All in the arena. */
struct overview {
    struct slice time_zone; /* the workspace's */
    struct wall_time yesterday_at, today_at, tomorrow_at;
    struct overview_figures today, yesterday;
    struct overview_figures yesterday_by_now; /* until the same time of the day */
    struct overview_hour *hours; /* of both days, the oldest first; those without anything are left out */
    size_t hour_count;
    struct overview_channel *channels; /* those in trouble first */
    size_t channel_count;
    struct overview_attention *attention; /* by kind, in the order of overview_attention.def */
    size_t attention_count;
};

/* Of the transaction's tenant. */
MUST_CHECK enum err overview_read(struct db_tx *tx, const struct clock *clock,
                                  const struct overview_sight *sight, struct arena *arena,
                                  struct overview *out);

#endif
