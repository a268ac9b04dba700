/* One sender after the other: when a message goes over, and what earlier senders may still say. */
#include "domain/message/message_fallback.h"
#include "domain/message/message_settings.h"
#include "domain/message/message_testing.h"
#include "platform/db/test_pair.h"
#include <stdio.h>

static struct id first, second, third, owner;

static int64_t record_read; /* messages that the last record has read */

static int
opened(void **state UNUSED)
{
    test_pair_open("delete from harkara.dispatch_queue; delete from harkara.dispatcher_lease;"
                   " update harkara.dispatch_lane set dispatcher = null");
    owner = id_new(clock_system());
    first = message_testing_channel(acme);
    second = message_testing_channel(acme);
    third = message_testing_channel(acme);
    return 0;
}

static void sql(const char *format, ...) FORMAT_LIKE(1, 2);

static void
sql(const char *format, ...)
{
    char text[1024];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    test_cluster_sql(text);
}

static const char *
uuid(struct id id)
{
    static char texts[4][ID_UUID_BYTES];
    static unsigned next;
    char *text = texts[next++ % COUNT_OF(texts)];

    id_uuid_print(id, text);
    return text;
}

/* A message for `first`, then `second` with a content of its own, then `third`. */
static struct message_new
chained(size_t fallback_count)
{
    struct message_new message = message_testing_new(acme, first, MESSAGE_TRANSACTIONAL);

    message.fallbacks[0] =
        (struct message_fallback){ .channel = second, .kind = SLICE("template"), .has_content = true };
    message.sealed.fallback[0] = (struct vault_sealed){ .cipher = SLICE("sealed other"), .key_version = 1 };
    message.fallbacks[1] = (struct message_fallback){ .channel = third, .kind = SLICE("text") };
    message.fallback_count = fallback_count;
    return message;
}

static struct id
accepted(size_t fallback_count)
{
    struct message_new message = chained(fallback_count);

    return message_testing_accept(gateway, &message);
}

/* The message's place in the queue, claimed and begun; the claim is asserted to be for this sender. */
static struct message_claim
begun(struct id message, unsigned sender, struct message_job *job_out)
{
    struct message_claim *claims;
    struct message_job *jobs;
    struct db_tx tx;
    const struct id channels[] = { first, second, third };

    assert_int_equal(message_testing_look(dispatcher, owner, channels[sender], arena, &claims), 1);
    assert_true(id_eq(claims[0].message, message));
    assert_int_equal(message_claim_sender(&claims[0]), sender);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(message_begin_sending(&tx, clock_system(), owner, 60000, claims, 1, arena, &jobs));
    assert_ok(db_commit(&tx));
    assert_true(jobs[0].is_mine);
    if (job_out != NULL)
        *job_out = jobs[0];
    return claims[0];
}

static void
record(const struct message_claim *claim, enum message_verdict verdict, const char *provider_id)
{
    struct wall_time now = clock_wall(clock_system());
    struct message_outcome outcome = {
        .claim = *claim, .verdict = verdict, .at = now, .due_at = now, .provider_id = slice_text(provider_id)
    };
    struct db_tx tx;

    if (verdict != MESSAGE_VERDICT_SENT) {
        outcome.error_code = SLICE("whatsapp-131026");
        outcome.error_title = SLICE("A \"title\".");
        outcome.error_class = "permanent";
    }
    assert_ok(db_begin(dispatcher, acme, &tx));
    int64_t before = message_testing_rows_read(&tx, "message\\_2%");
    assert_ok(message_record_outcomes(&tx, clock_system(), &outcome, 1, arena));
    record_read = message_testing_rows_read(&tx, "message\\_2%") - before;
    assert_ok(db_commit(&tx));
}

static struct message_claim
sent(struct id message, unsigned sender, const char *provider_id)
{
    struct message_claim claim = begun(message, sender, NULL);

    record(&claim, MESSAGE_VERDICT_SENT, provider_id);
    return claim;
}

static enum err
try_report(struct id message, struct id channel, unsigned sender, enum message_status status)
{
    struct message_report report = { .message = message,
                                     .channel = channel,
                                     .sender = sender,
                                     .status = status,
                                     .at = clock_wall(clock_system()),
                                     .error_code = SLICE("whatsapp-131049"),
                                     .error_title = SLICE("Held back."),
                                     .error_class = "permanent" };
    bool has_moved;
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    enum err err = message_report_apply(&tx, clock_system(), &report, arena, &has_moved);
    if (err == ERR_OK)
        assert_ok(db_commit(&tx));
    else
        db_rollback(&tx);
    return err;
}

