/* Values, errors and prepared statements against a real server. */
#include "core/buf.h"
#include "core/log.h"
#include "platform/db/db_internal.h"
#include "platform/db/test_cluster.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "marked-value-4711"

static struct db *db;

static int
open_db(void **state UNUSED)
{
    db = test_cluster_open("harkara_gateway");
    return 0;
}

static int
close_db(void **state UNUSED)
{
    db_close(db);
    return 0;
}

/* One statement in a transaction of its own; the rows outlive it. */
static enum err
ask(const struct db_stmt *stmt, struct db_args args, struct db_rows **rows)
{
    struct db_tx tx;
    enum err err = db_begin_across(db, "test", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, stmt, args, rows);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static void
every_type_goes_there_and_back(void **state UNUSED)
{
    static const struct db_stmt stmt = { "types_echo", "select $1, $2, $3, $4, $5, $6, $7, $8" };
    const struct id id = id_new(clock_system());
    const struct wall_time time = { INT64_C(1795334928123456) };
    const struct slice text = SLICE("na\xc3\xafve \xf0\x9f\x93\xa8"), bytes = SLICE("\0\1\xff\0");
    struct db_rows *rows;

    assert_ok(ask(&stmt,
                  DB_ARGS(DB_ID(id), DB_TEXT(text), DB_BYTES(bytes), DB_I64(-5), DB_BOOL(true), DB_TIME(time),
                          DB_JSON(SLICE("{\"a\": [1, null]}")), DB_XID(INT64_C(1) << 40)),
                  &rows));
    assert_int_equal(db_rows_count(rows), 1);
    assert_true(id_eq(db_id(rows, 0, 0), id));
    assert_true(slice_eq(db_text(rows, 0, 1), text));
    assert_true(slice_eq(db_bytes(rows, 0, 2), bytes));
    assert_int_equal(db_i64(rows, 0, 3), -5);
    assert_true(db_bool(rows, 0, 4));
    assert_int_equal(db_time(rows, 0, 5).us, time.us);
    assert_true(slice_eq(db_text(rows, 0, 6), SLICE("{\"a\": [1, null]}")));
    assert_int_equal(db_i64(rows, 0, 7), INT64_C(1) << 40);
    db_rows_free(rows);
}

static void
the_ends_of_numbers_and_time_survive(void **state UNUSED)
{
    static const struct db_stmt stmt = {
        "ends_echo",
        "select $1, $2, $3 = 'infinity'::timestamptz, $4 = '-infinity'::timestamptz, $3, $4,"
        " $5 = '1969-12-31T23:59:59.999999Z'::timestamptz, (-32768)::smallint, (-2147483648)::integer"
    };
    struct db_rows *rows;

    assert_ok(ask(&stmt,
                  DB_ARGS(DB_I64(INT64_MIN), DB_I64(INT64_MAX), DB_TIME(((struct wall_time){ INT64_MAX })),
                          DB_TIME(((struct wall_time){ INT64_MIN })), DB_TIME(((struct wall_time){ -1 }))),
                  &rows));
    assert_true(db_i64(rows, 0, 0) == INT64_MIN);
    assert_true(db_i64(rows, 0, 1) == INT64_MAX);
    for (int column = 2; column < 7; column += column == 3 ? 3 : 1)
        assert_true(db_bool(rows, 0, column));
    assert_true(db_time(rows, 0, 4).us == INT64_MAX);
    assert_true(db_time(rows, 0, 5).us == INT64_MIN);
    assert_int_equal(db_i64(rows, 0, 7), -32768);
    assert_int_equal(db_i64(rows, 0, 8), INT32_MIN);
    db_rows_free(rows);
}

static void
null_is_not_empty(void **state UNUSED)
{
    static const struct db_stmt stmt = { "nulls_echo", "select $1, $2, $3, $4, $5::integer" };
    struct db_rows *rows;

    assert_ok(ask(
        &stmt,
        DB_ARGS(DB_TEXT(SLICE_EMPTY), DB_TEXT_Z(""), DB_BYTES(SLICE_EMPTY), DB_JSON(SLICE_EMPTY), DB_NULL),
        &rows));
    const bool expected[] = { true, false, true, true, true };
    for (int column = 0; column < 5; column++)
        assert_int_equal(db_is_null(rows, 0, column), expected[column]);
    assert_null(db_text(rows, 0, 0).ptr);
    assert_int_equal(db_text(rows, 0, 1).len, 0);
    assert_non_null(db_text(rows, 0, 1).ptr);
    db_rows_free(rows);
}

static void
arrays_of_every_type_unnest_in_order(void **state UNUSED)
{
    static const struct db_stmt stmt = { "arrays_unnest",
                                         "select * from unnest($1, $2, $3, $4, $5) with ordinality" };
    const struct id ids[] = { { { 1 } }, { { 2 } }, { { 3 } } };
    const struct slice texts[] = { SLICE("one"), SLICE_EMPTY, SLICE("") },
                       bytes[] = { SLICE("\0"), SLICE(""), SLICE_EMPTY };
    const int64_t numbers[] = { 1, INT64_MIN, -1 };
    const struct wall_time times[] = { { 0 }, { INT64_MAX }, { 1 } };
    struct db_rows *rows;

    assert_ok(ask(&stmt,
                  DB_ARGS(DB_ID_ARRAY(ids, 3), DB_TEXT_ARRAY(texts, 3), DB_BYTES_ARRAY(bytes, 3),
                          DB_I64_ARRAY(numbers, 3), DB_TIME_ARRAY(times, 3)),
                  &rows));
    assert_int_equal(db_rows_count(rows), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(id_eq(db_id(rows, i, 0), ids[i]));
        assert_int_equal(db_is_null(rows, i, 1), texts[i].ptr == NULL);
        assert_true(slice_eq(db_text(rows, i, 1), texts[i]));
        assert_int_equal(db_is_null(rows, i, 2), bytes[i].ptr == NULL);
        assert_true(slice_eq(db_bytes(rows, i, 2), bytes[i]));
        assert_true(db_i64(rows, i, 3) == numbers[i]);
        assert_true(db_time(rows, i, 4).us == times[i].us);
        assert_int_equal(db_i64(rows, i, 5), i + 1);
    }
    db_rows_free(rows);
}

static void
an_array_may_be_empty(void **state UNUSED)
{
    static const struct db_stmt stmt = { "array_empty", "select cardinality($1), $1 = '{}'::uuid[]" };
    struct db_rows *rows;

    assert_ok(ask(&stmt, DB_ARGS(DB_ID_ARRAY(NULL, 0)), &rows));
    assert_int_equal(db_i64(rows, 0, 0), 0);
    assert_true(db_bool(rows, 0, 1));
    db_rows_free(rows);
}

static void
a_text_array_is_read_up_to_its_limit(void **state UNUSED)
{
    static const struct db_stmt stmt = { "array_read",
                                         "select '{one,NULL,\"\"}'::text[], '{}'::text[], null::text[]" };
    struct arena *arena = arena_new(4096);
    struct slice out[3];
    struct db_rows *rows;
    size_t count = 9;

    assert_ok(ask(&stmt, DB_NO_ARGS, &rows));
    assert_ok(db_text_array(rows, 0, 0, arena, out, 3, &count));
    assert_int_equal(count, 3);
    assert_true(slice_eq(out[0], SLICE("one")));
    assert_null(out[1].ptr);
    assert_non_null(out[2].ptr);
    assert_int_equal(out[2].len, 0);
    assert_int_equal(db_text_array(rows, 0, 0, arena, out, 2, &count), ERR_LIMIT);
    for (int column = 1; column <= 2; column++) {
        assert_ok(db_text_array(rows, 0, column, arena, out, 3, &count));
        assert_int_equal(count, 0);
    }
    db_rows_free(rows);
    arena_free(arena);
}

/* More than the kernel's buffers hold in either direction: nobody may wait for the other for ever. */
static void
large_values_pass_both_ways(void **state UNUSED)
{
    static const struct db_stmt stmt = { "large_echo", "select $1, $2" };
    const size_t len = 12u << 20;
    char *large = malloc(len);
    struct db_rows *rows;

    assert_non_null(large);
    for (size_t i = 0; i < len; i++)
        large[i] = (char)(i * 31 >> 3);
    assert_ok(ask(&stmt, DB_ARGS(DB_BYTES(slice_of(large, len)), DB_BYTES(slice_of(large, len))), &rows));
    assert_true(slice_eq(db_bytes(rows, 0, 0), slice_of(large, len)));
    assert_true(slice_eq(db_bytes(rows, 0, 1), slice_of(large, len)));
    db_rows_free(rows);
    free(large);
}

static void
an_argument_beyond_the_limit_is_refused_before_it_is_sent(void **state UNUSED)
{
    static const struct db_stmt stmt = { "limit_echo", "select length($1), length($2)" };
    const size_t len = (DB_ARGS_BYTES_MAX / 2) + 1;
    char *large = calloc(1, len);
    struct db_rows *rows;

    assert_non_null(large);
    assert_int_equal(
        ask(&stmt, DB_ARGS(DB_BYTES(slice_of(large, len)), DB_BYTES(slice_of(large, len))), &rows),
        ERR_LIMIT);
    free(large);
}

static void
sqlstates_map_to_what_a_caller_can_do(void **state UNUSED)
{
    static const struct db_stmt stmt = { "raise", "select raise_state($1)" };
    const struct {
        const char *sqlstate;
        enum err err;
    } rows[] = {
        { "40001", ERR_DB_CONFLICT },    { "40P01", ERR_DB_CONFLICT },    { "55P03", ERR_DB_CONFLICT },
        { "23505", ERR_EXISTS },         { "23503", ERR_DB_CONSTRAINT },  { "23514", ERR_DB_CONSTRAINT },
        { "23502", ERR_DB_CONSTRAINT },  { "22001", ERR_DB_DATA },        { "22P02", ERR_DB_DATA },
        { "53100", ERR_DB_UNAVAILABLE }, { "25006", ERR_DB_UNAVAILABLE }, { "57014", ERR_TIMEOUT },
        { "42501", ERR_DB_STATEMENT },   { "P0001", ERR_DB_STATEMENT },   { "XX000", ERR_DB_STATEMENT },
    };
    struct db_rows *none;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(ask(&stmt, DB_ARGS(DB_TEXT_Z(rows[i].sqlstate)), &none), rows[i].err);
    assert_int_equal(db_err_of_sqlstate("57P01"), ERR_DB_UNAVAILABLE);
    assert_int_equal(db_err_of_sqlstate("08006"), ERR_DB_UNAVAILABLE);
    assert_int_equal(db_err_of_sqlstate("25P03"), ERR_DB_UNAVAILABLE);
    assert_int_equal(db_err_of_sqlstate(NULL), ERR_DB_UNAVAILABLE);
}

static void
real_violations_map_as_their_sqlstate_says(void **state UNUSED)
{
    static const struct db_stmt twice = { "sample_twice", "insert into sample values (1, 'a'), (1, 'b')" };
    static const struct db_stmt missing = { "sample_missing", "insert into sample (id) values (2)" };
    static const struct db_stmt cast = { "sample_cast", "select $1::text::uuid" };
    static const struct db_stmt syntax = { "sample_syntax", "selekt 1" };
    static const struct db_stmt denied = { "sample_denied", "select * from harkara_meta.migration" };
    static const struct db_stmt zero = { "sample_text", "select $1::text" };
    struct db_rows *none;

    assert_int_equal(ask(&twice, DB_NO_ARGS, &none), ERR_EXISTS);
    assert_int_equal(ask(&missing, DB_NO_ARGS, &none), ERR_DB_CONSTRAINT);
    assert_int_equal(ask(&cast, DB_ARGS(DB_TEXT_Z("no uuid")), &none), ERR_DB_DATA);
    assert_int_equal(ask(&syntax, DB_NO_ARGS, &none), ERR_DB_STATEMENT);
    assert_int_equal(ask(&denied, DB_NO_ARGS, &none), ERR_DB_STATEMENT);
    assert_int_equal(ask(&zero, DB_ARGS(DB_TEXT(SLICE("a\0b"))), &none), ERR_DB_DATA);
    assert_int_equal(ask(&zero, DB_ARGS(DB_TEXT(SLICE("\xff"))), &none), ERR_DB_DATA);
}

/* A statement that failed to prepare is prepared again, not remembered as there. */
static void
a_statement_that_failed_at_first_can_succeed_later(void **state UNUSED)
{
    static const struct db_stmt stmt = { "late_table", "select count(*) from late_table" };
    struct db_rows *rows;

    assert_int_equal(ask(&stmt, DB_NO_ARGS, &rows), ERR_DB_STATEMENT);
    test_cluster_sql("create table late_table (n integer); grant select on late_table to harkara_gateway");
    assert_ok(ask(&stmt, DB_NO_ARGS, &rows));
    db_rows_free(rows);
    test_cluster_sql("drop table late_table");
}

static int64_t
prepared_count(const char *like)
{
    static const struct db_stmt stmt = { "prepared_count",
                                         "select count(*) from pg_prepared_statements where name like $1" };
    struct db_rows *rows;

    assert_ok(ask(&stmt, DB_ARGS(DB_TEXT_Z(like)), &rows));
    int64_t count = db_i64(rows, 0, 0);
    db_rows_free(rows);
    return count;
}

static void
a_statement_is_prepared_once_per_connection(void **state UNUSED)
{
    static const struct db_stmt stmt = { "prepared_echo", "select $1::bigint" };
    struct db_rows *rows;

    for (int64_t i = 0; i < 5; i++) {
        assert_ok(ask(&stmt, DB_ARGS(DB_I64(i)), &rows));
        assert_int_equal(db_i64(rows, 0, 0), i);
        db_rows_free(rows);
    }
    assert_int_equal(prepared_count("prepared_echo.%"), 1);
}

/* Only the first NULL leaves the type to the server, which guesses text here: the uuid must not be read as
 * text. */
static void
a_first_null_does_not_fix_the_type(void **state UNUSED)
{
    static const struct db_stmt stmt = { "null_first", "select $1, $2" };
    const struct id id = { { 7 } };
    struct db_rows *rows;

    assert_ok(ask(&stmt, DB_ARGS(DB_NULL, DB_I64(1)), &rows));
    assert_true(db_is_null(rows, 0, 0));
    db_rows_free(rows);
    assert_ok(ask(&stmt, DB_ARGS(DB_ID(id), DB_NULL), &rows));
    assert_true(id_eq(db_id(rows, 0, 0), id));
    db_rows_free(rows);
    assert_ok(ask(&stmt, DB_ARGS(DB_NULL, DB_I64(3)), &rows));
    assert_int_equal(db_i64(rows, 0, 1), 3);
    db_rows_free(rows);
    assert_int_equal(prepared_count("null_first.%"), 2);
}

static enum err
read_sample(struct db_tx *tx, void *ctx)
{
    static const struct db_stmt stmt = { "sample_all", "select * from sample" };
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK)
        *(size_t *)ctx = db_rows_count(rows);
    db_rows_free(rows);
    return err;
}

