#include "platform/net/router.h"
#include "core/log.h"
#include "platform/net/http_server_internal.h"
#include "wire/http/etag.h"
#include "wire/http/field.h"
#include "wire/http/target.h"
#include "wire/json/json.h"
#include <stdlib.h>

#define REPLY_BYTES_USUAL                                                                                    \
    1024u /* room from the start: a larger one is found by doubling, and wiped each time */
#define METHODS_TEXT "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/* A larger body's tree might take most of a request's arena. */
#define TREE_IN_ARENA_BYTES_MAX 4096u
_Static_assert((size_t)TREE_IN_ARENA_BYTES_MAX *JSON_IN_ARENA_FACTOR <= HTTP_ARENA_BYTES_MAX / 2,
               "the other half is the request's");

#define SEGMENTS_MAX 8u /* of a path that a route may have */

/* A path between its slashes. */
struct segments {
    struct slice items[SEGMENTS_MAX];
    size_t count;
};

struct row {
    const struct http_route *route;
    const struct contract_operation *operation; /* NULL: outside the contract */
    struct segments pattern;
    unsigned parameters; /* bit i: segment i is a parameter */
};

struct router {
    struct router_config config;
    struct row *rows; /* owned; sorted by the count of segments, which find most of them at once */
    size_t count;
    size_t first[SEGMENTS_MAX + 2]; /* of the rows with so many segments */
};

/* How far a request has come: a worker goes on where the loop stopped. */
enum step { STEP_KEY, STEP_RATE, STEP_CONTENT, STEP_HANDLER };

/* What the router keeps of a request, in its arena. */
struct routed {
    const struct row *row;
    enum step next;
    const json_t *json; /* NULL: no JSON body */
    json_t *json_owned; /* the same, when it does not lie in the arena */
};

