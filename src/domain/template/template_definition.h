/*
 * The definition of a WhatsApp message template: what a tenant hands in for review. Everything that WhatsApp
 * is known to refuse at creation is refused here first, each fault with its place and its limit. Pure.
 * Source: Cloud API, message templates (v23.0 to v26.0).
 */
#ifndef DOMAIN_TEMPLATE_TEMPLATE_DEFINITION_H
#define DOMAIN_TEMPLATE_TEMPLATE_DEFINITION_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"
#include "wire/http/problem.h"
#include <jansson.h>

#define TEMPLATE_NAME_MAX           512u /* characters; as all limits of text */
#define TEMPLATE_COMPONENTS_MAX     8u
#define TEMPLATE_HEADER_TEXT_MAX    60u
#define TEMPLATE_BODY_TEXT_MAX      1024u
#define TEMPLATE_OFFER_BODY_MAX     600u /* beside a limited-time offer */
#define TEMPLATE_CARD_BODY_MAX      160u
#define TEMPLATE_FOOTER_TEXT_MAX    60u
#define TEMPLATE_OFFER_TEXT_MAX     16u
#define TEMPLATE_BUTTONS_MAX        10u
#define TEMPLATE_BUTTON_TEXT_MAX    25u
#define TEMPLATE_URL_MAX            2000u
#define TEMPLATE_PHONE_MAX          20u
#define TEMPLATE_COUPON_MAX         20u
#define TEMPLATE_OFFER_COUPON_MAX   15u
#define TEMPLATE_CARDS_MIN          2u
#define TEMPLATE_CARDS_MAX          10u
#define TEMPLATE_CARD_BUTTONS_MAX   2u
#define TEMPLATE_APPS_MAX           5u
#define TEMPLATE_PACKAGE_NAME_MAX   224u
#define TEMPLATE_SIGNATURE_HASH_LEN 11u

enum template_category { TEMPLATE_MARKETING, TEMPLATE_UTILITY, TEMPLATE_AUTHENTICATION };
const char *template_category_word(enum template_category category);
/* In any case: WhatsApp writes them in capitals. ERR_TEMPLATE_INVALID. */
MUST_CHECK enum err template_category_parse(struct slice word, enum template_category *out);

struct template_definition {
    struct slice name, language;
    enum template_category category;
    bool is_named;         /* variables {{like_this}}, else {{1}} */
    bool is_order_details; /* display_format: an order-details button wants it */
    bool has_ttl;
    int64_t ttl_s;            /* how long WhatsApp tries to deliver; -1: 30 days */
    const json_t *components; /* borrowed */
};

/*
 * From the members name, language, category, parameter_format, display_format, message_send_ttl_seconds and
 * components. Words that are none leave a fault. Slices are borrowed from the tree.
 */
MUST_CHECK enum err template_definition_read(const json_t *body, struct arena *arena, struct problem *problem,
                                             struct template_definition *out);
/* ERR_TEMPLATE_INVALID with each fault in `problem`: pointers begin at the body ("/components/0/text"). */
MUST_CHECK enum err template_definition_check(const struct template_definition *definition,
                                              struct arena *arena, struct problem *problem);
/* Name, language and time to live alone: for a template out of WhatsApp's library. */
MUST_CHECK enum err template_heading_check(const struct template_definition *definition, struct arena *arena,
                                           struct problem *problem);

/* "en_US", as WhatsApp lists its languages. */
bool template_language_is_known(struct slice code);

#endif
