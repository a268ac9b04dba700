#include "domain/webhook/webhook_endpoint.h"
#include "domain/tenant/sealed_column.h"

const char *
webhook_endpoint_state_word(enum webhook_endpoint_state state)
{
    return state == WEBHOOK_ENDPOINT_ENABLED ? "enabled" : "disabled";
}

struct vault_place
webhook_secret_place(struct id tenant, struct id endpoint, uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "webhook_endpoint",
                                 .column = "secret",
                                 .row = endpoint,
                                 .generation = generation };
}

#define ENDPOINT_COLUMNS                                                                                     \
    "id, url, description, events, state, disabled_reason, failing_since, created_at, updated_at, revision, generation"

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
                                      .generation = (uint32_t)db_i64(rows, row, 10) };
    if (out->is_failing)
        out->failing_since = db_time(rows, row, 6);
    out->events = arena_array(arena, WEBHOOK_ENDPOINT_EVENTS_MAX, sizeof(*out->events));
    if (out->url.ptr == NULL || out->description.ptr == NULL || out->disabled_reason.ptr == NULL ||
        out->events == NULL)
        return ERR_NO_MEMORY;
    return db_text_array(rows, row, 3, arena, out->events, WEBHOOK_ENDPOINT_EVENTS_MAX, &out->event_count);
}

static const struct db_stmt endpoint_count_stmt = {
    "webhook_endpoint_count",
    "SELECT count(*) FROM webhook_endpoint WHERE tenant_id = $1 AND state <> 'deleted'"
};
static const struct db_stmt endpoint_insert_stmt = {
    "webhook_endpoint_insert",
    "INSERT INTO webhook_endpoint (tenant_id, id, url, description, events, key_version, secret_ct, secret_iv, secret_tag)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
};

enum err
webhook_endpoint_create(struct db_tx *tx, const struct webhook_endpoint_new *with, struct arena *arena,
                        struct webhook_endpoint *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &endpoint_count_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && db_i64(rows, 0, 0) >= (int64_t)WEBHOOK_ENDPOINT_PER_TENANT_MAX)
        err = ERR_TOO_MANY;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = db_exec_one(tx, &endpoint_insert_stmt,
                          DB_ARGS(DB_ID(with->id), DB_TEXT(with->url),
                                  DB_TEXT(with->description.ptr == NULL ? SLICE("") : with->description),
                                  DB_TEXT_ARRAY(with->events, with->event_count),
                                  DB_I64(with->secret.key_version), SEALED_ARGS(&with->secret)));
    return err == ERR_OK ? webhook_endpoint_get(tx, with->id, arena, out) : err;
}

static const struct db_stmt endpoint_get_stmt = {
    "webhook_endpoint_get", "SELECT " ENDPOINT_COLUMNS
                            " FROM webhook_endpoint WHERE tenant_id = $1 AND id = $2 AND state <> 'deleted'"
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
    "webhook_endpoint_list",
    "SELECT " ENDPOINT_COLUMNS " FROM webhook_endpoint WHERE tenant_id = $1 AND state <> 'deleted'"
    " AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
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
    " events = coalesce($6, events), state = coalesce($7, state),"
    " disabled_reason = CASE $7 WHEN 'disabled' THEN 'by-request' WHEN 'enabled' THEN NULL ELSE disabled_reason END,"
    " failing_since = CASE WHEN $7 = 'enabled' THEN NULL ELSE failing_since END,"
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
    err = db_exec_one(
        tx, &endpoint_update_stmt,
        DB_ARGS(DB_ID(endpoint), DB_I64(change->revision), DB_TEXT(change->url), DB_TEXT(change->description),
                change->event_count > 0 ? DB_TEXT_ARRAY(change->events, change->event_count) : DB_NULL,
                change->has_state ? DB_TEXT_Z(webhook_endpoint_state_word(change->state)) : DB_NULL));
    if (err == ERR_NOT_FOUND)
        return ERR_HTTP_PRECONDITION;
    if (err == ERR_OK && change->has_state && change->state == WEBHOOK_ENDPOINT_DISABLED)
        err = db_exec(tx, &deliveries_cancel_stmt, DB_ARGS(DB_ID(endpoint)), NULL);
    return err == ERR_OK ? webhook_endpoint_get(tx, endpoint, arena, out) : err;
}

static const struct db_stmt endpoint_delete_stmt = {
    "webhook_endpoint_delete",
    "UPDATE webhook_endpoint SET state = 'deleted', disabled_reason = NULL, updated_at = now(), revision = revision + 1,"
    " secret_ct = '', secret_iv = decode(repeat('00', 12), 'hex'), secret_tag = decode(repeat('00', 16), 'hex')"
    " WHERE tenant_id = $1 AND id = $2 AND ($3 = 0 OR revision = $3) AND state <> 'deleted'"
};

enum err
webhook_endpoint_delete(struct db_tx *tx, struct id endpoint, uint32_t revision)
{
    enum err err = db_exec_one(tx, &endpoint_delete_stmt, DB_ARGS(DB_ID(endpoint), DB_I64(revision)));

    return err == ERR_OK ? db_exec(tx, &deliveries_cancel_stmt, DB_ARGS(DB_ID(endpoint)), NULL) : err;
}

static const struct db_stmt endpoint_rotate_stmt = {
    "webhook_endpoint_rotate",
    "UPDATE webhook_endpoint SET generation = $3, key_version = $4, secret_ct = $5, secret_iv = $6, secret_tag = $7,"
    " updated_at = now(), revision = revision + 1"
    " WHERE tenant_id = $1 AND id = $2 AND generation = $3 - 1 AND state <> 'deleted'"
};

enum err
webhook_endpoint_rotate(struct db_tx *tx, struct id endpoint, uint32_t generation,
                        const struct vault_sealed *secret, struct arena *arena, struct webhook_endpoint *out)
{
    enum err err = db_exec_one(
        tx, &endpoint_rotate_stmt,
        DB_ARGS(DB_ID(endpoint), DB_I64(generation), DB_I64(secret->key_version), SEALED_ARGS(secret)));

    if (err == ERR_NOT_FOUND)
        return ERR_HTTP_PRECONDITION;
    return err == ERR_OK ? webhook_endpoint_get(tx, endpoint, arena, out) : err;
}
