/* How a message's steps come into the event log: with what it is at that moment, as webhooks and timelines
 * show it. */
#ifndef DOMAIN_MESSAGE_MESSAGE_EVENTS_H
#define DOMAIN_MESSAGE_MESSAGE_EVENTS_H
#include "domain/event/event.h"
#include "domain/message/message_status.h"

struct message_step {
    struct id message;
    enum message_status status; /* chooses the event's type */
    struct wall_time at;
    const char *cause; /* a word of ours, or NULL */
};

/* The event type that announces a status. */
enum event_type message_status_event(enum message_status status);
/*
 * Writes one event a step, in order. `data` is {direction, category, status, reference, provider_id, attempt,
 * error, cause?}, read from the rows as they stand in this transaction; nothing in it is personal.
 */
MUST_CHECK enum err message_tell(struct db_tx *tx, const struct clock *clock,
                                 const struct message_step *steps, size_t count, struct arena *arena);

#endif
