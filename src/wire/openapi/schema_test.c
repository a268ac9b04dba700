/* Keyword by keyword, on small schemas: what passes, what does not and how it is told, and what does not
 * compile. */
#include "core/unit.h"
#include "wire/json/json.h"
#include "wire/openapi/contract.h"
#include "wire/openapi/schema.h"
#include <stdio.h>
#include <stdlib.h>

/* A document with one schema, and others that it may refer to. */
static json_t *
document_with(const char *schema, const char *others)
{
    struct buf text;
    json_t *document;

    buf_init(&text, 1 << 20);
    buf_add_format(&text, "{\"it\":%s,\"others\":%s}", schema, others == NULL ? "{}" : others);
    assert_ok(json_parse(buf_slice(&text), &document));
    buf_release(&text);
    return document;
}

static void
check(const char *schema, const char *others, const char *value_text, bool is_closed, const char *want)
{
    json_t *document = document_with(schema, others), *value;
    struct pattern_scratch scratch = { .match = NULL };
    struct problem problem = { .count = 0 };
    struct arena *arena = arena_new(64 * 1024);
    struct schema_check check = { .arena = arena, .problem = &problem, .scratch = &scratch };
    struct schema_check silent = { .arena = arena, .scratch = &scratch };
    const struct schema *compiled;
    struct schema_set *set;
    char errors[4096] = "";
    size_t used = 0;

    assert_ok(schema_set_new(document, is_closed, &set));
    enum err err = schema_compile(set, json_object_get(document, "it"), SLICE("#"), &compiled);
    if (err != ERR_OK)
        print_error("%s\n", schema_set_why(set));
    assert_ok(err);
    assert_ok(schema_set_seal(set));
    assert_ok(json_parse(slice_text(value_text), &value));
    schema_check_value(compiled, value, &check);
    for (size_t i = 0; i < problem.count; i++)
        used += (size_t)snprintf(errors + used, sizeof(errors) - used, "%.*s: %.*s\n",
                                 SLICE_FMT(problem.errors[i].pointer), SLICE_FMT(problem.errors[i].detail));
    if (strcmp(errors, want) != 0)
        print_error("%s\nwith %s\n", schema, value_text);
    assert_string_equal(errors, want);
    assert_int_equal(check.is_invalid, want[0] != '\0');
    schema_check_value(compiled, value, &silent); /* the verdict alone is the same */
    assert_int_equal(silent.is_invalid, check.is_invalid);
    json_decref(value);
    pattern_scratch_release(&scratch);
    schema_set_free(set);
    arena_free(arena);
    json_decref(document);
}

struct row {
    const char *schema, *value, *errors;
};

static void
check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(rows[i].schema, NULL, rows[i].value, false, rows[i].errors);
}

static void
types_are_told_apart(void **state UNUSED)
{
    static const struct row rows[] = {
        { "{}", "null", "" },
        { "{}", "[1,{}]", "" },
        { "{\"type\":\"null\"}", "null", "" },
        { "{\"type\":\"null\"}", "0", ": must be null\n" },
        { "{\"type\":\"boolean\"}", "false", "" },
        { "{\"type\":\"boolean\"}", "0", ": must be true or false\n" },
        { "{\"type\":\"integer\"}", "1", "" },
        { "{\"type\":\"integer\"}", "1.0", ": must be an integer\n" },
        { "{\"type\":\"integer\"}", "\"1\"", ": must be an integer\n" },
        { "{\"type\":\"number\"}", "1", "" },
        { "{\"type\":\"number\"}", "1.5", "" },
        { "{\"type\":\"number\"}", "true", ": must be a number\n" },
        { "{\"type\":\"string\"}", "\"\"", "" },
        { "{\"type\":\"string\"}", "null", ": must be a string\n" },
        { "{\"type\":\"array\"}", "[]", "" },
        { "{\"type\":\"array\"}", "{}", ": must be an array\n" },
        { "{\"type\":\"object\"}", "{}", "" },
        { "{\"type\":\"object\"}", "[]", ": must be an object\n" },
        { "{\"type\":[\"string\",\"null\"]}", "null", "" },
        { "{\"type\":[\"string\",\"null\"]}", "1", ": must be a string or null\n" },
        { "{\"type\":[\"integer\",\"string\",\"boolean\"]}", "null",
          ": must be a string or an integer or true or false\n" },
    };
    check_rows(rows, COUNT_OF(rows));
}

