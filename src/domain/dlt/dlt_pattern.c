#include "domain/dlt/dlt_pattern.h"

#define TAG_POINTS_MAX  20u
#define VARIABLES_USUAL 3u /* two, and a third with a reason: direction of 18 November 2025 */
#define FIXED_TENTHS    3u /* direction of 12 May 2023 */

static const struct {
    struct slice text, takes;
    uint32_t points_max;
} variables[DLT_VARIABLE_COUNT] = {
#define DLT_VARIABLE(name, tag, points_max, takes)                                                           \
    [DLT_VARIABLE_##name] = { { tag, sizeof(tag) - 1 }, { takes, sizeof(takes) - 1 }, points_max },
#include "domain/dlt/dlt_variable.def"
#undef DLT_VARIABLE
};

struct slice
dlt_variable_text(enum dlt_variable type)
{
    return type < DLT_VARIABLE_COUNT ? variables[type].text : SLICE_EMPTY;
}

struct slice
dlt_variable_takes(enum dlt_variable type)
{
    return type < DLT_VARIABLE_COUNT ? variables[type].takes : SLICE_EMPTY;
}

uint32_t
dlt_variable_points_max(enum dlt_variable type)
{
    return type < DLT_VARIABLE_COUNT ? variables[type].points_max : 0;
}

enum err
dlt_variable_read(struct slice text, enum dlt_variable *out)
{
    if (slice_eq(text, SLICE("number")))
        text = SLICE("numeric");
    for (enum dlt_variable type = 0; type < DLT_VARIABLE_COUNT; type++) {
        if (slice_eq(text, variables[type].text)) {
            *out = type;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* The tag at `start`, where "{#" stands. ERR_NOTHING: no "#}" follows in time, so it is fixed text. */
static enum err
tag_take(struct dlt_text text, uint32_t start, uint32_t *end_out, enum dlt_variable *type_out)
{
    char name[TAG_POINTS_MAX];
    size_t len = 0;

    for (uint32_t i = start + 2; i + 1 < text.count && len < TAG_POINTS_MAX; i++) {
        if (text.points[i] == '#' && text.points[i + 1] == '}') {
            *end_out = i + 2;
            return dlt_variable_read(slice_of(name, len), type_out) == ERR_OK ? ERR_OK : ERR_ENCODING;
        }
        if (text.points[i] < 0x21 || text.points[i] > 0x7E)
            return ERR_NOTHING;
        name[len++] = (char)text.points[i];
    }
    return ERR_NOTHING;
}

enum err
dlt_pattern_read(struct arena *arena, struct slice text, const struct dlt_variable_rule *rules,
                 size_t rule_count, struct dlt_pattern *out)
{
    enum dlt_variable type = DLT_VARIABLE_VAR;
    uint32_t piece = 0, end = 0, k = 0;

    *out = (struct dlt_pattern){ .variable_count = 0 };
    enum err err = dlt_text_read(arena, text, &out->text);
    if (err != ERR_OK)
        return err;
    for (uint32_t i = 0; i + 1 < out->text.count; i++) {
        if (out->text.points[i] != '{' || out->text.points[i + 1] != '#')
            continue;
        err = tag_take(out->text, i, &end, &type);
        if (err == ERR_NOTHING)
            continue;
        if (err != ERR_OK)
            return err;
        if (k == DLT_VARIABLES_MAX)
            return ERR_LIMIT;
        uint32_t points_max = 0;
        if (k < rule_count) {
            type = rules[k].type;
            points_max = rules[k].points_max;
        }
        if (points_max > DLT_VARIABLE_POINTS_MAX)
            return ERR_LIMIT;
        out->fixed[k] = (struct dlt_fixed){ out->text.points + piece, i - piece };
        out->fixed_points += i - piece;
        out->variables[k++] =
            (struct dlt_pattern_variable){ type, points_max == 0 ? dlt_variable_points_max(type) : points_max,
                                           i, end };
        piece = end;
        i = end - 1;
    }
    out->fixed[k] = (struct dlt_fixed){ out->text.points + piece, out->text.count - piece };
    out->fixed_points += out->text.count - piece;
    out->variable_count = k;
    return rule_count > k ? ERR_ENCODING : ERR_OK;
}

static bool
has_words(struct dlt_fixed fixed)
{
    for (uint32_t i = 0; i < fixed.count; i++)
        if (dlt_point_is_word(fixed.points[i]))
            return true;
    return false;
}

unsigned
dlt_pattern_remarks(const struct dlt_pattern *pattern)
{
    const uint32_t *points = pattern->text.points;
    uint32_t count = pattern->text.count, tags = count - pattern->fixed_points;
    unsigned remarks = 0;

    for (uint32_t k = 0; k < pattern->variable_count; k++) {
        if (k > 0 && !has_words(pattern->fixed[k]))
            remarks |= DLT_REMARK_ADJACENT;
        if (pattern->variables[k].type == DLT_VARIABLE_VAR)
            remarks |= DLT_REMARK_UNTYPED;
    }
    if (pattern->variable_count > VARIABLES_USUAL)
        remarks |= DLT_REMARK_MANY;
    if ((uint64_t)pattern->fixed_points * 10 < (uint64_t)(pattern->fixed_points + tags) * FIXED_TENTHS)
        remarks |= DLT_REMARK_FIXED;
    for (uint32_t i = 0; i < count; i++) {
        if (points[i] == ' ' && (i == 0 || i + 1 == count || points[i - 1] == ' '))
            remarks |= DLT_REMARK_BLANKS;
        if (points[i] == '<' || points[i] == '>')
            remarks |= DLT_REMARK_ANGLES;
    }
    return remarks;
}
