#include "crypto/mac.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

static EVP_MAC *hmac; /* fetched once, as it takes longer than one MAC */
static pthread_once_t hmac_once = PTHREAD_ONCE_INIT;

static void
hmac_fetch(void)
{
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

enum err
mac_sha256_pieces(struct slice key, const struct slice *pieces, size_t count, unsigned char out[MAC_BYTES])
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                  OSSL_PARAM_construct_end() };
    /* A NULL key would mean "the one of before"; an empty one is a key too. */
    const unsigned char *key_bytes =
        key.len == 0 ? (const unsigned char *)"" : (const unsigned char *)key.ptr;
    enum err err = ERR_CRYPTO;
    size_t len = 0;

    if (pthread_once(&hmac_once, hmac_fetch) != 0 || hmac == NULL)
        return ERR_CRYPTO;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    if (ctx == NULL || EVP_MAC_init(ctx, key_bytes, key.len, params) != 1)
        goto done;
    for (size_t i = 0; i < count; i++)
        if (pieces[i].len != 0 &&
            EVP_MAC_update(ctx, (const unsigned char *)pieces[i].ptr, pieces[i].len) != 1)
            goto done;
    if (EVP_MAC_final(ctx, out, &len, MAC_BYTES) != 1 || len != MAC_BYTES)
        goto done;
    err = ERR_OK;
done:
    EVP_MAC_CTX_free(ctx);
    return err;
}

enum err
mac_sha256(struct slice key, struct slice data, unsigned char out[MAC_BYTES])
{
    return mac_sha256_pieces(key, &data, 1, out);
}
