#include "wire/vault/vault_frame.h"
#include "core/num.h"

/* Enums from numbers and to names: one row per case. */

static const char *const role_names[] = {
    [VAULT_ROLE_ADMIN] = "admin",           [VAULT_ROLE_GATEWAY] = "gateway",
    [VAULT_ROLE_DISPATCHER] = "dispatcher", [VAULT_ROLE_WEBHOOKS] = "webhooks",
    [VAULT_ROLE_SCHEDULER] = "scheduler",
};
static const char *const purpose_names[] = {
    [VAULT_CONTENT] = "content",
    [VAULT_CREDENTIAL] = "credential",
    [VAULT_INDEX] = "index",
};
static const char *const op_names[] = {
    [VAULT_OP_SEAL] = "seal",
    [VAULT_OP_OPEN] = "open",
    [VAULT_OP_INDEX] = "index",
    [VAULT_OP_VERIFY_MAC] = "verify",
    [VAULT_OP_MATCHES] = "match",
    [VAULT_OP_SIGN_MAC] = "sign",
    [VAULT_OP_KEY_LOAD] = "key_load",
    [VAULT_OP_MAKE_KEYS] = "make_keys",
    [VAULT_OP_FACTS] = "facts",
    [VAULT_OP_MAKE_ED25519] = "make_ed25519",
    [VAULT_OP_SIGN_ED25519] = "sign_ed25519",
};

static enum err
number_check(uint32_t number, const char *const *names, size_t count)
{
    return number < count && names[number] != NULL ? ERR_OK : ERR_FRAME;
}

enum err
vault_role_from(uint32_t number, enum vault_role *out)
{
    *out = (enum vault_role)number;
    return number_check(number, role_names, COUNT_OF(role_names));
}

enum err
vault_purpose_from(uint32_t number, enum vault_purpose *out)
{
    *out = (enum vault_purpose)number;
    return number_check(number, purpose_names, COUNT_OF(purpose_names));
}

enum err
vault_op_from(uint32_t number, enum vault_op *out)
{
    *out = (enum vault_op)number;
    return number_check(number, op_names, COUNT_OF(op_names));
}

const char *
vault_role_name(enum vault_role role)
{
    return role_names[role];
}

const char *
vault_purpose_name(enum vault_purpose purpose)
{
    return purpose_names[purpose];
}

const char *
vault_op_name(enum vault_op op)
{
    return op_names[op];
}

static const enum err result_errs[] = {
    [VAULT_RESULT_OK] = ERR_OK,
    [VAULT_RESULT_FORBIDDEN] = ERR_VAULT_FORBIDDEN,
    [VAULT_RESULT_KEY_MISSING] = ERR_VAULT_KEY_MISSING,
    [VAULT_RESULT_CORRUPT] = ERR_SEAL_CORRUPT,
    [VAULT_RESULT_MISMATCH] = ERR_SIGNATURE,
    [VAULT_RESULT_LIMIT] = ERR_LIMIT,
    [VAULT_RESULT_KEK_WRONG] = ERR_VAULT_KEK_WRONG,
    [VAULT_RESULT_NO_MEMORY] = ERR_NO_MEMORY,
    [VAULT_RESULT_FAILED] = ERR_CRYPTO,
};

enum err
vault_result_err(enum vault_result result)
{
    return result_errs[result];
}

enum vault_result
vault_result_of(enum err err)
{
    for (size_t i = 0; i < COUNT_OF(result_errs); i++)
        if (result_errs[i] == err)
            return (enum vault_result)i;
    return VAULT_RESULT_FAILED;
}

bool
vault_name_is_valid(struct slice name)
{
    if (name.len == 0 || name.len > VAULT_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'))
            return false;
    }
    return true;
}

/* Reading. After the first thing that does not fit, `is_broken` stays and every further read gives zeros. */

struct input {
    struct slice rest;
    bool is_broken;
};

