#include "domain/webhook/webhook_told.h"

/* By way of the endpoints, which are few: so that an index is used that is there for other reasons. */
static const struct db_stmt deliveries_of_stmt = {
    "webhook_deliveries_of",
    "SELECT d.event_id, d.id, d.endpoint_id, d.state, d.attempt FROM webhook_endpoint e JOIN webhook_delivery d"
    " ON d.tenant_id = $1 AND d.endpoint_id = e.id AND d.event_id = ANY ($2::uuid[])"
    " WHERE e.tenant_id = $1 ORDER BY d.id LIMIT 2000" /* WEBHOOK_TOLD_MAX */
};

enum err
webhook_deliveries_of(struct db_tx *tx, const struct id *events, size_t event_count, struct arena *arena,
                      struct webhook_told **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &deliveries_of_stmt, DB_ARGS(DB_ID_ARRAY(events, event_count)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct webhook_told *told = arena_array(arena, count, sizeof(*told));

    if (err == ERR_OK && told == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        told[i] = (struct webhook_told){ .event = db_id(rows, i, 0),
                                         .delivery = db_id(rows, i, 1),
                                         .endpoint = db_id(rows, i, 2),
                                         .state = arena_copy(arena, db_text(rows, i, 3)),
                                         .attempt_count = (int)db_i64(rows, i, 4) };
        if (told[i].state.ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    db_rows_free(rows);
    *out = told;
    *count_out = err == ERR_OK ? count : 0;
    return err;
}
