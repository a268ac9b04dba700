/* Claims, outcomes, take-over and reports, against a real PostgreSQL. */
#include "domain/message/message_queue.h"
#include "domain/message/message_testing.h"
#include "platform/db/test_pair.h"
#include <stdio.h>

static struct id channel;

static int
opened(void **state UNUSED)
{
    test_pair_open("delete from harkara.dispatch_queue");
    channel = message_testing_channel(acme);
    return 0;
}

static struct id
accepted(enum message_category category)
{
    struct message_new message = message_testing_new(acme, channel, category);

    return message_testing_accept(gateway, &message);
}

static size_t
claim(size_t count_max, size_t per_lane_max, struct message_claim **out)
{
    struct message_claim_limits limits = { .count_max = count_max,
                                           .per_lane_max = per_lane_max,
                                           .lease_ms = 60000,
                                           .owner = id_new(clock_system()) };
    size_t count = 0;

    assert_ok(message_claim_due(dispatcher, &limits, arena, out, &count));
    return count;
}

static struct message_job
begin_sending(const struct message_claim *claimed)
{
    struct message_job *jobs;
    struct db_tx tx;

    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(message_begin_sending(&tx, clock_system(), claimed, 1, arena, &jobs));
    assert_ok(db_commit(&tx));
    return jobs[0];
}

static void
record(const struct message_claim *claimed, enum message_verdict verdict, const char *provider_id)
{
    struct wall_time now = clock_wall(clock_system());
    bool is_sent = verdict == MESSAGE_VERDICT_SENT;
    struct message_outcome outcome = { .claim = *claimed,
                                       .verdict = verdict,
                                       .at = now,
                                       .due_at = now,
                                       .provider_id = slice_text(provider_id),
                                       .error_code = is_sent ? SLICE_EMPTY : SLICE("whatsapp-131026"),
                                       .error_title = is_sent ? SLICE_EMPTY : SLICE("A title."),
                                       .error_class = is_sent ? NULL : "permanent" };
    struct db_tx tx;

    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(message_record_outcomes(&tx, clock_system(), &outcome, 1, arena));
    assert_ok(db_commit(&tx));
}

static bool
report(struct id message, enum message_status status, const char *provider_id)
{
    struct message_report report = { .message = message,
                                     .channel = channel,
                                     .status = status,
                                     .at = clock_wall(clock_system()),
                                     .provider_id = slice_text(provider_id) };
    bool has_moved = false;
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_report_apply(&tx, clock_system(), &report, arena, &has_moved));
    assert_ok(db_commit(&tx));
    return has_moved;
}

static int64_t
queued(struct id message, const char *state)
{
    char id[ID_UUID_BYTES];

    id_uuid_print(message, id);
    return message_testing_count(
        "select count(*) from harkara.dispatch_queue where message_id = '%s' and state = '%s'", id, state);
}

static int64_t
events(struct id message, const char *type)
{
    char id[ID_UUID_BYTES];

    id_uuid_print(message, id);
    return message_testing_count("select count(*) from harkara.event where subject_id = '%s' and type = '%s'",
                                 id, type);
}

static void
let_leases_run_out(void)
{
    test_cluster_sql(
        "update harkara.dispatch_queue set lease_until = now() - interval '1 second' where lease_until is not null");
}

static void
let_waits_end(void)
{
    test_cluster_sql("update harkara.dispatch_queue set due_at = now() - interval '1 second'");
}

static size_t
take_over(void)
{
    size_t taken = 0;

    assert_ok(message_take_over(dispatcher, clock_system(), 60000, 60000, arena, &taken));
    return taken;
}

static void
a_message_goes_from_the_queue_to_sent(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_claim *claims;

    assert_int_equal(claim(10, 10, &claims), 1);
    assert_true(id_eq(claims[0].message, id));
    assert_int_equal(claims[0].attempt, 1);
    struct message_job job = begin_sending(&claims[0]);
    assert_true(job.is_mine);
    assert_true(slice_eq(job.sealed.content.cipher, SLICE("sealed content")));
    message_testing_assert_status(id, "sending");
    record(&claims[0], MESSAGE_VERDICT_SENT, "wamid.1");
    message_testing_assert_status(id, "sent");
    assert_int_equal(queued(id, "sending"), 0);
    assert_int_equal(events(id, "message.sending"), 1);
    assert_int_equal(events(id, "message.sent"), 1);
    unsigned sender = 9;
    struct id found;
    struct db_tx tx;
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_by_provider_id(&tx, channel, SLICE("wamid.1"), &found, &sender));
    assert_true(id_eq(found, id));
    assert_int_equal(sender, 0);
    db_rollback(&tx);
}

