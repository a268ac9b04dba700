#include "core/buf.h"
#include "core/num.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BYTES 64u

void
buf_init(struct buf *buf, size_t bytes_max)
{
    *buf = (struct buf){ .bytes_max = bytes_max };
}

void
buf_release(struct buf *buf)
{
    free(buf->ptr);
    buf_init(buf, buf->bytes_max);
}

void
buf_release_wiped(struct buf *buf)
{
    if (buf->ptr != NULL)
        explicit_bzero(buf->ptr, buf->cap); /* the whole of it: cleared bytes lie above len */
    buf_release(buf);
}

void
buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->err = ERR_OK;
}

/* Not realloc: it would leave a copy of the bytes where buf_release_wiped cannot reach it. */
static bool
buf_grow(struct buf *buf, size_t bytes)
{
    size_t cap = buf->cap < FIRST_BYTES ? FIRST_BYTES : buf->cap;

    while (cap < bytes)
        cap = cap > SIZE_MAX / 2 ? bytes : cap * 2;
    char *ptr = malloc(cap);
    if (ptr == NULL)
        return false;
    if (buf->ptr != NULL) {
        memcpy(ptr, buf->ptr, buf->len);
        explicit_bzero(buf->ptr, buf->cap);
        free(buf->ptr);
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

char *
buf_reserve(struct buf *buf, size_t n)
{
    if (buf->err != ERR_OK)
        return NULL;
    if (n > buf->bytes_max - buf->len) {
        buf->err = ERR_LIMIT;
        return NULL;
    }
    if ((buf->ptr == NULL || n > buf->cap - buf->len) && !buf_grow(buf, buf->len + n)) {
        buf->err = ERR_NO_MEMORY;
        return NULL;
    }
    return buf->ptr + buf->len;
}

/* As buf_reserve, for the many small pieces that find room. */
static inline char *
room_for(struct buf *buf, size_t n)
{
    if (buf->err == ERR_OK && n < buf->cap - buf->len && n < buf->bytes_max - buf->len)
        return buf->ptr + buf->len;
    return buf_reserve(buf, n);
}

void
buf_add(struct buf *buf, struct slice bytes)
{
    char *to = bytes.len == 0 ? NULL : room_for(buf, bytes.len);

    if (to == NULL)
        return;
    memcpy(to, bytes.ptr, bytes.len);
    buf->len += bytes.len;
}

void
buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, slice_text(text));
}

void
buf_add_byte(struct buf *buf, char byte)
{
    char *to = room_for(buf, 1);

    if (to == NULL)
        return;
    *to = byte;
    buf->len++;
}

void
buf_add_utf8(struct buf *buf, uint32_t code_point)
{
    uint32_t c =
        code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF) ? 0xFFFD : code_point;
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    char *to = buf_reserve(buf, len);

    if (to == NULL)
        return;
    for (size_t i = len; i-- > 1; c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)(heads[len] | c);
    buf->len += len;
}

void
buf_add_u64(struct buf *buf, uint64_t number)
{
    char text[NUM_TEXT_BYTES];

    buf_add(buf, num_u64_print(number, text));
}

void
buf_add_i64(struct buf *buf, int64_t number)
{
    char text[NUM_TEXT_BYTES];

    buf_add(buf, num_i64_print(number, text)); /* one append, so that a failure leaves no lone sign */
}

void
buf_add_u16be(struct buf *buf, uint16_t number)
{
    char bytes[2];

    num_u16be_put(bytes, number);
    buf_add(buf, slice_of(bytes, sizeof(bytes)));
}

void
buf_add_u32be(struct buf *buf, uint32_t number)
{
    char bytes[4];

    num_u32be_put(bytes, number);
    buf_add(buf, slice_of(bytes, sizeof(bytes)));
}

void
buf_add_u64be(struct buf *buf, uint64_t number)
{
    char bytes[8];

    num_u64be_put(bytes, number);
    buf_add(buf, slice_of(bytes, sizeof(bytes)));
}

void
buf_add_format(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, args);

    if (need < 0)
        bug("a format that cannot be printed");
    /* vsnprintf writes a NUL behind the text, which the limit does not count. */
    char *to = buf_reserve(buf, (size_t)need);
    if (to != NULL && (size_t)need == buf->cap - buf->len) {
        to = buf_grow(buf, buf->cap + 1) ? buf->ptr + buf->len : NULL;
        if (to == NULL)
            buf->err = ERR_NO_MEMORY;
    }
    if (to != NULL) {
        vsnprintf(to, (size_t)need + 1, format, again);
        buf->len += (size_t)need;
    }
    va_end(again);
    va_end(args);
}

enum err
buf_done(const struct buf *buf)
{
    return buf->err;
}

struct slice
buf_slice(const struct buf *buf)
{
    return slice_of(buf->ptr, buf->len);
}
