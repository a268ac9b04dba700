#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_content.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "wire/json/json.h"
#include <stdio.h>

#define ARENA_BYTES (1u << 20)

static json_t *
parsed(struct slice text)
{
    json_t *tree = NULL;

    assert_ok(json_parse(text, &tree));
    return tree;
}

/* What a client may send is left alone. */
static void
content_is_accepted(const char *name, struct slice file)
{
    json_t *fixture = parsed(file);
    const json_t *content = json_member(fixture, "content");
    struct arena *arena = arena_new(ARENA_BYTES);
    struct problem problem = { .count = 0 };

    if (whatsapp_content_check(content, SLICE("/content"), arena, &problem) != ERR_OK || problem.count != 0)
        fail_msg("%s: %.*s", name, SLICE_FMT(problem.errors[0].pointer));
    assert_true(slice_eq(slice_text(whatsapp_content_type_word(content)), json_text_of(content, "type")));
    arena_free(arena);
    json_decref(fixture);
}

static void
every_content_that_can_be_sent_is_accepted(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("content", ".json", content_is_accepted) >= 50);
}

/* Each refused fixture names its faults: the pointer of each and what is said of it, no more and no fewer. */
static void
content_is_refused(const char *name, struct slice file)
{
    json_t *fixture = parsed(file);
    const json_t *faults = json_member(fixture, "faults");
    struct arena *arena = arena_new(ARENA_BYTES);
    struct problem problem = { .count = 0 };

    assert_int_equal(
        whatsapp_content_check(json_member(fixture, "content"), SLICE("/content"), arena, &problem),
        ERR_MESSAGE_INVALID);
    for (size_t i = 0; i < problem.count; i++) {
        const json_t *fault = json_array_get(faults, i);
        if (!slice_eq(problem.errors[i].pointer, json_text_of(fault, "pointer")) ||
            !slice_eq(problem.errors[i].detail, json_text_of(fault, "detail")))
            fail_msg("%s: %.*s %.*s", name, SLICE_FMT(problem.errors[i].pointer),
                     SLICE_FMT(problem.errors[i].detail));
    }
    if (problem.count != json_array_size(faults))
        fail_msg("%s: %zu faults", name, problem.count);
    arena_free(arena);
    json_decref(fixture);
}

static void
every_refused_content_names_its_faults(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("content-refused", ".json", content_is_refused) >= 80);
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

/* A content with a hole anywhere is judged, not crashed on; and every pointer leads into the content. */
static void
holes_are_survived(const char *name UNUSED, struct slice file)
{
    for (size_t n = 0, left = 0; left == 0; n++) {
        json_t *fixture = parsed(file);
        json_t *content = json_object_get(fixture, "content");
        struct arena *arena = arena_new(ARENA_BYTES);
        struct problem problem = { .count = 0 };
        size_t at = n;
        if (!take_out(content, &at))
            left = 1;
        enum err err = whatsapp_content_check(content, SLICE("/content"), arena, &problem);
        assert_true(err == (problem.count == 0 ? ERR_OK : ERR_MESSAGE_INVALID));
        assert_ok(whatsapp_content_check_times(content, (struct wall_time){ 1 }, SLICE("/content"), arena,
                                               &problem));
        for (size_t i = 0; i < problem.count; i++)
            assert_true(slice_starts_with(problem.errors[i].pointer, SLICE("/content")));
        arena_free(arena);
        json_decref(fixture);
    }
}

static void
a_hole_anywhere_is_judged_and_not_crashed_on(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("content", ".json", holes_are_survived) >= 50);
}

static void
only_a_reaction_quotes_no_message(void **state UNUSED)
{
    json_t *reaction =
        parsed(SLICE("{\"type\":\"reaction\",\"reaction\":{\"message_id\":\"msg_1\",\"emoji\":\"\"}}"));
    json_t *text =
        parsed(SLICE("{\"type\":\"text\",\"text\":{\"body\":\"x\"},\"reaction\":{\"message_id\":\"m\"}}"));

    assert_false(whatsapp_content_may_quote(reaction));
    assert_true(whatsapp_content_may_quote(text));
    json_decref(reaction);
    json_decref(text);
}

