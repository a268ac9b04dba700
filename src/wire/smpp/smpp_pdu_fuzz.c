#include "core/fuzz.h"
#include "wire/smpp/smpp_message.h"
#include "wire/smpp/smpp_receipt.h"

static struct smpp_destination destinations[SMPP_DESTINATIONS_MAX];
static struct smpp_unsuccess failed[SMPP_DESTINATIONS_MAX];

static bool
is_within(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* What was read is written, where the standard has room for it, so that it reads the same. */
static void
message_check(uint32_t command, struct slice body)
{
    struct smpp_message message, back;
    struct buf out;

    if (smpp_message_read(command, body, &message) != ERR_OK)
        return;
    FUZZ_CHECK(is_within(message.source.digits, body) && is_within(message.short_message, body) &&
               is_within(message.tlvs, body) && smpp_tlvs_are_whole(message.tlvs));
    buf_init(&out, SMPP_PDU_BYTES_MAX);
    if (smpp_message_add(&out, command, &message) == ERR_OK) {
        FUZZ_CHECK(slice_eq(buf_slice(&out), body));
        FUZZ_CHECK(smpp_message_read(command, buf_slice(&out), &back) == ERR_OK);
    }
    buf_release(&out);
    struct smpp_receipt receipt;
    char id[SMPP_ID_CANONICAL_BYTES];
    if (smpp_receipt_read(&message, &receipt) == ERR_OK) {
        FUZZ_CHECK(is_within(receipt.id, body) && is_within(receipt.text, body) &&
                   is_within(receipt.stat, body));
        for (int change = SMPP_ID_AS_IT_IS; change <= SMPP_ID_HEX_TO_DECIMAL; change++)
            FUZZ_CHECK(smpp_id_canonical(receipt.id, (enum smpp_id_change)change, id).len <= sizeof(id));
    }
}

static void
body_check(const struct smpp_pdu *pdu)
{
    struct smpp_bind bind;
    struct smpp_message message;
    struct smpp_answer answer;
    struct smpp_about about;
    struct smpp_query_answer query;
    struct smpp_alert alert;
    struct slice id;
    size_t count = 0;

    switch (pdu->command) {
    case SMPP_SUBMIT_SM:
    case SMPP_DELIVER_SM:
    case SMPP_DATA_SM:
        message_check(pdu->command, pdu->body);
        break;
    case SMPP_BIND_RECEIVER:
    case SMPP_BIND_TRANSMITTER:
    case SMPP_BIND_TRANSCEIVER:
        if (smpp_bind_read(pdu->body, &bind) == ERR_OK)
            FUZZ_CHECK(bind.system_id.len < SMPP_SYSTEM_ID_BYTES && is_within(bind.range.digits, pdu->body));
        break;
    case SMPP_OUTBIND:
        if (smpp_outbind_read(pdu->body, &bind) == ERR_OK)
            FUZZ_CHECK(is_within(bind.password, pdu->body));
        break;
    case SMPP_SUBMIT_MULTI:
        if (smpp_multi_read(pdu->body, &message, destinations, &count) == ERR_OK)
            FUZZ_CHECK(count >= 1 && count <= SMPP_DESTINATIONS_MAX);
        break;
    case SMPP_SUBMIT_MULTI | SMPP_RESPONSE:
        if (smpp_multi_answer_read(pdu->body, &id, failed, &count) == ERR_OK)
            FUZZ_CHECK(count <= SMPP_DESTINATIONS_MAX && is_within(id, pdu->body));
        break;
    case SMPP_QUERY_SM:
    case SMPP_CANCEL_SM:
    case SMPP_REPLACE_SM:
        if (smpp_about_read(pdu->command, pdu->body, &about) == ERR_OK)
            FUZZ_CHECK(is_within(about.short_message, pdu->body));
        break;
    case SMPP_QUERY_SM | SMPP_RESPONSE:
        if (smpp_query_answer_read(pdu->body, &query) == ERR_OK)
            FUZZ_CHECK(is_within(query.final_date, pdu->body));
        break;
    case SMPP_ALERT_NOTIFICATION:
        if (smpp_alert_read(pdu->body, &alert) == ERR_OK)
            FUZZ_CHECK(is_within(alert.tlvs, pdu->body));
        break;
    default:
        if (smpp_answer_read(pdu->command, pdu->body, &answer) == ERR_OK)
            FUZZ_CHECK(is_within(answer.name, pdu->body) && smpp_tlvs_are_whole(answer.tlvs));
        break;
    }
}

/* A PDU is as long as it says; on failure not an octet is taken; what is read of its body lies within it. */
FUZZ_TARGET(data, size)
{
    struct slice input = slice_of(data, size);
    struct smpp_pdu pdu;

    for (;;) {
        struct slice before = input;
        if (smpp_pdu_take(&input, &pdu) != ERR_OK) {
            FUZZ_CHECK(input.ptr == before.ptr && input.len == before.len);
            return 0;
        }
        FUZZ_CHECK(before.len - input.len == pdu.body.len + SMPP_HEADER_BYTES);
        body_check(&pdu);
    }
}
