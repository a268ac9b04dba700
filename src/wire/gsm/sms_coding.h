/*
 * What the octets of a short message mean: SMPP's data_coding (v3.4, 5.2.19), which for 0xF0 and above is the
 * coding of 3GPP TS 23.038, section 4.
 */
#ifndef WIRE_GSM_SMS_CODING_H
#define WIRE_GSM_SMS_CODING_H
#include "wire/gsm/gsm7.h"

enum sms_coding {
    SMS_CODING_GSM7,
    SMS_CODING_ASCII,
    SMS_CODING_LATIN1,
    SMS_CODING_UCS2,
    SMS_CODING_BINARY, /* and all that no text is made of here: JIS, KS C 5601, pictograms ... */
};

/* What data_coding 0 means is the message centre's own: `is_zero`. */
enum sms_coding sms_coding_of(uint8_t data_coding, enum sms_coding is_zero);

/*
 * Text of the octets behind the header, as UTF-8. Nothing is refused, since whatever came has to be answered:
 * what cannot be read is U+FFFD, of an odd last octet of UCS-2 too; binary gives nothing. A NUL becomes
 * U+FFFD, as no text that is stored holds any.
 */
void sms_decode(struct slice octets, enum sms_coding coding, struct gsm7_alphabet alphabet, struct buf *out);

#endif
