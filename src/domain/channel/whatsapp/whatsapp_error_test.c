#include "core/buf.h"
#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_error.h"
#include "domain/channel/whatsapp/whatsapp_error_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
the_table_grows_and_does_not_overlap(void **state UNUSED)
{
    int64_t before = -1;

    for (size_t i = 0; i < whatsapp_error_row_count; i++) {
        const struct whatsapp_error_row *row = &whatsapp_error_rows[i];
        assert_true(row->first > before && row->last >= row->first);
        before = row->last;
    }
}

/* A title goes to the tenant and into the database: bounded, a sentence of ours, never a format of anything.
 */
static void
every_title_is_a_bounded_sentence(void **state UNUSED)
{
    for (size_t i = 0; i < whatsapp_error_row_count; i++) {
        const char *title = whatsapp_error_rows[i].title;
        size_t len = strlen(title);
        assert_true(len > 0 && len <= WHATSAPP_TITLE_BYTES_MAX && title[len - 1] == '.');
        for (size_t k = 0; k < len; k++)
            assert_true(title[k] >= 0x20 && title[k] < 0x7f);
    }
}

static void
each_code_of_a_range_finds_its_row(void **state UNUSED)
{
    for (size_t i = 0; i < whatsapp_error_row_count; i++) {
        const struct whatsapp_error_row *row = &whatsapp_error_rows[i];
        for (int64_t code = row->first; code <= row->last; code++) {
            struct whatsapp_error error = whatsapp_error_of(code, 0, false, 0);
            assert_true(error.code == code && error.class == row->class && error.scope == row->scope &&
                        error.retry_after_s == row->retry_after_s);
            assert_string_equal(error.title, row->title);
        }
    }
}

