/* Whatever order a provider's reports come in, and however often: the same end, and the same facts told,
 * once. */
#include "domain/message/message_queue.h"
#include "domain/message/message_testing.h"
#include <stdio.h>

#define SEED        20261122u
#define REPORTS_MAX 12u
#define ORDERS      4u  /* of each choice of reports */
#define CHOICES     31u /* of five kinds of report, all but none */

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

static void
report(struct id message, enum message_status status)
{
    struct message_report report = { .message = message,
                                     .channel = channel,
                                     .status = status,
                                     .at = clock_wall(clock_system()),
                                     .provider_id = SLICE("wamid.1"),
                                     .error_code = SLICE("whatsapp-131026"),
                                     .error_title = SLICE("A \"title\"."),
                                     .error_class = "permanent" };
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
        right +=
            message_testing_count(
                "select count(*) from harkara.event where subject_id = '%s' and data->>'actor' = 'provider'"
                " and coalesce(data->'report'->>'status', data->>'status') = '%s'",
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

static void
any_order_and_repetition_ends_alike_and_tells_each_fact_once(void **state UNUSED)
{
    static const enum message_status kinds[] = { MESSAGE_SENT, MESSAGE_DELIVERED, MESSAGE_READ,
                                                 MESSAGE_FAILED, MESSAGE_EXPIRED };

    fprintf(stderr, "# seed %u\n", SEED);
    for (unsigned choice = 1; choice <= CHOICES; choice++)
        for (unsigned order = 0; order < ORDERS; order++) {
            enum message_status reports[REPORTS_MAX];
            size_t count = 0;
            unsigned facts = 0;
            for (unsigned kind = 0; kind < COUNT_OF(kinds); kind++)
                if ((choice & (1u << kind)) != 0) {
                    facts |= message_facts_of(kinds[kind]);
                    for (unsigned times = 1 + roll(2); times > 0; times--)
                        reports[count++] = kinds[kind];
                }
            for (size_t i = count; i > 1; i--) { /* Fisher and Yates */
                size_t other = roll((uint32_t)i);
                enum message_status moved = reports[i - 1];
                reports[i - 1] = reports[other];
                reports[other] = moved;
            }
            struct message_new message = message_testing_new(acme, channel, MESSAGE_SERVICE);
            struct id id = message_testing_accept(db, &message);
            for (size_t i = 0; i < count; i++)
                report(id, reports[i]);
            if (told(id, end_of(facts), facts) != 6)
                fail_msg("choice %u, order %u of seed %u", choice, order, SEED);
            arena_reset(arena);
        }
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

CLUSTER_MAIN(cmocka_unit_test_setup_teardown(any_order_and_repetition_ends_alike_and_tells_each_fact_once,
                                             opened, closed),
             cmocka_unit_test_setup_teardown(what_changes_nothing_is_told_with_the_status_that_stays, opened,
                                             closed))
