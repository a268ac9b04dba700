/* What was learnt of a template, from whomever: compared, written, told. */
#include "domain/template/template_internal.h"
#include "domain/tenant/sealed_column.h"

/* Kinds of difference, each with an event of its own. */
enum difference {
    DIFFERS_STATE = 1u << 0,
    DIFFERS_QUALITY = 1u << 1,
    DIFFERS_NOTICE = 1u << 2,
    DIFFERS_CATEGORY = 1u << 3,
    DIFFERS_CONTENT = 1u << 4,
    DIFFERS_REFUSED = 1u << 5,
    DIFFERS_OTHER = 1u << 6, /* shown, and not worth an event */
};

static unsigned
state_learn(struct template *template, const struct template_news *news, struct wall_time *state_at)
{
    bool is_same = !news->has_state || news->state == template->state;
    bool has_reason = news->has_state || news->has_reason;

    /* Webhooks come in any order: what is older than what is known says nothing about now. */
    if (!has_reason || news->at.us < state_at->us)
        return 0;
    if (news->has_state)
        *state_at = news->at;
    if (is_same && news->is_look && news->state_reason.len == 0) /* what a webhook said of it still holds */
        return 0;
    is_same = is_same && slice_eq(news->state_reason, template->state_reason);
    if (news->has_state)
        template->state = news->state;
    if (!is_same || news->state_detail.len > 0)
        template->state_detail = news->state_detail;
    template->state_reason = news->state_reason;
    return is_same ? 0 : DIFFERS_STATE;
}

static unsigned
category_learn(struct template *template, const struct template_news *news)
{
    unsigned differs = 0;

    if (news->has_category && news->category != template->category) {
        template->has_previous_category = true;
        template->previous_category = template->category;
        template->category = news->category;
        differs |= DIFFERS_CATEGORY;
    }
    if (news->has_correct_category || news->has_notice) {
        bool is_known =
            template->has_correct_category && template->correct_category == news->correct_category &&
            (!news->has_notice || (template->has_category_change_at &&
                                   template->category_change_at.us == news->category_change_at.us));
        template->has_correct_category = true;
        template->correct_category = news->correct_category;
        if (news->has_notice) {
            template->has_category_change_at = true;
            template->category_change_at = news->category_change_at;
        }
        differs |= is_known ? 0 : DIFFERS_NOTICE;
    }
    if (template->has_correct_category && template->correct_category == template->category) {
        differs &= ~(unsigned)DIFFERS_NOTICE; /* what was announced has happened */
        template->has_correct_category = template->has_category_change_at = false;
    }
    return differs;
}

/* The edit that WhatsApp took counts for its caps when the template was approved as it was asked for: that it
 * is in review again may be heard before the edit's own answer. */
static void
edit_count(struct template *template, struct wall_time now)
{
    if (template->edit_count == TEMPLATE_EDITS_PER_MONTH) {
        memmove(template->edits, template->edits + 1, sizeof(template->edits) - sizeof(template->edits[0]));
        template->edit_count--;
    }
    template->edits[template->edit_count++] = now;
}

static unsigned
change_learn(struct template *template, const struct template_news *news, struct wall_time now)
{
    if (!news->ends_change)
        return 0;
    if (template->change == TEMPLATE_CHANGE_EDIT && template->is_edit_counted && !news->is_refused)
        edit_count(template, now);
    template->change = TEMPLATE_CHANGE_NONE;
    template->error_code = news->is_refused ? news->error_code : SLICE_EMPTY;
    template->error_title = news->is_refused ? news->error_title : SLICE_EMPTY;
    return DIFFERS_OTHER | (news->is_refused && !news->has_state ? DIFFERS_REFUSED : 0u);
}

