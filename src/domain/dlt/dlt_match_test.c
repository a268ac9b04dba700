#include "core/unit.h"
#include "domain/dlt/dlt_match.h"
#include <stdio.h>

static const struct dlt_link listed[] = {
    { DLT_LINK_DYNAMIC, { "https://shop.example.in/track?", 30 }, { 0 }, false },
    { DLT_LINK_SHORT, { "https://hk.ly/HRKARA/", 21 }, { 0 }, false },
    { DLT_LINK_STATIC, { "https://shop.example.in/help", 28 }, { 0 }, false },
    { DLT_LINK_STATIC, { "https://shop.example.in/old", 27 }, { 1000 }, true },
    { DLT_LINK_NUMBER, { "1800 123 4567", 13 }, { 0 }, false },
    { DLT_LINK_NUMBER, { "9876543210", 10 }, { 0 }, false },
};
static const struct dlt_links links = { listed, sizeof(listed) / sizeof(listed[0]), { 2000 } };

static void
match_rules(const char *pattern_text, const char *text, const struct dlt_variable_rule *rules,
            size_t rule_count, struct dlt_match *out)
{
    struct arena *arena = arena_new(4u << 20);
    struct dlt_pattern pattern;
    struct dlt_matcher *matcher = NULL;

    assert_non_null(arena);
    assert_ok(dlt_pattern_read(arena, slice_text(pattern_text), rules, rule_count, &pattern));
    assert_ok(dlt_matcher_new(arena, slice_text(text), &links, &matcher));
    dlt_match(matcher, &pattern, out);
    arena_free(arena);
}

static void
match(const char *pattern_text, const char *text, struct dlt_match *out)
{
    match_rules(pattern_text, text, NULL, 0, out);
}

