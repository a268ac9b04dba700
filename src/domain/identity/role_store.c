#include "domain/identity/role.h"

bool
authority_covers(const struct authority *authority, const struct role_ref *role, uint64_t permissions)
{
    if (!role->is_custom && role->word == ROLE_OWNER && !authority->is_owner)
        return false;
    return (permissions & ~authority->permissions) == 0;
}

#define ROLE_COLUMNS                                                                                         \
    "r.id, r.name, r.description, r.permissions, r.created_at, r.updated_at, r.revision,"                    \
    " (SELECT count(*) FROM membership m WHERE m.tenant_id = r.tenant_id AND m.role_id = r.id"               \
    " AND m.state <> 'left')"

static enum err
role_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct custom_role *out)
{
    *out = (struct custom_role){ .id = db_id(rows, row, 0),
                                 .name = arena_copy(arena, db_text(rows, row, 1)),
                                 .description = arena_copy(arena, db_text(rows, row, 2)),
                                 .created_at = db_time(rows, row, 4),
                                 .updated_at = db_time(rows, row, 5),
                                 .revision = db_i64(rows, row, 6),
                                 .member_count = db_i64(rows, row, 7) };
    if (out->name.ptr == NULL || out->description.ptr == NULL)
        return ERR_NO_MEMORY;
    return api_scopes_from_row(rows, row, 3, arena, &out->permissions);
}

static const struct db_stmt role_list_stmt = { "role_list",
                                               "SELECT " ROLE_COLUMNS " FROM role r WHERE r.tenant_id = $1"
                                               " ORDER BY r.name LIMIT 50" }; /* ROLE_PER_TENANT_MAX */

