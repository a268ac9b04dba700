/* Who may have how much ahead of its turn. */
#include "core/unit.h"
#include "program/webhooks/delivery_shares.h"

static struct delivery_shares *shares;
static struct id acme, bolt, shop, desk;

static int
opened(void **state UNUSED)
{
    acme = id_new(clock_system());
    bolt = id_new(clock_system());
    shop = id_new(clock_system());
    desk = id_new(clock_system());
    shares = delivery_shares_new(&(struct delivery_shares_config){ .per_endpoint_max = 4 });
    return shares == NULL;
}

static int
closed(void **state UNUSED)
{
    delivery_shares_free(shares);
    return 0;
}

/* All that it gets. */
static size_t
taken(struct id tenant, struct id endpoint)
{
    size_t count = 0;

    while (delivery_shares_take(shares, tenant, endpoint))
        count++;
    return count;
}

static void
an_endpoint_gets_so_much_as_it_answers_in_a_moment(void **state UNUSED)
{
    static const struct {
        bool is_well;
        int32_t latency_ms;
        size_t ahead;
    } rows[] = { { true, 0, DELIVERY_AHEAD_MAX }, { true, 15, DELIVERY_AHEAD_MAX }, { true, 50, 20 },
                 { true, 125, DELIVERY_AHEAD },   { true, 20000, DELIVERY_AHEAD },  { true, 100, 10 },
                 { false, 3, DELIVERY_AHEAD } };

    assert_int_equal(taken(acme, shop), 4 * DELIVERY_AHEAD); /* nothing is known of it */
    for (size_t i = 0; i < 4 * DELIVERY_AHEAD; i++)
        delivery_shares_end(shares, acme, shop);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        delivery_shares_answered(shares, shop, rows[i].is_well, rows[i].latency_ms);
        assert_int_equal(taken(acme, shop), 4 * rows[i].ahead);
        for (size_t k = 0; k < 4 * rows[i].ahead; k++)
            delivery_shares_end(shares, acme, shop);
    }
}

static void
a_tenant_does_not_have_all_places(void **state UNUSED)
{
    size_t of_acme = 0;

    for (int i = 0; i < 50; i++)
        of_acme += taken(acme, id_new(clock_system()));
    assert_int_equal(of_acme, DELIVERY_TENANT_MAX);
    assert_int_equal(taken(bolt, desk), 4 * DELIVERY_AHEAD);
}

static void
what_is_claimed_counts_as_well(void **state UNUSED)
{
    for (size_t i = 0; i < 4 * DELIVERY_AHEAD - 1; i++)
        delivery_shares_add(shares, acme, shop);
    assert_int_equal(taken(acme, shop), 1);
    delivery_shares_end(shares, acme, shop);
    delivery_shares_end(shares, acme, shop);
    assert_int_equal(taken(acme, shop), 2);
}

static void
there_are_so_many_places_in_all(void **state UNUSED)
{
    size_t all = 0;

    for (int i = 0; i < 100; i++)
        all += taken(id_new(clock_system()), id_new(clock_system()));
    assert_int_equal(all, DELIVERY_PLACES_MAX);
}

/* Of whom nothing is out is forgotten, when there are too many; of all others nothing is lost. */
static void
endpoints_come_and_go(void **state UNUSED)
{
    assert_int_equal(taken(acme, shop), 4 * DELIVERY_AHEAD);
    for (int i = 0; i < 50000; i++) {
        struct id tenant = id_new(clock_system()), endpoint = id_new(clock_system());
        assert_true(delivery_shares_take(shares, tenant, endpoint));
        delivery_shares_answered(shares, endpoint, true, 1);
        delivery_shares_end(shares, tenant, endpoint);
    }
    assert_int_equal(taken(acme, shop), 0);
    assert_int_equal(taken(acme, desk), 4 * DELIVERY_AHEAD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
UNIT_MAIN(TEST(an_endpoint_gets_so_much_as_it_answers_in_a_moment), TEST(a_tenant_does_not_have_all_places),
          TEST(what_is_claimed_counts_as_well), TEST(there_are_so_many_places_in_all),
          TEST(endpoints_come_and_go))
