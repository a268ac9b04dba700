/* Keys over time: rotated, re-wrapped, forgotten, counted. */
#include "core/secret.h"
#include "core/unit.h"
#include "program/vault/vault_core.h"
#include "program/vault/vault_usage.h"

#define POOL_BYTES (1u << 20)

static const struct vault_core_options options = { .key_capacity = VAULT_SEAL_KEYS_MAX,
                                                   .scrypt_n = KDF_SCRYPT_N_MIN,
                                                   .seals_max = 100 };
static const struct slice old_master = { "a master key of thirty-two bytes", 32 };
static const struct slice new_master = { "A MASTER KEY OF THIRTY-TWO BYTES", 32 };
static const struct id tenant = { { 0xa } }, other = { { 0xb } };

static struct vault_core *core;
static struct vault_kek kek;
static struct vault_wrapped_key keys[3];
static struct vault_request request;
static struct vault_answer answer;
static struct buf frame, answer_bytes;

static enum vault_result
ask(enum vault_role role)
{
    struct vault_outcome outcome;

    buf_clear(&frame);
    vault_request_encode(&frame, &request);
    assert_ok(buf_done(&frame));
    assert_ok(vault_core_handle(core, role, buf_slice(&frame), &answer_bytes, &outcome));
    assert_ok(vault_answer_decode(buf_slice(&answer_bytes), &answer));
    return answer.result;
}

static void
must(enum vault_role role)
{
    assert_int_equal(ask(role), VAULT_RESULT_OK);
}

static enum vault_result
load(const struct vault_wrapped_key *key)
{
    request = (struct vault_request){ .op = VAULT_OP_KEY_LOAD, .key = *key, .is_newest = true };
    return ask(VAULT_ROLE_GATEWAY);
}

static struct vault_frame_place
place_of(const char *column)
{
    return (struct vault_frame_place){
        .tenant = tenant, .table = SLICE("message"), .column = slice_text(column), .row = { { 7 } }
    };
}

struct kept {
    char bytes[64];
    struct vault_sealed sealed;
};

static void
keep(struct kept *kept)
{
    kept->sealed = answer.sealed[0];
    memcpy(kept->bytes, answer.sealed[0].cipher.ptr, answer.sealed[0].cipher.len);
    kept->sealed.cipher.ptr = kept->bytes;
}

static void
seal(struct slice plain, struct kept *kept)
{
    request = (struct vault_request){ .op = VAULT_OP_SEAL, .purpose = VAULT_CONTENT, .item_count = 1 };
    request.items[0].place = place_of("content");
    request.items[0].plain = plain;
    must(VAULT_ROLE_GATEWAY);
    keep(kept);
}

static enum vault_result
open_value(const struct kept *kept)
{
    request = (struct vault_request){
        .op = VAULT_OP_OPEN, .purpose = VAULT_CONTENT, .place = place_of("content"), .sealed = kept->sealed
    };
    return ask(VAULT_ROLE_GATEWAY);
}

static enum vault_result
reseal(enum vault_role role, const char *column, const struct kept *from)
{
    request = (struct vault_request){ .op = VAULT_OP_RESEAL, .purpose = VAULT_CONTENT, .item_count = 1 };
    request.items[0].place = place_of(column);
    request.items[0].sealed = from->sealed;
    return ask(role);
}

static enum err
boot(const struct slice *masters, size_t master_count, const struct vault_kek *keks, size_t count,
     uint32_t make_version, struct vault_booted *booted)
{
    struct vault_boot with = { .master_count = master_count,
                               .kek_count = count,
                               .make_version = make_version };

    for (size_t i = 0; i < master_count; i++)
        with.masters[i] = masters[i];
    for (size_t i = 0; i < count; i++)
        with.keks[i] = keks[i];
    vault_core_free(core);
    core = NULL;
    assert_ok(vault_core_new(&options, &core));
    return vault_core_boot(core, &with, booted);
}

