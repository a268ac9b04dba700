/* What the account's webhooks mean, by fixtures of our own. */
#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_account.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "wire/json/json.h"

static struct arena *arena;
static struct whatsapp_account_notice notice;
static struct whatsapp_preference *preferences;
static size_t preference_count;
static enum err outcome;

static int
opened(void **state UNUSED)
{
    arena = arena_new(1u << 20);
    return arena == NULL;
}

static int
closed(void **state UNUSED)
{
    arena_free(arena);
    return 0;
}

static enum err
on_event(void *ctx UNUSED, const struct whatsapp_event *event)
{
    assert_int_equal(event->kind, WHATSAPP_EVENT_NOTICE);
    outcome = whatsapp_account_read(event, arena, &notice);
    if (outcome == ERR_NOTHING)
        outcome = whatsapp_preferences_read(event, arena, &preferences, &preference_count);
    return ERR_OK;
}

/* One change of this field. */
static void
read_value(const char *field, const char *value)
{
    struct slice body = arena_format(arena,
                                     "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\","
                                     "\"changes\":[{\"field\":\"%s\",\"value\":%s}]}]}",
                                     field, value);

    assert_ok(whatsapp_event_read(body, arena, on_event, NULL));
}

static void
assert_details(const char *expected)
{
    assert_true(slice_eq(notice.details, slice_text(expected)));
}

static void
a_quality_notice_gives_the_limit_and_the_throughput(void **state UNUSED)
{
    read_value("phone_number_quality_update",
               "{\"display_phone_number\":\"+1 555-0101\",\"event\":\"FLAGGED\","
               "\"old_limit\":\"TIER_10K\",\"current_limit\":\"TIER_2K\"}");
    assert_ok(outcome);
    assert_int_equal(notice.kind, WHATSAPP_ACCOUNT_QUALITY);
    assert_true(slice_eq(notice.number, SLICE("15550101")));
    assert_true(slice_eq(notice.messaging_limit, SLICE("tier_2k")));
    assert_null(notice.throughput.ptr);
    assert_details(",\"notice\":\"flagged\"");
    read_value("phone_number_quality_update",
               "{\"event\":\"THROUGHPUT_UPGRADE\",\"max_daily_conversations_per_business\":100000}");
    assert_true(slice_eq(notice.throughput, SLICE("high")));
    assert_true(slice_eq(notice.messaging_limit, SLICE("tier_100k")));
    assert_int_equal(notice.number.len, 0);
}

static void
a_capability_notice_gives_limits_in_either_form(void **state UNUSED)
{
    static const struct {
        const char *value, *limit;
    } rows[] = { { "2000", "tier_2k" },
                 { "\"TIER_UNLIMITED\"", "tier_unlimited" },
                 { "-1", "tier_unlimited" },
                 { "777", "777" },
                 { "\"2000\"", "tier_2k" } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice value = arena_format(
            arena, "{\"max_daily_conversations_per_business\":%s,\"max_phone_numbers_per_waba\":25}",
            rows[i].value);
        read_value("business_capability_update", value.ptr);
        assert_int_equal(notice.kind, WHATSAPP_ACCOUNT_QUALITY);
        assert_true(slice_eq(notice.messaging_limit, slice_text(rows[i].limit)));
        assert_details(",\"notice\":\"capability_update\",\"max_phone_numbers_per_waba\":25");
    }
}

static void
a_reviewed_name_is_told_with_its_reason(void **state UNUSED)
{
    read_value("phone_number_name_update",
               "{\"decision\":\"REJECTED\",\"requested_verified_name\":\"Sun \\\"& Moon\","
               "\"rejection_reason\":\"NAME_NOT_RELATED\"}");
    assert_int_equal(notice.kind, WHATSAPP_ACCOUNT_NAME);
    assert_true(slice_eq(notice.decision, SLICE("rejected")));
    assert_true(slice_eq(notice.requested_name, SLICE("Sun \"& Moon")));
    assert_details(",\"decision\":\"rejected\",\"requested_name\":\"Sun \\\"& Moon\","
                   "\"rejection_reason\":\"NAME_NOT_RELATED\"");
}

