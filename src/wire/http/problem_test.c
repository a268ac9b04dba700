#include "core/unit.h"
#include "wire/http/problem.h"
#include "wire/json/json.h"
#include <jansson.h>

static json_t *
print_and_parse(enum err err, const struct problem *problem)
{
    struct buf text;
    json_t *json;

    buf_init(&text, 65536);
    problem_print(&text, err, problem, SLICE("req_01"));
    assert_ok(buf_done(&text));
    assert_ok(json_parse(buf_slice(&text), &json));
    buf_release(&text);
    return json;
}

static void
assert_member(const json_t *json, const char *member, const char *text)
{
    if (!slice_eq(json_text_of(json, member), slice_text(text)))
        fail_msg("%s is not \"%s\"", member, text);
}

static void
the_document_says_what_was_wrong_and_where(void **state UNUSED)
{
    struct arena *arena = arena_new(4096);
    struct problem problem = { .detail = SLICE("Say it \"again\".") };

    assert_non_null(arena);
    problem_add(&problem, arena, SLICE("/to"), SLICE("must be E.164, such as +14155550123"));
    problem_add(&problem, arena, SLICE_EMPTY, SLICE("must be an object"));
    problem_add_parameter(&problem, arena, SLICE("limit"), SLICE("must be a number"));
    json_t *json = print_and_parse(ERR_RECIPIENT_INVALID, &problem);
    assert_member(json, "type", "https://harkara.dev/problems/recipient-invalid");
    assert_member(json, "title", "The recipient address is not valid.");
    assert_member(json, "code", "recipient-invalid");
    assert_member(json, "detail", "Say it \"again\".");
    assert_member(json, "instance", "/requests/req_01");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 422);
    const json_t *errors = json_object_get(json, "errors");
    assert_int_equal(json_array_size(errors), 3);
    assert_member(json_array_get(errors, 0), "pointer", "/to");
    assert_member(json_array_get(errors, 0), "detail", "must be E.164, such as +14155550123");
    assert_member(json_array_get(errors, 1), "pointer", "");
    assert_member(json_array_get(errors, 2), "parameter", "limit");
    assert_null(json_object_get(json_array_get(errors, 2), "pointer"));
    json_decref(json);
    arena_free(arena);
}

static void
our_own_faults_are_not_explained(void **state UNUSED)
{
    struct arena *arena = arena_new(4096);
    struct problem problem = { .detail = SLICE("the disk is full") };

    problem_add(&problem, arena, SLICE("/to"), SLICE("secret"));
    json_t *json = print_and_parse(ERR_DB_STATEMENT, &problem);
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 500);
    assert_null(json_object_get(json, "detail"));
    assert_null(json_object_get(json, "errors"));
    json_decref(json);
    json = print_and_parse(ERR_NOT_FOUND, NULL);
    assert_int_equal(json_object_size(json), 5);
    json_decref(json);
    arena_free(arena);
}

static void
every_reason_has_a_status_of_its_class(void **state UNUSED)
{
    for (enum err err = ERR_OK + 1; err < ERR_COUNT; err++) {
        int status = problem_status(err);
        assert_in_range(status, 400, 503);
        json_t *json = print_and_parse(err, NULL);
        assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
        json_decref(json);
    }
    assert_int_equal(problem_status(ERR_JSON_SYNTAX), 400);
    assert_int_equal(problem_status(ERR_KEY_INVALID), 401);
    assert_int_equal(problem_status(ERR_SCOPE), 403);
    assert_int_equal(problem_status(ERR_NOT_FOUND), 404);
    assert_int_equal(problem_status(ERR_ID_SYNTAX),
                     404); /* another tenant's, nobody's, or no id at all: the same */
    assert_int_equal(problem_status(ERR_HTTP_METHOD), 405);
    assert_int_equal(problem_status(ERR_EXISTS), 409);
    assert_int_equal(problem_status(ERR_HTTP_PRECONDITION), 412);
    assert_int_equal(problem_status(ERR_HTTP_BODY_SIZE), 413);
    assert_int_equal(problem_status(ERR_HTTP_MEDIA_TYPE), 415);
    assert_int_equal(problem_status(ERR_CONTRACT), 422);
    assert_int_equal(problem_status(ERR_BUSY), 503);
    assert_int_equal(problem_status(ERR_SEAL_CORRUPT), 500);
}

static void
errors_beyond_the_limit_or_without_room_are_left_out(void **state UNUSED)
{
    struct arena *arena = arena_new(256);
    struct problem problem = { 0 };

    for (size_t i = 0; i < PROBLEM_ERRORS_MAX + 4; i++)
        problem_add(&problem, arena, SLICE("/a"), SLICE("is wrong"));
    assert_in_range(problem.count, 1, PROBLEM_ERRORS_MAX - 1); /* the arena was full first */
    arena_free(arena);
    arena = arena_new(65536);
    problem = (struct problem){ 0 };
    for (size_t i = 0; i < PROBLEM_ERRORS_MAX + 4; i++)
        problem_add_parameter(&problem, arena, SLICE("a"), SLICE("is wrong"));
    assert_int_equal(problem.count, PROBLEM_ERRORS_MAX);
    json_decref(print_and_parse(ERR_QUERY, &problem));
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(the_document_says_what_was_wrong_and_where),
          cmocka_unit_test(our_own_faults_are_not_explained),
          cmocka_unit_test(every_reason_has_a_status_of_its_class),
          cmocka_unit_test(errors_beyond_the_limit_or_without_room_are_left_out))
