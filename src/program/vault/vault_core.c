#include "program/vault/vault_core.h"
#include "core/metric.h"
#include "core/num.h"
#include "core/secret.h"
#include "crypto/aead.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "crypto/sign.h"
#include "program/vault/vault_keyring.h"
#include "program/vault/vault_policy.h"
#include <stdlib.h>

#define SEAL_FORMAT 1u /* first octet of all associated data */

/* The second octet: what kind of thing is sealed. */
enum seal_kind { SEAL_KEK_CHECK = 1, SEAL_DATA_KEY = 2, SEAL_VALUE = 3 };

/* The longest is a value's: both heads, purpose, version, tenant, two names with their lengths, row,
 * generation. */
#define ASSOCIATED_BYTES_MAX (3u + 4u + ID_BYTES + 2u * (1u + VAULT_NAME_BYTES_MAX) + ID_BYTES + 4u)

static const char value_key_label[] = "harkara value key"; /* with its NUL, before the place */
static const char check_text[VAULT_KEY_BYTES + 1] = "harkara: this master key is it..";

struct kek {
    uint32_t version;
    struct secret *key;
};

struct vault_core {
    struct vault_core_options options;
    struct kek keks[VAULT_KEKS_MAX + 1];
    size_t kek_count; /* ascending versions; the last one is in force */
    struct vault_keyring *ring;
    struct secret *work; /* one key, while it is used */
    struct vault_request request;
    struct vault_answer answer;
};

enum err
vault_core_new(const struct vault_core_options *options, struct vault_core **out)
{
    struct vault_core *core = calloc(1, sizeof(*core));

    *out = NULL;
    if (options->key_capacity < VAULT_SEAL_KEYS_MAX)
        bug("a keyring too small for one request");
    if (core == NULL)
        return ERR_NO_MEMORY;
    core->options = *options;
    core->work = secret_new(VAULT_KEY_BYTES);
    if (core->work == NULL || vault_keyring_new(options->key_capacity, &core->ring) != ERR_OK) {
        vault_core_free(core);
        return ERR_NO_MEMORY;
    }
    *out = core;
    return ERR_OK;
}

void
vault_core_free(struct vault_core *core)
{
    if (core == NULL)
        return;
    for (size_t i = 0; i < core->kek_count; i++)
        secret_free(core->keks[i].key);
    vault_keyring_free(core->ring);
    secret_free(core->work);
    free(core);
}

/* Associated data, built up in a fixed array; each part has a fixed length or its length before it. */
struct associated {
    unsigned char bytes[ASSOCIATED_BYTES_MAX];
    size_t len;
};

static void
associate(struct associated *to, const void *bytes, size_t len)
{
    if (len > sizeof(to->bytes) - to->len)
        bug("associated data longer than its limit");
    memcpy(to->bytes + to->len, bytes, len);
    to->len += len;
}

static void
associate_u8(struct associated *to, size_t number)
{
    unsigned char byte = (unsigned char)number;
    associate(to, &byte, 1);
}

static void
associate_u32(struct associated *to, uint32_t number)
{
    unsigned char bytes[4];
    num_u32be_put(bytes, number);
    associate(to, bytes, sizeof(bytes));
}

static void
associate_name(struct associated *to, struct slice name)
{
    associate_u8(to, name.len);
    associate(to, name.ptr, name.len);
}

static struct slice
associated_slice(const struct associated *associated)
{
    return slice_of(associated->bytes, associated->len);
}

static void
associated_begin(struct associated *to, enum seal_kind kind)
{
    to->len = 0;
    associate_u8(to, SEAL_FORMAT);
    associate_u8(to, (size_t)kind);
}

static void
associated_of_kek(const struct vault_kek *kek, struct associated *out)
{
    associated_begin(out, SEAL_KEK_CHECK);
    associate_u32(out, kek->version);
    associate_u32(out, kek->scrypt.n);
    associate_u32(out, kek->scrypt.r);
    associate_u32(out, kek->scrypt.p);
    associate(out, kek->scrypt.salt, sizeof(kek->scrypt.salt));
}

