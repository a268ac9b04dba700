/* Reading messages. */
#include "domain/message/message_report_internal.h"
#include "domain/tenant/sealed_column.h"

#define MESSAGE_COLUMNS                                                                                      \
    "m.id, m.channel_id, m.direction, m.kind, m.category, m.status, m.reference, m.provider_id,"             \
    " m.error_code, m.error_title, m.attempt_count, m.updated_at, m.peer_index, m.key_version, m.peer_ct,"   \
    " m.peer_iv, m.peer_tag, m.content_ct, m.content_iv, m.content_tag, m.error_class, m.target_id,"         \
    " m.pricing::text, "                                                                                     \
    " m.metadata_ct, m.metadata_iv, m.metadata_tag, m.send_at, m.expires_at, m.tags,"                        \
    " m.sender, m.fallbacks, m.resent_from, m.purpose, m.policy, m.policy_sent"

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
optional_bytes(const struct db_rows *rows, size_t row, int column, struct arena *arena, struct slice *out)
{
    *out = SLICE_EMPTY;
    if (db_is_null(rows, row, column))
        return ERR_OK;
    *out = arena_copy(arena, db_bytes(rows, row, column));
    return out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static enum err
message_tags_read(const struct db_rows *rows, size_t row, int column, struct arena *arena,
                  struct message *out)
{
    struct slice *tags = arena_array(arena, MESSAGE_TAGS_MAX, sizeof(*tags));

    out->tags = tags;
    return tags == NULL ? ERR_NO_MEMORY
                        : db_text_array(rows, row, column, arena, tags, MESSAGE_TAGS_MAX, &out->tag_count);
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
    out->sealed.has_metadata = !db_is_null(rows, row, 23);
    if (err == ERR_OK && out->sealed.has_metadata)
        err = sealed_column_read(rows, row, 23, key_version, arena, &out->sealed.metadata);
    if (err == ERR_OK && !db_is_null(rows, row, 26))
        out->send_at = db_time(rows, row, 26);
    if (err == ERR_OK && !db_is_null(rows, row, 27))
        out->expires_at = db_time(rows, row, 27);
    out->sender = (unsigned)db_i64(rows, row, 29);
    out->fallback_count = (unsigned)db_i64(rows, row, 30);
    if (!db_is_null(rows, row, 31))
        out->resent_from = db_id(rows, row, 31);
    if (err == ERR_OK)
        err = optional_text(rows, row, 32, arena, &out->purpose);
    if (err == ERR_OK)
        err = optional_bytes(rows, row, 33, arena, &out->policy);
    if (err == ERR_OK)
        err = optional_bytes(rows, row, 34, arena, &out->policy_sent);
    return err == ERR_OK ? message_tags_read(rows, row, 28, arena, out) : err;
}

static const struct db_stmt message_get_stmt = { "message_get", "SELECT " MESSAGE_COLUMNS " FROM message m"
                                                                " WHERE m.tenant_id = $1 AND m.id = $2" };

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

/* Later ids only, which leaves earlier partitions unread. */
static const struct db_stmt message_resent_stmt = {
    "message_resent",
    "SELECT id FROM message WHERE tenant_id = $1 AND resent_from = $2 AND id > $2 ORDER BY id LIMIT $3"
};

enum err
message_resent_as(struct db_tx *tx, struct id message, struct id out[static MESSAGE_RESENT_MAX],
                  size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &message_resent_stmt, DB_ARGS(DB_ID(message), DB_I64(MESSAGE_RESENT_MAX)), &rows);

    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < *count_out; i++)
        out[i] = db_id(rows, i, 0);
    db_rows_free(rows);
    return err;
}

/*
 * One statement for each way into the table, by the filter that leaves the fewest rows: a prepared
 * statement's plan does not know its values, so a filter that may be absent is no way in. The bounds of the
 * id are always there. The other filters are held against what is found along the way.
 */
#define LIST_BOUNDS " WHERE m.tenant_id = $1 AND m.id < $2 AND m.id >= $3"
#define LIST_FILTERS                                                                                         \
    " AND ($4::text[] IS NULL OR m.status = ANY ($4)) AND ($5::text IS NULL OR m.direction = $5)"            \
    " AND ($6::text IS NULL OR m.category = $6) AND ($7::uuid IS NULL OR m.channel_id = $7)"                 \
    " AND ($8::bytea IS NULL OR m.peer_index = $8) AND ($9::text IS NULL OR m.reference = $9)"               \
    " AND ($10::text IS NULL OR $10 = ANY (m.tags)) AND ($12::uuid[] IS NULL OR m.channel_id = ANY ($12))"
#define LIST_END  " ORDER BY m.id DESC LIMIT $11"
#define LIST_FROM "SELECT " MESSAGE_COLUMNS " FROM message m"

static const struct db_stmt message_list_stmt = { "message_list",
                                                  LIST_FROM LIST_BOUNDS LIST_FILTERS LIST_END };
static const struct db_stmt message_list_by_channel_stmt = { "message_list_by_channel", LIST_FROM LIST_BOUNDS
                                                             " AND m.channel_id = $7" LIST_FILTERS LIST_END };
static const struct db_stmt message_list_by_peer_stmt = { "message_list_by_peer", LIST_FROM LIST_BOUNDS
                                                          " AND m.peer_index = $8" LIST_FILTERS LIST_END };
