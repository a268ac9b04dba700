/*
 * The dispatcher's store thread on a real PostgreSQL and a real vault; the test plays the loop: it takes
 * requests, and says what became of them.
 */
#include "core/log.h"
#include "domain/channel/channel.h"
#include "domain/sending/send_store.h"
#include "domain/tenant/tenant_key.h"
#include "program/dispatcher/send_whatsapp.h"
#include "program/vault/vault_pair_testing.h"
#include "wire/json/json.h"
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TOKEN SLICE("EAAG-token-of-the-test")

static struct config config;
static struct db *gateway;
static struct vault_client *sealer, *opener;
static struct vault vault; /* the gateway's */
static struct arena *arena;
static struct mailbox ready, settled;
static struct send_whatsapp whatsapp;
static struct send_store *store;
static int numbers;
static int log_fd; /* what the store writes down */

static int
group_open(void **state)
{
    int failed = vault_pair_open(state);

    log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(log_fd >= 0);
    log_open("test", LOG_WARN, log_fd);
    return failed;
}

static int
group_close(void **state)
{
    close(log_fd);
    return vault_pair_close(state);
}

/* Whether an event is in the log of this test. */
static bool
was_logged(const char *event)
{
    static char text[65536];
    ssize_t len = pread(log_fd, text, sizeof(text) - 1, 0);

    assert_true(len >= 0);
    text[len] = '\0';
    return strstr(text, event) != NULL;
}

static void
store_open(void)
{
    whatsapp = (struct send_whatsapp){ &config, clock_system() };
    assert_ok(
        send_store_new(&(struct send_store_config){ .database = test_cluster_conninfo("harkara_dispatcher"),
                                                    .config = &config,
                                                    .clock = clock_system(),
                                                    .vault_client = opener,
                                                    .instance = id_new(clock_system()),
                                                    .kind = &send_whatsapp,
                                                    .kind_ctx = &whatsapp,
                                                    .ready = &ready,
                                                    .settled = &settled },
                       &store));
}

static int
opened(void **state UNUSED)
{
    assert_int_equal(ftruncate(log_fd, 0), 0);
    assert_int_equal(lseek(log_fd, 0, SEEK_SET), 0);
    test_cluster_sql(
        "insert into policy_settings select tenant_id, 0, null, null, 0, true, 540, 0, 1440, 127, 0 from tenant on conflict do nothing;"
        "delete from channel_window; delete from dispatch_queue; delete from message; delete from event; delete from provider_ref;"
        "delete from whatsapp_channel; delete from dispatch_lane; delete from dispatcher_lease; delete from channel");
    config_init(&config);
    snprintf(config.graph_url, sizeof(config.graph_url), "http://127.0.0.1:9");
    config.send_in_flight_max = 16;
    config.lane_in_flight_max = 8;
    gateway = test_cluster_open("harkara_gateway");
    sealer = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    opener = vault_testing_client(VAULT_ROLE_DISPATCHER, 300);
    vault = tenant_vault(sealer, gateway);
    arena = arena_new(8u << 20);
    assert_ok(mailbox_init(&ready));
    assert_ok(mailbox_init(&settled));
    store_open();
    return 0;
}

static int
closed(void **state UNUSED)
{
    send_store_free(store);
    store = NULL;
    vault_client_free(opener);
    vault_client_free(sealer);
    db_close(gateway);
    arena_free(arena);
    mailbox_release(&ready);
    mailbox_release(&settled);
    return 0;
}

