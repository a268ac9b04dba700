/* /v1/sms/routes: which account at an SMS operator carries what. */
#include "domain/channel/sms/sms_route.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define BODY_BYTES_MAX 4096u

static json_t *
route_show(const struct sms_route *route)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:i, s:o}", "id", show_id(ID_SMS_ROUTE, route->id), "channel_id",
                     id_is_zero(route->channel) ? json_null() : show_id(ID_CHANNEL, route->channel), "prefix",
                     show_text(route->prefix), "connector_id", show_id(ID_SMS_CONNECTOR, route->connector),
                     "priority", (int)route->priority, "created_at", show_time(route->created_at));
}

struct route_work {
    struct id id;
    struct arena *arena;
    struct sms_route route, *routes;
    size_t count;
    uint32_t revision;
};

static enum err
route_reply(struct http_request *request, struct http_response *response, int status,
            const struct sms_route *route)
{
    char tag[ETAG_TEXT_BYTES];

    http_response_add(response, "ETag", arena_copy(request->arena, etag_print(route->revision, tag)));
    return http_reply_json(request, response, status, route_show(route));
}

/* What the body gives; the rest stays. The contract has checked types and ranges. */
static enum err
route_take(const json_t *body, struct sms_route *route)
{
    struct slice channel = json_text_of(body, "channel_id"), connector = json_text_of(body, "connector_id"),
                 prefix = json_text_of(body, "prefix");
    int64_t priority = route->priority;
    enum err err = ERR_OK;

    if (prefix.ptr != NULL)
        route->prefix = prefix;
    (void)json_int_of(body, "priority", &priority);
    route->priority = (unsigned)priority;
    if (json_is_null(json_member(body, "channel_id")))
        route->channel = (struct id){ { 0 } };
    if (channel.ptr != NULL && id_parse(ID_CHANNEL, channel, &route->channel) != ERR_OK)
        err = ERR_ROUTE_UNKNOWN;
    if (connector.ptr != NULL && id_parse(ID_SMS_CONNECTOR, connector, &route->connector) != ERR_OK)
        err = ERR_ROUTE_UNKNOWN;
    return err;
}

static enum err
route_read_in(struct db_tx *tx, void *ctx)
{
    struct route_work *work = ctx;

    return sms_route_get(tx, work->id, work->arena, &work->route);
}

static enum err
route_list_in(struct db_tx *tx, void *ctx)
{
    struct route_work *work = ctx;

    return sms_routes_list(tx, work->arena, &work->routes, &work->count);
}

/* What a route names and is not there is a fault of the request; the route itself was found. */
static enum err
route_put_in(struct db_tx *tx, struct route_work *work, bool is_new)
{
    enum err err = is_new ? sms_route_create(tx, &work->route) : sms_route_update(tx, &work->route);

    if (err == ERR_NOT_FOUND)
        err = ERR_ROUTE_UNKNOWN;
    return err == ERR_OK ? route_read_in(tx, work) : err;
}

static enum err
route_create_in(struct db_tx *tx, void *ctx)
{
    return route_put_in(tx, ctx, true);
}

static enum err
route_update_in(struct db_tx *tx, void *ctx)
{
    return route_put_in(tx, ctx, false);
}

static enum err
route_delete_in(struct db_tx *tx, void *ctx)
{
    struct route_work *work = ctx;

    return sms_route_delete(tx, work->id, work->revision);
}

static enum err
route_post(struct http_request *request, struct http_response *response)
{
    struct route_work work = { .arena = request->arena,
                               .id = id_new(gateway_worker_of(request)->gateway->clock) };
    enum err err = reach_check_workspace(request);

    work.route = (struct sms_route){ .id = work.id, .prefix = SLICE("") };
    if (err == ERR_OK)
        err = route_take(request_json(request), &work.route);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SMS_ROUTE_CREATED,
                                            .object_kind = ID_SMS_ROUTE,
                                            .object = &work.id },
                        route_create_in, &work);
    if (err != ERR_OK)
        return err;
    gateway_locate(request, response, "/v1/sms/routes/", ID_SMS_ROUTE, work.id);
    return route_reply(request, response, 201, &work.route);
}

static enum err
route_get(struct http_request *request, struct http_response *response)
{
    struct route_work work = { .arena = request->arena };
    enum err err = gateway_path_id(request, "route_id", ID_SMS_ROUTE, &work.id);

    if (err == ERR_OK)
        err = gateway_read(request, route_read_in, &work);
    return err == ERR_OK ? route_reply(request, response, 200, &work.route) : err;
}

static enum err
routes_get(struct http_request *request, struct http_response *response)
{
    struct route_work work = { .arena = request->arena };
    enum err err = gateway_read(request, route_list_in, &work);

    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < work.count; i++)
        show_append(&items, route_show(&work.routes[i]));
    return http_reply_json(request, response, 200, json_pack("{s:o}", "data", items));
}

/* Reads it and compares what the client has seen. */
static enum err
route_meet(struct http_request *request, struct route_work *work)
{
    char tag[ETAG_TEXT_BYTES];
    enum err err = reach_check_workspace(request);

    if (err == ERR_OK)
        err = gateway_path_id(request, "route_id", ID_SMS_ROUTE, &work->id);
    if (err == ERR_OK)
        err = gateway_read(request, route_read_in, work);
    if (err == ERR_OK)
        err = request_check_match(request, etag_print(work->route.revision, tag));
    work->revision = http_header(request, "If-Match").ptr == NULL ? 0 : work->route.revision;
    return err;
}

static enum err
route_patch(struct http_request *request, struct http_response *response)
{
    struct route_work work = { .arena = request->arena };
    enum err err = route_meet(request, &work);

    if (err == ERR_OK)
        err = route_take(request_json(request), &work.route);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SMS_ROUTE_UPDATED,
                                            .object_kind = ID_SMS_ROUTE,
                                            .object = &work.id,
                                            .detail = act_members(request) },
                        route_update_in, &work);
    return err == ERR_OK ? route_reply(request, response, 200, &work.route) : err;
}

static enum err
route_remove(struct http_request *request, struct http_response *response)
{
    struct route_work work = { .arena = request->arena };
    enum err err = route_meet(request, &work);

    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_SMS_ROUTE_DELETED,
                                            .object_kind = ID_SMS_ROUTE,
                                            .object = &work.id },
                        route_delete_in, &work);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

const struct http_route sms_route_routes[] = {
    { HTTP_POST, "/v1/sms/routes", route_post, "createSmsRoute", HTTP_ACCESS_KEY, "channels:manage",
      .body_bytes_max = BODY_BYTES_MAX },
    { HTTP_GET, "/v1/sms/routes", routes_get, "listSmsRoutes", HTTP_ACCESS_KEY, "channels:read" },
    { HTTP_GET, "/v1/sms/routes/{route_id}", route_get, "getSmsRoute", HTTP_ACCESS_KEY, "channels:read" },
    { HTTP_PATCH, "/v1/sms/routes/{route_id}", route_patch, "updateSmsRoute", HTTP_ACCESS_KEY,
      "channels:manage", .body_bytes_max = BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/sms/routes/{route_id}", route_remove, "deleteSmsRoute", HTTP_ACCESS_KEY,
      "channels:manage" },
    { .handler = NULL },
};
