/*
 * What a peer may send on a link that is read ahead: the first octet says how the stream is cut, the rest is
 * the stream. However that is, the reader gives out the frames that stand in it, one by one, up to the first
 * length that can be none.
 */
#include "core/fuzz.h"
#include "core/num.h"
#include "platform/ipc/link.h"
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_BYTES_MAX 65536u /* fits into a socket */

/* The next frame of what has been sent, by the definition. False: there is none yet, or never. */
static bool
frame_expected(struct slice sent, size_t *at, struct slice *frame_out)
{
    struct slice rest = slice_drop(sent, *at);

    if (rest.len < LINK_HEADER_BYTES)
        return false;
    uint32_t len = num_u32be_get(rest.ptr);
    if (len == 0 || len > LINK_FRAME_BYTES_MAX || len > rest.len - LINK_HEADER_BYTES)
        return false;
    *frame_out = slice_first(slice_drop(rest, LINK_HEADER_BYTES), len);
    *at += LINK_HEADER_BYTES + (size_t)len;
    return true;
}

static bool
is_broken_at(struct slice sent, size_t at)
{
    struct slice rest = slice_drop(sent, at);

    return rest.len >= LINK_HEADER_BYTES &&
           (num_u32be_get(rest.ptr) == 0 || num_u32be_get(rest.ptr) > LINK_FRAME_BYTES_MAX);
}

FUZZ_TARGET(data, size)
{
    struct slice stream = slice_of(data, size), frame, expected;
    struct link_reader reader;
    int ends[2], rider;
    size_t at = 0;

    if (size < 2 || size > STREAM_BYTES_MAX)
        return 0;
    size_t part = 1u + (unsigned char)stream.ptr[0];
    stream = slice_drop(stream, 1);
    FUZZ_CHECK(link_pair(ends) == ERR_OK);
    link_reader_init_ahead(&reader, ends[0]);
    for (size_t sent = 0; sent < stream.len; sent += part) {
        size_t now = part < stream.len - sent ? part : stream.len - sent;
        FUZZ_CHECK(send(ends[1], stream.ptr + sent, now, 0) == (ssize_t)now);
        struct slice so_far = slice_first(stream, sent + now);
        enum err err = link_reader_fill(&reader);
        while (frame_expected(so_far, &at, &expected)) {
            FUZZ_CHECK(err == ERR_OK && link_reader_next_bytes(&reader) == expected.len);
            FUZZ_CHECK(link_reader_take(&reader, &frame, &rider) == ERR_OK && rider == -1);
            FUZZ_CHECK(slice_eq(frame, expected));
            err = link_reader_fill(&reader);
        }
        FUZZ_CHECK(err == (is_broken_at(so_far, at) ? ERR_FRAME : ERR_OK));
        if (err != ERR_OK)
            break;
        FUZZ_CHECK(link_reader_take(&reader, &frame, &rider) == ERR_INCOMPLETE);
        FUZZ_CHECK(link_reader_is_between(&reader) == (at == so_far.len));
    }
    link_reader_release(&reader);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
