#include "program/scheduler/grown_tables.h"

static const struct db_stmt grown_stmt = { "grown_table_analyze", "SELECT analyze_grown_table()" };

struct turn {
    bool found;
};

static enum err
analyze_one(struct db_tx *tx, void *ctx)
{
    struct turn *turn = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &grown_stmt, DB_NO_ARGS, &rows);

    turn->found = err == ERR_OK && !db_is_null(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

enum err
grown_tables_analyze(struct db *db, size_t *analyzed_out)
{
    struct turn turn = { .found = true };
    enum err err = ERR_OK;

    *analyzed_out = 0;
    while (err == ERR_OK && turn.found && *analyzed_out < GROWN_TABLES_MAX) {
        err = db_run_across(db, "retention", analyze_one, &turn);
        *analyzed_out += err == ERR_OK && turn.found;
    }
    return err;
}
