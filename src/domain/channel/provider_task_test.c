/* Provider tasks on a real PostgreSQL: what is claimed, by whom, and what an end writes. */
#include "core/log.h"
#include "domain/channel/provider_task.h"
#include "platform/db/test_pair.h"
#include <stdio.h>
#include <stdlib.h>

#define LEASE_MS 60000

static int
opened(void **state UNUSED)
{
    test_pair_open("delete from provider_task; delete from event; delete from channel");
    return 0;
}

static struct id
channel_new(struct id tenant)
{
    struct id channel = id_new(clock_system());
    char sql[256], t[ID_UUID_BYTES], c[ID_UUID_BYTES];

    id_uuid_print(tenant, t);
    id_uuid_print(channel, c);
    snprintf(sql, sizeof(sql),
             "insert into channel (tenant_id, id, kind, name) values ('%s', '%s', 'whatsapp', 'c')", t, c);
    test_cluster_sql(sql);
    return channel;
}

static struct id
create(struct id tenant, struct id channel, bool has_request)
{
    struct vault_sealed sealed = { .key_version = 1, .cipher = SLICE("pin") };
    struct provider_task_new with = { .id = id_new(clock_system()),
                                      .channel = channel,
                                      .kind = PROVIDER_TASK_NUMBER_SYNC,
                                      .request = has_request ? &sealed : NULL,
                                      .is_asked = true };
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(provider_task_create(&tx, &with));
    assert_ok(db_commit(&tx));
    return with.id;
}

static struct provider_task_claim
claim(void)
{
    struct provider_task_claim claim;

    assert_ok(provider_task_claim_next(dispatcher, &(struct provider_task_wish){ .lease_ms = LEASE_MS },
                                       arena, &claim));
    return claim;
}

static enum err
settle(const struct provider_task_claim *claim, struct provider_task_outcome outcome)
{
    struct db_tx tx;

    assert_ok(db_begin(dispatcher, claim->tenant, &tx));
    enum err err = provider_task_settle(&tx, clock_system(), claim, &outcome);
    if (err == ERR_OK)
        assert_ok(db_commit(&tx));
    db_rollback(&tx);
    return err;
}

static struct provider_task
get(struct id tenant, struct id task)
{
    struct provider_task shown;
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(provider_task_get(&tx, task, arena, &shown));
    assert_ok(db_commit(&tx));
    return shown;
}

static void
a_task_is_claimed_once_with_what_it_was_made_of(void **state UNUSED)
{
    struct id channel = channel_new(acme), task = create(acme, channel, true);
    struct provider_task_claim mine = claim(), none;

    assert_true(id_eq(mine.task, task) && id_eq(mine.tenant, acme) && id_eq(mine.channel, channel));
    assert_true(mine.is_known && mine.kind == PROVIDER_TASK_NUMBER_SYNC);
    assert_int_equal(mine.attempt, 1);
    assert_false(mine.is_unsure);
    assert_true(mine.has_request && slice_eq(mine.request.cipher, SLICE("pin")));
    assert_int_equal(provider_task_claim_next(
                         dispatcher, &(struct provider_task_wish){ .lease_ms = LEASE_MS }, arena, &none),
                     ERR_NOTHING);
    assert_int_equal(get(acme, task).state, PROVIDER_TASK_LEASED);
}

static void
an_end_tells_its_event_and_forgets_the_request(void **state UNUSED)
{
    struct id task = create(acme, channel_new(acme), true);
    struct provider_task_claim mine = claim();

    assert_ok(
        settle(&mine, (struct provider_task_outcome){ .state = PROVIDER_TASK_DONE,
                                                      .result = SLICE("{\"quality_rating\":\"GREEN\"}") }));
    struct provider_task shown = get(acme, task);
    assert_int_equal(shown.state, PROVIDER_TASK_DONE);
    assert_true(shown.has_finished && shown.error_class.len == 0);
    assert_non_null(memmem(shown.result.ptr, shown.result.len, "GREEN", 5));
    assert_int_equal(test_cluster_number("select count(*) from provider_task where request_ct is null"), 1);
    assert_int_equal(
        test_cluster_number("select count(*) from event where type = 'operation.succeeded' and subject_id ="
                            " channel_id and data->>'operation_id' like 'opr\\_%' and data->'error' = 'null'"
                            " and data->'result'->>'quality_rating' = 'GREEN'"),
        1);
}

