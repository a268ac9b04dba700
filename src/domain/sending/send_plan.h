/* What follows from an attempt to send: pure rules, without a clock or a network of their own. What a
 * provider's answer means is its channel kind's to say, in these terms. */
#ifndef DOMAIN_SENDING_SEND_PLAN_H
#define DOMAIN_SENDING_SEND_PLAN_H
#include "core/clock.h"
#include "domain/message/message_queue.h"

/* Delays before attempts 2, 3, ... of a message that was not taken; the last goes on. With +-20 % jitter. */
#define SEND_PLAN_RETRY_COUNT 11u
extern const int32_t send_plan_retry_s[SEND_PLAN_RETRY_COUNT];

struct send_plan {
    enum message_verdict verdict;
    int64_t delay_ms;         /* until due again: RETRY, UNCERTAIN, RETURNED */
    int64_t lane_hold_ms;     /* 0: none; else nothing leaves through this sender so long */
    bool holds_account;       /* ... nor through the other senders of its account */
    bool slows_number;        /* the number's own throughput is reached: half its pace (pace.h) */
    int64_t pair_hold_ms;     /* likewise nothing from this sender to this recipient */
    int64_t template_hold_ms; /* likewise nothing with this template */
    bool breaks_channel;      /* the credential is refused */
    const char *error_class;  /* NULL when it was sent */
};

/* +-20 %: the low 12 bits of `jitter` spread evenly over the band. */
int64_t send_plan_jittered_ms(int64_t seconds, uint32_t jitter);
/* What the provider asked for is never cut short, and not everybody comes back at its end. */
int64_t send_plan_asked_ms(uint32_t seconds, uint32_t jitter);

/*
 * It was not taken: again later, at the earliest after least_s and what the provider asked for (asked_s; 0:
 * nothing), or failed when these were all attempts. `attempt` is 1 for the first.
 */
struct send_plan send_plan_retry(int attempt, int64_t least_s, uint32_t asked_s, uint32_t jitter,
                                 const char *error_class);

/*
 * What follows when a message could not even be made into a request. Content that cannot be sent fails; while
 * the vault, memory or the database are away it waits without counting; what does not open counts, so that it
 * comes to an end.
 */
struct send_plan send_plan_unprepared(enum err why, int attempt, uint32_t jitter);

#endif
