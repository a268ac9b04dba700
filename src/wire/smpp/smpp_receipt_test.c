/* Receipts as message centres write them, and times. */
#include "core/unit.h"
#include "wire/smpp/smpp_receipt.h"
#include "wire/smpp/smpp_time.h"

static struct smpp_receipt
read_text(const char *text)
{
    struct smpp_message message = { .esm_class = SMPP_ESM_RECEIPT, .short_message = slice_text(text) };
    struct smpp_receipt receipt;

    assert_ok(smpp_receipt_read(&message, &receipt));
    return receipt;
}

#define IS(slice, text) assert_true(slice_eq((slice), SLICE(text)))

static void
receipts_are_read_in_all_their_spellings(void **state UNUSED)
{
    static const struct {
        const char *text, *id, *stat, *err, *done, *rest;
        enum smpp_state state;
    } rows[] = {
        { "id:1234567890 sub:001 dlvrd:001 submit date:2611220900 done date:2611220901 stat:DELIVRD err:000 Text:Hello "
          "id:1 stat:X",
          "1234567890", "DELIVRD", "000", "2611220901", "Hello id:1 stat:X", SMPP_STATE_DELIVERED },
        { "ID:7c3f-22 STAT:undeliv ERR:21b", "7c3f-22", "undeliv", "21b", "", "", SMPP_STATE_UNDELIVERABLE },
        { "stat:EXPIRED err:5601 id:00ab submit date:20261122090000 done date:20261122090100 text:", "00ab",
          "EXPIRED", "5601", "20261122090100", "", SMPP_STATE_EXPIRED },
        { "id:a sub: dlvrd: submit date: done date: stat:REJECTD err: text:x y", "a", "REJECTD", "", "",
          "x y", SMPP_STATE_REJECTED },
        { "id: 42  stat: DND_REJECTED IMSI:404 MSC:91 err:650", "42", "DND_REJECTED", "650", "", "",
          SMPP_STATE_REJECTED },
        { "id:9 stat:BUFFERED", "9", "BUFFERED", "", "", "", SMPP_STATE_ACCEPTED },
        { "id:9 stat:SOMETHING", "9", "SOMETHING", "", "", "", SMPP_STATE_NONE },
        { "valid:3 nostat:4", "", "", "", "", "", SMPP_STATE_NONE },
        { "", "", "", "", "", "", SMPP_STATE_NONE },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct smpp_receipt receipt = read_text(rows[i].text);
        if (!slice_eq(receipt.id, slice_text(rows[i].id)) ||
            !slice_eq(receipt.stat, slice_text(rows[i].stat)) ||
            !slice_eq(receipt.error, slice_text(rows[i].err)) ||
            !slice_eq(receipt.done, slice_text(rows[i].done)) ||
            !slice_eq(receipt.text, slice_text(rows[i].rest)) || receipt.state != rows[i].state)
            fail_msg("row %zu: id %.*s stat %.*s err %.*s done %.*s text %.*s state %d", i,
                     SLICE_FMT(receipt.id), SLICE_FMT(receipt.stat), SLICE_FMT(receipt.error),
                     SLICE_FMT(receipt.done), SLICE_FMT(receipt.text), (int)receipt.state);
    }
}

static void
parameters_win_over_the_text(void **state UNUSED)
{
    struct smpp_message message = { .esm_class = SMPP_ESM_RECEIPT,
                                    .short_message = SLICE("id:0000436949 stat:UNDELIV err:001"),
                                    .tlvs = SLICE("\0\x1E\0\6"
                                                  "6aad5\0\4\x27\0\1\2\4\x23\0\3\3\0\x0B") };
    struct smpp_receipt receipt;

    assert_ok(smpp_receipt_read(&message, &receipt));
    IS(receipt.id, "6aad5");
    assert_int_equal(receipt.state, SMPP_STATE_DELIVERED);
    assert_true(receipt.has_network_error);
    assert_int_equal(receipt.network, 3);
    assert_int_equal(receipt.network_error, 11);
    message.tlvs = SLICE("\4\x27\0\1\x63\4\x23\0\3"
                         "650");
    assert_ok(smpp_receipt_read(&message, &receipt)); /* a state that is none, an error in digits */
    assert_int_equal(receipt.state, SMPP_STATE_UNDELIVERABLE);
    assert_false(receipt.has_network_error);
    IS(receipt.error, "650");
    message = (struct smpp_message){ .esm_class = SMPP_ESM_INTERMEDIATE,
                                     .tlvs = SLICE("\4\x24\0\x0Fid:7 stat:ENROUTE") };
    message.tlvs = SLICE("\4\x24\0\x11id:7 stat:ENROUTE");
    assert_ok(smpp_receipt_read(&message, &receipt));
    assert_true(receipt.is_intermediate);
    IS(receipt.id, "7");
    assert_int_equal(receipt.state, SMPP_STATE_ENROUTE);
}

