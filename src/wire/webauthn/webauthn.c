#include "wire/webauthn/webauthn.h"
#include "core/buf.h"
#include "core/secret.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "wire/webauthn/cbor.h"

const char *
webauthn_fault_word(enum webauthn_fault fault)
{
    switch (fault) {
    case WEBAUTHN_FAULT_NONE:
        return "none";
    case WEBAUTHN_FAULT_CLIENT_DATA:
        return "client_data";
    case WEBAUTHN_FAULT_TYPE:
        return "type";
    case WEBAUTHN_FAULT_CHALLENGE:
        return "challenge";
    case WEBAUTHN_FAULT_ORIGIN:
        return "origin";
    case WEBAUTHN_FAULT_CROSS_ORIGIN:
        return "cross_origin";
    case WEBAUTHN_FAULT_ATTESTATION:
        return "attestation";
    case WEBAUTHN_FAULT_AUTHENTICATOR_DATA:
        return "authenticator_data";
    case WEBAUTHN_FAULT_RP_ID:
        return "rp_id";
    case WEBAUTHN_FAULT_USER_PRESENCE:
        return "user_presence";
    case WEBAUTHN_FAULT_USER_VERIFICATION:
        return "user_verification";
    case WEBAUTHN_FAULT_CREDENTIAL:
        return "credential";
    case WEBAUTHN_FAULT_BACKUP:
        return "backup";
    case WEBAUTHN_FAULT_SIGNATURE:
        return "signature";
    case WEBAUTHN_FAULT_COUNTER:
        return "counter";
    }
    return "unknown";
}

/* The challenge is compared in its one spelling, so that nothing that the browser sent has to be decoded. */
static enum err
challenge_check(struct slice expected, struct slice given, enum webauthn_fault *fault)
{
    struct buf text;

    if (expected.len < WEBAUTHN_CHALLENGE_BYTES_MIN || expected.len > WEBAUTHN_CHALLENGE_BYTES_MAX)
        return ERR_CRYPTO; /* the caller's: so short a one could be guessed */
    buf_init(&text, WEBAUTHN_CHALLENGE_BYTES_MAX * 4 / 3 + 4);
    encode_base64url(&text, expected);
    enum err err = buf_done(&text);
    if (err == ERR_OK && !secret_eq(buf_slice(&text), given))
        *fault = WEBAUTHN_FAULT_CHALLENGE;
    buf_release(&text);
    return err;
}

static bool
origin_is_listed(const struct webauthn_expected *expected, struct slice origin)
{
    for (size_t i = 0; i < expected->origin_count; i++)
        if (slice_eq(expected->origins[i], origin))
            return true;
    return false;
}

/* Steps 5 to 12 of 7.1, 7 to 13 of 7.2. */
static enum err
client_data_check(const struct webauthn_expected *expected, struct slice json, struct slice type,
                  enum webauthn_fault *fault)
{
    struct client_data data;

    enum err err = client_data_read(json, &data);
    if (err != ERR_OK) {
        *fault = WEBAUTHN_FAULT_CLIENT_DATA;
        return err == ERR_NO_MEMORY ? err : ERR_OK;
    }
    if (!slice_eq(data.type, type))
        *fault = WEBAUTHN_FAULT_TYPE;
    else if (data.is_cross_origin)
        *fault = WEBAUTHN_FAULT_CROSS_ORIGIN;
    else if (!origin_is_listed(expected, data.origin))
        *fault = WEBAUTHN_FAULT_ORIGIN;
    else
        err = challenge_check(expected->challenge, data.challenge, fault);
    client_data_release(&data);
    return err;
}

/* What both ceremonies ask of authenticator data; `data` is left as it was read. */
static enum err
authenticator_check(const struct webauthn_expected *expected, struct slice bytes,
                    struct authenticator_data *data, enum webauthn_fault *fault)
{
    unsigned char hash[HASH_BYTES];

    enum err err = authenticator_data_read(bytes, data);
    if (err != ERR_OK) {
        *fault = WEBAUTHN_FAULT_AUTHENTICATOR_DATA;
        return err == ERR_ENCODING ? ERR_OK : err;
    }
    err = hash_sha256(expected->rp_id, hash);
    if (err != ERR_OK)
        return err;
    if (!slice_eq(data->rp_id_hash, slice_of(hash, sizeof(hash))))
        *fault = WEBAUTHN_FAULT_RP_ID;
    else if (!data->is_user_present)
        *fault = WEBAUTHN_FAULT_USER_PRESENCE;
    else if (!data->is_user_verified)
        *fault = WEBAUTHN_FAULT_USER_VERIFICATION;
    return ERR_OK;
}

/* A map of exactly fmt, attStmt and authData, in any order, and nothing behind it. */
static enum err
attestation_read(struct slice object, struct slice *authenticator_data_out)
{
    struct slice statement = SLICE_EMPTY, whole, rest = object;
    struct cbor_item map, key, value, format = { .kind = CBOR_NULL };
    bool has_data = false;

    /* Once over the whole for its form, depth and repeated keys; then what is in it. */
    if (object.len > WEBAUTHN_ATTESTATION_BYTES_MAX || cbor_take_whole(&rest, &whole) != ERR_OK ||
        rest.len != 0)
        return ERR_ENCODING;
    enum err err = cbor_take_kind(&whole, CBOR_MAP, &map);
    for (uint64_t i = 0; err == ERR_OK && i < map.number; i++) {
        err = cbor_take_kind(&whole, CBOR_TEXT, &key);
        if (err != ERR_OK)
            break;
        if (slice_eq(key.text, SLICE("fmt"))) {
            err = cbor_take_kind(&whole, CBOR_TEXT, &format);
        } else if (slice_eq(key.text, SLICE("attStmt"))) {
            err = cbor_take_whole(&whole, &statement);
        } else if (slice_eq(key.text, SLICE("authData"))) {
            err = cbor_take_kind(&whole, CBOR_BYTES, &value);
            if (err == ERR_OK)
                *authenticator_data_out = value.text;
            has_data = true;
        } else {
            err = ERR_ENCODING;
        }
    }
    if (err != ERR_OK)
        return err;
    if (format.kind != CBOR_TEXT || statement.len == 0 || !has_data)
        return ERR_ENCODING;
    err = cbor_take_kind(&statement, CBOR_MAP, &value);
    /* `none` says nothing (8.7); an array is what a compound statement would be, and that is none of ours. */
    return err == ERR_OK && slice_eq(format.text, SLICE("none")) && value.number != 0 ? ERR_ENCODING : err;
}

