#include "platform/net/http_client.h"
#include "core/secret.h"
#include "platform/net/curl_library_internal.h"
#include "wire/http/field.h"
#include <curl/curl.h>
#include <stdlib.h>
#include <unistd.h>

#define METHOD_BYTES_MAX 16u
#define IDLE_S           30L /* most servers close idle connections after 60 s or more: be first */
#define DNS_CACHE_S      30L
#define BEARER_PREFIX    "Authorization: "
#define NEVER            ((struct mono_time){ INT64_MAX })

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

const char *
http_failure_word(enum http_failure failure)
{
    static const char *const words[] = {
        [HTTP_FAILURE_NONE] = "none",       [HTTP_FAILURE_DNS] = "dns",
        [HTTP_FAILURE_BLOCKED] = "blocked", [HTTP_FAILURE_CONNECT] = "connect",
        [HTTP_FAILURE_TLS] = "tls",         [HTTP_FAILURE_TIMEOUT] = "timeout",
        [HTTP_FAILURE_SIZE] = "size",       [HTTP_FAILURE_BROKEN] = "broken",
        [HTTP_FAILURE_URL] = "url",
    };

    return words[failure];
}

/* libcurl is about to connect to this address: the last moment to say no, whatever name it came from. */
static curl_socket_t
on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct flight *flight = ctx;

    if (address_print(&address->addr, flight->peer).len == 0)
        flight->peer[0] = '\0';
    /* A name with one forbidden address is not trusted with its others. */
    if (purpose != CURLSOCKTYPE_IPCXN || flight->is_blocked ||
        address_guard_check(flight->client->config.guard, &address->addr) != ERR_OK) {
        flight->is_blocked = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* The connection stands, new or reused, and the request is about to go out. */
static int
on_send(void *ctx, char *peer_ip, char *local_ip UNUSED, int peer_port, int local_port UNUSED)
{
    struct flight *flight = ctx;
    struct sockaddr_storage peer;

    /* libcurl's own repetition after a reused connection died: the peer may have read the first. */
    if (flight->sends != 0)
        return CURL_PREREQFUNC_ABORT;
    if (address_parse(slice_text(peer_ip), &peer) != ERR_OK) {
        flight->is_blocked = true;
        return CURL_PREREQFUNC_ABORT;
    }
    address_port_set(&peer, (uint16_t)peer_port);
    (void)address_print((const struct sockaddr *)&peer,
                        flight->peer); /* of a connection that stood already, too */
    if (address_guard_check(flight->client->config.guard, (const struct sockaddr *)&peer) != ERR_OK) {
        flight->is_blocked = true;
        return CURL_PREREQFUNC_ABORT;
    }
    flight->sends++;
    return CURL_PREREQFUNC_OK;
}

static size_t
on_head(char *bytes UNUSED, size_t unit, size_t count, void *ctx)
{
    struct flight *flight = ctx;
    size_t len = unit * count;

    if (len > HTTP_CLIENT_HEAD_BYTES_MAX - flight->head_bytes) {
        flight->is_oversize = true;
        return 0;
    }
    flight->head_bytes += len;
    return len;
}

static size_t
on_body(char *bytes, size_t unit, size_t count, void *ctx)
{
    struct flight *flight = ctx;
    size_t len = unit * count, room = flight->body.bytes_max - flight->body.len;
    long status = 0;

    if (flight->sink.write != NULL &&
        curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200) {
        if (len > flight->sink.bytes_max - flight->sunk) {
            flight->is_oversize = true;
            return 0;
        }
        flight->sunk += len;
        flight->stream_err = flight->sink.write(flight->sink.ctx, slice_of(bytes, len));
        return flight->stream_err == ERR_OK ? len : 0;
    }
    buf_add(&flight->body, slice_of(bytes, len < room ? len : room));
    if (len > room)
        flight->is_oversize = true;
    return len > room || buf_done(&flight->body) != ERR_OK ? 0 : len;
}

/* The next part of a body that is not held whole. */
static size_t
on_read(char *to, size_t unit, size_t count, void *ctx)
{
    struct flight *flight = ctx;
    size_t len = 0;

    flight->stream_err = flight->source.read(flight->source.ctx, to, unit * count, &len);
    return flight->stream_err != ERR_OK || len == 0 ? CURL_READFUNC_ABORT : len;
}

static void
flight_clear(struct flight *flight)
{
    CURL *easy = flight->easy;
    struct http_client *client = flight->client;

    curl_easy_reset(easy); /* lets go of the header list before it is freed; keeps connections and sessions */
    if (flight->headers == &flight->bearer_line)
        flight->headers = flight->bearer_line.next;
    curl_slist_free_all(flight->headers);
    secret_free(flight->bearer);
    buf_release_wiped(&flight->body);
    *flight = (struct flight){ .client = client, .easy = easy };
    buf_init(&flight->body, client->config.response_bytes_max);
}

static void
flight_free(struct flight *flight)
{
    if (flight == NULL)
        return;
    flight_clear(flight);
    curl_easy_cleanup(flight->easy);
    free(flight);
}

static struct flight *
flight_new(struct http_client *client)
{
    struct flight *flight = client->spare;

    if (flight != NULL) {
        client->spare = flight->after;
        flight->after = NULL;
        return flight;
    }
    flight = calloc(1, sizeof(*flight));
    CURL *easy = curl_easy_init();
    if (flight == NULL || easy == NULL) {
        curl_easy_cleanup(easy);
        free(flight);
        return NULL;
    }
    flight->client = client;
    flight->easy = easy;
    buf_init(&flight->body, client->config.response_bytes_max);
    return flight;
}

static enum http_failure
failure_of(const struct flight *flight, CURLcode code)
{
    if (code == CURLE_OK)
        return HTTP_FAILURE_NONE;
    if (flight->is_blocked)
        return HTTP_FAILURE_BLOCKED;
    if (flight->is_oversize)
        return HTTP_FAILURE_SIZE;
    switch ((int)code) { /* of a hundred codes the few that have a name here */
    case CURLE_COULDNT_RESOLVE_HOST:
        return HTTP_FAILURE_DNS;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return HTTP_FAILURE_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_FAILURE_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
        return HTTP_FAILURE_TLS;
    case CURLE_RECV_ERROR: /* where a TLS 1.3 server's refusal of our certificate arrives: in an alert */
    case CURLE_SEND_ERROR:
        return slice_contains(slice_text(flight->error), SLICE(" alert ")) ? HTTP_FAILURE_TLS
                                                                           : HTTP_FAILURE_BROKEN;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: /* also of an answer that is no HTTP */
        return flight->sends == 0 ? HTTP_FAILURE_URL : HTTP_FAILURE_BROKEN;
    default:
        return HTTP_FAILURE_BROKEN;
    }
}

static int
version_of(CURL *easy)
{
    long version = CURL_HTTP_VERSION_NONE;

    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    switch (version) {
    case CURL_HTTP_VERSION_1_0:
        return 10;
    case CURL_HTTP_VERSION_1_1:
        return 11;
    case CURL_HTTP_VERSION_2_0:
        return 2;
    default:
        return 0;
    }
}

/* Ends a flight that the multi handle has let go of: tells it, wipes it, keeps it. */
static void
flight_end(struct flight *flight, enum http_failure failure)
{
    struct http_client *client = flight->client;
    struct http_result result = {
        .failure = failure, .was_sent = flight->sends != 0, .retry_after_s = -1, .peer = flight->peer
    };
    long status = 0;
    curl_off_t retry_after_s = 0;

    result.stream_err = flight->stream_err;
    result.elapsed_us = clock_mono(clock_system()).us - flight->began_at.us;
    if (failure == HTTP_FAILURE_NONE || failure == HTTP_FAILURE_SIZE) {
        curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(flight->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
        result.status = (int)status;
        result.http_version = version_of(flight->easy);
        result.body = buf_slice(&flight->body);
        result.handle = flight->easy;
        if (retry_after_s > 0)
            result.retry_after_s = retry_after_s;
    }
    if (flight->before == NULL)
        client->first = flight->after;
    else
        flight->before->after = flight->after;
    if (flight->after != NULL)
        flight->after->before = flight->before;
    client->count--;
    if (flight->done != NULL)
        flight->done(flight->ctx, &result);
    flight_clear(flight);
    flight->after = client->spare;
    client->spare = flight;
}

struct slice
http_result_field(const struct http_result *result, const char *name)
{
    struct curl_header *header = NULL;

    if (result->handle == NULL ||
        curl_easy_header(result->handle, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return SLICE_EMPTY;
    struct slice value = slice_text(header->value);
    if (value.len > 0 &&
        value.ptr[value.len - 1] == '\r') /* of an empty field libcurl keeps the line's end */
        value.len--;
    return value;
}

/* "Name: value", and none of the fields that frame the message. */
static bool
header_is_fit(struct slice line)
{
    static const char *const ours[] = { "Host",       "Content-Length", "Transfer-Encoding",
                                        "Connection", "Expect",         "Authorization" };
    struct slice value = line;
    struct slice name = slice_take_until(&value, ':');

    if (!field_is_name(name) || !field_is_value(value) || slice_trim(value).len == 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (slice_eq_nocase(name, slice_text(ours[i])))
            return i == COUNT_OF(ours) - 1; /* Authorization is the caller's, when there is no bearer */
    return true;
}

static bool
has_header(const struct http_call *call, const char *name)
{
    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++) {
        struct slice line = slice_text(call->headers[i]);
        if (slice_eq_nocase(slice_take_until(&line, ':'), slice_text(name)))
            return true;
    }
    return false;
}

static bool
list_add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

/* The Authorization line goes to the head of the list, without a copy: its text stays in locked memory. */
static enum err
bearer_set(struct flight *flight, const char *scheme, struct slice token)
{
    const struct slice prefix = SLICE(BEARER_PREFIX), word = slice_text(scheme == NULL ? "Bearer" : scheme);
    size_t before = prefix.len + word.len + 1; /* and a space */

    if (token.len > HTTP_CLIENT_BEARER_BYTES_MAX)
        return ERR_HTTP_HEADER;
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= 0x20 || token.ptr[i] >= 0x7F)
            return ERR_HTTP_HEADER;
    flight->bearer = secret_new(before + token.len + 1); /* zeroed: the NUL is there */
    if (flight->bearer == NULL)
        return ERR_NO_MEMORY;
    unsigned char *text = secret_bytes(flight->bearer);
    memcpy(text, prefix.ptr, prefix.len);
    memcpy(text + prefix.len, word.ptr, word.len);
    text[before - 1] = ' ';
    memcpy(text + before, token.ptr, token.len);
    flight->bearer_line = (struct curl_slist){ .data = (char *)text, .next = flight->headers };
    flight->headers = &flight->bearer_line;
    return ERR_OK;
}

static enum err
headers_set(struct flight *flight, const struct http_call *call)
{
    size_t count = 0;

    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++) {
        if (++count > HTTP_CLIENT_HEADERS_MAX || !header_is_fit(slice_text(call->headers[i])))
            return ERR_HTTP_HEADER;
        if (!list_add(&flight->headers, call->headers[i]))
            return ERR_NO_MEMORY;
    }
    if (call->bearer.len != 0 && has_header(call, "Authorization"))
        return ERR_HTTP_HEADER;
    /* A name with nothing behind it takes back what libcurl would add. */
    if (!list_add(&flight->headers, "Expect:") ||
        (!has_header(call, "Content-Type") && !list_add(&flight->headers, "Content-Type:")))
        return ERR_NO_MEMORY;
    return call->bearer.len == 0 ? ERR_OK : bearer_set(flight, call->bearer_scheme, call->bearer);
}

#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        CURLcode set_code = curl_easy_setopt(easy, (option), (value));                                       \
        if (set_code != CURLE_OK)                                                                            \
            return set_code == CURLE_OUT_OF_MEMORY ? ERR_NO_MEMORY : ERR_SYSTEM;                             \
    } while (0)

/* What holds for every call. */
static enum err
rules_set(struct flight *flight, bool is_https)
{
    const struct http_client_config *config = &flight->client->config;
    CURL *easy = flight->easy;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, is_https ? "https" : "http");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* else the environment's would connect past the guard */
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_PIPEWAIT, 1L);
    SET(CURLOPT_MAXAGE_CONN, IDLE_S);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, DNS_CACHE_S);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CAINFO, config->ca_file);
    SET(CURLOPT_CAPATH, NULL); /* only the file: the system's folder is another list */
    SET(CURLOPT_USERAGENT, config->user_agent);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_OPENSOCKETDATA, flight);
    SET(CURLOPT_PREREQFUNCTION, on_send);
    SET(CURLOPT_PREREQDATA, flight);
    SET(CURLOPT_HEADERFUNCTION, on_head);
    SET(CURLOPT_HEADERDATA, flight);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, flight);
    SET(CURLOPT_PRIVATE, flight);
    SET(CURLOPT_ERRORBUFFER, flight->error);
    if (flight->client->resolve != NULL)
        SET(CURLOPT_RESOLVE, flight->client->resolve);
    return ERR_OK;
}

