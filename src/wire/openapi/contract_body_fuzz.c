/*
 * The first line names the operation, the rest is the body. Whatever the body, the verdict is the same twice,
 * and every error leads into it: to a field that is there, or, for a missing one, to its object.
 */
#include "core/fuzz.h"
#include "wire/json/json.h"
#include "wire/openapi/contract.h"

static const struct contract *
contract_shared(void)
{
    static struct contract *contract;
    char why[256];

    if (contract == NULL)
        FUZZ_CHECK(contract_compile(contract_document(), &contract, why, sizeof(why)) == ERR_OK);
    return contract;
}

static size_t
token_take(struct slice *pointer, char *name, size_t bytes)
{
    struct slice token = slice_take_until(pointer, '/');
    size_t len = 0;

    FUZZ_CHECK(token.len < bytes);
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] == '~') {
            i++;
            FUZZ_CHECK(i < token.len && (token.ptr[i] == '0' || token.ptr[i] == '1'));
            name[len++] = token.ptr[i] == '1' ? '/' : '~';
        } else {
            name[len++] = token.ptr[i];
        }
    }
    return len;
}

static const json_t *
step_into(const json_t *node, const char *name, size_t len)
{
    size_t index = 0;

    if (!json_is_array(node))
        return json_object_getn(node, name, len);
    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK(name[i] >= '0' && name[i] <= '9');
        index = index * 10 + (size_t)(name[i] - '0');
    }
    return json_array_get(node, index);
}

static void
check_error(const json_t *body, const struct problem_error *error)
{
    struct slice pointer = error->pointer;
    bool is_missing = slice_eq(error->detail, SLICE("is required"));
    const json_t *node = body;
    char name[JSON_POINTER_MAX];

    FUZZ_CHECK(error->parameter.len == 0 && error->detail.len > 0 && error->detail.len <= 1024);
    FUZZ_CHECK(slice_is_utf8(pointer) && slice_is_utf8(error->detail) && pointer.len <= JSON_POINTER_MAX);
    FUZZ_CHECK(pointer.len == 0 || pointer.ptr[0] == '/');
    for (bool has_more = pointer.len > 0; has_more;) {
        if (slice_starts_with(pointer, SLICE("/")) && pointer.ptr == error->pointer.ptr)
            pointer = slice_drop(pointer, 1);
        has_more = slice_find(pointer, '/') < pointer.len;
        size_t len = token_take(&pointer, name, sizeof(name));
        const json_t *next = step_into(node, name, len);
        FUZZ_CHECK(next != NULL || (is_missing && !has_more && json_is_object(node)));
        if (next == NULL)
            return;
        node = next;
    }
    FUZZ_CHECK(!is_missing);
}

FUZZ_TARGET(data, size)
{
    struct slice body = slice_of(data, size), name = slice_take_until(&body, '\n');
    struct problem first = { .count = 0 }, second = { .count = 0 };
    const struct contract_operation *operation;
    struct arena *arena = NULL;
    char id[64];
    json_t *tree;

    if (name.len >= sizeof(id))
        return 0;
    snprintf(id, sizeof(id), "%.*s", SLICE_FMT(name));
    operation = contract_find(contract_shared(), id);
    if (operation == NULL || !contract_has_body(operation) || json_parse(body, &tree) != ERR_OK)
        return 0;
    arena = arena_new(1 << 20);
    FUZZ_CHECK(arena != NULL);
    enum err err = contract_check_body(operation, tree, arena, &first);
    FUZZ_CHECK(err == ERR_OK || err == ERR_CONTRACT);
    FUZZ_CHECK((err == ERR_OK) == (first.count == 0) && first.count <= PROBLEM_ERRORS_MAX);
    for (size_t i = 0; i < first.count; i++)
        check_error(tree, &first.errors[i]);
    FUZZ_CHECK(contract_check_body(operation, tree, arena, &second) == err && second.count == first.count);
    json_decref(tree);
    arena_free(arena);
    return 0;
}
