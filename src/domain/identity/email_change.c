#include "domain/identity/email_change.h"
#include "crypto/hash.h"
#include "domain/identity/enrolment.h"
#include "domain/tenant/sealed_column.h"
#include "domain/tenant/tenant.h"

static struct vault_place
email_place(struct id change)
{
    return (struct vault_place){
        .tenant = tenant_platform, .table = "email_change", .column = "email", .row = change
    };
}

enum err
email_change_seal(const struct vault *vault, struct slice email, struct arena *arena,
                  struct email_change *change)
{
    struct vault_place place = email_place(change->id);

    return vault_seal(vault, VAULT_CONTENT, &place, email, arena, &change->email);
}

enum err
email_change_open(const struct vault *vault, const struct email_change *change, struct arena *arena,
                  struct slice *out)
{
    struct vault_place place = email_place(change->id);

    return vault_open_content(vault, &place, &change->email, arena, out);
}

static const struct db_stmt email_change_clear_stmt = {
    "email_change_clear", "DELETE FROM email_change WHERE tenant_id = $1 AND person_id = $2"
};
static const struct db_stmt email_change_insert_stmt = {
    "email_change_insert",
    "INSERT INTO email_change (tenant_id, id, person_id, key_version, email_ct, email_iv, email_tag, token_hash,"
    " is_mailed, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
};

enum err
email_change_put(struct db_tx *tx, const struct clock *clock, struct email_change *change)
{
    change->created_at = clock_wall(clock);
    change->expires_at = wall_after_ms(change->created_at, EMAIL_CHANGE_MS);
    enum err err = db_exec(tx, &email_change_clear_stmt, DB_ARGS(DB_ID(change->person)), NULL);
    if (err == ERR_OK)
        err = db_exec_one(tx, &email_change_insert_stmt,
                          DB_ARGS(DB_ID(change->id), DB_ID(change->person), DB_I64(change->email.key_version),
                                  SEALED_ARGS(&change->email),
                                  DB_BYTES(slice_of(change->token_hash, sizeof(change->token_hash))),
                                  DB_BOOL(change->is_mailed), DB_TIME(change->created_at),
                                  DB_TIME(change->expires_at)));
    return err == ERR_EXISTS ? ERR_DB_CONFLICT : err; /* of the same person, at the same moment */
}

#define EMAIL_CHANGE_COLUMNS                                                                                 \
    "SELECT id, person_id, is_mailed, created_at, expires_at, key_version, email_ct, email_iv, email_tag"    \
    " FROM email_change"

static const struct db_stmt email_change_get_stmt = {
    "email_change_get", EMAIL_CHANGE_COLUMNS " WHERE tenant_id = $1 AND person_id = $2 AND expires_at > $3"
};
static const struct db_stmt email_change_find_stmt = {
    "email_change_find",
    EMAIL_CHANGE_COLUMNS " WHERE tenant_id = $1 AND person_id = $2 AND expires_at > $3 AND token_hash = $4"
};

/* The row that was asked for: `missing` when there is none. Takes the rows. */
static enum err
change_read(struct db_rows *rows, enum err err, enum err missing, struct arena *arena,
            struct email_change *out)
{
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = missing;
    if (err == ERR_OK) {
        *out = (struct email_change){ .id = db_id(rows, 0, 0),
                                      .person = db_id(rows, 0, 1),
                                      .is_mailed = db_bool(rows, 0, 2),
                                      .created_at = db_time(rows, 0, 3),
                                      .expires_at = db_time(rows, 0, 4) };
        err = sealed_column_read(rows, 0, 6, (uint32_t)db_i64(rows, 0, 5), arena, &out->email);
    }
    db_rows_free(rows);
    return err;
}

enum err
email_change_get(struct db_tx *tx, const struct clock *clock, struct id person, struct arena *arena,
                 struct email_change *out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &email_change_get_stmt, DB_ARGS(DB_ID(person), DB_TIME(clock_wall(clock))), &rows);

    return change_read(rows, err, ERR_NOT_FOUND, arena, out);
}

enum err
email_change_find(struct db_tx *tx, const struct clock *clock, struct id person, struct slice token,
                  struct arena *arena, struct email_change *out)
{
    unsigned char hash[HASH_BYTES];
    struct db_rows *rows = NULL;
    enum err err = enrolment_token_hash(token, hash);

    if (err == ERR_OK)
        err = db_query(
            tx, &email_change_find_stmt,
            DB_ARGS(DB_ID(person), DB_TIME(clock_wall(clock)), DB_BYTES(slice_of(hash, sizeof(hash)))),
            &rows);
    return change_read(rows, err, ERR_LINK_INVALID, arena, out);
}

static const struct db_stmt email_change_use_stmt = {
    "email_change_use", "DELETE FROM email_change WHERE tenant_id = $1 AND id = $2 AND expires_at > $3"
};

enum err
email_change_use(struct db_tx *tx, const struct clock *clock, struct id change)
{
    enum err err =
        db_exec_one(tx, &email_change_use_stmt, DB_ARGS(DB_ID(change), DB_TIME(clock_wall(clock))));

    return err == ERR_NOT_FOUND ? ERR_LINK_INVALID : err;
}

static const struct db_stmt email_change_drop_stmt = {
    "email_change_drop",
    "DELETE FROM email_change WHERE tenant_id = $1 AND person_id = $2 AND expires_at > $3"
};

enum err
email_change_drop(struct db_tx *tx, const struct clock *clock, struct id person)
{
    return db_exec_one(tx, &email_change_drop_stmt, DB_ARGS(DB_ID(person), DB_TIME(clock_wall(clock))));
}
