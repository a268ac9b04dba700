/* What a workspace decides about what may be sent. What nobody has changed is as safe as it comes. */
#ifndef DOMAIN_POLICY_POLICY_SETTINGS_H
#define DOMAIN_POLICY_POLICY_SETTINGS_H
#include "domain/policy/policy_gate.h"
#include "domain/policy/quiet_hours.h"
#include "platform/db/db.h"

#define POLICY_CAP_MAX     1000
#define POLICY_INDIA_EARLY 540u /* 09:00 */
#define POLICY_INDIA_LATE  600u /* 10:00 */

struct policy_settings {
    enum policy_consent_rule consent[POLICY_CHANNEL_COUNT][POLICY_CATEGORY_COUNT];
    int64_t cap_per_day, cap_per_week; /* of promotional messages to a person; 0: none */
    enum policy_dnd_rule dnd;
    struct quiet_settings quiet;
    uint32_t revision;           /* 0: never changed */
    struct wall_time updated_at; /* of a revision */
};
/* Promotional messages ask for consent and keep quiet hours; no caps; DND where it is known. */
extern const struct policy_settings policy_settings_default;

/*
 * As statements of other rooms read them beside what else they ask: one column of `s`, a row of
 * policy_settings that may be missing. policy_settings_parse takes what it gives; empty or NULL: the default.
 * ERR_DB_DATA.
 */
#define POLICY_SETTINGS_TEXT                                                                                     \
    "CASE WHEN s.revision > 0 THEN concat_ws(' ', s.consent_required, coalesce(s.cap_per_day, 0),"               \
    " coalesce(s.cap_per_week, 0), s.dnd, s.is_quiet_off::int, s.quiet_india_from, s.quiet_from, s.quiet_until," \
    " s.quiet_days, s.quiet_spread) END"
MUST_CHECK enum err policy_settings_parse(struct slice text, struct policy_settings *out);

/*
 * Likewise of a person: a number of suppression and consent, for policy_person_apply. `i` is the alias of a
 * row with tenant_id, peer_index, channel_kind and purpose, which must be plain columns for the indexes to be
 * used.
 */
#define POLICY_SUPPRESSION_FACT(i)                                                                              \
    "coalesce((SELECT max(CASE p.scope WHEN 'all' THEN 2 ELSE 1 END) FROM suppression p WHERE p.tenant_id = " i \
    ".tenant_id AND p.peer_index = " i ".peer_index AND p.channel_kind IN ('any', " i                           \
    ".channel_kind)), 0) * 3"
#define POLICY_CONSENT_FACT(i)                                                                                    \
    "coalesce((SELECT CASE t.state WHEN 'granted' THEN 1 WHEN 'withdrawn' THEN 2 ELSE 0 END FROM consent_state t" \
    " WHERE t.tenant_id = " i ".tenant_id AND t.peer_index = " i ".peer_index AND t.channel_kind = " i            \
    ".channel_kind AND t.purpose = " i ".purpose), 0)"
#define POLICY_PERSON_FACTS(i) POLICY_SUPPRESSION_FACT(i) " + " POLICY_CONSENT_FACT(i)
#define POLICY_PERSON_MAX      8
void policy_person_apply(int64_t person, struct policy_facts *facts);

/* What the settings have to say of a message: CONSENT_RULE, DND_RULE and the caps, by its category and
 * channel. */
void policy_settings_apply(const struct policy_settings *settings, struct policy_facts *facts);

/* Of the transaction's tenant. */
MUST_CHECK enum err policy_settings_read(struct db_tx *tx, struct policy_settings *out);
/* Puts all of them; `revision` is the one they replace, and the next one afterwards. ERR_DB_CONFLICT: read
 * again. */
MUST_CHECK enum err policy_settings_write(struct db_tx *tx, struct policy_settings *settings);

#endif
