#include "core/unit.h"
#include "wire/gsm/sms_udh.h"

static void
a_header_is_written_as_the_standard_has_it(void **state UNUSED)
{
    static const struct {
        struct sms_udh udh;
        const char *octets;
        size_t len;
    } rows[] = {
        { { .concat = SMS_CONCAT_NONE }, "", 0 },
        { { .concat = SMS_CONCAT_8, .reference = 0xAB, .part_count = 3, .part = 2 },
          "\x05\x00\x03\xAB\x03\x02",
          6 },
        { { .concat = SMS_CONCAT_16, .reference = 0x1234, .part_count = 255, .part = 255 },
          "\x06\x08\x04\x12\x34\xFF\xFF",
          7 },
        { { .alphabet = { GSM7_DEFAULT, GSM7_TURKISH } }, "\x03\x24\x01\x01", 4 },
        { { .concat = SMS_CONCAT_8,
            .reference = 1,
            .part_count = 2,
            .part = 1,
            .alphabet = { GSM7_HINDI, GSM7_URDU } },
          "\x0B\x00\x03\x01\x02\x01\x24\x01\x0D\x25\x01\x06",
          12 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        struct sms_udh back;
        buf_init(&out, 140);
        sms_udh_add(&out, &rows[i].udh);
        assert_ok(buf_done(&out));
        assert_true(slice_eq(buf_slice(&out), slice_of(rows[i].octets, rows[i].len)));
        assert_int_equal(sms_udh_bytes(&rows[i].udh), rows[i].len);
        struct slice octets = buf_slice(&out);
        if (octets.len > 0) {
            assert_ok(sms_udh_take(&octets, &back));
            assert_int_equal(octets.len, 0);
            assert_memory_equal(&back, &rows[i].udh, sizeof(back));
        }
        buf_release(&out);
    }
}

static void
elements_that_mean_nothing_here_are_passed_over(void **state UNUSED)
{
    struct slice octets =
        SLICE("\x18\x70\x02zz\x05\x04\x0B\x84\x23\xF0\x00\x03\x07\x02\x01\x24\x01\x0E\x25\x01\x02"
              "\x00\x01\x01text");
    struct sms_udh udh;

    assert_ok(sms_udh_take(&octets, &udh));
    assert_true(slice_eq(octets, SLICE("text")));
    assert_true(udh.has_ports);
    assert_int_equal(udh.destination_port, 0x0B84);
    assert_int_equal(udh.source_port, 0x23F0);
    assert_int_equal(udh.concat, SMS_CONCAT_8);
    assert_int_equal(udh.reference, 7);
    assert_int_equal(udh.alphabet.single, GSM7_DEFAULT);  /* 14 is reserved */
    assert_int_equal(udh.alphabet.locking, GSM7_DEFAULT); /* Spanish has none */
}

/* TS 23.040, 9.2.3.24.1: such an element is ignored; the whole is one part then. */
static void
parts_that_cannot_be_are_ignored(void **state UNUSED)
{
    const struct slice rows[] = { SLICE("\x05\x00\x03\x01\x00\x01"), SLICE("\x05\x00\x03\x01\x02\x00"),
                                  SLICE("\x05\x00\x03\x01\x02\x03"), SLICE("\x06\x08\x04\x00\x01\x00\x00") };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice octets = rows[i];
        struct sms_udh udh;
        assert_ok(sms_udh_take(&octets, &udh));
        assert_int_equal(udh.concat, SMS_CONCAT_NONE);
    }
    struct slice twice = SLICE("\x0A\x00\x03\x01\x02\x01\x00\x03\x09\x04\x03");
    struct sms_udh udh;
    assert_ok(sms_udh_take(&twice, &udh));
    assert_int_equal(udh.reference, 9);
    assert_int_equal(udh.part, 3);
}

static void
lengths_behind_the_end_are_refused(void **state UNUSED)
{
    struct slice whole = SLICE("\x05\x00\x03\x01\x02\x01");
    struct sms_udh udh;

    for (size_t have = 0; have < whole.len; have++) {
        struct slice part = slice_first(whole, have);
        assert_int_equal(sms_udh_take(&part, &udh), ERR_ENCODING);
        assert_int_equal(part.len, have);
    }
    const struct slice rows[] = { SLICE("\x01\x00"), SLICE("\x02\x00\x01"), SLICE("\x03\x00\x02\x01") };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice octets = rows[i];
        assert_int_equal(sms_udh_take(&octets, &udh), ERR_ENCODING);
    }
}

UNIT_MAIN(cmocka_unit_test(a_header_is_written_as_the_standard_has_it),
          cmocka_unit_test(elements_that_mean_nothing_here_are_passed_over),
          cmocka_unit_test(parts_that_cannot_be_are_ignored),
          cmocka_unit_test(lengths_behind_the_end_are_refused))