static void
a_text_is_its_template_s_or_the_reason_is_told(void **state UNUSED)
{
    static const struct {
        const char *pattern, *text;
        enum dlt_verdict verdict;
        enum dlt_fault fault;
        uint32_t variable;
    } rows[] = {
        { "Hello", "Hello", DLT_OK, DLT_FAULT_NONE, 0 },
        { "Hello", "hello", DLT_NOT_MATCHED, DLT_FAULT_TEXT, 0 },
        { "Hello", "Hello ", DLT_NOT_MATCHED, DLT_FAULT_TEXT, 0 },
        { "", "", DLT_OK, DLT_FAULT_NONE, 0 },
        { "", "x", DLT_NOT_MATCHED, DLT_FAULT_TEXT, 0 },
        { "Dear {#var#}, your code is {#var#}. -HRKARA", "Dear Asha, your code is 4711. -HRKARA", DLT_OK, 0,
          0 },
        { "Dear {#var#}, your code is {#var#}. -HRKARA", "Dear Asha, your code is . -HRKARA", DLT_VARIABLE,
          DLT_FAULT_EMPTY, 2 },
        { "Dear {#var#}, x", "Dear 123456789012345678901234567890, x", DLT_OK, 0, 0 },
        { "Dear {#var#}, x", "Dear 1234567890123456789012345678901, x", DLT_VARIABLE, DLT_FAULT_LONG, 1 },
        { "{#var#}", "a", DLT_OK, 0, 0 },
        { "{#var#}{#var#}", "a", DLT_VARIABLE, DLT_FAULT_EMPTY, 1 },
        { "{#var#}{#var#}", "ab", DLT_OK, 0, 0 },
        { "{#var#}{#var#}.", "123456789012345678901234567890123456789012345678901234567890.", DLT_OK, 0, 0 },
        { "{#var#}{#var#}.", "1234567890123456789012345678901234567890123456789012345678901.", DLT_VARIABLE,
          DLT_FAULT_LONG, 1 },
        /* The fixed text may occur in a value too: all ways count. */
        { "{#var#}, {#var#}!", "a, b, c!", DLT_OK, 0, 0 },
        { "a{#var#}aab", "aaaaab", DLT_OK, 0, 0 },
        { "OTP {#numeric#} ok", "OTP 123456 ok", DLT_OK, 0, 0 },
        { "OTP {#number#} ok", "OTP 12a456 ok", DLT_VARIABLE, DLT_FAULT_TYPE, 1 },
        { "OTP {#numeric#} ok", "OTP 1,000.50 ok", DLT_VARIABLE, DLT_FAULT_TYPE, 1 },
        { "Ref {#alphanumeric#}.", "Ref Flat 12 MG Road.", DLT_OK, 0, 0 },
        { "Ref {#alphanumeric#}.", "Ref A-12.", DLT_VARIABLE, DLT_FAULT_TYPE, 1 },
        { "To {#var#}.", "To a\nb.", DLT_VARIABLE, DLT_FAULT_TYPE, 1 },
        { "To {#var#}.", "To a  b.", DLT_VARIABLE, DLT_FAULT_TYPE, 1 },
        { "To {#var#}.", "To <b>.", DLT_VARIABLE, DLT_FAULT_TYPE, 1 },
        { "At {#url#} now", "At https://shop.example.in/track?id=9 now", DLT_OK, 0, 0 },
        { "At {#url#} now", "At HTTPS://SHOP.example.IN/track?id=9 now", DLT_OK, 0, 0 },
        { "At {#url#} now", "At https://shop.example.in/Track?id=9 now", DLT_LINK, DLT_FAULT_UNLISTED, 1 },
        { "At {#url#} now", "At here now", DLT_VARIABLE, DLT_FAULT_TYPE, 1 },
        { "At {#url#}.", "At hk.ly/HRKARA/a1B2.", DLT_OK, 0, 0 },
        { "At {#url#}.", "At hk.ly/OTHERS/a1B2.", DLT_LINK, DLT_FAULT_UNLISTED, 1 },
        { "At {#url#}", "At https://shop.example.in/old", DLT_LINK, DLT_FAULT_EXPIRED, 1 },
        { "At {#var#} now", "At https://evil.example/x now", DLT_LINK, DLT_FAULT_UNLISTED, 1 },
        { "See https://shop.example.in/help.", "See https://shop.example.in/help.", DLT_OK, 0, 0 },
        { "See https://evil.example/help.", "See https://evil.example/help.", DLT_LINK, DLT_FAULT_UNLISTED,
          0 },
        { "Call {#cbn#}.", "Call +91 98765 43210.", DLT_OK, 0, 0 },
        { "Call {#cbn#}.", "Call 09876543211.", DLT_LINK, DLT_FAULT_UNLISTED, 1 },
        { "Call {#cbn#}.", "Call 12.", DLT_VARIABLE, DLT_FAULT_TYPE, 1 },
        { "Call 1800-123-4567", "Call 1800-123-4567", DLT_OK, 0, 0 },
        { "Call {#var#}", "Call +919999999999", DLT_LINK, DLT_FAULT_UNLISTED, 1 },
        { "Order {#var#}", "Order 9999999999", DLT_OK, 0, 0 },
        { "Write to {#email#}.", "Write to help@shop.example.in.", DLT_OK, 0, 0 },
        { "Write to {#email#}.", "Write to help.", DLT_VARIABLE, DLT_FAULT_TYPE, 1 },
        /* Line breaks are one, and marks are composed. */
        { "a\r\nb", "a\nb", DLT_OK, 0, 0 },
        { "a\nb", "a\rb", DLT_OK, 0, 0 },
        { "caf\xc3\xa9 {#var#}", "cafe\xcc\x81 x", DLT_OK, 0, 0 },
        /* A value of 30 code points in Devanagari, 90 bytes. */
        { "नमस्ते {#var#}", "नमस्ते ककककककककककककककककककककककककककककक", DLT_OK, 0, 0 },
        { "नमस्ते {#var#}", "नमस्ते कककककककककककककककककककककककककककककक", DLT_OK, 0, 0 },
        { "नमस्ते {#var#}", "नमस्ते ककककककककककककककककककककककककककककककक", DLT_VARIABLE, DLT_FAULT_LONG, 1 },
        { "नाम {#alphanumeric#}।", "नाम आशा राव।", DLT_OK, 0, 0 },
        /* What looks like a tag and has no end is text. */
        { "{# x", "{# x", DLT_OK, 0, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dlt_match out;
        match(rows[i].pattern, rows[i].text, &out);
        if (out.verdict != rows[i].verdict || out.fault != rows[i].fault || out.variable != rows[i].variable)
            fail_msg("\"%s\" for \"%s\": %d %d %u", rows[i].text, rows[i].pattern, (int)out.verdict,
                     (int)out.fault, out.variable);
    }
}

static void
the_place_of_a_difference_is_exact(void **state UNUSED)
{
    static const struct {
        const char *pattern, *text;
        struct dlt_place in_text, in_template;
    } rows[] = {
        { "Hello world", "Hello World", { 6, 7 }, { 6, 7 } },
        { "Hello world", "Hello world!", { 11, 12 }, { 11, 11 } },
        { "Hello world!", "Hello world", { 11, 11 }, { 11, 12 } },
        { "Hi {#var#}, your OTP is {#var#}. -HK", "Hi Asha, your 0TP is 1. -HK", { 14, 15 }, { 17, 18 } },
        { "Hello {#var#}.", "Hi Asha.", { 1, 2 }, { 1, 5 } },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dlt_match out;
        match(rows[i].pattern, rows[i].text, &out);
        assert_int_equal(out.verdict, DLT_NOT_MATCHED);
        if (memcmp(&out.text, &rows[i].in_text, sizeof(out.text)) != 0 ||
            memcmp(&out.fixed, &rows[i].in_template, sizeof(out.fixed)) != 0)
            fail_msg("\"%s\": [%u,%u) [%u,%u)", rows[i].text, out.text.start, out.text.end, out.fixed.start,
                     out.fixed.end);
    }
}

static void
the_nearer_template_has_more_in_place(void **state UNUSED)
{
    struct dlt_match near, far;

    match("Dear {#var#}, your order {#var#} has shipped. -HK", "Dear Asha, your order 12 was shipped. -HK",
          &near);
    match("Dear {#var#}, your bill of {#var#} is due. -HK", "Dear Asha, your order 12 was shipped. -HK",
          &far);
    assert_true(near.nearness > far.nearness);
    assert_true(near.nearness < 1000);
}

static void
values_are_where_they_stand(void **state UNUSED)
{
    struct dlt_match out;

    match("Hi {#var#}, pay {#numeric#}.", "Hi Asha, pay 12.", &out);
    assert_int_equal(out.verdict, DLT_OK);
    assert_int_equal(out.value_count, 2);
    assert_int_equal(out.values[0].start, 3);
    assert_int_equal(out.values[0].end, 7);
    assert_int_equal(out.values[1].start, 13);
    assert_int_equal(out.values[1].end, 15);
}

static void
types_kept_beside_the_text_hold(void **state UNUSED)
{
    static const struct dlt_variable_rule rules[] = { { DLT_VARIABLE_NUMERIC, 4 }, { DLT_VARIABLE_VAR, 0 } };
    struct dlt_match out;

    match_rules("{#var#} and {#var#}", "1234 and x", rules, 2, &out);
    assert_int_equal(out.verdict, DLT_OK);
    match_rules("{#var#} and {#var#}", "12345 and x", rules, 2, &out);
    assert_int_equal(out.fault, DLT_FAULT_LONG);
    match_rules("{#var#} and {#var#}", "12x4 and x", rules, 2, &out);
    assert_int_equal(out.fault, DLT_FAULT_TYPE);
}

static void
what_is_no_template_is_refused(void **state UNUSED)
{
    static const struct dlt_variable_rule rule = { DLT_VARIABLE_VAR, DLT_VARIABLE_POINTS_MAX + 1 };
    static const struct dlt_variable_rule two[2] = { { DLT_VARIABLE_VAR, 0 }, { DLT_VARIABLE_VAR, 0 } };
    struct arena *arena = arena_new(4u << 20);
    struct dlt_pattern pattern;
    char many[7 * (DLT_VARIABLES_MAX + 1) + 1] = "";

    assert_int_equal(dlt_pattern_read(arena, SLICE("a {#wat#}"), NULL, 0, &pattern), ERR_ENCODING);
    assert_int_equal(dlt_pattern_read(arena, SLICE("a {#VAR#}"), NULL, 0, &pattern), ERR_ENCODING);
    assert_int_equal(dlt_pattern_read(arena, SLICE("a \xff"), NULL, 0, &pattern), ERR_UTF8);
    assert_int_equal(dlt_pattern_read(arena, SLICE("{#var#}"), &rule, 1, &pattern), ERR_LIMIT);
    assert_int_equal(dlt_pattern_read(arena, SLICE("{#var#}"), two, 2, &pattern), ERR_ENCODING);
    for (size_t i = 0; i < DLT_VARIABLES_MAX + 1; i++)
        memcpy(many + 7 * i, "{#var#}", 7);
    assert_int_equal(dlt_pattern_read(arena, slice_of(many, sizeof(many) - 1), NULL, 0, &pattern), ERR_LIMIT);
    assert_ok(dlt_pattern_read(arena, slice_of(many, sizeof(many) - 1 - 7), NULL, 0, &pattern));
    assert_int_equal(pattern.variable_count, DLT_VARIABLES_MAX);
    arena_free(arena);
}

static void
a_template_that_portals_refuse_is_remarked_on(void **state UNUSED)
{
    static const struct {
        const char *text;
        unsigned remarks;
    } rows[] = {
        { "Your order {#alphanumeric#} has shipped.", 0 },
        { "Your order {#var#} has shipped.", DLT_REMARK_UNTYPED },
        { "Your order {#numeric#} {#numeric#} has shipped.", DLT_REMARK_ADJACENT },
        { "Your  order {#numeric#} has shipped.", DLT_REMARK_BLANKS },
        { "Your <order> {#numeric#} has shipped.", DLT_REMARK_ANGLES },
        { "A {#numeric#}", DLT_REMARK_FIXED },
        { "One {#numeric#} two {#numeric#} three {#numeric#} four {#numeric#} and so much fixed text beside it all",
          DLT_REMARK_MANY },
    };
    struct arena *arena = arena_new(4u << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dlt_pattern pattern;
        assert_ok(dlt_pattern_read(arena, slice_text(rows[i].text), NULL, 0, &pattern));
        assert_int_equal(dlt_pattern_remarks(&pattern), rows[i].remarks);
    }
    arena_free(arena);
}

/* What anybody would write first: tries every split. Over an alphabet of two letters, so that everything
 * collides. */
static bool
matches_naively(const char *pattern, const char *text, unsigned long long *steps)
{
    if (++*steps > 2000000)
        return false;
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern != '?')
        return *text == *pattern && matches_naively(pattern + 1, text + 1, steps);
    for (size_t len = 1; len <= 3 && text[len - 1] != '\0'; len++)
        if (matches_naively(pattern + 1, text + len, steps))
            return true;
    return false;
}

