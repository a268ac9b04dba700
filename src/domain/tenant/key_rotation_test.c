/* Keys over time against a real database and a real vault: nothing that was sealed is ever out of reach. */
#include "crypto/encode.h"
#include "domain/tenant/key_rotation.h"
#include "domain/tenant/rekey.h"
#include "domain/tenant/tenant_key.h"
#include "platform/db/test_cluster.h"
#include "program/vault/vault_policy.h"
#include "program/vault/vault_testing.h"
#include <stdio.h>

static struct db *admin, *gateway;
static struct vault_client *admin_client, *gateway_client;
static struct vault vault, sealer;
static struct arena *arena, *work;
static struct key_operator operator;

static int
opened(void **state UNUSED)
{
    admin = test_cluster_open("harkara_admin");
    gateway = test_cluster_open("harkara_gateway");
    vault_testing_start();
    admin_client = vault_testing_client(VAULT_ROLE_ADMIN, 10000);
    gateway_client = vault_testing_client(VAULT_ROLE_GATEWAY, 10000);
    vault = tenant_vault(admin_client, admin);
    sealer = tenant_vault(gateway_client, gateway);
    arena = arena_new(1u << 20);
    work = arena_new(1u << 26);
    operator=(struct key_operator){ clock_system(), SLICE("a test") };
    return 0;
}

static int
closed(void **state UNUSED)
{
    vault_client_free(admin_client);
    vault_client_free(gateway_client);
    vault_testing_stop();
    db_close(admin);
    db_close(gateway);
    arena_free(arena);
    arena_free(work);
    return 0;
}

/* A tenant; and so that each test's vault is the database's, no key-encryption key of an earlier one. */
static struct id
tenant_new(const char *slug)
{
    test_cluster_sql(
        "set session_replication_role = replica; delete from harkara.tenant_key; delete from harkara.kek;"
        " set session_replication_role = origin; delete from harkara.vault_work");
    return vault_testing_tenant(slug);
}

struct stored {
    struct vault_place place;
    enum vault_purpose purpose;
    struct vault_sealed sealed;
};

static struct stored
seal(struct id tenant, enum vault_purpose purpose, const char *table, const char *column, struct id row,
     uint32_t generation, const char *plain)
{
    struct stored stored = { .place = { tenant, table, column, row, generation }, .purpose = purpose };

    assert_ok(vault_seal(&sealer, purpose, &stored.place, slice_text(plain), arena, &stored.sealed));
    return stored;
}

static void
add_hex(struct buf *out, struct slice bytes)
{
    buf_add_text(out, "'\\x");
    encode_hex(out, bytes);
    buf_add_text(out, "'");
}

static void
add_sealed(struct buf *out, const struct vault_sealed *sealed)
{
    add_hex(out, sealed->cipher);
    buf_add_text(out, ", ");
    add_hex(out, slice_of(sealed->iv, sizeof(sealed->iv)));
    buf_add_text(out, ", ");
    add_hex(out, slice_of(sealed->tag, sizeof(sealed->tag)));
}

static void
run(struct buf *sql)
{
    buf_add_byte(sql, '\0');
    assert_ok(buf_done(sql));
    test_cluster_sql(sql->ptr);
    buf_release(sql);
}

/* A medium of `chunks` chunks; all of its values under the key in force. */
static struct id
media_store(struct id tenant, unsigned chunks)
{
    struct id media = id_new(clock_system());
    char uuid[ID_UUID_BYTES], of[ID_UUID_BYTES];
    struct stored name = seal(tenant, VAULT_CONTENT, "media", "file_name", media, 0, "holiday.jpg");
    struct buf sql;

    id_uuid_print(media, uuid);
    id_uuid_print(tenant, of);
    buf_init(&sql, 65536);
    buf_add_format(
        &sql,
        "insert into harkara.media (tenant_id, id, direction, state, mime_type, bytes, chunk_count,"
        " expires_at, key_version, file_name_ct, file_name_iv, file_name_tag)"
        " values ('%s', '%s', 'out', 'ready', 'image/jpeg', 9, %u, now(), %u, ",
        of, uuid, chunks, name.sealed.key_version);
    add_sealed(&sql, &name.sealed);
    buf_add_text(&sql, ");");
    for (unsigned i = 0; i < chunks; i++) {
        struct stored chunk = seal(tenant, VAULT_CONTENT, "media_chunk", "body", media,
                                   i + 1 == chunks ? i | 1u << 31 : i, "bytes of a chunk");
        buf_add_format(
            &sql,
            "insert into harkara.media_chunk (tenant_id, media_id, number, key_version, body_ct, body_iv,"
            " body_tag) values ('%s', '%s', %u, %u, ",
            of, uuid, i, chunk.sealed.key_version);
        add_sealed(&sql, &chunk.sealed);
        buf_add_text(&sql, ");");
    }
    run(&sql);
    return media;
}