static void
associated_of_key(const struct vault_wrapped_key *key, struct associated *out)
{
    associated_begin(out, SEAL_DATA_KEY);
    associate(out, key->tenant.bytes, sizeof(key->tenant.bytes));
    associate_u8(out, (size_t)key->purpose);
    associate_u32(out, key->version);
    associate_u32(out, key->kek_version);
}

static void
associated_of_value(enum vault_purpose purpose, uint32_t key_version, const struct vault_frame_place *place,
                    struct associated *out)
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

/* Booting: key-encryption keys. */

/* Adds the key of these parameters to the core; from then on the core owns it. */
static enum err
kek_derive(struct vault_core *core, struct slice master_key, uint32_t version,
           const struct kdf_scrypt *scrypt, struct secret **key_out)
{
    struct secret *key = secret_new(KDF_KEY_BYTES);

    if (key == NULL)
        return ERR_NO_MEMORY;
    enum err err = kdf_scrypt(master_key, scrypt, secret_bytes(key));
    if (err != ERR_OK) {
        secret_free(key);
        return err == ERR_OVERFLOW ? ERR_LIMIT : err;
    }
    core->keks[core->kek_count++] = (struct kek){ version, key };
    *key_out = key;
    return ERR_OK;
}

static enum err
kek_take(struct vault_core *core, struct slice master_key, const struct vault_kek *kek)
{
    struct associated associated;
    struct secret *key;

    enum err err = kek_derive(core, master_key, kek->version, &kek->scrypt, &key);
    if (err != ERR_OK)
        return err;
    associated_of_kek(kek, &associated);
    err = aead_open(secret_slice(key), associated_slice(&associated),
                    slice_of(kek->check_cipher, sizeof(kek->check_cipher)), kek->check_iv, kek->check_tag,
                    secret_bytes(core->work));
    if (err == ERR_OK && !secret_eq(secret_slice(core->work), slice_of(check_text, VAULT_KEY_BYTES)))
        err = ERR_SEAL_CORRUPT;
    return err == ERR_SEAL_CORRUPT ? ERR_VAULT_KEK_WRONG : err;
}

static enum err
kek_make(struct vault_core *core, struct slice master_key, uint32_t version, struct vault_kek *out)
{
    struct associated associated;
    struct secret *key;

    *out =
        (struct vault_kek){ .version = version,
                            .scrypt = { .n = core->options.scrypt_n, .r = KDF_SCRYPT_R, .p = KDF_SCRYPT_P } };
    enum err err = random_fill(out->scrypt.salt, sizeof(out->scrypt.salt));
    if (err == ERR_OK)
        err = kek_derive(core, master_key, version, &out->scrypt, &key);
    if (err != ERR_OK)
        return err;
    associated_of_kek(out, &associated);
    return aead_seal(secret_slice(key), associated_slice(&associated), slice_of(check_text, VAULT_KEY_BYTES),
                     out->check_cipher, out->check_iv, out->check_tag);
}

enum err
vault_core_boot(struct vault_core *core, const struct vault_boot *boot, struct vault_booted *booted_out)
{
    enum err err = boot->kek_count == 0 && boot->make_version == 0 ? ERR_LIMIT : ERR_OK;
    uint32_t version = 0;

    if (core->kek_count != 0)
        bug("a vault booted twice");
    *booted_out = (struct vault_booted){ .memory = secret_pool_memory() };
    for (size_t i = 0; i < boot->kek_count && err == ERR_OK; i++) {
        err = boot->keks[i].version > version ? kek_take(core, boot->master_key, &boot->keks[i]) : ERR_LIMIT;
        version = boot->keks[i].version;
    }
    if (err == ERR_OK && boot->make_version != 0) {
        err = ERR_LIMIT;
        if (boot->make_version > version) {
            version = boot->make_version;
            err = kek_make(core, boot->master_key, version, &booted_out->made);
            booted_out->has_made = err == ERR_OK;
        }
    }
    booted_out->kek_version = version;
    booted_out->result = vault_result_of(err);
    if (err != ERR_OK)
        while (core->kek_count > 0) /* it answers nothing with half of its keys */
            secret_free(core->keks[--core->kek_count].key);
    return err;
}

