/* What of a notice belongs to which topic, who hears of it, and whose streams are judged anew by it. */
#include "core/unit.h"
#include "program/gateway/live_topic.h"
#include <stdio.h>

static const struct id tenant = { { 1 } }, channel = { { 2 } }, object = { { 3 } };

struct row {
    const char *word;
    bool is_act;
    const char *printed[LIVE_CHANGES_OF_NOTICE];
    bool judges;
};

static const struct row rows[] = {
    { "message", false, { "messages", NULL }, false },
    { "template", false, { "templates", NULL }, false },
    { "quota", false, { "usage", NULL }, false },
    { "export", false, { NULL, NULL }, false },
    { "api_key.rotated", true, { "keys", "audit" }, true },
    { "team.updated", true, { "people", "audit" }, true },
    { "invitation.sent", true, { "people", "audit" }, false },
    { "tenant.closed", true, { "settings", "audit" }, true },
    { "connector", false, { "connectors", NULL }, false },
    { "sms_connector.updated", true, { "connectors", "audit" }, false },
    { "sms_route.created", true, { "connectors", "audit" }, false },
    { "session.began", true, { "audit", NULL }, false },
    { "membership", false, { "people", NULL }, false }, /* no event is called so; and none judges */
};

static void
a_notice_is_of_its_topics(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct overview_notice notice = { .tenant = tenant,
                                          .is_act = rows[i].is_act,
                                          .word = slice_text(rows[i].word) };
        struct live_change changes[LIVE_CHANGES_OF_NOTICE];
        struct id key;
        size_t count = live_topic_changes(&notice, changes);
        for (size_t c = 0; c < LIVE_CHANGES_OF_NOTICE; c++) {
            assert_int_equal(c < count, rows[i].printed[c] != NULL);
            if (c < count)
                assert_string_equal(live_topic_word(changes[c].topic), rows[i].printed[c]);
        }
        assert_int_equal(live_topic_judges(&notice, &key), rows[i].judges);
        assert_true(id_is_zero(key));
    }
}

static void
a_changed_key_judges_its_own_streams(void **state UNUSED)
{
    struct overview_notice notice = {
        .tenant = tenant, .is_act = true, .word = SLICE("api_key.updated"), .ids = { object }, .id_count = 1
    };
    struct id key;

    assert_true(live_topic_judges(&notice, &key));
    assert_true(id_eq(key, object));
}

static void
each_topic_needs_its_permission(void **state UNUSED)
{
    assert_int_equal(live_topics_of(0), 0);
    assert_int_equal(live_topics_of(UINT64_C(1) << API_SCOPE_MESSAGES_READ), 1u << LIVE_MESSAGES);
    assert_int_equal(live_topics_of(UINT64_C(1) << API_SCOPE_MESSAGES_SEND), 0);
    assert_int_equal(live_topics_of(UINT64_C(1) << API_SCOPE_CHANNELS_READ),
                     1u << LIVE_CHANNELS | 1u << LIVE_CONNECTORS);
    assert_int_equal(live_topics_of(UINT64_MAX), (1u << LIVE_TOPIC_COUNT) - 1);
}

static void
who_is_limited_hears_of_his_channels_and_of_what_has_none(void **state UNUSED)
{
    struct live_change change = { .tenant = tenant, .topic = LIVE_MESSAGES, .channel = channel };

    assert_true(live_change_is_within(&change, &channel, 1));
    assert_false(live_change_is_within(&change, &object, 1));
    assert_false(live_change_is_within(&change, NULL, 0));
    change.channel = (struct id){ { 0 } };
    assert_false(live_change_is_within(&change, &channel, 1));
    change.topic = LIVE_SETTINGS;
    assert_true(live_change_is_within(&change, NULL, 0));
}

static void
what_is_told_are_ids(void **state UNUSED)
{
    struct live_change change = { .tenant = tenant,
                                  .topic = LIVE_TEMPLATES,
                                  .channel = channel,
                                  .ids = { object, channel },
                                  .id_count = 2 };
    char first[ID_TEXT_BYTES], second[ID_TEXT_BYTES], of[ID_TEXT_BYTES], expected[300];
    struct buf out;

    id_print(ID_TEMPLATE, object, first);
    id_print(ID_TEMPLATE, channel, second);
    id_print(ID_CHANNEL, channel, of);
    snprintf(expected, sizeof(expected),
             "{\"topic\":\"templates\",\"channel_id\":\"%s\",\"ids\":[\"%s\",\"%s\"]}", of, first, second);
    buf_init(&out, 1024);
    live_change_print(&out, &change);
    assert_ok(buf_done(&out));
    assert_true(slice_eq(buf_slice(&out), slice_text(expected)));
    buf_clear(&out);
    live_change_print(&out, &(struct live_change){ .topic = LIVE_PEOPLE });
    assert_true(slice_eq(buf_slice(&out), SLICE("{\"topic\":\"people\"}")));
    buf_release(&out);
}

UNIT_MAIN(cmocka_unit_test(a_notice_is_of_its_topics), cmocka_unit_test(a_changed_key_judges_its_own_streams),
          cmocka_unit_test(each_topic_needs_its_permission),
          cmocka_unit_test(who_is_limited_hears_of_his_channels_and_of_what_has_none),
          cmocka_unit_test(what_is_told_are_ids))