/* A channel whose credentials were replaced a few times: generations 3, 1 and 2. */
static struct id
channel_store(struct id tenant)
{
    static const struct {
        const char *column;
        uint32_t generation;
    } rows[] = { { "access_token", 3 }, { "app_secret", 1 }, { "verify_token", 2 } };
    struct id channel = id_new(clock_system());
    char uuid[ID_UUID_BYTES], of[ID_UUID_BYTES];
    struct buf sql;

    id_uuid_print(channel, uuid);
    id_uuid_print(tenant, of);
    buf_init(&sql, 65536);
    buf_add_format(
        &sql,
        "insert into harkara.channel (tenant_id, id, kind, name) values ('%s', '%s', 'whatsapp', 'c');"
        "insert into harkara.whatsapp_channel (tenant_id, channel_id, waba_id, phone_number_id,"
        " display_phone_number",
        of, uuid);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        buf_add_format(&sql, ", %s_ct, %s_iv, %s_tag, %s_key_version, %s_generation", rows[i].column,
                       rows[i].column, rows[i].column, rows[i].column, rows[i].column);
    buf_add_format(&sql, ") values ('%s', '%s', '1', '2', '3'", of, uuid);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stored stored = seal(tenant, VAULT_CREDENTIAL, "whatsapp_channel", rows[i].column, channel,
                                    rows[i].generation, "a credential");
        buf_add_text(&sql, ", ");
        add_sealed(&sql, &stored.sealed);
        buf_add_format(&sql, ", %u, %u", stored.sealed.key_version, rows[i].generation);
    }
    buf_add_text(&sql, ")");
    run(&sql);
    return channel;
}

static size_t
rekey(struct id tenant, enum vault_purpose purpose, uint32_t newest)
{
    static struct rekey_group groups[REKEY_GROUPS_MAX];
    size_t count = 0, total = 0;

    assert_ok(rekey_groups(admin, arena, groups, &count));
    for (size_t g = 0; g < count; g++) {
        struct rekey_cursor cursor = { .is_at_end = groups[g].purpose != purpose };
        while (!cursor.is_at_end) {
            size_t done = 0;
            assert_ok(rekey_step(admin, &vault, tenant, &groups[g], newest, &cursor, work, &done));
            total += done;
        }
    }
    return total;
}

static int64_t
number_of(const char *sql, struct id tenant)
{
    char text[1024], uuid[ID_UUID_BYTES];

    id_uuid_print(tenant, uuid);
    snprintf(text, sizeof(text), "%s '%s'", sql, uuid);
    return test_cluster_number(text);
}

static void
all_values_move_and_only_then_is_the_old_key_destroyed(void **state UNUSED)
{
    struct id tenant = tenant_new("moves");
    uint32_t version = 0;
    int64_t left = 0;

    media_store(tenant, 40);
    channel_store(tenant);
    assert_ok(key_advance(admin, &vault, &operator, tenant, VAULT_CONTENT, &version));
    assert_int_equal(version, 2);
    assert_int_equal(key_destroy(admin, &vault, &operator, tenant, VAULT_CONTENT, 1, 0, &left), ERR_NOTHING);
    assert_int_equal(left, 41);
    assert_int_equal(rekey(tenant, VAULT_CONTENT, 2), 41);
    assert_int_equal(rekey(tenant, VAULT_CONTENT, 2), 0);
    assert_int_equal(key_destroy(admin, &vault, &operator, tenant, VAULT_CONTENT, 1, 3600, &left),
                     ERR_NOTHING);
    assert_int_equal(left, 0); /* but something may be on its way */
    assert_int_equal(key_destroy(admin, &vault, &operator, tenant, VAULT_CONTENT, 2, 0, &left), ERR_NOTHING);
    assert_ok(key_destroy(admin, &vault, &operator, tenant, VAULT_CONTENT, 1, 0, &left));
    assert_int_equal(
        number_of("select count(*) from harkara.tenant_key where purpose = 1 and tenant_id =", tenant), 1);
    assert_int_equal(
        number_of("select count(*) from harkara.media_chunk where key_version = 2 and tenant_id =", tenant),
        40);
    assert_ok(key_advance(admin, &vault, &operator, tenant, VAULT_CONTENT, &version));
    assert_int_equal(rekey(tenant, VAULT_CONTENT, 3), 41); /* each opened at its place once more */
    assert_int_equal(number_of("select count(*) from harkara.key_action where subject =", tenant), 3);
}

