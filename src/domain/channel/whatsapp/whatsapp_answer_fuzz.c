#include "core/fuzz.h"
#include "domain/channel/whatsapp/whatsapp_answer.h"

/* The first two bytes are the HTTP status, the rest the body. */
FUZZ_TARGET(data, size)
{
    struct whatsapp_reply reply = { .was_sent = true, .retry_after_s = -1 };
    struct whatsapp_answer answer;

    if (size < 2)
        return 0;
    reply.http_status = (data[0] * 256 + data[1]) % 600;
    reply.body = slice_of(data + 2, size - 2);
    whatsapp_answer_read(&reply, &answer);
    if (answer.is_accepted) { /* only a success with an id is one */
        FUZZ_CHECK(reply.http_status >= 200 && reply.http_status <= 299);
        FUZZ_CHECK(answer.provider_id.len <= WHATSAPP_PROVIDER_ID_MAX);
        FUZZ_CHECK(answer.wa_id.len <= WHATSAPP_USER_ID_MAX && answer.user_id.len <= WHATSAPP_USER_ID_MAX);
    } else {
        FUZZ_CHECK(answer.error.title != NULL && answer.error.retry_after_s <= WHATSAPP_RETRY_AFTER_S_MAX);
        /* Without a code a message is never given up. */
        FUZZ_CHECK(answer.error.code != WHATSAPP_CODE_NONE || answer.error.class != WHATSAPP_PERMANENT);
        /* What may have been taken is never simply repeated. */
        if (answer.error.code == WHATSAPP_CODE_NONE &&
            (reply.http_status == 0 || reply.http_status >= 500 || reply.http_status / 100 == 2))
            FUZZ_CHECK(answer.error.class == WHATSAPP_UNCERTAIN);
    }
    return 0;
}
