#include "domain/consent/consent_settings.h"

static const struct {
    enum consent_word word;
    const char *language, *text;
} answers[] = {
#define ANSWER(word, language, text) { CONSENT_##word, language, text },
#include "domain/consent/consent_answer.def"
#undef ANSWER
};

const char *
consent_answer_text(enum consent_word word, struct slice language)
{
    const char *english = NULL;

    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        if (answers[i].word == word && slice_eq(language, slice_text(answers[i].language)))
            return answers[i].text;
        if (answers[i].word == word && english == NULL)
            english = answers[i].text; /* the table begins with them */
    }
    return english;
}

enum consent_state
consent_settings_of(const struct consent_settings *settings, enum consent_source source)
{
    switch (source) {
    case CONSENT_MANUAL:
        return settings->of_manual;
    case CONSENT_IMPORT:
        return settings->of_import;
    case CONSENT_INBOUND:
        return settings->of_inbound;
    case CONSENT_API:
        return settings->of_api;
    case CONSENT_PROVIDER:
        break;
    }
    return CONSENT_UNKNOWN;
}

static const struct db_stmt consent_settings_read_stmt = {
    "consent_settings_read",
    "SELECT default_manual, default_import, default_inbound, default_api, stop_scope = 'all', is_stop_answered,"
    " is_start_answered, is_help_answered, stop_text, start_text, help_text, stop_words, start_words, help_words,"
    " revision, updated_at FROM consent_settings WHERE tenant_id = $1"
};

static enum err
settings_from_row(const struct db_rows *rows, struct arena *arena, struct consent_settings *out)
{
    enum consent_state *const states[] = { &out->of_manual, &out->of_import, &out->of_inbound, &out->of_api };
    enum err err = ERR_OK;

    for (int i = 0; err == ERR_OK && i < (int)COUNT_OF(states); i++)
        err = consent_state_parse(db_text(rows, 0, i), states[i]);
    out->stops_all = db_bool(rows, 0, 4);
    for (int i = 0; err == ERR_OK && i < (int)CONSENT_WORD_COUNT; i++) {
        struct slice *own = arena_array(arena, CONSENT_OWN_WORDS_MAX, sizeof(*own));
        out->is_answered[i] = db_bool(rows, 0, 5 + i);
        if (!db_is_null(rows, 0, 8 + i) &&
            (out->answer[i] = arena_copy(arena, db_text(rows, 0, 8 + i))).ptr == NULL)
            err = ERR_NO_MEMORY;
        if (own == NULL)
            err = ERR_NO_MEMORY;
        if (err == ERR_OK)
            err = db_text_array(rows, 0, 11 + i, arena, own, CONSENT_OWN_WORDS_MAX,
                                &out->keywords.own_count[i]);
        out->keywords.own[i] = own;
    }
    out->revision = (uint32_t)db_i64(rows, 0, 14);
    out->updated_at = db_time(rows, 0, 15);
    return err;
}

enum err
consent_settings_read(struct db_tx *tx, struct arena *arena, struct consent_settings *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &consent_settings_read_stmt, DB_NO_ARGS, &rows);

    *out = (struct consent_settings){ .of_manual = CONSENT_UNKNOWN,
                                      .of_import = CONSENT_UNKNOWN,
                                      .of_inbound = CONSENT_UNKNOWN,
                                      .of_api = CONSENT_UNKNOWN,
                                      .is_answered = { true, true, true } };
    if (err == ERR_OK && db_rows_count(rows) > 0)
        err = settings_from_row(rows, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt consent_settings_write_stmt = {
    "consent_settings_write",
    "INSERT INTO consent_settings AS s (tenant_id, default_manual, default_import, default_inbound, default_api,"
    " stop_scope, is_stop_answered, is_start_answered, is_help_answered, stop_text, start_text, help_text, stop_words,"
    " start_words, help_words) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    " ON CONFLICT (tenant_id) DO UPDATE SET default_manual = excluded.default_manual,"
    " default_import = excluded.default_import, default_inbound = excluded.default_inbound,"
    " default_api = excluded.default_api, stop_scope = excluded.stop_scope,"
    " is_stop_answered = excluded.is_stop_answered, is_start_answered = excluded.is_start_answered,"
    " is_help_answered = excluded.is_help_answered, stop_text = excluded.stop_text, start_text = excluded.start_text,"
    " help_text = excluded.help_text, stop_words = excluded.stop_words, start_words = excluded.start_words,"
    " help_words = excluded.help_words, revision = s.revision + 1, updated_at = now() WHERE s.revision = $16"
    " RETURNING revision, updated_at"
};

enum err
consent_settings_write(struct db_tx *tx, struct consent_settings *settings)
{
    const struct consent_keywords *words = &settings->keywords;
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &consent_settings_write_stmt,
        DB_ARGS(DB_TEXT_Z(consent_state_word(settings->of_manual)),
                DB_TEXT_Z(consent_state_word(settings->of_import)),
                DB_TEXT_Z(consent_state_word(settings->of_inbound)),
                DB_TEXT_Z(consent_state_word(settings->of_api)),
                DB_TEXT_Z(settings->stops_all ? "all" : "promotional"),
                DB_BOOL(settings->is_answered[CONSENT_STOP]), DB_BOOL(settings->is_answered[CONSENT_START]),
                DB_BOOL(settings->is_answered[CONSENT_HELP]), DB_TEXT(settings->answer[CONSENT_STOP]),
                DB_TEXT(settings->answer[CONSENT_START]), DB_TEXT(settings->answer[CONSENT_HELP]),
                DB_TEXT_ARRAY(words->own[CONSENT_STOP], words->own_count[CONSENT_STOP]),
                DB_TEXT_ARRAY(words->own[CONSENT_START], words->own_count[CONSENT_START]),
                DB_TEXT_ARRAY(words->own[CONSENT_HELP], words->own_count[CONSENT_HELP]),
                DB_I64(settings->revision)),
        &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_DB_CONFLICT;
    if (err == ERR_OK) {
        settings->revision = (uint32_t)db_i64(rows, 0, 0);
        settings->updated_at = db_time(rows, 0, 1);
    }
    db_rows_free(rows);
    return err;
}