static struct id
channel_new(struct id tenant)
{
    struct channel_new with = { .id = id_new(clock_system()),
                                .name = SLICE("Shop"),
                                .waba_id = SLICE("1"),
                                .phone_number_id = arena_format(arena, "%d", ++numbers),
                                .display_phone_number = SLICE("+1 555") };
    const struct slice plain[CHANNEL_CREDENTIALS] = { [CHANNEL_ACCESS_TOKEN] = TOKEN,
                                                      [CHANNEL_APP_SECRET] = SLICE("secret"),
                                                      [CHANNEL_VERIFY_TOKEN] = SLICE("verify") };
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
accept(struct id tenant, struct id channel, enum message_category category, const char *content)
{
    struct message_new message = { .id = id_new(clock_system()),
                                   .tenant = tenant,
                                   .channel = channel,
                                   .category = category,
                                   .kind = SLICE("text") };
    struct message_accepted accepted;

    assert_ok(message_seal(&vault, tenant,
                           &(struct message_plain){ .message = message.id,
                                                    .peer = SLICE("+14155550123"),
                                                    .content = slice_text(content) },
                           1, arena, &message.sealed));
    assert_ok(message_accept_batch(gateway, clock_system(), &message, &accepted, 1, arena));
    assert_ok(accepted.err);
    return accepted.id;
}

static struct id
accept_text(struct id tenant, struct id channel)
{
    return accept(tenant, channel, MESSAGE_SERVICE, "{\"type\":\"text\",\"text\":{\"body\":\"Hello\"}}");
}

static struct send_job *backlog; /* taken together, handed out one by one */

/* The next request; waits for it. */
static struct send_job *
take(void)
{
    while (backlog == NULL) {
        (void)poll(&(struct pollfd){ .fd = ready.event_fd, .events = POLLIN }, 1, 1000);
        backlog = (struct send_job *)mailbox_take(&ready);
    }
    struct send_job *job = backlog;
    backlog = send_job_next(job);
    return job;
}

static void
settle(struct send_job *job, enum message_verdict verdict, const char *provider_id)
{
    bool is_sent = verdict == MESSAGE_VERDICT_SENT;

    send_job_settle(job, clock_system(), verdict, 60000, is_sent ? "" : "whatsapp-131026",
                    is_sent ? "" : "A title.", is_sent ? NULL : "retry");
    if (provider_id != NULL) {
        snprintf(job->provider_id, sizeof(job->provider_id), "%s", provider_id);
        job->outcome.provider_id = slice_text(job->provider_id);
    }
    mailbox_put(&settled, &job->item);
}

/* The query with the message's id added to its conditions. */
static int64_t
count(const char *query, struct id message)
{
    char sql[512], id[ID_UUID_BYTES];

    id_uuid_print(message, id);
    snprintf(sql, sizeof(sql), "%s and id = '%s'", query, id);
    return test_cluster_number(sql);
}

static void
comes_to(struct id message, const char *status)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "select count(*) from message where status = '%s'", status);
    while (count(sql, message) == 0)
        ;
}

/* For a moment more is counted, while it is being claimed. */
static void
out_comes_to(size_t many)
{
    while (send_store_out(store) != many)
        ;
}

static void
nothing_is_out(void)
{
    out_comes_to(0);
}

static void
a_request_has_all_that_the_provider_wants(void **state UNUSED)
{
    struct id channel = channel_new(acme), message = accept_text(acme, channel);
    struct send_job *job = take();
    char want[2048], id[ID_TEXT_BYTES];
    json_t *body = NULL;

    assert_true(id_eq(job->claim.message, message));
    snprintf(want, sizeof(want), "http://127.0.0.1:9/%s/%d/messages", config.graph_version, numbers);
    assert_string_equal(whatsapp_job_of(job)->url.ptr, want);
    assert_true(slice_eq(secret_slice(whatsapp_job_of(job)->token), TOKEN));
    assert_ok(json_parse(buf_slice(&whatsapp_job_of(job)->body), &body));
    assert_true(slice_eq(json_text_of(json_member(body, "text"), "body"), SLICE("Hello")));
    assert_true(slice_eq(json_text_of(body, "biz_opaque_callback_data"), id_print(ID_MESSAGE, message, id)));
    json_decref(body);
    assert_int_equal(count("select count(*) from message where status = 'sending'", message),
                     1); /* before it leaves */
    out_comes_to(1);
    settle(job, MESSAGE_VERDICT_SENT, "wamid.1");
    comes_to(message, "sent");
    nothing_is_out();
    assert_int_equal(count("select count(*) from message where provider_id = 'wamid.1'", message), 1);
    assert_int_equal(test_cluster_number("select count(*) from dispatch_queue"), 0);
}

static void
each_outcome_is_written_as_it_was_told(void **state UNUSED)
{
    struct id channel = channel_new(acme);
    static const struct {
        enum message_verdict verdict;
        const char *status;
        int64_t left;
    } rows[] = { { MESSAGE_VERDICT_RETRY, "queued", 1 },
                 { MESSAGE_VERDICT_FAILED, "failed", 0 },
                 { MESSAGE_VERDICT_UNCERTAIN, "uncertain", 1 },
                 { MESSAGE_VERDICT_RETURNED, "queued", 1 } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct id message = accept_text(acme, channel);
        settle(take(), rows[i].verdict, NULL);
        comes_to(message, rows[i].status);
        nothing_is_out();
        assert_int_equal(test_cluster_number("select count(*) from dispatch_queue"), rows[i].left);
        test_cluster_sql("delete from dispatch_queue");
    }
}

