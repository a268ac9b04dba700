/* Claims, leases, fences and outcomes of deliveries, and what they mean for the endpoint. */
#include "crypto/encode.h"
#include "crypto/mac.h"
#include "crypto/sign.h"
#include "domain/webhook/webhook_log.h"
#include "domain/webhook/webhook_signature.h"
#include "domain/webhook/webhook_testing.h"
#include <stdio.h>

static const char *const all[] = { "*", NULL };
static struct id acme;

static struct webhook_endpoint
endpoint_with(size_t deliveries)
{
    size_t queued = 0;

    if (id_is_zero(acme))
        acme = vault_testing_tenant("acme");
    struct webhook_endpoint endpoint = webhook_testing_endpoint(acme, all);
    for (size_t i = 0; i < deliveries; i++)
        webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    for (size_t told = 0; told < deliveries; told += queued)
        webhook_testing_fan_out(&queued);
    return endpoint;
}

static size_t
claim_of(bool is_failing, size_t count_max, size_t per_endpoint_max, struct webhook_claim **out)
{
    size_t count = 0;

    struct webhook_claim_limits limits = { .count_max = count_max,
                                           .per_endpoint_max = per_endpoint_max,
                                           .per_tenant_max = WEBHOOK_CLAIM_MAX,
                                           .is_failing = is_failing,
                                           .lease_ms = 60000 };
    assert_ok(webhook_claim_due(webhook_testing_webhooks, &limits, webhook_testing_arena, out, &count));
    return count;
}

/* From endpoints that are well, and then from those that fail: most tests do not care. */
static size_t
claim(size_t count_max, size_t per_endpoint_max, struct webhook_claim **out)
{
    size_t count = claim_of(false, count_max, per_endpoint_max, out);

    return count > 0 ? count : claim_of(true, count_max, per_endpoint_max, out);
}

static struct webhook_outcome
outcome_of(const struct webhook_claim *claimed, enum webhook_result result, int status)
{
    struct webhook_outcome outcome = {
        .tenant = claimed->tenant,
        .delivery = claimed->delivery,
        .endpoint = claimed->endpoint,
        .fence = claimed->fence,
        .attempt = claimed->attempt,
        .result = { .result = result, .status = status, .retry_after_s = status == 503 ? 600 : -1 },
        .began_at = clock_wall(clock_system()),
        .latency_ms = 12,
        .attempt_row = id_new(clock_system()),
        .address = SLICE("192.0.2.1")
    };

    outcome.plan = webhook_plan_of(&outcome.result, outcome.attempt, 0, 100);
    return outcome;
}

static void
record_all(const struct webhook_outcome *const *outcomes, size_t count)
{
    struct db_tx tx;

    assert_ok(db_begin(webhook_testing_webhooks, outcomes[0]->tenant, &tx));
    assert_ok(webhook_record(&tx, clock_system(), outcomes, count, webhook_testing_arena));
    assert_ok(db_commit(&tx));
}

static void
record(const struct webhook_claim *claimed, enum webhook_result result, int status)
{
    struct webhook_outcome outcome = outcome_of(claimed, result, status);

    record_all((const struct webhook_outcome *const[]){ &outcome }, 1);
}

static int64_t
deliveries(const char *condition)
{
    return webhook_testing_count("select count(*) from webhook_delivery where %s", condition);
}

static int64_t
endpoints(const char *condition)
{
    return webhook_testing_count("select count(*) from webhook_endpoint where %s", condition);
}

static void
let_everything_be_due(void)
{
    test_cluster_sql("update webhook_delivery set due_at = now() - interval '1 second', lease_until = null");
    test_cluster_sql("update webhook_endpoint set not_before = '-infinity'");
}

