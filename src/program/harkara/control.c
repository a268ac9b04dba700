#include "program/harkara/control.h"
#include "core/log.h"
#include "core/num.h"
#include "platform/ipc/link.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 1000 /* one small frame into an empty buffer */
#define ASK_TIMEOUT_MS    10000
#define KEK_TIMEOUT_MS    60000
#define SECRET_TIMEOUT_MS 60000
/* The supervisor does nothing else meanwhile; only its own user gets so far. */
#define REQUEST_TIMEOUT_MS 500
#define REQUEST_BYTES_MAX  128u
#define KEK_REQUEST_BYTES  (1u + 4u + 1u)

static enum err
peer_check(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
                   (peer.uid == 0 || peer.uid == geteuid())
               ? ERR_OK
               : ERR_SCOPE;
}

/* Version, then the two labels. */
static enum err
secret_parse(struct slice rest, struct control_secret *out)
{
    char *const labels[] = { out->token, out->key };

    if (rest.len < 4)
        return ERR_FRAME;
    out->version = num_u32be_get((const unsigned char *)rest.ptr);
    rest = slice_drop(rest, 4);
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        size_t len = rest.len == 0 ? 0 : (unsigned char)rest.ptr[0];
        struct slice label = slice_first(slice_drop(rest, 1), len);
        if (label.len != len || !hsm_label_is_valid(label))
            return ERR_FRAME;
        memcpy(labels[i], label.ptr, len);
        labels[i][len] = '\0';
        rest = slice_drop(rest, 1 + len);
    }
    return rest.len == 0 && out->version != 0 ? ERR_OK : ERR_FRAME;
}

static enum err
request_parse(struct slice frame, struct control_request *out)
{
    const unsigned char *bytes = (const unsigned char *)frame.ptr;

    *out = (struct control_request){ .kind = (enum control_kind)bytes[0] };
    if (frame.len == 1)
        return out->kind == CONTROL_VAULT || out->kind == CONTROL_MASTER_DONE ? ERR_OK : ERR_FRAME;
    if (out->kind == CONTROL_SECRET)
        return secret_parse(slice_drop(frame, 1), &out->secret);
    if (out->kind != CONTROL_KEK || frame.len < KEK_REQUEST_BYTES || bytes[5] > 1)
        return ERR_FRAME;
    out->kek.scrypt_n = num_u32be_get(bytes + 1);
    out->kek.has_master = bytes[5] == 1;
    if (frame.len != KEK_REQUEST_BYTES + (out->kek.has_master ? KEK_BYTES : 0))
        return ERR_FRAME;
    if (out->kek.has_master)
        memcpy(out->kek.master, bytes + KEK_REQUEST_BYTES, KEK_BYTES);
    return ERR_OK;
}

enum err
control_accept(int listen_fd, int *fd_out, struct control_request *request_out)
{
    struct buf frame;
    int rider = -1;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return ERR_NOTHING;
    buf_init(&frame, REQUEST_BYTES_MAX);
    enum err err = peer_check(fd);
    if (err == ERR_OK && (link_receive(fd, &frame, &rider, REQUEST_TIMEOUT_MS) != ERR_OK || rider >= 0 ||
                          request_parse(buf_slice(&frame), request_out) != ERR_OK))
        err = ERR_NOTHING;
    if (rider >= 0)
        close(rider);
    buf_release_wiped(&frame);
    if (err == ERR_OK)
        *fd_out = fd;
    else
        close(fd);
    return err;
}

void
control_say(int connection, struct slice frame)
{
    enum err err = link_send(connection, frame, -1, ANSWER_TIMEOUT_MS);

    if (err != ERR_OK) /* the command went away */
        log_event(LOG_DEBUG, "supervisor.command_gone", LOG_ERR(err));
}

void
control_answer(int connection, int link)
{
    const char kind = LINK_VAULT;
    enum err err = link_send(connection, slice_of(&kind, 1), link, ANSWER_TIMEOUT_MS);

    if (err != ERR_OK)
        log_event(LOG_DEBUG, "supervisor.command_gone", LOG_ERR(err));
    close(connection);
    close(link);
}

