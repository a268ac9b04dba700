/* One message on its way to operators. */
#ifndef PROGRAM_SMSC_SMS_JOB_H
#define PROGRAM_SMSC_SMS_JOB_H
#include "core/buf.h"
#include "domain/channel/sms/sms_route.h"
#include "domain/sending/send_kind.h"
#include "program/smsc/outcome.h"
#include "program/smsc/submit.h"

#define SMS_DLT_ID_BYTES 128u

struct sms_job {
    struct send_job job; /* first */
    /* From the store's thread: */
    struct buf to, text; /* wiped */
    char sender[24];
    enum channel_sms_kind sender_kind;
    unsigned parts_max;
    bool is_flash;
    int64_t validity_s;
    char dlt_entity[SMS_DLT_ID_BYTES], dlt_template[SMS_DLT_ID_BYTES], dlt_chain[SMS_DLT_ID_BYTES];
    bool has_had; /* an operator has parts of it: the others go there too */
    struct id had_at;
    size_t had_part_count;
    unsigned char had[(SMS_PARTS_MAX + 7) / 8]; /* bit n: part n + 1 */
    /* The loop's: */
    struct id choices[SMS_ROUTE_CHOICES]; /* connectors, in the order in which they are tried */
    size_t choice_count, choice;
    struct id connector; /* whose parts these are */
    struct part *parts;  /* owned; NULL: not cut yet */
    size_t part_count, next_part, out_count;
    struct buf bodies; /* wiped */
    uint32_t flight;   /* its number among those in flight, and which use of that number */
    uint32_t flight_use;
    bool is_stopped; /* no further part leaves */
    bool is_queued, is_current;
    struct mono_time began_at;
    char title[128];
};

static inline struct sms_job *
sms_job_of(struct send_job *job)
{
    return (struct sms_job *)job;
}

static inline bool
sms_job_had(const struct sms_job *job, size_t part)
{
    return job->has_had && (job->had[part / 8] >> (part % 8) & 1) != 0;
}

#endif
