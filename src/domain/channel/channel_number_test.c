/* What is known of a number: what a sync or a notice leaves, and what is told of it. */
#include "core/log.h"
#include "domain/channel/channel_number.h"
#include "platform/db/test_cluster.h"
#include <stdio.h>

static struct db *db;
static struct arena *arena;
static struct id acme, channel;

static int
opened(void **state UNUSED)
{
    char sql[256], t[ID_UUID_BYTES], c[ID_UUID_BYTES];

    if (id_is_zero(acme))
        acme = test_cluster_tenant("acme");
    test_cluster_sql("delete from event; delete from whatsapp_number; delete from channel");
    channel = id_new(clock_system());
    id_uuid_print(acme, t);
    id_uuid_print(channel, c);
    snprintf(sql, sizeof(sql),
             "insert into channel (tenant_id, id, kind, name) values ('%s', '%s', 'whatsapp', 'c')", t, c);
    test_cluster_sql(sql);
    db = test_cluster_open("harkara_dispatcher");
    arena = arena_new(4u << 20);
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
store(struct channel_number_news news)
{
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(channel_number_store(&tx, clock_system(), channel, &news, arena));
    assert_ok(db_commit(&tx));
}

static struct channel_number
get(void)
{
    struct channel_number number;
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(channel_number_get(&tx, channel, arena, &number));
    assert_ok(db_commit(&tx));
    return number;
}

static struct channel_number
synced(const char *quality, const char *limit)
{
    return (struct channel_number){ .is_synced = true,
                                    .synced_at = clock_wall(clock_system()),
                                    .facts = { [CHANNEL_NUMBER_QUALITY_RATING] = slice_text(quality),
                                               [CHANNEL_NUMBER_MESSAGING_LIMIT] = slice_text(limit) } };
}

static struct channel_number_news
sync_news(const char *quality, const char *limit)
{
    return (struct channel_number_news){ .number = synced(quality, limit),
                                         .source = "sync",
                                         .tells = EVENT_TYPE_COUNT };
}

static void
nothing_is_known_before_the_first_look(void **state UNUSED)
{
    struct channel_number number;
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_int_equal(channel_number_get(&tx, channel, arena, &number), ERR_NOT_FOUND);
    db_rollback(&tx);
    assert_null(number.facts[CHANNEL_NUMBER_QUALITY_RATING].ptr);
}

static void
the_first_look_tells_nothing_and_a_change_tells_what_changed(void **state UNUSED)
{
    store(sync_news("green", "tier_250"));
    assert_int_equal(test_cluster_number("select count(*) from event"), 0);
    store(sync_news("green", "tier_250"));
    assert_int_equal(test_cluster_number("select count(*) from event"), 0);
    store(sync_news("yellow", "tier_2k"));
    assert_int_equal(test_cluster_number(
                         "select count(*) from event where type = 'channel.quality' and data ="
                         " '{\"source\":\"sync\",\"changes\":{\"quality_rating\":{\"previous\":\"green\","
                         "\"current\":\"yellow\"},\"messaging_limit\":{\"previous\":\"tier_250\",\"current\":"
                         "\"tier_2k\"}}}'"),
                     1);
    assert_int_equal(test_cluster_number("select count(*) from event"), 1);
    assert_true(slice_eq(get().facts[CHANNEL_NUMBER_QUALITY_RATING], SLICE("yellow")));
}

static void
a_notice_is_told_even_when_nothing_is_new(void **state UNUSED)
{
    struct channel_number_news notice = { .number = { .facts = { [CHANNEL_NUMBER_MESSAGING_LIMIT] =
                                                                     SLICE("tier_2k") } },
                                          .source = "quality_update",
                                          .tells = EVENT_CHANNEL_QUALITY,
                                          .extra = SLICE(",\"notice\":\"upgrade\"") };

    store(notice);
    assert_int_equal(test_cluster_number("select count(*) from event where data->>'notice' = 'upgrade' and"
                                         " data->'changes'->'messaging_limit'->>'current' = 'tier_2k' and"
                                         " data->'changes'->'messaging_limit'->'previous' = 'null'"),
                     1);
    store(notice);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from event where type = 'channel.quality' and data->'changes' = '{}'"),
        1);
}

/* A notice speaks of one fact; a look that finds no request for a name knows that there is none. */
static void
what_is_not_said_stays_but_for_a_request_that_is_over(void **state UNUSED)
{
    struct channel_number_news asked = {
        .number = { .facts = { [CHANNEL_NUMBER_REQUESTED_NAME] = SLICE("New"),
                               [CHANNEL_NUMBER_REQUESTED_STATUS] = SLICE("pending") } },
        .source = "name_review",
        .tells = EVENT_TYPE_COUNT
    };

    store(sync_news("green", "tier_250"));
    store(asked);
    struct channel_number number = get();
    assert_true(slice_eq(number.facts[CHANNEL_NUMBER_QUALITY_RATING], SLICE("green")));
    assert_true(slice_eq(number.facts[CHANNEL_NUMBER_REQUESTED_NAME], SLICE("New")));
    assert_true(number.is_synced);
    store(sync_news("green", "tier_250"));
    assert_null(get().facts[CHANNEL_NUMBER_REQUESTED_NAME].ptr);
}

/* 64 octets would end in the middle of a character. */
static void
a_word_that_is_too_long_is_cut_between_characters(void **state UNUSED)
{
    static const char ratings[] =
        "gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg\xE2\x82\xAC";

    assert_int_equal(sizeof(ratings) - 1, 65);
    store(sync_news(ratings, "tier_250"));
    assert_int_equal(get().facts[CHANNEL_NUMBER_QUALITY_RATING].len, 62);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(nothing_is_known_before_the_first_look),
             TEST(the_first_look_tells_nothing_and_a_change_tells_what_changed),
             TEST(a_notice_is_told_even_when_nothing_is_new),
             TEST(what_is_not_said_stays_but_for_a_request_that_is_over),
             TEST(a_word_that_is_too_long_is_cut_between_characters))
