/* From the event log to deliveries. Read, render and seal first; then, in one transaction, deliveries and
 * cursor. */
#include "core/log.h"
#include "domain/webhook/webhook_event_delivery_internal.h"
#include "domain/webhook/webhook_render.h"
#include "domain/webhook/webhook_target_internal.h"
#include <stdlib.h>

/*
 * What one batch may hold of the arena before it is cut: content as it was read, opened, and sealed for each
 * endpoint. One event more than this is at most WEBHOOK_ENDPOINT_PER_TENANT_MAX bodies.
 */
#define BATCH_BYTES_MAX (32u * 1024u * 1024u)
#define PART_BYTES_MAX  (8u * 1024u * 1024u) /* of it in one exchange with the vault */

#define WORDS_MAX 256u /* far more than there are types and groups */

/* What the cursor passes at once at the most; of these WEBHOOK_FANOUT_MAX that somebody may want. */
#define PAGE_MAX "2000"

struct batch {
    struct cursor before, page_end, after;
    bool is_moved;       /* nobody listens: the cursor stands behind the page already */
    struct slice *types; /* of events that somebody in the page may want */
    size_t type_count;
    struct taken *taken;
    size_t count, passed;                /* events to be told, and all that the cursor passes */
    const struct webhook_places *places; /* NULL: nothing is handed over */
    struct webhook_target *targets;      /* of what may be handed over */
    size_t target_count;
};

/*
 * The next page, in the order (xid, id), below the oldest transaction that still runs: whatever commits later
 * has a larger xid, so no event is passed over. Only keys are read, and what the enabled endpoints of its
 * tenants want. When none of them has one, the cursor moves behind it there and then, in a commit that does
 * not wait for the disk: who comes back to where the cursor was finds again that nobody listens.
 */
static const struct db_stmt page_stmt = {
    "webhook_page",
    "WITH c AS MATERIALIZED (SELECT xid, id FROM consumer_cursor WHERE consumer = 'webhooks'),"
    " page AS MATERIALIZED (SELECT p.* FROM c CROSS JOIN LATERAL (SELECT e.tenant_id, e.xid, e.id FROM event_log e"
    " WHERE (e.xid, e.id) > (c.xid, c.id) AND e.xid IS NOT NULL AND e.xid < (SELECT"
    " ((pg_snapshot_xmin(pg_current_snapshot())::text::bigint + k.base)::text)::xid8 FROM event_clock k)"
    " ORDER BY e.xid, e.id LIMIT " PAGE_MAX ") p),"
    " page_end AS MATERIALIZED (SELECT xid, id FROM page ORDER BY xid DESC, id DESC LIMIT 1),"
    " heard AS MATERIALIZED (SELECT array_agg(DISTINCT x.word) AS words FROM (SELECT DISTINCT tenant_id FROM page) t"
    " JOIN webhook_endpoint w ON w.tenant_id = t.tenant_id AND w.state = 'enabled'"
    " CROSS JOIN LATERAL unnest(w.events) x (word)),"
    " moved AS (UPDATE consumer_cursor u SET xid = n.xid, id = n.id, updated_at = now(), is_resting = false"
    " FROM page_end n, c, heard h WHERE u.consumer = 'webhooks' AND u.xid = c.xid AND u.id = c.id AND h.words IS NULL"
    " RETURNING set_config('synchronous_commit', 'off', true))"
    " SELECT c.xid, c.id, n.xid, n.id, (SELECT count(*) FROM page), h.words,"
    " EXISTS (SELECT FROM moved) FROM c CROSS JOIN heard h LEFT JOIN page_end n ON true"
};

/*
 * Of the page those of tenants with an endpoint, and of types that one of them wants. Unknown types (of a
 * newer build) are passed like the others. Content that no body could hold is not even read: a tenant chooses
 * how large its callbacks are.
 */
