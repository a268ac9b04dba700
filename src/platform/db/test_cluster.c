#include "platform/db/test_cluster.h"
#include "core/log.h"
#include "core/num.h"
#include "platform/db/conninfo.h"
#include "platform/db/db_internal.h"
#include "platform/db/migrate.h"
#include "platform/db/password_file.h"
#include "platform/db/test_cluster_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES   (1u << 20)
#define STOP_MS      20000
#define PATH_BYTES   512u
#define REMOVE_TRIES 500 /* of 20 ms: processes of a killed test end by themselves */

static const char *const roles[] = { "harkara_admin",    "harkara_gateway",   "harkara_dispatcher",
                                     "harkara_webhooks", "harkara_scheduler", "harkara_smsc" };
#define ROLE_COUNT COUNT_OF(roles)

static struct {
    char folder[PATH_BYTES];
    int guard_fd; /* closing it lets the guard clean up */
    pid_t guard;
    struct embedded_postgres *postgres;
    struct secret *conninfos[ROLE_COUNT];
    PGconn *superuser;
} cluster;

void
test_cluster_stop_because(const char *what)
{
    char path[PATH_BYTES + 32], text[4096];

    fprintf(stderr, "test cluster: %s\n", what);
    snprintf(path, sizeof(path), "%s/postgres/server.log", cluster.folder);
    FILE *log = fopen(path, "r"); /* soon removed */
    if (log != NULL) {
        while (fgets(text, sizeof(text), log) != NULL)
            fprintf(stderr, "server: %s", text);
        fclose(log);
    }
    abort();
}

const char *
test_cluster_bin(void)
{
    static char newest[PATH_BYTES];
    const char *chosen = getenv("HARKARA_POSTGRES_BIN");
    DIR *folder;
    int best = 0, version;

    if (chosen != NULL)
        return chosen;
    folder = opendir("/usr/lib/postgresql");
    if (folder == NULL)
        test_cluster_stop_because("there is no /usr/lib/postgresql; set HARKARA_POSTGRES_BIN");
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (num_int_parse(slice_text(entry->d_name), 1, 1000, &version) == ERR_OK && version > best)
            best = version;
    closedir(folder);
    snprintf(newest, sizeof(newest), "/usr/lib/postgresql/%d/bin", best);
    return newest;
}

const char *
test_cluster_user(void)
{
    if (geteuid() != 0)
        return NULL;
    return getpwnam("harkara-postgres") != NULL ? "harkara-postgres" : "postgres";
}

static int
remove_entry(const char *path, const struct stat *facts UNUSED, int kind UNUSED, struct FTW *walk UNUSED)
{
    return remove(path);
}

/*
 * The guard outlives the test by a moment: when the test is gone (in whatever way), PostgreSQL gets its
 * signal from the kernel, and the guard removes the folder as soon as nothing writes into it any more.
 */
