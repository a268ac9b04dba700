#include "core/num.h"
#include "wire/vault/vault_frame_internal.h"

/* Reading. */

struct slice
vault_take(struct vault_input *in, size_t len)
{
    if (in->is_broken || in->rest.len < len) {
        in->is_broken = true;
        return SLICE_EMPTY;
    }
    struct slice taken = slice_first(in->rest, len);
    in->rest = slice_drop(in->rest, len);
    return taken;
}

void
vault_take_octets(struct vault_input *in, unsigned char *to, size_t len)
{
    struct slice from = vault_take(in, len);
    if (from.len == len)
        memcpy(to, from.ptr, len);
}

uint8_t
vault_take_u8(struct vault_input *in)
{
    struct slice from = vault_take(in, 1);
    return from.len == 1 ? (uint8_t)from.ptr[0] : 0;
}

uint16_t
vault_take_u16(struct vault_input *in)
{
    struct slice from = vault_take(in, 2);
    return from.len == 2 ? num_u16be_get(from.ptr) : 0;
}

uint32_t
vault_take_u32(struct vault_input *in)
{
    struct slice from = vault_take(in, 4);
    return from.len == 4 ? num_u32be_get(from.ptr) : 0;
}

uint64_t
vault_take_u64(struct vault_input *in)
{
    struct slice from = vault_take(in, 8);
    return from.len == 8 ? num_u64be_get(from.ptr) : 0;
}

bool
vault_take_bool(struct vault_input *in)
{
    uint8_t byte = vault_take_u8(in);
    if (byte > 1)
        in->is_broken = true;
    return byte == 1;
}

/* A version: counted from 1. */
uint32_t
vault_take_version(struct vault_input *in)
{
    uint32_t version = vault_take_u32(in);
    if (version == 0)
        in->is_broken = true;
    return version;
}

struct slice
vault_take_bytes(struct vault_input *in)
{
    uint32_t len = vault_take_u32(in);
    if (len > VAULT_PLAIN_BYTES_MAX)
        in->is_broken = true;
    return vault_take(in, len);
}

struct slice
vault_take_name(struct vault_input *in)
{
    struct slice name = vault_take(in, vault_take_u8(in));
    if (!vault_name_is_valid(name))
        in->is_broken = true;
    return name;
}

struct slice
vault_take_optional_name(struct vault_input *in)
{
    if (in->rest.len > 0 && in->rest.ptr[0] == 0) {
        (void)vault_take_u8(in);
        return SLICE_EMPTY;
    }
    return vault_take_name(in);
}

enum vault_purpose
vault_take_purpose(struct vault_input *in)
{
    enum vault_purpose purpose;
    if (vault_purpose_from(vault_take_u8(in), &purpose) != ERR_OK)
        in->is_broken = true;
    return purpose;
}

enum vault_op
vault_take_op(struct vault_input *in)
{
    enum vault_op op;
    if (vault_op_from(vault_take_u8(in), &op) != ERR_OK)
        in->is_broken = true;
    return op;
}

enum vault_result
vault_take_result(struct vault_input *in)
{
    uint8_t number = vault_take_u8(in);
    if (number >= VAULT_RESULT_COUNT)
        in->is_broken = true;
    return (enum vault_result)number;
}

enum secret_memory
vault_take_memory(struct vault_input *in)
{
    uint8_t number = vault_take_u8(in);
    if (number > SECRET_MEMORY_UNLOCKED)
        in->is_broken = true;
    return (enum secret_memory)number;
}

struct id
vault_take_id(struct vault_input *in)
{
    struct id id = { { 0 } };
    vault_take_octets(in, id.bytes, sizeof(id.bytes));
    return id;
}

void
vault_take_frame_version(struct vault_input *in)
{
    if (vault_take_u8(in) != VAULT_FRAME_VERSION)
        in->is_broken = true;
}

enum err
vault_input_done(const struct vault_input *in)
{
    return in->is_broken || in->rest.len != 0 ? ERR_FRAME : ERR_OK;
}

/* Writing. */

void
vault_put_bytes(struct buf *out, struct slice bytes)
{
    buf_add_u32be(out, (uint32_t)bytes.len);
    buf_add(out, bytes);
}

void
vault_put_name(struct buf *out, struct slice name)
{
    if (!vault_name_is_valid(name))
        bug("a name that no frame can hold");
    buf_add_byte(out, (char)name.len);
    buf_add(out, name);
}

