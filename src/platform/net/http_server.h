/*
 * The HTTP server: libmicrohttpd driven from our own loop (its internal thread stalls at 128·k ready events),
 * with the checks it lacks: exactly one Host, at most one Content-Length, never with Transfer-Encoding, no
 * coding but chunked, no folded or control-carrying header, no line that ends in a bare LF. A request is
 * handed over whole, in its own arena, to a pool of workers; at the limit 503 is answered at once. A handler
 * answers now, or later from any thread. Bytes that do not even make a request line or a field line are
 * answered by the library itself, with a bare 4xx or 505, and the connection is closed. A client that closes
 * its side before the answer has come gets none.
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
#include "wire/http/traceparent.h"

#define HTTP_HEADERS_MAX          64u
#define HTTP_QUERY_MAX            32u
#define HTTP_PATH_PARAMETERS_MAX  4u
#define HTTP_RESPONSE_HEADERS_MAX 16u
#define HTTP_ANSWER_HEADERS_MAX   2u
#define HTTP_TARGET_BYTES_MAX     4096u
#define HTTP_ARENA_BYTES_MAX      ((size_t)1 << 20)  /* besides the body itself */
#define HTTP_BODIES_BYTES_MAX     ((size_t)64 << 20) /* all bodies being held together; beyond: 503 */

/* How long a connection may take; all are checked about once a second. */
#define HTTP_HEAD_MS   10000 /* from accept to the end of the first head */
#define HTTP_IDLE_MS   60000 /* from an answer to the end of the next head */
#define HTTP_BODY_MS   30000 /* from the end of the head to the end of the body */
#define HTTP_ANSWER_MS 30000 /* from the whole request to http_answer; then 503 is answered in its place */
#define HTTP_SEND_MS   30000 /* from the answer to its last byte */

/* What a handler on the loop is given at most: others wait meanwhile. */
#define HTTP_LOOP_BODY_BYTES_MAX 4096u

/* From body_limit: answer without reading the body, which closes the connection when there is one. */
#define HTTP_BODY_UNREAD SIZE_MAX
/* From body_limit, added to the limit: the request goes to a streaming worker with its head alone
 * (http_stream.h). */
#define HTTP_BODY_STREAMED ((size_t)1 << 62)
/* From body_limit: the answer may become one that goes on (http_feed.h); no body is taken. */
#define HTTP_BODY_FEED ((size_t)1 << 61)

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER, /* a method that no resource of ours has */
};

struct http_pair {
    struct slice name, value;
};

struct http_request {
    struct id id; /* X-Request-Id of the answer: req_... */
    enum http_method method;
    struct slice
        path; /* as sent, without the query; only [A-Za-z0-9/_.~-] and %XX get this far; "*" of OPTIONS */
    struct http_pair headers[HTTP_HEADERS_MAX]; /* values without blanks around them */
    size_t header_count;
    struct http_pair
        query[HTTP_QUERY_MAX]; /* percent-decoded, '+' as a blank; UTF-8 text without control characters */
    size_t query_count;
    struct http_pair path_parameters[HTTP_PATH_PARAMETERS_MAX]; /* filled by the router, percent-decoded */
    size_t path_parameter_count;
    struct slice body;
    struct slice
        peer_address;    /* text of the IP address, after trusted proxies; empty for an untold unix peer */
    struct arena *arena; /* lives until the answer is sent */
    struct problem problem;
    struct traceparent trace; /* of the caller; has_trace says whether it sent one */
    bool has_trace;
    struct mono_time began_at;  /* when the head was complete */
    struct mono_time handed_at; /* when the whole request was */
    void *worker;               /* the worker's own state: its database connection and so on */
    void *transport;            /* the server's own */
    bool is_https;              /* of the server */
    /* For whoever handles it. `route`, `tenant` and `error` go to the access log. */
    const char *route; /* the pattern of the path, a literal; NULL when none matched */
    struct id tenant;  /* zero while unknown */
    enum err error;    /* why it was refused */
    void *principal;   /* filled by the router's authenticate hook */
    void *router;      /* the router's own */
    void *limits;      /* of the router's limit hook */
    struct http_pair
        answer_headers[HTTP_ANSWER_HEADERS_MAX]; /* of whatever answers it; as http_response_add's */
    size_t answer_header_count;
    struct slice cors_origin; /* the foreign origin that may read the answer; empty: none */
    bool varies_by_origin;    /* another origin may get other headers */
    /* NULL, or called once, when it is answered: by whoever answers, or by the loop if it was served there.
     */
    void (*cleanup)(struct http_request *request);
};

