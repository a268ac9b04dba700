#include "domain/identity/team.h"
#include "domain/identity/membership_internal.h"

#define TEAM_COLUMNS                                                                                         \
    "e.id, e.name, e.channels::text[], ARRAY(SELECT i.membership_id FROM team_member i"                      \
    " WHERE i.tenant_id = e.tenant_id AND i.team_id = e.id ORDER BY 1)::text[],"                             \
    " e.created_at, e.updated_at, e.revision"

static enum err
team_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct team *out)
{
    *out = (struct team){ .id = db_id(rows, row, 0),
                          .name = arena_copy(arena, db_text(rows, row, 1)),
                          .created_at = db_time(rows, row, 4),
                          .updated_at = db_time(rows, row, 5),
                          .revision = db_i64(rows, row, 6) };
    enum err err = out->name.ptr == NULL ? ERR_NO_MEMORY
                                         : membership_ids_read(rows, row, 2, arena, MEMBERSHIP_CHANNELS_MAX,
                                                               &out->channels, &out->channel_count);
    return err == ERR_OK ? membership_ids_read(rows, row, 3, arena, MEMBERSHIP_PER_TENANT_MAX, &out->members,
                                               &out->member_count)
                         : err;
}

static const struct db_stmt team_list_stmt = { "team_list",
                                               "SELECT " TEAM_COLUMNS " FROM team e WHERE e.tenant_id = $1"
                                               " ORDER BY e.name LIMIT 100" }; /* TEAM_PER_TENANT_MAX */

enum err
team_list(struct db_tx *tx, struct arena *arena, struct team **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &team_list_stmt, DB_NO_ARGS, &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct team *teams = err == ERR_OK ? arena_array(arena, count, sizeof(*teams)) : NULL;

    if (err == ERR_OK && teams == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = team_from_row(rows, i, arena, &teams[i]);
    if (err == ERR_OK) {
        *out = teams;
        *count_out = count;
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt team_get_stmt = { "team_get",
                                              "SELECT " TEAM_COLUMNS
                                              " FROM team e WHERE e.tenant_id = $1 AND e.id = $2" };

enum err
team_get(struct db_tx *tx, struct id team, struct arena *arena, struct team *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &team_get_stmt, DB_ARGS(DB_ID(team)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : team_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt team_create_stmt = {
    "team_create",
    "INSERT INTO team (tenant_id, id, name, channels, created_at, updated_at)"
    " SELECT $1, $2, $3, $4, $5, $5 WHERE (SELECT count(*) FROM team WHERE tenant_id = $1) < 100"
};

enum err
team_create(struct db_tx *tx, const struct clock *clock, const struct team *with)
{
    size_t affected = 0;
    enum err err = membership_channels_check(tx, with->channels, with->channel_count);

    if (err == ERR_OK)
        err = db_exec(tx, &team_create_stmt,
                      DB_ARGS(DB_ID(with->id), DB_TEXT(with->name),
                              DB_ID_ARRAY(with->channels, with->channel_count), DB_TIME(clock_wall(clock))),
                      &affected);
    return err == ERR_OK && affected == 0 ? ERR_TOO_MANY : err;
}

static const struct db_stmt team_lock_stmt = { "team_lock",
                                               "SELECT revision FROM team WHERE tenant_id = $1 AND id = $2"
                                               " FOR UPDATE" };
static const struct db_stmt team_update_stmt = {
    "team_update", "UPDATE team SET name = $3, channels = $4, updated_at = $5, revision = revision + 1"
                   " WHERE tenant_id = $1 AND id = $2"
};

enum err
team_update(struct db_tx *tx, const struct clock *clock, const struct team *with)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &team_lock_stmt, DB_ARGS(DB_ID(with->id)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK && with->revision != 0 && db_i64(rows, 0, 0) != with->revision)
        err = ERR_HTTP_PRECONDITION;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = membership_channels_check(tx, with->channels, with->channel_count);
    return err == ERR_OK ? db_exec_one(tx, &team_update_stmt,
                                       DB_ARGS(DB_ID(with->id), DB_TEXT(with->name),
                                               DB_ID_ARRAY(with->channels, with->channel_count),
                                               DB_TIME(clock_wall(clock))))
                         : err;
}

static const struct db_stmt team_delete_stmt = { "team_delete",
                                                 "DELETE FROM team WHERE tenant_id = $1 AND id = $2" };

enum err
team_delete(struct db_tx *tx, struct id team)
{
    return db_exec_one(tx, &team_delete_stmt, DB_ARGS(DB_ID(team)));
}

/* Which channels a member reaches is a change of the member. */
static enum err
member_check(struct db_tx *tx, const struct authority *authority, struct id team, struct id membership,
             struct arena *arena)
{
    struct membership member;
    struct team found;
    enum err err = team_get(tx, team, arena, &found);

    if (err == ERR_OK)
        err = membership_get(tx, membership, arena, &member);
    if (err == ERR_OK && member.state == MEMBERSHIP_LEFT)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK && !authority_covers(authority, &member.role, member.permissions))
        err = ERR_AUTHORITY;
    return err;
}

static const struct db_stmt team_add_stmt = { "team_add",
                                              "INSERT INTO team_member (tenant_id, team_id, membership_id)"
                                              " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING" };

enum err
team_add(struct db_tx *tx, const struct authority *authority, struct id team, struct id membership,
         struct arena *arena)
{
    enum err err = member_check(tx, authority, team, membership, arena);

    return err == ERR_OK ? db_exec(tx, &team_add_stmt, DB_ARGS(DB_ID(team), DB_ID(membership)), NULL) : err;
}

static const struct db_stmt team_remove_stmt = {
    "team_remove", "DELETE FROM team_member WHERE tenant_id = $1 AND team_id = $2 AND membership_id = $3"
};

enum err
team_remove(struct db_tx *tx, const struct authority *authority, struct id team, struct id membership,
            struct arena *arena)
{
    enum err err = member_check(tx, authority, team, membership, arena);

    return err == ERR_OK ? db_exec(tx, &team_remove_stmt, DB_ARGS(DB_ID(team), DB_ID(membership)), NULL)
                         : err;
}
