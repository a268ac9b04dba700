#include "domain/channel/sms/sms_part.h"
#include "domain/channel/sms/sms_error.h"
#include "domain/message/message_queue.h"
#include <stdlib.h>

#define UNKNOWN_DAYS_MAX 3 /* how long after it left a part without an id may be the one of a receipt */

/*
 * Receipts that came first wait for these ids: interpreters apply them when they are told. One for a message
 * whose answers had been lost before was taken for the first part without an id, and has settled that under
 * this very id, whichever part it is: so what is known of an id moves to its part, and what that part had
 * been given in its place ("displaced") moves to one that is left without ("refilled"). The rows are locked
 * as they stand now, not as when the statement began. What is recorded without an id takes none away: it is
 * recorded again when the commit's answer was lost, and a receipt may have told one meanwhile.
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
    " RETURNING connector_id, provider_id)"
    " SELECT pg_notify('harkara_provider_event', '') FROM (SELECT FROM put p JOIN sms_receipt_parked r"
    " ON r.tenant_id = $1 AND r.connector_id = p.connector_id AND r.provider_id = p.provider_id LIMIT 1) waiting"
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

struct found {
    struct id message, channel;
    int64_t sender, part, part_count;
    bool is_found, was_unknown;
};

/*
 * Of ids that are given again after a while, the newest is meant. The channel is that of the sender whose
 * part it is; none: the message's month was removed.
 */
static const struct db_stmt parts_find_stmt = {
    "sms_parts_find",
    "SELECT n.n, p.message_id, p.sender, p.part, p.part_count, coalesce(f.channel_id, m.channel_id)"
    " FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS n (connector_id, provider_id, n)"
    " CROSS JOIN LATERAL (SELECT message_id, sender, part, part_count FROM sms_part WHERE tenant_id = $1"
    " AND connector_id = n.connector_id AND provider_id = n.provider_id ORDER BY taken_at DESC LIMIT 1) p"
    " LEFT JOIN message m ON m.tenant_id = $1 AND m.id = p.message_id"
    " LEFT JOIN message_fallback f ON f.tenant_id = $1 AND f.message_id = p.message_id AND f.position = p.sender"
};

static enum err
parts_find(struct db_tx *tx, const struct sms_receipt_item *items, size_t count, struct arena *arena,
           struct found *founds)
{
    struct id *connectors = arena_array(arena, count, sizeof(*connectors));
    struct slice *ids = arena_array(arena, count, sizeof(*ids));
    struct db_rows *rows = NULL;

    if (connectors == NULL || ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        connectors[i] = items[i].receipt.connector;
        ids[i] = items[i].receipt.provider_id.len == 0 ? SLICE("") : items[i].receipt.provider_id;
    }
    enum err err = db_query(tx, &parts_find_stmt,
                            DB_ARGS(DB_ID_ARRAY(connectors, count), DB_TEXT_ARRAY(ids, count)), &rows);
    for (size_t r = 0; err == ERR_OK && r < db_rows_count(rows); r++) {
        struct found *found = &founds[db_i64(rows, r, 0) - 1];
        *found = (struct found){ .message = db_id(rows, r, 1),
                                 .sender = db_i64(rows, r, 2),
                                 .part = db_i64(rows, r, 3),
                                 .part_count = db_i64(rows, r, 4),
                                 .is_found = true };
        if (!db_is_null(rows, r, 5))
            found->channel = db_id(rows, r, 5);
    }
    db_rows_free(rows);
    return err;
}

/*
 * An answer was lost, so nobody knows the id: the receipt is for this person, by this connector, and only one
 * message of those days can be meant; then it is the first of its parts that has none. While another is being
 * sent to this person its answer may be the one: nobody can say yet.
 */
