/* The SQL of channels' sealed credentials, and how a callback's receiver finds them across tenants. */
#include "domain/channel/channel.h"
#include "domain/tenant/sealed_column.h"

/* One statement per credential: a database role may read only some of the columns. */
#define CREDENTIAL_SELECT(column)                                                                            \
    "SELECT " column "_key_version, " column "_generation, phone_number_id, " column "_ct, " column          \
    "_iv, " column "_tag"                                                                                    \
    " FROM whatsapp_channel WHERE tenant_id = $1 AND channel_id = $2"

static const struct db_stmt channel_credential_stmts[CHANNEL_CREDENTIALS] = {
    [CHANNEL_ACCESS_TOKEN] = { "channel_access_token", CREDENTIAL_SELECT("access_token") },
    [CHANNEL_APP_SECRET] = { "channel_app_secret", CREDENTIAL_SELECT("app_secret") },
    [CHANNEL_VERIFY_TOKEN] = { "channel_verify_token", CREDENTIAL_SELECT("verify_token") },
};

enum err
channel_credential_read(struct db_tx *tx, struct id channel, enum channel_credential credential,
                        struct arena *arena, struct vault_sealed *sealed_out, uint32_t *generation_out,
                        struct slice *phone_number_id_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &channel_credential_stmts[credential], DB_ARGS(DB_ID(channel)), &rows);

    if (err != ERR_OK)
        goto done;
    err = ERR_NOT_FOUND;
    if (db_rows_count(rows) == 0)
        goto done;
    *generation_out = (uint32_t)db_i64(rows, 0, 1);
    *phone_number_id_out = arena_copy(arena, db_text(rows, 0, 2));
    err = ERR_NO_MEMORY;
    if (phone_number_id_out->ptr == NULL)
        goto done;
    err = sealed_column_read(rows, 0, 3, (uint32_t)db_i64(rows, 0, 0), arena, sealed_out);
done:
    db_rows_free(rows);
    return err;
}

static const struct db_stmt channel_tokens_stmt = {
    "channel_tokens",
    "SELECT w.channel_id, w.access_token_generation, w.phone_number_id, w.access_token_ct,"
    " w.access_token_iv, w.access_token_tag, w.access_token_key_version, c.revision FROM whatsapp_channel w"
    " JOIN channel c ON c.tenant_id = $1 AND c.id = w.channel_id"
    " WHERE w.tenant_id = $1 AND w.channel_id = ANY ($2::uuid[]) AND w.access_token_ct IS NOT NULL"
    " LIMIT 10000"
};

static enum err
token_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct channel_token *token)
{
    token->generation = (uint32_t)db_i64(rows, row, 1);
    token->revision = (uint32_t)db_i64(rows, row, 7);
    token->phone_number_id = arena_copy(arena, db_text(rows, row, 2));
    if (token->phone_number_id.ptr == NULL)
        return ERR_NO_MEMORY;
    return sealed_column_read(rows, row, 3, (uint32_t)db_i64(rows, row, 6), arena, &token->sealed);
}

enum err
channel_tokens_read(struct db_tx *tx, struct channel_token *tokens, size_t count, struct arena *arena)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    struct db_rows *rows = NULL;

    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        tokens[i].err = ERR_NOT_FOUND;
        ids[i] = tokens[i].channel;
    }
    enum err err = db_query(tx, &channel_tokens_stmt, DB_ARGS(DB_ID_ARRAY(ids, count)), &rows);
    for (size_t r = 0; err == ERR_OK && r < db_rows_count(rows); r++)
        for (size_t i = 0; i < count; i++)
            if (id_eq(tokens[i].channel, db_id(rows, r, 0)))
                tokens[i].err = token_from_row(rows, r, arena, &tokens[i]);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt channel_access_stmt = {
    "channel_access",
    "SELECT w.waba_id, w.phone_number_id, w.access_token_generation, w.access_token_key_version,"
    " w.access_token_ct, w.access_token_iv, w.access_token_tag, c.revision FROM whatsapp_channel w"
    " JOIN channel c ON c.tenant_id = $1 AND c.id = $2 WHERE w.tenant_id = $1 AND w.channel_id = $2"
};

