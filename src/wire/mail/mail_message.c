#include "wire/mail/mail_message.h"
#include "crypto/encode.h"
#include <string.h>

#define LINE_MAX 76u /* RFC 2045, 6.7 (5); RFC 2047, 2 */
#define WORD_OCTETS                                                                                          \
    39u /* of UTF-8 in one encoded word: base64 makes 52 of them, 12 stand around, 9 before                  \
         */
#define BOUNDARY_TEXT "=_harkara_" /* "=_" is in no quoted-printable line */

/* A header's text is one line: whoever has a line break in it wants another header. */
static bool
is_line(struct slice text, size_t bytes_max)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return text.len <= bytes_max && slice_is_utf8(text);
}

static bool
is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    return true;
}

/* Words of whole characters, each on a line of its own. */
static void
encoded_words(struct buf *out, struct slice text)
{
    while (text.len != 0) {
        size_t n = text.len < WORD_OCTETS ? text.len : WORD_OCTETS;
        while (n < text.len && ((unsigned char)text.ptr[n] & 0xc0) == 0x80)
            n--;
        buf_add_text(out, "=?utf-8?B?");
        encode_base64(out, slice_first(text, n));
        text = slice_drop(text, n);
        buf_add_text(out, text.len == 0 ? "?=" : "?=\r\n ");
    }
}

static void
header_text(struct buf *out, const char *name, struct slice text)
{
    buf_add_text(out, name);
    buf_add_text(out, ": ");
    if (is_ascii(text) && text.len + strlen(name) + 2 <= LINE_MAX && !slice_contains(text, SLICE("=?")))
        buf_add(out, text);
    else
        encoded_words(out, text);
    buf_add_text(out, "\r\n");
}

/* Always in encoded words: a name may hold whatever an address must not. */
static void
header_from(struct buf *out, const struct mailbox *from)
{
    buf_add_text(out, "From: ");
    if (from->name.len != 0) {
        encoded_words(out, from->name);
        buf_add_text(out, "\r\n <");
    } else {
        buf_add_text(out, "<");
    }
    buf_add(out, from->address);
    buf_add_text(out, ">\r\n");
}

static void
header_date(struct buf *out, struct wall_time date)
{
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    char text[WALL_TEXT_BYTES];
    struct slice at = wall_print(date, text); /* 2026-11-23T00:32:12.123Z */
    unsigned month = (unsigned)(at.ptr[5] - '0') * 10 + (unsigned)(at.ptr[6] - '0');

    buf_add_format(out, "Date: %s, %.2s %s %.4s %.8s +0000\r\n",
                   days[(uint64_t)(date.us / INT64_C(86400000000)) % 7], at.ptr + 8, months[(month - 1) % 12],
                   at.ptr, at.ptr + 11);
}

/* RFC 2045, 6.7: lines of at most 76 octets; a blank at the end of one is written out, and so is a dot at the
 * beginning, which SMTP means something by (RFC 5321, 4.5.2). */
static void
quoted_printable(struct buf *out, struct slice text)
{
    size_t column = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_last = i + 1 == text.len || text.ptr[i + 1] == '\n';
        bool is_plain =
            c >= ' ' && c < 0x7f && c != '=' && !(c == ' ' && is_last) && !(c == '.' && column == 0);
        if (c == '\n') {
            buf_add_text(out, "\r\n");
            column = 0;
            continue;
        }
        if (column + (is_plain ? 1 : 3) > LINE_MAX - 1) {
            buf_add_text(out, "=\r\n");
            column = 0;
            is_plain = is_plain && c != '.';
        }
        if (is_plain)
            buf_add_byte(out, (char)c);
        else
            buf_add_format(out, "=%02X", c);
        column += is_plain ? 1 : 3;
    }
    buf_add_text(out, "\r\n");
}

static void
part(struct buf *out, const char *id, const char *type, struct slice text)
{
    buf_add_format(out, "--" BOUNDARY_TEXT "%s\r\nContent-Type: %s; charset=utf-8\r\n", id, type);
    buf_add_text(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    quoted_printable(out, text);
}

enum err
mail_message_print(struct buf *out, const struct mail_message *mail)
{
    struct slice domain = slice_drop(mail->from.address, slice_find(mail->from.address, '@'));
    char id[ID_UUID_BYTES];

    if (!mail_address_is_plain(mail->from.address) || !mail_address_is_plain(mail->to) ||
        !is_line(mail->from.name, MAIL_SUBJECT_BYTES_MAX) || !is_line(mail->subject, MAIL_SUBJECT_BYTES_MAX))
        return ERR_CONTRACT;
    id_uuid_print(mail->id, id);
    header_from(out, &mail->from);
    buf_add_format(out, "To: <%.*s>\r\n", SLICE_FMT(mail->to));
    header_text(out, "Subject", mail->subject);
    header_date(out, mail->date);
    buf_add_format(out, "Message-ID: <%s%.*s>\r\n", id, SLICE_FMT(domain));
    buf_add_text(out, "Auto-Submitted: auto-generated\r\n"); /* RFC 3834: nobody's absence answers it */
    buf_add_format(out, "Content-Language: %s\r\nMIME-Version: 1.0\r\n", mail->language);
    buf_add_format(out, "Content-Type: multipart/alternative;\r\n boundary=\"" BOUNDARY_TEXT "%s\"\r\n\r\n",
                   id);
    part(out, id, "text/plain", mail->text);
    part(out, id, "text/html", mail->html);
    buf_add_format(out, "--" BOUNDARY_TEXT "%s--\r\n", id);
    return buf_done(out);
}
