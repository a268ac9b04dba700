#include "core/clock.h"
#include "core/unit.h"
#include <stdio.h>

#define US_PER_DAY INT64_C(86400000000)
#define FIRST      INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define LAST       INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */

static struct wall_time
at(int64_t us)
{
    return (struct wall_time){ us };
}

static void
assert_print(int64_t us, const char *want)
{
    char text[WALL_TEXT_BYTES];
    struct slice got = wall_print(at(us), text);

    if (!slice_eq(got, slice_text(want)))
        fail_msg("%lld: got %.*s, want %s", (long long)us, SLICE_FMT(got), want);
}

static void
instants_are_printed_in_utc_with_milliseconds(void **state UNUSED)
{
    assert_print(0, "1970-01-01T00:00:00.000Z");
    assert_print(999, "1970-01-01T00:00:00.000Z");
    assert_print(1000, "1970-01-01T00:00:00.001Z");
    assert_print(-1, "1969-12-31T23:59:59.999Z"); /* down, not towards zero */
    assert_print(-1000, "1969-12-31T23:59:59.999Z");
    assert_print(-1001, "1969-12-31T23:59:59.998Z");
    assert_print(INT64_C(1795333728123456), "2026-11-22T07:48:48.123Z");
    assert_print(INT64_C(951782400000000), "2000-02-29T00:00:00.000Z");
    assert_print(INT64_C(4107542399999999), "2100-02-28T23:59:59.999Z");
    assert_print(INT64_C(4107542400000000), "2100-03-01T00:00:00.000Z");
}

static void
years_that_have_no_four_digits_are_clamped(void **state UNUSED)
{
    assert_print(FIRST, "0001-01-01T00:00:00.000Z");
    assert_print(FIRST - 1, "0001-01-01T00:00:00.000Z");
    assert_print(INT64_MIN, "0001-01-01T00:00:00.000Z");
    assert_print(LAST, "9999-12-31T23:59:59.999Z");
    assert_print(LAST + 1, "9999-12-31T23:59:59.999Z");
    assert_print(INT64_MAX, "9999-12-31T23:59:59.999Z");
}

static void
rfc_3339_is_read_with_any_offset_and_fraction(void **state UNUSED)
{
    const struct {
        struct slice text;
        int64_t us;
    } rows[] = {
        { SLICE("1970-01-01T00:00:00Z"), 0 },
        { SLICE("1970-01-01t00:00:00z"), 0 },
        { SLICE("1970-01-01T00:00:00+00:00"), 0 },
        { SLICE("1970-01-01T00:00:00-00:00"), 0 },
        { SLICE("1970-01-01T05:30:00+05:30"), 0 },
        { SLICE("1969-12-31T16:00:00-08:00"), 0 },
        { SLICE("1970-01-01T23:59:00+23:59"), 0 },
        { SLICE("1969-12-31T00:01:00-23:59"), 0 },
        { SLICE("1970-01-01T00:00:00.1Z"), 100000 },
        { SLICE("1970-01-01T00:00:00.000001Z"), 1 },
        { SLICE("1970-01-01T00:00:00.0000019Z"), 1 },
        { SLICE("1970-01-01T00:00:00.999999999Z"), 999999 },
        { SLICE("1969-12-31T23:59:59.999999Z"), -1 },
        { SLICE("1985-04-12T23:20:50.52Z"), INT64_C(482196050520000) },        /* RFC 3339, 5.8 */
        { SLICE("1996-12-19T16:39:57-08:00"), INT64_C(851042397000000) },      /* RFC 3339, 5.8 */
        { SLICE("1937-01-01T12:00:27.87+00:20"), -INT64_C(1041337172130000) }, /* RFC 3339, 5.8 */
        { SLICE("2024-02-29T12:00:00Z"), INT64_C(1709208000000000) },
        { SLICE("0001-01-01T00:00:00Z"), FIRST },
        { SLICE("0001-01-01T01:00:00+01:00"), FIRST },
        { SLICE("0000-12-31T23:00:00-01:00"), FIRST },
        { SLICE("9999-12-31T23:59:59.999999Z"), LAST },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wall_time t = { 4711 };
        if (wall_parse(rows[i].text, &t) != ERR_OK || t.us != rows[i].us)
            fail_msg("%.*s: got %lld", SLICE_FMT(rows[i].text), (long long)t.us);
    }
}

