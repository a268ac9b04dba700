/* Stored callbacks: once each, claimed with lease and fence, opened by the vault, postponed and given up. */
#include "domain/message/message_testing.h"
#include "domain/message/provider_event.h"
#include "domain/tenant/tenant_key.h"
#include "program/vault/vault_pair_testing.h"

#define BODY SLICE("{\"object\":\"whatsapp_business_account\",\"entry\":[]}")

static struct db *gateway;
static struct vault_client *client;
static struct vault vault;
static struct arena *arena;
static struct id channel;

static int
group_open(void **state)
{
    int failed = vault_pair_open(state);

    client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    return failed;
}

static int
group_close(void **state)
{
    vault_client_free(client);
    return vault_pair_close(state);
}

static int
opened(void **state UNUSED)
{
    test_cluster_sql("delete from harkara.provider_batch; delete from harkara.provider_event");
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
    assert_ok(provider_events_store(&tx, &event, 1, id_new(clock_system()), false, arena, &stored));
    assert_ok(db_commit(&tx));
    is_new = db_rows_count(stored) == 1;
    db_rows_free(stored);
    return is_new;
}

/* Several as one batch; whoever has them in hand has these. */
static size_t
store_together(const struct slice *bodies, size_t count, bool is_in_hand, struct provider_event *out)
{
    struct provider_event_new *events = arena_array(arena, count, sizeof(*events));
    struct id batch = id_new(clock_system());
    struct db_rows *stored;
    struct db_tx tx;
    size_t row = 0;

    for (size_t i = 0; i < count; i++)
        assert_ok(provider_event_seal(&vault, clock_system(), acme, channel, bodies[i], arena, &events[i]));
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(provider_events_store(&tx, events, count, batch, is_in_hand, arena, &stored));
    assert_ok(db_commit(&tx));
    for (size_t i = 0; i < count && row < db_rows_count(stored); i++)
        if (id_eq(events[i].id, db_id(stored, row, 0)))
            out[row++] = (struct provider_event){
                .id = events[i].id, .tenant = acme, .channel = channel, .batch = batch, .attempt = 1
            };
    assert_int_equal(row, db_rows_count(stored)); /* in their order */
    db_rows_free(stored);
    return row;
}

static size_t
claim_either(bool is_alone, struct provider_event **out, bool *is_split)
{
    size_t count = 0;

    assert_ok(provider_event_claim(gateway, 10, is_alone, arena, out, &count, is_split));
    return count;
}

static size_t
claim(struct provider_event **out)
{
    bool is_split;
    size_t count = claim_either(false, out, &is_split);

    return count > 0 ? count : claim_either(true, out, &is_split);
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
    assert_int_equal(message_testing_count("select count(*) from provider_batch"), 0);
    assert_int_equal(message_testing_count("select count(*) from provider_event where error is null"), 1);
}

static void
whoever_lost_the_claim_settles_nothing(void **state UNUSED)
{
    struct provider_event *old, *new;

    store(acme, BODY);
    assert_int_equal(claim(&old), 1);
    test_cluster_sql("update provider_batch set due_at = now() - interval '1 second'");
    assert_int_equal(claim(&new), 1);
    assert_int_equal(done(&old[0]), ERR_STATE_CONFLICT);
    postpone(&old[0], ERR_PROVIDER_BODY);
    assert_int_equal(message_testing_count("select count(*) from provider_batch where due_at > now()"), 1);
    assert_ok(done(&new[0]));
}

static void
a_lease_that_a_clock_ahead_has_given_is_over(void **state UNUSED)
{
    struct provider_event *old, *new;

    store(acme, BODY);
    assert_int_equal(claim(&old), 1);
    test_cluster_sql("update provider_batch set due_at = now() + interval '30 seconds'");
    assert_int_equal(claim(&new), 0);
    /* what failed waits longer than what is in somebody's hands */
    test_cluster_sql("update provider_batch set due_at = now() + interval '19 minutes', error = 'timeout'");
    assert_int_equal(claim(&new), 0);
    test_cluster_sql("update provider_batch set due_at = now() + interval '2 hours'");
    assert_int_equal(claim(&new), 1);
    assert_ok(done(&new[0]));
    store(acme, SLICE("{\"another\":1}"));
    assert_int_equal(claim(&old), 1);
    test_cluster_sql("update provider_batch set due_at = now() + interval '1 minute'");
    assert_int_equal(claim(&new), 1);
    assert_int_equal(done(&old[0]), ERR_STATE_CONFLICT);
    assert_ok(done(&new[0]));
}

static void
let_it_be_due(void)
{
    test_cluster_sql("update provider_batch set due_at = now()");
}

static void
what_fails_again_and_again_is_given_up(void **state UNUSED)
{
    struct provider_event *events;
    int64_t waited_ms = 0;

    store(acme, BODY);
    for (int i = 1; i <= PROVIDER_EVENT_ATTEMPTS_MAX; i++) {
        assert_int_equal(message_testing_count("select count(*) from provider_batch"), 1);
        assert_int_equal(claim(&events), 1);
        assert_int_equal(events[0].attempt, i);
        postpone(&events[0], ERR_SEAL_CORRUPT);
        if (i < PROVIDER_EVENT_ATTEMPTS_MAX) {
            int64_t wait_ms = message_testing_count(
                "select (extract(epoch from due_at - now()) * 1000)::bigint from provider_batch");
            assert_true(wait_ms > waited_ms); /* the gaps grow */
            waited_ms = wait_ms;
        }
        let_it_be_due();
    }
    assert_int_equal(
        message_testing_count("select count(*) from provider_event where error = 'seal-corrupt'"), 1);
    assert_int_equal(message_testing_count("select count(*) from provider_batch"), 0);
    assert_int_equal(claim(&events), 0);
}

