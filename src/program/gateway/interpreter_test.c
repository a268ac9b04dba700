/* Stored callbacks to what they mean: the real thread, a real PostgreSQL, a real vault. */
#include "domain/message/message_testing.h"
#include "domain/message/provider_event.h"
#include "domain/tenant/tenant_key.h"
#include "program/gateway/interpreter.h"
#include "program/vault/vault_pair_testing.h"
#include <stdio.h>
#include <stdlib.h>

#define NUMBER "106540352242922"

static struct db *gateway;
static struct vault_client *sealer, *opener;
static struct vault vault;
static struct arena *arena;
static struct interpreter *interpreter;
static struct id channel;

static void
interpreter_open(void)
{
    assert_ok(
        interpreter_new(&(struct interpreter_config){ .database = test_cluster_conninfo("harkara_gateway"),
                                                      .clock = clock_system(),
                                                      .vault_client = opener },
                        &interpreter));
}

/* A channel of the tenant with the number that all callbacks here name. */
static struct id
channel_with_number(struct id of)
{
    char sql[1024], tenant[ID_UUID_BYTES], id[ID_UUID_BYTES];
    struct id made = message_testing_channel(of);

    id_uuid_print(of, tenant);
    id_uuid_print(made, id);
    snprintf(
        sql, sizeof(sql),
        "insert into whatsapp_channel select '%s', '%s', '1', '" NUMBER
        "', '+1', ''::bytea, z, t, 1, 1, '', z, t,"
        " 1, 1, '', z, t, 1, 1 from (select decode(repeat('00', 12), 'hex') z, decode(repeat('00', 16), 'hex') t) v",
        tenant, id);
    test_cluster_sql(sql);
    return made;
}

static int
opened(void **state UNUSED)
{
    test_cluster_sql(
        "delete from template; delete from whatsapp_number; delete from provider_task; delete from channel_window; delete from provider_batch; delete from provider_event; delete from dispatch_queue; delete from message; delete from event;"
        "delete from provider_ref; delete from whatsapp_channel; delete from dispatch_lane;"
        "delete from channel");
    channel = channel_with_number(acme);
    gateway = test_cluster_open("harkara_gateway");
    sealer = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    opener = vault_testing_client(VAULT_ROLE_GATEWAY, 200);
    vault = tenant_vault(sealer, gateway);
    arena = arena_new(16u << 20);
    interpreter_open();
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
    arena_free(arena);
    return 0;
}

static void
post_to(struct id tenant, struct id to, struct slice body)
{
    struct provider_event_new event;
    struct db_rows *stored;
    bool is_new = false;
    struct db_tx tx;

    assert_ok(provider_event_seal(&vault, clock_system(), tenant, to, body, arena, &event));
    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(provider_events_store(&tx, &event, 1, id_new(clock_system()), false, arena, &stored));
    assert_ok(db_commit(&tx));
    is_new = db_rows_count(stored) == 1;
    db_rows_free(stored);
    assert_true(is_new);
}

static void
post(struct slice body)
{
    post_to(acme, channel, body);
}

/* One entry of one number; `value` holds statuses or messages. */
static struct slice
body_of(const char *number, const char *value)
{
    return arena_format(
        arena,
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":"
        "\"messages\",\"value\":{\"messaging_product\":\"whatsapp\",\"metadata\":"
        "{\"display_phone_number\":\"1\",\"phone_number_id\":\"%s\"},%s}}]}]}",
        number, value);
}

static struct slice
status_of(const char *provider_id, const char *word, const char *callback_data)
{
    return arena_format(arena,
                        "{\"id\":\"%s\",\"status\":\"%s\",\"timestamp\":\"1795000000\",\"recipient_id\":"
                        "\"14155550123\",\"biz_opaque_callback_data\":\"%s\"}",
                        provider_id, word, callback_data);
}

static struct slice
text_of(const char *provider_id, const char *context)
{
    return arena_format(
        arena,
        "\"contacts\":[{\"profile\":{\"name\":\"Ann\"},\"wa_id\":\"14155550123\"}],\"messages\":["
        "{\"from\":\"14155550123\",\"id\":\"%s\",\"timestamp\":\"1795000000\",\"type\":\"text\","
        "\"text\":{\"body\":\"Hi\"}%s}]",
        provider_id, context);
}

/* Whether all were applied, or given up. */
static void
all_are(const char *state)
{
    bool failed = strcmp(state, "failed") == 0;

    while (message_testing_count("select count(*) from provider_batch") > 0)
        ;
    assert_int_equal(
        message_testing_count("select count(*) from provider_event where (error is not null) <> %s",
                              failed ? "true" : "false"),
        0);
}