static void
credentials_move_with_their_generations(void **state UNUSED)
{
    struct id tenant = tenant_new("credentials");
    uint32_t version = 0;

    channel_store(tenant);
    assert_ok(key_advance(admin, &vault, &operator, tenant, VAULT_CREDENTIAL, &version));
    assert_int_equal(rekey(tenant, VAULT_CREDENTIAL, 2), 3);
    assert_ok(key_advance(admin, &vault, &operator, tenant, VAULT_CREDENTIAL, &version));
    assert_int_equal(rekey(tenant, VAULT_CREDENTIAL, 3), 3);
    assert_int_equal(key_advance(admin, &vault, &operator, tenant, VAULT_INDEX, &version),
                     ERR_VAULT_FORBIDDEN);
}

/* A value that somebody replaced while it was sealed again stays as it is. */
static void
what_was_changed_in_between_is_left_alone(void **state UNUSED)
{
    struct id tenant = tenant_new("between");
    char uuid[ID_UUID_BYTES], sql[1024];

    media_store(tenant, 1);
    id_uuid_print(tenant, uuid);
    snprintf(
        sql, sizeof(sql),
        "select set_config('harkara.tenant', '%s', false); select case when harkara.rekey_write('media_chunk',"
        " media_id, 0, 1, 2, '{body}', array[body_ct], array[body_iv], array[body_tag],"
        " array['\\x000102030405060708090a0b'::bytea]) then 1 else 0 end from harkara.media_chunk",
        uuid);
    test_cluster_sql(sql);
    assert_int_equal(
        number_of("select count(*) from harkara.media_chunk where key_version = 1 and tenant_id =", tenant),
        1);
}

static void
keys_move_under_the_key_in_force_and_old_ones_are_retired(void **state UNUSED)
{
    struct id tenant = tenant_new("rewrap");
    struct kek_version keks[KEK_VERSIONS_MAX];
    size_t count = 0, done = 0;

    test_cluster_sql(
        "insert into harkara.kek (version, scrypt_n, scrypt_r, scrypt_p, salt, check_ct, check_iv,"
        " check_tag) select 9, scrypt_n, scrypt_r, scrypt_p, salt, check_ct, check_iv, check_tag"
        " from harkara.kek where version = 1");
    assert_ok(kek_retire(admin, &vault, &operator, 9, &done));
    assert_int_equal(done, 0); /* it wraps three keys */
    assert_ok(key_rewrap(admin, &vault, tenant, 1, &done));
    assert_int_equal(done, 0); /* they are under it already */
    assert_ok(key_rewrap(admin, &vault, tenant, 9, &done));
    assert_int_equal(done, 3); /* the vault's own is still version 1: under it once more */
    assert_ok(kek_versions(admin, keks, &count));
    assert_int_equal(count, 2);
    assert_int_equal(keks[0].keys, 3);
    assert_int_equal(keks[1].wraps, 3);
    assert_int_equal(test_cluster_number("select count(*) from harkara.kek where retired_at is not null"), 0);
}

static void
a_retired_key_wraps_nothing_new(void **state UNUSED)
{
    struct id tenant = tenant_new("retired");
    uint32_t version = 0;

    test_cluster_sql("update harkara.kek set retired_at = now()");
    assert_int_equal(key_advance(admin, &vault, &operator, tenant, VAULT_CONTENT, &version),
                     ERR_DB_CONSTRAINT);
}

