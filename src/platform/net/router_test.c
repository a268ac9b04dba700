/* The router behind a real server, with a small contract of its own. */
#include "core/log.h"
#include "platform/net/http_testing.h"
#include "platform/net/router.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEY "Authorization: Bearer good\r\n"

static const char document[] =
    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"t\",\"version\":\"1\"},\"paths\":{"
    "\"/v1/things\":{"
    "\"post\":{\"operationId\":\"createThing\",\"x-scope\":\"things:write\",\"requestBody\":{\"required\":true,"
    "\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":10},"
    "\"size\":{\"type\":\"integer\"}}}}}},\"responses\":{\"201\":{\"description\":\"made\"}}},"
    "\"get\":{\"operationId\":\"listThings\",\"x-scope\":\"things:read\",\"parameters\":[{\"name\":\"limit\","
    "\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":5}}],"
    "\"responses\":{\"200\":{\"description\":\"list\"}}}},"
    "\"/v1/things/{thing_id}\":{"
    "\"delete\":{\"operationId\":\"deleteThing\",\"x-scope\":\"things:write\",\"parameters\":[{\"name\":"
    "\"thing_id\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}],"
    "\"responses\":{\"204\":{\"description\":\"gone\"}}}},"
    "\"/v1/mine\":{"
    "\"get\":{\"operationId\":\"getMine\",\"x-access\":\"session\",\"responses\":{\"200\":{\"description\":"
    "\"mine\"}}},"
    "\"delete\":{\"operationId\":\"dropMine\",\"x-access\":\"session\",\"x-step-up\":true,\"responses\":{"
    "\"204\":{\"description\":\"gone\"}}}}}}";

static struct contract *contract;
static struct router *router;
static struct harness harness;
static int on_loop;                        /* request->worker there */
static atomic_uint asked_keys, begun_work; /* how often a key was looked at, and a thing's POST was called */

static enum err
authenticate(struct http_request *request, const struct http_route *route)
{
    struct slice token;
    enum err err = request_bearer(request, &token);

    atomic_fetch_add(&asked_keys, 1);
    if (err != ERR_OK)
        return err;
    if (slice_eq(token, SLICE("far"))) /* known, but not here */
        return request->worker == &on_loop ? ERR_WOULD_WAIT : ERR_OK;
    if (route->access == HTTP_ACCESS_SESSION) /* of the token "good" here, and never stepped up */
        return !slice_eq(token, SLICE("good")) ? ERR_SESSION : route->needs_step_up ? ERR_STEP_UP : ERR_OK;
    if (slice_eq(token, SLICE("reader")))
        return strcmp(route->scope, "things:read") == 0 ? ERR_OK : ERR_SCOPE;
    return slice_eq(token, SLICE("good")) || slice_eq(token, SLICE("often")) ? ERR_OK : ERR_KEY_INVALID;
}

/* Refuses an address whose header says so, and a key that is called "often". */
static atomic_uint limit_steps[3];

static enum err
limit(struct http_request *request, enum http_limit_step step)
{
    struct slice token;

    atomic_fetch_add(&limit_steps[step], 1);
    if (step == HTTP_LIMIT_ARRIVED && http_header(request, "X-Too-Many").ptr != NULL)
        return ERR_RATE_LIMITED;
    if (step == HTTP_LIMIT_KNOWN) {
        request->answer_headers[request->answer_header_count++] =
            (struct http_pair){ SLICE("RateLimit"), SLICE("\"key\";r=1;t=1") };
        if (request_bearer(request, &token) == ERR_OK && slice_eq(token, SLICE("often"))) {
            request->problem.retry_after_s = 7;
            return ERR_RATE_LIMITED;
        }
    }
    return ERR_OK;
}

/* Knows one place of its own. */
static enum err
fallback(struct http_request *request, struct http_response *response)
{
    if (!slice_eq(request->path, SLICE("/page")))
        return ERR_HTTP_ROUTE;
    response->status = 200;
    response->content_type = SLICE("text/html");
    response->body = request->worker == &on_loop ? SLICE("on the loop") : SLICE("on a worker");
    return ERR_OK;
}

