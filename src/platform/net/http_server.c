#include "platform/net/http_server.h"
#include "core/log.h"
#include "core/metric.h"
#include "platform/net/http_server_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CONNECTION_MEMORY_BYTES                                                                              \
    32768u                          /* the library's buffer: half of it reads, and a whole head must fit     \
                                     */
#define SPARE_MAX            256u   /* exchanges kept for reuse */
#define SPARE_BODY_BYTES_MAX 16384u /* a larger body buffer is given back */
#define OVERRUN_BYTES_MAX                                                                                    \
    (1u << 20)                   /* read past a body's limit to be able to say 413; then the line is cut */
#define RESERVE_BYTES_MAX 65536u /* made room for on a client's word alone */
#define DRAIN_MS          10000
#define DRAIN_LAST_MS     1000 /* to send what was answered when drain_ms is over */
#define TICK_MS           1000

static const int wait_ms[HTTP_WAIT_COUNT] = {
    [HTTP_WAIT_HEAD] = HTTP_HEAD_MS,     [HTTP_WAIT_IDLE] = HTTP_IDLE_MS, [HTTP_WAIT_BODY] = HTTP_BODY_MS,
    [HTTP_WAIT_ANSWER] = HTTP_ANSWER_MS, [HTTP_WAIT_SEND] = HTTP_SEND_MS,
};

static struct mono_time
server_now(const struct http_server *server)
{
    return clock_mono(server->config.clock);
}

/* Moves the connection to the end of another queue. Every queue's time limit is one constant, so it stays
 * sorted. */
static void
connection_wait(struct http_connection *connection, enum http_wait wait)
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
    connection->deadline = mono_after_ms(server_now(server), wait_ms[wait]);
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
    exchange->request.id = id_new(server->config.clock);
    exchange->request.began_at = server_now(server);
    return exchange;
}

static void
exchange_free(struct http_exchange *exchange)
{
    arena_free(exchange->request.arena);
    buf_release_wiped(&exchange->body);
    free(exchange);
}

