/*
 * Passkeys: whether a registration or a sign-in is what was asked for. Source: WebAuthn Level 3, sections 7.1
 * and 7.2. Pure: bytes in, a verdict out. The caller keeps challenges (each good once), passkeys and their
 * counters.
 *
 * Attestation is not asked for. `none` has to say nothing; any other format is taken for `none`: its
 * statement is read as CBOR and believed in nothing, so the model of an authenticator (aaguid) is what the
 * authenticator says of itself.
 */
#ifndef WIRE_WEBAUTHN_WEBAUTHN_H
#define WIRE_WEBAUTHN_WEBAUTHN_H
#include "core/err.h"
#include "core/slice.h"
#include "wire/webauthn/authenticator_data.h"
#include "wire/webauthn/client_data.h"
#include "wire/webauthn/cose_key.h"

#define WEBAUTHN_CHALLENGE_BYTES_MIN   16u
#define WEBAUTHN_CHALLENGE_BYTES_MAX   64u
#define WEBAUTHN_ATTESTATION_BYTES_MAX 16384u
#define WEBAUTHN_SIGNATURE_BYTES_MAX   1024u
#define WEBAUTHN_USER_HANDLE_BYTES_MAX 64u

enum webauthn_fault { /* what was wrong: for the log and for tests; a client is told none of it */
                      WEBAUTHN_FAULT_NONE,
                      WEBAUTHN_FAULT_CLIENT_DATA, /* does not read */
                      WEBAUTHN_FAULT_TYPE,        /* of another ceremony */
                      WEBAUTHN_FAULT_CHALLENGE,
                      WEBAUTHN_FAULT_ORIGIN,
                      WEBAUTHN_FAULT_CROSS_ORIGIN,
                      WEBAUTHN_FAULT_ATTESTATION, /* does not read */
                      WEBAUTHN_FAULT_AUTHENTICATOR_DATA,
                      WEBAUTHN_FAULT_RP_ID,
                      WEBAUTHN_FAULT_USER_PRESENCE,
                      WEBAUTHN_FAULT_USER_VERIFICATION,
                      WEBAUTHN_FAULT_CREDENTIAL, /* a new one is missing, or there where none may be */
                      WEBAUTHN_FAULT_BACKUP,     /* another eligibility than at registration */
                      WEBAUTHN_FAULT_SIGNATURE,
                      WEBAUTHN_FAULT_COUNTER, /* did not grow: perhaps the passkey was copied */
};
/* "counter" and the like: stable words for the log. */
const char *webauthn_fault_word(enum webauthn_fault fault);

struct webauthn_expected {
    struct slice challenge;      /* the octets that were given out, 16 to 64 */
    const struct slice *origins; /* such as "https://app.example.org"; compared whole */
    size_t origin_count;
    struct slice rp_id; /* such as "example.org" */
};

struct webauthn_registration { /* what to store; borrowed from the attestation object */
    struct slice credential_id;
    struct slice public_key; /* as COSE_Key */
    int algorithm;           /* of it: COSE_ES256, ... */
    struct slice aaguid;
    uint32_t sign_count;
    bool is_backup_eligible, is_backed_up;
};

/*
 * attestation_object: as the browser hands it out, at most WEBAUTHN_ATTESTATION_BYTES_MAX.
 * ERR_PASSKEY_INVALID: refused, and *fault_out says why. ERR_NO_MEMORY, ERR_CRYPTO: ours, nothing is said of
 * it. That no other person has this credential id is for the caller to see.
 */
MUST_CHECK enum err webauthn_registration_check(const struct webauthn_expected *expected,
                                                struct slice client_data_json,
                                                struct slice attestation_object,
                                                struct webauthn_registration *out,
                                                enum webauthn_fault *fault_out);

struct webauthn_stored { /* of the passkey that signs, which the caller has found by its credential id */
    struct slice public_key;
    uint32_t sign_count;
    bool is_backup_eligible;
};

struct webauthn_assertion { /* what to store anew */
    uint32_t sign_count;
    bool is_backed_up;
};

/*
 * Counters: refused when the stored one is above 0 and the new one is not greater. A passkey that is synced
 * between devices counts nothing and stays at 0. ERR_PASSKEY_REFUSED, and *fault_out; ERR_NO_MEMORY,
 * ERR_CRYPTO as above.
 */
MUST_CHECK enum err webauthn_assertion_check(const struct webauthn_expected *expected,
                                             const struct webauthn_stored *stored,
                                             struct slice client_data_json, struct slice authenticator_data,
                                             struct slice signature, struct webauthn_assertion *out,
                                             enum webauthn_fault *fault_out);

#endif
