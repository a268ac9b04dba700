/*
 * A file of comma-separated values (RFC 4180), whole, as spreadsheets and portals write it: a byte order mark
 * is passed over; the separator is the one of comma, semicolon and tab that the first line has most of; lines
 * without a field are left out.
 */
#ifndef WIRE_CSV_CSV_TABLE_H
#define WIRE_CSV_CSV_TABLE_H
#include "core/arena.h"

#define CSV_COLUMNS_MAX     64u
#define CSV_FIELD_BYTES_MAX 65536u

struct csv_row {
    uint32_t number; /* from 1 on, the first line's; a record of several lines counts once */
    uint32_t count;
    const struct slice *fields; /* borrowed: in the arena, as is their text */
};

struct csv_table {
    const struct csv_row *rows; /* the first is the head, when there is any */
    size_t count;
};

/*
 * ERR_UTF8; ERR_ENCODING: quotes that do not close, or stand in a field that is not quoted; ERR_LIMIT: more
 * than rows_max records, CSV_COLUMNS_MAX fields or CSV_FIELD_BYTES_MAX in one; ERR_NO_MEMORY.
 */
MUST_CHECK enum err csv_table_read(struct arena *arena, struct slice text, size_t rows_max,
                                   struct csv_table *out);

#endif