static const struct db_stmt part_guess_stmt = {
    "sms_part_guess",
    "SELECT p.message_id, p.sender, min(p.part), max(p.part_count), (SELECT coalesce(f.channel_id, o.channel_id) FROM message o"
    " LEFT JOIN message_fallback f ON f.tenant_id = $1 AND f.message_id = o.id AND f.position = p.sender"
    " WHERE o.tenant_id = $1 AND o.id = p.message_id) FROM sms_part p JOIN message m ON m.tenant_id = $1 AND m.id = p.message_id"
    " WHERE p.tenant_id = $1 AND p.connector_id = $2 AND p.state = 'unknown' AND m.peer_index = $3"
    " AND p.taken_at > now() - make_interval(days => $4::int) AND NOT EXISTS (SELECT FROM message b"
    " WHERE b.tenant_id = $1 AND b.peer_index = $3 AND b.status = 'sending' AND NOT EXISTS (SELECT FROM sms_part u"
    " WHERE u.tenant_id = $1 AND u.message_id = b.id AND u.connector_id = $2 AND u.state = 'unknown'))"
    " GROUP BY p.message_id, p.sender LIMIT 2"
};
static const struct db_stmt part_know_stmt = {
    "sms_part_know",
    "UPDATE sms_part SET provider_id = $5, state = 'taken' WHERE tenant_id = $1 AND message_id = $2"
    " AND sender = $3::smallint AND part = $4::smallint AND state = 'unknown'"
};

#define GUESSES_MAX 2u /* of two nobody can say which: the statement's LIMIT */
#define GUESS_ARGS(receipt)                                                                                  \
    DB_ARGS(DB_ID((receipt)->connector),                                                                     \
            DB_BYTES(slice_of((receipt)->peer_index, sizeof((receipt)->peer_index))),                        \
            DB_I64(UNKNOWN_DAYS_MAX))

/* The rows of a message are always locked in this order. */
static const struct db_stmt parts_lock_stmt = {
    "sms_parts_lock",
    "SELECT part FROM sms_part WHERE tenant_id = $1 AND message_id = $2 AND sender = $3::smallint"
    " ORDER BY part LIMIT 255 FOR UPDATE"
};

static enum err
guess_read(struct db_tx *tx, const struct sms_receipt *receipt, struct found *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &part_guess_stmt, GUESS_ARGS(receipt), &rows);

    if (err == ERR_OK && db_rows_count(rows) != 1) /* none, or nobody can say which */
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *out = (struct found){ .message = db_id(rows, 0, 0),
                               .sender = db_i64(rows, 0, 1),
                               .part = db_i64(rows, 0, 2),
                               .part_count = db_i64(rows, 0, 3),
                               .channel = db_id(rows, 0, 4),
                               .is_found = true,
                               .was_unknown = true };
    db_rows_free(rows);
    return err;
}

/*
 * Chosen as the parts stand when they are locked: no row of the queue stands before those of a message that
 * is not sent again, and another gateway may be giving away the same part. ERR_NOT_FOUND: it has to wait.
 */
static enum err
part_guess(struct db_tx *tx, const struct sms_receipt *receipt, struct found *out)
{
    struct found locked = { .is_found = false }, chosen = { .is_found = false };
    enum err err = guess_read(tx, receipt, &locked);

    if (err == ERR_OK)
        err = db_exec(tx, &parts_lock_stmt, DB_ARGS(DB_ID(locked.message), DB_I64(locked.sender)), NULL);
    if (err == ERR_OK)
        err = guess_read(tx, receipt, &chosen);
    if (err == ERR_OK && (!id_eq(chosen.message, locked.message) || chosen.sender != locked.sender))
        err = ERR_NOT_FOUND; /* another can be meant by now, whose parts are not locked */
    if (err == ERR_OK)
        err = db_exec_one(tx, &part_know_stmt,
                          DB_ARGS(DB_ID(chosen.message), DB_I64(chosen.sender), DB_I64(chosen.part),
                                  receipt->provider_id.len == 0 ? DB_NULL : DB_TEXT(receipt->provider_id)));
    if (err == ERR_OK)
        *out = chosen;
    return err;
}

