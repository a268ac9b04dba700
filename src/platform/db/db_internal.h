/* What the files of this room share about a connection. */
#ifndef PLATFORM_DB_DB_INTERNAL_H
#define PLATFORM_DB_DB_INTERNAL_H
#include "core/buf.h"
#include "core/secret.h"
#include "platform/db/db.h"
#include <libpq-fe.h>
#include <stdatomic.h>

#define DB_STMTS_MAX       512u /* of one program; literals, so it does not grow by use */
#define DB_STMT_SLOTS      1024u
#define DB_STMT_NAME_BYTES 64u
#define DB_CHANNELS_MAX    8u
#define DB_ARGS_BYTES_MAX  (64u << 20)
#define DB_ANSWER_MS_MAX                                                                                     \
    40000 /* above the roles' statement_timeout, so that it only strikes a dead server                       \
           */
#define DB_CONNECT_SECONDS "5"
#define DB_EPOCH_US        INT64_C(946684800000000) /* 2000-01-01, PostgreSQL's zero */
#define DB_ARRAY_HEADER    12u
#define DB_ARRAY_DIMENSION 8u

/* Type numbers that are fixed by the protocol's habit (src/include/catalog/pg_type.dat). */
enum db_oid {
    DB_OID_ANY = 0,
    DB_OID_BOOL = 16,
    DB_OID_BYTEA = 17,
    DB_OID_CHAR = 18,
    DB_OID_NAME = 19,
    DB_OID_INT8 = 20,
    DB_OID_INT2 = 21,
    DB_OID_INT4 = 23,
    DB_OID_TEXT = 25,
    DB_OID_JSON = 114,
    DB_OID_VARCHAR = 1043,
    DB_OID_BPCHAR = 1042,
    DB_OID_TIMESTAMPTZ = 1184,
    DB_OID_UUID = 2950,
    DB_OID_JSONB = 3802,
    DB_OID_XID8 = 5069,
    DB_OID_BYTEA_ARRAY = 1001,
    DB_OID_TEXT_ARRAY = 1009,
    DB_OID_INT8_ARRAY = 1016,
    DB_OID_TIMESTAMPTZ_ARRAY = 1185,
    DB_OID_UUID_ARRAY = 2951,
    DB_OID_JSONB_ARRAY = 3807,
};

/* One prepared statement of this connection. */
struct db_prepared {
    const struct db_stmt *stmt; /* NULL: a free slot */
    unsigned version;           /* counts preparations, because a first NULL may have left a type open */
    bool is_prepared;
    size_t count;
    Oid types[DB_ARGS_MAX + 1];
};

/*
 * One round trip of several commands, ended by a sync; the first that fails stops the rest.
 */
#define DB_BATCH_MAX 32u
enum db_command_kind { DB_COMMAND_PLAIN, DB_COMMAND_PREPARE, DB_COMMAND_RUN };
struct db_command {
    enum db_command_kind kind;
    const char *name; /* for the log */
    const char *tag;  /* plain: the answer that means success */
    struct db_prepared *prepared;
    bool was_prepared;    /* before this batch */
    struct db_rows *rows; /* takes the result; NULL: nobody wants it, or it is the last one's */
};
struct db_batch {
    struct db *db;
    size_t count;
    struct db_command commands[DB_BATCH_MAX];
};

struct db {
    PGconn *conn;                 /* NULL while disconnected */
    struct secret *conninfo;      /* with a NUL at the end */
    struct db_prepared *prepared; /* DB_STMT_SLOTS */
    size_t prepared_count;
    const char *channels[DB_CHANNELS_MAX];
    size_t channel_count;
    struct db_tx *tx; /* the open transaction */
    enum err tx_err;  /* its first error: from then on the server refuses all but rollback */
    bool is_begun;    /* the server has answered that it is open */
    bool has_turned;  /* tx's scope is new; the server is told with the next statement */
    bool has_batch;   /* a round trip of the transaction was begun and not ended */
    struct db_batch batch;
    bool has_farewell;         /* the server said why it ends the connection */
    bool must_forget;          /* prepared plans no longer fit the tables */
    struct mono_time plans_at; /* since when plans are kept; db_plans_begin */
    int64_t plans_ms;          /* ... and for how long */
    int answer_ms_max;
    atomic_flag in_use; /* a connection belongs to one thread and is not entered twice */
};

/* Held between entering and leaving the room: a second thread or a call from within a callback is our bug. */
void db_enter(struct db *db);
void db_leave(struct db *db);

/* A connection is new: its plans are young. */
void db_plans_begin(struct db *db);

/* A connection with the house's timeouts, blocking and quiet. NULL when there is none. */
PGconn *db_connect(const char *conninfo);
/* Whether nothing speaks against it: what the server has said meanwhile is read, without waiting. */
bool db_is_alive(struct db *db);
/* Gives the connection up: what the server has open is rolled back by it. */
void db_lose(struct db *db);
/* Tests shorten the guard. */
void db_answer_limit_set(struct db *db, int ms);

/* db_error.c */
enum err db_err_of_sqlstate(const char *sqlstate);
/* Logs the statement's name and SQLSTATE, counts, and returns the error. */
enum err db_err_of_result(const PGresult *result, const char *statement);

/* db_args.c: the arguments as libpq wants them; binary throughout. */
struct db_bound {
    size_t count;
    Oid types[DB_ARGS_MAX + 1];
    const char *values[DB_ARGS_MAX + 1];
    int lengths[DB_ARGS_MAX + 1], formats[DB_ARGS_MAX + 1];
    unsigned char scalars[DB_ARGS_MAX + 1][ID_BYTES];
    char *bytes; /* owned: arrays and JSON */
};
/* `first` (may be NULL) goes first. ERR_LIMIT, ERR_NO_MEMORY; release in every case. */
MUST_CHECK enum err db_bind(const struct db_arg *first, struct db_args args, struct db_bound *out);
void db_bound_release(struct db_bound *bound);

/* db_statement.c. */
/* ERR_DB_UNAVAILABLE when the connection is lost, here and below: it is then given up. */
MUST_CHECK enum err db_batch_begin(struct db_batch *batch, struct db *db);
/* SQL of ours without arguments and rows, and its command tag: "begin" and "BEGIN". */
MUST_CHECK enum err db_batch_plain(struct db_batch *batch, const char *sql, const char *tag);
/* Prepares the statement first when this connection has not. `rows` (may be NULL) must live until
 * db_batch_end. */
MUST_CHECK enum err db_batch_stmt(struct db_batch *batch, const struct db_stmt *stmt,
                                  const struct db_bound *bound, struct db_rows *rows);
/* Sends, and reads all answers: the first error, or the result of the last command (owned; rows_out may be
 * NULL). */
MUST_CHECK enum err db_batch_end(struct db_batch *batch, PGresult **rows_out);
/* Forgets what was prepared: for a new connection. */
void db_prepared_clear(struct db *db);

/* db_rows.c. `result` is taken. */
MUST_CHECK enum err db_rows_new(PGresult *result, struct db_rows **out);
/* `result` is taken. */
void db_rows_set(struct db_rows *rows, PGresult *result);
/* Whether there are more rows than DB_ROWS_MAX. Logs it. */
bool db_rows_are_too_many(const PGresult *result, const char *statement);

#endif
