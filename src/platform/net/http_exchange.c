/* Connections and the requests on them: what happens when the library calls. All of it on the loop thread. */
#include "core/log.h"
#include "core/metric.h"
#include "platform/net/http_server_internal.h"
#include <stdlib.h>
#include <sys/socket.h>

#define SPARE_MAX            256u   /* exchanges kept for reuse */
#define SPARE_BODY_BYTES_MAX 16384u /* a larger body buffer is given back */
#define RESERVE_BYTES_MAX    65536u /* made room for on a client's word alone */
/* Read past the limit of a chunked body, to say 413 to whoever sends a little more; then it is cut. */
#define OVERRUN_BYTES_MAX (1u << 20)

/* Every queue's time limit is one constant, so a connection put at its end keeps it sorted. */
static const int wait_ms[HTTP_WAIT_COUNT] = {
    [HTTP_WAIT_HEAD] = HTTP_HEAD_MS,     [HTTP_WAIT_IDLE] = HTTP_IDLE_MS, [HTTP_WAIT_BODY] = HTTP_BODY_MS,
    [HTTP_WAIT_ANSWER] = HTTP_ANSWER_MS, [HTTP_WAIT_SEND] = HTTP_SEND_MS, [HTTP_WAIT_STREAM] = HTTP_STREAM_MS,
};

void
http_connection_wait(struct http_connection *connection, enum http_wait wait)
{
    struct http_server *server = connection->server;

    if (connection->wait != HTTP_WAIT_NONE) {
        if (connection->before == NULL)
            server->waits[connection->wait].first = connection->after;
        else
            connection->before->after = connection->after;
        if (connection->after == NULL)
            server->waits[connection->wait].last = connection->before;
        else
            connection->after->before = connection->before;
    }
    connection->wait = wait;
    connection->before = connection->after = NULL;
    if (wait == HTTP_WAIT_NONE)
        return;
    connection->deadline = mono_after_ms(http_server_now(server), wait_ms[wait]);
    connection->before = server->waits[wait].last;
    if (connection->before == NULL)
        server->waits[wait].first = connection;
    else
        connection->before->after = connection;
    server->waits[wait].last = connection;
}

static struct http_exchange *
exchange_new(struct http_server *server, struct http_connection *connection)
{
    struct http_exchange *exchange = server->spare;

    if (exchange != NULL) {
        server->spare = exchange->next;
        server->spare_count--;
    } else {
        exchange = calloc(1, sizeof(*exchange));
        struct arena *arena = arena_new(HTTP_ARENA_BYTES_MAX);
        if (exchange == NULL || arena == NULL) {
            arena_free(arena);
            free(exchange);
            return NULL;
        }
        exchange->request.arena = arena;
        exchange->server = server;
    }
    exchange->connection = connection;
    exchange->request.transport = exchange;
    exchange->request.is_https = server->config.is_https;
    exchange->request.id = id_new(server->config.clock);
    exchange->request.began_at = http_server_now(server);
    return exchange;
}

void
http_exchange_free(struct http_exchange *exchange)
{
    http_stream_free(exchange->stream);
    arena_free(exchange->request.arena);
    buf_release_wiped(&exchange->body);
    free(exchange);
}

/* The end of a request: what it held is wiped, its memory may serve another. */
void
http_exchange_release(struct http_server *server, struct http_exchange *exchange)
{
    struct arena *arena = exchange->request.arena;
    struct buf body = exchange->body;

    server->body_bytes -= exchange->body_counted;
    http_stream_free(exchange->stream);
    exchange->stream = NULL;
    if (server->spare_count == SPARE_MAX || body.cap > SPARE_BODY_BYTES_MAX) {
        http_exchange_free(exchange);
        return;
    }
    arena_reset(arena);
    if (body.len != 0)
        explicit_bzero(body.ptr, body.len);
    buf_clear(&body);
    memset(exchange, 0, sizeof(*exchange));
    exchange->request.arena = arena;
    exchange->body = body;
    exchange->server = server;
    exchange->next = server->spare;
    server->spare = exchange;
    server->spare_count++;
}

