/* From the event log to deliveries, on a real PostgreSQL and a real vault. */
#include "domain/tenant/tenant_key.h"
#include "domain/webhook/webhook_testing.h"
#include "wire/json/json.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const all[] = { "*", NULL };
static const char *const sent_only[] = { "message.sent", "channel.broken", NULL };
static struct id acme, bolt;

static void
tenants_make(void)
{
    if (!id_is_zero(acme))
        return;
    acme = vault_testing_tenant("acme");
    bolt = vault_testing_tenant("bolt");
}

static int64_t
deliveries_of(struct id endpoint)
{
    char id[ID_UUID_BYTES];

    id_uuid_print(endpoint, id);
    return webhook_testing_count("select count(*) from webhook_delivery where endpoint_id = '%s'", id);
}

/* The body of the only delivery of this event. */
static json_t *
body_of(struct id event)
{
    struct webhook_claim *claims;
    json_t *body = NULL;
    size_t count = 0;

    assert_ok(webhook_claim_due(
        webhook_testing_webhooks,
        &(struct webhook_claim_limits){
            .count_max = 100, .per_endpoint_max = 100, .per_tenant_max = 100, .lease_ms = 60000 },
        webhook_testing_arena, &claims, &count));
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        if (!id_eq(claims[i].event, event))
            continue;
        assert_null(body);
        assert_ok(webhook_testing_body(&claims[i], &text));
        assert_ok(json_parse(text, &body));
    }
    return body;
}

static void
an_event_becomes_a_delivery_for_each_endpoint_that_wants_it(void **state UNUSED)
{
    size_t queued = 0;

    tenants_make();
    struct id everything = webhook_testing_endpoint(acme, all).id;
    struct id some = webhook_testing_endpoint(acme, sent_only).id;
    struct id others = webhook_testing_endpoint(bolt, all).id;
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    webhook_testing_event(acme, EVENT_MESSAGE_READ, NULL);
    webhook_testing_event(bolt, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(webhook_testing_fan_out(&queued), 3);
    assert_int_equal(queued, 4);
    assert_int_equal(deliveries_of(everything), 2);
    assert_int_equal(deliveries_of(some), 1);
    assert_int_equal(deliveries_of(others), 1);
    assert_int_equal(webhook_testing_fan_out(&queued), 0); /* the cursor stands behind them */
    assert_int_equal(webhook_testing_count("select count(*) from webhook_delivery d join webhook_endpoint e"
                                           " on e.id = d.endpoint_id where e.tenant_id <> d.tenant_id"),
                     0);
}

/* Most messages are their own event message.accepted: whatever has become of them since, it is told once, and
 * between those of the log that were written before and after. */
static void
a_message_is_told_as_the_event_that_it_is(void **state UNUSED)
{
    size_t queued = 0;

    tenants_make();
    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    struct id message = webhook_testing_message(acme);
    webhook_testing_event(acme, EVENT_MESSAGE_READ, NULL);
    webhook_testing_message(bolt); /* nobody wants it */
    struct id incoming = webhook_testing_message(acme);
    char sql[128], text[ID_UUID_BYTES];
    id_uuid_print(incoming, text); /* no event at all */
    snprintf(sql, sizeof(sql), "update message set told_xid = null where id = '%s'", text);
    test_cluster_sql(sql);
    assert_int_equal(webhook_testing_fan_out(&queued), 4);
    assert_int_equal(queued, 3);
    assert_int_equal(webhook_testing_fan_out(&queued), 0);
    assert_int_equal(
        webhook_testing_count("select count(*) from (select event_type = 'message.accepted' as is_it,"
                              " row_number() over (order by id) as n from webhook_delivery) d"
                              " where is_it and n = 2"),
        1);
    json_t *body = body_of(message);
    assert_non_null(body);
    const json_t *data = json_member(body, "data");
    assert_true(slice_eq(json_text_of(body, "type"), SLICE("message.accepted")));
    assert_true(slice_eq(json_text_of(data, "status"), SLICE("accepted")));
    assert_true(slice_eq(json_text_of(data, "reference"), SLICE("ours")));
    assert_true(slice_eq(json_text_of(data, "category"), SLICE("service")));
    json_decref(body);
}

static void
what_is_personal_is_opened_only_into_the_sealed_body(void **state UNUSED)
{
    size_t queued = 0;

    tenants_make();
    webhook_testing_endpoint(acme, all);
    struct id event = webhook_testing_event(
        acme, EVENT_MESSAGE_RECEIVED, "{\"from\": \"+14155550123\", \"content\": {\"type\": \"text\"}}");
    assert_int_equal(webhook_testing_fan_out(&queued), 1);
    assert_int_equal(
        webhook_testing_count("select count(*) from webhook_delivery where position('4155550123' in"
                              " encode(body_ct, 'escape')) > 0"),
        0);
    json_t *body = body_of(event);
    assert_non_null(body);
    assert_true(slice_eq(json_text_of(json_member(body, "data"), "from"), SLICE("+14155550123")));
    json_decref(body);
}

/* Only ids and the status: what came in is not even opened for it. */
static void
a_thin_body_holds_nothing_personal(void **state UNUSED)
{
    size_t queued = 0;

    tenants_make();
    webhook_testing_endpoint(acme, all);
    test_cluster_sql("update webhook_endpoint set payload = 'thin'");
    struct id event = webhook_testing_event(
        acme, EVENT_MESSAGE_RECEIVED, "{\"from\": \"+14155550123\", \"content\": {\"type\": \"text\"}}");
    struct id damaged = webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, "no JSON");
    assert_int_equal(webhook_testing_fan_out(&queued), 2);
    assert_int_equal(queued, 2);
    json_t *body = body_of(event);
    assert_non_null(body);
    const json_t *data = json_member(body, "data");
    assert_int_equal(json_object_size(data), 2);
    assert_true(slice_starts_with(json_text_of(data, "message_id"), SLICE("msg_")));
    assert_true(slice_starts_with(json_text_of(data, "channel_id"), SLICE("chn_")));
    json_decref(body);
    test_cluster_sql("update webhook_delivery set lease_until = null, due_at = now()");
    body = body_of(damaged);
    assert_non_null(body);
    json_decref(body);
}

