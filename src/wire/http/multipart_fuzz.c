#include "core/buf.h"
#include "core/fuzz.h"
#include "wire/http/multipart.h"

static enum err
parse(struct slice body, size_t piece, struct buf *out)
{
    struct multipart parser;
    enum multipart_event event = MULTIPART_MORE;
    struct slice data;

    if (multipart_init(&parser, SLICE("multipart/form-data; boundary=b")) != ERR_OK)
        abort();
    enum err err = ERR_OK;
    while (err == ERR_OK && body.len != 0 && event != MULTIPART_END) {
        struct slice part = slice_first(body, piece);
        body = slice_drop(body, piece);
        do {
            size_t before = part.len;
            err = multipart_next(&parser, &part, &event, &data);
            FUZZ_CHECK(err != ERR_OK || part.len < before || event == MULTIPART_DATA);
            if (err == ERR_OK && event == MULTIPART_PART) {
                buf_add_byte(out, '\0');
                buf_add(out, parser.name);
                buf_add(out, parser.file_name);
                buf_add(out, parser.content_type);
                buf_add_byte(out, '\0');
            }
            FUZZ_CHECK((err == ERR_OK && event == MULTIPART_DATA) == (data.len != 0));
            buf_add(out, data);
        } while (err == ERR_OK && part.len != 0);
    }
    return err;
}

/* Any split of the stream gives the same; nothing comes out that did not go in. */
FUZZ_TARGET(data, size)
{
    struct buf whole, split;

    if (size < 1)
        return 0;
    struct slice body = slice_of(data + 1, size - 1);
    buf_init(&whole, 3 * size + 128);
    buf_init(&split, 3 * size + 128);
    enum err err = parse(body, SIZE_MAX, &whole);
    FUZZ_CHECK(parse(body, 1u + data[0] % 16, &split) == err);
    FUZZ_CHECK(buf_done(&whole) == ERR_OK && slice_eq(buf_slice(&whole), buf_slice(&split)));
    buf_release(&whole);
    buf_release(&split);
    return 0;
}
