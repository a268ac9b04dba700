#include "core/fuzz.h"
#include "core/num.h"

/* The digits without the zeros that lead; the last zero of "0" stays. */
static struct slice
digits_shortest(struct slice digits)
{
    while (digits.len > 1 && digits.ptr[0] == '0')
        digits = slice_drop(digits, 1);
    return digits;
}

static bool
is_digits(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0;
}

/* Whether digits without leading zeros say more than the limit does: a longer text, or the same length and
 * later. */
static bool
is_above(struct slice digits, struct slice limit)
{
    return digits.len != limit.len ? digits.len > limit.len : slice_compare(digits, limit) > 0;
}

/* What is read is what is written; what is refused is no number, or one above the limit as a text. */
FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size);
    bool is_negative = slice_starts_with(text, SLICE("-"));
    struct slice digits = is_negative ? slice_drop(text, 1) : text, shortest = digits_shortest(digits);
    char printed[NUM_TEXT_BYTES];
    uint64_t whole = 4711;
    int64_t number = 4711;
    int small = 4711;

    enum err err = num_u64_parse(text, &whole);
    if (err == ERR_OK)
        FUZZ_CHECK(!is_negative && slice_eq(num_u64_print(whole, printed), shortest));
    else
        FUZZ_CHECK(whole == 4711 && err == (!is_digits(text) ? ERR_NUMBER_SYNTAX
                                            : is_above(shortest, SLICE("18446744073709551615")) ? ERR_OVERFLOW
                                                                                                : ERR_OK));
    err = num_i64_parse(text, &number);
    if (err == ERR_OK) {
        struct slice back = num_i64_print(number, printed);
        FUZZ_CHECK(slice_starts_with(back, SLICE("-")) == (is_negative && number != 0));
        FUZZ_CHECK(slice_eq(slice_drop(back, number < 0 ? 1 : 0), shortest));
    } else {
        struct slice limit = is_negative ? SLICE("9223372036854775808") : SLICE("9223372036854775807");
        FUZZ_CHECK(number == 4711);
        FUZZ_CHECK(err == (!is_digits(digits)          ? ERR_NUMBER_SYNTAX
                           : is_above(shortest, limit) ? ERR_OVERFLOW
                                                       : ERR_OK));
    }
    enum err small_err = num_int_parse(text, -100, 65535, &small);
    if (small_err == ERR_OK)
        FUZZ_CHECK(err == ERR_OK && small == number && small >= -100 && small <= 65535);
    else
        FUZZ_CHECK(small == 4711 && (err == ERR_OK ? number < -100 || number > 65535 : small_err == err));
    return 0;
}
