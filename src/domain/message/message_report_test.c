/* Whatever order a provider's reports come in, and however often: the same end, and the same facts told,
 * once. */
#include "domain/message/message_queue.h"
#include "domain/message/message_report.h"
#include "domain/message/message_testing.h"
#include <pthread.h>
#include <stdio.h>

#define SEED        20261122u
#define REPORTS_MAX 12u
#define ORDERS      4u  /* of each choice of reports */
#define CHOICES     31u /* of five kinds of report, all but none */
#define TOGETHER    (CHOICES * REPORTS_MAX)

static struct db *db;
static struct arena *arena;
static struct id acme, channel;
static uint32_t dice = SEED;

static uint32_t
roll(uint32_t sides)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 8) % sides;
}

static int
opened(void **state UNUSED)
{
    if (id_is_zero(acme))
        acme = test_cluster_tenant("acme");
    channel = message_testing_channel(acme);
    db = test_cluster_open("harkara_gateway");
    arena = arena_new(32u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    arena_free(arena);
    return 0;
}

static struct message_report
report_of(struct id message, enum message_status status)
{
    return (struct message_report){ .message = message,
                                    .channel = channel,
                                    .status = status,
                                    .at = clock_wall(clock_system()),
                                    .provider_id = SLICE("wamid.1"),
                                    .error_code = SLICE("whatsapp-131026"),
                                    .error_title = SLICE("A \"title\"."),
                                    .error_class = "permanent" };
}

static void
report(struct id message, enum message_status status)
{
    struct message_report report = report_of(message, status);
    bool has_moved;
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(message_report_apply(&tx, clock_system(), &report, arena, &has_moved));
    assert_ok(db_commit(&tx));
}

/* "delivered: delivered failed sent": the end, and the facts, in one word order. */
static int64_t
told(struct id message, const char *status, unsigned facts)
{
    static const char *const words[] = { "sent", "delivered", "read", "failed", "expired" };
    char id[ID_UUID_BYTES];

    id_uuid_print(message, id);
    int64_t right = message_testing_count(
        "select count(*) from harkara.message where id = '%s' and status = '%s'", id, status);
    for (unsigned bit = 0; bit < COUNT_OF(words); bit++) /* each fact once or not at all */
        right += message_testing_count(
                     "select count(*) from harkara.event where subject_id = '%s' and"
                     " harkara.event_data(type, data)->>'actor' = 'provider' and"
                     " coalesce(data->'report'->>'status', harkara.event_data(type, data)->>'status') = '%s'",
                     id, words[bit]) == ((facts >> bit) & 1u);
    return right;
}

static const char *
end_of(unsigned facts)
{
    return (facts & MESSAGE_FACT_READ) != 0        ? "read"
           : (facts & MESSAGE_FACT_DELIVERED) != 0 ? "delivered"
           : (facts & MESSAGE_FACT_FAILED) != 0    ? "failed"
           : (facts & MESSAGE_FACT_EXPIRED) != 0   ? "expired"
                                                   : "sent";
}

/* Some of the five kinds, each once or twice, in any order. */
static size_t
draw(unsigned choice, enum message_status *reports, unsigned *facts_out)
{
    static const enum message_status kinds[] = { MESSAGE_SENT, MESSAGE_DELIVERED, MESSAGE_READ,
                                                 MESSAGE_FAILED, MESSAGE_EXPIRED };
    size_t count = 0;

    *facts_out = 0;
    for (unsigned kind = 0; kind < COUNT_OF(kinds); kind++)
        if ((choice & (1u << kind)) != 0) {
            *facts_out |= message_facts_of(kinds[kind]);
            for (unsigned times = 1 + roll(2); times > 0; times--)
                reports[count++] = kinds[kind];
        }
    for (size_t i = count; i > 1; i--) { /* Fisher and Yates */
        size_t other = roll((uint32_t)i);
        enum message_status moved = reports[i - 1];
        reports[i - 1] = reports[other];
        reports[other] = moved;
    }
    return count;
}

static void
any_order_and_repetition_ends_alike_and_tells_each_fact_once(void **state UNUSED)
{
    fprintf(stderr, "# seed %u\n", SEED);
    for (unsigned choice = 1; choice <= CHOICES; choice++)
        for (unsigned order = 0; order < ORDERS; order++) {
            enum message_status reports[REPORTS_MAX];
            unsigned facts = 0;
            size_t count = draw(choice, reports, &facts);
            struct message_new message = message_testing_new(acme, channel, MESSAGE_SERVICE);
            struct id id = message_testing_accept(db, &message);
            for (size_t i = 0; i < count; i++)
                report(id, reports[i]);
            if (told(id, end_of(facts), facts) != 6)
                fail_msg("choice %u, order %u of seed %u", choice, order, SEED);
            arena_reset(arena);
        }
}

/* In one transaction: those that can be applied together, then what was left. */
static void
report_together(struct message_report_item *items, size_t count)
{
    struct db_tx tx;
    bool has_moved;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(message_reports_apply(&tx, clock_system(), items, count, arena));
    for (size_t i = 0; i < count; i++)
        if (!items[i].is_settled)
            assert_ok(message_report_apply(&tx, clock_system(), items[i].report, arena, &has_moved));
    assert_ok(db_commit(&tx));
}

/* The same, said of many messages at once, mixed. */
static void
many_reports_at_once_end_as_one_by_one(void **state UNUSED)
{
    static struct message_report reports[TOGETHER];
    static struct message_report_item items[TOGETHER];
    struct id ids[CHOICES + 1];
    unsigned facts[CHOICES + 1];
    size_t count = 0, together = 0;

    for (unsigned choice = 1; choice <= CHOICES; choice++) {
        struct message_new message = message_testing_new(acme, channel, MESSAGE_SERVICE);
        enum message_status drawn[REPORTS_MAX];
        ids[choice] = message_testing_accept(db, &message);
        size_t of = draw(choice, drawn, &facts[choice]);
        for (size_t i = 0; i < of; i++)
            reports[count++] = report_of(ids[choice], drawn[i]);
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = roll((uint32_t)i);
        struct message_report moved = reports[i - 1];
        reports[i - 1] = reports[other];
        reports[other] = moved;
    }
    for (size_t i = 0; i < count; i++)
        items[i] = (struct message_report_item){ .report = &reports[i] };
    report_together(items, count);
    for (size_t i = 0; i < count; i++)
        together += items[i].is_settled;
    assert_true(together > 0 && together < count); /* both ways were taken */
    for (unsigned choice = 1; choice <= CHOICES; choice++)
        if (told(ids[choice], end_of(facts[choice]), facts[choice]) != 6)
            fail_msg("choice %u of seed %u", choice, SEED);
    report_together(items, count); /* all of it once more: nothing is told twice */
    for (unsigned choice = 1; choice <= CHOICES; choice++)
        if (told(ids[choice], end_of(facts[choice]), facts[choice]) != 6)
            fail_msg("choice %u of seed %u, repeated", choice, SEED);
}

static void
a_report_that_comes_with_others_takes_the_message_out_of_the_queue(void **state UNUSED)
{
    struct message_new one = message_testing_new(acme, channel, MESSAGE_SERVICE);
    struct message_new other = message_testing_new(acme, channel, MESSAGE_SERVICE);
    struct id ids[] = { message_testing_accept(db, &one), message_testing_accept(db, &other) };
    struct message_report reports[] = { report_of(ids[0], MESSAGE_SENT), report_of(ids[1], MESSAGE_READ),
                                        report_of(id_new(clock_system()), MESSAGE_READ) };
    struct message_pricing price = { .is_billable = true, .model = SLICE("PMP") };
    struct message_report_item items[] = { { .report = &reports[0], .pricing = &price },
                                           { .report = &reports[1], .pricing = &price },
                                           { .report = &reports[2] } };
    struct id found;
    unsigned sender;
    struct db_tx tx;
    char a[ID_UUID_BYTES], b[ID_UUID_BYTES];

    reports[1].provider_id = SLICE("wamid.2");
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(message_reports_apply(&tx, clock_system(), items, 3, arena));
    assert_ok(message_by_provider_id(&tx, channel, SLICE("wamid.2"), &found, &sender));
    assert_ok(db_commit(&tx));
    assert_true(id_eq(found, ids[1]));
    assert_true(items[0].is_settled && items[1].is_settled);
    assert_false(
        items[2].is_settled); /* there is no such message: somebody else has to say what that means */
    id_uuid_print(ids[0], a);
    id_uuid_print(ids[1], b);
    assert_int_equal(
        message_testing_count("select count(*) from dispatch_queue where message_id in ('%s', '%s')", a, b),
        0);
    assert_int_equal(message_testing_count("select count(*) from message where id in ('%s', '%s') and"
                                           " pricing->>'model' = 'PMP' and provider_id like 'wamid.%%'",
                                           a, b),
                     2);
    assert_int_equal(message_testing_count("select count(*) from event where subject_id in ('%s', '%s')"
                                           " and data->'pricing'->>'model' = 'PMP'",
                                           a, b),
                     4); /* sent; sent, delivered, read */
}

static void
what_changes_nothing_is_told_with_the_status_that_stays(void **state UNUSED)
{
    struct message_new message = message_testing_new(acme, channel, MESSAGE_SERVICE);
    struct id id = message_testing_accept(db, &message);
    char text[ID_UUID_BYTES];

    report(id, MESSAGE_DELIVERED);
    report(id, MESSAGE_FAILED);
    id_uuid_print(id, text);
    message_testing_assert_status(id, "delivered");
    assert_int_equal(
        message_testing_count(
            "select count(*) from harkara.event where subject_id = '%s' and type = 'message.reported'"
            " and data->>'status' = 'delivered' and data->'report'->>'status' = 'failed'"
            " and data->'report'->'error'->>'title' = 'A \"title\".' and data->>'error' is null",
            text),
        1);
}

static struct id
sent_message(const char *change)
{
    struct message_new message = message_testing_new(acme, channel, MESSAGE_OTP);
    struct id id = message_testing_accept(db, &message);
    char text[ID_UUID_BYTES], sql[512];

    id_uuid_print(id, text);
    snprintf(sql, sizeof(sql), "update harkara.message set status = 'sending'%s where id = '%s'", change,
             text);
    test_cluster_sql(sql);
    return id;
}

/* What is not stored with each event is told all the same, and what differs is. */
static void
together_they_tell_what_each_would_tell_by_itself(void **state UNUSED)
{
    static const enum message_status statuses[] = { MESSAGE_SENT, MESSAGE_DELIVERED, MESSAGE_READ };
    static const char *const changes[] = {
        ", attempt_count = 1", ", attempt_count = 2", ", attempt_count = 1, reference = 'a word'",
        ", attempt_count = 1, tags = '{a,b}'",
        ", attempt_count = 1, error_code = 'x', error_title = 'y', error_class = 'retry'"
    };
    const struct message_pricing pricing = { .is_billable = true, .model = SLICE("PMP") };
    struct id alone[COUNT_OF(changes)], together[COUNT_OF(changes)];
    struct message_report reports[COUNT_OF(changes)];
    struct message_report_item items[COUNT_OF(changes)];
    char a[ID_UUID_BYTES], b[ID_UUID_BYTES];
    bool has_moved;
    struct db_tx tx;

    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        alone[i] = sent_message(changes[i]);
        together[i] = sent_message(changes[i]);
    }
    for (size_t s = 0; s < COUNT_OF(statuses); s++) {
        assert_ok(db_begin(db, acme, &tx));
        for (size_t i = 0; i < COUNT_OF(changes); i++) {
            reports[i] = report_of(alone[i], statuses[s]);
            if (statuses[s] == MESSAGE_DELIVERED)
                assert_ok(message_pricing_keep(&tx, alone[i], channel, &pricing, arena));
            assert_ok(message_report_apply(&tx, clock_system(), &reports[i], arena, &has_moved));
            reports[i] = report_of(together[i], statuses[s]);
            items[i] =
                (struct message_report_item){ .report = &reports[i],
                                              .pricing = statuses[s] == MESSAGE_DELIVERED ? &pricing : NULL };
        }
        assert_ok(message_reports_apply(&tx, clock_system(), items, COUNT_OF(changes), arena));
        assert_ok(db_commit(&tx));
    }
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        id_uuid_print(alone[i], a);
        id_uuid_print(together[i], b);
        assert_int_equal(
            message_testing_count(
                "select count(*) from event e join event f on f.type = e.type and event_data(f.type, f.data) ="
                " event_data(e.type, e.data) and f.channel_id = e.channel_id where e.subject_id = '%s' and"
                " f.subject_id = '%s' and e.type = any ('{message.sent,message.delivered,message.read}')",
                a, b),
            3);
    }
    id_uuid_print(together[0], b);
    assert_int_equal(message_testing_count("select count(*) from event where subject_id = '%s' and data ="
                                           " '{\"category\": \"otp\", \"provider_id\": \"wamid.1\","
                                           " \"pricing\": {\"model\": \"PMP\", \"billable\": true}}'",
                                           b),
                     2);
}