static unsigned
rest_learn(struct template *template, const struct template_news *news)
{
    unsigned differs = 0;

    if (news->has_quality && news->quality != template->quality) {
        template->quality = news->quality;
        differs |= DIFFERS_QUALITY;
    }
    if (news->provider_id.len > 0 && !slice_eq(news->provider_id, template->provider_id)) {
        template->provider_id = news->provider_id;
        differs |= DIFFERS_OTHER;
    }
    if (news->is_ttl_known && (news->has_ttl != template->has_ttl || news->ttl_s != template->ttl_s)) {
        template->has_ttl = news->has_ttl;
        template->ttl_s = news->ttl_s;
        differs |= DIFFERS_OTHER;
    }
    if (news->has_format && news->is_named != template->is_named) {
        template->is_named = news->is_named;
        differs |= DIFFERS_OTHER;
    }
    return differs;
}

static const struct db_stmt template_learn_stmt = {
    "template_learn",
    "UPDATE template SET category = $3, is_named = $4, state = $5, state_reason = $6, state_detail = $7,"
    " state_at = $8, provider_id = $9, quality = $10, previous_category = $11, correct_category = $12,"
    " category_change_at = $13, ttl_s = $14, change = $15::text, error_code = $16, error_title = $17, edits = $18,"
    " draft_key_version = CASE WHEN $15::text IS NULL THEN NULL ELSE draft_key_version END,"
    " draft_ct = CASE WHEN $15::text IS NULL THEN NULL ELSE draft_ct END,"
    " draft_iv = CASE WHEN $15::text IS NULL THEN NULL ELSE draft_iv END,"
    " draft_tag = CASE WHEN $15::text IS NULL THEN NULL ELSE draft_tag END,"
    " updated_at = $19, revision = revision + 1 WHERE tenant_id = $1 AND id = $2"
};

static struct db_arg
text_or_null(struct slice text)
{
    return text.len == 0 ? DB_NULL : DB_TEXT(text);
}

static struct db_arg
category_or_null(bool has_one, enum template_category category)
{
    return has_one ? DB_TEXT_Z(template_category_word(category)) : DB_NULL;
}

static enum err
learnt_write(struct db_tx *tx, const struct template *template, struct wall_time state_at,
             struct wall_time now)
{
    struct buf edits;
    const char *change = template_change_word(template->change);

    buf_init(&edits, 1024);
    buf_add_byte(&edits, '[');
    for (size_t i = 0; i < template->edit_count; i++) {
        buf_add_text(&edits, i == 0 ? "" : ",");
        buf_add_i64(&edits, template->edits[i].us);
    }
    buf_add_byte(&edits, ']');
    enum err err = buf_done(&edits);
    if (err == ERR_OK)
        err = db_exec_one(
            tx, &template_learn_stmt,
            DB_ARGS(DB_ID(template->id), DB_TEXT_Z(template_category_word(template->category)),
                    DB_BOOL(template->is_named), DB_TEXT_Z(template_state_word(template->state)),
                    text_or_null(template->state_reason), text_or_null(template->state_detail),
                    DB_TIME(state_at), text_or_null(template->provider_id),
                    DB_TEXT_Z(template_quality_word(template->quality)),
                    category_or_null(template->has_previous_category, template->previous_category),
                    category_or_null(template->has_correct_category, template->correct_category),
                    template->has_category_change_at ? DB_TIME(template->category_change_at) : DB_NULL,
                    template->has_ttl ? DB_I64(template->ttl_s) : DB_NULL,
                    change == NULL ? DB_NULL : DB_TEXT_Z(change), text_or_null(template->error_code),
                    text_or_null(template->error_title), DB_JSON(buf_slice(&edits)), DB_TIME(now)));
    buf_release(&edits);
    return err;
}

/* A state that was confirmed rests on the newer word: what is older than that is no news any more. */
static const struct db_stmt template_state_at_stmt = {
    "template_state_at", "UPDATE template SET state_at = $3 WHERE tenant_id = $1 AND id = $2"
};

static const struct db_stmt template_components_stmt = {
    "template_components",
    "UPDATE template SET needs = $3, components_digest = $4, key_version = $5, components_ct = $6,"
    " components_iv = $7, components_tag = $8 WHERE tenant_id = $1 AND id = $2"
    " AND components_digest IS DISTINCT FROM $4"
};

