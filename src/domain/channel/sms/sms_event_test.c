#include "core/unit.h"
#include "domain/channel/sms/sms_event.h"
#include "wire/gsm/sms_udh.h"

static const struct wall_time now = { INT64_C(1795320000000000) }; /* 2026-11-22T04:00:00Z */
static struct arena *arena;
static struct sms_connector connector;

static int
setup(void **state UNUSED)
{
    arena = arena_new(1u << 20);
    sms_connector_init(&connector);
    return arena == NULL;
}

static int
teardown(void **state UNUSED)
{
    arena_free(arena);
    return 0;
}

static enum err
told(const struct smpp_message *message, struct sms_event *out)
{
    struct buf pdu, body;

    buf_init(&pdu, 1u << 16);
    buf_init(&body, 1u << 16);
    size_t began = smpp_pdu_begin(&pdu, SMPP_DELIVER_SM, 0, 7);
    assert_ok(smpp_message_add(&pdu, SMPP_DELIVER_SM, message));
    smpp_pdu_end(&pdu, began);
    sms_event_add(&body, (struct id){ { 1 } }, buf_slice(&pdu));
    assert_ok(buf_done(&body));
    enum err err = sms_event_read(buf_slice(&body), &connector, now, arena, out);
    buf_release(&pdu);
    buf_release(&body);
    return err;
}

static struct smpp_message
message_of(struct slice text)
{
    return (struct smpp_message){ .source = { 1, 1, SLICE("919812345678") },
                                  .destination = { 5, 0, SLICE("HRKARA") },
                                  .short_message = text };
}

