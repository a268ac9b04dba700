#include "core/num.h"
#include "core/unit.h"
#include "platform/ipc/link.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct ends {
    int ours, theirs;
};

static struct ends
ends_open(void)
{
    int fds[2];
    assert_ok(link_pair(fds));
    return (struct ends){ fds[0], fds[1] };
}

static void
ends_close(struct ends *ends)
{
    close(ends->ours);
    if (ends->theirs >= 0)
        close(ends->theirs);
}

static void
peer_writes(int fd, const void *bytes, size_t len)
{
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
}

/* What a peer may send that link_send would not: raw bytes with any number of descriptors. */
static void
peer_writes_with_fds(int fd, struct slice bytes, const int *fds, size_t count)
{
    char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
    struct iovec piece = { (void *)(uintptr_t)bytes.ptr, bytes.len };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    assert_int_equal(sendmsg(fd, &message, 0), (ssize_t)bytes.len);
}

static size_t
open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static bool
is_same_file(int a, int b)
{
    struct stat of_a, of_b;
    return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

static void
what_is_sent_is_received_whole(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct buf frame;
    int fd = 7;

    buf_init(&frame, LINK_FRAME_BYTES_MAX);
    assert_ok(link_send(ends.theirs, SLICE("first\0frame"), -1, 1000));
    assert_ok(link_send(ends.theirs, SLICE("2"), -1, 1000));
    assert_ok(link_receive(ends.ours, &frame, &fd, 1000));
    assert_true(slice_eq(buf_slice(&frame), SLICE("first\0frame")));
    assert_int_equal(fd, -1);
    assert_ok(link_receive(ends.ours, &frame, &fd, 1000));
    assert_true(slice_eq(buf_slice(&frame), SLICE("2")));
    buf_release(&frame);
    ends_close(&ends);
}

/* A stream may be cut anywhere: each shorter prefix waits, and all cuts give the same frames. */
static void
any_split_of_the_stream_gives_the_same_frames(void **state UNUSED)
{
    const struct slice stream = SLICE("\0\0\0\1a\0\0\0\5bcdef\0\0\0\3ghi");
    const struct slice want[] = { SLICE("a"), SLICE("bcdef"), SLICE("ghi") };

    for (size_t first = 0; first <= stream.len; first++)
        for (size_t second = first; second <= stream.len; second++) {
            struct ends ends = ends_open();
            struct link_reader reader;
            const size_t cuts[] = { 0, first, second, stream.len };
            size_t seen = 0;
            link_reader_init(&reader, ends.ours);
            for (size_t i = 0; i + 1 < COUNT_OF(cuts); i++) {
                struct slice frame;
                int fd;
                peer_writes(ends.theirs, stream.ptr + cuts[i], cuts[i + 1] - cuts[i]);
                do {
                    assert_ok(link_reader_fill(&reader));
                    enum err err = link_reader_take(&reader, &frame, &fd);
                    if (err == ERR_INCOMPLETE)
                        break;
                    assert_ok(err);
                    assert_true(seen < COUNT_OF(want) && slice_eq(frame, want[seen]));
                    assert_int_equal(fd, -1);
                    seen++;
                } while (true);
            }
            assert_int_equal(seen, COUNT_OF(want));
            link_reader_release(&reader);
            ends_close(&ends);
        }
}

static void
a_frame_is_taken_once_and_not_before_it_is_whole(void **state UNUSED)
{
    const struct slice stream = SLICE("\0\0\0\4wait");
    struct ends ends = ends_open();
    struct link_reader reader;
    struct slice frame;
    int fd;

    link_reader_init(&reader, ends.ours);
    for (size_t i = 0; i < stream.len; i++) {
        assert_ok(link_reader_fill(&reader));
        assert_int_equal(link_reader_take(&reader, &frame, &fd), ERR_INCOMPLETE);
        peer_writes(ends.theirs, stream.ptr + i, 1);
    }
    assert_ok(link_reader_fill(&reader));
    assert_ok(link_reader_fill(&reader)); /* a frame that waits is left alone */
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_true(slice_eq(frame, SLICE("wait")));
    assert_int_equal(link_reader_take(&reader, &frame, &fd), ERR_INCOMPLETE);
    link_reader_release(&reader);
    ends_close(&ends);
}

static void
a_frame_that_was_handled_is_wiped(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_reader reader;
    struct slice frame;
    int fd;

    link_reader_init(&reader, ends.ours);
    assert_ok(link_send(ends.theirs, SLICE("a secret"), -1, 1000));
    assert_ok(link_reader_fill(&reader));
    assert_ok(link_reader_take(&reader, &frame, &fd));
    link_reader_forget(&reader);
    assert_memory_equal(reader.bytes.ptr, "\0\0\0\0\0\0\0\0", 8); /* the memory is kept, the bytes are not */
    link_reader_release(&reader);
    ends_close(&ends);
}

static void
a_length_of_nothing_or_too_much_is_refused(void **state UNUSED)
{
    const uint32_t lengths[] = { 0, LINK_FRAME_BYTES_MAX + 1, UINT32_MAX };

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct ends ends = ends_open();
        struct link_reader reader;
        struct slice frame;
        struct buf whole;
        unsigned char header[4];
        int fd;
        num_u32be_put(header, lengths[i]);
        peer_writes(ends.theirs, header, sizeof(header));
        link_reader_init(&reader, ends.ours);
        assert_int_equal(link_reader_fill(&reader), ERR_FRAME);
        assert_int_equal(link_reader_take(&reader, &frame, &fd), ERR_INCOMPLETE);
        assert_int_equal(reader.bytes.cap, 0);
        link_reader_release(&reader);
        peer_writes(ends.theirs, header, sizeof(header));
        buf_init(&whole, LINK_FRAME_BYTES_MAX);
        assert_int_equal(link_receive(ends.ours, &whole, &fd, 1000), ERR_FRAME);
        assert_int_equal(whole.cap, 0);
        ends_close(&ends);
    }
}

