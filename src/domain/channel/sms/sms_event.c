#include "domain/channel/sms/sms_event.h"
#include "wire/smpp/smpp_time.h"

#define TON_INTERNATIONAL    1u
#define TON_NATIONAL         2u
#define TON_ALPHANUMERIC     5u
#define INTERNATIONAL_DIGITS 11u /* so many are none of a country's own */
#define NATIONAL_DIGITS      7u  /* and fewer are a short code */
#define NUMBER_DIGITS        15u
#define SHORT_REFERENCE      0x10000 /* a reference of 8 bits, or of SAR's, is none of 16 */
#define EARLY_MS             (INT64_C(7) * 86400 * 1000)

void
sms_event_add(struct buf *out, struct id session, struct slice pdu)
{
    buf_add(out, slice_of(session.bytes, ID_BYTES));
    buf_add(out, pdu);
}

static bool
is_digits(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0;
}

/* A national number's digits behind the trunk's 0; empty: it is none. */
static struct slice
national_of(struct slice digits, unsigned ton)
{
    bool has_trunk = slice_starts_with(digits, SLICE("0"));
    struct slice rest = slice_drop(digits, has_trunk ? 1 : 0);
    bool may_be = ton == TON_NATIONAL || (ton == 0 && (has_trunk || digits.len < INTERNATIONAL_DIGITS));

    return may_be && rest.len >= NATIONAL_DIGITS && !slice_starts_with(rest, SLICE("0")) ? rest : SLICE_EMPTY;
}

struct slice
sms_number_canonical(const struct smpp_address *address, struct slice country, struct arena *arena)
{
    struct slice digits = slice_trim(address->digits);
    bool is_marked = address->ton == TON_INTERNATIONAL;

    if (slice_starts_with(digits, SLICE("+"))) {
        digits = slice_drop(digits, 1);
        is_marked = true;
    } else if (slice_starts_with(digits, SLICE("00"))) {
        digits = slice_drop(digits, 2);
        is_marked = true;
    }
    if (address->ton == TON_ALPHANUMERIC || !is_digits(digits) || digits.len > NUMBER_DIGITS)
        return arena_copy(arena, address->digits);
    /* Some mark as national what has its country before it. */
    bool has_country =
        digits.len >= INTERNATIONAL_DIGITS && !slice_starts_with(digits, SLICE("0")) &&
        (address->ton != TON_NATIONAL || country.len == 0 || slice_starts_with(digits, country));
    if (is_marked || has_country)
        return arena_format(arena, "+%.*s", SLICE_FMT(digits));
    struct slice national = national_of(digits, address->ton);
    if (national.len == 0 || country.len == 0 || country.len + national.len > NUMBER_DIGITS)
        return arena_copy(arena, digits);
    return arena_format(arena, "+%.*s%.*s", SLICE_FMT(country), SLICE_FMT(national));
}

/* The code of the text, or of the parameter where that has none: they are often both there, and the text's is
 * what the operator's list is of. */
static struct slice
error_of(const struct smpp_receipt *receipt, struct arena *arena)
{
    struct slice code = slice_trim(receipt->error);
    bool is_zero = true;

    for (size_t i = 0; i < code.len; i++)
        is_zero &= code.ptr[i] == '0';
    if (!is_zero)
        return arena_copy(arena, slice_first(code, code.len > 64 ? 64 : code.len));
    if (receipt->has_network_error && receipt->network_error != 0)
        return arena_format(arena, "%u", (unsigned)receipt->network_error);
    return SLICE_EMPTY;
}

/* A time that cannot be is that of its coming: zones are told by nobody, and clocks are wrong. */
static struct wall_time
time_of(const struct smpp_receipt *receipt, const struct sms_connector *connector,
        struct wall_time received_at)
{
    struct wall_time done;

    if (smpp_receipt_time_parse(receipt->done, connector->receipt_zone_minutes, &done) != ERR_OK ||
        done.us > received_at.us || done.us < wall_after_ms(received_at, -EARLY_MS).us)
        return received_at;
    return done;
}

static enum err
receipt_read(const struct smpp_receipt *receipt, const struct sms_connector *connector,
             struct wall_time received_at, struct arena *arena, struct sms_event *out)
{
    char room[SMPP_ID_CANONICAL_BYTES];

