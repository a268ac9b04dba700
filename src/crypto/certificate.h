/*
 * A client certificate for TLS, with its key, as somebody hands them in: PEM (RFC 7468) read by OpenSSL. Both
 * are written anew, so that what is kept holds the certificates and the key and nothing else.
 */
#ifndef CRYPTO_CERTIFICATE_H
#define CRYPTO_CERTIFICATE_H
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/secret.h"
#include "core/slice.h"

#define CERTIFICATE_CHAIN_BYTES_MAX   8192u
#define CERTIFICATE_CHAIN_MAX         5u /* the client's own and four above it */
#define CERTIFICATE_KEY_BYTES_MAX     4096u
#define CERTIFICATE_NAME_BYTES_MAX    1024u
#define CERTIFICATE_FINGERPRINT_BYTES 32u
#define CERTIFICATE_RSA_BITS_MIN      2048

enum certificate_fault { /* what is wrong with what was handed in */
                         CERTIFICATE_FAULT_NONE,
                         CERTIFICATE_FAULT_CHAIN,   /* no certificates, too many, or something else between */
                         CERTIFICATE_FAULT_NAME,    /* a subject or issuer that is too long */
                         CERTIFICATE_FAULT_EXPIRED, /* the client's own */
                         CERTIFICATE_FAULT_KEY,     /* no private key */
                         CERTIFICATE_FAULT_ENCRYPTED,
                         CERTIFICATE_FAULT_KIND,     /* not RSA of 2048 bits, P-256, P-384 or Ed25519 */
                         CERTIFICATE_FAULT_MISMATCH, /* not the key of the first certificate */
};

struct certificate {
    struct buf chain;           /* owned: PEM, the client's own first */
    struct secret *key;         /* owned: PKCS #8 in PEM */
    struct buf subject, issuer; /* owned: of the client's own, by RFC 2253, in ASCII */
    struct wall_time not_after; /* as the next: of the client's own */
    unsigned char fingerprint[CERTIFICATE_FINGERPRINT_BYTES]; /* SHA-256 over its DER */
};

/*
 * Reads and judges both. *out is the caller's to release in any case; it is whole with
 * CERTIFICATE_FAULT_NONE. ERR_NO_MEMORY, also when the secret pool is full; ERR_CRYPTO.
 */
MUST_CHECK enum err certificate_read(struct slice chain, struct slice key, struct wall_time now,
                                     struct certificate *out, enum certificate_fault *fault_out);
void certificate_release(struct certificate *certificate);

#endif
