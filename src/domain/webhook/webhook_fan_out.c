/* From the event log to deliveries. Read, render and seal first; then, in one transaction, deliveries and
 * cursor. */
#include "core/log.h"
#include "domain/webhook/webhook_event_delivery_internal.h"
#include "domain/webhook/webhook_render.h"

/*
 * What one batch may hold of the arena before it is cut: content as it was read, opened, and sealed for each
 * endpoint. One event more than this is at most WEBHOOK_ENDPOINT_PER_TENANT_MAX bodies.
 */
#define BATCH_BYTES_MAX (32u * 1024u * 1024u)

struct batch {
    struct cursor before, after;
    struct taken *taken;
    size_t count, passed; /* events to be told, and all that the cursor passes */
};

static const struct db_stmt cursor_read_stmt = {
    "webhook_cursor_read", "SELECT xid::text::bigint, id FROM consumer_cursor WHERE consumer = 'webhooks'"
};

/*
 * In the order (xid, id), below the oldest transaction that still runs: whatever commits later has a larger
 * xid, so no event is passed over. Unknown types (of a newer build) move the cursor like the others. Content
 * that no body could hold is not even read: a tenant chooses how large its callbacks are.
 */
static const struct db_stmt events_take_stmt = {
    "webhook_events_take",
    "SELECT " WEBHOOK_EVENT_COLUMNS(
        "$3") " FROM event e"
              " WHERE (e.xid, e.id) > ($1::text::xid8, $2) AND e.xid < (SELECT"
              " ((pg_snapshot_xmin(pg_current_snapshot())::text::bigint + c.base)::text)::xid8 FROM event_clock c)"
              " ORDER BY e.xid, e.id LIMIT 200" /* WEBHOOK_FANOUT_MAX */
};

/* Only endpoints that were there when it happened hear of it. */
static const struct db_stmt endpoints_match_stmt = {
    "webhook_endpoints_match",
    "SELECT w.tenant_id, w.id, w.events, w.channels::text[], w.payload FROM webhook_endpoint w"
    " WHERE w.tenant_id = ANY ($1::uuid[]) AND w.state = 'enabled' ORDER BY w.tenant_id, w.id LIMIT 10000"
};

static enum err
match_endpoints(struct db_tx *tx, struct batch *batch, struct arena *arena)
{
    struct id *tenants = arena_array(arena, batch->count, sizeof(*tenants));
    struct wish wish;
    struct db_rows *rows = NULL;
    enum err err = tenants == NULL ? ERR_NO_MEMORY : wish_init(&wish, arena);

    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < batch->count; i++)
        tenants[i] = batch->taken[i].tenant;
    err = db_query(tx, &endpoints_match_stmt, DB_ARGS(DB_ID_ARRAY(tenants, batch->count)), &rows);
    size_t rows_count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t r = 0; err == ERR_OK && r < rows_count; r++) {
        err = wish_from_row(rows, r, arena, &wish);
        for (size_t i = 0; err == ERR_OK && i < batch->count; i++)
            if (is_wished(&wish, &batch->taken[i]))
                err = taken_add(&batch->taken[i], &wish, arena);
    }
    db_rows_free(rows);
    return err;
}

/* The cursor, the events behind it and who wants them; nothing is locked or changed. */
static enum err
batch_read(struct db *db, struct arena *arena, struct batch *batch)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "webhook.fanout", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &cursor_read_stmt, DB_NO_ARGS, &rows);
    if (err != ERR_OK || db_rows_count(rows) != 1) {
        err = err == ERR_OK ? ERR_DB_STATEMENT : err;
        goto done;
    }
    batch->before = batch->after = (struct cursor){ db_i64(rows, 0, 0), db_id(rows, 0, 1) };
    db_rows_free(rows);
    rows = NULL;
    struct slice xid = arena_format(arena, "%lld", (long long)batch->before.xid);
    err = db_query(&tx, &events_take_stmt,
                   DB_ARGS(DB_TEXT(xid), DB_ID(batch->before.id), DB_I64(WEBHOOK_BODY_BYTES_MAX)), &rows);
    if (err != ERR_OK)
        goto done;
    size_t count = batch->passed = db_rows_count(rows);
    batch->taken = arena_array(arena, count, sizeof(*batch->taken));
    if (batch->taken == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        bool is_known = false;
        err = taken_from_row(rows, i, arena, &batch->taken[batch->count], &is_known);
        batch->count += err == ERR_OK && is_known;
        batch->after = (struct cursor){ db_i64(rows, i, 2), db_id(rows, i, 1) };
    }
    if (err == ERR_OK && batch->count > 0)
        err = match_endpoints(&tx, batch, arena);
