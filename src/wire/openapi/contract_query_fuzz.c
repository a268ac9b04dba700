/* The first line names the operation, then comes name=value&...; every error names a parameter, and no more
 * of it. */
#include "core/fuzz.h"
#include "wire/openapi/contract.h"

#define PARAMETERS_MAX 32u

static const struct contract *
contract_shared(void)
{
    static struct contract *contract;
    char why[256];

    if (contract == NULL)
        FUZZ_CHECK(contract_compile(contract_document(), &contract, why, sizeof(why)) == ERR_OK);
    return contract;
}

static bool
was_given(const struct contract_parameter *parameters, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_starts_with(parameters[i].name, name))
            return true;
    return slice_eq(name, SLICE("(empty)"));
}

FUZZ_TARGET(data, size)
{
    struct slice query = slice_of(data, size), name = slice_take_until(&query, '\n');
    struct contract_parameter parameters[PARAMETERS_MAX];
    const struct contract_operation *operation;
    struct problem problem = { .count = 0 };
    size_t count = 0;
    char id[64];

    if (name.len >= sizeof(id) || !slice_is_utf8(query))
        return 0;
    snprintf(id, sizeof(id), "%.*s", SLICE_FMT(name));
    operation = contract_find(contract_shared(), id);
    if (operation == NULL)
        return 0;
    while (query.len > 0 && count < PARAMETERS_MAX) {
        struct slice value = slice_take_until(&query, '&');
        parameters[count].name = slice_take_until(&value, '=');
        parameters[count++].value = value;
    }
    struct arena *arena = arena_new(1 << 20);
    FUZZ_CHECK(arena != NULL);
    enum err err = contract_check_query(operation, parameters, count, arena, &problem);
    FUZZ_CHECK(err == ERR_OK || err == ERR_QUERY);
    FUZZ_CHECK((err == ERR_OK) == (problem.count == 0));
    for (size_t i = 0; i < problem.count; i++) {
        const struct problem_error *error = &problem.errors[i];
        FUZZ_CHECK(error->pointer.len == 0 && error->detail.len > 0 && error->parameter.len <= 64);
        FUZZ_CHECK(slice_is_utf8(error->parameter) && was_given(parameters, count, error->parameter));
    }
    arena_free(arena);
    return 0;
}