/* It was accepted in time and waited too long. A person who has not written is the provider's to judge. */
static void
a_window_that_closed_meanwhile_fails_the_message(void **state UNUSED)
{
    struct id channel = channel_new(acme);

    test_cluster_sql("update dispatch_lane set is_open = false");
    struct id late = accept_text(acme, channel);
    test_cluster_sql("insert into channel_window select tenant_id, channel_id, peer_index, now() - interval"
                     " '1 hour', now() + interval '1 hour', null from message");
    test_cluster_sql("update dispatch_lane set is_open = true; notify harkara_dispatch");
    comes_to(late, "failed");
    assert_int_equal(count("select count(*) from message where error_code = 'window-closed'", late), 1);
    nothing_is_out();
    test_cluster_sql("update channel_window set window_until = now() + interval '1 hour'");
    struct id answer = accept_text(acme, channel);
    settle(take(), MESSAGE_VERDICT_SENT, "wamid.a");
    comes_to(answer, "sent");
    nothing_is_out(); /* and it was the answer that opens the free entry point */
    assert_int_equal(test_cluster_number(
                         "select count(*) from channel_window where answer_until is null and"
                         " free_until between now() + interval '71 hours' and now() + interval '72 hours'"),
                     1);
}

/* Counts what the queue says of a channel's messages. */
static int64_t
queued(const char *condition)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "select count(*) from dispatch_queue where %s", condition);
    return test_cluster_number(sql);
}

/*
 * A message that waits for its sender's pace is untouched: nothing says that it is being sent. Urgent ones
 * pass those that wait.
 */
static void
what_waits_for_its_turn_is_untouched_and_passed_by_the_urgent(void **state UNUSED)
{
    send_store_free(store);
    config.lane_per_second = 1;
    store_open();
    struct id channel = channel_new(acme), first = accept_text(acme, channel);
    settle(take(), MESSAGE_VERDICT_SENT, NULL);
    comes_to(first, "sent");
    test_cluster_sql("update dispatch_lane set is_open = false"); /* so that both are seen together */
    struct id late = accept_text(acme, channel);
    struct id urgent = accept(acme, channel, MESSAGE_OTP, "{\"type\":\"text\",\"text\":{\"body\":\"1234\"}}");
    test_cluster_sql("update dispatch_lane set is_open = true; notify harkara_dispatch");
    struct send_job *job = take();
    assert_true(id_eq(job->claim.message, urgent));
    assert_int_equal(queued("state = 'ready' and fence = 0 and attempt = 0"), 1);
    assert_int_equal(
        count("select count(*) from message where status = 'accepted' and attempt_count = 0", late), 1);
    settle(job, MESSAGE_VERDICT_SENT, NULL);
    job = take();
    assert_true(id_eq(job->claim.message, late));
    assert_int_equal(
        count("select count(*) from message where status = 'sending' and attempt_count = 1", late), 1);
    settle(job, MESSAGE_VERDICT_SENT, NULL);
    comes_to(late, "sent");
    nothing_is_out();
    assert_int_equal(test_cluster_number("select count(*) from event where type = 'message.queued'"), 0);
}

/* A refusal that holds the lane is for those too that were seen already and wait for their turn. */
static void
what_waits_for_its_turn_stays_when_its_lane_is_held(void **state UNUSED)
{
    send_store_free(store);
    config.lane_per_second = 1;
    store_open();
    struct id channel = channel_new(acme);
    test_cluster_sql("update dispatch_lane set is_open = false");
    for (int i = 0; i < 3; i++)
        accept_text(acme, channel);
    test_cluster_sql("update dispatch_lane set is_open = true; notify harkara_dispatch");
    struct send_job *job = take();
    job->plan.lane_hold_ms = 3600000;
    settle(job, MESSAGE_VERDICT_RETRY, NULL);
    while (queued("state = 'ready'") < 3)
        ;
    nothing_is_out();
    assert_int_equal(test_cluster_number("select count(*) from message where status = 'accepted'"), 2);
}

