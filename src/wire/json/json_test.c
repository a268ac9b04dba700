#include "core/unit.h"
#include "wire/json/json.h"
#include "wire/json/json_internal.h"
#include <malloc.h>
#include <stdlib.h>

static void
assert_slice(struct slice got, const char *want)
{
    if (!slice_eq(got, slice_text(want))) {
        print_error("got  %.*s\nwant %s\n", SLICE_FMT(got), want);
        fail();
    }
}

static void
what_is_not_json_is_refused_with_its_reason(void **state UNUSED)
{
    const struct {
        struct slice text;
        enum err err;
    } rows[] = {
        { SLICE(""), ERR_JSON_SYNTAX },
        { SLICE(" "), ERR_JSON_SYNTAX },
        { SLICE("{"), ERR_JSON_SYNTAX },
        { SLICE("{} {}"), ERR_JSON_SYNTAX },
        { SLICE("{}\0"), ERR_JSON_SYNTAX },
        { SLICE("{\"a\":1,}"), ERR_JSON_SYNTAX },
        { SLICE("[1,]"), ERR_JSON_SYNTAX },
        { SLICE("{a:1}"), ERR_JSON_SYNTAX },
        { SLICE("'a'"), ERR_JSON_SYNTAX },
        { SLICE("NaN"), ERR_JSON_SYNTAX },
        { SLICE("[Infinity]"), ERR_JSON_SYNTAX },
        { SLICE("01"), ERR_JSON_SYNTAX },
        { SLICE("+1"), ERR_JSON_SYNTAX },
        { SLICE("1e999"), ERR_JSON_SYNTAX },
        { SLICE("9223372036854775808"), ERR_JSON_SYNTAX },
        { SLICE("{\"a\":1,\"a\":2}"), ERR_JSON_SYNTAX },
        { SLICE("{\"a\":1,\"\\u0061\":2}"), ERR_JSON_SYNTAX }, /* the same name, written differently */
        { SLICE("\"\\u0000\""), ERR_JSON_SYNTAX },
        { SLICE("{\"a\\u0000b\":1}"), ERR_JSON_SYNTAX },
        { SLICE("\"\\ud800\""), ERR_JSON_SYNTAX },
        { SLICE("\"a\nb\""), ERR_JSON_SYNTAX },
        { SLICE("\"a"), ERR_JSON_SYNTAX },
        { SLICE("\"\\"), ERR_JSON_SYNTAX },
        { SLICE("\xef\xbb\xbf{}"), ERR_JSON_SYNTAX }, /* a byte order mark */
        { SLICE("// a\n{}"), ERR_JSON_SYNTAX },
        { SLICE("\"\xff\""), ERR_UTF8 },
        { SLICE("\"\xc0\xaf\""), ERR_UTF8 },
        { SLICE("\"\xed\xa0\x80\""), ERR_UTF8 },
        { SLICE("\xff\xfe{\0}\0"), ERR_UTF8 }, /* UTF-16 */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *tree = (json_t *)&tree;
        enum err err = json_parse(rows[i].text, &tree);
        if (err != rows[i].err)
            print_error("row %zu: %s\n", i, err_code(err));
        assert_int_equal(err, rows[i].err);
        assert_null(tree);
    }
}

/* Brackets around a string full of brackets, which must not count. */
static char *
nested(size_t depth)
{
    static const char inside[] = "\"[[[[{{{{\\\"[\"";
    char *text = calloc(1, 2 * depth + sizeof(inside));

    assert_non_null(text);
    memset(text, '[', depth);
    memcpy(text + depth, inside, sizeof(inside) - 1);
    memset(text + depth + sizeof(inside) - 1, ']', depth);
    return text;
}

static void
nesting_is_counted_outside_of_strings_before_the_tree_is_built(void **state UNUSED)
{
    json_t *tree;
    char *most = nested(JSON_DEPTH_MAX), *more = nested(JSON_DEPTH_MAX + 1);

    assert_ok(json_parse(slice_text(most), &tree));
    json_decref(tree);
    assert_int_equal(json_parse(slice_text(more), &tree), ERR_JSON_DEPTH);
    free(most);
    free(more);

    char *open = calloc(1, 1000001); /* a million opened and none closed */
    assert_non_null(open);
    memset(open, '{', 1000000);
    assert_int_equal(json_parse(slice_text(open), &tree), ERR_JSON_DEPTH);
    free(open);
    assert_ok(
        json_parse(SLICE("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                         "[],[],[],[],[],[],[],[],[],[],[],[],[]]"),
                   &tree));
    json_decref(tree);
}

static void
any_value_may_stand_on_top(void **state UNUSED)
{
    static const char *const texts[] = { "null", "true", "false", "0",  "-1",
                                         "1.5",  "\"\"", "[]",    "{}", " {} \n" };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *tree;
        assert_ok(json_parse(slice_text(texts[i]), &tree));
        json_decref(tree);
    }
}

