/* Content and consent templates of a workspace, as registered. */
#ifndef DLT_TEMPLATE_H
#define DLT_TEMPLATE_H
#include "domain/dlt/dlt_pattern.h"
#include "domain/dlt/dlt_registry.h"

#define DLT_TEMPLATES_MAX        10000u
#define DLT_TEMPLATE_HEADERS_MAX 50u
#define DLT_LEAD_POINTS          32u

struct dlt_template {
    struct id id, entity;
    bool is_consent; /* kind "consent"; else "content" */
    struct slice registered_id, name, category, text, consent_template_id, state, paused_reason;
    struct dlt_variable_rule rules[DLT_VARIABLES_MAX];
    size_t rule_count;
    struct id *headers; /* by name; not looked at when it is written */
    struct slice *header_names;
    size_t header_count;
    struct wall_time paused_at, created_at, updated_at;
};

struct dlt_template_query {
    struct slice text;  /* a part of name, text or id; empty: all */
    struct slice state; /* empty: any */
    struct slice kind;  /* "content", "consent"; empty: both */
    struct id header;   /* zero: any */
    struct id cursor;   /* zero: from the newest */
    size_t limit;
};

/* The newest first. */
MUST_CHECK enum err dlt_template_list(struct db_tx *tx, struct arena *arena,
                                      const struct dlt_template_query *query, struct dlt_template **out,
                                      size_t *count_out);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err dlt_template_get(struct db_tx *tx, struct arena *arena, struct id id,
                                     struct dlt_template *out);
/* Those whose text may be this one, of a header (zero: any), or the one with this registered id; at most
 * `limit`. `text` as dlt_text_read. */
MUST_CHECK enum err dlt_template_candidates(struct db_tx *tx, struct arena *arena, struct slice header,
                                            struct slice registered_id, struct slice lead_of, size_t limit,
                                            struct dlt_template **out, size_t *count_out);
/*
 * Its headers are ids of this workspace. ERR_NOT_FOUND: no such entity or header; ERR_EXISTS: the registered
 * id is there; ERR_TOO_MANY; and those of dlt_pattern_read, when text and rules are no template.
 */
MUST_CHECK enum err dlt_template_create(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                                        const struct dlt_template *with);
/* All that may change, and the headers: with->id's row becomes `with`. ERR_NOT_FOUND and as above. */
MUST_CHECK enum err dlt_template_replace(struct db_tx *tx, const struct clock *clock, struct arena *arena,
                                         const struct dlt_template *with);
MUST_CHECK enum err dlt_template_delete(struct db_tx *tx, struct id id);

/* "-T", "-S", "-P", "-G": what the operator shows behind the header; empty for a consent template. */
struct slice dlt_category_suffix(struct slice category);
/* Whether messages of these categories are promotion: promotional, and what used to be service explicit. */
bool dlt_category_is_promotional(struct slice category);

#endif
