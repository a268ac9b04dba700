#include "platform/net/http_client_testing.h"
#include "core/log.h"
#include "core/secret.h"
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void
fixture_done(void *ctx, const struct http_result *result)
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

struct http_client_config
fixture_config(const struct fixture *f)
{
    return (struct http_client_config){ .ca_file = "/nonexistent",
                                        .guard = &f->guard,
                                        .in_flight_max = 200,
                                        .connections_per_host_max = 8,
                                        .response_bytes_max = RESPONSE_BYTES_MAX,
                                        .user_agent = "Harkara/test" };
}

void
fixture_init(struct fixture *f, const struct http_client_config *config)
{
    struct http_client_config standard;

    memset(f, 0, sizeof(*f));
    assert_ok(address_guard_init(&f->guard, SLICE("127.0.0.1/32")));
    f->listen_fd = testing_listen(&f->port);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/path?query", f->port);
    standard = fixture_config(f);
    if (config != NULL)
        standard = *config;
    standard.guard = &f->guard;
    assert_ok(http_client_new(&standard, &f->client));
}

void
fixture_release(struct fixture *f)
{
    http_client_free(f->client);
    close(f->listen_fd);
}

struct http_call
fixture_call(struct fixture *f)
{
    return (struct http_call){ .method = "POST",
                               .url = f->url,
                               .body = SLICE("hello"),
                               .timeout_ms = TESTING_WAIT_MS,
                               .connect_timeout_ms = TESTING_WAIT_MS,
                               .ctx = f,
                               .done = fixture_done };
}

void
fixture_start(struct fixture *f)
{
    struct http_call call = fixture_call(f);

    assert_ok(http_client_start(f->client, &call));
}

void
fixture_run_until_readable(struct fixture *f, int fd)
{
    int64_t until = clock_mono(clock_system()).us + (int64_t)TESTING_WAIT_MS * 1000;

    while (!testing_is_readable(fd, 0)) {
        assert_true(clock_mono(clock_system()).us < until);
        assert_ok(http_client_run(f->client, fd, 100));
    }
}

int
fixture_accept(struct fixture *f)
{
    fixture_run_until_readable(f, f->listen_fd);
    int fd = accept(f->listen_fd, NULL, NULL);
    assert_true(fd >= 0);
    struct timeval limit = { .tv_sec = TESTING_WAIT_MS / 1000 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

const char *
fixture_read_until(struct fixture *f, int fd, const char *end)
{
    static char text[65536];
    size_t len = 0;

    for (;;) {
        fixture_run_until_readable(f, fd);
        ssize_t got = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        assert_true(got > 0);
        len += (size_t)got;
        text[len] = '\0';
        if (slice_ends_with(slice_of(text, len), slice_text(end)))
            return text;
    }
}

void
fixture_run(struct fixture *f)
{
    int64_t until = clock_mono(clock_system()).us + 2 * (int64_t)TESTING_WAIT_MS * 1000;

    while (http_client_in_flight(f->client) != 0) {
        assert_true(clock_mono(clock_system()).us < until);
        assert_ok(http_client_run(f->client, -1, 100));
    }
}

int
fixture_serve(struct fixture *f, const char *reply)
{
    fixture_start(f);
    int fd = fixture_accept(f);
    fixture_read_until(f, fd, "hello");
    send_text(fd, reply);
    fixture_run(f);
    return fd;
}

void
fixture_expect_failure(const struct fixture *f, enum http_failure failure, bool was_sent)
{
    assert_string_equal(http_failure_word(f->result.failure), http_failure_word(failure));
    assert_int_equal(f->result.was_sent, was_sent);
    assert_int_equal(f->done, 1);
    if (failure != HTTP_FAILURE_NONE && failure != HTTP_FAILURE_SIZE) {
        assert_int_equal(f->result.status, 0);
        assert_int_equal(f->result.body.len, 0);
    }
}

int
fixture_group_setup(void **state UNUSED)
{
    log_open("test", LOG_ERROR, STDERR_FILENO);
    return secret_pool_open_unlocked(1 << 18) == ERR_OK ? 0 : -1;
}