/* Whole and thin from one event; what spoils the one leaves the other. */
static void
each_endpoint_gets_the_body_that_it_chose(void **state UNUSED)
{
    size_t queued = 0;

    tenants_make();
    struct id thin = webhook_testing_endpoint(acme, all).id;
    test_cluster_sql("update webhook_endpoint set payload = 'thin'");
    struct id full = webhook_testing_endpoint(acme, all).id;
    webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, "{\"from\": \"+14155550123\"}");
    webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, "no JSON");
    assert_int_equal(webhook_testing_fan_out(&queued), 2);
    assert_int_equal(deliveries_of(thin), 2);
    assert_int_equal(deliveries_of(full), 1);
    assert_int_equal(
        webhook_testing_count("select count(distinct octet_length(body_ct)) from webhook_delivery"), 2);
}

static void
groups_and_senders_are_chosen(void **state UNUSED)
{
    char sql[256], id[ID_UUID_BYTES];
    static const char *const messages[] = { "message.*", NULL }, *const channels[] = { "channel.*", NULL };
    size_t queued = 0;

    tenants_make();
    struct id of_messages = webhook_testing_endpoint(acme, messages).id;
    struct id of_channels = webhook_testing_endpoint(acme, channels).id;
    struct id of_one = webhook_testing_endpoint(acme, messages).id;
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL); /* each is of a channel of its own */
    webhook_testing_event(acme, EVENT_MESSAGE_READ, NULL);
    webhook_testing_event(acme, EVENT_CHANNEL_UPDATED, NULL);
    id_uuid_print(of_one, id);
    snprintf(
        sql, sizeof(sql),
        "update webhook_endpoint set channels = array(select channel_id from event where type = 'message.read')"
        " where id = '%s'",
        id);
    test_cluster_sql(sql);
    assert_int_equal(webhook_testing_fan_out(&queued), 3);
    assert_int_equal(deliveries_of(of_messages), 2);
    assert_int_equal(deliveries_of(of_channels), 1);
    assert_int_equal(deliveries_of(of_one), 1);
}

