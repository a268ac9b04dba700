#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "domain/template/template_definition.h"
#include "wire/json/json.h"
#include <stdlib.h>

#define ARENA_BYTES (1u << 20)

static json_t *
parsed(struct slice text)
{
    json_t *tree = NULL;

    assert_ok(json_parse(text, &tree));
    return tree;
}

static enum err
judge(const json_t *body, struct arena *arena, struct problem *problem)
{
    struct template_definition definition;
    enum err err = template_definition_read(body, arena, problem, &definition);

    return err == ERR_OK ? template_definition_check(&definition, arena, problem) : err;
}

static void
definition_is_accepted(const char *name, struct slice file)
{
    json_t *body = parsed(file);
    struct arena *arena = arena_new(ARENA_BYTES);
    struct problem problem = { .count = 0 };

    if (judge(body, arena, &problem) != ERR_OK || problem.count != 0)
        fail_msg("%s: %.*s %.*s", name, SLICE_FMT(problem.errors[0].pointer),
                 SLICE_FMT(problem.errors[0].detail));
    arena_free(arena);
    json_decref(body);
}

static void
every_kind_of_template_is_accepted(void **state UNUSED)
{
    assert_int_equal(whatsapp_fixture_each("template", ".json", definition_is_accepted), 22);
}

/* Each case: a definition and all faults that are found in it, each with its place and its limit. */
static void
definitions_are_refused(const char *file UNUSED, struct slice text)
{
    json_t *cases = parsed(text), *one;
    size_t at;

    json_array_foreach(cases, at, one)
    {
        struct arena *arena = arena_new(ARENA_BYTES);
        struct problem problem = { .count = 0 };
        const json_t *faults = json_member(one, "faults");
        struct slice name = json_text_of(one, "case");

        assert_int_equal(judge(json_member(one, "body"), arena, &problem), ERR_TEMPLATE_INVALID);
        for (size_t i = 0; i < problem.count; i++) {
            const json_t *fault = json_array_get(faults, i);
            if (!slice_eq(problem.errors[i].pointer, json_text_of(fault, "pointer")) ||
                !slice_eq(problem.errors[i].detail, json_text_of(fault, "detail")))
                fail_msg("%.*s: %.*s %.*s", SLICE_FMT(name), SLICE_FMT(problem.errors[i].pointer),
                         SLICE_FMT(problem.errors[i].detail));
        }
        if (problem.count != json_array_size(faults))
            fail_msg("%.*s: %zu faults", SLICE_FMT(name), problem.count);
        arena_free(arena);
    }
    assert_true(at >= 120);
    json_decref(cases);
}

static void
every_fault_is_named_with_its_place_and_limit(void **state UNUSED)
{
    assert_int_equal(whatsapp_fixture_each("template-refused", ".json", definitions_are_refused), 1);
}

/* Takes one member or element out of the tree, the n-th in its order; false when there are fewer. */
static bool
take_out(json_t *value, size_t *n)
{
    const char *key;
    json_t *member;
    size_t index;

    json_object_foreach(value, key, member)
    {
        if ((*n)-- == 0) {
            json_object_del(value, key);
            return true;
        }
        if (take_out(member, n))
            return true;
    }
    json_array_foreach(value, index, member)
    {
        if ((*n)-- == 0) {
            json_array_remove(value, index);
            return true;
        }
        if (take_out(member, n))
            return true;
    }
    return false;
}

static void
definition_survives_without_a_part(const char *name, struct slice file)
{
    for (size_t i = 0;; i++) {
        json_t *body = parsed(file);
        struct arena *arena = arena_new(ARENA_BYTES);
        struct problem problem = { .count = 0 };
        size_t n = i;
        bool is_taken = take_out(body, &n);
        enum err err = judge(body, arena, &problem);
        if ((err == ERR_OK) != (problem.count == 0))
            fail_msg("%s without part %zu: %d with %zu faults", name, i, err, problem.count);
        arena_free(arena);
        json_decref(body);
        if (!is_taken)
            break;
    }
}

static void
a_definition_with_any_part_missing_is_judged_whole(void **state UNUSED)
{
    (void)whatsapp_fixture_each("template", ".json", definition_survives_without_a_part);
}

static void
languages_are_found_by_their_exact_code(void **state UNUSED)
{
    static const char *const known[] = { "af", "en", "en_US", "fil", "hi", "prs_AF", "zh_TW", "zu" };
    static const char *const unknown[] = { "", "xx", "en-US", "EN", "en_us", "english", "zz", "a", "e" };

    for (size_t i = 0; i < COUNT_OF(known); i++)
        assert_true(template_language_is_known(slice_text(known[i])));
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_false(template_language_is_known(slice_text(unknown[i])));
}

static void
categories_are_read_in_any_case(void **state UNUSED)
{
    enum template_category category;

    for (unsigned i = TEMPLATE_MARKETING; i <= TEMPLATE_AUTHENTICATION; i++) {
        assert_ok(template_category_parse(slice_text(template_category_word((enum template_category)i)),
                                          &category));
        assert_int_equal(category, i);
    }
    assert_ok(template_category_parse(SLICE("UTILITY"), &category));
    assert_int_equal(category, TEMPLATE_UTILITY);
    assert_int_equal(template_category_parse(SLICE("other"), &category), ERR_TEMPLATE_INVALID);
}

UNIT_MAIN(cmocka_unit_test(every_kind_of_template_is_accepted),
          cmocka_unit_test(every_fault_is_named_with_its_place_and_limit),
          cmocka_unit_test(a_definition_with_any_part_missing_is_judged_whole),
          cmocka_unit_test(languages_are_found_by_their_exact_code),
          cmocka_unit_test(categories_are_read_in_any_case))
