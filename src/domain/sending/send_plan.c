#include "domain/sending/send_plan.h"

const int32_t send_plan_retry_s[SEND_PLAN_RETRY_COUNT] = { 2,    8,    30,   120,   300,  900,
                                                           1800, 3600, 7200, 14400, 28800 };
#define AWAY_WAIT_S 5 /* the vault is being started again */

int64_t
send_plan_jittered_ms(int64_t seconds, uint32_t jitter)
{
    return seconds * 800 + seconds * 400 * (int64_t)(jitter & 0xFFF) / 0x1000;
}

int64_t
send_plan_asked_ms(uint32_t seconds, uint32_t jitter)
{
    return (int64_t)seconds * 1000 + (int64_t)seconds * 200 * (int64_t)(jitter & 0xFFF) / 0x1000;
}

static int64_t
retry_delay_s(int attempt)
{
    size_t at = attempt < 1 ? 0 : (size_t)attempt - 1;

    return send_plan_retry_s[at < SEND_PLAN_RETRY_COUNT ? at : SEND_PLAN_RETRY_COUNT - 1];
}

static int64_t
longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct send_plan
send_plan_retry(int attempt, int64_t least_s, uint32_t asked_s, uint32_t jitter, const char *error_class)
{
    int64_t delay_ms = send_plan_jittered_ms(longer(retry_delay_s(attempt), least_s), jitter);

    if (attempt >= MESSAGE_ATTEMPTS_MAX)
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_FAILED, .error_class = error_class };
    return (struct send_plan){ .verdict = MESSAGE_VERDICT_RETRY,
                               .delay_ms = longer(delay_ms, send_plan_asked_ms(asked_s, jitter)),
                               .error_class = error_class };
}

struct send_plan
send_plan_unprepared(enum err why, int attempt, uint32_t jitter)
{
    if (err_class(why) == ERR_CLASS_INVALID)
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_FAILED, .error_class = "permanent" };
    /* A key that is missing has been looked for: it was destroyed. */
    if (err_class(why) == ERR_CLASS_UNAVAILABLE && why != ERR_VAULT_KEY_MISSING)
        return (struct send_plan){ .verdict = MESSAGE_VERDICT_RETURNED,
                                   .delay_ms = send_plan_jittered_ms(AWAY_WAIT_S, jitter),
                                   .error_class = "retry" };
    return send_plan_retry(attempt, 0, 0, jitter, "retry");
}
