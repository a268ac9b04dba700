#include "domain/channel/sms/sms_part.h"
#include "domain/message/message_queue.h"

/*
 * Receipts that came first wait for these ids: interpreters apply them when they are told. One for a message
 * whose answers had been lost before was taken for the first part without an id, and has settled that under
 * this very id, whichever part it is: so what is known of an id moves to its part, and what that part had
 * been given in its place ("displaced") moves to one that is left without ("refilled"). The rows are locked
 * as they stand now, not as when the statement began. What is recorded without an id takes none away: it is
 * recorded again when the commit's answer was lost, and a receipt may have told one meanwhile. One that a
 * gateway has just in its hands is not waited for, which may wait for these parts: it is looked at again.
 */
static const struct db_stmt parts_record_stmt = {
    "sms_parts_record",
    "WITH n AS (SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[], $7::text[], $8::timestamptz[])"
    " AS p (message_id, sender, part, part_count, connector_id, provider_id, taken_at)),"
    " had AS MATERIALIZED (SELECT p.* FROM (SELECT DISTINCT message_id AS id FROM n ORDER BY id) m CROSS JOIN LATERAL"
    " (SELECT * FROM sms_part WHERE tenant_id = $1 AND message_id = m.id ORDER BY sender, part FOR UPDATE) p),"
    " known AS (SELECT * FROM n WHERE provider_id <> ''),"
    " displaced AS (SELECT h.*, row_number() OVER (PARTITION BY h.message_id, h.sender ORDER BY h.part) AS nth FROM had h"
    " JOIN known k ON (k.message_id, k.sender, k.part, k.connector_id) = (h.message_id, h.sender, h.part, h.connector_id)"
    " WHERE h.provider_id IS NOT NULL AND NOT EXISTS (SELECT FROM known o WHERE (o.message_id, o.sender, o.connector_id,"
    " o.provider_id) = (h.message_id, h.sender, h.connector_id, h.provider_id))),"
    " free AS (SELECT h.*, row_number() OVER (PARTITION BY h.message_id, h.sender ORDER BY h.provider_id IS NULL, h.part) AS nth"
    " FROM had h WHERE NOT EXISTS (SELECT FROM known k WHERE (k.message_id, k.sender, k.part) = (h.message_id, h.sender, h.part))"
    " AND (h.state = 'unknown' OR EXISTS (SELECT FROM known k WHERE (k.message_id, k.sender, k.connector_id, k.provider_id) ="
    " (h.message_id, h.sender, h.connector_id, h.provider_id)))),"
    " refilled AS (SELECT f.message_id, f.sender, f.part, d.provider_id, coalesce(d.state, 'unknown') AS state, d.error_code,"
    " d.settled_at, d.doubted_at FROM free f LEFT JOIN displaced d ON (d.message_id, d.sender, d.nth) = (f.message_id,"
    " f.sender, f.nth) WHERE f.provider_id IS NOT NULL OR d.provider_id IS NOT NULL),"
    " moved AS (UPDATE sms_part p SET provider_id = r.provider_id, state = r.state, error_code = r.error_code,"
    " settled_at = r.settled_at, doubted_at = r.doubted_at FROM refilled r WHERE p.tenant_id = $1"
    " AND (p.message_id, p.sender, p.part) = (r.message_id, r.sender, r.part)),"
    " put AS (INSERT INTO sms_part (tenant_id, message_id, sender, part, part_count, connector_id, provider_id, state,"
    " error_code, settled_at, taken_at) SELECT $1, n.message_id, n.sender, n.part, n.part_count, n.connector_id,"
    " nullif(n.provider_id, ''), coalesce(h.state, CASE WHEN n.provider_id = '' THEN 'unknown' ELSE 'taken' END),"
    " h.error_code, h.settled_at, n.taken_at FROM n LEFT JOIN had h ON (h.message_id, h.sender, h.connector_id, h.provider_id) ="
    " (n.message_id, n.sender, n.connector_id, n.provider_id) AND h.state IN ('delivered', 'failed') WHERE NOT EXISTS"
    " (SELECT FROM refilled r WHERE (r.message_id, r.sender, r.part) = (n.message_id, n.sender, n.part))"
    " ON CONFLICT (tenant_id, message_id, sender, part) DO UPDATE SET part_count = excluded.part_count,"
    " connector_id = excluded.connector_id, provider_id = excluded.provider_id, state = excluded.state,"
    " error_code = excluded.error_code, taken_at = excluded.taken_at, settled_at = excluded.settled_at,"
    " doubted_at = NULL WHERE sms_part.provider_id IS NULL OR excluded.provider_id IS NOT NULL"
    " RETURNING connector_id, provider_id),"
    " waits AS MATERIALIZED (SELECT r.connector_id, r.provider_id, r.state, r.done FROM put p JOIN sms_receipt_parked r ON r.tenant_id = $1"
    " AND r.connector_id = p.connector_id AND r.provider_id = p.provider_id FOR UPDATE OF r SKIP LOCKED),"
    " due AS (UPDATE sms_receipt_parked r SET due_at = now() FROM waits w WHERE r.tenant_id = $1 AND (r.connector_id,"
    " r.provider_id, r.state, r.done) = (w.connector_id, w.provider_id, w.state, w.done) RETURNING r.tenant_id)"
    " SELECT pg_notify('harkara_provider_event', '') FROM (SELECT FROM due LIMIT 1) told"
};

