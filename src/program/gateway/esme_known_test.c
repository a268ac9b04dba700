/* What is remembered of SMPP accounts and their senders, and for how long, against a real PostgreSQL. */
#include "domain/identity/authentication.h"
#include "platform/db/test_cluster.h"
#include "program/gateway/esme_known.h"
#include <stdio.h>

static struct db *db;
static struct arena *arena;
static struct esme_known *known;
static struct clock_manual manual;
static struct id acme, channel, other;

static struct id
channel_of(const char *sender)
{
    struct id made = id_new(clock_system());
    char id[ID_UUID_BYTES], tenant[ID_UUID_BYTES], sql[512];

    id_uuid_print(made, id);
    id_uuid_print(acme, tenant);
    (void)snprintf(
        sql, sizeof(sql),
        "insert into harkara.channel (tenant_id, id, kind, name, state) values ('%s', '%s', 'sms', 'C', 'active');"
        " insert into harkara.sms_channel (tenant_id, channel_id, sender, sender_kind) values ('%s', '%s', '%s',"
        " 'alphanumeric')",
        tenant, id, tenant, id, sender);
    test_cluster_sql(sql);
    return made;
}

static int
opened(void **state UNUSED)
{
    if (id_is_zero(acme))
        acme = test_cluster_tenant("acme");
    test_cluster_sql(
        "delete from harkara.smpp_account; delete from harkara.sms_channel; delete from harkara.channel");
    channel = channel_of("HRKARA");
    other = channel_of("ANOTHR");
    clock_manual_init(&manual, clock_wall(clock_system()));
    db = test_cluster_open("harkara_gateway");
    arena = arena_new(1u << 20);
    return esme_known_new(&manual.clock, &known) == ERR_OK ? 0 : -1;
}

static int
closed(void **state UNUSED)
{
    esme_known_free(known);
    db_close(db);
    arena_free(arena);
    return 0;
}

static struct smpp_account
account_made(void)
{
    struct api_key_new with = { .name = SLICE("Sender"), .scopes = UINT64_C(1) << API_SCOPE_MESSAGES_SEND };
    struct secret *text = NULL, *password = NULL;
    struct smpp_account made;
    struct api_key key;
    struct db_tx tx;

    assert_ok(db_begin(db, acme, &tx));
    assert_ok(api_key_create(&tx, &manual.clock, &with, arena, &key, &text));
    assert_ok(smpp_account_put(
        &tx, &(struct smpp_account){ .key = key.id, .channel = channel, .binds_max = 1, .category = "otp" },
        UINT64_MAX, arena, &made, &password));
    assert_ok(db_commit(&tx));
    secret_free(text);
    secret_free(password);
    return made;
}

static enum err
look(const struct smpp_account *account, struct api_principal *principal)
{
    struct smpp_account found;
    enum err err = esme_known_account(known, db, slice_text(account->system_id), &found, principal);

    if (err == ERR_OK)
        assert_int_equal(found.revision, account->revision);
    return err;
}

static void
an_account_is_believed_as_long_as_a_key_and_no_longer(void **state UNUSED)
{
    struct smpp_account account = account_made();
    struct api_principal principal;

    assert_ok(look(&account, &principal));
    assert_true(id_eq(principal.key, account.key) && !principal.is_revoked);
    test_cluster_sql("update harkara.api_key set revoked_at = now()");
    clock_manual_advance(&manual, (AUTHENTICATION_CACHE_MS - 1) * INT64_C(1000));
    assert_ok(look(&account, &principal));
    assert_false(principal.is_revoked);
    clock_manual_advance(&manual, 2000);
    assert_ok(look(&account, &principal));
    assert_true(principal.is_revoked);
    test_cluster_sql("delete from harkara.smpp_account");
    clock_manual_advance(&manual, AUTHENTICATION_CACHE_MS * INT64_C(1000));
    assert_int_equal(look(&account, &principal), ERR_KEY_INVALID);
}

static void
one_that_is_not_there_is_asked_for_each_time(void **state UNUSED)
{
    struct smpp_account account, nobody = { .system_id = "nobody" };
    struct api_principal principal;

    assert_int_equal(look(&nobody, &principal), ERR_KEY_INVALID);
    account = account_made();
    assert_ok(look(&account, &principal));
}

/* Whoever falls into the place of another is never taken for it: of so many, some do. */
static void
nobody_is_taken_for_another(void **state UNUSED)
{
    struct smpp_account accounts[24];
    struct api_principal principal;

    for (size_t i = 0; i < COUNT_OF(accounts); i++)
        accounts[i] = account_made();
    for (size_t i = 0; i < 2 * COUNT_OF(accounts); i++) {
        assert_ok(look(&accounts[i % COUNT_OF(accounts)], &principal));
        assert_true(id_eq(principal.key, accounts[i % COUNT_OF(accounts)].key));
    }
}

static struct id
sender(const struct smpp_account *account, const char *text)
{
    struct id found;

    assert_ok(esme_known_channel(known, db, account, slice_text(text), &found));
    return found;
}

static void
a_sender_is_its_channel_or_the_accounts_own(void **state UNUSED)
{
    struct smpp_account account = account_made(), changed;

    assert_true(id_eq(sender(&account, "anothr"), other));
    assert_true(id_eq(sender(&account, "NOBODY"), channel));
    test_cluster_sql("update harkara.sms_channel set sender = 'RENAMD' where sender = 'ANOTHR'");
    assert_true(id_eq(sender(&account, "anothr"), other));
    changed = account; /* bound anew: nothing that was said of it before counts */
    changed.revision++;
    changed.channel = other;
    assert_true(id_eq(sender(&changed, "NOBODY"), other));
    clock_manual_advance(&manual, AUTHENTICATION_CACHE_MS * INT64_C(1000));
    assert_true(id_eq(sender(&account, "anothr"), channel));
    assert_true(id_eq(sender(&account, "a sender that is longer than any"), channel));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(an_account_is_believed_as_long_as_a_key_and_no_longer),
             TEST(one_that_is_not_there_is_asked_for_each_time), TEST(nobody_is_taken_for_another),
             TEST(a_sender_is_its_channel_or_the_accounts_own))
