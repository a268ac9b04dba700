#include "domain/message/message_queue.h"
#include "domain/message/message_fallback.h"
#include "domain/message/message_sending_internal.h"
#include "domain/tenant/sealed_column.h"
#include <stdio.h>
#include <stdlib.h>

unsigned
message_claim_sender(const struct message_claim *claim)
{
    return (unsigned)(claim->fence >> 32);
}

/*
 * One walk through the lane's index for each wanted, from where the caller says on: entries of rows that are
 * gone stay in an index until it is vacuumed. What will be due next is the first row behind those that are
 * due. What has expired is left to message_keep_times.
 */
static const struct db_stmt message_look_stmt = {
    "message_look",
    "SELECT c.n, d.tenant_id, d.message_id, c.channel_id, d.fence, d.attempt, c.priority,"
    " coalesce(d.expires_at, 'infinity'), (extract(epoch FROM d.due_at - now()) * 1000000)::bigint, d.due_at"
    " FROM unnest($1::uuid[], $2::bigint[]::smallint[], $3::bigint[], $6::timestamptz[]) AS c (channel_id, priority, n, since)"
    " CROSS JOIN LATERAL"
    " ((SELECT q.tenant_id, q.message_id, q.fence, q.attempt, q.expires_at, q.due_at FROM dispatch_queue q"
    " WHERE q.channel_id = c.channel_id AND q.state = 'ready' AND q.priority = c.priority AND q.due_at >= c.since"
    " AND q.due_at <= now() AND (q.expires_at IS NULL OR q.expires_at > now()) ORDER BY q.due_at LIMIT $4)"
    " UNION ALL (SELECT q.tenant_id, q.message_id, q.fence, q.attempt, q.expires_at, q.due_at FROM dispatch_queue q"
    " WHERE q.channel_id = c.channel_id AND q.state = 'ready' AND q.priority = c.priority AND q.due_at > now()"
    " ORDER BY q.due_at LIMIT 1)) d ORDER BY c.n, d.due_at LIMIT $5"
};

enum err
message_look(struct db *db, const struct message_wanted *wanted, size_t count, size_t per_wanted_max,
             struct arena *arena, struct message_found **out, size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    struct message_found *found = NULL;
    struct id *channels = arena_array(arena, count, sizeof(*channels));
    int64_t *numbers = arena_array(arena, count, sizeof(*numbers));
    int64_t *priorities = arena_array(arena, count, sizeof(*priorities));
    struct wall_time *sinces = arena_array(arena, count, sizeof(*sinces));
    size_t found_count = 0;

    if (channels == NULL || numbers == NULL || priorities == NULL || sinces == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        channels[i] = wanted[i].channel;
        numbers[i] = (int64_t)i;
        priorities[i] = wanted[i].category;
        sinces[i] = wanted[i].since;
    }
    enum err err = db_begin_across(db, "dispatch.claim", &tx);
    if (err == ERR_OK)
        err = db_query(&tx, &message_look_stmt,
                       DB_ARGS(DB_ID_ARRAY(channels, count), DB_I64_ARRAY(priorities, count),
                               DB_I64_ARRAY(numbers, count), DB_I64((int64_t)per_wanted_max),
                               DB_I64(MESSAGE_LOOK_MAX), DB_TIME_ARRAY(sinces, count)),
                       &rows);
    if (err != ERR_OK)
        goto done;
    found_count = db_rows_count(rows);
    found = arena_array(arena, found_count, sizeof(*found));
    if (found == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < found_count; i++)
        found[i] = (struct message_found){
            .wanted = (size_t)db_i64(rows, i, 0),
            .claim = { .tenant = db_id(rows, i, 1),
                       .message = db_id(rows, i, 2),
                       .channel = db_id(rows, i, 3),
                       .fence = db_i64(rows, i, 4) + 1,
                       .attempt = (int)db_i64(rows, i, 5) + 1,
                       .category = (enum message_category)db_i64(rows, i, 6),
                       .expires_at = db_time(rows, i, 7) },
            .due_in_us = db_i64(rows, i, 8),
            .due_at = db_time(rows, i, 9),
        };
done:
    db_rows_free(rows);
    db_rollback(&tx);
    *out = found;
    *count_out = found_count;
    return err;
}

