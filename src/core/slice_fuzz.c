#include "core/fuzz.h"
#include "core/slice.h"

/*
 * A second reading of RFC 3629, from the other side: the number that the bits give is computed first, and
 * must then be one that needs this many octets. -1: not well formed.
 */
static long
second_opinion(const uint8_t *p, size_t size, size_t *taken)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = p[0] < 0x80             ? 1
                 : (p[0] & 0xE0) == 0xC0 ? 2
                 : (p[0] & 0xF0) == 0xE0 ? 3
                 : (p[0] & 0xF8) == 0xF0 ? 4
                                         : 0;
    if (len == 0 || len > size)
        return -1;
    uint32_t point = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return -1;
        point = point << 6 | (p[i] & 0x3F);
    }
    if (point < least[len] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return -1;
    *taken = len;
    return (long)point;
}

/* Two readers agree on what is UTF-8, and on how many code points it has. */
FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size);
    size_t at = 0, count = 0, taken = 0;
    bool is_utf8 = true;

    for (; at < size && is_utf8; at += taken, count++) {
        struct slice rest = slice_drop(text, at);
        uint32_t point = 0;
        long other = second_opinion(data + at, size - at, &taken);
        is_utf8 = other >= 0;
        FUZZ_CHECK(slice_utf8_take(&rest, &point) == is_utf8);
        FUZZ_CHECK(!is_utf8 || ((long)point == other && rest.len == size - at - taken));
    }
    FUZZ_CHECK(slice_is_utf8(text) == is_utf8);
    FUZZ_CHECK(!is_utf8 || slice_utf8_count(text) == count);
    return 0;
}