/* Sends exchange->response, inside a callback of the library or while the connection is suspended. */
enum MHD_Result
http_exchange_send(struct http_exchange *exchange, bool is_last)
{
    struct http_connection *connection = exchange->connection;
    struct MHD_Response *made =
        http_response_make(&exchange->request, &exchange->response, MHD_RESPMEM_PERSISTENT,
                           is_last || connection->server->is_draining);
    enum MHD_Result result = MHD_NO; /* which closes the connection */

    exchange->stage = HTTP_STAGE_DONE;
    http_connection_wait(connection, HTTP_WAIT_SEND);
    if (made != NULL) {
        result = MHD_queue_response(connection->mhd, (unsigned)exchange->response.status, made);
        MHD_destroy_response(made);
    }
    return result;
}

/* Answers at once, on the loop thread, a request that nobody else has seen. */
static enum MHD_Result
exchange_refuse(struct http_exchange *exchange, enum err err, bool is_last)
{
    http_response_problem(&exchange->request, &exchange->response, err);
    http_answer_note(&exchange->request, &exchange->response, http_server_now(exchange->server));
    log_flush();
    if (exchange->stream != NULL)
        exchange->stream->is_settled = true;
    return http_exchange_send(exchange, is_last);
}

/* Whether the request needs no worker: then it is answered, *sent_out says how well, or its answer comes
 * later. */
static bool
exchange_is_served_here(struct http_exchange *exchange, enum MHD_Result *sent_out)
{
    struct http_server *server = exchange->server;
    struct http_request *request = &exchange->request;

    if (server->config.handle_on_loop == NULL || exchange->stream != NULL ||
        request->body.len > HTTP_LOOP_BODY_BYTES_MAX)
        return false;
    request->worker = server->config.loop_worker;
    exchange->was_on_loop = true; /* first: from the handler on, the answer may come */
    enum err err = server->config.handle_on_loop(server->config.ctx, request, &exchange->response);
    if (err == ERR_WOULD_WAIT) {
        memset(&exchange->response, 0, sizeof(exchange->response));
        exchange->was_on_loop = false;
        return false;
    }
    if (err == ERR_DEFERRED) { /* whoever answers it may do so now: only the loop touches the connection */
        MHD_suspend_connection(exchange->connection->mhd);
        *sent_out = MHD_YES;
        return true;
    }
    if (err != ERR_OK)
        bug("a handler of the server returned an error");
    if (request->cleanup != NULL)
        request->cleanup(request);
    atomic_store(&exchange->is_answered, true);
    http_answer_note(request, &exchange->response, http_server_now(server));
    server->in_flight--;
    *sent_out = http_exchange_send(exchange, false);
    return true;
}

static enum MHD_Result
exchange_hand_over(struct http_exchange *exchange)
{
    struct http_server *server = exchange->server;
    enum MHD_Result sent = MHD_NO;

    exchange->request.handed_at = http_server_now(server);
    if (exchange->refusal != ERR_OK)
        return exchange_refuse(exchange, exchange->refusal, false);
    if (server->in_flight >= server->config.queue_max)
        return exchange_refuse(exchange, ERR_BUSY, false);
    server->in_flight++;
    exchange->request.body = buf_slice(&exchange->body);
    exchange->stage = HTTP_STAGE_OUT;
    http_connection_wait(exchange->connection, HTTP_WAIT_ANSWER);
    if (exchange_is_served_here(exchange, &sent))
        return sent;
    bool is_streamed = exchange->stream != NULL && !exchange->stream->is_feed;
    http_list_add(is_streamed ? &server->stream_ready : &server->ready, exchange);
    MHD_suspend_connection(exchange->connection->mhd);
    return MHD_YES;
}

