/*
 * One mail to one recipient, handed to the operator's relay by SMTP (RFC 5321) on libcurl, on the caller's
 * thread, over a connection of its own. A relay is the operator's choice, so no address guard stands before
 * it; TLS is always verified, and only a relay on this host is spoken to without.
 */
#ifndef PLATFORM_NET_SMTP_CLIENT_H
#define PLATFORM_NET_SMTP_CLIENT_H
#include "core/err.h"
#include "core/slice.h"
#include <stdatomic.h>

#define SMTP_ADDRESS_BYTES_MAX 254u

struct smtp_relay {              /* all borrowed while it is used */
    const char *url;             /* "smtp://host:port" or "smtps://host:port" */
    bool is_plain;               /* no TLS; else STARTTLS is asked for, and nothing is said without */
    const char *ca_file;         /* PEM bundle, read with each mail */
    const char *user, *password; /* NULL: none; shown to the relay with TLS, or where is_plain */
    const char *hello;           /* how we call ourselves: a domain */
    int connect_timeout_ms, timeout_ms;
    const atomic_bool *is_stopping; /* true: what is under way is given up */
};

enum smtp_outcome {
    SMTP_SENT,    /* the relay has it */
    SMTP_REFUSED, /* it said that it will not take this mail, ever (5yz of RFC 5321, 4.2.1) */
    SMTP_LATER,   /* it cannot, now; or nobody knows, and then a second attempt may bring it twice */
};

enum smtp_failure { /* what kept it from being sent: for the log */
                    SMTP_FAILURE_NONE,
                    SMTP_FAILURE_DNS,
                    SMTP_FAILURE_CONNECT,
                    SMTP_FAILURE_TLS, /* also where the relay offers none */
                    SMTP_FAILURE_LOGIN,
                    SMTP_FAILURE_REPLY, /* it said no: `code` */
                    SMTP_FAILURE_TIMEOUT,
                    SMTP_FAILURE_BROKEN,
                    SMTP_FAILURE_STOPPED
};
const char *smtp_failure_word(enum smtp_failure failure);

struct smtp_result {
    enum smtp_outcome outcome;
    enum smtp_failure failure;
    int code; /* the relay's last reply; 0: none */
};

/*
 * `mail` has lines that end in CRLF, with dots as they are. ERR_CONTRACT: an address that is no plain one (it
 * would be another command), nothing was sent. ERR_NO_MEMORY. Else *out says what became of it.
 */
MUST_CHECK enum err smtp_send(const struct smtp_relay *relay, struct slice from, struct slice to,
                              struct slice mail, struct smtp_result *out);

#endif