static const struct db_stmt message_list_by_reference_stmt = {
    "message_list_by_reference", LIST_FROM LIST_BOUNDS " AND m.reference = $9" LIST_FILTERS LIST_END
};
static const struct db_stmt message_list_by_tag_stmt = {
    "message_list_by_tag",
    "SELECT " MESSAGE_COLUMNS " FROM (SELECT message_id FROM message_tag WHERE tenant_id = $1 AND tag = $10"
    " AND message_id < $2 AND message_id >= $3 ORDER BY message_id DESC) t"
    " CROSS JOIN LATERAL (SELECT * FROM message m" LIST_BOUNDS " AND m.id = t.message_id" LIST_FILTERS
    " LIMIT 1) m ORDER BY t.message_id DESC LIMIT $11"
};
/* Each of the rare statuses by itself, in the order of their index; then the newest of all of them. */
static const struct db_stmt message_list_by_status_stmt = {
    "message_list_by_status",
    "SELECT " MESSAGE_COLUMNS
    " FROM unnest($4::text[]) AS s CROSS JOIN LATERAL (SELECT * FROM message m" LIST_BOUNDS
    " AND m.rare_status = s" LIST_FILTERS LIST_END ") m" LIST_END
};

static bool
statuses_are_rare(const struct message_filter *filter)
{
    for (size_t i = 0; i < filter->status_count; i++)
        switch (filter->statuses[i]) {
        case MESSAGE_HELD:
        case MESSAGE_QUEUED:
        case MESSAGE_UNCERTAIN:
        case MESSAGE_FAILED:
        case MESSAGE_EXPIRED:
        case MESSAGE_CANCELED:
        case MESSAGE_BLOCKED:
            break;
        case MESSAGE_ACCEPTED:
        case MESSAGE_SENDING:
        case MESSAGE_SENT:
        case MESSAGE_DELIVERED:
        case MESSAGE_READ:
        case MESSAGE_RECEIVED:
            return false;
        }
    return filter->status_count > 0;
}

static const struct db_stmt *
list_stmt(const struct message_filter *filter)
{
    if (filter->reference.ptr != NULL)
        return &message_list_by_reference_stmt;
    if (filter->has_peer)
        return &message_list_by_peer_stmt;
    if (filter->tag.ptr != NULL)
        return &message_list_by_tag_stmt;
    if (statuses_are_rare(filter))
        return &message_list_by_status_stmt;
    return id_is_zero(filter->channel) ? &message_list_stmt : &message_list_by_channel_stmt;
}

/* Older than this: the cursor, or the time, whichever is earlier. */
static struct id
list_below(const struct message_filter *filter)
{
    struct id below;

    memset(below.bytes, 0xff, sizeof(below.bytes));
    if (filter->has_before)
        below = id_at(filter->created_before);
    if (!id_is_zero(filter->cursor) && memcmp(filter->cursor.bytes, below.bytes, ID_BYTES) < 0)
        below = filter->cursor;
    return below;
}

enum err
message_list(struct db_tx *tx, const struct message_filter *filter, size_t limit, struct arena *arena,
             struct message **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct slice statuses[MESSAGE_STATUS_COUNT];
    struct id from = { { 0 } };

    for (size_t i = 0; i < filter->status_count; i++)
        statuses[i] = message_status_name(filter->statuses[i]);
    if (filter->has_after)
        from = id_at(filter->created_after);
    enum err err = db_query(
        tx, list_stmt(filter),
        DB_ARGS(DB_ID(list_below(filter)), DB_ID(from),
                filter->status_count > 0 ? DB_TEXT_ARRAY(statuses, filter->status_count) : DB_NULL,
                filter->has_direction ? DB_TEXT_Z(message_direction_word(filter->direction)) : DB_NULL,
                filter->has_category ? DB_TEXT_Z(message_category_word(filter->category)) : DB_NULL,
                id_is_zero(filter->channel) ? DB_NULL : DB_ID(filter->channel),
                filter->has_peer ? DB_BYTES(slice_of(filter->peer_index, VAULT_INDEX_BYTES)) : DB_NULL,
                DB_TEXT(filter->reference), DB_TEXT(filter->tag), DB_I64((int64_t)limit + 1),
                filter->channels == NULL ? DB_NULL : DB_ID_ARRAY(filter->channels, filter->channel_count)),
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

static const struct db_stmt message_target_stmt = {
    "message_target",
    "SELECT FROM message WHERE tenant_id = $1 AND id = $2 AND channel_id = $3 AND provider_id IS NOT NULL"
};

enum err
message_target_check(struct db_tx *tx, struct id channel, struct id target)
{
    return db_exec_one(tx, &message_target_stmt, DB_ARGS(DB_ID(target), DB_ID(channel)));
}

static const struct db_stmt message_key_used_stmt = {
    "message_key_used", "SELECT FROM idempotency_key WHERE tenant_id = $1 AND key = $2"
};

enum err
message_key_is_used(struct db_tx *tx, struct slice key, bool *is_used_out)
{
    enum err err = db_exec_one(tx, &message_key_used_stmt, DB_ARGS(DB_TEXT(key)));

    *is_used_out = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static const struct db_stmt message_by_provider_id_stmt = {
    "message_by_provider_id",
    "SELECT message_id, sender FROM provider_ref WHERE tenant_id = $1 AND channel_id = $2 AND provider_id = $3"
};

enum err
message_by_provider_id(struct db_tx *tx, struct id channel, struct slice provider_id, struct id *out,
                       unsigned *sender_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &message_by_provider_id_stmt, DB_ARGS(DB_ID(channel), DB_TEXT(provider_id)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK) {
        *out = db_id(rows, 0, 0);
        *sender_out = (unsigned)db_i64(rows, 0, 1);
    }
    db_rows_free(rows);
    return err;
}
