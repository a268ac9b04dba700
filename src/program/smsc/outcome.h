/* What follows from what became of a message's parts at an operator: pure rules. */
#ifndef PROGRAM_SMSC_OUTCOME_H
#define PROGRAM_SMSC_OUTCOME_H
#include "domain/sending/send_plan.h"
#include "wire/smpp/smpp_receipt.h"
#include <stdbool.h>
#include <stddef.h>

enum part_state {
    PART_WAITS,   /* has not left */
    PART_ASKED,   /* on its way */
    PART_TAKEN,   /* the operator has it, by `id` */
    PART_HAD,     /* likewise, at an earlier attempt */
    PART_REFUSED, /* with `status` */
    PART_UNKNOWN, /* it left, and the answer was lost */
};

struct part {
    enum part_state state;
    uint32_t status;
    char id[SMPP_ID_CANONICAL_BYTES]; /* canonical; no NUL */
    size_t id_len;
    struct mono_time left_at;
    size_t at, len; /* its body in the job's buffer */
};

#define OUTCOME_FEW 3 /* attempts of what should not be tried for long */

/*
 * Once nothing is on its way any more. What was refused for good fails the message, whatever became of its
 * other parts; what may have been taken makes it uncertain; what was refused for now is tried again, and what
 * never left goes back uncounted. `why_out` is the part that decided; count: none did.
 */
struct send_plan outcome_of(const struct part *parts, size_t count, int attempt, uint32_t jitter,
                            int64_t uncertain_wait_ms, size_t *why_out);

/* Refused now, but another connector may take it: the operator is at fault, not the message. */
bool outcome_may_fail_over(uint32_t status);

#endif
