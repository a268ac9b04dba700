#include "program/gateway/esme_group.h"
#include "wire/smpp/smpp_status.h"

uint32_t
esme_part_read(const struct smpp_message *message, size_t body_bytes, struct esme_part *out)
{
    uint32_t reference = 0, count = 0, number = 0;

    *out = (struct esme_part){ .count = 1, .number = 1, .octets = smpp_message_octets(message) };
    if ((message->esm_class & SMPP_ESM_UDHI) != 0) {
        struct sms_udh udh;
        if (sms_udh_take(&out->octets, &udh) != ERR_OK || udh.has_ports)
            return SMPP_SUBMIT_FAILED;
        out->alphabet = udh.alphabet;
        if (udh.concat != SMS_CONCAT_NONE) {
            out->kind = udh.concat;
            out->reference = udh.reference;
            out->count = udh.part_count;
            out->number = udh.part;
        }
    } else if (smpp_tlv_number(message->tlvs, SMPP_TLV_SAR_MSG_REF_NUM, 2, &reference) &&
               smpp_tlv_number(message->tlvs, SMPP_TLV_SAR_TOTAL_SEGMENTS, 1, &count) &&
               smpp_tlv_number(message->tlvs, SMPP_TLV_SAR_SEGMENT_SEQNUM, 1, &number)) {
        out->reference = (uint16_t)reference;
        out->count = (uint8_t)count;
        out->number = (uint8_t)number;
    }
    if (out->count < 1 || out->count > ESME_PARTS_MAX || out->number < 1 || out->number > out->count)
        return SMPP_SUBMIT_FAILED;
    return out->count > 1 && body_bytes > ESME_PART_BYTES_MAX ? SMPP_INVALID_LENGTH : SMPP_OK;
}

void
esme_group_init(struct esme_group *group, struct arena *arena)
{
    *group = (struct esme_group){ .arena = arena };
}

const struct esme_piece *
esme_group_first(const struct esme_group *group)
{
    for (size_t i = 0; i < group->part_count; i++)
        if (group->pieces[i].body.ptr != NULL)
            return &group->pieces[i];
    return NULL;
}

static bool
is_together(const struct esme_piece *a, const struct esme_piece *b)
{
    return a->part.kind == b->part.kind && a->part.reference == b->part.reference &&
           a->part.count == b->part.count && slice_eq(a->message.source.digits, b->message.source.digits) &&
           slice_eq(a->message.destination.digits, b->message.destination.digits);
}

static enum err
piece_read(uint32_t command, struct slice body, struct esme_piece *out)
{
    *out = (struct esme_piece){ .command = command, .body = body };
    enum err err = smpp_message_read(command, body, &out->message);
    if (err != ERR_OK)
        return err;
    return esme_part_read(&out->message, body.len, &out->part) == SMPP_OK ? ERR_OK : ERR_SMPP_BODY;
}

enum err
esme_group_add(struct esme_group *group, uint32_t command, struct slice body, enum esme_added *out)
{
    const struct esme_piece *first = esme_group_first(group);
    struct esme_piece piece;
    enum err err = piece_read(command, body, &piece);

    if (err != ERR_OK)
        return err;
    if (first != NULL && !is_together(first, &piece)) {
        *out = ESME_ELSEWHERE;
        return ERR_OK;
    }
    struct esme_piece *place = &group->pieces[piece.part.number - 1];
    if (place->body.ptr != NULL) {
        bool is_same = place->message.data_coding == piece.message.data_coding &&
                       slice_eq(place->part.octets, piece.part.octets);
        *out = is_same ? ESME_REPEATED : ESME_DIFFERENT;
        return ERR_OK;
    }
    struct slice kept = arena_copy(group->arena, body);
    if (kept.ptr == NULL)
        return ERR_NO_MEMORY;
    err = piece_read(command, kept, place);
    if (err != ERR_OK)
        return err;
    group->part_count = piece.part.count;
    group->present_count++;
    *out = ESME_ADDED;
    return ERR_OK;
}

bool
esme_group_is_whole(const struct esme_group *group)
{
    return group->part_count > 0 && group->present_count == group->part_count;
}

uint8_t
esme_group_receipt(const struct esme_group *group)
{
    uint8_t wanted = SMPP_RECEIPT_NEVER;

    for (size_t i = 0; i < group->part_count; i++) {
        uint8_t kind = group->pieces[i].message.registered_delivery & SMPP_RECEIPT_KIND;
        if (kind == SMPP_RECEIPT_ALWAYS || (kind == SMPP_RECEIPT_FAILURE && wanted == SMPP_RECEIPT_NEVER))
            wanted = kind;
    }
    return wanted;
}

enum err
esme_group_join(const struct esme_group *group, struct slice *octets_out)
{
    size_t bytes = 0;

    for (size_t i = 0; i < group->part_count; i++)
        bytes += group->pieces[i].part.octets.len;
    char *octets = arena_alloc(group->arena, bytes + 1); /* also where it is empty */
    if (octets == NULL)
        return ERR_NO_MEMORY;
    *octets_out = slice_of(octets, bytes);
    for (size_t i = 0; i < group->part_count; i++) {
        struct slice part = group->pieces[i].part.octets;
        if (part.len > 0)
            memcpy(octets, part.ptr, part.len);
        octets += part.len;
    }
    return ERR_OK;
}

enum err
esme_group_identity(const struct esme_group *group, struct slice *out)
{
    const struct esme_piece *first = esme_group_first(group);

    if (first == NULL)
        return ERR_SMPP_BODY;
    /* Lengths before what is written by others: no two pairs of addresses give one text. */
    *out = arena_format(group->arena, "%d %u %u %zu %.*s%.*s", (int)first->part.kind,
                        (unsigned)first->part.reference, (unsigned)first->part.count,
                        first->message.source.digits.len, SLICE_FMT(first->message.source.digits),
                        SLICE_FMT(first->message.destination.digits));
    return out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}
