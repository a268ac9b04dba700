#include "core/unit.h"
#include "program/harkara/listener.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/harkara-listener-XXXXXX";
static char path[64], address[72];
static struct complaint complaint;

static int
listen_anywhere(uint16_t *port_out)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    *port_out = ntohs(any.sin_port);
    return fd;
}

static void
loopback_is_listened_on_without_blocking(void **state UNUSED)
{
    uint16_t port;
    char text[32];
    int fd = listen_anywhere(&port), is_listening = 0;
    socklen_t len = sizeof(is_listening);

    snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    int other = -1;
    assert_int_equal(listener_open(text, &other, &complaint), ERR_BUSY);
    assert_non_null(strstr(complaint.text, "in use"));
    close(fd);
    assert_ok(listener_open(text, &other, &complaint));
    assert_int_equal(getsockopt(other, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len), 0);
    assert_int_equal(is_listening, 1);
    assert_true((fcntl(other, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(other, F_GETFD) & FD_CLOEXEC) != 0);
    close(other);
}

/* As a killed server's last process does, some time after it was killed. */
static void *
close_later(void *ctx)
{
    const int *fd = ctx;

    (void)poll(NULL, 0, 120);
    close(*fd);
    return NULL;
}

static void
what_is_about_to_be_free_is_waited_for(void **state UNUSED)
{
    uint16_t port;
    char text[32];
    pthread_t closer;
    int held = listen_anywhere(&port), fd = -1;

    snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    assert_int_equal(pthread_create(&closer, NULL, close_later, &held), 0);
    assert_ok(listener_open(text, &fd, &complaint));
    pthread_join(closer, NULL);
    close(fd);
    assert_ok(listener_open_unix(path, 0600, &held, &complaint));
    assert_int_equal(pthread_create(&closer, NULL, close_later, &held), 0);
    assert_ok(listener_open_unix(path, 0600, &fd, &complaint));
    pthread_join(closer, NULL);
    listener_close(path, fd);
}

static void
smpp_is_listened_for_where_it_is_said(void **state UNUSED)
{
    const char *const rows[] = { "",      "127.0.0.1", "localhost:2775", ":2775", "unix:/tmp/x",
                                 "[::1]", "0.0.0.0:0" };
    uint16_t port;
    char text[32];
    int fd = listen_anywhere(&port);

    close(fd);
    (void)snprintf(text, sizeof(text), "0.0.0.0:%u", port);
    assert_ok(listener_open_smpp(text, &fd, &complaint));
    listener_close(text, fd);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(listener_open_smpp(rows[i], &fd, &complaint), ERR_CONFIG);
}

static void
what_is_not_loopback_is_refused(void **state UNUSED)
{
    const char *const rows[] = { "",
                                 "0.0.0.0:8080",
                                 "10.0.0.1:8080",
                                 "128.0.0.1:8080",
                                 "127.0.0.1",
                                 "127.0.0.1:",
                                 "127.0.0.1:0",
                                 "127.0.0.1:65536",
                                 "127.0.0.1:80 ",
                                 "127.1:8080",
                                 "localhost:8080",
                                 ":8080",
                                 "8080",
                                 "[::]:8080",
                                 "[::1]8080",
                                 "[::1]",
                                 "[fe80::1]:8080",
                                 "[::ffff:127.0.0.1]:8080",
                                 "unix:relative",
                                 "unix:" };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = -1;
        assert_int_equal(listener_open(rows[i], &fd, &complaint), ERR_CONFIG);
        assert_int_equal(fd, -1);
    }
}

static void
a_socket_left_behind_is_replaced_and_one_in_use_is_not(void **state UNUSED)
{
    struct stat st;
    int first = -1, second = -1;

    assert_ok(listener_open(address, &first, &complaint));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(listener_open(address, &second, &complaint), ERR_BUSY);
    close(first); /* as after kill -9: the name stays */
    assert_int_equal(stat(path, &st), 0);
    assert_ok(listener_open_unix(path, 0600, &second, &complaint));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    listener_close(address, -1);
    assert_int_equal(stat(path, &st), 0);
    listener_close(address, second);
    assert_int_equal(stat(path, &st), -1);
}

static void
a_file_that_is_no_socket_is_left_alone(void **state UNUSED)
{
    int file = open(path, O_CREAT | O_WRONLY, 0600), fd = -1;

    assert_true(file >= 0);
    close(file);
    assert_int_equal(listener_open(address, &fd, &complaint), ERR_BUSY);
    assert_int_equal(unlink(path), 0);
}

static int
set_up(void **state UNUSED)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s", folder);
    snprintf(address, sizeof(address), "unix:%s", path);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    unlink(path);
    rmdir(folder);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_listened_on_without_blocking),
        cmocka_unit_test(what_is_about_to_be_free_is_waited_for),
        cmocka_unit_test(smpp_is_listened_for_where_it_is_said),
        cmocka_unit_test(what_is_not_loopback_is_refused),
        cmocka_unit_test(a_socket_left_behind_is_replaced_and_one_in_use_is_not),
        cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
