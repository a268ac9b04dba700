#include "domain/dlt/dlt_text.h"
#include "core/buf.h"
#include <utf8proc.h>

/* NFC of one code point is at most four others decomposed (UAX 15 says three for NFC; Hangul and marks
 * included). */
#define DECOMPOSED_MAX 4u

static bool
is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    return true;
}

static uint32_t
fold_line_breaks(uint32_t *points, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (points[i] == '\r') {
            points[kept++] = '\n';
            if (i + 1 < count && points[i + 1] == '\n')
                i++;
        } else {
            points[kept++] = points[i];
        }
    }
    return kept;
}

enum err
dlt_text_read(struct arena *arena, struct slice utf8, struct dlt_text *out)
{
    *out = (struct dlt_text){ NULL, 0 };
    if (!slice_is_utf8(utf8))
        return ERR_UTF8;
    size_t count = slice_utf8_count(utf8);
    if (count > DLT_POINTS_MAX)
        return ERR_LIMIT;
    bool is_plain = is_ascii(utf8);
    size_t room = (is_plain ? 1 : DECOMPOSED_MAX) * count + 1;
    uint32_t *points = arena_array(arena, room, sizeof(*points));
    if (points == NULL)
        return ERR_NO_MEMORY;
    if (is_plain) {
        for (size_t i = 0; i < utf8.len; i++)
            points[i] = (unsigned char)utf8.ptr[i];
    } else {
        const utf8proc_option_t nfc = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
        utf8proc_ssize_t n =
            utf8proc_decompose((const utf8proc_uint8_t *)utf8.ptr, (utf8proc_ssize_t)utf8.len,
                               (utf8proc_int32_t *)points, (utf8proc_ssize_t)room, nfc);
        if (n < 0 || (size_t)n > room)
            return n == UTF8PROC_ERROR_INVALIDUTF8 ? ERR_UTF8 : ERR_LIMIT;
        n = utf8proc_normalize_utf32((utf8proc_int32_t *)points, n, nfc);
        if (n < 0)
            return ERR_UTF8;
        count = (size_t)n;
        if (count > DLT_POINTS_MAX) /* compositions that Unicode excludes become longer */
            return ERR_LIMIT;
    }
    *out = (struct dlt_text){ points, fold_line_breaks(points, (uint32_t)count) };
    return ERR_OK;
}

struct slice
dlt_text_part(struct arena *arena, struct dlt_text text, uint32_t start, uint32_t end)
{
    struct buf utf8;
    struct slice part = SLICE_EMPTY;

    end = end < text.count ? end : text.count;
    buf_init(&utf8, 4u * DLT_POINTS_MAX);
    for (uint32_t i = start; i < end; i++)
        buf_add_utf8(&utf8, text.points[i]);
    if (buf_done(&utf8) == ERR_OK)
        part = arena_copy(arena, buf_slice(&utf8));
    buf_release_wiped(&utf8);
    return part;
}

bool
dlt_point_is_word(uint32_t point)
{
    static const unsigned words = 1u << UTF8PROC_CATEGORY_LU | 1u << UTF8PROC_CATEGORY_LL |
                                  1u << UTF8PROC_CATEGORY_LT | 1u << UTF8PROC_CATEGORY_LM |
                                  1u << UTF8PROC_CATEGORY_LO | 1u << UTF8PROC_CATEGORY_MN |
                                  1u << UTF8PROC_CATEGORY_MC | 1u << UTF8PROC_CATEGORY_ND;

    if (point < 0x80)
        return (point >= '0' && point <= '9') || (point >= 'A' && point <= 'Z') ||
               (point >= 'a' && point <= 'z');
    /* The joiners are written within words of Indic scripts. */
    return point == 0x200C || point == 0x200D ||
           (words >> utf8proc_category((utf8proc_int32_t)point) & 1u) != 0;
}
