#include "core/fuzz.h"
#include "wire/json/json.h"
#include "wire/webauthn/webauthn.h"
#include "wire/webauthn/webauthn_credential.h"

FUZZ_TARGET(data, size)
{
    struct arena *arena = arena_new(65536);
    struct webauthn_credential made;
    json_t *tree = NULL;

    FUZZ_CHECK(arena != NULL);
    if (json_parse(slice_of(data, size), &tree) == ERR_OK) {
        if (webauthn_registration_read(tree, arena, &made) == ERR_OK)
            FUZZ_CHECK(made.id.len > 0 && made.id.len <= CREDENTIAL_ID_BYTES_MAX &&
                       made.client_data.len > 0 && made.attestation_object.len > 0 && made.transports < 64);
        if (webauthn_assertion_read(tree, arena, &made) == ERR_OK)
            FUZZ_CHECK(made.id.len > 0 && made.authenticator_data.len > 0 && made.signature.len > 0 &&
                       made.user_handle.len <= WEBAUTHN_USER_HANDLE_BYTES_MAX);
    }
    json_decref(tree);
    arena_free(arena);
    return 0;
}
