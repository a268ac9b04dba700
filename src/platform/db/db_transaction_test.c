/* Transactions, tenants, lost connections and news, against a real server. */
#include "platform/db/db_internal.h"
#include "platform/db/test_cluster.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct db *db;
static struct id acme, bolt;

static const struct db_stmt note_insert_stmt = {
    "note_insert", "insert into note (tenant_id, id, word) values ($1, $2, 'x')"
};
static const struct db_stmt note_count_stmt = { "note_count",
                                                "select count(*) from note where $1 is not null" };
static const struct db_stmt note_count_all_stmt = { "note_count_all", "select count(*) from note" };
static const struct db_stmt backend_stmt = { "backend_pid", "select pg_backend_pid()" };

static int
fresh(void **state UNUSED)
{
    test_cluster_sql("delete from note");
    db = test_cluster_open("harkara_gateway");
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    /* Whatever a test did: nobody of ours is left inside a transaction. */
    return test_cluster_number("select count(*) from pg_stat_activity where usename like 'harkara\\_%' and"
                               " state like 'idle in transaction%'") == 0
               ? 0
               : -1;
}

static enum err
insert_note(struct db_tx *tx)
{
    return db_exec_one(tx, &note_insert_stmt, DB_ARGS(DB_ID(id_new(clock_system()))));
}

static int64_t
number(struct db_tx *tx, const struct db_stmt *stmt)
{
    struct db_rows *rows = NULL;

    assert_ok(db_query(tx, stmt, DB_NO_ARGS, &rows));
    int64_t value = db_i64(rows, 0, 0);
    db_rows_free(rows);
    return value;
}

static int64_t
stored(void)
{
    return test_cluster_number("select count(*) from note");
}

static void
a_commit_stores_and_a_rollback_does_not(void **state UNUSED)
{
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    db_rollback(&tx);
    db_rollback(&tx); /* twice is once */
    assert_int_equal(stored(), 0);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    assert_ok(db_commit(&tx));
    db_rollback(&tx);
    assert_int_equal(stored(), 1);
}

static void
a_transaction_sees_its_tenant_only(void **state UNUSED)
{
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    assert_int_equal(number(&tx, &note_count_stmt), 1);
    assert_ok(db_commit(&tx));
    assert_ok(db_begin(db, bolt, &tx));
    assert_int_equal(number(&tx, &note_count_stmt), 0);
    assert_ok(db_commit(&tx));
    assert_ok(db_begin_across(db, "nothing.declared", &tx));
    assert_int_equal(number(&tx, &note_count_all_stmt), 0);
    assert_ok(db_commit(&tx));
    assert_ok(db_begin_across(db, "note.read", &tx));
    assert_int_equal(number(&tx, &note_count_all_stmt), 1);
    assert_ok(db_commit(&tx));
}

static void
one_transaction_turns_from_tenant_to_tenant(void **state UNUSED)
{
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    assert_ok(db_tx_turn_to(&tx, bolt));
    assert_int_equal(number(&tx, &note_count_stmt), 0);
    assert_ok(insert_note(&tx));
    assert_ok(insert_note(&tx));
    assert_ok(db_tx_turn_to(&tx, acme));
    assert_ok(db_tx_turn_to(&tx, bolt));
    assert_int_equal(number(&tx, &note_count_stmt), 2);
    assert_ok(db_tx_turn_to(&tx, acme));
    assert_ok(db_commit(&tx)); /* a turn that no statement followed */
    assert_int_equal(stored(), 3);
    assert_ok(db_begin(db, acme, &tx));
    assert_int_equal(number(&tx, &note_count_stmt), 1);
    db_rollback(&tx);
}

/* A claim across tenants goes on for one of them, and must then no longer see the others. */
static void
turning_to_a_tenant_ends_the_work_across(void **state UNUSED)
{
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    assert_ok(db_commit(&tx));
    assert_ok(db_begin_across(db, "note.read", &tx));
    assert_int_equal(number(&tx, &note_count_all_stmt), 1);
    assert_ok(db_tx_turn_to(&tx, bolt));
    assert_int_equal(number(&tx, &note_count_stmt), 0);
    assert_ok(db_commit(&tx));
}

