#include "program/hsm/hsm_token.h"
#include "core/log.h"
#include "crypto/random.h"
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#define SLOTS_MAX  256u
#define KEY_BYTES  32u
#define SEAL_BYTES (VAULT_KEY_BYTES + VAULT_TAG_BYTES)

struct hsm_token {
    CK_FUNCTION_LIST *module;
    struct {
        CK_SLOT_ID slot;
        CK_SESSION_HANDLE session; /* that reads */
    } tokens[HSM_TOKENS_MAX];
    size_t token_count; /* that are logged in to */
    bool is_initialized;
};
static struct hsm_token the_token;

/* What the module said; its numbers are in the standard, and none of them holds a secret. */
static enum hsm_trouble
trouble_of(const char *call, CK_RV rv, enum hsm_trouble otherwise)
{
    log_event(LOG_ERROR, "hsm.call_failed", LOG_WORD("call", call), LOG_NUM("rv", rv));
    switch (rv) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_USER_PIN_NOT_INITIALIZED:
        return HSM_TROUBLE_PIN;
    case CKR_PIN_LOCKED:
        return HSM_TROUBLE_PIN_LOCKED;
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_DEVICE_REMOVED:
    case CKR_DEVICE_ERROR:
    case CKR_SLOT_ID_INVALID:
        return HSM_TROUBLE_TOKEN;
    default:
        return otherwise;
    }
}

enum hsm_trouble
hsm_token_load(const char *module, struct hsm_token **out)
{
    CK_RV (*list)(CK_FUNCTION_LIST **) = NULL;
    void *library = dlopen(module, RTLD_NOW | RTLD_LOCAL), *symbol;

    *out = NULL;
    if (library == NULL || (symbol = dlsym(library, "C_GetFunctionList")) == NULL)
        return HSM_TROUBLE_MODULE;
    memcpy(&list, &symbol, sizeof(list)); /* ISO C has no cast from an object to a function */
    if (list(&the_token.module) != CKR_OK || the_token.module == NULL)
        return HSM_TROUBLE_MODULE;
    *out = &the_token;
    return HSM_TROUBLE_NONE;
}

/* Labels of tokens are padded with spaces to their 32 octets. */
static bool
is_label(const unsigned char padded[HSM_LABEL_BYTES_MAX], struct slice label)
{
    if (label.len > HSM_LABEL_BYTES_MAX || memcmp(padded, label.ptr, label.len) != 0)
        return false;
    for (size_t i = label.len; i < HSM_LABEL_BYTES_MAX; i++)
        if (padded[i] != ' ')
            return false;
    return true;
}

static enum hsm_trouble
slot_find(const struct hsm_token *token, struct slice label, CK_SLOT_ID *out)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    CK_TOKEN_INFO info;
    size_t found = 0;

    CK_RV rv = token->module->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK)
        return trouble_of("C_GetSlotList", rv, HSM_TROUBLE_TOKEN);
    for (CK_ULONG i = 0; i < count; i++) {
        if (token->module->C_GetTokenInfo(slots[i], &info) != CKR_OK || !is_label(info.label, label))
            continue;
        *out = slots[i];
        found++;
    }
    return found == 1 ? HSM_TROUBLE_NONE : HSM_TROUBLE_TOKEN;
}

/* How many keys of the token have the label; more than one is as bad as none. */
static enum hsm_trouble
key_find(const struct hsm_token *token, const struct hsm_key *key, CK_OBJECT_HANDLE *out, CK_ULONG *count_out)
{
    CK_SESSION_HANDLE session = token->tokens[key->token].session;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_BBOOL yes = CK_TRUE;
    char text[HSM_LABEL_BYTES_MAX];
    CK_OBJECT_HANDLE keys[2] = { 0 };

    memcpy(text, key->label.ptr, key->label.len);
    CK_ATTRIBUTE wanted[] = { { CKA_CLASS, &class, sizeof(class) },
                              { CKA_TOKEN, &yes, sizeof(yes) },
                              { CKA_LABEL, text, key->label.len } };
    *count_out = 0;
    CK_RV rv = token->module->C_FindObjectsInit(session, wanted, COUNT_OF(wanted));
    if (rv == CKR_OK) {
        rv = token->module->C_FindObjects(session, keys, COUNT_OF(keys), count_out);
        CK_RV ended = token->module->C_FindObjectsFinal(session);
        rv = rv == CKR_OK ? ended : rv;
    }
    if (rv != CKR_OK)
        return trouble_of("C_FindObjects", rv, HSM_TROUBLE_FAILED);
    *out = keys[0];
    return HSM_TROUBLE_NONE;
}

