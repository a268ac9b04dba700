#include "core/fuzz.h"
#include "domain/channel/whatsapp/whatsapp_account.h"
#include "wire/json/json.h"

static enum err
on_event(void *ctx, const struct whatsapp_event *event)
{
    struct arena *arena = ctx;
    struct whatsapp_account_notice notice;
    struct whatsapp_preference *preferences = NULL;
    size_t count = 0;

    if (event->kind != WHATSAPP_EVENT_NOTICE)
        return ERR_OK;
    enum err err = whatsapp_account_read(event, arena, &notice);
    if (err == ERR_OK) { /* what it says more stands in an object as it is */
        struct slice object = arena_format(arena, "{\"x\":1%.*s}", SLICE_FMT(notice.details));
        json_t *tree = NULL;
        if (object.ptr != NULL) {
            err = json_parse(object, &tree);
            FUZZ_CHECK(err == ERR_OK || err == ERR_NO_MEMORY);
        }
        json_decref(tree);
        FUZZ_CHECK((notice.effect == WHATSAPP_ACCOUNT_TELLS) == (notice.reason == NULL));
        FUZZ_CHECK(notice.requested_name.len <= WHATSAPP_ACCOUNT_NAME_MAX);
        for (size_t i = 0; i < notice.number.len; i++)
            FUZZ_CHECK(notice.number.ptr[i] >= '0' && notice.number.ptr[i] <= '9');
    }
    err = whatsapp_preferences_read(event, arena, &preferences, &count);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        FUZZ_CHECK(preferences[i].peer.len > 0 && preferences[i].value.len > 0);
    return ERR_OK;
}

/* Any body that WhatsApp posts: each notice keeps to its limits. */
FUZZ_TARGET(data, size)
{
    struct arena *arena = arena_new(1u << 20);

    if (arena != NULL)
        (void)!whatsapp_event_read(slice_of(data, size), arena, on_event, arena);
    arena_free(arena);
    return 0;
}
