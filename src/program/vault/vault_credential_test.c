/* Credentials are used in the vault and do not leave it. */
#include "core/secret.h"
#include "crypto/mac.h"
#include "crypto/sign.h"
#include "crypto/totp.h"
#include "program/vault/vault_core_testing.h"
#include <stdio.h>
#include <stdlib.h>

/* The signature of a provider's webhook: checked in here, and never given out. */
static void
a_mac_is_verified_without_giving_the_secret_out(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "whatsapp_channel", "app_secret");
    unsigned char mac[MAC_BYTES];
    struct core_kept kept;

    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("app secret"));
    core_keep(&kept);
    assert_ok(mac_sha256(SLICE("app secret"), SLICE("{\"entry\":[]}"), mac));
    assert_int_equal(core_use(core, VAULT_ROLE_GATEWAY, VAULT_OP_VERIFY_MAC, place, &kept.sealed,
                              SLICE("{\"entry\":[]}"), mac),
                     VAULT_RESULT_OK);
    assert_int_equal(core_answer_bytes.len, 7);
    assert_int_equal(core_use(core, VAULT_ROLE_GATEWAY, VAULT_OP_VERIFY_MAC, place, &kept.sealed,
                              SLICE("{\"entry\":[ ]}"), mac),
                     VAULT_RESULT_MISMATCH);
    for (size_t bit = 0; bit < sizeof(mac) * 8; bit++) {
        mac[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(core_use(core, VAULT_ROLE_GATEWAY, VAULT_OP_VERIFY_MAC, place, &kept.sealed,
                                  SLICE("{\"entry\":[]}"), mac),
                         VAULT_RESULT_MISMATCH);
        assert_int_equal(core_answer_bytes.len, 7); /* not the right one either */
        mac[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    vault_core_free(core);
}

static void
a_candidate_matches_only_the_whole_value(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "whatsapp_channel", "verify_token");
    const struct {
        struct slice candidate;
        enum vault_result result;
    } cases[] = {
        { SLICE("verify me"), VAULT_RESULT_OK },        { SLICE("verify m"), VAULT_RESULT_MISMATCH },
        { SLICE("verify me!"), VAULT_RESULT_MISMATCH }, { SLICE("Verify me"), VAULT_RESULT_MISMATCH },
        { SLICE("verify mE"), VAULT_RESULT_MISMATCH },  { SLICE(""), VAULT_RESULT_MISMATCH },
        { SLICE("verify me\0"), VAULT_RESULT_MISMATCH }
    };
    struct core_kept kept;

    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("verify me"));
    core_keep(&kept);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(core_use(core, VAULT_ROLE_GATEWAY, VAULT_OP_MATCHES, place, &kept.sealed,
                                  cases[i].candidate, NULL),
                         cases[i].result);
    vault_core_free(core);
}

static void
a_webhook_is_signed_in_here(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "webhook_endpoint", "secret");
    unsigned char expected[MAC_BYTES];
    struct core_kept kept;

    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("endpoint secret"));
    core_keep(&kept);
    assert_int_equal(core_use(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed,
                              SLICE("msg_1.1700000000.{}"), NULL),
                     VAULT_RESULT_OK);
    assert_ok(mac_sha256(SLICE("endpoint secret"), SLICE("msg_1.1700000000.{}"), expected));
    assert_memory_equal(core_answer.mac, expected, sizeof(expected));
    kept.cipher[0] ^= 1;
    assert_int_equal(core_use(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed,
                              SLICE("msg_1.1700000000.{}"), NULL),
                     VAULT_RESULT_CORRUPT);
    vault_core_free(core);
}

/* The private key is only ever seen sealed: its public half is what proves that it signs. */
static void
a_signing_key_is_made_and_stays_in_here(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "webhook_endpoint", "private_key");
    unsigned char first[VAULT_PUBLIC_KEY_BYTES];
    uint64_t sealed = (uint64_t)metric_read(core_page, METRIC_VAULT_SEALS);
    struct core_kept kept, other;

    assert_int_equal(core_make_ed25519(core, VAULT_ROLE_GATEWAY, place), VAULT_RESULT_OK);
    core_keep(&kept);
    memcpy(first, core_answer.public_key, sizeof(first));
    assert_int_equal(metric_read(core_page, METRIC_VAULT_SEALS), sealed + 1);
    assert_int_equal(core_use(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_ED25519, place, &kept.sealed,
                              SLICE("msg_1.1700000000.{}"), NULL),
                     VAULT_RESULT_OK);
    assert_ok(sign_ed25519_verify(first, SLICE("msg_1.1700000000.{}"), core_answer.signature));
    assert_int_equal(core_make_ed25519(core, VAULT_ROLE_GATEWAY, place), VAULT_RESULT_OK);
    core_keep(&other);
    assert_memory_not_equal(core_answer.public_key, first, sizeof(first)); /* each is drawn anew */
    place.generation++;
    assert_int_equal(
        core_use(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_ED25519, place, &other.sealed, SLICE("x"), NULL),
        VAULT_RESULT_CORRUPT);
    place.tenant.bytes[5] = 1;
    assert_int_equal(core_make_ed25519(core, VAULT_ROLE_GATEWAY, place), VAULT_RESULT_KEY_MISSING);
    vault_core_free(core);
}

