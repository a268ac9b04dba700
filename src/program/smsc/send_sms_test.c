/* smsc's store thread on a real PostgreSQL and a real vault, as its own user; the test plays the operators.
 */
#include "domain/sending/send_store.h"
#include "domain/tenant/tenant_key.h"
#include "program/smsc/send_sms.h"
#include "program/vault/vault_pair_testing.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static struct config config;
static struct db *gateway;
static struct vault_client *sealer, *opener;
static struct vault vault; /* the gateway's */
static struct arena *arena;
static struct mailbox ready, settled;
static struct send_sms sms;
static struct send_store *store;
static struct id channel;

static int
opened(void **state UNUSED)
{
    struct channel_new with = { .id = id_new(clock_system()),
                                .name = SLICE("Shop"),
                                .is_sms = true,
                                .sms = { .sender = SLICE("HARKRA"),
                                         .kind = CHANNEL_SMS_ALPHANUMERIC,
                                         .unicode = SLICE("auto"),
                                         .parts_max = 4 } };
    struct channel made;
    struct db_tx tx;

    test_cluster_sql(
        "delete from dlt_template; delete from dlt_header; delete from dlt_entity; delete from suppression; delete from sms_part; delete from dispatch_queue; delete from message; delete from event; delete from provider_ref;"
        "delete from sms_channel; delete from dispatch_lane; delete from dispatcher_lease; delete from channel");
    config_init(&config);
    gateway = test_cluster_open("harkara_gateway");
    sealer = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    opener = vault_testing_client(VAULT_ROLE_SMSC, 5000);
    vault = tenant_vault(sealer, gateway);
    arena = arena_new(8u << 20);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_create(&tx, clock_system(), &with, arena, &made));
    assert_ok(db_commit(&tx));
    channel = made.id;
    assert_ok(mailbox_init(&ready));
    assert_ok(mailbox_init(&settled));
    sms.clock = clock_system();
    assert_ok(send_store_new(&(struct send_store_config){ .database = test_cluster_conninfo("harkara_smsc"),
                                                          .config = &config,
                                                          .clock = clock_system(),
                                                          .vault_client = opener,
                                                          .instance = id_new(clock_system()),
                                                          .kind = &send_sms,
                                                          .kind_ctx = &sms,
                                                          .ready = &ready,
                                                          .settled = &settled },
                             &store));
    return 0;
}

static int
closed(void **state UNUSED)
{
    send_store_free(store);
    vault_client_free(opener);
    vault_client_free(sealer);
    db_close(gateway);
    arena_free(arena);
    mailbox_release(&ready);
    mailbox_release(&settled);
    return 0;
}

static struct id
accept_text(const char *content)
{
    struct message_new message = { .id = id_new(clock_system()),
                                   .tenant = acme,
                                   .channel = channel,
                                   .category = MESSAGE_TRANSACTIONAL,
                                   .kind = SLICE("text") };
    struct message_accepted accepted;

    assert_ok(message_seal(&vault, acme,
                           &(struct message_plain){ .message = message.id,
                                                    .peer = SLICE("+919876543210"),
                                                    .content = slice_text(content) },
                           1, arena, &message.sealed));
    assert_ok(message_accept_batch(gateway, clock_system(), &message, &accepted, 1, arena));
    assert_ok(accepted.err);
    return accepted.id;
}

static struct sms_job *
take(void)
{
    struct send_job *job = NULL;

    while (job == NULL) {
        (void)poll(&(struct pollfd){ .fd = ready.event_fd, .events = POLLIN }, 1, 1000);
        job = (struct send_job *)mailbox_take(&ready);
    }
    assert_null(job->item.next);
    return sms_job_of(job);
}

/* Its parts, at an operator: as many ids as are there, then one whose answer was lost, if there is another.
 */
static void
settle(struct sms_job *job, size_t part_count, const char *ids, enum message_verdict verdict,
       int64_t delay_ms)
{
    job->parts = calloc(part_count, sizeof(*job->parts));
    job->part_count = part_count;
    job->connector.bytes[15] = 9;
    for (size_t i = 0; i < part_count; i++) {
        bool is_taken = i < strlen(ids);
        job->parts[i].state = sms_job_had(job, i) ? PART_HAD : is_taken ? PART_TAKEN : PART_UNKNOWN;
        if (is_taken) {
            job->parts[i].id[0] = ids[i];
            job->parts[i].id_len = 1;
        }
    }
    send_job_settle(&job->job, clock_system(), verdict, delay_ms,
                    verdict == MESSAGE_VERDICT_SENT ? "" : "answer-lost", "",
                    verdict == MESSAGE_VERDICT_SENT ? NULL : "retry");
    if (verdict == MESSAGE_VERDICT_SENT)
        job->job.outcome.provider_id = slice_of(job->parts[0].id, 1);
    mailbox_put(&settled, &job->job.item);
}

