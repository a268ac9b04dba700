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

static char folder[] = "/tmp/harkara-hsm-XXXXXX";
static CK_FUNCTION_LIST *module;
static unsigned char pin[] = "1234", so_pin[] = "12345678";

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

static int
setup(void **state UNUSED)
{
    CK_RV (*list)(CK_FUNCTION_LIST **) = NULL;
    char path[64], text[200];
    unsigned char label[32];
    CK_SLOT_ID slots[4];
    CK_ULONG count = COUNT_OF(slots);
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
    assert_int_equal(module->C_Initialize(NULL), CKR_OK);
    assert_int_equal(module->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    memset(label, ' ', sizeof(label));
    memcpy(label, LABEL, strlen(LABEL));
    assert_int_equal(module->C_InitToken(slots[0], so_pin, strlen((char *)so_pin), label), CKR_OK);
    assert_int_equal(
        module->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    assert_int_equal(module->C_Login(session, CKU_SO, so_pin, strlen((char *)so_pin)), CKR_OK);
    assert_int_equal(module->C_InitPIN(session, pin, strlen((char *)pin)), CKR_OK);
    assert_int_equal(module->C_Logout(session), CKR_OK);
    assert_int_equal(module->C_Login(session, CKU_USER, pin, strlen((char *)pin)), CKR_OK);
    key_add(session, "extractable", 32, CK_TRUE, CK_TRUE);
    key_add(session, "plain", 32, CK_FALSE, CK_FALSE);
    key_add(session, "short", 16, CK_FALSE, CK_TRUE);
    key_add(session, "twice", 32, CK_FALSE, CK_TRUE);
    key_add(session, "twice", 32, CK_FALSE, CK_TRUE);
    key_add(session, "other", 32, CK_FALSE, CK_TRUE);
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

static enum hsm_trouble
opened(const char *label, const char *key, const char *with_pin, bool may_make, struct hsm_token **out)
{
    assert_int_equal(hsm_token_load(MODULE, out), HSM_TROUBLE_NONE);
    return hsm_token_open(*out, label, key, slice_text(with_pin), may_make);
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
        assert_int_equal(opened(rows[i].label, rows[i].key, rows[i].pin, false, &token), rows[i].trouble);
        hsm_token_close(token);
    }
    assert_int_equal(hsm_token_load("/usr/lib/none.so", &token), HSM_TROUBLE_MODULE);
    assert_null(token);
}

static void
what_was_wrapped_opens_whole_and_unchanged_only(void **state UNUSED)
{
    struct secret *secret = secret_new(VAULT_KEY_BYTES), *back = secret_new(VAULT_KEY_BYTES);
    struct hsm_wrapped wrapped = { .version = 1 }, changed;
    struct hsm_token *token;

    memset(secret_bytes(secret), 0x5a, VAULT_KEY_BYTES);
    assert_int_equal(opened(LABEL, "made", "1234", true, &token), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_wrap(token, secret, &wrapped), HSM_TROUBLE_NONE);
    assert_memory_not_equal(wrapped.cipher, secret_bytes(secret), VAULT_KEY_BYTES);
    hsm_token_close(token);
    assert_int_equal(opened(LABEL, "made", "1234", true, &token),
                     HSM_TROUBLE_NONE); /* found, not made again */
    hsm_token_close(token);
    assert_int_equal(opened(LABEL, "made", "1234", false, &token), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_unwrap(token, &wrapped, back), HSM_TROUBLE_NONE);
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
        assert_int_equal(hsm_token_unwrap(token, &changed, back), HSM_TROUBLE_REFUSED);
        assert_int_equal(secret_bytes(back)[0], 0);
    }
    hsm_token_close(token);
    assert_int_equal(opened(LABEL, "other", "1234", false, &token), HSM_TROUBLE_NONE);
    assert_int_equal(hsm_token_unwrap(token, &wrapped, back), HSM_TROUBLE_REFUSED);
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
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