static CK_RV
key_generate(const struct hsm_token *token, CK_SESSION_HANDLE session, struct slice label)
{
    CK_MECHANISM mechanism = { .mechanism = CKM_AES_KEY_GEN };
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG bytes = KEY_BYTES;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    char text[HSM_LABEL_BYTES_MAX];
    CK_OBJECT_HANDLE key;

    memcpy(text, label.ptr, label.len);
    CK_ATTRIBUTE wanted[] = {
        { CKA_CLASS, &class, sizeof(class) },
        { CKA_KEY_TYPE, &type, sizeof(type) },
        { CKA_VALUE_LEN, &bytes, sizeof(bytes) },
        { CKA_LABEL, text, label.len },
        { CKA_TOKEN, &yes, sizeof(yes) },
        { CKA_PRIVATE, &yes, sizeof(yes) },
        { CKA_SENSITIVE, &yes, sizeof(yes) },
        { CKA_EXTRACTABLE, &no, sizeof(no) },
        { CKA_ENCRYPT, &yes, sizeof(yes) },
        { CKA_DECRYPT, &yes, sizeof(yes) },
        { CKA_WRAP, &no, sizeof(no) },
        { CKA_UNWRAP, &no, sizeof(no) },
    };
    return token->module->C_GenerateKey(session, &mechanism, wanted, COUNT_OF(wanted), &key);
}

/* The token is asked, whatever made the key. */
static enum hsm_trouble
key_check(const struct hsm_token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_KEY_TYPE type = 0;
    CK_ULONG bytes = 0;
    CK_BBOOL sensitive = CK_FALSE, extractable = CK_TRUE;
    CK_ATTRIBUTE asked[] = { { CKA_KEY_TYPE, &type, sizeof(type) },
                             { CKA_VALUE_LEN, &bytes, sizeof(bytes) },
                             { CKA_SENSITIVE, &sensitive, sizeof(sensitive) },
                             { CKA_EXTRACTABLE, &extractable, sizeof(extractable) } };

    CK_RV rv = token->module->C_GetAttributeValue(session, key, asked, COUNT_OF(asked));
    if (rv != CKR_OK)
        return trouble_of("C_GetAttributeValue", rv, HSM_TROUBLE_KEY_UNFIT);
    return type == CKK_AES && bytes == KEY_BYTES && sensitive == CK_TRUE && extractable == CK_FALSE
               ? HSM_TROUBLE_NONE
               : HSM_TROUBLE_KEY_UNFIT;
}

/* Found anew each time: a token may lose a key, or be given another one, at any moment. */
static enum hsm_trouble
key_take(const struct hsm_token *token, const struct hsm_key *key, CK_OBJECT_HANDLE *out)
{
    CK_ULONG count = 0;

    *out = CK_INVALID_HANDLE;
    if (key->token >= token->token_count)
        return HSM_TROUBLE_TOKEN;
    enum hsm_trouble trouble = key_find(token, key, out, &count);
    if (trouble == HSM_TROUBLE_NONE && count != 1)
        trouble = HSM_TROUBLE_KEY_MISSING;
    return trouble == HSM_TROUBLE_NONE ? key_check(token, token->tokens[key->token].session, *out) : trouble;
}