static enum err
thing_post(struct http_request *request, struct http_response *response)
{
    struct slice key;
    enum err err = request_idempotency_key(request, &key);

    atomic_fetch_add(&begun_work, 1);
    if (err != ERR_OK)
        return err;
    struct slice name = json_text_of(request_json(request), "name");
    if (slice_eq(name, SLICE("later")) || slice_eq(name, SLICE("fail"))) {
        pthread_mutex_lock(&harness.lock);
        harness.deferred[harness.deferred_count++] = request;
        pthread_mutex_unlock(&harness.lock);
        sem_post(&harness.has_deferred);
        return ERR_DEFERRED;
    }
    if (slice_eq(name, SLICE("slow"))) {
        request->problem.retry_after_s = 7;
        return ERR_BUSY;
    }
    if (slice_eq(name, SLICE("twice"))) {
        problem_add(&request->problem, request->arena, SLICE("/name"), SLICE("is taken"));
        http_response_add(response, "X-Half-Done", SLICE("1"));
        response->status = 201;
        return ERR_EXISTS;
    }
    if (slice_eq(name, SLICE("wait"))) {
        problem_add(&request->problem, request->arena, SLICE("/name"), SLICE("is taken"));
        return request->worker == &on_loop ? ERR_WOULD_WAIT : ERR_EXISTS;
    }
    return http_reply_json(request, response, 201,
                           json_pack("{s:s%, s:s%}", "name", name.ptr, name.len, "key",
                                     key.ptr == NULL ? "" : key.ptr, key.len));
}

static enum err
thing_list(struct http_request *request, struct http_response *response)
{
    return http_reply_json(request, response, 200, json_array());
}

