#include "core/slice.h"
#include "core/unit.h"

static void
assert_slice(struct slice got, struct slice want)
{
    if (!slice_eq(got, want)) {
        print_error("got  \"%.*s\"\nwant \"%.*s\"\n", SLICE_FMT(got), SLICE_FMT(want));
        fail();
    }
}

static void
slices_are_equal_when_their_bytes_are(void **state UNUSED)
{
    const struct {
        struct slice a, b;
        bool same, same_nocase;
    } rows[] = {
        { SLICE(""), SLICE(""), true, true },
        { SLICE(""), SLICE_EMPTY, true, true },
        { SLICE_EMPTY, SLICE_EMPTY, true, true },
        { SLICE("a"), SLICE_EMPTY, false, false },
        { SLICE("a"), SLICE("a"), true, true },
        { SLICE("a"), SLICE("ab"), false, false },
        { SLICE("ab"), SLICE("a"), false, false },
        { SLICE("a\0b"), SLICE("a\0b"), true, true },
        { SLICE("a\0b"), SLICE("a\0c"), false, false },
        { SLICE("Content-Type"), SLICE("content-TYPE"), false, true },
        { SLICE("@"), SLICE("`"), false, false }, /* the neighbours of A and Z are no letters */
        { SLICE("["), SLICE("{"), false, false },
        { SLICE("\xC4"), SLICE("\xE4"), false, false }, /* only ASCII has two cases */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(slice_eq(rows[i].a, rows[i].b), rows[i].same);
        assert_int_equal(slice_eq(rows[i].b, rows[i].a), rows[i].same);
        assert_int_equal(slice_eq_nocase(rows[i].a, rows[i].b), rows[i].same_nocase);
        assert_int_equal(slice_eq_nocase(rows[i].b, rows[i].a), rows[i].same_nocase);
    }
}

static void
a_text_becomes_a_slice_without_its_nul(void **state UNUSED)
{
    assert_slice(slice_text("abc"), SLICE("abc"));
    assert_slice(slice_text(""), SLICE(""));
    assert_int_equal(slice_text(NULL).len, 0);
    assert_int_equal(SLICE("a\0b").len, 3);
}

static void
more_than_there_is_cannot_be_taken_or_dropped(void **state UNUSED)
{
    const struct slice s = SLICE("abcde");
    const size_t counts[] = { 0, 1, 4, 5, 6, SIZE_MAX };

    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        size_t n = counts[i] < s.len ? counts[i] : s.len;
        assert_slice(slice_first(s, counts[i]), slice_of("abcde", n));
        assert_slice(slice_drop(s, counts[i]), slice_of(&"abcde"[n], s.len - n));
    }
    assert_int_equal(slice_drop(SLICE_EMPTY, 3).len, 0);
    assert_int_equal(slice_first(SLICE_EMPTY, 3).len, 0);
}

static void
starts_and_ends_are_found(void **state UNUSED)
{
    const struct {
        struct slice s, part;
        bool starts, ends;
    } rows[] = {
        { SLICE("abab"), SLICE("ab"), true, true },      { SLICE("abab"), SLICE("abab"), true, true },
        { SLICE("abab"), SLICE("ababa"), false, false }, { SLICE("abab"), SLICE("aba"), true, false },
        { SLICE("abab"), SLICE("bab"), false, true },    { SLICE("abab"), SLICE(""), true, true },
        { SLICE_EMPTY, SLICE_EMPTY, true, true },        { SLICE_EMPTY, SLICE("a"), false, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(slice_starts_with(rows[i].s, rows[i].part), rows[i].starts);
        assert_int_equal(slice_ends_with(rows[i].s, rows[i].part), rows[i].ends);
    }
}

static void
a_byte_and_a_part_are_searched_for(void **state UNUSED)
{
    const struct slice s = SLICE("aXb\0aaab");

    assert_int_equal(slice_find(s, 'a'), 0);
    assert_int_equal(slice_find(s, 'b'), 2);
    assert_int_equal(slice_find(s, '\0'), 3);
    assert_int_equal(slice_find(s, 'z'), s.len);
    assert_int_equal(slice_find(SLICE_EMPTY, 'z'), 0);
    assert_true(slice_contains(s, SLICE("aab")));
    assert_true(slice_contains(s, SLICE("b\0a")));
    assert_true(slice_contains(s, s));
    assert_true(slice_contains(s, SLICE_EMPTY));
    assert_true(slice_contains(SLICE_EMPTY, SLICE_EMPTY));
    assert_false(slice_contains(s, SLICE("ba")));
    assert_false(slice_contains(s, SLICE("aXb\0aaabb")));
    assert_false(slice_contains(SLICE("aaa"), SLICE("b")));
    assert_false(slice_contains(s, slice_of(s.ptr, SIZE_MAX)));
}

static void
blanks_are_trimmed_at_the_ends_only(void **state UNUSED)
{
    const struct {
        struct slice from, to;
    } rows[] = {
        { SLICE(""), SLICE("") },
        { SLICE(" "), SLICE("") },
        { SLICE(" \t \t"), SLICE("") },
        { SLICE("a"), SLICE("a") },
        { SLICE("\ta b\t "), SLICE("a b") },
        { SLICE("\na\r"), SLICE("\na\r") },
        { SLICE(" \0 "), SLICE("\0") },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_slice(slice_trim(rows[i].from), rows[i].to);
}

static void
parts_are_taken_off_up_to_a_byte(void **state UNUSED)
{
    struct slice rest = SLICE("a,,bc,");

    assert_slice(slice_take_until(&rest, ','), SLICE("a"));
    assert_slice(slice_take_until(&rest, ','), SLICE(""));
    assert_slice(slice_take_until(&rest, ','), SLICE("bc"));
    assert_slice(rest, SLICE(""));
    assert_slice(slice_take_until(&rest, ','), SLICE(""));
    rest = SLICE("whole");
    assert_slice(slice_take_until(&rest, ','), SLICE("whole"));
    assert_int_equal(rest.len, 0);
    rest = SLICE_EMPTY;
    assert_int_equal(slice_take_until(&rest, ',').len, 0);
}

static int
sign(int n)
{
    return (n > 0) - (n < 0);
}

static void
the_order_is_that_of_unsigned_bytes_and_a_prefix_comes_first(void **state UNUSED)
{
    const struct slice sorted[] = { SLICE_EMPTY,   SLICE("\0"),   SLICE("\0\0"), SLICE("a"),
                                    SLICE("a\0"),  SLICE("aa"),   SLICE("ab"),   SLICE("b"),
                                    SLICE("\x7F"), SLICE("\x80"), SLICE("\xFF") };

    for (size_t i = 0; i < COUNT_OF(sorted); i++)
        for (size_t j = 0; j < COUNT_OF(sorted); j++)
            assert_int_equal(sign(slice_compare(sorted[i], sorted[j])), sign((int)i - (int)j));
}

/* RFC 3629, 3: the encoding of a number by the table, whether or not the number may be encoded. */
static size_t
utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00 >> len & 0xFF) | c);
    return len;
}