static const struct db_stmt receipt_park_stmt = {
    "sms_receipt_park",
    "INSERT INTO sms_receipt_parked (tenant_id, connector_id, provider_id, state, done, error_code, occurred_at, peer_index)"
    " VALUES ($1, $2, $3, $4::smallint, $5, nullif($6, ''), $7, $8) ON CONFLICT DO NOTHING"
};

static enum err
receipt_park(struct db_tx *tx, const struct sms_receipt *receipt, enum sms_receipt_fate *fate_out)
{
    size_t parked = 0;

    *fate_out = SMS_RECEIPT_NOTHING_NEW;
    if (receipt->provider_id.len == 0)
        return ERR_OK; /* it says of nobody's message anything: the stored body is all there is */
    enum err err = db_exec(
        tx, &receipt_park_stmt,
        DB_ARGS(DB_ID(receipt->connector), DB_TEXT(receipt->provider_id), DB_I64(receipt->state),
                DB_TEXT(receipt->done),
                DB_TEXT(receipt->error_code.len == 0 ? SLICE("") : receipt->error_code), DB_TIME(receipt->at),
                receipt->has_peer ? DB_BYTES(slice_of(receipt->peer_index, sizeof(receipt->peer_index)))
                                  : DB_NULL),
        &parked);
    if (parked > 0)
        *fate_out = SMS_RECEIPT_PARKED;
    return err;
}

static const struct db_stmt part_settle_stmt = {
    "sms_part_settle",
    "UPDATE sms_part SET state = $5, error_code = $6, settled_at = $7 WHERE tenant_id = $1 AND message_id = $2"
    " AND sender = $3::smallint AND part = $4::smallint"
    " AND (state IN ('taken', 'unknown') OR (state = 'failed' AND $5 = 'delivered'))"
};
static const struct db_stmt part_doubt_stmt = {
    "sms_part_doubt",
    "UPDATE sms_part SET doubted_at = now() WHERE tenant_id = $1 AND message_id = $2"
    " AND sender = $3::smallint AND part = $4::smallint AND state = 'taken' AND doubted_at IS NULL"
};
/* Of a try that cut it otherwise parts may be left behind: of so many parts there are none that count. */
static const struct db_stmt parts_sum_stmt = {
    "sms_parts_sum",
    "SELECT count(*) FILTER (WHERE state <> 'unknown') = $4, count(*) FILTER (WHERE state = 'delivered') = $4"
    " FROM sms_part WHERE tenant_id = $1 AND message_id = $2 AND sender = $3::smallint AND part_count = $4"
};

/* What it failed of: the operator's code in plain words where it is known, else what the receipt's state
 * says. */
static enum err
failure_tell(const struct sms_receipt *receipt, bool has_india_codes, struct arena *arena,
             struct message_report *report)
{
    const struct sms_error *error = has_india_codes ? sms_error_find(receipt->error_code) : NULL;
    const char *word = "undeliverable", *title = "The operator could not deliver it.";

