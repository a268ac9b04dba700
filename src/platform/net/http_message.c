/* Requests and responses as values: what handlers and the router use of them. No sockets here. */
#include "core/log.h"
#include "core/metric.h"
#include "platform/net/http_server_internal.h"

#define PROBLEM_BYTES_MAX 16384u
#define RETRY_AFTER_S     1u /* when whoever refused did not say */

const char *
http_method_word(enum http_method method)
{
    static const char *const words[] = {
        [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",       [HTTP_PUT] = "PUT",
        [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "other",
    };

    return words[method];
}

struct slice
http_header(const struct http_request *request, const char *name)
{
    struct slice wanted = slice_text(name);

    for (size_t i = 0; i < request->header_count; i++)
        if (slice_eq_nocase(request->headers[i].name, wanted))
            return request->headers[i].value;
    return SLICE_EMPTY;
}

struct slice
http_query(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++)
        if (slice_eq(request->query[i].name, slice_text(name)))
            return request->query[i].value;
    return SLICE_EMPTY;
}

void
http_response_add(struct http_response *response, const char *name, struct slice value)
{
    if (response->header_count == HTTP_RESPONSE_HEADERS_MAX)
        bug("more response headers than there is room for");
    if (value.len > HTTP_RESPONSE_VALUE_BYTES_MAX)
        bug("a response header is too long");
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == '\r' || value.ptr[i] == '\n' || value.ptr[i] == '\0')
            bug("a response header with a line end in it");
    response->headers[response->header_count++] = (struct http_pair){ slice_text(name), value };
}

void
http_response_problem(struct http_request *request, struct http_response *response, enum err err)
{
    char id[ID_TEXT_BYTES];
    struct buf text;
    uint32_t retry_after_s = request->problem.retry_after_s;

    memset(response, 0, sizeof(*response));
    request->error = err;
    response->status = problem_status(err);
    response->content_type = SLICE("application/problem+json");
    buf_init(&text, PROBLEM_BYTES_MAX);
    problem_print(&text, err, &request->problem, id_print(ID_REQUEST, request->id, id));
    if (buf_done(&text) == ERR_OK)
        response->body = arena_copy(request->arena, buf_slice(&text));
    buf_release_wiped(&text);
    if (response->body.ptr == NULL) { /* the arena is full: the same in general terms */
        response->status = 503;
        response->body =
            SLICE("{\"type\":\"https://harkara.dev/problems/out-of-memory\",\"title\":\"The request "
                  "needs more memory than it may use.\",\"status\":503,\"code\":\"out-of-memory\"}");
    }
    if (response->status == 401)
        http_response_add(response, "WWW-Authenticate", SLICE("Bearer"));
    if (response->status == 429 || response->status == 503 || retry_after_s != 0) {
        struct slice seconds =
            arena_format(request->arena, "%u", retry_after_s == 0 ? RETRY_AFTER_S : retry_after_s);
        http_response_add(response, "Retry-After", seconds.ptr == NULL ? SLICE("1") : seconds);
    }
}

void
http_answer_note(const struct http_request *request, const struct http_response *response,
                 struct mono_time now)
{
    struct mono_time from = request->handed_at.us == 0 ? request->began_at : request->handed_at;
    /* The pattern, never the path or the query: they may hold what somebody typed. */
    const char *route = request->route == NULL ? "-" : request->route;
    const char *method = http_method_word(request->method);
    struct slice trace = slice_of(request->trace.trace, request->has_trace ? TRACE_ID_BYTES : 0);
    int64_t us = now.us - from.us;

    metric_add(METRIC_HTTP_REQUESTS, 1);
    if (response->status >= 500)
        metric_add(METRIC_HTTP_SERVER_ERRORS, 1);
    else if (response->status >= 400)
        metric_add(METRIC_HTTP_CLIENT_ERRORS, 1);
    metric_observe_us(METRIC_HTTP_SECONDS, us);
    if (id_is_zero(request->tenant))
        log_event(LOG_INFO, "http.answered", LOG_ID("request", ID_REQUEST, request->id),
                  LOG_WORD("method", method), LOG_WORD("route", route), LOG_NUM("status", response->status),
                  LOG_NUM("us", us), LOG_NUM("bytes", response->body.len), LOG_ERR(request->error),
                  LOG_HASH("trace", trace));
    else
        log_event(LOG_INFO, "http.answered", LOG_ID("request", ID_REQUEST, request->id),
                  LOG_WORD("method", method), LOG_WORD("route", route), LOG_NUM("status", response->status),
                  LOG_NUM("us", us), LOG_NUM("bytes", response->body.len), LOG_ERR(request->error),
                  LOG_HASH("trace", trace), LOG_ID("tenant", ID_TENANT, request->tenant));
}