/* Delivered, refused for now and for good; of a claim that was lost, and of a delivery that was removed. */
static void
outcomes_that_are_recorded_together_are_each_its_own(void **state UNUSED)
{
    enum { MANY = 6 };
    struct webhook_outcome outcomes[MANY];
    const struct webhook_outcome *all_of_them[MANY];
    struct webhook_claim *claims;
    char sql[128], id[ID_UUID_BYTES];

    endpoint_with(MANY);
    assert_int_equal(claim(MANY, MANY, &claims), MANY);
    for (size_t i = 0; i < MANY; i++) {
        outcomes[i] = i == 1 ? outcome_of(&claims[i], WEBHOOK_RESULT_STATUS, 500)
                             : outcome_of(&claims[i], WEBHOOK_RESULT_DELIVERED, 200);
        all_of_them[i] = &outcomes[i];
    }
    outcomes[2].attempt = 8; /* the last one */
    outcomes[2].result = (struct webhook_attempt){ .result = WEBHOOK_RESULT_TIMEOUT, .retry_after_s = -1 };
    outcomes[2].plan = webhook_plan_of(&outcomes[2].result, outcomes[2].attempt, 0, 100);
    outcomes[3].fence--;
    id_uuid_print(outcomes[4].delivery, id);
    snprintf(sql, sizeof(sql), "delete from webhook_delivery where id = '%s'", id);
    test_cluster_sql(sql);
    record_all(all_of_them, MANY);
    assert_int_equal(deliveries("state = 'delivered' and finished_at is not null and lease_until is null"),
                     2);
    assert_int_equal(
        deliveries("state = 'pending' and lease_until is null and due_at > now() + interval '1 second'"), 1);
    assert_int_equal(deliveries("state = 'failed'"), 1);
    assert_int_equal(deliveries("state = 'pending' and lease_until is not null"),
                     1); /* whose claim was lost */
    assert_int_equal(webhook_testing_count("select count(*) from webhook_attempt where number = 1"),
                     MANY - 1);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_attempt where status_code is null"),
                     1);
    /* In their order: the first was a success, two failures followed, and the last was a success again. */
    assert_int_equal(endpoints("failures = 0 and failing_since is null"), 1);
    record(&claims[3], WEBHOOK_RESULT_STATUS, 500);
    assert_int_equal(endpoints("failures = 1 and failing_since is not null"), 1);
}

static void
a_claim_has_all_that_a_signed_request_needs(void **state UNUSED)
{
    struct webhook_claim *claims;
    unsigned char want[MAC_BYTES];
    struct buf signature, wanted;
    struct slice body;

    struct webhook_endpoint endpoint = endpoint_with(1);
    assert_int_equal(claim(10, 10, &claims), 1);
    assert_true(id_eq(claims[0].endpoint, endpoint.id));
    assert_true(slice_eq(claims[0].target->url, endpoint.url));
    assert_int_equal(claims[0].attempt, 1);
    assert_ok(webhook_testing_body(&claims[0], &body));
    assert_true(slice_starts_with(body, SLICE("{\"id\":\"evt_")));
    buf_init(&signature, 1024);
    buf_init(&wanted, 1024);
    assert_ok(webhook_testing_sign(claims[0].target, SLICE("signed"), &signature));
    assert_ok(mac_sha256(WEBHOOK_TESTING_KEY, SLICE("signed"), want));
    webhook_signature_add(&wanted, "v1", slice_of(want, sizeof(want)));
    assert_true(slice_eq(buf_slice(&signature), buf_slice(&wanted)));
    buf_release(&signature);
    buf_release(&wanted);
}

