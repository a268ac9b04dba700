#include "core/fuzz.h"
#include "wire/oidc/oidc_discovery.h"

FUZZ_TARGET(data, size)
{
    const struct slice json = slice_of(data, size);
    struct arena *arena = arena_new(65536);
    struct oidc_discovery found;

    FUZZ_CHECK(arena != NULL);
    if (oidc_discovery_read(json, SLICE("https://idp.example"), false, arena, &found) == ERR_OK) {
        FUZZ_CHECK(slice_starts_with(found.authorization_endpoint, SLICE("https://")));
        FUZZ_CHECK(slice_starts_with(found.token_endpoint, SLICE("https://")));
        FUZZ_CHECK(slice_starts_with(found.jwks_uri, SLICE("https://")));
    }
    if (oidc_url_is_fit(json, false)) /* what is fit without, is fit with */
        FUZZ_CHECK(oidc_url_is_fit(json, true) && slice_find(json, '\n') == json.len);
    arena_free(arena);
    return 0;
}
