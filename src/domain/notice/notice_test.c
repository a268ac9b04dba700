/* The queue of mails, against a real PostgreSQL and the real vault: who may open what, and what becomes of a
 * row. */
#include "core/unit.h"
#include "domain/notice/notice.h"
#include "domain/tenant/tenant.h"
#include "domain/tenant/tenant_key.h"
#include "platform/db/test_cluster.h"
#include "program/vault/vault_testing.h"
#include <stdio.h>

static struct db *gateway, *dispatcher, *other;
static struct vault_client *gateway_client, *dispatcher_client;
static struct vault seals, opens;
static struct arena *arena;

static int
group_open(void **state)
{
    int failed = test_cluster_setup(state);
    struct db *admin = test_cluster_open("harkara_admin");

    vault_testing_start();
    vault_testing_tenant("first-of-all"); /* and the row of its key-encryption key */
    struct vault_client *maker = vault_testing_client(VAULT_ROLE_ADMIN, 5000);
    assert_ok(tenant_platform_keys(admin, &(struct vault){ .client = maker }));
    vault_client_free(maker);
    db_close(admin);
    gateway = test_cluster_open("harkara_gateway");
    dispatcher = test_cluster_open("harkara_dispatcher");
    other = test_cluster_open("harkara_dispatcher");
    gateway_client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    dispatcher_client = vault_testing_client(VAULT_ROLE_DISPATCHER, 5000);
    seals = tenant_vault(gateway_client, gateway);
    opens = tenant_vault(dispatcher_client, dispatcher);
    arena = arena_new(1u << 20);
    return failed;
}

static int
group_close(void **state)
{
    arena_free(arena);
    vault_client_free(gateway_client);
    vault_client_free(dispatcher_client);
    db_close(gateway);
    db_close(dispatcher);
    db_close(other);
    vault_testing_stop();
    return test_cluster_teardown(state);
}

static int
emptied(void **state UNUSED)
{
    test_cluster_sql("delete from harkara.mail_notice");
    return 0;
}

static struct notice
usual(void)
{
    struct wall_time now = clock_wall(clock_system());

    return (struct notice){ .id = id_new(clock_system()),
                            .kind = NOTICE_INVITATION,
                            .language = NOTICE_HINDI,
                            .at = now,
                            .expires_at = wall_after_ms(now, NOTICE_DAY_MS),
                            .to = SLICE("asha@example.org"),
                            .workspace = SLICE("Shop"),
                            .by = SLICE("Ravi"),
                            .link = SLICE("https://app.example.org/enrol#abc") };
}

static enum err
put_in(struct db_tx *tx, void *ctx)
{
    return notice_put(tx, ctx);
}

static void
put(const struct notice *notice)
{
    struct notice_sealed sealed;

    assert_ok(notice_seal(&seals, notice, arena, &sealed));
    assert_ok(db_run(gateway, tenant_platform, put_in, &sealed));
}

static void
what_was_put_is_opened_by_a_dispatcher_alone(void **state UNUSED)
{
    struct notice notice = usual(), found;
    struct notice_claim claim;
    struct secret *data = NULL;
    int64_t wait_ms = 0;

    put(&notice);
    assert_int_equal(
        test_cluster_number("select count(*) from harkara.mail_notice n where n::text ilike '%asha%'"
                            " or n::text like '%enrol%' or n::text like '%Shop%'"),
        0);
    assert_ok(notice_claim(dispatcher, 60000, arena, &claim, &wait_ms));
    assert_true(id_eq(claim.id, notice.id));
    assert_int_equal(claim.attempt, 1);
    assert_true(claim.left_ms > NOTICE_DAY_MS / 2 && claim.left_ms <= NOTICE_DAY_MS);
    assert_int_equal(notice_open(&seals, &claim, &data, &found), ERR_VAULT_FORBIDDEN);
    assert_ok(notice_open(&opens, &claim, &data, &found));
    assert_int_equal(found.kind, NOTICE_INVITATION);
    assert_int_equal(found.language, NOTICE_HINDI);
    assert_true(slice_eq(found.to, notice.to) && slice_eq(found.link, notice.link));
    assert_true(slice_eq(found.workspace, notice.workspace) && slice_eq(found.by, notice.by));
    assert_int_equal(found.name.len + found.detail.len + found.address.len, 0);
    assert_int_equal(found.expires_at.us, notice.expires_at.us);
    secret_free(data);
}

static void
one_is_in_one_hand_at_a_time(void **state UNUSED)
{
    struct notice notice = usual();
    struct notice_claim first, second;
    int64_t wait_ms = 0;

    put(&notice);
    assert_ok(notice_claim(dispatcher, 60000, arena, &first, &wait_ms));
    assert_int_equal(notice_claim(other, 60000, arena, &second, &wait_ms), ERR_NOTHING);
    assert_true(wait_ms > 0 && wait_ms <= 60000);
    test_cluster_sql("update harkara.mail_notice set due_at = now()"); /* its lease is over */
    assert_ok(notice_claim(other, 60000, arena, &second, &wait_ms));
    assert_int_equal(second.attempt, 2);
    assert_ok(notice_end(dispatcher, &first)); /* too late: it is in another hand */
    assert_int_equal(test_cluster_number("select count(*) from harkara.mail_notice"), 1);
    assert_ok(notice_put_off(dispatcher, &first, 0));
    assert_int_equal(notice_claim(dispatcher, 60000, arena, &first, &wait_ms), ERR_NOTHING);
    assert_ok(notice_put_off(other, &second, 0));
    assert_ok(notice_claim(dispatcher, 60000, arena, &first, &wait_ms));
    assert_int_equal(first.attempt, 3);
    assert_ok(notice_end(dispatcher, &first));
    assert_int_equal(test_cluster_number("select count(*) from harkara.mail_notice"), 0);
    assert_int_equal(notice_claim(dispatcher, 777, arena, &first, &wait_ms), ERR_NOTHING);
    assert_int_equal(wait_ms, 777);
}

