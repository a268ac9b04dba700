/*
 * The group commit on a real PostgreSQL and with a real vault; requests and answers are the test's. A lock
 * that the superuser holds on a table keeps a batch in its transaction for as long as a test wants.
 */
#include "core/log.h"
#include "domain/message/message_testing.h"
#include "domain/tenant/tenant_key.h"
#include "program/gateway/committer.h"
#include "program/vault/vault_testing.h"
#include <pthread.h>
#include <stdio.h>

#define REQUESTS_MAX 400u

/* A request with its commit, and what it was answered. */
struct asked {
    struct http_request request; /* first member: the answer is for this */
    struct commit commit;
    struct message_plain plain;
    unsigned char hash[MESSAGE_FINGERPRINT_BYTES];
    struct id shown;
    int status; /* 0: not answered yet */
    bool is_replay;
    char key[32];
};

static pthread_mutex_t answer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static struct asked asked[REQUESTS_MAX];
static size_t asked_count;
static struct id acme, bolt, acme_channel, bolt_channel;
static struct committer *committer;
static struct vault_client *vault;

void __wrap_http_answer(struct http_request *request, const struct http_response *response);
void
__wrap_http_answer(struct http_request *request, const struct http_response *response)
{
    struct asked *of = (struct asked *)request;

    pthread_mutex_lock(&answer_lock);
    assert_int_equal(of->status, 0); /* once */
    of->status = response->status;
    for (size_t i = 0; i < response->header_count; i++)
        of->is_replay |= slice_eq(response->headers[i].name, SLICE("Idempotency-Replayed"));
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&answer_lock);
}

static enum err
print(struct commit *commit, const struct message_accepted *accepted, struct http_response *response)
{
    struct asked *of = commit->ctx;

    of->shown = accepted->id;
    response->status = 202;
    return ERR_OK;
}

static enum err
print_without_memory(struct commit *commit UNUSED, const struct message_accepted *accepted UNUSED,
                     struct http_response *response UNUSED)
{
    return ERR_NO_MEMORY;
}

static struct asked *
ask_new(struct id tenant, struct id channel, const char *key)
{
    struct asked *of = &asked[asked_count++];

    *of = (struct asked){ .request = { .id = id_new(clock_system()), .arena = arena_new(65536) } };
    of->commit = (struct commit){ .request = &of->request,
                                  .message = message_testing_new(tenant, channel, MESSAGE_SERVICE),
                                  .plain = &of->plain,
                                  .request_hash = of->hash,
                                  .print = print,
                                  .ctx = of };
    of->plain = (struct message_plain){ .message = of->commit.message.id,
                                        .peer = SLICE("+14155550123"),
                                        .content = SLICE("{\"type\":\"text\"}") };
    if (key != NULL) {
        snprintf(of->key, sizeof(of->key), "%s", key);
        of->commit.message.idempotency_key = slice_text(of->key);
    }
    return of;
}

static int
status_of(const struct asked *of)
{
    pthread_mutex_lock(&answer_lock);
    while (of->status == 0)
        pthread_cond_wait(&answered, &answer_lock);
    int status = of->status;
    pthread_mutex_unlock(&answer_lock);
    return status;
}

static bool
is_waiting(const struct asked *of)
{
    pthread_mutex_lock(&answer_lock);
    bool waits = of->status == 0;
    pthread_mutex_unlock(&answer_lock);
    return waits;
}

static struct asked *
submit(struct id tenant, struct id channel, const char *key)
{
    struct asked *of = ask_new(tenant, channel, key);

    assert_int_equal(committer_submit(committer, &of->commit), ERR_DEFERRED);
    return of;
}

