/* What follows from how a provider task went: pure rules, without a clock or a network of their own. */
#ifndef PROGRAM_DISPATCHER_TASK_PLAN_H
#define PROGRAM_DISPATCHER_TASK_PLAN_H
#include "core/err.h"
#include "domain/channel/provider_task.h"
#include "domain/channel/whatsapp/whatsapp_error.h"

/* Delays before attempts 2, 3, ...; the last goes on. With +-20 % jitter. */
#define TASK_PLAN_RETRY_COUNT 8u
extern const int32_t task_plan_retry_s[TASK_PLAN_RETRY_COUNT];
#define TASK_ATTEMPTS_MAX                                                                                    \
    20 /* claims that never came to an end count too: it may be the task that ends its process */

struct task_plan {
    enum provider_task_state state; /* WAITING, DONE, FAILED */
    int64_t delay_ms;               /* WAITING */
    bool is_counted, is_unsure;
    bool breaks_channel;     /* the provider takes the access token no more */
    const char *error_class; /* NULL when it is done */
};

struct task_age {
    int attempt;         /* 1 for the first */
    int64_t patience_ms; /* left: an attempt beyond it is not worth making */
    uint32_t jitter;     /* any number, used for its low bits */
    bool awaits_token;   /* nobody waits for its answer: a new token is worth waiting for */
};

/* The provider's word, or its silence. */
struct task_plan task_plan_refused(const struct whatsapp_error *error, const struct task_age *age);
/* Not begun: the provider's allowance runs short for so long. Fails when that is beyond its patience. */
struct task_plan task_plan_held(int64_t wait_ms, const struct task_age *age);
/* An error of our own. While the vault or the database are away nothing is counted. */
struct task_plan task_plan_failed(enum err why, const struct task_age *age);

#endif
