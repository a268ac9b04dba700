/* From an opened body to its steps: read within limits, with what has to be sealed sealed. */
#include "domain/channel/channel.h"
#include "domain/channel/whatsapp/whatsapp_event.h"
#include "domain/channel/whatsapp/whatsapp_inbound.h"
#include "domain/channel/whatsapp/whatsapp_peer.h"
#include "domain/consent/consent_keyword.h"
#include "program/gateway/interpreter_internal.h"
#include "wire/json/json.h"

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

/* What is sealed of it, kept until all of the batch is. */
static enum err
inbound_keep(struct reading *reading, struct step *step, struct slice peer, struct slice content)
{
    struct buf text;

    buf_init(&text, VAULT_PLAIN_BYTES_MAX);
    enum err err = event_content_print(step->received.is_echo, peer, content, &text);
    if (err == ERR_OK) {
        step->plain = (struct message_plain){ .message = step->received.id,
                                              .peer = arena_copy(reading->arena, peer),
                                              .content = arena_copy(reading->arena, content) };
        step->event_plain = arena_copy(reading->arena, buf_slice(&text));
        if (step->plain.peer.ptr == NULL || step->plain.content.ptr == NULL || step->event_plain.ptr == NULL)
            err = ERR_NO_MEMORY;
    }
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

    if (message->is_echo || message->group_id.len > 0 || slice_eq(message->type, SLICE("system")))
        return ERR_OK;
    step->is_referred = message->is_referred;
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        if (peers[i].len > 0) {
            struct slice *kept = &step->peers[step->window_count++];
            if ((*kept = arena_copy(reading->arena, peers[i])).ptr == NULL)
                return ERR_NO_MEMORY;
        }
    return ERR_OK;
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

/* A text, or the text of a button that was pressed; one that the person sent to this business itself. */
static enum err
keyword_prepare(struct reading *reading, const struct whatsapp_inbound *message, const json_t *content,
                struct step *step)
{
    static const struct {
        const char *type, *member;
    } texts[] = { { "text", "body" }, { "button", "text" } };

    if (message->is_echo || message->group_id.len > 0)
        return ERR_OK;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct slice text = json_text_of(json_member(content, texts[i].type), texts[i].member);
        enum err err =
            text.ptr == NULL ? ERR_NOTHING : consent_keyword_fold(text, reading->arena, &step->keyword);
        if (err != ERR_NOTHING)
            return err;
    }
    return ERR_OK;
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
                                   .quoted_id = arena_copy(reading->arena,
                                                           target.len > 0 ? target : message->quoted_id),
                                   .at = event_time(reading, event) };
    if (step->received.kind.ptr == NULL || step->received.provider_id.ptr == NULL ||
        step->received.quoted_id.ptr == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = inbound_keep(reading, step, message->peer, buf_slice(&text));
    if (err == ERR_OK)
        err = windows_prepare(reading, message, step);
    if (err == ERR_OK)
        err = keyword_prepare(reading, message, content, step);
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

enum err
reading_prepare(struct reading *reading, struct slice body)
{
    reading->last = &reading->first;
    return whatsapp_event_read(body, reading->arena, event_prepare, reading);
}

/* What is asked of the vault for one step: the message's values, the event's, and the indexes of windows. */
#define STEP_ITEMS_MAX (MESSAGE_SEAL_ITEMS_MAX + 1u)

/* A message opens the window of the address that is sealed with it: its index comes with that. */
static size_t
windows_known(const struct step *step)
{
    return step->is_inbound && step->window_count > 0 ? 1 : 0;
}

static struct vault_ask *
step_asks(struct id tenant, const struct step *step, struct vault_seal_item *items, struct vault_ask *ask)
{
    if (step->is_inbound) {
        struct vault_seal_item *event = &items[MESSAGE_SEAL_ITEMS_MAX];
        *event = (struct vault_seal_item){ .place = event_content_place(tenant, step->received.event_id),
                                           .plain = step->event_plain };
        *ask++ = vault_ask_seal(VAULT_CONTENT, items, message_seal_items(tenant, &step->plain, items));
        *ask++ = vault_ask_seal(VAULT_CONTENT, event, 1);
    }
    for (size_t i = windows_known(step); i < step->window_count; i++)
        *ask++ = message_peer_ask(tenant, step->peers[i]);
    return ask;
}

static const struct vault_ask *
step_take(struct step *step, const struct vault_ask *ask, enum err *err)
{
    const struct vault_ask *first = ask;

    if (step->is_inbound) {
        if (ask[0].err == ERR_OK)
            message_sealed_take(&step->plain, ask[0].items, &step->received.sealed);
        if (ask[1].err == ERR_OK)
            step->received.event_content = ask[1].items->sealed;
        memcpy(step->windows[0], step->received.sealed.peer_index, VAULT_INDEX_BYTES);
        ask += 2;
    }
    for (size_t i = windows_known(step); i < step->window_count; i++, ask++)
        memcpy(step->windows[i], ask->mac, VAULT_INDEX_BYTES);
    if (*err == ERR_OK)
        *err = vault_asks_err(first, (size_t)(ask - first));
    return ask;
}

enum err
readings_seal(struct interpreter *interpreter, struct reading *readings, size_t count)
{
    size_t steps = 0;

    for (size_t i = 0; i < count; i++)
        for (const struct step *step = readings[i].err == ERR_OK ? readings[i].first : NULL; step != NULL;
             step = step->next)
            steps += step->is_inbound || step->is_call;
    if (steps == 0)
        return ERR_OK;
    struct vault_ask *asks = arena_array(interpreter->body_arena, steps * (2 + WINDOWS_MAX), sizeof(*asks)),
                     *end = asks;
    struct vault_seal_item *items =
        arena_array(interpreter->body_arena, steps * STEP_ITEMS_MAX, sizeof(*items));
    if (asks == NULL || items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        for (const struct step *step = readings[i].err == ERR_OK ? readings[i].first : NULL; step != NULL;
             step = step->next)
            if (step->is_inbound || step->is_call) {
                end = step_asks(readings[i].event->tenant, step, items, end);
                items += STEP_ITEMS_MAX;
            }
    vault_ask_many(&interpreter->vault, asks, (size_t)(end - asks), interpreter->body_arena);
    const struct vault_ask *ask = asks;
    for (size_t i = 0; i < count; i++)
        for (struct step *step = readings[i].err == ERR_OK ? readings[i].first : NULL; step != NULL;
             step = step->next)
            if (step->is_inbound || step->is_call)
                ask = step_take(step, ask, &readings[i].err);
    return ERR_OK;
}
