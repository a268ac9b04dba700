#include "platform/net/http_testing.h"
#include "core/log.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t
body_limit(void *ctx UNUSED, enum http_method method UNUSED, struct slice path)
{
    if (slice_eq(path, SLICE("/big")) || slice_eq(path, SLICE("/loop/big")))
        return BIG_BYTES;
    if (slice_eq(path, SLICE("/none")))
        return 0;
    if (slice_eq(path, SLICE("/unread")))
        return HTTP_BODY_UNREAD;
    return SMALL_BYTES;
}

static struct slice
describe(const struct http_request *request)
{
    struct buf text;

    buf_init(&text, 65536);
    buf_add_format(&text, "%s %.*s peer=%.*s\n", http_method_word(request->method), SLICE_FMT(request->path),
                   SLICE_FMT(request->peer_address));
    for (size_t i = 0; i < request->query_count; i++)
        buf_add_format(&text, "?%.*s=%.*s\n", SLICE_FMT(request->query[i].name),
                       SLICE_FMT(request->query[i].value));
    for (size_t i = 0; i < request->header_count; i++)
        buf_add_format(&text, "%.*s:%.*s|\n", SLICE_FMT(request->headers[i].name),
                       SLICE_FMT(request->headers[i].value));
    assert_ok(buf_done(&text));
    struct slice copy = arena_copy(request->arena, buf_slice(&text));
    buf_release(&text);
    return copy;
}

static enum err
handle(void *ctx, struct http_request *request, struct http_response *response)
{
    struct harness *h = ctx;

    atomic_fetch_add(&h->handled, 1);
    if (slice_starts_with(request->path, SLICE("/later"))) {
        pthread_mutex_lock(&h->lock);
        h->deferred[h->deferred_count++] = request;
        pthread_mutex_unlock(&h->lock);
        sem_post(&h->has_deferred);
        return ERR_DEFERRED;
    }
    if (slice_eq(request->path, SLICE("/wait"))) {
        sem_post(&h->waiting);
        while (sem_wait(&h->go) != 0)
            continue;
    }
    request->route = "/{anything}";
    response->status = 200;
    response->content_type = SLICE("text/plain");
    response->body = request->body;
    if (slice_starts_with(request->path, SLICE("/describe")))
        response->body = describe(request);
    if (slice_eq(request->path, SLICE("/framed"))) {
        http_response_add(response, "Cache-Control", SLICE("max-age=60"));
        http_response_add(response, "X-Extra", SLICE("1"));
    }
    return ERR_OK;
}

static enum err
handle_on_loop(void *ctx, struct http_request *request, struct http_response *response)
{
    struct harness *h = ctx;

    assert_ptr_equal(request->worker, &h->on_loop);
    if (!slice_starts_with(request->path, SLICE("/loop"))) {
        http_response_add(response, "X-Half-Done", SLICE("1"));
        response->status = 201;
        return ERR_WOULD_WAIT;
    }
    atomic_fetch_add(&h->on_loop, 1);
    if (slice_eq(request->path, SLICE("/loop/later"))) {
        pthread_mutex_lock(&h->lock);
        h->deferred[h->deferred_count++] = request;
        pthread_mutex_unlock(&h->lock);
        sem_post(&h->has_deferred);
        return ERR_DEFERRED;
    }
    response->status = 200;
    response->content_type = SLICE("text/plain");
    response->body = request->body;
    return ERR_OK;
}

void
harness_serve_on_loop(struct harness *h)
{
    h->config.handle_on_loop = handle_on_loop;
    h->config.loop_worker = &h->on_loop;
}

static enum err
worker_open(void *ctx, unsigned index UNUSED, void **worker_out)
{
    struct harness *h = ctx;

    atomic_fetch_add(&h->opened, 1);
    *worker_out = h;
    return ERR_OK;
}

static void
worker_close(void *ctx, void *worker)
{
    struct harness *h = ctx;

    assert_ptr_equal(worker, h);
    atomic_fetch_add(&h->closed, 1);
}

static void
tick(void *ctx)
{
    struct harness *h = ctx;

    if (!atomic_load(&h->hold_ticks))
        return;
    sem_post(&h->tick_began);
    while (sem_wait(&h->tick_go) != 0)
        continue;
}

static void *
run(void *ctx)
{
    struct harness *h = ctx;

    h->run_err = http_server_run(h->server, tick, h);
    return NULL;
}

