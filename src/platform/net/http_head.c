/*
 * The head of a request. The library (0.9.75) parses it in place, in the connection's own buffer, and is
 * lenient: it accepts a bare LF at the end of a line, folded lines, blanks before the colon, NUL bytes,
 * several blanks in the request line, and more than one Host or Content-Length. What it made of the bytes is
 * therefore compared with where they lie: method, target, version and every field must follow each other
 * exactly as "METHOD target HTTP/1.1 CRLF", "Name: value CRLF" and the last CRLF would, down to the size of
 * the whole head. Addresses are compared as numbers; nothing is read but what the library hands out. A
 * library that lays the head out otherwise would have every request refused, which the tests would notice.
 */
#include "platform/net/http_server_internal.h"
#include "wire/http/field.h"
#include "wire/http/target.h"

#define VERSION_BYTES 8u /* "HTTP/1.1" */

/* Fields whose repetition would change what a request means, so that one is all we take. */
enum single { SINGLE_HOST, SINGLE_LENGTH, SINGLE_CODING, SINGLE_TRACE };
#define SINGLE(literal)                                                                                      \
    {                                                                                                        \
        "" literal, sizeof(literal) - 1                                                                      \
    }
static const struct slice single_fields[] = {
    [SINGLE_HOST] = SINGLE("Host"),
    [SINGLE_LENGTH] = SINGLE("Content-Length"),
    [SINGLE_CODING] = SINGLE("Transfer-Encoding"),
    [SINGLE_TRACE] = SINGLE("traceparent"),
    SINGLE("Content-Type"),
    SINGLE("Authorization"),
    SINGLE("If-Match"),
    SINGLE("Idempotency-Key"),
    SINGLE("X-Hub-Signature-256"),
    SINGLE("Expect"),
};

struct head_walk {
    struct http_exchange *exchange;
    const struct http_pair *singles[COUNT_OF(single_fields)]; /* NULL: not there */
    bool has_repeated;
    uintptr_t at; /* where the next field must begin */
    char *copy;   /* where the next text goes, in the arena */
    size_t room;
    enum err err;
};

static enum err
head_fault(struct http_exchange *exchange, enum err err, const char *detail)
{
    exchange->request.problem.detail = slice_text(detail);
    return err;
}

static struct slice
walk_copy(struct head_walk *walk, const char *text, size_t len)
{
    struct slice copied = slice_of(walk->copy, len);

    if (len > walk->room) { /* cannot be: the texts are parts of the head */
        walk->err = ERR_HTTP_SYNTAX;
        return SLICE_EMPTY;
    }
    memcpy(walk->copy, text, len);
    walk->copy += len;
    walk->room -= len;
    return copied;
}

static enum MHD_Result
walk_field(void *ctx, enum MHD_ValueKind kind UNUSED, const char *name, size_t name_len, const char *value,
           size_t value_len)
{
    struct head_walk *walk = ctx;
    struct http_request *request = &walk->exchange->request;

    if (request->header_count == HTTP_HEADERS_MAX) {
        walk->err =
            head_fault(walk->exchange, ERR_HTTP_HEADER, "A request may have at most 64 header fields.");
        return MHD_NO;
    }
    if (value == NULL || (uintptr_t)name != walk->at || (uintptr_t)value < walk->at + name_len + 1) {
        walk->err = head_fault(walk->exchange, ERR_HTTP_SYNTAX,
                               "Each header field must be one line, ended by CR and LF.");
        return MHD_NO;
    }
    walk->at = (uintptr_t)value + value_len + 2;
    if (!field_is_name(slice_of(name, name_len)) || !field_is_value(slice_of(value, value_len))) {
        walk->err = head_fault(walk->exchange, ERR_HTTP_HEADER,
                               "A header field has characters that are not allowed.");
        return MHD_NO;
    }
    struct http_pair *pair = &request->headers[request->header_count++];
    pair->name = walk_copy(walk, name, name_len);
    pair->value = slice_trim(walk_copy(walk, value, value_len));
    for (size_t i = 0; i < COUNT_OF(single_fields); i++) {
        if (!slice_eq_nocase(pair->name, single_fields[i]))
            continue;
        walk->has_repeated = walk->has_repeated || walk->singles[i] != NULL;
        walk->singles[i] = pair;
        break;
    }
    return walk->err == ERR_OK ? MHD_YES : MHD_NO;
}

