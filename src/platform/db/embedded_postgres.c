#include "platform/db/embedded_postgres.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/num.h"
#include "platform/db/conninfo.h"
#include "platform/db/db_internal.h"
#include "platform/db/embedded_postgres_internal.h"
#include "platform/db/password_file.h"
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_LIMIT_MS   300000 /* recovery after a crash replays at most max_wal_size */
#define READY_STEP_MS    20
#define PREVIOUS_STOP_MS 30000
/* Backends notice the end of their postmaster between statements, and those are limited to 30 s. */
#define PREVIOUS_GONE_MS 45000
#define CMDLINE_BYTES    4096u

struct embedded_postgres {
    struct embedded_place place;
    int owner_lock_fd;
    pid_t pid;               /* -1: not running */
    struct secret *password; /* owned */
    struct secret *conninfo; /* owned, ends in a NUL */
};

static bool
path_set(char out[static EMBEDDED_PATH_BYTES], const char *folder, const char *name)
{
    int len = snprintf(out, EMBEDDED_PATH_BYTES, "%s%s", folder, name);

    return folder[0] == '/' && len > 0 && len < (int)EMBEDDED_PATH_BYTES &&
           strpbrk(out, "\n\r") == NULL; /* these would end a line of the configuration */
}

static enum err
place_user(const struct embedded_postgres_options *options, struct embedded_place *out,
           struct db_problem *problem)
{
    char text[4096];
    struct passwd entry, *found = NULL;

    out->uid = geteuid();
    out->gid = getegid();
    if (options->user == NULL && out->uid != 0)
        return ERR_OK;
    if (options->user == NULL) {
        db_problem_set(problem, "PostgreSQL does not run as root: name a user for it");
        return ERR_CONFIG;
    }
    if (getpwnam_r(options->user, &entry, text, sizeof(text), &found) != 0 || found == NULL ||
        found->pw_uid == 0 || (out->uid != 0 && out->uid != found->pw_uid)) {
        db_problem_set(problem, "PostgreSQL cannot run as the user %s", options->user);
        return ERR_CONFIG;
    }
    out->is_other_user = out->uid == 0;
    out->uid = found->pw_uid;
    out->gid = found->pw_gid;
    return ERR_OK;
}

static enum err
place_init(const struct embedded_postgres_options *options, struct embedded_place *out,
           struct db_problem *problem)
{
    *out = (struct embedded_place){ .is_disposable = options->is_disposable,
                                    .connections_max = options->connections_max };
    if (!path_set(out->initdb, options->bin_folder, "/initdb") ||
        !path_set(out->server, options->bin_folder, "/postgres") ||
        !path_set(out->password, options->state_folder, "/postgres-password") ||
        !path_set(out->folder, options->state_folder, "/postgres") ||
        !path_set(out->data, out->folder, "/data") || !path_set(out->data_fresh, out->folder, "/data.new") ||
        !path_set(out->conf, out->folder, "/harkara.conf") || !path_set(out->hba, out->folder, "/hba.conf") ||
        !path_set(out->log, out->folder, "/server.log") ||
        !path_set(out->log_before, out->folder, "/server.log.1") ||
        !path_set(out->lock, out->folder, "/lock") ||
        !path_set(out->owner_lock, out->folder, "/owner.lock") ||
        !path_set(out->sockets, options->socket_folder, "")) {
        db_problem_set(problem, "a folder for PostgreSQL is too long, or not an absolute path");
        return ERR_CONFIG;
    }
    if (strlen(out->sockets) + strlen("/.s.PGSQL.5432") > EMBEDDED_SOCKET_BYTES) {
        db_problem_set(problem, "the path of PostgreSQL's socket folder is too long (at most %u octets): %s",
                       EMBEDDED_SOCKET_BYTES - (unsigned)strlen("/.s.PGSQL.5432"), out->sockets);
        return ERR_CONFIG;
    }
    if (access(out->server, X_OK) != 0 || access(out->initdb, X_OK) != 0) {
        db_problem_set(problem, "there is no PostgreSQL server in %s", options->bin_folder);
        return ERR_CONFIG;
    }
    return place_user(options, out, problem);
}

