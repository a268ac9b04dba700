#include "domain/webhook/webhook_endpoint.h"
#include "domain/tenant/sealed_column.h"
#include "domain/webhook/webhook_rest.h"

const char *
webhook_endpoint_state_word(enum webhook_endpoint_state state)
{
    return state == WEBHOOK_ENDPOINT_ENABLED ? "enabled" : "disabled";
}

bool
webhook_filter_wants(const struct slice *events, size_t count, struct slice type)
{
    for (size_t i = 0; i < count; i++) {
        struct slice word = events[i];
        bool is_group = slice_ends_with(word, SLICE("*"));
        if (is_group ? slice_starts_with(type, slice_first(word, word.len - 1)) : slice_eq(word, type))
            return true;
    }
    return false;
}

#define ENDPOINT_COLUMNS                                                                                                                                     \
    "w.id, w.url, w.description, w.events, w.state, w.disabled_reason, w.failing_since, w.created_at, w.updated_at,"                                         \
    " w.revision, w.generation, w.channels::text[], w.signature, w.payload, w.header_names, w.headers_generation,"                                           \
    " s.secret_key_version IS NOT NULL, s.public_key, (SELECT max(p.expires_at) FROM webhook_secret p"                                                       \
    " WHERE p.tenant_id = $1 AND p.endpoint_id = w.id AND p.expires_at > now()), w.failures::bigint, w.notices::bigint, w.not_before > now(), w.not_before," \
    " w.client_generation, w.client_subject, w.client_issuer, w.client_not_after, w.client_fingerprint"                                                      \
    " FROM webhook_endpoint w LEFT JOIN webhook_secret s ON s.tenant_id = $1 AND s.endpoint_id = w.id"                                                       \
    " AND s.generation = w.generation"

static enum err
channels_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct webhook_endpoint *out)
{
    struct slice texts[WEBHOOK_ENDPOINT_CHANNELS_MAX];
    enum err err = db_text_array(rows, row, 11, arena, texts, COUNT_OF(texts), &out->channel_count);

    out->channels = arena_array(arena, WEBHOOK_ENDPOINT_CHANNELS_MAX, sizeof(*out->channels));
    if (err == ERR_OK && out->channels == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < out->channel_count; i++)
        err = id_uuid_parse(texts[i], &out->channels[i]);
    return err;
}

static enum err
endpoint_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct webhook_endpoint *out)
{
    *out = (struct webhook_endpoint){ .id = db_id(rows, row, 0),
                                      .url = arena_copy(arena, db_text(rows, row, 1)),
                                      .description = arena_copy(arena, db_text(rows, row, 2)),
                                      .state = slice_eq(db_text(rows, row, 4), SLICE("enabled"))
                                                   ? WEBHOOK_ENDPOINT_ENABLED
                                                   : WEBHOOK_ENDPOINT_DISABLED,
                                      .disabled_reason = arena_copy(arena, db_text(rows, row, 5)),
                                      .is_failing = !db_is_null(rows, row, 6),
                                      .created_at = db_time(rows, row, 7),
                                      .updated_at = db_time(rows, row, 8),
                                      .revision = (uint32_t)db_i64(rows, row, 9),
                                      .generation = (uint32_t)db_i64(rows, row, 10),
                                      .signing = webhook_signing_from(db_text(rows, row, 12)),
                                      .is_thin = slice_eq(db_text(rows, row, 13), SLICE("thin")),
                                      .headers_generation = (uint32_t)db_i64(rows, row, 15),
                                      .has_secret = db_bool(rows, row, 16),
                                      .has_public_key = !db_is_null(rows, row, 17),
                                      .has_previous = !db_is_null(rows, row, 18),
                                      .failures = (uint32_t)db_i64(rows, row, 19),
                                      .notices = (uint32_t)db_i64(rows, row, 20),
                                      .is_held = db_bool(rows, row, 21),
                                      .held_until = db_time(rows, row, 22),
                                      .client_generation = (uint32_t)db_i64(rows, row, 23),
                                      .has_client = !db_is_null(rows, row, 24) };
    if (out->is_failing)
        out->failing_since = db_time(rows, row, 6);
    if (out->has_public_key) /* the table holds its width */
        memcpy(out->public_key, db_bytes(rows, row, 17).ptr, sizeof(out->public_key));
    if (out->has_previous)
        out->previous_until = db_time(rows, row, 18);
    if (out->has_client) {
        out->client_subject = arena_copy(arena, db_text(rows, row, 24));
        out->client_issuer = arena_copy(arena, db_text(rows, row, 25));
        out->client_not_after = db_time(rows, row, 26);
        memcpy(out->client_fingerprint, db_bytes(rows, row, 27).ptr, sizeof(out->client_fingerprint));
        if (out->client_subject.ptr == NULL || out->client_issuer.ptr == NULL)
            return ERR_NO_MEMORY;
    }
    out->events = arena_array(arena, WEBHOOK_ENDPOINT_EVENTS_MAX, sizeof(*out->events));
    out->header_names = arena_array(arena, WEBHOOK_HEADERS_MAX, sizeof(*out->header_names));
    if (out->url.ptr == NULL || out->description.ptr == NULL || out->disabled_reason.ptr == NULL ||
        out->events == NULL || out->header_names == NULL)
        return ERR_NO_MEMORY;
    enum err err =
        db_text_array(rows, row, 3, arena, out->events, WEBHOOK_ENDPOINT_EVENTS_MAX, &out->event_count);
    if (err == ERR_OK)
        err = db_text_array(rows, row, 14, arena, out->header_names, WEBHOOK_HEADERS_MAX, &out->header_count);
    return err == ERR_OK ? channels_from_row(rows, row, arena, out) : err;
}

