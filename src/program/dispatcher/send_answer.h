/* What follows from WhatsApp's answer to a message: pure rules, without a clock or a network of their own. */
#ifndef PROGRAM_DISPATCHER_SEND_ANSWER_H
#define PROGRAM_DISPATCHER_SEND_ANSWER_H
#include "domain/channel/whatsapp/whatsapp_answer.h"
#include "domain/sending/send_plan.h"

/*
 * `attempt` is 1 for the first; `jitter` any number, used for its low bits; uncertain_wait_ms is how long a
 * lost answer waits for the provider's event.
 */
struct send_plan send_plan_of(const struct whatsapp_answer *answer, int attempt, uint32_t jitter,
                              int64_t uncertain_wait_ms);

#endif
