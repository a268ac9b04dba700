/* WhatsApp's words for a message's fate, and ours. */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_STATUS_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_STATUS_H
#include "core/slice.h"
#include "domain/message/message_status.h"

enum whatsapp_status_word {
    WHATSAPP_STATUS_SENT,      /* left WhatsApp's servers */
    WHATSAPP_STATUS_DELIVERED, /* on a device of the recipient */
    WHATSAPP_STATUS_READ,
    WHATSAPP_STATUS_PLAYED, /* a voice message was listened to */
    WHATSAPP_STATUS_FAILED,
    WHATSAPP_STATUS_DELETED, /* seen in older samples: by the recipient */
    WHATSAPP_STATUS_WARNING, /* seen in older samples: the message names a product that is not there */
    WHATSAPP_STATUS_OTHER,   /* a word that we do not know */
};

enum whatsapp_status_word whatsapp_status_word_of(struct slice text);

/*
 * What the word claims for the message; played is read. false: nothing that a status of ours says (deleted,
 * warning, unknown words): note the event and leave the message where it is. Whether the message may go there
 * is for message_status_may_report to say.
 */
bool whatsapp_status_claims(enum whatsapp_status_word word, enum message_status *out);

#endif
