#include "domain/consent/consent_inbound.h"

#define PURPOSES_MAX (CONSENT_PERSON_MAX + 1u)
#define PROMOTIONAL  "promotional"

/* What is no advertisement goes on, unless the workspace lets a STOP stop everything. */
static bool
is_stopped(struct slice purpose, bool stops_all)
{
    return stops_all || (!slice_eq(purpose, SLICE("otp")) && !slice_eq(purpose, SLICE("transactional")) &&
                         !slice_eq(purpose, SLICE("service")));
}

static const struct db_stmt follow_up_add_stmt = {
    "consent_follow_up_add",
    "INSERT INTO consent_follow_up (tenant_id, id, word, language, channel_id, message_id, peer_index)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
};

static enum err
follow_up_add(struct db_tx *tx, const struct clock *clock, const struct consent_heard *heard,
              enum consent_word word, const char *language)
{
    return db_exec_one(tx, &follow_up_add_stmt,
                       DB_ARGS(DB_ID(id_new(clock)), DB_TEXT_Z(consent_word_text(word)), DB_TEXT_Z(language),
                               DB_ID(heard->channel), DB_ID(heard->message),
                               DB_BYTES(slice_of(heard->peer_index, VAULT_INDEX_BYTES))));
}

static struct consent_new
entry_of(const struct clock *clock, const struct consent_heard *heard, struct slice purpose,
         enum consent_state state, const char *language)
{
    struct consent_new entry = { .id = id_new(clock),
                                 .channel_kind = heard->channel_kind,
                                 .purpose = purpose,
                                 .state = state,
                                 .source = CONSENT_INBOUND,
                                 .method = SLICE("keyword"),
                                 .language = slice_text(language),
                                 .message = heard->message,
                                 .channel = heard->channel,
                                 .actor = CONSENT_BY_CONTACT,
                                 .at = heard->at };

    memcpy(entry.peer_index, heard->peer_index, VAULT_INDEX_BYTES);
    return entry;
}

/* What holds for promotional messages; NULL: nothing is known. */
static const struct consent_holding *
promotional_of(const struct consent_holding *holdings, size_t count, struct slice kind)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(holdings[i].channel_kind, kind) && slice_eq(holdings[i].purpose, SLICE(PROMOTIONAL)))
            return &holdings[i];
    return NULL;
}

/* Promotional messages, and whatever else was granted; then nobody writes to him any more. */
static enum err
stop(struct db_tx *tx, const struct clock *clock, const struct consent_heard *heard, bool stops_all,
     const char *language, struct arena *arena, bool *has_changed)
{
    struct consent_holding *holdings = NULL;
    size_t count = 0, n = 0;
    struct consent_new *entries = arena_array(arena, PURPOSES_MAX, sizeof(*entries));
    enum err err =
        entries == NULL ? ERR_NO_MEMORY : consent_holdings(tx, heard->peer_index, arena, &holdings, &count);

    if (err != ERR_OK)
        return err;
    entries[n++] = entry_of(clock, heard, SLICE(PROMOTIONAL), CONSENT_WITHDRAWN, language);
    for (size_t i = 0; i < count && n < PURPOSES_MAX; i++)
        if (slice_eq(holdings[i].channel_kind, heard->channel_kind) && holdings[i].state == CONSENT_GRANTED &&
            !slice_eq(holdings[i].purpose, SLICE(PROMOTIONAL)) && is_stopped(holdings[i].purpose, stops_all))
            entries[n++] = entry_of(clock, heard, holdings[i].purpose, CONSENT_WITHDRAWN, language);
    err = consent_record(tx, clock, entries, n, arena);
    if (err != ERR_OK || !entries[0].is_effective)
        return err; /* a later word is known already: this one came late */
    struct suppression_new row = { .id = id_new(clock),
                                   .channel_kind = heard->channel_kind,
                                   .is_all = stops_all,
                                   .reason = SUPPRESSION_KEYWORD,
                                   .entry = entries[0].id,
                                   .actor = CONSENT_BY_CONTACT,
                                   .at = heard->at };
    memcpy(row.peer_index, heard->peer_index, VAULT_INDEX_BYTES);
    err = suppression_add(tx, clock, &row, 1, arena);
    const struct consent_holding *before = promotional_of(holdings, count, heard->channel_kind);
    *has_changed = row.is_fresh || before == NULL || before->state != CONSENT_WITHDRAWN;
    return err;
}