/* "cached plan must not change result type": a migration while processes run. */
static void
a_statement_survives_a_change_of_its_table(void **state UNUSED)
{
    size_t count = 9;

    assert_ok(db_run_across(db, "test", read_sample, &count));
    test_cluster_sql("alter table sample add column more integer");
    assert_ok(db_run_across(db, "test", read_sample, &count));
    assert_int_equal(count, 0);
    test_cluster_sql("alter table sample drop column more");
    assert_ok(db_run_across(db, "test", read_sample, &count));
}

static void
too_many_rows_are_an_error_and_not_a_surprise(void **state UNUSED)
{
    static const struct db_stmt stmt = { "many", "select generate_series(1, $1)" };
    struct db_rows *rows = NULL;

    assert_ok(ask(&stmt, DB_ARGS(DB_I64(DB_ROWS_MAX)), &rows));
    assert_int_equal(db_rows_count(rows), DB_ROWS_MAX);
    db_rows_free(rows);
    rows = NULL;
    assert_int_equal(ask(&stmt, DB_ARGS(DB_I64(DB_ROWS_MAX + 1)), &rows), ERR_DB_STATEMENT);
    assert_null(rows);
}

static void
exec_counts_what_it_touched(void **state UNUSED)
{
    static const struct db_stmt insert = { "sample_insert",
                                           "insert into sample select n, 'x' from generate_series(1, $1) n" };
    static const struct db_stmt delete = { "sample_delete", "delete from sample where id = $1" };
    struct db_tx tx;
    size_t affected = 0;

    assert_ok(db_begin_across(db, "test", &tx));
    assert_ok(db_exec(&tx, &insert, DB_ARGS(DB_I64(3)), &affected));
    assert_int_equal(affected, 3);
    assert_ok(db_exec_one(&tx, &delete, DB_ARGS(DB_I64(2))));
    assert_int_equal(db_exec_one(&tx, &delete, DB_ARGS(DB_I64(2))), ERR_NOT_FOUND);
    db_rollback(&tx);
}

