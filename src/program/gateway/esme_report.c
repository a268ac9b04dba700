#include "program/gateway/esme_report.h"
#include "wire/gsm/sms_text.h"

#define RECEIPT_BYTES    512u
#define BODY_BYTES       1024u
#define ERROR_DIGITS_MAX 3u
#define CODING_UCS2      8u

struct slice
esme_message_id(struct id message, char out[static ID_TEXT_BYTES])
{
    return slice_drop(id_print(ID_MESSAGE, message, out), id_prefix(ID_MESSAGE).len);
}

bool
esme_state_of(enum message_status status, enum smpp_state *out)
{
    switch (status) {
    case MESSAGE_DELIVERED:
    case MESSAGE_READ:
        *out = SMPP_STATE_DELIVERED;
        return true;
    case MESSAGE_FAILED:
        *out = SMPP_STATE_UNDELIVERABLE;
        return true;
    case MESSAGE_BLOCKED:
        *out = SMPP_STATE_REJECTED;
        return true;
    case MESSAGE_EXPIRED:
        *out = SMPP_STATE_EXPIRED;
        return true;
    case MESSAGE_CANCELED:
        *out = SMPP_STATE_DELETED;
        return true;
    case MESSAGE_ACCEPTED:
    case MESSAGE_QUEUED:
    case MESSAGE_HELD:
    case MESSAGE_SENDING:
    case MESSAGE_SENT:
    case MESSAGE_UNCERTAIN:
    case MESSAGE_RECEIVED:
        break;
    }
    return false;
}

unsigned
esme_error_of(struct slice code, enum smpp_state state)
{
    unsigned number = 0;

    if (state == SMPP_STATE_DELIVERED)
        return 0;
    if (slice_starts_with(code, SLICE("sms-"))) /* an operator's own: domain/channel/sms/sms_part.h */
        code = slice_drop(code, 4);
    if (code.len == 0 || code.len > ERROR_DIGITS_MAX)
        return ESME_ERROR_OF_OTHERS;
    for (size_t i = 0; i < code.len; i++) {
        if (code.ptr[i] < '0' || code.ptr[i] > '9')
            return ESME_ERROR_OF_OTHERS;
        number = number * 10 + (unsigned)(code.ptr[i] - '0');
    }
    return number;
}

/* An international number. */
static struct smpp_address
person_address(struct slice person)
{
    if (slice_starts_with(person, SLICE("+")))
        person = slice_drop(person, 1);
    return (struct smpp_address){ .ton = 1, .npi = 1, .digits = person };
}

/* Letters, or a number that is known to be ours. */
static struct smpp_address
sender_address(struct slice sender)
{
    bool is_number = sender.len > 0;

    for (size_t i = 0; i < sender.len; i++)
        is_number &= sender.ptr[i] >= '0' && sender.ptr[i] <= '9';
    return (struct smpp_address){ .ton = is_number ? 1 : 5, .npi = is_number ? 1 : 0, .digits = sender };
}

static enum err
body_print(const struct smpp_message *message, struct arena *arena, struct slice *out)
{
    struct buf body;

    buf_init(&body, BODY_BYTES);
    enum err err = smpp_message_add(&body, SMPP_DELIVER_SM, message);
    if (err == ERR_OK)
        err = buf_done(&body);
    *out = err == ERR_OK ? arena_copy(arena, buf_slice(&body)) : SLICE_EMPTY;
    buf_release_wiped(&body);
    return err == ERR_OK && out->ptr == NULL ? ERR_NO_MEMORY : err;
}

enum err
esme_receipt_print(const struct esme_receipt *receipt, struct arena *arena, struct slice *body_out)
{
    char id_text[ID_TEXT_BYTES], terminated[ID_TEXT_BYTES + 1];
    struct slice id = esme_message_id(receipt->message, id_text);
    struct buf text, tlvs;

    buf_init(&text, RECEIPT_BYTES);
    buf_init(&tlvs, RECEIPT_BYTES);
    smpp_receipt_add(&text, &(struct smpp_receipt_new){ .id = id,
                                                        .state = receipt->state,
                                                        .error = receipt->error,
                                                        .submitted_at = id_time(receipt->message),
                                                        .done_at = receipt->ended_at });
    memcpy(terminated, id.ptr, id.len);
    terminated[id.len] = '\0';
    enum err err = smpp_tlv_add(&tlvs, SMPP_TLV_RECEIPTED_MESSAGE_ID, slice_of(terminated, id.len + 1));
    smpp_tlv_add_u8(&tlvs, SMPP_TLV_MESSAGE_STATE, (uint8_t)receipt->state);
    if (err == ERR_OK)
        err = body_print(&(struct smpp_message){ .source = person_address(receipt->person),
                                                 .destination = receipt->account,
                                                 .esm_class = SMPP_ESM_RECEIPT,
                                                 .short_message = buf_slice(&text),
                                                 .tlvs = buf_slice(&tlvs) },
                         arena, body_out);
    buf_release(&text);
    buf_release(&tlvs);
    return err;
}

enum err
esme_written_print(const struct esme_written *written, struct arena *arena, struct slice *bodies,
                   size_t bodies_max, size_t *count_out)
{
    const struct sms_rules rules = { .joining = SMS_JOIN_UDH_8, .parts_max = SMS_PARTS_MAX };
    struct slice rest = written->text;
    struct sms_text text;
    struct buf octets;
    enum err err = sms_text_measure(written->text, &rules, &text);

    if (err == ERR_OK && text.part_count > bodies_max)
        err = ERR_LIMIT;
    *count_out = err == ERR_OK ? text.part_count : 0;
    buf_init(&octets, SMS_PART_BYTES + SMS_UDH_BYTES_MAX);
    for (size_t i = 0; err == ERR_OK && i < text.part_count; i++) {
        buf_clear(&octets);
        if (text.part_count > 1)
            sms_udh_add(&octets, &(struct sms_udh){ .concat = SMS_CONCAT_8,
                                                    .reference = written->message.bytes[ID_BYTES - 1],
                                                    .part_count = (uint8_t)text.part_count,
                                                    .part = (uint8_t)(i + 1) });
        sms_text_encode(&text, sms_text_take_part(&text, &rest), &octets);
        err = buf_done(&octets);
        if (err == ERR_OK)
            err =
                body_print(&(struct smpp_message){ .source = person_address(written->person),
                                                   .destination = sender_address(written->sender),
                                                   .esm_class = text.part_count > 1 ? SMPP_ESM_UDHI : 0,
                                                   .data_coding = text.alphabet == SMS_UCS2 ? CODING_UCS2 : 0,
                                                   .short_message = buf_slice(&octets) },
                           arena, &bodies[i]);
    }
    buf_release_wiped(&octets);
    return err;
}
