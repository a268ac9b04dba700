/* Bodies, workers, deferred answers, limits and the end; with real sockets and a clock with hands. */
#include "core/log.h"
#include "core/metric.h"
#include "platform/net/http_testing.h"
#include <fcntl.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void
head_is_answered_without_a_body(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    harness_init(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "HEAD /describe HTTP/1.1\r\n" HOST "\r\n");
    assert_true(testing_receive_head(fd, &reply));
    assert_int_equal(reply.status, 200);
    assert_non_null(testing_header(&reply, "Content-Length"));
    send_text(fd, "GET /ok HTTP/1.1\r\n" HOST "\r\n"); /* a body would be read as the head of this answer */
    expect_status(fd, 200);
    close(fd);
    harness_end(&h);
}

static char *
filled(size_t bytes)
{
    char *text = malloc(bytes + 1);

    assert_non_null(text);
    memset(text, 'b', bytes);
    text[bytes] = '\0';
    return text;
}

static void
send_sized(int fd, const char *path, size_t bytes, bool is_chunked)
{
    char head[200];
    char *body = filled(bytes);

    if (is_chunked)
        snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", path);
    else
        snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", path, bytes);
    send_text(fd, head);
    for (size_t at = 0; at < bytes;) {
        size_t part = bytes - at < 700 ? bytes - at : 700;
        if (is_chunked) {
            snprintf(head, sizeof(head), "%zx\r\n", part);
            send_text(fd, head);
        }
        testing_send(fd, slice_of(body + at, part));
        if (is_chunked)
            send_text(fd, "\r\n");
        at += part;
    }
    if (is_chunked)
        send_text(fd, "0\r\n\r\n");
    free(body);
}

static void
a_body_is_taken_up_to_its_limit(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;
    static const struct {
        const char *path;
        size_t bytes;
        bool is_chunked;
        int status;
    } rows[] = {
        { "/echo", SMALL_BYTES, false, 200 },
        { "/echo", SMALL_BYTES + 1, false, 413 },
        { "/echo", SMALL_BYTES, true, 200 },
        { "/echo", SMALL_BYTES + 1, true, 413 },
        { "/echo", 50000, true, 413 },
        { "/big", BIG_BYTES, false, 200 },
        { "/big", BIG_BYTES + 1, false, 413 },
        { "/big", BIG_BYTES, true, 200 },
        { "/big", BIG_BYTES + 1, true, 413 },
        { "/none", 0, false, 200 },
        { "/none", 0, true, 200 },
        { "/none", 1, false, 413 },
        { "/none", 1, true, 413 },
    };

    harness_init(&h);
    harness_start(&h);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = testing_connect(h.port);
        send_sized(fd, rows[i].path, rows[i].bytes, rows[i].is_chunked);
        assert_true(testing_receive(fd, &reply));
        assert_int_equal(reply.status, rows[i].status);
        if (reply.status == 200)
            assert_int_equal(reply.body_len, rows[i].bytes);
        else
            assert_non_null(strstr(reply.body, "\"code\":\"body-too-large\""));
        testing_reply_release(&reply);
        close(fd);
    }
    harness_end(&h);
}

/* Many clients with large bodies at once: what would pass the common limit is told to come back. */
static void
all_bodies_together_have_a_limit(void **state UNUSED)
{
    enum { COUNT = HTTP_BODIES_BYTES_MAX / BIG_BYTES + 1 };
    struct harness h;
    char *body = filled(BIG_BYTES), head[100];
    int fds[COUNT];

    harness_init(&h);
    harness_start(&h);
    snprintf(head, sizeof(head), "POST /big HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n", BIG_BYTES);
    for (size_t round = 0; round < 2; round++) { /* twice: what was held has been given back */
        for (size_t i = 0; i < COUNT; i++) {
            fds[i] = testing_connect(h.port);
            send_text(fds[i], head);
            testing_send(fds[i], slice_of(body, BIG_BYTES - 1));
        }
        for (size_t i = 0; i < COUNT; i++) /* all has reached the server's buffers ... */
            for (int unsent = 1; unsent != 0;) {
                harness_poke(&h);
                assert_int_equal(ioctl(fds[i], SIOCOUTQ, &unsent), 0);
            }
        for (int i = 0; i < 500; i++) /* ... and each turn of the loop reads 8 KiB of each */
            harness_poke(&h);
        size_t refused = 0;
        for (size_t i = 0; i < COUNT; i++) {
            struct testing_reply reply;
            testing_send(fds[i], slice_of(body, 1));
            assert_true(testing_receive(fds[i], &reply));
            assert_true(reply.status == 200 || reply.status == 503);
            refused += reply.status == 503;
            testing_reply_release(&reply);
            close(fds[i]);
        }
        assert_in_range(refused, 1, COUNT / 2); /* each gives its share back to the others */
    }
    free(body);
    harness_end(&h);
}

