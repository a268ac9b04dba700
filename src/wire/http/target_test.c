#include "core/unit.h"
#include "wire/http/target.h"

static void
a_target_is_cut_into_path_and_query(void **state UNUSED)
{
    static const struct {
        const char *text, *path, *query;
        bool is_plain;
    } rows[] = {
        { "/", "/", "", true },
        { "/a/b-c_d.e~f/%2F", "/a/b-c_d.e~f/%2F", "", true },
        { "/a?b=c?d", "/a", "b=c?d", true },
        { "/a?", "/a", "", true },
        { "/a:b", "/a:b", "", false },
        { "/a;b=c,(d)!*'$&+@", "/a;b=c,(d)!*'$&+@", "", false },
        { "//a", "//a", "", true },
        { "http://h/a?b", "/a", "b", true },
        { "HTTPS://h:1/", "/", "", true },
        { "http://h", "/", "", true },
        { "http://h?b", "/", "b", true },
        { "http://h?/a", "/", "/a", true },
    };
    static const char *const bad[] = { "",          "a",     "*",     "?a",        "http://", "http:///a",
                                       "ftp://h/a", "h:443", "/a b",  "/a#b",      "/\"",     "/<",
                                       "/>",        "/\\",   "/^",    "/`",        "/{",      "/|",
                                       "/}",        "/\t",   "/\177", "/\303\244", "/%",      "/%4",
                                       "/%4g",      "/%g4",  "/a?%",  "/a?%x1",    "/%%41" };
    struct target target;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_ok(target_read(slice_text(rows[i].text), false, &target));
        assert_true(slice_eq(target.path, slice_text(rows[i].path)));
        assert_true(slice_eq(target.query, slice_text(rows[i].query)));
        assert_int_equal(target.is_plain, rows[i].is_plain);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (target_read(slice_text(bad[i]), false, &target) != ERR_HTTP_SYNTAX)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(target_read(SLICE("/a\0b"), false, &target), ERR_HTTP_SYNTAX);
    assert_ok(target_read(SLICE("*"), true, &target));
    assert_true(slice_eq(target.path, SLICE("*")));
    assert_int_equal(target_read(SLICE("*?a"), true, &target), ERR_HTTP_SYNTAX);
}

static void
a_query_is_taken_pair_by_pair(void **state UNUSED)
{
    struct slice query = SLICE("&a=b&&c&=d&e=f=g&"), name, value;
    static const char *const pairs[][2] = { { "a", "b" }, { "c", "" }, { "", "d" }, { "e", "f=g" } };

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_true(target_query_take(&query, &name, &value));
        assert_true(slice_eq(name, slice_text(pairs[i][0])));
        assert_true(slice_eq(value, slice_text(pairs[i][1])));
    }
    assert_false(target_query_take(&query, &name, &value));
}

static void
escapes_decode_to_text_without_control_characters(void **state UNUSED)
{
    static const char *const bad[] = { "%",   "%4",     "%4g", "%00", "%0A",       "%0d",    "%1f",
                                       "%7F", "a\001b", "%FF", "%C3", "%ED%A0%80", "%C0%80", "\377" };
    struct arena *arena = arena_new(4096);
    struct slice out;

    assert_non_null(arena);
    assert_ok(target_decode(arena, SLICE("a%20b+c%2Bd%C3%A4%7E"), true, &out));
    assert_true(slice_eq(out, SLICE("a b c+d\303\244~")));
    assert_ok(target_decode(arena, SLICE("a+b"), false, &out));
    assert_true(slice_eq(out, SLICE("a+b")));
    assert_ok(target_decode(arena, SLICE(""), false, &out));
    assert_int_equal(out.len, 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (target_decode(arena, slice_text(bad[i]), true, &out) != ERR_ENCODING)
            fail_msg("taken: %s", bad[i]);
    char large[5000] = { 0 };
    assert_int_equal(target_decode(arena, slice_of(large, sizeof(large)), true, &out), ERR_NO_MEMORY);
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(a_target_is_cut_into_path_and_query),
          cmocka_unit_test(a_query_is_taken_pair_by_pair),
          cmocka_unit_test(escapes_decode_to_text_without_control_characters))
