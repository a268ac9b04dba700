#include "wire/webauthn/webauthn_credential.h"
#include "crypto/encode.h"
#include "wire/json/json.h"
#include "wire/webauthn/webauthn.h"

static const struct {
    unsigned bit;
    const char *word;
} transports[] = {
    { WEBAUTHN_TRANSPORT_USB, "usb" },       { WEBAUTHN_TRANSPORT_NFC, "nfc" },
    { WEBAUTHN_TRANSPORT_BLE, "ble" },       { WEBAUTHN_TRANSPORT_SMART_CARD, "smart-card" },
    { WEBAUTHN_TRANSPORT_HYBRID, "hybrid" }, { WEBAUTHN_TRANSPORT_INTERNAL, "internal" },
};

const char *
webauthn_transport_word(unsigned transport)
{
    for (size_t i = 0; i < COUNT_OF(transports); i++)
        if (transports[i].bit == transport)
            return transports[i].word;
    return NULL;
}

/* One to bytes_max octets of a member; with `may_miss` none, or null, will do. */
static enum err
octets_read(const json_t *object, const char *member, size_t bytes_max, bool may_miss, struct arena *arena,
            struct slice *out)
{
    const json_t *value = json_member(object, member);
    struct slice text = json_text_of(object, member);
    size_t len = 0;

    *out = SLICE_EMPTY;
    if (may_miss && (value == NULL || json_is_null(value)))
        return ERR_OK;
    if (text.len == 0 || text.len > (bytes_max + 2) / 3 * 4 || slice_find(text, '=') != text.len)
        return ERR_ENCODING; /* the platform's serialisation has no padding */
    unsigned char *octets = arena_alloc(arena, text.len / 4 * 3 + 3);
    if (octets == NULL)
        return ERR_NO_MEMORY;
    enum err err = decode_base64url(text, octets, &len);
    if (err != ERR_OK || len > bytes_max)
        return ERR_ENCODING;
    *out = slice_of(octets, len);
    return ERR_OK;
}

static enum err
common_read(const json_t *credential, struct arena *arena, struct webauthn_credential *out)
{
    const struct slice raw = json_text_of(credential, "rawId");

    *out = (struct webauthn_credential){ .transports = 0 };
    if (!slice_eq(json_text_of(credential, "type"), SLICE("public-key")) ||
        (raw.ptr != NULL && !slice_eq(raw, json_text_of(credential, "id"))))
        return ERR_ENCODING;
    enum err err = octets_read(credential, "id", CREDENTIAL_ID_BYTES_MAX, false, arena, &out->id);
    return err == ERR_OK ? octets_read(json_member(credential, "response"), "clientDataJSON",
                                       CLIENT_DATA_BYTES_MAX, false, arena, &out->client_data)
                         : err;
}

/* Words that are not known are passed over: the standard asks for it. */
static unsigned
transports_read(const json_t *list)
{
    unsigned set = 0;

    for (size_t i = 0; i < json_array_size(list) && i < WEBAUTHN_TRANSPORTS_MAX; i++)
        for (size_t j = 0; j < COUNT_OF(transports); j++) {
            const char *word = json_string_value(json_array_get(list, i));
            if (word != NULL && slice_eq(slice_text(word), slice_text(transports[j].word)))
                set |= transports[j].bit;
        }
    return set;
}

enum err
webauthn_registration_read(const json_t *credential, struct arena *arena, struct webauthn_credential *out)
{
    const json_t *response = json_member(credential, "response");

    enum err err = common_read(credential, arena, out);
    if (err == ERR_OK)
        err = octets_read(response, "attestationObject", WEBAUTHN_ATTESTATION_BYTES_MAX, false, arena,
                          &out->attestation_object);
    out->transports = transports_read(json_member(response, "transports"));
    return err;
}

enum err
webauthn_assertion_read(const json_t *credential, struct arena *arena, struct webauthn_credential *out)
{
    const json_t *response = json_member(credential, "response");

    enum err err = common_read(credential, arena, out);
    if (err == ERR_OK)
        err = octets_read(response, "authenticatorData", AUTHENTICATOR_DATA_BYTES_MAX, false, arena,
                          &out->authenticator_data);
    if (err == ERR_OK)
        err = octets_read(response, "signature", WEBAUTHN_SIGNATURE_BYTES_MAX, false, arena, &out->signature);
    if (err == ERR_OK)
        err = octets_read(response, "userHandle", WEBAUTHN_USER_HANDLE_BYTES_MAX, true, arena,
                          &out->user_handle);
    return err;
}
