/* The group commit of the accept path, against a real PostgreSQL. */
#include "domain/event/event.h"
#include "domain/message/message.h"
#include "domain/message/message_testing.h"
#include <stdio.h>

static struct db *db;
static struct arena *arena;
static struct id acme, bolt, acme_channel, bolt_channel;

static int
opened(void **state UNUSED)
{
    if (id_is_zero(acme)) {
        acme = test_cluster_tenant("acme");
        bolt = test_cluster_tenant("bolt");
        acme_channel = message_testing_channel(acme);
        bolt_channel = message_testing_channel(bolt);
    }
    db = test_cluster_open("harkara_gateway");
    arena = arena_new(8u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    arena_free(arena);
    return 0;
}

static struct message_new
keyed(struct id tenant, struct id channel, const char *key, unsigned char print)
{
    struct message_new message = message_testing_new(tenant, channel, MESSAGE_SERVICE);

    message.idempotency_key = slice_text(key);
    memset(message.fingerprint, print, sizeof(message.fingerprint));
    return message;
}

static struct message_accepted
accept_one(struct message_new message)
{
    struct message_accepted accepted;

    assert_ok(message_accept_batch(db, clock_system(), &message, &accepted, 1, arena));
    return accepted;
}

static void
an_accepted_message_is_stored_queued_and_told(void **state UNUSED)
{
    struct message_accepted accepted = accept_one(message_testing_new(acme, acme_channel, MESSAGE_OTP));
    char id[ID_UUID_BYTES];

    id_uuid_print(accepted.id, id);
    assert_ok(accepted.err);
    assert_false(accepted.is_replay);
    message_testing_assert_status(accepted.id, "accepted");
    assert_int_equal(
        message_testing_count("select priority from harkara.dispatch_queue where message_id = '%s'", id), 0);
    assert_int_equal(message_testing_count(
                         "select count(*) from harkara.event_log where xid is not null and subject_id = '%s'"
                         " and type = 'message.accepted' and event_data(type, data)->>'status' ="
                         " 'accepted' and event_data(type, data)->>'direction' = 'outbound' and"
                         " event_data(type, data) ? 'reference'",
                         id),
                     1);
}

static void
a_batch_of_several_tenants_commits_together(void **state UNUSED)
{
    struct message_new messages[6];
    struct message_accepted accepted[6];

    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        messages[i] = i % 2 == 0 ? message_testing_new(acme, acme_channel, MESSAGE_SERVICE)
                                 : message_testing_new(bolt, bolt_channel, MESSAGE_PROMOTIONAL);
        messages[i].owner = (void *)(uintptr_t)i;
    }
    struct id first = messages[0].id, last = messages[5].id;
    assert_ok(message_accept_batch(db, clock_system(), messages, accepted, COUNT_OF(messages), arena));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        assert_ok(accepted[i].err);
        assert_true(id_eq(accepted[i].id, messages[i].id)); /* sorted together */
        assert_true(id_eq(messages[i].tenant, (uintptr_t)messages[i].owner % 2 == 0 ? acme : bolt));
    }
    message_testing_assert_status(first, "accepted");
    message_testing_assert_status(last, "accepted");
}

