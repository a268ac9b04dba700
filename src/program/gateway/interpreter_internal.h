/* What the interpreter's files share: a body on its way from bytes to rows. */
#ifndef PROGRAM_GATEWAY_INTERPRETER_INTERNAL_H
#define PROGRAM_GATEWAY_INTERPRETER_INTERNAL_H
#include "domain/message/message.h"
#include "domain/message/provider_event.h"
#include "program/gateway/interpret_notice.h"
#include "program/gateway/interpreter.h"
#include "program/gateway/media_fetch.h"
#include "program/gateway/template_notice.h"
#include <pthread.h>
#include <stdatomic.h>

#define WINDOWS_MAX 3u /* a number, its other spelling, a user id */

/* Bodies of one commit on their way to the interpreter, in their own arena. */
struct handed {
    struct handed *next;
    struct arena *arena; /* owned: it holds this too */
    struct provider_event *events;
    struct slice *bodies, *numbers; /* beside the events */
    size_t count, bytes;
};

struct interpreter {
    struct interpreter_config config;
    struct db *db;
    struct vault vault;
    struct arena *claim_arena, *body_arena;
    struct mono_time look_at; /* the thread's own: when it looks at the table */
    bool has_followers;       /* the thread's own: keywords were applied, and something follows them */
    pthread_t thread;
    int wake_fd;
    atomic_bool is_stopping;
    pthread_mutex_t lock;
    /* under lock: */
    struct handed *first, **last;
    size_t count, bytes; /* of bodies, with those that are being read */
    bool is_resting;     /* nothing was there: who hands over wakes it */
};

/* One step of a body, prepared outside the transaction; applied in it. */
struct step {
    struct slice phone_number_id;
    const struct notice *notice;            /* and nothing else: it knows its channel */
    const struct template_notice *template; /* and nothing else */
    bool is_inbound, is_call;
    /* a status */
    struct message_report report;
    struct slice callback_data;
    bool has_pricing;
    struct message_pricing pricing;
    bool has_lost_media; /* WhatsApp could not get at what was pushed */
    /* an incoming message */
    struct message_received received;
    struct message_plain plain; /* with the next: what readings_seal seals of it */
    struct slice event_plain;
    struct slice peers[WINDOWS_MAX];                       /* the addresses under which the sender is known */
    unsigned char windows[WINDOWS_MAX][VAULT_INDEX_BYTES]; /* and their indexes, by readings_seal */
    size_t window_count;
    bool is_referred;
    struct slice keyword;      /* what it says, folded, when it may be a keyword (domain/consent) */
    struct media_fetch *media; /* what came with it and is to be fetched; NULL: none */
    struct step *next;
};

struct reading {
    struct interpreter *interpreter;
    const struct provider_event *event;
    struct arena *arena;
    struct slice number; /* of the event's channel; empty: not known */
    struct step *first, **last;
    size_t ignored_count, unheeded_count, unrouted_count;
    struct slice fetch_of; /* the number of which does_fetch is known; NULL ptr: none yet */
    bool does_fetch;
    bool is_lost; /* another gateway has taken it over */
    enum err err; /* of opening it and preparing its steps */
};

/* Whole commits, the oldest first: one, and more up to so many bodies. NULL: there are none. */
struct handed *handed_take(struct interpreter *interpreter, size_t count_max, size_t *count_out);
/* Of all that handed_take gave; the bodies are wiped. Accepts NULL. */
void handed_release(struct interpreter *interpreter, struct handed *handed);
/* From now on who hands over wakes the thread; false: something is there already. */
bool handed_rest(struct interpreter *interpreter);
void interpreter_wake(struct interpreter *interpreter);

/* The steps of an opened body, in the reading's arena; outside of any transaction. */
MUST_CHECK enum err reading_prepare(struct reading *reading, struct slice body);
/* Seals what came in with all of them, in one exchange; a reading whose parts cannot be sealed fails alone.
 */
MUST_CHECK enum err readings_seal(struct interpreter *interpreter, struct reading *readings, size_t count);
/*
 * Applies them and marks the bodies as interpreted, in a transaction that is turned from tenant to tenant:
 * the readings are sorted by tenant, and all that is left of their batches; or it is one. One whose claim was
 * lost is passed, and is_lost. May be run again.
 */
MUST_CHECK enum err readings_apply(struct db_tx *tx, struct reading *const *readings, size_t count,
                                   struct arena *arena);

/*
 * PDUs of SMS connectors, all that is left of their batches or one: read and applied together. One that
 * cannot be is given to `postpone`, and holds nobody up. Uses the body arena, and leaves it empty.
 */
MUST_CHECK enum err sms_bodies_interpret(struct interpreter *interpreter,
                                         const struct provider_event *const *bodies, size_t count,
                                         enum err (*postpone)(struct interpreter *,
                                                              const struct provider_event *, enum err));
/* Receipts whose part is known by now, and parts of what somebody wrote that are all there or have waited
 * enough. Sets *has_more when there was more than is looked at together. */
MUST_CHECK enum err sms_waiting_interpret(struct interpreter *interpreter, bool *has_more);

#endif
