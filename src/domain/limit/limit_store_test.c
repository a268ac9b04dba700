/* What stands in the database: what was given and set, the account of what was used, and who was told. */
#include "domain/limit/limit_book.h"
#include "domain/limit/limit_usage.h"
#include "platform/db/test_pair.h"

static struct clock_manual manual;
static const struct limit_values defaults = { .of = { [LIMIT_KEY] = 100,
                                                      [LIMIT_WORKSPACE] = 200,
                                                      [LIMIT_SENDER_SECOND] = 80,
                                                      [LIMIT_SENDER_DAY] = 1000,
                                                      [LIMIT_SENDER_MONTH] = 5000,
                                                      [LIMIT_WORKSPACE_DAY] = 3000,
                                                      [LIMIT_WORKSPACE_MONTH] = 9000 } };

static int
opened(void **state UNUSED)
{
    test_pair_open(
        "delete from harkara.tenant_limit; delete from harkara.limit_setting;"
        " delete from harkara.usage_day; delete from harkara.quota_told; delete from harkara.event");
    clock_manual_init(&manual, (struct wall_time){ INT64_C(1797984000) * 1000000 }); /* 2026-12-23 */
    return 0;
}

struct step {
    struct limit_grant grant;
    struct limit_setting *setting;
    struct limit_notice *notice;
    struct limit_usage *usages;
    struct limit_counter *counters;
    size_t count;
};

static enum err
grant_in(struct db_tx *tx, void *ctx)
{
    return limit_grant_write(tx, &((struct step *)ctx)->grant);
}

static enum err
setting_in(struct db_tx *tx, void *ctx)
{
    return limit_setting_write(tx, ((struct step *)ctx)->setting);
}

static enum err
notice_in(struct db_tx *tx, void *ctx)
{
    return limit_notice_tell(tx, &manual.clock, ((struct step *)ctx)->notice);
}

static enum err
add_in(struct db_tx *tx, void *ctx)
{
    struct step *step = ctx;

    return limit_usage_add(tx, step->usages, step->count, arena);
}

static enum err
load_in(struct db_tx *tx, void *ctx)
{
    struct step *step = ctx;
    struct limit_now now = limit_now(&manual.clock);

    return limit_usage_load(tx, &now, arena, step->counters, step->count);
}

static struct limit_values
values_of(struct limit_book *book, struct id tenant, struct id subject)
{
    struct limit_values values;

    assert_ok(limit_book_look(book, gateway, tenant, subject, &values));
    return values;
}

static void
a_workspace_only_tightens_what_it_was_given(void **state UNUSED)
{
    struct id channel = id_new(clock_system());
    struct limit_setting setting = {
        .subject = channel, .requests_per_second = 7, .messages_per_day = 2000, .messages_per_month = 40
    };
    struct step step = { .grant = { .sender_per_day = 1500, .messages_per_day = 10 }, .setting = &setting };
    struct db *admin = test_cluster_open("harkara_admin");
    struct limit_book *book;

    assert_ok(limit_book_new(&manual.clock, &defaults, &book));
    assert_true(values_of(book, acme, channel).of[LIMIT_SENDER_DAY] == 1000);
    assert_ok(db_run(admin, acme, grant_in, &step));
    assert_ok(db_run(gateway, acme, setting_in, &step));
    assert_int_equal(setting.revision, 1);
    assert_true(values_of(book, acme, channel).of[LIMIT_SENDER_DAY] == 1000); /* as remembered */
    clock_manual_advance(&manual, INT64_C(1000) * LIMIT_BOOK_MS);
    struct limit_values values;
    assert_int_equal(limit_book_look(book, NULL, acme, channel, &values), ERR_WOULD_WAIT);
    values = values_of(book, acme, channel);
    assert_true(values.of[LIMIT_SENDER_DAY] == 1500); /* its own is looser */
    assert_true(values.of[LIMIT_SENDER_MONTH] == 40); /* its own is tighter */
    assert_true(values.of[LIMIT_KEY] == 7);
    assert_true(values.of[LIMIT_WORKSPACE_DAY] == 10);
    assert_true(values.of[LIMIT_WORKSPACE_MONTH] == 9000); /* as everybody */
    assert_ok(limit_book_look(book, NULL, acme, channel, &values));
    values = values_of(book, bolt, channel);
    assert_true(values.of[LIMIT_SENDER_DAY] == 1000 && values.of[LIMIT_SENDER_MONTH] == 5000);
    setting.revision = 0; /* somebody who has not seen it */
    assert_int_equal(db_run(gateway, acme, setting_in, &step), ERR_DB_CONFLICT);
    limit_book_free(book);
    db_close(admin);
}