/* A vault with one tenant's keys. */
static int
begin(void **state UNUSED)
{
    struct vault_booted booted;

    assert_ok(boot(&old_master, 1, NULL, 0, 1, &booted));
    kek = booted.made;
    request = (struct vault_request){ .op = VAULT_OP_MAKE_KEYS, .tenant = tenant };
    must(VAULT_ROLE_ADMIN);
    memcpy(keys, answer.keys, sizeof(keys));
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_int_equal(load(&keys[i]), VAULT_RESULT_OK);
    return 0;
}

static int
end(void **state UNUSED)
{
    vault_core_free(core);
    core = NULL;
    return 0;
}

static void
next_key(struct vault_wrapped_key *out)
{
    request = (struct vault_request){
        .op = VAULT_OP_MAKE_KEY, .tenant = tenant, .purpose = VAULT_CONTENT, .version = 2
    };
    must(VAULT_ROLE_ADMIN);
    *out = answer.keys[0];
    assert_int_equal(load(out), VAULT_RESULT_OK);
}

static void
a_value_moves_to_the_newest_version_unseen(void **state UNUSED)
{
    struct vault_wrapped_key second;
    struct kept first, moved;

    seal(SLICE("words that nobody sees"), &first);
    next_key(&second);
    assert_int_equal(reseal(VAULT_ROLE_ADMIN, "content", &first), VAULT_RESULT_OK);
    assert_false(slice_contains(buf_slice(&answer_bytes), SLICE("words")));
    keep(&moved);
    assert_int_equal(moved.sealed.key_version, 2);
    assert_int_equal(open_value(&first), VAULT_RESULT_OK);
    assert_int_equal(open_value(&moved), VAULT_RESULT_OK);
    assert_true(slice_eq(answer.plain, SLICE("words that nobody sees")));
    /* without the old key only the moved one is left */
    request = (struct vault_request){
        .op = VAULT_OP_FORGET, .tenant = tenant, .purpose = VAULT_CONTENT, .version = 1
    };
    must(VAULT_ROLE_ADMIN);
    assert_int_equal(open_value(&moved), VAULT_RESULT_OK);
    assert_int_equal(open_value(&first), VAULT_RESULT_KEY_MISSING);
    assert_int_equal(answer.missing.version, 1);
}

static void
a_reseal_moves_nothing_to_another_place_and_only_the_admin_asks(void **state UNUSED)
{
    struct kept first;

    seal(SLICE("words"), &first);
    for (int role = (int)VAULT_ROLE_GATEWAY; role <= (int)VAULT_ROLE_LAST; role++)
        assert_int_equal(reseal((enum vault_role)role, "content", &first), VAULT_RESULT_FORBIDDEN);
    assert_int_equal(reseal(VAULT_ROLE_ADMIN, "peer", &first), VAULT_RESULT_CORRUPT);
    assert_int_equal(reseal(VAULT_ROLE_ADMIN, "wrapped", &first), VAULT_RESULT_FORBIDDEN);
    request = (struct vault_request){
        .op = VAULT_OP_OPEN, .purpose = VAULT_CONTENT, .place = place_of("content"), .sealed = first.sealed
    };
    assert_int_equal(ask(VAULT_ROLE_ADMIN), VAULT_RESULT_FORBIDDEN);
    first.sealed.key_version = 9;
    assert_int_equal(reseal(VAULT_ROLE_ADMIN, "content", &first), VAULT_RESULT_KEY_MISSING);
}

static void
an_index_key_has_one_version(void **state UNUSED)
{
    request = (struct vault_request){
        .op = VAULT_OP_MAKE_KEY, .tenant = tenant, .purpose = VAULT_INDEX, .version = 2
    };
    assert_int_equal(ask(VAULT_ROLE_ADMIN), VAULT_RESULT_FORBIDDEN);
}

