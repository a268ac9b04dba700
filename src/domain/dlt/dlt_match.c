#include "domain/dlt/dlt_match.h"

/*
 * A template is fixed text and variables in turn. Of each variable it is known where it may begin (the ends
 * of the fixed text before it); for each place where it may end, the nearest beginning is found that its
 * length and its code points allow. Any other beginning would ask more of the value, so one is enough; only
 * where the value is judged as a whole (a link, an address) others are tried, at most as many as the value
 * may be long. Fixed text is looked for by Knuth, Morris and Pratt.
 *
 * What is wrong is found by asking again for less: first types and the white-list, then types, then lengths,
 * then nothing.
 */
enum level { LEVEL_LISTED, LEVEL_TYPED, LEVEL_SIZED, LEVEL_LOOSE };

struct dlt_matcher {
    struct dlt_text text;
    const struct dlt_links *links;
    uint32_t *backwards;    /* the text from its end; borrowed: the arena's */
    uint32_t *fixed_turned; /* room for a template from its end */
    uint16_t *from;         /* [variable][end]: where its value begins, plus 1; 0: it cannot end here */
    uint16_t *border;       /* of the fixed text that is looked for */
    bool *begins, *occurs;  /* by place */
};

static const struct {
    struct slice text, title;
} verdicts[DLT_VERDICT_COUNT] = {
#define DLT_VERDICT(name, number, code, title)                                                               \
    [number] = { { code, sizeof(code) - 1 }, { title, sizeof(title) - 1 } },
#include "domain/dlt/dlt_verdict.def"
#undef DLT_VERDICT
};

static const struct slice fault_texts[DLT_FAULT_COUNT] = {
    [DLT_FAULT_NONE] = { "none", 4 },       [DLT_FAULT_TEXT] = { "text", 4 },
    [DLT_FAULT_EMPTY] = { "empty", 5 },     [DLT_FAULT_LONG] = { "too-long", 8 },
    [DLT_FAULT_TYPE] = { "type", 4 },       [DLT_FAULT_UNLISTED] = { "not-listed", 10 },
    [DLT_FAULT_EXPIRED] = { "expired", 7 },
};

struct slice
dlt_verdict_text(enum dlt_verdict verdict)
{
    return verdict < DLT_VERDICT_COUNT ? verdicts[verdict].text : SLICE_EMPTY;
}

struct slice
dlt_verdict_title(enum dlt_verdict verdict)
{
    return verdict < DLT_VERDICT_COUNT ? verdicts[verdict].title : SLICE_EMPTY;
}

struct slice
dlt_fault_text(enum dlt_fault fault)
{
    return fault < DLT_FAULT_COUNT ? fault_texts[fault] : SLICE_EMPTY;
}

enum err
dlt_matcher_new(struct arena *arena, struct slice text, const struct dlt_links *links,
                struct dlt_matcher **out)
{
    struct dlt_matcher *m = arena_alloc(arena, sizeof(*m));

    *out = NULL;
    if (m == NULL)
        return ERR_NO_MEMORY;
    enum err err = dlt_text_read(arena, text, &m->text);
    if (err != ERR_OK)
        return err;
    size_t places = m->text.count + 1u;
    m->links = links;
    m->backwards = arena_array(arena, places, sizeof(*m->backwards));
    m->fixed_turned = arena_array(arena, DLT_POINTS_MAX, sizeof(*m->fixed_turned));
    m->from = arena_array(arena, DLT_VARIABLES_MAX * places, sizeof(*m->from));
    m->border = arena_array(arena, DLT_POINTS_MAX, sizeof(*m->border));
    m->begins = arena_array(arena, places, sizeof(*m->begins));
    m->occurs = arena_array(arena, places, sizeof(*m->occurs));
    if (m->backwards == NULL || m->fixed_turned == NULL || m->from == NULL || m->border == NULL ||
        m->begins == NULL || m->occurs == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < m->text.count; i++)
        m->backwards[i] = m->text.points[m->text.count - 1 - i];
    *out = m;
    return ERR_OK;
}

