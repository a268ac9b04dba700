/* What follows from a provider's answer: pure rules, without a clock or a network of their own. */
#ifndef PROGRAM_DISPATCHER_SEND_PLAN_H
#define PROGRAM_DISPATCHER_SEND_PLAN_H
#include "core/clock.h"
#include "domain/channel/whatsapp/whatsapp_answer.h"
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

/*
 * `attempt` is 1 for the first; `jitter` any number, used for its low bits; uncertain_wait_ms is how long a
 * lost answer waits for the provider's event.
 */
struct send_plan send_plan_of(const struct whatsapp_answer *answer, int attempt, uint32_t jitter,
                              int64_t uncertain_wait_ms);

/*
 * What follows when a message could not even be made into a request. Content that cannot be sent fails; while
 * the vault, memory or the database are away it waits without counting; what does not open counts, so that it
 * comes to an end.
 */
struct send_plan send_plan_unprepared(enum err why, int attempt, uint32_t jitter);

#endif