static void
a_row_of_another_tenant_is_refused(void **state UNUSED)
{
    static const struct db_stmt stmt = { "note_foreign",
                                         "insert into note (tenant_id, id, word) values ($2, $3, $1::text)" };
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_int_equal(db_exec_one(&tx, &stmt, DB_ARGS(DB_ID(bolt), DB_ID(id_new(clock_system())))),
                     ERR_DB_STATEMENT);
    db_rollback(&tx);
    assert_int_equal(stored(), 0);
}

static const struct db_stmt note_many_stmt = {
    "note_many",
    "insert into note (tenant_id, id, word) select t, i, cardinality($1)::text from unnest($2::uuid[],"
    " $3::uuid[]) as u (t, i)"
};
static const struct db_stmt note_many_count_stmt = { "note_many_count",
                                                     "select count(*) from note where $1 is not null" };

static enum err
insert_many(struct db_tx *tx, struct id first, struct id second)
{
    const struct id tenants[] = { first, second };
    const struct id ids[] = { id_new(clock_system()), id_new(clock_system()) };

    return db_exec(tx, &note_many_stmt, DB_ARGS(DB_ID_ARRAY(tenants, 2), DB_ID_ARRAY(ids, 2)), NULL);
}

static void
one_statement_writes_for_several_tenants(void **state UNUSED)
{
    const struct id tenants[] = { acme, bolt };
    struct db_tx tx;

    assert_ok(db_begin_many(db, "note_writer", tenants, 2, &tx));
    assert_ok(insert_many(&tx, acme, bolt));
    assert_int_equal(number(&tx, &note_many_count_stmt), 2);
    assert_ok(db_commit(&tx));
    assert_int_equal(test_cluster_number("select count(*) from note where word = '2'"), 2);
    /* The next transaction on the same connection is an ordinary one. */
    assert_ok(db_begin(db, acme, &tx));
    assert_int_equal(number(&tx, &note_count_stmt), 1);
    assert_ok(insert_note(&tx));
    assert_ok(db_commit(&tx));
}

static void
a_row_of_a_tenant_that_was_not_named_is_refused(void **state UNUSED)
{
    struct db_tx tx;

    assert_ok(db_begin(db, bolt, &tx));
    assert_ok(insert_note(&tx));
    assert_ok(db_commit(&tx));
    assert_ok(db_begin_many(db, "note_writer", &acme, 1, &tx));
    assert_int_equal(number(&tx, &note_many_count_stmt), 0);
    assert_int_equal(insert_many(&tx, acme, bolt), ERR_DB_STATEMENT);
    assert_int_equal(db_commit(&tx), ERR_DB_STATEMENT);
    assert_int_equal(stored(), 1);
}

static void
a_failed_statement_cannot_be_committed_over(void **state UNUSED)
{
    static const struct db_stmt stmt = { "note_bad", "insert into note (tenant_id, id) values ($1, $2)" };
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    assert_int_equal(db_exec(&tx, &stmt, DB_ARGS(DB_ID(bolt)), NULL), ERR_DB_CONSTRAINT);
    assert_int_equal(insert_note(&tx), ERR_DB_CONSTRAINT); /* refused here already */
    assert_int_equal(db_tx_turn_to(&tx, bolt), ERR_DB_CONSTRAINT);
    assert_int_equal(db_commit(&tx), ERR_DB_CONSTRAINT);
    assert_false(tx.is_open);
    assert_int_equal(stored(), 0);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    assert_ok(db_commit(&tx));
}

/* A constraint that is checked at the end fails the commit itself. */
static void
a_commit_that_fails_leaves_no_transaction(void **state UNUSED)
{
    static const struct db_stmt stmt = {
        "note_orphan", "insert into note (tenant_id, id, word, parent) values ($1, $2, 'x', $2)"
    };
    static const struct db_stmt orphan = {
        "note_orphan_2", "insert into note (tenant_id, id, word, parent) values ($1, $2, 'x', $3)"
    };
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(db_exec_one(&tx, &stmt, DB_ARGS(DB_ID(bolt))));
    assert_ok(db_exec_one(&tx, &orphan, DB_ARGS(DB_ID(acme), DB_ID(((struct id){ { 9 } })))));
    assert_int_equal(db_commit(&tx), ERR_DB_CONSTRAINT);
    assert_int_equal(stored(), 0);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(db_commit(&tx));
}

