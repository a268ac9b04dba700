#include "core/unit.h"
#include "domain/limit/limit_rule.h"
#include <string.h>

#define SEEDS  400u
#define EVENTS 300u

/* A small generator of its own (xorshift64): a failing seed fails again. */
static uint64_t
draw(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % below;
}

static struct limit_now
at_tick(int64_t tick)
{
    return (struct limit_now){ .tick = tick, .at = { tick * LIMIT_TICK_US } };
}

static void
a_rate_admits_a_second_of_it_at_once_and_no_more(void **state UNUSED)
{
    static const uint64_t limits[] = { 1, 2, 3, 7, 80, 999, 1000, 14999, 70000, LIMIT_RATE_MAX };

    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct limit_now now = at_tick(1234567);
        uint64_t word = 0;
        for (uint64_t n = 0; n < limits[i]; n++) {
            struct limit_verdict verdict = limit_rule_judge(LIMIT_RATE, limits[i], word, &now, 1);
            assert_true(verdict.is_admitted);
            assert_true(verdict.remaining == limits[i] - n - 1);
            word = verdict.next;
        }
        struct limit_verdict refused = limit_rule_judge(LIMIT_RATE, limits[i], word, &now, 1);
        assert_false(refused.is_admitted);
        assert_true(refused.next == word);
        assert_true(refused.wait_us > 0 && refused.wait_us <= 1000000 / (int64_t)limits[i] + LIMIT_TICK_US);
        assert_int_equal(refused.reset_us, 1000000);
    }
}

static void
more_than_a_second_of_a_rate_is_never_admitted(void **state UNUSED)
{
    struct limit_now now = at_tick(99);

    assert_int_equal(limit_rule_judge(LIMIT_RATE, 10, 0, &now, 11).wait_us, -1);
    assert_true(limit_rule_judge(LIMIT_RATE, 10, 0, &now, 10).is_admitted);
}

/* What was admitted from event i on, with what is asked, must fit into one second and the time since. */
static bool
fits(const int64_t *ticks, const uint64_t *costs, size_t count, uint64_t limit, int64_t tick, uint64_t cost)
{
    uint64_t sum = cost;

    if (cost > limit)
        return false;
    for (size_t i = count; i-- > 0;) {
        sum += costs[i];
        if (sum * LIMIT_TICKS_PER_SECOND > limit * (LIMIT_TICKS_PER_SECOND + (uint64_t)(tick - ticks[i])))
            return false;
    }
    return true;
}

/* Admitted exactly when the definition allows it: never too much, and never refused for nothing. */
static void
a_rate_is_exact_over_every_span(void **state UNUSED)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15),
                 limit = 1 + draw(&random, seed % 2 ? 20 : 5000);
        int64_t ticks[EVENTS], tick = 1 + (int64_t)draw(&random, 1000000);
        uint64_t costs[EVENTS], word = 0;
        size_t count = 0;
        for (unsigned i = 0; i < EVENTS; i++) {
            struct limit_now now = at_tick(tick);
            uint64_t cost = draw(&random, 4) == 0 ? 1 + draw(&random, limit + 1) : 1;
            struct limit_verdict verdict = limit_rule_judge(LIMIT_RATE, limit, word, &now, cost);
            assert_int_equal(verdict.is_admitted, fits(ticks, costs, count, limit, tick, cost));
            if (verdict.is_admitted) {
                ticks[count] = tick;
                costs[count++] = cost;
                word = verdict.next;
            } else if (verdict.wait_us >= 0) {
                struct limit_now later = at_tick(tick + verdict.wait_us / LIMIT_TICK_US);
                struct limit_now sooner = at_tick(later.tick - 1);
                assert_true(limit_rule_judge(LIMIT_RATE, limit, word, &later, cost).is_admitted);
                assert_false(limit_rule_judge(LIMIT_RATE, limit, word, &sooner, cost).is_admitted);
            }
            tick += (int64_t)draw(&random,
                                  draw(&random, 3) == 0 ? 40000 : 2 * LIMIT_TICKS_PER_SECOND / limit + 2);
        }
    }
}

static void
what_a_rate_gets_back_is_there_again(void **state UNUSED)
{
    for (uint64_t limit = 1; limit <= 40; limit++) {
        struct limit_now now = at_tick(5000000);
        uint64_t word = limit_rule_judge(LIMIT_RATE, limit, 0, &now, limit).next;
        for (uint64_t back = 0; back <= limit + 1; back++) {
            uint64_t next = limit_rule_return(LIMIT_RATE, limit, word, &now, back, 0);
            uint64_t want = back > limit ? limit : back;
            assert_true(limit_rule_judge(LIMIT_RATE, limit, next, &now, 0).remaining == want);
        }
    }
}

static void
a_clock_that_was_ahead_holds_a_rate_for_a_second_at_most(void **state UNUSED)
{
    struct limit_now ahead = at_tick(INT64_C(1) << 40), now = at_tick(1000);
    uint64_t word = limit_rule_judge(LIMIT_RATE, 5, 0, &ahead, 1).next;
    struct limit_verdict verdict = limit_rule_judge(LIMIT_RATE, 5, word, &now, 1);

    assert_false(verdict.is_admitted);
    assert_true(verdict.wait_us <= 1000000);
}

