#include "domain/message/provider_event.h"
#include "domain/tenant/sealed_column.h"

static struct vault_place
body_place(struct id tenant, struct id event)
{
    return (
        struct vault_place){ .tenant = tenant, .table = "provider_event", .column = "body", .row = event };
}

/* Keyed, so that a reader of the table cannot test a guess at the body. */
struct vault_seal_item
provider_event_seal_item(struct id tenant, struct id event, struct slice body)
{
    return (struct vault_seal_item){ .place = body_place(tenant, event),
                                     .plain = body,
                                     .index_label = "provider_event" };
}

void
provider_event_sealed(const struct vault_seal_item *item, struct provider_event_new *event)
{
    event->body = item->sealed;
    memcpy(event->digest, item->index, sizeof(event->digest));
}

enum err
provider_event_seal(const struct vault *vault, const struct clock *clock, struct id tenant, struct id channel,
                    struct slice body, struct arena *arena, struct provider_event_new *out)
{
    *out = (struct provider_event_new){ .id = id_new(clock), .tenant = tenant, .channel = channel };
    struct vault_seal_item item = provider_event_seal_item(tenant, out->id, body);
    enum err err = vault_seal_many(vault, VAULT_CONTENT, &item, 1, arena);
    if (err == ERR_OK)
        provider_event_sealed(&item, out);
    return err;
}

/* One notice, however many are stored; none when nothing is new. */
static const struct db_stmt provider_events_store_stmt = {
    "provider_events_store",
    "WITH stored AS (INSERT INTO provider_event (tenant_id, id, channel_id, digest, key_version, body_ct, body_iv,"
    " body_tag) SELECT $1, n.id, n.channel_id, n.digest, n.key_version, n.ct, n.iv, n.tag"
    " FROM unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[], $8::bytea[])"
    " AS n (id, channel_id, digest, key_version, ct, iv, tag) ON CONFLICT (tenant_id, channel_id, digest) DO NOTHING"
    " RETURNING id), told AS MATERIALIZED (SELECT pg_notify('harkara_provider_event', '')"
    " FROM (SELECT FROM stored LIMIT 1) s) SELECT s.id, (SELECT count(*) FROM told) FROM stored s"
};

enum err
provider_events_store(struct db_tx *tx, const struct provider_event_new *events, size_t count,
                      struct arena *arena, struct db_rows **stored_out)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    struct id *channels = arena_array(arena, count, sizeof(*channels));
    int64_t *versions = arena_array(arena, count, sizeof(*versions));
    enum { DIGEST, CIPHER, IV, TAG, SLICES };
    struct slice *slices[SLICES];

    *stored_out = NULL;
    if (ids == NULL || channels == NULL || versions == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < SLICES; i++)
        if ((slices[i] = arena_array(arena, count, sizeof(struct slice))) == NULL)
            return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        ids[i] = events[i].id;
        channels[i] = events[i].channel;
        versions[i] = events[i].body.key_version;
        slices[DIGEST][i] = slice_of(events[i].digest, sizeof(events[i].digest));
        slices[CIPHER][i] = events[i].body.cipher;
        slices[IV][i] = slice_of(events[i].body.iv, VAULT_IV_BYTES);
        slices[TAG][i] = slice_of(events[i].body.tag, VAULT_TAG_BYTES);
    }
    return db_later(tx, &provider_events_store_stmt,
                    DB_ARGS(DB_ID_ARRAY(ids, count), DB_ID_ARRAY(channels, count),
                            DB_BYTES_ARRAY(slices[DIGEST], count), DB_I64_ARRAY(versions, count),
                            DB_BYTES_ARRAY(slices[CIPHER], count), DB_BYTES_ARRAY(slices[IV], count),
                            DB_BYTES_ARRAY(slices[TAG], count)),
                    stored_out);
}

static const struct db_stmt provider_event_claim_stmt = {
    "provider_event_claim",
    "UPDATE provider_event e SET fence = e.fence + 1, attempt = e.attempt + 1,"
    " lease_until = now() + make_interval(secs => $1 / 1000.0)"
    " FROM (SELECT tenant_id, id FROM provider_event WHERE state = 'stored' AND due_at <= now()"
    " AND (lease_until IS NULL OR lease_until < now()"
    " OR lease_until > now() + make_interval(secs => $1 / 500.0))" /* given by a clock that was ahead */
    " ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) due"
    " WHERE e.tenant_id = due.tenant_id AND e.id = due.id"
    " RETURNING e.tenant_id, e.id, e.channel_id, e.fence, e.attempt, e.key_version,"
    " CASE WHEN octet_length(e.body_ct) <= $3 THEN e.body_ct END, e.body_iv, e.body_tag"
};