static void
an_endpoint_hears_of_nothing_that_was_before_it(void **state UNUSED)
{
    size_t queued = 0;

    tenants_make();
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(webhook_testing_count("select 1 from pg_sleep(0.005)"), 1); /* ids tell milliseconds */
    struct id late = webhook_testing_endpoint(acme, all).id;
    assert_int_equal(webhook_testing_fan_out(&queued), 1);
    assert_int_equal(queued, 0);
    assert_int_equal(deliveries_of(late), 0);
}

/*
 * A transaction that began to write earlier and commits later: its event is older by (xid), and must not be
 * passed by a cursor that went on to a younger one.
 */
static void
an_event_that_commits_late_is_waited_for(void **state UNUSED)
{
    struct db *slow = test_cluster_open("harkara_gateway");
    struct event event = { .type = EVENT_MESSAGE_SENT, .data = SLICE("{}") };
    size_t queued = 0;
    struct db_tx tx;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    event.id = event.subject = event.channel = id_new(clock_system());
    event.subject.bytes[15] ^= 1;
    event.occurred_at = clock_wall(clock_system());
    assert_ok(db_begin(slow, acme, &tx));
    assert_ok(event_append(&tx, &event));
    webhook_testing_event(acme, EVENT_MESSAGE_READ, NULL); /* younger, and committed already */
    assert_int_equal(webhook_testing_fan_out(&queued), 0); /* the reader is held back */
    assert_int_equal(deliveries_of(endpoint), 0);
    assert_ok(db_commit(&tx));
    assert_int_equal(webhook_testing_fan_out(&queued), 2);
    assert_int_equal(deliveries_of(endpoint), 2);
    db_close(slow);
}

/*
 * A dump that was restored into another cluster: the cursor and what was not told yet bear numbers that this
 * cluster has not reached. All of it is told, in its order, and what is written from then on behind it.
 */
static void
after_a_restore_into_another_cluster_the_log_goes_on(void **state UNUSED)
{
    size_t queued = 0;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(webhook_testing_fan_out(&queued), 1);
    webhook_testing_event(acme, EVENT_MESSAGE_READ, NULL);
    webhook_testing_message(acme);
    test_cluster_sql(
        "update event set xid = '900000000005' where type = 'message.read';"
        "update message set told_xid = '900000000009';"
        "update event set xid = '900000000001' where type = 'message.sent';"
        "update consumer_cursor set xid = '900000000001'; update event_clock set system_identifier = 'another'");
    webhook_testing_event(acme, EVENT_MESSAGE_FAILED,
                          NULL); /* without the check it would lie before the cursor */
    assert_int_equal(webhook_testing_fan_out(&queued), 0);
    test_cluster_sql("delete from event where type = 'message.failed'");
    assert_int_equal(webhook_testing_count("select event_clock_check()::integer"), 1);
    assert_int_equal(webhook_testing_count("select event_clock_check()::integer"), 0); /* it is known now */
    webhook_testing_event(acme, EVENT_MESSAGE_DELIVERED, NULL);
    assert_int_equal(webhook_testing_fan_out(&queued), 3);
    assert_int_equal(queued, 3);
    assert_int_equal(
        webhook_testing_count(
            "select count(*) from event where type = 'message.delivered' and xid > '900000000009'"),
        1);
    webhook_testing_event(acme, EVENT_MESSAGE_FAILED, NULL);
    webhook_testing_message(acme);
    assert_int_equal(webhook_testing_fan_out(&queued), 2);
    assert_int_equal(deliveries_of(endpoint), 6);
}

