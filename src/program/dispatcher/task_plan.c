#include "program/dispatcher/task_plan.h"

const int32_t task_plan_retry_s[TASK_PLAN_RETRY_COUNT] = { 1, 3, 10, 30, 60, 120, 300, 600 };
#define THROTTLE_S 5  /* at least: management calls are limited by the hour */
#define WAIT_S     60 /* a condition that somebody has to mend */
#define AWAY_S     5  /* the vault or the database is being started again */

/* +-20 %: the low 12 bits of the jitter spread evenly over the band. */
static int64_t
jittered_ms(int64_t seconds, uint32_t jitter)
{
    return seconds * 800 + seconds * 400 * (int64_t)(jitter & 0xFFF) / 0x1000;
}

static int64_t
longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct task_plan
failed(const char *error_class)
{
    return (struct task_plan){ .state = PROVIDER_TASK_FAILED, .error_class = error_class };
}

/* Who asked waits for an answer: what cannot be tried again in time is told now. */
static struct task_plan
again(int64_t least_s, const struct task_age *age, const char *error_class)
{
    size_t at = age->attempt < 1 ? 0 : (size_t)age->attempt - 1;
    int64_t delay_s =
        longer(least_s, task_plan_retry_s[at < TASK_PLAN_RETRY_COUNT ? at : TASK_PLAN_RETRY_COUNT - 1]);
    /* What was asked for is not cut short. */
    int64_t delay_ms = longer(jittered_ms(delay_s, age->jitter), least_s * 1000);

    if (age->attempt >= TASK_ATTEMPTS_MAX || delay_ms > age->patience_ms)
        return failed(error_class);
    return (struct task_plan){
        .state = PROVIDER_TASK_WAITING, .delay_ms = delay_ms, .is_counted = true, .error_class = error_class
    };
}

/*
 * Whether nothing at all can be done with the token any more. A permission that is missing for this call
 * alone says nothing about sending.
 */
static bool
is_token_refused(const struct whatsapp_error *error)
{
    return error->code == 0 || error->code == 102 || error->code == 104 || error->code == 190 ||
           error->code == WHATSAPP_CODE_NONE;
}

struct task_plan
task_plan_refused(const struct whatsapp_error *error, const struct task_age *age)
{
    struct task_plan plan;

    switch (error->class) {
    case WHATSAPP_RETRY:
        return again(error->retry_after_s, age, "retry");
    case WHATSAPP_WAIT:
        return again(longer(WAIT_S, error->retry_after_s), age, "retry");
    case WHATSAPP_THROTTLE:
        return again(longer(THROTTLE_S, error->retry_after_s), age, "throttle");
    case WHATSAPP_UNCERTAIN:
        plan = again(error->retry_after_s, age, "retry");
        plan.is_unsure = true;
        return plan;
    case WHATSAPP_PERMANENT:
        return failed("permanent");
    case WHATSAPP_CREDENTIAL_BROKEN:
        plan = age->awaits_token && is_token_refused(error) ? again(WAIT_S, age, "credential")
                                                            : failed("credential");
        plan.breaks_channel = is_token_refused(error);
        return plan;
    }
    bug("an error class outside the enum");
}

struct task_plan
task_plan_held(int64_t wait_ms, const struct task_age *age)
{
    /* Never earlier, and not all at its end. */
    int64_t delay_ms = wait_ms + wait_ms / 5 * (int64_t)(age->jitter & 0xFFF) / 0x1000;

    if (delay_ms > age->patience_ms)
        return failed("throttle");
    return (
        struct task_plan){ .state = PROVIDER_TASK_WAITING, .delay_ms = delay_ms, .error_class = "throttle" };
}

struct task_plan
task_plan_failed(enum err why, const struct task_age *age)
{
    if (why == ERR_STOPPING) /* the call may have been under way */
        return (
            struct task_plan){ .state = PROVIDER_TASK_WAITING, .is_unsure = true, .error_class = "retry" };
    if (err_class(why) == ERR_CLASS_INVALID || err_class(why) == ERR_CLASS_NOT_FOUND ||
        err_class(why) == ERR_CLASS_CONFLICT || err_class(why) == ERR_CLASS_TOO_LARGE)
        return failed("permanent");
    /* A key that is missing has been looked for: it was destroyed. */
    if (err_class(why) == ERR_CLASS_UNAVAILABLE && why != ERR_VAULT_KEY_MISSING)
        return (struct task_plan){ .state = PROVIDER_TASK_WAITING,
                                   .delay_ms = jittered_ms(AWAY_S, age->jitter),
                                   .error_class = "retry" };
    return again(0, age, "retry");
}
