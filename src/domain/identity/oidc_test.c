/* Issuers, identities and what the dispatcher is asked, each as its own login, against PostgreSQL and the
 * vault. */
#include "domain/identity/oidc_identity.h"
#include "domain/identity/oidc_issuer.h"
#include "domain/identity/oidc_task.h"
#include "domain/tenant/tenant.h"
#include "domain/tenant/tenant_key.h"
#include "platform/db/test_cluster.h"
#include "program/vault/vault_testing.h"
#include <stdio.h>

static struct party {
    struct db *db;
    struct vault_client *client;
    struct vault vault;
} admin, gateway, dispatcher;
static struct arena *arena;

static void
party_open(struct party *party, const char *login, enum vault_role role)
{
    party->db = test_cluster_open(login);
    party->client = vault_testing_client(role, 10000);
    party->vault = tenant_vault(party->client, party->db);
}

static void
party_close(struct party *party)
{
    db_close(party->db);
    vault_client_free(party->client);
}

static int
setup(void **state)
{
    int failed = test_cluster_setup(state);

    if (failed != 0)
        return failed;
    vault_testing_start();
    (void)vault_testing_tenant("acme"); /* stores the key-encryption key */
    party_open(&admin, "harkara_admin", VAULT_ROLE_ADMIN);
    party_open(&gateway, "harkara_gateway", VAULT_ROLE_GATEWAY);
    party_open(&dispatcher, "harkara_dispatcher", VAULT_ROLE_DISPATCHER);
    arena = arena_new(1u << 20);
    return tenant_platform_keys(admin.db, &admin.vault) == ERR_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    arena_free(arena);
    party_close(&dispatcher);
    party_close(&gateway);
    party_close(&admin);
    vault_testing_stop();
    return test_cluster_teardown(state);
}

static int
emptied(void **state UNUSED)
{
    test_cluster_sql("delete from harkara.oidc_issuer; delete from harkara.passkey");
    return 0;
}

/* One statement's work in a transaction of its own. */
struct step {
    struct oidc_issuer issuer, *issuers;
    struct vault_sealed sealed;
    struct oidc_identity_new identity;
    struct oidc_task_new task;
    struct oidc_task_claim claim;
    struct oidc_task_answered answered[OIDC_TASK_ANSWERS_MAX];
    enum oidc_task_outcome outcome;
    struct id id, person, found;
    bool has_sealed;
    size_t count;
};

#define STEP(name, call)                                                                                     \
    static enum err name(struct db_tx *tx, void *ctx)                                                        \
    {                                                                                                        \
        struct step *step = ctx;                                                                             \
        return call;                                                                                         \
    }
STEP(issuer_add_in, oidc_issuer_insert(tx, &step->issuer, &step->sealed))
STEP(issuer_list_in, oidc_issuer_list(tx, arena, &step->issuers, &step->count))
STEP(issuer_get_in, oidc_issuer_get(tx, step->id, arena, &step->issuer))
STEP(issuer_delete_in, oidc_issuer_delete(tx, clock_system(), step->id, &step->count))
STEP(issuer_people_in, oidc_issuer_people(tx, step->id, &step->count))
STEP(secret_in, oidc_issuer_secret_read(tx, step->id, arena, &step->sealed))
STEP(discovered_in,
     oidc_issuer_discovered(tx, step->id, SLICE("https://a.example/auth"), true, clock_wall(clock_system())))
STEP(identity_add_in, oidc_identity_insert(tx, &step->identity, clock_wall(clock_system()), false))
STEP(identity_find_in,
     oidc_identity_find(tx, step->identity.issuer, step->identity.subject_index, &step->found, &step->person))
STEP(identity_used_in, oidc_identity_used(tx, step->id, clock_wall(clock_system())))
STEP(identity_delete_in, oidc_identity_delete(tx, step->person, step->id))
STEP(ask_in, oidc_task_ask(tx, &step->task))
STEP(take_in, oidc_task_take(tx, arena, &step->claim))
STEP(settle_in, oidc_task_settle(tx, step->claim.id, step->outcome, step->has_sealed ? &step->sealed : NULL))
STEP(collect_in, oidc_task_collect(tx, &step->id, 1, arena, step->answered, &step->count))
STEP(forget_in, oidc_task_forget(tx, &step->id, 1))

