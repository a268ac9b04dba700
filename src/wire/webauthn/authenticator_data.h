/* Authenticator data: what the passkey itself signs. Source: WebAuthn Level 3, section 6.1. */
#ifndef WIRE_WEBAUTHN_AUTHENTICATOR_DATA_H
#define WIRE_WEBAUTHN_AUTHENTICATOR_DATA_H
#include "core/err.h"
#include "core/slice.h"
#include "crypto/public_key.h"

#define AUTHENTICATOR_DATA_BYTES_MAX 4096u
#define AUTHENTICATOR_RP_HASH_BYTES  32u
#define AUTHENTICATOR_AAGUID_BYTES   16u
#define CREDENTIAL_ID_BYTES_MAX      1023u

struct authenticator_data {  /* slices are borrowed from the input */
    struct slice rp_id_hash; /* SHA-256 of the relying party's id */
    bool is_user_present, is_user_verified, is_backup_eligible, is_backed_up;
    bool has_credential; /* a new one: then the next four */
    struct slice aaguid, credential_id;
    struct slice public_key_bytes; /* as COSE_Key */
    struct public_key public_key;
    uint32_t sign_count;
    struct slice extensions; /* a CBOR map, or empty */
};

/*
 * The whole slice. ERR_ENCODING: too long, a reserved flag, backed up without being eligible, an id of
 * another length than 1 to 1023, a key that is none, an extension map without its flag or the other way
 * round, bytes at the end. ERR_CRYPTO: the library refused.
 */
MUST_CHECK enum err authenticator_data_read(struct slice bytes, struct authenticator_data *out);

#endif
