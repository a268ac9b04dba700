/* Bodies that the client does not hold whole, against our own server, which echoes them. */
#include "core/secret.h"
#include "platform/net/http_client.h"
#include "platform/net/http_testing.h"
#include <stdio.h>
#include <unistd.h>

#define LONG_BYTES (2u * 1024u * 1024u + 17u)

static struct {
    struct harness h;
    struct address_guard guard;
    struct http_client *client;
    size_t read, written; /* bytes out of the source, into the sink */
    enum err read_err, write_err;
    size_t stop_at; /* the source ends or fails there */
    bool is_in_order, is_done;
    struct http_result result;
    char body[512];
} f;

static char
pattern(size_t at)
{
    return (char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static enum err
source_read(void *ctx UNUSED, char *to, size_t max, size_t *len_out)
{
    size_t left = f.stop_at - f.read, len = max < left ? max : left;

    if (len == 0)
        return f.read_err;
    for (size_t i = 0; i < len; i++)
        to[i] = pattern(f.read + i);
    f.read += len;
    *len_out = len;
    return ERR_OK;
}

static enum err
sink_write(void *ctx UNUSED, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        f.is_in_order = f.is_in_order && bytes.ptr[i] == pattern(f.written + i);
    f.written += bytes.len;
    return f.write_err;
}

static void
on_done(void *ctx UNUSED, const struct http_result *result)
{
    f.is_done = true;
    f.result = *result;
    snprintf(f.body, sizeof(f.body), "%.*s", SLICE_FMT(slice_first(result->body, sizeof(f.body) - 1)));
}

static int
open_all(void **state UNUSED)
{
    memset(&f, 0, sizeof(f));
    f.is_in_order = true;
    f.stop_at = LONG_BYTES;
    harness_init(&f.h);
    harness_start(&f.h);
    assert_ok(address_guard_init(&f.guard, SLICE("127.0.0.1/32")));
    assert_ok(http_client_new(&(struct http_client_config){ .ca_file = "/nonexistent",
                                                            .guard = &f.guard,
                                                            .in_flight_max = 2,
                                                            .connections_per_host_max = 1,
                                                            .response_bytes_max = 1000,
                                                            .user_agent = "Harkara/test" },
                              &f.client));
    return 0;
}

static int
close_all(void **state UNUSED)
{
    http_client_free(f.client);
    harness_end(&f.h);
    return 0;
}

static void
call(const char *path, uint64_t sink_bytes_max)
{
    char url[64];
    static const char *const headers[] = { "Content-Type: application/octet-stream", NULL };

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", f.h.port, path);
    assert_ok(http_client_start(f.client, &(struct http_call){ .method = "POST",
                                                               .url = url,
                                                               .headers = headers,
                                                               .source = { LONG_BYTES, source_read, NULL },
                                                               .sink = { sink_bytes_max, sink_write, NULL },
                                                               .timeout_ms = TESTING_WAIT_MS,
                                                               .connect_timeout_ms = TESTING_WAIT_MS,
                                                               .done = on_done }));
    while (!f.is_done)
        assert_ok(http_client_run(f.client, -1, 100));
}

static void
bytes_go_and_come_in_order(void **state UNUSED)
{
    call("/big", LONG_BYTES);
    assert_int_equal(f.result.failure, HTTP_FAILURE_NONE);
    assert_int_equal(f.result.status, 200);
    assert_int_equal(f.result.body.len, 0);
    assert_ok(f.result.stream_err);
    assert_int_equal(f.read, LONG_BYTES);
    assert_int_equal(f.written, LONG_BYTES);
    assert_true(f.is_in_order);
}

static void
an_answer_beyond_the_sinks_limit_is_not_taken(void **state UNUSED)
{
    call("/big", LONG_BYTES - 1);
    assert_int_equal(f.result.failure, HTTP_FAILURE_SIZE);
    assert_true(f.written < LONG_BYTES);
}

/* What is no 200 is no file: it is read as an answer. */
static void
a_refusal_does_not_reach_the_sink(void **state UNUSED)
{
    call("/framed-none", LONG_BYTES); /* a body of that size is refused there */
    assert_int_equal(f.result.status == 413 || f.result.failure == HTTP_FAILURE_BROKEN, 1);
    assert_int_equal(f.written, 0);
}

static void
a_source_that_fails_ends_the_call(void **state UNUSED)
{
    f.stop_at = 100000;
    f.read_err = ERR_SEAL_CORRUPT;
    call("/big", LONG_BYTES);
    assert_int_equal(f.result.failure, HTTP_FAILURE_BROKEN);
    assert_int_equal(f.result.stream_err, ERR_SEAL_CORRUPT);
    assert_true(f.result.was_sent);
}

static void
a_source_that_is_shorter_than_it_said_ends_the_call(void **state UNUSED)
{
    f.stop_at = LONG_BYTES - 1;
    call("/big", LONG_BYTES);
    assert_int_equal(f.result.failure, HTTP_FAILURE_BROKEN);
    assert_int_equal(f.written, 0);
}

static void
a_sink_that_fails_ends_the_call(void **state UNUSED)
{
    f.write_err = ERR_DB_UNAVAILABLE;
    call("/big", LONG_BYTES);
    assert_int_equal(f.result.failure, HTTP_FAILURE_BROKEN);
    assert_int_equal(f.result.stream_err, ERR_DB_UNAVAILABLE);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

UNIT_MAIN(STREAM_TEST(bytes_go_and_come_in_order), STREAM_TEST(an_answer_beyond_the_sinks_limit_is_not_taken),
          STREAM_TEST(a_refusal_does_not_reach_the_sink), STREAM_TEST(a_source_that_fails_ends_the_call),
          STREAM_TEST(a_source_that_is_shorter_than_it_said_ends_the_call),
          STREAM_TEST(a_sink_that_fails_ends_the_call))
