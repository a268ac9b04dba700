#include "domain/webhook/webhook_render.h"
#include "wire/json/json.h"

/* What only the timeline shows; the contract's event has a place of its own for everything else. */
static const char *const unshown[] = { "actor", "key_id", "person_id" };

/* Takes the value, which is NULL when there was no memory for it. Nothing is left out for lack of memory. */
static bool
set(json_t *object, const char *member, json_t *value)
{
    return json_object_set_new(object, member, value) == 0;
}

static bool
set_id(json_t *object, const char *member, enum id_kind kind, struct id id)
{
    char text[ID_TEXT_BYTES];
    struct slice printed = id_print(kind, id, text);

    return set(object, member, json_stringn(printed.ptr, printed.len));
}

/* What an event is about, by the first part of its type. A channel's own events are about the channel they
 * name anyway. */
static const struct {
    const char *prefix, *member;
    enum id_kind kind;
} subjects[] = {
    { "message.", "message_id", ID_MESSAGE },
    { "media.", "media_id", ID_MEDIA },
    { "template.", "template_id", ID_TEMPLATE },
    { "webhook_endpoint.", "endpoint_id", ID_ENDPOINT },
    { "test.", "endpoint_id", ID_ENDPOINT },
    { "consent.", "consent_id", ID_CONSENT },
    { "suppression.", "suppression_id", ID_SUPPRESSION },
    { "connector.", "connector_id", ID_SMS_CONNECTOR },
};

static bool
ids_fill(json_t *inner, const struct event *event)
{
    struct slice type = slice_text(event_type_word(event->type));

    for (size_t i = 0; i < COUNT_OF(subjects); i++)
        if (slice_starts_with(type, slice_text(subjects[i].prefix)) &&
            !set_id(inner, subjects[i].member, subjects[i].kind, event->subject))
            return false;
    return id_is_zero(event->channel) || set_id(inner, "channel_id", ID_CHANNEL, event->channel);
}

/* Ids first, then what the event says, then what is personal. */
static bool
inner_fill(json_t *inner, const struct event *event, json_t *data, json_t *personal)
{
    for (size_t i = 0; i < COUNT_OF(unshown); i++)
        json_object_del(data, unshown[i]);
    return ids_fill(inner, event) && json_object_update(inner, data) == 0 &&
           (personal == NULL || json_object_update(inner, personal) == 0);
}

/* Ids of ours. A provider's, which may hold a number, are of another form, whatever they are called. */
static bool
is_own_id(const json_t *value)
{
    struct slice text = slice_of(json_string_value(value), json_string_length(value));

    return json_is_string(value) && text.len == ID_TEXT_BYTES - 1 && text.ptr[3] == '_';
}

static bool
inner_fill_thin(json_t *inner, const struct event *event, json_t *data)
{
    const char *member;
    json_t *value;

    for (size_t i = 0; i < COUNT_OF(unshown); i++)
        json_object_del(data, unshown[i]);
    json_object_foreach(data, member, value) if (slice_ends_with(slice_text(member), SLICE("_id")) &&
                                                 is_own_id(value) &&
                                                 json_object_set(inner, member, value) != 0) return false;
    json_t *status = json_object_get(data, "status");

    return ids_fill(inner, event) &&
           (!json_is_string(status) || json_object_set(inner, "status", status) == 0);
}

static enum err
render(const struct event *event, struct slice content, bool is_thin, struct buf *out)
{
    json_t *data = NULL, *personal = NULL, *root = json_object(), *inner = json_object();
    char at[WALL_TEXT_BYTES];
    struct slice printed = wall_print(event->occurred_at, at);
    enum err err = json_parse(event->data.len == 0 ? SLICE("{}") : event->data, &data);

    if (err == ERR_OK && content.len > 0)
        err = json_parse(content, &personal);
    if (err == ERR_OK && (!json_is_object(data) || (personal != NULL && !json_is_object(personal))))
        err = ERR_JSON_SYNTAX;
    if (err == ERR_OK &&
        !((is_thin ? inner_fill_thin(inner, event, data) : inner_fill(inner, event, data, personal)) &&
          set_id(root, "id", ID_EVENT, event->id) &&
          set(root, "type", json_string(event_type_word(event->type))) &&
          set(root, "timestamp", json_stringn(printed.ptr, printed.len)) &&
          set(root, "data", json_incref(inner))))
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = json_print(root, out);
    json_decref(root);
    json_decref(inner);
    json_decref(data);
    json_decref(personal);
    return err;
}

enum err
webhook_render(const struct event *event, struct slice content, struct buf *out)
{
    return render(event, content, false, out);
}

enum err
webhook_render_thin(const struct event *event, struct buf *out)
{
    return render(event, SLICE_EMPTY, true, out);
}
