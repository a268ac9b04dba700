#include "platform/db/migrate.h"
#include "core/log.h"
#include "core/num.h"
#include "platform/db/db_internal.h"
#include "platform/db/migrate_internal.h"
#include <stdio.h>

#define SERVER_VERSION_MIN  150000
#define PASSWORD_BYTES_MAX  256u
#define LOGIN_SQL_BYTES_MAX 1024u

/* The number is "harkara" in ASCII; any other program's advisory locks are unlikely to meet it. */
#define LOCK_SQL   "select pg_advisory_lock(x'6861726b617261'::bigint)"
#define UNLOCK_SQL "select pg_advisory_unlock(x'6861726b617261'::bigint)"

/*
 * A migration that waits for a lock holds up everybody who comes after it, so it gives up soon and is run
 * again. The advisory lock has its own patience: it is taken before lock_timeout is set.
 */
static const char session_sql[] = "set lock_timeout = 0; set statement_timeout = '15min'; "
                                  "set client_min_messages = 'error'; set search_path = pg_catalog";
static const char patience_sql[] = "set statement_timeout = 0; set lock_timeout = '30s'";
static const char record_table_sql[] = "create schema if not exists harkara_meta;"
                                       "create table if not exists harkara_meta.migration ("
                                       " version integer primary key,"
                                       " name text not null,"
                                       " sha256 text not null,"
                                       " applied_at timestamptz not null default now())";

/* The server's first line says what is wrong with our SQL; its detail could quote rows and is left out. */
static enum err
refused(const PGconn *conn, const PGresult *result, const char *what, struct db_problem *problem)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum err err = db_err_of_result(result, what);

    if (PQstatus(conn) != CONNECTION_OK || message == NULL) {
        db_problem_set(problem, "%s: the connection was lost", what);
        return ERR_DB_UNAVAILABLE;
    }
    db_problem_set(problem, "%s: %s (SQLSTATE %s)", what, message,
                   PQresultErrorField(result, PG_DIAG_SQLSTATE));
    return err == ERR_DB_UNAVAILABLE ? err : ERR_DB_STATEMENT;
}

/* Runs one or several statements; what they return is not looked at. */
static enum err
run(PGconn *conn, const char *sql, const char *what, struct db_problem *problem)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    enum err err = ERR_OK;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        err = refused(conn, result, what, problem);
    PQclear(result);
    return err;
}

/* What the database holds must be exactly the beginning of our list. */
static enum err
compare(const PGresult *held, const struct migration *list, size_t count, struct db_problem *problem)
{
    size_t rows = (size_t)PQntuples(held);

    for (size_t i = 0; i < rows; i++) {
        const char *name = PQgetvalue(held, (int)i, 1);
        int version = 0;
        if (num_int_parse(slice_text(PQgetvalue(held, (int)i, 0)), 0, INT32_MAX, &version) != ERR_OK ||
            i >= count) {
            db_problem_set(problem, "the database is newer than this program: it holds the migration %s",
                           name);
            return ERR_CONFIG;
        }
        if (version != list[i].version || strcmp(name, list[i].name) != 0 ||
            strcmp(PQgetvalue(held, (int)i, 2), list[i].sha256) != 0) {
            db_problem_set(problem,
                           "the migration %s was changed after it had been applied to this database as %s",
                           list[i].name, name);
            return ERR_CONFIG;
        }
    }
    return ERR_OK;
}

static enum err
count_held(PGconn *conn, const struct migration *list, size_t count, size_t *held_out,
           struct db_problem *problem)
{
    PGresult *held =
        PQexec(conn, "select version, name, sha256 from harkara_meta.migration order by version");
    enum err err;

    if (PQresultStatus(held) != PGRES_TUPLES_OK)
        err = refused(conn, held, "harkara_meta.migration", problem);
    else
        err = compare(held, list, count, problem);
    *held_out = (size_t)PQntuples(held);
    PQclear(held);
    return err;
}

static enum err
record(PGconn *conn, const struct migration *migration, struct db_problem *problem)
{
    char version[12];
    const char *const values[] = { version, migration->name, migration->sha256 };

    snprintf(version, sizeof(version), "%d", migration->version);
    PGresult *result = PQexecParams(
        conn, "insert into harkara_meta.migration (version, name, sha256) values ($1::integer, $2, $3)", 3,
        NULL, values, NULL, NULL, 0);
    enum err err =
        PQresultStatus(result) == PGRES_COMMAND_OK ? ERR_OK : refused(conn, result, migration->name, problem);
    PQclear(result);
    return err;
}

static enum err
apply(PGconn *conn, const struct migration *migration, struct db_problem *problem)
{
    struct db_problem ignored;
    enum err err = run(conn, "begin", migration->name, problem);

    if (err == ERR_OK)
        err = run(conn, migration->sql, migration->name, problem);
    if (err == ERR_OK && PQtransactionStatus(conn) != PQTRANS_INTRANS) {
        db_problem_set(problem, "%s ends its own transaction", migration->name);
        err = ERR_DB_STATEMENT;
    }
    if (err == ERR_OK) /* as ourselves again, who own the record */
        err = run(conn, "reset role; set search_path = pg_catalog", migration->name, problem);
    if (err == ERR_OK)
        err = record(conn, migration, problem);
    if (err == ERR_OK)
        err = run(conn, "commit", migration->name, problem);
    if (err != ERR_OK && PQtransactionStatus(conn) != PQTRANS_IDLE &&
        run(conn, "rollback", migration->name, &ignored) != ERR_OK)
        log_event(LOG_WARN, "db.rollback_failed"); /* the server does it when we leave */
    if (err == ERR_OK)
        log_event(LOG_INFO, "db.migrated", LOG_WORD("migration", migration->name));
    return err;
}