static void
a_failure_is_told_with_its_reason(void **state UNUSED)
{
    struct id task = create(acme, channel_new(acme), false);
    struct provider_task_claim mine = claim();

    assert_ok(settle(&mine, (struct provider_task_outcome){ .state = PROVIDER_TASK_FAILED,
                                                            .error_code = SLICE("whatsapp-133005"),
                                                            .error_title = SLICE("The PIN is \"wrong\"."),
                                                            .error_class = "permanent" }));
    assert_int_equal(get(acme, task).state, PROVIDER_TASK_FAILED);
    assert_int_equal(
        test_cluster_number(
            "select count(*) from event where type = 'operation.failed' and"
            " data->'error' = '{\"code\":\"whatsapp-133005\",\"title\":\"The PIN is \\\"wrong\\\".\","
            "\"class\":\"permanent\"}'"),
        1);
}

static void
what_is_tried_again_waits_and_keeps_its_request(void **state UNUSED)
{
    struct id task = create(acme, channel_new(acme), true);
    struct provider_task_claim mine = claim();
    struct wall_time later = wall_after_ms(clock_wall(clock_system()), 3600000);
    struct provider_task_outcome again = { .state = PROVIDER_TASK_WAITING,
                                           .due_at = later,
                                           .is_counted = true,
                                           .error_code = SLICE("whatsapp-2"),
                                           .error_title = SLICE("Busy."),
                                           .error_class = "retry" };

    assert_ok(settle(&mine, again));
    assert_int_equal(provider_task_claim_next(
                         dispatcher, &(struct provider_task_wish){ .lease_ms = LEASE_MS }, arena, &mine),
                     ERR_NOTHING);
    assert_int_equal(get(acme, task).attempt, 1);
    test_cluster_sql("update provider_task set due_at = now()");
    mine = claim();
    assert_int_equal(mine.attempt, 2);
    assert_true(mine.has_request);
    again.is_counted = false;
    again.is_unsure = true;
    again.due_at = clock_wall(clock_system());
    assert_ok(settle(&mine, again));
    mine = claim();
    assert_int_equal(mine.attempt, 2); /* given back */
    assert_true(mine.is_unsure);
    assert_int_equal(test_cluster_number("select count(*) from event"), 0);
}

static void
a_lost_claim_writes_nothing(void **state UNUSED)
{
    struct id task = create(acme, channel_new(acme), false);
    struct provider_task_claim dead = claim(), heir;
    struct provider_task_outcome done = { .state = PROVIDER_TASK_DONE };
    struct db_tx tx;
    size_t taken = 0;

    assert_ok(provider_task_take_over(dispatcher, &taken));
    assert_int_equal(taken, 0);
    test_cluster_sql("update provider_task set lease_until = now() + interval '14 minutes'");
    assert_ok(provider_task_take_over(dispatcher, &taken));
    assert_int_equal(taken, 0);
    test_cluster_sql("update provider_task set lease_until = now() + interval '2 hours'");
    assert_ok(provider_task_take_over(dispatcher, &taken));
    assert_int_equal(taken, 1); /* a clock that was ahead has given it */
    dead = claim();
    test_cluster_sql("update provider_task set lease_until = now() - interval '1 second'");
    assert_ok(provider_task_take_over(dispatcher, &taken));
    assert_int_equal(taken, 1);
    assert_int_equal(settle(&dead, done), ERR_STATE_CONFLICT);
    heir = claim();
    assert_true(id_eq(heir.task, task) && heir.is_unsure);
    assert_int_equal(heir.attempt, 3);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_int_equal(provider_task_hold(&tx, &dead, LEASE_MS), ERR_STATE_CONFLICT);
    db_rollback(&tx);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(provider_task_hold(&tx, &heir, LEASE_MS));
    assert_ok(db_commit(&tx));
    assert_int_equal(settle(&dead, done), ERR_STATE_CONFLICT);
    assert_ok(settle(&heir, done));
    assert_int_equal(settle(&heir, done), ERR_STATE_CONFLICT);
    assert_int_equal(test_cluster_number("select count(*) from event"), 1);
}

/* The busy channel's tasks are older. */
static void
one_channels_many_do_not_delay_anothers_one(void **state UNUSED)
{
    struct id busy = channel_new(acme), quiet = channel_new(bolt);

    for (int i = 0; i < 50; i++)
        create(acme, busy, false);
    struct id only = create(bolt, quiet, false);
    assert_true(id_eq(claim().channel, busy));
    assert_true(id_eq(claim().task, only));
    assert_true(id_eq(claim().channel, busy));
}

static struct provider_task_claim
claim_as(struct provider_task_wish wish)
{
    struct provider_task_claim claim;

    wish.lease_ms = LEASE_MS;
    assert_ok(provider_task_claim_next(dispatcher, &wish, arena, &claim));
    assert_ok(settle(&claim, (struct provider_task_outcome){ .state = PROVIDER_TASK_DONE }));
    return claim;
}