static const struct kek *
kek_in_force(const struct vault_core *core)
{
    return &core->keks[core->kek_count - 1];
}

/* Sealing and opening values. */

/* The key of this place, in core->work. */
static enum err
value_key(struct vault_core *core, const struct vault_held_key *key, const struct associated *associated)
{
    const struct slice pieces[] = { slice_of(value_key_label, sizeof(value_key_label)),
                                    associated_slice(associated) };
    return mac_sha256_pieces(key->bytes, pieces, COUNT_OF(pieces), secret_bytes(core->work));
}

/* Notes in the answer which key the peer has to load. */
static enum err
key_find(struct vault_core *core, struct id tenant, enum vault_purpose purpose, uint32_t version,
         struct vault_held_key *out)
{
    enum err err = vault_keyring_find(core->ring, tenant, purpose, version, out);

    if (err == ERR_VAULT_KEY_MISSING) {
        core->answer.missing.tenant = tenant;
        core->answer.missing.purpose = purpose;
        core->answer.missing.version = version;
    }
    return err;
}

/* Opens into plain_out, which has room for the ciphertext's length. */
static enum err
value_open(struct vault_core *core, enum vault_purpose purpose, const struct vault_frame_place *place,
           const struct vault_sealed *sealed, unsigned char *plain_out)
{
    struct associated associated;
    struct vault_held_key key;

    enum err err = key_find(core, place->tenant, purpose, sealed->key_version, &key);
    if (err != ERR_OK)
        return err;
    associated_of_value(purpose, sealed->key_version, place, &associated);
    err = value_key(core, &key, &associated);
    if (err == ERR_OK)
        err = aead_open(secret_slice(core->work), associated_slice(&associated), sealed->cipher, sealed->iv,
                        sealed->tag, plain_out);
    secret_wipe(secret_bytes(core->work), secret_len(core->work));
    if (err == ERR_SEAL_CORRUPT)
        metric_add(METRIC_VAULT_FAILED, 1);
    return err;
}

/* A credential opened for use in here. *out is owned. */
static enum err
credential_open(struct vault_core *core, struct secret **out)
{
    const struct vault_request *request = &core->request;

    *out = NULL;
    if (request->sealed.cipher.len == 0 || request->sealed.cipher.len > VAULT_CREDENTIAL_BYTES_MAX)
        return ERR_SEAL_CORRUPT; /* no such credential was ever sealed: an empty key would verify for anyone
                                  */
    struct secret *credential = secret_new(request->sealed.cipher.len);
    if (credential == NULL)
        return ERR_NO_MEMORY;
    enum err err =
        value_open(core, VAULT_CREDENTIAL, &request->place, &request->sealed, secret_bytes(credential));
    if (err != ERR_OK) {
        secret_free(credential);
        return err;
    }
    *out = credential;
    return ERR_OK;
}

/* The operations. Each reads core->request and fills core->answer; `work` is wiped when the answer is
 * encoded. */

static bool
plain_fits(enum vault_purpose purpose, size_t len)
{
    switch (purpose) {
    case VAULT_CONTENT:
        return len <= VAULT_PLAIN_BYTES_MAX;
    case VAULT_CREDENTIAL:
        return len > 0 && len <= VAULT_CREDENTIAL_BYTES_MAX;
    case VAULT_INDEX:
        return false;
    }
    return false;
}

static enum err
index_make(struct vault_core *core, struct id tenant, struct slice label, struct slice value,
           unsigned char out[VAULT_INDEX_BYTES])
{
    const struct slice pieces[] = { label, SLICE("\0"), value };
    struct vault_held_key key;

    enum err err = key_find(core, tenant, VAULT_INDEX, 0, &key);
    if (err != ERR_OK)
        return err;
    return mac_sha256_pieces(key.bytes, pieces, COUNT_OF(pieces), out);
}

/* Seals with the newest key of that purpose; `cipher` has room for the plain text's length, and lives as long
 * as the answer. */
static enum err
value_seal(struct vault_core *core, enum vault_purpose purpose, const struct vault_frame_place *place,
           struct slice plain, char *cipher, struct vault_sealed *sealed)
{
    struct associated associated;
    struct vault_held_key key;