static void
data_keys_move_under_a_key_of_another_master_while_both_are_known(void **state UNUSED)
{
    const struct slice both[] = { old_master, new_master };
    struct vault_boot with = { .masters = { new_master }, .master_count = 1, .make_version = 2 };
    struct vault_kek keks[2] = { kek };
    struct vault_wrapped_key moved;
    struct vault_booted booted;
    struct kept value;

    seal(SLICE("words"), &value);
    assert_ok(vault_core_kek_add(core, &with, &booted));
    assert_true(booted.has_made);
    keks[1] = booted.made;
    request = (struct vault_request){ .op = VAULT_OP_REWRAP, .key = keys[0] };
    must(VAULT_ROLE_ADMIN);
    assert_int_equal(answer.keys[0].kek_version, 1); /* until it is stored */
    assert_int_equal(vault_core_kek_add(core, &with, &booted), ERR_LIMIT);
    assert_ok(vault_core_kek_add(core, &(struct vault_boot){ .kek_count = 0 }, &booted));
    assert_false(booted.has_made);
    request = (struct vault_request){ .op = VAULT_OP_REWRAP, .key = keys[0] };
    must(VAULT_ROLE_ADMIN);
    moved = answer.keys[0];
    assert_int_equal(moved.kek_version, 2);
    assert_int_equal(moved.version, 1);
    request = (struct vault_request){ .op = VAULT_OP_KEK_FORGET, .version = 2 };
    assert_int_equal(ask(VAULT_ROLE_ADMIN), VAULT_RESULT_LIMIT);
    request.version = 1;
    must(VAULT_ROLE_ADMIN);
    assert_int_equal(load(&keys[0]), VAULT_RESULT_CORRUPT);
    assert_int_equal(load(&moved), VAULT_RESULT_OK); /* the same key as is held */
    request = (struct vault_request){ .op = VAULT_OP_FACTS };
    must(VAULT_ROLE_GATEWAY);
    assert_int_equal(answer.kek_count, 1);
    assert_int_equal(answer.keks[0], 2);

    /* In between, a start needs both; afterwards the new one is enough. */
    assert_int_equal(boot(&old_master, 1, keks, 2, 0, &booted), ERR_VAULT_KEK_WRONG);
    assert_int_equal(booted.kek_version, 2);
    assert_int_equal(boot(&new_master, 1, keks, 2, 0, &booted), ERR_VAULT_KEK_WRONG);
    assert_int_equal(booted.kek_version, 1);
    assert_ok(boot(both, 2, keks, 2, 0, &booted));
    assert_int_equal(booted.kek_version, 2);
    assert_ok(boot(&new_master, 1, &keks[1], 1, 0, &booted));
    assert_int_equal(load(&moved), VAULT_RESULT_OK);
    assert_int_equal(open_value(&value), VAULT_RESULT_OK);
    assert_true(slice_eq(answer.plain, SLICE("words")));
}

/* Out of a token, or given: the supervisor says which. */
static void
a_new_key_is_made_of_the_master_key_that_is_named(void **state UNUSED)
{
    const struct slice both[] = { old_master, new_master };
    struct vault_boot with = { .masters = { old_master, new_master }, .master_count = 2, .make_version = 2 };
    struct vault_booted booted;

    for (uint8_t of = 0; of < 2; of++) {
        struct vault_kek keks[2] = { kek };
        assert_ok(boot(both, 2, keks, 1, 0, &booted));
        with.make_of = of;
        assert_ok(vault_core_kek_add(core, &with, &booted));
        keks[1] = booted.made;
        assert_ok(boot(&both[of], 1, &keks[1], 1, 0, &booted));
        assert_int_equal(boot(&both[1 - of], 1, &keks[1], 1, 0, &booted), ERR_VAULT_KEK_WRONG);
    }
    assert_ok(boot(both, 2, &kek, 1, 0, &booted));
    with.make_of = 2;
    assert_int_equal(vault_core_kek_add(core, &with, &booted), ERR_LIMIT);
}

