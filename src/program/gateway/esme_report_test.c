/* What accounts are told, read as their software reads it. */
#include "core/unit.h"
#include "program/gateway/esme_group.h"
#include "program/gateway/esme_report.h"
#include "wire/gsm/sms_coding.h"
#include "wire/smpp/smpp_status.h"
#include <stdio.h>

static struct arena *arena;

static int
opened(void **state UNUSED)
{
    arena = arena_new(4u << 20);
    return arena == NULL;
}

static int
closed(void **state UNUSED)
{
    arena_free(arena);
    return 0;
}

static struct id
message(void)
{
    return id_at((struct wall_time){ INT64_C(1767225600000000) });
}

static void
each_status_at_its_end_is_a_state_and_no_other(void **state UNUSED)
{
    static const struct {
        enum message_status status;
        enum smpp_state state; /* NONE: not at its end */
    } rows[] = {
        { MESSAGE_ACCEPTED, SMPP_STATE_NONE },    { MESSAGE_QUEUED, SMPP_STATE_NONE },
        { MESSAGE_HELD, SMPP_STATE_NONE },        { MESSAGE_SENDING, SMPP_STATE_NONE },
        { MESSAGE_SENT, SMPP_STATE_NONE },        { MESSAGE_UNCERTAIN, SMPP_STATE_NONE },
        { MESSAGE_RECEIVED, SMPP_STATE_NONE },    { MESSAGE_DELIVERED, SMPP_STATE_DELIVERED },
        { MESSAGE_READ, SMPP_STATE_DELIVERED },   { MESSAGE_FAILED, SMPP_STATE_UNDELIVERABLE },
        { MESSAGE_BLOCKED, SMPP_STATE_REJECTED }, { MESSAGE_EXPIRED, SMPP_STATE_EXPIRED },
        { MESSAGE_CANCELED, SMPP_STATE_DELETED },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum smpp_state found = SMPP_STATE_NONE;
        assert_int_equal(esme_state_of(rows[i].status, &found), rows[i].state != SMPP_STATE_NONE);
        assert_int_equal(found, rows[i].state);
        assert_true(found == SMPP_STATE_NONE || smpp_state_is_final(found));
    }
}

static void
an_error_has_three_digits_or_is_another(void **state UNUSED)
{
    assert_int_equal(esme_error_of(SLICE("600"), SMPP_STATE_UNDELIVERABLE), 600);
    assert_int_equal(esme_error_of(SLICE("7"), SMPP_STATE_REJECTED), 7);
    assert_int_equal(esme_error_of(SLICE("sms-600"), SMPP_STATE_UNDELIVERABLE), 600);
    assert_int_equal(esme_error_of(SLICE("sms-"), SMPP_STATE_UNDELIVERABLE), ESME_ERROR_OF_OTHERS);
    assert_int_equal(esme_error_of(SLICE("sms-undeliverable"), SMPP_STATE_UNDELIVERABLE),
                     ESME_ERROR_OF_OTHERS);
    assert_int_equal(esme_error_of(SLICE("034"), SMPP_STATE_UNDELIVERABLE), 34);
    assert_int_equal(esme_error_of(SLICE("5601"), SMPP_STATE_UNDELIVERABLE), ESME_ERROR_OF_OTHERS);
    assert_int_equal(esme_error_of(SLICE("00b"), SMPP_STATE_UNDELIVERABLE), ESME_ERROR_OF_OTHERS);
    assert_int_equal(esme_error_of(SLICE(""), SMPP_STATE_EXPIRED), ESME_ERROR_OF_OTHERS);
    assert_int_equal(esme_error_of(SLICE("600"), SMPP_STATE_DELIVERED), 0);
}

static void
a_receipt_reads_the_same_by_its_text_and_by_its_parameters(void **state UNUSED)
{
    for (int of = SMPP_STATE_DELIVERED; of <= SMPP_STATE_REJECTED; of++) {
        struct esme_receipt receipt = { .message = message(),
                                        .state = (enum smpp_state)of,
                                        .error = of == SMPP_STATE_DELIVERED ? 0 : 600,
                                        .ended_at = { INT64_C(1767229200000000) },
                                        .person = SLICE("+919812345678"),
                                        .account = { .ton = 5, .digits = SLICE("HRKARA") } };
        struct smpp_message read;
        struct smpp_receipt told, by_text;
        struct slice body;
        char id[ID_TEXT_BYTES], error[4];

        assert_ok(esme_receipt_print(&receipt, arena, &body));
        assert_ok(smpp_message_read(SMPP_DELIVER_SM, body, &read));
        assert_true(slice_eq(read.source.digits, SLICE("919812345678")));
        assert_int_equal(read.source.ton, 1);
        assert_true(slice_eq(read.destination.digits, SLICE("HRKARA")));
        assert_int_equal(read.destination.ton, 5);
        assert_ok(smpp_receipt_read(&read, &told));
        read.tlvs = SLICE_EMPTY;
        assert_ok(smpp_receipt_read(&read, &by_text));
        struct slice expected = esme_message_id(receipt.message, id);
        assert_true(slice_eq(told.id, expected));
        assert_true(slice_eq(by_text.id, expected));
        assert_int_equal(told.state, of);
        assert_int_equal(by_text.state, of);
        snprintf(error, sizeof(error), "%03u", receipt.error);
        assert_true(slice_eq(by_text.error, slice_text(error)));
        assert_true(slice_eq(by_text.submitted, SLICE("2601010000")));
        assert_true(slice_eq(by_text.done, SLICE("2601010100")));
        assert_false(by_text.is_intermediate);
    }
}

