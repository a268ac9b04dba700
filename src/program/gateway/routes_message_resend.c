/*
 * POST /v1/messages/{message_id}/resend: what was asked once is asked again, as a new message. It is put
 * together as a client would have sent it, and judged as any other: so what has become impossible since then
 * (a paused template, media that was deleted, a closed window) is refused with the same words.
 */
#include "domain/message/message_fallback.h"
#include "program/gateway/gateway.h"
#include "program/gateway/message_query.h"
#include "program/gateway/message_take.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"
#include <stdio.h>

struct resend {
    struct http_request *request;
    struct audit_act revealed;
    struct id id;
    struct message message;
    struct message_sender senders[MESSAGE_SENDERS_MAX];
    size_t sender_count;
};

/* Whether the message has gone as far as it goes by itself: what may still leave would come twice. */
static bool
is_over(const struct message *message)
{
    switch (message->status) {
    case MESSAGE_ACCEPTED:
    case MESSAGE_QUEUED:
    case MESSAGE_HELD:
    case MESSAGE_SENDING:
    case MESSAGE_RECEIVED:
        return false;
    case MESSAGE_SENT:
    case MESSAGE_UNCERTAIN: /* it may have arrived or not: whoever asks has decided */
    case MESSAGE_DELIVERED:
    case MESSAGE_READ:
    case MESSAGE_BLOCKED:
    case MESSAGE_FAILED:
    case MESSAGE_EXPIRED:
    case MESSAGE_CANCELED:
        break;
    }
    return message->direction == MESSAGE_OUT;
}

static enum err
resend_load(struct db_tx *tx, void *ctx)
{
    struct resend *resend = ctx;
    struct arena *arena = resend->request->arena;
    enum err err = message_get(tx, resend->id, arena, &resend->message);

    if (err == ERR_OK)
        err = reach_check_channel(resend->request, resend->message.channel);
    if (err == ERR_OK && !is_over(&resend->message))
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = reach_reveal_write(tx, resend->request, &resend->revealed, &resend->message.id, 1);
    if (err == ERR_OK && resend->message.fallback_count > 0)
        err = message_senders(tx, resend->id, arena, resend->senders, &resend->sender_count);
    return err;
}

/* The senders after the first, as they were asked for; *out NULL: there are none, or no memory. */
static enum err
fallbacks_put_together(const struct resend *resend, json_t **out)
{
    struct http_request *request = resend->request;
    json_t *list = json_array();
    enum err err = list == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 1; err == ERR_OK && i < resend->sender_count; i++) {
        const struct message_sender *sender = &resend->senders[i];
        json_t *one = json_pack("{s:o}", "channel_id", show_id(ID_CHANNEL, sender->channel)), *content = NULL;
        struct slice text;
        if (sender->after_s > 0)
            show_set(&one, "after_s", json_integer((json_int_t)sender->after_s));
        if (sender->has_content) {
            err = message_sender_open(&gateway_worker_of(request)->vault, request->tenant, resend->id, sender,
                                      request->arena, &text);
            if (err == ERR_OK)
                err = json_parse(text, &content);
            if (err == ERR_OK)
                show_set(&one, "content", content);
        }
        show_append(&list, one);
    }
    if (err != ERR_OK || list == NULL) {
        json_decref(list);
        return err == ERR_OK ? ERR_NO_MEMORY : err;
    }
    *out = list;
    return ERR_OK;
}

/* What the client would send to ask for the same again. Times are not among it: they are past. Owned. */
static enum err
put_together(struct resend *resend, json_t **out)
{
    struct http_request *request = resend->request;
    const struct message *message = &resend->message;
    struct message_opening opening = {
        .message = message->id, .sealed = &message->sealed, .wants_content = true, .wants_metadata = true
    };
    struct id channel = resend->sender_count > 0 ? resend->senders[0].channel : message->channel;
    json_t *content = NULL, *metadata = NULL, *fallback = NULL, *tags = json_array();

    message_open_many(&gateway_worker_of(request)->vault, request->tenant, &opening, 1, request->arena);
    enum err err = opening.err;
    if (err == ERR_OK)
        err = json_parse(opening.content, &content);
    if (err == ERR_OK && opening.metadata.len > 0)
        err = json_parse(opening.metadata, &metadata);
    if (err == ERR_OK && resend->sender_count > 1)
        err = fallbacks_put_together(resend, &fallback);
    for (size_t i = 0; i < message->tag_count; i++)
        show_append(&tags, show_text(message->tags[i]));
    json_t *body = err == ERR_OK
                       ? json_pack("{s:o, s:o, s:s, s:O, s:O*}", "channel_id", show_id(ID_CHANNEL, channel),
                                   "to", show_text(opening.peer), "category",
                                   message_category_word(message->category), "content", content, "tags", tags)
                       : NULL;
    if (body != NULL && metadata != NULL)
        show_set(&body, "metadata", json_incref(metadata));
    if (body != NULL && fallback != NULL)
        show_set(&body, "fallback", json_incref(fallback));
    if (body != NULL && message->reference.ptr != NULL)
        show_set(&body, "reference", show_text(message->reference));
    if (body != NULL && message->purpose.ptr != NULL)
        show_set(&body, "purpose", show_text(message->purpose));
    /* Of a reaction the content says what it reacts to. */
    if (body != NULL && !id_is_zero(message->target) && !slice_eq(message->kind, SLICE("reaction")))
        show_set(&body, "reply_to", show_id(ID_MESSAGE, message->target));
    if (err == ERR_OK && (body == NULL || tags == NULL)) {
        json_decref(body);
        body = NULL;
        err = ERR_NO_MEMORY;
    }
    json_decref(content);
    json_decref(metadata);
    json_decref(fallback);
    json_decref(tags);
    *out = body;
    return err;
}

