/* How a message's steps come into the event log: with what it is at that moment, as webhooks and timelines
 * show it, and with who brought it about. */
#ifndef DOMAIN_MESSAGE_MESSAGE_EVENTS_H
#define DOMAIN_MESSAGE_MESSAGE_EVENTS_H
#include "domain/event/event.h"
#include "domain/message/message_by.h"
#include "domain/message/message_status.h"

/* Who brought a step about. */
enum message_actor {
    MESSAGE_BY_DISPATCHER, /* an attempt to send, and what came of it */
    MESSAGE_BY_ASKER,      /* an API key or a person asked: by */
    MESSAGE_BY_PROVIDER,   /* the provider reported it */
    MESSAGE_BY_POLICY,     /* the workspace's settings decided */
    MESSAGE_BY_SCHEDULE,   /* its time had come, or was over */
};

struct message_step {
    struct id message;
    enum message_status status; /* chooses the event's type */
    struct wall_time at;
    enum message_actor actor;
    struct message_by by; /* with MESSAGE_BY_ASKER */
    const char *cause;    /* a word of ours, or NULL */
    bool is_only_told;    /* message.reported: told, and the status stays as it is */
    bool fell_back;       /* message.fell-back: it waits for the next sender */
    struct id channel;    /* whose report it is, when it is not the message's own; zero: that one */
    struct slice details; /* a JSON object of further members of `data`; NULL ptr: none */
};

/* The event type that announces a status. */
enum event_type message_status_event(enum message_status status);
/*
 * Writes one event a step, in order. `data` is {actor, key_id? or person_id?, cause?, send_at?, direction,
 * category, status, reference, tags, provider_id, attempt, error} and the details, read from the rows as they
 * stand in this transaction; nothing in it is personal. What is only told has {report: {status, ...}} as its
 * details, what fell back {fallback: {...}}.
 */
MUST_CHECK enum err message_tell(struct db_tx *tx, const struct clock *clock,
                                 const struct message_step *steps, size_t count, struct arena *arena);

#endif
