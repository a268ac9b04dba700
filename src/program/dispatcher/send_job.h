/* One message on its way to the provider: handed from the store thread to the loop and back. Owned by who
 * holds it. */
#ifndef PROGRAM_DISPATCHER_SEND_JOB_H
#define PROGRAM_DISPATCHER_SEND_JOB_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/secret.h"
#include "domain/channel/whatsapp/whatsapp_media.h"
#include "domain/message/message_queue.h"
#include "platform/os/mailbox.h"
#include "program/dispatcher/pace.h"
#include "program/dispatcher/send_plan.h"

struct send_lane;

struct send_job {
    struct mailbox_item item;
    struct message_claim claim;
    struct send_lane *lane;         /* borrowed: the store's */
    struct mono_time claimed_at;    /* its lease runs from here */
    struct mono_time leave_at;      /* its turn in its sender's pace */
    struct mono_time leave_by;      /* not later: the lane may be another dispatcher's by then */
    struct pace_key pair, template; /* what else may be held with it */
    bool has_template;
    struct buf url, body;                        /* body holds message text: wiped */
    struct secret *token;                        /* owned; gone as soon as the request has its own copy */
    unsigned char peer_index[VAULT_INDEX_BYTES]; /* whom it goes to */
    struct id media[WHATSAPP_MEDIA_REFS_MAX];    /* ours, that it names by the provider's ids */
    size_t media_count;
    struct message_outcome outcome;
    char provider_id[256], error_code[64]; /* what the outcome points to */
    int64_t slowed_to;                     /* what its sender's pace was halved to; 0: it was not */
    struct send_plan plan; /* what the provider's answer asks for besides; zero when nothing came of it */
};

/* NULL: no memory. */
struct send_job *send_job_new(const struct message_claim *claim, struct mono_time claimed_at);
void send_job_free(struct send_job *job); /* accepts NULL */
static inline struct send_job *
send_job_next(const struct send_job *job)
{
    return (struct send_job *)job->item.next;
}
/* Sets an outcome that is not the provider's: codes and titles are literals of ours. */
void send_job_settle(struct send_job *job, const struct clock *clock, enum message_verdict verdict,
                     int64_t delay_ms, const char *error_code, const char *error_title,
                     const char *error_class);

#endif
