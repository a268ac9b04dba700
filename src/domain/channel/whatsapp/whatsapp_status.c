#include "domain/channel/whatsapp/whatsapp_status.h"
#include "core/attribute.h"

static const char *const words[] = {
    [WHATSAPP_STATUS_SENT] = "sent",       [WHATSAPP_STATUS_DELIVERED] = "delivered",
    [WHATSAPP_STATUS_READ] = "read",       [WHATSAPP_STATUS_PLAYED] = "played",
    [WHATSAPP_STATUS_FAILED] = "failed",   [WHATSAPP_STATUS_DELETED] = "deleted",
    [WHATSAPP_STATUS_WARNING] = "warning",
};

enum whatsapp_status_word
whatsapp_status_word_of(struct slice text)
{
    for (unsigned i = 0; i < COUNT_OF(words); i++)
        if (slice_eq(text, slice_text(words[i])))
            return (enum whatsapp_status_word)i;
    return WHATSAPP_STATUS_OTHER;
}

bool
whatsapp_status_claims(enum whatsapp_status_word word, enum message_status *out)
{
    switch (word) {
    case WHATSAPP_STATUS_SENT:
        *out = MESSAGE_SENT;
        return true;
    case WHATSAPP_STATUS_DELIVERED:
        *out = MESSAGE_DELIVERED;
        return true;
    case WHATSAPP_STATUS_READ:
    case WHATSAPP_STATUS_PLAYED:
        *out = MESSAGE_READ;
        return true;
    case WHATSAPP_STATUS_FAILED:
        *out = MESSAGE_FAILED;
        return true;
    case WHATSAPP_STATUS_DELETED:
    case WHATSAPP_STATUS_WARNING:
    case WHATSAPP_STATUS_OTHER:
        return false;
    }
    return false;
}
