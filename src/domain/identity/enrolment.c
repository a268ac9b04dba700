#include "domain/identity/enrolment.h"
#include "core/buf.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define TOKEN_BYTES 32u

enum err
enrolment_token_hash(struct slice token, unsigned char out[static 32])
{
    unsigned char bytes[ENROLMENT_TEXT_BYTES / 4 * 3 + 3];
    size_t len = 0;

    if (token.len != ENROLMENT_TEXT_BYTES || decode_base64url(token, bytes, &len) != ERR_OK ||
        len != TOKEN_BYTES)
        return ERR_LINK_INVALID;
    enum err err = hash_sha256(slice_of(bytes, TOKEN_BYTES), out);
    secret_wipe(bytes, sizeof(bytes));
    return err;
}

enum err
enrolment_token_draw(struct secret **token_out, unsigned char hash[static 32])
{
    unsigned char token[TOKEN_BYTES];
    struct buf text;
    enum err err = random_fill(token, sizeof(token));

    *token_out = NULL;
    buf_init(&text, ENROLMENT_TEXT_BYTES);
    if (err == ERR_OK)
        err = hash_sha256(slice_of(token, sizeof(token)), hash);
    if (err == ERR_OK) {
        encode_base64url(&text, slice_of(token, sizeof(token)));
        err = buf_done(&text);
    }
    if (err == ERR_OK) {
        *token_out = secret_copy(buf_slice(&text));
        err = *token_out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release_wiped(&text);
    secret_wipe(token, sizeof(token));
    return err;
}

static const struct db_stmt enrolment_insert_stmt = {
    "enrolment_insert",
    "INSERT INTO enrolment (tenant_id, id, token_hash, workspace_id, created_at, expires_at)"
    " VALUES ($1, $2, $3, $4, $5, $6)"
};

enum err
enrolment_create(struct db_tx *tx, const struct clock *clock, struct id workspace, int hours,
                 struct enrolment *out, struct secret **token_out)
{
    unsigned char hash[HASH_BYTES];
    struct wall_time now = clock_wall(clock);
    enum err err = enrolment_token_draw(token_out, hash);

    *out = (struct enrolment){ .id = id_new(clock),
                               .workspace = workspace,
                               .expires_at = { now.us + hours * INT64_C(3600000000) } };
    if (err == ERR_OK)
        err = db_exec_one(tx, &enrolment_insert_stmt,
                          DB_ARGS(DB_ID(out->id), DB_BYTES(slice_of(hash, sizeof(hash))), DB_ID(workspace),
                                  DB_TIME(now), DB_TIME(out->expires_at)));
    if (err != ERR_OK) {
        secret_free(*token_out);
        *token_out = NULL;
    }
    return err;
}

static const struct db_stmt enrolment_find_stmt = {
    "enrolment_find",
    "SELECT id, workspace_id, expires_at FROM enrolment WHERE tenant_id = $1 AND token_hash = $2"
    " AND used_at IS NULL AND expires_at > $3"
};

enum err
enrolment_find(struct db_tx *tx, const struct clock *clock, struct slice token, struct enrolment *out)
{
    unsigned char hash[HASH_BYTES];
    enum err err = enrolment_token_hash(token, hash);

    return err == ERR_OK ? enrolment_find_hashed(tx, clock, hash, out) : err;
}

enum err
enrolment_find_hashed(struct db_tx *tx, const struct clock *clock, const unsigned char hash[static 32],
                      struct enrolment *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &enrolment_find_stmt,
                            DB_ARGS(DB_BYTES(slice_of(hash, HASH_BYTES)), DB_TIME(clock_wall(clock))), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_LINK_INVALID;
    if (err == ERR_OK)
        *out = (struct enrolment){ .id = db_id(rows, 0, 0),
                                   .workspace = db_id(rows, 0, 1),
                                   .expires_at = db_time(rows, 0, 2) };
    db_rows_free(rows);
    return err;
}

static const struct db_stmt enrolment_use_stmt = {
    "enrolment_use", "UPDATE enrolment SET used_at = $3, used_by = $4 WHERE tenant_id = $1 AND id = $2"
                     " AND used_at IS NULL AND expires_at > $3"
};

enum err
enrolment_use(struct db_tx *tx, const struct clock *clock, struct id enrolment, struct id person)
{
    enum err err = db_exec_one(tx, &enrolment_use_stmt,
                               DB_ARGS(DB_ID(enrolment), DB_TIME(clock_wall(clock)), DB_ID(person)));

    return err == ERR_NOT_FOUND ? ERR_LINK_INVALID : err;
}
