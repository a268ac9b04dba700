/* From steps to rows: what many bodies mean, in one transaction. */
#include "domain/channel/channel.h"
#include "domain/channel/channel_window.h"
#include "domain/channel/provider_task.h"
#include "domain/consent/consent_inbound.h"
#include "domain/message/message_queue.h"
#include "domain/message/message_report.h"
#include "program/gateway/interpreter_internal.h"

/* A status that is about this message: what is charged is kept whatever becomes of the status itself. */
static enum err
report_apply(struct db_tx *tx, struct reading *reading, const struct step *step)
{
    bool has_moved = false;
    enum err err = ERR_OK;

    if (step->has_pricing)
        err = message_queue_hold(tx, &step->report.message, 1);
    if (err == ERR_OK && step->has_pricing)
        err = message_pricing_keep(tx, step->report.message, step->report.channel, &step->pricing,
                                   reading->arena);
    if (err != ERR_OK)
        return err;
    err = message_report_apply(tx, reading->interpreter->config.clock, &step->report, reading->arena,
                               &has_moved);
    return err == ERR_OK && has_moved && step->has_lost_media
               ? provider_task_create(
                     tx, &(struct provider_task_new){ .id = id_new(reading->interpreter->config.clock),
                                                      .channel = step->report.channel,
                                                      .kind = PROVIDER_TASK_MEDIA_FORGET,
                                                      .subject = step->report.message })
               : err;
}

/* By the id that we gave the provider, else by the one that it gave us. Not ours at all: sent by other
 * software. */
static enum err
status_apply(struct db_tx *tx, struct reading *reading, struct step *step)
{
    struct message_report *report = &step->report;
    enum err err = message_mark_parse(step->callback_data, &report->message, &report->sender);

    err = err == ERR_OK ? report_apply(tx, reading, step) : ERR_NOT_FOUND;
    if (err != ERR_NOT_FOUND)
        return err;
    err = message_by_provider_id(tx, report->channel, report->provider_id, &report->message, &report->sender);
    if (err == ERR_OK)
        err = report_apply(tx, reading, step);
    if (err == ERR_NOT_FOUND) {
        reading->unrouted_count++;
        err = ERR_OK;
    }
    return err;
}

/* The channels of a tenant's numbers, as they were found in this transaction. */
#define NUMBERS_MAX 32u
struct numbers {
    struct {
        struct slice number;
        struct id channel;
        bool is_found;
    } known[NUMBERS_MAX];
    size_t count;
};

/* ERR_NOT_FOUND: a number of the same app that is not connected in this workspace. */
static enum err
number_channel(struct db_tx *tx, struct numbers *numbers, const struct reading *reading, struct slice number,
               struct id *out)
{
    if (reading->number.len > 0 && slice_eq(reading->number, number)) {
        *out = reading->event->channel;
        return ERR_OK;
    }
    for (size_t i = 0; i < numbers->count; i++)
        if (slice_eq(numbers->known[i].number, number)) {
            *out = numbers->known[i].channel;
            return numbers->known[i].is_found ? ERR_OK : ERR_NOT_FOUND;
        }
    enum err err = channel_by_phone_number_id(tx, number, out);
    if ((err == ERR_OK || err == ERR_NOT_FOUND) && numbers->count < NUMBERS_MAX) {
        numbers->known[numbers->count].number = number;
        numbers->known[numbers->count].channel = *out;
        numbers->known[numbers->count++].is_found = err == ERR_OK;
    }
    return err;
}

static bool
is_status(const struct step *step)
{
    return step->notice == NULL && step->template == NULL && !step->is_inbound && !step->is_call;
}

static bool
is_incoming(const struct step *step)
{
    return step->is_inbound || step->is_call;
}

/* What came in and is applied together: messages, and the windows that they and calls open. */
#define INCOMING_MAX 250u
struct incoming {
    struct {
        struct step *step;
        struct id channel;
    } * steps;
    struct message_received **messages;
    struct channel_window_opening *openings;
    size_t count;
};

/* Keywords in what was stored just now. */
static enum err
keywords_apply(struct db_tx *tx, struct interpreter *interpreter, const struct incoming *incoming,
               struct arena *arena)
{
    struct consent_heard *heard = arena_array(arena, incoming->count, sizeof(*heard));
    size_t count = 0;

