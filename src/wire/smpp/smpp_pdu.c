#include "wire/smpp/smpp_pdu.h"
#include "core/num.h"

enum err
smpp_pdu_take(struct slice *input, struct smpp_pdu *out)
{
    if (input->len < 4)
        return ERR_INCOMPLETE;
    uint32_t length = num_u32be_get(input->ptr);
    if (length < SMPP_HEADER_BYTES || length > SMPP_PDU_BYTES_MAX)
        return ERR_SMPP_LENGTH;
    if (input->len < length)
        return ERR_INCOMPLETE;
    *out = (struct smpp_pdu){ .command = num_u32be_get(input->ptr + 4),
                              .status = num_u32be_get(input->ptr + 8),
                              .sequence = num_u32be_get(input->ptr + 12),
                              .body = slice_drop(slice_first(*input, length), SMPP_HEADER_BYTES) };
    *input = slice_drop(*input, length);
    return ERR_OK;
}

size_t
smpp_pdu_begin(struct buf *out, uint32_t command, uint32_t status, uint32_t sequence)
{
    size_t began = out->len;

    buf_add_u32be(out, 0);
    buf_add_u32be(out, command);
    buf_add_u32be(out, status);
    buf_add_u32be(out, sequence);
    return began;
}

void
smpp_pdu_end(struct buf *out, size_t began)
{
    if (out->err == ERR_OK)
        num_u32be_put(out->ptr + began, (uint32_t)(out->len - began));
}

void
smpp_pdu_add(struct buf *out, uint32_t command, uint32_t status, uint32_t sequence)
{
    smpp_pdu_end(out, smpp_pdu_begin(out, command, status, sequence));
}

uint32_t
smpp_sequence_next(uint32_t sequence)
{
    return sequence >= SMPP_SEQUENCE_MAX ? 1 : sequence + 1;
}

const char *
smpp_command_word(uint32_t command)
{
    switch (command) {
    case SMPP_BIND_RECEIVER:
        return "bind_receiver";
    case SMPP_BIND_RECEIVER | SMPP_RESPONSE:
        return "bind_receiver_resp";
    case SMPP_BIND_TRANSMITTER:
        return "bind_transmitter";
    case SMPP_BIND_TRANSMITTER | SMPP_RESPONSE:
        return "bind_transmitter_resp";
    case SMPP_BIND_TRANSCEIVER:
        return "bind_transceiver";
    case SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE:
        return "bind_transceiver_resp";
    case SMPP_OUTBIND:
        return "outbind";
    case SMPP_UNBIND:
        return "unbind";
    case SMPP_UNBIND | SMPP_RESPONSE:
        return "unbind_resp";
    case SMPP_SUBMIT_SM:
        return "submit_sm";
    case SMPP_SUBMIT_SM | SMPP_RESPONSE:
        return "submit_sm_resp";
    case SMPP_SUBMIT_MULTI:
        return "submit_multi";
    case SMPP_SUBMIT_MULTI | SMPP_RESPONSE:
        return "submit_multi_resp";
    case SMPP_DELIVER_SM:
        return "deliver_sm";
    case SMPP_DELIVER_SM | SMPP_RESPONSE:
        return "deliver_sm_resp";
    case SMPP_DATA_SM:
        return "data_sm";
    case SMPP_DATA_SM | SMPP_RESPONSE:
        return "data_sm_resp";
    case SMPP_QUERY_SM:
        return "query_sm";
    case SMPP_QUERY_SM | SMPP_RESPONSE:
        return "query_sm_resp";
    case SMPP_CANCEL_SM:
        return "cancel_sm";
    case SMPP_CANCEL_SM | SMPP_RESPONSE:
        return "cancel_sm_resp";
    case SMPP_REPLACE_SM:
        return "replace_sm";
    case SMPP_REPLACE_SM | SMPP_RESPONSE:
        return "replace_sm_resp";
    case SMPP_ENQUIRE_LINK:
        return "enquire_link";
    case SMPP_ENQUIRE_LINK | SMPP_RESPONSE:
        return "enquire_link_resp";
    case SMPP_ALERT_NOTIFICATION:
        return "alert_notification";
    case SMPP_GENERIC_NACK:
        return "generic_nack";
    default:
        return "unknown";
    }
}
