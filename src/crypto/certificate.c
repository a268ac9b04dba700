#include "crypto/certificate.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* Nobody is there to be asked; that it was asked says that the key is encrypted. */
static int
on_passphrase(char *to UNUSED, int size UNUSED, int is_writing UNUSED, void *ctx)
{
    *(bool *)ctx = true;
    return -1;
}

/* What a memory BIO holds, added to a buffer of the caller's. */
static enum err
bio_take(BIO *bio, struct buf *out)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);

    buf_add(out, slice_of(bytes, len < 0 ? 0 : (size_t)len));
    return buf_done(out);
}

/* In ASCII: what is not, and what would be read as syntax, is escaped. */
static enum err
name_print(const X509_NAME *name, struct buf *out, enum certificate_fault *fault)
{
    BIO *bio = BIO_new(BIO_s_mem());
    enum err err = bio == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
        err = ERR_CRYPTO;
    if (err == ERR_OK)
        err = bio_take(bio, out);
    if (err == ERR_LIMIT) {
        *fault = CERTIFICATE_FAULT_NAME;
        err = ERR_OK;
    }
    BIO_free(bio);
    return err;
}

/* Microseconds since 1970, also for what lies beyond a time_t of 32 bits. */
static enum err
time_read(const ASN1_TIME *time, struct wall_time *out)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool is_read = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;

    ASN1_TIME_free(epoch);
    *out = (struct wall_time){ ((int64_t)days * 86400 + seconds) * 1000000 };
    return is_read ? ERR_OK : ERR_CRYPTO;
}

static enum err
facts_read(const X509 *own, struct wall_time now, struct certificate *out, enum certificate_fault *fault)
{
    unsigned len = 0;
    enum err err = name_print(X509_get_subject_name(own), &out->subject, fault);

    if (err == ERR_OK && *fault == CERTIFICATE_FAULT_NONE)
        err = name_print(X509_get_issuer_name(own), &out->issuer, fault);
    if (err != ERR_OK || *fault != CERTIFICATE_FAULT_NONE)
        return err;
    if (X509_digest(own, EVP_sha256(), out->fingerprint, &len) != 1 || len != sizeof(out->fingerprint))
        return ERR_CRYPTO;
    if (time_read(X509_get0_notAfter(own), &out->not_after) != ERR_OK)
        *fault = CERTIFICATE_FAULT_CHAIN; /* a date that is none */
    else if (out->not_after.us <= now.us)
        *fault = CERTIFICATE_FAULT_EXPIRED;
    return ERR_OK;
}

/*
 * Writes each certificate of the text anew; *own_out is the first. Other text between them is left out, but
 * for keys: who pastes one here would see it taken for something that is shown.
 */
static enum err
chain_read(struct slice text, struct certificate *out, X509 **own_out, enum certificate_fault *fault)
{
    BIO *from = BIO_new_mem_buf(text.ptr, (int)text.len), *to = BIO_new(BIO_s_mem());
    X509 *one = NULL;
    size_t count = 0;
    enum err err = from == NULL || to == NULL ? ERR_NO_MEMORY : ERR_OK;

    *fault = CERTIFICATE_FAULT_CHAIN;
    if (err != ERR_OK || slice_contains(text, SLICE("PRIVATE KEY")))
        goto done;
    ERR_clear_error();
    while (err == ERR_OK && (one = PEM_read_bio_X509(from, NULL, NULL, NULL)) != NULL) {
        if (++count > CERTIFICATE_CHAIN_MAX)
            goto done;
        if (PEM_write_bio_X509(to, one) != 1)
            err = ERR_NO_MEMORY;
        if (count == 1)
            *own_out = one;
        else
            X509_free(one);
        one = NULL;
    }
    if (err == ERR_OK && count > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
        err = bio_take(to, &out->chain); /* never longer than what was read, but for line breaks */
        *fault = err == ERR_LIMIT ? CERTIFICATE_FAULT_CHAIN : CERTIFICATE_FAULT_NONE;
        err = err == ERR_LIMIT ? ERR_OK : err;
    }
done:
    ERR_clear_error();
    X509_free(one);
    BIO_free(from);
    BIO_free(to);
    return err;
}