static enum err
insert_later(struct db_tx *tx)
{
    return db_later(tx, &note_insert_stmt, DB_ARGS(DB_ID(id_new(clock_system()))), NULL);
}

static void
what_is_sent_later_goes_with_the_commit(void **state UNUSED)
{
    struct db_rows *before = NULL, *after = NULL;
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(db_later(&tx, &note_count_stmt, DB_NO_ARGS, &before));
    assert_ok(insert_later(&tx));
    assert_ok(db_tx_turn_to(&tx, bolt));
    assert_ok(insert_later(&tx));
    assert_ok(db_tx_turn_to(&tx, acme));
    assert_ok(db_later(&tx, &note_count_stmt, DB_NO_ARGS, &after));
    assert_int_equal(db_rows_count(after), 0); /* nobody was asked yet */
    assert_ok(db_commit(&tx));
    assert_int_equal(db_i64(before, 0, 0), 0);
    assert_int_equal(db_i64(after, 0, 0), 1);
    assert_int_equal(stored(), 2);
    db_rows_free(before);
    db_rows_free(after);
}

static void
what_is_sent_later_goes_with_the_next_answer_that_is_wanted(void **state UNUSED)
{
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    for (int64_t i = 1; i <= 3; i++) {
        assert_ok(insert_later(&tx));
        assert_int_equal(number(&tx, &note_count_stmt), i);
    }
    assert_ok(insert_later(&tx));
    db_rollback(&tx); /* with one unsent */
    assert_int_equal(stored(), 0);
    assert_ok(db_begin(db, acme, &tx));
    assert_int_equal(number(&tx, &note_count_stmt), 0);
    assert_ok(db_commit(&tx));
}

static void
more_than_a_round_trip_holds_takes_several(void **state UNUSED)
{
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    for (size_t i = 0; i < 3 * DB_BATCH_MAX; i++)
        assert_ok(insert_later(&tx));
    assert_ok(db_commit(&tx));
    assert_int_equal(stored(), 3 * DB_BATCH_MAX);
}

static void
an_error_of_what_was_sent_later_is_the_commits(void **state UNUSED)
{
    static const struct db_stmt bad = { "note_bad_later",
                                        "insert into note (tenant_id, id) values ($1, $2)" };
    struct db_rows *rows = NULL;
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_later(&tx));
    assert_ok(db_later(&tx, &bad, DB_ARGS(DB_ID(bolt)), NULL));
    assert_ok(db_later(&tx, &note_count_stmt, DB_NO_ARGS, &rows));
    assert_int_equal(db_commit(&tx), ERR_DB_CONSTRAINT);
    assert_int_equal(db_rows_count(rows), 0);
    assert_false(tx.is_open);
    db_rows_free(rows);
    assert_int_equal(stored(), 0);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(db_later(&tx, &bad, DB_ARGS(DB_ID(bolt)), NULL));
    assert_int_equal(insert_note(&tx), ERR_DB_CONSTRAINT); /* of the one before */
    db_rollback(&tx);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_later(&tx));
    assert_ok(db_commit(&tx));
    assert_int_equal(stored(), 1);
}

/* The server is stopped: whoever asked it anything would wait. */
/* What was planned for an empty table is planned again when there may be something in it; less and less
 * often. */
static void
plans_of_a_young_connection_are_made_anew(void **state UNUSED)
{
    struct db_tx tx;

    for (int64_t round = 1; round <= 3; round++) {
        int64_t kept_ms = db->plans_ms;
        for (int again = 0; again < 2; again++) { /* an hour later */
            assert_ok(db_begin(db, acme, &tx));
            assert_ok(insert_note(&tx));
            assert_ok(db_commit(&tx));
            db->plans_at.us -= again == 0 ? INT64_C(3600) * 1000000 : 0;
        }
        assert_in_range(db->plans_ms, 2 * kept_ms, 4 * kept_ms);
    }
    assert_int_equal(stored(), 6);
}

