#include "core/unit.h"
#include "domain/webhook/webhook_headers.h"

static void
what_frames_the_message_or_is_ours_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "Host",
        "host",
        "Content-Type",
        "content-length",
        "Content-",
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "transfer-x",
        "Webhook-Id",
        "webhook-signature",
        "webhook-x",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Cookie",
        "Date",
        "User-Agent",
        "Sec-Fetch-Mode",
        "HTTP2-Settings",
        "X Y",
        "X:Y",
        "X\tY",
        "X\r\nY",
        "\xC3\xA9",
        "a.b",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    static const char *const good[] = { "Authorization",
                                        "X-Api-Key",
                                        "x",
                                        "Contents",
                                        "Hosts",
                                        "X-Webhook-Id",
                                        "Accept",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (webhook_header_name_is_fit(slice_text(bad[i])))
            fail_msg("taken: %s", bad[i]);
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!webhook_header_name_is_fit(slice_text(good[i])))
            fail_msg("refused: %s", good[i]);
}

static void
a_value_is_one_line_of_ascii(void **state UNUSED)
{
    static char longest[WEBHOOK_HEADER_VALUE_BYTES_MAX + 1];
    static const struct slice bad[] = { { "", 0 },          { " a", 2 },       { "a ", 2 },
                                        { "a\r\nb: c", 7 }, { "a\nb", 3 },     { "a\0b", 3 },
                                        { "\x7f", 1 },      { "\xC3\xA9", 2 }, { "a\tb", 3 } };

    memset(longest, 'x', sizeof(longest));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(webhook_header_value_is_fit(bad[i]));
    assert_true(webhook_header_value_is_fit(SLICE("Bearer a b~!")));
    assert_true(webhook_header_value_is_fit(slice_of(longest, sizeof(longest) - 1)));
    assert_false(webhook_header_value_is_fit(slice_of(longest, sizeof(longest))));
}

static void
what_was_added_comes_back_line_by_line(void **state UNUSED)
{
    const char *lines[WEBHOOK_HEADERS_MAX];
    struct buf value;
    size_t count;

    buf_init(&value, WEBHOOK_HEADERS_BYTES_MAX);
    assert_ok(webhook_headers_lines(buf_slice(&value), lines, &count));
    assert_int_equal(count, 0);
    for (unsigned i = 0; i < WEBHOOK_HEADERS_MAX; i++)
        webhook_headers_add(&value, SLICE("X-Api-Key"), SLICE("k: v"));
    assert_ok(webhook_headers_lines(buf_slice(&value), lines, &count));
    assert_int_equal(count, WEBHOOK_HEADERS_MAX);
    assert_string_equal(lines[9], "X-Api-Key: k: v");
    webhook_headers_add(&value, SLICE("X"), SLICE("one too many"));
    assert_int_equal(webhook_headers_lines(buf_slice(&value), lines, &count), ERR_SEAL_CORRUPT);
    buf_release(&value);
}

static void
another_form_is_not_handed_on(void **state UNUSED)
{
    static const struct slice bad[] = {
        { "X: y", 4 },  { "X:y\0", 4 },           { "X\0", 2 },     { "\0", 1 }, { "Host: a\0", 8 },
        { ": y\0", 4 }, { "X: y\r\nZ: a\0", 11 }, { "X: y\0\0", 6 }
    };
    const char *lines[WEBHOOK_HEADERS_MAX];
    size_t count;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(webhook_headers_lines(bad[i], lines, &count), ERR_SEAL_CORRUPT);
}

UNIT_MAIN(cmocka_unit_test(what_frames_the_message_or_is_ours_is_refused),
          cmocka_unit_test(a_value_is_one_line_of_ascii),
          cmocka_unit_test(what_was_added_comes_back_line_by_line),
          cmocka_unit_test(another_form_is_not_handed_on))
