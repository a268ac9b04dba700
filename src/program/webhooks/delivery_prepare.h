/* From what was claimed to what is posted. */
#ifndef PROGRAM_WEBHOOKS_DELIVERY_PREPARE_H
#define PROGRAM_WEBHOOKS_DELIVERY_PREPARE_H
#include "program/webhooks/delivery_job.h"

/*
 * Fills jobs[i] for claims[i]: what is sealed is opened in one exchange with the vault, and contents are
 * signed in another; `now` is the time of these attempts. errs[i] says what became of each. The arena, which
 * holds opened bodies meanwhile, is wiped at the end.
 */
void delivery_prepare(const struct vault *vault, struct wall_time now, const struct webhook_claim *claims,
                      struct delivery_job *const *jobs, size_t count, struct arena *arena, enum err *errs);

#endif
