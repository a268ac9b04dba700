#include "program/gateway/interpreter.h"
#include "core/log.h"
#include "core/metric.h"
#include "domain/channel/channel.h"
#include "domain/channel/channel_window.h"
#include "domain/channel/provider_task.h"
#include "domain/channel/whatsapp/whatsapp_event.h"
#include "domain/channel/whatsapp/whatsapp_inbound.h"
#include "domain/channel/whatsapp/whatsapp_peer.h"
#include "domain/message/message.h"
#include "domain/message/provider_event.h"
#include "domain/tenant/tenant_key.h"
#include "program/gateway/interpret_notice.h"
#include "program/gateway/media_fetch.h"
#include "program/gateway/template_notice.h"
#include "wire/json/json.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CLAIM_MAX 16u
#define CLAIM_ARENA_BYTES                                                                                    \
    (80u * 1024u * 1024u)                      /* CLAIM_MAX sealed bodies of 3 MiB, and what surrounds them */
#define BODY_ARENA_BYTES (96u * 1024u * 1024u) /* one opened body, its content sealed twice */
#define WINDOWS_MAX      3u                    /* a number, its other spelling, a user id */
#define IDLE_MS          1000                  /* also finds what a lost notice, a lease or a due time left */
#define DB_REOPEN_MS     5000

struct interpreter {
    struct interpreter_config config;
    struct db *db;
    struct vault vault;
    struct arena *claim_arena, *body_arena;
    pthread_t thread;
    int wake_fd;
    atomic_bool is_stopping;
};

/* One step of a body, prepared outside the transaction; applied in it. */
struct step {
    struct slice phone_number_id;
    const struct notice *notice;            /* and nothing else: it knows its channel */
    const struct template_notice *template; /* and nothing else */
    bool is_inbound, is_call;
    /* a status */
    struct message_report report;
    struct slice callback_data;
    bool has_pricing;
    struct message_pricing pricing;
    bool has_lost_media; /* WhatsApp could not get at what was pushed */
    /* an incoming message */
    struct message_received received;
    struct slice quoted_id;
    unsigned char windows[WINDOWS_MAX][VAULT_INDEX_BYTES]; /* the addresses under which the sender is known */
    size_t window_count;
    bool is_referred;
    struct media_fetch *media; /* what came with it and is to be fetched; NULL: none */
    struct step *next;
};

struct reading {
    struct interpreter *interpreter;
    const struct provider_event *event;
    struct arena *arena;
    struct step *first, **last;
    size_t ignored_count, unheeded_count, unrouted_count;
    struct slice fetch_of; /* the number of which does_fetch is known; NULL ptr: none yet */
    bool does_fetch;
};