static void
nothing_and_too_much_are_not_sent(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_writer writer;
    char *much = calloc(1, LINK_FRAME_BYTES_MAX + 1);
    unsigned char byte;

    assert_non_null(much);
    link_writer_init(&writer, ends.theirs);
    assert_int_equal(link_send(ends.theirs, SLICE_EMPTY, -1, 1000), ERR_LIMIT);
    assert_int_equal(link_send(ends.theirs, slice_of(much, LINK_FRAME_BYTES_MAX + 1), -1, 1000), ERR_LIMIT);
    assert_int_equal(link_writer_put(&writer, SLICE_EMPTY), ERR_LIMIT);
    assert_int_equal(link_writer_put(&writer, slice_of(much, LINK_FRAME_BYTES_MAX + 1)), ERR_LIMIT);
    assert_ok(link_writer_flush(&writer));
    assert_int_equal(recv(ends.ours, &byte, 1, MSG_DONTWAIT), -1);
    free(much);
    link_writer_release(&writer);
    ends_close(&ends);
}

static void
a_receiver_holds_to_the_limit_of_its_own_buffer(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct buf frame;
    int fd;

    buf_init(&frame, 4);
    assert_ok(link_send(ends.theirs, SLICE("five!"), -1, 1000));
    assert_int_equal(link_receive(ends.ours, &frame, &fd, 1000), ERR_LIMIT);
    buf_release(&frame);
    ends_close(&ends);
}

static void
a_descriptor_arrives_with_its_own_frame(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_reader reader;
    struct slice frame;
    int fd, riding[2];

    assert_int_equal(pipe2(riding, O_CLOEXEC), 0);
    link_reader_init(&reader, ends.ours);
    assert_ok(link_send(ends.theirs, SLICE("before"), -1, 1000));
    assert_ok(link_send(ends.theirs, SLICE("with"), riding[0], 1000));
    assert_ok(link_send(ends.theirs, SLICE("after"), -1, 1000));
    assert_ok(link_reader_fill(&reader));
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_true(slice_eq(frame, SLICE("before")) && fd == -1);
    assert_ok(link_reader_fill(&reader));
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_true(slice_eq(frame, SLICE("with")));
    assert_true(fd >= 0 && fd != riding[0] && is_same_file(fd, riding[0]));
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(fd);
    assert_ok(link_reader_fill(&reader));
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_true(slice_eq(frame, SLICE("after")) && fd == -1);
    close(riding[0]);
    close(riding[1]);
    link_reader_release(&reader);
    ends_close(&ends);
}

static void
a_blocking_receiver_gets_the_descriptor_too(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct buf frame;
    int fd;

    buf_init(&frame, 64);
    assert_ok(link_send(ends.theirs, SLICE("with"), ends.ours, 1000));
    assert_ok(link_receive(ends.ours, &frame, &fd, 1000));
    assert_true(fd >= 0 && is_same_file(fd, ends.ours));
    close(fd);
    buf_release(&frame);
    ends_close(&ends);
}

