#include "domain/policy/policy_settings.h"
#include "core/attribute.h"
#include "core/num.h"

#define NUMBERS 10 /* of POLICY_SETTINGS_TEXT */

const struct policy_settings policy_settings_default = {
    .consent = { [POLICY_WHATSAPP][POLICY_PROMOTIONAL] = POLICY_CONSENT_REQUIRED,
                 [POLICY_SMS][POLICY_PROMOTIONAL] = POLICY_CONSENT_REQUIRED },
    .quiet = { .india_from_minute = POLICY_INDIA_EARLY,
               .until_minute = QUIET_DAY_MINUTES,
               .days = QUIET_EVERY_DAY,
               .spread_minutes = 30 },
};

/* A bit for each channel and category that asks for consent. */
static unsigned
consent_bit(unsigned channel, unsigned category)
{
    return 1u << (channel * POLICY_CATEGORY_COUNT + category);
}

static int64_t
consent_bits(const struct policy_settings *settings)
{
    unsigned bits = 0;

    for (unsigned channel = 0; channel < POLICY_CHANNEL_COUNT; channel++)
        for (unsigned category = 0; category < POLICY_CATEGORY_COUNT; category++)
            if (settings->consent[channel][category] == POLICY_CONSENT_REQUIRED)
                bits |= consent_bit(channel, category);
    return bits;
}

enum err
policy_settings_parse(struct slice text, struct policy_settings *out)
{
    /* Consent, caps, DND, quiet hours: as POLICY_SETTINGS_TEXT has them. */
    static const int max[NUMBERS] = { (1 << (POLICY_CHANNEL_COUNT * POLICY_CATEGORY_COUNT)) - 1,
                                      POLICY_CAP_MAX,
                                      POLICY_CAP_MAX,
                                      POLICY_DND_OFF,
                                      1,
                                      QUIET_DAY_MINUTES,
                                      QUIET_DAY_MINUTES,
                                      QUIET_DAY_MINUTES,
                                      QUIET_EVERY_DAY,
                                      QUIET_SPREAD_MINUTES_MAX };
    int of[NUMBERS];

    *out = policy_settings_default;
    if (text.len == 0)
        return ERR_OK;
    for (size_t i = 0; i < NUMBERS; i++) {
        size_t end = 0;
        while (end < text.len && text.ptr[end] != ' ')
            end++;
        if (num_int_parse(slice_first(text, end), 0, max[i], &of[i]) != ERR_OK ||
            (end == text.len) != (i == NUMBERS - 1))
            return ERR_DB_DATA;
        text = slice_drop(text, end + (end < text.len));
    }
    for (unsigned channel = 0; channel < POLICY_CHANNEL_COUNT; channel++)
        for (unsigned category = 0; category < POLICY_CATEGORY_COUNT; category++)
            out->consent[channel][category] = ((unsigned)of[0] & consent_bit(channel, category)) != 0
                                                  ? POLICY_CONSENT_REQUIRED
                                                  : POLICY_CONSENT_UNLESS_WITHDRAWN;
    out->cap_per_day = of[1];
    out->cap_per_week = of[2];
    out->dnd = (enum policy_dnd_rule)of[3];
    out->quiet = (struct quiet_settings){ .is_off = of[4] != 0,
                                          .india_from_minute = (uint16_t)of[5],
                                          .from_minute = (uint16_t)of[6],
                                          .until_minute = (uint16_t)of[7],
                                          .days = (uint8_t)of[8],
                                          .spread_minutes = (uint16_t)of[9] };
    return ERR_OK;
}

void
policy_person_apply(int64_t person, struct policy_facts *facts)
{
    facts->of[POLICY_FACT_SUPPRESSION] = person / 3;
    facts->of[POLICY_FACT_CONSENT] = person % 3;
}

void
policy_settings_apply(const struct policy_settings *settings, struct policy_facts *facts)
{
    int64_t channel = facts->of[POLICY_FACT_CHANNEL], category = facts->of[POLICY_FACT_CATEGORY];

    facts->of[POLICY_FACT_CONSENT_RULE] = settings->consent[channel][category];
    facts->of[POLICY_FACT_DND_RULE] = settings->dnd;
    if (category != POLICY_PROMOTIONAL)
        return;
    facts->of[POLICY_FACT_DAY_CAP] = settings->cap_per_day;
    facts->of[POLICY_FACT_WEEK_CAP] = settings->cap_per_week;
}

static const struct db_stmt policy_settings_read_stmt = {
    "policy_settings_read",
    "SELECT " POLICY_SETTINGS_TEXT ", s.revision, s.updated_at FROM policy_settings s WHERE s.tenant_id = $1"
};

enum err
policy_settings_read(struct db_tx *tx, struct policy_settings *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &policy_settings_read_stmt, DB_NO_ARGS, &rows);

    *out = policy_settings_default;
    if (err == ERR_OK && db_rows_count(rows) > 0) {
        err = policy_settings_parse(db_text(rows, 0, 0), out);
        out->revision = (uint32_t)db_i64(rows, 0, 1);
        out->updated_at = db_time(rows, 0, 2);
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt policy_settings_write_stmt = {
    "policy_settings_write",
    "INSERT INTO policy_settings AS s (tenant_id, consent_required, cap_per_day, cap_per_week, dnd, is_quiet_off,"
    " quiet_india_from, quiet_from, quiet_until, quiet_days, quiet_spread)"
    " VALUES ($1, $2, nullif($3, 0), nullif($4, 0), $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (tenant_id) DO UPDATE SET"
    " consent_required = excluded.consent_required, cap_per_day = excluded.cap_per_day,"
    " cap_per_week = excluded.cap_per_week, dnd = excluded.dnd, is_quiet_off = excluded.is_quiet_off,"
    " quiet_india_from = excluded.quiet_india_from, quiet_from = excluded.quiet_from,"
    " quiet_until = excluded.quiet_until, quiet_days = excluded.quiet_days, quiet_spread = excluded.quiet_spread,"
    " revision = s.revision + 1, updated_at = now() WHERE s.revision = $12 RETURNING revision, updated_at"
};

enum err
policy_settings_write(struct db_tx *tx, struct policy_settings *settings)
{
    const struct quiet_settings *quiet = &settings->quiet;
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &policy_settings_write_stmt,
        DB_ARGS(DB_I64(consent_bits(settings)), DB_I64(settings->cap_per_day), DB_I64(settings->cap_per_week),
                DB_I64(settings->dnd), DB_BOOL(quiet->is_off), DB_I64(quiet->india_from_minute),
                DB_I64(quiet->from_minute), DB_I64(quiet->until_minute), DB_I64(quiet->days),
                DB_I64(quiet->spread_minutes), DB_I64(settings->revision)),
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