/* rows of {what is parsed, what json_print or json_print_canonical makes of it} */
static void
assert_printed(const char *const rows[][2], size_t count, enum err (*print)(const json_t *, struct buf *))
{
    for (size_t i = 0; i < count; i++) {
        struct buf out;
        json_t *tree;
        buf_init(&out, 4096);
        assert_ok(json_parse(slice_text(rows[i][0]), &tree));
        assert_ok(print(tree, &out));
        assert_slice(buf_slice(&out), rows[i][1]);
        json_decref(tree);
        buf_release(&out);
    }
}

static void
a_tree_prints_compact_in_its_own_order(void **state UNUSED)
{
    static const char *const rows[][2] = {
        { "{ \"b\" : 1 , \"a\" : [ true , null ] }", "{\"b\":1,\"a\":[true,null]}" },
        { "12.9715987", "12.9715987" },
        { "0.1", "0.1" },
        { "9007199254740993", "9007199254740993" },
        { "-9223372036854775808", "-9223372036854775808" },
        { "\"\\u0041\\/\\n\\u00e9\xe2\x82\xac\"", "\"A/\\n\xc3\xa9\xe2\x82\xac\"" },
    };
    assert_printed(rows, COUNT_OF(rows), json_print);
}

static void
the_same_value_has_one_canonical_form(void **state UNUSED)
{
    static const char *const rows[][2] = {
        { "{\"b\":1,\"a\":{\"d\":2,\"c\":3}}", "{\"a\":{\"c\":3,\"d\":2},\"b\":1}" },
        { "{\"a\":{\"c\":3,\"d\":2},\"b\":1}", "{\"a\":{\"c\":3,\"d\":2},\"b\":1}" },
        { "{\"aa\":1,\"a\":2,\"B\":3,\"\":4,\"\\u00e9\":5}",
          "{\"\":4,\"B\":3,\"a\":2,\"aa\":1,\"\xc3\xa9\":5}" },
        { "[3,1,2]", "[3,1,2]" }, /* the order of an array means something */
        { "1", "1" },
        { "1.0", "1.0" },
        { "1e0", "1.0" },
        { "1.00", "1.0" },
        { "100e-2", "1.0" },
        { "-0", "0" },
        { "-0.0", "-0.0" },
        { "0.1", "0.1" },
        { "0.10000000000000001", "0.1" },
        { "0.30000000000000004", "0.30000000000000004" },
        { "1e300", "1e+300" },
        { "123456789012345680000.0", "1.2345678901234568e+20" },
        { "5e-324", "5e-324" },
        { "1.7976931348623157e308", "1.7976931348623157e+308" },
        { "\"\\u0041\\u001f\\u007f\"", "\"A\\u001f\x7f\"" },
        { "[true,false,null,\"\\\\\\\"\"]", "[true,false,null,\"\\\\\\\"\"]" },
    };
    assert_printed(rows, COUNT_OF(rows), json_print_canonical);
}

static void
different_values_differ_in_their_canonical_form(void **state UNUSED)
{
    static const char *const texts[] = { "1",         "1.0",  "\"1\"",    "true", "[1]",
                                         "{\"1\":1}", "null", "\"null\"", "[[]]", "[{}]",
                                         "[]",        "{}",   "\"\"",     "0.1",  "0.10000000000000002" };
    struct buf forms[COUNT_OF(texts)];

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *tree;
        buf_init(&forms[i], 256);
        assert_ok(json_parse(slice_text(texts[i]), &tree));
        assert_ok(json_print_canonical(tree, &forms[i]));
        json_decref(tree);
        for (size_t j = 0; j < i; j++)
            assert_false(slice_eq(buf_slice(&forms[i]), buf_slice(&forms[j])));
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        buf_release(&forms[i]);
}

static void
printing_past_the_limit_is_reported(void **state UNUSED)
{
    json_t *tree;
    struct buf out;

    assert_ok(json_parse(SLICE("{\"a\":\"0123456789\",\"b\":[1,2,3]}"), &tree));
    for (size_t limit = 0; limit < 30; limit++) {
        buf_init(&out, limit);
        assert_int_equal(json_print(tree, &out), ERR_LIMIT);
        buf_release(&out);
        assert_int_equal(json_print_canonical(tree, &out), ERR_LIMIT);
        buf_release(&out);
    }
    json_decref(tree);
}

static void
a_tree_of_ours_that_is_too_deep_does_not_print_canonically(void **state UNUSED)
{
    json_t *tree = json_array();
    struct buf out;

    for (unsigned i = 0; i < JSON_DEPTH_MAX; i++) {
        json_t *outer = json_array();
        assert_int_equal(json_array_append_new(outer, tree), 0);
        tree = outer;
    }
    buf_init(&out, 4096);
    assert_int_equal(json_print_canonical(tree, &out), ERR_JSON_DEPTH);
    buf_release(&out);
    json_decref(tree);
}

