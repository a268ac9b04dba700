/*
 * What the Cloud API answered to a send. Only its own words are a verdict on a message: an error object with
 * a code, or the id of the accepted message. A page of some proxy, an empty body or a cut one decides nothing
 * about the message; there the HTTP status only tells whether it may have been taken.
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_ANSWER_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_ANSWER_H
#include "core/slice.h"
#include "domain/channel/whatsapp/whatsapp_error.h"

#define WHATSAPP_ANSWER_BYTES_MAX  65536u /* real ones have some hundred */
#define WHATSAPP_PROVIDER_ID_MAX   255u   /* what the database holds; seen: about 60 */
#define WHATSAPP_USER_ID_MAX       160u   /* a country, a dot, up to 128 characters */
#define WHATSAPP_RETRY_AFTER_S_MAX 604800u

/* What the HTTP client knows. */
struct whatsapp_reply {
    bool was_sent;         /* false: not one byte of the request can have reached the peer */
    int http_status;       /* 0: no answer */
    struct slice body;     /* borrowed; empty when there was none, or too much of it */
    int64_t retry_after_s; /* the header's; negative: none */
    uint32_t regain_s;     /* whatsapp_usage.h: until the account may call again; 0: not told */
};

/* What the answer to a template adds: the message may still be held back or dropped, which a status will
 * tell. */
enum whatsapp_acceptance {
    WHATSAPP_ACCEPTED,        /* "accepted", or nothing said */
    WHATSAPP_ACCEPTED_HELD,   /* "held_for_quality_assessment" */
    WHATSAPP_ACCEPTED_PAUSED, /* "paused": the template was */
    WHATSAPP_ACCEPTED_OTHER,  /* a word that we do not know */
};

struct whatsapp_text { /* owned by the struct around it, so that reading an answer needs no memory */
    char bytes[WHATSAPP_PROVIDER_ID_MAX + 1];
    size_t len;
};

struct whatsapp_answer {
    bool is_accepted;
    /* when accepted */
    enum whatsapp_acceptance acceptance;
    struct whatsapp_text
        provider_id; /* empty when it is longer than we can keep: statuses then match by our own id */
    struct whatsapp_text wa_id;   /* the recipient as WhatsApp writes it; may differ from what was asked */
    struct whatsapp_text user_id; /* the recipient's business-scoped id */
    /* when not */
    struct whatsapp_error error;
};

/* Cannot fail: what cannot be read is an UNCERTAIN or RETRY error. */
void whatsapp_answer_read(const struct whatsapp_reply *reply, struct whatsapp_answer *out);

static inline struct slice
whatsapp_text_slice(const struct whatsapp_text *text)
{
    return slice_of(text->bytes, text->len);
}

#endif
