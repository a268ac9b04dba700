/* A session against a peer that is written by hand, octet for octet. */
#include "core/unit.h"
#include "wire/smpp/smpp_session.h"
#include "wire/smpp/smpp_status.h"

#define MS INT64_C(1000)

static struct smpp_session *session;
static struct mono_time now;
static struct {
    size_t binds, bounds, requests, notices, answers, late, losses, closes;
    uint64_t tag;
    uint32_t status, command, sequence;
    enum smpp_loss loss;
    enum smpp_close why;
    char name[64], text[512];
} seen;

static void
keep(char *to, size_t room, struct slice text)
{
    assert_true(text.len < room);
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
}

static void
on_bind(void *ctx UNUSED, uint32_t command, const struct smpp_bind *bind)
{
    seen.binds++;
    seen.command = command;
    keep(seen.name, sizeof(seen.name), bind->system_id);
}

static void
on_bound(void *ctx UNUSED, const struct smpp_answer *answer)
{
    seen.bounds++;
    if (answer != NULL)
        keep(seen.name, sizeof(seen.name), answer->name);
}

static void
on_request(void *ctx UNUSED, const struct smpp_pdu *pdu)
{
    seen.requests++;
    seen.command = pdu->command;
    seen.sequence = pdu->sequence;
}

static void
on_notice(void *ctx UNUSED, const struct smpp_pdu *pdu)
{
    seen.notices++;
    seen.command = pdu->command;
}

static void
on_answer(void *ctx UNUSED, uint64_t tag, const struct smpp_pdu *answer, bool is_late)
{
    seen.answers++;
    seen.late += is_late;
    seen.tag = tag;
    seen.status = answer->status;
}

static void
on_lost(void *ctx UNUSED, uint64_t tag, enum smpp_loss why)
{
    seen.losses++;
    seen.tag = tag;
    seen.loss = why;
}

static void
on_closed(void *ctx UNUSED, enum smpp_close why, uint32_t status)
{
    seen.closes++;
    seen.why = why;
    seen.status = status;
}

static const struct smpp_session_calls calls = { on_bind,   on_bound, on_request, on_notice,
                                                 on_answer, on_lost,  on_closed };

static void
open_side(enum smpp_side side)
{
    struct smpp_session_config config = { .side = side,
                                          .window_max = 3,
                                          .peer_window_max = 2,
                                          .bind_ms = 5000,
                                          .response_ms = 10000,
                                          .enquire_ms = 30000,
                                          .inactive_ms = 300000,
                                          .read_ms = 2000,
                                          .drain_ms = 4000,
                                          .unbind_ms = 1000,
                                          .calls = &calls };

    memset(&seen, 0, sizeof(seen));
    now.us = 1000000 * MS;
    assert_ok(smpp_session_new(&config, now, &session));
}

static int
closed(void **state UNUSED)
{
    smpp_session_free(session);
    session = NULL;
    return 0;
}

static void
feed(uint32_t command, uint32_t status, uint32_t sequence, struct slice body)
{
    struct buf pdu;

    buf_init(&pdu, SMPP_PDU_BYTES_MAX);
    size_t began = smpp_pdu_begin(&pdu, command, status, sequence);
    buf_add(&pdu, body);
    smpp_pdu_end(&pdu, began);
    assert_ok(buf_done(&pdu));
    smpp_session_feed(session, buf_slice(&pdu), now);
    buf_release(&pdu);
}

/* The next PDU that it wants to send. */
static struct smpp_pdu
sent(void)
{
    static char body[SMPP_PDU_BYTES_MAX];
    struct slice out = smpp_session_out(session);
    size_t before = out.len;
    struct smpp_pdu pdu = { 0 };

    assert_ok(smpp_pdu_take(&out, &pdu));
    memcpy(body, pdu.body.ptr, pdu.body.len);
    pdu.body.ptr = body;
    smpp_session_written(session, before - out.len, now);
    return pdu;
}

static void
expect_nothing_sent(void)
{
    assert_int_equal(smpp_session_out(session).len, 0);
}

static void
pass(int64_t ms)
{
    now = mono_after_ms(now, ms);
    smpp_session_tick(session, now);
}

