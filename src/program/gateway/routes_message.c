/* POST, GET /v1/messages; GET, PATCH /v1/messages/{message_id}; POST /v1/messages/{message_id}/cancel. */
#include "domain/webhook/webhook_told.h"
#include "program/gateway/gateway.h"
#include "program/gateway/message_query.h"
#include "program/gateway/message_show.h"
#include "program/gateway/message_take.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define CHANGE_BODY_BYTES_MAX 1024u

static enum err
message_post(struct http_request *request, struct http_response *response UNUSED)
{
    struct message_ask *ask = arena_alloc(request->arena, sizeof(*ask));
    struct slice key = SLICE_EMPTY;

    if (ask == NULL)
        return ERR_NO_MEMORY;
    *ask = (struct message_ask){ .body = request_json(request),
                                 .arena = request->arena,
                                 .problem = &request->problem };
    enum err err = request_idempotency_key(request, &key);
    if (err == ERR_OK)
        err = message_ask_read(request, key, ask);
    return err == ERR_OK ? message_take(request, ask) : err;
}

struct get {
    struct http_request *request;
    struct audit_act revealed;
    struct id id;
    struct arena *arena;
    struct message message;
    struct event *events;
    size_t event_count;
    struct webhook_told *told; /* who was told of them */
    size_t told_count;
    struct message_sender senders[MESSAGE_SENDERS_MAX];
    size_t sender_count;
    struct id resent_as[MESSAGE_RESENT_MAX];
    size_t resent_count;
};

static enum err
message_load(struct db_tx *tx, void *ctx)
{
    struct get *get = ctx;
    enum err err = message_get(tx, get->id, get->arena, &get->message);

    if (err == ERR_OK)
        err = reach_check_channel(get->request, get->message.channel);
    if (err == ERR_OK)
        err = reach_reveal_write(tx, get->request, &get->revealed, &get->message.id, 1);
    if (err == ERR_OK)
        err = event_timeline(tx, get->id, get->arena, &get->events, &get->event_count);
    if (err == ERR_OK && get->message.fallback_count > 0)
        err = message_senders(tx, get->id, get->arena, get->senders, &get->sender_count);
    if (err == ERR_OK && get->message.direction == MESSAGE_OUT)
        err = message_resent_as(tx, get->id, get->resent_as, &get->resent_count);
    if (err != ERR_OK)
        return err;
    struct id *ids = arena_array(get->arena, get->event_count, sizeof(*ids));
    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < get->event_count; i++)
        ids[i] = get->events[i].id;
    return webhook_deliveries_of(tx, ids, get->event_count, get->arena, &get->told, &get->told_count);
}

/* A step with the deliveries that told of it. */
static json_t *
step_show(const struct http_request *request, const struct get *get, const struct event *event)
{
    json_t *step = message_step_show(request, event), *deliveries = json_array();

    for (size_t i = 0; i < get->told_count; i++) {
        const struct webhook_told *told = &get->told[i];
        if (id_eq(told->event, event->id))
            show_append(&deliveries,
                        json_pack("{s:o, s:o, s:o, s:i}", "id", show_id(ID_DELIVERY, told->delivery),
                                  "endpoint_id", show_id(ID_ENDPOINT, told->endpoint), "state",
                                  show_text(told->state), "attempts", told->attempt_count));
    }
    show_set(&step, "deliveries", deliveries);
    return step;
}

static enum err
sender_mask(const struct http_request *request, struct message_sender *sender)
{
    bool has_id = sender->provider_id.len > 0, has_title = sender->error_title.len > 0;

    if (has_id)
        sender->provider_id = reach_address(request, request->arena, sender->provider_id);
    if (has_title)
        sender->error_title = reach_text(request, request->arena, sender->error_title);
    return (has_id && sender->provider_id.ptr == NULL) || (has_title && sender->error_title.ptr == NULL)
               ? ERR_NO_MEMORY
               : ERR_OK;
}

/* All senders of a message that has more than one, each with its own content if it has one. */
static enum err
senders_show(struct http_request *request, struct get *get, json_t **out)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    json_t *shown = json_array();
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < get->sender_count; i++) {
        struct slice text;
        json_t *content = NULL;
        if (!reach_has_channel(request, get->senders[i].channel))
            continue;
        err = sender_mask(request, &get->senders[i]);
        if (err == ERR_OK && get->senders[i].has_content) {
            err = message_sender_open(&worker->vault, request->tenant, get->id, &get->senders[i],
                                      request->arena, &text);
            if (err == ERR_OK)
                err = json_parse(text, &content);
            if (err == ERR_OK)
                err = reach_content(request, request->arena, content);
        }
        if (err != ERR_OK)
            json_decref(content);
        else
            show_append(&shown, message_sender_show(&get->message, &get->senders[i], content));
    }
    if (err != ERR_OK) {
        json_decref(shown);
        return err;
    }
    *out = shown;
    return ERR_OK;
}

