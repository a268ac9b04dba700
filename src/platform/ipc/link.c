#include "platform/ipc/link.h"
#include "core/clock.h"
#include "core/num.h"
#include "core/secret.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define KEEP_BYTES_MAX  65536u /* what an idle reader or writer keeps of the memory that a long frame took */
#define AHEAD_BYTES     16384u /* room to read ahead */
#define RIDERS_SEEN_MAX 4u     /* one is allowed; further ones must be seen to be closed */

enum err
link_pair(int fds_out[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds_out) == 0 ? ERR_OK : ERR_SYSTEM;
}

/* Waits until the socket is ready for `events`. ERR_TIMEOUT. */
static enum err
ready_wait(int fd, short events, const struct mono_time *until)
{
    struct pollfd wait = { .fd = fd, .events = events };

    for (;;) {
        int ms = -1;
        if (until != NULL) {
            int64_t left = until->us - clock_mono(clock_system()).us;
            if (left <= 0)
                return ERR_TIMEOUT;
            ms = (int)((left + 999) / 1000); /* up, so as not to spin through the last millisecond */
        }
        int n = poll(&wait, 1, ms);
        if (n > 0)
            return ERR_OK; /* errors and hang-ups show at the next call on the socket */
        if (n < 0 && errno != EINTR)
            return ERR_SYSTEM;
    }
}

/* NULL for "no limit". */
static const struct mono_time *
deadline_after(int timeout_ms, struct mono_time *storage)
{
    if (timeout_ms < 0)
        return NULL;
    *storage = mono_after_ms(clock_mono(clock_system()), timeout_ms);
    return storage;
}

/*
 * Sends what goes without blocking of two pieces, with the rider on the first byte. ERR_INCOMPLETE: nothing
 * went now. ERR_FRAME: the peer is gone.
 */
static enum err
send_some(int fd, struct slice first, struct slice second, int rider, size_t *sent_out)
{
    struct iovec pieces[2] = { { (void *)(uintptr_t)first.ptr, first.len },
                               { (void *)(uintptr_t)second.ptr, second.len } };
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .bytes = { 0 } };
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = COUNT_OF(pieces) };

    if (rider >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &rider, sizeof(rider));
    }
    for (;;) {
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            *sent_out = (size_t)n;
            return ERR_OK;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return ERR_INCOMPLETE;
        return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ? ERR_FRAME : ERR_SYSTEM;
    }
}

enum err
link_send(int fd, struct slice frame, int fd_or_minus_1, int timeout_ms)
{
    struct mono_time storage;
    const struct mono_time *until = deadline_after(timeout_ms, &storage);
    unsigned char header[LINK_HEADER_BYTES];

    if (frame.len == 0 || frame.len > LINK_FRAME_BYTES_MAX)
        return ERR_LIMIT;
    num_u32be_put(header, (uint32_t)frame.len);
    struct slice first = slice_of(header, sizeof(header)), second = frame;
    while (first.len + second.len > 0) {
        size_t sent = 0;
        enum err err = send_some(fd, first, second, fd_or_minus_1, &sent);
        if (err == ERR_INCOMPLETE)
            err = ready_wait(fd, POLLOUT, until);
        if (err != ERR_OK)
            return err;
        if (sent > 0)
            fd_or_minus_1 = -1; /* it went with the first byte */
        second = slice_drop(second, sent > first.len ? sent - first.len : 0);
        first = slice_drop(first, sent);
    }
    return ERR_OK;
}

/* Takes the descriptors out of a received message. One may ride, if none does yet; others are closed. */
static enum err
riders_take(struct msghdr *message, int *rider)
{
    enum err err = (message->msg_flags & MSG_CTRUNC) == 0 ? ERR_OK : ERR_FRAME;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd), sizeof(fd));
            if (*rider < 0) {
                *rider = fd;
            } else {
                close(fd);
                err = ERR_FRAME;
            }
        }
    }
    return err;
}

/* Reads at most `want` bytes. ERR_INCOMPLETE: none are there now. ERR_FRAME: peer gone, or too many riders.
 */
static enum err
receive_some(int fd, void *to, size_t want, int *rider, size_t *got_out)
{
    struct iovec piece = { to, want };
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(RIDERS_SEEN_MAX * sizeof(int))];
    } control = { .bytes = { 0 } };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };

    for (;;) {
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n > 0) {
            *got_out = (size_t)n;
            return riders_take(&message, rider);
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return ERR_INCOMPLETE;
        return n == 0 || errno == ECONNRESET ? ERR_FRAME : ERR_SYSTEM;
    }
}

/*
 * Reads on, never past the end of the frame: so each descriptor is known to belong to the frame it came with,
 * and the memory for the whole body is taken at once. ERR_INCOMPLETE: the socket has no more for now.
 */