/*
 * libcurl compares the certificate's octets before it takes a connection or a TLS session that stands
 * (Curl_ssl_config_matches), not the key's; a key belongs to one certificate. It keeps a copy of the
 * certificate with the connection, and none of the key.
 */
static enum err
certificate_set(CURL *easy, const struct http_call *call)
{
    struct curl_blob certificate = { .data = (void *)(uintptr_t)call->client_certificate.ptr,
                                     .len = call->client_certificate.len,
                                     .flags = CURL_BLOB_NOCOPY };
    struct curl_blob key = { .data = (void *)(uintptr_t)call->client_key.ptr,
                             .len = call->client_key.len,
                             .flags = CURL_BLOB_NOCOPY };

    if (call->client_certificate.len == 0)
        return ERR_OK;
    SET(CURLOPT_SSLCERT_BLOB, &certificate);
    SET(CURLOPT_SSLKEY_BLOB, &key);
    return ERR_OK;
}

static enum err
call_set(struct flight *flight, const struct http_call *call)
{
    CURL *easy = flight->easy;
    struct slice method = slice_text(call->method);

    if (!field_is_name(method) || method.len >= METHOD_BYTES_MAX)
        return ERR_HTTP_HEADER;
    SET(CURLOPT_URL, call->url);
    SET(CURLOPT_HTTPHEADER, flight->headers);
    SET(CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_timeout_ms);
    if (slice_eq(method, SLICE("GET"))) {
        SET(CURLOPT_HTTPGET, 1L);
    } else if (slice_eq(method, SLICE("HEAD"))) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (call->source.read != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, NULL);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->source.bytes);
        SET(CURLOPT_READFUNCTION, on_read);
        SET(CURLOPT_READDATA, flight);
    } else if (slice_eq(method, SLICE("POST")) || call->body.len != 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
        SET(CURLOPT_POSTFIELDS, call->body.len == 0 ? "" : call->body.ptr);
    }
    SET(CURLOPT_CUSTOMREQUEST, slice_eq(method, SLICE("HEAD")) ? NULL : call->method);
    return ERR_OK;
}

