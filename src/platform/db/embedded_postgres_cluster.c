/* The folders, the configuration and the making of the cluster. */
#include "core/buf.h"
#include "core/log.h"
#include "platform/db/embedded_postgres_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONF_BYTES_MAX  16384u
#define INITDB_LIMIT_MS 120000
#define LOG_BYTES_MAX   (8 << 20)

static const char conf_fixed[] =
    "# Written at every start. Put your own settings into local.conf beside it.\n"
    "listen_addresses = ''\n"
    "cluster_name = 'harkara'\n"
    "max_connections = %d\n"
    "unix_socket_permissions = %s\n"
    "shared_buffers = 128MB\n"
    /* Log files that lie ready: a commit that has to make one first takes ten times as long. And checkpoints
       far apart, since after each of them every page that changes goes into the log whole. */
    "min_wal_size = 2GB\n"
    "max_wal_size = 2GB\n"
    "checkpoint_timeout = 15min\n"
    "jit = off\n"                           /* short statements: compiling costs more than it saves */
    "max_parallel_workers_per_gather = 0\n" /* likewise; and /dev/shm is small in containers */
    /* A new month's partition has no statistics, and plans that were made on it while it was empty read all
       of a tenant's rows for one: so it is looked at soon. */
    "autovacuum_naptime = 10s\n"
    "timezone = 'UTC'\n"
    "log_timezone = 'UTC'\n"
    "datestyle = 'iso, ymd'\n"
    "lc_messages = 'C'\n"
    "deadlock_timeout = '200ms'\n"
    /* The log holds no statement and no value: our processes log each failure by name and SQLSTATE. */
    "log_destination = 'stderr'\n"
    "logging_collector = off\n"
    "log_min_messages = 'log'\n" /* above error: an error's text may quote a value */
    "log_min_error_statement = 'panic'\n"
    "log_min_duration_statement = -1\n"
    "log_statement = 'none'\n"
    "log_error_verbosity = 'terse'\n"
    "log_parameter_max_length = 0\n"
    "log_parameter_max_length_on_error = 0\n"
    "log_checkpoints = off\n"
    "log_line_prefix = '%%m [%%p] '\n";

static const char hba_fixed[] = "# Written at every start.\n"
                                "local  all      postgres            scram-sha-256\n"
                                "local  harkara  all                 scram-sha-256\n"
                                "local  all      all                 reject\n"
                                "host   all      all     0.0.0.0/0   reject\n"
                                "host   all      all     ::/0        reject\n";

/* name = 'value': a quote is doubled. */
static void
add_setting(struct buf *out, const char *name, const char *value)
{
    buf_add_text(out, name);
    buf_add_text(out, " = '");
    for (; *value != '\0'; value++) {
        if (*value == '\'')
            buf_add_byte(out, '\'');
        buf_add_byte(out, *value);
    }
    buf_add_text(out, "'\n");
}

/* Whole or not at all: written beside, and renamed. */
static enum err
write_file(const char *path, struct slice text)
{
    char fresh[EMBEDDED_PATH_BYTES + 8];

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    if (unlink(fresh) != 0 && errno != ENOENT)
        return ERR_SYSTEM;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return ERR_SYSTEM;
    bool is_written = write(fd, text.ptr, text.len) == (ssize_t)text.len && fchmod(fd, 0644) == 0;
    if (close(fd) != 0 || !is_written || rename(fresh, path) != 0)
        return ERR_SYSTEM;
    return ERR_OK;
}

static enum err
write_configuration(const struct embedded_place *place)
{
    struct buf conf;
    enum err err;

    buf_init(&conf, CONF_BYTES_MAX);
    buf_add_format(&conf, conf_fixed, place->connections_max, place->is_other_user ? "0777" : "0700");
    add_setting(&conf, "unix_socket_directories", place->sockets);
    add_setting(&conf, "hba_file", place->hba);
    if (place->is_disposable)
        buf_add_text(&conf, "fsync = off\nfull_page_writes = off\n");
    buf_add_text(&conf, "include_if_exists 'local.conf'\n");
    err = buf_done(&conf);
    if (err == ERR_OK)
        err = write_file(place->conf, buf_slice(&conf));
    if (err == ERR_OK)
        err = write_file(place->hba, slice_text(hba_fixed));
    buf_release(&conf);
    return err;
}

