/*
 * The same piece of work with the connection cut after its 1st, 2nd, 3rd ... octet, in either direction, and
 * with its 1st, 2nd, 3rd ... allocation failing. Whatever fails: two rows or none, success only with two, and
 * afterwards the same connection works again.
 */
#include "core/log.h"
#include "core/unit_fault.h"
#include "platform/db/db_internal.h"
#include "platform/db/failing_malloc_testing.h"
#include "platform/db/test_cluster.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STEP 11 /* octets between two cuts: a prime, so that it falls into every part of the messages */

/* A proxy on a socket of its own, before the real server. */
enum direction { NOWHERE, TO_SERVER, TO_CLIENT };
static struct {
    int listener, stop_read, stop_write;
    pthread_t thread;
    struct sockaddr_un real, own;
    _Atomic int cut_direction; /* NOWHERE: pass everything */
    _Atomic long cut_after;    /* octets still to pass in that direction */
    _Atomic long passed[3];    /* by direction, since the last arming */
} proxy;

static bool
pass(int from, int to, enum direction direction)
{
    char bytes[4096];
    ssize_t len = read(from, bytes, sizeof(bytes));
    bool is_cut = false;

    if (len <= 0)
        return false;
    if (proxy.cut_direction == (int)direction) {
        long left = proxy.cut_after;
        is_cut = len >= left;
        if (is_cut) {
            len = left;
            proxy.cut_direction = NOWHERE;
        }
        proxy.cut_after = left - len;
    }
    proxy.passed[direction] += len;
    for (ssize_t sent = 0; sent < len;) {
        ssize_t n = send(to, bytes + sent, (size_t)(len - sent), MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += n;
    }
    return !is_cut;
}

static void *
proxy_run(void *ctx UNUSED)
{
    for (;;) {
        struct pollfd waiting[2] = { { proxy.listener, POLLIN, 0 }, { proxy.stop_read, POLLIN, 0 } };
        (void)poll(waiting, 2, -1);
        if (waiting[1].revents != 0)
            return NULL;
        int client = accept(proxy.listener, NULL, NULL), server = socket(AF_UNIX, SOCK_STREAM, 0);
        bool is_open =
            client >= 0 && connect(server, (struct sockaddr *)&proxy.real, sizeof(proxy.real)) == 0;
        while (is_open) {
            struct pollfd ends[3] = { { client, POLLIN, 0 },
                                      { server, POLLIN, 0 },
                                      { proxy.stop_read, POLLIN, 0 } };
            (void)poll(ends, 3, -1);
            if (ends[2].revents != 0)
                is_open = false;
            else if (ends[0].revents != 0)
                is_open = pass(client, server, TO_SERVER);
            else if (ends[1].revents != 0)
                is_open = pass(server, client, TO_CLIENT);
        }
        close(client);
        close(server);
    }
}

static void
proxy_start(void)
{
    char folder[80];
    int ends[2];

    snprintf(folder, sizeof(folder), "%s/proxy", test_cluster_folder());
    assert_int_equal(mkdir(folder, 0700), 0);
    proxy.real.sun_family = proxy.own.sun_family = AF_UNIX;
    snprintf(proxy.real.sun_path, sizeof(proxy.real.sun_path), "%s/run/.s.PGSQL.5432", test_cluster_folder());
    snprintf(proxy.own.sun_path, sizeof(proxy.own.sun_path), "%s/.s.PGSQL.5432", folder);
    proxy.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(proxy.listener, (struct sockaddr *)&proxy.own, sizeof(proxy.own)), 0);
    assert_int_equal(listen(proxy.listener, 8), 0);
    assert_int_equal(pipe(ends), 0);
    proxy.stop_read = ends[0];
    proxy.stop_write = ends[1];
    assert_int_equal(pthread_create(&proxy.thread, NULL, proxy_run, NULL), 0);
}

