/*
 * What providers post, stored together: a real PostgreSQL, a real vault; requests and answers are the test's.
 * A lock that the superuser holds keeps a batch in its transaction for as long as a test wants.
 */
#include "crypto/encode.h"
#include "crypto/mac.h"
#include "domain/channel/channel.h"
#include "domain/message/message_testing.h"
#include "domain/message/provider_event.h"
#include "domain/tenant/tenant_key.h"
#include "program/gateway/callback_stage.h"
#include "program/gateway/interpreter.h"
#include "program/vault/vault_pair_testing.h"
#include <pthread.h>
#include <stdio.h>

#define POSTS_MAX 128u
#define QUEUE_MAX 40u

/* A request with what it posts, and what it was answered. */
struct posted {
    struct http_request request; /* first member: the answer is for this */
    struct callback callback;
    char body[1024];
    int status; /* 0: not answered yet */
};

static pthread_mutex_t answer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static struct posted posts[POSTS_MAX];
static size_t post_count;
static struct id acme_channel, acme_other, bolt_channel;
static struct vault_client *client;
static struct callback_stage *stage;
static struct interpreter *interpreter;

void __wrap_http_answer(struct http_request *request, const struct http_response *response);
void
__wrap_http_answer(struct http_request *request, const struct http_response *response)
{
    struct posted *of = (struct posted *)request;

    pthread_mutex_lock(&answer_lock);
    assert_int_equal(of->status, 0); /* once */
    of->status = response->status;
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&answer_lock);
}

static int
status_of(const struct posted *of)
{
    pthread_mutex_lock(&answer_lock);
    while (of->status == 0)
        pthread_cond_wait(&answered, &answer_lock);
    int status = of->status;
    pthread_mutex_unlock(&answer_lock);
    return status;
}

/* Its app secret is the slug, sealed for its place. */
static struct id
channel_of(struct id tenant, struct slice secret, const char *number)
{
    struct id channel = message_testing_channel(tenant);
    struct vault_place place = channel_credential_place(tenant, channel, CHANNEL_APP_SECRET, 1);
    struct db *db = test_cluster_open("harkara_gateway");
    struct vault vault = tenant_vault(client, db);
    struct arena *arena = arena_new(65536);
    struct vault_sealed sealed;
    char tenant_text[ID_UUID_BYTES], channel_text[ID_UUID_BYTES];
    struct buf sql;

    id_uuid_print(tenant, tenant_text);
    id_uuid_print(channel, channel_text);
    assert_ok(vault_seal(&vault, VAULT_CREDENTIAL, &place, secret, arena, &sealed));
    buf_init(&sql, 4096);
    buf_add_format(
        &sql,
        "insert into harkara.whatsapp_channel select '%s', '%s', '1', '%s', '+1', ''::bytea, z, t, 1, 1, '\\x",
        tenant_text, channel_text, number);
    encode_hex(&sql, sealed.cipher);
    buf_add_text(&sql, "', '\\x");
    encode_hex(&sql, slice_of(sealed.iv, VAULT_IV_BYTES));
    buf_add_text(&sql, "', '\\x");
    encode_hex(&sql, slice_of(sealed.tag, VAULT_TAG_BYTES));
    buf_add_format(&sql,
                   "', %u, 1, '', z, t, 1, 1 from (select decode(repeat('00', 12), 'hex') z,"
                   " decode(repeat('00', 16), 'hex') t) v",
                   sealed.key_version);
    buf_add_byte(&sql, '\0');
    assert_ok(buf_done(&sql));
    test_cluster_sql(sql.ptr);
    buf_release(&sql);
    arena_free(arena);
    db_close(db);
    return channel;
}

static struct posted *
post_new(struct id channel, const char *body, struct slice secret)
{
    struct posted *of = &posts[post_count++];

    *of = (struct posted){ .request = { .id = id_new(clock_system()), .arena = arena_new(65536) },
                           .callback = { .channel = channel, .has_mac = secret.len > 0 } };
    snprintf(of->body, sizeof(of->body), "%s", body);
    of->request.body = slice_text(of->body);
    of->callback.request = &of->request;
    if (secret.len > 0)
        assert_ok(mac_sha256(secret, of->request.body, of->callback.mac));
    return of;
}

static struct posted *
post(struct id channel, const char *body, struct slice secret)
{
    struct posted *of = post_new(channel, body, secret);

    assert_int_equal(callback_stage_submit(stage, &of->callback), ERR_DEFERRED);
    return of;
}

/* From here on a batch that was taken stays in its transaction; who is in it has asked for the table. */
static void
hold(void)
{
    test_cluster_sql("begin; lock table harkara.provider_event in access exclusive mode");
}

static void
hold_is_felt(void)
{
    while (test_cluster_number("select count(*) from pg_locks where not granted") == 0)
        ;
}

static void
let_go(void)
{
    test_cluster_sql("commit");
}

static int
group_open(void **state)
{
    int failed = vault_pair_open(state);

    client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    acme_channel = channel_of(acme, SLICE("acme"), "1");
    acme_other = channel_of(acme, SLICE("other"), "2");
    bolt_channel = channel_of(bolt, SLICE("bolt"), "3");
    return failed;
}

