/* An event as tenants receive it: rendered once, kept byte for byte for every endpoint and retry. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_RENDER_H
#define DOMAIN_WEBHOOK_WEBHOOK_RENDER_H
#include "core/buf.h"
#include "core/err.h"
#include "domain/event/event.h"

#define WEBHOOK_BODY_BYTES_MAX (256u * 1024u)

/*
 * {"id","type","timestamp","data":{ids, what the event's data says, and for a received message who and
 * what}}. `content` is the event's opened content, {"from","content"}, or empty. ERR_JSON_SYNTAX,
 * ERR_JSON_DEPTH, ERR_UTF8: the event is damaged. ERR_LIMIT: it is larger than a body may be.
 */
MUST_CHECK enum err webhook_render(const struct event *event, struct slice content, struct buf *out);
/*
 * The same with nothing personal in it: of `data` only the ids and the status. What else there is, references
 * and providers' ids (some hold a number) too, is read from the API.
 */
MUST_CHECK enum err webhook_render_thin(const struct event *event, struct buf *out);

#endif
