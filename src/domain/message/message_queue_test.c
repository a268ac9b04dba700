/* Claims, outcomes, take-over and reports, against a real PostgreSQL. */
#include "core/buf.h"
#include "domain/message/message_lane.h"
#include "domain/message/message_report.h"
#include "domain/message/message_testing.h"
#include "platform/db/test_pair.h"
#include <stdio.h>

static struct id channel, owner;

static int
opened(void **state UNUSED)
{
    test_pair_open("delete from harkara.dispatch_queue; delete from harkara.dispatcher_lease;"
                   " update harkara.dispatch_lane set dispatcher = null");
    channel = message_testing_channel(acme);
    owner = id_new(clock_system());
    return 0;
}

static struct id
accepted(enum message_category category)
{
    struct message_new message = message_testing_new(acme, channel, category);

    return message_testing_accept(gateway, &message);
}

static size_t
claim(struct message_claim **out)
{
    return message_testing_look(dispatcher, owner, channel, arena, out);
}

static struct message_job
begin_sending(const struct message_claim *claimed)
{
    struct message_job *jobs;
    struct db_tx tx;

    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(message_begin_sending(&tx, clock_system(), owner, 60000, claimed, 1, arena, &jobs));
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
    return message_testing_count(
        "select count(*) from harkara.event_log where xid is not null and subject_id = '%s' and type = '%s'",
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

    assert_int_equal(claim(&claims), 1);
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

/* What whoever reads the event is told. */
static void
assert_told(struct id message, const char *type, int attempt, const char *data)
{
    char id[ID_UUID_BYTES];

    id_uuid_print(message, id);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.event where subject_id = '%s' and type = '%s'"
                              " and harkara.event_data(type, data)->>'attempt' = '%d'"
                              " and harkara.event_data(type, data) = '%s'",
                              id, type, attempt, data),
        1);
}

/* What is not stored with each event (event_data) is told all the same, and what differs is. */
static void
events_of_a_send_say_the_same_whatever_is_stored(void **state UNUSED)
{
    struct message_new named = message_testing_new(acme, channel, MESSAGE_OTP);
    struct id plain = accepted(MESSAGE_SERVICE);
    struct message_claim *claims;

    assert_int_equal(claim(&claims), 1);
    begin_sending(&claims[0]);
    record(&claims[0], MESSAGE_VERDICT_SENT, "wamid.plain");
    assert_told(
        plain, "message.sending", 1,
        "{\"actor\": \"dispatcher\", \"direction\": \"outbound\", \"category\": \"service\", \"status\": \"sending\","
        " \"reference\": null, \"tags\": [], \"provider_id\": null, \"attempt\": 1, \"error\": null}");
    assert_told(
        plain, "message.sent", 1,
        "{\"actor\": \"dispatcher\", \"direction\": \"outbound\", \"category\": \"service\", \"status\": \"sent\","
        " \"reference\": null, \"tags\": [], \"provider_id\": \"wamid.plain\", \"attempt\": 1, \"error\": null}");
    named.reference = SLICE("order 7");
    struct id other = message_testing_accept(gateway, &named);
    for (int attempt = 1; attempt <= 2; attempt++) {
        assert_int_equal(claim(&claims), 1);
        begin_sending(&claims[0]);
        record(&claims[0], attempt == 1 ? MESSAGE_VERDICT_RETRY : MESSAGE_VERDICT_SENT,
               attempt == 1 ? NULL : "wamid.other");
        assert_told(other, "message.sending", attempt,
                    attempt == 1
                        ? "{\"actor\": \"dispatcher\", \"direction\": \"outbound\", \"category\": \"otp\","
                          " \"status\": \"sending\", \"reference\": \"order 7\", \"tags\": [],"
                          " \"provider_id\": null, \"attempt\": 1, \"error\": null}"
                        : "{\"actor\": \"dispatcher\", \"direction\": \"outbound\", \"category\": \"otp\","
                          " \"status\": \"sending\", \"reference\": \"order 7\", \"tags\": [],"
                          " \"provider_id\": null, \"attempt\": 2, \"error\": null}");
    }
    assert_told(
        other, "message.sent", 2,
        "{\"actor\": \"dispatcher\", \"direction\": \"outbound\", \"category\": \"otp\", \"status\": \"sent\","
        " \"reference\": \"order 7\", \"tags\": [], \"provider_id\": \"wamid.other\", \"attempt\": 2,"
        " \"error\": null}");
}

