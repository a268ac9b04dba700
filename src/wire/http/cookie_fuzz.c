#include "core/fuzz.h"
#include "wire/http/cookie.h"

/* A value that is found stands in the header behind its name, and a second cookie of the name makes it none.
 */
FUZZ_TARGET(data, size)
{
    struct slice header = slice_of(data, size), value = SLICE_EMPTY, name = SLICE("id");
    enum err err = cookie_find(header, name, &value);

    FUZZ_CHECK(err == ERR_OK || err == ERR_NOTHING || err == ERR_HTTP_HEADER);
    if (err == ERR_OK)
        FUZZ_CHECK(slice_contains(header, name) && slice_contains(header, value) &&
                   slice_find(value, ';') == value.len);
    if (size < 4096) {
        char longer[4096 + 8];
        memcpy(longer, "id=1 ;", 6);
        if (size != 0)
            memcpy(longer + 6, data, size);
        enum err with_another = cookie_find(slice_of(longer, size + 6), name, &value);
        FUZZ_CHECK(with_another == (err == ERR_NOTHING ? ERR_OK : ERR_HTTP_HEADER));
    }
    return 0;
}
