#include "program/scheduler/number_sync.h"
#include "domain/channel/provider_task.h"

/* The newest task of a kind is found by its id, which holds its time. */
static const struct db_stmt number_sync_due_stmt = {
    "number_sync_due",
    "SELECT c.tenant_id, c.id FROM channel c WHERE c.state = 'active' AND c.kind = 'whatsapp'"
    " AND c.created_at < now() - make_interval(hours => $1::int)"
    " AND NOT EXISTS (SELECT FROM provider_task t WHERE t.tenant_id = c.tenant_id AND t.channel_id = c.id"
    " AND t.id >= id_at(now() - make_interval(hours => $1::int)) AND t.kind = $3)"
    " ORDER BY c.tenant_id, c.id LIMIT $2"
};

static const struct {
    enum provider_task_kind kind;
    int64_t hours;
} syncs[] = { { PROVIDER_TASK_NUMBER_SYNC, NUMBER_SYNC_HOURS },
              { PROVIDER_TASK_TEMPLATE_SYNC, TEMPLATE_SYNC_HOURS } };

struct due {
    size_t sync; /* the row of syncs */
    struct id tenants[NUMBER_SYNC_BATCH_MAX], channels[NUMBER_SYNC_BATCH_MAX];
    size_t count;
    const struct clock *clock;
    struct id channel; /* of the task being made */
};

static enum err
due_in(struct db_tx *tx, void *ctx)
{
    struct due *due = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &number_sync_due_stmt,
                            DB_ARGS(DB_I64(syncs[due->sync].hours), DB_I64(NUMBER_SYNC_BATCH_MAX),
                                    DB_TEXT_Z(provider_task_kind_word(syncs[due->sync].kind))),
                            &rows);

    due->count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < due->count; i++) {
        due->tenants[i] = db_id(rows, i, 0);
        due->channels[i] = db_id(rows, i, 1);
    }
    db_rows_free(rows);
    return err;
}

static enum err
ask_in(struct db_tx *tx, void *ctx)
{
    const struct due *due = ctx;

    return provider_task_create(tx, &(struct provider_task_new){ .id = id_new(due->clock),
                                                                 .channel = due->channel,
                                                                 .kind = syncs[due->sync].kind });
}

enum err
number_sync_ask(struct db *db, const struct clock *clock, size_t *asked_out)
{
    struct due due = { .clock = clock };
    enum err err = ERR_OK;

    *asked_out = 0;
    for (due.sync = 0; err == ERR_OK && due.sync < COUNT_OF(syncs); due.sync++) {
        err = db_run_across(db, "number.sync", due_in, &due);
        for (size_t i = 0; err == ERR_OK && i < due.count; i++) {
            due.channel = due.channels[i];
            err = db_run(db, due.tenants[i], ask_in, &due);
            *asked_out += err == ERR_OK;
        }
    }
    return err;
}
