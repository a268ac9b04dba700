/* PDUs of SMS operators to what they mean: the real thread, a real PostgreSQL, a real vault. */
#include "domain/channel/sms/sms_event.h"
#include "domain/channel/sms/sms_part.h"
#include "domain/channel/sms/sms_receipt.h"
#include "domain/message/message_queue.h"
#include "domain/message/message_testing.h"
#include "domain/message/provider_event.h"
#include "domain/tenant/sealed_column.h"
#include "domain/tenant/tenant_key.h"
#include "program/gateway/interpreter.h"
#include "program/vault/vault_pair_testing.h"
#include <stdio.h>
#include <stdlib.h>

static struct db *gateway, *smsc;
static struct vault_client *sealer, *opener;
static struct vault vault;
static struct arena *arena;
static struct interpreter *interpreter;
static struct id channel, connector;
static uint32_t sequence;
static const char *person = "14155550123"; /* who is written to, and of whom receipts tell */

/* A connector, with its id in the place of a sealed password's row. */
static struct id
connector_of(struct id tenant)
{
    struct id made = id_new(clock_system());
    char sql[1024], id[ID_UUID_BYTES], of[ID_UUID_BYTES];

    id_uuid_print(made, id);
    id_uuid_print(tenant, of);
    snprintf(
        sql, sizeof(sql),
        "insert into sms_connector (tenant_id, id, name, host, port, tls, system_id, password_key_version,"
        " password_ct, password_iv, password_tag, transceivers, transmitters, receivers) values ('%s', '%s', 'o',"
        " 'h', 2775, 'off', 's', 1, '', decode(repeat('00', 12), 'hex'), decode(repeat('00', 16), 'hex'), 1, 0, 0)",
        of, id);
    test_cluster_sql(sql);
    return made;
}

static void
sender_of(struct id tenant, struct id of_channel, const char *sender)
{
    char sql[512], t[ID_UUID_BYTES], c[ID_UUID_BYTES];

    id_uuid_print(tenant, t);
    id_uuid_print(of_channel, c);
    snprintf(
        sql, sizeof(sql),
        "update channel set kind = 'sms' where id = '%s'; insert into sms_channel (tenant_id, channel_id, sender,"
        " sender_kind) values ('%s', '%s', '%s', 'alphanumeric')",
        c, t, c, sender);
    test_cluster_sql(sql);
}

static int
opened(void **state UNUSED)
{
    test_cluster_sql(
        "delete from sms_fragment; delete from sms_receipt_parked; delete from sms_part; delete from sms_connector;"
        "delete from sms_channel; delete from provider_batch; delete from provider_event; delete from dispatch_queue;"
        "delete from message; delete from event; delete from provider_ref; delete from dispatch_lane; delete from channel");
    channel = message_testing_channel(acme);
    sender_of(acme, channel, "HRKARA");
    connector = connector_of(acme);
    gateway = test_cluster_open("harkara_gateway");
    smsc = test_cluster_open("harkara_smsc");
    sealer = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    opener = vault_testing_client(VAULT_ROLE_GATEWAY, 200);
    vault = tenant_vault(sealer, gateway);
    arena = arena_new(16u << 20);
    assert_ok(
        interpreter_new(&(struct interpreter_config){ .database = test_cluster_conninfo("harkara_gateway"),
                                                      .clock = clock_system(),
                                                      .vault_client = opener },
                        &interpreter));
    return 0;
}

static int
closed(void **state UNUSED)
{
    interpreter_free(interpreter);
    interpreter = NULL;
    vault_client_free(sealer);
    vault_client_free(opener);
    db_close(gateway);
    db_close(smsc);
    arena_free(arena);
    return 0;
}

/* As smsc stores it, and tells of it. */
static const struct db_stmt pdu_store_stmt = {
    "test_pdu_store",
    "WITH stored AS (INSERT INTO provider_event (tenant_id, id, connector_id, digest, key_version, body_ct, body_iv, body_tag)"
    " VALUES ($1, $2, $3, $4, $5::int, $6, $7, $8) RETURNING id),"
    " batch AS (INSERT INTO provider_batch (tenant_id, id, events, due_at, attempt) SELECT $1, id, array[id], now(), 0 FROM stored)"
    " SELECT pg_notify('harkara_provider_event', '')"
};

/* And what waits for a batch that others share (batch_made). */
static const struct db_stmt pdu_keep_stmt = {
    "test_pdu_keep",
    "INSERT INTO provider_event (tenant_id, id, connector_id, digest, key_version, body_ct, body_iv, body_tag)"
    " VALUES ($1, $2, $3, $4, $5::int, $6, $7, $8)"
};
static bool is_gathering;

