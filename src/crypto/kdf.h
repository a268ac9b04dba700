/* scrypt (RFC 7914), for the key that wraps all others. */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H
#include "core/err.h"
#include "core/slice.h"

/* The cost that new salts get: 128 MiB, about 0.4 s on a slow core. */
#define KDF_SCRYPT_N (1u << 17)
#define KDF_SCRYPT_R 8u
#define KDF_SCRYPT_P 1u
/* Bounds for parameters read from the database: never weaker, never more than 1 GiB. */
#define KDF_SCRYPT_N_MIN (1u << 14)
#define KDF_SCRYPT_N_MAX (1u << 20)
#define KDF_SALT_BYTES   32u
#define KDF_KEY_BYTES    32u

struct kdf_scrypt {
    uint32_t n, r, p;
    unsigned char salt[KDF_SALT_BYTES];
};

/* ERR_OVERFLOW: parameters out of bounds. ERR_CRYPTO: no memory for the work area, or refused. */
MUST_CHECK enum err kdf_scrypt(struct slice password, const struct kdf_scrypt *with,
                               unsigned char out[KDF_KEY_BYTES]);

#endif
