#include "core/unit.h"
#include "wire/webauthn/webauthn.h"
#include "wire/webauthn/webauthn_testing.h"
#include <openssl/sha.h>

/* SLICE is no constant. */
#define TEXT(literal)                                                                                        \
    {                                                                                                        \
        "" literal, sizeof(literal) - 1                                                                      \
    }

static const struct slice origins[] = { TEXT("https://other.harkara.example"), TEXT(TEST_ORIGIN) };
static const struct webauthn_expected expected = { TEXT(TEST_CHALLENGE), origins, 2, TEXT(TEST_RP_ID) };

/* One registration or sign-in, right but for what a row says. */
struct ceremony {
    const char *type, *origin, *rp_id, *format, *more;
    struct slice challenge;
    unsigned flags;
    bool has_credential;
    uint32_t count;
};
static const struct ceremony registration = { "webauthn.create",    TEST_ORIGIN, TEST_RP_ID, "none", "",
                                              TEXT(TEST_CHALLENGE), 0x45,        true,       0 };
static const struct ceremony assertion = { "webauthn.get",       TEST_ORIGIN, TEST_RP_ID, "none", "",
                                           TEXT(TEST_CHALLENGE), 0x05,        false,      6 };

static enum err
registered(const struct ceremony *c, EVP_PKEY *key, struct buf *attestation,
           struct webauthn_registration *out, enum webauthn_fault *fault)
{
    struct buf client, data;

    buf_init(&client, 8192);
    buf_init(&data, 8192);
    buf_init(attestation, 32768);
    test_client_data(&client, c->type, c->challenge, c->origin, c->more);
    test_authenticator_data(&data, c->rp_id, c->flags, c->count, c->has_credential ? key : NULL);
    test_attestation(attestation, c->format, buf_slice(&data));
    enum err err =
        webauthn_registration_check(&expected, buf_slice(&client), buf_slice(attestation), out, fault);
    buf_release(&client);
    buf_release(&data);
    return err;
}

static void
signed_by(const struct ceremony *c, EVP_PKEY *key, struct buf *client, struct buf *data,
          struct buf *signature)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct buf message;

    buf_init(client, 8192);
    buf_init(data, 8192);
    buf_init(signature, 1024);
    buf_init(&message, 16384);
    test_client_data(client, c->type, c->challenge, c->origin, c->more);
    test_authenticator_data(data, c->rp_id, c->flags, c->count, c->has_credential ? key : NULL);
    SHA256((const unsigned char *)client->ptr, client->len, hash);
    buf_add(&message, buf_slice(data));
    buf_add(&message, slice_of(hash, sizeof(hash)));
    test_sign(key, buf_slice(&message), signature);
    buf_release(&message);
}

static enum err
asserted(const struct ceremony *c, const struct webauthn_stored *stored, EVP_PKEY *key,
         struct webauthn_assertion *out, enum webauthn_fault *fault)
{
    struct buf client, data, signature;

    signed_by(c, key, &client, &data, &signature);
    enum err err = webauthn_assertion_check(&expected, stored, buf_slice(&client), buf_slice(&data),
                                            buf_slice(&signature), out, fault);
    buf_release(&client);
    buf_release(&data);
    buf_release(&signature);
    return err;
}

static void
a_passkey_of_each_kind_is_registered_and_signs_in(void **state UNUSED)
{
    for (int i = PUBLIC_KEY_ES256; i <= PUBLIC_KEY_RS256; i++) {
        EVP_PKEY *key = test_key((enum public_key_algorithm)i, 2048);
        struct webauthn_registration made;
        struct webauthn_assertion seen;
        enum webauthn_fault fault;
        struct buf attestation;
        assert_ok(registered(&registration, key, &attestation, &made, &fault));
        assert_int_equal(fault, WEBAUTHN_FAULT_NONE);
        assert_true(slice_eq(made.credential_id, SLICE("a credential's id...")));
        struct webauthn_stored stored = { made.public_key, made.sign_count, made.is_backup_eligible };
        assert_ok(asserted(&assertion, &stored, key, &seen, &fault));
        assert_int_equal(seen.sign_count, 6);
        assert_false(seen.is_backed_up);
        buf_release(&attestation);
        EVP_PKEY_free(key);
    }
}

