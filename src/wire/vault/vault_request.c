#include "wire/vault/vault_frame_internal.h"
#include <stddef.h>

void
vault_request_encode(struct buf *out, const struct vault_request *request)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_byte(out, (char)request->op);
    buf_add_u32be(out, request->id);
    switch (request->op) {
    case VAULT_OP_SEAL:
        buf_add_byte(out, (char)request->purpose);
        buf_add_u16be(out, (uint16_t)request->item_count);
        for (size_t i = 0; i < request->item_count; i++) {
            vault_put_place(out, &request->items[i].place);
            vault_put_optional_name(out, request->items[i].index_label);
            vault_put_bytes(out, request->items[i].plain);
        }
        return;
    case VAULT_OP_OPEN:
        buf_add_byte(out, (char)request->purpose);
        vault_put_place(out, &request->place);
        vault_put_sealed(out, &request->sealed);
        return;
    case VAULT_OP_INDEX:
        vault_put_id(out, request->tenant);
        vault_put_name(out, request->label);
        vault_put_bytes(out, request->data);
        return;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_SIGN_ED25519:
        if (request->op == VAULT_OP_VERIFY_MAC)
            buf_add(out, slice_of(request->mac, sizeof(request->mac)));
        vault_put_place(out, &request->place);
        vault_put_sealed(out, &request->sealed);
        vault_put_bytes(out, request->data);
        return;
    case VAULT_OP_KEY_LOAD:
        buf_add_byte(out, request->is_newest ? 1 : 0);
        buf_add_u64be(out, request->key.seals);
        vault_put_key(out, &request->key);
        return;
    case VAULT_OP_REWRAP:
        vault_put_key(out, &request->key);
        return;
    case VAULT_OP_RESEAL:
        buf_add_byte(out, (char)request->purpose);
        buf_add_u16be(out, (uint16_t)request->item_count);
        for (size_t i = 0; i < request->item_count; i++) {
            vault_put_place(out, &request->items[i].place);
            vault_put_sealed(out, &request->items[i].sealed);
        }
        return;
    case VAULT_OP_MAKE_KEY:
        vault_put_id(out, request->tenant);
        buf_add_byte(out, (char)request->purpose);
        buf_add_u32be(out, request->version);
        return;
    case VAULT_OP_FORGET:
        vault_put_id(out, request->tenant);
        buf_add_byte(out, request->is_whole_tenant ? 1 : 0);
        if (!request->is_whole_tenant) {
            buf_add_byte(out, (char)request->purpose);
            buf_add_u32be(out, request->version);
        }
        return;
    case VAULT_OP_KEK_FORGET:
        buf_add_u32be(out, request->version);
        return;
    case VAULT_OP_USAGE:
        buf_add_u32be(out, request->taken);
        return;
    case VAULT_OP_MAKE_KEYS:
        vault_put_id(out, request->tenant);
        return;
    case VAULT_OP_MAKE_ED25519:
        vault_put_place(out, &request->place);
        return;
    case VAULT_OP_MAKE_TOTP:
        vault_put_place(out, &request->place);
        return;
    case VAULT_OP_CHECK_TOTP:
        buf_add_u64be(out, request->totp_step);
        buf_add_u64be(out, request->totp_last);
        vault_put_place(out, &request->place);
        vault_put_sealed(out, &request->sealed);
        vault_put_bytes(out, request->data);
        return;
    case VAULT_OP_FACTS:
        return;
    }
    bug("an operation of no kind");
}

enum err
vault_request_decode(struct slice frame, struct vault_request *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, offsetof(struct vault_request, items));
    vault_take_frame_version(&in);
    out->op = vault_take_op(&in);
    out->id = vault_take_u32(&in);
    if (in.is_broken)
        return ERR_FRAME;
    switch (out->op) {
    case VAULT_OP_SEAL:
        out->purpose = vault_take_purpose(&in);
        out->item_count = vault_take_u16(&in);
        if (out->item_count == 0 || out->item_count > VAULT_SEAL_ITEMS_MAX)
            return ERR_FRAME;
        for (size_t i = 0; i < out->item_count && !in.is_broken; i++) {
            memset(&out->items[i], 0, sizeof(out->items[i]));
            vault_take_place(&in, &out->items[i].place);
            out->items[i].index_label = vault_take_optional_name(&in);
            out->items[i].plain = vault_take_bytes(&in);
        }
        break;
    case VAULT_OP_OPEN:
        out->purpose = vault_take_purpose(&in);
        vault_take_place(&in, &out->place);
        vault_take_sealed(&in, &out->sealed);
        break;
    case VAULT_OP_INDEX:
        out->tenant = vault_take_id(&in);
        out->label = vault_take_name(&in);
        out->data = vault_take_bytes(&in);
        break;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_SIGN_ED25519:
        if (out->op == VAULT_OP_VERIFY_MAC)
            vault_take_octets(&in, out->mac, sizeof(out->mac));
        vault_take_place(&in, &out->place);
        vault_take_sealed(&in, &out->sealed);
        out->data = vault_take_bytes(&in);
        break;
    case VAULT_OP_KEY_LOAD:
        out->is_newest = vault_take_bool(&in);
        uint64_t seals = vault_take_u64(&in);
        vault_take_key(&in, &out->key);
        out->key.seals = seals;
        break;
    case VAULT_OP_REWRAP:
        vault_take_key(&in, &out->key);
        break;
    case VAULT_OP_RESEAL:
        out->purpose = vault_take_purpose(&in);
        out->item_count = vault_take_u16(&in);
        if (out->item_count == 0 || out->item_count > VAULT_SEAL_ITEMS_MAX)
            return ERR_FRAME;
        for (size_t i = 0; i < out->item_count && !in.is_broken; i++) {
            memset(&out->items[i], 0, sizeof(out->items[i]));
            vault_take_place(&in, &out->items[i].place);
            vault_take_sealed(&in, &out->items[i].sealed);
        }
        break;
    case VAULT_OP_MAKE_KEY:
        out->tenant = vault_take_id(&in);
        out->purpose = vault_take_purpose(&in);
        out->version = vault_take_version(&in);
        break;
    case VAULT_OP_FORGET:
        out->tenant = vault_take_id(&in);
        out->is_whole_tenant = vault_take_bool(&in);
        if (!out->is_whole_tenant) {
            out->purpose = vault_take_purpose(&in);
            out->version = vault_take_version(&in);
        }
        break;
    case VAULT_OP_KEK_FORGET:
        out->version = vault_take_version(&in);
        break;
    case VAULT_OP_USAGE:
        out->taken = vault_take_u32(&in);
        break;
    case VAULT_OP_MAKE_KEYS:
        out->tenant = vault_take_id(&in);
        break;
    case VAULT_OP_MAKE_ED25519:
        vault_take_place(&in, &out->place);
        break;
    case VAULT_OP_MAKE_TOTP:
        vault_take_place(&in, &out->place);
        break;
    case VAULT_OP_CHECK_TOTP:
        out->totp_step = vault_take_u64(&in);
        out->totp_last = vault_take_u64(&in);
        vault_take_place(&in, &out->place);
        vault_take_sealed(&in, &out->sealed);
        out->data = vault_take_bytes(&in);
        break;
    case VAULT_OP_FACTS:
        break;
    }
    return vault_input_done(&in);
}