void
harness_init(struct harness *h)
{
    memset(h, 0, sizeof(*h));
    testing_clock_init(&h->clock);
    sem_init(&h->waiting, 0, 0);
    sem_init(&h->go, 0, 0);
    sem_init(&h->tick_began, 0, 0);
    sem_init(&h->tick_go, 0, 0);
    sem_init(&h->has_deferred, 0, 0);
    pthread_mutex_init(&h->lock, NULL);
    h->log_fd = memfd_create("log", MFD_CLOEXEC);
    log_open("test", LOG_DEBUG, h->log_fd);
    h->config = (struct http_server_config){ .listen_fd = -1,
                                             .workers = 2,
                                             .connections_max = 600,
                                             .queue_max = 600,
                                             .body_bytes_max = BIG_BYTES,
                                             .clock = &h->clock.clock,
                                             .ctx = h,
                                             .worker_open = worker_open,
                                             .worker_close = worker_close,
                                             .body_limit = body_limit,
                                             .handle = handle };
}

void
harness_start(struct harness *h)
{
    if (h->config.listen_fd < 0)
        h->config.listen_fd = testing_listen(&h->port);
    assert_ok(http_server_new(&h->config, &h->server));
    assert_int_equal(atomic_load(&h->opened), h->config.workers + h->config.stream_workers);
    assert_int_equal(pthread_create(&h->thread, NULL, run, h), 0);
    h->is_running = true;
}

void
harness_join(struct harness *h)
{
    http_server_stop(h->server);
    assert_int_equal(pthread_join(h->thread, NULL), 0);
    assert_ok(h->run_err);
    h->is_running = false;
}

void
harness_end(struct harness *h)
{
    if (h->is_running)
        harness_join(h);
    http_server_free(h->server);
    assert_int_equal(atomic_load(&h->closed), h->config.workers + h->config.stream_workers);
    log_open("test", LOG_ERROR, STDERR_FILENO);
    close(h->log_fd);
}

const char *
harness_log(const struct harness *h)
{
    static char text[1 << 20];
    ssize_t len = pread(h->log_fd, text, sizeof(text) - 1, 0);

    assert_true(len >= 0);
    text[len] = '\0';
    return text;
}

void
harness_wait(sem_t *sem)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TESTING_WAIT_MS / 1000;
    assert_int_equal(sem_timedwait(sem, &until), 0);
}

struct http_request *
harness_deferred(struct harness *h, size_t index)
{
    pthread_mutex_lock(&h->lock);
    assert_true(index < h->deferred_count);
    struct http_request *request = h->deferred[index];
    h->deferred[index] = h->deferred[--h->deferred_count];
    pthread_mutex_unlock(&h->lock);
    return request;
}

void
harness_answer(struct http_request *request)
{
    struct http_response response = { .status = 202,
                                      .content_type = SLICE("text/plain"),
                                      .body = request->path };

    http_answer(request, &response);
}

void
expect_status(int fd, int status)
{
    struct testing_reply reply;

    assert_true(testing_receive(fd, &reply));
    assert_int_equal(reply.status, status);
    testing_reply_release(&reply);
}

void
send_text(int fd, const char *text)
{
    testing_send(fd, slice_text(text));
}

void
assert_common_headers(const struct testing_reply *reply)
{
    const char *id = testing_header(reply, "X-Request-Id");
    struct id parsed;

    assert_non_null(id);
    assert_ok(id_parse(ID_REQUEST, slice_text(id), &parsed));
    assert_string_equal(testing_header(reply, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(testing_header(reply, "Content-Security-Policy"),
                        "default-src 'none'; frame-ancestors 'none'");
    assert_string_equal(testing_header(reply, "Cross-Origin-Opener-Policy"), "same-origin");
    assert_string_equal(testing_header(reply, "Cross-Origin-Resource-Policy"), "same-origin");
    assert_string_equal(testing_header(reply, "Referrer-Policy"), "no-referrer");
    assert_non_null(testing_header(reply, "Cache-Control"));
    assert_non_null(testing_header(reply, "Date"));
}

void
harness_poke(const struct harness *h)
{
    int fd = testing_connect(h->port);

    for (int i = 0; i < 2; i++) { /* the first wakes the loop, the second is answered after it went round */
        send_text(fd, "GET /poke HTTP/1.1\r\n" HOST "\r\n");
        expect_status(fd, 200);
    }
    close(fd);
}
