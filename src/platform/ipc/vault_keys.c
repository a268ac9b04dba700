/* What is asked of the vault about the keys themselves, and about the vault. */
#include "platform/ipc/vault_client_internal.h"
#include <string.h>

static enum err
keys_use(void *ctx, const struct vault_answer *answer)
{
    memcpy(ctx, answer->keys, sizeof(answer->keys));
    return ERR_OK;
}

enum err
vault_make_keys(const struct vault *vault, struct id tenant, struct vault_wrapped_key out[3])
{
    struct vault_request request = { .op = VAULT_OP_MAKE_KEYS, .tenant = tenant };

    return vault_call(vault, &request, keys_use, out);
}

static enum err
facts_use(void *ctx, const struct vault_answer *answer)
{
    struct vault_facts *facts = ctx;

    *facts = (struct vault_facts){ .memory = answer->memory,
                                   .kek_version = answer->kek_version,
                                   .keys_held = answer->keys_held,
                                   .uses_uncounted = answer->uses_uncounted,
                                   .instance = answer->instance,
                                   .kek_count = answer->kek_count };
    memcpy(facts->keks, answer->keks, sizeof(facts->keks));
    return ERR_OK;
}

enum err
vault_facts(const struct vault *vault, struct vault_facts *out)
{
    struct vault_request request = { .op = VAULT_OP_FACTS };

    return vault_call(vault, &request, facts_use, out);
}

static enum err
key_use(void *ctx, const struct vault_answer *answer)
{
    *(struct vault_wrapped_key *)ctx = answer->keys[0];
    return ERR_OK;
}

enum err
vault_rewrap(const struct vault *vault, const struct vault_wrapped_key *key, struct vault_wrapped_key *out)
{
    struct vault_request request = { .op = VAULT_OP_REWRAP, .key = *key };

    return vault_call(vault, &request, key_use, out);
}

enum err
vault_make_key(const struct vault *vault, struct id tenant, enum vault_purpose purpose, uint32_t version,
               struct vault_wrapped_key *out)
{
    struct vault_request request = {
        .op = VAULT_OP_MAKE_KEY, .tenant = tenant, .purpose = purpose, .version = version
    };

    return vault_call(vault, &request, key_use, out);
}

enum err
vault_key_load(const struct vault *vault, const struct vault_wrapped_key *key, bool is_newest)
{
    struct vault_request request = { .op = VAULT_OP_KEY_LOAD, .key = *key, .is_newest = is_newest };

    return vault_call(vault, &request, NULL, NULL);
}

enum err
vault_forget_key(const struct vault *vault, struct id tenant, enum vault_purpose purpose, uint32_t version)
{
    struct vault_request request = {
        .op = VAULT_OP_FORGET, .tenant = tenant, .purpose = purpose, .version = version
    };

    return vault_call(vault, &request, NULL, NULL);
}

enum err
vault_forget_tenant(const struct vault *vault, struct id tenant)
{
    struct vault_request request = { .op = VAULT_OP_FORGET, .tenant = tenant, .is_whole_tenant = true };

    return vault_call(vault, &request, NULL, NULL);
}

enum err
vault_forget_kek(const struct vault *vault, uint32_t version)
{
    struct vault_request request = { .op = VAULT_OP_KEK_FORGET, .version = version };

    return vault_call(vault, &request, NULL, NULL);
}

static enum err
uses_use(void *ctx, const struct vault_answer *answer)
{
    struct vault_uses *uses = ctx;

    *uses = (struct vault_uses){ .instance = answer->instance,
                                 .batch = answer->batch,
                                 .count = answer->use_count };
    memcpy(uses->uses, answer->uses, answer->use_count * sizeof(answer->uses[0]));
    return ERR_OK;
}

enum err
vault_usage_take(const struct vault *vault, uint32_t taken, struct vault_uses *out)
{
    struct vault_request request = { .op = VAULT_OP_USAGE, .taken = taken };

    return vault_call(vault, &request, uses_use, out);
}