static void
bind_esme(uint32_t command)
{
    struct smpp_bind bind = { .system_id = SLICE("meadow"),
                              .password = SLICE("secret08"),
                              .interface_version = 0x34 };

    open_side(SMPP_ESME);
    assert_ok(smpp_session_bind(session, command, &bind, SMPP_PASSWORD_BYTES, now));
    struct smpp_pdu pdu = sent();
    assert_int_equal(pdu.command, command);
    feed(command | SMPP_RESPONSE, 0, pdu.sequence, SLICE("SMSC\0"));
    assert_int_equal(seen.bounds, 1);
    assert_string_equal(seen.name, "SMSC");
}

static void
bind_smsc(uint32_t command)
{
    open_side(SMPP_SMSC);
    feed(command, 0, 1, SLICE("meadow\0secret08\0\0\x34\0\0\0"));
    assert_int_equal(seen.binds, 1);
    assert_string_equal(seen.name, "meadow");
    smpp_session_bind_answer(session, SMPP_OK, SLICE("Harkara"), now);
    struct smpp_pdu pdu = sent();
    assert_int_equal(pdu.command, command | SMPP_RESPONSE);
    assert_int_equal(pdu.status, 0);
    assert_true(slice_eq(pdu.body, SLICE("Harkara\0\2\x10\0\1\x34")));
    assert_int_equal(seen.bounds, 1);
}

static uint32_t
ask(uint64_t tag)
{
    assert_ok(smpp_session_ask(session, SMPP_SUBMIT_SM, SLICE("body"), tag, now));
    struct smpp_pdu pdu = sent();
    assert_true(slice_eq(pdu.body, SLICE("body")));
    return pdu.sequence;
}

static void
answers_come_in_any_order_and_belong_to_their_requests(void **state UNUSED)
{
    bind_esme(SMPP_BIND_TRANSCEIVER);
    uint32_t first = ask(11), second = ask(12), third = ask(13);
    assert_int_equal(smpp_session_room(session), 0);
    assert_int_equal(smpp_session_ask(session, SMPP_SUBMIT_SM, SLICE(""), 14, now), ERR_BUSY);
    feed(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, second, SLICE("a\0"));
    assert_int_equal(seen.tag, 12);
    feed(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0x58, third, SLICE(""));
    assert_int_equal(seen.tag, 13);
    assert_int_equal(seen.status, 0x58);
    feed(SMPP_GENERIC_NACK, 3, first, SLICE(""));
    assert_int_equal(seen.tag, 11);
    assert_int_equal(seen.status, 3);
    assert_int_equal(smpp_session_room(session), 3);
    /* Twice, of nothing, of another command: dropped. */
    uint32_t fourth = ask(15);
    feed(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, second, SLICE("a\0"));
    feed(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, 77777, SLICE("a\0"));
    feed(SMPP_QUERY_SM | SMPP_RESPONSE, 0, fourth, SLICE("a\0"));
    assert_int_equal(seen.answers, 3);
    assert_int_equal(seen.losses + seen.closes, 0);
}

static void
an_answer_that_is_late_is_told_twice(void **state UNUSED)
{
    bind_esme(SMPP_BIND_TRANSMITTER);
    uint32_t sequence = ask(5);
    pass(9999);
    assert_int_equal(seen.losses, 0);
    pass(1);
    assert_int_equal(seen.losses, 1);
    assert_int_equal(seen.loss, SMPP_LOSS_TIMEOUT);
    assert_int_equal(smpp_session_room(session), 3);
    feed(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, sequence, SLICE("a\0"));
    assert_int_equal(seen.late, 1);
    assert_int_equal(seen.tag, 5);
    feed(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, sequence, SLICE("a\0"));
    assert_int_equal(seen.answers, 1);
}

static void
what_is_out_is_lost_when_the_peer_goes(void **state UNUSED)
{
    bind_esme(SMPP_BIND_TRANSCEIVER);
    ask(1);
    ask(2);
    smpp_session_gone(session, now);
    assert_int_equal(seen.losses, 2);
    assert_int_equal(seen.loss, SMPP_LOSS_CLOSED);
    assert_int_equal(seen.closes, 1);
    assert_int_equal(seen.why, SMPP_CLOSE_PEER_GONE);
    smpp_session_gone(session, now);
    assert_int_equal(seen.closes, 1);
    assert_int_equal(smpp_session_ask(session, SMPP_SUBMIT_SM, SLICE(""), 3, now), ERR_STATE_CONFLICT);
    assert_int_equal(smpp_session_next(session).us, INT64_MAX);
}

