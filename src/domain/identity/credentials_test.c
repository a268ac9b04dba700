/* Passkeys, one-time codes and recovery codes, against a real PostgreSQL and the real vault. */
#include "crypto/totp.h"
#include "domain/identity/passkey.h"
#include "domain/identity/recovery_code.h"
#include "domain/identity/totp.h"
#include "domain/tenant/tenant.h"
#include "domain/tenant/tenant_key.h"
#include "platform/db/test_cluster.h"
#include "program/vault/vault_testing.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

static struct db *db, *other_db;
static struct vault_client *client;
static struct vault vault;
static struct arena *arena;
static const struct wall_time now = { INT64_C(1800000000) * 1000000 };

static int
setup(void **state)
{
    int failed = test_cluster_setup(state);

    if (failed != 0)
        return failed;
    vault_testing_start();
    struct db *admin = test_cluster_open("harkara_admin");
    struct vault_client *maker = vault_testing_client(VAULT_ROLE_ADMIN, 10000);
    (void)vault_testing_tenant("acme"); /* stores the key-encryption key */
    struct vault with = tenant_vault(maker, admin);
    failed = tenant_platform_keys(admin, &with) == ERR_OK ? 0 : -1;
    vault_client_free(maker);
    db_close(admin);
    client = vault_testing_client(VAULT_ROLE_GATEWAY, 10000);
    return failed;
}

static int
teardown(void **state)
{
    vault_client_free(client);
    vault_testing_stop();
    return test_cluster_teardown(state);
}

