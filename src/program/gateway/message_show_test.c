/* Messages and their timeline as they are shown, held against the contract. */
#include "core/unit.h"
#include "program/gateway/gateway.h"
#include "program/gateway/message_show.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"
#include "wire/json/json_testing.h"
#include "wire/openapi/contract.h"
#include "wire/openapi/contract_response.h"

static struct contract_responses *responses;

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

static struct message
message_of(enum message_direction direction, enum message_status status, bool is_full)
{
    static const struct slice tags[] = { { "orders", 6 }, { "spring", 6 } };
    struct message message = { .id = { { 1 } },
                               .channel = { { 2 } },
                               .direction = direction,
                               .category = MESSAGE_SERVICE,
                               .status = status,
                               .kind = SLICE("text"),
                               .created_at = { INT64_C(1795333730004000) },
                               .updated_at = { INT64_C(1795333730004000) } };

    if (is_full) {
        message.target = (struct id){ { 3 } };
        message.reference = SLICE("order-1042");
        message.provider_id = SLICE("wamid.1");
        message.error_code = SLICE("whatsapp-131026");
        message.error_title = SLICE("A title.");
        message.error_class = SLICE("permanent");
        message.attempt_count = 3;
        message.send_at = message.expires_at = (struct wall_time){ INT64_C(1795333730004000) };
        message.tags = tags;
        message.tag_count = COUNT_OF(tags);
    }
    return message;
}

/* As getMessage puts it together, for somebody with these scopes. */
static json_t *
whole(const struct message *message, uint64_t scopes, struct arena *arena)
{
    struct principal principal = { .scopes = scopes };
    struct http_request request = { .arena = arena, .principal = &principal };
    static const char *const data[] = {
        "{\"status\":\"accepted\",\"cause\":null,\"attempt\":0,\"error\":null}",
        "{\"status\":\"queued\",\"cause\":\"not-sent\",\"attempt\":1,\"error\":{\"code\":\"c\",\"title\":\"of 14155550199\","
        "\"class\":\"retry\"}}",
        "{\"status\":\"held\",\"actor\":\"api-key\",\"key_id\":\"key_01jd8gzv6hfa4s9d2n7r5w1c8x\","
        "\"send_at\":\"2026-11-24T09:00:00.000Z\",\"provider_id\":\"wamid.HBgLMTQxNTU1NTAxMjMVAgAR\"}",
        "{\"status\":\"delivered\",\"actor\":\"provider\",\"report\":{\"status\":\"sent\"}}",
    };
    json_t *shown = message_show(message, reach_address(&request, arena, SLICE("+14155550123")),
                                 SLICE("{\"order\":\"1\"}")),
           *timeline = json_array();

    for (size_t i = 0; i < COUNT_OF(data); i++) {
        struct event event = {
            .id = { { 9 } }, .type = EVENT_MESSAGE_QUEUED, .channel = { { 2 } }, .data = slice_text(data[i])
        };
        show_append(&timeline, message_step_show(&request, &event));
    }
    show_set(&shown, "content", json_pack("{s:s, s:{s:s}}", "type", "text", "text", "body", "Hi"));
    show_set(&shown, "timeline", timeline);
    return shown;
}

static void
every_message_is_in_the_contract(void **state UNUSED)
{
    for (unsigned i = 0; i < 4 * MESSAGE_STATUS_COUNT; i++) {
        enum message_status status = (enum message_status)(i / 4);
        struct message message =
            message_of(status == MESSAGE_RECEIVED ? MESSAGE_IN : MESSAGE_OUT, status, i % 2 == 1);
        struct problem problem = { .count = 0 };
        struct arena *arena = arena_new(65536);
        json_t *shown = whole(&message, i / 2 % 2 == 0 ? 0 : UINT64_MAX, arena);
        enum err err = contract_responses_check(responses, "getMessage", 200, shown, arena, &problem);
        if (err != ERR_OK)
            fail_msg("%.*s: %.*s %.*s", SLICE_FMT(message_status_name(status)),
                     SLICE_FMT(problem.errors[0].pointer), SLICE_FMT(problem.errors[0].detail));
        json_decref(shown);
        arena_free(arena);
    }
}

/* The 1st, 2nd, 3rd ... allocation fails: the whole message, or NULL, which is answered 503. */
static void
nothing_is_left_out_for_lack_of_memory(void **state UNUSED)
{
    struct message message = message_of(MESSAGE_OUT, MESSAGE_FAILED, true);
    struct arena *arena = arena_new(1u << 20);
    json_t *all = whole(&message, UINT64_MAX, arena), *shown = NULL;

    for (size_t tries = 0; shown == NULL; tries++) {
        json_testing_starve(tries);
        shown = whole(&message, UINT64_MAX, arena);
        json_testing_feed();
        assert_true(tries < 1000);
    }
    assert_true(json_equal(shown, all));
    json_decref(shown);
    json_decref(all);
    arena_free(arena);
}

static void
whoever_may_not_see_numbers_is_shown_their_ends(void **state UNUSED)
{
    const uint64_t all_but = ~(UINT64_C(1) << API_SCOPE_CONTACT_IDENTITY_REVEAL);
    struct arena *arena = arena_new(1u << 20);
    struct message message = message_of(MESSAGE_OUT, MESSAGE_FAILED, true);
    struct buf text;

    for (size_t i = 0; i < 2; i++) {
        json_t *shown = whole(&message, i == 0 ? UINT64_MAX : all_but, arena);
        buf_init(&text, 65536);
        assert_ok(json_print(shown, &text));
        buf_add_byte(&text, '\0');
        const char *printed = buf_slice(&text).ptr;
        assert_int_equal(strstr(printed, "+14155550123") != NULL, i == 0);
        assert_int_equal(strstr(printed, "****0123") != NULL, i == 1);
        assert_int_equal(strstr(printed, "of 14155550199") != NULL, i == 0);   /* in an error's text */
        assert_int_equal(strstr(printed, "HBgLMTQxNTU1NTAx") != NULL, i == 0); /* a timeline's wamid */
        buf_release(&text);
        json_decref(shown);
    }
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_is_in_the_contract),
        cmocka_unit_test(nothing_is_left_out_for_lack_of_memory),
        cmocka_unit_test(whoever_may_not_see_numbers_is_shown_their_ends),
    };

    return cmocka_run_group_tests(tests, contract_open, contract_close);
}