static int
lock_open(const char *path)
{
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* The process that postmaster.pid names, if that is a server on our data folder; a number may have been
 * reused. */
static pid_t
previous_postmaster(const struct embedded_place *place)
{
    char path[EMBEDDED_PATH_BYTES + 32], text[CMDLINE_BYTES];
    int pid = -1;

    snprintf(path, sizeof(path), "%s/postmaster.pid", place->data);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    ssize_t len = read(fd, text, sizeof(text));
    (void)close(fd);
    struct slice rest = slice_of(text, len < 0 ? 0 : (size_t)len);
    if (num_int_parse(slice_take_until(&rest, '\n'), 2, INT32_MAX, &pid) != ERR_OK)
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    len = read(fd, text, sizeof(text));
    (void)close(fd);
    rest = slice_of(text, len < 0 ? 0 : (size_t)len); /* arguments, each with a NUL */
    if (!slice_ends_with(slice_take_until(&rest, '\0'), SLICE("postgres")))
        return -1;
    while (rest.len > 0)
        if (slice_eq(slice_take_until(&rest, '\0'), slice_text(place->data)))
            return pid;
    return -1;
}

/* Takes the lock that server processes hold: when it is ours, none of them is left. */
static enum err
wait_for_lock(int fd, int limit_ms)
{
    struct mono_time until = mono_after_ms(clock_mono(clock_system()), limit_ms);

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return ERR_SYSTEM;
        if (clock_mono(clock_system()).us >= until.us)
            return ERR_TIMEOUT;
        (void)poll(NULL, 0, READY_STEP_MS);
    }
    return ERR_OK;
}

/*
 * Ends a server of an earlier run, then removes what a killed one left: PostgreSQL itself would refuse to
 * start when the number in postmaster.pid is in use again, by whatever process. We know better, because we
 * hold the lock.
 */
