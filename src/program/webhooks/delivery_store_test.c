/*
 * The webhooks role's store thread on a real PostgreSQL and a real vault; the test plays the loop and the
 * endpoint.
 */
#include "crypto/encode.h"
#include "crypto/mac.h"
#include "domain/tenant/tenant_key.h"
#include "domain/webhook/webhook_log.h"
#include "domain/webhook/webhook_testing.h"
#include "program/webhooks/delivery_store.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define IDLE_MS 600000 /* nothing is found by chance: each test that waits shows what wakes the thread */

static const char *const all[] = { "*", NULL };
static struct config config;
static struct vault_client *client;
static struct mailbox ready, settled;
static struct delivery_store *store;
static struct id acme;

static int
opened(void **state)
{
    int failed = webhook_testing_open(state);

    if (id_is_zero(acme))
        acme = vault_testing_tenant("acme");
    config_init(&config);
    client = vault_testing_client(VAULT_ROLE_WEBHOOKS, 5000);
    assert_ok(mailbox_init(&ready));
    assert_ok(mailbox_init(&settled));
    assert_ok(delivery_store_new(
        &(struct delivery_store_config){ .database = test_cluster_conninfo("harkara_webhooks"),
                                         .config = &config,
                                         .clock = clock_system(),
                                         .vault_client = client,
                                         .ready = &ready,
                                         .settled = &settled,
                                         .idle_ms_max = IDLE_MS },
        &store));
    return failed;
}

static int
closed(void **state)
{
    delivery_store_free(store);
    store = NULL;
    vault_client_free(client);
    mailbox_release(&ready);
    mailbox_release(&settled);
    return webhook_testing_close(state);
}

static struct delivery_job *
take(void)
{
    struct delivery_job *job;

    while ((job = (struct delivery_job *)mailbox_take(&ready)) == NULL)
        (void)poll(&(struct pollfd){ .fd = ready.event_fd, .events = POLLIN }, 1, 1000);
    assert_null(delivery_job_next(job));
    return job;
}

static void
settle(struct delivery_job *job, enum webhook_result result, int status)
{
    job->outcome.result = (struct webhook_attempt){ .result = result, .status = status, .retry_after_s = -1 };
    job->outcome.plan = webhook_plan_of(&job->outcome.result, job->outcome.attempt, 0, 100);
    mailbox_put(&settled, &job->item);
}

static void
nothing_is_out(void)
{
    while (delivery_store_out(store) != 0)
        ;
}

static int64_t
deliveries(const char *condition)
{
    return webhook_testing_count("select count(*) from webhook_delivery where %s", condition);
}

/* As Standard Webhooks has a receiver do it, from the request alone. */
static void
a_request_is_signed_over_what_it_carries(void **state UNUSED)
{
    unsigned char mac[MAC_BYTES];
    struct buf signed_content, want;

    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    struct delivery_job *job = take();
    assert_string_equal(job->url.ptr, "https://shop.example/hooks");
    assert_memory_equal(job->id_header, "webhook-id: evt_", 16);
    buf_init(&signed_content, 65536);
    buf_init(&want, 256);
    buf_add_format(&signed_content, "%s.%s.", job->id_header + strlen("webhook-id: "),
                   job->timestamp_header + strlen("webhook-timestamp: "));
    buf_add(&signed_content, buf_slice(&job->body));
    assert_ok(mac_sha256(WEBHOOK_TESTING_KEY, buf_slice(&signed_content), mac));
    buf_add_text(&want, "webhook-signature: v1,");
    encode_base64(&want, slice_of(mac, sizeof(mac)));
    assert_true(slice_eq(slice_text(job->signature_header.ptr), buf_slice(&want)));
    buf_release(&signed_content);
    buf_release(&want);
    settle(job, WEBHOOK_RESULT_DELIVERED, 200);
    nothing_is_out();
    assert_int_equal(deliveries("state = 'delivered'"), 1);
}

static void
a_failed_attempt_is_written_and_made_again(void **state UNUSED)
{
    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    struct delivery_job *job = take();
    struct buf body;
    buf_init(&body, 65536);
    buf_add(&body, buf_slice(&job->body));
    settle(job, WEBHOOK_RESULT_STATUS, 500);
    nothing_is_out();
    test_cluster_sql("update webhook_delivery set due_at = now(); select pg_notify('harkara_webhook', '')");
    job = take();
    assert_int_equal(job->outcome.attempt, 2);
    assert_true(slice_eq(buf_slice(&job->body), buf_slice(&body))); /* byte for byte */
    buf_release(&body);
    settle(job, WEBHOOK_RESULT_DELIVERED, 204);
    nothing_is_out();
    /* The first is kept with the delivery, what followed by itself. */
    assert_int_equal(deliveries("outcome = 'status' and status_code = 500 and state = 'delivered'"), 1);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_attempt where number = 2 and"
                                           " outcome = 'delivered' and status_code = 204"),
                     1);
}

