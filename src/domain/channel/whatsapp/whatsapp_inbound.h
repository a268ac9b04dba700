/*
 * What a person sent, as content of the API: the Cloud API's shapes, but each member of the type that the
 * contract names, whatever WhatsApp wrote it as. Ids of other messages are the provider's (`provider_id`):
 * the caller knows which of ours they are. Download links of media are left out: they live for minutes and
 * need the channel's token.
 *
 *   {"type":"image","image":{"id","mime_type","sha256","caption"?},"context"?:{...},"referral"?:{...}}
 *
 * Types: text image video audio document sticker location contacts reaction button interactive order system
 * request_welcome edit revoke, and "unsupported" for what WhatsApp or we do not know, with its word inside.
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_INBOUND_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_INBOUND_H
#include "core/err.h"
#include "domain/channel/whatsapp/whatsapp_event.h"
#include <jansson.h>

/* Of an event of kind WHATSAPP_EVENT_MESSAGE. *out is owned: json_decref. ERR_NO_MEMORY. */
MUST_CHECK enum err whatsapp_inbound_content(const struct whatsapp_event *event, struct arena *arena,
                                             json_t **out);
/* The provider id that a reaction, an edit or a revocation is about; empty otherwise. Borrowed from the
 * event. */
struct slice whatsapp_inbound_target(const struct whatsapp_event *event);

#endif
