/* Accounts with links, and who is told what by which. */
#include "core/unit.h"
#include "program/gateway/esme_account.h"
#include "wire/smpp/smpp_status.h"

static struct esme_accounts *accounts;
static struct arena *arena;

static int
opened(void **state UNUSED)
{
    arena = arena_new(8u << 20);
    accounts = arena == NULL ? NULL : arena_alloc(arena, sizeof(*accounts));
    return accounts == NULL;
}

static int
closed(void **state UNUSED)
{
    for (size_t i = 0; i < ESME_ACCOUNTS_MAX; i++)
        esme_batch_free(accounts->places[i].batch);
    arena_free(arena);
    return 0;
}

static struct id
number(unsigned n)
{
    return (struct id){ .bytes = { [0] = (uint8_t)(n >> 8), [15] = (uint8_t)n } };
}

static struct esme_account *
taken(unsigned key, size_t binds_max)
{
    return esme_account_take(accounts, number(1), number(key), binds_max, (struct mono_time){ 0 });
}

/* Receipts 0 to count - 1. */
static struct esme_batch *
batch_of(size_t count)
{
    struct arena *own = arena_new(1u << 20);
    struct esme_batch *batch = own == NULL ? NULL : arena_alloc(own, sizeof(*batch));

    assert_non_null(batch);
    batch->arena = own;
    batch->count = count;
    for (size_t i = 0; i < count; i++)
        batch->owed[i] =
            (struct esme_owed){ .id = number((unsigned)i), .part = 1, .part_count = 1, .body = SLICE("b") };
    return batch;
}

/* Asks what is next by this link: its tag, or -1. */
static int64_t
told(struct esme_account *account, uint64_t link)
{
    struct slice body;
    uint64_t tag = 0;

    if (!esme_account_next(account, link, &body, &tag))
        return -1;
    esme_account_asked(account, link);
    return (int64_t)tag;
}

static void
an_account_has_so_many_links_and_no_more(void **state UNUSED)
{
    struct esme_account *one = taken(1, 2);

    assert_non_null(one);
    assert_ptr_equal(taken(1, 2), one);
    assert_null(taken(1, 2));
    assert_ptr_not_equal(taken(2, 1), one);
    esme_account_leave(one, 7);
    assert_ptr_equal(taken(1, 2), one);
}

static void
places_are_bounded_and_used_again(void **state UNUSED)
{
    struct esme_account *first = taken(0, 1);

    for (unsigned i = 1; i < ESME_ACCOUNTS_MAX; i++)
        assert_non_null(taken(i, 1));
    assert_null(taken(ESME_ACCOUNTS_MAX, 1));
    first->is_asking = true;
    esme_account_leave(first, 1);
    assert_null(taken(ESME_ACCOUNTS_MAX, 1)); /* somebody comes back to it */
    assert_ptr_equal(esme_account_asking(accounts, number(0)), first);
    first->is_asking = false;
    assert_ptr_equal(taken(ESME_ACCOUNTS_MAX, 1), first);
    assert_null(esme_account_asking(accounts, number(0)));
}

static void
what_was_answered_is_taken_and_the_rest_is_not(void **state UNUSED)
{
    struct esme_account *account = taken(1, 2);
    struct esme_batch *batch = batch_of(4);
    int64_t tags[4];

    esme_account_tell(account, batch);
    assert_false(esme_account_is_told(account, true));
    for (size_t i = 0; i < 4; i++)
        tags[i] = told(account, 1 + i % 2);
    assert_int_equal(told(account, 1), -1);
    assert_false(esme_account_is_told(account, true));
    esme_account_answered(account, (uint64_t)tags[0], SMPP_OK, false);
    esme_account_answered(account, (uint64_t)tags[1], SMPP_TEMPORARY_ERROR, false); /* later */
    esme_account_answered(account, (uint64_t)tags[2], SMPP_PERMANENT_ERROR, false); /* never */
    esme_account_lost(account, (uint64_t)tags[3]);
    assert_true(esme_account_is_told(account, true));
    assert_ptr_equal(esme_account_untell(account), batch);
    assert_true(batch->owed[0].is_taken);
    assert_false(batch->owed[1].is_taken);
    assert_true(batch->owed[2].is_taken);
    assert_false(batch->owed[3].is_taken);
    /* Late ones of a batch that is over. */
    esme_account_answered(account, (uint64_t)tags[3], SMPP_OK, true);
    esme_account_tell(account, batch);
    esme_account_answered(account, (uint64_t)tags[3], SMPP_OK, true);
    esme_account_lost(account, (uint64_t)tags[3]);
    assert_false(batch->owed[3].is_taken);
    assert_int_equal(account->waiting, 0);
}

