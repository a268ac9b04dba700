/* What a workspace decides about what may be sent: its row, and what the gate learns of it. */
#include "domain/policy/policy_settings.h"
#include "platform/db/test_pair.h"

static int
opened(void **state UNUSED)
{
    test_pair_open("delete from harkara.policy_settings");
    return 0;
}

static struct policy_settings
settings_of(struct id tenant)
{
    struct policy_settings settings;
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(policy_settings_read(&tx, &settings));
    assert_ok(db_commit(&tx));
    return settings;
}

static enum err
put(struct id tenant, struct policy_settings *settings)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    enum err err = policy_settings_write(&tx, settings);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static void
all_of_them_are_kept_and_nobody_overwrites_what_he_has_not_seen(void **state UNUSED)
{
    struct policy_settings first = settings_of(acme), second = first;

    assert_int_equal(first.revision, 0);
    first.consent[POLICY_SMS][POLICY_OTP] = POLICY_CONSENT_REQUIRED;
    first.consent[POLICY_WHATSAPP][POLICY_PROMOTIONAL] = POLICY_CONSENT_UNLESS_WITHDRAWN;
    first.cap_per_day = 2;
    first.cap_per_week = 1000;
    first.dnd = POLICY_DND_REQUIRED;
    first.quiet = (struct quiet_settings){ .is_off = true,
                                           .india_from_minute = POLICY_INDIA_LATE,
                                           .from_minute = 1,
                                           .until_minute = 1439,
                                           .days = 3,
                                           .spread_minutes = 240 };
    assert_ok(put(acme, &first));
    assert_int_equal(put(acme, &second), ERR_DB_CONFLICT);
    second = settings_of(acme);
    assert_int_equal(second.revision, 1);
    assert_memory_equal(second.consent, first.consent, sizeof(first.consent));
    assert_true(second.quiet.is_off);
    assert_int_equal(second.quiet.india_from_minute, POLICY_INDIA_LATE);
    assert_int_equal(second.quiet.from_minute, 1);
    assert_int_equal(second.quiet.until_minute, 1439);
    assert_int_equal(second.quiet.days, 3);
    assert_int_equal(second.quiet.spread_minutes, 240);
    assert_int_equal(second.cap_per_day, 2);
    assert_int_equal(second.cap_per_week, 1000);
    assert_int_equal(second.dnd, POLICY_DND_REQUIRED);
    assert_int_equal(settings_of(bolt).revision, 0);
}

static void
as_they_come_they_are_safe(void **state UNUSED)
{
    struct policy_settings settings = settings_of(acme);

    for (int64_t channel = 0; channel < POLICY_CHANNEL_COUNT; channel++)
        for (int64_t category = 0; category < POLICY_CATEGORY_COUNT; category++) {
            struct policy_facts facts = {
                .of = { [POLICY_FACT_CHANNEL] = channel, [POLICY_FACT_CATEGORY] = category }
            };
            policy_settings_apply(&settings, &facts);
            assert_int_equal(policy_judge(&facts).decision,
                             category == POLICY_PROMOTIONAL ? POLICY_BLOCK : POLICY_ALLOW);
            facts.of[POLICY_FACT_CONSENT] = POLICY_CONSENT_WITHDRAWN;
            assert_int_equal(policy_judge(&facts).rule, POLICY_RULE_CONSENT);
        }
    assert_false(settings.quiet.is_off);
}

static void
caps_are_those_of_promotions_alone(void **state UNUSED)
{
    struct policy_settings settings = policy_settings_default;
    struct policy_facts facts = { .of = { [POLICY_FACT_CATEGORY] = POLICY_PROMOTIONAL } };

    settings.cap_per_day = 3;
    policy_settings_apply(&settings, &facts);
    assert_int_equal(facts.of[POLICY_FACT_DAY_CAP], 3);
    facts = (struct policy_facts){ .of = { [POLICY_FACT_CATEGORY] = POLICY_SERVICE } };
    policy_settings_apply(&settings, &facts);
    assert_int_equal(facts.of[POLICY_FACT_DAY_CAP], 0);
}

static void
what_are_no_settings_is_refused(void **state UNUSED)
{
    static const char *const texts[] = { "1",
                                         "1 2 3",
                                         "0 0 0 0 0 540 0 1440 127",
                                         "0 0 0 9 0 540 0 1440 127 30",
                                         "0 0 0 0 0 540 0 1440 127 30 1",
                                         "x 0 0 0 0 540 0 1440 127 30" };
    struct policy_settings settings;

    assert_ok(policy_settings_parse(SLICE("0 0 0 0 0 540 0 1440 127 30"), &settings));
    assert_int_equal(settings.consent[POLICY_SMS][POLICY_PROMOTIONAL], POLICY_CONSENT_UNLESS_WITHDRAWN);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(policy_settings_parse(slice_text(texts[i]), &settings), ERR_DB_DATA);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(all_of_them_are_kept_and_nobody_overwrites_what_he_has_not_seen),
             TEST(as_they_come_they_are_safe), TEST(caps_are_those_of_promotions_alone),
             TEST(what_are_no_settings_is_refused))
