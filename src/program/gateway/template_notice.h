/* What WhatsApp says of a template by webhook, as it is learnt. */
#ifndef PROGRAM_GATEWAY_TEMPLATE_NOTICE_H
#define PROGRAM_GATEWAY_TEMPLATE_NOTICE_H
#include "domain/channel/whatsapp/whatsapp_event.h"
#include "platform/db/db.h"

struct template_notice; /* in the arena it was prepared with */

/* Outside any transaction; keeps nothing of the event. ERR_NOTHING: the event is not about a template, or
 * says nothing that is known. */
MUST_CHECK enum err template_notice_prepare(const struct whatsapp_event *event, const struct clock *clock,
                                            struct arena *arena, struct template_notice **out);
/*
 * `channel` is the one the callback came for; the template is that of the account which the notice names. One
 * that is not known yet is looked for (template.sync), and so is what changed without being told whole.
 */
MUST_CHECK enum err template_notice_apply(struct db_tx *tx, const struct clock *clock,
                                          const struct template_notice *notice, struct id channel,
                                          struct arena *arena, size_t *unrouted_count);

#endif
