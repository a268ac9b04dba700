/*
 * The HTTP server: libmicrohttpd driven from our own loop (its internal thread stalls at 128·k ready events), with
 * the checks it lacks: exactly one Host, at most one Content-Length, never with Transfer-Encoding, no coding but
 * chunked, no folded or control-carrying header. A request is handed over whole, in its own arena, to a bounded
 * queue of workers; a full queue answers 503 at once. A handler answers now, or later from any thread.
 */
#ifndef PLATFORM_NET_HTTP_SERVER_H
#define PLATFORM_NET_HTTP_SERVER_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "wire/http/problem.h"

#define HTTP_HEADERS_MAX        64u
#define HTTP_QUERY_MAX          32u
#define HTTP_PATH_PARAMETERS_MAX 4u
#define HTTP_TARGET_BYTES_MAX   4096u
#define HTTP_ARENA_BYTES_MAX    (1024u * 1024u) /* besides the body itself */

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS };

struct http_pair {
    struct slice name, value;
};

struct http_request {
    struct id id;        /* X-Request-Id of the answer: req_... */
    enum http_method method;
    struct slice path;   /* as sent, without the query; only [A-Za-z0-9/_.~-] and %XX get this far */
    struct http_pair headers[HTTP_HEADERS_MAX];
    size_t header_count;
    struct http_pair query[HTTP_QUERY_MAX]; /* percent-decoded, valid UTF-8 */
    size_t query_count;
    struct http_pair path_parameters[HTTP_PATH_PARAMETERS_MAX]; /* filled by the router */
    size_t path_parameter_count;
    struct slice body;
    struct slice peer_address; /* text of the IP address, after trusted proxies; empty for an untold unix peer */
    struct arena *arena;       /* lives until the answer is sent */
    struct problem problem;
    struct mono_time began_at;
    void *worker;              /* the worker's own state: its database connection and so on */
    void *principal;           /* filled by the router's authenticate hook */
    void *transport;           /* the server's own */
};

struct http_response {
    int status;
    struct slice content_type; /* a literal or in the arena */
    struct slice body;         /* in the request's arena or static */
    struct http_pair headers[16];
    size_t header_count;
};

/* Copies nothing: name is a literal, value lives in the arena. CR, LF and NUL in a value are a bug. */
void http_response_add(struct http_response *response, const char *name, struct slice value);
/* The header's value, or a slice with NULL ptr. Case-insensitive. */
struct slice http_header(const struct http_request *request, const char *name);
struct slice http_query(const struct http_request *request, const char *name);

struct http_server;

struct http_server_config {
    int listen_fd;              /* listening, non-blocking; taken */
    unsigned workers;
    size_t connections_max, queue_max;
    size_t body_bytes_max;      /* the most any route takes; the route's own limit comes from body_limit */
    struct slice trusted_proxies; /* CIDR list, comma-separated; X-Forwarded-For is believed only from these and unix peers */
    const struct clock *clock;
    void *ctx;
    /* On each worker thread, before its first request; *worker_out is kept for it. */
    enum err (*worker_open)(void *ctx, unsigned index, void **worker_out);
    void (*worker_close)(void *ctx, void *worker);
    /* On the loop thread, with the head only: the body limit of this request; 0 refuses any body. */
    size_t (*body_limit)(void *ctx, enum http_method method, struct slice path);
    /*
     * On a worker thread. ERR_OK: *response is sent. ERR_DEFERRED: http_answer comes later. Anything else cannot
     * happen: the router turns errors into problem documents.
     */
    enum err (*handle)(void *ctx, struct http_request *request, struct http_response *response);
};

MUST_CHECK enum err http_server_new(const struct http_server_config *config, struct http_server **out);
/* Runs the loop on the calling thread until http_server_stop. Calls `tick` about once a second. */
MUST_CHECK enum err http_server_run(struct http_server *server, void (*tick)(void *ctx), void *ctx);
/* From any thread or a signal handler: no new connections, answer what is in flight, then http_server_run returns. */
void http_server_stop(struct http_server *server);
void http_server_free(struct http_server *server);

/* Answers a deferred request, from any thread, once. The request is gone afterwards. */
void http_answer(struct http_request *request, const struct http_response *response);

#endif
