/* What dead dispatchers and deleted channels left behind, and what becomes of sends whose outcome is not
 * known. */
#include "domain/message/message_fallback.h"
#include "domain/message/message_settings.h"

/* At most 500 rows a call; the caller comes again while there are more. */

/* Over, or given by a clock that was ahead: then it would hold the row until the true time has come so far.
 * That its holder may live does no harm, the fence decides. In seconds, as the suspect's own lease. */
#define LEASE_IS_OVER                                                                                        \
    "(lease_until < now() OR lease_until > now() + make_interval(secs => 2 * greatest(60, $1 / 1000.0)))"

/* Never began to be sent: as if it had not been claimed. */
static const struct db_stmt message_release_stmt = {
    "message_release",
    "WITH old AS MATERIALIZED (SELECT tenant_id, message_id FROM dispatch_queue"
    " WHERE state = 'leased' AND " LEASE_IS_OVER " LIMIT 500 FOR UPDATE SKIP LOCKED)"
    " UPDATE dispatch_queue q SET state = 'ready', attempt = attempt - 1, lease_owner = NULL, lease_until = NULL"
    " FROM old WHERE q.tenant_id = old.tenant_id AND q.message_id = old.message_id"
};

/* The fence grows, so that the old holder, should it wake, records nothing. */
static const struct db_stmt message_suspect_stmt = {
    "message_suspect",
    "WITH old AS MATERIALIZED (SELECT tenant_id, message_id, state FROM dispatch_queue WHERE (state = 'sending'"
    " AND " LEASE_IS_OVER
    ") OR (state = 'uncertain' AND due_at <= now() AND (lease_until IS NULL OR " LEASE_IS_OVER "))"
    " LIMIT 500 FOR UPDATE SKIP LOCKED)"
    " UPDATE dispatch_queue q SET fence = fence + 1, lease_owner = NULL,"
    " lease_until = now() + make_interval(secs => 60)" /* for ourselves, should we die before the next step */
    " FROM old WHERE q.tenant_id = old.tenant_id AND q.message_id = old.message_id"
    " RETURNING q.tenant_id, q.message_id, q.channel_id, q.fence, q.attempt, q.priority, old.state,"
    " coalesce(q.expires_at <= now(), false)"
};

struct suspect {
    struct message_claim claim;
    bool has_waited; /* it was uncertain already, and its wait is over */
    bool is_expired;
    int64_t wait_ms;
    const struct clock *clock;
    struct arena *arena;
};

static const struct db_stmt suspect_becomes_uncertain_stmt = {
    "suspect_becomes_uncertain",
    "WITH q AS (UPDATE dispatch_queue SET state = 'uncertain', "
    " due_at = now() + make_interval(secs => coalesce((SELECT uncertain_wait_s FROM message_settings"
    " WHERE tenant_id = $1), $4 / 1000.0)),"
    " lease_until = NULL, is_doubtful = true WHERE tenant_id = $1 AND message_id = $2 AND fence = $3"
    " RETURNING message_id)"
    " UPDATE message m SET status = 'uncertain', error_code = 'outcome-unknown',"
    " error_title = 'The answer of the provider was lost.', error_class = 'retry', updated_at = now()"
    " FROM q WHERE m.tenant_id = $1 AND m.id = q.message_id AND m.status = 'sending'"
};
static const struct db_stmt suspect_is_sent_again_stmt = {
    "suspect_is_sent_again",
    "WITH q AS (UPDATE dispatch_queue SET state = 'ready', due_at = now(), lease_until = NULL"
    " WHERE tenant_id = $1 AND message_id = $2 AND fence = $3 RETURNING message_id)"
    " UPDATE message m SET status = 'queued', error_code = NULL, error_title = NULL, error_class = NULL,"
    " updated_at = now() FROM q WHERE m.tenant_id = $1 AND m.id = q.message_id AND m.status = 'uncertain'"
};
static const struct db_stmt suspect_fails_stmt = {
    "suspect_fails",
    "WITH q AS (DELETE FROM dispatch_queue WHERE tenant_id = $1 AND message_id = $2 AND fence = $3 RETURNING message_id)"
    " UPDATE message m SET status = 'failed', error_class = 'permanent', updated_at = now()" /* outcome-unknown
                                                                                                stands */
    " FROM q WHERE m.tenant_id = $1 AND m.id = q.message_id AND m.status = 'uncertain'"
};
static const struct db_stmt suspect_is_left_stmt = {
    "suspect_is_left",
    "WITH q AS (DELETE FROM dispatch_queue WHERE tenant_id = $1 AND message_id = $2 AND fence = $3 RETURNING message_id)"
    " SELECT m.id FROM q JOIN message m ON m.tenant_id = $1 AND m.id = q.message_id AND m.status = 'uncertain' LIMIT 1"
};