/* Templates go at any time; and what was accepted before is answered again, whatever has ended since. */
static void
outside_of_a_known_window_only_templates_are_accepted(void **state UNUSED)
{
    struct id channel = message_testing_channel(acme);
    char tenant[ID_UUID_BYTES], id[ID_UUID_BYTES], sql[1024];
    struct message_new early = keyed(acme, channel, "window", 1), text = keyed(acme, channel, "late", 1);
    struct message_new template = message_testing_new(acme, channel, MESSAGE_SERVICE);

    id_uuid_print(acme, tenant);
    id_uuid_print(channel, id);
    assert_ok(accept_one(early).err);
    snprintf(
        sql, sizeof(sql),
        "insert into whatsapp_channel select '%s', '%s', '1', '77', '+1', ''::bytea, z, t, 1, 1, '', z, t,"
        " 1, 1, '', z, t, 1, 1 from (select decode(repeat('00', 12), 'hex') z,"
        " decode(repeat('00', 16), 'hex') t) v; insert into channel_window select '%s', '%s', peer_index,"
        " now() - interval '1 hour', null, null from message where channel_id = '%s'",
        tenant, id, tenant, id, id);
    test_cluster_sql(sql);
    template.kind = SLICE("template");
    assert_int_equal(accept_one(text).err, ERR_WINDOW_CLOSED);
    assert_ok(accept_one(template).err);
    test_cluster_sql("update whatsapp_channel set window_check = 'off'");
    assert_ok(accept_one(message_testing_new(acme, channel, MESSAGE_SERVICE)).err);
    test_cluster_sql("update whatsapp_channel set window_check = 'enforce'");
    struct message_new later = message_testing_new(acme, channel, MESSAGE_SERVICE);
    later.send_at = wall_after_ms(clock_wall(clock_system()), 3600000);
    assert_ok(accept_one(later).err); /* they may write until then */
    struct message_accepted again = accept_one(early);
    assert_true(again.err == ERR_OK && again.is_replay);
    assert_int_equal(message_testing_count("select count(*) from idempotency_key where key = 'late'"), 0);
    test_cluster_sql("update channel_window set window_until = now() + interval '1 minute'");
    assert_ok(accept_one(text).err);
}

static void
a_foreign_or_unknown_channel_refuses_only_its_own_message(void **state UNUSED)
{
    struct message_new messages[3] = { message_testing_new(acme, acme_channel, MESSAGE_SERVICE),
                                       message_testing_new(acme, bolt_channel, MESSAGE_SERVICE),
                                       message_testing_new(acme, id_new(clock_system()), MESSAGE_SERVICE) };
    struct message_accepted accepted[3];
    struct id good = messages[0].id;

    assert_ok(message_accept_batch(db, clock_system(), messages, accepted, 3, arena));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(accepted[i].err, id_eq(messages[i].id, good) ? ERR_OK : ERR_CHANNEL_UNKNOWN);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.dispatch_queue q left join harkara.message m"
                              " on m.id = q.message_id where m.id is null"),
        0);
}

static void
a_paused_channel_takes_nothing(void **state UNUSED)
{
    struct id channel = message_testing_channel(acme);

    char id[ID_UUID_BYTES], text[256];
    id_uuid_print(channel, id);
    snprintf(text, sizeof(text), "update harkara.channel set state = 'paused' where id = '%s'", id);
    test_cluster_sql(text);
    assert_int_equal(accept_one(message_testing_new(acme, channel, MESSAGE_SERVICE)).err,
                     ERR_CHANNEL_NOT_READY);
}

static void
the_same_key_and_request_give_the_same_message(void **state UNUSED)
{
    struct message_accepted first = accept_one(keyed(acme, acme_channel, "order-1", 1));
    struct message_accepted again = accept_one(keyed(acme, acme_channel, "order-1", 1));

    assert_ok(first.err);
    assert_false(first.is_replay);
    assert_ok(again.err);
    assert_true(again.is_replay);
    assert_true(id_eq(first.id, again.id));
}

static void
the_same_key_with_another_request_is_refused(void **state UNUSED)
{
    assert_ok(accept_one(keyed(acme, acme_channel, "order-2", 1)).err);
    assert_int_equal(accept_one(keyed(acme, acme_channel, "order-2", 2)).err, ERR_IDEMPOTENCY_MISMATCH);
}

static void
a_key_belongs_to_its_tenant(void **state UNUSED)
{
    struct message_accepted of_acme = accept_one(keyed(acme, acme_channel, "shared", 1));
    struct message_accepted of_bolt = accept_one(keyed(bolt, bolt_channel, "shared", 9));

    assert_ok(of_bolt.err);
    assert_false(of_bolt.is_replay);
    assert_false(id_eq(of_acme.id, of_bolt.id));
}

/* A retry is answered as the first request was, also when the channel could take nothing new by now. */
static void
a_replay_does_not_ask_for_the_channel_again(void **state UNUSED)
{
    struct id channel = message_testing_channel(acme);
    struct message_accepted first = accept_one(keyed(acme, channel, "order-3", 1));
    char id[ID_UUID_BYTES], text[256];

    id_uuid_print(channel, id);
    snprintf(text, sizeof(text), "update harkara.channel set state = 'broken' where id = '%s'", id);
    test_cluster_sql(text);
    struct message_accepted again = accept_one(keyed(acme, channel, "order-3", 1));
    assert_ok(again.err);
    assert_true(again.is_replay);
    assert_true(id_eq(first.id, again.id));
}

