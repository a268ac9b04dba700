/*
 * What people write to stop, start and ask: whole messages of one word or few, in English, Hindi and the
 * regional languages. Two texts are the same when they are so in Unicode's normal form KC (Unicode Standard
 * Annex 15) with case folded and what is ignorable left out, without the punctuation, symbols and spaces
 * around them, without punctuation within, and with each run of spaces as one.
 */
#ifndef DOMAIN_CONSENT_CONSENT_KEYWORD_H
#define DOMAIN_CONSENT_CONSENT_KEYWORD_H
#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"

#define CONSENT_TEXT_BYTES_MAX 256u /* of a message that may be a keyword */
#define CONSENT_WORD_BYTES_MAX 128u /* of a keyword in that form */

enum consent_word { CONSENT_STOP, CONSENT_START, CONSENT_HELP };
#define CONSENT_WORD_COUNT 3u
/* "stop", "start", "help" */
const char *consent_word_text(enum consent_word word);
MUST_CHECK enum err consent_word_parse(struct slice text, enum consent_word *out);

/*
 * The text in the form that is compared, from the arena. ERR_NOTHING: it cannot be a keyword: it is empty,
 * too long, or no UTF-8.
 */
MUST_CHECK enum err consent_keyword_fold(struct slice text, struct arena *arena, struct slice *out);

/* Those of a workspace itself, folded, beside ours. */
struct consent_keywords {
    const struct slice *own[CONSENT_WORD_COUNT];
    size_t own_count[CONSENT_WORD_COUNT];
};
/*
 * Which word a folded text is, and of what language ("hi"; "en" for the workspace's own). A text that stops
 * stops, whatever else it is said to be. false: none.
 */
bool consent_keyword_match(struct slice folded, const struct consent_keywords *keywords,
                           enum consent_word *word_out, const char **language_out);
/* The keywords that come with Harkara. false: `at` is beyond the last. */
bool consent_keyword_at(size_t at, enum consent_word *word_out, const char **language_out,
                        const char **text_out);

#endif
