/* Bodies: octet for octet as the standard lays them out, and back. */
#include "core/unit.h"
#include "wire/smpp/smpp_message.h"

static struct buf out;

static int
opened(void **state UNUSED)
{
    buf_init(&out, SMPP_PDU_BYTES_MAX);
    return 0;
}

static int
closed(void **state UNUSED)
{
    buf_release(&out);
    return 0;
}

static const struct smpp_message message = {
    .service_type = { "CMT", 3 },
    .source = { 5, 0, { "HDFCBK", 6 } },
    .destination = { 1, 1, { "919812345678", 12 } },
    .esm_class = SMPP_ESM_UDHI,
    .protocol_id = 1,
    .priority = 2,
    .schedule = { "260102030405000+", 16 },
    .validity = { "000000040000000R", 16 },
    .registered_delivery = SMPP_RECEIPT_ALWAYS,
    .replace_if_present = 1,
    .data_coding = 8,
    .default_message = 3,
    .short_message = { "\0A\0B", 4 },
    .tlvs = { "\x14\0\0\3"
              "110\2\4\0\2\0\7",
              13 },
};

static void
a_submit_sm_is_laid_out_as_the_standard_has_it(void **state UNUSED)
{
    assert_ok(smpp_message_add(&out, SMPP_SUBMIT_SM, &message));
    assert_true(slice_eq(buf_slice(&out), SLICE("CMT\0\5\0HDFCBK\0\1\1"
                                                "919812345678\0\x40\1\2"
                                                "260102030405000+\0"
                                                "000000040000000R\0\1\1\x08\3\4\0A\0B\x14\0\0\3"
                                                "110\2\4\0\2\0\7")));
    struct smpp_message back;
    assert_ok(smpp_message_read(SMPP_DELIVER_SM, buf_slice(&out), &back));
    assert_true(slice_eq(back.source.digits, SLICE("HDFCBK")));
    assert_int_equal(back.source.ton, 5);
    assert_true(slice_eq(back.validity, message.validity));
    assert_int_equal(back.data_coding, 8);
    assert_true(slice_eq(smpp_message_octets(&back), message.short_message));
    uint32_t number;
    assert_true(smpp_tlv_number(back.tlvs, SMPP_TLV_USER_MESSAGE_REFERENCE, 2, &number));
    assert_int_equal(number, 7);
    assert_false(smpp_tlv_number(back.tlvs, SMPP_TLV_USER_MESSAGE_REFERENCE, 1, &number));
    assert_true(slice_eq(smpp_tlv_text(back.tlvs, SMPP_TLV_DLT_ENTITY), SLICE("110")));
    assert_null(smpp_tlv_find(back.tlvs, SMPP_TLV_MESSAGE_PAYLOAD).ptr);
}

static void
a_data_sm_has_its_text_in_a_parameter(void **state UNUSED)
{
    struct smpp_message data = { .source = { 1, 1, { "15551234567", 11 } },
                                 .destination = { 1, 1, { "919812345678", 12 } },
                                 .data_coding = 0,
                                 .tlvs = { "\4\x24\0\5hello", 9 } };
    struct smpp_message back;

    assert_ok(smpp_message_add(&out, SMPP_DATA_SM, &data));
    assert_true(slice_eq(buf_slice(&out), SLICE("\0\1\1"
                                                "15551234567\0\1\1"
                                                "919812345678\0\0\0\0\4\x24\0\5hello")));
    assert_ok(smpp_message_read(SMPP_DATA_SM, buf_slice(&out), &back));
    assert_true(slice_eq(smpp_message_octets(&back), SLICE("hello")));
}

/* A field is whole or the body is refused: every shorter prefix, but for those that end between parameters.
 */
static void
a_body_that_is_cut_short_is_refused(void **state UNUSED)
{
    assert_ok(smpp_message_add(&out, SMPP_SUBMIT_SM, &message));
    struct slice whole = buf_slice(&out);
    for (size_t have = 0; have < whole.len; have++) {
        struct smpp_message back;
        bool is_between = have == whole.len - 13 || have == whole.len - 6;
        assert_int_equal(smpp_message_read(SMPP_SUBMIT_SM, slice_first(whole, have), &back),
                         is_between ? ERR_OK : ERR_SMPP_BODY);
    }
}