static void
urgent_messages_are_claimed_first(void **state UNUSED)
{
    struct id slow = accepted(MESSAGE_PROMOTIONAL), fast = accepted(MESSAGE_OTP);
    struct message_claim *claims;

    assert_int_equal(claim(1, 10, &claims), 1);
    assert_true(id_eq(claims[0].message, fast));
    assert_int_equal(claim(1, 10, &claims), 1);
    assert_true(id_eq(claims[0].message, slow));
    assert_int_equal(claim(10, 10, &claims), 0); /* both are leased */
}

static void
every_lane_gets_its_share(void **state UNUSED)
{
    struct message_claim *claims;
    size_t of_other = 0;

    for (int i = 0; i < 8; i++)
        accepted(MESSAGE_OTP);
    struct id busy = channel;
    channel = message_testing_channel(acme);
    accepted(MESSAGE_PROMOTIONAL);
    assert_int_equal(claim(10, 3, &claims), 4);
    for (size_t i = 0; i < 4; i++)
        of_other += !id_eq(claims[i].channel, busy);
    assert_int_equal(of_other, 1);
}

static void
a_closed_or_held_lane_is_left_alone(void **state UNUSED)
{
    struct message_claim *claims;
    struct db_tx tx;
    struct wall_time due;

    accepted(MESSAGE_OTP);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(message_lane_hold(&tx, channel, wall_after_ms(clock_wall(clock_system()), 60000)));
    assert_ok(db_commit(&tx));
    assert_int_equal(claim(10, 10, &claims), 0);
    assert_ok(message_next_due(dispatcher, &due));
    assert_true(due.us > clock_wall(clock_system()).us + 30000000);
    test_cluster_sql("update harkara.dispatch_lane set is_open = false, not_before = '-infinity'");
    assert_int_equal(claim(10, 10, &claims), 0);
    test_cluster_sql("update harkara.dispatch_lane set is_open = true");
    assert_int_equal(claim(10, 10, &claims), 1);
}

static void
what_is_due_first_is_found_behind_what_is_more_urgent(void **state UNUSED)
{
    struct wall_time due, now = clock_wall(clock_system());

    for (enum message_category category = MESSAGE_OTP; category <= MESSAGE_PROMOTIONAL; category++)
        accepted(category);
    for (int first = MESSAGE_OTP; first <= MESSAGE_PROMOTIONAL; first++) {
        char sql[256];
        snprintf(
            sql, sizeof(sql),
            "update harkara.dispatch_queue set due_at = now() + case priority when %d then interval '1 hour'"
            " else interval '2 hours' end",
            first);
        test_cluster_sql(sql);
        assert_ok(message_next_due(dispatcher, &due));
        assert_in_range(due.us - now.us, INT64_C(3590000000), INT64_C(5000000000));
    }
    test_cluster_sql("delete from harkara.dispatch_queue");
    assert_int_equal(message_next_due(dispatcher, &due), ERR_NOTHING);
}

static void
a_retry_comes_back_and_counts_its_attempts(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_claim *claims;

    assert_int_equal(claim(10, 10, &claims), 1);
    assert_true(begin_sending(&claims[0]).is_mine);
    record(&claims[0], MESSAGE_VERDICT_RETRY, NULL);
    message_testing_assert_status(id, "queued");
    assert_int_equal(claim(10, 10, &claims), 1);
    assert_int_equal(claims[0].attempt, 2);
    assert_true(begin_sending(&claims[0]).is_mine);
    record(&claims[0], MESSAGE_VERDICT_RETURNED, NULL);
    assert_int_equal(claim(10, 10, &claims), 1);
    assert_int_equal(claims[0].attempt, 2); /* what never left does not count */
    assert_true(begin_sending(&claims[0]).is_mine);
    record(&claims[0], MESSAGE_VERDICT_FAILED, NULL);
    message_testing_assert_status(id, "failed");
    assert_int_equal(message_testing_count("select count(*) from harkara.dispatch_queue"), 0);
}

static void
a_claim_that_never_began_is_simply_claimed_again(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_claim *first, *second;

    assert_int_equal(claim(10, 10, &first), 1);
    assert_int_equal(take_over(), 0); /* its lease still runs */
    let_leases_run_out();
    assert_int_equal(take_over(), 1);
    message_testing_assert_status(id, "accepted");
    assert_int_equal(claim(10, 10, &second), 1);
    assert_int_equal(second[0].attempt, 1);
    assert_true(second[0].fence > first[0].fence);
    assert_false(begin_sending(&first[0]).is_mine); /* the old holder wakes too late */
    assert_true(begin_sending(&second[0]).is_mine);
}

