/* Members as they are listed and changed, and how one ends. */
#include "domain/identity/membership.h"
#include "domain/identity/membership_internal.h"

#define MEMBER_COLUMNS                                                                                       \
    "m.id, m.person_id, m.role, m.role_id, r.permissions, coalesce(r.name, m.role), m.state, m.scope,"       \
    " m.channels::text[], m.joined_at, m.last_seen_at, m.left_at, m.revision,"                               \
    " ARRAY(SELECT i.team_id FROM team_member i WHERE i.tenant_id = m.tenant_id AND i.membership_id = m.id"  \
    " ORDER BY 1)::text[],"                                                                                  \
    " (SELECT count(*) FROM api_key k WHERE k.tenant_id = m.tenant_id AND k.created_by = m.person_id"        \
    " AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()))"
#define MEMBER_TABLES " FROM membership m LEFT JOIN role r ON r.tenant_id = m.tenant_id AND r.id = m.role_id"
#define TEAMS_MAX     100u /* TEAM_PER_TENANT_MAX */

enum err
membership_state_parse(struct slice word, enum membership_state *out)
{
    for (unsigned i = MEMBERSHIP_ACTIVE; i <= MEMBERSHIP_LEFT; i++)
        if (slice_eq(word, slice_text(membership_state_word((enum membership_state)i)))) {
            *out = (enum membership_state)i;
            return ERR_OK;
        }
    return ERR_STATE_CONFLICT;
}

static enum err
member_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct membership *out)
{
    *out = (struct membership){ .id = db_id(rows, row, 0),
                                .person = db_id(rows, row, 1),
                                .role_name = arena_copy(arena, db_text(rows, row, 5)),
                                .joined_at = db_time(rows, row, 9),
                                .revision = db_i64(rows, row, 12),
                                .key_count = db_i64(rows, row, 14) };
    if (out->role_name.ptr == NULL)
        return ERR_NO_MEMORY;
    if (!db_is_null(rows, row, 10))
        out->last_seen_at = db_time(rows, row, 10);
    if (!db_is_null(rows, row, 11))
        out->left_at = db_time(rows, row, 11);
    enum err err = membership_role_read(rows, row, 2, 3, 4, arena, &out->role, &out->permissions);
    if (err == ERR_OK)
        err = membership_state_parse(db_text(rows, row, 6), &out->state);
    if (err == ERR_OK)
        err = membership_reach_parse(db_text(rows, row, 7), &out->reach);
    if (err == ERR_OK)
        err = membership_ids_read(rows, row, 8, arena, MEMBERSHIP_CHANNELS_MAX, &out->channels,
                                  &out->channel_count);
    return err == ERR_OK ? membership_ids_read(rows, row, 13, arena, TEAMS_MAX, &out->teams, &out->team_count)
                         : err;
}

static const struct db_stmt membership_list_stmt = {
    "membership_list",
    "SELECT " MEMBER_COLUMNS MEMBER_TABLES " WHERE m.tenant_id = $1 AND ($2::uuid IS NULL OR m.id < $2)"
    " AND CASE WHEN $3::text IS NULL THEN m.state <> 'left' ELSE m.state = $3 END"
    " ORDER BY m.id DESC LIMIT $4"
};

