/* With SoftHSM2 and a token of its own, which the test fills through the same library. */
#include "core/unit.h"
#include "program/hsm/hsm_token.h"
#include <dlfcn.h>
#include <ftw.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define LABEL  "harkara unit"
#define SECOND "harkara next"

static char folder[] = "/tmp/harkara-hsm-XXXXXX";
static CK_FUNCTION_LIST *module;
static unsigned char pin[] = "1234", second_pin[] = "56789", so_pin[] = "12345678";

static void
file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A key as an operator might have made it. */
static void
key_add(CK_SESSION_HANDLE session, const char *label, CK_ULONG bytes, CK_BBOOL is_extractable,
        CK_BBOOL is_sensitive)
{
    CK_MECHANISM mechanism = { .mechanism = CKM_AES_KEY_GEN };
    CK_BBOOL yes = CK_TRUE;
    char text[32];

    snprintf(text, sizeof(text), "%s", label);
    CK_ATTRIBUTE wanted[] = { { CKA_VALUE_LEN, &bytes, sizeof(bytes) },
                              { CKA_LABEL, text, strlen(text) },
                              { CKA_TOKEN, &yes, sizeof(yes) },
                              { CKA_PRIVATE, &yes, sizeof(yes) },
                              { CKA_SENSITIVE, &is_sensitive, sizeof(is_sensitive) },
                              { CKA_EXTRACTABLE, &is_extractable, sizeof(is_extractable) },
                              { CKA_ENCRYPT, &yes, sizeof(yes) },
                              { CKA_DECRYPT, &yes, sizeof(yes) } };
    CK_OBJECT_HANDLE key;

    assert_int_equal(module->C_GenerateKey(session, &mechanism, wanted, COUNT_OF(wanted), &key), CKR_OK);
}