static void
pdu_store(struct id tenant, struct id over, struct slice body)
{
    struct provider_event_new event;
    struct db_tx tx;

    assert_ok(provider_event_seal(&vault, clock_system(), tenant, over, body, arena, &event));
    assert_ok(db_begin(smsc, tenant, &tx));
    assert_ok(
        db_exec(&tx, is_gathering ? &pdu_keep_stmt : &pdu_store_stmt,
                DB_ARGS(DB_ID(event.id), DB_ID(over), DB_BYTES(slice_of(event.digest, sizeof(event.digest))),
                        DB_I64(event.body.key_version), SEALED_ARGS(&event.body)),
                NULL));
    assert_ok(db_commit(&tx));
}

static void
came_over(struct id tenant, struct id over, struct smpp_message message)
{
    struct buf pdu, body;

    buf_init(&pdu, 4096);
    buf_init(&body, 4096);
    if (message.source.digits.len == 0)
        message.source = (struct smpp_address){ 1, 1, slice_text(person) };
    if (message.destination.digits.len == 0)
        message.destination = (struct smpp_address){ 5, 0, SLICE("hrkara") };
    size_t began = smpp_pdu_begin(&pdu, SMPP_DELIVER_SM, 0, ++sequence);
    assert_ok(smpp_message_add(&pdu, SMPP_DELIVER_SM, &message));
    smpp_pdu_end(&pdu, began);
    sms_event_add(&body, over, buf_slice(&pdu));
    pdu_store(tenant, over, buf_slice(&body));
    buf_release(&pdu);
    buf_release(&body);
}

static void
receipt_came(struct id tenant, struct id over, const char *id, const char *stat, const char *error)
{
    came_over(tenant, over,
              (struct smpp_message){
                  .esm_class = SMPP_ESM_RECEIPT,
                  .short_message =
                      arena_format(arena, "id:%s sub:001 dlvrd:001 stat:%s err:%s text:", id, stat, error) });
}

/* Whether all was applied. */
static void
all_applied(void)
{
    while (message_testing_count("select count(*) from provider_batch") > 0)
        ;
    assert_int_equal(message_testing_count("select count(*) from provider_event where error is not null"), 0);
}

/* All parts of one message at once, as smsc does. */
static void
parts_recorded(struct id message, const char *const *ids, unsigned first, unsigned recorded, unsigned count)
{
    struct sms_part *taken = arena_array(arena, recorded, sizeof(*taken));
    struct db_tx tx;

    assert_non_null(taken);
    for (unsigned i = 0; i < recorded; i++)
        taken[i] = (struct sms_part){ .message = message,
                                      .connector = connector,
                                      .part = first + i,
                                      .part_count = count,
                                      .provider_id = slice_text(ids[i]),
                                      .taken_at = clock_wall(clock_system()) };
    assert_ok(db_begin(smsc, acme, &tx));
    assert_ok(sms_parts_record(&tx, taken, recorded, arena));
    assert_ok(db_commit(&tx));
}

/* All that was gathered, in its order. */
static void
batch_made(void)
{
    is_gathering = false;
    test_cluster_sql(
        "insert into provider_batch (tenant_id, id, events, due_at, attempt) select tenant_id, gen_random_uuid(),"
        " array_agg(id order by id), now(), 0 from provider_event group by tenant_id; notify harkara_provider_event");
}

static void
part_recorded(struct id message, unsigned part, unsigned count, const char *id)
{
    parts_recorded(message, &id, part, 1, count);
}

static struct id
sent_message(const char *status)
{
    struct message_new message = message_testing_new(acme, channel, MESSAGE_SERVICE);
    char uuid[ID_UUID_BYTES], sql[512], hex[2 * VAULT_INDEX_BYTES + 1];
    unsigned char index[VAULT_INDEX_BYTES];
    struct id id = message_testing_accept(gateway, &message);

    assert_ok(message_peer_index(&vault, acme, arena_format(arena, "+%s", person), index));
    for (size_t i = 0; i < sizeof(index); i++)
        snprintf(hex + 2 * i, 3, "%02x", index[i]);
    id_uuid_print(id, uuid);
    snprintf(sql, sizeof(sql), "update message set status = '%s', peer_index = '\\x%s' where id = '%s'",
             status, hex, uuid);
    test_cluster_sql(sql);
    return id;
}