static void
a_damaged_event_does_not_stop_those_behind_it(void **state UNUSED)
{
    char id[ID_UUID_BYTES], sql[256];
    size_t queued = 0;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    struct id damaged = webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, "{\"from\": \"+1\"}");
    webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, "no JSON");
    webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, "[1]");
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    id_uuid_print(damaged, id);
    snprintf(sql, sizeof(sql), "update event set content_ct = content_ct || '\\x00' where id = '%s'", id);
    test_cluster_sql(sql);
    assert_int_equal(webhook_testing_fan_out(&queued), 4);
    assert_int_equal(deliveries_of(endpoint), 1);
    assert_int_equal(webhook_testing_fan_out(&queued), 0);
}

/* A tenant's data is destroyed by destroying its keys: then its events are lost, and nobody else's. */
static void
a_tenant_without_keys_does_not_stop_the_others(void **state UNUSED)
{
    struct id gone = test_cluster_tenant("gone");
    char id[ID_UUID_BYTES], sql[512];
    size_t queued = 0;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    id_uuid_print(gone, id);
    snprintf(sql, sizeof(sql),
             "insert into webhook_endpoint (tenant_id, id, url, events)"
             " select '%s', '00000000-0000-7000-8000-000000000000', url, events from webhook_endpoint",
             id);
    test_cluster_sql(sql);
    webhook_testing_event(gone, EVENT_MESSAGE_SENT, NULL);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(webhook_testing_fan_out(&queued), 2);
    assert_int_equal(deliveries_of(endpoint), 1);
}

/* What a tenant makes us store must not fill the process's memory: content of any size, to many endpoints. */
static void
much_content_for_many_endpoints_is_told_in_several_batches(void **state UNUSED)
{
    const size_t events = 12, endpoints = 20, bytes = 200 * 1024;
    char *text = malloc(bytes + 64);
    size_t queued = 0, all_queued = 0, rounds = 0;

    tenants_make();
    for (size_t i = 0; i < endpoints; i++)
        webhook_testing_endpoint(acme, all);
    memset(text, 'x', bytes);
    memcpy(text, "{\"from\": \"", 10);
    memcpy(text + bytes, "\"}", 3);
    for (size_t i = 0; i < events; i++)
        webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, text);
    free(text);
    arena_reset(webhook_testing_arena);
    for (size_t taken = 1; taken > 0; rounds += taken > 0) {
        size_t used = arena_used(webhook_testing_arena);
        taken = webhook_testing_fan_out(&queued);
        all_queued += queued;
        assert_true(arena_used(webhook_testing_arena) - used < 60u * 1024u * 1024u);
        arena_reset(webhook_testing_arena);
    }
    assert_int_equal(all_queued, events * endpoints);
    assert_true(rounds > 1);
}

static void
content_that_fits_no_body_is_passed(void **state UNUSED)
{
    const size_t bytes = 1024 * 1024;
    char *text = malloc(bytes + 64);
    size_t queued = 0;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    memset(text, 'x', bytes);
    memcpy(text, "{\"from\": \"", 10);
    memcpy(text + bytes, "\"}", 3);
    webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, text);
    free(text);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    arena_reset(webhook_testing_arena);
    assert_int_equal(webhook_testing_fan_out(&queued), 2);
    assert_int_equal(deliveries_of(endpoint), 1);
    assert_true(arena_used(webhook_testing_arena) < 512u * 1024u); /* it was not even read */
}

/* Unknown words are of a newer build: the cursor passes them. */
static void
events_that_are_not_told_move_the_cursor_too(void **state UNUSED)
{
    char id[ID_UUID_BYTES], sql[256];
    size_t queued = 0;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    id_uuid_print(webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL), id);
    snprintf(sql, sizeof(sql), "update event set type = 'message.teleported' where id = '%s'", id);
    test_cluster_sql(sql);
    assert_int_equal(webhook_testing_fan_out(&queued), 1);
    assert_int_equal(queued, 0);
    assert_int_equal(webhook_testing_fan_out(&queued), 0);
    assert_int_equal(deliveries_of(endpoint), 0);
}

