#include "core/fuzz.h"
#include "domain/channel/sms/sms_event.h"

/* Whatever an operator sends reads to text that can be stored, or is refused; and reads the same once more.
 */
FUZZ_TARGET(data, size)
{
    struct slice body = { (const char *)data, size };
    struct wall_time now = { INT64_C(1795320000000000) };
    struct arena *arena = arena_new(4u << 20);
    struct sms_connector connector;
    struct sms_event event, again;

    sms_connector_init(&connector);
    connector.receipt_ids = (enum smpp_id_change)(size % 3);
    if (arena != NULL && sms_event_read(body, &connector, now, arena, &event) == ERR_OK) {
        FUZZ_CHECK(sms_event_read(body, &connector, now, arena, &again) == ERR_OK);
        FUZZ_CHECK(again.kind == event.kind && slice_eq(again.text, event.text));
        if (event.kind == SMS_EVENT_MESSAGE) {
            FUZZ_CHECK(slice_is_utf8(event.text) && slice_find(event.text, '\0') == event.text.len);
            FUZZ_CHECK(event.part >= 1 && event.part <= event.part_count && event.reference < 0x20000);
        }
        if (event.kind == SMS_EVENT_RECEIPT)
            FUZZ_CHECK(event.at.us <= now.us && event.provider_id.len < SMPP_ID_CANONICAL_BYTES &&
                       event.done.len <= 32 && event.error_code.len <= 64);
    }
    arena_free(arena);
    return 0;
}
