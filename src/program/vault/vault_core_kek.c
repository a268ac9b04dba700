#include "crypto/aead.h"
#include "crypto/random.h"
#include "program/vault/vault_core_internal.h"

static const char check_text[VAULT_KEY_BYTES + 1] = "harkara: this master key is it..";

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
    struct vault_associated associated;
    struct secret *key;

    enum err err = kek_derive(core, master_key, kek->version, &kek->scrypt, &key);
    if (err != ERR_OK)
        return err;
    vault_associated_of_kek(kek, &associated);
    err = aead_open(secret_slice(key), vault_associated_slice(&associated),
                    slice_of(kek->check_cipher, sizeof(kek->check_cipher)), kek->check_iv, kek->check_tag,
                    secret_bytes(core->work));
    if (err == ERR_OK && !secret_eq(secret_slice(core->work), slice_of(check_text, VAULT_KEY_BYTES)))
        err = ERR_SEAL_CORRUPT;
    return err == ERR_SEAL_CORRUPT ? ERR_VAULT_KEK_WRONG : err;
}

static enum err
kek_make(struct vault_core *core, struct slice master_key, uint32_t version, struct vault_kek *out)
{
    struct vault_associated associated;
    struct secret *key;

    *out =
        (struct vault_kek){ .version = version,
                            .scrypt = { .n = core->options.scrypt_n, .r = KDF_SCRYPT_R, .p = KDF_SCRYPT_P } };
    enum err err = random_fill(out->scrypt.salt, sizeof(out->scrypt.salt));
    if (err == ERR_OK)
        err = kek_derive(core, master_key, version, &out->scrypt, &key);
    if (err != ERR_OK)
        return err;
    vault_associated_of_kek(out, &associated);
    return aead_seal(secret_slice(key), vault_associated_slice(&associated),
                     slice_of(check_text, VAULT_KEY_BYTES), out->check_cipher, out->check_iv, out->check_tag);
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

const struct kek *
vault_core_kek_in_force(const struct vault_core *core)
{
    return &core->keks[core->kek_count - 1];
}
