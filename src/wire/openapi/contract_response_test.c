#include "core/unit.h"
#include "wire/json/json.h"
#include "wire/openapi/contract.h"
#include "wire/openapi/contract_response.h"
#include <stdio.h>

static struct contract_responses *responses;
static json_t *document;

static int
responses_open(void **state UNUSED)
{
    char why[256];
    enum err err = contract_responses_compile(contract_document(), &responses, why, sizeof(why));

    if (err != ERR_OK)
        print_error("%s\n", why);
    return err != ERR_OK || json_parse(contract_document(), &document) != ERR_OK;
}

static int
responses_close(void **state UNUSED)
{
    contract_responses_free(responses);
    json_decref(document);
    return 0;
}

/* operation NULL: an event. The first error as "pointer: detail" in `error`. */
static enum err
check(const char *operation, const char *name, int status, const json_t *body, char error[static 512])
{
    struct arena *arena = arena_new(64 * 1024);
    struct problem problem = { .count = 0 };
    enum err err = operation == NULL
                       ? contract_responses_check_event(responses, name, body, arena, &problem)
                       : contract_responses_check(responses, operation, status, body, arena, &problem);

    error[0] = '\0';
    if (problem.count > 0)
        snprintf(error, 512, "%.*s: %.*s", SLICE_FMT(problem.errors[0].pointer),
                 SLICE_FMT(problem.errors[0].detail));
    arena_free(arena);
    return err;
}

static void
check_text(const char *operation, const char *name, int status, const char *text, const char *want)
{
    char error[512];
    json_t *body;

    assert_ok(json_parse(slice_text(text), &body));
    enum err err = check(operation, name, status, body, error);
    assert_string_equal(error, want);
    assert_int_equal(err, want[0] == '\0' ? ERR_OK : ERR_CONTRACT);
    json_decref(body);
}

static size_t
check_examples(const char *operation, const char *name, int status, const json_t *media)
{
    const char *key;
    json_t *example;
    char error[512];
    size_t count = 0;

    json_object_foreach(json_object_get(media, "examples"), key, example)
    {
        enum err err = check(operation, name, status, json_object_get(example, "value"), error);
        if (err != ERR_OK)
            print_error("%s %s %d %s: %s\n", operation == NULL ? "event" : operation, name, status, key,
                        error);
        assert_ok(err);
        count++;
    }
    return count;
}

static void
the_examples_of_answers_and_events_fit_the_closed_contract(void **state UNUSED)
{
    static const char *const schemas[][3] = {
        { "getChannel", "Channel", "200" },
        { "getWebhookEndpoint", "WebhookEndpoint", "200" },
        { "getApiKey", "ApiKey", "200" },
    };
    const char *path, *method, *status;
    json_t *item, *operation, *answer;
    size_t count = 0;
    char error[512];

    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            json_object_foreach(json_object_get(operation, "responses"), status, answer)
            {
                if (status[0] == '2')
                    count += check_examples(
                        json_string_value(json_object_get(operation, "operationId")), "",
                        (status[1] - '0') * 10 + (status[2] - '0') + 200,
                        json_object_get(json_object_get(answer, "content"), "application/json"));
            }
        }
    }
    json_object_foreach(json_object_get(json_object_get(document, "components"), "responses"), path, answer)
    {
        json_t *media = json_object_get(json_object_get(answer, "content"), "application/problem+json");
        if (media != NULL)
            count += check_examples("createMessage", "", 599, media);
    }
    json_object_foreach(json_object_get(document, "webhooks"), path, item)
    {
        json_t *body = json_object_get(json_object_get(item, "post"), "requestBody");
        count += check_examples(NULL, path, 0,
                                json_object_get(json_object_get(body, "content"), "application/json"));
    }
    for (size_t i = 0; i < COUNT_OF(schemas); i++) {
        json_t *all = json_object_get(json_object_get(document, "components"), "schemas");
        json_t *example = json_object_get(json_object_get(all, schemas[i][1]), "example");
        assert_non_null(example);
        assert_ok(check(schemas[i][0], "", 200, example, error));
    }
    assert_true(count >= 25);
}

static void
an_answer_with_more_or_less_than_the_contract_names_is_caught(void **state UNUSED)
{
    check_text("listMessages", "", 200, "{\"data\":[],\"has_more\":false,\"next_cursor\":null}", "");
    check_text("listMessages", "", 200, "{\"data\":[],\"has_more\":false}", "/next_cursor: is required");
    check_text("listMessages", "", 200, "{\"data\":[],\"has_more\":false,\"next_cursor\":null,\"total\":0}",
               "/total: is not a known field");
    check_text("listMessages", "", 200, "{\"data\":[{}],\"has_more\":false,\"next_cursor\":null}",
               "/data/0/id: is required");
    check_text(
        "listMessages", "", 418,
        "{\"type\":\"https://harkara.dev/problems/busy\",\"title\":\"t\",\"status\":418,\"code\":\"busy\","
        "\"instance\":\"/requests/r\",\"errors\":[{\"detail\":\"d\"}]}",
        "/errors/0: must have exactly one of \"pointer\", \"parameter\"");
    check_text("createWebhookEndpoint", "", 201, "{}", "/id: is required");
    check_text(NULL, "message.sent", 0, "{\"id\":\"evt_1\"}", "/type: is required");
}

static void
a_body_is_there_exactly_when_the_contract_says_so(void **state UNUSED)
{
    json_t *body = json_object();
    char error[512];

    assert_ok(check("deleteChannel", "", 204, NULL, error));
    assert_int_equal(check("deleteChannel", "", 204, body, error), ERR_CONTRACT);
    assert_string_equal(error, ": must not be there");
    assert_int_equal(check("getChannel", "", 200, NULL, error), ERR_CONTRACT);
    assert_string_equal(error, ": is required");
    assert_int_equal(check("getChannel", "", 201, body, error), ERR_NOT_FOUND);
    assert_int_equal(check("getNothing", "", 200, body, error), ERR_NOT_FOUND);
    assert_int_equal(check(NULL, "message.exploded", 0, body, error), ERR_NOT_FOUND);
    json_decref(body);
}

UNIT_MAIN(cmocka_unit_test_setup(the_examples_of_answers_and_events_fit_the_closed_contract, responses_open),
          cmocka_unit_test(an_answer_with_more_or_less_than_the_contract_names_is_caught),
          cmocka_unit_test_teardown(a_body_is_there_exactly_when_the_contract_says_so, responses_close))
