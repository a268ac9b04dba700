/* Entries on a real PostgreSQL, with their private parts really sealed. */
#include "crypto/hash.h"
#include "domain/audit/audit.h"
#include "domain/tenant/sealed_column.h"
#include "domain/tenant/tenant_key.h"
#include "platform/db/test_cluster.h"
#include "program/vault/vault_testing.h"
#include <stdio.h>
#include <string.h>

static struct db *gateway;
static struct vault_client *client;
static struct vault vault;
static struct arena *arena;
static struct id acme;

static int
group_open(void **state)
{
    int failed = test_cluster_setup(state);

    vault_testing_start();
    acme = vault_testing_tenant("acme");
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
    test_cluster_sql("truncate audit_entry cascade; delete from audit_unsealed");
    gateway = test_cluster_open("harkara_gateway");
    client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    vault = tenant_vault(client, gateway);
    arena = arena_new(1u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(gateway);
    vault_client_free(client);
    arena_free(arena);
    return 0;
}

static struct audit_act
act_of(struct id person)
{
    return (struct audit_act){
        .actor = { .kind = AUDIT_ACTOR_PERSON, .id = person, .session = id_new(clock_system()) },
        .action = AUDIT_API_KEY_CREATED,
        .object_kind = ID_KEY,
        .object = id_new(clock_system()),
        .detail = SLICE("{\"scopes\": [\"messages:read\"]}")
    };
}

static void
append(const struct audit_act *act)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(audit_append(&tx, clock_system(), act));
    assert_ok(db_commit(&tx));
}

static void
an_entry_says_who_did_what_to_what(void **state UNUSED)
{
    struct id person = id_new(clock_system());
    struct audit_act act = act_of(person),
                     plain = { .actor = { .kind = AUDIT_ACTOR_SYSTEM, .name = SLICE("scheduler") },
                               .action = AUDIT_TENANT_CLOSED };

    append(&act);
    append(&plain);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from audit_entry where actor_kind = 'person' and actor_id is not null"
            " and session_id is not null and action = 'api_key.created' and object_kind = 'key_'"
            " and object_id is not null and outcome = 'done'"
            " and detail = '{\"scopes\": [\"messages:read\"]}'"),
        1);
    assert_int_equal(test_cluster_number(
                         "select count(*) from audit_entry where actor_kind = 'system' and actor_id is null"
                         " and actor_name = 'scheduler' and object_id is null and detail = '{}'"),
                     1);
    assert_int_equal(test_cluster_number("select count(*) from audit_unsealed"), 2);
}

static void
without_the_act_there_is_no_entry(void **state UNUSED)
{
    struct audit_act act = act_of(id_new(clock_system()));
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(audit_append(&tx, clock_system(), &act));
    db_rollback(&tx);
    assert_int_equal(test_cluster_number("select count(*) from audit_entry"), 0);
    assert_int_equal(test_cluster_number("select count(*) from audit_unsealed"), 0);
}

static const struct db_stmt part_stmt = {
    "audit_test_part",
    "SELECT p.id, p.key_version, p.part_ct, p.part_iv, p.part_tag, e.commitments[1]"
    " FROM audit_private p JOIN audit_entry e ON e.tenant_id = p.tenant_id AND e.id = p.entry_id"
    " WHERE p.tenant_id = $1"
};

static void
what_is_personal_is_sealed_and_bound_by_a_salted_commitment(void **state UNUSED)
{
    struct id person = id_new(clock_system());
    struct audit_act act = act_of(person);
    unsigned char hash[HASH_BYTES];
    struct db_rows *rows;
    struct vault_sealed sealed;
    struct slice opened_part;
    struct db_tx tx;

    assert_ok(audit_address_add(&act, person, SLICE("203.0.113.7"), arena));
    assert_ok(audit_address_add(&act, person, SLICE_EMPTY, arena));
    assert_int_equal(act.private_count, 1);
    assert_ok(audit_prepare(&vault, clock_system(), acme, &act, arena));
    append(&act);
    assert_int_equal(
        test_cluster_number("select count(*) from audit_entry e where e::text like '%203.0.113%'"), 0);
    assert_int_equal(
        test_cluster_number("select count(*) from audit_private p where position('203.0' in encode(part_ct,"
                            " 'escape')) > 0"),
        0);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(db_query(&tx, &part_stmt, DB_NO_ARGS, &rows));
    assert_int_equal(db_rows_count(rows), 1);
    assert_ok(sealed_column_read(rows, 0, 2, (uint32_t)db_i64(rows, 0, 1), arena, &sealed));
    struct vault_place place = audit_private_place(acme, db_id(rows, 0, 0));
    struct slice commitment = arena_copy(arena, db_bytes(rows, 0, 5));
    db_rows_free(rows);
    db_rollback(&tx);
    assert_ok(vault_open_content(&vault, &place, &sealed, arena, &opened_part));
    assert_true(slice_eq(slice_drop(opened_part, AUDIT_SALT_BYTES), SLICE("{\"address\":\"203.0.113.7\"}")));
    assert_ok(hash_sha256(opened_part, hash));
    assert_true(slice_eq(commitment, slice_of(hash, sizeof(hash))));
}

