/* Documents that do not compile, and why: each is a small sound one with one thing changed. */
#include "core/unit.h"
#include "wire/openapi/contract.h"
#include <stdio.h>

#define OPERATION_OF(id, parameters, body)                                                                   \
    "{\"operationId\":\"" id "\",\"parameters\":[" parameters "],\"requestBody\":" body "}"
#define BODY_OF(schema) "{\"required\":true,\"content\":{\"application/json\":{\"schema\":" schema "}}}"
#define DOCUMENT_OF(version, operations)                                                                     \
    "{\"openapi\":\"" version                                                                                \
    "\",\"paths\":{\"/v1/things/{id}\":{\"parameters\":[{\"name\":\"id\",\"in\":\"path\"}]," operations      \
    "}}}"
#define WITH_PARAMETER(parameter)                                                                            \
    DOCUMENT_OF("3.1.0", "\"post\":" OPERATION_OF("makeThing", parameter, BODY_OF("{\"type\":\"object\"}")))
#define WITH_BODY(body) DOCUMENT_OF("3.1.0", "\"post\":" OPERATION_OF("makeThing", "", body))

static void
a_small_contract_compiles(void **state UNUSED)
{
    static const char document[] = WITH_PARAMETER(
        "{\"name\":\"X-Header\",\"in\":\"header\"},{\"name\":\"flag\",\"in\":\"query\",\"required\":true,"
        "\"schema\":{\"type\":\"boolean\"}},{\"name\":\"numbers\",\"in\":\"query\",\"explode\":false,"
        "\"schema\":{\"type\":\"array\",\"maxItems\":2,\"items\":{\"type\":\"integer\",\"maximum\":9}}}");
    static const struct {
        const char *flag, *numbers, *error; /* the first error's parameter; NULL: passes */
    } rows[] = {
        { "true", "1,2", NULL },       { "false", "", NULL },
        { "1", "1", "flag" },          { "", "1", "flag" },
        { "TRUE", "1", "flag" },       { NULL, "1", "flag" },
        { "true", "1,10", "numbers" }, { "true", "1,x", "numbers" },
        { "true", ",", "numbers" },    { "true", "1,2,3", "numbers" },
        { "true", "1;2", "numbers" },
    };
    struct contract *contract;
    char why[256];

    assert_ok(contract_compile(slice_text(document), &contract, why, sizeof(why)));
    assert_string_equal(why, "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct contract_parameter given[2] = { { SLICE("numbers"), slice_text(rows[i].numbers) },
                                               { SLICE("flag"), slice_text(rows[i].flag) } };
        struct problem problem = { .count = 0 };
        struct arena *arena = arena_new(4096);
        enum err err = contract_check_query(contract_find(contract, "makeThing"), given,
                                            rows[i].flag == NULL ? 1 : 2, arena, &problem);
        assert_int_equal(err, rows[i].error == NULL ? ERR_OK : ERR_QUERY);
        assert_true(rows[i].error == NULL ||
                    slice_eq(problem.errors[0].parameter, slice_text(rows[i].error)));
        arena_free(arena);
    }
    contract_free(contract);
}