static void
what_is_no_instant_is_refused(void **state UNUSED)
{
    const struct slice rows[] = {
        SLICE(""),
        SLICE("1970"),
        SLICE("1970-01-01"),
        SLICE("1970-01-01T00:00Z"),
        SLICE("00:00:00Z"),
        SLICE("1970-01-01T00:00:00"),  /* no offset */
        SLICE("1970-01-01 00:00:00Z"), /* a space, which RFC 3339 leaves to the application */
        SLICE(" 1970-01-01T00:00:00Z"),
        SLICE("1970-01-01T00:00:00Z "),
        SLICE("1970-01-01T00:00:00Z\0"),
        SLICE("1970-01-01T00:00:00ZZ"),
        SLICE("1970-01-01T00:00:00Z+00:00"),
        SLICE("70-01-01T00:00:00Z"),
        SLICE("01970-01-01T00:00:00Z"),
        SLICE("+1970-01-01T00:00:00Z"),
        SLICE("-001-01-01T00:00:00Z"),
        SLICE("1970-1-01T00:00:00Z"),
        SLICE("1970/01/01T00:00:00Z"),
        SLICE("1970-00-01T00:00:00Z"),
        SLICE("1970-13-01T00:00:00Z"),
        SLICE("1970-01-00T00:00:00Z"),
        SLICE("1970-01-32T00:00:00Z"),
        SLICE("1970-04-31T00:00:00Z"),
        SLICE("2023-02-29T00:00:00Z"),
        SLICE("2024-02-30T00:00:00Z"),
        SLICE("1900-02-29T00:00:00Z"),
        SLICE("2100-02-29T00:00:00Z"),
        SLICE("1970-01-01T24:00:00Z"),
        SLICE("1970-01-01T00:60:00Z"),
        SLICE("1970-01-01T00:00:60Z"),
        SLICE("1990-12-31T23:59:60Z"), /* a leap second that was */
        SLICE("1970-01-01T00:00:00.Z"),
        SLICE("1970-01-01T00:00:00,5Z"),
        SLICE("1970-01-01T00:00:00.0000000001Z"), /* ten digits */
        SLICE("1970-01-01T00:00:00+24:00"),
        SLICE("1970-01-01T00:00:00+00:60"),
        SLICE("1970-01-01T00:00:00+0000"),
        SLICE("1970-01-01T00:00:00+00"),
        SLICE("1970-01-01T00:00:00+"),
        SLICE("1970-01-01T00:00:00 +00:00"),
        SLICE("1970-01-01T00:00:00*00:00"),
        SLICE("1970-01-01T0x:00:00Z"),
        SLICE("1970-01-01T00:00:0\xB2Z"),
        SLICE("0000-12-31T23:59:59Z"), /* what could not be printed */
        SLICE("0001-01-01T00:00:00+00:01"),
        SLICE("9999-12-31T23:59:59-00:01"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wall_time t = { 4711 };
        if (wall_parse(rows[i], &t) != ERR_TIME_SYNTAX || t.us != 4711)
            fail_msg("%.*s", SLICE_FMT(rows[i]));
    }
}

static void
assert_round_trip(int64_t us)
{
    char text[WALL_TEXT_BYTES];
    struct wall_time back = { 0 };
    int64_t whole_ms = us - ((us % 1000) + 1000) % 1000;

    if (wall_parse(wall_print(at(us), text), &back) != ERR_OK || back.us != whole_ms)
        fail_msg("%lld came back as %lld", (long long)us, (long long)back.us);
}

/* Every month there is, by a calendar that only counts: its first and last instant, and its neighbours. */
static void
each_month_of_ten_thousand_years_begins_where_the_calendar_says(void **state UNUSED)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t start = FIRST, before = FIRST;

    for (int year = 1; year <= 9999; year++) {
        bool is_leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        for (int month = 1; month <= 12; month++) {
            int length = days[month - 1] + (month == 2 && is_leap);
            int64_t end = start + length * US_PER_DAY - 1;
            const int64_t inside[] = { start, start + 1, start + length / 2 * US_PER_DAY + 1234567, end };
            char want[40];
            for (size_t i = 0; i < COUNT_OF(inside); i++) {
                if (wall_month_start(at(inside[i]), 0).us != start ||
                    wall_month_start(at(inside[i]), -1).us != before ||
                    (end < LAST && wall_month_start(at(inside[i]), 1).us != end + 1))
                    fail_msg("%04d-%02d, instant %zu", year, month, i);
            }
            snprintf(want, sizeof(want), "%04d-%02d-01T00:00:00.000Z", year, month);
            assert_print(start, want);
            snprintf(want, sizeof(want), "%04d-%02d-%02dT23:59:59.999Z", year, month, length);
            assert_print(end, want);
            assert_round_trip(start);
            assert_round_trip(end);
            before = start;
            start = end + 1;
        }
    }
    assert_int_equal(start, LAST + 1);
}

