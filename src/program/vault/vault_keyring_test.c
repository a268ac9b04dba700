#include "core/num.h"
#include "core/secret.h"
#include "core/unit.h"
#include "program/vault/vault_keyring.h"

static struct id
tenant_of(uint32_t number)
{
    struct id id = { { 0 } };
    num_u32be_put(id.bytes + 12, number);
    return id;
}

/* A key that tells whose it is. */
static struct slice
bytes_of(unsigned char storage[VAULT_KEY_BYTES], uint32_t tenant, uint32_t version)
{
    memset(storage, 0x5a, VAULT_KEY_BYTES);
    num_u32be_put(storage, tenant);
    num_u32be_put(storage + 4, version);
    return slice_of(storage, VAULT_KEY_BYTES);
}

static int64_t put_at_us;

static enum err
put(struct vault_keyring *ring, uint32_t tenant, uint32_t version, bool is_newest)
{
    unsigned char bytes[VAULT_KEY_BYTES];
    return vault_keyring_put(ring, tenant_of(tenant), VAULT_CONTENT, version, is_newest,
                             bytes_of(bytes, tenant, version), 0, (struct mono_time){ put_at_us });
}

static bool
holds(struct vault_keyring *ring, uint32_t tenant, uint32_t version)
{
    unsigned char bytes[VAULT_KEY_BYTES];
    struct vault_held_key key;

    if (vault_keyring_find(ring, tenant_of(tenant), VAULT_CONTENT, version, &key) != ERR_OK)
        return false;
    assert_true(slice_eq(key.bytes, bytes_of(bytes, tenant, version)));
    assert_int_equal(key.version, version);
    return true;
}

static void
a_key_is_found_by_tenant_purpose_and_version(void **state UNUSED)
{
    struct vault_keyring *ring;
    struct vault_held_key key;

    assert_ok(vault_keyring_new(8, &ring));
    assert_ok(put(ring, 1, 1, true));
    assert_true(holds(ring, 1, 1));
    assert_false(holds(ring, 1, 2));
    assert_false(holds(ring, 2, 1));
    assert_int_equal(vault_keyring_find(ring, tenant_of(1), VAULT_INDEX, 1, &key), ERR_VAULT_KEY_MISSING);
    assert_int_equal(vault_keyring_find(ring, tenant_of(1), VAULT_CREDENTIAL, 0, &key),
                     ERR_VAULT_KEY_MISSING);
    vault_keyring_free(ring);
}

static void
the_newest_is_the_highest_that_was_put_as_such(void **state UNUSED)
{
    struct vault_keyring *ring;
    struct vault_held_key key;

    assert_ok(vault_keyring_new(8, &ring));
    assert_ok(put(ring, 1, 1, false));
    assert_int_equal(vault_keyring_find(ring, tenant_of(1), VAULT_CONTENT, 0, &key), ERR_VAULT_KEY_MISSING);
    assert_ok(put(ring, 1, 3, true));
    assert_ok(put(ring, 1, 2, true));
    assert_ok(put(ring, 1, 4, false)); /* known, but not yet to be sealed with */
    assert_ok(vault_keyring_find(ring, tenant_of(1), VAULT_CONTENT, 0, &key));
    assert_int_equal(key.version, 3);
    assert_ok(put(ring, 1, 4, true));
    assert_ok(vault_keyring_find(ring, tenant_of(1), VAULT_CONTENT, 0, &key));
    assert_int_equal(key.version, 4);
    assert_int_equal(vault_keyring_count(ring), 4);
    vault_keyring_free(ring);
}

static void
a_held_key_is_not_replaced(void **state UNUSED)
{
    unsigned char other[VAULT_KEY_BYTES] = { 1 };
    struct vault_keyring *ring;

    assert_ok(vault_keyring_new(8, &ring));
    assert_ok(put(ring, 1, 1, true));
    assert_ok(put(ring, 1, 1, true));
    assert_int_equal(vault_keyring_put(ring, tenant_of(1), VAULT_CONTENT, 1, true,
                                       slice_of(other, sizeof(other)), 0, (struct mono_time){ 0 }),
                     ERR_SEAL_CORRUPT);
    assert_true(holds(ring, 1, 1));
    assert_int_equal(vault_keyring_count(ring), 1);
    vault_keyring_free(ring);
}

static void
a_full_ring_lets_go_of_what_was_used_longest_ago(void **state UNUSED)
{
    struct vault_keyring *ring;

    assert_ok(vault_keyring_new(3, &ring));
    assert_ok(put(ring, 1, 1, true));
    assert_ok(put(ring, 2, 1, true));
    assert_ok(put(ring, 3, 1, true));
    assert_true(holds(ring, 1, 1)); /* used: now 2 is the oldest */
    assert_ok(put(ring, 4, 1, true));
    assert_false(holds(ring, 2, 1));
    assert_true(holds(ring, 1, 1) && holds(ring, 3, 1) && holds(ring, 4, 1));
    assert_int_equal(vault_keyring_count(ring), 3);
    vault_keyring_free(ring);
}

/* Many more keys than room, in an order of their own: what is held is right, and it is the most recently
 * used. */
