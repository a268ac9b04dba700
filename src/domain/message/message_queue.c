#include "domain/message/message_queue.h"
#include "domain/message/message_fallback.h"
#include "domain/tenant/sealed_column.h"

unsigned
message_claim_sender(const struct message_claim *claim)
{
    return (unsigned)(claim->fence >> 32);
}

/*
 * Lanes are few, rows many: for each open lane its most urgent due rows are locked, then the whole is cut to
 * the limit by urgency. What this dispatcher has out of a lane counts against the lane's share, or else one
 * sender's many would fill it claim by claim. Rows that another dispatcher holds are skipped, not waited for.
 */
static const struct db_stmt message_claim_stmt = {
    "message_claim",
    "UPDATE dispatch_queue q SET state = 'leased', lease_owner = $1, lease_until = now() + "
    "make_interval(secs => $2 / 1000.0),"
    " fence = q.fence + 1, attempt = q.attempt + 1"
    " FROM (SELECT w.tenant_id, w.message_id FROM dispatch_lane l"
    " LEFT JOIN (SELECT channel_id, count(*) AS count FROM dispatch_queue WHERE lease_owner = $1"
    " AND state IN ('leased', 'sending') GROUP BY channel_id) held ON held.channel_id = l.channel_id"
    " CROSS JOIN LATERAL (SELECT d.tenant_id, d.message_id, d.priority, d.due_at FROM dispatch_queue d"
    " WHERE d.channel_id = l.channel_id AND d.state = 'ready' AND d.due_at <= now()"
    " AND (d.expires_at IS NULL OR d.expires_at > now())"
    " ORDER BY d.priority, d.due_at LIMIT greatest(0, $3 - coalesce(held.count, 0)) FOR UPDATE SKIP LOCKED) w"
    " WHERE l.is_open AND l.not_before <= now() ORDER BY w.priority, w.due_at LIMIT $4) due"
    " WHERE q.tenant_id = due.tenant_id AND q.message_id = due.message_id"
    " RETURNING q.tenant_id, q.message_id, q.channel_id, q.fence, q.attempt, q.priority,"
    " coalesce(q.expires_at, 'infinity')"
};