/* Says the request and waits for the answer. */
static enum err
ask(const char *path, struct slice request, int timeout_ms, struct buf *answer, int *rider_out,
    struct complaint *complaint)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    enum err err = ERR_VAULT_UNAVAILABLE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *rider_out = -1;
    if (fd < 0 ||
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= (int)sizeof(address.sun_path))
        goto done;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == EACCES)
            err = ERR_SCOPE;
        goto done;
    }
    if (link_send(fd, request, -1, ANSWER_TIMEOUT_MS) == ERR_OK &&
        link_receive(fd, answer, rider_out, timeout_ms) == ERR_OK)
        err = ERR_OK;
done:
    if (err == ERR_SCOPE)
        complaint_set(complaint, "%s belongs to another user; run this as the one that harkara serves as",
                      path);
    else if (err != ERR_OK)
        complaint_set(complaint, "the vault cannot be reached: does harkara serve? (harkara status)");
    if (fd >= 0)
        close(fd);
    return err;
}

enum err
control_ask(const char *path, int *link_out, struct complaint *complaint)
{
    const char request = CONTROL_VAULT;
    struct buf frame;

    buf_init(&frame, 16);
    enum err err = ask(path, slice_of(&request, 1), ASK_TIMEOUT_MS, &frame, link_out, complaint);
    if (err == ERR_OK && *link_out < 0) {
        complaint_set(complaint, "the vault cannot be reached: does harkara serve? (harkara status)");
        err = ERR_VAULT_UNAVAILABLE;
    }
    buf_release(&frame);
    return err;
}

enum err
control_ask_kek(const char *path, const struct control_kek *wanted, struct vault_booted *booted_out,
                struct complaint *complaint)
{
    struct buf request, answer;
    int rider = -1;

    buf_init(&request, REQUEST_BYTES_MAX);
    buf_init(&answer, 4096);
    buf_add_byte(&request, CONTROL_KEK);
    buf_add_u32be(&request, wanted->scrypt_n);
    buf_add_byte(&request, wanted->has_master ? 1 : 0);
    if (wanted->has_master)
        buf_add(&request, slice_of(wanted->master, sizeof(wanted->master)));
    enum err err = buf_done(&request);
    if (err == ERR_OK)
        err = ask(path, buf_slice(&request), KEK_TIMEOUT_MS, &answer, &rider, complaint);
    if (err == ERR_OK && (rider >= 0 || answer.ptr[0] != LINK_KEK_MADE ||
                          vault_booted_decode(slice_drop(buf_slice(&answer), 1), booted_out) != ERR_OK))
        err = ERR_FRAME;
    if (err == ERR_OK)
        err = vault_result_err(booted_out->result);
    if (rider >= 0)
        close(rider);
    buf_release_wiped(&request);
    buf_release(&answer);
    return err;
}

enum err
control_ask_secret(const char *path, const struct control_secret *wanted, struct hsm_made *made_out,
                   struct complaint *complaint)
{
    const struct slice labels[] = { slice_text(wanted->token), slice_text(wanted->key) };
    struct buf request, answer;
    int rider = -1;

    buf_init(&request, REQUEST_BYTES_MAX);
    buf_init(&answer, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&request, CONTROL_SECRET);
    buf_add_u32be(&request, wanted->version);
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        buf_add_byte(&request, (char)labels[i].len);
        buf_add(&request, labels[i]);
    }
    enum err err = buf_done(&request);
    if (err == ERR_OK)
        err = ask(path, buf_slice(&request), SECRET_TIMEOUT_MS, &answer, &rider, complaint);
    if (err == ERR_OK && (rider >= 0 || answer.ptr[0] != LINK_HSM_MADE ||
                          hsm_made_decode(slice_drop(buf_slice(&answer), 1), made_out) != ERR_OK))
        err = ERR_FRAME;
    if (rider >= 0)
        close(rider);
    buf_release(&request);
    buf_release(&answer);
    return err;
}

enum err
control_ask_master_done(const char *path, struct complaint *complaint)
{
    const char request = CONTROL_MASTER_DONE;
    struct buf answer;
    int rider = -1;

    buf_init(&answer, 16);
    enum err err = ask(path, slice_of(&request, 1), ASK_TIMEOUT_MS, &answer, &rider, complaint);
    if (rider >= 0)
        close(rider);
    buf_release(&answer);
    return err;
}