/* Every generation that lives signs with what the endpoint asks for, the newest first; others stay unused. */
static void
all_live_keys_sign(void **state UNUSED)
{
    unsigned char key[VAULT_PUBLIC_KEY_BYTES], raw[128];
    struct webhook_endpoint shown;
    struct webhook_claim *claims;
    struct webhook_keys keys;
    struct buf signature;
    struct secret *text;
    struct db_tx tx;
    size_t len = 0;

    struct webhook_endpoint endpoint = endpoint_with(1);
    assert_ok(webhook_keys_make(&webhook_testing_sealer, acme, endpoint.id, 2, true, true,
                                webhook_testing_arena, &keys, &text));
    secret_free(text);
    memcpy(key, keys.public_key, sizeof(key));
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_endpoint_rotate(&tx, endpoint.id, &keys, 60, webhook_testing_arena, &shown));
    assert_ok(db_commit(&tx));
    test_cluster_sql("update webhook_endpoint set signature = 'both'");
    assert_int_equal(claim(10, 10, &claims), 1);
    buf_init(&signature, 1024);
    assert_ok(webhook_testing_sign(claims[0].target, SLICE("signed"), &signature));
    struct slice rest = buf_slice(&signature);
    assert_true(slice_starts_with(slice_take_until(&rest, ' '), SLICE("v1,")));
    struct slice ed25519 = slice_take_until(&rest, ' ');
    assert_true(slice_starts_with(ed25519, SLICE("v1a,")));
    assert_ok(decode_base64(slice_drop(ed25519, 4), raw, &len));
    assert_int_equal(len, SIGN_SIGNATURE_BYTES);
    assert_ok(sign_ed25519_verify(key, SLICE("signed"), raw));
    assert_true(slice_starts_with(rest, SLICE("v1,"))); /* that of before, which had no other */
    assert_int_equal(slice_find(rest, ' '), rest.len);
    test_cluster_sql(
        "update webhook_secret set expires_at = now() - interval '1 second' where generation = 1;"
        "update webhook_endpoint set signature = 'ed25519'");
    let_everything_be_due();
    assert_int_equal(claim(10, 10, &claims), 1);
    buf_clear(&signature);
    assert_ok(webhook_testing_sign(claims[0].target, SLICE("signed"), &signature));
    assert_true(slice_starts_with(buf_slice(&signature), SLICE("v1a,")));
    assert_int_equal(slice_find(buf_slice(&signature), ' '), signature.len);
    buf_release(&signature);
}

/* A body that is put under another delivery does not open. */
static void
a_body_opens_only_in_its_own_row(void **state UNUSED)
{
    struct webhook_claim *claims;
    struct slice body;

    endpoint_with(2);
    assert_int_equal(claim(10, 10, &claims), 2);
    claims[0].body = claims[1].body;
    assert_int_equal(webhook_testing_body(&claims[0], &body), ERR_SEAL_CORRUPT);
}

static void
an_endpoint_gets_so_many_at_a_time(void **state UNUSED)
{
    struct webhook_claim *claims, *more;

    endpoint_with(5);
    assert_int_equal(claim(10, 2, &claims), 2);
    assert_int_equal(claim(10, 2, &more), 0); /* those are still out */
    record(&claims[0], WEBHOOK_RESULT_DELIVERED, 204);
    assert_int_equal(claim(10, 2, &more), 1);
    assert_int_equal(claim(10, 9, &more), 2);
}

static void
one_endpoint_does_not_keep_another_waiting(void **state UNUSED)
{
    struct webhook_claim *claims;
    size_t of_other = 0;

    endpoint_with(6);
    struct webhook_endpoint other = endpoint_with(1);
    assert_int_equal(claim(10, 3, &claims), 4);
    for (size_t i = 0; i < 4; i++)
        of_other += id_eq(claims[i].endpoint, other.id);
    assert_int_equal(of_other, 1);
}

static void
delivered_is_written_once_with_its_attempt(void **state UNUSED)
{
    struct webhook_claim *claims;

    endpoint_with(1);
    assert_int_equal(claim(10, 10, &claims), 1);
    record(&claims[0], WEBHOOK_RESULT_DELIVERED, 200);
    assert_int_equal(deliveries("state = 'delivered' and finished_at is not null and lease_until is null"),
                     1);
    assert_int_equal(
        webhook_testing_count("select count(*) from webhook_attempt where number = 1 and status_code"
                              " = 200 and outcome = 'delivered' and latency_ms = 12"),
        1);
    let_everything_be_due();
    assert_int_equal(claim(10, 10, &claims), 0);
}

