#include "core/unit.h"
#include "domain/template/template_variables.h"
#include <stdio.h>

static void
variables_are_found_with_what_stands_around_them(void **state UNUSED)
{
    static const struct {
        const char *text, *names; /* joined by commas */
        size_t places, fixed;
        bool is_balanced, is_first, is_last, is_adjacent;
    } cases[] = {
        { "", "", 0, 0, true, false, false, false },
        { "plain", "", 0, 5, true, false, false, false },
        { "a {{1}} b", "1", 1, 4, true, false, false, false },
        { "{{1}} b", "1", 1, 2, true, true, false, false },
        { " \n{{1}} b", "1", 1, 4, true, true, false, false },
        { "a {{1}}", "1", 1, 2, true, false, true, false },
        { "a {{1}} \n", "1", 1, 4, true, false, true, false },
        { "a {{1}}.", "1", 1, 3, true, false, false, false },
        { "a {{1}} {{2}} b", "1,2", 2, 5, true, false, false, true },
        { "a {{1}}{{2}} b", "1,2", 2, 4, true, false, false, true },
        { "a {{x}} b {{x}} c", "x", 2, 7, true, false, false, false },
        { "a {{ x }} b", "x", 1, 4, true, false, false, false },
        { "\xc3\xa4 {{1}} \xe2\x82\xac", "1", 1, 4, true, false, false, false },
        { "a {{1 b", "", 0, 2, false, false, false, false },
        { "a 1}} b", "", 0, 7, false, false, false, false },
        { "a {{1} b", "", 0, 2, false, false, false, false },
        { "a {{1}} }} b", "1", 1, 7, false, false, false, false },
        { "a {{ {{1}} b", "", 0, 2, false, false, false, false },
        { "a {1} b", "", 0, 7, true, false, false, false },
        { "{{}}", "", 1, 0, true, true, true, false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct template_variables found;
        struct slice names = slice_text(cases[i].names);
        template_variables_find(slice_text(cases[i].text), &found);
        for (size_t v = 0; v < found.count; v++)
            assert_true(slice_eq(slice_take_until(&names, ','), found.names[v]));
        assert_int_equal(names.len, 0);
        if (found.place_count != cases[i].places || found.fixed_length != cases[i].fixed ||
            found.is_balanced != cases[i].is_balanced || found.is_first != cases[i].is_first ||
            found.is_last != cases[i].is_last || found.is_adjacent != cases[i].is_adjacent)
            fail_msg("case %zu: %s", i, cases[i].text);
    }
}

static void
more_variables_than_anybody_needs_are_not_kept(void **state UNUSED)
{
    char text[12 * 101 + 1];
    struct template_variables found;
    size_t len = 0;

    for (unsigned i = 0; i < 101; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "x {{%u}} ", i + 1);
    template_variables_find(slice_of(text, len), &found);
    assert_true(found.has_too_many);
    assert_int_equal(found.count, TEMPLATE_VARIABLES_MAX);
}

UNIT_MAIN(cmocka_unit_test(variables_are_found_with_what_stands_around_them),
          cmocka_unit_test(more_variables_than_anybody_needs_are_not_kept))