/* Whatever the order in which they are handed over: each gets its own mark, event and outcome. */
static void
messages_of_a_round_may_come_in_any_order(void **state UNUSED)
{
    struct message_claim *found, claims[5];
    struct message_outcome outcomes[5];
    struct message_job *jobs;
    struct db_tx tx;
    struct wall_time now = clock_wall(clock_system());
    char names[5][16];

    for (size_t i = 0; i < COUNT_OF(claims); i++)
        (void)accepted(MESSAGE_SERVICE);
    assert_int_equal(claim(&found), COUNT_OF(claims));
    for (size_t i = 0; i < COUNT_OF(claims); i++)
        claims[i] = found[(2 * i + 3) % COUNT_OF(claims)];
    claims[2].fence++; /* somebody else's */
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(
        message_begin_sending(&tx, clock_system(), owner, 60000, claims, COUNT_OF(claims), arena, &jobs));
    assert_ok(db_commit(&tx));
    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        assert_true(id_eq(jobs[i].claim.message, claims[i].message));
        assert_int_equal(jobs[i].is_mine, i != 2);
        snprintf(names[i], sizeof(names[i]), "wamid.%zu", i);
        outcomes[i] =
            (struct message_outcome){ .claim = claims[i],
                                      .verdict = i < 2 ? MESSAGE_VERDICT_SENT : MESSAGE_VERDICT_FAILED,
                                      .at = now,
                                      .provider_id = i < 2 ? slice_text(names[i]) : SLICE_EMPTY,
                                      .error_code = i < 2 ? SLICE_EMPTY : slice_text(names[i]),
                                      .error_title = i < 2 ? SLICE_EMPTY : SLICE("A title."),
                                      .error_class = i < 2 ? NULL : "permanent" };
    }
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(message_record_outcomes(&tx, clock_system(), outcomes, COUNT_OF(outcomes), arena));
    assert_ok(db_commit(&tx));
    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        char id[ID_UUID_BYTES];
        id_uuid_print(claims[i].message, id);
        message_testing_assert_status(claims[i].message, i < 2 ? "sent" : i == 2 ? "accepted" : "failed");
        assert_int_equal(message_testing_count("select count(*) from harkara.message where id = '%s' and"
                                               " '%s' in (provider_id, error_code)",
                                               id, names[i]),
                         i == 2 ? 0 : 1);
        assert_int_equal(events(claims[i].message, "message.sending"), i == 2 ? 0 : 1);
    }
}

/* The wanted category of the channel; the dispatcher's own view of what is there. */
static struct message_found *
look(enum message_category category, size_t max, size_t *count)
{
    struct message_wanted wanted = { channel, category };
    struct message_found *found;

    assert_ok(message_look(dispatcher, &wanted, 1, max, arena, &found, count));
    return found;
}

static void
each_category_is_looked_at_by_itself_in_the_order_of_time(void **state UNUSED)
{
    struct id slow = accepted(MESSAGE_PROMOTIONAL), fast[3];
    struct message_found *found;
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(fast); i++)
        fast[i] = accepted(MESSAGE_OTP);
    found = look(MESSAGE_OTP, 2, &count);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        assert_true(id_eq(found[i].claim.message, fast[i]) && found[i].due_in_us <= 0 &&
                    found[i].wanted == 0);
    found = look(MESSAGE_PROMOTIONAL, 2, &count);
    assert_int_equal(count, 1);
    assert_true(id_eq(found[0].claim.message, slow));
    (void)look(MESSAGE_SERVICE, 2, &count);
    assert_int_equal(count, 0);
}

