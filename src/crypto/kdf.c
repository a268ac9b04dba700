#include "crypto/kdf.h"
#include "crypto/kdf_internal.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define WORK_BYTES_MAX (UINT64_C(1) << 30) /* of the large array; p adds little */
#define P_MAX          16u                 /* time grows with p: a bound for what the database holds */

enum err
kdf_scrypt_derive(struct slice password, struct slice salt, uint32_t n, uint32_t r, uint32_t p,
                  unsigned char *out, size_t len)
{
    uint64_t n_wide = n;
    /* RFC 7914: V takes 128*N*r octets, B 128*r*p; the library adds a little. Its own limit is 32 MiB. */
    uint64_t bytes_max = 128 * (uint64_t)r * ((uint64_t)n + p + 32) + 65536;
    /* The library takes these without const, and only reads them. */
    void *password_in = (void *)(uintptr_t)(password.len == 0 ? "" : password.ptr);
    void *salt_in = (void *)(uintptr_t)(salt.len == 0 ? "" : salt.ptr);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, password_in, password.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt_in, salt.len),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n_wide),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &bytes_max),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    enum err err = ERR_CRYPTO;

    if (ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1)
        err = ERR_OK;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return err;
}

enum err
kdf_scrypt(struct slice password, const struct kdf_scrypt *with, unsigned char out[KDF_KEY_BYTES])
{
    if (with->n < KDF_SCRYPT_N_MIN || with->n > KDF_SCRYPT_N_MAX || (with->n & (with->n - 1)) != 0 ||
        with->r < KDF_SCRYPT_R || with->p < KDF_SCRYPT_P || with->p > P_MAX ||
        128 * (uint64_t)with->n * with->r > WORK_BYTES_MAX)
        return ERR_OVERFLOW;
    return kdf_scrypt_derive(password, slice_of(with->salt, sizeof(with->salt)), with->n, with->r, with->p,
                             out, KDF_KEY_BYTES);
}
