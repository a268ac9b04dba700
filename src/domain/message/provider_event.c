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

/* One notice, however many are stored; none when nothing is new, or somebody has them in hand. */
static const struct db_stmt provider_events_store_stmt = {
    "provider_events_store",
    "WITH stored AS (INSERT INTO provider_event (tenant_id, id, channel_id, digest, key_version, body_ct, body_iv,"
    " body_tag) SELECT $1, n.id, n.channel_id, n.digest, n.key_version, n.ct, n.iv, n.tag"
    " FROM unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[], $8::bytea[])"
    " AS n (id, channel_id, digest, key_version, ct, iv, tag) ON CONFLICT (tenant_id, channel_id, digest) DO NOTHING"
    " RETURNING id), batch AS (INSERT INTO provider_batch (tenant_id, id, events, due_at, attempt)"
    " SELECT $1, $9, array_agg(id), now() + make_interval(secs => $10 / 1000.0), $11 FROM stored HAVING count(*) > 0),"
    " told AS MATERIALIZED (SELECT pg_notify('harkara_provider_event', '') FROM (SELECT FROM stored LIMIT 1) s"
    " WHERE $11 = 0) SELECT s.id, (SELECT count(*) FROM told) FROM stored s"
};

enum err
provider_events_store(struct db_tx *tx, const struct provider_event_new *events, size_t count,
                      struct id batch, bool is_in_hand, struct arena *arena, struct db_rows **stored_out)
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
                            DB_BYTES_ARRAY(slices[TAG], count), DB_ID(batch),
                            DB_I64(is_in_hand ? PROVIDER_EVENT_LEASE_MS : 0), DB_I64(is_in_hand)),
                    stored_out);
}

/*
 * In somebody's hands a batch is for one lease; by the gaps of provider_event_postpone one that failed waits
 * nine minutes at most. What waits longer was given its time by a clock that was ahead.
 * Lock order: gateways alone run it, and they sort.
 */
static const struct db_stmt provider_event_claim_stmt = {
    "provider_event_claim",
    "WITH due AS MATERIALIZED (SELECT tenant_id, id, sum(cardinality(events)) OVER w AS upto, row_number() OVER w AS n"
    " FROM (SELECT tenant_id, id, events, due_at FROM provider_batch"
    " WHERE (due_at <= now() OR (due_at > now() + make_interval(secs => $1 / 500.0)"
    " AND (error IS NULL OR due_at > now() + interval '20 minutes'))) AND (attempt >= $4) = $5 ORDER BY due_at LIMIT $2"
    " FOR UPDATE SKIP LOCKED) b WINDOW w AS (ORDER BY due_at, id)),"
    " claimed AS (UPDATE provider_batch b SET fence = b.fence + 1, attempt = b.attempt + 1, error = NULL,"
    " due_at = now() + make_interval(secs => $1 / 1000.0) FROM due d WHERE b.tenant_id = d.tenant_id AND b.id = d.id"
    " AND (d.upto <= $2 OR d.n = 1) RETURNING b.tenant_id, b.id, b.fence, b.attempt, b.events)"
    " SELECT c.tenant_id, e.id, e.channel_id, c.id, c.fence, c.attempt, e.key_version,"
    " CASE WHEN octet_length(e.body_ct) <= $3 THEN e.body_ct END, e.body_iv, e.body_tag, e.connector_id"
    " FROM (SELECT c.*, i.event, i.n FROM claimed c CROSS JOIN LATERAL unnest(c.events) WITH ORDINALITY AS i (event, n)"
    " OFFSET 0) c JOIN provider_event e ON e.tenant_id = c.tenant_id AND e.id = c.event ORDER BY c.id, c.n"
};
/* Of a batch that nobody came back from, each by itself: one of them may be to blame. */
static const struct db_stmt provider_batch_split_stmt = {
    "provider_batch_split",
    "WITH gone AS (DELETE FROM provider_batch WHERE tenant_id = $1 AND id = $2 RETURNING events, attempt)"
    " INSERT INTO provider_batch (tenant_id, id, events, due_at, attempt)"
    " SELECT $1, gen_random_uuid(), array[e], now(), gone.attempt FROM gone, unnest(gone.events) AS e"
};

static enum err
events_from(const struct db_rows *rows, struct arena *arena, struct provider_event **out, size_t *count_out)
{
    size_t count = db_rows_count(rows);
    struct provider_event *events = arena_array(arena, count, sizeof(*events));
    enum err err = events == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        events[i] = (struct provider_event){ .tenant = db_id(rows, i, 0),
                                             .id = db_id(rows, i, 1),
                                             .batch = db_id(rows, i, 3),
                                             .fence = db_i64(rows, i, 4),
                                             .attempt = (int)db_i64(rows, i, 5),
                                             .is_large = db_is_null(rows, i, 7) };
        if (db_is_null(rows, i, 2))
            events[i].connector = db_id(rows, i, 10);
        else
            events[i].channel = db_id(rows, i, 2);
        if (!events[i].is_large)
            err = sealed_column_read(rows, i, 7, (uint32_t)db_i64(rows, i, 6), arena, &events[i].body);
    }
    *out = events;
    *count_out = count;
    return err;
}

