/* Whatever somebody writes folds or is none; what is folded is short, UTF-8, and folds to itself. */
#include "core/fuzz.h"
#include "domain/consent/consent_keyword.h"

FUZZ_TARGET(data, size)
{
    static const struct consent_keywords none;
    struct arena *arena = arena_new(8192);
    struct slice once, twice;
    enum consent_word word;
    const char *language;

    if (arena == NULL)
        return 0;
    enum err err = consent_keyword_fold(slice_of(data, size), arena, &once);
    FUZZ_CHECK(err == ERR_OK || err == ERR_NOTHING);
    if (err == ERR_OK) {
        FUZZ_CHECK(once.len > 0 && once.len <= CONSENT_WORD_BYTES_MAX && slice_is_utf8(once));
        FUZZ_CHECK(once.ptr[0] != ' ' && once.ptr[once.len - 1] != ' ');
        FUZZ_CHECK(consent_keyword_fold(once, arena, &twice) == ERR_OK && slice_eq(once, twice));
        if (consent_keyword_match(once, &none, &word, &language))
            FUZZ_CHECK(word < CONSENT_WORD_COUNT && language != NULL);
    }
    arena_free(arena);
    return 0;
}
