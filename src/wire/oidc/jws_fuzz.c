#include "core/fuzz.h"
#include "wire/oidc/jws.h"

FUZZ_TARGET(data, size)
{
    const struct slice text = slice_of(data, size);
    struct arena *arena = arena_new(1u << 20);

    FUZZ_CHECK(arena != NULL);
    for (int algorithm = PUBLIC_KEY_ES256; algorithm <= (int)PUBLIC_KEY_RS256; algorithm++) {
        struct jws jws;
        enum err err = jws_read(text, (enum public_key_algorithm)algorithm, arena, &jws);
        FUZZ_CHECK(err == ERR_OK || err == ERR_ENCODING);
        if (err != ERR_OK)
            continue;
        FUZZ_CHECK(jws.signed_part.ptr == text.ptr && jws.signed_part.len < text.len);
        FUZZ_CHECK(jws.payload.len > 0 && jws.signature.len > 0 && jws.key_id.len <= JWS_KEY_ID_BYTES_MAX);
        struct jws other; /* a text has one algorithm */
        FUZZ_CHECK(jws_read(text, (enum public_key_algorithm)((algorithm + 1) % 3), arena, &other) ==
                   ERR_ENCODING);
    }
    arena_free(arena);
    return 0;
}
