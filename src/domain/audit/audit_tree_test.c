/* Sealing, signing, proving and verifying, and a database owner who tries to put things right behind our
 * back. */
#include "domain/audit/audit_export.h"
#include "domain/audit/audit_verify.h"
#include "domain/tenant/tenant_key.h"
#include "program/vault/vault_pair_testing.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINES_MAX 2048u

static struct db *gateway, *scheduler, *admin;
static struct vault_client *gateway_client, *scheduler_client;
static struct vault vault, signer;
static struct arena *arena;
/* An export, line by line. */
static struct buf lines[LINES_MAX];
static size_t line_count;

static int
opened(void **state UNUSED)
{
    test_cluster_sql("truncate audit_entry, audit_unsealed, audit_private, audit_tree, audit_node, audit_key,"
                     " audit_checkpoint");
    gateway = test_cluster_open("harkara_gateway");
    scheduler = test_cluster_open("harkara_scheduler");
    admin = test_cluster_open("harkara_admin");
    gateway_client = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    scheduler_client = vault_testing_client(VAULT_ROLE_SCHEDULER, 5000);
    vault = tenant_vault(gateway_client, gateway);
    signer = tenant_vault(scheduler_client, scheduler);
    arena = arena_new(16u << 20);
    return 0;
}

static void
lines_drop(void)
{
    for (size_t i = 0; i < line_count; i++)
        buf_release(&lines[i]);
    line_count = 0;
}

static int
closed(void **state UNUSED)
{
    lines_drop();
    db_close(gateway);
    db_close(scheduler);
    db_close(admin);
    vault_client_free(gateway_client);
    vault_client_free(scheduler_client);
    arena_free(arena);
    return 0;
}

/* Some acts of one person; every third from an address. */
static void
act(struct id tenant, size_t count)
{
    struct id person = id_new(clock_system());
    struct db_tx tx;

    for (size_t i = 0; i < count; i++) {
        struct audit_act one = { .actor = { .kind = AUDIT_ACTOR_PERSON, .id = person, .session = person },
                                 .action = AUDIT_API_KEY_CREATED,
                                 .object_kind = ID_KEY,
                                 .object = id_new(clock_system()),
                                 .detail = SLICE("{\"name\":\"Shop\"}") };
        if (i % 3 == 0)
            assert_ok(audit_address_add(&one, person, SLICE("2001:db8::7"), arena));
        assert_ok(audit_prepare(&vault, clock_system(), tenant, &one, arena));
        assert_ok(db_begin(gateway, tenant, &tx));
        assert_ok(audit_append(&tx, clock_system(), &one));
        assert_ok(db_commit(&tx));
    }
}

static size_t
seal(struct id tenant)
{
    size_t all = 0, sealed;
    bool has_more = true;

    while (has_more) {
        assert_ok(audit_seal(scheduler, tenant, arena, &sealed, &has_more));
        arena_reset(arena);
        all += sealed;
    }
    return all;
}

static bool
sign(struct id tenant)
{
    bool is_signed = false;

    assert_ok(audit_sign(scheduler, &signer, clock_system(), tenant, arena, &is_signed));
    arena_reset(arena);
    return is_signed;
}

static void
act_and_seal(struct id tenant, size_t count)
{
    act(tenant, count);
    assert_int_equal(seal(tenant), count);
    assert_true(sign(tenant));
}

static struct audit_verdict
verify_with(const struct audit_checkpoint *kept)
{
    struct audit_verdict verdict;

    assert_ok(audit_verify_store(admin, clock_system(), acme, kept, arena, &verdict));
    return verdict;
}

static struct audit_checkpoint
newest_checkpoint(struct id tenant)
{
    struct audit_checkpoint *list, newest;
    struct db_tx tx;
    size_t count;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(audit_checkpoints(&tx, 0, 1, arena, &list, &count));
    db_rollback(&tx);
    assert_true(count >= 1);
    newest = list[0];
    return newest;
}

FORMAT_LIKE(1, 2)
static int64_t
number(const char *format, ...)
{
    char sql[512];
    va_list values;

    va_start(values, format);
    vsnprintf(sql, sizeof(sql), format, values);
    va_end(values);
    return test_cluster_number(sql);
}

