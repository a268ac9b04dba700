#include "program/vault/vault_selftest.h"
#include "core/secret.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "crypto/mac.h"
#include "crypto/random.h"

/* McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B, test case 16. */
static const unsigned char gcm_key[] = {
    0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08,
    0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08,
};
static const unsigned char gcm_iv[] = {
    0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88,
};
static const unsigned char gcm_associated[] = {
    0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
    0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2,
};
static const unsigned char gcm_plain[] = {
    0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5, 0x26,
    0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31,
    0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49,
    0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39,
};
static const unsigned char gcm_cipher[] = {
    0x52, 0x2d, 0xc1, 0xf0, 0x99, 0x56, 0x7d, 0x07, 0xf4, 0x7f, 0x37, 0xa3, 0x2a, 0x84, 0x42,
    0x7d, 0x64, 0x3a, 0x8c, 0xdc, 0xbf, 0xe5, 0xc0, 0xc9, 0x75, 0x98, 0xa2, 0xbd, 0x25, 0x55,
    0xd1, 0xaa, 0x8c, 0xb0, 0x8e, 0x48, 0x59, 0x0d, 0xbb, 0x3d, 0xa7, 0xb0, 0x8b, 0x10, 0x56,
    0x82, 0x88, 0x38, 0xc5, 0xf6, 0x1e, 0x63, 0x93, 0xba, 0x7a, 0x0a, 0xbc, 0xc9, 0xf6, 0x62,
};
static const unsigned char gcm_tag[] = {
    0x76, 0xfc, 0x6e, 0xce, 0x0f, 0x4e, 0x17, 0x68, 0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d, 0x55, 0x1b,
};

/* RFC 4231, 4.3: test case 2. */
static const unsigned char hmac_expected[] = {
    0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
    0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
};

/* N = 2^14, r = 8, p = 1, salt 00..1f: computed with a second implementation, written from RFC 7914 itself.
 */
static const unsigned char scrypt_expected[] = {
    0x56, 0xef, 0x75, 0x3f, 0xbd, 0x07, 0x4a, 0x2f, 0x0d, 0x8f, 0xf0, 0x1c, 0xd0, 0x01, 0xa6, 0x7e,
    0xfe, 0xa7, 0xe9, 0xc2, 0x8d, 0x93, 0xd3, 0xe7, 0xc8, 0xc5, 0xea, 0x86, 0xca, 0x13, 0xd2, 0xc4,
};

static bool
bytes_eq(const unsigned char *a, const unsigned char *b, size_t len)
{
    return secret_eq(slice_of(a, len), slice_of(b, len));
}

static enum err
gcm_test(void)
{
    const struct slice key = slice_of(gcm_key, sizeof(gcm_key));
    const struct slice associated = slice_of(gcm_associated, sizeof(gcm_associated));
    unsigned char plain[sizeof(gcm_plain)], cipher[sizeof(gcm_cipher)];
    unsigned char iv[AEAD_IV_BYTES], tag[AEAD_TAG_BYTES], other_tag[AEAD_TAG_BYTES];

    enum err err =
        aead_open(key, associated, slice_of(gcm_cipher, sizeof(gcm_cipher)), gcm_iv, gcm_tag, plain);
    if (err != ERR_OK || !bytes_eq(plain, gcm_plain, sizeof(plain)))
        return ERR_CRYPTO;
    memcpy(other_tag, gcm_tag, sizeof(other_tag));
    other_tag[AEAD_TAG_BYTES - 1] ^= 1;
    err = aead_open(key, associated, slice_of(gcm_cipher, sizeof(gcm_cipher)), gcm_iv, other_tag, plain);
    if (err != ERR_SEAL_CORRUPT)
        return ERR_CRYPTO;
    /* Sealing draws its own IV, so it is tested by way back. */
    err = aead_seal(key, associated, slice_of(gcm_plain, sizeof(gcm_plain)), cipher, iv, tag);
    if (err != ERR_OK || bytes_eq(cipher, gcm_plain, sizeof(cipher)))
        return ERR_CRYPTO;
    err = aead_open(key, associated, slice_of(cipher, sizeof(cipher)), iv, tag, plain);
    return err == ERR_OK && bytes_eq(plain, gcm_plain, sizeof(plain)) ? ERR_OK : ERR_CRYPTO;
}

static enum err
hmac_test(void)
{
    unsigned char mac[MAC_BYTES];

    enum err err = mac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), mac);
    return err == ERR_OK && bytes_eq(mac, hmac_expected, sizeof(mac)) ? ERR_OK : ERR_CRYPTO;
}

static enum err
scrypt_test(void)
{
    struct kdf_scrypt with = { .n = KDF_SCRYPT_N_MIN, .r = KDF_SCRYPT_R, .p = KDF_SCRYPT_P };
    unsigned char key[KDF_KEY_BYTES];

    for (size_t i = 0; i < sizeof(with.salt); i++)
        with.salt[i] = (unsigned char)i;
    enum err err = kdf_scrypt(SLICE("harkara self-test password"), &with, key);
    return err == ERR_OK && bytes_eq(key, scrypt_expected, sizeof(key)) ? ERR_OK : ERR_CRYPTO;
}

static enum err
random_test(void)
{
    unsigned char first[16], second[16];

    if (random_fill(first, sizeof(first)) != ERR_OK || random_fill(second, sizeof(second)) != ERR_OK)
        return ERR_CRYPTO;
    return bytes_eq(first, second, sizeof(first)) ? ERR_CRYPTO : ERR_OK;
}

/* Allocation, wiping and comparison of the pool that all keys will stand in. */
static enum err
secret_test(void)
{
    size_t used = secret_pool_used();
    struct secret *secret = secret_copy(SLICE("copy"));

    if (secret == NULL)
        return ERR_NO_MEMORY;
    bool is_right = secret_eq(secret_slice(secret), SLICE("copy")) &&
                    !secret_eq(secret_slice(secret), SLICE("cope")) &&
                    !secret_eq(secret_slice(secret), SLICE("cop"));
    secret_free(secret);
    return is_right && secret_pool_used() == used ? ERR_OK : ERR_CRYPTO;
}

enum err
vault_selftest(void)
{
    enum err (*const tests[])(void) = { secret_test, random_test, hmac_test, gcm_test, scrypt_test };

    for (size_t i = 0; i < COUNT_OF(tests); i++) {
        enum err err = tests[i]();
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}
