#include "program/harkara/database.h"
#include "core/log.h"
#include "platform/db/conninfo.h"
#include "platform/db/embedded_postgres.h"
#include "platform/db/migrate.h"
#include "platform/db/password_file.h"
#include "program/harkara/roster.h"
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOGINS_MAX 8u

struct login {
    const char *name; /* a literal */
    struct secret *password, *conninfo;
};

struct database {
    struct embedded_postgres *postgres; /* NULL: an external one */
    const char *administrator;          /* borrowed: of the embedded cluster, or of the settings */
    char ca_file[ROLE_PATH_BYTES_MAX];
    struct login logins[LOGINS_MAX];
    size_t login_count;
};

/* As root PostgreSQL needs a user of its own; Debian's package brings one, the bootstrap another. */
static enum err
postgres_user(const char **out, struct complaint *complaint)
{
    const char *const names[] = { "harkara-postgres", "postgres" };

    *out = NULL;
    if (geteuid() != 0)
        return ERR_OK;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (getpwnam(names[i]) != NULL) {
            *out = names[i];
            return ERR_OK;
        }
    }
    complaint_set(complaint, "PostgreSQL does not run as root, and there is no user harkara-postgres: run "
                             "scripts/bootstrap as root");
    return ERR_CONFIG;
}

static enum err
embedded_start(const struct config *config, const struct folders *folders, struct database *database,
               struct complaint *complaint)
{
    struct db_problem problem = { { 0 } };
    struct embedded_postgres_options options = { .bin_folder = config->postgres_bin,
                                                 .state_folder = folders->state,
                                                 .socket_folder = folders->postgres_sockets,
                                                 .connections_max = roster_connections(config) };
    enum err err = postgres_user(&options.user, complaint);

    if (err != ERR_OK)
        return err;
    err = embedded_postgres_start(&options, &database->postgres, &problem);
    if (err != ERR_OK)
        complaint_set(complaint, "PostgreSQL: %s", problem.detail);
    else
        database->administrator = embedded_postgres_conninfo(database->postgres);
    return err;
}

static enum err
external_find(const struct config *config, struct database *database, struct complaint *complaint)
{
    uint16_t ports[ROLE_DATABASE_PORTS_MAX];

    database->administrator = config->database_url;
    if (!conninfo_ca_file(config->database_url, database->ca_file, sizeof(database->ca_file)))
        database->ca_file[0] = '\0';
    if (conninfo_tcp_ports(config->database_url, ports, ROLE_DATABASE_PORTS_MAX) <= ROLE_DATABASE_PORTS_MAX)
        return ERR_OK;
    complaint_set(complaint, "DATABASE_URL: more than %u different ports", ROLE_DATABASE_PORTS_MAX);
    return ERR_CONFIG;
}

static enum err
login_make(const struct folders *folders, const char *name, struct database *database,
           struct complaint *complaint)
{
    struct login *login = &database->logins[database->login_count];
    struct db_problem problem = { { 0 } };
    char path[FOLDERS_PATH_BYTES + 64];

    if (database->login_count++ == LOGINS_MAX)
        bug("more logins than there is room for");
    login->name = name;
    snprintf(path, sizeof(path), "%s/%s", folders->passwords, name);
    enum err err = password_file_read_or_make(path, &login->password);
    if (err != ERR_OK) {
        complaint_set(complaint, "%s: is not a password file that only its owner reads", path);
        return err;
    }
    err = conninfo_for_user(database->administrator, name, secret_slice(login->password), &login->conninfo,
                            &problem);
    if (err != ERR_OK)
        complaint_set(complaint, "DATABASE_URL: %s", problem.detail);
    return err;
}

/* The schema first: it makes the logins that passwords are then set for. */
static enum err
prepare(const struct folders *folders, struct database *database, struct complaint *complaint)
{
    struct migrate_login passwords[LOGINS_MAX];
    struct db_problem problem = { { 0 } };
    size_t applied = 0;
    enum err err = migrate_run(database->administrator, &applied, &problem);

    if (err != ERR_OK) {
        complaint_set(complaint, "database: %s", problem.detail);
        return err;
    }
    err = login_make(folders, ROSTER_ADMIN_LOGIN, database, complaint);
    for (const struct roster_row *row = roster; err == ERR_OK && row->name != NULL; row++)
        if (row->login != NULL)
            err = login_make(folders, row->login, database, complaint);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < database->login_count; i++)
        passwords[i] = (struct migrate_login){ .role = database->logins[i].name,
                                               .password = database->logins[i].password };
    err = migrate_set_passwords(database->administrator, passwords, database->login_count, &problem);
    if (err != ERR_OK)
        complaint_set(complaint, "database: %s", problem.detail);
    return err;
}

