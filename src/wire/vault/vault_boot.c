#include "wire/vault/vault_frame_internal.h"

void
vault_boot_encode(struct buf *out, const struct vault_boot *boot)
{
    if (boot->master_count > VAULT_MASTERS_GIVEN_MAX || boot->make_of >= VAULT_MASTERS_MAX ||
        boot->kek_count > VAULT_KEKS_MAX)
        bug("a boot frame out of bounds");
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_byte(out, (char)boot->master_count);
    for (size_t i = 0; i < boot->master_count; i++) {
        if (boot->masters[i].len != VAULT_KEY_BYTES)
            bug("a master key of another size");
        buf_add(out, boot->masters[i]);
    }
    buf_add_u32be(out, boot->make_version);
    buf_add_u32be(out, boot->make_n);
    buf_add_byte(out, (char)boot->make_of);
    buf_add_u16be(out, (uint16_t)boot->kek_count);
    for (size_t i = 0; i < boot->kek_count; i++)
        vault_put_kek(out, &boot->keks[i]);
}

enum err
vault_boot_decode(struct slice frame, struct vault_boot *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    out->master_count = vault_take_u8(&in);
    if (out->master_count > VAULT_MASTERS_GIVEN_MAX)
        return ERR_FRAME;
    for (size_t i = 0; i < out->master_count; i++)
        out->masters[i] = vault_take(&in, VAULT_KEY_BYTES);
    out->make_version = vault_take_u32(&in);
    out->make_n = vault_take_u32(&in);
    out->make_of = vault_take_u8(&in);
    if (out->make_of >= VAULT_MASTERS_MAX)
        return ERR_FRAME;
    out->kek_count = vault_take_u16(&in);
    if (out->kek_count > VAULT_KEKS_MAX)
        return ERR_FRAME;
    for (size_t i = 0; i < out->kek_count; i++)
        vault_take_kek(&in, &out->keks[i]);
    return vault_input_done(&in);
}

void
vault_booted_encode(struct buf *out, const struct vault_booted *booted)
{
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add_byte(out, (char)booted->result);
    buf_add_u32be(out, booted->kek_version);
    buf_add_byte(out, (char)booted->memory);
    buf_add_byte(out, booted->has_made ? 1 : 0);
    if (booted->has_made)
        vault_put_kek(out, &booted->made);
}

enum err
vault_booted_decode(struct slice frame, struct vault_booted *out)
{
    struct vault_input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    vault_take_frame_version(&in);
    out->result = vault_take_result(&in);
    out->kek_version = vault_take_u32(&in);
    out->memory = vault_take_memory(&in);
    out->has_made = vault_take_bool(&in);
    if (out->has_made)
        vault_take_kek(&in, &out->made);
    return vault_input_done(&in);
}