static void
any_attestation_is_taken_and_none_believed(void **state UNUSED)
{
    EVP_PKEY *key = test_key(PUBLIC_KEY_ES256, 0);
    struct ceremony c = registration;
    struct webauthn_registration made;
    enum webauthn_fault fault;
    struct buf attestation;

    c.format = "packed";
    assert_ok(registered(&c, key, &attestation, &made, &fault));
    assert_true(slice_eq(made.aaguid, SLICE("AAGUID of 16 oct")));
    buf_release(&attestation);
    EVP_PKEY_free(key);
}

/* A ceremony with one fault. What a row leaves away is as it should be. */
struct fault_row {
    enum webauthn_fault fault;
    const char *type, *origin, *rp_id, *more;
    struct slice challenge;
    unsigned flags;
    bool has_other_credential; /* one where there should be none, or none */
    bool has_count;
    uint32_t count;
};

static struct ceremony
with_fault(struct ceremony c, const struct fault_row *row)
{
    c.type = row->type != NULL ? row->type : c.type;
    c.origin = row->origin != NULL ? row->origin : c.origin;
    c.rp_id = row->rp_id != NULL ? row->rp_id : c.rp_id;
    c.more = row->more != NULL ? row->more : c.more;
    c.challenge = row->challenge.ptr != NULL ? row->challenge : c.challenge;
    c.flags = row->flags != 0 ? row->flags : c.flags;
    c.has_credential ^= row->has_other_credential;
    c.count = row->has_count ? row->count : c.count;
    return c;
}

static void
each_fault_of_a_registration_is_refused(void **state UNUSED)
{
    static const struct fault_row rows[] = {
        { WEBAUTHN_FAULT_TYPE, .type = "webauthn.get" },
        { WEBAUTHN_FAULT_CHALLENGE, .challenge = TEXT("0123456789abcdef0123456789abcdeF") },
        { WEBAUTHN_FAULT_CHALLENGE, .challenge = TEXT("0123456789abcdef") },
        { WEBAUTHN_FAULT_CHALLENGE, .challenge = TEXT("") },
        { WEBAUTHN_FAULT_ORIGIN, .origin = "https://evil.example" },
        { WEBAUTHN_FAULT_ORIGIN, .origin = TEST_ORIGIN "/" },
        { WEBAUTHN_FAULT_ORIGIN, .origin = TEST_ORIGIN ":444" },
        { WEBAUTHN_FAULT_ORIGIN, .origin = "http://app.harkara.example" },
        { WEBAUTHN_FAULT_ORIGIN, .origin = "HTTPS://app.harkara.example" },
        { WEBAUTHN_FAULT_CROSS_ORIGIN, .more = ",\"topOrigin\":\"https://evil.example\"" },
        { WEBAUTHN_FAULT_CLIENT_DATA, .more = ",\"type\":\"webauthn.create\"" }, /* a name twice */
        { WEBAUTHN_FAULT_CLIENT_DATA, .more = ",\"a\":" },
        { WEBAUTHN_FAULT_RP_ID, .rp_id = "app.harkara.example" },
        { WEBAUTHN_FAULT_USER_PRESENCE, .flags = 0x44 },
        { WEBAUTHN_FAULT_USER_VERIFICATION, .flags = 0x41 },
        { WEBAUTHN_FAULT_AUTHENTICATOR_DATA, .flags = 0x05 }, /* bytes that no flag tells of */
        { WEBAUTHN_FAULT_AUTHENTICATOR_DATA, .flags = 0x55 }, /* backed up, and not eligible */
        { WEBAUTHN_FAULT_CREDENTIAL, .flags = 0x05, .has_other_credential = true },
    };
    EVP_PKEY *key = test_key(PUBLIC_KEY_ES256, 0);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ceremony c = with_fault(registration, &rows[i]);
        struct webauthn_registration made;
        enum webauthn_fault fault;
        struct buf attestation;
        assert_int_equal(registered(&c, key, &attestation, &made, &fault), ERR_PASSKEY_INVALID);
        assert_string_equal(webauthn_fault_word(fault), webauthn_fault_word(rows[i].fault));
        assert_int_equal(made.credential_id.len, 0);
        buf_release(&attestation);
    }
    EVP_PKEY_free(key);
}

