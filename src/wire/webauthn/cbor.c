#include "wire/webauthn/cbor.h"

/* The argument of a head (RFC 8949, 3): in the initial byte, or in the 1, 2, 4 or 8 that follow it. */
static enum err
take_argument(struct slice *input, unsigned additional, uint64_t *out)
{
    uint64_t number = 0;

    if (additional < 24) {
        *out = additional;
        return ERR_OK;
    }
    if (additional > 27)
        return ERR_ENCODING; /* 28 to 30 are reserved, 31 is an indefinite length */
    size_t bytes = (size_t)1 << (additional - 24);
    if (input->len < bytes)
        return ERR_ENCODING;
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | (unsigned char)input->ptr[i];
    /* The shortest form: what a shorter one could have said is refused. */
    if (bytes == 1 ? number < 24 : number >> bytes * 4 == 0)
        return ERR_ENCODING;
    *input = slice_drop(*input, bytes);
    *out = number;
    return ERR_OK;
}

/* The simple values that are spoken here; floating point is of this major type too, and is not. */
static enum err
simple_kind(unsigned additional, enum cbor_kind *out)
{
    if (additional < 20 || additional > 22)
        return ERR_ENCODING;
    *out = additional == 20 ? CBOR_FALSE : additional == 21 ? CBOR_TRUE : CBOR_NULL;
    return ERR_OK;
}

enum err
cbor_take(struct slice *input, struct cbor_item *item_out)
{
    static const enum cbor_kind kinds[] = { CBOR_UNSIGNED, CBOR_NEGATIVE, CBOR_BYTES,
                                            CBOR_TEXT,     CBOR_ARRAY,    CBOR_MAP };
    struct slice rest = *input;
    struct cbor_item item = { .number = 0 };

    if (rest.len == 0)
        return ERR_ENCODING;
    unsigned major = (unsigned char)rest.ptr[0] >> 5, additional = (unsigned char)rest.ptr[0] & 31;
    rest = slice_drop(rest, 1);
    if (major == 7) {
        enum err err = simple_kind(additional, &item.kind);
        if (err != ERR_OK)
            return err;
    } else if (major == 6) {
        return ERR_ENCODING; /* a tag */
    } else {
        item.kind = kinds[major];
        enum err err = take_argument(&rest, additional, &item.number);
        if (err != ERR_OK)
            return err;
    }
    if (item.kind == CBOR_BYTES || item.kind == CBOR_TEXT) {
        if (item.number > rest.len)
            return ERR_ENCODING;
        item.text = slice_first(rest, (size_t)item.number);
        rest = slice_drop(rest, item.text.len);
        if (item.kind == CBOR_TEXT && !slice_is_utf8(item.text))
            return ERR_ENCODING;
    }
    if ((item.kind == CBOR_ARRAY || item.kind == CBOR_MAP) && item.number > CBOR_COUNT_MAX)
        return ERR_ENCODING;
    *input = rest;
    *item_out = item;
    return ERR_OK;
}

static enum err take_nested(struct slice *input, unsigned depth_left, struct slice *whole_out);

/* Keys have one form each, so that equal keys are equal bytes. */
static enum err
take_pairs(struct slice *input, uint64_t count, unsigned depth_left)
{
    struct slice keys[CBOR_COUNT_MAX], value;

    for (size_t i = 0; i < count; i++) {
        enum err err = take_nested(input, depth_left, &keys[i]);
        if (err != ERR_OK)
            return err;
        for (size_t j = 0; j < i; j++)
            if (slice_eq(keys[i], keys[j]))
                return ERR_ENCODING;
        err = take_nested(input, depth_left, &value);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

/* Recursion is bounded by depth_left: each level takes one of it. */
static enum err
take_nested(struct slice *input, unsigned depth_left, struct slice *whole_out)
{
    struct slice start = *input, element;
    struct cbor_item item;

    enum err err = cbor_take(input, &item);
    if (err != ERR_OK)
        return err;
    if (item.kind == CBOR_ARRAY || item.kind == CBOR_MAP) {
        if (depth_left == 0)
            return ERR_ENCODING;
        if (item.kind == CBOR_MAP)
            err = take_pairs(input, item.number, depth_left - 1);
        for (uint64_t i = 0; item.kind == CBOR_ARRAY && err == ERR_OK && i < item.number; i++)
            err = take_nested(input, depth_left - 1, &element);
        if (err != ERR_OK)
            return err;
    }
    *whole_out = slice_first(start, start.len - input->len);
    return ERR_OK;
}

enum err
cbor_take_whole(struct slice *input, struct slice *whole_out)
{
    struct slice rest = *input;
    enum err err = take_nested(&rest, CBOR_DEPTH_MAX, whole_out);

    if (err == ERR_OK)
        *input = rest;
    return err;
}

enum err
cbor_take_kind(struct slice *input, enum cbor_kind kind, struct cbor_item *item_out)
{
    struct slice rest = *input;
    enum err err = cbor_take(&rest, item_out);

    if (err == ERR_OK && item_out->kind != kind)
        err = ERR_ENCODING;
    if (err == ERR_OK)
        *input = rest;
    return err;
}

enum err
cbor_take_int(struct slice *input, int64_t *out)
{
    struct slice rest = *input;
    struct cbor_item item;

    enum err err = cbor_take(&rest, &item);
    if (err != ERR_OK)
        return err;
    if ((item.kind != CBOR_UNSIGNED && item.kind != CBOR_NEGATIVE) || item.number > INT64_MAX)
        return ERR_ENCODING;
    *out = item.kind == CBOR_UNSIGNED ? (int64_t)item.number : -1 - (int64_t)item.number;
    *input = rest;
    return ERR_OK;
}
