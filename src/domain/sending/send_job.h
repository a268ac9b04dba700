/* One message on its way to the provider: handed from the store thread to the loop and back. Owned by who
 * holds it. A channel kind's own struct begins with it (send_kind.h). */
#ifndef DOMAIN_SENDING_SEND_JOB_H
#define DOMAIN_SENDING_SEND_JOB_H
#include "domain/message/message_queue.h"
#include "domain/sending/pace.h"
#include "domain/sending/send_plan.h"
#include "platform/os/mailbox.h"

struct send_kind;
struct send_lane;

struct send_job {
    struct mailbox_item item;
    const struct send_kind *kind; /* borrowed */
    struct message_claim claim;
    struct send_lane *lane;         /* borrowed: the store's */
    struct mono_time claimed_at;    /* its lease runs from here */
    struct mono_time leave_at;      /* its turn in its sender's pace */
    struct mono_time leave_by;      /* not later: the lane may be another process's by then */
    struct pace_key pair, template; /* what else may be held with it */
    bool has_template;
    bool is_settled;                             /* has an outcome */
    unsigned char peer_index[VAULT_INDEX_BYTES]; /* whom it goes to */
    struct message_outcome outcome;
    char provider_id[256], error_code[64];   /* what the outcome points to */
    unsigned char policy[POLICY_PACKED_MAX]; /* the receipt of the gate */
    size_t policy_bytes;                     /* 0: it was not asked */
    uint32_t revision;     /* of its channel, when its credentials were read; 0: they were not */
    int64_t slowed_to;     /* what its sender's pace was halved to; 0: it was not */
    struct send_plan plan; /* what the provider's answer asks for besides; zero when nothing came of it */
};

/* NULL: no memory. */
struct send_job *send_job_new(const struct send_kind *kind, const struct message_claim *claim,
                              struct mono_time claimed_at);
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