static struct slice
take(struct input *in, size_t len)
{
    if (in->is_broken || in->rest.len < len) {
        in->is_broken = true;
        return SLICE_EMPTY;
    }
    struct slice taken = slice_first(in->rest, len);
    in->rest = slice_drop(in->rest, len);
    return taken;
}

static void
take_octets(struct input *in, unsigned char *to, size_t len)
{
    struct slice from = take(in, len);
    if (from.len == len)
        memcpy(to, from.ptr, len);
}

static uint8_t
take_u8(struct input *in)
{
    struct slice from = take(in, 1);
    return from.len == 1 ? (uint8_t)from.ptr[0] : 0;
}

static uint16_t
take_u16(struct input *in)
{
    struct slice from = take(in, 2);
    return from.len == 2 ? num_u16be_get(from.ptr) : 0;
}

static uint32_t
take_u32(struct input *in)
{
    struct slice from = take(in, 4);
    return from.len == 4 ? num_u32be_get(from.ptr) : 0;
}

static uint64_t
take_u64(struct input *in)
{
    struct slice from = take(in, 8);
    return from.len == 8 ? num_u64be_get(from.ptr) : 0;
}

static bool
take_bool(struct input *in)
{
    uint8_t byte = take_u8(in);
    if (byte > 1)
        in->is_broken = true;
    return byte == 1;
}

/* A version: counted from 1. */
static uint32_t
take_version(struct input *in)
{
    uint32_t version = take_u32(in);
    if (version == 0)
        in->is_broken = true;
    return version;
}

static struct slice
take_bytes(struct input *in)
{
    uint32_t len = take_u32(in);
    if (len > VAULT_PLAIN_BYTES_MAX)
        in->is_broken = true;
    return take(in, len);
}

static struct slice
take_name(struct input *in)
{
    struct slice name = take(in, take_u8(in));
    if (!vault_name_is_valid(name))
        in->is_broken = true;
    return name;
}

static struct slice
take_optional_name(struct input *in)
{
    if (in->rest.len > 0 && in->rest.ptr[0] == 0) {
        (void)take_u8(in);
        return SLICE_EMPTY;
    }
    return take_name(in);
}

static enum vault_purpose
take_purpose(struct input *in)
{
    enum vault_purpose purpose;
    if (vault_purpose_from(take_u8(in), &purpose) != ERR_OK)
        in->is_broken = true;
    return purpose;
}

static enum vault_op
take_op(struct input *in)
{
    enum vault_op op;
    if (vault_op_from(take_u8(in), &op) != ERR_OK)
        in->is_broken = true;
    return op;
}

static enum vault_result
take_result(struct input *in)
{
    uint8_t number = take_u8(in);
    if (number >= COUNT_OF(result_errs))
        in->is_broken = true;
    return (enum vault_result)number;
}

static enum secret_memory
take_memory(struct input *in)
{
    uint8_t number = take_u8(in);
    if (number > SECRET_MEMORY_UNLOCKED)
        in->is_broken = true;
    return (enum secret_memory)number;
}

static struct id
take_id(struct input *in)
{
    struct id id = { { 0 } };
    take_octets(in, id.bytes, sizeof(id.bytes));
    return id;
}

static void
take_frame_version(struct input *in)
{
    if (take_u8(in) != VAULT_FRAME_VERSION)
        in->is_broken = true;
}

static enum err
input_done(const struct input *in)
{
    return in->is_broken || in->rest.len != 0 ? ERR_FRAME : ERR_OK;
}

/* Writing. */

static void
put_bytes(struct buf *out, struct slice bytes)
{
    buf_add_u32be(out, (uint32_t)bytes.len);
    buf_add(out, bytes);
}

static void
put_name(struct buf *out, struct slice name)
{
    if (!vault_name_is_valid(name))
        bug("a name that no frame can hold");
    buf_add_byte(out, (char)name.len);
    buf_add(out, name);
}

