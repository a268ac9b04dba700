#include "core/metric.h"
#include "crypto/aead.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "crypto/sign.h"
#include "crypto/totp.h"
#include "program/vault/vault_core_internal.h"
#include "program/vault/vault_policy.h"

static const char value_key_label[] = "harkara value key"; /* with its NUL, before the place */

/* The key of this place, in core->work. */
static enum err
value_key(struct vault_core *core, const struct vault_held_key *key,
          const struct vault_associated *associated)
{
    const struct slice pieces[] = { slice_of(value_key_label, sizeof(value_key_label)),
                                    vault_associated_slice(associated) };
    return mac_sha256_pieces(key->bytes, pieces, COUNT_OF(pieces), secret_bytes(core->work));
}

/* Notes in the answer which key the peer has to load. */
enum err
vault_core_key_find(struct vault_core *core, struct id tenant, enum vault_purpose purpose, uint32_t version,
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
    struct vault_associated associated;
    struct vault_held_key key;

    enum err err = vault_core_key_find(core, place->tenant, purpose, sealed->key_version, &key);
    if (err != ERR_OK)
        return err;
    vault_associated_of_value(purpose, sealed->key_version, place, &associated);
    err = value_key(core, &key, &associated);
    if (err == ERR_OK)
        err = aead_open(secret_slice(core->work), vault_associated_slice(&associated), sealed->cipher,
                        sealed->iv, sealed->tag, plain_out);
    secret_wipe(secret_bytes(core->work), secret_len(core->work));
    if (err == ERR_SEAL_CORRUPT)
        metric_add(METRIC_VAULT_FAILED, 1);
    else if (err == ERR_OK)
        vault_usage_add(core->usage, place->tenant, purpose, sealed->key_version, 0, 1);
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

    enum err err = vault_core_key_find(core, tenant, VAULT_INDEX, 0, &key);
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
    struct vault_associated associated;
    struct vault_held_key key;

    enum err err = vault_core_key_find(core, place->tenant, purpose, 0, &key);
    if (err != ERR_OK)
        return err;
    if (*key.seals >= core->options.seals_max)
        return ERR_LIMIT;
    sealed->key_version = key.version;
    vault_associated_of_value(purpose, key.version, place, &associated);
    err = value_key(core, &key, &associated);
    if (err == ERR_OK)
        err = aead_seal(secret_slice(core->work), vault_associated_slice(&associated), plain,
                        (unsigned char *)cipher, sealed->iv, sealed->tag);
    secret_wipe(secret_bytes(core->work), secret_len(core->work));
    if (err != ERR_OK)
        return err;
    ++*key.seals;
    vault_usage_add(core->usage, place->tenant, purpose, key.version, 1, 0);
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
enum err
vault_core_seal(struct vault_core *core, enum vault_role role, struct buf *work)
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
        enum err err = vault_core_key_find(core, tenant, request->purpose, 0, &key);
        if (err == ERR_OK && request->items[i].index_label.len > 0)
            err = vault_core_key_find(core, tenant, VAULT_INDEX, 0, &key);
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

/* Opened and sealed again in one place, at the same place of the database, under the newest key. */
static enum err
reseal_item(struct vault_core *core, size_t i, struct buf *work)
{
    const struct vault_sealed *from = &core->request.items[i].sealed;
    const struct vault_frame_place *place = &core->request.items[i].place;
    char *bytes = buf_reserve(work, from->cipher.len); /* the caller made room for all: it does not move */

    if (bytes == NULL)
        return buf_done(work);
    enum err err = value_open(core, core->request.purpose, place, from, (unsigned char *)bytes);
    if (err == ERR_OK) /* GCM works in place */
        err = value_seal(core, core->request.purpose, place, slice_of(bytes, from->cipher.len), bytes,
                         &core->answer.sealed[i]);
    if (err != ERR_OK) {
        secret_wipe(bytes, from->cipher.len);
        return err;
    }
    work->len += from->cipher.len;
    return ERR_OK;
}

/* All or nothing, as SEAL. Nothing of it is ever seen in the open. */
enum err
vault_core_reseal(struct vault_core *core, struct buf *work)
{
    const struct vault_request *request = &core->request;
    struct vault_held_key key;
    size_t bytes = 0;

    for (size_t i = 0; i < request->item_count; i++) {
        const struct vault_sealed *from = &request->items[i].sealed;
        if (!plain_fits(request->purpose, from->cipher.len))
            return ERR_SEAL_CORRUPT;
        bytes += from->cipher.len; /* within the frame's length */
        struct id tenant = request->items[i].place.tenant;
        enum err err = vault_core_key_find(core, tenant, request->purpose, 0, &key);
        if (err == ERR_OK)
            err = vault_core_key_find(core, tenant, request->purpose, from->key_version, &key);
        if (err != ERR_OK)
            return err;
    }
    if (buf_reserve(work, bytes) == NULL)
        return buf_done(work);
    for (size_t i = 0; i < request->item_count; i++) {
        enum err err = reseal_item(core, i, work);
        if (err != ERR_OK)
            return err;
    }
    core->answer.sealed_count = request->item_count;
    metric_add(METRIC_VAULT_RESEALS, request->item_count);
    return ERR_OK;
}

enum err
vault_core_open(struct vault_core *core, struct buf *work)
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
enum err
vault_core_make_ed25519(struct vault_core *core, struct buf *work)
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

/* A secret for one-time codes leaves twice: sealed, to be kept, and once in the open, to be shown to who
 * enrols it. */
enum err
vault_core_make_totp(struct vault_core *core, struct buf *work)
{
    struct vault_answer *answer = &core->answer;
    struct secret *secret = secret_new(TOTP_SECRET_BYTES);
    char *bytes = buf_reserve(work, 2 * TOTP_SECRET_BYTES); /* ciphertext, plain text */
    enum err err = secret == NULL || bytes == NULL ? ERR_NO_MEMORY
                                                   : random_fill(secret_bytes(secret), TOTP_SECRET_BYTES);

    if (err == ERR_OK)
        err = value_seal(core, VAULT_CREDENTIAL, &core->request.place, secret_slice(secret), bytes,
                         &answer->sealed[0]);
    if (err == ERR_OK) {
        memcpy(bytes + TOTP_SECRET_BYTES, secret_bytes(secret), TOTP_SECRET_BYTES);
        work->len = 2 * TOTP_SECRET_BYTES; /* wiped as far as this */
        answer->plain = slice_of(bytes + TOTP_SECRET_BYTES, TOTP_SECRET_BYTES);
        answer->sealed_count = 1;
        metric_add(METRIC_VAULT_SEALS, 1);
    }
    secret_free(secret);
    return err;
}

enum err
vault_core_check_totp(struct vault_core *core)
{
    const struct vault_request *request = &core->request;
    struct secret *secret;

    enum err err = credential_open(core, &secret);
    if (err != ERR_OK)
        return err;
    err = totp_check(secret_slice(secret), request->data, request->totp_step, request->totp_last,
                     &core->answer.totp_step);
    secret_free(secret);
    return err;
}

/* VERIFY_MAC, MATCHES, SIGN_MAC and SIGN_ED25519: with a credential that stays here. */
enum err
vault_core_use_credential(struct vault_core *core)
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

enum err
vault_core_index(struct vault_core *core)
{
    return index_make(core, core->request.tenant, core->request.label, core->request.data, core->answer.mac);
}
