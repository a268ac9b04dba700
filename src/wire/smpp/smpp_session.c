#include "wire/smpp/smpp_session.h"
#include "core/attribute.h"
#include "core/num.h"
#include "wire/smpp/smpp_status.h"
#include <stdlib.h>

#define NEVER      ((struct mono_time){ INT64_MAX })
#define BOUND_TX   1u /* the ESME submits */
#define BOUND_RX   2u /* the SMSC delivers */
#define BOUND_BOTH (BOUND_TX | BOUND_RX)

/* A request of ours. Those whose time ran out stay behind the others, for an answer that comes late. */
struct asked {
    uint32_t sequence, command;
    uint64_t tag;
    struct mono_time until;
};

struct smpp_session {
    struct smpp_session_config config;
    enum smpp_session_state state;
    unsigned bound;
    uint32_t sequence;      /* the last of ours */
    uint32_t bind_sequence; /* of the bind that is not answered */
    uint32_t bind_command;
    uint32_t unbind_sequence;
    struct asked *asked; /* owned: window_max, in the order that they were asked */
    size_t asked_count;
    struct asked *late; /* owned: a ring of window_max */
    size_t late_count, late_at;
    uint32_t *peer_asked; /* owned: peer_window_max sequences that wait for our answer */
    size_t peer_count;
    uint32_t enquire_sequence; /* 0: none is out */
    struct mono_time enquired_at, enquire_until;
    enum smpp_close ends_as; /* once it is unbound */
    struct mono_time bind_until, drain_until, unbind_until, read_until, write_until;
    struct mono_time heard_at, used_at;
    struct buf in, out;
    size_t out_at; /* written of `out` */
    unsigned bad_pdus;
};

const char *
smpp_close_word(enum smpp_close why)
{
    switch (why) {
    case SMPP_CLOSE_UNBOUND:
        return "unbound";
    case SMPP_CLOSE_PEER_UNBOUND:
        return "peer_unbound";
    case SMPP_CLOSE_REFUSED:
        return "refused";
    case SMPP_CLOSE_BIND_TIMEOUT:
        return "bind_timeout";
    case SMPP_CLOSE_SILENT:
        return "silent";
    case SMPP_CLOSE_INACTIVE:
        return "inactive";
    case SMPP_CLOSE_STALLED:
        return "stalled";
    case SMPP_CLOSE_PROTOCOL:
        return "protocol";
    case SMPP_CLOSE_PEER_GONE:
        return "peer_gone";
    case SMPP_CLOSE_NO_MEMORY:
        return "no_memory";
    }
    return "unknown";
}

enum err
smpp_session_new(const struct smpp_session_config *config, struct mono_time now, struct smpp_session **out)
{
    struct smpp_session *session = calloc(1, sizeof(*session));

    *out = NULL;
    if (session == NULL)
        return ERR_NO_MEMORY;
    session->config = *config;
    session->asked = calloc(config->window_max, sizeof(*session->asked));
    session->late = calloc(config->window_max, sizeof(*session->late));
    session->peer_asked = calloc(config->peer_window_max, sizeof(*session->peer_asked));
    buf_init(&session->in, SMPP_PDU_BYTES_MAX);
    buf_init(&session->out, SMPP_OUT_BYTES_MAX);
    session->bind_until = mono_after_ms(now, config->bind_ms);
    session->drain_until = session->unbind_until = session->read_until = session->write_until = NEVER;
    session->enquire_until = NEVER;
    session->ends_as = SMPP_CLOSE_UNBOUND;
    session->heard_at = session->used_at = now;
    if (session->asked == NULL || session->late == NULL || session->peer_asked == NULL) {
        smpp_session_free(session);
        return ERR_NO_MEMORY;
    }
    *out = session;
    return ERR_OK;
}

void
smpp_session_free(struct smpp_session *session)
{
    if (session == NULL)
        return;
    buf_release_wiped(&session->in); /* text and passwords went through them */
    buf_release_wiped(&session->out);
    free(session->asked);
    free(session->late);
    free(session->peer_asked);
    free(session);
}

enum smpp_session_state
smpp_session_state(const struct smpp_session *session)
{
    return session->state;
}

static unsigned
bound_by(uint32_t command)
{
    return command == SMPP_BIND_TRANSMITTER ? BOUND_TX
           : command == SMPP_BIND_RECEIVER  ? BOUND_RX
                                            : BOUND_BOTH;
}

