#include "core/unit.h"
#include "domain/template/template_item.h"
#include "wire/json/json.h"

static struct arena *arena;

static enum err
item_of(const char *text, struct template_item *out, json_t **tree)
{
    assert_ok(json_parse(slice_text(text), tree));
    return template_item_read(*tree, arena, out);
}

static void
a_whole_template_is_read(void **state UNUSED)
{
    struct template_item item;
    json_t *tree;

    arena = arena_new(4096);
    assert_ok(
        item_of("{\"id\":\"123\",\"name\":\"order_sent\",\"language\":\"en_US\",\"status\":\"REJECTED\","
                "\"category\":\"UTILITY\",\"components\":[{\"type\":\"BODY\",\"text\":\"x\"}],"
                "\"parameter_format\":\"NAMED\",\"quality_score\":{\"score\":\"YELLOW\",\"date\":1},"
                "\"rejected_reason\":\"INCORRECT_CATEGORY\",\"correct_category\":\"MARKETING\","
                "\"message_send_ttl_seconds\":600}",
                &item, &tree));
    assert_true(slice_eq(item.provider_id, SLICE("123")) && slice_eq(item.name, SLICE("order_sent")) &&
                slice_eq(item.language, SLICE("en_US")));
    assert_true(item.news.has_state && item.news.state == TEMPLATE_REJECTED);
    assert_true(slice_eq(item.news.state_reason, SLICE("incorrect_category")));
    assert_true(item.news.has_category && item.news.category == TEMPLATE_UTILITY);
    assert_true(item.news.has_correct_category && item.news.correct_category == TEMPLATE_MARKETING);
    assert_true(item.news.has_quality && item.news.quality == TEMPLATE_QUALITY_YELLOW);
    assert_true(item.news.has_format && item.news.is_named);
    assert_true(item.news.has_ttl && item.news.ttl_s == 600);
    assert_int_equal(json_array_size(item.components), 1);
    json_decref(tree);
    arena_free(arena);
}

static void
what_is_missing_or_new_says_nothing(void **state UNUSED)
{
    static const char *const said_nothing[] = {
        "{\"id\":7,\"name\":\"a\",\"language\":\"en\"}",
        "{\"id\":7,\"name\":\"a\",\"language\":\"en\",\"status\":\"DREAMING\",\"category\":\"POETRY\","
        "\"components\":{},\"rejected_reason\":\"NONE\",\"message_send_ttl_seconds\":-7}",
        "{\"id\":7,\"name\":\"a\",\"language\":\"en\",\"status\":7,\"category\":[],\"components\":\"x\","
        "\"quality_score\":[],\"rejected_reason\":{},\"message_send_ttl_seconds\":\"x\"}",
    };
    static const char *const nameless[] = {
        "{}",
        "[]",
        "7",
        "{\"id\":\"1\",\"name\":\"a\"}",
        "{\"id\":\"1\",\"language\":\"en\"}",
        "{\"name\":\"a\",\"language\":\"en\"}",
        "{\"id\":\"1\",\"name\":\"a\",\"language\":\"a_language_of_many_letters\"}",
    };
    struct template_item item;
    json_t *tree;

    arena = arena_new(4096);
    for (size_t i = 0; i < COUNT_OF(said_nothing); i++) {
        assert_ok(item_of(said_nothing[i], &item, &tree));
        assert_true(slice_eq(item.provider_id, SLICE("7")));
        assert_false(item.news.has_state || item.news.has_category || item.news.has_correct_category ||
                     item.news.has_quality || item.news.has_format || item.news.has_ttl);
        assert_int_equal(item.news.state_reason.len, 0);
        assert_null(item.components);
        json_decref(tree);
    }
    for (size_t i = 0; i < COUNT_OF(nameless); i++) {
        assert_int_equal(item_of(nameless[i], &item, &tree), ERR_NOTHING);
        json_decref(tree);
    }
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(a_whole_template_is_read), cmocka_unit_test(what_is_missing_or_new_says_nothing))