static bool
segment_is_parameter(struct slice segment)
{
    return segment.len >= 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

/* Takes "/segment" off the front; false at the end. */
static bool
segment_take(struct slice *rest, struct slice *segment_out)
{
    if (rest->len == 0 || rest->ptr[0] != '/')
        return false;
    *rest = slice_drop(*rest, 1);
    *segment_out = slice_first(*rest, slice_find(*rest, '/'));
    *rest = slice_drop(*rest, segment_out->len);
    return true;
}

/* False: more segments than any route has, or not a path. */
static bool
segments_read(struct slice path, struct segments *out)
{
    struct slice segment = SLICE_EMPTY;

    out->count = 0;
    while (segment_take(&path, &segment)) {
        if (out->count == SEGMENTS_MAX)
            return false;
        out->items[out->count++] = segment;
    }
    return path.len == 0;
}

/* Whether the path, of as many segments, has the form of the row's; *literal_out counts those that were equal
 * letter by letter. From the end: there most rows differ. */
static bool
row_fits(const struct row *row, const struct segments *path, size_t *literal_out)
{
    *literal_out = 0;
    for (size_t i = path->count; i-- > 0;) {
        bool is_parameter = (row->parameters & (1u << i)) != 0;
        if (is_parameter ? path->items[i].len == 0 : !slice_eq(row->pattern.items[i], path->items[i]))
            return false;
        *literal_out += !is_parameter;
    }
    return true;
}

static bool
patterns_clash(struct slice a, struct slice b)
{
    struct slice one = SLICE_EMPTY, other = SLICE_EMPTY;

    for (;;) {
        bool more = segment_take(&a, &one);
        if (more != segment_take(&b, &other))
            return false;
        if (!more)
            return true;
        if (segment_is_parameter(one) != segment_is_parameter(other) ||
            (!segment_is_parameter(one) && !slice_eq(one, other)))
            return false;
    }
}

/* The row for the path and the method; NULL when there is none. *path_is_known tells 405 from 404. */
static const struct row *
row_find(const struct router *router, enum http_method method, struct slice path, bool *path_is_known)
{
    const struct row *best = NULL;
    size_t best_literal = 0;
    struct segments segments;

    *path_is_known = false;
    if (!segments_read(path, &segments))
        return NULL;
    for (size_t i = router->first[segments.count]; i < router->first[segments.count + 1]; i++) {
        const struct row *row = &router->rows[i];
        size_t literal;
        if (!row_fits(row, &segments, &literal))
            continue;
        *path_is_known = true;
        if (row->route->method == method && (best == NULL || literal > best_literal)) {
            best = row;
            best_literal = literal;
        }
    }
    if (best == NULL && method == HTTP_HEAD && *path_is_known)
        return row_find(router, HTTP_GET, path, path_is_known);
    return best;
}

/* What the row says of itself must be what the contract says: clients read the contract. */
static bool
row_agrees(const struct router *router, const struct row *row)
{
    const struct http_route *route = row->route;
    const struct contract_route *declared;

    for (size_t i = 0; (declared = contract_route_at(router->config.contract, i)) != NULL; i++) {
        if (!slice_eq(declared->operation_id, slice_text(route->operation_id)))
            continue;
        struct slice scope = route->access == HTTP_ACCESS_OPEN ? SLICE_EMPTY : slice_text(route->scope);
        if (declared->is_session != (route->access == HTTP_ACCESS_SESSION) ||
            declared->needs_step_up != route->needs_step_up)
            return false;
        return slice_eq_nocase(declared->method, slice_text(http_method_word(route->method))) &&
               patterns_clash(declared->path, slice_text(route->path)) && slice_eq(declared->scope, scope) &&
               contract_has_body(row->operation) == (route->body_bytes_max != 0);
    }
    return false;
}

static bool
row_clashes(const struct router *router, const struct http_route *route)
{
    for (size_t i = 0; i < router->count; i++)
        if (router->rows[i].route->method == route->method &&
            patterns_clash(slice_text(router->rows[i].route->path), slice_text(route->path)))
            return true;
    return false;
}

static enum err
row_add(struct router *router, const struct http_route *route)
{
    struct row *row = &router->rows[router->count];
    const char *method = http_method_word(route->method);

    *row = (struct row){ .route = route };
    if (!segments_read(slice_text(route->path), &row->pattern))
        bug("a route with a path that cannot be");
    for (size_t i = 0; i < row->pattern.count; i++)
        row->parameters |= segment_is_parameter(row->pattern.items[i]) ? 1u << i : 0;
    if (row_clashes(router, route)) {
        log_event(LOG_ERROR, "router.clash", LOG_WORD("method", method), LOG_WORD("route", route->path));
        return ERR_CONFIG;
    }
    if (route->access != HTTP_ACCESS_OPEN && router->config.authenticate == NULL) {
        log_event(LOG_ERROR, "router.unguarded", LOG_WORD("method", method), LOG_WORD("route", route->path));
        return ERR_CONFIG;
    }
    if (route->operation_id != NULL) {
        if (router->config.contract != NULL)
            row->operation = contract_find(router->config.contract, route->operation_id);
        if (row->operation == NULL) {
            log_event(LOG_ERROR, "router.operation_missing", LOG_WORD("operation", route->operation_id));
            return ERR_CONFIG;
        }
        if (!row_agrees(router, row)) {
            log_event(LOG_ERROR, "router.operation_differs", LOG_WORD("operation", route->operation_id));
            return ERR_CONFIG;
        }
    }
    router->count++;
    return ERR_OK;
}

static int
row_compare(const void *a, const void *b)
{
    size_t one = ((const struct row *)a)->pattern.count, other = ((const struct row *)b)->pattern.count;

    return one < other ? -1 : one > other;
}

static void
rows_sort(struct router *router)
{
    size_t at = 0;

    qsort(router->rows, router->count, sizeof(*router->rows), row_compare);
    for (size_t segments = 0; segments < COUNT_OF(router->first); segments++) {
        while (at < router->count && router->rows[at].pattern.count < segments)
            at++;
        router->first[segments] = at;
    }
}

enum err
router_new(const struct router_config *config, struct router **out)
{
    struct router *router = calloc(1, sizeof(*router));
    enum err err = ERR_NO_MEMORY;
    size_t count = 0;

    *out = NULL;
    if (router == NULL)
        return err;
    router->config = *config;
    for (size_t t = 0; t < config->table_count; t++)
        for (const struct http_route *route = config->tables[t]; route->handler != NULL; route++)
            count++;
    router->rows = calloc(count == 0 ? 1 : count, sizeof(*router->rows));
    if (router->rows == NULL)
        goto done;
    err = ERR_OK;
    for (size_t t = 0; t < config->table_count && err == ERR_OK; t++)
        for (const struct http_route *route = config->tables[t]; route->handler != NULL && err == ERR_OK;
             route++)
            err = row_add(router, route);
done:
    if (err != ERR_OK) {
        router_free(router);
        return err;
    }
    rows_sort(router);
    *out = router;
    return ERR_OK;
}

void
router_free(struct router *router)
{
    if (router == NULL)
        return;
    free(router->rows);
    free(router);
}

size_t
router_body_limit(void *ctx, enum http_method method, struct slice path)
{
    bool path_is_known;
    const struct row *row = row_find(ctx, method, path, &path_is_known);

    if (row == NULL)
        return HTTP_BODY_UNREAD;
    if (row->route->is_feed)
        return HTTP_BODY_FEED;
    return row->route->body_bytes_max | (row->route->is_streamed ? HTTP_BODY_STREAMED : 0);
}

/* Whether a page of the request's Origin may read the answer. Nothing but a whole match will do: no patterns,
 * no "null". */
static void
cors_judge(const struct router *router, struct http_request *request)
{
    struct slice rest = router->config.cors_origins, origin = http_header(request, "Origin");

    request->varies_by_origin = rest.len != 0;
    while (rest.len != 0) {
        struct slice one = slice_first(rest, slice_find(rest, ','));
        rest = slice_drop(rest, one.len == rest.len ? one.len : one.len + 1);
        if (one.len != 0 && origin.ptr != NULL && slice_eq(one, origin))
            request->cors_origin = origin;
    }
}

/* What a foreign page may send (fetch standard, CORS preflight). */
static void
preflight_add(struct http_request *request, struct http_response *response, struct slice methods)
{
    if (request->cors_origin.len == 0 || http_header(request, "Access-Control-Request-Method").ptr == NULL)
        return;
    http_response_add(response, "Access-Control-Allow-Methods", methods);
    http_response_add(response, "Access-Control-Allow-Headers",
                      SLICE("Authorization, Content-Type, Idempotency-Key, If-Match, traceparent"));
    http_response_add(response, "Access-Control-Max-Age", SLICE("600"));
}

/* Allow: what the path is good for (RFC 9110, 10.2.1). */
static enum err
allow_add(const struct router *router, struct http_request *request, struct http_response *response)
{
    bool has[HTTP_OTHER] = { false };
    struct segments segments;
    struct buf text;
    enum err err;

    if (slice_eq(request->path, SLICE("*"))) {
        http_response_add(response, "Allow", SLICE(METHODS_TEXT));
        return ERR_OK;
    }
    bool is_path = segments_read(request->path, &segments);
    for (size_t i = 0; is_path && i < router->count; i++) {
        size_t literal;
        if (router->rows[i].pattern.count == segments.count &&
            row_fits(&router->rows[i], &segments, &literal))
            has[router->rows[i].route->method] = true;
    }
    has[HTTP_HEAD] = has[HTTP_HEAD] || has[HTTP_GET];
    has[HTTP_OPTIONS] = true;
    buf_init(&text, sizeof(METHODS_TEXT));
    for (enum http_method method = HTTP_GET; method < HTTP_OTHER; method++) {
        if (!has[method])
            continue;
        if (text.len != 0)
            buf_add_text(&text, ", ");
        buf_add_text(&text, http_method_word(method));
    }
    err = buf_done(&text);
    if (err == ERR_OK) {
        struct slice allow = arena_copy(request->arena, buf_slice(&text));
        if (allow.ptr == NULL)
            err = ERR_NO_MEMORY;
        else
            http_response_add(response, "Allow", allow);
        if (allow.ptr != NULL && request->method == HTTP_OPTIONS)
            preflight_add(request, response, allow);
    }
    buf_release(&text);
    return err;
}

static enum err
parameters_read(const struct row *row, struct http_request *request)
{
    struct segments path;

    if (row->parameters == 0)
        return ERR_OK;
    if (!segments_read(request->path, &path))
        return ERR_HTTP_ROUTE;
    for (size_t i = 0; i < path.count; i++) {
        if ((row->parameters & (1u << i)) == 0)
            continue;
        if (request->path_parameter_count == HTTP_PATH_PARAMETERS_MAX)
            return ERR_SYSTEM;
        struct slice name = row->pattern.items[i];
        struct http_pair *pair = &request->path_parameters[request->path_parameter_count++];
        pair->name = slice_first(slice_drop(name, 1), name.len - 2);
        enum err err = target_decode(request->arena, path.items[i], false, &pair->value);
        if (err != ERR_OK)
            return err == ERR_ENCODING ? ERR_HTTP_ROUTE : err; /* no name of ours */
    }
    return ERR_OK;
}

static enum err
query_check(const struct row *row, struct http_request *request)
{
    struct contract_parameter parameters[HTTP_QUERY_MAX] UNCLEARED;

    if (row->operation == NULL)
        return ERR_OK;
    for (size_t i = 0; i < request->query_count; i++)
        parameters[i] = (struct contract_parameter){ request->query[i].name, request->query[i].value };
    return contract_check_query(row->operation, parameters, request->query_count, request->arena,
                                &request->problem);
}

static void
routed_cleanup(struct http_request *request)
{
    struct routed *routed = request->router;

    json_decref(routed->json_owned);
    routed->json = routed->json_owned = NULL;
}

/* Most bodies are small, and their trees go with the request: nothing is given back piece by piece. */
static enum err
json_take(struct routed *routed, struct http_request *request)
{
    if (request->body.len <= TREE_IN_ARENA_BYTES_MAX)
        return json_parse_in(request->arena, request->body, &routed->json);
    enum err err = json_parse(request->body, &routed->json_owned);
    routed->json = routed->json_owned;
    return err;
}

static enum err
body_read(const struct row *row, struct http_request *request)
{
    struct routed *routed = request->router;
    enum err err;

    if (row->route->body_bytes_max == 0 || row->route->has_raw_body || row->route->is_streamed)
        return ERR_OK;
    if (request->body.len == 0 && (row->operation == NULL || !contract_has_body(row->operation)))
        return ERR_OK;
    if (request->body.len != 0) {
        err = field_check_json(http_header(request, "Content-Type"));
        if (err != ERR_OK)
            return err;
    }
    err = json_take(routed, request);
    if (err != ERR_OK || row->operation == NULL)
        return err;
    return contract_check_body(row->operation, routed->json, request->arena, &request->problem);
}

static enum err
limit_ask(const struct router *router, const struct row *row, struct http_request *request,
          enum http_limit_step step)
{
    if (router->config.limit == NULL || (row != NULL && row->route->is_unlimited))
        return ERR_OK;
    return router->config.limit(request, step);
}

/* No stranger is to blame for what went well, nor for what is ours. */
static void
clear_if_ours(const struct router *router, const struct row *row, struct http_request *request, enum err err)
{
    enum err_class class = err_class(err);

    if (err == ERR_OK || class == ERR_CLASS_UNAVAILABLE || class == ERR_CLASS_INTERNAL)
        (void)limit_ask(router, row, request, HTTP_LIMIT_CLEARED);
}

/* Finds the row and notes it in request->router; NULL there: the answer is made, or the error tells. */
static enum err
request_route(const struct router *router, struct http_request *request, struct http_response *response)
{
    bool path_is_known;
    const struct row *row = row_find(router, request->method, request->path, &path_is_known);
    enum err err = limit_ask(router, row, request, HTTP_LIMIT_ARRIVED);

    if (err != ERR_OK)
        return err;
    if (row == NULL) {
        bool is_whole_server = slice_eq(request->path, SLICE("*"));
        bool is_read = request->method == HTTP_GET || request->method == HTTP_HEAD;
        if (!path_is_known && is_read && router->config.fallback != NULL) {
            err = router->config.fallback(request, response);
            clear_if_ours(router, NULL, request, err);
            return err;
        }
        if (!path_is_known && !is_whole_server)
            return ERR_HTTP_ROUTE;
        if (request->method != HTTP_OPTIONS)
            return ERR_HTTP_METHOD;
        response->status = 204;
        return allow_add(router, request, response);
    }
    request->route = row->route->path;
    struct routed *routed = arena_alloc(request->arena, sizeof(*routed));
    if (routed == NULL)
        return ERR_NO_MEMORY;
    routed->row = row;
    request->router = routed;
    request->cleanup = routed_cleanup;
    return parameters_read(row, request);
}

/* The steps that are left. Each is done once, but for one that would wait on the loop. */
static enum err
request_serve(const struct router *router, struct http_request *request, struct http_response *response)
{
    struct routed *routed = request->router;
    const struct row *row = routed->row;
    enum err err = ERR_OK;

    if (routed->next == STEP_KEY) { /* before anything else is told about the request */
        if (row->route->access != HTTP_ACCESS_OPEN)
            err = router->config.authenticate(request, row->route);
        if (err != ERR_OK && err != ERR_WOULD_WAIT)
            clear_if_ours(router, row, request, err);
        if (err != ERR_OK)
            return err;
        routed->next = STEP_RATE;
    }
    if (routed->next == STEP_RATE) {
        if (row->route->access != HTTP_ACCESS_OPEN)
            err = limit_ask(router, row, request, HTTP_LIMIT_KNOWN);
        if (err != ERR_OK)
            return err;
        routed->next = STEP_CONTENT;
    }
    if (routed->next == STEP_CONTENT) {
        err = query_check(row, request);
        if (err == ERR_OK)
            err = body_read(row, request);
        if (err != ERR_OK)
            return err;
        routed->next = STEP_HANDLER;
    }
    err = row->route->handler(request, response);
    /* A deferred one may be gone by now: its handler has cleared it. */
    if (row->route->access == HTTP_ACCESS_OPEN && err != ERR_WOULD_WAIT && err != ERR_DEFERRED)
        clear_if_ours(router, row, request, err);
    return err;
}

static enum err
handle(const struct router *router, struct http_request *request, struct http_response *response,
       bool is_on_loop)
{
    enum err err = ERR_OK;

    if (request->router == NULL) {
        cors_judge(router, request);
        err = request_route(router, request, response);
    }
    const struct routed *routed = request->router;
    if (err == ERR_OK && routed != NULL)
        err = is_on_loop && !routed->row->route->begins_on_loop ? ERR_WOULD_WAIT
                                                                : request_serve(router, request, response);
    if (err == ERR_OK || err == ERR_DEFERRED)
        return err;
    if (err == ERR_WOULD_WAIT && is_on_loop) {
        memset(&request->problem, 0, sizeof(request->problem)); /* the step is done anew */
        return err;
    }
    http_response_problem(request, response, err);
    if (err == ERR_HTTP_METHOD && allow_add(router, request, response) != ERR_OK)
        http_response_problem(request, response, ERR_NO_MEMORY);
    return ERR_OK;
}

enum err
router_handle(void *ctx, struct http_request *request, struct http_response *response)
{
    return handle(ctx, request, response, false);
}

enum err
router_handle_on_loop(void *ctx, struct http_request *request, struct http_response *response)
{
    return handle(ctx, request, response, true);
}

const json_t *
request_json(const struct http_request *request)
{
    const struct routed *routed = request->router;

    return routed == NULL ? NULL : routed->json;
}

struct slice
request_path_parameter(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->path_parameter_count; i++)
        if (slice_eq(request->path_parameters[i].name, slice_text(name)))
            return request->path_parameters[i].value;
    return SLICE_EMPTY;
}