static size_t
file_read(const char *path, char *out, size_t max)
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    size_t len = fread(out, 1, max - 1, file);
    out[len] = '\0';
    fclose(file);
    return len;
}

/* Values come into error texts in many ways; none of these texts goes anywhere. */
static void
no_value_reaches_a_log(void **state UNUSED)
{
    static const struct db_stmt cast = { "mark_cast", "select $1::text::uuid" };
    static const struct db_stmt insert = { "mark_insert", "insert into sample values (1, $1), (1, $1)" };
    static const struct db_stmt check = { "mark_check", "insert into sample values (-1, $1)" };
    char path[512], text[65536];
    struct db_rows *none;

    snprintf(path, sizeof(path), "%s/our.log", test_cluster_folder());
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    log_open("test", LOG_DEBUG, fd);
    assert_int_equal(ask(&cast, DB_ARGS(DB_TEXT_Z(MARK)), &none), ERR_DB_DATA);
    assert_int_equal(ask(&insert, DB_ARGS(DB_TEXT_Z(MARK)), &none), ERR_EXISTS);
    assert_int_equal(ask(&check, DB_ARGS(DB_TEXT_Z(MARK)), &none), ERR_DB_CONSTRAINT);
    log_open("test", LOG_WARN, STDERR_FILENO);
    close(fd);

    file_read(path, text, sizeof(text));
    assert_non_null(strstr(text, "mark_cast"));
    assert_non_null(strstr(text, "22P02"));
    assert_non_null(strstr(text, "mark_check"));
    assert_non_null(strstr(text, "23514"));
    assert_null(strstr(text, MARK));
    snprintf(path, sizeof(path), "%s/postgres/server.log", test_cluster_folder());
    assert_true(file_read(path, text, sizeof(text)) > 0);
    assert_null(strstr(text, MARK));
    assert_null(strstr(text, "insert into sample"));
}

