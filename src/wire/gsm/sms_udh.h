/*
 * The user data header in front of a short message: 3GPP TS 23.040, 9.2.3.24. An octet with the length of the
 * rest, then information elements: identifier, length, value.
 */
#ifndef WIRE_GSM_SMS_UDH_H
#define WIRE_GSM_SMS_UDH_H
#include "wire/gsm/gsm7.h"

#define SMS_UDH_BYTES_MAX 140u /* a message holds no more */

/* How the parts of a message say that they belong together. */
enum sms_concat {
    SMS_CONCAT_NONE,
    SMS_CONCAT_8,  /* identifier 0x00: a reference of 8 bits */
    SMS_CONCAT_16, /* identifier 0x08: of 16 */
};

struct sms_udh {
    enum sms_concat concat;
    uint16_t reference;
    uint8_t part_count, part; /* part 1 is the first; 0 where there is no concat */
    bool has_ports;           /* 0x04, 0x05: for an application, not for a reader */
    uint16_t destination_port, source_port;
    struct gsm7_alphabet alphabet; /* 0x24, 0x25 */
};

/* Octets that it takes, with its length; 0 when it says nothing. Ports are not written. */
size_t sms_udh_bytes(const struct sms_udh *udh);
void sms_udh_add(struct buf *out, const struct sms_udh *udh);

/*
 * Takes it off *octets. Elements that mean nothing to us, or whose values are not allowed (part 0, or more
 * than there are: 9.2.3.24.1; a language that is reserved), are passed over; of two of a kind the last one
 * counts. ERR_ENCODING: lengths point behind the end; nothing is taken then.
 */
MUST_CHECK enum err sms_udh_take(struct slice *octets, struct sms_udh *out);

#endif