static void
assert_fault(struct audit_verdict verdict, enum audit_fault fault, uint64_t place)
{
    assert_string_equal(audit_fault_text(verdict.fault), audit_fault_text(fault));
    assert_int_equal(verdict.place, place);
}

static void
entries_get_their_places_and_are_signed(void **state UNUSED)
{
    struct id waiting[8];
    size_t count;

    assert_ok(audit_waiting(scheduler, waiting, 8, &count));
    assert_int_equal(count, 0);
    act(acme, 7);
    act(bolt, 3);
    assert_ok(audit_waiting(scheduler, waiting, 8, &count));
    assert_int_equal(count, 2);
    assert_int_equal(seal(acme), 7);
    assert_int_equal(seal(acme), 0);
    assert_ok(audit_waiting(scheduler, waiting, 8, &count));
    assert_int_equal(count, 2); /* acme's tree is not signed */
    assert_true(sign(acme));
    assert_false(sign(acme));
    act_and_seal(acme, 4);
    assert_ok(audit_waiting(scheduler, waiting, 8, &count));
    assert_int_equal(count, 1);
    assert_true(id_eq(waiting[0], bolt));
    struct audit_verdict verdict = verify_with(NULL);
    assert_fault(verdict, AUDIT_HOLDS, 0);
    assert_int_equal(verdict.entries, 11);
    assert_int_equal(verdict.checkpoints, 2);
    assert_int_equal(verdict.signed_size, 11);
    assert_int_equal(number("select count(*) from audit_key"), 1);
}

/* Over the bounds of batches and of kept subtrees, by the stored nodes. */
static void
a_place_is_proved_from_what_is_kept(void **state UNUSED)
{
    struct merkle_proof proof;
    struct merkle_hash leaf;
    struct db_tx tx;

    act_and_seal(acme, 300);
    struct audit_checkpoint earlier = newest_checkpoint(acme);
    act_and_seal(acme, 260);
    struct audit_checkpoint newest = newest_checkpoint(acme);
    assert_int_equal(newest.size, 560);
    assert_ok(db_begin(gateway, acme, &tx));
    struct audit_nodes nodes = { &tx, arena };
    struct merkle_source source = { audit_subtree, &nodes };
    for (uint64_t place = 0; place < newest.size; place += 37) {
        assert_ok(audit_subtree(&nodes, 0, place, &leaf));
        assert_ok(merkle_inclusion(&source, place, newest.size, &proof));
        assert_ok(merkle_inclusion_check(&proof, place, newest.size, &leaf, &newest.root));
    }
    assert_ok(merkle_consistency(&source, earlier.size, newest.size, &proof));
    assert_ok(merkle_consistency_check(&proof, earlier.size, newest.size, &earlier.root, &newest.root));
    db_rollback(&tx);
    assert_int_equal(number("select count(*) from audit_node where level = 8"), 2);
    assert_fault(verify_with(&earlier), AUDIT_HOLDS, 0);
}

