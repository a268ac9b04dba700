#include "crypto/public_key.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

/* A key of these parameters; *params is taken. ERR_SIGNATURE: the library says that it is no key. */
static enum err
key_from(const char *type, OSSL_PARAM *params, EVP_PKEY **out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    enum err err = ERR_CRYPTO;

    if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1)
        goto done;
    err = EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) == 1 ? ERR_OK : ERR_SIGNATURE;
done:
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return err;
}

static enum err
key_p256(const struct public_key *key, EVP_PKEY **out)
{
    unsigned char point[1 + 2 * PUBLIC_KEY_COORDINATE_BYTES] = { 4 }; /* SEC 1, 2.3.3: not compressed */
    OSSL_PARAM_BLD *bld = NULL;
    OSSL_PARAM *params = NULL;

    if (key->x.len != PUBLIC_KEY_COORDINATE_BYTES || key->y.len != PUBLIC_KEY_COORDINATE_BYTES)
        return ERR_SIGNATURE;
    memcpy(point + 1, key->x.ptr, key->x.len);
    memcpy(point + 1 + key->x.len, key->y.ptr, key->y.len);
    bld = OSSL_PARAM_BLD_new();
    if (bld != NULL && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
        params = OSSL_PARAM_BLD_to_param(bld);
    OSSL_PARAM_BLD_free(bld);
    return key_from("EC", params, out);
}

/* The library takes any number for a modulus and an exponent: what may be one is said here. */
static bool
rsa_is_fit(struct slice modulus, struct slice exponent)
{
    if (modulus.len < PUBLIC_KEY_RSA_BYTES_MIN || modulus.len > PUBLIC_KEY_RSA_BYTES_MAX ||
        exponent.len == 0 || exponent.len > PUBLIC_KEY_EXPONENT_BYTES)
        return false;
    if (modulus.ptr[0] == 0 || exponent.ptr[0] == 0 ||
        (modulus.len == PUBLIC_KEY_RSA_BYTES_MIN && ((unsigned char)modulus.ptr[0] & 0x80) == 0))
        return false;
    return (modulus.ptr[modulus.len - 1] & 1) == 1 && (exponent.ptr[exponent.len - 1] & 1) == 1 &&
           (exponent.len > 1 || (unsigned char)exponent.ptr[0] >= 3);
}

static enum err
key_rsa(const struct public_key *key, EVP_PKEY **out)
{
    OSSL_PARAM_BLD *bld = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *n = NULL, *e = NULL;

    if (!rsa_is_fit(key->modulus, key->exponent))
        return ERR_SIGNATURE;
    n = BN_bin2bn((const unsigned char *)key->modulus.ptr, (int)key->modulus.len, NULL);
    e = BN_bin2bn((const unsigned char *)key->exponent.ptr, (int)key->exponent.len, NULL);
    bld = OSSL_PARAM_BLD_new();
    if (n != NULL && e != NULL && bld != NULL && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(bld); /* copies both */
    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(e);
    return key_from("RSA", params, out);
}

static enum err
key_make(const struct public_key *key, EVP_PKEY **out)
{
    *out = NULL;
    switch (key->algorithm) {
    case PUBLIC_KEY_ES256:
        return key_p256(key, out);
    case PUBLIC_KEY_RS256:
        return key_rsa(key, out);
    case PUBLIC_KEY_EDDSA:
        if (key->x.len != PUBLIC_KEY_COORDINATE_BYTES)
            return ERR_SIGNATURE;
        *out = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)key->x.ptr,
                                           key->x.len);
        return *out != NULL ? ERR_OK : ERR_CRYPTO;
    }
    return ERR_SIGNATURE; /* a number that is none of ours */
}

enum err
public_key_check(const struct public_key *key)
{
    EVP_PKEY *pkey = NULL;
    enum err err = key_make(key, &pkey);

    EVP_PKEY_free(pkey);
    return err;
}

/* r and s as the library wants them. *der_out: owned, OPENSSL_free. */
static enum err
der_of(struct slice raw, unsigned char **der_out, size_t *len_out)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = NULL, *s = NULL;
    enum err err = ERR_CRYPTO;
    int len = 0;

    *der_out = NULL;
    if (raw.len != PUBLIC_KEY_ES256_RAW_BYTES) {
        err = ERR_SIGNATURE;
        goto done;
    }
    r = BN_bin2bn((const unsigned char *)raw.ptr, 32, NULL);
    s = BN_bin2bn((const unsigned char *)raw.ptr + 32, 32, NULL);
    if (signature == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(signature, r, s) != 1)
        goto done;
    r = s = NULL; /* taken */
    len = i2d_ECDSA_SIG(signature, der_out);
    if (len <= 0)
        goto done;
    *len_out = (size_t)len;
    err = ERR_OK;
done:
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return err;
}

enum err
public_key_verify(const struct public_key *key, enum signature_form form, struct slice data,
                  struct slice signature)
{
    const EVP_MD *digest = key->algorithm == PUBLIC_KEY_EDDSA ? NULL : EVP_sha256();
    unsigned char *der = NULL;
    EVP_MD_CTX *ctx = NULL;
    EVP_PKEY *pkey = NULL;

    enum err err = key_make(key, &pkey);
    if (err != ERR_OK)
        return err;
    if (key->algorithm == PUBLIC_KEY_ES256 && form == SIGNATURE_FORM_RAW) {
        err = der_of(signature, &der, &signature.len);
        if (err != ERR_OK)
            goto done;
        signature.ptr = (const char *)der;
    }
    err = ERR_CRYPTO;
    ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, digest, NULL, pkey) != 1)
        goto done;
    /* Below 0 is a signature that does not even read as one: to us the same. */
    err = EVP_DigestVerify(ctx, (const unsigned char *)signature.ptr, signature.len,
                           (const unsigned char *)data.ptr, data.len) == 1
              ? ERR_OK
              : ERR_SIGNATURE;
done:
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    OPENSSL_free(der);
    return err;
}
