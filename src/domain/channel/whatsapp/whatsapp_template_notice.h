/*
 * What WhatsApp says of a template by webhook: its review and its pauses, its quality, its category, a change
 * of its components. Pure. Source: Cloud API, webhooks message_template_status_update,
 * message_template_quality_update, message_template_components_update, template_category_update.
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_TEMPLATE_NOTICE_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_TEMPLATE_NOTICE_H
#include "domain/channel/whatsapp/whatsapp_event.h"

#define WHATSAPP_TEMPLATE_NAME_MAX   512u
#define WHATSAPP_TEMPLATE_DETAIL_MAX 1000u /* bytes of WhatsApp's explanation; longer ones are cut */

enum whatsapp_template_notice_kind {
    WHATSAPP_TEMPLATE_STATUS,
    WHATSAPP_TEMPLATE_QUALITY,
    WHATSAPP_TEMPLATE_COMPONENTS, /* the texts of it are not all there is: look at the template itself */
    WHATSAPP_TEMPLATE_CATEGORY,
};

struct whatsapp_template_notice {
    enum whatsapp_template_notice_kind kind;
    struct slice template_id; /* at WhatsApp; empty when it was not given */
    struct slice name;        /* never empty */
    struct slice language;    /* "en_US": never empty, and never "en-US", as some webhooks write it */
    struct slice event;       /* of STATUS: WhatsApp's word, "APPROVED" */
    struct slice reason;      /* of STATUS, in lower case: "incorrect_category", "first_pause"; empty: none */
    struct slice detail;      /* of STATUS: WhatsApp's explanation; empty: none */
    struct slice quality;     /* of QUALITY: "GREEN" */
    /* Of CATEGORY, WhatsApp's words. With correct_category it is an announcement, and new_category the
     * present one; without, the category has changed to new_category. */
    struct slice new_category, correct_category;
    bool has_change_at;
    struct wall_time change_at;
};

/*
 * Borrowed from the event and the arena. ERR_NOTHING: the event is no notice about a template, or names none.
 * ERR_NO_MEMORY.
 */
MUST_CHECK enum err whatsapp_template_notice_read(const struct whatsapp_event *event, struct arena *arena,
                                                  struct whatsapp_template_notice *out);

#endif
