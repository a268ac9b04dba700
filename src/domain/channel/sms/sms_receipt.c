#include "domain/channel/sms/sms_receipt.h"
#include "domain/channel/sms/sms_error.h"
#include "domain/message/message_queue.h"
#include <stdlib.h>

#define UNKNOWN_DAYS_MAX   3    /* how long after it left a part without an id may be the one of a receipt */
#define GUESS_MESSAGES_MAX 1000 /* of one person, that are looked at for it */

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
 * sent to this person its answer may be the one: nobody can say yet. By the person's messages, the newest
 * ones, and the key of each, whatever the planner knows: where an operator was away there are thousands of
 * parts without an id. Of a message there are at most four senders' 255 parts.
 */
static const struct db_stmt part_guess_stmt = {
    "sms_part_guess",
    "WITH own AS MATERIALIZED (SELECT id, channel_id, status FROM message WHERE tenant_id = $1 AND peer_index = $3"
    " ORDER BY id DESC LIMIT $5)"
    " SELECT p.message_id, p.sender, min(p.part), max(p.part_count), (SELECT coalesce(f.channel_id, o.channel_id) FROM own o"
    " LEFT JOIN message_fallback f ON f.tenant_id = $1 AND f.message_id = o.id AND f.position = p.sender"
    " WHERE o.id = p.message_id) FROM own m CROSS JOIN LATERAL (SELECT u.message_id, u.sender, u.part, u.part_count"
    " FROM sms_part u WHERE u.tenant_id = $1 AND u.message_id = m.id AND u.connector_id = $2 AND u.state = 'unknown'"
    " AND u.taken_at > now() - make_interval(days => $4::int) LIMIT 1020) p WHERE NOT EXISTS (SELECT FROM own b"
    " WHERE b.status = 'sending' AND (SELECT count(*) FROM sms_part u WHERE u.tenant_id = $1 AND u.message_id = b.id"
    " AND u.connector_id = $2 AND u.state = 'unknown') = 0)"
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
            DB_I64(UNKNOWN_DAYS_MAX), DB_I64(GUESS_MESSAGES_MAX))

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
 * is not sent again, and another gateway may be giving away the same part; or have the same receipt, which an
 * operator sends twice, and have told its id. ERR_NOT_FOUND: it has to wait.
 */
static enum err
part_guess(struct db_tx *tx, const struct sms_receipt_item *item, struct arena *arena, struct found *out)
{
    const struct sms_receipt *receipt = &item->receipt;
    struct found locked = { .is_found = false }, chosen = { .is_found = false };
    enum err err = guess_read(tx, receipt, &locked);

    if (err == ERR_OK)
        err = db_exec(tx, &parts_lock_stmt, DB_ARGS(DB_ID(locked.message), DB_I64(locked.sender)), NULL);
    if (err == ERR_OK)
        err = parts_find(tx, item, 1, arena, out);
    if (err != ERR_OK || out->is_found)
        return err;
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
    *fate_out = receipt->provider_id.len == 0 ? SMS_RECEIPT_NOTHING_NEW : SMS_RECEIPT_PARKED;
    if (receipt->provider_id.len == 0)
        return ERR_OK; /* it says of nobody's message anything: the stored body is all there is */
    return db_exec(
        tx, &receipt_park_stmt,
        DB_ARGS(DB_ID(receipt->connector), DB_TEXT(receipt->provider_id), DB_I64(receipt->state),
                DB_TEXT(receipt->done),
                DB_TEXT(receipt->error_code.len == 0 ? SLICE("") : receipt->error_code), DB_TIME(receipt->at),
                receipt->has_peer ? DB_BYTES(slice_of(receipt->peer_index, sizeof(receipt->peer_index)))
                                  : DB_NULL),
        NULL);
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
            err = part_guess(tx, item, arena, found);
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

static const struct db_stmt receipts_due_stmt = {
    "sms_receipts_due", "SELECT DISTINCT tenant_id FROM sms_receipt_parked WHERE due_at <= now() LIMIT 100"
};

enum err
sms_receipts_due(struct db *db, struct arena *arena, struct id **tenants_out, size_t *count_out)
{
    return tenants_due(db, &receipts_due_stmt, arena, tenants_out, count_out);
}

/*
 * In the order in which they came. After a second those who park and record at the same moment see each
 * other; 4 s later what was being sent then has been recorded or given up, and it may be one without an id;
 * then each time twice as long. Before, it is of nobody: no person is given.
 */
static const struct db_stmt receipts_take_stmt = {
    "sms_receipts_take",
    "WITH w AS MATERIALIZED (SELECT connector_id, provider_id, state, done FROM sms_receipt_parked WHERE tenant_id = $1"
    " AND due_at <= now() ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED),"
    " looked AS (UPDATE sms_receipt_parked r SET looks = least(r.looks + 1, 14), due_at = now() + make_interval(secs => 4 << r.looks)"
    " FROM w WHERE r.tenant_id = $1 AND (r.connector_id, r.provider_id, r.state, r.done) = (w.connector_id, w.provider_id,"
    " w.state, w.done) RETURNING r.*)"
    " SELECT connector_id, provider_id, state, done, coalesce(error_code, ''), occurred_at,"
    " CASE WHEN looks > 1 THEN peer_index END FROM looked ORDER BY received_at, state"
};

enum err
sms_receipts_take(struct db_tx *tx, struct arena *arena, struct sms_receipt **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct sms_receipt *receipts = NULL;
    enum err err = db_query(tx, &receipts_take_stmt, DB_ARGS(DB_I64(SMS_PARK_SWEEP_MAX)), &rows);

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

static const struct db_stmt receipts_done_stmt = {
    "sms_receipts_done",
    "DELETE FROM sms_receipt_parked r USING unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[]) AS g (connector_id,"
    " provider_id, state, done) WHERE r.tenant_id = $1 AND (r.connector_id, r.provider_id, r.state, r.done) ="
    " (g.connector_id, g.provider_id, g.state::smallint, g.done)"
};

enum err
sms_receipts_done(struct db_tx *tx, const struct sms_receipt_item *items, size_t count, struct arena *arena)
{
    struct id *connectors = arena_array(arena, count, sizeof(*connectors));
    struct slice *ids = arena_array(arena, count, sizeof(*ids)),
                 *dones = arena_array(arena, count, sizeof(*dones));
    int64_t *states = arena_array(arena, count, sizeof(*states));
    size_t n = 0;

    if (connectors == NULL || ids == NULL || dones == NULL || states == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (items[i].fate_out == SMS_RECEIPT_PARKED)
            continue;
        connectors[n] = items[i].receipt.connector;
        ids[n] = items[i].receipt.provider_id;
        dones[n] = items[i].receipt.done;
        states[n++] = items[i].receipt.state;
    }
    return n == 0 ? ERR_OK
                  : db_exec(tx, &receipts_done_stmt,
                            DB_ARGS(DB_ID_ARRAY(connectors, n), DB_TEXT_ARRAY(ids, n),
                                    DB_I64_ARRAY(states, n), DB_TEXT_ARRAY(dones, n)),
                            NULL);
}
