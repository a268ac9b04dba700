/* Every public event as it is posted, held against the contract. */
#include "core/unit.h"
#include "domain/webhook/webhook_render.h"
#include "wire/json/json.h"
#include "wire/json/json_testing.h"
#include "wire/openapi/contract.h"
#include "wire/openapi/contract_response.h"
#include <string.h>

static struct contract_responses *responses;
static const struct id message = { { 1, 2, 3 } }, channel = { { 4, 5, 6 } };

static int
contract_open(void **state UNUSED)
{
    char why[256];

    return contract_responses_compile(contract_document(), &responses, why, sizeof(why)) != ERR_OK;
}

static int
contract_close(void **state UNUSED)
{
    contract_responses_free(responses);
    return 0;
}

/* As the rooms that write them do: message_events.c, message_store.c, channel_store.c. */
static struct event
event_of(enum event_type type)
{
    const char *word = event_type_word(type);
    struct event event = { .id = { { 7 } },
                           .type = type,
                           .subject = message,
                           .channel = channel,
                           .occurred_at = { INT64_C(1795333730004000) } };

    if (type == EVENT_CHANNEL_QUALITY || type == EVENT_CHANNEL_NAME) {
        event.subject = channel;
        event.data =
            SLICE("{\"source\": \"quality_update\", \"changes\": {\"messaging_limit\": {\"previous\": null,"
                  " \"current\": \"tier_2k\"}}, \"notice\": \"upgrade\"}");
    } else if (type == EVENT_CHANNEL_ACCOUNT || type == EVENT_CHANNEL_SECURITY ||
               type == EVENT_CHANNEL_NOTICE) {
        event.subject = channel;
        event.data = SLICE("{\"source\": \"account_update\", \"notice\": \"account_restriction\","
                           " \"restrictions\": [{\"type\": \"unknown\"}]}");
    } else if (type == EVENT_CHANNEL_FAULT) {
        event.subject = channel;
        event.data =
            SLICE("{\"error\": {\"code\": \"whatsapp-1\", \"title\": \"A title.\", \"class\": \"retry\"}}");
    } else if (type == EVENT_CONTACT_PREFERENCE) {
        event.subject = channel;
        event.data = SLICE("{\"category\": \"marketing_messages\", \"preference\": \"stop\"}");
    } else if (strncmp(word, "channel.", 8) == 0) {
        event.subject = channel;
        event.data = SLICE(
            "{\"kind\": \"whatsapp\", \"name\": \"Sales\", \"state\": \"broken\", \"state_reason\": \"why\"}");
    } else if (strncmp(word, "operation.", 10) == 0) {
        event.subject = channel;
        event.data =
            SLICE("{\"operation_id\": \"opr_01jd8h4r2mfx7c1v5n8k3t6w9q\", \"kind\": \"number.sync\","
                  " \"state\": \"succeeded\", \"attempt_count\": 1, \"error\": null, \"result\": {}}");
    } else if (strncmp(word, "media.", 6) == 0) {
        event.data = SLICE("{\"message_id\": \"msg_01jd8h3c5tfy8n2k7w4q9v6r0e\", \"bytes\": null,"
                           " \"error\": {\"code\": \"media-altered\", \"title\": \"A title.\"}}");
    } else if (strncmp(word, "template.", 9) == 0) {
        event.data = SLICE("{\"name\": \"order_sent\","
                           " \"language\": \"en_US\", \"category\": \"utility\", \"state\": \"paused\","
                           " \"previous_state\": \"approved\", \"state_reason\": \"first_pause\","
                           " \"state_detail\": \"why\", \"quality\": \"red\", \"previous_category\": null,"
                           " \"correct_category\": \"marketing\","
                           " \"category_change_at\": \"2026-12-01T00:00:00.000Z\","
                           " \"error\": {\"code\": \"whatsapp-100-2388024\", \"title\": \"A title.\"}}");
    } else if (type == EVENT_MESSAGE_ECHOED) {
        event.data = SLICE("{\"direction\": \"outbound\", \"status\": \"sent\", \"type\": \"text\","
                           " \"provider_id\": \"wamid.1\", \"reply_to\": null}");
    } else if (strncmp(word, "webhook_endpoint.", 17) == 0) {
        event.channel = (struct id){ { 0 } };
        event.data = SLICE(
            "{\"failing_since\": \"2026-11-21T07:40:11.000Z\", \"failures\": 61, \"reason\": \"gone\"}");
    } else if (strncmp(word, "consent.", 8) == 0) {
        event.channel = (struct id){ { 0 } };
        event.data = SLICE("{\"channel\": \"sms\", \"purpose\": \"promotional\", \"state\": \"withdrawn\","
                           " \"source\": \"inbound\", \"message_id\": \"msg_01jd8h3c5tfy8n2k7w4q9v6r0e\"}");
    } else if (strncmp(word, "suppression.", 12) == 0) {
        event.channel = (struct id){ { 0 } };
        event.data = SLICE("{\"channel\": \"any\", \"scope\": \"promotional\", \"reason\": \"keyword\"}");
    } else if (strncmp(word, "connector.", 10) == 0) {
        event.channel = (struct id){ { 0 } };
        event.data = SLICE("{\"name\": \"Operator\", \"state\": \"active\","
                           " \"reason\": \"The operator asked us to slow down.\", \"per_second\": 5}");
    } else if (type == EVENT_TEST_PING) {
        event.channel = (struct id){ { 0 } };
    } else if (type == EVENT_MESSAGE_RECEIVED) {
        event.data = SLICE("{\"direction\": \"inbound\", \"status\": \"received\", \"type\": \"text\","
                           " \"provider_id\": \"wamid.1\", \"reply_to\": null}");
    } else {
        event.data =
            SLICE("{\"actor\": \"api-key\", \"key_id\": \"key_01jd8gzv6hfa4s9d2n7r5w1c8x\","
                  " \"cause\": \"resent-by-policy\", \"send_at\": \"2026-11-24T09:00:00.000Z\","
                  " \"tags\": [\"a tag\"], \"report\": {\"status\": \"sent\"}, \"direction\": \"outbound\","
                  " \"category\": \"otp\", \"status\": \"failed\", \"reference\": null,"
                  " \"provider_id\": null, \"attempt\": 2, \"error\": {\"code\": \"whatsapp-131026\","
                  " \"title\": \"A title.\", \"class\": \"permanent\"}}");
    }
    if (type == EVENT_QUOTA_THRESHOLD)
        event.data = SLICE("{\"quota\":\"sender-day\",\"percent\":80,\"limit\":1000,\"used\":800,"
                           "\"resets_at\":\"2026-11-23T00:00:00.000Z\"}");
    return event;
}