static void
a_frame_of_another_page_is_refused(void **state UNUSED)
{
    const struct slice rows[] = {
        SLICE("{\"type\":\"webauthn.create\",\"challenge\":\"MDEy\",\"origin\":\"" TEST_ORIGIN
              "\",\"crossOrigin\":true}"),
        SLICE("{\"type\":\"webauthn.create\",\"challenge\":\"MDEy\",\"origin\":\"" TEST_ORIGIN
              "\",\"crossOrigin\":0}"),
        SLICE("[]"),
    };
    static const enum webauthn_fault faults[] = { WEBAUTHN_FAULT_CROSS_ORIGIN, WEBAUTHN_FAULT_CLIENT_DATA,
                                                  WEBAUTHN_FAULT_CLIENT_DATA };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct webauthn_registration made;
        enum webauthn_fault fault;
        assert_int_equal(webauthn_registration_check(&expected, rows[i], SLICE("\xa0"), &made, &fault),
                         ERR_PASSKEY_INVALID);
        assert_int_equal(fault, faults[i]);
    }
}

/* An attestation object, as CBOR: kind 5 is a map, kind 4 an array. */
struct attestation_row {
    const char *what;
    const char *format, *statement; /* the names of two members */
    unsigned kind, members, statement_kind, statement_members;
    enum { DATA_LAST, DATA_FIRST, DATA_MISSING } data;
    bool has_more;
    enum err want;
};

static void
attestation_write(const struct attestation_row *row, struct slice data, struct buf *object)
{
    test_cbor(object, row->kind, row->members);
    if (row->data == DATA_FIRST) {
        test_cbor_text(object, "authData");
        test_cbor_bytes(object, data);
    }
    test_cbor_text(object, row->format);
    test_cbor_text(object, "none");
    test_cbor_text(object, row->statement);
    test_cbor(object, row->statement_kind, row->statement_members);
    if (row->statement_members > 0) {
        test_cbor_text(object, "sig");
        test_cbor_bytes(object, SLICE("x"));
    }
    if (row->data == DATA_LAST) {
        test_cbor_text(object, "authData");
        test_cbor_bytes(object, data);
    }
    if (row->has_more) {
        test_cbor_text(object, "more");
        test_cbor(object, 0, 1);
    }
}

