/*
 * When messages may leave: each number at its own even pace, and not at all while a hold lasts. Pure: fed
 * with times, knows no clock, no network and no database. Belongs to one thread.
 *
 * A number's pace is additive-increase, multiplicative-decrease: a refusal for throughput (130429) halves it,
 * and it grows back by a sixtieth of its ceiling each second. Refusals of what left before the last halving
 * say nothing new.
 */
#ifndef DOMAIN_SENDING_PACE_H
#define DOMAIN_SENDING_PACE_H
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"

#define PACE_LANES_MAX  1024u /* whose pace is remembered; beyond, the longest quiet one is forgotten */
#define PACE_HOLDS_MAX  4096u /* beyond, a hold is forgotten: one more refusal makes it again */
#define PACE_KEY_BYTES  16u
#define PACE_RECOVERY_S 60 /* from nothing to the ceiling */

struct pace;

/* `per_second`: where a number begins, and its ceiling until another is known. ERR_NO_MEMORY. */
MUST_CHECK enum err pace_new(int64_t per_second, struct pace **out);
void pace_free(struct pace *pace); /* accepts NULL */

/*
 * The number is this process's from now on: its ceiling (0: none is known, the setting counts), and the pace
 * it was halved to under its last owner (0: never) and how long ago. Its first turn is one gap away, since
 * that owner may just have taken one. What was known of the number is forgotten.
 */
void pace_begin(struct pace *pace, struct id channel, int64_t ceiling, int64_t halved_to,
                int64_t halved_ms_ago, struct mono_time now);
/* Another ceiling; 0 as above. */
void pace_ceiling(struct pace *pace, struct id channel, int64_t ceiling, struct mono_time now);
/* It is another process's. */
void pace_forget(struct pace *pace, struct id channel);

/* As pace_turn, but nothing is taken. */
bool pace_has_turn(struct pace *pace, struct id channel, struct mono_time now, struct mono_time until,
                   struct mono_time *at_out);
/*
 * The next turn of the number: true, and it is taken, when it comes before `until`; *at_out is then no
 * earlier than now. false: *at_out is when to ask again.
 */
bool pace_turn(struct pace *pace, struct id channel, struct mono_time now, struct mono_time until,
               struct mono_time *at_out);
/* Refused for throughput; `left_at` is when that request left. 0: nothing new; else the pace to be stored. */
int64_t pace_throttled(struct pace *pace, struct id channel, struct mono_time left_at, struct mono_time now);
/* In messages per second, rounded down. */
int64_t pace_per_second(struct pace *pace, struct id channel, struct mono_time now);

/* A pair of sender and recipient, or a template: a digest, by which only equality is told. */
struct pace_key {
    unsigned char bytes[PACE_KEY_BYTES];
};
/* Nothing with this key leaves before `until`; a longer hold stays. */
void pace_hold(struct pace *pace, const struct pace_key *key, struct mono_time now, struct mono_time until);
/* How long it is still held; 0: it is not. */
int64_t pace_held_ms(const struct pace *pace, const struct pace_key *key, struct mono_time now);

#endif
