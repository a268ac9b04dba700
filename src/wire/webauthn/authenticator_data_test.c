#include "core/unit.h"
#include "wire/webauthn/authenticator_data.h"
#include "wire/webauthn/webauthn_testing.h"

static void
a_new_credential_is_read(void **state UNUSED)
{
    EVP_PKEY *key = test_key(PUBLIC_KEY_ES256, 0);
    struct authenticator_data data;
    struct buf wire, cose;

    buf_init(&wire, 4096);
    buf_init(&cose, 4096);
    test_cose(&cose, key);
    test_authenticator_data(&wire, TEST_RP_ID, 0x5d, 0x01020304, key);
    assert_ok(authenticator_data_read(buf_slice(&wire), &data));
    assert_true(data.is_user_present && data.is_user_verified && data.is_backup_eligible &&
                data.is_backed_up);
    assert_true(data.has_credential && data.extensions.len == 0);
    assert_int_equal(data.sign_count, 0x01020304);
    assert_true(slice_eq(data.aaguid, SLICE("AAGUID of 16 oct")));
    assert_true(slice_eq(data.credential_id, SLICE("a credential's id...")));
    assert_true(slice_eq(data.public_key_bytes, buf_slice(&cose)));
    for (size_t have = 0; have < wire.len; have++) /* cut anywhere, it is none */
        assert_int_equal(authenticator_data_read(slice_of(wire.ptr, have), &data), ERR_ENCODING);
    buf_add_byte(&wire, 0);
    assert_int_equal(authenticator_data_read(buf_slice(&wire), &data), ERR_ENCODING);
    buf_release(&wire);
    buf_release(&cose);
    EVP_PKEY_free(key);
}

static void
flags_and_what_follows_them_agree(void **state UNUSED)
{
    const struct {
        unsigned flags;
        struct slice tail;
        enum err err;
    } rows[] = {
        { 0x05, SLICE_EMPTY, ERR_OK },
        { 0x1d, SLICE_EMPTY, ERR_OK },
        { 0x15, SLICE_EMPTY, ERR_ENCODING }, /* backed up, and not eligible */
        { 0x07, SLICE_EMPTY, ERR_ENCODING }, /* reserved */
        { 0x25, SLICE_EMPTY, ERR_ENCODING }, /* reserved */
        { 0x85,
          SLICE("\xa1\x63"
                "uvm\xf5"),
          ERR_OK },
        { 0x85, SLICE_EMPTY, ERR_ENCODING }, /* a map is said to follow */
        { 0x05,
          SLICE("\xa1\x63"
                "uvm\xf5"),
          ERR_ENCODING },                          /* and here is not */
        { 0x85, SLICE("\x80"), ERR_ENCODING },     /* no map */
        { 0x85, SLICE("\xa0\xa0"), ERR_ENCODING }, /* two of them */
        { 0x45, SLICE_EMPTY, ERR_ENCODING },       /* a credential is said to follow */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct authenticator_data data;
        struct buf wire;
        buf_init(&wire, 256);
        test_authenticator_data(&wire, TEST_RP_ID, rows[i].flags, 0, NULL);
        buf_add(&wire, rows[i].tail);
        assert_int_equal(authenticator_data_read(buf_slice(&wire), &data), rows[i].err);
        buf_release(&wire);
    }
}

static void
a_credential_id_has_1_to_1023_octets(void **state UNUSED)
{
    static const size_t lengths[] = { 0, 1, 1023, 1024 };
    EVP_PKEY *key = test_key(PUBLIC_KEY_EDDSA, 0);

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct authenticator_data data;
        struct buf wire;
        buf_init(&wire, 4096);
        test_authenticator_data(&wire, TEST_RP_ID, 0x45, 0, NULL);
        buf_add(&wire, SLICE("AAGUID of 16 oct"));
        buf_add_u16be(&wire, (uint16_t)lengths[i]);
        for (size_t j = 0; j < lengths[i]; j++)
            buf_add_byte(&wire, 'i');
        test_cose(&wire, key);
        assert_int_equal(authenticator_data_read(buf_slice(&wire), &data),
                         i == 1 || i == 2 ? ERR_OK : ERR_ENCODING);
        buf_release(&wire);
    }
    EVP_PKEY_free(key);
}

UNIT_MAIN(cmocka_unit_test(a_new_credential_is_read), cmocka_unit_test(flags_and_what_follows_them_agree),
          cmocka_unit_test(a_credential_id_has_1_to_1023_octets))
