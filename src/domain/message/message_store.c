/* Reading messages, and what providers report of them. */
#include "domain/message/message.h"
#include "domain/message/message_events.h"
#include "domain/tenant/sealed_column.h"
#include "wire/json/json.h"

#define MESSAGE_COLUMNS                                                                                      \
    "id, channel_id, direction, kind, category, status, reference, provider_id, error_code, error_title,"    \
    " attempt_count, updated_at, peer_index, key_version, peer_ct, peer_iv, peer_tag, content_ct, "          \
    "content_iv,"                                                                                            \
    " content_tag, error_class, target_id, pricing::text"

static enum err
optional_text(const struct db_rows *rows, size_t row, int column, struct arena *arena, struct slice *out)
{
    *out = SLICE_EMPTY;
    if (db_is_null(rows, row, column))
        return ERR_OK;
    *out = arena_copy(arena, db_text(rows, row, column));
    return out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static enum err
message_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct message *out)
{
    struct slice index = db_bytes(rows, row, 12);
    uint32_t key_version = (uint32_t)db_i64(rows, row, 13);

    *out = (struct message){ .id = db_id(rows, row, 0),
                             .channel = db_id(rows, row, 1),
                             .attempt_count = (int)db_i64(rows, row, 10),
                             .updated_at = db_time(rows, row, 11) };
    out->created_at = id_time(out->id);
    if (index.len != VAULT_INDEX_BYTES)
        return ERR_DB_DATA;
    memcpy(out->sealed.peer_index, index.ptr, index.len);
    enum err err = message_direction_parse(db_text(rows, row, 2), &out->direction);
    if (err == ERR_OK)
        err = message_category_parse(db_text(rows, row, 4), &out->category);
    if (err == ERR_OK)
        err = message_status_parse(db_text(rows, row, 5), &out->status);
    if (err == ERR_OK)
        err = optional_text(rows, row, 3, arena, &out->kind);
    if (err == ERR_OK)
        err = optional_text(rows, row, 6, arena, &out->reference);
    if (err == ERR_OK)
        err = optional_text(rows, row, 7, arena, &out->provider_id);
    if (err == ERR_OK)
        err = optional_text(rows, row, 8, arena, &out->error_code);
    if (err == ERR_OK)
        err = optional_text(rows, row, 9, arena, &out->error_title);
    if (err == ERR_OK)
        err = optional_text(rows, row, 20, arena, &out->error_class);
    if (err == ERR_OK)
        err = optional_text(rows, row, 22, arena, &out->pricing);
    if (err == ERR_OK && !db_is_null(rows, row, 21))
        out->target = db_id(rows, row, 21);
    if (err == ERR_OK)
        err = sealed_column_read(rows, row, 14, key_version, arena, &out->sealed.peer);
    if (err == ERR_OK)
        err = sealed_column_read(rows, row, 17, key_version, arena, &out->sealed.content);
    return err;
}

static const struct db_stmt message_get_stmt = { "message_get", "SELECT " MESSAGE_COLUMNS " FROM message"
                                                                " WHERE tenant_id = $1 AND id = $2" };