static void
what_is_found_says_who_and_where(void **state UNUSED)
{
    struct audit_filter any = { .has_since = false };
    struct audit_entry *list, one;
    struct audit_part *parts;
    size_t count, part_count;
    struct db_tx tx;

    act_and_seal(acme, 5);
    act(acme, 1);
    act(bolt, 2);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(audit_list(&tx, &any, 4, arena, &list, &count));
    assert_int_equal(count, 5); /* one more tells of more */
    assert_false(list[0].is_sealed);
    assert_true(list[1].is_sealed);
    assert_int_equal(list[1].place, 4);
    any.cursor = list[3].id;
    any.action = SLICE("api_key.*");
    assert_ok(audit_list(&tx, &any, 100, arena, &list, &count));
    assert_int_equal(count, 2);
    any = (struct audit_filter){ .actor = list[0].actor };
    assert_ok(audit_list(&tx, &any, 100, arena, &list, &count));
    assert_int_equal(count, 5); /* the one who acted once more is another person */
    any = (struct audit_filter){ .object = list[2].object };
    assert_ok(audit_list(&tx, &any, 100, arena, &list, &count));
    assert_int_equal(count, 1);
    any.action = SLICE("session.*");
    assert_ok(audit_list(&tx, &any, 100, arena, &list, &count));
    assert_int_equal(count, 0);
    any = (struct audit_filter){ .has_until = true,
                                 .until = wall_after_ms(clock_wall(clock_system()), -60000) };
    assert_ok(audit_list(&tx, &any, 100, arena, &list, &count));
    assert_int_equal(count, 0);
    any = (struct audit_filter){ .outcome = SLICE("done") };
    assert_ok(audit_list(&tx, &any, 100, arena, &list, &count));
    assert_int_equal(count, 6);
    assert_ok(audit_get(&tx, list[5].id, arena, &one));
    assert_true(slice_eq(one.action, SLICE("api_key.created")));
    assert_int_equal(one.part_count, 1);
    assert_ok(audit_parts(&tx, &one.id, 1, arena, &parts, &part_count));
    assert_int_equal(audit_get(&tx, acme, arena, &one), ERR_NOT_FOUND);
    assert_int_equal(audit_list(&tx, &any, AUDIT_LIST_MAX + 1, arena, &list, &count), ERR_LIMIT);
    db_rollback(&tx);
    assert_int_equal(part_count, 1);
    assert_ok(audit_parts_open(&vault, acme, parts, part_count, arena));
    assert_true(slice_eq(parts[0].text, SLICE("{\"address\":\"2001:db8::7\"}")));
}

static void
an_entry_that_was_changed_is_named(void **state UNUSED)
{
    struct audit_verdict verdict;

    act_and_seal(acme, 9);
    test_cluster_sql(
        "update audit_entry set action = 'api_key.revoked' where id = (select entry_id from audit_node where"
        " level = 0 and index = 5)");
    verdict = verify_with(NULL);
    assert_fault(verdict, AUDIT_FAULT_CHANGED, 5);
    assert_int_equal(
        number("select count(*) from audit_node where index = 5 and level = 0 and right(entry_id::text, 12) ="
               " '%02x%02x%02x%02x%02x%02x'",
               verdict.entry.bytes[10], verdict.entry.bytes[11], verdict.entry.bytes[12],
               verdict.entry.bytes[13], verdict.entry.bytes[14], verdict.entry.bytes[15]),
        1);
}

static void
any_column_that_is_changed_is_noticed(void **state UNUSED)
{
    static const char *const changes[] = { "at = at - interval '1 second'",
                                           "actor_id = gen_random_uuid()",
                                           "session_id = null",
                                           "outcome = 'refused'",
                                           "detail = '{\"name\":\"shop\"}'",
                                           "object_id = gen_random_uuid()",
                                           "object_kind = 'chn_'",
                                           "actor_kind = 'key'",
                                           "actor_name = 'x'",
                                           "subjects = array[gen_random_uuid()]",
                                           "commitments = array[decode(repeat('11', 32), 'hex')]" };

    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        char sql[512];
        test_cluster_sql(
            "truncate audit_entry, audit_unsealed, audit_private, audit_tree, audit_node, audit_key,"
            " audit_checkpoint");
        act_and_seal(acme, 4);
        snprintf(sql, sizeof(sql),
                 "update audit_entry set %s where id = (select entry_id from audit_node where level = 0 and"
                 " index = 3)",
                 changes[i]);
        test_cluster_sql(sql);
        assert_fault(verify_with(NULL), AUDIT_FAULT_CHANGED, 3);
    }
}

static void
an_entry_that_was_removed_is_named(void **state UNUSED)
{
    act_and_seal(acme, 9);
    test_cluster_sql(
        "create temp table gone as select entry_id from audit_node where level = 0 and index = 4;"
        " delete from audit_private where entry_id in (select entry_id from gone);"
        " delete from audit_entry where id in (select entry_id from gone); drop table gone");
    assert_fault(verify_with(NULL), AUDIT_FAULT_REMOVED, 4);
    test_cluster_sql("delete from audit_node where level = 0 and index = 4");
    assert_fault(verify_with(NULL), AUDIT_FAULT_GAP, 4);
}

