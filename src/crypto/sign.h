/* Ed25519 (RFC 8032, 5.1). A private key is its 32-octet seed. */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H
#include "core/err.h"
#include "core/slice.h"

#define SIGN_SEED_BYTES      32u
#define SIGN_PUBLIC_BYTES    32u
#define SIGN_SIGNATURE_BYTES 64u

/* ERR_CRYPTO also for a seed of another length. */
MUST_CHECK enum err sign_ed25519_public(struct slice seed, unsigned char public_out[SIGN_PUBLIC_BYTES]);
MUST_CHECK enum err sign_ed25519(struct slice seed, struct slice data,
                                 unsigned char signature_out[SIGN_SIGNATURE_BYTES]);
/* ERR_SIGNATURE: it is not this key's over this data. */
MUST_CHECK enum err sign_ed25519_verify(const unsigned char public_key[SIGN_PUBLIC_BYTES], struct slice data,
                                        const unsigned char signature[SIGN_SIGNATURE_BYTES]);

#endif