static void
report(struct id message, struct id channel, unsigned sender, enum message_status status)
{
    assert_ok(try_report(message, channel, sender, status));
}

static void
keep_times(void)
{
    size_t kept;

    assert_ok(message_keep_times(dispatcher, clock_system(), arena, &kept));
}

static void
take_over(void)
{
    size_t taken;

    sql("update harkara.dispatch_queue set lease_until = now() - interval '1 s' where lease_until is not null;"
        "update harkara.dispatch_queue set due_at = now() - interval '1 s' where state = 'uncertain'");
    assert_ok(message_take_over(dispatcher, clock_system(), 60000, 60000, arena, &taken));
}

static void
assert_at(struct id message, const char *status, unsigned sender, struct id channel)
{
    message_testing_assert_status(message, status);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.message where id = '%s' and sender = %u"
                              " and channel_id = '%s'",
                              uuid(message), sender, uuid(channel)),
        1);
}

/* How many events of this type tell of it: with this cause, from this sender's channel, and both as '%' for
 * any. */
static int64_t
told(struct id message, const char *type, const char *cause)
{
    return message_testing_count("select count(*) from harkara.event where subject_id = '%s' and type = '%s'"
                                 " and coalesce(data->>'cause', '') like '%s'",
                                 uuid(message), type, cause);
}

static int64_t
left_for(struct id message, unsigned sender, const char *why)
{
    return message_testing_count(
        "select count(*) from harkara.message_fallback where message_id = '%s' and position = %u"
        " and left_for = '%s'",
        uuid(message), sender, why);
}

static int64_t
queued(struct id message)
{
    return message_testing_count("select count(*) from harkara.dispatch_queue where message_id = '%s'",
                                 uuid(message));
}

static void
what_the_provider_refuses_goes_to_the_next_sender_with_its_content(void **state UNUSED)
{
    struct id id = accepted(2);
    struct message_job job;
    struct message_claim claim = begun(id, 0, &job);

    assert_true(slice_eq(job.kind, SLICE("text")));
    assert_int_equal(job.sealed.content_of, 0);
    record(&claim, MESSAGE_VERDICT_FAILED, NULL);
    assert_at(id, "queued", 1, second);
    assert_int_equal(told(id, "message.failed", "%"), 0);
    assert_int_equal(told(id, "message.fell-back", "failed"), 1);
    assert_int_equal(left_for(id, 0, "failed"), 1);
    assert_int_equal(
        message_testing_count(
            "select count(*) from harkara.event where subject_id = '%s' and type = 'message.fell-back'"
            " and channel_id = '%s' and data->'fallback'->'error'->>'code' = 'whatsapp-131026'"
            " and data->'fallback'->>'to' = '1' and data->>'status' = 'queued' and data->>'error' is null",
            uuid(id), uuid(second)),
        1);
    claim = begun(id, 1, &job);
    assert_true(slice_eq(job.kind, SLICE("template")));
    assert_int_equal(job.sealed.content_of, 1);
    assert_true(slice_eq(job.sealed.content.cipher, SLICE("sealed other")));
    record(&claim, MESSAGE_VERDICT_FAILED, NULL);
    claim = begun(id, 2, &job);
    assert_int_equal(job.sealed.content_of, 0);
    assert_true(slice_eq(job.sealed.content.cipher, SLICE("sealed content")));
    record(&claim, MESSAGE_VERDICT_FAILED, NULL); /* the last one */
    assert_at(id, "failed", 2, third);
    assert_int_equal(told(id, "message.failed", "%"), 1);
    assert_int_equal(queued(id), 0);
}

static void
what_is_reported_failed_later_goes_to_the_next_sender(void **state UNUSED)
{
    struct id id = accepted(1);

    sent(id, 0, "wamid.f1");
    report(id, first, 0, MESSAGE_FAILED);
    assert_at(id, "queued", 1, second);
    assert_int_equal(told(id, "message.failed", "%"), 0);
    assert_int_equal(told(id, "message.fell-back", "failed"), 1);
    report(id, first, 0, MESSAGE_FAILED); /* again: nothing new */
    sent(id, 1, "wamid.f2");
    report(id, second, 1, MESSAGE_DELIVERED);
    assert_at(id, "delivered", 1, second);
    assert_int_equal(told(id, "message.fell-back", "%"), 1);
    assert_int_equal(told(id, "message.delivered", "%"), 1);
}

