#include "wire/smpp/smpp_receipt.h"
#include "core/attribute.h"
#include "core/num.h"
#include "wire/smpp/smpp_time.h"

#define TEXT_SHOWN_MAX 20u

static const char *const state_words[] = {
    [SMPP_STATE_NONE] = "UNKNOWN",      [SMPP_STATE_ENROUTE] = "ENROUTE",
    [SMPP_STATE_DELIVERED] = "DELIVRD", [SMPP_STATE_EXPIRED] = "EXPIRED",
    [SMPP_STATE_DELETED] = "DELETED",   [SMPP_STATE_UNDELIVERABLE] = "UNDELIV",
    [SMPP_STATE_ACCEPTED] = "ACCEPTD",  [SMPP_STATE_UNKNOWN] = "UNKNOWN",
    [SMPP_STATE_REJECTED] = "REJECTD",
};
/* What message centres write besides. */
static const struct {
    const char *word;
    enum smpp_state state;
} other_words[] = { { "DELIVERED", SMPP_STATE_DELIVERED },  { "UNDELIVERABLE", SMPP_STATE_UNDELIVERABLE },
                    { "ACCEPTED", SMPP_STATE_ACCEPTED },    { "ACKED", SMPP_STATE_ACCEPTED },
                    { "BUFFRED", SMPP_STATE_ACCEPTED },     { "BUFFERED", SMPP_STATE_ACCEPTED },
                    { "REJECTED", SMPP_STATE_REJECTED },    { "FAILED", SMPP_STATE_UNDELIVERABLE },
                    { "DND_REJECTED", SMPP_STATE_REJECTED } };

bool
smpp_state_is_final(enum smpp_state state)
{
    switch (state) {
    case SMPP_STATE_NONE:
    case SMPP_STATE_ENROUTE:
    case SMPP_STATE_ACCEPTED:
    case SMPP_STATE_UNKNOWN:
        return false;
    case SMPP_STATE_DELIVERED:
    case SMPP_STATE_EXPIRED:
    case SMPP_STATE_DELETED:
    case SMPP_STATE_UNDELIVERABLE:
    case SMPP_STATE_REJECTED:
        return true;
    }
    return false;
}

const char *
smpp_state_word(enum smpp_state state)
{
    return state_words[state];
}

static enum smpp_state
state_of_word(struct slice word)
{
    for (size_t i = COUNT_OF(state_words); i-- > SMPP_STATE_ENROUTE;)
        if (slice_eq_nocase(word, slice_text(state_words[i])))
            return (enum smpp_state)i;
    for (size_t i = 0; i < COUNT_OF(other_words); i++)
        if (slice_eq_nocase(word, slice_text(other_words[i].word)))
            return other_words[i].state;
    return SMPP_STATE_NONE;
}

enum label {
    LABEL_ID,
    LABEL_SUB,
    LABEL_DLVRD,
    LABEL_SUBMITTED,
    LABEL_DONE,
    LABEL_STAT,
    LABEL_ERR,
    LABEL_TEXT
};
static const char *const labels[] = {
    [LABEL_ID] = "id:",          [LABEL_SUB] = "sub:",
    [LABEL_DLVRD] = "dlvrd:",    [LABEL_SUBMITTED] = "submit date:",
    [LABEL_DONE] = "done date:", [LABEL_STAT] = "stat:",
    [LABEL_ERR] = "err:",        [LABEL_TEXT] = "text:",
};

static bool
is_blank(char octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n' || octet == '\0';
}

/* The label that begins here; COUNT_OF(labels): none. */
static size_t
label_at(struct slice text)
{
    size_t i = 0;

    while (i < COUNT_OF(labels) &&
           !slice_eq_nocase(slice_first(text, strlen(labels[i])), slice_text(labels[i])))
        i++;
    return i;
}

/* Up to the next blank. */
static struct slice
word_at(struct slice text)
{
    size_t len = 0;

    while (text.len > 0 && is_blank(text.ptr[0]))
        text = slice_drop(text, 1);
    while (len < text.len && !is_blank(text.ptr[len]))
        len++;
    return slice_first(text, len);
}

/* The first of each label counts: a text behind them may hold anything. */
static void
values_read(struct slice text, struct slice values[static COUNT_OF(labels)])
{
    for (size_t i = 0; i < text.len; i++) {
        struct slice here = slice_drop(text, i);
        size_t label = i == 0 || is_blank(text.ptr[i - 1]) ? label_at(here) : COUNT_OF(labels);
        if (label == COUNT_OF(labels))
            continue;
        struct slice value = slice_drop(here, strlen(labels[label]));
        if (label == LABEL_TEXT) {
            values[label] = value;
            return;
        }
        /* An empty one is followed by the next label. */
        struct slice word = word_at(value);
        if (values[label].ptr == NULL &&
            label_at(slice_drop(value, (size_t)(word.ptr - value.ptr))) == COUNT_OF(labels))
            values[label] = word;
    }
}