enum err
message_get(struct db_tx *tx, struct id message, struct arena *arena, struct message *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &message_get_stmt, DB_ARGS(DB_ID(message)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : message_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt message_list_stmt = {
    "message_list",
    "SELECT " MESSAGE_COLUMNS " FROM message WHERE tenant_id = $1"
    " AND ($2::uuid IS NULL OR id < $2) AND ($3::uuid IS NULL OR id >= $3) AND ($4::uuid IS NULL OR id < $4)"
    " AND ($5::text[] IS NULL OR status = ANY ($5)) AND ($6::text IS NULL OR direction = $6)"
    " AND ($7::text IS NULL OR category = $7) AND ($8::uuid IS NULL OR channel_id = $8)"
    " AND ($9::bytea IS NULL OR peer_index = $9) AND ($10::text IS NULL OR reference = $10)"
    " ORDER BY id DESC LIMIT $11"
};

enum err
message_list(struct db_tx *tx, const struct message_filter *filter, size_t limit, struct arena *arena,
             struct message **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct slice statuses[MESSAGE_STATUS_COUNT];

    for (size_t i = 0; i < filter->status_count; i++)
        statuses[i] = message_status_name(filter->statuses[i]);
    enum err err = db_query(
        tx, &message_list_stmt,
        DB_ARGS(id_is_zero(filter->cursor) ? DB_NULL : DB_ID(filter->cursor),
                filter->has_after ? DB_ID(id_at(filter->created_after)) : DB_NULL,
                filter->has_before ? DB_ID(id_at(filter->created_before)) : DB_NULL,
                filter->status_count > 0 ? DB_TEXT_ARRAY(statuses, filter->status_count) : DB_NULL,
                filter->has_direction ? DB_TEXT_Z(message_direction_word(filter->direction)) : DB_NULL,
                filter->has_category ? DB_TEXT_Z(message_category_word(filter->category)) : DB_NULL,
                id_is_zero(filter->channel) ? DB_NULL : DB_ID(filter->channel),
                filter->has_peer ? DB_BYTES(slice_of(filter->peer_index, VAULT_INDEX_BYTES)) : DB_NULL,
                DB_TEXT(filter->reference), DB_I64((int64_t)limit + 1)),
        &rows);

    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct message *messages = arena_array(arena, count, sizeof(*messages));
    err = messages == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = message_from_row(rows, i, arena, &messages[i]);
    if (err == ERR_OK) {
        *out = messages;
        *count_out = count;
    }
done:
    db_rows_free(rows);
    return err;
}

static const struct db_stmt message_lock_stmt = {
    "message_lock",
    "SELECT status, updated_at FROM message WHERE tenant_id = $1 AND id = $2 AND channel_id = $3 AND direction = 'out'"
    " FOR UPDATE"
};
static const struct db_stmt message_status_stmt = {
    "message_status_set",
    "UPDATE message SET status = $3, provider_id = coalesce($4, provider_id), error_code = $5, error_title = $6,"
    " error_class = $7, updated_at = now() WHERE tenant_id = $1 AND id = $2"
};
static const struct db_stmt message_unqueue_stmt = {
    "message_unqueue", "DELETE FROM dispatch_queue WHERE tenant_id = $1 AND message_id = $2"
};
static const struct db_stmt provider_ref_insert_stmt = {
    "provider_ref_insert",
    "INSERT INTO provider_ref (tenant_id, channel_id, provider_id, message_id) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT DO NOTHING"
};

/* Providers tell whole seconds: within the second of the step before it, a report comes after that step. */
static struct wall_time
report_time(const struct message_report *report, struct wall_time step_before)
{
    bool is_same_second = report->at.us / 1000000 == step_before.us / 1000000;

    return is_same_second && report->at.us < step_before.us ? step_before : report->at;
}

static enum err
report_write(struct db_tx *tx, const struct clock *clock, const struct message_report *report,
             enum message_status from, struct wall_time at, struct arena *arena)
{
    enum message_status path[MESSAGE_STATUS_PATH_MAX];
    struct message_step steps[MESSAGE_STATUS_PATH_MAX];
    size_t count = message_status_path(from, report->status, path);
    bool is_failure = report->status == MESSAGE_FAILED;
    enum err err =
        db_exec_one(tx, &message_status_stmt,
                    DB_ARGS(DB_ID(report->message), DB_TEXT(message_status_name(report->status)),
                            DB_TEXT(report->provider_id), is_failure ? DB_TEXT(report->error_code) : DB_NULL,
                            is_failure ? DB_TEXT(report->error_title) : DB_NULL,
                            is_failure ? DB_TEXT_Z(report->error_class) : DB_NULL));

    if (err == ERR_OK)
        err = db_exec(tx, &message_unqueue_stmt, DB_ARGS(DB_ID(report->message)), NULL);
    if (err == ERR_OK && report->provider_id.ptr != NULL)
        err = db_exec(tx, &provider_ref_insert_stmt,
                      DB_ARGS(DB_ID(report->channel), DB_TEXT(report->provider_id), DB_ID(report->message)),
                      NULL);
    for (size_t i = 0; i < count; i++)
        steps[i] = (struct message_step){ .message = report->message, .status = path[i], .at = at };
    return err == ERR_OK ? message_tell(tx, clock, steps, count, arena) : err;
}

enum err
message_report_apply(struct db_tx *tx, const struct clock *clock, const struct message_report *report,
                     struct arena *arena, bool *moved_out)
{
    struct db_rows *rows = NULL;
    enum message_status from = MESSAGE_ACCEPTED;
    struct wall_time at = report->at;
    enum err err =
        db_query(tx, &message_lock_stmt, DB_ARGS(DB_ID(report->message), DB_ID(report->channel)), &rows);

    *moved_out = false;
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = message_status_parse(db_text(rows, 0, 0), &from);
    if (err == ERR_OK)
        at = report_time(report, db_time(rows, 0, 1));
    db_rows_free(rows);
    if (err != ERR_OK || !message_status_may_report(from, report->status))
        return err;
    err = report_write(tx, clock, report, from, at, arena);
    *moved_out = err == ERR_OK;
    return err;
}

static const struct db_stmt message_target_stmt = {
    "message_target",
    "SELECT FROM message WHERE tenant_id = $1 AND id = $2 AND channel_id = $3 AND provider_id IS NOT NULL"
};

enum err
message_target_check(struct db_tx *tx, struct id channel, struct id target)
{
    return db_exec_one(tx, &message_target_stmt, DB_ARGS(DB_ID(target), DB_ID(channel)));
}

static const struct db_stmt message_by_provider_id_stmt = {
    "message_by_provider_id",
    "SELECT message_id FROM provider_ref WHERE tenant_id = $1 AND channel_id = $2 AND provider_id = $3"
};

enum err
message_by_provider_id(struct db_tx *tx, struct id channel, struct slice provider_id, struct id *out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &message_by_provider_id_stmt, DB_ARGS(DB_ID(channel), DB_TEXT(provider_id)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *out = db_id(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt message_receive_stmt = {
    "message_receive",
    "INSERT INTO message (tenant_id, id, channel_id, direction, kind, category, status, peer_index, "
    "key_version, peer_ct,"
    " peer_iv, peer_tag, content_ct, content_iv, content_tag, provider_id, target_id)"
    " VALUES ($1, $2, $3, 'in', $4, 'service', 'received', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
};

enum err
message_receive(struct db_tx *tx, const struct message_received *with)
{
    size_t claimed = 0;
    enum err err =
        db_exec(tx, &provider_ref_insert_stmt,
                DB_ARGS(DB_ID(with->channel), DB_TEXT(with->provider_id), DB_ID(with->id)), &claimed);

    if (err != ERR_OK)
        return err;
    if (claimed == 0)
        return ERR_EXISTS; /* this provider id was received before */
    err = db_exec_one(tx, &message_receive_stmt,
                      DB_ARGS(DB_ID(with->id), DB_ID(with->channel), DB_TEXT(with->kind),
                              DB_BYTES(slice_of(with->sealed.peer_index, VAULT_INDEX_BYTES)),
                              DB_I64(with->sealed.content.key_version), SEALED_ARGS(&with->sealed.peer),
                              SEALED_ARGS(&with->sealed.content), DB_TEXT(with->provider_id),
                              id_is_zero(with->target) ? DB_NULL : DB_ID(with->target)));
    if (err != ERR_OK)
        return err;
    struct buf
        data; /* the kind is a word of ours, the provider's id is checked for its alphabet by the caller */
    char target[ID_TEXT_BYTES];
    buf_init(&data, 1024);
    buf_add_format(
        &data, "{\"direction\": \"inbound\", \"status\": \"received\", \"type\": \"%.*s\", \"provider_id\": ",
        SLICE_FMT(with->kind));
    json_add_string(&data, with->provider_id);
    buf_add_text(&data, ", \"reply_to\": ");
    if (id_is_zero(with->target))
        buf_add_text(&data, "null}");
    else
        buf_add_format(&data, "\"%.*s\"}", SLICE_FMT(id_print(ID_MESSAGE, with->target, target)));
    err = buf_done(&data);
    struct event event = { .id = with->event_id,
                           .type = EVENT_MESSAGE_RECEIVED,
                           .subject = with->id,
                           .channel = with->channel,
                           .occurred_at = with->at,
                           .data = buf_slice(&data),
                           .content = &with->event_content };
    if (err == ERR_OK)
        err = event_append(tx, &event);
    buf_release(&data);
    return err;
}