struct late {
    struct id message;
    bool is_together;
};

static void *
report_late(void *ctx)
{
    const struct late *late = ctx;
    struct message_report told = report_of(late->message, MESSAGE_DELIVERED);
    struct message_report_item item = { .report = &told };
    struct db_tx tx;
    bool has_moved = false;

    assert_ok(db_begin(db, acme, &tx));
    if (late->is_together)
        assert_ok(message_reports_apply(&tx, clock_system(), &item, 1, arena));
    else
        assert_ok(message_report_apply(&tx, clock_system(), &told, arena, &has_moved));
    assert_ok(db_commit(&tx));
    return NULL;
}

/* Who sends has the queue's row, and takes the message next: in another order each would wait for the other.
 */
static void
a_report_waits_for_who_sends_before_it_takes_the_message(void **state UNUSED)
{
    for (int together = 0; together < 2; together++) {
        struct message_new new = message_testing_new(acme, channel, MESSAGE_SERVICE);
        struct late late = { message_testing_accept(db, &new), together == 1 };
        char id[ID_UUID_BYTES], statement[256];
        pthread_t reporter;

        id_uuid_print(late.message, id);
        test_cluster_sql("begin");
        snprintf(statement, sizeof(statement), "delete from harkara.dispatch_queue where message_id = '%s'",
                 id);
        test_cluster_sql(statement);
        assert_int_equal(pthread_create(&reporter, NULL, report_late, &late), 0);
        while (message_testing_count("select count(*) from pg_locks where not granted") == 0)
            ;
        snprintf(statement, sizeof(statement),
                 "do $$ begin perform 1 from harkara.message where id = '%s' for update nowait; end $$", id);
        test_cluster_sql(statement); /* fails when the report holds it */
        test_cluster_sql("commit");
        assert_int_equal(pthread_join(reporter, NULL), 0);
        message_testing_assert_status(late.message, "delivered");
    }
}

