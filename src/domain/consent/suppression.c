#include "domain/consent/suppression.h"
#include "domain/tenant/sealed_column.h"

static const char *const reason_words[] = { "keyword", "preference", "complaint", "manual", "import" };
#define OWN_REASONS "('keyword', 'preference', 'complaint')"
/* The row that is there stays as it is, but for the person's own reason in place of another's. */
#define KEEPS "WHEN s.reason IN " OWN_REASONS " OR excluded.reason NOT IN " OWN_REASONS

const char *
suppression_reason_word(enum suppression_reason reason)
{
    return reason_words[reason];
}

enum err
suppression_reason_parse(struct slice word, enum suppression_reason *out)
{
    for (unsigned i = 0; i < COUNT_OF(reason_words); i++)
        if (slice_eq(word, slice_text(reason_words[i]))) {
            *out = (enum suppression_reason)i;
            return ERR_OK;
        }
    return ERR_DB_DATA;
}

bool
suppression_is_own(enum suppression_reason reason)
{
    return reason == SUPPRESSION_KEYWORD || reason == SUPPRESSION_PREFERENCE ||
           reason == SUPPRESSION_COMPLAINT;
}

/* One by one: lists come by the thousand once, and opt-outs one at a time. Within one batch they are
 * pipelined. */
static const struct db_stmt suppression_add_stmt = {
    "suppression_add",
    "INSERT INTO suppression AS s (tenant_id, peer_index, channel_kind, scope, reason, id, event_id, actor_kind, actor_id,"
    " at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    " ON CONFLICT (tenant_id, peer_index, channel_kind, scope) DO UPDATE SET"
    " reason = CASE " KEEPS " THEN s.reason ELSE excluded.reason END,"
    " event_id = CASE " KEEPS " THEN s.event_id ELSE excluded.event_id END,"
    " actor_kind = CASE " KEEPS " THEN s.actor_kind ELSE excluded.actor_kind END,"
    " actor_id = CASE " KEEPS " THEN s.actor_id ELSE excluded.actor_id END,"
    " at = CASE " KEEPS " THEN s.at ELSE excluded.at END"
    " RETURNING id"
};
static const struct db_stmt suppression_tell_stmt = {
    "suppression_tell",
    "INSERT INTO event (tenant_id, id, type, subject_id, occurred_at, data)"
    " SELECT $1, id, $5::text, subject, now(), data FROM unnest($2::uuid[], $3::uuid[], $4::jsonb[])"
    " AS g (id, subject, data)"
};

static struct slice
told_print(struct slice kind, bool is_all, enum suppression_reason reason, struct arena *arena)
{
    return arena_format(arena, "{\"channel\":\"%.*s\",\"scope\":\"%s\",\"reason\":\"%s\"}", SLICE_FMT(kind),
                        is_all ? "all" : "promotional", reason_words[reason]);
}

static enum err
tell(struct db_tx *tx, const struct clock *clock, enum event_type type, struct id *subjects,
     struct slice *datas, size_t count, struct arena *arena)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));

    if (count == 0)
        return ERR_OK;
    if (ids == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        ids[i] = id_new(clock);
        if (datas[i].ptr == NULL)
            return ERR_NO_MEMORY;
    }
    return db_exec(tx, &suppression_tell_stmt,
                   DB_ARGS(DB_ID_ARRAY(ids, count), DB_ID_ARRAY(subjects, count), DB_JSON_ARRAY(datas, count),
                           DB_TEXT_Z(event_type_word(type))),
                   NULL);
}

