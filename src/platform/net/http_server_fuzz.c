/* A whole server fed with whatever bytes: what reaches its handler must be as http_server.h says, however it
 * was sent. */
#include "core/fuzz.h"
#include "core/log.h"
#include "platform/net/http_server.h"
#include "wire/http/field.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_BYTES_MAX 100u

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_len;
static struct http_server *server;

static size_t
body_limit(void *ctx, enum http_method method, struct slice path)
{
    (void)ctx;
    FUZZ_CHECK(method <= HTTP_OTHER && path.len != 0);
    if (slice_eq(path, SLICE("/unread")))
        return HTTP_BODY_UNREAD;
    return method == HTTP_GET ? 0 : BODY_BYTES_MAX;
}

static size_t
count_of(const struct http_request *request, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < request->header_count; i++)
        count += slice_eq_nocase(request->headers[i].name, slice_text(name));
    return count;
}

static enum err
handle(void *ctx, struct http_request *request, struct http_response *response)
{
    (void)ctx;
    bool is_star = request->method == HTTP_OPTIONS && slice_eq(request->path, SLICE("*"));

    FUZZ_CHECK(is_star || request->path.ptr[0] == '/');
    for (size_t i = 0; i < request->path.len; i++) {
        char c = request->path.ptr[i];
        FUZZ_CHECK(is_star || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   (c != '\0' && strchr("/_.~-%", c) != NULL));
    }
    FUZZ_CHECK(request->header_count <= HTTP_HEADERS_MAX && request->query_count <= HTTP_QUERY_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice value = request->headers[i].value;
        FUZZ_CHECK(field_is_name(request->headers[i].name) && field_is_value(value));
        FUZZ_CHECK(slice_eq(slice_trim(value), value));
    }
    for (size_t i = 0; i < request->query_count; i++)
        FUZZ_CHECK(slice_is_utf8(request->query[i].name) && slice_is_utf8(request->query[i].value) &&
                   field_is_value(request->query[i].value));
    size_t lengths = count_of(request, "Content-Length"), codings = count_of(request, "Transfer-Encoding");
    FUZZ_CHECK(count_of(request, "Host") <= 1 && lengths + codings <= 1);
    FUZZ_CHECK(request->body.len <= (request->method == HTTP_GET ? 0 : BODY_BYTES_MAX));
    FUZZ_CHECK(request->body.len == 0 || lengths + codings == 1);
    response->status = 200;
    response->content_type = SLICE("text/plain");
    response->body = request->body;
    return ERR_OK;
}

static void *
run(void *ctx)
{
    (void)ctx;
    FUZZ_CHECK(http_server_run(server, NULL, NULL) == ERR_OK);
    return NULL;
}

static void
server_start(void)
{
    pthread_t thread;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    log_open("fuzz", LOG_ERROR, STDERR_FILENO);
    /* In the abstract namespace: nothing to clean up. */
    address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                              (size_t)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
                                               "harkara-fuzz-%d", getpid()));
    FUZZ_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, address_len) == 0 && listen(fd, 16) == 0);
    FUZZ_CHECK(http_server_new(&(struct http_server_config){ .listen_fd = fd,
                                                             .workers = 1,
                                                             .connections_max = 64,
                                                             .queue_max = 16,
                                                             .body_bytes_max = BODY_BYTES_MAX,
                                                             .clock = clock_system(),
                                                             .body_limit = body_limit,
                                                             .handle = handle },
                               &server) == ERR_OK);
    FUZZ_CHECK(pthread_create(&thread, NULL, run, NULL) == 0);
    pthread_detach(thread);
}

/*
 * The client says all it has and a probe, then waits for answers or the end. Not for long: when bytes and end
 * come at once, the library may see the end of an incomplete request only when its time is up; a reset ends
 * it at once.
 */
FUZZ_TARGET(data, size)
{
    static const char probe[] = "\r\n\r\nGET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const struct timeval patience = { .tv_usec = 20000 };
    const struct linger reset = { .l_onoff = 1 };
    char answer[65536];
    size_t len = 0;
    ssize_t got;

    if (server == NULL)
        server_start();
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    FUZZ_CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
               setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0);
    FUZZ_CHECK(connect(fd, (struct sockaddr *)&address, address_len) == 0);
    if (send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size)
        (void)!send(fd, probe, sizeof(probe) - 1, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    while (len < sizeof(answer) && (got = recv(fd, answer + len, sizeof(answer) - len, 0)) > 0)
        len += (size_t)got;
    close(fd);
    FUZZ_CHECK(len < 9 || memcmp(answer, "HTTP/1.1 ", 9) == 0);
    return 0;
}
