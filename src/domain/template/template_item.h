/*
 * A template as WhatsApp shows it (GET of the template, or an item of the account's list). Pure: members may
 * be missing, be of another type, or hold words of a later version.
 */
#ifndef DOMAIN_TEMPLATE_TEMPLATE_ITEM_H
#define DOMAIN_TEMPLATE_TEMPLATE_ITEM_H
#include "core/arena.h"
#include "domain/template/template.h"
#include <jansson.h>

/* The fields that are asked for: the value of `fields` in a query. */
#define TEMPLATE_ITEM_FIELDS                                                                                 \
    "name,language,status,category,components,parameter_format,quality_score,rejected_reason,"               \
    "previous_category,correct_category,message_send_ttl_seconds"

struct template_item {
    struct slice provider_id, name, language; /* none of them empty */
    const json_t *components;                 /* an array, or NULL */
    /* State, reason, category, quality and so on. Its components are the caller's to seal, and `at` to set.
     */
    struct template_news news;
};

/* Borrowed from the tree and the arena. ERR_NOTHING: it is no template that can be named. ERR_NO_MEMORY. */
MUST_CHECK enum err template_item_read(const json_t *object, struct arena *arena, struct template_item *out);

#endif