    if (receipt->state == SMPP_STATE_EXPIRED) {
        word = "expired";
        title = "The recipient could not be reached in time.";
    } else if (receipt->state == SMPP_STATE_REJECTED) {
        word = "rejected";
        title = "The operator refused it.";
    } else if (receipt->state == SMPP_STATE_DELETED) {
        word = "deleted";
        title = "The operator deleted it.";
    }
    if (error != NULL)
        title = error->title;
    report->error_class = error != NULL ? error->class : "permanent";
    report->error_title = slice_text(title);
    report->error_code = receipt->error_code.len > 0
                             ? arena_format(arena, "sms-%.*s", SLICE_FMT(receipt->error_code))
                             : arena_format(arena, "sms-%s", word);
    return report->error_code.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static bool
is_failure(enum smpp_state state)
{
    return smpp_state_is_final(state) && state != SMPP_STATE_DELIVERED && state != SMPP_STATE_UNKNOWN;
}

/* How all parts of a message stand: an operator has them, and knows of each; the person has them. */
struct sum {
    bool is_sent, is_delivered;
};

/* `is_delivered`: of the one part that the receipt is about. */
static enum err
parts_sum(struct db_tx *tx, const struct found *found, bool is_delivered, struct sum *out)
{
    struct db_rows *rows = NULL;

    *out = (struct sum){ true, is_delivered };
    if (found->part_count == 1)
        return ERR_OK;
    enum err err =
        db_query(tx, &parts_sum_stmt,
                 DB_ARGS(DB_ID(found->message), DB_I64(found->sender), DB_I64(found->part_count)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 1)
        *out = (struct sum){ db_bool(rows, 0, 0), db_bool(rows, 0, 1) };
    db_rows_free(rows);
    return err;
}

/*
 * What a receipt about a part makes of the message. `was_settled`: it moved its part. Of a message whose
 * answers were lost it is sent when this is true of all its parts: one that has no row did not leave, or with
 * an smsc that was killed before it recorded that; one without an id may not have arrived. Nobody would look
 * after these any more.
 */
static enum err
message_settle(struct db_tx *tx, const struct found *found, bool was_settled, struct arena *arena,
               struct sms_receipt_item *item)
{
    const struct sms_receipt *receipt = &item->receipt;
    bool is_delivered = receipt->state == SMPP_STATE_DELIVERED, has_failed = is_failure(receipt->state);
    struct sum sum;
    enum err err = parts_sum(tx, found, is_delivered || !was_settled, &sum);

    item->report = (struct message_report){ .message = found->message,
                                            .channel = found->channel,
                                            .sender = (unsigned)found->sender,
                                            .at = receipt->at };
    if (err != ERR_OK)
        return err;
    if (has_failed && (was_settled || sum.is_delivered)) { /* of what was delivered it is only told */
        item->report.status = MESSAGE_FAILED;
        item->has_report = true;
        return failure_tell(receipt, item->has_india_codes, arena, &item->report);
    }
    if (is_delivered && was_settled && sum.is_delivered) {
        item->report.status = MESSAGE_DELIVERED;
        item->has_report = true;
    } else if (found->was_unknown && sum.is_sent) { /* it was taken after all */
        item->report.status = MESSAGE_SENT;
        item->has_report = true;
    }
    return ERR_OK;
}

static enum err
receipt_apply(struct db_tx *tx, const struct found *found, struct arena *arena, struct sms_receipt_item *item)
{
    const struct sms_receipt *receipt = &item->receipt;
    bool is_delivered = receipt->state == SMPP_STATE_DELIVERED, has_failed = is_failure(receipt->state);
    size_t settled = 0;
    enum err err =
        found->part_count == 1
            ? ERR_OK
            : db_exec(tx, &parts_lock_stmt, DB_ARGS(DB_ID(found->message), DB_I64(found->sender)), NULL);

    item->fate_out = SMS_RECEIPT_APPLIED;
    if (err == ERR_OK && (is_delivered || has_failed))
        err = db_exec(
            tx, &part_settle_stmt,
            DB_ARGS(DB_ID(found->message), DB_I64(found->sender), DB_I64(found->part),
                    DB_TEXT_Z(is_delivered ? "delivered" : "failed"),
                    is_delivered || receipt->error_code.len == 0 ? DB_NULL : DB_TEXT(receipt->error_code),
                    DB_TIME(receipt->at)),
            &settled);
    if (err == ERR_OK && receipt->state == SMPP_STATE_UNKNOWN)
        err = db_exec(tx, &part_doubt_stmt,
                      DB_ARGS(DB_ID(found->message), DB_I64(found->sender), DB_I64(found->part)), &settled);
    if (err == ERR_OK && settled == 0 && !found->was_unknown)
        item->fate_out = SMS_RECEIPT_NOTHING_NEW; /* of the way, or once more, or too late */
    if (err != ERR_OK || id_is_zero(found->channel) || (settled == 0 && !found->was_unknown && !has_failed))
        return err;
    return message_settle(tx, found, settled > 0, arena, item);
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

static int
id_order(const void *a, const void *b)
{
    return memcmp(((const struct id *)a)->bytes, ((const struct id *)b)->bytes, ID_BYTES);
}

/* Messages that a receipt of an id nobody knows may be about. */
static enum err
guesses_find(struct db_tx *tx, const struct sms_receipt *receipt, struct id out[static GUESSES_MAX],
             size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &part_guess_stmt, GUESS_ARGS(receipt), &rows);

    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < *count_out; i++)
        out[i] = db_id(rows, i, 0);
    db_rows_free(rows);
    return err;
}

/* A receipt, and of which message it is as far as that is known; zero: of none. */
struct place {
    struct id message;
    size_t at;
    bool is_guessed; /* a message may be found for it yet */
};

/*
 * Before anything of a message is locked: also those whose answer was lost, which wait in the queue for what
 * becomes of them.
 */
static enum err
messages_hold(struct db_tx *tx, const struct sms_receipt_item *items, const struct found *founds,
              size_t count, struct arena *arena, struct place *places)
{
    struct id *messages = arena_array(arena, GUESSES_MAX * count, sizeof(*messages));
    size_t held = 0, guesses = 0;
    enum err err = messages == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        places[i] = (struct place){ .message = founds[i].message, .at = i };
        if (founds[i].is_found)
            messages[held++] = founds[i].message;
        if (founds[i].is_found || !items[i].receipt.has_peer)
            continue;
        err = guesses_find(tx, &items[i].receipt, messages + held, &guesses);
        places[i].is_guessed = guesses > 0;
        if (guesses == 1)
            places[i].message = messages[held];
        held += guesses;
    }
    return err != ERR_OK || held == 0 ? err : message_queue_hold(tx, messages, held);
}