static void
a_key_that_cannot_be_added_changes_nothing(void **state UNUSED)
{
    struct vault_boot with = {
        .masters = { new_master }, .master_count = 1, .keks = { kek }, .kek_count = 1
    };
    struct vault_booted booted;
    size_t used = secret_pool_used();

    assert_int_equal(vault_core_kek_add(core, &with, &booted), ERR_LIMIT); /* version 1 is held */
    with.keks[0].version = 2;
    assert_int_equal(vault_core_kek_add(core, &with, &booted), ERR_VAULT_KEK_WRONG);
    assert_int_equal(booted.result, VAULT_RESULT_KEK_WRONG);
    with =
        (struct vault_boot){ .masters = { new_master }, .master_count = 1, .make_version = 2, .make_n = 2 };
    assert_int_equal(vault_core_kek_add(core, &with, &booted), ERR_LIMIT); /* a cost that is none */
    with = (struct vault_boot){ .make_version = 2 };
    assert_int_equal(vault_core_kek_add(core, &with, &booted), ERR_LIMIT);
    assert_int_equal(secret_pool_used(), used);
    request = (struct vault_request){ .op = VAULT_OP_FACTS };
    must(VAULT_ROLE_ADMIN);
    assert_int_equal(answer.kek_version, 1);
}

/* A peer may have read the wrapped key just before its row was destroyed. */
static void
a_shredded_tenants_keys_are_gone_and_stay_out(void **state UNUSED)
{
    struct vault_wrapped_key others[3];
    struct kept value;

    seal(SLICE("words"), &value);
    request = (struct vault_request){ .op = VAULT_OP_MAKE_KEYS, .tenant = other };
    must(VAULT_ROLE_ADMIN);
    memcpy(others, answer.keys, sizeof(others));
    assert_int_equal(load(&others[0]), VAULT_RESULT_OK);
    request = (struct vault_request){ .op = VAULT_OP_FORGET, .tenant = tenant, .is_whole_tenant = true };
    assert_int_equal(ask(VAULT_ROLE_GATEWAY), VAULT_RESULT_FORBIDDEN);
    must(VAULT_ROLE_ADMIN);
    assert_int_equal(open_value(&value), VAULT_RESULT_KEY_MISSING);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_int_equal(load(&keys[i]), VAULT_RESULT_CORRUPT);
    request = (struct vault_request){ .op = VAULT_OP_FACTS };
    must(VAULT_ROLE_ADMIN);
    assert_int_equal(answer.keys_held, 1); /* the other tenant's */
}

static void
a_key_is_believed_for_its_time(void **state UNUSED)
{
    struct kept value;

    seal(SLICE("words"), &value);
    vault_core_turn(core, (struct mono_time){ (int64_t)VAULT_KEY_BELIEVED_MS * 1000 });
    assert_int_equal(open_value(&value), VAULT_RESULT_OK);
    vault_core_turn(core, (struct mono_time){ (int64_t)VAULT_KEY_BELIEVED_MS * 1000 + 1 });
    assert_int_equal(open_value(&value), VAULT_RESULT_KEY_MISSING);
    assert_int_equal(load(&keys[0]), VAULT_RESULT_OK);
    assert_int_equal(open_value(&value), VAULT_RESULT_OK);
}

/* What the database has counted in earlier lives counts here too. */
static void
a_key_that_has_sealed_enough_seals_no_more(void **state UNUSED)
{
    struct kept value;

    keys[0].seals = options.seals_max - 1;
    assert_int_equal(load(&keys[0]), VAULT_RESULT_OK);
    seal(SLICE("the last"), &value);
    request = (struct vault_request){ .op = VAULT_OP_SEAL, .purpose = VAULT_CONTENT, .item_count = 1 };
    request.items[0].place = place_of("content");
    assert_int_equal(ask(VAULT_ROLE_GATEWAY), VAULT_RESULT_LIMIT);
    assert_int_equal(open_value(&value), VAULT_RESULT_OK);
}