/* From here on a batch that was taken stays in its transaction. */
static void
hold(void)
{
    test_cluster_sql("begin; lock table harkara.dispatch_queue in access exclusive mode");
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
opened(void **state UNUSED)
{
    if (id_is_zero(acme)) {
        vault_testing_start();
        acme = vault_testing_tenant("acme");
        bolt = vault_testing_tenant("bolt");
        acme_channel = message_testing_channel(acme);
        bolt_channel = message_testing_channel(bolt);
    }
    test_cluster_sql(
        "delete from message; delete from event; delete from dispatch_queue; delete from idempotency_key");
    vault = vault_testing_client(VAULT_ROLE_GATEWAY, 20000);
    return committer_new(&(struct committer_config){ .database = test_cluster_conninfo("harkara_gateway"),
                                                     .vault = vault,
                                                     .clock = clock_system(),
                                                     .queue_max = 256,
                                                     .batch_max = 200 },
                         &committer) != ERR_OK;
}

static int
closed(void **state UNUSED)
{
    committer_free(committer);
    vault_client_free(vault);
    for (size_t i = 0; i < asked_count; i++)
        arena_free(asked[i].request.arena);
    asked_count = 0;
    return 0;
}

static void
requests_of_a_moment_share_a_commit_and_each_gets_its_own_answer(void **state UNUSED)
{
    struct asked *of[60];

    hold();
    struct asked *first = submit(acme, acme_channel, NULL);
    hold_is_felt();
    for (size_t i = 0; i < COUNT_OF(of); i++)
        of[i] = i % 2 == 0 ? submit(acme, acme_channel, NULL) : submit(bolt, bolt_channel, NULL);
    assert_true(is_waiting(first)); /* not before the commit */
    let_go();
    for (size_t i = 0; i < COUNT_OF(of); i++) {
        assert_int_equal(status_of(of[i]), 202);
        assert_true(id_eq(of[i]->shown, of[i]->commit.message.id));
        message_testing_assert_status(of[i]->shown, "accepted");
    }
    assert_int_equal(status_of(first), 202);
    assert_int_equal(test_cluster_number("select count(distinct told_xid) from message"), 2);
    assert_int_equal(test_cluster_number("select count(*) from message"), COUNT_OF(of) + 1);
    assert_int_equal(
        test_cluster_number("select count(*) from message m join channel c on c.id = m.channel_id"
                            " where c.tenant_id <> m.tenant_id"),
        0);
}

/* What the database refuses is refused for that row; the neighbours are stored all the same. */
static void
a_bad_row_does_not_fail_its_neighbours(void **state UNUSED)
{
    static char long_reference[300];
    struct asked *of[20];

    memset(long_reference, 'r', sizeof(long_reference));
    hold();
    submit(bolt, bolt_channel, NULL);
    hold_is_felt();
    for (size_t i = 0; i < COUNT_OF(of); i++) {
        of[i] = ask_new(i < 10 ? acme : bolt, i < 10 ? acme_channel : bolt_channel, NULL);
        if (i == 7) /* too long for its column: a constraint */
            of[i]->commit.message.reference = slice_of(long_reference, sizeof(long_reference));
        if (i == 13) /* not UTF-8: not even a value */
            of[i]->commit.message.reference = SLICE("\xff");
        assert_int_equal(committer_submit(committer, &of[i]->commit), ERR_DEFERRED);
    }
    let_go();
    for (size_t i = 0; i < COUNT_OF(of); i++)
        assert_int_equal(status_of(of[i]), i == 7 ? 409 : i == 13 ? 422 : 202);
    assert_int_equal(test_cluster_number("select count(*) from message"), COUNT_OF(of) - 2 + 1);
}

static void
an_unusable_channel_refuses_its_own_message_only(void **state UNUSED)
{
    hold();
    submit(acme, acme_channel, NULL);
    hold_is_felt();
    struct asked *unknown = submit(acme, id_new(clock_system()), NULL);
    struct asked *foreign = submit(acme, bolt_channel, NULL);
    struct asked *good = submit(acme, acme_channel, NULL);
    let_go();
    assert_int_equal(status_of(unknown), 422);
    assert_int_equal(status_of(foreign), 422);
    assert_int_equal(unknown->request.error, ERR_CHANNEL_UNKNOWN);
    assert_int_equal(status_of(good), 202);
}

static void
a_request_behind_its_like_shares_its_answer_and_another_is_409(void **state UNUSED)
{
    struct asked *same[20];

    hold();
    struct asked *first = submit(acme, acme_channel, "order-1");
    hold_is_felt();
    for (size_t i = 0; i < COUNT_OF(same); i++)
        same[i] = submit(acme, acme_channel, "order-1");
    struct asked *unlike = ask_new(acme, acme_channel, "order-1");
    unlike->hash[0] = 1;
    assert_int_equal(committer_submit(committer, &unlike->commit), ERR_IDEMPOTENCY_IN_FLIGHT);
    struct asked *theirs = submit(bolt, bolt_channel, "order-1"); /* another workspace's key is another key */
    let_go();
    assert_int_equal(status_of(first), 202);
    assert_false(first->is_replay);
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        assert_int_equal(status_of(same[i]), 202);
        assert_true(same[i]->is_replay);
        assert_true(id_eq(same[i]->shown, first->shown));
    }
    assert_int_equal(status_of(theirs), 202);
    struct asked *again = submit(acme, acme_channel, "order-1");
    assert_int_equal(status_of(again), 202);
    assert_true(again->is_replay);
    assert_true(id_eq(again->shown, first->shown));
    struct asked *other = ask_new(acme, acme_channel, "order-1");
    other->hash[0] = 1;
    assert_int_equal(committer_submit(committer, &other->commit), ERR_DEFERRED);
    assert_int_equal(status_of(other), 422);
    assert_int_equal(other->request.error, ERR_IDEMPOTENCY_MISMATCH);
    assert_int_equal(test_cluster_number("select count(*) from message"), 2);
}