static void
a_body_without_end_is_cut_off(void **state UNUSED)
{
    struct harness h;
    char *part = filled(65536);

    harness_init(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n");
    for (int i = 0; i < 64; i++) /* 4 MiB, of which the server takes one */
        testing_send(fd, slice_of(part, 65536));
    assert_true(testing_is_closed(fd));
    assert_int_equal(atomic_load(&h.handled), 0);
    close(fd);
    free(part);
    harness_end(&h);
}

static void
broken_chunks_are_refused(void **state UNUSED)
{
    static const char *const bodies[] = { "x\r\n", "-1\r\na\r\n", "1\r\nab\r\n0\r\n\r\n", "\r\n0\r\n\r\n",
                                          "fffffffffffffffff\r\n" };
    struct harness h;

    harness_init(&h);
    harness_start(&h);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct testing_reply reply;
        int fd = testing_connect(h.port);
        send_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
        send_text(fd, bodies[i]);
        assert_true(testing_receive(fd, &reply));
        assert_true(reply.status == 400 || reply.status == 413);
        testing_reply_release(&reply);
        assert_true(testing_is_closed(fd));
        close(fd);
    }
    assert_int_equal(atomic_load(&h.handled), 0);
    harness_end(&h);
}

static void
an_unwanted_body_is_not_read(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    harness_init(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "POST /unread HTTP/1.1\r\n" HOST "\r\n"); /* none there: nothing to close for */
    expect_status(fd, 200);
    send_text(fd, "POST /unread HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\nfirst");
    assert_true(testing_receive(fd, &reply));
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_len, 0);
    assert_string_equal(testing_header(&reply, "Connection"), "close");
    testing_reply_release(&reply);
    assert_true(testing_is_closed(fd));
    close(fd);
    harness_end(&h);
}

static void
expect_continue_is_asked_for_only_what_will_be_read(void **state UNUSED)
{
    struct harness h;
    int fd;

    harness_init(&h);
    harness_start(&h);
    fd = testing_connect(h.port);
    send_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    expect_status(fd, 100);
    send_text(fd, "hello");
    expect_status(fd, 200);
    send_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n");
    expect_status(fd, 413);
    close(fd);
    harness_end(&h);
}

/*
 * The library's own thread would ask epoll again, and block, whenever exactly 128·k sockets are ready. Here
 * the loop is held while they become ready, and held again at its next tick: all must be answered between the
 * two.
 */
static void
requests_ready_at_once(size_t count, const char *path)
{
    struct harness h;
    char text[200];
    int fds[512];

    snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab", path);
    harness_init(&h);
    harness_serve_on_loop(&h);
    harness_start(&h);
    for (size_t i = 0; i < count; i++) {
        fds[i] = testing_connect(h.port);
        send_text(fds[i], "GET /ok HTTP/1.1\r\n" HOST "\r\n"); /* so that it is certain to be accepted */
        expect_status(fds[i], 200);
    }
    atomic_store(&h.hold_ticks, true);
    testing_clock_advance(&h.clock, 1000); /* the next tick is due as soon as something wakes the loop */
    int waker = testing_connect(h.port);
    harness_wait(&h.tick_began);
    for (size_t i = 0; i < count; i++)
        send_text(fds[i], text);
    sem_post(&h.tick_go);
    for (size_t i = 0; i < count; i++)
        expect_status(fds[i], 200);
    atomic_store(&h.hold_ticks, false);
    sem_post(&h.tick_go);
    close(waker);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    harness_end(&h);
}