static enum err
clear_previous(const struct embedded_place *place, int lock_fd, struct db_problem *problem)
{
    static const char *const sockets[] = { "/.s.PGSQL.5432", "/.s.PGSQL.5432.lock" };
    char path[EMBEDDED_PATH_BYTES + 32];
    enum err err = wait_for_lock(lock_fd, 0);

    if (err == ERR_TIMEOUT) {
        pid_t pid = previous_postmaster(place);
        if (pid > 0) {
            log_event(LOG_WARN, "postgres.previous_found", LOG_NUM("pid", pid));
            err = embedded_process_end(pid, PREVIOUS_STOP_MS);
        }
        if (err == ERR_OK || err == ERR_TIMEOUT)
            err = wait_for_lock(lock_fd, PREVIOUS_GONE_MS);
    }
    if (err != ERR_OK) {
        db_problem_set(problem, "another PostgreSQL uses %s and does not end", place->data);
        return err == ERR_TIMEOUT ? ERR_BUSY : err;
    }
    snprintf(path, sizeof(path), "%s/postmaster.pid", place->data);
    if (unlink(path) != 0 && errno != ENOENT)
        return ERR_SYSTEM;
    for (size_t i = 0; i < COUNT_OF(sockets); i++) {
        snprintf(path, sizeof(path), "%s%s", place->sockets, sockets[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            return ERR_SYSTEM;
    }
    return ERR_OK;
}

static enum err
wait_until_ready(struct embedded_postgres *postgres, struct db_problem *problem)
{
    static const char *const names[] = { "host", "port", "dbname", "user", "connect_timeout", NULL };
    const char *const values[] = { postgres->place.sockets,     "5432", EMBEDDED_POSTGRES_DATABASE,
                                   EMBEDDED_POSTGRES_SUPERUSER, "5",    NULL };
    struct mono_time until = mono_after_ms(clock_mono(clock_system()), READY_LIMIT_MS);

    while (PQpingParams(names, values, 0) != PQPING_OK) {
        enum err err = embedded_process_wait(postgres->pid, READY_STEP_MS);
        if (err == ERR_OK) {
            db_problem_set(problem, "PostgreSQL ended as it started; see %s", postgres->place.log);
            return ERR_DB_UNAVAILABLE;
        }
        if (err != ERR_TIMEOUT)
            return err;
        if (clock_mono(clock_system()).us >= until.us) {
            db_problem_set(problem, "PostgreSQL does not become ready; see %s", postgres->place.log);
            return ERR_TIMEOUT;
        }
    }
    return ERR_OK;
}

/* Forgets the child, which has ended or is ending. */
static void
reap(struct embedded_postgres *postgres)
{
    int status;

    if (postgres->pid > 0)
        while (waitpid(postgres->pid, &status, 0) < 0 && errno == EINTR)
            ;
    postgres->pid = -1;
}

static enum err
run_server(struct embedded_postgres *postgres, struct db_problem *problem)
{
    const struct embedded_place *place = &postgres->place;
    char config[EMBEDDED_PATH_BYTES + 16];
    const char *arguments[] = { place->server, "-D", place->data, "-c", config, NULL };
    int lock_fd = lock_open(place->lock), log_fd = -1;
    enum err err = ERR_SYSTEM;

    snprintf(config, sizeof(config), "config_file=%s", place->conf);
    if (lock_fd < 0)
        goto done;
    err = clear_previous(place, lock_fd, problem);
    if (err != ERR_OK)
        goto done;
    err = ERR_SYSTEM;
    log_fd = open(place->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log_fd < 0)
        goto done;
    const struct embedded_child child = { place->server, arguments, place->uid, place->gid,
                                          SIGINT,        log_fd,    lock_fd };
    err = embedded_child_start(&child, &postgres->pid);
    if (err != ERR_OK)
        goto done;
    (void)close(lock_fd); /* from here on only the server holds it */
    lock_fd = -1;
    err = wait_until_ready(postgres, problem);
    if (err != ERR_OK) {
        if (embedded_process_end(postgres->pid, PREVIOUS_STOP_MS) != ERR_OK)
            log_event(LOG_WARN, "postgres.forced");
        reap(postgres);
    }
done:
    if (err != ERR_OK && problem->detail[0] == '\0')
        db_problem_set(problem, "PostgreSQL cannot be started in %s", place->folder);
    if (log_fd >= 0)
        (void)close(log_fd);
    if (lock_fd >= 0)
        (void)close(lock_fd);
    return err;
}

/* The database belongs to the superuser; the objects in it to harkara_owner (sql/0001). */
static enum err
ensure_database(const struct embedded_postgres *postgres, struct db_problem *problem)
{
    struct secret *conninfo = NULL;
    PGresult *found = NULL, *made = NULL;
    PGconn *conn = NULL;
    enum err err =
        conninfo_of_socket(postgres->place.sockets, EMBEDDED_POSTGRES_PORT, "postgres",
                           EMBEDDED_POSTGRES_SUPERUSER, secret_slice(postgres->password), &conninfo);

    if (err != ERR_OK)
        return err;
    err = ERR_DB_UNAVAILABLE;
    conn = db_connect(secret_slice(conninfo).ptr);
    if (conn == NULL) {
        db_problem_set(problem, "PostgreSQL refuses the password in %s", postgres->place.password);
        goto done;
    }
    found = PQexec(conn, "select 1 from pg_database where datname = '" EMBEDDED_POSTGRES_DATABASE "'");
    if (PQresultStatus(found) != PGRES_TUPLES_OK)
        goto done;
    if (PQntuples(found) == 0) {
        made = PQexec(conn, "create database " EMBEDDED_POSTGRES_DATABASE " template template0");
        if (PQresultStatus(made) != PGRES_COMMAND_OK)
            goto done;
    }
    err = ERR_OK;
done:
    if (err != ERR_OK && problem->detail[0] == '\0')
        db_problem_set(problem, "the database cannot be created; see %s", postgres->place.log);
    PQclear(found);
    PQclear(made);
    PQfinish(conn);
    secret_free(conninfo);
    return err;
}

/* Whether the user itself passes the folder: by trying, since groups and access lists count too. */
static bool
may_pass(const struct embedded_place *place, const char *folder)
{
    const char *arguments[] = { "/usr/bin/test", "-x", folder, NULL };
    int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC), status = -1;
    const struct embedded_child child = { arguments[0], arguments, place->uid, place->gid,
                                          SIGKILL,      null_fd,   -1 };
    pid_t pid = -1;
    bool is_started = null_fd >= 0 && embedded_child_start(&child, &pid) == ERR_OK;

    while (is_started && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (null_fd >= 0)
        (void)close(null_fd);
    return is_started && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Says which folder on the way it is. */
static enum err
check_way(const struct embedded_place *place, const char *state_folder, struct db_problem *problem)
{
    char path[EMBEDDED_PATH_BYTES];

    if (may_pass(place, state_folder))
        return ERR_OK;
    for (size_t len = 1; state_folder[len - 1] != '\0'; len++) {
        if (state_folder[len] != '/' && state_folder[len] != '\0')
            continue;
        snprintf(path, sizeof(path), "%.*s", (int)len, state_folder);
        if (!may_pass(place, path))
            break;
    }
    db_problem_set(problem, "%s is not there, or closed to PostgreSQL's user (chmod o+x)", path);
    return ERR_CONFIG;
}

static enum err
take_ownership(struct embedded_postgres *postgres, const char *state_folder, struct db_problem *problem)
{
    const struct embedded_place *place = &postgres->place;
    enum err err = check_way(place, state_folder, problem);

    if (err != ERR_OK)
        return err;
    /* Ours, not PostgreSQL's: what it reads there it cannot change. */
    if (mkdir(place->folder, 0711) != 0 && errno != EEXIST) {
        db_problem_set(problem, "%s cannot be made", place->folder);
        return ERR_SYSTEM;
    }
    if (chmod(place->folder, place->is_other_user ? 0711 : 0700) != 0)
        return ERR_SYSTEM;
    postgres->owner_lock_fd = lock_open(place->owner_lock);
    if (postgres->owner_lock_fd < 0)
        return ERR_SYSTEM;
    if (flock(postgres->owner_lock_fd, LOCK_EX | LOCK_NB) != 0) {
        db_problem_set(problem, "another process runs PostgreSQL in %s", place->folder);
        return ERR_BUSY;
    }
    return ERR_OK;
}

enum err
embedded_postgres_start(const struct embedded_postgres_options *options, struct embedded_postgres **out,
                        struct db_problem *problem)
{
    struct embedded_postgres *postgres = calloc(1, sizeof(*postgres));
    enum err err;

    *out = NULL;
    problem->detail[0] = '\0';
    if (postgres == NULL)
        return ERR_NO_MEMORY;
    postgres->pid = -1;
    postgres->owner_lock_fd = -1;
    err = place_init(options, &postgres->place, problem);
    if (err == ERR_OK)
        err = take_ownership(postgres, options->state_folder, problem);
    if (err == ERR_OK) {
        err = password_file_read_or_make(postgres->place.password, &postgres->password);
        if (err != ERR_OK)
            db_problem_set(problem, "%s does not hold a password that only we can read",
                           postgres->place.password);
    }
    if (err == ERR_OK)
        err = conninfo_of_socket(postgres->place.sockets, EMBEDDED_POSTGRES_PORT, EMBEDDED_POSTGRES_DATABASE,
                                 EMBEDDED_POSTGRES_SUPERUSER, secret_slice(postgres->password),
                                 &postgres->conninfo);
    if (err == ERR_OK)
        err = embedded_cluster_prepare(&postgres->place, postgres->password, problem);
    if (err == ERR_OK)
        err = run_server(postgres, problem);
    if (err == ERR_OK)
        err = ensure_database(postgres, problem);
    if (err != ERR_OK) {
        if (embedded_postgres_stop(postgres, PREVIOUS_STOP_MS) != ERR_OK)
            log_event(LOG_WARN, "postgres.forced");
        return err;
    }
    log_event(LOG_INFO, "postgres.started", LOG_NUM("pid", postgres->pid));
    *out = postgres; /* taken by the caller */
    return ERR_OK;
}

enum err
embedded_postgres_restart(struct embedded_postgres *postgres, struct db_problem *problem)
{
    enum err err;

    problem->detail[0] = '\0';
    if (postgres->pid > 0 && embedded_process_end(postgres->pid, PREVIOUS_STOP_MS) != ERR_OK)
        log_event(LOG_WARN, "postgres.forced");
    reap(postgres);
    err = run_server(postgres, problem);
    if (err == ERR_OK)
        log_event(LOG_INFO, "postgres.started", LOG_NUM("pid", postgres->pid));
    return err;
}

pid_t
embedded_postgres_pid(const struct embedded_postgres *postgres)
{
    return postgres->pid;
}

void
embedded_postgres_reaped(struct embedded_postgres *postgres)
{
    postgres->pid = -1;
}

const char *
embedded_postgres_conninfo(const struct embedded_postgres *postgres)
{
    return secret_slice(postgres->conninfo).ptr;
}

enum err
embedded_postgres_stop(struct embedded_postgres *postgres, int limit_ms)
{
    enum err err = ERR_OK;

    if (postgres == NULL)
        return ERR_OK;
    if (postgres->pid > 0) {
        err = embedded_process_end(postgres->pid, limit_ms);
        reap(postgres);
        log_event(LOG_INFO, "postgres.stopped");
    }
    if (postgres->owner_lock_fd >= 0)
        (void)close(postgres->owner_lock_fd);
    secret_free(postgres->password);
    secret_free(postgres->conninfo);
    free(postgres);
    return err;
}