/*
 * What an event of the dispatcher says of message `m`, as message_tell would; with the status, and without an
 * error. What most messages say the same at their first attempt is not stored with each (event_data).
 */
#define IS_USUAL "m.attempt_count = 1 AND m.reference IS NULL AND m.tags = '{}' AND m.pricing IS NULL"
#define EVENT_DATA(status)                                                                                                  \
    "jsonb_build_object('actor', 'dispatcher', 'direction', 'outbound', 'category', m.category, 'status', '" status         \
    "', 'reference', m.reference, 'tags', m.tags, 'provider_id', m.provider_id, 'attempt', m.attempt_count, 'error', NULL)" \
    " || CASE WHEN m.pricing IS NULL THEN '{}' ELSE jsonb_build_object('pricing', m.pricing) END"
/* Its place among the ids of $2, which are sorted: found by halves. */
#define PLACE "width_bucket(q.message_id, $2::uuid[])"

/*
 * A message that its provider has reported on meanwhile is not sent again. What few need is read for those
 * alone (further_read): each table that a statement names costs it something however few rows there are.
 *
 * The rows are named by an array and what belongs to each is found by its place there, and the lane's index
 * is kept out of it (state || ''): on a table that has just filled the planner would join them the other way
 * round, each row of the queue with each of the array's. The window is window_is_over's, which as a function
 * would be a query of its own for each row; as EXISTS, all windows of the workspace might be read.
 */
static const struct db_stmt message_begin_sending_stmt = {
    "message_begin_sending",
    "WITH mine AS (UPDATE dispatch_queue q SET state = 'sending', fence = q.fence + 1, attempt = q.attempt + 1,"
    " lease_owner = $5, lease_until = now() + make_interval(secs => $6 / 1000.0)"
    " WHERE q.tenant_id = $1 AND q.message_id = ANY ($2::uuid[]) AND q.state || '' = 'ready' AND q.due_at <= now()"
    " AND q.fence + 1 = ($3::bigint[])[" PLACE "]"
    " AND (q.expires_at IS NULL OR q.expires_at > now())"
    " AND (q.channel_id = ANY (ARRAY (SELECT l.channel_id FROM dispatch_lane l WHERE l.tenant_id = $1"
    " AND l.dispatcher = $5 AND l.is_open AND l.not_before <= now()))) IS TRUE"
    " RETURNING q.message_id, q.fence >> 32 AS sender, " PLACE " AS n),"
    " marked AS (UPDATE message m SET status = 'sending', attempt_count = attempt_count + 1, error_code = NULL,"
    " error_title = NULL, error_class = NULL, updated_at = now() FROM mine"
    " WHERE m.tenant_id = $1 AND m.id = mine.message_id AND m.sender = mine.sender"
    " AND m.status IN ('accepted', 'queued', 'held', 'sending', 'uncertain')"
    " RETURNING m.id, mine.n, m.kind, m.key_version, m.peer_ct, m.peer_iv, m.peer_tag, m.content_ct, m.content_iv,"
    " m.content_tag, m.target_id, m.channel_id, m.peer_index, m.category, m.reference, m.tags, m.provider_id,"
    " m.attempt_count, m.pricing, m.tenant_id, m.dlt_template_id, coalesce(m.purpose, m.category) AS purpose),"
    " told AS (INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
    " SELECT $1, ($4::uuid[])[m.n], 'message.sending', m.id, m.channel_id, $7, CASE WHEN " IS_USUAL
    " AND m.provider_id IS NULL THEN CASE m.category WHEN 'otp' THEN '{\"category\": \"otp\"}'::jsonb"
    " WHEN 'transactional' THEN '{\"category\": \"transactional\"}' WHEN 'service' THEN '{\"category\": \"service\"}'"
    " ELSE '{\"category\": \"promotional\"}' END ELSE " EVENT_DATA(
        "sending") " END FROM marked m)"
                   " SELECT m.n, m.kind, m.key_version, m.peer_ct, m.peer_iv, m.peer_tag, m.content_ct, m.content_iv,"
                   " m.content_tag, m.target_id IS NOT NULL, m.peer_index,"
                   " coalesce((SELECT window_is_past(w.window_until, w.free_until) FROM channel_window w WHERE w.tenant_id = $1"
                   " AND w.channel_id = m.channel_id AND w.peer_index = m.peer_index)"
                   " AND (SELECT c.window_check = 'enforce' FROM whatsapp_channel c WHERE c.tenant_id = $1"
                   " AND c.channel_id = m.channel_id), false), m.channel_kind, " POLICY_PERSON_FACTS(
                       "m") ","
                            " (SELECT " POLICY_SETTINGS_TEXT
                            " FROM policy_settings s WHERE s.tenant_id = $1),"
                            " (SELECT t.state FROM tenant t WHERE t.tenant_id = $1), m.dlt_template_id"
                            " FROM (SELECT m.*, c.kind AS channel_kind FROM marked m JOIN channel c ON c.tenant_id = $1"
                            " AND c.id = m.channel_id OFFSET 0) m LIMIT 10000"
};
/* A sender with a content of its own sends that. What is answered or reacted to is known on its own channel
 * only. */
