/* One delivery on its way to an endpoint: handed from the store thread to the loop and back. Owned by who
 * holds it. */
#ifndef PROGRAM_WEBHOOKS_DELIVERY_JOB_H
#define PROGRAM_WEBHOOKS_DELIVERY_JOB_H
#include "core/buf.h"
#include "domain/webhook/webhook_address.h"
#include "domain/webhook/webhook_delivery.h"
#include "domain/webhook/webhook_signature.h"
#include "platform/os/mailbox.h"

struct delivery_job {
    struct mailbox_item item;
    struct buf url, body; /* url ends with a NUL; body is wiped */
    char id_header[64], timestamp_header[64];
    struct buf signature_header; /* ends with a NUL */
    struct secret *headers;      /* owned: the tenant's own fields; NULL: none */
    struct buf client_certificate;
    struct secret *client_key; /* owned; NULL: none */
    bool has_expired;          /* the certificate: it is not even tried */
    bool is_failing;           /* of the places that endpoints which fail may take */
    bool is_handed_over;       /* of those for what leaves as soon as it is made */
    char answer[WEBHOOK_ANSWER_BYTES_MAX], address[ADDRESS_TEXT_BYTES];
    size_t answer_len;
    struct webhook_outcome outcome;
    struct mono_time waits_since; /* of delivery_lanes */
    size_t settled;               /* of the store: its place among those that were recorded with it */
    bool is_released;             /* it never left: back to the queue */
    int64_t release_ms;           /* for so long; 0: a moment */
};

/* NULL: no memory. */
struct delivery_job *delivery_job_new(const struct webhook_claim *claim);
void delivery_job_free(struct delivery_job *job); /* accepts NULL */
static inline struct delivery_job *
delivery_job_next(const struct delivery_job *job)
{
    return (struct delivery_job *)job->item.next;
}

#endif
