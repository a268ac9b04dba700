/*
 * What parses is within the limits and has one canonical form, which parses to the same value; what is
 * refused is refused by jansson alone too, or for one of the limits that it does not have. An arena changes
 * nothing of either.
 */
#include "core/fuzz.h"
#include "wire/json/json.h"
#include <stdlib.h>

static size_t
depth_of(const json_t *value)
{
    size_t deepest = 0;
    const char *key;
    json_t *child;
    size_t index;

    if (json_is_object(value)) {
        json_object_foreach(json_iterable(value), key, child)
        {
            size_t depth = depth_of(child);
            deepest = depth > deepest ? depth : deepest;
        }
        return deepest + 1;
    }
    if (json_is_array(value)) {
        json_array_foreach(value, index, child)
        {
            size_t depth = depth_of(child);
            deepest = depth > deepest ? depth : deepest;
        }
        return deepest + 1;
    }
    return 0;
}

static void
check_refusal(struct slice text, enum err err)
{
    json_t *tree =
        text.len == 0 ? NULL : json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

    FUZZ_CHECK(err == ERR_UTF8 || err == ERR_JSON_DEPTH || err == ERR_JSON_SYNTAX);
    FUZZ_CHECK(tree == NULL || (err == ERR_JSON_DEPTH && depth_of(tree) > JSON_DEPTH_MAX));
    json_decref(tree);
}

/* Our printer says what jansson's says. */
static void
check_print(const json_t *tree, const json_t *again)
{
    char *theirs = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    FUZZ_CHECK(theirs != NULL);
    json_t *wanted = json_loads(theirs, JSON_DECODE_ANY, NULL);
    FUZZ_CHECK(wanted != NULL && json_equal(wanted, again));
    json_decref(wanted);
    free(theirs);
}

/* An arena of the size that is promised to do. */
static void
check_in_arena(struct slice text, const json_t *tree, enum err err)
{
    struct arena *arena = arena_new(JSON_IN_ARENA_FACTOR * text.len + JSON_IN_ARENA_FACTOR * 64);
    const json_t *same = NULL;

    FUZZ_CHECK(arena != NULL);
    FUZZ_CHECK(json_parse_in(arena, text, &same) == err);
    FUZZ_CHECK(err == ERR_OK ? json_equal(json_iterable(tree), json_iterable(same)) : same == NULL);
    arena_free(arena);
}

FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size);
    struct buf first, second, plain;
    json_t *tree = NULL, *again = NULL;

    enum err err = json_parse(text, &tree);
    check_in_arena(text, tree, err);
    if (err != ERR_OK) {
        check_refusal(text, err);
        return 0;
    }
    FUZZ_CHECK(depth_of(tree) <= JSON_DEPTH_MAX);
    buf_init(&first, size * 32 + 64);
    buf_init(&second, size * 32 + 64);
    buf_init(&plain, size * 32 + 64);
    FUZZ_CHECK(json_print_canonical(tree, &first) == ERR_OK);
    FUZZ_CHECK(json_parse(buf_slice(&first), &again) == ERR_OK);
    FUZZ_CHECK(json_equal(tree, again));
    FUZZ_CHECK(json_print_canonical(again, &second) == ERR_OK);
    FUZZ_CHECK(slice_eq(buf_slice(&first), buf_slice(&second)));
    json_decref(again);
    FUZZ_CHECK(json_print(tree, &plain) == ERR_OK);
    FUZZ_CHECK(json_parse(buf_slice(&plain), &again) == ERR_OK);
    check_print(tree, again);
    json_decref(again);
    json_decref(tree);
    buf_release(&first);
    buf_release(&second);
    buf_release(&plain);
    return 0;
}
