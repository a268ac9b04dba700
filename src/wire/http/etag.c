#include "wire/http/etag.h"
#include <inttypes.h>
#include <stdio.h>

struct slice
etag_print(uint64_t revision, char out[static ETAG_TEXT_BYTES])
{
    int len = snprintf(out, ETAG_TEXT_BYTES, "\"%" PRIu64 "\"", revision);

    return slice_of(out, (size_t)len);
}

/* Takes one entity tag off the front, quotes included. */
static bool
tag_take(struct slice *rest, bool *is_weak, struct slice *tag_out)
{
    *is_weak = slice_starts_with(*rest, SLICE("W/"));
    if (*is_weak)
        *rest = slice_drop(*rest, 2);
    if (rest->len < 2 || rest->ptr[0] != '"')
        return false;
    size_t end = 1;
    while (end < rest->len && rest->ptr[end] != '"') {
        unsigned char c = (unsigned char)rest->ptr[end];
        if (c < 0x21 || c == 0x7F)
            return false;
        end++;
    }
    if (end == rest->len)
        return false;
    *tag_out = slice_first(*rest, end + 1);
    *rest = slice_drop(*rest, end + 1);
    return true;
}

enum err
etag_check_match(struct slice if_match, struct slice current)
{
    struct slice rest = slice_trim(if_match);
    bool is_found = false;

    if (slice_eq(rest, SLICE("*")))
        return ERR_OK;
    if (rest.len == 0)
        return ERR_HTTP_HEADER;
    for (;;) {
        struct slice tag;
        bool is_weak;
        if (!tag_take(&rest, &is_weak, &tag))
            return ERR_HTTP_HEADER;
        is_found = is_found || (!is_weak && slice_eq(tag, current));
        rest = slice_trim(rest);
        if (rest.len == 0)
            return is_found ? ERR_OK : ERR_HTTP_PRECONDITION;
        if (rest.ptr[0] != ',')
            return ERR_HTTP_HEADER;
        rest = slice_trim(slice_drop(rest, 1));
    }
}
