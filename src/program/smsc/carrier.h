/*
 * Which message leaves next, through which connector and bind, and what became of it. Knows sessions
 * (wire/smpp/smpp_session.h), no sockets, no database and no clock. Belongs to the loop's thread.
 *
 * A message goes to the first of its connectors that is bound (sms_route.h). Its parts leave in their order
 * on one bind, each in the connector's pace (domain/sending/pace.h) and within the bind's window; of what
 * waits for one connector, the most urgent category first. What an operator refuses for now goes to the next
 * connector, if nothing of the message was taken; a throttle slows its connector, and the part leaves again.
 */
#ifndef PROGRAM_SMSC_CARRIER_H
#define PROGRAM_SMSC_CARRIER_H
#include "domain/channel/sms/sms_part.h"
#include "program/smsc/sms_job.h"
#include "wire/smpp/smpp_session.h"

#define CARRIER_CONNECTORS_MAX 1000u
#define CARRIER_BINDS_MAX      48u /* of a connector */

struct carrier;

struct carrier_config {
    const struct clock *clock; /* wall time alone: for deadlines and outcomes */
    size_t in_flight_max;      /* jobs */
    int64_t lease_ms, uncertain_wait_ms;
    void *ctx;
    void (*settled)(void *ctx, struct sms_job *job); /* taken: it has its outcome */
    /* An answer that came after its job was settled as uncertain: the part was taken all the same. */
    void (*late)(void *ctx, struct id tenant, const struct sms_part *part);
    /* An operator asked to slow down, for the first time in a while: its pace now. */
    void (*throttled)(void *ctx, struct id connector, int64_t per_second);
};
MUST_CHECK enum err carrier_new(const struct carrier_config *config, struct carrier **out);
/* What it still has is freed without an outcome: settle it before (carrier_return). Accepts NULL. */
void carrier_free(struct carrier *carrier);

/* A new connector, or its new settings; borrowed until the next call for it. ERR_NO_MEMORY, ERR_TOO_MANY. */
MUST_CHECK enum err carrier_set(struct carrier *carrier, struct id tenant,
                                const struct sms_connector *settings, struct mono_time now);
void carrier_drop(struct carrier *carrier, struct id connector);
/* All routes, of all workspaces, those of one beside each other: taken (free). */
void carrier_routes(struct carrier *carrier, struct id *tenants, struct sms_route *routes, size_t count);

/* A bind that may submit, from now on or not any more; borrowed meanwhile. */
void carrier_bound(struct carrier *carrier, struct id connector, struct smpp_session *session);
void carrier_unbound(struct carrier *carrier, struct id connector, struct smpp_session *session);
/* What sessions tell of what the carrier asked: see smpp_session_calls. */
void carrier_answer(struct carrier *carrier, struct smpp_session *session, uint64_t tag,
                    const struct smpp_pdu *answer, struct mono_time now);
void carrier_lost(struct carrier *carrier, uint64_t tag);

/* Taken, until it is settled. */
void carrier_take(struct carrier *carrier, struct sms_job *job, struct mono_time now);
/* Lets leave what may; returns when to call it again at the latest. Answers and binds are a reason too. */
struct mono_time carrier_step(struct carrier *carrier, struct mono_time now);
/* Settles what has not left; what is on its way comes back by itself. */
void carrier_return(struct carrier *carrier);
size_t carrier_count(const struct carrier *carrier);
/* In parts a second. 0: no such connector. */
int64_t carrier_per_second(struct carrier *carrier, struct id connector, struct mono_time now);

#endif