struct dlt_text
dlt_matcher_text(const struct dlt_matcher *matcher)
{
    return matcher->text;
}

static bool
is_digit(uint32_t point)
{
    return point >= '0' && point <= '9';
}

/* Whether a value of the type may have the code point at this place. */
static bool
point_fits(struct dlt_text text, uint32_t at, enum dlt_variable type)
{
    uint32_t point = text.points[at];
    bool is_doubled = point == ' ' && ((at > 0 && text.points[at - 1] == ' ') ||
                                       (at + 1 < text.count && text.points[at + 1] == ' '));

    switch (type) {
    case DLT_VARIABLE_VAR:
        return point >= ' ' && point != '<' && point != '>' && !is_doubled;
    case DLT_VARIABLE_NUMERIC:
        return is_digit(point);
    case DLT_VARIABLE_ALPHANUMERIC: /* names and addresses as well: words with a blank between them */
        return dlt_point_is_word(point) || (point == ' ' && !is_doubled);
    case DLT_VARIABLE_URL:
    case DLT_VARIABLE_URLOTT:
    case DLT_VARIABLE_EMAIL:
        return point > ' ' && point < 0x7F && point != '<' && point != '>' && point != '"';
    case DLT_VARIABLE_CBN:
        return is_digit(point) || (point != 0 && point < 0x80 && strchr("+-() ", (int)point) != NULL);
    case DLT_VARIABLE_COUNT:
        break;
    }
    return false;
}

static bool
type_is_whole(enum dlt_variable type)
{
    return type == DLT_VARIABLE_URL || type == DLT_VARIABLE_URLOTT || type == DLT_VARIABLE_EMAIL ||
           type == DLT_VARIABLE_CBN;
}

/* Of types whose values are ASCII only; none is longer than DLT_VARIABLE_POINTS_MAX. */
static struct slice
value_bytes(struct dlt_text text, struct dlt_place value, char room[static DLT_VARIABLE_POINTS_MAX])
{
    size_t len = 0;

    for (uint32_t i = value.start; i < value.end && len < DLT_VARIABLE_POINTS_MAX; i++)
        room[len++] = (char)text.points[i];
    return slice_of(room, len);
}

static enum dlt_listing
value_listing(const struct dlt_matcher *m, struct dlt_place value, enum dlt_variable type)
{
    char room[DLT_VARIABLE_POINTS_MAX];

    if (type == DLT_VARIABLE_CBN)
        return dlt_number_listed(m->links, value_bytes(m->text, value, room));
    if (type == DLT_VARIABLE_URL || type == DLT_VARIABLE_URLOTT)
        return dlt_link_listed(m->links, value_bytes(m->text, value, room));
    return DLT_LISTED;
}

/* The value as a whole, its code points being fit. */
static bool
value_is_one(const struct dlt_matcher *m, struct dlt_place value, enum dlt_variable type)
{
    char room[DLT_VARIABLE_POINTS_MAX], digits[16];

    if (!type_is_whole(type))
        return true;
    struct slice bytes = value_bytes(m->text, value, room);
    if (type == DLT_VARIABLE_EMAIL)
        return dlt_looks_like_email(bytes);
    if (type == DLT_VARIABLE_CBN)
        return dlt_looks_like_number(bytes, digits);
    return dlt_looks_like_link(bytes);
}

static bool
points_eq(const uint32_t *a, const uint32_t *b, uint32_t count)
{
    return count == 0 || memcmp(a, b, count * sizeof(*a)) == 0;
}

static void
border_make(uint16_t *border, struct dlt_fixed fixed)
{
    uint32_t k = 0;

    border[0] = 0;
    for (uint32_t i = 1; i < fixed.count; i++) {
        while (k > 0 && fixed.points[i] != fixed.points[k])
            k = border[k - 1];
        k += fixed.points[i] == fixed.points[k] ? 1 : 0;
        border[i] = (uint16_t)k;
    }
}