enum err
database_start(const struct config *config, const struct folders *folders, struct database **out,
               struct complaint *complaint)
{
    struct database *database = calloc(1, sizeof(*database));
    enum err err = ERR_OK;

    *out = NULL;
    if (database == NULL)
        return ERR_NO_MEMORY;
    if (config->database_url[0] != '\0')
        err = external_find(config, database, complaint);
    else
        err = embedded_start(config, folders, database, complaint);
    if (err == ERR_OK)
        err = prepare(folders, database, complaint);
    if (err != ERR_OK) {
        enum err stopped = database_stop(database, 10000);
        if (stopped != ERR_OK)
            log_event(LOG_WARN, "supervisor.database_forced", LOG_ERR(stopped));
        return err;
    }
    *out = database;
    return ERR_OK;
}

static const struct login *
login_find(const struct database *database, const char *name)
{
    for (size_t i = 0; i < database->login_count; i++)
        if (strcmp(database->logins[i].name, name) == 0)
            return &database->logins[i];
    bug("a login that is not in the roster");
}

static const char *
conninfo_text(const struct login *login)
{
    return secret_slice(login->conninfo).ptr; /* ends in a NUL */
}

struct slice
database_conninfo(const struct database *database, const char *login)
{
    return slice_text(conninfo_text(login_find(database, login)));
}

struct slice
database_ca_file(const struct database *database)
{
    return slice_text(database->ca_file);
}

size_t
database_ports(const struct database *database, uint16_t ports[ROLE_DATABASE_PORTS_MAX])
{
    return conninfo_tcp_ports(database->administrator, ports,
                              ROLE_DATABASE_PORTS_MAX); /* no more: external_find */
}

pid_t
database_pid(const struct database *database)
{
    pid_t pid = database->postgres == NULL ? 0 : embedded_postgres_pid(database->postgres);

    return pid > 0 ? pid : 0;
}

void
database_reaped(struct database *database)
{
    embedded_postgres_reaped(database->postgres);
}

bool
database_is_embedded(const struct database *database)
{
    return database->postgres != NULL;
}

enum err
database_restart(struct database *database, struct complaint *complaint)
{
    struct db_problem problem = { { 0 } };
    enum err err = embedded_postgres_restart(database->postgres, &problem);

    if (err != ERR_OK)
        complaint_set(complaint, "PostgreSQL: %s", problem.detail);
    return err;
}

enum err
database_stop(struct database *database, int limit_ms)
{
    if (database == NULL)
        return ERR_OK;
    enum err err = embedded_postgres_stop(database->postgres, limit_ms);
    for (size_t i = 0; i < database->login_count; i++) {
        secret_free(database->logins[i].password);
        secret_free(database->logins[i].conninfo);
    }
    free(database);
    return err;
}

/* Of all versions whose keys are still in use. */
static const struct db_stmt keks_read_stmt = {
    "keks_read", "SELECT version, scrypt_n, scrypt_r, scrypt_p, salt, check_ct, check_iv, check_tag FROM kek"
                 " WHERE retired_at IS NULL ORDER BY version LIMIT 16"
};
_Static_assert(VAULT_KEKS_MAX == 16, "the statement's limit");

static enum err
kek_read(const struct db_rows *rows, size_t row, struct vault_kek *out)
{
    const struct {
        int column;
        unsigned char *to;
        size_t len;
    } octets[] = { { 4, out->scrypt.salt, sizeof(out->scrypt.salt) },
                   { 5, out->check_cipher, sizeof(out->check_cipher) },
                   { 6, out->check_iv, sizeof(out->check_iv) },
                   { 7, out->check_tag, sizeof(out->check_tag) } };

    out->version = (uint32_t)db_i64(rows, row, 0);
    out->scrypt.n = (uint32_t)db_i64(rows, row, 1);
    out->scrypt.r = (uint32_t)db_i64(rows, row, 2);
    out->scrypt.p = (uint32_t)db_i64(rows, row, 3);
    for (size_t i = 0; i < COUNT_OF(octets); i++) {
        struct slice bytes = db_bytes(rows, row, octets[i].column);
        if (bytes.len != octets[i].len)
            return ERR_SEAL_CORRUPT;
        memcpy(octets[i].to, bytes.ptr, bytes.len);
    }
    return ERR_OK;
}

