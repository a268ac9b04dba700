#include "domain/tenant/master_secret.h"

#define PURPOSE "admin.key"
/* hsm_secret and kek are no tenant's tables: the purpose opens nothing, it only says who asks. */
#define IS_NEEDED                                                                                            \
    "EXISTS (SELECT FROM kek WHERE kek.retired_at IS NULL AND coalesce(kek.made_of, 1) = s.version)"

const char *
master_secret_state_name(enum master_secret_state state)
{
    switch (state) {
    case MASTER_SECRET_ASKED:
        return "not stored";
    case MASTER_SECRET_STORED:
        return "stored";
    case MASTER_SECRET_REMOVED:
        break;
    }
    return "removed";
}

static const struct db_stmt list_stmt = {
    "master_secrets",
    "SELECT * FROM (SELECT version, cipher, iv, tag, created_at, removed_at, token_label, key_label,"
    " " IS_NEEDED ", (SELECT count(*) FROM hsm_secret w WHERE w.token_label = s.token_label"
    " AND w.key_label = s.key_label) FROM hsm_secret s"
    " ORDER BY cipher IS NULL, version DESC LIMIT 16) kept ORDER BY version"
};
_Static_assert(MASTER_SECRETS_MAX == 16, "the statement's limit");

struct list {
    struct master_secret *out;
    size_t count;
};

static enum err
octets_read(const struct db_rows *rows, size_t row, int column, unsigned char *to, size_t len)
{
    struct slice bytes = db_bytes(rows, row, column);

    if (bytes.len != len)
        return ERR_SEAL_CORRUPT;
    memcpy(to, bytes.ptr, len);
    return ERR_OK;
}

static void
label_read(const struct db_rows *rows, size_t row, int column, char out[MASTER_SECRET_LABEL_BYTES_MAX + 1])
{
    struct slice text = db_is_null(rows, row, column) ? SLICE_EMPTY : db_text(rows, row, column);

    text = slice_first(text, MASTER_SECRET_LABEL_BYTES_MAX);
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

static enum err
secret_read(const struct db_rows *rows, size_t row, struct master_secret *out)
{
    *out = (struct master_secret){ .version = (uint32_t)db_i64(rows, row, 0),
                                   .created_at = db_time(rows, row, 4),
                                   .is_needed = db_bool(rows, row, 8),
                                   .key_wraps = db_i64(rows, row, 9) };
    label_read(rows, row, 6, out->token);
    label_read(rows, row, 7, out->key);
    if (!db_is_null(rows, row, 5)) {
        out->state = MASTER_SECRET_REMOVED;
        out->removed_at = db_time(rows, row, 5);
    }
    if (db_is_null(rows, row, 1))
        return ERR_OK;
    out->state = MASTER_SECRET_STORED;
    enum err err = octets_read(rows, row, 1, out->cipher, sizeof(out->cipher));
    if (err == ERR_OK)
        err = octets_read(rows, row, 2, out->iv, sizeof(out->iv));
    return err == ERR_OK ? octets_read(rows, row, 3, out->tag, sizeof(out->tag)) : err;
}

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct list *to = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &list_stmt, DB_NO_ARGS, &rows);

    to->count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < to->count; i++)
        err = secret_read(rows, i, &to->out[i]);
    db_rows_free(rows);
    return err;
}

enum err
master_secrets(struct db *db, struct master_secret out[MASTER_SECRETS_MAX], size_t *count_out)
{
    struct list list = { .out = out };
    enum err err = db_run_across(db, PURPOSE, list_in, &list);

    *count_out = err == ERR_OK ? list.count : 0;
    return err;
}

const struct master_secret *
master_secret_newest(const struct master_secret *secrets, size_t count)
{
    while (count > 0 && secrets[count - 1].state != MASTER_SECRET_STORED)
        count--;
    return count == 0 ? NULL : &secrets[count - 1];
}

struct labels {
    struct slice token, key;
    uint32_t version;
};

static const struct db_stmt adopt_stmt = {
    "master_secret_adopt", "UPDATE hsm_secret SET token_label = $1, key_label = $2 WHERE token_label IS NULL"
};

static enum err
adopt_in(struct db_tx *tx, void *ctx)
{
    const struct labels *labels = ctx;
    size_t changed = 0;

    return db_exec(tx, &adopt_stmt, DB_ARGS(DB_TEXT(labels->token), DB_TEXT(labels->key)), &changed);
}

