#include "program/harkara/control.h"
#include "core/log.h"
#include "platform/ipc/link.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 1000 /* one small frame into an empty buffer */
#define ASK_TIMEOUT_MS    10000

enum err
control_accept(int listen_fd, int *fd_out)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return ERR_NOTHING;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
        (peer.uid != 0 && peer.uid != geteuid())) {
        close(fd);
        return ERR_SCOPE;
    }
    *fd_out = fd;
    return ERR_OK;
}

void
control_answer(int connection, int link)
{
    const char kind = LINK_VAULT;
    enum err err = link_send(connection, slice_of(&kind, 1), link, ANSWER_TIMEOUT_MS);

    if (err != ERR_OK) /* the command went away */
        log_event(LOG_DEBUG, "supervisor.command_gone", LOG_ERR(err));
    close(connection);
    close(link);
}

enum err
control_ask(const char *path, int *link_out, struct complaint *complaint)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    enum err err = ERR_VAULT_UNAVAILABLE;
    struct buf frame;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *link_out = -1;
    buf_init(&frame, 16);
    if (fd < 0 ||
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= (int)sizeof(address.sun_path))
        goto done;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == EACCES)
            err = ERR_SCOPE;
        goto done;
    }
    if (link_receive(fd, &frame, link_out, ASK_TIMEOUT_MS) == ERR_OK && *link_out >= 0)
        err = ERR_OK;
done:
    if (err == ERR_SCOPE)
        complaint_set(complaint, "%s belongs to another user; run this as the one that harkara serves as",
                      path);
    else if (err != ERR_OK)
        complaint_set(complaint, "the vault cannot be reached: does harkara serve? (harkara status)");
    if (fd >= 0)
        close(fd);
    buf_release(&frame);
    return err;
}
