#include "core/unit.h"
#include "wire/http/etag.h"

static void
a_tag_is_the_revision_in_quotes(void **state UNUSED)
{
    char text[ETAG_TEXT_BYTES];

    assert_true(slice_eq(etag_print(7, text), SLICE("\"7\"")));
    assert_true(slice_eq(etag_print(UINT64_MAX, text), SLICE("\"18446744073709551615\"")));
}

static void
if_match_is_compared_strongly(void **state UNUSED)
{
    static const struct {
        const char *value;
        enum err err;
    } rows[] = {
        { "*", ERR_OK },
        { " * ", ERR_OK },
        { "\"7\"", ERR_OK },
        { "\"1\", \"7\"", ERR_OK },
        { "\"7\" ,\"1\"", ERR_OK },
        { "W/\"1\",\"7\"", ERR_OK },
        { "\"1\"", ERR_HTTP_PRECONDITION },
        { "W/\"7\"", ERR_HTTP_PRECONDITION },
        { "\"\"", ERR_HTTP_PRECONDITION },
        { "", ERR_HTTP_HEADER },
        { "7", ERR_HTTP_HEADER },
        { "\"7", ERR_HTTP_HEADER },
        { "\"7\",", ERR_HTTP_HEADER },
        { "\"7\" \"1\"", ERR_HTTP_HEADER },
        { "*, \"7\"", ERR_HTTP_HEADER },
        { "\"7\", x", ERR_HTTP_HEADER },
        { "w/\"7\"", ERR_HTTP_HEADER },
        { "\"a b\"", ERR_HTTP_HEADER },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (etag_check_match(slice_text(rows[i].value), SLICE("\"7\"")) != rows[i].err)
            fail_msg("judged wrongly: %s", rows[i].value);
}

UNIT_MAIN(cmocka_unit_test(a_tag_is_the_revision_in_quotes), cmocka_unit_test(if_match_is_compared_strongly))