static void
a_refused_message_does_not_use_up_its_key(void **state UNUSED)
{
    assert_int_equal(accept_one(keyed(acme, id_new(clock_system()), "order-4", 1)).err, ERR_CHANNEL_UNKNOWN);
    struct message_accepted accepted = accept_one(keyed(acme, acme_channel, "order-4", 2));
    assert_ok(accepted.err);
    assert_false(accepted.is_replay);
}

/* Fresh, repeated, mismatched and refused, with and without keys, of two tenants: each gets its own answer.
 */
static void
assert_mixed_batch(const struct clock *clock, struct message_accepted early, const char *new_key,
                   const char *foreign_key)
{
    struct message_accepted accepted[8];
    struct message_new messages[8] = {
        keyed(bolt, bolt_channel, new_key, 1),
        keyed(acme, acme_channel, "mixed-old", 1),
        keyed(acme, acme_channel, new_key, 1),
        message_testing_new(acme, acme_channel, MESSAGE_SERVICE),
        keyed(acme, bolt_channel, foreign_key, 1),
        keyed(acme, id_new(clock_system()), "mixed-old-too", 1),
        message_testing_new(bolt, bolt_channel, MESSAGE_OTP),
        message_testing_new(bolt, acme_channel, MESSAGE_OTP),
    };
    static const struct {
        enum err err;
        bool is_replay;
    } expected[8] = { { ERR_OK, false },
                      { ERR_OK, true },
                      { ERR_OK, false },
                      { ERR_OK, false },
                      { ERR_CHANNEL_UNKNOWN, false },
                      { ERR_IDEMPOTENCY_MISMATCH, false },
                      { ERR_OK, false },
                      { ERR_CHANNEL_UNKNOWN, false } };

    for (size_t i = 0; i < COUNT_OF(messages); i++)
        messages[i].owner = (void *)(uintptr_t)i;
    assert_ok(message_accept_batch(db, clock, messages, accepted, COUNT_OF(messages), arena));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        size_t which = (uintptr_t)messages[i].owner;
        assert_int_equal(accepted[i].err, expected[which].err);
        assert_int_equal(accepted[i].is_replay, expected[which].is_replay);
        assert_true(id_eq(accepted[i].id, which == 1 ? early.id : messages[i].id));
    }
}

/*
 * Where none was expected to be there, where some were there a moment ago, so that they are asked about
 * first, and later again: the answers are the same.
 */
static void
each_row_of_a_mixed_batch_gets_its_own_answer(void **state UNUSED)
{
    struct clock_manual clock;
    struct message_accepted early = accept_one(keyed(acme, acme_channel, "mixed-old", 1));

    assert_ok(accept_one(keyed(acme, acme_channel, "mixed-old-too", 2)).err);
    clock_manual_init(&clock, clock_wall(clock_system()));
    clock.mono_now.us = clock_mono(clock_system()).us + 10 * 1000 * 1000;
    assert_mixed_batch(&clock.clock, early, "mixed-new-1", "mixed-foreign-1");
    assert_mixed_batch(&clock.clock, early, "mixed-new-2", "mixed-foreign-2");
    clock_manual_advance(&clock, 2 * 1000 * 1000);
    assert_mixed_batch(&clock.clock, early, "mixed-new-3", "mixed-foreign-3");
}

/* What is rare has columns of its own as soon as one message of the batch has it; the others have none of it.
 */
