/*
 * One bind at an operator: a stream with a session on it, connected again whenever it ends. Without waiting;
 * belongs to the loop's thread.
 *
 * After a failure it waits 1 s, doubled up to 60 s, with jitter; once it has been bound for a minute it
 * begins anew. An account that was refused (password, system_id, system_type) is not tried again: somebody
 * has to mend it.
 */
#ifndef PROGRAM_SMSC_LINK_H
#define PROGRAM_SMSC_LINK_H
#include "domain/channel/sms/sms_connector.h"
#include "platform/net/address_guard.h"
#include "platform/stream/stream.h"
#include "wire/smpp/smpp_session.h"

enum link_kind { LINK_TRANSCEIVER, LINK_TRANSMITTER, LINK_RECEIVER };
const char *link_kind_word(enum link_kind kind);

enum link_state {
    LINK_WAITING,    /* for its next try */
    LINK_CONNECTING, /* name, connection, TLS, bind */
    LINK_BOUND,
    LINK_REFUSED, /* no further try */
    LINK_CLOSED,  /* ended in order, for good */
};
const char *link_state_word(enum link_state state);

struct link;

struct link_calls {
    /* The host's addresses are wanted: link_resolved, now or later. */
    void (*resolve)(void *ctx, struct link *link);
    /* Bound, and not any more. */
    void (*bound)(void *ctx, struct link *link);
    void (*unbound)(void *ctx, struct link *link);
    /* deliver_sm or data_sm: link_answer, now or later; without an answer it comes again. */
    void (*request)(void *ctx, struct link *link, const struct smpp_pdu *pdu);
    void (*answer)(void *ctx, struct link *link, uint64_t tag, const struct smpp_pdu *answer);
    void (*lost)(void *ctx, struct link *link, uint64_t tag);
    /* The account was refused with this status. */
    void (*refused)(void *ctx, struct link *link, uint32_t status);
};

struct link_config {
    const struct sms_connector *settings; /* borrowed, as what follows */
    struct id tenant;
    enum link_kind kind;
    unsigned number; /* among the connector's */
    const struct secret *password;
    struct stream_tls *tls; /* NULL: plain */
    const struct address_guard *guard;
    const struct clock *clock;
    const struct link_calls *calls;
    void *ctx;
};

MUST_CHECK enum err link_new(const struct link_config *config, struct mono_time now, struct link **out);
void link_free(
    struct link *link); /* at once; accepts NULL. Nothing is called any more but `lost` and `unbound`. */

const struct link_config *link_config(const struct link *link);
enum link_state link_state(const struct link *link);
struct smpp_session *link_session(const struct link *link); /* NULL: not connected */
struct id link_session_id(const struct link *link);         /* of this session alone */
const char *link_end_reason(const struct link *link);       /* in `unbound`: why, as a sentence */
const char *link_detail(const struct link *link);           /* why it is not bound; "": it is */
struct wall_time link_since(const struct link *link);       /* in this state */
struct mono_time link_next_try(const struct link *link);
size_t link_in_flight(const struct link *link);
uint64_t link_changes(const struct link *link); /* counts changes of what the above tell */

/* How long until try number `failures` + 1, counted from 1; `jitter` is any number. */
int64_t link_retry_ms(unsigned failures, uint32_t jitter);

/* What `resolve` asked for; count 0: there is no such name. Addresses without a port. */
void link_resolved(struct link *link, const struct sockaddr_storage *addresses, size_t count,
                   struct mono_time now);
/* Answers a request of the peer, if the session that it came by still is. */
void link_answer(struct link *link, struct id session, uint32_t command, uint32_t sequence, uint32_t status,
                 struct mono_time now);
/* Ends it in order; it is not connected again. */
void link_end(struct link *link, struct mono_time now);

/* To be polled for; -1: nothing. Then, or when link_next is due: link_step. */
int link_fd(const struct link *link);
short link_events(const struct link *link);
struct mono_time link_next(const struct link *link);
void link_step(struct link *link, short revents, struct mono_time now);

#endif
