/* What is left of numbers and addresses for whoever may not see them. */
#include "core/buf.h"
#include "core/unit.h"
#include "program/gateway/mask.h"
#include "wire/json/json.h"

static struct arena *arena;

static int
opened(void **state UNUSED)
{
    arena = arena_new(1u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    arena_free(arena);
    return 0;
}

static void
an_address_keeps_what_helps_and_no_more(void **state UNUSED)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        { "+14155550123", "****0123" },
        { "14155550123", "****0123" },
        { "+1 (415) 555-0123", "****0123" },
        { "+919876543210", "****3210" },
        { "US.13491208655302741918", "US.****1918" },
        { "IN.ENT.Ab12Cd34Ef56", "IN.ENT.****Ef56" },
        { "group:Y2FwaV9ncm91cDox", "group:****cDox" },
        { "group:ab@cdefghijk", "group:****hijk" },
        { "ana@example.org", "a****@example.org" },
        { "\xC3\xA9lo\xC3\xAFse@example.org", "\xC3\xA9****@example.org" },
        { "@example.org", "****@example.org" },
        { "123456", "****" }, /* the end would be nearly all of it */
        { "", "****" },
        { "\xE0\xA4\x85\xE0\xA4\x86\xE0\xA4\x87\xE0\xA4\x88", "****" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice shown = mask_address(arena, slice_text(rows[i].from));
        if (!slice_eq(shown, slice_text(rows[i].to)))
            fail_msg("%s: %.*s", rows[i].from, SLICE_FMT(shown));
    }
}

static void
in_a_text_numbers_and_addresses_are_found(void **state UNUSED)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        { "", "" },
        { "Message undeliverable", "Message undeliverable" },
        { "(#131030) Recipient +14155550123 is not allowed", "(#131030) Recipient ****0123 is not allowed" },
        { "User A changed from 14155550123 to 919876543210.", "User A changed from ****0123 to ****3210." },
        { "call 415-555-0123 or mail Ana.B@mail.example.org!",
          "call ****0123 or mail A****@mail.example.org!" },
        { "1234567", "****4567" },
        { "123456", "123456" },
        { "at 2026-11-22", "at ****1122" }, /* rather a date too many than a number too few */
        { "12345678901234567890", "12345678901234567890" },
        { "a@b and @c", "a@b and @c" },
        { "order12345678", "order12345678" }, /* part of a word */
        { "2026-11-22T07:48:48.123Z", "2026-11-22T07:48:48.123Z" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice shown = mask_text(arena, slice_text(rows[i].from));
        if (!slice_eq(shown, slice_text(rows[i].to)))
            fail_msg("%s: %.*s", rows[i].from, SLICE_FMT(shown));
    }
}

static void
assert_masked(enum err (*mask)(struct arena *arena, json_t *value), const char *from, const char *to)
{
    json_t *value = NULL;
    struct buf text;

    assert_ok(json_parse(slice_text(from), &value));
    assert_ok(mask(arena, value));
    buf_init(&text, 4096);
    assert_ok(json_print(value, &text));
    if (!slice_eq(buf_slice(&text), slice_text(to)))
        fail_msg("%s: %.*s", from, SLICE_FMT(buf_slice(&text)));
    buf_release(&text);
    json_decref(value);
}

static void
cards_and_notices_are_masked_and_what_people_wrote_is_not(void **state UNUSED)
{
    assert_masked(mask_content, "{\"type\":\"text\",\"text\":{\"body\":\"call 14155550123\"}}",
                  "{\"type\":\"text\",\"text\":{\"body\":\"call 14155550123\"}}");
    assert_masked(
        mask_content,
        "{\"type\":\"contacts\",\"contacts\":[{\"name\":{\"first_name\":\"Ana\"},\"phones\":[{\"phone\":"
        "\"+1 415 555 0123\",\"wa_id\":\"14155550123\"}],\"emails\":[{\"email\":\"ana@example.org\"}]}]}",
        "{\"type\":\"contacts\",\"contacts\":[{\"name\":{\"first_name\":\"Ana\"},\"phones\":[{\"phone\":"
        "\"****0123\",\"wa_id\":\"****0123\"}],\"emails\":[{\"email\":\"a****@example.org\"}]}]}");
    assert_masked(
        mask_content,
        "{\"type\":\"system\",\"system\":{\"body\":\"14155550123 left\",\"wa_id\":\"14155550123\"}}",
        "{\"type\":\"system\",\"system\":{\"body\":\"****0123 left\",\"wa_id\":\"****0123\"}}");
    assert_masked(mask_strings, "{\"title\":\"no 14155550123\",\"list\":[\"x\",14155550123]}",
                  "{\"title\":\"no ****0123\",\"list\":[\"x\",14155550123]}");
}

static void
without_memory_nothing_is_shown(void **state UNUSED)
{
    struct arena *small = arena_new(4);

    assert_null(mask_address(small, SLICE("+14155550123")).ptr);
    assert_null(mask_text(small, SLICE("is +14155550123")).ptr);
    arena_free(small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_keeps_what_helps_and_no_more),
        cmocka_unit_test(in_a_text_numbers_and_addresses_are_found),
        cmocka_unit_test(cards_and_notices_are_masked_and_what_people_wrote_is_not),
        cmocka_unit_test(without_memory_nothing_is_shown),
    };

    return cmocka_run_group_tests(tests, opened, closed);
}
