#include "core/unit.h"
#include "domain/channel/sms/sms_route.h"

static const struct id any = { { 0 } }, header = { { 1 } }, other = { { 2 } };

static struct sms_route
route(unsigned number, struct id channel, const char *prefix, unsigned priority)
{
    return (struct sms_route){ .id = { { (uint8_t)number } },
                               .channel = channel,
                               .prefix = slice_text(prefix),
                               .connector = { { (uint8_t)(100 + number) } },
                               .priority = priority };
}

static void
assert_chosen(const struct sms_route *routes, size_t count, struct id channel, const char *digits,
              const char *expected)
{
    struct id chosen[SMS_ROUTE_CHOICES];
    char said[SMS_ROUTE_CHOICES + 1] = "";
    size_t n = sms_routes_choose(routes, count, channel, slice_text(digits), chosen);

    for (size_t i = 0; i < n; i++)
        said[i] = (char)('0' + chosen[i].bytes[0] - 100);
    assert_string_equal(said, expected);
}

static void
the_longest_prefix_counts_then_priority_then_age(void **state UNUSED)
{
    const struct sms_route routes[] = { route(1, any, "", 0), route(2, any, "91", 5), route(3, any, "91", 1),
                                        route(4, any, "9198", 9), route(5, any, "91", 1) };

    assert_chosen(routes, 5, header, "14155550123", "1");
    assert_chosen(routes, 5, header, "917012345678", "352");
    assert_chosen(routes, 5, header, "919812345678", "4");
    assert_chosen(routes, 0, header, "919812345678", "");
    assert_chosen(routes + 1, 4, header, "4915112345678", "");
}

static void
a_channels_own_routes_go_before_general_ones(void **state UNUSED)
{
    const struct sms_route routes[] = { route(1, any, "9198", 0), route(2, header, "", 7),
                                        route(3, other, "91", 0) };

    assert_chosen(routes, 3, header, "919812345678", "2");
    assert_chosen(routes, 3, other, "919812345678", "3");
    assert_chosen(routes, 3, other, "447700900123", "");
    assert_chosen(routes, 3, (struct id){ { 9 } }, "919812345678", "1");
}

static void
of_many_the_first_ones_are_kept(void **state UNUSED)
{
    struct sms_route routes[SMS_ROUTE_CHOICES + 1];
    struct id chosen[SMS_ROUTE_CHOICES];

    for (unsigned i = 0; i < COUNT_OF(routes); i++)
        routes[i] = route(1 + i, any, "", (unsigned)COUNT_OF(routes) - i);
    assert_int_equal(sms_routes_choose(routes, COUNT_OF(routes), any, SLICE("1"), chosen), SMS_ROUTE_CHOICES);
    for (size_t i = 0; i < SMS_ROUTE_CHOICES; i++)
        assert_int_equal(chosen[i].bytes[0], 100 + COUNT_OF(routes) - i);
}

UNIT_MAIN(cmocka_unit_test(the_longest_prefix_counts_then_priority_then_age),
          cmocka_unit_test(a_channels_own_routes_go_before_general_ones),
          cmocka_unit_test(of_many_the_first_ones_are_kept))