static const struct db_stmt events_take_stmt = {
    "webhook_events_take",
    "SELECT " WEBHOOK_EVENT_COLUMNS(
        "$5") " FROM event_log e"
              " WHERE (e.xid, e.id) > ($1, $2) AND (e.xid, e.id) <= ($3, $4) AND e.xid IS NOT NULL"
              " AND e.type = ANY ($6::text[])"
              " AND EXISTS (SELECT FROM webhook_endpoint w WHERE w.tenant_id = e.tenant_id AND w.state = 'enabled')"
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

/* Where those that are wanted would go, for what is handed over. Of more endpoints, the others' wait. */
static enum err
targets_read(struct db_tx *tx, struct arena *arena, struct batch *batch)
{
    struct id *endpoints = arena_array(arena, WEBHOOK_TARGETS_MAX, sizeof(*endpoints));
    size_t count = 0;

    if (endpoints == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < batch->count; i++)
        for (size_t e = 0; e < batch->taken[i].endpoint_count && count < WEBHOOK_TARGETS_MAX; e++) {
            size_t known = 0;
            while (known < count && !id_eq(endpoints[known], batch->taken[i].endpoints[e]))
                known++;
            if (known == count)
                endpoints[count++] = batch->taken[i].endpoints[e];
        }
    return count == 0
               ? ERR_OK
               : webhook_targets_read(tx, arena, endpoints, count, &batch->targets, &batch->target_count);
}

/* The types that the page's endpoints name, by themselves or with their group; and a test's, whatever they
 * do.
 */
static enum err
types_read(const struct db_rows *rows, struct arena *arena, struct batch *batch)
{
    struct slice *words = arena_array(arena, WORDS_MAX, sizeof(*words));
    size_t count = 0;

    batch->types = arena_array(arena, EVENT_TYPE_COUNT, sizeof(*batch->types));
    enum err err = words == NULL || batch->types == NULL
                       ? ERR_NO_MEMORY
                       : db_text_array(rows, 0, 5, arena, words, WORDS_MAX, &count);
    for (size_t i = 0; err == ERR_OK && i < EVENT_TYPE_COUNT; i++) {
        struct slice type = slice_text(event_type_word((enum event_type)i));
        if (i == EVENT_TEST_PING || webhook_filter_wants(words, count, type))
            batch->types[batch->type_count++] = type;
    }
    return err;
}

/* *is_heard_out: some of the page may be wanted. Else the cursor has moved, if there is a page at all. */
static enum err
page_read(struct db_tx *tx, struct arena *arena, struct batch *batch, bool *is_heard_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &page_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && db_rows_count(rows) != 1)
        err = ERR_DB_STATEMENT;
    if (err == ERR_OK) {
        batch->before = batch->page_end = (struct cursor){ db_i64(rows, 0, 0), db_id(rows, 0, 1) };
        batch->passed = (size_t)db_i64(rows, 0, 4);
        if (batch->passed > 0)
            batch->page_end = (struct cursor){ db_i64(rows, 0, 2), db_id(rows, 0, 3) };
        *is_heard_out = !db_is_null(rows, 0, 5);
        batch->is_moved = db_bool(rows, 0, 6);
    }
    if (err == ERR_OK && *is_heard_out)
        err = types_read(rows, arena, batch);
    batch->after = batch->page_end;
    db_rows_free(rows);
    return err;
}

static enum err
events_read(struct db_tx *tx, struct arena *arena, struct batch *batch)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &events_take_stmt,
                 DB_ARGS(DB_XID(batch->before.xid), DB_ID(batch->before.id), DB_XID(batch->page_end.xid),
                         DB_ID(batch->page_end.id), DB_I64(WEBHOOK_BODY_BYTES_MAX),
                         DB_TEXT_ARRAY(batch->types, batch->type_count)),
                 &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    batch->taken = arena_array(arena, count, sizeof(*batch->taken));
    if (err == ERR_OK && batch->taken == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        bool is_known = false;
        err = taken_from_row(rows, i, arena, &batch->taken[batch->count], &is_known);
        batch->count += err == ERR_OK && is_known;
    }
    if (err == ERR_OK && count == WEBHOOK_FANOUT_MAX) { /* there may be more of them in the page */
        batch->after = (struct cursor){ db_i64(rows, count - 1, 2), db_id(rows, count - 1, 1) };
        batch->passed = count;
    }
    db_rows_free(rows);
    return err;
}

