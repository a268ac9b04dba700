/* How messages are sent over WhatsApp: what the store's thread does for it, and what the loop is handed. */
#ifndef PROGRAM_DISPATCHER_SEND_WHATSAPP_H
#define PROGRAM_DISPATCHER_SEND_WHATSAPP_H
#include "core/buf.h"
#include "core/config.h"
#include "core/secret.h"
#include "domain/channel/whatsapp/whatsapp_media.h"
#include "domain/sending/send_kind.h"

struct whatsapp_job {
    struct send_job job;                      /* first */
    struct buf url, body;                     /* body holds message text: wiped */
    struct secret *token;                     /* owned; gone as soon as the request has its own copy */
    struct id media[WHATSAPP_MEDIA_REFS_MAX]; /* ours, that it names by the provider's ids */
    size_t media_count;
};

/* The context of send_whatsapp; borrowed by the store. */
struct send_whatsapp {
    const struct config *config;
    const struct clock *clock;
};
extern const struct send_kind send_whatsapp;

static inline struct whatsapp_job *
whatsapp_job_of(struct send_job *job)
{
    return (struct whatsapp_job *)job;
}

#endif