enum err
suppression_add(struct db_tx *tx, const struct clock *clock, struct suppression_new *rows, size_t count,
                struct arena *arena)
{
    struct id *subjects = arena_array(arena, count, sizeof(*subjects));
    struct slice *datas = arena_array(arena, count, sizeof(*datas));
    size_t told = 0;
    enum err err = subjects == NULL || datas == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct suppression_new *row = &rows[i];
        struct db_rows *result = NULL;
        err = db_query(tx, &suppression_add_stmt,
                       DB_ARGS(DB_BYTES(slice_of(row->peer_index, VAULT_INDEX_BYTES)),
                               DB_TEXT(row->channel_kind), DB_TEXT_Z(row->is_all ? "all" : "promotional"),
                               DB_TEXT_Z(reason_words[row->reason]), DB_ID(row->id),
                               id_is_zero(row->entry) ? DB_NULL : DB_ID(row->entry),
                               DB_TEXT_Z(consent_actor_word(row->actor)),
                               id_is_zero(row->actor_id) ? DB_NULL : DB_ID(row->actor_id), DB_TIME(row->at)),
                       &result);
        row->is_fresh = err == ERR_OK && id_eq(db_id(result, 0, 0), row->id);
        if (row->is_fresh) {
            subjects[told] = row->id;
            datas[told++] = told_print(row->channel_kind, row->is_all, row->reason, arena);
        } else if (err == ERR_OK) {
            row->id = db_id(result, 0, 0);
        }
        db_rows_free(result);
        if (err == ERR_OK && row->is_fresh && row->peer != NULL)
            err = consent_peer_keep(tx, row->id, row->peer_index, row->peer);
    }
    return err == ERR_OK ? tell(tx, clock, EVENT_SUPPRESSION_ADDED, subjects, datas, told, arena) : err;
}

#define SUPPRESSION_COLUMNS                                                                                  \
    "SELECT s.id, s.channel_kind, s.scope, s.reason, s.event_id, s.actor_kind, s.actor_id, s.at, p.id,"      \
    " p.key_version, p.peer_ct, p.peer_iv, p.peer_tag FROM suppression s"                                    \
    " LEFT JOIN consent_peer p ON p.tenant_id = s.tenant_id AND p.peer_index = s.peer_index"
#define SUPPRESSION_FILTERS                                                                                  \
    " WHERE s.tenant_id = $1 AND s.id < $2 AND ($3::text IS NULL OR s.channel_kind = $3)"                    \
    " AND ($4::text IS NULL OR s.reason = $4)"
static const struct db_stmt suppression_list_stmt = { "suppression_list",
                                                      SUPPRESSION_COLUMNS SUPPRESSION_FILTERS
                                                      " ORDER BY s.id DESC LIMIT $5" };
static const struct db_stmt suppression_list_of_stmt = {
    "suppression_list_of",
    SUPPRESSION_COLUMNS SUPPRESSION_FILTERS " AND s.peer_index = $6 ORDER BY s.id DESC LIMIT $5"
};
static const struct db_stmt suppression_get_stmt = { "suppression_get", SUPPRESSION_COLUMNS
                                                     " WHERE s.tenant_id = $1 AND s.id = $2" };

static enum err
suppression_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct suppression *out)
{
    *out = (struct suppression){ .id = db_id(rows, row, 0),
                                 .channel_kind = arena_copy(arena, db_text(rows, row, 1)),
                                 .scope = arena_copy(arena, db_text(rows, row, 2)),
                                 .actor = arena_copy(arena, db_text(rows, row, 5)),
                                 .at = db_time(rows, row, 7),
                                 .has_peer = !db_is_null(rows, row, 8) };
    enum err err = suppression_reason_parse(db_text(rows, row, 3), &out->reason);

    if (out->channel_kind.ptr == NULL || out->scope.ptr == NULL || out->actor.ptr == NULL)
        err = ERR_NO_MEMORY;
    if (!db_is_null(rows, row, 4))
        out->entry = db_id(rows, row, 4);
    if (!db_is_null(rows, row, 6))
        out->actor_id = db_id(rows, row, 6);
    if (err != ERR_OK || !out->has_peer)
        return err;
    out->peer_row = db_id(rows, row, 8);
    return sealed_column_read(rows, row, 10, (uint32_t)db_i64(rows, row, 9), arena, &out->peer);
}