/* The codes that decide what the dispatcher does, by hand. */
static void
the_codes_that_matter_most_have_these_classes(void **state UNUSED)
{
    static const struct {
        int64_t code, subcode;
        enum whatsapp_error_class class;
        enum whatsapp_error_scope scope;
        uint32_t retry_after_s;
    } rows[] = {
        { 0, 0, WHATSAPP_CREDENTIAL_BROKEN, WHATSAPP_SCOPE_NUMBER, 0 },
        { 190, 0, WHATSAPP_CREDENTIAL_BROKEN, WHATSAPP_SCOPE_NUMBER, 0 },
        { 190, 463, WHATSAPP_CREDENTIAL_BROKEN, WHATSAPP_SCOPE_NUMBER, 0 },
        { 104, 0, WHATSAPP_CREDENTIAL_BROKEN, WHATSAPP_SCOPE_NUMBER, 0 },
        { 10, 0, WHATSAPP_CREDENTIAL_BROKEN, WHATSAPP_SCOPE_NUMBER, 0 },
        { 200, 0, WHATSAPP_CREDENTIAL_BROKEN, WHATSAPP_SCOPE_NUMBER, 0 },
        { 299, 0, WHATSAPP_CREDENTIAL_BROKEN, WHATSAPP_SCOPE_NUMBER, 0 },
        { 100, 33, WHATSAPP_CREDENTIAL_BROKEN, WHATSAPP_SCOPE_NUMBER, 0 },
        { 100, 0, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_MESSAGE, 0 },
        { 100, 2388040, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_MESSAGE, 0 },
        { 1, 0, WHATSAPP_RETRY, WHATSAPP_SCOPE_MESSAGE, 0 },
        { 2, 0, WHATSAPP_RETRY, WHATSAPP_SCOPE_MESSAGE, 0 },
        { 131000, 0, WHATSAPP_RETRY, WHATSAPP_SCOPE_MESSAGE, 0 },
        { 131016, 0, WHATSAPP_RETRY, WHATSAPP_SCOPE_MESSAGE, 0 },
        { 4, 0, WHATSAPP_THROTTLE, WHATSAPP_SCOPE_APP, 0 },
        { 80007, 0, WHATSAPP_THROTTLE, WHATSAPP_SCOPE_ACCOUNT, 0 },
        { 130429, 2494055, WHATSAPP_THROTTLE, WHATSAPP_SCOPE_NUMBER, 0 },
        { 131056, 0, WHATSAPP_THROTTLE, WHATSAPP_SCOPE_PAIR, 4 },
        { 131057, 0, WHATSAPP_WAIT, WHATSAPP_SCOPE_NUMBER, 60 },
        { 131048, 0, WHATSAPP_WAIT, WHATSAPP_SCOPE_ACCOUNT, 3600 },
        { 131049, 0, WHATSAPP_WAIT, WHATSAPP_SCOPE_PAIR, 86400 },
        { 131042, 0, WHATSAPP_WAIT, WHATSAPP_SCOPE_ACCOUNT, 900 },
        { 131005, 0, WHATSAPP_WAIT, WHATSAPP_SCOPE_MESSAGE, 900 },
        { 134011, 0, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_MESSAGE, 0 },
        { 133010, 0, WHATSAPP_WAIT, WHATSAPP_SCOPE_NUMBER, 900 },
        { 132015, 0, WHATSAPP_WAIT, WHATSAPP_SCOPE_TEMPLATE, 10800 },
        { 132016, 0, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_TEMPLATE, 0 },
        { 131026, 0, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_PAIR, 0 },
        { 131047, 0, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_PAIR, 0 },
        { 131009, 0, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_MESSAGE, 0 },
        { 132000, 0, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_MESSAGE, 0 },
        { 368, 0, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_ACCOUNT, 0 },
        { 131031, 0, WHATSAPP_PERMANENT, WHATSAPP_SCOPE_ACCOUNT, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct whatsapp_error error = whatsapp_error_of(rows[i].code, rows[i].subcode, false, 0);
        if (error.class != rows[i].class || error.scope != rows[i].scope ||
            error.retry_after_s != rows[i].retry_after_s || error.subcode != rows[i].subcode)
            fail_msg("code %d", (int)rows[i].code);
    }
}

/* Meta's pages and its samples differ in the HTTP status of many codes, so a listed code ignores it. */
static void
the_http_status_decides_only_for_unlisted_codes(void **state UNUSED)
{
    static const int statuses[] = { 0, 200, 400, 401, 403, 429, 500, 503 };
    static const enum whatsapp_error_class unlisted[] = { WHATSAPP_PERMANENT, WHATSAPP_PERMANENT,
                                                          WHATSAPP_PERMANENT, WHATSAPP_CREDENTIAL_BROKEN,
                                                          WHATSAPP_PERMANENT, WHATSAPP_THROTTLE,
                                                          WHATSAPP_RETRY,     WHATSAPP_RETRY };

    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        assert_int_equal(whatsapp_error_of(130429, 0, false, statuses[i]).class, WHATSAPP_THROTTLE);
        assert_int_equal(whatsapp_error_of(131026, 0, true, statuses[i]).class, WHATSAPP_PERMANENT);
        assert_int_equal(whatsapp_error_of(987654321, 0, false, statuses[i]).class, unlisted[i]);
        assert_int_equal(whatsapp_error_of(987654321, 0, true, statuses[i]).class, WHATSAPP_RETRY);
        assert_int_equal(whatsapp_error_of(INT64_MAX, 0, false, statuses[i]).class, unlisted[i]);
    }
}

