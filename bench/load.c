/*
 * A load generator: N keep-alive HTTP/1.1 connections over TCP, each with one request under way, for a number
 * of seconds or of requests. One thread, epoll. It prints one line of JSON: rate, statuses, latencies.
 *
 *     load --to 127.0.0.1:8080 --requests FILE --connections 64 --seconds 2 [--warm-up-ms 300] [--unique
 * PREFIX]
 *
 * Each line of FILE is a request, its parts parted by tabs: "POST /v1/messages", header lines, and last the
 * body (so neither may hold a tab). They are sent in turn. --unique adds "Idempotency-Key: PREFIX-<number>"
 * to each. In a body, @@@@@@@@@@@@ becomes the request's number, and ~~~~~~~~~~~~~~~~ the microseconds of the
 * monotonic clock when it was due. --sign SECRET signs each body as Meta does (X-Hub-Signature-256).
 *
 * The loop is closed: a connection sends its next request when the last one is answered. So a stalled server
 * is asked less, and its percentiles are those of the requests that were made. With --rate N it is open: so
 * many are due each second, whatever became of the earlier ones, and latencies count from when a request was
 * due.
 *
 * --hold keeps the connections open after the result, until standard input ends.
 */
#include "core/num.h"
#include "crypto/encode.h"
#include "crypto/mac.h"
#include "histogram.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX   20000
#define REQUESTS_MAX      4096u
#define FILE_BYTES_MAX    (64u << 20)
#define REQUEST_BYTES_MAX 70000u
#define ANSWER_BYTES_MAX  16384u /* of a head; a body may be longer, and is thrown away */
#define EVENTS_MAX        256
#define DRAIN_US          10000000 /* for the last answers */
#define FAILURES_MAX      1000u    /* broken connections: then the run is of no worth */

#define NUMBER_MARK "@@@@@@@@@@@@"
#define TIME_MARK   "~~~~~~~~~~~~~~~~"

struct request {
    struct slice head, body;         /* head without its empty line */
    const char *number_at, *time_at; /* in the body; NULL: nothing is put in */
};

struct connection {
    int fd;
    bool is_waiting; /* for an answer */
    uint64_t began_us;
    char *out; /* owned: the request that is being sent */
    size_t out_len, out_at;
    char *in; /* owned: the head of the answer */
    size_t in_len;
    size_t body_left;             /* of an answer whose head is read */
    int status;                   /* of it; 0: its head is not complete */
    struct connection *next_idle; /* --rate */
};

struct options {
    struct sockaddr_in to;
    const char *requests, *unique, *sign;
    int connections, seconds, warm_up_ms, rate; /* rate 0: as fast as they are answered */
    bool is_held;
    uint64_t count; /* 0: by time */
};

static struct {
    struct options options;
    struct request requests[REQUESTS_MAX];
    size_t request_count;
    struct connection *connections;
    int epoll_fd;
    uint64_t sent, answered, failures, reconnects;
    uint64_t statuses[600],
        statuses_window[600];              /* of all, and of those inside the window that is measured */
    uint64_t window_from_us, window_to_us; /* to: 0 when it ends with the last request */
    bool is_window, is_stopping;
    struct connection *idle, **idle_last; /* --rate: in turn */
    uint64_t began_us;
    struct histogram latency;
    char refusal[400];
} load;

NORETURN static void
stop_because(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static uint64_t
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* The requests. */

static char *
file_read(const char *path, size_t *len_out)
{
    struct stat facts;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &facts) != 0 || facts.st_size <= 0 || facts.st_size > (off_t)FILE_BYTES_MAX)
        stop_because("the file of requests cannot be read, is empty or too long");
    size_t len = (size_t)facts.st_size, have = 0;
    char *text = malloc(len);
    if (text == NULL)
        stop_because("no memory");
    for (ssize_t n; have < len && (n = read(fd, text + have, len - have)) > 0;)
        have += (size_t)n;
    if (have != len)
        stop_because("the file of requests cannot be read");
    close(fd);
    *len_out = len;
    return text;
}