/* A session that may write lives for this alone; the login holds for all sessions with the token. */
enum hsm_trouble
hsm_token_key_make(struct hsm_token *token, const struct hsm_key *key)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE handle;
    CK_ULONG count = 0;

    if (key->token >= token->token_count)
        return HSM_TROUBLE_TOKEN;
    enum hsm_trouble trouble = key_find(token, key, &handle, &count);
    if (trouble != HSM_TROUBLE_NONE || count != 0)
        return trouble == HSM_TROUBLE_NONE ? key_take(token, key, &handle) : trouble;
    CK_RV rv = token->module->C_OpenSession(token->tokens[key->token].slot,
                                            CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
    if (rv != CKR_OK)
        return trouble_of("C_OpenSession", rv, HSM_TROUBLE_TOKEN);
    rv = key_generate(token, session, key->label);
    CK_RV closed = token->module->C_CloseSession(session);
    if (rv != CKR_OK || closed != CKR_OK)
        return trouble_of("C_GenerateKey", rv != CKR_OK ? rv : closed, HSM_TROUBLE_FAILED);
    log_event(LOG_INFO, "hsm.key_made");
    return key_take(token, key, &handle);
}

static enum hsm_trouble
log_in(struct hsm_token *token, struct slice label, struct slice pin)
{
    unsigned char copy[HSM_PIN_BYTES_MAX];
    size_t at = token->token_count;

    enum hsm_trouble trouble = slot_find(token, label, &token->tokens[at].slot);
    if (trouble != HSM_TROUBLE_NONE)
        return trouble;
    CK_RV rv = token->module->C_OpenSession(token->tokens[at].slot, CKF_SERIAL_SESSION, NULL, NULL,
                                            &token->tokens[at].session);
    if (rv != CKR_OK)
        return trouble_of("C_OpenSession", rv, HSM_TROUBLE_TOKEN);
    memcpy(copy, pin.ptr, pin.len);
    rv = token->module->C_Login(token->tokens[at].session, CKU_USER, copy, pin.len);
    secret_wipe(copy, sizeof(copy));
    if (rv != CKR_OK)
        return trouble_of("C_Login", rv, HSM_TROUBLE_FAILED);
    token->token_count++;
    return HSM_TROUBLE_NONE;
}

enum hsm_trouble
hsm_token_open(struct hsm_token *token, const struct hsm_open *open)
{
    enum hsm_trouble trouble = HSM_TROUBLE_NONE;
    CK_OBJECT_HANDLE key;

    CK_RV rv = token->module->C_Initialize(NULL);
    if (rv != CKR_OK)
        return trouble_of("C_Initialize", rv, HSM_TROUBLE_TOKEN); /* SoftHSM2 whose folder is away */
    token->is_initialized = true;
    for (size_t i = 0; trouble == HSM_TROUBLE_NONE && i < open->token_count; i++)
        trouble = log_in(token, open->tokens[i].label, open->tokens[i].pin);
    for (size_t i = 0; trouble == HSM_TROUBLE_NONE && i < open->key_count; i++)
        trouble = key_take(token, &open->keys[i], &key);
    return trouble;
}

struct gcm {
    unsigned char iv[VAULT_IV_BYTES], associated[HSM_ASSOCIATED_BYTES];
    CK_GCM_PARAMS params;
    CK_MECHANISM mechanism;
};

/* ulIvBits is said too: SoftHSM2 wants it, and so does the standard from 2.40 errata 1 on. */
static void
gcm_init(struct gcm *gcm, const struct hsm_wrapped *wrapped)
{
    memcpy(gcm->iv, wrapped->iv, sizeof(gcm->iv));
    hsm_wrapped_associated(wrapped->version, gcm->associated);
    gcm->params = (CK_GCM_PARAMS){ .iv_ptr = gcm->iv,
                                   .iv_len = sizeof(gcm->iv),
                                   .iv_bits = sizeof(gcm->iv) * 8,
                                   .aad_ptr = gcm->associated,
                                   .aad_len = sizeof(gcm->associated),
                                   .tag_bits = VAULT_TAG_BYTES * 8 };
    gcm->mechanism = (CK_MECHANISM){ CKM_AES_GCM, &gcm->params, sizeof(gcm->params) };
}

