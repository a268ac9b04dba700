#include "domain/webhook/webhook_replay.h"
#include "core/log.h"
#include "domain/webhook/webhook_event_delivery_internal.h"
#include "domain/webhook/webhook_render.h"
#include "domain/webhook/webhook_rest.h"

#define REPLAY_COLUMNS                                                                                       \
    "r.id, r.endpoint_id, r.since, r.until, r.events, r.has_all, r.state, r.count::bigint, r.created_at, r.finished_at"

static enum err
replay_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct webhook_replay *out)
{
    *out = (struct webhook_replay){ .id = db_id(rows, row, 0),
                                    .endpoint = db_id(rows, row, 1),
                                    .since = db_time(rows, row, 2),
                                    .until = db_time(rows, row, 3),
                                    .has_all = db_bool(rows, row, 5),
                                    .state = arena_copy(arena, db_text(rows, row, 6)),
                                    .count = db_i64(rows, row, 7),
                                    .created_at = db_time(rows, row, 8),
                                    .is_finished = !db_is_null(rows, row, 9),
                                    .events = arena_array(arena, WEBHOOK_ENDPOINT_EVENTS_MAX,
                                                          sizeof(*out->events)) };
    if (out->state.ptr == NULL || out->events == NULL)
        return ERR_NO_MEMORY;
    if (out->is_finished)
        out->finished_at = db_time(rows, row, 9);
    return db_text_array(rows, row, 4, arena, out->events, WEBHOOK_ENDPOINT_EVENTS_MAX, &out->event_count);
}

static const struct db_stmt replay_endpoint_stmt = {
    "webhook_replay_endpoint",
    "SELECT w.state, w.created_at FROM webhook_endpoint w WHERE w.tenant_id = $1 AND w.id = $2"
    " AND w.state <> 'deleted' FOR SHARE"
};
/* The time is cut by the database's clock; the cursor stands before the first id of the first millisecond. */
static const struct db_stmt replay_insert_stmt = {
    "webhook_replay_insert",
    "INSERT INTO webhook_replay (tenant_id, id, endpoint_id, since, until, events, has_all, cursor_id)"
    " SELECT $1, $2, $3, t.since, greatest(t.since, least($5, now())), $6, $7, id_at(t.since)"
    " FROM (SELECT greatest($4, now() - make_interval(days => $8::int), w.created_at) AS since FROM webhook_endpoint w"
    " WHERE w.tenant_id = $1 AND w.id = $3) t"
};

enum err
webhook_replay_create(struct db_tx *tx, const struct webhook_replay_new *with, struct arena *arena,
                      struct webhook_replay *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &replay_endpoint_stmt, DB_ARGS(DB_ID(with->endpoint)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK && !slice_eq(db_text(rows, 0, 0), SLICE("enabled")))
        err = ERR_STATE_CONFLICT;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = db_exec_one(tx, &replay_insert_stmt,
                          DB_ARGS(DB_ID(with->id), DB_ID(with->endpoint), DB_TIME(with->since),
                                  DB_TIME(with->until), DB_TEXT_ARRAY(with->events, with->event_count),
                                  DB_BOOL(with->has_all), DB_I64(WEBHOOK_REPLAY_DAYS)));
    if (err == ERR_EXISTS)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = webhook_wake(tx);
    return err == ERR_OK ? webhook_replay_get(tx, with->id, arena, out) : err;
}

static const struct db_stmt replay_get_stmt = {
    "webhook_replay_get",
    "SELECT " REPLAY_COLUMNS " FROM webhook_replay r WHERE r.tenant_id = $1 AND r.id = $2"
};