static void
what_only_some_have_is_stored_with_those(void **state UNUSED)
{
    const struct slice tags[] = { SLICE("blue"), SLICE("re\"d") };
    struct message_new messages[2] = { message_testing_new(acme, acme_channel, MESSAGE_SERVICE),
                                       message_testing_new(acme, acme_channel, MESSAGE_PROMOTIONAL) };
    struct message_accepted accepted[2];
    struct message_new *full = &messages[1];
    const struct id bare = messages[0].id, rich = messages[1].id;
    char bare_text[ID_UUID_BYTES], rich_text[ID_UUID_BYTES];

    full->reference = SLICE("a \"quoted\" word");
    full->tags = tags;
    full->tag_count = 2;
    full->target = bare;
    full->resent_from = bare;
    full->send_at = wall_after_ms(clock_wall(clock_system()), 3600000);
    full->expires_at = wall_after_ms(clock_wall(clock_system()), 7200000);
    full->by.id = id_new(clock_system());
    full->sealed.has_metadata = true;
    full->sealed.metadata = full->sealed.content;
    full->fallbacks[0] =
        (struct message_fallback){ .channel = acme_channel, .kind = SLICE("text"), .after_s = 60 };
    full->fallback_count = 1;
    id_uuid_print(bare, bare_text);
    id_uuid_print(rich, rich_text);
    assert_ok(message_accept_batch(db, clock_system(), messages, accepted, 2, arena));
    assert_ok(accepted[0].err);
    assert_ok(accepted[1].err);
    assert_int_equal(
        message_testing_count(
            "select count(*) from message where id = '%s' and status = 'accepted' and reference is"
            " null and target_id is null and resent_from is null and send_at is null and expires_at is null and tags = '{}' and"
            " metadata_ct is null and metadata_iv is null and fallbacks = 0",
            bare_text),
        1);
    assert_int_equal(
        message_testing_count(
            "select count(*) from message m where id = '%s' and status = 'held' and reference ="
            " 'a \"quoted\" word' and target_id is not null and resent_from = target_id and expires_at > send_at and tags ="
            " array['blue', 're\"d'] and metadata_ct = content_ct and metadata_iv = content_iv and metadata_tag ="
            " content_tag and fallbacks = 1",
            rich_text),
        1);
    assert_int_equal(
        message_testing_count("select count(*) from message_tag where message_id = '%s'", rich_text), 2);
    assert_int_equal(
        message_testing_count("select count(*) from message_fallback f join message m on m.id = message_id"
                              " where message_id = '%s' and (position = 0 or f.due_at = m.send_at +"
                              " interval '60 seconds')",
                              rich_text),
        2);
    assert_int_equal(
        message_testing_count("select count(*) from message_fallback where message_id = '%s'", bare_text), 0);
    assert_int_equal(
        message_testing_count(
            "select count(*) from event where subject_id = '%s' and type ="
            " 'message.held' and data->>'reference' = 'a \"quoted\" word' and"
            " data->'tags' = '[\"blue\", \"re\\\"d\"]' and data->>'key_id' like"
            " 'key\\_%%' and data->>'send_at' is not null and event_data(type, data)->>'status' = 'held' and data->>'category' ="
            " 'promotional'",
            rich_text),
        1);
    assert_int_equal(
        message_testing_count(
            "select count(*) from event_log where xid is not null and subject_id = '%s' and event_data(type, data) = '{\"actor\": \"api-key\", \"direction\":"
            " \"outbound\", \"category\": \"service\", \"status\": \"accepted\", \"reference\": null, \"tags\": [],"
            " \"provider_id\": null, \"attempt\": 0, \"error\": null}'",
            bare_text),
        1);
}

static enum err
resent_read(struct db_tx *tx, void *ctx)
{
    struct id *ids = ctx;
    size_t count = 0;
    struct message message;
    enum err err = message_resent_as(tx, ids[0], ids + 1, &count);

    assert_int_equal(count, MESSAGE_RESENT_MAX);
    if (err == ERR_OK)
        err = message_get(tx, ids[1], arena, &message);
    assert_true(err != ERR_OK || id_eq(message.resent_from, ids[0]));
    return err;
}

