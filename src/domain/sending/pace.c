#include "domain/sending/pace.h"
#include "core/attribute.h"
#include <stdlib.h>
#include <string.h>

#define FLOOR_MILLI INT64_C(1000) /* one message a second */
#define SECOND_US   INT64_C(1000000)
#define HOLD_WAYS   4u
#define HOLD_SETS   (PACE_HOLDS_MAX / HOLD_WAYS)
#define HEADS       1024u

/* Rates are in thousandths of a message per second. */
struct lane {
    struct id channel;
    struct lane *next;        /* of the same head, or unused */
    struct mono_time next_at; /* the turn after the last one taken */
    int64_t ceiling_milli, rate_milli;
    struct mono_time rate_at; /* when rate_milli was so; it has grown since */
    struct mono_time halved_at;
    bool was_halved;
};

struct hold {
    struct pace_key key;
    struct mono_time until;
};

struct pace {
    int64_t start_milli;
    size_t lane_count;
    struct lane lanes[PACE_LANES_MAX], *unused, *heads[HEADS];
    struct hold holds[PACE_HOLDS_MAX]; /* sets of HOLD_WAYS, chosen by the key's first bytes */
};

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

enum err
pace_new(int64_t per_second, struct pace **out)
{
    struct pace *pace = calloc(1, sizeof(*pace));

    if (pace == NULL)
        return ERR_NO_MEMORY;
    pace->start_milli = most(per_second, 1) * 1000;
    *out = pace;
    return ERR_OK;
}

void
pace_free(struct pace *pace)
{
    free(pace);
}

/* Ids end in random bytes. */
static struct lane **
lane_place(struct pace *pace, struct id channel)
{
    struct lane **at =
        &pace->heads[((size_t)channel.bytes[ID_BYTES - 2] << 8 | channel.bytes[ID_BYTES - 1]) % HEADS];

    while (*at != NULL && !id_eq((*at)->channel, channel))
        at = &(*at)->next;
    return at;
}

void
pace_forget(struct pace *pace, struct id channel)
{
    struct lane **at = lane_place(pace, channel), *lane = *at;

    if (lane == NULL)
        return;
    *at = lane->next;
    lane->next = pace->unused;
    pace->unused = lane;
}

static struct lane *
lane_of(struct pace *pace, struct id channel)
{
    struct lane *lane = *lane_place(pace, channel), *quiet = &pace->lanes[0];

    if (lane != NULL)
        return lane;
    if (pace->unused == NULL && pace->lane_count == PACE_LANES_MAX) {
        for (size_t i = 1; i < PACE_LANES_MAX; i++)
            if (pace->lanes[i].next_at.us < quiet->next_at.us)
                quiet = &pace->lanes[i];
        pace_forget(pace, quiet->channel);
    }
    lane = pace->unused;
    if (lane != NULL)
        pace->unused = lane->next;
    else
        lane = &pace->lanes[pace->lane_count++];
    *lane = (struct lane){ .channel = channel,
                           .ceiling_milli = pace->start_milli,
                           .rate_milli = pace->start_milli };
    *lane_place(pace, channel) = lane;
    return lane;
}

/* What the rate has grown to in so long; both bounded, so that nothing overflows. */
static int64_t
grown(int64_t rate_milli, int64_t ceiling_milli, int64_t passed_us)
{
    int64_t passed = least(most(passed_us, 0), PACE_RECOVERY_S * SECOND_US);

    return least(ceiling_milli, rate_milli + ceiling_milli * (passed / 1000) / (PACE_RECOVERY_S * 1000));
}

static void
lane_grow(struct lane *lane, struct mono_time now)
{
    if (now.us - lane->rate_at.us < SECOND_US / 10 && lane->rate_at.us != 0)
        return; /* in steps that integers can tell */
    lane->rate_milli = grown(lane->rate_milli, lane->ceiling_milli, now.us - lane->rate_at.us);
    lane->rate_at = now;
}

static int64_t
gap_us(const struct lane *lane)
{
    return (1000 * SECOND_US + lane->rate_milli - 1) / lane->rate_milli;
}