static void
a_message_is_delivered_when_all_its_parts_are(void **state UNUSED)
{
    struct id message = sent_message("sent");

    part_recorded(message, 1, 2, "a1");
    part_recorded(message, 2, 2, "a2");
    receipt_came(acme, connector, "A2", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "sent");
    receipt_came(acme, connector, "00a1", "ENROUTE", "000");
    receipt_came(acme, connector, "00a1", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "delivered");
    receipt_came(acme, connector, "a1", "UNDELIV", "001"); /* late: nothing moves back */
    receipt_came(acme, connector, "a1", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "delivered");
    assert_int_equal(message_testing_count("select count(*) from event where type = 'message.delivered'"), 1);
}

/* Its first answers were lost; receipts of its second try come before that try is recorded, the last part's
 * first. */
static void
parts_that_are_sent_again_stay_settled_when_their_receipts_were_faster(void **state UNUSED)
{
    struct id message = sent_message("uncertain");

    for (unsigned part = 1; part <= 3; part++)
        part_recorded(message, part, 3, "");
    receipt_came(acme, connector, "b3", "DELIVRD", "000");
    all_applied();
    receipt_came(acme, connector, "b1", "DELIVRD", "000");
    all_applied();
    parts_recorded(message, (const char *const[]){ "b1", "b2", "b3" }, 1, 3, 3);
    assert_int_equal(message_testing_count("select count(*) from sms_part where state = 'delivered'"), 2);
    receipt_came(acme, connector, "b2", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "delivered");
    part_recorded(message, 1, 3, "c1"); /* another one at the operator: nothing is known of it yet */
    assert_int_equal(message_testing_count("select count(*) from sms_part where state = 'taken'"), 1);
}

static void
one_part_that_fails_fails_the_message_in_plain_words(void **state UNUSED)
{
    struct id message = sent_message("sent");

    part_recorded(message, 1, 2, "a1");
    part_recorded(message, 2, 2, "a2");
    receipt_came(acme, connector, "a1", "DELIVRD", "000");
    receipt_came(acme, connector, "a2", "REJECTD", "630");
    all_applied();
    message_testing_assert_status(message, "failed");
    assert_int_equal(
        message_testing_count("select count(*) from message where error_code = 'sms-630' and error_title ="
                              " 'The registry does not know the content template.'"),
        1);
}

static void
a_receipt_that_comes_before_its_part_waits_for_it(void **state UNUSED)
{
    struct id message = sent_message("sent");

    receipt_came(acme, connector, "b1", "DELIVRD", "000");
    receipt_came(acme, connector, "b1", "DELIVRD", "000");
    all_applied();
    assert_int_equal(message_testing_count("select count(*) from sms_receipt_parked"), 1);
    part_recorded(message, 1, 1, "b1");
    while (message_testing_count("select count(*) from message where status = 'delivered'") == 0)
        ;
    assert_int_equal(message_testing_count("select count(*) from sms_receipt_parked"), 0);
}

/* The answer is still waited for when the receipt comes; then nobody waits any more. */
static void
a_receipt_that_came_before_its_answer_was_given_up_settles_it(void **state UNUSED)
{
    struct id message = sent_message("sending");

    receipt_came(acme, connector, "e1", "DELIVRD", "000");
    receipt_came(acme, connector, "e2", "DELIVRD", "000");
    all_applied();
    parts_recorded(message, (const char *const[]){ "", "e2" }, 1, 2, 2);
    message_testing_assert_status(message, "sending");
    test_cluster_sql("update sms_receipt_parked set due_at = now(), looks = 1");
    while (message_testing_count("select count(*) from sms_receipt_parked") > 0)
        ;
    message_testing_assert_status(message, "delivered");
    assert_int_equal(message_testing_count("select count(*) from sms_part where provider_id = 'e1'"), 1);
}

static void
a_receipt_settles_the_only_message_whose_answer_was_lost(void **state UNUSED)
{
    struct id message = sent_message("uncertain");

    part_recorded(message, 1, 1, "");
    receipt_came(acme, connector, "c9", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "delivered");
    assert_int_equal(message_testing_count("select count(*) from sms_part where provider_id = 'c9'"), 1);
}

/* The queue's row of the only message, in the hands of an smsc that was killed. */
static void
killed_while_sending(void)
{
    test_cluster_sql("update dispatch_queue set state = 'sending', attempt = 2, fence = 2, lease_owner ="
                     " gen_random_uuid(), lease_until = now() - interval '1 s'");
}

