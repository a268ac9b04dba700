/*
 * Outgoing HTTP on libcurl multi, driven by the caller's thread: HTTP/2 over TLS where offered, connections
 * reused, no redirects, no proxies from the environment, no cookies, TLS always verified. Each new connection
 * passes the address guard with the address it is about to use, so a name cannot be re-bound between check
 * and use.
 */
#ifndef PLATFORM_NET_HTTP_CLIENT_H
#define PLATFORM_NET_HTTP_CLIENT_H
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"
#include "platform/net/address_guard.h"

struct http_client; /* belongs to one thread */
struct http_result;

enum http_failure { /* why there is no answer; finer than enum err, for delivery logs */
                    HTTP_FAILURE_NONE,
                    HTTP_FAILURE_DNS,
                    HTTP_FAILURE_BLOCKED,
                    HTTP_FAILURE_CONNECT,
                    HTTP_FAILURE_TLS,
                    HTTP_FAILURE_TIMEOUT,
                    HTTP_FAILURE_SIZE,
                    HTTP_FAILURE_BROKEN,
                    HTTP_FAILURE_URL,
};
/* "dns", "connect", ...: the word stored and shown. */
const char *http_failure_word(enum http_failure failure);

struct http_client_config {
    const char *ca_file;               /* PEM bundle */
    const struct address_guard *guard; /* borrowed */
    size_t in_flight_max, connections_per_host_max;
    size_t response_bytes_max;
    const char *user_agent;
};

struct http_call {
    const char *method; /* "POST" */
    const char *url;
    const char *const *headers; /* "Name: value" lines, NULL-terminated; CR or LF refused */
    struct slice body;          /* borrowed until done */
    struct slice bearer; /* sent as "Authorization: Bearer ..." from locked memory and wiped; empty: none */
    int timeout_ms, connect_timeout_ms;
    void *ctx;
    void (*done)(void *ctx, const struct http_result *result);
};

struct http_result {
    enum http_failure failure;
    bool was_sent; /* false: not one byte of the request can have reached the peer, so a retry is no duplicate
                    */
    int status;    /* 0 when there is no answer */
    struct slice body;     /* borrowed for the call of done */
    int64_t retry_after_s; /* -1: none; seconds or an HTTP date, already turned into seconds */
    int64_t elapsed_us;
    int http_version; /* 10, 11, 2 */
};

MUST_CHECK enum err http_client_new(const struct http_client_config *config, struct http_client **out);
/* Calls in flight end with HTTP_FAILURE_BROKEN. */
void http_client_free(struct http_client *client);
/* Copies everything but the body. ERR_BUSY at in_flight_max; ERR_URL_INVALID; ERR_NO_MEMORY. `done` is called
 * once. */
MUST_CHECK enum err http_client_start(struct http_client *client, const struct http_call *call);
size_t http_client_in_flight(const struct http_client *client);
/* Moves transfers on: waits up to timeout_ms for them or for `wake_fd` (-1: none) to be readable, then calls
 * `done`s. */
MUST_CHECK enum err http_client_run(struct http_client *client, int wake_fd, int timeout_ms);

#endif
