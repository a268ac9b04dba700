/*
 * A text as short messages: which alphabet it needs, how many parts it takes, and the octets of each.
 * TS 23.038 says what a part holds (140 octets), TS 23.040 what the header takes of it. Pure; the text is
 * UTF-8.
 */
#ifndef WIRE_GSM_SMS_TEXT_H
#define WIRE_GSM_SMS_TEXT_H
#include "wire/gsm/sms_udh.h"

#define SMS_PART_BYTES 140u
#define SMS_PARTS_MAX  255u /* the count has one octet */

enum sms_alphabet {
    SMS_GSM7, /* counted in septets: an extension character is two */
    SMS_UCS2, /* counted in UTF-16 units: a character above U+FFFF is two */
};

/* How a text of several parts is sent. */
enum sms_joining {
    SMS_JOIN_UDH_8,
    SMS_JOIN_UDH_16,
    SMS_JOIN_SAR,     /* SMPP's sar_* parameters: the message centre writes the header, of the 8-bit kind */
    SMS_JOIN_PAYLOAD, /* SMPP's message_payload: the message centre splits; counted as it will, by the 8-bit
                         kind */
};

struct sms_rules {
    enum sms_joining joining;
    unsigned languages; /* of 1 << enum gsm7_language: national tables that may be used; 0: none */
    unsigned parts_max; /* 1 to SMS_PARTS_MAX */
};

struct sms_text {
    enum sms_alphabet alphabet;
    struct gsm7_alphabet tables; /* of SMS_GSM7 */
    size_t units;                /* in all */
    size_t part_count;           /* 1 for an empty text */
    size_t part_units_max;       /* of each part, such as 160, 153, 70, 67 */
    uint32_t beyond_gsm7;        /* of SMS_UCS2: the first character that made it so */
};

/*
 * The alphabet that takes the fewest parts; of equals the default one, then UCS-2, then a national one, the
 * lowest first. ERR_UTF8. ERR_LIMIT: it takes more than parts_max; *out says how many.
 */
MUST_CHECK enum err sms_text_measure(struct slice text, const struct sms_rules *rules, struct sms_text *out);

/*
 * Takes the text of the next part off *rest: as much as it holds, neither an escape pair nor a surrogate pair
 * cut in two. The text is the one that was measured; its parts are as many as were counted.
 */
struct slice sms_text_take_part(const struct sms_text *text, struct slice *rest);
/* The octets of a part, without its header: a septet in each, or UTF-16 with the high octet first. */
void sms_text_encode(const struct sms_text *text, struct slice part, struct buf *out);

#endif
