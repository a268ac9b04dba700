#include "domain/identity/invitation.h"
#include "crypto/hash.h"
#include "domain/identity/enrolment.h"
#include "domain/identity/membership_internal.h"
#include "domain/tenant/sealed_column.h"

static const char *const state_words[] = { "pending", "accepted", "expired", "revoked" };

const char *
invitation_state_word(enum invitation_state state)
{
    return state_words[state];
}

enum err
invitation_state_parse(struct slice word, enum invitation_state *out)
{
    for (unsigned i = 0; i < COUNT_OF(state_words); i++)
        if (slice_eq(word, slice_text(state_words[i]))) {
            *out = (enum invitation_state)i;
            return ERR_OK;
        }
    return ERR_STATE_CONFLICT;
}

static struct vault_place
email_place(struct id tenant, struct id invitation)
{
    return (
        struct vault_place){ .tenant = tenant, .table = "invitation", .column = "email", .row = invitation };
}

enum err
invitation_seal(const struct vault *vault, struct id tenant, struct slice email, struct arena *arena,
                struct invitation_new *with)
{
    struct vault_seal_item item = { .place = email_place(tenant, with->id),
                                    .plain = email,
                                    .index_label = "invitation" };
    enum err err = vault_seal_many(vault, VAULT_CONTENT, &item, 1, arena);

    with->email = item.sealed;
    memcpy(with->email_index, item.index, sizeof(with->email_index));
    return err;
}

enum err
invitation_email_open(const struct vault *vault, const struct invitation *invitation, struct arena *arena,
                      struct slice *out)
{
    struct vault_place place = email_place(invitation->tenant, invitation->id);

    return vault_open_content(vault, &place, &invitation->email, arena, out);
}

static struct wall_time
ends_at(struct wall_time now)
{
    return wall_after_ms(now, INVITATION_HOURS * INT64_C(3600000));
}

static const struct db_stmt invitation_expire_stmt = {
    "invitation_expire",
    "UPDATE invitation SET state = 'expired', settled_at = expires_at WHERE tenant_id = $1"
    " AND state = 'pending' AND expires_at <= $2"
};
static const struct db_stmt invitation_teams_stmt = {
    "invitation_teams", "SELECT (SELECT count(*) FROM team WHERE tenant_id = $1 AND id = ANY ($2)),"
                        " (SELECT count(*) FROM invitation WHERE tenant_id = $1 AND state = 'pending')"
};
static const struct db_stmt invitation_insert_stmt = {
    "invitation_insert",
    "INSERT INTO invitation (tenant_id, id, key_version, email_ct, email_iv, email_tag, email_index, role, role_id,"
    " scope, channels, teams, token_hash, invited_by_kind, invited_by, created_at, expires_at, is_mailed)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
};

static enum err
room_check(struct db_tx *tx, const struct invitation_new *with)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &invitation_teams_stmt, DB_ARGS(DB_ID_ARRAY(with->teams, with->team_count)), &rows);

    if (err == ERR_OK && db_i64(rows, 0, 0) != (int64_t)with->team_count)
        err = ERR_TEAM_UNKNOWN;
    if (err == ERR_OK && db_i64(rows, 0, 1) >= (int64_t)INVITATION_PER_TENANT_MAX)
        err = ERR_TOO_MANY;
    db_rows_free(rows);
    return err;
}

enum err
invitation_create(struct db_tx *tx, const struct clock *clock, const struct authority *authority,
                  const struct invitation_new *with, struct arena *arena)
{
    struct wall_time now = clock_wall(clock);
    uint64_t permissions = 0;
    enum err err = role_permissions(tx, &with->role, arena, &permissions);

    if (err == ERR_OK && !authority_covers(authority, &with->role, permissions))
        err = ERR_AUTHORITY;
    if (err == ERR_OK)
        err = membership_channels_check(tx, with->channels, with->channel_count);
    if (err == ERR_OK)
        err = db_exec(tx, &invitation_expire_stmt, DB_ARGS(DB_TIME(now)), NULL);
    if (err == ERR_OK)
        err = room_check(tx, with);
    if (err == ERR_OK)
        err = db_exec_one(tx, &invitation_insert_stmt,
                          DB_ARGS(DB_ID(with->id), DB_I64(with->email.key_version), SEALED_ARGS(&with->email),
                                  DB_BYTES(slice_of(with->email_index, sizeof(with->email_index))),
                                  with->role.is_custom ? DB_NULL : DB_TEXT_Z(role_word_text(with->role.word)),
                                  with->role.is_custom ? DB_ID(with->role.id) : DB_NULL,
                                  DB_TEXT_Z(membership_reach_word(with->reach)),
                                  DB_ID_ARRAY(with->channels, with->channel_count),
                                  DB_ID_ARRAY(with->teams, with->team_count),
                                  DB_BYTES(slice_of(with->token_hash, sizeof(with->token_hash))),
                                  DB_TEXT_Z(authority->kind), DB_ID(authority->actor), DB_TIME(now),
                                  DB_TIME(ends_at(now)), DB_BOOL(with->is_mailed)));
    return err;
}

