#include "core/unit.h"
#include "domain/policy/policy_gate.h"
#include <stdlib.h>

#define MS     INT64_C(1000)
#define NOW_US INT64_C(1790000000000000)
#define LATER  (NOW_US + 3600 * INT64_C(1000000))
#define TRIES  20000

/* Nothing is known against it. */
static struct policy_facts
clean(enum policy_category category)
{
    return (struct policy_facts){ .of = { [POLICY_FACT_AT] = NOW_US, [POLICY_FACT_CATEGORY] = category } };
}

static unsigned seed;

static unsigned
any(unsigned below)
{
    return (unsigned)rand_r(&seed) % below;
}

/* Any facts; half of them as they are where nothing is known, so that each rule meets each other one. */
static struct policy_facts
any_facts(void)
{
    struct policy_facts facts = clean(POLICY_OTP);

    for (unsigned number = POLICY_FACT_CATEGORY; number <= POLICY_FACT_MAX; number++) {
        const struct policy_fact_row *row = policy_fact_row(number);
        if (number != POLICY_FACT_CATEGORY && any(2) == 0)
            continue;
        switch (row->kind) {
        case POLICY_WORDS:
            facts.of[number] = any((unsigned)policy_fact_word_count((enum policy_fact)number));
            break;
        case POLICY_COUNT:
            facts.of[number] = any(4);
            break;
        case POLICY_TIME:
            facts.of[number] = NOW_US + (int64_t)any(100000) * MS - 50000 * MS;
            break;
        }
    }
    return facts;
}

static struct policy_verdict
judged_with(enum policy_category category, enum policy_fact fact, int64_t value)
{
    struct policy_facts facts = clean(category);

    facts.of[fact] = value;
    return policy_judge(&facts);
}

static void
what_nothing_is_known_against_may_go(void **state UNUSED)
{
    for (int category = 0; category < (int)POLICY_CATEGORY_COUNT; category++) {
        struct policy_facts facts = clean((enum policy_category)category);
        struct policy_verdict verdict = policy_judge(&facts);
        assert_int_equal(verdict.decision, POLICY_ALLOW);
        assert_int_equal(verdict.rule, POLICY_RULE_NONE);
    }
}