enum err
channel_access_read(struct db_tx *tx, struct id channel, struct arena *arena, struct channel_access *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &channel_access_stmt, DB_ARGS(DB_ID(channel)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err != ERR_OK)
        goto done;
    *out = (struct channel_access){ .waba_id = arena_copy(arena, db_text(rows, 0, 0)),
                                    .phone_number_id = arena_copy(arena, db_text(rows, 0, 1)),
                                    .generation = (uint32_t)db_i64(rows, 0, 2),
                                    .revision = (uint32_t)db_i64(rows, 0, 7),
                                    .has_token = !db_is_null(rows, 0, 3) };
    if (out->waba_id.ptr == NULL || out->phone_number_id.ptr == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_OK && out->has_token)
        err = sealed_column_read(rows, 0, 4, (uint32_t)db_i64(rows, 0, 3), arena, &out->token);
done:
    db_rows_free(rows);
    return err;
}

static const struct db_stmt channel_generations_stmt = {
    "channel_generations", "SELECT access_token_generation, app_secret_generation, verify_token_generation"
                           " FROM whatsapp_channel WHERE tenant_id = $1 AND channel_id = $2"
};

enum err
channel_generations(struct db_tx *tx, struct id channel, uint32_t generations_out[CHANNEL_CREDENTIALS])
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &channel_generations_stmt, DB_ARGS(DB_ID(channel)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    for (int i = 0; err == ERR_OK && i < CHANNEL_CREDENTIALS; i++)
        generations_out[i] = (uint32_t)db_i64(rows, 0, i); /* the columns stand in the order of the enum */
    db_rows_free(rows);
    return err;
}

static const struct db_stmt channel_tenant_stmt = {
    "channel_tenant", "SELECT tenant_id FROM channel WHERE id = $1 AND state <> 'deleted' LIMIT 1"
};

struct tenant_of {
    struct id channel, tenant;
};

static enum err
tenant_in(struct db_tx *tx, void *ctx)
{
    struct tenant_of *of = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &channel_tenant_stmt, DB_ARGS(DB_ID(of->channel)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        of->tenant = db_id(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

enum err
channel_tenant(struct db *db, struct id channel, struct id *tenant_out)
{
    struct tenant_of of = { .channel = channel };
    enum err err =
        db_run_across(db, "provider.callback", tenant_in, &of); /* a lost connection is made anew */

    *tenant_out = of.tenant;
    return err;
}

static const struct db_stmt channel_callbacks_stmt = {
    "channel_callbacks",
    "SELECT c.id, c.tenant_id, w.app_secret_generation, w.app_secret_key_version, w.app_secret_ct, w.app_secret_iv,"
    " w.app_secret_tag, w.phone_number_id FROM channel c JOIN whatsapp_channel w ON w.tenant_id = c.tenant_id"
    " AND w.channel_id = c.id WHERE c.id = ANY ($1::uuid[]) AND c.state <> 'deleted' LIMIT 10000" /* as many
                                                                                                     as are
                                                                                                     asked for
                                                                                                   */
};

struct callbacks_of {
    const struct id *channels;
    size_t count;
    struct arena *arena;
    struct channel_callback *found;
    size_t found_count;
};

static enum err
callbacks_in(struct db_tx *tx, void *ctx)
{
    struct callbacks_of *of = ctx;
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &channel_callbacks_stmt, DB_ARGS(DB_ID_ARRAY(of->channels, of->count)), &rows);

    of->found_count = err == ERR_OK ? db_rows_count(rows) : 0;
    of->found = arena_array(of->arena, of->found_count, sizeof(*of->found));
    if (err == ERR_OK && of->found == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < of->found_count; i++) {
        of->found[i] =
            (struct channel_callback){ .channel = db_id(rows, i, 0),
                                       .tenant = db_id(rows, i, 1),
                                       .generation = (uint32_t)db_i64(rows, i, 2),
                                       .phone_number_id = arena_copy(of->arena, db_text(rows, i, 7)) };
        err =
            sealed_column_read(rows, i, 4, (uint32_t)db_i64(rows, i, 3), of->arena, &of->found[i].app_secret);
        if (err == ERR_OK && of->found[i].phone_number_id.ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    db_rows_free(rows);
    return err;
}

enum err
channel_callbacks_find(struct db *db, const struct id *channels, size_t count, struct arena *arena,
                       struct channel_callback **out, size_t *count_out)
{
    struct callbacks_of of = { .channels = channels, .count = count, .arena = arena };
    enum err err = db_run_across(db, "provider.callback", callbacks_in, &of);

    *out = of.found;
    *count_out = err == ERR_OK ? of.found_count : 0;
    return err;
}
