/* What the loop of SMPP links and its two threads hand to each other. */
#ifndef PROGRAM_GATEWAY_ESME_INTERNAL_H
#define PROGRAM_GATEWAY_ESME_INTERNAL_H
#include "domain/identity/smpp_account.h"
#include "platform/os/mailbox.h"
#include "program/gateway/committer.h"
#include "program/gateway/esme.h"
#include "program/gateway/esme_account.h"
#include "program/gateway/esme_group.h"
#include "program/gateway/esme_known.h"
#include "program/gateway/limiter.h"
#include "program/gateway/message_ask.h"
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#define ESME_PEER_WINDOW   100u /* PDUs of one link that are not answered yet */
#define ESME_QUEUE_MAX     1024u
#define ESME_TOGETHER_MAX  64u /* submits that are accepted together */
#define ESME_BINDS_QUEUED  16u
#define ESME_ADDRESS_BYTES INET6_ADDRSTRLEN

enum esme_job_kind {
    ESME_BIND,
    ESME_SUBMIT, /* a message, or parts of one */
    ESME_NOTE,   /* the same once more: what is written down when it was answered */
    ESME_LOOK,
    ESME_SETTLE,
    ESME_SWEEP,
};

/* First member of each job. It goes from the loop to a thread and comes back by the mailbox. */
struct esme_job {
    struct mailbox_item item;
    enum esme_job_kind kind;
    uint64_t link; /* whose, by its number: it may be gone when the job comes back */
};

struct esme_bind {
    struct esme_job job;
    char system_id[SMPP_SYSTEM_ID_BYTES];
    char password[SMPP_PASSWORD_READ]; /* wiped by whoever has looked at it */
    char address[ESME_ADDRESS_BYTES];
    /* out */
    uint32_t status;
    struct smpp_account account;
};

/* PDUs of one message that came together: all of it, or parts. */
struct esme_submit {
    struct esme_job job;
    struct esme_submit *next; /* the loop's */
    struct arena *arena;      /* owned: all of it, and this */
    struct smpp_account account;
    char address[ESME_ADDRESS_BYTES];
    struct esme_group group;
    uint32_t command, sequences[ESME_PEER_WINDOW]; /* of its PDUs, each to be answered */
    size_t count;
    /* the worker's */
    struct esme_server *server;
    struct http_request request;
    struct principal principal;
    struct message_ask ask;
    struct limiter_share share;
    struct limiter_hold *hold;
    struct commit commit;
    json_t *body;     /* owned */
    struct id kept;   /* the group that its parts are kept in; zero: none */
    struct id wanted; /* the message that a receipt was asked for; zero: none */
    enum err refusal; /* why it cannot be accepted after all */
    bool is_done;     /* out: nothing is left to be accepted: parts are missing, or it was before */
    /* out */
    uint32_t status;
    bool is_over;     /* the account may not be bound any more */
    bool is_doubtful; /* whether it was accepted is not known */
    struct id message;
};

/* What is owed to an account: looked for, or noted as told. */
struct esme_due {
    struct esme_job job;
    struct id tenant, key;
    struct esme_batch *batch; /* owned; out of ESME_LOOK, in of ESME_SETTLE */
    enum err err;
};

/* Jobs of one thread; full means refuse. */
struct esme_queue {
    pthread_mutex_t lock;
    pthread_cond_t is_filled;
    struct mailbox_item *first, **last; /* under lock, as the next two */
    size_t count, count_max;
    bool is_stopping;
};
void esme_queue_init(struct esme_queue *queue, size_t count_max);
void esme_queue_release(struct esme_queue *queue);
/* false: it is full. */
bool esme_queue_put(struct esme_queue *queue, struct esme_job *job);
/* Waits; NULL: it is stopping, and empty. */
struct esme_job *esme_queue_take(struct esme_queue *queue);
/* Does not wait; NULL: there is none. */
struct esme_job *esme_queue_try(struct esme_queue *queue);
void esme_queue_stop(struct esme_queue *queue);

struct esme_server {
    struct gateway *gateway;
    struct esme_queue binds, work;
    struct mailbox back;     /* to the loop */
    atomic_size_t under_way; /* jobs that have not come back */
    atomic_bool is_stopping;
    struct gateway_worker *binder, *worker; /* each its thread's own */
    struct esme_known *known;               /* the worker's */
    pthread_t bind_thread, work_thread, loop_thread;
    bool has_bind_thread, has_work_thread, has_loop_thread;
    struct esme_loop *loop;
};

/* The threads. */
void *esme_bind_run(void *server);
void *esme_work_run(void *server);
void esme_submit_free(struct esme_submit *submit);
/*
 * The worker's: judges, and keeps parts. ERR_OK: it is over, with is_done; ERR_DEFERRED: it is to be
 * accepted.
 */
MUST_CHECK enum err esme_submit_take(struct gateway_worker *worker, struct esme_submit *submit);
/* At most ESME_TOGETHER_MAX of these; each comes back by the mailbox, with what became of it. */
void esme_submits_accept(struct gateway_worker *worker, struct esme_submit *const *submits, size_t count);
/* Whether something is to be noted when it was answered. */
bool esme_submit_is_noted(const struct esme_submit *submit);
/* What became of it, written down: of its parts, and of a receipt that nobody owes. */
MUST_CHECK enum err esme_submit_note(struct gateway_worker *worker, struct esme_submit *submit);

void esme_due_free(struct esme_due *due);
MUST_CHECK enum err esme_due_look(struct gateway_worker *worker, struct esme_due *due);
MUST_CHECK enum err esme_due_settle(struct gateway_worker *worker, struct esme_due *due);
/* Parts whose time is over, and what nobody takes, of all workspaces. */
MUST_CHECK enum err esme_sweep(struct gateway_worker *worker);
/* Its connection again, when it was lost. */
enum err esme_mended(struct gateway_worker *worker, enum err err);
void esme_back(struct esme_server *server, struct esme_job *job);

/* The loop. Takes listen_fd, also when it fails. */
MUST_CHECK enum err esme_loop_new(struct esme_server *server, int listen_fd, struct esme_loop **out);
void *esme_loop_run(void *loop);
void esme_loop_free(struct esme_loop *loop);

/* What an error of ours is on the wire: one table for all. */
uint32_t esme_status_of(enum err err);

#endif
