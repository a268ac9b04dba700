#include "core/fuzz.h"
#include "domain/channel/whatsapp/whatsapp_inbound.h"
#include "wire/json/json.h"

static enum err
event_check(void *ctx, const struct whatsapp_event *event)
{
    struct arena *arena = ctx;
    json_t *content = NULL;

    FUZZ_CHECK(event->raw != NULL);
    FUZZ_CHECK(event->account_id.len <= WHATSAPP_ID_MAX && event->phone_number_id.len <= WHATSAPP_ID_MAX);
    FUZZ_CHECK(event->field.len <= WHATSAPP_WORD_MAX);
    if (event->kind == WHATSAPP_EVENT_STATUS) {
        FUZZ_CHECK(event->status.provider_id.len > 0 && event->status.provider_id.len <= WHATSAPP_ID_MAX);
        FUZZ_CHECK(event->status.callback_data.len <= WHATSAPP_CALLBACK_DATA_MAX);
    }
    if (event->kind == WHATSAPP_EVENT_MESSAGE) {
        FUZZ_CHECK(event->message.provider_id.len > 0 && event->message.peer.len > 0);
        FUZZ_CHECK(slice_is_utf8(event->message.profile_name));
        /* Every message has a content with a type and an object (or list) under its name. */
        FUZZ_CHECK(whatsapp_inbound_content(event, arena, &content) == ERR_OK);
        struct slice type = json_text_of(content, "type");
        FUZZ_CHECK(type.len > 0 && type.len <= 40);
        const json_t *object = json_member(content, type.ptr);
        FUZZ_CHECK(json_is_object(object) || json_is_array(object));
        struct buf printed;
        buf_init(&printed, 64u << 20);
        FUZZ_CHECK(json_print(content, &printed) == ERR_OK);
        buf_release(&printed);
        json_decref(content);
    }
    return ERR_OK;
}

/* Whatever the body, events are whole; a body that is no JSON gives none. */
FUZZ_TARGET(data, size)
{
    struct arena *arena = arena_new(64u << 20);

    if (arena == NULL)
        return 0;
    enum err err = whatsapp_event_read(slice_of(data, size), arena, event_check, arena);
    FUZZ_CHECK(err == ERR_OK || err == ERR_JSON_SYNTAX || err == ERR_JSON_DEPTH || err == ERR_PROVIDER_BODY ||
               err == ERR_LIMIT);
    arena_free(arena);
    return 0;
}
