#include "core/fuzz.h"
#include "platform/net/forwarded.h"

/*
 * Whatever a client writes in front, it cannot change what the nearest trusted proxy says of it; and what
 * comes out is an address or nothing.
 */
FUZZ_TARGET(data, size)
{
    struct forwarded_trust trust = { .count = 1 };
    struct sockaddr_storage proxy, client;
    struct slice input = slice_of(data, size);
    char text[ADDRESS_TEXT_BYTES], longer[4096];
    const struct slice suffix = SLICE(", 203.0.113.7");

    FUZZ_CHECK(address_range_parse(SLICE("10.0.0.0/8"), &trust.ranges[0]) == ERR_OK);
    FUZZ_CHECK(address_parse(SLICE("10.0.0.1"), &proxy) == ERR_OK);
    struct slice found = forwarded_client(&trust, (struct sockaddr *)&proxy, input, text);
    FUZZ_CHECK(found.len == 0 || address_parse(found, &client) == ERR_OK);
    found = forwarded_client(&trust, NULL, input, text);
    FUZZ_CHECK(found.len == 0 || address_parse(found, &client) == ERR_OK);
    if (size > sizeof(longer) - suffix.len)
        return 0;
    if (size != 0)
        memcpy(longer, data, size);
    memcpy(longer + size, suffix.ptr, suffix.len);
    found = forwarded_client(&trust, (struct sockaddr *)&proxy, slice_of(longer, size + suffix.len), text);
    FUZZ_CHECK(slice_eq(found, SLICE("203.0.113.7")));
    return 0;
}
