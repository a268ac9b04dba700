#include "platform/net/http_server.h"
#include "core/log.h"
#include "platform/net/http_server_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * The library's buffer of a connection: it holds a whole head and what the library makes of it, then the head
 * of the answer. The library clears it after each request, so every open connection has all of it resident:
 * this is what an idle one costs.
 */
#define CONNECTION_MEMORY_BYTES 16384u
/* Descriptors for whatever else the process opens: the database, files, links, pipes. */
#define OTHER_FDS_MAX 256u
/* When so many connections have gone, what they held goes back to the system. */
#define TRIM_CONNECTIONS 1000u
#define DRAIN_MS         10000
#define DRAIN_LAST_MS    1000 /* to send what was answered when drain_ms is over */
#define TICK_MS          1000
/* Answers made before they leave: what they are made of is still near the processor when it is sent. */
#define SEND_TOGETHER 16u

/*
 * The library waits for the next edge of a socket of which it has read all that was there, and it may have
 * read the last octets after the edge that told of the end: for who uploads, that end would be seen when the
 * time is over.
 */
static void
streams_check(struct http_server *server)
{
    struct http_connection *after;

    for (struct http_connection *c = server->waits[HTTP_WAIT_STREAM].first; c != NULL; c = after) {
        struct pollfd poll_fd = { .fd = c->fd, .events = POLLRDHUP };
        int unread = 0;
        after = c->after;
        if (poll(&poll_fd, 1, 0) == 1 && ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0)
            http_connection_cut(c);
    }
}

static void
timers_check(struct http_server *server)
{
    struct mono_time now = http_server_now(server);

    for (enum http_wait wait = HTTP_WAIT_HEAD; wait < HTTP_WAIT_COUNT; wait++) {
        struct http_connection *connection;
        while ((connection = server->waits[wait].first) != NULL && connection->deadline.us <= now.us) {
            if (wait == HTTP_WAIT_ANSWER)
                http_connection_give_up(connection, ERR_TIMEOUT);
            else
                http_connection_cut(connection);
        }
    }
}

/* Once, of what http_answer has answered: what it left to the loop. */
static void
completion_take(struct http_exchange *exchange)
{
    if (exchange->was_on_loop && exchange->request.cleanup != NULL)
        exchange->request.cleanup(&exchange->request);
    if (exchange->is_unnoted)
        http_answer_note(&exchange->request, &exchange->response, exchange->answered_at);
    exchange->is_unnoted = false;
}

/* Serves all that is ready or was resumed; never blocks. */
static enum err
library_run(struct http_server *server)
{
    log_flush(); /* before the answers leave */
    if (MHD_run(server->daemon) != MHD_YES)
        return ERR_SYSTEM;
    http_workers_give(server);
    return ERR_OK;
}

static enum err
completions_send(struct http_server *server)
{
    enum err err = ERR_OK;
    unsigned count = 0;
    struct http_stream *notices;
    struct http_exchange *next, *exchange = http_workers_take(server, &notices);

    http_streams_serve(server, notices);
    for (; exchange != NULL; exchange = next) {
        struct http_connection *connection = exchange->connection;
        next = exchange->next;
        server->in_flight--;
        completion_take(exchange);
        if (connection == NULL) {
            http_exchange_release(server, exchange);
            continue;
        }
        if (exchange->stream != NULL && http_stream_answered(exchange))
            continue;
        bool is_last =
            exchange->stream != NULL && exchange->stream->has_body && !exchange->stream->is_accepted;
        if (http_exchange_send(exchange, is_last) != MHD_YES)
            http_connection_cut(connection);
        MHD_resume_connection(connection->mhd);
        if (err == ERR_OK && ++count % SEND_TOGETHER == 0)
            err = library_run(server);
    }
    return err;
}

static void
drain_begin(struct http_server *server)
{
    int listen_fd = MHD_quiesce_daemon(server->daemon);
    int drain_ms = server->config.drain_ms == 0 ? DRAIN_MS : server->config.drain_ms;

    if (listen_fd != -1)
        close(listen_fd);
    server->is_draining = true;
    http_feeds_check(server, true); /* they would never end; their clients come again */
    server->drain_until = mono_after_ms(http_server_now(server), drain_ms);
    for (enum http_wait wait = HTTP_WAIT_HEAD; wait <= HTTP_WAIT_IDLE; wait++) {
        struct http_connection *after;
        for (struct http_connection *c = server->waits[wait].first; c != NULL; c = after) {
            int unread = 0;
            after = c->after;
            /* Between requests, and nothing has come that we would lose by closing. */
            if (c->exchange == NULL && ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0)
                http_connection_cut(c);
        }
    }
}

/* Time is over: 503 for what is not answered, the end for what is still being sent or read. */
static void
drain_force(struct http_server *server)
{
    size_t late = server->in_flight;

    server->is_forced = true;
    server->drain_until = mono_after_ms(http_server_now(server), DRAIN_LAST_MS);
    for (size_t i = 0; i < late && server->waits[HTTP_WAIT_ANSWER].first != NULL; i++)
        http_connection_give_up(server->waits[HTTP_WAIT_ANSWER].first, ERR_STOPPING);
    for (enum http_wait wait = HTTP_WAIT_HEAD; wait <= HTTP_WAIT_STREAM; wait++)
        while (server->waits[wait].first != NULL)
            http_connection_cut(server->waits[wait].first);
    if (late != 0)
        log_event(LOG_WARN, "http.drain_late", LOG_NUM("requests", late));
}

/* Whether the loop may end. */
static bool
drain_is_done(struct http_server *server)
{
    if (server->connection_count == 0 && server->in_flight == 0)
        return true;
    if (http_server_now(server).us < server->drain_until.us)
        return false;
    if (server->is_forced)
        return true;
    drain_force(server);
    return false;
}