enum err
request_bearer(const struct http_request *request, struct slice *token_out)
{
    return field_bearer(http_header(request, "Authorization"), token_out);
}

enum err
request_idempotency_key(struct http_request *request, struct slice *key_out)
{
    struct slice value = http_header(request, "Idempotency-Key");

    *key_out = SLICE_EMPTY;
    if (value.ptr == NULL)
        return ERR_OK;
    enum err err = field_idempotency_key(value, key_out);
    if (err != ERR_OK)
        problem_add_parameter(&request->problem, request->arena, SLICE("Idempotency-Key"),
                              SLICE("must be 1 to 255 visible ASCII characters"));
    return err;
}

enum err
request_check_match(struct http_request *request, struct slice etag)
{
    struct slice value = http_header(request, "If-Match");

    if (value.ptr == NULL)
        return ERR_OK;
    enum err err = etag_check_match(value, etag);
    if (err == ERR_HTTP_HEADER)
        problem_add_parameter(&request->problem, request->arena, SLICE("If-Match"),
                              SLICE("must be * or a list of entity tags"));
    return err;
}

void
http_reply_begin(struct buf *text)
{
    buf_init(text, HTTP_ARENA_BYTES_MAX);
    (void)buf_reserve(text, REPLY_BYTES_USUAL);
}

enum err
http_reply_printed(struct http_request *request, struct http_response *response, int status, struct buf *text)
{
    enum err err = buf_done(text);

    if (err == ERR_OK) {
        response->status = status;
        response->content_type = SLICE("application/json");
        response->body = arena_copy(request->arena, buf_slice(text));
        if (response->body.ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    buf_release_wiped(text); /* answers hold what tenants wrote */
    return err;
}

enum err
http_reply_json(struct http_request *request, struct http_response *response, int status, json_t *value)
{
    struct buf text;

    if (value == NULL)
        return ERR_NO_MEMORY;
    http_reply_begin(&text);
    enum err err = json_print(value, &text);
    enum err printed = http_reply_printed(request, response, status, &text);
    json_decref(value);
    return err != ERR_OK ? err : printed;
}

enum err
http_reply_empty(struct http_response *response, int status)
{
    response->status = status;
    return ERR_OK;
}

void
http_answer_problem(struct http_request *request, enum err err)
{
    struct http_response response;

    http_response_problem(request, &response, err);
    http_answer(request, &response);
}
