/* What data_coding means, and text of octets that may be anything. */
#include "core/unit.h"
#include "wire/gsm/sms_coding.h"

static void
codings_are_told_apart(void **state UNUSED)
{
    static const struct {
        uint8_t data_coding;
        enum sms_coding coding;
    } rows[] = { { 0x00, SMS_CODING_LATIN1 }, { 0x10, SMS_CODING_LATIN1 }, { 0x01, SMS_CODING_ASCII },
                 { 0x02, SMS_CODING_BINARY }, { 0x03, SMS_CODING_LATIN1 }, { 0x04, SMS_CODING_BINARY },
                 { 0x08, SMS_CODING_UCS2 },   { 0x18, SMS_CODING_UCS2 },   { 0x0A, SMS_CODING_BINARY },
                 { 0xC8, SMS_CODING_LATIN1 }, { 0xD0, SMS_CODING_LATIN1 }, { 0xE8, SMS_CODING_UCS2 },
                 { 0xF0, SMS_CODING_LATIN1 }, { 0xF4, SMS_CODING_BINARY } };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(sms_coding_of(rows[i].data_coding, SMS_CODING_LATIN1), rows[i].coding);
    assert_int_equal(sms_coding_of(0xF0, SMS_CODING_GSM7), SMS_CODING_GSM7);
}

static void
what_cannot_be_read_is_replaced(void **state UNUSED)
{
    static const struct {
        const char *octets;
        size_t len;
        enum sms_coding coding;
        const char *text;
    } rows[] = {
        { "\xD8\x3D\xDE\x00\x00\x41", 6, SMS_CODING_UCS2, "😀A" },
        { "\xD8\x3D\x00\x41", 4, SMS_CODING_UCS2, "\uFFFDA" },
        { "\xDE\x00", 2, SMS_CODING_UCS2, "\uFFFD" },
        { "\xD8\x3D", 2, SMS_CODING_UCS2, "\uFFFD" },
        { "\x00\x41\x00", 3, SMS_CODING_UCS2, "A\uFFFD" },
        { "\x00\x00", 2, SMS_CODING_UCS2, "\uFFFD" },
        { "a\xE9\x00", 3, SMS_CODING_LATIN1, "aé\uFFFD" },
        { "a\xE9", 2, SMS_CODING_ASCII, "a\uFFFD" },
        { "\x00\x1B\x65\x81", 4, SMS_CODING_GSM7, "@€\uFFFD" },
        { "abc", 3, SMS_CODING_BINARY, "" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        sms_decode(slice_of(rows[i].octets, rows[i].len), rows[i].coding, (struct gsm7_alphabet){ 0 }, &out);
        assert_ok(buf_done(&out));
        if (!slice_eq(buf_slice(&out), slice_text(rows[i].text)))
            fail_msg("row %zu: %.*s", i, SLICE_FMT(buf_slice(&out)));
        buf_release(&out);
    }
}

UNIT_MAIN(cmocka_unit_test(codings_are_told_apart), cmocka_unit_test(what_cannot_be_read_is_replaced))
