#include "wire/gsm/sms_udh.h"
#include "core/attribute.h"
#include "core/num.h"

#define CONCAT_8        0x00u
#define PORTS_8         0x04u
#define PORTS_16        0x05u
#define CONCAT_16       0x08u
#define SINGLE_LANGUAGE 0x24u
#define LOCKED_LANGUAGE 0x25u

static size_t
elements_bytes(const struct sms_udh *udh)
{
    static const size_t concat[] = { [SMS_CONCAT_NONE] = 0, [SMS_CONCAT_8] = 5, [SMS_CONCAT_16] = 6 };

    return concat[udh->concat] + (udh->alphabet.single == GSM7_DEFAULT ? 0 : 3) +
           (udh->alphabet.locking == GSM7_DEFAULT ? 0 : 3);
}

size_t
sms_udh_bytes(const struct sms_udh *udh)
{
    size_t elements = elements_bytes(udh);

    return elements == 0 ? 0 : 1 + elements;
}

static void
octet(struct buf *out, unsigned value)
{
    buf_add_byte(out, (char)value);
}

static void
language_add(struct buf *out, unsigned identifier, enum gsm7_language language)
{
    if (language == GSM7_DEFAULT)
        return;
    octet(out, identifier);
    octet(out, 1);
    octet(out, (unsigned)language);
}

void
sms_udh_add(struct buf *out, const struct sms_udh *udh)
{
    size_t elements = elements_bytes(udh);

    if (elements == 0)
        return;
    octet(out, (unsigned)elements);
    if (udh->concat == SMS_CONCAT_8) {
        octet(out, CONCAT_8);
        octet(out, 3);
        octet(out, udh->reference & 0xFFu);
    } else if (udh->concat == SMS_CONCAT_16) {
        octet(out, CONCAT_16);
        octet(out, 4);
        buf_add_u16be(out, udh->reference);
    }
    if (udh->concat != SMS_CONCAT_NONE) {
        octet(out, udh->part_count);
        octet(out, udh->part);
    }
    language_add(out, SINGLE_LANGUAGE, udh->alphabet.single);
    language_add(out, LOCKED_LANGUAGE, udh->alphabet.locking);
}

static void
concat_read(struct sms_udh *out, enum sms_concat kind, unsigned reference, const unsigned char *counts)
{
    if (counts[0] == 0 || counts[1] == 0 || counts[1] > counts[0])
        return;
    out->concat = kind;
    out->reference = (uint16_t)reference;
    out->part_count = counts[0];
    out->part = counts[1];
}

static void
element_read(struct sms_udh *out, unsigned identifier, struct slice value)
{
    const unsigned char *p = (const unsigned char *)value.ptr;
    enum gsm7_language language;

    if (identifier == CONCAT_8 && value.len == 3) {
        concat_read(out, SMS_CONCAT_8, p[0], p + 1);
    } else if (identifier == CONCAT_16 && value.len == 4) {
        concat_read(out, SMS_CONCAT_16, num_u16be_get(p), p + 2);
    } else if (identifier == PORTS_8 && value.len == 2) {
        out->has_ports = true;
        out->destination_port = p[0];
        out->source_port = p[1];
    } else if (identifier == PORTS_16 && value.len == 4) {
        out->has_ports = true;
        out->destination_port = num_u16be_get(p);
        out->source_port = num_u16be_get(p + 2);
    } else if (identifier == SINGLE_LANGUAGE && value.len == 1 && gsm7_language_read(p[0], &language)) {
        out->alphabet.single = language;
    } else if (identifier == LOCKED_LANGUAGE && value.len == 1 && gsm7_language_read(p[0], &language) &&
               gsm7_has_locking_table(language)) {
        out->alphabet.locking = language;
    }
}

enum err
sms_udh_take(struct slice *octets, struct sms_udh *out)
{
    *out = (struct sms_udh){ .concat = SMS_CONCAT_NONE };
    if (octets->len == 0 || (unsigned char)octets->ptr[0] > octets->len - 1)
        return ERR_ENCODING;
    struct slice elements = slice_first(slice_drop(*octets, 1), (unsigned char)octets->ptr[0]);
    size_t bytes = 1 + elements.len;
    while (elements.len > 0) {
        if (elements.len < 2 || (unsigned char)elements.ptr[1] > elements.len - 2)
            return ERR_ENCODING;
        struct slice value = slice_first(slice_drop(elements, 2), (unsigned char)elements.ptr[1]);
        element_read(out, (unsigned char)elements.ptr[0], value);
        elements = slice_drop(elements, 2 + value.len);
    }
    *octets = slice_drop(*octets, bytes);
    return ERR_OK;
}
