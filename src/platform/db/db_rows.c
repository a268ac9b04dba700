/* Results in binary format. The types were chosen by our own SQL, so a wrong one is our bug, seen by the
 * first test. */
#include "core/log.h"
#include "core/num.h"
#include "platform/db/db_internal.h"
#include <stdlib.h>

struct db_rows {
    PGresult *result; /* owned; NULL: no rows, or not yet */
};

enum err
db_rows_new(PGresult *result, struct db_rows **out)
{
    struct db_rows *rows = malloc(sizeof(*rows));

    *out = NULL;
    if (rows == NULL) {
        PQclear(result);
        return ERR_NO_MEMORY;
    }
    rows->result = result;
    *out = rows;
    return ERR_OK;
}

void
db_rows_set(struct db_rows *rows, PGresult *result)
{
    PQclear(rows->result);
    rows->result = result;
}

bool
db_rows_are_too_many(const PGresult *result, const char *statement)
{
    if (PQntuples(result) <= (int)DB_ROWS_MAX)
        return false;
    log_event(LOG_ERROR, "db.too_many_rows", LOG_WORD("statement", statement));
    return true;
}

void
db_rows_free(struct db_rows *rows)
{
    if (rows == NULL)
        return;
    PQclear(rows->result);
    free(rows);
}

size_t
db_rows_count(const struct db_rows *rows)
{
    return (size_t)PQntuples(rows->result);
}

static void
check_place(const struct db_rows *rows, size_t row, int column)
{
    if (row >= db_rows_count(rows) || column < 0 || column >= PQnfields(rows->result))
        bug("a row or column that the result does not have");
}

bool
db_is_null(const struct db_rows *rows, size_t row, int column)
{
    check_place(rows, row, column);
    return PQgetisnull(rows->result, (int)row, column) == 1;
}

static struct slice
raw(const struct db_rows *rows, size_t row, int column)
{
    if (db_is_null(rows, row, column))
        return SLICE_EMPTY;
    return slice_of(PQgetvalue(rows->result, (int)row, column),
                    (size_t)PQgetlength(rows->result, (int)row, column));
}

/* A value of one type and width, never NULL. */
static const void *
fixed(const struct db_rows *rows, size_t row, int column, Oid type, size_t len)
{
    struct slice value = raw(rows, row, column);

    if (PQftype(rows->result, column) != type || value.len != len || value.ptr == NULL)
        bug("a column is NULL or not of the type it is read as");
    return value.ptr;
}

struct slice
db_text(const struct db_rows *rows, size_t row, int column)
{
    struct slice value = raw(rows, row, column);

    switch (PQftype(rows->result, column)) {
    case DB_OID_TEXT:
    case DB_OID_VARCHAR:
    case DB_OID_BPCHAR:
    case DB_OID_NAME:
    case DB_OID_JSON:
        return value;
    case DB_OID_JSONB: /* a version octet, 1, then text */
        return slice_drop(value, 1);
    default:
        bug("a column is not text");
    }
}

struct slice
db_bytes(const struct db_rows *rows, size_t row, int column)
{
    if (PQftype(rows->result, column) != DB_OID_BYTEA)
        bug("a column is not bytea");
    return raw(rows, row, column);
}

int64_t
db_i64(const struct db_rows *rows, size_t row, int column)
{
    Oid type = PQftype(rows->result, column);

    if (type == DB_OID_INT2)
        return (int16_t)num_u16be_get(fixed(rows, row, column, type, 2));
    if (type == DB_OID_INT4)
        return (int32_t)num_u32be_get(fixed(rows, row, column, type, 4));
    if (type != DB_OID_INT8 && type != DB_OID_XID8)
        bug("a column is not an integer");
    return (int64_t)num_u64be_get(fixed(rows, row, column, type, 8));
}

bool
db_bool(const struct db_rows *rows, size_t row, int column)
{
    return *(const unsigned char *)fixed(rows, row, column, DB_OID_BOOL, 1) != 0;
}

struct id
db_id(const struct db_rows *rows, size_t row, int column)
{
    struct id id;

    memcpy(id.bytes, fixed(rows, row, column, DB_OID_UUID, ID_BYTES), ID_BYTES);
    return id;
}

struct wall_time
db_time(const struct db_rows *rows, size_t row, int column)
{
    int64_t us = (int64_t)num_u64be_get(fixed(rows, row, column, DB_OID_TIMESTAMPTZ, 8)), out;

    if (us == INT64_MIN) /* -infinity; its opposite overflows */
        return (struct wall_time){ INT64_MIN };
    return (struct wall_time){ __builtin_add_overflow(us, DB_EPOCH_US, &out) ? INT64_MAX : out };
}

/* The server sends what it promised, so a malformed array is a broken connection's and nothing to reason
 * about. */
enum err
db_text_array(const struct db_rows *rows, size_t row, int column, struct arena *arena, struct slice *out,
              size_t max, size_t *count_out)
{
    struct slice rest = raw(rows, row, column);
    size_t count;

    *count_out = 0;
    if (PQftype(rows->result, column) != DB_OID_TEXT_ARRAY)
        bug("a column is not text[]");
    if (rest.ptr == NULL)
        return ERR_OK;
    if (rest.len < DB_ARRAY_HEADER)
        return ERR_DB_STATEMENT;
    uint32_t dimensions = num_u32be_get(rest.ptr);
    if (dimensions == 0)
        return ERR_OK;
    if (dimensions != 1 || rest.len < DB_ARRAY_HEADER + DB_ARRAY_DIMENSION)
        return ERR_DB_STATEMENT;
    count = num_u32be_get(rest.ptr + DB_ARRAY_HEADER);
    rest = slice_drop(rest, DB_ARRAY_HEADER + DB_ARRAY_DIMENSION);
    if (count > max)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        if (rest.len < 4)
            return ERR_DB_STATEMENT;
        uint32_t len = num_u32be_get(rest.ptr);
        rest = slice_drop(rest, 4);
        out[i] = SLICE_EMPTY;
        if (len == UINT32_MAX)
            continue; /* NULL */
        if (len > rest.len)
            return ERR_DB_STATEMENT;
        out[i] = arena_copy(arena, slice_first(rest, len));
        if (out[i].ptr == NULL)
            return ERR_NO_MEMORY;
        rest = slice_drop(rest, len);
    }
    *count_out = count;
    return ERR_OK;
}