static struct id
sent_message(const char *provider_id)
{
    struct message_new message = message_testing_new(acme, channel, MESSAGE_SERVICE);
    struct id id = message_testing_accept(gateway, &message);
    char uuid[ID_UUID_BYTES], tenant[ID_UUID_BYTES], of[ID_UUID_BYTES], sql[1024];

    id_uuid_print(id, uuid);
    id_uuid_print(acme, tenant);
    id_uuid_print(channel, of);
    snprintf(
        sql, sizeof(sql),
        "update message set status = 'sent', provider_id = '%s' where id = '%s'; insert into provider_ref"
        " (tenant_id, channel_id, provider_id, message_id) values ('%s', '%s', '%s', '%s')",
        provider_id, uuid, tenant, of, provider_id, uuid);
    test_cluster_sql(sql);
    return id;
}

static void
statuses_move_the_message_that_they_name(void **state UNUSED)
{
    struct id by_data = sent_message("wamid.1"), by_id = sent_message("wamid.2");
    char data[ID_TEXT_BYTES], value[1024];

    snprintf(value, sizeof(value), "\"statuses\":[%.*s,%.*s,%.*s]",
             SLICE_FMT(status_of("wamid.other", "delivered", id_print(ID_MESSAGE, by_data, data).ptr)),
             SLICE_FMT(status_of("wamid.2", "read", "not ours")),
             SLICE_FMT(status_of("wamid.2", "delivered", ""))); /* late: nothing moves back */
    post(body_of(NUMBER, value));
    all_are("interpreted");
    message_testing_assert_status(by_data, "delivered");
    message_testing_assert_status(by_id, "read");
    assert_int_equal(test_cluster_number("select count(*) from event where type = 'message.read'"), 1);
}

static void
post_status(struct id tenant, struct id to, struct id message, const char *provider_id, const char *word)
{
    char data[ID_TEXT_BYTES], value[1024];

    id_print(ID_MESSAGE, message, data);
    snprintf(value, sizeof(value), "\"statuses\":[%.*s]", SLICE_FMT(status_of(provider_id, word, data)));
    post_to(tenant, to, body_of(NUMBER, value));
}

/* Of two workspaces, stored before anybody looks: one of them is refused by a table, and alone in that. */
static void
of_many_bodies_one_that_cannot_be_applied_is_alone_in_its_failure(void **state UNUSED)
{
    enum { MANY = 20 };
    struct id of_bolt = channel_with_number(bolt), messages[2][MANY];
    char provider_id[64];

    interpreter_free(interpreter);
    for (int i = 0; i < MANY; i++)
        for (int of = 0; of < 2; of++) {
            struct message_new message =
                message_testing_new(of == 0 ? acme : bolt, of == 0 ? channel : of_bolt, MESSAGE_SERVICE);
            messages[of][i] = message_testing_accept(gateway, &message);
            snprintf(provider_id, sizeof(provider_id), "wamid.%d.%d", of, i);
            post_status(of == 0 ? acme : bolt, message.channel, messages[of][i], provider_id, "sent");
            post_status(of == 0 ? acme : bolt, message.channel, messages[of][i], provider_id, "delivered");
        }
    post(body_of(NUMBER, text_of("wamid.among-them", "").ptr));
    test_cluster_sql("alter table provider_ref add constraint refused check (provider_id <> 'wamid.1.7')");
    interpreter_open();
    while (test_cluster_number("select coalesce(sum(cardinality(events)), 0) from provider_batch") != 2 ||
           test_cluster_number("select count(*) from provider_batch where error is not null") != 2)
        ;
    test_cluster_sql("alter table provider_ref drop constraint refused");
    assert_int_equal(test_cluster_number("select count(*) from message where status = 'delivered'"),
                     2 * MANY - 1);
    assert_int_equal(test_cluster_number("select count(*) from message where status = 'received'"), 1);
    assert_int_equal(test_cluster_number("select count(*) from event where type = 'message.delivered'"),
                     2 * MANY - 1);
    test_cluster_sql("update provider_batch set due_at = now(); notify harkara_provider_event");
    all_are("interpreted");
    message_testing_assert_status(messages[1][7], "delivered");
    assert_int_equal(test_cluster_number("select count(*) from event where type in ('message.sent',"
                                         " 'message.delivered')"),
                     4 * MANY);
    assert_int_equal(test_cluster_number("select count(*) from event e join message m on m.id = e.subject_id"
                                         " where m.tenant_id <> e.tenant_id"),
                     0);
}

