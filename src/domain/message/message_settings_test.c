/* What a workspace decides of sends whose outcome is not known, and that each way out is told. */
#include "domain/message/message_queue.h"
#include "domain/message/message_settings.h"
#include "domain/message/message_testing.h"
#include "platform/db/test_pair.h"

static struct id channel, owner;

static int
opened(void **state UNUSED)
{
    test_pair_open(
        "delete from harkara.dispatch_queue; delete from harkara.message_settings;"
        " delete from harkara.dispatcher_lease; update harkara.dispatch_lane set dispatcher = null");
    owner = id_new(clock_system());
    channel = message_testing_channel(acme);
    return 0;
}

static struct message_settings
settings_of(struct id tenant)
{
    struct message_settings settings;
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(message_settings_read(&tx, &settings));
    assert_ok(db_commit(&tx));
    return settings;
}

static enum err
put(struct id tenant, struct message_settings *settings)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    enum err err = message_settings_write(&tx, settings);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static void
they_are_the_tenants_own_and_nobody_overwrites_what_he_has_not_seen(void **state UNUSED)
{
    struct message_settings first = settings_of(acme), second = first;

    assert_int_equal(first.revision, 0);
    assert_int_equal(first.uncertain[MESSAGE_OTP], MESSAGE_UNCERTAIN_RESEND);
    assert_int_equal(first.uncertain[MESSAGE_PROMOTIONAL], MESSAGE_UNCERTAIN_LEAVE);
    first.uncertain[MESSAGE_OTP] = MESSAGE_UNCERTAIN_FAIL;
    first.uncertain_wait_s = 30;
    assert_ok(put(acme, &first));
    assert_int_equal(first.revision, 1);
    assert_int_equal(put(acme, &second), ERR_DB_CONFLICT);
    assert_int_equal(settings_of(acme).uncertain[MESSAGE_OTP], MESSAGE_UNCERTAIN_FAIL);
    assert_int_equal(settings_of(acme).uncertain_wait_s, 30);
    assert_int_equal(settings_of(bolt).uncertain[MESSAGE_OTP], MESSAGE_UNCERTAIN_RESEND);
    first.uncertain_wait_s = 0;
    assert_ok(put(acme, &first));
    assert_int_equal(first.revision, 2);
    assert_int_equal(settings_of(acme).uncertain_wait_s, 0);
}

static size_t
take_over(void)
{
    size_t taken;

    assert_ok(message_take_over(dispatcher, clock_system(), 120000, 60000, arena, &taken));
    return taken;
}

/* A message of the category whose sender died after it said `sending`; its wait for the provider is over. */
static struct id
lost(enum message_category category)
{
    struct message_new message = message_testing_new(acme, channel, category);
    struct id id = message_testing_accept(gateway, &message);
    struct message_claim *claims;
    struct message_job *jobs;
    struct db_tx tx;

    assert_int_equal(message_testing_look(dispatcher, owner, channel, arena, &claims), 1);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(message_begin_sending(&tx, clock_system(), owner, 60000, claims, 1, arena, &jobs));
    assert_ok(db_commit(&tx));
    test_cluster_sql("update harkara.dispatch_queue set lease_until = now() - interval '1 second'");
    assert_int_equal(take_over(), 1);
    test_cluster_sql(
        "update harkara.dispatch_queue set due_at = now() - interval '1 second' where state = 'uncertain'");
    return id;
}

static void
each_policy_ends_the_wait_in_its_own_way_and_says_so(void **state UNUSED)
{
    static const struct {
        enum message_uncertain_policy policy;
        const char *status, *type, *cause;
        int64_t queued;
    } rows[] = {
        { MESSAGE_UNCERTAIN_RESEND, "queued", "message.queued", "resent-by-policy", 1 },
        { MESSAGE_UNCERTAIN_LEAVE, "uncertain", "message.uncertain", "left-by-policy", 0 },
        { MESSAGE_UNCERTAIN_FAIL, "failed", "message.failed", "failed-by-policy", 0 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (unsigned category = 0; category < MESSAGE_CATEGORY_COUNT; category++) {
            struct message_settings settings = settings_of(acme);
            char text[ID_UUID_BYTES];
            for (unsigned k = 0; k < MESSAGE_CATEGORY_COUNT; k++) /* the others otherwise */
                settings.uncertain[k] = k == category ? rows[i].policy : (rows[i].policy + 1u) % 3u;
            assert_ok(put(acme, &settings));
            struct id id = lost((enum message_category)category);
            assert_int_equal(take_over(), 1);
            message_testing_assert_status(id, rows[i].status);
            id_uuid_print(id, text);
            assert_int_equal(message_testing_count(
                                 "select count(*) from harkara.event where subject_id = '%s' and type = '%s'"
                                 " and data->>'cause' = '%s' and data->>'actor' = 'policy'",
                                 text, rows[i].type, rows[i].cause),
                             1);
            assert_int_equal(message_testing_count("select count(*) from harkara.dispatch_queue"),
                             rows[i].queued);
            test_cluster_sql("delete from harkara.dispatch_queue");
        }
}

static void
the_wait_is_the_tenants(void **state UNUSED)
{
    struct message_settings settings = settings_of(acme);

    settings.uncertain_wait_s = 7200;
    assert_ok(put(acme, &settings));
    lost(MESSAGE_OTP);
    test_cluster_sql(
        "update harkara.message set status = 'sending' where status = 'uncertain';"
        " update harkara.dispatch_queue set state = 'sending', lease_until = now() - interval '1 second'");
    assert_int_equal(take_over(), 1);
    assert_int_equal(
        message_testing_count("select count(*) from harkara.dispatch_queue where state = 'uncertain'"
                              " and due_at > now() + interval '119 minutes'"),
        1);
}

/* It may have arrived: so it is neither withdrawn nor said to have expired. */
static void
what_may_have_been_taken_is_not_canceled_and_does_not_expire(void **state UNUSED)
{
    struct id id = lost(MESSAGE_OTP);
    enum message_status status;
    size_t kept;
    struct db_tx tx;

    assert_int_equal(take_over(), 1); /* resent: it waits for its second attempt */
    message_testing_assert_status(id, "queued");
    assert_ok(db_begin(gateway, acme, &tx));
    assert_int_equal(message_cancel(&tx, clock_system(), id, (struct message_by){ .id = id }, arena, &status),
                     ERR_STATE_CONFLICT);
    assert_int_equal(status, MESSAGE_QUEUED);
    db_rollback(&tx);
    test_cluster_sql("update harkara.dispatch_queue set expires_at = now() - interval '1 second'");
    assert_ok(message_keep_times(dispatcher, clock_system(), arena, &kept));
    assert_int_equal(kept, 1);
    message_testing_assert_status(id, "uncertain");
    assert_int_equal(message_testing_count("select count(*) from harkara.dispatch_queue"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(they_are_the_tenants_own_and_nobody_overwrites_what_he_has_not_seen),
             TEST(each_policy_ends_the_wait_in_its_own_way_and_says_so), TEST(the_wait_is_the_tenants),
             TEST(what_may_have_been_taken_is_not_canceled_and_does_not_expire))