/* 131056: this recipient waits, the others go on. */
static void
a_held_pair_holds_no_other_recipient(void **state UNUSED)
{
    struct id channel = channel_new(acme), refused = accept_text(acme, channel);
    struct send_job *job = take();

    job->plan.pair_hold_ms = 3600000;
    settle(job, MESSAGE_VERDICT_RETRY, NULL);
    comes_to(refused, "queued");
    struct id same = accept_text(acme, channel);
    comes_to(same, "queued"); /* never left, and its attempt is not counted */
    assert_int_equal(
        count("select count(*) from message where attempt_count = 0 and error_code = 'held'", same), 1);
    assert_int_equal(queued("due_at > now() + interval '59 minutes' and attempt = 0"), 1);
    struct message_new other = { .id = id_new(clock_system()),
                                 .tenant = acme,
                                 .channel = channel,
                                 .category = MESSAGE_SERVICE,
                                 .kind = SLICE("text") };
    struct message_accepted accepted;
    assert_ok(message_seal(
        &vault, acme,
        &(struct message_plain){ .message = other.id,
                                 .peer = SLICE("+14155550199"),
                                 .content = SLICE("{\"type\":\"text\",\"text\":{\"body\":\"x\"}}") },
        1, arena, &other.sealed));
    assert_ok(message_accept_batch(gateway, clock_system(), &other, &accepted, 1, arena));
    job = take();
    assert_true(id_eq(job->claim.message, accepted.id));
    settle(job, MESSAGE_VERDICT_SENT, NULL);
    nothing_is_out();
}

/* 132015: this template waits, other messages go on. */
static void
a_held_template_holds_no_other(void **state UNUSED)
{
    static const char held[] =
        "{\"type\":\"template\",\"template\":{\"name\":\"a\",\"language\":{\"code\":\"en\"}}}";
    static const char other[] =
        "{\"type\":\"template\",\"template\":{\"name\":\"b\",\"language\":{\"code\":\"en\"}}}";
    struct id channel = channel_new(acme), refused = accept(acme, channel, MESSAGE_SERVICE, held);
    struct send_job *job = take();

    job->plan.template_hold_ms = 600000;
    settle(job, MESSAGE_VERDICT_RETRY, NULL);
    comes_to(refused, "queued");
    comes_to(accept(acme, channel, MESSAGE_SERVICE, held), "queued");
    struct id free_one = accept(acme, channel, MESSAGE_SERVICE, other);
    job = take();
    assert_true(id_eq(job->claim.message, free_one));
    settle(job, MESSAGE_VERDICT_SENT, NULL);
    nothing_is_out();
}

/* An account's trouble holds all its senders; a number's throughput halves its own pace, for the next life
 * too. */
static void
an_account_is_held_whole_and_a_number_is_slowed(void **state UNUSED)
{
    struct id channel = channel_new(acme), sister = channel_new(acme), message = accept_text(acme, channel);
    struct send_job *job = take();

    job->plan.lane_hold_ms = 600000;
    job->plan.holds_account = true;
    settle(job, MESSAGE_VERDICT_RETRY, NULL);
    comes_to(message, "queued");
    assert_int_equal(
        test_cluster_number(
            "select count(*) from dispatch_lane where not_before > now() + interval '9 minutes'"),
        2);
    test_cluster_sql("update dispatch_lane set not_before = now()");
    message = accept_text(acme, sister);
    job = take();
    job->plan.slows_number = true;
    settle(job, MESSAGE_VERDICT_RETRY, NULL);
    comes_to(message, "queued");
    assert_int_equal(test_cluster_number("select slowed_to from dispatch_lane where slowed_at is not null"),
                     config.lane_per_second / 2);
}

static void
a_throttled_lane_waits_and_a_refused_token_breaks_the_channel(void **state UNUSED)
{
    struct id channel = channel_new(acme), message = accept_text(acme, channel);
    struct send_job *job = take();

    job->plan.lane_hold_ms = 600000;
    settle(job, MESSAGE_VERDICT_RETRY, NULL);
    comes_to(message, "queued");
    assert_int_equal(
        test_cluster_number(
            "select count(*) from dispatch_lane where not_before > now() + interval '9 minutes'"),
        1);
    struct id other = channel_new(acme), refused = accept_text(acme, other);
    job = take();
    assert_true(id_eq(job->claim.channel, other));
    job->plan.breaks_channel = true;
    settle(job, MESSAGE_VERDICT_RETURNED, NULL);
    comes_to(refused, "queued");
    assert_int_equal(test_cluster_number("select count(*) from channel where state = 'broken'"), 1);
    assert_int_equal(test_cluster_number("select count(*) from dispatch_lane where not is_open"), 1);
}