    if (heard == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < incoming->count; i++) {
        const struct step *step = incoming->steps[i].step;
        if (step->is_inbound && step->received.is_fresh && step->keyword.len > 0)
            heard[count++] = (struct consent_heard){ .message = step->received.id,
                                                     .channel = incoming->steps[i].channel,
                                                     .channel_kind = SLICE("whatsapp"),
                                                     .peer_index = step->received.sealed.peer_index,
                                                     .folded = step->keyword,
                                                     .at = step->received.at };
    }
    return consent_hear(tx, interpreter->config.clock, heard, count, arena, &interpreter->has_followers);
}

static enum err
incoming_apply(struct db_tx *tx, struct interpreter *interpreter, struct incoming *incoming,
               struct arena *arena)
{
    const struct clock *clock = interpreter->config.clock;
    size_t message_count = 0, opening_count = 0;
    enum err err = ERR_OK;

    for (size_t i = 0; i < incoming->count; i++)
        if (incoming->steps[i].step->is_inbound)
            incoming->messages[message_count++] = &incoming->steps[i].step->received;
    err = message_receive_many(tx, incoming->messages, message_count, arena);
    for (size_t i = 0; i < incoming->count; i++) {
        struct step *step = incoming->steps[i].step;
        if (step->is_inbound && !step->received.is_fresh) /* posted before, in another body */
            continue;
        for (size_t w = 0; w < step->window_count; w++)
            incoming->openings[opening_count++] =
                (struct channel_window_opening){ .channel = incoming->steps[i].channel,
                                                 .peer_index = slice_of(step->windows[w], VAULT_INDEX_BYTES),
                                                 .at = step->received.at,
                                                 .is_referred = step->is_referred };
        if (err == ERR_OK && step->media != NULL)
            err = media_fetch_begin(tx, clock, step->media, incoming->steps[i].channel, step->received.id);
    }
    if (err == ERR_OK)
        err = keywords_apply(tx, interpreter, incoming, arena);
    incoming->count = 0;
    return err == ERR_OK ? channel_windows_open(tx, incoming->openings, opening_count, arena) : err;
}

static enum err
incoming_add(struct db_tx *tx, struct incoming *incoming, struct numbers *numbers, struct reading *reading,
             struct step *step, struct arena *arena)
{
    struct id channel = { { 0 } };
    enum err err = number_channel(tx, numbers, reading, step->phone_number_id, &channel);

    if (err == ERR_NOT_FOUND) {
        reading->unrouted_count++;
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    step->received.channel = channel;
    incoming->steps[incoming->count].step = step;
    incoming->steps[incoming->count++].channel = channel;
    return incoming->count == INCOMING_MAX ? incoming_apply(tx, reading->interpreter, incoming, arena)
                                           : ERR_OK;
}

static enum err
other_apply(struct db_tx *tx, struct reading *reading, struct step *step)
{
    const struct clock *clock = reading->interpreter->config.clock;

    return step->template != NULL ? template_notice_apply(tx, clock, step->template, reading->event->channel,
                                                          reading->arena, &reading->unrouted_count)
                                  : notice_apply(tx, clock, step->notice, reading->arena);
}

/* Statuses that are applied together, and whose they are. */
#define STATUSES_MAX 1000u
struct statuses {
    struct message_report_item *items;
    struct {
        struct reading *reading;
        struct step *step;
    } * owners;
    size_t count;
};

/* By few statements what they can; the rest one by one, in order. */
static enum err
statuses_apply(struct db_tx *tx, struct statuses *statuses, struct arena *arena)
{
    if (statuses->count == 0)
        return ERR_OK;
    const struct clock *clock = statuses->owners[0].reading->interpreter->config.clock;
    enum err err = message_reports_apply(tx, clock, statuses->items, statuses->count, arena);

    for (size_t i = 0; err == ERR_OK && i < statuses->count; i++)
        if (!statuses->items[i].is_settled)
            err = status_apply(tx, statuses->owners[i].reading, statuses->owners[i].step);
    statuses->count = 0;
    return err;
}

static enum err
status_add(struct db_tx *tx, struct statuses *statuses, struct numbers *numbers, struct reading *reading,
           struct step *step, struct arena *arena)
{
    struct message_report *report = &step->report;
    enum err err = number_channel(tx, numbers, reading, step->phone_number_id, &report->channel);

