#include "wire/gsm/sms_text.h"
#include "core/attribute.h"

static size_t
header_bytes(enum sms_joining joining, bool is_joined, struct gsm7_alphabet tables)
{
    struct sms_udh udh = { .concat = !is_joined                   ? SMS_CONCAT_NONE
                                     : joining == SMS_JOIN_UDH_16 ? SMS_CONCAT_16
                                                                  : SMS_CONCAT_8,
                           .alphabet = tables };

    return sms_udh_bytes(&udh);
}

static size_t
units_max(enum sms_alphabet alphabet, size_t header)
{
    return alphabet == SMS_GSM7 ? (SMS_PART_BYTES - header) * 8 / 7 : (SMS_PART_BYTES - header) / 2;
}

/* 0: the alphabet does not have it. */
static size_t
units_of(const struct sms_text *text, uint32_t code_point)
{
    unsigned char septets[2];

    if (text->alphabet == SMS_UCS2)
        return code_point > 0xFFFF ? 2 : 1;
    return gsm7_from_code_point(text->tables, code_point, septets);
}

struct slice
sms_text_take_part(const struct sms_text *text, struct slice *rest)
{
    struct slice after = *rest, part = *rest;
    size_t units = 0;
    uint32_t point;

    while (slice_utf8_take(&after, &point)) {
        units += units_of(text, point);
        if (units > text->part_units_max)
            break;
        *rest = after;
    }
    part.len -= rest->len;
    return part;
}

/* false: there is a character that the alphabet lacks; `beyond` says which. */
static bool
count_units(struct sms_text *text, struct slice from, uint32_t *beyond)
{
    uint32_t point;

    text->units = 0;
    while (slice_utf8_take(&from, &point)) {
        size_t units = units_of(text, point);
        if (units == 0) {
            *beyond = point;
            return false;
        }
        text->units += units;
    }
    return true;
}

static void
count_parts(struct sms_text *text, struct slice from, enum sms_joining joining)
{
    text->part_units_max = units_max(text->alphabet, header_bytes(joining, false, text->tables));
    text->part_count = 1;
    if (text->units <= text->part_units_max)
        return;
    text->part_units_max = units_max(text->alphabet, header_bytes(joining, true, text->tables));
    text->part_count = 0;
    while (from.len > 0) {
        (void)sms_text_take_part(text, &from);
        text->part_count++;
    }
}

/* Of what is better by parts, then by units. */
static void
try_tables(struct sms_text *best, bool *has_best, struct slice from, const struct sms_rules *rules,
           struct gsm7_alphabet tables)
{
    struct sms_text other = { .alphabet = SMS_GSM7, .tables = tables };
    uint32_t beyond;

    if (!count_units(&other, from, &beyond))
        return;
    count_parts(&other, from, rules->joining);
    if (*has_best && (other.part_count > best->part_count ||
                      (other.part_count == best->part_count && other.units >= best->units)))
        return;
    *best = other;
    *has_best = true;
}

enum err
sms_text_measure(struct slice text, const struct sms_rules *rules, struct sms_text *out)
{
    uint32_t beyond = 0;

    if (!slice_is_utf8(text))
        return ERR_UTF8;
    *out = (struct sms_text){ .alphabet = SMS_GSM7 };
    if (!count_units(out, text, &beyond)) {
        struct sms_text national;
        bool has_national = false;
        *out = (struct sms_text){ .alphabet = SMS_UCS2, .beyond_gsm7 = beyond };
        (void)count_units(out, text, &beyond); /* it has them all */
        count_parts(out, text, rules->joining);
        for (unsigned i = GSM7_TURKISH; i < GSM7_LANGUAGES; i++) {
            enum gsm7_language language = (enum gsm7_language)i;
            if ((rules->languages & 1u << i) == 0)
                continue;
            try_tables(&national, &has_national, text, rules,
                       (struct gsm7_alphabet){ GSM7_DEFAULT, language });
            if (gsm7_has_locking_table(language))
                try_tables(&national, &has_national, text, rules,
                           (struct gsm7_alphabet){ language, language });
        }
        if (has_national && national.part_count < out->part_count)
            *out = national;
    } else {
        count_parts(out, text, rules->joining);
    }
    return out->part_count > rules->parts_max ? ERR_LIMIT : ERR_OK;
}

void
sms_text_encode(const struct sms_text *text, struct slice part, struct buf *out)
{
    uint32_t point;

    while (slice_utf8_take(&part, &point)) {
        unsigned char septets[2];
        if (text->alphabet == SMS_GSM7) {
            buf_add(out, slice_of(septets, gsm7_from_code_point(text->tables, point, septets)));
        } else if (point > 0xFFFF) {
            buf_add_u16be(out, (uint16_t)(0xD800 + ((point - 0x10000) >> 10)));
            buf_add_u16be(out, (uint16_t)(0xDC00 + ((point - 0x10000) & 0x3FF)));
        } else {
            buf_add_u16be(out, (uint16_t)point);
        }
    }
}