static unsigned
sends_by(const struct smpp_session *session)
{
    return session->config.side == SMPP_ESME ? BOUND_TX : BOUND_RX;
}

bool
smpp_session_may_send(const struct smpp_session *session)
{
    return session->state == SMPP_SESSION_BOUND && (session->bound & sends_by(session)) != 0;
}

size_t
smpp_session_room(const struct smpp_session *session)
{
    return smpp_session_may_send(session) ? session->config.window_max - session->asked_count : 0;
}

static void
close_session(struct smpp_session *session, enum smpp_close why, uint32_t status)
{
    const struct smpp_session_config *config = &session->config;

    if (session->state == SMPP_SESSION_CLOSED)
        return;
    session->state = SMPP_SESSION_CLOSED;
    session->bound = 0;
    session->peer_count = 0;
    while (session->asked_count > 0) { /* the oldest first; what a call does finds a closed session */
        uint64_t tag = session->asked[0].tag;
        memmove(session->asked, session->asked + 1, --session->asked_count * sizeof(*session->asked));
        config->calls->lost(config->ctx, tag, SMPP_LOSS_CLOSED);
    }
    config->calls->closed(config->ctx, why, status);
}

/* What was added to `out` is there, or the session is at its end. */
static bool
out_holds(struct smpp_session *session, struct mono_time now)
{
    if (session->out.err != ERR_OK) {
        close_session(session, session->out.err == ERR_LIMIT ? SMPP_CLOSE_STALLED : SMPP_CLOSE_NO_MEMORY, 0);
        return false;
    }
    if (session->write_until.us == INT64_MAX && session->out.len > session->out_at)
        session->write_until = mono_after_ms(now, session->config.response_ms);
    return true;
}

static uint32_t
pdu_send(struct smpp_session *session, uint32_t command, struct slice body, struct mono_time now)
{
    session->sequence = smpp_sequence_next(session->sequence);
    size_t began = smpp_pdu_begin(&session->out, command, 0, session->sequence);
    buf_add(&session->out, body);
    smpp_pdu_end(&session->out, began);
    return out_holds(session, now) ? session->sequence : 0;
}

enum err
smpp_session_bind(struct smpp_session *session, uint32_t command, const struct smpp_bind *bind,
                  size_t password_bytes, struct mono_time now)
{
    struct buf body;

    if (session->state != SMPP_SESSION_OPEN || session->config.side != SMPP_ESME)
        return ERR_STATE_CONFLICT;
    buf_init(&body, SMPP_PDU_UNBOUND_MAX);
    enum err err = smpp_bind_add(&body, bind, password_bytes);
    if (err == ERR_OK) {
        session->state = SMPP_SESSION_BINDING;
        session->bind_command = command;
        session->bind_sequence = pdu_send(session, command, buf_slice(&body), now);
    }
    buf_release_wiped(&body);
    return err;
}

static void
be_bound(struct smpp_session *session, const struct smpp_answer *answer, struct mono_time now)
{
    session->state = SMPP_SESSION_BOUND;
    session->bound = bound_by(session->bind_command);
    session->bind_until = NEVER;
    session->heard_at = session->used_at = now;
    session->config.calls->bound(session->config.ctx, answer);
}

void
smpp_session_bind_answer(struct smpp_session *session, uint32_t status, struct slice system_id,
                         struct mono_time now)
{
    struct smpp_answer answer = { .name = system_id, .tlvs = SLICE("\x02\x10\0\1\x34") };

    if (session->state != SMPP_SESSION_BINDING || session->config.side != SMPP_SMSC)
        return;
    size_t began =
        smpp_pdu_begin(&session->out, session->bind_command | SMPP_RESPONSE, status, session->bind_sequence);
    if (smpp_answer_add(&session->out, session->bind_command, &answer) != ERR_OK)
        status = SMPP_SYSTEM_ERROR; /* a name of ours that cannot be sent: without it */
    smpp_pdu_end(&session->out, began);
    if (!out_holds(session, now))
        return;
    if (status == SMPP_OK)
        be_bound(session, NULL, now);
    else
        close_session(session, SMPP_CLOSE_REFUSED, status);
}

