/* Events made again: one by one, and of a time in the background. */
#include "domain/webhook/webhook_log.h"
#include "domain/webhook/webhook_replay.h"
#include "domain/webhook/webhook_testing.h"
#include <stdio.h>

static const char *const all[] = { "*", NULL };
static struct id acme, bolt;

static struct webhook_endpoint
endpoint_with(size_t events)
{
    size_t queued = 0;

    if (id_is_zero(acme)) {
        acme = vault_testing_tenant("acme");
        bolt = vault_testing_tenant("bolt");
    }
    test_cluster_sql("delete from webhook_replay");
    struct webhook_endpoint endpoint = webhook_testing_endpoint(acme, all);
    test_cluster_sql("select pg_sleep(0.005)"); /* ids tell milliseconds: what follows is after it */
    for (size_t i = 0; i < events; i++)
        webhook_testing_event(acme, i % 2 == 0 ? EVENT_MESSAGE_SENT : EVENT_MESSAGE_RECEIVED,
                              i % 2 == 0 ? NULL : "{\"from\": \"+14155550123\"}");
    webhook_testing_fan_out(&queued);
    return endpoint;
}

static enum err
create(struct id tenant, struct id endpoint, bool has_all, const struct slice *events, size_t count,
       struct webhook_replay *out)
{
    static const struct slice any = { "*", 1 };
    struct wall_time now = clock_wall(clock_system());
    struct webhook_replay_new with = { .id = id_new(clock_system()),
                                       .endpoint = endpoint,
                                       .since = { now.us - INT64_C(3600000000) },
                                       .until = { now.us + INT64_C(3600000000) },
                                       .events = events == NULL ? &any : events,
                                       .event_count = events == NULL ? 1 : count,
                                       .has_all = has_all };
    struct db_tx tx;

    assert_ok(db_begin(webhook_testing_gateway, tenant, &tx));
    enum err err = webhook_replay_create(&tx, &with, webhook_testing_arena, out);
    if (err == ERR_OK)
        assert_ok(db_commit(&tx));
    db_rollback(&tx);
    return err;
}

/* Until it is at its end; how many deliveries it made. */
static size_t
run(void)
{
    size_t made = 0, queued = 0;

    for (bool is_busy = true; is_busy; made += queued)
        assert_ok(webhook_replay_step(webhook_testing_webhooks, &webhook_testing_signer, clock_system(),
                                      webhook_testing_arena, &is_busy, &queued));
    return made;
}

static int64_t
deliveries(const char *condition)
{
    return webhook_testing_count("select count(*) from webhook_delivery where %s", condition);
}

static void
what_failed_comes_again_with_its_event_and_body(void **state UNUSED)
{
    struct webhook_replay replay;

    struct webhook_endpoint endpoint = endpoint_with(4);
    test_cluster_sql("update webhook_delivery set state = 'failed', attempt = 8, finished_at = now();"
                     "update webhook_delivery set state = 'delivered' where event_type = 'message.received'");
    int64_t before = webhook_testing_count(
        "select sum(hashtext(encode(body_ct, 'hex') || event_id::text)) from webhook_delivery");
    assert_ok(create(acme, endpoint.id, false, NULL, 0, &replay));
    assert_true(slice_eq(replay.state, SLICE("running")));
    assert_true(replay.since.us >= endpoint.created_at.us); /* not from before it was made */
    assert_int_equal(run(), 2);
    assert_int_equal(
        deliveries("state = 'pending' and attempt = 0 and finished_at is null and due_at <= now()"), 2);
    assert_int_equal(deliveries("state = 'delivered'"), 2);
    assert_int_equal(
        webhook_testing_count(
            "select sum(hashtext(encode(body_ct, 'hex') || event_id::text)) from webhook_delivery"),
        before);
    assert_int_equal(
        webhook_testing_count("select count(*) from webhook_replay where state = 'done' and count = 2 and"
                              " finished_at is not null"),
        1);
}