#define P POLICY_PROMOTIONAL
#define S POLICY_SERVICE
/* One fact that is not as it is where nothing is known, and what comes of it. */
static const struct {
    enum policy_category category;
    enum policy_fact fact;
    int64_t value;
    enum policy_decision decision;
    enum policy_rule rule;
} cases[] = {
    { S, POLICY_FACT_WORKSPACE, POLICY_WORKSPACE_SUSPENDED, POLICY_HOLD, POLICY_RULE_WORKSPACE },
    { S, POLICY_FACT_WORKSPACE, POLICY_WORKSPACE_CLOSED, POLICY_BLOCK, POLICY_RULE_WORKSPACE },
    { S, POLICY_FACT_SENDER, POLICY_SENDER_PAUSED, POLICY_BLOCK, POLICY_RULE_SENDER },
    { S, POLICY_FACT_SENDER, POLICY_SENDER_UNVERIFIED, POLICY_BLOCK, POLICY_RULE_SENDER },
    { S, POLICY_FACT_SENDER, POLICY_SENDER_DELETED, POLICY_BLOCK, POLICY_RULE_SENDER },
    { S, POLICY_FACT_TEMPLATE, POLICY_TEMPLATE_APPROVED, POLICY_ALLOW, POLICY_RULE_NONE },
    { S, POLICY_FACT_TEMPLATE, POLICY_TEMPLATE_UNKNOWN, POLICY_ALLOW, POLICY_RULE_NONE },
    { S, POLICY_FACT_TEMPLATE, POLICY_TEMPLATE_NOT_APPROVED, POLICY_BLOCK, POLICY_RULE_TEMPLATE },
    { S, POLICY_FACT_TEMPLATE, POLICY_TEMPLATE_NOT_MATCHED, POLICY_BLOCK, POLICY_RULE_TEMPLATE },
    { S, POLICY_FACT_DLT, POLICY_DLT_OK, POLICY_ALLOW, POLICY_RULE_NONE },
    { S, POLICY_FACT_DLT, POLICY_DLT_NO_ENTITY, POLICY_BLOCK, POLICY_RULE_DLT },
    { S, POLICY_FACT_DLT, POLICY_DLT_CHAIN, POLICY_BLOCK, POLICY_RULE_DLT },
    { S, POLICY_FACT_SUPPRESSION, POLICY_SUPPRESSION_PROMOTIONAL, POLICY_ALLOW, POLICY_RULE_NONE },
    { P, POLICY_FACT_SUPPRESSION, POLICY_SUPPRESSION_PROMOTIONAL, POLICY_BLOCK, POLICY_RULE_SUPPRESSION },
    { POLICY_OTP, POLICY_FACT_SUPPRESSION, POLICY_SUPPRESSION_ALL, POLICY_BLOCK, POLICY_RULE_SUPPRESSION },
    { S, POLICY_FACT_CONSENT, POLICY_CONSENT_GRANTED, POLICY_ALLOW, POLICY_RULE_NONE },
    { S, POLICY_FACT_CONSENT, POLICY_CONSENT_WITHDRAWN, POLICY_BLOCK, POLICY_RULE_CONSENT },
    { S, POLICY_FACT_CONSENT_RULE, POLICY_CONSENT_REQUIRED, POLICY_BLOCK, POLICY_RULE_CONSENT },
    { P, POLICY_FACT_DND, POLICY_DND_CLEAR, POLICY_ALLOW, POLICY_RULE_NONE },
    { P, POLICY_FACT_DND, POLICY_DND_BLOCKED, POLICY_BLOCK, POLICY_RULE_DND },
    { S, POLICY_FACT_DND, POLICY_DND_BLOCKED, POLICY_ALLOW, POLICY_RULE_NONE },
    { P, POLICY_FACT_DND, POLICY_DND_NOT_NOW, POLICY_ALLOW, POLICY_RULE_NONE }, /* its hour has come */
    { P, POLICY_FACT_DND_UNTIL, LATER, POLICY_ALLOW, POLICY_RULE_NONE },        /* of nobody's preference */
    { P, POLICY_FACT_DND_CATEGORY, 7, POLICY_ALLOW, POLICY_RULE_NONE },
    { P, POLICY_FACT_DND, POLICY_DND_UNKNOWN, POLICY_ALLOW, POLICY_RULE_NONE },
    { S, POLICY_FACT_WINDOW, POLICY_WINDOW_CLOSED, POLICY_BLOCK, POLICY_RULE_WINDOW },
    { S, POLICY_FACT_WINDOW, POLICY_WINDOW_OPEN, POLICY_ALLOW, POLICY_RULE_NONE },
    { P, POLICY_FACT_DAY_COUNT, 1000, POLICY_ALLOW, POLICY_RULE_NONE }, /* there is no cap */
    { S, POLICY_FACT_QUOTA, POLICY_QUOTA_SPENT, POLICY_BLOCK, POLICY_RULE_QUOTA },
    { S, POLICY_FACT_CREDIT, POLICY_CREDIT_ENOUGH, POLICY_ALLOW, POLICY_RULE_NONE },
    { S, POLICY_FACT_CREDIT, POLICY_CREDIT_SPENT, POLICY_BLOCK, POLICY_RULE_CREDIT },
    { P, POLICY_FACT_QUIET_UNTIL, LATER, POLICY_HOLD, POLICY_RULE_QUIET_HOURS },
    { P, POLICY_FACT_QUIET_UNTIL, NOW_US, POLICY_ALLOW, POLICY_RULE_NONE }, /* the hour has come */
    { S, POLICY_FACT_QUIET_UNTIL, LATER, POLICY_ALLOW, POLICY_RULE_NONE },
};

