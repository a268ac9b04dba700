#include "core/num.h"
#include "core/unit.h"

#define KEPT 4711 /* what an out parameter holds before, and still holds after a failure */

static void
sums_and_products_that_do_not_fit_are_refused(void **state UNUSED)
{
    const struct {
        size_t a, b;
        bool sum_fits, product_fits;
    } rows[] = {
        { 0, 0, true, true },
        { 0, SIZE_MAX, true, true },
        { 1, SIZE_MAX - 1, true, true },
        { 1, SIZE_MAX, false, true },
        { 2, SIZE_MAX / 2, true, true },
        { 2, SIZE_MAX / 2 + 1, true, false },
        { SIZE_MAX, SIZE_MAX, false, false },
        { (size_t)1 << 32, ((size_t)1 << 32) - 1, true, true },
        { (size_t)1 << 32, (size_t)1 << 32, true, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int swap = 0; swap < 2; swap++) {
            size_t a = swap ? rows[i].b : rows[i].a, b = swap ? rows[i].a : rows[i].b;
            size_t sum = KEPT, product = KEPT;
            assert_int_equal(num_add(a, b, &sum), rows[i].sum_fits ? ERR_OK : ERR_OVERFLOW);
            assert_int_equal(sum, rows[i].sum_fits ? a + b : KEPT);
            assert_int_equal(num_mul(a, b, &product), rows[i].product_fits ? ERR_OK : ERR_OVERFLOW);
            assert_int_equal(product, rows[i].product_fits ? a * b : KEPT);
        }
    }
}

