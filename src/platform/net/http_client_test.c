/*
 * The client against a server that the test plays itself, byte by byte: the client runs on the test's own
 * thread, and http_client_run's wake_fd tells when the other side has something to do.
 */
#include "core/log.h"
#include "core/secret.h"
#include "core/unit.h"
#include "platform/net/http_client.h"
#include "platform/net/http_testing.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESPONSE_BYTES_MAX 1000u
#define OK_REPLY           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

struct fixture {
    struct address_guard guard;
    struct http_client *client;
    int listen_fd;
    uint16_t port;
    char url[64];
    /* of the last call that was done */
    unsigned done;
    struct http_result result;
    char body[RESPONSE_BYTES_MAX + 1];
    char field[64]; /* its X-Usage */
};

static void
on_done(void *ctx, const struct http_result *result)
{
    struct fixture *f = ctx;

    f->done++;
    f->result = *result;
    assert_true(result->body.len <= RESPONSE_BYTES_MAX);
    memset(f->body, 0, sizeof(f->body));
    if (result->body.len != 0)
        memcpy(f->body, result->body.ptr, result->body.len);
    snprintf(f->field, sizeof(f->field), "%.*s", SLICE_FMT(http_result_field(result, "x-usage")));
}

static struct http_client_config
config_of(const struct fixture *f)
{
    return (struct http_client_config){ .ca_file = "/nonexistent",
                                        .guard = &f->guard,
                                        .in_flight_max = 200,
                                        .connections_per_host_max = 8,
                                        .response_bytes_max = RESPONSE_BYTES_MAX,
                                        .user_agent = "Harkara/test" };
}

static void
fixture_init(struct fixture *f, const struct http_client_config *config)
{
    struct http_client_config standard;

    memset(f, 0, sizeof(*f));
    assert_ok(address_guard_init(&f->guard, SLICE("127.0.0.1/32")));
    f->listen_fd = testing_listen(&f->port);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/path?query", f->port);
    standard = config_of(f);
    if (config != NULL)
        standard = *config;
    standard.guard = &f->guard;
    assert_ok(http_client_new(&standard, &f->client));
}

static void
fixture_release(struct fixture *f)
{
    http_client_free(f->client);
    close(f->listen_fd);
}

static struct http_call
call_of(struct fixture *f)
{
    return (struct http_call){ .method = "POST",
                               .url = f->url,
                               .body = SLICE("hello"),
                               .timeout_ms = TESTING_WAIT_MS,
                               .connect_timeout_ms = TESTING_WAIT_MS,
                               .ctx = f,
                               .done = on_done };
}

static void
start(struct fixture *f)
{
    struct http_call call = call_of(f);

    assert_ok(http_client_start(f->client, &call));
}

/* Runs the client until the other side can read from `fd`. */
static void
run_until_readable(struct fixture *f, int fd)
{
    int64_t until = clock_mono(clock_system()).us + (int64_t)TESTING_WAIT_MS * 1000;

    while (!testing_is_readable(fd, 0)) {
        assert_true(clock_mono(clock_system()).us < until);
        assert_ok(http_client_run(f->client, fd, 100));
    }
}