static void
as_many_requests_as_one_look_at_epoll_returns_do_not_stall(void **state UNUSED)
{
    static const size_t counts[] = { 127, 128, 129, 256 };

    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        requests_ready_at_once(counts[i], "/echo");
        requests_ready_at_once(counts[i], "/loop");
    }
}

static void
what_need_not_wait_is_served_on_the_loop(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    harness_init(&h);
    harness_serve_on_loop(&h);
    h.config.workers = 1;
    harness_start(&h);
    int waiting = testing_connect(h.port), fd = testing_connect(h.port), late = testing_connect(h.port);
    send_text(waiting, "GET /wait HTTP/1.1\r\n" HOST "\r\n"); /* the only worker is held */
    harness_wait(&h.waiting);
    send_sized(fd, "/loop", 500, false);
    assert_true(testing_receive(fd, &reply));
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_len, 500);
    assert_common_headers(&reply);
    testing_reply_release(&reply);
    send_sized(fd, "/loop", 500, true);
    expect_status(fd, 200);
    send_text(late, "GET /loop/later HTTP/1.1\r\n" HOST "\r\n");
    harness_wait(&h.has_deferred);
    send_text(fd, "GET /loop HTTP/1.1\r\n" HOST "\r\nGET /loop HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 200);
    expect_status(fd, 200);
    harness_answer(harness_deferred(&h, 0));
    expect_status(late, 202);
    assert_int_equal(atomic_load(&h.handled), 1);
    assert_int_equal(atomic_load(&h.on_loop), 5);
    sem_post(&h.go);
    assert_true(testing_receive(waiting, &reply));
    assert_int_equal(reply.status, 200);
    assert_null(testing_header(&reply, "X-Half-Done")); /* nothing is left of what the loop began */
    testing_reply_release(&reply);
    close(waiting);
    close(late);
    close(fd);
    harness_join(&h);
    assert_non_null(strstr(harness_log(&h), "\"event\":\"http.answered\""));
    harness_end(&h);
}

