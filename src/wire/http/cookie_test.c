/* One cookie of ours among those of others. */
#include "core/unit.h"
#include "wire/http/cookie.h"

static void
a_cookie_is_found_by_its_whole_name(void **state UNUSED)
{
    static const struct {
        const char *header;
        enum err err;
        const char *value;
    } rows[] = {
        { "__Host-harkara=abc", ERR_OK, "abc" },
        { "a=1; __Host-harkara=abc; b=2", ERR_OK, "abc" },
        { "a=1;__Host-harkara=abc;b=2", ERR_OK, "abc" },
        { "__Host-harkara=a=b", ERR_OK, "a=b" },
        { "__Host-harkara=", ERR_OK, "" },
        { " \t__Host-harkara \t= abc ", ERR_OK, "abc" },
        { "", ERR_NOTHING, NULL },
        { ";;;", ERR_NOTHING, NULL },
        { "__Host-harkara", ERR_NOTHING, NULL },
        { "__host-harkara=abc", ERR_NOTHING, NULL },
        { "__Host-harkara2=abc", ERR_NOTHING, NULL },
        { "x__Host-harkara=abc", ERR_NOTHING, NULL },
        { "a=__Host-harkara=abc", ERR_NOTHING, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice value = SLICE_EMPTY;
        assert_int_equal(cookie_find(slice_text(rows[i].header), SLICE("__Host-harkara"), &value),
                         rows[i].err);
        if (rows[i].err == ERR_OK)
            assert_true(slice_eq(value, slice_text(rows[i].value)));
    }
}

/* Whoever sets one beside ours does not get to choose which of them is read. */
static void
two_of_a_name_are_none(void **state UNUSED)
{
    static const char *const rows[] = { "__Host-harkara=a; __Host-harkara=b",
                                        "__Host-harkara=a; __Host-harkara=a",
                                        "__Host-harkara=; x=1; __Host-harkara=b" };
    struct slice value;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(cookie_find(slice_text(rows[i]), SLICE("__Host-harkara"), &value), ERR_HTTP_HEADER);
}

UNIT_MAIN(cmocka_unit_test(a_cookie_is_found_by_its_whole_name), cmocka_unit_test(two_of_a_name_are_none))