static void
put_optional_name(struct buf *out, struct slice name)
{
    if (name.len == 0)
        buf_add_byte(out, 0);
    else
        put_name(out, name);
}

static void
put_id(struct buf *out, struct id id)
{
    buf_add(out, slice_of(id.bytes, sizeof(id.bytes)));
}

/* Structures, each with its two directions side by side. */

static void
put_place(struct buf *out, const struct vault_frame_place *place)
{
    put_id(out, place->tenant);
    put_name(out, place->table);
    put_name(out, place->column);
    put_id(out, place->row);
    buf_add_u32be(out, place->generation);
}

static void
take_place(struct input *in, struct vault_frame_place *out)
{
    out->tenant = take_id(in);
    out->table = take_name(in);
    out->column = take_name(in);
    out->row = take_id(in);
    out->generation = take_u32(in);
}

static void
put_sealed(struct buf *out, const struct vault_sealed *sealed)
{
    buf_add_u32be(out, sealed->key_version);
    buf_add(out, slice_of(sealed->iv, sizeof(sealed->iv)));
    buf_add(out, slice_of(sealed->tag, sizeof(sealed->tag)));
    put_bytes(out, sealed->cipher);
}

static void
take_sealed(struct input *in, struct vault_sealed *out)
{
    out->key_version = take_version(in);
    take_octets(in, out->iv, sizeof(out->iv));
    take_octets(in, out->tag, sizeof(out->tag));
    out->cipher = take_bytes(in);
}

static void
put_item_index(struct buf *out, const struct vault_item_index *index)
{
    buf_add_byte(out, index->is_made ? 1 : 0);
    if (index->is_made)
        buf_add(out, slice_of(index->mac, sizeof(index->mac)));
}

static void
take_item_index(struct input *in, struct vault_item_index *out)
{
    out->is_made = take_bool(in);
    if (out->is_made)
        take_octets(in, out->mac, sizeof(out->mac));
}

static void
put_key(struct buf *out, const struct vault_wrapped_key *key)
{
    put_id(out, key->tenant);
    buf_add_byte(out, (char)key->purpose);
    buf_add_u32be(out, key->version);
    buf_add_u32be(out, key->kek_version);
    buf_add(out, slice_of(key->cipher, sizeof(key->cipher)));
    buf_add(out, slice_of(key->iv, sizeof(key->iv)));
    buf_add(out, slice_of(key->tag, sizeof(key->tag)));
}

static void
take_key(struct input *in, struct vault_wrapped_key *out)
{
    out->tenant = take_id(in);
    out->purpose = take_purpose(in);
    out->version = take_version(in);
    out->kek_version = take_version(in);
    take_octets(in, out->cipher, sizeof(out->cipher));
    take_octets(in, out->iv, sizeof(out->iv));
    take_octets(in, out->tag, sizeof(out->tag));
}

static void
put_kek(struct buf *out, const struct vault_kek *kek)
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

static void
take_kek(struct input *in, struct vault_kek *out)
{
    out->version = take_version(in);
    out->scrypt.n = take_u32(in);
    out->scrypt.r = take_u32(in);
    out->scrypt.p = take_u32(in);
    take_octets(in, out->scrypt.salt, sizeof(out->scrypt.salt));
    take_octets(in, out->check_cipher, sizeof(out->check_cipher));
    take_octets(in, out->check_iv, sizeof(out->check_iv));
    take_octets(in, out->check_tag, sizeof(out->check_tag));
}

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
            put_place(out, &request->items[i].place);
            put_optional_name(out, request->items[i].index_label);
            put_bytes(out, request->items[i].plain);
        }
        return;
    case VAULT_OP_OPEN:
        buf_add_byte(out, (char)request->purpose);
        put_place(out, &request->place);
        put_sealed(out, &request->sealed);
        return;
    case VAULT_OP_INDEX:
        put_id(out, request->tenant);
        put_name(out, request->label);
        put_bytes(out, request->data);
        return;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_SIGN_ED25519:
        if (request->op == VAULT_OP_VERIFY_MAC)
            buf_add(out, slice_of(request->mac, sizeof(request->mac)));
        put_place(out, &request->place);
        put_sealed(out, &request->sealed);
        put_bytes(out, request->data);
        return;
    case VAULT_OP_KEY_LOAD:
        buf_add_byte(out, request->is_newest ? 1 : 0);
        put_key(out, &request->key);
        return;
    case VAULT_OP_MAKE_KEYS:
        put_id(out, request->tenant);
        return;
    case VAULT_OP_MAKE_ED25519:
        put_place(out, &request->place);
        return;
    case VAULT_OP_FACTS:
        return;
    }
    bug("an operation of no kind");
}

