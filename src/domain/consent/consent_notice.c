#include "domain/consent/consent_notice.h"
#include "crypto/hash.h"

static const struct db_stmt consent_notice_add_stmt = {
    "consent_notice_add",
    "INSERT INTO consent_notice (tenant_id, id, name, language, version, text, text_hash, terms, created_at,"
    " created_by_kind, created_by) SELECT $1, $2, $3::text, $4::text, 1 + coalesce((SELECT max(version)"
    " FROM consent_notice WHERE tenant_id = $1 AND name = $3 AND language = $4), 0), $5, $6, $7, $8, $9, $10"
    " RETURNING version"
};
#define NOTICE_COLUMNS "id, name, language, version, text_hash, terms::text, created_at"
static const struct db_stmt consent_notice_get_stmt = {
    "consent_notice_get",
    "SELECT " NOTICE_COLUMNS ", text FROM consent_notice WHERE tenant_id = $1 AND id = $2"
};
static const struct db_stmt consent_notice_list_stmt = {
    "consent_notice_list",
    "SELECT " NOTICE_COLUMNS ", NULL::text FROM consent_notice WHERE tenant_id = $1 AND id < $2"
    " ORDER BY id DESC LIMIT $3"
};
static const struct db_stmt consent_notices_known_stmt = {
    "consent_notices_known",
    "SELECT g.n FROM unnest($2::uuid[]) WITH ORDINALITY AS g (id, n)"
    " WHERE EXISTS (SELECT FROM consent_notice c WHERE c.tenant_id = $1 AND c.id = g.id)"
    " LIMIT 10000"
};

enum err
consent_notice_add(struct db_tx *tx, const struct clock *clock, enum consent_actor actor, struct id actor_id,
                   struct consent_notice *notice)
{
    struct db_rows *rows = NULL;

    notice->created_at = clock_wall(clock);
    enum err err = hash_sha256(notice->text, notice->hash);
    if (err == ERR_OK)
        err = db_query(tx, &consent_notice_add_stmt,
                       DB_ARGS(DB_ID(notice->id), DB_TEXT(notice->name), DB_TEXT(notice->language),
                               DB_TEXT(notice->text), DB_BYTES(slice_of(notice->hash, sizeof(notice->hash))),
                               DB_JSON(notice->terms), DB_TIME(notice->created_at),
                               DB_TEXT_Z(consent_actor_word(actor)), DB_ID(actor_id)),
                       &rows);
    if (err == ERR_EXISTS)
        err = ERR_DB_CONFLICT; /* the same version was made at the same time */
    if (err == ERR_OK)
        notice->version = db_i64(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

static enum err
notice_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct consent_notice *out)
{
    struct slice hash = db_bytes(rows, row, 4);

    *out = (struct consent_notice){ .id = db_id(rows, row, 0),
                                    .name = arena_copy(arena, db_text(rows, row, 1)),
                                    .language = arena_copy(arena, db_text(rows, row, 2)),
                                    .version = db_i64(rows, row, 3),
                                    .terms = arena_copy(arena, db_text(rows, row, 5)),
                                    .created_at = db_time(rows, row, 6),
                                    .text = arena_copy(arena, db_text(rows, row, 7)) };
    if (hash.len != sizeof(out->hash))
        return ERR_DB_STATEMENT;
    memcpy(out->hash, hash.ptr, hash.len);
    return out->name.ptr == NULL || out->language.ptr == NULL || out->terms.ptr == NULL ||
                   out->text.ptr == NULL
               ? ERR_NO_MEMORY
               : ERR_OK;
}

enum err
consent_notice_get(struct db_tx *tx, struct id id, struct arena *arena, struct consent_notice *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &consent_notice_get_stmt, DB_ARGS(DB_ID(id)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : notice_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

enum err
consent_notice_list(struct db_tx *tx, struct id cursor, size_t limit, struct arena *arena,
                    struct consent_notice **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct id newest;
    memset(newest.bytes, 0xff, sizeof(newest.bytes));
    enum err err =
        db_query(tx, &consent_notice_list_stmt,
                 DB_ARGS(DB_ID(id_is_zero(cursor) ? newest : cursor), DB_I64((int64_t)limit + 1)), &rows);

    *count_out = 0;
    if (err == ERR_OK && (*out = arena_array(arena, db_rows_count(rows), sizeof(**out))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        err = notice_from_row(rows, i, arena, &(*out)[i]);
        *count_out += err == ERR_OK;
    }
    db_rows_free(rows);
    return err;
}

enum err
consent_notices_known(struct db_tx *tx, const struct id *ids, size_t count, bool *is_known)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &consent_notices_known_stmt, DB_ARGS(DB_ID_ARRAY(ids, count)), &rows);

    for (size_t i = 0; i < count; i++)
        is_known[i] = id_is_zero(ids[i]);
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        is_known[db_i64(rows, i, 0) - 1] = true;
    db_rows_free(rows);
    return err;
}