static void
a_failure_comes_again_later_and_marks_the_endpoint(void **state UNUSED)
{
    struct webhook_claim *claims;

    endpoint_with(1);
    assert_int_equal(claim(10, 10, &claims), 1);
    record(&claims[0], WEBHOOK_RESULT_STATUS, 500);
    assert_int_equal(
        deliveries("state = 'pending' and due_at > now() + interval '3 seconds' and finished_at is null"), 1);
    assert_int_equal(endpoints("failing_since is not null and state = 'enabled'"), 1);
    assert_int_equal(claim(10, 10, &claims), 0);
    let_everything_be_due();
    assert_int_equal(claim(10, 10, &claims), 1);
    assert_int_equal(claims[0].attempt, 2);
    record(&claims[0], WEBHOOK_RESULT_DELIVERED, 200);
    assert_int_equal(endpoints("failing_since is null"), 1);
}

static void
after_the_last_attempt_it_is_given_up(void **state UNUSED)
{
    struct webhook_claim *claims;

    endpoint_with(1);
    for (unsigned i = 1; i <= WEBHOOK_ATTEMPTS_MAX; i++) {
        assert_int_equal(claim(10, 10, &claims), 1);
        assert_int_equal(claims[0].attempt, i);
        record(&claims[0], WEBHOOK_RESULT_TIMEOUT, 0);
        let_everything_be_due();
    }
    assert_int_equal(claim(10, 10, &claims), 0);
    assert_int_equal(deliveries("state = 'failed' and finished_at is not null"), 1);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_attempt where status_code is null"),
                     WEBHOOK_ATTEMPTS_MAX);
    assert_int_equal(endpoints("state = 'enabled'"), 1); /* that alone does not disable */
}

static void
an_endpoint_that_asks_for_a_pause_gets_it(void **state UNUSED)
{
    struct webhook_claim *claims;

    endpoint_with(2);
    assert_int_equal(claim(10, 1, &claims), 1);
    record(&claims[0], WEBHOOK_RESULT_STATUS, 503);
    assert_int_equal(endpoints("not_before > now() + interval '590 seconds'"), 1);
    assert_int_equal(claim(10, 10, &claims), 0); /* nor anything else that is due there */
}

static void
gone_disables_cancels_and_tells(void **state UNUSED)
{
    struct webhook_claim *claims;
    size_t queued = 0;

    endpoint_with(3);
    assert_int_equal(claim(10, 2, &claims), 2);
    record(&claims[0], WEBHOOK_RESULT_STATUS, 410);
    assert_int_equal(deliveries("state = 'failed'"), 1);
    assert_int_equal(deliveries("state = 'canceled'"), 2);
    assert_int_equal(endpoints("state = 'disabled' and disabled_reason = 'gone' and revision = 2"), 1);
    assert_int_equal(
        webhook_testing_count("select count(*) from event where type = 'webhook_endpoint.disabled'"), 1);
    record(&claims[1], WEBHOOK_RESULT_STATUS, 410); /* it was on its way: told once, and stays canceled */
    assert_int_equal(
        webhook_testing_count("select count(*) from event where type = 'webhook_endpoint.disabled'"), 1);
    assert_int_equal(deliveries("state = 'canceled'"), 2);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    webhook_testing_fan_out(&queued);
    assert_int_equal(queued, 0);
}

static void
an_address_that_is_not_public_disables(void **state UNUSED)
{
    struct webhook_claim *claims;

    endpoint_with(1);
    assert_int_equal(claim(10, 10, &claims), 1);
    record(&claims[0], WEBHOOK_RESULT_BLOCKED, 0);
    assert_int_equal(endpoints("state = 'disabled' and disabled_reason = 'address-blocked'"), 1);
}

