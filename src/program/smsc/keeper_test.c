/* The keeper on a real PostgreSQL and a real vault, as smsc's own user; the test plays the loop. */
#include "domain/channel/sms/sms_event.h"
#include "domain/message/message_testing.h"
#include "domain/overview/overview_count.h"
#include "domain/tenant/tenant_key.h"
#include "program/smsc/keeper.h"
#include "program/vault/vault_pair_testing.h"
#include "wire/smpp/smpp_status.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static struct db *gateway;
static struct vault_client *sealer, *opener;
static struct vault vault;
static struct arena *arena;
static struct mailbox news, stored;
static struct keeper *keeper;
static struct keeper_news *backlog;

static void
keeper_open(void)
{
    assert_ok(keeper_new(&(struct keeper_config){ .database = test_cluster_conninfo("harkara_smsc"),
                                                  .clock = clock_system(),
                                                  .vault_client = opener,
                                                  .news = &news,
                                                  .stored = &stored },
                         &keeper));
}

static int
opened(void **state UNUSED)
{
    test_cluster_sql(
        "delete from sms_link; delete from sms_route; delete from sms_connector; delete from provider_batch;"
        "delete from provider_event; delete from sms_part; delete from dispatch_queue; delete from message;"
        "delete from event");
    gateway = test_cluster_open("harkara_gateway");
    sealer = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    opener = vault_testing_client(VAULT_ROLE_SMSC, 5000);
    vault = tenant_vault(sealer, gateway);
    arena = arena_new(8u << 20);
    assert_ok(mailbox_init(&news));
    assert_ok(mailbox_init(&stored));
    keeper_open();
    return 0;
}

static int
closed(void **state UNUSED)
{
    keeper_free(keeper);
    for (struct keeper_news *one = backlog; one != NULL; one = backlog) {
        backlog = (struct keeper_news *)one->item.next;
        keeper_news_free(one);
    }
    for (struct keeper_news *one = (struct keeper_news *)mailbox_take(&news), *next; one != NULL;
         one = next) {
        next = (struct keeper_news *)one->item.next;
        keeper_news_free(one);
    }
    vault_client_free(opener);
    vault_client_free(sealer);
    db_close(gateway);
    arena_free(arena);
    mailbox_release(&news);
    mailbox_release(&stored);
    return 0;
}

/* The next news of this kind; others before it are dropped. */
static struct keeper_news *
next_news(enum keeper_news_kind kind)
{
    for (;;) {
        while (backlog == NULL) {
            (void)poll(&(struct pollfd){ .fd = news.event_fd, .events = POLLIN }, 1, 1000);
            backlog = (struct keeper_news *)mailbox_take(&news);
        }
        struct keeper_news *one = backlog;
        backlog = (struct keeper_news *)one->item.next;
        if (one->kind == kind)
            return one;
        keeper_news_free(one);
    }
}

static struct id
connector_new(struct id tenant)
{
    struct sms_connector connector;
    struct vault_sealed sealed;
    struct db_tx tx;

    sms_connector_init(&connector);
    connector.id = id_new(clock_system());
    connector.name = SLICE("Operator");
    connector.host = SLICE("smpp.example.org");
    connector.port = 2775;
    connector.system_id = SLICE("harkara");
    connector.system_type = connector.address_range = connector.service_type = SLICE("");
    connector.transceivers = 2;
    struct vault_place place = sms_connector_password_place(tenant, connector.id, 1);
    struct vault_seal_item item = { .place = place, .plain = SLICE("s3cret") };
    assert_ok(vault_seal_many(&vault, VAULT_CREDENTIAL, &item, 1, arena));
    sealed = item.sealed;
    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(sms_connector_create(&tx, &connector, &sealed));
    assert_ok(sms_route_create(&tx, &(struct sms_route){ .id = id_new(clock_system()),
                                                         .prefix = SLICE("91"),
                                                         .connector = connector.id }));
    assert_ok(db_commit(&tx));
    return connector.id;
}

static void
a_connector_is_told_with_its_password_and_its_routes_and_when_it_goes(void **state UNUSED)
{
    struct keeper_news *one = next_news(KEEPER_WORKS);

    keeper_news_free(one);
    struct id id = connector_new(acme);
    one = next_news(KEEPER_CONNECTOR);
    assert_true(id_eq(one->connector->tenant, acme));
    assert_true(id_eq(one->connector->settings.id, id));
    assert_true(slice_eq(one->connector->settings.host, SLICE("smpp.example.org")));
    assert_true(slice_eq(secret_slice(one->connector->password), SLICE("s3cret")));
    assert_int_equal(one->connector->settings.transceivers, 2);
    keeper_news_free(one);
    test_cluster_sql("update sms_connector set per_second = 77, revision = revision + 1");
    one = next_news(KEEPER_CONNECTOR);
    assert_int_equal(one->connector->settings.per_second, 77);
    keeper_news_free(one);
    test_cluster_sql("update sms_route set prefix = '9198', revision = revision + 1");
    for (bool is_there = false; !is_there; keeper_news_free(one)) {
        one = next_news(KEEPER_ROUTES);
        is_there = one->route_count == 1 && slice_eq(one->routes[0].prefix, SLICE("9198")) &&
                   id_eq(one->tenants[0], acme) && id_eq(one->routes[0].connector, id);
    }
    test_cluster_sql("update sms_connector set state = 'paused', revision = revision + 1");
    one = next_news(KEEPER_GONE);
    assert_true(id_eq(one->id, id));
    keeper_news_free(one);
}

