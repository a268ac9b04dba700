#include "core/log.h"
#include "platform/ipc/vault_client_internal.h"

/* An exchange of one request. */
struct single {
    struct vault_request *request;
    bool is_given; /* to the writer */
    bool is_settled;
    enum err err;
    struct vault_missing_key missing;
    vault_answer_use use; /* may be NULL */
    void *use_ctx;
};

static struct vault_request *
single_next(void *ctx)
{
    struct single *single = ctx;
    bool is_given = single->is_given;

    single->is_given = true;
    return is_given || single->is_settled ? NULL : single->request;
}

static enum err
single_settle(void *ctx, enum err err, const struct vault_answer *answer)
{
    struct single *single = ctx;

    if (answer != NULL && answer->op != single->request->op)
        return ERR_FRAME;
    single->is_settled = true;
    single->err = err;
    if (err == ERR_VAULT_KEY_MISSING)
        single->missing = answer->missing;
    if (err == ERR_OK && single->use != NULL)
        single->err = single->use(single->use_ctx, answer);
    return ERR_OK;
}

static void
single_rewind(void *ctx)
{
    ((struct single *)ctx)->is_given = false;
}

static enum err
ask_and_use(struct vault_client *client, struct vault_request *request, struct vault_missing_key *missing_out,
            vault_answer_use use, void *use_ctx)
{
    struct single single = { .request = request, .use = use, .use_ctx = use_ctx };
    const struct vault_exchange exchange = { single_next, single_settle, single_rewind, &single };

    enum err err = vault_client_exchange(client, &exchange);
    *missing_out = single.missing;
    return single.is_settled ? single.err : err;
}

enum err
vault_client_load_key(const struct vault *vault, const struct vault_missing_key *missing)
{
    struct vault_request request = { .op = VAULT_OP_KEY_LOAD, .is_newest = missing->version == 0 };
    struct vault_missing_key none;

    if (vault->key_source == NULL)
        return ERR_VAULT_KEY_MISSING;
    enum err err = vault->key_source(vault->key_source_ctx, missing->tenant, missing->purpose,
                                     missing->version, &request.key);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_VAULT_KEY_MISSING : err;
    return ask_and_use(vault->client, &request, &none, NULL, NULL);
}

bool
vault_is_same_key(const struct vault_missing_key *a, const struct vault_missing_key *b)
{
    return id_eq(a->tenant, b->tenant) && a->purpose == b->purpose && a->version == b->version;
}

enum err
vault_call(const struct vault *vault, struct vault_request *request, vault_answer_use use, void *use_ctx)
{
    struct vault_missing_key before = { .version = 0 }, missing;

    for (size_t loads = 0;; loads++) {
        enum err err = ask_and_use(vault->client, request, &missing, use, use_ctx);
        if (err != ERR_VAULT_KEY_MISSING || loads == VAULT_SEAL_KEYS_MAX ||
            (loads > 0 && vault_is_same_key(&before, &missing)))
            return err;
        before = missing;
        err = vault_client_load_key(vault, &before);
        if (err != ERR_OK)
            return err;
    }
}