/* Only what somebody wants is read: what nobody wants may be damaged, and is passed. */
static void
what_no_endpoint_wants_is_passed_unread(void **state UNUSED)
{
    size_t queued = 0;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, sent_only).id;
    struct id groups = webhook_testing_endpoint(acme, (const char *const[]){ "channel.*", NULL }).id;
    for (int i = 0; i < 250; i++) /* more than are read at once: they are not among those */
        webhook_testing_event(acme, EVENT_MESSAGE_RECEIVED, "no JSON");
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    webhook_testing_event(acme, EVENT_CHANNEL_QUALITY, NULL);
    assert_int_equal(webhook_testing_fan_out(&queued), 252);
    assert_int_equal(queued, 2);
    assert_int_equal(deliveries_of(endpoint), 1);
    assert_int_equal(deliveries_of(groups), 1);
}

/* Some places, and what became of them. */
struct counted_places {
    size_t room, taken, given_back;
};

static bool
place_take(void *ctx, struct id tenant UNUSED, struct id endpoint UNUSED)
{
    struct counted_places *places = ctx;

    if (places->taken - places->given_back >= places->room)
        return false;
    places->taken++;
    return true;
}

static void
place_give_back(void *ctx, struct id tenant UNUSED, struct id endpoint UNUSED)
{
    ((struct counted_places *)ctx)->given_back++;
}

static void
fan_out_into(struct counted_places *counted, struct webhook_fanned *out)
{
    const struct webhook_places places = { counted, place_take, place_give_back, 60000 };

    assert_ok(webhook_fan_out(webhook_testing_webhooks, &webhook_testing_signer, clock_system(),
                              webhook_testing_arena, &places, out));
}

static size_t
claim(struct webhook_claim **out)
{
    size_t count = 0;

    assert_ok(webhook_claim_due(
        webhook_testing_webhooks,
        &(struct webhook_claim_limits){
            .count_max = 100, .per_endpoint_max = 1, .per_tenant_max = 1, .lease_ms = 60000 },
        webhook_testing_arena, out, &count));
    return count;
}

static void
what_has_a_place_is_handed_over_and_the_rest_waits(void **state UNUSED)
{
    struct counted_places places = { .room = 2 };
    struct webhook_fanned fanned;
    struct webhook_claim *claims;
    struct slice body;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    for (int i = 0; i < 3; i++)
        webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    fan_out_into(&places, &fanned);
    assert_int_equal(fanned.taken, 3);
    assert_int_equal(fanned.queued, 3);
    assert_int_equal(fanned.claim_count, 2);
    assert_int_equal(places.given_back, 0);
    for (size_t i = 0; i < 2; i++) {
        const struct webhook_claim *handed = &fanned.claims[i];
        assert_true(id_eq(handed->target->endpoint, endpoint));
        assert_int_equal(handed->target->key_count, 1);
        assert_int_equal(handed->attempt, 1);
        assert_ok(webhook_testing_body(handed, &body)); /* what is in the table is what is handed over */
        assert_true(slice_eq(body, handed->plain));
    }
    assert_int_equal(webhook_testing_count("select count(*) from webhook_delivery where attempt = 1 and"
                                           " fence = 0 and lease_until > now() and state = 'pending'"),
                     2);
    assert_int_equal(claim(&claims), 1); /* the third: what was handed over has taken no claim's share */
    assert_int_equal(claims[0].attempt, 1);
    assert_null(claims[0].plain.ptr);
}

/* The process died: it comes again, as another attempt, and what the dead one did decides nothing. */
static void
what_was_handed_over_to_a_process_that_died_is_claimed(void **state UNUSED)
{
    struct counted_places places = { .room = 1 };
    struct webhook_fanned fanned;
    struct webhook_claim *claims;

    tenants_make();
    webhook_testing_endpoint(acme, all);
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    fan_out_into(&places, &fanned);
    assert_int_equal(fanned.claim_count, 1);
    assert_int_equal(claim(&claims), 0);
    test_cluster_sql("update webhook_delivery set lease_until = now() - interval '1 second'");
    assert_int_equal(claim(&claims), 1);
    assert_true(id_eq(claims[0].delivery, fanned.claims[0].delivery));
    assert_int_equal(claims[0].attempt, 2);
    assert_true(claims[0].fence > fanned.claims[0].fence);
}