/* Counts what became of a batch's items. */
static struct {
    size_t stored, replayed, refused;
} outcomes;

static void
item_done(struct commit *commit, const struct message_accepted *accepted)
{
    struct asked *of = commit->ctx;

    pthread_mutex_lock(&answer_lock);
    outcomes.stored += accepted->err == ERR_OK && !accepted->is_replay;
    outcomes.replayed += accepted->err == ERR_OK && accepted->is_replay;
    outcomes.refused += accepted->err != ERR_OK;
    of->shown = accepted->id;
    of->status = accepted->err == ERR_OK ? 202 : 409;
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&answer_lock);
}

static void
many_are_taken_together_or_not_at_all(void **state UNUSED)
{
    struct commit *commits[260];
    struct asked *of[260];

    memset(&outcomes, 0, sizeof(outcomes));
    for (size_t i = 0; i < COUNT_OF(of); i++) { /* two of them under one key alike, one under it unlike */
        of[i] = ask_new(acme, acme_channel, i % 50 == 0 && i <= 100 ? "one key" : NULL);
        of[i]->commit.done = item_done;
        commits[i] = &of[i]->commit;
    }
    of[100]->hash[0] = 1;
    hold();
    submit(acme, acme_channel, NULL);
    hold_is_felt();
    struct asked *before = submit(acme, acme_channel, NULL);
    assert_int_equal(committer_submit_many(committer, commits, COUNT_OF(commits)), ERR_BUSY); /* 256 in all */
    assert_false(committer_has_room(committer, COUNT_OF(commits)));
    assert_true(committer_has_room(committer, 255));
    assert_true(is_waiting(of[0]));
    let_go();
    assert_int_equal(status_of(before), 202);
    assert_true(committer_has_room(committer, COUNT_OF(commits)));
    assert_ok(committer_submit_many(committer, commits, COUNT_OF(commits))); /* empty: it takes them */
    for (size_t i = 0; i < COUNT_OF(of); i++)
        assert_int_equal(status_of(of[i]), i == 100 ? 409 : 202);
    assert_true(id_eq(of[50]->shown, of[0]->shown));
    assert_int_equal(outcomes.stored, COUNT_OF(of) - 2);
    assert_int_equal(outcomes.replayed, 1);
    assert_int_equal(outcomes.refused, 1);
}

