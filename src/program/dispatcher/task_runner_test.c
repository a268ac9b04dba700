/*
 * The threads for provider tasks on a real PostgreSQL and a real vault; the test plays the provider on a
 * socket, so it decides when an answer comes, and whether.
 */
#include "core/log.h"
#include "domain/channel/channel.h"
#include "domain/tenant/tenant_key.h"
#include "platform/net/net_testing.h"
#include "program/dispatcher/task_runner.h"
#include "program/vault/vault_pair_testing.h"
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct config config;
static struct address_guard guard;
static struct db *gateway;
static struct vault_client *sealer, *opener;
static struct vault vault; /* the gateway's */
static struct arena *arena;
static struct task_pool *pool;
static struct usage *usage;
static int listener, numbers;
static struct task_handler handlers[PROVIDER_TASK_KINDS]; /* task_table's, unless a test says otherwise */

static int
opened_with(int64_t threads)
{
    uint16_t port;

    test_cluster_sql("delete from provider_task; delete from event; delete from whatsapp_number;"
                     "delete from whatsapp_channel; delete from dispatch_lane; delete from channel");
    listener = testing_listen(&port);
    config_init(&config);
    snprintf(config.graph_url, sizeof(config.graph_url), "http://127.0.0.1:%u", port);
    config.task_threads = threads;
    assert_ok(address_guard_init(&guard, SLICE("127.0.0.1/32")));
    gateway = test_cluster_open("harkara_gateway");
    sealer = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    opener = vault_testing_client(VAULT_ROLE_DISPATCHER, 5000);
    vault = tenant_vault(sealer, gateway);
    arena = arena_new(8u << 20);
    memcpy(handlers, task_table, sizeof(handlers));
    assert_ok(usage_new(&usage));
    assert_ok(
        task_pool_new(&(struct task_pool_config){ .database = test_cluster_conninfo("harkara_dispatcher"),
                                                  .config = &config,
                                                  .clock = clock_system(),
                                                  .vault_client = opener,
                                                  .guard = &guard,
                                                  .table = handlers,
                                                  .usage = usage },
                      &pool));
    return 0;
}

static int
opened(void **state UNUSED)
{
    return opened_with(2);
}

static int
opened_with_four(void **state UNUSED)
{
    return opened_with(4);
}

static int
closed(void **state UNUSED)
{
    task_pool_free(pool);
    pool = NULL;
    usage_free(usage);
    vault_client_free(opener);
    vault_client_free(sealer);
    db_close(gateway);
    arena_free(arena);
    close(listener);
    return 0;
}

static struct id
channel_of(struct id tenant)
{
    struct channel_new with = { .id = id_new(clock_system()),
                                .name = SLICE("Shop"),
                                .waba_id = SLICE("1"),
                                .phone_number_id = arena_format(arena, "%d", ++numbers),
                                .display_phone_number = SLICE("+1 555") };
    const struct slice plain[CHANNEL_CREDENTIALS] = { SLICE("token-of-the-test"), SLICE("secret"),
                                                      SLICE("verify") };
    struct channel channel;
    struct db_tx tx;

    for (unsigned i = 0; i < CHANNEL_CREDENTIALS; i++)
        assert_ok(channel_seal(&vault, tenant, with.id, (enum channel_credential)i, 1, plain[i], arena,
                               &with.sealed[i]));
    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(channel_create(&tx, clock_system(), &with, arena, &channel));
    assert_ok(db_commit(&tx));
    return channel.id;
}

static struct id
channel_new(void)
{
    return channel_of(acme);
}

/* Asks for a new PIN: one POST with a sealed request. */
static struct id
ask(struct id channel)
{
    struct provider_task_new with = { .id = id_new(clock_system()),
                                      .channel = channel,
                                      .kind = PROVIDER_TASK_NUMBER_PIN };
    struct vault_place place = provider_task_place(acme, with.id);
    struct vault_sealed sealed;
    struct db_tx tx;

    assert_ok(vault_seal(&vault, VAULT_CREDENTIAL, &place, SLICE("{\"pin\":\"482913\"}"), arena, &sealed));
    with.request = &sealed;
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(provider_task_create(&tx, &with));
    assert_ok(db_commit(&tx));
    return with.id;
}

/* The next request to the provider, whole; its connection stays open. */
static int
request_take(char *text, size_t bytes)
{
    static const char end[] = "\"}";
    size_t len = 0;
    int fd = accept(listener, NULL, NULL);

    assert_true(fd >= 0);
    do {
        ssize_t got = recv(fd, text + len, bytes - 1 - len, 0);
        assert_true(got > 0);
        len += (size_t)got;
        text[len] = '\0';
    } while (strstr(text, "\r\n\r\n") == NULL || memcmp(text + len - strlen(end), end, strlen(end)) != 0);
    return fd;
}

