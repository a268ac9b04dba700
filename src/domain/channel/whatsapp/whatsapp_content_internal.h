/* The walk over an outgoing content, shared by the files that check its kinds. */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_CONTENT_INTERNAL_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_CONTENT_INTERNAL_H
#include "core/buf.h"
#include "domain/channel/whatsapp/whatsapp_content.h"
#include "domain/channel/whatsapp/whatsapp_json_internal.h"
#include "wire/json/json.h"

struct content_check {
    struct arena *arena;     /* borrowed */
    struct problem *problem; /* borrowed */
    struct buf at;           /* JSON Pointer of the place that is looked at */
    size_t fault_count;
};

/* Each returns what content_leave needs to come back. */
size_t content_enter(struct content_check *check, const char *member);
size_t content_enter_index(struct content_check *check, size_t index);
void content_leave(struct content_check *check, size_t before);
/* The place itself, or a member of it, is wrong. `detail` is a sentence of ours without the value. */
void content_fault(struct content_check *check, const char *detail);
void content_fault_at(struct content_check *check, const char *member, const char *detail);

/* object[member] is a file: exactly one of id and link. Nothing when the member is not there. */
void content_media_check(struct content_check *check, const json_t *object, const char *member);
/* A list of up to count_max elements, the texts of which (element[member], or element[inner][member]) all
 * differ. */
void content_unique_check(struct content_check *check, const json_t *elements, const char *inner,
                          const char *member, size_t count_max, const char *detail);
/* sections: at most count_max elements of `list` in all, and titles when there is more than one section. */
void content_sections_check(struct content_check *check, const json_t *sections, const char *list,
                            size_t count_max, const char *detail);
/* element.card_index of each card: a place of its own, from 0. */
void content_card_places_check(struct content_check *check, const json_t *cards);

/* latitude and longitude, where they are text. */
void content_location_check(struct content_check *check, const json_t *location);
/* order_details: the total is the sum of its parts. */
void content_order_check(struct content_check *check, const json_t *details);

void content_interactive_check(struct content_check *check, const json_t *interactive);
void content_template_check(struct content_check *check, const json_t *template);

#endif