static void
only_the_owner_of_an_open_lane_may_begin(void **state UNUSED)
{
    struct message_claim *claims;
    struct db_tx tx;

    accepted(MESSAGE_OTP);
    assert_int_equal(claim(&claims), 1);
    struct id mine = owner;
    owner = id_new(clock_system());
    assert_false(begin_sending(&claims[0]).is_mine);
    owner = mine;
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(message_lane_hold(&tx, channel, wall_after_ms(clock_wall(clock_system()), 60000)));
    assert_ok(db_commit(&tx));
    assert_false(begin_sending(&claims[0]).is_mine);
    test_cluster_sql("update harkara.dispatch_lane set is_open = false, not_before = '-infinity'");
    assert_false(begin_sending(&claims[0]).is_mine);
    test_cluster_sql("update harkara.dispatch_lane set is_open = true");
    assert_true(begin_sending(&claims[0]).is_mine);
    assert_false(begin_sending(&claims[0]).is_mine); /* once */
    assert_int_equal(claim(&claims), 0);
}

static void
what_is_due_next_is_told(void **state UNUSED)
{
    struct message_found *found;
    size_t count = 0;

    accepted(MESSAGE_OTP);
    accepted(MESSAGE_OTP);
    test_cluster_sql("update harkara.dispatch_queue set due_at = now() + interval '2 hours'");
    struct id next = accepted(MESSAGE_OTP);
    test_cluster_sql(
        "update harkara.dispatch_queue set due_at = now() + interval '1 hour' where due_at <= now()");
    struct id due = accepted(MESSAGE_OTP);
    found = look(MESSAGE_OTP, 1, &count);
    assert_int_equal(count, 2);
    assert_true(id_eq(found[0].claim.message, due) && found[0].due_in_us <= 0);
    assert_true(id_eq(found[1].claim.message, next));
    assert_in_range(found[1].due_in_us, INT64_C(3000000000), INT64_C(3600000000));
}

static struct message_lanes
keep(struct id dispatcher_id)
{
    struct message_lanes lanes;

    assert_ok(message_lanes_keep(dispatcher, "whatsapp", dispatcher_id, 60000, arena, &lanes));
    return lanes;
}

static void
lanes_are_shared_evenly_and_never_owned_twice(void **state UNUSED)
{
    struct id first = id_new(clock_system()), second = id_new(clock_system()), channels[5];

    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        channels[i] = channel = message_testing_channel(acme);
        accepted(MESSAGE_OTP);
    }
    message_testing_channel(acme); /* nothing waits in it */
    struct message_lanes ours = keep(first);
    assert_int_equal(ours.count, 5);
    assert_int_equal(ours.share, 5);
    assert_int_equal(ours.lanes[0].fence, 1);
    assert_int_equal(ours.lanes[0].weight, 100);
    assert_true(ours.lanes[0].is_open && ours.lanes[0].has_waiting && ours.lanes[0].is_resting);
    assert_int_equal(keep(second).count, 0); /* they are owned */
    ours = keep(first);
    assert_int_equal(ours.count, 5);
    assert_int_equal(ours.share, 3); /* but the second one lives, and wants its part */
    assert_ok(message_lanes_release(dispatcher, first, channels, 2));
    struct message_lanes theirs = keep(second);
    assert_int_equal(theirs.count, 2);
    assert_int_equal(theirs.lanes[0].fence, 2);
    assert_int_equal(keep(first).count, 3);
    /* One that says nothing for its lease is believed dead. */
    test_cluster_sql("update harkara.dispatcher_lease set lease_until = now() - interval '1 second'");
    assert_int_equal(keep(second).count, 5);
    assert_int_equal(keep(first).count, 0);
    assert_ok(message_dispatcher_leave(dispatcher, second));
    assert_int_equal(keep(first).count, 5);
}