static const struct db_stmt message_further_stmt = {
    "message_further",
    "SELECT c.n, f.kind, f.key_version, f.content_ct, f.content_iv, f.content_tag,"
    " (SELECT t.provider_id FROM message t WHERE t.tenant_id = $1 AND t.id = m.target_id AND t.channel_id = m.channel_id),"
    " f.dlt_template_id FROM unnest($2::uuid[], $3::bigint[]) WITH ORDINALITY AS c (id, sender, n)"
    " JOIN message m ON m.tenant_id = $1 AND m.id = c.id LEFT JOIN LATERAL (SELECT f.kind, f.key_version, f.content_ct,"
    " f.content_iv, f.content_tag, f.dlt_template_id FROM message_fallback f WHERE c.sender > 0 AND f.tenant_id = $1"
    " AND f.message_id = c.id AND f.position = c.sender OFFSET 0) f ON true LIMIT 10000"
};
/* Each by its key, whatever the planner thinks of a table that is empty in one minute and long in the next:
 * to have the order for nothing it would read all that the workspace has queued. */
static const struct db_stmt message_queue_hold_stmt = {
    "message_queue_hold",
    "SELECT count(*) FROM (SELECT id FROM unnest($2::uuid[]) AS given (id) ORDER BY id) AS m CROSS JOIN LATERAL"
    " (SELECT FROM dispatch_queue WHERE tenant_id = $1 AND message_id = m.id FOR UPDATE) q"
};

enum err
message_queue_hold(struct db_tx *tx, const struct id *messages, size_t count)
{
    return db_later(tx, &message_queue_hold_stmt, DB_ARGS(DB_ID_ARRAY(messages, count)), NULL);
}

/* What is queued and is not to be sent leaves the queue: its message has moved on by itself. */
static const struct db_stmt message_unqueue_moved_stmt = {
    "message_unqueue_moved",
    "DELETE FROM dispatch_queue q USING unnest($2::uuid[], $3::bigint[]) AS c (id, fence), message m"
    " WHERE q.tenant_id = $1 AND q.message_id = c.id AND q.fence = c.fence AND q.state = 'sending'"
    " AND m.tenant_id = $1 AND m.id = c.id AND m.status <> 'sending'"
};

/* Of messages that a statement is given sorted: which of the caller's it is. */
struct place {
    struct id message;
    int64_t fence;
    size_t at;
};

static int
place_order(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    int order = memcmp(left->message.bytes, right->message.bytes, ID_BYTES);

    return order != 0 ? order : (left->fence > right->fence) - (left->fence < right->fence);
}

/* A job, and what else is needed for it. */
struct begun {
    struct message_job *job;
    bool has_target;
};