/* By message, as everybody locks them; of one in their order. Those of no message first. */
static int
place_order(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    int order = id_order(&left->message, &right->message);

    return order != 0 ? order : left->at < right->at ? -1 : left->at > right->at;
}

enum err
sms_receipts_apply(struct db_tx *tx, struct sms_receipt_item *items, size_t count, struct arena *arena)
{
    struct found *founds = arena_array(arena, count, sizeof(*founds));
    struct place *places = arena_array(arena, count, sizeof(*places));
    enum err err = founds == NULL || places == NULL ? ERR_NO_MEMORY : ERR_OK;

    if (err != ERR_OK || count == 0)
        return err;
    for (size_t i = 0; i < count; i++)
        items[i].has_report = false;
    err = parts_find(tx, items, count, arena, founds);
    if (err == ERR_OK)
        err = messages_hold(tx, items, founds, count, arena, places);
    if (err == ERR_OK)
        qsort(places, count, sizeof(*places), place_order);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct sms_receipt_item *item = &items[places[i].at];
        struct found *found = &founds[places[i].at];
        /* One before may have told its id; or what was being sent when it came has been recorded since. */
        if (!found->is_found && item->receipt.has_peer && (i > 0 || places[i].is_guessed))
            err = parts_find(tx, item, 1, arena, found);
        if (err == ERR_OK && !found->is_found && places[i].is_guessed) {
            err = part_guess(tx, &item->receipt, found);
            err = err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        if (err == ERR_OK)
            err = found->is_found ? receipt_apply(tx, found, arena, item)
                                  : receipt_park(tx, &item->receipt, &item->fate_out);
    }
    return err;
}