enum err
provider_event_claim(struct db *db, size_t count_max, struct arena *arena, struct provider_event **out,
                     size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "provider.interpret", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &provider_event_claim_stmt,
                       DB_ARGS(DB_I64(PROVIDER_EVENT_LEASE_MS), DB_I64((int64_t)count_max),
                               DB_I64(PROVIDER_EVENT_SMALL_BYTES)),
                       &rows);
    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct provider_event *events = arena_array(arena, count, sizeof(*events));
    if (events == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        events[i] = (struct provider_event){ .tenant = db_id(rows, i, 0),
                                             .id = db_id(rows, i, 1),
                                             .channel = db_id(rows, i, 2),
                                             .fence = db_i64(rows, i, 3),
                                             .attempt = (int)db_i64(rows, i, 4),
                                             .is_large = db_is_null(rows, i, 6) };
        if (!events[i].is_large)
            err = sealed_column_read(rows, i, 6, (uint32_t)db_i64(rows, i, 5), arena, &events[i].body);
    }
    if (err == ERR_OK)
        err = db_commit(&tx);
    if (err == ERR_OK) {
        *out = events;
        *count_out = count;
    }
done:
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt provider_event_body_stmt = {
    "provider_event_body",
    "SELECT key_version, body_ct, body_iv, body_tag FROM provider_event WHERE tenant_id = $1 AND id = $2"
};

enum err
provider_event_body_read(struct db_tx *tx, struct arena *arena, struct provider_event *event)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &provider_event_body_stmt, DB_ARGS(DB_ID(event->id)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = sealed_column_read(rows, 0, 1, (uint32_t)db_i64(rows, 0, 0), arena, &event->body);
    db_rows_free(rows);
    return err;
}

struct vault_ask
provider_event_ask(const struct provider_event *event)
{
    struct vault_place place = body_place(event->tenant, event->id);

    return vault_ask_open(VAULT_CONTENT, &place, &event->body);
}

enum err
provider_event_open(const struct vault *vault, const struct provider_event *event, struct arena *arena,
                    struct slice *body_out)
{
    struct vault_place place = body_place(event->tenant, event->id);

    return vault_open_content(vault, &place, &event->body, arena, body_out);
}

static const struct db_stmt provider_event_done_stmt = {
    "provider_event_done", "UPDATE provider_event SET state = 'interpreted', lease_until = NULL"
                           " WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'stored'"
};

enum err
provider_event_done(struct db_tx *tx, const struct provider_event *event)
{
    enum err err =
        db_exec_one(tx, &provider_event_done_stmt, DB_ARGS(DB_ID(event->id), DB_I64(event->fence)));

    return err == ERR_NOT_FOUND ? ERR_STATE_CONFLICT : err;
}

/*
 * Who holds a claim has a lease, also one that ran out. By the state, the planner would look at all that
 * waits; and joined with the list, it would look up the whole list for each of its rows.
 */
static const struct db_stmt provider_events_done_stmt = {
    "provider_events_done",
    "UPDATE provider_event e SET state = 'interpreted', lease_until = NULL WHERE e.tenant_id = $1"
    " AND e.id = ANY ($2::uuid[]) AND e.fence = ($3::bigint[])[array_position($2::uuid[], e.id)]"
    " AND e.lease_until IS NOT NULL RETURNING e.id"
};

enum err
provider_events_done(struct db_tx *tx, const struct provider_event *const *events, size_t count,
                     struct arena *arena, bool *held_out)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    int64_t *fences = arena_array(arena, count, sizeof(*fences));
    struct db_rows *rows = NULL;

    if (ids == NULL || fences == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        ids[i] = events[i]->id;
        fences[i] = events[i]->fence;
        held_out[i] = false;
    }
    enum err err = db_query(tx, &provider_events_done_stmt,
                            DB_ARGS(DB_ID_ARRAY(ids, count), DB_I64_ARRAY(fences, count)), &rows);
    size_t done = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t r = 0; r < done; r++)
        for (size_t i = 0; i < count; i++)
            if (id_eq(ids[i], db_id(rows, r, 0)))
                held_out[i] = true;
    db_rows_free(rows);
    return err;
}

/* What the bytes themselves are does not change with time. */
static bool
never_reads(enum err why)
{
    enum err_class class = err_class(why);

    return class == ERR_CLASS_MALFORMED || (class == ERR_CLASS_PEER && why != ERR_FRAME) ||
           class == ERR_CLASS_TOO_LARGE;
}

/* What lacked was not of this body. */
static bool
is_away(enum err why)
{
    return why == ERR_VAULT_UNAVAILABLE || why == ERR_DB_UNAVAILABLE || why == ERR_DB_CONFLICT ||
           why == ERR_FRAME;
}

static const struct db_stmt provider_event_postpone_stmt = {
    "provider_event_postpone",
    "UPDATE provider_event SET state = $4, due_at = $5, error = $6, lease_until = NULL, attempt = attempt - $7"
    " WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'stored'"
};

enum err
provider_event_postpone(struct db_tx *tx, const struct clock *clock, const struct provider_event *event,
                        enum err why)
{
    bool is_over = !is_away(why) && (event->attempt >= PROVIDER_EVENT_ATTEMPTS_MAX || never_reads(why));
    struct wall_time due =
        wall_after_ms(clock_wall(clock), INT64_C(500) << (event->attempt < 10 ? event->attempt : 10));

    return db_exec(tx, &provider_event_postpone_stmt,
                   DB_ARGS(DB_ID(event->id), DB_I64(event->fence), DB_TEXT_Z(is_over ? "failed" : "stored"),
                           DB_TIME(due), DB_TEXT_Z(err_code(why)), DB_I64(is_away(why) ? 1 : 0)),
                   NULL);
}