enum hsm_trouble
hsm_token_wrap(struct hsm_token *token, const struct hsm_key *key, const struct secret *secret,
               struct hsm_wrapped *out)
{
    unsigned char plain[VAULT_KEY_BYTES], sealed[SEAL_BYTES];
    CK_ULONG len = sizeof(sealed);
    CK_OBJECT_HANDLE handle;
    struct gcm gcm;

    enum hsm_trouble trouble = key_take(token, key, &handle);
    if (trouble != HSM_TROUBLE_NONE)
        return trouble;
    CK_SESSION_HANDLE session = token->tokens[key->token].session;
    if (random_fill(out->iv, sizeof(out->iv)) != ERR_OK)
        return HSM_TROUBLE_FAILED;
    gcm_init(&gcm, out);
    memcpy(plain, secret_slice(secret).ptr, sizeof(plain));
    CK_RV rv = token->module->C_EncryptInit(session, &gcm.mechanism, handle);
    if (rv == CKR_OK)
        rv = token->module->C_Encrypt(session, plain, sizeof(plain), sealed, &len);
    secret_wipe(plain, sizeof(plain));
    if (rv != CKR_OK || len != sizeof(sealed))
        return trouble_of("C_Encrypt", rv, HSM_TROUBLE_FAILED);
    memcpy(out->cipher, sealed, sizeof(out->cipher));
    memcpy(out->tag, sealed + sizeof(out->cipher), sizeof(out->tag));
    return HSM_TROUBLE_NONE;
}

enum hsm_trouble
hsm_token_unwrap(struct hsm_token *token, const struct hsm_key *key, const struct hsm_wrapped *wrapped,
                 struct secret *out)
{
    unsigned char sealed[SEAL_BYTES], plain[SEAL_BYTES];
    CK_ULONG len = sizeof(plain);
    CK_OBJECT_HANDLE handle;
    struct gcm gcm;

    enum hsm_trouble trouble = key_take(token, key, &handle);
    if (trouble != HSM_TROUBLE_NONE)
        return trouble;
    CK_SESSION_HANDLE session = token->tokens[key->token].session;
    memcpy(sealed, wrapped->cipher, sizeof(wrapped->cipher));
    memcpy(sealed + sizeof(wrapped->cipher), wrapped->tag, sizeof(wrapped->tag));
    gcm_init(&gcm, wrapped);
    CK_RV rv = token->module->C_DecryptInit(session, &gcm.mechanism, handle);
    if (rv != CKR_OK)
        return trouble_of("C_DecryptInit", rv, HSM_TROUBLE_TOKEN);
    rv = token->module->C_Decrypt(session, sealed, sizeof(sealed), plain, &len);
    if (rv == CKR_OK && len == VAULT_KEY_BYTES)
        memcpy(secret_bytes(out), plain, VAULT_KEY_BYTES);
    secret_wipe(plain, sizeof(plain));
    if (rv == CKR_GENERAL_ERROR || rv == CKR_ENCRYPTED_DATA_INVALID) /* the former: a wrong tag in SoftHSM2 */
        return trouble_of("C_Decrypt", rv, HSM_TROUBLE_REFUSED);
    if (rv != CKR_OK || len != VAULT_KEY_BYTES)
        return trouble_of("C_Decrypt", rv, HSM_TROUBLE_FAILED);
    return HSM_TROUBLE_NONE;
}

void
hsm_token_close(struct hsm_token *token)
{
    if (token == NULL || !token->is_initialized)
        return;
    CK_RV rv = token->module->C_Finalize(NULL); /* ends the sessions, and with them the logins */
    if (rv != CKR_OK)
        log_event(LOG_WARN, "hsm.call_failed", LOG_WORD("call", "C_Finalize"), LOG_NUM("rv", rv));
    token->is_initialized = false;
    token->token_count = 0;
}
