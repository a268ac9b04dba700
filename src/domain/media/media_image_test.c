/* The size of pictures, as their first bytes tell it. */
#include "core/unit.h"
#include "domain/media/media_image.h"

#define BYTES(text)                                                                                          \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }
#define PNG(width, height)                                                                                   \
    BYTES("\x89PNG\r\n\x1a\n"                                                                                \
          "\0\0\0\x0d"                                                                                       \
          "IHDR" width height "\x08\2\0\0\0")
#define SOI "\xff\xd8"
#define APP1                                                                                                 \
    "\xff\xe1\0\x0a" /* a thumbnail's frame lies in it, and is none of the picture's */                      \
    "\xff\xc0\0\x0b\x08\0\1\0"
#define DHT                      "\xff\xc4\0\5\1\2\3"
#define SOF(kind, height, width) "\xff" kind "\0\x0b\x08" height width "\1\1\x11\0"

static const struct sample {
    const char *name;
    struct slice head;
    enum err err;
    uint32_t width, height;
} samples[] = {
    { "a PNG", PNG("\0\0\2\x80", "\0\0\1\xe0"), ERR_OK, 640, 480 },
    { "a PNG without a side", PNG("\0\0\0\0", "\0\0\0\1"), ERR_MEDIA_MISMATCH, 0, 0 },
    { "a PNG that begins with another chunk", BYTES("\x89PNG\r\n\x1a\n\0\0\0\x0dgAMA\0\0\0\1\0\0\0\1"),
      ERR_MEDIA_MISMATCH, 0, 0 },
    { "a baseline JPEG", BYTES(SOI SOF("\xc0", "\1\0", "\2\0")), ERR_OK, 512, 256 },
    { "a progressive JPEG behind a thumbnail, tables and fill bytes",
      BYTES(SOI APP1 "\xff\xff" DHT SOF("\xc2", "\0\xc0", "\0\xc0")), ERR_OK, 192, 192 },
    { "a JPEG without a frame", BYTES(SOI DHT "\xff\xda\0\2"), ERR_MEDIA_MISMATCH, 0, 0 },
    { "a JPEG that ends", BYTES(SOI "\xff\xd9\xff\xd9"), ERR_MEDIA_MISMATCH, 0, 0 },
    { "a JPEG whose segment has no room for its length", BYTES(SOI "\xff\xe0\0\1...."), ERR_MEDIA_MISMATCH, 0,
      0 },
    { "a JPEG whose frame is too short", BYTES(SOI "\xff\xc0\0\7\x08\0\1\0\1"), ERR_MEDIA_MISMATCH, 0, 0 },
    { "a JPEG of which no marker follows a segment", BYTES(SOI "\xff\xe0\0\4..AB"), ERR_MEDIA_MISMATCH, 0,
      0 },
    { "a JPEG with a height of 0", BYTES(SOI SOF("\xc0", "\0\0", "\2\0")), ERR_MEDIA_MISMATCH, 0, 0 },
    { "a JPEG with more before its frame than is here", BYTES(SOI "\xff\xe2\x10\0ICC"), ERR_INCOMPLETE, 0,
      0 },
    { "something else", BYTES("GIF89a\1\0\1\0"), ERR_MEDIA_MISMATCH, 0, 0 },
    { "nothing", { "", 0 }, ERR_INCOMPLETE, 0, 0 },
};

static void
a_picture_tells_its_size(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        const struct sample *sample = &samples[i];
        struct media_image_size size;
        enum err err = media_image_size_read(sample->head, &size);
        if (err != sample->err)
            print_error("%s\n", sample->name);
        assert_int_equal(err, sample->err);
        assert_int_equal(size.width, sample->width);
        assert_int_equal(size.height, sample->height);
    }
}

/* What is needed may lie anywhere in it: each beginning of a good one waits, until it says the same. */
static void
a_beginning_waits_or_says_the_same(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        const struct sample *sample = &samples[i];
        for (size_t have = 0; sample->err == ERR_OK && have < sample->head.len; have++) {
            struct media_image_size size;
            enum err err = media_image_size_read(slice_first(sample->head, have), &size);
            assert_true(err == ERR_INCOMPLETE || (err == ERR_OK && size.width == sample->width));
        }
    }
}

UNIT_MAIN(cmocka_unit_test(a_picture_tells_its_size), cmocka_unit_test(a_beginning_waits_or_says_the_same))
