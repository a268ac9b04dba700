#include "program/webhooks/delivery_job.h"
#include "domain/webhook/webhook_render.h"
#include <stdlib.h>

#define URL_BYTES_MAX       2049u /* with NUL */
#define SIGNATURE_BYTES_MAX 1024u /* both kinds of each generation, with the field's name */

struct delivery_job *
delivery_job_new(const struct webhook_claim *claim)
{
    struct delivery_job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    buf_init(&job->url, URL_BYTES_MAX);
    buf_init(&job->body, WEBHOOK_BODY_BYTES_MAX);
    buf_init(&job->signature_header, SIGNATURE_BYTES_MAX);
    buf_init(&job->client_certificate, CERTIFICATE_CHAIN_BYTES_MAX);
    job->outcome = (struct webhook_outcome){ .tenant = claim->tenant,
                                             .delivery = claim->delivery,
                                             .endpoint = claim->endpoint,
                                             .fence = claim->fence,
                                             .attempt = claim->attempt };
    job->is_failing = claim->target->is_failing;
    job->is_handed_over = claim->plain.ptr != NULL;
    return job;
}

void
delivery_job_free(struct delivery_job *job)
{
    if (job == NULL)
        return;
    buf_release(&job->url);
    buf_release_wiped(&job->body);
    buf_release(&job->signature_header);
    secret_free(job->headers);
    buf_release(&job->client_certificate);
    secret_free(job->client_key);
    secret_wipe(job->answer, sizeof(job->answer));
    free(job);
}