/* What the endpoint said is sealed on its way into the log, and opened for who may. */
static void
the_answer_is_kept_sealed(void **state UNUSED)
{
    struct webhook_delivery_filter any = { .has_after = false };
    struct webhook_delivery *list, delivery;
    struct slice answer;
    struct db_tx tx;
    size_t count;

    struct webhook_endpoint endpoint = webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    struct delivery_job *job = take();
    job->answer_len = (size_t)snprintf(job->answer, sizeof(job->answer), "no, thank you");
    snprintf(job->address, sizeof(job->address), "203.0.113.7");
    settle(job, WEBHOOK_RESULT_STATUS, 500);
    nothing_is_out();
    assert_int_equal(
        webhook_testing_count("select count(*) from webhook_delivery where address = '203.0.113.7' and"
                              " position('thank' in encode(answer_ct, 'escape')) = 0"),
        1);
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_delivery_list(&tx, endpoint.id, &any, (struct id){ { 0 } }, 10, webhook_testing_arena,
                                    &list, &count));
    assert_int_equal(count, 1);
    assert_false(list[0].attempts[0].has_answer);
    assert_ok(webhook_delivery_get(&tx, list[0].id, webhook_testing_arena, &delivery));
    db_rollback(&tx);
    assert_int_equal(delivery.attempt_count, 1);
    assert_true(delivery.attempts[0].has_answer);
    struct vault_place place = webhook_answer_place(acme, delivery.attempts[0].id);
    assert_ok(vault_open_content(&webhook_testing_sealer, &place, &delivery.attempts[0].answer,
                                 webhook_testing_arena, &answer));
    assert_true(slice_eq(answer, SLICE("no, thank you")));
    assert_int_equal(vault_open_content(&webhook_testing_signer, &place, &delivery.attempts[0].answer,
                                        webhook_testing_arena, &answer),
                     ERR_VAULT_FORBIDDEN); /* who wrote it has no use for it */
}

/* Eight endpoints that hang have all been found out: they hold half of the places, and the rest is for the
 * others. */
static void
endpoints_that_fail_leave_half_of_the_places(void **state UNUSED)
{
    struct delivery_job *jobs[16];
    size_t taken = 0, failing = 0;

    delivery_store_free(store);
    config.webhook_in_flight_max = 8;
    config.webhook_tenant_in_flight_max = 64;
    for (int i = 0; i < 8; i++)
        webhook_testing_endpoint(acme, all);
    test_cluster_sql("update webhook_endpoint set failures = 1, failing_since = now()");
    struct id well = webhook_testing_endpoint(acme, all).id;
    for (int i = 0; i < 4; i++)
        webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_ok(delivery_store_new(
        &(struct delivery_store_config){ .database = test_cluster_conninfo("harkara_webhooks"),
                                         .config = &config,
                                         .clock = clock_system(),
                                         .vault_client = client,
                                         .ready = &ready,
                                         .settled = &settled,
                                         .idle_ms_max = IDLE_MS },
        &store));
    while (taken < 8) { /* four that fail, and all four of the one that is well */
        struct delivery_job *job = (struct delivery_job *)mailbox_take(&ready);
        for (struct delivery_job *next; job != NULL; job = next) {
            next = delivery_job_next(job);
            assert_true(taken < COUNT_OF(jobs));
            jobs[taken++] = job;
            failing += job->is_failing;
            assert_int_equal(job->is_failing, !id_eq(job->outcome.endpoint, well));
        }
    }
    assert_int_equal(failing, 4);
    for (size_t i = 0; i < taken; i++) {
        jobs[i]->is_released = true;
        jobs[i]->release_ms = 60000;
        mailbox_put(&settled, &jobs[i]->item);
    }
}

/* Shown to the endpoint's server while it holds; its key is opened for that alone. */
static void
a_client_certificate_goes_along_until_it_is_over(void **state UNUSED)
{
    struct webhook_endpoint_new with = webhook_testing_endpoint_new(acme, all);
    struct vault_place place = webhook_client_key_place(acme, with.id, 1);
    struct certificate certificate = { .not_after = wall_after_ms(clock_wall(clock_system()), 3600000) };
    struct webhook_client shown = { .certificate = &certificate };
    struct webhook_endpoint endpoint;
    struct db_tx tx;

    buf_init(&certificate.chain, 64);
    buf_init(&certificate.subject, 64);
    buf_init(&certificate.issuer, 64);
    buf_add_text(&certificate.chain, "a chain");
    buf_add_text(&certificate.subject, "CN=own");
    buf_add_text(&certificate.issuer, "CN=above");
    assert_ok(vault_seal(&webhook_testing_sealer, VAULT_CREDENTIAL, &place, SLICE("a key"),
                         webhook_testing_arena, &shown.key));
    with.client = &shown;
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_endpoint_create(&tx, &with, webhook_testing_arena, &endpoint));
    assert_ok(db_commit(&tx));
    assert_true(endpoint.has_client);
    assert_true(slice_eq(endpoint.client_subject, SLICE("CN=own")));
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    struct delivery_job *job = take();
    assert_false(job->has_expired);
    assert_true(slice_eq(buf_slice(&job->client_certificate), SLICE("a chain")));
    assert_true(slice_eq(secret_slice(job->client_key), SLICE("a key")));
    settle(job, WEBHOOK_RESULT_DELIVERED, 200);
    nothing_is_out();
    test_cluster_sql("update webhook_endpoint set client_not_after = now()");
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    job = take();
    assert_true(job->has_expired);
    assert_null(job->client_key);
    settle(job, WEBHOOK_RESULT_CERTIFICATE_EXPIRED, 0);
    nothing_is_out();
    assert_int_equal(deliveries("outcome = 'certificate-expired'"), 1);

    /* Removed with the endpoint, key and all. */
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_endpoint_delete(&tx, endpoint.id, 0));
    assert_ok(db_commit(&tx));
    assert_int_equal(
        webhook_testing_count("select count(*) from webhook_endpoint where num_nonnulls(client_certificate,"
                              " client_subject, client_key_ct, client_fingerprint) > 0"),
        0);
    buf_release(&certificate.chain);
    buf_release(&certificate.subject);
    buf_release(&certificate.issuer);
}

