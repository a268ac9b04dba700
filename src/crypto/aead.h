/* AES-256-GCM (NIST SP 800-38D): 12-byte IV, 16-byte tag, kept apart from the ciphertext. */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H
#include "core/err.h"
#include "core/slice.h"

#define AEAD_KEY_BYTES       32u
#define AEAD_IV_BYTES        12u
#define AEAD_TAG_BYTES       16u
#define AEAD_PLAIN_BYTES_MAX (16u * 1024u * 1024u) /* our limit; the mode's own is 2^36 - 32 */

/*
 * key: 32 octets. Draws a fresh random IV (a key seals at most 2^32 values under
 * random IVs: SP 800-38D 8.3; the caller counts). cipher_out has room for plain.len.
 * ERR_LIMIT: plain too long. ERR_CRYPTO: the library refused.
 */
MUST_CHECK enum err aead_seal(struct slice key, struct slice associated, struct slice plain,
                              unsigned char *cipher_out, unsigned char iv_out[AEAD_IV_BYTES],
                              unsigned char tag_out[AEAD_TAG_BYTES]);
/*
 * plain_out has room for cipher.len, and after a failure holds no plaintext.
 * ERR_SEAL_CORRUPT: forged, damaged, bound elsewhere, or longer than anything sealed. ERR_CRYPTO as above.
 */
MUST_CHECK enum err aead_open(struct slice key, struct slice associated, struct slice cipher,
                              const unsigned char iv[AEAD_IV_BYTES], const unsigned char tag[AEAD_TAG_BYTES],
                              unsigned char *plain_out);

#endif
