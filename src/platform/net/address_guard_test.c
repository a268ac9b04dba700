#include "core/unit.h"
#include "platform/net/address_guard.h"
#include <sys/un.h>

static struct sockaddr_storage
address_of(const char *text, uint16_t port)
{
    struct sockaddr_storage address;

    if (address_parse(slice_text(text), &address) != ERR_OK)
        fail_msg("not an address: %s", text);
    address_port_set(&address, port);
    return address;
}

/* An IPv4-mapped address as the system hands it out: of family AF_INET6. */
static struct sockaddr_storage
mapped_of(const char *v4)
{
    struct sockaddr_storage address = address_of(v4, 443), mapped = { 0 };
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&mapped;

    in->sin6_family = AF_INET6;
    in->sin6_port = htons(443);
    in->sin6_addr.s6_addr[10] = in->sin6_addr.s6_addr[11] = 0xFF;
    memcpy(in->sin6_addr.s6_addr + 12, &((struct sockaddr_in *)&address)->sin_addr, 4);
    return mapped;
}

static enum err
judge(const struct address_guard *guard, const char *text)
{
    struct sockaddr_storage address = address_of(text, 443);

    return address_guard_check(guard, (struct sockaddr *)&address);
}

/* Each blocked range by its first and last address, and the neighbours outside it (NULL: blocked for another
 * reason). */
