#include "core/unit.h"
#include "domain/webhook/webhook_schedule.h"

static void
each_failure_waits_for_the_published_time(void **state UNUSED)
{
    struct webhook_attempt attempt = { .result = WEBHOOK_RESULT_CONNECT, .retry_after_s = -1 };
    int64_t total_s = 0;

    for (unsigned number = 1; number < WEBHOOK_ATTEMPTS_MAX; number++) {
        int64_t base_ms = INT64_C(1000) * webhook_retry_s[number - 1];
        int64_t shortest = webhook_plan_of(&attempt, number, 0, 100).delay_ms;
        int64_t longest = webhook_plan_of(&attempt, number, 0xFFF, 100).delay_ms;
        assert_int_equal(webhook_plan_of(&attempt, number, 0, 100).verdict, WEBHOOK_RETRY);
        assert_int_equal(shortest, base_ms * 8 / 10);
        assert_in_range(longest, base_ms * 11 / 10, base_ms * 12 / 10);
        total_s += webhook_retry_s[number - 1];
    }
    assert_int_equal(webhook_plan_of(&attempt, WEBHOOK_ATTEMPTS_MAX, 0, 100).verdict, WEBHOOK_GIVEN_UP);
    assert_int_equal(total_s, 5 + 300 + 1800 + 7200 + 18000 + 36000 + 36000);
}

static void
a_rehearsal_shrinks_the_schedule(void **state UNUSED)
{
    struct webhook_attempt attempt = { .result = WEBHOOK_RESULT_TIMEOUT, .retry_after_s = -1 };

    assert_int_equal(webhook_plan_of(&attempt, 2, 0, 1).delay_ms, 300 * 800 / 100);
}

static void
a_busy_endpoint_is_left_alone_as_long_as_it_asks(void **state UNUSED)
{
    static const int slow[] = { 429, 502, 503, 504 };

    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        struct webhook_attempt attempt = { .result = WEBHOOK_RESULT_STATUS,
                                           .status = slow[i],
                                           .retry_after_s = 600 };
        struct webhook_plan plan = webhook_plan_of(&attempt, 1, 0, 100);
        assert_int_equal(plan.endpoint_hold_ms, 600000);
        assert_int_equal(plan.delay_ms, 600000);
    }
    struct webhook_attempt greedy = { .result = WEBHOOK_RESULT_STATUS,
                                      .status = 503,
                                      .retry_after_s = 1 << 30 };
    assert_int_equal(webhook_plan_of(&greedy, 1, 0, 100).endpoint_hold_ms,
                     INT64_C(1000) * WEBHOOK_RETRY_AFTER_S_MAX);
    struct webhook_attempt plain = { .result = WEBHOOK_RESULT_STATUS, .status = 500, .retry_after_s = 600 };
    assert_int_equal(webhook_plan_of(&plain, 1, 0, 100).endpoint_hold_ms, 0);
}

/* Whatever an endpoint answers and whatever the dice say: what must hold of every plan. */
static void
every_plan_keeps_its_bounds(void **state UNUSED)
{
    static const int statuses[] = { 0, 100, 200, 302, 400, 410, 429, 500, 502, 503, 504, 999 };
    uint64_t seed = 88172645463325252u; /* xorshift64: the same rows at every run */

    for (unsigned i = 0; i < 200000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        struct webhook_attempt attempt = { .result =
                                               (enum webhook_result)(seed % (WEBHOOK_RESULT_BROKEN + 1)),
                                           .status = statuses[(seed >> 8) % COUNT_OF(statuses)],
                                           .retry_after_s = (int64_t)(seed >> 16) % 200000 - 1 };
        unsigned number = (unsigned)(seed >> 40) % 12, percent = (unsigned)(seed >> 48) % 100 + 1;
        struct webhook_plan plan = webhook_plan_of(&attempt, number, (uint32_t)(seed >> 20), percent);
        bool is_delivered = attempt.result == WEBHOOK_RESULT_DELIVERED;
        assert_int_equal(plan.verdict == WEBHOOK_DELIVERED, is_delivered);
        assert_true(plan.verdict != WEBHOOK_RETRY || number < WEBHOOK_ATTEMPTS_MAX);
        assert_int_equal(plan.delay_ms > 0, plan.verdict == WEBHOOK_RETRY);
        assert_true(plan.delay_ms <= INT64_C(1000) * WEBHOOK_RETRY_AFTER_S_MAX);
        assert_true(plan.endpoint_hold_ms >= 0 &&
                    plan.endpoint_hold_ms <= INT64_C(1000) * WEBHOOK_RETRY_AFTER_S_MAX);
        assert_true(plan.verdict != WEBHOOK_RETRY || plan.delay_ms >= plan.endpoint_hold_ms);
        if (plan.verdict == WEBHOOK_RETRY && plan.endpoint_hold_ms == 0) {
            int64_t base_ms = INT64_C(10) * webhook_retry_s[number < 1 ? 0 : number - 1] * percent;
            assert_true(plan.delay_ms >= base_ms * 8 / 10 && plan.delay_ms <= base_ms * 12 / 10);
        }
        assert_true(plan.disables == NULL || plan.verdict == WEBHOOK_GIVEN_UP);
    }
}

static void
gone_and_blocked_disable_at_once(void **state UNUSED)
{
    struct webhook_attempt gone = { .result = WEBHOOK_RESULT_STATUS, .status = 410, .retry_after_s = -1 };
    struct webhook_attempt blocked = { .result = WEBHOOK_RESULT_BLOCKED, .retry_after_s = -1 };

    assert_string_equal(webhook_plan_of(&gone, 1, 0, 100).disables, "gone");
    assert_int_equal(webhook_plan_of(&gone, 1, 0, 100).verdict, WEBHOOK_GIVEN_UP);
    assert_string_equal(webhook_plan_of(&blocked, 1, 0, 100).disables, "address-blocked");
}

static void
delivered_is_the_end(void **state UNUSED)
{
    struct webhook_attempt attempt = { .result = WEBHOOK_RESULT_DELIVERED,
                                       .status = 204,
                                       .retry_after_s = 60 };
    struct webhook_plan plan = webhook_plan_of(&attempt, WEBHOOK_ATTEMPTS_MAX, 0, 100);

    assert_int_equal(plan.verdict, WEBHOOK_DELIVERED);
    assert_null(plan.disables);
}

UNIT_MAIN(cmocka_unit_test(each_failure_waits_for_the_published_time),
          cmocka_unit_test(a_rehearsal_shrinks_the_schedule),
          cmocka_unit_test(a_busy_endpoint_is_left_alone_as_long_as_it_asks),
          cmocka_unit_test(every_plan_keeps_its_bounds), cmocka_unit_test(gone_and_blocked_disable_at_once),
          cmocka_unit_test(delivered_is_the_end))