/* Messages that are events come in their place, and those that are none do not come. */
static void
messages_that_are_events_come_again_too(void **state UNUSED)
{
    struct webhook_replay replay;
    struct webhook_endpoint endpoint = endpoint_with(0);
    size_t queued = 0;

    for (size_t i = 0; i < 60; i++) /* more than a step */
        webhook_testing_message(acme);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(webhook_testing_fan_out(&queued), 61);
    test_cluster_sql("delete from webhook_delivery; update message set told_xid = null where id ="
                     " (select min(id::text)::uuid from message)");
    assert_ok(create(acme, endpoint.id, false, NULL, 0, &replay));
    assert_int_equal(run(), 60);
    assert_int_equal(deliveries("event_type = 'message.accepted'"), 59);
}

static void
on_request_what_was_delivered_comes_again_too(void **state UNUSED)
{
    const struct slice received = SLICE("message.received");
    struct webhook_replay replay;

    struct webhook_endpoint endpoint = endpoint_with(4);
    test_cluster_sql("update webhook_delivery set state = 'delivered', finished_at = now()");
    assert_ok(create(acme, endpoint.id, true, &received, 1, &replay));
    assert_int_equal(run(), 2);
    assert_int_equal(deliveries("state = 'pending' and event_type = 'message.received'"), 2);
}

/* While it was disabled no deliveries were made: enabled again, it is sent what it missed. */
static void
what_was_missed_while_disabled_is_made(void **state UNUSED)
{
    struct webhook_endpoint_change disable = { .has_state = true, .state = WEBHOOK_ENDPOINT_DISABLED };
    struct webhook_endpoint_change enable = { .has_state = true, .state = WEBHOOK_ENDPOINT_ENABLED };
    struct webhook_replay replay;
    struct webhook_endpoint shown;
    size_t queued = 0;
    struct db_tx tx;

    struct webhook_endpoint endpoint = endpoint_with(1);
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_endpoint_update(&tx, endpoint.id, &disable, webhook_testing_arena, &shown));
    assert_ok(db_commit(&tx));
    for (int i = 0; i < 120; i++) /* more than one step looks at */
        webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, "{\"from\": \"+14155550123\"}");
    webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, "no JSON"); /* damaged: passed */
    webhook_testing_event(bolt, EVENT_MESSAGE_SENT, NULL);          /* somebody else's */
    assert_int_equal(webhook_testing_fan_out(&queued), 122);
    assert_int_equal(queued, 0);
    assert_int_equal(create(acme, endpoint.id, false, NULL, 0, &replay), ERR_STATE_CONFLICT);
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_endpoint_update(&tx, endpoint.id, &enable, webhook_testing_arena, &shown));
    assert_ok(db_commit(&tx));
    assert_ok(create(acme, endpoint.id, false, NULL, 0, &replay));
    assert_int_equal(create(acme, endpoint.id, false, NULL, 0, &replay),
                     ERR_STATE_CONFLICT); /* one at a time */
    assert_int_equal(run(), 121);         /* with the one that was canceled */
    assert_int_equal(deliveries("state = 'pending'"), 121);
    assert_int_equal(webhook_testing_count("select count from webhook_replay where state = 'done'"), 121);
    assert_ok(create(acme, endpoint.id, true, NULL, 0, &replay));
    assert_int_equal(run(), 0); /* all of them are on their way */
}

static void
it_waits_while_much_is_pending_and_ends_with_its_endpoint(void **state UNUSED)
{
    struct webhook_replay replay;
    struct db_tx tx;
    bool is_busy;
    size_t queued;

    struct webhook_endpoint endpoint = endpoint_with(1);
    test_cluster_sql(
        "insert into webhook_delivery (tenant_id, id, endpoint_id, event_id, event_type, key_version, body_ct,"
        " body_iv, body_tag) select tenant_id, gen_random_uuid(), endpoint_id, gen_random_uuid(), 'message.sent',"
        " key_version, body_ct, body_iv, body_tag from webhook_delivery cross join generate_series(1, 999)");
    assert_ok(create(acme, endpoint.id, false, NULL, 0, &replay));
    assert_ok(webhook_replay_step(webhook_testing_webhooks, &webhook_testing_signer, clock_system(),
                                  webhook_testing_arena, &is_busy, &queued));
    assert_false(is_busy);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_replay where state = 'running'"), 1);
    test_cluster_sql("update webhook_endpoint set state = 'disabled'");
    assert_int_equal(run(), 0);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_replay where state = 'canceled'"),
                     1);
    test_cluster_sql("update webhook_endpoint set state = 'enabled'");
    assert_ok(create(acme, endpoint.id, false, NULL, 0, &replay));
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_endpoint_delete(&tx, endpoint.id, 0));
    assert_ok(db_commit(&tx));
    assert_int_equal(webhook_testing_count("select count(*) from webhook_replay where state = 'running'"), 0);
    assert_int_equal(create(acme, endpoint.id, false, NULL, 0, &replay), ERR_NOT_FOUND);
}

