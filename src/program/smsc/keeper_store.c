#include "program/smsc/keeper_store.h"
#include "core/buf.h"
#include "domain/event/event.h"
#include "domain/message/provider_event.h"
#include "domain/overview/overview_count.h"
#include "domain/tenant/sealed_column.h"
#include "wire/json/json.h"
#include "wire/smpp/smpp_status.h"
#include <stdlib.h>

static const struct db_stmt keeper_lock_stmt = {
    "keeper_lock", "SELECT pg_try_advisory_lock(hashtext('harkara.smsc')) FROM (SELECT count(*) FROM pg_locks"
                   " WHERE locktype = 'advisory' AND pid = pg_backend_pid()) held WHERE held.count = 0"
};
static const struct db_stmt keeper_active_stmt = {
    "keeper_active",
    "SELECT tenant_id, id, revision FROM sms_connector WHERE state = 'active' ORDER BY tenant_id, id LIMIT $1"
};

enum err
keeper_store_look(struct db *db, size_t max, struct arena *arena, bool *has_lock,
                  struct keeper_row **rows_out, size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *locked = NULL, *rows = NULL;
    enum err err = db_begin_across(db, "sms.connect", &tx);

    *count_out = 0;
    if (err == ERR_OK)
        err = db_query(&tx, &keeper_lock_stmt, DB_NO_ARGS, &locked);
    bool is_held = err == ERR_OK && (db_rows_count(locked) == 0 || db_bool(locked, 0, 0));
    if (err == ERR_OK && is_held)
        err = db_query(&tx, &keeper_active_stmt, DB_ARGS(DB_I64((int64_t)max)), &rows);
    size_t count = err == ERR_OK && is_held ? db_rows_count(rows) : 0;
    *rows_out = arena_array(arena, count, sizeof(**rows_out));
    if (err == ERR_OK && *rows_out == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        (*rows_out)[i] = (struct keeper_row){ db_id(rows, i, 0), db_id(rows, i, 1), db_i64(rows, i, 2) };
    if (err == ERR_OK)
        err = db_commit(&tx); /* the lock is the connection's, and stays */
    db_rows_free(rows);
    db_rows_free(locked);
    db_rollback(&tx);
    if (err != ERR_OK)
        return err;
    *has_lock = is_held;
    *count_out = count;
    return ERR_OK;
}

static const struct db_stmt keeper_password_stmt = {
    "keeper_password",
    "SELECT password_key_version, password_ct, password_iv, password_tag FROM sms_connector"
    " WHERE tenant_id = $1 AND id = $2"
};

enum err
keeper_store_connector(struct db *db, const struct vault *vault, const struct keeper_row *row,
                       struct keeper_connector *connector, struct arena *arena)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    struct vault_sealed sealed;
    enum err err = db_begin(db, row->tenant, &tx);

    if (err == ERR_OK)
        err = sms_connector_get(&tx, row->id, connector->arena, &connector->settings);
    if (err == ERR_OK)
        err = db_query(&tx, &keeper_password_stmt, DB_ARGS(DB_ID(row->id)), &rows);
    if (err == ERR_OK)
        err = db_rows_count(rows) == 0
                  ? ERR_NOT_FOUND
                  : sealed_column_read(rows, 0, 1, (uint32_t)db_i64(rows, 0, 0), arena, &sealed);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rows_free(rows);
    db_rollback(&tx);
    if (err != ERR_OK)
        return err;
    struct vault_place place =
        sms_connector_password_place(row->tenant, row->id, connector->settings.password_generation);
    struct vault_ask ask = vault_ask_open(VAULT_CREDENTIAL, &place, &sealed);
    vault_ask_many(vault, &ask, 1, arena);
    connector->password = ask.open;
    return ask.err;
}

static const struct db_stmt keeper_routes_stmt = {
    "keeper_routes",
    "SELECT tenant_id, id, coalesce(channel_id, '00000000-0000-0000-0000-000000000000'::uuid), prefix,"
    " connector_id, priority, revision FROM sms_route ORDER BY tenant_id, id LIMIT 10000"
};

static enum err
routes_from(const struct db_rows *rows, struct id *tenants, struct sms_route *routes, char *texts,
            struct buf *seen)
{
    size_t count = db_rows_count(rows);