enum err
vault_request_decode(struct slice frame, struct vault_request *out)
{
    struct input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    take_frame_version(&in);
    out->op = take_op(&in);
    out->id = take_u32(&in);
    if (in.is_broken)
        return ERR_FRAME;
    switch (out->op) {
    case VAULT_OP_SEAL:
        out->purpose = take_purpose(&in);
        out->item_count = take_u16(&in);
        if (out->item_count == 0 || out->item_count > VAULT_SEAL_ITEMS_MAX)
            return ERR_FRAME;
        for (size_t i = 0; i < out->item_count; i++) {
            take_place(&in, &out->items[i].place);
            out->items[i].index_label = take_optional_name(&in);
            out->items[i].plain = take_bytes(&in);
        }
        break;
    case VAULT_OP_OPEN:
        out->purpose = take_purpose(&in);
        take_place(&in, &out->place);
        take_sealed(&in, &out->sealed);
        break;
    case VAULT_OP_INDEX:
        out->tenant = take_id(&in);
        out->label = take_name(&in);
        out->data = take_bytes(&in);
        break;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_SIGN_ED25519:
        if (out->op == VAULT_OP_VERIFY_MAC)
            take_octets(&in, out->mac, sizeof(out->mac));
        take_place(&in, &out->place);
        take_sealed(&in, &out->sealed);
        out->data = take_bytes(&in);
        break;
    case VAULT_OP_KEY_LOAD:
        out->is_newest = take_bool(&in);
        take_key(&in, &out->key);
        break;
    case VAULT_OP_MAKE_KEYS:
        out->tenant = take_id(&in);
        break;
    case VAULT_OP_MAKE_ED25519:
        take_place(&in, &out->place);
        break;
    case VAULT_OP_FACTS:
        break;
    }
    return input_done(&in);
}

static void
put_answer_fields(struct buf *out, const struct vault_answer *answer)
{
    switch (answer->op) {
    case VAULT_OP_SEAL:
        buf_add_u16be(out, (uint16_t)answer->sealed_count);
        for (size_t i = 0; i < answer->sealed_count; i++) {
            put_sealed(out, &answer->sealed[i]);
            put_item_index(out, &answer->indexes[i]);
        }
        return;
    case VAULT_OP_OPEN:
        put_bytes(out, answer->plain);
        return;
    case VAULT_OP_INDEX:
    case VAULT_OP_SIGN_MAC:
        buf_add(out, slice_of(answer->mac, sizeof(answer->mac)));
        return;
    case VAULT_OP_MAKE_KEYS:
        for (size_t i = 0; i < VAULT_PURPOSE_COUNT; i++)
            put_key(out, &answer->keys[i]);
        return;
    case VAULT_OP_FACTS:
        buf_add_byte(out, (char)answer->memory);
        buf_add_u32be(out, answer->kek_version);
        buf_add_u64be(out, answer->keys_held);
        return;
    case VAULT_OP_MAKE_ED25519:
        put_sealed(out, &answer->sealed[0]);
        buf_add(out, slice_of(answer->public_key, sizeof(answer->public_key)));
        return;
    case VAULT_OP_SIGN_ED25519:
        buf_add(out, slice_of(answer->signature, sizeof(answer->signature)));
        return;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_KEY_LOAD:
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
        put_id(out, answer->missing.tenant);
        buf_add_byte(out, (char)answer->missing.purpose);
        buf_add_u32be(out, answer->missing.version);
    }
}