enum err
message_claim_due(struct db *db, const struct message_claim_limits *limits, struct arena *arena,
                  struct message_claim **out, size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    struct message_claim *claims = NULL;
    size_t count = 0;

    if (limits->count_max > MESSAGE_CLAIM_MAX)
        return ERR_LIMIT;
    enum err err = db_begin_across(db, "dispatch.claim", &tx);
    if (err == ERR_OK)
        err = db_query(&tx, &message_claim_stmt,
                       DB_ARGS(DB_ID(limits->owner), DB_I64(limits->lease_ms),
                               DB_I64((int64_t)limits->per_lane_max), DB_I64((int64_t)limits->count_max)),
                       &rows);
    if (err != ERR_OK)
        goto done;
    count = db_rows_count(rows);
    claims = arena_array(arena, count, sizeof(*claims));
    if (claims == NULL) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        claims[i] = (struct message_claim){ .tenant = db_id(rows, i, 0),
                                            .message = db_id(rows, i, 1),
                                            .channel = db_id(rows, i, 2),
                                            .fence = db_i64(rows, i, 3),
                                            .attempt = (int)db_i64(rows, i, 4),
                                            .category = (enum message_category)db_i64(rows, i, 5),
                                            .expires_at = db_time(rows, i, 6) };
    err = db_commit(&tx);
    if (err == ERR_OK) {
        *out = claims;
        *count_out = count;
    }
done:
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

/* Of each priority by itself: then the first row of the lane's index answers, and not all that waits. */
static const struct db_stmt message_next_due_stmt = {
    "message_next_due",
    "SELECT least((SELECT min(greatest(d.due_at, l.not_before)) FROM dispatch_lane l"
    " CROSS JOIN (VALUES (0::smallint), (1::smallint), (2::smallint), (3::smallint)) AS p (priority)"
    " CROSS JOIN LATERAL (SELECT due_at FROM dispatch_queue q WHERE q.channel_id = l.channel_id"
    " AND q.state = 'ready' AND q.priority = p.priority ORDER BY due_at LIMIT 1) d WHERE l.is_open),"
    " (SELECT min(lease_until) FROM dispatch_queue WHERE state IN ('leased', 'sending')),"
    " (SELECT min(due_at) FROM dispatch_queue WHERE state = 'uncertain'))"
};

enum err
message_next_due(struct db *db, struct wall_time *out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "dispatch.claim", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &message_next_due_stmt, DB_NO_ARGS, &rows);
    if (err == ERR_OK && db_is_null(rows, 0, 0))
        err = ERR_NOTHING;
    if (err == ERR_OK)
        *out = db_time(rows, 0, 0);
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

/* The same few columns of many claims. */
struct claim_columns {
    struct id *ids, *channels;
    int64_t *fences;
};

static bool
claim_columns_fill(struct claim_columns *columns, const struct message_claim *claims, size_t stride,
                   size_t count, struct arena *arena)
{
    const char *at = (const char *)claims; /* claims lie inside larger structs, `stride` bytes apart */

    columns->ids = arena_array(arena, count, sizeof(struct id));
    columns->channels = arena_array(arena, count, sizeof(struct id));
    columns->fences = arena_array(arena, count, sizeof(int64_t));
    if (columns->ids == NULL || columns->channels == NULL || columns->fences == NULL)
        return false;
    for (size_t i = 0; i < count; i++, at += stride) {
        const struct message_claim *claim = (const void *)at;
        columns->ids[i] = claim->message;
        columns->channels[i] = claim->channel;
        columns->fences[i] = claim->fence;
    }
    return true;
}

/*
 * A message that its provider has reported on meanwhile is not sent again. A sender with a content of its own
 * sends that. What is answered or reacted to is known on its own channel only.
 */
static const struct db_stmt message_begin_sending_stmt = {
    "message_begin_sending",
    "WITH mine AS (UPDATE dispatch_queue q SET state = 'sending' FROM unnest($2::uuid[], $3::bigint[]) AS c (id, fence)"
    " WHERE q.tenant_id = $1 AND q.message_id = c.id AND q.fence = c.fence AND q.state = 'leased'"
    " AND (q.expires_at IS NULL OR q.expires_at > now()) RETURNING q.message_id, q.fence >> 32 AS sender)"
    " UPDATE message m SET status = 'sending', attempt_count = attempt_count + 1, error_code = NULL,"
    " error_title = NULL, error_class = NULL, updated_at = now()"
    " FROM mine LEFT JOIN message_fallback f ON f.tenant_id = $1 AND f.message_id = mine.message_id"
    " AND f.position = mine.sender AND mine.sender > 0"
    " WHERE m.tenant_id = $1 AND m.id = mine.message_id AND m.sender = mine.sender"
    " AND m.status IN ('accepted', 'queued', 'held', 'sending', 'uncertain')"
    " RETURNING m.id, coalesce(f.kind, m.kind), m.key_version, m.peer_ct, m.peer_iv, m.peer_tag,"
    " coalesce(f.content_ct, m.content_ct), coalesce(f.content_iv, m.content_iv), coalesce(f.content_tag, m.content_tag),"
    " (SELECT t.provider_id FROM message t WHERE t.tenant_id = $1 AND t.id = m.target_id AND t.channel_id = m.channel_id),"
    " m.peer_index, coalesce(f.kind, m.kind) <> 'template' AND window_is_over($1, m.channel_id, m.peer_index),"
    " f.key_version"
};
/* What was claimed and is not to be sent leaves the queue: its message has moved on by itself. */
static const struct db_stmt message_unqueue_moved_stmt = {
    "message_unqueue_moved",
    "DELETE FROM dispatch_queue q USING unnest($2::uuid[], $3::bigint[]) AS c (id, fence), message m"
    " WHERE q.tenant_id = $1 AND q.message_id = c.id AND q.fence = c.fence AND q.state = 'sending'"
    " AND m.tenant_id = $1 AND m.id = c.id AND m.status <> 'sending'"
};

static enum err
job_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct message_job *job)
{
    uint32_t key_version = (uint32_t)db_i64(rows, row, 2);

    job->is_mine = true;
    job->kind = arena_copy(arena, db_text(rows, row, 1));
    if (!db_is_null(rows, row, 9))
        job->target_provider_id = arena_copy(arena, db_text(rows, row, 9));
    struct slice peer_index = db_bytes(rows, row, 10);
    if (peer_index.len != sizeof(job->sealed.peer_index))
        return ERR_DB_DATA;
    memcpy(job->sealed.peer_index, peer_index.ptr, peer_index.len);
    job->is_window_over = db_bool(rows, row, 11);
    bool has_own = !db_is_null(rows, row, 12);
    job->sealed.content_of = has_own ? message_claim_sender(&job->claim) : 0;
    enum err err = sealed_column_read(rows, row, 3, key_version, arena, &job->sealed.peer);
    if (err == ERR_OK)
        err = sealed_column_read(rows, row, 6, has_own ? (uint32_t)db_i64(rows, row, 12) : key_version, arena,
                                 &job->sealed.content);
    return err;
}