static void
more_than_one_descriptor_is_refused_and_none_stays_open(void **state UNUSED)
{
    struct {
        const char *name;
        struct slice pieces[2];
        size_t fds[2];
    } cases[] = {
        { "two with one write", { SLICE("\0\0\0\2ab"), SLICE("") }, { 2, 0 } },
        { "more than the receiver looks for", { SLICE("\0\0\0\2ab"), SLICE("") }, { 8, 0 } },
        { "one with the header, one with the body", { SLICE("\0\0\0\2"), SLICE("ab") }, { 1, 1 } },
        { "two within the body", { SLICE("\0\0\0\3a"), SLICE("bc") }, { 0, 2 } },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int is_blocking = 0; is_blocking < 2; is_blocking++) {
            struct ends ends = ends_open();
            struct link_reader reader;
            struct buf frame;
            int fds[8], fd;
            for (size_t k = 0; k < COUNT_OF(fds); k++)
                fds[k] = ends.ours;
            for (size_t k = 0; k < 2; k++)
                if (cases[i].fds[k] > 0)
                    peer_writes_with_fds(ends.theirs, cases[i].pieces[k], fds, cases[i].fds[k]);
                else
                    peer_writes(ends.theirs, cases[i].pieces[k].ptr, cases[i].pieces[k].len);
            size_t open_before = open_descriptors();
            link_reader_init(&reader, ends.ours);
            buf_init(&frame, 64);
            if (is_blocking)
                assert_int_equal(link_receive(ends.ours, &frame, &fd, 1000), ERR_FRAME);
            else
                assert_int_equal(link_reader_fill(&reader), ERR_FRAME);
            link_reader_release(&reader);
            buf_release(&frame);
            assert_int_equal(open_descriptors(), open_before);
            ends_close(&ends);
        }
}

static void
a_descriptor_that_nobody_takes_is_closed(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_reader reader;

    assert_ok(link_send(ends.theirs, SLICE("with"), ends.ours, 1000));
    size_t open_before = open_descriptors();
    link_reader_init(&reader, ends.ours);
    assert_ok(link_reader_fill(&reader));
    assert_int_equal(open_descriptors(), open_before + 1);
    link_reader_release(&reader);
    assert_int_equal(open_descriptors(), open_before);
    ends_close(&ends);
}

static void
a_dead_peer_is_reported_wherever_it_died(void **state UNUSED)
{
    const struct slice stream = SLICE("\0\0\0\4dead");

    for (size_t sent = 0; sent < stream.len; sent++) {
        struct ends ends = ends_open();
        struct link_reader reader;
        struct slice frame;
        struct buf whole;
        int fd;
        peer_writes(ends.theirs, stream.ptr, sent);
        close(ends.theirs);
        ends.theirs = -1;
        link_reader_init(&reader, ends.ours);
        assert_int_equal(link_reader_fill(&reader), ERR_FRAME);
        assert_int_equal(link_reader_take(&reader, &frame, &fd), ERR_INCOMPLETE);
        link_reader_release(&reader);
        buf_init(&whole, 64);
        assert_int_equal(link_receive(ends.ours, &whole, &fd, 1000), ERR_FRAME);
        buf_release(&whole);
        ends_close(&ends);
    }
}

static void
what_a_peer_sent_before_it_died_is_still_received(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_reader reader;
    struct slice frame;
    int fd;

    assert_ok(link_send(ends.theirs, SLICE("last words"), -1, 1000));
    close(ends.theirs);
    ends.theirs = -1;
    link_reader_init(&reader, ends.ours);
    assert_ok(link_reader_fill(&reader));
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_true(slice_eq(frame, SLICE("last words")));
    assert_int_equal(link_reader_fill(&reader), ERR_FRAME);
    link_reader_release(&reader);
    ends_close(&ends);
}

static void
sending_to_a_dead_peer_fails_without_a_signal(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_writer writer;
    void (*before)(int) = signal(SIGPIPE, SIG_DFL); /* it would end this test */

    close(ends.theirs);
    ends.theirs = -1;
    assert_int_equal(link_send(ends.ours, SLICE("hello?"), -1, 1000), ERR_FRAME);
    link_writer_init(&writer, ends.ours);
    assert_ok(link_writer_put(&writer, SLICE("hello?")));
    assert_int_equal(link_writer_flush(&writer), ERR_FRAME);
    link_writer_release(&writer);
    signal(SIGPIPE, before);
    ends_close(&ends);
}