enum err
webhook_replay_get(struct db_tx *tx, struct id replay, struct arena *arena, struct webhook_replay *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &replay_get_stmt, DB_ARGS(DB_ID(replay)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : replay_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

/* One step: what is read before anything is changed. */
struct step {
    struct id tenant, cursor, cursor_after;
    struct webhook_replay replay;
    struct wish wish;
    bool is_enabled, is_waiting, is_last;
    struct taken *taken; /* wanted, and to be made: those without a delivery yet */
    struct id *again;    /* deliveries that are there */
    size_t taken_count, again_count;
};

/* Any of them: so that a long one does not keep the others waiting. */
static const struct db_stmt replay_take_stmt = { "webhook_replay_take",
                                                 "SELECT " REPLAY_COLUMNS
                                                 ", r.tenant_id, r.cursor_id FROM webhook_replay r"
                                                 " WHERE r.state = 'running' ORDER BY random() LIMIT 1" };
static const struct db_stmt replay_wish_stmt = {
    "webhook_replay_wish",
    "SELECT w.tenant_id, w.id, w.events, w.channels::text[], w.payload, w.state = 'enabled',"
    " (SELECT count(*) FROM (SELECT FROM webhook_delivery d WHERE d.tenant_id = $1 AND d.endpoint_id = w.id"
    " AND d.state = 'pending' LIMIT $3) p) >= $3 FROM webhook_endpoint w WHERE w.tenant_id = $1 AND w.id = $2"
};
static const struct db_stmt replay_events_stmt = {
    "webhook_replay_events",
    "SELECT " WEBHOOK_EVENT_COLUMNS(
        "$5") ", d.id, d.state FROM event_log e LEFT JOIN webhook_delivery d ON d.tenant_id = $1"
              " AND d.endpoint_id = $2 AND d.event_id = e.id WHERE e.tenant_id = $1 AND e.id > $3 AND e.id < id_at($4)"
              " AND e.xid IS NOT NULL ORDER BY e.id LIMIT 50" /* WEBHOOK_REPLAY_STEP_MAX */
};

static enum err
step_take(struct db *db, struct arena *arena, struct step *step, bool *found_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "webhook.replay", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &replay_take_stmt, DB_NO_ARGS, &rows);
    *found_out = err == ERR_OK && db_rows_count(rows) > 0;
    if (*found_out) {
        err = replay_from_row(rows, 0, arena, &step->replay);
        step->tenant = db_id(rows, 0, 10);
        step->cursor = step->cursor_after = db_id(rows, 0, 11);
    }
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static enum err
step_look_at(struct step *step, const struct db_rows *rows, size_t row, struct arena *arena)
{
    const struct webhook_replay *replay = &step->replay;
    struct taken *taken = &step->taken[step->taken_count];
    bool is_known = false, is_there = !db_is_null(rows, row, 12);
    enum err err = taken_from_row(rows, row, arena, taken, &is_known);

    step->cursor_after = db_id(rows, row, 1);
    if (err != ERR_OK || !is_known || taken->event.type == EVENT_TEST_PING ||
        !webhook_filter_wants(replay->events, replay->event_count,
                              slice_text(event_type_word(taken->event.type))) ||
        !is_wished(&step->wish, taken))
        return err;
    if (!is_there) {
        step->taken_count++;
        return taken_add(taken, &step->wish, arena);
    }
    struct slice state = db_text(rows, row, 13);
    if (slice_eq(state, SLICE("failed")) || slice_eq(state, SLICE("canceled")) ||
        (replay->has_all && slice_eq(state, SLICE("delivered"))))
        step->again[step->again_count++] = db_id(rows, row, 12);
    return ERR_OK;
}

static enum err
step_read(struct db *db, struct arena *arena, struct step *step)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = wish_init(&step->wish, arena);

    step->taken = arena_array(arena, WEBHOOK_REPLAY_STEP_MAX, sizeof(*step->taken));
    step->again = arena_array(arena, WEBHOOK_REPLAY_STEP_MAX, sizeof(*step->again));
    if (err == ERR_OK && (step->taken == NULL || step->again == NULL))
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = db_begin(db, step->tenant, &tx);
    if (err == ERR_OK)
        err = db_query(&tx, &replay_wish_stmt,
                       DB_ARGS(DB_ID(step->replay.endpoint), DB_I64(WEBHOOK_REPLAY_PENDING_MAX)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 1) {
        err = wish_from_row(rows, 0, arena, &step->wish);
        step->is_enabled = db_bool(rows, 0, 5);
        step->is_waiting = db_bool(rows, 0, 6);
    }
    db_rows_free(rows);
    rows = NULL;
    if (err == ERR_OK && step->is_enabled && !step->is_waiting)
        err = db_query(&tx, &replay_events_stmt,
                       DB_ARGS(DB_ID(step->replay.endpoint), DB_ID(step->cursor), DB_TIME(step->replay.until),
                               DB_I64(WEBHOOK_BODY_BYTES_MAX)),
                       &rows);
    size_t count = err == ERR_OK && rows != NULL ? db_rows_count(rows) : 0;
    step->is_last = count < WEBHOOK_REPLAY_STEP_MAX;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = step_look_at(step, rows, i, arena);
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt replay_move_stmt = {
    "webhook_replay_move", "UPDATE webhook_replay SET cursor_id = $4, count = count + $5::int, state = $6,"
                           " finished_at = CASE WHEN $6 = 'running' THEN NULL ELSE now() END"
                           " WHERE tenant_id = $1 AND id = $2 AND cursor_id = $3 AND state = 'running'"
};
static const struct db_stmt replay_hold_stmt = {
    "webhook_replay_hold",
    "SELECT FROM webhook_endpoint WHERE tenant_id = $1 AND id = $2 AND state = 'enabled' FOR SHARE"
};
static const struct db_stmt replay_again_stmt = {
    "webhook_replay_again",
    "UPDATE webhook_delivery SET state = 'pending', attempt = 0, due_at = now(), finished_at = NULL, lease_until = NULL"
    " WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND state <> 'pending'"
};

static enum err
step_deliver(struct db_tx *tx, struct arena *arena, const struct step *step, size_t *queued_out)
{
    const struct taken **made = arena_array(arena, step->taken_count, sizeof(const struct taken *));
    struct inserted inserted = { .queued = 0 };
    size_t again = 0;
    enum err err = db_exec_one(tx, &replay_hold_stmt, DB_ARGS(DB_ID(step->replay.endpoint)));

    if (err == ERR_NOT_FOUND) /* disabled since it was read: the next step finds that */
        return ERR_STATE_CONFLICT;
    if (err == ERR_OK && made == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < step->taken_count; i++)
        made[i] = &step->taken[i];
    if (err == ERR_OK)
        err = deliveries_insert(tx, arena, made, step->taken_count, NULL, NULL, 0, &inserted);
    if (err == ERR_OK && step->again_count > 0)
        err = db_exec(tx, &replay_again_stmt, DB_ARGS(DB_ID_ARRAY(step->again, step->again_count)), &again);
    *queued_out += inserted.queued + again;
    return err;
}

/* ERR_STATE_CONFLICT: another process was faster, or the endpoint is disabled. */
static enum err
step_write(struct db *db, struct arena *arena, const struct step *step, size_t *queued_out)
{
    const char *state = !step->is_enabled ? "canceled" : step->is_last ? "done" : "running";
    struct db_tx tx = { .is_open = false };
    enum err err = db_begin(db, step->tenant, &tx);

    *queued_out = 0;
    if (err == ERR_OK && step->is_enabled)
        err = step_deliver(&tx, arena, step, queued_out);
    if (err == ERR_OK)
        err = db_exec_one(&tx, &replay_move_stmt,
                          DB_ARGS(DB_ID(step->replay.id), DB_ID(step->cursor), DB_ID(step->cursor_after),
                                  DB_I64((int64_t)*queued_out), DB_TEXT_Z(state)));
    if (err == ERR_NOT_FOUND)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    if (err != ERR_OK)
        *queued_out = 0;
    return err;
}

enum err
webhook_replay_step(struct db *db, const struct vault *vault, const struct clock *clock, struct arena *arena,
                    bool *is_busy_out, size_t *queued_out)
{
    struct step step = { .is_enabled = false };
    bool is_found = false;
    enum err err = step_take(db, arena, &step, &is_found);

    *is_busy_out = false;
    *queued_out = 0;
    if (err != ERR_OK || !is_found)
        return err;
    err = step_read(db, arena, &step);
    if (err != ERR_OK || (step.is_enabled && step.is_waiting))
        return err;
    err = deliveries_seal(vault, clock, arena, step.taken, step.taken_count);
    if (err == ERR_OK)
        err = step_write(db, arena, &step, queued_out);
    *is_busy_out = err == ERR_OK;
    return err == ERR_STATE_CONFLICT ? ERR_OK : err;
}