/* The end of a request: what it held is wiped, its memory may serve another. */
static void
exchange_release(struct http_server *server, struct http_exchange *exchange)
{
    struct arena *arena = exchange->request.arena;
    struct buf body = exchange->body;

    server->body_bytes -= exchange->body_counted;
    if (server->spare_count == SPARE_MAX || body.cap > SPARE_BODY_BYTES_MAX) {
        exchange_free(exchange);
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
static enum MHD_Result
exchange_send(struct http_exchange *exchange, bool is_last)
{
    struct http_connection *connection = exchange->connection;
    struct MHD_Response *made =
        http_response_make(&exchange->request, &exchange->response, MHD_RESPMEM_PERSISTENT,
                           is_last || connection->server->is_draining);
    enum MHD_Result result = MHD_NO; /* which closes the connection */

    exchange->stage = HTTP_STAGE_DONE;
    connection_wait(connection, HTTP_WAIT_SEND);
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
    http_answer_note(&exchange->request, &exchange->response, server_now(exchange->server));
    return exchange_send(exchange, is_last);
}

static enum MHD_Result
exchange_hand_over(struct http_exchange *exchange)
{
    struct http_server *server = exchange->server;

    exchange->request.handed_at = server_now(server);
    if (exchange->refusal != ERR_OK)
        return exchange_refuse(exchange, exchange->refusal, false);
    if (server->in_flight >= server->config.queue_max)
        return exchange_refuse(exchange, ERR_BUSY, false);
    server->in_flight++;
    exchange->request.body = buf_slice(&exchange->body);
    exchange->stage = HTTP_STAGE_OUT;
    connection_wait(exchange->connection, HTTP_WAIT_ANSWER);
    http_list_add(&server->ready, exchange);
    MHD_suspend_connection(exchange->connection->mhd);
    return MHD_YES;
}

static enum MHD_Result
exchange_head_done(struct http_exchange *exchange, const char *url, const char *method, const char *version)
{
    struct http_server *server = exchange->server;
    bool has_body;
    size_t limit;

    exchange->request.began_at = server_now(server);
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
    if (limit > server->config.body_bytes_max)
        limit = server->config.body_bytes_max;
    if (exchange->declared_bytes > limit)
        return exchange_refuse(exchange, ERR_HTTP_BODY_SIZE, true);
    exchange->body.bytes_max = limit;
    exchange->stage = HTTP_STAGE_BODY;
    connection_wait(exchange->connection, HTTP_WAIT_BODY);
    return MHD_YES;
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
        exchange->overrun += part.len;
        return exchange->overrun > OVERRUN_BYTES_MAX ? MHD_NO : MHD_YES;
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

static enum MHD_Result
on_access(void *ctx UNUSED, struct MHD_Connection *mhd UNUSED, const char *url, const char *method,
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

/* The request line has come; `target` is as sent, up to a NUL, and will be cut up by the library afterwards.
 */
static void *
on_request_line(void *ctx, const char *target, struct MHD_Connection *mhd)
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
static void
on_completed(void *ctx, struct MHD_Connection *mhd UNUSED, void **request_ctx,
             enum MHD_RequestTerminationCode why UNUSED)
{
    struct http_server *server = ctx;
    struct http_connection *connection = *request_ctx;
    struct http_exchange *exchange = connection == NULL ? NULL : connection->exchange;

    if (connection == NULL)
        return;
    connection->exchange = NULL;
    connection_wait(connection, HTTP_WAIT_IDLE);
    if (exchange == NULL)
        return;
    exchange->connection = NULL;
    if (exchange->stage == HTTP_STAGE_OUT)
        return; /* released when its answer comes */
    if (exchange->stage !=
        HTTP_STAGE_DONE) /* the client went away, or the library refused the rest by itself */
        log_event(LOG_INFO, "http.dropped", LOG_ID("request", ID_REQUEST, exchange->request.id),
                  LOG_WORD("stage", exchange->stage == HTTP_STAGE_HEAD ? "head" : "body"));
    exchange_release(server, exchange);
}

static void
on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_ctx,
              enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = ctx;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct http_connection *connection = calloc(1, sizeof(*connection));
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        server->connection_count++;
        *socket_ctx = connection;
        if (connection != NULL) {
            connection->server = server;
            connection->mhd = mhd;
            connection->fd = info == NULL ? -1 : info->connect_fd;
            connection_wait(connection, HTTP_WAIT_HEAD);
        }
    } else {
        struct http_connection *connection = *socket_ctx;
        server->connection_count--;
        if (connection != NULL)
            connection_wait(connection, HTTP_WAIT_NONE);
        free(connection);
        *socket_ctx = NULL;
    }
    metric_set(METRIC_HTTP_CONNECTIONS, (int64_t)server->connection_count);
}

/* The library's own percent-decoding is not wanted: what it hands out stays as it was sent. */
static size_t
keep_escapes(void *ctx UNUSED, struct MHD_Connection *mhd UNUSED, char *text)
{
    return strlen(text);
}

static void
connection_cut(struct http_connection *connection)
{
    connection_wait(connection, HTTP_WAIT_NONE);
    (void)shutdown(connection->fd,
                   SHUT_RDWR); /* the library sees it, closes the socket and calls on_connection */
}

/* Takes the connection from a request that is not answered in time, and answers 503. A later answer goes
 * nowhere. */
static void
connection_give_up(struct http_connection *connection, enum err err)
{
    struct http_exchange *exchange = connection->exchange;
    struct http_server *server = connection->server;
    struct http_request request = { .id = exchange->request.id, /* the rest belongs to whoever is late */
                                    .method = exchange->request.method,
                                    .began_at = exchange->request.began_at,
                                    .handed_at = exchange->request.handed_at,
                                    .arena = arena_new(65536) };
    struct http_response response;
    struct MHD_Response *made = NULL;

    if (atomic_exchange(&exchange->is_answered, true)) {
        arena_free(request.arena); /* the answer is on its way */
        connection_wait(connection, HTTP_WAIT_ANSWER);
        return;
    }
    connection->exchange = NULL;
    exchange->connection = NULL;
    if (request.arena != NULL) {
        http_response_problem(&request, &response, err);
        http_answer_note(&request, &response, server_now(server));
        made = http_response_make(&request, &response, MHD_RESPMEM_MUST_COPY, true);
    }
    arena_free(request.arena);
    connection_wait(connection, HTTP_WAIT_SEND);
    if (made == NULL || MHD_queue_response(connection->mhd, (unsigned)response.status, made) != MHD_YES)
        connection_cut(connection);
    if (made != NULL)
        MHD_destroy_response(made);
    MHD_resume_connection(connection->mhd);
}

static void
timers_check(struct http_server *server)
{
    struct mono_time now = server_now(server);

    for (enum http_wait wait = HTTP_WAIT_HEAD; wait < HTTP_WAIT_COUNT; wait++) {
        struct http_connection *connection;
        while ((connection = server->waits[wait].first) != NULL && connection->deadline.us <= now.us) {
            if (wait == HTTP_WAIT_ANSWER)
                connection_give_up(connection, ERR_TIMEOUT);
            else
                connection_cut(connection);
        }
    }
}

static void
completions_send(struct http_server *server)
{
    struct http_exchange *next;

    for (struct http_exchange *exchange = http_workers_take(server); exchange != NULL; exchange = next) {
        struct http_connection *connection = exchange->connection;
        next = exchange->next;
        server->in_flight--;
        if (connection == NULL) {
            exchange_release(server, exchange);
            continue;
        }
        if (exchange_send(exchange, false) != MHD_YES)
            connection_cut(connection);
        MHD_resume_connection(connection->mhd);
    }
}

static void
drain_begin(struct http_server *server)
{
    int listen_fd = MHD_quiesce_daemon(server->daemon);
    int drain_ms = server->config.drain_ms == 0 ? DRAIN_MS : server->config.drain_ms;

    if (listen_fd != -1)
        close(listen_fd);
    server->is_draining = true;
    server->drain_until = mono_after_ms(server_now(server), drain_ms);
    for (enum http_wait wait = HTTP_WAIT_HEAD; wait <= HTTP_WAIT_IDLE; wait++) {
        struct http_connection *after;
        for (struct http_connection *c = server->waits[wait].first; c != NULL; c = after) {
            int unread = 0;
            after = c->after;
            /* Between requests, and nothing has come that we would lose by closing. */
            if (c->exchange == NULL && ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0)
                connection_cut(c);
        }
    }
}

/* Time is over: 503 for what is not answered, the end for what is still being sent or read. */
static void
drain_force(struct http_server *server)
{
    size_t late = server->in_flight;

    server->is_forced = true;
    server->drain_until = mono_after_ms(server_now(server), DRAIN_LAST_MS);
    for (size_t i = 0; i < late && server->waits[HTTP_WAIT_ANSWER].first != NULL; i++)
        connection_give_up(server->waits[HTTP_WAIT_ANSWER].first, ERR_STOPPING);
    for (enum http_wait wait = HTTP_WAIT_HEAD; wait <= HTTP_WAIT_BODY; wait++)
        while (server->waits[wait].first != NULL)
            connection_cut(server->waits[wait].first);
    if (late != 0)
        log_event(LOG_WARN, "http.drain_late", LOG_NUM("requests", late));
}

/* Whether the loop may end. */
static bool
drain_is_done(struct http_server *server)
{
    if (server->connection_count == 0 && server->in_flight == 0)
        return true;
    if (server_now(server).us < server->drain_until.us)
        return false;
    if (server->is_forced)
        return true;
    drain_force(server);
    return false;
}

/* Waits for the library's descriptors, for an answer or for `until`. */
static enum err
loop_wait(struct http_server *server, struct mono_time until)
{
    struct pollfd fds[2] = { { .fd = server->epoll_fd, .events = POLLIN },
                             { .fd = server->event_fd, .events = POLLIN } };
    int64_t left_us = until.us - server_now(server).us;
    int timeout_ms = left_us <= 0 ? 0 : left_us > TICK_MS * 1000 ? TICK_MS : (int)((left_us + 999) / 1000);
    MHD_UNSIGNED_LONG_LONG library_ms;
    uint64_t count;

    if (MHD_get_timeout(server->daemon, &library_ms) == MHD_YES && library_ms < (unsigned)timeout_ms)
        timeout_ms = (int)library_ms;
    if (poll(fds, COUNT_OF(fds), timeout_ms) < 0 && errno != EINTR)
        return ERR_SYSTEM;
    if ((fds[1].revents & POLLIN) != 0 && read(server->event_fd, &count, sizeof(count)) < 0 &&
        errno != EAGAIN)
        return ERR_SYSTEM;
    return ERR_OK;
}

enum err
http_server_run(struct http_server *server, void (*tick)(void *ctx), void *ctx)
{
    struct mono_time next_tick = server_now(server);
    enum err err;

    for (;;) {
        if (server_now(server).us >= next_tick.us) {
            next_tick = mono_after_ms(server_now(server), TICK_MS);
            timers_check(server);
            if (tick != NULL)
                tick(ctx);
        }
        if (!server->is_draining && atomic_load(&server->stop_requested))
            drain_begin(server);
        if (server->is_draining && drain_is_done(server))
            return ERR_OK;
        err = loop_wait(server, next_tick);
        if (err != ERR_OK)
            return err;
        completions_send(server);
        if (MHD_run(server->daemon) !=
            MHD_YES) /* never blocks; serves all that is ready, and what was resumed */
            return ERR_SYSTEM;
        http_workers_give(server);
    }
}

void
http_server_stop(struct http_server *server)
{
    int saved = errno; /* it may interrupt anything */
    uint64_t one = 1;

    atomic_store(&server->stop_requested, true);
    if (write(server->event_fd, &one, sizeof(one)) < 0)
        (void)0; /* the counter is full: the loop is awake already */
    errno = saved;
}

static enum err
daemon_start(struct http_server *server)
{
    const union MHD_DaemonInfo *info;

    /* Without the internal thread the library makes no wake-up channel of its own: resuming costs no system
     * call. */
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, server, MHD_OPTION_LISTEN_SOCKET,
        server->config.listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)server->config.connections_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        0u, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        server, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_END);
    if (server->daemon == NULL)
        return ERR_SYSTEM;
    server->config.listen_fd = -1; /* the library's now */
    info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || info->epoll_fd < 0)
        return ERR_SYSTEM;
    server->epoll_fd = info->epoll_fd;
    return ERR_OK;
}