static void
take_answer_fields(struct input *in, struct vault_answer *out)
{
    switch (out->op) {
    case VAULT_OP_SEAL:
        out->sealed_count = take_u16(in);
        if (out->sealed_count == 0 || out->sealed_count > VAULT_SEAL_ITEMS_MAX) {
            in->is_broken = true;
            return;
        }
        for (size_t i = 0; i < out->sealed_count; i++) {
            take_sealed(in, &out->sealed[i]);
            take_item_index(in, &out->indexes[i]);
        }
        return;
    case VAULT_OP_OPEN:
        out->plain = take_bytes(in);
        return;
    case VAULT_OP_INDEX:
    case VAULT_OP_SIGN_MAC:
        take_octets(in, out->mac, sizeof(out->mac));
        return;
    case VAULT_OP_MAKE_KEYS:
        for (size_t i = 0; i < VAULT_PURPOSE_COUNT; i++)
            take_key(in, &out->keys[i]);
        return;
    case VAULT_OP_FACTS:
        out->memory = take_memory(in);
        out->kek_version = take_u32(in);
        out->keys_held = take_u64(in);
        return;
    case VAULT_OP_MAKE_ED25519:
        out->sealed_count = 1;
        take_sealed(in, &out->sealed[0]);
        take_octets(in, out->public_key, sizeof(out->public_key));
        return;
    case VAULT_OP_SIGN_ED25519:
        take_octets(in, out->signature, sizeof(out->signature));
        return;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_KEY_LOAD:
        return;
    }
}

enum err
vault_answer_decode(struct slice frame, struct vault_answer *out)
{
    struct input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    take_frame_version(&in);
    out->op = take_op(&in);
    out->id = take_u32(&in);
    out->result = take_result(&in);
    if (in.is_broken)
        return ERR_FRAME;
    if (out->result == VAULT_RESULT_OK) {
        take_answer_fields(&in, out);
    } else if (out->result == VAULT_RESULT_KEY_MISSING) {
        out->missing.tenant = take_id(&in);
        out->missing.purpose = take_purpose(&in);
        out->missing.version = take_u32(&in);
    }
    return input_done(&in);
}

void
vault_boot_encode(struct buf *out, const struct vault_boot *boot)
{
    if (boot->master_key.len != VAULT_KEY_BYTES || boot->kek_count > VAULT_KEKS_MAX)
        bug("a boot frame out of bounds");
    buf_add_byte(out, (char)VAULT_FRAME_VERSION);
    buf_add(out, boot->master_key);
    buf_add_u32be(out, boot->make_version);
    buf_add_u16be(out, (uint16_t)boot->kek_count);
    for (size_t i = 0; i < boot->kek_count; i++)
        put_kek(out, &boot->keks[i]);
}

enum err
vault_boot_decode(struct slice frame, struct vault_boot *out)
{
    struct input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    take_frame_version(&in);
    out->master_key = take(&in, VAULT_KEY_BYTES);
    out->make_version = take_u32(&in);
    out->kek_count = take_u16(&in);
    if (out->kek_count > VAULT_KEKS_MAX)
        return ERR_FRAME;
    for (size_t i = 0; i < out->kek_count; i++)
        take_kek(&in, &out->keks[i]);
    return input_done(&in);
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
        put_kek(out, &booted->made);
}

enum err
vault_booted_decode(struct slice frame, struct vault_booted *out)
{
    struct input in = { .rest = frame };

    memset(out, 0, sizeof(*out));
    take_frame_version(&in);
    out->result = take_result(&in);
    out->kek_version = take_u32(&in);
    out->memory = take_memory(&in);
    out->has_made = take_bool(&in);
    if (out->has_made)
        take_kek(&in, &out->made);
    return input_done(&in);
}