    if (err == ERR_NOT_FOUND) {
        reading->unrouted_count++;
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    if (message_mark_parse(step->callback_data, &report->message, &report->sender) != ERR_OK)
        report->message = (struct id){ { 0 } };
    statuses->items[statuses->count] =
        (struct message_report_item){ .report = report,
                                      .pricing = step->has_pricing ? &step->pricing : NULL };
    statuses->owners[statuses->count].reading = reading;
    statuses->owners[statuses->count++].step = step;
    return statuses->count == STATUSES_MAX ? statuses_apply(tx, statuses, arena) : ERR_OK;
}

/* What is applied by few statements, of one tenant at a time, gathered from its readings. */
struct gathered {
    struct numbers numbers;
    struct statuses statuses;
    struct incoming incoming;
};

static struct gathered *
gathered_new(struct arena *arena)
{
    struct gathered *gathered = arena_alloc(arena, sizeof(*gathered));

    if (gathered == NULL)
        return NULL;
    struct statuses *statuses = &gathered->statuses;
    struct incoming *incoming = &gathered->incoming;
    statuses->items = arena_array(arena, STATUSES_MAX, sizeof(*statuses->items));
    statuses->owners = arena_array(arena, STATUSES_MAX, sizeof(*statuses->owners));
    incoming->steps = arena_array(arena, INCOMING_MAX, sizeof(*incoming->steps));
    incoming->messages = arena_array(arena, INCOMING_MAX, sizeof(struct message_received *));
    incoming->openings = arena_array(arena, INCOMING_MAX * WINDOWS_MAX, sizeof(*incoming->openings));
    return statuses->items == NULL || statuses->owners == NULL || incoming->steps == NULL ||
                   incoming->messages == NULL || incoming->openings == NULL
               ? NULL
               : gathered;
}

static enum err
gathered_add(struct db_tx *tx, struct gathered *gathered, struct reading *reading, struct arena *arena)
{
    enum err err = ERR_OK;

    for (struct step *step = reading->first; err == ERR_OK && step != NULL; step = step->next)
        if (is_status(step))
            err = status_add(tx, &gathered->statuses, &gathered->numbers, reading, step, arena);
        else if (is_incoming(step))
            err = incoming_add(tx, &gathered->incoming, &gathered->numbers, reading, step, arena);
    return err;
}

/* Of one tenant: first the claims, then what is said of messages, then what came in, then all else in order.
 */
static enum err
tenant_apply(struct db_tx *tx, struct reading *const *readings, size_t count, bool is_alone,
             struct gathered *gathered, struct arena *arena)
{
    const struct provider_event **events = arena_array(arena, count, sizeof(const struct provider_event *));
    bool *held = arena_array(arena, count, sizeof(*held));

    if (events == NULL || held == NULL)
        return ERR_NO_MEMORY;
    gathered->numbers.count = 0;
    for (size_t i = 0; i < count; i++)
        events[i] = readings[i]->event;
    enum err err =
        is_alone ? provider_event_done(tx, events[0]) : provider_events_done(tx, events, count, arena, held);
    if (is_alone) {
        held[0] = err == ERR_OK;
        err = err == ERR_STATE_CONFLICT ? ERR_OK : err;
    }
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        readings[i]->is_lost = !held[i];
        readings[i]->unrouted_count = readings[i]->unheeded_count;
        if (held[i])
            err = gathered_add(tx, gathered, readings[i], arena);
    }
    if (err == ERR_OK)
        err = statuses_apply(tx, &gathered->statuses, arena);
    if (err == ERR_OK)
        err = incoming_apply(tx, readings[0]->interpreter, &gathered->incoming, arena);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        for (struct step *step = readings[i]->first; err == ERR_OK && held[i] && step != NULL;
             step = step->next)
            if (step->template != NULL || step->notice != NULL)
                err = other_apply(tx, readings[i], step);
    return err;
}

enum err
readings_apply(struct db_tx *tx, struct reading *const *readings, size_t count, struct arena *arena)
{
    struct gathered *gathered = gathered_new(arena);
    enum err err = gathered == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0, end; err == ERR_OK && i < count; i = end) {
        struct id tenant = readings[i]->event->tenant;
        for (end = i; end < count && id_eq(readings[end]->event->tenant, tenant);)
            end++;
        err = db_tx_turn_to(tx, tenant);
        if (err == ERR_OK)
            err = tenant_apply(tx, readings + i, end - i, count == 1, gathered, arena);
    }
    return err;
}