/* More than a claim brings along is read by itself. */
static void
a_large_body_is_interpreted_like_a_small_one(void **state UNUSED)
{
    char *value = malloc(2 * PROVIDER_EVENT_SMALL_BYTES);

    assert_non_null(value);
    int head = snprintf(value, 1024, "\"padding\":\"");
    memset(value + head, 'x', PROVIDER_EVENT_SMALL_BYTES);
    snprintf(value + head + PROVIDER_EVENT_SMALL_BYTES, 4096, "\",%.*s",
             SLICE_FMT(text_of("wamid.large", "")));
    post(body_of(NUMBER, value));
    free(value);
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from message where status = 'received'"), 1);
}

/* As a move of the status, and as what came too late to be one. */
static void
each_error_of_a_status_is_told(void **state UNUSED)
{
    static const char errors[] = "\"errors\":[{\"code\":131049,\"title\":\"their words\"},{\"code\":131000},"
                                 "{\"code\":131049},{\"title\":\"no code\"},{\"code\":190}]";
    static const char wanted[] = "[{\"code\": \"whatsapp-131049\", \"class\": \"retry\"},"
                                 " {\"code\": \"whatsapp-131000\", \"class\": \"retry\"},"
                                 " {\"code\": \"whatsapp-unnamed\", \"class\": \"permanent\"},"
                                 " {\"code\": \"whatsapp-190\", \"class\": \"credential\"}]";
    static const char counted[] =
        "select count(*) from event where type = '%s' and data #>> '{%s}' = 'whatsapp-131049'"
        " and data::text not like '%%their words%%' and (select jsonb_agg(e - 'title' order by n)"
        " from jsonb_array_elements(data #> '{%s}') with ordinality as x (e, n)) = '%s'";
    struct id failed = sent_message("wamid.f"), late = sent_message("wamid.l");
    char value[1024];

    snprintf(value, sizeof(value),
             "\"statuses\":[%.*s,%.*s,{\"id\":\"wamid.f\",\"status\":\"failed\",\"timestamp\":1,%s},"
             "{\"id\":\"wamid.l\",\"status\":\"failed\",\"timestamp\":1,%s}]",
             SLICE_FMT(status_of("wamid.l", "delivered", "")), SLICE_FMT(status_of("wamid.f", "sent", "")),
             errors, errors);
    post(body_of(NUMBER, value));
    all_are("interpreted");
    message_testing_assert_status(failed, "failed");
    message_testing_assert_status(late, "delivered");
    assert_int_equal(message_testing_count("select count(*) from message where error_code = 'whatsapp-131049'"
                                           " and error_class = 'permanent'"),
                     1);
    assert_int_equal(message_testing_count(counted, "message.failed", "error,code", "errors", wanted), 1);
    assert_int_equal(
        message_testing_count(counted, "message.reported", "report,error,code", "report,errors", wanted), 1);
}

static void
an_incoming_message_is_stored_and_told_once(void **state UNUSED)
{
    struct id quoted = sent_message("wamid.q");
    char id[ID_UUID_BYTES];

    id_uuid_print(quoted, id);
    post(body_of(NUMBER, text_of("wamid.in", ",\"context\":{\"from\":\"1\",\"id\":\"wamid.q\"}").ptr));
    post(arena_format(arena, " %.*s",
                      SLICE_FMT(body_of(NUMBER, text_of("wamid.in", "").ptr)))); /* other bytes */
    all_are("interpreted");
    assert_int_equal(message_testing_count("select count(*) from message where direction = 'in' and status ="
                                           " 'received' and target_id = '%s'",
                                           id),
                     1);
    assert_int_equal(test_cluster_number("select count(*) from message where direction = 'in'"), 1);
    assert_int_equal(
        test_cluster_number("select count(*) from event where type = 'message.received' and content_ct is"
                            " not null and not data::text like '%14155550123%'"),
        1);
}