static void
what_an_earlier_sender_delivers_after_all_ends_it(void **state UNUSED)
{
    struct id id = accepted(1);

    sent(id, 0, "wamid.g1");
    report(id, first, 0, MESSAGE_FAILED);
    assert_int_equal(queued(id), 1);
    report(id, first, 0, MESSAGE_SENT); /* late, and no news */
    report(id, first, 0, MESSAGE_DELIVERED);
    assert_at(id, "delivered", 1, second);
    assert_int_equal(queued(id), 0);
    assert_int_equal(message_testing_count("select count(*) from harkara.event where subject_id = '%s'"
                                           " and type = 'message.delivered' and channel_id = '%s'",
                                           uuid(id), uuid(first)),
                     1);
}

static void
what_an_earlier_sender_fails_after_it_was_left_is_only_told(void **state UNUSED)
{
    struct message_new message = chained(1);

    message.fallbacks[0].after_s = 5;
    struct id id = message_testing_accept(gateway, &message);
    sent(id, 0, "wamid.h1");
    sql("update harkara.message_fallback set due_at = now() - interval '1 s' where message_id = '%s' and due_at is not null",
        uuid(id));
    keep_times();
    assert_at(id, "queued", 1, second);
    assert_int_equal(left_for(id, 0, "not-delivered"), 1);
    report(id, first, 0, MESSAGE_FAILED);
    assert_at(id, "queued", 1, second);
    assert_int_equal(told(id, "message.reported", "%"), 1);
    sent(id, 1, "wamid.h2");
    report(id, second, 1, MESSAGE_READ);
    assert_at(id, "read", 1, second);
    report(id, first, 0, MESSAGE_DELIVERED); /* both arrived: told, and nothing moves */
    assert_at(id, "read", 1, second);
    assert_int_equal(told(id, "message.reported", "%"), 2);
}

static void
a_report_must_come_through_its_senders_channel(void **state UNUSED)
{
    struct id id = accepted(1);

    sent(id, 0, "wamid.i1");
    assert_int_equal(try_report(id, second, 0, MESSAGE_DELIVERED), ERR_NOT_FOUND);
    assert_int_equal(try_report(id, second, 1, MESSAGE_DELIVERED), ERR_NOT_FOUND); /* it has not begun */
    assert_at(id, "sent", 0, first);
}

static void
time_runs_from_the_senders_turn_and_ends_with_delivery(void **state UNUSED)
{
    struct message_new message = chained(2);

    message.fallbacks[0].after_s = 60;
    message.fallbacks[1].after_s = 120;
    struct id id = message_testing_accept(gateway, &message);
    static const char due[] =
        "select count(*) from harkara.message_fallback where message_id = '%s' and position = %d"
        " and due_at between now() + interval '%d s' and now() + interval '%d s'";
    assert_int_equal(message_testing_count(due, uuid(id), 1, 50, 61), 1);
    keep_times();
    assert_at(id, "accepted", 0, first); /* not yet */
    sql("update harkara.message_fallback set due_at = now() - interval '1 s' where message_id = '%s' and position = 1",
        uuid(id));
    keep_times(); /* it has not even left: no duplicate is possible */
    assert_at(id, "queued", 1, second);
    assert_int_equal(message_testing_count(due, uuid(id), 2, 110, 121), 1);
    sent(id, 1, "wamid.j1");
    report(id, second, 1, MESSAGE_DELIVERED);
    sql("update harkara.message_fallback set due_at = now() - interval '1 s' where message_id = '%s' and position = 2",
        uuid(id));
    keep_times();
    assert_at(id, "delivered", 1, second);
    assert_int_equal(
        message_testing_count(
            "select count(*) from harkara.message_fallback where message_id = '%s' and due_at is not null",
            uuid(id)),
        0);
}

static void
what_is_being_sent_is_not_taken_away(void **state UNUSED)
{
    struct message_new message = chained(1);

    message.fallbacks[0].after_s = 5;
    struct id id = message_testing_accept(gateway, &message);
    struct message_claim claim = begun(id, 0, NULL);
    sql("update harkara.message_fallback set due_at = now() - interval '1 s' where message_id = '%s' and position = 1",
        uuid(id));
    keep_times();
    assert_at(id, "sending", 0, first);
    record(&claim, MESSAGE_VERDICT_SENT, "wamid.k1");
    sql("update harkara.message_fallback set due_at = now() - interval '1 s' where message_id = '%s' and due_at is not null",
        uuid(id));
    keep_times();
    assert_at(id, "queued", 1, second);
}