    out->kind = SMS_EVENT_RECEIPT;
    out->provider_id = arena_copy(arena, smpp_id_canonical(receipt->id, connector->receipt_ids, room));
    out->state = receipt->state;
    out->done =
        arena_copy(arena, slice_first(receipt->done, receipt->done.len > 32 ? 32 : receipt->done.len));
    out->error_code = error_of(receipt, arena);
    out->at = time_of(receipt, connector, received_at);
    return out->provider_id.ptr == NULL || out->done.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static void
parts_read(const struct sms_udh *udh, const struct smpp_message *message, struct sms_event *out)
{
    uint32_t reference = 0, count = 0, part = 0;

    if (udh->concat != SMS_CONCAT_NONE && udh->part_count > 1) {
        out->reference = udh->reference | (udh->concat == SMS_CONCAT_8 ? SHORT_REFERENCE : 0);
        out->part_count = udh->part_count;
        out->part = udh->part;
    } else if (smpp_tlv_number(message->tlvs, SMPP_TLV_SAR_MSG_REF_NUM, 2, &reference) &&
               smpp_tlv_number(message->tlvs, SMPP_TLV_SAR_TOTAL_SEGMENTS, 1, &count) &&
               smpp_tlv_number(message->tlvs, SMPP_TLV_SAR_SEGMENT_SEQNUM, 1, &part) && count > 1 &&
               part >= 1 && part <= count) {
        out->reference = (int)reference | SHORT_REFERENCE;
        out->part_count = count;
        out->part = part;
    }
}

static enum err
message_read(const struct smpp_message *message, const struct sms_connector *connector,
             struct wall_time received_at, struct arena *arena, struct sms_event *out)
{
    struct slice octets = smpp_message_octets(message);
    enum sms_coding coding = sms_coding_of(message->data_coding, connector->alphabet);
    struct sms_udh udh = { .concat = SMS_CONCAT_NONE };
    struct buf text;

    out->kind = SMS_EVENT_MESSAGE;
    out->at = received_at;
    out->part_count = out->part = 1;
    if ((message->esm_class & SMPP_ESM_UDHI) != 0 && sms_udh_take(&octets, &udh) != ERR_OK)
        udh = (struct sms_udh){ .concat = SMS_CONCAT_NONE }; /* what looks like a header is text then */
    parts_read(&udh, message, out);
    out->is_binary = coding == SMS_CODING_BINARY || udh.has_ports;
    buf_init(&text, 4 * 65536);
    if (!out->is_binary)
        sms_decode(octets, coding, udh.alphabet, &text);
    enum err err = buf_done(&text);
    out->text = err == ERR_OK ? arena_copy(arena, buf_slice(&text)) : SLICE_EMPTY;
    buf_release_wiped(&text);
    return err == ERR_OK && out->text.ptr == NULL ? ERR_NO_MEMORY : err;
}

enum err
sms_event_read(struct slice body, const struct sms_connector *connector, struct wall_time received_at,
               struct arena *arena, struct sms_event *out)
{
    struct smpp_receipt receipt;
    struct smpp_message message;
    struct smpp_pdu pdu;

    *out = (struct sms_event){ .kind = SMS_EVENT_NOTHING };
    if (body.len < SMS_EVENT_SESSION_BYTES)
        return ERR_PROVIDER_BODY;
    body = slice_drop(body, SMS_EVENT_SESSION_BYTES);
    if (smpp_pdu_take(&body, &pdu) != ERR_OK || body.len != 0)
        return ERR_PROVIDER_BODY;
    if (pdu.command != SMPP_DELIVER_SM && pdu.command != SMPP_DATA_SM)
        return ERR_OK;
    if (smpp_message_read(pdu.command, pdu.body, &message) != ERR_OK)
        return ERR_PROVIDER_BODY;
    out->peer = sms_number_canonical(&message.source, connector->country_code, arena);
    struct slice ours = message.destination.digits,
                 number = sms_number_canonical(&message.destination, connector->country_code, arena);
    out->sender = arena_copy(arena, slice_starts_with(ours, SLICE("+")) ? slice_drop(ours, 1) : ours);
    if (out->peer.ptr == NULL || out->sender.ptr == NULL || number.ptr == NULL)
        return ERR_NO_MEMORY;
    out->number = slice_starts_with(number, SLICE("+")) ? slice_drop(number, 1) : SLICE_EMPTY;
    enum err err = smpp_receipt_read(&message, &receipt);
    if (err == ERR_OK)
        return receipt_read(&receipt, connector, received_at, arena, out);
    return err == ERR_NOTHING ? message_read(&message, connector, received_at, arena, out) : err;
}
