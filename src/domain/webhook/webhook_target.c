#include "domain/tenant/sealed_column.h"
#include "domain/webhook/webhook_target_internal.h"

static const struct db_stmt targets_stmt = {
    "webhook_targets",
    "SELECT tenant_id, id, url, signature, headers_generation, headers_key_version, headers_ct, headers_iv, headers_tag,"
    " failures > 0, client_generation, client_certificate, client_not_after, client_key_key_version, client_key_ct,"
    " client_key_iv, client_key_tag FROM webhook_endpoint WHERE id = ANY ($1) ORDER BY id LIMIT 256" /* WEBHOOK_TARGETS_MAX
                                                                                                      */
};

static enum err
target_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct webhook_target *out)
{
    *out = (struct webhook_target){ .tenant = db_id(rows, row, 0),
                                    .endpoint = db_id(rows, row, 1),
                                    .url = arena_copy(arena, db_text(rows, row, 2)),
                                    .signing = webhook_signing_from(db_text(rows, row, 3)),
                                    .headers_generation = (uint32_t)db_i64(rows, row, 4),
                                    .has_headers = !db_is_null(rows, row, 5),
                                    .is_failing = db_bool(rows, row, 9),
                                    .client_generation = (uint32_t)db_i64(rows, row, 10),
                                    .has_client = !db_is_null(rows, row, 11) };
    enum err err = out->url.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err == ERR_OK && out->has_headers)
        err = sealed_column_read(rows, row, 6, (uint32_t)db_i64(rows, row, 5), arena, &out->headers);
    if (err != ERR_OK || !out->has_client)
        return err;
    out->client_certificate = arena_copy(arena, db_text(rows, row, 11));
    out->client_not_after = db_time(rows, row, 12);
    return out->client_certificate.ptr == NULL
               ? ERR_NO_MEMORY
               : sealed_column_read(rows, row, 14, (uint32_t)db_i64(rows, row, 13), arena, &out->client_key);
}

enum err
webhook_targets_read(struct db_tx *tx, struct arena *arena, const struct id *endpoints, size_t count,
                     struct webhook_target **out, size_t *count_out)
{
    struct id *key_endpoints = NULL;
    struct webhook_keys *keys = NULL;
    struct db_rows *rows = NULL;
    size_t key_count = 0;
    enum err err = db_query(tx, &targets_stmt, DB_ARGS(DB_ID_ARRAY(endpoints, count)), &rows);

    *count_out = 0;
    if (err == ERR_OK)
        err = webhook_keys_live(tx, endpoints, count, arena, &key_endpoints, &keys, &key_count);
    size_t target_count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct webhook_target *targets = arena_array(arena, target_count, sizeof(*targets));
    if (err == ERR_OK && targets == NULL)
        err = ERR_NO_MEMORY;
    for (size_t t = 0; err == ERR_OK && t < target_count; t++) {
        err = target_from_row(rows, t, arena, &targets[t]);
        for (size_t k = 0; k < key_count; k++) { /* they come by endpoint: one run of them is this one's */
            if (!id_eq(key_endpoints[k], targets[t].endpoint))
                continue;
            if (targets[t].key_count++ == 0)
                targets[t].keys = &keys[k];
        }
    }
    db_rows_free(rows);
    if (err == ERR_OK) {
        *out = targets;
        *count_out = target_count;
    }
    return err;
}

const struct webhook_target *
webhook_target_find(const struct webhook_target *targets, size_t count, struct id endpoint)
{
    for (size_t t = 0; t < count; t++)
        if (id_eq(targets[t].endpoint, endpoint))
            return &targets[t];
    return NULL;
}