static void
unsigned_numbers_are_read_strictly(void **state UNUSED)
{
    const struct {
        struct slice text;
        enum err err;
        uint64_t value;
    } rows[] = {
        { SLICE("0"), ERR_OK, 0 },
        { SLICE("7"), ERR_OK, 7 },
        { SLICE("0000000000000000000000000000042"), ERR_OK, 42 },
        { SLICE("18446744073709551614"), ERR_OK, UINT64_MAX - 1 },
        { SLICE("18446744073709551615"), ERR_OK, UINT64_MAX },
        { SLICE("18446744073709551616"), ERR_OVERFLOW, 0 },
        { SLICE("18446744073709551620"), ERR_OVERFLOW, 0 },
        { SLICE("99999999999999999999"), ERR_OVERFLOW, 0 },
        { SLICE("100000000000000000000"), ERR_OVERFLOW, 0 },
        { SLICE("36893488147419103232"), ERR_OVERFLOW, 0 }, /* 2^65: wraps to 0 */
        { SLICE("18446744073709551616x"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE(""), ERR_NUMBER_SYNTAX, 0 },
        { SLICE_EMPTY, ERR_NUMBER_SYNTAX, 0 },
        { SLICE("-0"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("+1"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE(" 1"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("1 "), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("1\n"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("1\0"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("0x1F"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("1e3"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("1.0"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("1,000"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("/"), ERR_NUMBER_SYNTAX, 0 }, /* the neighbours of 0 and 9 */
        { SLICE(":"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("\xD9\xA1"), ERR_NUMBER_SYNTAX, 0 }, /* U+0661, a digit of another script */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t value = KEPT;
        enum err err = num_u64_parse(rows[i].text, &value);
        if (err != rows[i].err)
            print_error("row %zu\n", i);
        assert_int_equal(err, rows[i].err);
        assert_int_equal(value, err == ERR_OK ? rows[i].value : KEPT);
    }
}

static void
signed_numbers_reach_both_ends_of_their_range(void **state UNUSED)
{
    const struct {
        struct slice text;
        enum err err;
        int64_t value;
    } rows[] = {
        { SLICE("0"), ERR_OK, 0 },
        { SLICE("-0"), ERR_OK, 0 },
        { SLICE("-1"), ERR_OK, -1 },
        { SLICE("-007"), ERR_OK, -7 },
        { SLICE("9223372036854775807"), ERR_OK, INT64_MAX },
        { SLICE("9223372036854775808"), ERR_OVERFLOW, 0 },
        { SLICE("-9223372036854775807"), ERR_OK, -INT64_MAX },
        { SLICE("-9223372036854775808"), ERR_OK, INT64_MIN },
        { SLICE("-9223372036854775809"), ERR_OVERFLOW, 0 },
        { SLICE("18446744073709551616"), ERR_OVERFLOW, 0 },
        { SLICE("-18446744073709551616"), ERR_OVERFLOW, 0 },
        { SLICE("-"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("--1"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("+1"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("- 1"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE("1-"), ERR_NUMBER_SYNTAX, 0 },
        { SLICE(""), ERR_NUMBER_SYNTAX, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t value = KEPT;
        enum err err = num_i64_parse(rows[i].text, &value);
        if (err != rows[i].err)
            print_error("row %zu\n", i);
        assert_int_equal(err, rows[i].err);
        assert_int_equal(value, err == ERR_OK ? rows[i].value : KEPT);
    }
}

static void
a_number_outside_its_bounds_is_refused(void **state UNUSED)
{
    const struct {
        struct slice text;
        int min, max;
        enum err err;
        int value;
    } rows[] = {
        { SLICE("1"), 1, 10, ERR_OK, 1 },
        { SLICE("10"), 1, 10, ERR_OK, 10 },
        { SLICE("0"), 1, 10, ERR_OVERFLOW, 0 },
        { SLICE("11"), 1, 10, ERR_OVERFLOW, 0 },
        { SLICE("-3"), -3, -3, ERR_OK, -3 },
        { SLICE("-4"), -3, -3, ERR_OVERFLOW, 0 },
        { SLICE("2147483647"), INT32_MIN, INT32_MAX, ERR_OK, INT32_MAX },
        { SLICE("2147483648"), INT32_MIN, INT32_MAX, ERR_OVERFLOW, 0 },
        { SLICE("-2147483648"), INT32_MIN, INT32_MAX, ERR_OK, INT32_MIN },
        { SLICE("-2147483649"), INT32_MIN, INT32_MAX, ERR_OVERFLOW, 0 },
        { SLICE("4294967297"), INT32_MIN, INT32_MAX, ERR_OVERFLOW, 0 }, /* cut to 32 bits it would be 1 */
        { SLICE("ten"), 1, 10, ERR_NUMBER_SYNTAX, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int value = KEPT;
        enum err err = num_int_parse(rows[i].text, rows[i].min, rows[i].max, &value);
        assert_int_equal(err, rows[i].err);
        assert_int_equal(value, err == ERR_OK ? rows[i].value : KEPT);
    }
}

/* All numbers with one or two bits set, and their neighbours and opposites: every length, both signs. */
static void
what_is_printed_reads_back_as_itself(void **state UNUSED)
{
    for (unsigned a = 0; a < 64; a++) {
        for (unsigned b = 0; b < 64; b++) {
            for (uint64_t near = 0; near < 3; near++) {
                uint64_t number = (UINT64_C(1) << a | UINT64_C(1) << b) + near - 1, back = 0;
                int64_t negative = (int64_t)(0 - number), negative_back = 0;
                char text[NUM_TEXT_BYTES];
                assert_ok(num_u64_parse(num_u64_print(number, text), &back));
                assert_int_equal(back, number);
                assert_ok(num_i64_parse(num_i64_print(negative, text), &negative_back));
                assert_int_equal(negative_back, negative);
            }
        }
    }
}

static void
numbers_are_printed_in_their_shortest_form(void **state UNUSED)
{
    char text[NUM_TEXT_BYTES];

    assert_true(slice_eq(num_u64_print(0, text), SLICE("0")));
    assert_true(slice_eq(num_u64_print(10, text), SLICE("10")));
    assert_true(slice_eq(num_u64_print(UINT64_MAX, text), SLICE("18446744073709551615")));
    assert_true(slice_eq(num_i64_print(0, text), SLICE("0")));
    assert_true(slice_eq(num_i64_print(-1, text), SLICE("-1")));
    assert_true(slice_eq(num_i64_print(INT64_MAX, text), SLICE("9223372036854775807")));
    assert_true(slice_eq(num_i64_print(INT64_MIN, text), SLICE("-9223372036854775808")));
}

static void
only_hexadecimal_digits_have_a_value(void **state UNUSED)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    int count = 0;

    for (int i = 0; i < 16; i++) {
        assert_int_equal(num_hex_digit(lower[i]), i);
        assert_int_equal(num_hex_digit(upper[i]), i);
    }
    for (int c = -128; c < 128; c++)
        count += num_hex_digit((char)c) >= 0;
    assert_int_equal(count, 22);
}

static void
wire_integers_are_big_endian_at_any_address(void **state UNUSED)
{
    unsigned char bytes[16] = { 0 };

    for (size_t at = 1; at < 8; at++) {
        num_u16be_put(bytes + at, 0x8182);
        assert_memory_equal(bytes + at, "\x81\x82", 2);
        assert_int_equal(num_u16be_get(bytes + at), 0x8182);
        num_u32be_put(bytes + at, 0x81828384);
        assert_memory_equal(bytes + at, "\x81\x82\x83\x84", 4);
        assert_int_equal(num_u32be_get(bytes + at), 0x81828384);
        num_u64be_put(bytes + at, UINT64_C(0x8182838485868788));
        assert_memory_equal(bytes + at, "\x81\x82\x83\x84\x85\x86\x87\x88", 8);
        assert_int_equal(num_u64be_get(bytes + at), UINT64_C(0x8182838485868788));
    }
    assert_int_equal(bytes[0], 0);
}

UNIT_MAIN(cmocka_unit_test(sums_and_products_that_do_not_fit_are_refused),
          cmocka_unit_test(unsigned_numbers_are_read_strictly),
          cmocka_unit_test(signed_numbers_reach_both_ends_of_their_range),
          cmocka_unit_test(a_number_outside_its_bounds_is_refused),
          cmocka_unit_test(what_is_printed_reads_back_as_itself),
          cmocka_unit_test(numbers_are_printed_in_their_shortest_form),
          cmocka_unit_test(only_hexadecimal_digits_have_a_value),
          cmocka_unit_test(wire_integers_are_big_endian_at_any_address))
