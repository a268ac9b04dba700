/* Stored callbacks: once each, claimed with lease and fence, opened by the vault, postponed and given up. */
#include "domain/message/message_testing.h"
#include "domain/message/provider_event.h"
#include "domain/tenant/tenant_key.h"
#include "program/vault/vault_testing.h"

#define BODY SLICE("{\"object\":\"whatsapp_business_account\",\"entry\":[]}")

static struct db *gateway;
static struct vault_client *client;
static struct vault vault;
static struct arena *arena;
static struct id acme, bolt, channel;

static int
group_open(void **state)
{
    int failed = test_cluster_setup(state);

    vault_testing_start();
    acme = vault_testing_tenant("acme");
    bolt = vault_testing_tenant("bolt");
    client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    return failed;
}

static int
group_close(void **state)
{
    vault_client_free(client);
    vault_testing_stop();
    return test_cluster_teardown(state);
}

static int
opened(void **state UNUSED)
{
    test_cluster_sql("delete from harkara.provider_event");
    gateway = test_cluster_open("harkara_gateway");
    vault = tenant_vault(client, gateway);
    arena = arena_new(8u << 20);
    channel = id_new(clock_system());
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(gateway);
    arena_free(arena);
    return 0;
}

static bool
store(struct id tenant, struct slice body)
{
    struct provider_event_new event;
    struct db_rows *stored;
    bool is_new = false;
    struct db_tx tx;

    assert_ok(provider_event_seal(&vault, clock_system(), tenant, channel, body, arena, &event));
    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(provider_events_store(&tx, &event, 1, arena, &stored));
    assert_ok(db_commit(&tx));
    is_new = db_rows_count(stored) == 1;
    db_rows_free(stored);
    return is_new;
}

static size_t
claim(struct provider_event **out)
{
    size_t count = 0;

    assert_ok(provider_event_claim(gateway, 10, arena, out, &count));
    return count;
}

static void
postpone(const struct provider_event *event, enum err why)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, event->tenant, &tx));
    assert_ok(provider_event_postpone(&tx, clock_system(), event, why));
    assert_ok(db_commit(&tx));
}

static enum err
done(const struct provider_event *event)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, event->tenant, &tx));
    enum err err = provider_event_done(&tx, event);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static void
the_same_bytes_are_stored_once_in_a_channel(void **state UNUSED)
{
    assert_true(store(acme, BODY));
    assert_false(store(acme, BODY));
    assert_true(store(acme, SLICE("other")));
    assert_true(store(bolt, BODY));
    assert_int_equal(message_testing_count("select count(distinct digest) from provider_event"),
                     3); /* keyed */
    channel = id_new(clock_system());
    assert_true(store(acme, BODY));
}

static void
a_claimed_body_opens_and_is_done_once(void **state UNUSED)
{
    struct provider_event *events, *none;
    struct slice body;

    store(acme, BODY);
    assert_int_equal(claim(&events), 1);
    assert_int_equal(claim(&none), 0); /* it is leased */
    assert_ok(provider_event_open(&vault, &events[0], arena, &body));
    assert_true(slice_eq(body, BODY));
    assert_ok(done(&events[0]));
    assert_int_equal(done(&events[0]), ERR_STATE_CONFLICT);
    assert_int_equal(message_testing_count("select count(*) from provider_event where state = 'interpreted'"),
                     1);
}

static void
whoever_lost_the_claim_settles_nothing(void **state UNUSED)
{
    struct provider_event *old, *new;

    store(acme, BODY);
    assert_int_equal(claim(&old), 1);
    test_cluster_sql("update provider_event set lease_until = now() - interval '1 second'");
    assert_int_equal(claim(&new), 1);
    assert_int_equal(done(&old[0]), ERR_STATE_CONFLICT);
    postpone(&old[0], ERR_PROVIDER_BODY);
    assert_int_equal(message_testing_count("select count(*) from provider_event where state = 'stored' and"
                                           " lease_until > now()"),
                     1);
    assert_ok(done(&new[0]));
}

static void
a_lease_that_a_clock_ahead_has_given_is_over(void **state UNUSED)
{
    struct provider_event *old, *new;

    store(acme, BODY);
    assert_int_equal(claim(&old), 1);
    test_cluster_sql("update provider_event set lease_until = now() + interval '39 seconds'");
    assert_int_equal(claim(&new), 0);
    test_cluster_sql("update provider_event set lease_until = now() + interval '2 hours'");
    assert_int_equal(claim(&new), 1);
    assert_int_equal(done(&old[0]), ERR_STATE_CONFLICT);
    assert_ok(done(&new[0]));
}

static void
let_it_be_due(void)
{
    test_cluster_sql("update provider_event set due_at = now()");
}

static void
what_fails_again_and_again_is_given_up(void **state UNUSED)
{
    struct provider_event *events;
    int64_t waited_ms = 0;

    store(acme, BODY);
    for (int i = 1; i <= PROVIDER_EVENT_ATTEMPTS_MAX; i++) {
        assert_int_equal(message_testing_count("select count(*) from provider_event where state = 'stored'"),
                         1);
        assert_int_equal(claim(&events), 1);
        assert_int_equal(events[0].attempt, i);
        postpone(&events[0], ERR_SEAL_CORRUPT);
        int64_t wait_ms = message_testing_count(
            "select (extract(epoch from due_at - now()) * 1000)::bigint from provider_event");
        assert_true(wait_ms > waited_ms); /* the gaps grow */
        waited_ms = wait_ms;
        let_it_be_due();
    }
    assert_int_equal(message_testing_count("select count(*) from provider_event where state = 'failed' and"
                                           " error = 'seal-corrupt'"),
                     1);
    assert_int_equal(claim(&events), 0);
}

static void
bytes_that_never_read_are_given_up_at_once(void **state UNUSED)
{
    struct provider_event *events;

    store(acme, SLICE("no JSON"));
    assert_int_equal(claim(&events), 1);
    postpone(&events[0], ERR_JSON_SYNTAX);
    assert_int_equal(message_testing_count("select count(*) from provider_event where state = 'failed'"), 1);
}

/* It was answered 200. However long the vault or the database are away, it is kept and tried again. */
static void
nothing_is_counted_while_we_are_away(void **state UNUSED)
{
    static const enum err away[] = { ERR_VAULT_UNAVAILABLE, ERR_DB_UNAVAILABLE, ERR_DB_CONFLICT };
    struct provider_event *events;

    store(acme, BODY);
    for (int i = 0; i < 3 * PROVIDER_EVENT_ATTEMPTS_MAX; i++) {
        assert_int_equal(claim(&events), 1);
        assert_int_equal(events[0].attempt, 1);
        postpone(&events[0], away[(size_t)i % COUNT_OF(away)]);
        let_it_be_due();
    }
    assert_int_equal(claim(&events), 1);
    assert_ok(done(&events[0]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_bytes_are_stored_once_in_a_channel), TEST(a_claimed_body_opens_and_is_done_once),
        TEST(whoever_lost_the_claim_settles_nothing),      TEST(a_lease_that_a_clock_ahead_has_given_is_over),
        TEST(what_fails_again_and_again_is_given_up),      TEST(bytes_that_never_read_are_given_up_at_once),
        TEST(nothing_is_counted_while_we_are_away),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