static uint32_t
random_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static void
it_agrees_with_trying_every_split(void **state UNUSED)
{
    uint32_t seed = 20181907;
    unsigned matched = 0;

    for (int round = 0; round < 20000; round++) {
        char pattern[16], text[24], wire[16 * 8] = "";
        size_t pattern_len = random_next(&seed) % 9, text_len = random_next(&seed) % 13, used = 0,
               variables = 0;
        struct dlt_variable_rule rules[16];
        unsigned long long steps = 0;
        for (size_t i = 0; i < pattern_len; i++) {
            pattern[i] = "ab?"[random_next(&seed) % 3];
            if (pattern[i] == '?') {
                memcpy(wire + used, "{#var#}", 7);
                used += 7;
                rules[variables++] = (struct dlt_variable_rule){ DLT_VARIABLE_VAR, 3 };
            } else {
                wire[used++] = pattern[i];
            }
        }
        pattern[pattern_len] = '\0';
        wire[used] = '\0';
        for (size_t i = 0; i < text_len; i++)
            text[i] = "ab"[random_next(&seed) % 2];
        text[text_len] = '\0';
        struct dlt_match out;
        match_rules(wire, text, rules, variables, &out);
        bool is_match = matches_naively(pattern, text, &steps);
        if ((out.verdict == DLT_OK) != is_match)
            fail_msg("\"%s\" for \"%s\": %d", text, pattern, (int)out.verdict);
        matched += is_match ? 1 : 0;
        if (out.verdict != DLT_NOT_MATCHED) { /* the values and the fixed text make up the text again */
            char again[64];
            size_t len = 0, k = 0;
            for (size_t i = 0; i < pattern_len; i++) {
                if (pattern[i] != '?') {
                    again[len++] = pattern[i];
                    continue;
                }
                for (uint32_t j = out.values[k].start; j < out.values[k].end; j++)
                    again[len++] = text[j];
                k++;
            }
            assert_int_equal(len, text_len);
            assert_memory_equal(again, text, len);
        }
    }
    assert_in_range(matched, 200, 19000);
}

