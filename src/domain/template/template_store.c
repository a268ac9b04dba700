/* The SQL of templates: making and reading them. */
#include "domain/channel/channel.h"
#include "domain/channel/provider_task.h"
#include "domain/template/template_internal.h"
#include "domain/tenant/sealed_column.h"
#include "wire/json/json.h"

static enum err
category_read(const struct db_rows *rows, size_t row, int column, bool *has_out, enum template_category *out)
{
    *has_out = !db_is_null(rows, row, column);
    return *has_out ? template_category_parse(db_text(rows, row, column), out) : ERR_OK;
}

static enum template_change
change_of(struct slice word)
{
    for (unsigned i = TEMPLATE_CHANGE_CREATE; i <= TEMPLATE_CHANGE_UNPAUSE; i++)
        if (slice_eq(word, slice_text(template_change_word((enum template_change)i))))
            return (enum template_change)i;
    return TEMPLATE_CHANGE_NONE;
}

/* [1795333730000000, ...] */
static enum err
edits_read(struct slice text, struct template *out)
{
    json_t *edits = NULL;
    enum err err = json_parse(text, &edits);

    for (size_t i = 0; err == ERR_OK && i < json_array_size(edits) && i < TEMPLATE_EDITS_PER_MONTH; i++)
        out->edits[out->edit_count++].us = json_integer_value(json_array_get(edits, i));
    json_decref(edits);
    return err;
}

enum err
template_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct template *out)
{
    struct {
        struct slice *slice;
        int column;
    } texts[] = { { &out->waba_id, 2 },       { &out->name, 3 },         { &out->language, 4 },
                  { &out->state_reason, 8 },  { &out->state_detail, 9 }, { &out->provider_id, 10 },
                  { &out->library_name, 17 }, { &out->error_code, 19 },  { &out->error_title, 20 },
                  { &out->needs, 22 } };

    *out = (struct template){ .id = db_id(rows, row, 0),
                              .channel = db_id(rows, row, 1),
                              .is_named = db_bool(rows, row, 6),
                              .quality = template_quality_of(db_text(rows, row, 11)),
                              .has_category_change_at = !db_is_null(rows, row, 14),
                              .has_ttl = !db_is_null(rows, row, 15),
                              .is_link_tracking_off = db_bool(rows, row, 16),
                              .change = change_of(db_text(rows, row, 18)),
                              .created_at = db_time(rows, row, 23),
                              .updated_at = db_time(rows, row, 24),
                              .has_synced_at = !db_is_null(rows, row, 25),
                              .revision = (uint32_t)db_i64(rows, row, 26),
                              .is_order_details = db_bool(rows, row, 27),
                              .has_components = !db_is_null(rows, row, 28),
                              .is_edit_counted = db_bool(rows, row, 32) };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        *texts[i].slice = arena_copy(arena, db_text(rows, row, texts[i].column));
        if (texts[i].slice->ptr == NULL)
            return ERR_NO_MEMORY;
    }
    if (out->has_category_change_at)
        out->category_change_at = db_time(rows, row, 14);
    if (out->has_ttl)
        out->ttl_s = db_i64(rows, row, 15);
    if (out->has_synced_at)
        out->synced_at = db_time(rows, row, 25);
    enum err err = template_category_parse(db_text(rows, row, 5), &out->category);
    if (err == ERR_OK)
        err = template_state_parse(db_text(rows, row, 7), &out->state);
    if (err == ERR_OK)
        err = category_read(rows, row, 12, &out->has_previous_category, &out->previous_category);
    if (err == ERR_OK)
        err = category_read(rows, row, 13, &out->has_correct_category, &out->correct_category);
    if (err == ERR_OK)
        err = edits_read(db_text(rows, row, 21), out);
    if (err == ERR_OK && out->has_components)
        err = sealed_column_read(rows, row, 29, (uint32_t)db_i64(rows, row, 28), arena, &out->components);
    return err;
}

