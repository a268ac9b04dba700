#include "core/fuzz.h"
#include "wire/oidc/id_token.h"

FUZZ_TARGET(data, size)
{
    const struct id_token_expected expected = {
        SLICE("https://idp.example"), SLICE("me"), SLICE("n"), { INT64_C(1800000000) * 1000000 }
    };
    const struct slice payload = slice_of(data, size);
    struct arena *arena = arena_new(65536);
    enum id_token_fault fault;
    struct id_token token;

    FUZZ_CHECK(arena != NULL);
    enum err err = id_token_check(&expected, payload, arena, &token, &fault);
    FUZZ_CHECK((err == ERR_OK) == (fault == ID_TOKEN_FAULT_NONE) || err == ERR_NO_MEMORY);
    if (err == ERR_OK) {
        FUZZ_CHECK(token.subject.len > 0 && token.subject.len <= ID_TOKEN_SUBJECT_BYTES_MAX);
        FUZZ_CHECK(token.email.len > 0 || !token.is_email_verified);
        FUZZ_CHECK(slice_contains(payload, SLICE("nonce")) || slice_contains(payload, SLICE("\\u")));
    }
    arena_free(arena);
    return 0;
}
