#include "program/gateway/esme_account.h"
#include "wire/smpp/smpp_status.h"

void
esme_batch_free(struct esme_batch *batch)
{
    if (batch != NULL)
        arena_free(batch->arena);
}

struct esme_account *
esme_account_take(struct esme_accounts *accounts, struct id tenant, struct id key, size_t binds_max,
                  struct mono_time now)
{
    struct esme_account *found = NULL, *spare = NULL;

    for (size_t i = 0; i < ESME_ACCOUNTS_MAX; i++) {
        struct esme_account *account = &accounts->places[i];
        bool is_used = account->links > 0 || account->is_asking;
        if (is_used && id_eq(account->key, key))
            found = account;
        else if (!is_used && spare == NULL)
            spare = account;
    }
    if (found != NULL && found->links >= binds_max)
        return NULL;
    if (found == NULL && spare != NULL) {
        uint32_t number = spare->batch_number;
        *spare =
            (struct esme_account){ .tenant = tenant, .key = key, .batch_number = number, .look_at = now };
        found = spare;
    }
    if (found != NULL)
        found->links++;
    return found;
}

struct esme_account *
esme_account_asking(struct esme_accounts *accounts, struct id key)
{
    for (size_t i = 0; i < ESME_ACCOUNTS_MAX; i++)
        if (accounts->places[i].is_asking && id_eq(accounts->places[i].key, key))
            return &accounts->places[i];
    return NULL;
}

void
esme_account_tell(struct esme_account *account, struct esme_batch *batch)
{
    account->batch = batch;
    account->next = account->waiting = 0;
    account->talker = 0;
}

struct esme_batch *
esme_account_untell(struct esme_account *account)
{
    struct esme_batch *batch = account->batch;

    account->batch = NULL;
    account->next = account->waiting = 0;
    account->talker = 0;
    account->batch_number++;
    return batch;
}

void
esme_account_leave(struct esme_account *account, uint64_t link)
{
    account->links--;
    if (account->talker == link)
        account->talker = 0; /* another one goes on */
    if (account->links == 0 && account->batch != NULL)
        esme_batch_free(esme_account_untell(account));
}

bool
esme_account_next(struct esme_account *account, uint64_t link, struct slice *body_out, uint64_t *tag_out)
{
    while (account->batch != NULL && account->next < account->batch->count &&
           account->batch->owed[account->next].was_taken)
        account->next++;
    if (account->batch == NULL || account->next == account->batch->count ||
        (account->talker != 0 && account->talker != link))
        return false;
    *body_out = account->batch->owed[account->next].body;
    *tag_out = (uint64_t)account->batch_number << 32 | account->next;
    return true;
}

void
esme_account_asked(struct esme_account *account, uint64_t link)
{
    const struct esme_owed *owed = &account->batch->owed[account->next];

    account->talker = owed->part < owed->part_count ? link : 0;
    account->next++;
    account->waiting++;
}

/* NULL: of a batch that is over. */
static struct esme_owed *
owed_of(const struct esme_account *account, uint64_t tag)
{
    size_t index = (size_t)(tag & UINT32_MAX);

    return account->batch != NULL && account->batch_number == (uint32_t)(tag >> 32) &&
                   index < account->batch->count
               ? &account->batch->owed[index]
               : NULL;
}

void
esme_account_answered(struct esme_account *account, uint64_t tag, uint32_t status, bool is_late)
{
    struct esme_owed *owed = owed_of(account, tag);

    if (owed == NULL)
        return;
    if (!is_late)
        account->waiting--;
    /* Said no for good: it is not told again. What says later stays owed. */
    enum smpp_action action = smpp_status_action(status);
    if (action != SMPP_ACTION_RETRY && action != SMPP_ACTION_THROTTLE)
        owed->is_taken = true;
}

void
esme_account_lost(struct esme_account *account, uint64_t tag)
{
    if (owed_of(account, tag) != NULL)
        account->waiting--;
}

bool
esme_account_is_told(const struct esme_account *account, bool may_tell)
{
    if (account->batch == NULL || account->waiting > 0)
        return false;
    for (size_t i = account->next; i < account->batch->count; i++)
        if (!account->batch->owed[i].was_taken)
            return !may_tell;
    return true;
}