/* Marks in m->occurs where the fixed text begins; the last one must end the text. */
static void
occurrences_mark(struct dlt_matcher *m, struct dlt_fixed fixed, bool is_last)
{
    uint32_t n = m->text.count, k = 0;

    for (uint32_t i = 0; i <= n; i++)
        m->occurs[i] = false;
    if (is_last) {
        if (fixed.count <= n && points_eq(m->text.points + n - fixed.count, fixed.points, fixed.count))
            m->occurs[n - fixed.count] = true;
        return;
    }
    if (fixed.count == 0) {
        for (uint32_t i = 0; i <= n; i++)
            m->occurs[i] = true;
        return;
    }
    border_make(m->border, fixed);
    for (uint32_t i = 0; i < n; i++) {
        while (k > 0 && m->text.points[i] != fixed.points[k])
            k = m->border[k - 1];
        k += m->text.points[i] == fixed.points[k] ? 1 : 0;
        if (k == fixed.count) {
            m->occurs[i + 1 - k] = true;
            k = m->border[k - 1];
        }
    }
}

/* Of one variable: for each end at which the next fixed text stands, from where. false: it can end nowhere.
 */
static bool
ends_find(struct dlt_matcher *m, const struct dlt_pattern_variable *variable, enum level level,
          uint16_t *from)
{
    uint32_t n = m->text.count, nearest = UINT32_MAX, fits_since = 0;
    uint32_t points_max = level == LEVEL_LOOSE ? n : variable->points_max;
    bool is_typed = level <= LEVEL_TYPED, is_found = false;
    bool is_whole = is_typed && type_is_whole(variable->type);

    for (uint32_t end = 0; end <= n; end++) {
        from[end] = 0;
        if (end > 0 && m->begins[end - 1])
            nearest = end - 1;
        if (is_typed && end > 0 && !point_fits(m->text, end - 1, variable->type))
            fits_since = end;
        if (!m->occurs[end])
            continue;
        uint32_t begin = nearest;
        bool is_held = begin != UINT32_MAX && begin >= fits_since && end - begin <= points_max;
        while (is_held && is_whole) {
            struct dlt_place value = { begin, end };
            if (value_is_one(m, value, variable->type) &&
                (level != LEVEL_LISTED || value_listing(m, value, variable->type) == DLT_LISTED))
                break;
            is_held = false;
            while (begin > fits_since && !is_held && end - begin < points_max)
                is_held = m->begins[--begin];
        }
        if (!is_held && level == LEVEL_LOOSE && m->begins[end]) {
            begin = end; /* without a value */
            is_held = true;
        }
        if (is_held) {
            from[end] = (uint16_t)(begin + 1);
            is_found = true;
        }
    }
    return is_found;
}

/* Whether the whole text is the template's at this level; values_out gets the values' places. */
static bool
text_is(struct dlt_matcher *m, const struct dlt_pattern *p, enum level level, struct dlt_place *values_out)
{
    uint32_t n = m->text.count, k = p->variable_count;
    size_t places = n + 1u;

    if (k == 0)
        return p->fixed[0].count == n && points_eq(m->text.points, p->fixed[0].points, n);
    if (p->fixed[0].count > n || !points_eq(m->text.points, p->fixed[0].points, p->fixed[0].count))
        return false;
    for (uint32_t i = 0; i <= n; i++)
        m->begins[i] = i == p->fixed[0].count;
    for (uint32_t i = 0; i < k; i++) {
        const struct dlt_fixed *next = &p->fixed[i + 1];
        uint16_t *from = m->from + i * places;
        occurrences_mark(m, *next, i + 1 == k);
        if (!ends_find(m, &p->variables[i], level, from))
            return false;
        for (uint32_t j = 0; j <= n; j++)
            m->begins[j] = j >= next->count && from[j - next->count] != 0;
    }
    uint32_t end = n - p->fixed[k].count;
    for (uint32_t i = k; i-- > 0;) {
        uint32_t begin = m->from[i * places + end] - 1u;
        values_out[i] = (struct dlt_place){ begin, end };
        end = begin - p->fixed[i].count;
    }
    return true;
}