static void
answer(int fd, const char *status, const char *body)
{
    char text[1024];

    snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
             strlen(body), body);
    testing_send(fd, slice_text(text));
    close(fd);
}

static void
comes_to(struct id task, const char *state)
{
    char sql[256], id[ID_UUID_BYTES];

    id_uuid_print(task, id);
    snprintf(sql, sizeof(sql), "select count(*) from provider_task where id = '%s' and state = '%s'", id,
             state);
    while (test_cluster_number(sql) == 0)
        (void)poll(NULL, 0, 5);
}

static void
a_call_has_the_token_and_what_was_sealed(void **state UNUSED)
{
    char text[4096], path[2048];
    struct id task = ask(channel_new());
    int fd = request_take(text, sizeof(text));

    snprintf(path, sizeof(path), "POST /%s/%d HTTP/1.1\r\n", config.graph_version, numbers);
    assert_memory_equal(text, path, strlen(path));
    assert_non_null(strstr(text, "\r\nAuthorization: Bearer token-of-the-test\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n{\"pin\":\"482913\"}"));
    answer(fd, "200 OK", "{\"success\":true}");
    comes_to(task, "done");
    assert_int_equal(test_cluster_number("select count(*) from provider_task where request_ct is not null"),
                     0);
}

static void
a_refusal_ends_it_and_a_refused_token_the_channel(void **state UNUSED)
{
    char text[4096];
    struct id channel = channel_new(), task = ask(channel);

    answer(request_take(text, sizeof(text)), "400 Bad Request",
           "{\"error\":{\"code\":133005,\"message\":\"secret words\"}}");
    comes_to(task, "failed");
    assert_int_equal(
        test_cluster_number("select count(*) from provider_task where error_code = 'whatsapp-133005'"
                            " and attempt = 1 and error_title not like '%secret words%'"),
        1);
    assert_int_equal(test_cluster_number("select count(*) from channel where state = 'active'"), 1);
    task = ask(channel);
    answer(request_take(text, sizeof(text)), "401 Unauthorized", "{\"error\":{\"code\":190}}");
    comes_to(task, "failed");
    assert_int_equal(test_cluster_number("select count(*) from channel where state = 'broken'"), 1);
}

static void
a_passing_trouble_is_tried_again(void **state UNUSED)
{
    char text[4096];
    struct id task = ask(channel_new());

    answer(request_take(text, sizeof(text)), "503 Service Unavailable",
           "{\"error\":{\"code\":2,\"is_transient\":true}}");
    answer(request_take(text, sizeof(text)), "200 OK", "{\"success\":true}");
    comes_to(task, "done");
    assert_int_equal(
        test_cluster_number("select count(*) from provider_task where attempt = 2 and not is_unsure"), 1);
}

/* The first is never answered while the second is done. */
static void
a_slow_task_holds_its_thread_alone(void **state UNUSED)
{
    char text[4096];
    struct id slow = ask(channel_new());
    int held = request_take(text, sizeof(text));
    struct id quick = ask(channel_new());

    answer(request_take(text, sizeof(text)), "200 OK", "{\"success\":true}");
    comes_to(quick, "done");
    comes_to(slow, "leased");
    answer(held, "200 OK", "{\"success\":true}");
    comes_to(slow, "done");
}

static void
a_drain_lets_what_is_under_way_end_and_begins_nothing(void **state UNUSED)
{
    char text[4096];
    struct id first = ask(channel_new());
    int held = request_take(text, sizeof(text));

    task_pool_drain(pool);
    struct id second = ask(channel_new());
    assert_int_equal(task_pool_busy(pool) >= 1, 1);
    answer(held, "200 OK", "{\"success\":true}");
    comes_to(first, "done");
    while (task_pool_busy(pool) > 0)
        (void)poll(NULL, 0, 5);
    comes_to(second, "waiting");
}

static void
an_end_gives_what_is_under_way_back_as_unsure(void **state UNUSED)
{
    char text[4096];
    struct id task = ask(channel_new());
    int held = request_take(text, sizeof(text));

    task_pool_free(pool);
    pool = NULL;
    close(held);
    comes_to(task, "waiting");
    assert_int_equal(
        test_cluster_number(
            "select count(*) from provider_task where is_unsure and attempt = 0 and request_ct is"
            " not null and lease_until is null"),
        1);
}

/* A cut connection: whether the provider has done it is not known. */
static void
a_lost_answer_is_tried_again_as_unsure(void **state UNUSED)
{
    char text[4096];
    struct id task = ask(channel_new());

    close(request_take(text, sizeof(text)));
    answer(request_take(text, sizeof(text)), "200 OK", "{\"success\":true}");
    comes_to(task, "done");
    assert_int_equal(
        test_cluster_number("select count(*) from provider_task where is_unsure and attempt = 2"), 1);
}