/* A token in the slot that has none yet, opened as its user. */
static CK_SESSION_HANDLE
token_make(const char *name, unsigned char *user_pin)
{
    unsigned char label[32];
    CK_SLOT_ID slots[8];
    CK_ULONG count = COUNT_OF(slots), at = 0;
    CK_SESSION_HANDLE session;
    CK_TOKEN_INFO info;

    assert_int_equal(module->C_Initialize(NULL), CKR_OK);
    assert_int_equal(module->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    for (; at < count; at++) {
        assert_int_equal(module->C_GetTokenInfo(slots[at], &info), CKR_OK);
        if ((info.flags & CKF_TOKEN_INITIALIZED) == 0)
            break;
    }
    assert_true(at < count);
    memset(label, ' ', sizeof(label));
    memcpy(label, name, strlen(name));
    assert_int_equal(module->C_InitToken(slots[at], so_pin, strlen((char *)so_pin), label), CKR_OK);
    assert_int_equal(
        module->C_OpenSession(slots[at], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    assert_int_equal(module->C_Login(session, CKU_SO, so_pin, strlen((char *)so_pin)), CKR_OK);
    assert_int_equal(module->C_InitPIN(session, user_pin, strlen((char *)user_pin)), CKR_OK);
    assert_int_equal(module->C_Logout(session), CKR_OK);
    assert_int_equal(module->C_Login(session, CKU_USER, user_pin, strlen((char *)user_pin)), CKR_OK);
    return session;
}

static int
setup(void **state UNUSED)
{
    CK_RV (*list)(CK_FUNCTION_LIST **) = NULL;
    char path[64], text[200];
    CK_SESSION_HANDLE session;

    assert_int_equal(secret_pool_open_unlocked(65536), ERR_OK);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/tokens", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(text, sizeof(text), "directories.tokendir = %s/tokens\nobjectstore.backend = file\n", folder);
    snprintf(path, sizeof(path), "%s/conf", folder);
    file_write(path, text);
    assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
    void *library = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    void *symbol = dlsym(library, "C_GetFunctionList");
    memcpy(&list, &symbol, sizeof(list));
    assert_int_equal(list(&module), CKR_OK);
    session = token_make(LABEL, pin);
    key_add(session, "extractable", 32, CK_TRUE, CK_TRUE);
    key_add(session, "plain", 32, CK_FALSE, CK_FALSE);
    key_add(session, "short", 16, CK_FALSE, CK_TRUE);
    key_add(session, "twice", 32, CK_FALSE, CK_TRUE);
    key_add(session, "twice", 32, CK_FALSE, CK_TRUE);
    key_add(session, "other", 32, CK_FALSE, CK_TRUE);
    assert_int_equal(module->C_Finalize(NULL), CKR_OK);
    token_make(SECOND, second_pin);
    assert_int_equal(module->C_Finalize(NULL), CKR_OK);
    return 0;
}

static int
entry_remove(const char *path, const struct stat *st UNUSED, int kind UNUSED, struct FTW *at UNUSED)
{
    return remove(path);
}

static int
teardown(void **state UNUSED)
{
    (void)module->C_Finalize(NULL); /* ended already, unless a test failed */
    return nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Keys of the first token. */
static struct hsm_key
key_of(const char *label)
{
    return (struct hsm_key){ 0, slice_text(label) };
}

static enum hsm_trouble
opened(const char *label, const char *key, const char *with_pin, struct hsm_token **out)
{
    const struct hsm_open with = { .tokens = { { slice_text(label), slice_text(with_pin) } },
                                   .token_count = 1,
                                   .keys = { key_of(key) },
                                   .key_count = key[0] == '\0' ? 0 : 1 };

    assert_int_equal(hsm_token_load(MODULE, out), HSM_TROUBLE_NONE);
    return hsm_token_open(*out, &with);
}

static void
a_key_that_can_leave_the_token_is_not_taken(void **state UNUSED)
{
    static const struct {
        const char *label, *key, *pin;
        enum hsm_trouble trouble;
    } rows[] = {
        { LABEL, "extractable", "1234", HSM_TROUBLE_KEY_UNFIT },
        { LABEL, "plain", "1234", HSM_TROUBLE_KEY_UNFIT },
        { LABEL, "short", "1234", HSM_TROUBLE_KEY_UNFIT },
        { LABEL, "twice", "1234", HSM_TROUBLE_KEY_MISSING },
        { LABEL, "none", "1234", HSM_TROUBLE_KEY_MISSING },
        { LABEL, "other", "4321", HSM_TROUBLE_PIN },
        { "harkara", "other", "1234", HSM_TROUBLE_TOKEN },
        { LABEL "s", "other", "1234", HSM_TROUBLE_TOKEN },
        { LABEL, "other", "1234", HSM_TROUBLE_NONE },
    };
    struct hsm_token *token;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(opened(rows[i].label, rows[i].key, rows[i].pin, &token), rows[i].trouble);
        hsm_token_close(token);
    }
    assert_int_equal(hsm_token_load("/usr/lib/none.so", &token), HSM_TROUBLE_MODULE);
    assert_null(token);
}

static void
what_was_wrapped_opens_whole_and_unchanged_only(void **state UNUSED)
{
    struct secret *secret = secret_new(VAULT_KEY_BYTES), *back = secret_new(VAULT_KEY_BYTES);
    const struct hsm_key made = key_of("made"), other = key_of("other");
    struct hsm_wrapped wrapped = { .version = 1 }, changed;
    struct hsm_token *token;

    memset(secret_bytes(secret), 0x5a, VAULT_KEY_BYTES);
    assert_int_equal(opened(LABEL, "", "1234", &token), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_wrap(token, &made, secret, &wrapped), HSM_TROUBLE_KEY_MISSING);
    assert_int_equal(hsm_token_key_make(token, &made), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_wrap(token, &made, secret, &wrapped), HSM_TROUBLE_NONE);
    assert_memory_not_equal(wrapped.cipher, secret_bytes(secret), VAULT_KEY_BYTES);
    changed = wrapped; /* each wrap draws an IV of its own: NIST SP 800-38D, 8.2.2 */
    assert_int_equal(hsm_token_wrap(token, &made, secret, &changed), HSM_TROUBLE_NONE);
    assert_memory_not_equal(wrapped.iv, changed.iv, sizeof(wrapped.iv));
    assert_memory_not_equal(wrapped.cipher, changed.cipher, sizeof(wrapped.cipher));
    assert_int_equal(hsm_token_key_make(token, &made), HSM_TROUBLE_NONE); /* found, not made again */
    hsm_token_close(token);
    assert_int_equal(opened(LABEL, "made", "1234", &token), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_unwrap(token, &made, &wrapped, back), HSM_TROUBLE_NONE);
    assert_true(secret_eq(secret_slice(secret), secret_slice(back)));
    for (size_t i = 0; i < sizeof(wrapped.cipher) + sizeof(wrapped.iv) + sizeof(wrapped.tag) + 1; i++) {
        changed = wrapped;
        if (i == 0)
            changed.version++;
        else if (i <= sizeof(wrapped.cipher))
            changed.cipher[i - 1] ^= 1;
        else if (i <= sizeof(wrapped.cipher) + sizeof(wrapped.iv))
            changed.iv[i - 1 - sizeof(wrapped.cipher)] ^= 1;
        else
            changed.tag[i - 1 - sizeof(wrapped.cipher) - sizeof(wrapped.iv)] ^= 1;
        memset(secret_bytes(back), 0, VAULT_KEY_BYTES);
        assert_int_equal(hsm_token_unwrap(token, &made, &changed, back), HSM_TROUBLE_REFUSED);
        assert_int_equal(secret_bytes(back)[0], 0);
    }
    assert_int_equal(hsm_token_unwrap(token, &other, &wrapped, back), HSM_TROUBLE_REFUSED);
    hsm_token_close(token);
    secret_free(secret);
    secret_free(back);
}

/* The installation moves from one token to the other while both are open. */
static void
two_tokens_are_open_side_by_side_and_each_has_its_own_keys(void **state UNUSED)
{
    const struct hsm_open with = { .tokens = { { SLICE(LABEL), SLICE("1234") },
                                               { SLICE(SECOND), SLICE("56789") } },
                                   .token_count = 2,
                                   .keys = { { 0, SLICE("other") } },
                                   .key_count = 1 },
                          wrong = { .tokens = { { SLICE(LABEL), SLICE("1234") },
                                                { SLICE(SECOND), SLICE("1234") } },
                                    .token_count = 2 };
    const struct hsm_key here = { 0, SLICE("both") }, there = { 1, SLICE("both") };
    struct secret *secret = secret_new(VAULT_KEY_BYTES), *back = secret_new(VAULT_KEY_BYTES);
    struct hsm_wrapped wrapped = { .version = 2 };
    struct hsm_token *token;

    memset(secret_bytes(secret), 0xa5, VAULT_KEY_BYTES);
    assert_int_equal(hsm_token_load(MODULE, &token), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_open(token, &wrong), HSM_TROUBLE_PIN);
    hsm_token_close(token);
    assert_int_equal(hsm_token_open(token, &with), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_key_make(token, &there), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_wrap(token, &there, secret, &wrapped), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_unwrap(token, &there, &wrapped, back), HSM_TROUBLE_NONE);
    assert_true(secret_eq(secret_slice(secret), secret_slice(back)));
    assert_int_equal(hsm_token_unwrap(token, &here, &wrapped, back), HSM_TROUBLE_KEY_MISSING);
    assert_int_equal(hsm_token_key_make(token, &here), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_unwrap(token, &here, &wrapped, back), HSM_TROUBLE_REFUSED);
    hsm_token_close(token);
    assert_int_equal(opened(LABEL, "other", "1234", &token), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_unwrap(token, &there, &wrapped, back), HSM_TROUBLE_TOKEN); /* not opened */
    hsm_token_close(token);
    secret_free(secret);
    secret_free(back);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_can_leave_the_token_is_not_taken),
        cmocka_unit_test(what_was_wrapped_opens_whole_and_unchanged_only),
        cmocka_unit_test(two_tokens_are_open_side_by_side_and_each_has_its_own_keys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