enum err
smpp_session_ask(struct smpp_session *session, uint32_t command, struct slice body, uint64_t tag,
                 struct mono_time now)
{
    if (!smpp_session_may_send(session))
        return ERR_STATE_CONFLICT;
    if (session->asked_count == session->config.window_max)
        return ERR_BUSY;
    session->used_at = now;
    uint32_t sequence = pdu_send(session, command, body, now);
    if (sequence == 0)
        return ERR_NO_MEMORY; /* and it is closed: it was never asked */
    session->asked[session->asked_count++] =
        (struct asked){ .sequence = sequence,
                        .command = command,
                        .tag = tag,
                        .until = mono_after_ms(now, session->config.response_ms) };
    return ERR_OK;
}

static void
answer_send(struct smpp_session *session, uint32_t command, uint32_t status, uint32_t sequence,
            struct slice body, struct mono_time now)
{
    size_t began = smpp_pdu_begin(&session->out, command, status, sequence);

    buf_add(&session->out, body);
    smpp_pdu_end(&session->out, began);
    (void)out_holds(session, now);
}

void
smpp_session_answer(struct smpp_session *session, uint32_t command, uint32_t sequence, uint32_t status,
                    struct slice body, struct mono_time now)
{
    for (size_t i = 0; i < session->peer_count; i++) {
        if (session->peer_asked[i] != sequence)
            continue;
        session->peer_asked[i] = session->peer_asked[--session->peer_count];
        answer_send(session, command | SMPP_RESPONSE, status, sequence, body, now);
        return;
    }
}

static void
unbind_send(struct smpp_session *session, struct mono_time now)
{
    session->state = SMPP_SESSION_UNBINDING;
    session->drain_until = NEVER;
    session->unbind_until = mono_after_ms(now, session->config.unbind_ms);
    session->unbind_sequence = pdu_send(session, SMPP_UNBIND, SLICE_EMPTY, now);
}

void
smpp_session_unbind(struct smpp_session *session, struct mono_time now)
{
    switch (session->state) {
    case SMPP_SESSION_OPEN:
    case SMPP_SESSION_BINDING:
        close_session(session, SMPP_CLOSE_UNBOUND, 0);
        return;
    case SMPP_SESSION_BOUND:
        session->state = SMPP_SESSION_DRAINING;
        session->drain_until = mono_after_ms(now, session->config.drain_ms);
        if (session->asked_count == 0)
            unbind_send(session, now);
        return;
    case SMPP_SESSION_DRAINING:
    case SMPP_SESSION_UNBINDING:
    case SMPP_SESSION_CLOSED:
        return;
    }
}

/* An answer that belongs to nothing is dropped: it was answered before, or never asked. */
static void
answered(struct smpp_session *session, const struct smpp_pdu *pdu, struct mono_time now)
{
    const struct smpp_session_config *config = &session->config;
    bool is_nack = pdu->command == SMPP_GENERIC_NACK;

    for (size_t i = 0; i < session->asked_count; i++) {
        const struct asked asked = session->asked[i];
        if (asked.sequence != pdu->sequence || (!is_nack && (asked.command | SMPP_RESPONSE) != pdu->command))
            continue;
        memmove(session->asked + i, session->asked + i + 1,
                (--session->asked_count - i) * sizeof(*session->asked));
        config->calls->answer(config->ctx, asked.tag, pdu, false);
        if (session->state == SMPP_SESSION_DRAINING && session->asked_count == 0)
            unbind_send(session, now);
        return;
    }
    for (size_t i = 0; i < session->late_count; i++) {
        struct asked *late = &session->late[i];
        if (late->sequence != pdu->sequence || (!is_nack && (late->command | SMPP_RESPONSE) != pdu->command))
            continue;
        late->sequence = 0;
        config->calls->answer(config->ctx, late->tag, pdu, true);
        return;
    }
}

