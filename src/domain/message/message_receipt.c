#include "domain/message/message_receipt.h"
#include "domain/message/message_inbound.h"

static const struct db_stmt receipts_want_stmt = {
    "message_receipts_want",
    "INSERT INTO smpp_receipt (tenant_id, message_id, key_id, sender, sender_ton, sender_npi, failures_only)"
    " SELECT $1, message_id, key_id, sender, ton, npi, failures_only <> 0 FROM unnest($2::uuid[], $3::uuid[], $4::text[],"
    " $5::bigint[], $6::bigint[], $7::bigint[]) AS w (message_id, key_id, sender, ton, npi, failures_only)"
    " ON CONFLICT DO NOTHING"
};

enum err
message_receipts_want(struct db_tx *tx, const struct message_receipt *receipts, size_t count,
                      struct arena *arena)
{
    struct id *messages = arena_array(arena, count, sizeof(*messages)),
              *keys = arena_array(arena, count, sizeof(*keys));
    struct slice *senders = arena_array(arena, count, sizeof(*senders));
    int64_t *tons = arena_array(arena, count, sizeof(*tons)),
            *npis = arena_array(arena, count, sizeof(*npis)),
            *failures = arena_array(arena, count, sizeof(*failures));

    if (messages == NULL || keys == NULL || senders == NULL || tons == NULL || npis == NULL ||
        failures == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        messages[i] = receipts[i].message;
        keys[i] = receipts[i].key;
        senders[i] = receipts[i].sender.len == 0 ? SLICE("") : receipts[i].sender;
        tons[i] = receipts[i].sender_ton;
        npis[i] = receipts[i].sender_npi;
        failures[i] = receipts[i].failures_only;
    }
    return count == 0 ? ERR_OK
                      : db_exec(tx, &receipts_want_stmt,
                                DB_ARGS(DB_ID_ARRAY(messages, count), DB_ID_ARRAY(keys, count),
                                        DB_TEXT_ARRAY(senders, count), DB_I64_ARRAY(tons, count),
                                        DB_I64_ARRAY(npis, count), DB_I64_ARRAY(failures, count)),
                                NULL);
}

static const struct db_stmt receipt_due_stmt = {
    "message_receipt_due",
    "SELECT r.message_id, r.sender, r.sender_ton::bigint, r.sender_npi::bigint, r.failures_only, m.status,"
    " m.error_code, m.updated_at FROM smpp_receipt r JOIN message m ON m.tenant_id = $1 AND m.id = r.message_id"
    " WHERE r.tenant_id = $1 AND r.key_id = $2"
    " AND m.status IN ('delivered', 'read', 'failed', 'blocked', 'expired', 'canceled')"
    " ORDER BY r.message_id LIMIT $3"
};

enum err
message_receipt_due(struct db_tx *tx, struct id key, struct arena *arena,
                    struct message_receipt out[static MESSAGE_RECEIPTS_MAX], size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &receipt_due_stmt, DB_ARGS(DB_ID(key), DB_I64(MESSAGE_RECEIPTS_MAX)), &rows);

    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < *count_out; i++) {
        out[i] = (struct message_receipt){ .message = db_id(rows, i, 0),
                                           .sender = arena_copy(arena, db_text(rows, i, 1)),
                                           .sender_ton = (uint8_t)db_i64(rows, i, 2),
                                           .sender_npi = (uint8_t)db_i64(rows, i, 3),
                                           .failures_only = db_bool(rows, i, 4),
                                           .error_code = arena_copy(arena, db_text(rows, i, 6)),
                                           .ended_at = db_time(rows, i, 7) };
        err = out[i].sender.ptr == NULL || out[i].error_code.ptr == NULL
                  ? ERR_NO_MEMORY
                  : message_status_parse(db_text(rows, i, 5), &out[i].status);
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt receipt_done_stmt = {
    "message_receipt_done", "DELETE FROM smpp_receipt WHERE tenant_id = $1 AND message_id = ANY ($2::uuid[])"
};

enum err
message_receipt_done(struct db_tx *tx, const struct id *messages, size_t count)
{
    return db_exec(tx, &receipt_done_stmt, DB_ARGS(DB_ID_ARRAY(messages, count)), NULL);
}

static const struct db_stmt receipt_forget_stmt = {
    "message_receipt_forget",
    "DELETE FROM smpp_receipt WHERE tenant_id = $1 AND wanted_at < now() - make_interval(days => $2::integer)"
};

enum err
message_receipt_forget(struct db_tx *tx)
{
    return db_exec(tx, &receipt_forget_stmt, DB_ARGS(DB_I64(MESSAGE_RECEIPT_DAYS)), NULL);
}

static const struct db_stmt receipt_stale_stmt = {
    "message_receipt_stale",
    "SELECT tenant_id FROM (SELECT tenant_id FROM smpp_receipt WHERE wanted_at < now() - make_interval(days => $1::integer)"
    " UNION SELECT tenant_id FROM smpp_inbound WHERE owed_at < now() - make_interval(days => $2::integer)) stale LIMIT $3"
};

enum err
message_receipt_stale(struct db *db, struct id out[static MESSAGE_RECEIPT_TENANTS_MAX], size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "smpp.sweep", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &receipt_stale_stmt,
                       DB_ARGS(DB_I64(MESSAGE_RECEIPT_DAYS), DB_I64(MESSAGE_INBOUND_DAYS),
                               DB_I64(MESSAGE_RECEIPT_TENANTS_MAX)),
                       &rows);
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < *count_out; i++)
        out[i] = db_id(rows, i, 0);
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}
