/* The SQL of channels. */
#include "domain/channel/channel.h"
#include "domain/event/event.h"
#include "domain/tenant/sealed_column.h"
#include "wire/json/json.h"

#define CHANNEL_COLUMNS                                                                                      \
    "c.id, c.kind, c.name, c.state, c.state_reason, c.created_at, c.updated_at, c.revision, w.waba_id,"      \
    " w.phone_number_id, w.display_phone_number, w.window_check, w.fetch_media,"                             \
    " s.sender, s.sender_kind, s.unicode, s.parts_max"
#define CHANNEL_TABLES                                                                                       \
    " FROM channel c LEFT JOIN whatsapp_channel w ON w.tenant_id = c.tenant_id AND w.channel_id = c.id"      \
    " LEFT JOIN sms_channel s ON s.tenant_id = c.tenant_id AND s.channel_id = c.id"

static enum err
sms_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct channel_sms *out)
{
    *out = (struct channel_sms){ .sender = arena_copy(arena, db_text(rows, row, 13)),
                                 .unicode = arena_copy(arena, db_text(rows, row, 15)),
                                 .parts_max = (unsigned)db_i64(rows, row, 16) };
    if (out->sender.ptr == NULL || out->unicode.ptr == NULL)
        return ERR_NO_MEMORY;
    return channel_sms_kind_parse(db_text(rows, row, 14), &out->kind);
}

static enum err
channel_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct channel *out)
{
    *out = (struct channel){ .id = db_id(rows, row, 0),
                             .kind = arena_copy(arena, db_text(rows, row, 1)),
                             .name = arena_copy(arena, db_text(rows, row, 2)),
                             .state_reason = arena_copy(arena, db_text(rows, row, 4)),
                             .created_at = db_time(rows, row, 5),
                             .updated_at = db_time(rows, row, 6),
                             .revision = (uint32_t)db_i64(rows, row, 7),
                             .waba_id = arena_copy(arena, db_text(rows, row, 8)),
                             .phone_number_id = arena_copy(arena, db_text(rows, row, 9)),
                             .display_phone_number = arena_copy(arena, db_text(rows, row, 10)),
                             .window_check = arena_copy(arena, db_text(rows, row, 11)),
                             .fetch_media = arena_copy(arena, db_text(rows, row, 12)),
                             .is_sms = !db_is_null(rows, row, 13) };
    if (out->kind.ptr == NULL || out->name.ptr == NULL || out->state_reason.ptr == NULL ||
        out->waba_id.ptr == NULL || out->phone_number_id.ptr == NULL ||
        out->display_phone_number.ptr == NULL || out->window_check.ptr == NULL ||
        out->fetch_media.ptr == NULL)
        return ERR_NO_MEMORY;
    enum err err = channel_state_parse(db_text(rows, row, 3), &out->state);
    return err == ERR_OK && out->is_sms ? sms_from_row(rows, row, arena, &out->sms) : err;
}

static const struct db_stmt channel_get_stmt = {
    "channel_get",
    "SELECT " CHANNEL_COLUMNS CHANNEL_TABLES " WHERE c.tenant_id = $1 AND c.id = $2 AND c.state <> 'deleted'"
};