static enum err
job_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct begun *begun)
{
    struct message_job *job = begun->job;
    uint32_t key_version = (uint32_t)db_i64(rows, row, 2);

    job->is_mine = true;
    job->kind = arena_copy(arena, db_text(rows, row, 1));
    begun->has_target = db_bool(rows, row, 9);
    struct slice peer_index = db_bytes(rows, row, 10);
    if (peer_index.len != sizeof(job->sealed.peer_index))
        return ERR_DB_DATA;
    memcpy(job->sealed.peer_index, peer_index.ptr, peer_index.len);
    job->is_window_over = db_bool(rows, row, 11);
    if (!db_is_null(rows, row, 16) && message_claim_sender(&job->claim) == 0)
        job->dlt_template = db_id(rows, row, 16);
    enum err err = sealed_column_read(rows, row, 3, key_version, arena, &job->sealed.peer);
    return err == ERR_OK ? sealed_column_read(rows, row, 6, key_version, arena, &job->sealed.content) : err;
}

/* What the gate is asked about of those that were marked: all of one workspace. */
static enum err
begun_judge(struct db_tx *tx, const struct db_rows *rows, struct begun *begun, size_t count,
            struct wall_time now, struct arena *arena)
{
    struct message_job **jobs = arena_array(arena, count, sizeof(struct message_job *));
    const struct policy_settings *settings = NULL;

    if (count == 0)
        return ERR_OK;
    if (jobs == NULL)
        return ERR_NO_MEMORY;
    enum err err =
        sending_settings_read(db_is_null(rows, 0, 14) ? SLICE_EMPTY : db_text(rows, 0, 14), arena, &settings);
    for (size_t row = 0; err == ERR_OK && row < count; row++) {
        jobs[row] = begun[row].job;
        err = sending_facts_read(&(struct sending_known){ .channel_kind = db_text(rows, row, 12),
                                                          .workspace = db_text(rows, row, 15),
                                                          .person = db_i64(rows, row, 13),
                                                          .settings = settings,
                                                          .now = now },
                                 jobs[row]);
    }
    return err == ERR_OK ? sending_judge(tx, jobs, count, arena) : err;
}

static enum err
further_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct message_job *job)
{
    if (!db_is_null(rows, row, 6))
        job->target_provider_id = arena_copy(arena, db_text(rows, row, 6));
    if (!db_is_null(rows, row, 7))
        job->dlt_template = db_id(rows, row, 7);
    if (!db_is_null(rows, row, 1))
        job->kind = arena_copy(arena, db_text(rows, row, 1));
    if (db_is_null(rows, row, 2))
        return ERR_OK;
    job->sealed.content_of = message_claim_sender(&job->claim);
    return sealed_column_read(rows, row, 3, (uint32_t)db_i64(rows, row, 2), arena, &job->sealed.content);
}

/* Of those that are with a further sender, or answer or react to another message. */
static enum err
further_read(struct db_tx *tx, const struct begun *begun, size_t count, struct arena *arena)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    int64_t *senders = arena_array(arena, count, sizeof(*senders));
    struct message_job **jobs = arena_array(arena, count, sizeof(struct message_job *));
    struct db_rows *rows = NULL;
    size_t few = 0;

    if (ids == NULL || senders == NULL || jobs == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct message_claim *claim = &begun[i].job->claim;
        if (!begun[i].has_target && message_claim_sender(claim) == 0)
            continue;
        ids[few] = claim->message;
        senders[few] = message_claim_sender(claim);
        jobs[few++] = begun[i].job;
    }
    if (few == 0)
        return ERR_OK;
    enum err err = db_query(tx, &message_further_stmt,
                            DB_ARGS(DB_ID_ARRAY(ids, few), DB_I64_ARRAY(senders, few)), &rows);
    for (size_t r = 0; err == ERR_OK && r < db_rows_count(rows); r++)
        err = further_from_row(rows, r, arena, jobs[db_i64(rows, r, 0) - 1]);
    db_rows_free(rows);
    return err;
}

