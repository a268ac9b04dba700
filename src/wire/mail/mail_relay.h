/*
 * The relay that mails are handed to, and whom they are from, as an operator writes them. TLS is not an
 * option: "smtps://" begins with it (RFC 8314), "smtp://" has to offer STARTTLS (RFC 3207) before anything is
 * said; in the open only to a relay on this host, named by its loopback address.
 */
#ifndef WIRE_MAIL_MAIL_RELAY_H
#define WIRE_MAIL_MAIL_RELAY_H
#include "core/err.h"
#include "core/slice.h"

#define MAIL_ADDRESS_BYTES_MAX 254u /* RFC 5321, 4.5.3.1.3 */
#define MAIL_URL_BYTES_MAX     300u

struct mail_relay {
    char url[MAIL_URL_BYTES_MAX]; /* "smtps://mail.example.org:465", with a NUL */
    bool is_plain;                /* on this host: no TLS */
};
/* "smtp://host[:port]" or "smtps://host[:port]", without anything else. ERR_CONFIG. */
MUST_CHECK enum err mail_relay_read(struct slice text, struct mail_relay *out);

struct mailbox {
    struct slice name, address; /* name may be empty; point into the text */
};
/* "no-reply@example.org" or "Harkara <no-reply@example.org>". ERR_CONFIG. */
MUST_CHECK enum err mailbox_read(struct slice text, struct mailbox *out);

/* An address that can stand in an envelope and in a header: "local@domain", without blanks, brackets, quotes
 * and control characters, of at most MAIL_ADDRESS_BYTES_MAX. */
bool mail_address_is_plain(struct slice address);

#endif
