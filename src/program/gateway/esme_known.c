#include "program/gateway/esme_known.h"
#include "domain/identity/authentication.h"
#include <stdlib.h>

#define SENDER_BYTES 24u /* SMPP's 20 characters and its NUL; a longer one is asked for each time */

struct known_account {
    struct mono_time until;
    struct smpp_account account;
    struct api_principal principal;
};

struct known_sender {
    struct mono_time until;
    struct id key, channel;
    int64_t revision; /* of its account, whose own channel it may be */
    char digits[SENDER_BYTES];
};

struct esme_known {
    const struct clock *clock;
    struct known_account accounts[ESME_KNOWN_ACCOUNTS];
    struct known_sender senders[ESME_KNOWN_SENDERS];
};

enum err
esme_known_new(const struct clock *clock, struct esme_known **out)
{
    struct esme_known *known = calloc(1, sizeof(*known));

    if (known == NULL)
        return ERR_NO_MEMORY;
    known->clock = clock;
    for (size_t i = 0; i < ESME_KNOWN_ACCOUNTS; i++)
        known->accounts[i].until.us = INT64_MIN;
    for (size_t i = 0; i < ESME_KNOWN_SENDERS; i++)
        known->senders[i].until.us = INT64_MIN;
    *out = known;
    return ERR_OK;
}

void
esme_known_free(struct esme_known *known)
{
    free(known);
}

/* FNV-1a; who falls into one place is nobody's secret. */
static size_t
place_of(uint32_t seed, struct slice text)
{
    uint32_t hash = seed ^ 2166136261u;

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ text.ptr[i]) * 16777619u;
    return hash;
}

static struct mono_time
until(const struct esme_known *known)
{
    return mono_after_ms(clock_mono(known->clock), AUTHENTICATION_CACHE_MS);
}

enum err
esme_known_account(struct esme_known *known, struct db *db, struct slice system_id,
                   struct smpp_account *account_out, struct api_principal *principal_out)
{
    struct known_account *at = &known->accounts[place_of(0, system_id) % ESME_KNOWN_ACCOUNTS];
    struct known_account fresh = { .until = until(known) }; /* counted from before it was asked */
    enum err err = ERR_OK;

    if (clock_mono(known->clock).us >= at->until.us ||
        !slice_eq(slice_text(at->account.system_id), system_id)) {
        err = smpp_account_load(db, system_id, &fresh.account);
        if (err == ERR_OK)
            err = api_principal_load(db, fresh.account.key, &fresh.principal);
        if (err == ERR_OK)
            *at = fresh;
    }
    if (err == ERR_OK) {
        *account_out = at->account;
        *principal_out = at->principal;
    }
    return err;
}

struct look {
    const struct smpp_account *account;
    struct slice sender;
    struct id *out;
};

static enum err
look_in(struct db_tx *tx, void *ctx)
{
    const struct look *look = ctx;

    return smpp_account_channel(tx, look->account, look->sender, look->out);
}

enum err
esme_known_channel(struct esme_known *known, struct db *db, const struct smpp_account *account,
                   struct slice sender, struct id *out)
{
    uint32_t seed;
    memcpy(&seed, account->key.bytes + ID_BYTES - sizeof(seed), sizeof(seed));
    struct known_sender *at = &known->senders[place_of(seed, sender) % ESME_KNOWN_SENDERS];
    struct known_sender fresh = { .until = until(known), .key = account->key, .revision = account->revision };

    if (clock_mono(known->clock).us < at->until.us && id_eq(at->key, account->key) &&
        at->revision == account->revision && slice_eq(slice_text(at->digits), sender)) {
        *out = at->channel;
        return ERR_OK;
    }
    enum err err = db_run(db, account->tenant, look_in, &(struct look){ account, sender, &fresh.channel });
    if (err != ERR_OK)
        return err;
    *out = fresh.channel;
    if (sender.len < SENDER_BYTES && memchr(sender.ptr, 0, sender.len) == NULL) {
        memcpy(fresh.digits, sender.ptr, sender.len);
        *at = fresh;
    }
    return ERR_OK;
}