static void
what_the_standard_has_no_room_for_is_not_written(void **state UNUSED)
{
    char long_text[300];
    memset(long_text, '1', sizeof(long_text));
    struct smpp_message each = { .service_type = slice_of(long_text, 6) };
    assert_int_equal(smpp_message_add(&out, SMPP_SUBMIT_SM, &each), ERR_LIMIT);
    each = (struct smpp_message){ .source.digits = slice_of(long_text, 21) };
    assert_int_equal(smpp_message_add(&out, SMPP_SUBMIT_SM, &each), ERR_LIMIT);
    buf_clear(&out);
    assert_ok(smpp_message_add(&out, SMPP_DATA_SM, &each));
    each = (struct smpp_message){ .short_message = slice_of(long_text, 255) };
    assert_int_equal(smpp_message_add(&out, SMPP_SUBMIT_SM, &each), ERR_LIMIT);
    each = (struct smpp_message){ .source.digits = SLICE("a\0b") };
    assert_int_equal(smpp_message_add(&out, SMPP_SUBMIT_SM, &each), ERR_ENCODING);
    each = (struct smpp_message){ .source.digits = SLICE("\xC3\xA9") };
    assert_int_equal(smpp_message_add(&out, SMPP_SUBMIT_SM, &each), ERR_ENCODING);
    each = (struct smpp_message){ .tlvs = SLICE("\0\1\0\5x") };
    assert_int_equal(smpp_message_add(&out, SMPP_SUBMIT_SM, &each), ERR_ENCODING);
    struct smpp_bind bind = { .password = SLICE("123456789") };
    assert_int_equal(smpp_bind_add(&out, &bind, SMPP_PASSWORD_BYTES), ERR_LIMIT);
    buf_clear(&out);
    assert_ok(smpp_bind_add(&out, &bind, 17));
}

static void
binds_and_their_answers_are_read_as_written(void **state UNUSED)
{
    struct smpp_bind bind = { .system_id = SLICE("meadow"),
                              .password = SLICE("secret08"),
                              .system_type = SLICE("SMPP"),
                              .interface_version = SMPP_VERSION,
                              .range = { 1, 1, SLICE("^91") } },
                     back;
    assert_ok(smpp_bind_add(&out, &bind, SMPP_PASSWORD_BYTES));
    assert_true(slice_eq(buf_slice(&out), SLICE("meadow\0secret08\0SMPP\0\x34\1\1^91\0")));
    assert_ok(smpp_bind_read(buf_slice(&out), &back));
    assert_true(slice_eq(back.system_id, bind.system_id) && slice_eq(back.password, bind.password));
    assert_int_equal(back.interface_version, SMPP_VERSION);
    for (size_t have = 0; have < buf_slice(&out).len; have++)
        assert_int_equal(smpp_bind_read(slice_first(buf_slice(&out), have), &back), ERR_SMPP_BODY);
    buf_clear(&out);
    assert_ok(smpp_outbind_add(&out, &bind));
    assert_ok(smpp_outbind_read(buf_slice(&out), &back));
    assert_true(slice_eq(back.password, bind.password));

    struct smpp_answer answer;
    assert_ok(
        smpp_answer_read(SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, SLICE("SMSC\0\2\x10\0\1\x34"), &answer));
    assert_true(slice_eq(answer.name, SLICE("SMSC")));
    uint32_t version;
    assert_true(smpp_tlv_number(answer.tlvs, SMPP_TLV_SC_INTERFACE_VERSION, 1, &version) && version == 0x34);
    /* A real one sends the tag with its octets swapped; others leave the body out. */
    assert_ok(
        smpp_answer_read(SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, SLICE("SMSC\0\x10\2\0\1\x34"), &answer));
    assert_ok(smpp_answer_read(SMPP_SUBMIT_SM | SMPP_RESPONSE, SLICE(""), &answer));
    assert_int_equal(answer.name.len, 0);
    assert_ok(smpp_answer_read(SMPP_SUBMIT_SM | SMPP_RESPONSE, SLICE("42\0\2"), &answer));
    assert_true(slice_eq(answer.name, SLICE("42")));
    assert_int_equal(answer.tlvs.len, 0);
    assert_int_equal(smpp_answer_read(SMPP_SUBMIT_SM | SMPP_RESPONSE, SLICE("42"), &answer), ERR_SMPP_BODY);
}

