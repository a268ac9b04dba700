#include "core/fuzz.h"
#include "wire/oidc/jwks.h"

/* Whatever is found is a key of the algorithm that was asked for. */
FUZZ_TARGET(data, size)
{
    struct arena *arena = arena_new(1u << 20);

    FUZZ_CHECK(arena != NULL);
    for (int algorithm = PUBLIC_KEY_ES256; algorithm <= (int)PUBLIC_KEY_RS256; algorithm++)
        for (int named = 0; named < 2; named++) {
            struct public_key key;
            enum err err = jwks_find(slice_of(data, size), (enum public_key_algorithm)algorithm,
                                     named ? SLICE("k") : SLICE_EMPTY, arena, &key);
            if (err == ERR_OK)
                FUZZ_CHECK((int)key.algorithm == algorithm && public_key_check(&key) == ERR_OK);
            else
                FUZZ_CHECK(err == ERR_NOT_FOUND || err == ERR_ENCODING || err == ERR_NO_MEMORY);
        }
    arena_free(arena);
    return 0;
}
