#include "core/metric.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "program/vault/vault_core_internal.h"

/* Into core->work. ERR_SEAL_CORRUPT: not one of ours, or not for this tenant, purpose and version. */
static enum err
key_unwrap(struct vault_core *core, const struct vault_wrapped_key *wrapped)
{
    const struct kek *kek = NULL;
    struct vault_associated associated;

    for (size_t i = 0; i < core->kek_count; i++)
        if (core->keks[i].version == wrapped->kek_version)
            kek = &core->keks[i];
    if (kek == NULL)
        return ERR_SEAL_CORRUPT;
    vault_associated_of_key(wrapped, &associated);
    return aead_open(secret_slice(kek->key), vault_associated_slice(&associated),
                     slice_of(wrapped->cipher, sizeof(wrapped->cipher)), wrapped->iv, wrapped->tag,
                     secret_bytes(core->work));
}

/* What stands in core->work, under the key-encryption key in force. */
static enum err
key_wrap(struct vault_core *core, struct id tenant, enum vault_purpose purpose, uint32_t version,
         struct vault_wrapped_key *out)
{
    const struct kek *kek = vault_core_kek_in_force(core);
    struct vault_associated associated;

    *out = (struct vault_wrapped_key){
        .tenant = tenant, .purpose = purpose, .version = version, .kek_version = kek->version
    };
    vault_associated_of_key(out, &associated);
    return aead_seal(secret_slice(kek->key), vault_associated_slice(&associated), secret_slice(core->work),
                     out->cipher, out->iv, out->tag);
}

static void
work_wipe(struct vault_core *core)
{
    secret_wipe(secret_bytes(core->work), secret_len(core->work));
}

static bool
is_shredded(const struct vault_core *core, struct id tenant)
{
    for (size_t i = 0; i < core->shredded_count && i < SHREDDED_MAX; i++)
        if (id_eq(core->shredded[i], tenant))
            return true;
    return false;
}

/* A key that a peer found in the database. Of a tenant that was shredded, a peer may have read it just
 * before. */
enum err
vault_core_key_load(struct vault_core *core)
{
    const struct vault_wrapped_key *wrapped = &core->request.key;

    if (is_shredded(core, wrapped->tenant))
        return ERR_SEAL_CORRUPT;
    enum err err = key_unwrap(core, wrapped);
    if (err == ERR_OK)
        err = vault_keyring_put(core->ring, wrapped->tenant, wrapped->purpose, wrapped->version,
                                core->request.is_newest, secret_slice(core->work), wrapped->seals, core->now);
    work_wipe(core);
    if (err == ERR_SEAL_CORRUPT)
        metric_add(METRIC_VAULT_FAILED, 1);
    return err;
}

/* A new key is not held: whoever stored it loads it when it is needed. */
static enum err
key_make(struct vault_core *core, enum vault_purpose purpose, uint32_t version, struct vault_wrapped_key *out)
{
    enum err err = random_fill(secret_bytes(core->work), secret_len(core->work));
    if (err == ERR_OK)
        err = key_wrap(core, core->request.tenant, purpose, version, out);
    work_wipe(core);
    return err;
}

/* The first keys of a tenant. */
enum err
vault_core_make_keys(struct vault_core *core)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < VAULT_PURPOSE_COUNT && err == ERR_OK; i++)
        err = key_make(core, (enum vault_purpose)(VAULT_CONTENT + i), 1, &core->answer.keys[i]);
    return err;
}

enum err
vault_core_make_key(struct vault_core *core)
{
    return key_make(core, core->request.purpose, core->request.version, &core->answer.keys[0]);
}

enum err
vault_core_rewrap(struct vault_core *core)
{
    const struct vault_wrapped_key *wrapped = &core->request.key;

    enum err err = key_unwrap(core, wrapped);
    if (err == ERR_OK)
        err = key_wrap(core, wrapped->tenant, wrapped->purpose, wrapped->version, &core->answer.keys[0]);
    work_wipe(core);
    if (err == ERR_SEAL_CORRUPT)
        metric_add(METRIC_VAULT_FAILED, 1);
    return err;
}

enum err
vault_core_forget(struct vault_core *core)
{
    struct id tenant = core->request.tenant;

    if (core->request.is_whole_tenant) {
        vault_keyring_forget_tenant(core->ring, tenant);
        if (!is_shredded(core, tenant))
            core->shredded[core->shredded_count++ % SHREDDED_MAX] = tenant;
    } else {
        vault_keyring_forget(core->ring, tenant, core->request.purpose, core->request.version);
    }
    return ERR_OK;
}

enum err
vault_core_facts(struct vault_core *core)
{
    struct vault_answer *answer = &core->answer;

    answer->memory = secret_pool_memory();
    answer->kek_version = vault_core_kek_in_force(core)->version;
    answer->keys_held = vault_keyring_count(core->ring);
    answer->uses_uncounted = vault_usage_uncounted(core->usage);
    answer->instance = core->instance;
    for (size_t i = 0; i < core->kek_count; i++)
        answer->keks[answer->kek_count++] = core->keks[i].version;
    return ERR_OK;
}

enum err
vault_core_usage(struct vault_core *core)
{
    struct vault_answer *answer = &core->answer;

    answer->instance = core->instance;
    vault_usage_batch(core->usage, core->request.taken, &answer->batch, answer->uses, &answer->use_count);
    return ERR_OK;
}