static enum err
run(const struct party *party, enum err (*work)(struct db_tx *tx, void *ctx), struct step *step)
{
    return db_run(party->db, tenant_platform, work, step);
}

static struct id
issuer_add(const char *url, const char *domain)
{
    struct slice domains[] = { slice_text(domain) };
    struct step step = { .issuer = { .id = id_new(clock_system()),
                                     .name = SLICE("Example"),
                                     .issuer = slice_text(url),
                                     .client_id = SLICE("harkara"),
                                     .algorithm = SLICE("RS256"),
                                     .domains = domains,
                                     .domain_count = domain[0] == '\0' ? 0 : 1,
                                     .created_at = clock_wall(clock_system()) } };
    const struct vault_place place = oidc_issuer_secret_place(step.issuer.id);

    assert_ok(vault_seal(&admin.vault, VAULT_CREDENTIAL, &place, SLICE("hush"), arena, &step.sealed));
    assert_ok(run(&admin, issuer_add_in, &step));
    return step.issuer.id;
}

static struct id
person_add(void)
{
    struct id person = id_new(clock_system());
    char uuid[ID_UUID_BYTES], sql[512];

    id_uuid_print(person, uuid);
    snprintf(sql, sizeof(sql),
             "insert into harkara.person (tenant_id, id, key_version, name_ct, name_iv, name_tag) values"
             " ('00000000-0000-7000-8000-000000000000', '%s', 1, '', decode(repeat('00', 12), 'hex'),"
             " decode(repeat('00', 16), 'hex'))",
             uuid);
    test_cluster_sql(sql);
    return person;
}

static void
a_secret_is_opened_by_the_dispatcher_alone(void **state UNUSED)
{
    struct step step = { .id = issuer_add("https://a.example", "") };
    const struct vault_place place = oidc_issuer_secret_place(step.id);
    struct secret *secret = NULL;

    assert_int_equal(run(&gateway, secret_in, &step), ERR_DB_STATEMENT); /* no grant */
    assert_ok(run(&dispatcher, secret_in, &step));
    assert_int_equal(vault_open(&gateway.vault, VAULT_CREDENTIAL, &place, &step.sealed, &secret),
                     ERR_VAULT_FORBIDDEN);
    assert_int_equal(vault_open(&admin.vault, VAULT_CREDENTIAL, &place, &step.sealed, &secret),
                     ERR_VAULT_FORBIDDEN);
    assert_ok(vault_open(&dispatcher.vault, VAULT_CREDENTIAL, &place, &step.sealed, &secret));
    assert_true(slice_eq(secret_slice(secret), SLICE("hush")));
    secret_free(secret);
}

static void
an_issuer_is_there_once_and_says_where_to_go(void **state UNUSED)
{
    struct step step = { .id = issuer_add("https://a.example", "example.org") };
    struct step again = { .issuer = { .id = id_new(clock_system()),
                                      .name = SLICE("Other"),
                                      .issuer = SLICE("https://a.example"),
                                      .client_id = SLICE("x"),
                                      .algorithm = SLICE("ES256") },
                          .sealed = { .key_version = 1, .cipher = SLICE("x") } };

    assert_int_equal(run(&admin, issuer_add_in, &again), ERR_EXISTS);
    assert_ok(run(&gateway, issuer_get_in, &step));
    assert_false(step.issuer.is_discovered);
    assert_int_equal(run(&gateway, discovered_in, &step), ERR_DB_STATEMENT); /* no grant */
    assert_ok(run(&dispatcher, discovered_in, &step));
    assert_ok(run(&gateway, issuer_list_in, &step));
    assert_int_equal(step.count, 1);
    assert_true(step.issuers[0].is_discovered && step.issuers[0].names_itself);
    assert_true(slice_eq(step.issuers[0].authorization_endpoint, SLICE("https://a.example/auth")));
    assert_int_equal(step.issuers[0].domain_count, 1);
    step.id = id_new(clock_system());
    assert_int_equal(run(&gateway, issuer_get_in, &step), ERR_NOT_FOUND);
}

