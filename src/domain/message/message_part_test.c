/* What is owed and kept for SMPP: parts, receipts, and what somebody wrote; against a real PostgreSQL. */
#include "domain/message/message_inbound.h"
#include "domain/message/message_part.h"
#include "domain/message/message_receipt.h"
#include "domain/message/message_testing.h"
#include "platform/db/test_pair.h"
#include <stdio.h>

static struct id channel, key;

static int
opened(void **state UNUSED)
{
    test_pair_open(
        "delete from harkara.smpp_group; delete from harkara.smpp_receipt; delete from harkara.smpp_inbound;"
        " delete from harkara.smpp_account; delete from harkara.sms_channel; delete from harkara.api_key");
    channel = message_testing_channel(acme);
    key = id_new(clock_system());
    return 0;
}

/* A group of two parts, known by this octet. */
static struct message_part_group
group_of(char identity, bool wants_receipt)
{
    struct message_part_group group = {
        .id = id_new(clock_system()), .key = key, .part_count = 2, .wants_receipt = wants_receipt
    };

    memset(group.identity, identity, sizeof(group.identity));
    return group;
}

static struct message_part
part_of(unsigned number)
{
    return (struct message_part){ .number = number,
                                  .id = id_new(clock_system()),
                                  .command = 4,
                                  .pdu = { .key_version = 1, .cipher = SLICE("sealed") } };
}

static enum err
try_keep(struct message_part_group *group, struct message_part part)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    enum err err = message_parts_keep(&tx, group, &part, 1, arena);
    if (err == ERR_OK)
        return db_commit(&tx);
    db_rollback(&tx);
    return err;
}

/* Returns the group's id. */
static struct id
keep(char identity, unsigned number, bool wants_receipt, size_t expected)
{
    struct message_part_group group = group_of(identity, wants_receipt);

    assert_ok(try_keep(&group, part_of(number)));
    assert_int_equal(group.kept_count, expected);
    return group.id;
}

enum step { DONE, DONE_KEPT, FAIL, END };

static void
step(enum step what, struct id group)
{
    struct db_tx tx;
    enum err err = ERR_OK;

    assert_ok(db_begin(gateway, acme, &tx));
    switch (what) {
    case DONE:
    case DONE_KEPT:
        err = message_parts_done(&tx, group, what == DONE_KEPT);
        break;
    case FAIL:
        err = message_parts_fail(&tx, group, 5);
        break;
    case END:
        err = message_parts_end(&tx, group);
        break;
    }
    assert_ok(err);
    assert_ok(db_commit(&tx));
}

static size_t
failed(struct message_part_failed out[static MESSAGE_PART_FAILED_MAX])
{
    size_t count = 0;
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_parts_failed(&tx, key, arena, out, &count));
    db_rollback(&tx);
    return count;
}

static void
parts_of_one_identity_meet(void **state UNUSED)
{
    struct message_part_group group = group_of('a', false);
    struct message_part first = part_of(1);

    assert_ok(try_keep(&group, first));
    struct id id = group.id;
    assert_true(id_eq(keep('a', 2, false, 2), id));
    assert_false(id_eq(keep('b', 2, false, 1), id));
    /* One that is there stays: whoever brings another compares. */
    group = group_of('a', false);
    assert_ok(try_keep(&group, part_of(1)));
    assert_int_equal(group.kept_count, 2);
    assert_true(id_eq(group.parts[0].id, first.id));
    assert_false(group.is_done);
}

static void
another_tenant_has_its_own(void **state UNUSED)
{
    struct message_part_group group = group_of('a', false);
    struct message_part part = part_of(2);
    struct id id = keep('a', 1, false, 1);
    struct db_tx tx;

    assert_ok(db_begin(gateway, bolt, &tx));
    assert_ok(message_parts_keep(&tx, &group, &part, 1, arena));
    assert_int_equal(group.kept_count, 1);
    assert_false(id_eq(group.id, id));
    assert_ok(db_commit(&tx));
}

static void
groups_of_a_key_are_bounded(void **state UNUSED)
{
    char sql[512], text[ID_UUID_BYTES], of[ID_UUID_BYTES];
    struct message_part_group group = group_of('z', false);

    id_uuid_print(acme, of);
    id_uuid_print(key, text);
    snprintf(
        sql, sizeof(sql),
        "insert into harkara.smpp_group (tenant_id, id, key_id, identity, part_count, wants_receipt)"
        " select '%s', gen_random_uuid(), '%s', sha256(n::text::bytea), 2, false from generate_series(1, %u) n",
        of, text, MESSAGE_PART_GROUPS_MAX - 1);
    test_cluster_sql(sql);
    (void)keep('a', 1, false, 1);
    assert_int_equal(try_keep(&group, part_of(1)), ERR_BUSY);
    (void)keep('a', 2, false, 2); /* those that have begun end */
}

