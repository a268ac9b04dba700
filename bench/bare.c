/*
 * The least that accepts messages durably: libmicrohttpd on a loop of its own, as the gateway's, and the same
 * rows into plain tables (plain.h; their keys, no row-level security, no other index). A request is read
 * whole and neither parsed nor checked; its row is made up, but for its idempotency key. Then 202, after the
 * commit.
 *
 *     bare --way group|each|none [--connections 8] [--content-bytes 90]
 *
 *     group  one thread commits all that has queued, at once, with no wait for more
 *     each   one commit per message, by so many connections
 *     none   a thread takes all that has queued and gives it back: the same front end without a commit
 *
 * BARE_DATABASE holds a connection string whose search_path leads to the plain tables. It prints {"port":
 * ...} when it listens, serves until its standard input ends, then prints how many it took, in how many
 * commits.
 */
#include "core/num.h"
#include "plain.h"
#include <errno.h>
#include <getopt.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_BYTES_MAX    16384u
#define BATCH_MAX         4096u
#define COMMITTERS_MAX    64
#define CONTENT_BYTES_MAX 16384
#define CONNECTIONS_LIMIT 20000u
#define KEY_BYTES         256u

struct request {
    struct MHD_Connection *connection;
    struct request *next;
    bool is_done;
    size_t body_len, key_len;
    struct id id;
    char key[KEY_BYTES], body[BODY_BYTES_MAX];
};

struct list {
    struct request *first, **last;
};

struct committer {
    pthread_t thread;
    struct plain *plain; /* NULL: nothing is committed */
    uint64_t rows, commits, random;
    struct message_new *messages; /* owned, with the bytes that they point to */
    char *bytes;
};

static struct {
    struct slice way;
    int committers, content_bytes, event_fd, listen_fd;
    struct MHD_Daemon *daemon;
    struct request *spare; /* the loop thread's */
    pthread_mutex_t lock;  /* guards all below */
    pthread_cond_t has_work;
    struct list queue, done;
    bool is_over;
} bare = { .committers = 1,
           .content_bytes = 90,
           .lock = PTHREAD_MUTEX_INITIALIZER,
           .has_work = PTHREAD_COND_INITIALIZER,
           .queue = { NULL, &bare.queue.first },
           .done = { NULL, &bare.done.first } };

NORETURN static void
stop_because(const char *what)
{
    fprintf(stderr, "bare: %s\n", what);
    exit(1);
}

static void
list_add(struct list *list, struct request *request)
{
    request->next = NULL;
    *list->last = request;
    list->last = &request->next;
}

static struct request *
list_take_all(struct list *list)
{
    struct request *first = list->first;

    *list = (struct list){ NULL, &list->first };
    return first;
}

/* The committers. */

/* Up to `max` of what has queued; NULL: it is over. */
static struct request *
work_take(size_t max)
{
    struct request *first, *last;

    pthread_mutex_lock(&bare.lock);
    while (bare.queue.first == NULL && !bare.is_over)
        pthread_cond_wait(&bare.has_work, &bare.lock);
    first = last = bare.queue.first;
    for (size_t n = 1; last != NULL && last->next != NULL && n < max; n++)
        last = last->next;
    if (last != NULL) {
        bare.queue.first = last->next;
        if (last->next == NULL)
            bare.queue.last = &bare.queue.first;
        last->next = NULL;
    }
    pthread_mutex_unlock(&bare.lock);
    return first;
}

static void
work_give(struct request *first)
{
    uint64_t one = 1;
    bool was_empty;

    pthread_mutex_lock(&bare.lock);
    was_empty = bare.done.first == NULL;
    for (struct request *next; first != NULL; first = next) {
        next = first->next;
        list_add(&bare.done, first);
    }
    pthread_mutex_unlock(&bare.lock);
    if (was_empty && write(bare.event_fd, &one, sizeof(one)) != sizeof(one))
        stop_because("the loop cannot be woken");
}