static void
a_shredded_tenant_is_unreadable(void **state UNUSED)
{
    struct id tenant = tenant_new("shred");
    struct stored stored = seal(tenant, VAULT_CONTENT, "message", "content", tenant, 0, "words");
    struct vault_wrapped_key key;
    struct slice plain;
    char uuid[ID_UUID_BYTES], sql[256];

    assert_ok(tenant_key_fetch(admin, tenant, VAULT_CONTENT, 0, &key));
    assert_int_equal(key_shred(admin, &vault, &operator, tenant), ERR_STATE_CONFLICT);
    assert_ok(vault_open_content(&sealer, &stored.place, &stored.sealed, arena, &plain));
    id_uuid_print(tenant, uuid);
    snprintf(sql, sizeof(sql), "update harkara.tenant set state = 'closed' where tenant_id = '%s'", uuid);
    test_cluster_sql(sql);
    assert_ok(key_shred(admin, &vault, &operator, tenant));
    assert_ok(key_shred(admin, &vault, &operator, tenant)); /* as after a kill */
    assert_int_equal(vault_open_content(&sealer, &stored.place, &stored.sealed, arena, &plain),
                     ERR_VAULT_KEY_MISSING);
    assert_int_equal(vault_key_load(&vault, &key, true), ERR_SEAL_CORRUPT); /* who had read it before */
    assert_int_equal(number_of("select count(*) from harkara.tenant_key where tenant_id =", tenant), 0);
    assert_int_equal(
        number_of("select count from harkara.key_action where action = 'shredded' and subject =", tenant), 3);
}

static void
a_work_goes_on_where_it_stood_and_another_begins_anew(void **state UNUSED)
{
    struct key_work work_of = { .kind = "rekey", .scope = SLICE("all") }, again;
    struct db *second = test_cluster_open("harkara_admin");
    bool is_resumed = true;

    tenant_new("work");
    assert_ok(key_work_lock(admin));
    assert_int_equal(key_work_lock(second), ERR_BUSY);
    assert_ok(key_work_begin(admin, &work_of, &is_resumed));
    assert_false(is_resumed);
    work_of.after = id_new(clock_system());
    work_of.done_count = 12;
    assert_ok(key_work_save(admin, &work_of));
    again = (struct key_work){ .kind = "rekey", .scope = SLICE("all") };
    assert_ok(key_work_begin(admin, &again, &is_resumed));
    assert_true(is_resumed && id_eq(again.after, work_of.after) && again.done_count == 12);
    again = (struct key_work){ .kind = "rekey", .scope = SLICE("one") };
    assert_ok(key_work_begin(admin, &again, &is_resumed));
    assert_false(is_resumed);
    assert_ok(key_work_end(admin, &again));
    assert_ok(key_work_begin(admin, &again, &is_resumed));
    assert_false(is_resumed);
    db_close(second);
}

/* The table of sealed columns against the catalogue: a column that is not in it would never be rekeyed, and
 * its key would be destroyed. Add a row to sealed_column in the migration that makes the column. */
static void
every_sealed_column_is_known(void **state UNUSED)
{
    static struct rekey_group groups[REKEY_GROUPS_MAX];
    size_t count = 0;

    assert_int_equal(
        test_cluster_number(
            "select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid"
            " where c.relnamespace = 'harkara'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
            " and not a.attisdropped and a.attname like '%\\_ct' and c.relname not in ('kek', 'tenant_key')"
            " and not exists (select from harkara.sealed_column s where s.relation = c.relname"
            "  and left(a.attname, -3) = any (s.columns))"),
        0);
    assert_ok(rekey_groups(admin, arena, groups, &count));
    assert_true(count >= 11);
    for (size_t g = 0; g < count; g++)
        for (size_t c = 0; c < groups[g].column_count; c++)
            if (!vault_policy_knows(groups[g].purpose, groups[g].table, groups[g].columns[c]))
                fail_msg("the vault knows no %.*s.%.*s", SLICE_FMT(groups[g].table),
                         SLICE_FMT(groups[g].columns[c]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(every_sealed_column_is_known), TEST(all_values_move_and_only_then_is_the_old_key_destroyed),
             TEST(credentials_move_with_their_generations), TEST(what_was_changed_in_between_is_left_alone),
             TEST(keys_move_under_the_key_in_force_and_old_ones_are_retired),
             TEST(a_retired_key_wraps_nothing_new), TEST(a_shredded_tenant_is_unreadable),
             TEST(a_work_goes_on_where_it_stood_and_another_begins_anew))
