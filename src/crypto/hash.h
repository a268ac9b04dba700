/* SHA-256 (FIPS 180-4). */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H
#include "core/err.h"
#include "core/slice.h"

#define HASH_BYTES 32u

MUST_CHECK enum err hash_sha256(struct slice data, unsigned char out[HASH_BYTES]);
MUST_CHECK enum err hash_sha256_pieces(const struct slice *pieces, size_t count,
                                       unsigned char out[HASH_BYTES]);

/* Of bytes that come piece by piece. Owned: hash_free. */
struct hash;
MUST_CHECK enum err hash_new(struct hash **out);
MUST_CHECK enum err hash_add(struct hash *hash, struct slice piece);
/* Once; nothing can be added afterwards. */
MUST_CHECK enum err hash_end(struct hash *hash, unsigned char out[HASH_BYTES]);
/* Accepts NULL. */
void hash_free(struct hash *hash);

#endif
