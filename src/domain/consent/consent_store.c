/* Reading the ledger, and erasing what is personal beside it. */
#include "domain/consent/consent.h"
#include "domain/tenant/sealed_column.h"

#define CONSENT_COLUMNS                                                                                      \
    "e.id, e.peer_index, e.channel_kind, e.purpose, e.state, e.source, e.method, e.language, e.notice_id,"   \
    " e.message_id, e.channel_id, e.actor_id, e.has_evidence, e.actor_kind, e.at, e.recorded_at, p.id,"      \
    " p.key_version, p.peer_ct, p.peer_iv, p.peer_tag"
#define CONSENT_TABLES                                                                                       \
    " FROM consent_event e LEFT JOIN consent_peer p ON p.tenant_id = e.tenant_id AND p.peer_index = e.peer_index"
static const struct db_stmt consent_get_stmt = {
    "consent_get",
    "SELECT " CONSENT_COLUMNS ", v.key_version, v.evidence_ct, v.evidence_iv, v.evidence_tag" CONSENT_TABLES
    " LEFT JOIN consent_evidence v ON v.tenant_id = e.tenant_id AND v.event_id = e.id"
    " WHERE e.tenant_id = $1 AND e.id = $2"
};
#define CONSENT_FILTERS                                                                                      \
    " AND ($3::text IS NULL OR e.channel_kind = $3) AND ($4::text IS NULL OR e.purpose = $4)"                \
    " AND ($5::text IS NULL OR e.state = $5) AND ($6::text IS NULL OR e.source = $6)"                        \
    " AND ($7::timestamptz IS NULL OR e.recorded_at >= $7) AND ($8::timestamptz IS NULL OR e.recorded_at < $8)"
static const struct db_stmt consent_list_stmt = { "consent_list",
                                                  "SELECT " CONSENT_COLUMNS CONSENT_TABLES
                                                  " WHERE e.tenant_id = $1 AND e.id < $2" CONSENT_FILTERS
                                                  " ORDER BY e.id DESC LIMIT $9" };
static const struct db_stmt consent_list_of_stmt = { "consent_list_of",
                                                     "SELECT " CONSENT_COLUMNS CONSENT_TABLES
                                                     " WHERE e.tenant_id = $1 AND e.id < $2" CONSENT_FILTERS
                                                     " AND e.peer_index = $10 ORDER BY e.id DESC LIMIT $9" };
static const struct db_stmt consent_holdings_stmt = {
    "consent_holdings", "SELECT channel_kind, purpose, state, at, event_id FROM consent_state"
                        " WHERE tenant_id = $1 AND peer_index = $2 ORDER BY channel_kind, purpose LIMIT 200"
};
static const struct db_stmt consent_peer_one_stmt = {
    "consent_peer_one",
    "INSERT INTO consent_peer (tenant_id, id, peer_index, key_version, peer_ct, peer_iv, peer_tag)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
};
static const struct db_stmt consent_erase_stmt = {
    "consent_erase",
    "WITH evidence AS (DELETE FROM consent_evidence v USING consent_event e WHERE v.tenant_id = $1 AND e.tenant_id = $1"
    " AND e.peer_index = $2 AND v.event_id = e.id RETURNING 1),"
    " peer AS (DELETE FROM consent_peer WHERE tenant_id = $1 AND peer_index = $2 RETURNING 1)"
    " SELECT (SELECT count(*) FROM evidence) + (SELECT count(*) FROM peer)"
};

static struct id
id_or_zero(const struct db_rows *rows, size_t row, int column)
{
    return db_is_null(rows, row, column) ? (struct id){ { 0 } } : db_id(rows, row, column);
}

/* NULL stays NULL. */
static bool
text_copy(const struct db_rows *rows, size_t row, int column, struct arena *arena, struct slice *out)
{
    *out = SLICE_EMPTY;
    if (db_is_null(rows, row, column))
        return true;
    *out = arena_copy(arena, db_text(rows, row, column));
    return out->ptr != NULL;
}

static enum err
consent_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct consent *out)
{
    struct slice index = db_bytes(rows, row, 1);

    *out = (struct consent){ .id = db_id(rows, row, 0),
                             .notice = id_or_zero(rows, row, 8),
                             .message = id_or_zero(rows, row, 9),
                             .channel = id_or_zero(rows, row, 10),
                             .actor_id = id_or_zero(rows, row, 11),
                             .has_evidence = db_bool(rows, row, 12),
                             .at = db_time(rows, row, 14),
                             .recorded_at = db_time(rows, row, 15),
                             .has_peer = !db_is_null(rows, row, 16) };
    if (index.len != sizeof(out->peer_index))
        return ERR_SEAL_CORRUPT;
    memcpy(out->peer_index, index.ptr, index.len);
    if (!text_copy(rows, row, 2, arena, &out->channel_kind) ||
        !text_copy(rows, row, 3, arena, &out->purpose) || !text_copy(rows, row, 6, arena, &out->method) ||
        !text_copy(rows, row, 7, arena, &out->language) || !text_copy(rows, row, 13, arena, &out->actor))
        return ERR_NO_MEMORY;
    enum err err = consent_state_parse(db_text(rows, row, 4), &out->state);
    if (err == ERR_OK)
        err = consent_source_parse(db_text(rows, row, 5), &out->source);
    out->peer_row = id_or_zero(rows, row, 16);
    return err == ERR_OK && out->has_peer
               ? sealed_column_read(rows, row, 18, (uint32_t)db_i64(rows, row, 17), arena, &out->peer)
               : err;
}

