/* The bytes of media: chunks, sealed on their way in and opened on their way out. */
#include "domain/media/media.h"
#include "domain/tenant/sealed_column.h"
#include <stdlib.h>

struct media_writer {
    struct media_writer_config config;
    struct id token;
    struct hash *hash;    /* owned */
    struct arena *arena;  /* owned; of one chunk */
    uint64_t bytes;       /* put so far */
    uint32_t chunk_count; /* written so far */
    size_t filled;        /* of `plain`: a full one waits until it is known whether it is the last */
    unsigned char plain[MEDIA_CHUNK_BYTES];
};

struct vault_place
media_chunk_place(struct id tenant, struct id media, uint32_t number, bool is_last)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "media_chunk",
                                 .column = "body",
                                 .row = media,
                                 .generation = number | (is_last ? MEDIA_CHUNK_LAST : 0) };
}

static const struct db_stmt media_take_stmt = {
    "media_take", "UPDATE media SET writer = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2"
                  " AND state IN ('storing', 'fetching')"
};
static const struct db_stmt media_clear_stmt = {
    "media_clear", "DELETE FROM media_chunk WHERE tenant_id = $1 AND media_id = $2"
};

static enum err
take_in(struct db_tx *tx, void *ctx)
{
    const struct media_writer *writer = ctx;
    struct id media = writer->config.media;
    enum err err = db_exec_one(tx, &media_take_stmt, DB_ARGS(DB_ID(media), DB_ID(writer->token)));

    if (err == ERR_NOT_FOUND)
        return ERR_STATE_CONFLICT;
    return err == ERR_OK ? db_exec(tx, &media_clear_stmt, DB_ARGS(DB_ID(media)), NULL) : err;
}

enum err
media_writer_new(const struct media_writer_config *config, struct media_writer **out)
{
    struct media_writer *writer = calloc(1, sizeof(*writer));
    enum err err = ERR_NO_MEMORY;

    *out = NULL;
    if (writer == NULL)
        return err;
    writer->config = *config;
    writer->token = id_new(config->clock);
    writer->arena = arena_new(MEDIA_CHUNK_ARENA_BYTES);
    if (writer->arena != NULL)
        err = hash_new(&writer->hash);
    if (err == ERR_OK)
        err = db_run(config->db, config->tenant, take_in, writer);
    if (err != ERR_OK) {
        media_writer_free(writer);
        return err;
    }
    *out = writer;
    return ERR_OK;
}

void
media_writer_free(struct media_writer *writer)
{
    if (writer == NULL)
        return;
    arena_free(writer->arena);
    hash_free(writer->hash);
    explicit_bzero(writer->plain, sizeof(writer->plain));
    free(writer);
}

/* The row is looked at under a lock that its deletion and the next writer wait for. */
static const struct db_stmt media_chunk_insert_stmt = {
    "media_chunk_insert",
    "INSERT INTO media_chunk (tenant_id, media_id, number, key_version, body_ct, body_iv, body_tag)"
    " SELECT $1, $2, $4, $5, $6, $7, $8 FROM (SELECT FROM media WHERE tenant_id = $1 AND id = $2"
    " AND state IN ('storing', 'fetching') AND writer = $3 FOR SHARE) AS mine"
};

struct chunk_insert {
    const struct media_writer *writer;
    struct vault_sealed sealed;
};

static enum err
insert_in(struct db_tx *tx, void *ctx)
{
    const struct chunk_insert *insert = ctx;
    const struct media_writer *writer = insert->writer;
    enum err err =
        db_exec_one(tx, &media_chunk_insert_stmt,
                    DB_ARGS(DB_ID(writer->config.media), DB_ID(writer->token), DB_I64(writer->chunk_count),
                            DB_I64(insert->sealed.key_version), SEALED_ARGS(&insert->sealed)));

    return err == ERR_NOT_FOUND || err == ERR_EXISTS ? ERR_STATE_CONFLICT : err;
}

static enum err
chunk_write(struct media_writer *writer, bool is_last)
{
    const struct media_writer_config *config = &writer->config;
    struct vault_place place = media_chunk_place(config->tenant, config->media, writer->chunk_count, is_last);
    struct chunk_insert insert = { .writer = writer };
    struct slice plain = slice_of(writer->plain, writer->filled);
    enum err err = hash_add(writer->hash, plain);

    if (err == ERR_OK)
        err = vault_seal(config->vault, VAULT_CONTENT, &place, plain, writer->arena, &insert.sealed);
    if (err == ERR_OK)
        err = db_run(config->db, config->tenant, insert_in, &insert);
    arena_reset(writer->arena);
    writer->chunk_count++;
    writer->filled = 0;
    return err;
}

enum err
media_writer_put(struct media_writer *writer, struct slice bytes)
{
    enum err err = ERR_OK;

    if (bytes.len > writer->config.bytes_max - writer->bytes)
        return ERR_MEDIA_SIZE;
    writer->bytes += bytes.len;
    while (err == ERR_OK && bytes.len != 0) {
        if (writer->filled == MEDIA_CHUNK_BYTES)
            err = chunk_write(writer, false);
        struct slice part = slice_first(bytes, MEDIA_CHUNK_BYTES - writer->filled);
        memcpy(writer->plain + writer->filled, part.ptr, part.len);
        writer->filled += part.len;
        bytes = slice_drop(bytes, part.len);
    }
    return err;
}

enum err
media_writer_end(struct media_writer *writer, struct media_written *out)
{
    if (writer->bytes == 0)
        return ERR_MEDIA_EMPTY;
    enum err err = chunk_write(writer, true);
    *out = (struct media_written){ .bytes = writer->bytes,
                                   .chunk_count = writer->chunk_count,
                                   .writer = writer->token };
    return err == ERR_OK ? hash_end(writer->hash, out->sha256) : err;
}

static const struct db_stmt media_chunk_get_stmt = {
    "media_chunk_get", "SELECT key_version, body_ct, body_iv, body_tag FROM media_chunk"
                       " WHERE tenant_id = $1 AND media_id = $2 AND number = $3"
};

struct chunk_read {
    struct id media;
    uint32_t number;
    struct arena *arena;
    struct vault_sealed sealed;
};

static enum err
chunk_read_in(struct db_tx *tx, void *ctx)
{
    struct chunk_read *read = ctx;
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &media_chunk_get_stmt, DB_ARGS(DB_ID(read->media), DB_I64(read->number)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0
                  ? ERR_NOT_FOUND
                  : sealed_column_read(rows, 0, 1, (uint32_t)db_i64(rows, 0, 0), read->arena, &read->sealed);
    db_rows_free(rows);
    return err;
}

enum err
media_chunk_open(struct db *db, const struct vault *vault, struct id tenant, const struct media *media,
                 uint32_t number, struct arena *arena, struct slice *plain_out)
{
    bool is_last = number + 1 == media->chunk_count;
    struct vault_place place = media_chunk_place(tenant, media->id, number, is_last);
    struct chunk_read read = { .media = media->id, .number = number, .arena = arena };
    uint64_t before = (uint64_t)number * MEDIA_CHUNK_BYTES;
    enum err err = db_run(db, tenant, chunk_read_in, &read);

    if (err == ERR_OK)
        err = vault_open_content(vault, &place, &read.sealed, arena, plain_out);
    if (err != ERR_OK)
        return err;
    uint64_t want = is_last ? media->bytes - before : MEDIA_CHUNK_BYTES;
    return media->bytes > before && plain_out->len == want ? ERR_OK : ERR_SEAL_CORRUPT;
}
