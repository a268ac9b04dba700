/* Which numbers are asked about, against a real PostgreSQL. */
#include "core/log.h"
#include "platform/db/test_cluster.h"
#include "program/scheduler/number_sync.h"
#include <stdio.h>

static struct db *db;

static int
opened(void **state UNUSED)
{
    test_cluster_sql("delete from provider_task; delete from channel");
    db = test_cluster_open("harkara_scheduler");
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    return 0;
}

static size_t
ask(void)
{
    size_t asked = 0;

    assert_ok(number_sync_ask(db, clock_system(), &asked));
    return asked;
}

static void
channels(const char *slug, const char *state, int age_hours)
{
    char sql[512], tenant[ID_UUID_BYTES];

    id_uuid_print(test_cluster_tenant(slug), tenant);
    snprintf(
        sql, sizeof(sql),
        "insert into channel (tenant_id, id, kind, name, state, created_at) values ('%s', gen_random_uuid(),"
        " 'whatsapp', 'c', '%s', now() - make_interval(hours => %d))",
        tenant, state, age_hours);
    test_cluster_sql(sql);
}

static void
old_active_numbers_of_every_tenant_are_asked_about_once(void **state UNUSED)
{
    channels("one", "active", NUMBER_SYNC_HOURS + 1);
    channels("two", "active", NUMBER_SYNC_HOURS + 1);
    channels("three", "active", NUMBER_SYNC_HOURS - 1);
    channels("four", "broken", 100);
    channels("five", "deleted", 100);
    assert_int_equal(ask(), 2);
    assert_int_equal(test_cluster_number("select count(*) from provider_task t join channel c on c.id ="
                                         " t.channel_id and c.tenant_id = t.tenant_id where t.kind ="
                                         " 'number.sync' and t.state = 'waiting' and c.state = 'active'"),
                     2);
    assert_int_equal(ask(), 0);
}

static void
they_are_asked_about_again_when_the_last_time_is_long_ago(void **state UNUSED)
{
    channels("six", "active", 10);
    assert_int_equal(ask(), 1);
    test_cluster_sql("update provider_task set id = id_at(now() - interval '7 hours'), state = 'done',"
                     " finished_at = now()");
    assert_int_equal(ask(), 1);
}

static void
templates_are_asked_for_once_a_day(void **state UNUSED)
{
    channels("seven", "active", TEMPLATE_SYNC_HOURS + 1);
    assert_int_equal(ask(), 2); /* its number too */
    assert_int_equal(ask(), 0);
    assert_int_equal(test_cluster_number("select count(*) from provider_task where kind = 'template.sync'"),
                     1);
    test_cluster_sql(
        "update provider_task set id = id_at(now() - interval '25 hours') where kind = 'template.sync'");
    assert_int_equal(ask(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(old_active_numbers_of_every_tenant_are_asked_about_once),
             TEST(they_are_asked_about_again_when_the_last_time_is_long_ago),
             TEST(templates_are_asked_for_once_a_day))
