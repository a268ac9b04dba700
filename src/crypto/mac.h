/* HMAC-SHA256, and HMAC-SHA-1 for what asks for it (RFC 2104, FIPS 198-1). */
#ifndef CRYPTO_MAC_H
#define CRYPTO_MAC_H
#include "core/err.h"
#include "core/slice.h"

#define MAC_BYTES      32u
#define MAC_SHA1_BYTES 20u

MUST_CHECK enum err mac_sha256(struct slice key, struct slice data, unsigned char out[MAC_BYTES]);
/* Over several pieces in order, as one message. */
MUST_CHECK enum err mac_sha256_pieces(struct slice key, const struct slice *pieces, size_t count,
                                      unsigned char out[MAC_BYTES]);
/* For one-time codes (RFC 6238), which are so short that the hash is not what is broken of them. */
MUST_CHECK enum err mac_sha1(struct slice key, struct slice data, unsigned char out[MAC_SHA1_BYTES]);

#endif
