#include "core/log.h"
#include "domain/tenant/sealed_column.h"
#include "domain/webhook/webhook_event_delivery_internal.h"
#include "domain/webhook/webhook_render.h"
#include "domain/webhook/webhook_target_internal.h"

enum err
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

enum err
wish_init(struct wish *wish, struct arena *arena)
{
    *wish =
        (struct wish){ .events = arena_array(arena, WEBHOOK_ENDPOINT_EVENTS_MAX, sizeof(struct slice)),
                       .channels = arena_array(arena, WEBHOOK_ENDPOINT_CHANNELS_MAX, sizeof(struct slice)) };
    return wish->events == NULL || wish->channels == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err
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

bool
is_wished(const struct wish *wish, const struct taken *taken)
{
    char text[ID_UUID_BYTES];
    const struct event *event = &taken->event;

    if (!id_eq(taken->tenant, wish->tenant) ||
        memcmp(wish->endpoint.bytes, event->id.bytes, ID_BYTES) > 0 /* it was not there yet */)
        return false;
    if (event->type == EVENT_TEST_PING) /* for the one that is tested, whatever it wants */
        return id_eq(event->subject, wish->endpoint);
    if (id_eq(event->subject, wish->endpoint) || /* what became of it, it cannot be told */
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

enum err
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

static bool
has_payload(const struct taken *taken, bool is_thin)
{
    for (size_t i = 0; i < taken->endpoint_count; i++)
        if (taken->is_thin[i] == is_thin)
            return true;
    return false;
}

static bool
must_open(const struct taken *taken)
{
    return !taken->is_oversized && taken->content.cipher.ptr != NULL && has_payload(taken, false);
}

/* What is personal of these events, each in the arena; err tells what became of it. */
static enum err
contents_open(const struct vault *vault, struct arena *arena, struct taken *taken, size_t count)
{
    struct vault_ask *asks = arena_array(arena, count, sizeof(*asks));
    size_t asked = 0, of = 0;

    if (asks == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct vault_place place = event_content_place(taken[i].tenant, taken[i].event.id);
        taken[i].err = ERR_OK;
        taken[i].delivery_count = 0;
        if (must_open(&taken[i]))
            asks[asked++] = vault_ask_open(VAULT_CONTENT, &place, &taken[i].content);
    }
    vault_ask_many(vault, asks, asked, arena);
    for (size_t i = 0; i < count; i++) {
        if (!must_open(&taken[i]))
            continue;
        taken[i].err = asks[of].err;
        taken[i].opened = asks[of++].plain;
    }
    return ERR_OK;
}

/* One of the two bodies: a delivery for each endpoint that wants it, with the body as what is to be sealed.
 */
static enum err
body_make(const struct clock *clock, struct arena *arena, struct taken *taken, bool is_thin)
{
    struct buf body;
    enum err err = ERR_OK;

    if (!has_payload(taken, is_thin))
        return ERR_OK;
    if (!is_thin && taken->is_oversized)
        return ERR_LIMIT;
    if (!is_thin && taken->err != ERR_OK)
        return taken->err;
    buf_init(&body, WEBHOOK_BODY_BYTES_MAX);
    err = is_thin ? webhook_render_thin(&taken->event, &body)
                  : webhook_render(&taken->event, taken->opened, &body);
    struct slice plain = err == ERR_OK ? arena_copy(arena, buf_slice(&body)) : SLICE_EMPTY;
    if (err == ERR_OK && plain.ptr == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < taken->endpoint_count; i++) {
        if (taken->is_thin[i] != is_thin)
            continue;
        struct id id = id_new(clock);
        taken->deliveries[taken->delivery_count].endpoint = taken->endpoints[i];
        taken->deliveries[taken->delivery_count++].body = (struct vault_seal_item){
            .place = { .tenant = taken->tenant, .table = "webhook_delivery", .column = "body", .row = id },
            .plain = plain
        };
    }
    buf_release_wiped(&body);
    return err;
}

/* Rendered once for all endpoints, twice when some want it thin; an error in the one leaves the other alone.
 */
static enum err
bodies_make(const struct clock *clock, struct arena *arena, struct taken *taken)
{
    taken->deliveries = arena_array(arena, taken->endpoint_count, sizeof(*taken->deliveries));
    if (taken->deliveries == NULL)
        return ERR_NO_MEMORY;
    enum err thin = body_make(clock, arena, taken, true), full = body_make(clock, arena, taken, false);
    taken->err = thin != ERR_OK ? thin : full;
    return is_lost(taken->err) ? ERR_OK : taken->err;
}

/* A seal is bound to its row, so each delivery has its own. */
static enum err
bodies_seal(const struct vault *vault, struct arena *arena, struct taken *taken, size_t count)
{
    size_t asked = 0, of = 0;

    for (size_t i = 0; i < count; i++)
        asked += taken[i].delivery_count;
    struct vault_ask *asks = arena_array(arena, asked, sizeof(*asks));
    if (asks == NULL)
        return ERR_NO_MEMORY;
    asked = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t d = 0; d < taken[i].delivery_count; d++)
            asks[asked++] = vault_ask_seal(VAULT_CONTENT, &taken[i].deliveries[d].body, 1);
    vault_ask_many(vault, asks, asked, arena);
    for (size_t i = 0; i < count; i++)
        for (size_t d = 0, all = taken[i].delivery_count; d < all; d++) {
            enum err err = asks[of++].err;
            if (err == ERR_OK)
                continue;
            if (!is_lost(err))
                return err;
            taken[i].err = err; /* of its tenant's keys: none of its bodies is sealed */
            taken[i].delivery_count = 0;
        }
    return ERR_OK;
}

static enum err
seal_once(const struct vault *vault, const struct clock *clock, struct arena *arena, struct taken *taken,
          size_t count)
{
    enum err err = contents_open(vault, arena, taken, count);

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (taken[i].endpoint_count > 0)
            err = bodies_make(clock, arena, &taken[i]);
    return err == ERR_OK ? bodies_seal(vault, arena, taken, count) : err;
}

enum err
deliveries_seal(const struct vault *vault, const struct clock *clock, struct arena *arena,
                struct taken *taken, size_t count)
{
    bool lacks_key = false;
    enum err err = seal_once(vault, clock, arena, taken, count);

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        lacks_key |= taken[i].err == ERR_VAULT_KEY_MISSING;
    if (lacks_key) /* also said by a vault that began anew in between: ask once more */
        err = seal_once(vault, clock, arena, taken, count);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (taken[i].err != ERR_OK) /* one damaged or oversized event must not stop all that come after it */
            log_event(LOG_ERROR, "webhook.event_unreadable", LOG_ID("event", ID_EVENT, taken[i].event.id),
                      LOG_ERR(taken[i].err));
    return err;
}

bool
is_lost(enum err err)
{
    return err == ERR_SEAL_CORRUPT || err == ERR_JSON_SYNTAX || err == ERR_JSON_DEPTH || err == ERR_UTF8 ||
           err == ERR_LIMIT || err == ERR_VAULT_KEY_MISSING;
}

/*
 * An endpoint that was disabled since it was read gets nothing. The lock makes one that is being disabled
 * just now wait, so that it cancels these deliveries too; in the order of ids, as whoever locks several. What
 * is handed over has the fence 0, which no claim gives: claims have shares of their own.
 */
static const struct db_stmt deliveries_insert_stmt = {
    "webhook_deliveries_insert",
    "WITH live AS MATERIALIZED (SELECT l.* FROM (SELECT id FROM unnest($10::uuid[]) AS g (id) ORDER BY id) g CROSS JOIN LATERAL"
    " (SELECT w.id, w.failures = 0 AND w.not_before <= now() AS is_well FROM webhook_endpoint w WHERE w.tenant_id = $1"
    " AND w.id = g.id AND w.state = 'enabled' FOR SHARE) l)"
    " INSERT INTO webhook_delivery (tenant_id, id, endpoint_id, event_id, event_type, attempt, lease_until, key_version,"
    " body_ct, body_iv, body_tag) SELECT $1, d.id, d.endpoint_id, d.event_id, d.event_type, (d.lease_ms > 0)::int,"
    " now() + make_interval(secs => nullif(d.lease_ms, 0) / 1000.0), d.key_version, d.ct, d.iv, d.tag"
    " FROM (SELECT g.*, CASE WHEN live.is_well THEN g.given ELSE 0 END AS lease_ms"
    " FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bytea[],"
    " $11::bigint[]) AS g (id, endpoint_id, event_id, event_type, key_version, ct, iv, tag, given)"
    " JOIN live ON live.id = g.endpoint_id) d"
    " ON CONFLICT (tenant_id, endpoint_id, event_id) DO NOTHING RETURNING id, lease_until IS NOT NULL"
};

/* One row each, in the order of the events. */
struct columns {
    struct id *ids, *endpoints, *events, *distinct; /* distinct: the endpoints, each once */
    struct slice *types, *ciphers, *ivs, *tags;
    int64_t *versions, *leases;
    const struct taken **taken;
    size_t *places; /* in its event's deliveries */
    size_t count, distinct_count;
};

static enum err
columns_init(struct columns *columns, struct arena *arena, size_t count)
{
    *columns = (struct columns){ .ids = arena_array(arena, count, sizeof(struct id)),
                                 .endpoints = arena_array(arena, count, sizeof(struct id)),
                                 .events = arena_array(arena, count, sizeof(struct id)),
                                 .distinct = arena_array(arena, count, sizeof(struct id)),
                                 .types = arena_array(arena, count, sizeof(struct slice)),
                                 .ciphers = arena_array(arena, count, sizeof(struct slice)),
                                 .ivs = arena_array(arena, count, sizeof(struct slice)),
                                 .tags = arena_array(arena, count, sizeof(struct slice)),
                                 .versions = arena_array(arena, count, sizeof(int64_t)),
                                 .leases = arena_array(arena, count, sizeof(int64_t)),
                                 .taken = arena_array(arena, count, sizeof(const struct taken *)),
                                 .places = arena_array(arena, count, sizeof(size_t)) };
    return columns->ids == NULL || columns->endpoints == NULL || columns->events == NULL ||
                   columns->distinct == NULL || columns->types == NULL || columns->ciphers == NULL ||
                   columns->ivs == NULL || columns->tags == NULL || columns->versions == NULL ||
                   columns->leases == NULL || columns->taken == NULL || columns->places == NULL
               ? ERR_NO_MEMORY
               : ERR_OK;
}

static void
columns_add(struct columns *columns, const struct taken *taken, size_t place)
{
    const struct vault_sealed *body = &taken->deliveries[place].body.sealed;
    struct id endpoint = taken->deliveries[place].endpoint;
    size_t at = columns->count++, known = 0;

    columns->ids[at] = taken->deliveries[place].body.place.row;
    columns->endpoints[at] = endpoint;
    columns->events[at] = taken->event.id;
    columns->types[at] = slice_text(event_type_word(taken->event.type));
    columns->versions[at] = body->key_version;
    columns->ciphers[at] = body->cipher;
    columns->ivs[at] = slice_of(body->iv, VAULT_IV_BYTES);
    columns->tags[at] = slice_of(body->tag, VAULT_TAG_BYTES);
    columns->leases[at] = 0;
    columns->taken[at] = taken;
    columns->places[at] = place;
    while (known < columns->distinct_count && !id_eq(columns->distinct[known], endpoint))
        known++;
    if (known == columns->distinct_count)
        columns->distinct[columns->distinct_count++] = endpoint;
}

/* The row's claim, as webhook_claim_due would have returned it. */
static struct webhook_claim
claim_of(const struct columns *columns, size_t at, const struct webhook_target *target)
{
    const struct taken *taken = columns->taken[at];
    const struct vault_seal_item *body = &taken->deliveries[columns->places[at]].body;

    return (struct webhook_claim){ .tenant = taken->tenant,
                                   .delivery = columns->ids[at],
                                   .endpoint = columns->endpoints[at],
                                   .event = taken->event.id,
                                   .fence = 0,
                                   .attempt = 1,
                                   .target = target,
                                   .body = body->sealed,
                                   .plain = body->plain };
}

/* Rows come back in the order in which they went, but nobody promises it. */
static void
inserted_read(const struct db_rows *rows, const struct columns *columns, const struct webhook_places *places,
              const struct webhook_target *targets, size_t target_count, struct inserted *out)
{
    size_t at = 0;

    out->queued = rows == NULL ? 0 : db_rows_count(rows);
    for (size_t r = 0; r < out->queued; r++) {
        for (size_t tries = 0; tries < columns->count && !id_eq(columns->ids[at], db_id(rows, r, 0)); tries++)
            at = (at + 1) % columns->count;
        if (!db_bool(rows, r, 1))
            continue;
        out->claims[out->claim_count++] =
            claim_of(columns, at, webhook_target_find(targets, target_count, columns->endpoints[at]));
        columns->leases[at] = 0; /* its place is the claim's */
    }
    for (size_t i = 0; i < columns->count; i++)
        if (columns->leases[i] > 0)
            places->give_back(places->ctx, columns->taken[i]->tenant, columns->endpoints[i]);
}

enum err
deliveries_insert(struct db_tx *tx, struct arena *arena, const struct taken *const *taken, size_t taken_count,
                  const struct webhook_places *places, const struct webhook_target *targets,
                  size_t target_count, struct inserted *out)
{
    struct db_rows *rows = NULL;
    struct columns columns;
    size_t count = 0;

    *out = (struct inserted){ .queued = 0 };
    for (size_t i = 0; i < taken_count; i++)
        count += taken[i]->delivery_count;
    if (count == 0)
        return ERR_OK;
    enum err err = columns_init(&columns, arena, count);
    if (err == ERR_OK && (out->claims = arena_array(arena, count, sizeof(*out->claims))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < taken_count; i++)
        for (size_t d = 0; d < taken[i]->delivery_count; d++) {
            struct id endpoint = taken[i]->deliveries[d].endpoint;
            const struct webhook_target *target = webhook_target_find(targets, target_count, endpoint);
            columns_add(&columns, taken[i], d);
            if (places != NULL && target != NULL && !target->is_failing &&
                places->take(places->ctx, taken[i]->tenant, endpoint))
                columns.leases[columns.count - 1] = places->lease_ms;
        }
    if (err != ERR_OK)
        return err;
    err = db_query(tx, &deliveries_insert_stmt,
                   DB_ARGS(DB_ID_ARRAY(columns.ids, count), DB_ID_ARRAY(columns.endpoints, count),
                           DB_ID_ARRAY(columns.events, count), DB_TEXT_ARRAY(columns.types, count),
                           DB_I64_ARRAY(columns.versions, count), DB_BYTES_ARRAY(columns.ciphers, count),
                           DB_BYTES_ARRAY(columns.ivs, count), DB_BYTES_ARRAY(columns.tags, count),
                           DB_ID_ARRAY(columns.distinct, columns.distinct_count),
                           DB_I64_ARRAY(columns.leases, count)),
                   &rows);
    /* Without an answer none of them is handed over, and all places are free again. */
    inserted_read(rows, &columns, places, targets, target_count, out);
    db_rows_free(rows);
    return err;
}