/* false: no memory. */
static bool
keep(struct arena *arena, struct slice *text)
{
    if (text->ptr == NULL)
        return true;
    *text = arena_copy(arena, *text);
    return text->ptr != NULL;
}

/* The commit outlives the tree that the message was read from. */
static enum err
ask_keep(struct message_ask *ask)
{
    struct message_new *message = &ask->message;
    struct slice *tags = arena_array(ask->arena, message->tag_count, sizeof(*tags));
    bool is_kept = tags != NULL && keep(ask->arena, &message->kind) &&
                   keep(ask->arena, &message->reference) && keep(ask->arena, &message->purpose) &&
                   keep(ask->arena, &ask->plain.peer);

    for (size_t i = 0; is_kept && i < message->tag_count; i++) {
        tags[i] = message->tags[i];
        is_kept = keep(ask->arena, &tags[i]);
    }
    for (size_t i = 0; is_kept && i < message->fallback_count; i++)
        is_kept = keep(ask->arena, &message->fallbacks[i].kind);
    message->tags = tags;
    ask->body = NULL;
    return is_kept ? ERR_OK : ERR_NO_MEMORY;
}

static enum err
resend_read(struct resend *resend, const json_t *body, struct message_ask *ask)
{
    struct http_request *request = resend->request;
    struct slice key = SLICE_EMPTY;
    char operation[sizeof("POST /v1/messages//resend") + ID_TEXT_BYTES], id[ID_TEXT_BYTES];

    *ask = (struct message_ask){ .body = body, .arena = request->arena, .problem = &request->problem };
    enum err err = request_idempotency_key(request, &key);
    if (err == ERR_OK)
        err = message_ask_read(request, key, ask);
    if (err == ERR_OK && key.ptr != NULL) {
        snprintf(operation, sizeof(operation), "POST /v1/messages/%.*s/resend",
                 SLICE_FMT(id_print(ID_MESSAGE, resend->id, id)));
        err = gateway_request_hash(operation, body, 4 * MESSAGE_BODY_BYTES_MAX, ask->request_hash);
    }
    ask->message.resent_from = resend->id;
    return err == ERR_OK ? ask_keep(ask) : err;
}

static enum err
message_post_resend(struct http_request *request, struct http_response *response UNUSED)
{
    struct resend *resend = arena_alloc(request->arena, sizeof(*resend));
    struct message_ask *ask = arena_alloc(request->arena, sizeof(*ask));
    json_t *body = NULL;

    if (resend == NULL || ask == NULL)
        return ERR_NO_MEMORY;
    *resend = (struct resend){ .request = request };
    enum err err = gateway_path_id(request, "message_id", ID_MESSAGE, &resend->id);
    if (err == ERR_OK)
        err = reach_reveal_begin(request, ID_MESSAGE, &resend->revealed);
    if (err == ERR_OK)
        err = gateway_read(request, resend_load, resend);
    if (err == ERR_STATE_CONFLICT)
        request->problem.detail = arena_format(request->arena, "The message is %.*s.",
                                               SLICE_FMT(message_status_name(resend->message.status)));
    if (err == ERR_OK)
        err = put_together(resend, &body);
    if (err == ERR_OK)
        err = resend_read(resend, body, ask);
    json_decref(body);
    return err == ERR_OK ? message_take(request, ask) : err;
}

const struct http_route message_resend_routes[] = {
    { HTTP_POST, "/v1/messages/{message_id}/resend", message_post_resend, "resendMessage", HTTP_ACCESS_KEY,
      "messages:send" },
    { .handler = NULL },
};
