/*
 * Several commands in one round trip (libpq's pipeline mode). The socket never blocks: what waits is poll,
 * with a limit, so that a server that stopped answering costs a connection and not a thread.
 */
#include "core/log.h"
#include "platform/db/db_internal.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>

/* FNV-1a: names are ours, so nobody crafts collisions. */
static size_t
slot_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash % DB_STMT_SLOTS;
}

static struct db_prepared *
prepared_find(struct db *db, const struct db_stmt *stmt)
{
    for (size_t slot = slot_of(stmt->name);; slot = (slot + 1) % DB_STMT_SLOTS) {
        struct db_prepared *prepared = &db->prepared[slot];
        if (prepared->stmt == NULL) {
            if (db->prepared_count == DB_STMTS_MAX)
                bug("more statements than DB_STMTS_MAX");
            db->prepared_count++;
            *prepared = (struct db_prepared){ .stmt = stmt };
            return prepared;
        }
        if (strcmp(prepared->stmt->name, stmt->name) != 0)
            continue;
        if (strcmp(prepared->stmt->sql, stmt->sql) != 0)
            bug("two statements share a name");
        return prepared;
    }
}

void
db_prepared_clear(struct db *db)
{
    memset(db->prepared, 0, DB_STMT_SLOTS * sizeof(*db->prepared));
    db->prepared_count = 0;
    db->must_forget = false;
}

/*
 * Whether the statement as prepared takes these arguments. A NULL fits every type; but a parameter that was
 * NULL when the statement was prepared got the type that the server guessed, so the first real value prepares
 * it again.
 */
static bool
prepared_fits(const struct db_prepared *prepared, const struct db_bound *bound)
{
    if (!prepared->is_prepared)
        return false;
    if (prepared->count != bound->count)
        bug("a statement is run with and without a tenant, or with varying arguments");
    for (size_t i = 0; i < bound->count; i++) {
        if (bound->types[i] == DB_OID_ANY || bound->types[i] == prepared->types[i])
            continue;
        if (prepared->types[i] != DB_OID_ANY)
            bug("a statement's argument changes its type");
        return false;
    }
    return true;
}

static const char *
server_name(const struct db_prepared *prepared, char out[static DB_STMT_NAME_BYTES])
{
    int len = snprintf(out, DB_STMT_NAME_BYTES, "%s.%u", prepared->stmt->name, prepared->version);

    if (len >= (int)DB_STMT_NAME_BYTES)
        bug("a statement's name is too long");
    return out;
}

static enum err
batch_add(struct db_batch *batch, struct db_command command, int sent)
{
    if (sent != 1) {
        log_event(LOG_WARN, "db.lost", LOG_WORD("statement", command.name));
        db_lose(batch->db);
        return ERR_DB_UNAVAILABLE;
    }
    if (batch->count == DB_BATCH_MAX)
        bug("a batch with too many commands");
    batch->commands[batch->count++] = command;
    return ERR_OK;
}

enum err
db_batch_begin(struct db_batch *batch, struct db *db)
{
    *batch = (struct db_batch){ .db = db };
    if (db->conn == NULL)
        return ERR_DB_UNAVAILABLE;
    if (PQenterPipelineMode(db->conn) != 1) {
        db_lose(db);
        return ERR_DB_UNAVAILABLE;
    }
    return ERR_OK;
}

enum err
db_batch_plain(struct db_batch *batch, const char *sql, const char *tag)
{
    struct db_command command = { DB_COMMAND_PLAIN, tag, tag, NULL, false, NULL };

    return batch_add(batch, command, PQsendQueryParams(batch->db->conn, sql, 0, NULL, NULL, NULL, NULL, 1));
}

enum err
db_batch_stmt(struct db_batch *batch, const struct db_stmt *stmt, const struct db_bound *bound,
              struct db_rows *rows)
{
    PGconn *conn = batch->db->conn;
    struct db_prepared *prepared = prepared_find(batch->db, stmt);
    bool was_prepared = prepared_fits(prepared, bound);
    struct db_command command = { DB_COMMAND_PREPARE, stmt->name, NULL, prepared, was_prepared, NULL };
    char name[DB_STMT_NAME_BYTES];
    enum err err = ERR_OK;

    if (!was_prepared) {
        for (size_t i = 0; i < bound->count; i++) /* what was known before and is NULL now stays known */
            if (!prepared->is_prepared || bound->types[i] != DB_OID_ANY)
                prepared->types[i] = bound->types[i];
        prepared->count = bound->count;
        prepared->is_prepared = false;
        prepared->version++;
        err = batch_add(
            batch, command,
            PQsendPrepare(conn, server_name(prepared, name), stmt->sql, (int)bound->count, prepared->types));
    }
    if (err != ERR_OK)
        return err;
    command.kind = DB_COMMAND_RUN;
    command.rows = rows;
    return batch_add(batch, command,
                     PQsendQueryPrepared(conn, server_name(prepared, name), (int)bound->count, bound->values,
                                         bound->lengths, bound->formats, 1));
}

