#include "core/buf.h"
#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_usage.h"

static struct whatsapp_usage
usage_of(const char *app, const char *business)
{
    struct whatsapp_usage usage;

    whatsapp_usage_read(slice_text(app), slice_text(business), &usage);
    return usage;
}

static void
the_highest_counter_is_the_usage(void **state UNUSED)
{
    static const struct {
        const char *field;
        bool is_given;
        int percent;
    } rows[] = {
        { "{\"call_count\":28,\"total_time\":25,\"total_cputime\":24}", true, 28 },
        { "{\"call_count\":0,\"total_time\":25,\"total_cputime\":91}", true, 91 },
        { "{\"total_time\":\"77\"}", true, 77 }, /* numbers may be text */
        { "{\"call_count\":0}", true, 0 },
        { "{\"call_count\":99999999999}", true, WHATSAPP_USAGE_PERCENT_MAX },
        { "{\"call_count\":-5}", false, 0 },
        { "{\"something\":5}", false, 0 },
        { "{}", false, 0 },
        { "[]", false, 0 },
        { "{", false, 0 },
        { "", false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct whatsapp_usage usage = usage_of(rows[i].field, "");
        assert_int_equal(usage.has_app, rows[i].is_given);
        assert_int_equal(usage.app_percent, rows[i].percent);
        assert_int_equal(usage.account_count, 0);
    }
}

static void
an_account_is_as_used_as_its_worst_row(void **state UNUSED)
{
    struct whatsapp_usage usage =
        usage_of("", "{\"102290129340398\":[{\"type\":\"whatsapp_business_management\",\"call_count\":97,"
                     "\"total_cputime\":3,\"total_time\":4,\"estimated_time_to_regain_access\":0},"
                     "{\"type\":\"another\",\"call_count\":100,\"estimated_time_to_regain_access\":19}],"
                     "\"77\":[{\"call_count\":1,\"total_cputime\":1,\"total_time\":1}]}");

    assert_false(usage.has_app);
    assert_int_equal(usage.account_count, 2);
    assert_string_equal(usage.accounts[0].id, "102290129340398");
    assert_int_equal(usage.accounts[0].percent, 100);
    assert_int_equal(usage.accounts[0].regain_s, 19 * 60);
    assert_string_equal(usage.accounts[1].id, "77");
    assert_int_equal(usage.accounts[1].percent, 1);
    assert_int_equal(usage.accounts[1].regain_s, 0);
    assert_int_equal(whatsapp_usage_regain_s(&usage), 19 * 60);
}

static void
what_is_no_account_says_nothing(void **state UNUSED)
{
    assert_int_equal(usage_of("", "{\"\":[{\"call_count\":1}]}").account_count, 0);
    assert_int_equal(usage_of("", "{\"a1\":[{\"call_count\":1}]}").account_count, 0);
    assert_int_equal(
        usage_of("", "{\"123456789012345678901234567890123\":[{\"call_count\":1}]}").account_count, 0);
    assert_int_equal(usage_of("", "{\"1\":{\"call_count\":1}}").account_count, 0);
    assert_int_equal(usage_of("", "{\"1\":[]}").account_count, 0);
    assert_int_equal(usage_of("", "[1]").account_count, 0);
    assert_int_equal(whatsapp_usage_regain_s(&(struct whatsapp_usage){ .has_app = false }), 0);
}

static void
what_is_too_much_is_cut(void **state UNUSED)
{
    char text[WHATSAPP_USAGE_BYTES_MAX + 2];
    struct whatsapp_usage usage;
    struct buf many;

    usage = usage_of("", "{\"1\":[{\"estimated_time_to_regain_access\":9223372036854775807}]}");
    assert_int_equal(usage.account_count, 1);
    assert_int_equal(usage.accounts[0].regain_s, WHATSAPP_REGAIN_S_MAX);
    buf_init(&many, sizeof(text));
    for (int i = 0; i < 20; i++)
        buf_add_format(&many, "%s\"%d\":[{\"call_count\":%d}]", i == 0 ? "{" : ",", i, i);
    buf_add_byte(&many, '}');
    whatsapp_usage_read(SLICE_EMPTY, buf_slice(&many), &usage);
    assert_int_equal(usage.account_count, WHATSAPP_USAGE_ACCOUNTS_MAX);
    buf_release(&many);
    memset(text, ' ', sizeof(text));
    memcpy(text, "{\"call_count\":5}", 16);
    whatsapp_usage_read(slice_of(text, WHATSAPP_USAGE_BYTES_MAX), SLICE_EMPTY, &usage);
    assert_true(usage.has_app);
    whatsapp_usage_read(slice_of(text, WHATSAPP_USAGE_BYTES_MAX + 1), SLICE_EMPTY, &usage);
    assert_false(usage.has_app);
}

UNIT_MAIN(cmocka_unit_test(the_highest_counter_is_the_usage),
          cmocka_unit_test(an_account_is_as_used_as_its_worst_row),
          cmocka_unit_test(what_is_no_account_says_nothing), cmocka_unit_test(what_is_too_much_is_cut))
