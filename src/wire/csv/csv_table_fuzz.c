#include "core/fuzz.h"
#include "wire/csv/csv_table.h"

/* Whatever the bytes: rows within their limits, numbers that grow, and text that is text. */
FUZZ_TARGET(data, size)
{
    struct arena *arena = arena_new(4u << 20);
    struct csv_table table;

    FUZZ_CHECK(arena != NULL);
    if (csv_table_read(arena, slice_of(data, size), 50, &table) == ERR_OK) {
        FUZZ_CHECK(table.count <= 50);
        for (size_t i = 0; i < table.count; i++) {
            FUZZ_CHECK(table.rows[i].count >= 1 && table.rows[i].count <= CSV_COLUMNS_MAX);
            FUZZ_CHECK(i == 0 || table.rows[i].number > table.rows[i - 1].number);
            for (uint32_t j = 0; j < table.rows[i].count; j++)
                FUZZ_CHECK(slice_is_utf8(table.rows[i].fields[j]));
        }
    }
    arena_free(arena);
    return 0;
}