/* Copies the fields and holds the layout of the head against what it must be. */
static enum err
fields_read(struct head_walk *walk, const char *method, const char *version)
{
    struct http_exchange *exchange = walk->exchange;
    struct MHD_Connection *mhd = exchange->connection->mhd;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    uintptr_t start = (uintptr_t)method;

    if (info == NULL || exchange->target_at != start + strlen(method) + 1 ||
        (uintptr_t)version != exchange->target_at + exchange->target.len + 1)
        return head_fault(exchange, ERR_HTTP_SYNTAX, "The request line must be: METHOD target HTTP/1.1.");
    walk->at = (uintptr_t)version + VERSION_BYTES + 2;
    walk->copy = arena_alloc(exchange->request.arena, info->header_size);
    walk->room = info->header_size;
    if (walk->copy == NULL)
        return ERR_NO_MEMORY;
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, walk_field, walk);
    if (walk->err == ERR_OK && walk->at + 2 != start + info->header_size)
        walk->err =
            head_fault(exchange, ERR_HTTP_SYNTAX, "Each header field must be one line, ended by CR and LF.");
    return walk->err;
}

static struct slice
single_value(const struct head_walk *walk, enum single field)
{
    return walk->singles[field] == NULL ? SLICE_EMPTY : walk->singles[field]->value;
}

/* What decides where this request ends and the next begins (RFC 9112, 6.3), and whom it is for (3.2). */
static enum err
framing_check(const struct head_walk *walk, const char *version)
{
    struct http_exchange *exchange = walk->exchange;
    struct slice host = single_value(walk, SINGLE_HOST), length = single_value(walk, SINGLE_LENGTH);
    struct slice coding = single_value(walk, SINGLE_CODING);
    bool is_1_0 = strcmp(version, "HTTP/1.0") == 0;

    if (walk->has_repeated)
        return head_fault(exchange, ERR_HTTP_HEADER, "A header field that may come once came twice.");
    if (host.ptr == NULL ? !is_1_0 : !field_is_host(host))
        return head_fault(exchange, ERR_HTTP_HEADER, "A request needs one valid Host.");
    if (length.ptr != NULL && coding.ptr != NULL)
        return head_fault(exchange, ERR_HTTP_HEADER,
                          "Content-Length and Transfer-Encoding exclude each other.");
    if (coding.ptr != NULL && (is_1_0 || !slice_eq_nocase(coding, SLICE("chunked"))))
        return head_fault(exchange, ERR_HTTP_HEADER, "The only transfer coding is chunked, in HTTP/1.1.");
    exchange->is_chunked = coding.ptr != NULL;
    exchange->has_length = length.ptr != NULL;
    if (exchange->has_length) {
        if (length.len == 0)
            return head_fault(exchange, ERR_HTTP_HEADER, "Content-Length is not a number.");
        for (size_t i = 0; i < length.len; i++)
            if (length.ptr[i] < '0' || length.ptr[i] > '9')
                return head_fault(exchange, ERR_HTTP_HEADER, "Content-Length is not a number.");
        exchange->declared_bytes = 0;
        for (size_t i = 0; i < length.len; i++)
            if (__builtin_mul_overflow(exchange->declared_bytes, 10u, &exchange->declared_bytes) ||
                __builtin_add_overflow(exchange->declared_bytes, (unsigned)(length.ptr[i] - '0'),
                                       &exchange->declared_bytes))
                return head_fault(exchange, ERR_HTTP_HEADER, "Content-Length is not a number.");
    }
    return ERR_OK;
}