static void
a_ring_under_pressure_holds_what_was_used_last(void **state UNUSED)
{
    enum { ROOM = 64, TENANTS = 1000, ROUNDS = 20000 };
    static uint32_t used_at[TENANTS];
    struct vault_keyring *ring;
    uint32_t random = 1;

    memset(used_at, 0, sizeof(used_at));
    assert_ok(vault_keyring_new(ROOM, &ring));
    for (uint32_t now = 1; now <= ROUNDS; now++) {
        random = random * 1664525u + 1013904223u;
        uint32_t tenant = (random >> 12) % TENANTS, newer = 0;
        for (uint32_t i = 0; i < TENANTS; i++)
            newer += used_at[i] > used_at[tenant];
        bool expected = used_at[tenant] != 0 && newer < ROOM;
        if (holds(ring, tenant, 1) != expected)
            fail_msg("round %u: tenant %u is %s", now, tenant, expected ? "lost" : "kept");
        if (!expected)
            assert_ok(put(ring, tenant, 1, true));
        used_at[tenant] = now;
    }
    vault_keyring_free(ring);
}

static void
a_key_that_makes_room_is_wiped_and_all_are_at_the_end(void **state UNUSED)
{
    size_t used = secret_pool_used();
    struct vault_keyring *ring;
    struct vault_held_key key;

    assert_ok(vault_keyring_new(2, &ring));
    assert_ok(put(ring, 7, 1, true));
    assert_ok(vault_keyring_find(ring, tenant_of(7), VAULT_CONTENT, 1, &key));
    const char *where = key.bytes.ptr;
    assert_ok(put(ring, 8, 1, true));
    assert_ok(put(ring, 9, 1, true));
    assert_int_equal(num_u32be_get(where), 9); /* its place is the next one's */
    vault_keyring_free(ring);
    assert_int_equal(secret_pool_used(), used);
    for (size_t i = 0; i < VAULT_KEY_BYTES; i++)
        assert_int_equal(where[i], 0); /* the pool stays mapped */
}

static void
one_version_or_a_whole_tenant_is_forgotten(void **state UNUSED)
{
    struct vault_keyring *ring;
    size_t used = secret_pool_used();

    assert_ok(vault_keyring_new(4, &ring));
    for (uint32_t version = 1; version <= 2; version++) {
        assert_ok(put(ring, 1, version, true));
        assert_ok(put(ring, 2, version, true));
    }
    vault_keyring_forget(ring, tenant_of(1), VAULT_CONTENT, 2);
    vault_keyring_forget(ring, tenant_of(1), VAULT_CONTENT, 2); /* twice is nothing new */
    vault_keyring_forget(ring, tenant_of(1), VAULT_INDEX, 1);
    assert_false(holds(ring, 1, 2));
    assert_true(holds(ring, 1, 1) && holds(ring, 2, 1) && holds(ring, 2, 2));
    vault_keyring_forget_tenant(ring, tenant_of(2));
    assert_false(holds(ring, 2, 1) || holds(ring, 2, 2));
    assert_int_equal(vault_keyring_count(ring), 1);
    for (uint32_t version = 3; version <= 6; version++) /* their places are good for others */
        assert_ok(put(ring, 3, version, true));
    assert_int_equal(vault_keyring_count(ring), 4);
    assert_false(holds(ring, 1, 1));
    vault_keyring_free(ring);
    assert_int_equal(secret_pool_used(), used);
}

static void
what_was_put_too_long_ago_is_wiped_unless_it_was_put_again(void **state UNUSED)
{
    struct vault_keyring *ring;

    assert_ok(vault_keyring_new(4, &ring));
    put_at_us = 1000;
    assert_ok(put(ring, 1, 1, true));
    assert_ok(put(ring, 2, 1, true));
    put_at_us = 2000;
    assert_ok(put(ring, 2, 1, false));
    vault_keyring_expire(ring, (struct mono_time){ 1000 });
    assert_true(holds(ring, 1, 1) && holds(ring, 2, 1));
    vault_keyring_expire(ring, (struct mono_time){ 1001 });
    assert_false(holds(ring, 1, 1));
    assert_true(holds(ring, 2, 1));
    put_at_us = 0;
    vault_keyring_free(ring);
}

static void
a_ring_that_the_pool_cannot_hold_is_refused(void **state UNUSED)
{
    size_t used = secret_pool_used();
    struct vault_keyring *ring;

    assert_int_equal(vault_keyring_new(1u << 20, &ring), ERR_NO_MEMORY);
    assert_null(ring);
    assert_int_equal(secret_pool_used(), used);
}

static int
pool_open(void **state UNUSED)
{
    return secret_pool_open_unlocked(65536) == ERR_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_by_tenant_purpose_and_version),
        cmocka_unit_test(the_newest_is_the_highest_that_was_put_as_such),
        cmocka_unit_test(a_held_key_is_not_replaced),
        cmocka_unit_test(a_full_ring_lets_go_of_what_was_used_longest_ago),
        cmocka_unit_test(a_ring_under_pressure_holds_what_was_used_last),
        cmocka_unit_test(a_key_that_makes_room_is_wiped_and_all_are_at_the_end),
        cmocka_unit_test(one_version_or_a_whole_tenant_is_forgotten),
        cmocka_unit_test(what_was_put_too_long_ago_is_wiped_unless_it_was_put_again),
        cmocka_unit_test(a_ring_that_the_pool_cannot_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, pool_open, NULL);
}