static json_t *
resent_show(const struct get *get)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < get->resent_count; i++)
        show_append(&ids, show_id(ID_MESSAGE, get->resent_as[i]));
    return ids;
}

static enum err
message_get_one(struct http_request *request, struct http_response *response)
{
    struct get get = { .request = request, .arena = request->arena };
    struct message_opening *opened = NULL;
    json_t *content = NULL, *senders = NULL;
    enum err err = gateway_path_id(request, "message_id", ID_MESSAGE, &get.id);

    if (err == ERR_OK)
        err = reach_reveal_begin(request, ID_MESSAGE, &get.revealed);
    if (err == ERR_OK)
        err = gateway_read(request, message_load, &get);
    if (err == ERR_OK)
        err = messages_open(request, &get.message, 1, true, request->arena, &opened);
    if (err == ERR_OK)
        err = senders_show(request, &get, &senders);
    if (err == ERR_OK)
        err = json_parse(opened->content, &content);
    if (err == ERR_OK)
        err = reach_content(request, request->arena, content);
    if (err != ERR_OK) {
        json_decref(content);
        json_decref(senders);
        return err;
    }
    json_t *shown = message_show(&get.message, opened->peer, opened->metadata), *timeline = json_array();
    for (size_t i = 0; i < get.event_count; i++)
        show_append(&timeline, step_show(request, &get, &get.events[i]));
    show_set(&shown, "content", content);
    if (get.message.direction == MESSAGE_OUT) {
        show_set(&shown, "senders", senders);
        show_set(&shown, "resent_as", resent_show(&get));
    } else {
        json_decref(senders);
    }
    show_set(&shown, "timeline", timeline);
    return http_reply_json(request, response, 200, shown);
}

struct list {
    struct http_request *request;
    struct audit_act revealed;
    struct message_filter filter;
    struct gateway_page page;
    struct arena *arena;
    struct message *messages;
    size_t count;
};

static enum err
messages_load(struct db_tx *tx, void *ctx)
{
    struct list *list = ctx;
    enum err err =
        message_list(tx, &list->filter, list->page.limit, list->arena, &list->messages, &list->count);

    if (err != ERR_OK)
        return err;
    size_t shown = gateway_page_shown(&list->page, list->count);
    struct id *ids = arena_array(list->arena, shown, sizeof(*ids));
    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < shown; i++)
        ids[i] = list->messages[i].id;
    return reach_reveal_write(tx, list->request, &list->revealed, ids, shown);
}

static enum err
message_get_list(struct http_request *request, struct http_response *response)
{
    struct list list = { .request = request, .arena = request->arena };
    enum err err = gateway_page_read(request, ID_MESSAGE, &list.page);

    list.filter.cursor = list.page.cursor;
    if (err == ERR_OK)
        err = message_query_read(request, &list.filter);
    if (err == ERR_OK)
        err = reach_reveal_begin(request, ID_MESSAGE, &list.revealed);
    if (err == ERR_OK)
        err = gateway_read(request, messages_load, &list);
    if (err != ERR_OK)
        return err;
    size_t count = gateway_page_shown(&list.page, list.count);
    struct message_opening *opened = NULL;
    err = messages_open(request, list.messages, count, false, request->arena, &opened);
    if (err != ERR_OK)
        return err;
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++)
        show_append(&items, message_show(&list.messages[i], opened[i].peer, opened[i].metadata));
    return gateway_page_reply(request, response, &list.page, list.count, items);
}

/* A change of one message, and how the message stands afterwards. */
struct change {
    struct http_request *request;
    struct audit_act revealed;
    const struct clock *clock;
    struct arena *arena;
    struct message_reschedule to; /* with a cancelation only the ids */
    enum message_status status;   /* when it is refused */
    struct message message;
};

/* One of a channel that whoever asks does not reach is not there. */
static enum err
change_check(struct db_tx *tx, struct change *change)
{
    if (reach_check_workspace(change->request) == ERR_OK)
        return ERR_OK;
    enum err err = message_get(tx, change->to.message, change->arena, &change->message);

    return err == ERR_OK ? reach_check_channel(change->request, change->message.channel) : err;
}

/* The message as it stands now, for the answer. */
static enum err
change_read(struct db_tx *tx, struct change *change)
{
    enum err err = message_get(tx, change->to.message, change->arena, &change->message);

    return err == ERR_OK ? reach_reveal_write(tx, change->request, &change->revealed, &change->message.id, 1)
                         : err;
}

