#include "core/slice.h"

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool
slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

size_t
slice_find(struct slice s, char byte)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, byte, s.len);
    return at == NULL ? s.len : (size_t)(at - s.ptr);
}

bool
slice_contains(struct slice s, struct slice needle)
{
    if (needle.len == 0)
        return true;
    if (needle.len > s.len)
        return false;
    for (size_t i = 0; i <= s.len - needle.len; i++)
        if (memcmp(s.ptr + i, needle.ptr, needle.len) == 0)
            return true;
    return false;
}

struct slice
slice_trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_drop(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

struct slice
slice_take_until(struct slice *rest, char byte)
{
    size_t at = slice_find(*rest, byte);
    struct slice part = slice_first(*rest, at);

    *rest = slice_drop(*rest, at == rest->len ? at : at + 1);
    return part;
}

int
slice_compare(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

/* Length of the UTF-8 sequence at p, or 0 when there is none that is well formed (RFC 3629, 4). */
static size_t
utf8_sequence(const unsigned char *p, size_t len)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    size_t need = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (len < need)
        return 0;
    unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */
    if (p[0] == 0xE0)
        low = 0xA0;
    else if (p[0] == 0xED)
        high = 0x9F;
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    return need;
}

bool
slice_is_utf8(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;

    for (size_t i = 0; i < s.len;) {
        uint64_t eight;
        if (s.len - i >= sizeof(eight)) { /* most text is ASCII, or long runs of it */
            memcpy(&eight, p + i, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        size_t n = utf8_sequence(p + i, s.len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t
slice_utf8_count(struct slice s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.ptr[i] & 0xC0) != 0x80)
            count++;
    return count;
}

bool
slice_utf8_take(struct slice *s, uint32_t *code_point_out)
{
    static const unsigned char head_bits[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    const unsigned char *p = (const unsigned char *)s->ptr;
    size_t n = s->len == 0 ? 0 : utf8_sequence(p, s->len);

    if (n == 0)
        return false;
    uint32_t point = p[0] & head_bits[n];
    for (size_t i = 1; i < n; i++)
        point = point << 6 | (p[i] & 0x3Fu);
    *s = slice_drop(*s, n);
    *code_point_out = point;
    return true;
}