static struct keeper_task *
next_stored(void)
{
    struct keeper_task *task = NULL;

    while (task == NULL) {
        (void)poll(&(struct pollfd){ .fd = stored.event_fd, .events = POLLIN }, 1, 1000);
        task = (struct keeper_task *)mailbox_take(&stored);
    }
    return task;
}

static void
what_came_is_stored_sealed_before_it_is_answered(void **state UNUSED)
{
    struct id id = connector_new(bolt), session = id_new(clock_system());
    struct keeper_task *task = keeper_task_new(KEEPER_PDU, bolt, id);

    sms_event_add(&task->body, session, SLICE("the octets of a PDU"));
    task->sequence = 7;
    task->link = 1;
    keeper_put(keeper, task);
    task = next_stored();
    assert_int_equal(task->status, SMPP_OK);
    assert_int_equal(task->sequence, 7);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from provider_event where connector_id is not null and channel_id is null"
            " and position('octets'::bytea in body_ct) = 0"),
        1);
    assert_int_equal(test_cluster_number(
                         "select count(*) from provider_batch b join provider_event e on e.id = b.events[1]"),
                     1);
    keeper_task_free(task);
}

static void
what_cannot_be_stored_is_answered_so_that_it_comes_again(void **state UNUSED)
{
    /* Of a workspace that has no keys: nobody can seal for it. Another one's beside it is stored. */
    struct id id = connector_new(acme), stranger = id_new(clock_system());
    struct keeper_task *bad = keeper_task_new(KEEPER_PDU, stranger, stranger),
                       *good = keeper_task_new(KEEPER_PDU, acme, id);
    unsigned seen = 0;

    sms_event_add(&bad->body, stranger, SLICE("one"));
    sms_event_add(&good->body, stranger, SLICE("two"));
    keeper_put(keeper, bad);
    keeper_put(keeper, good);
    while (seen < 2)
        for (struct keeper_task *task = next_stored(), *next; task != NULL; task = next, seen++) {
            next = (struct keeper_task *)task->item.next;
            assert_int_equal(task->status, task == bad ? SMPP_TEMPORARY_ERROR : SMPP_OK);
            if (task == good)
                keeper_task_free(task);
        }
    keeper_task_free(bad);
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload)
{
    struct overview_notice notice;

    assert_ok(overview_notice_take(&payload, &notice));
    assert_true(id_eq(notice.tenant, acme) && slice_eq(notice.word, SLICE("connector")));
    assert_int_equal(notice.id_count, 1);
    ++*(unsigned *)ctx;
}

static void
how_links_do_is_shown(void **state UNUSED)
{
    struct id id = connector_new(acme);
    struct keeper_task *task = keeper_task_new(KEEPER_LINKS, acme, id);
    unsigned told = 0;

    assert_ok(db_listen(gateway, OVERVIEW_CHANNEL));
    task->links = calloc(2, sizeof(*task->links));
    task->link_count = 2;
    for (unsigned i = 0; i < 2; i++)
        task->links[i] = (struct keeper_link){ .tenant = acme,
                                               .connector = id,
                                               .number = i,
                                               .kind = "transceiver",
                                               .state = i == 0 ? "bound" : "waiting",
                                               .since = clock_wall(clock_system()),
                                               .per_second = 10,
                                               .in_flight = 3 };
    snprintf(task->links[1].detail, sizeof(task->links[1].detail), "Connection refused");
    task->links[1].next_try_at = clock_wall(clock_system());
    keeper_put(keeper, task);
    while (
        test_cluster_number(
            "select count(*) from sms_link where (state = 'bound' and detail is null and next_try_at is null"
            " and in_flight = 3) or (state = 'waiting' and detail = 'Connection refused' and next_try_at"
            " is not null)") != 2)
        (void)poll(NULL, 0, 5);
    task = keeper_task_new(KEEPER_LINKS, acme, id); /* one bind less */
    task->links = calloc(1, sizeof(*task->links));
    task->link_count = 1;
    task->links[0] =
        (struct keeper_link){ .tenant = acme, .connector = id, .kind = "transceiver", .state = "bound" };
    keeper_put(keeper, task);
    while (test_cluster_number("select count(*) from sms_link") != 1)
        (void)poll(NULL, 0, 5);
    /* The second time no state was another one: whoever looks need not look again. */
    assert_ok(db_notifications(gateway, on_notice, &told));
    assert_int_equal(told, 1);
}

