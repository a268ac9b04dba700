/* The ring between a streaming worker and the loop: the worker's functions first, then the loop's. */
#include "platform/net/http_stream.h"
#include "core/log.h"
#include "platform/net/http_server_internal.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BLOCK_BYTES      65536u /* handed to the library at a time */
#define FEED_BLOCK_BYTES 1024u  /* each feed that is open holds one */

static void
lock(struct http_stream *stream)
{
    if (pthread_mutex_lock(&stream->lock) != 0)
        bug("a mutex cannot be locked");
}

static void
unlock(struct http_stream *stream)
{
    if (pthread_mutex_unlock(&stream->lock) != 0)
        bug("a mutex cannot be unlocked");
}

static size_t
ring_put(struct http_stream *stream, struct slice bytes)
{
    size_t put = 0;

    while (put < bytes.len && stream->len < stream->ring_bytes) {
        size_t at = (stream->start + stream->len) % stream->ring_bytes;
        size_t room = at < stream->start ? stream->start - at : stream->ring_bytes - at;
        struct slice part = slice_first(slice_drop(bytes, put), room);
        memcpy(stream->ring + at, part.ptr, part.len);
        stream->len += part.len;
        put += part.len;
    }
    return put;
}

static size_t
ring_take(struct http_stream *stream, char *to, size_t max)
{
    size_t taken = 0;

    while (taken < max && stream->len != 0) {
        size_t whole = stream->ring_bytes - stream->start;
        size_t part = stream->len < whole ? stream->len : whole;
        part = part < max - taken ? part : max - taken;
        memcpy(to + taken, stream->ring + stream->start, part);
        stream->start = (stream->start + part) % stream->ring_bytes;
        stream->len -= part;
        taken += part;
    }
    return taken;
}

static struct http_stream *
stream_of(const struct http_request *request)
{
    const struct http_exchange *exchange = request->transport;

    if (exchange->stream == NULL)
        bug("a request is streamed that its route does not stream");
    return exchange->stream;
}

/* The loop is to look at the stream's flags. Not under the stream's lock. After the last time, the stream is
 * the loop's. */
