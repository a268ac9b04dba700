/*
 * What is sent as an SMS: the JSON object `content` of the API, of type text. `content.sms` holds what SMS
 * has beside the text: {"unicode": "auto" | "refuse" | "transliterate", "flash": true, "validity_s": 600}.
 */
#ifndef DOMAIN_CHANNEL_SMS_SMS_CONTENT_H
#define DOMAIN_CHANNEL_SMS_SMS_CONTENT_H
#include "core/arena.h"
#include "core/buf.h"
#include "wire/gsm/sms_text.h"
#include "wire/http/problem.h"
#include <jansson.h>

#define SMS_TEXT_BYTES_MAX (4u * 4096u)
#define SMS_VALIDITY_S_MIN 60
#define SMS_VALIDITY_S_MAX 604800

/* What becomes of characters that are not in the 7-bit alphabet. */
enum sms_unicode {
    SMS_UNICODE_AUTO,          /* the whole text goes as UCS-2 */
    SMS_UNICODE_REFUSE,        /* the message is refused */
    SMS_UNICODE_TRANSLITERATE, /* those with a plain form take it: quotes, dashes, accents; then as auto */
};
const char *sms_unicode_word(enum sms_unicode unicode);
MUST_CHECK enum err sms_unicode_parse(struct slice word, enum sms_unicode *out);

struct sms_content {
    struct slice
        text;      /* what leaves: transliterated if that was asked. In the arena, or borrowed of the JSON */
    bool is_flash; /* shown at once, and not kept */
    int64_t validity_s; /* how long the operator tries; 0: not said */
    enum sms_unicode unicode;
    size_t changed; /* characters that were transliterated */
};

/*
 * ERR_MESSAGE_INVALID with each fault in `problem`, its pointer beginning with `at` ("/content").
 * `unicode_default` is the channel's.
 */
MUST_CHECK enum err sms_content_read(const json_t *content, enum sms_unicode unicode_default, struct slice at,
                                     struct arena *arena, struct problem *problem, struct sms_content *out);

/* Also counts: `rules` are the connector's, with the channel's parts_max. */
MUST_CHECK enum err sms_content_check(const json_t *content, enum sms_unicode unicode_default,
                                      const struct sms_rules *rules, struct slice at, struct arena *arena,
                                      struct problem *problem, struct sms_content *content_out,
                                      struct sms_text *text_out);

/* Writes `text` with plain forms; *changed_out counts. ERR_UTF8. */
MUST_CHECK enum err sms_transliterate(struct slice text, struct buf *out, size_t *changed_out);

#endif
