#include "wire/smpp/smpp_field.h"
#include "core/num.h"

#define TLV_HEAD_BYTES  4u
#define TLV_VALUE_BYTES 0xFFFFu

struct slice
smpp_octets(struct smpp_fields *fields, size_t len)
{
    if (fields->has_failed || fields->rest.len < len) {
        fields->has_failed = true;
        return SLICE_EMPTY;
    }
    struct slice octets = slice_first(fields->rest, len);
    fields->rest = slice_drop(fields->rest, len);
    return octets;
}

uint8_t
smpp_u8(struct smpp_fields *fields)
{
    struct slice octets = smpp_octets(fields, 1);

    return octets.len == 0 ? 0 : (uint8_t)octets.ptr[0];
}

uint32_t
smpp_u32(struct smpp_fields *fields)
{
    struct slice octets = smpp_octets(fields, 4);

    return octets.len == 0 ? 0 : num_u32be_get(octets.ptr);
}

struct slice
smpp_cstring(struct smpp_fields *fields, size_t bytes_max)
{
    size_t len = slice_find(slice_first(fields->rest, bytes_max), '\0');

    if (fields->has_failed || len == fields->rest.len || len == bytes_max) {
        fields->has_failed = true;
        return SLICE_EMPTY;
    }
    struct slice text = slice_first(fields->rest, len);
    fields->rest = slice_drop(fields->rest, len + 1);
    return text;
}

enum err
smpp_cstring_add(struct buf *out, struct slice text, size_t bytes_max)
{
    if (text.len >= bytes_max)
        return ERR_LIMIT;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\0' || (unsigned char)text.ptr[i] > 0x7F)
            return ERR_ENCODING;
    buf_add(out, text);
    buf_add_byte(out, '\0');
    return ERR_OK;
}

bool
smpp_tlv_take(struct slice *tlvs, struct smpp_tlv *out)
{
    if (tlvs->len < TLV_HEAD_BYTES)
        return false;
    size_t len = num_u16be_get(tlvs->ptr + 2);
    if (len > tlvs->len - TLV_HEAD_BYTES)
        return false;
    *out = (struct smpp_tlv){ .tag = num_u16be_get(tlvs->ptr),
                              .value = slice_first(slice_drop(*tlvs, TLV_HEAD_BYTES), len) };
    *tlvs = slice_drop(*tlvs, TLV_HEAD_BYTES + len);
    return true;
}

bool
smpp_tlvs_are_whole(struct slice tlvs)
{
    struct smpp_tlv tlv;

    for (size_t count = 0; tlvs.len > 0; count++)
        if (count == SMPP_TLV_COUNT_MAX || !smpp_tlv_take(&tlvs, &tlv))
            return false;
    return true;
}

struct slice
smpp_tlv_find(struct slice tlvs, uint16_t tag)
{
    struct smpp_tlv tlv;

    while (smpp_tlv_take(&tlvs, &tlv))
        if (tlv.tag == tag)
            return tlv.value;
    return SLICE_EMPTY;
}

bool
smpp_tlv_number(struct slice tlvs, uint16_t tag, size_t bytes, uint32_t *out)
{
    struct slice value = smpp_tlv_find(tlvs, tag);

    if (value.ptr == NULL || value.len != bytes)
        return false;
    *out = bytes == 1   ? (unsigned char)value.ptr[0]
           : bytes == 2 ? num_u16be_get(value.ptr)
                        : num_u32be_get(value.ptr);
    return true;
}

struct slice
smpp_tlv_text(struct slice tlvs, uint16_t tag)
{
    struct slice value = smpp_tlv_find(tlvs, tag);

    return slice_first(value, slice_find(value, '\0'));
}

enum err
smpp_tlv_add(struct buf *out, uint16_t tag, struct slice value)
{
    if (value.len > TLV_VALUE_BYTES)
        return ERR_LIMIT;
    buf_add_u16be(out, tag);
    buf_add_u16be(out, (uint16_t)value.len);
    buf_add(out, value);
    return ERR_OK;
}

void
smpp_tlv_add_u8(struct buf *out, uint16_t tag, uint8_t value)
{
    buf_add_u16be(out, tag);
    buf_add_u16be(out, 1);
    buf_add_byte(out, (char)value);
}

void
smpp_tlv_add_u16(struct buf *out, uint16_t tag, uint16_t value)
{
    buf_add_u16be(out, tag);
    buf_add_u16be(out, 2);
    buf_add_u16be(out, value);
}