enum err
http_server_new(const struct http_server_config *config, struct http_server **out)
{
    struct http_server *server = calloc(1, sizeof(*server));
    enum err err = ERR_NO_MEMORY;

    *out = NULL;
    if (server == NULL) {
        close(config->listen_fd);
        return err;
    }
    server->config = *config;
    server->event_fd = -1;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->has_work, NULL);
    pthread_cond_init(&server->has_opened, NULL);
    err = address_ranges_parse(config->trusted_proxies, server->trust.ranges, ADDRESS_RANGES_MAX,
                               &server->trust.count);
    server->config.trusted_proxies = SLICE_EMPTY; /* the text is the caller's */
    if (err != ERR_OK)
        goto done;
    err = ERR_SYSTEM;
    int flags = fcntl(config->listen_fd, F_GETFL);
    if (flags < 0 || fcntl(config->listen_fd, F_SETFL, flags | O_NONBLOCK) != 0)
        goto done;
    server->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->event_fd < 0)
        goto done;
    err = daemon_start(server);
    if (err == ERR_OK)
        err = http_workers_start(server);
done:
    if (err != ERR_OK) {
        http_server_free(server);
        return err;
    }
    *out = server;
    return ERR_OK;
}

void
http_server_free(struct http_server *server)
{
    struct http_exchange *next;

    if (server == NULL)
        return;
    http_workers_stop(server);
    for (struct http_exchange *exchange = http_workers_take(server); exchange != NULL; exchange = next) {
        next = exchange->next;
        server->in_flight--;
        exchange->stage = HTTP_STAGE_DONE;
        if (exchange->connection == NULL)
            exchange_release(server, exchange);
    }
    for (struct http_connection *c = server->waits[HTTP_WAIT_ANSWER].first; c != NULL; c = c->after)
        MHD_resume_connection(c->mhd); /* the library does not stop with suspended connections */
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    while (server->spare != NULL) {
        next = server->spare->next;
        exchange_free(server->spare);
        server->spare = next;
    }
    if (server->config.listen_fd >= 0)
        close(server->config.listen_fd);
    if (server->in_flight != 0) {
        log_event(LOG_ERROR, "http.abandoned", LOG_NUM("requests", server->in_flight));
        return; /* somebody may still answer them: what http_answer touches stays */
    }
    if (server->event_fd >= 0)
        close(server->event_fd);
    pthread_cond_destroy(&server->has_opened);
    pthread_cond_destroy(&server->has_work);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