/* The same text again, sealed anew, is no news. */
static enum err
components_write(struct db_tx *tx, struct id template, const struct template_news *news, unsigned *differs)
{
    size_t affected = 0;

    if (news->components == NULL)
        return ERR_OK;
    enum err err = db_exec(tx, &template_components_stmt,
                           DB_ARGS(DB_ID(template), DB_JSON(news->needs),
                                   DB_BYTES(slice_of(news->digest, TEMPLATE_DIGEST_BYTES)),
                                   DB_I64(news->components->key_version), SEALED_ARGS(news->components)),
                           &affected);
    if (affected > 0)
        *differs |= DIFFERS_CONTENT;
    return err;
}

static const struct db_stmt template_seen_stmt = {
    "template_seen",
    "UPDATE template SET synced_at = $3, channel_id = CASE WHEN EXISTS (SELECT FROM channel c"
    " WHERE c.tenant_id = $1 AND c.id = template.channel_id AND c.state = 'deleted') THEN $4 ELSE channel_id END"
    " WHERE tenant_id = $1 AND id = $2"
};

static enum err
differences_tell(struct db_tx *tx, const struct clock *clock, unsigned differs,
                 const struct template *template, enum template_state before)
{
    static const struct {
        unsigned difference;
        enum event_type type;
    } events[] = { { DIFFERS_CONTENT, EVENT_TEMPLATE_UPDATED },
                   { DIFFERS_CATEGORY, EVENT_TEMPLATE_CATEGORY_CHANGED },
                   { DIFFERS_NOTICE, EVENT_TEMPLATE_CATEGORY_ANNOUNCED },
                   { DIFFERS_QUALITY, EVENT_TEMPLATE_QUALITY_CHANGED },
                   { DIFFERS_REFUSED, EVENT_TEMPLATE_CHANGE_REFUSED } };
    enum err err = ERR_OK;

    if ((differs & DIFFERS_STATE) != 0)
        err = template_tell(tx, clock,
                            template->state == TEMPLATE_DELETED ? EVENT_TEMPLATE_DELETED
                                                                : EVENT_TEMPLATE_STATE_CHANGED,
                            template, template_state_word(before));
    for (size_t i = 0; err == ERR_OK && i < COUNT_OF(events); i++)
        if ((differs & events[i].difference) != 0)
            err = template_tell(tx, clock, events[i].type, template, NULL);
    return err;
}

enum err
template_learn(struct db_tx *tx, const struct clock *clock, struct id template,
               const struct template_news *news, struct arena *arena)
{
    struct template known;
    struct wall_time state_at, now = clock_wall(clock);
    enum err err = template_lock(tx, template, arena, &known, &state_at);

    if (err != ERR_OK)
        return err;
    struct wall_time rested_on = state_at;
    enum template_state before = known.state;
    unsigned differs = change_learn(&known, news, now);
    differs |= state_learn(&known, news, &state_at);
    differs |= category_learn(&known, news);
    differs |= rest_learn(&known, news);
    err = components_write(tx, template, news, &differs);
    if (err == ERR_OK && before == TEMPLATE_SUBMITTING)
        differs &= ~(unsigned)DIFFERS_CONTENT; /* as it was handed in, in WhatsApp's own words */
    if (err == ERR_OK && differs != 0)
        err = learnt_write(tx, &known, state_at, now);
    else if (err == ERR_OK && state_at.us != rested_on.us)
        err = db_exec_one(tx, &template_state_at_stmt, DB_ARGS(DB_ID(template), DB_TIME(state_at)));
    if (err == ERR_OK && news->is_sync)
        err = db_exec_one(tx, &template_seen_stmt,
                          DB_ARGS(DB_ID(template), DB_TIME(now),
                                  DB_ID(id_is_zero(news->channel) ? known.channel : news->channel)));
    return err == ERR_OK ? differences_tell(tx, clock, differs, &known, before) : err;
}