static void
each_fact_has_its_consequence(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct policy_verdict verdict = judged_with(cases[i].category, cases[i].fact, cases[i].value);
        if (verdict.decision != cases[i].decision || verdict.rule != cases[i].rule)
            fail_msg("case %zu: %s by rule %d", i, policy_decision_word(verdict.decision), (int)verdict.rule);
    }
    assert_int_equal(judged_with(P, POLICY_FACT_QUIET_UNTIL, LATER).until.us, LATER);
}

/* Rule by rule, what takes two facts. */
static void
consent_goes_before_a_preference_and_never_before_a_suppression(void **state UNUSED)
{
    struct policy_facts facts = clean(POLICY_PROMOTIONAL);

    facts.of[POLICY_FACT_CONSENT_RULE] = POLICY_CONSENT_REQUIRED;
    facts.of[POLICY_FACT_CONSENT] = POLICY_CONSENT_GRANTED;
    facts.of[POLICY_FACT_DND] = POLICY_DND_BLOCKED;
    assert_int_equal(policy_judge(&facts).decision, POLICY_ALLOW);
    facts.of[POLICY_FACT_SUPPRESSION] = POLICY_SUPPRESSION_PROMOTIONAL;
    assert_int_equal(policy_judge(&facts).rule, POLICY_RULE_SUPPRESSION);
    facts.of[POLICY_FACT_SUPPRESSION] = POLICY_SUPPRESSION_NONE;
    facts.of[POLICY_FACT_CONSENT_RULE] = POLICY_CONSENT_UNLESS_WITHDRAWN;
    facts.of[POLICY_FACT_CONSENT] = POLICY_CONSENT_UNKNOWN;
    assert_int_equal(policy_judge(&facts).rule, POLICY_RULE_DND);
    facts.of[POLICY_FACT_DND_RULE] = POLICY_DND_OFF;
    assert_int_equal(policy_judge(&facts).decision, POLICY_ALLOW);
    facts.of[POLICY_FACT_DND] = POLICY_DND_UNKNOWN;
    facts.of[POLICY_FACT_DND_RULE] = POLICY_DND_REQUIRED;
    assert_int_equal(policy_judge(&facts).rule, POLICY_RULE_DND);
}

static void
a_preference_for_other_hours_holds_until_they_come(void **state UNUSED)
{
    struct policy_facts facts = clean(POLICY_PROMOTIONAL);

    facts.of[POLICY_FACT_DND] = POLICY_DND_NOT_NOW;
    facts.of[POLICY_FACT_DND_UNTIL] = LATER;
    struct policy_verdict verdict = policy_judge(&facts);
    assert_int_equal(verdict.decision, POLICY_HOLD);
    assert_int_equal(verdict.rule, POLICY_RULE_DND);
    assert_int_equal(verdict.until.us, LATER);
    facts.of[POLICY_FACT_QUIET_UNTIL] = LATER - 1; /* the later of the two */
    assert_int_equal(policy_judge(&facts).until.us, LATER);
    facts.of[POLICY_FACT_CONSENT] = POLICY_CONSENT_GRANTED;
    assert_int_equal(policy_judge(&facts).rule, POLICY_RULE_QUIET_HOURS);
    facts.of[POLICY_FACT_CATEGORY] = POLICY_SERVICE;
    assert_int_equal(policy_judge(&facts).decision, POLICY_ALLOW);
}

