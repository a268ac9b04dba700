/* Transactions: opened for one tenant or one purpose, and never left open. */
#include "core/buf.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/num.h"
#include "crypto/random.h"
#include "platform/db/db_internal.h"
#include <poll.h>

#define CONFLICT_PAUSE_MS 8  /* doubled with each try */
#define COMMANDS_OF_ONE   6u /* begin, its scope and a statement, both prepared first, and a commit */

/* Local to the transaction, so nothing has to be undone. Both are set: turning to a tenant ends the purpose.
 */
static const struct db_stmt scope_set_stmt = {
    "scope_set", "select set_config('harkara.tenant', $1, true), set_config('harkara.across', $2, true)"
};
/* The role last: what comes before is the login's to set. */
static const struct db_stmt scope_many_stmt = {
    "scope_many", "select set_config('harkara.tenants', $1, true), set_config('enable_seqscan', 'off', true),"
                  " set_config('plan_cache_mode', 'force_generic_plan', true), set_config('role', $2, true)"
};

static enum err
scope_of_one(const struct db_tx *tx, struct db_batch *batch)
{
    char uuid[ID_UUID_BYTES];
    struct slice tenant = tx->is_across ? SLICE("") : id_uuid_print(tx->tenant, uuid);
    struct db_bound bound;
    enum err err = db_bind(NULL, DB_ARGS(DB_TEXT(tenant), DB_TEXT_Z(tx->is_across ? tx->scope : "")), &bound);

    if (err == ERR_OK)
        err = db_batch_stmt(batch, &scope_set_stmt, &bound, NULL);
    db_bound_release(&bound);
    return err;
}

static enum err
scope_of_many(const struct db_tx *tx, struct db_batch *batch)
{
    struct db_bound bound = { .bytes = NULL };
    char uuid[ID_UUID_BYTES];
    struct buf array;

    buf_init(&array, DB_TENANTS_MAX * ID_UUID_BYTES + 2);
    for (size_t i = 0; i < tx->tenant_count; i++) {
        buf_add_byte(&array, i == 0 ? '{' : ',');
        buf_add(&array, id_uuid_print(tx->tenants[i], uuid));
    }
    buf_add_byte(&array, '}');
    enum err err = buf_done(&array);
    if (err == ERR_OK)
        err = db_bind(NULL, DB_ARGS(DB_TEXT(buf_slice(&array)), DB_TEXT_Z(tx->scope)), &bound);
    if (err == ERR_OK)
        err = db_batch_stmt(batch, &scope_many_stmt, &bound, NULL);
    db_bound_release(&bound);
    buf_release(&array);
    return err;
}

/* After "begin", "commit" and "rollback" the server and we must agree; if not, the connection is of no use.
 */
static enum err
expect_status(struct db *db, PGTransactionStatusType status)
{
    if (db->conn == NULL)
        return ERR_DB_UNAVAILABLE;
    if (PQtransactionStatus(db->conn) == status)
        return ERR_OK;
    log_event(LOG_ERROR, "db.transaction_left_open");
    db_lose(db);
    return ERR_DB_UNAVAILABLE;
}

static enum err
run_plain(struct db *db, const char *sql, const char *tag)
{
    struct db_batch batch;
    enum err err = db_batch_begin(&batch, db);

    if (err == ERR_OK)
        err = db_batch_plain(&batch, sql, tag);
    if (err == ERR_OK)
        err = db_batch_end(&batch, NULL);
    return err;
}

static void
tx_close(struct db_tx *tx)
{
    struct db *db = tx->db;

    tx->is_open = false;
    db->tx = NULL;
    db->tx_err = ERR_OK;
    db->is_begun = db->has_turned = db->has_batch = false;
}

