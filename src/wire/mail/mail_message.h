/*
 * One mail as it goes over the wire: RFC 5322 header, and a body as plain text and as HTML
 * (multipart/alternative, RFC 2046), both quoted-printable (RFC 2045, 6.7). Everything is ASCII in lines of
 * at most 76 octets that end in CRLF; what is not ASCII in a header stands in encoded words (RFC 2047).
 */
#ifndef WIRE_MAIL_MAIL_MESSAGE_H
#define WIRE_MAIL_MAIL_MESSAGE_H
#include "core/buf.h"
#include "core/clock.h"
#include "core/id.h"
#include "wire/mail/mail_relay.h"

#define MAIL_SUBJECT_BYTES_MAX 400u

struct mail_message {
    struct mailbox from;
    struct slice to;         /* an address */
    struct slice subject;    /* UTF-8 in one line */
    struct slice text, html; /* UTF-8, lines that end in LF */
    const char *language;    /* "en": a literal */
    struct wall_time date;
    struct id id; /* the same for every attempt: who gets it twice knows it again */
};

/*
 * Appends the mail. ERR_CONTRACT: an address or a header's text that would be more than one line, or is too
 * long, or is not UTF-8; nothing of such a mail may be sent. What buf_done says, else.
 */
MUST_CHECK enum err mail_message_print(struct buf *out, const struct mail_message *mail);

#endif