static void
a_cap_is_reached_by_its_last_message(void **state UNUSED)
{
    struct policy_facts facts = clean(POLICY_PROMOTIONAL);

    facts.of[POLICY_FACT_DAY_CAP] = 2;
    facts.of[POLICY_FACT_DAY_COUNT] = 1;
    facts.of[POLICY_FACT_WEEK_CAP] = 3;
    facts.of[POLICY_FACT_WEEK_COUNT] = 2;
    assert_int_equal(policy_judge(&facts).decision, POLICY_ALLOW);
    facts.of[POLICY_FACT_WEEK_COUNT] = 3;
    assert_int_equal(policy_judge(&facts).rule, POLICY_RULE_CAP);
    facts.of[POLICY_FACT_WEEK_COUNT] = 2;
    facts.of[POLICY_FACT_DAY_COUNT] = 2;
    assert_int_equal(policy_judge(&facts).rule, POLICY_RULE_CAP);
    facts.of[POLICY_FACT_CATEGORY] = POLICY_OTP;
    assert_int_equal(policy_judge(&facts).decision, POLICY_ALLOW);
}

/* However many speak at once: what one blocks is blocked, and what is held is held for the last of them. */
static void
the_gate_never_allows_what_a_single_rule_forbids(void **state UNUSED)
{
    unsigned met[POLICY_RULE_MAX + 1] = { 0 };

    seed = 6;
    for (unsigned i = 0; i < TRIES; i++) {
        struct policy_facts facts = any_facts();
        struct policy_verdict verdict = policy_judge(&facts);
        bool is_blocked = false, is_held = false;
        for (unsigned rule = 1; rule <= POLICY_RULE_MAX; rule++) {
            struct policy_verdict one = policy_judge_rule((enum policy_rule)rule, &facts);
            is_blocked = is_blocked || one.decision == POLICY_BLOCK;
            is_held = is_held || one.decision == POLICY_HOLD;
            if (one.decision == POLICY_HOLD && verdict.decision == POLICY_HOLD)
                assert_true(verdict.until.us >= one.until.us);
        }
        assert_int_equal(verdict.decision, is_blocked ? POLICY_BLOCK : is_held ? POLICY_HOLD : POLICY_ALLOW);
        assert_int_equal(
            policy_judge_rule(verdict.rule == POLICY_RULE_NONE ? POLICY_RULE_WORKSPACE : verdict.rule, &facts)
                .decision,
            verdict.decision); /* the rule that is named said so itself */
        assert_true(verdict.decision != POLICY_HOLD || verdict.until.us > facts.of[POLICY_FACT_AT]);
        met[verdict.rule]++;
    }
    for (unsigned rule = 0; rule <= POLICY_RULE_MAX; rule++)
        assert_true(met[rule] > 0);
}

/* The values of a fact, from harmless to worst: a fact that gets worse lets nothing through that was stopped.
 */
