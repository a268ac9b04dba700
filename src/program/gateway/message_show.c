#include "program/gateway/message_show.h"
#include "program/gateway/gateway.h"
#include "wire/json/json.h"

static json_t *
error_show(const struct message *message)
{
    if (message->error_code.len == 0)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "code", show_text(message->error_code), "title",
                     show_text(message->error_title), "class", show_text(message->error_class));
}

/* What we stored parses; NULL without memory, which the whole then shares. */
static json_t *
pricing_show(const struct message *message)
{
    json_t *pricing = NULL;

    if (message->pricing.len == 0)
        return json_null();
    return json_parse(message->pricing, &pricing) == ERR_OK ? pricing : NULL;
}

static json_t *
time_or_null(struct wall_time t)
{
    return t.us == 0 ? json_null() : show_time(t);
}

static json_t *
tags_show(const struct message *message)
{
    json_t *tags = json_array();

    for (size_t i = 0; i < message->tag_count; i++)
        show_append(&tags, show_text(message->tags[i]));
    return tags;
}

/* What we printed ourselves parses, so only memory may lack. */
static json_t *
metadata_show(struct slice metadata)
{
    json_t *shown = NULL;

    if (metadata.len == 0)
        return json_object();
    return json_parse(metadata, &shown) == ERR_OK ? shown : NULL;
}

json_t *
message_show(const struct message *message, struct slice peer, struct slice metadata)
{
    bool is_out = message->direction == MESSAGE_OUT;
    struct slice status = message_status_name(message->status);
    json_t *reply_to = id_is_zero(message->target) ? json_null() : show_id(ID_MESSAGE, message->target);
    json_t *shown = json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o}", "id",
        show_id(ID_MESSAGE, message->id), "direction", is_out ? "outbound" : "inbound", "channel_id",
        show_id(ID_CHANNEL, message->channel), is_out ? "to" : "from", show_text(peer), "type",
        show_text(message->kind), "category", message_category_word(message->category), "status",
        show_text(status), "reference", show_text_or_null(message->reference), "reply_to", reply_to,
        "provider_id", show_text_or_null(message->provider_id), "attempts", message->attempt_count, "error",
        error_show(message), "pricing", pricing_show(message), "created_at", show_time(message->created_at),
        "updated_at", show_time(message->updated_at));

    if (is_out) {
        show_set(&shown, "send_at", time_or_null(message->send_at));
        show_set(&shown, "expires_at", time_or_null(message->expires_at));
        show_set(&shown, "tags", tags_show(message));
        show_set(&shown, "metadata", metadata_show(metadata));
        show_set(&shown, "sender_position", json_integer((json_int_t)message->sender));
    }
    return shown;
}

/* In use, left behind, passed over, or still to come: which it never will when the message is at its end. */
static const char *
sender_state(const struct message *message, const struct message_sender *sender)
{
    if (slice_eq(sender->left_for, SLICE("skipped")))
        return "skipped";
    if (sender->left_for.ptr != NULL)
        return "left";
    if (sender->position == message->sender)
        return "in-use";
    switch (message->status) {
    case MESSAGE_ACCEPTED:
    case MESSAGE_QUEUED:
    case MESSAGE_HELD:
    case MESSAGE_SENDING:
    case MESSAGE_SENT:
    case MESSAGE_UNCERTAIN:
        return "waiting";
    case MESSAGE_DELIVERED:
    case MESSAGE_READ:
    case MESSAGE_BLOCKED:
    case MESSAGE_FAILED:
    case MESSAGE_EXPIRED:
    case MESSAGE_CANCELED:
    case MESSAGE_RECEIVED:
        break;
    }
    return "unused";
}

json_t *
message_sender_show(const struct message *message, const struct message_sender *sender, json_t *content)
{
    const struct message as_message = { .error_code = sender->error_code,
                                        .error_title = sender->error_title,
                                        .error_class = sender->error_class };
    bool was_left = sender->left_for.ptr != NULL;
    bool is_in_use = sender->position == message->sender;
    json_t *shown = json_pack(
        "{s:i, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "position", (int)sender->position, "channel_id",
        show_id(ID_CHANNEL, sender->channel), "type", show_text(sender->kind), "after_s",
        sender->after_s == 0 ? json_null() : json_integer((json_int_t)sender->after_s), "state",
        sender_state(message, sender), "cause",
        was_left && !slice_eq(sender->left_for, SLICE("skipped")) ? show_text(sender->left_for) : json_null(),
        "left_at", time_or_null(sender->left_at), "provider_id",
        show_text_or_null(is_in_use ? message->provider_id : sender->provider_id), "error",
        error_show(is_in_use ? message : &as_message));

    if (content != NULL)
        show_set(&shown, "content", content);
    return shown;
}

json_t *
message_step_show(const struct event *event)
{
    json_t *data = NULL, *step = NULL;
    int64_t attempt = 0;

    if (json_parse(event->data, &data) != ERR_OK)
        return NULL; /* what we stored parses, so only memory lacks */
    step = json_pack("{s:o, s:s, s:o}", "id", show_id(ID_EVENT, event->id), "type",
                     event_type_word(event->type), "at", show_time(event->occurred_at));
    static const char *const texts[] = { "status", "actor", "key_id", "cause", "provider_id", "send_at" };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *value = json_object_get(data, texts[i]);
        if (json_is_string(value))
            show_set(&step, texts[i], json_incref(value));
    }
    if (!id_is_zero(event->channel))
        show_set(&step, "channel_id", show_id(ID_CHANNEL, event->channel));
    if (json_int_of(data, "attempt", &attempt) && attempt > 0)
        show_set(&step, "attempt", json_integer(attempt));
    static const char *const objects[] = { "error", "report", "fallback" };
    for (size_t i = 0; i < COUNT_OF(objects); i++)
        if (json_is_object(json_object_get(data, objects[i])))
            show_set(&step, objects[i], json_incref(json_object_get(data, objects[i])));
    if (json_is_array(json_object_get(data, "errors")))
        show_set(&step, "errors", json_incref(json_object_get(data, "errors")));
    json_decref(data);
    return step;
}