static void
response(struct smpp_session *session, const struct smpp_pdu *pdu, struct mono_time now)
{
    struct smpp_answer answer;

    if (pdu->sequence != 0 && pdu->sequence == session->enquire_sequence) { /* a nack is a sign of life too */
        session->enquire_sequence = 0;
        session->enquire_until = NEVER;
        return;
    }
    if (session->state == SMPP_SESSION_BINDING && session->config.side == SMPP_ESME) {
        bool is_nack = pdu->command == SMPP_GENERIC_NACK;
        if (pdu->sequence != session->bind_sequence ||
            (!is_nack && pdu->command != (session->bind_command | SMPP_RESPONSE)))
            return;
        if (pdu->status != SMPP_OK || is_nack)
            close_session(session, SMPP_CLOSE_REFUSED,
                          pdu->status == SMPP_OK ? SMPP_SYSTEM_ERROR : pdu->status);
        else if (smpp_answer_read(pdu->command, pdu->body, &answer) != ERR_OK) /* bound all the same */
            be_bound(session, &(struct smpp_answer){ .name = SLICE_EMPTY }, now);
        else
            be_bound(session, &answer, now);
        return;
    }
    if (session->state == SMPP_SESSION_UNBINDING && pdu->sequence == session->unbind_sequence) {
        close_session(session, session->ends_as, 0);
        return;
    }
    answered(session, pdu, now);
}

static void
nack(struct smpp_session *session, const struct smpp_pdu *pdu, uint32_t status, struct mono_time now)
{
    answer_send(session, SMPP_GENERIC_NACK, status, pdu->sequence, SLICE_EMPTY, now);
    if (++session->bad_pdus >= SMPP_BAD_PDUS_MAX)
        close_session(session, SMPP_CLOSE_PROTOCOL, 0);
}

static void
bind_request(struct smpp_session *session, const struct smpp_pdu *pdu, struct mono_time now)
{
    uint32_t resp = pdu->command | SMPP_RESPONSE;
    struct smpp_bind bind;

    if (session->config.side != SMPP_SMSC) {
        answer_send(session, resp, SMPP_INVALID_BIND_STATUS, pdu->sequence, SLICE("\0"), now);
    } else if (session->state != SMPP_SESSION_OPEN) {
        answer_send(session, resp, SMPP_ALREADY_BOUND, pdu->sequence, SLICE("\0"), now);
    } else if (smpp_bind_read(pdu->body, &bind) != ERR_OK) {
        answer_send(session, resp, SMPP_INVALID_LENGTH, pdu->sequence, SLICE("\0"), now);
        close_session(session, SMPP_CLOSE_REFUSED, SMPP_INVALID_LENGTH);
    } else {
        session->state = SMPP_SESSION_BINDING;
        session->bind_command = pdu->command;
        session->bind_sequence = pdu->sequence;
        session->config.calls->bind(session->config.ctx, pdu->command, &bind);
    }
}

/* Which way of being bound a command of the peer wants; 0: none of its. */
static unsigned
wanted_bound(enum smpp_side our_side, uint32_t command)
{
    switch (command) {
    case SMPP_SUBMIT_SM:
    case SMPP_SUBMIT_MULTI:
    case SMPP_QUERY_SM:
    case SMPP_CANCEL_SM:
    case SMPP_REPLACE_SM:
        return our_side == SMPP_SMSC ? BOUND_TX : 0;
    case SMPP_DELIVER_SM:
        return our_side == SMPP_ESME ? BOUND_RX : 0;
    case SMPP_DATA_SM:
        return our_side == SMPP_SMSC ? BOUND_TX : BOUND_RX;
    default:
        return 0;
    }
}

static void
peer_request(struct smpp_session *session, const struct smpp_pdu *pdu, unsigned wanted, struct mono_time now)
{
    uint32_t resp = pdu->command | SMPP_RESPONSE;

    session->used_at = now;
    if ((session->bound & wanted) == 0) {
        answer_send(session, resp, SMPP_INVALID_BIND_STATUS, pdu->sequence, SLICE("\0"), now);
        return;
    }
    if (session->peer_count == session->config.peer_window_max) {
        uint32_t status = session->config.side == SMPP_SMSC ? SMPP_THROTTLED : SMPP_TEMPORARY_ERROR;
        answer_send(session, resp, status, pdu->sequence, SLICE("\0"), now);
        return;
    }
    session->peer_asked[session->peer_count++] = pdu->sequence;
    session->config.calls->request(session->config.ctx, pdu);
}