/* Else all who ask in the same moment would ask the database, twice each. */
static void
one_reads_anew_what_will_be_too_old(void **state UNUSED)
{
    struct id channel = id_new(clock_system());
    struct limit_setting setting = { .subject = channel, .messages_per_day = 7 };
    struct step step = { .setting = &setting };
    struct limit_values values;
    struct limit_book *book;

    assert_ok(limit_book_new(&manual.clock, &defaults, &book));
    assert_true(values_of(book, acme, channel).of[LIMIT_SENDER_DAY] == 1000);
    assert_ok(db_run(gateway, acme, setting_in, &step));
    clock_manual_advance(&manual, INT64_C(1000) * (LIMIT_BOOK_MS - LIMIT_BOOK_EARLY_MS));
    assert_int_equal(limit_book_look(book, NULL, acme, channel, &values), ERR_WOULD_WAIT);
    assert_ok(limit_book_look(book, NULL, acme, channel, &values)); /* one was sent */
    assert_true(values.of[LIMIT_SENDER_DAY] == 1000);
    assert_true(values_of(book, acme, channel).of[LIMIT_SENDER_DAY] == 7); /* and has read */
    clock_manual_advance(&manual, INT64_C(1000) * LIMIT_BOOK_EARLY_MS);
    assert_ok(limit_book_look(book, NULL, acme, channel, &values)); /* it counts from there */
    assert_true(values.of[LIMIT_SENDER_DAY] == 7);
    clock_manual_advance(&manual, INT64_C(1000) * LIMIT_BOOK_MS);
    assert_int_equal(limit_book_look(book, NULL, acme, channel, &values), ERR_WOULD_WAIT);
    assert_int_equal(limit_book_look(book, NULL, acme, channel, &values),
                     ERR_WOULD_WAIT); /* too old for all */
    limit_book_free(book);
}

static void
what_was_used_is_added_up_by_day_month_sender_and_workspace(void **state UNUSED)
{
    struct id one = id_new(clock_system()), other = id_new(clock_system()), none = { { 0 } };
    uint32_t today = limit_now(&manual.clock).day;
    struct limit_usage usages[] = {
        { acme, one, today - 40, 1000 }, /* another month */
        { acme, one, today - 1, 100 },
        { acme, one, today, 10 },
        { acme, other, today, 1 },
    };
    struct step step = { .usages = usages, .count = COUNT_OF(usages) };
    static const enum limit_name names[] = { LIMIT_SENDER_DAY, LIMIT_SENDER_MONTH, LIMIT_WORKSPACE_DAY,
                                             LIMIT_WORKSPACE_MONTH, LIMIT_SENDER_SECOND };
    struct limit_counter counters[COUNT_OF(names)];

    assert_ok(db_run(gateway, acme, add_in, &step));
    step.usages = &usages[1];
    step.count = 1;
    usages[1].accepted = 10; /* once more: it adds up */
    assert_ok(db_run(gateway, acme, add_in, &step));
    usages[2].accepted = 10;
    step.usages = &usages[2];
    assert_ok(db_run(gateway, acme, add_in, &step));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        counters[i] = limit_counter_of(names[i], acme, i < 2 ? one : none, 1, 1);
        counters[i].is_unknown = i < 4;
    }
    step.counters = counters;
    step.count = COUNT_OF(counters);
    assert_ok(db_run(gateway, acme, load_in, &step));
    assert_true(counters[0].base == 20);
    assert_true(counters[1].base == 130);
    assert_true(counters[2].base == 21);
    assert_true(counters[3].base == 131);
    assert_true(counters[4].base == LIMIT_BASE_UNKNOWN);
    assert_int_equal(counters[0].base_window, today);
    assert_ok(db_run(gateway, bolt, load_in, &step)); /* another workspace has used nothing */
    for (size_t i = 0; i < 4; i++)
        assert_true(counters[i].base == 0);
}

static void
a_quota_that_runs_short_is_told_once_in_its_window(void **state UNUSED)
{
    struct limit_notice notice = { .tenant = acme,
                                   .channel = id_new(clock_system()),
                                   .name = LIMIT_SENDER_DAY,
                                   .window = limit_now(&manual.clock).day,
                                   .percent = 80,
                                   .limit = 10,
                                   .used = 8 };
    struct step step = { .notice = &notice };

    assert_ok(db_run(gateway, acme, notice_in, &step));
    assert_ok(db_run(gateway, acme, notice_in, &step));
    assert_int_equal(test_cluster_number("select count(*) from event where type = 'quota.threshold'"), 1);
    assert_int_equal(test_cluster_number("select count(*) from event where data ->> 'resets_at' ="
                                         " '2026-12-24T00:00:00.000Z' and data ->> 'quota' = 'sender-day'"),
                     1);
    notice.percent = 100;
    assert_ok(db_run(gateway, acme, notice_in, &step));
    notice.window++;
    assert_ok(db_run(gateway, acme, notice_in, &step));
    notice.channel = (struct id){ { 0 } };
    notice.name = LIMIT_WORKSPACE_MONTH;
    notice.window = limit_now(&manual.clock).month;
    assert_ok(db_run(gateway, acme, notice_in, &step));
    assert_int_equal(test_cluster_number("select count(*) from event where type = 'quota.threshold'"), 4);
    assert_int_equal(test_cluster_number("select count(*) from event where channel_id is null"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)

CLUSTER_MAIN(TEST(a_workspace_only_tightens_what_it_was_given), TEST(one_reads_anew_what_will_be_too_old),
             TEST(what_was_used_is_added_up_by_day_month_sender_and_workspace),
             TEST(a_quota_that_runs_short_is_told_once_in_its_window))
