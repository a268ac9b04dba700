#include "core/unit.h"
#include "domain/channel/sms/sms_content.h"
#include "domain/channel/sms/sms_error.h"
#include "wire/json/json.h"
#include <stdio.h>

static const struct sms_rules rules = { .joining = SMS_JOIN_UDH_8, .parts_max = 3 };

/* What is wrong with it: a pointer, or "" for nothing. */
static const char *
judged(const char *text, enum sms_unicode unicode, struct sms_content *content, struct sms_text *measured,
       struct arena *arena)
{
    json_t *json = NULL;
    struct problem problem = { .count = 0 };

    assert_ok(json_parse(slice_text(text), &json));
    enum err err =
        sms_content_check(json, unicode, &rules, SLICE("/content"), arena, &problem, content, measured);
    content->text = arena_copy(arena, content->text);
    json_decref(json);
    assert_true(err == ERR_OK || err == ERR_MESSAGE_INVALID);
    assert_int_equal(problem.count, err == ERR_OK ? 0 : 1);
    struct slice pointer = problem.count == 0 ? SLICE("") : problem.errors[0].pointer;
    return arena_format(arena, "%.*s%c", SLICE_FMT(pointer), 0).ptr;
}

static void
what_no_sms_can_be_is_said_where_it_stands(void **state UNUSED)
{
    static const struct {
        const char *content, *pointer;
        enum sms_unicode unicode;
    } rows[] = {
        { "{\"type\":\"text\",\"text\":{\"body\":\"Hello\"}}", "", SMS_UNICODE_AUTO },
        { "{\"type\":\"image\",\"image\":{}}", "/content/type", SMS_UNICODE_AUTO },
        { "{\"type\":\"text\",\"text\":{\"body\":\"\"}}", "/content/text/body", SMS_UNICODE_AUTO },
        { "{\"type\":\"text\",\"text\":{\"body\":\"₹5\"}}", "", SMS_UNICODE_AUTO },
        { "{\"type\":\"text\",\"text\":{\"body\":\"₹5\"}}", "/content/text/body", SMS_UNICODE_REFUSE },
        { "{\"type\":\"text\",\"text\":{\"body\":\"₹5\"},\"sms\":{\"unicode\":\"auto\"}}", "",
          SMS_UNICODE_REFUSE },
        { "{\"type\":\"text\",\"text\":{\"body\":\"x\"},\"sms\":{\"unicode\":\"maybe\"}}",
          "/content/sms/unicode", SMS_UNICODE_AUTO },
        { "{\"type\":\"text\",\"text\":{\"body\":\"x\"},\"sms\":{\"validity_s\":59}}",
          "/content/sms/validity_s", SMS_UNICODE_AUTO },
    };
    struct arena *arena = arena_new(1u << 20);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sms_content content;
        struct sms_text measured;
        const char *pointer = judged(rows[i].content, rows[i].unicode, &content, &measured, arena);
        if (strcmp(pointer, rows[i].pointer) != 0)
            fail_msg("%s: \"%s\"", rows[i].content, pointer);
    }
    arena_free(arena);
}

static void
more_parts_than_the_channel_sends_are_refused(void **state UNUSED)
{
    struct arena *arena = arena_new(1u << 20);
    struct sms_content content;
    struct sms_text measured;
    char text[600];

    for (int letters = 458; letters <= 460; letters++) {
        snprintf(text, sizeof(text), "{\"type\":\"text\",\"text\":{\"body\":\"%0*d\"}}", letters, 1);
        const char *pointer = judged(text, SMS_UNICODE_AUTO, &content, &measured, arena);
        assert_string_equal(pointer, letters <= 459 ? "" : "/content/text/body"); /* three times 153 */
    }
    arena_free(arena);
}

static void
what_is_transliterated_takes_the_plain_alphabet_and_is_counted(void **state UNUSED)
{
    struct arena *arena = arena_new(1u << 20);
    struct sms_content content;
    struct sms_text measured;

    assert_string_equal(
        judged(
            "{\"type\":\"text\",\"text\":{\"body\":\"“Só” – ₹5…\"},\"sms\":{\"unicode\":\"transliterate\"}}",
            SMS_UNICODE_AUTO, &content, &measured, arena),
        "");
    assert_true(slice_eq(content.text, SLICE("\"So\" - Rs.5...")));
    assert_int_equal(content.changed, 6);
    assert_int_equal(measured.alphabet, SMS_GSM7);
    /* What has no plain form stays, and what the alphabet has is left: é, ñ, ü. */
    assert_string_equal(
        judged("{\"type\":\"text\",\"text\":{\"body\":\"éñü नमस्ते\"},\"sms\":{\"unicode\":\"transliterate\"}}",
               SMS_UNICODE_AUTO, &content, &measured, arena),
        "");
    assert_true(slice_eq(content.text, SLICE("éñü नमस्ते")));
    assert_int_equal(content.changed, 0);
    assert_int_equal(measured.alphabet, SMS_UCS2);
    arena_free(arena);
}

static void
operators_codes_have_plain_words(void **state UNUSED)
{
    assert_string_equal(sms_error_find(SLICE("630"))->code, "dlt-template-not-found");
    assert_string_equal(sms_error_find(SLICE("001"))->code, "subscriber-unknown");
    assert_string_equal(sms_error_find(SLICE(" 5601"))->class, "permanent");
    assert_null(sms_error_find(SLICE("21b")));
    assert_null(sms_error_find(SLICE("000")));
    assert_null(sms_error_find(SLICE("")));
    assert_null(sms_error_find(SLICE("699")));
}

UNIT_MAIN(cmocka_unit_test(what_no_sms_can_be_is_said_where_it_stands),
          cmocka_unit_test(more_parts_than_the_channel_sends_are_refused),
          cmocka_unit_test(what_is_transliterated_takes_the_plain_alphabet_and_is_counted),
          cmocka_unit_test(operators_codes_have_plain_words))