static void
request(struct smpp_session *session, const struct smpp_pdu *pdu, struct mono_time now)
{
    unsigned wanted = wanted_bound(session->config.side, pdu->command);

    if (wanted != 0) {
        peer_request(session, pdu, wanted, now);
        return;
    }
    switch (pdu->command) {
    case SMPP_BIND_RECEIVER:
    case SMPP_BIND_TRANSMITTER:
    case SMPP_BIND_TRANSCEIVER:
        bind_request(session, pdu, now);
        return;
    case SMPP_ENQUIRE_LINK:
        answer_send(session, SMPP_ENQUIRE_LINK | SMPP_RESPONSE, SMPP_OK, pdu->sequence, SLICE_EMPTY, now);
        return;
    case SMPP_UNBIND:
        answer_send(session, SMPP_UNBIND | SMPP_RESPONSE, SMPP_OK, pdu->sequence, SLICE_EMPTY, now);
        close_session(session, SMPP_CLOSE_PEER_UNBOUND, 0);
        return;
    case SMPP_ALERT_NOTIFICATION:
    case SMPP_OUTBIND:
        if (session->config.side == SMPP_ESME)
            session->config.calls->notice(session->config.ctx, pdu);
        return;
    default:
        nack(session, pdu, SMPP_INVALID_COMMAND, now);
        return;
    }
}

static void
pdu_handle(struct smpp_session *session, const struct smpp_pdu *pdu, struct mono_time now)
{
    unsigned bad_before = session->bad_pdus;

    if ((pdu->command & SMPP_RESPONSE) != 0)
        response(session, pdu, now);
    else
        request(session, pdu, now);
    if (session->bad_pdus == bad_before)
        session->bad_pdus = 0;
}

/* How long a PDU may be now: whoever has not shown who it is fills no memory. */
static bool
length_may_be(const struct smpp_session *session, struct slice input)
{
    bool is_unbound = session->state == SMPP_SESSION_OPEN || session->state == SMPP_SESSION_BINDING;

    return !is_unbound || input.len < 4 || num_u32be_get(input.ptr) <= SMPP_PDU_UNBOUND_MAX;
}

/* Takes the PDUs that are whole; false: the session has ended. */
static bool
pdus_take(struct smpp_session *session, struct slice *input, struct mono_time now)
{
    struct smpp_pdu pdu;

    while (session->state != SMPP_SESSION_CLOSED) {
        enum err err = length_may_be(session, *input) ? smpp_pdu_take(input, &pdu) : ERR_SMPP_LENGTH;
        if (err == ERR_INCOMPLETE)
            break;
        if (err != ERR_OK) {
            answer_send(session, SMPP_GENERIC_NACK, SMPP_INVALID_LENGTH, 0, SLICE_EMPTY, now); /* of no number */
            close_session(session, SMPP_CLOSE_PROTOCOL, 0);
            break;
        }
        pdu_handle(session, &pdu, now);
    }
    return session->state != SMPP_SESSION_CLOSED;
}

void
smpp_session_feed(struct smpp_session *session, struct slice octets, struct mono_time now)
{
    session->heard_at = now;
    while (octets.len > 0 && session->state != SMPP_SESSION_CLOSED) {
        struct slice input = octets;
        if (session->in.len > 0) { /* a PDU was begun: as much more as makes it whole, or as there is */
            size_t room = SMPP_PDU_BYTES_MAX - session->in.len;
            struct slice more = slice_first(octets, room);
            buf_add(&session->in, more);
            if (session->in.err != ERR_OK) {
                close_session(session, SMPP_CLOSE_NO_MEMORY, 0);
                return;
            }
            octets = slice_drop(octets, more.len);
            input = buf_slice(&session->in);
        } else {
            octets = SLICE_EMPTY;
        }
        size_t whole = input.len;
        if (!pdus_take(session, &input, now))
            return;
        if (input.len == whole && session->in.len > 0)
            continue; /* still not whole */
        /* What is left begins the next one: moved to the front, or kept for the first time. */
        if (session->in.len > 0) {
            memmove(session->in.ptr, session->in.ptr + (session->in.len - input.len), input.len);
            session->in.len = input.len;
        } else {
            buf_add(&session->in, input);
        }
        session->read_until = session->in.len > 0 ? mono_after_ms(now, session->config.read_ms) : NEVER;
        if (session->in.err != ERR_OK)
            close_session(session, SMPP_CLOSE_NO_MEMORY, 0);
    }
}

void
smpp_session_gone(struct smpp_session *session, struct mono_time now UNUSED)
{
    bool is_in_order = session->state == SMPP_SESSION_UNBINDING;

    close_session(session, is_in_order ? session->ends_as : SMPP_CLOSE_PEER_GONE, 0);
}

