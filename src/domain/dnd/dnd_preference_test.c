#include "core/unit.h"
#include "domain/dnd/dnd_preference.h"

static struct wall_time
at(const char *text)
{
    struct wall_time time;

    assert_ok(wall_parse(slice_text(text), &time));
    return time;
}

static struct dnd_preference
preference(const char *receives, const char *modes, const char *bands, const char *days)
{
    struct dnd_preference out;

    assert_ok(dnd_preference_parse(slice_text(receives), slice_text(modes), slice_text(bands),
                                   slice_text(days), &out));
    assert_true(dnd_preference_is_valid(&out));
    return out;
}

static void
lists_say_what_may_come(void **state UNUSED)
{
    assert_int_equal(preference("", "", "", "").categories, 1);
    assert_int_equal(preference("0", "", "", "").categories, 1);
    assert_int_equal(preference("1#0", "", "", "").categories, 1);
    assert_int_equal(preference("1#2", "", "", "").categories, 0x1f8);
    assert_int_equal(preference("1,2,3,4,5,6,7,8", "", "", "").categories, 0);
    assert_int_equal(preference("8", "2", "", "").modes, 0x1d);
    assert_int_equal(preference("8", "", "3;4;5;6;7;8", "").bands, 0x103);
    assert_int_equal(preference("8", "", "", "1|2|3|4|5").days, 0xe0);
    struct dnd_preference all = preference("1 2 3 4 5 6 7 8", "1 2 3 4 5", "", "1,2,3,4,5,6,7,8");
    assert_true(dnd_preference_is_empty(&all));
}

static void
anything_but_numbers_in_a_list_is_refused(void **state UNUSED)
{
    static const char *const lists[] = { "x", "1#x", "9", "99", "1000", "-1", "1.2", "1a", "#\t" };
    struct dnd_preference out;

    for (size_t i = 0; i < COUNT_OF(lists); i++)
        assert_int_not_equal(
            dnd_preference_parse(slice_text(lists[i]), SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY, &out), ERR_OK);
    assert_int_equal(dnd_preference_parse(SLICE("1"), SLICE("6"), SLICE_EMPTY, SLICE_EMPTY, &out),
                     ERR_OVERFLOW);
    assert_int_equal(dnd_preference_parse(SLICE("1"), SLICE("0"), SLICE_EMPTY, SLICE_EMPTY, &out),
                     ERR_OVERFLOW);
    assert_int_equal(dnd_preference_parse(SLICE("1"), SLICE_EMPTY, SLICE("10"), SLICE_EMPTY, &out),
                     ERR_OVERFLOW);
    assert_int_equal(dnd_preference_parse(SLICE("1"), SLICE_EMPTY, SLICE_EMPTY, SLICE("9"), &out),
                     ERR_OVERFLOW);
}

static void
what_any_part_blocks_is_blocked(void **state UNUSED)
{
    static const struct {
        const char *receives, *modes, *bands, *days;
        unsigned category;
        const char *now;
        enum dnd_verdict verdict;
        const char *until;
    } rows[] = {
        { "0", "", "", "", 1, "2026-11-23T12:00:00+05:30", DND_BLOCKED, NULL },
        { "1#2", "", "", "", 1, "2026-11-23T12:00:00+05:30", DND_CLEAR, NULL },
        { "1#2", "", "", "", 3, "2026-11-23T12:00:00+05:30", DND_BLOCKED, NULL },
        { "1#2", "", "", "", 0, "2026-11-23T12:00:00+05:30", DND_BLOCKED,
          NULL }, /* of no category: not of those */
        { "1#2", "1", "", "", 1, "2026-11-23T12:00:00+05:30", DND_BLOCKED, NULL },
        { "1#2", "2", "", "", 1, "2026-11-23T12:00:00+05:30", DND_CLEAR, NULL },
        { "1", "", "4", "", 1, "2026-11-23T09:59:59+05:30", DND_NOT_NOW, "2026-11-23T10:00:00+05:30" },
        { "1", "", "4", "", 1, "2026-11-23T10:00:00+05:30", DND_CLEAR, NULL },
        { "1", "", "4", "", 1, "2026-11-23T12:00:00+05:30", DND_NOT_NOW, "2026-11-24T10:00:00+05:30" },
        { "1", "", "9", "", 1, "2026-11-23T23:59:59+05:30", DND_CLEAR, NULL },
        { "1", "", "9", "", 1, "2026-11-24T00:00:00+05:30", DND_NOT_NOW, "2026-11-24T21:00:00+05:30" },
        /* A Sunday, and from Monday on. */
        { "1", "", "", "1,2,3,4,5,8", 1, "2026-11-22T12:00:00+05:30", DND_NOT_NOW,
          "2026-11-23T00:00:00+05:30" },
        /* Republic Day 2027 is a Tuesday; by the day of the week it could come, but not on holidays. */
        { "1", "", "", "1,2,3,4,5,6,7", 1, "2027-01-26T12:00:00+05:30", DND_NOT_NOW,
          "2027-01-27T00:00:00+05:30" },
        { "1", "", "", "1,2,3,4,5,6,7", 1, "2027-01-25T23:59:59+05:30", DND_CLEAR, NULL },
        { "1", "", "", "1,2,3,4,5,6,7", 1, "2026-08-15T00:00:00+05:30", DND_NOT_NOW,
          "2026-08-16T00:00:00+05:30" },
        { "1", "", "", "1,2,3,4,5,6,7", 1, "2026-10-02T18:00:00+05:30", DND_NOT_NOW,
          "2026-10-03T00:00:00+05:30" },
        { "1", "", "", "8", 1, "2026-10-02T12:00:00+05:30", DND_BLOCKED,
          NULL }, /* no day of the week is left */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct dnd_preference p = preference(rows[i].receives, rows[i].modes, rows[i].bands, rows[i].days);
        struct wall_time until;

        if (dnd_judge(&p, rows[i].category, DND_MODE_SMS, at(rows[i].now), &until) != rows[i].verdict)
            fail_msg("row %zu", i);
        assert_int_equal(until.us, at(rows[i].until != NULL ? rows[i].until : rows[i].now).us);
        if (rows[i].until != NULL)
            assert_int_equal(dnd_judge(&p, rows[i].category, DND_MODE_SMS, until, NULL), DND_CLEAR);
    }
}

static void
a_day_has_every_hour_in_one_band(void **state UNUSED)
{
    assert_int_equal(dnd_band_hour(0), 0);
    assert_int_equal(dnd_band_hour(DND_BAND_COUNT), 24);
    for (unsigned band = 0; band < DND_BAND_COUNT; band++) {
        assert_true(dnd_band_hour(band) < dnd_band_hour(band + 1));
        struct dnd_preference p = { .bands = (uint16_t)(1u << band) };
        for (unsigned hour = 0; hour < 24; hour++) {
            struct wall_time now = { (INT64_C(1795132800) + hour * 3600 - 19800) * 1000000 };
            bool is_in = hour >= dnd_band_hour(band) && hour < dnd_band_hour(band + 1);

            assert_int_equal(dnd_judge(&p, 1, DND_MODE_SMS, now, NULL), is_in ? DND_NOT_NOW : DND_CLEAR);
        }
    }
}

UNIT_MAIN(cmocka_unit_test(lists_say_what_may_come),
          cmocka_unit_test(anything_but_numbers_in_a_list_is_refused),
          cmocka_unit_test(what_any_part_blocks_is_blocked),
          cmocka_unit_test(a_day_has_every_hour_in_one_band))
