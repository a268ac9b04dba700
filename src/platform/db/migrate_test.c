#include "core/num.h"
#include "platform/db/conninfo.h"
#include "platform/db/migrate_internal.h"
#include "platform/db/password_file.h"
#include "platform/db/test_cluster.h"
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char conninfo[1024];
static struct db_problem problem;
static size_t applied;

/* Each test has an empty database of its own. */
static int
fresh(void **state UNUSED)
{
    static int count;
    char sql[64];

    count++;
    snprintf(sql, sizeof(sql), "create database fresh_%d", count);
    test_cluster_sql(sql);
    snprintf(conninfo, sizeof(conninfo), "%s dbname=fresh_%d", test_cluster_conninfo("postgres"), count);
    problem.detail[0] = '\0';
    applied = 99;
    return 0;
}

/* A number from the fresh database. */
static int64_t
number(const char *sql)
{
    PGconn *conn = PQconnectdb(conninfo);
    PGresult *result = PQexec(conn, sql);
    int64_t value = -1;

    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    assert_ok(num_i64_parse(slice_text(PQgetvalue(result, 0, 0)), &value));
    PQclear(result);
    PQfinish(conn);
    return value;
}

static const struct migration two[] = {
    { 1, "0001_one", SHA_A, "create table public.one (n integer); insert into public.one values (1);" },
    { 2, "0002_two", SHA_B, "set local search_path = public; update one set n = n + 1;" },
};

static void
each_migration_runs_once_and_in_order(void **state UNUSED)
{
    assert_ok(migrate_run_list(conninfo, two, 1, &applied, &problem));
    assert_int_equal(applied, 1);
    assert_ok(migrate_run_list(conninfo, two, 2, &applied, &problem));
    assert_int_equal(applied, 1);
    assert_ok(migrate_run_list(conninfo, two, 2, &applied, &problem));
    assert_int_equal(applied, 0);
    assert_int_equal(number("select n from public.one"), 2);
    assert_int_equal(
        number("select count(*) from harkara_meta.migration where (version = 1 and name = '0001_one' and"
               " sha256 = '" SHA_A "') or (version = 2 and sha256 = '" SHA_B "')"),
        2);
}

static void
a_changed_migration_is_refused_and_nothing_is_done(void **state UNUSED)
{
    const struct migration changed[] = { { 1, "0001_one", SHA_B, "select 1" }, two[1] };
    const struct migration renamed[] = { { 1, "0001_uno", SHA_A, "select 1" }, two[1] };

    assert_ok(migrate_run_list(conninfo, two, 1, &applied, &problem));
    assert_int_equal(migrate_run_list(conninfo, changed, 2, &applied, &problem), ERR_CONFIG);
    assert_non_null(strstr(problem.detail, "0001_one"));
    assert_non_null(strstr(problem.detail, "changed"));
    assert_int_equal(migrate_run_list(conninfo, renamed, 2, &applied, &problem), ERR_CONFIG);
    assert_int_equal(applied, 0);
    assert_int_equal(number("select count(*) from harkara_meta.migration"), 1);
}

static void
a_database_from_a_newer_program_is_refused(void **state UNUSED)
{
    assert_ok(migrate_run_list(conninfo, two, 2, &applied, &problem));
    assert_int_equal(migrate_run_list(conninfo, two, 1, &applied, &problem), ERR_CONFIG);
    assert_non_null(strstr(problem.detail, "newer"));
    assert_non_null(strstr(problem.detail, "0002_two"));
}

static void
a_migration_that_fails_is_undone_whole(void **state UNUSED)
{
    const struct migration failing[] = {
        two[0], { 2, "0002_two", SHA_B, "update public.one set n = 7; create table public.one (n integer);" }
    };

    assert_int_equal(migrate_run_list(conninfo, failing, 2, &applied, &problem), ERR_DB_STATEMENT);
    assert_int_equal(applied, 1);
    assert_non_null(strstr(problem.detail, "0002_two"));
    assert_non_null(strstr(problem.detail, "SQLSTATE"));
    assert_int_equal(number("select n from public.one"), 1);
    assert_int_equal(number("select count(*) from harkara_meta.migration"), 1);
    assert_ok(migrate_run_list(conninfo, two, 2, &applied, &problem)); /* mended */
    assert_int_equal(number("select n from public.one"), 2);
}

static void
a_migration_that_commits_by_itself_is_an_error(void **state UNUSED)
{
    const struct migration rude[] = { { 1, "0001_rude", SHA_A, "commit" } };

    assert_int_equal(migrate_run_list(conninfo, rude, 1, &applied, &problem), ERR_DB_STATEMENT);
    assert_non_null(strstr(problem.detail, "0001_rude"));
    assert_int_equal(number("select count(*) from harkara_meta.migration"), 0);
}

struct racer {
    pthread_barrier_t *start;
    size_t applied;
    enum err err;
};

static void *
race(void *ctx)
{
    struct racer *racer = ctx;
    struct db_problem own;

    (void)pthread_barrier_wait(racer->start);
    racer->err = migrate_run(conninfo, &racer->applied, &own);
    return NULL;
}