static void
each_code_point_is_valid_but_the_surrogates_and_those_above_the_end(void **state UNUSED)
{
    for (uint32_t c = 0; c < 0x200000; c++) {
        char text[4];
        struct slice s = slice_of(text, utf8_put(c, text));
        bool is_valid = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
        struct slice rest = s;
        uint32_t taken = 0;
        if (slice_is_utf8(s) != is_valid || (is_valid && slice_utf8_count(s) != 1) ||
            slice_utf8_take(&rest, &taken) != is_valid || taken != (is_valid ? c : 0) ||
            rest.len != (is_valid ? 0 : s.len))
            fail_msg("U+%04X", (unsigned)c);
        for (size_t cut = 1; cut < s.len; cut++)
            if (slice_is_utf8(slice_first(s, cut)) || slice_is_utf8(slice_drop(s, cut)))
                fail_msg("a part of U+%04X", (unsigned)c);
    }
}

static void
what_is_not_well_formed_utf8_is_refused(void **state UNUSED)
{
    const struct slice rows[] = {
        SLICE("\x80"),                     /* a tail alone */
        SLICE("\xC0\x80"),                 /* overlong NUL */
        SLICE("\xC1\xBF"),                 /* overlong U+007F */
        SLICE("\xE0\x9F\xBF"),             /* overlong U+07FF */
        SLICE("\xF0\x8F\xBF\xBF"),         /* overlong U+FFFF */
        SLICE("\xED\xA0\x80"),             /* U+D800 */
        SLICE("\xED\xBF\xBF"),             /* U+DFFF */
        SLICE("\xED\xA0\xBD\xED\xB8\x80"), /* a pair of surrogates (CESU-8) */
        SLICE("\xF4\x90\x80\x80"),         /* U+110000 */
        SLICE("\xF5\x80\x80\x80"),
        SLICE("\xF8\x88\x80\x80\x80"),
        SLICE("\xFE"),
        SLICE("\xFF"),
        SLICE("\xC3"), /* cut */
        SLICE("\xE2\x82"),
        SLICE("\xF0\x9F\x98"),
        SLICE("\xC3("), /* a head without its tail */
        SLICE("\xE2\x82("),
        SLICE("\xE2(\xA1"),
        SLICE("\xF0\x9F\x98("),
        SLICE("a\xC3\xA9\xC3"), /* good, good, cut */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_is_utf8(rows[i]))
            fail_msg("row %zu", i);
}

static void
code_points_are_counted_not_bytes(void **state UNUSED)
{
    assert_int_equal(slice_utf8_count(SLICE_EMPTY), 0);
    assert_int_equal(slice_utf8_count(SLICE("abc")), 3);
    assert_int_equal(slice_utf8_count(SLICE("h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80")), 6);
    assert_true(slice_is_utf8(SLICE("a\0b")));
    assert_true(slice_is_utf8(SLICE_EMPTY));
}

UNIT_MAIN(cmocka_unit_test(slices_are_equal_when_their_bytes_are),
          cmocka_unit_test(a_text_becomes_a_slice_without_its_nul),
          cmocka_unit_test(more_than_there_is_cannot_be_taken_or_dropped),
          cmocka_unit_test(starts_and_ends_are_found), cmocka_unit_test(a_byte_and_a_part_are_searched_for),
          cmocka_unit_test(blanks_are_trimmed_at_the_ends_only),
          cmocka_unit_test(parts_are_taken_off_up_to_a_byte),
          cmocka_unit_test(the_order_is_that_of_unsigned_bytes_and_a_prefix_comes_first),
          cmocka_unit_test(each_code_point_is_valid_but_the_surrogates_and_those_above_the_end),
          cmocka_unit_test(what_is_not_well_formed_utf8_is_refused),
          cmocka_unit_test(code_points_are_counted_not_bytes))
