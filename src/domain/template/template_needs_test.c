#include "core/unit.h"
#include "domain/channel/whatsapp/whatsapp_fixture_testing.h"
#include "domain/template/template_definition.h"
#include "domain/template/template_needs.h"
#include "wire/json/json.h"
#include <string.h>

static json_t *
parsed(struct slice text)
{
    json_t *tree = NULL;

    assert_ok(json_parse(text, &tree));
    return tree;
}

static json_t *
needs_of_fixture(const char *file, bool *is_named_out)
{
    struct buf text;
    json_t *needs = NULL;

    whatsapp_fixture_read("template", file, &text);
    json_t *body = parsed(buf_slice(&text));
    assert_ok(template_needs_of(json_member(body, "components"), &needs));
    *is_named_out = slice_eq_nocase(json_text_of(body, "parameter_format"), SLICE("named"));
    json_decref(body);
    buf_release(&text);
    return needs;
}

static void
needs_hold_no_text_of_the_template(void **state UNUSED)
{
    static const struct {
        const char *file, *needs;
    } cases[] = {
        { "text-and-replies.json",
          "{\"header\":{\"kind\":\"text\",\"variables\":[\"1\"],\"fixed\":14},\"body\":{\"kind\":\"text\","
          "\"variables\":[\"1\",\"2\",\"3\"],\"fixed\":69},\"buttons\":[{\"kind\":\"quick_reply\","
          "\"needs_value\":false},{\"kind\":\"quick_reply\",\"needs_value\":false}]}" },
        { "authentication-copy-code.json",
          "{\"body\":{\"kind\":\"text\",\"variables\":[\"1\"],\"fixed\":0},\"buttons\":[{\"kind\":\"url\","
          "\"needs_value\":true}]}" },
        { "single-product.json",
          "{\"header\":{\"kind\":\"product\"},\"body\":{\"kind\":\"text\",\"variables\":[\"code\",\"percent\"],"
          "\"fixed\":33},\"buttons\":[{\"kind\":\"spm\",\"needs_value\":false}]}" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool is_named;
        struct buf printed;
        json_t *needs = needs_of_fixture(cases[i].file, &is_named);
        buf_init(&printed, 4096);
        assert_ok(json_print(needs, &printed));
        buf_add_byte(&printed, '\0');
        assert_string_equal(printed.ptr, cases[i].needs);
        buf_release(&printed);
        json_decref(needs);
    }
}

/* One send for one template: the first fault's pointer and detail, or NULL where it fits. */
struct fit_case {
    const char *template, *components, *pointer, *detail;
};

#define TEXT(v)         "{\"type\":\"text\",\"text\":\"" v "\"}"
#define NAMED(n, v)     "{\"type\":\"text\",\"parameter_name\":\"" n "\",\"text\":\"" v "\"}"
#define BODY(p)         "{\"type\":\"body\",\"parameters\":[" p "]}"
#define HEADER(p)       "{\"type\":\"header\",\"parameters\":[" p "]}"
#define BUTTON(k, i, p) "{\"type\":\"button\",\"sub_type\":\"" k "\",\"index\":" i ",\"parameters\":[" p "]}"
#define IMAGE           "{\"type\":\"image\",\"image\":{\"link\":\"https://a.example/b.png\"}}"
#define COUPON          "{\"type\":\"coupon_code\",\"coupon_code\":\"SEA25\"}"
#define OFFER           "{\"type\":\"limited_time_offer\",\"parameters\":[]}"
#define CARD(i)         "{\"card_index\":" i ",\"components\":[" HEADER(IMAGE) "," BUTTON("url", "1", TEXT("a")) "]}"
#define CARDS(c)        "{\"type\":\"carousel\",\"cards\":[" c "]}"

static const struct fit_case fits[] = {
    { "text-and-replies.json", HEADER(TEXT("x")) "," BODY(TEXT("a") "," TEXT("b") "," TEXT("c")), NULL,
      NULL },
    { "text-and-replies.json", HEADER(TEXT("x")) "," BODY(TEXT("a") "," TEXT("b")),
      "/components/1/parameters", "the template's body has 3 variables; 2 values are given" },
    { "text-and-replies.json", HEADER(TEXT("x")), "/components",
      "the template's body has 3 variables; 0 values are given" },
    { "text-and-replies.json", BODY(TEXT("a") "," TEXT("b") "," TEXT("c")), "/components",
      "the template's header has 1 variables; 0 values are given" },
    { "text-and-replies.json", HEADER(IMAGE) "," BODY(TEXT("a") "," TEXT("b") "," TEXT("c")),
      "/components/0/parameters/0", "must be a text: it stands for a variable of the template's header" },
    { "text-and-replies.json", HEADER(NAMED("x", "x")) "," BODY(TEXT("a") "," TEXT("b") "," TEXT("c")),
      "/components/0/parameters/0", "the variables of the template's header have no names" },
    { "text-and-replies.json",
      HEADER(TEXT("x")) "," BODY(TEXT("a") "," TEXT("b") "," TEXT("c")) "," BUTTON("quick_reply", "\"1\"",
                                                                                   ""),
      NULL, NULL },
    { "text-and-replies.json",
      HEADER(TEXT("x")) "," BODY(TEXT("a") "," TEXT("b") "," TEXT("c")) "," BUTTON("quick_reply", "2", ""),
      "/components/2/index", "the template has 2 buttons; there is none at index 2" },
    { "text-and-replies.json",
      HEADER(TEXT("x")) "," BODY(TEXT("a") "," TEXT("b") "," TEXT("c")) "," BUTTON("url", "0", TEXT("a")),
      "/components/2/sub_type", "the template's button at index 0 is of another kind" },
    { "named.json",
      HEADER(IMAGE) "," BODY(NAMED("time", "7") "," NAMED("day", "x") "," NAMED("guest_count", "4")), NULL,
      NULL },
    { "named.json", HEADER(IMAGE) "," BODY(NAMED("time", "7") "," NAMED("day", "x") "," NAMED("guests", "4")),
      "/components/1/parameters/2", "its parameter_name is no variable of the template's body" },
    { "named.json", HEADER(IMAGE) "," BODY(TEXT("7") "," NAMED("day", "x") "," NAMED("time", "4")),
      "/components/1/parameters/0", "needs a parameter_name: the template's body has named variables" },
    { "named.json", BODY(NAMED("time", "7") "," NAMED("day", "x") "," NAMED("guest_count", "4")),
      "/components", "the template's header needs 1 value of type image; 0 are given" },
    { "document-header.json", HEADER(IMAGE) "," BODY(TEXT("a") "," TEXT("b")), "/components/0/parameters",
      "the template's header needs 1 value of type document; 1 of another type is given" },
    { "named.json",
      HEADER(IMAGE) "," BODY(NAMED("time", "7") "," NAMED("day", "x") "," NAMED(
          "guest_count", "4")) "," BUTTON("url", "0", TEXT("a")),
      "/components/2/parameters", "the template's button at index 0 has no variable" },
    { "call-buttons.json", HEADER(TEXT("x")), "/components/0/parameters", "the template has no header" },
    { "call-buttons.json", BODY(TEXT("x")), "/components/0/parameters",
      "the template's body has 0 variables; 1 values are given" },
    { "call-buttons.json", OFFER, "/components/0", "the template has no limited-time offer" },
    { "limited-time-offer.json",
      HEADER(IMAGE) "," BODY(TEXT("a") "," TEXT("b")) "," OFFER "," BUTTON(
          "COPY_CODE", "0", COUPON) "," BUTTON("url", "1", TEXT("a")),
      NULL, NULL },
    { "limited-time-offer.json",
      HEADER(IMAGE) "," BODY(TEXT("a") "," TEXT("b")) "," BUTTON("copy_code", "0",
                                                                 COUPON) "," BUTTON("url", "1", TEXT("a")),
      "/components", "the template's limited-time offer needs its expiration_time_ms" },
    { "limited-time-offer.json",
      HEADER(IMAGE) "," BODY(TEXT("a") "," TEXT("b")) "," OFFER "," BUTTON("url", "1", TEXT("a")),
      "/components", "the template's button at index 0 needs a value" },
    { "authentication-one-tap.json", BODY(TEXT("123456")) "," BUTTON("url", "0", TEXT("123456")), NULL,
      NULL },
    { "authentication-one-tap.json", BODY(TEXT("123456")), "/components",
      "the template's button at index 0 needs a value" },
    { "multi-product.json", HEADER(TEXT("x")) "," BODY(TEXT("x")), "/components",
      "the template's button at index 0 needs a value" },
    { "carousel-media.json", BODY(TEXT("a") "," TEXT("b")) "," CARDS(CARD("0") "," CARD("1") "," CARD("2")),
      NULL, NULL },
    { "carousel-media.json", BODY(TEXT("a") "," TEXT("b")) "," CARDS(CARD("0") "," CARD("1")),
      "/components/1/cards", "the template's carousel has 3 cards; 2 are given" },
    { "carousel-media.json", BODY(TEXT("a") "," TEXT("b")), "/components",
      "the template's carousel has 3 cards; 0 are given" },
    { "carousel-media.json", BODY(TEXT("a") "," TEXT("b")) "," CARDS(CARD("0") "," CARD("1") "," CARD("7")),
      "/components/1/cards/2/card_index", "the template's carousel has 3 cards" },
    { "carousel-media.json",
      BODY(TEXT("a") "," TEXT("b")) "," CARDS(
          CARD("0") ",{\"card_index\":1,\"components\":[" HEADER(IMAGE) "]}," CARD("2")),
      "/components/1/cards/1/components", "the template's button at index 1 needs a value" },
};

static void
a_send_is_held_against_the_template(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(fits); i++) {
        bool is_named;
        struct arena *arena = arena_new(1u << 16);
        struct problem problem = { .count = 0 };
        json_t *needs = needs_of_fixture(fits[i].template, &is_named);
        struct slice text = arena_format(arena, "{\"name\":\"x\",\"components\":[%s]}", fits[i].components);
        json_t *send = parsed(text);
        enum err err =
            template_needs_check(needs, is_named, send, SLICE("/content/template"), arena, &problem);

        assert_int_equal(err, fits[i].pointer == NULL ? ERR_OK : ERR_TEMPLATE_MISMATCH);
        assert_int_equal(problem.count, fits[i].pointer == NULL ? 0 : 1);
        if (problem.count > 0 &&
            (!slice_eq(slice_drop(problem.errors[0].pointer, sizeof("/content/template") - 1),
                       slice_text(fits[i].pointer)) ||
             !slice_eq(problem.errors[0].detail, slice_text(fits[i].detail))))
            fail_msg("case %zu: %.*s %.*s", i, SLICE_FMT(problem.errors[0].pointer),
                     SLICE_FMT(problem.errors[0].detail));
        json_decref(send);
        json_decref(needs);
        arena_free(arena);
    }
}

