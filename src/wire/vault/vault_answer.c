#include "wire/vault/vault_frame_internal.h"
#include <stddef.h>

static void
put_uses(struct buf *out, const struct vault_answer *answer)
{
    vault_put_id(out, answer->instance);
    buf_add_u32be(out, answer->batch);
    buf_add_u16be(out, (uint16_t)answer->use_count);
    for (size_t i = 0; i < answer->use_count; i++) {
        const struct vault_use *use = &answer->uses[i];
        vault_put_id(out, use->tenant);
        buf_add_byte(out, (char)use->purpose);
        buf_add_u32be(out, use->version);
        buf_add_u64be(out, use->seals);
        buf_add_u64be(out, use->opens);
    }
}

static void
take_uses(struct vault_input *in, struct vault_answer *out)
{
    out->instance = vault_take_id(in);
    out->batch = vault_take_u32(in);
    out->use_count = vault_take_u16(in);
    if (out->use_count > VAULT_USES_MAX) {
        in->is_broken = true;
        return;
    }
    for (size_t i = 0; i < out->use_count; i++) {
        struct vault_use *use = &out->uses[i];
        use->tenant = vault_take_id(in);
        use->purpose = vault_take_purpose(in);
        use->version = vault_take_version(in);
        use->seals = vault_take_u64(in);
        use->opens = vault_take_u64(in);
    }
}

static void
put_answer_fields(struct buf *out, const struct vault_answer *answer)
{
    switch (answer->op) {
    case VAULT_OP_SEAL:
        buf_add_u16be(out, (uint16_t)answer->sealed_count);
        for (size_t i = 0; i < answer->sealed_count; i++) {
            vault_put_sealed(out, &answer->sealed[i]);
            vault_put_item_index(out, &answer->indexes[i]);
        }
        return;
    case VAULT_OP_OPEN:
        vault_put_bytes(out, answer->plain);
        return;
    case VAULT_OP_INDEX:
    case VAULT_OP_SIGN_MAC:
        buf_add(out, slice_of(answer->mac, sizeof(answer->mac)));
        return;
    case VAULT_OP_MAKE_KEYS:
        for (size_t i = 0; i < VAULT_PURPOSE_COUNT; i++)
            vault_put_key(out, &answer->keys[i]);
        return;
    case VAULT_OP_FACTS:
        buf_add_byte(out, (char)answer->memory);
        buf_add_u32be(out, answer->kek_version);
        buf_add_u64be(out, answer->keys_held);
        buf_add_u64be(out, answer->uses_uncounted);
        vault_put_id(out, answer->instance);
        buf_add_u16be(out, (uint16_t)answer->kek_count);
        for (size_t i = 0; i < answer->kek_count; i++)
            buf_add_u32be(out, answer->keks[i]);
        return;
    case VAULT_OP_RESEAL:
        buf_add_u16be(out, (uint16_t)answer->sealed_count);
        for (size_t i = 0; i < answer->sealed_count; i++)
            vault_put_sealed(out, &answer->sealed[i]);
        return;
    case VAULT_OP_REWRAP:
    case VAULT_OP_MAKE_KEY:
        vault_put_key(out, &answer->keys[0]);
        return;
    case VAULT_OP_USAGE:
        put_uses(out, answer);
        return;
    case VAULT_OP_MAKE_ED25519:
        vault_put_sealed(out, &answer->sealed[0]);
        buf_add(out, slice_of(answer->public_key, sizeof(answer->public_key)));
        return;
    case VAULT_OP_SIGN_ED25519:
        buf_add(out, slice_of(answer->signature, sizeof(answer->signature)));
        return;
    case VAULT_OP_MAKE_TOTP:
        vault_put_sealed(out, &answer->sealed[0]);
        vault_put_bytes(out, answer->plain);
        return;
    case VAULT_OP_CHECK_TOTP:
        buf_add_u64be(out, answer->totp_step);
        return;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_KEY_LOAD:
    case VAULT_OP_FORGET:
    case VAULT_OP_KEK_FORGET:
        return;
    }
    bug("an operation of no kind");
}

void
vault_answer_encode(struct buf *out, const struct vault_answer *answer)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_byte(out, (char)answer->op);
    buf_add_u32be(out, answer->id);
    buf_add_byte(out, (char)answer->result);
    if (answer->result == VAULT_RESULT_OK) {
        put_answer_fields(out, answer);
    } else if (answer->result == VAULT_RESULT_KEY_MISSING) {
        vault_put_id(out, answer->missing.tenant);
        buf_add_byte(out, (char)answer->missing.purpose);
        buf_add_u32be(out, answer->missing.version);
    }
}