static void
a_group_that_is_done_goes_or_is_known_for_a_while(void **state UNUSED)
{
    struct id id = keep('a', 1, true, 1);

    step(DONE, id);
    assert_false(id_eq(keep('a', 1, true, 1), id));
    id = keep('b', 1, true, 1);
    step(DONE_KEPT, id);
    struct message_part_group group = group_of('b', true);
    assert_ok(try_keep(&group, part_of(2)));
    assert_true(group.is_done);
    assert_true(id_eq(group.id, id));
    assert_int_equal(group.kept_count, 1); /* nothing is added any more */
}

static void
a_group_that_fails_waits_for_its_receipt_with_one_part(void **state UNUSED)
{
    struct message_part_failed found[MESSAGE_PART_FAILED_MAX];
    struct id id = keep('a', 2, false, 1), quiet = keep('b', 1, false, 1);

    assert_true(id_eq(keep('a', 1, true, 2), id)); /* any part may want it */
    step(FAIL, id);
    step(FAIL, quiet);
    assert_int_equal(failed(found), 1);
    assert_true(id_eq(found[0].group, id));
    assert_int_equal(found[0].state, 5);
    assert_int_equal(found[0].part.number, 1);
    assert_int_equal(found[0].part.command, 4);
    assert_int_equal(message_testing_count("select count(*) from harkara.smpp_part"), 1);
    assert_false(id_eq(keep('a', 1, true, 1), id)); /* its identity is free again */
    step(DONE, id);
    assert_int_equal(failed(found), 0);
}

static void
what_is_old_ends_as_it_should(void **state UNUSED)
{
    struct message_part_old old[MESSAGE_PART_SWEEP_MAX];
    struct message_part_failed found[MESSAGE_PART_FAILED_MAX];
    struct id alone = keep('a', 1, true, 1), quiet = keep('b', 1, false, 1), done = keep('c', 1, true, 1),
              accepted = keep('d', 1, true, 1), untaken = keep('e', 1, true, 1);
    struct message_new message = message_testing_new(acme, channel, MESSAGE_SERVICE);
    size_t count = 0;

    message.id = accepted; /* by a gateway that died before it could say so */
    (void)message_testing_accept(gateway, &message);
    step(DONE_KEPT, done);
    step(FAIL, untaken);
    assert_ok(message_parts_old(gateway, old, &count));
    assert_int_equal(count, 0);
    test_cluster_sql("update harkara.smpp_group set began_at = now() - interval '301 seconds'");
    (void)keep('f', 1, true, 1); /* young */
    assert_ok(message_parts_old(gateway, old, &count));
    assert_int_equal(count, 4); /* a failed one waits for longer */
    for (size_t i = 0; i < count; i++)
        step(END, old[i].group);
    assert_int_equal(failed(found), 2);
    assert_true(id_eq(found[0].group, alone));
    assert_int_equal(found[0].state, 3);
    (void)quiet;
    assert_int_equal(message_testing_count("select count(*) from harkara.smpp_group"), 3);
    test_cluster_sql(
        "update harkara.smpp_group set ended_at = now() - interval '8 days' where state = 'failed'");
    assert_ok(message_parts_old(gateway, old, &count));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        step(END, old[i].group);
    assert_int_equal(failed(found), 0);
}

static void
a_receipt_is_owed_until_it_was_told(void **state UNUSED)
{
    struct message_new message = message_testing_new(acme, channel, MESSAGE_SERVICE);
    struct message_receipt want = { .key = key, .sender = SLICE("HRKARA"), .sender_ton = 5 },
                           due[MESSAGE_RECEIPTS_MAX];
    struct id tenants[MESSAGE_RECEIPT_TENANTS_MAX];
    size_t count = 9;
    struct db_tx tx;

    want.message = message_testing_accept(gateway, &message);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_receipts_want(&tx, &want, 1, arena));
    assert_ok(message_receipts_want(&tx, &want, 1, arena)); /* once more changes nothing */
    assert_ok(message_receipt_due(&tx, key, arena, due, &count));
    assert_int_equal(count, 0); /* it is on its way */
    assert_ok(db_commit(&tx));
    test_cluster_sql("update harkara.message set status = 'failed', error_code = '034'");
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_receipt_due(&tx, key, arena, due, &count));
    assert_int_equal(count, 1);
    assert_true(id_eq(due[0].message, want.message));
    assert_int_equal(due[0].status, MESSAGE_FAILED);
    assert_true(slice_eq(due[0].error_code, SLICE("034")));
    assert_int_equal(due[0].sender_ton, 5);
    assert_ok(message_receipt_forget(&tx));
    assert_ok(db_commit(&tx));
    assert_ok(message_receipt_stale(gateway, tenants, &count));
    assert_int_equal(count, 0);
    test_cluster_sql("update harkara.smpp_receipt set wanted_at = now() - interval '8 days'");
    assert_ok(message_receipt_stale(gateway, tenants, &count));
    assert_int_equal(count, 1);
    assert_true(id_eq(tenants[0], acme));
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_receipt_forget(&tx));
    assert_ok(db_commit(&tx));
    assert_int_equal(message_testing_count("select count(*) from harkara.smpp_receipt"), 0);
}