static void
values_that_make_the_text_too_long_are_refused(void **state UNUSED)
{
    static char value[1100];
    struct arena *arena = arena_new(1u << 16);
    bool is_named;
    json_t *needs = needs_of_fixture("multi-product.json", &is_named);

    memset(value, 'x', sizeof(value));
    for (int length = 955; length <= 1024; length++) { /* the body's own text has 64 characters */
        struct problem problem = { .count = 0 };
        struct slice text = arena_format(
            arena,
            "{\"components\":[" HEADER(TEXT(
                "x")) ",{\"type\":\"body\",\"parameters\":[{\"type\":"
                      "\"text\",\"text\":\"%.*s\"}]},{\"type\":\"button\",\"sub_type\":\"mpm\",\"index\":0}]}",
            length, value);
        json_t *send = parsed(text);
        enum err err = template_needs_check(needs, is_named, send, SLICE(""), arena, &problem);
        assert_int_equal(err, length <= 1024 - 64 ? ERR_OK : ERR_TEMPLATE_MISMATCH);
        json_decref(send);
        arena_reset(arena);
    }
    json_decref(needs);
    arena_free(arena);
}

/* Whatever WhatsApp adds to its components later asks nothing of a send. */
static void
what_is_not_known_of_a_template_needs_nothing(void **state UNUSED)
{
    struct arena *arena = arena_new(1u << 16);
    struct problem problem = { .count = 0 };
    json_t *needs = NULL;
    json_t *components =
        parsed(SLICE("[{\"type\":\"HEADER\",\"format\":\"HOLOGRAM\"},{\"type\":\"BODY\",\"text\":\"x\"},"
                     "{\"type\":\"SCENT\"},7,{\"type\":\"BUTTONS\",\"buttons\":[{\"type\":\"DANCE\"},"
                     "{\"type\":\"\xc3\xa4\"}]}]"));
    json_t *send = parsed(SLICE("{}"));

    assert_ok(template_needs_of(components, &needs));
    assert_ok(template_needs_check(needs, false, send, SLICE(""), arena, &problem));
    json_decref(send);
    json_decref(components);
    json_decref(needs);
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(needs_hold_no_text_of_the_template),
          cmocka_unit_test(a_send_is_held_against_the_template),
          cmocka_unit_test(values_that_make_the_text_too_long_are_refused),
          cmocka_unit_test(what_is_not_known_of_a_template_needs_nothing))