static struct slice
content_of(enum event_type type)
{
    if (type == EVENT_CONTACT_PREFERENCE)
        return SLICE("{\"from\":\"+14155550123\"}");
    if (type == EVENT_CHANNEL_NOTICE)
        return SLICE("{\"raw\":{\"event\":\"LAUNCHED\"}}");
    if (type == EVENT_MESSAGE_ECHOED)
        return SLICE("{\"to\":\"+14155550123\",\"content\":{\"type\":\"text\",\"text\":{\"body\":\"Hi\"}}}");
    return type == EVENT_MESSAGE_RECEIVED
               ? SLICE(
                     "{\"from\":\"+14155550123\",\"content\":{\"type\":\"text\",\"text\":{\"body\":\"Hi\"}}}")
               : SLICE_EMPTY;
}

static enum err
render(const struct event *event, struct slice content, json_t **out)
{
    struct buf text;

    buf_init(&text, WEBHOOK_BODY_BYTES_MAX);
    *out = NULL;
    enum err err = webhook_render(event, content, &text);
    if (err == ERR_OK)
        assert_ok(json_parse(buf_slice(&text), out));
    buf_release(&text);
    return err;
}

static void
every_public_event_is_in_the_contract(void **state UNUSED)
{
    size_t count = 0;

    for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++) {
        enum event_type type = (enum event_type)i;
        struct event event = event_of(type);
        struct problem problem = { .count = 0 };
        struct arena *arena = arena_new(65536);
        json_t *body;
        if (event_type_is_public(type)) {
            assert_ok(render(&event, content_of(type), &body));
            enum err err =
                contract_responses_check_event(responses, event_type_word(type), body, arena, &problem);
            if (err != ERR_OK)
                fail_msg("%s: %.*s %.*s", event_type_word(type), SLICE_FMT(problem.errors[0].pointer),
                         SLICE_FMT(problem.errors[0].detail));
            assert_null(json_member(json_member(body, "data"), "actor"));
            assert_null(json_member(json_member(body, "data"), "key_id"));
            json_decref(body);
            count++;
        }
        arena_free(arena);
    }
    assert_true(count >= 16);
}

