#include "core/fuzz.h"
#include "wire/gsm/sms_coding.h"
#include "wire/gsm/sms_text.h"

/*
 * The first octet is the data coding, the rest user data with a header: what is read of it is text that can
 * be stored, and sent again as parts that read the same.
 */
FUZZ_TARGET(data, size)
{
    struct slice octets = slice_of(data, size), before;
    struct sms_udh udh;
    struct buf text;

    if (size < 2)
        return 0;
    octets = before = slice_drop(octets, 1);
    if (sms_udh_take(&octets, &udh) != ERR_OK)
        FUZZ_CHECK(octets.ptr == before.ptr && octets.len == before.len);
    else
        FUZZ_CHECK(before.len - octets.len == 1u + (unsigned char)before.ptr[0]);
    FUZZ_CHECK(udh.concat == SMS_CONCAT_NONE || (udh.part >= 1 && udh.part <= udh.part_count));
    buf_init(&text, 4 * size + 4);
    sms_decode(octets, sms_coding_of(data[0], SMS_CODING_GSM7), udh.alphabet, &text);
    FUZZ_CHECK(buf_done(&text) == ERR_OK);
    struct slice whole = buf_slice(&text), rest = whole;
    FUZZ_CHECK(slice_is_utf8(whole) && slice_find(whole, '\0') == whole.len);

    struct sms_rules rules = { .joining = (enum sms_joining)(data[0] % 4),
                               .languages = data[0],
                               .parts_max = 255 };
    struct sms_text measured;
    size_t parts = 0;
    if (sms_text_measure(whole, &rules, &measured) == ERR_OK) {
        struct buf again, part_octets;
        buf_init(&again, 4 * size + 4);
        buf_init(&part_octets, 2 * SMS_PART_BYTES);
        do {
            struct slice part = sms_text_take_part(&measured, &rest);
            buf_clear(&part_octets);
            sms_text_encode(&measured, part, &part_octets);
            FUZZ_CHECK(buf_done(&part_octets) == ERR_OK);
            sms_decode(buf_slice(&part_octets),
                       measured.alphabet == SMS_UCS2 ? SMS_CODING_UCS2 : SMS_CODING_GSM7, measured.tables,
                       &again);
            parts++;
        } while (rest.len > 0);
        FUZZ_CHECK(parts == measured.part_count && slice_eq(buf_slice(&again), whole));
        buf_release(&again);
        buf_release(&part_octets);
    }
    buf_release(&text);
    return 0;
}