static void
a_receipt_gives_id_state_error_and_time(void **state UNUSED)
{
    static const struct {
        const char *text, *id, *error;
        enum smpp_state state;
        enum smpp_id_change ids;
    } rows[] = {
        { "id:00AB12 sub:001 dlvrd:001 submit date:2611220355 done date:2611220359 stat:DELIVRD err:000 text:Hi",
          "ab12", "", SMPP_STATE_DELIVERED, SMPP_ID_AS_IT_IS },
        { "id:436949 sub:001 dlvrd:000 submit date:2611220355 done date:2611220359 stat:REJECTD err:630 text:",
          "6aad5", "630", SMPP_STATE_REJECTED, SMPP_ID_DECIMAL_TO_HEX },
        { "stat:UNDELIV ID:18d0e03a ERR:5601", "416342074", "5601", SMPP_STATE_UNDELIVERABLE,
          SMPP_ID_HEX_TO_DECIMAL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct smpp_message message = message_of(slice_text(rows[i].text));
        struct sms_event event;
        message.esm_class = SMPP_ESM_RECEIPT;
        connector.receipt_ids = rows[i].ids;
        assert_ok(told(&message, &event));
        assert_int_equal(event.kind, SMS_EVENT_RECEIPT);
        assert_true(slice_eq(event.provider_id, slice_text(rows[i].id)));
        assert_int_equal(event.state, rows[i].state);
        assert_true(slice_eq(event.error_code, slice_text(rows[i].error)));
        assert_true(slice_eq(event.peer, SLICE("+919812345678")));
        assert_true(event.at.us <= now.us);
    }
    connector.receipt_ids = SMPP_ID_AS_IT_IS;
}

static void
a_done_date_that_cannot_be_is_the_time_of_coming(void **state UNUSED)
{
    static const struct {
        const char *done;
        int zone;
        int64_t ago_s;
    } rows[] = { { "2611220359", 0, 60 },    { "2611220929", 330, 60 },
                 { "2611220929", 0, 0 },                             /* in the future */
                 { "0000000000", 0, 0 },     { "2610010000", 0, 0 }, /* weeks ago */
                 { "20261122035900", 0, 60 } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct smpp_message message =
            message_of(arena_format(arena, "id:1 done date:%s stat:DELIVRD err:0", rows[i].done));
        struct sms_event event;
        message.esm_class = SMPP_ESM_RECEIPT;
        connector.receipt_zone_minutes = rows[i].zone;
        assert_ok(told(&message, &event));
        assert_int_equal((now.us - event.at.us) / 1000000, rows[i].ago_s);
    }
    connector.receipt_zone_minutes = 0;
}

static void
what_somebody_wrote_is_read_by_its_coding(void **state UNUSED)
{
    static const struct {
        const char *octets;
        size_t len;
        uint8_t coding;
        enum sms_coding zero;
        const char *text;
    } rows[] = {
        { "Hi \x00", 4, 0, SMS_CODING_GSM7, "Hi @" },
        { "\x1b\x65 5", 4, 0, SMS_CODING_GSM7, "€ 5" },
        { "\xe9t\xe9", 3, 3, SMS_CODING_GSM7, "été" },
        { "\xe9t\xe9", 3, 0, SMS_CODING_LATIN1, "été" },
        { "\x09\x28\xd8\x3d\xde\x00", 6, 8, SMS_CODING_GSM7, "न😀" },
        { "STOP", 4, 1, SMS_CODING_GSM7, "STOP" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct smpp_message message = message_of(slice_of(rows[i].octets, rows[i].len));
        struct sms_event event;
        message.data_coding = rows[i].coding;
        connector.alphabet = rows[i].zero;
        assert_ok(told(&message, &event));
        assert_int_equal(event.kind, SMS_EVENT_MESSAGE);
        if (!slice_eq(event.text, slice_text(rows[i].text)))
            fail_msg("%zu: %.*s", i, SLICE_FMT(event.text));
        assert_int_equal(event.part_count, 1);
        assert_false(event.is_binary);
    }
    connector.alphabet = SMS_CODING_GSM7;
}

static void
a_part_says_which_it_is_and_one_for_an_application_is_no_text(void **state UNUSED)
{
    struct smpp_message message = message_of(SLICE("\x05\x00\x03\x2a\x03\x02"
                                                   "def"));
    struct sms_event event;

    message.esm_class = SMPP_ESM_UDHI;
    assert_ok(told(&message, &event));
    assert_true(slice_eq(event.text, SLICE("def")));
    assert_int_equal(event.reference, 0x1002a);
    assert_int_equal(event.part_count, 3);
    assert_int_equal(event.part, 2);
    message.short_message = SLICE("\x06\x08\x04\x01\x2a\x02\x01"
                                  "abc");
    assert_ok(told(&message, &event));
    assert_int_equal(event.reference, 0x12a);
    assert_int_equal(event.part, 1);
    message.short_message = SLICE("\x06\x05\x04\x0b\x84\x23\xf0"
                                  "\x01\x02");
    assert_ok(told(&message, &event));
    assert_true(event.is_binary);
    message = message_of(SLICE("ghi"));
    message.tlvs = SLICE("\x02\x0c\x00\x02\x00\x2a"
                         "\x02\x0e\x00\x01\x02"
                         "\x02\x0f\x00\x01\x02");
    assert_ok(told(&message, &event));
    assert_int_equal(event.reference, 0x1002a);
    assert_int_equal(event.part_count, 2);
    assert_int_equal(event.part, 2);
}

static void
numbers_have_one_spelling(void **state UNUSED)
{
    static const struct {
        uint8_t ton;
        const char *digits, *expected;
        const char *at_home; /* by an operator of India; NULL: the same */
    } rows[] = { { 1, "919812345678", "+919812345678" },
                 { 0, "919812345678", "+919812345678" },
                 { 0, "00919812345678", "+919812345678" },
                 { 0, "+919812345678", "+919812345678" },
                 { 2, "9812345678", "9812345678", "+919812345678" },
                 { 2, "09812345678", "09812345678", "+919812345678" },
                 { 0, "9812345678", "9812345678", "+919812345678" },
                 { 0, "09812345678", "09812345678", "+919812345678" },
                 { 2, "919812345678", "+919812345678" },
                 { 1, "14155550123", "+14155550123" },
                 { 0, "56161", "56161" },
                 { 2, "56161", "56161" },
                 { 3, "9812345678", "9812345678" },
                 { 6, "9812345678", "9812345678" },
                 { 0, "0000000", "+00000" },
                 { 5, "AMAZON", "AMAZON" },
                 { 1, "12345", "+12345" },
                 { 3, "56161", "56161" },
                 { 0, "1234567890123456", "1234567890123456" } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct smpp_address address = { rows[i].ton, 1, slice_text(rows[i].digits) };
        const char *at_home = rows[i].at_home == NULL ? rows[i].expected : rows[i].at_home;
        assert_true(
            slice_eq(sms_number_canonical(&address, SLICE_EMPTY, arena), slice_text(rows[i].expected)));
        assert_true(slice_eq(sms_number_canonical(&address, SLICE("91"), arena), slice_text(at_home)));
    }
}

static void
what_is_no_pdu_is_refused(void **state UNUSED)
{
    struct sms_event event;

    assert_int_equal(sms_event_read(SLICE("short"), &connector, now, arena, &event), ERR_PROVIDER_BODY);
    assert_int_equal(sms_event_read(SLICE("0123456789abcdef\0\0\0\x11\0\0\0\5\0\0\0\0\0\0\0\1"), &connector,
                                    now, arena, &event),
                     ERR_PROVIDER_BODY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_gives_id_state_error_and_time),
        cmocka_unit_test(a_done_date_that_cannot_be_is_the_time_of_coming),
        cmocka_unit_test(what_somebody_wrote_is_read_by_its_coding),
        cmocka_unit_test(a_part_says_which_it_is_and_one_for_an_application_is_no_text),
        cmocka_unit_test(numbers_have_one_spelling),
        cmocka_unit_test(what_is_no_pdu_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