static void
months_are_those_of_the_calendar(void **state UNUSED)
{
    for (uint32_t day = 0; day < 100000; day++) { /* into the year 2243 */
        struct wall_time at = { (int64_t)day * 86400 * 1000000 };
        struct limit_now now =
            limit_now_at((struct wall_time){ at.us + 86399 * INT64_C(1000000) }, (struct mono_time){ 0 });
        assert_int_equal(now.day, day);
        assert_true(limit_rule_window_start(LIMIT_MONTH, now.month).us == wall_month_start(at, 0).us);
        assert_true(limit_rule_window_start(LIMIT_MONTH, now.month + 1).us == wall_month_start(at, 1).us);
        assert_true(limit_rule_window_start(LIMIT_DAY, now.day).us == at.us);
    }
}

static struct limit_now
at_day(uint32_t day)
{
    return limit_now_at((struct wall_time){ (int64_t)day * 86400 * 1000000 + 7 }, (struct mono_time){ 0 });
}

static void
a_quota_is_exact_in_every_window(void **state UNUSED)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15), limit = 1 + draw(&random, 60), word = 0;
        enum limit_kind kind = seed % 2 == 0 ? LIMIT_DAY : LIMIT_MONTH;
        uint64_t used = 0;
        uint32_t day = 20000, window = 0;
        for (unsigned i = 0; i < EVENTS; i++) {
            struct limit_now now = at_day(day);
            uint64_t cost = 1 + draw(&random, 5);
            if (limit_rule_window(kind, &now) != window) {
                window = limit_rule_window(kind, &now);
                used = 0;
            }
            struct limit_verdict verdict = limit_rule_judge(kind, limit, word, &now, cost);
            assert_int_equal(verdict.is_admitted, used + cost <= limit);
            assert_int_equal(verdict.window, window);
            used += verdict.is_admitted ? cost : 0;
            assert_true(verdict.used == used && verdict.remaining == limit - used);
            word = verdict.next;
            if (verdict.is_admitted && draw(&random, 4) == 0) {
                word = limit_rule_return(kind, limit, word, &now, cost, verdict.window);
                used -= cost;
            }
            day += draw(&random, 30) == 0 ? (uint32_t)draw(&random, 40) : 0;
        }
    }
}

static void
nothing_is_given_back_to_a_window_that_is_over(void **state UNUSED)
{
    struct limit_now day = at_day(100), next = at_day(101);
    struct limit_verdict taken = limit_rule_judge(LIMIT_DAY, 9, 0, &day, 5);
    uint64_t word = limit_rule_judge(LIMIT_DAY, 9, taken.next, &next, 7).next;

    assert_true(limit_rule_return(LIMIT_DAY, 9, word, &next, 5, taken.window) == word);
    assert_true(limit_rule_is_over(LIMIT_DAY, taken.next, &next));
    assert_false(limit_rule_is_over(LIMIT_DAY, word, &next));
}

/* Two processes whose clocks are on both sides of midnight must not take turns at emptying the counter. */
static void
clocks_around_midnight_count_together(void **state UNUSED)
{
    struct limit_now late = at_day(100), early = at_day(101);
    uint64_t word = 0, admitted = 0;

    for (int i = 0; i < 20; i++) {
        struct limit_verdict verdict = limit_rule_judge(LIMIT_DAY, 5, word, i % 2 == 0 ? &early : &late, 1);
        admitted += verdict.is_admitted;
        word = verdict.next;
    }
    assert_int_equal(admitted, 5);
}

static void
a_window_far_ahead_counts_for_the_present(void **state UNUSED)
{
    struct limit_now wrong = at_day(9000), now = at_day(100);
    uint64_t word = limit_rule_judge(LIMIT_DAY, 5, 0, &wrong, 5).next;

    assert_false(limit_rule_judge(LIMIT_DAY, 5, word, &now, 1).is_admitted);
    word = limit_rule_judge(LIMIT_DAY, 9, word, &now, 1).next;
    struct limit_now next = at_day(101);
    assert_true(limit_rule_judge(LIMIT_DAY, 5, word, &next, 5).is_admitted);
}

static void
a_lowered_limit_refuses_at_once(void **state UNUSED)
{
    struct limit_now now = at_day(100);
    uint64_t day = limit_rule_judge(LIMIT_DAY, 100, 0, &now, 50).next;
    uint64_t rate = limit_rule_judge(LIMIT_RATE, 1000, 0, &now, 999).next;

    assert_false(limit_rule_judge(LIMIT_DAY, 50, day, &now, 1).is_admitted);
    assert_true(limit_rule_judge(LIMIT_DAY, 40, day, &now, 0).remaining == 0);
    assert_false(limit_rule_judge(LIMIT_RATE, 10, rate, &now, 1).is_admitted);
}

UNIT_MAIN(cmocka_unit_test(a_rate_admits_a_second_of_it_at_once_and_no_more),
          cmocka_unit_test(more_than_a_second_of_a_rate_is_never_admitted),
          cmocka_unit_test(a_rate_is_exact_over_every_span),
          cmocka_unit_test(what_a_rate_gets_back_is_there_again),
          cmocka_unit_test(a_clock_that_was_ahead_holds_a_rate_for_a_second_at_most),
          cmocka_unit_test(months_are_those_of_the_calendar),
          cmocka_unit_test(a_quota_is_exact_in_every_window),
          cmocka_unit_test(nothing_is_given_back_to_a_window_that_is_over),
          cmocka_unit_test(clocks_around_midnight_count_together),
          cmocka_unit_test(a_window_far_ahead_counts_for_the_present),
          cmocka_unit_test(a_lowered_limit_refuses_at_once))