static void
several_processes_may_migrate_at_once(void **state UNUSED)
{
    pthread_barrier_t start;
    pthread_t threads[4];
    struct racer racers[4];
    size_t sum = 0;

    pthread_barrier_init(&start, NULL, 4);
    for (size_t i = 0; i < 4; i++) {
        racers[i] = (struct racer){ .start = &start };
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_ok(racers[i].err);
        sum += racers[i].applied;
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(sum, migration_count);
    assert_int_equal(number("select count(*) from harkara_meta.migration"), migration_count);
}

static void
no_server_is_unavailable(void **state UNUSED)
{
    assert_int_equal(migrate_run("host=/nonexistent dbname=x", &applied, &problem), ERR_DB_UNAVAILABLE);
    assert_non_null(strstr(problem.detail, "does not answer"));
}

/* As with a hosted database: the administrator owns it and may make roles, but is no superuser. */
static void
an_administrator_who_is_no_superuser_can_migrate(void **state UNUSED)
{
    char folder[300], sockets[320];
    struct embedded_postgres *postgres;
    struct secret *administrator, *gateway, *password;

    snprintf(folder, sizeof(folder), "%s/second", test_cluster_folder());
    snprintf(sockets, sizeof(sockets), "%s/run", folder);
    assert_int_equal(mkdir(folder, 0711), 0);
    const struct embedded_postgres_options options = { .bin_folder = test_cluster_bin(),
                                                       .state_folder = folder,
                                                       .socket_folder = sockets,
                                                       .user = test_cluster_user(),
                                                       .connections_max = 20,
                                                       .is_disposable = true };
    assert_ok(embedded_postgres_start(&options, &postgres, &problem));
    snprintf(conninfo, sizeof(conninfo), "%s", embedded_postgres_conninfo(postgres));
    PGconn *conn = PQconnectdb(conninfo);
    PGresult *result = PQexec(conn, "create role dba login createrole password 'dba';"
                                    "alter database harkara owner to dba");
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(conn);
    assert_ok(conninfo_for_user(conninfo, "dba", SLICE("dba"), &administrator, &problem));
    if (migrate_run(secret_slice(administrator).ptr, &applied, &problem) != ERR_OK)
        fail_msg("%s", problem.detail);
    assert_int_equal(applied, migration_count);
    assert_ok(password_make(&password));
    const struct migrate_login login = { "harkara_gateway", password };
    assert_ok(migrate_set_passwords(secret_slice(administrator).ptr, &login, 1, &problem));
    assert_ok(conninfo_for_user(conninfo, "harkara_gateway", secret_slice(password), &gateway, &problem));
    struct db *db;
    assert_ok(db_open(secret_slice(gateway).ptr, &db));
    db_close(db);
    secret_free(administrator);
    secret_free(gateway);
    secret_free(password);
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

static bool
log_holds(const char *what)
{
    static char text[1 << 20];
    char path[300];

    snprintf(path, sizeof(path), "%s/postgres/server.log", test_cluster_folder());
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return strstr(text, what) != NULL;
}

/* Even a server that logs every statement sees a verifier only. */
static void
a_password_is_set_without_being_told(void **state UNUSED)
{
    struct secret *password = secret_copy(SLICE("marked-password-4711"));
    struct secret *good = NULL, *bad = NULL;
    const struct migrate_login login = { "harkara_webhooks", password };
    struct db *db;

    test_cluster_sql("alter role postgres set log_statement = 'all'");
    assert_ok(migrate_set_passwords(conninfo, &login, 1, &problem));
    test_cluster_sql("alter role postgres reset log_statement");
    assert_true(log_holds("alter role \"harkara_webhooks\" password 'SCRAM-SHA-256$"));
    assert_false(log_holds("marked-password-4711"));
    assert_int_equal(
        test_cluster_number("select count(*) from pg_authid where rolname = 'harkara_webhooks' and"
                            " rolpassword like 'SCRAM-SHA-256$%'"),
        1);
    const char *base = test_cluster_conninfo("postgres");
    assert_ok(conninfo_for_user(base, "harkara_webhooks", SLICE("marked-password-4711"), &good, &problem));
    assert_ok(conninfo_for_user(base, "harkara_webhooks", SLICE("marked-password-4712"), &bad, &problem));
    assert_int_equal(db_open(secret_slice(bad).ptr, &db), ERR_DB_UNAVAILABLE);
    assert_ok(db_open(secret_slice(good).ptr, &db));
    db_close(db);
    secret_free(password);
    secret_free(good);
    secret_free(bad);
}

static void
all_passwords_are_set_or_none(void **state UNUSED)
{
    struct secret *password;

    assert_ok(password_make(&password));
    const struct migrate_login logins[] = { { "harkara_scheduler", password },
                                            { "harkara_nobody", password } };
    const int64_t before = test_cluster_number(
        "select hashtext(rolpassword) from pg_authid where rolname = 'harkara_scheduler'");
    assert_int_equal(migrate_set_passwords(conninfo, logins, 2, &problem), ERR_DB_STATEMENT);
    assert_non_null(strstr(problem.detail, "harkara_nobody"));
    assert_int_equal(test_cluster_number(
                         "select hashtext(rolpassword) from pg_authid where rolname = 'harkara_scheduler'"),
                     before);
    secret_free(password);
}

#define test(name) cmocka_unit_test_setup(name, fresh)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(each_migration_runs_once_and_in_order),
        test(a_changed_migration_is_refused_and_nothing_is_done),
        test(a_database_from_a_newer_program_is_refused),
        test(a_migration_that_fails_is_undone_whole),
        test(a_migration_that_commits_by_itself_is_an_error),
        test(several_processes_may_migrate_at_once),
        test(no_server_is_unavailable),
        test(an_administrator_who_is_no_superuser_can_migrate),
        test(a_password_is_set_without_being_told),
        test(all_passwords_are_set_or_none),
    };

    return cmocka_run_group_tests(tests, test_cluster_setup, test_cluster_teardown);
}