static void
a_transaction_without_a_statement_asks_nobody(void **state UNUSED)
{
    static const struct db_stmt pid_stmt = { "backend_pid_plain", "select pg_backend_pid()" };
    struct db_tx tx;

    assert_ok(db_begin_across(db, "test", &tx));
    int64_t pid = number(&tx, &pid_stmt);
    assert_ok(db_commit(&tx));
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    db_answer_limit_set(db, 1);
    enum err begun = db_begin(db, acme, &tx), committed = begun == ERR_OK ? db_commit(&tx) : begun;
    enum err again = db_begin(db, acme, &tx);
    db_rollback(&tx);
    assert_int_equal(kill((pid_t)pid, SIGCONT), 0);
    assert_ok(begun);
    assert_ok(committed);
    assert_ok(again);
    db_answer_limit_set(db, DB_ANSWER_MS_MAX);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    assert_ok(db_commit(&tx));
}

struct tries {
    int count, conflicts;
    const char *state;
};

static enum err
conflicting(struct db_tx *tx, void *ctx)
{
    static const struct db_stmt stmt = { "raise_across", "select raise_state($2, $1::text)" };
    struct tries *tries = ctx;

    enum err err = insert_note(tx);
    if (err == ERR_OK && tries->count++ < tries->conflicts)
        err = db_exec(tx, &stmt, DB_ARGS(DB_TEXT_Z(tries->state)), NULL);
    return err;
}

static void
a_conflict_is_tried_again_and_not_for_ever(void **state UNUSED)
{
    struct tries one = { 0, 2, "40001" }, endless = { 0, 1000, "40P01" }, other = { 0, 1000, "23514" };

    assert_ok(db_run(db, acme, conflicting, &one));
    assert_int_equal(one.count, 3);
    assert_int_equal(stored(), 1);
    assert_int_equal(db_run(db, acme, conflicting, &endless), ERR_DB_CONFLICT);
    assert_int_equal(endless.count, DB_TRIES);
    assert_int_equal(db_run(db, acme, conflicting, &other), ERR_DB_CONSTRAINT);
    assert_int_equal(other.count, 1);
    assert_int_equal(stored(), 1);
}

/* Two connections that take two rows in opposite order; the barrier makes sure that each holds its first. */
struct crossing {
    pthread_barrier_t *both_hold;
    const char *role;
    bool is_backward, has_waited;
    int tries;
    enum err err;
};

static enum err
cross(struct db_tx *tx, void *ctx)
{
    static const struct db_stmt first = { "pair_first", "update pair set n = n + 1 where id = 1" };
    static const struct db_stmt second = { "pair_second", "update pair set n = n + 1 where id = 2" };
    struct crossing *crossing = ctx;
    enum err err;

    crossing->tries++;
    err = db_exec_one(tx, crossing->is_backward ? &second : &first, DB_NO_ARGS);
    if (err != ERR_OK)
        return err;
    if (!crossing->has_waited) {
        crossing->has_waited = true;
        (void)pthread_barrier_wait(crossing->both_hold);
    }
    return db_exec_one(tx, crossing->is_backward ? &first : &second, DB_NO_ARGS);
}

static void *
cross_in_thread(void *ctx)
{
    struct crossing *crossing = ctx;
    struct db *own = test_cluster_open(crossing->role);

    crossing->err = db_run_across(own, "test", cross, crossing);
    db_close(own);
    return NULL;
}

static void
a_real_deadlock_is_resolved_by_trying_again(void **state UNUSED)
{
    pthread_barrier_t both_hold;
    struct crossing there = { &both_hold, "harkara_gateway", false, false, 0, ERR_OK };
    struct crossing back = { &both_hold, "harkara_dispatcher", true, false, 0, ERR_OK };
    pthread_t thread;

    test_cluster_sql("update pair set n = 0");
    pthread_barrier_init(&both_hold, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, cross_in_thread, &there), 0);
    cross_in_thread(&back);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&both_hold);
    assert_ok(there.err);
    assert_ok(back.err);
    assert_in_range(there.tries + back.tries, 3, 2 * DB_TRIES); /* one of them was the victim at least once */
    assert_int_equal(test_cluster_number("select sum(n) from pair"), 4);
}

