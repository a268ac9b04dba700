/* Cells are checked against what TS 23.038 prints; the shape of all tables against what holds for each. */
#include "core/unit.h"
#include "wire/gsm/gsm7_table.h"

static struct gsm7_alphabet
alphabet(unsigned locking, unsigned single)
{
    return (struct gsm7_alphabet){ (enum gsm7_language)locking, (enum gsm7_language)single };
}

static void
the_default_alphabet_is_the_printed_one(void **state UNUSED)
{
    /* Row by row; the two cells that text cannot show here are tried below. */
    const struct slice rows[] = { SLICE("@£$¥èéùìòÇ\nØø\rÅå"), SLICE("Δ_ΦΓΛΩΠΨΣΘΞ"),
                                  SLICE(" !\"#¤%&'()*+,-./"),  SLICE("0123456789:;<=>?"),
                                  SLICE("¡ABCDEFGHIJKLMNO"),   SLICE("PQRSTUVWXYZÄÖÑÜ§"),
                                  SLICE("¿abcdefghijklmno"),   SLICE("pqrstuvwxyzäöñüà") };
    unsigned char out[2];

    for (unsigned row = 0; row < COUNT_OF(rows); row++) {
        struct slice rest = rows[row];
        uint32_t point;
        for (unsigned column = 0; slice_utf8_take(&rest, &point); column++) {
            assert_int_equal(gsm7_from_code_point(alphabet(0, 0), point, out), 1);
            assert_int_equal(out[0], 16 * row + column);
            struct slice septet = slice_of(out, 1);
            assert_int_equal(gsm7_take(alphabet(0, 0), &septet), point);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(
            gsm7_from_code_point(alphabet(0, 0), (const uint16_t[]){ 0xC6, 0xE6, 0xDF, 0xC9 }[i], out), 1);
        assert_int_equal(out[0], 0x1C + i);
    }
}

static void
the_extension_costs_an_escape(void **state UNUSED)
{
    static const struct {
        uint32_t point;
        unsigned char septet;
    } rows[] = { { '\f', 0x0A }, { '^', 0x14 }, { '{', 0x28 }, { '}', 0x29 }, { '\\', 0x2F },
                 { '[', 0x3C },  { '~', 0x3D }, { ']', 0x3E }, { '|', 0x40 }, { 0x20AC, 0x65 } };
    unsigned char out[2];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(gsm7_from_code_point(alphabet(0, 0), rows[i].point, out), 2);
        assert_int_equal(out[0], GSM7_ESCAPE);
        assert_int_equal(out[1], rows[i].septet);
        struct slice septets = slice_of(out, 2);
        assert_int_equal(gsm7_take(alphabet(0, 0), &septets), rows[i].point);
        assert_int_equal(septets.len, 0);
    }
    static const uint32_t never[] = { 0x20B9, '`',   '\t',  0xA0,    0x2019, 0x2013, 0x2026,  0xE1,
                                      0xE7,   0x391, 0x939, 0x1F600, 0,      0x1B,   0x110000 };
    for (size_t i = 0; i < COUNT_OF(never); i++)
        assert_int_equal(gsm7_from_code_point(alphabet(0, 0), never[i], out), 0);
}