static const struct {
    enum policy_fact fact;
    int64_t values[5];
    size_t count;
} worse[] = {
    { POLICY_FACT_WORKSPACE,
      { POLICY_WORKSPACE_ACTIVE, POLICY_WORKSPACE_SUSPENDED, POLICY_WORKSPACE_CLOSED },
      3 },
    { POLICY_FACT_SENDER, { POLICY_SENDER_READY, POLICY_SENDER_PAUSED }, 2 },
    { POLICY_FACT_TEMPLATE,
      { POLICY_TEMPLATE_APPROVED, POLICY_TEMPLATE_UNKNOWN, POLICY_TEMPLATE_NOT_APPROVED },
      3 },
    { POLICY_FACT_DLT, { POLICY_DLT_OK, POLICY_DLT_NO_ENTITY }, 2 },
    { POLICY_FACT_SUPPRESSION,
      { POLICY_SUPPRESSION_NONE, POLICY_SUPPRESSION_PROMOTIONAL, POLICY_SUPPRESSION_ALL },
      3 },
    { POLICY_FACT_CONSENT, { POLICY_CONSENT_GRANTED, POLICY_CONSENT_UNKNOWN, POLICY_CONSENT_WITHDRAWN }, 3 },
    { POLICY_FACT_CONSENT_RULE, { POLICY_CONSENT_UNLESS_WITHDRAWN, POLICY_CONSENT_REQUIRED }, 2 },
    { POLICY_FACT_DND, { POLICY_DND_NONE, POLICY_DND_CLEAR, POLICY_DND_UNKNOWN, POLICY_DND_BLOCKED }, 4 },
    { POLICY_FACT_DND_RULE, { POLICY_DND_OFF, POLICY_DND_WHEN_KNOWN, POLICY_DND_REQUIRED }, 3 },
    { POLICY_FACT_WINDOW, { POLICY_WINDOW_NONE, POLICY_WINDOW_OPEN, POLICY_WINDOW_CLOSED }, 3 },
    { POLICY_FACT_DAY_COUNT, { 0, 1, 2, 3, 1000 }, 5 },
    { POLICY_FACT_WEEK_COUNT, { 0, 1, 2, 3, 1000 }, 5 },
    { POLICY_FACT_QUOTA, { POLICY_QUOTA_WITHIN, POLICY_QUOTA_SPENT }, 2 },
    { POLICY_FACT_CREDIT, { POLICY_CREDIT_NONE, POLICY_CREDIT_ENOUGH, POLICY_CREDIT_SPENT }, 3 },
    { POLICY_FACT_QUIET_UNTIL, { 0, NOW_US, NOW_US + 1, LATER, 2 * LATER }, 5 },
    { POLICY_FACT_DND_UNTIL, { 0, NOW_US, NOW_US + 1, LATER, 2 * LATER }, 5 },
};

static void
a_fact_that_gets_worse_opens_nothing(void **state UNUSED)
{
    seed = 66;
    for (unsigned i = 0; i < TRIES / 10; i++) {
        struct policy_facts facts = any_facts();
        for (size_t w = 0; w < COUNT_OF(worse); w++) {
            struct policy_facts changed = facts;
            struct policy_verdict before = { .decision = POLICY_ALLOW };
            for (size_t v = 0; v < worse[w].count; v++) {
                changed.of[worse[w].fact] = worse[w].values[v];
                struct policy_verdict verdict = policy_judge(&changed);
                assert_true(verdict.decision >= before.decision);
                assert_true(verdict.decision != POLICY_HOLD || verdict.until.us >= before.until.us);
                before = verdict;
            }
        }
    }
}

/* What was decided can be seen, and judged again, from its receipt alone. */
static void
a_receipt_holds_what_was_judged_and_judges_the_same(void **state UNUSED)
{
    seed = 666;
    for (unsigned i = 0; i < TRIES; i++) {
        struct policy_receipt receipt = { .facts = any_facts() }, again;
        unsigned char packed[POLICY_PACKED_MAX];
        receipt.verdict = policy_judge(&receipt.facts);
        struct slice bytes = policy_receipt_pack(&receipt, packed);
        assert_in_range(bytes.len, 3, POLICY_PACKED_MAX);
        assert_ok(policy_receipt_unpack(bytes, &again));
        assert_memory_equal(&again.facts, &receipt.facts, sizeof(again.facts));
        struct policy_verdict verdict = policy_judge(&again.facts);
        assert_int_equal(again.verdict.decision, receipt.verdict.decision);
        assert_int_equal(again.verdict.rule, receipt.verdict.rule);
        assert_int_equal(again.verdict.until.us, receipt.verdict.until.us);
        assert_int_equal(verdict.decision, receipt.verdict.decision);
        assert_int_equal(verdict.rule, receipt.verdict.rule);
        assert_int_equal(verdict.until.us, receipt.verdict.until.us);
    }
}