/* What is behind the cursor and who wants it. Nothing is locked or changed, unless nobody wants anything. */
static enum err
batch_read(struct db *db, struct arena *arena, struct batch *batch)
{
    struct db_tx tx = { .is_open = false };
    bool is_heard = false;
    enum err err = db_begin_across(db, "webhook.fanout", &tx);

    if (err == ERR_OK)
        err = page_read(&tx, arena, batch, &is_heard);
    if (err == ERR_OK && is_heard)
        err = events_read(&tx, arena, batch);
    if (err == ERR_OK && batch->count > 0)
        err = match_endpoints(&tx, batch, arena);
    if (err == ERR_OK && batch->count > 0 && batch->places != NULL)
        err = targets_read(&tx, arena, batch);
    if (err == ERR_OK && batch->is_moved)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

/* As much as this is opened, rendered and sealed at once: content and what it becomes for each endpoint. */
static size_t
taken_bytes(const struct taken *taken)
{
    return taken->endpoint_count == 0
               ? 0
               : (taken->endpoint_count + 2) * (taken->content.cipher.len + taken->event.data.len + 1024);
}

/* Part by part, and cuts the batch where the arena has had enough. */
static enum err
batch_seal(const struct vault *vault, const struct clock *clock, struct arena *arena, struct batch *batch)
{
    size_t used = arena_used(arena);

    for (size_t from = 0, end; from < batch->count; from = end) {
        size_t bytes = taken_bytes(&batch->taken[from]);
        for (end = from + 1; end < batch->count && bytes <= PART_BYTES_MAX; end++)
            bytes += taken_bytes(&batch->taken[end]);
        enum err err = deliveries_seal(vault, clock, arena, batch->taken + from, end - from);
        if (err != ERR_OK)
            return err;
        if (end < batch->count && arena_used(arena) - used > BATCH_BYTES_MAX) {
            batch->after = batch->taken[end - 1].cursor;
            batch->count = batch->passed = end;
        }
    }
    return ERR_OK;
}

static const struct db_stmt cursor_move_stmt = {
    "webhook_cursor_move",
    "UPDATE consumer_cursor SET xid = $4, id = $5, updated_at = now(), is_resting = false"
    " WHERE consumer = 'webhooks' AND xid = $2 AND id = $3 AND $1::uuid IS NOT NULL"
};

/* By tenant, and within one in the order of the log. */
static int
taken_compare(const void *a, const void *b)
{
    const struct taken *left = *(const struct taken *const *)a, *right = *(const struct taken *const *)b;
    int order = memcmp(left->tenant.bytes, right->tenant.bytes, ID_BYTES);

    return order != 0 ? order : left < right ? -1 : left > right;
}

/* All deliveries of a tenant by one statement. What is handed over keeps its places, also after an error. */
static enum err
batch_deliver(struct db_tx *tx, struct arena *arena, const struct batch *batch, struct webhook_fanned *out)
{
    const struct taken **wanted = arena_array(arena, batch->count, sizeof(const struct taken *));
    size_t count = 0, deliveries = 0;
    enum err err = wanted == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; i < batch->count; i++)
        deliveries += batch->taken[i].delivery_count;
    if (err == ERR_OK && (out->claims = arena_array(arena, deliveries, sizeof(*out->claims))) == NULL)
        err = ERR_NO_MEMORY;

    for (size_t i = 0; err == ERR_OK && i < batch->count; i++)
        if (batch->taken[i].delivery_count > 0)
            wanted[count++] = &batch->taken[i];
    if (count > 0)
        qsort(wanted, count, sizeof(const struct taken *), taken_compare);
    for (size_t i = 0, end; err == ERR_OK && i < count; i = end) {
        struct inserted inserted;
        for (end = i; end < count && id_eq(wanted[end]->tenant, wanted[i]->tenant);)
            end++;
        err = db_tx_turn_to(tx, wanted[i]->tenant);
        if (err != ERR_OK)
            break;
        err = deliveries_insert(tx, arena, wanted + i, end - i, batch->places, batch->targets,
                                batch->target_count, &inserted);
        out->queued += inserted.queued;
        for (size_t c = 0; c < inserted.claim_count; c++)
            out->claims[out->claim_count++] = inserted.claims[c];
    }
    return err;
}

/* ERR_STATE_CONFLICT: another process has moved the cursor meanwhile, and made the deliveries itself. */
static enum err
batch_write(struct db *db, struct arena *arena, const struct batch *batch, struct webhook_fanned *out)
{
    struct db_tx tx = { .is_open = false };
    struct id any = batch->count > 0 ? batch->taken[0].tenant : batch->after.id;
    enum err err = db_begin(db, any, &tx);

    if (err == ERR_OK)
        err = db_exec_one(&tx, &cursor_move_stmt,
                          DB_ARGS(DB_XID(batch->before.xid), DB_ID(batch->before.id),
                                  DB_XID(batch->after.xid), DB_ID(batch->after.id)));
    if (err == ERR_NOT_FOUND)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = batch_deliver(&tx, arena, batch, out);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    if (err == ERR_OK)
        return ERR_OK;
    /* If the commit has happened all the same, their leases run out. */
    for (size_t i = 0; i < out->claim_count; i++)
        batch->places->give_back(batch->places->ctx, out->claims[i].tenant, out->claims[i].endpoint);
    *out = (struct webhook_fanned){ .taken = 0 };
    return err;
}

enum err
webhook_fan_out(struct db *db, const struct vault *vault, const struct clock *clock, struct arena *arena,
                const struct webhook_places *places, struct webhook_fanned *out)
{
    struct batch batch = { .places = places };

    *out = (struct webhook_fanned){ .taken = 0 };
    enum err err = batch_read(db, arena, &batch);
    if (err == ERR_OK && batch.is_moved)
        out->taken = batch.passed;
    if (err != ERR_OK || batch.is_moved || batch.passed == 0)
        return err;
    err = batch_seal(vault, clock, arena, &batch);
    if (err == ERR_OK)
        err = batch_write(db, arena, &batch, out);
    if (err == ERR_OK || err == ERR_STATE_CONFLICT)
        out->taken = batch.passed;
    return err == ERR_STATE_CONFLICT ? ERR_OK : err;
}