static void
five_days_of_failures_disable(void **state UNUSED)
{
    struct webhook_claim *claims;

    endpoint_with(2);
    test_cluster_sql("update webhook_endpoint set failing_since = now() - interval '4 days'");
    assert_int_equal(claim(10, 1, &claims), 1);
    record(&claims[0], WEBHOOK_RESULT_CONNECT, 0);
    assert_int_equal(endpoints("state = 'enabled'"), 1);
    test_cluster_sql("update webhook_endpoint set failing_since = now() - interval '121 hours'");
    assert_int_equal(claim(10, 1, &claims), 1);
    record(&claims[0], WEBHOOK_RESULT_CONNECT, 0);
    /* What is shown has changed, so its tag has too. */
    assert_int_equal(endpoints("state = 'disabled' and disabled_reason = 'failing' and revision = 2"), 1);
    assert_int_equal(deliveries("state = 'canceled'"), 2);
}

/* Ten failures in a row, and one attempt at a time is made, each later than the one before; a success ends
 * that. */
static void
after_ten_failures_only_probes_are_sent(void **state UNUSED)
{
    struct webhook_claim *claims;

    endpoint_with(6);
    test_cluster_sql("update webhook_endpoint set failures = 8, failing_since = now()");
    assert_int_equal(claim_of(false, 10, 4, &claims), 0);
    assert_int_equal(claim_of(true, 10, 4, &claims), 4);
    record(&claims[0], WEBHOOK_RESULT_TIMEOUT, 0);
    assert_int_equal(endpoints("failures = 9 and not_before <= now()"), 1);
    record(&claims[1], WEBHOOK_RESULT_TIMEOUT, 0);
    assert_int_equal(
        endpoints("failures = 10 and not_before between now() + interval '50 s' and now() + interval '61 s'"),
        1);
    record(&claims[2], WEBHOOK_RESULT_STATUS, 500);
    record(&claims[3], WEBHOOK_RESULT_STATUS, 500);
    assert_int_equal(
        endpoints(
            "failures = 12 and not_before between now() + interval '200 s' and now() + interval '241 s'"),
        1);
    assert_int_equal(claim_of(true, 10, 4, &claims), 0);
    let_everything_be_due();
    assert_int_equal(claim_of(true, 10, 4, &claims), 1); /* the probe; the others wait in the store */
    struct webhook_claim *more;
    assert_int_equal(claim_of(true, 10, 4, &more), 0);
    test_cluster_sql("update webhook_endpoint set failures = 1000");
    let_everything_be_due();
    assert_int_equal(claim_of(true, 10, 4, &claims), 1);
    record(&claims[0], WEBHOOK_RESULT_TIMEOUT, 0);
    assert_int_equal(endpoints("not_before between now() + interval '31 min' and now() + interval '33 min'"),
                     1);
    let_everything_be_due();
    assert_int_equal(claim_of(true, 10, 4, &claims), 1);
    test_cluster_sql("update webhook_endpoint set not_before = now() + interval '1 hour'");
    record(&claims[0], WEBHOOK_RESULT_DELIVERED, 200);
    assert_int_equal(endpoints("failures = 0 and failing_since is null and not_before = '-infinity'"), 1);
    assert_int_equal(claim_of(false, 10, 4, &claims), 4);
}

