/*
 * A stand-in for the WhatsApp Cloud API that costs next to nothing: it takes any POST, answers 200 with a
 * message id of its own, and checks nothing. (sandbox/graph is the one that behaves like the provider.)
 * HTTP/1.1 with keep-alive on a port of the loopback; one thread, epoll.
 *
 *     provider [--delay-ms N]
 *
 * It prints {"port": ...} when it listens, serves until its standard input ends, then prints how many it
 * took.
 */
#include "core/num.h"
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INPUT_BYTES_MAX 131072u
#define EVENTS_MAX      128

struct peer {
    int fd;
    char *in; /* owned */
    size_t in_len;
    uint64_t due_us;           /* when to answer; 0: nothing waits */
    struct peer *next_waiting; /* in the order of due_us, since every delay is the same */
    struct peer *next_spare, *next_made;
};

static struct {
    int epoll_fd, listen_fd;
    uint64_t delay_us, taken;
    struct peer *first, **last; /* who wait for their answer */
    struct peer *made, *spare;  /* all there ever were; those without a connection */
} provider = { .last = &provider.first };

NORETURN static void
stop_because(const char *what)
{
    fprintf(stderr, "provider: %s\n", what);
    exit(1);
}

static uint64_t
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void
peer_spare(struct peer *peer)
{
    peer->next_spare = provider.spare;
    provider.spare = peer;
}

static void
peer_close(struct peer *peer)
{
    close(peer->fd); /* which ends the watch too */
    peer->fd = -1;
    if (peer->due_us == 0) /* else its turn comes, and finds it gone */
        peer_spare(peer);
}

static void
peer_answer(struct peer *peer)
{
    char body[256], answer[512];

    int body_len =
        snprintf(body, sizeof(body),
                 "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"+14155550123\",\"wa_id\":"
                 "\"14155550123\"}],\"messages\":[{\"id\":\"wamid.BENCH%llu.%lld\"}]}",
                 (unsigned long long)++provider.taken, (long long)getpid());
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                       body_len, body);
    if (send(peer->fd, answer, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
        peer_close(peer); /* our answers are small and one at a time: whoever has no room for one is gone */
}

static void
waiting_answer(void)
{
    uint64_t now = now_us();

    while (provider.first != NULL && provider.first->due_us <= now) {
        struct peer *peer = provider.first;
        provider.first = peer->next_waiting;
        if (provider.first == NULL)
            provider.last = &provider.first;
        peer->due_us = 0;
        peer->next_waiting = NULL;
        if (peer->fd < 0)
            peer_spare(peer);
        else
            peer_answer(peer);
    }
}

/* The length of the whole request at the front of `in`; 0: it is not all there. */
static size_t
request_len(struct slice in)
{
    const char *end = in.len == 0 ? NULL : memmem(in.ptr, in.len, "\r\n\r\n", 4);
    uint64_t body = 0;

    if (end == NULL)
        return 0;
    size_t head_len = (size_t)(end - in.ptr) + 4;
    struct slice rest = slice_first(in, head_len);
    while (rest.len > 0) {
        struct slice line = slice_take_until(&rest, '\n'), name = slice_take_until(&line, ':');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (slice_eq_nocase(name, SLICE("Content-Length")) &&
            (num_u64_parse(slice_trim(line), &body) != ERR_OK || body > INPUT_BYTES_MAX))
            stop_because("a request has no length that makes sense");
    }
    return head_len + body <= in.len ? head_len + body : 0;
}

static void
peer_read(struct peer *peer)
{
    ssize_t n = recv(peer->fd, peer->in + peer->in_len, INPUT_BYTES_MAX - peer->in_len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        peer_close(peer);
        return;
    }
    if (peer->due_us != 0)
        stop_because("a client sent a request before it had its answer");
    peer->in_len += (size_t)n;
    size_t len = request_len(slice_of(peer->in, peer->in_len));
    if (len == 0)
        return;
    if (len != peer->in_len)
        stop_because("a client sent a request before it had its answer");
    peer->in_len = 0;
    if (provider.delay_us == 0) {
        peer_answer(peer);
        return;
    }
    peer->due_us = now_us() + provider.delay_us;
    *provider.last = peer;
    provider.last = &peer->next_waiting;
}

static struct peer *
peer_take(void)
{
    struct peer *peer = provider.spare;

    if (peer != NULL) {
        provider.spare = peer->next_spare;
        peer->in_len = 0;
        return peer;
    }
    peer = calloc(1, sizeof(*peer));
    if (peer == NULL || (peer->in = malloc(INPUT_BYTES_MAX)) == NULL)
        stop_because("no memory");
    peer->next_made = provider.made;
    provider.made = peer;
    return peer;
}

static void
peer_accept(void)
{
    struct peer *peer = peer_take();
    int one = 1;

    peer->fd = accept4(provider.listen_fd, NULL, NULL, SOCK_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = peer } };
    if (peer->fd < 0 || setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        epoll_ctl(provider.epoll_fd, EPOLL_CTL_ADD, peer->fd, &event) != 0)
        stop_because("a connection cannot be taken");
}

static void
listen_begin(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(address);
    struct epoll_event accepts = { .events = EPOLLIN, .data = { .ptr = &provider.listen_fd } };
    struct epoll_event ends = { .events = EPOLLIN, .data = { .ptr = NULL } };

    provider.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    provider.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (provider.listen_fd < 0 || provider.epoll_fd < 0 ||
        bind(provider.listen_fd, (const struct sockaddr *)&address, len) != 0 ||
        listen(provider.listen_fd, 1024) != 0 ||
        getsockname(provider.listen_fd, (struct sockaddr *)&address, &len) != 0 ||
        epoll_ctl(provider.epoll_fd, EPOLL_CTL_ADD, provider.listen_fd, &accepts) != 0 ||
        epoll_ctl(provider.epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &ends) != 0)
        stop_because("it cannot listen; its standard input must be a pipe");
    printf("{\"port\":%u}\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
}

static int
wait_ms(void)
{
    if (provider.first == NULL)
        return -1;
    uint64_t now = now_us();
    return provider.first->due_us <= now ? 0 : (int)((provider.first->due_us - now + 999) / 1000);
}

int
main(int argc, char **argv)
{
    static const struct option names[] = { { "delay-ms", required_argument, NULL, 'd' },
                                           { NULL, 0, NULL, 0 } };
    struct epoll_event events[EVENTS_MAX];
    struct rusage usage;
    int delay_ms = 0;

    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;)
        if (name != 'd' || num_int_parse(slice_text(optarg), 0, 60000, &delay_ms) != ERR_OK)
            stop_because("usage: provider [--delay-ms N]");
    provider.delay_us = (uint64_t)delay_ms * 1000u;
    listen_begin();
    for (bool is_over = false; !is_over;) {
        int count = epoll_wait(provider.epoll_fd, events, EVENTS_MAX, wait_ms());
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                is_over = true; /* nothing is ever written to us: it ended */
            else if (events[i].data.ptr == &provider.listen_fd)
                peer_accept();
            else
                peer_read(events[i].data.ptr);
        }
        waiting_answer();
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"taken\":%llu,\"cpu_us\":%lld}\n", (unsigned long long)provider.taken,
           (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
               usage.ru_stime.tv_usec);
    return 0;
}
