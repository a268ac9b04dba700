#include "domain/webhook/webhook_render.h"
#include "wire/json/json.h"

/* What only the timeline shows; the contract's event has a place of its own for everything else. */
static const char *const unshown[] = { "cause" };

static void
set_id(json_t *object, const char *member, enum id_kind kind, struct id id)
{
    char text[ID_TEXT_BYTES];
    struct slice printed = id_print(kind, id, text);

    json_object_set_new(object, member, json_stringn(printed.ptr, printed.len));
}

enum err
webhook_render(const struct event *event, struct slice content, struct buf *out)
{
    json_t *data = NULL, *personal = NULL, *root = json_object(), *inner = json_object();
    bool is_channel = id_eq(event->subject, event->channel);
    char at[WALL_TEXT_BYTES];
    struct slice printed = wall_print(event->occurred_at, at);
    enum err err = json_parse(event->data.len == 0 ? SLICE("{}") : event->data, &data);

    if (err == ERR_OK && content.len > 0)
        err = json_parse(content, &personal);
    if (err == ERR_OK && (root == NULL || inner == NULL))
        err = ERR_NO_MEMORY;
    if (err != ERR_OK)
        goto done;
    if (!is_channel)
        set_id(inner, "message_id", ID_MESSAGE, event->subject);
    set_id(inner, "channel_id", ID_CHANNEL, event->channel);
    for (size_t i = 0; i < COUNT_OF(unshown); i++)
        json_object_del(data, unshown[i]);
    json_object_update(inner, data);
    if (personal != NULL)
        json_object_update(inner, personal);
    set_id(root, "id", ID_EVENT, event->id);
    json_object_set_new(root, "type", json_string(event_type_word(event->type)));
    json_object_set_new(root, "timestamp", json_stringn(printed.ptr, printed.len));
    json_object_set(root, "data", inner);
    err = json_print(root, out);
done:
    json_decref(root);
    json_decref(inner);
    json_decref(data);
    json_decref(personal);
    return err;
}
