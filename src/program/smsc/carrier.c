#include "program/smsc/carrier.h"
#include "core/log.h"
#include "core/metric.h"
#include "crypto/random.h"
#include "domain/sending/pace.h"
#include "wire/smpp/smpp_status.h"
#include <stdio.h>
#include <stdlib.h>

#define CATEGORIES   4u
#define AHEAD_MS     10   /* turns that come so soon are taken now: the loop sleeps no less */
#define THROTTLED_MS 1000 /* a bind that was told to slow down says nothing for so long */
#define SLOWED_MS                                                                                            \
    (PACE_RECOVERY_S * INT64_C(1000)) /* a throttle within that of the last one is the same one */
#define NO_BIND_MS    1000            /* a lane none of whose connectors is bound waits for so long */
#define LATE_MAX      1024u
#define BODIES_MAX    (256u * 1024u) /* of a message's parts; a message_payload of 64 KiB fits */
#define TAG_PART_BITS 8u
#define NEVER         ((struct mono_time){ INT64_MAX })

struct connector {
    struct id id, tenant;
    const struct sms_connector *settings;
    struct smpp_session *sessions[CARRIER_BINDS_MAX];
    size_t session_count;
    struct sms_job *first[CATEGORIES], **last[CATEGORIES];
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
    struct late late[LATE_MAX];
    size_t late_at;
};

static void job_progress(struct carrier *carrier, struct sms_job *job);

enum err
carrier_new(const struct carrier_config *config, struct carrier **out)
{
    struct carrier *carrier = calloc(1, sizeof(*carrier));
    enum err err = ERR_NO_MEMORY;

    *out = NULL;
    if (carrier == NULL)
        return ERR_NO_MEMORY;
    carrier->config = *config;
    carrier->flights = calloc(config->in_flight_max, sizeof(*carrier->flights));
    carrier->connectors = calloc(CARRIER_CONNECTORS_MAX, sizeof(struct connector *));
    if (carrier->flights != NULL && carrier->connectors != NULL)
        err = pace_new(1, &carrier->pace);
    if (err != ERR_OK) {
        carrier_free(carrier);
        return err;
    }
    *out = carrier;
    return ERR_OK;
}

void
carrier_free(struct carrier *carrier)
{
    if (carrier == NULL)
        return;
    for (size_t i = 0; carrier->flights != NULL && i < carrier->config.in_flight_max; i++)
        if (carrier->flights[i].job != NULL)
            send_job_free(&carrier->flights[i].job->job);
    for (size_t i = 0; i < carrier->connector_count; i++)
        free(carrier->connectors[i]);
    free(carrier->connectors);
    free(carrier->flights);
    free(carrier->route_tenants);
    free(carrier->routes);
    pace_free(carrier->pace);
    free(carrier);
}

static struct connector *
connector_find(const struct carrier *carrier, struct id id)
{
    for (size_t i = 0; i < carrier->connector_count; i++)
        if (id_eq(carrier->connectors[i]->id, id))
            return carrier->connectors[i];
    return NULL;
}

enum err
carrier_set(struct carrier *carrier, struct id tenant, const struct sms_connector *settings,
            struct mono_time now)
{
    struct connector *connector = connector_find(carrier, settings->id);

    if (connector == NULL) {
        if (carrier->connector_count == CARRIER_CONNECTORS_MAX)
            return ERR_TOO_MANY;
        connector = calloc(1, sizeof(*connector));
        if (connector == NULL)
            return ERR_NO_MEMORY;
        connector->id = settings->id;
        connector->tenant = tenant;
        for (size_t i = 0; i < CATEGORIES; i++)
            connector->last[i] = &connector->first[i];
        carrier->connectors[carrier->connector_count++] = connector;
        pace_begin(carrier->pace, settings->id, settings->per_second, 0, 0, now);
    } else {
        pace_ceiling(carrier->pace, settings->id, settings->per_second, now);
    }
    connector->settings = settings;
    return ERR_OK;
}