static enum MHD_Result
exchange_head_done(struct http_exchange *exchange, const char *url, const char *method, const char *version)
{
    struct http_server *server = exchange->server;
    bool has_body;
    size_t limit;

    exchange->request.began_at = http_server_now(server);
    enum err err = http_head_read(exchange, url, method, version);
    if (err != ERR_OK)
        return exchange_refuse(exchange, err, true);
    has_body = exchange->is_chunked || exchange->declared_bytes != 0;
    limit = server->config.body_limit(server->config.ctx, exchange->request.method, exchange->request.path);
    if (limit == HTTP_BODY_UNREAD) {
        if (has_body) /* an answer at this point closes the connection: the body is never read */
            return exchange_hand_over(exchange);
        limit = 0;
    }
    if ((limit & HTTP_BODY_FEED) != 0) {
        limit = 0;
        if (has_body)
            return exchange_refuse(exchange, ERR_HTTP_BODY_SIZE, true);
        exchange->stream = http_stream_new(exchange, false, true);
        if (exchange->stream == NULL)
            return exchange_refuse(exchange, ERR_NO_MEMORY, true);
    } else if ((limit & HTTP_BODY_STREAMED) != 0) {
        limit &= ~HTTP_BODY_STREAMED;
        exchange->stream = http_stream_new(exchange, has_body, false);
        if (exchange->stream == NULL)
            return exchange_refuse(exchange, ERR_NO_MEMORY, true);
    } else if (limit > server->config.body_bytes_max) {
        limit = server->config.body_bytes_max;
    }
    if (exchange->declared_bytes > limit)
        return exchange_refuse(exchange, ERR_HTTP_BODY_SIZE, true);
    if (exchange->stream != NULL && has_body)
        return exchange_hand_over(exchange); /* the worker looks at the head, and then lets the body come */
    exchange->body.bytes_max = limit;
    exchange->stage = HTTP_STAGE_BODY;
    http_connection_wait(exchange->connection, HTTP_WAIT_BODY);
    return MHD_YES;
}

/* Gives back what is held of a body that nobody will see. */
static void
exchange_body_drop(struct http_exchange *exchange)
{
    size_t bytes_max = exchange->body.bytes_max;

    exchange->server->body_bytes -= exchange->body_counted;
    exchange->body_counted = 0;
    buf_release_wiped(&exchange->body);
    exchange->body.bytes_max = bytes_max;
}

/* A response cannot be queued while a body comes, so a fault is kept until its end; what comes after it is
 * dropped. */
static enum MHD_Result
exchange_body_part(struct http_exchange *exchange, struct slice part)
{
    struct http_server *server = exchange->server;

    if (exchange->refusal == ERR_OK && part.len > exchange->body.bytes_max - exchange->body.len)
        exchange->refusal = ERR_HTTP_BODY_SIZE;
    if (exchange->refusal == ERR_OK && part.len > HTTP_BODIES_BYTES_MAX - server->body_bytes)
        exchange->refusal = ERR_BUSY;
    if (exchange->refusal != ERR_OK) {
        exchange_body_drop(exchange);
        exchange->overrun += part.len;
        /* A declared length is within the limit, or it would not have come so far. */
        return exchange->is_chunked && exchange->overrun > OVERRUN_BYTES_MAX ? MHD_NO : MHD_YES;
    }
    if (exchange->body.len == 0 && exchange->declared_bytes <= RESERVE_BYTES_MAX)
        (void)buf_reserve(&exchange->body, (size_t)exchange->declared_bytes);
    buf_add(&exchange->body, part);
    if (buf_done(&exchange->body) != ERR_OK)
        return MHD_NO;
    server->body_bytes += part.len;
    exchange->body_counted += part.len;
    return MHD_YES;
}

/* A part of a streamed body: into the ring, whose worker takes it out; what finds no room is offered again.
 */
