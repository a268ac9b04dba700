/* Partitions ahead and the end of what is old, against a real PostgreSQL. */
#include "core/clock.h"
#include "platform/db/test_cluster.h"
#include "program/scheduler/housekeeping.h"
#include <stdio.h>

static struct db *db;
static char tenant[ID_UUID_BYTES];

static int
opened(void **state UNUSED)
{
    if (tenant[0] == '\0')
        id_uuid_print(test_cluster_tenant("acme"), tenant);
    db = test_cluster_open("harkara_scheduler");
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    return 0;
}

static struct housekeeping_result
run(const struct clock *clock)
{
    struct housekeeping_result result;

    assert_ok(housekeeping_run(db, clock, &result));
    return result;
}

static void
old_keys_go_and_young_ones_stay(void **state UNUSED)
{
    char text[512];

    snprintf(
        text, sizeof(text),
        "insert into harkara.idempotency_key (tenant_id, key, fingerprint, message_id, created_at) select '%s', k,"
        " decode(repeat('00', 32), 'hex'), gen_random_uuid(), now() - a from (values ('old', interval '25 hours'),"
        " ('young', interval '23 hours')) v (k, a)",
        tenant);
    test_cluster_sql(text);
    struct housekeeping_result result = run(clock_system());
    assert_true(result.was_leader);
    assert_int_equal(result.keys_removed, 1);
    assert_int_equal(test_cluster_number("select count(*) from harkara.idempotency_key where key = 'young'"),
                     1);
    assert_int_equal(run(clock_system()).keys_removed, 0);
}

static void
what_was_never_interpreted_is_kept(void **state UNUSED)
{
    char text[2048];

    snprintf(
        text, sizeof(text),
        "with stored as (insert into harkara.provider_event (tenant_id, id, channel_id, digest, error, received_at,"
        " key_version, body_ct, body_iv, body_tag) select '%s', gen_random_uuid(), gen_random_uuid(),"
        " sha256(s::text::bytea), case s when 1 then 'json-syntax' end, now() - interval '8 days', 1, '',"
        " decode(repeat('00', 12), 'hex'), decode(repeat('00', 16), 'hex') from generate_series(1, 5) s"
        " returning tenant_id, id, digest) insert into harkara.provider_batch (tenant_id, id, events, due_at, attempt)"
        " select tenant_id, gen_random_uuid(), array_agg(id), now(), 1 from stored"
        " where digest in (sha256('2'), sha256('3')) group by tenant_id",
        tenant);
    test_cluster_sql(text);
    assert_int_equal(run(clock_system()).events_removed, 3);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from harkara.provider_event where digest in (sha256('2'), sha256('3'))"),
        2);
}

/* What has expired, and what an upload left an hour ago; chunks go with it. */
static void
old_media_goes_with_its_chunks(void **state UNUSED)
{
    char text[2048];

    snprintf(
        text, sizeof(text),
        "insert into harkara.media (tenant_id, id, direction, state, mime_type, bytes, expires_at, updated_at)"
        " select '%s', gen_random_uuid(), 'out', s, m, 1, now() + e, now() - u from (values"
        " ('ready', 'a/expired', interval '-1 second', interval '1 day'),"
        " ('ready', 'a/kept', interval '1 hour', interval '1 day'),"
        " ('storing', 'a/left', interval '1 day', interval '61 minutes'),"
        " ('storing', 'a/coming', interval '1 day', interval '59 minutes')) v (s, m, e, u);"
        "insert into harkara.media_chunk select tenant_id, id, 0, 1, '', decode(repeat('00', 12), 'hex'),"
        " decode(repeat('00', 16), 'hex') from harkara.media",
        tenant);
    test_cluster_sql(text);
    assert_int_equal(run(clock_system()).media_removed, 2);
    assert_int_equal(
        test_cluster_number("select count(*) from harkara.media where mime_type in ('a/kept', 'a/coming')"),
        2);
    assert_int_equal(test_cluster_number("select count(*) from harkara.media_chunk"), 2);
    assert_int_equal(run(clock_system()).media_removed, 0);
}