/* Each ends before the next is claimed, so nobody has one under way; the busy tenant's are all older. */
static void
tenants_are_served_in_turn(void **state UNUSED)
{
    struct provider_task_wish wish = { .no_media = false };
    struct id busy = channel_new(acme), other = channel_new(acme), quiet = channel_new(bolt), turns[4];

    for (int i = 0; i < 10; i++) {
        create(acme, busy, false);
        create(acme, other, false);
    }
    create(bolt, quiet, false);
    create(bolt, quiet, false);
    for (size_t i = 0; i < COUNT_OF(turns); i++)
        wish.served = turns[i] = claim_as(wish).tenant;
    for (size_t i = 1; i < COUNT_OF(turns); i++)
        assert_false(id_eq(turns[i], turns[i - 1]));
    assert_true(id_eq(claim_as(wish).tenant, acme)); /* nobody else waits any more */
}

static void
media_make_as(struct id tenant, struct id channel, enum provider_task_kind kind, bool moves_media)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(provider_task_create(&tx, &(struct provider_task_new){ .id = id_new(clock_system()),
                                                                     .channel = channel,
                                                                     .kind = kind,
                                                                     .moves_media = moves_media,
                                                                     .subject = id_new(clock_system()) }));
    assert_ok(db_commit(&tx));
}

static void
media_make(struct id tenant, struct id channel)
{
    media_make_as(tenant, channel, PROVIDER_TASK_MEDIA_FETCH, false);
}

/* More than are looked at of one channel, and all of them older. */
static void
who_has_media_enough_still_gets_the_rest(void **state UNUSED)
{
    struct id channel = channel_new(acme), theirs = channel_new(bolt);
    struct provider_task_wish sated = { .lease_ms = LEASE_MS, .sated = &acme, .sated_count = 1 },
                              none = { .lease_ms = LEASE_MS, .no_media = true };
    struct provider_task_claim claim;

    for (int i = 0; i < 40; i++)
        media_make(acme, channel);
    media_make_as(acme, channel, PROVIDER_TASK_TEMPLATE_CREATE, true); /* with samples: media as well */
    assert_int_equal(provider_task_claim_next(dispatcher, &sated, arena, &claim), ERR_NOTHING);
    struct id other = create(acme, channel, false);
    assert_true(id_eq(claim_as(sated).task, other));
    media_make(bolt, theirs);
    assert_int_equal(provider_task_claim_next(dispatcher, &none, arena, &claim), ERR_NOTHING);
    assert_true(id_eq(claim_as(sated).tenant, bolt));
    assert_int_equal(claim_as((struct provider_task_wish){ .no_media = false }).kind,
                     PROVIDER_TASK_MEDIA_FETCH);
}

/* Whoever holds a row keeps nobody from the next one. */
static void
two_that_claim_at_a_time_get_different_tasks(void **state UNUSED)
{
    struct db *other = test_cluster_open("harkara_dispatcher");
    struct id channel = channel_new(acme);
    static const struct db_stmt lock = { "test_lock_first",
                                         "select id from provider_task order by due_at limit 1 for update" };
    struct db_rows *rows = NULL;
    struct db_tx tx;

    create(acme, channel, false);
    create(acme, channel, false);
    assert_ok(db_begin_across(other, "task.claim", &tx));
    assert_ok(db_query(&tx, &lock, DB_NO_ARGS, &rows));
    assert_false(id_eq(claim().task, db_id(rows, 0, 0)));
    db_rows_free(rows);
    db_rollback(&tx);
    db_close(other);
}

static void
what_the_api_asks_for_has_a_limit(void **state UNUSED)
{
    struct id channel = channel_new(acme);
    struct provider_task_new with = { .channel = channel,
                                      .kind = PROVIDER_TASK_NUMBER_SYNC,
                                      .is_asked = true };
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    for (unsigned i = 0; i < PROVIDER_TASK_WAITING_MAX; i++) {
        with.id = id_new(clock_system());
        assert_ok(provider_task_create(&tx, &with));
    }
    with.id = id_new(clock_system());
    assert_int_equal(provider_task_create(&tx, &with), ERR_TOO_MANY);
    with.is_asked = false; /* what Harkara itself needs is not refused */
    assert_ok(provider_task_create(&tx, &with));
    assert_ok(db_commit(&tx));
}