    for (size_t i = 0; i < count; i++) {
        struct slice prefix = db_text(rows, i, 3);
        tenants[i] = db_id(rows, i, 0);
        memcpy(texts, prefix.ptr, prefix.len);
        routes[i] = (struct sms_route){ .id = db_id(rows, i, 1),
                                        .channel = db_id(rows, i, 2),
                                        .prefix = slice_of(texts, prefix.len),
                                        .connector = db_id(rows, i, 4),
                                        .priority = (unsigned)db_i64(rows, i, 5),
                                        .revision = (uint32_t)db_i64(rows, i, 6) };
        texts += prefix.len;
        buf_add(seen, slice_of(routes[i].id.bytes, ID_BYTES));
        buf_add(seen, slice_of((const char *)&routes[i].revision, sizeof(routes[i].revision)));
    }
    return buf_done(seen);
}

enum err
keeper_store_routes(struct db *db, struct id **tenants_out, struct sms_route **routes_out, size_t *count_out,
                    unsigned char **seen_out, size_t *seen_len_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    struct id *tenants = NULL;
    struct sms_route *routes = NULL;
    struct buf seen;
    size_t text_bytes = 0;
    enum err err = db_begin_across(db, "sms.connect", &tx);

    buf_init(&seen, DB_ROWS_MAX * (ID_BYTES + sizeof(uint32_t)));
    if (err == ERR_OK)
        err = db_query(&tx, &keeper_routes_stmt, DB_NO_ARGS, &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < count; i++)
        text_bytes += db_text(rows, i, 3).len;
    tenants = calloc(count + 1, sizeof(*tenants));
    routes =
        calloc(1, (count + 1) * sizeof(*routes) + text_bytes); /* the texts behind them: freed together */
    if (err == ERR_OK && (tenants == NULL || routes == NULL))
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = routes_from(rows, tenants, routes, (char *)(routes + count), &seen);
    if (err == ERR_OK) {
        *tenants_out = tenants;
        *routes_out = routes;
        *count_out = count;
        *seen_out = (unsigned char *)seen.ptr; /* taken */
        *seen_len_out = seen.len;
        tenants = NULL;
        routes = NULL;
        buf_init(&seen, 0);
    }
    buf_release(&seen);
    free(tenants);
    free(routes);
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt keeper_pdus_stmt = {
    "keeper_pdus",
    "WITH stored AS (INSERT INTO provider_event (tenant_id, id, connector_id, digest, key_version, body_ct, body_iv,"
    " body_tag) SELECT $1, n.id, n.connector_id, n.digest, n.key_version, n.ct, n.iv, n.tag"
    " FROM unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[], $8::bytea[])"
    " AS n (id, connector_id, digest, key_version, ct, iv, tag)"
    " ON CONFLICT (tenant_id, connector_id, digest) WHERE connector_id IS NOT NULL DO NOTHING RETURNING id),"
    " batch AS (INSERT INTO provider_batch (tenant_id, id, events, due_at, attempt)"
    " SELECT $1, $9, array_agg(id), now(), 0 FROM stored HAVING count(*) > 0)"
    " SELECT pg_notify('harkara_provider_event', '')"
};

/* Of one workspace, sealed. */
struct pdus {
    const struct clock *clock;
    struct keeper_task **tasks;
    struct provider_event_new *events;
    size_t count;
    struct arena *arena;
};

static enum err
tenant_pdus_store(struct db_tx *tx, const struct pdus *pdus)
{
    enum { DIGEST, CIPHER, IV, TAG, SLICES };
    struct slice *slices[SLICES];
    struct id *ids = arena_array(pdus->arena, pdus->count, sizeof(*ids));
    struct id *connectors = arena_array(pdus->arena, pdus->count, sizeof(*connectors));
    int64_t *versions = arena_array(pdus->arena, pdus->count, sizeof(*versions));

    if (ids == NULL || connectors == NULL || versions == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < SLICES; i++)
        if ((slices[i] = arena_array(pdus->arena, pdus->count, sizeof(struct slice))) == NULL)
            return ERR_NO_MEMORY;
    for (size_t i = 0; i < pdus->count; i++) {
        const struct provider_event_new *event = &pdus->events[i];
        ids[i] = event->id;
        connectors[i] = pdus->tasks[i]->connector;
        versions[i] = event->body.key_version;
        slices[DIGEST][i] = slice_of(event->digest, sizeof(event->digest));
        slices[CIPHER][i] = event->body.cipher;
        slices[IV][i] = slice_of(event->body.iv, VAULT_IV_BYTES);
        slices[TAG][i] = slice_of(event->body.tag, VAULT_TAG_BYTES);
    }
    return db_exec(tx, &keeper_pdus_stmt,
                   DB_ARGS(DB_ID_ARRAY(ids, pdus->count), DB_ID_ARRAY(connectors, pdus->count),
                           DB_BYTES_ARRAY(slices[DIGEST], pdus->count), DB_I64_ARRAY(versions, pdus->count),
                           DB_BYTES_ARRAY(slices[CIPHER], pdus->count),
                           DB_BYTES_ARRAY(slices[IV], pdus->count), DB_BYTES_ARRAY(slices[TAG], pdus->count),
                           DB_ID(id_new(pdus->clock))),
                   NULL);
}

static enum err
pdus_store_in(struct db_tx *tx, void *ctx)
{
    const struct pdus *all = ctx;
    enum err err = ERR_OK;

    for (size_t from = 0, to; err == ERR_OK && from < all->count; from = to) {
        struct id tenant = all->tasks[from]->tenant;
        for (to = from + 1; to < all->count && id_eq(all->tasks[to]->tenant, tenant);)
            to++;
        err = db_tx_turn_to(tx, tenant);
        if (err == ERR_OK)
            err = tenant_pdus_store(tx, &(struct pdus){ all->clock, all->tasks + from, all->events + from,
                                                        to - from, all->arena });
    }
    return err;
}

/* In the order in which they came, of each workspace. */
static int
task_order(const void *a, const void *b)
{
    struct keeper_task *const *left = a, *const *right = b;

    return memcmp((*left)->tenant.bytes, (*right)->tenant.bytes, ID_BYTES);
}

enum err
keeper_store_pdus(struct db *db, const struct vault *vault, const struct clock *clock,
                  struct keeper_task **tasks, size_t count, struct arena *arena)
{
    struct provider_event_new *events = arena_array(arena, count, sizeof(*events));
    struct vault_seal_item *items = arena_array(arena, count, sizeof(*items));
    struct vault_ask *asks = arena_array(arena, count, sizeof(*asks));
    struct keeper_task **sealed = arena_array(arena, count, sizeof(struct keeper_task *));
    size_t sealed_count = 0;

    if (events == NULL || items == NULL || asks == NULL || sealed == NULL)
        return ERR_NO_MEMORY;
    if (count > 1)
        qsort(tasks, count, sizeof(struct keeper_task *),
              task_order); /* glibc's sort keeps the order of equals */
    for (size_t i = 0; i < count; i++) {
        events[i] = (struct provider_event_new){ .id = id_new(clock), .tenant = tasks[i]->tenant };
        items[i] = provider_event_seal_item(tasks[i]->tenant, events[i].id, buf_slice(&tasks[i]->body));
        asks[i] = vault_ask_seal(VAULT_CONTENT, &items[i], 1);
    }
    vault_ask_many(vault, asks, count, arena);
    for (size_t i = 0; i < count; i++) {
        tasks[i]->status = asks[i].err == ERR_OK ? SMPP_OK : SMPP_TEMPORARY_ERROR; /* nobody's beside it */
        if (asks[i].err != ERR_OK)
            continue;
        provider_event_sealed(&items[i], &events[i]);
        events[sealed_count] = events[i];
        sealed[sealed_count++] = tasks[i];
    }
    struct pdus pdus = { clock, sealed, events, sealed_count, arena };
    return sealed_count == 0 ? ERR_OK : db_run(db, sealed[0]->tenant, pdus_store_in, &pdus);
}

/* Whose links' states are others than before is told to whoever looks (domain/overview/overview_count.h). */
static const struct db_stmt keeper_links_stmt = {
    "keeper_links",
    "WITH n AS MATERIALIZED (SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[],"
    " $7::text[], $8::timestamptz[], $9::bigint[], $10::bigint[])"
    " AS n (connector_id, number, kind, state, since, detail, next_try_at, per_second, in_flight)),"
    " changed AS MATERIALIZED (SELECT DISTINCT n.connector_id AS id FROM n LEFT JOIN sms_link l ON l.tenant_id = $1"
    " AND l.connector_id = n.connector_id AND l.number = n.number WHERE l.state IS DISTINCT FROM n.state),"
    " put AS (INSERT INTO sms_link (tenant_id, connector_id, number, kind, state, since, detail, next_try_at, per_second,"
    " in_flight, told_at) SELECT $1, n.connector_id, n.number, n.kind, n.state, n.since, nullif(n.detail, ''),"
    " nullif(n.next_try_at, 'epoch'), n.per_second, n.in_flight, now() FROM n"
    " JOIN sms_connector c ON c.tenant_id = $1 AND c.id = n.connector_id"
    " ON CONFLICT (tenant_id, connector_id, number) DO UPDATE SET kind = excluded.kind, state = excluded.state,"
    " since = excluded.since, detail = excluded.detail, next_try_at = excluded.next_try_at,"
    " per_second = excluded.per_second, in_flight = excluded.in_flight, told_at = excluded.told_at)"
    " SELECT pg_notify('" OVERVIEW_CHANNEL "', concat_ws(' ', replace($1::text, '-', ''), 'connector', '-',"
    " CASE WHEN count(*) > 8 THEN '*' ELSE replace(string_agg(id::text, ','), '-', '') END)) FROM changed HAVING count(*) > 0"
};
/* Binds that its settings do not have any more. */
static const struct db_stmt keeper_links_old_stmt = {
    "keeper_links_old",
    "DELETE FROM sms_link WHERE tenant_id = $1 AND connector_id = ANY ($2::uuid[]) AND told_at < now()"
};

struct links {
    const struct keeper_link *links;
    size_t count;
    struct arena *arena;
};

static enum err
links_store_in(struct db_tx *tx, void *ctx)
{
    const struct links *links = ctx;
    enum { KIND, STATE, DETAIL, TEXTS };
    struct slice *texts[TEXTS];
    size_t count = links->count;
    struct id *ids = arena_array(links->arena, count, sizeof(*ids));
    int64_t *numbers = arena_array(links->arena, 3 * count, sizeof(*numbers));
    struct wall_time *times = arena_array(links->arena, 2 * count, sizeof(*times));

    if (ids == NULL || numbers == NULL || times == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < TEXTS; i++)
        if ((texts[i] = arena_array(links->arena, count, sizeof(struct slice))) == NULL)
            return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct keeper_link *link = &links->links[i];
        ids[i] = link->connector;
        numbers[i] = link->number;
        numbers[count + i] = link->per_second;
        numbers[2 * count + i] = link->in_flight;
        times[i] = link->since;
        times[count + i] = link->next_try_at;
        texts[KIND][i] = slice_text(link->kind);
        texts[STATE][i] = slice_text(link->state);
        texts[DETAIL][i] = slice_text(link->detail);
    }
    enum err err = db_exec(tx, &keeper_links_stmt,
                           DB_ARGS(DB_ID_ARRAY(ids, count), DB_I64_ARRAY(numbers, count),
                                   DB_TEXT_ARRAY(texts[KIND], count), DB_TEXT_ARRAY(texts[STATE], count),
                                   DB_TIME_ARRAY(times, count), DB_TEXT_ARRAY(texts[DETAIL], count),
                                   DB_TIME_ARRAY(times + count, count), DB_I64_ARRAY(numbers + count, count),
                                   DB_I64_ARRAY(numbers + 2 * count, count)),
                           NULL);
    return err == ERR_OK ? db_exec(tx, &keeper_links_old_stmt, DB_ARGS(DB_ID_ARRAY(ids, count)), NULL) : err;
}

