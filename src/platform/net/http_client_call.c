/* What libcurl is told of one call, and what it asks us while the call is under way. */
#include "platform/net/http_client_internal.h"
#include "wire/http/field.h"

#define METHOD_BYTES_MAX 16u
#define IDLE_S           30L /* most servers close idle connections after 60 s or more: be first */
#define DNS_CACHE_S      30L
#define BEARER_PREFIX    "Authorization: "

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
    /* Empty when it was reset before libcurl asked whose it is: nothing is sent, and nothing is held against
     * the address, which was judged before it was connected to. */
    if (address_parse(slice_text(peer_ip), &peer) != ERR_OK)
        return CURL_PREREQFUNC_ABORT;
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

bool
http_list_add(struct curl_slist **list, const char *line)
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
        if (!http_list_add(&flight->headers, call->headers[i]))
            return ERR_NO_MEMORY;
    }
    if (call->bearer.len != 0 && has_header(call, "Authorization"))
        return ERR_HTTP_HEADER;
    /* A name with nothing behind it takes back what libcurl would add. */
    if (!http_list_add(&flight->headers, "Expect:") ||
        (!has_header(call, "Content-Type") && !http_list_add(&flight->headers, "Content-Type:")))
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
http_flight_set(struct flight *flight, const struct http_call *call)
{
    enum err err = headers_set(flight, call);

    if (err == ERR_OK)
        err = rules_set(flight, slice_eq_nocase(slice_first(slice_text(call->url), 8), SLICE("https://")));
    if (err == ERR_OK)
        err = call_set(flight, call);
    return err == ERR_OK ? certificate_set(flight->easy, call) : err;
}
