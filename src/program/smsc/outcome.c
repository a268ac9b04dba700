#include "program/smsc/outcome.h"
#include "wire/smpp/smpp_status.h"

#define THROTTLE_LEAST_S 5
#define AWAY_MS          1000 /* until the link is back, or another one is taken */

/* From the mildest on: the worst of a message's parts decides. */
enum severity { GOOD, AWAY, AGAIN, LOST, REFUSED };

static enum severity
severity_of(const struct part *part, int attempt)
{
    switch (part->state) {
    case PART_TAKEN:
    case PART_HAD:
        return GOOD;
    case PART_WAITS:
    case PART_ASKED:
        return AWAY;
    case PART_UNKNOWN:
        return LOST;
    case PART_REFUSED:
        break;
    }
    switch (smpp_status_action(part->status)) {
    case SMPP_ACTION_RETRY:
    case SMPP_ACTION_THROTTLE:
        return AGAIN;
    case SMPP_ACTION_RETRY_FEW:
        return attempt < OUTCOME_FEW ? AGAIN : REFUSED;
    case SMPP_ACTION_REBIND: /* of the session's state, not of the message */
        return AWAY;
    case SMPP_ACTION_NONE:
    case SMPP_ACTION_FAIL:
    case SMPP_ACTION_MISTAKE:
    case SMPP_ACTION_STOP:
        break;
    }
    return REFUSED;
}

struct send_plan
outcome_of(const struct part *parts, size_t count, int attempt, uint32_t jitter, int64_t uncertain_wait_ms,
           size_t *why_out)
{
    enum severity worst = GOOD;

    *why_out = count;
    for (size_t i = 0; i < count; i++) {
        enum severity severity = severity_of(&parts[i], attempt);
        if (severity <= worst)
            continue;
        worst = severity;
        *why_out = i;
    }
    switch (worst) {
    case GOOD:
        break;
    case AWAY:
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_RETURNED,
                                   .delay_ms = AWAY_MS,
                                   .error_class = "retry" };
    case AGAIN: {
        bool is_throttle = smpp_status_action(parts[*why_out].status) == SMPP_ACTION_THROTTLE;
        return send_plan_retry(attempt, is_throttle ? THROTTLE_LEAST_S : 0, 0, jitter,
                               is_throttle ? "throttle" : "retry");
    }
    case LOST:
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_UNCERTAIN,
                                   .delay_ms = uncertain_wait_ms,
                                   .error_class = "retry" };
    case REFUSED:
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_FAILED, .error_class = "permanent" };
    }
    return (struct send_plan){ .verdict = MESSAGE_VERDICT_SENT };
}

bool
outcome_may_fail_over(uint32_t status)
{
    enum smpp_action action = smpp_status_action(status);

    return action == SMPP_ACTION_RETRY || action == SMPP_ACTION_RETRY_FEW || action == SMPP_ACTION_REBIND;
}