static void
a_refused_bind_says_why(void **state UNUSED)
{
    struct smpp_bind bind = { .system_id = SLICE("meadow") };

    open_side(SMPP_ESME);
    assert_ok(smpp_session_bind(session, SMPP_BIND_TRANSCEIVER, &bind, SMPP_PASSWORD_BYTES, now));
    feed(SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE, SMPP_INVALID_PASSWORD, sent().sequence, SLICE(""));
    assert_int_equal(seen.why, SMPP_CLOSE_REFUSED);
    assert_int_equal(seen.status, SMPP_INVALID_PASSWORD);
    closed(NULL);
    open_side(SMPP_ESME);
    assert_ok(smpp_session_bind(session, SMPP_BIND_TRANSCEIVER, &bind, SMPP_PASSWORD_BYTES, now));
    pass(5000);
    assert_int_equal(seen.why, SMPP_CLOSE_BIND_TIMEOUT);
    closed(NULL);
    open_side(SMPP_ESME);
    bind.system_id = SLICE("longer than sixteen octets");
    assert_int_equal(smpp_session_bind(session, SMPP_BIND_TRANSCEIVER, &bind, SMPP_PASSWORD_BYTES, now),
                     ERR_LIMIT);
    expect_nothing_sent();
}

static void
who_binds_one_way_may_not_go_the_other(void **state UNUSED)
{
    bind_esme(SMPP_BIND_RECEIVER);
    assert_false(smpp_session_may_send(session));
    assert_int_equal(smpp_session_ask(session, SMPP_SUBMIT_SM, SLICE(""), 1, now), ERR_STATE_CONFLICT);
    feed(SMPP_DELIVER_SM, 0, 9, SLICE("x"));
    assert_int_equal(seen.requests, 1);
    smpp_session_answer(session, SMPP_DELIVER_SM, 9, 0, SLICE("\0"), now);
    assert_int_equal(sent().command, SMPP_DELIVER_SM | SMPP_RESPONSE);
    feed(SMPP_SUBMIT_SM, 0, 10, SLICE("x")); /* an SMSC submits nothing */
    assert_int_equal(sent().command, SMPP_GENERIC_NACK);
    closed(NULL);
    bind_smsc(SMPP_BIND_RECEIVER);
    feed(SMPP_SUBMIT_SM, 0, 2, SLICE("x"));
    assert_int_equal(sent().status, SMPP_INVALID_BIND_STATUS);
    assert_int_equal(seen.requests, 0);
    closed(NULL);
    bind_smsc(SMPP_BIND_TRANSMITTER);
    assert_false(smpp_session_may_send(session));
    feed(SMPP_SUBMIT_SM, 0, 2, SLICE("x"));
    assert_int_equal(seen.requests, 1);
}

static void
nothing_is_asked_of_us_before_a_bind(void **state UNUSED)
{
    open_side(SMPP_SMSC);
    feed(SMPP_SUBMIT_SM, 0, 1, SLICE("x"));
    assert_int_equal(sent().status, SMPP_INVALID_BIND_STATUS);
    feed(SMPP_ENQUIRE_LINK, 0, 2, SLICE(""));
    assert_int_equal(sent().command, SMPP_ENQUIRE_LINK | SMPP_RESPONSE);
    feed(SMPP_BIND_TRANSCEIVER, 0, 3, SLICE("meadow\0secret08\0\0\x34\0\0\0"));
    feed(SMPP_BIND_TRANSCEIVER, 0, 4, SLICE("meadow\0secret08\0\0\x34\0\0\0")); /* while it is looked at */
    assert_int_equal(sent().status, SMPP_ALREADY_BOUND);
    feed(SMPP_SUBMIT_SM, 0, 5, SLICE("x"));
    assert_int_equal(sent().status, SMPP_INVALID_BIND_STATUS);
    smpp_session_bind_answer(session, SMPP_INVALID_PASSWORD, SLICE("Harkara"), now);
    assert_int_equal(sent().sequence, 3);
    assert_int_equal(seen.why, SMPP_CLOSE_REFUSED);
    closed(NULL);
    open_side(SMPP_SMSC);
    pass(5000);
    assert_int_equal(seen.why, SMPP_CLOSE_BIND_TIMEOUT);
    closed(NULL);
    open_side(SMPP_SMSC); /* and it fills no memory */
    smpp_session_feed(session, SLICE("\0\0\4\1"), now);
    assert_int_equal(seen.why, SMPP_CLOSE_PROTOCOL);
    assert_int_equal(sent().command, SMPP_GENERIC_NACK);
    closed(NULL);
    open_side(SMPP_SMSC);
    feed(SMPP_BIND_TRANSCEIVER, 0, 3, SLICE("no end"));
    assert_int_equal(sent().status, SMPP_INVALID_LENGTH);
    assert_int_equal(seen.closes, 1);
    assert_int_equal(seen.binds, 0);
}

