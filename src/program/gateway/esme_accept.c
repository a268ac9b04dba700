/*
 * Submits that came together, accepted together: the receipts that they want are on disk first, in one
 * transaction for all of them, and then they are the committer's.
 */
#include "core/log.h"
#include "domain/message/message_receipt.h"
#include "program/gateway/esme_internal.h"
#include <stdlib.h>

/* Not accepted: what was counted for it is given back. */
static void
refuse(struct esme_submit *submit, enum err err)
{
    limiter_settle(submit->hold);
    submit->status = esme_status_of(err);
    esme_back(submit->server, &submit->job);
}

static int
tenant_order(const void *a, const void *b)
{
    const struct esme_submit *left = *(struct esme_submit *const *)a,
                             *right = *(struct esme_submit *const *)b;

    return memcmp(left->account.tenant.bytes, right->account.tenant.bytes, ID_BYTES);
}

struct wants {
    struct esme_submit **submits; /* by tenant; each wants a receipt */
    size_t count;
};

/* Of one tenant. */
static enum err
wants_of(struct db_tx *tx, struct esme_submit *const *submits, size_t count)
{
    struct message_receipt receipts[ESME_TOGETHER_MAX];

    for (size_t i = 0; i < count; i++) {
        const struct smpp_address *source = &esme_group_first(&submits[i]->group)->message.source;
        receipts[i] = (struct message_receipt){ .message = submits[i]->wanted,
                                                .key = submits[i]->account.key,
                                                .sender = source->digits,
                                                .sender_ton = source->ton,
                                                .sender_npi = source->npi,
                                                .failures_only = esme_group_receipt(&submits[i]->group) ==
                                                                 SMPP_RECEIPT_FAILURE };
    }
    return message_receipts_want(tx, receipts, count, submits[0]->arena);
}

static enum err
wants_in(struct db_tx *tx, void *ctx)
{
    const struct wants *wants = ctx;
    enum err err = ERR_OK;

    for (size_t from = 0, to; err == ERR_OK && from < wants->count; from = to) {
        struct id tenant = wants->submits[from]->account.tenant;
        for (to = from + 1; to < wants->count && id_eq(wants->submits[to]->account.tenant, tenant);)
            to++;
        err = db_tx_turn_to(tx, tenant);
        if (err == ERR_OK)
            err = wants_of(tx, wants->submits + from, to - from);
    }
    return err;
}

/* On disk; or, where that fails for what one of them holds, each by itself. What cannot be is refused. */
static void
wants_keep(struct gateway_worker *worker, struct esme_submit **submits, size_t count)
{
    struct wants wants = { submits, count };
    enum err err =
        count == 0 ? ERR_OK
                   : esme_mended(worker, db_run(worker->db, submits[0]->account.tenant, wants_in, &wants));

    if (err == ERR_OK)
        return;
    if (count == 1 || err_class(err) == ERR_CLASS_UNAVAILABLE) {
        log_event(LOG_WARN, "gateway.smpp_unnoted", LOG_ERR(err));
        for (size_t i = 0; i < count; i++)
            submits[i]->refusal = err;
        return;
    }
    for (size_t i = 0; i < count; i++)
        wants_keep(worker, &submits[i], 1);
}

void
esme_submits_accept(struct gateway_worker *worker, struct esme_submit *const *submits, size_t count)
{
    struct esme_submit *wanted[ESME_TOGETHER_MAX];
    struct commit *commits[ESME_TOGETHER_MAX];
    size_t want_count = 0, commit_count = 0;

    for (size_t i = 0; i < count; i++)
        if (!id_is_zero(submits[i]->wanted))
            wanted[want_count++] = submits[i];
    qsort(wanted, want_count, sizeof(struct esme_submit *), tenant_order);
    wants_keep(worker, wanted, want_count);
    for (size_t i = 0; i < count; i++)
        if (submits[i]->refusal == ERR_OK)
            commits[commit_count++] = &submits[i]->commit;
        else
            refuse(submits[i], submits[i]->refusal);
    /* From ERR_OK on they are the committer's, and may have come back. */
    enum err err =
        commit_count == 0 ? ERR_OK : committer_submit_many(worker->gateway->committer, commits, commit_count);
    for (size_t i = 0; err != ERR_OK && i < commit_count; i++)
        refuse(commits[i]->ctx, err);
}