#define INVITATION_COLUMNS                                                                                   \
    "v.id, v.tenant_id, v.role, v.role_id, r.permissions, coalesce(r.name, v.role), v.scope,"                \
    " v.channels::text[], v.teams::text[], v.state, v.sent_count, v.invited_by_kind, v.invited_by,"          \
    " v.created_at, v.expires_at, v.key_version, v.email_ct, v.email_iv, v.email_tag, v.is_mailed"
#define INVITATION_TABLES                                                                                    \
    " FROM invitation v LEFT JOIN role r ON r.tenant_id = v.tenant_id AND r.id = v.role_id"

static enum err
invitation_from_row(const struct db_rows *rows, size_t row, struct wall_time now, struct arena *arena,
                    struct invitation *out, uint64_t *permissions_out)
{
    *out = (struct invitation){ .id = db_id(rows, row, 0),
                                .tenant = db_id(rows, row, 1),
                                .role_name = arena_copy(arena, db_text(rows, row, 5)),
                                .sent_count = db_i64(rows, row, 10),
                                .is_by_person = slice_eq(db_text(rows, row, 11), SLICE("person")),
                                .invited_by = db_id(rows, row, 12),
                                .created_at = db_time(rows, row, 13),
                                .expires_at = db_time(rows, row, 14),
                                .is_mailed = db_bool(rows, row, 19) };
    enum err err = out->role_name.ptr == NULL
                       ? ERR_NO_MEMORY
                       : membership_role_read(rows, row, 2, 3, 4, arena, &out->role, permissions_out);
    if (err == ERR_OK)
        err = membership_reach_parse(db_text(rows, row, 6), &out->reach);
    if (err == ERR_OK)
        err = membership_ids_read(rows, row, 7, arena, MEMBERSHIP_CHANNELS_MAX, &out->channels,
                                  &out->channel_count);
    if (err == ERR_OK)
        err = membership_ids_read(rows, row, 8, arena, INVITATION_TEAMS_MAX, &out->teams, &out->team_count);
    if (err == ERR_OK)
        err = invitation_state_parse(db_text(rows, row, 9), &out->state);
    if (err == ERR_OK && out->state == INVITATION_PENDING && out->expires_at.us <= now.us)
        out->state = INVITATION_EXPIRED;
    return err == ERR_OK
               ? sealed_column_read(rows, row, 16, (uint32_t)db_i64(rows, row, 15), arena, &out->email)
               : err;
}

static const struct db_stmt invitation_get_stmt = { "invitation_get",
                                                    "SELECT " INVITATION_COLUMNS INVITATION_TABLES
                                                    " WHERE v.tenant_id = $1 AND v.id = $2" };
static const struct db_stmt invitation_lock_stmt = { "invitation_lock",
                                                     "SELECT " INVITATION_COLUMNS INVITATION_TABLES
                                                     " WHERE v.tenant_id = $1 AND v.id = $2"
                                                     " FOR UPDATE OF v" };