static void
a_send_whose_sender_died_is_uncertain_then_resent_by_category(void **state UNUSED)
{
    struct id resent = accepted(MESSAGE_OTP), left = accepted(MESSAGE_PROMOTIONAL);
    struct message_claim *claims;

    assert_int_equal(claim(10, 10, &claims), 2);
    assert_true(begin_sending(&claims[0]).is_mine);
    assert_true(begin_sending(&claims[1]).is_mine);
    let_leases_run_out();
    assert_int_equal(take_over(), 2);
    message_testing_assert_status(resent, "uncertain");
    message_testing_assert_status(left, "uncertain");
    assert_int_equal(events(resent, "message.uncertain"), 1);
    assert_int_equal(take_over(), 0); /* they wait for the provider's event first */
    let_waits_end();
    assert_int_equal(take_over(), 2);
    message_testing_assert_status(resent, "queued");
    assert_int_equal(queued(resent, "ready"), 1);
    message_testing_assert_status(left, "uncertain"); /* a possible loss is the lesser evil */
    assert_int_equal(message_testing_count("select count(*) from harkara.dispatch_queue"), 1);
}

static void
a_lease_that_a_clock_ahead_has_given_is_over_when_the_clock_is_right_again(void **state UNUSED)
{
    struct id waits = accepted(MESSAGE_OTP), sends = accepted(MESSAGE_OTP);
    struct message_claim *claims, *again;

    assert_int_equal(claim(10, 10, &claims), 2);
    assert_true(begin_sending(&claims[1]).is_mine);
    test_cluster_sql("update harkara.dispatch_queue set lease_until = now() + interval '119 seconds'");
    assert_int_equal(take_over(), 0); /* a longer lease than ours, of a dispatcher with another setting */
    test_cluster_sql("update harkara.dispatch_queue set lease_until = now() + interval '2 hours'");
    assert_int_equal(take_over(), 2);
    assert_int_equal(queued(claims[0].message, "ready"), 1);
    assert_int_equal(queued(claims[1].message, "uncertain"), 1);
    assert_int_equal(claim(10, 10, &again), 1);
    assert_false(begin_sending(&claims[0]).is_mine);         /* should the holder live: its fence is stale */
    record(&claims[1], MESSAGE_VERDICT_SENT, "wamid.lives"); /* and that it was taken is true all the same */
    message_testing_assert_status(claims[1].message, "sent");
    assert_true(id_eq(claims[0].message, waits) || id_eq(claims[0].message, sends));
}

static void
a_late_answer_still_settles_an_uncertain_message(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_OTP);
    struct message_claim *claims;

    assert_int_equal(claim(10, 10, &claims), 1);
    assert_true(begin_sending(&claims[0]).is_mine);
    let_leases_run_out();
    assert_int_equal(take_over(), 1);
    message_testing_assert_status(id, "uncertain");
    record(&claims[0], MESSAGE_VERDICT_SENT, "wamid.late"); /* its fence is stale, its news is not */
    message_testing_assert_status(id, "sent");
    let_waits_end();
    assert_int_equal(take_over(), 0);
    assert_int_equal(claim(10, 10, &claims), 0); /* no duplicate */
}

static void
a_providers_event_resolves_what_was_uncertain(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_OTP);
    struct message_claim *claims;

    assert_int_equal(claim(10, 10, &claims), 1);
    assert_true(begin_sending(&claims[0]).is_mine);
    record(&claims[0], MESSAGE_VERDICT_UNCERTAIN, NULL);
    message_testing_assert_status(id, "uncertain");
    assert_true(report(id, MESSAGE_DELIVERED, "wamid.2"));
    message_testing_assert_status(id, "delivered");
    let_waits_end();
    assert_int_equal(take_over(), 0);
    assert_int_equal(claim(10, 10, &claims), 0);
}

static void
an_event_that_overtakes_our_record_wins(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_claim *claims;

    assert_int_equal(claim(10, 10, &claims), 1);
    assert_true(begin_sending(&claims[0]).is_mine);
    assert_true(report(id, MESSAGE_DELIVERED, "wamid.3"));
    record(&claims[0], MESSAGE_VERDICT_SENT, "wamid.3");
    message_testing_assert_status(id, "delivered");
    assert_int_equal(events(id, "message.delivered"), 1);
    assert_int_equal(message_testing_count("select count(*) from harkara.dispatch_queue"), 0);
}

