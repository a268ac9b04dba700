/* Sleeping without missing anything, on a real PostgreSQL. */
#include "domain/webhook/webhook_rest.h"
#include "domain/webhook/webhook_testing.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

static const char *const all[] = { "*", NULL };
static struct id acme, bolt;
static struct db *other; /* of the gateway's */
static int64_t horizon;

static int
opened(void **state)
{
    int failed = webhook_testing_open(state);

    if (id_is_zero(acme)) {
        acme = vault_testing_tenant("acme");
        bolt = vault_testing_tenant("bolt");
    }
    test_cluster_sql("update consumer_cursor set is_resting = false");
    other = test_cluster_open("harkara_gateway");
    horizon = 0;
    return failed;
}

static int
closed(void **state)
{
    db_close(other);
    return webhook_testing_close(state);
}

static bool
is_quiet(void)
{
    bool is_quiet = false;

    assert_ok(webhook_rest(webhook_testing_webhooks, &horizon, &is_quiet));
    return is_quiet;
}

static size_t
taken(void)
{
    size_t queued = 0;

    return webhook_testing_fan_out(&queued);
}

/* An event of a transaction that goes on. */
static void
write_slowly(struct db_tx *tx)
{
    assert_ok(db_begin(other, bolt, tx));
    assert_ok(event_append(tx, &(struct event){ .id = id_new(clock_system()),
                                                .type = EVENT_MESSAGE_SENT,
                                                .subject = id_new(clock_system()),
                                                .occurred_at = clock_wall(clock_system()) }));
}

static void
an_event_behind_an_older_transaction_keeps_it_awake(void **state UNUSED)
{
    struct db_tx slow;

    assert_true(is_quiet());
    write_slowly(&slow);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(taken(), 0);
    assert_false(is_quiet());
    assert_ok(db_commit(&slow));
    assert_false(is_quiet());
    assert_int_equal(taken(), 2);
    assert_true(is_quiet());
}

static void
a_message_that_is_an_event_keeps_it_awake(void **state UNUSED)
{
    assert_true(is_quiet());
    webhook_testing_message(acme);
    assert_false(is_quiet());
    assert_int_equal(taken(), 1);
    assert_true(is_quiet());
}

/* It sends no notice: the flag was down when it looked. */
static void
who_looked_before_the_flag_was_up_is_waited_for(void **state UNUSED)
{
    struct db_tx slow;

    write_slowly(&slow);
    assert_false(is_quiet());
    assert_int_equal(webhook_testing_count("select count(*) from consumer_cursor where is_resting"), 1);
    assert_false(is_quiet());
    assert_ok(db_commit(&slow));
    assert_false(is_quiet());
    assert_int_equal(taken(), 1);
    assert_true(is_quiet());
}

static void *
lie_down(void *quiet)
{
    *(bool *)quiet = is_quiet();
    return NULL;
}

/*
 * The flag is on its way up while one with a higher number looks: when it is up, no number above it has been
 * used up.
 */
static void
who_began_while_the_flag_went_up_is_waited_for_too(void **state UNUSED)
{
    pthread_t sleeper;
    struct db_tx slow;
    bool was_quiet = true;

    test_cluster_sql("begin; select from consumer_cursor where consumer = 'webhooks' for update");
    assert_int_equal(pthread_create(&sleeper, NULL, lie_down, &was_quiet), 0);
    while (webhook_testing_count("select count(*) from pg_locks where not granted") == 0)
        ;
    write_slowly(&slow);
    test_cluster_sql("commit");
    assert_int_equal(pthread_join(sleeper, NULL), 0);
    assert_false(was_quiet);
    assert_ok(db_commit(&slow));
    assert_false(is_quiet());
    assert_int_equal(taken(), 1);
    assert_true(is_quiet());
}

/* Of one that was ended while it lay there, and had not waited long enough. */
static void
a_flag_that_was_left_up_does_not_tell_who_looked_before(void **state UNUSED)
{
    struct db_tx slow;

    write_slowly(&slow);
    assert_false(is_quiet());
    horizon = 0; /* the next one's */
    assert_false(is_quiet());
    assert_ok(db_commit(&slow));
    assert_int_equal(taken(), 1);
    assert_true(is_quiet());
}

static void
on_notice(void *ctx, struct slice channel, struct slice payload UNUSED)
{
    assert_true(slice_eq(channel, SLICE(WEBHOOK_CHANNEL)));
    ++*(size_t *)ctx;
}

/* How many have come, when one has. */
static size_t
notices(void)
{
    size_t count = 0;

    for (;;) {
        assert_ok(db_notifications(webhook_testing_webhooks, on_notice, &count));
        if (count > 0)
            return count;
        (void)poll(&(struct pollfd){ .fd = db_fd(webhook_testing_webhooks), .events = POLLIN }, 1, 1000);
    }
}

static void
an_event_sends_a_notice_only_while_somebody_rests(void **state UNUSED)
{
    struct db_tx tx;

    assert_ok(db_listen(webhook_testing_webhooks, WEBHOOK_CHANNEL));
    assert_true(is_quiet());
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(notices(), 1);
    assert_int_equal(taken(), 1); /* somebody looks now */
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_wake(&tx));
    assert_ok(db_commit(&tx));
    assert_int_equal(notices(), 1); /* they come in order: the two have sent none */
}

static void
the_next_delivery_is_told_with_its_endpoints_hold(void **state UNUSED)
{
    struct wall_time due, later;

    assert_int_equal(webhook_next_due(webhook_testing_webhooks, &due), ERR_NOTHING);
    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(webhook_next_due(webhook_testing_webhooks, &due), ERR_NOTHING);
    assert_int_equal(taken(), 1);
    assert_ok(webhook_next_due(webhook_testing_webhooks, &due));
    test_cluster_sql("update webhook_endpoint set not_before = now() + interval '1 hour'");
    assert_ok(webhook_next_due(webhook_testing_webhooks, &later));
    assert_true(later.us - due.us > INT64_C(3500) * 1000000);
    test_cluster_sql("update webhook_delivery set lease_until = now() + interval '1 minute'");
    assert_int_equal(webhook_next_due(webhook_testing_webhooks, &due), ERR_NOTHING);
    test_cluster_sql("update webhook_delivery set lease_until = null");
    test_cluster_sql("update webhook_endpoint set state = 'disabled'");
    assert_int_equal(webhook_next_due(webhook_testing_webhooks, &due), ERR_NOTHING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
WEBHOOK_MAIN(TEST(an_event_behind_an_older_transaction_keeps_it_awake),
             TEST(a_message_that_is_an_event_keeps_it_awake),
             TEST(who_looked_before_the_flag_was_up_is_waited_for),
             TEST(who_began_while_the_flag_went_up_is_waited_for_too),
             TEST(a_flag_that_was_left_up_does_not_tell_who_looked_before),
             TEST(an_event_sends_a_notice_only_while_somebody_rests),
             TEST(the_next_delivery_is_told_with_its_endpoints_hold))
