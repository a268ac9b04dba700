/* The pace of numbers under a virtual clock. */
#include "core/unit.h"
#include "domain/sending/pace.h"

#define SECOND_US INT64_C(1000000)
#define BEGIN_US  (INT64_C(50) * 365 * 86400 * SECOND_US) /* a machine that has run for long */

static uint64_t seed;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct id
channel_of(unsigned n)
{
    struct id id = { { 0 } };

    id.bytes[0] = (unsigned char)n;
    id.bytes[1] = (unsigned char)(n >> 8);
    id.bytes[15] = 1;
    return id;
}

static struct pace *
pace_at(int64_t per_second)
{
    struct pace *pace = NULL;

    assert_ok(pace_new(per_second, &pace));
    return pace;
}

static struct mono_time
us(int64_t t)
{
    return (struct mono_time){ BEGIN_US + t };
}

/* Takes every turn for so long, asking at random moments and so far ahead; returns their number. */
static size_t
run(struct pace *pace, struct id channel, int64_t from_us, int64_t for_us, int64_t step_us, int64_t ahead_us,
    int64_t *turns, size_t turns_max)
{
    size_t count = 0;

    for (int64_t t = from_us; t < from_us + for_us; t += 1 + (int64_t)(next_random() % (uint64_t)step_us)) {
        struct mono_time at;
        while (pace_turn(pace, channel, us(t), us(t + ahead_us), &at)) {
            assert_true(at.us >= BEGIN_US + t && at.us <= BEGIN_US + t + ahead_us);
            assert_true(count < turns_max);
            turns[count++] = at.us - BEGIN_US;
        }
        assert_true(at.us > BEGIN_US + t + ahead_us); /* and not before it is time */
    }
    return count;
}

/* Whatever the moments of asking: no window of time has more than its share and two. */
static void
no_window_has_more_turns_than_the_pace_allows(void **state UNUSED)
{
    static const int64_t rates[] = { 1, 7, 80, 1000 };
    static int64_t turns[100000];

    for (size_t i = 0; i < COUNT_OF(rates); i++)
        for (seed = 1; seed <= 5; seed++) {
            struct pace *pace = pace_at(rates[i]);
            int64_t ahead = (int64_t)(next_random() % 250000), step = 1 + (int64_t)(next_random() % 300000);
            size_t count = run(pace, channel_of(1), 0, 20 * SECOND_US, step, ahead, turns, COUNT_OF(turns));
            assert_true(count > 0);
            for (size_t first = 0; first < count; first++) {
                for (size_t last = first; last < count && last < first + 3000; last += 1 + last / 50) {
                    int64_t window = turns[last] - turns[first];
                    assert_true((int64_t)(last - first + 1) <= window * rates[i] / SECOND_US + 2);
                }
                assert_true(first == 0 || turns[first] >= turns[first - 1]);
            }
            pace_free(pace);
        }
}

/* Who asks often enough gets the whole pace. */
static void
the_pace_is_kept_by_who_asks_in_time(void **state UNUSED)
{
    static int64_t turns[30000];
    struct pace *pace = pace_at(1000);

    seed = 3;
    size_t count = run(pace, channel_of(1), 0, 10 * SECOND_US, 100000, 250000, turns, COUNT_OF(turns));
    assert_true(count >= 9990 && count <= 10400);
    pace_free(pace);
}

static void
a_refusal_halves_once_and_the_pace_grows_back(void **state UNUSED)
{
    struct pace *pace = pace_at(80);
    struct id channel = channel_of(1);
    int64_t before;

    assert_int_equal(pace_per_second(pace, channel, us(0)), 80);
    assert_int_equal(pace_throttled(pace, channel, us(0), us(100000)), 40);
    assert_int_equal(pace_throttled(pace, channel, us(50000), us(200000)), 0); /* it left before */
    assert_int_equal(pace_throttled(pace, channel, us(150000), us(300000)), 20);
    before = 20;
    for (int64_t s = 1; s <= 60; s++) {
        int64_t now = pace_per_second(pace, channel, us(300000 + s * SECOND_US));
        assert_true(now >= before && now <= before + 2); /* 80/60 a second */
        before = now;
    }
    assert_int_equal(before, 80);
    for (int i = 1; i <= 20; i++)
        (void)pace_throttled(pace, channel, us((100 + i) * SECOND_US), us((100 + i) * SECOND_US));
    assert_true(pace_per_second(pace, channel, us(121 * SECOND_US)) >= 1); /* never to a stand */
    assert_int_equal(pace_per_second(pace, channel_of(2), us(0)), 80);
    pace_free(pace);
}

/* Against a provider with a limit of its own it settles around that limit. */
static void
it_finds_a_limit_that_it_was_not_told(void **state UNUSED)
{
    struct pace *pace = pace_at(80);
    struct id channel = channel_of(1);
    size_t taken = 0, refused = 0;
    double tokens = 20;
    int64_t last = 0;

    for (int64_t t = 0; t < 600 * SECOND_US; t += 5000) {
        struct mono_time at;
        while (pace_turn(pace, channel, us(t), us(t), &at)) {
            tokens =
                tokens + (double)(t - last) * 20 / 1e6 > 20 ? 20 : tokens + (double)(t - last) * 20 / 1e6;
            last = t;
            if (tokens >= 1) {
                tokens -= 1;
                taken++;
            } else {
                refused++;
                (void)pace_throttled(pace, channel, us(t), us(t + 50000));
            }
        }
    }
    assert_true(taken > 600 * 20 * 8 / 10); /* most of what the provider takes */
    assert_true(refused < taken / 20);
    pace_free(pace);
}

