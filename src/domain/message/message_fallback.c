#include "domain/message/message_fallback.h"
#include "domain/message/message_queue.h"
#include "domain/tenant/sealed_column.h"
#include "wire/json/json.h"

/* How a message stands when its sender is left so, and what that is called. */
static const struct leaving_row {
    const char *word;
    const char *statuses[4];
    bool is_doubtful; /* it may have been delivered after all */
} leavings[] = {
    [MESSAGE_LEFT_FAILED] = { "failed", { "failed" }, false },
    [MESSAGE_LEFT_EXPIRED] = { "expired", { "expired" }, false },
    [MESSAGE_LEFT_NOT_DELIVERED] = { "not-delivered", { "accepted", "queued", "sent", "uncertain" }, false },
    [MESSAGE_LEFT_OUTCOME_UNKNOWN] = { "outcome-unknown", { "failed", "uncertain" }, true },
    [MESSAGE_LEFT_CHANNEL_BROKEN] = { "channel-broken", { "accepted", "queued" }, false },
    [MESSAGE_LEFT_CHANNEL_DELETED] = { "channel-deleted", { "failed" }, false },
};

/*
 * One statement: what is left keeps what is known of it, the senders between are skipped (one that the policy
 * gate stopped for good stays so, and never has its turn), the message becomes
 * the next one's, and its place in the queue as well. The row that is in the queue already is another
 * sender's from then on: its fence jumps, so that whoever holds it finds nothing of his any more.
 */
static const struct db_stmt message_fall_back_stmt = {
    "message_fall_back",
    "WITH left_one AS (SELECT l.* FROM (SELECT DISTINCT id FROM unnest($2::uuid[]) AS g (id) ORDER BY id) g"
    " CROSS JOIN LATERAL (SELECT id, sender, fallbacks, status, known, provider_id, channel_id, category, expires_at,"
    " error_code, error_title, error_class FROM message WHERE tenant_id = $1 AND id = g.id"
    " AND sender < fallbacks AND status = ANY ($3::text[]) AND (expires_at IS NULL OR expires_at > now())"
    " FOR UPDATE) l),"
    " next AS (SELECT DISTINCT ON (l.id) l.*, f.position, f.channel_id AS next_channel_id FROM left_one l"
    " JOIN message_fallback f ON f.tenant_id = $1 AND f.message_id = l.id AND f.position > l.sender"
    " AND f.left_for IS NULL"
    " JOIN channel c ON c.tenant_id = $1 AND c.id = f.channel_id AND c.state = 'active' ORDER BY l.id, f.position),"
    " kept AS (UPDATE message_fallback f SET left_for = CASE f.position WHEN n.sender THEN $4 ELSE 'skipped' END,"
    " left_at = now(), due_at = NULL, known = CASE f.position WHEN n.sender THEN n.known ELSE 0 END,"
    " provider_id = CASE f.position WHEN n.sender THEN n.provider_id END,"
    " error_code = CASE f.position WHEN n.sender THEN n.error_code END,"
    " error_title = CASE f.position WHEN n.sender THEN n.error_title END,"
    " error_class = CASE f.position WHEN n.sender THEN n.error_class END FROM next n"
    " WHERE f.tenant_id = $1 AND f.message_id = n.id AND f.position >= n.sender AND f.position < n.position"
    " AND f.left_for IS NULL),"
    " timed AS (UPDATE message_fallback f SET due_at = CASE f.position WHEN n.position THEN NULL"
    " ELSE now() + make_interval(secs => f.after_s) END FROM next n"
    " WHERE f.tenant_id = $1 AND f.message_id = n.id AND f.position IN (n.position, n.position + 1)),"
    " moved AS (UPDATE message m SET status = 'queued', sender = n.position, channel_id = n.next_channel_id, known = 0,"
    " provider_id = NULL, pricing = NULL, error_code = NULL, error_title = NULL, error_class = NULL, updated_at = now()"
    " FROM next n WHERE m.tenant_id = $1 AND m.id = n.id),"
    " queued AS (INSERT INTO dispatch_queue AS q (tenant_id, message_id, channel_id, priority, due_at, fence,"
    " expires_at, is_doubtful, has_fallback) SELECT $1, id, next_channel_id,"
    " array_position(ARRAY['otp', 'transactional', 'service', 'promotional'], category) - 1, now(),"
    " position::bigint << 32, expires_at, $5 OR status IN ('sent', 'uncertain'), position < fallbacks FROM next"
    " ON CONFLICT (tenant_id, message_id) DO UPDATE SET channel_id = excluded.channel_id, state = 'ready',"
    " due_at = excluded.due_at, attempt = 0, fence = excluded.fence, lease_owner = NULL, lease_until = NULL,"
    " is_doubtful = q.is_doubtful OR excluded.is_doubtful, has_fallback = excluded.has_fallback),"
    " woken AS (SELECT pg_notify('harkara_dispatch', '') FROM next LIMIT 1)"
    " SELECT n.id, n.sender, n.position, n.channel_id, n.provider_id, n.error_code, n.error_title, n.error_class"
    " FROM next n LEFT JOIN woken ON true LIMIT 5000"
};

