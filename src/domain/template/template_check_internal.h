/* The walk over a definition, shared by the files that check its parts. */
#ifndef DOMAIN_TEMPLATE_TEMPLATE_CHECK_INTERNAL_H
#define DOMAIN_TEMPLATE_TEMPLATE_CHECK_INTERNAL_H
#include "core/attribute.h"
#include "core/buf.h"
#include "domain/template/template_definition.h"
#include "wire/json/json.h"

struct template_check {
    const struct template_definition *definition; /* borrowed */
    struct arena *arena;                          /* borrowed */
    struct problem *problem;                      /* borrowed */
    struct buf at;                                /* JSON Pointer of the place that is looked at */
    size_t fault_count;
};

/* Each returns what template_leave needs to come back. */
size_t template_enter(struct template_check *check, const char *member);
size_t template_enter_index(struct template_check *check, size_t index);
void template_leave(struct template_check *check, size_t before);
/* The place itself, or a member of it, is wrong. The detail is a sentence of ours without the value. */
void template_fault(struct template_check *check, const char *format, ...) FORMAT_LIKE(2, 3);
void template_fault_at(struct template_check *check, const char *member, const char *format, ...)
    FORMAT_LIKE(3, 4);

/* object[member] is a text of 1 to `max` characters and not blank; false after a fault. */
bool template_text_check(struct template_check *check, const json_t *object, const char *member, size_t max);
/* Members of `object` other than those of the list (NULL at its end) do not belong there. */
void template_members_check(struct template_check *check, const json_t *object, const char *const *members);
/* The member's word, in any case, equals `word`. */
bool template_word_is(const json_t *object, const char *member, const char *word);

enum template_place { TEMPLATE_PLACE_TEMPLATE, TEMPLATE_PLACE_CARD };

/* One component each; `component` is the object. template_variables.c: */
void template_header_text_check(struct template_check *check, const json_t *header);
void template_body_text_check(struct template_check *check, const json_t *body, size_t max);
void template_footer_text_check(struct template_check *check, const json_t *footer);
/* A URL's one variable, at its end, and its example. */
void template_url_check(struct template_check *check, const json_t *button);

/* template_buttons.c. What stands around them decides what may stand among them. */
struct template_buttons_around {
    enum template_place place;
    bool has_offer, has_product_header;
};
void template_buttons_check(struct template_check *check, const json_t *component,
                            struct template_buttons_around around);
/* The kinds of the buttons in order, for comparing cards: "URL,QUICK_REPLY,". */
void template_buttons_kinds(const json_t *component, struct buf *out);

/* template_one_time_code.c: all of an authentication template. */
void template_one_time_code_check(struct template_check *check, const json_t *components);
/* template_cards.c */
void template_cards_check(struct template_check *check, const json_t *carousel);
/* template_header.c: a header of any format. */
void template_header_check(struct template_check *check, const json_t *header, enum template_place place);

#endif