static const struct db_stmt template_by_provider_stmt = {
    "template_by_provider",
    "SELECT t.id FROM whatsapp_channel w JOIN template t ON t.tenant_id = w.tenant_id AND t.waba_id = w.waba_id"
    " WHERE w.tenant_id = $1 AND w.channel_id = $2 AND t.state NOT IN ('deleted', 'refused')"
    " AND (t.provider_id = $3 OR (t.name = $4 AND t.language = $5))"
    " ORDER BY t.provider_id = $3 DESC NULLS LAST LIMIT 1"
};

enum err
template_by_provider(struct db_tx *tx, struct id channel, struct slice provider_id, struct slice name,
                     struct slice language, struct id *template_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &template_by_provider_stmt,
                 DB_ARGS(DB_ID(channel), DB_TEXT(provider_id), DB_TEXT(name), DB_TEXT(language)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *template_out = db_id(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt template_account_channel_stmt = {
    "template_account_channel",
    "SELECT channel_id FROM whatsapp_channel WHERE tenant_id = $1 AND waba_id = $2"
    " ORDER BY channel_id = $3 DESC, channel_id LIMIT 1"
};

enum err
template_account_channel(struct db_tx *tx, struct slice waba_id, struct id preferred, struct id *channel_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &template_account_channel_stmt, DB_ARGS(DB_TEXT(waba_id), DB_ID(preferred)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *channel_out = db_id(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt template_digest_stmt = {
    "template_digest", "SELECT components_digest FROM template WHERE tenant_id = $1 AND id = $2"
};

enum err
template_digest_read(struct db_tx *tx, struct id template, unsigned char digest_out[TEMPLATE_DIGEST_BYTES])
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_digest_stmt, DB_ARGS(DB_ID(template)), &rows);

    memset(digest_out, 0, TEMPLATE_DIGEST_BYTES);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK && !db_is_null(rows, 0, 0) && db_bytes(rows, 0, 0).len == TEMPLATE_DIGEST_BYTES)
        memcpy(digest_out, db_bytes(rows, 0, 0).ptr, TEMPLATE_DIGEST_BYTES);
    db_rows_free(rows);
    return err;
}

/* All that a statement found are deleted. */
static enum err
found_delete(struct db_tx *tx, const struct clock *clock, struct db_rows *rows, struct arena *arena)
{
    struct template_news gone = {
        .at = clock_wall(clock), .has_state = true, .state = TEMPLATE_DELETED, .ends_change = true
    };
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++)
        err = template_learn(tx, clock, db_id(rows, i, 0), &gone, arena);
    return err;
}

static const struct db_stmt template_sweep_stmt = {
    "template_sweep",
    "SELECT t.id FROM whatsapp_channel w JOIN template t ON t.tenant_id = w.tenant_id AND t.waba_id = w.waba_id"
    " WHERE w.tenant_id = $1 AND w.channel_id = $2 AND t.state NOT IN ('submitting', 'refused', 'deleted')"
    " AND coalesce(t.synced_at, '-infinity') < $3 AND t.updated_at < $3 ORDER BY t.id LIMIT 7000"
};

enum err
template_sweep(struct db_tx *tx, const struct clock *clock, struct id channel, struct wall_time since,
               struct arena *arena, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_sweep_stmt, DB_ARGS(DB_ID(channel), DB_TIME(since)), &rows);

    if (err == ERR_OK) {
        *count_out = db_rows_count(rows);
        err = found_delete(tx, clock, rows, arena);
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt template_same_name_stmt = {
    "template_same_name",
    "SELECT o.id FROM template t JOIN template o ON o.tenant_id = t.tenant_id AND o.waba_id = t.waba_id AND o.name = t.name"
    " WHERE t.tenant_id = $1 AND t.id = $2 AND o.id <> t.id"
    " AND o.state NOT IN ('submitting', 'refused', 'deleted') ORDER BY o.id LIMIT 200"
};

enum err
template_delete_name(struct db_tx *tx, const struct clock *clock, struct id template, struct arena *arena)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &template_same_name_stmt, DB_ARGS(DB_ID(template)), &rows);

    if (err == ERR_OK)
        err = found_delete(tx, clock, rows, arena);
    db_rows_free(rows);
    return err;
}
