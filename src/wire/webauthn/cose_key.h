/*
 * A passkey's public key as COSE_Key (RFC 9052, 7; RFC 9053), in the three forms that WebAuthn Level 3, 5.8.5
 * asks of everybody: ES256 on P-256, EdDSA on Ed25519, RS256.
 */
#ifndef WIRE_WEBAUTHN_COSE_KEY_H
#define WIRE_WEBAUTHN_COSE_KEY_H
#include "core/err.h"
#include "core/slice.h"
#include "crypto/public_key.h"

#define COSE_KEY_BYTES_MAX 1200u /* RS256 of 8192 bits has 1045 */

/* Numbers of the COSE registry: what `pubKeyCredParams` offers, in this order of preference. */
#define COSE_ES256 (-7)
#define COSE_EDDSA (-8)
#define COSE_RS256 (-257)

/*
 * Takes a key off the front of *input. It has exactly the parameters of its kind, each once and in any order,
 * and is a key that signatures can be checked with. *key_out is borrowed from the input. ERR_ENCODING: it is
 * no such key. ERR_CRYPTO: the library refused.
 */
MUST_CHECK enum err cose_key_take(struct slice *input, struct public_key *key_out);
/* Of the whole slice, for a key that was stored. */
MUST_CHECK enum err cose_key_read(struct slice bytes, struct public_key *key_out);
/* The number in the registry. */
int cose_algorithm(enum public_key_algorithm algorithm);

#endif
