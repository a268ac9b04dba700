/* Receipts and parts that two gateways, or a gateway and smsc, work on at the same moment; what one of them
 * does after the other is in program/gateway/interpret_sms_test.c. */
#include "domain/channel/sms/sms_part.h"
#include "domain/channel/sms/sms_receipt.h"
#include "domain/message/message_testing.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define TOGETHER_MAX 4u
#define CROWD        20000u

static struct db *db, *smsc;
static struct arena *arena;
static struct id acme, channel, connector;
static unsigned char persons; /* so far, each with an index of its own */

static int
opened(void **state UNUSED)
{
    if (id_is_zero(acme))
        acme = test_cluster_tenant("acme");
    test_cluster_sql("delete from sms_part; delete from sms_receipt_parked; delete from dispatch_queue;"
                     "delete from message; delete from dispatch_lane; delete from channel");
    channel = message_testing_channel(acme);
    connector = id_new(clock_system());
    db = test_cluster_open("harkara_gateway");
    smsc = test_cluster_open("harkara_smsc");
    arena = arena_new(4u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    db_close(smsc);
    arena_free(arena);
    return 0;
}

/* A message whose answers were lost; its category says that it is not sent again: no row of the queue tells
 * of it any more. */
struct lost {
    struct id message;
    unsigned char peer_index[VAULT_INDEX_BYTES];
};

static struct lost
lost_message(unsigned part_count)
{
    struct message_new new = message_testing_new(acme, channel, MESSAGE_PROMOTIONAL);
    struct lost lost = { .message = message_testing_accept(db, &new) };
    struct sms_part parts[TOGETHER_MAX];
    char id[ID_UUID_BYTES], sql[512];
    struct db_tx tx;

    memset(lost.peer_index, ++persons, sizeof(lost.peer_index));
    id_uuid_print(lost.message, id);
    snprintf(sql, sizeof(sql),
             "update message set status = 'uncertain', peer_index = decode(repeat('%02x', %u), 'hex')"
             " where id = '%s'; delete from dispatch_queue where message_id = '%s'",
             persons, VAULT_INDEX_BYTES, id, id);
    test_cluster_sql(sql);
    for (unsigned i = 0; i < part_count; i++)
        parts[i] = (struct sms_part){ .message = lost.message,
                                      .connector = connector,
                                      .part = 1 + i,
                                      .part_count = part_count,
                                      .taken_at = clock_wall(clock_system()) };
    assert_ok(db_begin(smsc, acme, &tx));
    assert_ok(sms_parts_record(&tx, parts, part_count, arena));
    assert_ok(db_commit(&tx));
    return lost;
}

/* What one gateway applies in one transaction. */
struct gateway {
    struct db *db;
    struct arena *arena;
    struct db_tx tx;
    struct sms_receipt_item items[TOGETHER_MAX];
    size_t count;
    enum err err;
};

static void
is_told(struct gateway *gateway, const struct lost *of, const char *provider_id)
{
    struct sms_receipt *receipt = &gateway->items[gateway->count++].receipt;

    *receipt = (struct sms_receipt){ .connector = connector,
                                     .provider_id = slice_text(provider_id),
                                     .state = SMPP_STATE_DELIVERED,
                                     .done = SLICE("2611222008"),
                                     .at = clock_wall(clock_system()),
                                     .has_peer = true };
    memcpy(receipt->peer_index, of->peer_index, sizeof(receipt->peer_index));
}

static void
begins(struct gateway *gateway)
{
    gateway->db = test_cluster_open("harkara_gateway");
    gateway->arena = arena_new(1u << 20);
    assert_ok(db_begin(gateway->db, acme, &gateway->tx));
}

static void *
applies(void *ctx)
{
    struct gateway *gateway = ctx;

    gateway->err = sms_receipts_apply(&gateway->tx, gateway->items, gateway->count, gateway->arena);
    return NULL;
}

static void
commits(struct gateway *gateway)
{
    assert_ok(gateway->err);
    assert_ok(db_commit(&gateway->tx));
    db_close(gateway->db);
    arena_free(gateway->arena);
}

static void
one_waits_for_another(void)
{
    while (message_testing_count("select count(*) from pg_locks where not granted") == 0)
        ;
}

/* Two gateways at once, of which the second waits for the first. */
static void
both_apply(struct gateway *first, struct gateway *second)
{
    pthread_t thread;

    begins(first);
    begins(second);
    applies(first);
    assert_int_equal(pthread_create(&thread, NULL, applies, second), 0);
    one_waits_for_another();
    commits(first);
    assert_int_equal(pthread_join(thread, NULL), 0);
    commits(second);
}

static void
receipts_that_two_gateways_apply_at_once_are_for_a_part_each(void **state UNUSED)
{
    struct gateway first = { .count = 0 }, second = { .count = 0 };
    struct lost lost = lost_message(3);

    is_told(&first, &lost, "a1");
    is_told(&first, &lost, "a3");
    is_told(&second, &lost, "a2");
    both_apply(&first, &second);
    assert_int_equal(message_testing_count("select count(*) from sms_part where (part, provider_id) in"
                                           " ((1, 'a1'), (2, 'a3'), (3, 'a2')) and state = 'delivered'"),
                     3);
    assert_true(second.items[0].has_report);
    assert_int_equal(second.items[0].report.status, MESSAGE_DELIVERED);
}

/* Operators send receipts twice; they may come to two gateways at once. */
static void
one_receipt_that_two_gateways_apply_at_once_is_for_one_part(void **state UNUSED)
{
    struct gateway first = { .count = 0 }, second = { .count = 0 };
    struct lost lost = lost_message(2);

    is_told(&first, &lost, "a1");
    is_told(&second, &lost, "a1");
    both_apply(&first, &second);
    assert_int_equal(second.items[0].fate_out, SMS_RECEIPT_NOTHING_NEW);
    assert_false(second.items[0].has_report);
    assert_int_equal(message_testing_count("select count(*) from sms_part where provider_id = 'a1'"), 1);
    assert_int_equal(message_testing_count("select count(*) from sms_part where state = 'unknown'"), 1);
}

/* It was sent twice, with both answers lost: only one of the receipts can be its. */
static void
a_receipt_whose_part_another_gateway_gave_away_waits(void **state UNUSED)
{
    struct gateway first = { .count = 0 }, second = { .count = 0 };
    struct lost lost = lost_message(1);

    is_told(&first, &lost, "a1");
    is_told(&second, &lost, "b1");
    both_apply(&first, &second);
    assert_int_equal(second.items[0].fate_out, SMS_RECEIPT_PARKED);
    assert_false(second.items[0].has_report);
    assert_int_equal(message_testing_count("select count(*) from sms_part where provider_id = 'a1'"), 1);
    assert_int_equal(
        message_testing_count("select count(*) from sms_receipt_parked where provider_id = 'b1'"), 1);
}

/* In whatever order the receipts came: else two gateways would each wait for the other. */
static void
parts_are_locked_in_the_order_of_their_messages(void **state UNUSED)
{
    struct gateway gateway = { .count = 0 };
    struct lost low = lost_message(1), high = lost_message(1);
    char id[ID_UUID_BYTES], sql[256];
    pthread_t thread;

    id_uuid_print(low.message, id);
    is_told(&gateway, &high, "h1");
    is_told(&gateway, &low, "l1");
    begins(&gateway);
    test_cluster_sql("begin");
    snprintf(sql, sizeof(sql),
             "do $$ begin perform 1 from harkara.sms_part where message_id = '%s' for update; end $$", id);
    test_cluster_sql(sql);
    assert_int_equal(pthread_create(&thread, NULL, applies, &gateway), 0);
    one_waits_for_another();
    test_cluster_sql("do $$ begin perform 1 from harkara.sms_part for update nowait; end $$");
    test_cluster_sql("commit");
    assert_int_equal(pthread_join(thread, NULL), 0);
    commits(&gateway);
    assert_int_equal(message_testing_count("select count(*) from sms_part where state = 'delivered'"), 2);
}

/* Those that are due: how many, and whether the first may be taken for a part without an id. */
static size_t
looked_at(bool *has_peer_out)
{
    struct sms_receipt *receipts = NULL;
    size_t count = 0;
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(sms_receipts_take(&tx, arena, &receipts, &count));
    *has_peer_out = count > 0 && receipts[0].has_peer;
    assert_ok(db_commit(&tx));
    return count;
}

static int64_t
due_in_s(void)
{
    return message_testing_count("select round(extract(epoch from due_at - now())) from sms_receipt_parked");
}

static void
parked(const struct lost *of, const char *provider_id)
{
    struct gateway gateway = { .count = 0 };

    is_told(&gateway, of, provider_id);
    begins(&gateway);
    applies(&gateway);
    assert_int_equal(gateway.items[0].fate_out, SMS_RECEIPT_PARKED);
    commits(&gateway);
}

static void
what_waits_is_looked_at_ever_less_often_and_for_a_lost_answer_from_the_second_time_on(void **state UNUSED)
{
    static const int64_t waits_s[] = { 4, 8, 16, 32, 64, 128, 256, 512, 1024 };
    struct lost nobody = { .message = { { 0 } } };
    bool has_peer;

    memset(nobody.peer_index, 0xee, sizeof(nobody.peer_index));
    parked(&nobody, "n1");
    assert_in_range(due_in_s(), 0, 1);
    test_cluster_sql("update sms_receipt_parked set due_at = now() + interval '1 s'");
    assert_int_equal(looked_at(&has_peer), 0);
    for (size_t i = 0; i < COUNT_OF(waits_s); i++) {
        test_cluster_sql("update sms_receipt_parked set due_at = now()");
        assert_int_equal(looked_at(&has_peer), 1);
        assert_int_equal(has_peer, i > 0);
        assert_in_range(due_in_s(), waits_s[i] - 1, waits_s[i]);
    }
    for (int i = 0; i < 10; i++) {
        test_cluster_sql("update sms_receipt_parked set due_at = now()");
        assert_int_equal(looked_at(&has_peer), 1);
    }
    assert_in_range(due_in_s(), 0, 72 * 3600 / 2); /* some times before it is removed */
    parked(&nobody, "n1");                         /* a repetition waits as the first does */
    assert_int_equal(message_testing_count("select looks from sms_receipt_parked"), 14);
}

static void
part_recorded(const struct lost *of, const char *provider_id)
{
    struct sms_part part = { .message = of->message,
                             .connector = connector,
                             .part = 1,
                             .part_count = 1,
                             .provider_id = slice_text(provider_id),
                             .taken_at = clock_wall(clock_system()) };
    struct db_tx tx;

    assert_ok(db_begin(smsc, acme, &tx));
    assert_ok(sms_parts_record(&tx, &part, 1, arena));
    assert_ok(db_commit(&tx));
}

static void
who_records_a_part_makes_its_receipts_due_and_waits_for_no_gateway(void **state UNUSED)
{
    struct gateway gateway = { .count = 0 };
    struct lost first = lost_message(1), second = lost_message(1), sending = lost_message(0);
    struct sms_receipt *receipts = NULL;
    size_t count = 0;
    char sql[256], id[ID_UUID_BYTES];

    id_uuid_print(sending.message, id);
    snprintf(
        sql, sizeof(sql),
        "update message set status = 'sending', peer_index = decode(repeat('%02x', %u), 'hex') where id = '%s'",
        first.peer_index[0], VAULT_INDEX_BYTES, id);
    test_cluster_sql(sql);
    parked(&first, "f1");
    test_cluster_sql("update sms_receipt_parked set due_at = now() + interval '1 day', looks = 14");
    part_recorded(&second, "s1"); /* another's */
    assert_in_range(due_in_s(), 86390, 86400);
    part_recorded(&first, "f1");
    assert_in_range(due_in_s() + 1, 0, 1);

    begins(&gateway);
    assert_ok(sms_receipts_take(&gateway.tx, gateway.arena, &receipts, &count));
    assert_int_equal(count, 1);
    part_recorded(&first, "f1"); /* again, since the commit's answer was lost */
    gateway.items[0].receipt = receipts[0];
    gateway.count = 1;
    applies(&gateway);
    assert_int_equal(gateway.items[0].fate_out, SMS_RECEIPT_APPLIED);
    assert_ok(sms_receipts_done(&gateway.tx, gateway.items, gateway.count, gateway.arena));
    commits(&gateway);
    assert_int_equal(message_testing_count("select count(*) from sms_receipt_parked"), 0);
    assert_int_equal(message_testing_count("select count(*) from sms_part where state = 'delivered'"), 1);
}

/* An operator was away, and thousands of answers with it. */
static void
a_receipt_reads_the_parts_of_its_person(void **state UNUSED)
{
    struct gateway gateway = { .count = 0 };
    struct lost lost = lost_message(2);

    message_testing_crowd(lost.message, CROWD);
    test_cluster_sql(
        "update message set peer_index = sha256(id::text::bytea) where id not in (select message_id from sms_part);"
        "insert into sms_part (tenant_id, message_id, sender, part, part_count, connector_id, state, taken_at) select"
        " m.tenant_id, m.id, p.sender, p.part, p.part_count, p.connector_id, p.state, p.taken_at from message m"
        " cross join (select * from sms_part) p where m.id not in (select message_id from sms_part)");
    for (int is_known = 0; is_known < 2; is_known++) { /* to the planner */
        if (is_known)
            test_cluster_sql("analyze message; analyze sms_part");
        gateway.count = 0;
        is_told(&gateway, &lost, is_known ? "a2" : "a1");
        begins(&gateway);
        int64_t parts = message_testing_rows_read(&gateway.tx, "sms\\_part"),
                messages = message_testing_rows_read(&gateway.tx, "message\\_2%");
        applies(&gateway);
        parts = message_testing_rows_read(&gateway.tx, "sms\\_part") - parts;
        messages = message_testing_rows_read(&gateway.tx, "message\\_2%") - messages;
        commits(&gateway);
        assert_int_equal(gateway.items[0].fate_out, SMS_RECEIPT_APPLIED);
        assert_in_range(parts, 2, 30); /* each statement reads the two of its message */
        assert_in_range(messages, 1, 10);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(receipts_that_two_gateways_apply_at_once_are_for_a_part_each),
             TEST(one_receipt_that_two_gateways_apply_at_once_is_for_one_part),
             TEST(a_receipt_whose_part_another_gateway_gave_away_waits),
             TEST(parts_are_locked_in_the_order_of_their_messages),
             TEST(what_waits_is_looked_at_ever_less_often_and_for_a_lost_answer_from_the_second_time_on),
             TEST(who_records_a_part_makes_its_receipts_due_and_waits_for_no_gateway),
             TEST(a_receipt_reads_the_parts_of_its_person))