static void
take_answer_fields(struct vault_input *in, struct vault_answer *out)
{
    switch (out->op) {
    case VAULT_OP_SEAL:
        out->sealed_count = vault_take_u16(in);
        if (out->sealed_count == 0 || out->sealed_count > VAULT_SEAL_ITEMS_MAX) {
            in->is_broken = true;
            return;
        }
        for (size_t i = 0; i < out->sealed_count && !in->is_broken; i++) {
            memset(&out->sealed[i], 0, sizeof(out->sealed[i]));
            memset(&out->indexes[i], 0, sizeof(out->indexes[i]));
            vault_take_sealed(in, &out->sealed[i]);
            vault_take_item_index(in, &out->indexes[i]);
        }
        return;
    case VAULT_OP_OPEN:
        out->plain = vault_take_bytes(in);
        return;
    case VAULT_OP_INDEX:
    case VAULT_OP_SIGN_MAC:
        vault_take_octets(in, out->mac, sizeof(out->mac));
        return;
    case VAULT_OP_MAKE_KEYS:
        for (size_t i = 0; i < VAULT_PURPOSE_COUNT; i++)
            vault_take_key(in, &out->keys[i]);
        return;
    case VAULT_OP_FACTS:
        out->memory = vault_take_memory(in);
        out->kek_version = vault_take_u32(in);
        out->keys_held = vault_take_u64(in);
        out->uses_uncounted = vault_take_u64(in);
        out->instance = vault_take_id(in);
        out->kek_count = vault_take_u16(in);
        if (out->kek_count > COUNT_OF(out->keks)) {
            in->is_broken = true;
            return;
        }
        for (size_t i = 0; i < out->kek_count; i++)
            out->keks[i] = vault_take_version(in);
        return;
    case VAULT_OP_RESEAL:
        out->sealed_count = vault_take_u16(in);
        if (out->sealed_count == 0 || out->sealed_count > VAULT_SEAL_ITEMS_MAX) {
            in->is_broken = true;
            return;
        }
        memset(out->indexes, 0, out->sealed_count * sizeof(out->indexes[0]));
        for (size_t i = 0; i < out->sealed_count && !in->is_broken; i++)
            vault_take_sealed(in, &out->sealed[i]);
        return;
    case VAULT_OP_REWRAP:
    case VAULT_OP_MAKE_KEY:
        vault_take_key(in, &out->keys[0]);
        return;
    case VAULT_OP_USAGE:
        take_uses(in, out);
        return;
    case VAULT_OP_MAKE_ED25519:
        out->sealed_count = 1;
        memset(&out->indexes[0], 0, sizeof(out->indexes[0]));
        vault_take_sealed(in, &out->sealed[0]);
        vault_take_octets(in, out->public_key, sizeof(out->public_key));
        return;
    case VAULT_OP_SIGN_ED25519:
        vault_take_octets(in, out->signature, sizeof(out->signature));
        return;
    case VAULT_OP_MAKE_TOTP:
        out->sealed_count = 1;
        memset(&out->indexes[0], 0, sizeof(out->indexes[0]));
        vault_take_sealed(in, &out->sealed[0]);
        out->plain = vault_take_bytes(in);
        return;
    case VAULT_OP_CHECK_TOTP:
        out->totp_step = vault_take_u64(in);
        return;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_KEY_LOAD:
    case VAULT_OP_FORGET:
    case VAULT_OP_KEK_FORGET:
        return;
    }
}

enum err
vault_answer_decode(struct slice frame, struct vault_answer *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, offsetof(struct vault_answer, sealed));
    vault_take_frame_version(&in);
    out->op = vault_take_op(&in);
    out->id = vault_take_u32(&in);
    out->result = vault_take_result(&in);
    if (in.is_broken)
        return ERR_FRAME;
    if (out->result == VAULT_RESULT_OK) {
        take_answer_fields(&in, out);
    } else if (out->result == VAULT_RESULT_KEY_MISSING) {
        out->missing.tenant = vault_take_id(&in);
        out->missing.purpose = vault_take_purpose(&in);
        out->missing.version = vault_take_u32(&in);
    }
    return vault_input_done(&in);
}