static void
a_lease_of_a_dispatcher_from_a_clock_ahead_is_over(void **state UNUSED)
{
    accepted(MESSAGE_OTP);
    assert_int_equal(keep(id_new(clock_system())).count, 1);
    assert_int_equal(keep(owner).count, 0);
    test_cluster_sql("update harkara.dispatcher_lease set lease_until = now() + interval '1 hour'");
    assert_int_equal(keep(owner).count, 1);
}

static struct message_around
around(void)
{
    struct message_around out;

    assert_ok(message_look_around(dispatcher, "whatsapp", 60000, 60000, &out));
    return out;
}

static void
what_there_is_to_do_is_seen_at_one_look(void **state UNUSED)
{
    struct message_claim *claims;

    assert_false(around().has_lanes || around().has_lapsed || around().has_times || around().is_shared);
    assert_true(around().is_quiet);
    accepted(MESSAGE_OTP);
    assert_true(around().has_lanes && !around().is_shared && !around().is_quiet);
    assert_int_equal(claim(&claims), 1);
    assert_true(!around().has_lanes && around().is_shared && !around().is_quiet);
    assert_true(begin_sending(&claims[0]).is_mine);
    assert_false(around().has_lapsed);
    let_leases_run_out();
    assert_true(around().has_lapsed);
    assert_int_equal(take_over(), 1);
    assert_false(around().has_lapsed);
    let_waits_end();
    assert_true(around().has_lapsed && !around().has_times);
    accepted(MESSAGE_OTP);
    test_cluster_sql("update harkara.dispatch_queue set state = 'held' where state = 'ready'");
    assert_true(around().has_times);
    test_cluster_sql("update harkara.dispatch_queue set due_at = now() + interval '1 hour'");
    assert_false(around().has_times);
    test_cluster_sql("update harkara.dispatch_queue set expires_at = now() where state = 'held'");
    assert_true(around().has_times);
    test_cluster_sql("delete from harkara.dispatch_queue");
    assert_false(around().is_quiet); /* the owner lives, and has the lane */
    assert_ok(message_dispatcher_leave(dispatcher, owner));
    assert_true(around().is_quiet);
}

/* Else nobody would be told of what comes into them: their owner was busy, and looked by himself. */
static void
idle_lanes_of_the_dead_are_nobodys_and_rest(void **state UNUSED)
{
    const char *left =
        "select count(*) from harkara.dispatch_lane where dispatcher is not null or not is_resting";
    struct id other = id_new(clock_system());

    accepted(MESSAGE_OTP);
    assert_int_equal(keep(owner).count, 1);
    assert_ok(message_lanes_rest(dispatcher, owner, &channel, 1, false));
    test_cluster_sql("delete from harkara.dispatch_queue");
    assert_int_equal(keep(other).count, 0);
    assert_int_equal(message_testing_count("%s", left), 1); /* he lives */
    assert_false(around().has_lanes);
    test_cluster_sql("update harkara.dispatcher_lease set lease_until = now() - interval '1 second'");
    assert_true(around().has_lanes && !around().is_shared && !around().is_quiet);
    assert_int_equal(keep(other).count, 0);
    assert_int_equal(message_testing_count("%s", left), 0);
    assert_true(around().is_quiet);
}

/* What was due before has gone, says who has looked; the rest is found from there. */
static void
a_look_begins_where_it_is_told(void **state UNUSED)
{
    struct message_wanted wanted = { .channel = channel, .category = MESSAGE_OTP };
    struct message_found *found;
    struct id ids[4];
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        ids[i] = accepted(MESSAGE_OTP);
    assert_ok(message_look(dispatcher, &wanted, 1, 8, arena, &found, &count));
    assert_int_equal(count, COUNT_OF(ids));
    wanted.since = found[2].due_at;
    assert_ok(message_look(dispatcher, &wanted, 1, 8, arena, &found, &count));
    assert_int_equal(count, 2);
    assert_true(id_eq(found[0].claim.message, ids[2]) && id_eq(found[1].claim.message, ids[3]));
}

