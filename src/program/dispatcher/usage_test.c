#include "core/unit.h"
#include "program/dispatcher/usage.h"
#include <stdio.h>

#define ACCOUNT SLICE("102290129340398")

static struct usage *usage;

static int
opened(void **state UNUSED)
{
    assert_ok(usage_new(&usage));
    return 0;
}

static int
closed(void **state UNUSED)
{
    usage_free(usage);
    return 0;
}

/* Well into the machine's life: nothing hangs on the clock's zero. */
static struct mono_time
second(int64_t s)
{
    return (struct mono_time){ (1000000 + s) * 1000000 };
}

static struct usage_change
app_says(int percent, int64_t at_s)
{
    struct usage_change change;

    usage_note(usage, ACCOUNT, &(struct whatsapp_usage){ .has_app = true, .app_percent = percent },
               second(at_s), &change);
    return change;
}

static struct usage_change
account_says(struct slice account, int percent, uint32_t regain_s, int64_t at_s)
{
    struct whatsapp_usage said = { .account_count = 1 };
    struct usage_change change;

    snprintf(said.accounts[0].id, sizeof(said.accounts[0].id), "%.*s", SLICE_FMT(account));
    said.accounts[0].percent = percent;
    said.accounts[0].regain_s = regain_s;
    usage_note(usage, SLICE_EMPTY, &said, second(at_s), &change);
    return change;
}

static void
who_is_not_known_or_far_from_the_limit_never_waits(void **state UNUSED)
{
    assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(0)), 0);
    (void)app_says(USAGE_SLOW_PERCENT - 1, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(0)), 0);
    assert_int_equal(usage_turn_ms(usage, SLICE("77"), second(0)), 0);
}

static void
the_nearer_the_limit_the_longer_the_gap(void **state UNUSED)
{
    static const struct {
        int percent;
        int64_t gap_s;
    } rows[] = { { 75, 2 }, { 76, 4 }, { 94, 40 }, { 95, 300 }, { 100, 300 }, { 1000, 300 } };
    int64_t at_s = 0;

    for (size_t i = 0; i < COUNT_OF(rows); i++, at_s += 1000) {
        (void)app_says(0, at_s);
        assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(at_s)), 0);
        (void)app_says(rows[i].percent, at_s);
        assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(at_s)), rows[i].gap_s * 1000);
        assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(at_s + rows[i].gap_s - 1)), 1000);
        assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(at_s + rows[i].gap_s)), 0);
        /* taken: the next one waits as long */
        assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(at_s + rows[i].gap_s)), rows[i].gap_s * 1000);
    }
}

/* Messages leave all the time, and each answer says the same: that must not put the next call off. */
static void
news_do_not_put_a_turn_off(void **state UNUSED)
{
    for (int64_t s = 0; s < USAGE_HOLD_S; s++) {
        (void)account_says(ACCOUNT, 99, 0, s);
        assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(s)), (USAGE_HOLD_S - s) * 1000);
    }
    assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(USAGE_HOLD_S)), 0);
}

static void
nothing_is_asked_before_access_is_regained(void **state UNUSED)
{
    (void)account_says(ACCOUNT, 100, 1140, 0);
    assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(0)), 1140000);
    assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(1139)), 1000);
    assert_int_equal(usage_turn_ms(usage, SLICE("77"), second(0)), 0);
    (void)account_says(ACCOUNT, 20, 0, 600); /* earlier than it had said */
    assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(600)), 0);
    (void)account_says(ACCOUNT, 20, 60, 700); /* whatever the percentage */
    assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(700)), 60000);
}

static void
what_was_said_an_hour_ago_is_forgotten(void **state UNUSED)
{
    (void)app_says(99, 0);
    (void)account_says(ACCOUNT, 80, 0, 60);
    assert_int_equal(usage_highest(usage, second(60)), 99);
    assert_int_equal(usage_highest(usage, second(USAGE_FORGET_S)), 80);
    assert_int_equal(usage_highest(usage, second(USAGE_FORGET_S + 60)), 0);
    assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(USAGE_FORGET_S + 60)), 0);
    assert_int_equal(usage_turn_ms(usage, ACCOUNT, second(USAGE_FORGET_S + 60)), 0);
}

static void
a_change_of_band_is_told_once(void **state UNUSED)
{
    assert_false(app_says(10, 0).is_given);
    struct usage_change change = app_says(80, 1);
    assert_true(change.is_given);
    assert_int_equal(change.band, USAGE_SLOW);
    assert_int_equal(change.percent, 80);
    assert_false(app_says(81, 2).is_given);
    assert_int_equal(account_says(ACCOUNT, 30, 120, 3).band, USAGE_HELD);
    assert_false(account_says(ACCOUNT, 99, 110, 4).is_given);
    change = account_says(ACCOUNT, 99, 0, 5);
    assert_false(change.is_given);
    change = account_says(ACCOUNT, 1, 0, 6); /* the app's 81 still holds */
    assert_true(change.is_given);
    assert_int_equal(change.band, USAGE_SLOW);
    assert_int_equal(change.percent, 81);
    assert_int_equal(app_says(0, 7).band, USAGE_FREE);
}

/* An answer to a message: the account is known by its own row alone. */
static void
the_apps_figure_counts_for_the_accounts_beside_it(void **state UNUSED)
{
    struct whatsapp_usage said = { .has_app = true, .app_percent = 98, .account_count = 1 };
    struct usage_change change;

    snprintf(said.accounts[0].id, sizeof(said.accounts[0].id), "77");
    usage_note(usage, SLICE_EMPTY, &said, second(0), &change);
    assert_int_equal(change.band, USAGE_HELD);
    assert_int_equal(usage_turn_ms(usage, SLICE("77"), second(0)), USAGE_HOLD_S * 1000);
    said.account_count = 0;
    usage_note(usage, SLICE_EMPTY, &said, second(1), &change); /* of nobody */
    assert_false(change.is_given);
    usage_note(usage, SLICE("123456789012345678901234567890123"), &said, second(1), &change); /* no id */
    assert_false(change.is_given);
}

static void
the_longest_silent_makes_room(void **state UNUSED)
{
    char id[WHATSAPP_USAGE_ID_MAX];

    for (unsigned i = 0; i <= USAGE_ACCOUNTS_MAX; i++) {
        snprintf(id, sizeof(id), "%u", i);
        (void)account_says(slice_text(id), 100, 0, i);
    }
    assert_int_equal(usage_turn_ms(usage, SLICE("0"), second(USAGE_ACCOUNTS_MAX)), 0);
    assert_true(usage_turn_ms(usage, slice_text(id), second(USAGE_ACCOUNTS_MAX)) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
UNIT_MAIN(TEST(who_is_not_known_or_far_from_the_limit_never_waits),
          TEST(the_nearer_the_limit_the_longer_the_gap), TEST(news_do_not_put_a_turn_off),
          TEST(nothing_is_asked_before_access_is_regained), TEST(what_was_said_an_hour_ago_is_forgotten),
          TEST(a_change_of_band_is_told_once), TEST(the_apps_figure_counts_for_the_accounts_beside_it),
          TEST(the_longest_silent_makes_room))
