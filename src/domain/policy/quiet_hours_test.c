#include "core/unit.h"
#include "domain/policy/quiet_hours.h"

static struct phone_zones *zones;

static int
zones_set_up(void **state UNUSED)
{
    size_t missing;

    return phone_zones_load(PHONE_ZONES_FOLDER, &zones, &missing) == ERR_OK && missing == 0 ? 0 : -1;
}

static int
zones_tear_down(void **state UNUSED)
{
    phone_zones_free(zones);
    return 0;
}

static struct wall_time
at(const char *text)
{
    struct wall_time time;

    assert_ok(wall_parse(slice_text(text), &time));
    return time;
}

static enum quiet_verdict
judged(const struct quiet_settings *settings, const char *number, const char *now, struct wall_time *until)
{
    struct phone_place place;

    phone_place_of(zones, slice_text(number), &place);
    return quiet_hours_judge(settings, &place, at(now), 0, until);
}

#define INDIA "+919876543210"

static void
a_window_begins_with_its_start_and_ends_before_its_end(void **state UNUSED)
{
    static const struct {
        uint16_t india;
        const char *now;
        enum quiet_verdict verdict;
        const char *until;
    } rows[] = {
        { 540, "2026-11-23T08:59:59.999999+05:30", QUIET_HELD, "2026-11-23T09:00:00+05:30" },
        { 540, "2026-11-23T09:00:00+05:30", QUIET_OPEN, NULL },
        { 540, "2026-11-23T20:59:59.999999+05:30", QUIET_OPEN, NULL },
        { 540, "2026-11-23T21:00:00+05:30", QUIET_HELD, "2026-11-24T09:00:00+05:30" },
        { 540, "2026-11-23T23:59:59+05:30", QUIET_HELD, "2026-11-24T09:00:00+05:30" },
        { 540, "2026-11-24T00:00:00+05:30", QUIET_HELD, "2026-11-24T09:00:00+05:30" },
        { 600, "2026-11-23T09:30:00+05:30", QUIET_HELD, "2026-11-23T10:00:00+05:30" },
        { 600, "2026-11-23T10:00:00+05:30", QUIET_OPEN, NULL },
        { 600, "2026-12-31T21:00:00+05:30", QUIET_HELD, "2027-01-01T10:00:00+05:30" },
        { 0, "2026-11-23T09:30:00+05:30", QUIET_HELD, "2026-11-23T10:00:00+05:30" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct quiet_settings settings = quiet_settings_default;
        struct wall_time until;

        settings.india_from_minute = rows[i].india;
        settings.spread_minutes = 0;
        assert_int_equal(judged(&settings, INDIA, rows[i].now, &until), rows[i].verdict);
        assert_int_equal(until.us, at(rows[i].until != NULL ? rows[i].until : rows[i].now).us);
    }
}

static void
other_countries_have_hours_of_their_own(void **state UNUSED)
{
    static const struct {
        const char *number, *now;
        enum quiet_verdict verdict;
        const char *until;
    } rows[] = {
        { "+33612345678", "2026-11-21T19:59:59+01:00", QUIET_OPEN, NULL }, /* a Saturday */
        { "+33612345678", "2026-11-21T20:00:00+01:00", QUIET_HELD,
          "2026-11-23T09:00:00+01:00" }, /* no Sundays */
        { "+971501234567", "2026-11-23T18:00:00+04:00", QUIET_HELD, "2026-11-24T09:00:00+04:00" },
        { "+447700900123", "2026-07-23T08:59:59+01:00", QUIET_HELD, "2026-07-23T09:00:00+01:00" },
        { "+447700900123", "2026-11-23T08:59:59Z", QUIET_HELD, "2026-11-23T09:00:00Z" },
        { "+870776012345", "2026-11-23T08:00:00Z", QUIET_HELD,
          "2026-11-23T09:00:00Z" }, /* no country's: UTC */
        /* Hawaii opens last, New York closes first; on Sundays not before noon. */
        { "+14155550123", "2026-11-23T13:59:59-05:00", QUIET_HELD, "2026-11-23T09:00:00-10:00" },
        { "+14155550123", "2026-11-23T09:00:00-10:00", QUIET_OPEN, NULL },
        { "+14155550123", "2026-11-23T20:00:00-05:00", QUIET_HELD, "2026-11-24T09:00:00-10:00" },
        { "+14155550123", "2026-11-22T11:59:00-10:00", QUIET_HELD, "2026-11-22T12:00:00-10:00" },
        /* Russia: two hours a day are right from Kaliningrad to Kamchatka. */
        { "+79161234567", "2026-11-23T12:00:00+03:00", QUIET_HELD, "2026-11-24T09:00:00+02:00" },
        { "+79161234567", "2026-11-23T09:30:00+02:00", QUIET_OPEN, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct quiet_settings settings = quiet_settings_default;
        struct wall_time until;

        settings.spread_minutes = 0;
        if (judged(&settings, rows[i].number, rows[i].now, &until) != rows[i].verdict)
            fail_msg("%s at %s", rows[i].number, rows[i].now);
        char text[WALL_TEXT_BYTES];
        if (until.us != at(rows[i].until != NULL ? rows[i].until : rows[i].now).us)
            fail_msg("%s at %s: until %.*s", rows[i].number, rows[i].now, SLICE_FMT(wall_print(until, text)));
    }
}

static void
a_workspace_narrows_the_window_and_never_widens_it(void **state UNUSED)
{
    struct quiet_settings settings = quiet_settings_default;

    settings.from_minute = 0;
    settings.until_minute = QUIET_DAY_MINUTES;
    assert_int_equal(quiet_window_of(&settings, "IN", 0).from_minute, 540);
    assert_int_equal(quiet_window_of(&settings, "IN", 0).until_minute, 1260);
    settings.from_minute = 660;
    settings.until_minute = 1080;
    assert_int_equal(quiet_window_of(&settings, "IN", 0).from_minute, 660);
    assert_int_equal(quiet_window_of(&settings, "IN", 0).until_minute, 1080);
    settings.days = 0x1f;
    assert_int_equal(quiet_window_of(&settings, "IN", 4).from_minute, 660);
    assert_int_equal(quiet_window_of(&settings, "IN", 5).until_minute, 0);
    settings.from_minute = 1320;
    settings.until_minute = 1380;
    assert_int_equal(quiet_window_of(&settings, "IN", 0).until_minute, 0);
}

static void
settings_that_leave_no_moment_are_never_open(void **state UNUSED)
{
    struct quiet_settings settings = quiet_settings_default;
    struct wall_time until;

    settings.from_minute = 540;
    settings.until_minute = 600; /* nine to ten: not one hour of it is everywhere in the United States */
    assert_int_equal(judged(&settings, "+14155550123", "2026-11-23T12:00:00Z", &until), QUIET_NEVER);
    assert_int_equal(until.us, at("2026-11-24T12:00:00Z").us);
    assert_int_equal(judged(&settings, INDIA, "2026-11-23T12:00:00Z", &until), QUIET_HELD);

    struct phone_place place;
    phone_place_of(NULL, SLICE(INDIA), &place); /* without zone files nobody knows what time it is there */
    assert_int_equal(
        quiet_hours_judge(&quiet_settings_default, &place, at("2026-11-23T06:00:00Z"), 0, &until),
        QUIET_NEVER);
    settings.is_off = true;
    assert_int_equal(quiet_hours_judge(&settings, &place, at("2026-11-23T21:00:00Z"), 0, &until), QUIET_OPEN);
}

static void
only_whole_settings_are_valid(void **state UNUSED)
{
    struct quiet_settings settings = quiet_settings_default;

    assert_true(quiet_settings_are_valid(&settings));
    settings.india_from_minute = 480;
    assert_false(quiet_settings_are_valid(&settings));
    settings = quiet_settings_default;
    settings.from_minute = settings.until_minute;
    assert_false(quiet_settings_are_valid(&settings));
    settings = quiet_settings_default;
    settings.until_minute = QUIET_DAY_MINUTES + 1;
    assert_false(quiet_settings_are_valid(&settings));
    settings = quiet_settings_default;
    settings.days = 0;
    assert_false(quiet_settings_are_valid(&settings));
    settings.days = 0xff;
    assert_false(quiet_settings_are_valid(&settings));
    settings = quiet_settings_default;
    settings.spread_minutes = QUIET_SPREAD_MINUTES_MAX + 1;
    assert_false(quiet_settings_are_valid(&settings));
}

/* The night on which clocks are changed is not shorter or longer than the clock on the wall says. */
static void
a_changed_clock_is_followed(void **state UNUSED)
{
    static const struct {
        const char *number, *now, *until;
    } rows[] = {
        { "+4915112345678", "2026-03-28T21:00:00+01:00", "2026-03-29T09:00:00+02:00" },
        { "+4915112345678", "2026-10-24T21:00:00+02:00", "2026-10-25T09:00:00+01:00" },
        { "+61412345678", "2026-10-03T20:00:00+11:00",
          "2026-10-05T09:00:00+06:30" }, /* the Cocos Islands are last */
        { "+9613123456", "2026-03-28T23:00:00+02:00", "2026-03-29T09:00:00+03:00" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct quiet_settings settings = quiet_settings_default;
        struct wall_time until;
        char text[WALL_TEXT_BYTES];

        settings.spread_minutes = 0;
        assert_int_equal(judged(&settings, rows[i].number, rows[i].now, &until), QUIET_HELD);
        if (until.us != at(rows[i].until).us)
            fail_msg("%s at %s: until %.*s", rows[i].number, rows[i].now, SLICE_FMT(wall_print(until, text)));
    }
}

/* A zone whose clock leaps from half past eight to half past nine in March, and back in October. */
static void
a_start_that_is_leapt_over_is_the_leap(void **state UNUSED)
{
    static const char block[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
                                "\0\0\0\0\0\0AAA";
    static const char footer[] = "\nAAA0BBB,M3.5.0/8:30,M10.5.0/9:30\n";
    struct quiet_settings settings = quiet_settings_default;
    struct phone_place place = { .zone_count = 1 };
    char bytes[2 * sizeof(block) + sizeof(footer) - 1];
    struct wall_time until;
    struct tzif zone;

    memcpy(bytes, block, sizeof(block));
    memcpy(bytes + sizeof(block), block, sizeof(block));
    memcpy(bytes + 2 * sizeof(block), footer, sizeof(footer) - 1);
    assert_ok(tzif_read(slice_of(bytes, sizeof(bytes)), &zone));
    place.zones[0] = &zone;
    settings.spread_minutes = 0;
    assert_int_equal(quiet_hours_judge(&settings, &place, at("2026-03-29T01:00:00Z"), 0, &until), QUIET_HELD);
    assert_int_equal(until.us, at("2026-03-29T08:30:00Z").us);
    /* In October it is nine o'clock twice, and in between it is too early again. */
    assert_int_equal(quiet_hours_judge(&settings, &place, at("2026-10-25T01:00:00Z"), 0, &until), QUIET_HELD);
    assert_int_equal(until.us, at("2026-10-25T08:00:00Z").us);
    assert_int_equal(quiet_hours_judge(&settings, &place, at("2026-10-25T08:29:59Z"), 0, &until), QUIET_OPEN);
    assert_int_equal(quiet_hours_judge(&settings, &place, at("2026-10-25T08:30:00Z"), 0, &until), QUIET_HELD);
    assert_int_equal(until.us, at("2026-10-25T09:00:00Z").us);
}

static uint64_t
next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* By the clock alone, minute for minute, and without any of the cleverness. */
static bool
is_open_by_the_clock(const struct quiet_settings *settings, const struct phone_place *place, int64_t unix_s)
{
    for (size_t z = 0; z < place->zone_count; z++) {
        int64_t local = unix_s + tzif_offset(place->zones[z], unix_s);
        struct quiet_window window =
            quiet_window_of(settings, place->country, (unsigned)((local / 86400 + 3) % 7));
        int64_t minute = local % 86400 / 60;

        if (minute < window.from_minute || minute >= window.until_minute)
            return false;
    }
    return true;
}

/*
 * For any country, settings and time: what may leave is right in every zone now, what is held is right in
 * every zone then, and at no minute before it; held messages leave within their spread.
 */
static void
a_message_leaves_in_no_zone_too_early_or_too_late(void **state UNUSED)
{
    uint64_t seed = 0x2545f4914f6cdd1du;
    size_t open = 0, held = 0, never = 0;

    for (int i = 0; i < 4000; i++) {
        const struct phone_country *country = &phone_countries[next_random(&seed) % phone_country_count];
        struct quiet_settings settings = quiet_settings_default;
        struct phone_place place;
        struct wall_time until,
            now = { (int64_t)(1735689600 + next_random(&seed) % (6 * 366 * 86400)) * 1000000 +
                    (int64_t)(next_random(&seed) % 1000000) };

        phone_place_of(zones, slice_text(country->calling_code), &place);
        assert_string_equal(place.country, country->country);
        if (next_random(&seed) % 2 == 0) {
            settings.from_minute = (uint16_t)(next_random(&seed) % 900);
            settings.until_minute = (uint16_t)(settings.from_minute + 1 + next_random(&seed) % 540);
            settings.days = (uint8_t)(1 + next_random(&seed) % 127);
        }
        settings.spread_minutes = (uint16_t)(next_random(&seed) % 3 * 60);
        assert_true(quiet_settings_are_valid(&settings));
        uint64_t key = next_random(&seed);
        enum quiet_verdict verdict = quiet_hours_judge(&settings, &place, now, key, &until);
        int64_t now_s = now.us / 1000000;

        assert_int_equal(verdict == QUIET_OPEN, is_open_by_the_clock(&settings, &place, now_s));
        if (verdict == QUIET_OPEN) {
            open++;
            continue;
        }
        int64_t first = now_s;
        while (first < now_s + 8 * 86400 && !is_open_by_the_clock(&settings, &place, first))
            first += 60 - first % 60;
        if (verdict == QUIET_NEVER) {
            assert_true(first >= now_s + 8 * 86400);
            assert_int_equal(until.us, now.us + QUIET_NEVER_US);
            never++;
            continue;
        }
        held++;
        assert_true(is_open_by_the_clock(&settings, &place, until.us / 1000000));
        assert_true(until.us >= first * 1000000 &&
                    until.us <= (first + settings.spread_minutes * 60) * 1000000);
        struct wall_time again;
        assert_int_equal(quiet_hours_judge(&settings, &place, now, key, &again), QUIET_HELD);
        assert_int_equal(again.us, until.us);
        assert_int_equal(quiet_hours_judge(&settings, &place, until, key, &again), QUIET_OPEN);
    }
    assert_true(open > 500 && held > 500 && never > 20);
}

/* Ids made one after the other: in every minute of the half hour about a thirtieth of them. */
static void
held_messages_leave_spread_out(void **state UNUSED)
{
    enum { MESSAGES = 30000, MINUTES = 30 };
    unsigned in_minute[MINUTES] = { 0 };
    struct phone_place place;
    struct wall_time now = at("2026-11-23T22:00:00+05:30"), start = at("2026-11-24T09:00:00+05:30"), until;

    phone_place_of(zones, SLICE(INDIA), &place);
    for (uint64_t key = 0; key < MESSAGES; key++) {
        assert_int_equal(quiet_hours_judge(&quiet_settings_default, &place, now, key, &until), QUIET_HELD);
        assert_in_range(until.us, start.us, start.us + (int64_t)MINUTES * 60 * 1000000 - 1);
        in_minute[(until.us - start.us) / 60000000]++;
    }
    for (size_t i = 0; i < MINUTES; i++)
        assert_in_range(in_minute[i], MESSAGES / MINUTES * 8 / 10, MESSAGES / MINUTES * 12 / 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_begins_with_its_start_and_ends_before_its_end),
        cmocka_unit_test(other_countries_have_hours_of_their_own),
        cmocka_unit_test(a_workspace_narrows_the_window_and_never_widens_it),
        cmocka_unit_test(settings_that_leave_no_moment_are_never_open),
        cmocka_unit_test(only_whole_settings_are_valid),
        cmocka_unit_test(a_changed_clock_is_followed),
        cmocka_unit_test(a_start_that_is_leapt_over_is_the_leap),
        cmocka_unit_test(a_message_leaves_in_no_zone_too_early_or_too_late),
        cmocka_unit_test(held_messages_leave_spread_out),
    };
    return cmocka_run_group_tests(tests, zones_set_up, zones_tear_down);
}
