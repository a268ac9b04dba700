#include "core/unit.h"
#include "program/harkara/key_expiry.h"

static const struct wall_time now = { 1000000 };

static void
spans_count_from_now_and_times_stand_for_themselves(void **state UNUSED)
{
    struct wall_time at;

    assert_ok(key_expiry_parse(SLICE("1h"), now, &at));
    assert_int_equal(at.us, now.us + (int64_t)3600 * 1000000);
    assert_ok(key_expiry_parse(SLICE("90d"), now, &at));
    assert_int_equal(at.us, now.us + (int64_t)90 * 86400 * 1000000);
    assert_ok(key_expiry_parse(SLICE("87600h"), now, &at));
    assert_ok(key_expiry_parse(SLICE("1970-01-01T00:00:02Z"), now, &at));
    assert_int_equal(at.us, 2000000);
}

static void
anything_else_is_refused(void **state UNUSED)
{
    const struct slice rows[] = { SLICE(""),       SLICE("d"),       SLICE("0d"),    SLICE("-1d"),
                                  SLICE("1"),      SLICE("1.5d"),    SLICE("3651d"), SLICE("1 d"),
                                  SLICE("87601h"), SLICE("tomorrow") };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wall_time at;
        assert_int_equal(key_expiry_parse(rows[i], now, &at), ERR_TIME_SYNTAX);
    }
}

UNIT_MAIN(cmocka_unit_test(spans_count_from_now_and_times_stand_for_themselves),
          cmocka_unit_test(anything_else_is_refused))