/* Held to the end of the transaction: the count stays true until what was counted for is there. */
static const struct db_stmt endpoint_lock_stmt = {
    "webhook_endpoint_lock",
    "SELECT pg_advisory_xact_lock(hashtext('harkara.webhook_endpoint'), hashtext($1::uuid::text)) IS NULL"
};
static const struct db_stmt endpoint_count_stmt = {
    "webhook_endpoint_count",
    "SELECT count(*) FROM webhook_endpoint WHERE tenant_id = $1 AND state <> 'deleted'"
};
static const struct db_stmt endpoint_insert_stmt = {
    "webhook_endpoint_insert",
    "INSERT INTO webhook_endpoint (tenant_id, id, url, description, events, channels, signature, payload)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
};
static const struct db_stmt channels_known_stmt = {
    "webhook_channels_known",
    "SELECT count(*) FROM channel WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND state <> 'deleted'"
};
static const struct db_stmt headers_write_stmt = {
    "webhook_headers_write",
    "UPDATE webhook_endpoint SET header_names = $4, headers_generation = $3, headers_key_version = $5, headers_ct = $6,"
    " headers_iv = $7, headers_tag = $8 WHERE tenant_id = $1 AND id = $2 AND headers_generation = $3 - 1"
};

static enum err
channels_check(struct db_tx *tx, const struct id *channels, size_t count)
{
    struct db_rows *rows = NULL;

    if (count == 0)
        return ERR_OK;
    enum err err = db_query(tx, &channels_known_stmt, DB_ARGS(DB_ID_ARRAY(channels, count)), &rows);
    if (err == ERR_OK && db_i64(rows, 0, 0) != (int64_t)count)
        err = ERR_CHANNEL_UNKNOWN;
    db_rows_free(rows);
    return err;
}

/* ERR_NOT_FOUND: they were changed meanwhile. */
static enum err
headers_write(struct db_tx *tx, struct id endpoint, uint32_t generation,
              const struct webhook_headers *headers)
{
    const struct vault_sealed *sealed = &headers->sealed;
    bool has_any = headers->count > 0;

    return db_exec_one(
        tx, &headers_write_stmt,
        DB_ARGS(DB_ID(endpoint), DB_I64(generation), DB_TEXT_ARRAY(headers->names, headers->count),
                has_any ? DB_I64(sealed->key_version) : DB_NULL, has_any ? DB_BYTES(sealed->cipher) : DB_NULL,
                has_any ? DB_BYTES(slice_of(sealed->iv, VAULT_IV_BYTES)) : DB_NULL,
                has_any ? DB_BYTES(slice_of(sealed->tag, VAULT_TAG_BYTES)) : DB_NULL));
}