/* As dispatchers do: uncertain, and after its wait sent again. */
static void
taken_over(void)
{
    struct db *dispatcher = test_cluster_open("harkara_dispatcher");
    size_t taken = 0;

    for (int turn = 0; turn < 2; turn++) {
        assert_ok(message_take_over(dispatcher, clock_system(), 0, 60000, arena, &taken));
        assert_int_equal(taken, 1);
    }
    db_close(dispatcher);
}

/*
 * At the first try two of three parts left, and their answers were lost; at the second all were taken, and
 * smsc was killed before it recorded that. The third has no row, so its receipt waits for one: were the
 * message taken for sent by what the others' receipts tell, nobody would look after it any more.
 */
static void
a_message_is_not_sent_while_a_part_is_not_known_to_be(void **state UNUSED)
{
    struct id message = sent_message("sending");

    killed_while_sending();
    parts_recorded(message, (const char *const[]){ "", "" }, 1, 2, 3);
    receipt_came(acme, connector, "b1", "DELIVRD", "000");
    receipt_came(acme, connector, "b2", "DELIVRD", "000");
    receipt_came(acme, connector, "b3", "DELIVRD", "000");
    all_applied();
    assert_int_equal(message_testing_count("select count(*) from sms_part where state = 'delivered'"), 2);
    message_testing_assert_status(message, "sending");
    taken_over();
    message_testing_assert_status(message, "queued");
    test_cluster_sql("update message set status = 'sending'");
    part_recorded(message, 3, 3, "c3");
    receipt_came(acme, connector, "c3", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "delivered");
}

/* What left is settled by receipts; what did not leave has to. */
static void
parts_that_never_left_are_not_sent_by_the_receipts_of_others(void **state UNUSED)
{
    struct id message = sent_message("uncertain");

    part_recorded(message, 1, 3, "");
    receipt_came(acme, connector, "f1", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "uncertain");
    assert_int_equal(message_testing_count("select count(*) from dispatch_queue"), 1);
    parts_recorded(message, (const char *const[]){ "", "" }, 2, 2, 3);
    receipt_came(acme, connector, "f2", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "uncertain");
    receipt_came(acme, connector, "f3", "ENROUTE", "000"); /* it has it: now all are known to be there */
    all_applied();
    message_testing_assert_status(message, "sent");
    assert_int_equal(message_testing_count("select count(*) from dispatch_queue"), 0);
    receipt_came(acme, connector, "f3", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "delivered");
}

/* Another connector's three parts, whose answers were lost; then this one's two. */
static void
parts_of_an_earlier_try_that_was_cut_otherwise_are_not_waited_for(void **state UNUSED)
{
    struct id message = sent_message("sending"), ours = connector;

    connector = connector_of(acme);
    parts_recorded(message, (const char *const[]){ "", "", "" }, 1, 3, 3);
    connector = ours;
    parts_recorded(message, (const char *const[]){ "h1", "h2" }, 1, 2, 2);
    test_cluster_sql("update message set status = 'sent'");
    receipt_came(acme, connector, "h1", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "sent");
    receipt_came(acme, connector, "h2", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "delivered");
}

/* The commit's answer was lost, and the same is recorded once more: what a receipt has told meanwhile stays.
 */