/* Two cells of each language's tables, and one that only its tables have. */
static void
national_tables_have_their_letters(void **state UNUSED)
{
    static const struct {
        unsigned language;
        bool is_single;
        unsigned char septet;
        uint16_t point;
    } rows[] = {
        { GSM7_TURKISH, false, 0x07, 0x131 },   { GSM7_TURKISH, false, 0x40, 0x130 },
        { GSM7_TURKISH, true, 0x73, 0x15F },    { GSM7_SPANISH, true, 0x6F, 0xF3 },
        { GSM7_SPANISH, true, 0x09, 0xE7 },     { GSM7_PORTUGUESE, false, 0x15, 0x221E },
        { GSM7_PORTUGUESE, false, 0x7D, '`' },  { GSM7_PORTUGUESE, true, 0x7F, 0xE2 },
        { GSM7_BENGALI, false, 0x00, 0x981 },   { GSM7_BENGALI, false, 0x46, 0x9B2 },
        { GSM7_BENGALI, true, 0x19, 0x9E6 },    { GSM7_BENGALI, true, 0x34, 0x9FA },
        { GSM7_GUJARATI, false, 0x57, 0xAC5 },  { GSM7_GUJARATI, true, 0x1C, 0xAE6 },
        { GSM7_HINDI, false, 0x0E, 0x90E },     { GSM7_HINDI, false, 0x7C, 0x97B },
        { GSM7_HINDI, true, 0x3B, 0 },          { GSM7_HINDI, true, 0x3A, 0x971 },
        { GSM7_KANNADA, false, 0x02, 0xC83 },   { GSM7_KANNADA, true, 0x2A, 0xCF2 },
        { GSM7_MALAYALAM, false, 0x48, 0xD34 }, { GSM7_MALAYALAM, true, 0x2E, 0xD7A },
        { GSM7_ORIYA, false, 0x60, 0xB56 },     { GSM7_ORIYA, true, 0x27, 0xB5D },
        { GSM7_PUNJABI, false, 0x7F, 0xA74 },   { GSM7_PUNJABI, true, 0x2D, 0xA75 },
        { GSM7_TAMIL, false, 0x3C, 0xBA9 },     { GSM7_TAMIL, false, 0x15, 0xB95 },
        { GSM7_TAMIL, true, 0x2E, 0xBFA },      { GSM7_TELUGU, false, 0x08, 0xC0A },
        { GSM7_TELUGU, true, 0x1C, 0xC66 },     { GSM7_TELUGU, true, 0x19, 0 },
        { GSM7_URDU, false, 0x00, 0x627 },      { GSM7_URDU, false, 0x5F, 0x657 },
        { GSM7_URDU, true, 0x3F, 0x6D4 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct gsm7_table table;
        if (rows[i].is_single)
            gsm7_single_table((enum gsm7_language)rows[i].language, &table);
        else
            gsm7_locking_table((enum gsm7_language)rows[i].language, &table);
        if (table.code_points[rows[i].septet] != rows[i].point)
            fail_msg("language %u, cell %02X: U+%04X", rows[i].language, rows[i].septet,
                     table.code_points[rows[i].septet]);
    }
}

/* Digits, small letters, line ends and the escape are where they are in every alphabet; no letter stands
 * twice. */
static void
what_all_tables_share_is_where_it_was(void **state UNUSED)
{
    for (unsigned language = 0; language < GSM7_LANGUAGES; language++) {
        struct gsm7_table locking, single;
        gsm7_locking_table((enum gsm7_language)language, &locking);
        gsm7_single_table((enum gsm7_language)language, &single);
        for (unsigned c = '0'; c <= '9'; c++)
            assert_int_equal(locking.code_points[c], c);
        for (unsigned c = 'a'; c <= 'z'; c++)
            assert_int_equal(locking.code_points[c], c);
        assert_int_equal(locking.code_points['\n'], '\n');
        assert_int_equal(locking.code_points['\r'], '\r');
        assert_int_equal(locking.code_points[' '], ' ');
        assert_int_equal(single.code_points[0x65], 0x20AC);
        assert_int_equal(single.code_points[GSM7_ESCAPE], 0);
        for (unsigned a = 0; a < 128; a++)
            for (unsigned b = 0; b < a; b++)
                if (locking.code_points[a] != 0 && locking.code_points[a] == locking.code_points[b])
                    fail_msg("language %u: U+%04X at %02X and %02X", language, locking.code_points[a], b, a);
    }
}

/* Whatever a cell shows is written so that it is read as the same again. */
static void
what_is_read_is_written_the_same_again(void **state UNUSED)
{
    for (unsigned locking = 0; locking < GSM7_LANGUAGES; locking++)
        for (unsigned single = 0; single < GSM7_LANGUAGES; single++)
            for (unsigned octet = 0; octet < 256; octet++) {
                unsigned char wire[2] = { GSM7_ESCAPE, (unsigned char)octet }, out[2];
                struct gsm7_alphabet both = alphabet(locking, single);
                for (unsigned is_escaped = 0; is_escaped < 2; is_escaped++) {
                    struct slice rest = slice_of(wire + !is_escaped, 1 + is_escaped);
                    uint32_t point = gsm7_take(both, &rest);
                    assert_int_equal(rest.len, 0);
                    size_t count = gsm7_from_code_point(both, point, out);
                    if (point == 0xFFFD)
                        continue;
                    assert_true(count == 1 || count == 2);
                    rest = slice_of(out, count);
                    assert_int_equal(gsm7_take(both, &rest), point);
                }
            }
}

static void
an_escape_without_a_meaning_loses_nothing_behind_it(void **state UNUSED)
{
    struct slice septets = SLICE("\x1B\x61\x1B\x1B\x62\x1B");
    const uint32_t read[] = { 'a', ' ', 'b', ' ' };

    for (size_t i = 0; i < COUNT_OF(read); i++)
        assert_int_equal(gsm7_take(alphabet(0, 0), &septets), read[i]);
    assert_int_equal(septets.len, 0);
    septets = SLICE("\x80");
    assert_int_equal(gsm7_take(alphabet(0, 0), &septets), 0xFFFD);
    enum gsm7_language language;
    assert_false(gsm7_language_read(14, &language));
    assert_true(gsm7_language_read(6, &language) && language == GSM7_HINDI);
    assert_false(gsm7_has_locking_table(GSM7_SPANISH));
}

/* "hellohello" is the usual example: E8329BFD4697D9EC37. */
static void
eight_septets_go_in_seven_octets(void **state UNUSED)
{
    struct buf packed, back;

    buf_init(&packed, 200);
    buf_init(&back, 200);
    gsm7_pack(SLICE("hellohello"), 0, &packed);
    assert_ok(buf_done(&packed));
    assert_true(slice_eq(buf_slice(&packed), SLICE("\xE8\x32\x9B\xFD\x46\x97\xD9\xEC\x37")));
    for (unsigned fill = 0; fill < 7; fill++)
        for (size_t count = 0; count <= 160; count++) {
            unsigned char septets[160];
            for (size_t i = 0; i < count; i++)
                septets[i] = (unsigned char)((i * 37 + count + fill) & 0x7F);
            buf_clear(&packed);
            buf_clear(&back);
            gsm7_pack(slice_of(septets, count), fill, &packed);
            assert_ok(buf_done(&packed));
            assert_int_equal(buf_slice(&packed).len, count == 0 ? 0 : (fill + 7 * count + 7) / 8);
            assert_ok(gsm7_unpack(buf_slice(&packed), count, fill, &back));
            assert_true(slice_eq(buf_slice(&back), slice_of(septets, count)));
            size_t room = count == 0 ? 0 : (buf_slice(&packed).len * 8 - fill) / 7;
            assert_int_equal(gsm7_unpack(buf_slice(&packed), room + 1, fill, &back), ERR_ENCODING);
        }
    assert_int_equal(gsm7_unpack(SLICE("1234567"), SIZE_MAX, 0, &back), ERR_ENCODING);
    buf_release(&packed);
    buf_release(&back);
}

UNIT_MAIN(cmocka_unit_test(the_default_alphabet_is_the_printed_one),
          cmocka_unit_test(the_extension_costs_an_escape),
          cmocka_unit_test(national_tables_have_their_letters),
          cmocka_unit_test(what_all_tables_share_is_where_it_was),
          cmocka_unit_test(what_is_read_is_written_the_same_again),
          cmocka_unit_test(an_escape_without_a_meaning_loses_nothing_behind_it),
          cmocka_unit_test(eight_septets_go_in_seven_octets))