/* Of every type: ids of ours and the status, and no other member, whatever the event says. */
static void
a_thin_event_has_ids_and_status_alone(void **state UNUSED)
{
    for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++) {
        struct event event = event_of((enum event_type)i);
        struct buf text;
        const char *member;
        json_t *body, *value;
        buf_init(&text, WEBHOOK_BODY_BYTES_MAX);
        assert_ok(webhook_render_thin(&event, &text));
        assert_ok(json_parse(buf_slice(&text), &body));
        assert_int_equal(json_object_size(body), 4);
        json_t *data = json_object_get(body, "data");
        json_object_foreach(data, member, value)
        {
            struct slice name = slice_text(member);
            bool is_id =
                slice_ends_with(name, SLICE("_id")) && json_string_length(value) == ID_TEXT_BYTES - 1;
            if (!is_id && !slice_eq(name, SLICE("status")))
                fail_msg("%s: %s", event_type_word(event.type), member);
            assert_false(slice_eq(name, SLICE("provider_id")));
        }
        json_decref(body);
        buf_release(&text);
    }
}

static void
a_damaged_event_is_refused(void **state UNUSED)
{
    static const struct {
        struct slice data, content;
        enum err err;
    } rows[] = {
        { { "{", 1 }, { NULL, 0 }, ERR_JSON_SYNTAX },         { { "[]", 2 }, { NULL, 0 }, ERR_JSON_SYNTAX },
        { { "{}", 2 }, { "{", 1 }, ERR_JSON_SYNTAX },         { { "{}", 2 }, { "[]", 2 }, ERR_JSON_SYNTAX },
        { { "{}", 2 }, { "{\"a\":\"\xff\"}", 9 }, ERR_UTF8 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event event = event_of(EVENT_MESSAGE_RECEIVED);
        json_t *body;
        event.data = rows[i].data;
        assert_int_equal(render(&event, rows[i].content, &body), rows[i].err);
    }
}

/* The 1st, 2nd, 3rd ... allocation fails: the whole event, or none; never one with members left out. */
static void
nothing_is_left_out_for_lack_of_memory(void **state UNUSED)
{
    struct event event = event_of(EVENT_MESSAGE_RECEIVED);
    struct slice content = content_of(EVENT_MESSAGE_RECEIVED);
    enum err err = ERR_NO_MEMORY;
    json_t *whole, *body;

    assert_ok(render(&event, content, &whole));
    for (size_t tries = 0; err != ERR_OK; tries++) {
        struct buf text;
        buf_init(&text, WEBHOOK_BODY_BYTES_MAX);
        json_testing_starve(tries);
        err = webhook_render(&event, content, &text);
        json_testing_feed();
        if (err == ERR_OK) {
            assert_ok(json_parse(buf_slice(&text), &body));
            assert_true(json_equal(body, whole));
            json_decref(body);
        } else {
            assert_int_equal(err, ERR_NO_MEMORY);
        }
        buf_release(&text);
        assert_true(tries < 500);
    }
    json_decref(whole);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_public_event_is_in_the_contract),
        cmocka_unit_test(a_thin_event_has_ids_and_status_alone),
        cmocka_unit_test(a_damaged_event_is_refused),
        cmocka_unit_test(nothing_is_left_out_for_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, contract_open, contract_close);
}
