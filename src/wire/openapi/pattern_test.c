#include "core/unit.h"
#include "wire/openapi/pattern.h"
#include <stdlib.h>

static void
patterns_match_as_json_schema_means_them(void **state UNUSED)
{
    const struct {
        const char *pattern;
        struct slice text;
        enum err err;
    } rows[] = {
        { "b", SLICE("abc"), ERR_OK }, /* not anchored */
        { "^b", SLICE("abc"), ERR_CONTRACT },
        { "^a$", SLICE("a"), ERR_OK },
        { "^a$", SLICE("a\n"), ERR_CONTRACT }, /* Perl's $ would let it pass */
        { "^a$", SLICE("a\0"), ERR_CONTRACT },
        { "^[0-9]{1,3}$", SLICE("12"), ERR_OK },
        { "^[0-9]{1,3}$", SLICE("1234"), ERR_CONTRACT },
        { "^\\d$", SLICE("\xd9\xa3"), ERR_CONTRACT }, /* an Arabic digit: ASCII only */
        { "^\\w$", SLICE("\xc3\xa9"), ERR_CONTRACT },
        { "^[^x]$", SLICE("\xf0\x9f\x98\x80"), ERR_OK }, /* one code point */
        { "^\\u00e9$", SLICE("\xc3\xa9"), ERR_OK },
        { "^[.]$", SLICE("."), ERR_OK },
        { "^[.]$", SLICE("x"), ERR_CONTRACT },
        { "^\\.$", SLICE("."), ERR_OK },
        { "^$", SLICE(""), ERR_OK },
        { "^(?:(?! {5})[^\\n\\r\\t])*$", SLICE("a    b"), ERR_OK },
        { "^(?:(?! {5})[^\\n\\r\\t])*$", SLICE("a     b"), ERR_CONTRACT },
        { "^(?:(?! {5})[^\\n\\r\\t])*$", SLICE("a\tb"), ERR_CONTRACT },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pattern_scratch scratch = { .match = NULL };
        struct pattern *pattern;
        assert_ok(pattern_compile(slice_text(rows[i].pattern), &pattern));
        if (pattern_match(pattern, rows[i].text, &scratch) != rows[i].err) {
            print_error("row %zu: %s\n", i, rows[i].pattern);
            fail();
        }
        pattern_scratch_release(&scratch);
        pattern_free(pattern);
    }
}

static void
what_the_two_dialects_read_differently_does_not_compile(void **state UNUSED)
{
    static const char *const texts[] = { ".",   "a.b",  "\\s", "[\\S]",     "\\b",    "\\p{L}", "\\R",
                                         "\\C", "\\Qa", "(",   "[",         "a{2,1}", "\\",     "*",
                                         "\\h", "\\K",  "(?",  "\\x{zz}\\", "\xff",   "[\\" };
    struct pattern *pattern;

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (pattern_compile(slice_text(texts[i]), &pattern) != ERR_CONTRACT) {
            print_error("compiles: %s\n", texts[i]);
            fail();
        }
        assert_null(pattern);
    }
}

/* The first alternative fails only after a search that doubles with every few letters; the second would
 * match. */
static void
a_search_that_explodes_is_given_up(void **state UNUSED)
{
    struct pattern_scratch scratch = { .match = NULL };
    struct pattern *pattern;
    const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaab";

    assert_ok(pattern_compile(SLICE("^(?:a|aa)+$|^a+b$"), &pattern));
    assert_ok(pattern_match(pattern, SLICE("aaaab"), &scratch));
    assert_int_equal(pattern_match(pattern, slice_text(text), &scratch), ERR_CONTRACT);
    assert_ok(pattern_match(pattern, SLICE("aaaab"), &scratch)); /* and leaves the scratch usable */
    pattern_scratch_release(&scratch);
    pattern_free(pattern);
}

/* The worst pattern of the contract, on the longest text that is allowed to reach it, of four-byte
 * characters. */
static void
the_limit_is_out_of_reach_of_allowed_texts(void **state UNUSED)
{
    struct pattern_scratch scratch = { .match = NULL };
    struct pattern *pattern;
    char *text = calloc(1024, 4);

    assert_non_null(text);
    for (size_t i = 0; i < 1024; i++)
        memcpy(text + 4 * i, i % 5 == 4 ? "\xf0\x9f\x98\x80" : "    ", 4);
    assert_ok(pattern_compile(SLICE("^(?:(?! {17})[^\\n\\r\\t])*$"), &pattern));
    assert_ok(pattern_match(pattern, slice_of(text, 4096), &scratch));
    pattern_scratch_release(&scratch);
    pattern_free(pattern);
    free(text);
}

UNIT_MAIN(cmocka_unit_test(patterns_match_as_json_schema_means_them),
          cmocka_unit_test(what_the_two_dialects_read_differently_does_not_compile),
          cmocka_unit_test(a_search_that_explodes_is_given_up),
          cmocka_unit_test(the_limit_is_out_of_reach_of_allowed_texts))