static void
an_old_claim_writes_nothing_into_the_next_senders_place(void **state UNUSED)
{
    struct id id = accepted(1);
    struct message_claim old = begun(id, 0, NULL);

    sql("insert into harkara.message_settings (tenant_id, uncertain_otp, uncertain_transactional, uncertain_service,"
        " uncertain_promotional) values ('%s', 'fail', 'fail', 'fail', 'fail')",
        uuid(acme));
    take_over(); /* its answer is lost */
    message_testing_assert_status(id, "uncertain");
    take_over(); /* and waited for */
    sql("delete from harkara.message_settings");
    assert_at(id, "queued", 1, second);
    assert_int_equal(told(id, "message.fell-back", "outcome-unknown"), 1);
    assert_int_equal(told(id, "message.failed", "%"), 0);
    struct message_claim now = begun(id, 1, NULL);
    record(&old, MESSAGE_VERDICT_SENT, "wamid.l1"); /* the first one wakes up */
    assert_at(id, "sending", 1, second);
    record(&old, MESSAGE_VERDICT_FAILED, NULL);
    assert_at(id, "sending", 1, second);
    record(&now, MESSAGE_VERDICT_SENT, "wamid.l2");
    assert_at(id, "sent", 1, second);
    unsigned sender = 9;
    struct id found;
    struct db_tx tx;
    assert_ok(db_begin(gateway, acme, &tx)); /* reports by the provider's own id find the sender */
    assert_ok(message_by_provider_id(&tx, first, SLICE("wamid.l1"), &found, &sender));
    assert_int_equal(sender, 0);
    assert_ok(message_by_provider_id(&tx, second, SLICE("wamid.l2"), &found, &sender));
    assert_int_equal(sender, 1);
    db_rollback(&tx);
}

static void
senders_that_cannot_send_are_skipped(void **state UNUSED)
{
    struct id id = accepted(2);

    sql("update harkara.channel set state = 'paused' where id = '%s'", uuid(second));
    struct message_claim claim = begun(id, 0, NULL);
    record(&claim, MESSAGE_VERDICT_FAILED, NULL);
    assert_at(id, "queued", 2, third);
    assert_int_equal(left_for(id, 1, "skipped"), 1);
    id = accepted(1);
    sql("delete from harkara.dispatch_queue where channel_id = '%s'", uuid(third));
    claim = begun(id, 0, NULL);
    record(&claim, MESSAGE_VERDICT_FAILED, NULL); /* nobody else can: it failed */
    assert_at(id, "failed", 0, first);
    assert_int_equal(told(id, "message.failed", "%"), 1);
}

static void
a_broken_channel_is_left_and_a_paused_one_waited_for(void **state UNUSED)
{
    struct id id = accepted(1);

    sql("update harkara.dispatch_lane set is_open = false where channel_id = '%s'", uuid(first));
    keep_times();
    assert_at(id, "accepted", 0, first);
    sql("update harkara.dispatch_lane set is_broken = true where channel_id = '%s'", uuid(first));
    keep_times();
    assert_at(id, "queued", 1, second);
    assert_int_equal(told(id, "message.fell-back", "channel-broken"), 1);
    sql("update harkara.dispatch_lane set is_open = false, is_broken = true where channel_id = '%s'",
        uuid(second));
    keep_times(); /* no further sender: it waits as any other */
    assert_at(id, "queued", 1, second);
}

static void
a_deleted_channel_is_left(void **state UNUSED)
{
    struct id id = accepted(1);
    struct db_tx tx;
    size_t count;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_fail_channel(&tx, clock_system(), first, (struct message_by){ .is_person = false },
                                   "channel-deleted", "It was deleted.", arena, &count));
    assert_ok(db_commit(&tx));
    assert_int_equal(count, 1);
    assert_at(id, "queued", 1, second);
    assert_int_equal(told(id, "message.fell-back", "channel-deleted"), 1);
}

static void
a_deadline_holds_for_all_senders(void **state UNUSED)
{
    struct message_new message = chained(1);

    message.expires_at = wall_after_ms(clock_wall(clock_system()), 60000);
    struct id id = message_testing_accept(gateway, &message);
    struct message_claim claim = begun(id, 0, NULL);
    sql("update harkara.message set expires_at = now() - interval '1 s' where id = '%s'", uuid(id));
    record(&claim, MESSAGE_VERDICT_FAILED, NULL);
    assert_at(id, "failed", 0, first);
}