/* How far the fixed text goes, variables taking whatever they like: in the text, in the template, and how
 * much of it is fixed. */
struct reach {
    uint32_t text_at, template_at, fixed;
};

static struct reach
reach_of(uint16_t *border, const uint32_t *text, uint32_t n, const struct dlt_fixed *fixed,
         const uint32_t *tag_counts, uint32_t variable_count)
{
    struct reach reach = { 0, 0, 0 };
    uint32_t at = 0, k = 0;

    while (k < fixed[0].count && k < n && text[k] == fixed[0].points[k])
        k++;
    reach = (struct reach){ k, k, k };
    if (k < fixed[0].count)
        return reach;
    at = k;
    for (uint32_t i = 0; i < variable_count; i++) {
        struct dlt_fixed next = fixed[i + 1];
        uint32_t best = 0, best_end = at, j = at;
        reach.template_at += tag_counts[i];
        k = 0;
        if (next.count > 0)
            border_make(border, next);
        for (; j < n && k < next.count; j++) {
            while (k > 0 && text[j] != next.points[k])
                k = border[k - 1];
            k += text[j] == next.points[k] ? 1 : 0;
            if (k > best) {
                best = k;
                best_end = j + 1;
            }
        }
        reach.template_at += best;
        reach.fixed += best;
        reach.text_at = at = best_end;
        if (best < next.count)
            return reach;
    }
    return reach;
}

static void
difference_find(struct dlt_matcher *m, const struct dlt_pattern *p, struct dlt_match *out)
{
    uint32_t n = m->text.count, count = p->text.count, k = p->variable_count;
    struct dlt_fixed turned[DLT_VARIABLES_MAX + 1];
    uint32_t tags[DLT_VARIABLES_MAX], tags_turned[DLT_VARIABLES_MAX];

    for (uint32_t i = 0; i < count; i++)
        m->fixed_turned[i] = p->text.points[count - 1 - i];
    for (uint32_t i = 0; i < k; i++)
        tags[i] = tags_turned[k - 1 - i] = p->variables[i].end - p->variables[i].start;
    for (uint32_t i = 0; i <= k; i++) {
        uint32_t end = i < k ? p->variables[i].start : count;
        turned[k - i] = (struct dlt_fixed){ m->fixed_turned + (count - end), p->fixed[i].count };
    }
    struct reach there = reach_of(m->border, m->text.points, n, p->fixed, tags, k);
    struct reach back = reach_of(m->border, m->backwards, n, turned, tags_turned, k);
    out->text = (struct dlt_place){ there.text_at, n - back.text_at };
    out->fixed = (struct dlt_place){ there.template_at, count - back.template_at };
    if (out->text.end < out->text.start)
        out->text.end = out->text.start;
    if (out->fixed.end < out->fixed.start)
        out->fixed.end = out->fixed.start;
    uint32_t in_place = there.fixed + back.fixed;
    if (p->fixed_points > 0)
        out->nearness = in_place >= p->fixed_points ? 999 : in_place * 1000u / p->fixed_points;
}

static void
fault_set(struct dlt_match *out, enum dlt_verdict verdict, enum dlt_fault fault, uint32_t variable,
          struct dlt_place place)
{
    out->verdict = verdict;
    out->fault = fault;
    out->variable = variable;
    out->text = place;
}

