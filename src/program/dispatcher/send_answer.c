#include "program/dispatcher/send_answer.h"

#define THROTTLE_HOLD_S 1    /* a number's limit is per second; it doubles with each attempt */
#define PAIR_POWER_MAX  6    /* a pair waits 4^n seconds: at most 68 minutes */
#define MARKETING_TRIES 3    /* of what WhatsApp holds back to protect the recipient: once a day, then two */
#define WAIT_S          60   /* a condition that somebody has to mend */
#define WAIT_HOLD_S_MAX 3600 /* then one message asks whether it has been mended */
#define BROKEN_WAIT_S   1    /* the lane is closed: due as soon as it opens */

static int64_t
longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Who wrote too much to one person waits with that person alone, and longer each time. */
static struct send_plan
pair_throttle_plan(const struct whatsapp_error *error, int attempt, uint32_t jitter)
{
    int power = attempt < 1 ? 1 : attempt > PAIR_POWER_MAX ? PAIR_POWER_MAX : attempt;
    int64_t wait_ms = longer(INT64_C(1) << (2 * power), (int64_t)error->retry_after_s) * 1000;
    struct send_plan plan = { .verdict = MESSAGE_VERDICT_RETRY,
                              /* never earlier than the hold, and not all at its end */
                              .delay_ms = wait_ms + wait_ms / 5 * (int64_t)(jitter & 0xFFF) / 0x1000,
                              .pair_hold_ms = wait_ms,
                              .error_class = "throttle" };

    if (attempt >= MESSAGE_ATTEMPTS_MAX)
        plan.verdict = MESSAGE_VERDICT_FAILED;
    return plan;
}

static struct send_plan
throttle_plan(const struct whatsapp_error *error, int attempt, uint32_t jitter)
{
    if (error->scope == WHATSAPP_SCOPE_PAIR)
        return pair_throttle_plan(error, attempt, jitter);
    struct send_plan plan = send_plan_retry(attempt, 0, error->retry_after_s, jitter, "throttle");
    plan.slows_number = error->scope == WHATSAPP_SCOPE_NUMBER;
    plan.holds_account = error->scope == WHATSAPP_SCOPE_ACCOUNT || error->scope == WHATSAPP_SCOPE_APP;
    if (plan.holds_account || error->retry_after_s > 0) {
        plan.lane_hold_ms =
            longer(send_plan_jittered_ms((int64_t)THROTTLE_HOLD_S << (attempt < 8 ? attempt - 1 : 7), jitter),
                   send_plan_asked_ms(error->retry_after_s, jitter));
        if (plan.lane_hold_ms > WAIT_HOLD_S_MAX * INT64_C(1000))
            plan.lane_hold_ms = WAIT_HOLD_S_MAX * INT64_C(1000);
    }
    return plan;
}

/* Somebody has to mend something, or time has to pass: whatever meets the same cause waits along. */
static struct send_plan
wait_plan(const struct whatsapp_error *error, int attempt, uint32_t jitter)
{
    struct send_plan plan = send_plan_retry(attempt, WAIT_S, error->retry_after_s, jitter, "retry");

    switch (error->scope) {
    case WHATSAPP_SCOPE_NUMBER:
    case WHATSAPP_SCOPE_ACCOUNT:
    case WHATSAPP_SCOPE_APP:
        plan.lane_hold_ms =
            (error->retry_after_s < WAIT_HOLD_S_MAX ? (int64_t)error->retry_after_s : WAIT_HOLD_S_MAX) * 1000;
        plan.holds_account = error->scope != WHATSAPP_SCOPE_NUMBER;
        break;
    case WHATSAPP_SCOPE_TEMPLATE:
        plan.template_hold_ms = (int64_t)error->retry_after_s * 1000;
        break;
    case WHATSAPP_SCOPE_PAIR: /* asking again soon gives the same answer, and counts against the sender */
        if (attempt >= MARKETING_TRIES)
            return (struct send_plan){ .verdict = MESSAGE_VERDICT_FAILED, .error_class = "permanent" };
        plan.delay_ms = ((int64_t)error->retry_after_s << (attempt < 1 ? 0 : attempt - 1)) * 1000;
        plan.delay_ms += plan.delay_ms / 5 * (int64_t)(jitter & 0xFFF) / 0x1000;
        break;
    case WHATSAPP_SCOPE_MESSAGE:
        break;
    }
    return plan;
}

struct send_plan
send_plan_of(const struct whatsapp_answer *answer, int attempt, uint32_t jitter, int64_t uncertain_wait_ms)
{
    const struct whatsapp_error *error = &answer->error;

    if (answer->is_accepted)
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_SENT };
    switch (error->class) {
    case WHATSAPP_RETRY:
        return send_plan_retry(attempt, 0, error->retry_after_s, jitter, "retry");
    case WHATSAPP_WAIT:
        return wait_plan(error, attempt, jitter);
    case WHATSAPP_THROTTLE:
        return throttle_plan(error, attempt, jitter);
    case WHATSAPP_PERMANENT:
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_FAILED, .error_class = "permanent" };
    case WHATSAPP_CREDENTIAL_BROKEN: /* not the message's fault: it waits for the channel to be mended */
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_RETURNED,
                                   .delay_ms = BROKEN_WAIT_S * 1000,
                                   .breaks_channel = true,
                                   .error_class = "credential" };
    case WHATSAPP_UNCERTAIN:
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_UNCERTAIN,
                                   .delay_ms = uncertain_wait_ms,
                                   .error_class = "retry" };
    }
    bug("an error class outside the enum");
}
