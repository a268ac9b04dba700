/* Which master secret is kept, and which goes, against a real database. */
#include "domain/tenant/master_secret.h"
#include "platform/db/test_cluster.h"
#include <stdio.h>

static struct db *admin;
static struct key_operator operator;
static struct master_secret secrets[MASTER_SECRETS_MAX];
static size_t count;

static int
opened(void **state UNUSED)
{
    admin = test_cluster_open("harkara_admin");
    operator=(struct key_operator){ clock_system(), SLICE("a test") };
    test_cluster_sql(
        "delete from harkara.key_action; delete from harkara.kek; delete from harkara.hsm_secret");
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(admin);
    return 0;
}

static void
kek_put(unsigned version, const char *made_of)
{
    char sql[400];

    snprintf(
        sql, sizeof(sql),
        "insert into harkara.kek (version, scrypt_n, scrypt_r, scrypt_p, salt, check_ct, check_iv, check_tag, made_of)"
        " values (%u, 16384, 8, 1, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'),"
        " decode(repeat('00', 12), 'hex'), decode(repeat('00', 16), 'hex'), %s)",
        version, made_of);
    test_cluster_sql(sql);
}

static void
kek_retire_all_below(unsigned version)
{
    char sql[120];

    snprintf(sql, sizeof(sql), "update harkara.kek set retired_at = now() where version < %u", version);
    test_cluster_sql(sql);
}

/* Asked for and stored. */
static uint32_t
secret_put(struct slice token, struct slice key)
{
    struct master_secret secret = { .version = 0 };

    assert_ok(master_secret_ask(admin, token, key, &secret.version));
    memset(secret.cipher, (int)secret.version, sizeof(secret.cipher));
    memset(secret.iv, 0x11, sizeof(secret.iv));
    memset(secret.tag, 0x22, sizeof(secret.tag));
    assert_ok(master_secret_store(admin, &operator, & secret));
    return secret.version;
}

static size_t
remove_some(bool is_left)
{
    size_t removed = 0;

    assert_ok(master_secret_remove(admin, &operator, is_left, &removed));
    assert_ok(master_secrets(admin, secrets, &count));
    return removed;
}

static void
what_a_token_was_asked_for_is_counted_whether_or_not_it_was_stored(void **state UNUSED)
{
    struct master_secret secret = { .version = 9 };

    assert_int_equal(master_secret_store(admin, &operator, & secret), ERR_NOT_FOUND);
    assert_int_equal(secret_put(SLICE("token"), SLICE("one")), 1);
    assert_ok(
        master_secret_ask(admin, SLICE("token"), SLICE("one"), &secret.version)); /* and then it is killed */
    assert_int_equal(secret.version, 2);
    assert_int_equal(secret_put(SLICE("token"), SLICE("one")), 3);
    assert_int_equal(secret_put(SLICE("token"), SLICE("two")), 4);
    secret.version = 3;
    assert_int_equal(master_secret_store(admin, &operator, & secret),
                     ERR_NOT_FOUND); /* stored once and for all */
    assert_ok(master_secrets(admin, secrets, &count));
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(secrets[i].version, i + 1);
        assert_int_equal(secrets[i].state, i == 1 ? MASTER_SECRET_ASKED : MASTER_SECRET_STORED);
        assert_string_equal(secrets[i].token, "token");
        assert_string_equal(secrets[i].key, i == 3 ? "two" : "one");
        assert_int_equal(secrets[i].key_wraps, i == 3 ? 1 : 3);
        assert_int_equal(secrets[i].cipher[0], i == 1 ? 0 : i + 1);
    }
    assert_int_equal(master_secret_newest(secrets, count)->version, 4);
    assert_int_equal(master_secret_newest(secrets, 2)->version, 1);
    assert_null(master_secret_newest(secrets, 0));
    assert_int_equal(
        test_cluster_number("select count(*) from harkara.key_action where action = 'secret_made'"), 3);
}