static int
group_close(void **state)
{
    vault_client_free(client);
    return vault_pair_close(state);
}

static void
stage_open(void)
{
    assert_ok(callback_stage_new(
        &(struct callback_stage_config){ .database = test_cluster_conninfo("harkara_gateway"),
                                         .clock = clock_system(),
                                         .vault_client = client,
                                         .interpreter = interpreter,
                                         .queue_max = QUEUE_MAX,
                                         .batch_max = QUEUE_MAX },
        &stage));
}

static int
opened(void **state UNUSED)
{
    test_cluster_sql("delete from harkara.provider_batch; delete from harkara.provider_event");
    stage_open();
    return 0;
}

static int
closed(void **state UNUSED)
{
    callback_stage_free(stage);
    stage = NULL;
    interpreter_free(interpreter);
    interpreter = NULL;
    for (size_t i = 0; i < post_count; i++)
        arena_free(posts[i].request.arena);
    post_count = 0;
    return 0;
}

/* One is on its way, and waits; what comes meanwhile is the next batch. */
static struct posted *
post_held(void)
{
    hold();
    struct posted *first = post(acme_channel, "first", SLICE("acme"));
    hold_is_felt();
    return first;
}

static void
each_of_a_batch_gets_its_own_answer(void **state UNUSED)
{
    struct posted *all[36], *first = post_held(), *ill[5];
    char body[32];

    for (int i = 0; i < 30; i++) {
        struct id to = i % 3 == 0 ? acme_channel : i % 3 == 1 ? acme_other : bolt_channel;
        struct slice secret = i % 3 == 0 ? SLICE("acme") : i % 3 == 1 ? SLICE("other") : SLICE("bolt");
        snprintf(body, sizeof(body), "body %d", i / 6); /* the same bytes twice to each channel */
        all[i] = post(to, body, secret);
    }
    ill[0] = post(acme_channel, "forged", SLICE("bolt"));
    ill[1] = post(bolt_channel, "forged", SLICE("acme"));
    ill[2] = post(acme_channel, "unsigned", SLICE_EMPTY);
    ill[3] = post(id_new(clock_system()), "nobody's", SLICE("acme"));
    ill[4] = post(id_new(clock_system()), "nobody's", SLICE_EMPTY);
    int64_t commits = test_cluster_number("select count(*) from harkara.provider_event");
    let_go();
    assert_int_equal(commits, 0); /* the superuser's own transaction sees the table as it was */
    assert_int_equal(status_of(first), 200);
    for (int i = 0; i < 30; i++)
        assert_int_equal(status_of(all[i]), 200);
    assert_int_equal(status_of(ill[0]), problem_status(ERR_SIGNATURE));
    assert_int_equal(status_of(ill[1]), problem_status(ERR_SIGNATURE));
    assert_int_equal(status_of(ill[2]), problem_status(ERR_SIGNATURE));
    assert_int_equal(status_of(ill[3]), 404);
    assert_int_equal(status_of(ill[4]), 404); /* not even that its signature is none */
    assert_int_equal(test_cluster_number("select count(*) from harkara.provider_event"), 16);
    assert_int_equal(test_cluster_number("select count(distinct xmin::text) from harkara.provider_event"), 2);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.provider_event e join harkara.channel c"
                              " on c.id = e.channel_id where c.tenant_id = e.tenant_id"),
        16);
}

static void
what_was_stored_opens_as_it_was_posted(void **state UNUSED)
{
    struct db *db = test_cluster_open("harkara_gateway");
    struct vault vault = tenant_vault(client, db);
    struct arena *arena = arena_new(1 << 20);
    struct provider_event *events;
    struct slice body;
    bool is_split = false;
    size_t count = 0;

    assert_int_equal(status_of(post(bolt_channel, "exactly this", SLICE("bolt"))), 200);
    assert_ok(provider_event_claim(db, 10, false, arena, &events, &count, &is_split));
    assert_int_equal(count, 1);
    assert_true(id_eq(events[0].tenant, bolt) && id_eq(events[0].channel, bolt_channel));
    assert_ok(provider_event_open(&vault, &events[0], arena, &body));
    assert_true(slice_eq(body, SLICE("exactly this")));
    arena_free(arena);
    db_close(db);
}

/* One row that a table refuses is alone in that. */
static void
a_body_that_cannot_be_stored_leaves_the_others(void **state UNUSED)
{
    struct posted *all[20], *first = post_held();
    char body[32];

    for (int i = 0; i < 20; i++) {
        snprintf(body, sizeof(body), "%.*s", i == 7 ? 20 : 4, "a body of some length");
        all[i] = post_new(i % 2 == 0 ? acme_channel : bolt_channel, body, SLICE_EMPTY);
        snprintf(all[i]->body, sizeof(all[i]->body), "%s %d", body, i);
        all[i]->request.body = slice_text(all[i]->body);
        all[i]->callback.has_mac = true;
        assert_ok(mac_sha256(i % 2 == 0 ? SLICE("acme") : SLICE("bolt"), all[i]->request.body,
                             all[i]->callback.mac));
        assert_int_equal(callback_stage_submit(stage, &all[i]->callback), ERR_DEFERRED);
    }
    test_cluster_sql(
        "alter table harkara.provider_event add constraint refused check (octet_length(body_ct) < 15)");
    let_go();
    assert_int_equal(status_of(first), 200);
    for (int i = 0; i < 20; i++)
        assert_int_equal(status_of(all[i]) == 200, i != 7);
    test_cluster_sql("alter table harkara.provider_event drop constraint refused");
    assert_int_equal(test_cluster_number("select count(*) from harkara.provider_event"), 20);
}

