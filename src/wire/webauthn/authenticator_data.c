#include "wire/webauthn/authenticator_data.h"
#include "core/num.h"
#include "wire/webauthn/cbor.h"
#include "wire/webauthn/cose_key.h"

enum {
    FLAG_USER_PRESENT = 0x01,
    FLAG_USER_VERIFIED = 0x04,
    FLAG_BACKUP_ELIGIBLE = 0x08,
    FLAG_BACKED_UP = 0x10,
    FLAG_CREDENTIAL = 0x40,
    FLAG_EXTENSIONS = 0x80,
    FLAGS_RESERVED = 0x22,
};
#define HEAD_BYTES (AUTHENTICATOR_RP_HASH_BYTES + 1u + 4u)

static enum err
take_credential(struct slice *rest, struct authenticator_data *out)
{
    if (rest->len < AUTHENTICATOR_AAGUID_BYTES + 2)
        return ERR_ENCODING;
    out->aaguid = slice_first(*rest, AUTHENTICATOR_AAGUID_BYTES);
    *rest = slice_drop(*rest, AUTHENTICATOR_AAGUID_BYTES);
    size_t id_bytes = num_u16be_get(rest->ptr);
    *rest = slice_drop(*rest, 2);
    if (id_bytes == 0 || id_bytes > CREDENTIAL_ID_BYTES_MAX || id_bytes > rest->len)
        return ERR_ENCODING;
    out->credential_id = slice_first(*rest, id_bytes);
    *rest = slice_drop(*rest, id_bytes);
    struct slice before = *rest;
    enum err err = cose_key_take(rest, &out->public_key);
    if (err == ERR_OK)
        out->public_key_bytes = slice_first(before, before.len - rest->len);
    return err;
}

static enum err
take_extensions(struct slice *rest, struct authenticator_data *out)
{
    struct slice probe = *rest;
    struct cbor_item map;

    enum err err = cbor_take_kind(&probe, CBOR_MAP, &map);
    return err == ERR_OK ? cbor_take_whole(rest, &out->extensions) : err;
}

enum err
authenticator_data_read(struct slice bytes, struct authenticator_data *out)
{
    enum err err = ERR_OK;

    *out = (struct authenticator_data){ .sign_count = 0 };
    if (bytes.len < HEAD_BYTES || bytes.len > AUTHENTICATOR_DATA_BYTES_MAX)
        return ERR_ENCODING;
    unsigned flags = (unsigned char)bytes.ptr[AUTHENTICATOR_RP_HASH_BYTES];
    if ((flags & FLAGS_RESERVED) != 0 ||
        ((flags & FLAG_BACKED_UP) != 0 && (flags & FLAG_BACKUP_ELIGIBLE) == 0))
        return ERR_ENCODING;
    out->rp_id_hash = slice_first(bytes, AUTHENTICATOR_RP_HASH_BYTES);
    out->is_user_present = (flags & FLAG_USER_PRESENT) != 0;
    out->is_user_verified = (flags & FLAG_USER_VERIFIED) != 0;
    out->is_backup_eligible = (flags & FLAG_BACKUP_ELIGIBLE) != 0;
    out->is_backed_up = (flags & FLAG_BACKED_UP) != 0;
    out->has_credential = (flags & FLAG_CREDENTIAL) != 0;
    out->sign_count = num_u32be_get(bytes.ptr + AUTHENTICATOR_RP_HASH_BYTES + 1);
    struct slice rest = slice_drop(bytes, HEAD_BYTES);
    if (out->has_credential)
        err = take_credential(&rest, out);
    if (err == ERR_OK && (flags & FLAG_EXTENSIONS) != 0)
        err = take_extensions(&rest, out);
    return err == ERR_OK && rest.len != 0 ? ERR_ENCODING : err;
}
