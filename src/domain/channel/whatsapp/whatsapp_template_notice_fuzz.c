#include "core/fuzz.h"
#include "domain/channel/whatsapp/whatsapp_template_notice.h"

static enum err
on_event(void *ctx, const struct whatsapp_event *event)
{
    struct whatsapp_template_notice notice;
    enum err err = whatsapp_template_notice_read(event, ctx, &notice);

    FUZZ_CHECK(err == ERR_OK || err == ERR_NOTHING || err == ERR_NO_MEMORY);
    if (err != ERR_OK)
        return ERR_OK;
    FUZZ_CHECK(event->kind == WHATSAPP_EVENT_NOTICE);
    FUZZ_CHECK(notice.name.len > 0 && notice.name.len <= WHATSAPP_TEMPLATE_NAME_MAX);
    FUZZ_CHECK(notice.language.len > 0 && slice_find(notice.language, '-') == notice.language.len);
    FUZZ_CHECK(notice.detail.len <= WHATSAPP_TEMPLATE_DETAIL_MAX && slice_is_utf8(notice.detail));
    FUZZ_CHECK(notice.reason.len <= WHATSAPP_WORD_MAX);
    return ERR_OK;
}

/* Any body that WhatsApp posts: each notice names its template and keeps to its limits. */
FUZZ_TARGET(data, size)
{
    struct arena *arena = arena_new(1u << 20);

    if (arena != NULL)
        (void)!whatsapp_event_read(slice_of(data, size), arena, on_event, arena);
    arena_free(arena);
    return 0;
}