static void
bytes_that_never_read_are_given_up_at_once(void **state UNUSED)
{
    struct provider_event *events;

    store(acme, SLICE("no JSON"));
    assert_int_equal(claim(&events), 1);
    postpone(&events[0], ERR_JSON_SYNTAX);
    assert_int_equal(message_testing_count("select count(*) from provider_event where error is not null"), 1);
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

static void
what_is_in_hand_is_claimed_when_its_lease_is_over(void **state UNUSED)
{
    const struct slice bodies[] = { SLICE("one"), SLICE("two"), SLICE("one"), SLICE("three") };
    struct provider_event in_hand[4], *events;
    struct slice body;

    assert_int_equal(store_together(bodies, COUNT_OF(bodies), true, in_hand), 3);
    assert_int_equal(claim(&events), 0);
    let_it_be_due();
    assert_int_equal(claim(&events), 3);
    for (size_t i = 0; i < 3; i++) { /* in their order */
        assert_true(id_eq(events[i].id, in_hand[i].id));
        assert_int_equal(events[i].attempt, 2);
    }
    assert_ok(provider_event_open(&vault, &events[2], arena, &body));
    assert_true(slice_eq(body, SLICE("three")));
    assert_int_equal(done(&in_hand[0]), ERR_STATE_CONFLICT);
    postpone(&in_hand[1], ERR_PROVIDER_BODY);
    for (size_t i = 0; i < 3; i++)
        assert_ok(done(&events[i]));
    assert_int_equal(message_testing_count("select count(*) from provider_batch"), 0);
    assert_int_equal(message_testing_count("select count(*) from provider_event where error is null"), 3);
}

/* What is left of a batch is done together; what was taken out of it stands by itself. */
static void
one_of_a_batch_is_tried_again_by_itself(void **state UNUSED)
{
    const struct slice bodies[] = { SLICE("one"), SLICE("two"), SLICE("three") };
    const struct provider_event *left[2];
    struct provider_event in_hand[3], *events;
    struct db_tx tx;
    bool held[2];

    assert_int_equal(store_together(bodies, COUNT_OF(bodies), true, in_hand), 3);
    left[0] = &in_hand[0];
    left[1] = &in_hand[2];
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(provider_events_done(&tx, left, 2, arena, held));
    assert_false(held[0] || held[1]); /* another one is still in it */
    db_rollback(&tx);
    postpone(&in_hand[1], ERR_SEAL_CORRUPT);
    assert_int_equal(done(&in_hand[1]), ERR_STATE_CONFLICT);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(provider_events_done(&tx, left, 2, arena, held));
    assert_true(held[0] && held[1]);
    assert_ok(db_commit(&tx));
    let_it_be_due();
    assert_int_equal(claim(&events), 1);
    assert_true(id_eq(events[0].id, in_hand[1].id));
    assert_int_equal(events[0].attempt, 2);
    assert_ok(done(&events[0]));
}

/* One of them may have ended those who read them. */
static void
a_batch_that_nobody_came_back_from_is_split(void **state UNUSED)
{
    const struct slice bodies[] = { SLICE("one"), SLICE("two") };
    struct provider_event in_hand[2], *events;
    bool is_split;

    store_together(bodies, COUNT_OF(bodies), true, in_hand);
    for (int i = 2; i <= PROVIDER_EVENT_ATTEMPTS_MANY; i++) {
        let_it_be_due();
        assert_int_equal(claim_either(true, &events, &is_split), 0);
        assert_false(is_split);
        assert_int_equal(claim_either(false, &events, &is_split), 2);
        assert_int_equal(events[1].attempt, i);
    }
    let_it_be_due();
    assert_int_equal(claim_either(false, &events, &is_split), 0);
    assert_int_equal(claim_either(true, &events, &is_split), 0);
    assert_true(is_split);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(claim_either(true, &events, &is_split), 1);
        assert_false(is_split);
        assert_int_equal(events[0].attempt, PROVIDER_EVENT_ATTEMPTS_MANY + 2);
        assert_ok(done(&events[0]));
    }
    assert_int_equal(message_testing_count("select count(*) from provider_batch"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_bytes_are_stored_once_in_a_channel),
        TEST(a_claimed_body_opens_and_is_done_once),
        TEST(whoever_lost_the_claim_settles_nothing),
        TEST(a_lease_that_a_clock_ahead_has_given_is_over),
        TEST(what_fails_again_and_again_is_given_up),
        TEST(bytes_that_never_read_are_given_up_at_once),
        TEST(nothing_is_counted_while_we_are_away),
        TEST(what_is_in_hand_is_claimed_when_its_lease_is_over),
        TEST(one_of_a_batch_is_tried_again_by_itself),
        TEST(a_batch_that_nobody_came_back_from_is_split),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