static void
comes_to(struct id message, const char *condition)
{
    char sql[512], id[ID_UUID_BYTES];

    id_uuid_print(message, id);
    snprintf(sql, sizeof(sql), "select count(*) from message where id = '%s' and %s", id, condition);
    while (test_cluster_number(sql) == 0)
        (void)poll(NULL, 0, 5);
}

static void
a_message_comes_with_its_sender_number_and_text(void **state UNUSED)
{
    struct id message = accept_text("{\"type\":\"text\",\"text\":{\"body\":\"Your code is 1234\"}}");
    struct sms_job *job = take();

    assert_true(id_eq(job->job.claim.message, message));
    assert_true(slice_eq(buf_slice(&job->to), SLICE("+919876543210")));
    assert_true(slice_eq(buf_slice(&job->text), SLICE("Your code is 1234")));
    assert_string_equal(job->sender, "HARKRA");
    assert_int_equal(job->sender_kind, CHANNEL_SMS_ALPHANUMERIC);
    assert_int_equal(job->parts_max, 4);
    assert_false(job->has_had);
    assert_string_equal(job->dlt_template, "");
    settle(job, 1, "a", MESSAGE_VERDICT_SENT, 0);
    comes_to(message, "status = 'sent' and provider_id = 'a'");
    assert_int_equal(
        test_cluster_number(
            "select count(*) from sms_part where state = 'taken' and provider_id = 'a' and part = 1"
            " and part_count = 1 and connector_id = '00000000-0000-0000-0000-000000000009'"),
        1);
}

static void
parts_that_were_taken_are_known_at_the_next_attempt(void **state UNUSED)
{
    struct id message = accept_text("{\"type\":\"text\",\"text\":{\"body\":\"Twice\"}}");

    settle(take(), 3, "xy", MESSAGE_VERDICT_RETRY, 0);
    struct sms_job *again = take();
    assert_int_equal(again->job.claim.attempt, 2);
    assert_true(again->has_had);
    assert_int_equal(again->had_part_count, 3);
    assert_int_equal(again->had_at.bytes[15], 9);
    assert_true(sms_job_had(again, 0) && sms_job_had(again, 1) && !sms_job_had(again, 2));
    assert_int_equal(
        test_cluster_number("select count(*) from sms_part where state = 'unknown' and part = 3"), 1);
    settle(again, 3, "xyz", MESSAGE_VERDICT_SENT, 0);
    comes_to(message, "status = 'sent'");
    assert_int_equal(test_cluster_number("select count(*) from sms_part where state = 'taken'"), 3);
    assert_int_equal(
        test_cluster_number("select count(*) from sms_part where provider_id = 'z' and part = 3"), 1);
}

static void
a_lost_answer_is_uncertain_and_its_part_is_kept(void **state UNUSED)
{
    struct id message = accept_text("{\"type\":\"text\",\"text\":{\"body\":\"Lost\"}}");

    settle(take(), 1, "", MESSAGE_VERDICT_UNCERTAIN, 60000);
    comes_to(message, "status = 'uncertain'");
    assert_int_equal(
        test_cluster_number("select count(*) from sms_part where state = 'unknown' and provider_id is null"),
        1);
}

static void
content_that_is_no_text_fails(void **state UNUSED)
{
    struct id message = accept_text("{\"type\":\"image\"}");

    comes_to(message, "status = 'failed' and error_code = 'content-invalid'");
}

#define DLT_TEMPLATE "00000000-0000-0000-0000-0000000000f1"

/* A registered text that waits in the lane, until let_go. */
static struct id
accept_registered(void)
{
    char sql[2048], tenant[ID_UUID_BYTES];

    id_uuid_print(acme, tenant);
    snprintf(
        sql, sizeof(sql),
        "insert into dlt_entity (tenant_id, id, registered_id, name, created_at, updated_at) values"
        " ('%s', '00000000-0000-0000-0000-0000000000e1', '1101000000000000001', 'Shop', now(), now());"
        "insert into dlt_header (tenant_id, id, entity_id, name, created_at, updated_at) values"
        " ('%s', '00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000e1', 'HARKRA', now(), now());"
        "insert into dlt_template (tenant_id, id, entity_id, kind, registered_id, name, category, text, lead, created_at,"
        " updated_at) values ('%s', '" DLT_TEMPLATE "', '00000000-0000-0000-0000-0000000000e1', 'content',"
        " '1107000000000000002', 'Code', 'transactional', 'Hello', 'Hello', now(), now());"
        "insert into dlt_template_header values ('%s', '" DLT_TEMPLATE
        "', '00000000-0000-0000-0000-0000000000d1');"
        "update dispatch_lane set not_before = now() + interval '1 hour'",
        tenant, tenant, tenant, tenant);
    test_cluster_sql(sql);
    struct id message = accept_text("{\"type\":\"text\",\"text\":{\"body\":\"Hello\"}}");
    test_cluster_sql("update message set dlt_template_id = '" DLT_TEMPLATE "'");
    return message;
}