/* Only who rests is told, and he alone. */
static void
note_notice(void *ctx, struct slice name UNUSED, struct slice payload)
{
    struct buf *text = ctx;

    buf_add(text, payload);
    buf_add_text(text, ";");
}

static void
notices_come_to_be(const char *want)
{
    struct buf text;

    buf_init(&text, 4096);
    assert_ok(db_notifications(dispatcher, note_notice, &text));
    assert_true(slice_eq(buf_slice(&text), slice_text(want)));
    buf_release(&text);
}

static void
the_owner_of_a_lane_is_told_while_it_rests(void **state UNUSED)
{
    char want[128], lane[ID_UUID_BYTES], who[ID_UUID_BYTES];

    id_uuid_print(channel, lane);
    id_uuid_print(owner, who);
    assert_ok(db_listen(dispatcher, "harkara_dispatch"));
    accepted(MESSAGE_OTP);
    assert_int_equal(keep(owner).count, 1); /* with its answer the notice has come */
    snprintf(want, sizeof(want), "%s;", lane);
    notices_come_to_be(want); /* nobody's yet: all are told */
    accepted(MESSAGE_OTP);
    assert_true(keep(owner).lanes[0].is_resting);
    snprintf(want, sizeof(want), "%s %s;", lane, who);
    notices_come_to_be(want);
    assert_ok(message_lanes_rest(dispatcher, owner, &channel, 1, false));
    accepted(MESSAGE_OTP);
    assert_false(keep(owner).lanes[0].is_resting);
    notices_come_to_be(""); /* it looks by itself */
    assert_ok(message_lanes_rest(dispatcher, owner, &channel, 1, true));
    test_cluster_sql("update harkara.dispatch_lane set is_open = false");
    accepted(MESSAGE_OTP);
    assert_false(keep(owner).lanes[0].is_open);
    notices_come_to_be(""); /* nothing can leave */
    /* Who looks only now and then is told in time of what is held for a moment; what waits longer, he finds.
     */
    test_cluster_sql("update harkara.dispatch_lane set is_open = true");
    struct message_new held = message_testing_new(acme, channel, MESSAGE_OTP);
    held.send_at = wall_after_ms(clock_wall(clock_system()), 3600000);
    message_testing_accept(gateway, &held);
    assert_true(keep(owner).lanes[0].is_open);
    notices_come_to_be("");
    held = message_testing_new(acme, channel, MESSAGE_OTP);
    held.send_at = wall_after_ms(clock_wall(clock_system()), 2000);
    message_testing_accept(gateway, &held);
    assert_true(keep(owner).lanes[0].is_open);
    notices_come_to_be(want);
}

static void
a_retry_comes_back_and_counts_its_attempts(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_claim *claims;

    assert_int_equal(claim(&claims), 1);
    assert_true(begin_sending(&claims[0]).is_mine);
    record(&claims[0], MESSAGE_VERDICT_RETRY, NULL);
    message_testing_assert_status(id, "queued");
    assert_int_equal(claim(&claims), 1);
    assert_int_equal(claims[0].attempt, 2);
    assert_true(begin_sending(&claims[0]).is_mine);
    record(&claims[0], MESSAGE_VERDICT_RETURNED, NULL);
    assert_int_equal(claim(&claims), 1);
    assert_int_equal(claims[0].attempt, 2); /* what never left does not count */
    assert_true(begin_sending(&claims[0]).is_mine);
    record(&claims[0], MESSAGE_VERDICT_FAILED, NULL);
    message_testing_assert_status(id, "failed");
    assert_int_equal(message_testing_count("select count(*) from harkara.dispatch_queue"), 0);
}