static void
what_an_account_update_means_for_sending(void **state UNUSED)
{
    static const struct {
        const char *value;
        enum whatsapp_account_effect effect;
    } rows[] = {
        { "{\"event\":\"ACCOUNT_DELETED\"}", WHATSAPP_ACCOUNT_BREAKS },
        { "{\"event\":\"ACCOUNT_OFFBOARDED\"}", WHATSAPP_ACCOUNT_BREAKS },
        { "{\"event\":\"PARTNER_REMOVED\",\"phone_number\":\"15550101\"}", WHATSAPP_ACCOUNT_BREAKS },
        { "{\"event\":\"DISABLED_UPDATE\",\"ban_info\":{\"waba_ban_state\":\"DISABLE\"}}",
          WHATSAPP_ACCOUNT_BREAKS },
        { "{\"event\":\"DISABLED_UPDATE\",\"ban_info\":{\"waba_ban_state\":\"SCHEDULE_FOR_DISABLE\"}}",
          WHATSAPP_ACCOUNT_TELLS },
        { "{\"event\":\"DISABLED_UPDATE\",\"ban_info\":{\"waba_ban_state\":\"REINSTATE\"}}",
          WHATSAPP_ACCOUNT_TELLS },
        { "{\"event\":\"ACCOUNT_VIOLATION\",\"violation_info\":{\"violation_type\":\"SCAM\"}}",
          WHATSAPP_ACCOUNT_TELLS },
        { "{\"event\":\"ACCOUNT_RESTRICTION\",\"restriction_info\":[{\"restriction_type\":"
          "\"RESTRICTED_ADD_PHONE_NUMBER_ACTION\"}]}",
          WHATSAPP_ACCOUNT_TELLS },
        { "{\"event\":\"ACCOUNT_RESTRICTION\",\"restriction_info\":[{\"restriction_type\":"
          "\"RESTRICTED_ADD_PHONE_NUMBER_ACTION\"},{\"restriction_type\":"
          "\"RESTRICTED_BIZ_INITIATED_MESSAGING\"}]}",
          WHATSAPP_ACCOUNT_PAUSES },
        { "{\"event\":\"ACCOUNT_RECONNECTED\"}", WHATSAPP_ACCOUNT_TELLS },
        { "{\"event\":\"SOMETHING_NEW\"}", WHATSAPP_ACCOUNT_TELLS },
        { "{\"event\":7}", WHATSAPP_ACCOUNT_TELLS },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        read_value("account_update", rows[i].value);
        assert_ok(outcome);
        assert_int_equal(notice.kind, WHATSAPP_ACCOUNT_STANDING);
        assert_int_equal(notice.effect, rows[i].effect);
        assert_int_equal(notice.reason == NULL, rows[i].effect == WHATSAPP_ACCOUNT_TELLS);
    }
}

static void
a_restriction_is_told_with_its_end(void **state UNUSED)
{
    read_value("account_update",
               "{\"event\":\"ACCOUNT_RESTRICTION\",\"restriction_info\":[{\"restriction_type\":"
               "\"RESTRICTED_BIZ_INITIATED_MESSAGING\",\"expiration\":1795333730},{}]}");
    assert_details(",\"notice\":\"account_restriction\",\"restrictions\":[{\"type\":"
                   "\"restricted_biz_initiated_messaging\",\"until\":\"2026-11-22T07:48:50.000Z\"},"
                   "{\"type\":\"unknown\"}]");
}