static void
syncs_are_asked_for_once_while_they_wait(void **state UNUSED)
{
    struct id channel = channel_new(acme), other = channel_new(acme);
    static const char waiting[] = "select count(*) from provider_task where state = 'waiting'";
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    for (int i = 0; i < 3; i++)
        assert_ok(provider_task_ask_syncs(&tx, clock_system(), channel));
    assert_ok(db_commit(&tx));
    assert_int_equal(test_cluster_number(waiting), 2);
    claim(); /* it may have begun with what was known before */
    claim();
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(provider_task_ask_syncs(&tx, clock_system(), channel));
    assert_ok(provider_task_ask_syncs(&tx, clock_system(), other));
    assert_ok(db_commit(&tx));
    assert_int_equal(test_cluster_number(waiting), 4);
    assert_int_equal(test_cluster_number("select count(distinct (channel_id, kind)) from provider_task"), 4);
}

static void
a_list_is_one_channels_and_one_tenants(void **state UNUSED)
{
    struct id channel = channel_new(acme), other = channel_new(acme);
    struct provider_task *tasks = NULL;
    struct db_tx tx;
    size_t count = 0;
    struct id first = create(acme, channel, false), second = create(acme, channel, false);

    create(acme, other, false);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(provider_task_list(&tx, channel, (struct id){ { 0 } }, 10, arena, &tasks, &count));
    assert_int_equal(count, 2);
    assert_true(id_eq(tasks[0].id, second) && id_eq(tasks[1].id, first));
    assert_ok(provider_task_list(&tx, channel, second, 10, arena, &tasks, &count));
    assert_int_equal(count, 1);
    assert_ok(db_commit(&tx));
    assert_ok(db_begin(gateway, bolt, &tx));
    assert_int_equal(provider_task_get(&tx, first, arena, tasks), ERR_NOT_FOUND);
    assert_ok(provider_task_list(&tx, channel, (struct id){ { 0 } }, 10, arena, &tasks, &count));
    assert_int_equal(count, 0);
    assert_ok(db_commit(&tx));
}

static void
what_is_due_next_is_a_waiting_task_or_a_lease(void **state UNUSED)
{
    struct wall_time due;

    assert_int_equal(provider_task_next_due(dispatcher, &due), ERR_NOTHING);
    create(acme, channel_new(acme), false);
    assert_ok(provider_task_next_due(dispatcher, &due));
    assert_true(due.us <= clock_wall(clock_system()).us);
    claim();
    assert_ok(provider_task_next_due(dispatcher, &due));
    assert_true(due.us > clock_wall(clock_system()).us);
}

/* Also to whoever takes over from one that died; and nothing of it when the task is at its end. */
static void
what_an_attempt_has_brought_is_the_next_ones(void **state UNUSED)
{
    struct provider_task_outcome done = { .state = PROVIDER_TASK_DONE };
    struct provider_task_claim dead, heir;
    struct db_tx tx;
    size_t taken = 0;

    create(acme, channel_new(acme), false);
    dead = claim();
    assert_int_equal(dead.progress.len, 0);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(provider_task_progress(&tx, &dead, SLICE("{\"n\":1}")));
    assert_ok(provider_task_progress(&tx, &dead, SLICE("{\"n\":2}")));
    assert_ok(db_commit(&tx));
    test_cluster_sql("update provider_task set lease_until = now() - interval '1 second'");
    assert_ok(provider_task_take_over(dispatcher, &taken));
    heir = claim();
    assert_true(slice_eq(heir.progress, SLICE("{\"n\": 2}")));
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_int_equal(provider_task_progress(&tx, &dead, SLICE("{}")), ERR_STATE_CONFLICT);
    db_rollback(&tx);
    char *large = malloc(PROVIDER_TASK_PROGRESS_MAX + 1);
    assert_non_null(large);
    memset(large, ' ', PROVIDER_TASK_PROGRESS_MAX + 1);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_int_equal(provider_task_progress(&tx, &heir, slice_of(large, PROVIDER_TASK_PROGRESS_MAX + 1)),
                     ERR_LIMIT);
    db_rollback(&tx);
    free(large);
    assert_ok(settle(&heir, done));
    assert_int_equal(test_cluster_number("select count(*) from provider_task where progress is null"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(a_task_is_claimed_once_with_what_it_was_made_of),
             TEST(an_end_tells_its_event_and_forgets_the_request), TEST(a_failure_is_told_with_its_reason),
             TEST(what_is_tried_again_waits_and_keeps_its_request), TEST(a_lost_claim_writes_nothing),
             TEST(what_an_attempt_has_brought_is_the_next_ones),
             TEST(one_channels_many_do_not_delay_anothers_one), TEST(tenants_are_served_in_turn),
             TEST(who_has_media_enough_still_gets_the_rest),
             TEST(two_that_claim_at_a_time_get_different_tasks), TEST(what_the_api_asks_for_has_a_limit),
             TEST(syncs_are_asked_for_once_while_they_wait), TEST(a_list_is_one_channels_and_one_tenants),
             TEST(what_is_due_next_is_a_waiting_task_or_a_lease))