void
carrier_routes(struct carrier *carrier, struct id *tenants, struct sms_route *routes, size_t count)
{
    free(carrier->route_tenants);
    free(carrier->routes);
    carrier->route_tenants = tenants;
    carrier->routes = routes;
    carrier->route_count = count;
}

size_t
carrier_count(const struct carrier *carrier)
{
    return carrier->job_count;
}

int64_t
carrier_per_second(struct carrier *carrier, struct id connector, struct mono_time now)
{
    return connector_find(carrier, connector) == NULL ? 0 : pace_per_second(carrier->pace, connector, now);
}

/* The queue of a connector, by category. */

static void
queue_add(struct connector *connector, struct sms_job *job, bool is_first)
{
    size_t of = job->job.claim.category;

    job->is_queued = true;
    job->job.item.next = NULL;
    if (is_first && connector->first[of] != NULL) {
        job->job.item.next = &connector->first[of]->job.item;
        connector->first[of] = job;
    } else {
        *connector->last[of] = job;
        connector->last[of] = (struct sms_job **)&job->job.item.next;
    }
}

static struct sms_job *
queue_take(struct connector *connector)
{
    for (size_t of = 0; of < CATEGORIES; of++) {
        struct sms_job *job = connector->first[of];
        if (job == NULL)
            continue;
        connector->first[of] = (struct sms_job *)job->job.item.next;
        if (connector->first[of] == NULL)
            connector->last[of] = &connector->first[of];
        job->is_queued = false;
        job->job.item.next = NULL;
        return job;
    }
    return NULL;
}

/* Its number among those in flight, by which answers find it. false: too many. */
static bool
flight_begin(struct carrier *carrier, struct sms_job *job)
{
    for (size_t i = 0; i < carrier->config.in_flight_max; i++) {
        size_t at = (carrier->flight_at + i) % carrier->config.in_flight_max;
        struct flight *flight = &carrier->flights[at];
        if (flight->job != NULL)
            continue;
        flight->job = job;
        flight->use++;
        job->flight = (uint32_t)at;
        job->flight_use = flight->use;
        carrier->flight_at = at + 1;
        carrier->job_count++;
        return true;
    }
    return false;
}

static uint64_t
tag_of(const struct sms_job *job, size_t part)
{
    return (uint64_t)job->flight_use << 32 | (uint64_t)job->flight << TAG_PART_BITS | part;
}