static void
entries_that_changed_places_are_named(void **state UNUSED)
{
    act_and_seal(acme, 9);
    test_cluster_sql(
        "update audit_node set index = -index - 1 + 200 where level = 0 and index in (2, 6);"
        " update audit_node set index = 6 where index = 197; update audit_node set index = 2 where index = 193");
    assert_fault(verify_with(NULL), AUDIT_FAULT_CHANGED, 2); /* its line says another place */
}

/* Whoever can write everywhere but has no key hashes anew: what was signed tells. */
static void
what_was_hashed_anew_is_not_what_was_signed(void **state UNUSED)
{
    struct audit_checkpoint kept;

    act_and_seal(acme, 3);
    act_and_seal(acme, 3);
    kept = newest_checkpoint(acme);
    test_cluster_sql(
        "update audit_entry set action = 'api_key.revoked' where id = (select entry_id from audit_node where"
        " level = 0 and index = 4); delete from audit_node where index >= 3; insert into audit_unsealed"
        " select tenant_id, id from audit_entry where not exists (select from audit_node n where n.entry_id ="
        " audit_entry.id); update audit_tree set size = 3, signed_size = 3, edge = (select string_agg(root, ''"
        " order by size) from audit_checkpoint where false)::bytea where false");
    /* the edge of three leaves: that of two, and the third */
    test_cluster_sql(
        "update audit_tree set size = 3, signed_size = 3, edge = sha256('\\x01'::bytea || (select hash from"
        " audit_node where index = 0 and level = 0) || (select hash from audit_node where index = 1 and level = 0))"
        " || (select hash from audit_node where index = 2 and level = 0)");
    assert_int_equal(seal(acme), 3);
    assert_fault(verify_with(NULL), AUDIT_FAULT_ROOT, 3);
    /* ... removes the checkpoint that tells, and has ours sign anew: what was kept elsewhere tells. */
    test_cluster_sql("delete from audit_checkpoint where size = 6");
    assert_true(sign(acme));
    assert_fault(verify_with(NULL), AUDIT_HOLDS, 0);
    assert_fault(verify_with(&kept), AUDIT_FAULT_ROOT, 3);
}

static void
a_log_that_was_cut_is_noticed(void **state UNUSED)
{
    struct audit_checkpoint kept;

    act_and_seal(acme, 3);
    act_and_seal(acme, 2);
    kept = newest_checkpoint(acme);
    test_cluster_sql(
        "delete from audit_node where index >= 3; delete from audit_private; delete from audit_entry e where"
        " not exists (select from audit_node n where n.entry_id = e.id)");
    assert_fault(verify_with(NULL), AUDIT_FAULT_CUT, 3);
    test_cluster_sql(
        "delete from audit_checkpoint where size = 5; update audit_tree set signed_size = 3, size = 3");
    assert_fault(verify_with(NULL), AUDIT_HOLDS, 0);
    assert_fault(verify_with(&kept), AUDIT_FAULT_CUT, 3);
}

static void
a_log_without_its_checkpoints_does_not_hold(void **state UNUSED)
{
    act_and_seal(acme, 3);
    act_and_seal(acme, 2);
    test_cluster_sql("delete from audit_checkpoint where size = 5");
    assert_fault(verify_with(NULL), AUDIT_FAULT_UNSIGNED, 3);
    test_cluster_sql("delete from audit_checkpoint");
    assert_fault(verify_with(NULL), AUDIT_FAULT_UNSIGNED, 0);
}

static void
an_entry_behind_our_back_is_noticed(void **state UNUSED)
{
    act_and_seal(acme, 2);
    char sql[512], tenant[ID_UUID_BYTES];
    snprintf(sql, sizeof(sql),
             "insert into audit_entry (tenant_id, id, actor_kind, action, outcome) values ('%.*s',"
             " gen_random_uuid(), 'system', 'tenant.created', 'done')",
             SLICE_FMT(id_uuid_print(acme, tenant)));
    test_cluster_sql(sql);
    assert_fault(verify_with(NULL), AUDIT_FAULT_NO_PLACE, 2);
    test_cluster_sql(
        "insert into audit_unsealed select tenant_id, id from audit_entry where actor_kind = 'system'");
    assert_fault(verify_with(NULL), AUDIT_HOLDS, 0); /* it waits */
    test_cluster_sql("update audit_entry set at = now() - interval '1 hour' where actor_kind = 'system'");
    assert_fault(verify_with(NULL), AUDIT_FAULT_LATE, 2);
}