static const struct db_stmt template_get_stmt = { "template_get",
                                                  "SELECT " TEMPLATE_COLUMNS
                                                  " FROM template t WHERE t.tenant_id = $1 AND t.id = $2" };

enum err
template_get(struct db_tx *tx, struct id template, struct arena *arena, struct template *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_get_stmt, DB_ARGS(DB_ID(template)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : template_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt template_lock_stmt = {
    "template_lock",
    "SELECT " TEMPLATE_COLUMNS ", t.state_at FROM template t WHERE t.tenant_id = $1 AND t.id = $2 FOR UPDATE"
};

enum err
template_lock(struct db_tx *tx, struct id template, struct arena *arena, struct template *out,
              struct wall_time *state_at_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_lock_stmt, DB_ARGS(DB_ID(template)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = template_from_row(rows, 0, arena, out);
    if (err == ERR_OK)
        *state_at_out = db_time(rows, 0, 33);
    db_rows_free(rows);
    return err;
}

#define TEMPLATE_PAGE_MAX 101u /* a page of a list, and the one beyond it */

/* Templates belong to an account: to all channels of it. */
#define TEMPLATE_OF_CHANNELS(channels)                                                                                \
    "t.waba_id IN (SELECT w.waba_id FROM whatsapp_channel w WHERE w.tenant_id = $1 AND w.channel_id = ANY (" channels \
    "))"

static const struct db_stmt template_reach_stmt = {
    "template_reach",
    "SELECT FROM template t WHERE t.tenant_id = $1 AND t.id = $2 AND " TEMPLATE_OF_CHANNELS("$3")
};

enum err
template_reach_check(struct db_tx *tx, struct id template, const struct id *channels, size_t channel_count)
{
    if (channels == NULL)
        return ERR_OK;
    return db_exec_one(tx, &template_reach_stmt,
                       DB_ARGS(DB_ID(template), DB_ID_ARRAY(channels, channel_count)));
}

static const struct db_stmt template_reached_stmt = {
    "template_reached",
    "SELECT t.id, (SELECT w.channel_id FROM whatsapp_channel w WHERE w.tenant_id = $1 AND w.waba_id = t.waba_id"
    " AND w.channel_id = ANY ($3::uuid[]) ORDER BY w.channel_id <> t.channel_id, w.channel_id LIMIT 1)"
    " FROM template t WHERE t.tenant_id = $1 AND t.id = ANY ($2::uuid[]) LIMIT 1000"
};

enum err
template_name_reached(struct db_tx *tx, const struct id *channels, size_t channel_count,
                      struct template *templates, size_t count)
{
    struct id ids[TEMPLATE_PAGE_MAX];
    struct db_rows *rows = NULL;

    if (channels == NULL || count == 0)
        return ERR_OK;
    if (count > COUNT_OF(ids))
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        ids[i] = templates[i].id;
    enum err err = db_query(tx, &template_reached_stmt,
                            DB_ARGS(DB_ID_ARRAY(ids, count), DB_ID_ARRAY(channels, channel_count)), &rows);
    for (size_t row = 0; err == ERR_OK && row < db_rows_count(rows); row++)
        for (size_t i = 0; i < count; i++)
            if (id_eq(templates[i].id, db_id(rows, row, 0)) && !db_is_null(rows, row, 1))
                templates[i].channel = db_id(rows, row, 1);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt template_list_stmt = {
    "template_list",
    "SELECT " TEMPLATE_COLUMNS " FROM template t WHERE t.tenant_id = $1 AND ($2::uuid IS NULL OR t.id < $2)"
    " AND ($3::uuid IS NULL OR t.waba_id = (SELECT w.waba_id FROM whatsapp_channel w"
    " WHERE w.tenant_id = $1 AND w.channel_id = $3))"
    " AND CASE WHEN $4::text IS NULL THEN t.state <> 'deleted' ELSE t.state = $4 END"
    " AND ($5::text IS NULL OR t.category = $5) AND ($6::text IS NULL OR t.language = $6)"
    " AND ($7::text IS NULL OR strpos(t.name, $7) > 0)"
    " AND ($9::uuid[] IS NULL OR " TEMPLATE_OF_CHANNELS("$9") ") ORDER BY t.id DESC LIMIT $8"
};

enum err
template_list(struct db_tx *tx, const struct template_filter *filter, size_t limit, struct arena *arena,
              struct template **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &template_list_stmt,
        DB_ARGS(id_is_zero(filter->cursor) ? DB_NULL : DB_ID(filter->cursor),
                id_is_zero(filter->channel) ? DB_NULL : DB_ID(filter->channel),
                filter->has_state ? DB_TEXT_Z(template_state_word(filter->state)) : DB_NULL,
                filter->has_category ? DB_TEXT_Z(template_category_word(filter->category)) : DB_NULL,
                DB_TEXT(filter->language), DB_TEXT(filter->name), DB_I64((int64_t)limit + 1),
                filter->channels == NULL ? DB_NULL : DB_ID_ARRAY(filter->channels, filter->channel_count)),
        &rows);

    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct template *templates = arena_array(arena, count, sizeof(*templates));
    err = templates == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = template_from_row(rows, i, arena, &templates[i]);
    if (err == ERR_OK) {
        *out = templates;
        *count_out = count;
    }
done:
    db_rows_free(rows);
    return err;
}

static const struct db_stmt template_for_send_stmt = {
    "template_for_send", "SELECT t.id, t.state, t.category, t.is_named, t.needs::text FROM whatsapp_channel w"
                         " JOIN template t ON t.tenant_id = w.tenant_id AND t.waba_id = w.waba_id"
                         " WHERE w.tenant_id = $1 AND w.channel_id = $2 AND t.name = $3 AND t.language = $4"
                         " AND t.state NOT IN ('deleted', 'refused')"
};

enum err
template_for_send(struct db_tx *tx, struct id channel, struct slice name, struct slice language,
                  struct arena *arena, struct template_sendable *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_for_send_stmt,
                            DB_ARGS(DB_ID(channel), DB_TEXT(name), DB_TEXT(language)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err != ERR_OK)
        goto done;
    *out = (struct template_sendable){ .id = db_id(rows, 0, 0),
                                       .is_named = db_bool(rows, 0, 3),
                                       .knows_needs = !db_is_null(rows, 0, 4),
                                       .needs = arena_copy(arena, db_text(rows, 0, 4)) };
    err = out->needs.ptr == NULL ? ERR_NO_MEMORY : template_state_parse(db_text(rows, 0, 1), &out->state);
    if (err == ERR_OK)
        err = template_category_parse(db_text(rows, 0, 2), &out->category);
done:
    db_rows_free(rows);
    return err;
}

static void
member_text(struct buf *data, const char *member, struct slice text)
{
    buf_add_format(data, ", \"%s\": ", member);
    if (text.len == 0)
        buf_add_text(data, "null");
    else
        json_add_string(data, text);
}

enum err
template_tell(struct db_tx *tx, const struct clock *clock, enum event_type type,
              const struct template *template, const char *previous_state)
{
    char at[WALL_TEXT_BYTES];
    struct buf data;

    buf_init(&data, 16384);
    buf_add_text(&data, "{\"name\": ");
    json_add_string(&data, template->name);
    member_text(&data, "language", template->language);
    member_text(&data, "category", slice_text(template_category_word(template->category)));
    member_text(&data, "state", slice_text(template_state_word(template->state)));
    member_text(&data, "previous_state", slice_text(previous_state));
    member_text(&data, "state_reason", template->state_reason);
    member_text(&data, "state_detail", template->state_detail);
    member_text(&data, "quality", slice_text(template_quality_word(template->quality)));
    member_text(&data, "previous_category",
                template->has_previous_category
                    ? slice_text(template_category_word(template->previous_category))
                    : SLICE_EMPTY);
    member_text(&data, "correct_category",
                template->has_correct_category
                    ? slice_text(template_category_word(template->correct_category))
                    : SLICE_EMPTY);
    member_text(&data, "category_change_at",
                template->has_category_change_at ? wall_print(template->category_change_at, at)
                                                 : SLICE_EMPTY);
    buf_add_text(&data, ", \"error\": ");
    if (template->error_code.len == 0) {
        buf_add_text(&data, "null");
    } else {
        buf_add_text(&data, "{\"code\": ");
        json_add_string(&data, template->error_code);
        member_text(&data, "title", template->error_title);
        buf_add_byte(&data, '}');
    }
    buf_add_byte(&data, '}');
    return event_tell(tx, clock, type, template->id, template->channel, &data);
}

static const struct db_stmt template_insert_stmt = {
    "template_insert",
    "INSERT INTO template (tenant_id, id, channel_id, waba_id, name, language, category, is_named, state,"
    " provider_id, ttl_s, is_link_tracking_off, is_order_details, library_name, needs, change,"
    " idempotency_key, fingerprint, components_digest, key_version, components_ct, components_iv,"
    " components_tag, draft_key_version, draft_ct, draft_iv, draft_tag)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,"
    " $22, $23, $24, $25, $26, $27)"
};

#define SEALED_OR_NULL(sealed)                                                                               \
    (sealed) == NULL ? DB_NULL : DB_I64((sealed)->key_version),                                              \
        (sealed) == NULL ? DB_NULL : DB_BYTES((sealed)->cipher),                                             \
        (sealed) == NULL ? DB_NULL : DB_BYTES(slice_of((sealed)->iv, VAULT_IV_BYTES)),                       \
        (sealed) == NULL ? DB_NULL : DB_BYTES(slice_of((sealed)->tag, VAULT_TAG_BYTES))

enum err
template_insert(struct db_tx *tx, const struct template_new *with, struct slice waba_id,
                enum template_state state, struct slice provider_id)
{
    bool has_key = with->idempotency_key.ptr != NULL;

    return db_exec_one(
        tx, &template_insert_stmt,
        DB_ARGS(DB_ID(with->id), DB_ID(with->channel), DB_TEXT(waba_id), DB_TEXT(with->name),
                DB_TEXT(with->language), DB_TEXT_Z(template_category_word(with->category)),
                DB_BOOL(with->is_named), DB_TEXT_Z(template_state_word(state)),
                provider_id.len == 0 ? DB_NULL : DB_TEXT(provider_id),
                with->has_ttl ? DB_I64(with->ttl_s) : DB_NULL, DB_BOOL(with->is_link_tracking_off),
                DB_BOOL(with->is_order_details),
                with->library_name.len == 0 ? DB_NULL : DB_TEXT(with->library_name),
                with->needs.ptr == NULL ? DB_NULL : DB_JSON(with->needs),
                with->draft == NULL ? DB_NULL : DB_TEXT_Z(template_change_word(TEMPLATE_CHANGE_CREATE)),
                DB_TEXT(with->idempotency_key),
                has_key ? DB_BYTES(slice_of(with->fingerprint, TEMPLATE_DIGEST_BYTES)) : DB_NULL,
                with->digest == NULL ? DB_NULL : DB_BYTES(slice_of(with->digest, TEMPLATE_DIGEST_BYTES)),
                SEALED_OR_NULL(with->components), SEALED_OR_NULL(with->draft)));
}

static const struct db_stmt template_account_stmt = {
    "template_account",
    "SELECT w.waba_id, c.state, (SELECT count(*) FROM template t WHERE t.tenant_id = $1"
    " AND t.waba_id = w.waba_id AND t.state NOT IN ('deleted', 'refused'))"
    " FROM channel c JOIN whatsapp_channel w ON w.tenant_id = c.tenant_id AND w.channel_id = c.id"
    " WHERE c.tenant_id = $1 AND c.id = $2"
};

/* The account of a channel that can be asked for something. */
static enum err
account_read(struct db_tx *tx, struct id channel, struct arena *arena, struct slice *waba_id_out)
{
    struct db_rows *rows = NULL;
    enum channel_state state = CHANNEL_DELETED;
    enum err err = db_query(tx, &template_account_stmt, DB_ARGS(DB_ID(channel)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_CHANNEL_UNKNOWN;
    if (err == ERR_OK)
        err = channel_state_parse(db_text(rows, 0, 1), &state);
    if (err == ERR_OK && state != CHANNEL_ACTIVE && state != CHANNEL_PAUSED)
        err = state == CHANNEL_DELETED ? ERR_CHANNEL_UNKNOWN : ERR_CHANNEL_NOT_READY;
    if (err == ERR_OK && db_i64(rows, 0, 2) >= (int64_t)TEMPLATE_PER_ACCOUNT_MAX)
        err = ERR_TOO_MANY;
    if (err == ERR_OK) {
        *waba_id_out = arena_copy(arena, db_text(rows, 0, 0));
        err = waba_id_out->ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt template_by_key_stmt = {
    "template_by_key", "SELECT id, fingerprint FROM template WHERE tenant_id = $1 AND idempotency_key = $2"
};

/* Whether the idempotency key was used before: ERR_NOT_FOUND when it was not. */
static enum err
replay_read(struct db_tx *tx, const struct template_new *with, struct arena *arena, struct template *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_by_key_stmt, DB_ARGS(DB_TEXT(with->idempotency_key)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK && !slice_eq(db_bytes(rows, 0, 1), slice_of(with->fingerprint, TEMPLATE_DIGEST_BYTES)))
        err = ERR_IDEMPOTENCY_MISMATCH;
    if (err == ERR_OK)
        err = template_get(tx, db_id(rows, 0, 0), arena, out);
    db_rows_free(rows);
    return err;
}

enum err
template_create(struct db_tx *tx, const struct clock *clock, const struct template_new *with,
                struct arena *arena, struct template *out, bool *is_replay_out)
{
    struct slice waba_id;
    struct provider_task_new task = { .id = id_new(clock),
                                      .channel = with->channel,
                                      .kind = PROVIDER_TASK_TEMPLATE_CREATE,
                                      .subject = with->id,
                                      .moves_media = with->has_samples,
                                      .is_asked = true };
    enum err err = ERR_NOT_FOUND;

    *is_replay_out = false;
    if (with->idempotency_key.ptr != NULL)
        err = replay_read(tx, with, arena, out);
    if (err != ERR_NOT_FOUND) {
        *is_replay_out = err == ERR_OK;
        return err;
    }
    err = account_read(tx, with->channel, arena, &waba_id);
    if (err == ERR_OK)
        err = template_insert(tx, with, waba_id, TEMPLATE_SUBMITTING, SLICE_EMPTY);
    if (err == ERR_OK)
        err = provider_task_create(tx, &task);
    if (err == ERR_OK)
        err = template_get(tx, with->id, arena, out);
    return err == ERR_OK ? template_tell(tx, clock, EVENT_TEMPLATE_CREATED, out, NULL) : err;
}

enum err
template_discover(struct db_tx *tx, const struct clock *clock, const struct template_new *found,
                  enum template_state state, struct slice provider_id, struct arena *arena)
{
    struct slice waba_id;
    struct template made;
    enum err err = account_read(tx, found->channel, arena, &waba_id);

    if (err == ERR_OK)
        err = template_insert(tx, found, waba_id, state, provider_id);
    if (err == ERR_OK)
        err = template_get(tx, found->id, arena, &made);
    return err == ERR_OK ? template_tell(tx, clock, EVENT_TEMPLATE_CREATED, &made, NULL) : err;
}
