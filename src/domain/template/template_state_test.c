#include "core/unit.h"
#include "domain/template/template_state.h"

#define HOUR INT64_C(3600000000)
#define DAY  (24 * HOUR)
#define NOW  ((struct wall_time){ INT64_C(1795333730000000) })

static void
every_state_is_read_back_in_any_case(void **state UNUSED)
{
    enum template_state got;

    for (unsigned i = 0; i < TEMPLATE_STATE_COUNT; i++) {
        assert_ok(template_state_parse(slice_text(template_state_word((enum template_state)i)), &got));
        assert_int_equal(got, i);
    }
    assert_ok(template_state_parse(SLICE("IN_APPEAL"), &got));
    assert_int_equal(got, TEMPLATE_IN_APPEAL);
    assert_int_equal(template_state_parse(SLICE("SOMETHING_NEW"), &got), ERR_NOT_FOUND);
}

static void
what_may_be_done_depends_on_the_state(void **state UNUSED)
{
    static const struct {
        enum template_state state;
        bool may_edit, may_delete, may_unpause;
    } cases[] = {
        { TEMPLATE_SUBMITTING, false, false, false },       { TEMPLATE_REFUSED, false, true, false },
        { TEMPLATE_PENDING, false, true, false },           { TEMPLATE_APPROVED, true, true, false },
        { TEMPLATE_REJECTED, true, true, false },           { TEMPLATE_PAUSED, true, true, true },
        { TEMPLATE_DISABLED, false, false, false },         { TEMPLATE_IN_APPEAL, false, true, false },
        { TEMPLATE_LIMIT_EXCEEDED, false, true, false },    { TEMPLATE_ARCHIVED, false, true, false },
        { TEMPLATE_PENDING_DELETION, false, false, false }, { TEMPLATE_DELETED, false, false, false },
    };

    assert_int_equal(COUNT_OF(cases), TEMPLATE_STATE_COUNT);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(template_state_may_edit(cases[i].state), cases[i].may_edit);
        assert_int_equal(template_state_may_delete(cases[i].state), cases[i].may_delete);
        assert_int_equal(template_state_may_unpause(cases[i].state), cases[i].may_unpause);
    }
}

static int64_t
wait_after(const int64_t *hours_ago, size_t count)
{
    struct wall_time edits[16];

    assert_true(count <= COUNT_OF(edits));
    for (size_t i = 0; i < count; i++)
        edits[i].us = NOW.us - hours_ago[i] * HOUR;
    struct wall_time at = template_edit_allowed_at(edits, count, NOW);
    return at.us == 0 ? 0 : (at.us - NOW.us) / HOUR;
}

static void
edits_are_one_a_day_and_ten_a_month(void **state UNUSED)
{
    const int64_t month[] = { 700, 600, 500, 400, 300, 200, 150, 100, 50, 30 };
    const int64_t month_unordered[] = { 30, 700, 150, 600, 50, 500, 100, 400, 200, 300 };
    const int64_t twelve[] = { 719, 718, 700, 600, 500, 400, 300, 200, 150, 100, 50, 30 };

    assert_int_equal(wait_after(NULL, 0), 0);
    assert_int_equal(wait_after((const int64_t[]){ 24 }, 1), 0);
    assert_int_equal(wait_after((const int64_t[]){ 23 }, 1), 1);
    assert_int_equal(wait_after((const int64_t[]){ 10, 3 }, 2), 21); /* the later one counts */
    assert_int_equal(wait_after(month, 9), 0);
    assert_int_equal(wait_after(month, 10), 20); /* until the oldest of the ten is 720 hours ago */
    assert_int_equal(wait_after(month_unordered, 10), 20);
    assert_int_equal(wait_after(twelve, 12), 20); /* the two before do not count twice */
    assert_int_equal(wait_after((const int64_t[]){ 700, 600, 500, 400, 300, 200, 150, 100, 50, 2 }, 10), 22);
    assert_int_equal(wait_after((const int64_t[]){ 720, 600, 500, 400, 300, 200, 150, 100, 50, 30 }, 10), 0);
}

UNIT_MAIN(cmocka_unit_test(every_state_is_read_back_in_any_case),
          cmocka_unit_test(what_may_be_done_depends_on_the_state),
          cmocka_unit_test(edits_are_one_a_day_and_ten_a_month))
