/* From the master key to the first request: which master key is the right one, and what was stored long ago.
 */
#include "core/secret.h"
#include "crypto/encode.h"
#include "crypto/sign.h"
#include "program/vault/vault_core_testing.h"
#include "program/vault/vault_selftest.h"

static void
hex_read(const char *text, unsigned char *out, size_t len)
{
    assert_ok(decode_hex(slice_text(text), out, len));
}

static void
the_known_answers_come_out(void **state UNUSED)
{
    assert_ok(vault_selftest());
}

/*
 * A database of the first release, made by a second implementation from the description in docs/vault.md.
 * When this fails, sealed data in the world no longer opens.
 */
static void
what_the_first_release_stored_still_opens(void **state UNUSED)
{
    static const char *const wrapped[3][2] = {
        { "732e469cec42c71334ff130ab7c9b49aa1386f3544aeca91ceeb01a74d966d62",
          "ad162936b05e5a059a7ca94a1c621be3" },
        { "20fd7cce0e4a308f0825e735064cfb557b0f72879d69f88214375bcf6fd4628b",
          "4d85aabbf79831d035ad493daa98fffc" },
        { "2160192a9f40a3c61c186f68f486e925d6bc673030029844dfe18d1660097253",
          "d11e3bdb97955712a6fa4f8b7ce0b557" },
    };
    struct vault_kek kek = { .version = 1, .scrypt = { .n = 16384, .r = 8, .p = 1 } };
    struct vault_wrapped_key keys[3];
    struct vault_sealed sealed = { .key_version = 1 };
    unsigned char cipher[28], index[VAULT_INDEX_BYTES], expected[VAULT_INDEX_BYTES];
    struct vault_booted booted;
    struct vault_core *core = NULL;

    for (size_t i = 0; i < KDF_SALT_BYTES; i++)
        kek.scrypt.salt[i] = (unsigned char)i;
    memset(kek.check_iv, 0x21, sizeof(kek.check_iv));
    hex_read("7fe0449c3860f94598d2a1ee496b9061acba1ddd48b2e2684be8b78dc1e166fe", kek.check_cipher,
             sizeof(kek.check_cipher));
    hex_read("fc49428eeb5b861a82966ea0a3707d3d", kek.check_tag, sizeof(kek.check_tag));
    assert_ok(core_boot_with(core_master_key, &kek, 1, 0, &booted, &core));
    for (size_t i = 0; i < 3; i++) {
        keys[i] = (struct vault_wrapped_key){
            .tenant = core_tenant_a, .purpose = (enum vault_purpose)(i + 1), .version = 1, .kek_version = 1
        };
        memset(keys[i].iv, 0x31 + (int)i, sizeof(keys[i].iv));
        hex_read(wrapped[i][0], keys[i].cipher, sizeof(keys[i].cipher));
        hex_read(wrapped[i][1], keys[i].tag, sizeof(keys[i].tag));
    }
    core_load_all(core, keys);
    memset(sealed.iv, 0x44, sizeof(sealed.iv));
    hex_read("f463872f411d7eb7b45c6cc35a2002482e5df96f4e5c0694a5816601", cipher, sizeof(cipher));
    hex_read("e0f2003a42b2c6af8a43620b2dfcfbca", sealed.tag, sizeof(sealed.tag));
    sealed.cipher = slice_of(cipher, sizeof(cipher));
    assert_int_equal(core_open(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT,
                               core_place(core_tenant_a, "message", "content"), &sealed),
                     VAULT_RESULT_OK);
    assert_true(slice_eq(core_answer.plain, SLICE("hello from the first release")));
    hex_read("f05b555ef8124ccf4ed2f4b9fc2ebb2e4728db84c065238894080bc1c76aaa0e", expected, sizeof(expected));
    assert_int_equal(core_index(core, core_tenant_a, SLICE("peer"), SLICE("+14155550123"), index),
                     VAULT_RESULT_OK);
    assert_memory_equal(index, expected, sizeof(expected));
    vault_core_free(core);
}

