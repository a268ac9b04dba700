#include "core/metric.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "program/vault/vault_core_internal.h"

/* Unwraps a key that a peer found in the database: it is one of ours, for this tenant, purpose and version,
 * or none. */
enum err
vault_core_key_load(struct vault_core *core)
{
    const struct vault_wrapped_key *wrapped = &core->request.key;
    const struct kek *kek = NULL;
    struct vault_associated associated;

    for (size_t i = 0; i < core->kek_count; i++)
        if (core->keks[i].version == wrapped->kek_version)
            kek = &core->keks[i];
    enum err err = ERR_SEAL_CORRUPT;
    if (kek != NULL) {
        vault_associated_of_key(wrapped, &associated);
        err = aead_open(secret_slice(kek->key), vault_associated_slice(&associated),
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
enum err
vault_core_make_keys(struct vault_core *core)
{
    const struct kek *kek = vault_core_kek_in_force(core);
    enum err err = ERR_OK;

    for (size_t i = 0; i < VAULT_PURPOSE_COUNT && err == ERR_OK; i++) {
        struct vault_wrapped_key *wrapped = &core->answer.keys[i];
        struct vault_associated associated;
        *wrapped = (struct vault_wrapped_key){ .tenant = core->request.tenant,
                                               .purpose = (enum vault_purpose)(VAULT_CONTENT + i),
                                               .version = 1,
                                               .kek_version = kek->version };
        vault_associated_of_key(wrapped, &associated);
        err = random_fill(secret_bytes(core->work), secret_len(core->work));
        if (err == ERR_OK)
            err = aead_seal(secret_slice(kek->key), vault_associated_slice(&associated),
                            secret_slice(core->work), wrapped->cipher, wrapped->iv, wrapped->tag);
    }
    secret_wipe(secret_bytes(core->work), secret_len(core->work));
    return err;
}

enum err
vault_core_facts(struct vault_core *core)
{
    core->answer.memory = secret_pool_memory();
    core->answer.kek_version = vault_core_kek_in_force(core)->version;
    core->answer.keys_held = vault_keyring_count(core->ring);
    return ERR_OK;
}
