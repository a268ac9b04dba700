#include "core/slice.h"
#include "core/unit.h"
#include "program/harkara/arguments.h"
#include <string.h>

static const struct argument_option options[] = {
    { .name = "--name", .value_name = "NAME", .is_required = true },
    { .name = "--scope", .value_name = "SCOPE", .is_repeatable = true },
    { .name = "--json" },
    { .name = NULL },
};

static struct arguments parsed;
static struct complaint complaint;

static enum err
parse(const char *const *words, size_t words_max)
{
    int count = 0;

    while (words[count] != NULL)
        count++;
    complaint.text[0] = '\0';
    return arguments_parse(count, (char *const *)(uintptr_t)words, options, 0, words_max, &parsed,
                           &complaint);
}
#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
options_flags_and_words_are_told_apart(void **state UNUSED)
{
    assert_ok(parse(WORDS("--name", "Acme", "one", "--scope", "a", "--scope=b", "--json", "two"), 2));
    assert_string_equal(arguments_value(&parsed, "--name"), "Acme");
    assert_string_equal(arguments_nth(&parsed, "--scope", 0), "a");
    assert_string_equal(arguments_nth(&parsed, "--scope", 1), "b");
    assert_null(arguments_nth(&parsed, "--scope", 2));
    assert_true(arguments_has(&parsed, "--json"));
    assert_string_equal(arguments_word(&parsed, 0), "one");
    assert_string_equal(arguments_word(&parsed, 1), "two");
    assert_null(arguments_word(&parsed, 2));
    assert_ok(parse(WORDS("--name="), 0));
    assert_string_equal(arguments_value(&parsed, "--name"), "");
    assert_false(arguments_has(&parsed, "--json"));
    assert_null(arguments_value(&parsed, "--scope"));
    assert_ok(parse(WORDS("--name=-x=y"), 0));
    assert_string_equal(arguments_value(&parsed, "--name"), "-x=y");
}

static void
a_wrong_line_is_refused_and_the_fault_named(void **state UNUSED)
{
    const struct {
        const char *const *words;
        const char *named;
    } rows[] = {
        { WORDS("--json"), "--name NAME is missing" },
        { WORDS("--nam", "x"), "--nam is not an option" },
        { WORDS("--name"), "--name needs a value" },
        { WORDS("--name", "--json"), "--name needs a value" },
        { WORDS("--name", "x", "--json=1"), "--json takes no value" },
        { WORDS("--name", "x", "--name", "y"), "--name may be given only once" },
        { WORDS("--name", "x", "stray"), "\"stray\" is not expected" },
        { WORDS("--name", "x", "-j"), "-j is not an option" },
        { WORDS("--name", "x", "--a\nb=1"), "--a b is not an option" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(parse(rows[i].words, 0), ERR_QUERY);
        assert_true(slice_contains(slice_text(complaint.text), slice_text(rows[i].named)));
    }
}

static void
a_missing_word_and_too_many_arguments_are_refused(void **state UNUSED)
{
    const char *many[ARGUMENTS_MAX + 2];

    assert_int_equal(arguments_parse(2, (char *const *)(uintptr_t)WORDS("--name", "x"), options, 1, 1,
                                     &parsed, &complaint),
                     ERR_QUERY);
    for (size_t i = 0; i <= ARGUMENTS_MAX; i++)
        many[i] = "x";
    many[ARGUMENTS_MAX + 1] = NULL;
    assert_int_equal(parse(many, SIZE_MAX), ERR_QUERY);
}

static void
help_is_heard_wherever_it_stands(void **state UNUSED)
{
    assert_ok(parse(WORDS("--nonsense", "--help"), 0));
    assert_true(parsed.wants_help);
    assert_ok(parse(WORDS("-h"), 0));
    assert_true(parsed.wants_help);
    assert_ok(parse(WORDS("--name", "x"), 0));
    assert_false(parsed.wants_help);
}

UNIT_MAIN(cmocka_unit_test(options_flags_and_words_are_told_apart),
          cmocka_unit_test(a_wrong_line_is_refused_and_the_fault_named),
          cmocka_unit_test(a_missing_word_and_too_many_arguments_are_refused),
          cmocka_unit_test(help_is_heard_wherever_it_stands))
