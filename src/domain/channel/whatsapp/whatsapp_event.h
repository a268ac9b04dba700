/*
 * The body of a WhatsApp webhook, already verified, taken apart into events. Meta adds fields, types and
 * words when it likes, writes numbers as text and text as numbers: nothing of that fails. What is not
 * understood is an event too, with its raw JSON. Source: Cloud API, webhooks (v23.0 to v26.0).
 *
 *   {"object":"whatsapp_business_account","entry":[{"id","time"?,"changes":[{"field","value":{...}}]}]}
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_EVENT_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_EVENT_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"
#include "domain/channel/whatsapp/whatsapp_error.h"
#include "domain/channel/whatsapp/whatsapp_status.h"
#include <jansson.h>

#define WHATSAPP_BODY_BYTES_MAX    (4u << 20) /* Meta: up to 3 MB */
#define WHATSAPP_EVENTS_MAX        20000u     /* Meta: up to 1000 updates in one body */
#define WHATSAPP_ID_MAX            255u       /* bytes of an id that we keep; longer ones count as missing */
#define WHATSAPP_WORD_MAX          64u /* bytes of a word such as "utility"; longer ones count as missing */
#define WHATSAPP_CALLBACK_DATA_MAX 512u
#define WHATSAPP_NAME_MAX          512u /* bytes of a profile name; longer ones are cut */
#define WHATSAPP_STATUS_ERRORS_MAX 8u   /* of one status, each code once; more are left out */

enum whatsapp_event_kind {
    WHATSAPP_EVENT_STATUS,  /* what became of a message that we sent */
    WHATSAPP_EVENT_MESSAGE, /* what a person sent to us; or, an echo, what the business sent from its app */
    WHATSAPP_EVENT_FAULT,   /* value.errors: trouble of the number or the account, tied to no message */
    WHATSAPP_EVENT_NOTICE,  /* any other field, such as account_update: its name and its raw value */
    WHATSAPP_EVENT_UNKNOWN, /* what none of the above fits; raw */
};

struct whatsapp_pricing {
    bool is_given, is_billable;
    struct slice model, type, category; /* "PMP", "regular", "utility"; WhatsApp's words as they are */
};

struct whatsapp_status_event {
    struct slice provider_id;   /* never empty */
    struct slice callback_data; /* what we sent as biz_opaque_callback_data: our message id; may be empty */
    enum whatsapp_status_word word;
    struct slice text;                            /* the word itself */
    struct slice recipient_id, recipient_user_id; /* digits and business-scoped id; either may be empty */
    bool is_group;                                /* one recipient's share of a group message */
    struct slice participant_id;
    struct whatsapp_pricing pricing;
    struct slice conversation_id, conversation_origin; /* empty since v24, except in a free entry point */
    /* Each code once, in WhatsApp's order: the first one decides. */
    struct whatsapp_error errors[WHATSAPP_STATUS_ERRORS_MAX];
    size_t error_count;
};

struct whatsapp_inbound {
    struct slice provider_id; /* never empty */
    struct slice peer;  /* "+14155550123", or the business-scoped id when no number was given; never empty */
    struct slice wa_id; /* as given, digits; may be empty */
    struct slice user_id; /* business-scoped id; may be empty */
    struct slice group_id;
    struct slice type;         /* WhatsApp's word; the normalised one stands in the content */
    struct slice profile_name; /* as the person chose it: never trust, only show */
    struct slice username, parent_user_id, identity_key_hash; /* any may be empty */
    bool is_echo;           /* sent from the business's own app: the peer is who it went to */
    struct slice quoted_id; /* provider id of the message that this one answers; may be empty */
    bool is_referred;       /* the person came through an advertisement or a post */
    bool has_error;
    struct whatsapp_error error;
};

struct whatsapp_event {
    enum whatsapp_event_kind kind;
    struct slice account_id;      /* WhatsApp Business account (entry.id) */
    struct slice phone_number_id; /* which of our numbers; empty where the account as a whole is meant */
    struct slice display_phone_number;
    struct slice field; /* "messages", ...; "messages.payment" for a payment's status */
    bool has_time;
    struct wall_time time; /* the event's own, or else the entry's */
    const json_t *raw;     /* the status, message, error, value, change or entry. Borrowed; never NULL */
    union {
        struct whatsapp_status_event status;
        struct whatsapp_inbound message;
        struct whatsapp_error fault;
    };
};

/*
 * Calls `visit` for each event in the order of the body. All that an event points to is borrowed for that
 * call. An error of `visit` stops the reading and is returned. The body is read wholly before the first call.
 * ERR_LIMIT: over one of the limits above. ERR_JSON_SYNTAX, ERR_JSON_DEPTH: not JSON. ERR_PROVIDER_BODY:
 * JSON, but without the envelope. ERR_NO_MEMORY: the arena is full; it holds ids that came as numbers.
 */
MUST_CHECK enum err whatsapp_event_read(struct slice body, struct arena *arena,
                                        enum err (*visit)(void *ctx, const struct whatsapp_event *event),
                                        void *ctx);

/*
 * Who called, of one element of a `calls` notice: fills peer, wa_id and user_id. false: the business called,
 * or nobody is named. The peer may lie in the arena.
 */
bool whatsapp_event_caller(const json_t *call, struct arena *arena, struct whatsapp_inbound *out);

#endif
