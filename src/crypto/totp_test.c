#include "core/unit.h"
#include "crypto/totp.h"

static const char seed[] = "12345678901234567890"; /* RFC 6238, appendix B */

static struct slice
key(void)
{
    return slice_of(seed, TOTP_SECRET_BYTES);
}

static void
the_published_codes_come_out(void **state UNUSED)
{
    /* RFC 6238, appendix B, of which the last six digits are ours; RFC 4226, appendix D. */
    static const struct {
        int64_t seconds;
        const char *code;
    } times[] = { { 59, "287082" },         { 1111111109, "081804" }, { 1111111111, "050471" },
                  { 1234567890, "005924" }, { 2000000000, "279037" }, { 20000000000, "353130" } };
    static const char *const steps[] = { "755224", "287082", "359152", "969429", "338314",
                                         "254676", "287922", "162583", "399871", "520489" };
    char code[TOTP_DIGITS];

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        assert_ok(totp_code(key(), totp_step((struct wall_time){ times[i].seconds * 1000000 }), code));
        assert_memory_equal(code, times[i].code, sizeof(code));
    }
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        assert_ok(totp_code(key(), i, code));
        assert_memory_equal(code, steps[i], sizeof(code));
    }
}

static void
a_step_lasts_30_seconds(void **state UNUSED)
{
    assert_int_equal(totp_step((struct wall_time){ 29999999 }), 0);
    assert_int_equal(totp_step((struct wall_time){ 30000000 }), 1);
    assert_int_equal(totp_step((struct wall_time){ -1 }), 0);
}

static void
a_code_is_good_one_step_early_and_one_late(void **state UNUSED)
{
    for (uint64_t of = 0; of < 10; of++) {
        char code[TOTP_DIGITS];
        assert_ok(totp_code(key(), 100 + of, code));
        for (uint64_t now = 95; now < 115; now++) {
            bool is_good = now + 1 >= 100 + of && now <= 101 + of;
            uint64_t step = 0;
            assert_int_equal(totp_check(key(), slice_of(code, sizeof(code)), now, 0, &step),
                             is_good ? ERR_OK : ERR_SIGNATURE);
            assert_int_equal(step, is_good ? 100 + of : 0);
        }
    }
}

static void
a_code_is_good_once(void **state UNUSED)
{
    char code[TOTP_DIGITS], next[TOTP_DIGITS], before[TOTP_DIGITS];
    uint64_t step = 0;

    assert_ok(totp_code(key(), 99, before));
    assert_ok(totp_code(key(), 100, code));
    assert_ok(totp_code(key(), 101, next));
    assert_ok(totp_check(key(), slice_of(code, sizeof(code)), 100, 0, &step));
    assert_int_equal(totp_check(key(), slice_of(code, sizeof(code)), 100, step, &step), ERR_SIGNATURE);
    assert_int_equal(totp_check(key(), slice_of(code, sizeof(code)), 101, step, &step), ERR_SIGNATURE);
    assert_int_equal(totp_check(key(), slice_of(before, sizeof(before)), 100, step, &step), ERR_SIGNATURE);
    assert_ok(totp_check(key(), slice_of(next, sizeof(next)), 100, step, &step));
    assert_int_equal(step, 101);
}

static void
what_is_no_code_is_refused(void **state UNUSED)
{
    const struct slice codes[] = { SLICE(""),       SLICE("75522"),   SLICE("7552240"),
                                   SLICE("755225"), SLICE("75522\0"), SLICE(" 755224") };
    uint64_t step = 7;

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        assert_int_equal(totp_check(key(), codes[i], 0, 0, &step), ERR_SIGNATURE);
    assert_int_equal(totp_check(key(), SLICE("755224"), 0, 0, &step),
                     ERR_SIGNATURE); /* step 0 is never above 0 */
    assert_ok(totp_check(key(), SLICE("287082"), 0, 0, &step));
    assert_int_equal(step, 1);
}

UNIT_MAIN(cmocka_unit_test(the_published_codes_come_out), cmocka_unit_test(a_step_lasts_30_seconds),
          cmocka_unit_test(a_code_is_good_one_step_early_and_one_late), cmocka_unit_test(a_code_is_good_once),
          cmocka_unit_test(what_is_no_code_is_refused))