static void
a_wrong_master_key_is_told_apart(void **state UNUSED)
{
    struct vault_booted booted;
    struct vault_kek kek, bad;
    size_t used = secret_pool_used();

    vault_core_free(core_booted(&core_options, &kek));
    assert_ok(core_boot_with(core_master_key, &kek, 1, 0, &booted, NULL));
    assert_false(booted.has_made);
    assert_int_equal(core_boot_with(core_other_master_key, &kek, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    assert_int_equal(booted.kek_version, 1);
    bad = kek;
    bad.scrypt.salt[31] ^= 1;
    assert_int_equal(core_boot_with(core_master_key, &bad, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    bad = kek;
    bad.scrypt.p = 2;
    assert_int_equal(core_boot_with(core_master_key, &bad, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    bad = kek;
    bad.version = 2;
    assert_int_equal(core_boot_with(core_master_key, &bad, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    bad = kek;
    bad.check_tag[0] ^= 1;
    assert_int_equal(core_boot_with(core_master_key, &bad, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    assert_int_equal(secret_pool_used(), used);
}

static void
parameters_out_of_bounds_do_not_boot(void **state UNUSED)
{
    struct vault_booted booted;
    struct vault_kek kek, keks[2];

    vault_core_free(core_booted(&core_options, &kek));
    kek.scrypt.n = KDF_SCRYPT_N_MIN / 2; /* weaker than we ever made one */
    assert_int_equal(core_boot_with(core_master_key, &kek, 1, 0, &booted, NULL), ERR_LIMIT);
    kek.scrypt.n = KDF_SCRYPT_N_MAX * 2;
    assert_int_equal(core_boot_with(core_master_key, &kek, 1, 0, &booted, NULL), ERR_LIMIT);
    assert_int_equal(core_boot_with(core_master_key, NULL, 0, 0, &booted, NULL), ERR_LIMIT);
    vault_core_free(core_booted(&core_options, &kek));
    keks[0] = keks[1] = kek;
    assert_int_equal(core_boot_with(core_master_key, keks, 2, 0, &booted, NULL), ERR_LIMIT);
    assert_int_equal(core_boot_with(core_master_key, &kek, 1, 1, &booted, NULL), ERR_LIMIT);
}

/* Rotation begins like this: a second KEK, under which new keys are wrapped, while the old ones still load.
 */
static void
a_new_kek_stands_beside_the_old_one(void **state UNUSED)
{
    struct vault_core *core;
    struct vault_booted booted;
    struct vault_wrapped_key old[3], new[3];
    struct vault_kek keks[2];

    core = core_booted(&core_options, &keks[0]);
    assert_int_equal(core_make_keys(core, core_tenant_a, old), VAULT_RESULT_OK);
    vault_core_free(core);
    assert_ok(core_boot_with(core_master_key, keks, 1, 2, &booted, &core));
    assert_true(booted.has_made && booted.kek_version == 2);
    assert_memory_not_equal(booted.made.scrypt.salt, keks[0].scrypt.salt, KDF_SALT_BYTES);
    keks[1] = booted.made;
    core_load_all(core, old);
    assert_int_equal(core_make_keys(core, core_tenant_b, new), VAULT_RESULT_OK);
    assert_int_equal(new[0].kek_version, 2);
    vault_core_free(core);
    assert_ok(core_boot_with(core_master_key, keks, 2, 0, &booted, &core));
    core_load_all(core, old);
    core_load_all(core, new);
    vault_core_free(core);
}

/* Everything that was ever in the pool is gone when the vault is: the free part of a pool is zero. */
static void
nothing_stays_in_the_secret_memory(void **state UNUSED)
{
    size_t used = secret_pool_used();
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "webhook_endpoint", "secret");
    struct core_kept kept;

    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("endpoint secret"));
    core_keep(&kept);
    size_t booted = secret_pool_used();
    assert_true(booted > used);
    core_use(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed, SLICE("x"), NULL);
    kept.cipher[0] ^= 1;
    core_use(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed, SLICE("x"), NULL);
    assert_int_equal(secret_pool_used(), booted); /* a request leaves nothing, whether it succeeds or not */
    vault_core_free(core);
    assert_int_equal(secret_pool_used(), used);
    struct secret *rest = secret_new(CORE_POOL_BYTES - 4096 - used);
    assert_non_null(rest);
    for (size_t i = 0; i < secret_len(rest); i++)
        if (secret_bytes(rest)[i] != 0)
            fail_msg("octet %zu of the pool was not wiped", i);
    secret_free(rest);
}

static void
a_full_pool_is_an_answer_and_not_an_end(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants(), *second;
    struct vault_frame_place place = core_place(core_tenant_a, "webhook_endpoint", "secret");
    struct secret *fill[64];
    size_t filled = 0;
    struct core_kept kept;

    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("endpoint secret"));
    core_keep(&kept);
    for (size_t bytes = CORE_POOL_BYTES; bytes > 0; bytes /= 2)
        while (filled < COUNT_OF(fill) && (fill[filled] = secret_new(bytes)) != NULL)
            filled++;
    assert_int_equal(
        core_use(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed, SLICE("x"), NULL),
        VAULT_RESULT_NO_MEMORY);
    assert_int_equal(vault_core_new(&core_options, &second), ERR_NO_MEMORY);
    while (filled > 0)
        secret_free(fill[--filled]);
    assert_int_equal(
        core_use(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed, SLICE("x"), NULL),
        VAULT_RESULT_OK);
    vault_core_free(core);
}

CORE_MAIN(cmocka_unit_test(the_known_answers_come_out),
          cmocka_unit_test(what_the_first_release_stored_still_opens),
          cmocka_unit_test(a_wrong_master_key_is_told_apart),
          cmocka_unit_test(parameters_out_of_bounds_do_not_boot),
          cmocka_unit_test(a_new_kek_stands_beside_the_old_one),
          cmocka_unit_test(nothing_stays_in_the_secret_memory),
          cmocka_unit_test(a_full_pool_is_an_answer_and_not_an_end))
