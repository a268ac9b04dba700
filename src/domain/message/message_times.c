/* Held messages whose time has come, messages that were not sent in time, and senders that had theirs. */
#include "domain/message/message_fallback.h"

#define ROUND_MAX  500u /* rows of one round */
#define ROUNDS_MAX 10   /* then others of the caller's work have their turn */

/* Looked for across tenants without a lock; what is found is judged again in its tenant's own transaction. */
static const struct db_stmt message_expired_stmt = {
    "message_expired", "SELECT tenant_id, message_id FROM dispatch_queue WHERE expires_at <= now()"
                       " AND state IN ('held', 'ready', 'leased') ORDER BY expires_at LIMIT 500"
};
static const struct db_stmt message_held_due_stmt = {
    "message_held_due",
    "SELECT tenant_id, message_id FROM dispatch_queue WHERE state = 'held' AND due_at <= now()"
    " ORDER BY due_at LIMIT 500"
};

static const struct db_stmt message_late_stmt = {
    "message_late",
    "SELECT tenant_id, message_id FROM message_fallback WHERE due_at <= now() ORDER BY due_at LIMIT 500"
};
static const struct db_stmt message_broken_stmt = {
    "message_broken",
    "SELECT q.tenant_id, q.message_id FROM dispatch_lane l JOIN dispatch_queue q"
    " ON q.channel_id = l.channel_id WHERE l.is_broken AND q.has_fallback AND q.state = 'ready' LIMIT 500"
};

static const struct db_stmt message_expire_stmt = {
    "message_expire",
    "WITH gone AS (DELETE FROM dispatch_queue WHERE tenant_id = $1 AND message_id = ANY ($2::uuid[])"
    " AND expires_at <= now() AND state IN ('held', 'ready', 'leased') RETURNING message_id, is_doubtful)"
    " UPDATE message m SET status = CASE WHEN gone.is_doubtful THEN 'uncertain' ELSE 'expired' END, updated_at = now()"
    " FROM gone WHERE m.tenant_id = $1 AND m.id = gone.message_id AND m.status IN ('accepted', 'queued', 'held')"
    " RETURNING m.id, m.status"
};
static const struct db_stmt message_let_go_stmt = {
    "message_let_go",
    "WITH due AS (UPDATE dispatch_queue SET state = 'ready' WHERE tenant_id = $1 AND message_id = ANY ($2::uuid[])"
    " AND state = 'held' AND due_at <= now() RETURNING message_id)"
    " UPDATE message m SET status = 'queued', updated_at = now() FROM due"
    " WHERE m.tenant_id = $1 AND m.id = due.message_id AND m.status = 'held' RETURNING m.id, m.status"
};

struct waiting {
    struct id tenant, message;
};

/* What time does to messages: how they are found, and either a statement that moves them or what else is
 * done. */
struct kind {
    const struct db_stmt *find, *move;
    const char *cause; /* with a statement */
    enum err (*apply)(struct db_tx *tx, const struct clock *clock, const struct id *messages, size_t count,
                      struct arena *arena);
};

/* One tenant's of a round. */
struct round {
    const struct clock *clock;
    struct arena *arena;
    const struct kind *kind;
    const struct id *messages;
    size_t count;
};

static enum err
round_apply(struct db_tx *tx, void *ctx)
{
    const struct round *round = ctx;

    if (round->kind->apply != NULL)
        return round->kind->apply(tx, round->clock, round->messages, round->count, round->arena);
    struct db_rows *rows = NULL;
    struct message_step *steps = arena_array(round->arena, round->count, sizeof(*steps));
    enum err err = steps == NULL ? ERR_NO_MEMORY
                                 : db_query(tx, round->kind->move,
                                            DB_ARGS(DB_ID_ARRAY(round->messages, round->count)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        steps[i] = (struct message_step){ .message = db_id(rows, i, 0),
                                          .at = clock_wall(round->clock),
                                          .actor = MESSAGE_BY_SCHEDULE,
                                          .cause = round->kind->cause };
        err = message_status_parse(db_text(rows, i, 1), &steps[i].status);
    }
    db_rows_free(rows);
    return err == ERR_OK ? message_tell(tx, round->clock, steps, count, round->arena) : err;
}

static enum err
waiting_find(struct db *db, const struct db_stmt *stmt, struct arena *arena, struct waiting **out,
             size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "dispatch.claim", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, stmt, DB_NO_ARGS, &rows);
    if (err != ERR_OK)
        goto done;
    *count_out = db_rows_count(rows);
    *out = arena_array(arena, *count_out, sizeof(**out));
    if (*out == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < *count_out; i++)
        (*out)[i] = (struct waiting){ db_id(rows, i, 0), db_id(rows, i, 1) };
done:
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static enum err
round_run(struct db *db, struct round *round, size_t *found_out)
{
    struct waiting *waiting = NULL;
    struct id messages[ROUND_MAX];
    enum err err = waiting_find(db, round->kind->find, round->arena, &waiting, found_out);

    /* Each tenant's together; they come in the order of time, so one tenant may come up more than once. */
    for (size_t from = 0, to; err == ERR_OK && from < *found_out; from = to) {
        for (to = from; to < *found_out && id_eq(waiting[to].tenant, waiting[from].tenant); to++)
            messages[to - from] = waiting[to].message;
        round->messages = messages;
        round->count = to - from;
        err = db_run(db, waiting[from].tenant, round_apply, round);
    }
    return err;
}

enum err
message_keep_times(struct db *db, const struct clock *clock, struct arena *arena, size_t *kept_out)
{
    static const struct kind kinds[] = {
        { .find = &message_expired_stmt, .move = &message_expire_stmt, .cause = "expired" },
        { .find = &message_held_due_stmt, .move = &message_let_go_stmt, .cause = "due" },
        { .find = &message_late_stmt, .apply = message_fall_back_late },
        { .find = &message_broken_stmt, .apply = message_fall_back_broken },
    };
    enum err err = ERR_OK;

    *kept_out = 0;
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        size_t found = ROUND_MAX;
        for (int rounds = 0; err == ERR_OK && found == ROUND_MAX && rounds < ROUNDS_MAX; rounds++) {
            struct round round = { .clock = clock, .arena = arena, .kind = &kinds[kind] };
            err = round_run(db, &round, &found);
            *kept_out += err == ERR_OK ? found : 0;
        }
    }
    return err;
}
