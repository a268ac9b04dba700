#include "core/unit.h"
#include "wire/openapi/format.h"
#include <stdlib.h>

static void
each_format_takes_its_own_and_nothing_else(void **state UNUSED)
{
    const struct {
        const char *format;
        struct slice text;
        bool is_valid;
    } rows[] = {
        { "date-time", SLICE("2026-11-22T07:48:48.123Z"), true },
        { "date-time", SLICE("2026-11-22T07:48:48+05:30"), true },
        { "date-time", SLICE("2024-02-29T00:00:00Z"), true },
        { "date-time", SLICE("2026-02-29T00:00:00Z"), false },
        { "date-time", SLICE("2026-11-22T24:00:00Z"), false },
        { "date-time", SLICE("2026-11-22"), false },
        { "date-time", SLICE("2026-11-22T07:48:48"), false },
        { "date-time", SLICE("2026-11-22T07:48:48Z\0"), false },
        { "date-time", SLICE(""), false },
        { "date", SLICE("1999-01-23"), true },
        { "date", SLICE("2000-02-29"), true },
        { "date", SLICE("1900-02-29"), false },
        { "date", SLICE("1999-13-01"), false },
        { "date", SLICE("1999-1-23"), false },
        { "date", SLICE("1999-01-23T"), false },
        { "date", SLICE("1999-01-2\0"), false },
        { "uri", SLICE("https://shop.example"), true },
        { "uri", SLICE("https://shop.example:8443/a%20b?c=d&e[]=f#g"), true },
        { "uri", SLICE("https://[2001:db8::1]/"), true },
        { "uri", SLICE("mailto:a@b"), true },
        { "uri", SLICE("https://"), false },
        { "uri", SLICE("https:///a"), false },
        { "uri", SLICE("https:"), false },
        { "uri", SLICE("//shop.example"), false },
        { "uri", SLICE("/a"), false },
        { "uri", SLICE("shop.example"), false },
        { "uri", SLICE(":a"), false },
        { "uri", SLICE("1a:b"), false },
        { "uri", SLICE("ht tp://a"), false },
        { "uri", SLICE("https://shop.example/a b"), false },
        { "uri", SLICE("https://shop.example/%2"), false },
        { "uri", SLICE("https://shop.example/%zz"), false },
        { "uri", SLICE("https://shop.example/\n"), false },
        { "uri", SLICE("https://shop.example/\0"), false },
        { "uri", SLICE("https://shop.example/\\"), false },
        { "uri", SLICE("https://sh\xc3\xb6p.example/"), false },
        { "uri", SLICE(""), false },
        { "email", SLICE("name@example.com"), true },
        { "email", SLICE("first.last+tag@sub.example.co"), true },
        { "email", SLICE("o'neil@example.com"), true },
        { "email", SLICE("name@localhost"), true },
        { "email", SLICE("name"), false },
        { "email", SLICE("@example.com"), false },
        { "email", SLICE("name@"), false },
        { "email", SLICE("a@b@c"), false },
        { "email", SLICE(".name@example.com"), false },
        { "email", SLICE("name.@example.com"), false },
        { "email", SLICE("na..me@example.com"), false },
        { "email", SLICE("na me@example.com"), false },
        { "email", SLICE("name@exa mple.com"), false },
        { "email", SLICE("name@-example.com"), false },
        { "email", SLICE("name@example-.com"), false },
        { "email", SLICE("name@example..com"), false },
        { "email", SLICE("name@example.com."), false },
        { "email", SLICE("name@example.com\n"), false },
        { "email", SLICE("name\0@example.com"), false },
        { "email", SLICE("12345678901234567890123456789012345678901234567890123456789012345@a.b"), false },
        { "email", SLICE("a@1234567890123456789012345678901234567890123456789012345678901234.b"), false },
        { "email", SLICE(""), false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum format format;
        assert_true(format_find(slice_text(rows[i].format), &format));
        char *exact =
            malloc(rows[i].text.len == 0 ? 1 : rows[i].text.len); /* its own: an over-read is seen */
        assert_non_null(exact);
        memcpy(exact, rows[i].text.ptr, rows[i].text.len);
        if (format_matches(format, slice_of(exact, rows[i].text.len)) != rows[i].is_valid) {
            print_error("row %zu: %s %.*s\n", i, rows[i].format, SLICE_FMT(rows[i].text));
            fail();
        }
        free(exact);
    }
}

static void
an_unknown_format_is_not_found(void **state UNUSED)
{
    enum format format = FORMAT_DATE;

    assert_false(format_find(SLICE("idn-email"), &format));
    assert_false(format_find(SLICE(""), &format));
    assert_int_equal(format, FORMAT_DATE);
    assert_true(format_matches(FORMAT_NONE, SLICE("anything")));
}

UNIT_MAIN(cmocka_unit_test(each_format_takes_its_own_and_nothing_else),
          cmocka_unit_test(an_unknown_format_is_not_found))