static void
silence_times_out_and_silence_within_a_frame_breaks_it(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct buf frame;
    int fd;

    buf_init(&frame, 64);
    assert_int_equal(link_receive(ends.ours, &frame, &fd, 1), ERR_TIMEOUT);
    peer_writes(ends.theirs, "\0", 1);
    assert_int_equal(link_receive(ends.ours, &frame, &fd, 1), ERR_FRAME);
    buf_release(&frame);
    ends_close(&ends);
}

static void
a_peer_that_does_not_read_times_out(void **state UNUSED)
{
    struct ends ends = ends_open();
    char *much = calloc(1, LINK_FRAME_BYTES_MAX);

    assert_non_null(much);
    assert_int_equal(link_send(ends.theirs, slice_of(much, LINK_FRAME_BYTES_MAX), -1, 1), ERR_TIMEOUT);
    free(much);
    ends_close(&ends);
}

static void *
largest_frame_send(void *arg)
{
    const struct ends *ends = arg;
    char *much = malloc(LINK_FRAME_BYTES_MAX);
    enum err err = ERR_NO_MEMORY;

    if (much != NULL) {
        for (size_t i = 0; i < LINK_FRAME_BYTES_MAX; i++)
            much[i] = (char)(i * 31 + (i >> 8));
        err = link_send(ends->theirs, slice_of(much, LINK_FRAME_BYTES_MAX), -1, 20000);
    }
    free(much);
    return err == ERR_OK ? NULL : arg;
}

static void
the_largest_frame_passes(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct buf frame;
    pthread_t thread;
    void *failed;
    int fd;

    buf_init(&frame, LINK_FRAME_BYTES_MAX);
    assert_int_equal(pthread_create(&thread, NULL, largest_frame_send, &ends), 0);
    assert_ok(link_receive(ends.ours, &frame, &fd, 20000));
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_int_equal(frame.len, LINK_FRAME_BYTES_MAX);
    for (size_t i = 0; i < frame.len; i++)
        if (frame.ptr[i] != (char)(i * 31 + (i >> 8)))
            fail_msg("byte %zu differs", i);
    buf_release(&frame);
    ends_close(&ends);
}

/* A slow reader costs the writer memory up to a limit, and no waiting. */
static void
a_writer_keeps_what_does_not_go_yet(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_writer writer;
    char *much = malloc(LINK_FRAME_BYTES_MAX - 64);
    int fd;

    assert_non_null(much);
    memset(much, 'm', LINK_FRAME_BYTES_MAX - 64);
    link_writer_init(&writer, ends.theirs);
    assert_ok(link_writer_put(&writer, slice_of(much, LINK_FRAME_BYTES_MAX - 64)));
    assert_ok(link_writer_put(&writer, SLICE("small")));
    assert_int_equal(link_writer_flush(&writer), ERR_INCOMPLETE);
    assert_false(link_writer_is_idle(&writer));
    assert_int_equal(link_writer_put(&writer, slice_of(much, 64)), ERR_BUSY);
    struct link_reader reader;
    struct slice got;
    enum err err;
    link_reader_init(&reader, ends.ours);
    do {
        err = link_writer_flush(&writer);
        assert_true(err == ERR_OK || err == ERR_INCOMPLETE);
        assert_ok(link_reader_fill(&reader));
    } while (link_reader_take(&reader, &got, &fd) == ERR_INCOMPLETE);
    assert_true(slice_eq(got, slice_of(much, LINK_FRAME_BYTES_MAX - 64)));
    assert_ok(link_writer_flush(&writer));
    assert_true(link_writer_is_idle(&writer));
    assert_ok(link_reader_fill(&reader));
    assert_ok(link_reader_take(&reader, &got, &fd));
    assert_true(slice_eq(got, SLICE("small")));
    assert_int_equal(writer.bytes.cap, 0); /* long frames do not stay in memory */
    free(much);
    link_reader_release(&reader);
    link_writer_release(&writer);
    ends_close(&ends);
}

/* Frames of 1 to 40 octets, each of its own letter, as they stand on the stream. */
static size_t
frames_print(char *stream, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        size_t frame = 1 + i * 7 % 40;
        num_u32be_put(stream + len, (uint32_t)frame);
        memset(stream + len + LINK_HEADER_BYTES, 'a' + (int)(i % 26), frame);
        len += LINK_HEADER_BYTES + frame;
    }
    return len;
}