static enum err
invitation_read(struct db_tx *tx, const struct db_stmt *stmt, const struct clock *clock, struct id invitation,
                struct arena *arena, struct invitation *out, uint64_t *permissions_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, stmt, DB_ARGS(DB_ID(invitation)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0
                  ? ERR_NOT_FOUND
                  : invitation_from_row(rows, 0, clock_wall(clock), arena, out, permissions_out);
    db_rows_free(rows);
    return err;
}

enum err
invitation_get(struct db_tx *tx, const struct clock *clock, struct id invitation, struct arena *arena,
               struct invitation *out)
{
    uint64_t permissions;

    return invitation_read(tx, &invitation_get_stmt, clock, invitation, arena, out, &permissions);
}

static const struct db_stmt invitation_list_stmt = {
    "invitation_list",
    "SELECT " INVITATION_COLUMNS INVITATION_TABLES
    " WHERE v.tenant_id = $1 AND ($2::uuid IS NULL OR v.id < $2) ORDER BY v.id DESC LIMIT $3"
};

enum err
invitation_list(struct db_tx *tx, const struct clock *clock, struct id before, size_t limit,
                struct arena *arena, struct invitation **out, size_t *count_out)
{
    struct wall_time now = clock_wall(clock);
    struct db_rows *rows = NULL;
    uint64_t permissions;
    enum err err =
        db_query(tx, &invitation_list_stmt,
                 DB_ARGS(id_is_zero(before) ? DB_NULL : DB_ID(before), DB_I64((int64_t)limit + 1)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct invitation *all = err == ERR_OK ? arena_array(arena, count, sizeof(*all)) : NULL;

    if (err == ERR_OK && all == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = invitation_from_row(rows, i, now, arena, &all[i], &permissions);
    if (err == ERR_OK) {
        *out = all;
        *count_out = count;
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt invitation_resend_stmt = {
    "invitation_resend",
    "UPDATE invitation SET state = 'pending', settled_at = NULL, token_hash = $3, expires_at = $4,"
    " is_mailed = $5, sent_count = sent_count + 1 WHERE tenant_id = $1 AND id = $2"
};

enum err
invitation_resend(struct db_tx *tx, const struct clock *clock, const struct authority *authority,
                  struct id invitation, const unsigned char token_hash[static 32], bool is_mailed,
                  struct arena *arena)
{
    struct invitation found;
    uint64_t permissions = 0;
    enum err err = invitation_read(tx, &invitation_lock_stmt, clock, invitation, arena, &found, &permissions);

    if (err == ERR_OK && found.state != INVITATION_PENDING && found.state != INVITATION_EXPIRED)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK && !authority_covers(authority, &found.role, permissions))
        err = ERR_AUTHORITY;
    return err == ERR_OK ? db_exec_one(tx, &invitation_resend_stmt,
                                       DB_ARGS(DB_ID(invitation), DB_BYTES(slice_of(token_hash, HASH_BYTES)),
                                               DB_TIME(ends_at(clock_wall(clock))), DB_BOOL(is_mailed)))
                         : err;
}

static const struct db_stmt invitation_revoke_stmt = {
    "invitation_revoke",
    "UPDATE invitation SET state = 'revoked', settled_at = $3 WHERE tenant_id = $1 AND id = $2"
};

enum err
invitation_revoke(struct db_tx *tx, const struct clock *clock, struct id invitation, struct arena *arena)
{
    struct invitation found;
    uint64_t permissions;
    enum err err = invitation_read(tx, &invitation_lock_stmt, clock, invitation, arena, &found, &permissions);

    if (err != ERR_OK || found.state == INVITATION_REVOKED)
        return err;
    if (found.state == INVITATION_ACCEPTED)
        return ERR_STATE_CONFLICT;
    return db_exec_one(tx, &invitation_revoke_stmt, DB_ARGS(DB_ID(invitation), DB_TIME(clock_wall(clock))));
}

static const struct db_stmt invitation_find_stmt = {
    "invitation_find",
    "SELECT v.id, v.tenant_id, v.role, v.role_id, '{}'::text[], coalesce(v.role, ''), v.scope,"
    " v.channels::text[], v.teams::text[], v.state, v.sent_count, v.invited_by_kind, v.invited_by,"
    " v.created_at, v.expires_at, v.key_version, v.email_ct, v.email_iv, v.email_tag, v.is_mailed, t.name"
    " FROM invitation v JOIN tenant t ON t.tenant_id = v.tenant_id"
    " WHERE v.token_hash = $1 AND v.state = 'pending' AND v.expires_at > $2 AND t.state = 'active'"
};

enum err
invitation_find(struct db *db, const struct clock *clock, struct slice token, struct arena *arena,
                struct invitation *out)
{
    unsigned char hash[HASH_BYTES];
    enum err err = enrolment_token_hash(token, hash);

    return err == ERR_OK ? invitation_find_hashed(db, clock, hash, arena, out) : err;
}

enum err
invitation_find_hashed(struct db *db, const struct clock *clock, const unsigned char hash[static 32],
                       struct arena *arena, struct invitation *out)
{
    struct db_tx tx = { .is_open = false };
    struct wall_time now = clock_wall(clock);
    struct db_rows *rows = NULL;
    uint64_t permissions;
    enum err err = db_begin_across(db, "invitation.find", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &invitation_find_stmt,
                       DB_ARGS(DB_BYTES(slice_of(hash, HASH_BYTES)), DB_TIME(now)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_LINK_INVALID;
    if (err == ERR_OK)
        err = invitation_from_row(rows, 0, now, arena, out, &permissions);
    if (err == ERR_OK) {
        out->tenant_name = arena_copy(arena, db_text(rows, 0, 20));
        err = out->tenant_name.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt invitation_accept_stmt = {
    "invitation_accept", "UPDATE invitation SET state = 'accepted', accepted_by = $3, settled_at = $4"
                         " WHERE tenant_id = $1 AND id = $2 AND state = 'pending' AND expires_at > $4"
};
/* Teams that are gone meanwhile are left out. */
static const struct db_stmt invitation_join_stmt = {
    "invitation_join", "INSERT INTO team_member (tenant_id, team_id, membership_id)"
                       " SELECT $1, e.id, $3 FROM team e WHERE e.tenant_id = $1 AND e.id = ANY ($2)"
                       " ON CONFLICT DO NOTHING"
};

enum err
invitation_accept(struct db_tx *tx, const struct clock *clock, const struct invitation *invitation,
                  struct id person, struct id *membership_out)
{
    const struct membership_new with = { .person = person,
                                         .role = invitation->role,
                                         .reach = invitation->reach,
                                         .channels = invitation->channels,
                                         .channel_count = invitation->channel_count };
    enum err err = db_exec_one(tx, &invitation_accept_stmt,
                               DB_ARGS(DB_ID(invitation->id), DB_ID(person), DB_TIME(clock_wall(clock))));

    if (err == ERR_NOT_FOUND)
        err = ERR_LINK_INVALID;
    if (err == ERR_OK)
        err = membership_add(tx, clock, &with, membership_out);
    return err == ERR_OK ? db_exec(tx, &invitation_join_stmt,
                                   DB_ARGS(DB_ID_ARRAY(invitation->teams, invitation->team_count),
                                           DB_ID(*membership_out)),
                                   NULL)
                         : err;
}
