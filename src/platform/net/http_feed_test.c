/* Answers that go on: with real sockets, written to from the test's own thread. */
#include "platform/net/http_feed.h"
#include "platform/net/http_testing.h"
#include <sys/socket.h>
#include <unistd.h>

#define FEEDS_MAX 300u

static struct {
    pthread_mutex_t lock;
    struct http_feed *feeds[FEEDS_MAX];
    size_t count;
    sem_t began;
} made = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t
body_limit(void *ctx UNUSED, enum http_method method UNUSED, struct slice path)
{
    return slice_starts_with(path, SLICE("/feed")) ? HTTP_BODY_FEED : SMALL_BYTES;
}

static enum err
handle(void *ctx UNUSED, struct http_request *request, struct http_response *response)
{
    struct http_feed *feed = NULL;

    response->status = 200;
    response->content_type = SLICE("text/event-stream");
    if (slice_eq(request->path, SLICE("/feed/refused"))) {
        response->status = 429;
        response->content_type = SLICE("text/plain");
        response->body = SLICE("no");
        return ERR_OK;
    }
    if (!slice_starts_with(request->path, SLICE("/feed")) || request->method == HTTP_HEAD)
        return ERR_OK;
    assert_ok(http_feed_begin(request, response, &feed));
    pthread_mutex_lock(&made.lock);
    assert_true(made.count < FEEDS_MAX);
    made.feeds[made.count++] = feed;
    pthread_mutex_unlock(&made.lock);
    sem_post(&made.began);
    return ERR_DEFERRED;
}

static void
start(struct harness *h)
{
    harness_init(h);
    made.count = 0;
    sem_init(&made.began, 0, 0);
    h->config.workers = 1;
    h->config.stream_workers = 0;
    h->config.queue_max = 4; /* feeds do not count */
    h->config.body_limit = body_limit;
    h->config.handle = handle;
    harness_start(h);
}

static int
open_feed(const struct harness *h)
{
    int fd = testing_connect(h->port);

    send_text(fd, "GET /feed HTTP/1.1\r\n" HOST "\r\n");
    harness_wait(&made.began);
    return fd;
}

/* Reads until `text` has come. */
static void
expect_text(int fd, const char *text)
{
    char got[20000];
    size_t len = 0;

    while (!slice_contains(slice_of(got, len), slice_text(text))) {
        ssize_t count = recv(fd, got + len, sizeof(got) - len, 0);
        assert_true(count > 0);
        len += (size_t)count;
    }
}

static void
expect_end(int fd)
{
    char part[4096];

    while (recv(fd, part, sizeof(part), 0) > 0)
        continue;
}

/* Until the loop has noticed: it looks about once a second, which a turn of the clock brings nearer. */
static void
until_broken(struct harness *h, struct http_feed *feed)
{
    enum err err;

    while ((err = http_feed_write(feed, SLICE(""))) == ERR_OK) {
        testing_clock_advance(&h->clock, 1000);
        harness_poke(h);
    }
    assert_int_equal(err, ERR_HTTP_BROKEN);
}

static void
what_is_written_comes_at_once_and_no_worker_is_held(void **state UNUSED)
{
    struct harness h;
    int fds[FEEDS_MAX];

    start(&h);
    for (size_t i = 0; i < FEEDS_MAX; i++)
        fds[i] = open_feed(&h);
    int other = testing_connect(h.port); /* there is one worker, and room for four requests */
    send_text(other, "GET /other HTTP/1.1\r\n" HOST "\r\n");
    expect_status(other, 200);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < FEEDS_MAX; i++)
            assert_ok(http_feed_write(made.feeds[i], round == 2 ? SLICE("three\n\n") : SLICE("one\n\n")));
    for (size_t i = 0; i < FEEDS_MAX; i++)
        expect_text(fds[i], "three\n\n");
    for (size_t i = 0; i < FEEDS_MAX; i++)
        http_feed_end(made.feeds[i]);
    for (size_t i = 0; i < FEEDS_MAX; i++) {
        expect_text(fds[i], "0\r\n\r\n");
        close(fds[i]);
    }
    close(other);
    harness_end(&h);
}