static void
old_deliveries_go_with_their_attempts(void **state UNUSED)
{
    char text[2048];
    struct id endpoint = id_new(clock_system());
    char id[ID_UUID_BYTES];
    id_uuid_print(endpoint, id);
    snprintf(
        text, sizeof(text),
        "insert into webhook_endpoint (tenant_id, id, url, events) values ('%s', '%s', 'https://a.example', '{*}');"
        " insert into webhook_delivery (tenant_id, id, endpoint_id, event_id, event_type, created_at, key_version,"
        " body_ct, body_iv, body_tag) select '%s', id_at(now() - make_interval(days => a)), '%s', gen_random_uuid(),"
        " 'message.sent', now() - make_interval(days => a), 1, '', decode(repeat('00', 12), 'hex'), decode(repeat('00', 16), 'hex')"
        " from unnest(array[29, 31]) a; insert into webhook_attempt (tenant_id, id, delivery_id, number, at, outcome,"
        " latency_ms) select tenant_id, gen_random_uuid(), id, 1, created_at, 'timeout', 1 from webhook_delivery",
        tenant, id, tenant, id);
    test_cluster_sql(text);
    assert_int_equal(run(clock_system()).deliveries_removed, 1);
    assert_int_equal(test_cluster_number("select count(*) from webhook_delivery"), 1);
    assert_int_equal(test_cluster_number("select count(*) from webhook_attempt"), 1);
}

static void
replaced_keys_go_when_they_have_run_out(void **state UNUSED)
{
    char text[1024], id[ID_UUID_BYTES];

    id_uuid_print(id_new(clock_system()), id);
    snprintf(
        text, sizeof(text),
        "insert into webhook_endpoint (tenant_id, id, url, events) values ('%s', '%s', 'https://b.example', '{*}');"
        "insert into webhook_secret (tenant_id, endpoint_id, generation, expires_at, secret_key_version, secret_ct, secret_iv,"
        " secret_tag) select '%s', '%s', g, now() + e, 1, '', decode(repeat('00', 12), 'hex'), decode(repeat('00', 16), 'hex')"
        " from (values (1, interval '-1 second'), (2, interval '1 hour'), (3, null)) v (g, e)",
        tenant, id, tenant, id);
    test_cluster_sql(text);
    assert_int_equal(run(clock_system()).secrets_removed, 1);
    assert_int_equal(test_cluster_number("select min(generation) from webhook_secret"), 2);
    assert_int_equal(run(clock_system()).secrets_removed, 0);
}

static void
finished_tasks_go_after_a_month_and_waiting_ones_never(void **state UNUSED)
{
    char text[1024];

    snprintf(
        text, sizeof(text),
        "insert into channel (tenant_id, id, kind, name) values ('%s', '%s', 'whatsapp', 'c');"
        " insert into provider_task (tenant_id, id, channel_id, kind, state, created_at, finished_at) select"
        " tenant_id, gen_random_uuid(), id, 'number.sync', s, now() - interval '90 days',"
        " case s when 'waiting' then null else now() - make_interval(days => a) end from channel,"
        " (values ('done', 31), ('failed', 31), ('done', 29), ('waiting', 31)) v (s, a)",
        tenant, tenant);
    test_cluster_sql(text);
    assert_int_equal(run(clock_system()).tasks_removed, 2);
    assert_int_equal(test_cluster_number("select count(*) from provider_task"), 2);
}

static void
windows_that_ended_long_ago_go(void **state UNUSED)
{
    char text[1024];

    snprintf(
        text, sizeof(text),
        "insert into channel (tenant_id, id, kind, name) values ('%s', gen_random_uuid(), 'whatsapp', 'w');"
        " insert into channel_window (tenant_id, channel_id, peer_index, window_until)"
        " select tenant_id, id, sha256(a::text::bytea), now() - make_interval(days => a) from channel,"
        " (values (91), (400), (89), (0), (-1)) v (a) where name = 'w'",
        tenant);
    test_cluster_sql(text);
    assert_int_equal(run(clock_system()).windows_removed, 2);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from channel_window where window_until > now() - interval '90 days'"),
        3);
    assert_int_equal(test_cluster_number("select count(*) from channel_window"), 3);
    assert_int_equal(run(clock_system()).windows_removed, 0);
}