static void
many_destinations_are_read_as_written(void **state UNUSED)
{
    static struct smpp_destination to[SMPP_DESTINATIONS_MAX], back[SMPP_DESTINATIONS_MAX];
    static struct smpp_unsuccess failed[SMPP_DESTINATIONS_MAX], failed_back[SMPP_DESTINATIONS_MAX];
    struct smpp_message read;
    struct slice id;
    size_t count;

    for (size_t i = 0; i < COUNT_OF(to); i++) {
        to[i] =
            (struct smpp_destination){ .is_list = i % 3 == 0,
                                       .address = { i % 3 == 0 ? 0 : 1, i % 3 == 0 ? 0 : 1, SLICE("1555") } };
        failed[i] = (struct smpp_unsuccess){ { 1, 1, SLICE("1555") }, (uint32_t)i };
    }
    assert_ok(smpp_multi_add(&out, &message, to, COUNT_OF(to)));
    assert_ok(smpp_multi_read(buf_slice(&out), &read, back, &count));
    assert_int_equal(count, COUNT_OF(to));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(back[i].is_list, to[i].is_list);
        assert_int_equal(back[i].address.ton, to[i].address.ton);
        assert_true(slice_eq(back[i].address.digits, SLICE("1555")));
    }
    assert_true(slice_eq(read.tlvs, message.tlvs));
    assert_int_equal(smpp_multi_add(&out, &message, to, 0), ERR_LIMIT);
    assert_int_equal(smpp_multi_read(SLICE("\0\0\0\0\0"), &read, back, &count), ERR_SMPP_BODY);
    assert_int_equal(smpp_multi_read(SLICE("\0\0\0\0\1\3\0\0\0"), &read, back, &count), ERR_SMPP_BODY);

    buf_clear(&out);
    assert_ok(smpp_multi_answer_add(&out, SLICE("m1"), failed, COUNT_OF(failed)));
    assert_ok(smpp_multi_answer_read(buf_slice(&out), &id, failed_back, &count));
    assert_int_equal(count, COUNT_OF(failed));
    assert_int_equal(failed_back[200].status, 200);
    assert_true(slice_eq(id, SLICE("m1")));
    assert_ok(smpp_multi_answer_read(SLICE(""), &id, failed_back, &count));
    assert_int_equal(count, 0);
}

static void
questions_about_a_message_are_read_as_written(void **state UNUSED)
{
    struct smpp_about about = { .service_type = SLICE("CMT"),
                                .message_id = SLICE("0a1b"),
                                .source = { 5, 0, SLICE("HDFCBK") },
                                .destination = { 1, 1, SLICE("919812345678") },
                                .validity = SLICE("000000040000000R"),
                                .registered_delivery = 1,
                                .default_message = 2,
                                .short_message = SLICE("other") };
    static const struct {
        uint32_t command;
        struct slice wire;
    } rows[] = { { SMPP_QUERY_SM, { "0a1b\0\5\0HDFCBK\0", 14 } },
                 { SMPP_CANCEL_SM,
                   { "CMT\0"
                     "0a1b\0\5\0HDFCBK\0\1\1"
                     "919812345678\0",
                     33 } },
                 { SMPP_REPLACE_SM,
                   { "0a1b\0\5\0HDFCBK\0\0"
                     "000000040000000R\0\1\2\5other",
                     40 } } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct smpp_about back;
        buf_clear(&out);
        assert_ok(smpp_about_add(&out, rows[i].command, &about));
        assert_true(slice_eq(buf_slice(&out), rows[i].wire));
        assert_ok(smpp_about_read(rows[i].command, buf_slice(&out), &back));
        assert_true(slice_eq(back.message_id, about.message_id));
        for (size_t have = 0; have < rows[i].wire.len; have++)
            assert_int_equal(smpp_about_read(rows[i].command, slice_first(rows[i].wire, have), &back),
                             ERR_SMPP_BODY);
    }
    struct smpp_query_answer answer = { SLICE("0a1b"), SLICE("260102030405000+"), 2, 7 }, back;
    buf_clear(&out);
    assert_ok(smpp_query_answer_add(&out, &answer));
    assert_ok(smpp_query_answer_read(buf_slice(&out), &back));
    assert_int_equal(back.state, 2);
    assert_int_equal(back.error, 7);
    struct smpp_alert alert = { { 1, 1, SLICE("1555") }, { 1, 1, SLICE("1666") }, SLICE("\4\x22\0\1\1") },
                      alert_back;
    buf_clear(&out);
    assert_ok(smpp_alert_add(&out, &alert));
    assert_ok(smpp_alert_read(buf_slice(&out), &alert_back));
    assert_true(slice_eq(alert_back.esme.digits, SLICE("1666")));
}

static void
too_many_parameters_are_refused(void **state UNUSED)
{
    for (size_t i = 0; i < SMPP_TLV_COUNT_MAX; i++)
        smpp_tlv_add_u8(&out, (uint16_t)(0x1400 + i), 1);
    assert_true(smpp_tlvs_are_whole(buf_slice(&out)));
    smpp_tlv_add_u16(&out, 0x1500, 1);
    assert_false(smpp_tlvs_are_whole(buf_slice(&out)));
    static char long_value[0x10000];
    assert_int_equal(smpp_tlv_add(&out, 1, slice_of(long_value, sizeof(long_value))), ERR_LIMIT);
    assert_ok(smpp_tlv_add(&out, 1, slice_of(long_value, sizeof(long_value) - 1)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
UNIT_MAIN(TEST(a_submit_sm_is_laid_out_as_the_standard_has_it), TEST(a_data_sm_has_its_text_in_a_parameter),
          TEST(a_body_that_is_cut_short_is_refused), TEST(what_the_standard_has_no_room_for_is_not_written),
          TEST(binds_and_their_answers_are_read_as_written), TEST(many_destinations_are_read_as_written),
          TEST(questions_about_a_message_are_read_as_written), TEST(too_many_parameters_are_refused))
