#include "core/fuzz.h"
#include "crypto/encode.h"

/* Without the padding, which base64 may leave out. */
static struct slice
unpadded(struct slice text)
{
    while (slice_ends_with(text, SLICE("=")))
        text.len--;
    return text;
}

/* What decodes has one spelling, but for padding; `out` is as small as the header allows. */
static void
check_base64(struct slice text, enum err (*decode)(struct slice, unsigned char *, size_t *),
             void (*encode)(struct buf *, struct slice))
{
    unsigned char *out = malloc(text.len / 4 * 3 + 3);
    size_t len = 4711;
    struct buf again;

    FUZZ_CHECK(out != NULL);
    buf_init(&again, text.len + 4);
    enum err err = decode(text, out, &len);
    if (err == ERR_OK) {
        encode(&again, slice_of(out, len));
        FUZZ_CHECK(buf_done(&again) == ERR_OK);
        FUZZ_CHECK(slice_eq(unpadded(buf_slice(&again)), unpadded(text)));
        FUZZ_CHECK(unpadded(text).len == text.len || text.len % 4 == 0);
    } else {
        FUZZ_CHECK(err == ERR_ENCODING && len == 4711);
    }
    /* Whatever the bytes are, they can be encoded, and come back. */
    buf_release(&again);
    free(out);
    buf_init(&again, text.len * 2 + 4);
    encode(&again, text);
    FUZZ_CHECK(buf_done(&again) == ERR_OK);
    out = malloc(buf_slice(&again).len / 4 * 3 + 3);
    FUZZ_CHECK(out != NULL && decode(buf_slice(&again), out, &len) == ERR_OK);
    FUZZ_CHECK(slice_eq(slice_of(out, len), text));
    buf_release(&again);
    free(out);
}

static void
check_hex(struct slice text)
{
    unsigned char *out = malloc(text.len / 2 + 1);
    struct buf again;

    FUZZ_CHECK(out != NULL);
    buf_init(&again, text.len);
    enum err err = decode_hex(text, out, text.len / 2);
    FUZZ_CHECK(err == ERR_OK || err == ERR_ENCODING);
    FUZZ_CHECK(decode_hex(text, out, text.len / 2 + 1) == ERR_ENCODING);
    if (err == ERR_OK) {
        encode_hex(&again, slice_of(out, text.len / 2));
        FUZZ_CHECK(buf_done(&again) == ERR_OK && slice_eq_nocase(buf_slice(&again), text));
    }
    buf_release(&again);
    free(out);
}

FUZZ_TARGET(data, size)
{
    struct slice text = slice_of(data, size);

    check_base64(text, decode_base64, encode_base64);
    check_base64(text, decode_base64url, encode_base64url);
    check_hex(text);
    return 0;
}