static enum err
cancel_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;
    enum err err = change_check(tx, change);

    if (err == ERR_OK)
        err = message_cancel(tx, change->clock, change->to.message, change->to.by, change->arena,
                             &change->status);

    return err == ERR_OK ? change_read(tx, change) : err;
}

static enum err
reschedule_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;
    enum err err = change_check(tx, change);

    if (err == ERR_OK)
        err = message_reschedule(tx, change->clock, &change->to, change->arena, &change->status);

    return err == ERR_OK ? change_read(tx, change) : err;
}

static enum err
change_make(struct http_request *request, struct http_response *response, struct change *change,
            enum err (*work)(struct db_tx *tx, void *ctx))
{
    json_t *shown = NULL;
    enum err err = gateway_path_id(request, "message_id", ID_MESSAGE, &change->to.message);

    change->request = request;
    change->clock = gateway_worker_of(request)->gateway->clock;
    change->arena = request->arena;
    change->to.by = reach_asker(request);
    if (err == ERR_OK)
        err = reach_reveal_begin(request, ID_MESSAGE, &change->revealed);
    if (err == ERR_OK)
        err = gateway_write(request, work, change);
    if (err == ERR_STATE_CONFLICT)
        request->problem.detail = arena_format(request->arena, "The message is %.*s.",
                                               SLICE_FMT(message_status_name(change->status)));
    if (err == ERR_OK)
        err = message_opened_show(request, &change->message, request->arena, &shown);
    return err == ERR_OK ? http_reply_json(request, response, 200, shown) : err;
}

static enum err
message_post_cancel(struct http_request *request, struct http_response *response)
{
    struct change change = { .status = MESSAGE_CANCELED };

    return change_make(request, response, &change, cancel_in);
}

/* A time of the body, or us 0 for null. */
static enum err
change_time(struct http_request *request, const char *member, struct wall_time *out)
{
    struct slice text = json_text_of(request_json(request), member);

    return text.ptr == NULL ? ERR_OK : wall_parse(text, out);
}

static enum err
message_patch(struct http_request *request, struct http_response *response)
{
    struct wall_time now = clock_wall(gateway_worker_of(request)->gateway->clock);
    struct change change = { .to.sets_expiry = json_member(request_json(request), "expires_at") != NULL };
    enum err err = change_time(request, "send_at", &change.to.send_at);

    if (err == ERR_OK)
        err = change_time(request, "expires_at", &change.to.expires_at);
    struct wall_time from = change.to.send_at.us == 0 ? now : change.to.send_at;
    bool is_past = from.us < now.us - 1000000;
    if (err == ERR_OK &&
        (is_past || from.us > wall_after_ms(now, MESSAGE_SEND_AHEAD_S_MAX * INT64_C(1000)).us)) {
        problem_add(&request->problem, request->arena, SLICE("/send_at"),
                    is_past ? SLICE("must lie in the future") : SLICE("must lie within a year from now"));
        return ERR_TIME_ORDER;
    }
    if (err == ERR_OK &&
        change.to.expires_at.us > wall_after_ms(from, MESSAGE_EXPIRY_S_MAX * INT64_C(1000)).us) {
        problem_add(&request->problem, request->arena, SLICE("/expires_at"),
                    SLICE("must lie within 30 days of the sending"));
        return ERR_TIME_ORDER;
    }
    if (err == ERR_OK)
        err = change_make(request, response, &change, reschedule_in);
    if (err == ERR_TIME_ORDER)
        problem_add(&request->problem, request->arena, SLICE("/expires_at"),
                    SLICE("must come after the sending"));
    return err;
}

const struct http_route message_routes[] = {
    { HTTP_POST, "/v1/messages", message_post, "createMessage", HTTP_ACCESS_KEY, "messages:send",
      .body_bytes_max = MESSAGE_BODY_BYTES_MAX, .begins_on_loop = true },
    { HTTP_GET, "/v1/messages", message_get_list, "listMessages", HTTP_ACCESS_KEY, "messages:read" },
    { HTTP_GET, "/v1/messages/{message_id}", message_get_one, "getMessage", HTTP_ACCESS_KEY,
      "messages:read" },
    { HTTP_PATCH, "/v1/messages/{message_id}", message_patch, "updateMessage", HTTP_ACCESS_KEY,
      "messages:send", .body_bytes_max = CHANGE_BODY_BYTES_MAX },
    { HTTP_POST, "/v1/messages/{message_id}/cancel", message_post_cancel, "cancelMessage", HTTP_ACCESS_KEY,
      "messages:send" },
    { .handler = NULL },
};