static void
a_message_opens_its_senders_windows(void **state UNUSED)
{
    post(body_of(NUMBER,
                 "\"messages\":[{\"from\":\"551187654321\",\"from_user_id\":\"BR.7\",\"id\":\"wamid.w\","
                 "\"timestamp\":\"1000000000\",\"type\":\"text\",\"text\":{\"body\":\"Oi\"},"
                 "\"referral\":{\"source_type\":\"ad\"}}]"));
    post(body_of(NUMBER,
                 "\"messages\":[{\"from\":\"14155550123\",\"id\":\"wamid.g\",\"group_id\":\"G\",\"type\":"
                 "\"text\",\"text\":{\"body\":\"Hi all\"}},{\"from\":\"14155550123\",\"id\":\"wamid.s\","
                 "\"type\":\"system\",\"system\":{\"body\":\"changed\"}}]"));
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from message where direction = 'in'"), 3);
    assert_int_equal(
        test_cluster_number("select count(*) from channel_window where window_until = answer_until"
                            " and window_until = to_timestamp(1000000000) + interval '24 hours'"),
        3); /* the number, its other spelling, the user id */
    assert_int_equal(test_cluster_number("select count(*) from channel_window"), 3);
    post(arena_format(
        arena,
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":"
        "\"calls\",\"value\":{\"metadata\":{\"phone_number_id\":\"" NUMBER "\"},\"calls\":["
        "{\"id\":\"c1\",\"from\":\"14155550123\",\"to\":\"1\",\"event\":\"connect\",\"direction\":\"USER_INITIATED\"},"
        "{\"id\":\"c2\",\"from\":\"15550000000\",\"to\":\"2\",\"event\":\"connect\",\"direction\":"
        "\"BUSINESS_INITIATED\"},7]}}]}]}"));
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from channel_window"),
                     4); /* a person's call, too */
}

/* What the business sends from its own app is its message too, once, and opens no window. */
static void
an_echo_is_an_outbound_message_that_was_sent(void **state UNUSED)
{
    static const char *const rooms[] = { "", " " }; /* other bytes, the same echo */

    for (size_t i = 0; i < COUNT_OF(rooms); i++) {
        post(arena_format(
            arena,
            "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":"
            "\"smb_message_echoes\",\"value\":{\"metadata\":{\"phone_number_id\":\"" NUMBER
            "\"},%s\"message_echoes\":[{\"from\":\"1\",\"to\":\"14155550123\",\"id\":\"wamid.e\",\"timestamp\":"
            "\"1000000000\",\"type\":\"text\",\"text\":{\"body\":\"On my way\"}}]}}]}]}",
            rooms[i]));
        all_are("interpreted");
    }
    assert_int_equal(
        test_cluster_number("select count(*) from message where direction = 'out' and status = 'sent'"
                            " and kind = 'text' and provider_id = 'wamid.e'"),
        1);
    assert_int_equal(test_cluster_number("select count(*) from event where type = 'message.echoed' and"
                                         " data->>'direction' = 'outbound' and content_ct is not null"),
                     1);
    assert_int_equal(test_cluster_number("select count(*) from dispatch_queue"), 0);
    assert_int_equal(test_cluster_number("select count(*) from channel_window"), 0);
    char value[512];
    snprintf(value, sizeof(value), "\"statuses\":[%.*s]", SLICE_FMT(status_of("wamid.e", "read", "")));
    post(body_of(NUMBER, value)); /* its statuses find it */
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from message where status = 'read'"), 1);
}

static void
what_a_message_costs_is_kept_once_and_told(void **state UNUSED)
{
    struct id id = sent_message("wamid.p1");
    char uuid[ID_UUID_BYTES];
    static const char *const priced[] = {
        "\"statuses\":[{\"id\":\"wamid.p1\",\"status\":\"sent\",\"conversation\":{\"id\":\"c1\",\"origin\":{\"type\":"
        "\"utility\"}},\"pricing\":{\"billable\":true,\"pricing_model\":\"PMP\",\"type\":\"regular\",\"category\":\"utility\"}}]",
        "\"statuses\":[{\"id\":\"wamid.p1\",\"status\":\"delivered\",\"pricing\":{\"billable\":false,\"pricing_model\":"
        "\"PMP\",\"type\":\"free_customer_service\",\"category\":\"utility\"}}]",
        "\"statuses\":[{\"id\":\"wamid.p1\",\"status\":\"sent\",\"pricing\":{\"billable\":true,\"pricing_model\":\"X\"}}]"
    };

    id_uuid_print(id, uuid);
    post(body_of(NUMBER, priced[0]));
    all_are("interpreted");
    assert_int_equal(message_testing_count(
                         "select count(*) from message where id = '%s' and pricing->>'type' = 'regular' and"
                         " pricing->'conversation'->>'origin' = 'utility' and (pricing->>'billable')::bool",
                         uuid),
                     1);
    for (size_t i = 1; i < COUNT_OF(priced);
         i++) { /* the proof of delivery counts; what comes late does not */
        post(body_of(NUMBER, priced[i]));
        all_are("interpreted");
    }
    assert_int_equal(
        message_testing_count("select count(*) from message m join event e on e.subject_id = m.id and"
                              " e.type = 'message.delivered' and e.data->'pricing' = m.pricing"
                              " where m.id = '%s' and m.pricing->>'type' = 'free_customer_service'",
                              uuid),
        1);
}