static void
more_than_the_window_is_refused_not_held(void **state UNUSED)
{
    bind_smsc(SMPP_BIND_TRANSCEIVER);
    for (uint32_t i = 2; i < 5; i++)
        feed(SMPP_SUBMIT_SM, 0, i, SLICE("x"));
    assert_int_equal(seen.requests, 2);
    struct smpp_pdu pdu = sent();
    assert_int_equal(pdu.status, SMPP_THROTTLED);
    assert_int_equal(pdu.sequence, 4);
    smpp_session_answer(session, SMPP_SUBMIT_SM, 3, 0, SLICE("m\0"), now);
    assert_int_equal(sent().sequence, 3);
    smpp_session_answer(session, SMPP_SUBMIT_SM, 3, 0, SLICE("m\0"), now); /* once */
    expect_nothing_sent();
    feed(SMPP_SUBMIT_SM, 0, 5, SLICE("x"));
    assert_int_equal(seen.requests, 3);
    closed(NULL);
    bind_esme(SMPP_BIND_TRANSCEIVER);
    for (uint32_t i = 2; i < 5; i++)
        feed(SMPP_DELIVER_SM, 0, i, SLICE("x"));
    assert_int_equal(sent().status, SMPP_TEMPORARY_ERROR);
}

static void
a_silent_peer_is_asked_and_then_left(void **state UNUSED)
{
    bind_esme(SMPP_BIND_TRANSCEIVER);
    assert_int_equal(smpp_session_next(session).us, now.us + 30000 * MS);
    pass(30000);
    struct smpp_pdu pdu = sent();
    assert_int_equal(pdu.command, SMPP_ENQUIRE_LINK);
    feed(SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, pdu.sequence, SLICE(""));
    pass(10000);
    assert_int_equal(seen.closes, 0);
    pass(20000);
    assert_int_equal(sent().command, SMPP_ENQUIRE_LINK);
    pass(1);
    feed(SMPP_DELIVER_SM, 0, 9, SLICE("x")); /* no answer, but a sign of life */
    pass(10000);
    assert_int_equal(seen.closes, 0);
    pass(30000);
    assert_int_equal(sent().command, SMPP_ENQUIRE_LINK);
    pass(10000);
    assert_int_equal(seen.why, SMPP_CLOSE_SILENT);
}

static void
an_unused_session_is_ended_in_order(void **state UNUSED)
{
    bind_esme(SMPP_BIND_TRANSCEIVER);
    for (int i = 0; i < 9; i++) {
        pass(30000);
        feed(SMPP_ENQUIRE_LINK | SMPP_RESPONSE, 0, sent().sequence, SLICE(""));
    }
    pass(30000);
    struct smpp_pdu pdu = sent();
    assert_int_equal(pdu.command, SMPP_UNBIND);
    feed(SMPP_UNBIND | SMPP_RESPONSE, 0, pdu.sequence, SLICE(""));
    assert_int_equal(seen.why, SMPP_CLOSE_INACTIVE);
}

static void
an_unbind_waits_for_what_is_out(void **state UNUSED)
{
    bind_esme(SMPP_BIND_TRANSCEIVER);
    uint32_t sequence = ask(1);
    smpp_session_unbind(session, now);
    expect_nothing_sent();
    assert_int_equal(smpp_session_ask(session, SMPP_SUBMIT_SM, SLICE(""), 2, now), ERR_STATE_CONFLICT);
    feed(SMPP_SUBMIT_SM | SMPP_RESPONSE, 0, sequence, SLICE("a\0"));
    assert_int_equal(seen.answers, 1);
    struct smpp_pdu pdu = sent();
    assert_int_equal(pdu.command, SMPP_UNBIND);
    feed(SMPP_UNBIND | SMPP_RESPONSE, 0, pdu.sequence, SLICE(""));
    assert_int_equal(seen.why, SMPP_CLOSE_UNBOUND);
    closed(NULL);
    bind_esme(SMPP_BIND_TRANSCEIVER); /* neither answer comes */
    ask(1);
    smpp_session_unbind(session, now);
    pass(4000);
    assert_int_equal(sent().command, SMPP_UNBIND);
    pass(1000);
    assert_int_equal(seen.why, SMPP_CLOSE_UNBOUND);
    assert_int_equal(seen.losses, 1);
    closed(NULL);
    bind_esme(SMPP_BIND_TRANSCEIVER); /* the peer's */
    feed(SMPP_UNBIND, 0, 40, SLICE(""));
    assert_int_equal(sent().command, SMPP_UNBIND | SMPP_RESPONSE);
    assert_int_equal(seen.why, SMPP_CLOSE_PEER_UNBOUND);
}

