#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "domain/channel/whatsapp/whatsapp_send.h"
#include "wire/json/json.h"

static json_t *
parsed(struct slice text)
{
    json_t *tree = NULL;

    assert_ok(json_parse(text, &tree));
    return tree;
}

/* Each content fixture has the body that WhatsApp must get for it. */
static void
content_gives_its_body(const char *name, struct slice file)
{
    json_t *fixture = parsed(file);
    struct whatsapp_send send = { .to = json_text_of(fixture, "to"),
                                  .refers_to = json_text_of(fixture, "refers_to"),
                                  .callback_data = json_text_of(fixture, "callback_data"),
                                  .content = json_member(fixture, "content") };
    struct buf body;

    buf_init(&body, WHATSAPP_SEND_BYTES_MAX);
    assert_ok(whatsapp_send_print(&send, &body));
    json_t *printed = parsed(buf_slice(&body));
    if (!json_equal(printed, json_member(fixture, "body")))
        fail_msg("%s: %.*s", name, SLICE_FMT(buf_slice(&body)));
    json_decref(printed);
    json_decref(fixture);
    buf_release(&body);
}

static void
every_content_gives_its_body(void **state UNUSED)
{
    assert_true(whatsapp_fixture_each("content", ".json", content_gives_its_body) >= 50);
}

static enum err
print_to(const char *to, const char *content, const char *refers_to)
{
    json_t *tree = parsed(slice_text(content));
    struct whatsapp_send send = { .to = slice_text(to),
                                  .refers_to = slice_text(refers_to),
                                  .callback_data = SLICE("msg_1"),
                                  .content = tree };
    struct buf body;

    buf_init(&body, WHATSAPP_SEND_BYTES_MAX);
    enum err err = whatsapp_send_print(&send, &body);
    if (err == ERR_OK)
        json_decref(parsed(buf_slice(&body)));
    else
        assert_int_equal(body.len, 0);
    buf_release(&body);
    json_decref(tree);
    return err;
}

static void
a_recipient_is_a_number_a_user_id_or_a_group(void **state UNUSED)
{
    static const char *const good[] = { "+4915123456",         "+14155550123", "+123456789012345", "US.1",
                                        "IN.4403817725509316", "IN.ENT.9905x", "group:Y2FwaV9n+/=" };
    static const char *const bad[] = { "",
                                       "+",
                                       "14155550123",
                                       "+04155550123",
                                       "+123456",
                                       "+1234567890123456",
                                       "+1415555012a",
                                       "+1 4155550123",
                                       "us.1",
                                       "US.",
                                       "USA.1",
                                       "US.1-2",
                                       "US.ENT.",
                                       "group:",
                                       "group:a b",
                                       "group:a\"",
                                       "+14155550123\n" };
    char long_id[3 + 130] = "US.";

    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_ok(print_to(good[i], "{\"type\":\"text\",\"text\":{\"body\":\"x\"}}", ""));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (print_to(bad[i], "{\"type\":\"text\",\"text\":{\"body\":\"x\"}}", "") != ERR_RECIPIENT_INVALID)
            fail_msg("row %zu", i);
    memset(long_id + 3, '7', 128);
    assert_ok(print_to(long_id, "{\"type\":\"text\",\"text\":{\"body\":\"x\"}}", ""));
    long_id[3 + 128] = '7';
    assert_int_equal(print_to(long_id, "{\"type\":\"text\",\"text\":{\"body\":\"x\"}}", ""),
                     ERR_RECIPIENT_INVALID);
}

/* Whatever got past the checks, the envelope stays ours: one member of each name, and nothing beside the
 * content. */
static void
what_has_no_content_is_not_printed(void **state UNUSED)
{
    static const char *const bad[] = {
        "{}",
        "{\"type\":\"text\"}",
        "{\"type\":\"to\",\"to\":\"+14155550199\"}",
        "{\"type\":\"messaging_product\",\"messaging_product\":\"x\"}",
        "{\"type\":\"TEXT\",\"TEXT\":{\"body\":\"x\"}}",
        "[]",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(print_to("+14155550123", bad[i], ""), ERR_MESSAGE_INVALID);
    assert_int_equal(
        print_to("+14155550123",
                 "{\"type\":\"reaction\",\"reaction\":{\"message_id\":\"msg_1\",\"emoji\":\"\"}}", ""),
        ERR_MESSAGE_INVALID);
}

static void
a_full_buffer_is_an_error(void **state UNUSED)
{
    json_t *tree = parsed(SLICE("{\"type\":\"text\",\"text\":{\"body\":\"0123456789\"}}"));
    struct whatsapp_send send = { .to = SLICE("+14155550123"),
                                  .refers_to = SLICE("wamid.A"),
                                  .callback_data = SLICE("msg_1"),
                                  .content = tree };
    enum err err = ERR_LIMIT;
    size_t room;

    for (room = 1; err == ERR_LIMIT && room < 4096; room++) {
        struct buf body;
        buf_init(&body, room);
        err = whatsapp_send_print(&send, &body);
        buf_release(&body);
    }
    assert_int_equal(err, ERR_OK);
    assert_true(room > 100);
    json_decref(tree);
}

static void
a_path_holds_a_version_and_digits_only(void **state UNUSED)
{
    static const char *const versions[] = { "",         "v",      "v25",       "25.0",    "v25.",
                                            "v.0",      "v25.0/", "v2a.0",     "v25.0.1", "v25.x",
                                            "v12345.0", "V25.0",  "v25.00000", "../v25.0" };
    static const char *const ids[] = { "", "12a", "-1", "1/2", " 1", "123456789012345678901234567890123" };
    struct buf path;

    buf_init(&path, 256);
    assert_ok(whatsapp_send_path(SLICE("v25.0"), SLICE("106540352242922"), &path));
    assert_true(slice_eq(buf_slice(&path), SLICE("/v25.0/106540352242922/messages")));
    for (size_t i = 0; i < COUNT_OF(versions); i++)
        assert_int_equal(whatsapp_send_path(slice_text(versions[i]), SLICE("1"), &path), ERR_URL_INVALID);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_int_equal(whatsapp_send_path(SLICE("v25.0"), slice_text(ids[i]), &path), ERR_URL_INVALID);
    buf_release(&path);
}

UNIT_MAIN(cmocka_unit_test(every_content_gives_its_body),
          cmocka_unit_test(a_recipient_is_a_number_a_user_id_or_a_group),
          cmocka_unit_test(what_has_no_content_is_not_printed), cmocka_unit_test(a_full_buffer_is_an_error),
          cmocka_unit_test(a_path_holds_a_version_and_digits_only))