done:
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

/* Seals for one event after the other, and cuts the batch where the arena has had enough. */
static enum err
batch_seal(const struct vault *vault, const struct clock *clock, struct arena *arena, struct batch *batch)
{
    size_t used = arena_used(arena);

    for (size_t i = 0; i < batch->count; i++) {
        struct taken *taken = &batch->taken[i];
        enum err err = deliveries_seal(vault, clock, arena, taken);
        if (err == ERR_VAULT_KEY_MISSING) /* also said by a vault that began anew in between: ask once more */
            err = deliveries_seal(vault, clock, arena, taken);
        if (is_lost(err)) {
            /* One damaged or oversized event must not stop all that come after it: it is told on the log. */
            log_event(LOG_ERROR, "webhook.event_unreadable", LOG_ID("event", ID_EVENT, taken->event.id),
                      LOG_ERR(err));
        } else if (err != ERR_OK) {
            return err;
        }
        if (i + 1 < batch->count && arena_used(arena) - used > BATCH_BYTES_MAX) {
            batch->after = taken->cursor;
            batch->count = batch->passed = i + 1;
        }
    }
    return ERR_OK;
}

static const struct db_stmt cursor_move_stmt = {
    "webhook_cursor_move",
    "UPDATE consumer_cursor SET xid = $4::text::xid8, id = $5, updated_at = now(), is_resting = false"
    " WHERE consumer = 'webhooks'"
    " AND xid = $2::text::xid8 AND id = $3 AND $1::uuid IS NOT NULL"
};
static enum err
batch_write(struct db *db, struct arena *arena, const struct batch *batch, size_t *queued_out)
{
    struct db_tx tx = { .is_open = false };
    struct slice before = arena_format(arena, "%lld", (long long)batch->before.xid);
    struct slice after = arena_format(arena, "%lld", (long long)batch->after.xid);
    struct id any = batch->count > 0 ? batch->taken[0].tenant : batch->after.id;
    enum err err = db_begin(db, any, &tx);

    *queued_out = 0;
    if (err == ERR_OK)
        err = db_exec_one(
            &tx, &cursor_move_stmt,
            DB_ARGS(DB_TEXT(before), DB_ID(batch->before.id), DB_TEXT(after), DB_ID(batch->after.id)));
    if (err == ERR_NOT_FOUND)
        err = ERR_STATE_CONFLICT;
    for (size_t i = 0; err == ERR_OK && i < batch->count; i++) {
        const struct taken *taken = &batch->taken[i];
        if (taken->delivery_count > 0)
            err = db_tx_turn_to(&tx, taken->tenant);
        if (err == ERR_OK)
            err = deliveries_insert(&tx, taken, queued_out);
    }
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

enum err
webhook_fan_out(struct db *db, const struct vault *vault, const struct clock *clock, struct arena *arena,
                size_t *taken_out, size_t *queued_out)
{
    struct batch batch = { .count = 0 };
    enum err err = batch_read(db, arena, &batch);

    *taken_out = *queued_out = 0;
    if (err != ERR_OK || (batch.after.xid == batch.before.xid && id_eq(batch.after.id, batch.before.id)))
        return err;
    err = batch_seal(vault, clock, arena, &batch);
    if (err == ERR_OK)
        err = batch_write(db, arena, &batch, queued_out);
    if (err == ERR_OK || err == ERR_STATE_CONFLICT)
        *taken_out = batch.passed;
    return err == ERR_STATE_CONFLICT ? ERR_OK : err;
}
