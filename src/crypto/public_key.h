/*
 * Signatures by somebody else's key, as sign-in meets them: a passkey's (WebAuthn) and an identity provider's
 * (JWS). Three algorithms and no more; each takes keys of one kind only, so no signature is ever checked by
 * another algorithm than the key's own.
 */
#ifndef CRYPTO_PUBLIC_KEY_H
#define CRYPTO_PUBLIC_KEY_H
#include "core/err.h"
#include "core/slice.h"

#define PUBLIC_KEY_COORDINATE_BYTES 32u
#define PUBLIC_KEY_RSA_BYTES_MIN    256u  /* of the modulus: 2048 bits */
#define PUBLIC_KEY_RSA_BYTES_MAX    1024u /* 8192 bits; checking takes longer with each */
#define PUBLIC_KEY_EXPONENT_BYTES   4u
#define PUBLIC_KEY_ES256_RAW_BYTES  64u

enum public_key_algorithm {
    PUBLIC_KEY_ES256, /* ECDSA on P-256 with SHA-256 (FIPS 186-4) */
    PUBLIC_KEY_EDDSA, /* Ed25519 (RFC 8032) */
    PUBLIC_KEY_RS256, /* RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2) */
};

struct public_key { /* all borrowed, big-endian; those of the other kinds are empty */
    enum public_key_algorithm algorithm;
    struct slice x, y;              /* ES256: both; EdDSA: x alone, the key itself */
    struct slice modulus, exponent; /* RS256: without zeros in front */
};

enum signature_form {                     /* of ES256; the others have one form */
                      SIGNATURE_FORM_DER, /* as WebAuthn writes it */
                      SIGNATURE_FORM_RAW, /* r and s of 32 octets each, as JWS does (RFC 7518, 3.4) */
};

/*
 * Whether it is a key that signatures may be checked with: a point of the curve, or a modulus of 2048 to 8192
 * bits that is odd and an odd exponent of at least 3 in at most 4 octets. ERR_SIGNATURE: it is none.
 * ERR_CRYPTO: the library refused.
 */
MUST_CHECK enum err public_key_check(const struct public_key *key);
/* ERR_SIGNATURE: it is not this key's over this data, or no key, or no signature. ERR_CRYPTO as above. */
MUST_CHECK enum err public_key_verify(const struct public_key *key, enum signature_form form,
                                      struct slice data, struct slice signature);

#endif
