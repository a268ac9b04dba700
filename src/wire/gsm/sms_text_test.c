/* How a text is counted and cut: the figures of TS 23.038 and 23.040, and what holds for any text. */
#include "core/unit.h"
#include "wire/gsm/sms_coding.h"
#include "wire/gsm/sms_text.h"
#include <stdlib.h>

static char room[8192];

/* `count` times one text, then another one. */
static struct slice
repeat(const char *text, size_t count, const char *then)
{
    size_t len = strlen(text), at = 0;

    for (size_t i = 0; i < count; i++, at += len)
        memcpy(room + at, text, len);
    memcpy(room + at, then, strlen(then));
    return slice_of(room, at + strlen(then));
}

static struct sms_text
measure(struct slice text, enum sms_joining joining)
{
    struct sms_rules rules = { .joining = joining, .parts_max = SMS_PARTS_MAX };
    struct sms_text out;

    assert_ok(sms_text_measure(text, &rules, &out));
    return out;
}

static void
parts_are_as_many_as_the_standard_makes(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t count;
        const char *then;
        enum sms_joining joining;
        size_t units, parts, each;
    } rows[] = {
        { "a", 0, "", SMS_JOIN_UDH_8, 0, 1, 160 },       { "a", 160, "", SMS_JOIN_UDH_8, 160, 1, 160 },
        { "a", 161, "", SMS_JOIN_UDH_8, 161, 2, 153 },   { "a", 306, "", SMS_JOIN_UDH_8, 306, 2, 153 },
        { "a", 307, "", SMS_JOIN_UDH_8, 307, 3, 153 },   { "a", 305, "", SMS_JOIN_UDH_16, 305, 3, 152 },
        { "a", 161, "", SMS_JOIN_UDH_16, 161, 2, 152 },  { "a", 161, "", SMS_JOIN_SAR, 161, 2, 153 },
        { "a", 161, "", SMS_JOIN_PAYLOAD, 161, 2, 153 }, { "€", 80, "", SMS_JOIN_UDH_8, 160, 1, 160 },
        { "€", 80, "a", SMS_JOIN_UDH_8, 161, 2, 153 },   { "क", 70, "", SMS_JOIN_UDH_8, 70, 1, 70 },
        { "क", 71, "", SMS_JOIN_UDH_8, 71, 2, 67 },      { "क", 134, "", SMS_JOIN_UDH_8, 134, 2, 67 },
        { "क", 135, "", SMS_JOIN_UDH_8, 135, 3, 67 },    { "क", 71, "", SMS_JOIN_UDH_16, 71, 2, 66 },
        { "😀", 35, "", SMS_JOIN_UDH_8, 70, 1, 70 },      { "😀", 36, "", SMS_JOIN_UDH_8, 72, 2, 67 },
        { "a", 69, "₹", SMS_JOIN_UDH_8, 70, 1, 70 },     { "a\r\n", 53, "", SMS_JOIN_UDH_8, 159, 1, 160 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sms_text text = measure(repeat(rows[i].text, rows[i].count, rows[i].then), rows[i].joining);
        if (text.units != rows[i].units || text.part_count != rows[i].parts ||
            text.part_units_max != rows[i].each)
            fail_msg("row %zu: %zu units, %zu parts of %zu", i, text.units, text.part_count,
                     text.part_units_max);
    }
}

static void
no_pair_is_cut_in_two(void **state UNUSED)
{
    struct slice first = repeat("a", 152, "€");
    memset(room + first.len, 'b', 152);
    struct sms_text text = measure(slice_of(room, first.len + 152), SMS_JOIN_UDH_8);
    assert_int_equal(text.units, 306);
    assert_int_equal(text.part_count, 3);
    struct slice rest = slice_of(room, first.len + 152);
    assert_int_equal(sms_text_take_part(&text, &rest).len, 152);
    assert_int_equal(sms_text_take_part(&text, &rest).len, 3 + 151);
    assert_int_equal(sms_text_take_part(&text, &rest).len, 1);
    assert_int_equal(rest.len, 0);

    first = repeat("क", 66, "😀");
    for (size_t i = 0; i < 66; i++)
        memcpy(room + first.len + 3 * i, "ख", 3);
    text = measure(slice_of(room, first.len + 198), SMS_JOIN_UDH_8);
    assert_int_equal(text.units, 134);
    assert_int_equal(text.part_count, 3);
    assert_int_equal(text.beyond_gsm7, 0x915);
}

