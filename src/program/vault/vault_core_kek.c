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

static void
kek_drop_last(struct vault_core *core)
{
    secret_free(core->keks[--core->kek_count].key);
}

/* ERR_VAULT_KEK_WRONG: this master key did not make it; then it is not held. */
static enum err
kek_try(struct vault_core *core, struct slice master_key, const struct vault_kek *kek)
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
    if (err != ERR_OK)
        kek_drop_last(core);
    return err == ERR_SEAL_CORRUPT ? ERR_VAULT_KEK_WRONG : err;
}

/* While a master key is being replaced, either may have made it. */
static enum err
kek_take(struct vault_core *core, const struct vault_boot *with, const struct vault_kek *kek)
{
    enum err err = ERR_LIMIT;

    for (size_t i = 0; i < with->master_count; i++) {
        err = kek_try(core, with->masters[i], kek);
        if (err != ERR_VAULT_KEK_WRONG)
            return err;
    }
    return err;
}

static enum err
kek_make(struct vault_core *core, struct slice master_key, uint32_t version, uint32_t n,
         struct vault_kek *out)
{
    struct vault_associated associated;
    struct secret *key;

    *out =
        (struct vault_kek){ .version = version, .scrypt = { .n = n, .r = KDF_SCRYPT_R, .p = KDF_SCRYPT_P } };
    enum err err = random_fill(out->scrypt.salt, sizeof(out->scrypt.salt));
    if (err == ERR_OK)
        err = kek_derive(core, master_key, version, &out->scrypt, &key);
    if (err != ERR_OK)
        return err;
    vault_associated_of_kek(out, &associated);
    return aead_seal(secret_slice(key), vault_associated_slice(&associated),
                     slice_of(check_text, VAULT_KEY_BYTES), out->check_cipher, out->check_iv, out->check_tag);
}

/* On an error nothing of it stays: the vault answers nothing with half of its keys. */
static enum err
keks_add(struct vault_core *core, const struct vault_boot *with, struct vault_booted *booted_out)
{
    size_t before = core->kek_count;
    uint32_t version = before == 0 ? 0 : vault_core_kek_in_force(core)->version;
    enum err err = ERR_OK;

    *booted_out = (struct vault_booted){ .memory = secret_pool_memory() };
    for (size_t i = 0; i < with->kek_count && err == ERR_OK; i++) {
        err = with->keks[i].version > version && core->kek_count < VAULT_KEKS_MAX
                  ? kek_take(core, with, &with->keks[i])
                  : ERR_LIMIT;
        version = with->keks[i].version;
    }
    if (err == ERR_OK && with->make_version != 0) {
        err = ERR_LIMIT;
        if (with->make_version > version && with->make_of < with->master_count &&
            core->kek_count < COUNT_OF(core->keks)) {
            version = with->make_version;
            err = kek_make(core, with->masters[with->make_of], version,
                           with->make_n == 0 ? core->options.scrypt_n : with->make_n, &booted_out->made);
            booted_out->has_made = err == ERR_OK;
        }
    }
    booted_out->kek_version = version;
    booted_out->result = vault_result_of(err);
    while (err != ERR_OK && core->kek_count > before)
        kek_drop_last(core);
    return err;
}

enum err
vault_core_boot(struct vault_core *core, const struct vault_boot *boot, struct vault_booted *booted_out)
{
    if (core->kek_count != 0)
        bug("a vault booted twice");
    enum err err = keks_add(core, boot, booted_out);
    if (err == ERR_OK && core->kek_count == 0) {
        booted_out->result = VAULT_RESULT_LIMIT;
        err = ERR_LIMIT;
    }
    return err;
}

enum err
vault_core_kek_add(struct vault_core *core, const struct vault_boot *with, struct vault_booted *booted_out)
{
    if (core->kek_count == 0)
        bug("a key-encryption key beside none");
    if (with->kek_count == 0 && with->make_version == 0)
        core->is_kek_pending = false;
    else if (core->is_kek_pending) {
        *booted_out = (struct vault_booted){ .memory = secret_pool_memory(), .result = VAULT_RESULT_LIMIT };
        return ERR_LIMIT;
    }
    enum err err = keks_add(core, with, booted_out);
    core->is_kek_pending = err == ERR_OK && booted_out->has_made;
    return err;
}

/* Neither the one in force nor one above it: the database says that nothing is wrapped by the others. */
enum err
vault_core_kek_forget(struct vault_core *core)
{
    if (core->request.version >= vault_core_kek_in_force(core)->version)
        return ERR_LIMIT;
    for (size_t i = 0; i < core->kek_count; i++) {
        if (core->keks[i].version != core->request.version)
            continue;
        secret_free(core->keks[i].key);
        core->kek_count--;
        memmove(&core->keks[i], &core->keks[i + 1], (core->kek_count - i) * sizeof(core->keks[0]));
    }
    return ERR_OK;
}

const struct kek *
vault_core_kek_in_force(const struct vault_core *core)
{
    return &core->keks[core->kek_count - (core->is_kek_pending ? 2 : 1)];
}