static enum err
frame_read(int fd, unsigned char header[LINK_HEADER_BYTES], size_t *header_len, struct buf *body, int *rider)
{
    for (;;) {
        size_t got = 0;
        enum err err;
        if (*header_len < LINK_HEADER_BYTES) {
            err = receive_some(fd, header + *header_len, LINK_HEADER_BYTES - *header_len, rider, &got);
            *header_len += got;
        } else {
            uint32_t len = num_u32be_get(header);
            if (len == 0 || len > LINK_FRAME_BYTES_MAX)
                return ERR_FRAME;
            if (body->len == len)
                return ERR_OK;
            char *to = buf_reserve(body, len - body->len);
            if (to == NULL)
                return buf_done(body);
            err = receive_some(fd, to, len - body->len, rider, &got);
            body->len += got;
        }
        if (err != ERR_OK)
            return err;
    }
}

/* Forgets what was in the buffer, and the memory too if it was much. */
static void
buf_forget(struct buf *bytes)
{
    if (bytes->len > 0)
        secret_wipe(bytes->ptr, bytes->len);
    if (bytes->cap > KEEP_BYTES_MAX)
        buf_release_wiped(bytes);
    else
        buf_clear(bytes);
}

enum err
link_receive(int fd, struct buf *frame, int *fd_out, int timeout_ms)
{
    struct mono_time storage;
    const struct mono_time *until = deadline_after(timeout_ms, &storage);
    unsigned char header[LINK_HEADER_BYTES];
    size_t header_len = 0;
    int rider = -1;
    enum err err;

    buf_clear(frame);
    while ((err = frame_read(fd, header, &header_len, frame, &rider)) == ERR_INCOMPLETE) {
        err = ready_wait(fd, POLLIN, until);
        if (err == ERR_TIMEOUT && header_len > 0)
            err = ERR_FRAME; /* the rest would be taken for a header */
        if (err != ERR_OK)
            break;
    }
    if (err != ERR_OK && rider >= 0) {
        close(rider);
        rider = -1;
    }
    *fd_out = rider;
    return err;
}

void
link_reader_init(struct link_reader *reader, int fd)
{
    *reader = (struct link_reader){ .fd = fd, .pending_fd = -1 };
    buf_init(&reader->bytes, LINK_FRAME_BYTES_MAX);
}

void
link_reader_init_ahead(struct link_reader *reader, int fd)
{
    *reader = (struct link_reader){ .fd = fd, .pending_fd = -1, .reads_ahead = true };
    buf_init(&reader->bytes, 2u * (LINK_HEADER_BYTES + (size_t)LINK_FRAME_BYTES_MAX));
}

void
link_reader_release(struct link_reader *reader)
{
    if (reader->pending_fd >= 0)
        close(reader->pending_fd);
    reader->pending_fd = -1;
    reader->is_taken = false;
    reader->start = reader->header_len = 0;
    buf_release_wiped(&reader->bytes);
}

/* Of the frame that is next, with its header; 0 while that is not known. ERR_FRAME: it can be none. */
static enum err
ahead_frame(const struct link_reader *reader, size_t *bytes_out)
{
    *bytes_out = 0;
    if (reader->bytes.len - reader->start < LINK_HEADER_BYTES)
        return ERR_OK;
    uint32_t len = num_u32be_get(reader->bytes.ptr + reader->start);
    if (len == 0 || len > LINK_FRAME_BYTES_MAX)
        return ERR_FRAME;
    *bytes_out = LINK_HEADER_BYTES + (size_t)len;
    return ERR_OK;
}

/* The frame that was taken goes; those behind it stay where they are. */
static void
ahead_forget(struct link_reader *reader)
{
    size_t bytes = 0;

    if (ahead_frame(reader, &bytes) != ERR_OK || bytes > reader->bytes.len - reader->start)
        bug("a frame was taken that is not there");
    secret_wipe(reader->bytes.ptr + reader->start, bytes);
    reader->start += bytes;
    if (reader->start == reader->bytes.len) {
        reader->start = reader->bytes.len = 0; /* all of it is wiped */
        buf_forget(&reader->bytes);
    }
}

void
link_reader_forget(struct link_reader *reader)
{
    if (!reader->is_taken)
        return;
    reader->is_taken = false;
    if (reader->reads_ahead) {
        ahead_forget(reader);
        return;
    }
    buf_forget(&reader->bytes);
    reader->header_len = 0;
}

size_t
link_reader_next_bytes(const struct link_reader *reader)
{
    size_t bytes = 0;

    if (reader->is_taken)
        return 0;
    if (!reader->reads_ahead)
        return reader->header_len == LINK_HEADER_BYTES && reader->bytes.len == num_u32be_get(reader->header)
                   ? reader->bytes.len
                   : 0;
    if (ahead_frame(reader, &bytes) != ERR_OK || bytes > reader->bytes.len - reader->start)
        return 0;
    return bytes == 0 ? 0 : bytes - LINK_HEADER_BYTES;
}

bool
link_reader_is_between(const struct link_reader *reader)
{
    return reader->reads_ahead ? reader->bytes.len == reader->start : reader->header_len == 0;
}

