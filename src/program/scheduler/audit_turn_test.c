/* The scheduler's turn at the audit log, on a real PostgreSQL and a real vault. */
#include "domain/audit/audit_tree.h"
#include "domain/tenant/tenant_key.h"
#include "program/scheduler/audit_turn.h"
#include "program/vault/vault_pair_testing.h"
#include <stdio.h>

static struct db *gateway, *scheduler;
static struct vault_client *client;
static struct vault vault;

static int
opened(void **state UNUSED)
{
    test_cluster_sql("truncate audit_entry, audit_unsealed, audit_private, audit_tree, audit_node, audit_key,"
                     " audit_checkpoint");
    gateway = test_cluster_open("harkara_gateway");
    scheduler = test_cluster_open("harkara_scheduler");
    client = vault_testing_client(VAULT_ROLE_SCHEDULER, 5000);
    vault = tenant_vault(client, scheduler);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(gateway);
    db_close(scheduler);
    vault_client_free(client);
    return 0;
}

static void
act(struct id tenant)
{
    struct audit_act one = { .actor = { .kind = AUDIT_ACTOR_SYSTEM, .name = SLICE("scheduler") },
                             .action = AUDIT_TENANT_CLOSED };
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(audit_append(&tx, clock_system(), &one));
    assert_ok(db_commit(&tx));
}

static struct audit_turn_result
turn(void)
{
    struct audit_turn_result result;

    assert_ok(audit_turn(scheduler, &vault, clock_system(), &result));
    return result;
}

static void
all_workspaces_are_sealed_and_signed(void **state UNUSED)
{
    act(acme);
    act(acme);
    act(bolt);
    struct audit_turn_result result = turn();
    assert_int_equal(result.sealed, 3);
    assert_int_equal(result.signed_trees, 2);
    assert_int_equal(result.failed, 0);
    assert_false(result.has_more);
    assert_int_equal(test_cluster_number("select count(*) from audit_checkpoint"), 2);
    result = turn();
    assert_int_equal(result.sealed, 0);
    assert_int_equal(result.signed_trees, 0);
}

static void
one_log_that_cannot_be_sealed_stops_no_other(void **state UNUSED)
{
    char sql[256], tenant[ID_UUID_BYTES];

    act(acme);
    turn();
    snprintf(sql, sizeof(sql), "update audit_tree set edge = '' where tenant_id = '%.*s'",
             SLICE_FMT(id_uuid_print(acme, tenant)));
    test_cluster_sql(sql);
    act(acme);
    act(bolt);
    struct audit_turn_result result = turn();
    assert_int_equal(result.sealed, 1);
    assert_int_equal(result.signed_trees, 1);
    assert_int_equal(result.failed, 1);
}

static void
without_the_vault_places_are_given_and_signed_later(void **state UNUSED)
{
    struct audit_turn_result result;

    act(acme);
    vault_testing_cut();
    assert_int_equal(err_class(audit_turn(scheduler, &vault, clock_system(), &result)),
                     ERR_CLASS_UNAVAILABLE);
    assert_int_equal(result.sealed, 1);
    assert_int_equal(test_cluster_number("select count(*) from audit_checkpoint"), 0);
    vault_client_relink(client, vault_testing_link(VAULT_ROLE_SCHEDULER));
    result = turn();
    assert_int_equal(result.sealed, 0);
    assert_int_equal(result.signed_trees, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_workspaces_are_sealed_and_signed),
        TEST(one_log_that_cannot_be_sealed_stops_no_other),
        TEST(without_the_vault_places_are_given_and_signed_later),
    };

    return cmocka_run_group_tests(tests, vault_pair_open, vault_pair_close);
}
