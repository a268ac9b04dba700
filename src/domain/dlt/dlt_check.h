/*
 * A text against the registry of its workspace, in a request's transaction: what the content check of an SMS
 * asks before a message is accepted, and what goes to the operator with it.
 */
#ifndef DLT_CHECK_H
#define DLT_CHECK_H
#include "domain/dlt/dlt_match.h"
#include "domain/dlt/dlt_template.h"

#define DLT_CANDIDATES_MAX 500u /* templates that a text without an id is compared with */

struct dlt_asked {
    struct slice header;                 /* the sender, as it was registered */
    struct slice text;                   /* as it will be sent */
    struct slice template_registered_id; /* empty: the templates of the header are tried */
    bool has_category;                   /* false: any category is good (a try) */
    bool is_promotional;                 /* whether the message is */
    bool wants_nearest; /* with no match and no id: compare all templates of the header, not only likely ones
                         */
};

struct dlt_found {
    enum dlt_verdict verdict;
    bool has_template; /* the template that matches, or the one that was named, or the nearest */
    struct dlt_template template;
    struct dlt_match match;              /* against it; of no meaning without one */
    struct dlt_text text, template_text; /* what the places of the match count in; borrowed: the arena's */
};

/*
 * The arena must hold about 2 KiB for each template that is compared, and what dlt_matcher_new wants. Errors:
 * the database's, the text's (ERR_UTF8, ERR_LIMIT), ERR_NO_MEMORY; that a text is not registered is no error
 * but *out.
 */
MUST_CHECK enum err dlt_check(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                              const struct dlt_asked *asked, struct dlt_found *out);

/* What goes into the operator's TLVs for a template, and whether it may still be used. */
struct dlt_registered {
    enum dlt_verdict standing;           /* as dlt_check would say it without a look at the text */
    struct slice entity_id, template_id; /* as registered */
    struct slice chain_hash;             /* 64 hexadecimal digits, small; empty: none is active */
    struct slice member_ids; /* of that chain, with commas between: for an aggregator who hashes himself */
};
struct dlt_use {
    struct id template;
    struct slice header; /* under which it is sent: the sender's name */
    bool is_promotional; /* whether the message is */
};
/* The rows of several templates of the tenant: (*out)[i] is of uses[i]; one that is gone has empty slices. At
 * most 500. */
MUST_CHECK enum err dlt_registered_read(struct db_tx *tx, struct arena *arena, const struct dlt_use *uses,
                                        size_t count, struct dlt_registered **out);

#endif
