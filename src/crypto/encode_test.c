#include "core/unit.h"
#include "crypto/encode.h"
#include <stdlib.h>

/* Decodes into exactly the room that the header asks for. */
static enum err
decode_text(enum err (*decode)(struct slice, unsigned char *, size_t *), struct slice text, struct buf *out)
{
    unsigned char *room = malloc(text.len / 4 * 3 + 3);
    size_t len = 4711;

    assert_non_null(room);
    enum err err = decode(text, room, &len);
    if (err == ERR_OK)
        buf_add(out, slice_of(room, len));
    else
        assert_int_equal(len, 4711);
    free(room);
    return err;
}

static void
assert_text(struct buf *got, const char *want)
{
    assert_ok(buf_done(got));
    if (!slice_eq(buf_slice(got), slice_text(want)))
        fail_msg("got %.*s, want %s", SLICE_FMT(buf_slice(got)), want);
    buf_clear(got);
}

/* RFC 4648, 10, without its padding; the last is a secret of one-time codes as applications show it. */
static void
base32_is_written_as_published(void **state UNUSED)
{
    static const struct {
        const char *plain, *text;
    } rows[] = { { "", "" },
                 { "f", "MY" },
                 { "fo", "MZXQ" },
                 { "foo", "MZXW6" },
                 { "foob", "MZXW6YQ" },
                 { "fooba", "MZXW6YTB" },
                 { "foobar", "MZXW6YTBOI" },
                 { "12345678901234567890", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" } };
    struct buf out;

    buf_init(&out, 100);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        encode_base32(&out, slice_text(rows[i].plain));
        assert_text(&out, rows[i].text);
    }
    buf_release(&out);
}

/* RFC 4648, 10 */
static void
the_published_vectors_hold_both_ways(void **state UNUSED)
{
    static const struct {
        const char *plain, *base64, *base64url, *hex;
    } rows[] = {
        { "", "", "", "" },
        { "f", "Zg==", "Zg", "66" },
        { "fo", "Zm8=", "Zm8", "666f" },
        { "foo", "Zm9v", "Zm9v", "666f6f" },
        { "foob", "Zm9vYg==", "Zm9vYg", "666f6f62" },
        { "fooba", "Zm9vYmE=", "Zm9vYmE", "666f6f6261" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172" },
        { "\xFB\xFF\xBF", "+/+/", "-_-_", "fbffbf" },
        { "\xFF\xFE", "//4=", "__4", "fffe" },
    };
    struct buf out;

    buf_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice plain = slice_text(rows[i].plain);
        unsigned char bytes[8];
        encode_base64(&out, plain);
        assert_text(&out, rows[i].base64);
        encode_base64url(&out, plain);
        assert_text(&out, rows[i].base64url);
        encode_hex(&out, plain);
        assert_text(&out, rows[i].hex);
        assert_ok(decode_text(decode_base64, slice_text(rows[i].base64), &out));
        assert_text(&out, rows[i].plain);
        assert_ok(decode_text(decode_base64url, slice_text(rows[i].base64url), &out));
        assert_text(&out, rows[i].plain);
        assert_ok(decode_hex(slice_text(rows[i].hex), bytes, plain.len));
        assert_true(slice_eq(slice_of(bytes, plain.len), plain));
    }
    buf_release(&out);
}

static void
every_length_and_octet_comes_back(void **state UNUSED)
{
    unsigned char bytes[256], back[256];
    struct buf text, out;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 167 + 13); /* each value once */
    buf_init(&text, 1000);
    buf_init(&out, 1000);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct slice plain = slice_of(bytes + sizeof(bytes) - len, len);
        encode_base64(&text, plain);
        assert_int_equal(buf_slice(&text).len, (len + 2) / 3 * 4);
        assert_ok(decode_text(decode_base64, buf_slice(&text), &out));
        assert_true(slice_eq(buf_slice(&out), plain));
        buf_clear(&text);
        buf_clear(&out);
        encode_base64url(&text, plain);
        assert_int_equal(buf_slice(&text).len, (len * 8 + 5) / 6);
        assert_ok(decode_text(decode_base64url, buf_slice(&text), &out));
        assert_true(slice_eq(buf_slice(&out), plain));
        buf_clear(&text);
        buf_clear(&out);
        encode_hex(&text, plain);
        assert_int_equal(buf_slice(&text).len, len * 2);
        assert_ok(decode_hex(buf_slice(&text), back, len));
        assert_true(slice_eq(slice_of(back, len), plain));
        buf_clear(&text);
    }
    buf_release(&text);
    buf_release(&out);
}