void
vault_put_optional_name(struct buf *out, struct slice name)
{
    if (name.len == 0)
        buf_add_byte(out, 0);
    else
        vault_put_name(out, name);
}

void
vault_put_id(struct buf *out, struct id id)
{
    buf_add(out, slice_of(id.bytes, sizeof(id.bytes)));
}

/* Structures, each with its two directions side by side. */

void
vault_put_place(struct buf *out, const struct vault_frame_place *place)
{
    vault_put_id(out, place->tenant);
    vault_put_name(out, place->table);
    vault_put_name(out, place->column);
    vault_put_id(out, place->row);
    buf_add_u32be(out, place->generation);
}

void
vault_take_place(struct vault_input *in, struct vault_frame_place *out)
{
    out->tenant = vault_take_id(in);
    out->table = vault_take_name(in);
    out->column = vault_take_name(in);
    out->row = vault_take_id(in);
    out->generation = vault_take_u32(in);
}

void
vault_put_sealed(struct buf *out, const struct vault_sealed *sealed)
{
    buf_add_u32be(out, sealed->key_version);
    buf_add(out, slice_of(sealed->iv, sizeof(sealed->iv)));
    buf_add(out, slice_of(sealed->tag, sizeof(sealed->tag)));
    vault_put_bytes(out, sealed->cipher);
}

void
vault_take_sealed(struct vault_input *in, struct vault_sealed *out)
{
    out->key_version = vault_take_version(in);
    vault_take_octets(in, out->iv, sizeof(out->iv));
    vault_take_octets(in, out->tag, sizeof(out->tag));
    out->cipher = vault_take_bytes(in);
}

void
vault_put_item_index(struct buf *out, const struct vault_item_index *index)
{
    buf_add_byte(out, index->is_made ? 1 : 0);
    if (index->is_made)
        buf_add(out, slice_of(index->mac, sizeof(index->mac)));
}

void
vault_take_item_index(struct vault_input *in, struct vault_item_index *out)
{
    out->is_made = vault_take_bool(in);
    if (out->is_made)
        vault_take_octets(in, out->mac, sizeof(out->mac));
}

void
vault_put_key(struct buf *out, const struct vault_wrapped_key *key)
{
    vault_put_id(out, key->tenant);
    buf_add_byte(out, (char)key->purpose);
    buf_add_u32be(out, key->version);
    buf_add_u32be(out, key->kek_version);
    buf_add(out, slice_of(key->cipher, sizeof(key->cipher)));
    buf_add(out, slice_of(key->iv, sizeof(key->iv)));
    buf_add(out, slice_of(key->tag, sizeof(key->tag)));
}

void
vault_take_key(struct vault_input *in, struct vault_wrapped_key *out)
{
    out->tenant = vault_take_id(in);
    out->purpose = vault_take_purpose(in);
    out->version = vault_take_version(in);
    out->kek_version = vault_take_version(in);
    vault_take_octets(in, out->cipher, sizeof(out->cipher));
    vault_take_octets(in, out->iv, sizeof(out->iv));
    vault_take_octets(in, out->tag, sizeof(out->tag));
}

void
vault_put_kek(struct buf *out, const struct vault_kek *kek)
{
    buf_add_u32be(out, kek->version);
    buf_add_u32be(out, kek->scrypt.n);
    buf_add_u32be(out, kek->scrypt.r);
    buf_add_u32be(out, kek->scrypt.p);
    buf_add(out, slice_of(kek->scrypt.salt, sizeof(kek->scrypt.salt)));
    buf_add(out, slice_of(kek->check_cipher, sizeof(kek->check_cipher)));
    buf_add(out, slice_of(kek->check_iv, sizeof(kek->check_iv)));
    buf_add(out, slice_of(kek->check_tag, sizeof(kek->check_tag)));
}

void
vault_take_kek(struct vault_input *in, struct vault_kek *out)
{
    out->version = vault_take_version(in);
    out->scrypt.n = vault_take_u32(in);
    out->scrypt.r = vault_take_u32(in);
    out->scrypt.p = vault_take_u32(in);
    vault_take_octets(in, out->scrypt.salt, sizeof(out->scrypt.salt));
    vault_take_octets(in, out->check_cipher, sizeof(out->check_cipher));
    vault_take_octets(in, out->check_iv, sizeof(out->check_iv));
    vault_take_octets(in, out->check_tag, sizeof(out->check_tag));
}