static struct request
request_make(struct slice line)
{
    size_t room = line.len + 256;
    char *head = malloc(room);
    struct slice target = slice_take_until(&line, '\t');

    if (head == NULL)
        stop_because("no memory");
    size_t len = (size_t)snprintf(head, room, "%.*s HTTP/1.1\r\nHost: bench\r\n", SLICE_FMT(target));
    while (slice_find(line, '\t') < line.len) {
        struct slice header = slice_take_until(&line, '\t');
        len += (size_t)snprintf(head + len, room - len, "%.*s\r\n", SLICE_FMT(header));
    }
    len += (size_t)snprintf(head + len, room - len, "Content-Length: %zu\r\n", line.len);
    if (len + line.len + 1024 > REQUEST_BYTES_MAX)
        stop_because("a request is too long");
    return (struct request){ .head = slice_of(head, len),
                             .body = line,
                             .number_at = memmem(line.ptr, line.len, NUMBER_MARK, strlen(NUMBER_MARK)),
                             .time_at = memmem(line.ptr, line.len, TIME_MARK, strlen(TIME_MARK)) };
}

static void
requests_read(void)
{
    size_t len = 0;
    char *text = file_read(load.options.requests, &len);
    struct slice rest = slice_of(text, len);

    while (rest.len > 0) {
        struct slice line = slice_take_until(&rest, '\n');
        if (line.len == 0)
            continue;
        if (load.request_count == REQUESTS_MAX)
            stop_because("too many requests in the file");
        load.requests[load.request_count++] = request_make(line);
    }
}

/* Connections. */

static void
connection_open(struct connection *connection)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data = { .ptr = connection } };
    int one = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        stop_because("no socket: is the limit of open files high enough?");
    if (connect(connection->fd, (const struct sockaddr *)&load.options.to, sizeof(load.options.to)) != 0)
        stop_because("the server does not take the connection");
    if (setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        stop_because("a connection cannot be watched");
}

static void
connections_open(void)
{
    size_t count = (size_t)load.options.connections;

    load.idle_last = &load.idle;
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load.connections = calloc(count, sizeof(*load.connections));
    if (load.epoll_fd < 0 || load.connections == NULL)
        stop_because("no memory");
    for (size_t i = 0; i < count; i++) {
        struct connection *connection = &load.connections[i];
        connection->out = malloc(REQUEST_BYTES_MAX);
        connection->in = malloc(ANSWER_BYTES_MAX);
        if (connection->out == NULL || connection->in == NULL)
            stop_because("no memory");
        connection_open(connection);
    }
}

static void connection_fail(struct connection *connection);

/* Sends what is left of the request; EPOLLOUT is asked for only when the socket is full. */
static void
connection_flush(struct connection *connection)
{
    while (connection->out_at < connection->out_len) {
        ssize_t n = send(connection->fd, connection->out + connection->out_at,
                         connection->out_len - connection->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            connection_fail(connection);
            return;
        }
        if (n < 0)
            break;
        connection->out_at += (size_t)n;
    }
    bool is_full = connection->out_at < connection->out_len;
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | (is_full ? (uint32_t)EPOLLOUT : 0u),
                                 .data = { .ptr = connection } };
    static bool was_ever_full; /* the usual request fits: then nothing has to be changed */
    was_ever_full = was_ever_full || is_full;
    if (was_ever_full && epoll_ctl(load.epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) != 0)
        stop_because("a connection cannot be watched");
}

static void
signature_add(struct connection *connection, struct slice body)
{
    unsigned char mac[MAC_BYTES];
    struct buf hex;

    buf_init(&hex, 2 * MAC_BYTES);
    if (mac_sha256(slice_text(load.options.sign), body, mac) != ERR_OK)
        stop_because("a body cannot be signed");
    encode_hex(&hex, slice_of((const char *)mac, sizeof(mac)));
    connection->out_len +=
        (size_t)snprintf(connection->out + connection->out_len, 128, "X-Hub-Signature-256: sha256=%.*s\r\n",
                         SLICE_FMT(buf_slice(&hex)));
    buf_release(&hex);
}