static void
a_number_or_message_that_is_not_ours_is_passed(void **state UNUSED)
{
    char value[512];

    post(body_of("999", text_of("wamid.x", "").ptr));
    snprintf(value, sizeof(value), "\"statuses\":[%.*s]", SLICE_FMT(status_of("wamid.none", "read", "")));
    post(body_of(NUMBER, value));
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from message"), 0);
}

static void
bytes_that_never_read_are_given_up_and_the_rest_goes_on(void **state UNUSED)
{
    post(SLICE("no JSON"));
    all_are("failed");
    post(body_of(NUMBER, text_of("wamid.after", "").ptr));
    while (test_cluster_number("select count(*) from provider_batch") > 0)
        ;
    assert_int_equal(test_cluster_number("select count(*) from message"), 1);
}

static void
what_cannot_be_applied_is_tried_again_and_then_given_up(void **state UNUSED)
{
    interpreter_free(interpreter);
    post(body_of(NUMBER, text_of("wamid.d", "").ptr));
    test_cluster_sql("update provider_event set body_ct = body_ct || '\\x00'"); /* it does not open */
    interpreter_open();
    for (int i = 1; i < PROVIDER_EVENT_ATTEMPTS_MAX; i++) {
        while (message_testing_count(
                   "select count(*) from provider_batch where attempt = %d and error is not null", i) == 0)
            ;
        test_cluster_sql("update provider_batch set due_at = now(); notify harkara_provider_event");
    }
    all_are("failed");
    assert_int_equal(test_cluster_number("select count(*) from provider_event where error = 'seal-corrupt'"),
                     1);
}

/* Whoever read it never came back: it must not take one process after the other along. */
static void
a_body_that_ends_its_readers_is_not_read_for_ever(void **state UNUSED)
{
    interpreter_free(interpreter);
    post(body_of(NUMBER, text_of("wamid.p", "").ptr));
    test_cluster_sql("update provider_batch set attempt = 30, due_at = now() - interval '1 second'");
    interpreter_open();
    all_are("failed");
    assert_int_equal(test_cluster_number("select count(*) from message"), 0);
}

static void
while_the_vault_is_away_a_body_waits_uncounted(void **state UNUSED)
{
    interpreter_free(interpreter);
    post(body_of(NUMBER, text_of("wamid.v", "").ptr));
    vault_testing_cut();
    interpreter_open();
    while (test_cluster_number(
               "select count(*) from provider_batch where error = 'vault-unavailable' and attempt = 0") == 0)
        ;
    vault_client_relink(opener, vault_testing_link(VAULT_ROLE_GATEWAY));
    test_cluster_sql("update provider_batch set due_at = now(); notify harkara_provider_event");
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from message"), 1);
}

