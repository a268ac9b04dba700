#include "domain/channel/sms/sms_fragment.h"

#define SET_ARGS(s)                                                                                          \
    DB_ID((s)->connector), DB_ID((s)->channel),                                                              \
        DB_BYTES(slice_of((s)->peer_index, sizeof((s)->peer_index))), DB_I64((s)->reference),                \
        DB_I64((s)->part_count)
#define OF_SET                                                                                                    \
    " WHERE tenant_id = $1 AND connector_id = $2 AND channel_id = $3 AND peer_index = $4 AND reference = $5::int" \
    " AND part_count = $6::smallint"

static const struct db_stmt fragment_keep_stmt = {
    "sms_fragment_keep",
    "INSERT INTO sms_fragment (tenant_id, connector_id, channel_id, peer_index, reference, part_count, part, event_id,"
    " received_at) VALUES ($1, $2, $3, $4, $5::int, $6::smallint, $7::smallint, $8, $9) ON CONFLICT DO NOTHING"
};

enum err
sms_fragment_keep(struct db_tx *tx, const struct sms_fragment_set *set, unsigned part, struct id event,
                  struct wall_time at)
{
    return db_exec(tx, &fragment_keep_stmt, DB_ARGS(SET_ARGS(set), DB_I64(part), DB_ID(event), DB_TIME(at)),
                   NULL);
}

static const struct db_stmt fragments_due_stmt = {
    "sms_fragments_due",
    "SELECT tenant_id, connector_id, channel_id, peer_index, reference, part_count FROM sms_fragment"
    " GROUP BY tenant_id, connector_id, channel_id, peer_index, reference, part_count"
    " HAVING count(*) = part_count OR min(received_at) < now() - make_interval(secs => $1) LIMIT $2"
};

enum err
sms_fragments_due(struct db *db, struct arena *arena, struct sms_fragment_set **out, size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    struct sms_fragment_set *sets = NULL;
    enum err err = db_begin_across(db, "provider.interpret", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &fragments_due_stmt,
                       DB_ARGS(DB_I64(SMS_FRAGMENT_WAIT_S), DB_I64(SMS_FRAGMENT_SETS)), &rows);
    if (err == ERR_OK && (sets = arena_array(arena, db_rows_count(rows), sizeof(*sets))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        struct slice peer = db_bytes(rows, i, 3);
        sets[i] = (struct sms_fragment_set){ .tenant = db_id(rows, i, 0),
                                             .connector = db_id(rows, i, 1),
                                             .channel = db_id(rows, i, 2),
                                             .reference = (int)db_i64(rows, i, 4),
                                             .part_count = (unsigned)db_i64(rows, i, 5) };
        if (peer.len != VAULT_INDEX_BYTES)
            err = ERR_DB_DATA;
        else
            memcpy(sets[i].peer_index, peer.ptr, VAULT_INDEX_BYTES);
    }
    *out = sets;
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt fragments_read_stmt = {
    "sms_fragments_read",
    "SELECT part, event_id, received_at FROM sms_fragment" OF_SET " ORDER BY part LIMIT 255"
};

enum err
sms_fragments_read(struct db_tx *tx, const struct sms_fragment_set *set, struct arena *arena,
                   struct sms_fragment **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct sms_fragment *fragments = NULL;
    enum err err = db_query(tx, &fragments_read_stmt, DB_ARGS(SET_ARGS(set)), &rows);

    if (err == ERR_OK && (fragments = arena_array(arena, db_rows_count(rows), sizeof(*fragments))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        fragments[i] = (struct sms_fragment){ .part = (unsigned)db_i64(rows, i, 0),
                                              .event = db_id(rows, i, 1),
                                              .at = db_time(rows, i, 2) };
    *out = fragments;
    *count_out = err == ERR_OK ? db_rows_count(rows) : 0;
    db_rows_free(rows);
    return err;
}

static const struct db_stmt fragments_done_stmt = { "sms_fragments_done", "DELETE FROM sms_fragment" OF_SET };

enum err
sms_fragments_done(struct db_tx *tx, const struct sms_fragment_set *set, size_t count)
{
    size_t gone = 0;
    enum err err = db_exec(tx, &fragments_done_stmt, DB_ARGS(SET_ARGS(set)), &gone);

    return err == ERR_OK && gone != count ? ERR_STATE_CONFLICT : err;
}

static const struct db_stmt channel_by_sender_stmt = {
    "sms_channel_by_sender",
    "SELECT channel_id FROM sms_channel WHERE tenant_id = $1 AND upper(sender) IN (upper($2), $3) ORDER BY upper(sender) = $3"
    " LIMIT 1"
};

enum err
sms_channel_by_sender(struct db_tx *tx, struct slice sender, struct slice number, struct id *out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &channel_by_sender_stmt,
                 DB_ARGS(DB_TEXT(sender), number.len == 0 ? DB_TEXT(sender) : DB_TEXT(number)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *out = db_id(rows, 0, 0);
    db_rows_free(rows);
    return err;
}
