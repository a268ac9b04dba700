/* Transactions: opened for one tenant or one purpose, and never left open. */
#include "core/log.h"
#include "core/metric.h"
#include "core/num.h"
#include "crypto/random.h"
#include "platform/db/db_internal.h"
#include <poll.h>

#define CONFLICT_PAUSE_MS 8 /* doubled with each try */

/* Local to the transaction, so nothing has to be undone. Both are set: turning to a tenant ends the purpose.
 */
static const struct db_stmt scope_set_stmt = {
    "scope_set", "select set_config('harkara.tenant', $1, true), set_config('harkara.across', $2, true)"
};

struct scope {
    char uuid[ID_UUID_BYTES]; /* what `bound` points into */
    struct db_bound bound;
};

static enum err
scope_bind(const struct db_tx *tx, const char *purpose, struct scope *out)
{
    struct slice tenant = tx->is_across ? SLICE("") : id_uuid_print(tx->tenant, out->uuid);

    return db_bind(NULL, DB_ARGS(DB_TEXT(tenant), DB_TEXT_Z(purpose)), &out->bound);
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
    tx->is_open = false;
    tx->db->tx = NULL;
    tx->db->tx_err = ERR_OK;
    tx->db->has_turned = false;
}

static enum err
begin_scope(struct db *db, const struct db_tx *tx, const char *purpose)
{
    struct scope scope;
    struct db_batch batch;
    enum err err = scope_bind(tx, purpose, &scope);

    if (err == ERR_OK && db->must_forget) {
        err = run_plain(db, "deallocate all", "DEALLOCATE ALL");
        db_prepared_clear(db);
    }
    if (err == ERR_OK)
        err = db_batch_begin(&batch, db);
    if (err == ERR_OK)
        err = db_batch_plain(&batch, "begin", "BEGIN");
    if (err == ERR_OK)
        err = db_batch_stmt(&batch, &scope_set_stmt, &scope.bound);
    if (err == ERR_OK)
        err = db_batch_end(&batch, NULL);
    db_bound_release(&scope.bound);
    return err;
}

static enum err
begin(struct db *db, struct db_tx tx, const char *purpose, struct db_tx *tx_out)
{
    enum err err;

    *tx_out = tx;
    db_enter(db);
    if (db->tx != NULL)
        bug("a transaction is begun within another");
    err = begin_scope(db, &tx, purpose);
    if (err == ERR_OK)
        err = expect_status(db, PQTRANS_INTRANS);
    else if (db->conn != NULL)
        db_lose(db); /* begun or not, nobody has to know */
    if (err == ERR_OK) {
        tx_out->is_open = true;
        db->tx = tx_out;
    }
    db_leave(db);
    return err;
}

enum err
db_begin(struct db *db, struct id tenant, struct db_tx *tx_out)
{
    if (id_is_zero(tenant))
        bug("a transaction without a tenant");
    return begin(db, (struct db_tx){ .db = db, .tenant = tenant }, "", tx_out);
}

enum err
db_begin_across(struct db *db, const char *purpose, struct db_tx *tx_out)
{
    if (*purpose == '\0')
        bug("a transaction across tenants without a purpose");
    return begin(db, (struct db_tx){ .db = db, .is_across = true }, purpose, tx_out);
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
    if (id_is_zero(tenant))
        bug("a transaction is turned to no tenant");
    if (tx->db->tx_err != ERR_OK)
        return tx->db->tx_err;
    if (tx->is_across || !id_eq(tx->tenant, tenant))
        tx->db->has_turned = true;
    tx->tenant = tenant;
    tx->is_across = false;
    return ERR_OK;
}

/* One round trip, with the change of tenant that may be due. */
static enum err
query(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args, PGresult **result_out)
{
    struct db *db = tx->db;
    struct scope scope = { .bound.bytes = NULL };
    struct db_bound bound;
    struct db_batch batch;
    enum err err = db->tx_err;

    if (err != ERR_OK)
        return err;
    err = db_bind(tx->is_across ? NULL : &tx->tenant, args, &bound);
    if (err == ERR_OK && db->has_turned)
        err = scope_bind(tx, "", &scope);
    if (err == ERR_OK)
        err = db_batch_begin(&batch, db);
    if (err == ERR_OK && db->has_turned)
        err = db_batch_stmt(&batch, &scope_set_stmt, &scope.bound);
    if (err == ERR_OK)
        err = db_batch_stmt(&batch, stmt, &bound);
    if (err == ERR_OK)
        err = db_batch_end(&batch, result_out);
    if (err == ERR_OK)
        db->has_turned = false;
    else
        db->tx_err = err;
    db_bound_release(&scope.bound);
    db_bound_release(&bound);
    return err;
}

static enum err
query_entered(struct db_tx *tx, const struct db_stmt *stmt, struct db_args args, PGresult **result_out)
{
    enum err err;

    db_enter(tx->db);
    check_open(tx);
    err = query(tx, stmt, args, result_out);
    if (err == ERR_OK && PQntuples(*result_out) > (int)DB_ROWS_MAX) {
        log_event(LOG_ERROR, "db.too_many_rows", LOG_WORD("statement", stmt->name));
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
    if (db->conn == NULL)
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
    if (err == ERR_OK) {
        err = run_plain(db, "commit", "COMMIT");
        if (err == ERR_OK)
            err = expect_status(db, PQTRANS_IDLE);
        else if (db->conn != NULL && PQtransactionStatus(db->conn) != PQTRANS_IDLE)
            rollback(db);
    } else {
        rollback(db); /* the server would answer a commit with a rollback; so no statement's error is lost */
    }
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
run_once(struct db *db, const struct id *tenant, const char *purpose,
         enum err (*work)(struct db_tx *tx, void *ctx), void *ctx)
{
    struct db_tx tx;
    enum err err = tenant != NULL ? db_begin(db, *tenant, &tx) : db_begin_across(db, purpose, &tx);

    if (err == ERR_DB_UNAVAILABLE) { /* nothing was done yet: a server that was started again may be back */
        err = db_reopen(db, 0);
        if (err == ERR_OK)
            err = tenant != NULL ? db_begin(db, *tenant, &tx) : db_begin_across(db, purpose, &tx);
    }
    if (err != ERR_OK)
        return err;
    err = work(&tx, ctx);
    if (err == ERR_OK)
        return db_commit(&tx);
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

    for (int try = 0; try < DB_TRIES && err == ERR_DB_CONFLICT; try++) {
        if (try > 0) {
            metric_add(METRIC_DB_RETRIES, 1);
            pause_after_conflict(try);
        }
        err = run_once(db, tenant, purpose, work, ctx);
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
