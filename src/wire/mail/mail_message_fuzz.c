#include "core/fuzz.h"
#include "wire/mail/mail_message.h"

/* Five texts, divided by NUL. Whatever they are: a mail is lines of printable ASCII that end in CRLF, none
 * longer than an address makes it, and its header has the nine fields that it should have. */
FUZZ_TARGET(data, size)
{
    struct slice rest = slice_of(data, size);
    struct mail_message mail = { .language = "en" };
    unsigned fields = 0;
    struct buf out;

    mail.from.name = slice_take_until(&rest, '\0');
    mail.from.address = slice_take_until(&rest, '\0');
    mail.to = slice_take_until(&rest, '\0');
    mail.subject = slice_take_until(&rest, '\0');
    mail.text = mail.html = rest;
    buf_init(&out, 1u << 20);
    enum err err = mail_message_print(&out, &mail);
    FUZZ_CHECK(err == ERR_OK || err == ERR_CONTRACT || err == ERR_LIMIT);
    struct slice lines = buf_slice(&out);
    bool is_head = true;
    while (err == ERR_OK && lines.len != 0) {
        struct slice line = slice_take_until(&lines, '\n');
        FUZZ_CHECK(line.len >= 1 && line.len <= 400 && line.ptr[line.len - 1] == '\r');
        for (size_t i = 0; i + 1 < line.len; i++) {
            unsigned char c = (unsigned char)line.ptr[i];
            FUZZ_CHECK((c >= ' ' && c <= '~') || (is_head && c >= 0x80)); /* SMTPUTF8: in an address alone */
        }
        FUZZ_CHECK(line.ptr[0] != '.'); /* SMTP means something by it */
        is_head = is_head && line.len > 1;
        fields += is_head && line.ptr[0] != ' ';
    }
    FUZZ_CHECK(err != ERR_OK || fields == 9);
    buf_release(&out);
    return 0;
}
