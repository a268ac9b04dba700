#include "core/fuzz.h"
#include "wire/http/etag.h"

/* A list that matches holds the tag's text, and matches again with blanks and another tag around it. */
FUZZ_TARGET(data, size)
{
    struct slice value = slice_of(data, size), tag = SLICE("\"7\"");
    enum err err = etag_check_match(value, tag);

    FUZZ_CHECK(err == ERR_OK || err == ERR_HTTP_PRECONDITION || err == ERR_HTTP_HEADER);
    if (err == ERR_OK)
        FUZZ_CHECK(slice_contains(value, tag) || slice_eq(slice_trim(value), SLICE("*")));
    if (err != ERR_HTTP_HEADER && !slice_eq(slice_trim(value), SLICE("*")) && size < 4096) {
        char longer[4096 + 8];
        memcpy(longer, "\"1\" , ", 6);
        memcpy(longer + 6, data, size);
        FUZZ_CHECK(etag_check_match(slice_of(longer, size + 6), tag) == err);
    }
    return 0;
}