static void
an_attestation_is_a_map_of_three(void **state UNUSED)
{
    static const struct attestation_row rows[] = {
        { "right", "fmt", "attStmt", 5, 3, 5, 0, DATA_LAST, false, ERR_OK },
        { "in another order", "fmt", "attStmt", 5, 3, 5, 0, DATA_FIRST, false, ERR_OK },
        { "without the data", "fmt", "attStmt", 5, 2, 5, 0, DATA_MISSING, false, ERR_PASSKEY_INVALID },
        { "with one more", "fmt", "attStmt", 5, 4, 5, 0, DATA_LAST, true, ERR_PASSKEY_INVALID },
        { "of another name", "fm", "attStmt", 5, 3, 5, 0, DATA_LAST, false, ERR_PASSKEY_INVALID },
        { "a name twice", "fmt", "fmt", 5, 3, 5, 0, DATA_LAST, false, ERR_PASSKEY_INVALID },
        { "a statement that is a list", "fmt", "attStmt", 5, 3, 4, 0, DATA_LAST, false, ERR_PASSKEY_INVALID },
        { "`none` that says something", "fmt", "attStmt", 5, 3, 5, 1, DATA_LAST, false, ERR_PASSKEY_INVALID },
        { "a list", "fmt", "attStmt", 4, 3, 5, 0, DATA_LAST, false, ERR_PASSKEY_INVALID },
    };
    EVP_PKEY *key = test_key(PUBLIC_KEY_EDDSA, 0);
    struct buf client, data, object;
    struct webauthn_registration made;
    enum webauthn_fault fault;

    buf_init(&client, 1024);
    buf_init(&data, 1024);
    test_client_data(&client, "webauthn.create", expected.challenge, TEST_ORIGIN, "");
    test_authenticator_data(&data, TEST_RP_ID, 0x45, 0, key);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_init(&object, 4096);
        attestation_write(&rows[i], buf_slice(&data), &object);
        enum err err =
            webauthn_registration_check(&expected, buf_slice(&client), buf_slice(&object), &made, &fault);
        if (err != rows[i].want)
            fail_msg("%s: %d", rows[i].what, (int)err);
        if (err == ERR_OK) { /* and nothing may follow */
            buf_add_byte(&object, 0);
            assert_int_equal(
                webauthn_registration_check(&expected, buf_slice(&client), buf_slice(&object), &made, &fault),
                ERR_PASSKEY_INVALID);
        }
        assert_int_equal(fault, WEBAUTHN_FAULT_ATTESTATION);
        buf_release(&object);
    }
    buf_release(&client);
    buf_release(&data);
    EVP_PKEY_free(key);
}

static void
each_fault_of_a_sign_in_is_refused(void **state UNUSED)
{
    static const struct fault_row rows[] = {
        { WEBAUTHN_FAULT_TYPE, .type = "webauthn.create" },
        { WEBAUTHN_FAULT_CHALLENGE, .challenge = TEXT("0123456789abcdef0123456789abcdeg") },
        { WEBAUTHN_FAULT_ORIGIN, .origin = "https://evil.example" },
        { WEBAUTHN_FAULT_CROSS_ORIGIN, .more = ",\"topOrigin\":\"" TEST_ORIGIN "\"" },
        { WEBAUTHN_FAULT_RP_ID, .rp_id = "evil.example" },
        { WEBAUTHN_FAULT_USER_PRESENCE, .flags = 0x04 },
        { WEBAUTHN_FAULT_USER_VERIFICATION, .flags = 0x01 },
        { WEBAUTHN_FAULT_BACKUP, .flags = 0x0d },
        { WEBAUTHN_FAULT_CREDENTIAL, .flags = 0x45, .has_other_credential = true },
        { WEBAUTHN_FAULT_COUNTER, .has_count = true, .count = 5 },
        { WEBAUTHN_FAULT_COUNTER, .has_count = true, .count = 4 },
        { WEBAUTHN_FAULT_COUNTER, .has_count = true, .count = 0 },
    };
    EVP_PKEY *key = test_key(PUBLIC_KEY_ES256, 0);
    struct webauthn_assertion seen;
    enum webauthn_fault fault;
    struct buf cose;

    buf_init(&cose, 1024);
    test_cose(&cose, key);
    struct webauthn_stored stored = { buf_slice(&cose), 5, false };
    assert_ok(asserted(&assertion, &stored, key, &seen, &fault));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ceremony c = with_fault(assertion, &rows[i]);
        assert_int_equal(asserted(&c, &stored, key, &seen, &fault), ERR_PASSKEY_REFUSED);
        assert_string_equal(webauthn_fault_word(fault), webauthn_fault_word(rows[i].fault));
    }
    buf_release(&cose);
    EVP_PKEY_free(key);
}

static void
a_counter_that_stays_at_0_is_that_of_a_synced_passkey(void **state UNUSED)
{
    EVP_PKEY *key = test_key(PUBLIC_KEY_EDDSA, 0);
    struct ceremony c = assertion;
    struct webauthn_assertion seen;
    enum webauthn_fault fault;
    struct buf cose;

    buf_init(&cose, 1024);
    test_cose(&cose, key);
    struct webauthn_stored stored = { buf_slice(&cose), 0, true };
    c.count = 0;
    c.flags = 0x1d;
    assert_ok(asserted(&c, &stored, key, &seen, &fault));
    assert_true(seen.is_backed_up && seen.sign_count == 0);
    stored.sign_count = UINT32_MAX;
    c.count = UINT32_MAX;
    assert_int_equal(asserted(&c, &stored, key, &seen, &fault), ERR_PASSKEY_REFUSED);
    buf_release(&cose);
    EVP_PKEY_free(key);
}