enum err
message_begin_sending(struct db_tx *tx, const struct clock *clock, const struct message_claim *claims,
                      size_t count, struct arena *arena, struct message_job **out)
{
    struct claim_columns columns;
    struct db_rows *rows = NULL;
    struct message_job *jobs = arena_array(arena, count, sizeof(*jobs));
    struct message_step *steps = arena_array(arena, count, sizeof(*steps));
    size_t step_count = 0;

    if (jobs == NULL || steps == NULL || !claim_columns_fill(&columns, claims, sizeof(*claims), count, arena))
        return ERR_NO_MEMORY;
    struct db_args both = DB_ARGS(DB_ID_ARRAY(columns.ids, count), DB_I64_ARRAY(columns.fences, count));
    enum err err = db_query(tx, &message_begin_sending_stmt, both, &rows);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        jobs[i] = (struct message_job){ .claim = claims[i] };
        for (size_t r = 0; r < db_rows_count(rows); r++) {
            if (!id_eq(db_id(rows, r, 0), claims[i].message))
                continue;
            err = job_from_row(rows, r, arena, &jobs[i]);
            steps[step_count++] = (struct message_step){ .message = claims[i].message,
                                                         .status = MESSAGE_SENDING,
                                                         .at = clock_wall(clock) };
            break;
        }
    }
    if (err == ERR_OK && step_count < count)
        err = db_exec(tx, &message_unqueue_moved_stmt, both, NULL);
    if (err == ERR_OK)
        err = message_tell(tx, clock, steps, step_count, arena);
    db_rows_free(rows);
    if (err == ERR_OK)
        *out = jobs;
    return err;
}

/*
 * One statement for all verdicts: the row's new state is chosen by the verdict, and only by the claim that
 * holds it. With one exception: that the provider took the message is true whoever holds it, unless somebody
 * is sending it again, or it is another sender's by now.
 */