static void
values_are_compared_whole(void **state UNUSED)
{
    static const struct row rows[] = {
        { "{\"const\":{\"a\":[1,null]}}", "{\"a\":[1,null]}", "" },
        { "{\"const\":{\"a\":[1,null]}}", "{\"a\":[1,2]}", ": must be {\"a\":[1,null]}\n" },
        { "{\"const\":\"a\"}", "\"b\"", ": must be \"a\"\n" },
        { "{\"const\":null}", "null", "" },
        { "{\"const\":null}", "0", ": must be null\n" },
        { "{\"enum\":[\"a\",1,null]}", "1", "" },
        { "{\"enum\":[\"a\",1,null]}", "2", ": must be one of \"a\", 1, null\n" },
        { "{\"enum\":[\"a\"]}", "\"A\"", ": must be \"a\"\n" },
        { "{\"enum\":[\"a\\\"\\n\"]}", "\"A\"", ": must be \"a\\\"\\n\"\n" },
    };
    check_rows(rows, COUNT_OF(rows));
}

static void
strings_are_measured_and_matched(void **state UNUSED)
{
    static const struct row rows[] = {
        { "{\"minLength\":2}", "\"ab\"", "" },
        { "{\"minLength\":2}", "\"\\u00e9\"", ": must be at least 2 characters\n" },
        { "{\"minLength\":1}", "\"\"", ": must not be empty\n" },
        { "{\"maxLength\":2}", "\"\\ud83d\\ude00\\ud83d\\ude00\"", "" },
        { "{\"maxLength\":1}", "\"ab\"", ": must be at most 1 character\n" },
        { "{\"maxLength\":0}", "\"a\"", ": must be at most 0 characters\n" },
        { "{\"maxLength\":1,\"minLength\":1}", "5", "" }, /* says nothing of numbers */
        { "{\"pattern\":\"^a+$\"}", "\"aa\"", "" },
        { "{\"pattern\":\"^a+$\"}", "\"ab\"", ": must match ^a+$\n" },
        { "{\"pattern\":\"^a+$\",\"x-detail\":\"must be all a\"}", "\"ab\"", ": must be all a\n" },
        { "{\"x-detail\":\"must be all a\",\"pattern\":\"^a+$\"}", "\"ab\"", ": must be all a\n" },
        { "{\"pattern\":\"^a+$\"}", "5", "" },
        { "{\"pattern\":\"^a+$\",\"maxLength\":1}", "\"bb\"", ": must be at most 1 character\n" },
        { "{\"pattern\":\"^a+$\",\"format\":\"date\"}", "\"b\"", ": must match ^a+$\n" },
        { "{\"format\":\"date\"}", "\"2026-02-30\"", ": must be a date, such as 2026-01-31\n" },
        { "{\"format\":\"date\"}", "5", "" },
    };
    check_rows(rows, COUNT_OF(rows));
}

static void
numbers_are_held_to_their_bounds(void **state UNUSED)
{
    static const struct row rows[] = {
        { "{\"minimum\":1}", "1", "" },
        { "{\"minimum\":1}", "0", ": must be at least 1\n" },
        { "{\"minimum\":1}", "0.999", ": must be at least 1\n" },
        { "{\"maximum\":1}", "1.0", "" },
        { "{\"maximum\":1}", "1.001", ": must be at most 1\n" },
        { "{\"maximum\":0.5}", "1", ": must be at most 0.5\n" },
        { "{\"maximum\":9007199254740992}", "9007199254740993", ": must be at most 9007199254740992\n" },
        { "{\"minimum\":-90,\"maximum\":90}", "-90", "" },
        { "{\"minimum\":-90,\"maximum\":90}", "-90.5", ": must be at least -90\n" },
        { "{\"minimum\":1}", "\"0\"", "" },
    };
    check_rows(rows, COUNT_OF(rows));
}

