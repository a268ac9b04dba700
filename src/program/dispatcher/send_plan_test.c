#include "core/unit.h"
#include "program/dispatcher/send_plan.h"

#define WAIT_MS 120000

static struct whatsapp_answer
refused(enum whatsapp_error_class class, enum whatsapp_error_scope scope, uint32_t retry_after_s)
{
    return (struct whatsapp_answer){ .error = {
                                         .class = class, .scope = scope, .retry_after_s = retry_after_s } };
}

static void
an_accepted_message_is_sent(void **state UNUSED)
{
    struct whatsapp_answer answer = { .is_accepted = true };

    assert_int_equal(send_plan_of(&answer, 1, 0, WAIT_MS).verdict, MESSAGE_VERDICT_SENT);
}

static void
each_retry_waits_longer_within_its_jitter(void **state UNUSED)
{
    struct whatsapp_answer answer = refused(WHATSAPP_RETRY, WHATSAPP_SCOPE_MESSAGE, 0);

    for (int attempt = 1; attempt < MESSAGE_ATTEMPTS_MAX; attempt++)
        for (uint32_t jitter = 0; jitter < 0x2000; jitter += 0x155) {
            struct send_plan plan = send_plan_of(&answer, attempt, jitter, WAIT_MS);
            int64_t base_ms = INT64_C(1000) * send_plan_retry_s[attempt - 1];
            assert_int_equal(plan.verdict, MESSAGE_VERDICT_RETRY);
            assert_in_range(plan.delay_ms, base_ms * 8 / 10, base_ms * 12 / 10);
            assert_int_equal(plan.lane_hold_ms, 0);
        }
}

static void
the_last_attempt_fails_for_good(void **state UNUSED)
{
    struct whatsapp_answer answer = refused(WHATSAPP_RETRY, WHATSAPP_SCOPE_MESSAGE, 0);

    assert_int_equal(send_plan_of(&answer, MESSAGE_ATTEMPTS_MAX, 0, WAIT_MS).verdict, MESSAGE_VERDICT_FAILED);
    assert_int_equal(send_plan_of(&answer, MESSAGE_ATTEMPTS_MAX + 5, 0, WAIT_MS).verdict,
                     MESSAGE_VERDICT_FAILED);
}

static void
a_longer_retry_after_is_obeyed(void **state UNUSED)
{
    struct whatsapp_answer answer = refused(WHATSAPP_RETRY, WHATSAPP_SCOPE_MESSAGE, 3600);

    assert_in_range(send_plan_of(&answer, 1, 0, WAIT_MS).delay_ms, 3600 * 800, 3600 * 1200);
}

static void
only_a_throttled_number_holds_its_lane(void **state UNUSED)
{
    struct whatsapp_answer number = refused(WHATSAPP_THROTTLE, WHATSAPP_SCOPE_NUMBER, 0);
    struct whatsapp_answer pair = refused(WHATSAPP_THROTTLE, WHATSAPP_SCOPE_PAIR, 0);

    assert_true(send_plan_of(&number, 1, 0, WAIT_MS).lane_hold_ms > 0);
    assert_true(send_plan_of(&number, 4, 0, WAIT_MS).lane_hold_ms >
                send_plan_of(&number, 1, 0, WAIT_MS).lane_hold_ms);
    assert_int_equal(send_plan_of(&pair, 1, 0, WAIT_MS).lane_hold_ms, 0);
    assert_true(send_plan_of(&pair, 1, 0, WAIT_MS).delay_ms >= 6 * 800);
    assert_string_equal(send_plan_of(&pair, 1, 0, WAIT_MS).error_class, "throttle");
}

static void
a_refused_credential_breaks_the_channel_and_keeps_the_message(void **state UNUSED)
{
    struct whatsapp_answer answer = refused(WHATSAPP_CREDENTIAL_BROKEN, WHATSAPP_SCOPE_NUMBER, 0);
    struct send_plan plan = send_plan_of(&answer, MESSAGE_ATTEMPTS_MAX, 0, WAIT_MS);

    assert_int_equal(plan.verdict, MESSAGE_VERDICT_RETURNED);
    assert_true(plan.breaks_channel);
    assert_string_equal(plan.error_class, "credential");
}

static void
a_lost_answer_is_never_repeated_at_once(void **state UNUSED)
{
    struct whatsapp_answer answer = refused(WHATSAPP_UNCERTAIN, WHATSAPP_SCOPE_MESSAGE, 0);
    struct send_plan plan = send_plan_of(&answer, 1, 0, WAIT_MS);

    assert_int_equal(plan.verdict, MESSAGE_VERDICT_UNCERTAIN);
    assert_int_equal(plan.delay_ms, WAIT_MS);
}

static void
a_permanent_refusal_fails_at_once(void **state UNUSED)
{
    struct whatsapp_answer answer = refused(WHATSAPP_PERMANENT, WHATSAPP_SCOPE_MESSAGE, 0);
    struct send_plan plan = send_plan_of(&answer, 1, 0, WAIT_MS);

    assert_int_equal(plan.verdict, MESSAGE_VERDICT_FAILED);
    assert_string_equal(plan.error_class, "permanent");
}

static void
what_cannot_be_prepared_comes_to_an_end_or_waits_for_us(void **state UNUSED)
{
    static const struct {
        enum err why;
        int attempt;
        enum message_verdict verdict;
    } rows[] = {
        { ERR_MESSAGE_INVALID, 1, MESSAGE_VERDICT_FAILED },
        { ERR_VAULT_UNAVAILABLE, 1, MESSAGE_VERDICT_RETURNED },
        { ERR_VAULT_UNAVAILABLE, MESSAGE_ATTEMPTS_MAX, MESSAGE_VERDICT_RETURNED },
        { ERR_NO_MEMORY, 1, MESSAGE_VERDICT_RETURNED },
        { ERR_SEAL_CORRUPT, 1, MESSAGE_VERDICT_RETRY },
        { ERR_SEAL_CORRUPT, MESSAGE_ATTEMPTS_MAX, MESSAGE_VERDICT_FAILED },
        { ERR_JSON_SYNTAX, 1, MESSAGE_VERDICT_RETRY },
        { ERR_VAULT_KEY_MISSING, 1, MESSAGE_VERDICT_RETRY },
        { ERR_VAULT_KEY_MISSING, MESSAGE_ATTEMPTS_MAX, MESSAGE_VERDICT_FAILED },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct send_plan plan = send_plan_unprepared(rows[i].why, rows[i].attempt, 0);
        assert_int_equal(plan.verdict, rows[i].verdict);
        assert_int_equal(plan.delay_ms == 0, plan.verdict == MESSAGE_VERDICT_FAILED);
        assert_non_null(plan.error_class);
    }
}

UNIT_MAIN(cmocka_unit_test(what_cannot_be_prepared_comes_to_an_end_or_waits_for_us),
          cmocka_unit_test(an_accepted_message_is_sent),
          cmocka_unit_test(each_retry_waits_longer_within_its_jitter),
          cmocka_unit_test(the_last_attempt_fails_for_good), cmocka_unit_test(a_longer_retry_after_is_obeyed),
          cmocka_unit_test(only_a_throttled_number_holds_its_lane),
          cmocka_unit_test(a_refused_credential_breaks_the_channel_and_keeps_the_message),
          cmocka_unit_test(a_lost_answer_is_never_repeated_at_once),
          cmocka_unit_test(a_permanent_refusal_fails_at_once))