static void
a_domain_admits_verified_addresses_of_its_own(void **state UNUSED)
{
    struct slice domains[] = { SLICE("example.org"), SLICE("example.net") };
    const struct oidc_issuer some = { .domains = domains, .domain_count = 2 }, any = { .domain_count = 0 };
    static const struct {
        const char *email;
        bool is_verified, want;
    } rows[] = {
        { "ada@example.org", true, true },     { "ada@example.net", true, true },
        { "ada@example.org", false, false },   { "ada@sub.example.org", true, false },
        { "ada@badexample.org", true, false }, { "ada@example.org.evil", true, false },
        { "example.org", true, false },        { "", true, false },
        { "ada@evil.org", true, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(oidc_issuer_admits(&some, slice_text(rows[i].email), rows[i].is_verified),
                         rows[i].want);
        assert_true(oidc_issuer_admits(&any, slice_text(rows[i].email), rows[i].is_verified));
    }
}

static struct step
identity_of(struct id person, struct id issuer, const char *subject, const char *email)
{
    struct step step = { .id = id_new(clock_system()), .person = person };

    assert_ok(oidc_identity_seal(&gateway.vault, step.id, person, issuer, slice_text(subject),
                                 slice_text(email), arena, &step.identity));
    return step;
}

static void
a_subject_is_one_persons(void **state UNUSED)
{
    struct id issuer = issuer_add("https://a.example", ""), other = issuer_add("https://b.example", "");
    struct id ada = person_add(), eve = person_add();
    struct step step = identity_of(ada, issuer, "sub-1", "ada@example.org");
    struct oidc_identity *identities = NULL;
    size_t count = 0;

    assert_ok(run(&gateway, identity_add_in, &step));
    assert_ok(run(&gateway, identity_find_in, &step));
    assert_true(id_eq(step.person, ada) && id_eq(step.found, step.id));
    step = identity_of(eve, issuer, "sub-1", "");
    assert_int_equal(run(&gateway, identity_add_in, &step), ERR_EXISTS);
    step = identity_of(eve, other, "sub-1", ""); /* of another issuer it is somebody else */
    assert_int_equal(run(&gateway, identity_find_in, &step), ERR_NOT_FOUND);
    assert_ok(run(&gateway, identity_add_in, &step));
    assert_ok(run(&gateway, identity_used_in, &step));
    assert_ok(oidc_identity_list(gateway.db, &gateway.vault, ada, arena, &identities, &count));
    assert_int_equal(count, 1);
    assert_true(slice_eq(identities[0].email, SLICE("ada@example.org")));
    assert_true(slice_eq(identities[0].issuer_name, SLICE("Example")) && !identities[0].was_used);
    assert_ok(oidc_identity_list(gateway.db, &gateway.vault, eve, arena, &identities, &count));
    assert_true(count == 1 && identities[0].email.len == 0 && identities[0].was_used);
    step = identity_of(eve, id_new(clock_system()), "sub-2", "");
    assert_int_equal(run(&gateway, identity_add_in, &step), ERR_NOT_FOUND);
}

static void
a_person_keeps_the_last_way_in(void **state UNUSED)
{
    struct id issuer = issuer_add("https://a.example", ""), ada = person_add();
    struct step first = identity_of(ada, issuer, "1", ""), second = identity_of(ada, issuer, "2", "");
    struct step strangers = { .id = first.id, .person = person_add() };
    char uuid[ID_UUID_BYTES], sql[512];

    assert_ok(run(&gateway, identity_add_in, &first));
    assert_ok(run(&gateway, identity_add_in, &second));
    assert_int_equal(run(&gateway, identity_delete_in, &strangers), ERR_NOT_FOUND);
    assert_ok(run(&gateway, identity_delete_in, &first));
    assert_int_equal(run(&gateway, identity_delete_in, &first), ERR_NOT_FOUND);
    assert_int_equal(run(&gateway, identity_delete_in, &second), ERR_STATE_CONFLICT);
    id_uuid_print(ada, uuid);
    snprintf(
        sql, sizeof(sql),
        "insert into harkara.passkey (tenant_id, id, person_id, credential_id, public_key, algorithm, sign_count,"
        " aaguid, transports, is_backup_eligible, is_backed_up, name, created_at) values"
        " ('00000000-0000-7000-8000-000000000000', gen_random_uuid(), '%s', 'x', '', -7, 0,"
        " decode(repeat('00', 16), 'hex'), 0, false, false, 'n', now())",
        uuid);
    test_cluster_sql(sql);
    assert_ok(run(&gateway, identity_delete_in, &second));
}

static void
sessions_end_with_the_issuer_that_began_them(void **state UNUSED)
{
    struct id issuer = issuer_add("https://a.example", ""), ada = person_add();
    struct step step = identity_of(ada, issuer, "1", "");
    char uuid[ID_UUID_BYTES], sql[1024];

    assert_ok(run(&gateway, identity_add_in, &step));
    id_uuid_print(ada, uuid);
    snprintf(
        sql, sizeof(sql),
        "insert into harkara.person_session (tenant_id, id, person_id, token_hash, factors, created_at, seen_at,"
        " expires_at, user_agent) select '00000000-0000-7000-8000-000000000000', gen_random_uuid(), '%s',"
        " sha256(gen_random_uuid()::text::bytea), f, now(), now(), now() + interval '1 h', ''"
        " from (values ('{federated,totp}'::text[]), ('{passkey}')) v (f)",
        uuid);
    test_cluster_sql(sql);
    step.id = issuer;
    assert_ok(run(&admin, issuer_people_in, &step));
    assert_int_equal(step.count, 1);
    assert_ok(run(&admin, issuer_delete_in, &step));
    assert_int_equal(step.count, 1);
    assert_int_equal(test_cluster_number("select count(*) from harkara.oidc_identity"), 0);
    assert_int_equal(test_cluster_number("select count(*) from harkara.person_session where ended_at is null"
                                         " and 'passkey' = any (factors)"),
                     1);
    assert_int_equal(run(&admin, issuer_delete_in, &step), ERR_NOT_FOUND);
}

static struct step
task_of(struct id issuer, const char *address)
{
    struct step step = { .id = id_new(clock_system()) };
    const struct oidc_task_request request = { .code = SLICE("code"),
                                               .verifier = SLICE("verifier"),
                                               .nonce = SLICE("nonce"),
                                               .redirect_uri = SLICE("https://app.example/cb") };

    step.task = (struct oidc_task_new){
        .id = step.id, .issuer = issuer, .kind = OIDC_TASK_EXCHANGE, .address = slice_text(address)
    };
    assert_ok(oidc_task_seal(&gateway.vault, step.id, &request, arena, &step.task.request));
    return step;
}

static void
what_is_asked_is_answered_once(void **state UNUSED)
{
    struct step step = task_of(issuer_add("https://a.example", ""), "192.0.2.1"), other;
    struct oidc_task_request request;
    struct oidc_task_answer answer = { .subject = SLICE("sub"),
                                       .email = SLICE("ada@example.org"),
                                       .is_email_verified = true };
    struct secret *plain = NULL;

    assert_int_equal(run(&dispatcher, take_in, &step), ERR_NOTHING);
    assert_ok(run(&gateway, ask_in, &step));
    assert_ok(run(&gateway, collect_in, &step));
    assert_int_equal(step.count, 0); /* not answered */
    assert_ok(run(&dispatcher, take_in, &step));
    assert_true(id_eq(step.claim.id, step.id) && step.claim.kind == OIDC_TASK_EXCHANGE);
    other = step;
    assert_int_equal(run(&dispatcher, take_in, &other), ERR_NOTHING);
    assert_int_equal(
        test_cluster_number("select count(*) from harkara.oidc_task where request_ct is not null"), 0);
    assert_int_equal(oidc_task_request_open(&gateway.vault, &step.claim, &plain, &request),
                     ERR_VAULT_FORBIDDEN);
    assert_ok(oidc_task_request_open(&dispatcher.vault, &step.claim, &plain, &request));
    assert_true(slice_eq(request.code, SLICE("code")) && slice_eq(request.verifier, SLICE("verifier")));
    assert_true(slice_eq(request.nonce, SLICE("nonce")) &&
                slice_eq(request.redirect_uri, SLICE("https://app.example/cb")));
    secret_free(plain);
    assert_ok(oidc_task_answer_seal(&dispatcher.vault, step.claim.id, &answer, arena, &step.sealed));
    step.has_sealed = true;
    assert_ok(run(&dispatcher, settle_in, &step));
    assert_int_equal(run(&dispatcher, settle_in, &step), ERR_NOT_FOUND);
    assert_ok(run(&gateway, collect_in, &step));
    assert_int_equal(step.count, 1);
    assert_int_equal(step.answered[0].outcome, OIDC_TASK_DONE);
    answer = (struct oidc_task_answer){ .is_email_verified = false };
    assert_ok(oidc_task_answer_open(&gateway.vault, &step.answered[0], arena, &answer));
    assert_true(slice_eq(answer.subject, SLICE("sub")) && answer.is_email_verified);
    assert_ok(run(&gateway, collect_in, &step));
    assert_int_equal(step.count, 0); /* taken away */
}

static void
who_waits_no_more_is_not_answered(void **state UNUSED)
{
    struct step step = task_of(issuer_add("https://a.example", ""), "");

    assert_ok(run(&gateway, ask_in, &step));
    assert_ok(run(&dispatcher, take_in, &step));
    assert_ok(run(&gateway, forget_in, &step));
    step.outcome = OIDC_TASK_FAILED;
    assert_int_equal(run(&dispatcher, settle_in, &step), ERR_NOT_FOUND);
}

static void
only_so_many_wait(void **state UNUSED)
{
    struct id issuer = issuer_add("https://a.example", "");
    struct step step;
    char address[32];

    for (size_t i = 0; i < OIDC_TASK_ADDRESS_MAX; i++) {
        step = task_of(issuer, "192.0.2.1");
        assert_ok(run(&gateway, ask_in, &step));
    }
    step = task_of(issuer, "192.0.2.1");
    assert_int_equal(run(&gateway, ask_in, &step), ERR_RATE_LIMITED);
    for (size_t i = OIDC_TASK_ADDRESS_MAX; i < OIDC_TASKS_MAX; i++) {
        snprintf(address, sizeof(address), "198.51.100.%zu", i);
        step = task_of(issuer, address);
        assert_ok(run(&gateway, ask_in, &step));
    }
    step = task_of(issuer, "203.0.113.1");
    assert_int_equal(run(&gateway, ask_in, &step), ERR_BUSY);
    test_cluster_sql("update harkara.oidc_task set created_at = created_at - interval '1 min'");
    assert_ok(run(&gateway, ask_in, &step)); /* nobody waits for the others any more */
    assert_ok(run(&dispatcher, take_in, &step));
    assert_true(id_eq(step.claim.id, step.id)); /* nor are they begun */
    assert_int_equal(run(&dispatcher, take_in, &step), ERR_NOTHING);
    step = task_of(id_new(clock_system()), "203.0.113.2");
    assert_int_equal(run(&gateway, ask_in, &step), ERR_NOT_FOUND);
}

/* One issuer's many do not hold up another's one. */
static void
the_issuer_with_the_fewest_under_way_is_next(void **state UNUSED)
{
    struct id slow = issuer_add("https://slow.example", ""), quick = issuer_add("https://quick.example", "");
    struct step step;

    for (size_t i = 0; i < 3; i++) {
        step = task_of(slow, "192.0.2.1");
        assert_ok(run(&gateway, ask_in, &step));
    }
    step = task_of(quick, "192.0.2.2");
    assert_ok(run(&gateway, ask_in, &step));
    assert_ok(run(&dispatcher, take_in, &step));
    assert_true(id_eq(step.claim.issuer, slow));
    assert_ok(run(&dispatcher, take_in, &step));
    assert_true(id_eq(step.claim.issuer, quick));
}

#define TEST(test) cmocka_unit_test_setup(test, emptied)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_secret_is_opened_by_the_dispatcher_alone),
        TEST(an_issuer_is_there_once_and_says_where_to_go),
        TEST(a_domain_admits_verified_addresses_of_its_own),
        TEST(a_subject_is_one_persons),
        TEST(a_person_keeps_the_last_way_in),
        TEST(sessions_end_with_the_issuer_that_began_them),
        TEST(what_is_asked_is_answered_once),
        TEST(who_waits_no_more_is_not_answered),
        TEST(only_so_many_wait),
        TEST(the_issuer_with_the_fewest_under_way_is_next),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