/* What only a mistake of ours can cause ends the process; tried in one that may end. */
static void
assert_is_our_bug(void (*mistake)(void))
{
    int status = 0;

    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null_fd = open("/dev/null", O_WRONLY);
        signal(SIGABRT, SIG_DFL);
        dup2(null_fd, STDERR_FILENO);
        mistake();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
begin_twice(void)
{
    struct db_tx first, second;

    if (db_begin_across(db, "test", &first) == ERR_OK)
        (void)!db_begin_across(db, "test", &second);
}

static void
use_after_commit(void)
{
    static const struct db_stmt stmt = { "one", "select 1" };
    struct db_tx tx;

    if (db_begin_across(db, "test", &tx) == ERR_OK && db_commit(&tx) == ERR_OK)
        (void)!db_exec(&tx, &stmt, DB_NO_ARGS, NULL);
}

static void
share_a_name(void)
{
    static const struct db_stmt first = { "shared", "select 1" }, second = { "shared", "select 2" };
    struct db_rows *rows;

    if (ask(&first, DB_NO_ARGS, &rows) == ERR_OK)
        (void)!ask(&second, DB_NO_ARGS, &rows);
}

static void
read_as_wrong_type(void)
{
    static const struct db_stmt stmt = { "one_text", "select 'one'::text" };
    struct db_rows *rows;

    if (ask(&stmt, DB_NO_ARGS, &rows) == ERR_OK)
        (void)db_i64(rows, 0, 0);
}

static void
begin_for_nobody(void)
{
    struct db_tx tx;

    (void)!db_begin(db, (struct id){ { 0 } }, &tx);
}

static void
mistakes_of_ours_end_the_process(void **state UNUSED)
{
    void (*const mistakes[])(void) = { begin_twice, use_after_commit, share_a_name, read_as_wrong_type,
                                       begin_for_nobody };

    close_db(NULL);
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        open_db(NULL); /* its own, so that the other tests' connection is not spoken on by two */
        assert_is_our_bug(mistakes[i]);
        close_db(NULL);
    }
    open_db(NULL);
}