static void
a_message_knows_what_it_was_sent_again_as(void **state UNUSED)
{
    struct message_new made[MESSAGE_RESENT_MAX + 2];
    struct message_accepted accepted[COUNT_OF(made)];
    struct id ids[1 + MESSAGE_RESENT_MAX];

    for (size_t i = 0; i < COUNT_OF(made); i++)
        made[i] = message_testing_new(acme, acme_channel, MESSAGE_SERVICE);
    ids[0] = made[0].id;
    for (size_t i = 1; i < COUNT_OF(made); i++)
        made[i].resent_from = ids[0];
    assert_ok(message_accept_batch(db, clock_system(), made, accepted, COUNT_OF(made), arena));
    assert_ok(db_run(db, acme, resent_read, ids));
    for (size_t i = 1; i + 1 < COUNT_OF(ids); i++)
        assert_true(memcmp(ids[i].bytes, ids[i + 1].bytes, ID_BYTES) < 0);
    ids[0] = ids[1]; /* which nobody sent again */
    size_t count = 1;
    struct db_tx tx;
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(message_resent_as(&tx, ids[0], ids + 1, &count));
    db_rollback(&tx);
    assert_int_equal(count, 0);
}

/* More channels than the columns' table begins with, some of them twice, none of them another's. */
static void
every_row_goes_to_its_own_channel(void **state UNUSED)
{
    enum { CHANNELS = 12, ROWS = 40 };
    struct id channels[CHANNELS];
    struct message_new messages[ROWS];
    struct message_accepted accepted[ROWS];
    char sql[256], channel[ID_UUID_BYTES], id[ID_UUID_BYTES];

    for (size_t i = 0; i < CHANNELS; i++)
        channels[i] = message_testing_channel(i % 2 == 0 ? acme : bolt);
    for (size_t i = 0; i < ROWS; i++) {
        size_t at = i * 7 % CHANNELS;
        messages[i] =
            message_testing_new(at % 2 == 0 ? acme : bolt, channels[at], (enum message_category)(i % 4));
    }
    assert_ok(message_accept_batch(db, clock_system(), messages, accepted, ROWS, arena));
    for (size_t i = 0; i < ROWS; i++) {
        assert_ok(accepted[i].err);
        id_uuid_print(messages[i].channel, channel);
        id_uuid_print(messages[i].id, id);
        snprintf(
            sql, sizeof(sql),
            "select count(*) from message m join dispatch_queue q on q.message_id = m.id join event_log e on"
            " e.subject_id = m.id and e.channel_id = m.channel_id where e.xid is not null and m.id = '%s'",
            id);
        assert_int_equal(test_cluster_number(sql), 1);
        snprintf(sql, sizeof(sql),
                 "select priority from dispatch_queue q join message m on m.id = q.message_id where"
                 " m.channel_id = q.channel_id and m.id = '%s' and m.channel_id = '%s'",
                 id, channel);
        assert_int_equal(test_cluster_number(sql), messages[i].category);
    }
}

/* What leaves at once is its own event, and what is held or may go another way has one: told once, whichever
 * it is, in the order of what becomes of them. */
static void
every_message_is_told_once_as_its_own_event_or_by_one(void **state UNUSED)
{
    struct slice tags[] = { SLICE("blue") };
    struct message_new messages[6]; /* at once, held and with another sender; of a key, then of a person */
    struct message_accepted accepted[6];
    char id[ID_UUID_BYTES], asker[ID_TEXT_BYTES];

    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        messages[i] = message_testing_new(acme, acme_channel, MESSAGE_OTP);
        messages[i].owner = (void *)(uintptr_t)i;
        messages[i].by = (struct message_by){ .is_person = i >= 3, .id = id_new(clock_system()) };
        messages[i].reference = SLICE("ours");
        messages[i].tags = tags;
        messages[i].tag_count = 1;
    }
    for (size_t i = 0; i < COUNT_OF(messages); i += 3) {
        messages[i + 1].send_at = wall_after_ms(clock_wall(clock_system()), 3600000);
        messages[i + 2].fallbacks[0] =
            (struct message_fallback){ .channel = acme_channel, .kind = SLICE("text"), .after_s = 60 };
        messages[i + 2].fallback_count = 1;
    }
    assert_ok(message_accept_batch(db, clock_system(), messages, accepted, COUNT_OF(messages), arena));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        uintptr_t way = (uintptr_t)messages[i].owner % 3;
        bool is_own = way == 0, is_held = way == 1, is_person = messages[i].by.is_person;
        struct event *events;
        struct db_tx tx;
        size_t count = 0;
        id_uuid_print(messages[i].id, id);
        assert_int_equal(message_testing_count("select count(*) from event where subject_id = '%s'", id),
                         is_own ? 0 : 1);
        assert_int_equal(message_testing_count("select count(told_xid) from message where id = '%s'", id),
                         is_own ? 1 : 0);
        assert_int_equal(message_testing_count(
                             "select count(*) from event_log e where subject_id = '%s' and xid is not null"
                             " and occurred_at between now() - interval '1 minute' and now()"
                             " and event_data(type, data) @> '{\"actor\": \"%s\", \"%s\": \"%s\","
                             " \"category\": \"otp\", \"reference\": \"ours\", \"tags\": [\"blue\"]}'",
                             id, is_person ? "person" : "api-key", is_person ? "person_id" : "key_id",
                             id_print(is_person ? ID_PERSON : ID_KEY, messages[i].by.id, asker).ptr),
                         1);
        assert_ok(db_begin(db, acme, &tx));
        assert_ok(event_timeline(&tx, messages[i].id, arena, &events, &count));
        db_rollback(&tx);
        assert_int_equal(count, 1);
        assert_int_equal(events[0].type, is_held ? EVENT_MESSAGE_HELD : EVENT_MESSAGE_ACCEPTED);
        assert_true(slice_contains(events[0].data, slice_text(asker)));
    }
}

