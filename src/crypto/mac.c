#include "crypto/mac.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

/*
 * RFC 2104 over the library's SHA-256, and not its own EVP_MAC: that fetches the digest by name for every
 * key, which takes four times as long as a MAC of a few hundred octets, and every sealed value has one.
 */
#define BLOCK_BYTES 64u /* of SHA-256, and of SHA-1 */

static EVP_MD *sha256, *sha1; /* fetched once, as it takes longer than one MAC */
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void
fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

/* H(head || pieces): one of the two hashes. */
static bool
digest(EVP_MD_CTX *ctx, const EVP_MD *md, struct slice head, const struct slice *pieces, size_t count,
       unsigned char *out)
{
    if (EVP_DigestInit_ex2(ctx, md, NULL) != 1 || EVP_DigestUpdate(ctx, head.ptr, head.len) != 1)
        return false;
    for (size_t i = 0; i < count; i++)
        if (pieces[i].len != 0 && EVP_DigestUpdate(ctx, pieces[i].ptr, pieces[i].len) != 1)
            return false;
    return EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

/* `out` has room for the digest of md, which has hash_bytes. */
static enum err
mac(const EVP_MD *md, size_t hash_bytes, struct slice key, const struct slice *pieces, size_t count,
    unsigned char *out)
{
    unsigned char inner[BLOCK_BYTES] = { 0 }, outer[BLOCK_BYTES], hash[MAC_BYTES];
    const struct slice hashed = slice_of(hash, hash_bytes);
    enum err err = ERR_CRYPTO;
    EVP_MD_CTX *ctx = md == NULL ? NULL : EVP_MD_CTX_new();

    if (ctx == NULL)
        return ERR_CRYPTO;
    if (key.len > BLOCK_BYTES) { /* a longer key is its hash */
        if (!digest(ctx, md, key, NULL, 0, inner))
            goto done;
    } else if (key.len > 0) {
        memcpy(inner, key.ptr, key.len);
    }
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    if (digest(ctx, md, slice_of(inner, sizeof(inner)), pieces, count, hash) &&
        digest(ctx, md, slice_of(outer, sizeof(outer)), &hashed, 1, out))
        err = ERR_OK;
done:
    EVP_MD_CTX_free(ctx); /* the library wipes its own */
    OPENSSL_cleanse(inner, sizeof(inner));
    OPENSSL_cleanse(outer, sizeof(outer));
    OPENSSL_cleanse(hash, sizeof(hash));
    return err;
}

enum err
mac_sha256_pieces(struct slice key, const struct slice *pieces, size_t count, unsigned char out[MAC_BYTES])
{
    if (pthread_once(&fetch_once, fetch) != 0)
        return ERR_CRYPTO;
    return mac(sha256, MAC_BYTES, key, pieces, count, out);
}

enum err
mac_sha1(struct slice key, struct slice data, unsigned char out[MAC_SHA1_BYTES])
{
    if (pthread_once(&fetch_once, fetch) != 0)
        return ERR_CRYPTO;
    return mac(sha1, MAC_SHA1_BYTES, key, &data, 1, out);
}

enum err
mac_sha256(struct slice key, struct slice data, unsigned char out[MAC_BYTES])
{
    return mac_sha256_pieces(key, &data, 1, out);
}