static void
request_build(struct connection *connection, const struct request *request)
{
    static char body[REQUEST_BYTES_MAX];
    char digits[24];

    memcpy(body, request->body.ptr, request->body.len);
    if (request->number_at != NULL) {
        snprintf(digits, sizeof(digits), "%012llu", (unsigned long long)load.sent);
        memcpy(body + (request->number_at - request->body.ptr), digits, strlen(NUMBER_MARK));
    }
    if (request->time_at != NULL) {
        snprintf(digits, sizeof(digits), "%016llu", (unsigned long long)connection->began_us);
        memcpy(body + (request->time_at - request->body.ptr), digits, strlen(TIME_MARK));
    }
    memcpy(connection->out, request->head.ptr, request->head.len);
    connection->out_len = request->head.len;
    if (load.options.unique != NULL)
        connection->out_len +=
            (size_t)snprintf(connection->out + connection->out_len, 300, "Idempotency-Key: %s-%llu\r\n",
                             load.options.unique, (unsigned long long)load.sent);
    if (load.options.sign != NULL)
        signature_add(connection, slice_of(body, request->body.len));
    memcpy(connection->out + connection->out_len, "\r\n", 2);
    connection->out_len += 2;
    memcpy(connection->out + connection->out_len, body, request->body.len);
    connection->out_len += request->body.len;
}

static void
connection_send_at(struct connection *connection, uint64_t began_us)
{
    connection->began_us = began_us;
    request_build(connection, &load.requests[load.sent % load.request_count]);
    connection->out_at = 0;
    connection->in_len = 0;
    connection->status = 0;
    connection->is_waiting = true;
    load.sent++;
    connection_flush(connection);
}

/* This connection is free: its next request, or with --rate its place among those that wait for one. */
static void
connection_send(struct connection *connection)
{
    if (load.is_stopping || (load.options.count != 0 && load.sent == load.options.count))
        return;
    if (load.options.rate == 0) {
        connection_send_at(connection, now_us());
        return;
    }
    connection->next_idle = NULL;
    *load.idle_last = connection;
    load.idle_last = &connection->next_idle;
}

/* --rate: what is due by now. While no connection is free it waits, and its wait counts. */
static void
due_send(uint64_t now)
{
    uint64_t due = (now - load.began_us) * (uint64_t)load.options.rate / 1000000u;

    while (load.sent < due && load.idle != NULL && !load.is_stopping &&
           (load.options.count == 0 || load.sent < load.options.count)) {
        struct connection *connection = load.idle;
        load.idle = connection->next_idle;
        if (load.idle == NULL)
            load.idle_last = &load.idle;
        connection_send_at(connection, load.began_us + load.sent * 1000000u / (uint64_t)load.options.rate);
    }
}

/* A broken connection is made anew; the request that was under way counts as failed. */
static void
connection_fail(struct connection *connection)
{
    close(connection->fd); /* which ends the watch too */
    if (connection->is_waiting && ++load.failures > FAILURES_MAX)
        stop_because("too many connections broke");
    load.reconnects++;
    connection->is_waiting = false;
    if (load.is_stopping) {
        connection->fd = -1;
        return;
    }
    connection_open(connection);
    connection_send(connection);
}

/* Answers. */

/* Status and length from a complete head; false: it is not one that we understand. */
static bool
head_read(struct slice head, int *status_out, size_t *body_out)
{
    struct slice rest = head, line = slice_take_until(&rest, '\n');
    uint64_t body = 0;

    if (line.len < 12 || !slice_starts_with(line, SLICE("HTTP/1.1 ")) ||
        num_int_parse(slice_first(slice_drop(line, 9), 3), 100, 599, status_out) != ERR_OK)
        return false;
    while (rest.len > 0) {
        line = slice_take_until(&rest, '\n');
        struct slice name = slice_take_until(&line, ':');
        if (slice_eq_nocase(name, SLICE("Transfer-Encoding")))
            return false;
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (slice_eq_nocase(name, SLICE("Content-Length")) &&
            num_u64_parse(slice_trim(line), &body) != ERR_OK)
            return false;
    }
    *body_out = (size_t)body;
    return true;
}

static void
answer_done(struct connection *connection)
{
    uint64_t now = now_us();

    connection->is_waiting = false;
    load.answered++;
    load.statuses[connection->status]++;
    if (!load.is_window && now >= load.window_from_us) {
        load.is_window = true;
        load.window_from_us = now;
    } else if (load.is_window && (load.window_to_us == 0 || now <= load.window_to_us)) {
        load.statuses_window[connection->status]++;
        histogram_add(&load.latency, now - connection->began_us);
    }
    if (load.window_to_us != 0 && now > load.window_to_us)
        load.is_stopping = true;
    connection_send(connection);
}

