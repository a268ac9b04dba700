/* What both halves of the carrier share: what leaves (carrier.c), what comes back (carrier_answer.c). */
#ifndef PROGRAM_SMSC_CARRIER_INTERNAL_H
#define PROGRAM_SMSC_CARRIER_INTERNAL_H
#include "domain/sending/pace.h"
#include "program/smsc/carrier.h"

#define CARRIER_CATEGORIES    4u
#define CARRIER_LATE_MAX      1024u
#define CARRIER_TAG_PART_BITS 8u

struct connector {
    struct id id, tenant;
    const struct sms_connector *settings;
    struct smpp_session *sessions[CARRIER_BINDS_MAX];
    size_t session_count;
    struct sms_job *first[CARRIER_CATEGORIES], **last[CARRIER_CATEGORIES];
    struct sms_job *current;      /* some of its parts have not left */
    struct smpp_session *session; /* that the current one's parts take */
    struct mono_time held_until;
    struct mono_time throttled_at; /* last; us 0: never */
};

/* A part that was lost, by its tag: its answer may still come. */
struct late {
    uint64_t tag; /* 0: none */
    struct id tenant;
    struct sms_part part;
};

struct flight {
    struct sms_job *job; /* NULL: free */
    uint32_t use;
};

struct carrier {
    struct carrier_config config;
    struct pace *pace;
    struct connector **connectors; /* owned */
    size_t connector_count;
    struct id *route_tenants;
    struct sms_route *routes;
    size_t route_count;
    struct flight *flights;
    size_t flight_at, job_count;
    struct late late[CARRIER_LATE_MAX];
    size_t late_at;
};

/* By which a session gives back what became of a part. */
static inline uint64_t
carrier_tag_of(const struct sms_job *job, size_t part)
{
    return (uint64_t)job->flight_use << 32 | (uint64_t)job->flight << CARRIER_TAG_PART_BITS | part;
}

/* carrier.c */

/* NULL: there is none. */
struct connector *carrier_connector_find(const struct carrier *carrier, struct id id);
/* A connector that is bound, of those that may carry it, from `from` on; choice_count: none is. */
size_t carrier_choice_bound(const struct carrier *carrier, const struct sms_job *job, size_t from);
/* Whether an operator has a part of it, or may have. */
bool carrier_job_has_left(const struct sms_job *job);
/* To the next connector that is bound, of `from` on; back to the queue, settled, where none is. */
void carrier_job_route(struct carrier *carrier, struct sms_job *job, size_t from);
void carrier_current_end(struct connector *connector);
/* After something became of a part of it. It may be settled then. */
void carrier_job_progress(struct carrier *carrier, struct sms_job *job);

/* carrier_answer.c */

/* Of a job that is settled: its parts that were lost, whose answers may still come. */
void carrier_late_keep(struct carrier *carrier, const struct sms_job *job);

#endif