enum err
message_begin_sending(struct db_tx *tx, const struct clock *clock, struct id dispatcher, int64_t lease_ms,
                      const struct message_claim *claims, size_t count, struct arena *arena,
                      struct message_job **out)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    struct id *events = arena_array(arena, count, sizeof(*events));
    struct id *again = arena_array(arena, count, sizeof(*again));
    int64_t *fences = arena_array(arena, count, sizeof(*fences));
    struct place *places = arena_array(arena, count, sizeof(*places));
    struct db_rows *rows = NULL;
    struct message_job *jobs = arena_array(arena, count, sizeof(*jobs));
    struct begun *begun = arena_array(arena, count, sizeof(*begun));
    struct wall_time now = clock_wall(clock);
    size_t mine = 0, again_count = 0;

    if (jobs == NULL || ids == NULL || events == NULL || again == NULL || fences == NULL || places == NULL ||
        begun == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (struct message_job){ .claim = claims[i] };
        places[i] = (struct place){ claims[i].message, claims[i].fence, i };
        if (claims[i].attempt > 1) /* only these may be reported on already */
            again[again_count++] = claims[i].message;
    }
    qsort(places, count, sizeof(*places), place_order);
    for (size_t i = 0; i < count; i++) {
        ids[i] = places[i].message;
        events[i] = id_new(clock);
        fences[i] = places[i].fence;
    }
    enum err err = again_count > 1 ? message_queue_hold(tx, again, again_count) : ERR_OK;
    if (err == ERR_OK)
        err = db_query(tx, &message_begin_sending_stmt,
                       DB_ARGS(DB_ID_ARRAY(ids, count), DB_I64_ARRAY(fences, count),
                               DB_ID_ARRAY(events, count), DB_ID(dispatcher), DB_I64(lease_ms), DB_TIME(now)),
                       &rows);
    for (size_t r = 0; err == ERR_OK && r < db_rows_count(rows); r++) {
        begun[mine].job = &jobs[places[db_i64(rows, r, 0) - 1].at];
        err = job_from_row(rows, r, arena, &begun[mine++]);
    }
    if (err == ERR_OK)
        err = further_read(tx, begun, mine, arena);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        jobs[i].is_window_over = jobs[i].is_window_over && !slice_eq(jobs[i].kind, SLICE("template"));
    if (err == ERR_OK)
        err = begun_judge(tx, rows, begun, mine, now, arena);
    if (err == ERR_OK && mine < count)
        err = db_exec(tx, &message_unqueue_moved_stmt,
                      DB_ARGS(DB_ID_ARRAY(ids, count), DB_I64_ARRAY(fences, count)), NULL);
    db_rows_free(rows);
    if (err == ERR_OK)
        *out = jobs;
    return err;
}

/*
 * What the provider took, which is what becomes of most: the row is gone, the message sent, and told. That it
 * was taken is true whoever holds the row, unless somebody is sending it again, or it is another sender's by
 * now. The provider's id is kept whatever became of the claim: it ties later events to the message.
 */
static const struct db_stmt message_sent_stmt = {
    "message_sent",
    "WITH gone AS (DELETE FROM dispatch_queue q WHERE q.tenant_id = $1 AND q.message_id = ANY ($2::uuid[])"
    " AND CASE q.state WHEN 'sending' THEN q.fence = ($3::bigint[])[" PLACE "]"
    " WHEN 'leased' THEN false WHEN 'held' THEN false"
    " ELSE q.fence >> 32 = ($3::bigint[])[" PLACE "] >> 32 END"
    " RETURNING q.message_id, " PLACE " AS n),"
    " refs AS (INSERT INTO provider_ref (tenant_id, channel_id, provider_id, message_id, sender)"
    " SELECT $1, o.channel_id, o.provider_id, o.id, o.fence >> 32 FROM unnest($2::uuid[], $3::bigint[], $4::text[],"
    " $5::uuid[]) AS o (id, fence, provider_id, channel_id) WHERE o.provider_id IS NOT NULL ON CONFLICT DO NOTHING),"
    " moved AS (UPDATE message m SET updated_at = now(), status = 'sent', known = m.known | 1," /* MESSAGE_FACT_SENT
                                                                                                 */
    " provider_id = coalesce(($4::text[])[g.n], m.provider_id), error_code = NULL, error_title = NULL,"
    " error_class = NULL, policy_sent = coalesce(($8::bytea[])[g.n], m.policy_sent) FROM gone g WHERE m.tenant_id = $1 AND m.id = g.message_id"
    " AND m.sender = ($3::bigint[])[g.n] >> 32 AND m.status IN ('sending', 'uncertain', 'queued')"
    " RETURNING m.id, g.n, m.channel_id, m.category, m.reference, m.tags, m.provider_id, m.attempt_count, m.pricing),"
    " told AS (INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
    " SELECT $1, ($6::uuid[])[m.n], 'message.sent', m.id, m.channel_id, ($7::timestamptz[])[m.n], CASE WHEN " IS_USUAL
    " THEN jsonb_build_object('category', m.category, 'provider_id', m.provider_id) ELSE " EVENT_DATA(
        "sent") " END"
                " FROM moved m) SELECT id FROM moved LIMIT 10000"
};
/* When the provider's own event overtook our record, the message has moved on already; the id is news, and
 * the receipt. */