/* After 24 and after 72 hours, once each, to the others and not to the one that fails. */
static void
the_others_are_told_of_one_that_fails(void **state UNUSED)
{
    static const struct {
        const char *since;
        int64_t told, notices;
    } rows[] = { { "23 hours", 0, 0 },
                 { "25 hours", 1, 1 },
                 { "50 hours", 1, 1 },
                 { "73 hours", 2, 2 },
                 { "100 hours", 2, 2 } };
    struct webhook_claim *claims;
    size_t queued = 0;
    char sql[256];

    endpoint_with(COUNT_OF(rows) + 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(sql, sizeof(sql),
                 "update webhook_endpoint set failures = 1, failing_since = now() - interval '%s'",
                 rows[i].since);
        test_cluster_sql(sql);
        test_cluster_sql("update webhook_delivery set due_at = now() where attempt = 0");
        assert_int_equal(claim_of(true, 10, 1, &claims), 1);
        record(&claims[0], WEBHOOK_RESULT_CONNECT, 0);
        assert_int_equal(
            webhook_testing_count("select count(*) from event where type = 'webhook_endpoint.failing'"),
            rows[i].told);
        assert_int_equal(webhook_testing_count("select notices from webhook_endpoint"), rows[i].notices);
    }
    assert_int_equal(
        webhook_testing_count(
            "select count(*) from event where data ->> 'failures' = '2' and data ? 'failing_since'"),
        2);
    assert_int_equal(webhook_testing_fan_out(&queued), 2);
    assert_int_equal(queued, 0); /* there is no other */
    let_everything_be_due();
    test_cluster_sql("update webhook_delivery set attempt = 1 where state = 'pending'");
    assert_int_equal(claim_of(true, 10, 1, &claims), 1);
    struct webhook_endpoint other = webhook_testing_endpoint(acme, all);
    test_cluster_sql(
        "update webhook_endpoint set failing_since = now() - interval '121 hours' where failures > 0");
    record(&claims[0], WEBHOOK_RESULT_CONNECT, 0);
    assert_int_equal(webhook_testing_fan_out(&queued), 1);
    char id[ID_UUID_BYTES];
    id_uuid_print(other.id, id);
    snprintf(sql, sizeof(sql), "event_type = 'webhook_endpoint.disabled' and endpoint_id = '%s'", id);
    assert_int_equal(deliveries(sql), 1);
    assert_int_equal(webhook_testing_count("select count(*) from event where data ->> 'reason' = 'failing'"),
                     1);
}

/* Whatever its endpoints offer, a workspace has so many places and no more. */
static void
a_workspace_has_its_share_of_the_places(void **state UNUSED)
{
    struct webhook_claim_limits limits = {
        .count_max = 20, .per_endpoint_max = 4, .per_tenant_max = 5, .lease_ms = 60000
    };
    static struct id bolt;
    struct webhook_claim *claims;
    size_t count = 0, queued = 0, of_acme = 0;

    for (int i = 0; i < 3; i++)
        endpoint_with(4); /* 4 + 8 + 12 deliveries: the events go to all that were there */
    if (id_is_zero(bolt))
        bolt = vault_testing_tenant("bolt");
    webhook_testing_endpoint(bolt, all);
    webhook_testing_event(bolt, EVENT_MESSAGE_SENT, NULL);
    webhook_testing_fan_out(&queued);
    assert_ok(webhook_claim_due(webhook_testing_webhooks, &limits, webhook_testing_arena, &claims, &count));
    for (size_t i = 0; i < count; i++)
        of_acme += id_eq(claims[i].tenant, acme);
    assert_int_equal(of_acme, 5);
    assert_int_equal(count, 6);
    assert_int_equal(webhook_testing_count(
                         "select max(n) from (select count(*) as n from webhook_delivery where lease_until"
                         " > now() group by endpoint_id) c"),
                     2); /* of its three endpoints each has its turn */
    assert_ok(webhook_claim_due(webhook_testing_webhooks, &limits, webhook_testing_arena, &claims, &count));
    assert_int_equal(count, 0); /* those are still out */
}

static void
a_ping_goes_to_its_endpoint_alone(void **state UNUSED)
{
    static const char *const nothing[] = { "channel.deleted", NULL };
    char condition[128], id[ID_UUID_BYTES];
    size_t queued = 0;
    struct db_tx tx;

    endpoint_with(0);
    struct webhook_endpoint tested = webhook_testing_endpoint(acme, nothing);
    struct event ping = { .id = id_new(clock_system()), .type = EVENT_TEST_PING, .subject = tested.id };
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(event_append(&tx, &ping));
    assert_ok(db_commit(&tx));
    assert_int_equal(webhook_testing_fan_out(&queued), 1);
    id_uuid_print(tested.id, id);
    snprintf(condition, sizeof(condition), "event_type = 'test.ping' and endpoint_id = '%s'", id);
    assert_int_equal(deliveries(condition), 1);
    assert_int_equal(queued, 1);
}