/* Faults here are of the content, not of the framing: ERR_QUERY, and the connection may live on. */
static enum err
query_read(struct http_exchange *exchange, struct slice query)
{
    struct http_request *request = &exchange->request;
    struct slice name, value;

    while (target_query_take(&query, &name, &value)) {
        if (request->query_count == HTTP_QUERY_MAX)
            return head_fault(exchange, ERR_QUERY, "There are more query parameters than allowed.");
        struct http_pair *pair = &request->query[request->query_count];
        if (target_decode(request->arena, name, true, &pair->name) != ERR_OK ||
            target_decode(request->arena, value, true, &pair->value) != ERR_OK)
            return head_fault(exchange, ERR_QUERY, "The query is not percent-encoded UTF-8 text.");
        request->query_count++;
    }
    return ERR_OK;
}

static enum err
path_read(struct http_exchange *exchange)
{
    struct http_request *request = &exchange->request;
    struct target target;
    enum err err = target_read(exchange->target, request->method == HTTP_OPTIONS, &target);

    if (err != ERR_OK)
        return head_fault(exchange, err,
                          "The request target is not a path, or has characters that are not allowed.");
    request->path = target.path;
    /* Well-formed otherwise, but no resource of ours has such a name. */
    exchange->refusal = target.is_plain ? query_read(exchange, target.query) : ERR_HTTP_ROUTE;
    return ERR_OK;
}

static enum http_method
method_of(const char *text)
{
    for (enum http_method method = HTTP_GET; method < HTTP_OTHER; method++)
        if (strcmp(text, http_method_word(method)) == 0)
            return method;
    return HTTP_OTHER;
}

/* The fields of that name as one list (RFC 9110, 5.3). Empty when there is none. */
static enum err
fields_join(const struct http_request *request, struct slice name, struct slice *out)
{
    size_t bytes = 0, len = 0;
    char *text;

    *out = SLICE_EMPTY;
    for (size_t i = 0; i < request->header_count; i++)
        if (slice_eq_nocase(request->headers[i].name, name))
            bytes += request->headers[i].value.len + 1; /* together no more than the head */
    if (bytes == 0)
        return ERR_OK;
    text = arena_alloc(request->arena, bytes);
    if (text == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice value = request->headers[i].value;
        if (!slice_eq_nocase(request->headers[i].name, name))
            continue;
        if (len != 0)
            text[len++] = ',';
        memcpy(text + len, value.ptr, value.len);
        len += value.len;
    }
    *out = slice_of(text, len);
    return ERR_OK;
}

static enum err
peer_read(struct http_exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *peer = info == NULL ? NULL : info->client_addr;
    char text[ADDRESS_TEXT_BYTES];
    struct slice list;
    enum err err = fields_join(&exchange->request, SLICE("X-Forwarded-For"), &list);

    if (err != ERR_OK)
        return err;
    if (peer != NULL && peer->sa_family != AF_INET && peer->sa_family != AF_INET6)
        peer = NULL; /* a unix socket */
    exchange->request.peer_address =
        arena_copy(exchange->request.arena, forwarded_client(&exchange->server->trust, peer, list, text));
    return exchange->request.peer_address.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err
http_head_read(struct http_exchange *exchange, const char *url, const char *method, const char *version)
{
    struct http_request *request = &exchange->request;
    struct head_walk walk = { .exchange = exchange };
    enum err err;

    request->method = method_of(method);
    if (url == NULL || exchange->target.ptr == NULL)
        return head_fault(exchange, ERR_HTTP_SYNTAX,
                          "The request target is missing or longer than 4096 bytes.");
    err = fields_read(&walk, method, version);
    if (err == ERR_OK)
        err = framing_check(&walk, version);
    if (err == ERR_OK)
        err = path_read(exchange);
    if (err != ERR_OK)
        return err;
    request->has_trace = traceparent_parse(single_value(&walk, SINGLE_TRACE), &request->trace) == ERR_OK;
    return peer_read(exchange);
}
