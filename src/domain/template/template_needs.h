/*
 * What a send has to bring for a template: how many values its header, body, buttons and cards take, of which
 * kinds and names. Made from the components once, when the template is stored, and kept beside them without
 * their text, so that a send is compared without opening anything. Pure.
 *
 *   {"header": {"kind": "text", "variables": ["1"], "fixed": 12}, "body": {"kind": "text", ...},
 *    "buttons": [{"kind": "url", "needs_value": true}, ...], "offer": {"expires": true},
 *    "cards": [{"header": ..., "body": ..., "buttons": [...]}, ...]}
 */
#ifndef DOMAIN_TEMPLATE_TEMPLATE_NEEDS_H
#define DOMAIN_TEMPLATE_TEMPLATE_NEEDS_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"
#include "wire/http/problem.h"
#include <jansson.h>

/* Whatever the components are, also those of a later version of WhatsApp: what is not known needs nothing.
 * *out is owned. ERR_NO_MEMORY. */
MUST_CHECK enum err template_needs_of(const json_t *components, json_t **out);

/*
 * `send` is the object `template` of a message's content. ERR_TEMPLATE_MISMATCH with each fault in `problem`,
 * its pointer beginning with `at` ("/content/template"), its detail naming the component and the counts.
 */
MUST_CHECK enum err template_needs_check(const json_t *needs, bool is_named, const json_t *send,
                                         struct slice at, struct arena *arena, struct problem *problem);

#endif
