#include "core/unit.h"
#include "wire/webauthn/cbor.h"
#include "wire/webauthn/cose_key.h"
#include "wire/webauthn/webauthn_testing.h"

static void
keys_of_the_three_kinds_are_read(void **state UNUSED)
{
    static const int numbers[] = { COSE_ES256, COSE_EDDSA, COSE_RS256 };

    for (int i = PUBLIC_KEY_ES256; i <= PUBLIC_KEY_RS256; i++) {
        EVP_PKEY *pkey = test_key((enum public_key_algorithm)i, 2048);
        struct public_key key;
        struct buf wire;
        buf_init(&wire, 4096);
        test_cose(&wire, pkey);
        assert_ok(buf_done(&wire));
        assert_ok(cose_key_read(buf_slice(&wire), &key));
        assert_int_equal(key.algorithm, i);
        assert_int_equal(cose_algorithm(key.algorithm), numbers[i]);
        buf_add_byte(&wire, 0); /* nothing may follow */
        assert_int_equal(cose_key_read(buf_slice(&wire), &key), ERR_ENCODING);
        buf_release(&wire);
        EVP_PKEY_free(pkey);
    }
}

#define X256                                                                                                 \
    "\x60\xfe\xd4\xba\x25\x5a\x9d\x31\xc9\x61\xeb\x74\xc6\x35\x6d\x68\xc0\x49\xb8\x92\x3b\x61\xfa\x6c\xe6\x69\x62\x2e\x60\xf2\x9f\xb6"
#define Y256                                                                                                 \
    "\x79\x03\xfe\x10\x08\xb8\xbc\x99\xa4\x1a\xe9\xe9\x56\x28\xbc\x64\xf2\xf1\xb2\x0c\x2d\x7e\x9f\x51\x77\xa3\xc2\x94\xd4\x46\x22\x99"

static void
what_is_no_such_key_is_refused(void **state UNUSED)
{
    /* RFC 6979, A.2.5: a point of P-256, in the order of the parameters that authenticators use and in
     * another. */
    const struct slice good[] = {
        SLICE("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" X256 "\x22\x58\x20" Y256),
        SLICE("\xa5\x22\x58\x20" Y256 "\x21\x58\x20" X256 "\x20\x01\x03\x26\x01\x02"),
    };
    const struct slice bad[] = {
        SLICE("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" X256 "\x22\x58\x20" X256),     /* not on the curve */
        SLICE("\xa5\x01\x02\x03\x27\x20\x01\x21\x58\x20" X256 "\x22\x58\x20" Y256),     /* EdDSA on P-256 */
        SLICE("\xa5\x01\x01\x03\x26\x20\x01\x21\x58\x20" X256 "\x22\x58\x20" Y256),     /* another type */
        SLICE("\xa5\x01\x02\x03\x26\x20\x02\x21\x58\x20" X256 "\x22\x58\x20" Y256),     /* P-384 */
        SLICE("\xa5\x01\x02\x03\x38\x22\x20\x01\x21\x58\x20" X256 "\x22\x58\x20" Y256), /* ES384 */
        SLICE("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" X256 "\x22\xf5"),              /* y by its sign */
        SLICE("\xa4\x01\x02\x03\x26\x20\x01\x21\x58\x20" X256),                         /* y is missing */
        SLICE("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" X256 "\x21\x58\x20" X256),     /* x twice */
        SLICE("\xa6\x01\x02\x02\x40\x03\x26\x20\x01\x21\x58\x20" X256 "\x22\x58\x20" Y256), /* a key id */
        SLICE("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x21\0" X256 "\x22\x58\x20" Y256),       /* too long */
        SLICE("\xa4\x01\x01\x03\x27\x20\x06\x21\x41z"),                        /* Ed25519, too short */
        SLICE("\xa4\x01\x03\x03\x39\x01\x00\x20\x41\x05\x21\x43\x01\x00\x01"), /* RSA of 3 bits */
        SLICE("\xa6\x01\x02\x03\x26\x20\x01\x21\x58\x20" X256 "\x22\x58\x20" Y256
              "\x01\x02"), /* the type twice */
        SLICE("\xa0"),
        SLICE("\x80"),
        SLICE(""),
    };
    struct public_key key;

    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_ok(cose_key_read(good[i], &key));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(cose_key_read(bad[i], &key), ERR_ENCODING);
}

UNIT_MAIN(cmocka_unit_test(keys_of_the_three_kinds_are_read),
          cmocka_unit_test(what_is_no_such_key_is_refused))