enum err
http_client_start(struct http_client *client, const struct http_call *call)
{
    struct slice url = slice_text(call->url);
    enum err err = address_guard_check_url(client->config.guard, url);

    if (err != ERR_OK)
        return err;
    if (client->count >= client->config.in_flight_max)
        return ERR_BUSY;
    struct flight *flight = flight_new(client);
    if (flight == NULL)
        return ERR_NO_MEMORY;
    err = headers_set(flight, call);
    if (err == ERR_OK)
        err = rules_set(flight, slice_eq_nocase(slice_first(url, 8), SLICE("https://")));
    if (err == ERR_OK)
        err = call_set(flight, call);
    if (err == ERR_OK)
        err = certificate_set(flight->easy, call);
    flight->began_at = clock_mono(clock_system());
    flight->deadline = mono_after_ms(flight->began_at, call->timeout_ms);
    flight->ctx = call->ctx;
    flight->source = call->source;
    flight->sink = call->sink;
    flight->done = call->done;
    if (err == ERR_OK && curl_multi_add_handle(client->multi, flight->easy) != CURLM_OK)
        err = ERR_NO_MEMORY;
    if (err != ERR_OK) {
        flight_clear(flight);
        flight->after = client->spare;
        client->spare = flight;
        return err;
    }
    flight->after = client->first;
    if (client->first != NULL)
        client->first->before = flight;
    client->first = flight;
    client->count++;
    if (flight->deadline.us < client->first_deadline.us)
        client->first_deadline = flight->deadline;
    return ERR_OK;
}