static const struct db_stmt doubts_due_stmt = {
    "sms_doubts_due",
    "SELECT DISTINCT tenant_id FROM sms_part WHERE state = 'taken' AND doubted_at IS NOT NULL"
    " AND doubted_at < now() - interval '24 hours' LIMIT 100" /* SMS_DOUBT_HOURS */
};
/* Lock order: gateways alone run it, and they sort. */
static const struct db_stmt doubts_end_stmt = {
    "sms_doubts_end",
    "WITH d AS MATERIALIZED (SELECT message_id, sender, part"
    " FROM sms_part WHERE tenant_id = $1 AND state = 'taken' AND doubted_at IS NOT NULL"
    " AND doubted_at < $4::timestamptz - make_interval(hours => $2::int) ORDER BY message_id, sender, part LIMIT $3"
    " FOR UPDATE SKIP LOCKED) UPDATE sms_part p SET state = 'failed', error_code = 'unknown', settled_at = $4 FROM d"
    " WHERE p.tenant_id = $1 AND p.message_id = d.message_id AND p.sender = d.sender"
    " AND p.part = d.part RETURNING p.message_id, p.sender, (SELECT coalesce(f.channel_id, m.channel_id) FROM message m"
    " LEFT JOIN message_fallback f ON f.tenant_id = $1 AND f.message_id = m.id AND f.position = p.sender"
    " WHERE m.tenant_id = $1 AND m.id = p.message_id)"
};