/* The first answer says that the account has no more calls: the second task is not begun, and counts nothing.
 */
static void
what_would_be_refused_is_not_asked(void **state UNUSED)
{
    char text[4096];
    struct id channel = channel_new(), first = ask(channel);

    answer(
        request_take(text, sizeof(text)),
        "200 OK\r\nX-App-Usage: {\"call_count\":5}\r\nX-Business-Use-Case-Usage: {\"1\":[{\"call_count\":100,"
        "\"estimated_time_to_regain_access\":5}]}",
        "{\"success\":true}");
    comes_to(first, "done");
    (void)ask(channel);
    while (test_cluster_number(
               "select count(*) from provider_task where state = 'waiting' and attempt = 0"
               " and error_code = 'usage-held' and error_class = 'throttle'"
               " and due_at between now() + interval '4 minutes' and now() + interval '7 minutes'") == 0)
        (void)poll(NULL, 0, 5);
    assert_int_equal(test_cluster_number("select count(*) from provider_task where state = 'failed'"), 0);
    /* Who would wait in vain is told at once. */
    test_cluster_sql("update provider_task set created_at = now() - interval '9 minutes', due_at = now()"
                     " where state = 'waiting'; select pg_notify('harkara_provider_task', '')");
    while (test_cluster_number("select count(*) from provider_task where state = 'failed'"
                               " and error_code = 'usage-held'") == 0)
        (void)poll(NULL, 0, 5);
}

static enum err
media_move(struct task_run *run)
{
    return task_call(run, "POST", SLICE("/media"), SLICE("{\"x\":\"media\"}"), NULL);
}

static void
media_ask(struct id tenant, struct id channel)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(provider_task_create(&tx, &(struct provider_task_new){ .id = id_new(clock_system()),
                                                                     .channel = channel,
                                                                     .kind = PROVIDER_TASK_MEDIA_FETCH,
                                                                     .subject = id_new(clock_system()) }));
    assert_ok(db_commit(&tx));
}

static int64_t
media_under_way(struct id tenant)
{
    char sql[256], id[ID_UUID_BYTES];

    id_uuid_print(tenant, id);
    snprintf(
        sql, sizeof(sql),
        "select count(*) from provider_task where state = 'leased' and kind like 'media.%%' and tenant_id = '%s'",
        id);
    return test_cluster_number(sql);
}

/* Four threads, of which three may move media, and two that of one workspace. Nothing of it is answered. */
static void
ones_media_leaves_room_for_anothers_and_for_the_rest(void **state UNUSED)
{
    struct id channel = channel_of(acme), theirs = channel_of(bolt);
    char text[4096];
    int held[3];

    handlers[PROVIDER_TASK_MEDIA_FETCH] = (struct task_handler){ media_move, NULL };
    for (int i = 0; i < 10; i++)
        media_ask(acme, channel);
    held[0] = request_take(text, sizeof(text));
    held[1] = request_take(text, sizeof(text));
    media_ask(bolt, theirs);
    media_ask(bolt, theirs);
    held[2] = request_take(text, sizeof(text));
    assert_non_null(strstr(text, "media"));
    struct id quick = ask(channel);
    answer(request_take(text, sizeof(text)), "200 OK", "{\"success\":true}");
    comes_to(quick, "done");
    assert_int_equal(media_under_way(acme), 2);
    assert_int_equal(media_under_way(bolt), 1);
    answer(held[0], "200 OK", "{\"success\":true}"); /* room for one more, whosever it is */
    held[0] = request_take(text, sizeof(text));
    assert_non_null(strstr(text, "media"));
    while (media_under_way(acme) + media_under_way(bolt) != 3)
        (void)poll(NULL, 0, 5);
    for (size_t i = 0; i < COUNT_OF(held); i++)
        close(held[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_has_the_token_and_what_was_sealed),
        TEST(a_refusal_ends_it_and_a_refused_token_the_channel),
        TEST(a_passing_trouble_is_tried_again),
        TEST(a_slow_task_holds_its_thread_alone),
        TEST(a_drain_lets_what_is_under_way_end_and_begins_nothing),
        TEST(an_end_gives_what_is_under_way_back_as_unsure),
        TEST(a_lost_answer_is_tried_again_as_unsure),
        TEST(what_would_be_refused_is_not_asked),
        cmocka_unit_test_setup_teardown(ones_media_leaves_room_for_anothers_and_for_the_rest,
                                        opened_with_four, closed),
    };

    return cmocka_run_group_tests(tests, vault_pair_open, vault_pair_close);
}