static void
a_refused_account_breaks_its_connector_once(void **state UNUSED)
{
    struct id id = connector_new(acme);

    keeper_news_free(next_news(KEEPER_CONNECTOR));
    for (int i = 0; i < 2; i++) {
        struct keeper_task *task = keeper_task_new(KEEPER_BREAK, acme, id);
        snprintf(task->reason, sizeof(task->reason), "The operator refused the account (ESME_RINVPASWD).");
        keeper_put(keeper, task);
    }
    keeper_news_free(next_news(KEEPER_GONE));
    assert_int_equal(
        test_cluster_number("select count(*) from sms_connector where state = 'broken' and state_reason like"
                            " '%ESME_RINVPASWD%' and revision = 2"),
        1);
    assert_int_equal(
        test_cluster_number("select count(*) from event where type = 'connector.broken' and data @>"
                            " '{\"name\": \"Operator\", \"state\": \"broken\"}' and data->>'reason' like"
                            " '%ESME_RINVPASWD%'"),
        1);
}

static void
what_becomes_of_a_connector_is_told(void **state UNUSED)
{
    static const enum keeper_task_kind kinds[] = { KEEPER_UP, KEEPER_THROTTLED, KEEPER_DOWN };
    struct id id = connector_new(acme), gone = id_new(clock_system());

    keeper_news_free(next_news(KEEPER_CONNECTOR));
    for (size_t i = 0; i < 2 * COUNT_OF(kinds); i++) { /* of one that is gone nothing is */
        struct keeper_task *task = keeper_task_new(kinds[i % COUNT_OF(kinds)], acme, i < 3 ? gone : id);
        task->per_second = task->kind == KEEPER_THROTTLED ? 5 : 0;
        if (task->kind != KEEPER_UP)
            snprintf(task->reason, sizeof(task->reason), "The operator \"said\" so.");
        keeper_put(keeper, task);
    }
    while (test_cluster_number("select count(*) from event where type = 'connector.disconnected'") != 1)
        (void)poll(NULL, 0, 5);
    assert_int_equal(test_cluster_number("select count(*) from event"), 3);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from event where (type = 'connector.connected' and data @> '{\"reason\":"
            " null, \"per_second\": null, \"state\": \"active\"}') or (type = 'connector.throttled' and"
            " data @> '{\"reason\": \"The operator \\\"said\\\" so.\", \"per_second\": 5}')"),
        2);
}

/* Answers that come when nobody waits any more: the last one that was missing tells that the message is
 * sent, and it does not leave again. */
static void
answers_that_come_late_settle_their_message(void **state UNUSED)
{
    struct id channel = message_testing_channel(acme), connector = id_new(clock_system());
    struct message_new with = message_testing_new(acme, channel, MESSAGE_SERVICE);
    struct id message = message_testing_accept(gateway, &with);

    test_cluster_sql(
        "update message set status = 'uncertain'; update dispatch_queue set state = 'uncertain'");
    for (unsigned part = 1; part <= 2; part++) {
        struct keeper_task *task = keeper_task_new(KEEPER_LATE, acme, connector);
        task->part = (struct sms_part){ .message = message,
                                        .connector = connector,
                                        .part = part,
                                        .part_count = 2,
                                        .taken_at = clock_wall(clock_system()) };
        task->provider_id[0] = (char)('a' + part);
        keeper_put(keeper, task);
        while (test_cluster_number("select count(*) from sms_part where state = 'taken'") != part)
            (void)poll(NULL, 0, 5);
        message_testing_assert_status(message, part == 1 ? "uncertain" : "sent");
    }
    assert_int_equal(test_cluster_number("select count(*) from dispatch_queue"), 0);
    assert_int_equal(test_cluster_number("select count(*) from event where type = 'message.sent'"), 1);
}

static void
one_keeper_works_and_another_takes_over(void **state UNUSED)
{
    struct keeper *first = keeper;

    keeper_news_free(next_news(KEEPER_WORKS));
    keeper_open(); /* stands by */
    connector_new(acme);
    keeper_news_free(next_news(KEEPER_CONNECTOR)); /* the first one's: there is one that works */
    keeper_free(first);
    keeper_news_free(next_news(KEEPER_WORKS));
    keeper_news_free(next_news(KEEPER_CONNECTOR));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connector_is_told_with_its_password_and_its_routes_and_when_it_goes),
        TEST(what_came_is_stored_sealed_before_it_is_answered),
        TEST(what_cannot_be_stored_is_answered_so_that_it_comes_again),
        TEST(how_links_do_is_shown),
        TEST(a_refused_account_breaks_its_connector_once),
        TEST(what_becomes_of_a_connector_is_told),
        TEST(answers_that_come_late_settle_their_message),
        TEST(one_keeper_works_and_another_takes_over),
    };
    return cmocka_run_group_tests(tests, vault_pair_open, vault_pair_close);
}