struct keks {
    struct vault_kek *rows;
    size_t count;
};

/* kek is no tenant's table: the purpose opens nothing, it only says who asks. */
static enum err
keks_read(struct db_tx *tx, void *ctx)
{
    struct keks *keks = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &keks_read_stmt, DB_NO_ARGS, &rows);

    keks->count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < keks->count; i++)
        err = kek_read(rows, i, &keks->rows[i]);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt kek_add_stmt = {
    "kek_add", "INSERT INTO kek (version, scrypt_n, scrypt_r, scrypt_p, salt, check_ct, check_iv, check_tag,"
               " made_of) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
};

struct kek_add {
    const struct vault_kek *kek;
    uint32_t made_of;
};

static enum err
kek_insert(struct db_tx *tx, void *ctx)
{
    const struct kek_add *add = ctx;
    const struct vault_kek *kek = add->kek;

    return db_exec_one(
        tx, &kek_add_stmt,
        DB_ARGS(DB_I64(kek->version), DB_I64(kek->scrypt.n), DB_I64(kek->scrypt.r), DB_I64(kek->scrypt.p),
                DB_BYTES(slice_of(kek->scrypt.salt, sizeof(kek->scrypt.salt))),
                DB_BYTES(slice_of(kek->check_cipher, sizeof(kek->check_cipher))),
                DB_BYTES(slice_of(kek->check_iv, sizeof(kek->check_iv))),
                DB_BYTES(slice_of(kek->check_tag, sizeof(kek->check_tag))), DB_I64(add->made_of)));
}

enum err
database_connect_admin(const struct database *database, struct db **out)
{
    return db_open(conninfo_text(login_find(database, ROSTER_ADMIN_LOGIN)), out);
}

static enum err
as_admin(const struct database *database, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    struct db *db = NULL;
    enum err err = database_connect_admin(database, &db);

    if (err == ERR_OK)
        err = db_run_across(db, "admin.kek", work, ctx);
    db_close(db);
    return err;
}

enum err
database_keks(const struct database *database, struct vault_kek *out, size_t *count_out,
              struct complaint *complaint)
{
    struct keks keks = { .rows = out };
    enum err err = as_admin(database, keks_read, &keks);

    if (err != ERR_OK)
        complaint_set(complaint, "the table of key-encryption keys cannot be read: %s", err_title(err));
    *count_out = keks.count;
    return err;
}

enum err
database_kek_add(const struct database *database, const struct vault_kek *kek, uint32_t made_of)
{
    struct kek_add add = { kek, made_of };

    return as_admin(database, kek_insert, &add);
}

enum err
database_open_admin(const struct config *config, const struct folders *folders, struct db **out,
                    struct complaint *complaint)
{
    struct secret *password = NULL, *conninfo = NULL;
    struct db_problem problem = { { 0 } };
    char path[FOLDERS_PATH_BYTES + 64];

    snprintf(path, sizeof(path), "%s/%s", folders->passwords, ROSTER_ADMIN_LOGIN);
    if (access(path, R_OK) != 0) {
        complaint_set(complaint, "%s: %s", path,
                      errno == EACCES ? "belongs to another user; run this as the one that harkara serves as"
                                      : "is not there: no harkara has served with this state folder");
        return errno == EACCES ? ERR_SCOPE : ERR_DB_UNAVAILABLE;
    }
    enum err err = password_file_read_or_make(path, &password);
    if (err == ERR_OK && config->database_url[0] != '\0')
        err = conninfo_for_user(config->database_url, ROSTER_ADMIN_LOGIN, secret_slice(password), &conninfo,
                                &problem);
    else if (err == ERR_OK)
        err =
            conninfo_of_socket(folders->postgres_sockets, EMBEDDED_POSTGRES_PORT, EMBEDDED_POSTGRES_DATABASE,
                               ROSTER_ADMIN_LOGIN, secret_slice(password), &conninfo);
    if (err != ERR_OK) {
        complaint_set(complaint, "%s: %s", path, problem.detail[0] == '\0' ? err_title(err) : problem.detail);
        goto done;
    }
    err = db_open(secret_slice(conninfo).ptr, out);
    if (err != ERR_OK)
        complaint_set(complaint, "the database does not answer: does harkara serve? (harkara status)");
done:
    secret_free(conninfo);
    secret_free(password);
    return err;
}
