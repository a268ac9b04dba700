/* What a workspace decides about consent: what holds where somebody enters it without saying so, what a STOP
 * stops, its own keywords, and what is answered. */
#ifndef DOMAIN_CONSENT_CONSENT_SETTINGS_H
#define DOMAIN_CONSENT_CONSENT_SETTINGS_H
#include "domain/consent/consent.h"
#include "domain/consent/consent_keyword.h"

#define CONSENT_OWN_WORDS_MAX 50u

struct consent_settings {
    enum consent_state of_manual, of_import, of_inbound, of_api; /* granted or unknown */
    bool stops_all;                                              /* else promotional messages */
    struct consent_keywords keywords;
    bool is_answered[CONSENT_WORD_COUNT];
    struct slice answer[CONSENT_WORD_COUNT]; /* NULL ptr: ours */
    uint32_t revision;                       /* 0: never changed */
    struct wall_time updated_at;             /* of a revision */
};

/* What holds by this path where it is not said. */
enum consent_state consent_settings_of(const struct consent_settings *settings, enum consent_source source);

/* As they come where nobody has changed them: nothing is granted by default, a STOP stops promotional
 * messages, and all three are answered. Texts lie in the arena. */
MUST_CHECK enum err consent_settings_read(struct db_tx *tx, struct arena *arena,
                                          struct consent_settings *out);
/* Puts all of them; `revision` is the one they replace, and the next one afterwards. ERR_DB_CONFLICT:
 * somebody was faster. */
MUST_CHECK enum err consent_settings_write(struct db_tx *tx, struct consent_settings *settings);

/* What is answered in a language, when the workspace has no words of its own: in English where we have none
 * in that. */
const char *consent_answer_text(enum consent_word word, struct slice language);

#endif
