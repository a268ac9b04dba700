#include "core/fuzz.h"
#include "platform/net/address_guard.h"
#include <curl/curl.h>
#include <netdb.h>

/* The part as libcurl reads it; owned: curl_free. NULL when there is none. */
static char *
part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL;

    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

/*
 * A URL that passes is read alike by the library that will use it: the scheme, the host and no user; and a
 * host that the system would take for a number is one that the guard has judged as a number.
 */
static void
check_with_curl(const struct address_guard *guard, const char *text, bool is_https)
{
    CURLU *url = curl_url();
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *found = NULL;

    FUZZ_CHECK(url != NULL);
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK) {
        char *scheme = part_of(url, CURLUPART_SCHEME), *host = part_of(url, CURLUPART_HOST);
        FUZZ_CHECK(scheme != NULL && strcmp(scheme, is_https ? "https" : "http") == 0);
        FUZZ_CHECK(host != NULL && part_of(url, CURLUPART_FRAGMENT) == NULL);
        size_t len = strlen(host);
        FUZZ_CHECK(slice_contains(slice_text(text), slice_text(host)));
        char bare[300];
        FUZZ_CHECK(len < sizeof(bare));
        memcpy(bare, host, len + 1);
        if (bare[0] == '[') {
            memmove(bare, bare + 1, len);
            bare[len - 2] = '\0';
        }
        if (getaddrinfo(bare, NULL, &hints, &found) == 0) {
            FUZZ_CHECK(address_guard_check(guard, found->ai_addr) == ERR_OK);
            freeaddrinfo(found);
        }
        curl_free(scheme);
        curl_free(host);
    }
    curl_url_cleanup(url);
}

FUZZ_TARGET(data, size)
{
    static const struct address_guard guard; /* nothing allowed, any port */
    struct slice input = slice_of(data, size);
    struct address_range range;
    struct sockaddr_storage address;
    char text[ADDRESS_URL_BYTES_MAX + 1];

    if (address_guard_check_url(&guard, input) == ERR_OK) {
        FUZZ_CHECK(size <= ADDRESS_URL_BYTES_MAX && memchr(data, 0, size) == NULL);
        memcpy(text, data, size);
        text[size] = '\0';
        check_with_curl(&guard, text, true); /* nothing is allowed in the clear */
    }
    if (address_parse(input, &address) == ERR_OK) {
        struct slice printed = address_print((struct sockaddr *)&address, text);
        struct sockaddr_storage again;
        FUZZ_CHECK(printed.len != 0 && address_parse(printed, &again) == ERR_OK);
        FUZZ_CHECK(memcmp(&address, &again, sizeof(address)) == 0);
    }
    if (address_range_parse(input, &range) == ERR_OK) {
        FUZZ_CHECK(range.family == AF_INET ? range.bits <= 32 : range.bits <= 128);
        struct slice rest = input;
        FUZZ_CHECK(address_parse(slice_take_until(&rest, '/'), &address) == ERR_OK);
        FUZZ_CHECK(address_range_holds(&range, (struct sockaddr *)&address));
    }
    return 0;
}
