#include "wire/openapi/pattern.h"
#include <pthread.h>
#include <stdlib.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* The longest search of the contract, over 1024 characters with a look-ahead at each, takes about 5000 steps.
 */
#define STEPS_MAX    100000u
#define HEAP_KIB_MAX 1024u

struct pattern {
    pcre2_code *code;            /* owned */
    pcre2_match_context *limits; /* owned */
};

/* What ECMA-262 and PCRE2 without Unicode properties do not read alike, outside of [classes]. */
static bool
pattern_is_portable(struct slice text)
{
    bool in_class = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\') {
            i++;
            if (i == text.len || strchr("sSbBpPAzZGKQEXRNhHvV", text.ptr[i]) != NULL)
                return false;
        } else if (in_class) {
            in_class = c != ']';
        } else if (c == '[') {
            in_class = true;
        } else if (c == '.') {
            return false;
        }
    }
    return true;
}

enum err
pattern_compile(struct slice text, struct pattern **out)
{
    enum err err = ERR_CONTRACT;
    struct pattern *pattern = NULL;
    PCRE2_SIZE at;
    int code;

    *out = NULL;
    if (!slice_is_utf8(text) || !pattern_is_portable(text))
        return ERR_CONTRACT;
    pattern = calloc(1, sizeof(*pattern));
    if (pattern == NULL)
        return ERR_NO_MEMORY;
    pattern->code = pcre2_compile((PCRE2_SPTR)text.ptr, text.len,
                                  PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_NEVER_BACKSLASH_C,
                                  &code, &at, NULL);
    if (pattern->code == NULL)
        goto done;
    err = ERR_NO_MEMORY;
    pattern->limits = pcre2_match_context_create(NULL);
    if (pattern->limits == NULL)
        goto done;
    pcre2_set_match_limit(pattern->limits, STEPS_MAX);
    pcre2_set_heap_limit(pattern->limits, HEAP_KIB_MAX);
    *out = pattern;
    pattern = NULL;
    err = ERR_OK;
done:
    pattern_free(pattern);
    return err;
}

void
pattern_free(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);
    free(pattern);
}

/*
 * A search works in 20 KiB that hang on its match data: taken anew for each check they cost more than the
 * check. So each thread keeps one; what it holds are offsets, not text.
 */
static pthread_key_t kept_key;
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;
static bool is_kept; /* written once, by kept_make */

static void
kept_free(void *match)
{
    pcre2_match_data_free(match);
}

static void
kept_make(void)
{
    is_kept = pthread_key_create(&kept_key, kept_free) == 0;
}

static pcre2_match_data *
match_take(void)
{
    (void)pthread_once(&kept_once, kept_make);
    pcre2_match_data *match = is_kept ? pthread_getspecific(kept_key) : NULL;
    if (match == NULL)
        return pcre2_match_data_create(1, NULL);
    return pthread_setspecific(kept_key, NULL) == 0 ? match : NULL;
}

enum err
pattern_match(const struct pattern *pattern, struct slice text, struct pattern_scratch *scratch)
{
    if (scratch->match == NULL)
        scratch->match = match_take();
    if (scratch->match == NULL)
        return ERR_NO_MEMORY;
    int found = pcre2_match(pattern->code, (PCRE2_SPTR)(text.len == 0 ? "" : text.ptr), text.len, 0, 0,
                            scratch->match, pattern->limits);
    if (found == PCRE2_ERROR_NOMEMORY)
        return ERR_NO_MEMORY;
    if (found != PCRE2_ERROR_NOMATCH && found < 0)
        scratch->has_grown = true; /* it came to a limit: up to HEAP_KIB_MAX is more than one keeps */
    return found >= 0 ? ERR_OK : ERR_CONTRACT;
}

void
pattern_scratch_release(struct pattern_scratch *scratch)
{
    bool may_keep = scratch->match != NULL && !scratch->has_grown && is_kept;

    if (!may_keep || pthread_getspecific(kept_key) != NULL ||
        pthread_setspecific(kept_key, scratch->match) != 0)
        pcre2_match_data_free(scratch->match);
    *scratch = (struct pattern_scratch){ .match = NULL };
}
