/*
 * Numbers and addresses as they are shown to whoever may not see them (contact.identity.reveal): the last
 * four digits of a number, the first letter and the domain of an e-mail address. What is hidden is four
 * stars, however long it is.
 */
#ifndef PROGRAM_GATEWAY_MASK_H
#define PROGRAM_GATEWAY_MASK_H
#include "core/arena.h"
#include "core/err.h"
#include <jansson.h>

/*
 * "+14155550123" is "****0123"; "US.13491208655302741918" is "US.****1918"; "group:..." the same;
 * "ana@example.org" is "a****@example.org"; what is too short to hide behind its end is "****". NULL ptr
 * without memory.
 */
struct slice mask_address(struct arena *arena, struct slice address);
/* Text of others, such as a provider's error: each number of seven digits or more, and each e-mail address
 * in it. What has none is returned as it is. NULL ptr without memory. */
struct slice mask_text(struct arena *arena, struct slice text);
/* A message's content: what names a person in contact cards, forms and notices. Changed in place.
 * ERR_NO_MEMORY. */
MUST_CHECK enum err mask_content(struct arena *arena, json_t *content);
/* Every string of it as mask_text. ERR_NO_MEMORY. */
MUST_CHECK enum err mask_strings(struct arena *arena, json_t *value);

#endif
