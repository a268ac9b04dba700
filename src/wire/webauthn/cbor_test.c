#include "core/unit.h"
#include "wire/webauthn/cbor.h"

static void
integers_are_read_in_their_shortest_form(void **state UNUSED)
{
    const struct {
        struct slice wire;
        int64_t number;
    } rows[] = { /* RFC 8949, appendix A */
                 { SLICE("\x00"), 0 },
                 { SLICE("\x17"), 23 },
                 { SLICE("\x18\x18"), 24 },
                 { SLICE("\x18\xff"), 255 },
                 { SLICE("\x19\x01\x00"), 256 },
                 { SLICE("\x1a\x00\x0f\x42\x40"), 1000000 },
                 { SLICE("\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00"), 1000000000000 },
                 { SLICE("\x1b\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX },
                 { SLICE("\x20"), -1 },
                 { SLICE("\x38\x63"), -100 },
                 { SLICE("\x39\x01\x00"), -257 },
                 { SLICE("\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MIN }
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice input = rows[i].wire;
        int64_t number = 0;
        assert_ok(cbor_take_int(&input, &number));
        assert_true(number == rows[i].number);
        assert_int_equal(input.len, 0);
    }
}

static void
what_is_not_in_the_form_is_refused(void **state UNUSED)
{
    const struct slice rows[] = {
        SLICE(""),
        SLICE("\x18\x17"),                             /* 23, longer than it needs */
        SLICE("\x19\x00\xff"),                         /* 255, likewise */
        SLICE("\x1a\x00\x00\xff\xff"),                 /* 65535 */
        SLICE("\x1b\x00\x00\x00\x00\xff\xff\xff\xff"), /* 2^32 - 1 */
        SLICE("\x19\x01"),                             /* cut short */
        SLICE("\x1c"),                                 /* reserved */
        SLICE("\x5f\x41x\xff"),                        /* indefinite bytes */
        SLICE("\x7f\x61x\xff"),
        SLICE("\x9f\xff"),
        SLICE("\xbf\xff"),
        SLICE("\xff"),
        SLICE("\xc0\x60"),             /* a tag */
        SLICE("\xf9\x3c\x00"),         /* 1.0 */
        SLICE("\xfa\x47\xc3\x50\x00"), /* 100000.0 */
        SLICE("\xf7"),                 /* undefined */
        SLICE("\xe0"),                 /* simple(0) */
        SLICE("\xf8\xff"),             /* simple(255) */
        SLICE("\x62\xc3\x28"),         /* no UTF-8 */
        SLICE("\x43zz"),               /* fewer octets than it says */
        SLICE("\x5b\xff\xff\xff\xff\xff\xff\xff\xff"),
        SLICE("\x9a\x40\x00\x00\x00"), /* 2^30 elements: what makes others take 8 GB */
        SLICE("\x98\x41"),             /* 65 elements */
        SLICE("\x82\x01"),             /* one of two elements */
        SLICE("\xa1\x01"),             /* a key without its value */
        SLICE("\xa2\x01\x02\x01\x03"), /* a key twice */
        SLICE("\xa2\x61"
              "a\x02\x61"
              "a\x03"),                    /* likewise */
        SLICE("\x81\x81\x81\x81\x80"),     /* five deep */
        SLICE("\xa1\x81\x81\x81\xa0\x01"), /* as a key */
        SLICE("\x81\x18\x00"),             /* within */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice input = rows[i], whole = SLICE_EMPTY;
        assert_int_equal(cbor_take_whole(&input, &whole), ERR_ENCODING);
        assert_true(input.ptr == rows[i].ptr && input.len == rows[i].len);
    }
}

static void
a_whole_item_ends_where_it_ends(void **state UNUSED)
{
    const struct slice rows[] = {
        SLICE("\x81\x81\x81\x80"), /* four deep */
        SLICE("\xa2\x01\x82\xf4\xf6\x20\xa1\x61"
              "a\xf5"),
        SLICE("\x65"
              "h\xc3\xa9"
              "lo"),
        SLICE("\x40"),
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char bytes[32];
        memcpy(bytes, rows[i].ptr, rows[i].len);
        bytes[rows[i].len] = 7;
        struct slice input = slice_of(bytes, rows[i].len + 1), whole = SLICE_EMPTY;
        assert_ok(cbor_take_whole(&input, &whole));
        assert_true(slice_eq(whole, rows[i]));
        assert_int_equal(input.len, 1);
        for (size_t have = 0; have < rows[i].len; have++) { /* any shorter prefix is none */
            input = slice_of(bytes, have);
            assert_int_equal(cbor_take_whole(&input, &whole), ERR_ENCODING);
            assert_int_equal(input.len, have);
        }
    }
}

static void
an_integer_that_does_not_fit_is_refused(void **state UNUSED)
{
    struct slice input = SLICE("\x1b\x80\x00\x00\x00\x00\x00\x00\x00"), text = SLICE("\x61"
                                                                                     "1");
    int64_t number = 42;

    assert_int_equal(cbor_take_int(&input, &number), ERR_ENCODING);
    assert_int_equal(cbor_take_int(&text, &number), ERR_ENCODING);
    assert_int_equal(number, 42);
    assert_int_equal(input.len, 9);
}

static void
another_kind_than_was_asked_for_is_left(void **state UNUSED)
{
    struct slice input = SLICE("\x41z");
    struct cbor_item item;

    assert_int_equal(cbor_take_kind(&input, CBOR_TEXT, &item), ERR_ENCODING);
    assert_int_equal(input.len, 2);
    assert_ok(cbor_take_kind(&input, CBOR_BYTES, &item));
    assert_true(slice_eq(item.text, SLICE("z")) && input.len == 0);
}

UNIT_MAIN(cmocka_unit_test(integers_are_read_in_their_shortest_form),
          cmocka_unit_test(what_is_not_in_the_form_is_refused),
          cmocka_unit_test(a_whole_item_ends_where_it_ends),
          cmocka_unit_test(an_integer_that_does_not_fit_is_refused),
          cmocka_unit_test(another_kind_than_was_asked_for_is_left))
