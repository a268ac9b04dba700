/*
 * A credential as a browser hands it over: PublicKeyCredential.toJSON(), WebAuthn Level 3, section 5.1
 * (RegistrationResponseJSON, AuthenticationResponseJSON), with its octets in base64url. What it says beside
 * these members is passed over.
 */
#ifndef WIRE_WEBAUTHN_WEBAUTHN_CREDENTIAL_H
#define WIRE_WEBAUTHN_WEBAUTHN_CREDENTIAL_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"
#include <jansson.h>

#define WEBAUTHN_TRANSPORTS_MAX 8u

/* How an authenticator may be reached, a bit each: what is offered again at the next sign-in. */
enum webauthn_transport {
    WEBAUTHN_TRANSPORT_USB = 1,
    WEBAUTHN_TRANSPORT_NFC = 2,
    WEBAUTHN_TRANSPORT_BLE = 4,
    WEBAUTHN_TRANSPORT_SMART_CARD = 8,
    WEBAUTHN_TRANSPORT_HYBRID = 16,
    WEBAUTHN_TRANSPORT_INTERNAL = 32,
};
/* The word of one bit, such as "usb"; NULL for any other number. */
const char *webauthn_transport_word(unsigned transport);

struct webauthn_credential { /* octets, in the arena; what its kind has not is empty */
    struct slice id;
    struct slice client_data;
    struct slice attestation_object; /* registration */
    unsigned transports;             /* registration; a set of webauthn_transport */
    struct slice authenticator_data; /* sign-in, with the next two */
    struct slice signature;
    struct slice user_handle; /* may be empty there too */
};

/*
 * ERR_ENCODING: a member that its kind needs is missing, is no base64url in its one spelling or too long,
 * `type` is not "public-key", or `rawId` says another id. ERR_NO_MEMORY: the arena is full.
 */
MUST_CHECK enum err webauthn_registration_read(const json_t *credential, struct arena *arena,
                                               struct webauthn_credential *out);
MUST_CHECK enum err webauthn_assertion_read(const json_t *credential, struct arena *arena,
                                            struct webauthn_credential *out);

#endif
