/* What the files of the loop share: its links, and what each file does with them. All of one thread. */
#ifndef PROGRAM_GATEWAY_ESME_LOOP_INTERNAL_H
#define PROGRAM_GATEWAY_ESME_LOOP_INTERNAL_H
#include "program/gateway/esme_identity.h"
#include "program/gateway/esme_internal.h"
#include "wire/smpp/smpp_session.h"

struct esme_link {
    struct esme_link *next;
    struct esme_loop *loop;
    struct smpp_session *session; /* owned */
    uint64_t number;              /* from 1 */
    struct stream *stream;        /* owned; NULL: closed */
    bool is_ready, is_closed;
    short events; /* that epoll watches for */
    char address[ESME_ADDRESS_BYTES];
    uint32_t command; /* of its bind */
    struct smpp_account what;
    struct esme_account *account; /* borrowed; NULL: not bound */
    struct esme_submit *pending;  /* owned: parts that came in this turn */
};

struct esme_loop {
    struct esme_server *server;
    int listen_fd, epoll_fd;
    struct esme_identity identity; /* under TLS */
    struct esme_link *links;
    size_t link_count;
    uint64_t last_number;
    struct esme_accounts accounts;
    struct mono_time sweep_at;
    struct esme_job sweep; /* the worker's while is_sweeping */
    bool is_sweeping, is_stopping;
    struct mono_time stop_by;
};

static inline struct mono_time
esme_now_of(const struct esme_loop *loop)
{
    return clock_mono(loop->server->gateway->clock);
}

static inline bool
esme_is_due(struct mono_time now, struct mono_time at)
{
    return now.us >= at.us;
}

/* To a thread; false: it has too much to do already. */
bool esme_job_give(struct esme_loop *loop, struct esme_queue *queue, struct esme_job *job);
/* NULL: it has gone. */
struct esme_link *esme_link_find(const struct esme_loop *loop, uint64_t number);

/* esme_link.c: what a session of ours calls; binds and submits go to the threads, and come back. */
extern const struct smpp_session_calls esme_session_calls;
/* At the end of a turn: parts that did not all come in it are kept, so that each can be answered. */
void esme_pending_give(struct esme_link *link);
void esme_bind_back(struct esme_loop *loop, struct esme_bind *bind);
void esme_submit_back(struct esme_loop *loop, struct esme_submit *submit);

/* esme_tell.c: looks for what is owed to an account, tells it, and has it noted. */
void esme_account_tick(struct esme_loop *loop, struct esme_account *account, struct mono_time now);
void esme_due_back(struct esme_loop *loop, struct esme_due *due);
void esme_on_answer(void *link, uint64_t tag, const struct smpp_pdu *answer, bool is_late);
void esme_on_lost(void *link, uint64_t tag, enum smpp_loss why);

#endif