/* Also in a new month, of whose table the planner knows nothing. */
static void
a_report_reads_the_messages_that_it_is_about(void **state UNUSED)
{
    struct message_report_item items[2] = { 0 };
    struct message_report reports[2];
    struct db_tx tx;

    for (size_t i = 0; i < COUNT_OF(items); i++) {
        struct message_new new = message_testing_new(acme, channel, MESSAGE_SERVICE);
        reports[i] = report_of(message_testing_accept(db, &new), MESSAGE_DELIVERED);
        items[i].report = &reports[i];
    }
    message_testing_crowd(reports[0].message, 20000);
    assert_ok(db_begin(db, acme, &tx));
    int64_t before = message_testing_rows_read(&tx, "message\\_2%");
    assert_ok(message_reports_apply(&tx, clock_system(), items, COUNT_OF(items), arena));
    assert_in_range(message_testing_rows_read(&tx, "message\\_2%") - before, COUNT_OF(items), 50);
    assert_ok(db_commit(&tx));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(any_order_and_repetition_ends_alike_and_tells_each_fact_once),
             TEST(many_reports_at_once_end_as_one_by_one),
             TEST(a_report_that_comes_with_others_takes_the_message_out_of_the_queue),
             TEST(what_changes_nothing_is_told_with_the_status_that_stays),
             TEST(together_they_tell_what_each_would_tell_by_itself),
             TEST(a_report_waits_for_who_sends_before_it_takes_the_message),
             TEST(a_report_reads_the_messages_that_it_is_about))
