/* When a delivery is tried again, and what an answer means: pure rules. Published in docs/webhooks.md. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_SCHEDULE_H
#define DOMAIN_WEBHOOK_WEBHOOK_SCHEDULE_H
#include "core/clock.h"
#include "core/err.h"
#include <stdbool.h>
#include <stdint.h>

/* Delays after attempts 1, 2, ...: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h; each +-20 %. About 27.5 h in
 * all. */
#define WEBHOOK_RETRY_COUNT       7u
#define WEBHOOK_ATTEMPTS_MAX      (WEBHOOK_RETRY_COUNT + 1u)
#define WEBHOOK_RETRY_AFTER_S_MAX 86400
#define WEBHOOK_DISABLE_AFTER_S   432000 /* five days in which nothing was delivered */
/* So many failures in a row, and only one attempt at a time is made: after 1 min, 2 min, 4 min ... 32 min. */
#define WEBHOOK_BREAKER_FAILURES 10
#define WEBHOOK_PROBE_S          60
#define WEBHOOK_PROBE_DOUBLINGS  5
extern const int32_t webhook_retry_s[WEBHOOK_RETRY_COUNT];

enum webhook_result { /* of one attempt */
                      WEBHOOK_RESULT_DELIVERED,
                      WEBHOOK_RESULT_STATUS,
                      WEBHOOK_RESULT_DNS,
                      WEBHOOK_RESULT_CONNECT,
                      WEBHOOK_RESULT_TLS,
                      WEBHOOK_RESULT_TIMEOUT,
                      WEBHOOK_RESULT_SIZE,
                      WEBHOOK_RESULT_BLOCKED,
                      WEBHOOK_RESULT_BROKEN,
                      WEBHOOK_RESULT_CERTIFICATE_EXPIRED, /* our own, for this endpoint: nothing was sent */
};
/* The stored and shown word. */
const char *webhook_result_word(enum webhook_result result);

struct webhook_attempt {
    enum webhook_result result;
    int status;            /* 0: no answer */
    int64_t retry_after_s; /* negative: none */
};

enum webhook_verdict { WEBHOOK_DELIVERED, WEBHOOK_RETRY, WEBHOOK_GIVEN_UP };

struct webhook_plan {
    enum webhook_verdict verdict;
    int64_t delay_ms;         /* with RETRY */
    int64_t endpoint_hold_ms; /* the endpoint asked to slow down: nothing goes there so long; 0: none */
    int64_t probe_ms; /* how long until a probe, once it has failed WEBHOOK_BREAKER_FAILURES times in a row */
    const char *disables; /* the reason to disable the endpoint, or NULL: "gone", "address-blocked" */
};

/* `number` is 1 for the first attempt. `scale_percent` shrinks the schedule for rehearsals. */
struct webhook_plan webhook_plan_of(const struct webhook_attempt *attempt, unsigned number, uint32_t jitter,
                                    unsigned scale_percent);

#endif
