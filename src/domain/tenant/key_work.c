/* Work on the keys of all tenants: one at a time, and where it stands. */
#include "domain/tenant/key_rotation.h"

#define PURPOSE "admin.key"

static const struct db_stmt lock_stmt = { "key_work_lock",
                                          "SELECT pg_try_advisory_lock(hashtext('harkara.vault'))" };

static enum err
lock_in(struct db_tx *tx, void *ctx)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &lock_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK)
        *(bool *)ctx = db_bool(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

enum err
key_work_lock(struct db *db)
{
    bool is_ours = false;
    enum err err = db_run_across(db, PURPOSE, lock_in, &is_ours);

    return err == ERR_OK && !is_ours ? ERR_BUSY : err;
}

/* Where a work stands. */

static const struct db_stmt work_find_stmt = {
    "key_work_find", "SELECT after_subject, done_count FROM vault_work WHERE kind = $1 AND scope = $2"
};
static const struct db_stmt work_show_stmt = {
    "key_work_show", "SELECT after_subject, done_count, scope FROM vault_work WHERE kind = $1"
};
static const struct db_stmt work_put_stmt = {
    "key_work_put",
    "INSERT INTO vault_work (kind, scope, after_subject, done_count) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (kind) DO UPDATE SET scope = excluded.scope, after_subject = excluded.after_subject,"
    " done_count = excluded.done_count, updated_at = now(),"
    " started_at = CASE WHEN vault_work.scope = excluded.scope THEN vault_work.started_at ELSE now() END"
};
static const struct db_stmt work_end_stmt = { "key_work_end", "DELETE FROM vault_work WHERE kind = $1" };

static enum err
work_put(struct db_tx *tx, void *ctx)
{
    const struct key_work *work = ctx;

    return db_exec_one(
        tx, &work_put_stmt,
        DB_ARGS(DB_TEXT_Z(work->kind), DB_TEXT(work->scope), DB_ID(work->after), DB_I64(work->done_count)));
}

struct work_show {
    struct key_work *work;
    struct arena *arena;
};

static enum err
work_show(struct db_tx *tx, void *ctx)
{
    const struct work_show *show = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &work_show_stmt, DB_ARGS(DB_TEXT_Z(show->work->kind)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK) {
        show->work->after = db_id(rows, 0, 0);
        show->work->done_count = db_i64(rows, 0, 1);
        show->work->scope = arena_copy(show->arena, db_text(rows, 0, 2));
        err = show->work->scope.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    db_rows_free(rows);
    return err;
}

enum err
key_work_find(struct db *db, struct key_work *work, struct arena *arena)
{
    struct work_show show = { work, arena };

    return db_run_across(db, PURPOSE, work_show, &show);
}

struct work_begin {
    struct key_work *work;
    bool is_resumed;
};

static enum err
work_begin(struct db_tx *tx, void *ctx)
{
    struct work_begin *begin = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &work_find_stmt,
                            DB_ARGS(DB_TEXT_Z(begin->work->kind), DB_TEXT(begin->work->scope)), &rows);

    begin->is_resumed = err == ERR_OK && db_rows_count(rows) == 1;
    if (begin->is_resumed) {
        begin->work->after = db_id(rows, 0, 0);
        begin->work->done_count = db_i64(rows, 0, 1);
    } else if (err == ERR_OK) {
        begin->work->after = (struct id){ { 0 } };
        begin->work->done_count = 0;
        err = work_put(tx, begin->work);
    }
    db_rows_free(rows);
    return err;
}

enum err
key_work_begin(struct db *db, struct key_work *work, bool *is_resumed_out)
{
    struct work_begin begin = { .work = work };
    enum err err = db_run_across(db, PURPOSE, work_begin, &begin);

    *is_resumed_out = begin.is_resumed;
    return err;
}

enum err
key_work_save(struct db *db, const struct key_work *work)
{
    struct key_work copy = *work;

    return db_run_across(db, PURPOSE, work_put, &copy);
}

static enum err
work_end(struct db_tx *tx, void *ctx)
{
    const struct key_work *work = ctx;

    return db_exec_one(tx, &work_end_stmt, DB_ARGS(DB_TEXT_Z(work->kind)));
}

enum err
key_work_end(struct db *db, const struct key_work *work)
{
    struct key_work copy = *work;

    return db_run_across(db, PURPOSE, work_end, &copy);
}
