#include "core/unit.h"
#include "program/smsc/submit.h"
#include "wire/gsm/sms_udh.h"

static struct sms_connector connector;
static struct buf bodies;
static struct submit_part parts[SMS_PARTS_MAX];
static size_t count;

static int
opened(void **state UNUSED)
{
    sms_connector_init(&connector);
    buf_init(&bodies, 262144);
    return 0;
}

static int
closed(void **state UNUSED)
{
    buf_release(&bodies);
    return 0;
}

static struct submit
submit_of(struct slice text)
{
    return (struct submit){ .connector = &connector,
                            .sender = SLICE("HARKRA"),
                            .sender_kind = CHANNEL_SMS_ALPHANUMERIC,
                            .to = SLICE("+919876543210"),
                            .text = text,
                            .parts_max = 10,
                            .reference = 0x1234 };
}

/* The part as a message centre reads it. */
static struct smpp_message
read_part(size_t i)
{
    struct smpp_message message;

    assert_true(i < count);
    assert_ok(smpp_message_read(SMPP_SUBMIT_SM, slice_of(bodies.ptr + parts[i].at, parts[i].len), &message));
    return message;
}

static char long_text[400];

static struct slice
text_of(size_t len)
{
    assert_true(len < sizeof(long_text));
    for (size_t i = 0; i < len; i++)
        long_text[i] = (char)('a' + i % 26);
    return slice_of(long_text, len);
}

static void
a_short_text_is_one_part_addressed_as_the_operator_wants(void **state UNUSED)
{
    struct submit submit = submit_of(SLICE("Hello @ \xe2\x82\xac"));

    submit.validity_s = 600;
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    assert_int_equal(count, 1);
    struct smpp_message message = read_part(0);
    assert_true(slice_eq(message.source.digits, SLICE("HARKRA")));
    assert_int_equal(message.source.ton, 5);
    assert_int_equal(message.source.npi, 0);
    assert_true(slice_eq(message.destination.digits, SLICE("919876543210")));
    assert_int_equal(message.destination.ton, 1);
    assert_int_equal(message.destination.npi, 1);
    assert_int_equal(message.esm_class, 0);
    assert_int_equal(message.data_coding, 0);
    assert_int_equal(message.registered_delivery, SMPP_RECEIPT_ALWAYS);
    assert_true(slice_eq(message.validity, SLICE("000000001000000R")));
    assert_true(slice_eq(message.short_message, SLICE("Hello \0 \x1b\x65")));
    assert_int_equal(message.tlvs.len, 0);
}

static void
a_long_text_is_cut_and_its_parts_belong_together(void **state UNUSED)
{
    struct submit submit = submit_of(text_of(307));
    struct slice rest = submit.text;

    assert_ok(submit_print(&submit, &bodies, parts, &count));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        struct smpp_message message = read_part(i);
        struct slice octets = message.short_message;
        struct sms_udh udh;
        uint32_t more = 0;
        assert_int_equal(message.esm_class, SMPP_ESM_UDHI);
        assert_ok(sms_udh_take(&octets, &udh));
        assert_int_equal(udh.concat, SMS_CONCAT_8);
        assert_int_equal(udh.reference, 0x34);
        assert_int_equal(udh.part_count, 3);
        assert_int_equal(udh.part, i + 1);
        assert_true(slice_starts_with(rest, octets));
        rest = slice_drop(rest, octets.len);
        assert_int_equal(smpp_tlv_number(message.tlvs, SMPP_TLV_MORE_MESSAGES_TO_SEND, 1, &more), i < 2);
    }
    assert_int_equal(rest.len, 0);
}

static void
parts_are_joined_as_the_connector_says(void **state UNUSED)
{
    struct submit submit = submit_of(text_of(200));
    uint32_t number = 0;

    connector.joining = SMS_JOIN_UDH_16;
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    struct slice octets = read_part(1).short_message;
    struct sms_udh udh;
    assert_ok(sms_udh_take(&octets, &udh));
    assert_int_equal(udh.reference, 0x1234);

    connector.joining = SMS_JOIN_SAR;
    buf_clear(&bodies);
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    assert_int_equal(count, 2);
    struct smpp_message message = read_part(1);
    assert_int_equal(message.esm_class, 0);
    assert_true(smpp_tlv_number(message.tlvs, SMPP_TLV_SAR_MSG_REF_NUM, 2, &number));
    assert_int_equal(number, 0x1234);
    assert_true(smpp_tlv_number(message.tlvs, SMPP_TLV_SAR_TOTAL_SEGMENTS, 1, &number));
    assert_int_equal(number, 2);
    assert_true(smpp_tlv_number(message.tlvs, SMPP_TLV_SAR_SEGMENT_SEQNUM, 1, &number));
    assert_int_equal(number, 2);

    connector.joining = SMS_JOIN_PAYLOAD;
    buf_clear(&bodies);
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    assert_int_equal(count, 1);
    message = read_part(0);
    assert_int_equal(message.short_message.len, 0);
    assert_true(slice_eq(smpp_tlv_find(message.tlvs, SMPP_TLV_MESSAGE_PAYLOAD), submit.text));
}