/* Also when the table has grown and the plans are others. */
static void
a_claim_takes_one_of_many(void **state UNUSED)
{
    struct notice_claim claim;
    int64_t wait_ms = 0;

    for (int64_t i = 0; i < 20; i++) {
        struct notice notice = usual();
        put(&notice);
    }
    for (int64_t i = 1; i <= 20; i++) {
        assert_ok(notice_claim(dispatcher, 60000, arena, &claim, &wait_ms));
        assert_int_equal(test_cluster_number("select sum(attempt) from harkara.mail_notice"), i);
        if (i == 10)
            test_cluster_sql("analyze harkara.mail_notice");
    }
    assert_int_equal(notice_claim(dispatcher, 60000, arena, &claim, &wait_ms), ERR_NOTHING);
}

static enum err
withdraw_in(struct db_tx *tx, void *ctx)
{
    return notice_withdraw(tx, *(const struct id *)ctx);
}

static void
a_later_one_takes_the_place_of_what_is_about_the_same(void **state UNUSED)
{
    struct notice first = usual(), second = usual(), elsewhere = usual();
    struct notice_claim claim;
    int64_t wait_ms = 0;

    first.about = second.about = id_new(clock_system());
    put(&first);
    put(&elsewhere);
    put(&second);
    assert_int_equal(test_cluster_number("select count(*) from harkara.mail_notice"), 2);
    assert_ok(db_run(gateway, tenant_platform, withdraw_in, &second.about));
    assert_ok(notice_claim(dispatcher, 60000, arena, &claim, &wait_ms));
    assert_true(id_eq(claim.id, elsewhere.id));
    assert_int_equal(notice_claim(dispatcher, 60000, arena, &claim, &wait_ms), ERR_NOTHING);
}

static void
what_is_over_is_not_sent(void **state UNUSED)
{
    struct notice notice = usual();
    struct notice_claim claim;
    int64_t wait_ms = 0;

    notice.expires_at = wall_after_ms(notice.at, -1000);
    put(&notice);
    assert_int_equal(notice_claim(dispatcher, 500, arena, &claim, &wait_ms), ERR_NOTHING);
    assert_int_equal(wait_ms, 500);
}

static void
what_does_not_fit_is_not_sealed(void **state UNUSED)
{
    static char many[NOTICE_TEXT_BYTES_MAX + 1];
    struct notice notice = usual();
    struct notice_sealed sealed;

    memset(many, 'a', sizeof(many));
    notice.detail = slice_of(many, sizeof(many));
    assert_int_equal(notice_seal(&seals, &notice, arena, &sealed), ERR_LIMIT);
    notice.detail = slice_of(many, sizeof(many) - 1);
    assert_ok(notice_seal(&seals, &notice, arena, &sealed));
    notice.by = slice_of("a\0b", 3);
    assert_int_equal(notice_seal(&seals, &notice, arena, &sealed), ERR_CONTRACT);
}

static void
attempts_come_further_apart_and_end_in_time(void **state UNUSED)
{
    int64_t sum_ms = 0, before = 0;

    for (int64_t attempt = 1; attempt < 20; attempt++) {
        int64_t delay_ms = notice_delay_ms(attempt, INT64_MAX);
        assert_true(delay_ms >= before && delay_ms <= 7200000);
        before = delay_ms;
        sum_ms += delay_ms;
    }
    assert_true(sum_ms > NOTICE_DAY_MS / 2);
    assert_int_equal(notice_delay_ms(20, INT64_MAX), 0);
    assert_int_equal(notice_delay_ms(1, 5000), 0);
    assert_int_equal(notice_delay_ms(1, 5001), 5000);
}

static void
a_language_is_the_first_that_is_named(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum notice_language want;
    } rows[] = {
        { "", NOTICE_ENGLISH },
        { "en", NOTICE_ENGLISH },
        { "hi", NOTICE_HINDI },
        { "HI", NOTICE_HINDI },
        { "hi-IN,en;q=0.5", NOTICE_HINDI },
        { "hi;q=0.9", NOTICE_HINDI },
        { "fr", NOTICE_ENGLISH },
        { "en-IN,hi;q=0.9", NOTICE_ENGLISH },
        { "hindi", NOTICE_ENGLISH },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(notice_language_of(slice_text(rows[i].text)), rows[i].want);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_put_is_opened_by_a_dispatcher_alone, emptied),
        cmocka_unit_test_setup(one_is_in_one_hand_at_a_time, emptied),
        cmocka_unit_test_setup(a_claim_takes_one_of_many, emptied),
        cmocka_unit_test_setup(a_later_one_takes_the_place_of_what_is_about_the_same, emptied),
        cmocka_unit_test_setup(what_is_over_is_not_sent, emptied),
        cmocka_unit_test(what_does_not_fit_is_not_sealed),
        cmocka_unit_test(attempts_come_further_apart_and_end_in_time),
        cmocka_unit_test(a_language_is_the_first_that_is_named),
    };

    return cmocka_run_group_tests(tests, group_open, group_close);
}
