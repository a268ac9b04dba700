/* Customer-service windows in the tables, against a real PostgreSQL. */
#include "domain/channel/channel.h"
#include "domain/channel/channel_window.h"
#include "platform/db/test_pair.h"
#include <stdio.h>

#define HOUR_US (INT64_C(3600) * 1000000)

static struct id channel;
static const struct slice peer = { "peer-index-of-thirty-two-bytes--", 32 };

static int
opened(void **state UNUSED)
{
    struct db_tx tx;
    struct channel made;

    test_pair_open("delete from channel_window; delete from whatsapp_channel; delete from dispatch_lane;"
                   "delete from event; delete from channel");
    struct channel_new with = { .id = id_new(clock_system()),
                                .name = SLICE("Support"),
                                .waba_id = SLICE("1"),
                                .phone_number_id = SLICE("2"),
                                .display_phone_number = SLICE("+1 555") };
    for (unsigned i = 0; i < CHANNEL_CREDENTIALS; i++)
        with.sealed[i] = (struct vault_sealed){ .cipher = SLICE("x"), .key_version = 1 };
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_create(&tx, clock_system(), &with, arena, &made));
    assert_ok(db_commit(&tx));
    channel = made.id;
    return 0;
}

static struct wall_time
hours_ago(int64_t hours)
{
    return (struct wall_time){ clock_wall(clock_system()).us - hours * HOUR_US };
}

static void
wrote(struct wall_time at, bool is_referred)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_windows_open(&tx, &(struct channel_window_opening){ channel, peer, at, is_referred }, 1,
                                   arena));
    assert_ok(db_commit(&tx));
}

static void
answered(struct wall_time at)
{
    struct channel_window_answer answers[] = { { channel, peer, at },
                                               { channel, peer, { at.us + HOUR_US } },
                                               { channel, SLICE("another-index-of-thirty-two-byte"), at } };
    struct db_tx tx;

    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(channel_window_answered(&tx, answers, COUNT_OF(answers), arena));
    assert_ok(db_commit(&tx));
}

static struct channel_window
window_of(struct id tenant)
{
    struct channel_window window;
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(channel_window_read(&tx, channel, peer, &window));
    assert_ok(db_commit(&tx));
    return window;
}

static bool
is_over(void)
{
    char id[ID_UUID_BYTES], tenant[ID_UUID_BYTES], sql[512];

    id_uuid_print(channel, id);
    id_uuid_print(acme, tenant);
    snprintf(sql, sizeof(sql), "select window_is_over('%s', '%s', convert_to('%.*s', 'UTF8'))::int", tenant,
             id, SLICE_FMT(peer));
    return test_cluster_number(sql) == 1;
}

static void
a_message_opens_twenty_four_hours_that_no_older_one_shortens(void **state UNUSED)
{
    struct wall_time at = hours_ago(1);

    assert_false(window_of(acme).is_known);
    wrote(at, false);
    wrote(hours_ago(30), false); /* it came late */
    struct channel_window window = window_of(acme);
    assert_true(window.is_known && !window.has_free_entry);
    assert_int_equal(window.window_until.us, at.us + 24 * HOUR_US);
    assert_false(window_of(bolt).is_known);
}

/* Nothing is known of who never wrote; of who did, only what is five minutes past. */
static void
only_a_known_window_that_has_ended_is_over(void **state UNUSED)
{
    assert_false(is_over());
    wrote((struct wall_time){ hours_ago(24).us - 240 * INT64_C(1000000) }, false);
    assert_false(is_over());
    test_cluster_sql("update channel_window set window_until = now() - interval '301 seconds'");
    assert_true(is_over());
    test_cluster_sql("update channel_window set free_until = now() + interval '1 hour'");
    assert_false(is_over());
    test_cluster_sql("update channel_window set free_until = now() - interval '1 hour'");
    assert_true(is_over());
    test_cluster_sql("update whatsapp_channel set window_check = 'off'");
    assert_false(is_over());
}

static void
the_first_answer_to_a_referral_opens_seventy_two_hours(void **state UNUSED)
{
    struct wall_time at = hours_ago(2);

    wrote(hours_ago(3), false);
    answered(at);
    assert_false(window_of(acme).has_free_entry); /* no referral, nothing free */
    wrote(hours_ago(3), true);
    answered(at);
    assert_int_equal(window_of(acme).free_until.us, at.us + 72 * HOUR_US);
    answered(hours_ago(0)); /* only the first counts */
    assert_int_equal(window_of(acme).free_until.us, at.us + 72 * HOUR_US);
}

static void
an_answer_after_a_day_opens_nothing(void **state UNUSED)
{
    wrote(hours_ago(26), true);
    answered(hours_ago(1));
    assert_false(window_of(acme).has_free_entry);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_opens_twenty_four_hours_that_no_older_one_shortens),
        TEST(only_a_known_window_that_has_ended_is_over),
        TEST(the_first_answer_to_a_referral_opens_seventy_two_hours),
        TEST(an_answer_after_a_day_opens_nothing),
    };

    return cmocka_run_group_tests(tests, test_cluster_setup, test_cluster_teardown);
}
