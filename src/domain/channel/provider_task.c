#include "domain/channel/provider_task.h"
#include "domain/event/event.h"
#include "domain/tenant/sealed_column.h"
#include "wire/json/json.h"

static const struct {
    const char *word;
    enum id_kind subject;
    int patience_s;
    bool tells, waits;
} kinds[PROVIDER_TASK_KINDS] = {
#define TASK(name, word, subject, patience_s, tells, waits)                                                  \
    [PROVIDER_TASK_##name] = { word, subject, patience_s, tells, waits },
#include "domain/channel/provider_task.def"
#undef TASK
};
static const char *const state_words[] = { [PROVIDER_TASK_WAITING] = "waiting",
                                           [PROVIDER_TASK_LEASED] = "leased",
                                           [PROVIDER_TASK_DONE] = "done",
                                           [PROVIDER_TASK_FAILED] = "failed" };

static void
kind_check(enum provider_task_kind kind)
{
    if ((unsigned)kind >= PROVIDER_TASK_KINDS)
        bug("a task kind outside provider_task.def");
}

const char *
provider_task_kind_word(enum provider_task_kind kind)
{
    kind_check(kind);
    return kinds[kind].word;
}

enum err
provider_task_kind_parse(struct slice word, enum provider_task_kind *out)
{
    for (unsigned i = 0; i < PROVIDER_TASK_KINDS; i++)
        if (slice_eq(word, slice_text(kinds[i].word))) {
            *out = (enum provider_task_kind)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

enum id_kind
provider_task_subject_kind(enum provider_task_kind kind)
{
    kind_check(kind);
    return kinds[kind].subject;
}

int64_t
provider_task_patience_ms(enum provider_task_kind kind)
{
    kind_check(kind);
    return (int64_t)kinds[kind].patience_s * 1000;
}

bool
provider_task_is_management(enum provider_task_kind kind)
{
    kind_check(kind);
    return kinds[kind].waits;
}

static bool
kind_moves_media(enum provider_task_kind kind)
{
    return kind == PROVIDER_TASK_MEDIA_FETCH || kind == PROVIDER_TASK_MEDIA_PUSH;
}

struct vault_place
provider_task_place(struct id tenant, struct id task)
{
    return (
        struct vault_place){ .tenant = tenant, .table = "provider_task", .column = "request", .row = task };
}

/* No more than the limit are counted. */
static const struct db_stmt provider_task_room_stmt = {
    "provider_task_room", "SELECT count(*) < $3 FROM (SELECT FROM provider_task WHERE tenant_id = $1"
                          " AND channel_id = $2 AND state = 'waiting' LIMIT $3) w"
};
static const struct db_stmt provider_task_create_stmt = {
    "provider_task_create",
    "WITH told AS (SELECT pg_notify('harkara_provider_task', '')) INSERT INTO provider_task (tenant_id, id,"
    " channel_id, kind, subject_id, moves_media) SELECT $1, $2, $3, $4, $5, $6 FROM told"
};
/* Not everybody who may ask for a task may put a request in. */
static const struct db_stmt provider_task_create_sealed_stmt = {
    "provider_task_create_sealed",
    "WITH told AS (SELECT pg_notify('harkara_provider_task', '')) INSERT INTO provider_task (tenant_id, id,"
    " channel_id, kind, subject_id, moves_media, key_version, request_ct, request_iv, request_tag)"
    " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM told"
};

static const struct db_stmt provider_task_create_later_stmt = {
    "provider_task_create_later",
    "WITH told AS (SELECT pg_notify('harkara_provider_task', '')) INSERT INTO provider_task (tenant_id, id,"
    " channel_id, kind, subject_id, moves_media, due_at) SELECT $1, $2, $3, $4, $5, $6, $7 FROM told"
};

enum err
provider_task_create(struct db_tx *tx, const struct provider_task_new *task)
{
    const struct vault_sealed *request = task->request;
    struct db_rows *rows = NULL;
    enum err err = ERR_OK;

    if (task->is_asked)
        err = db_query(tx, &provider_task_room_stmt,
                       DB_ARGS(DB_ID(task->channel), DB_I64(PROVIDER_TASK_WAITING_MAX)), &rows);
    if (err == ERR_OK && rows != NULL && !db_bool(rows, 0, 0))
        err = ERR_TOO_MANY;
    db_rows_free(rows);
    if (err != ERR_OK)
        return err;
    struct db_arg kind = DB_TEXT_Z(provider_task_kind_word(task->kind));
    struct db_arg subject = id_is_zero(task->subject) ? DB_NULL : DB_ID(task->subject);
    struct db_arg media = DB_BOOL(task->moves_media || kind_moves_media(task->kind));
    if (task->due_at.us != 0)
        return db_exec_one(
            tx, &provider_task_create_later_stmt,
            DB_ARGS(DB_ID(task->id), DB_ID(task->channel), kind, subject, media, DB_TIME(task->due_at)));
    if (request == NULL)
        return db_exec_one(tx, &provider_task_create_stmt,
                           DB_ARGS(DB_ID(task->id), DB_ID(task->channel), kind, subject, media));
    return db_exec_one(tx, &provider_task_create_sealed_stmt,
                       DB_ARGS(DB_ID(task->id), DB_ID(task->channel), kind, subject, media,
                               DB_I64(request->key_version), SEALED_ARGS(request)));
}

static const struct db_stmt provider_task_ask_stmt = {
    "provider_task_ask",
    "WITH told AS (SELECT pg_notify('harkara_provider_task', '')) INSERT INTO provider_task (tenant_id, id,"
    " channel_id, kind) SELECT $1, $2, $3, $4 FROM told WHERE NOT EXISTS (SELECT FROM provider_task"
    " WHERE tenant_id = $1 AND channel_id = $3 AND kind = $4 AND state = 'waiting')"
};

enum err
provider_task_ask_syncs(struct db_tx *tx, const struct clock *clock, struct id channel)
{
    static const enum provider_task_kind syncs[] = { PROVIDER_TASK_NUMBER_SYNC, PROVIDER_TASK_TEMPLATE_SYNC };
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < COUNT_OF(syncs); i++)
        err = db_exec(
            tx, &provider_task_ask_stmt,
            DB_ARGS(DB_ID(id_new(clock)), DB_ID(channel), DB_TEXT_Z(provider_task_kind_word(syncs[i]))),
            NULL);
    return err;
}

#define TASK_COLUMNS                                                                                         \
    "id, channel_id, subject_id, kind, state, attempt, created_at, due_at, finished_at, error_code,"         \
    " error_title, error_class, result::text"

static enum err
task_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct provider_task *out)
{
    struct slice state = db_text(rows, row, 4);
    unsigned at = 0;

    *out = (struct provider_task){ .id = db_id(rows, row, 0),
                                   .channel = db_id(rows, row, 1),
                                   .attempt = (int)db_i64(rows, row, 5),
                                   .created_at = db_time(rows, row, 6),
                                   .due_at = db_time(rows, row, 7),
                                   .has_finished = !db_is_null(rows, row, 8),
                                   .error_code = arena_copy(arena, db_text(rows, row, 9)),
                                   .error_title = arena_copy(arena, db_text(rows, row, 10)),
                                   .error_class = arena_copy(arena, db_text(rows, row, 11)),
                                   .result = arena_copy(arena, db_text(rows, row, 12)) };
    if (out->error_code.ptr == NULL || out->error_title.ptr == NULL || out->error_class.ptr == NULL ||
        out->result.ptr == NULL)
        return ERR_NO_MEMORY;
    if (!db_is_null(rows, row, 2))
        out->subject = db_id(rows, row, 2);
    if (out->has_finished)
        out->finished_at = db_time(rows, row, 8);
    while (at < COUNT_OF(state_words) && !slice_eq(state, slice_text(state_words[at])))
        at++;
    if (at == COUNT_OF(state_words))
        return ERR_NOT_FOUND;
    out->state = (enum provider_task_state)at;
    return provider_task_kind_parse(db_text(rows, row, 3), &out->kind);
}

static const struct db_stmt provider_task_get_stmt = {
    "provider_task_get", "SELECT " TASK_COLUMNS " FROM provider_task WHERE tenant_id = $1 AND id = $2"
};

enum err
provider_task_get(struct db_tx *tx, struct id task, struct arena *arena, struct provider_task *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &provider_task_get_stmt, DB_ARGS(DB_ID(task)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : task_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt provider_task_list_stmt = {
    "provider_task_list",
    "SELECT " TASK_COLUMNS " FROM provider_task WHERE tenant_id = $1 AND channel_id = $2"
    " AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
};

enum err
provider_task_list(struct db_tx *tx, struct id channel, struct id before, size_t limit, struct arena *arena,
                   struct provider_task **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct provider_task *tasks = NULL;
    size_t count = 0;
    enum err err = db_query(
        tx, &provider_task_list_stmt,
        DB_ARGS(DB_ID(channel), id_is_zero(before) ? DB_NULL : DB_ID(before), DB_I64((int64_t)limit + 1)),
        &rows);

    if (err == ERR_OK && (tasks = arena_array(arena, db_rows_count(rows), sizeof(*tasks))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        err = task_from_row(rows, i, arena, &tasks[count]);
        if (err == ERR_OK)
            count++;
        else if (err == ERR_NOT_FOUND)
            err = ERR_OK; /* written by a newer build */
    }
    if (err == ERR_OK) {
        *out = tasks;
        *count_out = count;
    }
    db_rows_free(rows);
    return err;
}

/*
 * The channels that wait are stepped through by the index, one probe each; of each a few tasks are looked at,
 * of media and of others; and the first that nobody else is claiming just now is locked and taken.
 * Lock order: it is the claim's, which no index has; it sorts at most 64 tasks a channel, found by one.
 */
static const struct db_stmt provider_task_claim_stmt = {
    "provider_task_claim",
    "WITH RECURSIVE lane AS ((SELECT channel_id FROM provider_task WHERE state = 'waiting' ORDER BY channel_id"
    " LIMIT 1) UNION ALL SELECT (SELECT t.channel_id FROM provider_task t WHERE t.state = 'waiting'"
    " AND t.channel_id > lane.channel_id ORDER BY t.channel_id LIMIT 1) FROM lane WHERE lane.channel_id IS NOT NULL),"
    " due AS MATERIALIZED (SELECT t.tenant_id, t.id FROM lane"
    " CROSS JOIN LATERAL ((SELECT w.tenant_id, w.id FROM provider_task w WHERE w.channel_id = lane.channel_id"
    " AND w.state = 'waiting' AND w.due_at <= now() AND NOT w.moves_media"
    " ORDER BY w.due_at LIMIT 32)"
    " UNION ALL (SELECT w.tenant_id, w.id FROM provider_task w WHERE w.channel_id = lane.channel_id"
    " AND w.state = 'waiting' AND w.due_at <= now() AND w.moves_media"
    " AND NOT $3 AND w.tenant_id <> ALL ($4::uuid[]) ORDER BY w.due_at LIMIT 32)) d"
    " JOIN provider_task t ON t.tenant_id = d.tenant_id AND t.id = d.id AND t.state = 'waiting'"
    " LEFT JOIN (SELECT tenant_id, count(*) AS count FROM provider_task WHERE state = 'leased' GROUP BY tenant_id)"
    " theirs ON theirs.tenant_id = t.tenant_id"
    " LEFT JOIN (SELECT channel_id, count(*) AS count FROM provider_task WHERE state = 'leased' GROUP BY channel_id)"
    " held ON held.channel_id = t.channel_id"
    " ORDER BY coalesce(theirs.count, 0), t.tenant_id <= $2, t.tenant_id, coalesce(held.count, 0), t.due_at, t.id"
    " FOR UPDATE OF t SKIP LOCKED LIMIT 1)"
    " UPDATE provider_task q SET state = 'leased', fence = q.fence + 1, attempt = q.attempt + 1,"
    " lease_until = now() + make_interval(secs => $1 / 1000.0) FROM due"
    " WHERE q.tenant_id = due.tenant_id AND q.id = due.id"
    " RETURNING q.tenant_id, q.id, q.channel_id, q.subject_id, q.kind, q.fence, q.attempt, q.is_unsure, q.created_at,"
    " q.key_version, q.request_ct, q.request_iv, q.request_tag, q.progress::text, q.moves_media"
};

enum err
provider_task_claim_next(struct db *db, const struct provider_task_wish *wish, struct arena *arena,
                         struct provider_task_claim *out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "task.claim", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &provider_task_claim_stmt,
                       DB_ARGS(DB_I64(wish->lease_ms), DB_ID(wish->served), DB_BOOL(wish->no_media),
                               DB_ID_ARRAY(wish->sated, wish->sated_count)),
                       &rows);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOTHING;
    if (err != ERR_OK)
        goto done;
    *out = (struct provider_task_claim){ .tenant = db_id(rows, 0, 0),
                                         .task = db_id(rows, 0, 1),
                                         .channel = db_id(rows, 0, 2),
                                         .fence = db_i64(rows, 0, 5),
                                         .attempt = (int)db_i64(rows, 0, 6),
                                         .is_unsure = db_bool(rows, 0, 7),
                                         .created_at = db_time(rows, 0, 8),
                                         .has_request = !db_is_null(rows, 0, 9),
                                         .moves_media = db_bool(rows, 0, 14) };
    if (!db_is_null(rows, 0, 3))
        out->subject = db_id(rows, 0, 3);
    out->is_known = provider_task_kind_parse(db_text(rows, 0, 4), &out->kind) == ERR_OK;
    if (out->has_request)
        err = sealed_column_read(rows, 0, 10, (uint32_t)db_i64(rows, 0, 9), arena, &out->request);
    out->progress = arena_copy(arena, db_text(rows, 0, 13));
    if (err == ERR_OK && out->progress.ptr == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = db_commit(&tx);
done:
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt provider_task_take_over_stmt = {
    "provider_task_take_over",
    "WITH o AS MATERIALIZED (SELECT tenant_id, id FROM provider_task WHERE state = 'leased' AND (lease_until < now()"
    " OR lease_until > now() + interval '15 minutes')" /* longer than any: given by a clock that was ahead */
    " ORDER BY lease_until LIMIT 100 FOR UPDATE SKIP LOCKED) UPDATE provider_task q SET state = 'waiting',"
    " is_unsure = true, fence = q.fence + 1, lease_until = NULL, due_at = now() FROM o"
    " WHERE q.tenant_id = o.tenant_id AND q.id = o.id"
};

static enum err
take_over_in(struct db_tx *tx, void *ctx)
{
    return db_exec(tx, &provider_task_take_over_stmt, DB_NO_ARGS, ctx);
}

enum err
provider_task_take_over(struct db *db, size_t *count_out)
{
    return db_run_across(db, "task.claim", take_over_in, count_out);
}

static const struct db_stmt provider_task_next_due_stmt = {
    "provider_task_next_due",
    "SELECT least((SELECT due_at FROM provider_task WHERE state = 'waiting' ORDER BY due_at LIMIT 1),"
    " (SELECT lease_until FROM provider_task WHERE state = 'leased' ORDER BY lease_until LIMIT 1))"
};

struct next_due {
    bool is_given;
    struct wall_time at;
};

static enum err
next_due_in(struct db_tx *tx, void *ctx)
{
    struct next_due *due = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &provider_task_next_due_stmt, DB_NO_ARGS, &rows);

    due->is_given = err == ERR_OK && !db_is_null(rows, 0, 0);
    if (due->is_given)
        due->at = db_time(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

enum err
provider_task_next_due(struct db *db, struct wall_time *out)
{
    struct next_due due = { .is_given = false };
    enum err err = db_run_across(db, "task.claim", next_due_in, &due);

    *out = due.at;
    return err == ERR_OK && !due.is_given ? ERR_NOTHING : err;
}

static const struct db_stmt provider_task_hold_stmt = {
    "provider_task_hold", "UPDATE provider_task SET lease_until = now() + make_interval(secs => $4 / 1000.0)"
                          " WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'leased'"
};

enum err
provider_task_hold(struct db_tx *tx, const struct provider_task_claim *claim, int64_t lease_ms)
{
    enum err err = db_exec_one(tx, &provider_task_hold_stmt,
                               DB_ARGS(DB_ID(claim->task), DB_I64(claim->fence), DB_I64(lease_ms)));

    return err == ERR_NOT_FOUND ? ERR_STATE_CONFLICT : err;
}

static const struct db_stmt provider_task_progress_stmt = {
    "provider_task_progress", "UPDATE provider_task SET progress = $4 WHERE tenant_id = $1 AND id = $2"
                              " AND fence = $3 AND state = 'leased'"
};

enum err
provider_task_progress(struct db_tx *tx, const struct provider_task_claim *claim, struct slice progress)
{
    if (progress.len > PROVIDER_TASK_PROGRESS_MAX)
        return ERR_LIMIT;
    enum err err = db_exec_one(tx, &provider_task_progress_stmt,
                               DB_ARGS(DB_ID(claim->task), DB_I64(claim->fence), DB_JSON(progress)));

    return err == ERR_NOT_FOUND ? ERR_STATE_CONFLICT : err;
}

static const struct db_stmt provider_task_again_stmt = {
    "provider_task_again",
    "UPDATE provider_task SET state = 'waiting', due_at = $4, attempt = attempt - $5, is_unsure = is_unsure OR $6,"
    " lease_until = NULL, error_code = $7, error_title = $8, error_class = $9"
    " WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'leased'"
};
static const struct db_stmt provider_task_finish_stmt = {
    "provider_task_finish",
    "UPDATE provider_task SET state = $4, finished_at = $5, lease_until = NULL, error_code = $6, error_title = $7,"
    " error_class = $8, result = $9, key_version = NULL, request_ct = NULL, request_iv = NULL, request_tag = NULL,"
    " progress = NULL"
    " WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'leased'"
};

static struct slice
text_or_null(struct slice text)
{
    return text.len == 0 ? (struct slice){ NULL, 0 } : text;
}

/* {"operation_id", "kind", "state", "attempt_count", "error", "result"}. */
static enum err
task_tell(struct db_tx *tx, const struct clock *clock, const struct provider_task_claim *claim,
          const struct provider_task_outcome *outcome)
{
    bool is_done = outcome->state == PROVIDER_TASK_DONE;
    char id[ID_TEXT_BYTES];
    struct buf data;

    buf_init(&data, PROVIDER_TASK_RESULT_MAX + 2048);
    buf_add_format(&data, "{\"operation_id\":\"%.*s\",\"kind\":\"%s\",\"state\":\"%s\",\"attempt_count\":%d",
                   SLICE_FMT(id_print(ID_OPERATION, claim->task, id)), provider_task_kind_word(claim->kind),
                   is_done ? "succeeded" : "failed", claim->attempt);
    buf_add_text(&data, ",\"error\":");
    if (outcome->error_class == NULL) {
        buf_add_text(&data, "null");
    } else {
        buf_add_text(&data, "{\"code\":");
        json_add_string(&data, outcome->error_code);
        buf_add_text(&data, ",\"title\":");
        json_add_string(&data, outcome->error_title);
        buf_add_format(&data, ",\"class\":\"%s\"}", outcome->error_class);
    }
    buf_add_text(&data, ",\"result\":");
    buf_add(&data, outcome->result.len == 0 ? SLICE("{}") : outcome->result);
    buf_add_byte(&data, '}');
    return event_tell(tx, clock, is_done ? EVENT_OPERATION_SUCCEEDED : EVENT_OPERATION_FAILED, claim->channel,
                      claim->channel, &data);
}

enum err
provider_task_settle(struct db_tx *tx, const struct clock *clock, const struct provider_task_claim *claim,
                     const struct provider_task_outcome *outcome)
{
    struct db_arg error_class =
        outcome->error_class == NULL ? DB_TEXT(text_or_null(SLICE_EMPTY)) : DB_TEXT_Z(outcome->error_class);
    struct db_arg code = DB_TEXT(text_or_null(outcome->error_code)),
                  title = DB_TEXT(text_or_null(outcome->error_title));
    enum err err;

    if (outcome->state == PROVIDER_TASK_LEASED)
        bug("a task does not settle as leased");
    if (outcome->state == PROVIDER_TASK_WAITING) {
        err = db_exec_one(tx, &provider_task_again_stmt,
                          DB_ARGS(DB_ID(claim->task), DB_I64(claim->fence), DB_TIME(outcome->due_at),
                                  DB_I64(outcome->is_counted ? 0 : 1), DB_BOOL(outcome->is_unsure), code,
                                  title, error_class));
        return err == ERR_NOT_FOUND ? ERR_STATE_CONFLICT : err;
    }
    err =
        db_exec_one(tx, &provider_task_finish_stmt,
                    DB_ARGS(DB_ID(claim->task), DB_I64(claim->fence), DB_TEXT_Z(state_words[outcome->state]),
                            DB_TIME(clock_wall(clock)), code, title, error_class,
                            DB_JSON(outcome->result.len == 0 ? SLICE("{}") : outcome->result)));
    if (err == ERR_NOT_FOUND)
        return ERR_STATE_CONFLICT;
    return err == ERR_OK && claim->is_known && kinds[claim->kind].tells ? task_tell(tx, clock, claim, outcome)
                                                                        : err;
}