static void
proxy_stop(void)
{
    close(proxy.stop_write);
    pthread_join(proxy.thread, NULL);
    close(proxy.stop_read);
    close(proxy.listener);
}

static void
proxy_arm(enum direction direction, long after)
{
    proxy.passed[TO_SERVER] = proxy.passed[TO_CLIENT] = 0;
    proxy.cut_after = after;
    proxy.cut_direction = (int)direction;
}

static struct id tenant;

/* Two rows, by two statements, with arguments of several kinds and an answer that is read. */
static enum err
store_two(struct db_tx *tx, void *ctx)
{
    static const struct db_stmt one = { "fault_one",
                                        "insert into note (tenant_id, id, word) values ($1, $2, $3)" };
    static const struct db_stmt many = {
        "fault_many", "insert into note (tenant_id, id, word) select $1, i, w from unnest($2, $3) as u (i, w)"
                      " returning word"
    };
    const struct id *ids = ctx;
    const struct slice words[] = { SLICE("second") };
    struct db_rows *rows = NULL;
    enum err err = db_exec_one(tx, &one, DB_ARGS(DB_ID(ids[0]), DB_TEXT(SLICE("first"))));

    if (err == ERR_OK)
        err = db_query(tx, &many, DB_ARGS(DB_ID_ARRAY(ids + 1, 1), DB_TEXT_ARRAY(words, 1)), &rows);
    if (err == ERR_OK)
        assert_true(slice_eq(db_text(rows, 0, 0), SLICE("second")));
    db_rows_free(rows);
    return err;
}

/* The same by one round trip from begin to commit. */
static enum err
store_two_at_once(struct db_tx *tx, void *ctx)
{
    static const struct db_stmt one = { "fault_later",
                                        "insert into note (tenant_id, id, word) values ($1, $2, 'x')" };
    const struct id *ids = ctx;
    enum err err = db_later(tx, &one, DB_ARGS(DB_ID(ids[0])), NULL);

    return err == ERR_OK ? db_later(tx, &one, DB_ARGS(DB_ID(ids[1])), NULL) : err;
}

static enum err (*work)(struct db_tx *tx, void *ctx) = store_two;

static int64_t
stored(const struct id *ids)
{
    char sql[256], first[ID_UUID_BYTES], second[ID_UUID_BYTES];

    id_uuid_print(ids[0], first);
    id_uuid_print(ids[1], second);
    snprintf(sql, sizeof(sql), "select count(*) from note where id in ('%s', '%s')", first, second);
    return test_cluster_number(sql);
}

/* A server process whose client is gone may still be at its commit: wait for it, or its rows come after we
 * looked. */
static void
wait_for_server(void)
{
    while (test_cluster_number(
               "select count(*) from pg_stat_activity where usename = 'harkara_gateway' and state <>"
               " 'idle'") > 0)
        (void)poll(NULL, 0, 1);
}

static void
try_with_cut(struct db *db, enum direction direction, long after, size_t outcomes[3])
{
    const struct id ids[] = { id_new(clock_system()), id_new(clock_system()) };
    const struct id again[] = { id_new(clock_system()), id_new(clock_system()) };

    proxy_arm(direction, after);
    enum err err = db_run(db, tenant, work, (void *)(uintptr_t)ids);
    proxy_arm(NOWHERE, 0);
    wait_for_server();
    int64_t rows = stored(ids);
    if (err == ERR_OK) {
        assert_int_equal(rows, 2);
    } else {
        assert_int_equal(err, ERR_DB_UNAVAILABLE);
        assert_true(rows == 0 || rows == 2);
    }
    outcomes[err == ERR_OK ? 0 : rows == 0 ? 1 : 2]++;
    assert_ok(db_run(db, tenant, work, (void *)(uintptr_t)again));
    assert_int_equal(stored(again), 2);
}

