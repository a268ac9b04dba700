/* Tables that have grown are looked at, against a real PostgreSQL. */
#include "platform/db/test_cluster.h"
#include "program/scheduler/grown_tables.h"
#include <libpq-fe.h>
#include <stdio.h>

static struct db *db;
static char tenant[ID_UUID_BYTES];

static int
opened(void **state UNUSED)
{
    size_t before = 1;

    if (tenant[0] == '\0')
        id_uuid_print(test_cluster_tenant("acme"), tenant);
    test_cluster_sql(
        "alter table harkara.dispatch_queue set (autovacuum_enabled = off);"
        " alter table harkara.idempotency_key set (autovacuum_enabled = off)"); /* which does the same */
    db = test_cluster_open("harkara_scheduler");
    while (before > 0) /* what others of the cluster left */
        assert_ok(grown_tables_analyze(db, &before));
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    return 0;
}

/* As the planner knows it, or as it lies in the folder. */
static int64_t
pages(const char *table, bool known)
{
    char sql[256];

    snprintf(sql, sizeof(sql),
             known ? "select relpages from pg_class where oid = 'harkara.%s'::regclass"
                   : "select pg_relation_size('harkara.%s') / 8192",
             table);
    return test_cluster_number(sql);
}

#define QUEUE "dispatch_queue (tenant_id, message_id, channel_id, priority)", ", gen_random_uuid(), 3"
#define KEYS                                                                                                 \
    "idempotency_key (tenant_id, key, fingerprint, message_id)",                                             \
        "::text, decode(repeat('00', 32), 'hex'), gen_random_uuid()"

static void
fill(const char *table, const char *more, unsigned count)
{
    char sql[512];

    snprintf(sql, sizeof(sql),
             "insert into harkara.%s select '%s', gen_random_uuid()%s from generate_series(1, %u)", table,
             tenant, more, count);
    test_cluster_sql(sql);
    test_cluster_sql(
        "select pg_stat_force_next_flush()"); /* a busy connection tells of its rows once a second */
}

static int64_t
rows_known(const char *table)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "select reltuples::bigint from pg_class where oid = 'harkara.%s'::regclass",
             table);
    return test_cluster_number(sql);
}

static void
what_has_grown_is_looked_at_once(void **state UNUSED)
{
    size_t analyzed = 9;

    fill(KEYS, 4000); /* short enough to be read whole */
    assert_ok(grown_tables_analyze(db, &analyzed));
    assert_int_equal(analyzed, 0);
    fill(KEYS, 20000);
    assert_ok(grown_tables_analyze(db, &analyzed));
    assert_int_equal(analyzed, 1);
    assert_int_equal(pages("idempotency_key", true), pages("idempotency_key", false));
    assert_int_equal(rows_known("idempotency_key"), 24000);
    fill(KEYS, 5000); /* a little more is nothing new */
    assert_ok(grown_tables_analyze(db, &analyzed));
    assert_int_equal(analyzed, 0);
}

/* Rows come to where others have gone: the table is no longer than it was. */
static void
a_queue_that_fills_again_is_looked_at(void **state UNUSED)
{
    size_t analyzed = 9;

    fill(QUEUE, 20000);
    assert_ok(grown_tables_analyze(db, &analyzed));
    assert_int_equal(rows_known("dispatch_queue"), 20000);
    test_cluster_sql("delete from harkara.dispatch_queue where message_id <> (select message_id from"
                     " harkara.dispatch_queue order by ctid desc limit 1)");
    test_cluster_sql("select pg_stat_force_next_flush()");
    test_cluster_sql("vacuum analyze harkara.dispatch_queue");
    int64_t before = pages("dispatch_queue", false);
    assert_int_equal(rows_known("dispatch_queue"), 1);
    fill(QUEUE, 15000);
    assert_int_equal(pages("dispatch_queue", false), before);
    assert_ok(grown_tables_analyze(db, &analyzed));
    assert_int_equal(analyzed, 1);
    assert_int_equal(rows_known("dispatch_queue"), 15001);
}

/* Autovacuum, or whoever moves the table just now. */
static void
one_that_is_held_is_passed_by(void **state UNUSED)
{
    PGconn *holder = PQconnectdb(test_cluster_conninfo("postgres"));
    size_t analyzed = 9;

    fill(QUEUE, 60000);
    fill(KEYS, 60000);
    PQclear(PQexec(holder, "begin; lock table harkara.dispatch_queue in share update exclusive mode"));
    int64_t known = rows_known("dispatch_queue");
    assert_ok(grown_tables_analyze(db, &analyzed));
    assert_int_equal(analyzed, 1);
    assert_int_equal(rows_known("dispatch_queue"), known);
    assert_int_equal(pages("idempotency_key", true), pages("idempotency_key", false));
    PQclear(PQexec(holder, "rollback"));
    PQfinish(holder);
    assert_ok(grown_tables_analyze(db, &analyzed));
    assert_int_equal(analyzed, 1);
    assert_in_range(rows_known("dispatch_queue"), known + 60000, known + 60000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(what_has_grown_is_looked_at_once), TEST(a_queue_that_fills_again_is_looked_at),
             TEST(one_that_is_held_is_passed_by))