    enum err err = key_find(core, place->tenant, purpose, 0, &key);
    if (err != ERR_OK)
        return err;
    if (*key.seals >= core->options.seals_max)
        return ERR_LIMIT;
    sealed->key_version = key.version;
    associated_of_value(purpose, key.version, place, &associated);
    err = value_key(core, &key, &associated);
    if (err == ERR_OK)
        err = aead_seal(secret_slice(core->work), associated_slice(&associated), plain,
                        (unsigned char *)cipher, sealed->iv, sealed->tag);
    secret_wipe(secret_bytes(core->work), secret_len(core->work));
    if (err != ERR_OK)
        return err;
    ++*key.seals;
    sealed->cipher = slice_of(cipher, plain.len);
    return ERR_OK;
}

static enum err
op_seal_item(struct vault_core *core, size_t i, struct buf *work)
{
    const struct vault_frame_place *place = &core->request.items[i].place;
    struct slice plain = core->request.items[i].plain, label = core->request.items[i].index_label;
    struct vault_item_index *index = &core->answer.indexes[i];
    struct vault_sealed *sealed = &core->answer.sealed[i];

    char *cipher = buf_reserve(work, plain.len); /* the caller made room for all: it does not move */
    if (cipher == NULL)
        return buf_done(work);
    enum err err = value_seal(core, core->request.purpose, place, plain, cipher, sealed);
    if (err != ERR_OK)
        return err;
    work->len += plain.len;
    index->is_made = label.len > 0;
    return index->is_made ? index_make(core, place->tenant, label, plain, index->mac) : ERR_OK;
}

/* All or nothing: all are checked and all keys are there before the first is sealed. */
static enum err
op_seal(struct vault_core *core, enum vault_role role, struct buf *work)
{
    const struct vault_request *request = &core->request;
    struct vault_held_key key;
    size_t bytes = 0;

    for (size_t i = 0; i < request->item_count; i++) {
        const struct vault_frame_place *place = &request->items[i].place;
        if (!vault_policy_allows_value(role, VAULT_OP_SEAL, request->purpose, place->table, place->column))
            return ERR_VAULT_FORBIDDEN;
        if (request->items[i].index_label.len > 0 && !vault_policy_allows_op(role, VAULT_OP_INDEX))
            return ERR_VAULT_FORBIDDEN;
        if (!plain_fits(request->purpose, request->items[i].plain.len))
            return ERR_LIMIT;
        bytes += request->items[i].plain.len; /* within the frame's length */
    }
    for (size_t i = 0; i < request->item_count; i++) {
        struct id tenant = request->items[i].place.tenant;
        enum err err = key_find(core, tenant, request->purpose, 0, &key);
        if (err == ERR_OK && request->items[i].index_label.len > 0)
            err = key_find(core, tenant, VAULT_INDEX, 0, &key);
        if (err != ERR_OK)
            return err;
    }
    if (buf_reserve(work, bytes) == NULL)
        return buf_done(work);
    for (size_t i = 0; i < request->item_count; i++) {
        enum err err = op_seal_item(core, i, work);
        if (err != ERR_OK)
            return err;
    }
    core->answer.sealed_count = request->item_count;
    metric_add(METRIC_VAULT_SEALS, request->item_count);
    return ERR_OK;
}

static enum err
op_open(struct vault_core *core, struct buf *work)
{
    const struct vault_request *request = &core->request;

    if (!plain_fits(request->purpose, request->sealed.cipher.len))
        return ERR_SEAL_CORRUPT;
    char *plain = buf_reserve(work, request->sealed.cipher.len);
    if (plain == NULL)
        return buf_done(work);
    enum err err =
        value_open(core, request->purpose, &request->place, &request->sealed, (unsigned char *)plain);
    if (err != ERR_OK)
        return err;
    work->len = request->sealed.cipher.len;
    core->answer.plain = buf_slice(work);
    metric_add(
        request->purpose == VAULT_CREDENTIAL ? METRIC_VAULT_OPENS_CREDENTIAL : METRIC_VAULT_OPENS_CONTENT, 1);
    return ERR_OK;
}