static void
another_workspace_finds_none_of_it(void **state UNUSED)
{
    struct webhook_replay replay, other;
    struct webhook_delivery delivery;
    struct db_tx tx;

    struct webhook_endpoint endpoint = endpoint_with(1);
    assert_ok(create(acme, endpoint.id, false, NULL, 0, &replay));
    assert_int_equal(create(bolt, endpoint.id, false, NULL, 0, &other), ERR_NOT_FOUND);
    assert_ok(db_begin(webhook_testing_gateway, bolt, &tx));
    assert_int_equal(webhook_replay_get(&tx, replay.id, webhook_testing_arena, &other), ERR_NOT_FOUND);
    db_rollback(&tx);
    struct webhook_delivery_filter any = { .has_after = false };
    struct webhook_delivery *list;
    size_t count;
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_delivery_list(&tx, endpoint.id, &any, (struct id){ { 0 } }, 10, webhook_testing_arena,
                                    &list, &count));
    assert_int_equal(count, 1);
    db_rollback(&tx);
    assert_ok(db_begin(webhook_testing_gateway, bolt, &tx));
    assert_int_equal(webhook_delivery_get(&tx, list[0].id, webhook_testing_arena, &delivery), ERR_NOT_FOUND);
    assert_int_equal(webhook_delivery_again(&tx, list[0].id, webhook_testing_arena, &delivery),
                     ERR_NOT_FOUND);
    db_rollback(&tx);
}

static void
one_delivery_is_made_again(void **state UNUSED)
{
    struct webhook_delivery_filter any = { .has_after = false };
    struct webhook_delivery *list, delivery;
    size_t count;
    struct db_tx tx;

    struct webhook_endpoint endpoint = endpoint_with(1);
    test_cluster_sql("update webhook_delivery set state = 'delivered', attempt = 3, finished_at = now()");
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_delivery_list(&tx, endpoint.id, &any, (struct id){ { 0 } }, 10, webhook_testing_arena,
                                    &list, &count));
    assert_ok(webhook_delivery_again(&tx, list[0].id, webhook_testing_arena, &delivery));
    assert_ok(db_commit(&tx));
    assert_true(delivery.is_pending && !delivery.is_finished);
    assert_int_equal(deliveries("attempt = 0 and state = 'pending'"), 1);
    test_cluster_sql("update webhook_delivery set attempt = 1, lease_until = now() + interval '1 minute'");
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_delivery_again(&tx, list[0].id, webhook_testing_arena, &delivery));
    assert_ok(db_commit(&tx));
    assert_int_equal(deliveries("attempt = 1 and lease_until > now()"), 1); /* under way: left to it */
    test_cluster_sql("update webhook_endpoint set state = 'disabled'");
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_int_equal(webhook_delivery_again(&tx, list[0].id, webhook_testing_arena, &delivery),
                     ERR_STATE_CONFLICT);
    db_rollback(&tx);
}

WEBHOOK_MAIN(WEBHOOK_TEST(what_failed_comes_again_with_its_event_and_body),
             WEBHOOK_TEST(messages_that_are_events_come_again_too),
             WEBHOOK_TEST(on_request_what_was_delivered_comes_again_too),
             WEBHOOK_TEST(what_was_missed_while_disabled_is_made),
             WEBHOOK_TEST(it_waits_while_much_is_pending_and_ends_with_its_endpoint),
             WEBHOOK_TEST(another_workspace_finds_none_of_it), WEBHOOK_TEST(one_delivery_is_made_again))