static void
a_database_that_was_away_is_found_again(void **state UNUSED)
{
    test_cluster_sql(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'harkara_gateway'");
    db_close(gateway);
    gateway = test_cluster_open("harkara_gateway");
    vault = tenant_vault(sealer, gateway);
    post(body_of(NUMBER, text_of("wamid.r", "").ptr));
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from message"), 1);
}

static struct id
template_made(const char *name, const char *provider_id)
{
    struct id id = id_new(clock_system());
    char sql[512], tenant[ID_UUID_BYTES], of[ID_UUID_BYTES], uuid[ID_UUID_BYTES];

    id_uuid_print(acme, tenant);
    id_uuid_print(channel, of);
    id_uuid_print(id, uuid);
    snprintf(
        sql, sizeof(sql),
        "insert into template (tenant_id, id, channel_id, waba_id, name, language, category, is_named, state,"
        " provider_id) values ('%s', '%s', '%s', '1', '%s', 'en_US', 'utility', false, 'pending', %s)",
        tenant, uuid, of, name, provider_id);
    test_cluster_sql(sql);
    return id;
}

static struct slice
notice_of(const char *account, const char *field, const char *value)
{
    return arena_format(
        arena,
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"%s\",\"time\":1795000000,"
        "\"changes\":[{\"field\":\"%s\",\"value\":{\"message_template_id\":77,"
        "\"message_template_name\":\"order_sent\",\"message_template_language\":\"en-US\",%s}}]}]}",
        account, field, value);
}

#define STATUS "message_template_status_update"

static void
what_is_said_of_a_template_is_learnt_and_told(void **state UNUSED)
{
    (void)template_made("order_sent", "NULL"); /* named before WhatsApp's id of it was known */
    (void)template_made("other", "'78'");
    post(notice_of("1", STATUS, "\"event\":\"REJECTED\",\"reason\":\"SCAM\""));
    post(notice_of("1", "message_template_quality_update", "\"new_quality_score\":\"RED\""));
    post(notice_of("1", "template_category_update",
                   "\"new_category\":\"UTILITY\",\"correct_category\":\"MARKETING\","
                   "\"category_update_timestamp\":1795086400"));
    post(notice_of("1", "message_template_components_update", "\"message_template_element\":\"x\""));
    post(notice_of("2", STATUS, "\"event\":\"DISABLED\"")); /* another account's */
    post(notice_of("1", STATUS, "\"event\":\"DREAMING\""));
    all_are("interpreted");
    assert_int_equal(
        test_cluster_number("select count(*) from template where name = 'order_sent' and state = 'rejected'"
                            " and state_reason = 'scam' and quality = 'red' and provider_id = '77' and"
                            " correct_category = 'marketing' and category_change_at is not null"),
        1);
    assert_int_equal(
        test_cluster_number("select count(*) from template where name = 'other' and state = 'pending'"), 1);
    assert_int_equal(test_cluster_number("select count(*) from event where type like 'template.%'"), 3);
    assert_int_equal(
        test_cluster_number("select count(*) from provider_task where kind = 'template.refresh'"), 1);
}

static void
a_template_that_is_not_known_is_looked_for(void **state UNUSED)
{
    post(notice_of("1", STATUS, "\"event\":\"DELETED\""));
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from provider_task"), 0);
    post(notice_of("1", STATUS, "\"event\":\"APPROVED\""));
    post(notice_of("1", STATUS, "\"event\":\"PAUSED\""));
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from provider_task where kind = 'template.sync'"),
                     1);
}

static void
a_mark_leaves_the_state_and_an_end_of_it_comes_back(void **state UNUSED)
{
    (void)template_made("order_sent", "'77'");
    post(notice_of("1", STATUS, "\"event\":\"REINSTATED\""));
    all_are("interpreted");
    post(notice_of("1", STATUS, "\"event\":\"FLAGGED\""));
    all_are("interpreted");
    assert_int_equal(
        test_cluster_number("select count(*) from template where state = 'approved' and state_reason ="
                            " 'flagged'"),
        1);
}

/* Of the account as a whole, `age_s` seconds ago. */
static void
post_notice(const char *field, const char *value, int64_t age_s)
{
    post(arena_format(arena,
                      "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"time\":%lld,"
                      "\"changes\":[{\"field\":\"%s\",\"value\":%s}]}]}",
                      (long long)(clock_wall(clock_system()).us / 1000000 - age_s), field, value));
    all_are("interpreted");
}

#define RESTRICTION                                                                                          \
    "{\"event\":\"ACCOUNT_RESTRICTION\",\"restriction_info\":[{\"restriction_type\":"                        \
    "\"RESTRICTED_BIZ_INITIATED_MESSAGING\"}]}"

static void
a_restriction_holds_the_channel_unless_it_is_old_news(void **state UNUSED)
{
    post_notice("account_update", RESTRICTION, 2 * 86400);
    assert_int_equal(message_testing_count("select count(*) from event where type = 'channel.account'"), 1);
    assert_int_equal(message_testing_count("select count(*) from channel where state = 'active'"), 1);
    post_notice("account_update", RESTRICTION, 10);
    assert_int_equal(message_testing_count("select count(*) from event where type = 'channel.account'"), 2);
    assert_int_equal(
        message_testing_count("select count(*) from channel where state = 'paused' and state_reason ="
                              " 'WhatsApp restricted the account''s messages.'"),
        1);
    assert_int_equal(message_testing_count("select count(*) from dispatch_lane where is_open"), 0);
}

