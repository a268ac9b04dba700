/* People are sealed, found by a blind index, and changed only by who has seen the last change. */
#include "domain/identity/ceremony.h"
#include "domain/identity/person.h"
#include "domain/tenant/tenant_key.h"
#include "platform/db/test_cluster.h"
#include "program/vault/vault_testing.h"

static struct db *db;
static struct vault_client *client;
static struct vault vault;
static struct arena *arena;

static int
group_open(void **state)
{
    int failed = test_cluster_setup(state);
    struct db *admin = test_cluster_open("harkara_admin");
    struct vault_client *maker;

    vault_testing_start();
    vault_testing_tenant("first-of-all"); /* and the row of its key-encryption key */
    maker = vault_testing_client(VAULT_ROLE_ADMIN, 5000);
    assert_ok(tenant_platform_keys(admin, &(struct vault){ .client = maker }));
    vault_client_free(maker);
    db_close(admin);
    db = test_cluster_open("harkara_gateway");
    client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    vault = tenant_vault(client, db);
    arena = arena_new(1u << 20);
    return failed;
}

static int
group_close(void **state)
{
    arena_free(arena);
    vault_client_free(client);
    db_close(db);
    vault_testing_stop();
    return test_cluster_teardown(state);
}

static enum err
insert_in(struct db_tx *tx, void *ctx)
{
    return person_insert(tx, clock_system(), ctx);
}

static enum err
update_in(struct db_tx *tx, void *ctx)
{
    return person_update(tx, clock_system(), ctx);
}

static enum err
insert(const struct person *person)
{
    struct person_sealed sealed;
    enum err err = person_seal(&vault, person, arena, &sealed);

    return err == ERR_OK ? db_run(db, tenant_platform, insert_in, &sealed) : err;
}

static enum err
update(const struct person *person)
{
    struct person_sealed sealed;
    enum err err = person_seal(&vault, person, arena, &sealed);

    return err == ERR_OK ? db_run(db, tenant_platform, update_in, &sealed) : err;
}

static void
an_address_is_read_as_it_is_kept(void **state UNUSED)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        { "a@b.example", "a@b.example" },
        { "  Ada.L@Example.ORG\t", "ada.l@example.org" },
        { "\xc3\xa4@b.example", "\xc3\xa4@b.example" },
        { "", NULL },
        { "@b.example", NULL },
        { "a@", NULL },
        { "a", NULL },
        { "a@b@c", NULL },
        { "a b@c.example", NULL },
        { "a.b+c_d@e-f.example", "a.b+c_d@e-f.example" },
        { "<a@b.example>", NULL },
        { "a@b.example>", NULL },
        { "a@b.example,c@d.example", NULL },
        { "a,b@c.example", NULL },
        { "\"a\"@b.example", NULL },
        { "a@[192.0.2.1]", NULL },
        { ".a@b.example", NULL },
        { "a.@b.example", NULL },
        { "a@b..example", NULL },
        { "a@b.example.", NULL },
        { "a\r\n@c.example", NULL },
        { "a\xff@c.example", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice out = SLICE_EMPTY;
        enum err err = person_email_read(slice_text(rows[i].text), arena, &out);
        assert_int_equal(err, rows[i].want == NULL ? ERR_CONTRACT : ERR_OK);
        if (rows[i].want != NULL)
            assert_true(slice_eq(out, slice_text(rows[i].want)));
    }
}

static void
what_is_known_of_a_person_comes_back_and_lies_sealed(void **state UNUSED)
{
    struct person ada = { .id = id_new(clock_system()),
                          .name = SLICE("Ada Lovelace"),
                          .email = SLICE("ada@example.org"),
                          .is_email_verified = true };
    struct person plain = { .id = id_new(clock_system()), .name = SLICE("No Mail") }, found;
    struct id by_email;

    assert_ok(insert(&ada));
    assert_ok(insert(&plain));
    assert_ok(person_get(db, &vault, ada.id, arena, &found));
    assert_true(slice_eq(found.name, ada.name) && slice_eq(found.email, ada.email));
    assert_true(found.is_email_verified);
    assert_ok(person_get(db, &vault, plain.id, arena, &found));
    assert_int_equal(found.email.len, 0);
    assert_false(found.is_email_verified);
    assert_ok(person_find(db, &vault, ada.email, &by_email));
    assert_true(id_eq(by_email, ada.id));
    assert_int_equal(person_find(db, &vault, SLICE("eve@example.org"), &by_email), ERR_NOT_FOUND);
    assert_int_equal(person_get(db, &vault, id_new(clock_system()), arena, &found), ERR_NOT_FOUND);
    assert_int_equal(
        test_cluster_number("select count(*) from harkara.person where name_ct::text like '%Ada%'"), 0);
    struct person again = {
        .id = id_new(clock_system()), .name = SLICE("Ada"), .email = ada.email, .is_email_verified = true
    };
    assert_int_equal(insert(&again), ERR_EXISTS);
    again.is_email_verified = false; /* says so, and has not shown it: nobody is kept out */
    assert_ok(insert(&again));
    assert_ok(person_find(db, &vault, ada.email, &by_email));
    assert_true(id_eq(by_email, ada.id));
}

