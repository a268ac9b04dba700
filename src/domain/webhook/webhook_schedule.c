#include "domain/webhook/webhook_schedule.h"

const int32_t webhook_retry_s[WEBHOOK_RETRY_COUNT] = { 5, 300, 1800, 7200, 18000, 36000, 36000 };

static const char *const result_words[] = {
    [WEBHOOK_RESULT_DELIVERED] = "delivered",
    [WEBHOOK_RESULT_STATUS] = "status",
    [WEBHOOK_RESULT_DNS] = "dns",
    [WEBHOOK_RESULT_CONNECT] = "connect",
    [WEBHOOK_RESULT_TLS] = "tls",
    [WEBHOOK_RESULT_TIMEOUT] = "timeout",
    [WEBHOOK_RESULT_SIZE] = "size",
    [WEBHOOK_RESULT_BLOCKED] = "blocked",
    [WEBHOOK_RESULT_BROKEN] = "broken",
    [WEBHOOK_RESULT_CERTIFICATE_EXPIRED] = "certificate-expired",
};

const char *
webhook_result_word(enum webhook_result result)
{
    if ((unsigned)result >= COUNT_OF(result_words))
        bug("no such webhook result");
    return result_words[result];
}

/* +-20 %, spread evenly by the low 12 bits. */
static int64_t
jittered_ms(int64_t seconds, uint32_t jitter)
{
    return seconds * 800 + seconds * 400 * (int64_t)(jitter & 0xFFF) / 0x1000;
}

/* Only these say "later" (RFC 9110, 15.5 and 15.6; RFC 6585, 4). */
static bool
asks_to_slow_down(int status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

struct webhook_plan
webhook_plan_of(const struct webhook_attempt *attempt, unsigned number, uint32_t jitter,
                unsigned scale_percent)
{
    struct webhook_plan plan = { .verdict = WEBHOOK_RETRY,
                                 .probe_ms = WEBHOOK_PROBE_S * 1000 * (int64_t)scale_percent / 100 };
    int64_t hold_s = attempt->retry_after_s;

    if (attempt->result == WEBHOOK_RESULT_DELIVERED)
        return (struct webhook_plan){ .verdict = WEBHOOK_DELIVERED };
    if (attempt->result == WEBHOOK_RESULT_BLOCKED)
        return (struct webhook_plan){ .verdict = WEBHOOK_GIVEN_UP, .disables = "address-blocked" };
    if (attempt->result == WEBHOOK_RESULT_STATUS && attempt->status == 410)
        return (struct webhook_plan){ .verdict = WEBHOOK_GIVEN_UP, .disables = "gone" };
    if (number >= WEBHOOK_ATTEMPTS_MAX)
        plan.verdict = WEBHOOK_GIVEN_UP;
    else
        plan.delay_ms =
            jittered_ms(webhook_retry_s[number < 1 ? 0 : number - 1], jitter) * (int64_t)scale_percent / 100;
    if (attempt->result == WEBHOOK_RESULT_STATUS && asks_to_slow_down(attempt->status) && hold_s > 0) {
        hold_s = hold_s > WEBHOOK_RETRY_AFTER_S_MAX ? WEBHOOK_RETRY_AFTER_S_MAX : hold_s;
        plan.endpoint_hold_ms = hold_s * 1000;
        if (plan.verdict == WEBHOOK_RETRY && plan.delay_ms < plan.endpoint_hold_ms)
            plan.delay_ms = plan.endpoint_hold_ms;
    }
    return plan;
}