static enum err
serializable_step(struct db_tx *tx, void *ctx)
{
    static const struct db_stmt read = { "pair_read", "select n from pair where id = 1" };
    static const struct db_stmt write = { "pair_write", "update pair set n = n + 10 where id = 1" };
    int *tries = ctx;

    (void)number(tx, &read);
    if ((*tries)++ == 0) /* somebody else is faster, once */
        test_cluster_sql("update pair set n = n + 1 where id = 1");
    return db_exec_one(tx, &write, DB_NO_ARGS);
}

static void
a_real_serialization_failure_is_tried_again(void **state UNUSED)
{
    int tries = 0;

    test_cluster_sql(
        "update pair set n = 0; alter role harkara_gateway set default_transaction_isolation = 'serializable'");
    struct db *own = test_cluster_open("harkara_gateway");
    test_cluster_sql("alter role harkara_gateway reset default_transaction_isolation");
    assert_ok(db_run_across(own, "test", serializable_step, &tries));
    assert_int_equal(tries, 2);
    assert_int_equal(test_cluster_number("select n from pair where id = 1"), 11);
    db_close(own);
}

static int64_t
backend(void)
{
    struct db_tx tx;

    assert_ok(db_begin_across(db, "test", &tx));
    int64_t pid = number(&tx, &backend_stmt);
    assert_ok(db_commit(&tx));
    return pid;
}

static void
end_backend(int64_t pid)
{
    char sql[128];

    snprintf(sql, sizeof(sql),
             "select count(*) filter (where pg_terminate_backend(pid, 5000)) from"
             " (values (%d)) as victim (pid)",
             (int)pid);
    assert_int_equal(test_cluster_number(sql), 1);
}

static void
a_connection_lost_within_a_transaction_stores_nothing(void **state UNUSED)
{
    const int64_t pid = backend();
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    end_backend(pid);
    assert_int_equal(insert_note(&tx), ERR_DB_UNAVAILABLE);
    assert_int_equal(insert_note(&tx), ERR_DB_UNAVAILABLE);
    assert_int_equal(db_fd(db), -1);
    assert_int_equal(db_commit(&tx), ERR_DB_UNAVAILABLE);
    assert_false(tx.is_open);
    assert_int_equal(db_begin(db, acme, &tx), ERR_DB_UNAVAILABLE);
    db_rollback(&tx);
    assert_ok(db_reopen(db, 5000));
    assert_int_equal(stored(), 0);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx)); /* prepared anew */
    assert_ok(db_commit(&tx));
}

static void
a_connection_lost_before_the_commit_is_reported_as_unknown(void **state UNUSED)
{
    const int64_t pid = backend();
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(insert_note(&tx));
    end_backend(pid);
    assert_int_equal(db_commit(&tx), ERR_DB_UNAVAILABLE);
    assert_ok(db_reopen(db, 5000));
}

static void
a_connection_lost_while_idle_is_opened_again_by_the_next_run(void **state UNUSED)
{
    struct tries none = { 0, 0, "" };

    end_backend(backend());
    assert_ok(db_run(db, acme, conflicting, &none));
    assert_int_equal(stored(), 1);
}

static void
wait_readable(void)
{
    struct pollfd socket = { db_fd(db), POLLIN, 0 };

    assert_int_equal(poll(&socket, 1, 10000), 1);
}

static void
a_farewell_that_was_not_heard_yet_is_heard_at_the_next_begin(void **state UNUSED)
{
    struct db_tx tx;

    end_backend(backend());
    wait_readable();
    assert_int_equal(db_begin(db, acme, &tx), ERR_DB_UNAVAILABLE);
    assert_int_equal(db_fd(db), -1);
    assert_ok(db_reopen(db, 5000));
}