enum err
provider_event_claim(struct db *db, size_t count_max, bool is_alone, struct arena *arena,
                     struct provider_event **out, size_t *count_out, bool *is_split_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    struct provider_event *events = NULL;
    size_t count = 0;
    enum err err = db_begin_across(db, "provider.interpret", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &provider_event_claim_stmt,
                       DB_ARGS(DB_I64(PROVIDER_EVENT_LEASE_MS), DB_I64(is_alone ? 1 : (int64_t)count_max),
                               DB_I64(PROVIDER_EVENT_SMALL_BYTES), DB_I64(PROVIDER_EVENT_ATTEMPTS_MANY),
                               DB_BOOL(is_alone)),
                       &rows);
    if (err == ERR_OK)
        err = events_from(rows, arena, &events, &count);
    bool is_split = is_alone && count > 1;
    if (err == ERR_OK && is_split) {
        err = db_tx_turn_to(&tx, events[0].tenant);
        if (err == ERR_OK)
            err = db_exec(&tx, &provider_batch_split_stmt, DB_ARGS(DB_ID(events[0].batch)), NULL);
        count = 0;
    }
    if (err == ERR_OK)
        err = db_commit(&tx);
    *out = events;
    *count_out = err == ERR_OK ? count : 0;
    *is_split_out = err == ERR_OK && is_split;
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

/* One of its batch, which goes with the last. */
#define TAKEN_OUT                                                                                            \
    "WITH gone AS (DELETE FROM provider_batch WHERE tenant_id = $1 AND id = $2 AND fence = $3"               \
    " AND events = array[$4::uuid] RETURNING attempt),"                                                      \
    " kept AS (UPDATE provider_batch SET events = array_remove(events, $4) WHERE tenant_id = $1 AND id = $2" \
    " AND fence = $3 AND $4 = ANY (events) AND cardinality(events) > 1 RETURNING attempt),"                  \
    " taken AS (SELECT attempt FROM gone UNION ALL SELECT attempt FROM kept) "

static const struct db_stmt provider_event_done_stmt = { "provider_event_done",
                                                         TAKEN_OUT "SELECT FROM taken" };

enum err
provider_event_done(struct db_tx *tx, const struct provider_event *event)
{
    enum err err = db_exec_one(tx, &provider_event_done_stmt,
                               DB_ARGS(DB_ID(event->batch), DB_I64(event->fence), DB_ID(event->id)));

    return err == ERR_NOT_FOUND ? ERR_STATE_CONFLICT : err;
}

/* Joined with the list, the planner would look up the whole list for each of its rows. */
static const struct db_stmt provider_events_done_stmt = {
    "provider_events_done",
    "DELETE FROM provider_batch b WHERE b.tenant_id = $1 AND b.id = ANY ($2::uuid[])"
    " AND b.fence = ($3::bigint[])[array_position($2::uuid[], b.id)]"
    " AND cardinality(b.events) = ($4::bigint[])[array_position($2::uuid[], b.id)] RETURNING b.id"
};

enum err
provider_events_done(struct db_tx *tx, const struct provider_event *const *events, size_t count,
                     struct arena *arena, bool *held_out)
{
    struct id *batches = arena_array(arena, count, sizeof(*batches));
    int64_t *fences = arena_array(arena, count, sizeof(*fences)),
            *sizes = arena_array(arena, count, sizeof(*sizes));
    size_t *of = arena_array(arena, count, sizeof(*of)), batch_count = 0;
    bool *held = arena_array(arena, count, sizeof(*held));
    struct db_rows *rows = NULL;

    if (batches == NULL || fences == NULL || sizes == NULL || of == NULL || held == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) { /* few batches; those of one stand together */
        size_t b = batch_count;
        while (b > 0 && !id_eq(batches[b - 1], events[i]->batch))
            b--;
        if (b == 0) {
            batches[batch_count] = events[i]->batch;
            fences[batch_count++] = events[i]->fence;
            b = batch_count;
        }
        of[i] = b - 1;
        sizes[of[i]]++;
    }
    enum err err = db_query(tx, &provider_events_done_stmt,
                            DB_ARGS(DB_ID_ARRAY(batches, batch_count), DB_I64_ARRAY(fences, batch_count),
                                    DB_I64_ARRAY(sizes, batch_count)),
                            &rows);
    for (size_t r = 0; err == ERR_OK && r < db_rows_count(rows); r++)
        for (size_t b = 0; b < batch_count; b++)
            held[b] |= id_eq(batches[b], db_id(rows, r, 0));
    for (size_t i = 0; i < count; i++)
        held_out[i] = held[of[i]];
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
    "provider_event_postpone", TAKEN_OUT
    "INSERT INTO provider_batch (tenant_id, id, events, due_at, attempt, error)"
    " SELECT $1, $5, array[$4], now() + make_interval(secs => $6 / 1000.0), attempt - $7, $8 FROM taken"
};
static const struct db_stmt provider_event_fail_stmt = {
    "provider_event_fail",
    TAKEN_OUT "UPDATE provider_event SET error = $5 FROM taken WHERE tenant_id = $1 AND id = $4"
};

enum err
provider_event_postpone(struct db_tx *tx, const struct clock *clock, const struct provider_event *event,
                        enum err why)
{
    bool is_over = !is_away(why) && (event->attempt >= PROVIDER_EVENT_ATTEMPTS_MAX || never_reads(why));

    if (is_over)
        return db_exec(
            tx, &provider_event_fail_stmt,
            DB_ARGS(DB_ID(event->batch), DB_I64(event->fence), DB_ID(event->id), DB_TEXT_Z(err_code(why))),
            NULL);
    return db_exec(tx, &provider_event_postpone_stmt,
                   DB_ARGS(DB_ID(event->batch), DB_I64(event->fence), DB_ID(event->id), DB_ID(id_new(clock)),
                           DB_I64(INT64_C(500) << (event->attempt < 10 ? event->attempt : 10)),
                           DB_I64(is_away(why) ? 1 : 0), DB_TEXT_Z(err_code(why))),
                   NULL);
}
