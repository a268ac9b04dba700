/* A software authenticator for tests, made of OpenSSL and written apart from what it tests. */
#ifndef WIRE_WEBAUTHN_WEBAUTHN_TESTING_H
#define WIRE_WEBAUTHN_WEBAUTHN_TESTING_H
#include "core/buf.h"
#include "crypto/public_key.h"
#include <openssl/evp.h>

#define TEST_ORIGIN    "https://app.harkara.example"
#define TEST_RP_ID     "harkara.example"
#define TEST_CHALLENGE "0123456789abcdef0123456789abcdef"

/* A new key; owned, EVP_PKEY_free. `bits` is of RS256. */
EVP_PKEY *test_key(enum public_key_algorithm algorithm, int bits);
/* Signs as the algorithm wants it, in the form that WebAuthn wants. */
void test_sign(EVP_PKEY *key, struct slice data, struct buf *out);

/* CBOR: a head of any major type, and strings. */
void test_cbor(struct buf *out, unsigned major, uint64_t number);
void test_cbor_text(struct buf *out, const char *text);
void test_cbor_bytes(struct buf *out, struct slice bytes);
/* The public key as COSE_Key. */
void test_cose(struct buf *out, EVP_PKEY *key);

/* SHA-256(rp id), flags, counter; and, when key is not NULL, aaguid, credential id and key. */
void test_authenticator_data(struct buf *out, const char *rp_id, unsigned flags, uint32_t count,
                             EVP_PKEY *key);
void test_attestation(struct buf *out, const char *format, struct slice authenticator_data);
/* {"type": ..., "challenge": ..., "origin": ..., "crossOrigin": false} with the challenge encoded; `more`
 * goes in front of the closing brace. */
void test_client_data(struct buf *out, const char *type, struct slice challenge, const char *origin,
                      const char *more);

#endif
