#include "core/unit.h"
#include "program/harkara/restart.h"

static void
each_failure_in_a_row_waits_longer_up_to_the_limit(void **state UNUSED)
{
    const int64_t steps[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000 };
    struct restart longest = { 0 }, shortest = { 0 };

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        assert_int_equal(restart_after(&longest, 0, false, (uint32_t)steps[i] / 2), steps[i]);
        assert_int_equal(restart_after(&shortest, RESTART_HEALTHY_MS - 1, false, 0), steps[i] / 2);
    }
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(restart_after(&longest, 0, false, RESTART_MS_MAX / 2), RESTART_MS_MAX);
}

static void
whatever_the_random_number_the_wait_is_within_its_step(void **state UNUSED)
{
    const uint32_t numbers[] = { 0, 1, 50, 51, 12345, UINT32_MAX / 2, UINT32_MAX };

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct restart restart = { 0 };
        int64_t wait = restart_after(&restart, 0, false, numbers[i]);
        assert_true(wait >= RESTART_FIRST_MS / 2 && wait <= RESTART_FIRST_MS);
    }
}

static void
a_process_that_served_well_begins_anew(void **state UNUSED)
{
    struct restart restart = { 0 };

    for (unsigned i = 0; i < 20; i++)
        restart_after(&restart, 0, false, 0);
    assert_int_equal(restart_after(&restart, RESTART_HEALTHY_MS, false, 0), RESTART_FIRST_MS / 2);
    assert_int_equal(restart_after(&restart, 0, false, 0), RESTART_FIRST_MS);
}

static void
wrong_settings_wait_longest(void **state UNUSED)
{
    struct restart restart = { 0 };

    assert_int_equal(restart_after(&restart, 0, true, 0), RESTART_MS_MAX / 2);
}

UNIT_MAIN(cmocka_unit_test(each_failure_in_a_row_waits_longer_up_to_the_limit),
          cmocka_unit_test(whatever_the_random_number_the_wait_is_within_its_step),
          cmocka_unit_test(a_process_that_served_well_begins_anew),
          cmocka_unit_test(wrong_settings_wait_longest))
