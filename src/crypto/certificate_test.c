#include "core/unit.h"
#include "crypto/certificate.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static const struct wall_time now = { INT64_C(1795333730000000) };

static EVP_PKEY *
key_make(const char *kind)
{
    if (slice_starts_with(slice_text(kind), SLICE("RSA")))
        return EVP_RSA_gen(slice_eq(slice_text(kind), SLICE("RSA-1024")) ? 1024u : 2048u);
    return slice_eq(slice_text(kind), SLICE("ED25519")) || slice_eq(slice_text(kind), SLICE("ED448"))
               ? EVP_PKEY_Q_keygen(NULL, NULL, kind)
               : EVP_EC_gen(kind);
}

/* Signed by its own key; good until `seconds` from now. */
static void
certificate_print(EVP_PKEY *key, const char *name, long seconds, struct buf *out)
{
    X509 *made = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    bool is_edwards = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");

    assert_non_null(made);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(made), 0));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(made), now.us / 1000000 + seconds));
    X509_set_pubkey(made, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, (const unsigned char *)name,
                               -1, -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(made));
    assert_true(X509_sign(made, key, is_edwards ? NULL : EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, made), 1);
    long len = BIO_get_mem_data(bio, &bytes);
    buf_add(out, slice_of(bytes, (size_t)len));
    BIO_free(bio);
    X509_free(made);
}

static void
key_print(EVP_PKEY *key, const char *passphrase, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;

    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, passphrase == NULL ? NULL : EVP_aes_256_cbc(), NULL,
                                              0, NULL, (char *)(uintptr_t)passphrase),
                     1);
    long len = BIO_get_mem_data(bio, &bytes);
    buf_add(out, slice_of(bytes, (size_t)len));
    BIO_free(bio);
}

static struct buf chain, key;

static int
opened(void **state UNUSED)
{
    buf_init(&chain, 65536);
    buf_init(&key, 65536);
    return 0;
}

static int
closed(void **state UNUSED)
{
    buf_release(&chain);
    buf_release_wiped(&key);
    return secret_pool_used() == 0 ? 0 : -1; /* no key is left behind */
}

static enum certificate_fault
fault_of(void)
{
    struct certificate certificate;
    enum certificate_fault fault;

    assert_ok(certificate_read(buf_slice(&chain), buf_slice(&key), now, &certificate, &fault));
    certificate_release(&certificate);
    return fault;
}

static void
strong_keys_of_four_kinds_are_taken_and_others_refused(void **state UNUSED)
{
    static const struct {
        const char *kind;
        enum certificate_fault fault;
    } rows[] = {
        { "RSA-2048", CERTIFICATE_FAULT_NONE }, { "P-256", CERTIFICATE_FAULT_NONE },
        { "P-384", CERTIFICATE_FAULT_NONE },    { "ED25519", CERTIFICATE_FAULT_NONE },
        { "RSA-1024", CERTIFICATE_FAULT_KIND }, { "P-521", CERTIFICATE_FAULT_KIND },
        { "ED448", CERTIFICATE_FAULT_KIND },    { "secp256k1", CERTIFICATE_FAULT_KIND },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        EVP_PKEY *made = key_make(rows[i].kind);
        assert_non_null(made);
        buf_clear(&chain);
        buf_clear(&key);
        certificate_print(made, rows[i].kind, 3600, &chain);
        key_print(made, NULL, &key);
        print_message("# %s\n", rows[i].kind);
        assert_int_equal(fault_of(), rows[i].fault);
        EVP_PKEY_free(made);
    }
}

static void
what_is_read_is_told_and_written_anew(void **state UNUSED)
{
    struct certificate certificate;
    enum certificate_fault fault;
    EVP_PKEY *made = key_make("P-256"), *above = key_make("P-384");

    buf_add_text(&chain, "subject=a comment\r\n");
    certificate_print(made, "caf\xC3\xA9, \"x\"", 3600, &chain);
    buf_add_text(&chain, "another\n");
    certificate_print(above, "above", -3600, &chain); /* what is above it is the peer's to judge */
    key_print(made, NULL, &key);
    assert_ok(certificate_read(buf_slice(&chain), buf_slice(&key), now, &certificate, &fault));
    assert_int_equal(fault, CERTIFICATE_FAULT_NONE);
    assert_true(slice_eq(buf_slice(&certificate.subject), SLICE("CN=caf\\C3\\A9\\, \\\"x\\\"")));
    assert_true(slice_eq(buf_slice(&certificate.issuer), buf_slice(&certificate.subject)));
    assert_int_equal(certificate.not_after.us, now.us / 1000000 * 1000000 + INT64_C(3600000000));
    assert_true(slice_starts_with(buf_slice(&certificate.chain), SLICE("-----BEGIN CERTIFICATE-----\n")));
    assert_false(slice_contains(buf_slice(&certificate.chain), SLICE("comment")));
    assert_false(slice_contains(buf_slice(&certificate.chain), SLICE("another")));
    assert_true(slice_starts_with(secret_slice(certificate.key), SLICE("-----BEGIN PRIVATE KEY-----\n")));

    X509 *own = NULL;
    BIO *bio = BIO_new_mem_buf(certificate.chain.ptr, (int)certificate.chain.len);
    unsigned char digest[CERTIFICATE_FINGERPRINT_BYTES];
    unsigned len = 0;
    own = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_int_equal(X509_digest(own, EVP_sha256(), digest, &len), 1);
    assert_memory_equal(digest, certificate.fingerprint, sizeof(digest));
    X509_free(own);
    own = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(own);
    X509_free(own);
    assert_null(PEM_read_bio_X509(bio, NULL, NULL, NULL));
    BIO_free(bio);
    certificate_release(&certificate);
    EVP_PKEY_free(made);
    EVP_PKEY_free(above);
}

static void
what_does_not_hold_is_told_apart(void **state UNUSED)
{
    EVP_PKEY *made = key_make("P-256"), *stranger = key_make("P-256");

    assert_int_equal(fault_of(), CERTIFICATE_FAULT_CHAIN); /* nothing at all */
    buf_add_text(&key, "no key");
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_CHAIN);
    certificate_print(made, "own", 3600, &chain);
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_KEY);
    buf_clear(&key);
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_KEY);
    buf_add(&key, buf_slice(&chain));
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_KEY); /* a certificate is none */
    buf_clear(&key);
    key_print(stranger, NULL, &key);
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_MISMATCH);
    buf_clear(&key);
    key_print(made, "a passphrase", &key);
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_ENCRYPTED);
    buf_clear(&key);
    key_print(made, NULL, &key);
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_NONE);
    buf_add(&chain, buf_slice(&key)); /* would be stored in the open */
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_CHAIN);

    buf_clear(&chain);
    certificate_print(made, "own", 0, &chain);
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_EXPIRED);
    buf_clear(&chain);
    certificate_print(made, "own", 3600, &chain);
    chain.len -= 40; /* the end is missing */
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_CHAIN);
    buf_clear(&chain);
    for (size_t i = 0; i <= CERTIFICATE_CHAIN_MAX; i++)
        certificate_print(made, "own", 3600, &chain);
    assert_int_equal(fault_of(), CERTIFICATE_FAULT_CHAIN);
    EVP_PKEY_free(made);
    EVP_PKEY_free(stranger);
}

static int
group_setup(void **state UNUSED)
{
    return secret_pool_open_unlocked(1 << 16) == ERR_OK ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(strong_keys_of_four_kinds_are_taken_and_others_refused),
        TEST(what_is_read_is_told_and_written_anew),
        TEST(what_does_not_hold_is_told_apart),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