static void
a_success_after_five_days_keeps_it_enabled(void **state UNUSED)
{
    struct webhook_claim *claims;

    endpoint_with(1);
    test_cluster_sql("update webhook_endpoint set failing_since = now() - interval '6 days'");
    assert_int_equal(claim(10, 1, &claims), 1);
    record(&claims[0], WEBHOOK_RESULT_DELIVERED, 200);
    assert_int_equal(endpoints("state = 'enabled' and failing_since is null and revision = 1"), 1);
}

/* A process that was believed dead wakes up: what it did is in the log, and decides nothing. */
static void
an_outcome_of_a_lost_claim_decides_nothing(void **state UNUSED)
{
    struct webhook_claim *old, *new;

    endpoint_with(1);
    assert_int_equal(claim(10, 10, &old), 1);
    test_cluster_sql("update webhook_delivery set lease_until = now() + interval '119 seconds'");
    assert_int_equal(claim(10, 10, &new), 0);
    test_cluster_sql("update webhook_delivery set lease_until = now() + interval '2 hours'");
    assert_int_equal(claim(10, 1, &old), 1); /* a clock that was ahead has given it: it is not out any more */
    test_cluster_sql("update webhook_delivery set lease_until = now() - interval '1 second'");
    assert_int_equal(claim(10, 10, &new), 1);
    assert_true(new[0].fence > old[0].fence);
    record(&old[0], WEBHOOK_RESULT_STATUS, 410);
    assert_int_equal(deliveries("state = 'pending' and lease_until > now()"), 1);
    assert_int_equal(endpoints("state = 'enabled'"), 1);
    record(&new[0], WEBHOOK_RESULT_DELIVERED, 200);
    assert_int_equal(deliveries("state = 'delivered'"), 1);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_attempt"), 2);
}

static void
what_never_left_is_not_an_attempt(void **state UNUSED)
{
    struct webhook_claim *claims;
    struct db_tx tx;

    endpoint_with(1);
    assert_int_equal(claim(10, 10, &claims), 1);
    assert_ok(db_begin(webhook_testing_webhooks, acme, &tx));
    struct webhook_given_back given = { .delivery = claims[0].delivery, .fence = claims[0].fence + 1 };
    assert_ok(webhook_release(&tx, &given, 1, webhook_testing_arena)); /* not ours: nothing */
    given.fence--;
    assert_ok(webhook_release(&tx, &given, 1, webhook_testing_arena));
    assert_ok(db_commit(&tx));
    assert_int_equal(claim(10, 10, &claims), 1);
    assert_int_equal(claims[0].attempt, 1);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_attempt"), 0);
}

