/*
 * The policy gate: may this message go, and now? A pure function from facts to a verdict. The rules are rows
 * of policy_rule.def, the facts those of policy_fact.def; the workspace's settings are facts too, so that a
 * receipt, which holds all of them, can be judged again and says the same.
 *
 * A rule only forbids: the gate allows what none of them forbids. What one blocks is blocked, whatever the
 * others say; what several hold is held until the last of them lets it go.
 */
#ifndef DOMAIN_POLICY_POLICY_GATE_H
#define DOMAIN_POLICY_POLICY_GATE_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"

enum policy_decision { POLICY_ALLOW, POLICY_HOLD, POLICY_BLOCK };
/* "allow", "hold", "block" */
const char *policy_decision_word(enum policy_decision decision);

enum policy_rule {
    POLICY_RULE_NONE,
#define RULE(number, name, word, function, title) POLICY_RULE_##name = (number),
#include "domain/policy/policy_rule.def"
#undef RULE
};
#define POLICY_RULE_MAX POLICY_RULE_QUIET_HOURS
/* "suppression"; NULL for POLICY_RULE_NONE. */
const char *policy_rule_word(enum policy_rule rule);
/* A sentence for people; NULL for POLICY_RULE_NONE. */
const char *policy_rule_title(enum policy_rule rule);

enum policy_fact {
#define FACT(number, name, word, kind, words) POLICY_FACT_##name = (number),
#include "domain/policy/policy_fact.def"
#undef FACT
};
#define POLICY_FACT_MAX POLICY_FACT_DND_CATEGORY

/* The values of the facts that are words. The first of each is what is so where nothing is known against it.
 */
enum policy_category { POLICY_OTP, POLICY_TRANSACTIONAL, POLICY_SERVICE, POLICY_PROMOTIONAL };
#define POLICY_CATEGORY_COUNT 4u
enum policy_channel { POLICY_WHATSAPP, POLICY_SMS };
#define POLICY_CHANNEL_COUNT 2u
enum policy_workspace { POLICY_WORKSPACE_ACTIVE, POLICY_WORKSPACE_SUSPENDED, POLICY_WORKSPACE_CLOSED };
enum policy_sender {
    POLICY_SENDER_READY,
    POLICY_SENDER_PAUSED,
    POLICY_SENDER_UNVERIFIED,
    POLICY_SENDER_DELETED
};
enum policy_template {
    POLICY_TEMPLATE_NONE, /* it is not a template, or its sender has none to ask about */
    POLICY_TEMPLATE_APPROVED,
    POLICY_TEMPLATE_UNKNOWN,      /* the provider knows whether it exists; we do not */
    POLICY_TEMPLATE_NOT_APPROVED, /* known, and paused, disabled, refused, deleted or not decided yet */
    POLICY_TEMPLATE_NOT_MATCHED,  /* what is sent does not fit it */
};
/* In the order in which a registry is asked (domain/dlt). */
enum policy_dlt {
    POLICY_DLT_NONE, /* it does not apply: no SMS, not to India, or no entity is asked for */
    POLICY_DLT_OK,
    POLICY_DLT_NO_ENTITY,
    POLICY_DLT_ENTITY_INACTIVE,
    POLICY_DLT_HEADER_UNKNOWN,
    POLICY_DLT_HEADER_INACTIVE,
    POLICY_DLT_TEMPLATE_UNKNOWN,
    POLICY_DLT_TEMPLATE_INACTIVE,
    POLICY_DLT_NOT_MAPPED,
    POLICY_DLT_CATEGORY,
    POLICY_DLT_NOT_MATCHED,
    POLICY_DLT_VARIABLE,
    POLICY_DLT_LINK,
    POLICY_DLT_CHAIN,
};
enum policy_suppression { POLICY_SUPPRESSION_NONE, POLICY_SUPPRESSION_PROMOTIONAL, POLICY_SUPPRESSION_ALL };
enum policy_consent { POLICY_CONSENT_UNKNOWN, POLICY_CONSENT_GRANTED, POLICY_CONSENT_WITHDRAWN };
enum policy_consent_rule { POLICY_CONSENT_UNLESS_WITHDRAWN, POLICY_CONSENT_REQUIRED };
enum policy_dnd {
    POLICY_DND_NONE, /* it does not apply: no SMS to India, or not promotional */
    POLICY_DND_CLEAR,
    POLICY_DND_BLOCKED,
    POLICY_DND_UNKNOWN, /* there is no registry here to ask */
    POLICY_DND_NOT_NOW, /* not at this hour or on this day: DND_UNTIL says when */
};
enum policy_dnd_rule { POLICY_DND_WHEN_KNOWN, POLICY_DND_REQUIRED, POLICY_DND_OFF };
enum policy_window { POLICY_WINDOW_NONE, POLICY_WINDOW_OPEN, POLICY_WINDOW_CLOSED };
enum policy_quota { POLICY_QUOTA_WITHIN, POLICY_QUOTA_SPENT };
enum policy_credit { POLICY_CREDIT_NONE, POLICY_CREDIT_ENOUGH, POLICY_CREDIT_SPENT };

/* By enum policy_fact. Counts beyond POLICY_COUNT_MAX are that many; times are microseconds, 0: none. */
struct policy_facts {
    int64_t of[POLICY_FACT_MAX + 1];
};
#define POLICY_COUNT_MAX 16383

struct policy_verdict {
    enum policy_decision decision;
    enum policy_rule rule;  /* that blocked or holds; NONE with POLICY_ALLOW */
    struct wall_time until; /* with POLICY_HOLD; after POLICY_FACT_AT */
};

struct policy_verdict policy_judge(const struct policy_facts *facts);
/* What one rule says by itself. */
struct policy_verdict policy_judge_rule(enum policy_rule rule, const struct policy_facts *facts);

enum policy_fact_kind { POLICY_WORDS, POLICY_COUNT, POLICY_TIME };
struct policy_fact_row {
    const char *word; /* in the API; NULL: no such fact */
    enum policy_fact_kind kind;
    const char *const *words; /* of POLICY_WORDS, ended by NULL */
};
/* `number` up to POLICY_FACT_MAX. */
const struct policy_fact_row *policy_fact_row(unsigned number);
/* The word for a value of a fact of words; NULL: it has none. */
const char *policy_fact_word(enum policy_fact fact, int64_t value);
/* How many values a fact of words has. */
size_t policy_fact_word_count(enum policy_fact fact);

/*
 * A receipt: verdict and facts, packed. Version, decision, rule; until when, with POLICY_HOLD; then number
 * and value of each fact that is not 0, as LEB128, times in milliseconds.
 */
#define POLICY_PACKED_MAX 96u /* all facts at their longest take 81 */
struct policy_receipt {
    struct policy_verdict verdict;
    struct policy_facts facts;
};
struct slice policy_receipt_pack(const struct policy_receipt *receipt,
                                 unsigned char out[static POLICY_PACKED_MAX]);
/* Facts of a number that is not known are passed over: a newer release wrote them. ERR_DB_DATA: it is none.
 */
MUST_CHECK enum err policy_receipt_unpack(struct slice packed, struct policy_receipt *out);

#endif
