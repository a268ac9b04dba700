/*
 * From method and path to a handler, with what every request needs before it: authentication, scope, body
 * limit, the contract, and after it: the problem document. The router alone writes failures. OPTIONS is
 * answered with Allow, and HEAD by the GET handler (the server leaves the body out).
 */
#ifndef PLATFORM_NET_ROUTER_H
#define PLATFORM_NET_ROUTER_H
#include "platform/net/http_server.h"
#include "wire/openapi/contract.h"

typedef enum err (*http_handler)(struct http_request *request, struct http_response *response);

enum http_access {
    HTTP_ACCESS_KEY,     /* an API key or a signed-in person, with the route's scope */
    HTTP_ACCESS_SESSION, /* a signed-in person; with the route's scope if it names one */
    HTTP_ACCESS_OPEN,    /* none: health, sign-in, provider callbacks (which verify signatures themselves) */
};

/* What a person may ask for who has shown one factor and has to show another. */
enum http_half {
    HTTP_HALF_CLOSED,
    HTTP_HALF_OPEN,   /* who is signed in, showing it, leaving */
    HTTP_HALF_SET_UP, /* by whom has none to show: setting one up */
};

struct http_route {
    enum http_method method;
    const char *path;         /* "/v1/messages/{id}": a parameter is one whole segment */
    http_handler handler;     /* NULL ends a table */
    const char *operation_id; /* in the contract; NULL: not part of it (provider callbacks, health) */
    enum http_access access;
    const char *scope;     /* NULL: any key, any person; of HTTP_ACCESS_KEY, whoever may do anything here */
    size_t body_bytes_max; /* 0: takes no body */
    bool has_raw_body;     /* true: not JSON, not checked against the contract */
    bool is_streamed;      /* true: raw, and served by a streaming worker (http_stream.h) */
    bool is_feed;          /* true: may answer with a feed (http_feed.h) */
    /*
     * true: begun on the server's loop, where nothing may wait. What has to wait there (authenticate, the
     * handler) returns ERR_WOULD_WAIT and has done nothing that cannot be done again; a worker then goes on
     * at that step, and calls it anew.
     */
    bool begins_on_loop;
    bool is_unlimited;  /* the limit hook is not asked: health */
    bool needs_step_up; /* a person must have shown a factor just now */
    enum http_half half;
};

/* When the limit hook is asked. */
enum http_limit_step {
    HTTP_LIMIT_ARRIVED, /* before anything else: nothing is known but the address */
    HTTP_LIMIT_KNOWN,   /* a key was shown, and is good */
    HTTP_LIMIT_CLEARED, /* no key was needed, or could be judged: it was no stranger's fault */
};

struct router;

struct router_config {
    const struct http_route *const *tables; /* each ends with a NULL handler; borrowed, like all in them */
    size_t table_count;
    const struct contract *contract; /* borrowed; may be NULL when no route names an operation */
    /*
     * Finds who asks, sets request->principal and request->tenant; checks what the route asks of him. Not
     * called for open routes; may be NULL when there are no others.
     */
    enum err (*authenticate)(struct http_request *request, const struct http_route *route);
    /*
     * Whether the request is within its limits: an error refuses it; what HTTP_LIMIT_CLEARED returns is not
     * looked at. ERR_WOULD_WAIT on the loop: asked again by a worker. May be NULL.
     */
    enum err (*limit)(struct http_request *request, enum http_limit_step step);
    /*
     * Answers a GET or HEAD of a path that no row has, on the loop: it waits for nothing. ERR_HTTP_ROUTE: it
     * has no such thing either. May be NULL.
     */
    http_handler fallback;
    /*
     * Origins ("https://app.example.org", divided by commas) whose pages may read answers; empty: none. They
     * are never let send cookies.
     */
    struct slice cors_origins;
};

/*
 * ERR_CONFIG, said on the log: two rows clash, a row needs a key and there is no `authenticate`, or an
 * operation is missing from the contract or differs there in method, path, access, scope, step-up or in
 * whether it takes a body.
 */
MUST_CHECK enum err router_new(const struct router_config *config, struct router **out);
void router_free(struct router *router);

/* They fit http_server_config (ctx = router). The parsed JSON body is request_json(). */
enum err router_handle(void *router, struct http_request *request, struct http_response *response);
/* For handle_on_loop. */
enum err router_handle_on_loop(void *router, struct http_request *request, struct http_response *response);
size_t router_body_limit(void *router, enum http_method method, struct slice path);

/* The body as JSON, parsed and checked by the router; NULL when the route takes none. Freed when it is
 * answered. */
const json_t *request_json(const struct http_request *request);
/* The path parameter, percent-decoded, valid UTF-8; empty when there is none of that name. */
struct slice request_path_parameter(const struct http_request *request, const char *name);
/* The bearer token, borrowed from the request: for authenticate hooks. ERR_KEY_MISSING, ERR_KEY_INVALID. */
MUST_CHECK enum err request_bearer(const struct http_request *request, struct slice *token_out);
/* The Idempotency-Key; SLICE_EMPTY when none was sent. ERR_HTTP_HEADER, noted in request->problem. */
MUST_CHECK enum err request_idempotency_key(struct http_request *request, struct slice *key_out);
/* If-Match against the object's tag (etag_print). ERR_OK also when none was sent. ERR_HTTP_PRECONDITION,
 * ERR_HTTP_HEADER. */
MUST_CHECK enum err request_check_match(struct http_request *request, struct slice etag);

/* Answers of handlers. The printed body lives in the request's arena. */
MUST_CHECK enum err http_reply_json(struct http_request *request, struct http_response *response, int status,
                                    json_t *value); /* value is taken; NULL: ERR_NO_MEMORY */
/* For whoever prints by itself: JSON between the two; `text` is taken. ERR_LIMIT, ERR_NO_MEMORY. */
void http_reply_begin(struct buf *text);
MUST_CHECK enum err http_reply_printed(struct http_request *request, struct http_response *response,
                                       int status, struct buf *text);
MUST_CHECK enum err http_reply_empty(struct http_response *response, int status);
/* For deferred answers: makes the problem document and sends it. */
void http_answer_problem(struct http_request *request, enum err err);

#endif
