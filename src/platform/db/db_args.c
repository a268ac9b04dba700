/*
 * Arguments in the binary format of the types' receive functions: integers big-endian, times as microseconds
 * since 2000, jsonb with a version octet, arrays as in array_recv: dimensions, has-null, element type, then
 * each dimension's length and lower bound, then each element's length (-1: NULL) and bytes.
 */
#include "core/num.h"
#include "platform/db/db_internal.h"
#include <stdlib.h>

#define JSONB_VERSION '\1'

static Oid
oid_of(enum db_type type)
{
    switch (type) {
    case DB_TYPE_NULL:
        return DB_OID_ANY;
    case DB_TYPE_ID:
        return DB_OID_UUID;
    case DB_TYPE_TEXT:
        return DB_OID_TEXT;
    case DB_TYPE_BYTES:
        return DB_OID_BYTEA;
    case DB_TYPE_I64:
        return DB_OID_INT8;
    case DB_TYPE_XID:
        return DB_OID_XID8;
    case DB_TYPE_BOOL:
        return DB_OID_BOOL;
    case DB_TYPE_TIME:
        return DB_OID_TIMESTAMPTZ;
    case DB_TYPE_JSON:
        return DB_OID_JSONB;
    case DB_TYPE_ID_ARRAY:
        return DB_OID_UUID_ARRAY;
    case DB_TYPE_TEXT_ARRAY:
        return DB_OID_TEXT_ARRAY;
    case DB_TYPE_BYTES_ARRAY:
        return DB_OID_BYTEA_ARRAY;
    case DB_TYPE_I64_ARRAY:
        return DB_OID_INT8_ARRAY;
    case DB_TYPE_TIME_ARRAY:
        return DB_OID_TIMESTAMPTZ_ARRAY;
    case DB_TYPE_JSON_ARRAY:
        return DB_OID_JSONB_ARRAY;
    }
    bug("an argument type outside enum db_type");
}

/* The element's type, or DB_OID_ANY when the argument is no array. */
static Oid
element_of(enum db_type type)
{
    switch (type) {
    case DB_TYPE_ID_ARRAY:
        return DB_OID_UUID;
    case DB_TYPE_TEXT_ARRAY:
        return DB_OID_TEXT;
    case DB_TYPE_BYTES_ARRAY:
        return DB_OID_BYTEA;
    case DB_TYPE_I64_ARRAY:
        return DB_OID_INT8;
    case DB_TYPE_TIME_ARRAY:
        return DB_OID_TIMESTAMPTZ;
    case DB_TYPE_JSON_ARRAY:
        return DB_OID_JSONB;
    case DB_TYPE_NULL:
    case DB_TYPE_ID:
    case DB_TYPE_TEXT:
    case DB_TYPE_BYTES:
    case DB_TYPE_I64:
    case DB_TYPE_XID:
    case DB_TYPE_BOOL:
    case DB_TYPE_TIME:
    case DB_TYPE_JSON:
        return DB_OID_ANY;
    }
    bug("an argument type outside enum db_type");
}

/* The two ends of wall_time are PostgreSQL's infinities, which have these very values. */
static uint64_t
time_number(struct wall_time time)
{
    int64_t us;

    if (time.us == INT64_MAX)
        return (uint64_t)INT64_MAX;
    if (__builtin_sub_overflow(time.us, DB_EPOCH_US, &us))
        us = INT64_MIN;
    return (uint64_t)us;
}

/* One element as a slice; numbers go through `scratch`. NULL ptr: SQL NULL. */
static struct slice
element_at(const struct db_arg *arg, size_t i, unsigned char scratch[8])
{
    if (arg->type == DB_TYPE_ID_ARRAY)
        return slice_of(arg->ids[i].bytes, ID_BYTES);
    if (arg->type == DB_TYPE_TEXT_ARRAY || arg->type == DB_TYPE_BYTES_ARRAY ||
        arg->type == DB_TYPE_JSON_ARRAY)
        return arg->slices[i];
    num_u64be_put(scratch,
                  arg->type == DB_TYPE_I64_ARRAY ? (uint64_t)arg->i64s[i] : time_number(arg->times[i]));
    return slice_of(scratch, 8);
}

