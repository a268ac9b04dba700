#include "core/unit.h"
#include "program/dispatcher/send_answer.h"

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

/* Retry-After, or the time at which an account regains access. */
static void
what_the_provider_asks_for_is_never_cut_short(void **state UNUSED)
{
    struct whatsapp_answer account = refused(WHATSAPP_THROTTLE, WHATSAPP_SCOPE_ACCOUNT, 1140),
                           day = refused(WHATSAPP_THROTTLE, WHATSAPP_SCOPE_APP, 86400);

    for (uint32_t jitter = 0; jitter < 0x2000; jitter += 0x155) {
        struct send_plan plan = send_plan_of(&account, 1, jitter, WAIT_MS);
        assert_true(plan.holds_account);
        assert_in_range(plan.lane_hold_ms, 1140000, 1140000 * 12 / 10);
        assert_in_range(plan.delay_ms, 1140000, 1140000 * 12 / 10);
        plan = send_plan_of(&day, 1, jitter, WAIT_MS);
        assert_int_equal(plan.lane_hold_ms, 3600000); /* then one message asks again */
        assert_in_range(plan.delay_ms, 86400000, 86400000 * INT64_C(12) / 10);
    }
}

/* Whatever the dice say twice: the next wait is never shorter than the one before. */
static void
waits_never_grow_shorter_by_their_jitter(void **state UNUSED)
{
    struct whatsapp_answer answer = refused(WHATSAPP_RETRY, WHATSAPP_SCOPE_MESSAGE, 0);

    for (int attempt = 1; attempt < MESSAGE_ATTEMPTS_MAX - 1; attempt++) {
        int64_t longest = 0, shortest = INT64_MAX;
        for (uint32_t jitter = 0; jitter <= 0xFFF; jitter++) {
            int64_t now = send_plan_of(&answer, attempt, jitter, WAIT_MS).delay_ms;
            int64_t next = send_plan_of(&answer, attempt + 1, jitter, WAIT_MS).delay_ms;
            longest = now > longest ? now : longest;
            shortest = next < shortest ? next : shortest;
        }
        assert_true(longest <= shortest);
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
a_throttled_number_is_slowed_and_an_account_is_held(void **state UNUSED)
{
    struct whatsapp_answer number = refused(WHATSAPP_THROTTLE, WHATSAPP_SCOPE_NUMBER, 0);
    struct whatsapp_answer account = refused(WHATSAPP_THROTTLE, WHATSAPP_SCOPE_ACCOUNT, 0);
    struct send_plan slow = send_plan_of(&number, 1, 0, WAIT_MS),
                     held = send_plan_of(&account, 1, 0, WAIT_MS);

    assert_true(slow.slows_number && slow.lane_hold_ms == 0 && !slow.holds_account);
    assert_true(!held.slows_number && held.holds_account && held.lane_hold_ms > 0);
    assert_true(send_plan_of(&account, 4, 0, WAIT_MS).lane_hold_ms > held.lane_hold_ms);
    number.error.retry_after_s = 30; /* the provider has named a time */
    assert_true(send_plan_of(&number, 1, 0, WAIT_MS).lane_hold_ms >= 24000);
}

/* 4^n seconds, for this pair alone; the message comes when the hold has ended, and not before. */
static void
a_throttled_pair_waits_longer_each_time_and_alone(void **state UNUSED)
{
    struct whatsapp_answer pair = refused(WHATSAPP_THROTTLE, WHATSAPP_SCOPE_PAIR, 4);
    int64_t want_ms = 1000;

    for (int attempt = 1; attempt < MESSAGE_ATTEMPTS_MAX; attempt++) {
        want_ms *= attempt <= 6 ? 4 : 1;
        for (uint32_t jitter = 0; jitter < 0x2000; jitter += 0x155) {
            struct send_plan plan = send_plan_of(&pair, attempt, jitter, WAIT_MS);
            assert_int_equal(plan.verdict, MESSAGE_VERDICT_RETRY);
            assert_int_equal(plan.pair_hold_ms, want_ms);
            assert_in_range(plan.delay_ms, want_ms, want_ms * 12 / 10);
            assert_true(plan.lane_hold_ms == 0 && !plan.holds_account && !plan.slows_number);
            assert_string_equal(plan.error_class, "throttle");
        }
    }
    assert_int_equal(send_plan_of(&pair, MESSAGE_ATTEMPTS_MAX, 0, WAIT_MS).verdict, MESSAGE_VERDICT_FAILED);
}

/* WhatsApp holds marketing back for a day (131049): not sooner, later each time, and not for ever. */
static void
withheld_marketing_waits_days_and_gives_up(void **state UNUSED)
{
    struct whatsapp_answer answer = refused(WHATSAPP_WAIT, WHATSAPP_SCOPE_PAIR, 86400);

    assert_in_range(send_plan_of(&answer, 1, 0xFFF, WAIT_MS).delay_ms, 86400000, 86400000 * 12 / 10);
    assert_in_range(send_plan_of(&answer, 2, 0, WAIT_MS).delay_ms, 2 * 86400000, 2 * 86400000 * 12 / 10);
    assert_int_equal(send_plan_of(&answer, 2, 0, WAIT_MS).pair_hold_ms, 0); /* other messages may go */
    assert_int_equal(send_plan_of(&answer, 3, 0, WAIT_MS).verdict, MESSAGE_VERDICT_FAILED);
}

static void
what_waits_for_a_cause_holds_what_shares_it(void **state UNUSED)
{
    static const struct {
        enum whatsapp_error_scope scope;
        uint32_t after_s;
        int64_t lane_ms, template_ms;
        bool holds_account;
    } rows[] = { { WHATSAPP_SCOPE_MESSAGE, 900, 0, 0, false },
                 { WHATSAPP_SCOPE_TEMPLATE, 10800, 0, 10800000, false },
                 { WHATSAPP_SCOPE_NUMBER, 900, 900000, 0, false },
                 { WHATSAPP_SCOPE_ACCOUNT, 3600, 3600000, 0, true },
                 { WHATSAPP_SCOPE_NUMBER, 259200, 3600000, 0, false } }; /* one asks again each hour */

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct whatsapp_answer answer = refused(WHATSAPP_WAIT, rows[i].scope, rows[i].after_s);
        struct send_plan plan = send_plan_of(&answer, 1, 0, WAIT_MS);
        assert_int_equal(plan.verdict, MESSAGE_VERDICT_RETRY);
        assert_int_equal(plan.lane_hold_ms, rows[i].lane_ms);
        assert_int_equal(plan.template_hold_ms, rows[i].template_ms);
        assert_int_equal(plan.holds_account, rows[i].holds_account);
        assert_int_equal(plan.pair_hold_ms, 0);
    }
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
          cmocka_unit_test(waits_never_grow_shorter_by_their_jitter),
          cmocka_unit_test(the_last_attempt_fails_for_good), cmocka_unit_test(a_longer_retry_after_is_obeyed),
          cmocka_unit_test(what_the_provider_asks_for_is_never_cut_short),
          cmocka_unit_test(a_throttled_number_is_slowed_and_an_account_is_held),
          cmocka_unit_test(a_throttled_pair_waits_longer_each_time_and_alone),
          cmocka_unit_test(withheld_marketing_waits_days_and_gives_up),
          cmocka_unit_test(what_waits_for_a_cause_holds_what_shares_it),
          cmocka_unit_test(a_refused_credential_breaks_the_channel_and_keeps_the_message),
          cmocka_unit_test(a_lost_answer_is_never_repeated_at_once),
          cmocka_unit_test(a_permanent_refusal_fails_at_once))