/* The answer was on its way: what it says is of a token that nobody uses any more. */
static void
a_refusal_from_before_the_channel_was_mended_breaks_it_no_more(void **state UNUSED)
{
    struct id channel = channel_new(acme), message = accept_text(acme, channel);
    struct send_job *job = take();

    test_cluster_sql("update channel set revision = revision + 1");
    job->plan.breaks_channel = true;
    settle(job, MESSAGE_VERDICT_RETURNED, NULL);
    comes_to(message, "queued"); /* for what the channel has now */
    assert_int_equal(test_cluster_number("select count(*) from channel where state = 'broken'"), 0);
    assert_int_equal(test_cluster_number("select count(*) from dispatch_lane where is_open"), 1);
}

/* A sender's many must not take the places of all others. */
static void
one_lane_has_so_many_out_and_leaves_room_for_others(void **state UNUSED)
{
    struct id busy = channel_new(acme), quiet = channel_new(bolt);
    struct send_job *jobs[8];

    for (size_t i = 0; i < 20; i++)
        accept_text(acme, busy);
    for (size_t i = 0; i < 7; i++) { /* one of its 8 places is kept for the urgent */
        jobs[i] = take();
        assert_true(id_eq(jobs[i]->claim.channel, busy));
    }
    struct id other = accept_text(bolt, quiet);
    jobs[7] = take(); /* though 13 of the busy lane have been due for longer */
    assert_true(id_eq(jobs[7]->claim.message, other));
    out_comes_to(8);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        settle(jobs[i], MESSAGE_VERDICT_SENT, NULL);
    for (size_t i = 0; i < 13; i++)
        settle(take(), MESSAGE_VERDICT_SENT, NULL);
    nothing_is_out();
}

/* Bulk holds every place that it may hold; nothing of it has come back. */
static void
a_place_is_kept_for_an_otp(void **state UNUSED)
{
    static const char code[] = "{\"type\":\"text\",\"text\":{\"body\":\"1234\"}}";
    struct id busy[] = { channel_new(acme), channel_new(acme) }, quiet = channel_new(bolt);
    struct send_job *jobs[16];

    for (size_t i = 0; i < 40; i++)
        accept(acme, busy[i % 2], MESSAGE_PROMOTIONAL, code);
    for (size_t i = 0; i < 14; i++)
        jobs[i] = take();
    struct id of_other = accept(bolt, quiet, MESSAGE_OTP, code);
    jobs[14] = take();
    assert_true(id_eq(jobs[14]->claim.message, of_other));
    struct id of_busy = accept(acme, busy[0], MESSAGE_OTP, code);
    jobs[15] = take();
    assert_true(id_eq(jobs[15]->claim.message, of_busy));
    out_comes_to(16);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        settle(jobs[i], MESSAGE_VERDICT_SENT, NULL);
    for (size_t i = 0; i < 26; i++)
        settle(take(), MESSAGE_VERDICT_SENT, NULL);
    nothing_is_out();
}

/* It can never be written: it must not come again for ever and hold all others up. */
static void
an_outcome_that_cannot_be_written_is_given_up_alone(void **state UNUSED)
{
    static char long_title[400];

    memset(long_title, 'x', sizeof(long_title) - 1);
    struct id channel = channel_new(acme), good = accept_text(acme, channel),
              bad = accept_text(acme, channel);
    struct send_job *first = take(), *second = take(),
                    *poison = id_eq(first->claim.message, bad) ? first : second;
    struct send_job *sound = poison == first ? second : first;

    send_job_settle(poison, clock_system(), MESSAGE_VERDICT_FAILED, 0, "code", long_title, "permanent");
    mailbox_put(&settled, &poison->item);
    settle(sound, MESSAGE_VERDICT_SENT, NULL);
    comes_to(good, "sent");
    nothing_is_out();
    assert_int_equal(count("select count(*) from message where status = 'sending'", bad),
                     1); /* its lease tells */
    struct id next = accept_text(acme, channel);
    settle(take(), MESSAGE_VERDICT_SENT, NULL); /* it goes on */
    comes_to(next, "sent");
}