static void
what_the_loop_gives_back_is_no_attempt(void **state UNUSED)
{
    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    struct delivery_job *job = take();
    job->is_released = true;
    mailbox_put(&settled, &job->item);
    nothing_is_out();
    assert_int_equal(deliveries("state = 'pending' and attempt = 0 and lease_until is null"), 1);
}

/* Its delivery was removed meanwhile: nothing can be written, and everything else goes on. */
static void
an_attempt_that_cannot_be_written_does_not_hold_up_the_rest(void **state UNUSED)
{
    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    struct delivery_job *job = take();
    test_cluster_sql("delete from webhook_delivery");
    settle(job, WEBHOOK_RESULT_DELIVERED, 200);
    nothing_is_out();
    webhook_testing_event(acme, EVENT_MESSAGE_READ, NULL);
    settle(take(), WEBHOOK_RESULT_DELIVERED, 200);
    nothing_is_out();
    assert_int_equal(deliveries("state = 'delivered'"), 1);
}

static void
a_secret_that_does_not_open_waits_longer_than_a_moment(void **state UNUSED)
{
    webhook_testing_endpoint(acme, all);
    test_cluster_sql("update webhook_secret set secret_tag = decode(repeat('00', 16), 'hex')");
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    while (deliveries("lease_until is null and due_at > now() + interval '30 seconds'") == 0)
        ;
    assert_int_equal(deliveries("state = 'pending' and attempt = 0"), 1);
}

static void
an_attempt_waits_for_a_database_that_is_away(void **state UNUSED)
{
    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    struct delivery_job *job = take();
    test_cluster_sql("alter role harkara_webhooks nologin");
    test_cluster_sql(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'harkara_webhooks'");
    settle(job, WEBHOOK_RESULT_DELIVERED, 200);
    test_cluster_sql("alter role harkara_webhooks login");
    while (deliveries("state = 'delivered'") == 0)
        ;
    nothing_is_out();
}

static void
draining_starts_nothing_more_and_still_records(void **state UNUSED)
{
    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    struct delivery_job *job = take();
    delivery_store_drain(store);
    webhook_testing_event(acme, EVENT_MESSAGE_READ, NULL);
    settle(job, WEBHOOK_RESULT_DELIVERED, 200);
    while (delivery_store_out(store) !=
           0) { /* a round that had begun may bring the later one: it goes back */
        job = (struct delivery_job *)mailbox_take(&ready);
        if (job == NULL)
            continue;
        job->is_released = true;
        mailbox_put(&settled, &job->item);
    }
    assert_int_equal(deliveries("state = 'delivered'"), 1);
    assert_int_equal(deliveries("state = 'pending' and attempt > 0"), 0);
}

/* What the loop never took goes back at once, not when its lease ends. */
static void
what_nobody_took_is_given_back_at_the_end(void **state UNUSED)
{
    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    while (mailbox_count(&ready) == 0)
        ;
    delivery_store_free(store);
    store = NULL;
    assert_int_equal(deliveries("state = 'pending' and attempt = 0 and lease_until is null"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
WEBHOOK_MAIN(TEST(a_request_is_signed_over_what_it_carries), TEST(a_failed_attempt_is_written_and_made_again),
             TEST(the_answer_is_kept_sealed), TEST(endpoints_that_fail_leave_half_of_the_places),
             TEST(a_client_certificate_goes_along_until_it_is_over),
             TEST(what_the_loop_gives_back_is_no_attempt),
             TEST(an_attempt_that_cannot_be_written_does_not_hold_up_the_rest),
             TEST(a_secret_that_does_not_open_waits_longer_than_a_moment),
             TEST(an_attempt_waits_for_a_database_that_is_away),
             TEST(draining_starts_nothing_more_and_still_records),
             TEST(what_nobody_took_is_given_back_at_the_end))