enum err
sms_doubts_end(struct db_tx *tx, struct wall_time now, struct arena *arena,
               struct message_report **reports_out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct message_report *reports = NULL;
    enum err err =
        db_query(tx, &doubts_end_stmt,
                 DB_ARGS(DB_I64(SMS_DOUBT_HOURS), DB_I64(SMS_PARK_SWEEP_MAX), DB_TIME(now)), &rows);

    *count_out = 0;
    if (err == ERR_OK && (reports = arena_array(arena, db_rows_count(rows), sizeof(*reports))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        if (!db_is_null(rows, i, 2))
            reports[(*count_out)++] = (struct message_report){
                .message = db_id(rows, i, 0),
                .channel = db_id(rows, i, 2),
                .sender = (unsigned)db_i64(rows, i, 1),
                .status = MESSAGE_FAILED,
                .at = now,
                .error_code = SLICE("sms-unknown"),
                .error_title = SLICE("The operator does not know what became of it."),
                .error_class = "permanent",
            };
    *reports_out = reports;
    db_rows_free(rows);
    return err;
}

/* Of a statement that gives workspaces. */
static enum err
tenants_due(struct db *db, const struct db_stmt *stmt, struct arena *arena, struct id **tenants_out,
            size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    struct id *tenants = NULL;
    enum err err = db_begin_across(db, "provider.interpret", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, stmt, DB_NO_ARGS, &rows);
    if (err == ERR_OK && (tenants = arena_array(arena, db_rows_count(rows), sizeof(*tenants))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        tenants[i] = db_id(rows, i, 0);
    *tenants_out = tenants;
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

enum err
sms_doubts_due(struct db *db, struct arena *arena, struct id **tenants_out, size_t *count_out)
{
    return tenants_due(db, &doubts_due_stmt, arena, tenants_out, count_out);
}

/*
 * Its part has been recorded; or it has waited for a moment, in which its own part would have been recorded,
 * and a part of the same connector has no id, since its answer never came: that may take as long as an answer
 * is waited for.
 */
#define GUESSED_AFTER   " interval '5 s'"
#define GUESSED_AT_MOST " interval '10 min'"
static const struct db_stmt receipts_due_stmt = {
    "sms_receipts_due",
    "SELECT DISTINCT r.tenant_id FROM sms_receipt_parked r JOIN sms_part p"
    " ON p.tenant_id = r.tenant_id AND p.connector_id = r.connector_id AND p.provider_id = r.provider_id"
    " UNION SELECT r.tenant_id FROM sms_receipt_parked r WHERE r.peer_index IS NOT NULL"
    " AND r.received_at BETWEEN now() -" GUESSED_AT_MOST " AND now() -" GUESSED_AFTER
    " AND EXISTS (SELECT FROM sms_part p WHERE p.tenant_id = r.tenant_id AND p.connector_id = r.connector_id"
    " AND p.state = 'unknown') LIMIT 100"
};

enum err
sms_receipts_due(struct db *db, struct arena *arena, struct id **tenants_out, size_t *count_out)
{
    return tenants_due(db, &receipts_due_stmt, arena, tenants_out, count_out);
}

/* In the order in which they came. */
static const struct db_stmt receipts_take_stmt = {
    "sms_receipts_take",
    "WITH gone AS (DELETE FROM sms_receipt_parked r WHERE r.tenant_id = $1 AND (r.connector_id, r.provider_id, r.state, r.done)"
    " IN (SELECT w.connector_id, w.provider_id, w.state, w.done FROM sms_receipt_parked w WHERE w.tenant_id = $1 AND EXISTS"
    " (SELECT FROM sms_part p WHERE p.tenant_id = $1 AND p.connector_id = w.connector_id AND p.provider_id = w.provider_id)"
    " OR w.received_at BETWEEN now() -" GUESSED_AT_MOST " AND now() -" GUESSED_AFTER
    " AND w.tenant_id = $1 AND (SELECT count(*) FROM (SELECT FROM sms_part p JOIN message m ON m.tenant_id = $1"
    " AND m.id = p.message_id WHERE p.tenant_id = $1 AND p.connector_id = w.connector_id AND p.state = 'unknown'"
    " AND m.peer_index = w.peer_index AND p.taken_at > now() - make_interval(days => $3::int)"
    " GROUP BY p.message_id, p.sender LIMIT 2) meant) = 1 AND NOT EXISTS (SELECT FROM message b WHERE b.tenant_id = $1"
    " AND b.peer_index = w.peer_index AND b.status = 'sending' AND NOT EXISTS (SELECT FROM sms_part u WHERE u.tenant_id = $1"
    " AND u.message_id = b.id AND u.connector_id = w.connector_id AND u.state = 'unknown')) LIMIT $2) RETURNING r.*)"
    " SELECT connector_id, provider_id, state, done, coalesce(error_code, ''), occurred_at, peer_index FROM gone"
    " ORDER BY received_at, state"
};

enum err
sms_receipts_take(struct db_tx *tx, struct arena *arena, struct sms_receipt **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct sms_receipt *receipts = NULL;
    enum err err = db_query(tx, &receipts_take_stmt,
                            DB_ARGS(DB_I64(SMS_PARK_SWEEP_MAX), DB_I64(UNKNOWN_DAYS_MAX)), &rows);

    if (err == ERR_OK && (receipts = arena_array(arena, db_rows_count(rows), sizeof(*receipts))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        receipts[i] = (struct sms_receipt){ .connector = db_id(rows, i, 0),
                                            .provider_id = arena_copy(arena, db_text(rows, i, 1)),
                                            .state = (enum smpp_state)db_i64(rows, i, 2),
                                            .done = arena_copy(arena, db_text(rows, i, 3)),
                                            .error_code = arena_copy(arena, db_text(rows, i, 4)),
                                            .at = db_time(rows, i, 5) };
        struct slice peer = db_is_null(rows, i, 6) ? SLICE_EMPTY : db_bytes(rows, i, 6);
        receipts[i].has_peer = peer.len == VAULT_INDEX_BYTES;
        if (receipts[i].has_peer)
            memcpy(receipts[i].peer_index, peer.ptr, VAULT_INDEX_BYTES);
        if (receipts[i].provider_id.ptr == NULL || receipts[i].done.ptr == NULL ||
            receipts[i].error_code.ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    *out = receipts;
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    db_rows_free(rows);
    return err;
}
