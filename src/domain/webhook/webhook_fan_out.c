/* From the event log to deliveries. Read, render and seal first; then, in one transaction, deliveries and
 * cursor. */
#include "core/log.h"
#include "domain/tenant/sealed_column.h"
#include "domain/webhook/webhook_delivery.h"
#include "domain/webhook/webhook_render.h"

/*
 * What one batch may hold of the arena before it is cut: content as it was read, opened, and sealed for each
 * endpoint. One event more than this is at most WEBHOOK_ENDPOINT_PER_TENANT_MAX bodies.
 */
#define BATCH_BYTES_MAX (32u * 1024u * 1024u)

struct cursor {
    int64_t xid;
    struct id id;
};

/* An event as read, with its tenant and the endpoints that want it. */
struct taken {
    struct event event;
    struct id tenant;
    struct cursor cursor;        /* behind it */
    bool is_oversized;           /* its content was left where it is: no body could hold it */
    struct vault_sealed content; /* cipher.ptr NULL: none */
    struct id *endpoints;
    bool *is_thin; /* of the endpoint beside it */
    size_t endpoint_count;
    struct {
        struct id delivery, endpoint;
        struct vault_sealed body;
    } * deliveries;
    size_t delivery_count;
};

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
    "SELECT e.tenant_id, e.id, e.xid::text::bigint, e.type, e.subject_id, e.channel_id, e.occurred_at, e.data::text,"
    " e.key_version, CASE WHEN octet_length(e.content_ct) <= $3 THEN e.content_ct END, e.content_iv, e.content_tag"
    " FROM event e"
    " WHERE (e.xid, e.id) > ($1::text::xid8, $2) AND e.xid < pg_snapshot_xmin(pg_current_snapshot())"
    " ORDER BY e.xid, e.id LIMIT 200" /* WEBHOOK_FANOUT_MAX */
};

/* Only endpoints that were there when it happened hear of it. */
static const struct db_stmt endpoints_match_stmt = {
    "webhook_endpoints_match",
    "SELECT w.tenant_id, w.id, w.events, w.channels::text[], w.payload FROM webhook_endpoint w"
    " WHERE w.tenant_id = ANY ($1::uuid[]) AND w.state = 'enabled' ORDER BY w.tenant_id, w.id LIMIT 10000"
};

static enum err
taken_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct taken *out, bool *is_known)
{
    enum err err = ERR_OK;

    *out = (struct taken){ .tenant = db_id(rows, row, 0),
                           .cursor = { db_i64(rows, row, 2), db_id(rows, row, 1) } };
    *is_known = event_type_parse(db_text(rows, row, 3), &out->event.type) == ERR_OK &&
                event_type_is_public(out->event.type);
    if (!*is_known)
        return ERR_OK;
    out->event.id = db_id(rows, row, 1);
    out->event.subject = db_id(rows, row, 4);
    if (!db_is_null(rows, row, 5))
        out->event.channel = db_id(rows, row, 5);
    out->event.occurred_at = db_time(rows, row, 6);
    out->event.data = arena_copy(arena, db_text(rows, row, 7));
    if (out->event.data.ptr == NULL)
        return ERR_NO_MEMORY;
    out->is_oversized = !db_is_null(rows, row, 8) && db_is_null(rows, row, 9);
    if (!db_is_null(rows, row, 9))
        err = sealed_column_read(rows, row, 9, (uint32_t)db_i64(rows, row, 8), arena, &out->content);
    return err;
}

/* An endpoint's choice, while its row is looked at. */
struct wish {
    struct id tenant, endpoint;
    bool is_thin;
    struct slice *events, *channels; /* channels as text: few have any */
    size_t event_count, channel_count;
};

