/* Telling accounts what is owed to them: by which links, and what was taken of it. */
#include "program/gateway/esme_loop_internal.h"
#include <stdlib.h>

#define LOOK_MS 1000

void
esme_on_answer(void *ctx, uint64_t tag, const struct smpp_pdu *answer, bool is_late)
{
    const struct esme_link *link = ctx;

    if (link->account != NULL)
        esme_account_answered(link->account, tag, answer->status, is_late);
}

void
esme_on_lost(void *ctx, uint64_t tag, enum smpp_loss why UNUSED)
{
    const struct esme_link *link = ctx;

    if (link->account != NULL)
        esme_account_lost(link->account, tag);
}

/* As many as the links take now. */
static void
batch_send(struct esme_loop *loop, struct esme_account *account, struct mono_time now)
{
    struct slice body;
    uint64_t tag = 0;

    for (struct esme_link *link = loop->links; link != NULL; link = link->next)
        while (link->account == account && !link->is_closed && smpp_session_may_send(link->session) &&
               smpp_session_room(link->session) > 0 &&
               esme_account_next(account, link->number, &body, &tag)) {
            if (smpp_session_ask(link->session, SMPP_DELIVER_SM, body, tag, now) != ERR_OK)
                break;
            esme_account_asked(account, link->number);
        }
}

/* Taken: the batch. */
static void
account_ask(struct esme_loop *loop, struct esme_account *account, enum esme_job_kind kind,
            struct esme_batch *batch)
{
    struct esme_due *due = calloc(1, sizeof(*due));

    if (due == NULL) {
        esme_batch_free(batch);
        return;
    }
    *due = (struct esme_due){
        .job = { .kind = kind }, .tenant = account->tenant, .key = account->key, .batch = batch
    };
    account->is_asking = esme_job_give(loop, &loop->server->work, &due->job);
    if (!account->is_asking)
        esme_due_free(due);
}

/* All of the batch was told: what was taken is noted. */
static void
batch_settle(struct esme_loop *loop, struct esme_account *account, struct mono_time now)
{
    struct esme_batch *batch = esme_account_untell(account);
    bool is_whole = true, has_taken = false;

    for (size_t i = 0; i < batch->count; i++) {
        is_whole &= batch->owed[i].is_taken || batch->owed[i].was_taken;
        has_taken |= batch->owed[i].is_taken;
    }
    account->look_at = is_whole ? now : mono_after_ms(now, LOOK_MS);
    if (has_taken)
        account_ask(loop, account, ESME_SETTLE, batch);
    else
        esme_batch_free(batch);
}

static bool
account_may_receive(const struct esme_loop *loop, const struct esme_account *account)
{
    for (const struct esme_link *link = loop->links; link != NULL; link = link->next)
        if (link->account == account && !link->is_closed && smpp_session_may_send(link->session))
            return true;
    return false;
}

void
esme_account_tick(struct esme_loop *loop, struct esme_account *account, struct mono_time now)
{
    if (account->batch != NULL) {
        batch_send(loop, account, now);
        if (esme_account_is_told(account, account_may_receive(loop, account)))
            batch_settle(loop, account, now);
        return;
    }
    if (account->is_asking || loop->is_stopping || !esme_is_due(now, account->look_at) ||
        !account_may_receive(loop, account))
        return;
    account->look_at = mono_after_ms(now, LOOK_MS);
    account_ask(loop, account, ESME_LOOK, NULL);
}

void
esme_due_back(struct esme_loop *loop, struct esme_due *due)
{
    struct esme_account *account = esme_account_asking(&loop->accounts, due->key);

    if (account == NULL)
        bug("an answer to an account that asked for nothing");
    account->is_asking = false;
    if (due->job.kind == ESME_LOOK && due->err == ERR_OK && due->batch->count > 0 && account->links > 0) {
        esme_account_tell(account, due->batch);
        due->batch = NULL;
    }
    esme_due_free(due);
}
