#include "core/unit.h"
#include "program/dispatcher/task_plan.h"

#define PATIENT INT64_C(1000000000)

static struct whatsapp_error
error(enum whatsapp_error_class class, int64_t code, uint32_t retry_after_s)
{
    return (struct whatsapp_error){ .class = class, .code = code, .retry_after_s = retry_after_s };
}

static struct task_plan
refused(struct whatsapp_error why, int attempt, int64_t patience_ms)
{
    return task_plan_refused(
        &why, &(struct task_age){ .attempt = attempt, .patience_ms = patience_ms, .jitter = 0x800 });
}

static void
each_attempt_waits_longer(void **state UNUSED)
{
    for (int attempt = 1; attempt < TASK_ATTEMPTS_MAX; attempt++)
        for (uint32_t jitter = 0; jitter < 0x2000; jitter += 0x155) {
            struct whatsapp_error why = error(WHATSAPP_RETRY, 2, 0);
            struct task_plan plan = task_plan_refused(
                &why, &(struct task_age){ .attempt = attempt, .patience_ms = PATIENT, .jitter = jitter });
            size_t at = (size_t)attempt - 1;
            int64_t base_ms = INT64_C(1000) *
                              task_plan_retry_s[at < TASK_PLAN_RETRY_COUNT ? at : TASK_PLAN_RETRY_COUNT - 1];
            assert_int_equal(plan.state, PROVIDER_TASK_WAITING);
            assert_true(plan.is_counted && !plan.is_unsure && !plan.breaks_channel);
            assert_in_range(plan.delay_ms, base_ms * 8 / 10, base_ms * 12 / 10);
        }
    assert_int_equal(refused(error(WHATSAPP_RETRY, 2, 0), TASK_ATTEMPTS_MAX, PATIENT).state,
                     PROVIDER_TASK_FAILED);
}

static void
what_cannot_be_tried_in_time_fails_now(void **state UNUSED)
{
    assert_int_equal(refused(error(WHATSAPP_WAIT, 133016, 259200), 1, 600000).state, PROVIDER_TASK_FAILED);
    assert_int_equal(refused(error(WHATSAPP_WAIT, 133015, 300), 1, 600000).state, PROVIDER_TASK_WAITING);
    assert_int_equal(refused(error(WHATSAPP_RETRY, 2, 0), 1, 0).state, PROVIDER_TASK_FAILED);
    assert_int_equal(refused(error(WHATSAPP_RETRY, 2, 0), 1, -5).state, PROVIDER_TASK_FAILED);
}

static void
only_a_refused_token_breaks_the_channel(void **state UNUSED)
{
    static const struct {
        int64_t code;
        bool breaks;
    } rows[] = { { 0, true },    { 190, true },  { 102, true },
                 { 104, true },  { 10, false },  { 131005, false },
                 { 200, false }, { 100, false }, { WHATSAPP_CODE_NONE, true } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task_plan plan = refused(error(WHATSAPP_CREDENTIAL_BROKEN, rows[i].code, 0), 1, PATIENT);
        assert_int_equal(plan.state, PROVIDER_TASK_FAILED);
        assert_string_equal(plan.error_class, "credential");
        assert_int_equal(plan.breaks_channel, rows[i].breaks);
    }
    assert_string_equal(refused(error(WHATSAPP_PERMANENT, 133005, 0), 1, PATIENT).error_class, "permanent");
}

