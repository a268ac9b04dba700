/* An issuer's public keys: a JWK Set (RFC 7517; RFC 7518, 6; RFC 8037, 2). */
#ifndef WIRE_OIDC_JWKS_H
#define WIRE_OIDC_JWKS_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"
#include "crypto/public_key.h"

#define JWKS_BYTES_MAX (256u * 1024u)
#define JWKS_KEYS_MAX  100u

/*
 * The key of this id that signs with this algorithm; an empty id asks for the only key that does. Keys of
 * other kinds and uses, and those that do not read, are passed over. *key_out lies in the arena.
 * ERR_NOT_FOUND: there is none, or of an empty id several: perhaps the keys were rotated. ERR_ENCODING: no
 * key set, or too long. ERR_NO_MEMORY, ERR_CRYPTO.
 */
MUST_CHECK enum err jwks_find(struct slice json, enum public_key_algorithm algorithm, struct slice key_id,
                              struct arena *arena, struct public_key *key_out);

#endif