void
http_stream_notify(struct http_stream *stream, bool is_last)
{
    struct http_server *server = stream->exchange->server;
    uint64_t one = 1;

    if (pthread_mutex_lock(&server->lock) != 0)
        bug("a mutex cannot be locked");
    stream->is_finished = is_last;
    if (!stream->is_listed) {
        stream->is_listed = true;
        stream->next_listed = server->notices;
        server->notices = stream;
    }
    bool wakes = server->is_asleep; /* else the loop looks here before it sleeps */
    server->is_asleep = false;
    pthread_mutex_unlock(&server->lock);
    if (wakes && write(server->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        bug("the loop cannot be woken");
}

uint64_t
http_stream_declared(const struct http_request *request)
{
    const struct http_exchange *exchange = request->transport;

    return exchange->is_chunked ? HTTP_STREAM_UNDECLARED : exchange->declared_bytes;
}

static enum err
ring_make(struct http_stream *stream, size_t bytes)
{
    if (stream->ring == NULL) {
        stream->ring = malloc(bytes);
        stream->ring_bytes = bytes;
    }
    return stream->ring == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err
http_stream_accept(struct http_request *request)
{
    struct http_stream *stream = stream_of(request);
    enum err err = ring_make(stream, HTTP_STREAM_RING_BYTES);

    if (err != ERR_OK)
        return err;
    lock(stream);
    err = stream->is_broken ? ERR_HTTP_BROKEN : ERR_OK;
    stream->wants_body = err == ERR_OK && stream->has_body;
    unlock(stream);
    if (err == ERR_OK && stream->has_body)
        http_stream_notify(stream, false);
    return err;
}

enum err
http_stream_read(struct http_request *request, char *to, size_t max, size_t *len_out)
{
    struct http_stream *stream = stream_of(request);
    bool wake = false;

    *len_out = 0;
    if (!stream->has_body)
        return ERR_OK;
    lock(stream);
    while (stream->len == 0 && !stream->is_ended && !stream->is_broken)
        pthread_cond_wait(&stream->moved, &stream->lock);
    enum err err = stream->is_broken ? ERR_HTTP_BROKEN : ERR_OK;
    if (err == ERR_OK)
        *len_out = ring_take(stream, to, max);
    if (err == ERR_OK && stream->is_paused && stream->len <= stream->ring_bytes / 2)
        wake = stream->wants_resume = true;
    unlock(stream);
    if (wake)
        http_stream_notify(stream, false);
    return err;
}

enum err
http_stream_begin(struct http_request *request, const struct http_response *head, uint64_t bytes,
                  size_t ring_bytes)
{
    struct http_exchange *exchange = request->transport;
    struct http_stream *stream = stream_of(request);
    enum err err = ring_make(stream, ring_bytes);

    if (err != ERR_OK)
        return err;
    if (stream->has_body)
        bug("an answer is streamed to a request with a body");
    if (atomic_exchange(&exchange->is_answered, true))
        return ERR_HTTP_BROKEN; /* the client has its 503; what the handler returns is not looked at */
    struct http_response noted = *head;
    noted.body = slice_of(NULL, bytes == HTTP_STREAM_UNDECLARED ? 0 : (size_t)bytes); /* for the log */
    http_answer_note(request, &noted, clock_mono(exchange->server->config.clock));
    exchange->response = *head;
    lock(stream);
    stream->answer_bytes = bytes;
    stream->has_head = true;
    unlock(stream);
    http_stream_notify(stream, false);
    return ERR_OK;
}

enum err
http_stream_answer(struct http_request *request, const struct http_response *head, uint64_t bytes)
{
    return http_stream_begin(request, head, bytes, HTTP_STREAM_RING_BYTES);
}

enum err
http_stream_write(struct http_request *request, struct slice bytes)
{
    struct http_stream *stream = stream_of(request);
    enum err err = ERR_OK;

    while (err == ERR_OK && bytes.len != 0) {
        bool wake = false;
        lock(stream);
        while (stream->len == stream->ring_bytes && !stream->is_broken)
            pthread_cond_wait(&stream->moved, &stream->lock);
        if (stream->is_broken)
            err = ERR_HTTP_BROKEN;
        else
            bytes = slice_drop(bytes, ring_put(stream, bytes));
        if (stream->is_paused)
            wake = stream->wants_resume = true;
        unlock(stream);
        if (wake)
            http_stream_notify(stream, false);
    }
    return err;
}

/* All of it or nothing. False: there is no room. */
bool
http_stream_put(struct http_stream *stream, struct slice bytes)
{
    return bytes.len <= stream->ring_bytes - stream->len && ring_put(stream, bytes) == bytes.len;
}

void
http_stream_end(struct http_request *request)
{
    struct http_stream *stream = stream_of(request);

    if (request->cleanup != NULL)
        request->cleanup(request);
    lock(stream);
    stream->is_ended = true;
    unlock(stream);
    http_stream_notify(stream, true); /* the exchange may be gone from here on */
}

/* From here on: the loop thread. */

struct http_stream *
http_stream_new(struct http_exchange *exchange, bool has_body, bool is_feed)
{
    struct http_server *server = exchange->server;
    struct http_stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->moved, NULL);
    stream->exchange = exchange;
    stream->has_body = has_body;
    stream->is_feed = is_feed;
    stream->until = mono_after_ms(http_server_now(server), HTTP_STREAM_TOTAL_MS);
    stream->after = server->streams;
    if (server->streams != NULL)
        server->streams->before = stream;
    server->streams = stream;
    return stream;
}

void
http_stream_free(struct http_stream *stream)
{
    if (stream == NULL)
        return;
    struct http_server *server = stream->exchange->server;
    if (stream->before == NULL)
        server->streams = stream->after;
    else
        stream->before->after = stream->after;
    if (stream->after != NULL)
        stream->after->before = stream->before;
    pthread_cond_destroy(&stream->moved);
    pthread_mutex_destroy(&stream->lock);
    if (stream->ring != NULL)
        explicit_bzero(stream->ring, stream->ring_bytes);
    free(stream->ring);
    free(stream);
}

void
http_stream_break(struct http_stream *stream)
{
    lock(stream);
    stream->is_broken = true;
    unlock(stream);
    pthread_cond_signal(&stream->moved);
}

size_t
http_stream_push(struct http_stream *stream, struct slice part)
{
    lock(stream);
    size_t taken = ring_put(stream, part);
    stream->is_paused = taken < part.len;
    unlock(stream);
    if (taken != 0)
        pthread_cond_signal(&stream->moved);
    return taken;
}

void
http_stream_body_done(struct http_stream *stream)
{
    lock(stream);
    stream->is_ended = true;
    unlock(stream);
    pthread_cond_signal(&stream->moved);
}

bool
http_stream_unpause(struct http_stream *stream)
{
    lock(stream);
    bool was_paused = stream->is_paused;
    stream->is_paused = false;
    unlock(stream);
    return was_paused;
}

/* The library wants more of the answer. Without any, the connection is suspended until the worker has
 * written. */
ssize_t
http_stream_pull(void *ctx, uint64_t pos UNUSED, char *to, size_t max)
{
    struct http_exchange *exchange = ctx;
    struct http_stream *stream = exchange->stream;
    struct http_connection *connection = exchange->connection;

    if (connection == NULL || (!stream->is_feed && http_server_now(exchange->server).us > stream->until.us))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    http_connection_wait(connection, HTTP_WAIT_SEND);
    lock(stream);
    size_t taken = ring_take(stream, to, max);
    bool is_over = taken == 0 && (stream->is_ended || stream->is_broken);
    stream->is_paused = taken == 0 && !is_over;
    bool must_wait = stream->is_paused, is_broken = stream->is_broken;
    unlock(stream);
    if (taken != 0) {
        pthread_cond_signal(&stream->moved);
        return (ssize_t)taken;
    }
    if (is_over && !is_broken && stream->answer_bytes == HTTP_STREAM_UNDECLARED)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (is_over)
        return MHD_CONTENT_READER_END_WITH_ERROR; /* all that was announced would have ended it before */
    if (must_wait && stream->is_feed)             /* all has left: nothing is waited for */
        http_connection_wait(connection, HTTP_WAIT_NONE);
    if (must_wait)
        MHD_suspend_connection(connection->mhd);
    return 0;
}

/* The answer's head has come: sent, with the rest to be pulled. */
static void
head_send(struct http_exchange *exchange)
{
    struct http_connection *connection = exchange->connection;
    struct http_stream *stream = exchange->stream;

    exchange->stage = HTTP_STAGE_DONE;
    if (stream->is_feed && !stream->is_begun) {
        stream->is_begun = true;
        exchange->server->in_flight--;
    }
    if (connection == NULL) {
        http_stream_break(stream);
        return;
    }
    if (stream->is_feed && exchange->server->is_draining) {
        http_connection_cut(connection);
        MHD_resume_connection(connection->mhd);
        return;
    }
    http_connection_wait(connection, HTTP_WAIT_SEND);
    struct MHD_Response *made = MHD_create_response_from_callback(
        stream->answer_bytes, stream->is_feed ? FEED_BLOCK_BYTES : BLOCK_BYTES, http_stream_pull, exchange,
        NULL);
    /* libmicrohttpd ends a chunked answer to HEAD as if it had had content: five octets that a client takes
     * for the next answer. Without chunks, and with the connection's end, there is nothing to take. */
    bool is_bare = exchange->request.method == HTTP_HEAD && stream->answer_bytes == HTTP_STREAM_UNDECLARED;
    if (made == NULL ||
        (is_bare &&
         MHD_set_response_options(made, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END) != MHD_YES) ||
        !http_response_dress(made, &exchange->request, &exchange->response,
                             connection->server->is_draining) ||
        MHD_queue_response(connection->mhd, (unsigned)exchange->response.status, made) != MHD_YES)
        http_connection_cut(connection);
    if (made != NULL)
        MHD_destroy_response(made);
    MHD_resume_connection(connection->mhd);
}

/* What a worker has asked for since the last look. */
static void
stream_serve(struct http_server *server, struct http_stream *stream, bool is_finished)
{
    struct http_exchange *exchange = stream->exchange;
    struct http_connection *connection = exchange->connection;

    lock(stream);
    bool wants_body = stream->wants_body, has_head = stream->has_head;
    bool resume = stream->wants_resume && stream->is_paused;
    stream->wants_body = stream->has_head = stream->wants_resume = false;
    if (resume || (is_finished && stream->is_paused)) {
        resume = true;
        stream->is_paused = false;
    }
    unlock(stream);
    if (wants_body && connection == NULL)
        http_stream_break(stream);
    if (wants_body && connection != NULL) {
        stream->is_accepted = true;
        exchange->stage = HTTP_STAGE_ACCEPTED;
        http_connection_wait(connection, HTTP_WAIT_STREAM);
        MHD_resume_connection(connection->mhd);
    }
    if (has_head)
        head_send(exchange);
    if (resume && connection != NULL)
        MHD_resume_connection(connection->mhd);
    if (is_finished) {
        server->in_flight -= stream->is_begun ? 0 : 1;
        stream->is_settled = true;
        if (exchange->connection == NULL)
            http_exchange_release(server, exchange);
    }
}

void
http_streams_serve(struct http_server *server, struct http_stream *notices)
{
    while (notices != NULL) {
        struct http_stream *stream = notices;
        if (pthread_mutex_lock(&server->lock) != 0)
            bug("a mutex cannot be locked");
        notices = stream->next_listed; /* before its worker may list it anew */
        stream->is_listed = false;
        bool is_finished = stream->is_finished;
        pthread_mutex_unlock(&server->lock);
        stream_serve(server, stream, is_finished);
    }
}

/* The worker has answered before the body was read to its end: the rest of it is read away, or the connection
 * ends with the answer. False: there is nothing left to read. */
bool
http_stream_answered(struct http_exchange *exchange)
{
    struct http_stream *stream = exchange->stream;
    struct http_connection *connection = exchange->connection;

    stream->is_settled = true;
    switch (exchange->stage) {
    case HTTP_STAGE_OUT:
        if (!stream->has_body || stream->is_accepted || exchange->is_chunked ||
            exchange->declared_bytes > HTTP_STREAM_SWALLOW_BYTES_MAX)
            return false;
        exchange->stage = HTTP_STAGE_ACCEPTED;
        http_connection_wait(connection, HTTP_WAIT_STREAM);
        MHD_resume_connection(connection->mhd);
        return true;
    case HTTP_STAGE_ACCEPTED:
        return true;
    case HTTP_STAGE_STREAM:
        exchange->stage = HTTP_STAGE_SWALLOW;
        if (http_stream_unpause(stream))
            MHD_resume_connection(connection->mhd);
        return true;
    case HTTP_STAGE_HEAD:
    case HTTP_STAGE_BODY:
    case HTTP_STAGE_SWALLOW:
    case HTTP_STAGE_DONE:
        break;
    }
    return false;
}

void
http_stream_abandoned(struct http_server *server, struct http_stream *stream)
{
    if (!stream->is_finished)
        return;
    server->in_flight -= stream->is_begun ? 0 : 1;
    stream->is_settled = true;
    stream->exchange->stage = HTTP_STAGE_DONE;
    if (stream->exchange->connection == NULL)
        http_exchange_release(server, stream->exchange);
}

/* The library does not watch the socket of a connection that is suspended. */
void
http_feeds_check(struct http_server *server, bool all)
{
    for (struct http_stream *stream = server->streams; stream != NULL; stream = stream->after) {
        struct http_connection *connection = stream->exchange->connection;
        if (!stream->is_begun || connection == NULL)
            continue;
        struct pollfd poll_fd = { .fd = connection->fd, .events = POLLRDHUP };
        if (!all && poll(&poll_fd, 1, 0) != 1)
            continue;
        http_stream_break(stream); /* first: the library asks for more before it looks at the socket */
        http_connection_cut(connection);
    }
}
