#include "domain/policy/policy_gate.h"
#include "core/attribute.h"

/* What is suspended may be lifted at any moment: looked at again after this. */
#define SUSPENDED_US (INT64_C(15) * 60 * 1000000)

static const struct policy_verdict allow = { .decision = POLICY_ALLOW };

static struct policy_verdict
block_if(bool is_forbidden)
{
    return (struct policy_verdict){ .decision = is_forbidden ? POLICY_BLOCK : POLICY_ALLOW };
}

static struct policy_verdict
hold_until(int64_t us)
{
    return (struct policy_verdict){ .decision = POLICY_HOLD, .until = { us } };
}

#define FACT_OF(facts, name) ((facts)->of[POLICY_FACT_##name])

static bool
is_promotional(const struct policy_facts *facts)
{
    return FACT_OF(facts, CATEGORY) == POLICY_PROMOTIONAL;
}

static struct policy_verdict
rule_workspace(const struct policy_facts *facts)
{
    if (FACT_OF(facts, WORKSPACE) == POLICY_WORKSPACE_SUSPENDED)
        return hold_until(FACT_OF(facts, AT) + SUSPENDED_US);
    return block_if(FACT_OF(facts, WORKSPACE) == POLICY_WORKSPACE_CLOSED);
}

static struct policy_verdict
rule_sender(const struct policy_facts *facts)
{
    return block_if(FACT_OF(facts, SENDER) != POLICY_SENDER_READY);
}

/* What only its provider knows is the provider's to refuse. */
static struct policy_verdict
rule_template(const struct policy_facts *facts)
{
    return block_if(FACT_OF(facts, TEMPLATE) == POLICY_TEMPLATE_NOT_APPROVED ||
                    FACT_OF(facts, TEMPLATE) == POLICY_TEMPLATE_NOT_MATCHED);
}

static struct policy_verdict
rule_dlt(const struct policy_facts *facts)
{
    return block_if(FACT_OF(facts, DLT) > POLICY_DLT_OK);
}

static struct policy_verdict
rule_suppression(const struct policy_facts *facts)
{
    return block_if(FACT_OF(facts, SUPPRESSION) == POLICY_SUPPRESSION_ALL ||
                    (FACT_OF(facts, SUPPRESSION) == POLICY_SUPPRESSION_PROMOTIONAL && is_promotional(facts)));
}

/* Who has withdrawn gets nothing for this purpose, whatever the settings say. */
static struct policy_verdict
rule_consent(const struct policy_facts *facts)
{
    int64_t consent = FACT_OF(facts, CONSENT);

    return block_if(
        consent == POLICY_CONSENT_WITHDRAWN ||
        (consent != POLICY_CONSENT_GRANTED && FACT_OF(facts, CONSENT_RULE) == POLICY_CONSENT_REQUIRED));
}

/* A consent of the recipient's own goes before a preference. */
static struct policy_verdict
rule_dnd(const struct policy_facts *facts)
{
    int64_t dnd = FACT_OF(facts, DND), rule = FACT_OF(facts, DND_RULE);

    if (!is_promotional(facts) || rule == POLICY_DND_OFF || FACT_OF(facts, CONSENT) == POLICY_CONSENT_GRANTED)
        return allow;
    if (dnd == POLICY_DND_NOT_NOW && FACT_OF(facts, DND_UNTIL) > FACT_OF(facts, AT))
        return hold_until(FACT_OF(facts, DND_UNTIL));
    return block_if(dnd == POLICY_DND_BLOCKED || (dnd == POLICY_DND_UNKNOWN && rule == POLICY_DND_REQUIRED));
}

static struct policy_verdict
rule_window(const struct policy_facts *facts)
{
    return block_if(FACT_OF(facts, WINDOW) == POLICY_WINDOW_CLOSED);
}

static struct policy_verdict
rule_cap(const struct policy_facts *facts)
{
    int64_t day = FACT_OF(facts, DAY_CAP), week = FACT_OF(facts, WEEK_CAP);

    return block_if(is_promotional(facts) && ((day > 0 && FACT_OF(facts, DAY_COUNT) >= day) ||
                                              (week > 0 && FACT_OF(facts, WEEK_COUNT) >= week)));
}

static struct policy_verdict
rule_quota(const struct policy_facts *facts)
{
    return block_if(FACT_OF(facts, QUOTA) == POLICY_QUOTA_SPENT);
}

static struct policy_verdict
rule_credit(const struct policy_facts *facts)
{
    return block_if(FACT_OF(facts, CREDIT) == POLICY_CREDIT_SPENT);
}

static struct policy_verdict
rule_quiet_hours(const struct policy_facts *facts)
{
    int64_t until = FACT_OF(facts, QUIET_UNTIL);

    return is_promotional(facts) && until > FACT_OF(facts, AT) ? hold_until(until) : allow;
}

static const struct rule_row {
    const char *word, *title;
    struct policy_verdict (*judge)(const struct policy_facts *facts);
} rules[] = {
#define RULE(number, name, word, function, title) [number] = { word, title, function },
#include "domain/policy/policy_rule.def"
#undef RULE
};
_Static_assert(COUNT_OF(rules) == POLICY_RULE_MAX + 1, "POLICY_RULE_MAX is the last rule's");

const char *
policy_rule_word(enum policy_rule rule)
{
    return (unsigned)rule < COUNT_OF(rules) ? rules[rule].word : NULL;
}

const char *
policy_rule_title(enum policy_rule rule)
{
    return (unsigned)rule < COUNT_OF(rules) ? rules[rule].title : NULL;
}

const char *
policy_decision_word(enum policy_decision decision)
{
    switch (decision) {
    case POLICY_ALLOW:
        return "allow";
    case POLICY_HOLD:
        return "hold";
    case POLICY_BLOCK:
        return "block";
    }
    bug("no such decision");
}

struct policy_verdict
policy_judge_rule(enum policy_rule rule, const struct policy_facts *facts)
{
    if (policy_rule_word(rule) == NULL)
        bug("no such rule");
    struct policy_verdict verdict = rules[rule].judge(facts);
    if (verdict.decision != POLICY_ALLOW)
        verdict.rule = rule;
    return verdict;
}

struct policy_verdict
policy_judge(const struct policy_facts *facts)
{
    struct policy_verdict so_far = allow;

    for (unsigned rule = 1; rule < COUNT_OF(rules); rule++) {
        if (rules[rule].judge == NULL)
            continue;
        struct policy_verdict verdict = policy_judge_rule((enum policy_rule)rule, facts);
        if (verdict.decision == POLICY_BLOCK)
            return verdict;
        if (verdict.decision == POLICY_HOLD &&
            (so_far.decision == POLICY_ALLOW || verdict.until.us > so_far.until.us))
            so_far = verdict;
    }
    return so_far;
}
