#include "core/unit.h"
#include "domain/dlt/dlt_link.h"

static enum dlt_listing
listed(enum dlt_link_kind kind, const char *entry, const char *value)
{
    struct dlt_link row = { kind, slice_text(entry), { 0 }, false };
    struct dlt_links links = { &row, 1, { 1 } };

    return kind == DLT_LINK_NUMBER ? dlt_number_listed(&links, slice_text(value))
                                   : dlt_link_listed(&links, slice_text(value));
}

static void
an_entry_allows_what_was_registered_and_no_more(void **state UNUSED)
{
    static const struct {
        enum dlt_link_kind kind;
        const char *entry, *value;
        bool is_listed;
    } rows[] = {
        { DLT_LINK_STATIC, "https://a.example/x", "https://a.example/x", true },
        { DLT_LINK_STATIC, "https://a.example/x", "http://A.EXAMPLE/x/", true },
        { DLT_LINK_STATIC, "https://a.example", "a.example/", true },
        { DLT_LINK_STATIC, "https://a.example/x", "https://a.example/X", false },
        { DLT_LINK_STATIC, "https://a.example/x", "https://a.example/x/y", false },
        { DLT_LINK_STATIC, "https://a.example/x", "https://a.example/x?y=1", false },
        { DLT_LINK_STATIC, "https://a.example/x", "https://www.a.example/x", false },
        { DLT_LINK_STATIC, "https://a.example/x", "https://a.example.evil.example/x", false },
        { DLT_LINK_STATIC, "https://a.example/x", "https://a.example@evil.example/x", false },
        { DLT_LINK_DYNAMIC, "https://a.example/t?", "https://a.example/t?id=5#z", true },
        { DLT_LINK_DYNAMIC, "https://a.example/t?", "https://a.example/t", false },
        { DLT_LINK_DYNAMIC, "https://a.example/t", "https://a.example/t/5", true },
        { DLT_LINK_DYNAMIC, "https://a.example/t", "https://a.example/tx", false },
        { DLT_LINK_DYNAMIC, "https://a.example", "https://a.example.evil.example", false },
        { DLT_LINK_SHORT, "https://s.example/HRKARA/", "s.example/HRKARA/aB3_-", true },
        { DLT_LINK_SHORT, "https://s.example/HRKARA", "s.example/HRKARA/aB3", true },
        { DLT_LINK_SHORT, "https://s.example/HRKARA/", "s.example/HRKARA/", false },
        { DLT_LINK_SHORT, "https://s.example/HRKARA/", "s.example/HRKARA/a/b", false },
        { DLT_LINK_SHORT, "https://s.example/HRKARA/", "s.example/hrkara/a", false },
        { DLT_LINK_APP, "https://a.example/a.apk", "https://a.example/a.apk", true },
        { DLT_LINK_OTT, "https://wa.me/919876543210", "wa.me/919876543210", true },
        { DLT_LINK_NUMBER, "9876543210", "+919876543210", true },
        { DLT_LINK_NUMBER, "+91 98765 43210", "098765-43210", true },
        { DLT_LINK_NUMBER, "18001234567", "1800-123-4567", true },
        { DLT_LINK_NUMBER, "9876543210", "9876543211", false },
        { DLT_LINK_NUMBER, "9876543210", "x", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if ((listed(rows[i].kind, rows[i].entry, rows[i].value) == DLT_LISTED) != rows[i].is_listed)
            fail_msg("%s for %s", rows[i].value, rows[i].entry);
}

static void
an_entry_s_time_ends(void **state UNUSED)
{
    struct dlt_link rows[] = { { DLT_LINK_STATIC, SLICE("https://a.example/x"), { 100 }, true },
                               { DLT_LINK_STATIC, SLICE("https://a.example/x/"), { 0 }, false } };
    struct dlt_links links = { rows, 1, { 99 } };

    assert_int_equal(dlt_link_listed(&links, SLICE("a.example/x")), DLT_LISTED);
    links.now.us = 100;
    assert_int_equal(dlt_link_listed(&links, SLICE("a.example/x")), DLT_LISTING_EXPIRED);
    links.count = 2; /* another entry says the same and has no end */
    assert_int_equal(dlt_link_listed(&links, SLICE("a.example/x")), DLT_LISTED);
}

static void
an_entry_is_what_portals_register(void **state UNUSED)
{
    static const struct {
        enum dlt_link_kind kind;
        const char *value;
        bool is_good;
    } rows[] = {
        { DLT_LINK_STATIC, "https://a.example/x", true },
        { DLT_LINK_STATIC, "https://a.example/x?y", false },
        { DLT_LINK_STATIC, "https://10.0.0.1/x", false },
        { DLT_LINK_STATIC, "a", false },
        { DLT_LINK_STATIC, "https://a.example/x y", false },
        { DLT_LINK_DYNAMIC, "https://a.example/x?", true },
        { DLT_LINK_DYNAMIC, "https://a.example/x?y", false },
        { DLT_LINK_SHORT, "https://s.example/", false },
        { DLT_LINK_SHORT, "https://s.example/HRKARA/", true },
        { DLT_LINK_APP, "https://a.example/a.apk", true },
        { DLT_LINK_APP, "https://a.example/a.exe", false },
        { DLT_LINK_NUMBER, "1800 123 4567", true },
        { DLT_LINK_NUMBER, "123", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if ((dlt_link_fault(rows[i].kind, slice_text(rows[i].value)) == NULL) != rows[i].is_good)
            fail_msg("%s", rows[i].value);
}

static void
links_and_numbers_of_a_text_are_found(void **state UNUSED)
{
    static const struct {
        const char *text, *found;
    } rows[] = {
        { "See https://a.example/x.", "https://a.example/x" },
        { "See (www.a.example/x), now", "www.a.example/x" },
        { "Go to shop.in today", "shop.in" },
        { "Visit:bit.ly/2abc!", "bit.ly/2abc" },
        { "Call +91 98765 43210 now", "+91 98765 43210" },
        { "Call 1800 123 4567", "1800 123 4567" },
        { "Call 18001234567.", "18001234567" },
        { "http://1.2.3.4/x", "http://1.2.3.4/x" },
        { "Rs.500/- on 12.05.2026 at 10.30, A/C 1234567890, Dr.Rao and Mr.Rao/Mrs.Rao, e.g. a.b", "" },
        { "in 1860 we had 12 shops", "" },
        { "mail help@shop.in", "" },
    };
    struct arena *arena = arena_new(1u << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dlt_text text;
        uint32_t at = 0, start = 0, end = 0;
        bool is_number = false;
        assert_ok(dlt_text_read(arena, slice_text(rows[i].text), &text));
        bool is_found = dlt_text_next_link(text, &at, &start, &end, &is_number);
        struct slice found = is_found ? slice_of(rows[i].text + start, end - start) : SLICE_EMPTY;
        if (!slice_eq(found, slice_text(rows[i].found)))
            fail_msg("\"%s\": %.*s", rows[i].text, (int)found.len, found.ptr);
        if (is_found)
            assert_false(dlt_text_next_link(text, &at, &start, &end, &is_number));
    }
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(an_entry_allows_what_was_registered_and_no_more),
          cmocka_unit_test(an_entry_s_time_ends), cmocka_unit_test(an_entry_is_what_portals_register),
          cmocka_unit_test(links_and_numbers_of_a_text_are_found))
