/*
 * What WhatsApp says of an account or a number by webhook: quality and limits, the review of a name,
 * restrictions, alerts, PINs; and what a person wishes of marketing. Pure. Source: Cloud API, webhooks
 * phone_number_quality_update, phone_number_name_update, business_capability_update, account_update,
 * account_alerts, account_review_update, security, user_preferences (v23.0 to v26.0). A field or a word that
 * we do not know is a notice all the same.
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_ACCOUNT_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_ACCOUNT_H
#include "core/arena.h"
#include "domain/channel/whatsapp/whatsapp_event.h"

#define WHATSAPP_ACCOUNT_NAME_MAX         255u
#define WHATSAPP_ACCOUNT_RESTRICTIONS_MAX 20u
#define WHATSAPP_ACCOUNT_DETAILS_MAX      8192u

enum whatsapp_account_kind {
    WHATSAPP_ACCOUNT_QUALITY,  /* quality, limits or throughput of a number */
    WHATSAPP_ACCOUNT_NAME,     /* the review of a display name */
    WHATSAPP_ACCOUNT_STANDING, /* what the account may do: restrictions, violations, reviews, alerts */
    WHATSAPP_ACCOUNT_SECURITY, /* the PIN was changed, or somebody asks to reset it */
    WHATSAPP_ACCOUNT_OTHER,
};

/* What it means for sending. */
enum whatsapp_account_effect {
    WHATSAPP_ACCOUNT_TELLS,  /* nothing */
    WHATSAPP_ACCOUNT_PAUSES, /* no messages for a time, or until the tenant has mended something */
    WHATSAPP_ACCOUNT_BREAKS, /* the account or our access to it is gone */
};

struct whatsapp_account_notice {
    enum whatsapp_account_kind kind;
    enum whatsapp_account_effect effect;
    const char *reason;  /* of an effect: ours, fit to show */
    struct slice number; /* digits of the number that is meant; empty: all of the account */
    /* WhatsApp's words in lower case; NULL ptr: not said. */
    struct slice notice; /* "flagged", "account_restriction", "pin_changed" */
    struct slice messaging_limit, throughput;
    struct slice decision, requested_name;
    struct slice
        details; /* more of it, as members of a JSON object: ",\"notice\":\"flagged\""; may be empty */
};

/*
 * Of an event of kind NOTICE. Texts lie in the arena. ERR_NOTHING: about templates or preferences, which are
 * read elsewhere. ERR_NO_MEMORY.
 */
MUST_CHECK enum err whatsapp_account_read(const struct whatsapp_event *event, struct arena *arena,
                                          struct whatsapp_account_notice *out);

struct whatsapp_preference {
    struct slice peer;     /* "+14155550123", or the business-scoped id; never empty */
    struct slice category; /* "marketing_messages" */
    struct slice value;    /* "stop", "resume" */
    bool has_time;
    struct wall_time time;
};
/* Of an event whose field is user_preferences; else ERR_NOTHING. Entries that name nobody are left out. */
MUST_CHECK enum err whatsapp_preferences_read(const struct whatsapp_event *event, struct arena *arena,
                                              struct whatsapp_preference **out, size_t *count_out);

#endif
