/* Mails as RFC 5322, 2045, 2047 and 5321 want them; tests/integration/mail.test.js has another's parser read
 * them. */
#include "core/unit.h"
#include "wire/mail/mail_message.h"
#include <string.h>

static const struct mail_message usual = {
    .from = { { "Harkara", 7 }, { "no-reply@example.org", 20 } },
    .to = { "asha@example.com", 16 },
    .subject = { "Hello", 5 },
    .text = { "A line.\nAnother.", 16 },
    .html = { "<p>A line.</p>", 14 },
    .language = "en",
    .date = { INT64_C(1795393932000000) },
    .id = { { 1, 2, 3 } },
};

static void
a_mail_has_a_header_and_two_bodies(void **state UNUSED)
{
    struct buf out;

    buf_init(&out, 65536);
    assert_ok(mail_message_print(&out, &usual));
    buf_add_byte(&out, '\0');
    assert_string_equal(out.ptr, "From: =?utf-8?B?SGFya2FyYQ==?=\r\n <no-reply@example.org>\r\n"
                                 "To: <asha@example.com>\r\n"
                                 "Subject: Hello\r\n"
                                 "Date: Mon, 23 Nov 2026 00:32:12 +0000\r\n"
                                 "Message-ID: <01020300-0000-0000-0000-000000000000@example.org>\r\n"
                                 "Auto-Submitted: auto-generated\r\n"
                                 "Content-Language: en\r\nMIME-Version: 1.0\r\n"
                                 "Content-Type: multipart/alternative;\r\n"
                                 " boundary=\"=_harkara_01020300-0000-0000-0000-000000000000\"\r\n\r\n"
                                 "--=_harkara_01020300-0000-0000-0000-000000000000\r\n"
                                 "Content-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                                 "A line.\r\nAnother.\r\n"
                                 "--=_harkara_01020300-0000-0000-0000-000000000000\r\n"
                                 "Content-Type: text/html; charset=utf-8\r\n"
                                 "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                                 "<p>A line.</p>\r\n"
                                 "--=_harkara_01020300-0000-0000-0000-000000000000--\r\n");
    buf_release(&out);
}

static void
no_line_is_too_long_and_no_octet_is_foreign(void **state UNUSED)
{
    char hindi[390];
    struct mail_message mail = usual;
    struct buf out;

    for (size_t i = 0; i + 3 <= sizeof(hindi); i += 3)
        memcpy(hindi + i, "\xe0\xa4\x85", 3);
    mail.subject = mail.text = mail.html = slice_of(hindi, sizeof(hindi));
    buf_init(&out, 65536);
    assert_ok(mail_message_print(&out, &mail));
    struct slice rest = buf_slice(&out);
    while (rest.len != 0) {
        struct slice line = slice_take_until(&rest, '\n');
        assert_true(line.len >= 1 && line.len <= 77 && line.ptr[line.len - 1] == '\r');
        for (size_t i = 0; i + 1 < line.len; i++)
            assert_in_range((unsigned char)line.ptr[i], ' ', '~');
    }
    buf_release(&out);
}

static void
blanks_dots_and_signs_survive_the_way(void **state UNUSED)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "a=b", "a=3Db\r\n" },
        { "end \nnext", "end=20\r\nnext\r\n" },
        { ".\n..two", "=2E\r\n=2E.two\r\n" },
        { "tab\there\r", "tab=09here=0D\r\n" },
        { "\n\nx", "\r\n\r\nx\r\n" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mail_message mail = usual;
        struct buf out;
        mail.text = slice_text(rows[i].text);
        buf_init(&out, 65536);
        assert_ok(mail_message_print(&out, &mail));
        if (!slice_contains(buf_slice(&out), slice_text(rows[i].want)))
            fail_msg("row %zu: %.*s", i, SLICE_FMT(buf_slice(&out)));
        buf_release(&out);
    }
}

static void
nothing_makes_a_second_header(void **state UNUSED)
{
    static const char *const texts[] = {
        "a\r\nBcc: b@example.org", "a\nb", "a\rb", "a\x7f", "a\xff", "a\tb"
    };
    static const char *const addresses[] = {
        "", "a", "a@", "@b", "a@b\r\nRCPT TO:<c@d>", "a@b>", "<a@b", "a@b c", "a@b,c@d", "a@b@c", "a\"@b",
    };
    struct buf out;

    buf_init(&out, 65536);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct mail_message mail = usual;
        mail.subject = slice_text(texts[i]);
        assert_int_equal(mail_message_print(&out, &mail), ERR_CONTRACT);
        mail = usual;
        mail.from.name = slice_text(texts[i]);
        assert_int_equal(mail_message_print(&out, &mail), ERR_CONTRACT);
    }
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct mail_message mail = usual;
        mail.to = slice_text(addresses[i]);
        assert_int_equal(mail_message_print(&out, &mail), ERR_CONTRACT);
        mail = usual;
        mail.from.address = slice_text(addresses[i]);
        assert_int_equal(mail_message_print(&out, &mail), ERR_CONTRACT);
    }
    assert_int_equal(out.len, 0);
    buf_release(&out);
}

UNIT_MAIN(cmocka_unit_test(a_mail_has_a_header_and_two_bodies),
          cmocka_unit_test(no_line_is_too_long_and_no_octet_is_foreign),
          cmocka_unit_test(blanks_dots_and_signs_survive_the_way),
          cmocka_unit_test(nothing_makes_a_second_header))
