#include "core/unit.h"
#include "platform/net/forwarded.h"

static void
the_client_is_the_first_from_the_right_that_is_no_proxy(void **state UNUSED)
{
    static const struct {
        const char *peer, *list, *client; /* peer NULL: a unix socket */
    } rows[] = {
        /* the proxies are 10.0.0.0/8 and fd00::/8 */
        { "203.0.113.9", "", "203.0.113.9" },
        { "203.0.113.9", "1.1.1.1", "203.0.113.9" }, /* it may say what it likes */
        { "10.0.0.1", "", "10.0.0.1" },
        { "10.0.0.1", "1.1.1.1", "1.1.1.1" },
        { "10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1" },
        { "10.0.0.1", "9.9.9.9,1.1.1.1,10.0.0.2", "1.1.1.1" },
        { "10.0.0.1", "9.9.9.9 , 1.1.1.1 ,\t10.0.0.2, fd00::1 ", "1.1.1.1" },
        { "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3" }, /* proxies all the way: the farthest */
        { "10.0.0.1", "x, 1.1.1.1", "1.1.1.1" },          /* never looked at */
        { "10.0.0.1", "1.1.1.1, x", "" },
        { "10.0.0.1", "1.1.1.1,", "" },
        { "10.0.0.1", "1.1.1.1, unknown", "" },
        { "10.0.0.1", "1.1.1.1, x, 10.0.0.2", "" },
        { "10.0.0.1", "localhost", "" },
        { "10.0.0.1", "1.1.1.1:4711", "1.1.1.1" },
        { "10.0.0.1", "2001:db8::1", "2001:db8::1" },
        { "10.0.0.1", "[2001:db8::1]", "2001:db8::1" },
        { "10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1" },
        { "10.0.0.1", "[2001:db8::1]4711", "" },
        { "10.0.0.1", "[2001:db8::1", "" },
        { "10.0.0.1", "[]", "" },
        { "10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1" },
        { "10.0.0.1", "::ffff:10.0.0.2", "10.0.0.2" },
        { "::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1" },
        { NULL, "", "" },
        { NULL, "1.1.1.1", "1.1.1.1" },
        { NULL, "9.9.9.9, 1.1.1.1", "1.1.1.1" },
        { NULL, "9.9.9.9, 10.0.0.1", "9.9.9.9" },
        { NULL, "x", "" },
    };
    struct forwarded_trust trust = { 0 };

    assert_ok(
        address_ranges_parse(SLICE("10.0.0.0/8, fd00::/8"), trust.ranges, ADDRESS_RANGES_MAX, &trust.count));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sockaddr_storage peer;
        char text[ADDRESS_TEXT_BYTES];
        if (rows[i].peer != NULL)
            assert_ok(address_parse(slice_text(rows[i].peer), &peer));
        struct slice client = forwarded_client(&trust, rows[i].peer == NULL ? NULL : (struct sockaddr *)&peer,
                                               slice_text(rows[i].list), text);
        if (!slice_eq(client, slice_text(rows[i].client)))
            fail_msg("%s behind \"%s\" is not %.*s", rows[i].list,
                     rows[i].peer == NULL ? "unix" : rows[i].peer, SLICE_FMT(client));
    }
}

UNIT_MAIN(cmocka_unit_test(the_client_is_the_first_from_the_right_that_is_no_proxy))