enum err
keeper_store_links(struct db *db, const struct keeper_link *links, size_t count, struct arena *arena)
{
    enum err err = ERR_OK;

    for (size_t from = 0, to; err == ERR_OK && from < count; from = to) {
        for (to = from + 1; to < count && id_eq(links[to].tenant, links[from].tenant);)
            to++;
        struct links of_one = { links + from, to - from, arena };
        err = db_run(db, links[from].tenant, links_store_in, &of_one);
    }
    return err;
}

static const struct db_stmt keeper_gone_stmt = {
    "keeper_gone", "DELETE FROM sms_link WHERE tenant_id = $1 AND connector_id = $2"
};

enum err
keeper_store_gone(struct db *db, struct id tenant, struct id connector)
{
    struct db_tx tx = { .is_open = false };
    enum err err = db_begin(db, tenant, &tx);

    if (err == ERR_OK)
        err = db_exec(&tx, &keeper_gone_stmt, DB_ARGS(DB_ID(connector)), NULL);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt keeper_break_stmt = {
    "keeper_break", "UPDATE sms_connector SET state = 'broken', state_reason = $3, updated_at = now(),"
                    " revision = revision + 1 WHERE tenant_id = $1 AND id = $2 AND state = 'active'"
};

static const struct db_stmt keeper_name_stmt = {
    "keeper_name", "SELECT name, state FROM sms_connector WHERE tenant_id = $1 AND id = $2"
};

struct state {
    const struct clock *clock;
    const struct keeper_task *task;
};

static enum event_type
state_event(enum keeper_task_kind kind)
{
    switch (kind) {
    case KEEPER_UP:
        return EVENT_CONNECTOR_CONNECTED;
    case KEEPER_DOWN:
        return EVENT_CONNECTOR_DISCONNECTED;
    case KEEPER_THROTTLED:
        return EVENT_CONNECTOR_THROTTLED;
    case KEEPER_BREAK:
        return EVENT_CONNECTOR_BROKEN;
    case KEEPER_PDU:
    case KEEPER_LINKS:
    case KEEPER_LATE:
        break;
    }
    bug("a task that is no state of a connector");
}

/* What the workspace is told of it. ERR_NOT_FOUND: it is gone. */
static enum err
state_print(struct db_tx *tx, const struct keeper_task *task, struct buf *out)
{
    struct db_rows *rows = NULL;
    json_t *data = NULL;
    enum err err = db_query(tx, &keeper_name_stmt, DB_ARGS(DB_ID(task->connector)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK) {
        struct slice name = db_text(rows, 0, 0), state = db_text(rows, 0, 1);
        data = json_pack("{s:s%, s:s%, s:o, s:o}", "name", name.ptr, name.len, "state", state.ptr, state.len,
                         "reason", task->reason[0] == '\0' ? json_null() : json_string(task->reason),
                         "per_second", task->per_second == 0 ? json_null() : json_integer(task->per_second));
        err = data == NULL ? ERR_NO_MEMORY : json_print(data, out);
    }
    json_decref(data);
    db_rows_free(rows);
    return err;
}

/* Once: of what is broken already, or gone, nothing is told. */
static enum err
state_store_in(struct db_tx *tx, void *ctx)
{
    const struct state *state = ctx;
    const struct keeper_task *task = state->task;
    struct buf data;
    enum err err = ERR_OK;

    buf_init(&data, 4096);
    if (task->kind == KEEPER_BREAK)
        err = db_exec_one(tx, &keeper_break_stmt, DB_ARGS(DB_ID(task->connector), DB_TEXT_Z(task->reason)));
    if (err == ERR_OK)
        err = state_print(tx, task, &data);
    if (err == ERR_OK)
        return event_tell(tx, state->clock, state_event(task->kind), task->connector, (struct id){ { 0 } },
                          &data);
    buf_release(&data);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err
keeper_store_state(struct db *db, const struct clock *clock, const struct keeper_task *task,
                   struct arena *arena UNUSED)
{
    struct state state = { clock, task };

    return db_run(db, task->tenant, state_store_in, &state);
}

struct late {
    const struct keeper_task *task;
    const struct clock *clock;
    struct arena *arena;
};

static enum err
late_store_in(struct db_tx *tx, void *ctx)
{
    const struct late *late = ctx;
    struct sms_part part = late->task->part;

    struct message_report report;
    bool has_report = false, has_moved = false;

    part.provider_id = slice_text(late->task->provider_id);
    enum err err = sms_part_record_late(tx, &part, late->arena, &report, &has_report);
    if (err == ERR_OK && has_report)
        err = message_report_apply(tx, late->clock, &report, late->arena, &has_moved);
    return err == ERR_NOT_FOUND ? ERR_OK : err; /* its message was removed meanwhile */
}

enum err
keeper_store_late(struct db *db, const struct clock *clock, const struct keeper_task *task,
                  struct arena *arena)
{
    struct late late = { task, clock, arena };

    return db_run(db, task->tenant, late_store_in, &late);
}