static void
the_largest_receipt_has_room(void **state UNUSED)
{
    struct policy_receipt receipt = { .verdict = { POLICY_HOLD, POLICY_RULE_QUIET_HOURS, { INT64_MAX } } },
                          again;
    unsigned char packed[POLICY_PACKED_MAX];

    /* of the year 4000: later ones take no more until 6400 */
    receipt.verdict.until.us = INT64_C(64060588800000000);
    for (unsigned number = 1; number <= POLICY_FACT_MAX; number++) {
        const struct policy_fact_row *row = policy_fact_row(number);
        receipt.facts.of[number] = row->kind == POLICY_TIME    ? receipt.verdict.until.us
                                   : row->kind == POLICY_COUNT ? INT64_MAX
                                                               : 1;
    }
    assert_ok(policy_receipt_unpack(policy_receipt_pack(&receipt, packed), &again));
    assert_int_equal(again.facts.of[POLICY_FACT_WEEK_COUNT], POLICY_COUNT_MAX);
}

/* As the first release with a gate wrote it: what has come since is as where nothing is known. */
static void
an_older_receipt_still_unpacks_and_judges_the_same(void **state UNUSED)
{
    static const unsigned char older[] = {
        1, 2, 7, 1, 0x80, 0xe0, 0xfb, 0xba, 0x8c, 0x34, 2, 3, 3, 1, 11, 2
    };
    struct policy_receipt receipt;

    assert_ok(policy_receipt_unpack(slice_of(older, sizeof(older)), &receipt));
    assert_int_equal(receipt.facts.of[POLICY_FACT_DND], POLICY_DND_BLOCKED);
    assert_int_equal(receipt.facts.of[POLICY_FACT_DND_UNTIL], 0);
    assert_int_equal(receipt.verdict.rule, POLICY_RULE_DND);
    assert_int_equal(policy_judge(&receipt.facts).decision, receipt.verdict.decision);
    assert_int_equal(policy_judge(&receipt.facts).rule, receipt.verdict.rule);
}

static void
a_newer_receipt_is_read_and_what_is_none_is_refused(void **state UNUSED)
{
    static const unsigned char newer[] = { 1, 0, 0, 2, 3, 120, 7 }, past_its_end[] = { 1, 0, 0, 2 };
    static const unsigned char no_word[] = { 1, 0, 0, 2, 9 }, unruly[] = { 1, 2, 0 }, version[] = { 2, 0, 0 };
    struct policy_receipt receipt;

    assert_ok(policy_receipt_unpack(slice_of(newer, sizeof(newer)), &receipt));
    assert_int_equal(receipt.facts.of[POLICY_FACT_CATEGORY], POLICY_PROMOTIONAL);
    assert_int_equal(policy_receipt_unpack(slice_of(past_its_end, 4), &receipt), ERR_DB_DATA);
    assert_int_equal(policy_receipt_unpack(slice_of(no_word, 5), &receipt), ERR_DB_DATA);
    assert_int_equal(policy_receipt_unpack(slice_of(unruly, 3), &receipt), ERR_DB_DATA);
    assert_int_equal(policy_receipt_unpack(slice_of(version, 3), &receipt), ERR_DB_DATA);
    assert_int_equal(policy_receipt_unpack(SLICE_EMPTY, &receipt), ERR_DB_DATA);
}

UNIT_MAIN(cmocka_unit_test(what_nothing_is_known_against_may_go),
          cmocka_unit_test(each_fact_has_its_consequence),
          cmocka_unit_test(consent_goes_before_a_preference_and_never_before_a_suppression),
          cmocka_unit_test(a_preference_for_other_hours_holds_until_they_come),
          cmocka_unit_test(a_cap_is_reached_by_its_last_message),
          cmocka_unit_test(the_gate_never_allows_what_a_single_rule_forbids),
          cmocka_unit_test(a_fact_that_gets_worse_opens_nothing),
          cmocka_unit_test(a_receipt_holds_what_was_judged_and_judges_the_same),
          cmocka_unit_test(the_largest_receipt_has_room),
          cmocka_unit_test(an_older_receipt_still_unpacks_and_judges_the_same),
          cmocka_unit_test(a_newer_receipt_is_read_and_what_is_none_is_refused))
