#include "core/fuzz.h"
#include "domain/channel/whatsapp/whatsapp_content.h"
#include "domain/channel/whatsapp/whatsapp_send.h"
#include "wire/json/json.h"

/* Any JSON may come as content: it is judged, and what can be printed stays one JSON object with our
 * envelope. */
FUZZ_TARGET(data, size)
{
    struct arena *arena = arena_new(1u << 20);
    struct problem problem = { .count = 0 };
    json_t *content = NULL, *printed = NULL;
    struct buf body;

    buf_init(&body, 64u << 20);
    if (arena == NULL || json_parse(slice_of(data, size), &content) != ERR_OK)
        goto done;
    enum err err = whatsapp_content_check(content, SLICE("/content"), arena, &problem);
    FUZZ_CHECK(err == ERR_OK || err == ERR_MESSAGE_INVALID);
    FUZZ_CHECK((err == ERR_OK) == (problem.count == 0));
    struct wall_time now = { INT64_C(1795000000000000) };
    enum err timed = whatsapp_content_check_times(content, now, SLICE("/content"), arena, &problem);
    FUZZ_CHECK(timed == ERR_OK || timed == ERR_MESSAGE_INVALID);
    FUZZ_CHECK(timed == ERR_OK || problem.count > 0);
    for (size_t i = 0; i < problem.count; i++)
        FUZZ_CHECK(slice_starts_with(problem.errors[i].pointer, SLICE("/content")) &&
                   problem.errors[i].detail.len > 0);

    struct whatsapp_send send = { .to = SLICE("+14155550123"),
                                  .refers_to = SLICE("wamid.A"),
                                  .callback_data = SLICE("msg_1"),
                                  .content = content };
    enum err sent = whatsapp_send_print(&send, &body);
    FUZZ_CHECK(sent == ERR_OK || sent == ERR_MESSAGE_INVALID);
    FUZZ_CHECK(err != ERR_OK || sent == ERR_OK); /* what was accepted can be sent */
    if (sent == ERR_OK &&
        json_parse(buf_slice(&body), &printed) == ERR_OK) { /* else: as deep as JSON may be */
        FUZZ_CHECK(slice_eq(json_text_of(printed, "to"), send.to));
        FUZZ_CHECK(slice_eq(json_text_of(printed, "type"), json_text_of(content, "type")));
        FUZZ_CHECK(slice_eq(json_text_of(printed, "biz_opaque_callback_data"), send.callback_data));
    }
done:
    buf_release(&body);
    json_decref(printed);
    json_decref(content);
    arena_free(arena);
    return 0;
}