/* Waits for the library's descriptors, for an answer or for `until`; not at all when answers are there. */
static enum err
loop_wait(struct http_server *server, struct mono_time until)
{
    struct pollfd fds[2] = { { .fd = server->epoll_fd, .events = POLLIN },
                             { .fd = server->event_fd, .events = POLLIN } };
    int64_t left_us = until.us - http_server_now(server).us;
    int timeout_ms = left_us <= 0                        ? 0
                     : left_us > (int64_t)TICK_MS * 1000 ? TICK_MS
                                                         : (int)((left_us + 999) / 1000);
    MHD_UNSIGNED_LONG_LONG library_ms;
    uint64_t count;

    if (!http_workers_sleep(server))
        return ERR_OK;
    if (MHD_get_timeout(server->daemon, &library_ms) == MHD_YES && library_ms < (unsigned)timeout_ms)
        timeout_ms = (int)library_ms;
    if (poll(fds, COUNT_OF(fds), timeout_ms) < 0 && errno != EINTR)
        return ERR_SYSTEM;
    if ((fds[1].revents & POLLIN) != 0 && read(server->event_fd, &count, sizeof(count)) < 0 &&
        errno != EAGAIN)
        return ERR_SYSTEM;
    return ERR_OK;
}

/* What many connections held stays with the allocator, for the next ones; after a burst it is too much. */
static void
memory_trim(struct http_server *server)
{
    if (server->connection_count > server->connection_peak)
        server->connection_peak = server->connection_count;
    if (server->connection_peak - server->connection_count < TRIM_CONNECTIONS)
        return;
    server->connection_peak = server->connection_count;
    (void)malloc_trim(0);
}

static enum err
loop_run(struct http_server *server, void (*tick)(void *ctx), void *ctx)
{
    struct mono_time next_tick = http_server_now(server);
    enum err err;

    for (;;) {
        if (http_server_now(server).us >= next_tick.us) {
            next_tick = mono_after_ms(http_server_now(server), TICK_MS);
            timers_check(server);
            streams_check(server);
            http_feeds_check(server, false);
            memory_trim(server);
            if (tick != NULL)
                tick(ctx);
        }
        if (!server->is_draining && atomic_load(&server->stop_requested))
            drain_begin(server);
        if (server->is_draining && drain_is_done(server))
            return ERR_OK;
        log_flush(); /* before it may sleep */
        err = loop_wait(server, next_tick);
        if (err == ERR_OK)
            err = completions_send(server);
        if (err == ERR_OK)
            err = library_run(server);
        if (err != ERR_OK)
            return err;
    }
}

enum err
http_server_run(struct http_server *server, void (*tick)(void *ctx), void *ctx)
{
    log_hold(); /* the access log: one write for all lines of a turn */
    enum err err = loop_run(server, tick, ctx);
    log_unhold();
    return err;
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

/* The library's own percent-decoding is not wanted: what it hands out stays as it was sent. */
static size_t
keep_escapes(void *ctx UNUSED, struct MHD_Connection *mhd UNUSED, char *text)
{
    return strlen(text);
}

/* As many connections as there may be, of those that are wanted. */
static unsigned
connections_possible(size_t wanted)
{
    struct rlimit fds;

    if (getrlimit(RLIMIT_NOFILE, &fds) != 0 || fds.rlim_cur == RLIM_INFINITY)
        return (unsigned)wanted;
    size_t room = fds.rlim_cur > 2 * OTHER_FDS_MAX ? fds.rlim_cur - OTHER_FDS_MAX : fds.rlim_cur / 2;
    if (room >= wanted)
        return (unsigned)wanted;
    log_event(LOG_WARN, "http.connections_capped", LOG_NUM("wanted", wanted), LOG_NUM("possible", room));
    return (unsigned)room;
}

static enum err
daemon_start(struct http_server *server)
{
    const union MHD_DaemonInfo *info;

    /* Without the internal thread the library makes no wake-up channel of its own: resuming costs no system
     * call. */
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, http_on_access, server,
        MHD_OPTION_LISTEN_SOCKET, server->config.listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        connections_possible(server->config.connections_max), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_NOTIFY_COMPLETED,
        http_on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, server,
        MHD_OPTION_URI_LOG_CALLBACK, http_on_request_line, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
        NULL, MHD_OPTION_END);
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
    pthread_cond_init(&server->has_stream, NULL);
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
    struct http_stream *notices;
    struct http_exchange *exchange = http_workers_take(server, &notices);
    for (struct http_stream *stream = notices, *after; stream != NULL; stream = after) {
        after = stream->next_listed;
        http_stream_abandoned(server, stream);
    }
    for (; exchange != NULL; exchange = next) {
        next = exchange->next;
        server->in_flight--;
        completion_take(exchange);
        if (exchange->stream != NULL)
            exchange->stream->is_settled = true;
        exchange->stage = HTTP_STAGE_DONE;
        if (exchange->connection == NULL)
            http_exchange_release(server, exchange);
    }
    for (struct http_connection *c = server->waits[HTTP_WAIT_ANSWER].first; c != NULL; c = c->after)
        MHD_resume_connection(c->mhd); /* the library does not stop with suspended connections */
    for (struct http_stream *stream = server->streams; stream != NULL; stream = stream->after)
        if (http_stream_unpause(stream) && stream->exchange->connection != NULL)
            MHD_resume_connection(stream->exchange->connection->mhd);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    while (server->spare != NULL) {
        next = server->spare->next;
        http_exchange_free(server->spare);
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
    pthread_cond_destroy(&server->has_stream);
    pthread_cond_destroy(&server->has_work);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
