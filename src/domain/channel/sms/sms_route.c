#include "domain/channel/sms/sms_route.h"

/* Whether a goes before b; both fit. */
static bool
goes_first(const struct sms_route *a, const struct sms_route *b)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return memcmp(a->id.bytes, b->id.bytes, ID_BYTES) < 0;
}

static bool
fits(const struct sms_route *route, struct id channel, struct slice digits)
{
    return (id_is_zero(route->channel) || id_eq(route->channel, channel)) &&
           slice_starts_with(digits, route->prefix);
}

size_t
sms_routes_choose(const struct sms_route *routes, size_t count, struct id channel, struct slice digits,
                  struct id out[static SMS_ROUTE_CHOICES])
{
    const struct sms_route *chosen[SMS_ROUTE_CHOICES];
    bool is_own = false;
    size_t prefix = 0, n = 0;

    for (size_t i = 0; i < count; i++) {
        if (!fits(&routes[i], channel, digits))
            continue;
        bool owns = !id_is_zero(routes[i].channel);
        if ((owns && !is_own) || (owns == is_own && routes[i].prefix.len > prefix))
            prefix = routes[i].prefix.len;
        is_own |= owns;
    }
    for (size_t i = 0; i < count; i++) {
        const struct sms_route *route = &routes[i];
        if (!fits(route, channel, digits) || id_is_zero(route->channel) == is_own ||
            route->prefix.len != prefix)
            continue;
        size_t at = n;
        while (at > 0 && goes_first(route, chosen[at - 1]))
            at--;
        if (at == SMS_ROUTE_CHOICES)
            continue;
        if (n < SMS_ROUTE_CHOICES)
            n++;
        for (size_t k = n - 1; k > at; k--)
            chosen[k] = chosen[k - 1];
        chosen[at] = route;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = chosen[i]->connector;
    return n;
}

#define ROUTE_COLUMNS "id, channel_id, prefix, connector_id, priority, created_at, revision"

static enum err
route_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct sms_route *out)
{
    *out = (struct sms_route){ .id = db_id(rows, row, 0),
                               .prefix = arena_copy(arena, db_text(rows, row, 2)),
                               .connector = db_id(rows, row, 3),
                               .priority = (unsigned)db_i64(rows, row, 4),
                               .created_at = db_time(rows, row, 5),
                               .revision = (uint32_t)db_i64(rows, row, 6) };
    if (!db_is_null(rows, row, 1))
        out->channel = db_id(rows, row, 1);
    return out->prefix.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* What it names is there: an SMS channel that was not deleted, and a connector. */
static const struct db_stmt route_names_stmt = {
    "sms_route_names",
    "SELECT ($2::uuid IS NULL OR EXISTS (SELECT FROM channel WHERE tenant_id = $1 AND id = $2 AND kind = 'sms'"
    " AND state <> 'deleted')) AND EXISTS (SELECT FROM sms_connector WHERE tenant_id = $1 AND id = $3),"
    " (SELECT count(*) FROM sms_route WHERE tenant_id = $1),"
    " EXISTS (SELECT FROM sms_route WHERE tenant_id = $1 AND connector_id = $3 AND prefix = $4"
    " AND channel_id IS NOT DISTINCT FROM $2 AND id <> $5)"
};
static const struct db_stmt route_insert_stmt = {
    "sms_route_insert", "INSERT INTO sms_route (tenant_id, id, channel_id, prefix, connector_id, priority)"
                        " VALUES ($1, $2, $3, $4, $5, $6::smallint)"
};
static const struct db_stmt route_update_stmt = {
    "sms_route_update",
    "UPDATE sms_route SET channel_id = $3, prefix = $4, connector_id = $5, priority = $6::smallint,"
    " revision = revision + 1 WHERE tenant_id = $1 AND id = $2 AND revision = $7"
};
static const struct db_stmt route_tell_stmt = { "sms_route_tell",
                                                "SELECT pg_notify('harkara_sms_connector', $1::uuid::text)" };

static struct db_arg
channel_arg(const struct sms_route *route)
{
    return id_is_zero(route->channel) ? DB_NULL : DB_ID(route->channel);
}

static enum err
route_names_check(struct db_tx *tx, const struct sms_route *route, bool is_new)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &route_names_stmt,
        DB_ARGS(channel_arg(route), DB_ID(route->connector), DB_TEXT(route->prefix), DB_ID(route->id)),
        &rows);

    if (err == ERR_OK && !db_bool(rows, 0, 0))
        err = ERR_NOT_FOUND;
    else if (err == ERR_OK && is_new && db_i64(rows, 0, 1) >= (int64_t)SMS_ROUTES_MAX)
        err = ERR_TOO_MANY;
    else if (err == ERR_OK && db_bool(rows, 0, 2))
        err = ERR_EXISTS;
    db_rows_free(rows);
    return err;
}

enum err
sms_route_create(struct db_tx *tx, const struct sms_route *route)
{
    enum err err = route_names_check(tx, route, true);

    if (err == ERR_OK)
        err = db_exec_one(tx, &route_insert_stmt,
                          DB_ARGS(DB_ID(route->id), channel_arg(route), DB_TEXT(route->prefix),
                                  DB_ID(route->connector), DB_I64(route->priority)));
    return err == ERR_OK ? db_exec(tx, &route_tell_stmt, DB_NO_ARGS, NULL) : err;
}

enum err
sms_route_update(struct db_tx *tx, const struct sms_route *route)
{
    enum err err = route_names_check(tx, route, false);

    if (err != ERR_OK)
        return err;
    err = db_exec_one(tx, &route_update_stmt,
                      DB_ARGS(DB_ID(route->id), channel_arg(route), DB_TEXT(route->prefix),
                              DB_ID(route->connector), DB_I64(route->priority), DB_I64(route->revision)));
    if (err == ERR_OK)
        err = db_exec(tx, &route_tell_stmt, DB_NO_ARGS, NULL);
    return err == ERR_NOT_FOUND ? ERR_HTTP_PRECONDITION : err;
}

static const struct db_stmt route_get_stmt = { "sms_route_get",
                                               "SELECT " ROUTE_COLUMNS
                                               " FROM sms_route WHERE tenant_id = $1 AND id = $2" };

enum err
sms_route_get(struct db_tx *tx, struct id id, struct arena *arena, struct sms_route *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &route_get_stmt, DB_ARGS(DB_ID(id)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : route_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt routes_list_stmt = {
    "sms_routes_list", "SELECT " ROUTE_COLUMNS " FROM sms_route WHERE tenant_id = $1 ORDER BY id LIMIT 500"
};

enum err
sms_routes_list(struct db_tx *tx, struct arena *arena, struct sms_route **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct sms_route *routes = NULL;
    enum err err = db_query(tx, &routes_list_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && (routes = arena_array(arena, db_rows_count(rows), sizeof(*routes))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        err = route_from_row(rows, i, arena, &routes[i]);
    *out = routes;
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    db_rows_free(rows);
    return err;
}

static const struct db_stmt route_delete_stmt = {
    "sms_route_delete", "DELETE FROM sms_route WHERE tenant_id = $1 AND id = $2 AND ($3 = 0 OR revision = $3)"
};

enum err
sms_route_delete(struct db_tx *tx, struct id id, uint32_t revision)
{
    enum err err = db_exec_one(tx, &route_delete_stmt, DB_ARGS(DB_ID(id), DB_I64(revision)));

    if (err == ERR_OK)
        err = db_exec(tx, &route_tell_stmt, DB_NO_ARGS, NULL);
    return err == ERR_NOT_FOUND ? ERR_HTTP_PRECONDITION : err;
}