static const struct db_stmt message_settle_stmt = {
    "message_settle",
    "WITH o AS (SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],"
    " $8::text[], $9::text[]) AS o (id, fence, verdict, due_at, provider_id, error_code, error_title, error_class)),"
    " gone AS (DELETE FROM dispatch_queue q USING o WHERE q.tenant_id = $1 AND q.message_id = o.id"
    " AND ((q.fence = o.fence AND q.state IN ('leased', 'sending') AND o.verdict IN ('sent', 'failed'))"
    " OR (o.verdict = 'sent' AND q.state IN ('ready', 'uncertain') AND q.fence >> 32 = o.fence >> 32))"
    " RETURNING q.message_id),"
    " kept AS (UPDATE dispatch_queue q SET state = CASE o.verdict WHEN 'uncertain' THEN 'uncertain' ELSE 'ready' END,"
    " due_at = coalesce((SELECT now() + make_interval(secs => uncertain_wait_s) FROM message_settings"
    " WHERE tenant_id = $1 AND o.verdict = 'uncertain'), o.due_at), lease_owner = NULL, lease_until = NULL, is_doubtful = q.is_doubtful OR o.verdict = 'uncertain',"
    " attempt = q.attempt - CASE o.verdict WHEN 'returned' THEN 1 ELSE 0 END"
    " FROM o WHERE q.tenant_id = $1 AND q.message_id = o.id AND q.fence = o.fence AND q.state IN ('leased', 'sending')"
    " AND o.verdict IN ('retry', 'uncertain', 'returned') RETURNING q.message_id)"
    " UPDATE message m SET updated_at = now(), status = CASE o.verdict WHEN 'sent' THEN 'sent'"
    " WHEN 'failed' THEN 'failed' WHEN 'uncertain' THEN 'uncertain' ELSE 'queued' END,"
    " known = m.known | CASE o.verdict WHEN 'sent' THEN 1 WHEN 'failed' THEN 8 ELSE 0 END," /* MESSAGE_FACT_...
                                                                                             */
    " provider_id = coalesce(o.provider_id, m.provider_id), error_code = o.error_code, error_title = o.error_title,"
    " error_class = o.error_class, attempt_count = m.attempt_count - CASE o.verdict WHEN 'returned' THEN 1 ELSE 0 END"
    " FROM o WHERE m.tenant_id = $1 AND m.id = o.id AND m.sender = o.fence >> 32 AND (m.status = 'sending'"
    " OR (o.verdict = 'sent' AND m.status IN ('uncertain', 'queued')))"
    " AND (m.id IN (SELECT message_id FROM gone) OR m.id IN (SELECT message_id FROM kept)) RETURNING m.id"
};

/*
 * The provider's id is kept whatever became of the claim: it ties later events to the message. When the
 * provider's own event overtook our record, the message has moved on already and only the id is news.
 */
static const struct db_stmt message_ref_stmt = {
    "message_ref",
    "WITH o AS (SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[])"
    " AS o (id, channel_id, provider_id, fence) WHERE o.provider_id IS NOT NULL),"
    " named AS (UPDATE message m SET provider_id = o.provider_id FROM o WHERE m.tenant_id = $1 AND m.id = o.id"
    " AND m.sender = o.fence >> 32 AND m.provider_id IS NULL)"
    " INSERT INTO provider_ref (tenant_id, channel_id, provider_id, message_id, sender)"
    " SELECT $1, channel_id, provider_id, id, fence >> 32 FROM o ON CONFLICT DO NOTHING"
};

static const struct {
    const char *word;
    enum message_status status;
} verdicts[] = {
    [MESSAGE_VERDICT_SENT] = { "sent", MESSAGE_SENT },
    [MESSAGE_VERDICT_RETRY] = { "retry", MESSAGE_QUEUED },
    [MESSAGE_VERDICT_FAILED] = { "failed", MESSAGE_FAILED },
    [MESSAGE_VERDICT_UNCERTAIN] = { "uncertain", MESSAGE_UNCERTAIN },
    [MESSAGE_VERDICT_RETURNED] = { "returned", MESSAGE_QUEUED },
};

struct outcome_columns {
    struct slice *verdicts, *providers, *codes, *titles, *classes;
    struct wall_time *dues;
};

static bool
outcome_columns_fill(struct outcome_columns *columns, const struct message_outcome *outcomes, size_t count,
                     struct arena *arena)
{
    struct slice **slices[] = { &columns->verdicts, &columns->providers, &columns->codes, &columns->titles,
                                &columns->classes };

    columns->dues = arena_array(arena, count, sizeof(*columns->dues));
    if (columns->dues == NULL)
        return false;
    for (size_t i = 0; i < COUNT_OF(slices); i++)
        if ((*slices[i] = arena_array(arena, count, sizeof(struct slice))) == NULL)
            return false;
    for (size_t i = 0; i < count; i++) {
        bool is_sent = outcomes[i].verdict == MESSAGE_VERDICT_SENT;
        columns->verdicts[i] = slice_text(verdicts[outcomes[i].verdict].word);
        columns->providers[i] = is_sent ? outcomes[i].provider_id : SLICE_EMPTY;
        columns->codes[i] = is_sent ? SLICE_EMPTY : outcomes[i].error_code;
        columns->titles[i] = is_sent ? SLICE_EMPTY : outcomes[i].error_title;
        columns->classes[i] = is_sent ? SLICE_EMPTY : slice_text(outcomes[i].error_class);
        columns->dues[i] = outcomes[i].due_at;
    }
    return true;
}

