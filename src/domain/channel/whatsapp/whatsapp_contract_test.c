/* The two tellings of what can be sent and received, ours and the contract's, must not differ. */
#include "core/id.h"
#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "domain/channel/whatsapp/whatsapp_inbound.h"
#include "wire/json/json.h"
#include "wire/openapi/contract.h"
#include "wire/openapi/contract_response.h"

#define ARENA_BYTES (8u << 20)

static struct contract *contract;
static struct contract_responses *responses;
static const char *fixture; /* the one that is looked at */

static int
contracts_open(void **state UNUSED)
{
    char why[256];

    return contract_compile(contract_document(), &contract, why, sizeof(why)) != ERR_OK ||
           contract_responses_compile(contract_document(), &responses, why, sizeof(why)) != ERR_OK;
}

static int
contracts_close(void **state UNUSED)
{
    contract_free(contract);
    contract_responses_free(responses);
    return 0;
}

static void
assert_no_fault(enum err err, const struct problem *problem)
{
    if (err != ERR_OK)
        fail_msg("%s: %.*s %.*s", fixture, SLICE_FMT(problem->errors[0].pointer),
                 SLICE_FMT(problem->errors[0].detail));
}

static void
content_is_in_the_contract(const char *name, struct slice file)
{
    json_t *tree = NULL;
    struct arena *arena = arena_new(ARENA_BYTES);
    struct problem problem = { .count = 0 };

    fixture = name;
    assert_ok(json_parse(file, &tree));
    json_t *body = json_pack("{s:s,s:s,s:O}", "channel_id", "chn_01jd8h0m4zfg5v2c9x7k3q6t1n", "to",
                             "+14155550123", "content", json_object_get(tree, "content"));
    assert_no_fault(contract_check_body(contract_find(contract, "createMessage"), body, arena, &problem),
                    &problem);
    json_decref(body);
    json_decref(tree);
    arena_free(arena);
}

static void
every_content_that_can_be_sent_is_in_the_contract(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("content", ".json", content_is_in_the_contract) >= 50);
}

static json_t *
text(struct slice slice)
{
    return json_stringn(slice.len == 0 ? "" : slice.ptr, slice.len);
}

/* As the gateway reports it: the event message.received. */
static enum err
message_is_in_the_contract(void *ctx, const struct whatsapp_event *event)
{
    struct arena *arena = ctx;
    struct problem problem = { .count = 0 };
    json_t *content = NULL;

    if (event->kind != WHATSAPP_EVENT_MESSAGE)
        return ERR_OK;
    assert_ok(whatsapp_inbound_content(event, arena, &content));
    json_t *report = json_pack(
        "{s:s,s:s,s:s,s:{s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:n,s:o}}", "id", "evt_01jd8h3e0mf8p3q7d9k2s6n5y1",
        "type", "message.received", "timestamp", "2026-11-22T07:48:50.004Z", "data", "message_id",
        "msg_01jd8h3c5tfy8n2k7w4q9v6r0e", "channel_id", "chn_01jd8h0m4zfg5v2c9x7k3q6t1n", "direction",
        "inbound", "status", "received", "from", text(event->message.peer), "type",
        text(json_text_of(content, "type")), "provider_id", text(event->message.provider_id), "reply_to",
        "content", json_incref(content));
    assert_non_null(report);
    assert_no_fault(contract_responses_check_event(responses, "message.received", report, arena, &problem),
                    &problem);
    json_decref(report);
    json_decref(content);
    return ERR_OK;
}

static void
messages_are_in_the_contract(const char *name, struct slice body)
{
    struct arena *arena = arena_new(ARENA_BYTES);

    fixture = name;
    assert_ok(whatsapp_event_read(body, arena, message_is_in_the_contract, arena));
    arena_free(arena);
}

static void
every_message_that_is_received_is_in_the_contract(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("webhook", ".json", messages_are_in_the_contract) >= 90);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_content_that_can_be_sent_is_in_the_contract),
        cmocka_unit_test(every_message_that_is_received_is_in_the_contract),
    };
    return cmocka_run_group_tests(tests, contracts_open, contracts_close);
}
