#include "core/unit.h"
#include "wire/json/json.h"
#include "wire/json/json_foreign.h"
#include "wire/json/json_testing.h"

/* What the text reads as, printed compactly; or the error's code in angle brackets. */
static void
assert_reads(const char *text, size_t len, const char *want)
{
    json_t *value = NULL;
    struct buf out;
    enum err err = json_parse_foreign(slice_of(text, len), &value);

    buf_init(&out, 65536);
    if (err == ERR_OK)
        assert_ok(json_print(value, &out));
    else
        buf_add_format(&out, "<%s>", err_code(err));
    buf_add_byte(&out, '\0');
    assert_string_equal(out.ptr, want);
    json_decref(value);
    buf_release(&out);
}
#define READS(text, want) assert_reads("" text, sizeof(text) - 1, want)

static void
what_is_in_order_reads_as_usual(void **state UNUSED)
{
    READS("{\"a\":[1,2.5,\"x\",null,true]}", "{\"a\":[1,2.5,\"x\",null,true]}");
    READS("\"\\ud83d\\ude00 \xF0\x9F\x98\x80\"", "\"\xF0\x9F\x98\x80 \xF0\x9F\x98\x80\"");
}

static void
odd_text_is_mended_and_the_rest_kept(void **state UNUSED)
{
    READS("[\"a\\u0000b\",\"c\"]", "[\"a\xEF\xBF\xBD"
                                   "b\",\"c\"]");
    READS("[\"a\\ud83d\",1]", "[\"a\xEF\xBF\xBD\",1]"); /* a first half alone */
    READS("[\"\\ude00\"]", "[\"\xEF\xBF\xBD\"]");       /* a second half alone */
    READS("[\"\\ud83dx\"]", "[\"\xEF\xBF\xBDx\"]");
    READS("[\"\\ud83d\\ud83d\\ude00\"]", "[\"\xEF\xBF\xBD\xF0\x9F\x98\x80\"]");
    READS("[\"\\\\u0000\"]", "[\"\\\\u0000\"]"); /* an escaped backslash is no escape */
    READS("[\"\\\\\\u0000\"]", "[\"\\\\\xEF\xBF\xBD\"]");
    READS("[\"a\xFF\xC3\"]", "[\"a??\"]");
    READS("[\"\xED\xA0\x80\"]", "[\"???\"]"); /* a surrogate written in UTF-8 */
    READS("{\"a\":1,\"a\":2}", "{\"a\":2}");
    READS("[12345678901234567890123,7]", "[1.23456789012346e22,7.0]");
}

static void
what_is_not_json_is_refused(void **state UNUSED)
{
    READS("", "<json-invalid>");
    READS("<html>", "<json-invalid>");
    READS("{\"a\":1", "<json-invalid>");
    READS("{\"a\":1}}", "<json-invalid>");
    READS("\xFF{}", "<json-invalid>");
    READS("[\"\\u00\"]", "<json-invalid>");
    READS("[\"\\u\"", "<json-invalid>");
    READS("[\"\\", "<json-invalid>");
    READS("[1e999]", "<json-invalid>");
}

static void
nesting_has_its_own_limit(void **state UNUSED)
{
    char text[2 * (JSON_FOREIGN_DEPTH_MAX + 1)];
    json_t *value;

    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_FOREIGN_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(json_parse_foreign(slice_of(text, 2 * depth), &value),
                         depth <= JSON_FOREIGN_DEPTH_MAX ? ERR_OK : ERR_JSON_DEPTH);
        json_decref(value);
    }
}

/*
 * The first reading or the second may be the one that runs out; neither may call the text bad for it. (A
 * number of more than 15 characters has no part in this: there jansson 2.14 asserts when it runs out.)
 */
static void
a_reader_without_memory_says_so(void **state UNUSED)
{
    static const char *const texts[] = { "{\"a\":[1,\"text\"]}", "{\"a\":\"\\u0000\",\"b\":[1,{}]}" };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *tree = NULL;
        size_t tries = 0;
        enum err err;
        assert_ok(json_parse_foreign(slice_text(texts[i]), &tree));
        json_decref(tree);
        do {
            json_testing_starve(tries++);
            err = json_parse_foreign(slice_text(texts[i]), &tree);
            assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
        } while (err != ERR_OK);
        json_testing_feed();
        assert_true(tries > 4);
        json_decref(tree);
    }
}

UNIT_MAIN(cmocka_unit_test(what_is_in_order_reads_as_usual),
          cmocka_unit_test(odd_text_is_mended_and_the_rest_kept),
          cmocka_unit_test(what_is_not_json_is_refused), cmocka_unit_test(nesting_has_its_own_limit),
          cmocka_unit_test(a_reader_without_memory_says_so))
