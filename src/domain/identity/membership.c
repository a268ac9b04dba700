#include "domain/identity/membership.h"
#include "domain/identity/membership_internal.h"

static const char *const state_words[] = { "active", "suspended", "left" };
static const char *const reach_words[] = { "all", "teams", "channels" };

const char *
membership_state_word(enum membership_state state)
{
    return state_words[state];
}

const char *
membership_reach_word(enum membership_reach reach)
{
    return reach_words[reach];
}

enum err
membership_reach_parse(struct slice word, enum membership_reach *out)
{
    for (unsigned i = 0; i < COUNT_OF(reach_words); i++)
        if (slice_eq(word, slice_text(reach_words[i]))) {
            *out = (enum membership_reach)i;
            return ERR_OK;
        }
    return ERR_DB_DATA;
}

enum err
membership_ids_read(const struct db_rows *rows, size_t row, int column, struct arena *arena, size_t max,
                    struct id **out, size_t *count_out)
{
    struct slice *texts = arena_array(arena, max, sizeof(*texts));
    size_t count = 0;

    if (texts == NULL)
        return ERR_NO_MEMORY;
    enum err err = db_text_array(rows, row, column, arena, texts, max, &count);
    struct id *ids = err == ERR_OK ? arena_array(arena, count, sizeof(*ids)) : NULL;
    if (err == ERR_OK && ids == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = id_uuid_parse(texts[i], &ids[i]);
    if (err == ERR_OK) {
        *out = ids;
        *count_out = count;
    }
    return err;
}

/* A built-in role of a newer build has no permissions here; one of the workspace's own has what is stored. */
enum err
membership_role_read(const struct db_rows *rows, size_t row, int word, int id, int permissions,
                     struct arena *arena, struct role_ref *out, uint64_t *permissions_out)
{
    *out = (struct role_ref){ .is_custom = !db_is_null(rows, row, id) };
    *permissions_out = 0;
    if (out->is_custom) {
        out->id = db_id(rows, row, id);
        return api_scopes_from_row(rows, row, permissions, arena, permissions_out);
    }
    if (role_word_parse(db_text(rows, row, word), &out->word) != ERR_OK)
        return ERR_STATE_CONFLICT;
    *permissions_out = role_word_permissions(out->word);
    return ERR_OK;
}

static const struct db_stmt membership_channels_stmt = {
    "membership_channels",
    "SELECT count(*) FROM channel WHERE tenant_id = $1 AND id = ANY ($2) AND state <> 'deleted'"
};

enum err
membership_channels_check(struct db_tx *tx, const struct id *channels, size_t count)
{
    struct db_rows *rows = NULL;

    if (count == 0)
        return ERR_OK;
    enum err err = db_query(tx, &membership_channels_stmt, DB_ARGS(DB_ID_ARRAY(channels, count)), &rows);
    if (err == ERR_OK && db_i64(rows, 0, 0) != (int64_t)count)
        err = ERR_CHANNEL_UNKNOWN;
    db_rows_free(rows);
    return err;
}

static const struct db_stmt membership_room_stmt = {
    "membership_room", "SELECT (SELECT count(*) FROM membership WHERE tenant_id = $1 AND state <> 'left'),"
                       " $2::uuid IS NULL OR EXISTS (SELECT FROM role WHERE tenant_id = $1 AND id = $2)"
};

/* Who has left and comes back keeps the id: so the log of what was done still names one member. */
static const struct db_stmt membership_add_stmt = {
    "membership_add",
    "INSERT INTO membership AS m (tenant_id, id, person_id, role, role_id, scope, channels, joined_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    " ON CONFLICT (tenant_id, person_id) DO UPDATE SET role = excluded.role, role_id = excluded.role_id,"
    " scope = excluded.scope, channels = excluded.channels, joined_at = excluded.joined_at, state = 'active',"
    " left_at = NULL, updated_at = excluded.joined_at, revision = m.revision + 1 WHERE m.state = 'left'"
    " RETURNING id"
};

enum err
membership_add(struct db_tx *tx, const struct clock *clock, const struct membership_new *with,
               struct id *id_out)
{
    struct db_rows *rows = NULL;
    size_t channel_count = with->reach == MEMBERSHIP_CHANNELS ? with->channel_count : 0;
    struct db_arg role = with->role.is_custom ? DB_ID(with->role.id) : DB_NULL;
    enum err err = db_query(tx, &membership_room_stmt, DB_ARGS(role), &rows);