static void
cut_everywhere(enum direction direction, size_t outcomes[3])
{
    char conninfo[512];
    struct db *db;
    const struct id ids[] = { id_new(clock_system()), id_new(clock_system()) };

    snprintf(conninfo, sizeof(conninfo), "%s host=%s/proxy", test_cluster_conninfo("harkara_gateway"),
             test_cluster_folder());
    assert_ok(db_open(conninfo, &db));
    proxy_arm(NOWHERE, 0);
    assert_ok(db_run(db, tenant, work, (void *)(uintptr_t)ids));
    const long all = proxy.passed[direction];
    assert_true(all > 200);
    for (long after = 1; after < all + STEP; after += STEP) {
        /* A connection that has nothing prepared yet, so that each cut falls into the same octets. */
        assert_ok(db_reopen(db, 5000));
        try_with_cut(db, direction, after, outcomes);
    }
    db_close(db);
}

static void
a_connection_cut_anywhere_stores_all_or_nothing(void **state UNUSED)
{
    size_t outcomes[3] = { 0 };

    proxy_start();
    work = store_two;
    cut_everywhere(TO_SERVER, outcomes);
    cut_everywhere(TO_CLIENT, outcomes);
    /* Begun again by itself; lost with nothing stored; and lost with the commit done but not heard of. */
    for (size_t i = 0; i < COUNT_OF(outcomes); i++)
        assert_true(outcomes[i] > 0);
    memset(outcomes, 0, sizeof(outcomes));
    work = store_two_at_once;
    cut_everywhere(TO_SERVER, outcomes);
    cut_everywhere(TO_CLIENT, outcomes);
    proxy_stop();
    assert_true(outcomes[1] > 0 && outcomes[2] > 0);
}

static void
a_failed_allocation_stores_nothing_and_leaks_nothing(void **state UNUSED)
{
    struct db *db = test_cluster_open("harkara_gateway");
    const size_t used = secret_pool_used();
    size_t failures = 0;
    bool has_failed;

    do {
        const struct id ids[] = { id_new(clock_system()), id_new(clock_system()) };
        failing_malloc_arm(failures);
        enum err err = db_run(db, tenant, store_two, (void *)(uintptr_t)ids);
        has_failed = failing_malloc_disarm();
        assert_int_equal(err, has_failed ? ERR_NO_MEMORY : ERR_OK);
        assert_int_equal(stored(ids), has_failed ? 0 : 2);
        failures += has_failed;
    } while (has_failed);
    assert_true(failures >= 2); /* the array, the rows */
    assert_int_equal(secret_pool_used(), used);
    db_close(db);
}

static void
opening_without_memory_fails_clean(void **state UNUSED)
{
    const size_t used = secret_pool_used();
    size_t failures = 0;
    bool has_failed;

    do {
        struct db *db = NULL;
        failing_malloc_arm(failures);
        enum err err = db_open(test_cluster_conninfo("harkara_gateway"), &db);
        has_failed = failing_malloc_disarm();
        assert_int_equal(err, has_failed ? ERR_NO_MEMORY : ERR_OK);
        assert_int_equal(db == NULL, has_failed);
        db_close(db);
        assert_int_equal(secret_pool_used(), used);
        failures += has_failed;
    } while (has_failed);
    assert_true(failures >= 2);
}

static int
setup(void **state)
{
    if (test_cluster_setup(state) != 0)
        return -1;
    log_open("test", LOG_ERROR, STDERR_FILENO); /* hundreds of lost connections, each a warning */
    test_cluster_sql(
        "create table note (tenant_id uuid, id uuid, word text not null, primary key (tenant_id, id));"
        "select protect_tenant_table('note'); grant select, insert on note to harkara_gateway");
    tenant = test_cluster_tenant("acme");
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_cut_anywhere_stores_all_or_nothing),
        cmocka_unit_test(a_failed_allocation_stores_nothing_and_leaks_nothing),
        cmocka_unit_test(opening_without_memory_fails_clean),
    };

    return cmocka_run_group_tests(tests, setup, test_cluster_teardown);
}
