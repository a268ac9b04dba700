/* What each type begins with, and what is taken for it and is not. */
#include "core/unit.h"
#include "domain/media/media_type.h"

#define OGG(count, packet)                                                                                   \
    SLICE("OggS\0\x02"                                                                                       \
          "\0\0\0\0\0\0\0\0"                                                                                 \
          "\1\0\0\0"                                                                                         \
          "\0\0\0\0"                                                                                         \
          "\0\0\0\0"                                                                                         \
          "\x01" count packet)
#define PNG(depth, colours)                                                                                  \
    SLICE("\x89PNG\r\n\x1a\n"                                                                                \
          "\0\0\0\x0d"                                                                                       \
          "IHDR"                                                                                             \
          "\0\0\0\x01"                                                                                       \
          "\0\0\0\x01" depth colours "\0\0\0")
#define VP8X(flags, width, height)                                                                           \
    SLICE("RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0" flags "\0\0\0" width height "....")

static const struct sample {
    const char *mime;
    struct slice head;
    enum err err;
} samples[] = {
    { "image/jpeg", { "\xff\xd8\xff\xe0\0\x10JFIF", 10 }, ERR_OK },
    { "image/jpeg", { "\xff\xd8", 2 }, ERR_MEDIA_MISMATCH },
    { "image/jpeg", { "GIF89a", 6 }, ERR_MEDIA_MISMATCH },
    { "audio/aac", { "\xff\xf1\x50\x80", 4 }, ERR_OK },
    { "audio/aac", { "\xff\xfb\x90\x64", 4 }, ERR_MEDIA_MISMATCH }, /* layer III */
    { "audio/amr", { "#!AMR\n<", 7 }, ERR_OK },
    { "audio/amr", { "#!AMR-WB\n", 9 }, ERR_MEDIA_MISMATCH },
    { "audio/mpeg", { "\xff\xfb\x90\x64", 4 }, ERR_OK },
    { "audio/mpeg", { "ID3\x04", 4 }, ERR_OK },
    { "audio/mpeg", { "\xff\xf1\x50\x80", 4 }, ERR_MEDIA_MISMATCH }, /* ADTS */
    { "audio/mpeg", { "\xff\xeb\x90\x64", 4 }, ERR_MEDIA_MISMATCH }, /* a version that does not exist */
    { "audio/mp4",
      { "\0\0\0\x20"
        "ftypM4A \0\0\0\0",
        16 },
      ERR_OK },
    { "video/mp4",
      { "\0\0\0\x20"
        "ftypisom\0\0\0\0",
        16 },
      ERR_OK },
    { "video/mp4",
      { "\0\0\0\x14"
        "ftypqt  \0\0\0\0",
        16 },
      ERR_MEDIA_MISMATCH },
    { "video/mp4",
      { "\0\0\0\x18"
        "ftypheic\0\0\0\0",
        16 },
      ERR_MEDIA_MISMATCH },
    { "video/mp4",
      { "\0\0\0\x18"
        "ftyp",
        8 },
      ERR_MEDIA_MISMATCH },
    { "video/3gpp",
      { "\0\0\0\x18"
        "ftyp3gp5\0\0\0\0",
        16 },
      ERR_OK },
    { "video/3gpp",
      { "\0\0\0\x18"
        "ftypisom\0\0\0\0",
        16 },
      ERR_MEDIA_MISMATCH },
    { "text/plain", { "Hello,\r\n\tw\xc3\xb6rld\f", 16 }, ERR_OK },
    { "text/plain", { "M\0Z", 3 }, ERR_MEDIA_MISMATCH },
    { "text/plain", { "\x1b[0m", 4 }, ERR_MEDIA_MISMATCH },
    { "application/pdf", { "%PDF-1.7", 8 }, ERR_OK },
    { "application/pdf", { " %PDF-1.7", 9 }, ERR_MEDIA_MISMATCH },
    { "application/msword", { "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8 }, ERR_OK },
    { "application/vnd.ms-excel", { "PK\x03\x04", 4 }, ERR_MEDIA_MISMATCH },
    { "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", { "PK\x03\x04", 4 }, ERR_OK },
    { "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
      { "PK\x05\x06", 4 },
      ERR_MEDIA_MISMATCH },
    { "application/pdf", { "", 0 }, ERR_MEDIA_EMPTY },
};

static const struct media_type *
type_of(const char *mime)
{
    const struct media_type *type = media_type_find(slice_text(mime));

    assert_non_null(type);
    return type;
}

static enum err
check(const char *mime, struct slice head)
{
    size_t bytes_max;

    return media_type_check(type_of(mime), head, &bytes_max);
}

static void
the_first_bytes_decide(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(samples); i++)
        if (check(samples[i].mime, samples[i].head) != samples[i].err)
            fail_msg("row %zu, %s: %s", i, samples[i].mime,
                     err_code(check(samples[i].mime, samples[i].head)));
}

static void
a_picture_is_of_8_bits_and_of_colours(void **state UNUSED)
{
    assert_ok(check("image/png", PNG("\x08", "\x02")));
    assert_ok(check("image/png", PNG("\x08", "\x06")));
    assert_int_equal(check("image/png", PNG("\x10", "\x02")), ERR_MEDIA_FORMAT);
    assert_int_equal(check("image/png", PNG("\x08", "\x03")), ERR_MEDIA_FORMAT); /* a palette */
    assert_int_equal(check("image/png", slice_first(PNG("\x08", "\x02"), 25)), ERR_MEDIA_MISMATCH);
}

static void
a_voice_note_is_mono_opus(void **state UNUSED)
{
    assert_ok(check("audio/ogg; codecs=opus", OGG("\x13", "OpusHead\x01\x01")));
    assert_int_equal(check("audio/ogg", OGG("\x13", "OpusHead\x01\x02")), ERR_MEDIA_FORMAT); /* stereo */
    assert_int_equal(check("audio/ogg", OGG("\x1e", "\x01vorbis\0\0\0\0")), ERR_MEDIA_FORMAT);
    assert_int_equal(check("audio/ogg", SLICE("OggX")), ERR_MEDIA_MISMATCH);
}

/* The canvas in each of the three layouts, and the flag that lets a sticker be larger. */
static void
a_sticker_is_square_and_may_be_larger_when_it_moves(void **state UNUSED)
{
    const struct media_type *type = type_of("image/webp");
    size_t bytes_max;

    assert_ok(media_type_check(type, VP8X("\x02", "\xff\x01\0", "\xff\x01\0"), &bytes_max));
    assert_int_equal(bytes_max, 500 * 1024);
    assert_ok(media_type_check(type, VP8X("\x10", "\xff\x01\0", "\xff\x01\0"), &bytes_max));
    assert_int_equal(bytes_max, 100 * 1024);
    assert_int_equal(check("image/webp", VP8X("\0", "\xff\x01\0", "\xfe\x01\0")), ERR_MEDIA_FORMAT);
    assert_ok(
        check("image/webp", SLICE("RIFF\x64\0\0\0WEBPVP8 \x58\0\0\0\x30\x01\0\x9d\x01\x2a\0\x02\0\x02")));
    assert_int_equal(
        check("image/webp", SLICE("RIFF\x64\0\0\0WEBPVP8 \x58\0\0\0\x30\x01\0\x9d\x01\x2a\0\x02\0\x01")),
        ERR_MEDIA_FORMAT);
    /* 511 | 511 << 14 is 0x7fc1ff */
    assert_ok(check("image/webp", SLICE("RIFF\x64\0\0\0WEBPVP8L\x58\0\0\0\x2f\xff\xc1\x7f\0.....")));
    assert_int_equal(check("image/webp", SLICE("RIFF\x64\0\0\0WEBPVP8?\x58\0\0\0\x2f\xff\xc1\x7f\0.....")),
                     ERR_MEDIA_MISMATCH);
}

static void
a_type_is_found_without_its_parameters_and_in_any_case(void **state UNUSED)
{
    assert_ptr_equal(type_of("Image/PNG"), type_of("image/png; x=y"));
    assert_null(media_type_find(SLICE("image/gif")));
    assert_null(media_type_find(SLICE("")));
    assert_null(media_type_find(SLICE("image/pngx")));
}

static void
every_kind_has_a_type_and_a_word(void **state UNUSED)
{
    bool seen[MEDIA_KINDS] = { false };
    enum media_kind kind;

    for (size_t i = 0; media_type_at(i) != NULL; i++) {
        seen[media_type_at(i)->kind] = true;
        assert_true(media_type_at(i)->bytes_max <= MEDIA_BYTES_MAX);
    }
    for (unsigned i = 0; i < MEDIA_KINDS; i++) {
        assert_true(seen[i]);
        assert_ok(media_kind_parse(slice_text(media_kind_word((enum media_kind)i)), &kind));
        assert_int_equal(kind, i);
    }
    assert_int_equal(media_kind_parse(SLICE("text"), &kind), ERR_NOT_FOUND);
}

UNIT_MAIN(cmocka_unit_test(the_first_bytes_decide), cmocka_unit_test(a_picture_is_of_8_bits_and_of_colours),
          cmocka_unit_test(a_voice_note_is_mono_opus),
          cmocka_unit_test(a_sticker_is_square_and_may_be_larger_when_it_moves),
          cmocka_unit_test(a_type_is_found_without_its_parameters_and_in_any_case),
          cmocka_unit_test(every_kind_has_a_type_and_a_word))