static void
of_two_that_saw_a_message_one_sends_it(void **state UNUSED)
{
    struct message_claim *first, *second;

    accepted(MESSAGE_SERVICE);
    assert_int_equal(claim(&first), 1);
    assert_int_equal(claim(&second), 1); /* to look takes nothing */
    assert_true(begin_sending(&second[0]).is_mine);
    assert_false(begin_sending(&first[0]).is_mine);
    record(&second[0], MESSAGE_VERDICT_RETRY, NULL);
    assert_false(begin_sending(&first[0]).is_mine); /* its fence is of the first attempt */
}

/* As versions before this one left it: claimed, and not begun. */
static void
a_claim_that_never_began_is_simply_claimed_again(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_claim *claims;

    test_cluster_sql(
        "update harkara.dispatch_queue set state = 'leased', lease_owner = gen_random_uuid(), fence = 1,"
        " attempt = 1, lease_until = now() + interval '1 minute'");
    assert_int_equal(take_over(), 0); /* its lease still runs */
    let_leases_run_out();
    assert_int_equal(take_over(), 1);
    message_testing_assert_status(id, "accepted");
    assert_int_equal(claim(&claims), 1);
    assert_int_equal(claims[0].attempt, 1);
    assert_int_equal(claims[0].fence, 2);
    assert_true(begin_sending(&claims[0]).is_mine);
}

static void
a_send_whose_sender_died_is_uncertain_then_resent_by_category(void **state UNUSED)
{
    struct id resent = accepted(MESSAGE_OTP), left = accepted(MESSAGE_PROMOTIONAL);
    struct message_claim *claims;

    assert_int_equal(claim(&claims), 2);
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
    struct message_claim *claims;

    accepted(MESSAGE_OTP);
    assert_int_equal(claim(&claims), 1);
    assert_true(begin_sending(&claims[0]).is_mine);
    test_cluster_sql("update harkara.dispatch_queue set lease_until = now() + interval '119 seconds'");
    assert_int_equal(take_over(), 0); /* a longer lease than ours, of a dispatcher with another setting */
    test_cluster_sql("update harkara.dispatch_queue set lease_until = now() + interval '2 hours'");
    assert_int_equal(take_over(), 1);
    assert_int_equal(queued(claims[0].message, "uncertain"), 1);
    record(&claims[0], MESSAGE_VERDICT_SENT, "wamid.lives"); /* that it was taken is true all the same */
    message_testing_assert_status(claims[0].message, "sent");
}

static void
a_late_answer_still_settles_an_uncertain_message(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_OTP);
    struct message_claim *claims;

    assert_int_equal(claim(&claims), 1);
    assert_true(begin_sending(&claims[0]).is_mine);
    let_leases_run_out();
    assert_int_equal(take_over(), 1);
    message_testing_assert_status(id, "uncertain");
    record(&claims[0], MESSAGE_VERDICT_SENT, "wamid.late"); /* its fence is stale, its news is not */
    message_testing_assert_status(id, "sent");
    let_waits_end();
    assert_int_equal(take_over(), 0);
    assert_int_equal(claim(&claims), 0); /* no duplicate */
}

static void
a_providers_event_resolves_what_was_uncertain(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_OTP);
    struct message_claim *claims;

    assert_int_equal(claim(&claims), 1);
    assert_true(begin_sending(&claims[0]).is_mine);
    record(&claims[0], MESSAGE_VERDICT_UNCERTAIN, NULL);
    message_testing_assert_status(id, "uncertain");
    assert_true(report(id, MESSAGE_DELIVERED, "wamid.2"));
    message_testing_assert_status(id, "delivered");
    let_waits_end();
    assert_int_equal(take_over(), 0);
    assert_int_equal(claim(&claims), 0);
}

