#include "core/unit.h"
#include "crypto/siphash.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>

/* The key and the inputs of the paper's appendix: octets that count up from zero. */
static void
the_published_value_is_reached(void **state UNUSED)
{
    unsigned char key[SIPHASH_KEY_BYTES], input[15];

    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (unsigned char)i;
    assert_true(siphash(key, slice_of(input, sizeof(input))) == UINT64_C(0xa129ca6149be45e5));
}

/* The library's own, which is too slow to begin for each small key. */
static uint64_t
openssl_siphash(const unsigned char *key, const unsigned char *input, size_t len)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    size_t size = 8, written = 0;
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                  OSSL_PARAM_construct_end() };
    unsigned char out[8];
    uint64_t value = 0;

    assert_int_equal(EVP_MAC_init(ctx, key, SIPHASH_KEY_BYTES, params), 1);
    assert_int_equal(EVP_MAC_update(ctx, input, len), 1);
    assert_int_equal(EVP_MAC_final(ctx, out, &written, sizeof(out)), 1);
    assert_int_equal(written, sizeof(out));
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)out[i] << (8 * i);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return value;
}

static void
every_length_agrees_with_the_library(void **state UNUSED)
{
    unsigned char key[SIPHASH_KEY_BYTES], input[65];

    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (unsigned char)(37 * i + 11);
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (unsigned char)(251 - 3 * i);
    for (size_t len = 0; len <= sizeof(input); len++)
        assert_true(siphash(key, slice_of(input, len)) == openssl_siphash(key, input, len));
}

UNIT_MAIN(cmocka_unit_test(the_published_value_is_reached),
          cmocka_unit_test(every_length_agrees_with_the_library))