/* Opens it on our side; nothing is sent yet. */
static enum err
begin(struct db *db, struct db_tx tx, struct db_tx *tx_out)
{
    enum err err = ERR_OK;

    *tx_out = tx;
    db_enter(db);
    if (db->tx != NULL)
        bug("a transaction is begun within another");
    if (!db_is_alive(db)) {
        db_lose(db);
        err = ERR_DB_UNAVAILABLE;
    } else if (db->must_forget) {
        err = run_plain(db, "deallocate all", "DEALLOCATE ALL");
        if (err != ERR_OK && db->conn != NULL)
            db_lose(db);
        db_prepared_clear(db);
    }
    if (err == ERR_OK) {
        tx_out->is_open = true;
        db->tx = tx_out;
        db->has_turned = true;
    }
    db_leave(db);
    return err;
}

enum err
db_begin(struct db *db, struct id tenant, struct db_tx *tx_out)
{
    if (id_is_zero(tenant))
        bug("a transaction without a tenant");
    return begin(db, (struct db_tx){ .db = db, .tenant = tenant }, tx_out);
}

enum err
db_begin_across(struct db *db, const char *purpose, struct db_tx *tx_out)
{
    if (*purpose == '\0')
        bug("a transaction across tenants without a purpose");
    return begin(db, (struct db_tx){ .db = db, .is_across = true, .scope = purpose }, tx_out);
}

enum err
db_begin_many(struct db *db, const char *role, const struct id *tenants, size_t count, struct db_tx *tx_out)
{
    if (count == 0 || count > DB_TENANTS_MAX)
        bug("a transaction of no tenant, or of too many");
    for (size_t i = 0; i < count; i++)
        if (id_is_zero(tenants[i]))
            bug("a transaction without a tenant");
    return begin(db, (struct db_tx){ .db = db, .tenants = tenants, .tenant_count = count, .scope = role },
                 tx_out);
}

static void
check_open(const struct db_tx *tx)
{
    if (!tx->is_open || tx->db->tx != tx)
        bug("a transaction is used that is not open");
}

enum err
db_tx_turn_to(struct db_tx *tx, struct id tenant)
{
    check_open(tx);
    if (id_is_zero(tenant) || tx->tenants != NULL)
        bug("a transaction is turned to no tenant, or one of many is turned");
    if (tx->db->tx_err != ERR_OK)
        return tx->db->tx_err;
    if (tx->is_across || !id_eq(tx->tenant, tenant))
        tx->db->has_turned = true;
    tx->tenant = tenant;
    tx->is_across = false;
    return ERR_OK;
}

/*
 * A plan is kept for the connection's life, or until the server has statistics of the table, a minute or more
 * later. One that was made while the table was empty reads the whole of it for every row that is looked for.
 * So plans are made anew after 1, 2, 4, ... seconds, up to five minutes: a table is at most about twice as
 * large as its plans believe.
 */
#define PLANS_MS_MIN 1000
#define PLANS_MS_MAX 300000

void
db_plans_begin(struct db *db)
{
    db->plans_at = clock_mono(clock_system());
    db->plans_ms = PLANS_MS_MIN;
}

static enum err
plans_renew(struct db *db)
{
    struct mono_time now = clock_mono(clock_system());

    if (now.us - db->plans_at.us < db->plans_ms * 1000)
        return ERR_OK;
    db->plans_at = now;
    db->plans_ms = db->plans_ms < PLANS_MS_MAX / 2 ? db->plans_ms * 2 : PLANS_MS_MAX;
    return db_batch_plain(&db->batch, "discard plans", "DISCARD PLANS");
}

/* Begins a round trip, unless one is begun: with what the server has not heard of the transaction yet. */
static enum err
batch_open(struct db_tx *tx)
{
    struct db *db = tx->db;
    enum err err = ERR_OK;

    if (!db->has_batch) {
        err = db_batch_begin(&db->batch, db);
        db->has_batch = err == ERR_OK;
        if (err == ERR_OK && !db->is_begun) {
            err = db_batch_plain(&db->batch, "begin", "BEGIN");
            err = err == ERR_OK ? plans_renew(db) : err;
        }
    }
    if (err == ERR_OK && db->has_turned)
        err = tx->tenants != NULL ? scope_of_many(tx, &db->batch) : scope_of_one(tx, &db->batch);
    if (err == ERR_OK)
        db->has_turned = false;
    return err;
}