/* NULL: the job was settled before. */
static struct sms_job *
job_of(struct carrier *carrier, uint64_t tag, size_t *part_out)
{
    size_t at = (uint32_t)tag >> TAG_PART_BITS;

    if (at >= carrier->config.in_flight_max || carrier->flights[at].job == NULL ||
        carrier->flights[at].use != (uint32_t)(tag >> 32))
        return NULL;
    *part_out = tag & ((1u << TAG_PART_BITS) - 1);
    return carrier->flights[at].job;
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

static void
job_leave(struct carrier *carrier, struct sms_job *job)
{
    for (size_t i = 0; i < job->part_count; i++) {
        if (job->parts[i].state != PART_UNKNOWN)
            continue;
        carrier->late[carrier->late_at] =
            (struct late){ tag_of(job, i), job->job.claim.tenant, record_of(job, i) };
        carrier->late_at = (carrier->late_at + 1) % LATE_MAX;
    }
    carrier->flights[job->flight].job = NULL;
    carrier->job_count--;
    carrier->config.settled(carrier->config.ctx, job);
}

static void
settle(struct carrier *carrier, struct sms_job *job, const struct send_plan *plan, const char *code,
       const char *title)
{
    job->job.plan = *plan;
    send_job_settle(&job->job, carrier->config.clock, plan->verdict, plan->delay_ms, code, title,
                    plan->error_class);
    job_leave(carrier, job);
}

/* Nothing of it has left, or what has is known: not counted, and due again. */
static void
settle_returned(struct carrier *carrier, struct sms_job *job, int64_t delay_ms, int64_t hold_ms,
                const char *code, const char *title)
{
    settle(carrier, job,
           &(struct send_plan){ .verdict = MESSAGE_VERDICT_RETURNED,
                                .delay_ms = delay_ms,
                                .lane_hold_ms = hold_ms,
                                .error_class = "retry" },
           code, title);
}

static void
settle_failed(struct carrier *carrier, struct sms_job *job, const char *code, const char *title)
{
    settle(carrier, job, &(struct send_plan){ .verdict = MESSAGE_VERDICT_FAILED, .error_class = "permanent" },
           code, title);
}

/* By what became of its parts, of which none is on its way. */
static void
job_finish(struct carrier *carrier, struct sms_job *job)
{
    uint32_t jitter = 0;
    size_t why = 0;

    if (random_fill(&jitter, sizeof(jitter)) != ERR_OK)
        jitter = (uint32_t)job->job.claim.fence;
    struct send_plan plan = outcome_of(job->parts, job->part_count, job->job.claim.attempt, jitter,
                                       carrier->config.uncertain_wait_ms, &why);
    if (why < job->part_count && job->parts[why].state == PART_REFUSED) {
        uint32_t status = job->parts[why].status;
        snprintf(job->job.error_code, sizeof(job->job.error_code), "smpp-0x%02x", status);
        snprintf(job->title, sizeof(job->title), "The operator refused the message (%s).",
                 smpp_status_word(status));
        settle(carrier, job, &plan, job->job.error_code, job->title);
        return;
    }
    if (plan.verdict == MESSAGE_VERDICT_SENT) {
        const struct part *first = &job->parts[0];
        memcpy(job->job.provider_id, first->id, first->id_len);
        job->job.plan = plan;
        send_job_settle(&job->job, carrier->config.clock, plan.verdict, 0, "", "", NULL);
        job->job.outcome.provider_id =
            first->id_len == 0 ? SLICE_EMPTY : slice_of(job->job.provider_id, first->id_len);
        job_leave(carrier, job);
        return;
    }
    bool is_lost = plan.verdict == MESSAGE_VERDICT_UNCERTAIN;
    settle(carrier, job, &plan, is_lost ? "answer-lost" : "link-lost",
           is_lost ? "The operator's answer was lost."
                   : "The link to the operator broke before the message left.");
}

/* A connector that is bound, of those that may carry it, from `from` on; choice_count: none is. */
static size_t
choice_bound(const struct carrier *carrier, const struct sms_job *job, size_t from)
{
    for (size_t i = from; i < job->choice_count; i++) {
        const struct connector *connector = connector_find(carrier, job->choices[i]);
        if (connector != NULL && connector->session_count > 0)
            return i;
    }
    return job->choice_count;
}

static void
job_choose(struct carrier *carrier, struct sms_job *job)
{
    size_t from = 0, to = 0;

    if (job->has_had) {
        job->choices[0] = job->had_at;
        job->choice_count = 1;
        return;
    }
    while (from < carrier->route_count && !id_eq(carrier->route_tenants[from], job->job.claim.tenant))
        from++;
    for (to = from; to < carrier->route_count && id_eq(carrier->route_tenants[to], job->job.claim.tenant);)
        to++;
    job->choice_count = from == to
                            ? 0
                            : sms_routes_choose(carrier->routes + from, to - from, job->job.claim.channel,
                                                slice_drop(buf_slice(&job->to), 1), job->choices);
}

static bool
has_left(const struct sms_job *job)
{
    for (size_t i = 0; i < job->part_count; i++)
        if (job->parts[i].state != PART_WAITS && job->parts[i].state != PART_HAD &&
            job->parts[i].state != PART_REFUSED)
            return true;
    return false;
}

static void
parts_forget(struct sms_job *job)
{
    free(job->parts);
    job->parts = NULL;
    job->part_count = job->next_part = job->out_count = 0;
    job->is_stopped = false;
    buf_clear(&job->bodies);
}

/* To the next connector that is bound, of `from` on; back to the queue where none is. */
static void
job_route(struct carrier *carrier, struct sms_job *job, size_t from)
{
    job->choice = choice_bound(carrier, job, from);
    if (job->choice == job->choice_count) {
        settle_returned(carrier, job, NO_BIND_MS, NO_BIND_MS, "not-bound",
                        "No connector that carries the message is bound.");
        return;
    }
    parts_forget(job);
    job->connector = job->choices[job->choice];
    queue_add(connector_find(carrier, job->connector), job, false);
}

void
carrier_take(struct carrier *carrier, struct sms_job *job, struct mono_time now)
{
    job->began_at = now;
    if (!flight_begin(carrier, job)) { /* more than the store has out: ours to mend */
        send_job_settle(&job->job, carrier->config.clock, MESSAGE_VERDICT_RETURNED, NO_BIND_MS, "too-many",
                        "Too many messages are on their way.", "retry");
        carrier->config.settled(carrier->config.ctx, job);
        return;
    }
    job_choose(carrier, job);
    if (job->choice_count == 0) {
        settle_failed(carrier, job, "no-route", "No connector carries messages to this number.");
        return;
    }
    job_route(carrier, job, 0);
}

/* The parts of a job that has just become current. false: it is settled. */
static bool
job_cut(struct carrier *carrier, const struct connector *connector, struct sms_job *job)
{
    struct submit_part cut[SMS_PARTS_MAX];
    struct submit submit = {
        .connector = connector->settings,
        .sender = slice_text(job->sender),
        .sender_kind = job->sender_kind,
        .to = buf_slice(&job->to),
        .text = buf_slice(&job->text),
        .is_flash = job->is_flash,
        .parts_max = job->parts_max,
        .reference = (uint16_t)(job->job.claim.message.bytes[14] << 8 | job->job.claim.message.bytes[15]),
        .validity_s = job->validity_s,
        .dlt_entity = slice_text(job->dlt_entity),
        .dlt_template = slice_text(job->dlt_template),
        .dlt_chain = slice_text(job->dlt_chain),
    };
    enum err err = submit_print(&submit, &job->bodies, cut, &job->part_count);

    if (err == ERR_OK && (job->parts = calloc(job->part_count, sizeof(*job->parts))) == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_NO_MEMORY) {
        job->part_count = 0;
        settle_returned(carrier, job, NO_BIND_MS, 0, "no-memory",
                        "The message could not be prepared for sending.");
        return false;
    }
    if (err != ERR_OK) {
        job->part_count = 0;
        settle_failed(carrier, job, "content-invalid", "The content cannot be sent through this connector.");
        return false;
    }
    for (size_t i = 0; i < job->part_count; i++) {
        job->parts[i] = (struct part){ .at = cut[i].at, .len = cut[i].len };
        /* What was cut otherwise before is other text: then all of it leaves anew. */
        if (job->had_part_count == job->part_count && sms_job_had(job, i))
            job->parts[i].state = PART_HAD;
    }
    return true;
}

/* Whether it may still begin to leave; if not, it is settled. */
static bool
job_may_leave(struct carrier *carrier, struct sms_job *job, struct mono_time now)
{
    if (has_left(job))
        return true; /* the other parts follow */
    if (now.us - job->job.claimed_at.us > carrier->config.lease_ms * 1000 / 2)
        settle_returned(carrier, job, 0, 0, "waited", "The message waited too long for its turn.");
    else if (now.us >= job->job.leave_by.us)
        settle_returned(carrier, job, 0, 0, "not-owned", "The sender may be another process's.");
    else if (job->job.claim.expires_at.us <= clock_wall(carrier->config.clock).us)
        settle_returned(carrier, job, 0, 0, "expired", "The message was not sent in time.");
    else
        return true;
    return false;
}

static bool
is_among(const struct connector *connector, const struct smpp_session *session)
{
    for (size_t i = 0; i < connector->session_count; i++)
        if (connector->sessions[i] == session)
            return true;
    return false;
}

/* The bind of the parts before, or else the one with the most room. NULL: none has room. */
static struct smpp_session *
session_choose(const struct connector *connector)
{
    struct smpp_session *best = NULL;
    size_t room = 0;

    if (connector->session != NULL && is_among(connector, connector->session) &&
        smpp_session_may_send(connector->session))
        return smpp_session_room(connector->session) > 0 ? connector->session : NULL;
    for (size_t i = 0; i < connector->session_count; i++)
        if (smpp_session_room(connector->sessions[i]) > room) {
            best = connector->sessions[i];
            room = smpp_session_room(best);
        }
    return best;
}

static void
current_end(struct connector *connector)
{
    if (connector->current != NULL)
        connector->current->is_current = false;
    connector->current = NULL;
    connector->session = NULL;
}

/* The next message of the queue that may leave is the current one. */
static bool
current_begin(struct carrier *carrier, struct connector *connector, struct mono_time now)
{
    struct sms_job *job = NULL;

    while (connector->current == NULL && (job = queue_take(connector)) != NULL) {
        if (!job_may_leave(carrier, job, now) || (job->parts == NULL && !job_cut(carrier, connector, job)))
            continue;
        job->is_current = true;
        connector->current = job;
    }
    return connector->current != NULL;
}

static void
part_ask(struct connector *connector, struct sms_job *job, struct smpp_session *session, size_t at,
         struct mono_time now)
{
    struct part *part = &job->parts[at];
    struct slice body = slice_of(job->bodies.ptr + part->at, part->len);

    part->state = PART_ASKED; /* before: a session that ends here tells it as lost */
    part->left_at = now;
    job->out_count++;
    if (smpp_session_ask(session, SMPP_SUBMIT_SM, body, tag_of(job, at), now) != ERR_OK) {
        part->state = PART_WAITS; /* it was never asked */
        job->out_count--;
        return;
    }
    connector->session = session;
    metric_add(METRIC_SMS_PARTS_SENT, 1);
}

/* Lets parts of one connector leave; returns when the next may. */
static struct mono_time
connector_step(struct carrier *carrier, struct connector *connector, struct mono_time now)
{
    struct mono_time until = mono_after_ms(now, AHEAD_MS), turn_at = now;

    if (connector->held_until.us > now.us)
        return connector->held_until;
    while (current_begin(carrier, connector, now)) {
        struct sms_job *job = connector->current;
        while (job->next_part < job->part_count && job->parts[job->next_part].state != PART_WAITS)
            job->next_part++;
        if (job->is_stopped || job->next_part == job->part_count) {
            current_end(connector);
            job_progress(carrier, job);
            continue;
        }
        struct smpp_session *session = session_choose(connector);
        if (session == NULL)
            return NEVER; /* answers, or a bind, will come */
        if (!pace_turn(carrier->pace, connector->id, now, until, &turn_at))
            return turn_at;
        part_ask(connector, job, session, job->next_part, now);
        if (job->parts[job->next_part].state == PART_WAITS)
            return NEVER; /* the session is ending */
    }
    return NEVER;
}

struct mono_time
carrier_step(struct carrier *carrier, struct mono_time now)
{
    struct mono_time next = NEVER;

    for (size_t i = 0; i < carrier->connector_count; i++) {
        struct mono_time at = connector_step(carrier, carrier->connectors[i], now);
        next = at.us < next.us ? at : next;
    }
    return next;
}

/* After something became of a part of it. */
static void
job_progress(struct carrier *carrier, struct sms_job *job)
{
    struct connector *connector = connector_find(carrier, job->connector);
    bool waits = false;

    if (job->parts == NULL) { /* not cut yet: any connector will do */
        if (!job->is_queued)
            job_route(carrier, job, 0);
        return;
    }
    for (size_t i = 0; i < job->part_count; i++)
        waits = waits || job->parts[i].state == PART_WAITS;
    if (job->is_queued || (job->is_current && !job->is_stopped && waits))
        return; /* its parts leave in their turn */
    if (job->is_current)
        current_end(connector);
    if (job->out_count > 0)
        return;
    if (!waits || job->is_stopped) {
        job_finish(carrier, job);
    } else if (connector != NULL && connector->session_count > 0) {
        job->next_part = 0;
        queue_add(connector, job, true);
    } else if (has_left(job)) {
        job_finish(carrier, job);
    } else {
        job_route(carrier, job, 0);
    }
}

static void
throttled(struct carrier *carrier, struct sms_job *job, struct part *part, struct mono_time now)
{
    struct connector *connector = connector_find(carrier, job->connector);
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
    if (job->out_count > 0 || has_left(job) || job->has_had || !outcome_may_fail_over(part->status) ||
        choice_bound(carrier, job, job->choice + 1) == job->choice_count)
        return;
    struct connector *connector = connector_find(carrier, job->connector);
    if (job->is_current)
        current_end(connector);
    job_route(carrier, job, job->choice + 1);
}

static void
answer_late(struct carrier *carrier, uint64_t tag, const struct smpp_pdu *pdu)
{
    char id[SMPP_ID_CANONICAL_BYTES];
    struct smpp_answer answer;

    for (size_t i = 0; i < LATE_MAX; i++) {
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
    job_progress(carrier, job);
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
    job_progress(carrier, job);
}

void
carrier_bound(struct carrier *carrier, struct id id, struct smpp_session *session)
{
    struct connector *connector = connector_find(carrier, id);

    if (connector != NULL && connector->session_count < CARRIER_BINDS_MAX)
        connector->sessions[connector->session_count++] = session;
}

/* What waits for a connector that nothing goes through any more goes elsewhere, or back. */
static void
connector_empty(struct carrier *carrier, struct connector *connector)
{
    struct sms_job *jobs = NULL, **last = &jobs, *job = NULL;

    if (connector->current != NULL) {
        job = connector->current;
        current_end(connector);
        job_progress(carrier, job);
    }
    while ((job = queue_take(connector)) != NULL) { /* all of them first: some may come back to this queue */
        *last = job;
        last = (struct sms_job **)&job->job.item.next;
    }
    while ((job = jobs) != NULL) {
        jobs = (struct sms_job *)job->job.item.next;
        job->job.item.next = NULL;
        job_progress(carrier, job);
    }
}

void
carrier_unbound(struct carrier *carrier, struct id id, struct smpp_session *session)
{
    struct connector *connector = connector_find(carrier, id);

    for (size_t i = 0; connector != NULL && i < connector->session_count; i++) {
        if (connector->sessions[i] != session)
            continue;
        connector->sessions[i] = connector->sessions[--connector->session_count];
        if (connector->session == session)
            connector->session = NULL;
        if (connector->session_count == 0)
            connector_empty(carrier, connector);
        return;
    }
}

void
carrier_drop(struct carrier *carrier, struct id id)
{
    for (size_t i = 0; i < carrier->connector_count; i++) {
        struct connector *connector = carrier->connectors[i];
        if (!id_eq(connector->id, id))
            continue;
        connector->session_count = 0;
        connector_empty(carrier, connector);
        pace_forget(carrier->pace, id);
        carrier->connectors[i] = carrier->connectors[--carrier->connector_count];
        free(connector);
        return;
    }
}

void
carrier_return(struct carrier *carrier)
{
    for (size_t i = 0; i < carrier->connector_count; i++) {
        struct connector *connector = carrier->connectors[i];
        struct sms_job *job = connector->current;
        if (job != NULL) {
            job->is_stopped = true;
            job_progress(carrier, job);
        }
        while ((job = queue_take(connector)) != NULL) {
            if (job->out_count > 0 || has_left(job)) {
                job->is_stopped = true;
                job_progress(carrier, job);
            } else {
                settle_returned(carrier, job, 0, 0, "drained", "The process was stopping.");
            }
        }
    }
}
