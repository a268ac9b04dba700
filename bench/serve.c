/* See serve.h. */
#include "serve.h"
#include "core/num.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX        128
#define COMMAND_BYTES_MAX 4096u

static struct {
    const struct serve *serve;
    int epoll_fd;
    bool is_over;
    struct serve_watch listener, commands;
    char command[COMMAND_BYTES_MAX];
    size_t command_len;
    struct serve_peer *made, *spare; /* all there ever were; those without a connection */
} server;

NORETURN void
serve_stop_because(const char *what)
{
    fprintf(stderr, "%s: %s\n", server.serve == NULL ? "bench" : server.serve->name, what);
    exit(1);
}

uint64_t
serve_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

void
serve_watch(struct serve_watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data = { .ptr = watch } };

    if (epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0)
        serve_stop_because("a descriptor cannot be watched");
}

void
serve_connect(struct serve_watch *watch, uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int one = 1;

    watch->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (watch->fd < 0 || connect(watch->fd, (const struct sockaddr *)&to, sizeof(to)) != 0 ||
        setsockopt(watch->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        fcntl(watch->fd, F_SETFL, O_NONBLOCK) != 0)
        serve_stop_because("no connection");
    serve_watch(watch, EPOLLIN);
}

/* Messages. */

size_t
serve_message_len(struct slice in, size_t *head_len_out)
{
    const char *end = in.len == 0 ? NULL : memmem(in.ptr, in.len, "\r\n\r\n", 4);
    uint64_t body = 0;

    if (end == NULL)
        return 0;
    *head_len_out = (size_t)(end - in.ptr) + 4;
    struct slice length = serve_header(slice_first(in, *head_len_out), SLICE("Content-Length"));
    if (length.len > 0 && (num_u64_parse(length, &body) != ERR_OK || body > SERVE_INPUT_BYTES_MAX))
        serve_stop_because("a message has no length that makes sense");
    return *head_len_out + body <= in.len ? *head_len_out + body : 0;
}

struct slice
serve_header(struct slice head, struct slice name)
{
    while (head.len > 0) {
        struct slice line = slice_take_until(&head, '\n'), found = slice_take_until(&line, ':');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (slice_eq_nocase(found, name))
            return slice_trim(line);
    }
    return SLICE_EMPTY;
}

/* Peers. */

static void
peer_spare(struct serve_peer *peer)
{
    peer->next_spare = server.spare;
    server.spare = peer;
}

static void
peer_close(struct serve_peer *peer)
{
    close(peer->watch.fd); /* which ends the watch too */
    peer->watch.fd = -1;
    if (!peer->is_held) /* else its turn comes, and finds it gone */
        peer_spare(peer);
}

void
serve_answer(struct serve_peer *peer, struct slice answer)
{
    bool was_held = peer->is_held;

    peer->is_held = false;
    if (peer->watch.fd < 0) {
        if (was_held)
            peer_spare(peer);
        return;
    }
    if (send(peer->watch.fd, answer.ptr, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)answer.len)
        peer_close(peer); /* our answers are small and one at a time: whoever has no room for one is gone */
}

static void
peer_read(struct serve_watch *watch, uint32_t events UNUSED)
{
    struct serve_peer *peer = (struct serve_peer *)watch;
    ssize_t n = recv(watch->fd, peer->in + peer->in_len, SERVE_INPUT_BYTES_MAX - peer->in_len, MSG_DONTWAIT);
    size_t head_len = 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        peer_close(peer);
        return;
    }
    if (peer->is_held)
        serve_stop_because("a client sent a request before it had its answer");
    peer->in_len += (size_t)n;
    size_t len = serve_message_len(slice_of(peer->in, peer->in_len), &head_len);
    if (len == 0)
        return;
    if (len != peer->in_len)
        serve_stop_because("a client sent a request before it had its answer");
    peer->in_len = 0;
    server.serve->on_request(peer, slice_of(peer->in, head_len),
                             slice_of(peer->in + head_len, len - head_len));
}

static struct serve_peer *
peer_take(void)
{
    struct serve_peer *peer = server.spare;

    if (peer != NULL) {
        server.spare = peer->next_spare;
        peer->in_len = 0;
        return peer;
    }
    peer = calloc(1, sizeof(*peer));
    if (peer == NULL || (peer->in = malloc(SERVE_INPUT_BYTES_MAX)) == NULL)
        serve_stop_because("no memory");
    peer->watch.on_ready = peer_read;
    peer->next_made = server.made;
    server.made = peer;
    return peer;
}

static void
peer_accept(struct serve_watch *listener, uint32_t events UNUSED)
{
    struct serve_peer *peer = peer_take();
    int one = 1;

    peer->watch.fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (peer->watch.fd < 0 || setsockopt(peer->watch.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0)
        serve_stop_because("a connection cannot be taken");
    serve_watch(&peer->watch, EPOLLIN);
}

/* The run. */

static void
commands_read(struct serve_watch *watch, uint32_t events UNUSED)
{
    ssize_t n = read(watch->fd, server.command + server.command_len, COMMAND_BYTES_MAX - server.command_len);

    if (n <= 0) {
        server.is_over = true;
        return;
    }
    server.command_len += (size_t)n;
    for (char *end; (end = memchr(server.command, '\n', server.command_len)) != NULL;) {
        size_t len = (size_t)(end - server.command);
        if (server.serve->on_command != NULL)
            server.serve->on_command(slice_of(server.command, len));
        server.command_len -= len + 1;
        memmove(server.command, end + 1, server.command_len);
    }
}

static void
listen_begin(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(address);

    server.listener = (struct serve_watch){ socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer_accept };
    server.commands = (struct serve_watch){ STDIN_FILENO, commands_read };
    server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server.listener.fd < 0 || server.epoll_fd < 0 ||
        bind(server.listener.fd, (const struct sockaddr *)&address, len) != 0 ||
        listen(server.listener.fd, 1024) != 0 ||
        getsockname(server.listener.fd, (struct sockaddr *)&address, &len) != 0)
        serve_stop_because("it cannot listen");
    serve_watch(&server.listener, EPOLLIN);
    serve_watch(&server.commands, EPOLLIN);
    printf("{\"port\":%u}\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
}

void
serve_run(const struct serve *serve)
{
    struct epoll_event events[EVENTS_MAX];
    struct rlimit files;

    server.serve = serve;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    listen_begin();
    while (!server.is_over) {
        int count =
            epoll_wait(server.epoll_fd, events, EVENTS_MAX, serve->on_turn == NULL ? -1 : serve->on_turn());
        for (int i = 0; i < count; i++) {
            struct serve_watch *watch = events[i].data.ptr;
            if (watch->fd >= 0)
                watch->on_ready(watch, events[i].events);
        }
    }
}
