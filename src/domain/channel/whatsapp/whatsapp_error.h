/*
 * What a Cloud API error code means for the message and for its sender. Meta says: decide on `code`, then on
 * `error_subcode`; the texts are localised, change, and may hold a user's data, so none of them leaves this
 * room.
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_ERROR_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_ERROR_H
#include "core/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum whatsapp_error_class {
    WHATSAPP_RETRY,    /* not sent, and not the message's fault: try again with a growing delay */
    WHATSAPP_THROTTLE, /* not sent, too fast: slow the scope down, then try again */
    WHATSAPP_WAIT, /* not sent: try again after retry_after_s, or when the condition in the title is mended */
    WHATSAPP_PERMANENT,         /* this message will never be sent as it is */
    WHATSAPP_CREDENTIAL_BROKEN, /* the token may not send from this number: stop the lane, keep its messages
                                 */
    WHATSAPP_UNCERTAIN, /* the provider may have the message: wait for its events, do not repeat blindly */
};

/* What else the same cause will hit. */
enum whatsapp_error_scope {
    WHATSAPP_SCOPE_MESSAGE,  /* this message alone */
    WHATSAPP_SCOPE_PAIR,     /* this sender to this recipient */
    WHATSAPP_SCOPE_TEMPLATE, /* whatever uses this template or flow */
    WHATSAPP_SCOPE_NUMBER,   /* everything from this phone number */
    WHATSAPP_SCOPE_ACCOUNT,  /* everything of this WhatsApp Business account */
    WHATSAPP_SCOPE_APP,      /* everything sent with this app's tokens */
};

#define WHATSAPP_CODE_NONE       (-1)
#define WHATSAPP_CODE_MEDIA_LOST 131052 /* it could not get at the media of the message */

struct whatsapp_error {
    int64_t code;    /* Meta's; WHATSAPP_CODE_NONE when no error object was there to say */
    int64_t subcode; /* 0: none */
    enum whatsapp_error_class class;
    enum whatsapp_error_scope scope;
    uint32_t retry_after_s; /* 0: no hint, the caller's own back-off applies */
    const char *title;      /* static, ours, at most WHATSAPP_TITLE_BYTES_MAX; fit to show to the tenant */
};

#define WHATSAPP_TITLE_BYTES_MAX 120u

/*
 * The row of a code. A code that is not in the table is judged by the rest: `is_transient` or an HTTP status
 * of 5xx means RETRY, 429 THROTTLE, 401 CREDENTIAL_BROKEN, anything else PERMANENT. http_status 0: none (a
 * webhook).
 */
struct whatsapp_error whatsapp_error_of(int64_t code, int64_t subcode, bool is_transient, int http_status);

/* "retry", "throttle", ...: for logs and metrics. */
const char *whatsapp_error_class_word(enum whatsapp_error_class class);
/* The fewer words that the API knows: "retry", "throttle", "permanent", "credential". */
const char *whatsapp_error_shown_class(enum whatsapp_error_class class);
const char *whatsapp_error_scope_word(enum whatsapp_error_scope scope);

#define WHATSAPP_ERROR_CODE_BYTES sizeof("whatsapp-9223372036854775807-9223372036854775807")
/*
 * The stored and shown code: "whatsapp-131026", with a subcode "whatsapp-100-33". When WhatsApp gave none:
 * "whatsapp-unanswered", "whatsapp-throttled", "whatsapp-credential" or "whatsapp-unnamed", by the class.
 */
void whatsapp_error_code_print(const struct whatsapp_error *error,
                               char out[static WHATSAPP_ERROR_CODE_BYTES]);

#endif