static void
note_notice(void *ctx, struct slice channel, struct slice payload UNUSED)
{
    assert_true(slice_eq(channel, SLICE("harkara_webhook")));
    ++*(size_t *)ctx;
}

/* With the answer of what it asks, the notices of what was committed before have come. */
static size_t
notices_of(struct db *listener)
{
    static const struct db_stmt any = { "any", "select $1::uuid" };
    size_t count = 0;
    struct db_tx tx;

    assert_ok(db_begin(listener, acme, &tx));
    assert_ok(db_exec(&tx, &any, DB_NO_ARGS, NULL));
    db_rollback(&tx);
    assert_ok(db_notifications(listener, note_notice, &count));
    return count;
}

static void
whoever_tells_of_messages_is_woken_when_he_rests(void **state UNUSED)
{
    struct db *webhooks = test_cluster_open("harkara_webhooks");

    assert_ok(db_listen(webhooks, "harkara_webhook"));
    assert_ok(accept_one(message_testing_new(acme, acme_channel, MESSAGE_SERVICE)).err);
    assert_int_equal(notices_of(webhooks), 0); /* somebody looks anyway */
    test_cluster_sql("update harkara.consumer_cursor set is_resting = true where consumer = 'webhooks'");
    assert_ok(accept_one(message_testing_new(acme, acme_channel, MESSAGE_SERVICE)).err);
    assert_int_equal(notices_of(webhooks), 1);
    test_cluster_sql("update harkara.consumer_cursor set is_resting = false where consumer = 'webhooks'");
    db_close(webhooks);
}

/* One row that cannot be stored keeps its neighbours from being stored: the committer divides. */
static void
a_batch_with_a_bad_row_stores_nothing(void **state UNUSED)
{
    struct message_new messages[2] = { message_testing_new(acme, acme_channel, MESSAGE_SERVICE),
                                       message_testing_new(acme, acme_channel, MESSAGE_SERVICE) };
    struct message_accepted accepted[2];
    struct id good = messages[0].id;
    char text[ID_UUID_BYTES];

    messages[1].kind = SLICE("a kind whose name is longer than any kind's");
    assert_int_equal(message_accept_batch(db, clock_system(), messages, accepted, 2, arena),
                     ERR_DB_CONSTRAINT);
    id_uuid_print(good, text);
    assert_int_equal(message_testing_count("select count(*) from message where id = '%s'", text), 0);
    assert_ok(accept_one(message_testing_new(acme, acme_channel, MESSAGE_SERVICE)).err);
}

static void
a_connection_lost_while_idle_costs_nobody_an_answer(void **state UNUSED)
{
    assert_ok(accept_one(message_testing_new(acme, acme_channel, MESSAGE_SERVICE)).err);
    assert_int_equal(test_cluster_number("select count(*) filter (where pg_terminate_backend(pid, 5000)) from"
                                         " pg_stat_activity where usename = 'harkara_gateway'"),
                     1);
    assert_ok(accept_one(message_testing_new(acme, acme_channel, MESSAGE_SERVICE)).err);
}