/* The server is there, and says nothing: a stopped process, a dead disk. */
static void
a_silent_server_ends_the_query(void **state UNUSED)
{
    const int64_t pid = backend();
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    db_answer_limit_set(db, 150);
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    struct mono_time before = clock_mono(clock_system());
    enum err err = insert_note(&tx);
    int64_t took_ms = (clock_mono(clock_system()).us - before.us) / 1000;
    assert_int_equal(kill((pid_t)pid, SIGCONT), 0);
    assert_int_equal(err, ERR_DB_UNAVAILABLE);
    assert_in_range(took_ms, 150, 10000);
    assert_int_equal(db_fd(db), -1);
    db_rollback(&tx);
    db_answer_limit_set(db, DB_ANSWER_MS_MAX);
    assert_ok(db_reopen(db, 5000));
    assert_int_equal(stored(), 0);
}

static void
opening_again_waits_for_a_server_and_gives_up(void **state UNUSED)
{
    struct db_problem problem;
    struct db_tx tx;

    kill(embedded_postgres_pid(test_cluster_postgres()), SIGKILL);
    wait_readable(); /* until its children have noticed */
    assert_int_equal(db_begin(db, acme, &tx), ERR_DB_UNAVAILABLE);
    struct mono_time before = clock_mono(clock_system());
    assert_int_equal(db_reopen(db, 300), ERR_DB_UNAVAILABLE);
    assert_in_range((clock_mono(clock_system()).us - before.us) / 1000, 290, 10000);
    assert_ok(embedded_postgres_restart(test_cluster_postgres(), &problem));
    assert_ok(db_reopen(db, 10000));
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(db_commit(&tx));
}

struct news {
    int count;
    char last[64];
};

static void
hear(void *ctx, struct slice channel, struct slice payload)
{
    struct news *news = ctx;

    assert_true(slice_eq(channel, SLICE("test_news")));
    news->count++;
    snprintf(news->last, sizeof(news->last), "%.*s", SLICE_FMT(payload));
}

static void
news_wakes_the_listener_when_it_is_committed(void **state UNUSED)
{
    struct news news = { 0, "" };

    assert_ok(db_listen(db, "test_news"));
    assert_ok(db_notifications(db, hear, &news));
    assert_int_equal(news.count, 0);
    test_cluster_sql("notify test_news, 'first'");
    wait_readable();
    assert_ok(db_notifications(db, hear, &news));
    assert_int_equal(news.count, 1);
    assert_string_equal(news.last, "first");
    /* With a statement's answer: the socket stays silent, the news is there. */
    test_cluster_sql("notify test_news, 'second'");
    (void)backend();
    (void)backend();
    assert_ok(db_notifications(db, hear, &news));
    assert_int_equal(news.count, 2);
    assert_string_equal(news.last, "second");
}

static void
a_listener_listens_again_after_opening_again(void **state UNUSED)
{
    struct news news = { 0, "" };

    assert_ok(db_listen(db, "test_news"));
    end_backend(backend());
    enum err err = ERR_OK; /* the server's farewell may come before the end of the stream */
    for (int i = 0; i < 10 && err == ERR_OK; i++) {
        wait_readable();
        err = db_notifications(db, hear, &news);
    }
    assert_int_equal(err, ERR_DB_UNAVAILABLE);
    assert_int_equal(db_fd(db), -1);
    assert_int_equal(db_notifications(db, hear, &news), ERR_DB_UNAVAILABLE);
    assert_ok(db_reopen(db, 5000));
    test_cluster_sql("notify test_news, 'again'");
    wait_readable();
    assert_ok(db_notifications(db, hear, &news));
    assert_string_equal(news.last, "again");
}

static void
a_wrong_password_or_no_server_is_unavailable(void **state UNUSED)
{
    char conninfo[1024];
    struct db *none;

    snprintf(conninfo, sizeof(conninfo), "%s password=wrong", test_cluster_conninfo("harkara_gateway"));
    assert_int_equal(db_open(conninfo, &none), ERR_DB_UNAVAILABLE);
    assert_null(none);
    assert_int_equal(db_open("host=/nonexistent dbname=harkara", &none), ERR_DB_UNAVAILABLE);
    assert_int_equal(db_open("no connection string", &none), ERR_DB_UNAVAILABLE);
}

