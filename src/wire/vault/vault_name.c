#include "wire/vault/vault_frame.h"

/* Enums from numbers and to names: one row per case. */

static const char *const role_names[] = {
    [VAULT_ROLE_ADMIN] = "admin",           [VAULT_ROLE_GATEWAY] = "gateway",
    [VAULT_ROLE_DISPATCHER] = "dispatcher", [VAULT_ROLE_WEBHOOKS] = "webhooks",
    [VAULT_ROLE_SCHEDULER] = "scheduler",   [VAULT_ROLE_SMSC] = "smsc",
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
    [VAULT_OP_RESEAL] = "reseal",
    [VAULT_OP_REWRAP] = "rewrap",
    [VAULT_OP_MAKE_KEY] = "make_key",
    [VAULT_OP_FORGET] = "forget",
    [VAULT_OP_KEK_FORGET] = "kek_forget",
    [VAULT_OP_USAGE] = "usage",
    [VAULT_OP_MAKE_TOTP] = "make_totp",
    [VAULT_OP_CHECK_TOTP] = "check_totp",
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