/* A message that leaves within the second `leaves_s`, and an order that can be paid until `until`. */
static void
order_is_judged(const char *head, const char *until, const char *tail, int64_t leaves_s, const char *pointer)
{
    struct arena *arena = arena_new(ARENA_BYTES);
    struct problem problem = { .count = 0 };
    char text[512];

    snprintf(text, sizeof(text), "%s%s%s", head, until, tail);
    json_t *content = parsed(slice_text(text));
    enum err err = whatsapp_content_check_times(content, (struct wall_time){ leaves_s * 1000000 + 999999 },
                                                SLICE("/content"), arena, &problem);
    assert_int_equal(err, pointer == NULL ? ERR_OK : ERR_MESSAGE_INVALID);
    assert_int_equal(problem.count, pointer == NULL ? 0 : 1);
    if (pointer != NULL)
        assert_true(slice_eq(problem.errors[0].pointer, slice_text(pointer)));
    json_decref(content);
    arena_free(arena);
}

static void
an_order_can_be_paid_for_some_minutes_after_it_left(void **state UNUSED)
{
    static const struct {
        const char *head, *tail, *pointer;
    } places[] = {
        { "{\"type\":\"interactive\",\"interactive\":{\"type\":\"order_details\",\"action\":{\"parameters\":{\"order\":"
          "{\"expiration\":{\"timestamp\":",
          "}}}}}}", "/content/interactive/action/parameters/order/expiration/timestamp" },
        { "{\"type\":\"template\",\"template\":{\"components\":[{\"type\":\"body\",\"parameters\":[{}]},{\"type\":"
          "\"button\",\"parameters\":[{\"action\":{\"order_details\":{\"order\":{\"expiration\":{\"timestamp\":",
          "}}}}}]}]}}",
          "/content/template/components/1/parameters/0/action/order_details/order/expiration/timestamp" },
    };
    static const struct {
        const char *until;
        bool is_refused;
    } rows[] = {
        { "\"1795000300\"", false }, { "\"1795000299\"", true }, { "\"1795000000\"", true },
        { "\"1794999999\"", true },  { "\"0\"", true },          { "\"4102444800\"", false },
        { "\"soon\"", false }, /* the contract's to say */
        { "null", false },
    };

    for (size_t p = 0; p < COUNT_OF(places); p++)
        for (size_t i = 0; i < COUNT_OF(rows); i++)
            order_is_judged(places[p].head, rows[i].until, places[p].tail, 1795000000,
                            rows[i].is_refused ? places[p].pointer : NULL);
}

/* More faults than a problem document holds: it stays refused, and the document stays within its limit. */
static void
many_faults_fill_the_problem_and_no_more(void **state UNUSED)
{
    struct arena *arena = arena_new(ARENA_BYTES);
    struct problem problem = { .count = 0 };
    json_t *content = parsed(SLICE("{\"type\":\"template\",\"template\":{\"components\":[]}}"));
    json_t *components = json_object_get(json_object_get(content, "template"), "components");

    for (size_t i = 0; i < 100; i++)
        json_array_append_new(components, json_pack("{s:s}", "type", "nothing"));
    assert_int_equal(whatsapp_content_check(content, SLICE(""), arena, &problem), ERR_MESSAGE_INVALID);
    assert_int_equal(problem.count, PROBLEM_ERRORS_MAX);
    json_decref(content);
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(every_content_that_can_be_sent_is_accepted),
          cmocka_unit_test(every_refused_content_names_its_faults),
          cmocka_unit_test(a_hole_anywhere_is_judged_and_not_crashed_on),
          cmocka_unit_test(only_a_reaction_quotes_no_message),
          cmocka_unit_test(an_order_can_be_paid_for_some_minutes_after_it_left),
          cmocka_unit_test(many_faults_fill_the_problem_and_no_more))