/* Ends it; `status` is where the server must be then. Its error is the transaction's. */
static enum err
batch_close(struct db *db, PGTransactionStatusType status, PGresult **result_out)
{
    enum err err = db_batch_end(&db->batch, result_out);

    db->has_batch = false;
    if (err == ERR_OK)
        err = expect_status(db, status);
    if (err == ERR_OK)
        db->is_begun = true;
    else if (db->tx_err == ERR_OK)
        db->tx_err = err;
    return err;
}

static enum err
add(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args, struct db_rows *rows)
{
    struct db *db = tx->db;
    struct db_bound bound;
    struct db_arg first =
        tx->tenants != NULL ? DB_ID_ARRAY(tx->tenants, tx->tenant_count) : DB_ID(tx->tenant);
    enum err err = db->tx_err;

    if (err != ERR_OK)
        return err;
    err = db_bind(tx->is_across ? NULL : &first, args, &bound);
    if (err == ERR_OK && db->has_batch && db->batch.count > DB_BATCH_MAX - COMMANDS_OF_ONE)
        err = batch_close(db, PQTRANS_INTRANS, NULL);
    if (err == ERR_OK)
        err = batch_open(tx);
    if (err == ERR_OK)
        err = db_batch_stmt(&db->batch, stmt, &bound, rows);
    if (err != ERR_OK && db->tx_err == ERR_OK)
        db->tx_err = err;
    db_bound_release(&bound);
    return err;
}

enum err
db_later(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args, struct db_rows **rows_out)
{
    struct db_rows *rows = NULL;
    enum err err = rows_out == NULL ? ERR_OK : db_rows_new(NULL, &rows);

    db_enter(tx->db);
    check_open(tx);
    if (err == ERR_OK)
        err = add(tx, stmt, args, rows);
    else if (tx->db->tx_err == ERR_OK)
        tx->db->tx_err = err;
    db_leave(tx->db);
    if (rows_out != NULL)
        *rows_out = rows;
    return err;
}

static enum err
query_entered(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args, PGresult **result_out)
{
    enum err err;

    db_enter(tx->db);
    check_open(tx);
    err = add(tx, stmt, args, NULL);
    if (err == ERR_OK)
        err = batch_close(tx->db, PQTRANS_INTRANS, result_out);
    if (err == ERR_OK && db_rows_are_too_many(*result_out, stmt->name)) {
        PQclear(*result_out);
        *result_out = NULL;
        err = tx->db->tx_err = ERR_DB_STATEMENT;
    }
    db_leave(tx->db);
    return err;
}

enum err
db_query(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args, struct db_rows **rows_out)
{
    PGresult *result = NULL;
    enum err err = query_entered(tx, stmt, args, &result);

    if (rows_out != NULL)
        *rows_out = NULL;
    if (err == ERR_OK && rows_out != NULL)
        return db_rows_new(result, rows_out); /* takes the result */
    PQclear(result);
    return err;
}

enum err
db_exec(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args, size_t *affected_out)
{
    PGresult *result = NULL;
    enum err err = query_entered(tx, stmt, args, &result);
    uint64_t affected = 0;

    /* The tag says for insert, update, delete and select how many; other commands have no number. */
    if (err == ERR_OK && num_u64_parse(slice_text(PQcmdTuples(result)), &affected) != ERR_OK)
        affected = 0;
    if (affected_out != NULL)
        *affected_out = (size_t)affected;
    PQclear(result);
    return err;
}

enum err
db_exec_one(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args)
{
    size_t affected = 0;
    enum err err = db_exec(tx, stmt, args, &affected);

    return err != ERR_OK ? err : affected == 1 ? ERR_OK : ERR_NOT_FOUND;
}