static const struct db_stmt message_name_stmt = {
    "message_name",
    "UPDATE message m SET provider_id = coalesce(m.provider_id, o.provider_id),"
    " policy_sent = coalesce(m.policy_sent, o.policy)"
    " FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::bytea[]) AS o (id, provider_id, fence, policy)"
    " WHERE o.provider_id IS NOT NULL AND m.tenant_id = $1 AND m.id = o.id"
    " AND m.sender = o.fence >> 32 AND (m.provider_id IS NULL OR m.policy_sent IS NULL)"
};

/*
 * The other verdicts: the row's new state is chosen by the verdict, and only by the claim that holds it. Of
 * what is blocked an earlier attempt may have arrived: nobody says then that it did not. What is held gives
 * its next sender as much more time.
 */
static const struct db_stmt message_settle_stmt = {
    "message_settle",
    "WITH o AS (SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],"
    " $8::text[], $9::bytea[]) WITH ORDINALITY AS o (id, fence, verdict, due_at, error_code, error_title, error_class,"
    " policy, n)),"
    " gone AS (DELETE FROM dispatch_queue q USING o WHERE q.tenant_id = $1 AND q.message_id = o.id"
    " AND q.message_id = ANY ($2::uuid[]) AND q.fence = o.fence AND q.state = 'sending' AND o.verdict IN ('failed', 'blocked')"
    " RETURNING o.n, q.is_doubtful),"
    " kept AS (UPDATE dispatch_queue q SET state = CASE WHEN o.verdict IN ('uncertain', 'held') THEN o.verdict ELSE 'ready' END,"
    " due_at = coalesce((SELECT now() + make_interval(secs => uncertain_wait_s) FROM message_settings"
    " WHERE tenant_id = $1 AND o.verdict = 'uncertain'), o.due_at), lease_owner = NULL, lease_until = NULL,"
    " is_doubtful = q.is_doubtful OR o.verdict = 'uncertain',"
    " attempt = q.attempt - CASE WHEN o.verdict IN ('returned', 'held') THEN 1 ELSE 0 END"
    " FROM o WHERE o.verdict NOT IN ('failed', 'blocked') AND q.tenant_id = $1 AND q.message_id = o.id"
    " AND q.message_id = ANY ($2::uuid[]) AND q.fence = o.fence AND q.state = 'sending' RETURNING o.n),"
    " timed AS (UPDATE message_fallback f SET due_at = o.due_at + make_interval(secs => f.after_s) FROM o"
    " WHERE o.verdict = 'held' AND f.tenant_id = $1 AND f.message_id = o.id AND f.position = (o.fence >> 32) + 1"
    " AND f.due_at IS NOT NULL)"
    " UPDATE message m SET updated_at = now(), status = CASE o.verdict WHEN 'failed' THEN 'failed'"
    " WHEN 'uncertain' THEN 'uncertain' WHEN 'held' THEN 'held'"
    " WHEN 'blocked' THEN CASE WHEN t.is_doubtful THEN 'uncertain' ELSE 'blocked' END ELSE 'queued' END,"
    " send_at = CASE o.verdict WHEN 'held' THEN o.due_at ELSE m.send_at END,"
    " policy_sent = coalesce(o.policy, m.policy_sent), known = m.known | CASE o.verdict WHEN 'failed' THEN 8 ELSE 0 END," /* MESSAGE_FACT_... */
    " error_code = o.error_code, error_title = o.error_title, error_class = o.error_class,"
    " attempt_count = m.attempt_count - CASE WHEN o.verdict IN ('returned', 'held', 'blocked') THEN 1 ELSE 0 END"
    " FROM o JOIN (SELECT n, is_doubtful FROM gone UNION ALL SELECT n, false FROM kept) t ON t.n = o.n"
    " WHERE m.tenant_id = $1 AND m.id = o.id AND m.sender = o.fence >> 32 AND m.status = 'sending'"
    " RETURNING o.n, m.status"
};

