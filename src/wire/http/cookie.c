#include "wire/http/cookie.h"

enum err
cookie_find(struct slice header, struct slice name, struct slice *value_out)
{
    bool is_found = false;

    while (header.len != 0) {
        struct slice pair = slice_take_until(&header, ';');
        if (slice_find(pair, '=') == pair.len || !slice_eq(slice_trim(slice_take_until(&pair, '=')), name))
            continue;
        if (is_found)
            return ERR_HTTP_HEADER;
        *value_out = slice_trim(pair);
        is_found = true;
    }
    return is_found ? ERR_OK : ERR_NOTHING;
}
