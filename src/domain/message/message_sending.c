#include "domain/message/message_sending_internal.h"

enum err
sending_settings_read(struct slice text, struct arena *arena, const struct policy_settings **out)
{
    struct policy_settings *settings = arena_alloc(arena, sizeof(*settings));

    if (settings == NULL)
        return ERR_NO_MEMORY;
    *out = settings;
    return policy_settings_parse(text, settings);
}

/* As tenant.state says it, in the gate's words. */
static enum err
workspace_of(struct slice word, int64_t *out)
{
    for (int64_t value = POLICY_WORKSPACE_ACTIVE; value <= POLICY_WORKSPACE_CLOSED; value++)
        if (slice_eq(word, slice_text(policy_fact_word(POLICY_FACT_WORKSPACE, value)))) {
            *out = value;
            return ERR_OK;
        }
    return ERR_DB_DATA;
}

enum err
sending_facts_read(const struct sending_known *known, struct message_job *job)
{
    struct policy_facts *facts = &job->policy.facts;
    enum err err = workspace_of(known->workspace, &facts->of[POLICY_FACT_WORKSPACE]);

    facts->of[POLICY_FACT_AT] = known->now.us;
    facts->of[POLICY_FACT_CATEGORY] = job->claim.category;
    facts->of[POLICY_FACT_CHANNEL] =
        slice_eq(known->channel_kind, SLICE("sms")) ? POLICY_SMS : POLICY_WHATSAPP;
    facts->of[POLICY_FACT_WINDOW] = job->is_window_over ? POLICY_WINDOW_CLOSED : POLICY_WINDOW_NONE;
    policy_person_apply(known->person, facts);
    policy_settings_apply(known->settings, facts);
    job->settings = known->settings;
    return err;
}

/* What has left or is about to, one transaction after the other for each person. */
static const struct db_stmt promotions_sent_stmt = {
    "promotions_sent", "SELECT n, in_day, in_week FROM promotions_sent($1, $2, $3) LIMIT 10000"
};

static enum err
promotions_read(struct db_tx *tx, struct message_job *const *jobs, size_t count, struct arena *arena)
{
    struct slice *peers = arena_array(arena, count, sizeof(*peers));
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    size_t *at = arena_array(arena, count, sizeof(*at)), asked = 0;
    struct db_rows *rows = NULL;

    if (peers == NULL || ids == NULL || at == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct policy_facts *facts = &jobs[i]->policy.facts;
        if (facts->of[POLICY_FACT_DAY_CAP] == 0 && facts->of[POLICY_FACT_WEEK_CAP] == 0)
            continue;
        peers[asked] = slice_of(jobs[i]->sealed.peer_index, VAULT_INDEX_BYTES);
        ids[asked] = jobs[i]->claim.message;
        at[asked++] = i;
    }
    if (asked == 0)
        return ERR_OK;
    enum err err = db_query(tx, &promotions_sent_stmt,
                            DB_ARGS(DB_BYTES_ARRAY(peers, asked), DB_ID_ARRAY(ids, asked)), &rows);
    for (size_t row = 0; err == ERR_OK && row < db_rows_count(rows); row++) {
        struct policy_facts *facts = &jobs[at[db_i64(rows, row, 0) - 1]]->policy.facts;
        facts->of[POLICY_FACT_DAY_COUNT] = db_i64(rows, row, 1);
        facts->of[POLICY_FACT_WEEK_COUNT] = db_i64(rows, row, 2);
    }
    db_rows_free(rows);
    return err;
}

enum err
sending_judge(struct db_tx *tx, struct message_job *const *jobs, size_t count, struct arena *arena)
{
    enum err err = promotions_read(tx, jobs, count, arena);

    for (size_t i = 0; i < count; i++)
        jobs[i]->policy.verdict = policy_judge(&jobs[i]->policy.facts);
    return err;
}
