#include "core/unit.h"
#include "wire/http/field.h"

static void
names_are_tokens(void **state UNUSED)
{
    assert_true(field_is_name(SLICE("Content-Length")));
    assert_true(field_is_name(SLICE("!#$%&'*+-.^_`|~09azAZ")));
    assert_false(field_is_name(SLICE("")));
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool is_token = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c != 0 && c < 128 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
        assert_int_equal(field_is_name(slice_of(&byte, 1)), is_token);
    }
}

static void
values_hold_no_control_bytes(void **state UNUSED)
{
    assert_true(field_is_value(SLICE("")));
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        assert_int_equal(field_is_value(slice_of(&byte, 1)), c == '\t' || (c >= 0x20 && c != 0x7F));
    }
}

static void
a_host_is_a_name_or_a_literal_with_a_port(void **state UNUSED)
{
    static const char *const good[] = {
        "a",       "example.com", "example.com:80", "127.0.0.1:65535",      "[::1]", "[2001:db8::1]:1",
        "A_b-c.d", "a:1",         "1.2.3.4:0",      "xn--bcher-kva.example"
    };
    static const char *const bad[] = { "",      ":80",     "a:",       "a:123456", "a:8o",   "u@a",
                                       "a/b",   "a b",     "a,b",      "[::1",     "[::1]x", "[]",
                                       "[x]",   "[]:80",   "a?b",      "a#b",      "a\\b",   "[::1]:",
                                       "a:1:2", "[a]:1:2", "\303\244", "a\t",      "%41" };

    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!field_is_host(slice_text(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (field_is_host(slice_text(bad[i])))
            fail_msg("taken: %s", bad[i]);
}

static void
only_json_in_utf_8_is_json(void **state UNUSED)
{
    static const char *const good[] = { "application/json",
                                        "APPLICATION/JSON",
                                        " application/json ",
                                        "application/json; charset=utf-8",
                                        "application/json;charset=\"UTF-8\"",
                                        "application/json;",
                                        "application/json ; ; charset=utf-8" };
    static const char *const bad[] = { "",
                                       "application/jsonx",
                                       "application/xjson",
                                       "text/json",
                                       "application/problem+json",
                                       "application/json; charset=latin1",
                                       "application/json; charset",
                                       "application/json; charset=",
                                       "application/json; charset=\"",
                                       "application/json; version=1",
                                       "application/json, text/plain",
                                       "multipart/form-data" };

    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (field_check_json(slice_text(good[i])) != ERR_OK)
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (field_check_json(slice_text(bad[i])) != ERR_HTTP_MEDIA_TYPE)
            fail_msg("taken: %s", bad[i]);
}

static void
a_bearer_token_is_cut_out(void **state UNUSED)
{
    static const struct {
        const char *value;
        enum err err;
        const char *token;
    } rows[] = {
        { "Bearer abc", ERR_OK, "abc" },
        { "bearer abc", ERR_OK, "abc" },
        { "BEARER   a-._~+/9==", ERR_OK, "a-._~+/9==" },
        { " Bearer abc ", ERR_OK, "abc" },
        { "", ERR_KEY_MISSING, "" },
        { "Basic abc", ERR_KEY_MISSING, "" },
        { "Bearerabc", ERR_KEY_MISSING, "" },
        { "Bear", ERR_KEY_MISSING, "" },
        { "Bearer", ERR_KEY_INVALID, "" },
        { "Bearer ", ERR_KEY_INVALID, "" },
        { "Bearer =", ERR_KEY_INVALID, "" },
        { "Bearer a b", ERR_KEY_INVALID, "" },
        { "Bearer a=b", ERR_KEY_INVALID, "" },
        { "Bearer a,b", ERR_KEY_INVALID, "" },
        { "Bearer \"a\"", ERR_KEY_INVALID, "" },
        { "Bearer \303\244", ERR_KEY_INVALID, "" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice token;
        assert_int_equal(field_bearer(slice_text(rows[i].value), &token), rows[i].err);
        assert_true(slice_eq(token, slice_text(rows[i].token)));
    }
}

static void
an_idempotency_key_may_stand_in_quotes(void **state UNUSED)
{
    char longest[FIELD_IDEMPOTENCY_BYTES_MAX + 1];
    static const char *const bad[] = { "",    "\"\"", "\"",   "a b",      "a\"b",
                                       "\"a", "a\\b", "a\tb", "\303\244", "\"a b\"" };
    struct slice key;

    assert_ok(field_idempotency_key(SLICE("k-1"), &key));
    assert_true(slice_eq(key, SLICE("k-1")));
    assert_ok(field_idempotency_key(SLICE(" \"k-1\" "), &key));
    assert_true(slice_eq(key, SLICE("k-1")));
    memset(longest, 'a', sizeof(longest));
    assert_ok(field_idempotency_key(slice_of(longest, FIELD_IDEMPOTENCY_BYTES_MAX), &key));
    assert_int_equal(field_idempotency_key(slice_of(longest, sizeof(longest)), &key), ERR_HTTP_HEADER);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(field_idempotency_key(slice_text(bad[i]), &key), ERR_HTTP_HEADER);
}

static void
a_coding_is_accepted_where_it_is_named_and_not_refused(void **state UNUSED)
{
    static const struct {
        const char *value;
        bool is_accepted;
    } rows[] = { { "br", true },
                 { "gzip, deflate, br", true },
                 { "gzip,BR;q=0.1", true },
                 { " br ; q=1", true },
                 { "*", true },
                 { "*;q=0, br", true },
                 { "br;q=0, *", false },
                 { "br;q=0", false },
                 { "br; Q=0.000", false },
                 { "br;x=1;q=0.0", false },
                 { "*;q=0", false },
                 { "brotli", false },
                 { "b r", false },
                 { ",,;,", false },
                 { "", false } };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (field_accepts_coding(slice_text(rows[i].value), SLICE("br")) != rows[i].is_accepted)
            fail_msg("judged wrong: %s", rows[i].value);
}

static void
a_type_is_accepted_by_its_name_and_by_no_range(void **state UNUSED)
{
    assert_true(
        field_accepts_type(SLICE("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"), SLICE("text/html")));
    assert_true(field_accepts_type(SLICE("application/json, Text/HTML; q=0.2"), SLICE("text/html")));
    assert_false(field_accepts_type(SLICE("*/*"), SLICE("text/html")));
    assert_false(field_accepts_type(SLICE("text/*"), SLICE("text/html")));
    assert_false(field_accepts_type(SLICE("text/html;q=0"), SLICE("text/html")));
    assert_false(field_accepts_type(SLICE_EMPTY, SLICE("text/html")));
}

UNIT_MAIN(cmocka_unit_test(names_are_tokens), cmocka_unit_test(values_hold_no_control_bytes),
          cmocka_unit_test(a_host_is_a_name_or_a_literal_with_a_port),
          cmocka_unit_test(only_json_in_utf_8_is_json), cmocka_unit_test(a_bearer_token_is_cut_out),
          cmocka_unit_test(an_idempotency_key_may_stand_in_quotes),
          cmocka_unit_test(a_coding_is_accepted_where_it_is_named_and_not_refused),
          cmocka_unit_test(a_type_is_accepted_by_its_name_and_by_no_range))
