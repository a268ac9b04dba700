#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "domain/channel/whatsapp/whatsapp_template_notice.h"
#include <stdio.h>
#include <string.h>

static struct arena *arena;
static char seen[8192]; /* one line for each notice */
static size_t seen_len;

static enum err
on_event(void *ctx, const struct whatsapp_event *event)
{
    static const char *const kinds[] = { "status", "quality", "components", "category" };
    struct whatsapp_template_notice notice;
    enum err err = whatsapp_template_notice_read(event, arena, &notice);

    (void)ctx;
    if (err == ERR_NOTHING)
        return ERR_OK;
    assert_ok(err);
    seen_len += (size_t)snprintf(
        seen + seen_len, sizeof(seen) - seen_len, "%s %.*s %.*s %.*s [%.*s|%.*s|%.*s|%.*s|%.*s>%.*s @%lld]\n",
        kinds[notice.kind], SLICE_FMT(notice.template_id), SLICE_FMT(notice.name), SLICE_FMT(notice.language),
        SLICE_FMT(notice.event), SLICE_FMT(notice.reason), SLICE_FMT(notice.detail),
        SLICE_FMT(notice.quality), SLICE_FMT(notice.new_category), SLICE_FMT(notice.correct_category),
        notice.has_change_at ? (long long)(notice.change_at.us / 1000000) : -1);
    assert_true(seen_len < sizeof(seen));
    return ERR_OK;
}

static void
notices_are(const char *fixture, const char *want)
{
    struct buf body;

    seen_len = 0;
    seen[0] = '\0';
    arena = arena_new(1u << 20);
    whatsapp_fixture_read("webhook", fixture, &body);
    assert_ok(whatsapp_event_read(buf_slice(&body), arena, on_event, NULL));
    if (strcmp(seen, want) != 0)
        fail_msg("%s:\n%s", fixture, seen);
    buf_release(&body);
    arena_free(arena);
}

static void
each_kind_of_notice_is_read(void **state UNUSED)
{
    static const struct {
        const char *fixture, *want;
    } cases[] = {
        { "notice-template-status.json",
          "status 1689000000000001 order_update en_US [PAUSED|first_pause|Paused for 3 hours||> @-1]\n" },
        { "notice-template-approved.json",
          "status 1689000000000002 table_booked en_US [APPROVED||||> @-1]\n" },
        { "notice-template-rejected.json",
          "status 1689000000000002 table_booked hi [REJECTED|incorrect_category|It sells. Hand it in as "
          "marketing.||> @-1]\n" },
        { "notice-template-disabled.json",
          "status 1689000000000002 table_booked en_US [DISABLED||disable_date 1764000000||> @-1]\n" },
        { "notice-template-quality.json", "quality 1689000000000001 order_update en_US [|||YELLOW|> @-1]\n" },
        { "notice-template-quality-as-status.json",
          "quality 1689000000000002 table_booked en_US [|||RED|> @-1]\n" },
        { "notice-template-components.json", "components 1689000000000001 order_update en_US [||||> @-1]\n" },
        { "notice-template-category.json",
          "category 1689000000000001 order_update en_US [||||UTILITY>MARKETING @1763797700]\n" },
        { "notice-template-category-done.json",
          "category 1689000000000002 table_booked en_US [||||MARKETING> @-1]\n" },
        { "notice-template-nameless.json", "" },
        { "message-numbers-and-text.json", "" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        notices_are(cases[i].fixture, cases[i].want);
}

static void
fixture_is_read_without_a_fault(const char *name, struct slice body)
{
    (void)name;
    seen_len = 0;
    arena = arena_new(8u << 20);
    assert_int_not_equal(whatsapp_event_read(body, arena, on_event, NULL), ERR_NO_MEMORY);
    arena_free(arena);
}

static void
no_other_webhook_is_taken_for_one(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("webhook", ".json", fixture_is_read_without_a_fault) >= 90);
}

/* With each smaller arena: an error, never a notice with a part left out. */
static void
a_full_arena_is_an_error(void **state UNUSED)
{
    json_t *value = json_pack("{s:s, s:I, s:s, s:s, s:s}", "event", "REJECTED", "message_template_id",
                              (json_int_t)1689000000000002, "message_template_name", "table_booked",
                              "message_template_language", "en-US", "reason", "SCAM");
    struct whatsapp_event event = { .kind = WHATSAPP_EVENT_NOTICE,
                                    .field = SLICE("message_template_status_update"),
                                    .raw = value };
    struct whatsapp_template_notice notice;
    enum err err = ERR_NO_MEMORY;
    unsigned refusals = 0;

    for (size_t bytes = 8; err != ERR_OK; bytes += 8) {
        struct arena *small = arena_new(bytes);
        assert_true(bytes < 4096);
        err = whatsapp_template_notice_read(&event, small, &notice);
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
        refusals += err == ERR_NO_MEMORY;
        if (err == ERR_OK)
            assert_true(slice_eq(notice.template_id, SLICE("1689000000000002")) &&
                        slice_eq(notice.language, SLICE("en_US")) && slice_eq(notice.reason, SLICE("scam")));
        arena_free(small);
    }
    assert_true(refusals > 0);
    json_decref(value);
}

UNIT_MAIN(cmocka_unit_test(each_kind_of_notice_is_read), cmocka_unit_test(no_other_webhook_is_taken_for_one),
          cmocka_unit_test(a_full_arena_is_an_error))
