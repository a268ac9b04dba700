/*
 * The content of an outgoing WhatsApp message: the JSON object `content` of the API, in the Cloud API's own
 * shape. The contract (api/openapi.yaml) holds every field to its type and length; here stands what a schema
 * cannot say, because it is about several fields at once.
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_CONTENT_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_CONTENT_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"
#include "wire/http/problem.h"
#include <jansson.h>

#define WHATSAPP_LIST_ROWS_MAX        10u /* of one list, in all its sections */
#define WHATSAPP_PRODUCTS_MAX         30u /* of one product list, in all its sections */
#define WHATSAPP_CARDS_MAX            10u
#define WHATSAPP_TEMPLATE_BUTTONS_MAX 10u
#define WHATSAPP_TEMPLATE_SPACES_MAX  4u /* in a row, in a template value */
#define WHATSAPP_CARD_LINE_BREAKS_MAX 2u
#define WHATSAPP_ORDER_EXPIRY_S_MIN   300u /* Meta's */

/*
 * ERR_MESSAGE_INVALID with each fault in `problem`, its pointer beginning with `at` ("/content"). Also safe
 * on content that no contract has seen: what has the wrong shape is a fault, or, where only the contract
 * cares, left be.
 */
MUST_CHECK enum err whatsapp_content_check(const json_t *content, struct slice at, struct arena *arena,
                                           struct problem *problem);

/*
 * What hangs on the clock: the payment of an order must be possible for some minutes after `leaves_at`, when
 * the message can leave at the earliest. As whatsapp_content_check.
 */
MUST_CHECK enum err whatsapp_content_check_times(const json_t *content, struct wall_time leaves_at,
                                                 struct slice at, struct arena *arena,
                                                 struct problem *problem);

/* The content's type, one of the eleven that can be sent ("text"); NULL for anything else. Static. */
const char *whatsapp_content_type_word(const json_t *content);
/* A reaction cannot quote another message beside the one it is about. */
bool whatsapp_content_may_quote(const json_t *content);

#endif