static void
alerts_reviews_and_pins_have_their_words(void **state UNUSED)
{
    read_value(
        "account_alerts",
        "{\"entity_type\":\"BUSINESS\",\"entity_id\":\"9\",\"alert_info\":{\"alert_severity\":\"WARNING\","
        "\"alert_status\":\"ACTIVE\",\"alert_type\":\"OBA_REJECTED\",\"alert_description\":\"x\"}}");
    assert_int_equal(notice.kind, WHATSAPP_ACCOUNT_STANDING);
    assert_details(",\"notice\":\"oba_rejected\",\"severity\":\"warning\",\"alert_status\":\"active\","
                   "\"entity_type\":\"business\"");
    read_value("account_review_update", "{\"decision\":\"APPROVED\"}");
    assert_details(",\"notice\":\"account_review\",\"decision\":\"approved\"");
    read_value("security",
               "{\"display_phone_number\":15550101,\"event\":\"PIN_CHANGED\",\"requester\":\"9\"}");
    assert_int_equal(notice.kind, WHATSAPP_ACCOUNT_SECURITY);
    assert_true(slice_eq(notice.number, SLICE("15550101")));
    assert_details(",\"notice\":\"pin_changed\"");
}

static void
a_field_that_we_do_not_know_is_a_notice(void **state UNUSED)
{
    read_value("moon_phase_update", "{\"phase\":\"full\"}");
    assert_ok(outcome);
    assert_int_equal(notice.kind, WHATSAPP_ACCOUNT_OTHER);
    assert_int_equal(notice.effect, WHATSAPP_ACCOUNT_TELLS);
    assert_int_equal(notice.details.len, 0);
}

static void
templates_are_read_elsewhere(void **state UNUSED)
{
    read_value("message_template_status_update", "{}");
    assert_int_equal(outcome, ERR_NOTHING);
    read_value("template_category_update", "{}");
    assert_int_equal(outcome, ERR_NOTHING);
}

static void
a_preference_is_somebodys(void **state UNUSED)
{
    read_value(
        "user_preferences",
        "{\"user_preferences\":[{\"wa_id\":\"14155550123\",\"category\":\"marketing_messages\",\"value\":"
        "\"stop\",\"timestamp\":1795333730},{\"value\":\"stop\"},{\"user_id\":\"US.123\",\"value\":\"RESUME\"},"
        "{\"wa_id\":14155550124,\"value\":\"resume\"},{\"wa_id\":\"14155550125\"},7]}");
    assert_ok(outcome);
    assert_int_equal(preference_count, 3);
    assert_true(slice_eq(preferences[0].peer, SLICE("+14155550123")));
    assert_true(slice_eq(preferences[0].value, SLICE("stop")));
    assert_true(slice_eq(preferences[0].category, SLICE("marketing_messages")));
    assert_true(preferences[0].has_time);
    assert_true(slice_eq(preferences[1].peer, SLICE("US.123")));
    assert_true(slice_eq(preferences[1].value, SLICE("resume")));
    assert_true(slice_eq(preferences[2].peer, SLICE("+14155550124")));
}

static void
on_fixture(const char *name UNUSED, struct slice content)
{
    json_t *tree = NULL;

    assert_ok(whatsapp_event_read(content, arena, on_event, NULL));
    assert_ok(outcome);
    struct slice object = arena_format(arena, "{\"x\":1%.*s}", SLICE_FMT(notice.details));
    assert_ok(json_parse(object, &tree)); /* what stands in an event's data */
    json_decref(tree);
}

static void
every_fixture_of_an_account_is_read(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("account", ".json", on_fixture) >= 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
UNIT_MAIN(TEST(a_quality_notice_gives_the_limit_and_the_throughput),
          TEST(a_capability_notice_gives_limits_in_either_form),
          TEST(a_reviewed_name_is_told_with_its_reason), TEST(what_an_account_update_means_for_sending),
          TEST(a_restriction_is_told_with_its_end), TEST(alerts_reviews_and_pins_have_their_words),
          TEST(a_field_that_we_do_not_know_is_a_notice), TEST(templates_are_read_elsewhere),
          TEST(a_preference_is_somebodys), TEST(every_fixture_of_an_account_is_read))
