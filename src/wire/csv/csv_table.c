#include "wire/csv/csv_table.h"
#include <csv.h>

#define MARK "\xEF\xBB\xBF"

struct reading {
    struct arena *arena;
    struct csv_row *rows;
    size_t count, rows_max;
    uint32_t number;
    struct slice fields[CSV_COLUMNS_MAX];
    uint32_t field_count;
    bool has_text; /* of this record: any field that is not empty */
    enum err err;
};

/* libcsv calls on after a failure: the first one stays. */
static void
field_taken(void *bytes, size_t len, void *ctx)
{
    struct reading *reading = ctx;

    if (reading->err != ERR_OK)
        return;
    if (reading->field_count == CSV_COLUMNS_MAX || len > CSV_FIELD_BYTES_MAX) {
        reading->err = ERR_LIMIT;
        return;
    }
    struct slice kept = arena_copy(reading->arena, slice_of(bytes, len));
    if (kept.ptr == NULL)
        reading->err = ERR_NO_MEMORY;
    reading->fields[reading->field_count++] = kept;
    reading->has_text = reading->has_text || len > 0;
}

static void
row_taken(int last_byte, void *ctx)
{
    struct reading *reading = ctx;

    (void)last_byte;
    reading->number++;
    if (reading->err == ERR_OK && reading->has_text) {
        struct slice *fields = arena_array(reading->arena, reading->field_count, sizeof(*fields));
        if (reading->count == reading->rows_max)
            reading->err = ERR_LIMIT;
        else if (fields == NULL)
            reading->err = ERR_NO_MEMORY;
        else {
            memcpy(fields, reading->fields, reading->field_count * sizeof(*fields));
            reading->rows[reading->count++] =
                (struct csv_row){ reading->number, reading->field_count, fields };
        }
    }
    reading->field_count = 0;
    reading->has_text = false;
}

static char
separator_of(struct slice text)
{
    static const char separators[] = { ',', ';', '\t' };
    struct slice head = slice_first(text, slice_find(text, '\n'));
    size_t most = 0;
    char best = ',';

    for (size_t i = 0; i < sizeof(separators); i++) {
        size_t count = 0;
        for (size_t j = 0; j < head.len; j++)
            count += head.ptr[j] == separators[i] ? 1 : 0;
        if (count > most) {
            most = count;
            best = separators[i];
        }
    }
    return best;
}

enum err
csv_table_read(struct arena *arena, struct slice text, size_t rows_max, struct csv_table *out)
{
    struct csv_parser parser;
    struct reading reading = { .arena = arena, .rows_max = rows_max };

    *out = (struct csv_table){ NULL, 0 };
    if (slice_starts_with(text, SLICE(MARK)))
        text = slice_drop(text, sizeof(MARK) - 1);
    if (!slice_is_utf8(text) || slice_find(text, '\0') < text.len)
        return ERR_UTF8;
    reading.rows = arena_array(arena, rows_max + 1, sizeof(*reading.rows));
    if (reading.rows == NULL || csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0)
        return ERR_NO_MEMORY;
    csv_set_delim(&parser, (unsigned char)separator_of(text));
    if (csv_parse(&parser, text.ptr, text.len, field_taken, row_taken, &reading) != text.len ||
        csv_fini(&parser, field_taken, row_taken, &reading) != 0) {
        if (reading.err == ERR_OK)
            reading.err = csv_error(&parser) == CSV_ENOMEM ? ERR_NO_MEMORY : ERR_ENCODING;
    }
    csv_free(&parser);
    if (reading.err == ERR_OK)
        *out = (struct csv_table){ reading.rows, reading.count };
    return reading.err;
}
