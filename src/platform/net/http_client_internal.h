/* What the files of the HTTP client share: one call, from its start to its end. */
#ifndef PLATFORM_NET_HTTP_CLIENT_INTERNAL_H
#define PLATFORM_NET_HTTP_CLIENT_INTERNAL_H
#include "core/secret.h"
#include "platform/net/http_client.h"
#include <curl/curl.h>

/* One call from start to done; kept for the next one afterwards. */
struct flight {
    struct http_client *client;
    CURL *easy; /* owned */
    struct flight *before, *after;
    struct mono_time began_at, deadline;
    struct curl_slist *headers;    /* owned, but for bearer_line at its head */
    struct curl_slist bearer_line; /* its text is bearer's */
    struct secret *bearer;         /* owned */
    struct buf body;
    struct http_source source;
    struct http_sink sink;
    uint64_t sunk;       /* bytes given to the sink */
    enum err stream_err; /* of source or sink */
    size_t head_bytes;
    unsigned sends;  /* how often libcurl was about to send the request */
    bool is_blocked; /* by the address guard */
    bool is_oversize;
    char peer[ADDRESS_TEXT_BYTES];
    char error[CURL_ERROR_SIZE]; /* libcurl's words: read for their origin, never shown */
    void *ctx;
    void (*done)(void *ctx, const struct http_result *result);
};

struct http_client {
    struct http_client_config config;
    CURLM *multi;
    struct curl_slist *resolve;
    struct flight *first; /* in flight */
    struct flight *spare; /* for reuse, linked by `after` */
    size_t count;
    struct mono_time first_deadline; /* no call's is earlier */
    char *user_agent, *ca_file;      /* owned copies */
};

/* Tells libcurl what to do. ERR_HTTP_HEADER, ERR_NO_MEMORY, ERR_SYSTEM; then the flight is to be cleared. */
MUST_CHECK enum err http_flight_set(struct flight *flight, const struct http_call *call);
MUST_CHECK bool http_list_add(struct curl_slist **list, const char *line);

#endif