static int
opened(void **state UNUSED)
{
    db = test_cluster_open("harkara_gateway");
    other_db = test_cluster_open("harkara_gateway");
    vault = tenant_vault(client, db);
    arena = arena_new(1u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    db_close(other_db);
    arena_free(arena);
    return 0;
}

/* A person without a name: nobody asks for it here. */
static struct id
new_person(void)
{
    struct id person = id_new(clock_system());
    char uuid[ID_UUID_BYTES], sql[512];

    id_uuid_print(person, uuid);
    snprintf(sql, sizeof(sql),
             "insert into harkara.person (tenant_id, id, key_version, name_ct, name_iv, name_tag) values"
             " ('00000000-0000-7000-8000-000000000000', '%s', 1, '', decode(repeat('00', 12), 'hex'),"
             " decode(repeat('00', 16), 'hex'))",
             uuid);
    test_cluster_sql(sql);
    return person;
}

static void
begin(struct db_tx *tx)
{
    assert_ok(db_begin(db, tenant_platform, tx));
}

static struct passkey
new_passkey(struct id person, const char *credential)
{
    return (struct passkey){ .id = id_new(clock_system()),
                             .person = person,
                             .credential_id = slice_text(credential),
                             .public_key = SLICE("a key"),
                             .algorithm = -7,
                             .sign_count = 5,
                             .aaguid = SLICE("AAGUID of 16 oct"),
                             .transports = 33,
                             .is_backup_eligible = true,
                             .name = SLICE("Ada's phone"),
                             .created_at = now };
}

static enum err
inserted(const struct passkey *passkey)
{
    struct db_tx tx;

    begin(&tx);
    enum err err = passkey_insert(&tx, passkey);

    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static void
a_passkey_is_found_by_its_credential_and_listed_by_its_person(void **state UNUSED)
{
    struct id person = new_person();
    struct passkey first = new_passkey(person, "first"), second = new_passkey(person, "second"), found, *list;
    size_t count = 0;

    assert_ok(inserted(&first));
    assert_ok(inserted(&second));
    struct db_tx tx;
    begin(&tx);
    assert_ok(passkey_find(&tx, SLICE("first"), arena, &found));
    assert_true(id_eq(found.id, first.id) && id_eq(found.person, person));
    assert_true(slice_eq(found.public_key, first.public_key) && slice_eq(found.aaguid, first.aaguid));
    assert_true(slice_eq(found.name, first.name) && found.created_at.us == now.us);
    assert_int_equal(found.algorithm, -7);
    assert_int_equal(found.sign_count, 5);
    assert_int_equal(found.transports, 33);
    assert_true(found.is_backup_eligible && !found.is_backed_up && !found.was_used);
    assert_int_equal(passkey_find(&tx, SLICE("third"), arena, &found), ERR_NOT_FOUND);
    assert_ok(passkey_list(&tx, person, arena, &list, &count));
    assert_int_equal(count, 2);
    assert_true(id_eq(list[0].id, first.id) && id_eq(list[1].id, second.id));
    assert_ok(passkey_list(&tx, new_person(), arena, &list, &count));
    assert_int_equal(count, 0);
    assert_ok(db_commit(&tx));
}

static void
a_credential_belongs_to_one_person(void **state UNUSED)
{
    struct passkey mine = new_passkey(new_person(), "one of a kind"),
                   theirs = new_passkey(new_person(), "one of a kind");

    assert_ok(inserted(&mine));
    assert_int_equal(inserted(&theirs), ERR_EXISTS);
}

static void
a_person_has_so_many_passkeys_at_most(void **state UNUSED)
{
    struct id person = new_person();
    char name[32];

    for (unsigned i = 0; i <= PASSKEYS_MAX; i++) {
        snprintf(name, sizeof(name), "many %u", i);
        struct passkey passkey = new_passkey(person, name);
        assert_int_equal(inserted(&passkey), i < PASSKEYS_MAX ? ERR_OK : ERR_TOO_MANY);
    }
}

static void
a_counter_only_grows_and_one_of_two_answers_is_taken(void **state UNUSED)
{
    struct passkey passkey = new_passkey(new_person(), "counts"),
                   synced = new_passkey(new_person(), "synced"), found;
    struct db_tx tx, other;

    synced.sign_count = 0;
    assert_ok(inserted(&passkey));
    assert_ok(inserted(&synced));
    begin(&tx);
    assert_ok(passkey_used(&tx, passkey.id, 6, true, now));
    assert_ok(db_commit(&tx));
    assert_ok(db_begin(other_db, tenant_platform, &other)); /* was judged by the same counter, and is late */
    assert_int_equal(passkey_used(&other, passkey.id, 6, true, now), ERR_PASSKEY_REFUSED);
    assert_int_equal(passkey_used(&other, new_person(), 6, true, now), ERR_PASSKEY_REFUSED);
    assert_ok(passkey_used(&other, synced.id, 0, false, now));
    assert_ok(passkey_used(&other, synced.id, 0, false, now));
    assert_ok(passkey_find(&other, SLICE("counts"), arena, &found));
    assert_true(found.sign_count == 6 && found.is_backed_up && found.was_used &&
                found.last_used_at.us == now.us);
    db_rollback(&other);
}

static void
a_passkey_is_named_and_removed_by_its_person_but_the_last_one(void **state UNUSED)
{
    struct id person = new_person();
    struct passkey first = new_passkey(person, "to keep"), second = new_passkey(person, "to remove"), found;

    assert_ok(inserted(&first));
    assert_ok(inserted(&second));
    struct db_tx tx;
    begin(&tx);
    assert_int_equal(passkey_rename(&tx, new_person(), first.id, SLICE("mine now")), ERR_NOT_FOUND);
    assert_ok(passkey_rename(&tx, person, first.id, SLICE("the blue one")));
    assert_ok(passkey_find(&tx, SLICE("to keep"), arena, &found));
    assert_true(slice_eq(found.name, SLICE("the blue one")));
    assert_int_equal(passkey_delete(&tx, new_person(), second.id), ERR_NOT_FOUND);
    assert_ok(passkey_delete(&tx, person, second.id));
    assert_ok(db_commit(&tx));
    begin(&tx);
    assert_int_equal(passkey_delete(&tx, person, first.id), ERR_STATE_CONFLICT);
    db_rollback(&tx);
    begin(&tx);
    assert_ok(passkey_find(&tx, SLICE("to keep"), arena, &found));
    db_rollback(&tx);
}

static void
code_at(const struct secret *secret, struct wall_time t, char out[static TOTP_DIGITS])
{
    assert_ok(totp_code(secret_slice(secret), totp_step(t), out));
}

static void
a_code_confirms_its_secret_and_is_good_once(void **state UNUSED)
{
    struct id person = new_person();
    struct secret *secret = NULL, *late = NULL;
    char code[TOTP_DIGITS], next[TOTP_DIGITS];
    struct totp made, kept, another;
    uint64_t step = 0;

    struct db_tx tx;
    begin(&tx);
    assert_int_equal(totp_read(&tx, person, arena, &kept), ERR_NOT_FOUND);
    assert_ok(db_commit(&tx));
    assert_ok(totp_make(&vault, person, 0, arena, &made, &secret));
    assert_int_equal(secret_len(secret), TOTP_SECRET_BYTES);
    begin(&tx);
    assert_ok(totp_put(&tx, &made, now));
    assert_ok(totp_read(&tx, person, arena, &kept));
    assert_ok(db_commit(&tx));
    assert_false(kept.is_confirmed);

    code_at(secret, now, code);
    assert_int_equal(totp_code_check(&vault, &kept, SLICE("12345"), now, &step), ERR_CODE_REFUSED);
    assert_ok(totp_code_check(&vault, &kept, slice_of(code, sizeof(code)), now, &step));
    assert_true(step == totp_step(now));
    begin(&tx);
    assert_ok(totp_take(&tx, &kept, step, now));
    assert_int_equal(totp_take(&tx, &kept, step, now), ERR_CODE_REFUSED); /* as another who was as fast */
    assert_ok(totp_read(&tx, person, arena, &kept));
    assert_ok(db_commit(&tx));
    assert_true(kept.is_confirmed && kept.confirmed_at.us == now.us && kept.last_step == step);
    assert_int_equal(totp_code_check(&vault, &kept, slice_of(code, sizeof(code)), now, &step),
                     ERR_CODE_REFUSED);
    struct wall_time later = wall_after_ms(now, 30000);
    code_at(secret, later, next);
    assert_ok(totp_code_check(&vault, &kept, slice_of(next, sizeof(next)), later, &step));

    /* One that was confirmed is removed before there is another one. */
    assert_ok(totp_make(&vault, person, kept.generation, arena, &another, &late));
    begin(&tx);
    assert_int_equal(totp_put(&tx, &another, now), ERR_STATE_CONFLICT);
    assert_ok(totp_delete(&tx, person));
    assert_int_equal(totp_delete(&tx, person), ERR_NOT_FOUND);
    assert_ok(db_commit(&tx));
    secret_free(secret);
    secret_free(late);
}

static void
a_secret_that_was_never_confirmed_is_replaced(void **state UNUSED)
{
    struct id person = new_person();
    struct secret *secrets[3] = { NULL };
    struct totp first, second, twice, kept;
    char code[TOTP_DIGITS];
    uint64_t step = 0;

    assert_ok(totp_make(&vault, person, 0, arena, &first, &secrets[0]));
    struct db_tx tx;
    begin(&tx);
    assert_ok(totp_put(&tx, &first, now));
    assert_ok(db_commit(&tx));
    assert_ok(totp_make(&vault, person, first.generation, arena, &second, &secrets[1]));
    assert_ok(totp_make(&vault, person, first.generation, arena, &twice, &secrets[2]));
    begin(&tx);
    assert_ok(totp_put(&tx, &second, now));
    assert_int_equal(totp_put(&tx, &twice, now), ERR_STATE_CONFLICT); /* two at once: one is stored */
    assert_ok(totp_read(&tx, person, arena, &kept));
    assert_ok(db_commit(&tx));
    code_at(secrets[0], now, code);
    assert_int_equal(totp_code_check(&vault, &kept, slice_of(code, sizeof(code)), now, &step),
                     ERR_CODE_REFUSED);
    code_at(secrets[1], now, code);
    assert_ok(totp_code_check(&vault, &kept, slice_of(code, sizeof(code)), now, &step));
    begin(&tx);
    assert_int_equal(totp_take(&tx, &first, step, now), ERR_CODE_REFUSED); /* of another secret */
    db_rollback(&tx);
    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        secret_free(secrets[i]);
}

static void
an_application_is_enrolled_by_an_address(void **state UNUSED)
{
    struct buf uri;

    buf_init(&uri, 500);
    totp_uri(&uri, SLICE("Acme & Co"), SLICE("ada@example.org"), SLICE("12345678901234567890"));
    assert_ok(buf_done(&uri));
    assert_true(slice_eq(
        buf_slice(&uri),
        SLICE("otpauth://totp/Acme%20%26%20Co:ada%40example.org?secret="
              "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20%26%20Co&algorithm=SHA1&digits=6&period=30")));
    buf_release_wiped(&uri);
}

static enum err
taken(struct id person, struct slice text)
{
    struct db_tx tx;

    begin(&tx);
    enum err err = recovery_code_take(&tx, person, text, now);

    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static void
a_recovery_code_is_good_once_however_it_is_typed(void **state UNUSED)
{
    struct id person = new_person(), other = new_person();
    struct recovery_codes codes, newer;
    struct wall_time made_at = { 0 };
    size_t left = 0;

    assert_ok(recovery_codes_make(&codes));
    assert_ok(recovery_codes_make(&newer));
    struct db_tx tx;
    begin(&tx);
    assert_ok(recovery_codes_left(&tx, person, &left, &made_at));
    assert_true(left == 0 && made_at.us == 0);
    assert_ok(recovery_codes_put(&tx, person, &codes, now));
    assert_ok(recovery_codes_left(&tx, person, &left, &made_at));
    assert_true(left == RECOVERY_CODES && made_at.us == now.us);
    assert_ok(db_commit(&tx));

    struct slice first = slice_of(codes.text[0], RECOVERY_CODE_TEXT_BYTES);
    assert_int_equal(taken(other, first), ERR_CODE_REFUSED);
    assert_ok(taken(person, first));
    assert_int_equal(taken(person, first), ERR_CODE_REFUSED);
    char typed[64]; /* as from a sheet of paper: capitals, O for 0, L for 1, no hyphens */
    size_t len = 0;
    typed[len++] = ' ';
    for (size_t i = 0; i < RECOVERY_CODE_TEXT_BYTES; i++) {
        char c = codes.text[1][i];
        c = c == '0' ? 'O' : c == '1' ? 'L' : c;
        if (c != '-')
            typed[len++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    assert_ok(taken(person, slice_of(typed, len)));
    begin(&tx);
    assert_ok(recovery_codes_left(&tx, person, &left, &made_at));
    assert_int_equal(left, RECOVERY_CODES - 2);
    assert_ok(recovery_codes_put(&tx, person, &newer, now));
    assert_ok(db_commit(&tx));
    assert_int_equal(taken(person, slice_of(codes.text[2], RECOVERY_CODE_TEXT_BYTES)), ERR_CODE_REFUSED);
    assert_ok(taken(person, slice_of(newer.text[9], RECOVERY_CODE_TEXT_BYTES)));
    recovery_codes_wipe(&codes);
    recovery_codes_wipe(&newer);
}

struct late {
    struct id person;
    struct slice text;
    enum err err;
};

static void *
take_late(void *ctx)
{
    struct late *late = ctx;
    struct db_tx tx;

    late->err = db_begin(other_db, tenant_platform, &tx);
    if (late->err == ERR_OK)
        late->err = recovery_code_take(&tx, late->person, late->text, now);
    db_rollback(&tx);
    return NULL;
}

/* Both have found it unused; the second one waits for the first one's commit, and gets nothing. */
static void
of_two_that_bring_a_code_at_once_one_is_let_in(void **state UNUSED)
{
    struct recovery_codes codes;
    struct id person = new_person();
    pthread_t thread;
    struct db_tx tx;

    assert_ok(recovery_codes_make(&codes));
    begin(&tx);
    assert_ok(recovery_codes_put(&tx, person, &codes, now));
    assert_ok(db_commit(&tx));
    struct late late = { person, slice_of(codes.text[3], RECOVERY_CODE_TEXT_BYTES), ERR_OK };
    begin(&tx);
    assert_ok(recovery_code_take(&tx, person, late.text, now));
    assert_int_equal(pthread_create(&thread, NULL, take_late, &late), 0);
    while (test_cluster_number(
               "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like"
               " 'UPDATE recovery_code%'") == 0)
        sched_yield();
    assert_ok(db_commit(&tx));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(late.err, ERR_CODE_REFUSED);
    recovery_codes_wipe(&codes);
}

static void
what_is_no_recovery_code_is_refused(void **state UNUSED)
{
    const struct slice rows[] = { SLICE(""),
                                  SLICE("0000-0000-0000-000"),
                                  SLICE("0000-0000-0000-00000"),
                                  SLICE("0000-0000-0000-000u"),
                                  SLICE("0000-0000-0000-000\0"),
                                  SLICE("0000-0000-0000-0000") };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(taken(new_person(), rows[i]), ERR_CODE_REFUSED);
}

static void
codes_are_drawn_each_by_itself_and_kept_only_as_hashes(void **state UNUSED)
{
    struct recovery_codes codes;
    struct id person = new_person();

    assert_ok(recovery_codes_make(&codes));
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        assert_true(codes.text[i][4] == '-' && codes.text[i][9] == '-' && codes.text[i][14] == '-');
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(codes.text[i], codes.text[j], RECOVERY_CODE_TEXT_BYTES);
            assert_memory_not_equal(codes.salt[i], codes.salt[j], RECOVERY_CODE_SALT_BYTES);
        }
    }
    struct db_tx tx;
    begin(&tx);
    assert_ok(recovery_codes_put(&tx, person, &codes, now));
    assert_ok(db_commit(&tx));
    char sql[256];
    snprintf(sql, sizeof(sql),
             "select count(*) from harkara.recovery_code as r where r::text like '%%%.19s%%'", codes.text[0]);
    assert_int_equal(test_cluster_number(sql), 0);
    recovery_codes_wipe(&codes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_passkey_is_found_by_its_credential_and_listed_by_its_person),
        TEST(a_credential_belongs_to_one_person),
        TEST(a_person_has_so_many_passkeys_at_most),
        TEST(a_counter_only_grows_and_one_of_two_answers_is_taken),
        TEST(a_passkey_is_named_and_removed_by_its_person_but_the_last_one),
        TEST(a_code_confirms_its_secret_and_is_good_once),
        TEST(a_secret_that_was_never_confirmed_is_replaced),
        TEST(an_application_is_enrolled_by_an_address),
        TEST(a_recovery_code_is_good_once_however_it_is_typed),
        TEST(of_two_that_bring_a_code_at_once_one_is_let_in),
        TEST(what_is_no_recovery_code_is_refused),
        TEST(codes_are_drawn_each_by_itself_and_kept_only_as_hashes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