static enum err
wish_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct wish *out)
{
    out->tenant = db_id(rows, row, 0);
    out->endpoint = db_id(rows, row, 1);
    out->is_thin = slice_eq(db_text(rows, row, 4), SLICE("thin"));
    enum err err =
        db_text_array(rows, row, 2, arena, out->events, WEBHOOK_ENDPOINT_EVENTS_MAX, &out->event_count);
    return err == ERR_OK ? db_text_array(rows, row, 3, arena, out->channels, WEBHOOK_ENDPOINT_CHANNELS_MAX,
                                         &out->channel_count)
                         : err;
}

static bool
is_wished(const struct wish *wish, const struct taken *taken)
{
    char text[ID_UUID_BYTES];
    const struct event *event = &taken->event;

    if (!id_eq(taken->tenant, wish->tenant) ||
        memcmp(wish->endpoint.bytes, event->id.bytes, ID_BYTES) > 0 /* it was not there yet */ ||
        !webhook_filter_wants(wish->events, wish->event_count, slice_text(event_type_word(event->type))))
        return false;
    if (wish->channel_count == 0 || id_is_zero(event->channel)) /* what is of no sender concerns all */
        return true;
    struct slice channel = id_uuid_print(event->channel, text);
    for (size_t i = 0; i < wish->channel_count; i++)
        if (slice_eq(wish->channels[i], channel))
            return true;
    return false;
}

static enum err
taken_add(struct taken *taken, const struct wish *wish, struct arena *arena)
{
    if (taken->endpoints == NULL) { /* of one tenant there are at most so many */
        taken->endpoints = arena_array(arena, WEBHOOK_ENDPOINT_PER_TENANT_MAX, sizeof(*taken->endpoints));
        taken->is_thin = arena_array(arena, WEBHOOK_ENDPOINT_PER_TENANT_MAX, sizeof(*taken->is_thin));
    }
    if (taken->endpoints == NULL || taken->is_thin == NULL)
        return ERR_NO_MEMORY;
    if (taken->endpoint_count == WEBHOOK_ENDPOINT_PER_TENANT_MAX)
        return ERR_OK;
    taken->is_thin[taken->endpoint_count] = wish->is_thin;
    taken->endpoints[taken->endpoint_count++] = wish->endpoint;
    return ERR_OK;
}