    if (err == ERR_OK && db_i64(rows, 0, 0) >= (int64_t)MEMBERSHIP_PER_TENANT_MAX)
        err = ERR_TOO_MANY;
    if (err == ERR_OK && !db_bool(rows, 0, 1))
        err = ERR_ROLE_UNKNOWN;
    db_rows_free(rows);
    rows = NULL;
    if (err == ERR_OK)
        err = membership_channels_check(tx, with->channels, channel_count);
    if (err == ERR_OK)
        err = db_query(tx, &membership_add_stmt,
                       DB_ARGS(DB_ID(id_new(clock)), DB_ID(with->person),
                               with->role.is_custom ? DB_NULL : DB_TEXT_Z(role_word_text(with->role.word)),
                               role, DB_TEXT_Z(membership_reach_word(with->reach)),
                               DB_ID_ARRAY(with->channels, channel_count), DB_TIME(clock_wall(clock))),
                       &rows);
    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_EXISTS : ERR_OK;
    if (err == ERR_OK)
        *id_out = db_id(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt membership_seen_stmt = {
    "membership_seen",
    "UPDATE membership SET last_seen_at = now() WHERE tenant_id = $1 AND person_id = $2 AND state = 'active'"
    " AND (last_seen_at IS NULL OR last_seen_at < now() - interval '1 minute')"
};

static const struct db_stmt membership_principal_stmt = {
    "membership_principal",
    "SELECT m.id, m.role, m.role_id, r.permissions, m.scope, t.state,"
    " CASE m.scope WHEN 'channels' THEN m.channels WHEN 'teams' THEN ARRAY("
    "  SELECT DISTINCT c FROM team_member i JOIN team e ON e.tenant_id = i.tenant_id AND e.id = i.team_id"
    "  CROSS JOIN LATERAL unnest(e.channels) c WHERE i.tenant_id = $1 AND i.membership_id = m.id"
    "  ORDER BY c LIMIT 200)" /* MEMBERSHIP_CHANNELS_MAX */
    " ELSE '{}' END::text[]"
    " FROM membership m JOIN tenant t ON t.tenant_id = m.tenant_id"
    " LEFT JOIN role r ON r.tenant_id = m.tenant_id AND r.id = m.role_id"
    " WHERE m.tenant_id = $1 AND m.person_id = $2 AND m.state = 'active'"
};

struct principal_work {
    struct id person;
    struct arena *arena;
    struct membership_principal *out;
};

static enum err
principal_in(struct db_tx *tx, void *ctx)
{
    const struct principal_work *work = ctx;
    struct membership_principal *out = work->out;
    enum tenant_state state = TENANT_CLOSED;
    enum membership_reach reach = MEMBERSHIP_CHANNELS;
    struct db_rows *rows = NULL;
    enum err err = db_later(tx, &membership_seen_stmt, DB_ARGS(DB_ID(work->person)), NULL);

    *out = (struct membership_principal){ .permissions = 0 };
    if (err == ERR_OK)
        err = db_query(tx, &membership_principal_stmt, DB_ARGS(DB_ID(work->person)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = tenant_state_parse(db_text(rows, 0, 5), &state);
    if (err == ERR_OK && state != TENANT_ACTIVE)
        err = ERR_TENANT_SUSPENDED;
    if (err == ERR_OK)
        err = membership_role_read(rows, 0, 1, 2, 3, work->arena, &out->role, &out->permissions);
    if (err == ERR_OK)
        err = membership_reach_parse(db_text(rows, 0, 4), &reach);
    if (err == ERR_OK)
        err = membership_ids_read(rows, 0, 6, work->arena, MEMBERSHIP_CHANNELS_MAX, &out->channels,
                                  &out->channel_count);
    if (err == ERR_OK) {
        out->membership = db_id(rows, 0, 0);
        out->is_channel_limited = reach != MEMBERSHIP_ALL;
        if (out->is_channel_limited)
            out->permissions &= ~role_whole_workspace();
    }
    db_rows_free(rows);
    return err;
}

enum err
membership_principal(struct db *db, struct id person, struct id tenant, struct arena *arena,
                     struct membership_principal *out)
{
    struct principal_work work = { .person = person, .arena = arena, .out = out };

    return db_run(db, tenant, principal_in, &work);
}

static const struct db_stmt membership_list_of_stmt = {
    "membership_list_of",
    "SELECT m.tenant_id, m.id, t.name, t.slug, m.role, m.role_id, r.permissions, coalesce(r.name, m.role), m.joined_at"
    " FROM membership m JOIN tenant t ON t.tenant_id = m.tenant_id"
    " LEFT JOIN role r ON r.tenant_id = m.tenant_id AND r.id = m.role_id"
    " WHERE m.person_id = $1 AND m.state = 'active' AND t.state = 'active' ORDER BY m.joined_at, m.id LIMIT 200"
    /* MEMBERSHIP_OF_PERSON_MAX */
};

static enum err
place_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct membership_place *out)
{
    uint64_t permissions;

    *out = (struct membership_place){ .tenant = db_id(rows, row, 0),
                                      .membership = db_id(rows, row, 1),
                                      .tenant_name = arena_copy(arena, db_text(rows, row, 2)),
                                      .tenant_slug = arena_copy(arena, db_text(rows, row, 3)),
                                      .role_name = arena_copy(arena, db_text(rows, row, 7)),
                                      .joined_at = db_time(rows, row, 8) };
    if (out->tenant_name.ptr == NULL || out->tenant_slug.ptr == NULL || out->role_name.ptr == NULL)
        return ERR_NO_MEMORY;
    return membership_role_read(rows, row, 4, 5, 6, arena, &out->role, &permissions);
}

enum err
membership_list_of(struct db *db, struct id person, struct arena *arena, struct membership_place **out,
                   size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "session.workspaces", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &membership_list_of_stmt, DB_ARGS(DB_ID(person)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct membership_place *places = err == ERR_OK ? arena_array(arena, count, sizeof(*places)) : NULL;
    if (err == ERR_OK && places == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = place_from_row(rows, i, arena, &places[i]);
    if (err == ERR_OK) {
        *out = places;
        *count_out = count;
    }
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}