static const struct {
    const char *below, *first, *last, *above;
} edges[] = {
    { NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0" },
    { "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0" },
    { "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0" },
    { "126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0" },
    { "169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0" },
    { "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0" },
    { "191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0" },
    { "192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0" },
    { "192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0" },
    { "192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0" },
    { "198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0" },
    { "198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0" },
    { "203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0" },
    { "223.255.255.255", "224.0.0.0", "239.255.255.255", NULL },
    { NULL, "240.0.0.0", "255.255.255.255", NULL },
    /* IPv6: all but 2000::/3 ... */
    { NULL, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::" },
    { "3fff:1000::", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
    /* ... and what is special in it */
    { "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
      "2001:200::" },
    { "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
      "2001:db9::" },
    { "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "2003::" },
    { "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
      "3fff:1000::" },
};

static void
every_range_that_is_not_public_is_blocked_to_its_edges(void **state UNUSED)
{
    struct address_guard guard;

    assert_ok(address_guard_init(&guard, SLICE("")));
    for (size_t i = 0; i < COUNT_OF(edges); i++) {
        print_message("# %s\n", edges[i].first);
        assert_int_equal(judge(&guard, edges[i].first), ERR_ADDRESS_BLOCKED);
        assert_int_equal(judge(&guard, edges[i].last), ERR_ADDRESS_BLOCKED);
        if (edges[i].below != NULL)
            assert_ok(judge(&guard, edges[i].below));
        if (edges[i].above != NULL)
            assert_ok(judge(&guard, edges[i].above));
        if (strchr(edges[i].first, ':') != NULL)
            continue;
        struct sockaddr_storage mapped = mapped_of(edges[i].last);
        assert_int_equal(address_guard_check(&guard, (struct sockaddr *)&mapped), ERR_ADDRESS_BLOCKED);
    }
    struct sockaddr_storage mapped = mapped_of("8.8.8.8");
    assert_ok(address_guard_check(&guard, (struct sockaddr *)&mapped));
}

/* Names from the two lists that the design rests on: each must fall into a range above. */
static void
known_traps_are_blocked(void **state UNUSED)
{
    static const char *const traps[] = {
        "127.0.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "fd00:ec2::254",
        "::1",
        "::",
        "fe80::1",
        "fec0::1",
        "fc00::",
        "fdff::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "::ffff:0:7f00:1",
        "::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "100::1",
        "5f00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "192.0.0.170",
        "255.255.255.255",
        "2001:db8::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "3fff::1",
    };
    static const char *const open[] = { "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::1",
                                        "192.0.1.1" };
    struct address_guard guard;

    assert_ok(address_guard_init(&guard, SLICE("")));
    for (size_t i = 0; i < COUNT_OF(traps); i++)
        if (judge(&guard, traps[i]) != ERR_ADDRESS_BLOCKED)
            fail_msg("open: %s", traps[i]);
    for (size_t i = 0; i < COUNT_OF(open); i++)
        if (judge(&guard, open[i]) != ERR_OK)
            fail_msg("blocked: %s", open[i]);
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    assert_int_equal(address_guard_check(&guard, (struct sockaddr *)&local), ERR_ADDRESS_BLOCKED);
}

static void
the_operator_may_allow_a_range(void **state UNUSED)
{
    struct address_guard guard;

    assert_ok(address_guard_init(&guard, SLICE("10.1.0.0/16, 127.0.0.1 ,fd00::/8")));
    assert_int_equal(guard.allowed_count, 3);
    guard.ports[0] = 443;
    guard.port_count = 1;
    assert_ok(judge(&guard, "10.1.2.3"));
    assert_ok(judge(&guard, "127.0.0.1"));
    assert_ok(judge(&guard, "fdff::1"));
    assert_ok(judge(&guard, "1.1.1.1"));
    assert_int_equal(judge(&guard, "10.2.0.0"), ERR_ADDRESS_BLOCKED);
    assert_int_equal(judge(&guard, "127.0.0.2"), ERR_ADDRESS_BLOCKED);
    struct sockaddr_storage other = address_of("127.0.0.1", 8080);
    assert_ok(address_guard_check(&guard, (struct sockaddr *)&other)); /* there any port will do */
    other = address_of("1.1.1.1", 8080);
    assert_int_equal(address_guard_check(&guard, (struct sockaddr *)&other), ERR_ADDRESS_BLOCKED);
    other = mapped_of("10.1.0.0");
    assert_true(address_guard_is_allowed(&guard, (struct sockaddr *)&other));
}

static void
own_names_are_refused_with_all_below_them(void **state UNUSED)
{
    static const struct {
        const char *url;
        enum err err;
    } rows[] = {
        { "https://api.example.com/x", ERR_ADDRESS_BLOCKED },
        { "https://API.Example.COM:443/", ERR_ADDRESS_BLOCKED },
        { "https://eu.api.example.com/x", ERR_ADDRESS_BLOCKED },
        { "https://example.com/x", ERR_OK },
        { "https://notapi.example.com/x", ERR_OK },
        { "https://api.example.com.evil.org/x", ERR_OK },
        { "https://api.example.com./x", ERR_URL_INVALID },
        { "https://1.1.1.1/x", ERR_OK },
    };
    struct address_guard guard;

    assert_ok(address_guard_init(&guard, SLICE("")));
    guard.refused[guard.refused_count++] = SLICE("api.example.com");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (address_guard_check_url(&guard, slice_text(rows[i].url)) != rows[i].err)
            fail_msg("%s", rows[i].url);
}

static void
our_own_host_is_refused_and_its_neighbours_are_not(void **state UNUSED)
{
    static const struct {
        const char *own, *url;
        enum err err;
    } rows[] = {
        { "https://api.example.com", "https://api.example.com/x", ERR_ADDRESS_BLOCKED },
        { "https://api.example.com/base", "https://API.example.com:8443/", ERR_ADDRESS_BLOCKED },
        { "https://api.example.com", "https://hooks.api.example.com/x", ERR_OK },
        { "https://api.example.com", "https://example.com/x", ERR_OK },
        { "http://127.0.0.1:8080", "http://127.0.0.1:8080/x", ERR_ADDRESS_BLOCKED },
        { "http://127.0.0.1:8080", "http://127.0.0.1:8081/x", ERR_OK },
        { "http://127.0.0.1:8080", "http://127.0.0.2:8080/x", ERR_OK },
        { "https://[2606:4700::1111]", "https://[2606:4700::1111]/x", ERR_ADDRESS_BLOCKED },
        { "http://localhost:8080", "http://127.0.0.1:8080/x", ERR_OK }, /* another name of it is not known */
    };
    struct address_guard guard;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_ok(address_guard_init(&guard, SLICE("127.0.0.0/8")));
        assert_ok(address_guard_refuse_own(&guard, slice_text(rows[i].own)));
        if (address_guard_check_url(&guard, slice_text(rows[i].url)) != rows[i].err)
            fail_msg("%s", rows[i].url);
    }
    assert_int_equal(address_guard_refuse_own(&guard, SLICE("api.example.com")), ERR_CONFIG);
    assert_int_equal(address_guard_refuse_own(&guard, SLICE("https://")), ERR_CONFIG);
}

static void
ranges_are_canonical(void **state UNUSED)
{
    static const char *const good[] = { "0.0.0.0/0",     "10.0.0.0/8", "1.2.3.4", "1.2.3.4/32", "::/0",
                                        "2001:db8::/32", "::1",        "::1/128", "128.0.0.0/1" };
    static const char *const bad[] = { "",
                                       "10.0.0.1/8",
                                       "10.0.0.0/33",
                                       "10.0.0.0/",
                                       "10.0.0.0/-1",
                                       "10.0.0.0/08x",
                                       "10/8",
                                       "10.0.0/24",
                                       "010.0.0.0/8",
                                       "0x0a.0.0.0/8",
                                       "2001:db8::1/32",
                                       "::/129",
                                       "::ffff:10.0.0.0/104",
                                       "fe80::1%eth0",
                                       "a.example",
                                       "1.2.3.4/32/1",
                                       " 1.2.3.4",
                                       "[::1]" };
    struct address_range range;
    struct address_guard guard;

    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (address_range_parse(slice_text(good[i]), &range) != ERR_OK)
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (address_range_parse(slice_text(bad[i]), &range) != ERR_CONFIG)
            fail_msg("taken: %s", bad[i]);
    assert_ok(address_guard_init(&guard, SLICE("  ")));
    assert_int_equal(guard.allowed_count, 0);
    assert_int_equal(address_guard_init(&guard, SLICE("10.0.0.0/8,,::1")), ERR_CONFIG);
    assert_int_equal(address_guard_init(&guard, SLICE("10.0.0.0/8 ::1")), ERR_CONFIG);
    char many[(ADDRESS_RANGES_MAX + 1) * 8];
    for (size_t i = 0; i <= ADDRESS_RANGES_MAX; i++)
        memcpy(many + 8 * i, "1.2.3.4,", 8);
    assert_ok(address_guard_init(&guard, slice_of(many, ADDRESS_RANGES_MAX * 8 - 1)));
    assert_int_equal(address_guard_init(&guard, slice_of(many, sizeof(many) - 1)), ERR_CONFIG);
}

static void
a_url_is_judged_before_its_name_is_resolved(void **state UNUSED)
{
    static const struct {
        const char *url;
        enum err err;
    } rows[] = {
        { "https://example.com", ERR_OK },
        { "https://example.com/a/b?c=d&e=%20@:", ERR_OK },
        { "https://example.com?x", ERR_OK },
        { "HTTPS://Example.COM/", ERR_OK },
        { "https://example.com:8443/", ERR_OK },
        { "https://xn--bcher-kva.example/", ERR_OK },
        { "https://1.1.1.1/", ERR_OK },
        { "https://[2606:4700:4700::1111]/", ERR_OK },
        { "https://1e100.net/", ERR_OK },
        { "https://a.3com/", ERR_OK },
        { "http://10.1.2.3:9999/", ERR_OK }, /* allowed below, on any port and in the clear */
        { "https://10.1.2.3:1/", ERR_OK },
        { "http://[fd00::1]/", ERR_OK },
        /* not this address, not this port */
        { "https://127.0.0.1/", ERR_ADDRESS_BLOCKED },
        { "https://169.254.169.254/latest/meta-data", ERR_ADDRESS_BLOCKED },
        { "https://[::1]/", ERR_ADDRESS_BLOCKED },
        { "https://[64:ff9b::7f00:1]/", ERR_ADDRESS_BLOCKED },
        { "https://10.2.0.1/", ERR_ADDRESS_BLOCKED },
        { "https://example.com:80/", ERR_ADDRESS_BLOCKED },
        { "https://example.com:22/", ERR_ADDRESS_BLOCKED },
        { "https://1.1.1.1:8080/", ERR_ADDRESS_BLOCKED },
        /* in the clear */
        { "http://example.com/", ERR_URL_INVALID },
        { "http://1.1.1.1/", ERR_URL_INVALID },
        { "http://127.0.0.1/", ERR_URL_INVALID },
        /* not a URL that everybody reads alike */
        { "", ERR_URL_INVALID },
        { "https://", ERR_URL_INVALID },
        { "https:///x", ERR_URL_INVALID },
        { "https:/example.com", ERR_URL_INVALID },
        { "https:example.com", ERR_URL_INVALID },
        { "//example.com", ERR_URL_INVALID },
        { "ftp://example.com/", ERR_URL_INVALID },
        { "file:///etc/passwd", ERR_URL_INVALID },
        { "gopher://example.com/", ERR_URL_INVALID },
        { "javascript:alert(1)", ERR_URL_INVALID },
        { "https://user@example.com/", ERR_URL_INVALID },
        { "https://user:pw@example.com/", ERR_URL_INVALID },
        { "https://example.com@127.0.0.1/", ERR_URL_INVALID },
        { "https://example.com:443@127.0.0.1/", ERR_URL_INVALID },
        { "https://example.com#x", ERR_URL_INVALID },
        { "https://example.com/#x", ERR_URL_INVALID },
        { "https://example.com\\@127.0.0.1/", ERR_URL_INVALID },
        { "https://example.com/\\x", ERR_URL_INVALID },
        { "https://example.com/ x", ERR_URL_INVALID },
        { " https://example.com/", ERR_URL_INVALID },
        { "https://example.com/\r\nX: y", ERR_URL_INVALID },
        { "https://example.com/\t", ERR_URL_INVALID },
        { "https://ex\303\244mple.com/", ERR_URL_INVALID },
        { "https://example.com/\303\244", ERR_URL_INVALID },
        { "https://localhost/", ERR_URL_INVALID },
        { "https://example/", ERR_URL_INVALID },
        { "https://example.com./", ERR_URL_INVALID },
        { "https://.example.com/", ERR_URL_INVALID },
        { "https://example..com/", ERR_URL_INVALID },
        { "https://-a.example/", ERR_URL_INVALID },
        { "https://a-.example/", ERR_URL_INVALID },
        { "https://a_b.example/", ERR_URL_INVALID },
        { "https://%65xample.com/", ERR_URL_INVALID },
        { "https://2130706433/", ERR_URL_INVALID },
        { "https://0x7f000001/", ERR_URL_INVALID },
        { "https://0x7f.0.0.1/", ERR_URL_INVALID },
        { "https://127.0.0.0x1/", ERR_URL_INVALID },
        { "https://0177.0.0.1/", ERR_URL_INVALID },
        { "https://127.1/", ERR_URL_INVALID },
        { "https://127.0.0.1./", ERR_URL_INVALID },
        { "https://127.0.0.01/", ERR_URL_INVALID },
        { "https://1.1.1.256/", ERR_URL_INVALID },
        { "https://a.1/", ERR_URL_INVALID },
        { "https://[::1", ERR_URL_INVALID },
        { "https://[::1]x/", ERR_URL_INVALID },
        { "https://[]/", ERR_URL_INVALID },
        { "https://[fe80::1%25eth0]/", ERR_URL_INVALID },
        { "https://[::FFFF:1.1.1.1]/", ERR_URL_INVALID },
        { "https://[::ffff:1.1.1.1]/", ERR_URL_INVALID },
        { "https://[2606:4700:4700:0:0:0:0:1111]/", ERR_URL_INVALID },
        { "https://[2606:4700:4700::1111]:0443/", ERR_URL_INVALID },
        { "https://[1.1.1.1]/", ERR_URL_INVALID },
        { "https://2606:4700:4700::1111/", ERR_URL_INVALID },
        { "https://example.com:/", ERR_URL_INVALID },
        { "https://example.com:0/", ERR_URL_INVALID },
        { "https://example.com:65536/", ERR_URL_INVALID },
        { "https://example.com:0443/", ERR_URL_INVALID },
        { "https://example.com:+443/", ERR_URL_INVALID },
        { "https://example.com:443x/", ERR_URL_INVALID },
    };
    struct address_guard guard;
    char text[ADDRESS_URL_BYTES_MAX + 2] = "https://example.com/";

    assert_ok(address_guard_init(&guard, SLICE("10.1.0.0/16,fd00::/8")));
    guard.ports[0] = 443;
    guard.ports[1] = 8443;
    guard.port_count = 2;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (address_guard_check_url(&guard, slice_text(rows[i].url)) != rows[i].err)
            fail_msg("judged wrongly: %s", rows[i].url);
    assert_int_equal(address_guard_check_url(&guard, SLICE("https://example.com/\0x")), ERR_URL_INVALID);
    memset(text + strlen(text), 'a', sizeof(text) - strlen(text));
    assert_ok(address_guard_check_url(&guard, slice_of(text, ADDRESS_URL_BYTES_MAX)));
    assert_int_equal(address_guard_check_url(&guard, slice_of(text, ADDRESS_URL_BYTES_MAX + 1)),
                     ERR_URL_INVALID);
}

static void
addresses_are_read_in_numbers_only(void **state UNUSED)
{
    static const char *const bad[] = {
        "",         "a",        "1.2.3",     "1.2.3.4.5",
        "01.2.3.4", "1.2.3.4 ", "::g",       "1.2.3.4:5",
        "[::1]",    "::1%1",    "0x1.2.3.4", "1111:2222:3333:4444:5555:6666:7777:8888:9999",
        "localhost"
    };
    struct sockaddr_storage address;
    char text[ADDRESS_TEXT_BYTES];

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (address_parse(slice_text(bad[i]), &address) != ERR_NUMBER_SYNTAX)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(address_parse(SLICE("1.2.3.4\0"), &address), ERR_NUMBER_SYNTAX);
    address = address_of("::ffff:1.2.3.4", 0);
    assert_int_equal(address.ss_family, AF_INET);
    assert_true(slice_eq(address_print((struct sockaddr *)&address, text), SLICE("1.2.3.4")));
    address = mapped_of("1.2.3.4");
    assert_true(slice_eq(address_print((struct sockaddr *)&address, text), SLICE("1.2.3.4")));
    address = address_of("2001:DB8:0::1", 0);
    assert_true(slice_eq(address_print((struct sockaddr *)&address, text), SLICE("2001:db8::1")));
    address.ss_family = AF_UNIX;
    assert_int_equal(address_print((struct sockaddr *)&address, text).len, 0);
}

UNIT_MAIN(cmocka_unit_test(every_range_that_is_not_public_is_blocked_to_its_edges),
          cmocka_unit_test(known_traps_are_blocked), cmocka_unit_test(the_operator_may_allow_a_range),
          cmocka_unit_test(our_own_host_is_refused_and_its_neighbours_are_not),
          cmocka_unit_test(own_names_are_refused_with_all_below_them), cmocka_unit_test(ranges_are_canonical),
          cmocka_unit_test(a_url_is_judged_before_its_name_is_resolved),
          cmocka_unit_test(addresses_are_read_in_numbers_only))