static void
add_array(struct buf *out, const struct db_arg *arg)
{
    unsigned char scratch[8];
    bool has_null = false;

    if (arg->count > INT32_MAX) {
        out->err = ERR_LIMIT;
        return;
    }
    for (size_t i = 0; i < arg->count; i++)
        has_null = has_null || element_at(arg, i, scratch).ptr == NULL;
    buf_add_u32be(out, arg->count == 0 ? 0 : 1);
    buf_add_u32be(out, has_null);
    buf_add_u32be(out, element_of(arg->type));
    if (arg->count == 0)
        return;
    buf_add_u32be(out, (uint32_t)arg->count);
    buf_add_u32be(out, 1); /* SQL counts from one */
    for (size_t i = 0; i < arg->count; i++) {
        struct slice element = element_at(arg, i, scratch);
        bool is_json = arg->type == DB_TYPE_JSON_ARRAY && element.ptr != NULL;
        buf_add_u32be(out, element.ptr == NULL ? UINT32_MAX : (uint32_t)(element.len + is_json));
        if (is_json)
            buf_add_byte(out, JSONB_VERSION);
        buf_add(out, element);
    }
}

static void
bind_scalar(struct db_bound *out, size_t at, const struct db_arg *arg)
{
    unsigned char *scalar = out->scalars[at];
    struct slice value = slice_of(scalar, 8);

    if (arg->type == DB_TYPE_TEXT || arg->type == DB_TYPE_BYTES) {
        value = arg->slice;
    } else if (arg->type == DB_TYPE_ID) {
        memcpy(scalar, arg->id.bytes, ID_BYTES);
        value.len = ID_BYTES;
    } else if (arg->type == DB_TYPE_BOOL) {
        scalar[0] = arg->boolean;
        value.len = 1;
    } else if (arg->type == DB_TYPE_TIME) {
        num_u64be_put(scalar, time_number(arg->time));
    } else if (arg->type == DB_TYPE_I64 || arg->type == DB_TYPE_XID) {
        num_u64be_put(scalar, (uint64_t)arg->i64);
    } else {
        value = SLICE_EMPTY;
    }
    out->values[at] = value.ptr;
    out->lengths[at] = (int)value.len; /* within DB_ARGS_BYTES_MAX */
}

/* Where the values of `bytes` begin is known only when it stands still, so offsets first and pointers after.
 */
static enum err
bind_built(struct db_bound *out, const struct db_arg *const *args)
{
    size_t starts[DB_ARGS_MAX + 1];
    struct buf built;
    enum err err;

    buf_init(&built, DB_ARGS_BYTES_MAX);
    for (size_t i = 0; i < out->count; i++) {
        const struct db_arg *arg = args[i];
        starts[i] = built.len;
        if (arg->type == DB_TYPE_JSON && arg->slice.ptr != NULL) {
            buf_add_byte(&built, JSONB_VERSION);
            buf_add(&built, arg->slice);
        } else if (element_of(arg->type) != DB_OID_ANY) {
            add_array(&built, arg);
        }
        out->lengths[i] = (int)(built.len - starts[i]);
    }
    err = buf_done(&built);
    if (err != ERR_OK) {
        buf_release(&built);
        return err;
    }
    out->bytes = built.ptr; /* taken */
    for (size_t i = 0; i < out->count; i++)
        out->values[i] = out->lengths[i] == 0 ? NULL : out->bytes + starts[i];
    return ERR_OK;
}

enum err
db_bind(const struct db_arg *first, struct db_args rest, struct db_bound *out)
{
    const struct db_arg *args[DB_ARGS_MAX + 1];
    size_t plain_bytes = 0;
    enum err err;

    out->bytes = NULL;
    out->count = 0;
    if (rest.count > DB_ARGS_MAX)
        bug("a statement with too many arguments");
    if (first != NULL)
        args[out->count++] = first;
    for (size_t i = 0; i < rest.count; i++)
        args[out->count++] = &rest.args[i];
    err = bind_built(out, args);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < out->count; i++) {
        const struct db_arg *arg = args[i];
        out->types[i] = oid_of(arg->type);
        out->formats[i] = 1;
        if (arg->type == DB_TYPE_TEXT || arg->type == DB_TYPE_BYTES) {
            if (arg->slice.len > DB_ARGS_BYTES_MAX - plain_bytes)
                return ERR_LIMIT;
            plain_bytes += arg->slice.len;
        }
        if (arg->type != DB_TYPE_JSON && element_of(arg->type) == DB_OID_ANY)
            bind_scalar(out, i, arg);
    }
    return ERR_OK;
}

void
db_bound_release(struct db_bound *bound)
{
    free(bound->bytes);
    bound->bytes = NULL;
}
