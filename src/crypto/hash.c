#include "crypto/hash.h"
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

static EVP_MD *sha256; /* fetched once: a fetch takes longer than hashing a short text */
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void
sha256_fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static EVP_MD_CTX *
hash_begin(void)
{
    if (pthread_once(&sha256_once, sha256_fetch) != 0 || sha256 == NULL)
        return NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex2(ctx, sha256, NULL) == 1)
        return ctx;
    EVP_MD_CTX_free(ctx);
    return NULL;
}

/* The library's context, under a name that says whose it is. */
struct hash {
    EVP_MD_CTX *ctx;
};

enum err
hash_new(struct hash **out)
{
    struct hash *hash = malloc(sizeof(*hash));

    *out = NULL;
    if (hash == NULL)
        return ERR_NO_MEMORY;
    hash->ctx = hash_begin();
    if (hash->ctx == NULL) {
        free(hash);
        return ERR_CRYPTO;
    }
    *out = hash;
    return ERR_OK;
}

enum err
hash_add(struct hash *hash, struct slice piece)
{
    return EVP_DigestUpdate(hash->ctx, piece.ptr, piece.len) == 1 ? ERR_OK : ERR_CRYPTO;
}

enum err
hash_end(struct hash *hash, unsigned char out[HASH_BYTES])
{
    return EVP_DigestFinal_ex(hash->ctx, out, NULL) == 1 ? ERR_OK : ERR_CRYPTO;
}

void
hash_free(struct hash *hash)
{
    if (hash == NULL)
        return;
    EVP_MD_CTX_free(hash->ctx);
    free(hash);
}

enum err
hash_sha256_pieces(const struct slice *pieces, size_t count, unsigned char out[HASH_BYTES])
{
    enum err err = ERR_CRYPTO;

    EVP_MD_CTX *ctx = hash_begin();
    if (ctx == NULL)
        return ERR_CRYPTO;
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
