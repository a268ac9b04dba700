/*
 * What is asked of a provider besides sending a message: register a number, read its quality, hand in a
 * template. A row is made in the transaction that wants it, claimed by a dispatcher, and finished in the
 * transaction that applies what came of it. The API shows it as an operation.
 *
 * A claim raises the row's fence, and only the claim that still holds the row writes. A claim that ends
 * without a word (its process died) is taken over, and the next one learns that the last may have reached the
 * provider.
 */
#ifndef DOMAIN_CHANNEL_PROVIDER_TASK_H
#define DOMAIN_CHANNEL_PROVIDER_TASK_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define PROVIDER_TASK_WAITING_MAX  1000u /* of one channel, asked for by the API */
#define PROVIDER_TASK_RESULT_MAX   16384u
#define PROVIDER_TASK_PROGRESS_MAX 65536u

enum provider_task_kind {
#define TASK(name, word, subject, patience_s, tells, waits) PROVIDER_TASK_##name,
#include "domain/channel/provider_task.def"
#undef TASK
    PROVIDER_TASK_KINDS
};
/* "number.sync": stored and shown. */
const char *provider_task_kind_word(enum provider_task_kind kind);
/* ERR_NOT_FOUND: written by another build. */
MUST_CHECK enum err provider_task_kind_parse(struct slice word, enum provider_task_kind *out);
/* What subject_id is the id of; ID_CHANNEL: there is none. */
enum id_kind provider_task_subject_kind(enum provider_task_kind kind);
/* How long after it was asked for another attempt is still worth making. */
int64_t provider_task_patience_ms(enum provider_task_kind kind);
/* Whether it is a management call that can wait until the provider has allowance for it. */
bool provider_task_is_management(enum provider_task_kind kind);

enum provider_task_state {
    PROVIDER_TASK_WAITING,
    PROVIDER_TASK_LEASED,
    PROVIDER_TASK_DONE,
    PROVIDER_TASK_FAILED
};

/* Where a task's sealed request belongs: a credential (up to 16 KiB), opened by the dispatcher alone. */
struct vault_place provider_task_place(struct id tenant, struct id task);

struct provider_task_new {
    struct id id; /* made by the caller: it is bound into the seal */
    struct id channel;
    enum provider_task_kind kind;
    struct id subject;                  /* zero: none */
    struct wall_time due_at;            /* zero: at once; later: without a request */
    const struct vault_sealed *request; /* NULL: none */
    bool moves_media;                   /* its kind does not say so by itself: it uploads before it asks */
    bool is_asked; /* by the API: ERR_TOO_MANY when PROVIDER_TASK_WAITING_MAX wait already */
};
/* Wakes a dispatcher, which learns when the next is due. */
MUST_CHECK enum err provider_task_create(struct db_tx *tx, const struct provider_task_new *task);

/*
 * What WhatsApp knows of the channel is read: its number's facts, and the templates of its account. A task
 * that waits already is left alone: it will read what is there then.
 */
MUST_CHECK enum err provider_task_ask_syncs(struct db_tx *tx, const struct clock *clock, struct id channel);

/* As the API shows it. */
struct provider_task {
    struct id id, channel, subject;
    enum provider_task_kind kind;
    enum provider_task_state state;
    int attempt;
    struct wall_time created_at, due_at;
    bool has_finished;
    struct wall_time finished_at;
    struct slice error_code, error_title, error_class; /* of the last attempt; empty: none */
    struct slice result;                               /* JSON object */
};
MUST_CHECK enum err provider_task_get(struct db_tx *tx, struct id task, struct arena *arena,
                                      struct provider_task *out);
/* Of a channel, newest first, after `before` (zero: newest), limit + 1 rows. */
MUST_CHECK enum err provider_task_list(struct db_tx *tx, struct id channel, struct id before, size_t limit,
                                       struct arena *arena, struct provider_task **out, size_t *count_out);

/* The dispatcher's side. */
struct provider_task_claim {
    struct id tenant, task, channel, subject;
    bool is_known; /* else the kind is another build's */
    enum provider_task_kind kind;
    int64_t fence;
    int attempt;    /* 1 for the first */
    bool is_unsure; /* an attempt before this one may have reached the provider */
    struct wall_time created_at;
    bool has_request;
    struct vault_sealed request;
    bool moves_media;      /* which may take minutes */
    struct slice progress; /* as an attempt before this one has left it; empty: none */
};
struct provider_task_wish {
    int64_t lease_ms;
    struct id served;       /* the tenant whose task was claimed last; zero: none */
    bool no_media;          /* none at all, or ... */
    const struct id *sated; /* ... none of these tenants: they have as much of it under way as they may */
    size_t sated_count;
};
/*
 * Claims one that is due, across tenants ("task.claim"): first of the tenants with the fewest tasks under
 * way, in turn, and of a tenant's channels first those with the fewest; so one's many do not delay another's
 * one. ERR_NOTHING.
 */
MUST_CHECK enum err provider_task_claim_next(struct db *db, const struct provider_task_wish *wish,
                                             struct arena *arena, struct provider_task_claim *out);
/* Tasks whose lease ran out wait again, as unsure ones. */
MUST_CHECK enum err provider_task_take_over(struct db *db, size_t *count_out);
/* When the next is due; ERR_NOTHING. */
MUST_CHECK enum err provider_task_next_due(struct db *db, struct wall_time *out);
/*
 * Holds the claim for another lease_ms: before each call, and in each transaction that writes what a call
 * brought. ERR_STATE_CONFLICT: it is another's by now; roll back and stop.
 */
MUST_CHECK enum err provider_task_hold(struct db_tx *tx, const struct provider_task_claim *claim,
                                       int64_t lease_ms);

/*
 * What this attempt has brought, and the next one goes on from: a JSON object of PROVIDER_TASK_PROGRESS_MAX
 * bytes, without secrets and nothing personal. It goes when the task has finished. ERR_STATE_CONFLICT as
 * above.
 */
MUST_CHECK enum err provider_task_progress(struct db_tx *tx, const struct provider_task_claim *claim,
                                           struct slice progress);

struct provider_task_outcome {
    enum provider_task_state state; /* WAITING: again at due_at */
    struct wall_time due_at;
    bool is_counted; /* WAITING: false gives the attempt back */
    bool is_unsure;  /* WAITING */
    struct slice error_code, error_title;
    const char *error_class; /* NULL: there is no error */
    struct slice result;     /* JSON object; empty: {} */
};
/*
 * Ends the claim. One that has finished loses its request, and where its kind tells, writes
 * operation.succeeded or operation.failed. ERR_STATE_CONFLICT when the claim was lost: roll back.
 */
MUST_CHECK enum err provider_task_settle(struct db_tx *tx, const struct clock *clock,
                                         const struct provider_task_claim *claim,
                                         const struct provider_task_outcome *outcome);

#endif
