#include "core/num.h"
#include "program/vault/vault_core_internal.h"

#define SEAL_FORMAT 1u /* first octet of all associated data */

/* The second octet: what kind of thing is sealed. */
enum seal_kind { SEAL_KEK_CHECK = 1, SEAL_DATA_KEY = 2, SEAL_VALUE = 3 };

static void
associate(struct vault_associated *to, const void *bytes, size_t len)
{
    if (len > sizeof(to->bytes) - to->len)
        bug("associated data longer than its limit");
    memcpy(to->bytes + to->len, bytes, len);
    to->len += len;
}

static void
associate_u8(struct vault_associated *to, size_t number)
{
    unsigned char byte = (unsigned char)number;
    associate(to, &byte, 1);
}

static void
associate_u32(struct vault_associated *to, uint32_t number)
{
    unsigned char bytes[4];
    num_u32be_put(bytes, number);
    associate(to, bytes, sizeof(bytes));
}

static void
associate_name(struct vault_associated *to, struct slice name)
{
    associate_u8(to, name.len);
    associate(to, name.ptr, name.len);
}

struct slice
vault_associated_slice(const struct vault_associated *associated)
{
    return slice_of(associated->bytes, associated->len);
}

static void
associated_begin(struct vault_associated *to, enum seal_kind kind)
{
    to->len = 0;
    associate_u8(to, SEAL_FORMAT);
    associate_u8(to, (size_t)kind);
}

void
vault_associated_of_kek(const struct vault_kek *kek, struct vault_associated *out)
{
    associated_begin(out, SEAL_KEK_CHECK);
    associate_u32(out, kek->version);
    associate_u32(out, kek->scrypt.n);
    associate_u32(out, kek->scrypt.r);
    associate_u32(out, kek->scrypt.p);
    associate(out, kek->scrypt.salt, sizeof(kek->scrypt.salt));
}

void
vault_associated_of_key(const struct vault_wrapped_key *key, struct vault_associated *out)
{
    associated_begin(out, SEAL_DATA_KEY);
    associate(out, key->tenant.bytes, sizeof(key->tenant.bytes));
    associate_u8(out, (size_t)key->purpose);
    associate_u32(out, key->version);
    associate_u32(out, key->kek_version);
}

void
vault_associated_of_value(enum vault_purpose purpose, uint32_t key_version,
                          const struct vault_frame_place *place, struct vault_associated *out)
{
    associated_begin(out, SEAL_VALUE);
    associate_u8(out, (size_t)purpose);
    associate_u32(out, key_version);
    associate(out, place->tenant.bytes, sizeof(place->tenant.bytes));
    associate_name(out, place->table);
    associate_name(out, place->column);
    associate(out, place->row.bytes, sizeof(place->row.bytes));
    associate_u32(out, place->generation);
}