static int
setup(void **state)
{
    if (test_cluster_setup(state) != 0)
        return -1;
    test_cluster_sql("create table sample (id integer primary key check (id > 0), word text not null);"
                     "grant select, insert, update, delete on sample to harkara_gateway;"
                     "create function raise_state(state text) returns void language plpgsql as"
                     " $$ begin raise exception using errcode = state; end $$;"
                     "grant execute on function raise_state(text) to harkara_gateway");
    return open_db(state);
}

static int
teardown(void **state)
{
    close_db(state);
    return test_cluster_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_goes_there_and_back),
        cmocka_unit_test(the_ends_of_numbers_and_time_survive),
        cmocka_unit_test(null_is_not_empty),
        cmocka_unit_test(arrays_of_every_type_unnest_in_order),
        cmocka_unit_test(an_array_may_be_empty),
        cmocka_unit_test(a_text_array_is_read_up_to_its_limit),
        cmocka_unit_test(large_values_pass_both_ways),
        cmocka_unit_test(an_argument_beyond_the_limit_is_refused_before_it_is_sent),
        cmocka_unit_test(sqlstates_map_to_what_a_caller_can_do),
        cmocka_unit_test(real_violations_map_as_their_sqlstate_says),
        cmocka_unit_test(a_statement_that_failed_at_first_can_succeed_later),
        cmocka_unit_test(a_statement_is_prepared_once_per_connection),
        cmocka_unit_test(a_first_null_does_not_fix_the_type),
        cmocka_unit_test(a_statement_survives_a_change_of_its_table),
        cmocka_unit_test(too_many_rows_are_an_error_and_not_a_surprise),
        cmocka_unit_test(exec_counts_what_it_touched),
        cmocka_unit_test(no_value_reaches_a_log),
        cmocka_unit_test(mistakes_of_ours_end_the_process),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