enum err
webauthn_registration_check(const struct webauthn_expected *expected, struct slice client_data_json,
                            struct slice attestation_object, struct webauthn_registration *out,
                            enum webauthn_fault *fault_out)
{
    enum webauthn_fault fault = WEBAUTHN_FAULT_NONE;
    struct authenticator_data data;
    struct slice bytes;

    *out = (struct webauthn_registration){ .sign_count = 0 };
    enum err err = client_data_check(expected, client_data_json, SLICE("webauthn.create"), &fault);
    if (err == ERR_OK && fault == WEBAUTHN_FAULT_NONE &&
        attestation_read(attestation_object, &bytes) != ERR_OK)
        fault = WEBAUTHN_FAULT_ATTESTATION;
    if (err == ERR_OK && fault == WEBAUTHN_FAULT_NONE)
        err = authenticator_check(expected, bytes, &data, &fault);
    if (err == ERR_OK && fault == WEBAUTHN_FAULT_NONE && !data.has_credential)
        fault = WEBAUTHN_FAULT_CREDENTIAL;
    *fault_out = err == ERR_OK ? fault : WEBAUTHN_FAULT_NONE;
    if (err != ERR_OK)
        return err;
    if (fault != WEBAUTHN_FAULT_NONE)
        return ERR_PASSKEY_INVALID;
    *out = (struct webauthn_registration){ .credential_id = data.credential_id,
                                           .public_key = data.public_key_bytes,
                                           .algorithm = cose_algorithm(data.public_key.algorithm),
                                           .aaguid = data.aaguid,
                                           .sign_count = data.sign_count,
                                           .is_backup_eligible = data.is_backup_eligible,
                                           .is_backed_up = data.is_backed_up };
    return ERR_OK;
}

/* The signature is over the authenticator data and the hash of the client data, as bytes, one behind the
 * other. */
static enum err
signature_check(const struct webauthn_stored *stored, struct slice client_data_json,
                struct slice authenticator_data, struct slice signature, enum webauthn_fault *fault)
{
    unsigned char message[AUTHENTICATOR_DATA_BYTES_MAX + HASH_BYTES];
    struct public_key key;

    enum err err = cose_key_read(stored->public_key, &key);
    if (err != ERR_OK)
        return ERR_CRYPTO; /* it read when it was stored */
    memcpy(message, authenticator_data.ptr, authenticator_data.len);
    err = hash_sha256(client_data_json, message + authenticator_data.len);
    if (err != ERR_OK)
        return err;
    err = signature.len > WEBAUTHN_SIGNATURE_BYTES_MAX
              ? ERR_SIGNATURE
              : public_key_verify(&key, SIGNATURE_FORM_DER,
                                  slice_of(message, authenticator_data.len + HASH_BYTES), signature);
    if (err == ERR_SIGNATURE) {
        *fault = WEBAUTHN_FAULT_SIGNATURE;
        err = ERR_OK;
    }
    return err;
}

enum err
webauthn_assertion_check(const struct webauthn_expected *expected, const struct webauthn_stored *stored,
                         struct slice client_data_json, struct slice authenticator_data,
                         struct slice signature, struct webauthn_assertion *out,
                         enum webauthn_fault *fault_out)
{
    enum webauthn_fault fault = WEBAUTHN_FAULT_NONE;
    struct authenticator_data data;

    *out = (struct webauthn_assertion){ .sign_count = 0 };
    enum err err = client_data_check(expected, client_data_json, SLICE("webauthn.get"), &fault);
    if (err == ERR_OK && fault == WEBAUTHN_FAULT_NONE)
        err = authenticator_check(expected, authenticator_data, &data, &fault);
    if (err == ERR_OK && fault == WEBAUTHN_FAULT_NONE) {
        if (data.has_credential)
            fault = WEBAUTHN_FAULT_CREDENTIAL;
        else if (data.is_backup_eligible != stored->is_backup_eligible)
            fault = WEBAUTHN_FAULT_BACKUP;
        else
            err = signature_check(stored, client_data_json, authenticator_data, signature, &fault);
    }
    /* Last: a counter that stood still means something only when the passkey itself has said it. */
    if (err == ERR_OK && fault == WEBAUTHN_FAULT_NONE && stored->sign_count > 0 &&
        data.sign_count <= stored->sign_count)
        fault = WEBAUTHN_FAULT_COUNTER;
    *fault_out = err == ERR_OK ? fault : WEBAUTHN_FAULT_NONE;
    if (err != ERR_OK)
        return err;
    if (fault != WEBAUTHN_FAULT_NONE)
        return ERR_PASSKEY_REFUSED;
    *out = (struct webauthn_assertion){ .sign_count = data.sign_count, .is_backed_up = data.is_backed_up };
    return ERR_OK;
}