static void
what_was_learned_is_taken_up_by_the_next_owner(void **state UNUSED)
{
    static const struct {
        int64_t ceiling, halved_to, ms_ago, want;
    } rows[] = { { 0, 0, 0, 80 },       { 0, 10, 0, 10 },    { 0, 10, 15000, 30 }, { 0, 10, 3600000, 80 },
                 { 0, 0, -5, 80 },      { 40, 0, 0, 40 },    { 40, 10, 0, 10 },    { 0, 1, INT64_MAX, 80 },
                 { 1000, 500, 0, 500 }, { 1000, 0, 0, 1000 } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pace *pace = pace_at(80);
        struct id channel = channel_of(1);
        for (int again = 0; again < 2; again++) /* whatever was known here before */
            pace_begin(pace, channel, rows[i].ceiling, rows[i].halved_to, rows[i].ms_ago, us(0));
        if (pace_per_second(pace, channel, us(0)) != rows[i].want)
            fail_msg("row %zu", i);
        pace_free(pace);
    }
    struct pace *pace = pace_at(80);
    pace_ceiling(pace, channel_of(1), 1000, us(0)); /* a higher one is grown to */
    assert_int_equal(pace_per_second(pace, channel_of(1), us(0)), 80);
    assert_int_equal(pace_per_second(pace, channel_of(1), us(120 * SECOND_US)), 1000);
    pace_ceiling(pace, channel_of(1), 0, us(121 * SECOND_US)); /* its level was taken away */
    assert_int_equal(pace_per_second(pace, channel_of(1), us(121 * SECOND_US)), 80);
    pace_free(pace);
}

/* One owner after the other: where they meet, no two turns are closer than the pace has them. */
static void
a_lane_that_changes_hands_keeps_its_pace(void **state UNUSED)
{
    struct pace *first = pace_at(80), *second = pace_at(80);
    struct mono_time last = us(0), at;
    size_t count = 0;

    while (pace_turn(first, channel_of(1), us(0), us(SECOND_US), &at))
        last = at, count++;
    assert_int_equal(count, 81);
    pace_begin(second, channel_of(1), 0, 0, 0, last);
    assert_true(pace_has_turn(second, channel_of(1), last, us(2 * SECOND_US), &at));
    assert_int_equal(at.us - last.us, 12500);
    assert_true(pace_turn(second, channel_of(1), last, us(2 * SECOND_US), &at)); /* to look took nothing */
    assert_int_equal(at.us - last.us, 12500);
    pace_forget(first, channel_of(1));
    assert_true(pace_turn(first, channel_of(1), us(0), us(0), &at)); /* nothing is known of it any more */
    pace_free(first);
    pace_free(second);
}

static void
a_held_key_holds_no_other(void **state UNUSED)
{
    struct pace *pace = pace_at(80);
    struct pace_key key = { { 1, 2, 3 } }, other = { { 1, 2, 4 } };

    pace_hold(pace, &key, us(0), us(4 * SECOND_US));
    assert_int_equal(pace_held_ms(pace, &key, us(0)), 4000);
    assert_int_equal(pace_held_ms(pace, &other, us(0)), 0);
    pace_hold(pace, &key, us(0), us(2 * SECOND_US)); /* the longer one stays */
    assert_int_equal(pace_held_ms(pace, &key, us(SECOND_US)), 3000);
    assert_int_equal(pace_held_ms(pace, &key, us(4 * SECOND_US)), 0);
    pace_hold(pace, &key, us(5 * SECOND_US), us(6 * SECOND_US));
    assert_int_equal(pace_held_ms(pace, &key, us(5 * SECOND_US)), 1000);
    pace_free(pace);
}

/* More than it can remember: the newest are remembered, and nothing breaks. */
static void
what_is_forgotten_is_bounded(void **state UNUSED)
{
    struct pace *pace = pace_at(10);
    struct mono_time at;
    size_t held = 0;

    for (unsigned i = 0; i < 2 * PACE_LANES_MAX; i++)
        assert_true(pace_turn(pace, channel_of(i), us(i), us(i), &at));
    assert_false(pace_turn(pace, channel_of(2 * PACE_LANES_MAX - 1), us(4000), us(4000), &at));
    assert_true(pace_turn(pace, channel_of(0), us(4000), us(4000), &at)); /* it is new again */
    seed = 9;
    for (unsigned i = 0; i < 20000; i++) {
        struct pace_key key = { { 0 } };
        uint64_t bits = next_random();
        memcpy(key.bytes, &bits, sizeof(bits));
        pace_hold(pace, &key, us(0), us((int64_t)i + 1));
        held += pace_held_ms(pace, &key, us(0)) > 0;
    }
    assert_true(held == 20000);
    pace_free(pace);
}

UNIT_MAIN(cmocka_unit_test(no_window_has_more_turns_than_the_pace_allows),
          cmocka_unit_test(the_pace_is_kept_by_who_asks_in_time),
          cmocka_unit_test(a_refusal_halves_once_and_the_pace_grows_back),
          cmocka_unit_test(it_finds_a_limit_that_it_was_not_told),
          cmocka_unit_test(what_was_learned_is_taken_up_by_the_next_owner),
          cmocka_unit_test(a_lane_that_changes_hands_keeps_its_pace),
          cmocka_unit_test(a_held_key_holds_no_other), cmocka_unit_test(what_is_forgotten_is_bounded))
