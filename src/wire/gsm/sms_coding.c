#include "wire/gsm/sms_coding.h"
#include "core/num.h"

#define REPLACED 0xFFFDu

enum sms_coding
sms_coding_of(uint8_t data_coding, enum sms_coding is_zero)
{
    /* 0xF0: a class, with the alphabet in bit 2; 0xC0 to 0xEF: a message waits, the last kind in UCS-2. */
    if (data_coding >= 0xF0)
        return (data_coding & 0x04) != 0 ? SMS_CODING_BINARY : is_zero;
    if (data_coding >= 0xC0)
        return data_coding >= 0xE0 ? SMS_CODING_UCS2 : is_zero;
    switch (data_coding) {
    case 0x00:
    case 0x10: /* class 0, as message centres write it */
        return is_zero;
    case 0x01:
        return SMS_CODING_ASCII;
    case 0x03:
        return SMS_CODING_LATIN1;
    case 0x08:
    case 0x18:
        return SMS_CODING_UCS2;
    default:
        return SMS_CODING_BINARY;
    }
}

static void
add(struct buf *out, uint32_t code_point)
{
    buf_add_utf8(out, code_point == 0 ? REPLACED : code_point);
}

static void
ucs2_decode(struct slice octets, struct buf *out)
{
    while (octets.len >= 2) {
        uint32_t unit = num_u16be_get(octets.ptr);
        octets = slice_drop(octets, 2);
        if (unit >= 0xD800 && unit <= 0xDBFF && octets.len >= 2) {
            uint32_t low = num_u16be_get(octets.ptr);
            if (low >= 0xDC00 && low <= 0xDFFF) {
                octets = slice_drop(octets, 2);
                unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            }
        }
        add(out, unit); /* half a pair is none: U+FFFD */
    }
    if (octets.len > 0)
        add(out, REPLACED);
}

void
sms_decode(struct slice octets, enum sms_coding coding, struct gsm7_alphabet alphabet, struct buf *out)
{
    switch (coding) {
    case SMS_CODING_GSM7:
        while (octets.len > 0)
            add(out, gsm7_take(alphabet, &octets));
        return;
    case SMS_CODING_ASCII:
    case SMS_CODING_LATIN1:
        for (size_t i = 0; i < octets.len; i++) {
            unsigned char octet = (unsigned char)octets.ptr[i];
            add(out, coding == SMS_CODING_ASCII && octet > 0x7F ? REPLACED : octet);
        }
        return;
    case SMS_CODING_UCS2:
        ucs2_decode(octets, out);
        return;
    case SMS_CODING_BINARY:
        return;
    }
}
