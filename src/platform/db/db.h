/*
 * PostgreSQL through libpq. The tenant is in the transaction: a tenant table is reached only through a db_tx
 * opened for one tenant (or, for the few works across tenants, for one declared purpose). A connection
 * belongs to one thread. Statements are prepared once per connection; values are parameters, never text.
 */
#ifndef PLATFORM_DB_DB_H
#define PLATFORM_DB_DB_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"

struct db;
struct db_rows; /* owned: db_rows_free */

struct db_stmt {
    const char *name; /* unique in the program; the name it is prepared under */
    const char *sql;
};

enum db_type {
    DB_TYPE_NULL,
    DB_TYPE_ID,
    DB_TYPE_TEXT,
    DB_TYPE_BYTES,
    DB_TYPE_I64,
    DB_TYPE_XID,
    DB_TYPE_BOOL,
    DB_TYPE_TIME,
    DB_TYPE_JSON,
    /* arrays for unnest(): one dimension; elements given as C arrays. A slice with NULL ptr is a NULL
       element. */
    DB_TYPE_ID_ARRAY,
    DB_TYPE_TEXT_ARRAY,
    DB_TYPE_BYTES_ARRAY,
    DB_TYPE_I64_ARRAY,
    DB_TYPE_TIME_ARRAY,
    DB_TYPE_JSON_ARRAY,
};

struct db_arg {
    enum db_type type;
    union {
        struct id id;
        struct slice slice;
        int64_t i64;
        bool boolean;
        struct wall_time time;
        const struct id *ids;
        const struct slice *slices;
        const int64_t *i64s;
        const struct wall_time *times;
    };
    size_t count; /* of an array */
};

#define DB_NULL              ((struct db_arg){ .type = DB_TYPE_NULL })
#define DB_ID(v)             ((struct db_arg){ .type = DB_TYPE_ID, .id = (v) })
#define DB_TEXT(v)           ((struct db_arg){ .type = DB_TYPE_TEXT, .slice = (v) }) /* NULL ptr: SQL NULL */
#define DB_TEXT_Z(v)         DB_TEXT(slice_text(v))
#define DB_BYTES(v)          ((struct db_arg){ .type = DB_TYPE_BYTES, .slice = (v) }) /* NULL ptr: SQL NULL */
#define DB_JSON(v)           ((struct db_arg){ .type = DB_TYPE_JSON, .slice = (v) })
#define DB_I64(v)            ((struct db_arg){ .type = DB_TYPE_I64, .i64 = (v) })
#define DB_XID(v)            ((struct db_arg){ .type = DB_TYPE_XID, .i64 = (v) }) /* xid8, as db_i64 gave it */
#define DB_BOOL(v)           ((struct db_arg){ .type = DB_TYPE_BOOL, .boolean = (v) })
#define DB_TIME(v)           ((struct db_arg){ .type = DB_TYPE_TIME, .time = (v) })
#define DB_ID_ARRAY(v, n)    ((struct db_arg){ .type = DB_TYPE_ID_ARRAY, .ids = (v), .count = (n) })
#define DB_TEXT_ARRAY(v, n)  ((struct db_arg){ .type = DB_TYPE_TEXT_ARRAY, .slices = (v), .count = (n) })
#define DB_BYTES_ARRAY(v, n) ((struct db_arg){ .type = DB_TYPE_BYTES_ARRAY, .slices = (v), .count = (n) })
#define DB_I64_ARRAY(v, n)   ((struct db_arg){ .type = DB_TYPE_I64_ARRAY, .i64s = (v), .count = (n) })
#define DB_TIME_ARRAY(v, n)  ((struct db_arg){ .type = DB_TYPE_TIME_ARRAY, .times = (v), .count = (n) })
#define DB_JSON_ARRAY(v, n)  ((struct db_arg){ .type = DB_TYPE_JSON_ARRAY, .slices = (v), .count = (n) })