static void
a_deleted_channel_fails_what_waits_for_it(void **state UNUSED)
{
    struct id channel = channel_new(acme);
    struct db_tx tx;

    test_cluster_sql("update dispatch_lane set is_open = false"); /* keep it from being sent */
    struct id message = accept_text(acme, channel);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_delete(&tx, clock_system(), channel, 0, arena));
    assert_ok(db_commit(&tx));
    comes_to(message, "failed");
    assert_int_equal(count("select count(*) from message where error_code = 'channel-deleted'", message), 1);
    nothing_is_out();
}

/* Each try is counted: what does not open comes to an end. */
static void
a_message_that_does_not_open_is_retried_later_and_counted(void **state UNUSED)
{
    struct id channel = channel_new(acme);

    test_cluster_sql("update dispatch_lane set is_open = false");
    struct id damaged = accept_text(acme, channel), good = accept_text(acme, channel);
    char sql[256], id[ID_UUID_BYTES];
    id_uuid_print(damaged, id);
    snprintf(sql, sizeof(sql), "update message set content_ct = content_ct || '\\x00' where id = '%s'", id);
    test_cluster_sql(sql);
    test_cluster_sql("update dispatch_lane set is_open = true");
    settle(take(), MESSAGE_VERDICT_SENT, NULL);
    comes_to(good, "sent");
    comes_to(damaged, "queued");
    assert_int_equal(
        count("select count(*) from message where error_code = 'not-opened' and attempt_count = 1", damaged),
        1);
    assert_int_equal(
        test_cluster_number("select count(*) from dispatch_queue where attempt = 1 and state = 'ready'"
                            " and due_at > now()"),
        1);
}

static void
content_that_cannot_be_sent_fails(void **state UNUSED)
{
    struct id channel = channel_new(acme),
              message = accept(acme, channel, MESSAGE_SERVICE, "{\"type\":\"smoke signal\"}");

    comes_to(message, "failed");
    assert_int_equal(count("select count(*) from message where error_code = 'content-invalid'", message), 1);
}

static void
a_token_that_does_not_open_wants_somebody_to_look(void **state UNUSED)
{
    struct id channel = channel_new(acme);

    test_cluster_sql("update whatsapp_channel set access_token_tag = decode(repeat('00', 16), 'hex')");
    struct id message = accept_text(acme, channel);
    comes_to(message, "queued");
    assert_int_equal(
        count("select count(*) from message where attempt_count = 1 and error_code = 'not-opened'", message),
        1);
    assert_true(was_logged("\"error\",\"role\":\"test\",\"event\":\"dispatch.credential_unreadable\""));
    assert_false(was_logged("dispatch.credential_waits"));
}

static void
while_the_vault_is_away_messages_wait_uncounted(void **state UNUSED)
{
    struct id channel = channel_new(acme), first = accept_text(acme, channel);

    settle(take(), MESSAGE_VERDICT_SENT, NULL);
    comes_to(first, "sent");
    struct vault_client *other = vault_testing_client(VAULT_ROLE_GATEWAY, 300);
    vault_testing_cut();
    vault = tenant_vault(other, gateway);
    vault_client_relink(other, vault_testing_link(VAULT_ROLE_GATEWAY));
    struct id message = accept_text(acme, channel);
    comes_to(message, "queued");
    assert_int_equal(
        count("select count(*) from message where attempt_count = 0 and error_code = 'not-opened'", message),
        1);
    assert_true(was_logged("\"warn\",\"role\":\"test\",\"event\":\"dispatch.credential_waits\""));
    assert_false(was_logged("dispatch.credential_unreadable"));
    vault_client_relink(opener, vault_testing_link(VAULT_ROLE_DISPATCHER));
    test_cluster_sql("update dispatch_queue set due_at = now()");
    settle(take(), MESSAGE_VERDICT_SENT, NULL);
    comes_to(message, "sent");
    vault_client_free(other);
}