NORETURN static void
guard_run(int fd)
{
    char byte;

    (void)setsid(); /* whoever kills the test's process group spares the guard */
    for (int number = 0; number < 64; number++)
        if (number != fd)
            (void)close(number);
    while (read(fd, &byte, 1) < 0 && errno == EINTR)
        ;
    for (int i = 0; i < REMOVE_TRIES; i++) {
        if (nftw(cluster.folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 ||
            access(cluster.folder, F_OK) != 0)
            break;
        (void)poll(NULL, 0, 20);
    }
    _exit(0);
}

static void
guard_start(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        test_cluster_stop_because("no pipe");
    cluster.guard = fork();
    if (cluster.guard == 0) {
        (void)close(ends[1]);
        guard_run(ends[0]);
    }
    if (cluster.guard < 0)
        test_cluster_stop_because("no guard");
    (void)close(ends[0]);
    cluster.guard_fd = ends[1];
}

static void
folder_make(void)
{
    const char *parent = getenv("TMPDIR");

    snprintf(cluster.folder, sizeof(cluster.folder), "%s/harkara-test-XXXXXX",
             parent == NULL ? "/tmp" : parent);
    if (mkdtemp(cluster.folder) == NULL || chmod(cluster.folder, 0711) != 0)
        test_cluster_stop_because("no temporary folder");
    guard_start();
}

static void
passwords_set(const char *superuser, struct db_problem *problem)
{
    struct secret *passwords[ROLE_COUNT];
    struct migrate_login logins[ROLE_COUNT];

    for (size_t i = 0; i < ROLE_COUNT; i++) {
        if (password_make(&passwords[i]) != ERR_OK ||
            conninfo_for_user(superuser, roles[i], secret_slice(passwords[i]), &cluster.conninfos[i],
                              problem) != ERR_OK)
            test_cluster_stop_because(problem->detail);
        logins[i] = (struct migrate_login){ roles[i], passwords[i] };
    }
    if (migrate_set_passwords(superuser, logins, ROLE_COUNT, problem) != ERR_OK)
        test_cluster_stop_because(problem->detail);
    for (size_t i = 0; i < ROLE_COUNT; i++)
        secret_free(passwords[i]);
}

static void
server_start(const struct embedded_postgres_options *options)
{
    struct db_problem problem = { .detail = "" };

    if (embedded_postgres_start(options, &cluster.postgres, &problem) != ERR_OK)
        test_cluster_stop_because(problem.detail);
}

static void
server_stop(void)
{
    if (embedded_postgres_stop(cluster.postgres, STOP_MS) != ERR_OK)
        test_cluster_stop_because("PostgreSQL had to be forced to stop");
    cluster.postgres = NULL;
}

int
test_cluster_setup(void **state UNUSED)
{
    char sockets[PATH_BYTES + 16];
    struct db_problem problem = { .detail = "" };
    size_t applied = 0;

    log_open("test", LOG_WARN, STDERR_FILENO);
    if (secret_pool_memory() == SECRET_MEMORY_NONE && secret_pool_open_unlocked(POOL_BYTES) != ERR_OK)
        test_cluster_stop_because("no secret pool");
    folder_make();
    snprintf(sockets, sizeof(sockets), "%s/run", cluster.folder);
    const struct embedded_postgres_options options = { .bin_folder = test_cluster_bin(),
                                                       .state_folder = cluster.folder,
                                                       .socket_folder = sockets,
                                                       .user = test_cluster_user(),
                                                       .connections_max = 60,
                                                       .is_disposable = true };
    enum test_cluster_copy copy = test_cluster_take(cluster.folder);
    server_start(&options);
    if (copy != TEST_CLUSTER_TAKEN &&
        migrate_run(embedded_postgres_conninfo(cluster.postgres), &applied, &problem) != ERR_OK)
        test_cluster_stop_because(problem.detail);
    if (copy == TEST_CLUSTER_WANTED) {
        server_stop();
        test_cluster_keep(cluster.folder);
        server_start(&options);
    }
    passwords_set(embedded_postgres_conninfo(cluster.postgres), &problem);
    return 0;
}

int
test_cluster_teardown(void **state UNUSED)
{
    PQfinish(cluster.superuser);
    cluster.superuser = NULL;
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        secret_free(cluster.conninfos[i]);
        cluster.conninfos[i] = NULL;
    }
    server_stop();
    (void)close(cluster.guard_fd);
    (void)waitpid(cluster.guard, NULL, 0);
    return access(cluster.folder, F_OK) == 0 ? -1 : 0;
}

const char *
test_cluster_conninfo(const char *role)
{
    if (strcmp(role, EMBEDDED_POSTGRES_SUPERUSER) == 0)
        return embedded_postgres_conninfo(cluster.postgres);
    for (size_t i = 0; i < ROLE_COUNT; i++)
        if (strcmp(role, roles[i]) == 0)
            return secret_slice(cluster.conninfos[i]).ptr;
    test_cluster_stop_because("no such role");
}

struct db *
test_cluster_open(const char *role)
{
    struct db *db = NULL;

    if (db_open(test_cluster_conninfo(role), &db) != ERR_OK)
        test_cluster_stop_because("no connection");
    return db;
}

static void
superuser_connect(void)
{
    PQfinish(cluster.superuser);
    cluster.superuser = db_connect(embedded_postgres_conninfo(cluster.postgres));
    if (cluster.superuser == NULL)
        test_cluster_stop_because("no connection");
    PQclear(PQexec(cluster.superuser, "set search_path = harkara"));
}

/* As the superuser, in the schema of the tables. Connects again when the server was started again. */
static PGresult *
superuser_query(const char *sql)
{
    if (cluster.superuser == NULL)
        superuser_connect();
    PGresult *result = PQexec(cluster.superuser, sql);
    if (PQstatus(cluster.superuser) != CONNECTION_OK) {
        PQclear(result);
        superuser_connect();
        result = PQexec(cluster.superuser, sql);
    }
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
        fprintf(stderr, "%s: %s", sql, PQerrorMessage(cluster.superuser));
        test_cluster_stop_because("SQL failed");
    }
    return result;
}

void
test_cluster_sql(const char *sql)
{
    PQclear(superuser_query(sql));
}

int64_t
test_cluster_number(const char *sql)
{
    PGresult *result = superuser_query(sql);
    int64_t number = 0;

    if (PQntuples(result) < 1 || num_i64_parse(slice_text(PQgetvalue(result, 0, 0)), &number) != ERR_OK)
        test_cluster_stop_because("a query that gives no number");
    PQclear(result);
    return number;
}

struct id
test_cluster_tenant(const char *slug)
{
    char sql[256], uuid[ID_UUID_BYTES];
    struct id id = id_new(clock_system());

    id_uuid_print(id, uuid);
    snprintf(sql, sizeof(sql), "insert into tenant (tenant_id, name, slug) values ('%s', '%s', '%s')", uuid,
             slug, slug);
    test_cluster_sql(sql);
    return id;
}

struct embedded_postgres *
test_cluster_postgres(void)
{
    return cluster.postgres;
}

const char *
test_cluster_folder(void)
{
    return cluster.folder;
}
