#include "domain/media/media_provider.h"

static const struct db_stmt find_stmt = {
    "media_provider_find", "SELECT state, provider_id, error_code FROM media_provider WHERE tenant_id = $1"
                           " AND media_id = $2 AND channel_id = $3 AND expires_at > $4 FOR UPDATE"
};

enum err
media_provider_find(struct db_tx *tx, struct id media, struct id channel, struct wall_time now,
                    struct arena *arena, struct media_provider *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &find_stmt, DB_ARGS(DB_ID(media), DB_ID(channel), DB_TIME(now)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK) {
        struct slice state = db_text(rows, 0, 0);
        *out = (struct media_provider){ .state = slice_eq(state, SLICE("ready"))    ? MEDIA_PROVIDER_READY
                                                 : slice_eq(state, SLICE("failed")) ? MEDIA_PROVIDER_FAILED
                                                                                    : MEDIA_PROVIDER_PUSHING,
                                        .provider_id = arena_copy(arena, db_text(rows, 0, 1)),
                                        .error_code = arena_copy(arena, db_text(rows, 0, 2)) };
        if (out->provider_id.ptr == NULL || out->error_code.ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    db_rows_free(rows);
    return err;
}

/* Of media that is gone nothing is written: the row that it would hang on is looked for. */
static const struct db_stmt put_stmt = {
    "media_provider_put",
    "INSERT INTO media_provider (tenant_id, media_id, channel_id, state, provider_id, expires_at, error_code, error_title)"
    " SELECT $1, $2, $3, $4, $5, $6, $7, $8 FROM media WHERE tenant_id = $1 AND id = $2"
    " ON CONFLICT (tenant_id, media_id, channel_id) DO UPDATE SET state = excluded.state,"
    " provider_id = excluded.provider_id, expires_at = excluded.expires_at, error_code = excluded.error_code,"
    " error_title = excluded.error_title"
};

static enum err
put(struct db_tx *tx, struct id media, struct id channel, const char *state, struct slice provider_id,
    struct wall_time expires_at, struct slice code, struct slice title)
{
    return db_exec(tx, &put_stmt,
                   DB_ARGS(DB_ID(media), DB_ID(channel), DB_TEXT_Z(state), DB_TEXT(provider_id),
                           DB_TIME(expires_at), DB_TEXT(code), DB_TEXT(title)),
                   NULL);
}

enum err
media_provider_begin(struct db_tx *tx, struct id media, struct id channel, struct wall_time now)
{
    return put(tx, media, channel, "pushing", SLICE_EMPTY, wall_after_ms(now, MEDIA_PROVIDER_PUSH_S * 1000),
               SLICE_EMPTY, SLICE_EMPTY);
}

enum err
media_provider_ready(struct db_tx *tx, struct id media, struct id channel, struct slice provider_id,
                     struct wall_time now)
{
    return put(tx, media, channel, "ready", provider_id,
               wall_after_ms(now, INT64_C(86400000) * MEDIA_PROVIDER_DAYS), SLICE_EMPTY, SLICE_EMPTY);
}

enum err
media_provider_failed(struct db_tx *tx, struct id media, struct id channel, struct slice code,
                      struct slice title, struct wall_time now)
{
    return put(tx, media, channel, "failed", SLICE_EMPTY, wall_after_ms(now, MEDIA_PROVIDER_FAILED_S * 1000),
               code, title);
}

static const struct db_stmt forget_stmt = {
    "media_provider_forget",
    "DELETE FROM media_provider WHERE tenant_id = $1 AND media_id = $2 AND channel_id = $3 AND state = 'ready'"
};

enum err
media_provider_forget(struct db_tx *tx, struct id media, struct id channel)
{
    return db_exec(tx, &forget_stmt, DB_ARGS(DB_ID(media), DB_ID(channel)), NULL);
}

static const struct db_stmt wait_add_stmt = {
    "media_wait_add",
    "INSERT INTO media_wait (tenant_id, media_id, channel_id, message_id) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT DO NOTHING"
};

enum err
media_wait_add(struct db_tx *tx, struct id media, struct id channel, struct id message)
{
    return db_exec(tx, &wait_add_stmt, DB_ARGS(DB_ID(media), DB_ID(channel), DB_ID(message)), NULL);
}

static const struct db_stmt wait_take_stmt = {
    "media_wait_take",
    "DELETE FROM media_wait WHERE tenant_id = $1 AND media_id = $2 AND channel_id = $3 AND message_id IN"
    " (SELECT message_id FROM media_wait WHERE tenant_id = $1 AND media_id = $2 AND channel_id = $3 LIMIT $4)"
    " RETURNING message_id"
};

enum err
media_wait_take(struct db_tx *tx, struct id media, struct id channel, struct arena *arena, struct id **out,
                size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &wait_take_stmt,
                            DB_ARGS(DB_ID(media), DB_ID(channel), DB_I64(MEDIA_PROVIDER_WAITS_MAX)), &rows);

    *count_out = 0;
    if (err == ERR_OK) {
        *out = arena_array(arena, db_rows_count(rows), sizeof(**out));
        err = *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        (*out)[(*count_out)++] = db_id(rows, i, 0);
    db_rows_free(rows);
    return err;
}