/* A key whose request failed is free again. */
static void
a_refused_request_leaves_its_key_unused(void **state UNUSED)
{
    struct asked *refused = submit(acme, bolt_channel, "order-2");

    assert_int_equal(status_of(refused), 422);
    struct asked *again = submit(acme, acme_channel, "order-2");
    assert_int_equal(status_of(again), 202);
    assert_false(again->is_replay);
}

static void
a_full_queue_refuses(void **state UNUSED)
{
    hold();
    submit(acme, acme_channel, NULL);
    hold_is_felt(); /* that one is taken: the queue is empty */
    for (size_t i = 0; i < 256; i++)
        submit(acme, acme_channel, NULL);
    struct asked *beyond = ask_new(acme, acme_channel, "beyond");
    assert_int_equal(committer_submit(committer, &beyond->commit), ERR_BUSY);
    let_go();
    for (size_t i = 0; i < asked_count - 1; i++)
        assert_int_equal(status_of(&asked[i]), 202);
    assert_int_equal(committer_submit(committer, &beyond->commit), ERR_DEFERRED); /* it left nothing behind */
    assert_int_equal(status_of(beyond), 202);
}

static void *
stop(void *ctx)
{
    committer_stop(ctx);
    return NULL;
}

static void
stopping_answers_all_that_was_taken_and_refuses_the_rest(void **state UNUSED)
{
    pthread_t stopping;

    hold();
    submit(acme, acme_channel, NULL);
    hold_is_felt();
    for (size_t i = 0; i < 220; i++) /* more than one batch */
        submit(acme, acme_channel, NULL);
    assert_int_equal(pthread_create(&stopping, NULL, stop, committer), 0);
    let_go();
    pthread_join(stopping, NULL);
    for (size_t i = 0; i < asked_count; i++)
        assert_false(is_waiting(&asked[i]));
    assert_int_equal(test_cluster_number("select count(*) from message"), asked_count);
    struct asked *late = ask_new(acme, acme_channel, NULL); /* of a worker that was slow */
    assert_int_equal(committer_submit(committer, &late->commit), ERR_STOPPING);
}