static enum err
step_add(struct reading *reading, const struct whatsapp_event *event, struct step **out)
{
    struct step *step = arena_alloc(reading->arena, sizeof(*step));

    if (step == NULL)
        return ERR_NO_MEMORY;
    step->phone_number_id = arena_copy(reading->arena, event->phone_number_id);
    *reading->last = step;
    reading->last = &step->next;
    *out = step;
    return step->phone_number_id.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static struct wall_time
event_time(const struct reading *reading, const struct whatsapp_event *event)
{
    struct wall_time now = clock_wall(reading->interpreter->config.clock);

    /* A provider's clock may be off: what it says of the future is taken as now. */
    return event->has_time && event->time.us < now.us ? event->time : now;
}

/* What is charged is known with `sent`, and for good with proof of delivery. */
static enum err
pricing_prepare(struct reading *reading, const struct whatsapp_status_event *status, struct step *step)
{
    const struct whatsapp_pricing *pricing = &status->pricing;
    struct slice words[] = { pricing->model, pricing->type, pricing->category, status->conversation_id,
                             status->conversation_origin };

    step->has_pricing = pricing->is_given;
    for (size_t i = 0; step->has_pricing && i < COUNT_OF(words); i++)
        if ((words[i] = arena_copy(reading->arena, words[i])).ptr == NULL)
            return ERR_NO_MEMORY;
    step->pricing = (struct message_pricing){ .is_billable = pricing->is_billable,
                                              .is_final = step->report.status != MESSAGE_SENT,
                                              .model = words[0],
                                              .type = words[1],
                                              .category = words[2],
                                              .conversation_id = words[3],
                                              .conversation_origin = words[4] };
    return ERR_OK;
}

/* [{"code", "title", "class"}, ...]: codes and titles of ours. */
static enum err
errors_print(const struct whatsapp_status_event *status, struct arena *arena, struct slice *out)
{
    struct buf text;

    buf_init(&text, 4096);
    for (size_t i = 0; i < status->error_count; i++) {
        const struct whatsapp_error *error = &status->errors[i];
        char code[WHATSAPP_ERROR_CODE_BYTES];
        whatsapp_error_code_print(error, code);
        buf_add_format(&text, "%s{\"code\":\"%s\",\"title\":", i == 0 ? "[" : ",", code);
        json_add_string(&text, slice_text(error->title));
        buf_add_format(&text, ",\"class\":\"%s\"}", whatsapp_error_shown_class(error->class));
    }
    buf_add_byte(&text, ']');
    enum err err = buf_done(&text);
    *out = err == ERR_OK ? arena_copy(arena, buf_slice(&text)) : SLICE_EMPTY;
    buf_release(&text);
    return err == ERR_OK && out->ptr == NULL ? ERR_NO_MEMORY : err;
}

/* Why it failed: the first error decides, and what else is named is told. */
static enum err
failure_prepare(struct reading *reading, const struct whatsapp_status_event *status, struct step *step)
{
    struct message_report *report = &step->report;
    struct whatsapp_error unnamed = whatsapp_error_of(WHATSAPP_CODE_NONE, 0, false, 0);
    const struct whatsapp_error *error = status->error_count > 0 ? &status->errors[0] : &unnamed;
    char code[WHATSAPP_ERROR_CODE_BYTES];

    whatsapp_error_code_print(error, code);
    report->error_code = arena_copy(reading->arena, slice_text(code));
    report->error_title = slice_text(error->title);
    report->error_class = "permanent"; /* the provider has given up: nothing of ours follows */
    if (report->error_code.ptr == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < status->error_count; i++)
        step->has_lost_media |= status->errors[i].code == WHATSAPP_CODE_MEDIA_LOST;
    return status->error_count > 1 ? errors_print(status, reading->arena, &report->errors) : ERR_OK;
}

static enum err
status_prepare(struct reading *reading, const struct whatsapp_event *event)
{
    const struct whatsapp_status_event *status = &event->status;
    enum message_status claimed;
    struct step *step;

    if (!whatsapp_status_claims(status->word, &claimed)) {
        reading->ignored_count++;
        return ERR_OK;
    }
    enum err err = step_add(reading, event, &step);
    if (err != ERR_OK)
        return err;
    step->report = (struct message_report){ .status = claimed,
                                            .at = event_time(reading, event),
                                            .provider_id = arena_copy(reading->arena, status->provider_id) };
    step->callback_data = arena_copy(reading->arena, status->callback_data);
    if (claimed == MESSAGE_FAILED)
        err = failure_prepare(reading, status, step);
    if (err != ERR_OK)
        return err;
    if (step->report.provider_id.ptr == NULL || step->callback_data.ptr == NULL)
        return ERR_NO_MEMORY;
    return pricing_prepare(reading, status, step);
}

/* {"from": ..., "content": ...}: what the event holds that is personal; of an echo `to`. */
static enum err
event_content_print(bool is_echo, struct slice peer, struct slice content, struct buf *out)
{
    buf_add_text(out, is_echo ? "{\"to\":" : "{\"from\":");
    json_add_string(out, peer);
    buf_add_text(out, ",\"content\":");
    buf_add(out, content);
    buf_add_byte(out, '}');
    return buf_done(out);
}

static enum err
inbound_seal(struct reading *reading, struct step *step, struct slice peer, struct slice content)
{
    const struct vault *vault = &reading->interpreter->vault;
    struct id tenant = reading->event->tenant;
    struct vault_place place = event_content_place(tenant, step->received.event_id);
    struct buf text;
    enum err err = message_seal(
        vault, tenant,
        &(struct message_plain){ .message = step->received.id, .peer = peer, .content = content }, 1,
        reading->arena, &step->received.sealed);

    buf_init(&text, VAULT_PLAIN_BYTES_MAX);
    if (err == ERR_OK)
        err = event_content_print(step->received.is_echo, peer, content, &text);
    if (err == ERR_OK)
        err = vault_seal(vault, VAULT_CONTENT, &place, buf_slice(&text), reading->arena,
                         &step->received.event_content);
    buf_release_wiped(&text);
    return err;
}

/*
 * Whose window a message opens: the sender's, under each address that the business may write to. A message in
 * a group opens none, nor does what WhatsApp itself says of a person.
 */
static enum err
windows_prepare(struct reading *reading, const struct whatsapp_inbound *message, struct step *step)
{
    char room[WHATSAPP_SPELLING_BYTES];
    const struct slice peers[WINDOWS_MAX] = { message->peer,
                                              whatsapp_peer_other_spelling(message->peer, room),
                                              slice_eq(message->peer, message->user_id) ? SLICE_EMPTY
                                                                                        : message->user_id };
    enum err err = ERR_OK;

    if (message->is_echo || message->group_id.len > 0 || slice_eq(message->type, SLICE("system")))
        return ERR_OK;
    step->is_referred = message->is_referred;
    for (size_t i = 0; err == ERR_OK && i < COUNT_OF(peers); i++)
        if (peers[i].len > 0)
            err = message_peer_index(&reading->interpreter->vault, reading->event->tenant, peers[i],
                                     step->windows[step->window_count++]);
    return err;
}

static enum err
fetch_look_in(struct db_tx *tx, void *ctx)
{
    struct reading *reading = ctx;

    return channel_fetches_media(tx, reading->fetch_of, reading->interpreter->config.fetch_media,
                                 &reading->does_fetch);
}

/* The file that comes with a message, where the number's channel has such fetched. */
static enum err
media_prepare(struct reading *reading, json_t *content, struct step *step)
{
    const struct interpreter *interpreter = reading->interpreter;
    enum err err = ERR_OK;

    if (!media_fetch_concerns(content))
        return ERR_OK;
    if (reading->fetch_of.ptr == NULL || !slice_eq(reading->fetch_of, step->phone_number_id)) {
        reading->fetch_of = step->phone_number_id;
        err = db_run(interpreter->db, reading->event->tenant, fetch_look_in, reading);
    }
    if (err != ERR_OK || !reading->does_fetch)
        return err;
    return media_fetch_prepare(&(struct media_fetch_reader){ .clock = interpreter->config.clock,
                                                             .vault = &interpreter->vault,
                                                             .tenant = reading->event->tenant,
                                                             .days = interpreter->config.media_days,
                                                             .arena = reading->arena },
                               content, &step->media);
}

static enum err
inbound_prepare(struct reading *reading, const struct whatsapp_event *event)
{
    const struct clock *clock = reading->interpreter->config.clock;
    const struct whatsapp_inbound *message = &event->message;
    struct slice target = whatsapp_inbound_target(event);
    struct step *step = NULL;
    json_t *content = NULL;
    struct buf text;
    enum err err = step_add(reading, event, &step);

    buf_init(&text, VAULT_PLAIN_BYTES_MAX);
    if (err == ERR_OK)
        err = whatsapp_inbound_content(event, reading->arena, &content);
    if (err == ERR_OK)
        err = media_prepare(reading, content, step);
    if (err == ERR_OK)
        err = json_print(content, &text);
    if (err != ERR_OK)
        goto done;
    step->is_inbound = true;
    step->received =
        (struct message_received){ .id = id_new(clock),
                                   .event_id = id_new(clock),
                                   .is_echo = message->is_echo,
                                   .kind = arena_copy(reading->arena, json_text_of(content, "type")),
                                   .provider_id = arena_copy(reading->arena, message->provider_id),
                                   .at = event_time(reading, event) };
    step->quoted_id = arena_copy(reading->arena, target.len > 0 ? target : message->quoted_id);
    if (step->received.kind.ptr == NULL || step->received.provider_id.ptr == NULL ||
        step->quoted_id.ptr == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = inbound_seal(reading, step, message->peer, buf_slice(&text));
    if (err == ERR_OK)
        err = windows_prepare(reading, message, step);
done:
    buf_release_wiped(&text);
    json_decref(content);
    return err;
}

/* What is neither a message nor a status: a step for each channel that it is about. */
static enum err
notices_prepare(struct reading *reading, const struct whatsapp_event *event)
{
    struct interpreter *interpreter = reading->interpreter;
    const struct notice_reader reader = { .clock = interpreter->config.clock,
                                          .vault = &interpreter->vault,
                                          .db = interpreter->db,
                                          .body = reading->event,
                                          .arena = reading->arena };
    struct notice *notice = NULL;
    struct step *step;
    bool is_ours = false;
    enum err err = notice_prepare(&reader, event, &notice, &is_ours);

    if (err == ERR_OK && notice == NULL) {
        reading->ignored_count += !is_ours; /* kept raw in the stored body */
        reading->unheeded_count += is_ours;
    }
    for (; err == ERR_OK && notice != NULL; notice = notice_next(notice)) {
        err = step_add(reading, event, &step);
        if (err == ERR_OK)
            step->notice = notice;
    }
    return err;
}

/* What is said of a template; else another notice. */
static enum err
template_prepare(struct reading *reading, const struct whatsapp_event *event)
{
    struct template_notice *said;
    struct step *step;
    enum err err = template_notice_prepare(event, reading->interpreter->config.clock, reading->arena, &said);

    if (err == ERR_NOTHING)
        return notices_prepare(reading, event);
    if (err == ERR_OK)
        err = step_add(reading, event, &step);
    if (err == ERR_OK)
        step->template = said;
    return err;
}

/* A person's call opens the window too; what else a call is stands in its notice. */
static enum err
calls_prepare(struct reading *reading, const struct whatsapp_event *event)
{
    const json_t *calls = json_member(event->raw, "calls");
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < json_array_size(calls); i++) {
        struct whatsapp_inbound caller;
        struct step *step;
        if (!whatsapp_event_caller(json_array_get(calls, i), reading->arena, &caller))
            continue;
        err = step_add(reading, event, &step);
        if (err != ERR_OK)
            break;
        step->is_call = true;
        step->received.at = event_time(reading, event);
        err = windows_prepare(reading, &caller, step);
    }
    return err;
}

static enum err
event_prepare(void *ctx, const struct whatsapp_event *event)
{
    struct reading *reading = ctx;
    enum err err;

    switch (event->kind) {
    case WHATSAPP_EVENT_STATUS:
        return status_prepare(reading, event);
    case WHATSAPP_EVENT_MESSAGE:
        return inbound_prepare(reading, event);
    case WHATSAPP_EVENT_NOTICE:
        if (slice_eq(event->field, SLICE("calls")) && (err = calls_prepare(reading, event)) != ERR_OK)
            return err;
        return template_prepare(reading, event);
    case WHATSAPP_EVENT_FAULT:
    case WHATSAPP_EVENT_UNKNOWN:
        return notices_prepare(reading, event);
    }
    bug("an event kind outside the enum");
}

/* A status that is about this message: what is charged is kept whatever becomes of the status itself. */
static enum err
report_apply(struct db_tx *tx, struct reading *reading, const struct step *step)
{
    bool has_moved = false;
    enum err err = ERR_OK;

    if (step->has_pricing)
        err = message_pricing_keep(tx, step->report.message, step->report.channel, &step->pricing);
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

static enum err
body_apply(struct db_tx *tx, void *ctx)
{
    struct reading *reading = ctx;
    struct slice known = SLICE_EMPTY; /* consecutive steps mostly share the number */
    struct id channel = { { 0 } };
    enum err err = ERR_OK;

    reading->unrouted_count = reading->unheeded_count;
    for (struct step *step = reading->first; err == ERR_OK && step != NULL; step = step->next) {
        if (step->template != NULL) {
            err = template_notice_apply(tx, reading->interpreter->config.clock, step->template,
                                        reading->event->channel, reading->arena, &reading->unrouted_count);
            continue;
        }
        if (step->notice != NULL) {
            err = notice_apply(tx, reading->interpreter->config.clock, step->notice, reading->arena);
            continue;
        }
        if (known.ptr == NULL || !slice_eq(known, step->phone_number_id)) {
            err = channel_by_phone_number_id(tx, step->phone_number_id, &channel);
            known = err == ERR_OK ? step->phone_number_id : SLICE_EMPTY;
        }
        if (err == ERR_NOT_FOUND) { /* a number of the same app that is not connected in this workspace */
            reading->unrouted_count++;
            err = ERR_OK;
            continue;
        }
        step->report.channel = channel;
        if (err == ERR_OK)
            err = step->is_call      ? windows_apply(tx, step, channel)
                  : step->is_inbound ? inbound_apply(tx, reading->interpreter->config.clock, step, channel)
                                     : status_apply(tx, reading, step);
    }
    return err == ERR_OK ? provider_event_done(tx, reading->event) : err;
}

struct postpone {
    const struct interpreter *interpreter;
    const struct provider_event *event;
    enum err why;
};

static enum err
body_postpone(struct db_tx *tx, void *ctx)
{
    const struct postpone *postpone = ctx;

    return provider_event_postpone(tx, postpone->interpreter->config.clock, postpone->event, postpone->why);
}

static enum err
body_interpret(struct interpreter *interpreter, const struct provider_event *event)
{
    struct reading reading = { .interpreter = interpreter, .event = event, .arena = interpreter->body_arena };
    struct slice body = SLICE_EMPTY;
    enum err err = ERR_PROVIDER_BODY; /* claimed so often, and never settled: it ended those who read it */

    if (event->attempt <= PROVIDER_EVENT_CLAIMS_MAX)
        err = provider_event_open(&interpreter->vault, event, interpreter->body_arena, &body);
    reading.last = &reading.first;
    if (err == ERR_OK)
        err = whatsapp_event_read(body, interpreter->body_arena, event_prepare, &reading);
    if (err == ERR_OK)
        err = db_run(interpreter->db, event->tenant, body_apply, &reading);
    if (err == ERR_STATE_CONFLICT)
        err = ERR_OK; /* another gateway took it over and will do it */
    if (err == ERR_OK) {
        metric_add(METRIC_PROVIDER_EVENTS_INTERPRETED, 1);
        log_event(LOG_DEBUG, "provider_event.interpreted", LOG_ID("event", ID_PROVIDER_EVENT, event->id),
                  LOG_NUM("ignored", reading.ignored_count), LOG_NUM("unrouted", reading.unrouted_count));
    } else if (err != ERR_DB_UNAVAILABLE) {
        struct postpone postpone = { .interpreter = interpreter, .event = event, .why = err };
        log_event(LOG_WARN, "provider_event.postponed", LOG_ID("event", ID_PROVIDER_EVENT, event->id),
                  LOG_NUM("attempt", event->attempt), LOG_ERR(err));
        err = db_run(interpreter->db, event->tenant, body_postpone, &postpone);
    }
    arena_reset(interpreter->body_arena);
    return err;
}

static void
on_notice(void *ctx, struct slice channel UNUSED, struct slice payload UNUSED)
{
    *(bool *)ctx = true;
}

/* Until there is something to do: a notice, the next look, or the end. */
static enum err
interpreter_wait(struct interpreter *interpreter)
{
    struct pollfd fds[] = { { .fd = interpreter->wake_fd, .events = POLLIN },
                            { .fd = db_fd(interpreter->db), .events = POLLIN } };
    bool was_told = false;
    enum err err = db_notifications(interpreter->db, on_notice, &was_told); /* what came with an answer */

    if (err != ERR_OK || was_told)
        return err;
    if (poll(fds, COUNT_OF(fds), IDLE_MS) < 0)
        return ERR_OK; /* interrupted: look again */
    return db_notifications(interpreter->db, on_notice, &was_told);
}

static void *
interpreter_run(void *ctx)
{
    struct interpreter *interpreter = ctx;

    while (!atomic_load(&interpreter->is_stopping)) {
        struct provider_event *events = NULL;
        size_t count = 0;
        enum err err =
            provider_event_claim(interpreter->db, CLAIM_MAX, interpreter->claim_arena, &events, &count);

        for (size_t i = 0; err == ERR_OK && i < count; i++)
            err = body_interpret(interpreter, &events[i]);
        arena_reset(interpreter->claim_arena);
        if (err == ERR_OK && count < CLAIM_MAX)
            err = interpreter_wait(interpreter);
        if (err == ERR_DB_UNAVAILABLE) {
            log_event(LOG_WARN, "interpreter.database_away", LOG_ERR(err));
            if (db_reopen(interpreter->db, DB_REOPEN_MS) != ERR_OK)
                (void)poll(&(struct pollfd){ .fd = interpreter->wake_fd, .events = POLLIN }, 1, IDLE_MS);
        } else if (err != ERR_OK) { /* claimed bodies come back when their lease ends */
            log_event(LOG_ERROR, "interpreter.failed", LOG_ERR(err));
            (void)poll(&(struct pollfd){ .fd = interpreter->wake_fd, .events = POLLIN }, 1, IDLE_MS);
        }
    }
    return NULL;
}

enum err
interpreter_new(const struct interpreter_config *config, struct interpreter **out)
{
    struct interpreter *interpreter = calloc(1, sizeof(*interpreter));
    enum err err = ERR_NO_MEMORY;

    if (interpreter == NULL)
        return ERR_NO_MEMORY;
    interpreter->config = *config;
    interpreter->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    interpreter->claim_arena = arena_new(CLAIM_ARENA_BYTES);
    interpreter->body_arena = arena_new(BODY_ARENA_BYTES);
    if (interpreter->wake_fd < 0)
        err = ERR_SYSTEM;
    else if (interpreter->claim_arena != NULL && interpreter->body_arena != NULL)
        err = db_open(config->database, &interpreter->db);
    if (err == ERR_OK)
        err = db_listen(interpreter->db, "harkara_provider_event");
    interpreter->vault = tenant_vault(config->vault_client, interpreter->db);
    if (err == ERR_OK && pthread_create(&interpreter->thread, NULL, interpreter_run, interpreter) != 0)
        err = ERR_SYSTEM;
    if (err == ERR_OK) {
        *out = interpreter;
        return ERR_OK;
    }
    db_close(interpreter->db);
    arena_free(interpreter->claim_arena);
    arena_free(interpreter->body_arena);
    if (interpreter->wake_fd >= 0)
        close(interpreter->wake_fd);
    free(interpreter);
    return err;
}

void
interpreter_free(struct interpreter *interpreter)
{
    const uint64_t one = 1;

    if (interpreter == NULL)
        return;
    atomic_store(&interpreter->is_stopping, true);
    if (write(interpreter->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        log_event(LOG_DEBUG, "interpreter.wake_failed",
                  LOG_ERR(ERR_SYSTEM)); /* it looks each second anyway */
    pthread_join(interpreter->thread, NULL);
    db_close(interpreter->db);
    arena_free(interpreter->claim_arena);
    arena_free(interpreter->body_arena);
    close(interpreter->wake_fd);
    free(interpreter);
}
