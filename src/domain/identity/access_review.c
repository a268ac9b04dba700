#include "domain/identity/access_review.h"
#include "domain/identity/membership_internal.h"

static const struct db_stmt review_open_stmt = {
    "access_review_open", "INSERT INTO access_review (tenant_id, id, due_at, every_days, created_at)"
                          " VALUES ($1, $2, $3, $4, $5)"
};
static const struct db_stmt review_fill_stmt = {
    "access_review_fill",
    "INSERT INTO access_review_item (tenant_id, review_id, membership_id, role_name, permissions, scope, key_count,"
    " last_seen_at) SELECT $1, $2, m.id, coalesce(r.name, m.role), coalesce(r.permissions, w.permissions, '{}'),"
    " m.scope, (SELECT count(*) FROM api_key k WHERE k.tenant_id = $1 AND k.created_by = m.person_id"
    " AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())), m.last_seen_at"
    " FROM membership m LEFT JOIN role r ON r.tenant_id = m.tenant_id AND r.id = m.role_id"
    " LEFT JOIN (SELECT word, string_to_array(list, ' ') AS permissions FROM unnest($3::text[], $4::text[])"
    " AS given (word, list)) w ON w.word = m.role WHERE m.tenant_id = $1 AND m.state <> 'left'"
};

/* What the built-in roles are now, for the record: words and their permissions, joined by blanks. */
static enum err
review_fill(struct db_tx *tx, struct id review)
{
    struct slice words[ROLE_WORD_COUNT], lists[ROLE_WORD_COUNT], scopes[API_SCOPE_COUNT];
    struct arena *arena = arena_new(64u * 1024u);
    enum err err = arena == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (unsigned i = 0; err == ERR_OK && i < ROLE_WORD_COUNT; i++) {
        size_t count = api_scopes_words(role_word_permissions((enum role_word)i), scopes);
        words[i] = slice_text(role_word_text((enum role_word)i));
        lists[i] = scopes[0]; /* no built-in role is empty */
        for (size_t s = 1; s < count && lists[i].ptr != NULL; s++)
            lists[i] = arena_format(arena, "%.*s %.*s", SLICE_FMT(lists[i]), SLICE_FMT(scopes[s]));
        if (lists[i].ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    if (err == ERR_OK)
        err = db_exec(tx, &review_fill_stmt,
                      DB_ARGS(DB_ID(review), DB_TEXT_ARRAY(words, ROLE_WORD_COUNT),
                              DB_TEXT_ARRAY(lists, ROLE_WORD_COUNT)),
                      NULL);
    arena_free(arena);
    return err;
}

enum err
access_review_open(struct db_tx *tx, const struct clock *clock, struct wall_time due_at, int64_t every_days,
                   struct id *id_out)
{
    *id_out = id_new(clock);
    enum err err =
        db_exec_one(tx, &review_open_stmt,
                    DB_ARGS(DB_ID(*id_out), DB_TIME(due_at), every_days == 0 ? DB_NULL : DB_I64(every_days),
                            DB_TIME(clock_wall(clock))));

    return err == ERR_OK ? review_fill(tx, *id_out) : err;
}

#define REVIEW_COLUMNS                                                                                       \
    "v.id, v.state, v.due_at, v.every_days, v.created_at, v.closed_at,"                                      \
    " (SELECT count(*) FROM access_review_item i WHERE i.tenant_id = v.tenant_id AND i.review_id = v.id),"   \
    " (SELECT count(i.decision) FROM access_review_item i WHERE i.tenant_id = v.tenant_id"                   \
    " AND i.review_id = v.id)"

static void
review_from_row(const struct db_rows *rows, size_t row, struct access_review *out)
{
    *out = (struct access_review){ .id = db_id(rows, row, 0),
                                   .is_open = slice_eq(db_text(rows, row, 1), SLICE("open")),
                                   .due_at = db_time(rows, row, 2),
                                   .every_days = db_is_null(rows, row, 3) ? 0 : db_i64(rows, row, 3),
                                   .created_at = db_time(rows, row, 4),
                                   .item_count = db_i64(rows, row, 6),
                                   .decided_count = db_i64(rows, row, 7) };
    if (!db_is_null(rows, row, 5))
        out->closed_at = db_time(rows, row, 5);
}

static const struct db_stmt review_list_stmt = {
    "access_review_list", "SELECT " REVIEW_COLUMNS " FROM access_review v WHERE v.tenant_id = $1"
                          " AND ($2::uuid IS NULL OR v.id < $2) ORDER BY v.id DESC LIMIT $3"
};

enum err
access_review_list(struct db_tx *tx, struct id before, size_t limit, struct arena *arena,
                   struct access_review **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &review_list_stmt,
                 DB_ARGS(id_is_zero(before) ? DB_NULL : DB_ID(before), DB_I64((int64_t)limit + 1)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct access_review *reviews = err == ERR_OK ? arena_array(arena, count, sizeof(*reviews)) : NULL;

    if (err == ERR_OK && reviews == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        review_from_row(rows, i, &reviews[i]);
    if (err == ERR_OK) {
        *out = reviews;
        *count_out = count;
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt review_get_stmt = { "access_review_get",
                                                "SELECT " REVIEW_COLUMNS
                                                " FROM access_review v WHERE v.tenant_id = $1"
                                                " AND v.id = $2" };
static const struct db_stmt review_lock_stmt = { "access_review_lock",
                                                 "SELECT " REVIEW_COLUMNS
                                                 " FROM access_review v WHERE v.tenant_id = $1"
                                                 " AND v.id = $2 FOR UPDATE OF v" };

static enum err
review_read(struct db_tx *tx, const struct db_stmt *stmt, struct id review, struct access_review *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, stmt, DB_ARGS(DB_ID(review)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        review_from_row(rows, 0, out);
    db_rows_free(rows);
    return err;
}

enum err
access_review_get(struct db_tx *tx, struct id review, struct access_review *out)
{
    return review_read(tx, &review_get_stmt, review, out);
}

static const struct db_stmt review_items_stmt = {
    "access_review_items",
    "SELECT i.membership_id, m.person_id, i.role_name, i.permissions, i.scope, i.key_count, i.last_seen_at,"
    " i.decision, i.decided_by_kind, i.decided_by, i.decided_at, m.state, (SELECT max(k.last_used_at) FROM api_key k"
    " WHERE k.tenant_id = $1 AND k.created_by = m.person_id) FROM access_review_item i"
    " JOIN membership m ON m.tenant_id = i.tenant_id AND m.id = i.membership_id"
    " WHERE i.tenant_id = $1 AND i.review_id = $2 ORDER BY i.membership_id LIMIT 2000" /* MEMBERSHIP_PER_TENANT_MAX
                                                                                        */
};

static enum err
item_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct access_review_item *out)
{
    *out = (struct access_review_item){ .membership = db_id(rows, row, 0),
                                        .person = db_id(rows, row, 1),
                                        .role_name = arena_copy(arena, db_text(rows, row, 2)),
                                        .key_count = db_i64(rows, row, 5) };
    if (out->role_name.ptr == NULL)
        return ERR_NO_MEMORY;
    if (!db_is_null(rows, row, 6))
        out->last_seen_at = db_time(rows, row, 6);
    if (!db_is_null(rows, row, 7)) {
        out->decision = arena_copy(arena, db_text(rows, row, 7));
        out->decided_by_kind = arena_copy(arena, db_text(rows, row, 8));
        out->decided_by = db_id(rows, row, 9);
        out->decided_at = db_time(rows, row, 10);
        if (out->decision.ptr == NULL || out->decided_by_kind.ptr == NULL)
            return ERR_NO_MEMORY;
    }
    if (!db_is_null(rows, row, 12))
        out->keys_used_at = db_time(rows, row, 12);
    enum err err = membership_reach_parse(db_text(rows, row, 4), &out->reach);
    if (err == ERR_OK)
        err = membership_state_parse(db_text(rows, row, 11), &out->state);
    return err == ERR_OK ? api_scopes_from_row(rows, row, 3, arena, &out->permissions) : err;
}

enum err
access_review_items(struct db_tx *tx, struct id review, struct arena *arena, struct access_review_item **out,
                    size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &review_items_stmt, DB_ARGS(DB_ID(review)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct access_review_item *items = err == ERR_OK ? arena_array(arena, count, sizeof(*items)) : NULL;

    if (err == ERR_OK && items == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = item_from_row(rows, i, arena, &items[i]);
    if (err == ERR_OK) {
        *out = items;
        *count_out = count;
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt review_item_stmt = {
    "access_review_item", "SELECT decision FROM access_review_item WHERE tenant_id = $1 AND review_id = $2"
                          " AND membership_id = $3 FOR UPDATE"
};
static const struct db_stmt review_decide_stmt = {
    "access_review_decide",
    "UPDATE access_review_item SET decision = $4, decided_by_kind = $5, decided_by = $6, decided_at = $7"
    " WHERE tenant_id = $1 AND review_id = $2 AND membership_id = $3"
};

enum err
access_review_decide(struct db_tx *tx, const struct clock *clock, const struct authority *authority,
                     struct id review, struct id membership, bool is_revoked, struct arena *arena,
                     size_t *keys_out)
{
    struct access_review found;
    struct membership member;
    struct db_rows *rows = NULL;
    enum err err = review_read(tx, &review_lock_stmt, review, &found);

    *keys_out = 0;
    if (err == ERR_OK && !found.is_open)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = db_query(tx, &review_item_stmt, DB_ARGS(DB_ID(review), DB_ID(membership)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK && slice_eq(db_text(rows, 0, 0), SLICE("revoked")))
        err = ERR_STATE_CONFLICT;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = membership_get(tx, membership, arena, &member);
    if (err == ERR_OK && !authority_covers(authority, &member.role, member.permissions))
        err = ERR_AUTHORITY; /* who has less cannot say that somebody needs more */
    if (err == ERR_OK && is_revoked)
        err = membership_end(tx, clock, authority, membership, arena, keys_out);
    return err == ERR_OK ? db_exec_one(tx, &review_decide_stmt,
                                       DB_ARGS(DB_ID(review), DB_ID(membership),
                                               DB_TEXT(is_revoked ? SLICE("revoked") : SLICE("confirmed")),
                                               DB_TEXT_Z(authority->kind), DB_ID(authority->actor),
                                               DB_TIME(clock_wall(clock))))
                         : err;
}

static const struct db_stmt review_close_stmt = {
    "access_review_close",
    "UPDATE access_review SET state = 'closed', closed_at = $3 WHERE tenant_id = $1 AND id = $2"
};

enum err
access_review_close(struct db_tx *tx, const struct clock *clock, struct id review, struct id *next_out)
{
    struct wall_time now = clock_wall(clock);
    struct access_review found;
    enum err err = review_read(tx, &review_lock_stmt, review, &found);

    *next_out = (struct id){ { 0 } };
    if (err == ERR_OK && (!found.is_open || found.decided_count < found.item_count))
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = db_exec_one(tx, &review_close_stmt, DB_ARGS(DB_ID(review), DB_TIME(now)));
    if (err == ERR_OK && found.every_days > 0)
        err = access_review_open(tx, clock, wall_after_ms(now, found.every_days * INT64_C(86400000)),
                                 found.every_days, next_out);
    return err;
}