enum err
smpp_receipt_read(const struct smpp_message *message, struct smpp_receipt *out)
{
    unsigned type = message->esm_class & SMPP_ESM_TYPE;
    struct slice id = smpp_tlv_text(message->tlvs, SMPP_TLV_RECEIPTED_MESSAGE_ID);
    struct slice values[COUNT_OF(labels)] = { { NULL, 0 } };
    struct slice octets = smpp_message_octets(message);
    struct slice network = smpp_tlv_find(message->tlvs, SMPP_TLV_NETWORK_ERROR_CODE);
    uint32_t state = 0;

    *out = (struct smpp_receipt){ .is_intermediate = type == SMPP_ESM_INTERMEDIATE };
    if (type != SMPP_ESM_RECEIPT && type != SMPP_ESM_INTERMEDIATE && id.len == 0)
        return ERR_NOTHING;
    values_read(octets, values);
    if (type != SMPP_ESM_RECEIPT && type != SMPP_ESM_INTERMEDIATE && values[LABEL_STAT].ptr == NULL &&
        !smpp_tlv_number(message->tlvs, SMPP_TLV_MESSAGE_STATE, 1, &state))
        return ERR_NOTHING; /* an id alone says nothing of what became of it: somebody wrote this */
    out->id = id.len > 0 ? id : values[LABEL_ID];
    out->stat = values[LABEL_STAT];
    out->state = state_of_word(out->stat);
    if (smpp_tlv_number(message->tlvs, SMPP_TLV_MESSAGE_STATE, 1, &state) && state >= SMPP_STATE_ENROUTE &&
        state <= SMPP_STATE_REJECTED)
        out->state = (enum smpp_state)state;
    out->error = values[LABEL_ERR];
    if (network.len == 3 &&
        (unsigned char)network.ptr[0] <= 8) { /* three ASCII digits are another spelling */
        out->has_network_error = true;
        out->network = (uint8_t)network.ptr[0];
        out->network_error = num_u16be_get(network.ptr + 1);
    } else if (network.len > 0) {
        out->error = network;
    }
    out->submitted = values[LABEL_SUBMITTED];
    out->done = values[LABEL_DONE];
    out->text = values[LABEL_TEXT];
    return ERR_OK;
}

void
smpp_receipt_add(struct buf *out, const struct smpp_receipt_new *receipt)
{
    char submitted[SMPP_RECEIPT_TIME_DIGITS], done[SMPP_RECEIPT_TIME_DIGITS];

    (void)smpp_receipt_time_print(receipt->submitted_at, submitted);
    (void)smpp_receipt_time_print(receipt->done_at, done);
    buf_add_text(out, "id:");
    buf_add(out, receipt->id);
    buf_add_format(out, " sub:001 dlvrd:%03d submit date:", receipt->state == SMPP_STATE_DELIVERED);
    buf_add(out, slice_of(submitted, sizeof(submitted)));
    buf_add_text(out, " done date:");
    buf_add(out, slice_of(done, sizeof(done)));
    buf_add_format(out, " stat:%s err:%03u text:", smpp_state_word(receipt->state), receipt->error % 1000);
    buf_add(out, slice_first(receipt->text, TEXT_SHOWN_MAX));
}

/* Digits of one base, the highest first, as digits of another; the number of digits, 0: one is none of
 * `from`. */
static size_t
change_base(struct slice digits, unsigned from, unsigned to, char out[static SMPP_ID_CANONICAL_BYTES])
{
    unsigned char number[SMPP_ID_CANONICAL_BYTES] = { 0 }; /* the lowest first */
    size_t count = 0;

    for (size_t i = 0; i < digits.len; i++) {
        int digit = num_hex_digit(digits.ptr[i]);
        if (digit < 0 || (unsigned)digit >= from)
            return 0;
        unsigned carry = (unsigned)digit;
        for (size_t k = 0; k < count; k++) {
            carry += number[k] * from;
            number[k] = (unsigned char)(carry % to);
            carry /= to;
        }
        for (; carry > 0; carry /= to)
            number[count++] = (unsigned char)(carry % to);
    }
    for (size_t k = 0; k < count; k++)
        out[k] = "0123456789abcdef"[number[count - 1 - k]];
    return count;
}

struct slice
smpp_id_canonical(struct slice id, enum smpp_id_change change, char out[static SMPP_ID_CANONICAL_BYTES])
{
    size_t count = 0;

    if (id.len >= SMPP_MESSAGE_ID_BYTES)
        return SLICE_EMPTY;
    while (id.len > 1 && id.ptr[0] == '0')
        id = slice_drop(id, 1);
    switch (change) {
    case SMPP_ID_AS_IT_IS:
        break;
    case SMPP_ID_DECIMAL_TO_HEX:
        count = change_base(id, 10, 16, out);
        break;
    case SMPP_ID_HEX_TO_DECIMAL:
        count = change_base(id, 16, 10, out);
        break;
    }
    if (count > 0)
        return slice_of(out, count);
    for (size_t i = 0; i < id.len; i++)
        out[i] = id.ptr[i] >= 'A' && id.ptr[i] <= 'Z' ? (char)(id.ptr[i] - 'A' + 'a') : id.ptr[i];
    return slice_of(out, id.len);
}
