#include "core/unit.h"
#include "domain/consent/consent_keyword.h"

static struct arena *arena;
static const struct consent_keywords none;

static int
opened(void **state UNUSED)
{
    arena = arena_new(65536);
    return 0;
}

static int
closed(void **state UNUSED)
{
    arena_free(arena);
    return 0;
}

static struct slice
folded(const char *text)
{
    struct slice out;

    return consent_keyword_fold(slice_text(text), arena, &out) == ERR_OK ? out : SLICE_EMPTY;
}

/* "stop/en"; NULL: none. */
static const char *
meant(const char *text, const struct consent_keywords *own)
{
    enum consent_word word;
    const char *language;

    if (!consent_keyword_match(folded(text), own, &word, &language))
        return NULL;
    struct slice out = arena_format(arena, "%s/%s", consent_word_text(word), language);
    assert_non_null(out.ptr);
    return out.ptr;
}

static void
keywords_are_known_however_they_are_written(void **state UNUSED)
{
    static const struct {
        const char *text, *meant;
    } rows[] = {
        { "STOP", "stop/en" },
        { " stop. ", "stop/en" },
        { "\xe2\x80\x9cStop!\xe2\x80\x9d", "stop/en" },
        { "Stop\xe2\x80\x8b", "stop/en" },                                 /* a zero-width space */
        { "\xef\xbc\xb3\xef\xbc\xb4\xef\xbc\xaf\xef\xbc\xb0", "stop/en" }, /* full width */
        { "STOP \xf0\x9f\x9b\x91", "stop/en" },
        { "stop\n\tall", "stop/en" },
        { "Opt-Out", "stop/en" },
        { "UNSUBSCRIBE", "stop/en" },
        { "\xe0\xa4\xac\xe0\xa4\x82\xe0\xa4\xa6 \xe0\xa4\x95\xe0\xa4\xb0\xe0\xa5\x8b\xe0\xa5\xa4",
          "stop/hi" }, /* band karo, danda */
        { "Band Karo", "stop/hi" },
        { "\xe0\xae\xa8\xe0\xae\xbf\xe0\xae\xb1\xe0\xaf\x81\xe0\xae\xa4\xe0\xaf\x8d\xe0\xae\xa4\xe0\xaf\x81",
          "stop/ta" },
        { "\xd8\xa8\xd9\x86\xd8\xaf", "stop/ur" },
        { "START", "start/en" },
        { "\xe0\xa8\xb6\xe0\xa9\x81\xe0\xa8\xb0\xe0\xa9\x82", "start/pa" }, /* sha in one code point */
        { "\xe0\xa8\xb8\xe0\xa8\xbc\xe0\xa9\x81\xe0\xa8\xb0\xe0\xa9\x82", "start/pa" }, /* and in two */
        { "help?", "help/en" },
        { "\xe0\xa4\xae\xe0\xa4\xa6\xe0\xa4\xa6", "help/hi" },
        { "please stop", NULL },
        { "stop the press", NULL },
        { "s t o p", NULL },
        { "", NULL },
        { "!!!", NULL },
        { "\xff\xfe", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *is = meant(rows[i].text, &none);
        if (rows[i].meant == NULL ? is != NULL : is == NULL || strcmp(is, rows[i].meant) != 0)
            fail_msg("%s is %s", rows[i].text, is == NULL ? "none" : is);
    }
}

static void
each_of_ours_stands_in_the_form_that_is_compared(void **state UNUSED)
{
    enum consent_word word, is;
    const char *language, *text, *of;

    for (size_t i = 0; consent_keyword_at(i, &word, &language, &text); i++) {
        struct slice form = folded(text);
        if (!slice_eq(form, slice_text(text)))
            fail_msg("%s should be written %.*s", text, SLICE_FMT(form));
        assert_true(consent_keyword_match(form, &none, &is, &of));
        assert_int_equal(is, word);
    }
}

static void
a_workspaces_own_word_counts_and_never_against_a_stop(void **state UNUSED)
{
    const struct slice yes[] = { SLICE("ja"), SLICE("stop") };
    const struct consent_keywords own = { .own[CONSENT_START] = yes, .own_count[CONSENT_START] = 2 };

    assert_string_equal(meant("JA!", &own), "start/en");
    assert_string_equal(meant("stop", &own), "stop/en");
}

static void
what_is_folded_folds_to_itself(void **state UNUSED)
{
    static const char *const texts[] = { "\xc3\x89t\xc3\xa9", "\xef\xac\x81n", "A\xcc\x8a", "\xe1\xba\x9e",
                                         "x\xc2\xa0 y" };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct slice once = folded(texts[i]), twice;
        assert_ok(consent_keyword_fold(once, arena, &twice));
        assert_true(slice_eq(once, twice));
    }
}

UNIT_MAIN(cmocka_unit_test_setup_teardown(keywords_are_known_however_they_are_written, opened, closed),
          cmocka_unit_test_setup_teardown(each_of_ours_stands_in_the_form_that_is_compared, opened, closed),
          cmocka_unit_test_setup_teardown(a_workspaces_own_word_counts_and_never_against_a_stop, opened,
                                          closed),
          cmocka_unit_test_setup_teardown(what_is_folded_folds_to_itself, opened, closed))
