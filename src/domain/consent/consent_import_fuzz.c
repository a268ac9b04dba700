/* Rows are taken one by one until there are none or one is broken; each takes something, and no more than
 * there is. */
#include "core/fuzz.h"
#include "domain/consent/consent_import.h"

FUZZ_TARGET(data, size)
{
    struct slice rest = { (const char *)data, size }, cells[CONSENT_CELLS_MAX];
    struct arena *arena = arena_new(1u << 20);
    size_t count;

    for (enum err err = ERR_OK; arena != NULL && err == ERR_OK;) {
        size_t before = rest.len;
        err = consent_csv_take(&rest, arena, cells, &count);
        FUZZ_CHECK(err == ERR_OK || err == ERR_NOTHING || err == ERR_CONTRACT || err == ERR_NO_MEMORY);
        FUZZ_CHECK((err == ERR_NOTHING) == (before == 0));
        if (err != ERR_OK)
            break;
        FUZZ_CHECK(rest.len < before && count > 0 && count <= CONSENT_CELLS_MAX);
        for (size_t i = 0; i < count; i++) {
            FUZZ_CHECK(cells[i].len <= before);
            if (consent_address_is_valid(cells[i]))
                FUZZ_CHECK(cells[i].len <= 16 && cells[i].ptr[0] == '+');
        }
    }
    arena_free(arena);
    return 0;
}