static void
arrays_are_counted_and_their_items_checked(void **state UNUSED)
{
    static const struct row rows[] = {
        { "{\"items\":{\"type\":\"integer\"}}", "[1,2]", "" },
        { "{\"items\":{\"type\":\"integer\"}}", "[1,\"2\",3,null]",
          "/1: must be an integer\n/3: must be an integer\n" },
        { "{\"items\":{\"type\":\"integer\"}}", "{}", "" },
        { "{\"minItems\":1}", "[]", ": must not be empty\n" },
        { "{\"minItems\":2}", "[1]", ": must have at least 2 items\n" },
        { "{\"maxItems\":1}", "[1,2]", ": must have at most 1 item\n" },
        { "{\"maxItems\":1,\"items\":{\"type\":\"null\"}}", "[1,2]", ": must have at most 1 item\n" },
        { "{\"maxItems\":9,\"uniqueItems\":true}", "[1,1.0,\"1\",[1],[[1]],{}]", "" },
        { "{\"maxItems\":9,\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},3,{\"b\":2,\"a\":1},3]",
          "/2: must not repeat an earlier item\n/3: must not repeat an earlier item\n" },
        { "{\"maxItems\":9,\"uniqueItems\":false}", "[1,1]", "" },
    };
    check_rows(rows, COUNT_OF(rows));
}

static void
objects_have_what_they_need_and_nothing_unknown(void **state UNUSED)
{
    static const struct row rows[] = {
        { "{\"properties\":{\"a\":{\"type\":\"null\"}}}", "{\"b\":1}", "" },
        { "{\"properties\":{\"a\":{\"type\":\"null\"}}}", "{\"a\":1}", "/a: must be null\n" },
        { "{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"~\":2,\"\":3}",
          "/~0: is not a known field\n/: is not a known field\n" },
        { "{\"properties\":{\"a\":{}},\"additionalProperties\":true}", "{\"b\":1}", "" },
        { "{\"additionalProperties\":false}", "{\"a\":1}", "/a: is not a known field\n" },
        { "{\"additionalProperties\":false}", "{}", "" },
        { "{\"required\":[\"b\",\"a\"]}", "{}", "/b: is required\n/a: is required\n" },
        { "{\"required\":[\"a\"]}", "{\"a\":null}", "" },
        { "{\"required\":[\"a\"]}", "[]", "" },
        { "{\"minProperties\":1}", "{}", ": must not be empty\n" },
        { "{\"minProperties\":2}", "{\"a\":1}", ": must have at least 2 fields\n" },
        { "{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", ": must have at most 1 field\n" },
        { "{\"properties\":{\"a\":{\"items\":{\"properties\":{\"b/c\":{\"const\":1}}}}}}",
          "{\"a\":[{},{\"b/c\":2}]}", "/a/1/b~1c: must be 1\n" },
    };
    check_rows(rows, COUNT_OF(rows));
}