static void
a_text_that_looks_like_one_is_none(void **state UNUSED)
{
    struct smpp_message message = { .short_message =
                                        SLICE("id:1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:") };
    struct smpp_receipt receipt;

    assert_int_equal(smpp_receipt_read(&message, &receipt), ERR_NOTHING);
    message.esm_class = SMPP_ESM_UDHI | 0x08; /* a person's acknowledgement */
    assert_int_equal(smpp_receipt_read(&message, &receipt), ERR_NOTHING);
    message.tlvs = SLICE("\0\x1E\0\1"
                         "1");
    assert_ok(smpp_receipt_read(&message, &receipt));
    message.short_message =
        SLICE("1"); /* with the same parameter, as Kannel's message centre writes a text */
    assert_int_equal(smpp_receipt_read(&message, &receipt), ERR_NOTHING);
    message.tlvs = SLICE("\0\x1E\0\1"
                         "1"
                         "\x04\x27\0\1\x02");
    assert_ok(smpp_receipt_read(&message, &receipt));
    assert_int_equal(receipt.state, SMPP_STATE_DELIVERED);
}

static void
a_receipt_is_read_as_it_was_written(void **state UNUSED)
{
    struct wall_time at;
    assert_ok(wall_parse(SLICE("2026-11-22T09:01:30Z"), &at));
    for (int i = SMPP_STATE_ENROUTE; i <= SMPP_STATE_REJECTED; i++) {
        struct smpp_receipt_new new = { .id = SLICE("msg1"),
                                        .state = (enum smpp_state)i,
                                        .error = 11,
                                        .submitted_at = at,
                                        .done_at = at,
                                        .text = SLICE("A text of more than twenty octets") };
        struct buf out;
        buf_init(&out, 254);
        smpp_receipt_add(&out, &new);
        assert_ok(buf_done(&out));
        struct smpp_message message = { .esm_class = SMPP_ESM_RECEIPT, .short_message = buf_slice(&out) };
        struct smpp_receipt receipt;
        assert_ok(smpp_receipt_read(&message, &receipt));
        IS(receipt.id, "msg1");
        IS(receipt.error, "011");
        IS(receipt.done, "2611220901");
        IS(receipt.text, "A text of more than ");
        assert_int_equal(receipt.state, i);
        assert_int_equal(smpp_state_is_final(receipt.state), i != 1 && i != 6 && i != 7);
        buf_release(&out);
    }
}

