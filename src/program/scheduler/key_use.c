#include "program/scheduler/key_use.h"

#define BATCHES_MAX 64 /* of one turn; the vault holds 8192 keys, 256 to a batch */

/* In order: a batch is new if its number is higher than the last one of this life of the vault. */
static const struct db_stmt batch_stmt = {
    "key_use_batch",
    "INSERT INTO vault_use_batch (instance, batch) VALUES ($1, $2) ON CONFLICT (instance) DO UPDATE"
    " SET batch = excluded.batch, updated_at = now() WHERE vault_use_batch.batch < excluded.batch"
};
/* A vault that was not heard of for so long has ended. */
static const struct db_stmt forget_stmt = {
    "key_use_forget", "DELETE FROM vault_use_batch WHERE updated_at < now() - interval '30 days'"
};
static const struct db_stmt add_stmt = {
    "key_use_add", "UPDATE tenant_key SET seals = seals + $4, opens = opens + $5, used_at = now()"
                   " WHERE tenant_id = $1 AND purpose = $2 AND version = $3"
};

static enum err
store_in(struct db_tx *tx, void *ctx)
{
    const struct vault_uses *uses = ctx;
    size_t is_new = 0;
    enum err err = db_exec(tx, &forget_stmt, DB_NO_ARGS, NULL);

    if (err == ERR_OK)
        err = db_exec(tx, &batch_stmt, DB_ARGS(DB_ID(uses->instance), DB_I64(uses->batch)), &is_new);
    for (size_t i = 0; err == ERR_OK && is_new == 1 && i < uses->count; i++) {
        const struct vault_use *use = &uses->uses[i];
        err = db_tx_turn_to(tx, use->tenant);
        if (err == ERR_OK) /* of a key that was destroyed in between there is nothing to count any more */
            err = db_exec(tx, &add_stmt,
                          DB_ARGS(DB_I64(use->purpose), DB_I64(use->version), DB_I64((int64_t)use->seals),
                                  DB_I64((int64_t)use->opens)),
                          NULL);
    }
    return err;
}

enum err
key_use_store(struct db *db, const struct vault_uses *uses)
{
    struct vault_uses copy = *uses;

    return db_run_across(db, "vault.usage", store_in, &copy);
}

/* Each turn begins with "none taken": what was stored but not acknowledged comes once more, and is known. */
enum err
key_use_take(struct db *db, const struct vault *vault, size_t *count_out)
{
    static struct vault_uses uses; /* one thread */
    uint32_t taken = 0;
    enum err err = ERR_OK;

    *count_out = 0;
    for (int i = 0; err == ERR_OK && i < BATCHES_MAX; i++) {
        err = vault_usage_take(vault, taken, &uses);
        if (err != ERR_OK || uses.batch == 0)
            break;
        err = key_use_store(db, &uses);
        taken = uses.batch;
        *count_out += uses.count;
    }
    return err;
}