static void
schemas_are_combined(void **state UNUSED)
{
    static const struct row rows[] = {
        { "{\"allOf\":[{\"minLength\":1},{\"maxLength\":2}]}", "\"ab\"", "" },
        { "{\"allOf\":[{\"minLength\":5},{\"maxLength\":2}]}", "\"abc\"",
          ": must be at least 5 characters\n: must be at most 2 characters\n" },
        { "{\"anyOf\":[{\"type\":\"object\",\"required\":[\"a\"]},{\"type\":\"null\"}]}", "null", "" },
        { "{\"anyOf\":[{\"type\":\"object\",\"required\":[\"a\"]},{\"type\":\"null\"}]}", "{}",
          "/a: is required\n" },
        { "{\"anyOf\":[{\"type\":\"object\",\"required\":[\"a\"]},{\"type\":\"null\"}]}", "5",
          ": has none of the allowed forms, or several\n" },
        { "{\"anyOf\":[{\"minimum\":1},{\"maximum\":5}]}", "3", "" },
        { "{\"oneOf\":[{\"minimum\":1},{\"maximum\":5}]}", "3",
          ": has none of the allowed forms, or several\n" },
        { "{\"oneOf\":[{\"minimum\":1},{\"maximum\":5}]}", "7", "" },
        { "{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\",\"c\"]}]}", "{\"a\":1}", "" },
        { "{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\",\"c\"]}]}", "{\"a\":1,\"b\":1}", "" },
        { "{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\",\"c\"]}]}", "{\"a\":1,\"b\":1,\"c\":1}",
          ": must have exactly one of \"a\", \"b\" with \"c\"\n" },
        { "{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{}",
          ": must have exactly one of \"a\", \"b\"\n" },
        { "{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{\"a\":1,\"b\":1}", "" },
        { "{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{}",
          ": must have at least one of \"a\", \"b\"\n" },
    };
    check_rows(rows, COUNT_OF(rows));
}

