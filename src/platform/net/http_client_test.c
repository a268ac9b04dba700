/* What goes out, what an answer may be, and many calls at a time. */
#include "core/secret.h"
#include "core/unit.h"
#include "platform/net/http_client_testing.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void
a_request_goes_out_as_it_was_told(void **state UNUSED)
{
    struct fixture f;
    static const char *const headers[] = { "Content-Type: application/json", "webhook-id: msg_1", NULL };

    fixture_init(&f, NULL);
    struct http_call call = fixture_call(&f);
    call.headers = headers;
    call.bearer = SLICE("tok-en");
    assert_ok(http_client_start(f.client, &call));
    assert_int_equal(http_client_in_flight(f.client), 1);
    assert_true(secret_pool_used() > 0);
    int fd = fixture_accept(&f);
    const char *text = fixture_read_until(&f, fd, "hello");
    assert_memory_equal(text, "POST /path?query HTTP/1.1\r\n", 27);
    assert_non_null(strstr(text, "\r\nAuthorization: Bearer tok-en\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(text, "\r\nwebhook-id: msg_1\r\n"));
    assert_non_null(strstr(text, "\r\nUser-Agent: Harkara/test\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Length: 5\r\n"));
    assert_null(strstr(text, "Expect"));
    assert_null(strstr(text, "Accept-Encoding"));
    send_text(fd, OK_REPLY);
    fixture_run(&f);
    fixture_expect_failure(&f, HTTP_FAILURE_NONE, true);
    assert_int_equal(f.result.status, 200);
    assert_int_equal(f.result.http_version, 11);
    assert_int_equal(f.result.retry_after_s, -1);
    assert_true(f.result.elapsed_us > 0);
    assert_string_equal(f.body, "ok");
    assert_int_equal(secret_pool_used(), 0);

    /* Another word before the token: on the same connection, as the next. */
    call = fixture_call(&f);
    call.bearer = SLICE("tok-en");
    call.bearer_scheme = "OAuth";
    assert_ok(http_client_start(f.client, &call));
    text = fixture_read_until(&f, fd, "hello");
    assert_non_null(strstr(text, "\r\nAuthorization: OAuth tok-en\r\n"));
    assert_null(strstr(text, "Bearer"));
    send_text(fd, OK_REPLY);
    fixture_run(&f);

    /* No type, no token, another method. */
    call = fixture_call(&f);
    call.method = "DELETE";
    call.body = SLICE_EMPTY;
    assert_ok(http_client_start(f.client, &call));
    text = fixture_read_until(&f, fd, "\r\n\r\n");
    assert_memory_equal(text, "DELETE /path?query HTTP/1.1\r\n", 29);
    assert_null(strstr(text, "Content-Type"));
    assert_null(strstr(text, "Authorization"));
    send_text(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    fixture_run(&f);
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
    int fd = fixture_serve(&f, reply);
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
        int fd = fixture_serve(&f, reply.ptr);
        fixture_expect_failure(&f, rows[i].failure, true);
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
        int fd = fixture_serve(&f, rows[i].reply);
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
        int fd = fixture_serve(&f, rows[i].reply);
        assert_true(f.result.retry_after_s >= rows[i].least && f.result.retry_after_s <= rows[i].most);
        close(fd);
        fixture_release(&f);
    }
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
    struct http_call call = fixture_call(&f);
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
    config = fixture_config(&f);
    fixture_release(&f);
    config.in_flight_max = 3;
    fixture_init(&f, &config);
    struct http_call call = fixture_call(&f);
    call.bearer = SLICE("token");
    for (int i = 0; i < 3; i++)
        assert_ok(http_client_start(f.client, &call));
    assert_int_equal(http_client_start(f.client, &call), ERR_BUSY);
    int fd = fixture_accept(&f);
    fixture_read_until(&f, fd, "hello");
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
    struct http_call call = fixture_call(f);

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
    struct http_call call = fixture_call(&f);
    call.done = done_and_start_another;
    assert_ok(http_client_start(f.client, &call));
    int fd = fixture_accept(&f);
    for (int i = 0; i < 5; i++) {
        fixture_read_until(&f, fd, "hello");
        send_text(fd, OK_REPLY);
    }
    fixture_run(&f);
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
        fixture_start(&f);
    fixture_run(&f);
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
    struct http_call call = fixture_call(&f);
    call.bearer = secret_slice(token);
    assert_ok(http_client_start(f.client, &call));
    secret_free(token);
    int fd = fixture_accept(&f);
    char got[4096];
    fixture_run_until_readable(&f, fd);
    assert_non_null(memory_find(want)); /* in the secret pool at least: so the search finds */
    while (recv(fd, got, sizeof(got), MSG_PEEK) < 5)
        fixture_run_until_readable(&f, fd);
    explicit_bzero(got, sizeof(got));
    send_text(fd, OK_REPLY);
    fixture_run(&f);
    assert_int_equal(f.result.status, 200);
    const char *where = memory_find(want);
    if (where != NULL)
        fail_msg("still there: %s", where);
    close(fd);
    fixture_release(&f);
}
#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_out_as_it_was_told),
        cmocka_unit_test(a_redirect_is_an_answer),
        cmocka_unit_test(an_answer_may_be_only_so_large),
        cmocka_unit_test(a_field_of_the_head_is_found_by_its_name),
        cmocka_unit_test(retry_after_is_told_in_seconds),
        cmocka_unit_test(a_header_line_that_could_be_two_is_refused),
        cmocka_unit_test(more_calls_than_allowed_are_refused_and_all_are_told_of_the_end),
        cmocka_unit_test(the_end_of_a_call_may_start_the_next),
        cmocka_unit_test(many_calls_share_few_connections),
#ifndef HARKARA_SANITIZED
        cmocka_unit_test(a_token_is_nowhere_in_memory_when_its_call_is_done),
#endif
    };

    return cmocka_run_group_tests(tests, fixture_group_setup, NULL);
}