/* A new signing key, which nobody but this process ever has in the open: it leaves sealed, beside its public
 * key. */
static enum err
op_make_ed25519(struct vault_core *core, struct buf *work)
{
    struct vault_answer *answer = &core->answer;
    struct secret *seed = secret_new(SIGN_SEED_BYTES);
    char *cipher = buf_reserve(work, SIGN_SEED_BYTES);
    enum err err =
        seed == NULL || cipher == NULL ? ERR_NO_MEMORY : random_fill(secret_bytes(seed), SIGN_SEED_BYTES);

    if (err == ERR_OK)
        err = sign_ed25519_public(secret_slice(seed), answer->public_key);
    if (err == ERR_OK)
        err = value_seal(core, VAULT_CREDENTIAL, &core->request.place, secret_slice(seed), cipher,
                         &answer->sealed[0]);
    if (err == ERR_OK) {
        answer->sealed_count = 1;
        metric_add(METRIC_VAULT_SEALS, 1);
    }
    secret_free(seed);
    return err;
}

/* VERIFY_MAC, MATCHES, SIGN_MAC and SIGN_ED25519: with a credential that stays here. */
static enum err
op_use_credential(struct vault_core *core)
{
    const struct vault_request *request = &core->request;
    struct vault_answer *answer = &core->answer;
    struct secret *credential;
    unsigned char mac[MAC_BYTES] = { 0 };

    enum err err = credential_open(core, &credential);
    if (err != ERR_OK)
        return err;
    if (request->op == VAULT_OP_MATCHES) {
        err = secret_eq(secret_slice(credential), request->data) ? ERR_OK : ERR_SIGNATURE;
        goto done;
    }
    if (request->op == VAULT_OP_SIGN_ED25519) {
        err = sign_ed25519(secret_slice(credential), request->data, answer->signature);
        goto done;
    }
    err = mac_sha256(secret_slice(credential), request->data, mac);
    if (err != ERR_OK)
        goto done;
    if (request->op == VAULT_OP_SIGN_MAC)
        memcpy(answer->mac, mac, sizeof(mac));
    else if (!secret_eq(slice_of(mac, sizeof(mac)), slice_of(request->mac, sizeof(request->mac))))
        err = ERR_SIGNATURE;
done:
    secret_wipe(mac, sizeof(mac)); /* of a forged body it would be the signature that the forger lacks */
    secret_free(credential);
    return err;
}

static enum err
op_index(struct vault_core *core)
{
    return index_make(core, core->request.tenant, core->request.label, core->request.data, core->answer.mac);
}

/* Unwraps a key that a peer found in the database: it is one of ours, for this tenant, purpose and version,
 * or none. */
static enum err
op_key_load(struct vault_core *core)
{
    const struct vault_wrapped_key *wrapped = &core->request.key;
    const struct kek *kek = NULL;
    struct associated associated;

    for (size_t i = 0; i < core->kek_count; i++)
        if (core->keks[i].version == wrapped->kek_version)
            kek = &core->keks[i];
    enum err err = ERR_SEAL_CORRUPT;
    if (kek != NULL) {
        associated_of_key(wrapped, &associated);
        err = aead_open(secret_slice(kek->key), associated_slice(&associated),
                        slice_of(wrapped->cipher, sizeof(wrapped->cipher)), wrapped->iv, wrapped->tag,
                        secret_bytes(core->work));
    }
    if (err == ERR_OK)
        err = vault_keyring_put(core->ring, wrapped->tenant, wrapped->purpose, wrapped->version,
                                core->request.is_newest, secret_slice(core->work));
    secret_wipe(secret_bytes(core->work), secret_len(core->work));
    if (err == ERR_SEAL_CORRUPT)
        metric_add(METRIC_VAULT_FAILED, 1);
    return err;
}

