#include "domain/channel/whatsapp/whatsapp_error.h"
#include "core/attribute.h"
#include "core/err.h"
#include "domain/channel/whatsapp/whatsapp_error_internal.h"
#include <inttypes.h>
#include <stdio.h>

static const struct whatsapp_error_row *
row_find(int64_t code)
{
    size_t low = 0, high = whatsapp_error_row_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct whatsapp_error_row *row = &whatsapp_error_rows[middle];
        if (code < row->first)
            high = middle;
        else if (code > row->last)
            low = middle + 1;
        else
            return row;
    }
    return NULL;
}

static struct whatsapp_error
error_unlisted(bool is_transient, int http_status)
{
    if (is_transient || http_status >= 500)
        return (struct whatsapp_error){ .class = WHATSAPP_RETRY,
                                        .title = "WhatsApp reported a temporary error." };
    if (http_status == 429)
        return (struct whatsapp_error){ .class = WHATSAPP_THROTTLE,
                                        .scope = WHATSAPP_SCOPE_NUMBER,
                                        .title = "WhatsApp reported too many requests." };
    if (http_status == 401)
        return (struct whatsapp_error){ .class = WHATSAPP_CREDENTIAL_BROKEN,
                                        .scope = WHATSAPP_SCOPE_NUMBER,
                                        .title = "WhatsApp did not accept the access token." };
    return (struct whatsapp_error){ .class = WHATSAPP_PERMANENT, .title = "WhatsApp refused the message." };
}

struct whatsapp_error
whatsapp_error_of(int64_t code, int64_t subcode, bool is_transient, int http_status)
{
    const struct whatsapp_error_row *row = row_find(code);
    struct whatsapp_error error;

    if (row == NULL)
        error = error_unlisted(is_transient, http_status);
    else
        error = (struct whatsapp_error){
            .class = row->class, .scope = row->scope, .retry_after_s = row->retry_after_s, .title = row->title
        };
    if (code == 100 && subcode == 33) { /* the path's id: unknown, or not shared with the token */
        error.class = WHATSAPP_CREDENTIAL_BROKEN;
        error.scope = WHATSAPP_SCOPE_NUMBER;
        error.title = "The phone number id does not exist, or the access token may not use it.";
    }
    error.code = code;
    error.subcode = subcode;
    return error;
}

const char *whatsapp_error_class_word(enum whatsapp_error_class class)
{
    switch (class) {
    case WHATSAPP_RETRY:
        return "retry";
    case WHATSAPP_THROTTLE:
        return "throttle";
    case WHATSAPP_WAIT:
        return "wait";
    case WHATSAPP_PERMANENT:
        return "permanent";
    case WHATSAPP_CREDENTIAL_BROKEN:
        return "credential-broken";
    case WHATSAPP_UNCERTAIN:
        return "uncertain";
    }
    return "";
}

const char *
whatsapp_error_scope_word(enum whatsapp_error_scope scope)
{
    switch (scope) {
    case WHATSAPP_SCOPE_MESSAGE:
        return "message";
    case WHATSAPP_SCOPE_PAIR:
        return "pair";
    case WHATSAPP_SCOPE_TEMPLATE:
        return "template";
    case WHATSAPP_SCOPE_NUMBER:
        return "number";
    case WHATSAPP_SCOPE_ACCOUNT:
        return "account";
    case WHATSAPP_SCOPE_APP:
        return "app";
    }
    return "";
}

const char *whatsapp_error_shown_class(enum whatsapp_error_class class)
{
    switch (class) {
    case WHATSAPP_RETRY:
    case WHATSAPP_WAIT:
    case WHATSAPP_UNCERTAIN:
        return "retry";
    case WHATSAPP_THROTTLE:
        return "throttle";
    case WHATSAPP_PERMANENT:
        return "permanent";
    case WHATSAPP_CREDENTIAL_BROKEN:
        return "credential";
    }
    bug("an error class outside the enum");
}

/* What is stored when the provider gave no code. */
static const char *unspoken_code(enum whatsapp_error_class class)
{
    switch (class) {
    case WHATSAPP_RETRY:
    case WHATSAPP_WAIT:
    case WHATSAPP_UNCERTAIN:
        return "whatsapp-unanswered";
    case WHATSAPP_THROTTLE:
        return "whatsapp-throttled";
    case WHATSAPP_PERMANENT:
        return "whatsapp-unnamed";
    case WHATSAPP_CREDENTIAL_BROKEN:
        return "whatsapp-credential";
    }
    return "whatsapp-unnamed";
}

void
whatsapp_error_code_print(const struct whatsapp_error *error, char out[static WHATSAPP_ERROR_CODE_BYTES])
{
    if (error->code == WHATSAPP_CODE_NONE)
        snprintf(out, WHATSAPP_ERROR_CODE_BYTES, "%s", unspoken_code(error->class));
    else if (error->subcode == 0)
        snprintf(out, WHATSAPP_ERROR_CODE_BYTES, "whatsapp-%" PRId64, error->code);
    else
        snprintf(out, WHATSAPP_ERROR_CODE_BYTES, "whatsapp-%" PRId64 "-%" PRId64, error->code,
                 error->subcode);
}
