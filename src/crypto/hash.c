#include "crypto/hash.h"
#include <openssl/evp.h>
#include <pthread.h>

static EVP_MD *sha256; /* fetched once: a fetch takes longer than hashing a short text */
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void
sha256_fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

enum err
hash_sha256_pieces(const struct slice *pieces, size_t count, unsigned char out[HASH_BYTES])
{
    enum err err = ERR_CRYPTO;

    if (pthread_once(&sha256_once, sha256_fetch) != 0 || sha256 == NULL)
        return ERR_CRYPTO;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex2(ctx, sha256, NULL) != 1)
        goto done;
    for (size_t i = 0; i < count; i++)
        if (EVP_DigestUpdate(ctx, pieces[i].ptr, pieces[i].len) != 1)
            goto done;
    if (EVP_DigestFinal_ex(ctx, out, NULL) != 1)
        goto done;
    err = ERR_OK;
done:
    EVP_MD_CTX_free(ctx);
    return err;
}

enum err
hash_sha256(struct slice data, unsigned char out[HASH_BYTES])
{
    return hash_sha256_pieces(&data, 1, out);
}
