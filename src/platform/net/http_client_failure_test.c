/* What fails, whether the request can have been sent, and whom the client does not speak to at all. */
#include "core/unit.h"
#include "platform/net/http_client_testing.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool has_no_peer;

/* Instead of the C library's, for libcurl too: a peer may reset a connection between that it stands and that
 * somebody asks who it is. */
int
getpeername(int fd, __SOCKADDR_ARG address, socklen_t *restrict len)
{
    if (!has_no_peer)
        return (int)syscall(SYS_getpeername, fd, address.__sockaddr__, len);
    errno = ENOTCONN;
    return -1;
}

static void
what_cannot_have_been_sent_is_told_from_what_may_have(void **state UNUSED)
{
    struct fixture f;
    struct linger reset = { .l_onoff = 1 };

    print_message("# nobody listens\n");
    fixture_init(&f, NULL);
    shutdown(f.listen_fd, SHUT_RDWR);
    fixture_start(&f);
    fixture_run(&f);
    fixture_expect_failure(&f, HTTP_FAILURE_CONNECT, false);
    fixture_release(&f);

    print_message("# the peer reads and closes\n");
    fixture_init(&f, NULL);
    fixture_start(&f);
    int fd = fixture_accept(&f);
    fixture_read_until(&f, fd, "hello");
    close(fd);
    fixture_run(&f);
    fixture_expect_failure(&f, HTTP_FAILURE_BROKEN, true);
    assert_false(testing_is_readable(f.listen_fd, 0));
    fixture_release(&f);

    print_message("# the peer closes without reading\n"); /* but it may have: the bytes were on their way */
    fixture_init(&f, NULL);
    fixture_start(&f);
    fd = fixture_accept(&f);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    fixture_run_until_readable(&f, fd);
    close(fd);
    fixture_run(&f);
    fixture_expect_failure(&f, HTTP_FAILURE_BROKEN, true);
    fixture_release(&f);

    print_message("# the peer closes in the middle of its answer\n");
    fixture_init(&f, NULL);
    fixture_start(&f);
    fd = fixture_accept(&f);
    fixture_read_until(&f, fd, "hello");
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    close(fd);
    fixture_run(&f);
    fixture_expect_failure(&f, HTTP_FAILURE_BROKEN, true);
    fixture_release(&f);

    print_message("# the peer speaks something else\n");
    fixture_init(&f, NULL);
    fd = fixture_serve(&f, "220 mail.example ESMTP\r\n\r\n");
    fixture_expect_failure(&f, HTTP_FAILURE_BROKEN, true);
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
    struct http_call call = fixture_call(&f);
    call.timeout_ms = 200;
    assert_ok(http_client_start(f.client, &call));
    int fd = fixture_accept(&f);
    fixture_read_until(&f, fd, "hello");
    fixture_run(&f);
    fixture_expect_failure(&f, HTTP_FAILURE_TIMEOUT, true);
    close(fd);

    print_message("# all connections to the host are taken\n");
    config = fixture_config(&f);
    fixture_release(&f);
    config.connections_per_host_max = 1;
    fixture_init(&f, &config);
    fixture_start(&f);
    fd = fixture_accept(&f);
    fixture_read_until(&f, fd, "hello");
    call = fixture_call(&f);
    call.timeout_ms = 200;
    assert_ok(http_client_start(f.client, &call));
    while (http_client_in_flight(f.client) == 2)
        assert_ok(http_client_run(f.client, -1, 100));
    fixture_expect_failure(&f, HTTP_FAILURE_TIMEOUT, false);
    send_text(fd, OK_REPLY);
    fixture_run(&f);
    assert_int_equal(f.result.status, 200);
    close(fd);
    fixture_release(&f);
}

static void
a_request_that_dies_on_a_reused_connection_is_not_repeated(void **state UNUSED)
{
    struct fixture f;

    fixture_init(&f, NULL);
    int fd = fixture_serve(&f, OK_REPLY);
    f.done = 0;
    fixture_start(&f);
    fixture_read_until(&f, fd, "hello"); /* the same connection */
    close(fd);                           /* the peer may have acted on it */
    fixture_run(&f);
    fixture_expect_failure(&f, HTTP_FAILURE_BROKEN, true);
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
    int fd = fixture_serve(&f, OK_REPLY);
    close(fd);
    f.done = 0;
    fd = fixture_serve(&f, OK_REPLY);
    fixture_expect_failure(&f, HTTP_FAILURE_NONE, true);
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
    config = fixture_config(&f);
    fixture_release(&f);
    config.resolve = resolve;
    fixture_init(&f, &config);
    struct http_call call = fixture_call(&f);
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
        fixture_start(&f);
        fixture_run(&f);
        fixture_expect_failure(&f, HTTP_FAILURE_BLOCKED, false);
        assert_false(testing_is_readable(listen_fd, 0));
    }
    f.done = 0;
    snprintf(f.url, sizeof(f.url), "https://one.example:%u/", port);
    fixture_start(&f);
    fixture_run_until_readable(&f, listen_fd); /* this one is spoken to */
    int fd = accept(listen_fd, NULL, NULL);
    close(fd);
    fixture_run(&f);
    fixture_expect_failure(&f, HTTP_FAILURE_TLS, false);
    close(listen_fd);
    fixture_release(&f);
}

/* Blocked is for good: an endpoint is disabled for it. */
static void
a_connection_that_is_reset_at_once_is_broken_and_not_blocked(void **state UNUSED)
{
    struct fixture f;

    fixture_init(&f, NULL);
    has_no_peer = true;
    fixture_start(&f);
    int fd = fixture_accept(&f);
    fixture_run(&f);
    has_no_peer = false;
    fixture_expect_failure(&f, HTTP_FAILURE_BROKEN, false);
    assert_true(testing_is_closed(fd)); /* nothing was sent to whom nobody knows */
    close(fd);
    fixture_release(&f);
}

static void
a_name_that_does_not_exist_is_a_failure_of_dns(void **state UNUSED)
{
    struct fixture f;

    fixture_init(&f, NULL);
    struct http_call call = fixture_call(&f);
    call.url = "https://no-such-host.invalid/"; /* RFC 6761, 6.4 */
    assert_ok(http_client_start(f.client, &call));
    fixture_run(&f);
    fixture_expect_failure(&f, HTTP_FAILURE_DNS, false);
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
    int fd = fixture_serve(&f, OK_REPLY);
    assert_int_equal(f.result.status, 200);
    assert_false(testing_is_readable(proxy_fd, 0));
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        unsetenv(variables[i]);
    close(fd);
    close(proxy_fd);
    fixture_release(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_have_been_sent_is_told_from_what_may_have),
        cmocka_unit_test(time_is_limited_and_waiting_for_a_connection_sends_nothing),
        cmocka_unit_test(a_request_that_dies_on_a_reused_connection_is_not_repeated),
        cmocka_unit_test(a_connection_that_the_peer_closed_while_idle_is_replaced),
        cmocka_unit_test(a_url_or_address_that_is_not_allowed_is_not_spoken_to),
        cmocka_unit_test(a_connection_that_is_reset_at_once_is_broken_and_not_blocked),
        cmocka_unit_test(a_name_that_does_not_exist_is_a_failure_of_dns),
        cmocka_unit_test(the_environments_proxies_are_not_used),
    };

    return cmocka_run_group_tests(tests, fixture_group_setup, NULL);
}
