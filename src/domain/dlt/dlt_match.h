/*
 * Whether a text is that of a registered template, decided before an operator sees it: fixed text letter by
 * letter, each variable with one up to as many code points as it may have and of its type, links and
 * call-back numbers from the white-list. Pure; the time is at most a constant times the text's length for
 * each variable, whatever text and template are: no expression backtracks.
 */
#ifndef DLT_MATCH_H
#define DLT_MATCH_H
#include "domain/dlt/dlt_link.h"
#include "domain/dlt/dlt_pattern.h"

enum dlt_verdict {
#define DLT_VERDICT(name, number, code, title) DLT_##name = (number),
#include "domain/dlt/dlt_verdict.def"
#undef DLT_VERDICT
    DLT_VERDICT_COUNT
};

/* What exactly is wrong, when the verdict is NOT_MATCHED, VARIABLE or LINK. */
enum dlt_fault {
    DLT_FAULT_NONE,
    DLT_FAULT_TEXT,     /* NOT_MATCHED: fixed text differs, is missing, or too much follows */
    DLT_FAULT_EMPTY,    /* VARIABLE: without a value */
    DLT_FAULT_LONG,     /* VARIABLE: more code points than it may have */
    DLT_FAULT_TYPE,     /* VARIABLE: not of its type; for {#var#} a line break, '<', '>' or two blanks */
    DLT_FAULT_UNLISTED, /* LINK */
    DLT_FAULT_EXPIRED,  /* LINK: its entry's time is over */
    DLT_FAULT_COUNT
};

struct dlt_place {
    uint32_t start, end; /* code points, of a text as dlt_text_read makes it; end is behind the last */
};

struct dlt_match {
    enum dlt_verdict verdict; /* OK, NOT_MATCHED, VARIABLE or LINK */
    enum dlt_fault fault;
    uint32_t variable;      /* VARIABLE, LINK: which, from 1 on; 0: the link stands in fixed text */
    struct dlt_place text;  /* what is wrong; NOT_MATCHED: from the first to the last difference */
    struct dlt_place fixed; /* NOT_MATCHED: what the template has there */
    uint32_t nearness;      /* thousandths of the fixed text that are in place; 1000 unless NOT_MATCHED */
    uint32_t value_count;   /* unless NOT_MATCHED: where each variable's value stands */
    struct dlt_place values[DLT_VARIABLES_MAX];
};

struct dlt_matcher; /* one text, to be compared with many templates; lives in its arena */

/* The arena must hold about 150 bytes for each code point. links: borrowed, for as long as the matcher.
 * Errors: dlt_text_read's. */
MUST_CHECK enum err dlt_matcher_new(struct arena *arena, struct slice text, const struct dlt_links *links,
                                    struct dlt_matcher **out);
struct dlt_text dlt_matcher_text(const struct dlt_matcher *matcher);
/* Nothing is allocated: a matcher may be asked for any number of templates. */
void dlt_match(struct dlt_matcher *matcher, const struct dlt_pattern *pattern, struct dlt_match *out);

/* "not-matched" and the like; the sentence for people. */
struct slice dlt_verdict_text(enum dlt_verdict verdict);
struct slice dlt_verdict_title(enum dlt_verdict verdict);
struct slice dlt_fault_text(enum dlt_fault fault);

#endif
