/*
 * JSON Web Signature in its compact form (RFC 7515, 3.1), as an identity provider signs what it says. The
 * algorithm is the one that was agreed on with the issuer: what the header says is compared with it before
 * anything else, so `none` and HMACs with a public key are no algorithms here.
 */
#ifndef WIRE_OIDC_JWS_H
#define WIRE_OIDC_JWS_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"
#include "crypto/public_key.h"

#define JWS_BYTES_MAX        16384u
#define JWS_KEY_ID_BYTES_MAX 256u

struct jws {
    struct slice signed_part; /* borrowed from the text: header and payload as they were signed */
    struct slice payload;     /* octets, in the arena; nothing is known of them until jws_verify */
    struct slice signature;   /* likewise */
    struct slice key_id;      /* in the arena; empty: the header names none */
    enum public_key_algorithm algorithm;
};

/*
 * ERR_ENCODING: not three parts of base64url in their one spelling, a header that is no JSON object, another
 * algorithm than `algorithm`, a `crit`, a key of its own (jwk, jku, x5u, x5c), b64, or too long.
 * ERR_NO_MEMORY.
 */
MUST_CHECK enum err jws_read(struct slice text, enum public_key_algorithm algorithm, struct arena *arena,
                             struct jws *out);
/* ERR_SIGNATURE: it is not this key's, or a key of another algorithm. ERR_CRYPTO. */
MUST_CHECK enum err jws_verify(const struct jws *jws, const struct public_key *key);

/* "RS256", "ES256", "EdDSA"; ERR_NOT_FOUND for any other word. */
const char *jws_algorithm_word(enum public_key_algorithm algorithm);
MUST_CHECK enum err jws_algorithm_from(struct slice word, enum public_key_algorithm *out);

#endif
