/* Connecting, losing, connecting again, and listening. */
#include "core/log.h"
#include "crypto/random.h"
#include "platform/db/db_internal.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define REOPEN_PAUSE_MS_MIN 50
#define REOPEN_PAUSE_MS_MAX 2000
#define LISTEN_BYTES        128u

void
db_enter(struct db *db)
{
    if (atomic_flag_test_and_set(&db->in_use))
        bug("a database connection is used twice at once");
}

void
db_leave(struct db *db)
{
    atomic_flag_clear(&db->in_use);
}

/* A server that ends a connection while nothing runs on it says so in a notice; that is all we read of one.
 */
static void
hear_notice(void *ctx, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool *has_farewell = ctx;

    if (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        *has_farewell = true;
}

bool
db_is_alive(struct db *db)
{
    if (db->conn == NULL)
        return false;
    for (struct pollfd socket = { PQsocket(db->conn), POLLIN, 0 }; poll(&socket, 1, 0) > 0;) {
        if (PQconsumeInput(db->conn) != 1)
            return false;
        (void)PQisBusy(db->conn); /* looks into what has come */
    }
    return !db->has_farewell && PQstatus(db->conn) == CONNECTION_OK;
}

/* Notices may quote values; nobody reads them. */
static void
ignore_notice(void *ctx UNUSED, const PGresult *result UNUSED)
{
}

PGconn *
db_connect(const char *conninfo)
{
    /* The caller's words stand between our defaults, which they may override, and what must be so. */
    static const char *const names[] = { "connect_timeout",     "keepalives_idle",
                                         "keepalives_interval", "keepalives_count",
                                         "tcp_user_timeout",    "gssencmode",
                                         "application_name",    "dbname",
                                         "client_encoding",     NULL };
    const char *const values[] = { DB_CONNECT_SECONDS, "30",      "5",      "3",    "20000",
                                   "disable",          "harkara", conninfo, "UTF8", NULL };
    PGconn *conn = PQconnectdbParams(names, values, 1);

    if (conn == NULL)
        return NULL;
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    PQfinish(conn);
    return NULL;
}

static enum err
listen_again(struct db *db, const char *channel)
{
    char sql[LISTEN_BYTES];
    struct db_batch batch;
    char *quoted = db->conn == NULL ? NULL : PQescapeIdentifier(db->conn, channel, strlen(channel));
    enum err err = ERR_DB_UNAVAILABLE;

    if (quoted == NULL)
        return err;
    if (snprintf(sql, sizeof(sql), "listen %s", quoted) >= (int)sizeof(sql))
        bug("a channel's name is too long");
    PQfreemem(quoted);
    err = db_batch_begin(&batch, db);
    if (err == ERR_OK)
        err = db_batch_plain(&batch, sql, "LISTEN");
    if (err == ERR_OK)
        err = db_batch_end(&batch, NULL);
    return err;
}

static enum err
connect_once(struct db *db)
{
    enum err err = ERR_DB_UNAVAILABLE;

    db_prepared_clear(db);
    db_plans_begin(db);
    db->has_farewell = false;
    db->conn = db_connect(secret_slice(db->conninfo).ptr);
    if (db->conn == NULL || PQsetnonblocking(db->conn, 1) != 0)
        goto lost;
    PQsetNoticeReceiver(db->conn, hear_notice, &db->has_farewell);
    for (size_t i = 0; i < db->channel_count; i++) {
        err = listen_again(db, db->channels[i]);
        if (err != ERR_OK)
            goto lost;
    }
    return ERR_OK;
lost:
    log_event(LOG_WARN, "db.connect_failed");
    db_lose(db);
    return err;
}

enum err
db_open(const char *conninfo, struct db **out)
{
    struct db *db = calloc(1, sizeof(*db));
    enum err err = ERR_NO_MEMORY;

    *out = NULL;
    if (db == NULL)
        return err;
    db->answer_ms_max = DB_ANSWER_MS_MAX;
    db->prepared = calloc(DB_STMT_SLOTS, sizeof(*db->prepared));
    db->conninfo = secret_copy(slice_of(conninfo, strlen(conninfo) + 1));
    if (db->prepared == NULL || db->conninfo == NULL)
        goto done;
    err = connect_once(db);
    if (err != ERR_OK)
        goto done;
    *out = db; /* taken by the caller */
    db = NULL;
done:
    db_close(db);
    return err;
}

void
db_close(struct db *db)
{
    if (db == NULL)
        return;
    PQfinish(db->conn);
    secret_free(db->conninfo);
    free(db->prepared);
    free(db);
}

void
db_lose(struct db *db)
{
    PQfinish(db->conn); /* accepts NULL */
    db->conn = NULL;
    db->has_batch = false;
    db_prepared_clear(db);
    if (db->tx != NULL)
        db->tx_err = ERR_DB_UNAVAILABLE;
}

/* Half fixed, half drawn, so that all processes of a restarted server do not come at once. */
static int
pause_ms(int ceiling_ms)
{
    uint32_t drawn = 0;

    if (random_fill(&drawn, sizeof(drawn)) != ERR_OK)
        drawn = 0; /* punctual, then */
    return ceiling_ms / 2 + (int)(drawn % (uint32_t)(ceiling_ms / 2 + 1));
}

enum err
db_reopen(struct db *db, int wait_ms)
{
    struct mono_time until = mono_after_ms(clock_mono(clock_system()), wait_ms);
    int ceiling_ms = REOPEN_PAUSE_MS_MIN;
    enum err err;

    if (db->tx != NULL)
        bug("a connection is opened again within a transaction");
    db_enter(db);
    db_lose(db);
    for (;;) {
        err = connect_once(db);
        int64_t left_ms = (until.us - clock_mono(clock_system()).us) / 1000;
        if (err == ERR_OK || left_ms <= 0)
            break;
        int pause = pause_ms(ceiling_ms);
        (void)poll(NULL, 0, pause < left_ms ? pause : (int)left_ms);
        ceiling_ms = ceiling_ms * 2 < REOPEN_PAUSE_MS_MAX ? ceiling_ms * 2 : REOPEN_PAUSE_MS_MAX;
    }
    if (err == ERR_OK)
        log_event(LOG_INFO, "db.connected");
    db_leave(db);
    return err;
}

void
db_answer_limit_set(struct db *db, int ms)
{
    db->answer_ms_max = ms;
}

enum err
db_listen(struct db *db, const char *channel)
{
    enum err err;

    if (db->tx != NULL)
        bug("listening begins outside transactions");
    if (db->channel_count == DB_CHANNELS_MAX)
        bug("more channels than DB_CHANNELS_MAX");
    db_enter(db);
    err = listen_again(db, channel);
    if (err == ERR_OK)
        db->channels[db->channel_count++] = channel;
    db_leave(db);
    return err;
}

int
db_fd(const struct db *db)
{
    return db->conn == NULL ? -1 : PQsocket(db->conn);
}

enum err
db_notifications(struct db *db, void (*on)(void *ctx, struct slice channel, struct slice payload), void *ctx)
{
    enum err err = ERR_OK;

    db_enter(db);
    if (db->conn == NULL || PQconsumeInput(db->conn) != 1 || PQstatus(db->conn) != CONNECTION_OK) {
        db_lose(db);
        err = ERR_DB_UNAVAILABLE;
    }
    for (PGnotify *note; err == ERR_OK && (note = PQnotifies(db->conn)) != NULL;) {
        on(ctx, slice_text(note->relname), slice_text(note->extra));
        PQfreemem(note);
    }
    db_leave(db);
    return err;
}
