/*
 * Outgoing HTTP on libcurl multi, driven by the caller's thread: HTTP/2 over TLS where offered, connections
 * reused, no redirects, no proxies from the environment, no cookies, TLS always verified. Each new connection
 * passes the address guard with the address it is about to use, so a name cannot be re-bound between check
 * and use; each request passes it again with the address its connection really has.
 *
 * A request is sent at most once. libcurl would by itself repeat one that dies on a reused connection; that
 * is stopped, because the peer may have acted on the first.
 */
#ifndef PLATFORM_NET_HTTP_CLIENT_H
#define PLATFORM_NET_HTTP_CLIENT_H
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"
#include "platform/net/address_guard.h"

#define HTTP_CLIENT_HEADERS_MAX      32u
#define HTTP_CLIENT_HEAD_BYTES_MAX   16384u /* of an answer, all its fields together */
#define HTTP_CLIENT_BEARER_BYTES_MAX 4096u

struct http_client; /* belongs to one thread */
struct http_result;

enum http_failure { /* why there is no answer; finer than enum err, for delivery logs */
                    HTTP_FAILURE_NONE,
                    HTTP_FAILURE_DNS,
                    HTTP_FAILURE_BLOCKED, /* the address guard refused every address that the name has */
                    HTTP_FAILURE_CONNECT,
                    HTTP_FAILURE_TLS, /* also when the peer refuses our certificate, after a TLS 1.3 handshake
                                       */
                    HTTP_FAILURE_TIMEOUT,
                    HTTP_FAILURE_SIZE,   /* the answer is larger than allowed; its status is known */
                    HTTP_FAILURE_BROKEN, /* the connection broke, or what came is no HTTP */
                    HTTP_FAILURE_URL,
};
/* "none", "dns", "connect", ...: the word stored and shown. */
const char *http_failure_word(enum http_failure failure);

struct http_client_config {
    const char *ca_file;               /* PEM bundle; read when TLS is first spoken, and again each day */
    const struct address_guard *guard; /* borrowed */
    size_t in_flight_max, connections_per_host_max;
    size_t response_bytes_max;
    const char *user_agent;
    const char *const
        *resolve; /* "host:port:address": answers in place of the resolver's, for tests; NULL: none */
};

/* Bodies that are not held whole. The callbacks run within http_client_run and may take their time. */
struct http_source {
    uint64_t bytes; /* exactly so many are read */
    /* Up to `max` bytes; *len_out 0 or an error ends the call with HTTP_FAILURE_BROKEN. NULL: `body` is sent.
     */
    enum err (*read)(void *ctx, char *to, size_t max, size_t *len_out);
    void *ctx;
};
struct http_sink {
    uint64_t bytes_max; /* more: HTTP_FAILURE_SIZE */
    /* The body of an answer of status 200; others go into the result. An error ends the call. NULL: none. */
    enum err (*write)(void *ctx, struct slice bytes);
    void *ctx;
};

struct http_call {
    const char *method;         /* "POST" */
    const char *url;            /* as address_guard_check_url permits */
    const char *const *headers; /* "Name: value" lines, NULL-terminated; NULL: none. See http_client_start */
    struct slice body;          /* borrowed until done */
    struct http_source source;  /* instead of `body`, with POST */
    struct http_sink sink;
    /* PEM, both or neither; borrowed until done. A connection is used again only with the same certificate.
     */
    struct slice client_certificate, client_key;
    struct slice bearer;       /* sent as "Authorization: Bearer ..."; empty: none. See http_client_start */
    const char *bearer_scheme; /* another word than Bearer, a literal: "OAuth"; NULL: Bearer */
    int timeout_ms;            /* of the whole, waiting for a connection included; above 0, as the next */
    int connect_timeout_ms;    /* of finding the name, TCP and TLS together */
    void *ctx;
    void (*done)(void *ctx, const struct http_result *result);
};

struct http_result {
    enum http_failure failure;
    /* false: not one byte of the request can have reached the peer, so that a retry is no duplicate */
    bool was_sent;
    int status;            /* 0 when there is no answer */
    struct slice body;     /* borrowed for the call of done; with HTTP_FAILURE_SIZE what fitted of it */
    enum err stream_err;   /* what a source or sink returned that ended the call; else ERR_OK */
    int64_t retry_after_s; /* -1: none; seconds or an HTTP date, already turned into seconds */
    int64_t elapsed_us;
    int http_version; /* 10, 11, 2; 0 when there is no answer */
    const char *peer; /* the address that was spoken to, or tried last; "" when there was none */
    void *handle;     /* for http_result_field; NULL when there is no answer */
};

/* A field of the answer's head by its name, in any case: the first of that name, borrowed for the call of
 * done. Empty: there is none. */
struct slice http_result_field(const struct http_result *result, const char *name);

MUST_CHECK enum err http_client_new(const struct http_client_config *config, struct http_client **out);
/* Calls in flight end with HTTP_FAILURE_BROKEN. Accepts NULL. */
void http_client_free(struct http_client *client);
/*
 * Copies everything but the body and the client's certificate. `done` is called once, from http_client_run or
 * http_client_free, and may start other calls. ERR_BUSY at in_flight_max; ERR_URL_INVALID,
 * ERR_ADDRESS_BLOCKED (both judged before anything else); ERR_HTTP_HEADER: a line that is no field, Host,
 * Content-Length, Transfer-Encoding, Connection or Expect (they are ours), or a bearer with other than
 * visible characters; ERR_NO_MEMORY, also when the secret pool is full.
 *
 * The bearer is kept in locked memory and wiped when the call is done. libcurl copies it into its request
 * buffer on the ordinary heap, and OpenSSL into its own: libcurl's heap is wiped piece by piece as it is
 * freed. OpenSSL keeps a client's key, parsed, with the connection that was made with it, and wipes it with
 * that: after half a minute of idleness, or when the peer closes it.
 */
MUST_CHECK enum err http_client_start(struct http_client *client, const struct http_call *call);
size_t http_client_in_flight(const struct http_client *client);
/*
 * Moves transfers on: waits up to timeout_ms for them or for `wake_fd` (-1: none; it is not read) to be
 * readable, then calls `done`s. ERR_SYSTEM.
 */
MUST_CHECK enum err http_client_run(struct http_client *client, int wake_fd, int timeout_ms);

#endif