/* Takes back what a STOP took. Where nothing was taken, the workspace's default says what it means. */
static enum err
start(struct db_tx *tx, const struct clock *clock, const struct consent_heard *heard,
      const struct consent_settings *settings, const char *language, struct arena *arena, bool *has_changed)
{
    struct consent_holding *holdings = NULL;
    size_t count = 0;
    bool was_lifted = false;
    enum err err = consent_holdings(tx, heard->peer_index, arena, &holdings, &count);

    if (err != ERR_OK)
        return err;
    const struct consent_holding *before = promotional_of(holdings, count, heard->channel_kind);
    bool was_withdrawn = before != NULL && before->state == CONSENT_WITHDRAWN;
    if (before != NULL && before->state == CONSENT_GRANTED)
        return ERR_OK;
    struct consent_new entry = entry_of(clock, heard, SLICE(PROMOTIONAL),
                                        was_withdrawn ? CONSENT_GRANTED : settings->of_inbound, language);
    err = consent_record(tx, clock, &entry, 1, arena);
    if (err != ERR_OK || (was_withdrawn && !entry.is_effective))
        return err;
    err = suppression_lift(tx, clock, heard->peer_index, heard->channel_kind, SUPPRESSION_KEYWORD, heard->at,
                           &was_lifted);
    *has_changed = was_lifted || (entry.is_effective && entry.state == CONSENT_GRANTED);
    return err;
}

static enum err
hear_one(struct db_tx *tx, const struct clock *clock, const struct consent_heard *heard,
         const struct consent_settings *settings, struct arena *arena, bool *followed_out)
{
    enum consent_word word;
    const char *language;
    bool has_changed = false;
    enum err err = ERR_OK;

    if (heard->folded.len == 0 ||
        !consent_keyword_match(heard->folded, &settings->keywords, &word, &language))
        return ERR_OK;
    switch (word) {
    case CONSENT_STOP:
        err = stop(tx, clock, heard, settings->stops_all, language, arena, &has_changed);
        break;
    case CONSENT_START:
        err = start(tx, clock, heard, settings, language, arena, &has_changed);
        break;
    case CONSENT_HELP:
        has_changed = settings->is_answered[CONSENT_HELP];
        break;
    }
    if (err != ERR_OK || !has_changed)
        return err;
    *followed_out = true;
    return follow_up_add(tx, clock, heard, word, language);
}

enum err
consent_hear(struct db_tx *tx, const struct clock *clock, const struct consent_heard *heard, size_t count,
             struct arena *arena, bool *followed_out)
{
    struct consent_settings settings;
    bool is_any = false;

    for (size_t i = 0; i < count; i++)
        is_any |= heard[i].folded.len > 0;
    enum err err = is_any ? consent_settings_read(tx, arena, &settings) : ERR_OK;
    for (size_t i = 0; is_any && err == ERR_OK && i < count; i++)
        err = hear_one(tx, clock, &heard[i], &settings, arena, followed_out);
    return err;
}

