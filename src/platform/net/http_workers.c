/* The other side of the server: worker threads, and answers from any thread on their way back to the loop. */
#include "core/log.h"
#include "platform/net/http_server_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct worker_start {
    struct http_server *server;
    unsigned index;
};

static void
lock(struct http_server *server)
{
    if (pthread_mutex_lock(&server->lock) != 0)
        bug("a mutex cannot be locked");
}

static void
unlock(struct http_server *server)
{
    if (pthread_mutex_unlock(&server->lock) != 0)
        bug("a mutex cannot be unlocked");
}

void
http_answer(struct http_request *request, const struct http_response *response)
{
    struct http_exchange *exchange = request->transport;
    struct http_server *server = exchange->server;

    exchange->response = *response;
    if (request->cleanup != NULL && !exchange->was_on_loop)
        request->cleanup(request);
    exchange->is_unnoted = !atomic_exchange(&exchange->is_answered, true);
    if (exchange->is_unnoted)
        exchange->answered_at = clock_mono(server->config.clock);
    else /* the watchdog was first: the client has its 503 */
        log_event(LOG_WARN, "http.answered_late", LOG_ID("request", ID_REQUEST, request->id),
                  LOG_WORD("route", request->route == NULL ? "-" : request->route));
    lock(server);
    bool wakes = server->is_asleep; /* else the loop looks here before it sleeps */
    server->is_asleep = false;
    http_list_add(&server->completions, exchange);
    unlock(server);
    if (wakes) {
        uint64_t one = 1;
        if (write(server->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
            bug("the loop cannot be woken");
    }
}

bool
http_workers_sleep(struct http_server *server)
{
    lock(server);
    server->is_asleep = server->completions.first == NULL && server->notices == NULL;
    bool is_asleep = server->is_asleep;
    unlock(server);
    return is_asleep;
}

struct http_exchange *
http_workers_take(struct http_server *server, struct http_stream **notices_out)
{
    /* Both under one lock: a worker's last notice comes before its answer, and must not outlive the exchange.
     */
    lock(server);
    struct http_exchange *first = server->completions.first;
    server->completions = (struct http_exchange_list){ NULL, NULL };
    *notices_out = server->notices;
    server->notices = NULL;
    server->is_asleep = false;
    unlock(server);
    return first;
}

/* Wakes as many workers as there are requests for, and none that is at work: that one looks again anyway. */
static void
list_give(struct http_server *server, struct http_exchange_list *ready, struct http_exchange_list *queue,
          pthread_cond_t *has_work, const unsigned *idle)
{
    unsigned count = 0;

    if (ready->first == NULL)
        return;
    for (const struct http_exchange *exchange = ready->first; exchange != NULL; exchange = exchange->next)
        count++;
    lock(server);
    if (queue->last == NULL)
        queue->first = ready->first;
    else
        queue->last->next = ready->first;
    queue->last = ready->last;
    unsigned wakes = count < *idle ? count : *idle;
    unlock(server);
    *ready = (struct http_exchange_list){ NULL, NULL };
    while (wakes-- > 0)
        pthread_cond_signal(has_work);
}

void
http_workers_give(struct http_server *server)
{
    list_give(server, &server->ready, &server->queue, &server->has_work, &server->idle);
    list_give(server, &server->stream_ready, &server->stream_queue, &server->has_stream,
              &server->stream_idle);
}

/* The next request, or NULL when the server closes. */
static struct http_exchange *
worker_next(struct http_server *server, bool is_stream)
{
    struct http_exchange_list *queue = is_stream ? &server->stream_queue : &server->queue;
    unsigned *idle = is_stream ? &server->stream_idle : &server->idle;

    lock(server);
    ++*idle;
    while (queue->first == NULL && !server->is_closing)
        pthread_cond_wait(is_stream ? &server->has_stream : &server->has_work, &server->lock);
    --*idle;
    struct http_exchange *exchange = queue->first;
    if (exchange != NULL) {
        queue->first = exchange->next;
        if (queue->first == NULL)
            queue->last = NULL;
    }
    unlock(server);
    return exchange;
}

static void
worker_serve(struct http_server *server, struct http_exchange *exchange, void *worker)
{
    struct http_response response = { 0 };

    exchange->request.worker = worker;
    enum err err = server->config.handle(server->config.ctx, &exchange->request, &response);
    if (err == ERR_OK)
        http_answer(&exchange->request, &response);
    else if (err != ERR_DEFERRED) /* on which the request may be gone by now */
        bug("a handler of the server returned an error");
}

static void *
worker_main(void *ctx)
{
    struct worker_start *start = ctx;
    struct http_server *server = start->server;
    bool is_stream = start->index >= server->config.workers;
    void *worker = NULL;
    enum err err = ERR_OK;

    if (server->config.worker_open != NULL)
        err = server->config.worker_open(server->config.ctx, start->index, &worker);
    free(start);
    lock(server);
    server->opened++;
    if (err != ERR_OK && server->open_err == ERR_OK)
        server->open_err = err;
    pthread_cond_signal(&server->has_opened);
    unlock(server);
    if (err != ERR_OK)
        return NULL;
    for (struct http_exchange *exchange; (exchange = worker_next(server, is_stream)) != NULL;)
        worker_serve(server, exchange, worker);
    if (server->config.worker_close != NULL)
        server->config.worker_close(server->config.ctx, worker);
    return NULL;
}

enum err
http_workers_start(struct http_server *server)
{
    unsigned count = server->config.workers + server->config.stream_workers;
    enum err err = ERR_OK;

    server->threads = calloc(count, sizeof(*server->threads));
    if (server->threads == NULL)
        return ERR_NO_MEMORY;
    while (server->started < count) {
        struct worker_start *start = malloc(sizeof(*start));
        if (start == NULL) {
            err = ERR_NO_MEMORY;
            break;
        }
        *start = (struct worker_start){ server, server->started };
        if (pthread_create(&server->threads[server->started], NULL, worker_main, start) != 0) {
            free(start);
            err = ERR_SYSTEM;
            break;
        }
        server->started++;
    }
    lock(server);
    while (server->opened < server->started)
        pthread_cond_wait(&server->has_opened, &server->lock);
    if (err == ERR_OK)
        err = server->open_err;
    unlock(server);
    return err;
}

void
http_workers_stop(struct http_server *server)
{
    lock(server);
    server->is_closing = true;
    unlock(server);
    pthread_cond_broadcast(&server->has_work);
    pthread_cond_broadcast(&server->has_stream);
    for (struct http_stream *stream = server->streams; stream != NULL; stream = stream->after)
        http_stream_break(stream); /* the loop has ended: nothing moves any more */
    for (unsigned i = 0; i < server->started; i++)
        pthread_join(server->threads[i], NULL);
    free(server->threads);
    server->threads = NULL;
    server->started = 0;
}