static enum MHD_Result
exchange_stream_part(struct http_exchange *exchange, const char *upload, size_t *upload_bytes)
{
    struct http_connection *connection = exchange->connection;
    struct http_stream *stream = exchange->stream;

    if (http_server_now(exchange->server).us > stream->until.us)
        return MHD_NO;
    if (*upload_bytes == 0) { /* the end: suspended until it is answered */
        exchange->stage = HTTP_STAGE_OUT;
        http_connection_wait(connection, HTTP_WAIT_ANSWER);
        MHD_suspend_connection(connection->mhd);
        http_stream_body_done(stream);
        return MHD_YES;
    }
    http_connection_wait(connection, HTTP_WAIT_STREAM);
    size_t taken = http_stream_push(stream, slice_of(upload, *upload_bytes));
    *upload_bytes -= taken;
    if (*upload_bytes != 0)
        MHD_suspend_connection(connection->mhd);
    return MHD_YES;
}

/* The rest of a streamed body that was answered before its end. */
static enum MHD_Result
exchange_swallow(struct http_exchange *exchange, size_t *upload_bytes)
{
    if (*upload_bytes == 0)
        return http_exchange_send(exchange, false);
    exchange->overrun += *upload_bytes;
    *upload_bytes = 0;
    http_connection_wait(exchange->connection, HTTP_WAIT_STREAM);
    if (exchange->is_chunked && exchange->overrun > HTTP_STREAM_SWALLOW_BYTES_MAX)
        return MHD_NO;
    return http_server_now(exchange->server).us > exchange->stream->until.us ? MHD_NO : MHD_YES;
}

enum MHD_Result
http_on_access(void *ctx UNUSED, struct MHD_Connection *mhd UNUSED, const char *url, const char *method,
               const char *version, const char *upload, size_t *upload_bytes, void **request_ctx)
{
    struct http_connection *connection = *request_ctx;
    struct http_exchange *exchange = connection == NULL ? NULL : connection->exchange;

    if (exchange == NULL)
        return MHD_NO; /* there was no memory for it */
    switch (exchange->stage) {
    case HTTP_STAGE_HEAD:
        return exchange_head_done(exchange, url, method, version);
    case HTTP_STAGE_BODY:
        if (*upload_bytes == 0)
            return exchange_hand_over(exchange);
        struct slice part = slice_of(upload, *upload_bytes);
        *upload_bytes = 0;
        return exchange_body_part(exchange, part);
    case HTTP_STAGE_ACCEPTED: /* called again with the head alone, after the suspension */
        exchange->stage = exchange->stream->is_settled ? HTTP_STAGE_SWALLOW : HTTP_STAGE_STREAM;
        return MHD_YES;
    case HTTP_STAGE_STREAM:
        return exchange_stream_part(exchange, upload, upload_bytes);
    case HTTP_STAGE_SWALLOW:
        return exchange_swallow(exchange, upload_bytes);
    case HTTP_STAGE_OUT: /* suspended, or answered: the library does not call */
    case HTTP_STAGE_DONE:
        break;
    }
    return MHD_NO;
}

static struct http_connection *
connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

/* The request line has come; `target` is as sent, up to a NUL, before the library cuts it up. */
void *
http_on_request_line(void *ctx, const char *target, struct MHD_Connection *mhd)
{
    struct http_server *server = ctx;
    struct http_connection *connection = connection_of(mhd);

    if (connection == NULL)
        return NULL;
    struct http_exchange *exchange = exchange_new(server, connection);
    connection->exchange = exchange;
    if (exchange == NULL || target == NULL)
        return connection;
    size_t len = strlen(target);
    if (len <= HTTP_TARGET_BYTES_MAX) {
        exchange->target = arena_copy(exchange->request.arena, slice_of(target, len));
        exchange->target_at = (uintptr_t)target;
    }
    return connection;
}

/* The answer was sent, or the connection broke on the way. */
void
http_on_completed(void *ctx, struct MHD_Connection *mhd UNUSED, void **request_ctx,
                  enum MHD_RequestTerminationCode why UNUSED)
{
    struct http_server *server = ctx;
    struct http_connection *connection = *request_ctx;
    struct http_exchange *exchange = connection == NULL ? NULL : connection->exchange;