enum answer { ANSWER_INCOMPLETE, ANSWER_WHOLE, ANSWER_BROKEN };

/* The beginning of the first refusal, for whoever looks for the reason. */
static void
refusal_keep(struct slice body)
{
    size_t len = body.len < sizeof(load.refusal) - 1 ? body.len : sizeof(load.refusal) - 1;

    for (size_t i = 0; i < len; i++)
        load.refusal[i] = body.ptr[i] < ' ' || body.ptr[i] == '"' || body.ptr[i] == '\\' ? '\'' : body.ptr[i];
}

static enum answer
answer_take(struct connection *connection, size_t got)
{
    connection->in_len += got;
    if (connection->status == 0) {
        const char *end = memmem(connection->in, connection->in_len, "\r\n\r\n", 4);
        if (end == NULL)
            return connection->in_len < ANSWER_BYTES_MAX ? ANSWER_INCOMPLETE : ANSWER_BROKEN;
        size_t head_len = (size_t)(end - connection->in) + 4, have = connection->in_len - head_len;
        size_t body = 0;
        if (!head_read(slice_of(connection->in, head_len), &connection->status, &body) || have > body)
            return ANSWER_BROKEN;
        connection->body_left = body - have;
        if (connection->status >= 400 && load.refusal[0] == '\0')
            refusal_keep(slice_of(end + 4, have));
    } else {
        if (connection->in_len > connection->body_left)
            return ANSWER_BROKEN;
        connection->body_left -= connection->in_len;
    }
    connection->in_len = 0;
    return connection->body_left == 0 ? ANSWER_WHOLE : ANSWER_INCOMPLETE;
}

static void
connection_read(struct connection *connection)
{
    for (;;) {
        ssize_t n = recv(connection->fd, connection->in + connection->in_len,
                         ANSWER_BYTES_MAX - connection->in_len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        enum answer answer =
            n <= 0 || !connection->is_waiting ? ANSWER_BROKEN : answer_take(connection, (size_t)n);
        if (answer == ANSWER_BROKEN)
            connection_fail(connection);
        else if (answer == ANSWER_WHOLE)
            answer_done(connection); /* and nothing more can be there yet */
        if (answer != ANSWER_INCOMPLETE)
            return;
    }
}

/* The run. */

static bool
is_done(uint64_t now, uint64_t give_up_us)
{
    if (load.options.count != 0)
        load.is_stopping = load.sent == load.options.count;
    else if (now > load.window_to_us)
        load.is_stopping = true;
    if (!load.is_stopping)
        return false;
    return load.answered + load.failures >= load.sent || now > give_up_us;
}

static void
run(void)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t now = now_us(), give_up_us = UINT64_MAX;

    load.began_us = now;
    load.window_from_us = now + (uint64_t)load.options.warm_up_ms * 1000u;
    if (load.options.count == 0) {
        load.window_to_us = load.window_from_us + (uint64_t)load.options.seconds * 1000000u;
        give_up_us = load.window_to_us + DRAIN_US;
    }
    for (int i = 0; i < load.options.connections; i++)
        connection_send(&load.connections[i]);
    while (!is_done(now, give_up_us)) {
        if (load.options.rate != 0)
            due_send(now);
        int count = epoll_wait(load.epoll_fd, events, EVENTS_MAX, load.options.rate != 0 ? 1 : 100);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) != 0)
                connection_flush(connection);
            if ((events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
                connection_read(connection);
        }
        now = now_us();
    }
    if (load.window_to_us == 0 || now < load.window_to_us)
        load.window_to_us = now;
}

static void
statuses_print(const char *name, const uint64_t *statuses)
{
    const char *comma = "";

    printf("\"%s\":{", name);
    for (int status = 0; status < 600; status++) {
        if (statuses[status] == 0)
            continue;
        printf("%s\"%d\":%llu", comma, status, (unsigned long long)statuses[status]);
        comma = ",";
    }
    printf("}");
}