static void
a_code_is_printed_with_its_subcode(void **state UNUSED)
{
    static const struct {
        int64_t code, subcode;
        const char *text;
    } rows[] = {
        { 131026, 0, "whatsapp-131026" },
        { 100, 33, "whatsapp-100-33" },
        { 190, 0, "whatsapp-190" },
        { 130429, 2494055, "whatsapp-130429-2494055" },
        { 131000, 0, "whatsapp-131000" },
        { 131049, 0, "whatsapp-131049" },
        { 77, 0, "whatsapp-77" },
        { WHATSAPP_CODE_NONE, 0, "whatsapp-unanswered" },
        { INT64_MAX, INT64_MAX, "whatsapp-9223372036854775807-9223372036854775807" },
    };
    static const struct {
        enum whatsapp_error_class class;
        const char *text;
    } unspoken[] = {
        { WHATSAPP_RETRY, "whatsapp-unanswered" },     { WHATSAPP_WAIT, "whatsapp-unanswered" },
        { WHATSAPP_UNCERTAIN, "whatsapp-unanswered" }, { WHATSAPP_THROTTLE, "whatsapp-throttled" },
        { WHATSAPP_PERMANENT, "whatsapp-unnamed" },    { WHATSAPP_CREDENTIAL_BROKEN, "whatsapp-credential" }
    };
    char text[WHATSAPP_ERROR_CODE_BYTES];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct whatsapp_error error = { .code = rows[i].code, .subcode = rows[i].subcode };
        whatsapp_error_code_print(&error, text);
        assert_string_equal(text, rows[i].text);
    }
    for (size_t i = 0; i < COUNT_OF(unspoken); i++) {
        struct whatsapp_error error = { .code = WHATSAPP_CODE_NONE, .class = unspoken[i].class };
        whatsapp_error_code_print(&error, text);
        assert_string_equal(text, unspoken[i].text);
    }
}

/* docs/whatsapp.md carries the table for people: row for row the one that decides. */
static void
the_documented_table_is_the_one_that_decides(void **state UNUSED)
{
    const char *source = getenv("HARKARA_SOURCE");
    char path[1024], row[512], code[32];
    struct buf text;

    snprintf(path, sizeof(path), "%s/docs/whatsapp.md", source == NULL ? "." : source);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    buf_init(&text, 1u << 20);
    char *room = buf_reserve(&text, 1u << 20);
    assert_non_null(room);
    text.len = fread(room, 1, 1u << 20, file);
    fclose(file);
    for (size_t i = 0; i < whatsapp_error_row_count; i++) {
        const struct whatsapp_error_row *from = &whatsapp_error_rows[i];
        snprintf(code, sizeof(code), from->first == from->last ? "%d" : "%d-%d", from->first, from->last);
        int len = snprintf(row, sizeof(row), "\n| %s | %s | %s | ", code,
                           whatsapp_error_class_word(from->class), whatsapp_error_scope_word(from->scope));
        if (from->retry_after_s > 0)
            len += snprintf(row + len, sizeof(row) - (size_t)len, "%u", from->retry_after_s);
        snprintf(row + len, sizeof(row) - (size_t)len, " | %s |\n", from->title);
        if (!slice_contains(buf_slice(&text), slice_text(row)))
            fail_msg("docs/whatsapp.md has no row%s", row);
    }
    buf_release(&text);
}

static void
the_api_knows_four_classes(void **state UNUSED)
{
    assert_string_equal(whatsapp_error_shown_class(WHATSAPP_RETRY), "retry");
    assert_string_equal(whatsapp_error_shown_class(WHATSAPP_WAIT), "retry");
    assert_string_equal(whatsapp_error_shown_class(WHATSAPP_UNCERTAIN), "retry");
    assert_string_equal(whatsapp_error_shown_class(WHATSAPP_THROTTLE), "throttle");
    assert_string_equal(whatsapp_error_shown_class(WHATSAPP_PERMANENT), "permanent");
    assert_string_equal(whatsapp_error_shown_class(WHATSAPP_CREDENTIAL_BROKEN), "credential");
}

UNIT_MAIN(cmocka_unit_test(the_api_knows_four_classes),
          cmocka_unit_test(the_table_grows_and_does_not_overlap),
          cmocka_unit_test(every_title_is_a_bounded_sentence),
          cmocka_unit_test(each_code_of_a_range_finds_its_row),
          cmocka_unit_test(the_codes_that_matter_most_have_these_classes),
          cmocka_unit_test(the_http_status_decides_only_for_unlisted_codes),
          cmocka_unit_test(a_code_is_printed_with_its_subcode),
          cmocka_unit_test(the_documented_table_is_the_one_that_decides))
