/* SMPP accounts of keys: made, verified, changed and refused, against a real PostgreSQL. */
#include "domain/identity/smpp_account.h"
#include "platform/db/test_cluster.h"
#include <stdio.h>

static struct db *db;
static struct arena *arena;
static struct id acme, bolt, channel;
static struct clock_manual manual;
static size_t secrets_before;

static int
opened(void **state UNUSED)
{
    if (id_is_zero(acme)) {
        char text[ID_UUID_BYTES], tenant[ID_UUID_BYTES], sql[512];
        acme = test_cluster_tenant("acme");
        bolt = test_cluster_tenant("bolt");
        channel = id_new(clock_system());
        id_uuid_print(channel, text);
        id_uuid_print(acme, tenant);
        (void)snprintf(sql, sizeof(sql),
                       "insert into harkara.channel (tenant_id, id, kind, name, state) values ('%s', '%s',"
                       " 'sms', 'Header', 'active')",
                       tenant, text);
        test_cluster_sql(sql);
    }
    secrets_before = secret_pool_used();
    clock_manual_init(&manual, clock_wall(clock_system()));
    db = test_cluster_open("harkara_gateway");
    arena = arena_new(1u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    arena_free(arena);
    return secret_pool_used() == secrets_before ? 0 : -1; /* no password stays behind */
}

static struct id
key_of(struct id tenant)
{
    struct api_key_new with = { .name = SLICE("Sender"), .scopes = UINT64_C(1) << API_SCOPE_MESSAGES_SEND };
    struct secret *text = NULL;
    struct api_key key;
    struct db_tx tx;

    assert_ok(db_begin(db, tenant, &tx));
    assert_ok(api_key_create(&tx, &manual.clock, &with, arena, &key, &text));
    assert_ok(db_commit(&tx));
    secret_free(text);
    return key.id;
}

/* The password as text in `out`. */
static enum err
put(struct id tenant, struct id key, uint64_t permissions, struct smpp_account *account, char out[static 16])
{
    struct smpp_account with = { .key = key, .channel = channel, .binds_max = 3, .category = "otp" };
    struct secret *password = NULL;
    struct db_tx tx;

    assert_ok(db_begin(db, tenant, &tx));
    enum err err = smpp_account_put(&tx, &with, permissions, arena, account, &password);
    if (err == ERR_OK) {
        assert_ok(db_commit(&tx));
        assert_int_equal(secret_slice(password).len, SMPP_ACCOUNT_PASSWORD_BYTES);
        (void)snprintf(out, 16, "%.*s", SLICE_FMT(secret_slice(password)));
    }
    db_rollback(&tx);
    secret_free(password);
    return err;
}

static enum err
verify(const char *system_id, const char *password, struct smpp_account *out)
{
    return smpp_account_verify(db, slice_text(system_id), slice_text(password), out);
}

static void
whoever_has_the_password_is_the_key(void **state UNUSED)
{
    struct id key = key_of(acme);
    struct smpp_account made, found;
    char password[16], wrong[16];

    assert_ok(put(acme, key, UINT64_MAX, &made, password));
    assert_ok(verify(made.system_id, password, &found));
    assert_true(id_eq(found.key, key) && id_eq(found.tenant, acme) && id_eq(found.channel, channel));
    assert_string_equal(found.category, "otp");
    assert_int_equal(found.binds_max, 3);
    memcpy(wrong, password, sizeof(wrong));
    wrong[0] ^= 1;
    assert_int_equal(verify(made.system_id, wrong, &found), ERR_KEY_INVALID);
    assert_int_equal(verify(made.system_id, "", &found), ERR_KEY_INVALID);
    assert_int_equal(verify("nobody", password, &found), ERR_KEY_INVALID);
}

static void
another_password_ends_the_one_before(void **state UNUSED)
{
    struct id key = key_of(acme);
    struct smpp_account first, second, found;
    char old[16], new[16];

    assert_ok(put(acme, key, UINT64_MAX, &first, old));
    assert_ok(put(acme, key, UINT64_MAX, &second, new));
    assert_string_equal(first.system_id, second.system_id);
    assert_int_equal(second.revision, first.revision + 1);
    assert_string_not_equal(old, new);
    assert_int_equal(verify(first.system_id, old, &found), ERR_KEY_INVALID);
    assert_ok(verify(first.system_id, new, &found));
}

static void
nobody_gives_more_than_he_has(void **state UNUSED)
{
    struct id key = key_of(acme);
    struct smpp_account account;
    char password[16];
    struct db_tx tx;

    assert_int_equal(put(acme, key, 0, &account, password), ERR_AUTHORITY);
    assert_int_equal(put(bolt, key, UINT64_MAX, &account, password), ERR_NOT_FOUND); /* another's key */
    assert_int_equal(put(bolt, key_of(bolt), UINT64_MAX, &account, password), ERR_CHANNEL_UNKNOWN);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(api_key_revoke(&tx, &manual.clock, key));
    assert_ok(db_commit(&tx));
    assert_int_equal(put(acme, key, UINT64_MAX, &account, password), ERR_STATE_CONFLICT);
}

static void
an_account_that_is_gone_is_nobodys(void **state UNUSED)
{
    struct id key = key_of(acme);
    struct smpp_account made, found;
    char password[16];
    struct db_tx tx;

    assert_ok(put(acme, key, UINT64_MAX, &made, password));
    assert_ok(db_begin(db, bolt, &tx));
    assert_int_equal(smpp_account_get(&tx, key, &found), ERR_NOT_FOUND);
    assert_int_equal(smpp_account_delete(&tx, key), ERR_NOT_FOUND);
    db_rollback(&tx);
    assert_ok(db_begin(db, acme, &tx));
    assert_ok(smpp_account_get(&tx, key, &found));
    assert_ok(smpp_account_delete(&tx, key));
    assert_ok(db_commit(&tx));
    assert_int_equal(verify(made.system_id, password, &found), ERR_KEY_INVALID);
    assert_int_equal(smpp_account_load(db, slice_text(made.system_id), &found), ERR_KEY_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(whoever_has_the_password_is_the_key), TEST(another_password_ends_the_one_before),
             TEST(nobody_gives_more_than_he_has), TEST(an_account_that_is_gone_is_nobodys))
