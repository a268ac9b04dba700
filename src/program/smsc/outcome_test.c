#include "core/unit.h"
#include "program/smsc/outcome.h"
#include "wire/smpp/smpp_status.h"

#define WAIT_MS 120000

static struct part
refused(uint32_t status)
{
    return (struct part){ .state = PART_REFUSED, .status = status };
}

static const struct part taken = { .state = PART_TAKEN }, had = { .state = PART_HAD },
                         lost = { .state = PART_UNKNOWN }, waits = { .state = PART_WAITS };

static struct send_plan
plan_of(struct part a, struct part b, int attempt, size_t *why)
{
    const struct part parts[] = { a, b };

    return outcome_of(parts, 2, attempt, 0, WAIT_MS, why);
}

static void
the_worst_part_decides(void **state UNUSED)
{
    const struct {
        struct part a, b;
        enum message_verdict verdict;
        size_t why;
        const char *class;
    } rows[] = {
        { taken, taken, MESSAGE_VERDICT_SENT, 2, NULL },
        { had, taken, MESSAGE_VERDICT_SENT, 2, NULL },
        { taken, waits, MESSAGE_VERDICT_RETURNED, 1, "retry" },
        { refused(SMPP_SYSTEM_ERROR), waits, MESSAGE_VERDICT_RETRY, 0, "retry" },
        { taken, refused(SMPP_THROTTLED), MESSAGE_VERDICT_RETRY, 1, "throttle" },
        { refused(SMPP_SYSTEM_ERROR), lost, MESSAGE_VERDICT_UNCERTAIN, 1, "retry" },
        { lost, taken, MESSAGE_VERDICT_UNCERTAIN, 0, "retry" },
        { lost, refused(SMPP_INVALID_DESTINATION), MESSAGE_VERDICT_FAILED, 1, "permanent" },
        { taken, refused(SMPP_INVALID_SOURCE), MESSAGE_VERDICT_FAILED, 1, "permanent" },
        { refused(SMPP_INVALID_COMMAND), taken, MESSAGE_VERDICT_FAILED, 0, "permanent" },
        { refused(SMPP_INVALID_BIND_STATUS), waits, MESSAGE_VERDICT_RETURNED, 0, "retry" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t why = 0;
        struct send_plan plan = plan_of(rows[i].a, rows[i].b, 1, &why);
        assert_int_equal(plan.verdict, rows[i].verdict);
        assert_int_equal(why, rows[i].why);
        if (rows[i].class == NULL)
            assert_null(plan.error_class);
        else
            assert_string_equal(plan.error_class, rows[i].class);
    }
}

static void
an_unknown_refusal_is_tried_a_few_times(void **state UNUSED)
{
    size_t why = 0;

    for (int attempt = 1; attempt < OUTCOME_FEW; attempt++)
        assert_int_equal(plan_of(refused(0x4FF), taken, attempt, &why).verdict, MESSAGE_VERDICT_RETRY);
    assert_int_equal(plan_of(refused(0x4FF), taken, OUTCOME_FEW, &why).verdict, MESSAGE_VERDICT_FAILED);
}

static void
a_passing_refusal_is_tried_until_the_attempts_are_used_up(void **state UNUSED)
{
    size_t why = 0;

    for (int attempt = 1; attempt < MESSAGE_ATTEMPTS_MAX; attempt++) {
        struct send_plan plan = plan_of(refused(SMPP_QUEUE_FULL), taken, attempt, &why);
        assert_int_equal(plan.verdict, MESSAGE_VERDICT_RETRY);
        assert_true(plan.delay_ms >= 4000); /* a throttle: at least 5 s, less a fifth */
    }
    assert_int_equal(plan_of(refused(SMPP_QUEUE_FULL), taken, MESSAGE_ATTEMPTS_MAX, &why).verdict,
                     MESSAGE_VERDICT_FAILED);
}

static void
what_is_lost_waits_as_long_as_it_is_told(void **state UNUSED)
{
    size_t why = 0;

    assert_int_equal(plan_of(lost, taken, 1, &why).delay_ms, WAIT_MS);
}

static void
another_operator_is_asked_only_where_this_one_is_at_fault(void **state UNUSED)
{
    assert_true(outcome_may_fail_over(SMPP_SYSTEM_ERROR));
    assert_true(outcome_may_fail_over(SMPP_INVALID_BIND_STATUS));
    assert_true(outcome_may_fail_over(0x410));
    assert_false(outcome_may_fail_over(SMPP_THROTTLED)); /* it waits for its turn */
    assert_false(outcome_may_fail_over(SMPP_INVALID_DESTINATION));
    assert_false(outcome_may_fail_over(SMPP_OK));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_part_decides),
        cmocka_unit_test(an_unknown_refusal_is_tried_a_few_times),
        cmocka_unit_test(a_passing_refusal_is_tried_until_the_attempts_are_used_up),
        cmocka_unit_test(what_is_lost_waits_as_long_as_it_is_told),
        cmocka_unit_test(another_operator_is_asked_only_where_this_one_is_at_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