enum err
consent_get(struct db_tx *tx, struct id id, struct arena *arena, struct consent *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &consent_get_stmt, DB_ARGS(DB_ID(id)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = consent_from_row(rows, 0, arena, out);
    if (err == ERR_OK && !db_is_null(rows, 0, 21)) {
        out->has_sealed_evidence = true;
        err = sealed_column_read(rows, 0, 22, (uint32_t)db_i64(rows, 0, 21), arena, &out->evidence);
    }
    db_rows_free(rows);
    return err;
}

enum err
consent_list(struct db_tx *tx, const struct consent_filter *filter, size_t limit, struct arena *arena,
             struct consent **out, size_t *count_out)
{
    struct id newest;
    struct db_rows *rows = NULL;
    memset(newest.bytes, 0xff, sizeof(newest.bytes));
    struct db_arg args[] = { DB_ID(id_is_zero(filter->cursor) ? newest : filter->cursor),
                             DB_TEXT(filter->channel_kind),
                             DB_TEXT(filter->purpose),
                             DB_TEXT(filter->state),
                             DB_TEXT(filter->source),
                             filter->since.us == 0 ? DB_NULL : DB_TIME(filter->since),
                             filter->until.us == 0 ? DB_NULL : DB_TIME(filter->until),
                             DB_I64((int64_t)limit + 1),
                             DB_NULL };
    if (filter->peer_index != NULL)
        args[8] = DB_BYTES(slice_of(filter->peer_index, VAULT_INDEX_BYTES));
    enum err err = db_query(tx, filter->peer_index == NULL ? &consent_list_stmt : &consent_list_of_stmt,
                            (struct db_args){ args, filter->peer_index == NULL ? 8 : 9 }, &rows);

    *count_out = 0;
    if (err == ERR_OK && (*out = arena_array(arena, db_rows_count(rows), sizeof(**out))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        err = consent_from_row(rows, i, arena, &(*out)[i]);
        *count_out += err == ERR_OK;
    }
    db_rows_free(rows);
    return err;
}

enum err
consent_holdings(struct db_tx *tx, const unsigned char peer_index[VAULT_INDEX_BYTES], struct arena *arena,
                 struct consent_holding **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &consent_holdings_stmt,
                            DB_ARGS(DB_BYTES(slice_of(peer_index, VAULT_INDEX_BYTES))), &rows);

    *count_out = 0;
    if (err == ERR_OK && (*out = arena_array(arena, db_rows_count(rows), sizeof(**out))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        struct consent_holding *holding = &(*out)[i];
        *holding = (struct consent_holding){ .at = db_time(rows, i, 3), .entry = db_id(rows, i, 4) };
        if (!text_copy(rows, i, 0, arena, &holding->channel_kind) ||
            !text_copy(rows, i, 1, arena, &holding->purpose))
            err = ERR_NO_MEMORY;
        if (err == ERR_OK)
            err = consent_state_parse(db_text(rows, i, 2), &holding->state);
        *count_out += err == ERR_OK;
    }
    db_rows_free(rows);
    return err;
}

enum err
consent_peers_open(const struct vault *vault, struct id tenant, const struct consent *entries, size_t count,
                   struct arena *arena, struct slice *peers_out)
{
    struct vault_ask *asks = arena_array(arena, count, sizeof(*asks));
    struct vault_place *places = arena_array(arena, count, sizeof(*places));
    size_t n = 0;

    if (asks == NULL || places == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (entries[i].has_peer) {
            places[n] = consent_peer_place(tenant, entries[i].peer_row);
            asks[n] = vault_ask_open(VAULT_CONTENT, &places[n], &entries[i].peer);
            n++;
        }
    vault_ask_many(vault, asks, n, arena);
    for (size_t i = 0, at = 0; i < count; i++)
        peers_out[i] = entries[i].has_peer ? asks[at++].plain : SLICE_EMPTY;
    return vault_asks_err(asks, n);
}

enum err
consent_peer_keep(struct db_tx *tx, struct id row, const unsigned char peer_index[VAULT_INDEX_BYTES],
                  const struct vault_sealed *peer)
{
    return db_exec(tx, &consent_peer_one_stmt,
                   DB_ARGS(DB_ID(row), DB_BYTES(slice_of(peer_index, VAULT_INDEX_BYTES)),
                           DB_I64(peer->key_version), SEALED_ARGS(peer)),
                   NULL);
}

enum err
consent_erase(struct db_tx *tx, const unsigned char peer_index[VAULT_INDEX_BYTES], size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &consent_erase_stmt, DB_ARGS(DB_BYTES(slice_of(peer_index, VAULT_INDEX_BYTES))), &rows);

    *count_out = err == ERR_OK ? (size_t)db_i64(rows, 0, 0) : 0;
    db_rows_free(rows);
    return err;
}
