#include "core/unit.h"
#include "wire/smpp/smpp_message.h"
#include "wire/smpp/smpp_status.h"

/* TCP may cut anywhere: every shorter prefix must wait, unchanged. */
static void
a_pdu_is_taken_whole_or_not_at_all(void **state UNUSED)
{
    struct slice wire = SLICE("\0\0\0\x13\x80\0\0\4\0\0\0\x58\0\0\0\7"
                              "42\0");
    struct smpp_pdu pdu;

    for (size_t have = 0; have < wire.len; have++) {
        struct slice part = slice_first(wire, have);
        assert_int_equal(smpp_pdu_take(&part, &pdu), ERR_INCOMPLETE);
        assert_int_equal(part.len, have);
    }
    assert_ok(smpp_pdu_take(&wire, &pdu));
    assert_int_equal(pdu.command, SMPP_SUBMIT_SM | SMPP_RESPONSE);
    assert_int_equal(pdu.status, SMPP_THROTTLED);
    assert_int_equal(pdu.sequence, 7);
    assert_true(slice_eq(pdu.body, SLICE("42\0")));
    assert_int_equal(wire.len, 0);
}

static void
a_length_that_cannot_be_loses_the_stream(void **state UNUSED)
{
    const struct slice rows[] = { SLICE("\0\0\0\0"), SLICE("\0\0\0\x0F"), SLICE("\0\x02\0\1"),
                                  SLICE("\xFF\xFF\xFF\xFF"), SLICE("GET / HTTP/1.1\r\n\r\n") };
    struct smpp_pdu pdu;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice input = rows[i];
        assert_int_equal(smpp_pdu_take(&input, &pdu), ERR_SMPP_LENGTH);
        assert_int_equal(input.len, rows[i].len);
    }
    struct slice most = SLICE("\0\x02\0\0");
    assert_int_equal(smpp_pdu_take(&most, &pdu), ERR_INCOMPLETE);
}

/* Any split of the stream gives the same PDUs. */
static void
pdus_do_not_depend_on_how_they_come(void **state UNUSED)
{
    struct buf wire;

    buf_init(&wire, 4096);
    for (uint32_t i = 1; i <= 5; i++) {
        size_t began = smpp_pdu_begin(&wire, SMPP_SUBMIT_SM, 0, i);
        for (uint32_t k = 0; k < i; k++)
            buf_add_byte(&wire, (char)('a' + k));
        smpp_pdu_end(&wire, began);
        smpp_pdu_add(&wire, SMPP_ENQUIRE_LINK, 0, 100 + i);
    }
    assert_ok(buf_done(&wire));
    struct slice all = buf_slice(&wire);
    for (size_t cut = 0; cut <= all.len; cut++) {
        size_t from = 0, count = 0;
        const size_t ends[] = { cut, all.len };
        for (size_t e = 0; e < COUNT_OF(ends); e++) {
            struct slice have = slice_first(slice_drop(all, from), ends[e] - from), rest = have;
            struct smpp_pdu pdu;
            while (smpp_pdu_take(&rest, &pdu) == ERR_OK) {
                count++;
                bool is_link = pdu.command == SMPP_ENQUIRE_LINK;
                assert_int_equal(pdu.sequence, is_link ? 100 + count / 2 : (count + 1) / 2);
                assert_int_equal(pdu.body.len, is_link ? 0 : pdu.sequence);
            }
            from = ends[e] - rest.len;
        }
        assert_int_equal(count, 10);
        assert_int_equal(from, all.len);
    }
    buf_release(&wire);
}

static void
sequence_numbers_begin_again_at_one(void **state UNUSED)
{
    assert_int_equal(smpp_sequence_next(0), 1);
    assert_int_equal(smpp_sequence_next(1), 2);
    assert_int_equal(smpp_sequence_next(SMPP_SEQUENCE_MAX - 1), SMPP_SEQUENCE_MAX);
    assert_int_equal(smpp_sequence_next(SMPP_SEQUENCE_MAX), 1);
    assert_int_equal(smpp_sequence_next(0xFFFFFFFFu), 1);
}

static void
commands_and_statuses_have_their_names(void **state UNUSED)
{
    assert_string_equal(smpp_command_word(SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE), "bind_transceiver_resp");
    assert_string_equal(smpp_command_word(SMPP_GENERIC_NACK), "generic_nack");
    assert_string_equal(smpp_command_word(0x12345678), "unknown");
    assert_string_equal(smpp_status_word(0x58), "ESME_RTHROTTLED");
    assert_string_equal(smpp_status_word(0x104), "ESME_RINVDCS");
    assert_string_equal(smpp_status_word(0x401), "vendor");
    assert_string_equal(smpp_status_word(0x9), "unknown");
    assert_int_equal(smpp_status_action(0), SMPP_ACTION_NONE);
    assert_int_equal(smpp_status_action(0x14), SMPP_ACTION_THROTTLE);
    assert_int_equal(smpp_status_action(0x08), SMPP_ACTION_RETRY);
    assert_int_equal(smpp_status_action(0xC4), SMPP_ACTION_FAIL);
    assert_int_equal(smpp_status_action(0x0E), SMPP_ACTION_STOP);
    assert_int_equal(smpp_status_action(0x04), SMPP_ACTION_REBIND);
    assert_int_equal(smpp_status_action(0x43), SMPP_ACTION_MISTAKE);
    assert_int_equal(smpp_status_action(0x4FF), SMPP_ACTION_RETRY_FEW);
    for (uint32_t status = 1; status < 0x110; status++) /* the table is in order: each row is found */
        assert_true(smpp_status_action(status) != SMPP_ACTION_NONE);
}

UNIT_MAIN(cmocka_unit_test(a_pdu_is_taken_whole_or_not_at_all),
          cmocka_unit_test(a_length_that_cannot_be_loses_the_stream),
          cmocka_unit_test(pdus_do_not_depend_on_how_they_come),
          cmocka_unit_test(sequence_numbers_begin_again_at_one),
          cmocka_unit_test(commands_and_statuses_have_their_names))