enum err
sms_parts_record(struct db_tx *tx, const struct sms_part *parts, size_t count, struct arena *arena)
{
    struct id *messages = arena_array(arena, count, sizeof(*messages)),
              *connectors = arena_array(arena, count, sizeof(*connectors));
    int64_t *senders = arena_array(arena, count, sizeof(*senders)),
            *ns = arena_array(arena, count, sizeof(*ns)),
            *counts = arena_array(arena, count, sizeof(*counts));
    struct slice *ids = arena_array(arena, count, sizeof(*ids));
    struct wall_time *times = arena_array(arena, count, sizeof(*times));

    if (messages == NULL || connectors == NULL || senders == NULL || ns == NULL || counts == NULL ||
        ids == NULL || times == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        messages[i] = parts[i].message;
        connectors[i] = parts[i].connector;
        senders[i] = parts[i].sender;
        ns[i] = parts[i].part;
        counts[i] = parts[i].part_count;
        ids[i] = parts[i].provider_id.len == 0 ? SLICE("") : parts[i].provider_id;
        times[i] = parts[i].taken_at;
    }
    return count == 0 ? ERR_OK
                      : db_exec(tx, &parts_record_stmt,
                                DB_ARGS(DB_ID_ARRAY(messages, count), DB_I64_ARRAY(senders, count),
                                        DB_I64_ARRAY(ns, count), DB_I64_ARRAY(counts, count),
                                        DB_ID_ARRAY(connectors, count), DB_TEXT_ARRAY(ids, count),
                                        DB_TIME_ARRAY(times, count)),
                                NULL);
}

static const struct db_stmt parts_taken_stmt = {
    "sms_parts_taken",
    "SELECT part, state <> 'unknown' FROM sms_part WHERE tenant_id = $1 AND message_id = $2"
    " AND sender = $3::smallint ORDER BY part LIMIT 255"
};

enum err
sms_parts_taken(struct db_tx *tx, struct id message, unsigned sender, struct arena *arena,
                struct sms_part_taken **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct sms_part_taken *parts = NULL;
    enum err err = db_query(tx, &parts_taken_stmt, DB_ARGS(DB_ID(message), DB_I64(sender)), &rows);

    if (err == ERR_OK && (parts = arena_array(arena, db_rows_count(rows), sizeof(*parts))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        parts[i] =
            (struct sms_part_taken){ .part = (unsigned)db_i64(rows, i, 0), .is_known = db_bool(rows, i, 1) };
    *out = parts;
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    db_rows_free(rows);
    return err;
}

static const struct db_stmt parts_known_stmt = {
    "sms_parts_known",
    "SELECT coalesce(f.channel_id, m.channel_id) FROM (SELECT FROM sms_part WHERE tenant_id = $1 AND message_id = $2"
    " AND sender = $3::smallint AND part_count = $4 AND state <> 'unknown' HAVING count(*) = $4) known"
    " JOIN message m ON m.tenant_id = $1 AND m.id = $2"
    " LEFT JOIN message_fallback f ON f.tenant_id = $1 AND f.message_id = $2 AND f.position = $3"
};

enum err
sms_part_record_late(struct db_tx *tx, const struct sms_part *part, struct arena *arena,
                     struct message_report *report_out, bool *has_report_out)
{
    struct db_rows *rows = NULL;
    enum err err = message_queue_hold(tx, &part->message, 1);

    *has_report_out = false;
    if (err == ERR_OK)
        err = sms_parts_record(tx, part, 1, arena);
    if (err == ERR_OK)
        err = db_query(tx, &parts_known_stmt,
                       DB_ARGS(DB_ID(part->message), DB_I64(part->sender), DB_I64(part->part_count)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 1) {
        *report_out = (struct message_report){ .message = part->message,
                                               .channel = db_id(rows, 0, 0),
                                               .sender = part->sender,
                                               .status = MESSAGE_SENT,
                                               .at = part->taken_at };
        *has_report_out = true;
    }
    db_rows_free(rows);
    return err;
}