    if (connection == NULL)
        return;
    connection->exchange = NULL;
    http_connection_wait(connection, HTTP_WAIT_IDLE);
    if (exchange == NULL)
        return;
    exchange->connection = NULL;
    if (exchange->stream != NULL)
        http_stream_break(exchange->stream);
    if (exchange->stage == HTTP_STAGE_OUT ||
        (exchange->stream != NULL && exchange->stage != HTTP_STAGE_HEAD &&
         exchange->stage != HTTP_STAGE_BODY && !exchange->stream->is_settled))
        return; /* released when its answer comes, or its worker is done */
    if (exchange->stage !=
        HTTP_STAGE_DONE) /* the client went away, or the library refused the rest by itself */
        log_event(LOG_INFO, "http.dropped", LOG_ID("request", ID_REQUEST, exchange->request.id),
                  LOG_WORD("stage", exchange->stage == HTTP_STAGE_HEAD ? "head" : "body"));
    http_exchange_release(server, exchange);
}

void
http_on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_ctx,
                   enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = ctx;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct http_connection *connection = calloc(1, sizeof(*connection));
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        server->connection_count++;
        metric_add(METRIC_HTTP_CONNECTIONS, 1); /* not set: a process may have two servers */
        *socket_ctx = connection;
        if (connection != NULL) {
            connection->server = server;
            connection->mhd = mhd;
            connection->fd = info == NULL ? -1 : info->connect_fd;
            http_connection_wait(connection, HTTP_WAIT_HEAD);
        }
    } else {
        struct http_connection *connection = *socket_ctx;
        server->connection_count--;
        metric_add(METRIC_HTTP_CONNECTIONS, UINT64_MAX); /* one less */
        if (connection != NULL)
            http_connection_wait(connection, HTTP_WAIT_NONE);
        free(connection);
        *socket_ctx = NULL;
    }
}

void
http_connection_cut(struct http_connection *connection)
{
    struct http_exchange *exchange = connection->exchange;

    http_connection_wait(connection, HTTP_WAIT_NONE);
    if (exchange != NULL && exchange->stream != NULL && http_stream_unpause(exchange->stream))
        MHD_resume_connection(connection->mhd);
    (void)shutdown(connection->fd,
                   SHUT_RDWR); /* the library sees it, closes the socket and calls http_on_connection */
}

/* Takes the connection from a request that is not answered in time, and answers 503. A later answer goes
 * nowhere. */
void
http_connection_give_up(struct http_connection *connection, enum err err)
{
    struct http_exchange *exchange = connection->exchange;
    struct http_server *server = connection->server;
    struct http_request request = { .id = exchange->request.id, /* the rest belongs to whoever is late */
                                    .method = exchange->request.method,
                                    .is_https = server->config.is_https,
                                    .began_at = exchange->request.began_at,
                                    .handed_at = exchange->request.handed_at,
                                    .arena = arena_new(65536) };
    struct http_response response;
    struct MHD_Response *made = NULL;

    if (atomic_exchange(&exchange->is_answered, true)) {
        arena_free(request.arena); /* the answer is on its way */
        http_connection_wait(connection, HTTP_WAIT_ANSWER);
        return;
    }
    connection->exchange = NULL;
    exchange->connection = NULL;
    if (request.arena != NULL) {
        http_response_problem(&request, &response, err);
        http_answer_note(&request, &response, http_server_now(server));
        made = http_response_make(&request, &response, MHD_RESPMEM_MUST_COPY, true);
    }
    arena_free(request.arena);
    http_connection_wait(connection, HTTP_WAIT_SEND);
    if (made == NULL || MHD_queue_response(connection->mhd, (unsigned)response.status, made) != MHD_YES)
        http_connection_cut(connection);
    if (made != NULL)
        MHD_destroy_response(made);
    MHD_resume_connection(connection->mhd);
}
