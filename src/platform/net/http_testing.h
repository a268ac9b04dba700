/* A running server for tests: one on a free port, with a handler that shows what reached it. */
#ifndef PLATFORM_NET_HTTP_TESTING_H
#define PLATFORM_NET_HTTP_TESTING_H
#include "core/unit.h"
#include "platform/net/http_server.h"
#include "platform/net/net_testing.h"
#include <pthread.h>
#include <semaphore.h>

#define HOST         "Host: a.example\r\n"
#define DEFERRED_MAX 512u
#define SMALL_BYTES  1000u      /* the body limit of most paths */
#define BIG_BYTES    (3u << 20) /* of /big; /none takes none, /unread is answered without reading it */

/*
 * /later... is deferred; /wait holds its worker until `go` is posted; /describe... answers with what it was
 * asked; /framed has headers of its own; anything else gets its body back.
 */
struct harness {
    struct http_server *server;
    struct http_server_config config;
    struct testing_clock clock;
    uint16_t port;
    pthread_t thread;
    bool is_running;
    enum err run_err;
    atomic_uint handled, opened, closed, on_loop;
    sem_t waiting, go;      /* of /wait */
    atomic_bool hold_ticks; /* each tick then posts tick_began and waits for tick_go */
    sem_t tick_began, tick_go;
    pthread_mutex_t lock; /* of the deferred requests, oldest first */
    struct http_request *deferred[DEFERRED_MAX];
    size_t deferred_count;
    sem_t has_deferred;
    int log_fd;
};

/* Fills h->config for a test to change; then starts. */
void harness_init(struct harness *h);
void harness_start(struct harness *h);
/* Before the start: /loop and /loop/later are served on the loop; with others it begins, and leaves them. */
void harness_serve_on_loop(struct harness *h);
/* Stops the loop and waits for it. */
void harness_join(struct harness *h);
void harness_end(struct harness *h);
/* Makes the loop look at the clock, by requests of its own. */
void harness_poke(const struct harness *h);
/* What was logged so far; in a static buffer. */
const char *harness_log(const struct harness *h);
/* Waits for a post; a test that waits too long fails. */
void harness_wait(sem_t *sem);
/* Takes a deferred request; `index` counts from the oldest. */
struct http_request *harness_deferred(struct harness *h, size_t index);
/* 202 with the path as the body. */
void harness_answer(struct http_request *request);

void send_text(int fd, const char *text);
void expect_status(int fd, int status);
/* Every answer, whatever it is, has these. */
void assert_common_headers(const struct testing_reply *reply);

#endif
