/* The self-test against a library that computes wrongly: each primitive is broken in turn, and each must be
 * noticed. */
#include "core/secret.h"
#include "core/unit.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "crypto/sign.h"
#include "program/vault/vault_selftest.h"

enum broken {
    NOTHING,
    OPEN,
    OPEN_ANY_TAG,
    SEAL,
    MAC,
    MAC_SHA1,
    HASH,
    SCRYPT,
    RANDOM,
    RANDOM_FAILS,
    SIGN,
    PUBLIC,
    FAULTS
};
static enum broken broken;

/* The linker turns the self-test's calls to these (--wrap). */
enum err __real_aead_open(struct slice key, struct slice associated, struct slice cipher,
                          const unsigned char iv[AEAD_IV_BYTES], const unsigned char tag[AEAD_TAG_BYTES],
                          unsigned char *plain_out);
enum err __real_aead_seal(struct slice key, struct slice associated, struct slice plain,
                          unsigned char *cipher_out, unsigned char iv_out[AEAD_IV_BYTES],
                          unsigned char tag_out[AEAD_TAG_BYTES]);
enum err __real_mac_sha256(struct slice key, struct slice data, unsigned char out[MAC_BYTES]);
enum err __real_mac_sha1(struct slice key, struct slice data, unsigned char out[MAC_SHA1_BYTES]);
enum err __real_hash_sha256(struct slice data, unsigned char out[HASH_BYTES]);
enum err __real_kdf_scrypt(struct slice password, const struct kdf_scrypt *with,
                           unsigned char out[KDF_KEY_BYTES]);
enum err __real_random_fill(void *out, size_t len);
enum err __real_sign_ed25519(struct slice seed, struct slice data, unsigned char out[SIGN_SIGNATURE_BYTES]);
enum err __real_sign_ed25519_public(struct slice seed, unsigned char out[SIGN_PUBLIC_BYTES]);

enum err
__wrap_aead_open(struct slice key, struct slice associated, struct slice cipher,
                 const unsigned char iv[AEAD_IV_BYTES], const unsigned char tag[AEAD_TAG_BYTES],
                 unsigned char *plain_out)
{
    enum err err = __real_aead_open(key, associated, cipher, iv, tag, plain_out);

    if (broken == OPEN && cipher.len > 0)
        plain_out[0] ^= 1;
    return broken == OPEN_ANY_TAG ? ERR_OK : err;
}

enum err
__wrap_aead_seal(struct slice key, struct slice associated, struct slice plain, unsigned char *cipher_out,
                 unsigned char iv_out[AEAD_IV_BYTES], unsigned char tag_out[AEAD_TAG_BYTES])
{
    enum err err = __real_aead_seal(key, associated, plain, cipher_out, iv_out, tag_out);

    if (broken == SEAL)
        cipher_out[0] ^= 1;
    return err;
}

enum err
__wrap_mac_sha256(struct slice key, struct slice data, unsigned char out[MAC_BYTES])
{
    enum err err = __real_mac_sha256(key, data, out);

    out[MAC_BYTES - 1] ^= broken == MAC;
    return err;
}

enum err
__wrap_mac_sha1(struct slice key, struct slice data, unsigned char out[MAC_SHA1_BYTES])
{
    enum err err = __real_mac_sha1(key, data, out);

    out[0] ^= broken == MAC_SHA1;
    return err;
}

enum err
__wrap_hash_sha256(struct slice data, unsigned char out[HASH_BYTES])
{
    enum err err = __real_hash_sha256(data, out);

    out[0] ^= broken == HASH;
    return err;
}

enum err
__wrap_kdf_scrypt(struct slice password, const struct kdf_scrypt *with, unsigned char out[KDF_KEY_BYTES])
{
    enum err err = __real_kdf_scrypt(password, with, out);

    out[7] ^= broken == SCRYPT;
    return err;
}

enum err
__wrap_random_fill(void *out, size_t len)
{
    if (broken == RANDOM_FAILS)
        return ERR_CRYPTO;
    if (broken != RANDOM)
        return __real_random_fill(out, len);
    memset(out, 4, len);
    return ERR_OK;
}

enum err
__wrap_sign_ed25519(struct slice seed, struct slice data, unsigned char out[SIGN_SIGNATURE_BYTES])
{
    enum err err = __real_sign_ed25519(seed, data, out);

    out[0] ^= broken == SIGN;
    return err;
}

enum err
__wrap_sign_ed25519_public(struct slice seed, unsigned char out[SIGN_PUBLIC_BYTES])
{
    enum err err = __real_sign_ed25519_public(seed, out);

    out[0] ^= broken == PUBLIC;
    return err;
}

static void
each_primitive_that_is_broken_is_noticed(void **state UNUSED)
{
    for (broken = NOTHING; broken < FAULTS; broken++) {
        enum err err = vault_selftest();
        if ((err == ERR_OK) != (broken == NOTHING))
            fail_msg("with fault %d the self-test says %s", (int)broken, err_code(err));
    }
    broken = NOTHING;
    assert_ok(vault_selftest());
}

static int
pool_open(void **state UNUSED)
{
    return secret_pool_open_unlocked(65536) == ERR_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_primitive_that_is_broken_is_noticed) };

    return cmocka_run_group_tests(tests, pool_open, NULL);
}