static void *
committer_run(void *ctx)
{
    struct committer *committer = ctx;
    size_t content = (size_t)bare.content_bytes, room = content + PLAIN_PEER_BYTES;
    size_t max = slice_eq(bare.way, SLICE("each")) ? 1 : BATCH_MAX;

    for (struct request *first; (first = work_take(max)) != NULL; work_give(first)) {
        size_t count = 0;
        for (struct request *request = first; request != NULL; request = request->next, count++) {
            plain_draw(&committer->random, 0, slice_of(request->key, request->key_len), content,
                       committer->bytes + count * room, &committer->messages[count]);
            request->id = committer->messages[count].id;
        }
        if (committer->plain != NULL)
            plain_commit(committer->plain, committer->messages, count);
        committer->rows += count;
        committer->commits++;
    }
    return NULL;
}

/* HTTP. */

static enum MHD_Result
answer(struct MHD_Connection *connection, const struct request *request)
{
    char id[ID_UUID_BYTES], body[128];

    id_uuid_print(request->id, id);
    int len = snprintf(body, sizeof(body), "{\"id\":\"%s\",\"status\":\"accepted\"}", id);
    struct MHD_Response *response = MHD_create_response_from_buffer((size_t)len, body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result =
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (result == MHD_YES)
        result = MHD_queue_response(connection, MHD_HTTP_ACCEPTED, response);
    MHD_destroy_response(response);
    return result;
}

static struct request *
request_new(struct MHD_Connection *connection)
{
    struct request *request = bare.spare;

    if (request != NULL)
        bare.spare = request->next;
    else if ((request = malloc(sizeof(*request))) == NULL)
        stop_because("no memory");
    request->connection = connection;
    request->is_done = false;
    request->body_len = request->key_len = 0;
    return request;
}

static enum MHD_Result
on_access(void *ctx UNUSED, struct MHD_Connection *connection, const char *url UNUSED,
          const char *method UNUSED, const char *version UNUSED, const char *data, size_t *size, void **seat)
{
    struct request *request = *seat;

    if (request == NULL) {
        *seat = request_new(connection);
        return MHD_YES;
    }
    if (request->is_done)
        return answer(connection, request);
    if (*size > 0) {
        if (*size > BODY_BYTES_MAX - request->body_len)
            return MHD_NO;
        memcpy(request->body + request->body_len, data, *size);
        request->body_len += *size;
        *size = 0;
        return MHD_YES;
    }
    const char *key = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Idempotency-Key");
    if (key == NULL || strlen(key) >= KEY_BYTES)
        return MHD_NO;
    request->key_len = strlen(key);
    memcpy(request->key, key, request->key_len);
    MHD_suspend_connection(connection);
    pthread_mutex_lock(&bare.lock);
    list_add(&bare.queue, request);
    pthread_cond_signal(&bare.has_work);
    pthread_mutex_unlock(&bare.lock);
    return MHD_YES;
}

static void
on_completed(void *ctx UNUSED, struct MHD_Connection *connection UNUSED, void **seat,
             enum MHD_RequestTerminationCode why UNUSED)
{
    struct request *request = *seat;

    if (request == NULL)
        return;
    request->next = bare.spare;
    bare.spare = request;
    *seat = NULL;
}

static void
listen_begin(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(address);

    bare.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bare.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bare.listen_fd < 0 || bare.event_fd < 0 ||
        bind(bare.listen_fd, (const struct sockaddr *)&address, len) != 0 ||
        listen(bare.listen_fd, 4096) != 0 ||
        getsockname(bare.listen_fd, (struct sockaddr *)&address, &len) != 0)
        stop_because("it cannot listen");
    bare.daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, NULL,
                         MHD_OPTION_LISTEN_SOCKET, bare.listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                         CONNECTIONS_LIMIT, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (bare.daemon == NULL)
        stop_because("libmicrohttpd does not start");
    printf("{\"port\":%u}\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
}

/* Until standard input ends. */
static void
serve(void)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(bare.daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd fds[] = { { .fd = info == NULL ? -1 : info->epoll_fd, .events = POLLIN },
                            { .fd = bare.event_fd, .events = POLLIN },
                            { .fd = STDIN_FILENO, .events = POLLIN } };

    while ((fds[2].revents & (POLLIN | POLLHUP)) == 0) {
        MHD_UNSIGNED_LONG_LONG library_ms;
        uint64_t count;
        int timeout_ms = MHD_get_timeout(bare.daemon, &library_ms) == MHD_YES && library_ms < 1000
                             ? (int)library_ms
                             : 1000;
        if (poll(fds, COUNT_OF(fds), timeout_ms) < 0 && errno != EINTR)
            stop_because("poll");
        if ((fds[1].revents & POLLIN) != 0 && read(bare.event_fd, &count, sizeof(count)) < 0 &&
            errno != EAGAIN)
            stop_because("the event cannot be read");
        pthread_mutex_lock(&bare.lock);
        struct request *done = list_take_all(&bare.done);
        pthread_mutex_unlock(&bare.lock);
        for (struct request *next; done != NULL; done = next) {
            next = done->next;
            done->is_done = true;
            MHD_resume_connection(done->connection);
        }
        if (MHD_run(bare.daemon) != MHD_YES)
            stop_because("libmicrohttpd fails");
    }
}

static void
options_read(int argc, char **argv)
{
    static const struct option names[] = { { "way", required_argument, NULL, 'w' },
                                           { "connections", required_argument, NULL, 'c' },
                                           { "content-bytes", required_argument, NULL, 'n' },
                                           { NULL, 0, NULL, 0 } };

    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;)
        if (name == 'w')
            bare.way = slice_text(optarg);
        else if (name != 'c' && name != 'n')
            stop_because("unknown option");
        else if (num_int_parse(slice_text(optarg), 1, name == 'c' ? COMMITTERS_MAX : CONTENT_BYTES_MAX,
                               name == 'c' ? &bare.committers : &bare.content_bytes) != ERR_OK)
            stop_because("a number is out of its range");
    if (!slice_eq(bare.way, SLICE("group")) && !slice_eq(bare.way, SLICE("each")) &&
        !slice_eq(bare.way, SLICE("none")))
        stop_because("usage: bare --way group|each|none [--connections N] [--content-bytes N]");
}