/* When the first of all calls is over its time; at most timeout_ms from now. */
static int
wait_shorten(const struct http_client *client, struct mono_time now, int timeout_ms)
{
    int64_t wait_us = (int64_t)timeout_ms * 1000;

    if (client->first_deadline.us < now.us + wait_us)
        wait_us = client->first_deadline.us - now.us;
    return wait_us <= 0 ? 0 : (int)((wait_us + 999) / 1000);
}

/* libcurl looks at its own time limit only once a transfer has a connection, not while it waits for one. */
static void
overdue_end(struct http_client *client, struct mono_time now)
{
    struct flight *flight = client->first;

    if (client->first_deadline.us > now.us)
        return;
    client->first_deadline = NEVER;
    while (flight != NULL) {
        if (flight->deadline.us > now.us) {
            if (flight->deadline.us < client->first_deadline.us)
                client->first_deadline = flight->deadline;
            flight = flight->after;
            continue;
        }
        curl_multi_remove_handle(client->multi, flight->easy);
        flight_end(flight, HTTP_FAILURE_TIMEOUT);
        flight = client->first; /* its `done` may have started others */
    }
}

size_t
http_client_in_flight(const struct http_client *client)
{
    return client->count;
}

enum err
http_client_run(struct http_client *client, int wake_fd, int timeout_ms)
{
    struct curl_waitfd wake = { .fd = wake_fd, .events = CURL_WAIT_POLLIN };
    int wait_ms = wait_shorten(client, clock_mono(clock_system()), timeout_ms);
    int running, queued;
    CURLMsg *message;

    if (curl_multi_poll(client->multi, &wake, wake_fd < 0 ? 0 : 1, wait_ms, NULL) != CURLM_OK ||
        curl_multi_perform(client->multi, &running) != CURLM_OK)
        return ERR_SYSTEM;
    while ((message = curl_multi_info_read(client->multi, &queued)) != NULL) {
        struct flight *flight = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &flight);
        curl_multi_remove_handle(client->multi, message->easy_handle); /* `message` is gone with it */
        flight_end(flight, failure_of(flight, code));
    }
    overdue_end(client, clock_mono(clock_system()));
    return ERR_OK;
}