static void
add_text_member(struct buf *out, const char *name, struct slice text)
{
    buf_add_format(out, ", \"%s\": ", name);
    if (text.ptr == NULL)
        buf_add_text(out, "null");
    else
        json_add_string(out, text);
}

static struct slice
text_or_null(const struct db_rows *rows, size_t row, int column)
{
    return db_is_null(rows, row, column) ? SLICE_EMPTY : db_text(rows, row, column);
}

/* {"fallback": {"from": 0, "to": 1, "from_channel_id": "chn_...", "provider_id": ..., "error": {...}}} */
static enum err
fell_back_details(const struct db_rows *rows, size_t row, struct arena *arena, struct slice *out)
{
    char channel[ID_TEXT_BYTES];
    struct buf text;

    buf_init(&text, 4096);
    buf_add_format(&text, "{\"fallback\": {\"from\": %d, \"to\": %d, \"from_channel_id\": \"%.*s\"",
                   (int)db_i64(rows, row, 1), (int)db_i64(rows, row, 2),
                   SLICE_FMT(id_print(ID_CHANNEL, db_id(rows, row, 3), channel)));
    add_text_member(&text, "provider_id", text_or_null(rows, row, 4));
    if (db_is_null(rows, row, 5)) {
        buf_add_text(&text, ", \"error\": null}}");
    } else {
        buf_add_text(&text, ", \"error\": {\"code\": ");
        json_add_string(&text, db_text(rows, row, 5));
        add_text_member(&text, "title", text_or_null(rows, row, 6));
        add_text_member(&text, "class", text_or_null(rows, row, 7));
        buf_add_text(&text, "}}}");
    }
    enum err err = buf_done(&text);
    *out = err == ERR_OK ? arena_copy(arena, buf_slice(&text)) : SLICE_EMPTY;
    buf_release(&text);
    return err == ERR_OK && out->ptr == NULL ? ERR_NO_MEMORY : err;
}

enum err
message_fall_back(struct db_tx *tx, const struct clock *clock, const struct message_leave *leave,
                  struct arena *arena, bool *moved_out)
{
    const struct leaving_row *leaving = &leavings[leave->why];
    struct message_step *steps = arena_array(arena, leave->count, sizeof(*steps));
    struct slice statuses[COUNT_OF(leaving->statuses)];
    struct db_rows *rows = NULL;
    size_t status_count = 0;

    if (leave->count == 0)
        return ERR_OK;
    if (steps == NULL)
        return ERR_NO_MEMORY;
    memset(moved_out, 0, leave->count * sizeof(*moved_out));
    for (; status_count < COUNT_OF(statuses) && leaving->statuses[status_count] != NULL; status_count++)
        statuses[status_count] = slice_text(leaving->statuses[status_count]);
    enum err err =
        db_query(tx, &message_fall_back_stmt,
                 DB_ARGS(DB_ID_ARRAY(leave->messages, leave->count), DB_TEXT_ARRAY(statuses, status_count),
                         DB_TEXT_Z(leaving->word), DB_BOOL(leaving->is_doubtful)),
                 &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        steps[i] = (struct message_step){ .message = db_id(rows, i, 0),
                                          .status = MESSAGE_QUEUED,
                                          .at = clock_wall(clock),
                                          .actor = leave->actor,
                                          .by = leave->by,
                                          .cause = leaving->word,
                                          .fell_back = true };
        err = fell_back_details(rows, i, arena, &steps[i].details);
        for (size_t m = 0; m < leave->count; m++)
            moved_out[m] = moved_out[m] || id_eq(leave->messages[m], steps[i].message);
    }
    db_rows_free(rows);
    return err == ERR_OK ? message_tell(tx, clock, steps, count, arena) : err;
}

/* What is being sent at this moment is looked at again; for the rest the time is over, whatever came of it.
 */