static enum err
match_endpoints(struct db_tx *tx, struct batch *batch, struct arena *arena)
{
    struct id *tenants = arena_array(arena, batch->count, sizeof(*tenants));
    struct wish wish = { .events = arena_array(arena, WEBHOOK_ENDPOINT_EVENTS_MAX, sizeof(struct slice)),
                         .channels =
                             arena_array(arena, WEBHOOK_ENDPOINT_CHANNELS_MAX, sizeof(struct slice)) };
    struct db_rows *rows = NULL;

    if (tenants == NULL || wish.events == NULL || wish.channels == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < batch->count; i++)
        tenants[i] = batch->taken[i].tenant;
    enum err err = db_query(tx, &endpoints_match_stmt, DB_ARGS(DB_ID_ARRAY(tenants, batch->count)), &rows);
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

static bool
has_payload(const struct taken *taken, bool is_thin)
{
    for (size_t i = 0; i < taken->endpoint_count; i++)
        if (taken->is_thin[i] == is_thin)
            return true;
    return false;
}

/* One of the two bodies, sealed for each delivery that wants it: the seal is bound to the row. */
static enum err
body_seal(const struct vault *vault, const struct clock *clock, struct arena *arena, struct taken *taken,
          bool is_thin)
{
    struct vault_place content_place = event_content_place(taken->tenant, taken->event.id);
    struct slice content = SLICE_EMPTY;
    struct buf body;
    enum err err = ERR_OK;

    if (!has_payload(taken, is_thin))
        return ERR_OK;
    if (!is_thin && taken->is_oversized)
        return ERR_LIMIT;
    buf_init(&body, WEBHOOK_BODY_BYTES_MAX);
    if (!is_thin && taken->content.cipher.ptr != NULL)
        err = vault_open_content(vault, &content_place, &taken->content, arena, &content);
    if (err == ERR_OK)
        err = is_thin ? webhook_render_thin(&taken->event, &body)
                      : webhook_render(&taken->event, content, &body);
    for (size_t i = 0; err == ERR_OK && i < taken->endpoint_count; i++) {
        struct id id = id_new(clock);
        struct vault_place place = {
            .tenant = taken->tenant, .table = "webhook_delivery", .column = "body", .row = id
        };
        if (taken->is_thin[i] != is_thin)
            continue;
        taken->deliveries[taken->delivery_count].delivery = id;
        taken->deliveries[taken->delivery_count].endpoint = taken->endpoints[i];
        err = vault_seal(vault, VAULT_CONTENT, &place, buf_slice(&body), arena,
                         &taken->deliveries[taken->delivery_count].body);
        taken->delivery_count += err == ERR_OK;
    }
    buf_release_wiped(&body);
    return err;
}

/* Rendered once for all endpoints, twice when some want it thin. */
static enum err
deliveries_seal(const struct vault *vault, const struct clock *clock, struct arena *arena,
                struct taken *taken)
{
    taken->delivery_count = 0;
    if (taken->endpoint_count == 0)
        return ERR_OK;
    taken->deliveries = arena_array(arena, taken->endpoint_count, sizeof(*taken->deliveries));
    if (taken->deliveries == NULL)
        return ERR_NO_MEMORY;
    enum err err = body_seal(vault, clock, arena, taken, true);
    size_t whole =
        err == ERR_OK ? taken->delivery_count : 0; /* those that an error in the other leaves alone */
    if (err == ERR_OK)
        err = body_seal(vault, clock, arena, taken, false);
    if (err != ERR_OK)
        taken->delivery_count = whole;
    return err;
}

/* Of the event, or of its tenant's keys, which may have been destroyed: it will not get better by itself. */
static bool
is_lost(enum err err)
{
    return err == ERR_SEAL_CORRUPT || err == ERR_JSON_SYNTAX || err == ERR_JSON_DEPTH || err == ERR_UTF8 ||
           err == ERR_LIMIT || err == ERR_VAULT_KEY_MISSING;
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
    "UPDATE consumer_cursor SET xid = $4::text::xid8, id = $5, updated_at = now() WHERE consumer = 'webhooks'"
    " AND xid = $2::text::xid8 AND id = $3 AND $1::uuid IS NOT NULL"
};
/*
 * An endpoint that was disabled since it was read gets nothing. The lock makes one that is being disabled
 * just now wait, so that it cancels these deliveries too.
 */
static const struct db_stmt delivery_insert_stmt = {
    "webhook_delivery_insert",
    "INSERT INTO webhook_delivery (tenant_id, id, endpoint_id, event_id, event_type, key_version, body_ct, body_iv,"
    " body_tag) SELECT $1, $2, w.id, $4, $5, $6, $7, $8, $9 FROM webhook_endpoint w"
    " WHERE w.tenant_id = $1 AND w.id = $3 AND w.state = 'enabled' FOR SHARE"
    " ON CONFLICT (tenant_id, endpoint_id, event_id) DO NOTHING"
};

/* ERR_STATE_CONFLICT: another process has moved the cursor meanwhile, and made the deliveries itself. */
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
        for (size_t d = 0; err == ERR_OK && d < taken->delivery_count; d++) {
            size_t queued = 0;
            err = db_exec(&tx, &delivery_insert_stmt,
                          DB_ARGS(DB_ID(taken->deliveries[d].delivery), DB_ID(taken->deliveries[d].endpoint),
                                  DB_ID(taken->event.id), DB_TEXT_Z(event_type_word(taken->event.type)),
                                  DB_I64(taken->deliveries[d].body.key_version),
                                  SEALED_ARGS(&taken->deliveries[d].body)),
                          &queued);
            *queued_out += queued;
        }
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
