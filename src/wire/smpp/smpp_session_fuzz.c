#include "core/fuzz.h"
#include "wire/smpp/smpp_session.h"
#include "wire/smpp/smpp_status.h"

/*
 * The first octet says which side we are and how the rest is cut. Whatever a peer sends: what we send back is
 * whole PDUs, each request of ours ends at most once, and how the octets were cut makes no difference.
 */
static const struct mono_time now = { 1000000 };

struct heard {
    struct smpp_session *session;
    size_t binds, requests, answers, losses, closes, notices;
};

static void
on_bind(void *ctx, uint32_t command, const struct smpp_bind *bind)
{
    struct heard *heard = ctx;

    FUZZ_CHECK(command != 0 && bind->system_id.len < SMPP_SYSTEM_ID_BYTES);
    heard->binds++;
    smpp_session_bind_answer(heard->session, SMPP_OK, SLICE("H"), now);
}

static void
on_bound(void *ctx, const struct smpp_answer *answer)
{
    struct heard *heard = ctx;

    if (answer == NULL || !smpp_session_may_send(heard->session))
        return;
    FUZZ_CHECK(smpp_session_ask(heard->session, SMPP_SUBMIT_SM, SLICE("one"), 1, now) == ERR_OK);
    FUZZ_CHECK(smpp_session_ask(heard->session, SMPP_SUBMIT_SM, SLICE("two"), 2, now) == ERR_OK);
    FUZZ_CHECK(smpp_session_ask(heard->session, SMPP_SUBMIT_SM, SLICE("three"), 3, now) == ERR_BUSY);
}

static void
on_request(void *ctx, const struct smpp_pdu *pdu)
{
    struct heard *heard = ctx;

    if (++heard->requests % 3 != 0) /* others are never answered: the window fills */
        smpp_session_answer(heard->session, pdu->command, pdu->sequence, SMPP_OK, SLICE("\0"), now);
}

static void
on_notice(void *ctx, const struct smpp_pdu *pdu)
{
    struct heard *heard = ctx;

    FUZZ_CHECK(pdu->command == SMPP_OUTBIND || pdu->command == SMPP_ALERT_NOTIFICATION);
    heard->notices++;
}

static void
on_answer(void *ctx, uint64_t tag, const struct smpp_pdu *answer, bool is_late)
{
    struct heard *heard = ctx;

    FUZZ_CHECK(!is_late && (tag == 1 || tag == 2) && (answer->command & SMPP_RESPONSE) != 0);
    heard->answers++;
}

static void
on_lost(void *ctx, uint64_t tag, enum smpp_loss why)
{
    struct heard *heard = ctx;

    FUZZ_CHECK((tag == 1 || tag == 2) && why == SMPP_LOSS_CLOSED);
    heard->losses++;
}

static void
on_closed(void *ctx, enum smpp_close why, uint32_t status)
{
    struct heard *heard = ctx;

    FUZZ_CHECK(smpp_close_word(why)[0] != '\0' && (status == 0 || why == SMPP_CLOSE_REFUSED));
    heard->closes++;
}

static const struct smpp_session_calls calls = { on_bind,   on_bound, on_request, on_notice,
                                                 on_answer, on_lost,  on_closed };

/* Feeds all of it, `piece` octets at a time, and adds what came back to `out`. */
static void
run(enum smpp_side side, struct slice octets, size_t piece, struct heard *heard, struct buf *out)
{
    struct smpp_session_config config = { .side = side,
                                          .window_max = 2,
                                          .peer_window_max = 2,
                                          .bind_ms = 1000,
                                          .response_ms = 1000,
                                          .enquire_ms = 1000,
                                          .inactive_ms = 1000,
                                          .read_ms = 1000,
                                          .drain_ms = 1000,
                                          .unbind_ms = 1000,
                                          .calls = &calls,
                                          .ctx = heard };
    struct smpp_bind bind = { .system_id = SLICE("h"), .interface_version = SMPP_VERSION };

    *heard = (struct heard){ .binds = 0 };
    FUZZ_CHECK(smpp_session_new(&config, now, &heard->session) == ERR_OK);
    if (side == SMPP_ESME)
        FUZZ_CHECK(smpp_session_bind(heard->session, SMPP_BIND_TRANSCEIVER, &bind, 9, now) == ERR_OK);
    for (size_t at = 0; at < octets.len; at += piece)
        smpp_session_feed(heard->session, slice_first(slice_drop(octets, at), piece), now);
    smpp_session_gone(heard->session, now);
    buf_add(out, smpp_session_out(heard->session));
    FUZZ_CHECK(heard->closes == 1 && heard->answers + heard->losses <= 2);
    FUZZ_CHECK(smpp_session_state(heard->session) == SMPP_SESSION_CLOSED);
    smpp_session_free(heard->session);
    heard->session = NULL;
}

FUZZ_TARGET(data, size)
{
    struct heard whole, cut;
    struct buf of_whole, of_cut;

    if (size < 1)
        return 0;
    enum smpp_side side = (data[0] & 0x80) != 0 ? SMPP_SMSC : SMPP_ESME;
    struct slice octets = slice_of(data + 1, size - 1), rest;
    buf_init(&of_whole, SMPP_OUT_BYTES_MAX);
    buf_init(&of_cut, SMPP_OUT_BYTES_MAX);
    run(side, octets, octets.len + 1, &whole, &of_whole);
    run(side, octets, 1 + (data[0] & 0x7F), &cut, &of_cut);
    FUZZ_CHECK(memcmp(&whole, &cut, sizeof(whole)) == 0);
    FUZZ_CHECK(slice_eq(buf_slice(&of_whole), buf_slice(&of_cut)));
    rest = buf_slice(&of_whole);
    struct smpp_pdu pdu;
    while (smpp_pdu_take(&rest, &pdu) == ERR_OK)
        FUZZ_CHECK(smpp_command_word(pdu.command)[0] != '\0');
    FUZZ_CHECK(rest.len == 0);
    buf_release(&of_whole);
    buf_release(&of_cut);
    return 0;
}