static const char *const verdict_words[] = {
    [MESSAGE_VERDICT_SENT] = "sent",         [MESSAGE_VERDICT_RETRY] = "retry",
    [MESSAGE_VERDICT_FAILED] = "failed",     [MESSAGE_VERDICT_UNCERTAIN] = "uncertain",
    [MESSAGE_VERDICT_RETURNED] = "returned", [MESSAGE_VERDICT_HELD] = "held",
    [MESSAGE_VERDICT_BLOCKED] = "blocked",
};

/* Outcomes of one kind: all sent, or all not. */
struct outcomes {
    const struct message_outcome **of;
    size_t count;
    struct id *ids, *channels, *events;
    int64_t *fences;
    struct slice *verdicts, *providers, *codes, *titles, *classes, *policies;
    struct wall_time *dues, *times;
};

static bool
outcomes_alloc(struct outcomes *o, size_t max, struct arena *arena)
{
    struct id **ids[] = { &o->ids, &o->channels, &o->events };
    struct slice **slices[] = {
        &o->verdicts, &o->providers, &o->codes, &o->titles, &o->classes, &o->policies
    };

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if ((*ids[i] = arena_array(arena, max, sizeof(struct id))) == NULL)
            return false;
    for (size_t i = 0; i < COUNT_OF(slices); i++)
        if ((*slices[i] = arena_array(arena, max, sizeof(struct slice))) == NULL)
            return false;
    o->of = arena_array(arena, max, sizeof(const struct message_outcome *));
    o->fences = arena_array(arena, max, sizeof(*o->fences));
    o->dues = arena_array(arena, max, sizeof(*o->dues));
    o->times = arena_array(arena, max, sizeof(*o->times));
    return o->of != NULL && o->fences != NULL && o->dues != NULL && o->times != NULL;
}

static void
outcomes_add(struct outcomes *o, const struct message_outcome *outcome, const struct clock *clock)
{
    size_t i = o->count++;

    o->of[i] = outcome;
    o->ids[i] = outcome->claim.message;
    o->channels[i] = outcome->claim.channel;
    o->events[i] = id_new(clock);
    o->fences[i] = outcome->claim.fence;
    o->verdicts[i] = slice_text(verdict_words[outcome->verdict]);
    o->providers[i] = outcome->provider_id;
    o->codes[i] = outcome->error_code;
    o->titles[i] = outcome->error_title;
    o->classes[i] = slice_text(outcome->error_class);
    o->policies[i] = outcome->policy;
    o->dues[i] = outcome->due_at;
    o->times[i] = outcome->at;
}