/* Prints it and puts it together again as an ESME does. */
static struct slice
read_back(struct slice text, size_t *count_out, uint8_t *coding_out)
{
    struct esme_written written = {
        .message = message(), .person = SLICE("+919812345678"), .sender = SLICE("56161"), .text = text
    };
    struct slice bodies[255], octets = SLICE_EMPTY;
    struct smpp_receipt receipt;
    struct smpp_message one;
    struct esme_part part;
    struct buf all;

    written.message.bytes[ID_BYTES - 1] = 0xFE;
    assert_ok(esme_written_print(&written, arena, bodies, COUNT_OF(bodies), count_out));
    buf_init(&all, 1u << 20);
    for (size_t i = 0; i < *count_out; i++) {
        assert_ok(smpp_message_read(SMPP_DELIVER_SM, bodies[i], &one));
        assert_int_equal(smpp_receipt_read(&one, &receipt), ERR_NOTHING);
        assert_true(slice_eq(one.destination.digits, SLICE("56161")));
        assert_int_equal(one.destination.ton, 1);
        assert_true(one.short_message.len <= (one.data_coding == 8 ? 140 : 160)); /* a septet in each */
        octets = smpp_message_octets(&one);
        if (*count_out <= ESME_PARTS_MAX) {
            assert_int_equal(esme_part_read(&one, bodies[i].len, &part), SMPP_OK);
            assert_int_equal(part.count, *count_out);
            assert_int_equal(part.number, i + 1);
            assert_int_equal(part.kind, *count_out > 1 ? SMS_CONCAT_8 : SMS_CONCAT_NONE);
            assert_int_equal(part.reference, *count_out > 1 ? 0xFE : 0);
            octets = part.octets;
        }
        sms_decode(octets, sms_coding_of(one.data_coding, SMS_CODING_GSM7), (struct gsm7_alphabet){ 0 },
                   &all);
    }
    *coding_out = one.data_coding;
    struct slice out = arena_copy(arena, buf_slice(&all));
    buf_release(&all);
    return out;
}

static void
what_somebody_wrote_reads_back(void **state UNUSED)
{
    char long_text[1000];
    size_t count = 0;
    uint8_t coding = 255;

    memset(long_text, 'x', sizeof(long_text));
    assert_true(slice_eq(read_back(SLICE("Price: 5 \xE2\x82\xAC [ok]"), &count, &coding),
                         SLICE("Price: 5 \xE2\x82\xAC [ok]")));
    assert_int_equal(count, 1);
    assert_int_equal(coding, 0);
    assert_true(slice_eq(read_back(SLICE("\xE0\xA4\xA8\xE0\xA4\xAE \xF0\x9F\x99\x8F"), &count, &coding),
                         SLICE("\xE0\xA4\xA8\xE0\xA4\xAE \xF0\x9F\x99\x8F")));
    assert_int_equal(count, 1);
    assert_int_equal(coding, 8);
    struct slice whole = slice_of(long_text, sizeof(long_text));
    assert_true(slice_eq(read_back(whole, &count, &coding), whole));
    assert_int_equal(count, 7);
    assert_true(slice_eq(read_back(SLICE(""), &count, &coding), SLICE("")));
    assert_int_equal(count, 1);
}

static void
a_header_is_told_as_letters(void **state UNUSED)
{
    struct esme_written written = {
        .message = message(), .person = SLICE("919812345678"), .sender = SLICE("HRKARA"), .text = SLICE("Hi")
    };
    struct smpp_message read;
    struct slice body;
    size_t count = 0;

    assert_ok(esme_written_print(&written, arena, &body, 1, &count));
    assert_ok(smpp_message_read(SMPP_DELIVER_SM, body, &read));
    assert_int_equal(read.destination.ton, 5);
    assert_int_equal(read.destination.npi, 0);
    assert_true(slice_eq(read.source.digits, SLICE("919812345678")));
    char long_text[161];
    memset(long_text, 'x', sizeof(long_text));
    written.text = slice_of(long_text, sizeof(long_text));
    assert_int_equal(esme_written_print(&written, arena, &body, 1, &count), ERR_LIMIT);
    assert_int_equal(count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_at_its_end_is_a_state_and_no_other),
        cmocka_unit_test(an_error_has_three_digits_or_is_another),
        cmocka_unit_test(a_receipt_reads_the_same_by_its_text_and_by_its_parameters),
        cmocka_unit_test(what_somebody_wrote_reads_back),
        cmocka_unit_test(a_header_is_told_as_letters),
    };

    return cmocka_run_group_tests(tests, opened, closed);
}