/* What is read comes behind what is there, which moves to the front first. NULL: no room. */
static char *
ahead_room(struct link_reader *reader, size_t frame_bytes, size_t *room_out)
{
    struct buf *bytes = &reader->bytes;
    size_t left = bytes->len - reader->start, lacks = frame_bytes > left ? frame_bytes - left : 0;

    if (reader->start > 0) {
        size_t start = reader->start, from = start > left ? start : left;
        memmove(bytes->ptr, bytes->ptr + start, left);
        secret_wipe(bytes->ptr + from, start + left - from); /* what lies before was wiped, or is in use */
        reader->start = 0;
        bytes->len = left;
    }
    if (bytes->cap == 0 && lacks < AHEAD_BYTES)
        lacks = AHEAD_BYTES;
    char *to = buf_reserve(bytes, lacks > 0 ? lacks : 1);
    *room_out = bytes->cap - bytes->len;
    return to;
}

/* Until a whole frame is there, or no more for now. */
static enum err
ahead_fill(struct link_reader *reader)
{
    for (;;) {
        size_t frame_bytes = 0, room = 0, got = 0;
        int rider = -1;
        enum err err = ahead_frame(reader, &frame_bytes);
        if (err != ERR_OK)
            return err;
        if (frame_bytes > 0 && frame_bytes <= reader->bytes.len - reader->start)
            return ERR_OK;
        char *to = ahead_room(reader, frame_bytes, &room);
        if (to == NULL) {
            err = buf_done(&reader->bytes);
            reader->bytes.err = ERR_OK; /* what was read is in order */
            return err;
        }
        err = receive_some(reader->fd, to, room, &rider, &got);
        reader->bytes.len += got;
        if (rider >= 0) {
            close(rider);
            return ERR_FRAME;
        }
        if (err != ERR_OK)
            return err == ERR_INCOMPLETE ? ERR_OK : err;
    }
}

enum err
link_reader_fill(struct link_reader *reader)
{
    link_reader_forget(reader);
    if (reader->reads_ahead)
        return ahead_fill(reader);
    enum err err =
        frame_read(reader->fd, reader->header, &reader->header_len, &reader->bytes, &reader->pending_fd);
    reader->bytes.err = ERR_OK; /* what was read is in order, also when there was no memory for more */
    return err == ERR_INCOMPLETE ? ERR_OK : err;
}

enum err
link_reader_take(struct link_reader *reader, struct slice *frame_out, int *fd_out)
{
    *frame_out = SLICE_EMPTY;
    *fd_out = -1;
    link_reader_forget(reader);
    if (link_reader_next_bytes(reader) == 0)
        return ERR_INCOMPLETE;
    if (reader->reads_ahead) {
        const char *frame = reader->bytes.ptr + reader->start;
        *frame_out = slice_of(frame + LINK_HEADER_BYTES, num_u32be_get(frame));
    } else {
        *frame_out = buf_slice(&reader->bytes);
        *fd_out = reader->pending_fd;
        reader->pending_fd = -1;
    }
    reader->is_taken = true;
    return ERR_OK;
}

void
link_writer_init(struct link_writer *writer, int fd)
{
    *writer = (struct link_writer){ .fd = fd };
    buf_init(&writer->bytes, LINK_HEADER_BYTES + (size_t)LINK_FRAME_BYTES_MAX);
}

void
link_writer_release(struct link_writer *writer)
{
    buf_release_wiped(&writer->bytes);
    writer->sent = 0;
}

struct buf *
link_writer_begin(struct link_writer *writer)
{
    writer->began = writer->bytes.len;
    buf_add_u32be(&writer->bytes, 0); /* its length, when that is known */
    return &writer->bytes;
}

enum err
link_writer_end(struct link_writer *writer)
{
    enum err err = buf_done(&writer->bytes);
    size_t len = err == ERR_OK ? writer->bytes.len - writer->began - LINK_HEADER_BYTES : 0;

    if (err == ERR_LIMIT && writer->began > 0)
        err = ERR_BUSY;
    if (err == ERR_OK && (len == 0 || len > LINK_FRAME_BYTES_MAX))
        err = ERR_LIMIT;
    if (err == ERR_OK) {
        num_u32be_put(writer->bytes.ptr + writer->began, (uint32_t)len);
        return ERR_OK;
    }
    if (writer->bytes.len > writer->began)
        secret_wipe(writer->bytes.ptr + writer->began, writer->bytes.len - writer->began);
    writer->bytes.len = writer->began;
    writer->bytes.err = ERR_OK; /* what was queued before is whole, and still goes */
    return err;
}

enum err
link_writer_put(struct link_writer *writer, struct slice frame)
{
    if (frame.len == 0 || frame.len > LINK_FRAME_BYTES_MAX)
        return ERR_LIMIT;
    struct buf *bytes = link_writer_begin(writer);
    buf_add(bytes, frame);
    return link_writer_end(writer);
}

enum err
link_writer_flush(struct link_writer *writer)
{
    while (writer->sent < writer->bytes.len) {
        size_t sent = 0;
        enum err err = send_some(writer->fd, slice_drop(buf_slice(&writer->bytes), writer->sent), SLICE_EMPTY,
                                 -1, &sent);
        if (err != ERR_OK)
            return err;
        writer->sent += sent;
    }
    buf_forget(&writer->bytes);
    writer->sent = 0;
    return ERR_OK;
}

bool
link_writer_is_idle(const struct link_writer *writer)
{
    return writer->bytes.len == 0;
}