static int
accept_one(struct fixture *f)
{
    run_until_readable(f, f->listen_fd);
    int fd = accept(f->listen_fd, NULL, NULL);
    assert_true(fd >= 0);
    struct timeval limit = { .tv_sec = TESTING_WAIT_MS / 1000 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

/* Reads until `end` stands at the end of what came; in a static buffer. */
static const char *
read_until(struct fixture *f, int fd, const char *end)
{
    static char text[65536];
    size_t len = 0;

    for (;;) {
        run_until_readable(f, fd);
        ssize_t got = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        assert_true(got > 0);
        len += (size_t)got;
        text[len] = '\0';
        if (slice_ends_with(slice_of(text, len), slice_text(end)))
            return text;
    }
}

static void
run_until_done(struct fixture *f)
{
    int64_t until = clock_mono(clock_system()).us + 2 * (int64_t)TESTING_WAIT_MS * 1000;

    while (http_client_in_flight(f->client) != 0) {
        assert_true(clock_mono(clock_system()).us < until);
        assert_ok(http_client_run(f->client, -1, 100));
    }
}

/* The whole of one call with this answer; returns the connection. */
static int
serve(struct fixture *f, const char *reply)
{
    start(f);
    int fd = accept_one(f);
    read_until(f, fd, "hello");
    send_text(fd, reply);
    run_until_done(f);
    return fd;
}

static void
expect_failure(const struct fixture *f, enum http_failure failure, bool was_sent)
{
    assert_string_equal(http_failure_word(f->result.failure), http_failure_word(failure));
    assert_int_equal(f->result.was_sent, was_sent);
    assert_int_equal(f->done, 1);
    if (failure != HTTP_FAILURE_NONE && failure != HTTP_FAILURE_SIZE) {
        assert_int_equal(f->result.status, 0);
        assert_int_equal(f->result.body.len, 0);
    }
}

static void
a_request_goes_out_as_it_was_told(void **state UNUSED)
{
    struct fixture f;
    static const char *const headers[] = { "Content-Type: application/json", "webhook-id: msg_1", NULL };

    fixture_init(&f, NULL);
    struct http_call call = call_of(&f);
    call.headers = headers;
    call.bearer = SLICE("tok-en");
    assert_ok(http_client_start(f.client, &call));
    assert_int_equal(http_client_in_flight(f.client), 1);
    assert_true(secret_pool_used() > 0);
    int fd = accept_one(&f);
    const char *text = read_until(&f, fd, "hello");
    assert_memory_equal(text, "POST /path?query HTTP/1.1\r\n", 27);
    assert_non_null(strstr(text, "\r\nAuthorization: Bearer tok-en\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(text, "\r\nwebhook-id: msg_1\r\n"));
    assert_non_null(strstr(text, "\r\nUser-Agent: Harkara/test\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Length: 5\r\n"));
    assert_null(strstr(text, "Expect"));
    assert_null(strstr(text, "Accept-Encoding"));
    send_text(fd, OK_REPLY);
    run_until_done(&f);
    expect_failure(&f, HTTP_FAILURE_NONE, true);
    assert_int_equal(f.result.status, 200);
    assert_int_equal(f.result.http_version, 11);
    assert_int_equal(f.result.retry_after_s, -1);
    assert_true(f.result.elapsed_us > 0);
    assert_string_equal(f.body, "ok");
    assert_int_equal(secret_pool_used(), 0);

    /* Another word before the token: on the same connection, as the next. */
    call = call_of(&f);
    call.bearer = SLICE("tok-en");
    call.bearer_scheme = "OAuth";
    assert_ok(http_client_start(f.client, &call));
    text = read_until(&f, fd, "hello");
    assert_non_null(strstr(text, "\r\nAuthorization: OAuth tok-en\r\n"));
    assert_null(strstr(text, "Bearer"));
    send_text(fd, OK_REPLY);
    run_until_done(&f);

    /* No type, no token, another method. */
    call = call_of(&f);
    call.method = "DELETE";
    call.body = SLICE_EMPTY;
    assert_ok(http_client_start(f.client, &call));
    text = read_until(&f, fd, "\r\n\r\n");
    assert_memory_equal(text, "DELETE /path?query HTTP/1.1\r\n", 29);
    assert_null(strstr(text, "Content-Type"));
    assert_null(strstr(text, "Authorization"));
    send_text(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    run_until_done(&f);
    assert_int_equal(f.result.status, 204);
    assert_int_equal(f.done, 3);
    close(fd);
    fixture_release(&f);
}

static void
a_redirect_is_an_answer(void **state UNUSED)
{
    struct fixture f;
    char reply[200];

    fixture_init(&f, NULL);
    snprintf(reply, sizeof(reply),
             "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/other\r\nContent-Length: 0\r\n\r\n",
             f.port);
    int fd = serve(&f, reply);
    assert_int_equal(f.result.status, 302);
    assert_false(testing_is_readable(fd, 0));
    assert_false(testing_is_readable(f.listen_fd, 0));
    close(fd);
    fixture_release(&f);
}

static void
an_answer_may_be_only_so_large(void **state UNUSED)
{
    static const struct {
        size_t head_bytes, body_bytes;
        bool is_chunked;
        enum http_failure failure;
    } rows[] = {
        { 0, RESPONSE_BYTES_MAX, false, HTTP_FAILURE_NONE },
        { 0, RESPONSE_BYTES_MAX + 1, false, HTTP_FAILURE_SIZE },
        { 0, RESPONSE_BYTES_MAX, true, HTTP_FAILURE_NONE },
        { 0, RESPONSE_BYTES_MAX + 1, true, HTTP_FAILURE_SIZE },
        { HTTP_CLIENT_HEAD_BYTES_MAX - 200, 10, false, HTTP_FAILURE_NONE },
        { HTTP_CLIENT_HEAD_BYTES_MAX, 10, false, HTTP_FAILURE_SIZE },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        struct buf reply;
        fixture_init(&f, NULL);
        buf_init(&reply, 1 << 20);
        buf_add_text(&reply, "HTTP/1.1 200 OK\r\nX: ");
        for (size_t n = 0; n < rows[i].head_bytes; n++)
            buf_add_byte(&reply, 'h');
        if (rows[i].is_chunked)
            buf_add_format(&reply, "\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", rows[i].body_bytes);
        else
            buf_add_format(&reply, "\r\nContent-Length: %zu\r\n\r\n", rows[i].body_bytes);
        for (size_t n = 0; n < rows[i].body_bytes; n++)
            buf_add_byte(&reply, 'b');
        if (rows[i].is_chunked)
            buf_add_text(&reply, "\r\n0\r\n\r\n");
        buf_add_byte(&reply, '\0');
        assert_ok(buf_done(&reply));
        int fd = serve(&f, reply.ptr);
        expect_failure(&f, rows[i].failure, true);
        assert_int_equal(f.result.status, 200); /* known also when the rest is too much */
        if (rows[i].head_bytes == 0)
            assert_int_equal(f.result.body.len, RESPONSE_BYTES_MAX);
        close(fd);
        buf_release(&reply);
        fixture_release(&f);
    }
}

static void
a_field_of_the_head_is_found_by_its_name(void **state UNUSED)
{
    static const struct {
        const char *reply, *value;
    } rows[] = {
        { "HTTP/1.1 200 OK\r\nX-Usage: {\"a\":1}\r\nContent-Length: 0\r\n\r\n", "{\"a\":1}" },
        { "HTTP/1.1 400 No\r\nX-USAGE:first\r\nX-Usage: second\r\nContent-Length: 0\r\n\r\n", "first" },
        { "HTTP/1.1 200 OK\r\nX-Usage:\r\nContent-Length: 0\r\n\r\n", "" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "" },
        { "X-Usage: not HTTP\r\n\r\n", "" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        fixture_init(&f, NULL);
        int fd = serve(&f, rows[i].reply);
        assert_string_equal(f.field, rows[i].value);
        close(fd);
        fixture_release(&f);
    }
}

static void
retry_after_is_told_in_seconds(void **state UNUSED)
{
    static const struct {
        const char *reply;
        int64_t least, most;
    } rows[] = {
        { "HTTP/1.1 429 Slow\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", 120, 120 },
        { "HTTP/1.1 503 Away\r\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n",
          86400, INT64_MAX },
        { "HTTP/1.1 503 Away\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", -1,
          -1 },
        { "HTTP/1.1 503 Away\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", -1, -1 },
        { "HTTP/1.1 503 Away\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n", -1, -1 },
        { "HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n", -1, -1 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        fixture_init(&f, NULL);
        int fd = serve(&f, rows[i].reply);
        assert_true(f.result.retry_after_s >= rows[i].least && f.result.retry_after_s <= rows[i].most);
        close(fd);
        fixture_release(&f);
    }
}

static void
what_cannot_have_been_sent_is_told_from_what_may_have(void **state UNUSED)
{
    struct fixture f;
    struct linger reset = { .l_onoff = 1 };

    print_message("# nobody listens\n");
    fixture_init(&f, NULL);
    shutdown(f.listen_fd, SHUT_RDWR);
    start(&f);
    run_until_done(&f);
    expect_failure(&f, HTTP_FAILURE_CONNECT, false);
    fixture_release(&f);

    print_message("# the peer reads and closes\n");
    fixture_init(&f, NULL);
    start(&f);
    int fd = accept_one(&f);
    read_until(&f, fd, "hello");
    close(fd);
    run_until_done(&f);
    expect_failure(&f, HTTP_FAILURE_BROKEN, true);
    assert_false(testing_is_readable(f.listen_fd, 0));
    fixture_release(&f);

    print_message("# the peer closes without reading\n"); /* but it may have: the bytes were on their way */
    fixture_init(&f, NULL);
    start(&f);
    fd = accept_one(&f);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    run_until_readable(&f, fd);
    close(fd);
    run_until_done(&f);
    expect_failure(&f, HTTP_FAILURE_BROKEN, true);
    fixture_release(&f);

    print_message("# the peer closes in the middle of its answer\n");
    fixture_init(&f, NULL);
    start(&f);
    fd = accept_one(&f);
    read_until(&f, fd, "hello");
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    close(fd);
    run_until_done(&f);
    expect_failure(&f, HTTP_FAILURE_BROKEN, true);
    fixture_release(&f);

    print_message("# the peer speaks something else\n");
    fixture_init(&f, NULL);
    fd = serve(&f, "220 mail.example ESMTP\r\n\r\n");
    expect_failure(&f, HTTP_FAILURE_BROKEN, true);
    close(fd);
    fixture_release(&f);
}

static void
time_is_limited_and_waiting_for_a_connection_sends_nothing(void **state UNUSED)
{
    struct fixture f;
    struct http_client_config config;

    print_message("# the peer is silent\n");
    fixture_init(&f, NULL);
    struct http_call call = call_of(&f);
    call.timeout_ms = 200;
    assert_ok(http_client_start(f.client, &call));
    int fd = accept_one(&f);
    read_until(&f, fd, "hello");
    run_until_done(&f);
    expect_failure(&f, HTTP_FAILURE_TIMEOUT, true);
    close(fd);

    print_message("# all connections to the host are taken\n");
    config = config_of(&f);
    fixture_release(&f);
    config.connections_per_host_max = 1;
    fixture_init(&f, &config);
    start(&f);
    fd = accept_one(&f);
    read_until(&f, fd, "hello");
    call = call_of(&f);
    call.timeout_ms = 200;
    assert_ok(http_client_start(f.client, &call));
    while (http_client_in_flight(f.client) == 2)
        assert_ok(http_client_run(f.client, -1, 100));
    expect_failure(&f, HTTP_FAILURE_TIMEOUT, false);
    send_text(fd, OK_REPLY);
    run_until_done(&f);
    assert_int_equal(f.result.status, 200);
    close(fd);
    fixture_release(&f);
}

static void
a_request_that_dies_on_a_reused_connection_is_not_repeated(void **state UNUSED)
{
    struct fixture f;

    fixture_init(&f, NULL);
    int fd = serve(&f, OK_REPLY);
    f.done = 0;
    start(&f);
    read_until(&f, fd, "hello"); /* the same connection */
    close(fd);                   /* the peer may have acted on it */
    run_until_done(&f);
    expect_failure(&f, HTTP_FAILURE_BROKEN, true);
    if (testing_is_readable(f.listen_fd, 0)) { /* libcurl has connected before it asked */
        fd = accept(f.listen_fd, NULL, NULL);
        assert_true(testing_is_closed(fd)); /* and sent nothing */
        close(fd);
    }
    fixture_release(&f);
}

static void
a_connection_that_the_peer_closed_while_idle_is_replaced(void **state UNUSED)
{
    struct fixture f;

    fixture_init(&f, NULL);
    int fd = serve(&f, OK_REPLY);
    close(fd);
    f.done = 0;
    fd = serve(&f, OK_REPLY);
    expect_failure(&f, HTTP_FAILURE_NONE, true);
    assert_int_equal(f.result.status, 200);
    close(fd);
    fixture_release(&f);
}

static void
a_url_or_address_that_is_not_allowed_is_not_spoken_to(void **state UNUSED)
{
    static const char *const bad_urls[] = { "http://one.example/",
                                            "ftp://127.0.0.1/",
                                            "https://127.0.0.1@127.0.0.2/",
                                            "https://127.0.0.1/#x",
                                            "https://localhost/",
                                            "/",
                                            "" };
    struct fixture f;
    struct http_client_config config;
    uint16_t port;
    int listen_fd = testing_listen(&port);
    char one[64], two[64], three[64];
    const char *const resolve[] = { one, two, three, NULL };

    /* The system's answers for three names; only 127.0.0.1 is allowed, and somebody listens there. */
    snprintf(one, sizeof(one), "one.example:%u:127.0.0.1", port);
    snprintf(two, sizeof(two), "two.example:%u:10.0.0.1,127.0.0.1", port);
    snprintf(three, sizeof(three), "three.example:%u:127.0.0.2", port);
    fixture_init(&f, NULL);
    config = config_of(&f);
    fixture_release(&f);
    config.resolve = resolve;
    fixture_init(&f, &config);
    struct http_call call = call_of(&f);
    for (size_t i = 0; i < COUNT_OF(bad_urls); i++) {
        call.url = bad_urls[i];
        assert_int_equal(http_client_start(f.client, &call), ERR_URL_INVALID);
    }
    call.url = "https://169.254.169.254/";
    assert_int_equal(http_client_start(f.client, &call), ERR_ADDRESS_BLOCKED);
    assert_int_equal(http_client_in_flight(f.client), 0);
    /* A name is judged by what it turns out to be: by all of it. */
    static const char *const blocked[] = { "two", "three" };
    for (size_t i = 0; i < COUNT_OF(blocked); i++) {
        f.done = 0;
        snprintf(f.url, sizeof(f.url), "https://%s.example:%u/", blocked[i], port);
        start(&f);
        run_until_done(&f);
        expect_failure(&f, HTTP_FAILURE_BLOCKED, false);
        assert_false(testing_is_readable(listen_fd, 0));
    }
    f.done = 0;
    snprintf(f.url, sizeof(f.url), "https://one.example:%u/", port);
    start(&f);
    run_until_readable(&f, listen_fd); /* this one is spoken to */
    int fd = accept(listen_fd, NULL, NULL);
    close(fd);
    run_until_done(&f);
    expect_failure(&f, HTTP_FAILURE_TLS, false);
    close(listen_fd);
    fixture_release(&f);
}

static void
a_name_that_does_not_exist_is_a_failure_of_dns(void **state UNUSED)
{
    struct fixture f;

    fixture_init(&f, NULL);
    struct http_call call = call_of(&f);
    call.url = "https://no-such-host.invalid/"; /* RFC 6761, 6.4 */
    assert_ok(http_client_start(f.client, &call));
    run_until_done(&f);
    expect_failure(&f, HTTP_FAILURE_DNS, false);
    fixture_release(&f);
}

static void
the_environments_proxies_are_not_used(void **state UNUSED)
{
    static const char *const variables[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                             "ALL_PROXY" };
    struct fixture f;
    uint16_t proxy_port;
    char proxy[64];
    int proxy_fd = testing_listen(&proxy_port);

    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", proxy_port);
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        setenv(variables[i], proxy, 1);
    fixture_init(&f, NULL);
    int fd = serve(&f, OK_REPLY);
    assert_int_equal(f.result.status, 200);
    assert_false(testing_is_readable(proxy_fd, 0));
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        unsetenv(variables[i]);
    close(fd);
    close(proxy_fd);
    fixture_release(&f);
}

static void
a_header_line_that_could_be_two_is_refused(void **state UNUSED)
{
    static const char *const bad[] = { "X: a\r\nY: b",
                                       "X: a\n",
                                       "X",
                                       "X:",
                                       "X: ",
                                       ": a",
                                       "X : a",
                                       "X;",
                                       " X: a",
                                       "Host: a",
                                       "host: a",
                                       "Content-Length: 5",
                                       "Transfer-Encoding: chunked",
                                       "Connection: close",
                                       "Expect: 100-continue",
                                       "X: a\001" };
    struct fixture f;

    fixture_init(&f, NULL);
    struct http_call call = call_of(&f);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *const headers[] = { "X-Good: 1", bad[i], NULL };
        call.headers = headers;
        if (http_client_start(f.client, &call) != ERR_HTTP_HEADER)
            fail_msg("taken: %s", bad[i]);
    }
    call.headers = NULL;
    call.bearer = SLICE("a\r\nX: b");
    assert_int_equal(http_client_start(f.client, &call), ERR_HTTP_HEADER);
    call.bearer = SLICE("a b");
    assert_int_equal(http_client_start(f.client, &call), ERR_HTTP_HEADER);
    call.bearer = SLICE("a");
    call.headers = (const char *const[]){ "Authorization: Basic x", NULL };
    assert_int_equal(http_client_start(f.client, &call), ERR_HTTP_HEADER);
    call.bearer = SLICE_EMPTY;
    call.method = "PO ST";
    assert_int_equal(http_client_start(f.client, &call), ERR_HTTP_HEADER);
    assert_int_equal(http_client_in_flight(f.client), 0);
    assert_int_equal(secret_pool_used(), 0);
    assert_int_equal(f.done, 0);
    fixture_release(&f);
}

static void
more_calls_than_allowed_are_refused_and_all_are_told_of_the_end(void **state UNUSED)
{
    struct fixture f;
    struct http_client_config config;

    fixture_init(&f, NULL);
    config = config_of(&f);
    fixture_release(&f);
    config.in_flight_max = 3;
    fixture_init(&f, &config);
    struct http_call call = call_of(&f);
    call.bearer = SLICE("token");
    for (int i = 0; i < 3; i++)
        assert_ok(http_client_start(f.client, &call));
    assert_int_equal(http_client_start(f.client, &call), ERR_BUSY);
    int fd = accept_one(&f);
    read_until(&f, fd, "hello");
    http_client_free(f.client);
    assert_int_equal(f.done, 3);
    assert_int_equal(f.result.failure, HTTP_FAILURE_BROKEN);
    assert_int_equal(secret_pool_used(), 0);
    close(fd);
    close(f.listen_fd);
}

static void
done_and_start_another(void *ctx, const struct http_result *result)
{
    struct fixture *f = ctx;
    struct http_call call = call_of(f);

    assert_int_equal(result->status, 200);
    if (++f->done < 5) {
        call.done = done_and_start_another;
        assert_ok(http_client_start(f->client, &call));
    }
}

static void
the_end_of_a_call_may_start_the_next(void **state UNUSED)
{
    struct fixture f;

    fixture_init(&f, NULL);
    struct http_call call = call_of(&f);
    call.done = done_and_start_another;
    assert_ok(http_client_start(f.client, &call));
    int fd = accept_one(&f);
    for (int i = 0; i < 5; i++) {
        read_until(&f, fd, "hello");
        send_text(fd, OK_REPLY);
    }
    run_until_done(&f);
    assert_int_equal(f.done, 5);
    close(fd);
    fixture_release(&f);
}

/* Our two ends together: a hundred and fifty calls over eight connections. */
static void
many_calls_share_few_connections(void **state UNUSED)
{
    struct harness h;
    struct fixture f;

    harness_init(&h);
    harness_start(&h);
    fixture_init(&f, NULL);
    snprintf(f.url, sizeof(f.url), "http://127.0.0.1:%u/echo", h.port);
    for (int i = 0; i < 150; i++)
        start(&f);
    run_until_done(&f);
    assert_int_equal(f.done, 150);
    assert_int_equal(f.result.status, 200);
    assert_string_equal(f.body, "hello");
    fixture_release(&f);
    harness_end(&h);
}

#ifndef HARKARA_SANITIZED
/* Where in this process's own memory the bytes of `want` (each one less than it was) stand; NULL: nowhere. */
static const char *
memory_find(struct slice want)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    static char where[300];
    char line[300];
    bool is_found = false;

    assert_non_null(maps);
    while (!is_found && fgets(line, sizeof(line), maps) != NULL) {
        char *end;
        uintptr_t from = strtoull(line, &end, 16), to = strtoull(end + 1, &end, 16);
        if (end[1] != 'r' || end[2] != 'w' || strstr(line, "/memfd:log") != NULL)
            continue;
        for (const char *at = (const char *)from; !is_found && at + want.len <= (const char *)to; at++) {
            size_t same = 0;
            while (same < want.len && at[same] == want.ptr[same] + 1)
                same++;
            is_found = same == want.len;
        }
        if (is_found)
            memcpy(where, line, sizeof(where));
    }
    fclose(maps);
    return is_found ? where : NULL;
}

static void
a_token_is_nowhere_in_memory_when_its_call_is_done(void **state UNUSED)
{
    static const char marker[] =
        "SFDSFU.UPLFO.UIBU.OPCPEZ.NBZ.TFF"; /* each byte one up, and one down below */
    char shifted[sizeof(marker)];
    struct fixture f;

    for (size_t i = 0; i < sizeof(marker) - 1; i++)
        shifted[i] = (char)(marker[i] - 2);
    const struct slice want = slice_of(shifted, sizeof(marker) - 1);
    fixture_init(&f, NULL);
    struct secret *token = secret_new(want.len);
    assert_non_null(token);
    for (size_t i = 0; i < want.len; i++)
        secret_bytes(token)[i] = (unsigned char)(want.ptr[i] + 1);
    struct http_call call = call_of(&f);
    call.bearer = secret_slice(token);
    assert_ok(http_client_start(f.client, &call));
    secret_free(token);
    int fd = accept_one(&f);
    char got[4096];
    run_until_readable(&f, fd);
    assert_non_null(memory_find(want)); /* in the secret pool at least: so the search finds */
    while (recv(fd, got, sizeof(got), MSG_PEEK) < 5)
        run_until_readable(&f, fd);
    explicit_bzero(got, sizeof(got));
    send_text(fd, OK_REPLY);
    run_until_done(&f);
    assert_int_equal(f.result.status, 200);
    const char *where = memory_find(want);
    if (where != NULL)
        fail_msg("still there: %s", where);
    close(fd);
    fixture_release(&f);
}
#endif

static int
group_setup(void **state UNUSED)
{
    log_open("test", LOG_ERROR, STDERR_FILENO);
    return secret_pool_open_unlocked(1 << 18) == ERR_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_out_as_it_was_told),
        cmocka_unit_test(a_redirect_is_an_answer),
        cmocka_unit_test(an_answer_may_be_only_so_large),
        cmocka_unit_test(a_field_of_the_head_is_found_by_its_name),
        cmocka_unit_test(retry_after_is_told_in_seconds),
        cmocka_unit_test(what_cannot_have_been_sent_is_told_from_what_may_have),
        cmocka_unit_test(time_is_limited_and_waiting_for_a_connection_sends_nothing),
        cmocka_unit_test(a_request_that_dies_on_a_reused_connection_is_not_repeated),
        cmocka_unit_test(a_connection_that_the_peer_closed_while_idle_is_replaced),
        cmocka_unit_test(a_url_or_address_that_is_not_allowed_is_not_spoken_to),
        cmocka_unit_test(a_name_that_does_not_exist_is_a_failure_of_dns),
        cmocka_unit_test(the_environments_proxies_are_not_used),
        cmocka_unit_test(a_header_line_that_could_be_two_is_refused),
        cmocka_unit_test(more_calls_than_allowed_are_refused_and_all_are_told_of_the_end),
        cmocka_unit_test(the_end_of_a_call_may_start_the_next),
        cmocka_unit_test(many_calls_share_few_connections),
#ifndef HARKARA_SANITIZED
        cmocka_unit_test(a_token_is_nowhere_in_memory_when_its_call_is_done),
#endif
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