static void
a_secret_goes_when_no_key_in_use_was_made_of_it_and_the_newest_stays(void **state UNUSED)
{
    for (unsigned i = 1; i <= 3; i++)
        secret_put(SLICE("token"), SLICE("key"));
    kek_put(1, "1");
    kek_put(2, "2");
    assert_int_equal(remove_some(false), 0);
    assert_true(secrets[0].is_needed && secrets[1].is_needed && !secrets[2].is_needed);
    kek_retire_all_below(2);
    assert_int_equal(remove_some(false), 1);
    assert_int_equal(secrets[0].state, MASTER_SECRET_REMOVED);
    assert_int_equal(secrets[0].cipher[0], 0);
    assert_int_equal(secrets[1].state, MASTER_SECRET_STORED);
    assert_int_equal(secrets[2].state, MASTER_SECRET_STORED); /* nothing was made of it yet */
    assert_int_equal(remove_some(false), 0);
    kek_put(3, "3");
    kek_retire_all_below(3);
    assert_int_equal(remove_some(false), 1);
    assert_int_equal(master_secret_newest(secrets, count)->version, 3);
    assert_int_equal(secret_put(SLICE("token"), SLICE("key")), 4); /* a version is not used again */
    assert_int_equal(
        test_cluster_number("select count(*) from harkara.key_action where action = 'secret_removed'"), 2);
}

static void
when_a_key_file_has_taken_over_the_newest_goes_too(void **state UNUSED)
{
    secret_put(SLICE("token"), SLICE("key"));
    kek_put(1, "1");
    kek_put(2, "0");
    assert_int_equal(remove_some(true), 0);
    kek_retire_all_below(2);
    assert_int_equal(remove_some(false), 0);
    assert_int_equal(remove_some(true), 1);
    assert_null(master_secret_newest(secrets, count));
    assert_int_equal(count, 1);
    assert_int_equal(secrets[0].state, MASTER_SECRET_REMOVED);
}

/* Somebody may be storing it just then. */
static void
no_key_is_stored_that_was_made_of_a_removed_secret(void **state UNUSED)
{
    secret_put(SLICE("token"), SLICE("key"));
    assert_int_equal(remove_some(true), 1);
    test_cluster_sql(
        "do $$ begin"
        " insert into harkara.kek (version, scrypt_n, scrypt_r, scrypt_p, salt, check_ct, check_iv, check_tag,"
        "  made_of) select 1, 16384, 8, 1, s, s, substr(s, 1, 12), substr(s, 1, 16), 1"
        "  from decode(repeat('00', 32), 'hex') s;"
        " exception when check_violation then null; end $$");
    assert_int_equal(test_cluster_number("select count(*) from harkara.kek"), 0);
    secret_put(SLICE("token"), SLICE("key"));
    kek_put(1, "2");
}

/* From before it was kept what a key-encryption key was made of, and where a secret is. */
static void
what_is_not_known_keeps_the_first_secret(void **state UNUSED)
{
    test_cluster_sql(
        "insert into harkara.hsm_secret (version, cipher, iv, tag) values (1,"
        " decode(repeat('01', 32), 'hex'), decode(repeat('02', 12), 'hex'), decode(repeat('03', 16), 'hex'))");
    assert_ok(master_secret_adopt(admin, SLICE("token"), SLICE("key")));
    kek_put(1, "null");
    secret_put(SLICE("token"), SLICE("other"));
    kek_put(2, "2");
    assert_ok(master_secret_adopt(admin, SLICE("another"), SLICE("another")));
    assert_int_equal(remove_some(true), 0);
    assert_string_equal(secrets[0].token, "token");
    assert_string_equal(secrets[0].key, "key");
    assert_true(secrets[0].is_needed);
    kek_retire_all_below(2);
    assert_int_equal(remove_some(false), 1);
    assert_int_equal(master_secret_newest(secrets, count)->version, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(what_a_token_was_asked_for_is_counted_whether_or_not_it_was_stored),
             TEST(a_secret_goes_when_no_key_in_use_was_made_of_it_and_the_newest_stays),
             TEST(when_a_key_file_has_taken_over_the_newest_goes_too),
             TEST(no_key_is_stored_that_was_made_of_a_removed_secret),
             TEST(what_is_not_known_keeps_the_first_secret))