/* The first keys of a tenant. They are not held: whoever stored them loads them when it needs them. */
static enum err
op_make_keys(struct vault_core *core)
{
    const struct kek *kek = kek_in_force(core);
    enum err err = ERR_OK;

    for (size_t i = 0; i < VAULT_PURPOSE_COUNT && err == ERR_OK; i++) {
        struct vault_wrapped_key *wrapped = &core->answer.keys[i];
        struct associated associated;
        *wrapped = (struct vault_wrapped_key){ .tenant = core->request.tenant,
                                               .purpose = (enum vault_purpose)(VAULT_CONTENT + i),
                                               .version = 1,
                                               .kek_version = kek->version };
        associated_of_key(wrapped, &associated);
        err = random_fill(secret_bytes(core->work), secret_len(core->work));
        if (err == ERR_OK)
            err = aead_seal(secret_slice(kek->key), associated_slice(&associated), secret_slice(core->work),
                            wrapped->cipher, wrapped->iv, wrapped->tag);
    }
    secret_wipe(secret_bytes(core->work), secret_len(core->work));
    return err;
}

static enum err
op_facts(struct vault_core *core)
{
    core->answer.memory = secret_pool_memory();
    core->answer.kek_version = kek_in_force(core)->version;
    core->answer.keys_held = vault_keyring_count(core->ring);
    return ERR_OK;
}

/* One gate for all: is this role allowed to do this to that? (SEAL asks for each of its items.) */
static bool
is_allowed(const struct vault_request *request, enum vault_role role)
{
    switch (request->op) {
    case VAULT_OP_SEAL:
        return true;
    case VAULT_OP_OPEN:
        return vault_policy_allows_value(role, request->op, request->purpose, request->place.table,
                                         request->place.column);
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_MAKE_ED25519:
    case VAULT_OP_SIGN_ED25519:
        return vault_policy_allows_value(role, request->op, VAULT_CREDENTIAL, request->place.table,
                                         request->place.column);
    case VAULT_OP_KEY_LOAD:
        return vault_policy_allows_key(role, request->key.purpose);
    case VAULT_OP_INDEX:
    case VAULT_OP_MAKE_KEYS:
    case VAULT_OP_FACTS:
        return vault_policy_allows_op(role, request->op);
    }
    return false;
}

static enum err
request_run(struct vault_core *core, enum vault_role role, struct buf *work)
{
    if (!is_allowed(&core->request, role))
        return ERR_VAULT_FORBIDDEN;
    switch (core->request.op) {
    case VAULT_OP_SEAL:
        return op_seal(core, role, work);
    case VAULT_OP_OPEN:
        return op_open(core, work);
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_SIGN_ED25519:
        return op_use_credential(core);
    case VAULT_OP_MAKE_ED25519:
        return op_make_ed25519(core, work);
    case VAULT_OP_KEY_LOAD:
        return op_key_load(core);
    case VAULT_OP_INDEX:
        return op_index(core);
    case VAULT_OP_MAKE_KEYS:
        return op_make_keys(core);
    case VAULT_OP_FACTS:
        return op_facts(core);
    }
    return ERR_VAULT_FORBIDDEN;
}

enum err
vault_core_handle(struct vault_core *core, enum vault_role role, struct slice request, struct buf *answer,
                  struct vault_outcome *outcome_out)
{
    struct buf work;

    if (core->kek_count == 0)
        bug("a request before the boot");
    buf_clear(answer);
    if (vault_request_decode(request, &core->request) != ERR_OK)
        return ERR_FRAME;
    core->answer = (struct vault_answer){ .op = core->request.op, .id = core->request.id };
    buf_init(&work, VAULT_FRAME_BYTES_MAX);
    core->answer.result = vault_result_of(request_run(core, role, &work));
    if (core->answer.result == VAULT_RESULT_FORBIDDEN)
        metric_add(METRIC_VAULT_REFUSED, 1);
    vault_answer_encode(answer, &core->answer);
    if (buf_done(answer) != ERR_OK) {
        core->answer.result = vault_result_of(buf_done(answer));
        buf_clear(answer);
        vault_answer_encode(answer, &core->answer);
    }
    *outcome_out = (struct vault_outcome){ core->answer.op, core->answer.result };
    buf_release_wiped(&work);
    /* Both point into memory that is gone or somebody else's, and the answer may hold a signature. */
    secret_wipe(&core->answer, sizeof(core->answer));
    secret_wipe(&core->request, sizeof(core->request));
    return buf_done(answer);
}
