#include "core/fuzz.h"
#include "domain/template/template_definition.h"
#include "domain/template/template_needs.h"
#include "wire/json/json.h"

/* Any JSON may come as a definition: it is judged, each fault has its place, and what a send needs for it can
 * be told. */
FUZZ_TARGET(data, size)
{
    struct arena *arena = arena_new(1u << 20);
    struct problem problem = { .count = 0 };
    struct template_definition definition;
    json_t *body = NULL, *needs = NULL;

    if (arena == NULL || json_parse(slice_of(data, size), &body) != ERR_OK)
        goto done;
    enum err err = template_definition_read(body, arena, &problem, &definition);
    if (err == ERR_OK)
        err = template_definition_check(&definition, arena, &problem);
    FUZZ_CHECK(err == ERR_OK || err == ERR_TEMPLATE_INVALID);
    FUZZ_CHECK((err == ERR_OK) == (problem.count == 0));
    for (size_t i = 0; i < problem.count; i++)
        FUZZ_CHECK(slice_starts_with(problem.errors[i].pointer, SLICE("/")) &&
                   problem.errors[i].detail.len > 0);

    FUZZ_CHECK(template_needs_of(json_member(body, "components"), &needs) == ERR_OK);
    struct problem misfit = { .count = 0 };
    err = template_needs_check(needs, definition.is_named, body, SLICE("/content/template"), arena, &misfit);
    FUZZ_CHECK(err == ERR_OK || err == ERR_TEMPLATE_MISMATCH);
    FUZZ_CHECK((err == ERR_OK) == (misfit.count == 0));
done:
    json_decref(needs);
    json_decref(body);
    arena_free(arena);
    return 0;
}
