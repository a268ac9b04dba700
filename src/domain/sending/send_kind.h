/*
 * What a kind of channel does with the messages of its lanes; what it does not say here is the same for all
 * (send_store.h). A process sends for one kind. All of these are called by the store's thread; `ctx` is the
 * store configuration's kind_ctx.
 *
 * A batch goes: `begin` in the transaction that marks messages as sending, for each tenant once; then one
 * exchange with the vault, for what `ask` wants and for each message's recipient and content; `opened`; then
 * `print` for each message; `end`. Outcomes go: `record`, in the transaction that writes them.
 */
#ifndef DOMAIN_SENDING_SEND_KIND_H
#define DOMAIN_SENDING_SEND_KIND_H
#include "core/arena.h"
#include "domain/sending/send_job.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_many.h"

/* Messages that leave together, sorted by tenant. Lives as long as `arena` is not reset. */
struct send_batch {
    const struct message_claim *claims;
    struct message_job *jobs; /* as marked; look at is_mine first */
    size_t count;
    struct db *db; /* for what has to be asked outside of the transaction */
    struct arena *arena;
    void *of_kind; /* NULL until `begin` has set it */
};

struct send_kind {
    const char *carrier;    /* whose lanes: dispatch_lane.carrier */
    size_t job_bytes;       /* of its own struct, whose first member is a struct send_job */
    int64_t per_second;     /* of a lane; 0: the setting's */
    int64_t per_second_max; /* of a lane whose sender the provider gives high throughput; 0: no other */
    bool keeps_times;       /* does what time alone asks for, of all carriers: one kind of process does */
    void (*job_init)(struct send_job *job); /* the rest of it, which is zero; NULL: nothing */
    void (*job_release)(struct send_job *job);

    /*
     * Reads what else is needed to send claims[from .. from + count), which are the transaction's tenant's.
     * Is called again for the first tenant when the transaction has to be repeated: from is 0 then.
     */
    enum err (*begin)(void *ctx, struct db_tx *tx, struct send_batch *batch, size_t from, size_t count);
    /* What it wants opened besides, at most one for each message; their number. NULL: nothing. */
    size_t (*ask)(void *ctx, struct send_batch *batch, struct vault_ask *asks);
    void (*opened)(void *ctx, struct send_batch *batch, const struct vault_ask *asks);
    /*
     * Makes of message `at`, opened, what its loop needs; or settles it (send_job_settle) and returns ERR_OK.
     * An error: it is settled by what the error means (send_plan_unprepared). `to` and `content` are wiped
     * with the arena. `open_err` is why they could not be opened; they are empty then.
     */
    enum err (*print)(void *ctx, struct send_batch *batch, size_t at, enum err open_err, struct slice to,
                      struct slice content, struct send_job *job);
    /* Gives back what the batch holds outside of its arena. NULL: nothing. */
    void (*end)(void *ctx, struct send_batch *batch);

    /* Before the outcomes of one tenant are written, which it may change. NULL: nothing. */
    enum err (*recording)(void *ctx, struct db_tx *tx, struct send_job *const *jobs,
                          struct message_outcome *outcomes, size_t count, struct arena *arena);
    /* After that, in the same transaction. NULL: nothing. */
    enum err (*recorded)(void *ctx, struct db_tx *tx, struct send_job *const *jobs, size_t count,
                         struct arena *arena);
};

#endif