static enum err
thing_delete(struct http_request *request, struct http_response *response)
{
    char tag[ETAG_TEXT_BYTES];

    if (!slice_eq(request_path_parameter(request, "thing_id"), SLICE("a b/\303\244")))
        return ERR_NOT_FOUND;
    assert_int_equal(request_path_parameter(request, "other").len, 0);
    enum err err = request_check_match(request, etag_print(7, tag));
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

static enum err
raw_post(struct http_request *request, struct http_response *response)
{
    assert_null(request_json(request));
    response->status = 200;
    response->content_type = SLICE("text/plain");
    response->body = request->body;
    return ERR_OK;
}

static enum err
json_post(struct http_request *request, struct http_response *response)
{
    return http_reply_json(request, response, 200, json_deep_copy(request_json(request)));
}

static enum err
fault_get(struct http_request *request, struct http_response *response UNUSED)
{
    request->problem.detail = SLICE("SECRET");
    return ERR_DB_STATEMENT;
}

static enum err
half_get(struct http_request *request, struct http_response *response)
{
    return http_reply_json(request, response, 200, NULL);
}

static enum err
special_get(struct http_request *request, struct http_response *response)
{
    response->content_type = SLICE("text/plain");
    response->body = slice_text(request->route);
    return http_reply_empty(response, 200);
}

static const struct http_route things[] = {
    { HTTP_POST, "/v1/things", thing_post, "createThing", HTTP_ACCESS_KEY, "things:write", 500, false,
      .begins_on_loop = true },
    { HTTP_GET, "/v1/things", thing_list, "listThings", HTTP_ACCESS_KEY, "things:read", 0, false },
    { HTTP_DELETE, "/v1/things/{thing_id}", thing_delete, "deleteThing", HTTP_ACCESS_KEY, "things:write", 0,
      false },
    { HTTP_GET, "/v1/mine", thing_list, "getMine", HTTP_ACCESS_SESSION, NULL, 0, false },
    { HTTP_DELETE, "/v1/mine", thing_list, "dropMine", HTTP_ACCESS_SESSION, NULL, 0, false,
      .needs_step_up = true },
    { .handler = NULL },
};
static const struct http_route others[] = {
    { HTTP_POST, "/raw", raw_post, NULL, HTTP_ACCESS_OPEN, NULL, 100, true },
    { HTTP_POST, "/json", json_post, NULL, HTTP_ACCESS_OPEN, NULL, 100000, false },
    { HTTP_GET, "/fault", fault_get, NULL, HTTP_ACCESS_OPEN, NULL, 0, false },
    { HTTP_GET, "/half", half_get, NULL, HTTP_ACCESS_OPEN, NULL, 0, false },
    { HTTP_GET, "/pick/{any}/x", special_get, NULL, HTTP_ACCESS_OPEN, NULL, 0, false },
    { HTTP_GET, "/pick/{any}/{other}", special_get, NULL, HTTP_ACCESS_OPEN, NULL, 0, false },
    { HTTP_GET, "/pick/this/{other}", special_get, NULL, HTTP_ACCESS_OPEN, NULL, 0, false },
    { HTTP_GET, "/", special_get, NULL, HTTP_ACCESS_OPEN, NULL, 0, false },
    { HTTP_GET, "/health", special_get, NULL, HTTP_ACCESS_OPEN, NULL, 0, false, .is_unlimited = true },
    { .handler = NULL },
};

static enum err
handle(void *ctx UNUSED, struct http_request *request, struct http_response *response)
{
    return router_handle(router, request, response);
}

static enum err
handle_on_loop(void *ctx UNUSED, struct http_request *request, struct http_response *response)
{
    return router_handle_on_loop(router, request, response);
}

static size_t
body_limit(void *ctx UNUSED, enum http_method method, struct slice path)
{
    return router_body_limit(router, method, path);
}

static int
group_setup(void **state UNUSED)
{
    static const struct http_route *const tables[] = { things, others };
    char why[200];

    if (contract_compile(slice_text(document), &contract, why, sizeof(why)) != ERR_OK) {
        print_error("%s\n", why);
        return -1;
    }
    enum err err = router_new(&(struct router_config){ .tables = tables,
                                                       .table_count = COUNT_OF(tables),
                                                       .contract = contract,
                                                       .authenticate = authenticate,
                                                       .limit = limit,
                                                       .fallback = fallback,
                                                       .cors_origins = SLICE("https://app.example.org,"
                                                                             "http://localhost:3000") },
                              &router);
    if (err != ERR_OK)
        return -1;
    harness_init(&harness);
    harness.config.handle = handle;
    harness.config.handle_on_loop = handle_on_loop;
    harness.config.loop_worker = &on_loop;
    harness.config.body_limit = body_limit;
    harness_start(&harness);
    return 0;
}

static int
group_teardown(void **state UNUSED)
{
    harness_end(&harness);
    router_free(router);
    contract_free(contract);
    return 0;
}

/* One request on a connection of its own; the reply is the caller's. `head` goes behind the Host line. */
static void
ask(const char *line, const char *head, struct slice body, struct testing_reply *reply)
{
    char text[1000];
    int fd = testing_connect(harness.port);

    if (body.ptr == NULL)
        snprintf(text, sizeof(text), "%s HTTP/1.1\r\n" HOST "%s\r\n", line, head);
    else
        snprintf(text, sizeof(text), "%s HTTP/1.1\r\n" HOST "%sContent-Length: %zu\r\n\r\n", line, head,
                 body.len);
    send_text(fd, text);
    testing_send(fd, body);
    if (strncmp(line, "HEAD", 4) == 0)
        assert_true(testing_receive_head(fd, reply));
    else
        assert_true(testing_receive(fd, reply));
    assert_common_headers(reply);
    if (reply->status >= 400)
        assert_string_equal(testing_header(reply, "Content-Type"), "application/problem+json");
    close(fd);
}

#define JSON_TYPE "Content-Type: application/json\r\n"
#define NO_BODY                                                                                              \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define BODY(s)                                                                                              \
    {                                                                                                        \
        "" s, sizeof(s) - 1                                                                                  \
    }

static const struct {
    const char *line, *head;
    struct slice body;
    int status;
    const char *contains; /* of the body, or NULL */
} asked[] = {
    { "GET /v1/things", KEY, NO_BODY, 200, "[]" },
    { "GET /v1/things?limit=5", KEY, NO_BODY, 200, NULL },
    { "GET /v1/things", "Authorization: Bearer reader\r\n", NO_BODY, 200, NULL },
    { "POST /v1/things", KEY JSON_TYPE, BODY("{\"name\":\"a\"}"), 201, "{\"name\":\"a\",\"key\":\"\"}" },
    { "POST /v1/things", KEY JSON_TYPE "Idempotency-Key: \"k-1\"\r\n", BODY("{\"name\":\"a\"}"), 201,
      "\"key\":\"k-1\"" },
    { "POST /v1/things", KEY "Content-Type: application/json; charset=UTF-8\r\n", BODY("{\"name\":\"a\"}"),
      201, NULL },
    { "DELETE /v1/things/a%20b%2F%C3%A4", KEY, NO_BODY, 204, NULL },
    { "DELETE /v1/things/a%20b%2F%C3%A4", KEY "If-Match: \"7\"\r\n", NO_BODY, 204, NULL },
    { "POST /raw", "", BODY("\0\377 anything"), 200, NULL },
    { "POST /json", JSON_TYPE, BODY("[1,{\"a\":null}]"), 200, "[1,{\"a\":null}]" },
    /* the most literal row wins */
    { "GET /pick/this/x", "", NO_BODY, 200, "/pick/{any}/x" },
    { "GET /pick/this/y", "", NO_BODY, 200, "/pick/this/{other}" },
    { "GET /pick/that/y", "", NO_BODY, 200, "/pick/{any}/{other}" },
    { "GET /", "", NO_BODY, 200, "/" },
    /* what no row has, and the fallback does */
    { "GET /page", "", NO_BODY, 200, "on the loop" },
    { "GET /page?a=1", "", NO_BODY, 200, "on the loop" },
    { "HEAD /page", "", NO_BODY, 200, NULL },
    { "POST /page", JSON_TYPE, BODY("{}"), 404, "\"code\":\"not-found\"" },
    { "DELETE /page", "", NO_BODY, 404, "\"code\":\"not-found\"" },
    /* 404: no such place */
    { "GET /nowhere", "", NO_BODY, 404, "\"code\":\"not-found\"" },
    { "POST /nowhere", JSON_TYPE, BODY("{}"), 404, "\"code\":\"not-found\"" },
    { "GET /v1/things/", KEY, NO_BODY, 404, NULL },
    { "GET /v1//things", KEY, NO_BODY, 404, NULL },
    { "GET //v1/things", KEY, NO_BODY, 404, NULL },
    { "GET /v1/things/../things", KEY, NO_BODY, 404, NULL },
    { "GET /V1/things", KEY, NO_BODY, 404, NULL },
    { "GET /v1/%74hings", KEY, NO_BODY, 404, NULL }, /* a name has one spelling */
    { "DELETE /v1/things/", KEY, NO_BODY, 404, NULL },
    { "DELETE /v1/things/%00", KEY, NO_BODY, 404, NULL },
    { "DELETE /v1/things/%FF", KEY, NO_BODY, 404, NULL },
    { "DELETE /v1/things/other", KEY, NO_BODY, 404, "\"code\":\"not-found\"" },
    { "OPTIONS /nowhere", "", NO_BODY, 404, NULL },
    /* 401 and 403 come before anything else is told */
    { "GET /v1/things", "", NO_BODY, 401, "\"code\":\"key-missing\"" },
    { "GET /v1/things", "Authorization: Basic YTpi\r\n", NO_BODY, 401, "\"code\":\"key-missing\"" },
    { "GET /v1/things", "Authorization: Bearer bad\r\n", NO_BODY, 401, "\"code\":\"key-invalid\"" },
    { "POST /v1/things", "Authorization: Bearer bad\r\n", BODY("nonsense"), 401, NULL },
    { "POST /v1/things", "Authorization: Bearer reader\r\n" JSON_TYPE, BODY("{}"), 403,
      "\"code\":\"scope-missing\"" },
    /* 400, 415, 422: the request itself */
    { "GET /v1/things?limit=6", KEY, NO_BODY, 422, "\"parameter\":\"limit\"" },
    { "GET /v1/things?limit=x", KEY, NO_BODY, 422, "\"code\":\"query-invalid\"" },
    { "GET /v1/things?other=1", KEY, NO_BODY, 422, "\"parameter\":\"other\"" },
    { "GET /v1/things?limit=1&limit=2", KEY, NO_BODY, 422, "\"parameter\":\"limit\"" },
    { "POST /v1/things?x=1", KEY JSON_TYPE, BODY("{\"name\":\"a\"}"), 422, "\"parameter\":\"x\"" },
    { "POST /v1/things", KEY, BODY("{\"name\":\"a\"}"), 415, "\"code\":\"media-type-unsupported\"" },
    { "POST /v1/things", KEY "Content-Type: text/json\r\n", BODY("{\"name\":\"a\"}"), 415, NULL },
    { "POST /v1/things", KEY JSON_TYPE, BODY("{\"name\":"), 400, "\"code\":\"json-invalid\"" },
    { "POST /v1/things", KEY JSON_TYPE, BODY("{\"name\":\"a\",\"name\":\"b\"}"), 400,
      "\"code\":\"json-invalid\"" },
    { "POST /v1/things", KEY JSON_TYPE, BODY("{\"name\":\"a\"} x"), 400, "\"code\":\"json-invalid\"" },
    { "POST /v1/things", KEY JSON_TYPE, BODY("{\"name\":\"\377\"}"), 400, "\"code\":\"utf8-invalid\"" },
    { "POST /v1/things", KEY JSON_TYPE, BODY("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["), 400,
      "\"code\":\"json-" },
    { "POST /v1/things", KEY JSON_TYPE, BODY(""), 400, "\"code\":\"json-invalid\"" },
    { "POST /v1/things", KEY, NO_BODY, 400, "\"code\":\"json-invalid\"" },
    { "POST /v1/things", KEY JSON_TYPE, BODY("{}"), 422, "\"pointer\":\"/name\"" },
    { "POST /v1/things", KEY JSON_TYPE, BODY("{\"name\":5}"), 422, "\"pointer\":\"/name\"" },
    { "POST /v1/things", KEY JSON_TYPE, BODY("{\"name\":\"a\",\"x\":1}"), 422, "\"pointer\":\"/x\"" },
    { "POST /v1/things", KEY JSON_TYPE, BODY("{\"name\":\"twice\"}"), 409,
      "\"errors\":[{\"pointer\":\"/name\",\"detail\":\"is taken\"}]" },
    { "POST /v1/things", KEY JSON_TYPE "Idempotency-Key: a b\r\n", BODY("{\"name\":\"a\"}"), 400,
      "\"parameter\":\"Idempotency-Key\"" },
    { "DELETE /v1/things/a%20b%2F%C3%A4", KEY "If-Match: \"6\"\r\n", NO_BODY, 412,
      "\"code\":\"precondition-failed\"" },
    { "DELETE /v1/things/a%20b%2F%C3%A4", KEY "If-Match: 7\r\n", NO_BODY, 400, "\"parameter\":\"If-Match\"" },
    { "DELETE /v1/things/x", KEY, BODY("{}"), 413, "\"code\":\"body-too-large\"" },
    { "POST /raw", "",
      BODY("0123456789012345678901234567890123456789012345678901234567890123456789"
           "0123456789012345678901234567890123456789"),
      413, NULL },
    /* ours */
    { "GET /half", "", NO_BODY, 503, "\"code\":\"out-of-memory\"" },
};

static void
each_request_gets_the_answer_of_its_kind(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        struct testing_reply reply;
        ask(asked[i].line, asked[i].head, asked[i].body, &reply);
        if (reply.status != asked[i].status)
            fail_msg("%s: %d, not %d: %s", asked[i].line, reply.status, asked[i].status, reply.body);
        if (asked[i].contains != NULL && strstr(reply.body, asked[i].contains) == NULL)
            fail_msg("%s: no %s in %s", asked[i].line, asked[i].contains, reply.body);
        if (reply.status == 401)
            assert_string_equal(testing_header(&reply, "WWW-Authenticate"), "Bearer");
        assert_null(testing_header(&reply, "X-Half-Done"));
        testing_reply_release(&reply);
    }
}