/* A key with an account, and these scopes. */
static void
account_of(struct id of, const char *scopes, const char *name)
{
    char sql[1024], tenant[ID_UUID_BYTES], k[ID_UUID_BYTES], c[ID_UUID_BYTES];

    id_uuid_print(acme, tenant);
    id_uuid_print(of, k);
    id_uuid_print(channel, c);
    snprintf(
        sql, sizeof(sql),
        "set search_path = harkara;"
        "insert into api_key (tenant_id, id, name, mode, salt, hash, last_four, scopes) values ('%s', '%s', 'k',"
        " 'live', decode(repeat('00', 16), 'hex'), decode(repeat('00', 32), 'hex'), 'abcd', '%s');"
        "insert into smpp_account (tenant_id, key_id, system_id, channel_id, category, binds_max, cost_n, salt,"
        " verifier) values ('%s', '%s', '%s', '%s', 'otp', 1, 16384, decode(repeat('00', 32), 'hex'),"
        " decode(repeat('00', 32), 'hex'))",
        tenant, k, scopes, tenant, k, name, c);
    test_cluster_sql(sql);
}

static size_t
inbound(struct id of, struct message_inbound out[static MESSAGE_INBOUND_MAX])
{
    size_t count = 0;
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_inbound_due(&tx, of, arena, out, &count));
    db_rollback(&tx);
    return count;
}

static void
what_was_written_is_owed_to_who_may_read_until_all_parts_were_taken(void **state UNUSED)
{
    struct message_inbound due[MESSAGE_INBOUND_MAX];
    struct message_new message = message_testing_new(acme, channel, MESSAGE_SERVICE);
    struct id deaf = id_new(clock_system()), gone = id_new(clock_system());
    const int64_t second[] = { 2 };
    char sql[512], text[ID_UUID_BYTES], of[ID_UUID_BYTES];
    struct db_tx tx;

    account_of(key, "{messages:send,messages:read}", "reads");
    account_of(deaf, "{messages:send}", "deaf");
    account_of(gone, "{messages:read}", "gone");
    id_uuid_print(gone, text);
    snprintf(sql, sizeof(sql), "update harkara.api_key set revoked_at = now() where id = '%s'", text);
    test_cluster_sql(sql);
    id_uuid_print(channel, text);
    id_uuid_print(acme, of);
    snprintf(
        sql, sizeof(sql),
        "insert into harkara.sms_channel (tenant_id, channel_id, sender, sender_kind) values ('%s', '%s', '56161',"
        " 'short-code')",
        of, text);
    test_cluster_sql(sql);
    struct id written = message_testing_accept(gateway, &message);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_inbound_owe(&tx, written));
    assert_ok(message_inbound_owe(&tx, written));
    assert_ok(db_commit(&tx));
    assert_int_equal(inbound(deaf, due), 0);
    assert_int_equal(inbound(gone, due), 0);
    assert_int_equal(inbound(key, due), 1);
    assert_true(id_eq(due[0].message, written));
    assert_true(slice_eq(due[0].sender, SLICE("56161")));
    assert_false(due[0].is_taken[1]);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_inbound_taken(&tx, key, written, second, 1, false));
    assert_ok(db_commit(&tx));
    assert_int_equal(inbound(key, due), 1);
    assert_false(due[0].is_taken[0]);
    assert_true(due[0].is_taken[1]);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(message_inbound_taken(&tx, key, written, NULL, 0, true));
    assert_ok(db_commit(&tx));
    assert_int_equal(inbound(key, due), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)

CLUSTER_MAIN(TEST(parts_of_one_identity_meet), TEST(another_tenant_has_its_own),
             TEST(groups_of_a_key_are_bounded), TEST(a_group_that_is_done_goes_or_is_known_for_a_while),
             TEST(a_group_that_fails_waits_for_its_receipt_with_one_part),
             TEST(what_is_old_ends_as_it_should), TEST(a_receipt_is_owed_until_it_was_told),
             TEST(what_was_written_is_owed_to_who_may_read_until_all_parts_were_taken))
