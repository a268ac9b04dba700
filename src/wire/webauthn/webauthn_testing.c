#include "wire/webauthn/webauthn_testing.h"
#include "core/unit.h"
#include "crypto/encode.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

EVP_PKEY *
test_key(enum public_key_algorithm algorithm, int bits)
{
    EVP_PKEY *key = NULL;

    if (algorithm == PUBLIC_KEY_ES256)
        key = EVP_EC_gen("P-256");
    else if (algorithm == PUBLIC_KEY_RS256)
        key = EVP_RSA_gen((size_t)bits);
    else
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(key);
    return key;
}

void
test_sign(EVP_PKEY *key, struct slice data, struct buf *out)
{
    const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[1024];
    size_t len = sizeof(signature);

    assert_non_null(ctx);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, digest, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &len, (const unsigned char *)data.ptr, data.len), 1);
    EVP_MD_CTX_free(ctx);
    buf_add(out, slice_of(signature, len));
}

void
test_cbor(struct buf *out, unsigned major, uint64_t number)
{
    char head = (char)(major << 5);

    if (number < 24) {
        buf_add_byte(out, (char)(head | (char)number));
    } else if (number <= UINT8_MAX) {
        buf_add_byte(out, (char)(head | 24));
        buf_add_byte(out, (char)number);
    } else if (number <= UINT16_MAX) {
        buf_add_byte(out, (char)(head | 25));
        buf_add_u16be(out, (uint16_t)number);
    } else if (number <= UINT32_MAX) {
        buf_add_byte(out, (char)(head | 26));
        buf_add_u32be(out, (uint32_t)number);
    } else {
        buf_add_byte(out, (char)(head | 27));
        buf_add_u64be(out, number);
    }
}

void
test_cbor_text(struct buf *out, const char *text)
{
    test_cbor(out, 3, strlen(text));
    buf_add_text(out, text);
}

void
test_cbor_bytes(struct buf *out, struct slice bytes)
{
    test_cbor(out, 2, bytes.len);
    buf_add(out, bytes);
}

static void
add_number(struct buf *out, EVP_PKEY *key, const char *name)
{
    unsigned char bytes[1024];
    BIGNUM *number = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    int len = strcmp(name, OSSL_PKEY_PARAM_RSA_N) == 0 || strcmp(name, OSSL_PKEY_PARAM_RSA_E) == 0
                  ? BN_bn2bin(number, bytes)
                  : BN_bn2binpad(number, bytes, 32);
    assert_true(len > 0);
    test_cbor_bytes(out, slice_of(bytes, (size_t)len));
    BN_free(number);
}

void
test_cose(struct buf *out, EVP_PKEY *key)
{
    unsigned char raw[32];
    size_t len = sizeof(raw);

    if (EVP_PKEY_is_a(key, "EC")) {
        buf_add(out, SLICE("\xa5\x01\x02\x03\x26\x20\x01\x21"));
        add_number(out, key, OSSL_PKEY_PARAM_EC_PUB_X);
        buf_add(out, SLICE("\x22"));
        add_number(out, key, OSSL_PKEY_PARAM_EC_PUB_Y);
    } else if (EVP_PKEY_is_a(key, "RSA")) {
        buf_add(out, SLICE("\xa4\x01\x03\x03\x39\x01\x00\x20"));
        add_number(out, key, OSSL_PKEY_PARAM_RSA_N);
        buf_add(out, SLICE("\x21"));
        add_number(out, key, OSSL_PKEY_PARAM_RSA_E);
    } else {
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
        buf_add(out, SLICE("\xa4\x01\x01\x03\x27\x20\x06\x21"));
        test_cbor_bytes(out, slice_of(raw, len));
    }
}

void
test_authenticator_data(struct buf *out, const char *rp_id, unsigned flags, uint32_t count, EVP_PKEY *key)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)rp_id, strlen(rp_id), hash);
    buf_add(out, slice_of(hash, sizeof(hash)));
    buf_add_byte(out, (char)flags);
    buf_add_u32be(out, count);
    if (key == NULL)
        return;
    buf_add(out, SLICE("AAGUID of 16 oct"));
    buf_add_u16be(out, 20);
    buf_add(out, SLICE("a credential's id..."));
    test_cose(out, key);
}

void
test_attestation(struct buf *out, const char *format, struct slice authenticator_data)
{
    test_cbor(out, 5, 3);
    test_cbor_text(out, "fmt");
    test_cbor_text(out, format);
    test_cbor_text(out, "attStmt");
    test_cbor(out, 5, 0);
    test_cbor_text(out, "authData");
    test_cbor_bytes(out, authenticator_data);
}

void
test_client_data(struct buf *out, const char *type, struct slice challenge, const char *origin,
                 const char *more)
{
    buf_add_format(out, "{\"type\":\"%s\",\"challenge\":\"", type);
    encode_base64url(out, challenge);
    buf_add_format(out, "\",\"origin\":\"%s\",\"crossOrigin\":false%s}", origin, more);
}