static void
a_deep_body_is_refused_as_such(void **state UNUSED)
{
    struct testing_reply reply;
    char deep[201];

    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    ask("POST /json", JSON_TYPE, slice_of(deep, 200), &reply);
    assert_int_equal(reply.status, 400);
    assert_non_null(strstr(reply.body, "\"code\":\"json-too-deep\""));
    testing_reply_release(&reply);
}

/* Around the size up to which a body's tree lies with its request. */
static void
a_body_is_read_whatever_its_size(void **state UNUSED)
{
    static const size_t sizes[] = { 4, 4095, 4096, 4097, 60000 };
    char *body = malloc(60000);

    assert_non_null(body);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct testing_reply reply;
        memset(body, 'x', sizes[i]);
        memcpy(body, "[\"", 2);
        memcpy(body + sizes[i] - 2, "\"]", 2);
        ask("POST /json", JSON_TYPE, slice_of(body, sizes[i]), &reply);
        assert_int_equal(reply.status, 200);
        assert_true(slice_eq(slice_text(reply.body), slice_of(body, sizes[i])));
        testing_reply_release(&reply);
    }
    free(body);
}

static void
the_other_methods_are_named(void **state UNUSED)
{
    static const struct {
        const char *line;
        int status;
        const char *allow;
    } rows[] = {
        { "PUT /v1/things", 405, "GET, HEAD, POST, OPTIONS" },
        { "TRACE /v1/things", 405, "GET, HEAD, POST, OPTIONS" },
        { "BREW /v1/things", 405, "GET, HEAD, POST, OPTIONS" },
        { "GET /v1/things/x", 405, "DELETE, OPTIONS" },
        { "HEAD /v1/things/x", 405, "DELETE, OPTIONS" },
        { "OPTIONS /v1/things", 204, "GET, HEAD, POST, OPTIONS" },
        { "OPTIONS /v1/things/x", 204, "DELETE, OPTIONS" },
        { "OPTIONS *", 204, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct testing_reply reply;
        ask(rows[i].line, "", SLICE_EMPTY, &reply);
        assert_int_equal(reply.status, rows[i].status);
        assert_string_equal(testing_header(&reply, "Allow"), rows[i].allow);
        testing_reply_release(&reply);
    }
}

static void
what_is_for_people_asks_for_a_session(void **state UNUSED)
{
    static const struct {
        const char *line, *head;
        int status;
    } rows[] = {
        { "GET /v1/mine", KEY, 200 },
        { "GET /v1/mine", "Authorization: Bearer reader\r\n", 401 },
        { "GET /v1/mine", "", 401 },
        { "DELETE /v1/mine", KEY, 403 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct testing_reply reply;
        ask(rows[i].line, rows[i].head, SLICE_EMPTY, &reply);
        assert_int_equal(reply.status, rows[i].status);
        testing_reply_release(&reply);
    }
}

/* A whole match and nothing near it; errors are readable too; cookies never. */
static void
pages_of_listed_origins_may_read_answers(void **state UNUSED)
{
    static const struct {
        const char *line, *head;
        bool is_let, has_preflight;
    } rows[] = {
        { "GET /v1/things", KEY "Origin: https://app.example.org\r\n", true, false },
        { "GET /v1/things", KEY "Origin: http://localhost:3000\r\n", true, false },
        { "GET /v1/things", "Origin: https://app.example.org\r\n", true, false },
        { "OPTIONS /v1/things", "Origin: https://app.example.org\r\nAccess-Control-Request-Method: POST\r\n",
          true, true },
        { "OPTIONS /v1/things", "Origin: https://app.example.org\r\n", true, false },
        { "OPTIONS /v1/things", "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
          false, false },
        { "GET /v1/things", KEY, false, false },
        { "GET /v1/things", KEY "Origin: null\r\n", false, false },
        { "GET /v1/things", KEY "Origin: https://app.example.org.evil.example\r\n", false, false },
        { "GET /v1/things", KEY "Origin: https://app.example\r\n", false, false },
        { "GET /v1/things", KEY "Origin: https://app.example.org,http://localhost:3000\r\n", false, false },
        { "GET /v1/things", KEY "Origin: \r\n", false, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct testing_reply reply;
        ask(rows[i].line, rows[i].head, SLICE_EMPTY, &reply);
        const char *origin = testing_header(&reply, "Access-Control-Allow-Origin");
        assert_int_equal(origin != NULL, rows[i].is_let);
        if (origin != NULL)
            assert_non_null(strstr(rows[i].head, origin));
        assert_string_equal(testing_header(&reply, "Vary"), "Origin");
        assert_null(testing_header(&reply, "Access-Control-Allow-Credentials"));
        const char *methods = testing_header(&reply, "Access-Control-Allow-Methods");
        assert_int_equal(methods != NULL, rows[i].has_preflight);
        if (methods != NULL)
            assert_string_equal(methods, "GET, HEAD, POST, OPTIONS");
        testing_reply_release(&reply);
    }
}

static void
head_is_get_without_the_body(void **state UNUSED)
{
    struct testing_reply reply;

    ask("HEAD /v1/things", KEY, SLICE_EMPTY, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(testing_header(&reply, "Content-Length"), "2");
    assert_string_equal(testing_header(&reply, "Content-Type"), "application/json");
}

static void
a_fault_of_ours_says_nothing(void **state UNUSED)
{
    struct testing_reply reply;

    ask("GET /fault", "", SLICE_EMPTY, &reply);
    assert_int_equal(reply.status, 500);
    assert_null(strstr(reply.body, "SECRET"));
    testing_reply_release(&reply);
    assert_non_null(strstr(harness_log(&harness), "\"route\":\"/fault\",\"status\":500"));
}

static void
who_is_busy_says_for_how_long(void **state UNUSED)
{
    struct testing_reply reply;

    ask("POST /v1/things", KEY JSON_TYPE, SLICE("{\"name\":\"slow\"}"), &reply);
    assert_int_equal(reply.status, 503);
    assert_string_equal(testing_header(&reply, "Retry-After"), "7");
    testing_reply_release(&reply);
    ask("GET /half", "", SLICE_EMPTY, &reply);
    assert_string_equal(testing_header(&reply, "Retry-After"), "1");
    testing_reply_release(&reply);
}

static void
a_deferred_request_may_fail_later(void **state UNUSED)
{
    struct testing_reply reply;
    static const char head[] = "POST /v1/things HTTP/1.1\r\n" HOST KEY JSON_TYPE "Content-Length: ";
    int fd = testing_connect(harness.port);

    send_text(fd, head);
    send_text(fd, "15\r\n\r\n{\"name\":\"fail\"}");
    harness_wait(&harness.has_deferred);
    struct http_request *request = harness_deferred(&harness, 0);
    assert_true(slice_eq(json_text_of(request_json(request), "name"), SLICE("fail"))); /* still there */
    problem_add(&request->problem, request->arena, SLICE("/name"), SLICE("came too late"));
    http_answer_problem(request, ERR_EXISTS);
    assert_true(testing_receive(fd, &reply));
    assert_int_equal(reply.status, 409);
    assert_non_null(strstr(reply.body, "came too late"));
    testing_reply_release(&reply);

    send_text(fd, head);
    send_text(fd, "16\r\n\r\n{\"name\":\"later\"}");
    harness_wait(&harness.has_deferred);
    request = harness_deferred(&harness, 0);
    struct http_response response = { 0 };
    assert_ok(http_reply_json(request, &response, 202, json_pack("{s:b}", "late", 1)));
    http_answer(request, &response);
    assert_true(testing_receive(fd, &reply));
    assert_int_equal(reply.status, 202);
    assert_string_equal(reply.body, "{\"late\":true}");
    testing_reply_release(&reply);
    close(fd);
}

/* Every step once, whoever does it: only the one that would have waited is begun again. */
static void
a_worker_goes_on_where_the_loop_stopped(void **state UNUSED)
{
    static const struct {
        const char *key, *body;
        int status;
        unsigned asked_keys, begun_work;
    } rows[] = {
        { KEY, "{\"name\":\"a\"}", 201, 1, 1 },
        { KEY, "{\"name\":\"wait\"}", 409, 1, 2 },
        { "Authorization: Bearer far\r\n", "{\"name\":\"a\"}", 201, 2, 1 },
        { "Authorization: Bearer far\r\n", "{\"name\":\"wait\"}", 409, 2, 1 },
        { "Authorization: Bearer far\r\n", "{\"name\":1}", 422, 2, 0 },
        { "Authorization: Bearer bad\r\n", "{\"name\":\"a\"}", 401, 1, 0 },
        { KEY, "{\"name\":1}", 422, 1, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct testing_reply reply;
        char head[200];
        atomic_store(&asked_keys, 0);
        atomic_store(&begun_work, 0);
        snprintf(head, sizeof(head), "%s" JSON_TYPE, rows[i].key);
        ask("POST /v1/things", head, slice_text(rows[i].body), &reply);
        assert_int_equal(reply.status, rows[i].status);
        assert_int_equal(atomic_load(&asked_keys), rows[i].asked_keys);
        assert_int_equal(atomic_load(&begun_work), rows[i].begun_work);
        if (reply.status == 409) { /* what the loop had noted is not told twice */
            const char *first = strstr(reply.body, "is taken");
            assert_non_null(first);
            assert_null(strstr(first + 1, "is taken"));
        }
        testing_reply_release(&reply);
    }
}

static void
tables_that_contradict_themselves_or_the_contract_are_refused(void **state UNUSED)
{
    static const struct http_route clash[][3] = {
        { { HTTP_GET, "/a/{x}", raw_post, NULL, HTTP_ACCESS_OPEN, NULL, 0, false },
          { HTTP_GET, "/a/{y}", raw_post, NULL, HTTP_ACCESS_OPEN, NULL, 0, false } },
        { { HTTP_GET, "/a", raw_post, NULL, HTTP_ACCESS_OPEN, NULL, 0, false },
          { HTTP_GET, "/a", raw_post, NULL, HTTP_ACCESS_OPEN, NULL, 0, false } },
        { { HTTP_GET, "/v1/things", thing_list, "noSuchThing", HTTP_ACCESS_KEY, "things:read", 0, false } },
        { { HTTP_PUT, "/v1/things", thing_list, "listThings", HTTP_ACCESS_KEY, "things:read", 0, false } },
        { { HTTP_GET, "/v1/thing", thing_list, "listThings", HTTP_ACCESS_KEY, "things:read", 0, false } },
        { { HTTP_GET, "/v1/things", thing_list, "listThings", HTTP_ACCESS_KEY, "things:write", 0, false } },
        { { HTTP_GET, "/v1/things", thing_list, "listThings", HTTP_ACCESS_OPEN, NULL, 0, false } },
        { { HTTP_GET, "/v1/things", thing_list, "listThings", HTTP_ACCESS_KEY, "things:read", 10, false } },
        { { HTTP_POST, "/v1/things", thing_post, "createThing", HTTP_ACCESS_KEY, "things:write", 0, false } },
        { { HTTP_GET, "/v1/mine", thing_list, "getMine", HTTP_ACCESS_KEY, NULL, 0, false } },
        { { HTTP_GET, "/v1/mine", thing_list, "getMine", HTTP_ACCESS_OPEN, NULL, 0, false } },
        { { HTTP_GET, "/v1/things", thing_list, "listThings", HTTP_ACCESS_SESSION, "things:read", 0,
            false } },
        { { HTTP_GET, "/v1/mine", thing_list, "getMine", HTTP_ACCESS_SESSION, NULL, 0, false,
            .needs_step_up = true } },
        { { HTTP_DELETE, "/v1/mine", thing_list, "dropMine", HTTP_ACCESS_SESSION, NULL, 0, false } },
    };
    static const struct http_route guarded[] = {
        { HTTP_GET, "/a", raw_post, NULL, HTTP_ACCESS_KEY, "x", 0, false },
        { .handler = NULL },
    };
    struct router *bad;
    const struct http_route *tables[1];
    struct router_config config = {
        .tables = tables, .table_count = 1, .contract = contract, .authenticate = authenticate
    };

    for (size_t i = 0; i < COUNT_OF(clash); i++) {
        tables[0] = clash[i];
        assert_int_equal(router_new(&config, &bad), ERR_CONFIG);
        assert_null(bad);
    }
    tables[0] = guarded;
    config.authenticate = NULL;
    assert_int_equal(router_new(&config, &bad), ERR_CONFIG);
    config.authenticate = authenticate;
    assert_ok(router_new(&config, &bad));
    router_free(bad);
    config.contract = NULL;
    tables[0] = things;
    assert_int_equal(router_new(&config, &bad), ERR_CONFIG);
}

/* How often the hook was asked at each step for one request. */
static void
limits_are_asked_when_something_is_known(void **state UNUSED)
{
    static const struct {
        const char *line, *head;
        int status;
        unsigned steps[3]; /* arrived, known, cleared */
        bool has_rate;
    } rows[] = {
        { "GET /v1/things", KEY, 200, { 1, 1, 0 }, true },
        { "POST /v1/things", KEY "Content-Type: application/json\r\n", 400, { 1, 1, 0 }, true },
        { "GET /v1/things?limit=9", KEY, 422, { 1, 1, 0 }, true },
        { "GET /v1/things", "Authorization: Bearer often\r\n", 429, { 1, 1, 0 }, true },
        { "GET /v1/things", "Authorization: Bearer bad\r\n", 401, { 1, 0, 0 }, false },
        { "GET /v1/things", "", 401, { 1, 0, 0 }, false },
        { "GET /nothing", KEY, 404, { 1, 0, 0 }, false },
        { "GET /v1/things", KEY "X-Too-Many: 1\r\n", 429, { 1, 0, 0 }, false },
        { "GET /", "", 200, { 1, 0, 1 }, false },
        { "GET /fault", "", 500, { 1, 0, 1 }, false },
        { "GET /health", "X-Too-Many: 1\r\n", 200, { 0, 0, 0 }, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct testing_reply reply;
        for (size_t step = 0; step < COUNT_OF(limit_steps); step++)
            atomic_store(&limit_steps[step], 0);
        bool has_body = strncmp(rows[i].line, "POST", 4) == 0;
        ask(rows[i].line, rows[i].head, has_body ? SLICE("{") : SLICE_EMPTY, &reply);
        assert_int_equal(reply.status, rows[i].status);
        for (size_t step = 0; step < COUNT_OF(limit_steps); step++)
            assert_int_equal(atomic_load(&limit_steps[step]), rows[i].steps[step]);
        const char *rate = testing_header(&reply, "RateLimit");
        assert_int_equal(rate != NULL && strcmp(rate, "\"key\";r=1;t=1") == 0, rows[i].has_rate);
        const char *after = testing_header(&reply, "Retry-After");
        if (reply.status == 429)
            assert_string_equal(after, rows[i].has_rate ? "7" : "1");
        testing_reply_release(&reply);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_gets_the_answer_of_its_kind),
        cmocka_unit_test(a_deep_body_is_refused_as_such),
        cmocka_unit_test(a_body_is_read_whatever_its_size),
        cmocka_unit_test(the_other_methods_are_named),
        cmocka_unit_test(what_is_for_people_asks_for_a_session),
        cmocka_unit_test(pages_of_listed_origins_may_read_answers),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(a_fault_of_ours_says_nothing),
        cmocka_unit_test(who_is_busy_says_for_how_long),
        cmocka_unit_test(a_deferred_request_may_fail_later),
        cmocka_unit_test(a_worker_goes_on_where_the_loop_stopped),
        cmocka_unit_test(limits_are_asked_when_something_is_known),
        cmocka_unit_test(tables_that_contradict_themselves_or_the_contract_are_refused),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