static void
parts_that_are_recorded_twice_keep_what_receipts_told_between(void **state UNUSED)
{
    struct id message = sent_message("uncertain");

    for (unsigned part = 1; part <= 2; part++)
        part_recorded(message, part, 2, "");
    receipt_came(acme, connector, "e1", "DELIVRD", "000");
    all_applied();
    for (unsigned part = 1; part <= 2; part++)
        part_recorded(message, part, 2, "");
    receipt_came(acme, connector, "e2", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(message, "delivered");
    assert_int_equal(
        message_testing_count("select count(distinct provider_id) from sms_part where provider_id in"
                              " ('e1', 'e2') and state = 'delivered'"),
        2);
}

#define STEPS_MAX 5u
/* The nth order of so many steps. */
static void
order_of(size_t nth, size_t count, size_t *order)
{
    size_t left[STEPS_MAX];

    for (size_t i = 0; i < count; i++)
        left[i] = i;
    for (size_t i = 0, at; i < count; i++) {
        at = nth % (count - i);
        nth /= count - i;
        order[i] = left[at];
        memmove(left + at, left + at + 1, (count - i - at - 1) * sizeof(*left));
    }
}

/* What happens to a message of three parts none of whose answers came in time: a receipt under an id, or the
 * answer of a part. */
struct late {
    unsigned part;
    bool is_answer;
};

static void
late_happen(struct id message, size_t nth, const struct late *what)
{
    const char *id = (const char *)arena_format(arena, "%c%zu%c", "xyz"[what->part - 1], nth, '\0').ptr;

    if (what->is_answer)
        part_recorded(message, what->part, 3, id);
    else
        receipt_came(acme, connector, id, "DELIVRD", "000");
}

/* Receipts are taken for the first part without an id; answers that come after all put that right, each time
 * something else: nothing that was told is lost on the way. */
static void
late_answers_and_receipts_in_any_order_tell_all_of_each_part(void **state UNUSED)
{
    static const struct late all[] = { { 1, false }, { 2, false }, { 3, false }, { 1, true }, { 2, true } };
    static const struct late last[] = { { 1, false }, { 2, false }, { 3, false }, { 2, true }, { 3, true } };
    static char people[240][16];
    struct id messages[COUNT_OF(people)];
    size_t order[STEPS_MAX];

    for (size_t nth = 0; nth < COUNT_OF(people); nth++) {
        snprintf(people[nth], sizeof(people[nth]), "1415555%04zu", nth);
        person = people[nth];
        messages[nth] = sent_message("uncertain");
        parts_recorded(messages[nth], (const char *const[]){ "", "", "" }, 1, 3, 3);
        arena_reset(arena);
    }
    for (size_t step = 0; step < STEPS_MAX; step++) {
        is_gathering = true;
        test_cluster_sql("delete from provider_event");
        for (size_t nth = 0; nth < COUNT_OF(people); nth++) {
            person = people[nth];
            order_of(nth % 120, STEPS_MAX, order);
            late_happen(messages[nth], nth, nth < 120 ? &all[order[step]] : &last[order[step]]);
        }
        batch_made();
        all_applied();
        arena_reset(arena);
    }
    person = "14155550123";
    assert_int_equal(message_testing_count("select count(*) from message where status <> 'delivered'"), 0);
    assert_int_equal(message_testing_count("select count(distinct provider_id) from sms_part where state ="
                                           " 'delivered'"),
                     3 * COUNT_OF(people));
    assert_int_equal(message_testing_count("select count(*) from sms_part p where taken_at <> (select"
                                           " min(taken_at) from sms_part o where o.message_id ="
                                           " p.message_id) and provider_id not like case part when 1 then"
                                           " 'x%%' when 2 then 'y%%' else 'z%%' end"),
                     0); /* an answer's part has that answer's id */
}

/* The first one's answer was lost; the receipt may be of the second, whose answer is on its way. */
static void
a_receipt_is_for_no_lost_one_while_another_is_being_sent(void **state UNUSED)
{
    struct id lost = sent_message("uncertain"), sending = sent_message("sending");

    part_recorded(lost, 1, 1, "");
    receipt_came(acme, connector, "k2", "DELIVRD", "000");
    all_applied();
    test_cluster_sql("update sms_receipt_parked set due_at = now(), looks = 1;"
                     " notify harkara_provider_event");
    receipt_came(acme, connector, "k3", "ENROUTE", "000"); /* and what waits is looked at */
    all_applied();
    message_testing_assert_status(lost, "uncertain");
    test_cluster_sql("update message set status = 'sent' where status = 'sending'");
    part_recorded(sending, 1, 1, "k2");
    while (message_testing_count("select count(*) from message where status = 'delivered'") == 0)
        ;
    message_testing_assert_status(sending, "delivered");
    message_testing_assert_status(lost, "uncertain");
}

static void
of_two_that_may_be_meant_none_is(void **state UNUSED)
{
    struct id first = sent_message("uncertain"), second = sent_message("uncertain");

    part_recorded(first, 1, 1, "");
    part_recorded(second, 1, 1, "");
    receipt_came(acme, connector, "c9", "DELIVRD", "000");
    all_applied();
    message_testing_assert_status(first, "uncertain");
    message_testing_assert_status(second, "uncertain");
    assert_int_equal(message_testing_count("select count(*) from sms_receipt_parked"), 1);
}

static void
a_receipt_is_of_its_own_workspace_and_connector(void **state UNUSED)
{
    struct id message = sent_message("sent"), other = connector_of(acme), foreign = connector_of(bolt);

    part_recorded(message, 1, 1, "d1");
    receipt_came(acme, other, "d1", "UNDELIV", "001");
    receipt_came(bolt, foreign, "d1", "UNDELIV", "001");
    all_applied();
    message_testing_assert_status(message, "sent");
    assert_int_equal(message_testing_count("select count(*) from sms_receipt_parked"), 2);
}

/* Every event of a status follows one of a lower rank, and each is told once. */
static void
nothing_moved_back(void)
{
    assert_int_equal(
        message_testing_count(
            "select count(*) from (select rank, lag(rank) over (partition by subject_id order by id) as"
            " before from (select subject_id, id, case type when 'message.sent' then 1 when"
            " 'message.failed' then 2 else 3 end as rank from event where type in ('message.sent',"
            " 'message.failed', 'message.delivered')) e) x where rank <= before"),
        0);
}

/* What happens to a message of two parts: a receipt of one, or, with part 0, that both are recorded. */
struct happening {
    unsigned part;
    const char *stat;
};

static void
happen(struct id message, size_t nth, const struct happening *what)
{
    char first[16], second[16];

    snprintf(first, sizeof(first), "a%zu", nth);
    snprintf(second, sizeof(second), "b%zu", nth);
    if (what->part == 0) {
        part_recorded(message, 1, 2, first);
        part_recorded(message, 2, 2, second);
    } else {
        receipt_came(acme, connector, what->part == 1 ? first : second, what->stat, "0");
    }
}

/* Each order is a message of its own; what happens first to each of them is applied before the second. */
static void
all_orders_end(const struct happening *steps, size_t count, const char *status)
{
    struct id messages[120];
    size_t orders = 1, order[STEPS_MAX];

    test_cluster_sql("delete from sms_part; delete from message; delete from event");
    for (size_t i = 2; i <= count; i++)
        orders *= i;
    for (size_t nth = 0; nth < orders; nth++)
        messages[nth] = sent_message("sent");
    for (size_t step = 0; step < count; step++) {
        is_gathering = true;
        test_cluster_sql("delete from provider_event");
        for (size_t nth = 0; nth < orders; nth++) {
            order_of(nth, count, order);
            happen(messages[nth], nth, &steps[order[step]]);
        }
        batch_made();
        all_applied();
        arena_reset(arena);
    }
    while (message_testing_count("select count(*) from sms_receipt_parked") > 0)
        ;
    assert_int_equal(message_testing_count("select count(*) from message where status = '%s'", status),
                     orders);
    nothing_moved_back();
}

/* Whatever the order in which receipts come, before their parts are known or after, once or twice: the
 * message ends the same, and its status never moves back on its way there. */
static void
no_order_of_receipts_changes_the_end_or_moves_a_status_back(void **state UNUSED)
{
    static const struct happening proven[] = {
        { 0, NULL }, { 1, "UNDELIV" }, { 1, "DELIVRD" }, { 2, "DELIVRD" }, { 2, "UNKNOWN" }
    };
    static const struct happening refused[] = {
        { 0, NULL }, { 1, "REJECTD" }, { 2, "DELIVRD" }, { 2, "DELIVRD" }, { 1, "ENROUTE" }
    };
    static const struct happening open[] = {
        { 0, NULL }, { 1, "DELIVRD" }, { 2, "ACCEPTD" }, { 2, "ENROUTE" }
    };

    all_orders_end(proven, COUNT_OF(proven), "delivered");
    all_orders_end(refused, COUNT_OF(refused), "failed");
    all_orders_end(open, COUNT_OF(open), "sent");
}

/* All receipts of a message in one batch. */
static void
receipts_that_are_applied_together_count_in_their_order(void **state UNUSED)
{
    static const struct happening steps[] = {
        { 1, "UNDELIV" }, { 1, "DELIVRD" }, { 2, "DELIVRD" }, { 2, "DELIVRD" }
    };
    size_t order[STEPS_MAX];

    for (size_t nth = 0; nth < 24; nth++) {
        struct id message = sent_message("sent");
        happen(message, nth, &(struct happening){ 0, NULL });
        is_gathering = true;
        order_of(nth, COUNT_OF(steps), order);
        for (size_t i = 0; i < COUNT_OF(steps); i++)
            happen(message, nth, &steps[order[i]]);
    }
    batch_made();
    all_applied();
    assert_int_equal(message_testing_count("select count(*) from message where status = 'delivered'"), 24);
    nothing_moved_back();
}

static void
a_failure_after_delivery_is_told_once_and_moves_nothing(void **state UNUSED)
{
    struct id message = sent_message("sent");

    part_recorded(message, 1, 1, "f1");
    receipt_came(acme, connector, "f1", "DELIVRD", "000");
    all_applied();
    receipt_came(acme, connector, "f1", "UNDELIV", "001");
    receipt_came(acme, connector, "f1", "EXPIRED", "001");
    all_applied();
    message_testing_assert_status(message, "delivered");
    assert_int_equal(message_testing_count("select count(*) from event where type = 'message.reported' and"
                                           " data->'report'->>'status' = 'failed'"),
                     1);
    assert_int_equal(message_testing_count("select count(*) from sms_part where state = 'delivered'"), 1);
}

static void
what_the_operator_does_not_know_has_failed_after_a_day(void **state UNUSED)
{
    struct id doubted = sent_message("sent"), delivered = sent_message("sent");

    part_recorded(doubted, 1, 1, "u1");
    part_recorded(delivered, 1, 1, "u2");
    receipt_came(acme, connector, "u1", "UNKNOWN", "000");
    receipt_came(acme, connector, "u2", "UNKNOWN", "000");
    receipt_came(acme, connector, "u2", "DELIVRD", "000");
    all_applied();
    test_cluster_sql("update sms_part set doubted_at = now() - interval '23 hours' where provider_id = 'u1'");
    receipt_came(acme, connector, "u1", "ENROUTE", "000"); /* and it is looked at again */
    all_applied();
    message_testing_assert_status(doubted, "sent");
    test_cluster_sql(
        "update sms_part set doubted_at = now() - interval '25 hours' where doubted_at is not null;"
        " notify harkara_provider_event");
    while (message_testing_count("select count(*) from message where status = 'failed'") == 0)
        ;
    assert_int_equal(message_testing_count("select count(*) from message where error_code = 'sms-unknown'"),
                     1);
    message_testing_assert_status(delivered, "delivered");
}

static void
one_that_cannot_be_read_holds_nobody_of_its_batch_up(void **state UNUSED)
{
    struct id message = sent_message("sent");

    part_recorded(message, 1, 1, "g1");
    is_gathering = true;
    came_over(acme, connector, (struct smpp_message){ .short_message = SLICE("Before") });
    pdu_store(acme, connector, SLICE("not a PDU at all"));
    pdu_store(acme, id_new(clock_system()), SLICE("of a connector that is gone"));
    receipt_came(acme, connector, "g1", "DELIVRD", "000");
    came_over(acme, connector, (struct smpp_message){ .short_message = SLICE("After") });
    batch_made();
    while (message_testing_count("select count(*) from provider_batch") > 0)
        ;
    message_testing_assert_status(message, "delivered");
    assert_int_equal(message_testing_count("select count(*) from message where direction = 'in'"), 2);
    assert_int_equal(message_testing_count("select count(*) from provider_event where error is not null"), 2);
}

/* What the database refuses of one of them, a batch tries again one by one. */
static void
one_that_cannot_be_applied_holds_nobody_of_its_batch_up(void **state UNUSED)
{
    struct id message = sent_message("sent");

    part_recorded(message, 1, 1, "h1");
    test_cluster_sql("alter table message add constraint test_refused check (direction <> 'in') not valid");
    is_gathering = true;
    came_over(acme, connector, (struct smpp_message){ .short_message = SLICE("Refused") });
    receipt_came(acme, connector, "h1", "DELIVRD", "000");
    batch_made();
    while (message_testing_count("select count(*) from message where status = 'delivered'") == 0 ||
           message_testing_count("select count(*) from provider_batch where error is not null") == 0)
        ;
    test_cluster_sql(
        "alter table message drop constraint test_refused; update provider_batch set due_at = now();"
        " notify harkara_provider_event");
    while (message_testing_count("select count(*) from message where direction = 'in'") == 0)
        ;
}

static void
what_somebody_writes_is_received_by_the_channel_it_was_sent_to(void **state UNUSED)
{
    came_over(acme, connector, (struct smpp_message){ .short_message = SLICE("Yes") });
    came_over(acme, connector, (struct smpp_message){ .short_message = SLICE("Yes") }); /* twice is twice */
    all_applied();
    assert_int_equal(
        message_testing_count("select count(*) from message where direction = 'in' and kind = 'text'"), 2);
    assert_int_equal(message_testing_count("select count(*) from event where type = 'message.received'"), 2);
}

/* A national number is of the connector's country; what can reach nobody, or cannot be answered, is counted.
 */
static void
what_reaches_nobody_is_counted(void **state UNUSED)
{
    const struct {
        struct smpp_address source, destination;
    } texts[] = { { { 2, 8, SLICE("9812345678") }, { 0 } },
                  { { 1, 1, SLICE("919812345678") }, { 2, 1, SLICE("09800000001") } },
                  { { 5, 0, SLICE("AMAZON") }, { 0 } },
                  { { 3, 0, SLICE("56161") }, { 0 } },
                  { { 0 }, { 5, 0, SLICE("NOBODY") } } };

    test_cluster_sql(
        "update sms_connector set country_code = '91'; update sms_channel set sender = '919800000001'");
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        came_over(
            acme, connector,
            (struct smpp_message){ .source = texts[i].source,
                                   .destination = texts[i].destination.digits.len == 0 && i != 4
                                                      ? (struct smpp_address){ 1, 1, SLICE("919800000001") }
                                                      : texts[i].destination,
                                   .short_message = SLICE("Hello") });
    all_applied();
    assert_int_equal(
        message_testing_count("select count(distinct peer_index) from message where direction = 'in'"), 1);
    assert_int_equal(message_testing_count("select count(*) from message where direction = 'in'"), 2);
    assert_int_equal(
        message_testing_count("select count(*) from sms_connector where unrouted_senders = 2 and"
                              " unrouted_recipients = 1 and unrouted_at is not null and revision = 1"),
        1);
}

static void
a_part_came(unsigned char part, unsigned char count, const char *text)
{
    struct slice header = arena_format(arena, "%c%c%c%c%c%c%s", 5, 0, 3, 42, count, part, text);

    came_over(acme, connector, (struct smpp_message){ .esm_class = SMPP_ESM_UDHI, .short_message = header });
}

static void
parts_are_one_message_when_all_have_come_in_any_order(void **state UNUSED)
{
    a_part_came(3, 3, "three");
    a_part_came(1, 3, "one ");
    a_part_came(1, 3, "one ");
    all_applied();
    assert_int_equal(message_testing_count("select count(*) from message"), 0);
    a_part_came(2, 3, "two ");
    while (message_testing_count("select count(*) from message where direction = 'in'") == 0)
        ;
    assert_int_equal(message_testing_count("select count(*) from sms_fragment"), 0);
    assert_int_equal(message_testing_count("select count(*) from message"), 1);
}

static void
parts_that_come_no_more_are_not_waited_for(void **state UNUSED)
{
    a_part_came(1, 3, "one ");
    all_applied();
    test_cluster_sql(
        "update sms_fragment set received_at = now() - interval '11 minutes'; notify harkara_provider_event");
    while (message_testing_count("select count(*) from message where direction = 'in'") == 0)
        ;
    assert_int_equal(message_testing_count("select count(*) from sms_fragment"), 0);
}

static void
what_is_no_pdu_is_given_up_and_kept(void **state UNUSED)
{
    pdu_store(acme, connector, SLICE("not a PDU at all"));
    while (message_testing_count("select count(*) from provider_event where error is not null") == 0)
        ;
    assert_int_equal(message_testing_count("select count(*) from provider_batch"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_delivered_when_all_its_parts_are),
        TEST(one_part_that_fails_fails_the_message_in_plain_words),
        TEST(a_message_is_not_sent_while_a_part_is_not_known_to_be),
        TEST(parts_that_never_left_are_not_sent_by_the_receipts_of_others),
        TEST(parts_of_an_earlier_try_that_was_cut_otherwise_are_not_waited_for),
        TEST(parts_that_are_sent_again_stay_settled_when_their_receipts_were_faster),
        TEST(a_receipt_that_comes_before_its_part_waits_for_it),
        TEST(a_receipt_that_came_before_its_answer_was_given_up_settles_it),
        TEST(a_receipt_settles_the_only_message_whose_answer_was_lost),
        TEST(parts_that_are_recorded_twice_keep_what_receipts_told_between),
        TEST(late_answers_and_receipts_in_any_order_tell_all_of_each_part),
        TEST(a_receipt_is_for_no_lost_one_while_another_is_being_sent),
        TEST(of_two_that_may_be_meant_none_is),
        TEST(a_receipt_is_of_its_own_workspace_and_connector),
        TEST(no_order_of_receipts_changes_the_end_or_moves_a_status_back),
        TEST(receipts_that_are_applied_together_count_in_their_order),
        TEST(a_failure_after_delivery_is_told_once_and_moves_nothing),
        TEST(what_the_operator_does_not_know_has_failed_after_a_day),
        TEST(one_that_cannot_be_read_holds_nobody_of_its_batch_up),
        TEST(one_that_cannot_be_applied_holds_nobody_of_its_batch_up),
        TEST(what_somebody_writes_is_received_by_the_channel_it_was_sent_to),
        TEST(what_reaches_nobody_is_counted),
        TEST(parts_are_one_message_when_all_have_come_in_any_order),
        TEST(parts_that_come_no_more_are_not_waited_for),
        TEST(what_is_no_pdu_is_given_up_and_kept),
    };

    return cmocka_run_group_tests(tests, vault_pair_open, vault_pair_close);
}
