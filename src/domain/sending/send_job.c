#include "domain/sending/send_job.h"
#include "domain/sending/send_kind.h"
#include <stdlib.h>

struct send_job *
send_job_new(const struct send_kind *kind, const struct message_claim *claim, struct mono_time claimed_at)
{
    struct send_job *job = calloc(1, kind->job_bytes);

    if (job == NULL)
        return NULL;
    job->kind = kind;
    job->claim = *claim;
    job->claimed_at = claimed_at;
    if (kind->job_init != NULL)
        kind->job_init(job);
    return job;
}

void
send_job_free(struct send_job *job)
{
    if (job == NULL)
        return;
    job->kind->job_release(job);
    free(job);
}

void
send_job_settle(struct send_job *job, const struct clock *clock, enum message_verdict verdict,
                int64_t delay_ms, const char *error_code, const char *error_title, const char *error_class)
{
    struct wall_time now = clock_wall(clock);

    job->is_settled = true;
    job->outcome = (struct message_outcome){ .claim = job->claim,
                                             .verdict = verdict,
                                             .at = now,
                                             .due_at = wall_after_ms(now, delay_ms),
                                             .error_code = slice_text(error_code),
                                             .error_title = slice_text(error_title),
                                             .error_class = error_class };
}