static void
a_chain_is_canceled_as_a_whole(void **state UNUSED)
{
    struct id id = accepted(1);
    struct message_claim claim = begun(id, 0, NULL);
    enum message_status status;
    struct db_tx tx;

    record(&claim, MESSAGE_VERDICT_FAILED, NULL);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(
        message_cancel(&tx, clock_system(), id, (struct message_by){ .is_person = false }, arena, &status));
    assert_ok(db_commit(&tx));
    assert_at(id, "canceled", 1, second);
    assert_int_equal(queued(id), 0);
}

static void
its_senders_are_told(void **state UNUSED)
{
    struct id id = accepted(2);
    struct message_claim claim = begun(id, 0, NULL);
    struct id plain = accepted(0);
    struct message_sender senders[MESSAGE_SENDERS_MAX];
    struct message message;
    struct db_tx tx;
    size_t count;

    record(&claim, MESSAGE_VERDICT_FAILED, NULL);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_get(&tx, id, arena, &message));
    assert_int_equal(message.sender, 1);
    assert_int_equal(message.fallback_count, 2);
    assert_ok(message_senders(&tx, id, arena, senders, &count));
    assert_int_equal(count, 3);
    assert_true(slice_eq(senders[0].left_for, SLICE("failed")));
    assert_true(slice_eq(senders[0].error_code, SLICE("whatsapp-131026")));
    assert_false(senders[0].has_content);
    assert_true(senders[1].has_content);
    assert_true(slice_eq(senders[1].kind, SLICE("template")));
    assert_null(senders[2].left_for.ptr);
    assert_ok(message_senders(&tx, plain, arena, senders, &count));
    assert_int_equal(count, 0);
    db_rollback(&tx);
}

static void
marks_name_message_and_sender(void **state UNUSED)
{
    static const char *const bad[] = { "", ".1", "msg_.1", "x.1", ".", "1." };
    struct id id = id_new(clock_system()), read;
    char mark[MESSAGE_MARK_BYTES], text[MESSAGE_MARK_BYTES];
    unsigned sender;

    for (unsigned at = 0; at <= MESSAGE_FALLBACKS_MAX; at++) {
        assert_ok(message_mark_parse(message_mark_print(id, at, mark), &read, &sender));
        assert_true(id_eq(read, id));
        assert_int_equal(sender, at);
    }
    assert_true(slice_eq(message_mark_print(id, 0, mark), id_print(ID_MESSAGE, id, text)));
    message_mark_print(id, 1, mark);
    mark[strlen(mark) - 1] = '4';
    assert_int_equal(message_mark_parse(slice_text(mark), &read, &sender), ERR_ID_SYNTAX);
    mark[strlen(mark) - 1] = '0';
    assert_int_equal(message_mark_parse(slice_text(mark), &read, &sender), ERR_ID_SYNTAX);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(message_mark_parse(slice_text(bad[i]), &read, &sender), ERR_ID_SYNTAX);
}

/* The dispatcher's login would rather read all that a workspace has than sort a few (sql/0007). */
static void
going_over_reads_the_message_that_goes(void **state UNUSED)
{
    struct id id = accepted(2);
    struct message_job job;
    struct message_claim claim = begun(id, 0, &job);

    message_testing_crowd(id, 20000);
    record(&claim, MESSAGE_VERDICT_FAILED, NULL);
    assert_at(id, "queued", 1, second);
    assert_in_range(record_read, 1, 50);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(what_the_provider_refuses_goes_to_the_next_sender_with_its_content),
             TEST(going_over_reads_the_message_that_goes),
             TEST(what_is_reported_failed_later_goes_to_the_next_sender),
             TEST(what_an_earlier_sender_delivers_after_all_ends_it),
             TEST(what_an_earlier_sender_fails_after_it_was_left_is_only_told),
             TEST(a_report_must_come_through_its_senders_channel),
             TEST(time_runs_from_the_senders_turn_and_ends_with_delivery),
             TEST(what_is_being_sent_is_not_taken_away),
             TEST(an_old_claim_writes_nothing_into_the_next_senders_place),
             TEST(senders_that_cannot_send_are_skipped),
             TEST(a_broken_channel_is_left_and_a_paused_one_waited_for), TEST(a_deleted_channel_is_left),
             TEST(a_deadline_holds_for_all_senders), TEST(a_chain_is_canceled_as_a_whole),
             TEST(its_senders_are_told), cmocka_unit_test(marks_name_message_and_sender))
