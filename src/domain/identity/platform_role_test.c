/* Roles of the platform: given in Harkara's own workspace, to people who are there, one to each. */
#include "core/unit.h"
#include "domain/identity/platform_role.h"
#include "domain/tenant/tenant.h"
#include "platform/db/test_cluster.h"
#include <stdio.h>

static struct db *admin, *gateway;
static struct arena *arena;

static int
opened(void **state UNUSED)
{
    arena = arena_new(64 * 1024);
    admin = test_cluster_open("harkara_admin");
    gateway = test_cluster_open("harkara_gateway");
    test_cluster_sql("delete from harkara.platform_role; delete from harkara.person");
    return arena == NULL;
}

static int
closed(void **state UNUSED)
{
    db_close(gateway);
    db_close(admin);
    arena_free(arena);
    return 0;
}

static struct id
somebody(const char *state)
{
    struct id id = id_new(clock_system());
    char text[ID_UUID_BYTES], sql[600];

    id_uuid_print(id, text);
    snprintf(
        sql, sizeof(sql),
        "insert into harkara.person (tenant_id, id, state, key_version, name_ct, name_iv, name_tag) values"
        " ('00000000-0000-7000-8000-000000000000', '%.36s', '%s', 1, '', decode(repeat('00', 12), 'hex'),"
        " decode(repeat('00', 16), 'hex'))",
        text, state);
    test_cluster_sql(sql);
    return id;
}

static enum err
granted(struct id person, enum platform_role role)
{
    struct db_tx tx;

    assert_ok(db_begin(admin, tenant_platform, &tx));
    enum err err = platform_role_grant(&tx, clock_system(), person, role, SLICE("ops"));
    if (err == ERR_OK)
        return db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static enum err
known(struct id tenant, struct id person, enum platform_role *out)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    enum err err = platform_role_get(&tx, person, out);
    db_rollback(&tx);
    return err;
}

static void
words_are_those_of_the_list_and_no_permission_of_a_workspace(void **state UNUSED)
{
    enum platform_permission permission;
    enum platform_role role;

    for (unsigned i = 0; i < PLATFORM_PERMISSION_COUNT; i++) {
        assert_ok(platform_permission_parse(slice_text(platform_permission_word((enum platform_permission)i)),
                                            &permission));
        assert_int_equal(permission, i);
    }
    for (unsigned i = 0; i < PLATFORM_ROLE_COUNT; i++) {
        assert_ok(platform_role_parse(slice_text(platform_role_word((enum platform_role)i)), &role));
        assert_int_equal(role, i);
    }
    assert_int_equal(platform_permission_parse(SLICE("audit:read"), &permission), ERR_NOT_FOUND);
    assert_int_equal(platform_role_parse(SLICE("owner"), &role), ERR_NOT_FOUND);
    assert_true(platform_role_may(PLATFORM_ROLE_OPERATOR, PLATFORM_MANAGE));
    assert_false(platform_role_may(PLATFORM_ROLE_SUPPORT, PLATFORM_MANAGE));
    assert_false(platform_role_may(PLATFORM_ROLE_SUPPORT, PLATFORM_AUDIT));
    assert_false(platform_role_may(PLATFORM_ROLE_AUDITOR, PLATFORM_MANAGE));
}

static void
a_role_is_given_changed_and_taken(void **state UNUSED)
{
    const struct id person = somebody("active"), gone = somebody("left"), nobody = id_new(clock_system());
    struct platform_person *people;
    enum platform_role role;
    struct db_tx tx;
    size_t count;

    assert_int_equal(known(tenant_platform, person, &role), ERR_NOT_FOUND);
    assert_ok(granted(person, PLATFORM_ROLE_SUPPORT));
    assert_ok(granted(person, PLATFORM_ROLE_AUDITOR)); /* in its place */
    assert_ok(known(tenant_platform, person, &role));
    assert_int_equal(role, PLATFORM_ROLE_AUDITOR);
    assert_int_equal(granted(gone, PLATFORM_ROLE_OPERATOR), ERR_NOT_FOUND);
    assert_int_equal(granted(nobody, PLATFORM_ROLE_OPERATOR), ERR_NOT_FOUND);

    assert_ok(db_begin(admin, tenant_platform, &tx));
    assert_ok(platform_people(&tx, (struct id){ { 0 } }, false, arena, &people, &count));
    assert_int_equal(count, 2);
    assert_true(id_eq(people[0].id, person) && people[0].has_role && !people[0].has_left);
    assert_true(slice_eq(people[0].granted_by, SLICE("ops")));
    assert_true(people[1].has_left && !people[1].has_role);
    assert_ok(platform_people(&tx, (struct id){ { 0 } }, true, arena, &people, &count));
    assert_int_equal(count, 1);
    assert_ok(platform_people(&tx, person, true, arena, &people, &count));
    assert_int_equal(count, 0);
    assert_ok(platform_role_revoke(&tx, person));
    assert_int_equal(platform_role_revoke(&tx, person), ERR_NOT_FOUND);
    assert_ok(db_commit(&tx));
    assert_int_equal(known(tenant_platform, person, &role), ERR_NOT_FOUND);
}

static void
who_has_left_has_none_and_no_workspace_has_any(void **state UNUSED)
{
    const struct id person = somebody("active");
    enum platform_role role;

    assert_ok(granted(person, PLATFORM_ROLE_OPERATOR));
    assert_int_equal(known(id_new(clock_system()), person, &role), ERR_NOT_FOUND);
    test_cluster_sql("update harkara.person set state = 'left'");
    assert_int_equal(known(tenant_platform, person, &role), ERR_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(words_are_those_of_the_list_and_no_permission_of_a_workspace),
             TEST(a_role_is_given_changed_and_taken), TEST(who_has_left_has_none_and_no_workspace_has_any))