static bool
has_header(const struct http_response *response, const char *name)
{
    struct slice wanted = slice_text(name);

    for (size_t i = 0; i < response->header_count; i++)
        if (slice_eq_nocase(response->headers[i].name, wanted))
            return true;
    return false;
}

/* `text` is room for the C string that the library wants: one for all fields of a response. */
static bool
header_put(struct MHD_Response *made, char text[static HTTP_RESPONSE_VALUE_BYTES_MAX + 1], const char *name,
           struct slice value)
{
    if (value.len > HTTP_RESPONSE_VALUE_BYTES_MAX)
        return false;
    if (value.len != 0)
        memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    /* The library refuses an empty value; one of ours says nothing and may be left out. */
    return value.len == 0 || MHD_add_response_header(made, name, text) == MHD_YES;
}

/* The caller's trace goes on with our request as its span: its first octets are time, its last are random. */
static bool
traceparent_put(struct MHD_Response *made, char *room, const struct http_request *request)
{
    char text[TRACEPARENT_TEXT_BYTES];
    struct traceparent trace = request->trace;

    if (!request->has_trace)
        return true;
    memcpy(trace.span, request->id.bytes + ID_BYTES - TRACE_SPAN_BYTES, TRACE_SPAN_BYTES);
    return header_put(made, room, "traceparent", traceparent_print(&trace, text));
}

/* Two years, the least that lists of such hosts take. */
#define STRICT_TRANSPORT "max-age=63072000; includeSubDomains"

static bool
origin_put(struct MHD_Response *made, char *room, const struct http_request *request)
{
    bool is_whole = true;

    if (request->is_https)
        is_whole = header_put(made, room, "Strict-Transport-Security", SLICE(STRICT_TRANSPORT));
    if (request->varies_by_origin)
        is_whole = is_whole && header_put(made, room, "Vary", SLICE("Origin"));
    if (request->cors_origin.len == 0)
        return is_whole;
    return is_whole && header_put(made, room, "Access-Control-Allow-Origin", request->cors_origin) &&
           header_put(made, room, "Access-Control-Expose-Headers",
                      SLICE("ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, "
                            "X-Request-Id"));
}

bool
http_response_dress(struct MHD_Response *made, const struct http_request *request,
                    const struct http_response *response, bool is_last)
{
    static const struct {
        const char *name, *value;
    } defaults[] = {
        { "Cache-Control", "no-store" },
        { "X-Content-Type-Options", "nosniff" },
        { "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Referrer-Policy", "no-referrer" },
    };
    char id[ID_TEXT_BYTES], room[HTTP_RESPONSE_VALUE_BYTES_MAX + 1] UNCLEARED;
    bool is_whole = header_put(made, room, "X-Request-Id", id_print(ID_REQUEST, request->id, id)) &&
                    header_put(made, room, "Content-Type", response->content_type) &&
                    traceparent_put(made, room, request) && origin_put(made, room, request);

    for (size_t i = 0; i < COUNT_OF(defaults); i++)
        if (!has_header(response, defaults[i].name))
            is_whole = is_whole && header_put(made, room, defaults[i].name, slice_text(defaults[i].value));
    for (size_t i = 0; i < response->header_count; i++)
        is_whole =
            is_whole && header_put(made, room, response->headers[i].name.ptr, response->headers[i].value);
    for (size_t i = 0; i < request->answer_header_count; i++)
        is_whole = is_whole && header_put(made, room, request->answer_headers[i].name.ptr,
                                          request->answer_headers[i].value);
    if (is_last)
        is_whole = is_whole && header_put(made, room, "Connection", SLICE("close"));
    return is_whole;
}

struct MHD_Response *
http_response_make(const struct http_request *request, const struct http_response *response,
                   enum MHD_ResponseMemoryMode body_mode, bool is_last)
{
    union { /* the library takes a pointer to non-const and only reads it */
        const char *from;
        void *to;
    } body = { .from = response->body.ptr };
    struct MHD_Response *made = MHD_create_response_from_buffer(
        response->body.len, response->body.len == 0 ? NULL : body.to, body_mode);

    if (made == NULL || http_response_dress(made, request, response, is_last))
        return made;
    MHD_destroy_response(made);
    return NULL;
}