/* What was written before the end comes, and the connection serves others. */
static void
a_feed_that_has_ended_leaves_its_connection(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = open_feed(&h);
    assert_ok(http_feed_write(made.feeds[0], SLICE("last words")));
    http_feed_end(made.feeds[0]);
    expect_text(fd, "last words\r\n0\r\n\r\n");
    send_text(fd, "GET /other HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 200);
    close(fd);
    harness_end(&h);
}

static void
no_time_limit_ends_a_feed_in_which_nothing_happens(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = open_feed(&h);
    assert_ok(http_feed_write(made.feeds[0], SLICE("first")));
    expect_text(fd, "first");
    for (int i = 0; i < 5; i++) {
        testing_clock_advance(&h.clock, 3600 * 1000);
        harness_poke(&h);
    }
    assert_ok(http_feed_write(made.feeds[0], SLICE("second")));
    expect_text(fd, "second");
    http_feed_end(made.feeds[0]);
    close(fd);
    harness_end(&h);
}

static void
who_goes_away_is_noticed_without_a_word_to_him(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = open_feed(&h);
    assert_ok(http_feed_write(made.feeds[0], SLICE("hello")));
    expect_text(fd, "hello");
    close(fd);
    until_broken(&h, made.feeds[0]);
    http_feed_end(made.feeds[0]);
    harness_end(&h);
}

/* What he lies behind is bounded; then he is cut, and nobody else has waited. */
static void
who_reads_nothing_is_told_of_and_cut_in_the_end(void **state UNUSED)
{
    static const char lines[HTTP_FEED_BYTES / 2] = { 'x' };
    struct harness h;
    enum err err = ERR_OK;
    size_t written = 0;

    start(&h);
    int slow = open_feed(&h), quick = open_feed(&h);
    while (err != ERR_LIMIT) { /* until sockets and room are full, whatever the loop has moved by now */
        for (unsigned full = 0; full < 50; full += err == ERR_LIMIT) {
            err = http_feed_write(made.feeds[0], slice_of(lines, sizeof(lines)));
            assert_true(err == ERR_OK || err == ERR_LIMIT);
            written += err == ERR_OK;
            if (err == ERR_LIMIT)
                harness_poke(&h);
        }
    }
    assert_true(written > 2);
    assert_ok(http_feed_write(made.feeds[1], SLICE("quick")));
    expect_text(quick, "quick");
    while (err != ERR_HTTP_BROKEN) {
        testing_clock_advance(&h.clock, HTTP_SEND_MS / 4);
        harness_poke(&h);
        err = http_feed_write(made.feeds[0], slice_of(lines, sizeof(lines)));
    }
    assert_ok(http_feed_write(made.feeds[1], SLICE("still")));
    expect_text(quick, "still");
    http_feed_end(made.feeds[0]);
    http_feed_end(made.feeds[1]);
    close(slow);
    close(quick);
    harness_end(&h);
}

static void
a_server_that_drains_cuts_feeds(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = open_feed(&h);
    http_server_stop(h.server);
    expect_end(fd);
    harness_join(&h); /* which does not wait for its owner */
    assert_int_equal(http_feed_write(made.feeds[0], SLICE("late")), ERR_HTTP_BROKEN);
    http_feed_end(made.feeds[0]);
    harness_end(&h);
    close(fd);
}

static void
refusals_bodies_and_heads_are_answered_like_any(void **state UNUSED)
{
    struct harness h;

    start(&h);
    int fd = testing_connect(h.port);
    send_text(fd, "GET /feed/refused HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 429);
    send_text(fd, "GET /feed/refused HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 429);
    close(fd);
    fd = testing_connect(h.port);
    send_text(fd, "GET /feed HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
    expect_status(fd, 413);
    close(fd);
    fd = testing_connect(h.port);
    send_text(fd, "GET /feed HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    expect_status(fd, 413);
    close(fd);
    fd = testing_connect(h.port);
    send_text(fd, "HEAD /feed HTTP/1.1\r\n" HOST "\r\n");
    expect_text(fd, "\r\n\r\n");
    close(fd);
    assert_int_equal(made.count, 0);
    harness_end(&h);
}

UNIT_MAIN(cmocka_unit_test(what_is_written_comes_at_once_and_no_worker_is_held),
          cmocka_unit_test(a_feed_that_has_ended_leaves_its_connection),
          cmocka_unit_test(no_time_limit_ends_a_feed_in_which_nothing_happens),
          cmocka_unit_test(who_goes_away_is_noticed_without_a_word_to_him),
          cmocka_unit_test(who_reads_nothing_is_told_of_and_cut_in_the_end),
          cmocka_unit_test(a_server_that_drains_cuts_feeds),
          cmocka_unit_test(refusals_bodies_and_heads_are_answered_like_any))