struct http_response {
    int status;
    struct slice content_type; /* a literal or in the arena */
    struct slice body;         /* in the request's arena or static */
    struct http_pair headers[HTTP_RESPONSE_HEADERS_MAX];
    size_t header_count;
};

/*
 * Copies nothing: name is a literal, value lives in the arena. CR, LF and NUL in a value are a bug. The
 * server adds X-Request-Id, with is_https Strict-Transport-Security, and where the response does not say
 * otherwise Cache-Control: no-store, X-Content-Type-Options: nosniff, Content-Security-Policy: default-src
 * 'none'; frame-ancestors 'none', Cross-Origin-Opener-Policy and -Resource-Policy: same-origin, and
 * Referrer-Policy: no-referrer.
 */
void http_response_add(struct http_response *response, const char *name, struct slice value);
/* The header's value, or a slice with NULL ptr. Case-insensitive; the first of several. */
struct slice http_header(const struct http_request *request, const char *name);
/* The value, or a slice with NULL ptr; the first of several. */
struct slice http_query(const struct http_request *request, const char *name);
/* "GET"; "other". */
const char *http_method_word(enum http_method method);

struct http_server;

struct http_server_config {
    int listen_fd; /* listening, TCP or unix; taken by http_server_new, also when it fails */
    unsigned workers;
    unsigned stream_workers; /* for streamed routes; each may be held up by one client */
    size_t connections_max;  /* more wait in the listen queue; fewer when descriptors are */
    size_t queue_max;        /* requests handed over and not yet answered; more are answered 503 */
    size_t body_bytes_max;   /* the most any route takes; the route's own limit comes from body_limit */
    int drain_ms;            /* how long http_server_run may take to end after http_server_stop; 0: 10 s */
    bool is_https;           /* the world comes by TLS, whoever ends it: answers say that it stays so */
    struct slice
        trusted_proxies; /* CIDR list; X-Forwarded-For is believed only from these and from unix peers */
    const struct clock *clock; /* borrowed */
    void *ctx;
    /* On each worker thread, before its first request; *worker_out is kept for it. Both may be NULL. */
    enum err (*worker_open)(void *ctx, unsigned index, void **worker_out);
    void (*worker_close)(void *ctx, void *worker);
    /* On the loop thread, with the head only: the body limit of this request; 0 refuses any body;
     * HTTP_BODY_UNREAD; HTTP_BODY_STREAMED added. */
    size_t (*body_limit)(void *ctx, enum http_method method, struct slice path);
    /*
     * On a worker thread. ERR_OK: *response is sent. ERR_DEFERRED: http_answer comes later. Anything else
     * cannot happen: the router turns errors into problem documents.
     */
    enum err (*handle)(void *ctx, struct http_request *request, struct http_response *response);
    /*
     * On the loop thread, before a worker gets the request; NULL: never. As `handle`, but it must not wait
     * for anything: ERR_WOULD_WAIT leaves the request to a worker, and what was done so far is kept in it.
     * Not for streamed requests, nor for a body of more than HTTP_LOOP_BODY_BYTES_MAX.
     */
    enum err (*handle_on_loop)(void *ctx, struct http_request *request, struct http_response *response);
    void *loop_worker; /* borrowed: request->worker of handle_on_loop */
};

/* Starts the workers and waits until each is open: the first error of worker_open is returned. ERR_CONFIG,
 * ERR_SYSTEM. */
MUST_CHECK enum err http_server_new(const struct http_server_config *config, struct http_server **out);
/*
 * Runs the loop on the calling thread until http_server_stop. Calls `tick` (may be NULL) about once a second.
 * Ends when every request is answered and every answer sent, or after drain_ms. ERR_SYSTEM.
 */
MUST_CHECK enum err http_server_run(struct http_server *server, void (*tick)(void *ctx), void *ctx);
/* From any thread or a signal handler: no new connections, answer what is in flight, then http_server_run
 * returns. */
void http_server_stop(struct http_server *server);
/*
 * Joins the workers. By now every deferred request has been answered (the answers go nowhere after
 * http_server_run); one that is not keeps its memory for good, so that a late http_answer does no harm.
 * Accepts NULL.
 */
void http_server_free(struct http_server *server);

/* Answers a deferred request, from any thread, once. The request is gone afterwards. */
void http_answer(struct http_request *request, const struct http_response *response);

#endif