struct db_args {
    const struct db_arg *args;
    size_t count;
};
#define DB_ARGS(...)                                                                                         \
    ((struct db_args){ (const struct db_arg[]){ __VA_ARGS__ },                                               \
                       sizeof((const struct db_arg[]){ __VA_ARGS__ }) / sizeof(struct db_arg) })
#define DB_NO_ARGS     ((struct db_args){ NULL, 0 })
#define DB_ARGS_MAX    48u
#define DB_ROWS_MAX    10000u
#define DB_TENANTS_MAX 5000u

/*
 * Connects; conninfo is a libpq connection string, which may hold a password, so it is not logged and its
 * copy lies in the secret pool (open that first). libpq keeps a copy of its own in ordinary memory.
 * ERR_DB_UNAVAILABLE: also when the server refuses us.
 */
MUST_CHECK enum err db_open(const char *conninfo, struct db **out);
/* Accepts NULL. An open transaction is rolled back by the server. */
void db_close(struct db *db);
/*
 * Connects again after ERR_DB_UNAVAILABLE, with back-off and jitter inside (at most `wait_ms`; 0: one
 * attempt), and listens again: notifications sent meanwhile are lost, so look at the tables afterwards. Not
 * within a transaction.
 */
MUST_CHECK enum err db_reopen(struct db *db, int wait_ms);

struct db_tx {
    struct db *db;
    struct id tenant;         /* zero when across, or of many */
    const struct id *tenants; /* of many; borrowed */
    size_t tenant_count;
    const char *scope; /* the purpose across tenants, the role of many; a literal */
    bool is_open, is_across;
};

/*
 * A transaction begins without a round trip: the server hears of it, and of its tenant, together with the
 * first statement; one that runs none costs nothing. ERR_DB_UNAVAILABLE: the connection is known to be lost.
 * When it turns out to be lost with the first round trip, that one's statement says so. On failure the
 * transaction is not open.
 */
MUST_CHECK enum err db_begin(struct db *db, struct id tenant, struct db_tx *tx_out);
/* For one declared purpose across tenants, such as "dispatch.claim": see docs/database.md. */
MUST_CHECK enum err db_begin_across(struct db *db, const char *purpose, struct db_tx *tx_out);
/*
 * For rows of several tenants in one statement: those of the array, each once, 1 to DB_TENANTS_MAX, which
 * must live as long as the transaction. It runs as `role`, a literal: one that may do no more than these
 * statements need (docs/database.md, "Work for several tenants"), whose policies let it reach the tenants of
 * the array alone. $1 of every statement is the array, as uuid[]; statements are planned for any values, and
 * not by reading whole tables. A statement belongs to one role: do not share it with other transactions.
 */
MUST_CHECK enum err db_begin_many(struct db *db, const char *role, const struct id *tenants, size_t count,
                                  struct db_tx *tx_out);
/*
 * Turns the same open transaction to another tenant: for batches of many tenants that commit together.
 * Statements that follow get the new tenant as $1. The server hears of it with the next statement, so it
 * costs no round trip. A transaction across tenants becomes an ordinary one of this tenant. Not one of many.
 */
MUST_CHECK enum err db_tx_turn_to(struct db_tx *tx, struct id tenant);
/*
 * ERR_DB_CONFLICT: nothing happened, run it again. ERR_DB_UNAVAILABLE: whether it happened is not known. When
 * a statement failed, its error: nothing happened. The transaction is closed in every case.
 */
MUST_CHECK enum err db_commit(struct db_tx *tx);
/* Does nothing when the transaction is not open; so it stands at every exit. */
void db_rollback(struct db_tx *tx);

/*
 * Runs one statement. In a tenant's transaction $1 is the tenant and `args` start at $2; across tenants they
 * start at $1. *rows_out may be NULL when no rows are wanted. Errors by SQLSTATE: ERR_DB_CONFLICT (40001,
 * 40P01, 55P03), ERR_EXISTS (23505), ERR_DB_CONSTRAINT (other 23xxx), ERR_DB_DATA (22xxx), ERR_TIMEOUT
 * (57014), ERR_DB_UNAVAILABLE (08xxx, 53xxx, 57Pxx, lost), ERR_DB_STATEMENT (the rest: ours; more than
 * DB_ROWS_MAX rows too). After an error only db_rollback is possible. An argument keeps its type from call to
 * call; DB_NULL fits every type, and the server guesses it from the SQL.
 */