/* Who waits for the loop waits for nothing that is long. */
static void
a_long_body_is_left_to_the_workers(void **state UNUSED)
{
    struct harness h;

    harness_init(&h);
    harness_serve_on_loop(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    send_sized(fd, "/loop/big", HTTP_LOOP_BODY_BYTES_MAX, false);
    expect_status(fd, 200);
    assert_int_equal(atomic_load(&h.handled), 0);
    send_sized(fd, "/loop/big", HTTP_LOOP_BODY_BYTES_MAX + 1, false);
    expect_status(fd, 200);
    assert_int_equal(atomic_load(&h.handled), 1);
    assert_int_equal(atomic_load(&h.on_loop), 1);
    close(fd);
    harness_end(&h);
}

static void
at_the_limit_a_request_is_told_to_come_back(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    harness_init(&h);
    h.config.workers = 1;
    h.config.queue_max = 3;
    harness_start(&h);
    int worked = testing_connect(h.port), queued = testing_connect(h.port),
        deferred = testing_connect(h.port);
    send_text(deferred, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    harness_wait(&h.has_deferred);
    send_text(worked, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    harness_wait(&h.waiting);
    send_text(queued, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    int last = testing_connect(h.port);
    for (int i = 0; i < 2; i++) { /* twice: the connection lives on */
        send_text(last, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
        assert_true(testing_receive(last, &reply));
        testing_reply_release(&reply);
        assert_int_equal(reply.status, 503);
        assert_string_equal(testing_header(&reply, "Retry-After"), "1");
    }
    sem_post(&h.go);
    expect_status(worked, 200);
    expect_status(queued, 200);
    harness_answer(harness_deferred(&h, 0));
    expect_status(deferred, 202);
    send_text(last, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    expect_status(last, 200);
    close(worked);
    close(queued);
    close(deferred);
    close(last);
    harness_end(&h);
}

struct answerer {
    struct harness *h;
    size_t count;
    unsigned seed;
};

static void *
answer_some(void *ctx)
{
    struct answerer *a = ctx;

    for (size_t i = 0; i < a->count; i++) {
        pthread_mutex_lock(&a->h->lock);
        size_t index = (size_t)rand_r(&a->seed) % a->h->deferred_count;
        struct http_request *request = a->h->deferred[index];
        a->h->deferred[index] = a->h->deferred[--a->h->deferred_count];
        pthread_mutex_unlock(&a->h->lock);
        harness_answer(request);
    }
    return NULL;
}

static void
deferred_answers_in_any_order_reach_their_own_requests(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;
    int fds[200];
    char text[200];

    harness_init(&h);
    harness_start(&h);
    for (int round = 0; round < 3; round++) {
        pthread_t threads[2];
        struct answerer answerers[2] = { { &h, 100, 1 }, { &h, 100, 2 } };
        for (int i = 0; i < 200; i++) {
            if (round == 0)
                fds[i] = testing_connect(h.port);
            snprintf(text, sizeof(text), "GET /later/%d/%d HTTP/1.1\r\n" HOST "\r\n", round, i);
            send_text(fds[i], text);
        }
        for (int i = 0; i < 200; i++)
            harness_wait(&h.has_deferred);
        for (int t = 0; t < 2; t++)
            pthread_create(&threads[t], NULL, answer_some, &answerers[t]);
        for (int i = 0; i < 200; i++) {
            assert_true(testing_receive(fds[i], &reply));
            assert_int_equal(reply.status, 202);
            snprintf(text, sizeof(text), "/later/%d/%d", round, i);
            assert_string_equal(reply.body, text);
            testing_reply_release(&reply);
        }
        for (int t = 0; t < 2; t++)
            pthread_join(threads[t], NULL);
    }
    for (int i = 0; i < 200; i++)
        close(fds[i]);
    harness_end(&h);
}

/* The loop is held while they are answered and some clients leave: it finds all of that in one turn. */
static void
answers_of_one_turn_reach_those_who_stayed(void **state UNUSED)
{
    enum { COUNT = 70 };
    struct harness h;
    char text[200];
    int fds[COUNT];

    harness_init(&h);
    harness_start(&h);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = testing_connect(h.port);
        snprintf(text, sizeof(text), "GET /later/%d HTTP/1.1\r\n" HOST "\r\n", i);
        send_text(fds[i], text);
        harness_wait(&h.has_deferred);
    }
    atomic_store(&h.hold_ticks, true);
    testing_clock_advance(&h.clock, 1000);
    int waker = testing_connect(h.port);
    harness_wait(&h.tick_began);
    for (int i = 0; i < COUNT; i++) {
        harness_answer(harness_deferred(&h, 0));
        if (i % 3 == 1) { /* with something more to read, which makes the library see that it is gone */
            send_text(fds[i], "GET /ok HTTP/1.1\r\n" HOST "\r\n");
            close(fds[i]);
        }
    }
    sem_post(&h.tick_go);
    for (int i = 0; i < COUNT; i++)
        if (i % 3 != 1)
            expect_status(fds[i], 202);
    atomic_store(&h.hold_ticks, false);
    sem_post(&h.tick_go);
    close(waker);
    for (int i = 0; i < COUNT; i++)
        if (i % 3 != 1)
            close(fds[i]);
    harness_end(&h);
}

static void
an_answer_to_a_client_that_left_does_no_harm(void **state UNUSED)
{
    struct harness h;

    harness_init(&h);
    h.config.queue_max = 1;
    harness_start(&h);
    for (int i = 0; i < 50; i++) {
        int fd = testing_connect(h.port);
        send_text(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
        harness_wait(&h.has_deferred);
        close(fd);
        harness_answer(harness_deferred(&h, 0));
        struct testing_reply reply; /* the place in the queue comes free */
        fd = testing_connect(h.port);
        do {
            send_text(fd, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
            assert_true(testing_receive(fd, &reply));
            testing_reply_release(&reply);
        } while (reply.status == 503);
        assert_int_equal(reply.status, 200);
        close(fd);
    }
    harness_end(&h);
}

static void
stopping_answers_what_is_in_flight_and_closes_the_rest(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    harness_init(&h);
    h.config.workers = 1;
    harness_start(&h);
    int idle = testing_connect(h.port), fresh = testing_connect(h.port), worked = testing_connect(h.port),
        queued = testing_connect(h.port), deferred = testing_connect(h.port);
    send_text(idle, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    expect_status(idle, 200);
    send_text(deferred, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    harness_wait(&h.has_deferred);
    send_text(worked, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    harness_wait(&h.waiting);
    send_text(queued, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel");
    send_text(fresh, "GET /ok HTTP/1.1\r\n");
    http_server_stop(h.server);
    assert_true(testing_is_closed(idle));
    send_text(queued, "lo"); /* its head came before the stop: it is served */
    sem_post(&h.go);
    expect_status(worked, 200);
    assert_true(testing_is_closed(worked));
    assert_true(testing_receive(queued, &reply));
    assert_int_equal(reply.status, 200);
    assert_string_equal(testing_header(&reply, "Connection"), "close");
    testing_reply_release(&reply);
    harness_answer(harness_deferred(&h, 0));
    expect_status(deferred, 202);
    send_text(fresh, HOST "\r\n");
    expect_status(fresh, 200);
    harness_join(&h);
    close(idle);
    close(fresh);
    close(worked);
    close(queued);
    close(deferred);
    harness_end(&h);
}

static void
stopping_takes_no_longer_than_it_may(void **state UNUSED)
{
    struct harness h;

    harness_init(&h);
    h.config.drain_ms = 5000;
    harness_start(&h);
    int deferred = testing_connect(h.port), half = testing_connect(h.port);
    send_text(deferred, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    harness_wait(&h.has_deferred);
    send_text(half, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel");
    http_server_stop(h.server);
    assert_false(testing_is_readable(deferred, 100));
    testing_clock_advance(&h.clock, 6000);
    expect_status(deferred, 503);
    assert_true(testing_is_closed(half));
    testing_clock_advance(&h.clock, 2000); /* it is never answered: the last second passes as well */
    assert_int_equal(pthread_join(h.thread, NULL), 0);
    assert_ok(h.run_err);
    h.is_running = false;
    harness_answer(harness_deferred(&h, 0)); /* as a committer does when it is stopped after the loop */
    assert_non_null(strstr(harness_log(&h), "\"http.answered_late\""));
    close(deferred);
    close(half);
    harness_end(&h);
}

static void
a_request_deferred_too_long_is_answered_by_the_watchdog(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    harness_init(&h);
    h.config.queue_max = 2;
    harness_start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    harness_wait(&h.has_deferred);
    testing_clock_advance(&h.clock, HTTP_ANSWER_MS - 10000);
    harness_poke(&h);
    assert_false(testing_is_readable(fd, 0));
    testing_clock_advance(&h.clock, 10000);
    harness_poke(&h);
    assert_true(testing_receive(fd, &reply));
    assert_int_equal(reply.status, 503);
    assert_common_headers(&reply);
    assert_non_null(testing_header(&reply, "Retry-After"));
    testing_reply_release(&reply);
    assert_true(testing_is_closed(fd));
    close(fd);
    /* It still takes its place in the queue of two: somebody works on it. */
    int other = testing_connect(h.port), third = testing_connect(h.port);
    send_text(other, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    harness_wait(&h.has_deferred);
    send_text(third, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    expect_status(third, 503);
    harness_answer(harness_deferred(&h, 0)); /* too late */
    harness_answer(harness_deferred(&h, 0));
    expect_status(other, 202);
    send_text(third, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    expect_status(third, 200);
    assert_non_null(strstr(harness_log(&h), "\"http.answered_late\""));
    close(other);
    close(third);
    harness_end(&h);
}

static void
slow_clients_are_cut_off(void **state UNUSED)
{
    static const struct {
        const char *first; /* answered before */
        const char *part;  /* of the next request */
        int limit_ms;
    } rows[] = {
        { NULL, "", HTTP_HEAD_MS },
        { NULL, "GET /ok HTTP/1.1\r\nHo", HTTP_HEAD_MS },
        { NULL, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhell", HTTP_BODY_MS },
        { NULL, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello", HTTP_BODY_MS },
        { "GET /ok HTTP/1.1\r\n" HOST "\r\n", "", HTTP_IDLE_MS },
        { "GET /ok HTTP/1.1\r\n" HOST "\r\n", "GET /ok HTTP/1.1\r\n", HTTP_IDLE_MS },
    };
    static const int steps_ms[] = { HTTP_HEAD_MS - 3000, HTTP_HEAD_MS,        HTTP_BODY_MS - 3000,
                                    HTTP_BODY_MS,        HTTP_IDLE_MS - 3000, HTTP_IDLE_MS };
    struct harness h;
    int fds[COUNT_OF(rows)], at_ms = 0;

    harness_init(&h);
    harness_start(&h);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fds[i] = testing_connect(h.port);
        if (rows[i].first != NULL) {
            send_text(fds[i], rows[i].first);
            expect_status(fds[i], 200);
        }
        send_text(fds[i], rows[i].part);
    }
    harness_poke(&h); /* all of it has been read */
    for (size_t step = 0; step < COUNT_OF(steps_ms); step++) {
        testing_clock_advance(&h.clock, steps_ms[step] - at_ms);
        at_ms = steps_ms[step];
        harness_poke(&h);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            if (rows[i].limit_ms > at_ms)
                assert_false(testing_is_readable(fds[i], 0));
            else
                assert_true(testing_is_closed(fds[i]));
        }
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        close(fds[i]);
    harness_end(&h);
}

#ifndef HARKARA_SANITIZED /* whose allocators tell nothing */
/* What makes ten thousand idle clients bearable: the library's buffer, and little besides. */
static void
an_idle_connection_holds_little(void **state UNUSED)
{
    enum { COUNT = 500, BYTES_MAX = 18 * 1024 };
    struct harness h;
    int fds[COUNT];

    harness_init(&h);
    harness_start(&h);
    harness_poke(&h); /* what is made once is made */
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < COUNT; i++) {
        fds[i] = testing_connect(h.port);
        send_text(fds[i], "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab");
        expect_status(fds[i], 200);
    }
    harness_poke(&h); /* the last one's request is over too */
    assert_in_range(mallinfo2().uordblks - before, COUNT, (size_t)COUNT * BYTES_MAX);
    for (size_t i = 0; i < COUNT; i++)
        close(fds[i]);
    harness_end(&h);
}
#define IDLE_TESTS cmocka_unit_test(an_idle_connection_holds_little),
#else
#define IDLE_TESTS
#endif

/* The answer does not fit the socket's buffers and nobody reads it. */
static void
a_client_that_does_not_read_is_cut_off(void **state UNUSED)
{
    struct harness h;
    char *body = filled(BIG_BYTES);
    char head[100];

    harness_init(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    for (int i = 0; i < 4; i++) {
        snprintf(head, sizeof(head), "POST /big HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n", BIG_BYTES);
        send_text(fd, head);
        struct timeval limit = { .tv_usec = 200000 };
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        for (size_t at = 0; at < BIG_BYTES;) {
            ssize_t sent = send(fd, body + at, BIG_BYTES - at, MSG_NOSIGNAL);
            if (sent < 0)
                break; /* the server stopped reading: it cannot send */
            at += (size_t)sent;
        }
    }
    unsigned handled = atomic_load(&h.handled);
    assert_in_range(handled, 1, 3);
    testing_clock_advance(&h.clock, HTTP_SEND_MS);
    harness_poke(&h); /* before reading, which would let the server send on */
    assert_true(testing_is_closed(fd));
    close(fd);
    free(body);
    harness_end(&h);
}

static void
more_connections_than_allowed_wait_their_turn(void **state UNUSED)
{
    struct harness h;

    harness_init(&h);
    h.config.connections_max = 2;
    harness_start(&h);
    int one = testing_connect(h.port), two = testing_connect(h.port);
    send_text(one, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    expect_status(one, 200);
    send_text(two, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    expect_status(two, 200);
    int three = testing_connect(h.port);
    send_text(three, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    assert_false(testing_is_readable(three, 300));
    send_text(one, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    expect_status(one, 200);
    close(one);
    expect_status(three, 200);
    close(two);
    close(three);
    harness_end(&h);
}

static void
requests_are_counted(void **state UNUSED)
{
    static _Alignas(64) char page[65536];
    struct harness h;

    assert_true(metric_page_bytes() <= sizeof(page));
    metric_open(page, "test");
    harness_init(&h);
    harness_start(&h);
    int fd = testing_connect(h.port);
    for (int i = 0; i < 3; i++) {
        send_text(fd, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
        expect_status(fd, 200);
    }
    assert_int_equal(metric_read(page, METRIC_HTTP_CONNECTIONS), 1);
    send_text(fd, "GET /a:b HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 404);
    close(fd);
    harness_join(&h);
    assert_int_equal(metric_read(page, METRIC_HTTP_REQUESTS), 4);
    assert_int_equal(metric_read(page, METRIC_HTTP_CLIENT_ERRORS), 1);
    assert_int_equal(metric_read(page, METRIC_HTTP_SERVER_ERRORS), 0);
    assert_int_equal(metric_read(page, METRIC_HTTP_CONNECTIONS), 0);
    harness_end(&h);
}

static enum err
worker_open_fails(void *ctx UNUSED, unsigned index, void **worker_out UNUSED)
{
    return index == 1 ? ERR_DB_UNAVAILABLE : ERR_OK;
}

static void
a_worker_that_cannot_start_stops_the_server(void **state UNUSED)
{
    struct harness h;

    harness_init(&h);
    h.config.worker_open = worker_open_fails;
    h.config.worker_close = NULL;
    h.config.listen_fd = testing_listen(&h.port);
    assert_int_equal(http_server_new(&h.config, &h.server), ERR_DB_UNAVAILABLE);
    assert_null(h.server);
    assert_int_equal(fcntl(h.config.listen_fd, F_GETFD), -1); /* taken, and closed */
    close(h.log_fd);

    harness_init(&h);
    h.config.listen_fd = testing_listen(&h.port);
    h.config.trusted_proxies = SLICE("10.0.0.1/8");
    assert_int_equal(http_server_new(&h.config, &h.server), ERR_CONFIG);
    close(h.log_fd);
    log_open("test", LOG_ERROR, STDERR_FILENO);
}

UNIT_MAIN(cmocka_unit_test(head_is_answered_without_a_body),
          cmocka_unit_test(a_body_is_taken_up_to_its_limit),
          cmocka_unit_test(all_bodies_together_have_a_limit), cmocka_unit_test(a_body_without_end_is_cut_off),
          cmocka_unit_test(broken_chunks_are_refused), cmocka_unit_test(an_unwanted_body_is_not_read),
          cmocka_unit_test(expect_continue_is_asked_for_only_what_will_be_read),
          cmocka_unit_test(as_many_requests_as_one_look_at_epoll_returns_do_not_stall),
          cmocka_unit_test(what_need_not_wait_is_served_on_the_loop),
          cmocka_unit_test(a_long_body_is_left_to_the_workers),
          cmocka_unit_test(at_the_limit_a_request_is_told_to_come_back),
          cmocka_unit_test(deferred_answers_in_any_order_reach_their_own_requests),
          cmocka_unit_test(answers_of_one_turn_reach_those_who_stayed),
          cmocka_unit_test(an_answer_to_a_client_that_left_does_no_harm),
          cmocka_unit_test(stopping_answers_what_is_in_flight_and_closes_the_rest),
          cmocka_unit_test(stopping_takes_no_longer_than_it_may),
          cmocka_unit_test(a_request_deferred_too_long_is_answered_by_the_watchdog),
          IDLE_TESTS cmocka_unit_test(slow_clients_are_cut_off),
          cmocka_unit_test(a_client_that_does_not_read_is_cut_off),
          cmocka_unit_test(more_connections_than_allowed_wait_their_turn),
          cmocka_unit_test(requests_are_counted),
          cmocka_unit_test(a_worker_that_cannot_start_stops_the_server))