static void
an_event_that_overtakes_our_record_wins(void **state UNUSED)
{
    struct id id = accepted(MESSAGE_SERVICE);
    struct message_claim *claims;

    assert_int_equal(claim(&claims), 1);
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

    assert_int_equal(claim(&claims), 1);
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

    assert_int_equal(claim(&claims), 1);
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
    assert_ok(message_fail_channel(&tx, clock_system(), channel, (struct message_by){ .is_person = false },
                                   "channel-deleted", "Deleted.", arena, &count));
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
    struct message_received *all[] = { &received };
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_receive_many(&tx, all, 1, arena));
    assert_true(received.is_fresh);
    assert_ok(db_commit(&tx));
    message_testing_assert_status(received.id, "received");
    assert_int_equal(events(received.id, "message.received"), 1);
    struct id first = received.id;
    received.id = id_new(clock_system());
    received.event_id = id_new(clock_system());
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_receive_many(&tx, all, 1, arena));
    assert_false(received.is_fresh);
    assert_ok(db_commit(&tx));
    message_testing_assert_status(first, "received");
    assert_int_equal(events(received.id, "message.received"), 0);
}

static void
crowd(unsigned count)
{
    char tenant[ID_UUID_BYTES], lane[ID_UUID_BYTES], sql[256];

    id_uuid_print(acme, tenant);
    id_uuid_print(channel, lane);
    snprintf(sql, sizeof(sql),
             "insert into dispatch_queue (tenant_id, message_id, channel_id, priority)"
             " select '%s', gen_random_uuid(), '%s', 3 from generate_series(1, %u)",
             tenant, lane, count);
    test_cluster_sql(sql);
}

/* However long the queue is, and though the planner has never seen it. */
static void
a_hold_reads_the_rows_that_it_holds(void **state UNUSED)
{
    struct id held[] = { accepted(MESSAGE_OTP), accepted(MESSAGE_PROMOTIONAL) };
    struct db_tx tx;

    crowd(20000);
    assert_ok(db_begin(dispatcher, acme, &tx));
    int64_t before = message_testing_rows_read(&tx, "dispatch\\_queue");
    assert_ok(message_queue_hold(&tx, held, COUNT_OF(held)));
    assert_in_range(message_testing_rows_read(&tx, "dispatch\\_queue") - before, COUNT_OF(held), 20);
    assert_ok(db_commit(&tx));
}

/* Rows of the queue that were read. */
struct reads {
    int64_t mark, outcome, reported, woken;
};

#define SENDS 3

/* One is taken, one comes back, one fails; then all of them are reported on and waited for no longer. */
static struct reads
send_some(void)
{
    enum message_verdict verdicts[SENDS] = { MESSAGE_VERDICT_SENT, MESSAGE_VERDICT_RETRY,
                                             MESSAGE_VERDICT_FAILED };
    struct wall_time now = clock_wall(clock_system());
    struct message_outcome outcomes[SENDS];
    struct message_report reports[SENDS];
    struct message_report_item items[SENDS];
    struct message_job *jobs;
    struct message_claim *claims;
    struct id ids[SENDS];
    struct db_tx tx;

    for (size_t i = 0; i < SENDS; i++)
        ids[i] = accepted(MESSAGE_OTP);
    assert_int_equal(claim(&claims) >= SENDS, 1);
    assert_ok(db_begin(dispatcher, acme, &tx));
    int64_t began = message_testing_rows_read(&tx, "dispatch\\_queue");
    assert_ok(message_begin_sending(&tx, clock_system(), owner, 60000, claims, SENDS, arena, &jobs));
    int64_t marked = message_testing_rows_read(&tx, "dispatch\\_queue");
    assert_ok(db_commit(&tx));
    for (size_t i = 0; i < SENDS; i++) {
        bool is_sent = verdicts[i] == MESSAGE_VERDICT_SENT;
        assert_true(jobs[i].is_mine);
        outcomes[i] = (struct message_outcome){ .claim = claims[i],
                                                .verdict = verdicts[i],
                                                .at = now,
                                                .due_at = wall_after_ms(now, 3600000),
                                                .error_code = is_sent ? SLICE_EMPTY : SLICE("131026"),
                                                .error_title = is_sent ? SLICE_EMPTY : SLICE("A title."),
                                                .error_class = is_sent ? NULL : "permanent" };
        reports[i] = (struct message_report){
            .message = ids[i], .channel = channel, .status = MESSAGE_DELIVERED, .at = now
        };
        items[i] = (struct message_report_item){ .report = &reports[i] };
    }
    assert_ok(db_begin(dispatcher, acme, &tx));
    int64_t recording = message_testing_rows_read(&tx, "dispatch\\_queue");
    assert_ok(message_record_outcomes(&tx, clock_system(), outcomes, SENDS, arena));
    int64_t recorded = message_testing_rows_read(&tx, "dispatch\\_queue");
    assert_ok(message_wake(&tx, ids, SENDS));
    int64_t woken = message_testing_rows_read(&tx, "dispatch\\_queue");
    assert_ok(db_commit(&tx));
    assert_ok(db_begin(gateway, acme, &tx));
    int64_t reporting = message_testing_rows_read(&tx, "dispatch\\_queue");
    assert_ok(message_reports_apply(&tx, clock_system(), items, SENDS, arena));
    int64_t reported = message_testing_rows_read(&tx, "dispatch\\_queue");
    assert_ok(db_commit(&tx));
    return (struct reads){ marked - began, recorded - recording, reported - reporting, woken - recorded };
}