struct slice
smpp_session_out(const struct smpp_session *session)
{
    return slice_drop(buf_slice(&session->out), session->out_at);
}

void
smpp_session_written(struct smpp_session *session, size_t count, struct mono_time now)
{
    session->out_at += count;
    if (session->out_at < session->out.len) {
        session->write_until = mono_after_ms(now, session->config.response_ms);
        if (session->out_at > SMPP_OUT_BYTES_MAX / 2) {
            memmove(session->out.ptr, session->out.ptr + session->out_at, session->out.len - session->out_at);
            session->out.len -= session->out_at;
            session->out_at = 0;
        }
        return;
    }
    buf_clear(&session->out);
    session->out_at = 0;
    session->write_until = NEVER;
}

/* The oldest come first, and all have the same time: so they run out in their order. */
static void
answers_expire(struct smpp_session *session, struct mono_time now)
{
    const struct smpp_session_config *config = &session->config;

    while (session->asked_count > 0 && session->asked[0].until.us <= now.us) {
        struct asked asked = session->asked[0];
        memmove(session->asked, session->asked + 1, --session->asked_count * sizeof(*session->asked));
        session->late[session->late_at] = asked;
        session->late_at = (session->late_at + 1) % config->window_max;
        if (session->late_count < config->window_max)
            session->late_count++;
        config->calls->lost(config->ctx, asked.tag, SMPP_LOSS_TIMEOUT);
    }
}

static bool
is_over(struct mono_time until, struct mono_time now)
{
    return until.us <= now.us;
}

static struct mono_time
enquire_at(const struct smpp_session *session)
{
    bool is_bound = session->state == SMPP_SESSION_BOUND || session->state == SMPP_SESSION_DRAINING;

    return !is_bound || session->config.enquire_ms == 0 || session->enquire_sequence != 0
               ? NEVER
               : mono_after_ms(session->heard_at, session->config.enquire_ms);
}

static struct mono_time
inactive_at(const struct smpp_session *session)
{
    return session->state != SMPP_SESSION_BOUND || session->config.inactive_ms == 0
               ? NEVER
               : mono_after_ms(session->used_at, session->config.inactive_ms);
}

void
smpp_session_tick(struct smpp_session *session, struct mono_time now)
{
    if (session->state == SMPP_SESSION_CLOSED)
        return;
    if (is_over(session->bind_until, now)) {
        close_session(session, SMPP_CLOSE_BIND_TIMEOUT, 0);
    } else if (is_over(session->read_until, now) || is_over(session->write_until, now)) {
        close_session(session, SMPP_CLOSE_STALLED, 0);
    } else if (is_over(session->enquire_until, now) && session->heard_at.us <= session->enquired_at.us) {
        close_session(session, SMPP_CLOSE_SILENT, 0);
    } else if (is_over(session->unbind_until, now)) {
        close_session(session, session->ends_as, 0);
    } else {
        if (is_over(session->enquire_until, now)) { /* it has other things to say: it lives */
            session->enquire_until = NEVER;
            session->enquire_sequence = 0;
        }
        answers_expire(session, now);
        if (session->state == SMPP_SESSION_DRAINING &&
            (session->asked_count == 0 || is_over(session->drain_until, now)))
            unbind_send(session, now);
        if (is_over(inactive_at(session), now)) {
            session->ends_as = SMPP_CLOSE_INACTIVE;
            smpp_session_unbind(session, now);
        }
        if (is_over(enquire_at(session), now)) {
            session->enquire_sequence = pdu_send(session, SMPP_ENQUIRE_LINK, SLICE_EMPTY, now);
            session->enquired_at = now;
            session->enquire_until = mono_after_ms(now, session->config.response_ms);
        }
    }
}

struct mono_time
smpp_session_next(const struct smpp_session *session)
{
    const struct mono_time times[] = { session->bind_until,
                                       session->read_until,
                                       session->write_until,
                                       session->enquire_until,
                                       session->unbind_until,
                                       session->drain_until,
                                       enquire_at(session),
                                       inactive_at(session),
                                       session->asked_count > 0 ? session->asked[0].until : NEVER };
    struct mono_time next = NEVER;

    for (size_t i = 0; session->state != SMPP_SESSION_CLOSED && i < COUNT_OF(times); i++)
        if (times[i].us < next.us)
            next = times[i];
    return next;
}
