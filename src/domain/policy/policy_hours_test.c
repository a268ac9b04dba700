#include "core/unit.h"
#include "domain/policy/policy_hours.h"
#include <stdlib.h>

#define INDIA   "+919876543210"
#define BAND(n) (1u << (n)) /* 0-6, 6-8, 8-10, 10-12, 12-14, 14-16, 16-18, 18-21, 21-24 */

static struct phone_zones *zones;

static int
zones_set_up(void **state UNUSED)
{
    size_t missing;

    return phone_zones_load(PHONE_ZONES_FOLDER, &zones, &missing) == ERR_OK && missing == 0 ? 0 : -1;
}

static int
zones_tear_down(void **state UNUSED)
{
    phone_zones_free(zones);
    return 0;
}

static struct wall_time
at(const char *text)
{
    struct wall_time time;

    assert_ok(wall_parse(slice_text(text), &time));
    return time;
}

/* Without a spread, so that moments are round. */
static struct policy_facts
found(const struct dnd_preference *preference, unsigned category, struct wall_time now)
{
    struct quiet_settings quiet = quiet_settings_default;
    struct phone_place place;
    struct policy_facts facts = { .of = { [POLICY_FACT_AT] = now.us,
                                          [POLICY_FACT_CATEGORY] = POLICY_PROMOTIONAL,
                                          [POLICY_FACT_CHANNEL] = POLICY_SMS } };

    quiet.spread_minutes = 0;
    phone_place_of(zones, SLICE(INDIA), &place);
    policy_hours_find(
        &(struct policy_hours){
            .quiet = &quiet, .place = &place, .preference = preference, .category = category },
        now, &facts);
    return facts;
}

/* What may come at this hour, at another one, and never. The 23rd of November 2026 is a Monday. */
static void
a_message_waits_for_an_hour_that_both_allow(void **state UNUSED)
{
    static const struct {
        struct dnd_preference preference;
        unsigned category;
        const char *now;
        enum policy_decision decision;
        const char *until;
    } rows[] = {
        { { 0 }, 0, "2026-11-23T11:00:00+05:30", POLICY_ALLOW, NULL },
        { { .bands = BAND(3) }, 0, "2026-11-23T11:00:00+05:30", POLICY_HOLD, "2026-11-23T12:00:00+05:30" },
        { { .bands = BAND(3) }, 0, "2026-11-23T12:00:00+05:30", POLICY_ALLOW, NULL },
        /* what quiet hours let go at nine, the preference stops until ten */
        { { .bands = BAND(2) }, 0, "2026-11-23T22:00:00+05:30", POLICY_HOLD, "2026-11-24T10:00:00+05:30" },
        /* what the preference lets go at nine in the evening, quiet hours stop until nine in the morning */
        { { .bands = BAND(7) }, 0, "2026-11-23T19:00:00+05:30", POLICY_HOLD, "2026-11-24T09:00:00+05:30" },
        { { .days = 1 }, 0, "2026-11-23T11:00:00+05:30", POLICY_HOLD, "2026-11-24T09:00:00+05:30" },
        /* only at night: never */
        { { .bands = 0xfe }, 0, "2026-11-23T11:00:00+05:30", POLICY_BLOCK, NULL },
        { { .days = 0x7f }, 0, "2026-11-23T11:00:00+05:30", POLICY_BLOCK, NULL },
        /* who wants education alone */
        { { .categories = 0x1f6 }, 3, "2026-11-23T11:00:00+05:30", POLICY_ALLOW, NULL },
        { { .categories = 0x1f6 }, 1, "2026-11-23T11:00:00+05:30", POLICY_BLOCK, NULL },
        { { .categories = 0x1f6 }, 0, "2026-11-23T11:00:00+05:30", POLICY_BLOCK, NULL },
        { { .categories = 1 }, 3, "2026-11-23T11:00:00+05:30", POLICY_BLOCK, NULL },
        { { .categories = 0x1f6, .bands = BAND(3) },
          3,
          "2026-11-23T11:00:00+05:30",
          POLICY_HOLD,
          "2026-11-23T12:00:00+05:30" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct policy_facts facts = found(&rows[i].preference, rows[i].category, at(rows[i].now));
        struct policy_verdict verdict = policy_judge(&facts);
        if (verdict.decision != rows[i].decision ||
            (rows[i].until != NULL && verdict.until.us != at(rows[i].until).us))
            fail_msg("row %zu: %s until %lld", i, policy_decision_word(verdict.decision),
                     (long long)verdict.until.us);
        assert_int_equal(facts.of[POLICY_FACT_DND_CATEGORY], rows[i].category);
    }
}

static void
without_a_preference_quiet_hours_say_all(void **state UNUSED)
{
    struct policy_facts facts = found(NULL, 5, at("2026-11-23T22:00:00+05:30"));

    assert_int_equal(facts.of[POLICY_FACT_QUIET_UNTIL], at("2026-11-24T09:00:00+05:30").us);
    assert_int_equal(facts.of[POLICY_FACT_DND], POLICY_DND_NONE);
    assert_int_equal(facts.of[POLICY_FACT_DND_CATEGORY], 0);
}

/* Whatever the preference: at the moment until which it is held it is allowed, by the same facts. */
static void
what_was_held_may_go_when_its_time_has_come(void **state UNUSED)
{
    unsigned seed = 21, held = 0, blocked = 0;

    for (int i = 0; i < 3000; i++) {
        unsigned some = (unsigned)rand_r(&seed) & (unsigned)rand_r(&seed),
                 most = some | (unsigned)rand_r(&seed);
        struct dnd_preference preference = { .bands = (uint16_t)((i % 2 == 0 ? some : most) & 0x1ff),
                                             .days = (uint8_t)(rand_r(&seed) & rand_r(&seed) & 0xff) };
        struct wall_time now = { at("2026-01-20T00:00:00+05:30").us +
                                 (int64_t)(rand_r(&seed) % (20 * 86400)) * 1000000 };
        struct policy_facts facts = found(&preference, 0, now);
        struct policy_verdict verdict = policy_judge(&facts);
        blocked += verdict.decision == POLICY_BLOCK;
        if (verdict.decision != POLICY_HOLD)
            continue;
        held++;
        assert_true(verdict.until.us > now.us);
        facts = found(&preference, 0, verdict.until);
        assert_int_equal(policy_judge(&facts).decision, POLICY_ALLOW);
    }
    assert_true(held > 500 && blocked > 0);
}

static void
a_header_of_six_digits_says_its_category(void **state UNUSED)
{
    static const struct {
        const char *header;
        unsigned category;
    } rows[] = { { "612345", 6 }, { "012345", 0 },  { "812345", 8 },  { "912345", 0 },
                 { "HRKARA", 0 }, { "61234", 0 },   { "6123456", 0 }, { "61234A", 0 },
                 { "", 0 },       { "612345 ", 0 }, { "+12345", 0 } };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(dnd_category_of_header(slice_text(rows[i].header)), rows[i].category);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_waits_for_an_hour_that_both_allow),
        cmocka_unit_test(without_a_preference_quiet_hours_say_all),
        cmocka_unit_test(what_was_held_may_go_when_its_time_has_come),
        cmocka_unit_test(a_header_of_six_digits_says_its_category),
    };

    return cmocka_run_group_tests(tests, zones_set_up, zones_tear_down);
}