/* For a transaction that is already broken as well: then only the server's side is left to undo. */
static void
rollback(struct db *db)
{
    enum err ended = db->has_batch ? db_batch_end(&db->batch, NULL) : ERR_OK;

    (void)ended; /* whatever it brought is undone */
    db->has_batch = false;
    if (db->conn == NULL || PQtransactionStatus(db->conn) == PQTRANS_IDLE)
        return;
    if (run_plain(db, "rollback", "ROLLBACK") != ERR_OK || expect_status(db, PQTRANS_IDLE) != ERR_OK)
        db_lose(db);
}

enum err
db_commit(struct db_tx *tx)
{
    struct db *db = tx->db;
    enum err err;

    db_enter(db);
    check_open(tx);
    err = db->tx_err;
    if (err == ERR_OK && (db->is_begun || db->has_batch)) { /* else there is nothing to commit */
        if (!db->has_batch)
            err = db_batch_begin(&db->batch, db);
        if (err == ERR_OK)
            err = db_batch_plain(&db->batch, "commit", "COMMIT");
        if (err == ERR_OK)
            err = batch_close(db, PQTRANS_IDLE, NULL);
    }
    if (err != ERR_OK)
        rollback(db); /* the server would answer a commit with a rollback; so no statement's error is lost */
    tx_close(tx);
    db_leave(db);
    return err;
}

void
db_rollback(struct db_tx *tx)
{
    if (!tx->is_open)
        return;
    db_enter(tx->db);
    check_open(tx);
    rollback(tx->db);
    struct db *db = tx->db;
    tx_close(tx);
    db_leave(db);
}

/* Those who clashed should not meet again at once. */
static void
pause_after_conflict(int try)
{
    uint32_t drawn = 0;

    if (random_fill(&drawn, sizeof(drawn)) != ERR_OK)
        drawn = 0;
    (void)poll(NULL, 0, (int)(drawn % (CONFLICT_PAUSE_MS << (unsigned)try)));
}

static enum err
begin_either(struct db *db, const struct id *tenant, const char *purpose, struct db_tx *tx_out)
{
    return tenant != NULL ? db_begin(db, *tenant, tx_out) : db_begin_across(db, purpose, tx_out);
}

static enum err
run_once(struct db *db, const struct id *tenant, const char *purpose,
         enum err (*work)(struct db_tx *tx, void *ctx), void *ctx, bool *is_untouched_out)
{
    struct db_tx tx;
    enum err err = begin_either(db, tenant, purpose, &tx);

    *is_untouched_out = err == ERR_DB_UNAVAILABLE;
    if (err != ERR_OK)
        return err;
    err = work(&tx, ctx);
    if (err == ERR_OK)
        return db_commit(&tx);
    *is_untouched_out = db->tx_err == ERR_DB_UNAVAILABLE && !db->is_begun;
    if (db->tx_err == ERR_DB_CONFLICT)
        err = ERR_DB_CONFLICT; /* whatever the work made of it */
    db_rollback(&tx);
    return err;
}

static enum err
run(struct db *db, const struct id *tenant, const char *purpose,
    enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    enum err err = ERR_DB_CONFLICT;
    bool is_untouched = false;

    for (int try = 0; try < DB_TRIES && err == ERR_DB_CONFLICT; try++) {
        if (try > 0) {
            metric_add(METRIC_DB_RETRIES, 1);
            pause_after_conflict(try);
        }
        err = run_once(db, tenant, purpose, work, ctx, &is_untouched);
        if (is_untouched &&
            try == 0) { /* nothing was done yet: a server that was started again may be back */
            err = db_reopen(db, 0);
            if (err == ERR_OK)
                err = run_once(db, tenant, purpose, work, ctx, &is_untouched);
        }
    }
    return err;
}

enum err
db_run(struct db *db, struct id tenant, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    return run(db, &tenant, NULL, work, ctx);
}

enum err
db_run_across(struct db *db, const char *purpose, enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    return run(db, NULL, purpose, work, ctx);
}
