#include "core/buf.h"
#include "core/unit.h"
#include "program/gateway/dashboard.h"
#include <stdlib.h>

#define PACK_BYTES_MAX 4096u

static void
number_add(struct buf *out, size_t bytes, size_t n)
{
    while (bytes-- > 0) {
        char octet = (char)(n >> (8 * bytes) & 0xFF);
        buf_add(out, slice_of(&octet, 1));
    }
}

static void
entry_add(struct buf *out, const char *path, const char *type, unsigned flags, const char *const bytes[3])
{
    number_add(out, 2, strlen(path));
    buf_add_text(out, path);
    number_add(out, 2, strlen(type));
    buf_add_text(out, type);
    number_add(out, 1, flags);
    for (size_t i = 0; i < DASHBOARD_CODINGS; i++)
        number_add(out, 4, strlen(bytes[i]));
}

/* Two files, the second with all forms. */
static void
pack_make(struct buf *out, const char *first, const char *second, unsigned flags)
{
    static const char *const page[] = { "<html>", "", "" };
    static const char *const script[] = { "a long script", "br", "gzip" };

    buf_init(out, PACK_BYTES_MAX);
    buf_add_text(out, "HKDASH01");
    number_add(out, 4, 2);
    entry_add(out, first, "text/html", 0, page);
    entry_add(out, second, "text/javascript", flags, script);
    for (size_t i = 0; i < DASHBOARD_CODINGS; i++)
        buf_add_text(out, page[i]);
    for (size_t i = 0; i < DASHBOARD_CODINGS; i++)
        buf_add_text(out, script[i]);
    assert_ok(buf_done(out));
}

static void
files_are_found_by_their_whole_names(void **state UNUSED)
{
    static const char *const strangers[] = { "",
                                             "/a",
                                             "/assets",
                                             "/assets/a.jss",
                                             "//assets/a.js",
                                             "/../",
                                             "/assets/../assets/a.js",
                                             "/assets/%61.js",
                                             "/ASSETS/a.js" };
    struct dashboard *dashboard;
    struct buf pack;

    pack_make(&pack, "/", "/assets/a.js", DASHBOARD_IS_IMMUTABLE);
    assert_ok(dashboard_parse(buf_slice(&pack), &dashboard));
    const struct dashboard_file *page = dashboard_find(dashboard, SLICE("/"));
    const struct dashboard_file *script = dashboard_find(dashboard, SLICE("/assets/a.js"));
    assert_non_null(page);
    assert_non_null(script);
    assert_false(page->is_immutable);
    assert_true(script->is_immutable);
    assert_true(slice_eq(page->bytes[DASHBOARD_PLAIN], SLICE("<html>")));
    assert_true(slice_eq(script->bytes[DASHBOARD_PLAIN], SLICE("a long script")));
    assert_true(slice_eq(script->bytes[DASHBOARD_BROTLI], SLICE("br")));
    assert_true(slice_eq(script->bytes[DASHBOARD_GZIP], SLICE("gzip")));
    assert_true(slice_eq(script->type, SLICE("text/javascript")));
    for (size_t i = 0; i < COUNT_OF(strangers); i++)
        assert_null(dashboard_find(dashboard, slice_text(strangers[i])));
    assert_null(dashboard_find(NULL, SLICE("/")));
    dashboard_free(dashboard);
    buf_release(&pack);
}

static void
the_smallest_accepted_form_is_sent(void **state UNUSED)
{
    struct dashboard *dashboard;
    struct buf pack;

    pack_make(&pack, "/", "/assets/a.js", 0);
    assert_ok(dashboard_parse(buf_slice(&pack), &dashboard));
    const struct dashboard_file *page = dashboard_find(dashboard, SLICE("/"));
    const struct dashboard_file *script = dashboard_find(dashboard, SLICE("/assets/a.js"));
    assert_int_equal(dashboard_coding_choose(script, SLICE("gzip, deflate, br, zstd")), DASHBOARD_BROTLI);
    assert_int_equal(dashboard_coding_choose(script, SLICE("gzip, br;q=0")), DASHBOARD_GZIP);
    assert_int_equal(dashboard_coding_choose(script, SLICE_EMPTY), DASHBOARD_PLAIN);
    assert_int_equal(dashboard_coding_choose(page, SLICE("gzip, br")), DASHBOARD_PLAIN);
    dashboard_free(dashboard);
    buf_release(&pack);
}

/* A pack that was cut, or has a byte too many, is refused: whatever its length. */
static void
a_pack_is_taken_whole_or_not_at_all(void **state UNUSED)
{
    struct dashboard *dashboard;
    struct buf pack;

    pack_make(&pack, "/", "/assets/a.js", 0);
    for (size_t len = 0; len < pack.len; len++) {
        char *part = malloc(len == 0 ? 1 : len); /* its end is seen by the sanitizer */
        assert_non_null(part);
        memcpy(part, pack.ptr, len);
        assert_int_equal(dashboard_parse(slice_of(part, len), &dashboard), ERR_CONFIG);
        assert_null(dashboard);
        free(part);
    }
    buf_add_text(&pack, "x");
    assert_int_equal(dashboard_parse(buf_slice(&pack), &dashboard), ERR_CONFIG);
    buf_release(&pack);
}

static void
a_table_that_cannot_be_is_refused(void **state UNUSED)
{
    static const struct {
        const char *first, *second;
        unsigned flags;
    } rows[] = { { "/b", "/a", 0 },   { "/a", "/a", 0 }, { "a", "/b", 0 },
                 { "/a", "/b\n", 0 }, { "/a", "/b", 2 }, { "/a", "", 0 } };
    struct dashboard *dashboard;
    struct buf pack;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        pack_make(&pack, rows[i].first, rows[i].second, rows[i].flags);
        assert_int_equal(dashboard_parse(buf_slice(&pack), &dashboard), ERR_CONFIG);
        buf_release(&pack);
    }
}

static void
what_is_not_there_is_told_from_what_is_damaged(void **state UNUSED)
{
    struct dashboard *dashboard;

    assert_int_equal(dashboard_open("/nonexistent/dashboard.pack", &dashboard), ERR_NOT_FOUND);
    assert_int_equal(dashboard_open("/dev/null", &dashboard), ERR_CONFIG);
    assert_int_equal(dashboard_open("/proc/self/exe", &dashboard), ERR_CONFIG);
}

UNIT_MAIN(cmocka_unit_test(files_are_found_by_their_whole_names),
          cmocka_unit_test(the_smallest_accepted_form_is_sent),
          cmocka_unit_test(a_pack_is_taken_whole_or_not_at_all),
          cmocka_unit_test(a_table_that_cannot_be_is_refused),
          cmocka_unit_test(what_is_not_there_is_told_from_what_is_damaged))
