#include "program/smsc/submit.h"
#include "core/slice.h"
#include "wire/smpp/smpp_time.h"

#define CODING_DEFAULT 0x00u
#define CODING_UCS2    0x08u
#define FLASH_DISPLAY  1u

/* What is the same for all parts. */
struct plan {
    struct sms_text text;
    struct sms_udh udh; /* of a part, but for its number */
    bool has_sar, has_payload;
    uint8_t data_coding;
};

static struct sms_numbering
sender_numbering(const struct submit *submit)
{
    switch (submit->sender_kind) {
    case CHANNEL_SMS_ALPHANUMERIC:
        return submit->connector->alphanumeric;
    case CHANNEL_SMS_NUMBER:
        return submit->connector->number;
    case CHANNEL_SMS_SHORT_CODE:
        return submit->connector->short_code;
    }
    bug("a kind of sender outside the enum");
}

/* A header that chooses a national table is ours to write: then the message centre writes none besides. */
static void
join(const struct submit *submit, struct plan *plan)
{
    enum sms_joining joining = submit->connector->joining;
    bool has_tables = plan->text.alphabet == SMS_GSM7 &&
                      (plan->text.tables.locking != GSM7_DEFAULT || plan->text.tables.single != GSM7_DEFAULT);

    if (plan->text.alphabet == SMS_GSM7)
        plan->udh.alphabet = plan->text.tables;
    if (plan->text.part_count < 2)
        return;
    if (has_tables && (joining == SMS_JOIN_SAR || joining == SMS_JOIN_PAYLOAD))
        joining = SMS_JOIN_UDH_8;
    plan->has_sar = joining == SMS_JOIN_SAR;
    plan->has_payload = joining == SMS_JOIN_PAYLOAD;
    if (joining == SMS_JOIN_UDH_8 || joining == SMS_JOIN_UDH_16) {
        plan->udh.concat = joining == SMS_JOIN_UDH_8 ? SMS_CONCAT_8 : SMS_CONCAT_16;
        plan->udh.reference = joining == SMS_JOIN_UDH_8 ? submit->reference & 0xFF : submit->reference;
        plan->udh.part_count = (uint8_t)plan->text.part_count;
    }
}

/* For a message centre whose own alphabet is ASCII or Latin-1. */
static enum err
plain_encode(struct slice text, uint32_t code_point_max, struct buf *out)
{
    uint32_t code_point = 0;

    while (text.len > 0) {
        if (!slice_utf8_take(&text, &code_point))
            return ERR_UTF8;
        if (code_point > code_point_max)
            return ERR_ENCODING;
        buf_add_byte(out, (char)code_point);
    }
    return ERR_OK;
}

static enum err
text_encode(const struct submit *submit, const struct plan *plan, struct slice part, struct buf *out)
{
    if (plan->text.alphabet == SMS_GSM7 && submit->connector->alphabet == SMS_CODING_ASCII)
        return plain_encode(part, 0x7F, out);
    if (plan->text.alphabet == SMS_GSM7 && submit->connector->alphabet == SMS_CODING_LATIN1)
        return plain_encode(part, 0xFF, out);
    sms_text_encode(&plan->text, part, out);
    return ERR_OK;
}

static enum err
dlt_add(struct buf *tlvs, const struct sms_connector *connector, uint16_t tag, struct slice value)
{
    char copy[130];

    if (tag == 0 || value.len == 0)
        return ERR_OK;
    if (!connector->dlt_ends_with_nul)
        return smpp_tlv_add(tlvs, tag, value);
    if (value.len >= sizeof(copy))
        return ERR_LIMIT;
    memcpy(copy, value.ptr, value.len);
    copy[value.len] = '\0';
    return smpp_tlv_add(tlvs, tag, slice_of(copy, value.len + 1));
}

static enum err
tlvs_add(const struct submit *submit, const struct plan *plan, unsigned number, struct slice octets,
         struct buf *tlvs)
{
    const struct sms_connector *connector = submit->connector;
    enum err err = ERR_OK;

