/*
 * Regular expressions of the contract, by PCRE2 without JIT (the sandbox forbids executable memory). JSON
 * Schema means ECMA-262: not anchored, `$` only at the very end, code points, \d and \w in ASCII. The
 * contract keeps to what both read alike; a test holds its patterns against JavaScript's.
 */
#ifndef WIRE_OPENAPI_PATTERN_H
#define WIRE_OPENAPI_PATTERN_H
#include "core/err.h"
#include "core/slice.h"
#include <stdbool.h>

struct pattern; /* immutable: shared by all threads */
struct pattern_scratch {
    void *match;    /* owned; made at the first use, or what this thread has kept */
    bool has_grown; /* beyond what is worth keeping */
};

/* ERR_CONTRACT: not a regular expression, or one with \s, \S, \b, \B, \p or a dot, which the two read
 * differently. */
MUST_CHECK enum err pattern_compile(struct slice text, struct pattern **out);
void pattern_free(struct pattern *pattern);

/*
 * ERR_OK: `text` holds a match. ERR_CONTRACT: it does not, or the search was given up at its limit, which a
 * pattern of ours does not reach with a text of an allowed length. ERR_NO_MEMORY.
 */
MUST_CHECK enum err pattern_match(const struct pattern *pattern, struct slice text,
                                  struct pattern_scratch *scratch);
/* Keeps one for the next check on this thread, until the thread ends. */
void pattern_scratch_release(struct pattern_scratch *scratch);

#endif