MUST_CHECK enum err db_query(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args,
                             struct db_rows **rows_out);
/* As db_query, and exactly one row returned or affected, else ERR_NOT_FOUND. */
MUST_CHECK enum err db_exec_one(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args);
/*
 * Sends one statement with what comes next: statements of which none needs the answer of another, and the
 * commit, share one round trip. Whoever ends it (db_query, db_exec, db_exec_one, db_commit) gets the first
 * error of all. *rows_out (may be NULL: no rows are wanted) is empty until then and owned: free it when the
 * transaction is closed, not before.
 *
 *     err = db_later(&tx, &insert_stmt, DB_ARGS(...), NULL);
 *     err = err == ERR_OK ? db_commit(&tx) : err;             one round trip from begin to commit
 */
MUST_CHECK enum err db_later(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args,
                             struct db_rows **rows_out);
/* As db_query without rows; *affected_out (may be NULL) gets the count. */
MUST_CHECK enum err db_exec(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args,
                            size_t *affected_out);

/*
 * Runs `work` in a transaction for the tenant and commits; again, at most DB_TRIES times, on ERR_DB_CONFLICT.
 * So `work` has no effect outside the database. An error of `work` rolls back and is returned. A connection
 * found lost by the first round trip is opened again, once; not when that one held the commit.
 */
#define DB_TRIES 4
MUST_CHECK enum err db_run(struct db *db, struct id tenant, enum err (*work)(struct db_tx *tx, void *ctx),
                           void *ctx);
MUST_CHECK enum err db_run_across(struct db *db, const char *purpose,
                                  enum err (*work)(struct db_tx *tx, void *ctx), void *ctx);

/* Accepts NULL. What the getters returned is borrowed until then. */
void db_rows_free(struct db_rows *rows);
size_t db_rows_count(const struct db_rows *rows);
bool db_is_null(const struct db_rows *rows, size_t row, int column);
/*
 * The wrong type or a NULL is a bug of ours, except that text and bytes of NULL are SLICE_EMPTY. Text is
 * text, varchar, name, json and jsonb; cast others (::text). The infinities of timestamptz are INT64_MIN and
 * INT64_MAX.
 */
struct slice db_text(const struct db_rows *rows, size_t row, int column);
struct slice db_bytes(const struct db_rows *rows, size_t row, int column);
int64_t db_i64(const struct db_rows *rows, size_t row, int column); /* int2, int4, int8, xid8 */
bool db_bool(const struct db_rows *rows, size_t row, int column);
struct id db_id(const struct db_rows *rows, size_t row, int column);
struct wall_time db_time(const struct db_rows *rows, size_t row, int column);
/* A text[] column: ERR_LIMIT beyond `max`. Slices live in the arena. */
MUST_CHECK enum err db_text_array(const struct db_rows *rows, size_t row, int column, struct arena *arena,
                                  struct slice *out, size_t max, size_t *count_out);

/* LISTEN; kept across db_reopen. The channel is a literal. */
MUST_CHECK enum err db_listen(struct db *db, const char *channel);
/* The socket to wait on for notifications. Changes with db_reopen. -1 while disconnected. */
int db_fd(const struct db *db);
/*
 * Reads what has come and calls back for each; the payload is borrowed for the call, which must not use this
 * connection. News may also come with a statement's answer, and then the socket stays silent: so call this
 * after each transaction on a listening connection too. ERR_DB_UNAVAILABLE when lost.
 */
MUST_CHECK enum err
db_notifications(struct db *db, void (*on)(void *ctx, struct slice channel, struct slice payload), void *ctx);

#endif
