/*
 * The policy gate, asked about messages that are about to leave. What the database knows of them is in their
 * facts already (message_begin_sending); here comes what only the opened number tells: the hours where it is,
 * and the registry of preferences. Pure.
 */
#ifndef DOMAIN_SENDING_SEND_GATE_H
#define DOMAIN_SENDING_SEND_GATE_H
#include "domain/dnd/dnd_registry.h"
#include "domain/message/message_queue.h"

struct send_gate {
    const struct phone_zones *zones;     /* borrowed; NULL: of no place it is known what time it is there */
    const struct dnd_registry *registry; /* borrowed; NULL: there is none */
};

/*
 * Judges jobs[at], whose number is `to` (E.164), into its receipt. Those before it in `jobs` have been
 * judged: promotions to the same person that go count where the workspace has a cap.
 */
void send_gate_judge(const struct send_gate *gate, struct message_job *jobs, size_t at, struct slice to);

#endif
