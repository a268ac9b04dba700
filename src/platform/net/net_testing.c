#include "platform/net/net_testing.h"
#include "core/num.h"
#include "core/unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct wall_time
testing_wall(const struct clock *clock)
{
    const struct testing_clock *testing = (const struct testing_clock *)clock;
    struct wall_time now = clock_wall(clock_system());

    now.us += atomic_load(&testing->ahead_us);
    return now;
}

static struct mono_time
testing_mono(const struct clock *clock)
{
    const struct testing_clock *testing = (const struct testing_clock *)clock;
    struct mono_time now = clock_mono(clock_system());

    now.us += atomic_load(&testing->ahead_us);
    return now;
}

void
testing_clock_init(struct testing_clock *clock)
{
    clock->clock = (struct clock){ testing_wall, testing_mono };
    atomic_init(&clock->ahead_us, 0);
}

void
testing_clock_advance(struct testing_clock *clock, int64_t ms)
{
    atomic_fetch_add(&clock->ahead_us, ms * 1000);
}

int
testing_listen(uint16_t *port_out)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port_out = ntohs(address.sin_port);
    return fd;
}

static struct sockaddr_un
unix_address(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    assert_true(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

int
testing_listen_unix(const char *path)
{
    struct sockaddr_un address = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

static void
limit_waits(int fd)
{
    struct timeval limit = { .tv_sec = TESTING_WAIT_MS / 1000 };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
}

int
testing_connect(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    limit_waits(fd);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

int
testing_connect_unix(const char *path)
{
    struct sockaddr_un address = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    limit_waits(fd);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void
testing_send(int fd, struct slice bytes)
{
    while (bytes.len != 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return; /* refused in the middle: the answer says so */
        assert_true(sent > 0);
        bytes = slice_drop(bytes, (size_t)sent);
    }
}

bool
testing_is_readable(int fd, int wait_ms)
{
    struct pollfd one = { .fd = fd, .events = POLLIN };

    return poll(&one, 1, wait_ms) == 1;
}

bool
testing_is_closed(int fd)
{
    char bytes[4096];

    for (;;) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return true;
        if (got < 0)
            return false;
    }
}

bool
testing_receive_head(int fd, struct testing_reply *reply)
{
    size_t len = 0;

    memset(reply, 0, sizeof(*reply));
    while (len < 4 || memcmp(reply->head + len - 4, "\r\n\r\n", 4) != 0) {
        assert_true(len < TESTING_HEAD_BYTES_MAX);
        ssize_t got = recv(fd, reply->head + len, 1, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            assert_int_equal(len, 0);
            return false;
        }
        assert_true(got == 1); /* else the time is up */
        len++;
    }
    assert_memory_equal(reply->head, "HTTP/1.1 ", 9);
    assert_ok(num_int_parse(slice_of(reply->head + 9, 3), 100, 999, &reply->status));
    return true;
}

bool
testing_receive(int fd, struct testing_reply *reply)
{
    int length = 0;

    if (!testing_receive_head(fd, reply))
        return false;
    const char *declared = testing_header(reply, "Content-Length");
    if (declared != NULL)
        assert_ok(num_int_parse(slice_text(declared), 0, 1 << 26, &length));
    reply->body = calloc(1, (size_t)length + 1);
    assert_non_null(reply->body);
    while (reply->body_len < (size_t)length) {
        ssize_t got = recv(fd, reply->body + reply->body_len, (size_t)length - reply->body_len, 0);
        assert_true(got > 0);
        reply->body_len += (size_t)got;
    }
    return true;
}

const char *
testing_header(const struct testing_reply *reply, const char *name)
{
    static _Thread_local char value[4096];
    struct slice rest = slice_text(reply->head);

    while (rest.len != 0) {
        struct slice line = slice_take_until(&rest, '\n');
        struct slice found = slice_take_until(&line, ':');
        if (!slice_eq_nocase(found, slice_text(name)))
            continue;
        line = slice_trim(slice_first(line, line.len - 1)); /* without the CR */
        assert_true(line.len < sizeof(value));
        memcpy(value, line.ptr, line.len);
        value[line.len] = '\0';
        return value;
    }
    return NULL;
}

void
testing_reply_release(struct testing_reply *reply)
{
    free(reply->body);
    reply->body = NULL;
    reply->body_len = 0;
}