static void
uses_are_told_until_they_are_taken_and_then_no_more(void **state UNUSED)
{
    struct kept value;

    request = (struct vault_request){ .op = VAULT_OP_USAGE };
    assert_int_equal(ask(VAULT_ROLE_ADMIN), VAULT_RESULT_FORBIDDEN);
    must(VAULT_ROLE_SCHEDULER);
    assert_int_equal(answer.batch, 0);
    seal(SLICE("one"), &value);
    seal(SLICE("two"), &value);
    assert_int_equal(open_value(&value), VAULT_RESULT_OK);
    for (int times = 0; times < 2; times++) { /* asked again, it is told again */
        request = (struct vault_request){ .op = VAULT_OP_USAGE };
        must(VAULT_ROLE_SCHEDULER);
        assert_int_equal(answer.batch, 1);
        assert_int_equal(answer.use_count, 1);
        assert_true(id_eq(answer.uses[0].tenant, tenant));
        assert_int_equal(answer.uses[0].purpose, VAULT_CONTENT);
        assert_int_equal(answer.uses[0].version, 1);
        assert_int_equal(answer.uses[0].seals, 2);
        assert_int_equal(answer.uses[0].opens, 1);
    }
    assert_int_equal(open_value(&value), VAULT_RESULT_OK);
    request = (struct vault_request){ .op = VAULT_OP_USAGE, .taken = 1 };
    must(VAULT_ROLE_SCHEDULER);
    assert_int_equal(answer.batch, 2);
    assert_int_equal(answer.uses[0].seals, 0);
    assert_int_equal(answer.uses[0].opens, 1);
    request.taken = 2;
    must(VAULT_ROLE_SCHEDULER);
    assert_int_equal(answer.batch, 0);
    assert_int_equal(answer.use_count, 0);
}

/* Many keys, in several batches: each use comes out once, and what found no room is counted. */
static void
no_use_is_lost_or_told_twice(void **state UNUSED)
{
    static struct vault_use uses[VAULT_USES_MAX];
    struct vault_usage *usage;
    uint64_t seals = 0, opens = 0;
    uint32_t batch = 0;
    size_t count = 0, batches = 0;

    assert_ok(vault_usage_new(600, &usage));
    for (uint32_t version = 1; version <= 601; version++)
        for (int times = 0; times < 3; times++)
            vault_usage_add(usage, tenant, VAULT_CONTENT, version, 1, 2);
    assert_int_equal(vault_usage_uncounted(usage), 9);
    for (;;) {
        vault_usage_batch(usage, batch, &batch, uses, &count);
        if (batch == 0)
            break;
        batches++;
        for (size_t i = 0; i < count; i++) {
            seals += uses[i].seals;
            opens += uses[i].opens;
        }
        if (batches == 1)
            vault_usage_add(usage, other, VAULT_CONTENT, 1, 1, 0); /* while a batch is out */
    }
    assert_int_equal(batches, 3);
    assert_int_equal(seals, 600 * 3 + 1);
    assert_int_equal(opens, 600 * 6);
    vault_usage_free(usage);
}

static int
pool_open(void **state UNUSED)
{
    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    buf_init(&answer_bytes, VAULT_FRAME_BYTES_MAX);
    return secret_pool_open_unlocked(POOL_BYTES) == ERR_OK ? 0 : -1;
}

static int
pool_close(void **state UNUSED)
{
    buf_release(&frame);
    buf_release(&answer_bytes);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_value_moves_to_the_newest_version_unseen, begin, end),
        cmocka_unit_test_setup_teardown(a_reseal_moves_nothing_to_another_place_and_only_the_admin_asks,
                                        begin, end),
        cmocka_unit_test_setup_teardown(an_index_key_has_one_version, begin, end),
        cmocka_unit_test_setup_teardown(data_keys_move_under_a_key_of_another_master_while_both_are_known,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_new_key_is_made_of_the_master_key_that_is_named, begin, end),
        cmocka_unit_test_setup_teardown(a_key_that_cannot_be_added_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_shredded_tenants_keys_are_gone_and_stay_out, begin, end),
        cmocka_unit_test_setup_teardown(a_key_is_believed_for_its_time, begin, end),
        cmocka_unit_test_setup_teardown(a_key_that_has_sealed_enough_seals_no_more, begin, end),
        cmocka_unit_test_setup_teardown(uses_are_told_until_they_are_taken_and_then_no_more, begin, end),
        cmocka_unit_test(no_use_is_lost_or_told_twice),
    };
    return cmocka_run_group_tests(tests, pool_open, pool_close);
}
