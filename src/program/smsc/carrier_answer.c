/*
 * What comes back to the carrier: what an operator answered, that no answer came in time or the link broke,
 * and answers that come when nobody waits any more.
 */
#include "core/log.h"
#include "core/metric.h"
#include "program/smsc/carrier_internal.h"
#include "wire/smpp/smpp_status.h"

#define THROTTLED_MS 1000 /* a bind that was told to slow down says nothing for so long */
#define SLOWED_MS                                                                                            \
    (PACE_RECOVERY_S * INT64_C(1000)) /* a throttle within that of the last one is the same one */

/* NULL: the job was settled before. */
static struct sms_job *
job_of(struct carrier *carrier, uint64_t tag, size_t *part_out)
{
    size_t at = (uint32_t)tag >> CARRIER_TAG_PART_BITS;

    if (at >= carrier->config.in_flight_max || carrier->flights[at].job == NULL ||
        carrier->flights[at].use != (uint32_t)(tag >> 32))
        return NULL;
    *part_out = tag & ((1u << CARRIER_TAG_PART_BITS) - 1);
    return carrier->flights[at].job;
}

static void
throttled(struct carrier *carrier, struct sms_job *job, struct part *part, struct mono_time now)
{
    struct connector *connector = carrier_connector_find(carrier, job->connector);
    bool is_old = now.us - job->job.claimed_at.us > carrier->config.lease_ms * 1000 / 2;

    if (connector != NULL) {
        int64_t slowed_to = pace_throttled(carrier->pace, connector->id, part->left_at, now);
        if (slowed_to > 0)
            log_event(LOG_WARN, "smsc.throttled", LOG_ID("connector", ID_SMS_CONNECTOR, connector->id),
                      LOG_NUM("per_second", slowed_to));
        if (connector->throttled_at.us == 0 || now.us - connector->throttled_at.us >= SLOWED_MS * 1000)
            carrier->config.throttled(carrier->config.ctx, connector->id,
                                      pace_per_second(carrier->pace, connector->id, now));
        connector->throttled_at = now;
        connector->held_until = mono_after_ms(now, THROTTLED_MS);
    }
    if (is_old || connector == NULL) { /* counted as an attempt: there is a lease to keep */
        job->is_stopped = true;
        return;
    }
    part->state = PART_WAITS;
    job->next_part = 0;
}

static void
refused(struct carrier *carrier, struct sms_job *job, size_t at, struct smpp_session *session,
        struct mono_time now)
{
    struct part *part = &job->parts[at];

    if (smpp_status_action(part->status) == SMPP_ACTION_THROTTLE) {
        throttled(carrier, job, part, now);
        return;
    }
    log_event(LOG_INFO, "smsc.refused", LOG_ID("message", ID_MESSAGE, job->job.claim.message),
              LOG_ID("connector", ID_SMS_CONNECTOR, job->connector),
              LOG_NUM("attempt", job->job.claim.attempt), LOG_NUM("status", part->status));
    if (smpp_status_action(part->status) == SMPP_ACTION_REBIND && session != NULL)
        smpp_session_unbind(session, now);
    job->is_stopped = true;
    if (job->out_count > 0 || carrier_job_has_left(job) || job->has_had ||
        !outcome_may_fail_over(part->status) ||
        carrier_choice_bound(carrier, job, job->choice + 1) == job->choice_count)
        return;
    struct connector *connector = carrier_connector_find(carrier, job->connector);
    if (job->is_current)
        carrier_current_end(connector);
    carrier_job_route(carrier, job, job->choice + 1);
}

static struct sms_part
record_of(const struct sms_job *job, size_t part)
{
    return (struct sms_part){ .message = job->job.claim.message,
                              .connector = job->connector,
                              .sender = message_claim_sender(&job->job.claim),
                              .part = (unsigned)part + 1,
                              .part_count = (unsigned)job->part_count };
}

void
carrier_late_keep(struct carrier *carrier, const struct sms_job *job)
{
    for (size_t i = 0; i < job->part_count; i++) {
        if (job->parts[i].state != PART_UNKNOWN)
            continue;
        carrier->late[carrier->late_at] =
            (struct late){ carrier_tag_of(job, i), job->job.claim.tenant, record_of(job, i) };
        carrier->late_at = (carrier->late_at + 1) % CARRIER_LATE_MAX;
    }
}

static void
answer_late(struct carrier *carrier, uint64_t tag, const struct smpp_pdu *pdu)
{
    char id[SMPP_ID_CANONICAL_BYTES];
    struct smpp_answer answer;

    for (size_t i = 0; i < CARRIER_LATE_MAX; i++) {
        struct late *late = &carrier->late[i];
        if (late->tag != tag)
            continue;
        late->tag = 0;
        if (pdu->status != SMPP_OK || smpp_answer_read(pdu->command, pdu->body, &answer) != ERR_OK)
            return; /* refused, or no id: it stays unknown until its wait is over */
        late->part.provider_id = smpp_id_canonical(answer.name, SMPP_ID_AS_IT_IS, id);
        late->part.taken_at = clock_wall(carrier->config.clock);
        if (late->part.provider_id.len > 0)
            carrier->config.late(carrier->config.ctx, late->tenant, &late->part);
        return;
    }
}

void
carrier_answer(struct carrier *carrier, struct smpp_session *session, uint64_t tag,
               const struct smpp_pdu *pdu, struct mono_time now)
{
    struct smpp_answer answer = { .name = SLICE_EMPTY };
    size_t at = 0;
    struct sms_job *job = job_of(carrier, tag, &at);

    if (job == NULL) {
        answer_late(carrier, tag, pdu);
        return;
    }
    struct part *part = &job->parts[at];
    if (part->state == PART_ASKED)
        job->out_count--;
    else if (part->state != PART_UNKNOWN) /* late, and its job still has others out */
        return;
    part->status =
        pdu->command == SMPP_GENERIC_NACK && pdu->status == SMPP_OK ? SMPP_INVALID_COMMAND : pdu->status;
    if (part->status == SMPP_OK) {
        part->state = PART_TAKEN;
        if (smpp_answer_read(pdu->command, pdu->body, &answer) == ERR_OK)
            part->id_len = smpp_id_canonical(answer.name, SMPP_ID_AS_IT_IS, part->id).len;
        metric_observe_us(METRIC_SEND_SECONDS, now.us - part->left_at.us);
    } else {
        uint32_t use = job->flight_use, flight = job->flight;
        part->state = PART_REFUSED;
        refused(carrier, job, at, session, now);
        if (carrier->flights[flight].job != job || carrier->flights[flight].use != use)
            return; /* settled */
    }
    carrier_job_progress(carrier, job);
}

void
carrier_lost(struct carrier *carrier, uint64_t tag)
{
    size_t at = 0;
    struct sms_job *job = job_of(carrier, tag, &at);

    if (job == NULL || job->parts[at].state != PART_ASKED)
        return;
    job->parts[at].state = PART_UNKNOWN;
    job->out_count--;
    carrier_job_progress(carrier, job);
}