void
pace_ceiling(struct pace *pace, struct id channel, int64_t ceiling, struct mono_time now)
{
    struct lane *lane = lane_of(pace, channel);

    lane_grow(lane, now);
    lane->ceiling_milli = ceiling > 0 ? most(ceiling * 1000, FLOOR_MILLI) : pace->start_milli;
    lane->rate_milli = least(lane->rate_milli, lane->ceiling_milli);
}

void
pace_begin(struct pace *pace, struct id channel, int64_t ceiling, int64_t halved_to, int64_t halved_ms_ago,
           struct mono_time now)
{
    pace_forget(pace, channel);
    struct lane *lane = lane_of(pace, channel);

    pace_ceiling(pace, channel, ceiling, now);
    lane->rate_milli = lane->ceiling_milli;
    if (halved_to > 0) /* what it would have grown to by now */
        lane->rate_milli =
            least(lane->rate_milli, grown(most(halved_to * 1000, FLOOR_MILLI), lane->ceiling_milli,
                                          least(halved_ms_ago, PACE_RECOVERY_S * 1000) * 1000));
    lane->rate_at = now;
    lane->next_at.us = now.us + gap_us(lane);
}

/* A turn that was missed by less than its gap is caught up, so that the pace is kept. */
static int64_t
turn_from(struct lane *lane, struct mono_time now)
{
    lane_grow(lane, now);
    return lane->next_at.us > now.us - gap_us(lane) ? lane->next_at.us : now.us;
}

bool
pace_has_turn(struct pace *pace, struct id channel, struct mono_time now, struct mono_time until,
              struct mono_time *at_out)
{
    at_out->us = most(turn_from(lane_of(pace, channel), now), now.us);
    return at_out->us <= until.us;
}

bool
pace_turn(struct pace *pace, struct id channel, struct mono_time now, struct mono_time until,
          struct mono_time *at_out)
{
    struct lane *lane = lane_of(pace, channel);
    int64_t from_us = turn_from(lane, now);

    at_out->us = most(from_us, now.us);
    if (at_out->us > until.us)
        return false;
    lane->next_at.us = from_us + gap_us(lane);
    return true;
}

int64_t
pace_throttled(struct pace *pace, struct id channel, struct mono_time left_at, struct mono_time now)
{
    struct lane *lane = lane_of(pace, channel);

    if (lane->was_halved && left_at.us <= lane->halved_at.us)
        return 0;
    lane_grow(lane, now);
    lane->rate_milli = most(lane->rate_milli / 2, FLOOR_MILLI);
    lane->rate_at = now;
    lane->was_halved = true;
    lane->halved_at = now;
    lane->next_at.us = most(lane->next_at.us, now.us + 1000 * SECOND_US / lane->rate_milli);
    return lane->rate_milli / 1000;
}

int64_t
pace_per_second(struct pace *pace, struct id channel, struct mono_time now)
{
    struct lane *lane = lane_of(pace, channel);

    lane_grow(lane, now);
    return lane->rate_milli / 1000;
}

static size_t
set_of(const struct pace_key *key)
{
    return (((size_t)key->bytes[0] << 8 | key->bytes[1]) % HOLD_SETS) * HOLD_WAYS;
}

void
pace_hold(struct pace *pace, const struct pace_key *key, struct mono_time now, struct mono_time until)
{
    struct hold *set = &pace->holds[set_of(key)], *at = &set[0];

    for (size_t i = 0; i < HOLD_WAYS; i++) {
        if (memcmp(&set[i].key, key, sizeof(*key)) == 0) {
            at = &set[i];
            break;
        }
        if (set[i].until.us < at->until.us)
            at = &set[i]; /* the one that ends first makes room */
    }
    if (memcmp(&at->key, key, sizeof(*key)) == 0 && at->until.us > now.us && at->until.us >= until.us)
        return;
    *at = (struct hold){ .key = *key, .until = until };
}

int64_t
pace_held_ms(const struct pace *pace, const struct pace_key *key, struct mono_time now)
{
    const struct hold *set = &pace->holds[set_of(key)];

    for (size_t i = 0; i < HOLD_WAYS; i++)
        if (memcmp(&set[i].key, key, sizeof(*key)) == 0)
            return set[i].until.us > now.us ? (set[i].until.us - now.us + 999) / 1000 : 0;
    return 0;
}
