#include "crypto/sign.h"
#include <openssl/evp.h>

/* NULL: no memory, or a seed of another length. */
static EVP_PKEY *
key_of(struct slice seed)
{
    return seed.len == SIGN_SEED_BYTES
               ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)seed.ptr,
                                              seed.len)
               : NULL;
}

enum err
sign_ed25519_public(struct slice seed, unsigned char public_out[SIGN_PUBLIC_BYTES])
{
    EVP_PKEY *key = key_of(seed);
    size_t len = SIGN_PUBLIC_BYTES;
    bool is_got = key != NULL && EVP_PKEY_get_raw_public_key(key, public_out, &len) == 1;

    EVP_PKEY_free(key); /* wipes its copy of the seed */
    return is_got && len == SIGN_PUBLIC_BYTES ? ERR_OK : ERR_CRYPTO;
}

enum err
sign_ed25519(struct slice seed, struct slice data, unsigned char signature_out[SIGN_SIGNATURE_BYTES])
{
    EVP_PKEY *key = key_of(seed);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = SIGN_SIGNATURE_BYTES;
    bool is_signed = key != NULL && ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
                     EVP_DigestSign(ctx, signature_out, &len, (const unsigned char *)data.ptr, data.len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return is_signed && len == SIGN_SIGNATURE_BYTES ? ERR_OK : ERR_CRYPTO;
}

enum err
sign_ed25519_verify(const unsigned char public_key[SIGN_PUBLIC_BYTES], struct slice data,
                    const unsigned char signature[SIGN_SIGNATURE_BYTES])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, SIGN_PUBLIC_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum err err = ERR_CRYPTO;

    if (key != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1)
        err = EVP_DigestVerify(ctx, signature, SIGN_SIGNATURE_BYTES, (const unsigned char *)data.ptr,
                               data.len) == 1
                  ? ERR_OK
                  : ERR_SIGNATURE;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return err;
}