static void
end_connections(void)
{
    test_cluster_sql(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'harkara_dispatcher'");
}

static void
an_outcome_waits_for_a_database_that_is_away(void **state UNUSED)
{
    struct id channel = channel_new(acme), message = accept_text(acme, channel);
    struct send_job *job = take();

    test_cluster_sql("alter role harkara_dispatcher nologin");
    end_connections();
    settle(job, MESSAGE_VERDICT_SENT, "wamid.7");
    test_cluster_sql("alter role harkara_dispatcher login");
    comes_to(message, "sent");
    nothing_is_out();
    struct id next = accept_text(acme, channel); /* it listens again */
    settle(take(), MESSAGE_VERDICT_SENT, NULL);
    comes_to(next, "sent");
}

static void
draining_claims_nothing_more_and_still_records(void **state UNUSED)
{
    struct id channel = channel_new(acme), out = accept_text(acme, channel);
    struct send_job *job = take();

    send_store_drain(store);
    struct id later = accept_text(acme, channel);
    settle(job, MESSAGE_VERDICT_SENT, NULL);
    comes_to(out, "sent");
    while (send_store_out(store) !=
           0) { /* a claim that had begun may bring the later one: the loop returns it */
        job = (struct send_job *)mailbox_take(&ready);
        if (job != NULL)
            settle(job, MESSAGE_VERDICT_RETURNED, NULL);
    }
    assert_int_equal(
        count("select count(*) from message where status in ('accepted', 'queued') and attempt_count"
              " = 0",
              later),
        1);
    assert_int_equal(test_cluster_number("select count(*) from dispatch_queue where state = 'ready'"), 1);
}

static int64_t
dispatchers_that_wait(const char *query)
{
    char sql[256];

    snprintf(
        sql, sizeof(sql),
        "select count(*) from pg_stat_activity where usename = 'harkara_dispatcher' and wait_event_type = 'Lock'"
        " and query like '%s'",
        query);
    test_cluster_sql("select pg_stat_clear_snapshot()"); /* or a transaction sees what it saw first */
    return test_cluster_number(sql);
}

static enum err
lanes_open(struct db_tx *tx, void *ctx UNUSED)
{
    static const struct db_stmt open = { "test_lanes_open",
                                         "update dispatch_lane set is_open = true where tenant_id = $1" };

    return db_exec(tx, &open, DB_NO_ARGS, NULL);
}

/* A promotional message that is recorded as being sent, and was not, would be lost. */
static void
what_the_loop_never_took_is_returned_at_the_end(void **state UNUSED)
{
    struct id channel = channel_new(acme);

    test_cluster_sql("update dispatch_lane set is_open = false");
    struct id message =
        accept(acme, channel, MESSAGE_PROMOTIONAL, "{\"type\":\"text\",\"text\":{\"body\":\"Sale\"}}");
    test_cluster_sql("begin; lock table message in access exclusive mode");
    assert_ok(db_run(gateway, acme, lanes_open, NULL));
    mailbox_wake(&settled);
    while (dispatchers_that_wait("%state = ''sending''%") == 0)
        ; /* picked; it waits to record that it sends */
    assert_int_equal(send_store_out(store), 1);
    send_store_drain(store);
    test_cluster_sql("commit");
    send_store_free(store); /* the loop is at its end */
    store = NULL;
    assert_int_equal(
        count("select count(*) from message where status = 'queued' and attempt_count = 0", message), 1);
    assert_int_equal(test_cluster_number("select count(*) from dispatch_queue where state = 'ready'"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_has_all_that_the_provider_wants),
        TEST(each_outcome_is_written_as_it_was_told),
        TEST(a_window_that_closed_meanwhile_fails_the_message),
        TEST(what_waits_for_its_turn_is_untouched_and_passed_by_the_urgent),
        TEST(what_waits_for_its_turn_stays_when_its_lane_is_held),
        TEST(a_held_pair_holds_no_other_recipient),
        TEST(a_held_template_holds_no_other),
        TEST(an_account_is_held_whole_and_a_number_is_slowed),
        TEST(a_throttled_lane_waits_and_a_refused_token_breaks_the_channel),
        TEST(a_refusal_from_before_the_channel_was_mended_breaks_it_no_more),
        TEST(one_lane_has_so_many_out_and_leaves_room_for_others),
        TEST(a_place_is_kept_for_an_otp),
        TEST(an_outcome_that_cannot_be_written_is_given_up_alone),
        TEST(a_deleted_channel_fails_what_waits_for_it),
        TEST(a_message_that_does_not_open_is_retried_later_and_counted),
        TEST(content_that_cannot_be_sent_fails),
        TEST(a_token_that_does_not_open_wants_somebody_to_look),
        TEST(while_the_vault_is_away_messages_wait_uncounted),
        TEST(an_outcome_waits_for_a_database_that_is_away),
        TEST(draining_claims_nothing_more_and_still_records),
        TEST(what_the_loop_never_took_is_returned_at_the_end),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