static void
an_endpoint_that_fails_or_is_held_is_handed_nothing(void **state UNUSED)
{
    static const char *const troubles[] = {
        "update webhook_endpoint set failures = 1, failing_since = now()",
        "update webhook_endpoint set failures = 0, not_before = now() + interval '1 minute'",
    };
    struct counted_places places = { .room = 9 };
    struct webhook_fanned fanned;

    tenants_make();
    webhook_testing_endpoint(acme, all);
    for (size_t i = 0; i < COUNT_OF(troubles); i++) {
        test_cluster_sql(troubles[i]);
        webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
        fan_out_into(&places, &fanned);
        assert_int_equal(fanned.queued, 1);
        assert_int_equal(fanned.claim_count, 0);
        assert_int_equal(places.taken, places.given_back);
    }
    assert_int_equal(webhook_testing_count(
                         "select count(*) from webhook_delivery where lease_until is null and attempt = 0"),
                     2);
    test_cluster_sql("update webhook_endpoint set not_before = '-infinity'");
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    fan_out_into(&places, &fanned);
    assert_int_equal(fanned.claim_count, 1);
}

struct fanning {
    struct vault_client *client;
    struct counted_places places;
    size_t queued, handed;
    enum err err;
};

static void *
fan_out_until_nothing_is_left(void *ctx)
{
    struct fanning *fanning = ctx;
    struct db *db = test_cluster_open("harkara_webhooks");
    struct vault vault = tenant_vault(fanning->client, db);
    struct arena *arena = arena_new(64u << 20);
    const struct webhook_places places = { &fanning->places, place_take, place_give_back, 60000 };
    struct webhook_fanned fanned = { .taken = 1 };

    while (fanned.taken > 0 && fanning->err == ERR_OK) {
        fanning->err = webhook_fan_out(db, &vault, clock_system(), arena, &places, &fanned);
        fanning->queued += fanned.queued;
        fanning->handed += fanned.claim_count;
        arena_reset(arena);
    }
    arena_free(arena);
    db_close(db);
    return NULL;
}

static void
two_processes_tell_each_event_once(void **state UNUSED)
{
    struct fanning fannings[2] = {
        { .client = vault_testing_client(VAULT_ROLE_WEBHOOKS, 5000), .places = { .room = 1000 } },
        { .client = vault_testing_client(VAULT_ROLE_WEBHOOKS, 5000), .places = { .room = 1000 } }
    };
    pthread_t threads[2];

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    for (int i = 0; i < 500; i++)
        webhook_testing_event(i % 3 == 0 ? bolt : acme, EVENT_MESSAGE_SENT, NULL);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fan_out_until_nothing_is_left, &fannings[i]), 0);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_ok(fannings[i].err);
        vault_client_free(fannings[i].client);
    }
    assert_int_equal(deliveries_of(endpoint), 333);
    assert_int_equal(fannings[0].queued + fannings[1].queued, 333);
    for (size_t i = 0; i < 2; i++) { /* who was too late has its places back */
        assert_int_equal(fannings[i].handed, fannings[i].queued);
        assert_int_equal(fannings[i].places.taken - fannings[i].places.given_back, fannings[i].handed);
    }
}

/* Read as enabled, disabled before the deliveries are written: then nothing may stay pending there. */
static void
an_endpoint_that_is_disabled_in_between_gets_nothing(void **state UNUSED)
{
    struct db *other = test_cluster_open("harkara_gateway");
    struct webhook_endpoint_change change = { .has_state = true, .state = WEBHOOK_ENDPOINT_DISABLED };
    struct fanning fanning = { .client = vault_testing_client(VAULT_ROLE_WEBHOOKS, 5000) };
    struct webhook_endpoint shown;
    pthread_t thread;
    struct db_tx tx;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_ok(db_begin(other, acme, &tx));
    assert_ok(webhook_endpoint_update(&tx, endpoint, &change, webhook_testing_arena, &shown));
    /* The open transaction holds the reader back by its xid: let the cursor's view pass it. */
    test_cluster_sql("update event set xid = '1'");
    assert_int_equal(pthread_create(&thread, NULL, fan_out_until_nothing_is_left, &fanning), 0);
    while (webhook_testing_count("select count(*) from pg_locks where not granted") == 0)
        ; /* it waits for the endpoint's row */
    assert_ok(db_commit(&tx));
    pthread_join(thread, NULL);
    assert_ok(fanning.err);
    assert_int_equal(deliveries_of(endpoint), 0);
    vault_client_free(fanning.client);
    db_close(other);
}