static void
usage_of_more_than_a_year_ago_goes(void **state UNUSED)
{
    char text[1024];

    snprintf(
        text, sizeof(text),
        "insert into usage_day select '%s', current_date - a, gen_random_uuid(), 1 from"
        " (values (401), (500), (399), (0)) v (a);"
        " insert into quota_told select '%s', '%s', 'sender-day', current_date - a, 80 from"
        " (values (401), (399)) v (a);"
        " insert into message_figure (tenant_id, at, channel_id) select '%s', now() - make_interval(days => a),"
        " gen_random_uuid() from (values (33), (31)) v (a)",
        tenant, tenant, tenant, tenant);
    test_cluster_sql(text);
    assert_int_equal(run(clock_system()).usage_removed, 4);
    assert_int_equal(test_cluster_number("select count(*) from message_figure"), 1);
    assert_int_equal(test_cluster_number("select count(*) from usage_day"), 2);
    assert_int_equal(test_cluster_number("select count(*) from quota_told"), 1);
    assert_int_equal(run(clock_system()).usage_removed, 0);
}

static void
parts_of_sms_and_receipts_without_one_go(void **state UNUSED)
{
    char text[1024];

    snprintf(
        text, sizeof(text),
        "insert into sms_part select '%s', gen_random_uuid(), 0, 1, 1, gen_random_uuid(), 'p', 'taken', null,"
        " now() - make_interval(days => a) from (values (46), (60), (44)) v (a);"
        " insert into sms_receipt_parked select '%s', gen_random_uuid(), 'q', 2, '', null, now(),"
        " now() - make_interval(hours => a) from (values (73), (71)) v (a)",
        tenant, tenant);
    test_cluster_sql(text);
    assert_int_equal(run(clock_system()).sms_removed, 3);
    assert_int_equal(test_cluster_number("select count(*) from sms_part"), 1);
    assert_int_equal(test_cluster_number("select count(*) from sms_receipt_parked"), 1);
    assert_int_equal(run(clock_system()).sms_removed, 0);
}

/* A year from now: the months that no migration made. */
static void
partitions_are_there_before_they_are_needed(void **state UNUSED)
{
    struct clock_manual later;

    clock_manual_init(&later, wall_month_start(clock_wall(clock_system()), 12));
    int64_t before =
        test_cluster_number("select count(*) from pg_inherits where inhparent = 'harkara.message'::regclass");
    assert_int_equal(run(&later.clock).partitions_made, 4 * (PARTITION_MONTHS_AHEAD + 1));
    assert_int_equal(run(&later.clock).partitions_made, 0);
    assert_int_equal(
        test_cluster_number("select count(*) from pg_inherits where inhparent = 'harkara.message'::regclass"),
        before + PARTITION_MONTHS_AHEAD + 1);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from pg_class where relkind = 'r' and relname ~ '^(message|event)_\\d' and not"
            " (relrowsecurity and relforcerowsecurity)"),
        0);
}

static void
one_scheduler_works_at_a_time(void **state UNUSED)
{
    static const struct db_stmt lock = { "test_lock",
                                         "select pg_advisory_xact_lock(hashtext('harkara.scheduler'))" };
    struct db *other = test_cluster_open("harkara_scheduler");
    struct db_tx tx;

    assert_ok(db_begin_across(other, "retention", &tx));
    assert_ok(db_exec(&tx, &lock, DB_NO_ARGS, NULL));
    assert_false(run(clock_system()).was_leader);
    db_rollback(&tx);
    assert_true(run(clock_system()).was_leader);
    db_close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(old_keys_go_and_young_ones_stay), TEST(old_media_goes_with_its_chunks),
             TEST(old_deliveries_go_with_their_attempts),
             TEST(finished_tasks_go_after_a_month_and_waiting_ones_never),
             TEST(windows_that_ended_long_ago_go), TEST(usage_of_more_than_a_year_ago_goes),
             TEST(parts_of_sms_and_receipts_without_one_go), TEST(replaced_keys_go_when_they_have_run_out),
             TEST(what_was_never_interpreted_is_kept), TEST(partitions_are_there_before_they_are_needed),
             TEST(one_scheduler_works_at_a_time))
