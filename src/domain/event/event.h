/*
 * The tenant's event log. Whatever happens to a message or channel is a row, written in the transaction that
 * made it happen; webhooks, timelines and the like are readers. Events are never changed. `data` is a JSON
 * object with nothing personal in it; what is personal (say, an incoming message) goes sealed into `content`.
 */
#ifndef DOMAIN_EVENT_EVENT_H
#define DOMAIN_EVENT_EVENT_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

enum event_type {
#define EVENT(name, word, is_public) EVENT_##name,
#include "domain/event/event.def"
#undef EVENT
    EVENT_TYPE_COUNT
};

/* "message.sent". */
const char *event_type_word(enum event_type type);
/* Whether tenants may subscribe to it. */
bool event_type_is_public(enum event_type type);
/* ERR_NOT_FOUND for a word that is none. */
MUST_CHECK enum err event_type_parse(struct slice word, enum event_type *out);

struct event {
    struct id id;
    enum event_type type;
    struct id subject; /* a message, or what the type begins with: a channel, a connector */
    struct id channel; /* zero: none */
    struct wall_time occurred_at;
    struct slice data;                  /* JSON object; empty: {} */
    const struct vault_sealed *content; /* NULL: none; sealed for event_content_place */
};

/* Where an event's sealed content belongs. */
struct vault_place event_content_place(struct id tenant, struct id event);

/* In the caller's transaction. */
MUST_CHECK enum err event_append(struct db_tx *tx, const struct event *event);
/* The same for what happens now: `data` is released, whatever becomes of it, and its failure is returned. */
MUST_CHECK enum err event_tell(struct db_tx *tx, const struct clock *clock, enum event_type type,
                               struct id subject, struct id channel, struct buf *data);
/* A message's timeline, oldest first, at most EVENT_TIMELINE_MAX; content is not loaded. */
#define EVENT_TIMELINE_MAX 200u
MUST_CHECK enum err event_timeline(struct db_tx *tx, struct id subject, struct arena *arena,
                                   struct event **out, size_t *count_out);

#endif