static void
the_same_address_is_never_committed_to_alike(void **state UNUSED)
{
    struct id person = id_new(clock_system());
    struct audit_act one = act_of(person), two = act_of(person);

    assert_ok(audit_address_add(&one, person, SLICE("203.0.113.7"), arena));
    assert_ok(audit_address_add(&two, person, SLICE("203.0.113.7"), arena));
    assert_ok(audit_prepare(&vault, clock_system(), acme, &one, arena));
    assert_ok(audit_prepare(&vault, clock_system(), acme, &two, arena));
    assert_memory_not_equal(one.privates[0].commitment, two.privates[0].commitment, AUDIT_COMMITMENT_BYTES);
}

static void
what_is_too_much_is_refused(void **state UNUSED)
{
    static char long_text[AUDIT_PRIVATE_BYTES_MAX + 2], long_detail[AUDIT_DETAIL_BYTES_MAX + 2];
    struct audit_act act = act_of(id_new(clock_system()));
    struct db_tx tx;

    memset(long_text, 'x', sizeof(long_text) - 1);
    memset(long_detail, ' ', sizeof(long_detail) - 1);
    assert_int_equal(audit_private_add(&act, act.actor.id, slice_text(long_text)), ERR_LIMIT);
    for (size_t i = 0; i < AUDIT_PRIVATE_MAX; i++)
        assert_ok(audit_private_add(&act, act.actor.id, SLICE("{}")));
    assert_int_equal(audit_private_add(&act, act.actor.id, SLICE("{}")), ERR_LIMIT);
    act.private_count = 0;
    act.detail = slice_text(long_detail);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_int_equal(audit_append(&tx, clock_system(), &act), ERR_LIMIT);
    db_rollback(&tx);
}

static void
every_word_is_read_back_and_no_two_are_alike(void **state UNUSED)
{
    enum audit_action action;
    enum audit_actor_kind kind;
    enum audit_outcome outcome;

    for (unsigned i = 0; i < AUDIT_ACTION_COUNT; i++) {
        assert_ok(audit_action_parse(slice_text(audit_action_word((enum audit_action)i)), &action));
        assert_int_equal(action, i);
    }
    for (unsigned i = AUDIT_ACTOR_KEY; i <= AUDIT_ACTOR_NOBODY; i++) {
        assert_ok(audit_actor_kind_parse(slice_text(audit_actor_kind_word((enum audit_actor_kind)i)), &kind));
        assert_int_equal(kind, i);
    }
    for (unsigned i = AUDIT_DONE; i <= AUDIT_FAILED; i++) {
        assert_ok(audit_outcome_parse(slice_text(audit_outcome_word((enum audit_outcome)i)), &outcome));
        assert_int_equal(outcome, i);
    }
    assert_int_equal(audit_action_parse(SLICE("api_key.stolen"), &action), ERR_NOT_FOUND);
}

/* Whatever role: by the catalogue, which catalogue_test holds against what is declared. */
static void
nobody_may_change_or_remove_an_entry(void **state UNUSED)
{
    assert_int_equal(
        test_cluster_number("select count(*) from pg_roles r where r.rolname like 'harkara\\_%'"
                            " and r.rolname <> 'harkara_owner' and (has_table_privilege(r.oid, 'audit_entry',"
                            " 'update, delete, truncate') or has_any_column_privilege(r.oid, 'audit_entry',"
                            " 'update'))"),
        0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_says_who_did_what_to_what),
        TEST(without_the_act_there_is_no_entry),
        TEST(what_is_personal_is_sealed_and_bound_by_a_salted_commitment),
        TEST(the_same_address_is_never_committed_to_alike),
        TEST(what_is_too_much_is_refused),
        TEST(every_word_is_read_back_and_no_two_are_alike),
        TEST(nobody_may_change_or_remove_an_entry),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