/* Plans that were made while little was queued are made anew when a campaign has come: the scheduler sees to
 * it. */
static void
a_queue_that_has_grown_long_is_read_by_its_keys(void **state UNUSED)
{
    crowd(2);
    test_cluster_sql("vacuum analyze harkara.dispatch_queue");
    for (int i = 0; i < 6; i++) /* from the sixth time on a statement keeps its plan */
        send_some();
    crowd(20000);
    test_cluster_sql(
        "select pg_stat_force_next_flush()"); /* a busy connection tells of its rows once a second */
    test_cluster_sql("do $$ begin while harkara.analyze_grown_table() is not null loop end loop; end $$");
    struct reads reads = send_some();
    assert_in_range(reads.mark, SENDS, 30);
    assert_in_range(reads.outcome, SENDS, 30);
    assert_in_range(reads.woken, 1, 30);
    assert_in_range(reads.reported, 1, 30);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(a_message_goes_from_the_queue_to_sent),
             TEST(events_of_a_send_say_the_same_whatever_is_stored),
             TEST(a_hold_reads_the_rows_that_it_holds), TEST(a_queue_that_has_grown_long_is_read_by_its_keys),
             TEST(messages_of_a_round_may_come_in_any_order),
             TEST(each_category_is_looked_at_by_itself_in_the_order_of_time),
             TEST(only_the_owner_of_an_open_lane_may_begin), TEST(what_is_due_next_is_told),
             TEST(lanes_are_shared_evenly_and_never_owned_twice),
             TEST(a_lease_of_a_dispatcher_from_a_clock_ahead_is_over),
             TEST(what_there_is_to_do_is_seen_at_one_look), TEST(idle_lanes_of_the_dead_are_nobodys_and_rest),
             TEST(a_look_begins_where_it_is_told), TEST(the_owner_of_a_lane_is_told_while_it_rests),
             TEST(of_two_that_saw_a_message_one_sends_it), TEST(a_retry_comes_back_and_counts_its_attempts),
             TEST(a_claim_that_never_began_is_simply_claimed_again),
             TEST(a_send_whose_sender_died_is_uncertain_then_resent_by_category),
             TEST(a_lease_that_a_clock_ahead_has_given_is_over_when_the_clock_is_right_again),
             TEST(a_late_answer_still_settles_an_uncertain_message),
             TEST(a_providers_event_resolves_what_was_uncertain),
             TEST(an_event_that_overtakes_our_record_wins), TEST(reports_move_forward_only_and_once),
             TEST(a_report_for_another_channel_touches_nothing),
             TEST(a_claimed_message_that_moved_on_is_not_sent), TEST(a_deleted_channels_queue_fails),
             TEST(an_incoming_message_is_stored_once))
