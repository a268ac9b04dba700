#include "core/fuzz.h"
#include "domain/dlt/dlt_match.h"

/* Up to the first NUL a template, then a text: what matches is made of the template's fixed text and of
 * values within their lengths. */
FUZZ_TARGET(data, size)
{
    struct slice rest = slice_of(data, size), template = slice_take_until(&rest, '\0');
    static const struct dlt_link listed[] = {
        { DLT_LINK_DYNAMIC, { "https://a.in/t?", 15 }, { 0 }, false },
        { DLT_LINK_NUMBER, { "1800123456", 10 }, { 0 }, false },
    };
    struct dlt_links links = { listed, 2, { 0 } };
    struct arena *arena = arena_new(4u << 20);
    struct dlt_matcher *matcher = NULL;
    struct dlt_pattern pattern;
    struct dlt_match match;

    FUZZ_CHECK(arena != NULL);
    if (dlt_pattern_read(arena, template, NULL, 0, &pattern) != ERR_OK ||
        dlt_matcher_new(arena, rest, &links, &matcher) != ERR_OK)
        goto done;
    (void)dlt_pattern_remarks(&pattern);
    dlt_match(matcher, &pattern, &match);
    struct dlt_text text = dlt_matcher_text(matcher);
    FUZZ_CHECK((match.verdict == DLT_OK) == (match.fault == DLT_FAULT_NONE));
    FUZZ_CHECK(match.text.start <= match.text.end && match.text.end <= text.count);
    FUZZ_CHECK(match.fixed.start <= match.fixed.end && match.fixed.end <= pattern.text.count);
    if (match.verdict == DLT_NOT_MATCHED) {
        FUZZ_CHECK(match.nearness < 1000);
        goto done;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i <= pattern.variable_count; i++) {
        FUZZ_CHECK(pattern.fixed[i].count <= text.count - at);
        for (uint32_t j = 0; j < pattern.fixed[i].count; j++)
            FUZZ_CHECK(text.points[at + j] == pattern.fixed[i].points[j]);
        at += pattern.fixed[i].count;
        if (i == pattern.variable_count)
            break;
        struct dlt_place value = match.values[i];
        FUZZ_CHECK(value.start == at && value.start <= value.end);
        if (match.verdict == DLT_OK || match.verdict == DLT_LINK)
            FUZZ_CHECK(value.end > value.start && value.end - value.start <= pattern.variables[i].points_max);
        at = value.end;
    }
    FUZZ_CHECK(at == text.count);
done:
    arena_free(arena);
    return 0;
}