/* No new entry in any index: the four changes of status on a good day are the dearest part of a message's
 * way. */
static void
a_change_of_status_stays_within_its_page(void **state UNUSED)
{
    struct message_accepted accepted = accept_one(message_testing_new(acme, acme_channel, MESSAGE_SERVICE));
    char sql[512], id[ID_UUID_BYTES];

    id_uuid_print(accepted.id, id);
    snprintf(
        sql, sizeof(sql),
        "update message set status = 'sending' where id = '%s'; update message set status = 'sent' where id = '%s';"
        " update message set status = 'delivered' where id = '%s'; select sum(pg_stat_get_xact_tuples_hot_updated("
        "inhrelid)) from pg_inherits where inhparent = 'message'::regclass",
        id, id, id);
    assert_int_equal(test_cluster_number(sql), 3);
    snprintf(sql, sizeof(sql),
             "update message set status = 'failed' where id = '%s'; select count(*) from message"
             " where id = '%s' and rare_status = 'failed'",
             id, id);
    assert_int_equal(test_cluster_number(sql), 1);
}

static int64_t
index_entries_read(const char *index)
{
    static const struct db_stmt flush = { "flush_stats",
                                          "select pg_stat_force_next_flush() where $1 is not null" };
    char sql[128];
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(db_exec(&tx, &flush, DB_NO_ARGS, NULL));
    assert_ok(db_commit(&tx));
    snprintf(sql, sizeof(sql), "select pg_stat_get_tuples_returned('%s'::regclass)", index);
    return test_cluster_number(sql);
}

/* However many have written: of their windows the one is read that counts. */
static void
a_message_looks_at_no_windows_but_its_own(void **state UNUSED)
{
    struct id channel = message_testing_channel(acme);
    char tenant[ID_UUID_BYTES], id[ID_UUID_BYTES], sql[1024];

    id_uuid_print(acme, tenant);
    id_uuid_print(channel, id);
    snprintf(
        sql, sizeof(sql),
        "insert into whatsapp_channel select '%s', '%s', '1', '78', '+1', ''::bytea, z, t, 1, 1, '', z, t,"
        " 1, 1, '', z, t, 1, 1 from (select decode(repeat('00', 12), 'hex') z,"
        " decode(repeat('00', 16), 'hex') t) v; insert into channel_window select '%s', '%s',"
        " decode(md5(n::text) || md5(n::text), 'hex'), now() - interval '1 hour', null, null from"
        " generate_series(1, 1000) n; analyze channel_window",
        tenant, id, tenant, id);
    test_cluster_sql(sql);
    assert_ok(accept_one(message_testing_new(acme, channel, MESSAGE_SERVICE)).err); /* and plans it anew */
    const int64_t before = index_entries_read("channel_window_pkey");
    assert_ok(accept_one(message_testing_new(acme, channel, MESSAGE_SERVICE)).err);
    assert_in_range(index_entries_read("channel_window_pkey") - before, 0, 2);
}