static size_t
frames_take(struct link_reader *reader, size_t from)
{
    struct slice frame;
    int fd;

    for (; link_reader_take(reader, &frame, &fd) == ERR_OK; from++) {
        assert_int_equal(frame.len, 1 + from * 7 % 40);
        for (size_t k = 0; k < frame.len; k++)
            assert_int_equal(frame.ptr[k], 'a' + (int)(from % 26));
        assert_int_equal(fd, -1);
        assert_int_equal(link_reader_next_bytes(reader), 0); /* the one that is out does not count */
    }
    return from;
}

/* However the stream is cut: reading ahead gives the same frames, in the same order. */
static void
a_reader_ahead_gives_the_same_frames_for_any_split(void **state UNUSED)
{
    char stream[2048];
    size_t len = frames_print(stream, 40);

    for (size_t part = 1; part <= len; part = part < 90 ? part + 1 : part * 2) {
        struct ends ends = ends_open();
        struct link_reader reader;
        size_t taken = 0;
        link_reader_init_ahead(&reader, ends.ours);
        for (size_t at = 0; at < len; at += part) {
            peer_writes(ends.theirs, stream + at, part < len - at ? part : len - at);
            assert_ok(link_reader_fill(&reader));
            taken = frames_take(&reader, taken);
        }
        assert_int_equal(taken, 40);
        assert_true(link_reader_is_between(&reader));
        link_reader_release(&reader);
        ends_close(&ends);
    }
}

static void
a_reader_ahead_says_what_it_has(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_reader reader;
    struct slice frame;
    int fd;

    link_reader_init_ahead(&reader, ends.ours);
    assert_true(link_reader_is_between(&reader));
    peer_writes(ends.theirs, "\0\0\0\2ab\0\0\0\1c\0\0", 13);
    assert_ok(link_reader_fill(&reader));
    assert_int_equal(link_reader_next_bytes(&reader), 2);
    assert_ok(link_reader_take(&reader, &frame, &fd));
    link_reader_forget(&reader);
    assert_int_equal(link_reader_next_bytes(&reader), 1); /* though the socket has no more */
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_true(slice_eq(frame, SLICE("c")));
    assert_int_equal(link_reader_take(&reader, &frame, &fd), ERR_INCOMPLETE);
    assert_false(link_reader_is_between(&reader)); /* half a header */
    link_reader_release(&reader);
    ends_close(&ends);
}

static void
what_a_reader_ahead_gave_out_is_wiped(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_reader reader;
    struct slice frame;
    int fd;

    link_reader_init_ahead(&reader, ends.ours);
    peer_writes(ends.theirs, "\0\0\0\6secret\0\0\0\6hidden\0\0", 22);
    assert_ok(link_reader_fill(&reader));
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_true(slice_eq(frame, SLICE("secret")));
    const char *first = frame.ptr;
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_memory_equal(first, "\0\0\0\0\0\0", 6);
    assert_ok(link_reader_fill(&reader)); /* the half header moves to the front */
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(reader.bytes.ptr[2 + i], 0);
    link_reader_release(&reader);
    ends_close(&ends);
}

static void
a_reader_ahead_takes_no_descriptor_and_no_false_length(void **state UNUSED)
{
    const struct slice lengths[] = { SLICE("\0\0\0\0"), SLICE("\0\x40\0\1"), SLICE("\xff\xff\xff\xff") };
    struct ends ends = ends_open();
    struct link_reader reader;
    size_t before = open_descriptors();

    link_reader_init_ahead(&reader, ends.ours);
    peer_writes_with_fds(ends.theirs, SLICE("\0\0\0\1x"), (const int[]){ ends.theirs }, 1);
    assert_int_equal(link_reader_fill(&reader), ERR_FRAME);
    assert_int_equal(open_descriptors(), before);
    link_reader_release(&reader);
    ends_close(&ends);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        ends = ends_open();
        link_reader_init_ahead(&reader, ends.ours);
        peer_writes(ends.theirs, lengths[i].ptr, lengths[i].len);
        assert_int_equal(link_reader_fill(&reader), ERR_FRAME);
        link_reader_release(&reader);
        ends_close(&ends);
    }
}

