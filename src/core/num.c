#include "core/num.h"

enum err
num_add(size_t a, size_t b, size_t *out)
{
    size_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return ERR_OVERFLOW;
    *out = sum;
    return ERR_OK;
}

enum err
num_mul(size_t a, size_t b, size_t *out)
{
    size_t product;

    if (__builtin_mul_overflow(a, b, &product))
        return ERR_OVERFLOW;
    *out = product;
    return ERR_OK;
}

enum err
num_u64_parse(struct slice text, uint64_t *out)
{
    uint64_t value = 0;
    bool fits = true;

    if (text.len == 0)
        return ERR_NUMBER_SYNTAX;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return ERR_NUMBER_SYNTAX; /* also after an overflow: a wrong byte is the better reason */
        if (fits)
            fits = !__builtin_mul_overflow(value, (uint64_t)10, &value) &&
                   !__builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value);
    }
    if (!fits)
        return ERR_OVERFLOW;
    *out = value;
    return ERR_OK;
}

enum err
num_i64_parse(struct slice text, int64_t *out)
{
    bool negative = slice_starts_with(text, SLICE("-"));
    uint64_t size;
    enum err err = num_u64_parse(negative ? slice_drop(text, 1) : text, &size);

    if (err != ERR_OK)
        return err;
    if (size > (uint64_t)INT64_MAX + (negative ? 1u : 0u))
        return ERR_OVERFLOW;
    if (!negative)
        *out = (int64_t)size;
    else
        *out = size == 0 ? 0 : -(int64_t)(size - 1) - 1; /* the smallest has no positive twin */
    return ERR_OK;
}

enum err
num_int_parse(struct slice text, int min, int max, int *out)
{
    int64_t value;
    enum err err = num_i64_parse(text, &value);

    if (err != ERR_OK)
        return err;
    if (value < min || value > max)
        return ERR_OVERFLOW;
    *out = (int)value;
    return ERR_OK;
}

struct slice
num_u64_print(uint64_t number, char out[static NUM_TEXT_BYTES])
{
    size_t at = NUM_TEXT_BYTES;

    do {
        out[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return slice_of(out + at, NUM_TEXT_BYTES - at);
}

struct slice
num_i64_print(int64_t number, char out[static NUM_TEXT_BYTES])
{
    if (number >= 0)
        return num_u64_print((uint64_t)number, out);
    struct slice digits = num_u64_print(0 - (uint64_t)number, out);
    size_t at = NUM_TEXT_BYTES - digits.len - 1; /* at most 19 digits: room for the sign is left */
    out[at] = '-';
    return slice_of(out + at, digits.len + 1);
}

int
num_hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

uint16_t
num_u16be_get(const void *from)
{
    const unsigned char *p = from;

    return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t
num_u32be_get(const void *from)
{
    const unsigned char *p = from;

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t
num_u64be_get(const void *from)
{
    const unsigned char *p = from;

    return (uint64_t)num_u32be_get(p) << 32 | num_u32be_get(p + 4);
}

void
num_u16be_put(void *to, uint16_t value)
{
    unsigned char *p = to;

    p[0] = (unsigned char)(value >> 8);
    p[1] = (unsigned char)(value & 0xFF);
}

void
num_u32be_put(void *to, uint32_t value)
{
    unsigned char *p = to;

    num_u16be_put(p, (uint16_t)(value >> 16));
    num_u16be_put(p + 2, (uint16_t)(value & 0xFFFF));
}

void
num_u64be_put(void *to, uint64_t value)
{
    unsigned char *p = to;

    num_u32be_put(p, (uint32_t)(value >> 32));
    num_u32be_put(p + 4, (uint32_t)(value & 0xFFFFFFFF));
}