    if (submit->is_flash)
        smpp_tlv_add_u8(tlvs, SMPP_TLV_DEST_ADDR_SUBUNIT, FLASH_DISPLAY);
    if (plan->has_sar) {
        smpp_tlv_add_u16(tlvs, SMPP_TLV_SAR_MSG_REF_NUM, submit->reference);
        smpp_tlv_add_u8(tlvs, SMPP_TLV_SAR_TOTAL_SEGMENTS, (uint8_t)plan->text.part_count);
        smpp_tlv_add_u8(tlvs, SMPP_TLV_SAR_SEGMENT_SEQNUM, (uint8_t)number);
    }
    if (plan->text.part_count > 1 && !plan->has_payload && number < plan->text.part_count)
        smpp_tlv_add_u8(tlvs, SMPP_TLV_MORE_MESSAGES_TO_SEND, 1);
    if (plan->has_payload)
        err = smpp_tlv_add(tlvs, SMPP_TLV_MESSAGE_PAYLOAD, octets);
    if (err == ERR_OK)
        err = dlt_add(tlvs, connector, connector->dlt_entity_tag, submit->dlt_entity);
    if (err == ERR_OK)
        err = dlt_add(tlvs, connector, connector->dlt_template_tag, submit->dlt_template);
    if (err == ERR_OK)
        err = dlt_add(tlvs, connector, connector->dlt_chain_tag, submit->dlt_chain);
    return err;
}

/* `octets` with its header, if there is one, is the part. */
static enum err
part_print(const struct submit *submit, const struct plan *plan, unsigned number, struct slice octets,
           struct buf *out)
{
    const struct sms_connector *connector = submit->connector;
    struct sms_numbering from = sender_numbering(submit);
    char validity[SMPP_TIME_TEXT_BYTES];
    struct buf tlvs;
    int64_t validity_s = connector->validity_max_s > 0 && submit->validity_s > connector->validity_max_s
                             ? connector->validity_max_s
                             : submit->validity_s;
    struct smpp_message message = {
        .service_type = connector->service_type,
        .source = { from.ton, from.npi, submit->sender },
        .destination = { connector->recipient.ton, connector->recipient.npi, slice_drop(submit->to, 1) },
        .esm_class = sms_udh_bytes(&plan->udh) > 0 ? SMPP_ESM_UDHI : 0,
        .validity = validity_s > 0 ? smpp_relative_print(validity_s, validity) : SLICE_EMPTY,
        .registered_delivery = SMPP_RECEIPT_ALWAYS,
        .data_coding = plan->data_coding,
        .short_message = plan->has_payload ? SLICE_EMPTY : octets,
    };

    buf_init(&tlvs, SMPP_PDU_BYTES_MAX);
    enum err err = tlvs_add(submit, plan, number, octets, &tlvs);
    if (err == ERR_OK)
        err = buf_done(&tlvs);
    message.tlvs = buf_slice(&tlvs);
    if (err == ERR_OK)
        err = smpp_message_add(out, SMPP_SUBMIT_SM, &message);
    buf_release_wiped(&tlvs);
    return err;
}

enum err
submit_print(const struct submit *submit, struct buf *out, struct submit_part parts[static SMS_PARTS_MAX],
             size_t *count_out)
{
    const struct sms_connector *connector = submit->connector;
    struct sms_rules rules = { connector->joining, connector->languages, submit->parts_max };
    struct plan plan = { .has_sar = false };
    struct slice rest = submit->text;
    struct buf octets;

    *count_out = 0;
    if (!slice_starts_with(submit->to, SLICE("+")))
        return ERR_ENCODING;
    enum err err = sms_text_measure(submit->text, &rules, &plan.text);
    if (err != ERR_OK)
        return err;
    plan.data_coding = plan.text.alphabet == SMS_UCS2 ? CODING_UCS2 : CODING_DEFAULT;
    join(submit, &plan);
    size_t count = plan.has_payload ? 1 : plan.text.part_count;
    buf_init(&octets, 65535);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct slice part = plan.has_payload ? rest : sms_text_take_part(&plan.text, &rest);
        buf_clear(&octets);
        plan.udh.part = plan.udh.concat == SMS_CONCAT_NONE ? 0 : (uint8_t)(i + 1);
        sms_udh_add(&octets, &plan.udh);
        err = text_encode(submit, &plan, part, &octets);
        if (err == ERR_OK)
            err = buf_done(&octets);
        parts[i].at = out->len;
        if (err == ERR_OK)
            err = part_print(submit, &plan, (unsigned)i + 1, buf_slice(&octets), out);
        parts[i].len = out->len - parts[i].at;
    }
    buf_release_wiped(&octets);
    if (err == ERR_OK)
        err = buf_done(out);
    if (err == ERR_OK)
        *count_out = count;
    return err;
}
