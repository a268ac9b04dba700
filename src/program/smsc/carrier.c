#include "core/metric.h"
#include "crypto/random.h"
#include "domain/sending/pace.h"
#include "program/smsc/carrier_internal.h"
#include "wire/smpp/smpp_status.h"
#include <stdio.h>
#include <stdlib.h>

#define AHEAD_MS   10   /* turns that come so soon are taken now: the loop sleeps no less */
#define NO_BIND_MS 1000 /* a lane none of whose connectors is bound waits for so long */
#define NEVER      ((struct mono_time){ INT64_MAX })

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

struct connector *
carrier_connector_find(const struct carrier *carrier, struct id id)
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
    struct connector *connector = carrier_connector_find(carrier, settings->id);

    if (connector == NULL) {
        if (carrier->connector_count == CARRIER_CONNECTORS_MAX)
            return ERR_TOO_MANY;
        connector = calloc(1, sizeof(*connector));
        if (connector == NULL)
            return ERR_NO_MEMORY;
        connector->id = settings->id;
        connector->tenant = tenant;
        for (size_t i = 0; i < CARRIER_CATEGORIES; i++)
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
    return carrier_connector_find(carrier, connector) == NULL
               ? 0
               : pace_per_second(carrier->pace, connector, now);
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
    for (size_t of = 0; of < CARRIER_CATEGORIES; of++) {
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

static void
job_leave(struct carrier *carrier, struct sms_job *job)
{
    carrier_late_keep(carrier, job);
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

size_t
carrier_choice_bound(const struct carrier *carrier, const struct sms_job *job, size_t from)
{
    for (size_t i = from; i < job->choice_count; i++) {
        const struct connector *connector = carrier_connector_find(carrier, job->choices[i]);
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

bool
carrier_job_has_left(const struct sms_job *job)
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

void
carrier_job_route(struct carrier *carrier, struct sms_job *job, size_t from)
{
    job->choice = carrier_choice_bound(carrier, job, from);
    if (job->choice == job->choice_count) {
        settle_returned(carrier, job, NO_BIND_MS, NO_BIND_MS, "not-bound",
                        "No connector that carries the message is bound.");
        return;
    }
    parts_forget(job);
    job->connector = job->choices[job->choice];
    queue_add(carrier_connector_find(carrier, job->connector), job, false);
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
    carrier_job_route(carrier, job, 0);
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
    if (carrier_job_has_left(job))
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

void
carrier_current_end(struct connector *connector)
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
    if (smpp_session_ask(session, SMPP_SUBMIT_SM, body, carrier_tag_of(job, at), now) != ERR_OK) {
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
            carrier_current_end(connector);
            carrier_job_progress(carrier, job);
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

void
carrier_job_progress(struct carrier *carrier, struct sms_job *job)
{
    struct connector *connector = carrier_connector_find(carrier, job->connector);
    bool waits = false;

    if (job->parts == NULL) { /* not cut yet: any connector will do */
        if (!job->is_queued)
            carrier_job_route(carrier, job, 0);
        return;
    }
    for (size_t i = 0; i < job->part_count; i++)
        waits = waits || job->parts[i].state == PART_WAITS;
    if (job->is_queued || (job->is_current && !job->is_stopped && waits))
        return; /* its parts leave in their turn */
    if (job->is_current)
        carrier_current_end(connector);
    if (job->out_count > 0)
        return;
    if (!waits || job->is_stopped) {
        job_finish(carrier, job);
    } else if (connector != NULL && connector->session_count > 0) {
        job->next_part = 0;
        queue_add(connector, job, true);
    } else if (carrier_job_has_left(job)) {
        job_finish(carrier, job);
    } else {
        carrier_job_route(carrier, job, 0);
    }
}

void
carrier_bound(struct carrier *carrier, struct id id, struct smpp_session *session)
{
    struct connector *connector = carrier_connector_find(carrier, id);

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
        carrier_current_end(connector);
        carrier_job_progress(carrier, job);
    }
    while ((job = queue_take(connector)) != NULL) { /* all of them first: some may come back to this queue */
        *last = job;
        last = (struct sms_job **)&job->job.item.next;
    }
    while ((job = jobs) != NULL) {
        jobs = (struct sms_job *)job->job.item.next;
        job->job.item.next = NULL;
        carrier_job_progress(carrier, job);
    }
}

void
carrier_unbound(struct carrier *carrier, struct id id, struct smpp_session *session)
{
    struct connector *connector = carrier_connector_find(carrier, id);

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
            carrier_job_progress(carrier, job);
        }
        while ((job = queue_take(connector)) != NULL) {
            if (job->out_count > 0 || carrier_job_has_left(job)) {
                job->is_stopped = true;
                carrier_job_progress(carrier, job);
            } else {
                settle_returned(carrier, job, 0, 0, "drained", "The process was stopping.");
            }
        }
    }
}
