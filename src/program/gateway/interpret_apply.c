/* From steps to rows: what many bodies mean, in one transaction. */
#include "domain/channel/channel.h"
#include "domain/channel/channel_window.h"
#include "domain/channel/provider_task.h"
#include "domain/message/message_report.h"
#include "program/gateway/interpreter_internal.h"

/* A status that is about this message: what is charged is kept whatever becomes of the status itself. */
static enum err
report_apply(struct db_tx *tx, struct reading *reading, const struct step *step)
{
    bool has_moved = false;
    enum err err = ERR_OK;

    if (step->has_pricing)
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

static enum err
windows_apply(struct db_tx *tx, const struct step *step, struct id channel)
{
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < step->window_count; i++)
        err = channel_window_open(tx, channel, slice_of(step->windows[i], VAULT_INDEX_BYTES),
                                  step->received.at, step->is_referred);
    return err;
}

static enum err
inbound_apply(struct db_tx *tx, const struct clock *clock, struct step *step, struct id channel)
{
    enum err err = ERR_OK;

    step->received.channel = channel;
    bool has_media = step->media != NULL;
    unsigned sender;
    if (step->quoted_id.len > 0)
        err = message_by_provider_id(tx, channel, step->quoted_id, &step->received.target, &sender);
    if (err == ERR_OK || err == ERR_NOT_FOUND)
        err = message_receive(tx, &step->received);
    if (err == ERR_EXISTS)
        return ERR_OK; /* posted before, in another body */
    if (err == ERR_OK && has_media)
        err = media_fetch_begin(tx, clock, step->media, channel, step->received.id);
    return err == ERR_OK ? windows_apply(tx, step, channel) : err;
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
number_channel(struct db_tx *tx, struct numbers *numbers, struct slice number, struct id *out)
{
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

static enum err
other_apply(struct db_tx *tx, struct reading *reading, struct numbers *numbers, struct step *step)
{
    const struct clock *clock = reading->interpreter->config.clock;
    struct id channel = { { 0 } };

    if (step->template != NULL)
        return template_notice_apply(tx, clock, step->template, reading->event->channel, reading->arena,
                                     &reading->unrouted_count);
    if (step->notice != NULL)
        return notice_apply(tx, clock, step->notice, reading->arena);
    enum err err = number_channel(tx, numbers, step->phone_number_id, &channel);
    if (err == ERR_NOT_FOUND) {
        reading->unrouted_count++;
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    return step->is_call ? windows_apply(tx, step, channel) : inbound_apply(tx, clock, step, channel);
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
    enum err err = number_channel(tx, numbers, step->phone_number_id, &report->channel);

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

/* Of one tenant: first the claims, then what is said of messages, then all else in order. */
static enum err
tenant_apply(struct db_tx *tx, struct reading *const *readings, size_t count, struct arena *arena)
{
    const struct provider_event **events = arena_array(arena, count, sizeof(const struct provider_event *));
    bool *held = arena_array(arena, count, sizeof(*held));
    struct numbers *numbers = arena_alloc(arena, sizeof(*numbers));
    struct statuses statuses = { .items = arena_array(arena, STATUSES_MAX, sizeof(*statuses.items)),
                                 .owners = arena_array(arena, STATUSES_MAX, sizeof(*statuses.owners)) };

    if (events == NULL || held == NULL || numbers == NULL || statuses.items == NULL ||
        statuses.owners == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        events[i] = readings[i]->event;
    enum err err = provider_events_done(tx, events, count, arena, held);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        readings[i]->is_lost = !held[i];
        readings[i]->unrouted_count = readings[i]->unheeded_count;
        for (struct step *step = readings[i]->first; err == ERR_OK && held[i] && step != NULL;
             step = step->next)
            if (is_status(step))
                err = status_add(tx, &statuses, numbers, readings[i], step, arena);
    }
    if (err == ERR_OK)
        err = statuses_apply(tx, &statuses, arena);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        for (struct step *step = readings[i]->first; err == ERR_OK && held[i] && step != NULL;
             step = step->next)
            if (!is_status(step))
                err = other_apply(tx, readings[i], numbers, step);
    return err;
}

enum err
readings_apply(struct db_tx *tx, struct reading *const *readings, size_t count, struct arena *arena)
{
    enum err err = ERR_OK;

    for (size_t i = 0, end; err == ERR_OK && i < count; i = end) {
        struct id tenant = readings[i]->event->tenant;
        for (end = i; end < count && id_eq(readings[end]->event->tenant, tenant);)
            end++;
        err = db_tx_turn_to(tx, tenant);
        if (err == ERR_OK)
            err = tenant_apply(tx, readings + i, end - i, arena);
    }
    return err;
}