/* The secret is seen once, when it is made; from then on a code is a question. */
static void
a_code_is_checked_without_giving_the_secret_out(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "totp", "secret");
    uint64_t sealed = (uint64_t)metric_read(core_page, METRIC_VAULT_SEALS);
    unsigned char secret[VAULT_TOTP_SECRET_BYTES];
    char code[TOTP_DIGITS];
    struct core_kept kept;

    assert_int_equal(core_make_totp(core, VAULT_ROLE_GATEWAY, place), VAULT_RESULT_OK);
    core_keep(&kept);
    assert_int_equal(core_answer.plain.len, sizeof(secret));
    memcpy(secret, core_answer.plain.ptr, sizeof(secret));
    assert_int_equal(metric_read(core_page, METRIC_VAULT_SEALS), sealed + 1);
    assert_ok(totp_code(slice_of(secret, sizeof(secret)), 1000, code));
    assert_int_equal(core_check_totp(core, place, &kept.sealed, slice_of(code, sizeof(code)), 1001, 999),
                     VAULT_RESULT_OK);
    assert_int_equal(core_answer.totp_step, 1000);
    assert_int_equal(core_check_totp(core, place, &kept.sealed, slice_of(code, sizeof(code)), 1001, 1000),
                     VAULT_RESULT_MISMATCH);
    assert_int_equal(core_answer_bytes.len, 7);
    assert_int_equal(core_check_totp(core, place, &kept.sealed, slice_of(code, sizeof(code)), 1002, 0),
                     VAULT_RESULT_MISMATCH);
    assert_int_equal(core_check_totp(core, place, &kept.sealed, SLICE_EMPTY, 1000, 0), VAULT_RESULT_MISMATCH);
    assert_int_equal(core_make_totp(core, VAULT_ROLE_GATEWAY, place), VAULT_RESULT_OK);
    assert_memory_not_equal(core_answer.plain.ptr, secret, sizeof(secret)); /* each is drawn anew */
    for (int role = 1; role <= (int)VAULT_ROLE_LAST; role++)
        assert_int_equal(core_open(core, (enum vault_role)role, VAULT_CREDENTIAL, place, &kept.sealed),
                         VAULT_RESULT_FORBIDDEN);
    assert_int_equal(core_make_totp(core, VAULT_ROLE_DISPATCHER, place), VAULT_RESULT_FORBIDDEN);
    place.generation++;
    assert_int_equal(core_check_totp(core, place, &kept.sealed, slice_of(code, sizeof(code)), 1001, 999),
                     VAULT_RESULT_CORRUPT);
    vault_core_free(core);
}

/* Comparing secrets must take the same time wherever they differ: only secret_eq does. */
static void
the_vault_compares_only_in_constant_time(void **state UNUSED)
{
    const char *root = getenv("HARKARA_SOURCE");
    const char *const files[] = { "vault_associated.c", "vault_core.c",       "vault_core_kek.c",
                                  "vault_core_key.c",   "vault_core_value.c", "vault_keyring.c",
                                  "vault_selftest.c" };

    if (root == NULL)
        skip();
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        static char text[65536];
        char path[1024];
        snprintf(path, sizeof(path), "%s/src/program/vault/%s", root, files[i]);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t len = fread(text, 1, sizeof(text), file);
        fclose(file);
        assert_true(len > 0 && len < sizeof(text));
        struct slice source = slice_of(text, len);
        if (slice_contains(source, SLICE("memcmp(")) || slice_contains(source, SLICE("slice_eq(")) ||
            slice_contains(source, SLICE("slice_compare(")) || slice_contains(source, SLICE("strcmp(")))
            fail_msg("%s compares in time that tells", files[i]);
    }
}

CORE_MAIN(cmocka_unit_test(a_mac_is_verified_without_giving_the_secret_out),
          cmocka_unit_test(a_candidate_matches_only_the_whole_value),
          cmocka_unit_test(a_webhook_is_signed_in_here),
          cmocka_unit_test(a_signing_key_is_made_and_stays_in_here),
          cmocka_unit_test(a_code_is_checked_without_giving_the_secret_out),
          cmocka_unit_test(the_vault_compares_only_in_constant_time))