static void
what_is_no_base64_is_refused(void **state UNUSED)
{
    const struct {
        struct slice text;
        bool is_plain, is_url;
    } rows[] = {
        { SLICE("Zg=="), true, true },
        { SLICE("Zg"), true, true },      /* padding may be missing ... */
        { SLICE("Zg="), false, false },   /* ... not half of it ... */
        { SLICE("Zg==="), false, false }, /* ... nor be more */
        { SLICE("Zm8=="), false, false },
        { SLICE("Zm9v="), false, false },
        { SLICE("Zm9v===="), false, false },
        { SLICE("="), false, false },
        { SLICE("=="), false, false },
        { SLICE("===="), false, false },
        { SLICE("Z==="), false, false },
        { SLICE("Z"), false, false },
        { SLICE("Zm9vZ"), false, false },
        { SLICE("A"), false, false }, /* six bits are no octet, also when they are zero */
        { SLICE("Zm9vA"), false, false },
        { SLICE("Z=g="), false, false },
        { SLICE("Zg==Zg=="), false, false },
        { SLICE("Zh=="), false, false }, /* spare bits that are not zero */
        { SLICE("Zh"), false, false },
        { SLICE("Zm9="), false, false },
        { SLICE("Zm9vZ/=="), false, false },
        { SLICE("+/+/"), true, false },
        { SLICE("-_-_"), false, true },
        { SLICE("+_+_"), false, false },
        { SLICE(" Zg=="), false, false },
        { SLICE("Zg==\n"), false, false },
        { SLICE("Zm 9v"), false, false },
        { SLICE("Zm\r\n"), false, false },
        { SLICE("Zm9\0"), false, false },
        { SLICE("Zm9\xC3"), false, false },
        { SLICE("Zm9."), false, false },
    };
    struct buf out;

    buf_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum err plain = decode_text(decode_base64, rows[i].text, &out);
        enum err url = decode_text(decode_base64url, rows[i].text, &out);
        if (plain != (rows[i].is_plain ? ERR_OK : ERR_ENCODING) ||
            url != (rows[i].is_url ? ERR_OK : ERR_ENCODING))
            fail_msg("row %zu: %s", i, rows[i].text.ptr);
    }
    buf_release(&out);
}

/* All texts of two octets and, over some letters, of three and four: those that decode have no second
 * spelling. */
static void
no_octets_have_two_spellings(void **state UNUSED)
{
    static const char letters[] = "AQgwZ9+/=-_ ";
    struct buf out, again;
    size_t good = 0;

    buf_init(&out, 100);
    buf_init(&again, 100);
    for (unsigned n = 0; n < 65536 + 12 * 12 * 12 * 13; n++) {
        char text[4] = { (char)(n >> 8), (char)n, 0, 0 };
        size_t len = 2;
        if (n >= 65536) {
            unsigned rest = n - 65536;
            for (len = 0; len < 3; len++, rest /= 12)
                text[len] = letters[rest % 12];
            if (rest < 12)
                text[len++] = letters[rest];
        }
        if (decode_text(decode_base64, slice_of(text, len), &out) == ERR_OK) {
            good++;
            encode_base64(&again, buf_slice(&out));
            struct slice spelling = buf_slice(&again);
            while (!slice_eq(spelling, slice_of(text, len)) && slice_ends_with(spelling, SLICE("=")))
                spelling.len--;
            assert_true(slice_eq(spelling, slice_of(text, len)));
        }
        buf_clear(&out);
        buf_clear(&again);
    }
    assert_true(good > 64 * 4); /* each two letters whose last four bits are zero, and more */
    buf_release(&out);
    buf_release(&again);
}

static void
hexadecimal_is_read_in_both_cases_and_exact_length(void **state UNUSED)
{
    unsigned char out[4] = { 9, 9, 9, 9 };

    assert_ok(decode_hex(SLICE("00fFAb"), out, 3));
    assert_memory_equal(out, "\x00\xFF\xAB\x09", 4);
    assert_ok(decode_hex(SLICE(""), out, 0));
    const struct slice bad[] = { SLICE(""),        SLICE("00"),       SLICE("00ff"),   SLICE("00ffa"),
                                 SLICE("00ffab0"), SLICE("00ffabcd"), SLICE("0xffab"), SLICE("00ff g"),
                                 SLICE("00ffag"),  SLICE("00ffa\0"),  SLICE(" 0ffab") };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(decode_hex(bad[i], out, 3), ERR_ENCODING);
    assert_int_equal(decode_hex(SLICE("00"), out, SIZE_MAX / 2 + 2),
                     ERR_ENCODING); /* twice this wraps to 2 */
    assert_int_equal(out[3], 9);
}

static void
a_full_buffer_is_reported_by_the_buffer(void **state UNUSED)
{
    struct buf out;

    buf_init(&out, 7);
    encode_base64(&out, SLICE("foobar"));
    assert_int_equal(buf_done(&out), ERR_LIMIT);
    buf_clear(&out);
    encode_hex(&out, SLICE("foob"));
    assert_int_equal(buf_done(&out), ERR_LIMIT);
    buf_release(&out);
}

UNIT_MAIN(cmocka_unit_test(base32_is_written_as_published),
          cmocka_unit_test(the_published_vectors_hold_both_ways),
          cmocka_unit_test(every_length_and_octet_comes_back), cmocka_unit_test(what_is_no_base64_is_refused),
          cmocka_unit_test(no_octets_have_two_spellings),
          cmocka_unit_test(hexadecimal_is_read_in_both_cases_and_exact_length),
          cmocka_unit_test(a_full_buffer_is_reported_by_the_buffer))