static void
a_late_answer_counts_once(void **state UNUSED)
{
    struct esme_account *account = taken(1, 1);

    esme_account_tell(account, batch_of(2));
    int64_t first = told(account, 1);
    assert_int_equal(told(account, 1), first + 1);
    esme_account_lost(account, (uint64_t)first);
    esme_account_answered(account, (uint64_t)first, SMPP_OK, true);
    assert_int_equal(account->waiting, 1);
    assert_true(account->batch->owed[0].is_taken);
    assert_false(esme_account_is_told(account, true));
}

static void
parts_of_a_text_go_by_one_link(void **state UNUSED)
{
    struct esme_account *account = taken(1, 2);
    struct esme_batch *batch = batch_of(4);

    assert_ptr_equal(taken(1, 2), account);
    for (unsigned i = 0; i < 3; i++)
        batch->owed[i] = (struct esme_owed){
            .kind = ESME_OWED_WRITTEN, .id = number(9), .part = i + 1, .part_count = 3, .body = SLICE("b")
        };
    esme_account_tell(account, batch);
    assert_int_not_equal(told(account, 1), -1);
    assert_int_equal(told(account, 2), -1);
    assert_int_not_equal(told(account, 1), -1);
    esme_account_leave(account, 1); /* the other one goes on, with parts that were told before staying owed */
    assert_int_not_equal(told(account, 2), -1);
    assert_int_not_equal(told(account, 2), -1);
    assert_int_equal(told(account, 2), -1);
}

static void
what_was_taken_before_is_not_told_again(void **state UNUSED)
{
    struct esme_account *account = taken(1, 1);
    struct esme_batch *batch = batch_of(3);

    batch->owed[0].was_taken = batch->owed[2].was_taken = true;
    esme_account_tell(account, batch);
    int64_t tag = told(account, 1);
    assert_int_equal(tag & UINT32_MAX, 1);
    esme_account_answered(account, (uint64_t)tag, SMPP_OK, false);
    assert_true(esme_account_is_told(account, true));
}

static void
without_a_link_that_may_nothing_is_waited_for(void **state UNUSED)
{
    struct esme_account *account = taken(1, 1);

    assert_false(esme_account_is_told(account, false)); /* nothing is being told */
    esme_account_tell(account, batch_of(2));
    int64_t tag = told(account, 1);
    assert_false(esme_account_is_told(account, false)); /* one is out */
    esme_account_lost(account, (uint64_t)tag);
    assert_false(esme_account_is_told(account, true));
    assert_true(esme_account_is_told(account, false));
    esme_account_leave(account, 1);
    assert_null(account->batch); /* given up with the last link */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_account_has_so_many_links_and_no_more, opened, closed),
        cmocka_unit_test_setup_teardown(places_are_bounded_and_used_again, opened, closed),
        cmocka_unit_test_setup_teardown(what_was_answered_is_taken_and_the_rest_is_not, opened, closed),
        cmocka_unit_test_setup_teardown(a_late_answer_counts_once, opened, closed),
        cmocka_unit_test_setup_teardown(parts_of_a_text_go_by_one_link, opened, closed),
        cmocka_unit_test_setup_teardown(what_was_taken_before_is_not_told_again, opened, closed),
        cmocka_unit_test_setup_teardown(without_a_link_that_may_nothing_is_waited_for, opened, closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