static void
a_reader_ahead_gets_the_largest_frame_and_what_came_before_the_end(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_reader reader;
    pthread_t thread;
    struct slice frame;
    void *failed;
    int fd;

    link_reader_init_ahead(&reader, ends.ours);
    assert_int_equal(pthread_create(&thread, NULL, largest_frame_send, &ends), 0);
    while (link_reader_take(&reader, &frame, &fd) == ERR_INCOMPLETE)
        assert_ok(link_reader_fill(&reader));
    assert_int_equal(frame.len, LINK_FRAME_BYTES_MAX);
    for (size_t i = 0; i < frame.len; i++)
        if (frame.ptr[i] != (char)(i * 31 + (i >> 8)))
            fail_msg("byte %zu differs", i);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    link_reader_forget(&reader);
    assert_int_equal(reader.bytes.cap, 0); /* long frames do not stay in memory */
    peer_writes(ends.theirs, "\0\0\0\1a\0\0\0\1b", 10);
    close(ends.theirs);
    ends.theirs = -1;
    assert_ok(link_reader_fill(&reader));
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_ok(link_reader_fill(&reader)); /* there is one left to take */
    assert_ok(link_reader_take(&reader, &frame, &fd));
    assert_true(slice_eq(frame, SLICE("b")));
    assert_int_equal(link_reader_fill(&reader), ERR_FRAME);
    link_reader_release(&reader);
    ends_close(&ends);
}

/* What does not become a frame leaves those before it as they are. */
static void
a_frame_is_written_in_place(void **state UNUSED)
{
    struct ends ends = ends_open();
    struct link_writer writer;
    struct buf frame;
    int fd;

    buf_init(&frame, 64);
    link_writer_init(&writer, ends.theirs);
    buf_add(link_writer_begin(&writer), SLICE("first"));
    assert_ok(link_writer_end(&writer));
    (void)link_writer_begin(&writer);
    assert_int_equal(link_writer_end(&writer), ERR_LIMIT); /* empty */
    buf_add(link_writer_begin(&writer), slice_of("", SIZE_MAX / 4));
    assert_int_equal(link_writer_end(&writer), ERR_BUSY);
    buf_add(link_writer_begin(&writer), SLICE("second"));
    assert_ok(link_writer_end(&writer));
    assert_ok(link_writer_flush(&writer));
    assert_ok(link_receive(ends.ours, &frame, &fd, 5000));
    assert_true(slice_eq(buf_slice(&frame), SLICE("first")));
    assert_ok(link_receive(ends.ours, &frame, &fd, 5000));
    assert_true(slice_eq(buf_slice(&frame), SLICE("second")));
    buf_release(&frame);
    link_writer_release(&writer);
    ends_close(&ends);
}

UNIT_MAIN(cmocka_unit_test(what_is_sent_is_received_whole),
          cmocka_unit_test(any_split_of_the_stream_gives_the_same_frames),
          cmocka_unit_test(a_frame_is_taken_once_and_not_before_it_is_whole),
          cmocka_unit_test(a_frame_that_was_handled_is_wiped),
          cmocka_unit_test(a_length_of_nothing_or_too_much_is_refused),
          cmocka_unit_test(nothing_and_too_much_are_not_sent),
          cmocka_unit_test(a_receiver_holds_to_the_limit_of_its_own_buffer),
          cmocka_unit_test(a_descriptor_arrives_with_its_own_frame),
          cmocka_unit_test(a_blocking_receiver_gets_the_descriptor_too),
          cmocka_unit_test(more_than_one_descriptor_is_refused_and_none_stays_open),
          cmocka_unit_test(a_descriptor_that_nobody_takes_is_closed),
          cmocka_unit_test(a_dead_peer_is_reported_wherever_it_died),
          cmocka_unit_test(what_a_peer_sent_before_it_died_is_still_received),
          cmocka_unit_test(sending_to_a_dead_peer_fails_without_a_signal),
          cmocka_unit_test(silence_times_out_and_silence_within_a_frame_breaks_it),
          cmocka_unit_test(a_peer_that_does_not_read_times_out), cmocka_unit_test(the_largest_frame_passes),
          cmocka_unit_test(a_writer_keeps_what_does_not_go_yet),
          cmocka_unit_test(a_reader_ahead_gives_the_same_frames_for_any_split),
          cmocka_unit_test(a_reader_ahead_says_what_it_has),
          cmocka_unit_test(what_a_reader_ahead_gave_out_is_wiped),
          cmocka_unit_test(a_reader_ahead_takes_no_descriptor_and_no_false_length),
          cmocka_unit_test(a_reader_ahead_gets_the_largest_frame_and_what_came_before_the_end),
          cmocka_unit_test(a_frame_is_written_in_place))