/* The kinds that TLS peers take nowadays, of a strength that OpenSSL's own rules would not refuse later. */
static bool
key_is_fit(const EVP_PKEY *key)
{
    char group[32];
    size_t len = 0;

    if (EVP_PKEY_is_a(key, "RSA"))
        return EVP_PKEY_get_bits(key) >= CERTIFICATE_RSA_BITS_MIN;
    if (EVP_PKEY_is_a(key, "EC"))
        return EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
               (slice_eq(slice_of(group, len), SLICE("prime256v1")) ||
                slice_eq(slice_of(group, len), SLICE("secp384r1")));
    return EVP_PKEY_is_a(key, "ED25519");
}

/* OpenSSL wipes what it frees of a memory BIO. */
static enum err
key_write(const EVP_PKEY *key, struct certificate *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    enum err err = ERR_NO_MEMORY;

    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        long len = BIO_get_mem_data(bio, &bytes);
        out->key = len <= 0 ? NULL : secret_copy(slice_of(bytes, (size_t)len));
        err = out->key == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    BIO_free(bio);
    return err;
}

static enum err
key_read(struct slice text, X509 *own, struct certificate *out, enum certificate_fault *fault)
{
    BIO *from = BIO_new_mem_buf(text.ptr, (int)text.len);
    EVP_PKEY *key = NULL;
    bool was_asked = false;
    enum err err = ERR_OK;

    if (from == NULL)
        return ERR_NO_MEMORY;
    key = PEM_read_bio_PrivateKey(from, NULL, on_passphrase, &was_asked);
    if (key == NULL)
        *fault = was_asked ? CERTIFICATE_FAULT_ENCRYPTED : CERTIFICATE_FAULT_KEY;
    else if (!key_is_fit(key))
        *fault = CERTIFICATE_FAULT_KIND;
    else if (X509_check_private_key(own, key) != 1)
        *fault = CERTIFICATE_FAULT_MISMATCH;
    else
        err = key_write(key, out);
    ERR_clear_error();
    EVP_PKEY_free(key); /* wipes it */
    BIO_free(from);
    return err;
}

enum err
certificate_read(struct slice chain, struct slice key, struct wall_time now, struct certificate *out,
                 enum certificate_fault *fault_out)
{
    X509 *own = NULL;

    *out = (struct certificate){ .key = NULL };
    buf_init(&out->chain, CERTIFICATE_CHAIN_BYTES_MAX);
    buf_init(&out->subject, CERTIFICATE_NAME_BYTES_MAX);
    buf_init(&out->issuer, CERTIFICATE_NAME_BYTES_MAX);
    *fault_out = CERTIFICATE_FAULT_NONE;
    if (chain.len == 0 || chain.len > CERTIFICATE_CHAIN_BYTES_MAX)
        *fault_out = CERTIFICATE_FAULT_CHAIN;
    else if (key.len == 0 || key.len > CERTIFICATE_KEY_BYTES_MAX)
        *fault_out = CERTIFICATE_FAULT_KEY;
    if (*fault_out != CERTIFICATE_FAULT_NONE)
        return ERR_OK;
    enum err err = chain_read(chain, out, &own, fault_out);
    if (err == ERR_OK && *fault_out == CERTIFICATE_FAULT_NONE)
        err = facts_read(own, now, out, fault_out);
    if (err == ERR_OK && *fault_out == CERTIFICATE_FAULT_NONE)
        err = key_read(key, own, out, fault_out);
    X509_free(own);
    return err;
}

void
certificate_release(struct certificate *certificate)
{
    buf_release(&certificate->chain);
    buf_release(&certificate->subject);
    buf_release(&certificate->issuer);
    secret_free(certificate->key);
    certificate->key = NULL;
}
