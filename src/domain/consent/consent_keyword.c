#include "domain/consent/consent_keyword.h"
#include "core/buf.h"
#include <utf8proc.h>

static const char *const words[CONSENT_WORD_COUNT] = { "stop", "start", "help" };

static const struct {
    enum consent_word word;
    const char *language, *text;
} keywords[] = {
#define KEYWORD(word, language, text) { CONSENT_##word, language, text },
#include "domain/consent/consent_keyword.def"
#undef KEYWORD
};

const char *
consent_word_text(enum consent_word word)
{
    if ((unsigned)word >= CONSENT_WORD_COUNT)
        bug("no such word");
    return words[word];
}

enum err
consent_word_parse(struct slice text, enum consent_word *out)
{
    for (unsigned i = 0; i < CONSENT_WORD_COUNT; i++)
        if (slice_eq(text, slice_text(words[i]))) {
            *out = (enum consent_word)i;
            return ERR_OK;
        }
    return ERR_DB_DATA;
}

enum sort { SORT_LETTER, SORT_SPACE, SORT_OTHER };

/* Marks belong to their letters; what is neither, nor a digit, does not count. */
static enum sort
sort_of(utf8proc_int32_t point)
{
    utf8proc_category_t category = utf8proc_category(point);

    if (point == '\t' || point == '\n' || point == '\r' ||
        (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP))
        return SORT_SPACE;
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO)
        return SORT_LETTER;
    return SORT_OTHER;
}

/* Beyond so many code points it is no keyword: one that is compatible with eighteen others may become them.
 */
#define POINTS_MAX 512

enum err
consent_keyword_fold(struct slice text, struct arena *arena, struct slice *out)
{
    const utf8proc_option_t form =
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    utf8proc_int32_t points[POINTS_MAX];
    bool has_space = false;
    struct buf folded;

    *out = SLICE_EMPTY;
    if (text.len == 0 || text.len > CONSENT_TEXT_BYTES_MAX)
        return ERR_NOTHING;
    utf8proc_ssize_t count = utf8proc_decompose((const utf8proc_uint8_t *)text.ptr,
                                                (utf8proc_ssize_t)text.len, points, POINTS_MAX, form);
    if (count < 0 || count > POINTS_MAX)
        return ERR_NOTHING;
    count = utf8proc_normalize_utf32(points, count, form);
    buf_init(&folded, CONSENT_WORD_BYTES_MAX);
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        enum sort sort = sort_of(points[i]);
        has_space |= sort == SORT_SPACE;
        if (sort != SORT_LETTER)
            continue;
        if (has_space && buf_slice(&folded).len > 0)
            buf_add_byte(&folded, ' ');
        has_space = false;
        buf_add_utf8(&folded, (uint32_t)points[i]);
    }
    enum err err = buf_done(&folded);
    if (err == ERR_LIMIT || (err == ERR_OK && buf_slice(&folded).len == 0))
        err = ERR_NOTHING;
    if (err == ERR_OK && (*out = arena_copy(arena, buf_slice(&folded))).ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release_wiped(&folded);
    return err;
}

static bool
is_own(const struct consent_keywords *own, enum consent_word word, struct slice folded)
{
    for (size_t i = 0; i < own->own_count[word]; i++)
        if (slice_eq(own->own[word][i], folded))
            return true;
    return false;
}

bool
consent_keyword_match(struct slice folded, const struct consent_keywords *own, enum consent_word *word_out,
                      const char **language_out)
{
    for (unsigned word = 0; word < CONSENT_WORD_COUNT; word++) {
        *word_out = (enum consent_word)word;
        for (size_t i = 0; i < COUNT_OF(keywords); i++)
            if (keywords[i].word == *word_out && slice_eq(folded, slice_text(keywords[i].text))) {
                *language_out = keywords[i].language;
                return true;
            }
        *language_out = "en";
        if (is_own(own, *word_out, folded))
            return true;
    }
    return false;
}

bool
consent_keyword_at(size_t at, enum consent_word *word_out, const char **language_out, const char **text_out)
{
    if (at >= COUNT_OF(keywords))
        return false;
    *word_out = keywords[at].word;
    *language_out = keywords[at].language;
    *text_out = keywords[at].text;
    return true;
}
