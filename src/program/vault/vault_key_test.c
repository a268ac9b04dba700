/* Data keys: for whom they are good, how many values they seal, how many are held. */
#include "core/num.h"
#include "program/vault/vault_core_testing.h"

static void
a_missing_key_is_named(void **state UNUSED)
{
    struct vault_core *core = core_booted(&core_options, NULL);
    struct vault_sealed sealed = { .cipher = SLICE("cipher"), .key_version = 9 };

    assert_int_equal(core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL,
                               core_place(core_tenant_b, "webhook_endpoint", "secret"), SLICE("x")),
                     VAULT_RESULT_KEY_MISSING);
    assert_true(id_eq(core_answer.missing.tenant, core_tenant_b));
    assert_int_equal(core_answer.missing.purpose, VAULT_CREDENTIAL);
    assert_int_equal(core_answer.missing.version, 0);
    assert_int_equal(core_open(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT,
                               core_place(core_tenant_a, "message", "peer"), &sealed),
                     VAULT_RESULT_KEY_MISSING);
    assert_true(id_eq(core_answer.missing.tenant, core_tenant_a));
    assert_int_equal(core_answer.missing.version, 9);
    vault_core_free(core);
}

/* Whoever can write tenant_key cannot give one tenant another's key, nor one key the work of another. */
static void
a_wrapped_key_is_good_only_for_whom_it_was_made(void **state UNUSED)
{
    struct vault_core *core = core_booted(&core_options, NULL);
    struct vault_wrapped_key of_a[3], of_b[3], bad;

    assert_int_equal(core_make_keys(core, core_tenant_a, of_a), VAULT_RESULT_OK);
    assert_int_equal(core_make_keys(core, core_tenant_b, of_b), VAULT_RESULT_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(of_a[i].purpose, VAULT_CONTENT + i);
        assert_int_equal(of_a[i].version, 1);
        assert_int_equal(of_a[i].kek_version, 1);
        assert_memory_not_equal(of_a[i].cipher, of_b[i].cipher, VAULT_KEY_BYTES);
        bad = of_b[i];
        bad.tenant = core_tenant_a;
        assert_int_equal(core_load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        bad = of_a[i];
        bad.purpose = of_a[(i + 1) % 3].purpose;
        assert_int_equal(core_load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        bad = of_a[i];
        bad.version = 2;
        assert_int_equal(core_load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        bad = of_a[i];
        bad.kek_version = 2;
        assert_int_equal(core_load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        for (size_t at = 0; at < VAULT_KEY_BYTES + VAULT_IV_BYTES + VAULT_TAG_BYTES; at++) {
            bad = of_a[i];
            unsigned char *octet = at < VAULT_KEY_BYTES ? &bad.cipher[at]
                                   : at < VAULT_KEY_BYTES + VAULT_IV_BYTES
                                       ? &bad.iv[at - VAULT_KEY_BYTES]
                                       : &bad.tag[at - VAULT_KEY_BYTES - VAULT_IV_BYTES];
            *octet ^= 0x80;
            assert_int_equal(core_load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        }
    }
    core_request_of(VAULT_OP_FACTS);
    assert_int_equal(core_ask(core, VAULT_ROLE_SCHEDULER), VAULT_RESULT_OK);
    assert_true(core_answer.keys_held == 0);
    core_load_all(core, of_a);
    core_load_all(core, of_a); /* twice is nothing new */
    core_request_of(VAULT_OP_FACTS);
    assert_int_equal(core_ask(core, VAULT_ROLE_SCHEDULER), VAULT_RESULT_OK);
    assert_true(core_answer.keys_held == 3);
    vault_core_free(core);
}

static void
a_key_seals_only_so_many_values(void **state UNUSED)
{
    struct vault_core_options few = core_options;
    struct vault_wrapped_key keys[3];
    struct vault_frame_place place = core_place(core_tenant_a, "message", "content");
    struct core_kept kept;

    few.seals_max = 3;
    struct vault_core *core = core_booted(&few, NULL);
    assert_int_equal(core_make_keys(core, core_tenant_a, keys), VAULT_RESULT_OK);
    core_load_all(core, keys);
    for (int i = 0; i < 3; i++) {
        core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("x"));
        core_keep(&kept);
    }
    assert_int_equal(core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("x")),
                     VAULT_RESULT_LIMIT);
    assert_int_equal(core_open(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, &kept.sealed),
                     VAULT_RESULT_OK);
    assert_true(VAULT_CORE_OPTIONS.seals_max == UINT64_C(2147483648));
    vault_core_free(core);
}

static void
a_full_key_table_forgets_the_oldest_and_learns_it_again(void **state UNUSED)
{
    struct vault_core *core = core_booted(&core_options, NULL);
    struct vault_wrapped_key first[3], keys[3];
    unsigned char index[VAULT_INDEX_BYTES], again[VAULT_INDEX_BYTES];

    assert_int_equal(core_make_keys(core, core_tenant_a, first), VAULT_RESULT_OK);
    core_load_all(core, first);
    assert_int_equal(core_index(core, core_tenant_a, SLICE("peer"), SLICE("x"), index), VAULT_RESULT_OK);
    for (uint32_t i = 0; i < VAULT_SEAL_KEYS_MAX; i++) {
        struct id tenant = { { 0xc } };
        num_u32be_put(tenant.bytes + 12, i);
        assert_int_equal(core_make_keys(core, tenant, keys), VAULT_RESULT_OK);
        assert_int_equal(core_load(core, VAULT_ROLE_GATEWAY, &keys[0], true), VAULT_RESULT_OK);
    }
    assert_int_equal(core_index(core, core_tenant_a, SLICE("peer"), SLICE("x"), again),
                     VAULT_RESULT_KEY_MISSING);
    assert_int_equal(core_load(core, VAULT_ROLE_GATEWAY, &first[2], true), VAULT_RESULT_OK);
    assert_int_equal(core_index(core, core_tenant_a, SLICE("peer"), SLICE("x"), again), VAULT_RESULT_OK);
    assert_memory_equal(index, again, sizeof(index));
    vault_core_free(core);
}

CORE_MAIN(cmocka_unit_test(a_missing_key_is_named),
          cmocka_unit_test(a_wrapped_key_is_good_only_for_whom_it_was_made),
          cmocka_unit_test(a_key_seals_only_so_many_values),
          cmocka_unit_test(a_full_key_table_forgets_the_oldest_and_learns_it_again))