static void
members_are_read_by_name_and_type(void **state UNUSED)
{
    json_t *tree;
    int64_t number = 7;

    assert_ok(
        json_parse(SLICE("{\"text\":\"x\",\"empty\":\"\",\"int\":-5,\"real\":5.0,\"null\":null}"), &tree));
    assert_slice(json_text_of(tree, "text"), "x");
    assert_non_null(json_text_of(tree, "empty").ptr);
    assert_int_equal(json_text_of(tree, "empty").len, 0);
    assert_null(json_text_of(tree, "int").ptr);
    assert_null(json_text_of(tree, "missing").ptr);
    assert_null(json_text_of(NULL, "text").ptr);
    assert_true(json_is_null(json_member(tree, "null")));
    assert_null(json_member(tree, "missing"));
    assert_null(json_member(NULL, "text"));
    assert_null(json_member(json_member(tree, "text"), "text"));
    assert_false(json_int_of(tree, "real", &number));
    assert_false(json_int_of(tree, "text", &number));
    assert_false(json_int_of(tree, "missing", &number));
    assert_false(json_int_of(NULL, "int", &number));
    assert_int_equal(number, 7);
    assert_true(json_int_of(tree, "int", &number));
    assert_int_equal(number, -5);
    json_decref(tree);
}

/* Every code point below U+0800, and some beyond, comes back as it was written. */
static void
a_written_string_reads_back_the_same(void **state UNUSED)
{
    char text[8192];
    size_t len = 0;
    struct buf out;
    json_t *tree;

    for (unsigned c = 1; c < 0x800; c++) { /* U+0000 may be written, but is refused by the parser */
        if (c >= 0x80)
            text[len++] = (char)(0xC0 | c >> 6);
        text[len++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
    }
    static const char beyond[] = "\xe2\x80\xa8\xe2\x82\xac\xef\xbf\xbf\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf";
    memcpy(text + len, beyond, sizeof(beyond) - 1);
    len += sizeof(beyond) - 1;
    buf_init(&out, 65536);
    json_add_string(&out, slice_of(text, len));
    assert_ok(buf_done(&out));
    assert_ok(json_parse(buf_slice(&out), &tree));
    assert_true(slice_eq(slice_of(json_string_value(tree), json_string_length(tree)), slice_of(text, len)));
    json_decref(tree);
    buf_clear(&out);
    json_add_string(&out, SLICE("\0\b\f\n\r\t\x1f\"\\/"));
    assert_slice(buf_slice(&out), "\"\\u0000\\b\\f\\n\\r\\t\\u001f\\\"\\\\/\"");
    buf_release(&out);
}

static void
pointer_tokens_are_escaped(void **state UNUSED)
{
    struct buf out;

    buf_init(&out, 64);
    json_pointer_add(&out, SLICE("a/b~c"));
    json_pointer_add_index(&out, 10);
    json_pointer_add(&out, SLICE(""));
    json_pointer_add(&out, SLICE("~1"));
    assert_slice(buf_slice(&out), "/a~1b~0c/10//~01");
    buf_release(&out);
}

static size_t allocations_left;

static void *
allocate_while_left(size_t bytes)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return malloc(bytes);
}

static void
a_parser_without_memory_says_so(void **state UNUSED)
{
    struct slice text =
        SLICE("{\"a\":[1,2.5,\"x\",\"a string that is longer than the first buffer\"],\"b\":{\"c\":null},"
              "\"d\":\"\\ud83d\\ude00\",\"e\":12345678901}");
    json_t *tree = NULL;
    size_t tries = 0;
    enum err err;

    assert_ok(json_parse(text, &tree)); /* the hash seed is drawn by now */
    json_decref(tree);
    json_use_allocator(allocate_while_left, free);
    do {
        allocations_left = tries++;
        err = json_parse(text, &tree);
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
    } while (err != ERR_OK);
    json_use_allocator(malloc, free);
    assert_true(tries > 10);
    json_decref(tree);
}