static void
a_document_that_could_be_misread_does_not_compile(void **state UNUSED)
{
    static const struct {
        const char *document;
        enum err err;
        const char *why;
    } rows[] = {
        { "", ERR_JSON_SYNTAX, "not JSON" },
        { "{\"openapi\":\"3.1.0\",\"openapi\":\"3.1.0\"}", ERR_JSON_SYNTAX, "not JSON" },
        { DOCUMENT_OF("3.0.3", "\"post\":" OPERATION_OF("a", "", BODY_OF("{}"))), ERR_CONTRACT,
          "#: not OpenAPI 3.1" },
        { WITH_BODY(BODY_OF("{\"type\":\"object\",\"not\":{}}")), ERR_CONTRACT,
          "/v1/things/{id}/post/not: this keyword is not known here" },
        { WITH_BODY(BODY_OF("{\"type\":\"string\",\"default\":5}")), ERR_CONTRACT,
          "#: a default does not fit its own schema" },
        { WITH_BODY("{\"content\":{\"application/json\":{\"schema\":{}}}}"), ERR_CONTRACT,
          "/v1/things/{id}/post: a body that is not JSON, or not required" },
        { WITH_BODY("{\"required\":true,\"content\":{\"text/plain\":{\"schema\":{}}}}"), ERR_CONTRACT,
          "/v1/things/{id}/post: a body that is not JSON, or not required" },
        { WITH_BODY(
              "{\"required\":true,\"content\":{\"application/json\":{\"schema\":{}},\"text/plain\":{}}}"),
          ERR_CONTRACT, "/v1/things/{id}/post: a body that is not JSON, or not required" },
        { WITH_BODY("{\"required\":true,\"content\":{\"application/json\":{}}}"), ERR_CONTRACT,
          "/v1/things/{id}/post: not a schema" },
        { WITH_BODY("{\"$ref\":\"#/components/requestBodies/none\"}"), ERR_CONTRACT,
          "/v1/things/{id}/post: $ref leads nowhere" },
        { WITH_PARAMETER("{\"name\":\"a\",\"in\":\"cookie\"}"), ERR_CONTRACT,
          "/v1/things/{id}/post: a parameter in an unknown place" },
        { WITH_PARAMETER("{\"in\":\"query\",\"schema\":{\"type\":\"string\"}}"), ERR_CONTRACT,
          "/v1/things/{id}/post: a parameter without a name" },
        { WITH_PARAMETER("{\"name\":\"a\",\"in\":\"query\"}"), ERR_CONTRACT,
          "/v1/things/{id}/post: not a schema" },
        { WITH_PARAMETER("{\"name\":\"a\",\"in\":\"query\",\"schema\":{\"type\":\"array\",\"items\":{}}}"),
          ERR_CONTRACT, "/v1/things/{id}/post: a list parameter without explode: false and items" },
        { WITH_PARAMETER(
              "{\"name\":\"a\",\"in\":\"query\",\"explode\":false,\"schema\":{\"type\":\"array\"}}"),
          ERR_CONTRACT, "/v1/things/{id}/post: a list parameter without explode: false and items" },
        { WITH_PARAMETER("{\"name\":\"a\",\"in\":\"query\",\"schema\":{\"type\":[\"string\",\"null\"]}}"),
          ERR_CONTRACT, "/v1/things/{id}/post: a parameter of a type that no text stands for" },
        { WITH_PARAMETER(
              "{\"name\":\"a\",\"in\":\"query\",\"explode\":false,\"schema\":{\"type\":\"array\",\"items\":"
              "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}"),
          ERR_CONTRACT, "/v1/things/{id}/post: a parameter of a type that no text stands for" },
        { WITH_PARAMETER("{\"name\":\"a\",\"in\":\"query\",\"schema\":{\"type\":\"object\"}}"), ERR_CONTRACT,
          "/v1/things/{id}/post: a parameter of a type that no text stands for" },
        { DOCUMENT_OF("3.1.0", "\"post\":" OPERATION_OF("", "", BODY_OF("{}"))), ERR_CONTRACT,
          "/v1/things/{id}/post: an operation without operationId" },
        { DOCUMENT_OF("3.1.0", "\"get\":{\"operationId\":\"a\"},\"put\":{\"operationId\":\"a\"}"),
          ERR_CONTRACT, "/v1/things/{id}/put: an operationId stands twice" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct contract *contract = (struct contract *)&contract;
        char why[256] = "untouched";
        enum err err = contract_compile(slice_text(rows[i].document), &contract, why, sizeof(why));
        if (err != rows[i].err)
            print_error("row %zu: %s\n", i, why);
        assert_int_equal(err, rows[i].err);
        assert_string_equal(why, rows[i].why);
        assert_null(contract);
    }
}

UNIT_MAIN(cmocka_unit_test(a_small_contract_compiles),
          cmocka_unit_test(a_document_that_could_be_misread_does_not_compile))
