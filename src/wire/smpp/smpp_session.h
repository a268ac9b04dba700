/*
 * One SMPP session, of either side, without a socket or a clock: it is fed with octets and time, and says
 * what to send and what has happened. SMPP v3.4 issue 1.2, sections 2 (states, timers) and 3.
 *
 * Whoever owns it calls smpp_session_feed with what came, writes what smpp_session_out shows, and calls
 * smpp_session_tick when smpp_session_next is due. Calls come from within those functions; in a call the
 * session may be asked, answered and unbound, but not freed.
 *
 * What it sees to: the window of requests that are not answered yet, in both directions; each answer belongs
 * to its request, and each request ends exactly once, by an answer or by a loss; enquire_link while it is
 * silent; what may be asked in which state; limits of what a peer may make us hold.
 */
#ifndef WIRE_SMPP_SMPP_SESSION_H
#define WIRE_SMPP_SMPP_SESSION_H
#include "core/clock.h"
#include "wire/smpp/smpp_message.h"

#define SMPP_WINDOW_MAX      1000u
#define SMPP_PDU_UNBOUND_MAX 1024u                /* of a peer that has not shown who it is */
#define SMPP_OUT_BYTES_MAX   (4u * 1024u * 1024u) /* that a peer has not read yet */
#define SMPP_BAD_PDUS_MAX    16u                  /* nacks in a row; then the peer speaks something else */

enum smpp_side {
    SMPP_ESME, /* binds, and submits */
    SMPP_SMSC, /* is bound to, and delivers */
};

enum smpp_session_state {
    SMPP_SESSION_OPEN,    /* of an SMSC: no bind has come yet */
    SMPP_SESSION_BINDING, /* asked, not answered */
    SMPP_SESSION_BOUND,
    SMPP_SESSION_DRAINING,  /* nothing more is asked; what is out comes back */
    SMPP_SESSION_UNBINDING, /* unbind was sent */
    SMPP_SESSION_CLOSED,    /* what is still in smpp_session_out may be written, then it is over */
};

enum smpp_loss {
    SMPP_LOSS_TIMEOUT, /* no answer in time: it may come late, as a late answer */
    SMPP_LOSS_CLOSED,  /* the session ended before: nothing more is heard */
};

enum smpp_close {
    SMPP_CLOSE_UNBOUND,      /* by us, in order */
    SMPP_CLOSE_PEER_UNBOUND, /* by the peer, in order */
    SMPP_CLOSE_REFUSED,      /* the bind was; the status says why */
    SMPP_CLOSE_BIND_TIMEOUT, /* no bind, or no answer to it */
    SMPP_CLOSE_SILENT,       /* nothing came after enquire_link */
    SMPP_CLOSE_INACTIVE,     /* nothing was asked for too long */
    SMPP_CLOSE_STALLED,      /* a PDU was begun and not ended, or what we send is not read */
    SMPP_CLOSE_PROTOCOL,     /* the framing is lost, or the peer speaks something else */
    SMPP_CLOSE_PEER_GONE,    /* the connection ended: smpp_session_gone */
    SMPP_CLOSE_NO_MEMORY,
};
const char *smpp_close_word(enum smpp_close why); /* for logs and metrics */

struct smpp_session;

struct smpp_session_calls {
    /* An SMSC's: somebody wants to be bound. To be answered by smpp_session_bind_answer, now or later. */
    void (*bind)(void *ctx, uint32_t command, const struct smpp_bind *bind);
    /* Bound now. `answer`: of an ESME, what the SMSC says of itself; else NULL. */
    void (*bound)(void *ctx, const struct smpp_answer *answer);
    /* A request of the peer, to be answered by smpp_session_answer with its sequence, now or later. */
    void (*request)(void *ctx, const struct smpp_pdu *pdu);
    /* alert_notification, outbind: nothing is answered. */
    void (*notice)(void *ctx, const struct smpp_pdu *pdu);
    /* The answer to a request of ours. `is_late`: it was told as lost before. */
    void (*answer)(void *ctx, uint64_t tag, const struct smpp_pdu *answer, bool is_late);
    void (*lost)(void *ctx, uint64_t tag, enum smpp_loss why);
    /* The last one. `status`: of SMPP_CLOSE_REFUSED. */
    void (*closed)(void *ctx, enum smpp_close why, uint32_t status);
};

struct smpp_session_config {
    enum smpp_side side;
    size_t window_max;      /* 1 to SMPP_WINDOW_MAX: our requests without an answer */
    size_t peer_window_max; /* likewise the peer's; what comes beyond is refused as throttled */
    int64_t bind_ms;        /* from the beginning until it is bound */
    int64_t response_ms;    /* for an answer */
    int64_t enquire_ms;     /* of silence, then enquire_link; 0: never */
    int64_t inactive_ms;    /* without any request but enquire_link, then it is ended; 0: never */
    int64_t read_ms;        /* from a PDU's first octet to its last */
    int64_t drain_ms;       /* for what is out, before unbind */
    int64_t unbind_ms;      /* for the answer to unbind */
    const struct smpp_session_calls *calls;
    void *ctx;
};

/* Begins at `now`. ERR_NO_MEMORY. */
MUST_CHECK enum err smpp_session_new(const struct smpp_session_config *config, struct mono_time now,
                                     struct smpp_session **out);
void smpp_session_free(struct smpp_session *session); /* accepts NULL; no call comes any more */

/* An ESME's first step. ERR_LIMIT, ERR_ENCODING: the bind cannot be written; the session is as before. */
MUST_CHECK enum err smpp_session_bind(struct smpp_session *session, uint32_t command,
                                      const struct smpp_bind *bind, size_t password_bytes,
                                      struct mono_time now);
/* An SMSC's answer to `bind`. Any status but SMPP_OK ends the session once it is written. */
void smpp_session_bind_answer(struct smpp_session *session, uint32_t status, struct slice system_id,
                              struct mono_time now);

enum smpp_session_state smpp_session_state(const struct smpp_session *session);
/* Bound so that we may submit (an ESME) or deliver (an SMSC). */
bool smpp_session_may_send(const struct smpp_session *session);
/* Requests that may be asked now. */
size_t smpp_session_room(const struct smpp_session *session);

/*
 * Asks the peer: the body was made by an _add function of smpp_message.h. ERR_BUSY: the window is full;
 * ERR_STATE_CONFLICT: not bound so that it may; ERR_NO_MEMORY. `tag` comes back with the answer or the loss.
 */
MUST_CHECK enum err smpp_session_ask(struct smpp_session *session, uint32_t command, struct slice body,
                                     uint64_t tag, struct mono_time now);
/* Answers a request of the peer. An answer to what was not asked, or to a peer that has gone, is dropped. */
void smpp_session_answer(struct smpp_session *session, uint32_t command, uint32_t sequence, uint32_t status,
                         struct slice body, struct mono_time now);

/* Ends it in order: nothing more is asked, what is out is waited for, unbind, its answer. */
void smpp_session_unbind(struct smpp_session *session, struct mono_time now);

/* Octets that came. */
void smpp_session_feed(struct smpp_session *session, struct slice octets, struct mono_time now);
/* The connection has ended. */
void smpp_session_gone(struct smpp_session *session, struct mono_time now);
/* What is to be written; smpp_session_written tells how much of it was. */
struct slice smpp_session_out(const struct smpp_session *session);
void smpp_session_written(struct smpp_session *session, size_t count, struct mono_time now);
/* What time has brought, and when to call it again at the latest. */
void smpp_session_tick(struct smpp_session *session, struct mono_time now);
struct mono_time smpp_session_next(const struct smpp_session *session);

#endif