static void
a_filtered_list_finds_and_pages(void **state UNUSED)
{
    struct id channel = message_testing_channel(acme), ids[5];
    struct message_filter filter = { .channel = channel };
    struct message *found;
    size_t count;
    struct db_tx tx;

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct message_new message =
            message_testing_new(acme, channel, i == 2 ? MESSAGE_PROMOTIONAL : MESSAGE_SERVICE);
        message.reference = i == 3 ? SLICE("third") : SLICE_EMPTY;
        message.sealed = message_testing_sealed(i == 4 ? "+4915" : "+4916");
        ids[i] = message_testing_accept(db, &message);
    }
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(message_list(&tx, &filter, 2, arena, &found, &count));
    assert_int_equal(count, 3); /* one more, to tell that more follow */
    assert_true(id_eq(found[0].id, ids[4]));
    assert_true(id_eq(found[1].id, ids[3]));
    filter.cursor = found[1].id;
    assert_ok(message_list(&tx, &filter, 10, arena, &found, &count));
    assert_int_equal(count, 3);
    assert_true(id_eq(found[0].id, ids[2]));
    assert_int_equal(found[0].category, MESSAGE_PROMOTIONAL);
    filter = (struct message_filter){ .channel = channel, .reference = SLICE("third") };
    assert_ok(message_list(&tx, &filter, 10, arena, &found, &count));
    assert_int_equal(count, 1);
    assert_true(slice_eq(found[0].reference, SLICE("third")));
    filter = (struct message_filter){ .channel = channel, .has_peer = true };
    memcpy(filter.peer_index, "+4915", 5);
    assert_ok(message_list(&tx, &filter, 10, arena, &found, &count));
    assert_int_equal(count, 1);
    filter = (struct message_filter){ .channel = channel,
                                      .statuses = { MESSAGE_FAILED, MESSAGE_SENT },
                                      .status_count = 2 };
    assert_ok(message_list(&tx, &filter, 10, arena, &found, &count));
    assert_int_equal(count, 0);
    filter =
        (struct message_filter){ .channel = channel, .has_before = true, .created_before = id_time(ids[0]) };
    assert_ok(message_list(&tx, &filter, 10, arena, &found, &count));
    assert_int_equal(count, 0);
    db_rollback(&tx);
    assert_ok(db_begin(db, bolt, &tx));
    filter = (struct message_filter){ .channel = channel };
    assert_ok(message_list(&tx, &filter, 10, arena, &found, &count));
    assert_int_equal(count, 0); /* another tenant's */
    struct message one;
    assert_int_equal(message_get(&tx, ids[0], arena, &one), ERR_NOT_FOUND);
    db_rollback(&tx);
}

/* Whoever is limited to channels finds theirs alone, whatever else the filter says. */
static void
a_list_for_some_channels_leaves_the_others_out(void **state UNUSED)
{
    const struct id ours = message_testing_channel(acme), theirs = message_testing_channel(acme);
    struct message_new sent[] = { message_testing_new(acme, ours, MESSAGE_SERVICE),
                                  message_testing_new(acme, theirs, MESSAGE_SERVICE) };
    const struct message_filter filters[] = {
        { .channels = &ours, .channel_count = 1 },
        { .channels = &ours, .channel_count = 1, .channel = theirs },
        { .channels = &ours, .channel_count = 1, .reference = SLICE("one") },
        { .channels = &ours, .channel_count = 0 },
    };
    static const size_t expected[] = { 1, 0, 1, 0 };
    struct message *found;
    struct db_tx tx;
    size_t count;

    for (size_t i = 0; i < COUNT_OF(sent); i++) {
        sent[i].reference = SLICE("one");
        (void)message_testing_accept(db, &sent[i]);
    }
    assert_ok(db_begin(db, acme, &tx));
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        assert_ok(message_list(&tx, &filters[i], 100, arena, &found, &count));
        assert_int_equal(count, expected[i]);
        for (size_t m = 0; m < count; m++)
            assert_true(id_eq(found[m].channel, ours));
    }
    db_rollback(&tx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(
    TEST(an_accepted_message_is_stored_queued_and_told), TEST(a_batch_of_several_tenants_commits_together),
    TEST(outside_of_a_known_window_only_templates_are_accepted),
    TEST(a_foreign_or_unknown_channel_refuses_only_its_own_message), TEST(a_paused_channel_takes_nothing),
    TEST(the_same_key_and_request_give_the_same_message), TEST(the_same_key_with_another_request_is_refused),
    TEST(a_key_belongs_to_its_tenant), TEST(a_replay_does_not_ask_for_the_channel_again),
    TEST(a_refused_message_does_not_use_up_its_key), TEST(each_row_of_a_mixed_batch_gets_its_own_answer),
    TEST(what_only_some_have_is_stored_with_those), TEST(a_message_knows_what_it_was_sent_again_as),
    TEST(every_row_goes_to_its_own_channel), TEST(every_message_is_told_once_as_its_own_event_or_by_one),
    TEST(whoever_tells_of_messages_is_woken_when_he_rests), TEST(a_batch_with_a_bad_row_stores_nothing),
    TEST(a_connection_lost_while_idle_costs_nobody_an_answer), TEST(a_change_of_status_stays_within_its_page),
    TEST(a_message_looks_at_no_windows_but_its_own), TEST(a_filtered_list_finds_and_pages),
    TEST(a_list_for_some_channels_leaves_the_others_out))