static void
a_forged_checkpoint_does_not_hold(void **state UNUSED)
{
    act_and_seal(acme, 3);
    act_and_seal(acme, 3);
    test_cluster_sql(
        "update audit_checkpoint set signature = set_byte(signature, 0, get_byte(signature, 0) # 1) where"
        " size = 6");
    assert_fault(verify_with(NULL), AUDIT_FAULT_SIGNATURE, 3);
    test_cluster_sql("update audit_key set public_key = decode(repeat('07', 32), 'hex')");
    assert_fault(verify_with(NULL), AUDIT_FAULT_SIGNATURE, 0);
}

static enum err
line_keep(void *ctx UNUSED, struct slice line)
{
    assert_true(line_count < LINES_MAX);
    buf_init(&lines[line_count], 65536);
    buf_add(&lines[line_count], slice_of(line.ptr, line.len - 1));
    assert_int_equal(line.ptr[line.len - 1], '\n');
    line_count++;
    return ERR_OK;
}

static void
export_all(const struct vault *with)
{
    struct audit_export export = {
        .db = gateway, .tenant = acme, .vault = with, .arena = arena, .write = line_keep
    };

    lines_drop();
    assert_ok(audit_export(&export, NULL));
}

static struct audit_verdict
verify_lines(const unsigned char *pinned)
{
    struct audit_file file;

    audit_file_begin(&file);
    if (pinned != NULL) {
        file.has_pinned = true;
        memcpy(file.pinned, pinned, sizeof(file.pinned));
    }
    for (size_t i = 0; i < line_count; i++)
        assert_ok(audit_file_line(&file, buf_slice(&lines[i])));
    return audit_file_end(&file);
}

/* Which line begins with this. */
static size_t
line_of(const char *begin, size_t skip)
{
    for (size_t i = 0; i < line_count; i++)
        if (slice_starts_with(buf_slice(&lines[i]), slice_text(begin)) && skip-- == 0)
            return i;
    bug("there is no such line");
}

static void
line_drop(size_t at)
{
    struct buf gone = lines[at];

    memmove(&lines[at], &lines[at + 1], (line_count - at - 1) * sizeof(lines[0]));
    lines[--line_count] = gone;
    buf_release(&gone);
}

static void
line_change(size_t at, const char *from, const char *to)
{
    struct slice text = buf_slice(&lines[at]);
    char *found = memmem((char *)(uintptr_t)text.ptr, text.len, from, strlen(from));

    assert_non_null(found);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(found, to, strlen(to));
}

static void
an_export_verifies_far_from_the_database(void **state UNUSED)
{
    struct audit_verdict verdict;
    struct audit_key *keys;
    unsigned char other[VAULT_PUBLIC_KEY_BYTES] = { 1 };
    struct db_tx tx;
    size_t count;

    act_and_seal(acme, 250);
    act_and_seal(acme, 20);
    act(acme, 2); /* without places yet: not part of it */
    export_all(NULL);
    assert_int_equal(line_count, 1 + 270 + 2 + 1);
    verdict = verify_lines(NULL);
    assert_fault(verdict, AUDIT_HOLDS, 0);
    assert_int_equal(verdict.entries, 270);
    assert_int_equal(verdict.checkpoints, 2);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(audit_keys(&tx, arena, &keys, &count));
    db_rollback(&tx);
    assert_int_equal(count, 1);
    assert_fault(verify_lines(keys[0].public_key), AUDIT_HOLDS, 0);
    assert_fault(verify_lines(other), AUDIT_FAULT_KEY, 0);
    export_all(&vault);
    assert_true(line_count > 274);
    assert_fault(verify_lines(NULL), AUDIT_HOLDS, 0);
}