/* What failed and has a further sender did not fail: that it fell back is told instead. */
static enum err
steps_fall_back(struct db_tx *tx, const struct clock *clock, struct message_step *steps, size_t *count,
                struct arena *arena)
{
    struct id *failed = arena_array(arena, *count, sizeof(*failed));
    bool *moved = arena_array(arena, *count, sizeof(*moved));
    size_t failed_count = 0, kept = 0, at = 0;

    if (failed == NULL || moved == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < *count; i++)
        if (steps[i].status == MESSAGE_FAILED)
            failed[failed_count++] = steps[i].message;
    enum err err = message_fall_back(tx, clock,
                                     &(struct message_leave){ .messages = failed,
                                                              .count = failed_count,
                                                              .why = MESSAGE_LEFT_FAILED,
                                                              .actor = MESSAGE_BY_DISPATCHER },
                                     arena, moved);
    for (size_t i = 0; err == ERR_OK && i < *count; i++)
        if (steps[i].status != MESSAGE_FAILED || !moved[at++])
            steps[kept++] = steps[i];
    if (err == ERR_OK)
        *count = kept;
    return err;
}

enum err
message_record_outcomes(struct db_tx *tx, const struct clock *clock, const struct message_outcome *outcomes,
                        size_t count, struct arena *arena)
{
    struct claim_columns claims;
    struct outcome_columns columns;
    struct message_step *steps = arena_array(arena, count, sizeof(*steps));
    struct db_rows *rows = NULL;
    size_t step_count = 0;

    if (steps == NULL || !claim_columns_fill(&claims, &outcomes->claim, sizeof(*outcomes), count, arena) ||
        !outcome_columns_fill(&columns, outcomes, count, arena))
        return ERR_NO_MEMORY;
    enum err err =
        db_query(tx, &message_settle_stmt,
                 DB_ARGS(DB_ID_ARRAY(claims.ids, count), DB_I64_ARRAY(claims.fences, count),
                         DB_TEXT_ARRAY(columns.verdicts, count), DB_TIME_ARRAY(columns.dues, count),
                         DB_TEXT_ARRAY(columns.providers, count), DB_TEXT_ARRAY(columns.codes, count),
                         DB_TEXT_ARRAY(columns.titles, count), DB_TEXT_ARRAY(columns.classes, count)),
                 &rows);
    for (size_t r = 0; err == ERR_OK && r < db_rows_count(rows); r++) {
        struct id id = db_id(rows, r, 0);
        for (size_t i = 0; i < count; i++)
            if (id_eq(outcomes[i].claim.message, id)) {
                enum message_verdict verdict = outcomes[i].verdict;
                steps[step_count++] = (struct message_step){
                    .message = id,
                    .status = verdicts[verdict].status,
                    .at = outcomes[i].at,
                    .cause = verdict == MESSAGE_VERDICT_RETURNED ? "not-sent" : NULL,
                };
                break;
            }
    }
    db_rows_free(rows);
    if (err == ERR_OK)
        err = db_exec(tx, &message_ref_stmt,
                      DB_ARGS(DB_ID_ARRAY(claims.ids, count), DB_ID_ARRAY(claims.channels, count),
                              DB_TEXT_ARRAY(columns.providers, count), DB_I64_ARRAY(claims.fences, count)),
                      NULL);
    if (err == ERR_OK)
        err = steps_fall_back(tx, clock, steps, &step_count, arena);
    if (err == ERR_OK)
        err = message_tell(tx, clock, steps, step_count, arena);
    return err;
}

static const struct db_stmt message_lane_hold_stmt = {
    "message_lane_hold", "UPDATE dispatch_lane SET not_before = greatest(not_before, $3) WHERE tenant_id = "
                         "$1 AND channel_id = $2"
};

enum err
message_lane_hold(struct db_tx *tx, struct id channel, struct wall_time until)
{
    return db_exec_one(tx, &message_lane_hold_stmt, DB_ARGS(DB_ID(channel), DB_TIME(until)));
}
