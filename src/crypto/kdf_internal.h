/* scrypt at any cost, salt and length: the published vectors lie outside what kdf_scrypt allows. */
#ifndef CRYPTO_KDF_INTERNAL_H
#define CRYPTO_KDF_INTERNAL_H
#include "core/err.h"
#include "core/slice.h"

MUST_CHECK enum err kdf_scrypt_derive(struct slice password, struct slice salt, uint32_t n, uint32_t r,
                                      uint32_t p, unsigned char *out, size_t len);

#endif