/* Out of the queue for good; uncertain as it is, unless the provider's own event has settled it. */
static enum err
suspect_leave(struct db_tx *tx, const struct suspect *suspect, struct message_step *step)
{
    const struct message_claim *claim = &suspect->claim;
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &suspect_is_left_stmt, DB_ARGS(DB_ID(claim->message), DB_I64(claim->fence)), &rows);
    bool was_uncertain = err == ERR_OK && db_rows_count(rows) > 0;

    db_rows_free(rows);
    step->status = MESSAGE_UNCERTAIN;
    return was_uncertain ? message_tell(tx, suspect->clock, step, 1, suspect->arena) : err;
}

/* Nothing more is tried with this sender; whether it delivered is not known. Is there another one? */
static enum err
suspect_fall_back(struct db_tx *tx, const struct suspect *suspect, bool *moved_out)
{
    return message_fall_back(tx, suspect->clock,
                             &(struct message_leave){ .messages = &suspect->claim.message,
                                                      .count = 1,
                                                      .why = MESSAGE_LEFT_OUTCOME_UNKNOWN,
                                                      .actor = MESSAGE_BY_POLICY },
                             suspect->arena, moved_out);
}

static enum err
suspect_settle(struct db_tx *tx, void *ctx)
{
    const struct suspect *suspect = ctx;
    const struct message_claim *claim = &suspect->claim;
    struct message_step step = { .message = claim->message, .at = clock_wall(suspect->clock) };
    struct message_settings settings;
    size_t moved = 0;
    bool fell_back = false;
    enum err err = message_settings_read(tx, &settings);

    if (err != ERR_OK)
        return err;
    enum message_uncertain_policy policy = settings.uncertain[claim->category];
    struct db_args claimed = DB_ARGS(DB_ID(claim->message), DB_I64(claim->fence));
    bool is_over = suspect->is_expired || claim->attempt >= MESSAGE_ATTEMPTS_MAX;
    step.actor = MESSAGE_BY_POLICY;
    if (!suspect->has_waited) {
        step.status = MESSAGE_UNCERTAIN;
        step.actor = MESSAGE_BY_DISPATCHER;
        step.cause = "answer-lost";
        err = db_exec(tx, &suspect_becomes_uncertain_stmt,
                      DB_ARGS(DB_ID(claim->message), DB_I64(claim->fence), DB_I64(suspect->wait_ms)), &moved);
    } else if (policy == MESSAGE_UNCERTAIN_FAIL) {
        step.status = MESSAGE_FAILED;
        step.cause = "failed-by-policy";
        err = db_exec(tx, &suspect_fails_stmt, claimed, &moved);
        if (err == ERR_OK && moved > 0)
            err = suspect_fall_back(tx, suspect, &fell_back);
    } else if (policy == MESSAGE_UNCERTAIN_RESEND && !is_over) {
        step.status = MESSAGE_QUEUED;
        step.cause = "resent-by-policy";
        err = db_exec(tx, &suspect_is_sent_again_stmt, claimed, &moved);
    } else {
        if (policy == MESSAGE_UNCERTAIN_RESEND && !suspect->is_expired)
            err = suspect_fall_back(tx, suspect, &fell_back);
        if (err != ERR_OK || fell_back)
            return err;
        step.cause = policy == MESSAGE_UNCERTAIN_LEAVE ? "left-by-policy"
                     : suspect->is_expired             ? "expired"
                                                       : "attempts-exhausted";
        return suspect_leave(tx, suspect, &step);
    }
    if (err == ERR_OK && moved == 0) /* the provider's own event settled it meanwhile, and said so itself */
        return suspect_leave(tx, suspect, &step);
    return err == ERR_OK && !fell_back ? message_tell(tx, suspect->clock, &step, 1, suspect->arena) : err;
}