enum err
membership_list(struct db_tx *tx, const struct membership_filter *filter, size_t limit, struct arena *arena,
                struct membership **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &membership_list_stmt,
                 DB_ARGS(id_is_zero(filter->cursor) ? DB_NULL : DB_ID(filter->cursor),
                         filter->has_state ? DB_TEXT_Z(membership_state_word(filter->state)) : DB_NULL,
                         DB_I64((int64_t)limit + 1)),
                 &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct membership *members = err == ERR_OK ? arena_array(arena, count, sizeof(*members)) : NULL;

    if (err == ERR_OK && members == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = member_from_row(rows, i, arena, &members[i]);
    if (err == ERR_OK) {
        *out = members;
        *count_out = count;
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt membership_get_stmt = { "membership_get",
                                                    "SELECT " MEMBER_COLUMNS MEMBER_TABLES
                                                    " WHERE m.tenant_id = $1 AND m.id = $2" };
static const struct db_stmt membership_lock_stmt = { "membership_lock",
                                                     "SELECT " MEMBER_COLUMNS MEMBER_TABLES
                                                     " WHERE m.tenant_id = $1 AND m.id = $2"
                                                     " FOR UPDATE OF m" };

static enum err
member_read(struct db_tx *tx, const struct db_stmt *stmt, struct id membership, struct arena *arena,
            struct membership *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, stmt, DB_ARGS(DB_ID(membership)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : member_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

enum err
membership_get(struct db_tx *tx, struct id membership, struct arena *arena, struct membership *out)
{
    return member_read(tx, &membership_get_stmt, membership, arena, out);
}

static const struct db_stmt membership_owner_stmt = {
    "membership_owner", "SELECT FROM membership WHERE tenant_id = $1 AND person_id = $2 AND role = 'owner'"
                        " AND state = 'active' AND scope = 'all'"
};

enum err
membership_authority(struct db_tx *tx, uint64_t permissions, const struct id *person, struct id actor,
                     struct authority *out)
{
    *out = (struct authority){ .permissions = permissions,
                               .kind = person == NULL ? "key" : "person",
                               .actor = actor };
    if (person == NULL)
        return ERR_OK; /* no key makes owners */
    enum err err = db_exec_one(tx, &membership_owner_stmt, DB_ARGS(DB_ID(*person)));
    out->is_owner = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static bool
is_owner(const struct membership *member)
{
    return !member->role.is_custom && member->role.word == ROLE_OWNER && member->state == MEMBERSHIP_ACTIVE &&
           member->reach == MEMBERSHIP_ALL;
}

/*
 * Locks them all: two owners who take the role from each other meet here, and one of them stays.
 * Lock order: gateways alone run it, and they sort.
 */
static const struct db_stmt membership_owners_stmt = {
    "membership_owners",
    "SELECT id FROM membership WHERE tenant_id = $1 AND role = 'owner' AND state = 'active'"
    " AND scope = 'all' ORDER BY id LIMIT 2000 FOR UPDATE" /* MEMBERSHIP_PER_TENANT_MAX */
};

static enum err
other_owner_check(struct db_tx *tx, struct id but)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &membership_owners_stmt, DB_NO_ARGS, &rows);
    bool has_other = false;

    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        has_other = has_other || !id_eq(db_id(rows, i, 0), but);
    db_rows_free(rows);
    return err == ERR_OK && !has_other ? ERR_LAST_OWNER : err;
}

static const struct db_stmt membership_update_stmt = {
    "membership_update",
    "UPDATE membership SET role = $3, role_id = $4, scope = $5, channels = $6, state = $7,"
    " updated_at = $8, revision = revision + 1 WHERE tenant_id = $1 AND id = $2"
};

/* The member as the change leaves it, judged. */
static enum err
change_apply(struct db_tx *tx, const struct authority *authority, const struct membership_change *change,
             struct arena *arena, struct membership *member)
{
    bool was_owner = is_owner(member);
    enum err err = ERR_OK;

    if (change->has_role) {
        member->role = change->role;
        err = role_permissions(tx, &change->role, arena, &member->permissions);
    }
    if (change->has_reach) {
        member->reach = change->reach;
        member->channel_count = change->reach == MEMBERSHIP_CHANNELS ? change->channel_count : 0;
        member->channels = NULL;
        if (err == ERR_OK && member->channel_count > 0) {
            member->channels = arena_array(arena, member->channel_count, sizeof(*member->channels));
            if (member->channels == NULL)
                return ERR_NO_MEMORY;
            memcpy(member->channels, change->channels, member->channel_count * sizeof(*member->channels));
        }
        if (err == ERR_OK)
            err = membership_channels_check(tx, member->channels, member->channel_count);
    }
    if (change->has_state)
        member->state = change->state;
    if (err == ERR_OK && !authority_covers(authority, &member->role, member->permissions))
        err = ERR_AUTHORITY;
    return err == ERR_OK && was_owner && !is_owner(member) ? other_owner_check(tx, member->id) : err;
}

enum err
membership_update(struct db_tx *tx, const struct clock *clock, const struct authority *authority,
                  struct id membership, const struct membership_change *change, struct arena *arena)
{
    struct membership member;
    enum err err = member_read(tx, &membership_lock_stmt, membership, arena, &member);

    if (err == ERR_OK && member.state == MEMBERSHIP_LEFT)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK && change->revision != 0 && change->revision != member.revision)
        err = ERR_HTTP_PRECONDITION;
    if (err == ERR_OK && !authority_covers(authority, &member.role, member.permissions))
        err = ERR_AUTHORITY;
    if (err == ERR_OK)
        err = change_apply(tx, authority, change, arena, &member);
    return err == ERR_OK
               ? db_exec_one(
                     tx, &membership_update_stmt,
                     DB_ARGS(DB_ID(membership),
                             member.role.is_custom ? DB_NULL : DB_TEXT_Z(role_word_text(member.role.word)),
                             member.role.is_custom ? DB_ID(member.role.id) : DB_NULL,
                             DB_TEXT_Z(membership_reach_word(member.reach)),
                             DB_ID_ARRAY(member.channels, member.channel_count),
                             DB_TEXT_Z(membership_state_word(member.state)), DB_TIME(clock_wall(clock))))
               : err;
}

static const struct db_stmt membership_keys_stmt = {
    "membership_keys",
    MEMBERSHIP_MADE_KEYS " UPDATE api_key k SET revoked_at = $3 FROM made WHERE k.tenant_id = $1"
                         " AND k.id = made.id AND k.revoked_at IS NULL"
};

enum err
membership_keys_revoke(struct db_tx *tx, const struct clock *clock, struct id person, size_t *count_out)
{
    return db_exec(tx, &membership_keys_stmt, DB_ARGS(DB_ID(person), DB_TIME(clock_wall(clock))), count_out);
}

static const struct db_stmt membership_end_stmt = {
    "membership_end",
    "UPDATE membership SET state = 'left', left_at = $3, scope = 'all', channels = '{}', updated_at = $3,"
    " revision = revision + 1 WHERE tenant_id = $1 AND id = $2"
};
static const struct db_stmt membership_teams_stmt = {
    "membership_teams", "DELETE FROM team_member WHERE tenant_id = $1 AND membership_id = $2"
};
/* Those that the person's keys have sent are the person's too. */
static const struct db_stmt membership_invitations_stmt = {
    "membership_invitations",
    MEMBERSHIP_MADE_KEYS " UPDATE invitation SET state = 'revoked', settled_at = $3 WHERE tenant_id = $1"
                         " AND state = 'pending' AND (invited_by = $2 OR invited_by IN (SELECT id FROM made))"
};
/* Whoever has left need not be judged any more: an open review notes who ended it. */
static const struct db_stmt membership_review_stmt = {
    "membership_review",
    "UPDATE access_review_item i SET decision = 'revoked', decided_by_kind = $3, decided_by = $4, decided_at = $5"
    " FROM access_review v WHERE v.tenant_id = $1 AND v.state = 'open' AND i.tenant_id = $1"
    " AND i.review_id = v.id AND i.membership_id = $2"
};

enum err
membership_end(struct db_tx *tx, const struct clock *clock, const struct authority *authority,
               struct id membership, struct arena *arena, size_t *keys_out)
{
    struct wall_time now = clock_wall(clock);
    struct membership member;
    enum err err = member_read(tx, &membership_lock_stmt, membership, arena, &member);

    *keys_out = 0;
    if (err != ERR_OK || member.state == MEMBERSHIP_LEFT)
        return err;
    if (!authority_covers(authority, &member.role, member.permissions))
        return ERR_AUTHORITY;
    if (is_owner(&member))
        err = other_owner_check(tx, membership);
    if (err == ERR_OK)
        err = db_exec_one(tx, &membership_end_stmt, DB_ARGS(DB_ID(membership), DB_TIME(now)));
    if (err == ERR_OK)
        err = db_exec(tx, &membership_teams_stmt, DB_ARGS(DB_ID(membership)), NULL);
    if (err == ERR_OK)
        err = db_exec(tx, &membership_invitations_stmt, DB_ARGS(DB_ID(member.person), DB_TIME(now)), NULL);
    if (err == ERR_OK)
        err = db_exec(
            tx, &membership_review_stmt,
            DB_ARGS(DB_ID(membership), DB_TEXT_Z(authority->kind), DB_ID(authority->actor), DB_TIME(now)),
            NULL);
    return err == ERR_OK ? membership_keys_revoke(tx, clock, member.person, keys_out) : err;
}