/* A second channel of the same account, with another number. */
static void
a_notice_reaches_the_number_that_it_names(void **state UNUSED)
{
    char sql[1024], tenant[ID_UUID_BYTES], id[ID_UUID_BYTES];
    struct id other = message_testing_channel(acme);

    id_uuid_print(acme, tenant);
    id_uuid_print(other, id);
    snprintf(
        sql, sizeof(sql),
        "insert into whatsapp_channel select '%s', '%s', '1', '77', '+49 (30) 123-456', ''::bytea, z, t, 1, 1,"
        " '', z, t, 1, 1, '', z, t, 1, 1 from (select decode(repeat('00', 12), 'hex') z,"
        " decode(repeat('00', 16), 'hex') t) v",
        tenant, id);
    test_cluster_sql(sql);
    post_notice(
        "phone_number_quality_update",
        "{\"display_phone_number\":\"4930123456\",\"event\":\"FLAGGED\",\"current_limit\":\"TIER_250\"}", 1);
    assert_int_equal(message_testing_count("select count(*) from event where type = 'channel.quality'"), 1);
    assert_int_equal(message_testing_count("select count(*) from whatsapp_number where channel_id = '%s' and"
                                           " messaging_limit = 'tier_250'",
                                           id),
                     1);
    assert_int_equal(message_testing_count("select count(*) from provider_task where kind = 'number.sync'"),
                     1);
    post_notice("account_review_update", "{\"decision\":\"APPROVED\"}", 1);
    assert_int_equal(message_testing_count("select count(*) from event where type = 'channel.account'"), 2);
    post_notice("phone_number_quality_update", "{\"display_phone_number\":\"999\",\"event\":\"FLAGGED\"}", 1);
    assert_int_equal(message_testing_count("select count(*) from event where type = 'channel.quality'"), 1);
}

static void
what_is_not_known_is_kept_sealed_and_told(void **state UNUSED)
{
    post_notice("orbit_update", "{\"person\":\"14155550123\"}", 1);
    assert_int_equal(
        message_testing_count("select count(*) from event where type = 'channel.notice' and data ="
                              " '{\"source\": \"orbit_update\"}' and content_ct is not null"),
        1);
}

/* Stored with its lease in somebody's hands; the body lives as long as the test. */
static struct interpreter_body
store_in_hand(struct slice body)
{
    struct provider_event_new event;
    struct id batch = id_new(clock_system());
    struct db_rows *stored;
    struct db_tx tx;

    assert_ok(provider_event_seal(&vault, clock_system(), acme, channel, body, arena, &event));
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(provider_events_store(&tx, &event, 1, batch, true, arena, &stored));
    assert_ok(db_commit(&tx));
    assert_int_equal(db_rows_count(stored), 1);
    db_rows_free(stored);
    return (struct interpreter_body){ .tenant = acme,
                                      .batch = batch,
                                      .event = event.id,
                                      .channel = channel,
                                      .number = SLICE(NUMBER),
                                      .bytes = body };
}

static struct slice
delivered_of(struct id message, const char *provider_id)
{
    char data[ID_TEXT_BYTES], value[1024];

    id_print(ID_MESSAGE, message, data);
    snprintf(value, sizeof(value), "\"statuses\":[%.*s]",
             SLICE_FMT(status_of(provider_id, "delivered", data)));
    return body_of(NUMBER, value);
}

/* Nobody asks the vault to open it once more: there is none. */
static void
what_is_handed_over_is_read_as_it_is(void **state UNUSED)
{
    struct id first = sent_message("wamid.h1"), second = sent_message("wamid.h2");
    struct interpreter_body bodies[] = { store_in_hand(delivered_of(first, "wamid.h1")),
                                         store_in_hand(delivered_of(second, "wamid.h2")) };

    vault_testing_cut();
    assert_true(interpreter_takes(interpreter, 2, bodies[0].bytes.len + bodies[1].bytes.len));
    interpreter_hand(interpreter, bodies, 2);
    all_are("interpreted");
    message_testing_assert_status(first, "delivered");
    message_testing_assert_status(second, "delivered");
    vault_client_relink(opener, vault_testing_link(VAULT_ROLE_GATEWAY));
}

static void
what_was_in_hand_of_one_that_died_is_read_from_the_table(void **state UNUSED)
{
    struct id message = sent_message("wamid.h3");
    struct interpreter_body late = store_in_hand(delivered_of(message, "wamid.h3"));
    struct interpreter_body other = store_in_hand(body_of(NUMBER, text_of("wamid.h4", "").ptr));

    interpreter_hand(interpreter, &other, 1);
    while (test_cluster_number("select count(*) from message where status = 'received'") == 0)
        ;
    message_testing_assert_status(message, "sent"); /* its lease is not over */
    test_cluster_sql("update provider_batch set due_at = now(); notify harkara_provider_event");
    all_are("interpreted");
    message_testing_assert_status(message, "delivered");
    interpreter_hand(interpreter, &late, 1); /* somebody else has read it: it was taken from us */
    interpreter_free(interpreter);           /* reads it first */
    interpreter = NULL;
    assert_int_equal(test_cluster_number("select count(*) from event where type = 'message.delivered'"), 1);
}