enum err
consent_preference_apply(struct db_tx *tx, const struct clock *clock,
                         const struct consent_preference *preference, struct arena *arena)
{
    bool was_lifted;
    struct consent_new entry = { .id = preference->entry,
                                 .channel_kind = preference->channel_kind,
                                 .purpose = SLICE(PROMOTIONAL),
                                 .state = preference->is_stop ? CONSENT_WITHDRAWN : CONSENT_GRANTED,
                                 .source = CONSENT_PROVIDER,
                                 .method = SLICE("preference"),
                                 .channel = preference->channel,
                                 .peer = &preference->peer,
                                 .actor = CONSENT_BY_CONTACT,
                                 .at = preference->at };

    memcpy(entry.peer_index, preference->peer_index, VAULT_INDEX_BYTES);
    enum err err = consent_record(tx, clock, &entry, 1, arena);
    if (err != ERR_OK || !entry.is_effective)
        return err;
    if (!preference->is_stop)
        return suppression_lift(tx, clock, preference->peer_index, preference->channel_kind,
                                SUPPRESSION_PREFERENCE, preference->at, &was_lifted);
    struct suppression_new row = { .id = id_new(clock),
                                   .channel_kind = preference->channel_kind,
                                   .reason = SUPPRESSION_PREFERENCE,
                                   .entry = entry.id,
                                   .actor = CONSENT_BY_CONTACT,
                                   .at = preference->at };
    memcpy(row.peer_index, preference->peer_index, VAULT_INDEX_BYTES);
    return suppression_add(tx, clock, &row, 1, arena);
}

static const struct db_stmt follow_ups_stmt = {
    "consent_follow_ups",
    "SELECT tenant_id, id, word, language, channel_id, message_id, peer_index, attempt, created_at"
    " FROM consent_follow_up WHERE due_at <= now() ORDER BY due_at LIMIT $1"
};
static const struct db_stmt follow_up_done_stmt = {
    "consent_follow_up_done", "DELETE FROM consent_follow_up WHERE tenant_id = $1 AND id = $2"
};
static const struct db_stmt follow_up_postpone_stmt = {
    "consent_follow_up_postpone", "UPDATE consent_follow_up SET attempt = attempt + 1,"
                                  " due_at = now() + interval '1 minute' * (1 << least(attempt, 8))"
                                  " WHERE tenant_id = $1 AND id = $2"
};

static enum err
follow_up_from_row(const struct db_rows *rows, size_t row, struct consent_follow_up *out)
{
    struct slice language = db_text(rows, row, 3), index = db_bytes(rows, row, 6);

    *out = (struct consent_follow_up){ .tenant = db_id(rows, row, 0),
                                       .id = db_id(rows, row, 1),
                                       .channel = db_id(rows, row, 4),
                                       .message = db_id(rows, row, 5),
                                       .attempt = (int)db_i64(rows, row, 7),
                                       .created_at = db_time(rows, row, 8) };
    if (language.len >= sizeof(out->language) || index.len != sizeof(out->peer_index))
        return ERR_DB_STATEMENT;
    memcpy(out->language, language.ptr, language.len);
    memcpy(out->peer_index, index.ptr, index.len);
    return consent_word_parse(db_text(rows, row, 2), &out->word);
}

enum err
consent_follow_ups(struct db *db, size_t max, struct arena *arena, struct consent_follow_up **out,
                   size_t *count_out)
{
    struct db_tx tx = { 0 };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "consent.follow_up", &tx);

    *count_out = 0;
    if (err == ERR_OK)
        err = db_query(&tx, &follow_ups_stmt, DB_ARGS(DB_I64((int64_t)max)), &rows);
    if (err == ERR_OK && (*out = arena_array(arena, db_rows_count(rows), sizeof(**out))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < db_rows_count(rows); i++) {
        err = follow_up_from_row(rows, i, &(*out)[i]);
        *count_out += err == ERR_OK;
    }
    db_rows_free(rows);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

enum err
consent_follow_up_done(struct db_tx *tx, struct id id)
{
    return db_exec(tx, &follow_up_done_stmt, DB_ARGS(DB_ID(id)), NULL);
}

enum err
consent_follow_up_postpone(struct db_tx *tx, struct id id)
{
    return db_exec(tx, &follow_up_postpone_stmt, DB_ARGS(DB_ID(id)), NULL);
}
