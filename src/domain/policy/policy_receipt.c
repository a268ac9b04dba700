/* The facts by name, and receipts. */
#include "core/attribute.h"
#include "domain/policy/policy_gate.h"

#define RECEIPT_VERSION 1u
#define VARINT_BYTES    10u
#define US_PER_MS       1000

static const char *const category_words[] = { "otp", "transactional", "service", "promotional", NULL };
static const char *const channel_words[] = { "whatsapp", "sms", NULL };
static const char *const workspace_words[] = { "active", "suspended", "closed", NULL };
static const char *const sender_words[] = { "ready", "paused", "unverified", "deleted", NULL };
static const char *const template_words[] = { "none",         "approved",    "unknown",
                                              "not-approved", "not-matched", NULL };
static const char *const dlt_words[] = { "not-applicable",
                                         "ok",
                                         "no-entity",
                                         "entity-inactive",
                                         "header-unknown",
                                         "header-inactive",
                                         "template-unknown",
                                         "template-inactive",
                                         "not-mapped",
                                         "category",
                                         "not-matched",
                                         "variable",
                                         "link",
                                         "chain",
                                         NULL };
static const char *const suppression_words[] = { "none", "promotional", "all", NULL };
static const char *const consent_words[] = { "unknown", "granted", "withdrawn", NULL };
static const char *const consent_rule_words[] = { "unless-withdrawn", "required", NULL };
static const char *const dnd_words[] = { "not-applicable", "clear", "blocked", "unknown", "not-now", NULL };
static const char *const dnd_rule_words[] = { "when-known", "required", "off", NULL };
static const char *const window_words[] = { "not-applicable", "open", "closed", NULL };
static const char *const quota_words[] = { "within", "spent", NULL };
static const char *const credit_words[] = { "not-applicable", "enough", "spent", NULL };

static const struct policy_fact_row rows[] = {
#define FACT(number, name, word, kind, words) [number] = { word, kind, words },
#include "domain/policy/policy_fact.def"
#undef FACT
};
_Static_assert(COUNT_OF(rows) == POLICY_FACT_MAX + 1, "POLICY_FACT_MAX is the last fact's");

const struct policy_fact_row *
policy_fact_row(unsigned number)
{
    if (number >= COUNT_OF(rows))
        bug("no such fact");
    return &rows[number];
}

size_t
policy_fact_word_count(enum policy_fact fact)
{
    const char *const *words = policy_fact_row(fact)->words;
    size_t count = 0;

    while (words != NULL && words[count] != NULL)
        count++;
    return count;
}

const char *
policy_fact_word(enum policy_fact fact, int64_t value)
{
    return value >= 0 && (uint64_t)value < policy_fact_word_count(fact) ? rows[fact].words[value] : NULL;
}

static unsigned char *
varint_put(unsigned char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (unsigned char)(value | 0x80);
    *at++ = (unsigned char)value;
    return at;
}

static enum err
varint_take(struct slice *from, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_BYTES && i < from->len; i++) {
        unsigned char byte = (unsigned char)from->ptr[i];
        if (i == VARINT_BYTES - 1 && byte > 0) /* at most 63 bits: all that we put are signed */
            return ERR_DB_DATA;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *from = slice_drop(*from, i + 1);
            *out = value;
            return ERR_OK;
        }
    }
    return ERR_DB_DATA;
}

/* As it is packed: what does not fit the receipt's room is cut to what does. */
static uint64_t
value_pack(const struct policy_fact_row *row, int64_t value)
{
    if (value <= 0)
        return 0;
    switch (row->kind) {
    case POLICY_WORDS:
        return (uint64_t)value & 0x7f;
    case POLICY_COUNT:
        return value > POLICY_COUNT_MAX ? POLICY_COUNT_MAX : (uint64_t)value;
    case POLICY_TIME:
        return (uint64_t)value / US_PER_MS;
    }
    bug("no such kind of fact");
}

struct slice
policy_receipt_pack(const struct policy_receipt *receipt, unsigned char out[static POLICY_PACKED_MAX])
{
    unsigned char *at = out;

    *at++ = RECEIPT_VERSION;
    *at++ = (unsigned char)receipt->verdict.decision;
    *at++ = (unsigned char)receipt->verdict.rule;
    if (receipt->verdict.decision == POLICY_HOLD)
        at = varint_put(
            at, value_pack(&(struct policy_fact_row){ .kind = POLICY_TIME }, receipt->verdict.until.us));
    for (unsigned number = 1; number < COUNT_OF(rows); number++) {
        uint64_t value = rows[number].word == NULL ? 0 : value_pack(&rows[number], receipt->facts.of[number]);
        if (value == 0)
            continue;
        at = varint_put(at, number);
        at = varint_put(at, value);
    }
    return slice_of(out, (size_t)(at - out));
}

/* What a time is, in microseconds, when it is one. */
static enum err
time_unpack(uint64_t ms, int64_t *out)
{
    if (ms > INT64_MAX / US_PER_MS)
        return ERR_DB_DATA;
    *out = (int64_t)ms * US_PER_MS;
    return ERR_OK;
}

static enum err
fact_unpack(struct slice *packed, struct policy_facts *facts)
{
    uint64_t number = 0, value = 0;
    enum err err = varint_take(packed, &number);

    if (err == ERR_OK)
        err = varint_take(packed, &value);
    if (err != ERR_OK || number >= COUNT_OF(rows) || rows[number].word == NULL)
        return err;
    switch (rows[number].kind) {
    case POLICY_WORDS:
        if (policy_fact_word((enum policy_fact)number, (int64_t)value) == NULL)
            return ERR_DB_DATA;
        break;
    case POLICY_COUNT:
        if (value > POLICY_COUNT_MAX)
            return ERR_DB_DATA;
        break;
    case POLICY_TIME:
        return time_unpack(value, &facts->of[number]);
    }
    facts->of[number] = (int64_t)value;
    return ERR_OK;
}

enum err
policy_receipt_unpack(struct slice packed, struct policy_receipt *out)
{
    const unsigned char *head = (const unsigned char *)packed.ptr;
    uint64_t until = 0;
    enum err err = ERR_OK;

    *out = (struct policy_receipt){ .verdict.decision = POLICY_ALLOW };
    if (packed.len < 3 || head[0] != RECEIPT_VERSION || head[1] > POLICY_BLOCK)
        return ERR_DB_DATA;
    out->verdict.decision = (enum policy_decision)head[1];
    out->verdict.rule = (enum policy_rule)head[2];
    if ((policy_rule_word(out->verdict.rule) == NULL) != (out->verdict.decision == POLICY_ALLOW))
        return ERR_DB_DATA;
    packed = slice_drop(packed, 3);
    if (out->verdict.decision == POLICY_HOLD) {
        err = varint_take(&packed, &until);
        if (err == ERR_OK)
            err = time_unpack(until, &out->verdict.until.us);
    }
    while (err == ERR_OK && packed.len > 0)
        err = fact_unpack(&packed, &out->facts);
    return err;
}