static void
what_gsm_does_not_have_goes_as_ucs2(void **state UNUSED)
{
    struct submit submit = submit_of(SLICE("\xe0\xa4\xb9\xf0\x9f\x98\x80"));

    assert_ok(submit_print(&submit, &bodies, parts, &count));
    struct smpp_message message = read_part(0);
    assert_int_equal(message.data_coding, 8);
    assert_true(slice_eq(message.short_message, SLICE("\x09\x39\xd8\x3d\xde\x00")));
}

static void
ids_of_the_registry_are_on_every_part_in_the_connectors_tags(void **state UNUSED)
{
    struct submit submit = submit_of(text_of(200));

    submit.dlt_entity = SLICE("1101000000000000001");
    submit.dlt_template = SLICE("1107000000000000002");
    connector.dlt_entity_tag = 0x1400;
    connector.dlt_template_tag = 0x1401;
    connector.dlt_chain_tag = 0x1402; /* there is none to be sent */
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_true(slice_eq(smpp_tlv_find(read_part(i).tlvs, 0x1400), submit.dlt_entity));
        assert_true(slice_eq(smpp_tlv_find(read_part(i).tlvs, 0x1401), submit.dlt_template));
        assert_null(smpp_tlv_find(read_part(i).tlvs, 0x1402).ptr);
    }
    connector.dlt_ends_with_nul = true;
    buf_clear(&bodies);
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    assert_true(slice_eq(smpp_tlv_find(read_part(0).tlvs, 0x1400), SLICE("1101000000000000001\0")));
}

static void
an_operators_own_alphabet_is_written_or_refused(void **state UNUSED)
{
    struct submit submit = submit_of(SLICE("caf\xc3\xa9 @"));

    connector.alphabet = SMS_CODING_LATIN1;
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    assert_true(slice_eq(read_part(0).short_message, SLICE("caf\xe9 @")));
    connector.alphabet = SMS_CODING_ASCII;
    buf_clear(&bodies);
    assert_int_equal(submit_print(&submit, &bodies, parts, &count), ERR_ENCODING);
    assert_int_equal(count, 0);
}

static void
a_table_of_a_language_is_named_in_the_header(void **state UNUSED)
{
    struct submit submit =
        submit_of(SLICE("\xe0\xa4\xb9\xe0\xa4\xbf\xe0\xa4\xa8\xe0\xa5\x8d\xe0\xa4\xa6\xe0\xa5\x80 "
                        "\xe0\xa4\xb9\xe0\xa4\xbf\xe0\xa4\xa8\xe0\xa5\x8d\xe0\xa4\xa6\xe0\xa5\x80"));
    char text[4096];
    struct sms_udh udh;
    size_t len = 0;

    for (size_t i = 0; i < 3; i++, len += submit.text.len)
        memcpy(text + len, submit.text.ptr, submit.text.len);
    submit.text = slice_of(text, len + submit.text.len - submit.text.len);
    for (size_t i = 3; i < 8; i++, len += 37)
        memcpy(text + len, text, 37);
    submit.text = slice_of(text, len);
    connector.languages = 1u << GSM7_HINDI;
    connector.joining = SMS_JOIN_SAR; /* with a header of ours the message centre writes none */
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    struct smpp_message message = read_part(0);
    struct slice octets = message.short_message;
    assert_int_equal(message.data_coding, 0);
    assert_int_equal(message.esm_class, SMPP_ESM_UDHI);
    assert_ok(sms_udh_take(&octets, &udh));
    assert_int_equal(udh.alphabet.locking, GSM7_HINDI);
    assert_int_equal(udh.concat, count > 1 ? SMS_CONCAT_8 : SMS_CONCAT_NONE);
    assert_null(smpp_tlv_find(message.tlvs, SMPP_TLV_SAR_MSG_REF_NUM).ptr);
}

static void
too_many_parts_and_strange_numbers_are_refused(void **state UNUSED)
{
    struct submit submit = submit_of(text_of(307));

    submit.parts_max = 2;
    assert_int_equal(submit_print(&submit, &bodies, parts, &count), ERR_LIMIT);
    submit.parts_max = 3;
    submit.to = SLICE("919876543210");
    assert_int_equal(submit_print(&submit, &bodies, parts, &count), ERR_ENCODING);
    submit.to = SLICE("+9198765432109876543210");
    assert_int_not_equal(submit_print(&submit, &bodies, parts, &count), ERR_OK);
}

static void
validity_is_no_longer_than_the_operator_takes(void **state UNUSED)
{
    struct submit submit = submit_of(SLICE("x"));

    submit.validity_s = 86400;
    connector.validity_max_s = 3600;
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    assert_true(slice_eq(read_part(0).validity, SLICE("000000010000000R")));
    submit.validity_s = 0;
    buf_clear(&bodies);
    assert_ok(submit_print(&submit, &bodies, parts, &count));
    assert_int_equal(read_part(0).validity.len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_short_text_is_one_part_addressed_as_the_operator_wants),
        TEST(a_long_text_is_cut_and_its_parts_belong_together),
        TEST(parts_are_joined_as_the_connector_says),
        TEST(what_gsm_does_not_have_goes_as_ucs2),
        TEST(ids_of_the_registry_are_on_every_part_in_the_connectors_tags),
        TEST(an_operators_own_alphabet_is_written_or_refused),
        TEST(a_table_of_a_language_is_named_in_the_header),
        TEST(too_many_parts_and_strange_numbers_are_refused),
        TEST(validity_is_no_longer_than_the_operator_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
