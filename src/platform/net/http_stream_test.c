/* Bodies and answers that are not held whole: with real sockets and a clock with hands. */
#include "platform/net/http_stream.h"
#include "platform/net/http_testing.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TINY_ASKERS 8u
#define TINY_COUNT  1500u
#define LONG_BYTES  (5u * 1024u * 1024u + 17u)
#define ROUTE_MAX   ((size_t)64 << 20)

/* What the streaming handler saw last; the semaphores make it wait for a test. */
static struct {
    enum err err;
    size_t bytes;
    bool is_in_order;
    sem_t began, go, moved, ended;
} seen;

static char
pattern(size_t at)
{
    return (char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static size_t
body_limit(void *ctx UNUSED, enum http_method method UNUSED, struct slice path)
{
    return slice_starts_with(path, SLICE("/s/")) ? ROUTE_MAX | HTTP_BODY_STREAMED : SMALL_BYTES;
}

static void
take(struct http_request *request, size_t bytes_max)
{
    char piece[7000];
    size_t len = 1;

    seen.bytes = 0;
    seen.is_in_order = true;
    while (seen.err == ERR_OK && len != 0 && seen.bytes < bytes_max) {
        seen.err = http_stream_read(request, piece, sizeof(piece), &len);
        for (size_t i = 0; i < len; i++)
            seen.is_in_order = seen.is_in_order && piece[i] == pattern(seen.bytes + i);
        if (seen.bytes == 0 && len != 0)
            sem_post(&seen.moved);
        seen.bytes += len;
    }
}

static enum err
give(struct http_request *request, struct http_response *response, size_t announced, size_t bytes)
{
    char piece[7000];

    response->content_type = SLICE("application/octet-stream");
    seen.err = http_stream_answer(request, response, announced);
    if (seen.err != ERR_OK)
        return ERR_OK;
    for (size_t at = 0; seen.err == ERR_OK && at < bytes; at += sizeof(piece)) {
        size_t len = bytes - at < sizeof(piece) ? bytes - at : sizeof(piece);
        for (size_t i = 0; i < len; i++)
            piece[i] = pattern(at + i);
        seen.err = http_stream_write(request, slice_of(piece, len));
    }
    http_stream_end(request);
    sem_post(&seen.ended);
    return ERR_DEFERRED;
}

/* In several words of the worker to the loop, the last of them the end. */
static enum err
give_tiny(struct http_request *request, struct http_response *response)
{
    seen.err = http_stream_answer(request, response, 3 * strlen("a line\n"));
    for (int i = 0; seen.err == ERR_OK && i < 3; i++)
        seen.err = http_stream_write(request, SLICE("a line\n"));
    http_stream_end(request);
    return ERR_DEFERRED;
}

/* /s/refuse answers at once, /s/some after a little of the body, /s/hold when it is told to, /s/file is a
 * long answer. */
static enum err
handle(void *ctx UNUSED, struct http_request *request, struct http_response *response)
{
    response->status = 200;
    response->content_type = SLICE("text/plain");
    response->body = SLICE("ok");
    if (!slice_starts_with(request->path, SLICE("/s/")))
        return ERR_OK;
    seen.err = ERR_OK;
    if (slice_eq(request->path, SLICE("/s/file")))
        return give(request, response, LONG_BYTES, LONG_BYTES);
    if (slice_eq(request->path, SLICE("/s/lines"))) /* of a length that nobody knows yet */
        return give(request, response, HTTP_STREAM_UNDECLARED, LONG_BYTES);
    if (slice_eq(request->path, SLICE("/s/tiny")))
        return give_tiny(request, response);
    if (slice_eq(request->path, SLICE("/s/short")))
        return give(request, response, LONG_BYTES, LONG_BYTES - 1);
    if (slice_eq(request->path, SLICE("/s/huge"))) /* more than sockets hold */
        return give(request, response, ROUTE_MAX, ROUTE_MAX);
    if (slice_eq(request->path, SLICE("/s/refuse"))) {
        response->status = 403;
        return ERR_OK;
    }
    seen.err = http_stream_accept(request);
    sem_post(&seen.began);
    if (slice_eq(request->path, SLICE("/s/hold")))
        harness_wait(&seen.go);
    if (seen.err == ERR_OK)
        take(request, slice_eq(request->path, SLICE("/s/some")) ? 10 : SIZE_MAX);
    if (slice_eq(request->path, SLICE("/s/some")))
        response->status = 422;
    sem_post(&seen.ended);
    return ERR_OK;
}

static void
start_with(struct harness *h, unsigned workers)
{
    harness_init(h);
    memset(&seen, 0, sizeof(seen));
    sem_init(&seen.began, 0, 0);
    sem_init(&seen.go, 0, 0);
    sem_init(&seen.moved, 0, 0);
    sem_init(&seen.ended, 0, 0);
    h->config.stream_workers = workers;
    h->config.body_limit = body_limit;
    h->config.handle = handle;
    harness_start(h);
}

static void
start(struct harness *h)
{
    start_with(h, 1);
}

static void
send_head(int fd, const char *path, size_t bytes)
{
    char head[200];

    snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", path, bytes);
    send_text(fd, head);
}

static void
send_pattern(int fd, size_t from, size_t to, bool is_chunked)
{
    char part[4096], size[32];

    while (from < to) {
        size_t len = to - from < sizeof(part) ? to - from : sizeof(part);
        for (size_t i = 0; i < len; i++)
            part[i] = pattern(from + i);
        if (is_chunked) {
            snprintf(size, sizeof(size), "%zx\r\n", len);
            send_text(fd, size);
        }
        testing_send(fd, slice_of(part, len));
        if (is_chunked)
            send_text(fd, "\r\n");
        from += len;
    }
}

static void
a_long_body_comes_whole_and_in_order(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = testing_connect(h.port);
    send_head(fd, "/s/all", LONG_BYTES);
    send_pattern(fd, 0, LONG_BYTES, false);
    expect_status(fd, 200);
    assert_ok(seen.err);
    assert_int_equal(seen.bytes, LONG_BYTES);
    assert_true(seen.is_in_order);
    send_text(fd,
              "POST /s/all HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"); /* the same connection */
    send_pattern(fd, 0, LONG_BYTES, true);
    send_text(fd, "0\r\n\r\n");
    expect_status(fd, 200);
    assert_int_equal(seen.bytes, LONG_BYTES);
    assert_true(seen.is_in_order);
    send_head(fd, "/s/all", 0);
    expect_status(fd, 200);
    assert_int_equal(seen.bytes, 0);
    close(fd);
    harness_end(&h);
}

/* Nothing of the body was sent, and none is waited for. */
static void
who_is_refused_by_the_head_need_not_send_the_body(void **state UNUSED)
{
    struct harness h;
    char byte;

    start(&h);
    int fd = testing_connect(h.port);
    send_head(fd, "/s/refuse", ROUTE_MAX);
    expect_status(fd, 403);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    fd = testing_connect(h.port);
    send_head(fd, "/s/refuse", ROUTE_MAX + 1);
    expect_status(fd, 413);
    close(fd);
    harness_end(&h);
}

/* A little is read away instead, and the connection goes on. */
static void
what_comes_after_the_answer_is_dropped(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = testing_connect(h.port);
    send_head(fd, "/s/refuse", 5000);
    send_pattern(fd, 0, 5000, false);
    expect_status(fd, 403);
    send_head(fd, "/s/some", LONG_BYTES);
    send_pattern(fd, 0, LONG_BYTES, false);
    expect_status(fd, 422);
    send_head(fd, "/s/all", 5);
    send_pattern(fd, 0, 5, false);
    expect_status(fd, 200);
    assert_int_equal(seen.bytes, 5);
    close(fd);
    harness_end(&h);
}

static void
a_body_that_is_cut_short_is_an_error(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = testing_connect(h.port);
    send_head(fd, "/s/all", LONG_BYTES);
    send_pattern(fd, 0, 300000, false);
    harness_wait(&seen.began);
    close(fd);
    harness_wait(&seen.ended);
    assert_int_equal(seen.err, ERR_HTTP_BROKEN);
    assert_true(seen.bytes <= 300000);
    harness_end(&h);
}

static void
a_client_that_stands_still_is_cut(void **state UNUSED)
{
    struct harness h;
    char byte;

    start(&h);
    int fd = testing_connect(h.port);
    send_head(fd, "/s/all", LONG_BYTES);
    harness_wait(&seen.began);
    send_pattern(fd, 0, 1000, false);
    harness_wait(&seen.moved); /* from here on the body is what is waited for */
    testing_clock_advance(&h.clock, HTTP_STREAM_MS + 2000);
    harness_poke(&h);
    harness_wait(&seen.ended);
    assert_int_equal(seen.err, ERR_HTTP_BROKEN);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    harness_end(&h);
}

/* The worker takes nothing: what the client can send ends with the ring and the sockets' buffers. */
static void
a_client_that_is_faster_than_the_worker_waits(void **state UNUSED)
{
    struct harness h;
    size_t sent = 0;
    char part[4096];

    start(&h);
    int fd = testing_connect(h.port), small = 65536;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    send_head(fd, "/s/hold", ROUTE_MAX);
    harness_wait(&seen.began);
    for (;;) {
        for (size_t i = 0; i < sizeof(part); i++)
            part[i] = pattern(sent + i);
        ssize_t len = send(fd, part, sizeof(part), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (len < 0 && errno == EAGAIN) {
            int other = testing_connect(h.port); /* the loop has turned since, and others are served */
            send_text(other, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
            expect_status(other, 200);
            close(other);
            len = send(fd, part, sizeof(part), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (len < 0)
                break;
        }
        assert_true(len > 0);
        sent += (size_t)len;
        assert_true(sent < ROUTE_MAX / 2);
    }
    sem_post(&seen.go);
    send_pattern(fd, sent, ROUTE_MAX, false);
    expect_status(fd, 200);
    assert_int_equal(seen.bytes, ROUTE_MAX);
    assert_true(seen.is_in_order);
    close(fd);
    harness_end(&h);
}

static void
a_long_answer_comes_whole_and_in_order(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    start(&h);
    int fd = testing_connect(h.port);
    for (int i = 0; i < 2; i++) {
        send_text(fd, "GET /s/file HTTP/1.1\r\n" HOST "\r\n");
        assert_true(testing_receive(fd, &reply));
        assert_int_equal(reply.status, 200);
        assert_common_headers(&reply);
        assert_int_equal(reply.body_len, LONG_BYTES);
        for (size_t at = 0; at < LONG_BYTES; at++)
            if (reply.body[at] != pattern(at))
                fail_msg("octet %zu", at);
        testing_reply_release(&reply);
        harness_wait(&seen.ended);
        assert_ok(seen.err);
    }
    close(fd);
    harness_end(&h);
}

static void *
tiny_asker(void *ctx)
{
    const struct harness *h = ctx;
    struct testing_reply reply;
    size_t good = 0;
    int fd = testing_connect(h->port);

    for (unsigned i = 0; i < TINY_COUNT; i++) {
        send_text(fd, "GET /s/tiny HTTP/1.1\r\n" HOST "\r\n");
        if (!testing_receive(fd, &reply))
            break;
        good += reply.status == 200;
        testing_reply_release(&reply);
    }
    close(fd);
    return (void *)(uintptr_t)good;
}

/* A worker that ends while the loop looks at what it said before is done with once: the server counts what is
 * under way, and at its limit it is busy. */
static void
many_short_answers_leave_nothing_under_way(void **state UNUSED)
{
    struct harness h;
    pthread_t askers[TINY_ASKERS];

    start_with(&h, TINY_ASKERS);
    for (size_t i = 0; i < TINY_ASKERS; i++)
        assert_int_equal(pthread_create(&askers[i], NULL, tiny_asker, &h), 0);
    for (size_t i = 0; i < TINY_ASKERS; i++) {
        void *good;
        assert_int_equal(pthread_join(askers[i], &good), 0);
        assert_int_equal((uintptr_t)good, TINY_COUNT);
    }
    harness_end(&h);
}

static void
who_goes_away_from_an_answer_ends_it(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "GET /s/huge HTTP/1.1\r\n" HOST "\r\n");
    assert_true(testing_receive_head(fd, &reply));
    close(fd);
    harness_wait(&seen.ended);
    assert_int_equal(seen.err, ERR_HTTP_BROKEN);
    harness_end(&h);
}

/* Or does not take it. */
static void
who_does_not_take_an_answer_is_cut(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = testing_connect(h.port), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    send_text(fd, "GET /s/huge HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 1000 && sem_trywait(&seen.ended) != 0; i++) { /* each pull begins the time anew */
        testing_clock_advance(&h.clock, HTTP_SEND_MS / 3);
        harness_poke(&h);
    }
    assert_int_equal(seen.err, ERR_HTTP_BROKEN);
    close(fd);
    harness_end(&h);
}

static void
an_answer_that_ends_early_is_seen_to(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "GET /s/short HTTP/1.1\r\n" HOST "\r\n");
    assert_true(testing_receive_head(fd, &reply));
    assert_true(testing_is_closed(fd));
    harness_wait(&seen.ended);
    assert_ok(seen.err);
    close(fd);
    harness_end(&h);
}

static void
head_has_the_length_and_no_content(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;

    start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "HEAD /s/file HTTP/1.1\r\n" HOST "\r\n");
    assert_true(testing_receive_head(fd, &reply));
    assert_int_equal(reply.status, 200);
    harness_wait(&seen.ended);
    assert_int_equal(seen.err, ERR_HTTP_BROKEN);
    send_text(fd, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 200);
    close(fd);
    harness_end(&h);
}

/* Not even the end of a chunked answer, which the next answer's reader would take for its beginning. */
static void
head_of_an_unknown_length_has_no_content_either(void **state UNUSED)
{
    struct harness h;
    struct testing_reply reply;
    char more[64];

    start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "HEAD /s/lines HTTP/1.1\r\n" HOST "\r\n");
    assert_true(testing_receive_head(fd, &reply));
    assert_int_equal(reply.status, 200);
    harness_wait(&seen.ended);
    assert_int_equal(recv(fd, more, sizeof(more), 0), 0);
    close(fd);
    harness_end(&h);
}

/* The server ends while a worker waits for a body that does not come. */
static void
the_end_does_not_wait_for_a_client(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = testing_connect(h.port);
    send_head(fd, "/s/all", LONG_BYTES);
    harness_wait(&seen.began);
    http_server_stop(h.server);
    for (int i = 0; i < 3; i++)
        testing_clock_advance(&h.clock, 20000);
    harness_join(&h);
    harness_end(&h);
    assert_int_equal(seen.err, ERR_HTTP_BROKEN);
    close(fd);
}

UNIT_MAIN(cmocka_unit_test(a_long_body_comes_whole_and_in_order),
          cmocka_unit_test(who_is_refused_by_the_head_need_not_send_the_body),
          cmocka_unit_test(what_comes_after_the_answer_is_dropped),
          cmocka_unit_test(a_body_that_is_cut_short_is_an_error),
          cmocka_unit_test(a_client_that_stands_still_is_cut),
          cmocka_unit_test(a_client_that_is_faster_than_the_worker_waits),
          cmocka_unit_test(a_long_answer_comes_whole_and_in_order),
          cmocka_unit_test(many_short_answers_leave_nothing_under_way),
          cmocka_unit_test(who_goes_away_from_an_answer_ends_it),
          cmocka_unit_test(who_does_not_take_an_answer_is_cut),
          cmocka_unit_test(an_answer_that_ends_early_is_seen_to),
          cmocka_unit_test(head_has_the_length_and_no_content),
          cmocka_unit_test(head_of_an_unknown_length_has_no_content_either),
          cmocka_unit_test(the_end_does_not_wait_for_a_client))