static void
an_export_that_was_touched_says_where(void **state UNUSED)
{
    act_and_seal(acme, 6);
    act_and_seal(acme, 6);
    export_all(&vault);
    line_change(line_of("{\"n\":8", 0), "api_key.created", "api_key.revoked");
    assert_fault(verify_lines(NULL), AUDIT_FAULT_ROOT, 6);
    export_all(&vault);
    line_drop(line_of("{\"n\":7", 0));
    assert_fault(verify_lines(NULL), AUDIT_FAULT_GAP, 7);
    export_all(&vault);
    struct buf kept = lines[line_of("{\"n\":1,", 0)];
    lines[line_of("{\"n\":1,", 0)] = lines[line_of("{\"n\":2,", 0)];
    lines[line_of("{\"n\":2,", 1)] = kept;
    assert_fault(verify_lines(NULL), AUDIT_FAULT_GAP, 1);
    export_all(&vault);
    line_change(line_of("{\"private\"", 0), "2001:db8::7", "2001:db8::8");
    assert_fault(verify_lines(NULL), AUDIT_FAULT_PRIVATE, 0);
    export_all(&vault);
    line_drop(line_count - 1);
    assert_fault(verify_lines(NULL), AUDIT_FAULT_INCOMPLETE, 12);
    export_all(&vault);
    line_drop(line_of("{\"checkpoint\"", 1));
    assert_fault(verify_lines(NULL), AUDIT_FAULT_UNSIGNED, 6);
    export_all(&vault);
    line_change(line_of("{\"checkpoint\"", 0), "\"size\":6", "\"size\":5");
    assert_fault(verify_lines(NULL), AUDIT_FAULT_FORM, 6);
    export_all(&vault);
    line_change(0, "\"version\":1", "\"version\":2");
    assert_fault(verify_lines(NULL), AUDIT_FAULT_FORM, 0);
}

/* What was personal is gone without a trace, and the log holds. */
static void
erasing_what_is_personal_leaves_the_log_as_it_was(void **state UNUSED)
{
    act_and_seal(acme, 6);
    export_all(&vault);
    size_t before = line_count;
    test_cluster_sql("delete from audit_private");
    assert_fault(verify_with(NULL), AUDIT_HOLDS, 0);
    export_all(&vault);
    assert_int_equal(line_count, before - 2);
    assert_fault(verify_lines(NULL), AUDIT_HOLDS, 0);
}

static void
an_empty_log_holds_too(void **state UNUSED)
{
    assert_fault(verify_with(NULL), AUDIT_HOLDS, 0);
    export_all(NULL);
    assert_int_equal(line_count, 2);
    assert_fault(verify_lines(NULL), AUDIT_HOLDS, 0);
    lines_drop();
    assert_fault(verify_lines(NULL), AUDIT_FAULT_INCOMPLETE, 0);
}

static void
whoever_is_not_to_sign_cannot(void **state UNUSED)
{
    bool is_signed;

    act(acme, 1);
    assert_int_equal(seal(acme), 1);
    assert_int_equal(audit_sign(scheduler, &vault, clock_system(), acme, arena, &is_signed),
                     ERR_VAULT_FORBIDDEN);
    assert_int_equal(number("select count(*) from audit_checkpoint"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries_get_their_places_and_are_signed),
        TEST(a_place_is_proved_from_what_is_kept),
        TEST(what_is_found_says_who_and_where),
        TEST(an_entry_that_was_changed_is_named),
        TEST(any_column_that_is_changed_is_noticed),
        TEST(an_entry_that_was_removed_is_named),
        TEST(entries_that_changed_places_are_named),
        TEST(what_was_hashed_anew_is_not_what_was_signed),
        TEST(a_log_that_was_cut_is_noticed),
        TEST(a_log_without_its_checkpoints_does_not_hold),
        TEST(an_entry_behind_our_back_is_noticed),
        TEST(a_forged_checkpoint_does_not_hold),
        TEST(an_export_verifies_far_from_the_database),
        TEST(an_export_that_was_touched_says_where),
        TEST(erasing_what_is_personal_leaves_the_log_as_it_was),
        TEST(an_empty_log_holds_too),
        TEST(whoever_is_not_to_sign_cannot),
    };

    return cmocka_run_group_tests(tests, vault_pair_open, vault_pair_close);
}