struct vault_place
webhook_client_key_place(struct id tenant, struct id endpoint, uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "webhook_endpoint",
                                 .column = "client_key",
                                 .row = endpoint,
                                 .generation = generation };
}

static const struct db_stmt client_write_stmt = {
    "webhook_client_write",
    "UPDATE webhook_endpoint SET client_generation = $3, client_certificate = $4, client_subject = $5, client_issuer = $6,"
    " client_not_after = $7, client_fingerprint = $8, client_key_key_version = $9, client_key_ct = $10, client_key_iv = $11,"
    " client_key_tag = $12 WHERE tenant_id = $1 AND id = $2 AND client_generation = $3 - 1"
};

/* ERR_NOT_FOUND: it was changed meanwhile. */
static enum err
client_write(struct db_tx *tx, struct id endpoint, uint32_t generation, const struct webhook_client *client)
{
    const struct certificate *certificate = client->certificate;

    if (certificate == NULL)
        return db_exec_one(tx, &client_write_stmt,
                           DB_ARGS(DB_ID(endpoint), DB_I64(generation), DB_NULL, DB_NULL, DB_NULL, DB_NULL,
                                   DB_NULL, DB_NULL, DB_NULL, DB_NULL, DB_NULL));
    return db_exec_one(tx, &client_write_stmt,
                       DB_ARGS(DB_ID(endpoint), DB_I64(generation), DB_TEXT(buf_slice(&certificate->chain)),
                               DB_TEXT(buf_slice(&certificate->subject)),
                               DB_TEXT(buf_slice(&certificate->issuer)), DB_TIME(certificate->not_after),
                               DB_BYTES(slice_of(certificate->fingerprint, sizeof(certificate->fingerprint))),
                               DB_I64(client->key.key_version), SEALED_ARGS(&client->key)));
}

enum err
webhook_endpoint_create(struct db_tx *tx, const struct webhook_endpoint_new *with, struct arena *arena,
                        struct webhook_endpoint *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &endpoint_lock_stmt, DB_NO_ARGS, NULL);

    if (err == ERR_OK)
        err = db_query(tx, &endpoint_count_stmt, DB_NO_ARGS, &rows);
    if (err == ERR_OK && db_i64(rows, 0, 0) >= (int64_t)WEBHOOK_ENDPOINT_PER_TENANT_MAX)
        err = ERR_TOO_MANY;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = channels_check(tx, with->channels, with->channel_count);
    if (err == ERR_OK)
        err = db_exec_one(tx, &endpoint_insert_stmt,
                          DB_ARGS(DB_ID(with->id), DB_TEXT(with->url),
                                  DB_TEXT(with->description.ptr == NULL ? SLICE("") : with->description),
                                  DB_TEXT_ARRAY(with->events, with->event_count),
                                  DB_ID_ARRAY(with->channels, with->channel_count),
                                  DB_TEXT_Z(webhook_signing_word(with->signing)),
                                  DB_TEXT_Z(with->is_thin ? "thin" : "full")));
    if (err == ERR_OK && with->headers != NULL && with->headers->count > 0)
        err = headers_write(tx, with->id, 1, with->headers);
    if (err == ERR_OK && with->client != NULL && with->client->certificate != NULL)
        err = client_write(tx, with->id, 1, with->client);
    if (err == ERR_OK)
        err = webhook_keys_insert(tx, with->id, &with->keys);
    return err == ERR_OK ? webhook_endpoint_get(tx, with->id, arena, out) : err;
}

static const struct db_stmt endpoint_get_stmt = {
    "webhook_endpoint_get",
    "SELECT " ENDPOINT_COLUMNS " WHERE w.tenant_id = $1 AND w.id = $2 AND w.state <> 'deleted'"
};