/* A text that matches: what it has of links and numbers must be listed, wherever it stands. */
static void
links_judge(struct dlt_matcher *m, const struct dlt_pattern *p, struct dlt_match *out)
{
    struct dlt_place place = { 0, 0 };
    uint32_t at = 0;
    bool is_number = false;
    struct slice bytes;
    char room[2 * DLT_VARIABLE_POINTS_MAX];

    while (dlt_text_next_link(m->text, &at, &place.start, &place.end, &is_number)) {
        size_t len = 0;
        for (uint32_t i = place.start; i < place.end && len < sizeof(room); i++)
            room[len++] = m->text.points[i] < 0x80 ? (char)m->text.points[i] : '\x01';
        bytes = slice_of(room, len);
        enum dlt_listing listing = place.end - place.start > len ? DLT_UNLISTED
                                   : is_number                   ? dlt_number_listed(m->links, bytes)
                                                                 : dlt_link_listed(m->links, bytes);
        uint32_t variable = 0;
        bool is_judged = listing == DLT_LISTED;
        for (uint32_t i = 0; i < p->variable_count && !is_judged; i++) {
            if (place.start < out->values[i].end && place.end > out->values[i].start) {
                variable = i + 1;
                /* Its value was judged as a whole; here a sentence's end may have been taken off it. */
                is_judged = p->variables[i].type == DLT_VARIABLE_URL ||
                            p->variables[i].type == DLT_VARIABLE_URLOTT ||
                            p->variables[i].type == DLT_VARIABLE_CBN;
            }
        }
        if (!is_judged) {
            fault_set(out, DLT_LINK, listing == DLT_UNLISTED ? DLT_FAULT_UNLISTED : DLT_FAULT_EXPIRED,
                      variable, place);
            return;
        }
    }
}

static bool
value_fits(struct dlt_matcher *m, struct dlt_place value, enum dlt_variable type)
{
    for (uint32_t i = value.start; i < value.end; i++)
        if (!point_fits(m->text, i, type))
            return false;
    return value_is_one(m, value, type);
}

/* The first value that keeps the text from matching at the level above the one at which it does. */
static void
value_blame(struct dlt_matcher *m, const struct dlt_pattern *p, enum level level, struct dlt_match *out)
{
    for (uint32_t i = 0; i < p->variable_count; i++) {
        const struct dlt_pattern_variable *variable = &p->variables[i];
        struct dlt_place value = out->values[i];
        uint32_t points = value.end - value.start;
        if (level == LEVEL_TYPED) {
            enum dlt_listing listing = value_listing(m, value, variable->type);
            if (listing != DLT_LISTED) {
                fault_set(out, DLT_LINK, listing == DLT_UNLISTED ? DLT_FAULT_UNLISTED : DLT_FAULT_EXPIRED,
                          i + 1, value);
                return;
            }
        } else if (level == LEVEL_SIZED && !value_fits(m, value, variable->type)) {
            fault_set(out, DLT_VARIABLE, DLT_FAULT_TYPE, i + 1, value);
            return;
        } else if (level == LEVEL_LOOSE && (points == 0 || points > variable->points_max)) {
            fault_set(out, DLT_VARIABLE, points == 0 ? DLT_FAULT_EMPTY : DLT_FAULT_LONG, i + 1, value);
            return;
        }
    }
}

void
dlt_match(struct dlt_matcher *m, const struct dlt_pattern *pattern, struct dlt_match *out)
{
    *out = (struct dlt_match){ .verdict = DLT_OK, .nearness = 1000, .value_count = pattern->variable_count };
    for (enum level level = LEVEL_LISTED; level <= LEVEL_LOOSE; level++) {
        if (text_is(m, pattern, level, out->values)) {
            if (level == LEVEL_LISTED)
                links_judge(m, pattern, out);
            else
                value_blame(m, pattern, level, out);
            return;
        }
    }
    *out = (struct dlt_match){ .verdict = DLT_NOT_MATCHED, .fault = DLT_FAULT_TEXT };
    difference_find(m, pattern, out);
}