static void
a_change_is_made_of_the_last_one(void **state UNUSED)
{
    struct person bob = { .id = id_new(clock_system()),
                          .name = SLICE("Bob"),
                          .email = SLICE("bob@example.org") };
    struct person found;
    struct id by_email;

    assert_ok(insert(&bob));
    assert_int_equal(person_find(db, &vault, bob.email, &by_email),
                     ERR_NOT_FOUND); /* nobody has verified it */
    bob.generation = 1;
    bob.name = SLICE("Robert");
    assert_ok(update(&bob));
    assert_int_equal(update(&bob), ERR_DB_CONFLICT);
    assert_ok(person_get(db, &vault, bob.id, arena, &found));
    assert_true(slice_eq(found.name, SLICE("Robert")));
    assert_int_equal(found.generation, 1);
    bob.generation = 2;
    bob.email = SLICE("ada@example.org"); /* shown by another person before */
    bob.is_email_verified = true;
    assert_int_equal(update(&bob), ERR_EXISTS);
}

static enum err
use_in(struct db_tx *tx, void *ctx)
{
    return ceremony_use(tx, *(const struct id *)ctx);
}

/* The same question gives the same challenge; any other one gives another. */
static void
a_challenge_is_of_one_ceremony_alone(void **state UNUSED)
{
    struct id one = id_new(clock_system()), other = id_new(clock_system());
    const struct ceremony rows[] = {
        { one, CEREMONY_SIGN_IN, { { 0 } }, SLICE("browser") },
        { one, CEREMONY_SIGN_IN, { { 0 } }, SLICE("browse") },
        { one, CEREMONY_SIGN_IN, { { 0 } }, SLICE("other") },
        { one, CEREMONY_STEP_UP, { { 0 } }, SLICE("browser") },
        { one, CEREMONY_SIGN_IN, other, SLICE("browser") },
        { other, CEREMONY_SIGN_IN, { { 0 } }, SLICE("browser") },
    };
    unsigned char challenges[COUNT_OF(rows)][CEREMONY_CHALLENGE_BYTES], again[CEREMONY_CHALLENGE_BYTES];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_ok(ceremony_challenge(&vault, &rows[i], challenges[i]));
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(challenges[i], challenges[k], CEREMONY_CHALLENGE_BYTES);
    }
    assert_ok(ceremony_challenge(&vault, &rows[0], again));
    assert_memory_equal(again, challenges[0], sizeof(again));
    const struct ceremony unbound = { one, CEREMONY_SIGN_IN, { { 0 } }, SLICE("") };
    assert_int_equal(ceremony_challenge(&vault, &unbound, again), ERR_CEREMONY);
}

static void
a_ceremony_is_done_once_and_in_time(void **state UNUSED)
{
    struct clock_manual manual;

    clock_manual_init(&manual, (struct wall_time){ INT64_C(1800000000000000) });
    struct id id = id_new(&manual.clock);
    assert_ok(ceremony_check_time(&manual.clock, id));
    clock_manual_advance(&manual, INT64_C(299) * 1000000);
    assert_ok(ceremony_check_time(&manual.clock, id));
    clock_manual_advance(&manual, INT64_C(2) * 1000000);
    assert_int_equal(ceremony_check_time(&manual.clock, id), ERR_CEREMONY);
    clock_manual_advance(&manual, -INT64_C(700) * 1000000);
    assert_int_equal(ceremony_check_time(&manual.clock, id), ERR_CEREMONY);
    assert_ok(db_run(db, tenant_platform, use_in, &id));
    assert_int_equal(db_run(db, tenant_platform, use_in, &id), ERR_CEREMONY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_challenge_is_of_one_ceremony_alone),
        cmocka_unit_test(a_ceremony_is_done_once_and_in_time),
        cmocka_unit_test(an_address_is_read_as_it_is_kept),
        cmocka_unit_test(what_is_known_of_a_person_comes_back_and_lies_sealed),
        cmocka_unit_test(a_change_is_made_of_the_last_one),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