enum err
master_secret_adopt(struct db *db, struct slice token, struct slice key)
{
    struct labels labels = { .token = token, .key = key };

    return db_run_across(db, PURPOSE, adopt_in, &labels);
}

/* A version is never used again: what was wrapped as it may lie in a backup. */
static const struct db_stmt ask_stmt = { "master_secret_ask",
                                         "INSERT INTO hsm_secret (version, token_label, key_label)"
                                         " SELECT coalesce(max(version), 0) + 1, $1, $2 FROM hsm_secret"
                                         " RETURNING version" };

static enum err
ask_in(struct db_tx *tx, void *ctx)
{
    struct labels *labels = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &ask_stmt, DB_ARGS(DB_TEXT(labels->token), DB_TEXT(labels->key)), &rows);

    if (err == ERR_OK)
        labels->version = (uint32_t)db_i64(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

enum err
master_secret_ask(struct db *db, struct slice token, struct slice key, uint32_t *version_out)
{
    struct labels labels = { .token = token, .key = key };
    enum err err = db_run_across(db, PURPOSE, ask_in, &labels);

    *version_out = labels.version;
    return err;
}

static const struct db_stmt store_stmt = {
    "master_secret_store", "UPDATE hsm_secret SET cipher = $2, iv = $3, tag = $4 WHERE version = $1"
                           " AND cipher IS NULL AND removed_at IS NULL"
};

struct store {
    const struct key_operator *operator;
    const struct master_secret *secret;
};

static enum err
store_in(struct db_tx *tx, void *ctx)
{
    const struct store *store = ctx;
    const struct master_secret *secret = store->secret;
    size_t changed = 0;
    enum err err =
        db_exec(tx, &store_stmt,
                DB_ARGS(DB_I64(secret->version), DB_BYTES(slice_of(secret->cipher, sizeof(secret->cipher))),
                        DB_BYTES(slice_of(secret->iv, sizeof(secret->iv))),
                        DB_BYTES(slice_of(secret->tag, sizeof(secret->tag)))),
                &changed);

    if (err == ERR_OK && changed != 1)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = key_action_note(tx, store->operator, "secret_made", secret->version);
    return err == ERR_OK ? key_action_tell(tx, store->operator, "secret_made", secret->version) : err;
}

enum err
master_secret_store(struct db *db, const struct key_operator *operator, const struct master_secret * secret)
{
    struct store store = { operator, secret };

    return db_run_across(db, PURPOSE, store_in, &store);
}

/* The lock first, then another look: who stores a key-encryption key made of it holds its row
 * (refuse_removed_secret). */
static const struct db_stmt remove_lock_stmt = {
    "master_secret_remove_lock", "SELECT version FROM hsm_secret WHERE cipher IS NOT NULL FOR UPDATE"
};
static const struct db_stmt remove_stmt = {
    "master_secret_remove",
    "UPDATE hsm_secret s SET cipher = NULL, iv = NULL, tag = NULL, removed_at = now()"
    " WHERE cipher IS NOT NULL AND NOT " IS_NEEDED
    " AND ($1 OR version < (SELECT max(version) FROM hsm_secret WHERE cipher IS NOT NULL))"
    " RETURNING version"
};

struct remove {
    const struct key_operator *operator;
    bool is_left;
    size_t count;
};

static enum err
remove_in(struct db_tx *tx, void *ctx)
{
    struct remove *remove = ctx;
    struct db_rows *locked = NULL, *rows = NULL;
    enum err err = db_query(tx, &remove_lock_stmt, DB_NO_ARGS, &locked);

    if (err == ERR_OK)
        err = db_query(tx, &remove_stmt, DB_ARGS(DB_BOOL(remove->is_left)), &rows);
    remove->count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < remove->count; i++)
        err = key_action_note(tx, remove->operator, "secret_removed", (uint32_t)db_i64(rows, i, 0));
    for (size_t i = 0; err == ERR_OK && i < remove->count; i++)
        err = key_action_tell(tx, remove->operator, "secret_removed", (uint32_t)db_i64(rows, i, 0));
    db_rows_free(rows);
    db_rows_free(locked);
    return err;
}

enum err
master_secret_remove(struct db *db, const struct key_operator *operator, bool is_left, size_t *count_out)
{
    struct remove remove = { .operator= operator, .is_left = is_left };
    enum err err = db_run_across(db, PURPOSE, remove_in, &remove);

    *count_out = err == ERR_OK ? remove.count : 0;
    return err;
}