static void
the_log_shows_each_delivery_with_its_attempts(void **state UNUSED)
{
    struct webhook_delivery *list;
    struct webhook_claim *claims;
    size_t count = 0;
    struct db_tx tx;

    struct webhook_endpoint endpoint = endpoint_with(3);
    assert_int_equal(claim(10, 1, &claims), 1);
    struct id tried = claims[0].delivery;
    record(&claims[0], WEBHOOK_RESULT_STATUS, 500);
    let_everything_be_due();
    test_cluster_sql("update webhook_delivery set due_at = now() + interval '1 hour' where attempt = 0");
    assert_int_equal(claim(10, 1, &claims), 1);
    record(&claims[0], WEBHOOK_RESULT_DELIVERED, 204);
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    struct webhook_delivery_filter any = { .has_after = false },
                                   settled = { .states = SLICE("delivered,failed") };
    assert_ok(webhook_delivery_list(&tx, endpoint.id, &any, (struct id){ { 0 } }, 10, webhook_testing_arena,
                                    &list, &count));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        bool is_tried = id_eq(list[i].id, tried);
        assert_true(i == 0 || memcmp(list[i - 1].id.bytes, list[i].id.bytes, ID_BYTES) > 0);
        assert_int_equal(list[i].attempt_count, is_tried ? 2 : 0);
        assert_int_equal(list[i].is_finished, is_tried);
        assert_int_equal(list[i].is_pending, !is_tried);
        if (!is_tried)
            continue;
        assert_int_equal(list[i].attempts[0].status_code, 500);
        assert_true(slice_eq(list[i].attempts[1].outcome, SLICE("delivered")));
    }
    struct webhook_delivery_filter typed = { .types = SLICE("message.read"), .event = list[0].event };
    size_t typed_count = 9;
    struct webhook_delivery *typed_list;
    assert_ok(webhook_delivery_list(&tx, endpoint.id, &typed, (struct id){ { 0 } }, 10, webhook_testing_arena,
                                    &typed_list, &typed_count));
    assert_int_equal(typed_count, 0);
    typed.types = SLICE("message.read,message.sent");
    typed.has_after = typed.has_before = true;
    typed.after = list[0].created_at;
    typed.before = (struct wall_time){ list[0].created_at.us + 1 };
    assert_ok(webhook_delivery_list(&tx, endpoint.id, &typed, (struct id){ { 0 } }, 10, webhook_testing_arena,
                                    &typed_list, &typed_count));
    assert_int_equal(typed_count, 1);
    assert_ok(webhook_delivery_list(&tx, endpoint.id, &settled, (struct id){ { 0 } }, 10,
                                    webhook_testing_arena, &list, &count));
    assert_int_equal(count, 1);
    assert_ok(webhook_delivery_list(&tx, endpoint.id, &any, (struct id){ { 0 } }, 1, webhook_testing_arena,
                                    &list, &count));
    assert_int_equal(count, 2); /* one more, to tell that there is */
    struct id first = list[0].id, second = list[1].id;
    assert_ok(webhook_delivery_list(&tx, endpoint.id, &any, first, 1, webhook_testing_arena, &list, &count));
    assert_true(id_eq(list[0].id, second));
    db_rollback(&tx);
}

WEBHOOK_MAIN(
    WEBHOOK_TEST(outcomes_that_are_recorded_together_are_each_its_own),
    WEBHOOK_TEST(a_claim_has_all_that_a_signed_request_needs), WEBHOOK_TEST(all_live_keys_sign),
    WEBHOOK_TEST(a_body_opens_only_in_its_own_row), WEBHOOK_TEST(an_endpoint_gets_so_many_at_a_time),
    WEBHOOK_TEST(one_endpoint_does_not_keep_another_waiting),
    WEBHOOK_TEST(delivered_is_written_once_with_its_attempt),
    WEBHOOK_TEST(a_failure_comes_again_later_and_marks_the_endpoint),
    WEBHOOK_TEST(after_the_last_attempt_it_is_given_up),
    WEBHOOK_TEST(an_endpoint_that_asks_for_a_pause_gets_it), WEBHOOK_TEST(gone_disables_cancels_and_tells),
    WEBHOOK_TEST(an_address_that_is_not_public_disables), WEBHOOK_TEST(five_days_of_failures_disable),
    WEBHOOK_TEST(a_success_after_five_days_keeps_it_enabled),
    WEBHOOK_TEST(after_ten_failures_only_probes_are_sent),
    WEBHOOK_TEST(the_others_are_told_of_one_that_fails),
    WEBHOOK_TEST(a_workspace_has_its_share_of_the_places), WEBHOOK_TEST(a_ping_goes_to_its_endpoint_alone),
    WEBHOOK_TEST(an_outcome_of_a_lost_claim_decides_nothing), WEBHOOK_TEST(what_never_left_is_not_an_attempt),
    WEBHOOK_TEST(the_log_shows_each_delivery_with_its_attempts))