enum err
webhook_endpoint_get(struct db_tx *tx, struct id endpoint, struct arena *arena, struct webhook_endpoint *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &endpoint_get_stmt, DB_ARGS(DB_ID(endpoint)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : endpoint_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt endpoint_list_stmt = {
    "webhook_endpoint_list", "SELECT " ENDPOINT_COLUMNS " WHERE w.tenant_id = $1 AND w.state <> 'deleted'"
                             " AND ($2::uuid IS NULL OR w.id < $2) ORDER BY w.id DESC LIMIT $3"
};

enum err
webhook_endpoint_list(struct db_tx *tx, struct id before, size_t limit, struct arena *arena,
                      struct webhook_endpoint **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &endpoint_list_stmt,
                 DB_ARGS(id_is_zero(before) ? DB_NULL : DB_ID(before), DB_I64((int64_t)limit + 1)), &rows);

    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct webhook_endpoint *endpoints = arena_array(arena, count, sizeof(*endpoints));
    err = endpoints == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = endpoint_from_row(rows, i, arena, &endpoints[i]);
    if (err == ERR_OK) {
        *out = endpoints;
        *count_out = count;
    }
done:
    db_rows_free(rows);
    return err;
}

static const struct db_stmt endpoint_update_stmt = {
    "webhook_endpoint_update",
    "UPDATE webhook_endpoint SET url = coalesce($4, url), description = coalesce($5, description),"
    " events = coalesce($6, events), channels = coalesce($8, channels), signature = coalesce($9, signature),"
    " payload = coalesce($10, payload), state = coalesce($7, state),"
    " disabled_reason = CASE $7 WHEN 'disabled' THEN 'by-request' WHEN 'enabled' THEN NULL ELSE disabled_reason END,"
    " failing_since = CASE WHEN $7 = 'enabled' THEN NULL ELSE failing_since END,"
    " failures = CASE WHEN $7 = 'enabled' THEN 0 ELSE failures END, notices = CASE WHEN $7 = 'enabled' THEN 0 ELSE notices END,"
    " not_before = CASE WHEN $7 = 'enabled' THEN '-infinity' ELSE not_before END,"
    " updated_at = now(), revision = revision + 1"
    " WHERE tenant_id = $1 AND id = $2 AND ($3 = 0 OR revision = $3) AND state <> 'deleted'"
};
static const struct db_stmt deliveries_cancel_stmt = {
    "webhook_deliveries_cancel",
    "UPDATE webhook_delivery SET state = 'canceled', finished_at = now(), lease_until = NULL"
    " WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'pending'"
};

enum err
webhook_endpoint_update(struct db_tx *tx, struct id endpoint, const struct webhook_endpoint_change *change,
                        struct arena *arena, struct webhook_endpoint *out)
{
    struct webhook_endpoint before;
    enum err err =
        webhook_endpoint_get(tx, endpoint, arena, &before); /* ERR_NOT_FOUND before any precondition */

    if (err != ERR_OK)
        return err;
    if (change->has_channels)
        err = channels_check(tx, change->channels, change->channel_count);
    if (err != ERR_OK)
        return err;
    err = db_exec_one(
        tx, &endpoint_update_stmt,
        DB_ARGS(DB_ID(endpoint), DB_I64(change->revision), DB_TEXT(change->url), DB_TEXT(change->description),
                change->event_count > 0 ? DB_TEXT_ARRAY(change->events, change->event_count) : DB_NULL,
                change->has_state ? DB_TEXT_Z(webhook_endpoint_state_word(change->state)) : DB_NULL,
                change->has_channels ? DB_ID_ARRAY(change->channels, change->channel_count) : DB_NULL,
                change->has_signing ? DB_TEXT_Z(webhook_signing_word(change->signing)) : DB_NULL,
                change->has_payload ? DB_TEXT_Z(change->is_thin ? "thin" : "full") : DB_NULL));
    if (err == ERR_OK && change->headers != NULL)
        err = headers_write(tx, endpoint, change->headers_generation + 1, change->headers);
    if (err == ERR_OK && change->client != NULL)
        err = client_write(tx, endpoint, change->client_generation + 1, change->client);
    if (err == ERR_OK && change->keys != NULL)
        err = webhook_keys_add(tx, endpoint, change->keys);
    if (err == ERR_NOT_FOUND)
        return ERR_HTTP_PRECONDITION;
    if (err == ERR_OK && change->has_state && change->state == WEBHOOK_ENDPOINT_DISABLED)
        err = db_exec(tx, &deliveries_cancel_stmt, DB_ARGS(DB_ID(endpoint)), NULL);
    if (err == ERR_OK && change->has_state && change->state == WEBHOOK_ENDPOINT_ENABLED)
        err = webhook_wake(tx); /* its hold is over */
    return err == ERR_OK ? webhook_endpoint_get(tx, endpoint, arena, out) : err;
}

static const struct db_stmt endpoint_delete_stmt = {
    "webhook_endpoint_delete",
    "UPDATE webhook_endpoint SET state = 'deleted', disabled_reason = NULL, updated_at = now(), revision = revision + 1,"
    " header_names = '{}', headers_key_version = NULL, headers_ct = NULL, headers_iv = NULL, headers_tag = NULL,"
    " client_certificate = NULL, client_subject = NULL, client_issuer = NULL, client_not_after = NULL,"
    " client_fingerprint = NULL, client_key_key_version = NULL, client_key_ct = NULL, client_key_iv = NULL,"
    " client_key_tag = NULL"
    " WHERE tenant_id = $1 AND id = $2 AND ($3 = 0 OR revision = $3) AND state <> 'deleted'"
};

static const struct db_stmt replays_cancel_stmt = {
    "webhook_replays_cancel", "UPDATE webhook_replay SET state = 'canceled', finished_at = now()"
                              " WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'running'"
};

enum err
webhook_endpoint_delete(struct db_tx *tx, struct id endpoint, uint32_t revision)
{
    enum err err = db_exec_one(tx, &endpoint_delete_stmt, DB_ARGS(DB_ID(endpoint), DB_I64(revision)));

    if (err == ERR_OK)
        err = webhook_keys_retire(tx, endpoint, UINT32_MAX, 0);
    if (err == ERR_OK)
        err = db_exec(tx, &replays_cancel_stmt, DB_ARGS(DB_ID(endpoint)), NULL);
    return err == ERR_OK ? db_exec(tx, &deliveries_cancel_stmt, DB_ARGS(DB_ID(endpoint)), NULL) : err;
}

static const struct db_stmt endpoint_rotate_stmt = {
    "webhook_endpoint_rotate",
    "UPDATE webhook_endpoint SET generation = $3, updated_at = now(), revision = revision + 1"
    " WHERE tenant_id = $1 AND id = $2 AND generation = $3 - 1 AND state <> 'deleted'"
};

enum err
webhook_endpoint_rotate(struct db_tx *tx, struct id endpoint, const struct webhook_keys *keys,
                        int64_t overlap_s, struct arena *arena, struct webhook_endpoint *out)
{
    enum err err = db_exec_one(tx, &endpoint_rotate_stmt, DB_ARGS(DB_ID(endpoint), DB_I64(keys->generation)));

    if (err == ERR_NOT_FOUND)
        return ERR_HTTP_PRECONDITION;
    if (err == ERR_OK)
        err = webhook_keys_retire(tx, endpoint, keys->generation, overlap_s);
    if (err == ERR_OK)
        err = webhook_keys_insert(tx, endpoint, keys);
    return err == ERR_OK ? webhook_endpoint_get(tx, endpoint, arena, out) : err;
}

static const struct db_stmt endpoint_touch_stmt = {
    "webhook_endpoint_touch", "UPDATE webhook_endpoint SET updated_at = now(), revision = revision + 1"
                              " WHERE tenant_id = $1 AND id = $2 AND state <> 'deleted' RETURNING generation"
};

enum err
webhook_endpoint_revoke_previous(struct db_tx *tx, struct id endpoint, struct arena *arena,
                                 struct webhook_endpoint *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &endpoint_touch_stmt, DB_ARGS(DB_ID(endpoint)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND
                                       : webhook_keys_retire(tx, endpoint, (uint32_t)db_i64(rows, 0, 0), 0);
    db_rows_free(rows);
    return err == ERR_OK ? webhook_endpoint_get(tx, endpoint, arena, out) : err;
}