static void
reports_move_forward_only_and_once(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_claim *claims;

    assert_int_equal(claim(10, 10, &claims), 1);
    assert_true(begin_sending(&claims[0]).is_mine);
    record(&claims[0], MESSAGE_VERDICT_SENT, "wamid.4");
    assert_true(report(id, MESSAGE_READ, "wamid.4"));
    assert_false(report(id, MESSAGE_DELIVERED, "wamid.4"));
    assert_false(report(id, MESSAGE_READ, "wamid.4"));
    assert_false(report(id, MESSAGE_SENT, "wamid.4"));
    assert_false(report(id, MESSAGE_FAILED, "wamid.4"));
    message_testing_assert_status(id, "read");
    assert_int_equal(events(id, "message.delivered"), 1); /* which reading implies */
    assert_int_equal(events(id, "message.read"), 1);
}

static void
a_report_for_another_channel_touches_nothing(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_report foreign = { .message = id,
                                      .channel = message_testing_channel(acme),
                                      .status = MESSAGE_FAILED,
                                      .at = clock_wall(clock_system()) };
    bool has_moved;
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_int_equal(message_report_apply(&tx, clock_system(), &foreign, arena, &has_moved), ERR_NOT_FOUND);
    db_rollback(&tx);
    message_testing_assert_status(id, "accepted");
}

static void
a_claimed_message_that_moved_on_is_not_sent(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_claim *claims;
    char text[256], uuid[ID_UUID_BYTES];

    assert_int_equal(claim(10, 10, &claims), 1);
    id_uuid_print(id, uuid);
    snprintf(text, sizeof(text), "update harkara.message set status = 'canceled' where id = '%s'", uuid);
    test_cluster_sql(text);
    assert_false(begin_sending(&claims[0]).is_mine);
    assert_int_equal(message_testing_count("select count(*) from harkara.dispatch_queue"), 0);
    message_testing_assert_status(id, "canceled");
}

static void
a_deleted_channels_queue_fails(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct db_tx tx;
    size_t count = 0;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(
        message_fail_channel(&tx, clock_system(), channel, "channel-deleted", "Deleted.", arena, &count));
    assert_ok(db_commit(&tx));
    assert_int_equal(count, 1);
    message_testing_assert_status(id, "failed");
    assert_int_equal(events(id, "message.failed"), 1);
}

static void
an_incoming_message_is_stored_once(void **state UNUSED)
{
    struct message_received received = { .id = id_new(clock_system()),
                                         .event_id = id_new(clock_system()),
                                         .channel = channel,
                                         .kind = SLICE("text"),
                                         .provider_id = SLICE("wamid.in"),
                                         .sealed = message_testing_sealed("+4917"),
                                         .event_content = { .cipher = SLICE("x"), .key_version = 1 },
                                         .at = clock_wall(clock_system()) };
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_receive(&tx, &received));
    assert_ok(db_commit(&tx));
    message_testing_assert_status(received.id, "received");
    assert_int_equal(events(received.id, "message.received"), 1);
    struct id first = received.id;
    received.id = id_new(clock_system());
    received.event_id = id_new(clock_system());
    assert_ok(db_begin(gateway, acme, &tx));
    assert_int_equal(message_receive(&tx, &received), ERR_EXISTS);
    assert_ok(db_commit(&tx));
    message_testing_assert_status(first, "received");
    assert_int_equal(events(received.id, "message.received"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(a_message_goes_from_the_queue_to_sent), TEST(urgent_messages_are_claimed_first),
             TEST(every_lane_gets_its_share), TEST(a_closed_or_held_lane_is_left_alone),
             TEST(what_is_due_first_is_found_behind_what_is_more_urgent),
             TEST(a_retry_comes_back_and_counts_its_attempts),
             TEST(a_claim_that_never_began_is_simply_claimed_again),
             TEST(a_send_whose_sender_died_is_uncertain_then_resent_by_category),
             TEST(a_lease_that_a_clock_ahead_has_given_is_over_when_the_clock_is_right_again),
             TEST(a_late_answer_still_settles_an_uncertain_message),
             TEST(a_providers_event_resolves_what_was_uncertain),
             TEST(an_event_that_overtakes_our_record_wins), TEST(reports_move_forward_only_and_once),
             TEST(a_report_for_another_channel_touches_nothing),
             TEST(a_claimed_message_that_moved_on_is_not_sent), TEST(a_deleted_channels_queue_fails),
             TEST(an_incoming_message_is_stored_once))