static enum err
record_sent(struct db_tx *tx, const struct outcomes *o)
{
    struct db_rows *rows = NULL;
    size_t named = 0;

    if (o->count == 0)
        return ERR_OK;
    enum err err = db_query(tx, &message_sent_stmt,
                            DB_ARGS(DB_ID_ARRAY(o->ids, o->count), DB_I64_ARRAY(o->fences, o->count),
                                    DB_TEXT_ARRAY(o->providers, o->count), DB_ID_ARRAY(o->channels, o->count),
                                    DB_ID_ARRAY(o->events, o->count), DB_TIME_ARRAY(o->times, o->count),
                                    DB_BYTES_ARRAY(o->policies, o->count)),
                            &rows);
    for (size_t i = 0; i < o->count; i++)
        named += o->providers[i].ptr != NULL;
    if (err == ERR_OK && db_rows_count(rows) < named)
        err = db_exec(tx, &message_name_stmt,
                      DB_ARGS(DB_ID_ARRAY(o->ids, o->count), DB_TEXT_ARRAY(o->providers, o->count),
                              DB_I64_ARRAY(o->fences, o->count), DB_BYTES_ARRAY(o->policies, o->count)),
                      NULL);
    db_rows_free(rows);
    return err;
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
    if (failed_count == 0)
        return ERR_OK;
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

/* {"rule": "quiet-hours"}, as events of the acceptance have it. */
static enum err
step_of(const struct message_outcome *outcome, struct slice status, struct arena *arena,
        struct message_step *step)
{
    char text[64];

    *step = (struct message_step){ .message = outcome->claim.message, .at = outcome->at };
    enum err err = message_status_parse(status, &step->status);
    if (err != ERR_OK)
        return err;
    if (outcome->verdict == MESSAGE_VERDICT_RETURNED)
        step->cause = "not-sent";
    if (outcome->verdict != MESSAGE_VERDICT_BLOCKED && outcome->verdict != MESSAGE_VERDICT_HELD)
        return ERR_OK;
    if (step->status == MESSAGE_UNCERTAIN) {
        step->actor = MESSAGE_BY_POLICY;
        step->cause = "left-by-policy";
    }
    int len = snprintf(text, sizeof(text), "{\"rule\": \"%s\"}", policy_rule_word(outcome->rule));
    step->details = arena_copy(arena, slice_of(text, (size_t)len));
    return step->details.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* What was not sent is told by itself: with a cause, or that it fell back. */
static enum err
record_not_sent(struct db_tx *tx, const struct clock *clock, const struct outcomes *o, struct arena *arena)
{
    struct message_step *steps = arena_array(arena, o->count, sizeof(*steps));
    struct db_rows *rows = NULL;
    size_t step_count = 0;

    if (o->count == 0)
        return ERR_OK;
    if (steps == NULL)
        return ERR_NO_MEMORY;
    enum err err =
        db_query(tx, &message_settle_stmt,
                 DB_ARGS(DB_ID_ARRAY(o->ids, o->count), DB_I64_ARRAY(o->fences, o->count),
                         DB_TEXT_ARRAY(o->verdicts, o->count), DB_TIME_ARRAY(o->dues, o->count),
                         DB_TEXT_ARRAY(o->codes, o->count), DB_TEXT_ARRAY(o->titles, o->count),
                         DB_TEXT_ARRAY(o->classes, o->count), DB_BYTES_ARRAY(o->policies, o->count)),
                 &rows);
    for (size_t r = 0; err == ERR_OK && r < db_rows_count(rows); r++) {
        const struct message_outcome *outcome = o->of[db_i64(rows, r, 0) - 1];
        err = step_of(outcome, db_text(rows, r, 1), arena, &steps[step_count++]);
    }
    db_rows_free(rows);
    if (err == ERR_OK)
        err = steps_fall_back(tx, clock, steps, &step_count, arena);
    return err == ERR_OK ? message_tell(tx, clock, steps, step_count, arena) : err;
}

enum err
message_record_outcomes(struct db_tx *tx, const struct clock *clock, const struct message_outcome *outcomes,
                        size_t count, struct arena *arena)
{
    struct outcomes sent = { .count = 0 }, not_sent = { .count = 0 };

    struct place *places = arena_array(arena, count, sizeof(*places));

    if (places == NULL || !outcomes_alloc(&sent, count, arena) || !outcomes_alloc(&not_sent, count, arena))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        places[i] = (struct place){ outcomes[i].claim.message, outcomes[i].claim.fence, i };
    qsort(places, count, sizeof(*places), place_order);
    for (size_t i = 0; i < count; i++) {
        const struct message_outcome *outcome = &outcomes[places[i].at];
        outcomes_add(outcome->verdict == MESSAGE_VERDICT_SENT ? &sent : &not_sent, outcome, clock);
    }
    enum err err = record_sent(tx, &sent);
    return err == ERR_OK ? record_not_sent(tx, clock, &not_sent, arena) : err;
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
