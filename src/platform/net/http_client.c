#include "platform/net/curl_library_internal.h"
#include "platform/net/http_client_internal.h"
#include <stdlib.h>
#include <string.h>

#define NEVER ((struct mono_time){ INT64_MAX })

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
    err = http_flight_set(flight, call);
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
        if (!http_list_add(&client->resolve, config->resolve[i]))
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
