#include "core/unit.h"
#include "crypto/encode.h"
#include "crypto/kdf.h"
#include "crypto/kdf_internal.h"
#include "crypto/unit_alloc.h"

/* RFC 7914, 12. The fourth vector needs 1 GiB and is left out. */
static void
the_published_keys_are_derived(void **state UNUSED)
{
    static const struct {
        const char *password, *salt;
        uint32_t n, r, p;
        const char *key;
    } rows[] = {
        { "", "", 16, 1, 1,
          "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d"
          "3628cf35e20c38d18906" },
        { "password", "NaCl", 1024, 8, 16,
          "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83"
          "ee6d8360cbdfa2cc0640" },
        { "pleaseletmein", "SodiumChloride", 16384, 8, 1,
          "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d65"
          "1e40dfcf017b45575887" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned char out[64], want[64];
        assert_ok(decode_hex(slice_text(rows[i].key), want, sizeof(want)));
        assert_ok(kdf_scrypt_derive(slice_text(rows[i].password), slice_text(rows[i].salt), rows[i].n,
                                    rows[i].r, rows[i].p, out, sizeof(out)));
        assert_memory_equal(out, want, sizeof(out));
    }
}

/* Bounded from below: parameters from a database that somebody changed must not make the key cheap to guess.
 */
static void
parameters_out_of_bounds_are_refused(void **state UNUSED)
{
    static const struct {
        uint32_t n, r, p;
    } rows[] = {
        { 0, 8, 1 },
        { 1, 8, 1 },
        { KDF_SCRYPT_N_MIN / 2, 8, 1 },
        { KDF_SCRYPT_N_MIN - 1, 8, 1 },
        { KDF_SCRYPT_N_MIN + 1, 8, 1 }, /* not a power of two */
        { KDF_SCRYPT_N_MIN * 3, 8, 1 },
        { KDF_SCRYPT_N_MAX * 2, 8, 1 },
        { KDF_SCRYPT_N_MAX + 1, 8, 1 },
        { 1u << 31, 8, 1 },
        { KDF_SCRYPT_N_MIN, 0, 1 },
        { KDF_SCRYPT_N_MIN, 7, 1 },
        { KDF_SCRYPT_N_MIN, 8, 0 },
        { KDF_SCRYPT_N_MIN, 8, 17 },
        { KDF_SCRYPT_N_MIN, 8, UINT32_MAX },
        { KDF_SCRYPT_N_MIN, UINT32_MAX, 1 },
        { KDF_SCRYPT_N_MIN, 513, 1 }, /* over 1 GiB */
        { KDF_SCRYPT_N_MAX, 9, 1 },   /* over 1 GiB */
        { UINT32_MAX, UINT32_MAX, UINT32_MAX },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kdf_scrypt with = { .n = rows[i].n, .r = rows[i].r, .p = rows[i].p, .salt = { 1 } };
        unsigned char out[KDF_KEY_BYTES] = { 0xEE }, before[KDF_KEY_BYTES] = { 0xEE };
        if (kdf_scrypt(SLICE("password"), &with, out) != ERR_OVERFLOW)
            fail_msg("row %zu", i);
        assert_memory_equal(out, before, sizeof(out));
    }
}

/* Computed with Python's hashlib.scrypt: N 2^14, r 8, p 1, salt 0 to 31. */
static void
the_key_is_that_of_its_password_salt_and_cost(void **state UNUSED)
{
    struct kdf_scrypt with = { .n = KDF_SCRYPT_N_MIN, .r = KDF_SCRYPT_R, .p = KDF_SCRYPT_P };
    unsigned char out[KDF_KEY_BYTES], other[KDF_KEY_BYTES], want[KDF_KEY_BYTES];

    for (size_t i = 0; i < sizeof(with.salt); i++)
        with.salt[i] = (unsigned char)i;
    assert_ok(decode_hex(SLICE("651bd3a26928adf17e59f618e18ea36170e3502bf333f5e56c74923474d5bef5"), want,
                         sizeof(want)));
    assert_ok(kdf_scrypt(SLICE("pleaseletmein"), &with, out));
    assert_memory_equal(out, want, sizeof(out));
    assert_ok(kdf_scrypt(SLICE("pleaseletmeiN"), &with, other));
    assert_memory_not_equal(out, other, sizeof(out));
    with.salt[31] ^= 0x80;
    assert_ok(kdf_scrypt(SLICE("pleaseletmein"), &with, other));
    assert_memory_not_equal(out, other, sizeof(out));
    with.salt[31] ^= 0x80;
    with.p = 2;
    assert_ok(kdf_scrypt(SLICE("pleaseletmein"), &with, other));
    assert_memory_not_equal(out, other, sizeof(out));
}

/* What new salts get must be allowed, and within the memory that the library is told of. */
static void
the_cost_of_new_salts_is_within_the_bounds(void **state UNUSED)
{
    const struct kdf_scrypt with = { .n = KDF_SCRYPT_N, .r = KDF_SCRYPT_R, .p = KDF_SCRYPT_P, .salt = { 1 } };
    unsigned char out[KDF_KEY_BYTES] = { 0 }, zero[KDF_KEY_BYTES] = { 0 };

    assert_ok(kdf_scrypt(SLICE("password"), &with, out));
    assert_memory_not_equal(out, zero, sizeof(out));
}

/* Has to come before the library's first allocation. */
static void
the_library_takes_our_allocator(void **state UNUSED)
{
    assert_true(unit_alloc_install());
}

static void
each_allocation_that_fails_is_an_error(void **state UNUSED)
{
    unsigned char out[32];
    long count = 0;
    enum err err;

    for (;; count++) {
        unit_alloc_arm(count);
        err = kdf_scrypt_derive(SLICE("password"), SLICE("salt"), 16, 1, 1, out, sizeof(out));
        if (!unit_alloc_disarm())
            break;
        assert_int_equal(err, ERR_CRYPTO);
    }
    assert_ok(err);
    assert_true(count > 0);
}

UNIT_MAIN(cmocka_unit_test(the_library_takes_our_allocator), cmocka_unit_test(the_published_keys_are_derived),
          cmocka_unit_test(parameters_out_of_bounds_are_refused),
          cmocka_unit_test(the_key_is_that_of_its_password_salt_and_cost),
          cmocka_unit_test(the_cost_of_new_salts_is_within_the_bounds),
          cmocka_unit_test(each_allocation_that_fails_is_an_error))