int
main(int argc, char **argv)
{
    static struct committer committers[COMMITTERS_MAX];
    const char *database = getenv("BARE_DATABASE");
    uint64_t rows = 0, commits = 0;
    struct rusage usage;

    options_read(argc, argv);
    bool is_committed = !slice_eq(bare.way, SLICE("none"));
    if (is_committed && database == NULL)
        stop_because("BARE_DATABASE is not set");
    for (int i = 0; i < bare.committers; i++) {
        struct committer *committer = &committers[i];
        committer->random = (uint64_t)getpid() << 32 | (uint64_t)i;
        committer->messages = calloc(BATCH_MAX, sizeof(*committer->messages));
        committer->bytes = calloc(BATCH_MAX, (size_t)bare.content_bytes + PLAIN_PEER_BYTES);
        if (committer->messages == NULL || committer->bytes == NULL)
            stop_because("no memory");
        committer->plain = is_committed ? plain_open(database, false) : NULL;
        if (pthread_create(&committer->thread, NULL, committer_run, committer) != 0)
            stop_because("no thread");
    }
    listen_begin();
    serve();
    pthread_mutex_lock(&bare.lock);
    bare.is_over = true;
    pthread_cond_broadcast(&bare.has_work);
    pthread_mutex_unlock(&bare.lock);
    for (int i = 0; i < bare.committers; i++) {
        pthread_join(committers[i].thread, NULL);
        rows += committers[i].rows;
        commits += committers[i].commits;
        plain_close(committers[i].plain);
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"rows\":%llu,\"commits\":%llu,\"cpu_us\":%lld}\n", (unsigned long long)rows,
           (unsigned long long)commits,
           (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
               usage.ru_stime.tv_usec);
    return 0;
}
