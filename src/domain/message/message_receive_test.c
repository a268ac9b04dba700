/* Messages that come in, many at once, with a real PostgreSQL. */
#include "domain/message/message_testing.h"
#include "platform/db/test_pair.h"
#include <stdio.h>

#define MANY 40u

static struct id channel, other;

static int
opened(void **state UNUSED)
{
    test_pair_open("delete from event; delete from provider_ref; delete from message");
    channel = message_testing_channel(acme);
    other = message_testing_channel(acme);
    return 0;
}

static struct message_received *
received_on(struct id of, const char *provider_id, const char *quoted_id)
{
    struct message_received *with = arena_alloc(arena, sizeof(*with));

    assert_non_null(with);
    *with = (struct message_received){ .id = id_new(clock_system()),
                                       .event_id = id_new(clock_system()),
                                       .channel = of,
                                       .kind = SLICE("text"),
                                       .provider_id = arena_copy(arena, slice_text(provider_id)),
                                       .quoted_id = arena_copy(arena, slice_text(quoted_id)),
                                       .sealed = message_testing_sealed("+4917"),
                                       .event_content = { .cipher = SLICE("event"), .key_version = 2 },
                                       .at = clock_wall(clock_system()) };
    memset(with->sealed.peer_index, 1, sizeof(with->sealed.peer_index));
    memset(with->sealed.peer.iv, 2, sizeof(with->sealed.peer.iv));
    memset(with->sealed.peer.tag, 3, sizeof(with->sealed.peer.tag));
    memset(with->sealed.content.iv, 4, sizeof(with->sealed.content.iv));
    memset(with->sealed.content.tag, 5, sizeof(with->sealed.content.tag));
    memset(with->event_content.iv, 6, sizeof(with->event_content.iv));
    memset(with->event_content.tag, 7, sizeof(with->event_content.tag));
    return with;
}

static void
receive(struct message_received *const *messages, size_t count)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_receive_many(&tx, messages, count, arena));
    assert_ok(db_commit(&tx));
}

static void
each_value_has_its_column(void **state UNUSED)
{
    struct message_received *echo = received_on(channel, "wamid.echo", "");

    echo->is_echo = true;
    receive((struct message_received *[]){ received_on(channel, "wamid.1", "wamid.unknown"), echo }, 2);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from message m join event e on e.subject_id = m.id where m.direction = 'in'"
            " and m.status = 'received' and m.category = 'service' and m.kind = 'text' and m.provider_id = 'wamid.1'"
            " and m.target_id is null and m.peer_index = decode(repeat('01', 32), 'hex') and m.key_version = 1"
            " and m.peer_ct = '+4917' and m.peer_iv = decode(repeat('02', 12), 'hex') and m.peer_tag = decode(repeat('03', 16), 'hex')"
            " and m.content_iv = decode(repeat('04', 12), 'hex') and m.content_tag = decode(repeat('05', 16), 'hex')"
            " and e.type = 'message.received' and e.channel_id = m.channel_id and e.key_version = 2 and e.content_ct = 'event'"
            " and e.content_iv = decode(repeat('06', 12), 'hex') and e.content_tag = decode(repeat('07', 16), 'hex')"
            " and event_data(e.type, e.data) @> '{\"actor\": \"provider\", \"direction\": \"inbound\", \"status\": \"received\", \"type\": \"text\","
            " \"provider_id\": \"wamid.1\", \"reply_to\": null}'"),
        1);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from message m join event e on e.subject_id = m.id where m.direction = 'out'"
            " and m.status = 'sent' and m.provider_id = 'wamid.echo' and e.type = 'message.echoed'"
            " and event_data(e.type, e.data) @> '{\"direction\": \"outbound\", \"status\": \"sent\"}'"),
        1);
}

static void
of_the_same_id_the_first_is_stored(void **state UNUSED)
{
    struct message_received *all[] = { received_on(channel, "wamid.2", ""),
                                       received_on(channel, "wamid.1", ""), received_on(other, "wamid.2", ""),
                                       received_on(channel, "wamid.2", "") };
    struct message_received *again[] = { received_on(channel, "wamid.3", ""),
                                         received_on(channel, "wamid.1", "") };

    receive(all, COUNT_OF(all));
    assert_true(all[0]->is_fresh && all[1]->is_fresh && all[2]->is_fresh);
    assert_false(all[3]->is_fresh);
    assert_int_equal(test_cluster_number("select count(*) from message"), 3);
    receive(again, COUNT_OF(again));
    assert_true(again[0]->is_fresh);
    assert_false(again[1]->is_fresh);
    assert_int_equal(test_cluster_number("select count(*) from message"), 4);
    assert_int_equal(test_cluster_number("select count(*) from event"), 4);
    message_testing_assert_status(all[0]->id, "received");
}

static void
an_answer_finds_what_came_before_it_or_with_it(void **state UNUSED)
{
    struct message_received *before[] = { received_on(channel, "wamid.1", "") };
    struct message_received *all[] = { received_on(channel, "wamid.3", "wamid.2"),
                                       received_on(channel, "wamid.2", "wamid.1"),
                                       received_on(other, "wamid.4", "wamid.1") };

    receive(before, 1);
    receive(all, COUNT_OF(all));
    assert_int_equal(
        test_cluster_number(
            "select count(*) from message a join message b on b.id = a.target_id"
            " where (a.provider_id, b.provider_id) in (('wamid.3', 'wamid.2'), ('wamid.2', 'wamid.1'))"),
        2);
    assert_int_equal(test_cluster_number("select count(*) from message where target_id is not null"),
                     2); /* within its channel */
    assert_int_equal(test_cluster_number("select count(*) from event where data->>'reply_to' is not null"),
                     2);
}

/* Whatever order they are claimed in, they are told in the one in which they came. */
static void
many_are_told_in_the_order_in_which_they_came(void **state UNUSED)
{
    struct message_received *all[MANY];
    char provider_id[32];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(provider_id, sizeof(provider_id), "wamid.%02u", MANY - 1 - i);
        all[i] = received_on(channel, provider_id, "");
    }
    receive(all, MANY);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from (select data->>'provider_id' as name, lag(data->>'provider_id')"
            " over (order by xid, id) as last from event) e where name < last"),
        MANY - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(each_value_has_its_column), TEST(of_the_same_id_the_first_is_stored),
             TEST(an_answer_finds_what_came_before_it_or_with_it),
             TEST(many_are_told_in_the_order_in_which_they_came))