static void
a_national_table_is_used_where_it_is_allowed_and_saves_a_part(void **state UNUSED)
{
    struct slice hindi = repeat("नमस्ते ", 15, ""); /* 105 units: two parts of UCS-2 */
    struct sms_rules rules = { .joining = SMS_JOIN_UDH_8, .parts_max = 10 };
    struct sms_text text;

    assert_ok(sms_text_measure(hindi, &rules, &text));
    assert_int_equal(text.alphabet, SMS_UCS2);
    assert_int_equal(text.part_count, 2);
    rules.languages = 1u << GSM7_TAMIL | 1u << GSM7_HINDI;
    assert_ok(sms_text_measure(hindi, &rules, &text));
    assert_int_equal(text.alphabet, SMS_GSM7);
    assert_int_equal(text.tables.locking, GSM7_HINDI);
    assert_int_equal(text.part_count, 1);
    assert_int_equal(text.part_units_max, 152); /* 140 - 7 octets */
    struct slice turkish = repeat("şimdi ", 15, "");
    rules.languages = 1u << GSM7_TURKISH;
    assert_ok(sms_text_measure(turkish, &rules, &text));
    assert_int_equal(text.tables.locking, GSM7_TURKISH); /* one septet each, not two */
    turkish = repeat("a", 100, "ş");
    assert_ok(sms_text_measure(turkish, &rules, &text));
    assert_int_equal(text.tables.locking, GSM7_TURKISH);
    assert_ok(sms_text_measure(SLICE("ş"), &rules, &text)); /* nothing is saved */
    assert_int_equal(text.alphabet, SMS_UCS2);
    rules.languages = 1u << GSM7_SPANISH;
    assert_ok(sms_text_measure(repeat("a", 100, "á"), &rules, &text));
    assert_int_equal(text.tables.locking, GSM7_DEFAULT);
    assert_int_equal(text.tables.single, GSM7_SPANISH);
    assert_int_equal(text.part_units_max, 155); /* 140 - 4 octets */
}

static void
too_many_parts_are_counted_and_refused(void **state UNUSED)
{
    struct sms_rules rules = { .parts_max = 2 };
    struct sms_text text;

    assert_int_equal(sms_text_measure(repeat("a", 307, ""), &rules, &text), ERR_LIMIT);
    assert_int_equal(text.part_count, 3);
    assert_int_equal(sms_text_measure(SLICE("\xC3"), &rules, &text), ERR_UTF8);
}

/* A seeded text of letters of every sort, as long as `len` of them. */
static struct slice
any_text(unsigned seed, size_t len)
{
    static const char *const letters[] = { "a",  "Z", "€", "[", "é", "क", "😀",
                                           "\n", "ş", "ı", "₹", "த", "~", "0" };
    unsigned state = seed * 2654435761u + 1;
    size_t at = 0, kinds = 1 + seed % COUNT_OF(letters);

    for (size_t i = 0; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        const char *letter = letters[(state >> 16) % kinds];
        memcpy(room + at, letter, strlen(letter));
        at += strlen(letter);
    }
    return slice_of(room, at);
}

/* Whatever the text and the rules: the parts are as many as was said, none is too long, and read as the text.
 */
static void
parts_read_as_the_text_they_were_cut_from(void **state UNUSED)
{
    for (unsigned seed = 0; seed < 600; seed++) {
        struct slice whole = any_text(seed, seed * 7 % 700), rest = whole;
        struct sms_rules rules = { .joining = (enum sms_joining)(seed % 4),
                                   .languages = seed % 3 == 0   ? ~1u
                                                : seed % 3 == 1 ? 0
                                                                : 1u << (seed % 14),
                                   .parts_max = SMS_PARTS_MAX };
        struct sms_text text;
        struct buf octets, back;
        size_t parts = 0, units = 0;
        buf_init(&octets, 1000);
        buf_init(&back, 8192);
        assert_ok(sms_text_measure(whole, &rules, &text));
        do {
            struct slice part = sms_text_take_part(&text, &rest);
            buf_clear(&octets);
            sms_text_encode(&text, part, &octets);
            size_t count = buf_slice(&octets).len / (text.alphabet == SMS_UCS2 ? 2 : 1);
            assert_true(count <= text.part_units_max);
            units += count;
            parts++;
            sms_decode(buf_slice(&octets), text.alphabet == SMS_UCS2 ? SMS_CODING_UCS2 : SMS_CODING_GSM7,
                       text.tables, &back);
        } while (rest.len > 0);
        assert_int_equal(parts, text.part_count);
        assert_int_equal(units, text.units);
        assert_true(slice_eq(buf_slice(&back), whole));
        buf_release(&octets);
        buf_release(&back);
    }
}

UNIT_MAIN(cmocka_unit_test(parts_are_as_many_as_the_standard_makes), cmocka_unit_test(no_pair_is_cut_in_two),
          cmocka_unit_test(a_national_table_is_used_where_it_is_allowed_and_saves_a_part),
          cmocka_unit_test(too_many_parts_are_counted_and_refused),
          cmocka_unit_test(parts_read_as_the_text_they_were_cut_from))