enum err
role_list(struct db_tx *tx, struct arena *arena, struct custom_role **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &role_list_stmt, DB_NO_ARGS, &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct custom_role *roles = err == ERR_OK ? arena_array(arena, count, sizeof(*roles)) : NULL;

    if (err == ERR_OK && roles == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = role_from_row(rows, i, arena, &roles[i]);
    if (err == ERR_OK) {
        *out = roles;
        *count_out = count;
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt role_get_stmt = { "role_get",
                                              "SELECT " ROLE_COLUMNS
                                              " FROM role r WHERE r.tenant_id = $1 AND r.id = $2" };

enum err
role_get(struct db_tx *tx, struct id role, struct arena *arena, struct custom_role *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &role_get_stmt, DB_ARGS(DB_ID(role)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : role_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt role_word_counts_stmt = {
    "role_word_counts", "SELECT role, count(*) FROM membership WHERE tenant_id = $1 AND role IS NOT NULL"
                        " AND state <> 'left' GROUP BY role LIMIT 100"
};

enum err
role_word_counts(struct db_tx *tx, int64_t out[static ROLE_WORD_COUNT])
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &role_word_counts_stmt, DB_NO_ARGS, &rows);

    memset(out, 0, ROLE_WORD_COUNT * sizeof(*out));
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        enum role_word word;
        if (role_word_parse(db_text(rows, i, 0), &word) == ERR_OK)
            out[word] = db_i64(rows, i, 1);
    }
    db_rows_free(rows);
    return err;
}

enum err
role_permissions(struct db_tx *tx, const struct role_ref *role, struct arena *arena, uint64_t *out)
{
    struct custom_role own;

    if (!role->is_custom) {
        *out = role_word_permissions(role->word);
        return ERR_OK;
    }
    enum err err = role_get(tx, role->id, arena, &own);
    *out = err == ERR_OK ? own.permissions : 0;
    return err == ERR_NOT_FOUND ? ERR_ROLE_UNKNOWN : err;
}

/* A name that reads like a built-in role's would deceive. */
static bool
is_built_in_name(struct slice name)
{
    for (unsigned i = 0; i < ROLE_WORD_COUNT; i++)
        if (slice_eq_nocase(name, slice_text(role_word_text((enum role_word)i))))
            return true;
    return false;
}

static const struct db_stmt role_create_stmt = {
    "role_create",
    "INSERT INTO role (tenant_id, id, name, description, permissions, created_at, updated_at)"
    " SELECT $1, $2, $3, $4, $5, $6, $6 WHERE (SELECT count(*) FROM role WHERE tenant_id = $1) < 50"
};

enum err
role_create(struct db_tx *tx, const struct clock *clock, const struct authority *authority,
            const struct custom_role *with)
{
    struct slice words[API_SCOPE_COUNT];
    const struct role_ref own = { .is_custom = true, .id = with->id };
    size_t affected = 0;

    if (!authority_covers(authority, &own, with->permissions))
        return ERR_AUTHORITY;
    if (is_built_in_name(with->name))
        return ERR_EXISTS;
    enum err err = db_exec(tx, &role_create_stmt,
                           DB_ARGS(DB_ID(with->id), DB_TEXT(with->name), DB_TEXT(with->description),
                                   DB_TEXT_ARRAY(words, api_scopes_words(with->permissions, words)),
                                   DB_TIME(clock_wall(clock))),
                           &affected);
    return err == ERR_OK && affected == 0 ? ERR_TOO_MANY : err;
}

static const struct db_stmt role_lock_stmt = { "role_lock",
                                               "SELECT " ROLE_COLUMNS
                                               " FROM role r WHERE r.tenant_id = $1 AND r.id = $2"
                                               " FOR UPDATE OF r" };

static enum err
role_lock(struct db_tx *tx, struct id role, struct arena *arena, struct custom_role *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &role_lock_stmt, DB_ARGS(DB_ID(role)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : role_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt role_update_stmt = {
    "role_update", "UPDATE role SET name = $3, description = $4, permissions = $5, updated_at = $6,"
                   " revision = revision + 1 WHERE tenant_id = $1 AND id = $2"
};

enum err
role_update(struct db_tx *tx, const struct clock *clock, const struct authority *authority,
            const struct custom_role *with, struct arena *arena)
{
    struct slice words[API_SCOPE_COUNT];
    const struct role_ref own = { .is_custom = true, .id = with->id };
    struct custom_role before;
    enum err err = role_lock(tx, with->id, arena, &before);

    if (err == ERR_OK && with->revision != 0 && with->revision != before.revision)
        err = ERR_HTTP_PRECONDITION;
    if (err == ERR_OK && !authority_covers(authority, &own, before.permissions | with->permissions))
        err = ERR_AUTHORITY;
    if (err == ERR_OK && is_built_in_name(with->name))
        err = ERR_EXISTS;
    return err == ERR_OK
               ? db_exec_one(tx, &role_update_stmt,
                             DB_ARGS(DB_ID(with->id), DB_TEXT(with->name), DB_TEXT(with->description),
                                     DB_TEXT_ARRAY(words, api_scopes_words(with->permissions, words)),
                                     DB_TIME(clock_wall(clock))))
               : err;
}

/* Members who left and invitations that are over keep no role from going: they fall back to the least. */
static const struct db_stmt role_free_stmt = {
    "role_free",
    "UPDATE membership SET role = 'billing', role_id = NULL WHERE tenant_id = $1 AND role_id = $2"
    " AND state = 'left'"
};
static const struct db_stmt role_delete_stmt = {
    "role_delete", "DELETE FROM role r WHERE r.tenant_id = $1 AND r.id = $2"
                   " AND NOT EXISTS (SELECT FROM membership WHERE tenant_id = $1 AND role_id = $2)"
                   " AND NOT EXISTS (SELECT FROM invitation WHERE tenant_id = $1 AND role_id = $2)"
};
static const struct db_stmt role_invitations_stmt = {
    "role_invitations",
    "UPDATE invitation SET role = 'billing', role_id = NULL WHERE tenant_id = $1 AND role_id = $2"
    " AND (state <> 'pending' OR expires_at <= now())"
};

enum err
role_delete(struct db_tx *tx, const struct authority *authority, struct id role, struct arena *arena)
{
    const struct role_ref own = { .is_custom = true, .id = role };
    struct custom_role before;
    enum err err = role_lock(tx, role, arena, &before);

    if (err == ERR_OK && !authority_covers(authority, &own, before.permissions))
        err = ERR_AUTHORITY;
    if (err == ERR_OK)
        err = db_exec(tx, &role_free_stmt, DB_ARGS(DB_ID(role)), NULL);
    if (err == ERR_OK)
        err = db_exec(tx, &role_invitations_stmt, DB_ARGS(DB_ID(role)), NULL);
    if (err == ERR_OK) {
        err = db_exec_one(tx, &role_delete_stmt, DB_ARGS(DB_ID(role)));
        err = err == ERR_NOT_FOUND ? ERR_ROLE_IN_USE : err;
    }
    return err;
}