static enum err
run_locked(PGconn *conn, const struct migration *list, size_t count, size_t *applied_out,
           struct db_problem *problem)
{
    size_t held = 0;
    enum err err = run(conn, patience_sql, "session", problem);

    if (err == ERR_OK)
        err = run(conn, record_table_sql, "harkara_meta", problem);
    if (err == ERR_OK)
        err = count_held(conn, list, count, &held, problem);
    for (size_t i = held; err == ERR_OK && i < count; i++) {
        err = apply(conn, &list[i], problem);
        if (err == ERR_OK)
            ++*applied_out;
    }
    return err;
}

/* An administrator's connection; *out is NULL after an error. */
static enum err
administer(const char *conninfo, PGconn **out, struct db_problem *problem)
{
    problem->detail[0] = '\0';
    *out = db_connect(conninfo);
    if (*out == NULL) {
        db_problem_set(problem, "the database server does not answer, or refuses the administrator's login");
        return ERR_DB_UNAVAILABLE;
    }
    if (PQserverVersion(*out) < SERVER_VERSION_MIN) {
        db_problem_set(problem, "the server is older than PostgreSQL 15");
        PQfinish(*out);
        *out = NULL;
        return ERR_CONFIG;
    }
    return ERR_OK;
}

enum err
migrate_run_list(const char *conninfo, const struct migration *list, size_t count, size_t *applied_out,
                 struct db_problem *problem)
{
    struct db_problem ignored;
    PGconn *conn;
    enum err err = administer(conninfo, &conn, problem);

    *applied_out = 0;
    if (err != ERR_OK)
        return err;
    err = run(conn, session_sql, "session", problem);
    if (err == ERR_OK)
        err = run(conn, LOCK_SQL, "advisory lock", problem);
    if (err == ERR_OK) {
        err = run_locked(conn, list, count, applied_out, problem);
        if (run(conn, UNLOCK_SQL, "advisory lock", &ignored) != ERR_OK)
            log_event(LOG_WARN, "db.unlock_failed"); /* it ends with the connection, at once */
    }
    PQfinish(conn);
    return err;
}

/* After a restore into another cluster the event log counts on from where it was: before anybody writes to
 * it. */
static enum err
event_clock_check(const char *conninfo, struct db_problem *problem)
{
    PGconn *conn;
    enum err err = administer(conninfo, &conn, problem);

    if (err != ERR_OK)
        return err;
    err = run(conn, session_sql, "session", problem);
    if (err == ERR_OK)
        err = run(conn, "set role harkara_owner", "event clock", problem);
    if (err == ERR_OK)
        err = run(conn, "do $$ begin perform harkara.event_clock_check(); end $$", "event clock", problem);
    PQfinish(conn);
    return err;
}

enum err
migrate_run(const char *conninfo, size_t *applied_out, struct db_problem *problem)
{
    enum err err = migrate_run_list(conninfo, migrations, migration_count, applied_out, problem);

    return err == ERR_OK ? event_clock_check(conninfo, problem) : err;
}

/* libpq wants C strings; the copies are wiped. */
static enum err
set_password(PGconn *conn, const struct migrate_login *login, struct db_problem *problem)
{
    char password[PASSWORD_BYTES_MAX + 1], sql[LOGIN_SQL_BYTES_MAX];
    struct slice text = secret_slice(login->password);
    char *verifier = NULL, *literal = NULL, *role = NULL;
    enum err err = ERR_LIMIT;

    if (text.len > PASSWORD_BYTES_MAX)
        return err;
    memcpy(password, text.ptr, text.len);
    password[text.len] = '\0';
    err = ERR_CRYPTO;
    verifier = PQencryptPasswordConn(conn, password, login->role, "scram-sha-256");
    secret_wipe(password, sizeof(password));
    if (verifier == NULL)
        goto done;
    err = ERR_NO_MEMORY;
    literal = PQescapeLiteral(conn, verifier, strlen(verifier));
    role = PQescapeIdentifier(conn, login->role, strlen(login->role));
    if (literal == NULL || role == NULL)
        goto done;
    err = ERR_LIMIT;
    if (snprintf(sql, sizeof(sql), "alter role %s password %s", role, literal) < (int)sizeof(sql))
        err = run(conn, sql, login->role, problem);
    secret_wipe(sql, sizeof(sql));
done:
    PQfreemem(verifier);
    PQfreemem(literal);
    PQfreemem(role);
    return err;
}

enum err
migrate_set_passwords(const char *conninfo, const struct migrate_login *logins, size_t count,
                      struct db_problem *problem)
{
    PGconn *conn;
    enum err err = administer(conninfo, &conn, problem);

    if (err != ERR_OK)
        return err;
    /* Under the same lock: two of these at once would update one catalogue row at a time and fail. */
    err = run(conn,
              "begin; set local statement_timeout = '15min'; "
              "select pg_advisory_xact_lock(x'6861726b617261'::bigint)",
              "passwords", problem);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = set_password(conn, &logins[i], problem);
    if (err == ERR_OK)
        err = run(conn, "commit", "passwords", problem);
    PQfinish(conn);
    return err;
}