static void
who_is_stopped_reads_what_it_was_handed(void **state UNUSED)
{
    struct interpreter_body bodies[8];
    char provider_id[32];

    for (unsigned i = 0; i < COUNT_OF(bodies); i++) {
        snprintf(provider_id, sizeof(provider_id), "wamid.s%u", i);
        bodies[i] = store_in_hand(body_of(NUMBER, text_of(provider_id, "").ptr));
    }
    for (unsigned i = 0; i < COUNT_OF(bodies); i++)
        interpreter_hand(interpreter, &bodies[i], 1);
    interpreter_free(interpreter);
    interpreter = NULL;
    assert_int_equal(test_cluster_number("select count(*) from provider_batch"), 0);
    assert_int_equal(test_cluster_number("select count(*) from message"), COUNT_OF(bodies));
    /* Told in the order in which they were handed over. */
    assert_int_equal(
        test_cluster_number(
            "select count(*) from (select data->>'provider_id' as name, lag(data->>'provider_id')"
            " over (order by id) as last from event) e where name < last"),
        0);
}

static void
what_cannot_be_applied_leaves_what_came_with_it(void **state UNUSED)
{
    struct interpreter_body bodies[3];
    struct provider_event_new events[3];
    struct id batch = id_new(clock_system());
    struct db_rows *stored;
    struct db_tx tx;

    for (unsigned i = 0; i < 3; i++) {
        char provider_id[32];
        snprintf(provider_id, sizeof(provider_id), "wamid.c%u", i);
        struct slice body = body_of(NUMBER, text_of(provider_id, "").ptr);
        assert_ok(provider_event_seal(&vault, clock_system(), acme, channel, body, arena, &events[i]));
        bodies[i] = (struct interpreter_body){
            .tenant = acme, .batch = batch, .event = events[i].id, .channel = channel, .bytes = body
        };
    }
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(provider_events_store(&tx, events, 3, batch, true, arena, &stored));
    assert_ok(db_commit(&tx));
    db_rows_free(stored);
    test_cluster_sql("alter table provider_ref add constraint refused check (provider_id <> 'wamid.c1')");
    interpreter_hand(interpreter, bodies, 3);
    while (test_cluster_number("select count(*) from provider_batch where error is not null") == 0)
        ;
    test_cluster_sql("alter table provider_ref drop constraint refused");
    test_cluster_sql("update provider_batch set due_at = now(); notify harkara_provider_event");
    all_are("interpreted");
    assert_int_equal(test_cluster_number("select count(*) from message where status = 'received'"), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_error_of_a_status_is_told),
        TEST(statuses_move_the_message_that_they_name),
        TEST(an_incoming_message_is_stored_and_told_once),
        TEST(a_message_opens_its_senders_windows),
        TEST(an_echo_is_an_outbound_message_that_was_sent),
        TEST(what_a_message_costs_is_kept_once_and_told),
        TEST(what_is_said_of_a_template_is_learnt_and_told),
        TEST(a_template_that_is_not_known_is_looked_for),
        TEST(a_mark_leaves_the_state_and_an_end_of_it_comes_back),
        TEST(a_restriction_holds_the_channel_unless_it_is_old_news),
        TEST(a_notice_reaches_the_number_that_it_names),
        TEST(what_is_not_known_is_kept_sealed_and_told),
        TEST(a_number_or_message_that_is_not_ours_is_passed),
        TEST(of_many_bodies_one_that_cannot_be_applied_is_alone_in_its_failure),
        TEST(a_large_body_is_interpreted_like_a_small_one),
        TEST(bytes_that_never_read_are_given_up_and_the_rest_goes_on),
        TEST(what_cannot_be_applied_is_tried_again_and_then_given_up),
        TEST(a_body_that_ends_its_readers_is_not_read_for_ever),
        TEST(while_the_vault_is_away_a_body_waits_uncounted),
        TEST(a_database_that_was_away_is_found_again),
        TEST(what_is_handed_over_is_read_as_it_is),
        TEST(what_was_in_hand_of_one_that_died_is_read_from_the_table),
        TEST(who_is_stopped_reads_what_it_was_handed),
        TEST(what_cannot_be_applied_leaves_what_came_with_it),
    };

    return cmocka_run_group_tests(tests, vault_pair_open, vault_pair_close);
}