enum err
http_client_new(const struct http_client_config *config, struct http_client **out)
{
    struct http_client *client = calloc(1, sizeof(*client));
    enum err err = ERR_NO_MEMORY;

    *out = NULL;
    if (client == NULL)
        return err;
    client->config = *config;
    client->config.resolve = NULL;
    client->first_deadline = NEVER;
    if (curl_library_begin() != ERR_OK)
        goto done;
    client->multi = curl_multi_init();
    client->user_agent = strdup(config->user_agent);
    client->ca_file = strdup(config->ca_file);
    if (client->multi == NULL || client->user_agent == NULL || client->ca_file == NULL)
        goto done;
    client->config.user_agent = client->user_agent;
    client->config.ca_file = client->ca_file;
    for (size_t i = 0; config->resolve != NULL && config->resolve[i] != NULL; i++)
        if (!list_add(&client->resolve, config->resolve[i]))
            goto done;
    if (curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                          (long)config->connections_per_host_max) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)config->in_flight_max) != CURLM_OK)
        goto done;
    err = ERR_OK;
done:
    if (err != ERR_OK) {
        http_client_free(client);
        return err;
    }
    *out = client;
    return ERR_OK;
}

void
http_client_free(struct http_client *client)
{
    if (client == NULL)
        return;
    client->config.in_flight_max = 0; /* a `done` that starts another call is told ERR_BUSY */
    while (client->first != NULL) {
        struct flight *flight = client->first;
        curl_multi_remove_handle(client->multi, flight->easy);
        flight_end(flight, HTTP_FAILURE_BROKEN);
    }
    while (client->spare != NULL) {
        struct flight *next = client->spare->after;
        client->spare->after = NULL;
        flight_free(client->spare);
        client->spare = next;
    }
    if (client->multi != NULL)
        curl_multi_cleanup(client->multi);
    curl_slist_free_all(client->resolve);
    free(client->user_agent);
    free(client->ca_file);
    free(client);
}