static void
one_number_has_one_spelling(void **state UNUSED)
{
    static const struct {
        const char *id;
        enum smpp_id_change change;
        const char *canonical;
    } rows[] = {
        { "0000436949", SMPP_ID_DECIMAL_TO_HEX, "6aad5" },
        { "6AAD5", SMPP_ID_AS_IT_IS, "6aad5" },
        { "0416342074", SMPP_ID_DECIMAL_TO_HEX, "18d0e03a" },
        { "18d0e03a", SMPP_ID_HEX_TO_DECIMAL, "416342074" },
        { "ffffffffffffffffffffffffffffffff", SMPP_ID_HEX_TO_DECIMAL,
          "340282366920938463463374607431768211455" },
        { "340282366920938463463374607431768211455", SMPP_ID_DECIMAL_TO_HEX,
          "ffffffffffffffffffffffffffffffff" },
        { "7C3F-22", SMPP_ID_HEX_TO_DECIMAL, "7c3f-22" },
        { "abc", SMPP_ID_DECIMAL_TO_HEX, "abc" },
        { "000", SMPP_ID_AS_IT_IS, "0" },
        { "0", SMPP_ID_DECIMAL_TO_HEX, "0" },
        { "", SMPP_ID_AS_IT_IS, "" },
        { "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", SMPP_ID_HEX_TO_DECIMAL,
          "115792089237316195423570985008687907853269984665640564039457584007913129639935" },
        { "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", SMPP_ID_AS_IT_IS, "" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char out[SMPP_ID_CANONICAL_BYTES];
        struct slice canonical = smpp_id_canonical(slice_text(rows[i].id), rows[i].change, out);
        if (!slice_eq(canonical, slice_text(rows[i].canonical)))
            fail_msg("row %zu: %.*s", i, SLICE_FMT(canonical));
    }
}

static void
times_are_of_any_zone_or_from_now_on(void **state UNUSED)
{
    static const struct {
        const char *text, *wall;
    } rows[] = {
        { "261122090000000+", "2026-11-22T09:00:00Z" }, { "261122090000522+", "2026-11-22T03:30:00.5Z" },
        { "261122090000032-", "2026-11-22T17:00:00Z" }, { "000000040000000R", "2026-01-01T04:00:00Z" },
        { "000001000000000R", "2026-01-02T00:00:00Z" }, { "010201020304000R", "2027-03-03T02:03:04Z" }
    };
    struct wall_time now, at, wanted;
    char out[SMPP_TIME_TEXT_BYTES];

    assert_ok(wall_parse(SLICE("2026-01-01T00:00:00Z"), &now));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_ok(smpp_time_parse(slice_text(rows[i].text), now, &at));
        assert_ok(wall_parse(slice_text(rows[i].wall), &wanted));
        if (at.us != wanted.us)
            fail_msg("row %zu", i);
    }
    static const char *const wrong[] = { "2611220900000000", "26112209000000+",  "261322090000000+",
                                         "261122240000000+", "261122090000049+", "2611220900x0000+",
                                         "261122090000000Z" };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(smpp_time_parse(slice_text(wrong[i]), now, &at), ERR_TIME_SYNTAX);
    assert_int_equal(smpp_time_parse(SLICE(""), now, &at), ERR_NOTHING);

    assert_ok(wall_parse(SLICE("2026-11-22T07:48:48.523Z"), &at));
    IS(smpp_time_print(at, out), "261122074848500+");
    IS(smpp_relative_print(4 * 3600, out), "000000040000000R");
    IS(smpp_relative_print(86400 * 31 + 1, out), "000031000000000R");
    IS(smpp_relative_print(0, out), "000000000001000R");
    IS(smpp_time_print((struct wall_time){ 0 }, out), "000101000000000+");
    IS(smpp_time_print((struct wall_time){ INT64_MAX }, out), "991231235959900+");
}

static void
times_of_receipts_have_several_lengths(void **state UNUSED)
{
    static const struct {
        const char *text, *wall;
        int zone;
    } rows[] = {
        { "2611220901", "2026-11-22T09:01:00Z", 0 },   { "261122090130", "2026-11-22T09:01:30Z", 0 },
        { "202611220901", "2026-11-22T09:01:00Z", 0 }, { "20261122090130", "2026-11-22T09:01:30Z", 0 },
        { "2611220901", "2026-11-22T03:31:00Z", 330 }, { "2611220901", "2026-11-22T14:01:00Z", -300 },
        { "201112090130", "2020-11-12T09:01:30Z", 0 }
    };
    struct wall_time at, wanted;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_ok(smpp_receipt_time_parse(slice_text(rows[i].text), rows[i].zone, &at));
        assert_ok(wall_parse(slice_text(rows[i].wall), &wanted));
        if (at.us != wanted.us)
            fail_msg("row %zu", i);
    }
    assert_int_equal(smpp_receipt_time_parse(SLICE("0000000000"), 0, &at), ERR_NOTHING);
    assert_int_equal(smpp_receipt_time_parse(SLICE(""), 0, &at), ERR_NOTHING);
    static const char *const wrong[] = { "261122", "2613220901", "2611220960", "26112209x1", "26112209011" };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(smpp_receipt_time_parse(slice_text(wrong[i]), 0, &at), ERR_TIME_SYNTAX);
}

UNIT_MAIN(cmocka_unit_test(receipts_are_read_in_all_their_spellings),
          cmocka_unit_test(parameters_win_over_the_text),
          cmocka_unit_test(a_text_that_looks_like_one_is_none),
          cmocka_unit_test(a_receipt_is_read_as_it_was_written),
          cmocka_unit_test(one_number_has_one_spelling),
          cmocka_unit_test(times_are_of_any_zone_or_from_now_on),
          cmocka_unit_test(times_of_receipts_have_several_lengths))
