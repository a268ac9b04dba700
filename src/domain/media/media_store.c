/* The SQL of media, but for their chunks. */
#include "domain/media/media.h"
#include "domain/tenant/sealed_column.h"

static const char *const state_words[MEDIA_STATES] = {
    [MEDIA_STORING] = "storing",
    [MEDIA_READY] = "ready",
    [MEDIA_FETCHING] = "fetching",
    [MEDIA_FAILED] = "failed",
};

const char *
media_state_word(enum media_state state)
{
    return state_words[state];
}

struct vault_place
media_file_name_place(struct id tenant, struct id media)
{
    return (struct vault_place){ .tenant = tenant, .table = "media", .column = "file_name", .row = media };
}

/* The number is told by db_query's own $2. One tenant's uploads wait for each other here, and nowhere else.
 */
static const struct db_stmt media_lock_stmt = {
    "media_lock", "SELECT pg_advisory_xact_lock(hashtext('harkara.media'), hashtext($1::text))"
};
static const struct db_stmt media_sum_stmt = {
    "media_sum", "SELECT coalesce(sum(bytes), 0)::bigint FROM media WHERE tenant_id = $1 AND id <> $2"
                 " AND state IN ('storing', 'ready', 'fetching')"
};

/* With the tenant's lock held to the end of the transaction, the sum cannot be passed by two at once. */
static enum err
room_check(struct db_tx *tx, struct id media, uint64_t bytes, uint64_t storage_max)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &media_lock_stmt, DB_NO_ARGS, NULL);

    if (err == ERR_OK)
        err = db_query(tx, &media_sum_stmt, DB_ARGS(DB_ID(media)), &rows);
    if (err == ERR_OK) {
        uint64_t used = (uint64_t)db_i64(rows, 0, 0);
        err = used > storage_max || bytes > storage_max - used ? ERR_MEDIA_STORAGE : ERR_OK;
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt media_insert_stmt = {
    "media_insert",
    "INSERT INTO media (tenant_id, id, direction, state, mime_type, bytes, sha256, key_version, file_name_ct,"
    " file_name_iv, file_name_tag, channel_id, message_id, provider_id, expires_at, updated_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
};

#define DAY_MS (INT64_C(24) * 3600 * 1000)

enum err
media_begin(struct db_tx *tx, const struct clock *clock, const struct media_new *with)
{
    bool is_in = with->direction == MEDIA_IN;
    struct wall_time now = clock_wall(clock);
    struct slice none = SLICE_EMPTY;
    struct slice iv = with->has_file_name ? slice_of(with->file_name.iv, VAULT_IV_BYTES) : none;
    struct slice tag = with->has_file_name ? slice_of(with->file_name.tag, VAULT_TAG_BYTES) : none;
    /* Of what is still at the provider nothing is reserved: its size is told when it is fetched. */
    enum err err = with->bytes == 0 ? ERR_OK : room_check(tx, with->id, with->bytes, with->storage_max);

    if (err != ERR_OK)
        return err;
    return db_exec_one(tx, &media_insert_stmt,
                       DB_ARGS(DB_ID(with->id), DB_TEXT_Z(is_in ? "in" : "out"),
                               DB_TEXT_Z(media_state_word(is_in ? MEDIA_FETCHING : MEDIA_STORING)),
                               DB_TEXT(with->mime_type), DB_I64((int64_t)with->bytes),
                               DB_BYTES(with->has_sha256 ? slice_of(with->sha256, HASH_BYTES) : none),
                               with->has_file_name ? DB_I64(with->file_name.key_version) : DB_NULL,
                               DB_BYTES(with->has_file_name ? with->file_name.cipher : none), DB_BYTES(iv),
                               DB_BYTES(tag), is_in ? DB_ID(with->channel) : DB_NULL,
                               is_in ? DB_ID(with->message) : DB_NULL,
                               DB_TEXT(is_in ? with->provider_id : none),
                               DB_TIME(wall_after_ms(now, with->days * DAY_MS)), DB_TIME(now)));
}

static enum err
state_parse(struct slice word, enum media_state *out)
{
    for (unsigned i = 0; i < MEDIA_STATES; i++)
        if (slice_eq(word, slice_text(state_words[i]))) {
            *out = (enum media_state)i;
            return ERR_OK;
        }
    return ERR_STATE_CONFLICT;
}

static const struct db_stmt media_get_stmt = {
    "media_get",
    "SELECT direction, state, mime_type, bytes, sha256, chunk_count, key_version, file_name_ct, file_name_iv,"
    " file_name_tag, channel_id, message_id, provider_id, error_code, error_title, expires_at"
    " FROM media WHERE tenant_id = $1 AND id = $2"
};

static enum err
media_from_row(const struct db_rows *rows, struct id id, struct arena *arena, struct media *out)
{
    struct slice sha256 = db_bytes(rows, 0, 4);

    *out = (struct media){ .id = id,
                           .direction = slice_eq(db_text(rows, 0, 0), SLICE("in")) ? MEDIA_IN : MEDIA_OUT,
                           .mime_type = arena_copy(arena, db_text(rows, 0, 2)),
                           .bytes = (uint64_t)db_i64(rows, 0, 3),
                           .chunk_count = (uint32_t)db_i64(rows, 0, 5),
                           .has_sha256 = sha256.len == HASH_BYTES,
                           .has_file_name = !db_is_null(rows, 0, 6),
                           .provider_id = arena_copy(arena, db_text(rows, 0, 12)),
                           .error_code = arena_copy(arena, db_text(rows, 0, 13)),
                           .error_title = arena_copy(arena, db_text(rows, 0, 14)),
                           .created_at = id_time(id),
                           .expires_at = db_time(rows, 0, 15) };
    if (out->mime_type.ptr == NULL || out->provider_id.ptr == NULL || out->error_code.ptr == NULL ||
        out->error_title.ptr == NULL)
        return ERR_NO_MEMORY;
    if (out->has_sha256)
        memcpy(out->sha256, sha256.ptr, sha256.len);
    out->type = media_type_find(out->mime_type);
    if (!db_is_null(rows, 0, 10))
        out->channel = db_id(rows, 0, 10);
    if (!db_is_null(rows, 0, 11))
        out->message = db_id(rows, 0, 11);
    enum err err = state_parse(db_text(rows, 0, 1), &out->state);
    if (err == ERR_OK && out->has_file_name)
        err = sealed_column_read(rows, 0, 7, (uint32_t)db_i64(rows, 0, 6), arena, &out->file_name);
    return err;
}

enum err
media_get(struct db_tx *tx, struct id media, struct arena *arena, struct media *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &media_get_stmt, DB_ARGS(DB_ID(media)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : media_from_row(rows, media, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt media_keep_stmt = {
    "media_keep", "UPDATE media SET expires_at = greatest(expires_at, $3) WHERE tenant_id = $1 AND id = $2"
                  " AND state = 'ready' AND expires_at > $4"
};

enum err
media_keep(struct db_tx *tx, const struct clock *clock, struct id media, struct wall_time until,
           struct arena *arena, struct media *out)
{
    enum err err =
        db_exec_one(tx, &media_keep_stmt, DB_ARGS(DB_ID(media), DB_TIME(until), DB_TIME(clock_wall(clock))));

    return err == ERR_OK ? media_get(tx, media, arena, out) : err;
}

/* Chunks and whatever else hangs on the row go with it. A writer's next chunk, which looks at the row, is
 * refused. */
static const struct db_stmt media_delete_stmt = { "media_delete",
                                                  "DELETE FROM media WHERE tenant_id = $1 AND id = $2" };

enum err
media_delete(struct db_tx *tx, struct id media)
{
    return db_exec_one(tx, &media_delete_stmt, DB_ARGS(DB_ID(media)));
}

static const struct db_stmt media_abandon_stmt = {
    "media_abandon", "DELETE FROM media WHERE tenant_id = $1 AND id = $2 AND state = 'storing'"
};

enum err
media_abandon(struct db_tx *tx, struct id media)
{
    return db_exec(tx, &media_abandon_stmt, DB_ARGS(DB_ID(media)), NULL);
}

static const struct db_stmt media_fail_chunks_stmt = {
    "media_fail_chunks", "DELETE FROM media_chunk WHERE tenant_id = $1 AND media_id = $2"
};
static const struct db_stmt media_fail_stmt = {
    "media_fail",
    "UPDATE media SET state = 'failed', bytes = 0, error_code = $3, error_title = $4, writer = NULL,"
    " updated_at = now() WHERE tenant_id = $1 AND id = $2 AND state = 'fetching'"
};

enum err
media_fail(struct db_tx *tx, struct id media, const char *code, const char *title)
{
    enum err err =
        db_exec_one(tx, &media_fail_stmt, DB_ARGS(DB_ID(media), DB_TEXT_Z(code), DB_TEXT_Z(title)));

    return err == ERR_OK ? db_exec(tx, &media_fail_chunks_stmt, DB_ARGS(DB_ID(media)), NULL) : err;
}

static const struct db_stmt media_reserve_stmt = {
    "media_reserve", "UPDATE media SET bytes = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2"
                     " AND state IN ('storing', 'fetching')"
};

enum err
media_reserve(struct db_tx *tx, struct id media, uint64_t bytes, uint64_t storage_max)
{
    enum err err = room_check(tx, media, bytes, storage_max);

    return err == ERR_OK ? db_exec_one(tx, &media_reserve_stmt, DB_ARGS(DB_ID(media), DB_I64((int64_t)bytes)))
                         : err;
}

static const struct db_stmt media_finish_stmt = {
    "media_finish",
    "UPDATE media SET state = 'ready', bytes = $3, sha256 = $4, chunk_count = $5, writer = NULL, updated_at = now()"
    " WHERE tenant_id = $1 AND id = $2 AND state IN ('storing', 'fetching') AND writer = $6"
};

enum err
media_finish(struct db_tx *tx, struct id media, const struct media_written *written)
{
    enum err err = db_exec_one(tx, &media_finish_stmt,
                               DB_ARGS(DB_ID(media), DB_I64((int64_t)written->bytes),
                                       DB_BYTES(slice_of(written->sha256, HASH_BYTES)),
                                       DB_I64(written->chunk_count), DB_ID(written->writer)));

    return err == ERR_NOT_FOUND ? ERR_STATE_CONFLICT : err;
}