/* What makes expressions that backtrack hang: many variables, and a text that nearly matches everywhere. */
static void
a_hostile_text_costs_no_more_than_its_length(void **state UNUSED)
{
    char pattern[2048] = "", text[DLT_POINTS_MAX + 1];
    struct dlt_match out;
    size_t used = 0;

    for (int i = 0; i < 32; i++) {
        memcpy(pattern + used, "{#var#}a", 8);
        used += 8;
    }
    pattern[used++] = 'b';
    memset(text, 'a', DLT_POINTS_MAX);
    text[DLT_POINTS_MAX] = '\0';
    match(pattern, text, &out);
    assert_int_equal(out.verdict, DLT_NOT_MATCHED);
}

UNIT_MAIN(cmocka_unit_test(a_text_is_its_template_s_or_the_reason_is_told),
          cmocka_unit_test(the_place_of_a_difference_is_exact),
          cmocka_unit_test(the_nearer_template_has_more_in_place),
          cmocka_unit_test(values_are_where_they_stand), cmocka_unit_test(types_kept_beside_the_text_hold),
          cmocka_unit_test(what_is_no_template_is_refused),
          cmocka_unit_test(a_template_that_portals_refuse_is_remarked_on),
          cmocka_unit_test(it_agrees_with_trying_every_split),
          cmocka_unit_test(a_hostile_text_costs_no_more_than_its_length))
