#include "domain/channel/whatsapp/whatsapp_dump_testing.h"
#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_inbound.h"

#define ARENA_BYTES (8u << 20)

struct dump {
    struct arena *arena;
    json_t *events;
};

static void
put(json_t *object, const char *name, struct slice text)
{
    if (text.len > 0)
        assert_int_equal(json_object_set_new(object, name, json_stringn(text.ptr, text.len)), 0);
}

static json_t *
error_dump(const struct whatsapp_error *error)
{
    char code[WHATSAPP_ERROR_CODE_BYTES];
    json_t *object = json_object();

    whatsapp_error_code_print(error, code);
    put(object, "code", slice_text(code));
    put(object, "class", slice_text(whatsapp_error_class_word(error->class)));
    put(object, "title", slice_text(error->title));
    return object;
}

static json_t *
status_dump(const struct whatsapp_status_event *status)
{
    json_t *object = json_object();
    enum message_status ours;

    put(object, "provider_id", status->provider_id);
    put(object, "text", status->text);
    if (whatsapp_status_claims(status->word, &ours))
        put(object, "status", message_status_name(ours));
    put(object, "callback_data", status->callback_data);
    put(object, "recipient_id", status->recipient_id);
    put(object, "recipient_user_id", status->recipient_user_id);
    put(object, "participant_id", status->participant_id);
    if (status->is_group)
        json_object_set_new(object, "is_group", json_true());
    if (status->pricing.is_given)
        json_object_set_new(object, "is_billable", json_boolean(status->pricing.is_billable));
    put(object, "pricing_model", status->pricing.model);
    put(object, "pricing_type", status->pricing.type);
    put(object, "pricing_category", status->pricing.category);
    put(object, "conversation_id", status->conversation_id);
    put(object, "conversation_origin", status->conversation_origin);
    json_t *errors = json_array();
    for (size_t i = 0; i < status->error_count; i++)
        json_array_append_new(errors, error_dump(&status->errors[i]));
    if (status->error_count > 0)
        json_object_set(object, "errors", errors);
    json_decref(errors);
    return object;
}

static json_t *
message_dump(struct dump *dump, const struct whatsapp_event *event)
{
    const struct whatsapp_inbound *message = &event->message;
    json_t *object = json_object(), *content = NULL;

    put(object, "provider_id", message->provider_id);
    put(object, "peer", message->peer);
    put(object, "wa_id", message->wa_id);
    put(object, "user_id", message->user_id);
    put(object, "group_id", message->group_id);
    put(object, "type", message->type);
    put(object, "profile_name", message->profile_name);
    put(object, "username", message->username);
    put(object, "parent_user_id", message->parent_user_id);
    put(object, "identity_key_hash", message->identity_key_hash);
    if (message->is_echo)
        json_object_set_new(object, "is_echo", json_true());
    if (message->is_referred)
        json_object_set_new(object, "is_referred", json_true());
    put(object, "quoted_id", message->quoted_id);
    put(object, "target", whatsapp_inbound_target(event));
    if (message->has_error)
        json_object_set_new(object, "error", error_dump(&message->error));
    assert_ok(whatsapp_inbound_content(event, dump->arena, &content));
    json_object_set_new(object, "content", content);
    return object;
}

static enum err
event_dump(void *ctx, const struct whatsapp_event *event)
{
    static const char *const kinds[] = { "status", "message", "fault", "notice", "unknown" };
    struct dump *dump = ctx;
    json_t *object = json_object();
    char time[WALL_TEXT_BYTES];

    assert_non_null(event->raw);
    put(object, "kind", slice_text(kinds[event->kind]));
    put(object, "account_id", event->account_id);
    put(object, "phone_number_id", event->phone_number_id);
    put(object, "display_phone_number", event->display_phone_number);
    put(object, "field", event->field);
    if (event->has_time)
        put(object, "time", wall_print(event->time, time));
    switch (event->kind) {
    case WHATSAPP_EVENT_STATUS:
        json_object_set_new(object, "status", status_dump(&event->status));
        break;
    case WHATSAPP_EVENT_MESSAGE:
        json_object_set_new(object, "message", message_dump(dump, event));
        break;
    case WHATSAPP_EVENT_FAULT:
        json_object_set_new(object, "fault", error_dump(&event->fault));
        break;
    case WHATSAPP_EVENT_NOTICE:
    case WHATSAPP_EVENT_UNKNOWN:
        break;
    }
    json_array_append_new(dump->events, object);
    return ERR_OK;
}

enum err
whatsapp_dump(struct slice body, json_t **out)
{
    struct dump dump = { .arena = arena_new(ARENA_BYTES), .events = json_array() };

    assert_non_null(dump.arena);
    enum err err = whatsapp_event_read(body, dump.arena, event_dump, &dump);
    arena_free(dump.arena);
    if (err != ERR_OK) {
        json_decref(dump.events);
        dump.events = NULL;
    }
    *out = dump.events;
    return err;
}
