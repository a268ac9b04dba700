#include "domain/webhook/webhook_rest.h"
#include "domain/webhook/webhook_waits_internal.h"

/* A scalar query: of EXISTS the planner would drop the order, and read a large log from its beginning. */
static const struct db_stmt rest_look_stmt = {
    "webhook_rest_look",
    "SELECT c.is_resting, (SELECT e.id FROM event_log e WHERE (e.xid, e.id) > (c.xid, c.id) AND e.xid IS NOT NULL ORDER BY e.xid, e.id LIMIT 1)"
    " IS NOT NULL, pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM consumer_cursor c"
    " WHERE c.consumer = 'webhooks'"
};
static const struct db_stmt rest_begin_stmt = {
    "webhook_rest_begin",
    "UPDATE consumer_cursor SET is_resting = true WHERE consumer = 'webhooks' AND NOT is_resting"
};
/*
 * A number that is given out now, so above that of each who has one already. A snapshot does not tell as
 * much: its upper end is the number after the last that has ended, and one that runs may be above it.
 */
static const struct db_stmt rest_number_stmt = { "webhook_rest_number",
                                                 "SELECT pg_current_xact_id()::text::bigint" };

struct look {
    bool is_resting, has_event;
    int64_t oldest; /* transaction that runs */
};

static enum err
rest_look(struct db *db, struct look *out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "webhook.fanout", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &rest_look_stmt, DB_NO_ARGS, &rows);
    if (err == ERR_OK && db_rows_count(rows) != 1)
        err = ERR_DB_STATEMENT;
    if (err == ERR_OK)
        *out = (struct look){ .is_resting = db_bool(rows, 0, 0),
                              .has_event = db_bool(rows, 0, 1),
                              .oldest = db_i64(rows, 0, 2) };
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static enum err
rest_begin(struct db *db)
{
    struct db_tx tx = { .is_open = false };
    enum err err = db_begin_across(db, "webhook.fanout", &tx);

    if (err == ERR_OK)
        err = db_exec(&tx, &rest_begin_stmt, DB_NO_ARGS, NULL);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

/* Nothing is written: no need to commit. */
static enum err
rest_number(struct db *db, int64_t *out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "webhook.fanout", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &rest_number_stmt, DB_NO_ARGS, &rows);
    if (err == ERR_OK && db_rows_count(rows) != 1)
        err = ERR_DB_STATEMENT;
    if (err == ERR_OK)
        *out = db_i64(rows, 0, 0);
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

enum err
webhook_rest(struct db *db, int64_t *horizon, bool *is_quiet_out)
{
    struct look look = { .has_event = true };
    enum err err = rest_look(db, &look);

    *is_quiet_out = false;
    /* A flag that somebody else has raised, who is gone, is no older than the number that is taken now. */
    if (err == ERR_OK && !look.has_event && (!look.is_resting || *horizon == 0)) {
        if (!look.is_resting)
            err = rest_begin(db);
        if (err == ERR_OK)
            err = rest_number(db, horizon); /* who saw the flag down has one below it */
        if (err == ERR_OK)
            err = rest_look(db, &look);
    }
    /* Another process may have taken it down again: then nobody would tell us. */
    *is_quiet_out = err == ERR_OK && look.is_resting && !look.has_event && look.oldest >= *horizon;
    return err;
}

static const struct db_stmt next_due_stmt = {
    "webhook_next_due",
    "WITH RECURSIVE " WEBHOOK_WAITS " SELECT min(greatest(w.due_at, e.not_before)) FROM waits w"
    " JOIN webhook_endpoint e ON e.tenant_id = w.tenant_id AND e.id = w.endpoint_id WHERE e.state = 'enabled'"
};

enum err
webhook_next_due(struct db *db, struct wall_time *out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "webhook.claim", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &next_due_stmt, DB_NO_ARGS, &rows);
    if (err == ERR_OK && (db_rows_count(rows) == 0 || db_is_null(rows, 0, 0)))
        err = ERR_NOTHING;
    if (err == ERR_OK)
        *out = db_time(rows, 0, 0);
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt wake_stmt = { "webhook_wake", "SELECT pg_notify('" WEBHOOK_CHANNEL
                                                          "', '') WHERE $1::uuid IS NOT NULL" };

enum err
webhook_wake(struct db_tx *tx)
{
    return db_exec(tx, &wake_stmt, DB_NO_ARGS, NULL);
}
