/* The private cluster: made, stopped, killed in every way, and started again. */
#include "core/log.h"
#include "core/num.h"
#include "platform/db/conninfo.h"
#include "platform/db/embedded_postgres_internal.h"
#include "platform/db/test_cluster.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The shared test cluster only lends its folder here; the tests' own cluster lies below it, so that it is
 * gone with it. It is made by the first test and goes through all that follows.
 */
static char state_folder[400], socket_folder[420];
static struct embedded_postgres_options options;
static struct db_problem problem;
static uid_t server_uid;
static gid_t server_gid;

static struct embedded_postgres *
start(void)
{
    struct embedded_postgres *postgres = NULL;

    if (embedded_postgres_start(&options, &postgres, &problem) != ERR_OK)
        fail_msg("%s", problem.detail);
    return postgres;
}

static void
run(struct embedded_postgres *postgres, const char *sql)
{
    PGconn *conn = PQconnectdb(embedded_postgres_conninfo(postgres));
    PGresult *result = PQexec(conn, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
}

static void
assert_setting(struct embedded_postgres *postgres, const char *name, const char *expected)
{
    PGconn *conn = PQconnectdb(embedded_postgres_conninfo(postgres));
    const char *const values[] = { name };
    PGresult *result = PQexecParams(conn, "select current_setting($1)", 1, NULL, values, NULL, NULL, 0);

    assert_int_equal(PQntuples(result), 1);
    assert_string_equal(PQgetvalue(result, 0, 0), expected);
    PQclear(result);
    PQfinish(conn);
}

/* Rows of a table that every life of the server adds one to. */
static int64_t
count_lives(struct embedded_postgres *postgres)
{
    PGconn *conn = PQconnectdb(embedded_postgres_conninfo(postgres));
    PGresult *result = PQexec(
        conn,
        "set client_min_messages = error; create table if not exists life (at timestamptz default now());"
        "insert into life default values; select count(*) from life");
    int64_t count = -1;

    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    assert_ok(num_i64_parse(slice_text(PQgetvalue(result, 0, 0)), &count));
    PQclear(result);
    PQfinish(conn);
    return count;
}

static int64_t lives;

static void
assert_lives_on(struct embedded_postgres *postgres)
{
    lives++;
    assert_int_equal(count_lives(postgres), lives);
}

static bool
exists(const char *folder, const char *name)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void
the_cluster_is_private_and_checked(void **state UNUSED)
{
    struct embedded_postgres *postgres = start();
    char path[600];
    struct stat facts;

    assert_setting(postgres, "listen_addresses", "");
    assert_setting(postgres, "data_checksums", "on");
    assert_setting(postgres, "password_encryption", "scram-sha-256");
    assert_setting(postgres, "log_parameter_max_length", "0");
    assert_setting(postgres, "log_parameter_max_length_on_error", "0");
    assert_setting(postgres, "server_encoding", "UTF8");
    assert_setting(postgres, "lc_collate", "C");
    assert_setting(postgres, "jit", "off");
    assert_setting(postgres, "unix_socket_directories", socket_folder);
    /* Not as root, and what it reads but must not change is not its own. */
    snprintf(path, sizeof(path), "/proc/%d", (int)embedded_postgres_pid(postgres));
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_uid, server_uid);
    assert_int_not_equal(facts.st_uid, 0);
    snprintf(path, sizeof(path), "%s/postgres/harkara.conf", state_folder);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_uid, geteuid());
    snprintf(path, sizeof(path), "%s/postgres-password", state_folder);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0400);
    assert_int_equal(stat(socket_folder, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, options.user != NULL ? 0711 : 0700);
    assert_int_equal(facts.st_uid, server_uid);
    assert_lives_on(postgres);
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

static void
a_clean_stop_leaves_nothing_running_and_keeps_the_data(void **state UNUSED)
{
    struct embedded_postgres *postgres = start();
    pid_t pid = embedded_postgres_pid(postgres);

    assert_lives_on(postgres);
    /* An open transaction does not hold the stop up. */
    PGconn *conn = PQconnectdb(embedded_postgres_conninfo(postgres));
    PQclear(PQexec(conn, "begin; insert into life default values"));
    assert_ok(embedded_postgres_stop(postgres, 20000));
    PQfinish(conn);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    assert_false(exists(socket_folder, ".s.PGSQL.5432"));
    assert_false(exists(state_folder, "postgres/data/postmaster.pid"));
    postgres = start();
    assert_lives_on(postgres);
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

static bool
may_connect(const char *user, const char *database, const char *password)
{
    struct secret *conninfo;

    assert_ok(conninfo_of_socket(socket_folder, EMBEDDED_POSTGRES_PORT, database, user, slice_text(password),
                                 &conninfo));
    PGconn *conn = PQconnectdb(secret_slice(conninfo).ptr);
    bool is_in = PQstatus(conn) == CONNECTION_OK;
    PQfinish(conn);
    secret_free(conninfo);
    return is_in;
}

static void
only_a_password_opens_and_only_our_database(void **state UNUSED)
{
    struct embedded_postgres *postgres = start();

    run(postgres, "create role visitor login password 'visit'");
    assert_true(may_connect("visitor", "harkara", "visit"));
    assert_false(may_connect("visitor", "harkara", "wrong"));
    assert_false(may_connect("visitor", "harkara", ""));
    assert_false(may_connect("visitor", "postgres", "visit"));
    assert_false(may_connect("postgres", "harkara", ""));
    run(postgres, "drop role visitor");
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

static void
one_state_folder_has_one_supervisor(void **state UNUSED)
{
    struct embedded_postgres *postgres = start(), *second = NULL;
    pid_t pid = embedded_postgres_pid(postgres);

    assert_int_equal(embedded_postgres_start(&options, &second, &problem), ERR_BUSY);
    assert_null(second);
    assert_non_null(strstr(problem.detail, "another process"));
    assert_int_equal(embedded_postgres_pid(postgres), pid);
    assert_lives_on(postgres); /* undisturbed */
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

/* kill -9 of everything that runs in the data folder. */
static size_t
kill_all_servers(void)
{
    DIR *processes = opendir("/proc");
    pid_t found[64];
    size_t count = 0;

    assert_non_null(processes);
    for (struct dirent *entry; count < COUNT_OF(found) && (entry = readdir(processes)) != NULL;) {
        char path[300], cwd[600], data[600];
        int pid;
        if (num_int_parse(slice_text(entry->d_name), 2, INT32_MAX, &pid) != ERR_OK)
            continue;
        snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
        snprintf(data, sizeof(data), "%s/postgres/data", state_folder);
        ssize_t len = readlink(path, cwd, sizeof(cwd) - 1);
        if (len < 0)
            continue;
        cwd[len] = '\0';
        if (strcmp(cwd, data) == 0)
            found[count++] = pid;
    }
    closedir(processes);
    for (size_t i = 0; i < count; i++) /* all found first: the children of a killed one are soon gone */
        (void)kill(found[i], SIGKILL);
    return count;
}

static void
a_killed_server_is_started_again_without_loss(void **state UNUSED)
{
    struct embedded_postgres *postgres = start();

    assert_lives_on(postgres);
    assert_int_equal(kill(embedded_postgres_pid(postgres), SIGKILL), 0);
    assert_ok(embedded_process_wait(embedded_postgres_pid(postgres), 5000));
    assert_ok(embedded_postgres_restart(postgres, &problem));
    assert_lives_on(postgres);
    assert_true(kill_all_servers() > 3); /* postmaster, checkpointer, writers */
    assert_ok(embedded_process_wait(embedded_postgres_pid(postgres), 5000));
    assert_ok(embedded_postgres_restart(postgres, &problem));
    assert_lives_on(postgres);
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

/* A supervisor in a process of its own: starts the cluster, tells its postmaster, and waits to be killed. */
static int
supervise(char **arguments)
{
    const struct embedded_postgres_options own = { .bin_folder = arguments[0],
                                                   .state_folder = arguments[1],
                                                   .socket_folder = arguments[2],
                                                   .user = arguments[3],
                                                   .connections_max = 20,
                                                   .is_disposable = true };
    struct embedded_postgres *postgres;
    struct db_problem why;

    log_open("test", LOG_WARN, STDERR_FILENO);
    if (secret_pool_open_unlocked(65536) != ERR_OK ||
        embedded_postgres_start(&own, &postgres, &why) != ERR_OK)
        return 1;
    int32_t pid = embedded_postgres_pid(postgres);
    if (write(STDOUT_FILENO, &pid, sizeof(pid)) != sizeof(pid))
        return 1;
    for (;;)
        (void)pause();
}

static pid_t
supervise_in_child(pid_t *postmaster_out)
{
    int ends[2];
    int32_t postmaster = -1;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "supervisor", options.bin_folder, state_folder, socket_folder, options.user,
              (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &postmaster, sizeof(postmaster)), sizeof(postmaster));
    close(ends[0]);
    *postmaster_out = postmaster;
    return pid;
}

static void
a_killed_supervisor_takes_its_server_along(void **state UNUSED)
{
    pid_t postmaster, supervisor = supervise_in_child(&postmaster);

    assert_int_equal(kill(postmaster, 0), 0);
    assert_int_equal(kill(supervisor, SIGKILL), 0);
    assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
    assert_ok(embedded_process_wait(postmaster, 20000));
    assert_false(exists(state_folder, "postgres/data/postmaster.pid")); /* it went in order */
    struct embedded_postgres *postgres = start();
    assert_lives_on(postgres);
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

static void
everything_killed_at_once_is_started_again(void **state UNUSED)
{
    pid_t postmaster, supervisor = supervise_in_child(&postmaster);

    assert_int_equal(kill(postmaster, SIGSTOP), 0); /* so that it cannot go in order */
    assert_int_equal(kill(supervisor, SIGKILL), 0);
    assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
    assert_true(kill_all_servers() > 3);
    assert_ok(embedded_process_wait(postmaster, 5000));
    assert_true(exists(state_folder, "postgres/data/postmaster.pid"));
    assert_true(exists(socket_folder, ".s.PGSQL.5432.lock"));
    struct embedded_postgres *postgres = start();
    assert_lives_on(postgres);
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

/* What the kernel's signal did not end, say because something stopped it: a server of an earlier run. */
static void
a_server_of_an_earlier_run_is_ended_first(void **state UNUSED)
{
    char data[500], lock[500], config[520], server[500];

    snprintf(server, sizeof(server), "%s/postgres", options.bin_folder);
    snprintf(data, sizeof(data), "%s/postgres/data", state_folder);
    snprintf(lock, sizeof(lock), "%s/postgres/lock", state_folder);
    snprintf(config, sizeof(config), "config_file=%s/postgres/harkara.conf", state_folder);
    const char *arguments[] = { server, "-D", data, "-c", config, NULL };
    int lock_fd = open(lock, O_RDWR | O_CLOEXEC), null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const struct embedded_child child = { server, arguments, server_uid, server_gid, 0, null_fd, lock_fd };
    const char *const names[] = { "host", "port", "dbname", "user", NULL };
    const char *const values[] = { socket_folder, "5432", "harkara", "postgres", NULL };
    pid_t earlier;

    assert_int_equal(flock(lock_fd, LOCK_EX | LOCK_NB), 0);
    assert_ok(embedded_child_start(&child, &earlier));
    close(lock_fd);
    close(null_fd);
    while (PQpingParams(names, values, 0) != PQPING_OK)
        assert_int_equal(embedded_process_wait(earlier, 20), ERR_TIMEOUT);
    struct embedded_postgres *postgres = start();
    assert_int_equal(waitpid(earlier, NULL, WNOHANG), earlier); /* in order, before ours */
    assert_int_not_equal(embedded_postgres_pid(postgres), earlier);
    assert_lives_on(postgres);
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

static void
write_as_server(const char *name, const char *text)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/postgres/data/%s", state_folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchown(fd, server_uid, server_gid), 0);
    close(fd);
}

/* After a kill -9 and a restart of a container, the number in postmaster.pid is soon somebody else's. */
static void
a_stale_pid_file_whose_number_lives_again_is_no_obstacle(void **state UNUSED)
{
    const char *arguments[] = { "/bin/sleep", "1000", NULL };
    int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const struct embedded_child child = { "/bin/sleep", arguments, server_uid, server_gid,
                                          SIGKILL,      null_fd,   -1 };
    char text[1000];
    pid_t stranger;

    assert_ok(embedded_child_start(&child, &stranger));
    close(null_fd);
    snprintf(text, sizeof(text), "%d\n%s/postgres/data\n1795334928\n5432\n%s\n\n", (int)stranger,
             state_folder, socket_folder);
    write_as_server("postmaster.pid", text);
    struct embedded_postgres *postgres = start();
    assert_lives_on(postgres);
    assert_int_equal(kill(stranger, SIGKILL), 0); /* untouched until now */
    assert_int_equal(waitpid(stranger, NULL, 0), stranger);
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

static void
a_cluster_half_made_is_made_anew(void **state UNUSED)
{
    char folder[420], sockets[440], path[520];
    struct embedded_postgres_options other = options;
    struct embedded_postgres *postgres;

    snprintf(folder, sizeof(folder), "%s/half", test_cluster_folder());
    snprintf(sockets, sizeof(sockets), "%s/run", folder);
    other.state_folder = folder;
    other.socket_folder = sockets;
    assert_int_equal(mkdir(folder, 0711), 0);
    snprintf(path, sizeof(path), "%s/postgres", folder);
    assert_int_equal(mkdir(path, 0711), 0);
    snprintf(path, sizeof(path), "%s/postgres/data.new", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/postgres/data.new/PG_VERSION", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_ok(embedded_postgres_start(&other, &postgres, &problem));
    assert_false(exists(folder, "postgres/data.new"));
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

static void
a_server_that_does_not_stop_is_forced(void **state UNUSED)
{
    struct embedded_postgres *postgres = start();
    pid_t pid = embedded_postgres_pid(postgres);

    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(embedded_postgres_stop(postgres, 100), ERR_TIMEOUT);
    assert_int_equal(kill(pid, 0), -1);
    postgres = start();
    assert_lives_on(postgres);
    assert_ok(embedded_postgres_stop(postgres, 20000));
}

static void
what_cannot_work_is_said_clearly(void **state UNUSED)
{
    char long_folder[200], closed[420];
    struct embedded_postgres *postgres;

    snprintf(long_folder, sizeof(long_folder), "/tmp/%0*d", 100, 0);
    snprintf(closed, sizeof(closed), "%s/closed", test_cluster_folder());
    assert_int_equal(mkdir(closed, 0700), 0);
    struct {
        struct embedded_postgres_options options;
        const char *detail;
    } rows[5] = {
        { options, "too long" },      { options, "no PostgreSQL server" },
        { options, "cannot run as" }, { options, "absolute path" },
        { options, "not there" },
    };
    rows[0].options.socket_folder = long_folder;
    rows[1].options.bin_folder = "/nonexistent";
    rows[2].options.user = "nobody-of-this-name";
    rows[3].options.state_folder = "relative";
    rows[4].options.state_folder = "/nonexistent";
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(embedded_postgres_start(&rows[i].options, &postgres, &problem), ERR_CONFIG);
        assert_non_null(strstr(problem.detail, rows[i].detail));
        assert_null(postgres);
    }
    if (geteuid() != 0)
        return;
    struct embedded_postgres_options as_root = options;
    as_root.user = NULL;
    assert_int_equal(embedded_postgres_start(&as_root, &postgres, &problem), ERR_CONFIG);
    assert_non_null(strstr(problem.detail, "does not run as root"));
    as_root.user = "root";
    assert_int_equal(embedded_postgres_start(&as_root, &postgres, &problem), ERR_CONFIG);
    as_root = options;
    as_root.state_folder = closed;
    assert_int_equal(embedded_postgres_start(&as_root, &postgres, &problem), ERR_CONFIG);
    assert_non_null(strstr(problem.detail, "closed to PostgreSQL's user"));
    /* Also when it is not the folder itself, but one above it. */
    char inner[440];
    snprintf(inner, sizeof(inner), "%s/inner", closed);
    assert_int_equal(mkdir(inner, 0711), 0);
    as_root.state_folder = inner;
    assert_int_equal(embedded_postgres_start(&as_root, &postgres, &problem), ERR_CONFIG);
    assert_null(strstr(problem.detail, inner));
    assert_non_null(strstr(problem.detail, closed));
}

static int
setup(void **state)
{
    if (test_cluster_setup(state) != 0)
        return -1;
    snprintf(state_folder, sizeof(state_folder), "%s/own", test_cluster_folder());
    snprintf(socket_folder, sizeof(socket_folder), "%s/run", state_folder);
    options = (struct embedded_postgres_options){ .bin_folder = test_cluster_bin(),
                                                  .state_folder = state_folder,
                                                  .socket_folder = socket_folder,
                                                  .user = test_cluster_user(),
                                                  .connections_max = 20,
                                                  .is_disposable = true };
    server_uid = geteuid();
    server_gid = getegid();
    if (options.user != NULL) {
        const struct passwd *entry = getpwnam(options.user);
        if (entry == NULL)
            return -1;
        server_uid = entry->pw_uid;
        server_gid = entry->pw_gid;
    }
    return mkdir(state_folder, 0711);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cluster_is_private_and_checked),
        cmocka_unit_test(a_clean_stop_leaves_nothing_running_and_keeps_the_data),
        cmocka_unit_test(only_a_password_opens_and_only_our_database),
        cmocka_unit_test(one_state_folder_has_one_supervisor),
        cmocka_unit_test(a_killed_server_is_started_again_without_loss),
        cmocka_unit_test(a_killed_supervisor_takes_its_server_along),
        cmocka_unit_test(everything_killed_at_once_is_started_again),
        cmocka_unit_test(a_server_of_an_earlier_run_is_ended_first),
        cmocka_unit_test(a_stale_pid_file_whose_number_lives_again_is_no_obstacle),
        cmocka_unit_test(a_cluster_half_made_is_made_anew),
        cmocka_unit_test(a_server_that_does_not_stop_is_forced),
        cmocka_unit_test(what_cannot_work_is_said_clearly),
    };

    if (argc >= 4) /* "supervisor", folders, and the user or nothing */
        return supervise(argv + 1);
    return cmocka_run_group_tests(tests, setup, test_cluster_teardown);
}