static void
a_file_waits_for_a_new_token_as_long_as_it_may(void **state UNUSED)
{
    struct whatsapp_error expired = error(WHATSAPP_CREDENTIAL_BROKEN, 190, 0);
    struct task_age age = { .attempt = 1, .patience_ms = PATIENT, .awaits_token = true };
    struct task_plan plan = task_plan_refused(&expired, &age);

    assert_int_equal(plan.state, PROVIDER_TASK_WAITING);
    assert_true(plan.breaks_channel && plan.is_counted && !plan.is_unsure);
    assert_string_equal(plan.error_class, "credential");
    assert_in_range(plan.delay_ms, 48000, 72000);
    age.patience_ms = 30000;
    plan = task_plan_refused(&expired, &age);
    assert_int_equal(plan.state, PROVIDER_TASK_FAILED);
    assert_true(plan.breaks_channel);
    struct whatsapp_error missing =
        error(WHATSAPP_CREDENTIAL_BROKEN, 100, 0); /* the token is good, the file not there */
    age.patience_ms = PATIENT;
    plan = task_plan_refused(&missing, &age);
    assert_int_equal(plan.state, PROVIDER_TASK_FAILED);
    assert_false(plan.breaks_channel);
}

static void
a_lost_answer_leaves_the_next_attempt_unsure(void **state UNUSED)
{
    struct task_plan plan = refused(error(WHATSAPP_UNCERTAIN, WHATSAPP_CODE_NONE, 0), 1, PATIENT);

    assert_int_equal(plan.state, PROVIDER_TASK_WAITING);
    assert_true(plan.is_unsure);
    plan = task_plan_failed(ERR_STOPPING, &(struct task_age){ .attempt = 1 });
    assert_int_equal(plan.state, PROVIDER_TASK_WAITING);
    assert_true(plan.is_unsure && !plan.is_counted);
    assert_int_equal(plan.delay_ms, 0);
}

static void
what_is_away_is_not_counted(void **state UNUSED)
{
    static const enum err away[] = { ERR_VAULT_UNAVAILABLE, ERR_DB_UNAVAILABLE, ERR_NO_MEMORY };
    struct task_age late = { .attempt = TASK_ATTEMPTS_MAX, .patience_ms = -1 };

    for (size_t i = 0; i < COUNT_OF(away); i++) {
        struct task_plan plan = task_plan_failed(away[i], &late);
        assert_int_equal(plan.state, PROVIDER_TASK_WAITING);
        assert_false(plan.is_counted);
    }
    assert_int_equal(task_plan_failed(ERR_VAULT_KEY_MISSING, &late).state, PROVIDER_TASK_FAILED);
    assert_int_equal(task_plan_failed(ERR_SEAL_CORRUPT, &late).state, PROVIDER_TASK_FAILED);
    late.patience_ms = PATIENT;
    late.attempt = 1;
    assert_true(task_plan_failed(ERR_SEAL_CORRUPT, &late).is_counted);
    assert_int_equal(task_plan_failed(ERR_CHANNEL_NOT_READY, &late).state, PROVIDER_TASK_FAILED);
    assert_int_equal(task_plan_failed(ERR_LIMIT, &late).state, PROVIDER_TASK_FAILED);
}

static void
what_is_held_waits_uncounted_unless_it_takes_too_long(void **state UNUSED)
{
    for (uint32_t jitter = 0; jitter < 0x2000; jitter += 0x155) {
        struct task_age age = { .attempt = TASK_ATTEMPTS_MAX, .patience_ms = 600000, .jitter = jitter };
        struct task_plan plan = task_plan_held(300000, &age);
        assert_int_equal(plan.state, PROVIDER_TASK_WAITING);
        assert_false(plan.is_counted || plan.is_unsure || plan.breaks_channel);
        assert_in_range(plan.delay_ms, 300000, 360000);
        assert_string_equal(plan.error_class, "throttle");
        assert_int_equal(task_plan_held(600001, &age).state, PROVIDER_TASK_FAILED);
    }
}

UNIT_MAIN(cmocka_unit_test(each_attempt_waits_longer),
          cmocka_unit_test(what_cannot_be_tried_in_time_fails_now),
          cmocka_unit_test(only_a_refused_token_breaks_the_channel),
          cmocka_unit_test(a_file_waits_for_a_new_token_as_long_as_it_may),
          cmocka_unit_test(a_lost_answer_leaves_the_next_attempt_unsure),
          cmocka_unit_test(what_is_held_waits_uncounted_unless_it_takes_too_long),
          cmocka_unit_test(what_is_away_is_not_counted))