enum err
suppression_list(struct db_tx *tx, const struct suppression_filter *filter, size_t limit, struct arena *arena,
                 struct suppression **out, size_t *count_out)
{
    struct id newest;
    struct db_rows *rows = NULL;
    memset(newest.bytes, 0xff, sizeof(newest.bytes));
    struct db_arg args[] = { DB_ID(id_is_zero(filter->cursor) ? newest : filter->cursor),
                             DB_TEXT(filter->channel_kind), DB_TEXT(filter->reason),
                             DB_I64((int64_t)limit + 1), DB_NULL };
    if (filter->peer_index != NULL)
        args[4] = DB_BYTES(slice_of(filter->peer_index, VAULT_INDEX_BYTES));
    enum err err =
        db_query(tx, filter->peer_index == NULL ? &suppression_list_stmt : &suppression_list_of_stmt,
                 (struct db_args){ args, filter->peer_index == NULL ? 4 : 5 }, &rows);

    *count_out = 0;
    if (err == ERR_OK && (*out = arena_array(arena, db_rows_count(rows), sizeof(**out))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        err = suppression_from_row(rows, i, arena, &(*out)[i]);
        *count_out += err == ERR_OK;
    }
    db_rows_free(rows);
    return err;
}

enum err
suppression_get(struct db_tx *tx, struct id id, struct arena *arena, struct suppression *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &suppression_get_stmt, DB_ARGS(DB_ID(id)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : suppression_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

enum err
suppression_peers_open(const struct vault *vault, struct id tenant, const struct suppression *rows,
                       size_t count, struct arena *arena, struct slice *peers_out)
{
    struct consent *as = arena_array(arena, count, sizeof(*as));

    if (as == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        as[i] = (struct consent){ .has_peer = rows[i].has_peer,
                                  .peer_row = rows[i].peer_row,
                                  .peer = rows[i].peer };
    return consent_peers_open(vault, tenant, as, count, arena, peers_out);
}

static const struct db_stmt suppression_remove_stmt = {
    "suppression_remove",
    "DELETE FROM suppression WHERE tenant_id = $1 AND id = $2 AND reason NOT IN " OWN_REASONS
};

enum err
suppression_remove(struct db_tx *tx, const struct clock *clock, struct id id, struct arena *arena)
{
    struct suppression row;
    enum err err = suppression_get(tx, id, arena, &row);

    if (err == ERR_OK && suppression_is_own(row.reason))
        err = ERR_SUPPRESSION_OWN;
    if (err == ERR_OK)
        err = db_exec_one(tx, &suppression_remove_stmt, DB_ARGS(DB_ID(id)));
    if (err != ERR_OK)
        return err;
    struct slice data = told_print(row.channel_kind, slice_eq(row.scope, SLICE("all")), row.reason, arena);
    return tell(tx, clock, EVENT_SUPPRESSION_REMOVED, &id, &data, 1, arena);
}

/* What was put there by a later word stays; a withdrawal wins on equal time. */
static const struct db_stmt suppression_lift_stmt = {
    "suppression_lift",
    "DELETE FROM suppression WHERE tenant_id = $1 AND peer_index = $2 AND channel_kind = $3"
    " AND reason = $4 AND at < $5 RETURNING id, scope"
};

enum err
suppression_lift(struct db_tx *tx, const struct clock *clock,
                 const unsigned char peer_index[VAULT_INDEX_BYTES], struct slice channel_kind,
                 enum suppression_reason reason, struct wall_time at, bool *was_lifted_out)
{
    struct db_rows *rows = NULL;
    struct arena *arena = arena_new(4096);
    enum err err =
        arena == NULL ? ERR_NO_MEMORY
                      : db_query(tx, &suppression_lift_stmt,
                                 DB_ARGS(DB_BYTES(slice_of(peer_index, VAULT_INDEX_BYTES)),
                                         DB_TEXT(channel_kind), DB_TEXT_Z(reason_words[reason]), DB_TIME(at)),
                                 &rows);

    *was_lifted_out = err == ERR_OK && db_rows_count(rows) > 0;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        struct id id = db_id(rows, i, 0);
        struct slice data =
            told_print(channel_kind, slice_eq(db_text(rows, i, 1), SLICE("all")), reason, arena);
        err = tell(tx, clock, EVENT_SUPPRESSION_REMOVED, &id, &data, 1, arena);
    }
    db_rows_free(rows);
    arena_free(arena);
    return err;
}
