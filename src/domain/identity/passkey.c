#include "domain/identity/passkey.h"

/* Whoever adds or removes one waits for the other: the person's passkeys are counted. */
static const struct db_stmt lock_stmt = {
    "passkey_lock", "SELECT pg_advisory_xact_lock(hashtextextended('passkey' || $1::text || $2::text, 0))"
};
static const struct db_stmt count_stmt = {
    "passkey_count", "SELECT count(*) FROM passkey WHERE tenant_id = $1 AND person_id = $2"
};

static enum err
count_locked(struct db_tx *tx, struct id person, int64_t *out)
{
    struct db_rows *rows = NULL;

    enum err err = db_query(tx, &lock_stmt, DB_ARGS(DB_ID(person)), NULL);
    if (err == ERR_OK)
        err = db_query(tx, &count_stmt, DB_ARGS(DB_ID(person)), &rows);
    if (err == ERR_OK)
        *out = db_i64(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt insert_stmt = {
    "passkey_insert",
    "INSERT INTO passkey (tenant_id, id, person_id, credential_id, public_key, algorithm, sign_count, aaguid, transports,"
    " is_backup_eligible, is_backed_up, name, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
};

enum err
passkey_insert(struct db_tx *tx, const struct passkey *passkey)
{
    int64_t count = 0;

    enum err err = count_locked(tx, passkey->person, &count);
    if (err != ERR_OK)
        return err;
    if (count >= (int64_t)PASSKEYS_MAX)
        return ERR_TOO_MANY;
    return db_exec_one(
        tx, &insert_stmt,
        DB_ARGS(DB_ID(passkey->id), DB_ID(passkey->person), DB_BYTES(passkey->credential_id),
                DB_BYTES(passkey->public_key), DB_I64(passkey->algorithm), DB_I64(passkey->sign_count),
                DB_BYTES(passkey->aaguid), DB_I64(passkey->transports), DB_BOOL(passkey->is_backup_eligible),
                DB_BOOL(passkey->is_backed_up), DB_TEXT(passkey->name), DB_TIME(passkey->created_at)));
}

#define PASSKEY_COLUMNS                                                                                        \
    "id, person_id, credential_id, public_key, algorithm, sign_count, aaguid, transports, is_backup_eligible," \
    " is_backed_up, name, created_at, last_used_at"

static enum err
passkey_read(const struct db_rows *rows, size_t row, struct arena *arena, struct passkey *out)
{
    *out = (struct passkey){ .id = db_id(rows, row, 0),
                             .person = db_id(rows, row, 1),
                             .credential_id = arena_copy(arena, db_bytes(rows, row, 2)),
                             .public_key = arena_copy(arena, db_bytes(rows, row, 3)),
                             .algorithm = (int)db_i64(rows, row, 4),
                             .sign_count = (uint32_t)db_i64(rows, row, 5),
                             .aaguid = arena_copy(arena, db_bytes(rows, row, 6)),
                             .transports = (unsigned)db_i64(rows, row, 7),
                             .is_backup_eligible = db_bool(rows, row, 8),
                             .is_backed_up = db_bool(rows, row, 9),
                             .name = arena_copy(arena, db_text(rows, row, 10)),
                             .created_at = db_time(rows, row, 11),
                             .was_used = !db_is_null(rows, row, 12) };
    if (out->was_used)
        out->last_used_at = db_time(rows, row, 12);
    return out->credential_id.ptr == NULL || out->public_key.ptr == NULL || out->aaguid.ptr == NULL ||
                   out->name.ptr == NULL
               ? ERR_NO_MEMORY
               : ERR_OK;
}

static const struct db_stmt find_stmt = { "passkey_find",
                                          "SELECT " PASSKEY_COLUMNS
                                          " FROM passkey WHERE tenant_id = $1 AND credential_id = $2" };

enum err
passkey_find(struct db_tx *tx, struct slice credential_id, struct arena *arena, struct passkey *out)
{
    struct db_rows *rows = NULL;

    enum err err = db_query(tx, &find_stmt, DB_ARGS(DB_BYTES(credential_id)), &rows);
    if (err == ERR_OK)
        err = db_rows_count(rows) == 1 ? passkey_read(rows, 0, arena, out) : ERR_NOT_FOUND;
    db_rows_free(rows);
    return err;
}

static const struct db_stmt list_stmt = {
    "passkey_list",
    "SELECT " PASSKEY_COLUMNS " FROM passkey WHERE tenant_id = $1 AND person_id = $2 ORDER BY id LIMIT $3"
};

enum err
passkey_list(struct db_tx *tx, struct id person, struct arena *arena, struct passkey **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    size_t count = 0;

    *out = NULL;
    *count_out = 0;
    enum err err = db_query(tx, &list_stmt, DB_ARGS(DB_ID(person), DB_I64(PASSKEYS_MAX)), &rows);
    if (err != ERR_OK)
        return err;
    count = db_rows_count(rows);
    if (count > 0) {
        *out = arena_array(arena, count, sizeof(**out));
        err = *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = passkey_read(rows, i, arena, &(*out)[i]);
    if (err == ERR_OK)
        *count_out = count;
    db_rows_free(rows);
    return err;
}

/* The counter's rule once more, in the row itself: of two answers that were judged at once only one is taken.
 */
static const struct db_stmt used_stmt = {
    "passkey_used", "UPDATE passkey SET sign_count = $3, is_backed_up = $4, last_used_at = $5"
                    " WHERE tenant_id = $1 AND id = $2 AND (sign_count < $3 OR sign_count = 0)"
};

enum err
passkey_used(struct db_tx *tx, struct id passkey, uint32_t sign_count, bool is_backed_up,
             struct wall_time now)
{
    enum err err = db_exec_one(
        tx, &used_stmt, DB_ARGS(DB_ID(passkey), DB_I64(sign_count), DB_BOOL(is_backed_up), DB_TIME(now)));

    return err == ERR_NOT_FOUND ? ERR_PASSKEY_REFUSED : err;
}

static const struct db_stmt rename_stmt = {
    "passkey_rename", "UPDATE passkey SET name = $4 WHERE tenant_id = $1 AND person_id = $2 AND id = $3"
};

enum err
passkey_rename(struct db_tx *tx, struct id person, struct id passkey, struct slice name)
{
    return db_exec_one(tx, &rename_stmt, DB_ARGS(DB_ID(person), DB_ID(passkey), DB_TEXT(name)));
}

static const struct db_stmt delete_stmt = {
    "passkey_delete", "DELETE FROM passkey WHERE tenant_id = $1 AND person_id = $2 AND id = $3"
};

enum err
passkey_delete(struct db_tx *tx, struct id person, struct id passkey)
{
    int64_t count = 0;

    enum err err = count_locked(tx, person, &count);
    if (err == ERR_OK)
        err = db_exec_one(tx, &delete_stmt, DB_ARGS(DB_ID(person), DB_ID(passkey)));
    return err == ERR_OK && count == 1 ? ERR_STATE_CONFLICT : err; /* the caller rolls back */
}
