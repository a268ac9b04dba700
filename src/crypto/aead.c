#include "crypto/aead.h"
#include "crypto/random.h"
#include <openssl/evp.h>
#include <pthread.h>

/* Fetched once: a fetch takes longer than sealing a short value, and may read files, which a role cannot. */
static EVP_CIPHER *gcm;
static pthread_once_t gcm_once = PTHREAD_ONCE_INIT;

static void
gcm_fetch(void)
{
    gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

static const unsigned char *
bytes_of(struct slice s)
{
    return (const unsigned char *)s.ptr;
}

/* A context that has taken key, IV and associated data. NULL: refused. Owned: EVP_CIPHER_CTX_free. */
static EVP_CIPHER_CTX *
gcm_begin(struct slice key, struct slice associated, const unsigned char iv[AEAD_IV_BYTES], int is_seal)
{
    EVP_CIPHER_CTX *ctx = NULL;
    int n = 0;

    if (pthread_once(&gcm_once, gcm_fetch) != 0 || gcm == NULL || key.len != AEAD_KEY_BYTES)
        return NULL;
    ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL && EVP_CipherInit_ex2(ctx, gcm, bytes_of(key), iv, is_seal, NULL) == 1 &&
        (associated.len == 0 ||
         EVP_CipherUpdate(ctx, NULL, &n, bytes_of(associated), (int)associated.len) == 1))
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

enum err
aead_seal(struct slice key, struct slice associated, struct slice plain, unsigned char *cipher_out,
          unsigned char iv_out[AEAD_IV_BYTES], unsigned char tag_out[AEAD_TAG_BYTES])
{
    unsigned char none[AEAD_TAG_BYTES]; /* GCM's last step writes nothing, but wants a place */
    int n = 0;

    if (plain.len > AEAD_PLAIN_BYTES_MAX || associated.len > AEAD_PLAIN_BYTES_MAX)
        return ERR_LIMIT;
    enum err err = random_draw(iv_out, AEAD_IV_BYTES);
    if (err != ERR_OK)
        return err;
    EVP_CIPHER_CTX *ctx = gcm_begin(key, associated, iv_out, 1);
    err = ERR_CRYPTO;
    if (ctx == NULL ||
        (plain.len != 0 && EVP_CipherUpdate(ctx, cipher_out, &n, bytes_of(plain), (int)plain.len) != 1) ||
        EVP_CipherFinal_ex(ctx, none, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)AEAD_TAG_BYTES, tag_out) != 1)
        goto done;
    err = ERR_OK;
done:
    EVP_CIPHER_CTX_free(ctx);
    return err;
}

enum err
aead_open(struct slice key, struct slice associated, struct slice cipher,
          const unsigned char iv[AEAD_IV_BYTES], const unsigned char tag[AEAD_TAG_BYTES],
          unsigned char *plain_out)
{
    unsigned char none[AEAD_TAG_BYTES], expected[AEAD_TAG_BYTES];
    int n = 0;

    if (cipher.len > AEAD_PLAIN_BYTES_MAX || associated.len > AEAD_PLAIN_BYTES_MAX)
        return ERR_SEAL_CORRUPT; /* nothing of ours was sealed so long */
    /* The library takes it without const. */
    memcpy(expected, tag, sizeof(expected));
    EVP_CIPHER_CTX *ctx = gcm_begin(key, associated, iv, 0);
    enum err err = ERR_CRYPTO;
    if (ctx == NULL ||
        (cipher.len != 0 && EVP_CipherUpdate(ctx, plain_out, &n, bytes_of(cipher), (int)cipher.len) != 1) ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)sizeof(expected), expected) != 1)
        goto done;
    err = ERR_SEAL_CORRUPT;
    if (EVP_CipherFinal_ex(ctx, none, &n) != 1)
        goto done;
    err = ERR_OK;
done:
    if (err != ERR_OK && cipher.len != 0)
        explicit_bzero(plain_out, cipher.len); /* unverified bytes leave no trace */
    EVP_CIPHER_CTX_free(ctx);
    return err;
}