/* Waits until the socket can be read (or written, while something is unsent). */
static enum err
wait_for(PGconn *conn, bool is_unsent, struct mono_time deadline)
{
    struct pollfd socket = { PQsocket(conn), (short)(POLLIN | (is_unsent ? POLLOUT : 0)), 0 };
    int64_t left_ms = (deadline.us - clock_mono(clock_system()).us + 999) / 1000;

    if (left_ms <= 0)
        return ERR_TIMEOUT;
    if (poll(&socket, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) < 0 && errno != EINTR)
        return ERR_DB_UNAVAILABLE;
    if ((socket.revents & ~POLLOUT) != 0 && PQconsumeInput(conn) != 1)
        return ERR_DB_UNAVAILABLE;
    return ERR_OK;
}

/* The next result, or NULL between the results of two commands. */
static enum err
next_result(PGconn *conn, struct mono_time deadline, PGresult **out)
{
    for (;;) {
        int unsent = PQflush(conn);
        if (unsent < 0)
            return ERR_DB_UNAVAILABLE;
        if (unsent == 0 && !PQisBusy(conn))
            break;
        enum err err = wait_for(conn, unsent == 1, deadline);
        if (err != ERR_OK)
            return err;
    }
    *out = PQgetResult(conn);
    return ERR_OK;
}

/* A statement that was prepared before and is refused now: a migration changed its tables, or it is not
 * there. */
static bool
is_outdated(const struct db_command *command, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return sqlstate != NULL && command->was_prepared && command->kind == DB_COMMAND_RUN &&
           (strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "26000") == 0);
}

static enum err
command_judge(struct db *db, const struct db_command *command, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        if (command->kind == DB_COMMAND_PREPARE)
            command->prepared->is_prepared = true;
        if (command->kind == DB_COMMAND_PLAIN && strcmp(PQcmdStatus(result), command->tag) != 0)
            return ERR_DB_STATEMENT; /* a commit that was a rollback */
        return ERR_OK;
    case PGRES_FATAL_ERROR:
        if (is_outdated(command, result)) {
            db->must_forget = true;
            return ERR_DB_CONFLICT;
        }
        return db_err_of_result(result, command->name);
    case PGRES_PIPELINE_ABORTED: /* an earlier one failed */
    case PGRES_EMPTY_QUERY:
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_SYNC:
        break;
    }
    return ERR_DB_STATEMENT;
}

/* Reads one command's answer: its result, and the NULL that ends it. *err_out is what the server says of it.
 */
static enum err
command_take(struct db *db, const struct db_command *command, struct mono_time deadline,
             PGresult **result_out, enum err *err_out)
{
    PGresult *end = NULL;
    enum err err = next_result(db->conn, deadline, result_out);

    if (err != ERR_OK)
        return err;
    if (*result_out == NULL)
        return ERR_DB_UNAVAILABLE; /* out of step: only a broken connection does that */
    *err_out = command_judge(db, command, *result_out);
    err = next_result(db->conn, deadline, &end);
    if (err != ERR_OK)
        return err;
    if (end != NULL) {
        PQclear(end);
        return ERR_DB_UNAVAILABLE;
    }
    return PQstatus(db->conn) == CONNECTION_OK ? ERR_OK : ERR_DB_UNAVAILABLE;
}

/* Errors of the batch's commands into *first_out; anything but ERR_OK: the connection is of no more use. */
static enum err
batch_read(struct db_batch *batch, struct mono_time deadline, PGresult **last_out, enum err *first_out)
{
    struct db *db = batch->db;
    PGresult *sync = NULL;
    enum err err;

    for (size_t i = 0; i < batch->count; i++) {
        enum err said = ERR_OK;
        PQclear(*last_out);
        *last_out = NULL;
        err = command_take(db, &batch->commands[i], deadline, last_out, &said);
        if (*first_out == ERR_OK)
            *first_out = said;
        if (err != ERR_OK)
            return err;
        if (*first_out == ERR_OK && batch->commands[i].rows != NULL) {
            if (db_rows_are_too_many(*last_out, batch->commands[i].name))
                *first_out = ERR_DB_STATEMENT;
            db_rows_set(batch->commands[i].rows, *last_out);
            *last_out = NULL;
        }
    }
    err = next_result(db->conn, deadline, &sync);
    if (err != ERR_OK)
        return err;
    bool is_synced = PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    PQclear(sync);
    return is_synced && PQexitPipelineMode(db->conn) == 1 ? ERR_OK : ERR_DB_UNAVAILABLE;
}

enum err
db_batch_end(struct db_batch *batch, PGresult **rows_out)
{
    struct db *db = batch->db;
    PGresult *last = NULL;
    enum err first = ERR_OK, err = ERR_DB_UNAVAILABLE;
    const char *name = batch->count == 0 ? "" : batch->commands[batch->count - 1].name;

    if (PQpipelineSync(db->conn) == 1)
        err = batch_read(batch, mono_after_ms(clock_mono(clock_system()), db->answer_ms_max), &last, &first);
    if (err != ERR_OK) {
        log_event(LOG_WARN, "db.lost", LOG_WORD("statement", name), LOG_ERR(err));
        db_lose(db);
        first = ERR_DB_UNAVAILABLE;
    }
    if (first == ERR_OK && rows_out != NULL) {
        *rows_out = last; /* taken by the caller */
        last = NULL;
    }
    PQclear(last);
    return first;
}