static enum err
suspects_claim(struct db *db, int64_t lease_ms, struct arena *arena, struct suspect **out, size_t *count_out,
               size_t *released_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "dispatch.claim", &tx);

    if (err == ERR_OK)
        err = db_exec(&tx, &message_release_stmt, DB_ARGS(DB_I64(lease_ms)), released_out);
    if (err == ERR_OK)
        err = db_query(&tx, &message_suspect_stmt, DB_ARGS(DB_I64(lease_ms)), &rows);
    if (err != ERR_OK)
        goto done;
    *count_out = db_rows_count(rows);
    *out = arena_array(arena, *count_out, sizeof(**out));
    if (*out == NULL) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < *count_out; i++)
        (*out)[i] = (struct suspect){ .claim = { .tenant = db_id(rows, i, 0),
                                                 .message = db_id(rows, i, 1),
                                                 .channel = db_id(rows, i, 2),
                                                 .fence = db_i64(rows, i, 3),
                                                 .attempt = (int)db_i64(rows, i, 4),
                                                 .category = (enum message_category)db_i64(rows, i, 5) },
                                      .has_waited = slice_eq(db_text(rows, i, 6), SLICE("uncertain")),
                                      .is_expired = db_bool(rows, i, 7) };
    err = db_commit(&tx);
done:
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

enum err
message_take_over(struct db *db, const struct clock *clock, int64_t wait_ms, int64_t lease_ms,
                  struct arena *arena, size_t *taken_out)
{
    struct suspect *suspects = NULL;
    size_t count = 0, released = 0;
    enum err err = suspects_claim(db, lease_ms, arena, &suspects, &count, &released);

    *taken_out = 0;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        suspects[i].wait_ms = wait_ms;
        suspects[i].clock = clock;
        suspects[i].arena = arena;
        err = db_run(db, suspects[i].claim.tenant, suspect_settle, &suspects[i]);
    }
    if (err == ERR_OK)
        *taken_out = count + released;
    return err;
}

/* What is being sent just now gets its own outcome; what waits never leaves. */
static const struct db_stmt message_fail_channel_stmt = {
    "message_fail_channel",
    "WITH gone AS (DELETE FROM dispatch_queue WHERE tenant_id = $1 AND message_id IN (SELECT message_id FROM"
    " dispatch_queue WHERE tenant_id = $1 AND channel_id = $2 AND state IN ('held', 'ready', 'leased') LIMIT 1000)"
    " RETURNING message_id)"
    " UPDATE message m SET status = 'failed', error_code = $3, error_title = $4, error_class = 'permanent',"
    " updated_at = now() FROM gone WHERE m.tenant_id = $1 AND m.id = gone.message_id RETURNING m.id"
};

enum err
message_fail_channel(struct db_tx *tx, const struct clock *clock, struct id channel, struct message_by by,
                     const char *error_code, const char *error_title, struct arena *arena, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &message_fail_channel_stmt,
                            DB_ARGS(DB_ID(channel), DB_TEXT_Z(error_code), DB_TEXT_Z(error_title)), &rows);

    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct message_step *steps = arena_array(arena, count, sizeof(*steps));
    struct id *failed = arena_array(arena, count, sizeof(*failed));
    bool *moved = arena_array(arena, count, sizeof(*moved));
    size_t step_count = 0;
    if (steps == NULL || failed == NULL || moved == NULL) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        failed[i] = db_id(rows, i, 0);
    err = message_fall_back(tx, clock,
                            &(struct message_leave){ .messages = failed,
                                                     .count = count,
                                                     .why = MESSAGE_LEFT_CHANNEL_DELETED,
                                                     .actor = MESSAGE_BY_ASKER,
                                                     .by = by },
                            arena, moved);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (!moved[i])
            steps[step_count++] = (struct message_step){ .message = failed[i],
                                                         .status = MESSAGE_FAILED,
                                                         .at = clock_wall(clock),
                                                         .actor = MESSAGE_BY_ASKER,
                                                         .by = by,
                                                         .cause = "channel-deleted" };
    if (err == ERR_OK)
        err = message_tell(tx, clock, steps, step_count, arena);
    *count_out = count;
done:
    db_rows_free(rows);
    return err;
}