static void
a_tree_in_an_arena_takes_nothing_from_elsewhere(void **state UNUSED)
{
    struct arena *arena = arena_new(1u << 20);
    const json_t *tree = NULL;
    int64_t number = 0;

    assert_non_null(arena);
    json_use_allocator(allocate_while_left, free);
    allocations_left = 0;
    assert_ok(json_parse_in(arena,
                            SLICE("{\"a\":{\"b\":[1,2.5,\"x\"]},\"c\":7,\"1\":0,\"2\":0,\"3\":0,\"4\":0,"
                                  "\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0}"),
                            &tree));
    assert_true(json_int_of(tree, "c", &number) && number == 7);
    assert_true(arena_used(arena) > 500); /* which it wipes as it ends */
    assert_int_equal(json_parse_in(arena, SLICE("{\"a\":{\"b\":[1,2.5,\"x\"]},"), &tree), ERR_JSON_SYNTAX);
    assert_null(tree);
    arena_free(arena);
    json_use_allocator(malloc, free);
    json_t *own = NULL; /* and nothing goes there any more */
    assert_ok(json_parse(SLICE("{\"a\":[1]}"), &own));
    json_decref(own);
}

static void
what_shares_values_of_a_tree_in_an_arena_is_let_go_before_it(void **state UNUSED)
{
    struct arena *arena = arena_new(1u << 20);
    const json_t *tree = NULL;

    assert_non_null(arena);
    assert_ok(json_parse_in(arena, SLICE("{\"a\":{\"b\":1},\"c\":\"x\"}"), &tree));
    json_t *copy = json_copy(json_iterable(tree)), *deep = json_deep_copy(tree);
    assert_int_equal(json_object_del(copy, "c"), 0);
    assert_slice(json_text_of(tree, "c"), "x");
    json_decref(copy);
    assert_true(json_equal(json_iterable(tree), deep));
    arena_free(arena);
    assert_slice(json_text_of(deep, "c"), "x");
    json_decref(deep);
}

static void
a_tree_that_does_not_fit_into_its_arena_is_refused(void **state UNUSED)
{
    static const char *const repeated[] = { "{},", "[],", "0,", "\"\",", "{\"\":0},", "[0]," };
    enum { BYTES = 3000 };
    char text[BYTES + 16];
    const json_t *tree = NULL;

    for (size_t i = 0; i < COUNT_OF(repeated); i++) {
        size_t len = 0;
        text[len++] = '[';
        for (; len < BYTES; len += strlen(repeated[i]))
            memcpy(text + len, repeated[i], strlen(repeated[i]));
        text[len - 1] = ']';
        struct arena *arena = arena_new(JSON_IN_ARENA_FACTOR * len), *small = arena_new(2000);
        assert_true(arena != NULL && small != NULL);
        assert_ok(json_parse_in(arena, slice_of(text, len), &tree));
        assert_int_equal(json_parse_in(small, slice_of(text, len), &tree), ERR_NO_MEMORY);
        assert_null(tree);
        arena_free(arena);
        arena_free(small);
    }
}

static const char watched[] = "an access token";
static size_t seen_on_release;

/* Looks through what comes back before it is freed. */
static void
watch_and_free(void *ptr)
{
    if (memmem(ptr, malloc_usable_size(ptr), watched, sizeof(watched) - 1) != NULL)
        seen_on_release++;
    free(ptr);
}

static void
what_a_tree_held_is_wiped_when_it_is_freed(void **state UNUSED)
{
    struct buf out;
    json_t *tree;

    json_use_allocator(malloc, watch_and_free);
    assert_ok(json_parse(SLICE("{\"an access token\":[\"an access token\"]}"), &tree));
    buf_init(&out, 256);
    assert_ok(json_print(tree, &out));
    buf_release(&out);
    json_decref(tree);
    assert_int_equal(json_parse(SLICE("{\"a\":\"an access token\",}"), &tree), ERR_JSON_SYNTAX);
    json_use_allocator(malloc, free);
    assert_int_equal(seen_on_release, 0);
}

UNIT_MAIN(cmocka_unit_test(what_is_not_json_is_refused_with_its_reason),
          cmocka_unit_test(nesting_is_counted_outside_of_strings_before_the_tree_is_built),
          cmocka_unit_test(any_value_may_stand_on_top),
          cmocka_unit_test(a_tree_prints_compact_in_its_own_order),
          cmocka_unit_test(the_same_value_has_one_canonical_form),
          cmocka_unit_test(different_values_differ_in_their_canonical_form),
          cmocka_unit_test(printing_past_the_limit_is_reported),
          cmocka_unit_test(a_tree_of_ours_that_is_too_deep_does_not_print_canonically),
          cmocka_unit_test(members_are_read_by_name_and_type),
          cmocka_unit_test(a_written_string_reads_back_the_same),
          cmocka_unit_test(pointer_tokens_are_escaped), cmocka_unit_test(a_parser_without_memory_says_so),
          cmocka_unit_test(a_tree_in_an_arena_takes_nothing_from_elsewhere),
          cmocka_unit_test(what_shares_values_of_a_tree_in_an_arena_is_let_go_before_it),
          cmocka_unit_test(a_tree_that_does_not_fit_into_its_arena_is_refused),
          cmocka_unit_test(what_a_tree_held_is_wiped_when_it_is_freed))
