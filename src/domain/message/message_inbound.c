#include "domain/message/message_inbound.h"
#include "core/num.h"

static const struct db_stmt inbound_owe_stmt = {
    "message_inbound_owe",
    "INSERT INTO smpp_inbound (tenant_id, key_id, message_id) SELECT $1, a.key_id, $2 FROM smpp_account a"
    " JOIN api_key k ON k.tenant_id = a.tenant_id AND k.id = a.key_id WHERE a.tenant_id = $1 AND k.revoked_at IS NULL"
    " AND (k.expires_at IS NULL OR k.expires_at > now()) AND 'messages:read' = ANY (k.scopes)"
    " AND (SELECT count(*) FROM (SELECT FROM smpp_inbound i WHERE i.tenant_id = $1 AND i.key_id = a.key_id LIMIT $3)"
    " owed) < $3 ON CONFLICT DO NOTHING"
};

enum err
message_inbound_owe(struct db_tx *tx, struct id message)
{
    return db_exec(tx, &inbound_owe_stmt, DB_ARGS(DB_ID(message), DB_I64(MESSAGE_INBOUND_OWED_MAX)), NULL);
}

static const struct db_stmt inbound_due_stmt = {
    "message_inbound_due",
    "SELECT i.message_id, i.parts_taken::text[], s.sender, i.owed_at FROM smpp_inbound i"
    " JOIN message m ON m.tenant_id = $1 AND m.id = i.message_id"
    " JOIN sms_channel s ON s.tenant_id = $1 AND s.channel_id = m.channel_id"
    " WHERE i.tenant_id = $1 AND i.key_id = $2 ORDER BY i.message_id LIMIT $3"
};

static enum err
inbound_read(const struct db_rows *rows, size_t row, struct arena *arena, struct message_inbound *out)
{
    struct slice taken[MESSAGE_INBOUND_PARTS_MAX];
    size_t count = 0;

    *out = (struct message_inbound){ .message = db_id(rows, row, 0),
                                     .sender = arena_copy(arena, db_text(rows, row, 2)),
                                     .at = db_time(rows, row, 3) };
    enum err err = db_text_array(rows, row, 1, arena, taken, COUNT_OF(taken), &count);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        uint64_t number = 0;
        err = num_u64_parse(taken[i], &number);
        if (err == ERR_OK && number >= 1 && number <= MESSAGE_INBOUND_PARTS_MAX)
            out->is_taken[number - 1] = true;
    }
    return err == ERR_OK && out->sender.ptr == NULL ? ERR_NO_MEMORY : err;
}

enum err
message_inbound_due(struct db_tx *tx, struct id key, struct arena *arena,
                    struct message_inbound out[static MESSAGE_INBOUND_MAX], size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &inbound_due_stmt, DB_ARGS(DB_ID(key), DB_I64(MESSAGE_INBOUND_MAX)), &rows);

    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < *count_out; i++)
        err = inbound_read(rows, i, arena, &out[i]);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt inbound_taken_stmt = {
    "message_inbound_taken",
    "WITH gone AS (DELETE FROM smpp_inbound WHERE tenant_id = $1 AND key_id = $2 AND message_id = $3 AND $5)"
    " UPDATE smpp_inbound SET parts_taken = parts_taken || $4::bigint[]::smallint[] WHERE tenant_id = $1"
    " AND key_id = $2 AND message_id = $3 AND NOT $5"
};

enum err
message_inbound_taken(struct db_tx *tx, struct id key, struct id message, const int64_t *parts, size_t count,
                      bool is_whole)
{
    return db_exec(tx, &inbound_taken_stmt,
                   DB_ARGS(DB_ID(key), DB_ID(message), DB_I64_ARRAY(parts, count), DB_BOOL(is_whole)), NULL);
}

static const struct db_stmt inbound_forget_stmt = {
    "message_inbound_forget",
    "DELETE FROM smpp_inbound WHERE tenant_id = $1 AND owed_at < now() - make_interval(days => $2::integer)"
};

enum err
message_inbound_forget(struct db_tx *tx)
{
    return db_exec(tx, &inbound_forget_stmt, DB_ARGS(DB_I64(MESSAGE_INBOUND_DAYS)), NULL);
}