enum err
channel_get(struct db_tx *tx, struct id channel, struct arena *arena, struct channel *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &channel_get_stmt, DB_ARGS(DB_ID(channel)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : channel_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt channel_list_stmt = {
    "channel_list",
    "SELECT " CHANNEL_COLUMNS CHANNEL_TABLES " WHERE c.tenant_id = $1 AND c.state <> 'deleted'"
    " AND ($2::uuid IS NULL OR c.id < $2) AND ($4::uuid[] IS NULL OR c.id = ANY ($4))"
    " ORDER BY c.id DESC LIMIT $3"
};

enum err
channel_list(struct db_tx *tx, const struct channel_filter *filter, size_t limit, struct arena *arena,
             struct channel **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &channel_list_stmt,
        DB_ARGS(id_is_zero(filter->cursor) ? DB_NULL : DB_ID(filter->cursor), DB_I64((int64_t)limit + 1),
                filter->channels == NULL ? DB_NULL : DB_ID_ARRAY(filter->channels, filter->channel_count)),
        &rows);

    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct channel *channels = arena_array(arena, count, sizeof(*channels));
    err = channels == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = channel_from_row(rows, i, arena, &channels[i]);
    if (err == ERR_OK) {
        *out = channels;
        *count_out = count;
    }
done:
    db_rows_free(rows);
    return err;
}

/* What became of the channel, as it is shown to webhooks. */
static enum err
channel_tell(struct db_tx *tx, const struct clock *clock, enum event_type type, const struct channel *channel)
{
    struct buf data;

    buf_init(&data, 4096);
    buf_add_text(&data, "{\"kind\": ");
    json_add_string(&data, channel->kind);
    buf_add_text(&data, ", \"name\": ");
    json_add_string(&data, channel->name);
    buf_add_text(&data, ", \"state\": ");
    json_add_string(&data, slice_text(channel_state_word(channel->state)));
    buf_add_text(&data, ", \"state_reason\": ");
    if (channel->state_reason.len == 0)
        buf_add_text(&data, "null");
    else
        json_add_string(&data, channel->state_reason);
    buf_add_byte(&data, '}');
    return event_tell(tx, clock, type, channel->id, channel->id, &data);
}

static const struct db_stmt channel_count_stmt = {
    "channel_count", "SELECT count(*) FROM channel WHERE tenant_id = $1 AND state <> 'deleted'"
};
static const struct db_stmt channel_insert_stmt = {
    "channel_insert", "INSERT INTO channel (tenant_id, id, kind, name, state) VALUES ($1, $2, $5, $3, $4)"
};
static const struct db_stmt whatsapp_channel_insert_stmt = {
    "whatsapp_channel_insert",
    "INSERT INTO whatsapp_channel (tenant_id, channel_id, waba_id, phone_number_id, display_phone_number,"
    " access_token_ct, access_token_iv, access_token_tag, access_token_key_version,"
    " app_secret_ct, app_secret_iv, app_secret_tag, app_secret_key_version,"
    " verify_token_ct, verify_token_iv, verify_token_tag, verify_token_key_version, window_check,"
    " access_token_generation, fetch_media)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, coalesce($18, 'enforce'),"
    " $19, coalesce($20, 'default'))"
};
static const struct db_stmt dispatch_lane_insert_stmt = {
    "dispatch_lane_insert",
    "INSERT INTO dispatch_lane (tenant_id, channel_id, is_open, carrier) VALUES ($1, $2, $3, $4)"
};
static const struct db_stmt sms_channel_insert_stmt = {
    "sms_channel_insert",
    "INSERT INTO sms_channel (tenant_id, channel_id, sender, sender_kind, unicode, parts_max)"
    " VALUES ($1, $2, $3, $4, coalesce($5, 'auto'), $6)"
};

#define CREDENTIAL_ARGS(sealed) SEALED_ARGS(sealed), DB_I64((sealed)->key_version)

/* What its kind has beside the channel. */
static enum err
kind_insert(struct db_tx *tx, const struct channel_new *with)
{
    const struct vault_sealed *sealed = with->sealed;
    const struct db_arg given[] = { CREDENTIAL_ARGS(&sealed[CHANNEL_ACCESS_TOKEN]) };
    const struct db_arg none[] = { DB_BYTES(SLICE_EMPTY), DB_BYTES(SLICE_EMPTY), DB_BYTES(SLICE_EMPTY),
                                   DB_NULL };
    const struct db_arg *token = with->is_connecting ? none : given;

    if (with->is_sms) {
        enum err err = channel_sms_check(&with->sms);
        return err == ERR_OK ? db_exec_one(tx, &sms_channel_insert_stmt,
                                           DB_ARGS(DB_ID(with->id), DB_TEXT(with->sms.sender),
                                                   DB_TEXT_Z(channel_sms_kind_word(with->sms.kind)),
                                                   DB_TEXT(with->sms.unicode), DB_I64(with->sms.parts_max)))
                             : err;
    }
    return db_exec_one(tx, &whatsapp_channel_insert_stmt,
                       DB_ARGS(DB_ID(with->id), DB_TEXT(with->waba_id), DB_TEXT(with->phone_number_id),
                               DB_TEXT(with->display_phone_number), token[0], token[1], token[2], token[3],
                               CREDENTIAL_ARGS(&sealed[CHANNEL_APP_SECRET]),
                               CREDENTIAL_ARGS(&sealed[CHANNEL_VERIFY_TOKEN]), DB_TEXT(with->window_check),
                               DB_I64(with->is_connecting ? 0 : 1), DB_TEXT(with->fetch_media)));
}

enum err
channel_create(struct db_tx *tx, const struct clock *clock, const struct channel_new *with,
               struct arena *arena, struct channel *out)
{
    struct db_rows *rows = NULL;
    const char *kind = with->is_sms ? "sms" : "whatsapp"; /* also who carries its lane */
    enum err err = db_query(tx, &channel_count_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && db_i64(rows, 0, 0) >= (int64_t)CHANNEL_PER_TENANT_MAX)
        err = ERR_TOO_MANY;
    db_rows_free(rows);
    if (err == ERR_OK)
        err = db_exec_one(
            tx, &channel_insert_stmt,
            DB_ARGS(DB_ID(with->id), DB_TEXT(with->name),
                    DB_TEXT_Z(channel_state_word(with->is_connecting ? CHANNEL_CONNECTING : CHANNEL_ACTIVE)),
                    DB_TEXT_Z(kind)));
    if (err == ERR_OK)
        err = kind_insert(tx, with);
    if (err == ERR_OK)
        err = db_exec_one(tx, &dispatch_lane_insert_stmt,
                          DB_ARGS(DB_ID(with->id), DB_BOOL(!with->is_connecting), DB_TEXT_Z(kind)));
    if (err == ERR_OK)
        err = channel_get(tx, with->id, arena, out);
    if (err == ERR_OK)
        err = channel_tell(tx, clock, EVENT_CHANNEL_CREATED, out);
    return err;
}

static const struct db_stmt channel_update_stmt = {
    "channel_update",
    "UPDATE channel SET name = coalesce($4, name), state = coalesce($5, state),"
    " state_reason = CASE WHEN $5 IS NULL THEN state_reason END, updated_at = $6, revision = revision + 1"
    " WHERE tenant_id = $1 AND id = $2 AND ($3 = 0 OR revision = $3) AND state <> 'deleted'"
};
static const struct db_stmt whatsapp_channel_options_stmt = {
    "whatsapp_channel_options",
    "UPDATE whatsapp_channel SET display_phone_number = coalesce($3, display_phone_number),"
    " window_check = coalesce($4, window_check), fetch_media = coalesce($5, fetch_media) WHERE tenant_id = $1 AND channel_id = $2"
};
static const struct db_stmt sms_channel_options_stmt = {
    "sms_channel_options",
    "UPDATE sms_channel SET unicode = coalesce($3, unicode), parts_max = coalesce($4, parts_max)"
    " WHERE tenant_id = $1 AND channel_id = $2"
};
/* One statement per credential. Writing past another replacement fails: the generation moved on. */
#define CREDENTIAL_UPDATE(column)                                                                            \
    "UPDATE whatsapp_channel SET " column "_ct = $4, " column "_iv = $5, " column "_tag = $6, " column       \
    "_key_version = $7, " column "_generation = $3 WHERE tenant_id = $1 AND channel_id = $2 AND " column     \
    "_generation = $3 - 1"

static const struct db_stmt credential_update_stmts[CHANNEL_CREDENTIALS] = {
    [CHANNEL_ACCESS_TOKEN] = { "channel_access_token_update", CREDENTIAL_UPDATE("access_token") },
    [CHANNEL_APP_SECRET] = { "channel_app_secret_update", CREDENTIAL_UPDATE("app_secret") },
    [CHANNEL_VERIFY_TOKEN] = { "channel_verify_token_update", CREDENTIAL_UPDATE("verify_token") },
};
/* Dispatchers that have nothing to do look only now and then: they are told of a lane that opens. */
static const struct db_stmt dispatch_lane_turn_stmt = {
    "dispatch_lane_turn",
    "WITH turned AS (UPDATE dispatch_lane l SET is_open = $3, not_before = CASE WHEN $3 THEN '-infinity' ELSE not_before END,"
    " is_broken = c.state = 'broken' FROM channel c WHERE l.tenant_id = $1 AND l.channel_id = $2"
    " AND c.tenant_id = $1 AND c.id = $2 RETURNING l.is_open)"
    " SELECT CASE WHEN is_open THEN pg_notify('harkara_dispatch', '')::text END FROM turned LIMIT 1"
};

/* A channel that is being connected is a dispatcher's; one without a token cannot be active. */
static enum err
change_check(struct db_tx *tx, const struct channel *before, const struct channel_change *change)
{
    uint32_t generations[CHANNEL_CREDENTIALS];

    if (before->state == CHANNEL_CONNECTING &&
        (change->has_state || change->has_credential[CHANNEL_ACCESS_TOKEN]))
        return ERR_STATE_CONFLICT;
    if (before->is_sms)
        return ERR_OK;
    if (!change->has_state || change->state != CHANNEL_ACTIVE || change->has_credential[CHANNEL_ACCESS_TOKEN])
        return ERR_OK;
    enum err err = channel_generations(tx, before->id, generations);
    return err == ERR_OK && generations[CHANNEL_ACCESS_TOKEN] == 0 ? ERR_CHANNEL_NOT_READY : err;
}

enum err
channel_update(struct db_tx *tx, const struct clock *clock, struct id channel,
               const struct channel_change *change, struct arena *arena, struct channel *out)
{
    struct channel before;
    enum err err = channel_get(tx, channel, arena, &before); /* ERR_NOT_FOUND comes before any precondition */

    if (err == ERR_OK)
        err = change_check(tx, &before, change);
    if (err != ERR_OK)
        return err;
    err = db_exec_one(tx, &channel_update_stmt,
                      DB_ARGS(DB_ID(channel), DB_I64(change->revision), DB_TEXT(change->name),
                              change->has_state ? DB_TEXT_Z(channel_state_word(change->state)) : DB_NULL,
                              DB_TIME(clock_wall(clock))));
    if (err == ERR_NOT_FOUND)
        return ERR_HTTP_PRECONDITION;
    if (err == ERR_OK && (change->display_phone_number.ptr != NULL || change->window_check.ptr != NULL ||
                          change->fetch_media.ptr != NULL))
        err = db_exec_one(tx, &whatsapp_channel_options_stmt,
                          DB_ARGS(DB_ID(channel), DB_TEXT(change->display_phone_number),
                                  DB_TEXT(change->window_check), DB_TEXT(change->fetch_media)));
    if (err == ERR_OK && (change->unicode.ptr != NULL || change->parts_max != 0))
        err = db_exec_one(tx, &sms_channel_options_stmt,
                          DB_ARGS(DB_ID(channel), DB_TEXT(change->unicode),
                                  change->parts_max == 0 ? DB_NULL : DB_I64(change->parts_max)));
    for (unsigned i = 0; err == ERR_OK && i < CHANNEL_CREDENTIALS; i++)
        if (change->has_credential[i])
            err = db_exec_one(
                tx, &credential_update_stmts[i],
                DB_ARGS(DB_ID(channel), DB_I64(change->generation[i]), CREDENTIAL_ARGS(&change->sealed[i])));
    if (err == ERR_NOT_FOUND)
        return ERR_HTTP_PRECONDITION;
    if (err == ERR_OK && change->has_state)
        err = db_exec_one(tx, &dispatch_lane_turn_stmt,
                          DB_ARGS(DB_ID(channel), DB_BOOL(change->state == CHANNEL_ACTIVE)));
    if (err == ERR_OK)
        err = channel_get(tx, channel, arena, out);
    if (err == ERR_OK)
        err = channel_tell(tx, clock, EVENT_CHANNEL_UPDATED, out);
    return err;
}

static const struct db_stmt channel_delete_stmt = {
    "channel_delete",
    "UPDATE channel SET state = 'deleted', state_reason = NULL, updated_at = $4, revision = revision + 1"
    " WHERE tenant_id = $1 AND id = $2 AND ($3 = 0 OR revision = $3) AND state <> 'deleted'"
};
static const struct db_stmt whatsapp_channel_delete_stmt = {
    "whatsapp_channel_delete", "DELETE FROM whatsapp_channel WHERE tenant_id = $1 AND channel_id = $2"
};
/* With the routes that are its own. */
static const struct db_stmt sms_channel_delete_stmt = {
    "sms_channel_delete", "WITH routes AS (DELETE FROM sms_route WHERE tenant_id = $1 AND channel_id = $2)"
                          " DELETE FROM sms_channel WHERE tenant_id = $1 AND channel_id = $2"
};
enum err
channel_delete(struct db_tx *tx, const struct clock *clock, struct id channel, uint32_t revision,
               struct arena *arena)
{
    struct channel gone;
    enum err err = channel_get(tx, channel, arena, &gone); /* ERR_NOT_FOUND comes before any precondition */

    if (err != ERR_OK)
        return err;
    err = db_exec_one(tx, &channel_delete_stmt,
                      DB_ARGS(DB_ID(channel), DB_I64(revision), DB_TIME(clock_wall(clock))));
    if (err == ERR_NOT_FOUND)
        return ERR_HTTP_PRECONDITION;
    /* The lane stays open: without a credential nothing leaves, and dispatchers fail what is still in it,
     * also what was accepted at the same moment or was uncertain. Behind a closed lane it would wait for
     * ever. */
    if (err == ERR_OK)
        err = db_exec_one(tx, &dispatch_lane_turn_stmt, DB_ARGS(DB_ID(channel), DB_BOOL(true)));
    if (err == ERR_OK)
        err = db_exec_one(tx, gone.is_sms ? &sms_channel_delete_stmt : &whatsapp_channel_delete_stmt,
                          DB_ARGS(DB_ID(channel)));
    gone.state = CHANNEL_DELETED;
    gone.state_reason = SLICE_EMPTY;
    return err == ERR_OK ? channel_tell(tx, clock, EVENT_CHANNEL_DELETED, &gone) : err;
}

static const struct db_stmt channel_break_stmt = {
    "channel_break",
    "UPDATE channel SET state = 'broken', state_reason = $3, updated_at = $4, revision = revision + 1"
    " WHERE tenant_id = $1 AND id = $2 AND state IN ('connecting', 'active', 'paused')"
    " AND ($5 = 0 OR revision = $5)"
};
static const struct db_stmt channel_pause_stmt = {
    "channel_pause",
    "UPDATE channel SET state = 'paused', state_reason = $3, updated_at = $4, revision = revision + 1"
    " WHERE tenant_id = $1 AND id = $2 AND state = 'active' AND ($5 = 0 OR revision = $5)"
};

static enum err
channel_stop(struct db_tx *tx, const struct clock *clock, struct id channel, uint32_t revision,
             const struct db_stmt *stmt, const char *reason, enum event_type told, struct arena *arena)
{
    struct channel stopped;
    enum err err = db_exec_one(
        tx, stmt, DB_ARGS(DB_ID(channel), DB_TEXT_Z(reason), DB_TIME(clock_wall(clock)), DB_I64(revision)));

    if (err == ERR_NOT_FOUND)
        return ERR_OK; /* stopped or deleted already: it was told once; or changed since */
    if (err == ERR_OK)
        err = db_exec_one(tx, &dispatch_lane_turn_stmt, DB_ARGS(DB_ID(channel), DB_BOOL(false)));
    if (err == ERR_OK)
        err = channel_get(tx, channel, arena, &stopped);
    return err == ERR_OK ? channel_tell(tx, clock, told, &stopped) : err;
}

enum err
channel_break(struct db_tx *tx, const struct clock *clock, struct id channel, uint32_t revision,
              const char *reason, struct arena *arena)
{
    return channel_stop(tx, clock, channel, revision, &channel_break_stmt, reason, EVENT_CHANNEL_BROKEN,
                        arena);
}

enum err
channel_pause(struct db_tx *tx, const struct clock *clock, struct id channel, const char *reason,
              struct arena *arena)
{
    return channel_stop(tx, clock, channel, 0, &channel_pause_stmt, reason, EVENT_CHANNEL_UPDATED, arena);
}

static const struct db_stmt channel_token_first_stmt = {
    "channel_token_first",
    "UPDATE whatsapp_channel SET access_token_ct = $3, access_token_iv = $4, access_token_tag = $5,"
    " access_token_key_version = $6, access_token_generation = 1"
    " WHERE tenant_id = $1 AND channel_id = $2 AND access_token_generation = 0"
};

enum err
channel_token_first(struct db_tx *tx, struct id channel, const struct vault_sealed *sealed)
{
    enum err err =
        db_exec_one(tx, &channel_token_first_stmt, DB_ARGS(DB_ID(channel), CREDENTIAL_ARGS(sealed)));

    return err == ERR_NOT_FOUND ? ERR_STATE_CONFLICT : err;
}

static const struct db_stmt channel_connected_stmt = {
    "channel_connected",
    "UPDATE channel SET state = 'active', state_reason = NULL, updated_at = $3, revision = revision + 1"
    " WHERE tenant_id = $1 AND id = $2 AND state = 'connecting'"
};

enum err
channel_connected(struct db_tx *tx, const struct clock *clock, struct id channel, struct arena *arena)
{
    struct channel connected;
    enum err err =
        db_exec_one(tx, &channel_connected_stmt, DB_ARGS(DB_ID(channel), DB_TIME(clock_wall(clock))));

    if (err == ERR_NOT_FOUND)
        return ERR_OK; /* broken or deleted meanwhile */
    if (err == ERR_OK)
        err = db_exec_one(tx, &dispatch_lane_turn_stmt, DB_ARGS(DB_ID(channel), DB_BOOL(true)));
    if (err == ERR_OK)
        err = channel_get(tx, channel, arena, &connected);
    return err == ERR_OK ? channel_tell(tx, clock, EVENT_CHANNEL_UPDATED, &connected) : err;
}

static const struct db_stmt channel_by_account_stmt = {
    "channel_by_account",
    "SELECT " CHANNEL_COLUMNS CHANNEL_TABLES " WHERE c.tenant_id = $1 AND w.waba_id = $2"
    " AND c.state <> 'deleted' ORDER BY c.id LIMIT 500" /* CHANNEL_PER_TENANT_MAX */
};

enum err
channel_by_account(struct db_tx *tx, struct slice waba_id, struct arena *arena, struct channel **out,
                   size_t *count_out)
{
    struct db_rows *rows = NULL;
    struct channel *channels = NULL;
    enum err err = db_query(tx, &channel_by_account_stmt, DB_ARGS(DB_TEXT(waba_id)), &rows);

    if (err == ERR_OK && (channels = arena_array(arena, db_rows_count(rows), sizeof(*channels))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        err = channel_from_row(rows, i, arena, &channels[i]);
    if (err == ERR_OK) {
        *out = channels;
        *count_out = db_rows_count(rows);
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt channel_fetches_media_stmt = {
    "channel_fetches_media",
    "SELECT fetch_media FROM whatsapp_channel WHERE tenant_id = $1 AND phone_number_id = $2"
};

enum err
channel_fetches_media(struct db_tx *tx, struct slice phone_number_id, bool by_default, bool *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &channel_fetches_media_stmt, DB_ARGS(DB_TEXT(phone_number_id)), &rows);

    *out = by_default;
    if (err == ERR_OK && db_rows_count(rows) > 0) {
        struct slice word = db_text(rows, 0, 0);
        *out = slice_eq(word, SLICE("always")) || (by_default && !slice_eq(word, SLICE("never")));
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt channel_by_phone_number_id_stmt = {
    "channel_by_phone_number_id",
    "SELECT channel_id FROM whatsapp_channel WHERE tenant_id = $1 AND phone_number_id = $2"
};

enum err
channel_by_phone_number_id(struct db_tx *tx, struct slice phone_number_id, struct id *channel_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &channel_by_phone_number_id_stmt, DB_ARGS(DB_TEXT(phone_number_id)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *channel_out = db_id(rows, 0, 0);
    db_rows_free(rows);
    return err;
}
