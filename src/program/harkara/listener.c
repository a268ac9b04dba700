#include "program/harkara/listener.h"
#include "core/num.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024
#define FREE_WAIT_MS                                                                                         \
    3000 /* processes of a supervisor that was killed just now may still hold its sockets                    \
          */
#define FREE_STEP_MS 50
#define UNIX_PREFIX  "unix:"

/* A numeric address, of loopback unless `is_anywhere`, and a port. */
static bool
tcp_parse(struct slice text, bool is_anywhere, struct sockaddr_storage *out, socklen_t *len_out)
{
    char host[INET6_ADDRSTRLEN];
    struct sockaddr_in *v4 = (void *)out;
    struct sockaddr_in6 *v6 = (void *)out;
    struct slice name, rest = text;
    int port;

    *out = (struct sockaddr_storage){ 0 };
    bool is_v6 = slice_starts_with(text, SLICE("["));
    if (is_v6) {
        rest = slice_drop(rest, 1);
        name = slice_take_until(&rest, ']');
        if (!slice_starts_with(rest, SLICE(":")))
            return false;
        rest = slice_drop(rest, 1);
    } else {
        name = slice_take_until(&rest, ':');
    }
    if (name.len >= sizeof(host) || num_int_parse(rest, 1, 65535, &port) != ERR_OK)
        return false;
    snprintf(host, sizeof(host), "%.*s", SLICE_FMT(name));
    if (is_v6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *len_out = sizeof(*v6);
        return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 &&
               (is_anywhere || IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    *len_out = sizeof(*v4);
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1 &&
           (is_anywhere || ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET);
}

static enum err
fail(int fd, const char *address, struct complaint *complaint)
{
    int error = errno;

    if (fd >= 0)
        close(fd);
    complaint_set(complaint, "%s: %s (errno %d)", address,
                  error == EADDRINUSE ? "is in use by another program" : "cannot be listened on", error);
    return error == EADDRINUSE ? ERR_BUSY : ERR_SYSTEM;
}

static bool
unix_address(const char *path, struct sockaddr_un *out)
{
    int n;

    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    n = snprintf(out->sun_path, sizeof(out->sun_path), "%s", path);
    return path[0] == '/' && n > 0 && (size_t)n < sizeof(out->sun_path);
}

/* A socket that a process left behind when it was killed: nobody takes connections. */
static bool
is_abandoned(const struct sockaddr_un *address)
{
    struct stat st;
    int fd;

    if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool is_refused =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED;
    close(fd);
    return is_refused;
}

/* ERR_BUSY: somebody else takes connections there. */
static enum err
unix_open(const char *path, const struct sockaddr_un *address, mode_t mode, int *fd_out,
          struct complaint *complaint)
{
    if (is_abandoned(address) && unlink(path) != 0)
        return fail(-1, path, complaint);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The mask keeps the socket closed to others from its first moment. */
    mode_t before = umask(0777 & ~mode);
    bool is_bound = fd >= 0 && bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    umask(before);
    if (!is_bound || listen(fd, BACKLOG) != 0)
        return fail(fd, path, complaint);
    *fd_out = fd;
    return ERR_OK;
}

enum err
listener_open_unix(const char *path, mode_t mode, int *fd_out, struct complaint *complaint)
{
    struct sockaddr_un address;
    enum err err = ERR_BUSY;

    if (!unix_address(path, &address)) {
        complaint_set(complaint, "%s: a socket's path is absolute and has at most %zu bytes", path,
                      sizeof(address.sun_path) - 1);
        return ERR_CONFIG;
    }
    for (int waited = 0; err == ERR_BUSY && waited <= FREE_WAIT_MS; waited += FREE_STEP_MS) {
        if (waited > 0)
            (void)poll(NULL, 0, FREE_STEP_MS);
        err = unix_open(path, &address, mode, fd_out, complaint);
    }
    return err;
}

static enum err
tcp_open(const char *text, const struct sockaddr_storage *address, socklen_t len, int *fd_out,
         struct complaint *complaint)
{
    const int on = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)address, len) != 0 || listen(fd, BACKLOG) != 0)
        return fail(fd, text, complaint);
    *fd_out = fd;
    return ERR_OK;
}

static enum err
tcp_open_patiently(const char *address, const struct sockaddr_storage *tcp, socklen_t len, int *fd_out,
                   struct complaint *complaint)
{
    enum err err = tcp_open(address, tcp, len, fd_out, complaint);

    for (int waited = 0; err == ERR_BUSY && waited < FREE_WAIT_MS; waited += FREE_STEP_MS) {
        (void)poll(NULL, 0, FREE_STEP_MS);
        err = tcp_open(address, tcp, len, fd_out, complaint);
    }
    return err;
}

enum err
listener_open_smpp(const char *address, int *fd_out, struct complaint *complaint)
{
    struct sockaddr_storage tcp;
    socklen_t len;

    if (!tcp_parse(slice_text(address), true, &tcp, &len)) {
        complaint_set(complaint,
                      "HARKARA_SMPP_LISTEN must be an address and a port (127.0.0.1:2775, [::1]:2775)");
        return ERR_CONFIG;
    }
    return tcp_open_patiently(address, &tcp, len, fd_out, complaint);
}

enum err
listener_open(const char *address, int *fd_out, struct complaint *complaint)
{
    struct sockaddr_storage tcp;
    socklen_t len;

    if (slice_starts_with(slice_text(address), SLICE(UNIX_PREFIX)))
        return listener_open_unix(address + sizeof(UNIX_PREFIX) - 1, 0660, fd_out, complaint);
    if (!tcp_parse(slice_text(address), false, &tcp, &len)) {
        complaint_set(complaint,
                      "HARKARA_LISTEN must be a loopback address and a port (127.0.0.1:8080, [::1]:8080) or "
                      "unix:/path; nginx stands between it and a network");
        return ERR_CONFIG;
    }
    return tcp_open_patiently(address, &tcp, len, fd_out, complaint);
}

void
listener_close(const char *address, int fd)
{
    bool is_unix = slice_starts_with(slice_text(address), SLICE(UNIX_PREFIX));
    const char *path = is_unix ? address + sizeof(UNIX_PREFIX) - 1 : address;

    if (fd < 0)
        return;
    close(fd);
    if (path[0] == '/' && unlink(path) != 0 && errno != ENOENT)
        return; /* the next start finds it abandoned */
}