static void
end_connections(void)
{
    test_cluster_sql(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'harkara_gateway'");
}

/* PostgreSQL was started again while nothing was asked: no request suffers for it. */
static void
a_connection_that_was_lost_while_idle_is_made_anew(void **state UNUSED)
{
    assert_int_equal(status_of(submit(acme, acme_channel, NULL)), 202);
    end_connections();
    assert_int_equal(status_of(submit(acme, acme_channel, NULL)), 202);
}

/* The same, when the first thing that is wanted of it is a key for the vault. */
static void
a_key_is_fetched_over_a_connection_that_was_lost(void **state UNUSED)
{
    struct id core = vault_testing_tenant("core");
    struct id core_channel = message_testing_channel(core);

    assert_int_equal(status_of(submit(acme, acme_channel, NULL)), 202);
    end_connections();
    assert_int_equal(status_of(submit(core, core_channel, NULL)), 202);
}

/* Lost in the transaction: nobody knows whether it happened, so the client is told to try again. */
static void
a_connection_that_breaks_in_the_commit_is_503_and_the_key_tells(void **state UNUSED)
{
    hold();
    struct asked *lost = submit(acme, acme_channel, "order-3");
    hold_is_felt();
    end_connections();
    let_go();
    assert_int_equal(status_of(lost), 503);
    struct asked *again = submit(acme, acme_channel, "order-3");
    assert_int_equal(status_of(again), 202);
    assert_int_equal(test_cluster_number("select count(*) from message"), 1);
}

static void
without_a_database_it_is_503_and_then_it_goes_on(void **state UNUSED)
{
    test_cluster_sql("alter role harkara_gateway nologin");
    end_connections();
    struct asked *lost = submit(acme, acme_channel, NULL);
    assert_int_equal(status_of(lost), 503);
    assert_int_equal(lost->request.error, ERR_DB_UNAVAILABLE);
    test_cluster_sql("alter role harkara_gateway login");
    assert_int_equal(status_of(submit(acme, acme_channel, NULL)), 202);
    assert_int_equal(test_cluster_number("select count(*) from message"), 1);
}

static void
an_answer_that_cannot_be_printed_is_503_for_a_message_that_is_stored(void **state UNUSED)
{
    struct asked *of = ask_new(acme, acme_channel, "order-4");

    of->commit.print = print_without_memory;
    assert_int_equal(committer_submit(committer, &of->commit), ERR_DEFERRED);
    assert_int_equal(status_of(of), 503);
    struct asked *again = submit(acme, acme_channel, "order-4");
    assert_int_equal(status_of(again), 202);
    assert_true(again->is_replay);
}

static enum err
read_in(struct db_tx *tx, void *ctx)
{
    struct asked *of = ctx;
    struct message message;
    enum err err = message_get(tx, of->shown, of->request.arena, &message);

    of->commit.message.sealed = message.sealed;
    return err;
}

/* Each row has the seal of its own message, of its own workspace, whatever order the batch was stored in. */
static void
what_was_stored_opens_for_its_own_message(void **state UNUSED)
{
    struct asked *of[40];
    struct db *db = NULL;
    char peers[40][16];

    hold();
    submit(acme, acme_channel, NULL);
    hold_is_felt();
    for (size_t i = 0; i < COUNT_OF(of); i++) {
        of[i] = ask_new(i % 2 == 0 ? acme : bolt, i % 2 == 0 ? acme_channel : bolt_channel, NULL);
        snprintf(peers[i], sizeof(peers[i]), "+1415555%04zu", i);
        of[i]->plain.peer = slice_text(peers[i]);
        if (i % 3 == 0)
            of[i]->plain.metadata = SLICE("{\"order\":7}");
        assert_int_equal(committer_submit(committer, &of[i]->commit), ERR_DEFERRED);
    }
    let_go();
    assert_ok(db_open(test_cluster_conninfo("harkara_gateway"), &db));
    struct vault way = tenant_vault(vault, db);
    for (size_t i = 0; i < COUNT_OF(of); i++) {
        struct id tenant = of[i]->commit.message.tenant;
        struct slice peer, content, metadata;
        assert_int_equal(status_of(of[i]), 202);
        assert_ok(db_run(db, tenant, read_in, of[i]));
        assert_ok(message_open(&way, tenant, of[i]->shown, &of[i]->commit.message.sealed,
                               of[i]->request.arena, &peer, &content));
        assert_true(slice_eq(peer, slice_text(peers[i])));
        assert_true(slice_eq(content, SLICE("{\"type\":\"text\"}")));
        assert_ok(message_open_metadata(&way, tenant, of[i]->shown, &of[i]->commit.message.sealed,
                                        of[i]->request.arena, &metadata));
        assert_int_equal(metadata.len, i % 3 == 0 ? 11 : 0);
    }
    db_close(db);
}

static void
a_workspace_without_keys_fails_its_own_messages_only(void **state UNUSED)
{
    struct id bare = test_cluster_tenant("bare");
    struct id bare_channel = message_testing_channel(bare);
    struct asked *of[30];

    hold();
    submit(acme, acme_channel, NULL);
    hold_is_felt();
    for (size_t i = 0; i < COUNT_OF(of); i++)
        of[i] = i % 10 == 3 ? submit(bare, bare_channel, i == 3 ? "a key" : NULL)
                            : submit(acme, acme_channel, NULL);
    struct asked *behind = submit(bare, bare_channel, "a key"); /* it shares that one's answer */
    let_go();
    for (size_t i = 0; i < COUNT_OF(of); i++)
        assert_int_equal(status_of(of[i]), i % 10 == 3 ? 503 : 202);
    assert_int_equal(of[3]->request.error, ERR_VAULT_KEY_MISSING);
    assert_int_equal(status_of(behind), 503);
}

/* The vault dies with a batch of 200 on its table, and is there again before the time is over. */
static void
a_batch_outlives_the_vault(void **state UNUSED)
{
    struct asked *of[200];

    hold();
    submit(acme, acme_channel, NULL);
    hold_is_felt(); /* sealed, and in its transaction */
    for (size_t i = 0; i < COUNT_OF(of); i++)
        of[i] = i % 2 == 0 ? submit(acme, acme_channel, NULL) : submit(bolt, bolt_channel, NULL);
    vault_testing_cut();
    let_go();
    vault_client_relink(vault, vault_testing_link(VAULT_ROLE_GATEWAY)); /* before, within or behind it */
    for (size_t i = 0; i < COUNT_OF(of); i++)
        assert_int_equal(status_of(of[i]), 202);
    assert_int_equal(test_cluster_number("select count(*) from message"), COUNT_OF(of) + 1);
}

/* Without a vault nothing is stored, each is told so, and its key is free for the next try. */
static void
without_a_vault_it_is_503_and_then_it_goes_on(void **state UNUSED)
{
    struct vault_client *before = vault;

    committer_free(committer);
    vault = NULL;
    assert_ok(vault_client_new(-1, 50, &vault));
    assert_ok(committer_new(&(struct committer_config){ .database = test_cluster_conninfo("harkara_gateway"),
                                                        .vault = vault,
                                                        .clock = clock_system(),
                                                        .queue_max = 256,
                                                        .batch_max = 200 },
                            &committer));
    struct asked *lost = submit(acme, acme_channel, "order-5");
    assert_int_equal(status_of(lost), 503);
    assert_int_equal(lost->request.error, ERR_VAULT_UNAVAILABLE);
    assert_int_equal(test_cluster_number("select count(*) from message"), 0);
    vault_client_relink(vault, vault_testing_link(VAULT_ROLE_GATEWAY));
    struct asked *again;
    do /* 50 ms may be short on a busy machine */
        again = submit(acme, acme_channel, "order-5");
    while (status_of(again) == 503 && asked_count < REQUESTS_MAX);
    assert_int_equal(status_of(again), 202);
    assert_false(again->is_replay);
    vault_client_free(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)

/* Its threads have ended with the clients; they are waited for all the same. */
static int
all_closed(void **state)
{
    vault_testing_stop();
    return test_cluster_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_of_a_moment_share_a_commit_and_each_gets_its_own_answer),
        TEST(a_bad_row_does_not_fail_its_neighbours),
        TEST(an_unusable_channel_refuses_its_own_message_only),
        TEST(a_request_behind_its_like_shares_its_answer_and_another_is_409),
        TEST(many_are_taken_together_or_not_at_all),
        TEST(a_refused_request_leaves_its_key_unused),
        TEST(a_full_queue_refuses),
        TEST(stopping_answers_all_that_was_taken_and_refuses_the_rest),
        TEST(a_connection_that_was_lost_while_idle_is_made_anew),
        TEST(a_key_is_fetched_over_a_connection_that_was_lost),
        TEST(a_connection_that_breaks_in_the_commit_is_503_and_the_key_tells),
        TEST(without_a_database_it_is_503_and_then_it_goes_on),
        TEST(an_answer_that_cannot_be_printed_is_503_for_a_message_that_is_stored),
        TEST(what_was_stored_opens_for_its_own_message),
        TEST(a_workspace_without_keys_fails_its_own_messages_only),
        TEST(a_batch_outlives_the_vault),
        TEST(without_a_vault_it_is_503_and_then_it_goes_on)
    };

    return cmocka_run_group_tests(tests, test_cluster_setup, all_closed);
}