/* A folder of this owner and mode; made when missing, corrected when it is ours to correct. */
static enum err
ensure_folder(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
    struct stat facts;

    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return ERR_SYSTEM;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return ERR_SYSTEM;
    bool is_right = fstat(fd, &facts) == 0 && (facts.st_uid == uid || fchown(fd, uid, gid) == 0) &&
                    ((facts.st_mode & 07777) == mode || fchmod(fd, mode) == 0);
    (void)close(fd);
    return is_right ? ERR_OK : ERR_SYSTEM;
}

static int
remove_entry(const char *path, const struct stat *facts UNUSED, int kind UNUSED, struct FTW *walk UNUSED)
{
    return remove(path);
}

/* initdb reads the password from a file by name; this one has no name on any disk. */
static int
password_descriptor(const struct embedded_place *place, const struct secret *password)
{
    struct slice text = secret_slice(password);
    int fd = memfd_create("password", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    if (write(fd, text.ptr, text.len) == (ssize_t)text.len && write(fd, "\n", 1) == 1 &&
        fchmod(fd, 0400) == 0 && fchown(fd, place->uid, place->gid) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static enum err
run_initdb(const struct embedded_place *place, int password_fd, int log_fd, struct db_problem *problem)
{
    const char *arguments[] = { place->initdb,
                                "--pgdata",
                                place->data_fresh,
                                "--username",
                                EMBEDDED_POSTGRES_SUPERUSER,
                                "--pwfile=/proc/self/fd/3",
                                "--data-checksums",
                                "--auth-local=scram-sha-256",
                                "--auth-host=reject",
                                "--encoding=UTF8",
                                "--locale=C", /* by octets: stays in order whatever the C library becomes */
                                "--no-instructions",
                                place->is_disposable ? "--no-sync" : NULL,
                                NULL };
    const struct embedded_child child = { place->initdb, arguments, place->uid, place->gid,
                                          SIGKILL,       log_fd,    password_fd };
    pid_t pid;
    int status = -1;
    enum err err = embedded_child_start(&child, &pid);

    if (err != ERR_OK)
        return err;
    err = embedded_process_wait(pid, INITDB_LIMIT_MS);
    if (err != ERR_OK)
        (void)kill(pid, SIGKILL); /* what it made so far is removed before the next try */
    if (waitpid(pid, &status, 0) != pid || err != ERR_OK || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        db_problem_set(problem, "initdb (%s) failed; see %s", place->initdb, place->log);
        return err == ERR_OK ? ERR_SYSTEM : err;
    }
    return ERR_OK;
}

/* The cluster appears under its name only when it is whole. */
static enum err
make_cluster(const struct embedded_place *place, const struct secret *password, struct db_problem *problem)
{
    int log_fd = -1, password_fd = -1;
    enum err err = ERR_SYSTEM;

    log_event(LOG_INFO, "postgres.cluster_making");
    if (nftw(place->data_fresh, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        goto done;
    err = ensure_folder(place->data_fresh, place->uid, place->gid, 0700);
    if (err != ERR_OK)
        goto done;
    err = ERR_SYSTEM;
    log_fd = open(place->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    password_fd = password_descriptor(place, password);
    if (log_fd < 0 || password_fd < 0)
        goto done;
    err = run_initdb(place, password_fd, log_fd, problem);
    if (err != ERR_OK)
        goto done;
    if (rename(place->data_fresh, place->data) != 0)
        err = ERR_SYSTEM;
done:
    if (log_fd >= 0)
        (void)close(log_fd);
    if (password_fd >= 0)
        (void)close(password_fd);
    return err;
}

enum err
embedded_cluster_prepare(const struct embedded_place *place, const struct secret *password,
                         struct db_problem *problem)
{
    struct stat facts;
    enum err err = ensure_folder(place->sockets, place->uid, place->gid, place->is_other_user ? 0711 : 0700);

    if (err != ERR_OK) {
        db_problem_set(problem, "the socket folder %s cannot be made or is not ours", place->sockets);
        return err;
    }
    err = write_configuration(place);
    if (err == ERR_OK && stat(place->log, &facts) == 0 && facts.st_size > LOG_BYTES_MAX &&
        rename(place->log, place->log_before) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK && stat(place->data, &facts) != 0)
        err = errno == ENOENT ? make_cluster(place, password, problem) : ERR_SYSTEM;
    if (err != ERR_OK && problem->detail[0] == '\0')
        db_problem_set(problem, "%s cannot be prepared", place->folder);
    return err;
}