/* Read as failing, well again before the deliveries are written: those who send it count it as it was read.
 */
static void
one_that_failed_when_it_was_read_is_handed_nothing(void **state UNUSED)
{
    struct db *other = test_cluster_open("harkara_gateway");
    struct webhook_endpoint_change change = { .has_state = true, .state = WEBHOOK_ENDPOINT_ENABLED };
    struct fanning fanning = { .client = vault_testing_client(VAULT_ROLE_WEBHOOKS, 5000),
                               .places = { .room = 9 } };
    struct webhook_endpoint shown;
    pthread_t thread;
    struct db_tx tx;

    tenants_make();
    struct id endpoint = webhook_testing_endpoint(acme, all).id;
    test_cluster_sql("update webhook_endpoint set failures = 1, failing_since = now()");
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_ok(db_begin(other, acme, &tx));
    assert_ok(webhook_endpoint_update(&tx, endpoint, &change, webhook_testing_arena, &shown));
    test_cluster_sql("update event set xid = '1'"); /* as above */
    assert_int_equal(pthread_create(&thread, NULL, fan_out_until_nothing_is_left, &fanning), 0);
    while (webhook_testing_count("select count(*) from pg_locks where not granted") == 0)
        ; /* it waits for the endpoint's row */
    assert_ok(db_commit(&tx));
    pthread_join(thread, NULL);
    assert_ok(fanning.err);
    assert_int_equal(fanning.queued, 1);
    assert_int_equal(fanning.handed, 0);
    assert_int_equal(fanning.places.taken, fanning.places.given_back);
    vault_client_free(fanning.client);
    db_close(other);
}

WEBHOOK_MAIN(WEBHOOK_TEST(an_event_becomes_a_delivery_for_each_endpoint_that_wants_it),
             WEBHOOK_TEST(a_message_is_told_as_the_event_that_it_is),
             WEBHOOK_TEST(what_is_personal_is_opened_only_into_the_sealed_body),
             WEBHOOK_TEST(a_thin_body_holds_nothing_personal),
             WEBHOOK_TEST(each_endpoint_gets_the_body_that_it_chose),
             WEBHOOK_TEST(groups_and_senders_are_chosen),
             WEBHOOK_TEST(an_endpoint_hears_of_nothing_that_was_before_it),
             WEBHOOK_TEST(an_event_that_commits_late_is_waited_for),
             WEBHOOK_TEST(after_a_restore_into_another_cluster_the_log_goes_on),
             WEBHOOK_TEST(a_damaged_event_does_not_stop_those_behind_it),
             WEBHOOK_TEST(a_tenant_without_keys_does_not_stop_the_others),
             WEBHOOK_TEST(much_content_for_many_endpoints_is_told_in_several_batches),
             WEBHOOK_TEST(content_that_fits_no_body_is_passed),
             WEBHOOK_TEST(events_that_are_not_told_move_the_cursor_too),
             WEBHOOK_TEST(what_no_endpoint_wants_is_passed_unread),
             WEBHOOK_TEST(what_has_a_place_is_handed_over_and_the_rest_waits),
             WEBHOOK_TEST(what_was_handed_over_to_a_process_that_died_is_claimed),
             WEBHOOK_TEST(an_endpoint_that_fails_or_is_held_is_handed_nothing),
             WEBHOOK_TEST(two_processes_tell_each_event_once),
             WEBHOOK_TEST(an_endpoint_that_is_disabled_in_between_gets_nothing),
             WEBHOOK_TEST(one_that_failed_when_it_was_read_is_handed_nothing))
