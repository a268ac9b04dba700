#include "program/dispatcher/send_job.h"
#include "domain/channel/whatsapp/whatsapp_send.h"
#include <stdlib.h>

#define URL_BYTES_MAX 2048u

struct send_job *
send_job_new(const struct message_claim *claim, struct mono_time claimed_at)
{
    struct send_job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    job->claim = *claim;
    job->claimed_at = claimed_at;
    buf_init(&job->url, URL_BYTES_MAX);
    buf_init(&job->body, WHATSAPP_SEND_BYTES_MAX);
    return job;
}

void
send_job_free(struct send_job *job)
{
    if (job == NULL)
        return;
    buf_release(&job->url);
    buf_release_wiped(&job->body);
    secret_free(job->token);
    free(job);
}

void
send_job_settle(struct send_job *job, const struct clock *clock, enum message_verdict verdict,
                int64_t delay_ms, const char *error_code, const char *error_title, const char *error_class)
{
    struct wall_time now = clock_wall(clock);

    job->outcome = (struct message_outcome){ .claim = job->claim,
                                             .verdict = verdict,
                                             .at = now,
                                             .due_at = wall_after_ms(now, delay_ms),
                                             .error_code = slice_text(error_code),
                                             .error_title = slice_text(error_title),
                                             .error_class = error_class };
}