static void
a_pdu_may_come_in_pieces_but_not_for_ever(void **state UNUSED)
{
    bind_esme(SMPP_BIND_TRANSCEIVER);
    struct slice wire = SLICE("\0\0\0\x11\0\0\0\5\0\0\0\0\0\0\0\x09x");
    for (size_t i = 0; i < wire.len; i++) {
        smpp_session_feed(session, slice_first(slice_drop(wire, i), 1), now);
        pass(100);
    }
    assert_int_equal(seen.requests, 1);
    smpp_session_feed(session, slice_first(wire, 5), now);
    pass(1999);
    smpp_session_feed(session, slice_first(slice_drop(wire, 5), 5),
                      now); /* each octet counts, not each piece */
    pass(1);
    assert_int_equal(seen.why, SMPP_CLOSE_STALLED);
}

static void
what_speaks_something_else_is_left(void **state UNUSED)
{
    bind_esme(SMPP_BIND_TRANSCEIVER);
    smpp_session_feed(session, SLICE("HTTP/1.1 400 Bad Request\r\n\r\n"), now);
    assert_int_equal(seen.why, SMPP_CLOSE_PROTOCOL);
    struct smpp_pdu pdu = sent();
    assert_int_equal(pdu.command, SMPP_GENERIC_NACK);
    assert_int_equal(pdu.status, SMPP_INVALID_LENGTH);
    closed(NULL);
    bind_esme(SMPP_BIND_TRANSCEIVER);
    for (uint32_t i = 0; i < SMPP_BAD_PDUS_MAX; i++) {
        assert_int_equal(seen.closes, 0);
        feed(0x00000199, 0, i + 1, SLICE(""));
        pdu = sent();
        assert_int_equal(pdu.status, SMPP_INVALID_COMMAND);
        assert_int_equal(pdu.sequence, i + 1);
    }
    assert_int_equal(seen.why, SMPP_CLOSE_PROTOCOL);
    closed(NULL);
    bind_esme(SMPP_BIND_TRANSCEIVER);
    feed(SMPP_ALERT_NOTIFICATION, 0, 1, SLICE("\1\1x\0\1\1y\0"));
    assert_int_equal(seen.notices, 1);
    expect_nothing_sent();
}

static void
a_peer_that_reads_nothing_is_left(void **state UNUSED)
{
    bind_esme(SMPP_BIND_TRANSCEIVER);
    assert_ok(smpp_session_ask(session, SMPP_SUBMIT_SM, SLICE("body"), 1, now));
    pass(9999);
    smpp_session_written(session, 3, now); /* it reads a little */
    pass(1);
    assert_int_equal(seen.closes, 0);
    pass(9999);
    assert_int_equal(seen.why, SMPP_CLOSE_STALLED);
}

#define TEST(name) cmocka_unit_test_teardown(name, closed)
UNIT_MAIN(TEST(answers_come_in_any_order_and_belong_to_their_requests),
          TEST(an_answer_that_is_late_is_told_twice), TEST(what_is_out_is_lost_when_the_peer_goes),
          TEST(a_refused_bind_says_why), TEST(who_binds_one_way_may_not_go_the_other),
          TEST(nothing_is_asked_of_us_before_a_bind), TEST(more_than_the_window_is_refused_not_held),
          TEST(a_silent_peer_is_asked_and_then_left), TEST(an_unused_session_is_ended_in_order),
          TEST(an_unbind_waits_for_what_is_out), TEST(a_pdu_may_come_in_pieces_but_not_for_ever),
          TEST(what_speaks_something_else_is_left), TEST(a_peer_that_reads_nothing_is_left))
