/* Tenants with their keys, their names, and where the vault finds the keys again. */
#include "domain/tenant/tenant.h"
#include "domain/tenant/tenant_key.h"
#include "platform/db/test_cluster.h"
#include "program/vault/vault_testing.h"
#include <stdio.h>

static struct db *admin, *gateway;
static struct vault_client *maker, *client;
static struct vault vault;
static struct arena *arena;

static int
group_open(void **state)
{
    int failed = test_cluster_setup(state);

    vault_testing_start();
    vault_testing_tenant("first-of-all"); /* and the row of its key-encryption key */
    return failed;
}

static int
group_close(void **state)
{
    vault_testing_stop();
    return test_cluster_teardown(state);
}

static int
opened(void **state UNUSED)
{
    admin = test_cluster_open("harkara_admin");
    gateway = test_cluster_open("harkara_gateway");
    maker = vault_testing_client(VAULT_ROLE_ADMIN, 5000);
    client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    vault = (struct vault){ .client = maker };
    arena = arena_new(1u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(admin);
    db_close(gateway);
    vault_client_free(maker);
    vault_client_free(client);
    arena_free(arena);
    return 0;
}

static enum err
create(const char *name, const char *slug, struct tenant *out)
{
    return tenant_create(admin, &vault, clock_system(), slice_text(name),
                         slug == NULL ? SLICE_EMPTY : slice_text(slug), NULL, NULL, arena, out);
}

static void
a_tenant_is_made_with_three_keys_that_seal_and_open(void **state UNUSED)
{
    struct vault_place place;
    struct vault_sealed sealed;
    struct tenant tenant;
    struct slice plain;

    assert_ok(create("Acme Corp.", NULL, &tenant));
    assert_true(slice_eq(tenant.slug, SLICE("acme-corp")));
    assert_int_equal(tenant.state, TENANT_ACTIVE);
    place = (struct vault_place){
        .tenant = tenant.id, .table = "message", .column = "content", .row = tenant.id
    };
    struct vault sealer = tenant_vault(client, gateway);
    assert_ok(vault_seal(&sealer, VAULT_CONTENT, &place, SLICE("hello"), arena, &sealed));
    assert_ok(vault_open_content(&sealer, &place, &sealed, arena, &plain));
    assert_true(slice_eq(plain, SLICE("hello")));
}

static void
a_slug_is_made_of_the_name_and_judged(void **state UNUSED)
{
    static const struct {
        const char *name, *slug;
        const char *want; /* NULL: refused */
    } rows[] = {
        { "  Bolt & Nut  ", NULL, "bolt-nut" },
        { "ÄÖ 9", NULL, "9" },
        { "日本", NULL, NULL },
        { "", NULL, NULL },
        { "Nice", "my-shop-2", "my-shop-2" },
        { "Nice", "My-Shop", NULL },
        { "Nice", "-shop", NULL },
        { "Nice", "shop-", NULL },
        { "Nice", "a--b", NULL },
        { "Nice", "a_b", NULL },
        { "Bad \xff name", "bad-name", NULL },
        /* 64 letters are one too many, with dashes as without */
        { "Nice", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
        { "Nice", "a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-aa", NULL },
        { "Nice", "a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a",
          "a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tenant tenant;
        enum err err = create(rows[i].name, rows[i].slug, &tenant);
        assert_int_equal(err, rows[i].want == NULL ? ERR_DB_DATA : ERR_OK);
        if (rows[i].want != NULL)
            assert_true(slice_eq(tenant.slug, slice_text(rows[i].want)));
    }
}

/* A name of any length makes a slug that is allowed. */
static void
a_long_name_makes_a_slug_that_fits(void **state UNUSED)
{
    char name[TENANT_NAME_MAX + 1];
    struct tenant tenant;

    memset(name, 'n', TENANT_NAME_MAX);
    name[62] = ' '; /* the dash that the cut would end with */
    name[TENANT_NAME_MAX] = '\0';
    assert_ok(create(name, NULL, &tenant));
    assert_int_equal(tenant.slug.len, 62);
}

static void
a_slug_is_taken_once(void **state UNUSED)
{
    struct tenant tenant;

    assert_ok(create("Taken", "taken", &tenant));
    assert_int_equal(create("Other", "taken", &tenant), ERR_EXISTS);
    /* and nothing of the second is left */
    assert_int_equal(test_cluster_number("select count(*) from tenant where name = 'Other'"), 0);
    assert_int_equal(
        test_cluster_number("select count(*) from tenant_key k left join tenant t using (tenant_id)"
                            " where t.tenant_id is null"),
        0);
}

static void
it_is_found_by_slug_and_by_id_and_listed(void **state UNUSED)
{
    struct tenant tenant, found, *list = NULL;
    char id[ID_TEXT_BYTES];
    size_t count = 0;

    assert_ok(create("Found", "found", &tenant));
    assert_ok(tenant_find(admin, SLICE("found"), arena, &found));
    assert_true(id_eq(found.id, tenant.id));
    assert_ok(tenant_find(admin, id_print(ID_TENANT, tenant.id, id), arena, &found));
    assert_true(slice_eq(found.name, SLICE("Found")));
    assert_int_equal(tenant_find(admin, SLICE("nobody"), arena, &found), ERR_NOT_FOUND);
    assert_ok(tenant_list(admin, arena, &list, &count));
    assert_true(count >= 2);
    assert_true(slice_eq(list[count - 1].slug, SLICE("found"))); /* by age */
}

static void
keys_are_fetched_by_version_and_of_the_own_tenant(void **state UNUSED)
{
    struct vault_wrapped_key key;
    struct tenant tenant;

    assert_ok(create("Keys", "keys", &tenant));
    assert_ok(tenant_key_fetch(gateway, tenant.id, VAULT_CREDENTIAL, 0, &key));
    assert_int_equal(key.version, 1);
    assert_int_equal(key.purpose, VAULT_CREDENTIAL);
    assert_true(id_eq(key.tenant, tenant.id));
    assert_ok(tenant_key_fetch(gateway, tenant.id, VAULT_CREDENTIAL, 1, &key));
    assert_int_equal(tenant_key_fetch(gateway, tenant.id, VAULT_CREDENTIAL, 2, &key), ERR_NOT_FOUND);
    assert_int_equal(tenant_key_fetch(gateway, id_new(clock_system()), VAULT_CONTENT, 0, &key),
                     ERR_NOT_FOUND);
}

static void
the_platform_has_keys_made_once(void **state UNUSED)
{
    struct vault sealer = tenant_vault(client, gateway);
    struct vault_place place = {
        .tenant = tenant_platform, .table = "message", .column = "content", .row = id_new(clock_system())
    };
    struct vault_sealed sealed;

    assert_int_equal(vault_seal(&sealer, VAULT_CONTENT, &place, SLICE("hello"), arena, &sealed),
                     ERR_VAULT_KEY_MISSING);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(tenant_platform_keys(admin, &vault));
        assert_int_equal(test_cluster_number("select count(*) from tenant_key where tenant_id ="
                                             " '00000000-0000-7000-8000-000000000000'"),
                         3);
    }
    assert_ok(vault_seal(&sealer, VAULT_CONTENT, &place, SLICE("hello"), arena, &sealed));
}

static void
the_platform_is_nobodys_tenant(void **state UNUSED)
{
    struct tenant *list = NULL, found;
    char id[ID_TEXT_BYTES];
    size_t count = 0;

    assert_ok(tenant_list(admin, arena, &list, &count));
    for (size_t i = 0; i < count; i++)
        assert_false(id_eq(list[i].id, tenant_platform));
    assert_int_equal(tenant_find(admin, SLICE("harkara"), arena, &found), ERR_NOT_FOUND);
    assert_int_equal(tenant_find(admin, id_print(ID_TENANT, tenant_platform, id), arena, &found),
                     ERR_NOT_FOUND);
    assert_int_equal(create("Harkara", NULL, &found), ERR_EXISTS);
}

/* Destroyed keys are what is left of a tenant whose data must go. */
static void
without_keys_nothing_is_sealed(void **state UNUSED)
{
    struct vault sealer = tenant_vault(client, gateway);
    struct id gone = test_cluster_tenant("gone");
    struct vault_place place = { .tenant = gone, .table = "message", .column = "content", .row = gone };
    struct vault_sealed sealed;

    assert_int_equal(vault_seal(&sealer, VAULT_CONTENT, &place, SLICE("hello"), arena, &sealed),
                     ERR_VAULT_KEY_MISSING);
}

static void
only_the_administrator_makes_tenants(void **state UNUSED)
{
    struct tenant tenant;

    assert_int_equal(tenant_create(gateway, &vault, clock_system(), SLICE("Mine"), SLICE("mine"), NULL, NULL,
                                   arena, &tenant),
                     ERR_DB_STATEMENT);
    vault.client = client;
    assert_int_equal(create("Mine", "mine", &tenant), ERR_VAULT_FORBIDDEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tenant_is_made_with_three_keys_that_seal_and_open),
        TEST(a_slug_is_made_of_the_name_and_judged),
        TEST(a_long_name_makes_a_slug_that_fits),
        TEST(a_slug_is_taken_once),
        TEST(it_is_found_by_slug_and_by_id_and_listed),
        TEST(keys_are_fetched_by_version_and_of_the_own_tenant),
        TEST(the_platform_has_keys_made_once),
        TEST(the_platform_is_nobodys_tenant),
        TEST(without_keys_nothing_is_sealed),
        TEST(only_the_administrator_makes_tenants),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