static void
what_is_printed_reads_back_to_the_millisecond(void **state UNUSED)
{
    uint64_t random = 20261122;

    for (int i = 0; i < 100000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        assert_round_trip(FIRST + (int64_t)(random >> 1) % (LAST - FIRST + 1));
    }
}

static void
months_move_across_years_and_stop_at_the_ends(void **state UNUSED)
{
    struct wall_time t = { INT64_C(1795333728123456) }; /* 2026-11-22 */

    assert_print(wall_month_start(t, 0).us, "2026-11-01T00:00:00.000Z");
    assert_print(wall_month_start(t, 2).us, "2027-01-01T00:00:00.000Z");
    assert_print(wall_month_start(t, -11).us, "2025-12-01T00:00:00.000Z");
    assert_print(wall_month_start(t, 12 * 7973 + 1).us, "9999-12-01T00:00:00.000Z");
    assert_int_equal(wall_month_start(t, 12 * 7973 + 2).us, LAST);
    assert_int_equal(wall_month_start(t, INT32_MAX).us, LAST);
    assert_print(wall_month_start(t, -12 * 2025 - 10).us, "0001-01-01T00:00:00.000Z");
    assert_int_equal(wall_month_start(t, INT32_MIN).us, FIRST);
}

static void
a_manual_clock_moves_only_by_hand_and_its_mono_time_never_back(void **state UNUSED)
{
    struct clock_manual manual;

    clock_manual_init(&manual, at(1000000));
    assert_int_equal(clock_wall(&manual.clock).us, 1000000);
    int64_t mono = clock_mono(&manual.clock).us;
    assert_int_equal(clock_mono(&manual.clock).us, mono);
    clock_manual_advance(&manual, 500);
    assert_int_equal(clock_wall(&manual.clock).us, 1000500);
    assert_int_equal(clock_mono(&manual.clock).us, mono + 500);
    clock_manual_advance(&manual, -700);
    assert_int_equal(clock_wall(&manual.clock).us, 999800);
    assert_int_equal(clock_mono(&manual.clock).us, mono + 500);
}

static void
the_system_clock_runs(void **state UNUSED)
{
    const struct clock *clock = clock_system();
    struct mono_time before = clock_mono(clock);

    assert_true(clock_wall(clock).us > INT64_C(1700000000000000)); /* after 2023 */
    for (int i = 0; i < 1000; i++) {
        struct mono_time now = clock_mono(clock);
        assert_true(now.us >= before.us);
        before = now;
    }
}

static void
milliseconds_are_added_as_such(void **state UNUSED)
{
    assert_int_equal(wall_after_ms(at(5), 3).us, 3005);
    assert_int_equal(wall_after_ms(at(5), -3).us, -2995);
    assert_int_equal(mono_after_ms((struct mono_time){ 5 }, 86400000).us, US_PER_DAY + 5);
}

UNIT_MAIN(cmocka_unit_test(instants_are_printed_in_utc_with_milliseconds),
          cmocka_unit_test(years_that_have_no_four_digits_are_clamped),
          cmocka_unit_test(rfc_3339_is_read_with_any_offset_and_fraction),
          cmocka_unit_test(what_is_no_instant_is_refused),
          cmocka_unit_test(each_month_of_ten_thousand_years_begins_where_the_calendar_says),
          cmocka_unit_test(what_is_printed_reads_back_to_the_millisecond),
          cmocka_unit_test(months_move_across_years_and_stop_at_the_ends),
          cmocka_unit_test(a_manual_clock_moves_only_by_hand_and_its_mono_time_never_back),
          cmocka_unit_test(the_system_clock_runs), cmocka_unit_test(milliseconds_are_added_as_such))
