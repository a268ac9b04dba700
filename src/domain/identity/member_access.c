#include "domain/identity/member_access.h"
#include "domain/identity/membership_internal.h"

static const struct db_stmt member_keys_stmt = {
    "member_keys", MEMBERSHIP_MADE_KEYS
    " SELECT k.id, k.name, k.last_four, k.created_by <> $2, k.last_used_at FROM api_key k"
    " JOIN made ON made.id = k.id WHERE k.tenant_id = $1 AND k.revoked_at IS NULL"
    " AND (k.expires_at IS NULL OR k.expires_at > $3) ORDER BY k.id DESC LIMIT 500"
};
_Static_assert(API_KEY_PER_TENANT_MAX == 500, "the statement's limit");
static const struct db_stmt member_invitations_stmt = {
    "member_invitations",
    MEMBERSHIP_MADE_KEYS " SELECT count(*) FROM invitation WHERE tenant_id = $1 AND state = 'pending'"
                         " AND expires_at > $3 AND (invited_by = $2 OR invited_by IN (SELECT id FROM made))"
};

static enum err
keys_read(struct db_tx *tx, struct id person, struct wall_time now, struct arena *arena,
          struct member_access *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &member_keys_stmt, DB_ARGS(DB_ID(person), DB_TIME(now)), &rows);

    out->key_count = err == ERR_OK ? db_rows_count(rows) : 0;
    out->keys = arena_array(arena, out->key_count, sizeof(*out->keys));
    if (err == ERR_OK && out->keys == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < out->key_count; i++) {
        struct member_key *key = &out->keys[i];
        *key = (struct member_key){ .id = db_id(rows, i, 0),
                                    .name = arena_copy(arena, db_text(rows, i, 1)),
                                    .last_four = arena_copy(arena, db_text(rows, i, 2)),
                                    .is_by_key = db_bool(rows, i, 3) };
        if (!db_is_null(rows, i, 4))
            key->last_used_at = db_time(rows, i, 4);
        if (key->name.ptr == NULL || key->last_four.ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    db_rows_free(rows);
    return err;
}

enum err
member_access_read(struct db_tx *tx, const struct clock *clock, struct id person, struct arena *arena,
                   struct member_access *out)
{
    struct wall_time now = clock_wall(clock);
    struct db_rows *rows = NULL;

    *out = (struct member_access){ .key_count = 0 };
    enum err err = keys_read(tx, person, now, arena, out);
    if (err == ERR_OK)
        err = db_query(tx, &member_invitations_stmt, DB_ARGS(DB_ID(person), DB_TIME(now)), &rows);
    if (err == ERR_OK)
        out->invitation_count = db_i64(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt member_sign_in_stmt = {
    "member_sign_in",
    "SELECT (SELECT count(*) FROM person_session WHERE tenant_id = $1 AND person_id = $2 AND acting_tenant = $3"
    " AND ended_at IS NULL AND expires_at > $4 AND seen_at > $5),"
    " (SELECT count(*) FROM passkey WHERE tenant_id = $1 AND person_id = $2),"
    " EXISTS (SELECT FROM totp WHERE tenant_id = $1 AND person_id = $2 AND confirmed_at IS NOT NULL)"
};

enum err
member_sign_in_read(struct db_tx *tx, const struct clock *clock, const struct session_rules *rules,
                    struct id person, struct id workspace, struct member_sign_in *out)
{
    struct wall_time now = clock_wall(clock);
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &member_sign_in_stmt,
        DB_ARGS(DB_ID(person), DB_ID(workspace), DB_TIME(now), DB_TIME(wall_after_ms(now, -rules->idle_ms))),
        &rows);

    *out = (struct member_sign_in){ .session_count = 0 };
    if (err == ERR_OK)
        *out = (struct member_sign_in){ .session_count = db_i64(rows, 0, 0),
                                        .passkey_count = db_i64(rows, 0, 1),
                                        .has_totp = db_bool(rows, 0, 2) };
    db_rows_free(rows);
    return err;
}