static void
result_print(void)
{
    uint64_t good = 0, window_us = load.window_to_us - load.window_from_us;
    struct rusage usage;

    for (int status = 200; status < 300; status++)
        good += load.statuses_window[status];
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"connections\":%d,\"window_us\":%llu,\"good\":%llu,\"rate\":%.2f,", load.options.connections,
           (unsigned long long)window_us, (unsigned long long)good,
           window_us == 0 ? 0.0 : (double)good * 1000000.0 / (double)window_us);
    statuses_print("statuses", load.statuses_window);
    printf(",");
    statuses_print("statuses_all", load.statuses);
    printf(",\"unanswered\":%llu,\"reconnects\":%llu,", (unsigned long long)(load.sent - load.answered),
           (unsigned long long)load.reconnects);
    printf("\"refusal\":\"%s\",", load.refusal);
    printf("\"p50_us\":%llu,\"p90_us\":%llu,\"p99_us\":%llu,\"p999_us\":%llu,\"max_us\":%llu,",
           (unsigned long long)histogram_at(&load.latency, 500),
           (unsigned long long)histogram_at(&load.latency, 900),
           (unsigned long long)histogram_at(&load.latency, 990),
           (unsigned long long)histogram_at(&load.latency, 999), (unsigned long long)load.latency.max_us);
    printf("\"cpu_us\":%lld}\n", (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                                     usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void
address_read(const char *text, struct sockaddr_in *out)
{
    char host[INET_ADDRSTRLEN] = "";
    struct slice rest = slice_text(text), name = slice_take_until(&rest, ':');
    int port = 0;

    if (name.len < sizeof(host))
        memcpy(host, name.ptr, name.len);
    *out = (struct sockaddr_in){ .sin_family = AF_INET };
    if (inet_pton(AF_INET, host, &out->sin_addr) != 1 || num_int_parse(rest, 1, 65535, &port) != ERR_OK)
        stop_because("--to wants ADDRESS:PORT");
    if ((ntohl(out->sin_addr.s_addr) >> 24) != 127)
        stop_because("--to wants an address of the loopback: nothing else is to be loaded");
    out->sin_port = htons((uint16_t)port);
}

static int
number_read(const char *text, int min, int max)
{
    int number = 0;

    if (num_int_parse(slice_text(text), min, max, &number) != ERR_OK)
        stop_because("a number is out of its range");
    return number;
}

static void
options_read(int argc, char **argv)
{
    static const struct option names[] = {
        { "to", required_argument, NULL, 't' },
        { "requests", required_argument, NULL, 'r' },
        { "connections", required_argument, NULL, 'c' },
        { "seconds", required_argument, NULL, 's' },
        { "count", required_argument, NULL, 'n' },
        { "warm-up-ms", required_argument, NULL, 'w' },
        { "unique", required_argument, NULL, 'u' },
        { "rate", required_argument, NULL, 'a' },
        { "sign", required_argument, NULL, 'g' },
        { "hold", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct options *options = &load.options;

    options->connections = 1;
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 't':
            address_read(optarg, &options->to);
            break;
        case 'r':
            options->requests = optarg;
            break;
        case 'c':
            options->connections = number_read(optarg, 1, CONNECTIONS_MAX);
            break;
        case 's':
            options->seconds = number_read(optarg, 1, 3600);
            break;
        case 'n':
            options->count = (uint64_t)number_read(optarg, 1, 100000000);
            break;
        case 'w':
            options->warm_up_ms = number_read(optarg, 0, 60000);
            break;
        case 'u':
            options->unique = optarg;
            break;
        case 'a':
            options->rate = number_read(optarg, 1, 1000000);
            break;
        case 'g':
            options->sign = optarg;
            break;
        case 'h':
            options->is_held = true;
            break;
        default:
            stop_because("unknown option");
        }
    }
    if (options->to.sin_port == 0 || options->requests == NULL ||
        (options->seconds == 0) == (options->count == 0))
        stop_because(
            "usage: load --to 127.0.0.1:PORT --requests FILE (--seconds S | --count N) [--connections N]"
            " [--warm-up-ms MS] [--unique PREFIX] [--rate N] [--sign SECRET] [--hold]");
    if (options->unique != NULL && strlen(options->unique) > 200)
        stop_because("--unique is too long");
}

int
main(int argc, char **argv)
{
    struct rlimit files;

    options_read(argc, argv);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    requests_read();
    connections_open();
    run();
    result_print();
    fflush(stdout);
    if (load.options.is_held)
        while (read(STDIN_FILENO, &(char){ 0 }, 1) > 0) {
        }
    return 0;
}