static void
a_deleted_channel_and_another_secret_are_felt_at_once(void **state UNUSED)
{
    char sql[256], id[ID_UUID_BYTES];

    assert_int_equal(status_of(post(acme_other, "one", SLICE("other"))), 200);
    id_uuid_print(acme_other, id);
    snprintf(sql, sizeof(sql), "update harkara.channel set state = 'deleted' where id = '%s'", id);
    test_cluster_sql(sql);
    assert_int_equal(status_of(post(acme_other, "two", SLICE("other"))), 404);
    snprintf(sql, sizeof(sql), "update harkara.channel set state = 'active' where id = '%s'", id);
    test_cluster_sql(sql);
    assert_int_equal(status_of(post(acme_other, "three", SLICE("other"))), 200);
}

static void
a_full_queue_refuses_and_a_stopped_one_ends_what_it_holds(void **state UNUSED)
{
    struct posted *all[QUEUE_MAX], *first = post_held();
    char body[32];

    for (unsigned i = 0; i < QUEUE_MAX; i++) {
        snprintf(body, sizeof(body), "body %u", i);
        all[i] = post(acme_channel, body, SLICE("acme"));
    }
    struct posted *late = post_new(acme_channel, "late", SLICE("acme"));
    assert_int_equal(callback_stage_submit(stage, &late->callback), ERR_BUSY);
    let_go();
    callback_stage_stop(stage);
    assert_int_equal(status_of(first), 200);
    for (unsigned i = 0; i < QUEUE_MAX; i++)
        assert_int_equal(status_of(all[i]), 200);
    assert_int_equal(callback_stage_submit(stage, &late->callback), ERR_STOPPING);
    assert_int_equal(late->status, 0);
    assert_int_equal(test_cluster_number("select count(*) from harkara.provider_event"), QUEUE_MAX + 1);
}

/* Answered when it is stored; read without being claimed, but for what is too large for that. */
static void
what_was_stored_is_handed_over(void **state UNUSED)
{
    static char large[PROVIDER_EVENT_SMALL_BYTES + 2];
    struct posted *all[6];
    char body[700];

    callback_stage_free(stage);
    assert_ok(
        interpreter_new(&(struct interpreter_config){ .database = test_cluster_conninfo("harkara_gateway"),
                                                      .clock = clock_system(),
                                                      .vault_client = client },
                        &interpreter));
    stage_open();
    for (unsigned i = 0; i < COUNT_OF(all); i++) { /* each twice */
        snprintf(
            body, sizeof(body),
            "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":"
            "\"messages\",\"value\":{\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":"
            "\"1\",\"phone_number_id\":\"1\"},\"contacts\":[{\"wa_id\":\"14155550123\"}],\"messages\":[{\"from\":"
            "\"14155550123\",\"id\":\"wamid.%u\",\"timestamp\":\"1795000000\",\"type\":\"text\",\"text\":"
            "{\"body\":\"Hi\"}}]}}]}]}",
            i / 2);
        all[i] = post(acme_channel, body, SLICE("acme"));
    }
    memset(large, ' ', sizeof(large) - 1); /* no JSON, so it is given up */
    struct posted *too_large = post_new(acme_channel, "", SLICE_EMPTY);
    too_large->request.body = slice_text(large);
    too_large->callback.has_mac = true;
    assert_ok(mac_sha256(SLICE("acme"), too_large->request.body, too_large->callback.mac));
    assert_int_equal(callback_stage_submit(stage, &too_large->callback), ERR_DEFERRED);
    for (unsigned i = 0; i < COUNT_OF(all); i++)
        assert_int_equal(status_of(all[i]), 200);
    assert_int_equal(status_of(too_large), 200);
    while (test_cluster_number("select count(*) from harkara.provider_batch") > 0)
        ;
    assert_int_equal(test_cluster_number("select count(*) from harkara.message where direction = 'in'"), 3);
    assert_int_equal(
        test_cluster_number("select count(*) from harkara.provider_event where error is not null"), 1);
    assert_int_equal(test_cluster_number("select count(*) from harkara.provider_event"), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_of_a_batch_gets_its_own_answer),
        TEST(what_was_stored_opens_as_it_was_posted),
        TEST(a_body_that_cannot_be_stored_leaves_the_others),
        TEST(a_deleted_channel_and_another_secret_are_felt_at_once),
        TEST(a_full_queue_refuses_and_a_stopped_one_ends_what_it_holds),
        TEST(what_was_stored_is_handed_over),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