static const struct db_stmt fallback_timer_end_stmt = {
    "fallback_timer_end",
    "UPDATE message_fallback f SET due_at = CASE WHEN m.status IN ('sending', 'held') THEN now() + interval '5 s' END"
    " FROM message m WHERE f.tenant_id = $1 AND f.message_id = ANY ($2::uuid[]) AND f.due_at <= now()"
    " AND m.tenant_id = $1 AND m.id = f.message_id"
};

static enum err
waiting_fall_back(struct db_tx *tx, const struct clock *clock, const struct message_leave *leave,
                  struct arena *arena)
{
    bool *moved = arena_array(arena, leave->count, sizeof(*moved));

    if (moved == NULL)
        return ERR_NO_MEMORY;
    enum err err = message_queue_hold(tx, leave->messages, leave->count);
    return err == ERR_OK ? message_fall_back(tx, clock, leave, arena, moved) : err;
}

enum err
message_fall_back_late(struct db_tx *tx, const struct clock *clock, const struct id *messages, size_t count,
                       struct arena *arena)
{
    const struct message_leave leave = { messages, count, MESSAGE_LEFT_NOT_DELIVERED, MESSAGE_BY_SCHEDULE };
    enum err err = waiting_fall_back(tx, clock, &leave, arena);

    return err == ERR_OK ? db_exec(tx, &fallback_timer_end_stmt, DB_ARGS(DB_ID_ARRAY(messages, count)), NULL)
                         : err;
}

/* A row that has no sender left to go to waits for its channel like any other. */
static const struct db_stmt fallback_none_left_stmt = {
    "fallback_none_left",
    "UPDATE dispatch_queue q SET has_fallback = false FROM dispatch_lane l WHERE q.tenant_id = $1"
    " AND q.message_id = ANY ($2::uuid[]) AND q.has_fallback AND l.tenant_id = $1 AND l.channel_id = q.channel_id"
    " AND l.is_broken"
};

enum err
message_fall_back_broken(struct db_tx *tx, const struct clock *clock, const struct id *messages, size_t count,
                         struct arena *arena)
{
    const struct message_leave leave = { messages, count, MESSAGE_LEFT_CHANNEL_BROKEN, MESSAGE_BY_SCHEDULE };
    enum err err = waiting_fall_back(tx, clock, &leave, arena);

    return err == ERR_OK ? db_exec(tx, &fallback_none_left_stmt, DB_ARGS(DB_ID_ARRAY(messages, count)), NULL)
                         : err;
}

static const struct db_stmt message_senders_stmt = {
    "message_senders",
    "SELECT position, channel_id, kind, coalesce(after_s, 0), left_for, left_at, provider_id, error_code, error_title,"
    " error_class, key_version, content_ct, content_iv, content_tag, policy FROM message_fallback"
    " WHERE tenant_id = $1 AND message_id = $2 ORDER BY position LIMIT 4"
};

static enum err
sender_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct message_sender *out)
{
    struct slice *const texts[] = { &out->left_for,    NULL,
                                    &out->provider_id, &out->error_code,
                                    &out->error_title, &out->error_class };

    *out = (struct message_sender){ .position = (unsigned)db_i64(rows, row, 0),
                                    .channel = db_id(rows, row, 1),
                                    .kind = arena_copy(arena, db_text(rows, row, 2)),
                                    .after_s = db_i64(rows, row, 3),
                                    .has_content = !db_is_null(rows, row, 10) };
    if (out->kind.ptr == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < (int)COUNT_OF(texts); i++) {
        if (texts[i] == NULL || db_is_null(rows, row, 4 + i))
            continue;
        *texts[i] = arena_copy(arena, db_text(rows, row, 4 + i));
        if (texts[i]->ptr == NULL)
            return ERR_NO_MEMORY;
    }
    if (!db_is_null(rows, row, 5))
        out->left_at = db_time(rows, row, 5);
    if (!db_is_null(rows, row, 14)) {
        out->policy = arena_copy(arena, db_bytes(rows, row, 14));
        if (out->policy.ptr == NULL)
            return ERR_NO_MEMORY;
    }
    return out->has_content
               ? sealed_column_read(rows, row, 11, (uint32_t)db_i64(rows, row, 10), arena, &out->content)
               : ERR_OK;
}

enum err
message_senders(struct db_tx *tx, struct id message, struct arena *arena, struct message_sender *out,
                size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &message_senders_stmt, DB_ARGS(DB_ID(message)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = sender_from_row(rows, i, arena, &out[i]);
    db_rows_free(rows);
    *count_out = count;
    return err;
}