static void
let_go(void)
{
    test_cluster_sql(
        "update dispatch_lane set not_before = '-infinity'; select pg_notify('harkara_dispatch', '')");
}

static void
the_registrys_ids_go_with_a_text_that_is_registered(void **state UNUSED)
{
    struct id message = accept_registered();

    let_go();
    struct sms_job *job = take();
    assert_string_equal(job->dlt_entity, "1101000000000000001");
    assert_string_equal(job->dlt_template, "1107000000000000002");
    assert_string_equal(job->dlt_chain, ""); /* none is recorded: an aggregator adds it */
    settle(job, 1, "d", MESSAGE_VERDICT_SENT, 0);
    comes_to(message, "status = 'sent' and policy_sent is not null");
}

static void
a_text_whose_header_is_paused_meanwhile_does_not_leave(void **state UNUSED)
{
    struct id message = accept_registered();

    test_cluster_sql("update dlt_header set paused_at = now(), paused_reason = 'complaints'");
    let_go();
    comes_to(message, "status = 'blocked' and error_code = 'dlt' and policy_sent is not null");
    assert_null(mailbox_take(&ready));
}

static void
what_is_blocked_or_held_does_not_keep_others_waiting(void **state UNUSED)
{
    char sql[256], id[ID_UUID_BYTES];
    struct id blocked = accept_registered();

    test_cluster_sql("update dlt_template set state = 'inactive'");
    struct id free = accept_text("{\"type\":\"text\",\"text\":{\"body\":\"Free\"}}");
    let_go();
    struct sms_job *job = take();
    assert_true(id_eq(job->job.claim.message, free));
    settle(job, 1, "e", MESSAGE_VERDICT_SENT, 0);
    comes_to(free, "status = 'sent'");
    comes_to(blocked, "status = 'blocked'");
    test_cluster_sql("update harkara.tenant set state = 'suspended' where slug = 'acme'");
    struct id held = accept_text("{\"type\":\"text\",\"text\":{\"body\":\"Later\"}}");
    comes_to(held, "status = 'held' and attempt_count = 0 and send_at > now()");
    test_cluster_sql("update harkara.tenant set state = 'active' where slug = 'acme'");
    id_uuid_print(held, id);
    snprintf(sql, sizeof(sql),
             "select count(*) from dispatch_queue where message_id = '%s' and state = 'held'", id);
    assert_int_equal(test_cluster_number(sql), 1);
    assert_null(mailbox_take(&ready));
}

static void
lanes_of_whatsapp_are_left_alone(void **state UNUSED)
{
    test_cluster_sql("update dispatch_lane set carrier = 'whatsapp'");
    struct id message = accept_text("{\"type\":\"text\",\"text\":{\"body\":\"Not ours\"}}");
    test_cluster_sql("update dispatch_lane set dispatcher = null, fence = fence + 1");
    /* Its own lane, made a moment later, is served; the other is not. */
    test_cluster_sql("select pg_notify('harkara_dispatch', '')");
    comes_to(message, "status = 'accepted'");
    assert_null(mailbox_take(&ready));
    test_cluster_sql("update dispatch_lane set carrier = 'sms'; select pg_notify('harkara_dispatch', '')");
    settle(take(), 1, "b", MESSAGE_VERDICT_SENT, 0);
    comes_to(message, "status = 'sent'");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_comes_with_its_sender_number_and_text),
        TEST(parts_that_were_taken_are_known_at_the_next_attempt),
        TEST(a_lost_answer_is_uncertain_and_its_part_is_kept),
        TEST(content_that_is_no_text_fails),
        TEST(the_registrys_ids_go_with_a_text_that_is_registered),
        TEST(a_text_whose_header_is_paused_meanwhile_does_not_leave),
        TEST(what_is_blocked_or_held_does_not_keep_others_waiting),
        TEST(lanes_of_whatsapp_are_left_alone),
    };
    return cmocka_run_group_tests(tests, vault_pair_open, vault_pair_close);
}
