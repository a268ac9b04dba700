#include "core/unit.h"
#include "domain/dnd/dnd_build.h"
#include "domain/policy/policy_hours.h"
#include "domain/sending/send_gate.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIES  20000
#define JOBS   4
#define NOW_US INT64_C(1795417200000000) /* 2026-11-23 07:00 UTC, a Monday: 12:30 in India */
#define DAY_US (INT64_C(86400) * 1000000)

static const char *const numbers[] = { "+919876543210", "+919876543211", "+919876543212",
                                       "+14155550123",  "+881612345678", "+4915112345678" };

static struct phone_zones *zones;
static struct dnd_registry *registry;
static struct policy_settings settings;
static unsigned seed;

static unsigned
any(unsigned below)
{
    return (unsigned)rand_r(&seed) % below;
}

/* The first number wants nothing, the second nothing from noon to two in the afternoon, the third is not in
 * it. */
static int
set_up(void **state UNUSED)
{
    static const struct dnd_row rows[] = {
        { .number = 9876543210, .preference = { .categories = 1 } },
        { .number = 9876543211, .preference = { .bands = 1u << 4 } },
    };
    char folder[] = "/tmp/send-gate-XXXXXX", path[64];
    struct dnd_build *build;
    struct dnd_registry_facts facts;
    size_t missing;

    assert_non_null(mkdtemp(folder));
    assert_ok(dnd_build_new(folder, NULL, 1 << 20, &build));
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_ok(dnd_build_row(build, &rows[i]));
    assert_ok(dnd_build_finish(
        build,
        &(struct dnd_build_result){ .row_count = COUNT_OF(rows), .now = { NOW_US }, .source = SLICE("test") },
        &facts));
    dnd_build_free(build);
    assert_ok(dnd_registry_open(folder, &registry));
    snprintf(path, sizeof(path), "%s/" DND_REGISTRY_NAME, folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    return phone_zones_load(PHONE_ZONES_FOLDER, &zones, &missing) == ERR_OK ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
    dnd_registry_unref(registry);
    phone_zones_free(zones);
    return 0;
}

/* As message_begin_sending leaves it: judged by what is known so far. */
static struct message_job
job_of(enum policy_channel channel, enum message_category category)
{
    struct message_job job = { .claim = { .message = id_new(clock_system()), .category = category },
                               .settings = &settings,
                               .is_mine = true };
    struct policy_facts *facts = &job.policy.facts;

    facts->of[POLICY_FACT_AT] = NOW_US;
    facts->of[POLICY_FACT_CATEGORY] = category;
    facts->of[POLICY_FACT_CHANNEL] = channel;
    policy_settings_apply(&settings, facts);
    job.policy.verdict = policy_judge(facts);
    return job;
}

static struct policy_verdict
judged(struct message_job job, const struct dnd_registry *with, const char *to)
{
    send_gate_judge(&(struct send_gate){ zones, with }, &job, 0, slice_text(to));
    return job.policy.verdict;
}

static void
a_window_that_has_closed_meanwhile_holds_until_the_next_one(void **state UNUSED)
{
    settings = policy_settings_default;
    settings.consent[POLICY_WHATSAPP][POLICY_PROMOTIONAL] = POLICY_CONSENT_UNLESS_WITHDRAWN;
    struct message_job job = job_of(POLICY_WHATSAPP, MESSAGE_PROMOTIONAL);

    assert_int_equal(judged(job, NULL, "+919876543210").decision, POLICY_ALLOW);
    job.policy.facts.of[POLICY_FACT_AT] += DAY_US * 9 / 24; /* 21:30 there */
    struct policy_verdict verdict = judged(job, NULL, "+919876543210");
    assert_int_equal(verdict.decision, POLICY_HOLD);
    assert_int_equal(verdict.rule, POLICY_RULE_QUIET_HOURS);
    int64_t nine = NOW_US + DAY_US - (3 * 60 + 30) * INT64_C(60000000);
    assert_in_range(verdict.until.us, nine, nine + 30 * INT64_C(60000000));
    assert_int_equal(judged(job, NULL, "+881612345678").decision, POLICY_ALLOW); /* 16:00, by UTC */
    job.claim.category = MESSAGE_SERVICE;
    job.policy.facts.of[POLICY_FACT_CATEGORY] = POLICY_SERVICE;
    assert_int_equal(judged(job, NULL, "+919876543210").decision, POLICY_ALLOW);
}

static void
an_sms_is_looked_up_and_nothing_else_is(void **state UNUSED)
{
    settings = policy_settings_default;
    settings.consent[POLICY_SMS][POLICY_PROMOTIONAL] = POLICY_CONSENT_UNLESS_WITHDRAWN;
    settings.consent[POLICY_WHATSAPP][POLICY_PROMOTIONAL] = POLICY_CONSENT_UNLESS_WITHDRAWN;
    struct message_job sms = job_of(POLICY_SMS, MESSAGE_PROMOTIONAL);
    struct message_job whatsapp = job_of(POLICY_WHATSAPP, MESSAGE_PROMOTIONAL);

    struct policy_verdict verdict = judged(sms, registry, "+919876543210");
    assert_int_equal(verdict.decision, POLICY_BLOCK);
    assert_int_equal(verdict.rule, POLICY_RULE_DND);
    verdict = judged(sms, registry, "+919876543211"); /* from two on */
    assert_int_equal(verdict.decision, POLICY_HOLD);
    assert_int_equal(verdict.rule, POLICY_RULE_DND);
    assert_int_equal(verdict.until.us, NOW_US + 90 * INT64_C(60000000));
    assert_int_equal(judged(sms, registry, "+919876543212").decision, POLICY_ALLOW);
    assert_int_equal(judged(sms, registry, "+14155550123").rule, POLICY_RULE_QUIET_HOURS);
    assert_int_equal(judged(sms, NULL, "+919876543210").decision, POLICY_ALLOW);
    assert_int_equal(judged(whatsapp, registry, "+919876543210").decision, POLICY_ALLOW);
    sms.policy.facts.of[POLICY_FACT_DND_RULE] = POLICY_DND_REQUIRED;
    assert_int_equal(judged(sms, NULL, "+919876543210").rule, POLICY_RULE_DND);
    sms.policy.facts.of[POLICY_FACT_CONSENT] = POLICY_CONSENT_GRANTED;
    assert_int_equal(judged(sms, registry, "+919876543210").decision, POLICY_ALLOW);
}

/* Two that leave together are two; one that is stopped is none. */
static void
those_that_go_before_count_for_the_cap(void **state UNUSED)
{
    struct send_gate gate = { zones, NULL };
    struct message_job jobs[4];

    settings = policy_settings_default;
    settings.consent[POLICY_WHATSAPP][POLICY_PROMOTIONAL] = POLICY_CONSENT_UNLESS_WITHDRAWN;
    settings.cap_per_day = 2;
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        jobs[i] = job_of(POLICY_WHATSAPP, MESSAGE_PROMOTIONAL);
    jobs[1].policy.facts.of[POLICY_FACT_SUPPRESSION] = POLICY_SUPPRESSION_ALL;
    jobs[3].policy.facts.of[POLICY_FACT_DAY_COUNT] = 1; /* somebody else's is on its way */
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        send_gate_judge(&gate, jobs, i, SLICE("+919876543210"));
    assert_int_equal(jobs[0].policy.verdict.decision, POLICY_ALLOW);
    assert_int_equal(jobs[1].policy.verdict.rule, POLICY_RULE_SUPPRESSION);
    assert_int_equal(jobs[2].policy.verdict.decision, POLICY_ALLOW);
    assert_int_equal(jobs[2].policy.facts.of[POLICY_FACT_DAY_COUNT], 1);
    assert_int_equal(jobs[3].policy.verdict.rule, POLICY_RULE_CAP);
    assert_int_equal(jobs[3].policy.facts.of[POLICY_FACT_DAY_COUNT], 3);
    /* another person's, or another workspace's, are not counted */
    jobs[3] = job_of(POLICY_WHATSAPP, MESSAGE_PROMOTIONAL);
    jobs[3].sealed.peer_index[0] = 1;
    send_gate_judge(&gate, jobs, 3, SLICE("+919876543211"));
    assert_int_equal(jobs[3].policy.facts.of[POLICY_FACT_DAY_COUNT], 0);
    jobs[3] = job_of(POLICY_WHATSAPP, MESSAGE_PROMOTIONAL);
    jobs[3].claim.tenant.bytes[0] = 1;
    send_gate_judge(&gate, jobs, 3, SLICE("+919876543210"));
    assert_int_equal(jobs[3].policy.facts.of[POLICY_FACT_DAY_COUNT], 0);
}

static struct message_job
any_job(void)
{
    struct message_job job = job_of((enum policy_channel)any(2), (enum message_category)any(4));
    struct policy_facts *facts = &job.policy.facts;
    /* What the number does not bring. */
    static const enum policy_fact known[] = {
        POLICY_FACT_WORKSPACE,   POLICY_FACT_SENDER,  POLICY_FACT_DLT,
        POLICY_FACT_SUPPRESSION, POLICY_FACT_CONSENT, POLICY_FACT_WINDOW
    };

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (any(6) == 0)
            facts->of[known[i]] = any((unsigned)policy_fact_word_count(known[i]));
    facts->of[POLICY_FACT_AT] += (int64_t)any(7 * 24 * 60) * 60000000;
    if (any(2) == 0)
        facts->of[POLICY_FACT_DAY_COUNT] = facts->of[POLICY_FACT_WEEK_COUNT] = any(3);
    facts->of[POLICY_FACT_DND_CATEGORY] = any(9);
    job.sealed.peer_index[0] = (unsigned char)any(2);
    job.is_mine = any(8) != 0;
    job.policy.verdict = policy_judge(facts);
    return job;
}

static void
settings_any(void)
{
    settings = policy_settings_default;
    for (unsigned channel = 0; channel < POLICY_CHANNEL_COUNT; channel++)
        for (unsigned category = 0; category < POLICY_CATEGORY_COUNT; category++)
            settings.consent[channel][category] = (enum policy_consent_rule)any(2);
    settings.cap_per_day = any(3);
    settings.dnd = (enum policy_dnd_rule)any(3);
    settings.quiet.is_off = any(3) == 0;
    settings.quiet.days = any(4) == 0 ? 0x1f : QUIET_EVERY_DAY;
}

/* What goes is what each rule by itself lets go, by the places themselves and not by what the facts say of
 * them. */
static void
assert_may_go(const struct message_job *jobs, size_t at, const struct dnd_registry *with, const char *to)
{
    const struct message_job *job = &jobs[at];
    const struct policy_facts *facts = &job->policy.facts;
    struct wall_time now = { facts->of[POLICY_FACT_AT] }, until;
    struct dnd_preference preference;
    struct phone_place place;
    uint64_t number;
    int64_t count = 1;

    for (unsigned rule = 1; rule <= POLICY_RULE_MAX; rule++)
        assert_int_equal(policy_judge_rule((enum policy_rule)rule, facts).decision, POLICY_ALLOW);
    if (job->claim.category != MESSAGE_PROMOTIONAL)
        return;
    phone_place_of(zones, slice_text(to), &place);
    assert_int_equal(quiet_hours_judge(&settings.quiet, &place, now, 0, &until), QUIET_OPEN);
    for (size_t i = 0; i < at; i++)
        count += jobs[i].is_mine && jobs[i].claim.category == MESSAGE_PROMOTIONAL &&
                 jobs[i].sealed.peer_index[0] == job->sealed.peer_index[0] &&
                 jobs[i].policy.verdict.decision == POLICY_ALLOW;
    assert_true(settings.cap_per_day == 0 || count <= settings.cap_per_day);
    if (facts->of[POLICY_FACT_CHANNEL] == POLICY_SMS && settings.dnd != POLICY_DND_OFF &&
        facts->of[POLICY_FACT_CONSENT] != POLICY_CONSENT_GRANTED && dnd_number_of(slice_text(to), &number)) {
        if (with == NULL)
            assert_int_not_equal(settings.dnd, POLICY_DND_REQUIRED);
        else if (dnd_lookup(with, number, &preference))
            assert_int_equal(dnd_judge(&preference, (unsigned)facts->of[POLICY_FACT_DND_CATEGORY],
                                       DND_MODE_SMS, now, NULL),
                             DND_CLEAR);
    }
}

static void
nothing_goes_that_a_single_rule_forbids(void **state UNUSED)
{
    size_t gone = 0, held = 0, blocked = 0;

    seed = 20261123;
    for (int i = 0; i < TRIES; i++) {
        const struct dnd_registry *with = any(3) == 0 ? NULL : registry;
        struct send_gate gate = { zones, with };
        struct message_job jobs[JOBS];
        settings_any();
        for (size_t at = 0; at < JOBS; at++) {
            const char *to = numbers[any(COUNT_OF(numbers))];
            jobs[at] = any_job();
            struct policy_verdict before = jobs[at].policy.verdict;
            send_gate_judge(&gate, jobs, at, slice_text(to));
            struct policy_verdict verdict = jobs[at].policy.verdict;
            if (before.decision == POLICY_BLOCK) /* the number opens nothing */
                assert_int_equal(verdict.decision, POLICY_BLOCK);
            if (verdict.decision == POLICY_ALLOW)
                assert_may_go(jobs, at, with, to);
            if (verdict.decision == POLICY_HOLD)
                assert_true(verdict.until.us > jobs[at].policy.facts.of[POLICY_FACT_AT]);
            gone += verdict.decision == POLICY_ALLOW;
            held += verdict.decision == POLICY_HOLD;
            blocked += verdict.decision == POLICY_BLOCK;
        }
    }
    assert_true(gone > TRIES / 4 && held > TRIES / 50 && blocked > TRIES / 4);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_window_that_has_closed_meanwhile_holds_until_the_next_one),
    cmocka_unit_test(an_sms_is_looked_up_and_nothing_else_is),
    cmocka_unit_test(those_that_go_before_count_for_the_cap),
    cmocka_unit_test(nothing_goes_that_a_single_rule_forbids),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