/* The kernel takes the connection, and nobody answers: half-dead servers and balancers do that. */
static void
a_server_that_accepts_and_says_nothing_is_given_up(void **state UNUSED)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char conninfo[256];
    struct db *none;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    /* Two seconds are the least that libpq waits; without a word it is five. */
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d dbname=x user=x connect_timeout=2",
             ntohs(address.sin_port));
    struct mono_time before = clock_mono(clock_system());
    assert_int_equal(db_open(conninfo, &none), ERR_DB_UNAVAILABLE);
    assert_in_range((clock_mono(clock_system()).us - before.us) / 1000, 1000, 20000);
    close(listener);
}

static int
setup(void **state)
{
    if (test_cluster_setup(state) != 0)
        return -1;
    test_cluster_sql(
        "create table note (tenant_id uuid, id uuid, word text not null, parent uuid,"
        " primary key (tenant_id, id), foreign key (tenant_id, parent) references note (tenant_id, id)"
        " deferrable initially deferred);"
        "alter table note owner to harkara_owner;"
        "select protect_tenant_table('note');"
        "select allow_across('note', 'harkara_gateway', 'note.read', 'select');"
        "grant select, insert, update, delete on note to harkara_gateway;"
        "create role note_writer nologin noinherit;"
        "grant note_writer to harkara_gateway;"
        "grant usage on schema harkara to note_writer;"
        "grant select, insert on note to note_writer;"
        "select allow_many('note', 'note_writer', 'select', 'insert');"
        "create table pair (id integer primary key, n integer not null);"
        "insert into pair values (1, 0), (2, 0);"
        "grant select, update on pair to harkara_gateway, harkara_dispatcher;"
        "create function raise_state(state text, note text) returns void language plpgsql as"
        " $$ begin raise exception using errcode = state; end $$;"
        "grant execute on function raise_state(text, text) to harkara_gateway");
    acme = test_cluster_tenant("acme");
    bolt = test_cluster_tenant("bolt");
    return 0;
}

#define test(name) cmocka_unit_test_setup_teardown(name, fresh, closed)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_commit_stores_and_a_rollback_does_not),
        test(a_transaction_sees_its_tenant_only),
        test(one_transaction_turns_from_tenant_to_tenant),
        test(turning_to_a_tenant_ends_the_work_across),
        test(a_row_of_another_tenant_is_refused),
        test(one_statement_writes_for_several_tenants),
        test(a_row_of_a_tenant_that_was_not_named_is_refused),
        test(a_failed_statement_cannot_be_committed_over),
        test(a_commit_that_fails_leaves_no_transaction),
        test(what_is_sent_later_goes_with_the_commit),
        test(what_is_sent_later_goes_with_the_next_answer_that_is_wanted),
        test(more_than_a_round_trip_holds_takes_several),
        test(an_error_of_what_was_sent_later_is_the_commits),
        test(plans_of_a_young_connection_are_made_anew),
        test(a_transaction_without_a_statement_asks_nobody),
        test(a_conflict_is_tried_again_and_not_for_ever),
        test(a_real_deadlock_is_resolved_by_trying_again),
        test(a_real_serialization_failure_is_tried_again),
        test(a_connection_lost_within_a_transaction_stores_nothing),
        test(a_connection_lost_before_the_commit_is_reported_as_unknown),
        test(a_connection_lost_while_idle_is_opened_again_by_the_next_run),
        test(a_farewell_that_was_not_heard_yet_is_heard_at_the_next_begin),
        test(a_silent_server_ends_the_query),
        test(opening_again_waits_for_a_server_and_gives_up),
        test(news_wakes_the_listener_when_it_is_committed),
        test(a_listener_listens_again_after_opening_again),
        test(a_wrong_password_or_no_server_is_unavailable),
        test(a_server_that_accepts_and_says_nothing_is_given_up),
    };

    return cmocka_run_group_tests(tests, setup, test_cluster_teardown);
}