static void
a_discriminator_chooses_the_branch_whose_errors_are_told(void **state UNUSED)
{
    static const char schema[] =
        "{\"oneOf\":[{\"$ref\":\"#/others/cat\"},{\"$ref\":\"#/others/dog\"}],"
        "\"discriminator\":{\"propertyName\":\"kind\",\"mapping\":{\"cat\":\"#/others/cat\","
        "\"dog\":\"#/others/dog\",\"hound\":\"#/others/dog\"}}}";
    static const char others[] =
        "{\"cat\":{\"required\":[\"kind\",\"lives\"],\"additionalProperties\":false,"
        "\"properties\":{\"kind\":{\"const\":\"cat\"},\"lives\":{\"type\":\"integer\"}}},"
        "\"dog\":{\"properties\":{\"kind\":{\"enum\":[\"dog\",\"hound\"]},"
        "\"puppies\":{\"items\":{\"$ref\":\"#/others/dog\"}}}}}";
    static const struct {
        const char *value, *errors;
    } rows[] = {
        { "{\"kind\":\"cat\",\"lives\":9}", "" },
        { "{\"kind\":\"hound\"}", "" },
        { "{\"kind\":\"cat\",\"lives\":\"9\",\"barks\":true}",
          "/lives: must be an integer\n/barks: is not a known field\n" },
        { "{\"kind\":\"cat\"}", "/lives: is required\n" },
        { "{}", "/kind: is required\n" },
        { "{\"kind\":null}", "/kind: must be a string\n" },
        { "{\"kind\":\"cow\"}", "/kind: must be one of \"cat\", \"dog\", \"hound\"\n" },
        { "[]", ": must be an object\n" },
        { "{\"kind\":\"dog\",\"puppies\":[{\"puppies\":[{\"kind\":\"cat\"}]}]}",
          "/puppies/0/puppies/0/kind: must be one of \"dog\", \"hound\"\n" }, /* a schema within itself */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check(schema, others, rows[i].value, false, rows[i].errors);
}

static void
a_closed_set_refuses_what_an_open_one_takes(void **state UNUSED)
{
    static const char schema[] = "{\"properties\":{\"a\":{\"properties\":{\"b\":{}}}}}";

    check(schema, NULL, "{\"a\":{\"c\":1},\"d\":2}", false, "");
    check(schema, NULL, "{\"a\":{\"c\":1},\"d\":2}", true,
          "/a/c: is not a known field\n/d: is not a known field\n");
    check("{\"type\":\"object\"}", NULL, "{\"d\":2}", true, ""); /* nothing is said about its members */
    check("{\"properties\":{\"a\":{}},\"additionalProperties\":true}", NULL, "{\"d\":2}", true, "");
}

static void
what_is_not_understood_does_not_compile(void **state UNUSED)
{
    static const struct {
        const char *schema, *others, *why;
    } rows[] = {
        { "{\"patternProperties\":{}}", NULL, "#/patternProperties: this keyword is not known here" },
        { "{\"exclusiveMinimum\":1}", NULL, "#/exclusiveMinimum: this keyword is not known here" },
        { "{\"properties\":{\"a\":{\"items\":{\"not\":{}}}}}", NULL,
          "#/properties/a/items/not: this keyword is not known here" },
        { "{\"type\":\"text\"}", NULL, "#: an unknown type" },
        { "{\"type\":[]}", NULL, "#: no type" },
        { "{\"type\":[\"string\",5]}", NULL, "#: an unknown type" },
        { "{\"enum\":[]}", NULL, "#: enum without values" },
        { "{\"enum\":[1],\"const\":1}", NULL, "#: const and enum stand side by side" },
        { "{\"minLength\":-1}", NULL, "#: a count is not a whole number" },
        { "{\"maxItems\":1.5}", NULL, "#: a count is not a whole number" },
        { "{\"minimum\":\"1\"}", NULL, "#: minimum is not a number" },
        { "{\"maximum\":null}", NULL, "#: maximum is not a number" },
        { "{\"pattern\":\"(\"}", NULL, "#: pattern is no portable regular expression" },
        { "{\"pattern\":5}", NULL, "#: pattern is not text" },
        { "{\"format\":\"regex\"}", NULL, "#: an unknown format" },
        { "{\"x-detail\":\"\"}", NULL, "#: x-detail is not a short text" },
        { "{\"uniqueItems\":true}", NULL, "#: uniqueItems without a small maxItems" },
        { "{\"uniqueItems\":1,\"maxItems\":2}", NULL, "#: uniqueItems is neither true nor false" },
        { "{\"required\":[]}", NULL, "#: required without names" },
        { "{\"required\":[1]}", NULL, "#: required holds something else than names" },
        { "{\"properties\":[]}", NULL, "#: properties is not an object" },
        { "{\"additionalProperties\":{}}", NULL, "#: additionalProperties is neither true nor false" },
        { "{\"allOf\":[]}", NULL, "#: a list of schemas is empty" },
        { "{\"items\":true}", NULL, "#/items: not a schema" },
        { "{\"oneOf\":[{}],\"anyOf\":[{}]}", NULL, "#: oneOf and anyOf stand side by side" },
        { "{\"$ref\":\"#/others/nothing\"}", NULL, "#: $ref leads nowhere" },
        { "{\"$ref\":\"other.yaml#/a\"}", NULL, "#: $ref leads out of the document" },
        { "{\"$ref\":\"#/others/a\",\"minLength\":1}", "{\"a\":{}}",
          "#: $ref stands beside another keyword" },
        { "{\"$ref\":\"#/others/a\"}", "{\"a\":{\"$ref\":\"#/others/b\"},\"b\":{\"$ref\":\"#/others/a\"}}",
          "#: $ref leads in a circle" },
        { "{\"$ref\":\"#/others/a\"}", "{\"a\":{\"allOf\":[{\"anyOf\":[{\"$ref\":\"#/others/a\"}]}]}}",
          "#: a schema applies itself to the same value" },
        { "{\"discriminator\":{\"propertyName\":\"a\",\"mapping\":{\"b\":\"#/others/b\"}}}", "{\"b\":{}}",
          "#: discriminator without oneOf" },
        { "{\"oneOf\":[{}],\"discriminator\":{\"propertyName\":\"a\"}}", NULL,
          "#: discriminator without propertyName or mapping" },
        { "{\"oneOf\":[{}],\"discriminator\":{\"propertyName\":\"a\",\"mapping\":{\"b\":\"#/others/b\"}}}",
          "{\"b\":{}}", "#: discriminator leads to a schema that is not in oneOf" },
        { "{\"oneOf\":[{\"$ref\":\"#/others/b\"},{}],\"discriminator\":{\"propertyName\":\"a\",\"mapping\":"
          "{\"b\":\"#/others/b\"}}}",
          "{\"b\":{}}", "#: a schema of oneOf has no value of the discriminator" },
        { "{\"default\":5,\"type\":\"string\"}", NULL, "#: a default does not fit its own schema" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *document = document_with(rows[i].schema, rows[i].others);
        const struct schema *schema;
        struct schema_set *set;
        assert_ok(schema_set_new(document, false, &set));
        enum err err = schema_compile(set, json_object_get(document, "it"), SLICE("#"), &schema);
        if (err == ERR_OK)
            err = schema_set_seal(set);
        if (err != ERR_CONTRACT || strcmp(schema_set_why(set), rows[i].why) != 0)
            print_error("%s\n", rows[i].schema);
        assert_int_equal(err, ERR_CONTRACT);
        assert_string_equal(schema_set_why(set), rows[i].why);
        schema_set_free(set);
        json_decref(document);
    }
}

static void
annotations_change_nothing(void **state UNUSED)
{
    check("{\"title\":\"t\",\"description\":\"d\",\"example\":5,\"examples\":[6],\"deprecated\":true,\"$"
          "comment\":\"c\","
          "\"x-anything\":{},\"default\":\"abc\",\"minLength\":3}",
          NULL, "\"abc\"", false, "");
    check("{\"$ref\":\"#/others/a~1b\",\"description\":\"d\"}", "{\"a/b\":{\"const\":1}}", "2", false,
          ": must be 1\n");
}

static void
a_value_that_is_too_deep_is_refused(void **state UNUSED)
{
    json_t *document =
        document_with("{\"$ref\":\"#/others/list\"}", "{\"list\":{\"items\":{\"$ref\":\"#/others/list\"}}}");
    struct pattern_scratch scratch = { .match = NULL };
    struct schema_check check = { .scratch = &scratch };
    const struct schema *schema;
    struct schema_set *set;
    json_t *value = json_array();

    for (unsigned i = 0; i < JSON_DEPTH_MAX; i++) { /* one deeper than the parser lets through */
        json_t *outer = json_array();
        assert_int_equal(json_array_append_new(outer, value), 0);
        value = outer;
    }
    assert_ok(schema_set_new(document, false, &set));
    assert_ok(schema_compile(set, json_object_get(document, "it"), SLICE("#"), &schema));
    assert_ok(schema_set_seal(set));
    schema_check_value(schema, json_array_get(value, 0), &check);
    assert_false(check.is_invalid);
    json_t *deeper = json_array();
    assert_int_equal(json_array_append_new(deeper, value), 0);
    schema_check_value(schema, deeper, &check);
    assert_true(check.is_invalid);
    json_decref(deeper);
    schema_set_free(set);
    json_decref(document);
}

UNIT_MAIN(cmocka_unit_test(types_are_told_apart), cmocka_unit_test(values_are_compared_whole),
          cmocka_unit_test(strings_are_measured_and_matched),
          cmocka_unit_test(numbers_are_held_to_their_bounds),
          cmocka_unit_test(arrays_are_counted_and_their_items_checked),
          cmocka_unit_test(objects_have_what_they_need_and_nothing_unknown),
          cmocka_unit_test(schemas_are_combined),
          cmocka_unit_test(a_discriminator_chooses_the_branch_whose_errors_are_told),
          cmocka_unit_test(a_closed_set_refuses_what_an_open_one_takes),
          cmocka_unit_test(what_is_not_understood_does_not_compile),
          cmocka_unit_test(annotations_change_nothing), cmocka_unit_test(a_value_that_is_too_deep_is_refused))