static void
any_changed_bit_of_what_is_signed_is_noticed(void **state UNUSED)
{
    EVP_PKEY *key = test_key(PUBLIC_KEY_ES256, 0), *other = test_key(PUBLIC_KEY_ES256, 0);
    struct buf client, data, signature, cose, other_cose;
    struct webauthn_assertion seen;
    enum webauthn_fault fault;

    buf_init(&cose, 1024);
    buf_init(&other_cose, 1024);
    test_cose(&cose, key);
    test_cose(&other_cose, other);
    signed_by(&assertion, key, &client, &data, &signature);
    const struct webauthn_stored stored = { buf_slice(&cose), 5, false },
                                 others = { buf_slice(&other_cose), 5, false };
    struct buf *parts[] = { &client, &data, &signature };
    for (size_t part = 0; part < COUNT_OF(parts); part++)
        for (size_t bit = 0; bit < parts[part]->len * 8; bit += 3) {
            parts[part]->ptr[bit / 8] ^= (char)(1u << bit % 8);
            assert_int_equal(webauthn_assertion_check(&expected, &stored, buf_slice(&client),
                                                      buf_slice(&data), buf_slice(&signature), &seen, &fault),
                             ERR_PASSKEY_REFUSED);
            parts[part]->ptr[bit / 8] ^= (char)(1u << bit % 8);
        }
    assert_ok(webauthn_assertion_check(&expected, &stored, buf_slice(&client), buf_slice(&data),
                                       buf_slice(&signature), &seen, &fault));
    assert_int_equal(webauthn_assertion_check(&expected, &others, buf_slice(&client), buf_slice(&data),
                                              buf_slice(&signature), &seen, &fault),
                     ERR_PASSKEY_REFUSED);
    assert_int_equal(fault, WEBAUTHN_FAULT_SIGNATURE);
    assert_int_equal(webauthn_assertion_check(&expected, &stored, buf_slice(&client), buf_slice(&data),
                                              SLICE_EMPTY, &seen, &fault),
                     ERR_PASSKEY_REFUSED);
    buf_release(&client);
    buf_release(&data);
    buf_release(&signature);
    buf_release(&cose);
    buf_release(&other_cose);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void
a_challenge_that_could_be_guessed_is_a_mistake_of_ours(void **state UNUSED)
{
    const struct webauthn_expected guessed = { SLICE("0123456789abcde"), origins, 2, SLICE(TEST_RP_ID) };
    struct webauthn_registration made;
    enum webauthn_fault fault;
    struct buf client;

    buf_init(&client, 1024);
    test_client_data(&client, "webauthn.create", guessed.challenge, TEST_ORIGIN, "");
    assert_int_equal(webauthn_registration_check(&guessed, buf_slice(&client), SLICE("\xa0"), &made, &fault),
                     ERR_CRYPTO);
    buf_release(&client);
}

UNIT_MAIN(cmocka_unit_test(a_passkey_of_each_kind_is_registered_and_signs_in),
          cmocka_unit_test(any_attestation_is_taken_and_none_believed),
          cmocka_unit_test(each_fault_of_a_registration_is_refused),
          cmocka_unit_test(a_frame_of_another_page_is_refused),
          cmocka_unit_test(an_attestation_is_a_map_of_three),
          cmocka_unit_test(each_fault_of_a_sign_in_is_refused),
          cmocka_unit_test(a_counter_that_stays_at_0_is_that_of_a_synced_passkey),
          cmocka_unit_test(any_changed_bit_of_what_is_signed_is_noticed),
          cmocka_unit_test(a_challenge_that_could_be_guessed_is_a_mistake_of_ours))
